"""One doctor's story: what the ledger knows of a person, in the order in which it happened, and where it stands now."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as _field
from typing import Any

from pipeline.domain.run import Status
from pipeline.ledger.person_queries import Create, Life, Made, RowHistoryEntry
from pipeline.ledger.protocol import DecisionRecord, RunRecord

_HOLDING = frozenset({Status.SEALED, Status.UNCHANGED, Status.CHANGED})
# of a person's several rows the one that tells most; a spare copy least
_TELLS = (Status.REJECTED, Status.NOT_SENT, Status.READY, Status.FAILED)


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One night, or one decision: what was said of the doctor's rows and what was sent."""

    at: float  # unix seconds
    run: str | None = None
    record: RunRecord | None = None  # None: the ledger does not know this run any more
    said: tuple[RowHistoryEntry, ...] = ()  # the row that was sent first
    creates: tuple[Create, ...] = ()
    decision: DecisionRecord | None = None


@dataclass(frozen=True, slots=True)
class PersonTimeline:
    """A doctor: who, where it stands, and every chapter, oldest first."""

    key: str | None
    name: str | None = _field(repr=False)
    other_names: tuple[str, ...] = _field(repr=False)
    staff_no: str | None
    id_masked: str | None
    mobile_masked: str | None
    status: Status
    seal: Made | None  # the live one
    seal_name: str | None  # frozen at the first create, else the one that was planned
    frozen: bool
    open: Create | None  # nothing is sent before somebody settles it
    refused: Create | None  # the last create, where the service refused it
    newest: RowHistoryEntry | None = _field(repr=False)
    gone: bool  # the newest runs do not see the doctor any more
    creates: int  # ever sent
    chapters: tuple[TimelineEntry, ...] = _field(repr=False)
    under_way: str | None = None  # the run that a process is at just now, where it knows the doctor

    @property
    def line(self) -> Mapping[str, Any]:
        """The newest line of the doctor's row, empty for one that no run has seen."""
        return line_of(self.newest) if self.newest else {}


def line_of(said: RowHistoryEntry) -> Mapping[str, Any]:
    """Return a row's line of outcomes.jsonl as it was written, with the ``words`` of its problems if it has them."""
    line: Mapping[str, Any] = json.loads(said.row.line)
    return line


def story_of(
    life: Life, *, run: Callable[[str], RunRecord | None], under_way: str | None = None
) -> PersonTimeline:
    """Tell a life; ``run`` returns what is known of a run, ``under_way`` is one that has not ended yet."""
    newest = max(life.said, key=_newness, default=None)
    lines = [line_of(said) for said in sorted(life.said, key=_newness, reverse=True)]
    names = [
        *(line["name"] for line in lines),
        *(create.name for create in reversed(life.creates)),
        life.name,
    ]
    known = list(dict.fromkeys(filter(None, names)))
    last = life.creates[-1] if life.creates else None
    chapters = _chapters(life, run)
    return PersonTimeline(
        key=life.key,
        name=known[0] if known else None,
        other_names=tuple(known[1:]),
        staff_no=_first(lines, "staff_no"),
        id_masked=_first(lines, "id_masked") or life.id_masked,
        mobile_masked=_first(lines, "mobile_masked"),
        status=_standing(life, newest),
        seal=_live(life),
        seal_name=life.seal_name or _first(lines, "seal_name"),
        frozen=life.seal_name is not None,
        open=next((create for create in life.creates if create.open), None),
        refused=last if last and last.verdict == "refused" else None,
        newest=newest,
        gone=bool(life.said) and not any(said.still for said in life.said),
        creates=sum(create.sent for create in life.creates),
        chapters=chapters,
        under_way=under_way if any(each.run == under_way for each in chapters if each.run) else None,
    )


def _live(life: Life) -> Made | None:
    return next((seal for seal in life.seals if seal.ended_by is None), None)


def _standing(life: Life, newest: RowHistoryEntry | None) -> Status:
    """Return where a person stands now: what the ledger holds counts, then what the newest run said."""
    waiting = next((create for create in life.creates if create.open), None)
    if waiting is not None:
        return Status.EXISTS if waiting.verdict == "exists" else Status.UNKNOWN
    said = Status(newest.row.status) if newest else None
    decided = max((told.at for told in life.decisions), default=0.0)
    since = newest is not None and decided > newest.until
    if _live(life) is not None:
        return Status.SEALED if said is None or said not in _HOLDING or since else said
    if since:
        return Status.NOT_SENT  # not created, or given up: the next run sends it
    if said is None or said is Status.READY:  # no run has told the end: what is in the ledger does
        refused = bool(life.creates) and life.creates[-1].verdict == "refused"
        return Status.FAILED if refused else Status.NOT_SENT
    return said if said in _TELLS else Status.NOT_SENT


def _newness(said: RowHistoryEntry) -> tuple[float, int, float]:
    """Order rows by what counts: the newest night, in it the row that was sent, then the row that is newer."""
    return said.until, _weight(said), said.at


def _weight(said: RowHistoryEntry) -> int:
    status = Status(said.row.status)
    return _TELLS.index(status) if status in _TELLS else len(_TELLS)


def _first(lines: Sequence[Mapping[str, Any]], name: str) -> str | None:
    return next((str(line[name]) for line in lines if line.get(name)), None)


def _chapters(life: Life, run: Callable[[str], RunRecord | None]) -> tuple[TimelineEntry, ...]:
    """Put together what belongs to one run; a decision stands by itself, but for one that a run entered."""
    said: defaultdict[str, list[RowHistoryEntry]] = defaultdict(list)
    creates: defaultdict[str, list[Create]] = defaultdict(list)
    for each in life.said:
        said[each.first].append(each)
    for create in life.creates:
        creates[create.run].append(create)
    chapters = []
    for name in {*said, *creates}:
        record = run(name)
        at = record.started if record else min([*(s.at for s in said[name]), *(c.at for c in creates[name])])
        chapters.append(
            TimelineEntry(
                at, name, record, tuple(sorted(said[name], key=_weight, reverse=True)), tuple(creates[name])
            )
        )
    chapters += [TimelineEntry(told.at, decision=told) for told in life.decisions]
    return tuple(sorted(chapters, key=lambda chapter: chapter.at))
