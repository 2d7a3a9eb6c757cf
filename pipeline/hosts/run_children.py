"""Runs are child processes, and the end of one decides on its job: done, tried again after a growing wait, or failed.

The worker's event loop stays free for its heartbeat while a run works. Processes are started by `subprocess` in threads,
not by asyncio: on Windows the event loop that psycopg needs has no child processes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import mkstemp
from threading import Lock, Thread
from typing import IO, Literal

from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job

from pipeline.clock import Clock
from pipeline.config.sections import Workers
from pipeline.domain.run import COMPLETE_EXITS, PLAN_GUARDS
from pipeline.errors import Locked, reason_of
from pipeline.hosts.job_control import HELD_UNTIL, HospitalPaused
from pipeline.support import progress_file
from pipeline.support.own_program import list_own_words, start_own_program

Verdict = Literal["done", "again", "failed"]

FAILED = frozenset({1, 2, 4})
# halts with exit code 5 after which another try ends in the same way until a person, or the next day, has come
LASTING_HALTS = PLAN_GUARDS | {"DEADLINE", "SAME_REFUSAL", "SEALS_EXIST", "TOO_MANY_UNKNOWN"}
GROWTH = 3  # of the wait from one try to the next
LONGEST_WAIT = 3600.0  # seconds
NOT_STARTED = 74  # the exit code of a run that the system did not start
KILLED = -9  # the exit code of a run that was killed
LOOK_SECONDS = 1.0  # between two looks at a run
LONGEST_LOOK = 5.0  # so much, at most, counts between two looks: the worker itself may have been stopped
GRACE_SECONDS = 120.0  # without progress, of a run that was asked to end
KILL_SECONDS = 10.0  # in which a killed process ends
READ_SECONDS = 10.0  # for the last lines of a run
Report = Callable[..., None]  # the key of a message and what fills its blanks
EndReason = Literal["cancelled", "no_progress", "run_limit"]


@dataclass(frozen=True, slots=True)
class RunLimits:
    """When a worker ends a run."""

    run_seconds: float
    idle_seconds: float  # without progress


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How the child process of a run ended."""

    exit: int
    run: str | None = None  # its id, where it printed one
    halt: str | None = None  # the code of what stopped it
    ended_for: EndReason | None = None  # why the worker ended it

    @property
    def is_cancelled(self) -> bool:
        """Whether the run was ended because its job was cancelled."""
        return self.ended_for == "cancelled"

    @property
    def has_lost_ledger(self) -> bool:
        """Whether another process has taken over the hospital from the run while it went on."""
        return self.exit == Locked.exit_code and self.halt == "HOLD_LOST"


class RunNotDone(Exception):
    """A run did not reach its end; ``retry_in`` are the seconds until the next try, None where there is none."""

    def __init__(self, end: RunEnd, retry_in: float | None) -> None:
        super().__init__(f"exit {end.exit}")
        self.retry_in = retry_in


