"""What breaks over one row is that row's problem: the exception's type is logged, and the run goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from pipeline.domain.roster import Problem
from pipeline.errors import EsignImportError
from pipeline.messages.problems import problem

LOG = logging.getLogger(__name__)
T = TypeVar("T")


def isolate_row_failure(
    work: Callable[[], T], instead: Callable[[Problem], T], *, stage: str, row_id: str | None = None
) -> T:
    """Return what ``work`` makes of a row, or ``instead`` of the problem that it could not be done.

    Trouble of disk, memory, ledger or configuration is no row's, and is raised.
    """
    try:
        return work()
    except (EsignImportError, OSError, MemoryError):
        raise
    except Exception as bug:
        kind = type(bug).__name__
        LOG.exception("a row could not be handled", extra={"stage": stage, "row_id": row_id, "kind": kind})
        return instead(problem("ROW_NOT_PROCESSED", kind=kind))
