"""The cases that wait for a decision: creates without a verdict, rows that differ from their seal, corrected numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from dataclasses import field as _field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pipeline.clock import stamp
from pipeline.domain.masking import mask_text
from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Field, ImageFile
from pipeline.domain.run import RowOutcome, RowPlan, Status, get_attempt_status
from pipeline.domain.seals import Attempt, LedgerSnapshot, Person
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import LastDecision
from pipeline.messages.catalogue import render
from pipeline.messages.problems import render_positions
from pipeline.reports.next_steps import CommandLine, NextStep
from pipeline.reports.person_step import PersonState, choose_person_step
from pipeline.resolution.timeline import build_timeline

DecisionKind: TypeAlias = Literal[
    "created", "not_created", "not_theirs", "keep", "replace", "same_person", "other_person"
]


@dataclass(frozen=True, slots=True)
class Case:
    """One person who waits for a decision."""

    key: str
    status: Status  # unknown, exists, changed; rejected where the row may be a known person's
    name: str = _field(repr=False)
    history: Person = _field(repr=False)
    row_plan: RowPlan | None = _field(default=None, repr=False)  # the roster's row, if it has one

    @property
    def possibly_same(self) -> Person | None:
        """The person whose corrected number this row may give."""
        return self.row_plan.possibly_same if self.row_plan else None

    @property
    def attempt(self) -> Attempt | None:
        """The create without a verdict."""
        return self.history.unresolved_attempt

    @property
    def must_choose_seal(self) -> bool:
        """Whether the create made a seal that another create contradicts, so that only a choice resolves it."""
        return self.attempt is not None and self.attempt.has_own_seal

    @property
    def seal_name(self) -> str:
        """The seal name that was sent."""
        return (self.history.seal.seal_name if self.history.seal else self.history.seal_name) or ""

    @property
    def unique_word(self) -> str:
        """The word that means this case and no other: its trace id, its seal's id, or else its key."""
        if self.attempt is not None:
            return self.attempt.uuid
        return (self.history.seal.seal_id if self.history.seal else None) or self.key

    @property
    def differing_fields(self) -> list[str]:
        """The fields in which a row differs from its seal."""
        problems = self.row_plan.problems if self.row_plan else ()
        fields: list[str] = []
        for problem in problems:
            if problem.code == "CONTENT_CHANGED":
                fields += problem.detail["differs"].split()
        return fields

    @property
    def shown_image(self) -> ImageFile | None:
        """The picture that is decided about: one that is perhaps another doctor's, or not the one of the seal."""
        if self.held_image is not None or self.row_plan is None:
            return self.held_image
        return self.row_plan.doctor.picture if Field.PICTURE in self.differing_fields else None

    @property
    def may_be_another_person(self) -> bool:
        """Whether a changed row has another name and another staff number than the doctor whose seal it is compared with."""
        problems = self.row_plan.problems if self.row_plan else ()
        return any(
            problem.code == "CONTENT_CHANGED" and bool(problem.detail.get("sealed")) for problem in problems
        )

    @property
    def held_image(self) -> ImageFile | None:
        """The row's picture, where it may be an earlier doctor's and nothing else is wrong with the row."""
        row_plan = self.row_plan
        is_held = row_plan is not None and row_plan.status is Status.REJECTED and row_plan.review is not None
        return row_plan.doctor.held_image if row_plan is not None and is_held else None

    @property
    def same_person_detail(self) -> Mapping[str, str] | None:
        """What is known of the person whose corrected number a row may give, None for any other case."""
        if self.possibly_same is None or self.attempt is not None or self.row_plan is None:
            return None
        details = (
            problem.detail
            for problem in self.row_plan.problems
            if problem.code == "PERSON_POSSIBLY_SAME" and "agreed" in problem.detail
        )
        return next(details, None)

    def list_kinds(self) -> tuple[DecisionKind, ...]:
        """Return the decisions that the case waits for."""
        if self.must_choose_seal:
            return ("created",)
        if self.attempt is not None:
            return "created", "not_theirs" if self.status is Status.EXISTS else "not_created"
        if self.status is Status.CHANGED:
            return "keep", "replace"
        of_persons: tuple[DecisionKind, ...] = ("same_person", "other_person") if self.possibly_same else ()
        of_picture: tuple[DecisionKind, ...] = ("keep",) if self.held_image else ()
        return of_persons + of_picture

    def compute_digest(self) -> str:
        """Return what stands for all of the case that a decision depends on: it differs once anything was decided or changed."""
        attempt, seal, row_plan, same = self.attempt, self.history.seal, self.row_plan, self.possibly_same
        doctor = row_plan.doctor if row_plan else None
        images = (doctor.picture, doctor.held_image) if doctor else ()
        facts = (
            self.key,
            self.status.value,
            attempt and (attempt.uuid, attempt.verdict, *self.history.contradicting_seal_ids),
            seal and seal.seal_id,
            self.seal_name,
            same and (same.key, same.seal and same.seal.seal_id, same.unresolved_attempt is not None),
            doctor and (doctor.row_id, [image and image.sha256 for image in images]),
            row_plan and [(problem.code, dict(problem.detail)) for problem in row_plan.problems],
        )
        return hashlib.sha256(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()

    def choose_step(self, command_line: CommandLine) -> NextStep:
        """Return what to find out, and the commands that enter it."""
        seal = self.history.seal
        return choose_person_step(
            PersonState(
                command_line=command_line,
                status=self.status,
                row=RowOutcome.of_plan(self.row_plan) if self.row_plan else None,
                is_gone=False,
                is_run_under_way=False,
                open_create=self.attempt,
                contradicting=self.history.contradicting_seal_ids,
                seal_id=seal.seal_id if seal else None,
                refusal_code="",
                last_run=None,
            )
        )

    def is_meant_by(self, query: str) -> bool:
        """Return whether a query means this person: name, staff number, last four, seal name, SealId, trace id, key."""
        doctor = self.row_plan.doctor if self.row_plan else None
        identifiers = {self.name, self.seal_name, self.key}
        for history in filter(None, (self.history, self.possibly_same)):
            identifiers |= {history.key, (history.seal.seal_id if history.seal else None) or ""}
            identifiers.add(history.unresolved_attempt.uuid if history.unresolved_attempt else "")
        if doctor is not None:
            identifiers |= {doctor.staff_no or "", doctor.number or "", (doctor.number or "")[-4:]}
        name_key = make_name_key(query)
        if name_key and name_key == make_name_key(self.name):
            return True
        return bool(query) and query.casefold() in {word.casefold() for word in identifiers}


def list_cases(row_plans: Sequence[RowPlan], snapshot: LedgerSnapshot) -> list[Case]:
    """Return every case once, those of the roster in its order, then the others by name."""
    rows: dict[str, RowPlan] = {}
    for row_plan in row_plans:
        if row_plan.doctor.key is not None and _needs_decision(row_plan):
            rows.setdefault(row_plan.doctor.key, row_plan)
    without_row = [
        Case(key, get_attempt_status(attempt), attempt.sent_name or history.name or "", history)
        for key, history in snapshot.people.items()
        if (attempt := history.unresolved_attempt) is not None and key not in rows
    ]
    with_row = [_make_case(key, row_plan) for key, row_plan in rows.items()]
    return with_row + sorted(without_row, key=lambda case: case.name)


def merge_cases(cases: Sequence[Case], others: Sequence[Case]) -> list[Case]:
    """Return the cases of two sets of rosters, one a person; one with a row counts before one without."""
    by_key = {case.key: case for case in cases}
    for case in others:
        if case.key not in by_key or by_key[case.key].row_plan is None:
            by_key[case.key] = case
    return list(by_key.values())


def _needs_decision(row_plan: RowPlan) -> bool:
    history = row_plan.history
    has_open_create = history is not None and history.unresolved_attempt is not None
    is_changed = history is not None and row_plan.status is Status.CHANGED
    is_rejected = row_plan.status is Status.REJECTED
    is_held = is_rejected and row_plan.doctor.held_image is not None and row_plan.review is not None
    return row_plan.possibly_same is not None or is_changed or has_open_create or is_held


def _make_case(key: str, row_plan: RowPlan) -> Case:
    history = row_plan.history or Person(key)
    attempt = history.unresolved_attempt
    status = get_attempt_status(attempt) if attempt else row_plan.status
    sent = attempt or history.seal
    sent_name = sent.content.name if sent and sent.content else ""
    return Case(key, status, row_plan.doctor.name or sent_name, history, row_plan)


@dataclass(frozen=True, slots=True)
class PossiblySame:
    """The person whose corrected number a row may give."""

    agrees: tuple[str, ...]  # fields in which both agree
    seal_name: str
    seal_id: str | None
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class WaitingCase:
    """A case as `resolve` lists it, numbers masked; ``trace_id``, else ``seal_id``, is the word that means it alone."""

    status: str
    key: str
    name: str = _field(repr=False)
    # what distinguishes two namesakes: staff number, last four, and the row that a roster has or had
    staff_no: str | None
    last_four: str | None
    file: str | None
    sheet: str | None
    row: int | None
    seal_name: str | None
    seal_id: str | None
    sent: str | None  # local ISO 8601
    host: str | None
    trace_id: str | None
    seal_id_in_answer: str | None  # evidence alone
    contradicting: tuple[str, ...]  # SealIds of which one is to be chosen
    differs: tuple[str, ...]  # fields in which a row differs from its seal
    possibly_same: PossiblySame | None

    def describe_location(self, language: str) -> str:
        """Return what distinguishes two namesakes, and where the row is, masked."""
        position = " ".join(filter(None, (self.file, self.sheet, str(self.row))))
        parts = _list_numbers(self.staff_no, self.last_four, language)
        if self.file:
            parts.append(render_positions(position, language))
        return mask_text(render("separator.comma", language).join(parts) or "—")

    def to_dict(self) -> dict[str, Any]:
        """Return the case as `resolve --json` shows it."""
        return asdict(self)


def describe_person(name: str | None, staff_no: str | None, last_four: str | None, language: str) -> str:
    """Return a doctor's name with what distinguishes two namesakes, masked."""
    numbers = render("separator.comma", language).join(_list_numbers(staff_no, last_four, language))
    brackets = render("separator.brackets", language, text=numbers) if numbers else ""
    return mask_text((name or render("who.nameless", language)) + brackets)


def _list_numbers(staff_no: str | None, last_four: str | None, language: str) -> list[str]:
    numbers = (("who.staff_no", staff_no), ("who.last_four", last_four))
    return [render(key, language, text=text) for key, text in numbers if text]


def was_judged_not_created(ledger: Ledger, case: Case) -> bool:
    """Return whether the seal name that exists may be that of an earlier create of the doctor, judged as not created."""
    if case.status is not Status.EXISTS:
        return False
    person = ledger.read_person(case.key)
    judged = {one.attempt for one in person.decisions if one.kind == "not_created" and one.counts}
    return any(create.uuid in judged and create.seal_name == case.seal_name for create in person.attempts)


def describe_case(ledger: Ledger, case: Case) -> WaitingCase:
    file: str | None = None
    sheet: str | None = None
    row: int | None = None
    attempt, seal, same_person = case.attempt, case.history.seal, case.same_person_detail
    if case.row_plan is not None:
        doctor = case.row_plan.doctor
        origin = doctor.row.origin
        staff_no, number = doctor.staff_no, doctor.number
        file, sheet, row = origin.file, origin.sheet, origin.row
    else:  # its roster was named on the command line, or has lost the row
        timeline = build_timeline(ledger.read_person(case.key), get_run=ledger.get_run)
        staff_no, number, seen = timeline.staff_no, timeline.id_masked, timeline.seen
        if seen is not None:
            file, sheet, row = Path(seen.path).name, seen.sheet, seen.row
    return WaitingCase(
        status=case.status.value,
        key=case.key,
        name=case.name,
        staff_no=staff_no,
        last_four=number[-4:] if number else None,
        file=mask_text(file) if file else None,
        sheet=mask_text(sheet) if sheet else None,
        row=row,
        seal_name=case.seal_name or None,
        seal_id=seal.seal_id if seal else None,
        sent=stamp(attempt.signed_at) if attempt else None,
        host=attempt.host if attempt else None,
        trace_id=attempt.uuid if attempt else None,
        seal_id_in_answer=(attempt.seal_id or None) if attempt and attempt.state != "sealed" else None,
        contradicting=tuple(case.history.contradicting_seal_ids),
        differs=tuple(case.differing_fields),
        possibly_same=_describe_same_person(same_person) if same_person else None,
    )


def dump_last_decision(last: LastDecision) -> dict[str, Any]:
    """Return a decision that can be withdrawn as `resolve --json` shows it."""
    decision = last.decision
    return {
        "id": decision.id,
        "decision": decision.kind,
        "at": stamp(decision.decided_at),
        "who": decision.who,
        "key": decision.key,
        "name": last.person.name,
        "last_four": (last.person.id_masked or "")[-4:] or None,
        "seal_name": last.person.seal_name,
        "seal_id": last.seal_id,
    }


def compute_decision_digest(last: LastDecision) -> str:
    """Return what stands for a decision that was shown, and for whether it could be withdrawn."""
    facts = (dump_last_decision(last), last.decision.attempt, last.decision.detail, last.create_at)
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()


def _describe_same_person(detail: Mapping[str, str]) -> PossiblySame:
    return PossiblySame(
        agrees=tuple(detail["agreed"].split()),
        seal_name=detail["sealed"],
        seal_id=detail.get("seal") or None,
        trace_id=detail.get("trace") or None,
    )
