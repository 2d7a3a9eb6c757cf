"""Enters decisions on cases: what must hold before a decision is entered, and the decision itself."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Self

from pipeline.clock import Clock, shown, stamp
from pipeline.domain.fields import FIELDS, list_content
from pipeline.domain.masking import mask_id, mask_text
from pipeline.domain.message import Message
from pipeline.domain.run import RowPlan, Status
from pipeline.domain.seals import (
    Person,
    PictureDecision,
    SealContent,
    fold_seal_id,
    is_seal_id,
    is_usual_seal_id,
    list_doctor_texts,
)
from pipeline.domain.site_key import SiteKey
from pipeline.errors import UsageError
from pipeline.esign.contracts import list_sent_texts
from pipeline.esign.products import Agent
from pipeline.esign.signing import REPLAY_WINDOW_SECONDS
from pipeline.intake.images.prepare import ImageExaminer
from pipeline.intake.pairing.match_problems import describe_row
from pipeline.ledger.decisions import ADOPT
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import Decision, LastDecision, LedgerConflict
from pipeline.messages.catalogue import join_messages, make_message
from pipeline.planning.known_people import build_seal_content
from pipeline.resolution.cases import Case

# what the ledger forbids and a message explains
FORBIDDEN_BY_LEDGER = frozenset(
    {"seal_id", "settled", "seal_name", "live_seal", "no_live_seal", "same_person", "built_on"}
)


class NotSure(UsageError):
    """A decision that is asked once more: whose it is, and what follows if it is wrong. Nothing was entered.

    ``about`` stands for what was asked about: it differs once that has changed.
    """

    about = ""

    def __init__(self, question: Message) -> None:
        super().__init__("resolve.not_sure", question=question)
        self.question = question


class SealOfAnother(UsageError):
    """The SealId belongs to another person of the ledger, the ``owner``."""

    owner: Person


@dataclass(frozen=True, slots=True)
class DecisionMaker:
    """Enters decisions in the ledger, with who decides, when and why."""

    ledger: Ledger
    name: str
    decided_at: float  # unix seconds
    why: str
    agent: Agent  # who acts in the service's eyes

    @classmethod
    def of_user(cls, user: str, ledger: Ledger, clock: Clock, why: str, agent: Agent) -> Self:
        """Return a user who decides now."""
        return cls(ledger, user, clock.now(), why, agent)

    def list_other_values(self, case: Case) -> Collection[str]:
        """Return what a person may have copied in place of a case's SealId."""
        ids = {*self.ledger.attempt_ids(), *self.ledger.list_request_ids(), case.name, case.seal_name}
        doctor = case.row_plan.doctor if case.row_plan else None
        return ids.union(list_doctor_texts(doctor) if doctor else (), list_sent_texts(self.agent))

    def enter_decision(self, kind: str, key: str, **details: Any) -> None:
        """Enter a decision; ``details`` are further fields of `Decision`. UsageError where the ledger forbids it."""
        decision = Decision(kind, key, self.decided_at, self.name, self.why, **details)
        self._enter(lambda: self.ledger.record_decision(decision))

    def enter_withdrawal(self, identity: str) -> None:
        """Enter that a decision does not count any more. UsageError where the ledger forbids it."""
        self._enter(
            lambda: self.ledger.record_withdrawal(identity, now=self.decided_at, who=self.name, why=self.why)
        )

    def _enter(self, enter: Callable[[], None]) -> None:
        try:
            enter()
        except LedgerConflict as conflict:
            reason: object = conflict.constraint
            if conflict.constraint in FORBIDDEN_BY_LEDGER:
                reason = make_message(f"resolve.forbidden.{conflict.constraint}")
            raise UsageError("resolve.not_entered", why=reason) from conflict

    def enter_judgement(self, judgement: PictureDecision) -> None:
        self.ledger.record_judgement(judgement, now=self.decided_at, who=self.name, why=self.why)


def enter_created(maker: DecisionMaker, case: Case, seal_id: str, *, sure: bool) -> None:
    """Enter that the open create made this seal; UsageError where its shape is wrong or another person has it.

    NotSure unless the user is ``sure`` whose SealId it is.
    """
    attempt = _require_open_create(case)
    seal_id = seal_id.strip()
    if not is_seal_id(seal_id, maker.list_other_values(case)):
        raise UsageError("resolve.no_seal_id", seal_id=mask_text(seal_id))
    is_own = case.history.get_own_seal(seal_id) is not None
    if not is_own and fold_seal_id(seal_id) in set(map(fold_seal_id, maker.ledger.list_seal_ids())):
        raise _explain_owned_seal(maker.ledger, case, seal_id)
    if not is_own:
        _require_no_own_seal(case)
    if not sure:
        question = _make_question("resolve.ask.created", case, seal_id=seal_id)
        if not is_usual_seal_id(seal_id):
            odd = make_message("resolve_odd_seal_id", seal_id=seal_id, length=len(seal_id))
            question = make_message("resolve.ask.odd", question=question, odd=odd)
        raise NotSure(question)
    maker.enter_decision("created", case.key, attempt=attempt, seal_id=seal_id)


