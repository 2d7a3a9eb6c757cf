"""Runs are child processes, and the end of one decides on its job: done, tried again after a growing wait, or failed.

The worker's event loop stays free for its heartbeat while a run works. Processes are started by `subprocess` in threads,
not by asyncio: on Windows the event loop that psycopg needs has no child processes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import Literal

from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job

from pipeline.config.sections import Workers
from pipeline.domain.run import PLAN_GUARDS
from pipeline.errors import reason_of

Verdict = Literal["done", "again", "failed"]

DONE = frozenset({0, 3, 7})
FAILED = frozenset({1, 2, 4})
# halts with exit code 5 after which another try ends in the same way until a person, or the next day, has come
LASTING_HALTS = PLAN_GUARDS | {"DEADLINE", "SAME_REFUSAL", "SEALS_EXIST", "TOO_MANY_UNKNOWN"}
GROWTH = 3  # of the wait from one try to the next
LONGEST_WAIT = 3600.0  # seconds
LOCKED = 6  # the exit code of a run whose hospital another process has
NOT_STARTED = 74  # the exit code of a run that the system did not start
ReportLine = Callable[[str, str], None]  # a hospital, and a line that its run printed


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How the child process of a run ended."""

    exit: int
    run: str | None = None  # its id, where it printed one
    halt: str | None = None  # the code of what stopped it

    @property
    def has_lost_ledger(self) -> bool:
        """Whether another process has taken over the hospital from the run while it went on."""
        return self.exit == LOCKED and self.halt == "LEASE_LOST"


class RunNotDone(Exception):
    """A run did not reach its end; ``retry_in`` are the seconds until the next try, None where there is none."""

    def __init__(self, end: RunEnd, retry_in: float | None) -> None:
        super().__init__(f"exit {end.exit}")
        self.retry_in = retry_in


class RetryAfterRun(BaseRetryStrategy):
    """Queues a job again where its run asks for it."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:  # noqa: ARG002 - the interface
        """Return when a job is tried again, None for never."""
        if isinstance(exception, ConnectorException):
            return RetryDecision()  # the worker ends; the next one begins at once
        if not isinstance(exception, RunNotDone) or exception.retry_in is None:
            return None
        if exception.retry_in == 0:
            return RetryDecision()  # at once, whatever this machine's clock shows
        return RetryDecision(retry_in={"seconds": round(exception.retry_in)})


def judge_end(end: RunEnd) -> Verdict:
    """Return what the end of a run means for its job.

    What is in neither list is tried again: 5 (stopped early), 6 (another process holds the hospital), 74 (ledger or
    disk), and the end by a signal.
    """
    if end.exit in DONE:
        return "done"
    if end.exit in FAILED or (end.exit == 5 and end.halt in LASTING_HALTS):
        return "failed"
    return "again"


def choose_wait(workers: Workers, *, attempts: int, age: float) -> float | None:
    """Return the seconds until the next try of a run, None where none begins within the hours that are allowed.

    ``attempts`` counts those that were made, ``age`` the seconds since the job was queued. The wait is
    ``retry_seconds`` at first and three times as long after each try, at most an hour.
    """
    wait = min(workers.retry_seconds * GROWTH ** min(attempts - 1, 20), LONGEST_WAIT)
    return wait if age + wait <= workers.retry_hours * 3600 else None


class RunChildren:
    """The runs of one worker."""

    def __init__(self, config_path: Path, language: str | None, report_line: ReportLine) -> None:
        self._config_path = config_path
        self._language = language
        self._report_line = report_line
        self._processes: set[subprocess.Popen[str]] = set()
        self._lock = Lock()
        self.is_draining = False

    def make_command(self, hospital: str) -> list[str]:
        """Return the words that start a run of a hospital; ``""`` is that of the configuration's top level."""
        program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "pipeline"]
        profile = ("--profile", hospital) if hospital else ()
        language = ("--lang", self._language) if self._language else ()
        config = ("--config", str(self._config_path))
        return [*program, *config, *profile, *language, "--quiet", "--json", "run", "--yes"]

    def run(self, hospital: str) -> RunEnd | None:
        """Run a hospital to its end; None where the worker is about to end and nothing was started.

        Blocks: to be called in a thread. What the run prints to stderr is reported line by line.
        """
        with self._lock:
            if self.is_draining:
                return None
            try:
                process = _start(self.make_command(hospital))
            except OSError as error:  # no memory, no process left
                self._report_line(hospital, str(reason_of(error)))
                return RunEnd(NOT_STARTED)
            self._processes.add(process)
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            printed: list[str] = []
            reader = Thread(target=lambda: printed.extend(process.stdout or ()), daemon=True)
            reader.start()
            for line in process.stderr:
                self._report_line(hospital, line.rstrip("\n"))
            exit_code = process.wait()
            reader.join()
            process.stdout.close()
            process.stderr.close()
        finally:
            with self._lock:
                self._processes.discard(process)
        return _read_end(exit_code, printed)

    def drain(self) -> None:
        """Ask every run to finish what is under way and to end; asked twice, a run ends at once."""
        with self._lock:
            self.is_draining = True
            for process in self._processes:
                if os.name == "nt":
                    process.send_signal(signal.CTRL_BREAK_EVENT)  # type: ignore[attr-defined,unused-ignore]
                else:
                    process.terminate()


def _start(command: Sequence[str]) -> subprocess.Popen[str]:
    """Start a child out of reach of the terminal's Ctrl-C, which goes to the worker alone."""
    flags = subprocess.CREATE_NEW_PROCESS_GROUP if os.name == "nt" else 0  # type: ignore[attr-defined,unused-ignore]
    return subprocess.Popen(  # noqa: S603 - this program itself
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONUTF8": "1"},
        start_new_session=True,
        creationflags=flags,
    )


def _read_end(exit_code: int, lines: Sequence[str]) -> RunEnd:
    """Return how a run ended, by its exit code and by the record that it printed, if it did."""
    try:
        record = json.loads(lines[-1])
        return RunEnd(exit_code, record["run"], (record["halted"] or {}).get("code"))
    except (IndexError, KeyError, ValueError, TypeError, AttributeError):  # it ended before it had a record
        return RunEnd(exit_code)
