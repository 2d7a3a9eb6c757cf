"""What `hosts status` reads from the database: jobs in every state, workers, ledgers in use."""

from datetime import date

import pytest
from postgres_server import run_server
from queue_support import fetch, query, queue_at
from server_ledger import TENANT, open_for_writing

from pipeline.domain.server_address import ServerAddress
from pipeline.errors import LedgerError
from pipeline.hosts.job_control import JobControl
from pipeline.hosts.overview import read_overview

DAY = date(2026, 11, 26)
HOSPITALS = ("east", "north", "south", "west", "centre", "harbour")
ENTER_WORKERS = (
    "INSERT INTO hospital_worker (id, host, pid, version, processes, stalled_seconds)"
    " SELECT id, 'host' || id, 4711, '1.0.0', 2, 90 FROM procrastinate_workers"
)


@pytest.fixture
def url(postgres_server):
    return postgres_server.make_database()


async def begin_next_job(connector, daily_jobs):
    job = await fetch(connector)
    await daily_jobs.start(job.id)
    return job


async def test_every_job_that_has_not_ended_has_a_state(url):
    async with queue_at(url) as (connector, daily_jobs):
        for hospital in HOSPITALS:
            await daily_jobs.queue(hospital, DAY, None)
        for _ in range(4):
            job = await begin_next_job(connector, daily_jobs)
        await daily_jobs.end(job.id, 74, is_final=False)
        query(
            url,
            "UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL, scheduled_at = now() + interval '9 minutes'"
            " WHERE id = %s",
            job.id,
        )
        query(url, ENTER_WORKERS)
        query(url, "DELETE FROM procrastinate_workers WHERE id = 3")
        control = JobControl(connector, "amy@host")
        await control.cancel("north")
        await control.pause("harbour")
        await control.pause("elsewhere")
        overview = await read_overview(connector)
    shown = {job.hospital: (job.state, job.host, job.attempts, job.exit) for job in overview.jobs}
    assert shown == {
        "east": ("running", "host1", 1, None),
        "north": ("ending", "host2", 1, None),
        "south": ("running", None, 1, None),
        "west": ("waiting", None, 1, 74),
        "centre": ("queued", None, 0, None),
        "harbour": ("paused", None, 0, None),
    }
    waiting = next(job for job in overview.jobs if job.state == "waiting")
    assert waiting.next_try - waiting.since == pytest.approx(540, abs=60)
    assert [job.hospital for job in overview.jobs if job.next_try is not None] == ["west"]
    assert [(paused.hospital, paused.by) for paused in overview.paused] == [
        ("elsewhere", "amy@host"),
        ("harbour", "amy@host"),
    ]


async def test_a_worker_is_alive_until_it_was_silent_for_too_long(url):
    async with queue_at(url) as (connector, daily_jobs):
        assert not (await read_overview(connector)).has_worker
        await daily_jobs.queue("east", DAY, None)
        await begin_next_job(connector, daily_jobs)
        await fetch(connector)
        query(url, ENTER_WORKERS)
        query(url, "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '91 s' WHERE id = 2")
        busy, silent = (await read_overview(connector)).workers
        assert (busy.host, busy.running, busy.processes, busy.is_alive) == ("host1", 1, 2, True)
        assert (silent.host, silent.running, silent.is_alive) == ("host2", 0, False)
        assert silent.silent_seconds >= 91
        query(url, "DELETE FROM procrastinate_workers WHERE id = 1")
        assert not (await read_overview(connector)).has_worker


@pytest.mark.server
async def test_a_server_that_goes_away_meanwhile_is_named():
    async def read_after(server):
        async with queue_at(server.make_database()) as (connector, _):
            connector.patience = 0
            server.kill()
            await read_overview(connector)

    with run_server() as server, pytest.raises(LedgerError, match=f"127.0.0.1:{server.port}"):
        await read_after(server)


async def test_a_ledger_is_in_use_while_a_process_holds_it(url):
    async with queue_at(url) as (connector, _):
        with open_for_writing(ServerAddress(url), run="20261126-010000-000"):
            (ledger,) = (await read_overview(connector)).ledgers
            assert (ledger.tenant, ledger.run) == (TENANT, "20261126-010000-000")
            assert 0 <= ledger.silent_seconds < 60
        assert (await read_overview(connector)).ledgers == []