def _explain_owned_seal(ledger: Ledger, case: Case, seal_id: str) -> UsageError:
    """Return the error for a SealId that belongs to another person of the ledger."""
    people = ledger.snapshot().people
    owners = {
        seal.seal_id or "": person
        for person in people.values()
        for seal in person.attempts
        if seal.has_own_seal
    }
    known_id, owner = next(
        (known, person) for known, person in owners.items() if fold_seal_id(known) == fold_seal_id(seal_id)
    )
    error = SealOfAnother(
        "resolve.seal_of_another",
        name=case.name,
        seal_id=seal_id,
        owner=owner.name or "—",
        tail=(owner.id_masked or "—")[-4:],
        recorded=describe_recorded_seal(ledger, owner.key, known_id),
        then=("explain", known_id),
    )
    error.owner = owner
    return error


def describe_recorded_seal(ledger: Ledger, key: str, seal_id: str) -> str:
    """Return by whose decision a person has a seal, and how that is withdrawn; "" for a seal that a create made."""
    person, folded = ledger.read_person(key), fold_seal_id(seal_id)
    seal = next(seal for seal in person.seals if fold_seal_id(seal.seal_id or "") == folded)
    decision = next((one for one in person.decisions if one.id == seal.decision), None)
    if decision is None:
        return ""
    can_be_withdrawn = person.last_decision is not None and person.last_decision.can_be_withdrawn
    return make_message(
        "resolve.recorded" if can_be_withdrawn else "resolve.recorded_for_good",
        who=decision.who,
        moment=shown(stamp(decision.decided_at)),
        seal_id=seal.seal_id,
    )


def _make_question(key: str, case: Case, **details: object) -> Message:
    """Return what is asked once more about a case: the doctor, the end of the number, and the seal's name."""
    tail = (case.history.id_masked or "—")[-4:]
    return make_message(key, name=case.name, tail=tail, seal_name=case.seal_name, **details)


def enter_not_created(
    maker: DecisionMaker, case: Case, service_time: Callable[[], float], *, sure: bool
) -> None:
    """Enter that the open create made nothing: the next run sends the row again. Not while a late copy could count.

    Not having found a seal proves nothing, so that it is taken only from a user who is ``sure``.
    """
    attempt = _require_open_create(case)
    assert case.attempt is not None
    _require_no_own_seal(case)
    now, expires_at = maker.decided_at, case.attempt.signed_at + REPLAY_WINDOW_SECONDS
    # first: it holds for every answer
    _require_elapsed(case, now, case.attempt.dead_at - now)
    if not sure:
        raise UsageError("resolve.not_found_proves_nothing", name=case.name)
    # the service compares the signed time of a copy with its own clock; this machine's may have been set
    _require_elapsed(case, now, expires_at - service_time())
    maker.enter_decision("not_created", case.key, attempt=attempt)


def enter_not_theirs(maker: DecisionMaker, case: Case, *, sure: bool) -> None:
    """Enter that the seal whose name exists is another person's: the next run sends the row under another name.

    NotSure unless the user is ``sure``: if the seal is this person's, a second one is made.
    """
    attempt = _require_open_create(case)
    if case.status is not Status.EXISTS:
        raise UsageError("resolve.name_does_not_exist", name=case.name)
    if not sure:
        raise NotSure(_make_question("resolve.ask.not_theirs", case))
    maker.enter_decision("not_theirs", case.key, attempt=attempt)


def enter_withdrawal(maker: DecisionMaker, last: LastDecision, *, sure: bool) -> None:
    """Enter that a person's last decision does not count any more; see `require_withdrawable`."""
    require_withdrawable(last, sure=sure)
    maker.enter_withdrawal(last.decision.id)


def require_withdrawable(last: LastDecision, *, sure: bool) -> None:
    """Raise UsageError where a create was sent on a decision.

    NotSure unless the user is ``sure``, where the next run would send the person: an adopted seal would be followed by a second one.
    """
    details = {"name": last.person.name or "—", "tail": (last.person.id_masked or "—")[-4:]}
    if last.create_at is not None:
        raise UsageError("resolve.built_on", moment=shown(stamp(last.create_at)), **details)
    if last.decision.kind == ADOPT and not sure:
        raise NotSure(make_message("resolve.ask.withdraw_adopted", seal_id=last.seal_id or "—", **details))


