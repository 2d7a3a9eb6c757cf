"""A walk over every point of a run: killed there, run again to its end, and what must hold then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from run_support import newest_results

from pipeline import Config
from pipeline.ledger.places import Places
from pipeline.workflow.hosts_factory import make_location

CREATE = "ChannelCreatePreparedPersonalEsign"
SUPPORT = Path(__file__).parent
REPOSITORY = SUPPORT.parents[1]
SETTLED = {"sealed", "unchanged", "unknown", "exists", "not_sent", "failed"}


# a start costs more than ten runs, so the next test takes these over
_idle: defaultdict[tuple[str, ...], list[subprocess.Popen]] = defaultdict(list)


class Zygote:
    """The process that forks the runs (zygote.py); it lives on for later tests and ends with this process."""

    def __init__(self, *bounds: str) -> None:
        self._bounds = bounds  # what stands before its command line: a program that takes rights away
        self._idle = _idle[bounds]
        self._started: list[ForkedRun] = []

    def __enter__(self):
        try:
            self._process = self._idle.pop()
        except IndexError:
            self._process = subprocess.Popen(
                [*self._bounds, sys.executable, str(SUPPORT / "zygote.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=REPOSITORY,
                env=_make_environment(),
            )
        return self

    def __exit__(self, error_type, *_):
        for run in self._started:
            run.kill()
        if error_type is None:
            self._idle.append(self._process)
            return
        self._process.kill()  # its answers would be those of the test that failed
        self._process.communicate()

    def run(self, hospital, *arguments: str, **order) -> dict:
        """Run the command line over a hospital in a child; return how it ended and which points it passed."""
        self._order(hospital.folder, arguments, order)
        return json.loads(self._process.stdout.readline())

    def start(
        self,
        hospital,
        *arguments: str,
        stopped_at: str | None = None,
        language: str = "en",
        **environment: str,
    ) -> ForkedRun:
        """Start the command line over a hospital, or its folder, in a child; what it prints goes to a file.

        The child stops, as by SIGSTOP, when it passes the point ``stopped_at`` for the first time.
        """
        folder = getattr(hospital, "folder", hospital)
        printed = folder / "printed"
        printed.unlink(missing_ok=True)
        order = {"environment": environment, "output": str(printed), "announce": True, "language": language}
        if stopped_at is not None:
            order |= {"name": stopped_at, "pass": 1, "signals": [signal.SIGSTOP]}
        self._order(folder, arguments, order)
        return self._read_start(printed)

    def fork(self, words: list[str], *, output: Path, **order) -> ForkedRun:
        """Start any command line in a child; what it prints goes to ``output``."""
        self._send(words, {"announce": True, "output": str(output), **order})
        return self._read_start(output)

    def _read_start(self, printed: Path) -> ForkedRun:
        run = ForkedRun(int(self._process.stdout.readline()), self._process.stdout, printed)
        self._started.append(run)
        return run

    def call(self, *words: str, environment: dict[str, str | None] | None = None, **order) -> dict:
        """Run any command line in a child; None takes a variable out of its environment."""
        self._send(words, {"environment": environment or {}, **order})
        return json.loads(self._process.stdout.readline())

    def _order(self, folder, arguments, order) -> None:
        words = ("--config", str(folder / "config.yaml"), "--lang", order.pop("language", "en"))
        self._send(words + (arguments or ("run",)), order)

    def _send(self, words, order) -> None:
        environment = {**_make_environment(), **order.get("environment", {})}
        order["environment"] = {name: value for name, value in environment.items() if value is not None}
        self._process.stdin.write(json.dumps({"words": words, **order}) + "\n")
        self._process.stdin.flush()


@dataclass
class ForkedRun:
    """A command that runs in a child of a zygote."""

    pid: int
    answers: IO[str]
    printed: Path
    returncode: int | None = None

    def send_signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for its end; return its exit code, or the number of the signal that killed it as a negative one."""
        if self.returncode is None:
            ended = json.loads(self.answers.readline())
            self.returncode = ended["code"] if ended["signal"] is None else -ended["signal"]
        return self.returncode

    def kill(self) -> None:
        """Kill it if it still runs, and wait for its end."""
        if self.returncode is None:
            self.send_signal(signal.SIGKILL)
        self.wait()


