"""The line of one hospital among several in `status --all`: last run, its age, exit code, what waits for a decision."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.clock import shown, stamp
from pipeline.messages.catalogue import Phrase, make_phrase

if TYPE_CHECKING:
    from pipeline.cli.context import Session
    from pipeline.ledger.protocol import RunRecord

EXIT_CODES = ("0", "1", "2", "3", "4", "5", "6", "7", "74", "130", "143")  # of runs
HOUR = 3600.0


def print_status_line(session: Session, run: RunRecord | None, *, waiting: int, is_under_way: bool) -> int:
    """Print a hospital's line; return the exit code."""
    name = session.hospital
    if run is None:
        session.print_text("status_line.never", name=name)
        return 0
    age = _describe_age(find_age(session, run))
    if run.finished is None or run.exit is None:
        key = "status_line.running" if is_under_way else "status_line.cut"
        session.print_text(key, name=name, started=shown(stamp(run.started)), age=age, waiting=waiting)
        return 0
    code = str(run.exit)
    session.print_text(
        "status_line.ended",
        name=name,
        finished=shown(stamp(run.finished)),
        age=age,
        exit=code,
        why=session.render_sentence(f"exit.{code}") if code in EXIT_CODES else "—",
        waiting=waiting,
    )
    return 0


def find_age(session: Session, run: RunRecord) -> float:
    """Return the seconds since a run ended, or since it began where it has no end."""
    return max(0.0, session.clock.now() - (run.started if run.finished is None else run.finished))


def count_changed_rows(run: RunRecord | None) -> int:
    """Return how many rows of a run differ from their seal, and wait for a decision."""
    statuses = json.loads(run.record).get("statuses", {}) if run is not None and run.record else {}
    return int(statuses.get("changed", 0))


def _describe_age(seconds: float) -> Phrase:
    if seconds < 2 * HOUR:
        return make_phrase("age.minutes", n=round(seconds / 60))
    if seconds < 48 * HOUR:
        return make_phrase("age.hours", n=round(seconds / HOUR))
    return make_phrase("age.days", n=round(seconds / (24 * HOUR)))
