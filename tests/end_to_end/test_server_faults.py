"""Runs of several hosts whose processes, connections and server fail: nothing twice, nothing lost, and the next run goes on.

The eleven traps of a ledger and a queue on PostgreSQL, and the tests that hold them:

1. a blocked loop loses the heartbeat: tests/hosts, tests/end_to_end/test_workers.py (the run is a child process)
2. a lock stops no process that had it: test_a_stopped_run_…, test_a_partitioned_run_… here; tests/ledger/test_server_hold.py
3. a job that cannot be queued again is closed: tests/hosts/test_queue.py
4. a missed period is made up once: tests/hosts/test_queue.py
5. a worker while the server is away: tests/end_to_end/test_workers.py; a run: test_a_server_that_crashes_… here
6. Windows has no child pipes in psycopg's event loop: tests/hosts (children are started by subprocess)
7. a pooler is refused: tests/hosts/test_queue.py
8. one clock, pushed for all: tests/hosts/test_shared_rate_limiter.py; lost commits: tests/ledger/test_server_hold.py
   (synchronous_commit, fsync, standby, older copy), tests/ledger/test_server_commits.py (in the middle of a run)
9. a small hospital beside a large one: tests/hosts/test_shared_rate_limiter.py
10. no identity number in a job: tests/hosts/test_queue.py
11. old jobs are deleted: tests/hosts/test_queue.py
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from crash_support import (
    Zygote,
    ask_server_ledger,
    check_after,
    creates,
    ledger_seals,
    outcomes,
)
from postgres_server import run_server
from run_support import wait_until
from server_wire import ServerWire
from storm_support import Storm, end_silent_sessions, list_statuses, make_hospitals, use_server

from pipeline.ledger.tables import MADE_NAMES
from pipeline.sandbox.actions import Rules

LONG = bool(os.environ.get("HOSTS"))  # make hosts
_TRIES_OF_SILENCE = 500
CHAOS = os.environ.get("CHAOS")  # minutes: make chaos
ROWS = 3
IN_FLIGHT = 2
ANSWERED = "ChannelCreatePreparedPersonalEsign: answered"
_TABLES = ("event", "journal", "file_stat", "auto_sign", *MADE_NAMES)


@pytest.fixture
def hospital(hospital_with, postgres_server):
    """A hospital whose ledger lies in a database of its own; its sandbox enforces no seal names."""
    hospital = hospital_with(latency=0.05, rules=Rules(limiter="none", unique_names="off"))
    use_server(hospital, postgres_server.make_database())
    return hospital


@contextmanager
def started(hospital, *arguments: str):
    """Run a process of its own; it is ended with the test."""
    process = hospital.start(*arguments)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def check_evidence(hospital, *, unknown: int) -> None:
    """Assert that no seal is double, every one is in the ledger or on an unknown attempt, and the journals are whole."""
    assert hospital.service.list_duplicates() == {}
    made = {seal.seal_id for seal in hospital.service.seals}
    live = {
        seal_id
        for (seal_id,) in ask_server_ledger(hospital, "SELECT seal_id FROM attempt WHERE state = 'sealed'")
    }
    held = ask_server_ledger(hospital, "SELECT uuid FROM attempt WHERE state IN ('open', 'unknown')")
    assert live <= made
    assert len(made - live) <= len(held) <= unknown
    assert hospital.go("ledger", "check") == 0


# -- kill -9 of the run


def fresh(hospital) -> None:
    """Forget everything that was sent and written; the tables of the ledger stay, empty."""
    for folder in (hospital.folder / "state", hospital.folder / "out", Path(os.environ["XDG_STATE_HOME"])):
        shutil.rmtree(folder, ignore_errors=True)
    ask_server_ledger(hospital, "; ".join(f"DELETE FROM {table}" for table in _TABLES))
    hospital.service.reset()


@pytest.mark.parametrize(
    ("command", "statement"),
    [
        ("enqueue", b"INSERT INTO esign_import.daily_job"),
        ("hosts cancel", b"UPDATE esign_import.daily_job SET cancelled_at"),
        ("hosts pause", b"INSERT INTO esign_import.paused_hospital"),
        ("hosts resume", b"DELETE FROM esign_import.paused_hospital"),
    ],
)
def test_a_server_that_goes_away_during_a_command_is_named(
    hospital, postgres_server, capsys, command, statement
):
    with ServerWire(postgres_server.port) as wire:
        database = postgres_server.make_database().rpartition("/")[2]
        use_server(hospital, postgres_server.make_url(database, port=wire.own_port))
        assert hospital.go("hosts", "pause") == 0
        wire.strike = lambda link, piece: link.cut() if statement in piece else True
        assert hospital.go(*command.split()) == 74
        error = capsys.readouterr().err
        assert (
            f"The ledger on postgresql://postgres@127.0.0.1:{wire.own_port}/{database} cannot be used"
            in error
        )
        wire.strike = None
        assert hospital.go(*command.split()) == 0, "it may be typed again"


def test_a_kill_at_every_point_and_the_next_run_goes_on_at_once(hospital):
    """Nothing waits: the lock has ended with the connection of the dead process."""
    hospital.doctors(ROWS)
    with Zygote() as zygote:
        points = zygote.run(hospital)["points"]
        passed, positions = Counter(), []
        for point in points:
            passed[point] += 1
            positions.append((point, passed[point]))
        if not LONG:
            commits = [position for position in positions if position[0] == "ledger: after the commit"]
            positions = [commits[3], ("ledger: before the commit", 4),
                         ("ChannelCreatePreparedPersonalEsign: answered", 2)]  # fmt: skip
        killed, doubted = 0, 0
        for name, count in positions:
            fresh(hospital)
            ended = zygote.run(hospital, **{"name": name, "pass": count})
            context = f"killed at {name} ({count})"
            if ended["signal"] is None:  # points of a shared commit may be one fewer this time
                assert ended["code"] == 0
                continue
            killed += 1
            durable = ledger_seals(hospital)
            again = zygote.run(hospital)
            unknown = check_after(hospital, durable, in_flight=IN_FLIGHT, context=context)
            assert again["code"] == (3 if unknown else 0), context
            doubted += unknown
        assert killed > 0.7 * len(positions)
        assert doubted > 0, "some kill must have caught a create in the air"
        assert zygote.run(hospital, "ledger", "check")["code"] == 0


def test_another_host_takes_the_answer_that_a_killed_one_could_not_commit(hospital, tmp_path, monkeypatch):
    """It sees the same folder of results; its state folder is its own."""
    hospital.doctors(2)
    with Zygote() as zygote:
        points = zygote.run(hospital)["points"]
        answered = points.index(ANSWERED)
        commits = points[:answered].count("ledger: before the commit")
        fresh(hospital)
        order = {"name": "ledger: before the commit", "pass": commits + 1}
        assert zygote.run(hospital, **order)["signal"] == 9
        durable = ledger_seals(hospital)
        assert len(durable) == 1
        assert ask_server_ledger(hospital, "SELECT state FROM attempt") == [("open",)]
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
        assert zygote.run(hospital)["code"] == 0
    assert [row["status"] for row in outcomes(hospital)] == ["unchanged", "sealed"]
    assert durable <= {row["seal_id"] for row in outcomes(hospital)}
    check_evidence(hospital, unknown=0)


# -- processes that are stopped or cut off while another one takes over


def read_published(hospital) -> dict[Path, bytes]:
    """Return what people and monitors see of the last run."""
    files = [path for path in (hospital.folder / "out" / "latest").rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in (*files, hospital.folder / "metrics.prom") if path.exists()}


@pytest.fixture
def go_to_other_host(monkeypatch, tmp_path):
    """Let what is started from now on run on another host, with a state folder of its own."""
    return lambda: monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))


def test_a_stopped_run_that_is_revived_after_another_took_over_sends_nothing_more(
    hospital, capsys, go_to_other_host
):
    """Whoever asks on its own host is refused; another host takes over."""
    hospital.doctors(30)
    hospital.marked_copies = True
    hospital.configure()
    with (hospital.folder / "config.yaml").open("a") as config:
        config.write("metrics_file: metrics.prom\n")
    with Zygote() as zygote:
        first = zygote.start(hospital)
        wait_until(lambda: len(hospital.service.seals) >= 4)
        first.send_signal(signal.SIGSTOP)
        end_silent_sessions(hospital)
        assert hospital.go("run") == 6
        go_to_other_host()
        assert hospital.go("run") in {0, 3}
        sent = creates(hospital)
        doubted = sum(row["status"] == "unknown" for row in outcomes(hospital))
        published = read_published(hospital)
        first.send_signal(signal.SIGCONT)
        assert first.wait() == 6
        printed = first.printed.read_text("utf-8")
        assert "taken over" in printed or "opened this ledger at" in printed  # whichever it looked for first
    assert read_published(hospital) == published
    own, *_, other = (json.loads((folder / "run.json").read_text("utf-8")) for folder in hospital.runs)
    assert (own["exit"], own["superseded"], own["statuses"]["not_sent"] > 0) == (6, True, True)
    assert list((hospital.runs[0] / "rosters").iterdir()), "its own folder is whole"
    capsys.readouterr()
    hospital.go("--json", "status")
    assert json.loads(capsys.readouterr().out)["last_run"]["run"] == other["run"]
    assert creates(hospital) <= sent + 8, "only what had its permission before it was stopped"
    check_evidence(hospital, unknown=doubted)
    assert doubted <= 8
    before = creates(hospital)
    code = hospital.go("run")
    still_doubted = sum(row["status"] == "unknown" for row in outcomes(hospital))
    assert code == (3 if still_doubted else 0)
    assert ledger_seals(hospital) <= {row["seal_id"] for row in outcomes(hospital)}
    # the revived run may have closed a create as not executed, which this one sends
    assert creates(hospital) - before <= doubted - still_doubted


@pytest.mark.skipif(not LONG, reason="make hosts")
@pytest.mark.parametrize("point", ["journal: before the append", "ledger: before the commit", ANSWERED])
def test_a_run_that_is_stopped_anywhere_is_taken_over_within_two_minutes(hospital, go_to_other_host, point):
    """In its opening, in a transaction, between two; the first point is passed by the opening."""
    hospital.doctors(8)
    with Zygote() as zygote:
        first = zygote.start(hospital, stopped_at=point)
        wait_until(lambda: psutil.Process(first.pid).status() == psutil.STATUS_STOPPED)
        go_to_other_host()
        wait_until(lambda: hospital.go("run") != 6, 120)
        sent, doubted = creates(hospital), hospital.statuses().get("unknown", 0)
        first.send_signal(signal.SIGCONT)
        assert first.wait() in {6, 74}  # its opening was not made: 74
    assert creates(hospital) == sent, "what it had signed is too old by then"
    check_evidence(hospital, unknown=doubted)


@pytest.mark.parametrize("point", ["outcomes.jsonl", "run.json"])
def test_a_run_that_was_stopped_while_it_wrote_its_results_does_not_publish_them(
    hospital, point, go_to_other_host
):
    """It had sent everything; a later run knows more by the time it goes on."""
    hospital.doctors(2)
    with Zygote() as zygote:
        process = zygote.start(hospital, stopped_at=f"results: before {point} takes its name")
        wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        end_silent_sessions(hospital)
        hospital.doctors(3)
        go_to_other_host()
        assert hospital.go("run") == 0
        published = read_published(hospital)
        process.send_signal(signal.SIGCONT)
        assert process.wait() == 0
    assert read_published(hospital) == published
    assert len(outcomes(hospital)) == 3
    assert (hospital.runs[0] / "results.xlsx").exists()


@pytest.mark.skipif(not LONG, reason="make hosts")
@pytest.mark.parametrize("names", [(), ("writer",)], ids=["all", "its writer alone"])
def test_a_partitioned_run_that_is_taken_over_sends_nothing_more(
    hospital, postgres_server, names, go_to_other_host
):
    direct = hospital.ledger
    hospital.doctors(600)  # for six seconds: it is cut off in the middle
    with ServerWire(postgres_server.port) as wire:
        use_server(hospital, direct.replace(str(postgres_server.port), str(wire.own_port)), direct)
        with started(hospital, "run") as first:
            wait_until(lambda: len(hospital.service.seals) >= 4)
            silence_between_transactions(hospital, wire, *names)
            end_silent_sessions(hospital)
            use_server(hospital, direct)
            go_to_other_host()
            assert hospital.go("run") in {0, 3}
            doubted = sum(row["status"] == "unknown" for row in outcomes(hospital))
            wire.heal()
            assert first.wait(90) == 6
    check_evidence(hospital, unknown=doubted)
    assert doubted <= 8


def silence_between_transactions(hospital, wire, *names: str) -> None:
    """Cut the run off while none of its transactions is open, so that the test need not wait for the server to end it.

    A transaction that was open is let end before it is tried again.
    """
    question = (
        "SELECT 1 FROM pg_stat_activity WHERE state <> 'idle' AND application_name = 'esign-import writer'"
    )

    def is_idle() -> bool:
        return not ask_server_ledger(hospital, f"{question} AND datname = current_database()")

    for _ in range(_TRIES_OF_SILENCE):
        wire.silence(*names)
        if is_idle():
            return
        wire.heal()
        wait_until(is_idle)
    raise AssertionError("a transaction was always open")


# -- a server that fails in mid-run


@pytest.mark.parametrize("seconds", [1, 5, 75] if LONG else [0.2])
def test_a_server_that_crashes_in_mid_run_and_comes_back(hospital_with, seconds):
    """The run waits for a minute; after that it ends with 74, and the next one goes on."""
    hospital = hospital_with(latency=0.05, rules=Rules(limiter="none", unique_names="off"))
    hospital.doctors(30)
    with run_server() as server:
        use_server(hospital, server.make_url())
        with started(hospital, "run") as process:
            wait_until(lambda: len(hospital.service.seals) >= 4)
            server.kill()
            threading.Event().wait(seconds)
            if seconds > 60:
                assert process.wait(120) == 74
            server.start()
            assert process.wait(120) == (74 if seconds > 60 else 0), process.stderr.read()
        code = hospital.go("run")
        rows = outcomes(hospital)
        doubted = sum(row["status"] == "unknown" for row in rows)
        assert code == (3 if doubted else 0)
        assert doubted == 0, "each answer that came while the server was away"
        assert {row["status"] for row in rows} <= {"unchanged", "sealed", "unknown"}
        check_evidence(hospital, unknown=8)


# -- a storm


@pytest.mark.skipif(not LONG, reason="make hosts")
@pytest.mark.parametrize("seed", range(3))
def test_a_storm_over_three_hospitals(hospital_with, tmp_path, seed):
    """Two hosts, ten minutes apart, work off three hospitals while everything breaks; then all come to their end."""
    with run_server() as server, ServerWire(server.port) as wire:
        hospitals = make_hospitals(hospital_with, tmp_path, 3, server, wire)
        storm = Storm(hospitals, server, tmp_path, seed, rows=60)
        storm.rage(wire, 60)
        storm.bring_to_end()


@pytest.mark.skipif(not CHAOS, reason="make chaos")
def test_chaos_over_ten_hospitals_with_restores(hospital_with, tmp_path):
    """A storm over ten hospitals in which an older copy of the database is put back again and again."""
    with run_server() as server, ServerWire(server.port) as wire:
        hospitals = make_hospitals(hospital_with, tmp_path, 10, server, wire)
        storm = Storm(hospitals, server, tmp_path, 0, rows=20, restores=True)
        storm.rage(wire, 60 * float(CHAOS))
        storm.bring_to_end()
        seals, statuses = len(hospitals[0].service.seals), Counter(list_statuses(hospitals))
        print(f"\n{seals} seals, {dict(statuses)}, {dict(storm.met)}")  # noqa: T201 - the counts are the result
