"""Settle a case: what has to hold before a decision is entered, and the decision itself."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as _field

from pipeline.clock import shown, stamp
from pipeline.domain.masking import mask_id
from pipeline.domain.run import Status
from pipeline.domain.seals import PersonHistory, SealContent
from pipeline.errors import UsageError
from pipeline.esign.signing import REPLAY_WINDOW_SECONDS
from pipeline.ledger.protocol import Decision, Ledger, LedgerConflict
from pipeline.messages.catalogue import phrase
from pipeline.messages.localized import Localizable
from pipeline.messages.results import WORDS
from pipeline.resolution.cases import Case

SEAL_ID = re.compile(r"[0-9A-Za-z_-]{16,64}")  # the service's have 32 characters
CONCLUSIONS = ("created", "not_created", "not_created_sure", "not_theirs")  # of the Unknown sheet


@dataclass(frozen=True, slots=True)
class DecisionMaker:
    """Who decides, when and why."""

    name: str
    at: float  # unix seconds
    why: str


def created(ledger: Ledger, case: Case, seal_id: str, who: DecisionMaker) -> None:
    """Enter that the open create made this seal; UsageError where its shape is wrong or another person has it."""
    attempt = _open(case)
    seal_id = seal_id.strip()
    if SEAL_ID.fullmatch(seal_id) is None:
        raise UsageError("desk.no_seal_id", seal_id=seal_id)
    _enter(ledger, Decision("created", case.key, who.at, who.name, who.why, attempt=attempt, seal_id=seal_id))


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a decision that nothing was created may rest on."""

    place: str | None  # one that is certified to show imported seals (places.py)
    service_time: Callable[
        [], float
    ]  # unix seconds by the service's clock; UsageError where it is not reached


def not_created(ledger: Ledger, case: Case, who: DecisionMaker, grounds: Grounds, *, sure: bool) -> None:
    """Enter that the open create made nothing: the next run sends the row again. Not before the signature's fence.

    Not having found a seal counts only in a place that is certified to show one; ``sure`` is a human's word beyond that.
    """
    attempt = _open(case)
    if grounds.place is None and not sure:
        raise UsageError("desk.not_found_proves_nothing", name=case.name)
    require_fence(case, who.at, grounds.service_time)
    detail = "sure" if sure else grounds.place
    _enter(
        ledger, Decision("not_created", case.key, who.at, who.name, who.why, attempt=attempt, detail=detail)
    )


def not_theirs(ledger: Ledger, case: Case, who: DecisionMaker) -> None:
    """Enter that the seal whose name exists is another person's: the next run sends the row under another name."""
    attempt = _open(case)
    if case.status is not Status.EXISTS:
        raise UsageError("desk.name_does_not_exist", name=case.name)
    _enter(ledger, Decision("not_theirs", case.key, who.at, who.name, who.why, attempt=attempt))


def keep(ledger: Ledger, case: Case, content: SealContent, who: DecisionMaker) -> None:
    """Enter that the roster's present content is the accepted one; the seal stays as it is."""
    require_changed(case)
    _enter(ledger, Decision("keep", case.key, who.at, who.name, who.why, content=content))


def replace_seal(ledger: Ledger, case: Case, seal_name: str, who: DecisionMaker) -> None:
    """Enter that the live seal is given up: the next run creates one under ``seal_name``."""
    require_changed(case)
    _enter(ledger, Decision("replace", case.key, who.at, who.name, who.why, detail=seal_name))


def enter_same_person(ledger: Ledger, case: Case, who: DecisionMaker) -> None:
    """Enter that the row gives a corrected number of a person with a seal, or with a create that has no verdict."""
    owner = _require_possibly_same(case)
    assert case.planned is not None
    masked = mask_id(case.planned.doctor.number or "")
    _enter(
        ledger,
        Decision("same_person", owner.key, who.at, who.name, who.why, detail=case.key, id_masked=masked),
    )


def enter_other_person(ledger: Ledger, case: Case, who: DecisionMaker, *, number_key: str | None) -> None:
    """Enter that the row's number is another person's; ``number_key`` is its own key where it was entered as the same."""
    taken_back = case.possibly_same is None and number_key is not None
    owner = case.past if taken_back else _require_possibly_same(case)
    number_key = number_key if taken_back else case.key
    _enter(ledger, Decision("other_person", owner.key, who.at, who.name, who.why, detail=number_key))


def _require_possibly_same(case: Case) -> PersonHistory:
    if case.possibly_same is None:
        raise UsageError("desk.not_possibly_same", name=case.name)
    return case.possibly_same


def require_fence(case: Case, now: float, service_time: Callable[[], float]) -> None:
    """Raise UsageError while a late copy of the create could still be accepted.

    The service judges a copy by the signed time and its own clock, so that clock counts; this machine's may have been set.
    """
    assert case.attempt is not None
    left = case.attempt.replayable_until - now
    if left <= 0:
        left = case.attempt.signed_at + REPLAY_WINDOW_SECONDS - service_time()
    if left > 0:
        raise UsageError("desk.too_early", name=case.name, moment=shown(stamp(now + left), to=19))


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of the Unknown sheet."""

    row: int
    trace_id: str
    seal_id: str
    conclusion: str
    row_id: str  # whom the line is about: compared with the ledger before anything is entered (line_check.py)
    name: str = _field(repr=False)
    last_four: str
    seal_name: str


def by_sheet(
    ledger: Ledger,
    open_cases: Iterable[Case],
    answers: Iterable[Answer],
    who: DecisionMaker,
    grounds: Grounds,
) -> dict[int, Localizable | None]:
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
    told: dict[int, Localizable | None] = {}
    for trace_id, lines in said.items():
        first = lines[0]
        if any(line.seal_id and claims[line.seal_id] > 1 for line in lines):
            trouble: Localizable | None = phrase("desk.copied_seal_id")
        elif len({(line.seal_id, _folded(line.conclusion)) for line in lines}) > 1:
            trouble = phrase("desk.lines_disagree")
        else:
            trouble = _answered(ledger, by_trace.get(trace_id), first, who, grounds)
        told |= {line.row: trouble for line in lines}
    return told


def _answered(
    ledger: Ledger, case: Case | None, answer: Answer, who: DecisionMaker, grounds: Grounds
) -> Localizable | None:
    if case is None:
        return phrase("desk.not_open")
    who = replace(who, why=f"{who.why} {answer.row}")
    try:
        match _meaning(answer.conclusion), bool(answer.seal_id):
            case "" | "created", True:
                created(ledger, case, answer.seal_id, who)
            case "not_created" | "not_created_sure" as said, False:
                not_created(ledger, case, who, grounds, sure=said == "not_created_sure")
            case "not_theirs", False:
                not_theirs(ledger, case, who)
            case "created", False:
                return phrase("desk.created_without_id", name=case.name)
            case "not_created" | "not_created_sure" | "not_theirs", True:
                return phrase("desk.needless_seal_id", name=case.name)
            case _:
                return phrase("desk.do_not_fit", name=case.name)
    except UsageError as error:
        return error
    return None


def _meaning(conclusion: str) -> str | None:
    """Return which conclusion a cell says in either language, "" for none, None for words that are none."""
    said = _folded(conclusion)
    if not said:
        return ""
    return next((each for each in CONCLUSIONS if said in map(_folded, WORDS[f"conclusion.{each}"])), None)


def _folded(text: str) -> str:
    """Return a text without its width, case and kind of apostrophe, which a workbook changes by itself."""
    return (
        unicodedata.normalize("NFKC", text).strip().casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    )


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