def _make_environment() -> dict[str, str]:
    """Return the variables of this test, with this repository before another one that is installed."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY)}


@dataclass
class CrashCounts:
    """What the kills of one test met."""

    positions: int = 0
    unknown: int = 0
    points: set = field(default_factory=set)


def outcomes(hospital) -> list[dict]:
    text = (newest_results(hospital.folder / "out") / "outcomes.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def read_places(folder: Path) -> Places:
    """Return where the journals of the hospital in this folder lie."""
    return make_location(Config.load(folder / "config.yaml")).places


def read_journals(hospital) -> list[dict]:
    """Return the events that were durable in a journal when the process died, in their order."""
    events = {}
    for path in read_places(hospital.folder).list_files():
        for line in path.read_bytes().splitlines(keepends=True):
            event = json.loads(line.partition(b" ")[2]) if line.endswith(b"\n") else {}
            if "op" in event:
                events[event["n"], event["id"]] = event
    return [event for _, event in sorted(events.items())]


def ask_server_ledger(hospital, statement: str, *values: object) -> list[tuple]:
    """Ask the database behind the program's back; names are those of the hospital's tables, which may not be there yet."""
    import psycopg

    from pipeline.domain.server_address import name_schema

    schema = name_schema(Config.load(hospital.folder / "config.yaml").tenant)
    with psycopg.connect(hospital.direct_ledger or hospital.ledger, autocommit=True) as connection:
        connection.execute(f"SET search_path = {schema}, esign_import".encode())
        try:
            cursor = connection.execute(statement.encode(), values)
        except psycopg.errors.UndefinedTable:
            return []
        return cursor.fetchall() if cursor.description else []


def ledger_seals(hospital) -> set[str]:
    """The SealIds that were durable when the process died."""
    verdicts = (event["args"] for event in read_journals(hospital) if event["op"] == "verdict")
    return {verdict["seal_id"] for verdict in verdicts if verdict["kind"] == "sealed"}


def in_the_air(hospital) -> set[str]:
    """The trace ids of the creates that had no verdict when the process died."""
    events = read_journals(hospital)
    attempts, verdicts = (
        {event["args"]["uuid"] for event in events if event["op"] == name} for name in ("attempt", "verdict")
    )
    return attempts - verdicts


def check_after(hospital, durable: set[str], *, in_flight: int, context: str) -> int:
    """Assert what holds once a run came to its end after kills; return how many rows are unknown."""
    service = hospital.service
    assert service.list_duplicates() == {}, context
    rows = outcomes(hospital)
    seal_ids = {row["seal_id"] for row in rows if row["seal_id"]}
    assert durable <= seal_ids, f"{context}: a SealId was lost"
    statuses = [row["status"] for row in rows]
    assert set(statuses) <= SETTLED, f"{context}: {statuses}"
    made = {seal.seal_id: seal.name for seal in service.seals}
    assert seal_ids <= set(made), f"{context}: a false success"
    open_rows = {row["name"] for row in rows if row["status"] in {"unknown", "exists"}}
    lost = {name for seal_id, name in made.items() if seal_id not in seal_ids}
    assert lost <= open_rows, f"{context}: a seal nobody knows of"
    assert len(open_rows) <= in_flight, f"{context}: {len(open_rows)} in doubt"
    for row in rows:
        if row["status"] in {"unknown", "exists"}:
            assert row["trace_id"], context
    return len(open_rows)


def creates(hospital) -> int:
    return sum(call.action == CREATE for call in hospital.service.received)
