"""Enters decisions on cases: what must hold before a decision is entered, and the decision itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from pipeline.clock import Clock, shown, stamp
from pipeline.domain.fields import FIELDS, list_content
from pipeline.domain.masking import mask_id
from pipeline.domain.roster import list_spellings
from pipeline.domain.run import RowPlan, Status
from pipeline.domain.seals import KEPT, PersonHistory, SealContent
from pipeline.errors import UsageError
from pipeline.esign.signing import REPLAY_WINDOW_SECONDS
from pipeline.intake.fields.id_number import find_lifetime_number
from pipeline.intake.images.prepare import digest_pixels
from pipeline.ledger.lock import read_user_name
from pipeline.ledger.protocol import Decision, Ledger, LedgerConflict
from pipeline.messages.catalogue import make_phrase
from pipeline.resolution.cases import Case

SEAL_ID = re.compile(r"[0-9A-Za-z_-]{16,64}")  # the service's have 32 characters
# what the ledger forbids and a message explains
FORBIDDEN_BY_LEDGER = frozenset(
    {"seal_id", "settled", "seal_name", "live_seal", "no_live_seal", "same_person"}
)


@dataclass(frozen=True, slots=True)
class DecisionMaker:
    """Who decides, when and why."""

    name: str
    decided_at: float  # unix seconds
    why: str

    @classmethod
    def current_user(cls, clock: Clock, why: str) -> Self:
        """Return the user who runs the program, now."""
        return cls(read_user_name(), clock.now(), why)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a decision that nothing was created may rest on."""

    certified_place: str | None  # where not finding a seal counts
    service_time: Callable[
        [], float
    ]  # unix seconds by the service's clock; UsageError where it cannot be asked


def enter_created(ledger: Ledger, case: Case, seal_id: str, maker: DecisionMaker) -> None:
    """Enter that the open create made this seal; UsageError where its shape is wrong or another person has it."""
    attempt = _require_open_create(case)
    seal_id = seal_id.strip()
    if SEAL_ID.fullmatch(seal_id) is None:
        raise UsageError("resolve.no_seal_id", seal_id=seal_id)
    _enter(ledger, "created", case.key, maker, attempt=attempt, seal_id=seal_id)


def enter_not_created(
    ledger: Ledger, case: Case, maker: DecisionMaker, grounds: Grounds, *, sure: bool
) -> None:
    """Enter that the open create made nothing: the next run sends the row again. Not while a late copy could count.

    Not having found a seal counts only in a place that is certified to show one; ``sure`` is a person's word beyond that.
    """
    attempt = _require_open_create(case)
    if grounds.certified_place is None and not sure:
        raise UsageError("resolve.not_found_proves_nothing", name=case.name)
    require_fence(case, maker.decided_at, grounds.service_time)
    detail = "sure" if sure else grounds.certified_place
    _enter(ledger, "not_created", case.key, maker, attempt=attempt, detail=detail)


def enter_not_theirs(ledger: Ledger, case: Case, maker: DecisionMaker) -> None:
    """Enter that the seal whose name exists is another person's: the next run sends the row under another name."""
    attempt = _require_open_create(case)
    if case.status is not Status.EXISTS:
        raise UsageError("resolve.name_does_not_exist", name=case.name)
    _enter(ledger, "not_theirs", case.key, maker, attempt=attempt)


def enter_keep(ledger: Ledger, case: Case, maker: DecisionMaker, digest: Callable[[str], str]) -> None:
    """Enter that the roster's present content is the accepted one; the seal stays as it is."""
    row_plan = require_changed(case)
    _enter(ledger, "keep", case.key, maker, content=_accept_content(case, row_plan, digest))


def _accept_content(case: Case, row_plan: RowPlan, digest: Callable[[str], str]) -> SealContent:
    """Return the seal's content with all that the row gives in its place; the rest stays."""
    assert case.history.seal is not None
    content = case.history.seal.content
    assert content is not None
    doctor = row_plan.doctor
    values = list_content(doctor, digest)
    given = {
        name: values[name]
        for definition in FIELDS.values()
        if (name := definition.content) and (values[name] is not None or definition.blank_is_content)
    }
    pixels = digest_pixels(doctor.picture.file) if doctor.picture else content.pixels
    return replace(content, **given, pixels=pixels, sent_size=content.sent_size or KEPT)


