"""Workers in processes of their own, a real PostgreSQL between them, runs as their children against the sandbox."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from urllib.request import urlopen

import psutil
import psycopg
import pytest
from people import make_row, name, number
from postgres_server import get_free_port, run_server
from run_support import draw_seal, wait_until
from server_ledger import SECRET
from watch_support import Watcher

from pipeline.sandbox.gateway import CREATE, SANDBOX
from pipeline.version import __version__

HOSPITALS = ("east", "north", "west")
TENANTS = tuple(
    replace(SANDBOX, organization_open_id=f"org_{hospital}", operator_open_id=f"operator_{hospital}")
    for hospital in HOSPITALS
)
REPOSITORY = Path(__file__).parents[2]
LONG_RUN = 200  # doctors of a run that is still sending when a busy machine has started another one
slow = pytest.mark.skipif(
    os.environ.get("HOSTS") != "1", reason="HOSTS=1: waits for dead workers and servers"
)


class Group:
    """Hospitals in one folder, their ledgers and the queue in one database, and the workers that a test starts."""

    def __init__(self, hospital, url, hospitals):
        self.folder, self.service, self.write_roster = hospital.folder, hospital.service, hospital.roster
        self.command, self.go, self.sandbox = hospital.command, hospital.go, hospital.sandbox._sandbox
        self.url, self.workers, self.connection = url, [], None
        hospital.config = ""
        (self.folder / "config.yaml").unlink()
        for hospital_name in hospitals:
            self.add_hospital(hospital_name)
        start = f"{datetime.now().astimezone():%H:%M}"
        (self.folder / "secrets" / "ledger__secret").write_text(SECRET)
        (self.folder / "secrets" / "ledger__secret").chmod(0o600)
        (self.folder / "common.yaml").write_text(
            f"api: {{endpoint: {hospital.sandbox.url}, app_id: {SANDBOX.app_id}, timeout_seconds: 3}}\n"
            f"limits: {{requests_per_second: 1000, concurrency: 8}}\nsecrets_dir: ../secrets\nledger: {url}\n"
            f"workers: {{start: '{start}', stalled_seconds: 2, retry_seconds: 0.3}}\n"
            "marked_copies: false\n"
        )

    def add_hospital(self, hospital):
        (self.folder / hospital).mkdir()
        ids = f"{{organization_open_id: org_{hospital}, operator_open_id: operator_{hospital}}}"
        (self.folder / hospital / "config.yaml").write_text(f"api: {ids}\n")

    def add_doctors(self, hospital, serials):
        folder = self.folder / hospital
        for kind in ("seals", "inbox"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        self.write_roster([make_row(serial) for serial in serials])
        (self.folder / "inbox" / "roster.xlsx").rename(folder / "inbox" / "roster.xlsx")
        for serial in serials:
            draw_seal(folder / "seals" / f"{serial:05d}.png", serial)

    def start_worker(self, *options, **settings):
        """Start a worker; ``settings`` are its own in place of those of config.yaml."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        variables = {f"ESIGN_IMPORT_WORKERS__{name.upper()}": str(value) for name, value in settings.items()}
        with log.open("wb") as stream:
            worker = subprocess.Popen(
                [sys.executable, "-m", "pipeline", *self.command(*options, "worker")],
                stdout=stream,
                stderr=stream,
                cwd=REPOSITORY,
                env={**os.environ, **variables},
            )
        worker.read_log = log.read_text
        self.workers.append(worker)
        return worker

    def query(self, text):
        if self.connection is None:  # one for the whole test: it asks again and again
            self.connection = psycopg.connect(self.url, autocommit=True, options="-c search_path=esign_jobs")
        return self.connection.execute(text).fetchall()

    def disconnect(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def list_days(self):
        """Return the hospitals whose day has ended, with the exit code and the tries."""
        day = "SELECT hospital, exit, attempts FROM esign_import.daily_job WHERE finished_at IS NOT NULL ORDER BY 1"
        try:
            return self.query(day)
        except psycopg.errors.UndefinedTable:
            return []

    def count_creates(self):
        return sum(call.action == CREATE for call in self.service.received)


def list_runs_of_worker(worker):
    return psutil.Process(worker.pid).children()


@pytest.fixture
def group_with(hospital_with, postgres_server):
    """Make a group of hospitals; what its workers leave is killed."""
    groups = []

    def make(*hospitals, url=None, **manners):
        hospital = hospital_with(tenants=TENANTS, **manners)
        groups.append(Group(hospital, url or postgres_server.make_database(), hospitals))
        return groups[-1]

    yield make
    for group in groups:
        group.disconnect()
    for worker in (worker for group in groups for worker in group.workers):
        if worker.poll() is None:
            for process in [*list_runs_of_worker(worker), worker]:
                process.kill()
            worker.wait()


def start_slow_run(group_with, *, doctors=60, latency=0.4, settings=None, **manners):
    """Start a worker whose only run takes some seconds; return the group and the worker once the run is sending."""
    group = group_with("east", latency=latency, **manners)
    group.add_doctors("east", range(1, doctors + 1))
    worker = group.start_worker(**(settings or ({"stalled_seconds": 60} if "url" in manners else {})))
    wait_until(lambda: group.count_creates() >= 5)
    return group, worker


def test_two_workers_share_the_hospitals_and_one_of_them_sends_the_alarm_over_all(group_with):
    """The organization of one hospital is unknown to the service: its run fails."""
    group = group_with("east", "unknown", latency=0.5)
    group.add_doctors("east", range(1, 4))
    group.add_doctors("unknown", [11])
    assert group.go("hosts", "pause", "--all") == 0
    with Watcher() as watcher:
        (group.folder / "secrets" / "workers__alarm_urls").write_text(f"json://{watcher.host}/chat\n")
        (group.folder / "secrets" / "workers__alarm_urls").chmod(0o600)
        workers = [group.start_worker(stalled_seconds=6, processes=1) for _ in range(2)]
        wait_until(lambda: all("The worker has started" in worker.read_log() for worker in workers))
        wait_until(lambda: len(group.query("SELECT FROM procrastinate_jobs")) == 2)
        assert group.go("hosts", "resume", "--all") == 0
        wait_until(lambda: len(group.list_days()) == 2)
        wait_until(lambda: group.query("SELECT FROM alarm WHERE state LIKE '%unknown%'"))
        looks = set()
        wait_until(lambda: looks.update(group.query("SELECT xmin FROM alarm")) or len(looks) == 4)
        ((_, title, body),) = watcher.messages
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert group.list_days() == [("east", 0, 1), ("unknown", 4, 1)]
    assert group.count_creates() == 3
    assert all("run begins" in worker.read_log() for worker in workers), "each had its share"
    assert "need attention" in title
    assert "unknown: the last run failed (exit code 4)" in body
    assert "east" not in body
    arguments = group.query("SELECT args FROM procrastinate_jobs")
    assert all(given.keys() == {"hospital", "roster_sha256"} for (given,) in arguments)
    assert {len(given["roster_sha256"]) for (given,) in arguments} == {64}
    tables = group.query(
        "SELECT string_agg(job::text || daily_job::text, '') FROM procrastinate_jobs job, esign_import.daily_job"
    )
    assert not any(word in str(tables) for serial in range(1, 14) for word in (number(serial), name(serial)))
    for worker in workers:
        ((hospital, text),) = re.findall(
            r"(east|unknown): The ledger is on a server, but (.+)", worker.read_log()
        )
        folder = group.folder / hospital / "out" / ".ledger"
        assert text.startswith(f"the journal folder {folder} lies on a local disk of host"), "named once"
    start = rf"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d {re.escape(socket.gethostname())} (The worker has|east: |unknown: )"
    for worker in workers:
        assert all(re.match(start, line) for line in worker.read_log().splitlines())


def read_page(port, path):
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return answer.read().decode()


def test_a_run_is_cancelled_and_its_hospital_paused_and_resumed(group_with, capsys, monkeypatch):
    """Health, metrics and each line of the worker show it; it ends once a newer version has come to the database."""
    port = get_free_port()
    group = group_with("east", latency=0.8)
    group.add_doctors("east", range(1, 31))
    monkeypatch.setenv("ESIGN_IMPORT_LIMITS__CONCURRENCY", "4")  # the run lasts until it is cancelled
    worker = group.start_worker("--json", stalled_seconds=6, listen=port)
    wait_until(lambda: group.count_creates() >= 2)
    assert group.go("hosts", "status") == 0
    output = capsys.readouterr().out
    assert f"(process {worker.pid}, version {__version__}): 1 of 2 runs" in output
    assert f"east: running on {socket.gethostname()} since" in output
    assert "east: the run 20" in output
    assert "Quota of ChannelCreatePreparedPersonalEsign:" in output
    assert group.go("--json", "hosts", "status") == 0
    shown = json.loads(capsys.readouterr().out)
    (run,) = list_runs_of_worker(worker)
    assert [(ledger["hospital"], ledger["pid"]) for ledger in shown["ledgers"]] == [("east", run.pid)]
    assert [(job["hospital"], job["state"]) for job in shown["jobs"]] == [("east", "running")]
    assert all(quota["slots"] > 0 for quota in shown["quotas"])
    health = json.loads(read_page(port, "/health"))
    assert health.items() >= {"status": "ok", "running": 1, "version": __version__}.items()
    (group.folder / "east" / "config.yaml").rename(group.folder / "away.yaml")  # as when the share is away
    metrics = read_page(port, "/metrics")
    (group.folder / "away.yaml").rename(group.folder / "east" / "config.yaml")
    for line in (
        "esign_import_worker_runs 1.0",
        "esign_import_worker_slots 2.0",
        "esign_import_workers_alive 1.0",
        'esign_import_jobs{state="running"} 1.0',
        'esign_import_quota_limit_per_second{action="ChannelCreatePreparedPersonalEsign"} 1000.0',
    ):
        assert line in metrics.splitlines()
    assert 'esign_import_hold_silent_seconds{hospital="east"} ' in metrics
    assert group.go("hosts", "cancel", "east") == 0
    assert "the run ends after the requests in progress" in capsys.readouterr().out
    wait_until(group.list_days)
    assert group.list_days() == [("east", 143, 1)]
    assert group.count_creates() < 30
    group.sandbox.latency = 0.0
    wait_until(lambda: '"worker.cancelled"' in worker.read_log())
    wait_until(lambda: group.query("SELECT status FROM procrastinate_jobs") != [("doing",)])
    assert group.query("SELECT status FROM procrastinate_jobs") == [("failed",)], "it is not tried again"
    for words in (("hosts", "cancel", "east"), ("hosts", "pause", "east"), ("enqueue", "east")):
        assert group.go(*words) == 0
    output = capsys.readouterr().out
    assert "no job is queued or running" in output
    assert "its job stays in the queue" in output
    assert group.query("SELECT status FROM procrastinate_jobs ORDER BY id") == [("failed",), ("todo",)]
    assert group.go("hosts", "resume", "east") == 0
    assert "resumed; its queued job is run" in capsys.readouterr().out
    wait_until(group.list_days)
    assert group.list_days() == [("east", 0, 1)]
    assert group.count_creates() == 30
    assert group.service.list_duplicates() == {}
    metrics = read_page(port, "/metrics")
    assert 'esign_import_hospital_last_exit_code{hospital="east"} 0.0' in metrics
    assert 'esign_import_hospital_last_success_timestamp_seconds{hospital="east"} ' in metrics
    assert name(1) not in metrics
    monkeypatch.setenv("ESIGN_IMPORT_WORKERS__LISTEN", str(port))
    assert group.go("worker") == 2
    assert "choose another port in workers.listen" in capsys.readouterr().err
    # its run of a newer ledger would end with 74, and be tried again for hours
    group.query("UPDATE version SET ledger = 99 RETURNING ledger")
    assert worker.wait(60) == 2
    log = worker.read_log()
    assert "newer version (ledger 99" in log
    lines = [json.loads(line) for line in log[: log.index('{"schema"')].splitlines()]
    assert {line["host"] for line in lines} == {socket.gethostname()}
    assert all(datetime.fromisoformat(line["time"]).tzinfo for line in lines)
    assert [line["event"].removeprefix("worker.") for line in lines if line["hospital"]] == [
        "unshared",
        "queued",
        "run",
        "cancelling",
        "cancelled",
        "run",
        "ended",
    ]


def test_what_is_resumed_without_a_job_leads_to_enqueue(group_with, capsys):
    """No message reports a run that no job asks for."""
    group = group_with(*HOSPITALS)

    def type_words(*words):
        assert group.go("hosts", *words) == 0
        stdout_text, stderr_text = capsys.readouterr()
        return stdout_text, stderr_text.rstrip().splitlines()[-1]

    type_words("pause", "east", "west")
    assert group.go("enqueue", "west") == 0
    capsys.readouterr()
    resumed, last = type_words("resume", "--all")
    assert resumed.splitlines() == [
        "east: resumed; no job is queued now, so it is run at the next start",
        "north: is not paused",
        "west: resumed; its queued job is run",
    ]
    assert last.endswith(" enqueue east")
    resumed, last = type_words("resume", "east")
    assert resumed == "east: is not paused\n"
    assert last.endswith(" hosts status")


def test_a_run_shows_its_progress_while_it_sends(hospital_with, zygote, tmp_path):
    """By the time of the file that its worker names."""
    hospital = hospital_with(latency=0.2)
    hospital.doctors(12)
    progress = tmp_path / "progress"
    progress.touch()
    moments = set()

    def note_progress():
        if 0 < len(hospital.service.received) < 24:
            moments.add(progress.stat().st_mtime_ns)
        return len(hospital.service.seals) == 12

    run = zygote.start(hospital, "run", "--yes", ESIGN_RUN_PROGRESS=str(progress))
    wait_until(note_progress)
    assert run.wait() == 0
    assert len(moments) > 3, "answers and commits"


@slow
def test_large_hospitals_leave_a_slot_of_the_worker_to_small_ones(group_with):
    group = group_with(*HOSPITALS, latency=0.4)
    for index, (hospital, doctors) in enumerate((("east", 30), ("north", 30), ("west", 3))):
        group.add_doctors(hospital, range(index * 100 + 1, index * 100 + 1 + doctors))
    assert group.go("enqueue", "east", "north") == 0
    with psycopg.connect(group.url, autocommit=True) as connection:
        connection.execute("UPDATE esign_jobs.procrastinate_jobs SET queue_name = 'long'")
    group.start_worker(processes=2)  # it queues the small one, behind both
    wait_until(lambda: len(group.list_days()) == 3)
    times = group.query("SELECT started_at, finished_at FROM esign_import.daily_job ORDER BY hospital")
    *large, small = times
    first, second = sorted(large)
    assert first[1] <= second[0], "never both at once"
    assert small[0] < second[0], "it had the slot that is kept"


@slow
def test_a_run_that_stands_still_is_killed_and_another_worker_continues_it(group_with):
    settings = {"progress_limit": "20s", "stalled_seconds": 9}  # a busy machine starts a run in ten seconds
    group, first = start_slow_run(group_with, latency=0.8, settings=settings)
    (run,) = list_runs_of_worker(first)
    run.send_signal(signal.SIGSTOP)
    second = group.start_worker(**settings)
    wait_until(group.list_days)
    ((_, exit_code, attempts),) = group.list_days()
    assert (exit_code in {0, 3}, attempts) == (True, 2)
    log = first.read_log()
    assert "no progress for 0.333 minutes" in log
    assert "does not end; killed" in log
    assert "run begins (try 2)" in second.read_log()
    assert group.service.list_duplicates() == {}


@slow
def test_the_job_of_a_dead_host_is_taken_over(group_with):
    """Worker and run are killed at once; what was in flight is unknown, and nothing is created twice."""
    group, first = start_slow_run(group_with, doctors=24)
    for process in [first, *list_runs_of_worker(first)]:
        process.kill()
    first.wait()
    second = group.start_worker()
    wait_until(group.list_days)
    ((hospital, exit_code, attempts),) = group.list_days()
    assert (hospital, attempts) == ("east", 2)
    assert exit_code in {0, 3}
    assert group.service.list_duplicates() == {}
    # up to 8 attempts were in the ledger when the run was killed, some of them perhaps not sent yet
    assert 24 - 8 <= group.count_creates() <= 24
    assert "east: its worker is gone; queued again" in second.read_log()


@slow
def test_a_run_that_outlives_its_worker_is_left_alone(group_with):
    group, first = start_slow_run(group_with, doctors=LONG_RUN, latency=0.8)
    first.kill()
    first.wait()
    second = group.start_worker()
    wait_until(group.list_days)
    ((_, exit_code, attempts),) = group.list_days()
    assert exit_code == 0
    assert attempts >= 3
    assert "exit code 6; next try" in second.read_log()
    assert group.service.list_duplicates() == {}
    assert group.count_creates() == LONG_RUN


@slow
def test_a_worker_that_stands_still_for_longer_than_it_may(group_with):
    """Its job is given to another worker while its run goes on: the ledger lets only one run send."""
    group, first = start_slow_run(group_with, doctors=LONG_RUN, latency=0.8)
    first.send_signal(signal.SIGSTOP)
    second = group.start_worker(retry_seconds=600)
    wait_until(lambda: "exit code 6" in second.read_log())
    first.send_signal(signal.SIGCONT)
    wait_until(group.list_days)
    assert group.list_days() == [("east", 0, 2)], "the run of the first worker came to its end"
    wait_until(lambda: group.query("SELECT status FROM procrastinate_jobs") == [("succeeded",)])
    assert group.service.list_duplicates() == {}
    assert group.count_creates() == LONG_RUN
    for worker in (first, second):
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0


@slow
def test_a_host_that_was_stopped_while_another_did_its_job_publishes_and_repeats_nothing(group_with):
    group, first = start_slow_run(group_with, latency=0.8)
    frozen = [first, *list_runs_of_worker(first)]
    for process in frozen:
        process.send_signal(signal.SIGSTOP)
    wait_until(
        lambda: group.query(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE application_name = 'esign-import writer' AND datname = current_database()"
        )
    )
    second = group.start_worker()
    wait_until(group.list_days)
    latest = group.folder / "east" / "out" / "latest" / "run.json"
    published = latest.read_bytes()
    for process in reversed(frozen):
        process.send_signal(signal.SIGCONT)
    wait_until(lambda: "another host has the hospital" in first.read_log())
    assert latest.read_bytes() == published
    assert "next try" not in first.read_log()
    assert group.query("SELECT status FROM procrastinate_jobs") == [("succeeded",)]
    assert group.service.list_duplicates() == {}
    for worker in (first, second):
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0


@slow
def test_a_worker_that_is_stopped_drains_its_run_and_another_continues_it(group_with):
    group, first = start_slow_run(group_with, latency=0.8)
    first.send_signal(signal.SIGTERM)
    assert first.wait(20) == 0
    assert "the run has drained" in first.read_log()
    assert group.count_creates() < 60
    group.start_worker()
    wait_until(group.list_days, 60)
    assert group.list_days() == [("east", 0, 2)]
    assert group.count_creates() == 60


@slow
def test_a_server_that_is_away_for_seconds_or_for_longer(group_with):
    with run_server() as server:
        group, worker = start_slow_run(group_with, url=server.make_database())
        server.kill()
        group.disconnect()
        server.start()
        wait_until(group.list_days)
        assert group.list_days() == [("east", 0, 1)], worker.read_log()
        assert worker.poll() is None
        server.kill()
        assert worker.wait(120) == 74
