"""The queue in a real PostgreSQL: its schema, one job a day, and the jobs of dead workers."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from aiohttp import ClientSession
from postgres_server import get_free_port
from procrastinate.exceptions import ConnectorException
from queue_support import fetch, query, queue_at
from server_ledger import SECRET
from wire_support import refusing_port

from pipeline.clock import SystemClock
from pipeline.config.sections import Workers
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import LedgerError, UsageError
from pipeline.hosts.daily_jobs import Hospital
from pipeline.hosts.queue import TABLES, list_migrations, open_queue
from pipeline.hosts.run_children import RunNotDone
from pipeline.hosts.slots import Rosters
from pipeline.hosts.worker import MAX_TRIES, HospitalWorker
from pipeline.hosts.worker_server import WorkerServer

DAY, NEXT_DAY = date(2026, 11, 26), date(2026, 11, 27)
D1, D2 = Rosters("d1", 1000), Rosters("d2", 2000)
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def url(postgres_server):
    return postgres_server.make_database()


def make_worker(url, **settings):
    messages = []
    worker = HospitalWorker(
        ServerAddress(url),
        SECRET,
        Workers(stalled_seconds=2, **settings),
        folder=None,
        list_hospitals=lambda: [Hospital("east", (), 400)],
        make_metrics=lambda *_: b"",
        clock=SystemClock(),
        report=lambda key, **_: messages.append(key),
    )
    return worker, messages


async def test_workers_that_start_at_once_make_the_schema_once(url):
    async def open_and_close():
        async with queue_at(url):
            pass

    await asyncio.gather(*(open_and_close() for _ in range(4)))
    assert query(url, "SELECT procrastinate FROM version") == [(list_migrations()[-1].name,)]


OBJECTS = (
    "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'esign_jobs'::regnamespace"
    " UNION SELECT format('%s.%s', relname, attname) FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"
    " WHERE relnamespace = 'esign_jobs'::regnamespace AND attnum > 0 AND NOT attisdropped ORDER BY 1"
)


async def test_the_schema_of_an_older_procrastinate_is_migrated(postgres_server, url):
    first = [path for path in list_migrations() if path.name < "03.02"]
    with psycopg.connect(url, autocommit=True, options="-c search_path=esign_jobs") as connection:
        connection.execute("CREATE SCHEMA esign_import; CREATE SCHEMA esign_jobs")
        for migration in first:
            connection.execute(migration.read_bytes())
        connection.execute(TABLES)
        connection.execute("INSERT INTO version VALUES (%s)", [first[-1].name])
    before = query(url, OBJECTS)
    async with queue_at(url) as (_, daily_jobs):
        assert await daily_jobs.queue("east", DAY, None)
    fresh = postgres_server.make_database()
    async with queue_at(fresh):
        pass
    assert before != query(url, OBJECTS) == query(fresh, OBJECTS)


async def test_the_schema_of_a_newer_procrastinate_is_refused(url):
    async with queue_at(url):
        query(url, "UPDATE version SET procrastinate = '99.00.00_01_later.sql'")
    with pytest.raises(UsageError, match=r"newer version \(procrastinate 99"):
        async with queue_at(url):
            pass


@pytest.mark.parametrize("what", ["additions", "ledger"])
async def test_tables_and_ledgers_of_a_newer_version_are_refused(url, what):
    async with queue_at(url):
        query(url, f"UPDATE version SET {what} = 99")
    with pytest.raises(UsageError, match=rf"newer version \({what} 99"):
        async with queue_at(url):
            pass


async def test_an_unreachable_server_is_reported_at_once():
    with refusing_port() as port, pytest.raises(LedgerError, match="refused"):
        async with queue_at(f"postgresql://postgres@127.0.0.1:{port}/x"):
            pass


async def test_a_query_that_the_server_cuts_off_is_repeated(url):
    async with queue_at(url) as (connector, _):
        failures = []
        connector.on_failure = failures.append
        answer = asyncio.create_task(connector.execute_query_one_async("SELECT pg_sleep(0.3), 42 AS answer"))
        cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
        while query(url, cut) == [(0,)]:  # noqa: ASYNC110 - what another process does
            await asyncio.sleep(0)
        assert (await answer)["answer"] == 42
        assert failures == []
        connector.patience = 0
        with pytest.raises(ConnectorException):
            await connector.execute_query_async("SELECT 1 FROM missing")
        assert len(failures) == 1


async def test_a_hospital_gets_one_job_a_day(url):
    async with queue_at(url) as (_, daily_jobs):
        made = await asyncio.gather(*(daily_jobs.queue("east", DAY, D1) for _ in range(5)))
        assert sorted(made) == [False] * 4 + [True]
        assert not await daily_jobs.queue("east", DAY, D2, repeat=True), "it waits in the queue"
        assert await daily_jobs.queue("west", DAY, D1)
        assert await daily_jobs.queue("east", NEXT_DAY, D1), "also where the roster is unchanged"
        query(url, "UPDATE procrastinate_jobs SET status = 'doing' WHERE id = 1")
        assert not await daily_jobs.queue("east", DAY, D2, repeat=True), "it runs"
        query(
            url,
            "UPDATE procrastinate_jobs SET status = 'todo', scheduled_at = now() + interval '1 hour' WHERE id = 1",
        )
        assert not await daily_jobs.queue("east", DAY, D2)
        assert await daily_jobs.queue("east", DAY, D2, repeat=True), "its next try begins at once"
        assert query(url, "SELECT count(*) FROM procrastinate_jobs WHERE scheduled_at IS NOT NULL") == [(0,)]
        query(url, "UPDATE procrastinate_jobs SET status = 'failed' WHERE id = 1")
        assert not await daily_jobs.queue("east", DAY, D2)
        assert await daily_jobs.queue("east", DAY, D2, repeat=True)
    assert query(url, "SELECT lock, queueing_lock, args FROM procrastinate_jobs WHERE id = 1") == [
        ("hospital:east", "east:2026-11-26", {"hospital": "east", "roster_sha256": "d1"})
    ]


async def test_a_job_begins_and_ends_on_its_day(url):
    async with queue_at(url) as (_, daily_jobs):
        await daily_jobs.queue("east", DAY, None)
        ((job,),) = query(url, "SELECT job FROM esign_import.daily_job")
        assert (await daily_jobs.start(job)).attempts == 1
        await daily_jobs.end(job, 5, is_final=False)
        begun = await daily_jobs.start(job)
        assert (begun.hospital, begun.attempts) == ("east", 2)
        await daily_jobs.end(job, 0, is_final=True)
        assert await daily_jobs.start(job) is None, (
            "a worker died between the end of the run and that of the job"
        )
        await daily_jobs.end(job, 6, is_final=True)
        assert query(url, "SELECT exit, attempts FROM esign_import.daily_job") == [(0, 2)]
        assert await daily_jobs.start(job + 1) is None


async def test_a_job_that_another_worker_has_or_whose_day_has_ended_is_left_as_it_is(url):
    async with queue_at(url) as (connector, daily_jobs):
        await daily_jobs.queue("east", DAY, None)
        job = await fetch(connector)
        ((worker,),) = query(url, "SELECT worker_id FROM procrastinate_jobs")
        assert await daily_jobs.is_of_worker(job.id, worker)
        assert not await daily_jobs.is_of_worker(job.id, worker + 1)
        await daily_jobs.end(job.id, 0, is_final=True)
        assert not await daily_jobs.is_of_worker(job.id, worker)


async def test_a_job_that_cannot_be_queued_again_is_closed(url):
    """Else it would keep its hospital locked for ever (procrastinate #1543)."""
    async with queue_at(url) as (_, daily_jobs):
        await daily_jobs.queue("east", DAY, None)
        await daily_jobs.queue("west", DAY, None)
    query(url, "UPDATE procrastinate_jobs SET status = 'doing'")  # of workers that are gone
    other = "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)"
    query(
        url,
        f"{other} SELECT queue_name, task_name, lock, queueing_lock, args FROM procrastinate_jobs WHERE id = 1",
    )
    worker, _ = make_worker(url)
    reported = []
    worker._report = lambda key, hospital: reported.append((key, hospital))
    async with open_queue(worker._connector):
        await worker._take_over_jobs()
        await worker._take_over_jobs()
    assert query(url, "SELECT id, status FROM procrastinate_jobs ORDER BY id") == [
        (1, "failed"),
        (2, "todo"),
        (3, "todo"),
    ]
    assert sorted(reported) == [("worker.closed", "east"), ("worker.taken_over", "west")]
    assert query(url, "SELECT hospital, exit FROM esign_import.daily_job WHERE finished_at IS NOT NULL") == [
        ("east", None)
    ]


async def test_a_run_is_asked_to_end_once_whatever_fails_afterwards(url):
    """Asked twice, it would end without waiting for answers; only a second signal of a person does that."""
    worker, _ = make_worker(url)
    requests = []
    worker._children.drain = lambda: requests.append("drain")
    for _ in range(3):
        worker._fail(ConnectorException())
    assert requests == ["drain"]
    worker._stop_by_signal()
    assert requests == ["drain"] * 2


async def test_a_worker_whose_database_is_silent_for_too_long_is_not_healthy(url):
    worker, _ = make_worker(url, listen="9187")
    async with open_queue(worker._connector):
        assert worker._describe_health()["status"] == "ok"
        worker._connector.answered_at -= 3
        assert worker._describe_health()["status"] == "database_silent"
        await worker._jobs.register_worker()
        assert worker._describe_health()["status"] == "ok"


async def test_health_and_metrics_have_the_status_of_what_they_answer():
    async def raise_error():
        raise errors.pop()

    health = {"status": "database_silent"}
    errors = [LedgerError("ledger.server_old", server="db", needed=13), UsageError("notify.no_apprise")]
    port = get_free_port()
    server = WorkerServer("127.0.0.1", port, describe_health=lambda: health, make_metrics=raise_error)
    async with server.serve(), ClientSession(f"http://127.0.0.1:{port}") as client:
        statuses = [(await client.get(path)).status for path in ("/health", "/metrics", "/metrics", "/other")]
        health["status"] = "stopping"
        statuses.append((await client.get("/health")).status)
    assert statuses == [503, 501, 503, 404, 200]


async def test_a_job_that_ends_every_worker_is_not_tried_for_ever(url):
    async with queue_at(url) as (_, daily_jobs):
        await daily_jobs.queue("east", DAY, None)
    query(url, "UPDATE esign_import.daily_job SET attempts = %s", MAX_TRIES)
    worker, messages = make_worker(url)
    async with open_queue(worker._connector):
        with pytest.raises(RunNotDone) as ended:
            await worker._run_daily_job(1)
    assert ended.value.retry_in is None
    assert messages == ["worker.too_often"]
    assert query(url, "SELECT finished_at IS NOT NULL FROM esign_import.daily_job") == [(True,)]


async def test_a_job_that_this_worker_has_lost_is_queued_again(url):
    """The answer to a fetch may be lost: then the job is said to run here, and nothing runs."""
    async with queue_at(url) as (_, daily_jobs):
        await daily_jobs.queue("east", DAY, None)
        await daily_jobs.queue("west", DAY, None)
    worker, messages = make_worker(url)
    async with open_queue(worker._connector):
        worker._worker.worker_id = await worker._jobs.register_worker()
        query(url, "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", worker._worker.worker_id)
        worker._running[2] = "west"
        await worker._take_over_jobs()
        assert messages == [], "it may just have been fetched"
        await worker._take_over_jobs()
    assert query(url, "SELECT id, status FROM procrastinate_jobs ORDER BY id") == [(1, "todo"), (2, "doing")]


async def test_old_jobs_and_days_are_deleted(url):
    async with queue_at(url) as (_, daily_jobs):
        for hospital in ("east", "gone"):
            await daily_jobs.queue(hospital, DAY, None)
    query(url, "UPDATE procrastinate_jobs SET status = 'failed'")
    query(url, "UPDATE procrastinate_events SET at = at - interval '40 days' WHERE job_id = 1")
    row = "INSERT INTO esign_import.daily_job (hospital, day)"
    for hospital, age in (
        ("east", 399),
        ("east", 401),
        ("gone", 399),
        ("gone", 401),
        ("short", 20),
        ("short", 10),
    ):
        query(url, f"{row} VALUES (%s, current_date - %s::integer)", hospital, age)
    worker, _ = make_worker(url)
    worker._list_hospitals = lambda: [Hospital("east", (), 400), Hospital("short", (), 14)]
    async with open_queue(worker._connector):
        await worker._delete_old()
    assert query(url, "SELECT id FROM procrastinate_jobs") == [(2,)]
    assert query(url, "SELECT count(*) FROM procrastinate_events WHERE job_id = 1") == [(0,)]
    ages = query(
        url,
        f"SELECT hospital, current_date - day FROM esign_import.daily_job WHERE day <> '{DAY}' ORDER BY 1, 2",
    )
    assert ages == [("east", 399), ("gone", 399), ("short", 10)]


async def test_a_day_that_was_missed_is_made_up_once_and_no_hospital_begins_by_itself(url):
    async with queue_at(url) as (_, daily_jobs):
        await daily_jobs.queue("east", date(2020, 1, 1), None)  # the last time that a worker was there
    for _ in range(2):
        worker, messages = make_worker(
            url, start=f"{datetime.now(UTC).astimezone() - timedelta(hours=6):%H:%M}"
        )
        worker._list_hospitals = lambda: [Hospital("east", (), 400), Hospital("new", (), 400)]
        async with open_queue(worker._connector):
            await worker._queue_day()
            await worker._queue_day()
        assert messages.count("worker.new") == 1
    assert query(url, "SELECT hospital, count(*) FROM esign_import.daily_job GROUP BY 1") == [("east", 2)]
    assert query(url, "SELECT count(*) FROM procrastinate_jobs") == [(2,)]
