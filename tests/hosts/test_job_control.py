"""Jobs that are cancelled, kept in the queue and let go again, in a real PostgreSQL."""

from datetime import date

import pytest
from procrastinate.jobs import Status
from queue_support import fetch, query, queue_at

from pipeline.hosts.job_control import HELD_UNTIL, CancelledJob, HospitalPaused, JobControl, release_jobs
from pipeline.hosts.run_children import RetryAfterRun

DAY, NEXT_DAY = date(2026, 11, 26), date(2026, 11, 27)
JOBS = "SELECT status, cancelled_by, finished_at IS NOT NULL FROM procrastinate_jobs JOIN esign_import.daily_job ON job = id"


@pytest.fixture
def url(postgres_server):
    return postgres_server.make_database()


async def test_a_queued_job_is_cancelled_and_can_be_queued_again(url):
    async with queue_at(url) as (connector, daily_jobs):
        control = JobControl(connector, "amy@host")
        assert await control.cancel("east") == []
        await daily_jobs.queue("east", DAY, None)
        await daily_jobs.queue("west", DAY, None)
        assert await control.cancel("east") == [CancelledJob(DAY, "queued")]
        assert await control.cancel("east") == []
        assert (await fetch(connector)).task_kwargs["hospital"] == "west"
        assert await fetch(connector) is None
        assert not await daily_jobs.queue("east", DAY, None), "not again today by itself"
        assert query(url, f"{JOBS} WHERE hospital = 'east'") == [("cancelled", "amy@host", True)]
        assert await daily_jobs.queue("east", DAY, None, repeat=True)
        job = await fetch(connector)
        assert (await daily_jobs.start(job.id)).hospital == "east"
        assert query(url, f"{JOBS} WHERE hospital = 'east'") == [("doing", None, False)]


async def test_a_running_job_is_noted_for_its_worker_and_one_that_is_about_to_begin_does_not(url):
    async with queue_at(url) as (connector, daily_jobs):
        await daily_jobs.queue("east", DAY, None)
        job = await fetch(connector)
        for by in ("amy@host", "ben@host"):
            assert await JobControl(connector, by).cancel("east") == [CancelledJob(DAY, "running")]
        assert await daily_jobs.list_cancelled([job.id, 99]) == {job.id}
        assert query(url, JOBS) == [("doing", "amy@host", False)]
        assert await daily_jobs.start(job.id) is None
        assert query(url, JOBS) == [("doing", "amy@host", True)]


async def test_a_paused_hospital_keeps_its_jobs_in_the_queue(url):
    async with queue_at(url) as (connector, daily_jobs):
        control = JobControl(connector, "amy@host")
        await daily_jobs.queue("east", DAY, None)
        assert [await control.pause("east") for _ in range(2)] == [True, False]
        assert await daily_jobs.list_paused() == {"east"}
        assert await fetch(connector) is None
        assert not await daily_jobs.queue("east", DAY, None, repeat=True), "it is in the queue already"
        assert await daily_jobs.queue("east", NEXT_DAY, None), "the next day comes behind it"
        assert await fetch(connector) is None
        query(url, "UPDATE esign_import.daily_job SET enqueued_at = now() - interval '9 hours'")
        assert [await control.resume("east") for _ in range(2)] == [1, None]
        job = await fetch(connector)
        begun = await daily_jobs.start(job.id)
        assert begun.age < 60, "the hours in which it is tried again begin anew"
        assert await fetch(connector) is None
        days = "SELECT day, status, finished_at IS NOT NULL FROM procrastinate_jobs JOIN esign_import.daily_job ON job = id"
        assert query(url, f"{days} ORDER BY day") == [(DAY, "cancelled", True), (NEXT_DAY, "doing", False)]


async def test_a_job_that_was_fetched_when_its_hospital_was_paused_goes_back(url):
    """If the hospital is resumed before the job is back, it is let go later."""
    async with queue_at(url) as (connector, daily_jobs):
        control = JobControl(connector, "amy@host")
        await daily_jobs.queue("east", DAY, None)
        job = await fetch(connector)
        await control.pause("east")
        with pytest.raises(HospitalPaused) as paused:
            await daily_jobs.start(job.id)
        await control.resume("east")
        decision = RetryAfterRun().get_retry_decision(exception=paused.value, job=job)
        await daily_jobs._app.job_manager.retry_job(job, retry_at=decision.retry_at)
        assert query(url, "SELECT status, scheduled_at FROM procrastinate_jobs") == [
            (Status.TODO.value, HELD_UNTIL)
        ]
        assert await fetch(connector) is None
        async with connector.transaction() as connection:
            await release_jobs(connection)
        assert (await fetch(connector)).id == job.id
        assert (await daily_jobs.start(job.id)).attempts == 1