def enter_keep(
    maker: DecisionMaker, case: Case, site_key: SiteKey, images: ImageExaminer, *, sure: bool
) -> None:
    """Enter that the roster's present content is the accepted one; the seal stays as it is.

    Of a row whose picture was held: enter that the picture is this doctor's; the next run sends it.
    """
    if case.held_image is not None:
        assert case.row_plan is not None
        assert case.row_plan.review is not None
        doctor = case.row_plan.doctor
        named = {"shown_name": mask_text(doctor.name or ""), "position": describe_row(doctor)}
        maker.enter_judgement(PictureDecision.from_id(case.row_plan.review.id, "right", **named))
        return
    row_plan = require_changed(case)
    _require_one_person(case, sure=sure)
    maker.enter_decision("keep", case.key, content=_accept_content(case, row_plan, site_key, images))


def _accept_content(case: Case, row_plan: RowPlan, site_key: SiteKey, images: ImageExaminer) -> SealContent:
    """Return the seal's content with all that the row gives in its place; the rest stays."""
    assert case.history.seal is not None
    content, doctor = case.history.seal.content, row_plan.doctor
    if content is None:  # adopted: all that is known of it is what the row gives
        if doctor.picture is None:
            raise UsageError("resolve.needs_picture", name=case.name)
        return replace(build_seal_content(doctor, site_key), pixels=images.compute_pixels(doctor.picture))
    values = list_content(doctor, site_key)
    given = {
        name: values[name]
        for definition in FIELDS.values()
        if (name := definition.content) and (values[name] is not None or definition.blank_is_content)
    }
    pixels = images.compute_pixels(doctor.picture) if doctor.picture else content.pixels
    return replace(content, **given, pixels=pixels)


def enter_replace(maker: DecisionMaker, case: Case, seal_name: str | None, *, sure: bool) -> None:
    """Enter that the live seal is given up: the next run creates one under ``seal_name``.

    None: under the roster's own name, where it is a new one; UsageError else.
    """
    row_plan = require_changed(case)
    _require_one_person(case, sure=sure)
    roster_name = row_plan.doctor.seal_name
    new_name = seal_name or (roster_name if roster_name != case.seal_name else None)
    if not new_name:
        raise UsageError(
            "resolve.needs_seal_name",
            name=case.name,
            seal_name=case.seal_name,
            then=("resolve", case.unique_word, "--replace", "--seal-name", "NAME"),
        )
    maker.enter_decision("replace", case.key, detail=new_name)


def enter_same_person(maker: DecisionMaker, case: Case) -> None:
    """Enter that the row gives a corrected number of a person with a seal, or with a create that has no verdict."""
    owner = _require_possibly_same(case)
    assert case.row_plan is not None
    masked = mask_id(case.row_plan.doctor.number or "")
    maker.enter_decision("same_person", owner.key, detail=case.key, id_masked=masked)


def enter_other_person(maker: DecisionMaker, case: Case) -> None:
    """Enter that the row's number is another person's."""
    maker.enter_decision("other_person", _require_possibly_same(case).key, detail=case.key)


def _require_elapsed(case: Case, now: float, seconds: float) -> None:
    """Raise UsageError, which names the moment, while there are seconds left."""
    if seconds > 0:
        raise UsageError("resolve.too_early", name=case.name, moment=shown(stamp(now + seconds), to=19))


def _require_one_person(case: Case, *, sure: bool) -> None:
    """Raise UsageError where a row may be another person than the doctor of the seal, unless the user is sure."""
    if case.may_be_another_person and not sure:
        seal = case.history.seal
        sealed_name = seal.content.name if seal and seal.content else case.history.name
        raise UsageError(
            "resolve.another_person", name=case.name, sealed=sealed_name, seal_name=case.seal_name
        )


def require_changed(case: Case) -> RowPlan:
    """Return the row of a changed case; UsageError for any other."""
    if case.status is Status.EXISTS:
        raise UsageError("resolve.not_changed_exists", name=case.name)
    if case.status is not Status.CHANGED:
        raise UsageError("resolve.not_changed", name=case.name)
    assert case.row_plan is not None
    return case.row_plan


def _require_open_create(case: Case) -> str:
    if case.attempt is None:
        raise UsageError("resolve.no_open_create", name=case.name)
    return case.attempt.uuid


def _require_no_own_seal(case: Case) -> None:
    """Raise UsageError where the create made a seal that another create contradicts: one of the seals is chosen."""
    if case.must_choose_seal:
        seal_ids = case.history.contradicting_seal_ids
        raise UsageError(
            "resolve.choose_seal",
            name=case.name,
            seal_ids=join_messages(seal_ids),
            then=("resolve", case.unique_word, "--seal-id", "SEALID"),
        )


def _require_possibly_same(case: Case) -> Person:
    if case.possibly_same is None:
        raise UsageError("resolve.not_possibly_same", name=case.name)
    return case.possibly_same