def enter_replace(ledger: Ledger, case: Case, seal_name: str | None, maker: DecisionMaker) -> None:
    """Enter that the live seal is given up: the next run creates one under ``seal_name``.

    None: under the roster's own name, where it is a new one; UsageError else.
    """
    row_plan = require_changed(case)
    roster_name = row_plan.doctor.seal_name
    new_name = seal_name or (roster_name if roster_name != case.seal_name else None)
    if not new_name:
        raise UsageError("resolve.needs_seal_name", name=case.name, seal_name=case.seal_name)
    _enter(ledger, "replace", case.key, maker, detail=new_name)


def enter_same_person(ledger: Ledger, case: Case, maker: DecisionMaker) -> None:
    """Enter that the row gives a corrected number of a person with a seal, or with a create that has no verdict."""
    owner = _require_possibly_same(case)
    assert case.row_plan is not None
    masked = mask_id(case.row_plan.doctor.number or "")
    _enter(ledger, "same_person", owner.key, maker, detail=case.key, id_masked=masked)


def enter_other_person(ledger: Ledger, case: Case, maker: DecisionMaker, *, number_key: str | None) -> None:
    """Enter that the row's number is another person's; ``number_key`` is its own key where it was entered as the same."""
    is_taken_back = case.possibly_same is None and number_key is not None
    owner = case.history if is_taken_back else _require_possibly_same(case)
    _enter(ledger, "other_person", owner.key, maker, detail=number_key if is_taken_back else case.key)


def find_number_key(
    case: Case,
    person_key: Callable[[str], str],
    digest: Callable[[str], str],
    same_persons: Mapping[str, str],
) -> str | None:
    """Return the key of a row's own number, where it was entered before as a corrected number of this person.

    Raises UsageError where the person's seal, or create without a verdict, was made with this very number: it is in use.
    """
    doctor = case.row_plan.doctor if case.row_plan else None
    if doctor is None or doctor.number is None or doctor.id_type is None:
        return None
    key = person_key(find_lifetime_number(doctor.number, doctor.id_type))
    if same_persons.get(key) != case.key:
        return None
    create = case.history.seal or case.history.unresolved_attempt
    number = digest(list_spellings(doctor.number, doctor.id_type)[0])
    if create and create.content and create.content.number == number:
        raise UsageError("resolve.made_with_number", name=case.name)
    return key


def require_fence(case: Case, now: float, service_time: Callable[[], float]) -> None:
    """Raise UsageError while a late copy of the create could still be accepted.

    The service compares the signed time of a copy with its own clock, so that clock counts; this machine's may have been set.
    """
    assert case.attempt is not None
    seconds = case.attempt.replayable_until - now
    if seconds <= 0:
        seconds = case.attempt.signed_at + REPLAY_WINDOW_SECONDS - service_time()
    if seconds > 0:
        raise UsageError("resolve.too_early", name=case.name, moment=shown(stamp(now + seconds), to=19))


def require_changed(case: Case) -> RowPlan:
    """Return the row of a changed case; UsageError for any other."""
    if case.status is not Status.CHANGED:
        raise UsageError("resolve.not_changed", name=case.name)
    assert case.row_plan is not None
    return case.row_plan


def _require_open_create(case: Case) -> str:
    if case.attempt is None:
        raise UsageError("resolve.no_open_create", name=case.name)
    return case.attempt.uuid


def _require_possibly_same(case: Case) -> PersonHistory:
    if case.possibly_same is None:
        raise UsageError("resolve.not_possibly_same", name=case.name)
    return case.possibly_same


def _enter(ledger: Ledger, kind: str, key: str, maker: DecisionMaker, **details: Any) -> None:
    """Enter a decision; ``details`` are further fields of `Decision`."""
    try:
        ledger.record_decision(Decision(kind, key, maker.decided_at, maker.name, maker.why, **details))
    except LedgerConflict as conflict:
        is_explained = conflict.constraint in FORBIDDEN_BY_LEDGER
        reason = (
            make_phrase(f"resolve.forbidden.{conflict.constraint}") if is_explained else conflict.constraint
        )
        raise UsageError("resolve.not_entered", why=reason) from conflict
