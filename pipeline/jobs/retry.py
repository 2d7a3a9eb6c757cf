"""Decides what a run's exit code means for its job: done, tried again after a growing wait, or failed for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job

from pipeline.config.sections import Workers
from pipeline.reports.next_steps import PLAN_GUARDS

Verdict = Literal["done", "again", "failed"]

DONE = frozenset({0, 3, 7})
FAILED = frozenset({1, 2, 4})
# halts with exit code 5 after which another try ends in the same way until a person, or the next day, has come
LASTING_HALTS = PLAN_GUARDS | {"DEADLINE", "SAME_REFUSAL", "SEALS_EXIST", "TOO_MANY_UNKNOWN"}
GROWTH = 3  # of the wait from one try to the next
LONGEST_WAIT = 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How the child process of a run ended."""

    exit: int
    run: str | None = None  # its id, where it wrote a record
    halt: str | None = None  # the code of what stopped it


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
