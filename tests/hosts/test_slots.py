"""Slots of workers: small hospitals go first, and large ones get their turn."""

import random
from datetime import date

import pytest
from procrastinate.jobs import Status
from procrastinate.utils import utcnow
from queue_support import fetch, query, queue_at

from pipeline.hosts.slots import (
    NO_QUEUE,
    QUEUES,
    UNKNOWN_SECONDS,
    JobsForOthers,
    LastRun,
    Rosters,
    choose_queue,
    choose_queues,
    compute_priority,
    estimate_seconds,
)

DAY, NEXT_DAY = date(2026, 11, 26), date(2026, 11, 27)
SMALL, LARGE = Rosters("s", 20_500), Rosters("l", 1_000_000)


@pytest.mark.parametrize(
    ("last", "rosters", "seconds"),
    [
        (None, None, UNKNOWN_SECONDS),
        (None, Rosters("", 0), 2),
        (None, Rosters("", 120_000), 102),  # 2,000 doctors at 20 a second
        (LastRun(3, 1000), None, 3),
        (LastRun(3, None), LARGE, 3),
        (LastRun(3, 100_000), Rosters("", 90_000), 3),
        (LastRun(3, 100_000), Rosters("", 150_000), 53),  # 1,000 new doctors
    ],
)
def test_a_run_is_expected_to_take_as_long_as_the_last_one_or_as_its_rosters_need(last, rosters, seconds):
    assert estimate_seconds(last, rosters) == seconds


def test_half_of_the_slots_are_kept_for_short_runs_and_a_tiny_run_needs_no_free_slot():
    everything, short = ["tiny", "short", "long"], ["tiny", "short"]
    assert choose_queues([], 2) == everything
    assert choose_queues(["long"], 2) == short
    assert choose_queues(["short"], 2) == everything
    assert choose_queues(["long", "short"], 2) == ["tiny"]
    assert choose_queues(["long", "tiny"], 2) == [NO_QUEUE]
    assert choose_queues(["long", "short", "tiny"], 2) == [NO_QUEUE]
    assert choose_queues([], 1) == everything
    assert choose_queues(["long"], 1) == ["tiny"]
    assert choose_queues(["long"], 3) == everything
    assert choose_queues(["long", "long"], 3) == short


def test_a_large_hospital_waits_for_no_job_that_is_queued_later_than_it_takes_itself():
    """So much, and no more, may smaller ones overtake it, however many there are."""
    chance = random.Random(26)
    large_seconds = 1800.0
    large = compute_priority(1_795_000_000, large_seconds)
    for _ in range(2000):
        later, seconds = chance.uniform(0, 7200), chance.uniform(0, 3600)
        other = compute_priority(1_795_000_000 + later, seconds)
        if later > large_seconds:
            assert other < large, "whatever it takes, it comes behind"
        elif later == 0 and seconds < large_seconds - 1:
            assert other > large
    assert choose_queue(large_seconds) == "long"
    assert all("long" in choose_queues(["tiny"] * most, 4) for most in range(4)), "short runs keep no slot"


async def test_small_hospitals_are_taken_first_and_a_known_one_by_its_last_run(postgres_server):
    url = postgres_server.make_database()
    async with queue_at(url) as (connector, daily_jobs):
        for name, rosters in (("large", LARGE), ("unread", None), ("small", SMALL), ("known", LARGE)):
            assert await daily_jobs.queue(name, DAY, rosters)
        ended = "finished_at = now() + interval '4 seconds', exit = 0"
        query(
            url,
            f"UPDATE esign_import.daily_job SET started_at = now(), {ended} WHERE hospital IN ('known', 'large')",
        )
        query(url, "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE args->>'hospital' = 'known'")
        assert await daily_jobs.queue("known", NEXT_DAY, LARGE)
        expected = "SELECT hospital, queue_name, round(expected_seconds) FROM esign_import.daily_job"
        assert sorted(
            query(url, f"{expected} JOIN procrastinate_jobs job ON job.id = job WHERE status = 'todo'")
        ) == [
            ("known", "tiny", 4),
            ("large", "long", 982),
            ("small", "tiny", 2),
            ("unread", "long", 3600),
        ]
        taken = [(await fetch(connector)).task_kwargs["hospital"] for _ in range(4)]
        assert taken == ["small", "known", "large", "unread"]
        assert await fetch(connector) is None
        query(url, "UPDATE esign_import.daily_job SET exit = 7 WHERE hospital = 'known'")
        assert await daily_jobs.queue("known", date(2026, 11, 28), LARGE)
        assert query(
            url, f"{expected}, procrastinate_jobs job WHERE job.id = job AND day = '2026-11-28'"
        ) == [("known", "long", 982)], "a run that ended otherwise is no measure"


async def test_a_job_that_a_worker_leaves_is_taken_by_another_one_first(postgres_server):
    url = postgres_server.make_database()
    async with queue_at(url) as (connector, daily_jobs):
        first, second = (JobsForOthers(connector, 60) for _ in range(2))
        here, there = [await first.register_worker() for _ in range(2)]

        async def take_and_leave(hospital):
            assert await daily_jobs.queue(hospital, DAY, SMALL)
            job = (await first.fetch_job([*QUEUES], here)).id
            await first.leave(job)
            assert await first.fetch_job([*QUEUES], here) is None, "it is not queued again yet"
            await first.retry_job_by_id_async(job, retry_at=utcnow())
            return job

        job = await take_and_leave("east")
        for _ in range(10):
            assert await first.fetch_job([*QUEUES], here) is None
        assert await daily_jobs.queue("west", DAY, SMALL)
        other = await first.fetch_job([*QUEUES], here)
        assert other.id != job, "other jobs go on"
        await first.finish_job_by_id_async(other.id, Status.SUCCEEDED, delete_job=False)
        assert (await second.fetch_job([*QUEUES], there)).id == job

        job = await take_and_leave("north")
        query(
            url, "UPDATE procrastinate_jobs SET scheduled_at = now() - interval '61 s' WHERE status = 'todo'"
        )
        assert (await first.fetch_job([*QUEUES], here)).id == job, "the other one had its time"

        job = await take_and_leave("south")
        query(
            url,
            "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '61 s' WHERE id = %s",
            there,
        )
        assert (await first.fetch_job([*QUEUES], here)).id == job, "no other one is alive"