class RetryAfterRun(BaseRetryStrategy):
    """Queues a job again where its run asks for it."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:  # noqa: ARG002 - the interface
        """Return when a job is tried again, None for never."""
        if isinstance(exception, HospitalPaused):
            return RetryDecision(retry_at=HELD_UNTIL)
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
    if end.exit in COMPLETE_EXITS:
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
    """The runs of one worker; ``folder`` holds the folders of the hospitals.

    A run that lasts too long or makes no progress is asked to end in order, and killed where it does not.
    """

    def __init__(
        self, folder: Path, language: str | None, *, limits: RunLimits, clock: Clock, report: Report
    ) -> None:
        self._folder = folder
        self._language = language
        self._limits = limits
        self._clock = clock
        self._report = report
        self._children: set[_Child] = set()
        self._lock = Lock()
        self.is_draining = False

    def make_command(self, hospital: str) -> list[str]:
        """Return the words that start a run of a hospital: it reads the configuration of no other."""
        words = list_own_words(self._folder / hospital, self._language)
        return [*words, "--quiet", "--json", "run", "--yes"]

    def run(self, hospital: str) -> RunEnd | None:
        """Run a hospital to its end; None where the worker is about to end and nothing was started.

        Blocks: to be called in a thread. What the run prints to stderr is reported line by line.
        """
        with self._lock:
            if self.is_draining:
                return None
            try:
                child = _Child(hospital, self.make_command(hospital), self._clock)
            except OSError as error:  # no memory, no process left, no disk
                self._report_line(hospital, str(reason_of(error)))
                return RunEnd(NOT_STARTED)
            self._children.add(child)
        try:
            return self._wait_for(child)
        finally:
            with self._lock:
                self._children.discard(child)
            child.close()

    def drain(self) -> None:
        """Ask every run to finish what is under way and to end; asked twice, a run ends at once."""
        with self._lock:
            is_repeated, self.is_draining = self.is_draining, True
            for child in self._children:
                if child.ending is None or is_repeated:
                    child.ask_to_end()

    def end(self, hospital: str, reason: EndReason) -> bool:
        """Ask the run of a hospital to finish what is under way and to end; return False where it was asked before."""
        with self._lock:
            children = [
                child for child in self._children if child.hospital == hospital and child.ending is None
            ]
            for child in children:
                child.ending = reason
                child.ask_to_end()
        return bool(children)

    def _wait_for(self, child: _Child) -> RunEnd:
        """Return how a run has ended; one that cannot even be killed, as its share does not answer, is left behind."""
        process, hospital = child.process, child.hospital
        printed: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        readers = [
            Thread(target=_read_lines, args=[process.stdout, printed.append], daemon=True),
            Thread(
                target=_read_lines, args=[process.stderr, partial(self._report_line, hospital)], daemon=True
            ),
        ]
        for reader in readers:
            reader.start()
        while not child.is_left_behind:
            try:
                process.wait(LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                self._look_after(child)
        for reader in readers:
            reader.join(READ_SECONDS)  # what the run has started may hold its pipes open
        end = _read_end(KILLED if process.returncode is None else process.returncode, printed)
        return replace(end, ended_for=child.ending)

    def _report_line(self, hospital: str, line: str) -> None:
        self._report("worker.line", hospital=hospital, line=line.rstrip("\n"))

    def _look_after(self, child: _Child) -> None:
        """End a run that lasts too long or makes no progress; kill one that does not end."""
        child.look()
        limits, values = self._limits, {"hospital": child.hospital, "pid": child.process.pid}
        if child.is_killed:
            if child.idle_seconds >= KILL_SECONDS:
                child.is_left_behind = True
                self._report("worker.left_behind", **values)
        elif child.ending is not None:
            if child.idle_seconds >= min(GRACE_SECONDS, limits.idle_seconds):
                self._report("worker.killed", **values)
                child.kill()
        elif child.idle_seconds >= limits.idle_seconds:
            if self.end(child.hospital, "no_progress"):
                self._report("worker.no_progress", minutes=f"{limits.idle_seconds / 60:.3g}", **values)
        elif child.get_seconds() >= limits.run_seconds and self.end(child.hospital, "run_limit"):
            self._report("worker.run_limit", hours=f"{limits.run_seconds / 3600:.3g}", **values)


class _Child:
    """The process of one run. The time in which its worker is stopped does not count as idle."""

    def __init__(self, hospital: str, command: list[str], clock: Clock) -> None:
        self.hospital = hospital
        self.ending: EndReason | None = None  # why it was asked to end, other than for the end of the worker
        self.is_killed = self.is_left_behind = False
        self.idle_seconds = 0.0  # since its last progress
        self._clock = clock
        descriptor, progress = mkstemp(prefix="esign-import-run-")
        os.close(descriptor)
        self._progress = Path(progress)
        try:
            self.process = start_own_program(command, variables={progress_file.VARIABLE: progress})
        except OSError:
            self._progress.unlink()
            raise
        self._begun_at = self._looked_at = clock.monotonic()
        self._progress_at = self._read_progress()

    def get_seconds(self) -> float:
        """Return how long the run has lasted."""
        return self._clock.monotonic() - self._begun_at

    def look(self) -> None:
        """Note whether the run has got on since the last look."""
        now, progress_at = self._clock.monotonic(), self._read_progress()
        if progress_at == self._progress_at:
            self.idle_seconds += min(now - self._looked_at, LONGEST_LOOK)
        else:
            self._progress_at, self.idle_seconds = progress_at, 0.0
        self._looked_at = now

    def ask_to_end(self) -> None:
        """Ask the run to finish what is under way and to end; from now on it has the time of a grace for that."""
        self.idle_seconds = 0.0
        if os.name == "nt":
            self.process.send_signal(signal.CTRL_BREAK_EVENT)  # type: ignore[attr-defined,unused-ignore]
        else:
            self.process.terminate()

    def kill(self) -> None:
        """End the run, and what it has started, at once."""
        self.is_killed, self.idle_seconds = True, 0.0
        if os.name == "nt":
            self.process.kill()
        else:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # it leads a session of its own

    def close(self) -> None:
        """Remove its file. Pipes that another process holds open stay open: a reader waits for them."""
        with suppress(OSError):
            self._progress.unlink()

    def _read_progress(self) -> int:
        try:
            return self._progress.stat().st_mtime_ns
        except OSError:  # something has cleaned up the folder of temporary files: no run is ended for that
            return round(self._clock.monotonic() * 1e9)


def _read_lines(stream: IO[str], take: Callable[[str], None]) -> None:
    """Read a pipe of a run to its end."""
    with stream:
        for line in stream:
            take(line)


def _read_end(exit_code: int, lines: Sequence[str]) -> RunEnd:
    """Return how a run ended, by its exit code and by the record that it printed, if it did."""
    try:
        record = json.loads(lines[-1])
        return RunEnd(exit_code, record["run"], (record["halted"] or {}).get("code"))
    except (IndexError, KeyError, ValueError, TypeError, AttributeError):  # it ended before it had a record
        return RunEnd(exit_code)
