"""Guards: what stops a night before it does much of something that was not meant.

Those before the first call look at the plan; the others watch the answers as they come. A guard stops the run with
exit 5; ``--accept-guards`` passes them for one night.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from pipeline.domain.run import Halt, RowPlan, Status
from pipeline.planning.run_history import LastRun

FEW = 10  # people: of fewer, a third may be one doctor who left
FIRST, LAST, MOST = 20, 100, 90  # the first answers, the last ones, and how many of these may be one refusal
NAMES = 3  # seal names of the first answers that exist: a ledger without seals is beside seals that were made before
BUDGET = 200  # what re-sends may cost: each takes some, each success gives one back
COSTS = {"transport": 14, "throttle": 5}


@dataclass(frozen=True, slots=True)
class Guards:
    """Where a night stops; None is never."""

    new_rows: int | None = 200  # people that no earlier run has seen …
    new_share: float = 0.2  # … or this share of the live seals, whichever is more
    shrunk: float | None = 0.3  # share of the people that may be missing since the last complete run
    unknown: int | None = 20  # rows that may become unknown in one run
    same_refusal: bool = True
    seals_exist: bool = True  # seal names that exist already, while the ledger holds no seal
    roster_missing: bool = True  # a roster folder is empty or gone in which an earlier run read a roster
    deadline: time | None = None  # local
    patience: float = 900.0  # seconds without an answer, then the run gives up

    def accepted(self) -> Guards:
        """Return what is left of them in a night whose guards are accepted: deadline and patience."""
        return Guards(None, 0.0, None, None, False, False, False, self.deadline, self.patience)


def check_plan(
    ready: Sequence[RowPlan],
    people: int,
    guards: Guards,
    *,
    seals: int,
    seen: Callable[[Collection[str]], Collection[str]],
    before_new: LastRun,
    before_shrunk: LastRun | None,
    emptied: Sequence[str] = (),
) -> Halt | None:
    """Return why the night does not begin, if it does not.

    People are counted, not rows: who stands in two rosters is one. ``seals`` are the live ones of the ledger (none: a
    first night, everything is new), ``seen`` returns which row_ids an earlier run has seen. ``before_new`` and
    ``before_shrunk`` are the last runs that the two guards compare with. ``emptied`` are the folders that hold no roster
    and held one before.
    """
    if guards.roster_missing and (missing := find_missing_rosters(emptied)):
        return missing
    if guards.new_rows is not None and seals:
        most = max(guards.new_rows, int(guards.new_share * seals))
        rows = {
            each.doctor.row_id: each.doctor.key
            for each in ready
            if each.doctor.row_id is not None and each.history is None
        }
        if len(rows) > most:
            known = seen(rows)
            new = {key for row_id, key in rows.items() if row_id not in known}
            if len(new) > most and (still := len(new - before_new.people)) > most:
                return Halt("TOO_MANY_NEW", f"{still} > {most}", 5)
    if guards.shrunk is None or before_shrunk is None:
        return None
    if before_shrunk.rows >= FEW and people < (1 - guards.shrunk) * before_shrunk.rows:
        last = len(before_shrunk.people)  # never more than its rows
        if last >= FEW and people < (1 - guards.shrunk) * last:
            return Halt("ROSTER_SHRUNK", f"{last} → {people}", 5)
    return None


def find_missing_rosters(emptied: Sequence[str]) -> Halt | None:
    """Return why a night stops whose roster folders are empty or gone: a share that is not mounted looks the same."""
    return Halt("ROSTER_MISSING", ", ".join(emptied), 5) if emptied else None


def deadline(guards: Guards, now: datetime) -> datetime | None:
    """Return the moment at which a night that begins ``now`` (with its zone) has to stop."""
    if guards.deadline is None:
        return None
    today = now.replace(
        hour=guards.deadline.hour, minute=guards.deadline.minute, second=guards.deadline.second, microsecond=0
    )
    return today if today > now else today + timedelta(days=1)


@dataclass(slots=True)
class RunGuards:
    """What the answers of a run have in common so far."""

    guards: Guards = Guards()
    seals: int = 0  # live ones of the ledger before the run
    _refusals: deque[str | None] = field(default_factory=lambda: deque(maxlen=LAST))  # None: a seal was made
    _definite: int = 0
    _unknown: int = 0
    _names: int = 0
    _budget: float = BUDGET

    def ended(self, status: Status, code: str | None) -> Halt | None:
        """Count a row that was sent; return why the run stops, if it does."""
        if status is Status.UNKNOWN:
            self._unknown += 1
            if self.guards.unknown is not None and self._unknown > self.guards.unknown:
                return Halt("TOO_MANY_UNKNOWN", str(self._unknown), 5)
        elif status is Status.SEALED:
            self._budget = min(BUDGET, self._budget + 1)
            return self._definite_answer(None)
        elif status is Status.EXISTS:
            return self._name_exists() or self._definite_answer(code or "")
        elif status is Status.FAILED:
            return self._definite_answer(code or "")
        return None

    def _name_exists(self) -> Halt | None:
        self._names += 1
        if self.guards.seals_exist and not self.seals and self._names == NAMES and self._definite < FIRST:
            return Halt("SEALS_EXIST", str(NAMES), 5)
        return None

    def resent(self, why: str) -> Halt | None:
        """Count a call that is made again, after a ``transport`` fault or a ``throttle``."""
        self._budget -= COSTS[why]
        return Halt("ATTEMPT_BUDGET", "", 5) if self._budget < 0 else None

    def _definite_answer(self, refusal: str | None) -> Halt | None:
        self._refusals.append(refusal)
        self._definite += 1
        if not self.guards.same_refusal or refusal is None:
            return None
        code, times = Counter(self._refusals).most_common(1)[0]
        first = self._definite == FIRST == times
        last = len(self._refusals) == LAST and times >= MOST
        return Halt("SAME_REFUSAL", f"{times} × {code}", 5) if code is not None and (first or last) else None
