"""Settle a case: what has to hold before a decision is entered, and the decision itself (DESIGN §6, `resolve`)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pipeline.clock import shown, stamp
from pipeline.desk.cases import Case
from pipeline.errors import UsageError
from pipeline.ledger.protocol import Decision, Ledger, LedgerConflict
from pipeline.model import Content, Past, Status
from pipeline.results.privacy import mask_id
from pipeline.words import Speaks
from pipeline.words.results import WORDS
from pipeline.words.sentences import phrase

SEAL_ID = re.compile(r"[0-9A-Za-z_-]{16,64}")  # the service's have 32 characters (api.md §1.2)
CREATED, NOT_CREATED = WORDS["conclusion.created"], WORDS["conclusion.not_created"]  # in either language


@dataclass(frozen=True, slots=True)
class Who:
    """Who decides, when and why."""

    name: str
    at: float  # unix seconds
    why: str


def created(ledger: Ledger, case: Case, seal_id: str, who: Who) -> None:
    """Enter that the open create made this seal; UsageError where its shape is wrong or another person has it."""
    attempt = _open(case)
    seal_id = seal_id.strip()
    if SEAL_ID.fullmatch(seal_id) is None:
        raise UsageError("desk.no_seal_id", seal_id=seal_id)
    _enter(ledger, Decision("created", case.key, who.at, who.name, who.why, attempt=attempt, seal_id=seal_id))


def not_created(ledger: Ledger, case: Case, who: Who) -> None:
    """Enter that the open create made nothing: the next run sends the row again. Not before the signature's fence."""
    attempt = _open(case)
    require_fence(case, who.at)
    _enter(ledger, Decision("not_created", case.key, who.at, who.name, who.why, attempt=attempt))


def keep(ledger: Ledger, case: Case, content: Content, who: Who) -> None:
    """Enter that the roster's present content is the accepted one; the seal stays as it is."""
    require_changed(case)
    _enter(ledger, Decision("keep", case.key, who.at, who.name, who.why, content=content))


def replace_seal(ledger: Ledger, case: Case, seal_name: str, who: Who) -> None:
    """Enter that the live seal is given up: the next run creates one under ``seal_name``."""
    require_changed(case)
    _enter(ledger, Decision("replace", case.key, who.at, who.name, who.why, detail=seal_name))


def enter_same_person(ledger: Ledger, case: Case, who: Who) -> None:
    """Enter that the row gives a corrected number of a person with a seal, or with a create that has no verdict."""
    owner = _require_possibly_same(case)
    assert case.planned is not None
    masked = mask_id(case.planned.doctor.number or "")
    _enter(
        ledger,
        Decision("same_person", owner.key, who.at, who.name, who.why, detail=case.key, id_masked=masked),
    )


def enter_other_person(ledger: Ledger, case: Case, who: Who, *, number_key: str | None) -> None:
    """Enter that the row's number is another person's; ``number_key`` is its own key where it was entered as the same."""
    taken_back = case.possibly_same is None and number_key is not None
    owner = case.past if taken_back else _require_possibly_same(case)
    number_key = number_key if taken_back else case.key
    _enter(ledger, Decision("other_person", owner.key, who.at, who.name, who.why, detail=number_key))


def _require_possibly_same(case: Case) -> Past:
    if case.possibly_same is None:
        raise UsageError("desk.not_possibly_same", name=case.name)
    return case.possibly_same


def require_fence(case: Case, now: float) -> None:
    """Raise UsageError while a late copy of the create could still be accepted."""
    assert case.attempt is not None
    if now < case.attempt.dead_at:
        moment = shown(stamp(case.attempt.dead_at), to=19)
        raise UsageError("desk.too_early", name=case.name, moment=moment)


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of the Unknown sheet that was filled in."""

    row: int
    trace_id: str
    seal_id: str
    conclusion: str


def by_sheet(
    ledger: Ledger, open_cases: Iterable[Case], answers: Iterable[Answer], who: Who
) -> dict[int, Speaks | None]:
    """Settle many at once; returns row -> what is wrong with its line, None where it was settled.

    A line that is not filled in is left out. One that was settled meanwhile, or never was open, says so. A doctor with two
    rows has two lines: one answer, on either or on both; where they do not agree neither counts. One SealId beside two
    doctors was copied too far: it is entered for nobody.
    """
    by_trace: Mapping[str, Case] = {
        case.attempt.uuid: case for case in open_cases if case.attempt is not None
    }
    said: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        if answer.seal_id or answer.conclusion:
            said[answer.trace_id].append(answer)
    claims = Counter(seal_id for lines in said.values() for seal_id in {line.seal_id for line in lines})
    told: dict[int, Speaks | None] = {}
    for trace_id, lines in said.items():
        first = lines[0]
        if any(line.seal_id and claims[line.seal_id] > 1 for line in lines):
            trouble: Speaks | None = phrase("desk.copied_seal_id")
        elif len({(line.seal_id, line.conclusion.strip().casefold()) for line in lines}) > 1:
            trouble = phrase("desk.lines_disagree")
        else:
            trouble = _answered(ledger, by_trace.get(trace_id), first, who)
        told |= {line.row: trouble for line in lines}
    return told


def _answered(ledger: Ledger, case: Case | None, answer: Answer, who: Who) -> Speaks | None:
    if case is None:
        return phrase("desk.not_open")
    conclusion = answer.conclusion.strip().casefold()
    who = replace(who, why=f"{who.why} {answer.row}")
    try:
        if conclusion in NOT_CREATED and not answer.seal_id:
            not_created(ledger, case, who)
        elif answer.seal_id and (not conclusion or conclusion in CREATED):
            created(ledger, case, answer.seal_id, who)
        else:
            return phrase("desk.do_not_fit")
    except UsageError as error:
        return error
    return None


def _open(case: Case) -> str:
    if case.attempt is None:
        raise UsageError("desk.no_open_create", name=case.name)
    return case.attempt.uuid


def require_changed(case: Case) -> None:
    """Raise UsageError for a case that is not a changed row."""
    if case.status is not Status.CHANGED:
        raise UsageError("desk.not_changed", name=case.name)


_FORBIDDEN = frozenset(
    {"seal_id", "settled", "seal_name", "live_seal", "no_live_seal", "same_person"}
)  # by the ledger, and named


def _enter(ledger: Ledger, decision: Decision) -> None:
    try:
        ledger.decide(decision)
    except LedgerConflict as conflict:
        named = conflict.constraint in _FORBIDDEN
        why = phrase(f"desk.forbidden.{conflict.constraint}") if named else conflict.constraint
        raise UsageError("desk.not_entered", why=why) from conflict
