"""Where roster and ledger meet: what each row is already, and what would be sent for it.

Pure: the same rows and the same snapshot give the same plan, whatever the rows' order. ``check`` ends here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial

from pipeline import row_failures
from pipeline.domain.fields import FIELDS, list_content, list_sent_values
from pipeline.domain.roster import Doctor, Field, ImageFile, Problem, SentSize, Severity, list_spellings
from pipeline.domain.run import Judged, Judgement, Review, RowOutcome, RowPlan, Status
from pipeline.domain.seals import LedgerSnapshot, PersonHistory, SealContent, SealRequest
from pipeline.domain.service_codes import means_name_exists
from pipeline.errors import NotReadNow
from pipeline.messages.problems import forgiven, problem, waits_for_machine
from pipeline.planning.same_person import AbsentPersons, describe_possibly_same
from pipeline.planning.seal_names import assign_seal_names

NIGHTS = 3  # a refused row is sent again until its first refusal is so many nights old
# nothing of the past is told of these
_UNTOUCHED = frozenset({Status.REJECTED, Status.READY, Status.NOT_SENT})


@dataclass(frozen=True, slots=True)
class PlanRules:
    """What a plan needs to know beside roster and ledger."""

    template: str  # {name} {staff_no} {department}
    again: bool  # an explicit retry: refused rows are sent again however old
    digest: Callable[[str], str]  # HMAC of a number or mobile under the site key
    same_picture: Callable[[ImageFile, SealContent], bool]  # equal bytes or equal pixels
    today: date
    day_of: Callable[[float], date]  # local calendar day of unix seconds
    has_reason: Callable[[str, str], bool]  # does a refusal's code and message say why
    name_problem: Callable[[str], Problem | None]  # length and characters of a seal name
    may_probe: Callable[[PersonHistory], bool] = lambda _: (
        False
    )  # may an unknown create be settled by the identical request
    judgement_id: Callable[[str, str, str, str], str] | None = (
        None  # of key, name, seal name, picture's sha256
    )
    judgements: Mapping[str, Judgement] = field(default_factory=dict)
    require_review: bool = False  # only what was judged right is sent
    # by person: the seal's picture may have been sent smaller than it is (``sent_sizes``)
    shrunk: Mapping[str, SentSize] = field(default_factory=dict)


def plan_rows(
    doctors: Sequence[Doctor], snapshot: LedgerSnapshot, rules: PlanRules, *, beside: Collection[str] = ()
) -> list[RowPlan]:
    """Return one Planned a doctor, in the same order; READY ones carry the request that would be sent.

    ``beside`` are the people of rows that are not asked for: they keep their seal names.
    """
    drawn = find_owners_by_image(snapshot, lambda made: made.picture)
    present = {*beside, *(doctor.key for doctor in doctors)}
    absent = AbsentPersons(snapshot, present, rules.digest, rules.same_picture)
    first = [
        row_failures.isolate_row_failure(
            partial(_place, doctor, snapshot, drawn, absent, rules),
            partial(_not_placed, doctor, snapshot),
            stage="plan",
            row_id=doctor.row_id,
        )
        for doctor in doctors
    ]
    reviewed = [
        row_failures.isolate_row_failure(
            partial(_reviewed, each, rules),
            partial(_not_ready, each),
            stage="plan",
            row_id=each.doctor.row_id,
        )
        for each in _with_names(first, snapshot, rules, beside)
    ]
    return [replace(row_plan, index=index) for index, row_plan in enumerate(reviewed)]


def _not_placed(doctor: Doctor, snapshot: LedgerSnapshot, found: Problem) -> RowPlan:
    """Return the plan of a row over which planning broke: what the ledger knows of its person, and nothing is sent."""
    past = snapshot.people.get(doctor.key) if doctor.key else None
    status = Status.REJECTED
    if past is not None and past.unresolved_attempt is not None:
        status = Status.EXISTS if past.unresolved_attempt.verdict == "exists" else Status.UNKNOWN
    elif past is not None and past.seal is not None:
        status, found = Status.UNCHANGED, forgiven(found)
    seal_name = past.seal_name if past else None
    return RowPlan(doctor, status, seal_name, past, problems=(*doctor.problems, found))


def _not_ready(planned: RowPlan, found: Problem) -> RowPlan:
    """Return the plan of a row over which its last steps broke: one that was ready is not sent."""
    if planned.status is not Status.READY:
        return planned
    return replace(planned, status=Status.REJECTED, request=None, problems=(*planned.problems, found))


def find_owners_by_image(
    snapshot: LedgerSnapshot, what: Callable[[SealContent], str | None]
) -> dict[str, PersonHistory]:
    """Return whose seal, or create without a verdict, was made from a picture: by ``what`` tells one from another.

    A picture of a seal that was given up, or of before a `resolve --keep`, stays that person's.
    """
    found = {
        what(made.content): past
        for past in snapshot.people.values()
        if (made := past.seal or past.unresolved_attempt) and made.content is not None
    }
    former = {
        drawing: snapshot.people[key]
        for drawing, key in snapshot.former_image_owners.items()
        if key in snapshot.people
    }
    return {**former, **{drawing: past for drawing, past in found.items() if drawing is not None}}


def find_image_conflict(doctor: Doctor, owner: PersonHistory | None) -> Problem | None:
    """Return why a picture that already made ``owner``'s seal must not make this doctor's."""
    if owner is None or owner.key == doctor.key:
        return None
    sealed = owner.seal_name or ""
    file = doctor.picture.path.name if doctor.picture else ""
    address = doctor.row.address(Field.PICTURE)
    return problem("IMAGE_SHARED", Field.PICTURE, address, other=sealed, sealed=sealed, file=file)


def outcome_if_not_sent(planned: RowPlan) -> RowOutcome:
    """Return the outcome of a row for which nothing is sent: what the ledger knows of its person."""
    past, status, problems = planned.history, planned.status, planned.problems
    if past is None or status in _UNTOUCHED:
        return RowOutcome(planned, status, attempts=past.create_count if past else 0, problems=problems)
    if past.seal is not None:
        seal = past.seal
        return RowOutcome(
            planned,
            status,
            seal_id=seal.seal_id,
            request_id=seal.request_id,
            trace_id=seal.trace_id,
            attempts=past.create_count,
            last_attempt_at=seal.created_at,
            problems=problems,
        )
    last = past.unresolved_attempt or past.refusals[-1]
    return RowOutcome(
        planned,
        status,
        attempts=past.create_count,
        problems=problems,
        request_id=last.request_id,
        trace_id=last.uuid,
        last_attempt_at=last.signed_at,
        host=last.host,
        code=last.code,
        message=last.message,
        unproven_seal_id=last.unproven_seal_id,
    )


def _place(
    doctor: Doctor,
    snapshot: LedgerSnapshot,
    drawn: Mapping[str, PersonHistory],
    absent: AbsentPersons,
    rules: PlanRules,
) -> RowPlan:
    past = snapshot.people.get(doctor.key) if doctor.key else None
    if past is not None and _is_probed(doctor, past, rules):
        return RowPlan(doctor, Status.READY, past.seal_name, past, problems=doctor.problems)
    if past is not None and _is_held(doctor, past):
        if doctor.problems:
            doctor = replace(doctor, problems=_forgiven(doctor.problems))
        return _known(doctor, past, rules)
    if possibly := _find_possibly_same(doctor, past, absent):
        owner, agreed = possibly
        trouble = describe_possibly_same(doctor, owner, agreed, rules.day_of)
        return replace(_rejected(doctor, past, trouble), possibly_same=owner)
    return _new(doctor, past, drawn, rules)


def _new(
    doctor: Doctor, past: PersonHistory | None, drawn: Mapping[str, PersonHistory], rules: PlanRules
) -> RowPlan:
    """Return the plan of a row whose person has no seal and no open create."""
    if doctor.errors:
        status = Status.NOT_SENT if waits_for_machine(doctor.errors) else Status.REJECTED
        return RowPlan(doctor, status, past.seal_name if past else None, past, problems=doctor.problems)
    if doctor.picture and (stranger := find_image_conflict(doctor, drawn.get(doctor.picture.sha256))):
        return _rejected(doctor, past, stranger)
    content = _content(doctor, rules)
    if past and not rules.again and _retry_exhausted(past, content, rules):
        return RowPlan(doctor, Status.FAILED, past.seal_name, past, problems=doctor.problems)
    return RowPlan(doctor, Status.READY, past.seal_name if past else None, past, problems=doctor.problems)


def _find_possibly_same(
    doctor: Doctor, past: PersonHistory | None, absent: AbsentPersons
) -> tuple[PersonHistory, list[Field]] | None:
    """Return whose corrected number a row may give; a person with a past of her own, or a spare copy, gives none."""
    if (past and (past.seal or past.unresolved_attempt)) or any(map(_marks_a_spare_copy, doctor.errors)):
        return None
    return absent.find(doctor) if doctor.key else None


def _is_probed(doctor: Doctor, past: PersonHistory, rules: PlanRules) -> bool:
    """Tell whether a row is, to the letter, the create that has no verdict, and may be sent once more."""
    if past.unresolved_attempt is None or doctor.errors or not rules.may_probe(past):
        return False
    return _as_planned(past.unresolved_attempt.content) == _content(doctor, rules)


def _is_held(doctor: Doctor, past: PersonHistory) -> bool:
    """Tell whether what the ledger knows of a person outweighs the row's own troubles.

    A create without a verdict always does, except on a spare copy of the row; a seal outweighs what it does not need.
    """
    if past.unresolved_attempt is not None:
        return not any(_marks_a_spare_copy(error) for error in doctor.errors)
    return past.seal is not None and all(
        error.field is not None and FIELDS[error.field].is_forgivable for error in doctor.errors
    )


def _marks_a_spare_copy(error: Problem) -> bool:
    """Tell whether another row stands for the person; rows that contradict each other stand for nobody."""
    return error.code == "ROW_DUPLICATE" and not error.detail.get("differs")


def _forgiven(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    return tuple(map(forgiven, problems))


def _rejected(doctor: Doctor, past: PersonHistory | None, *troubles: Problem) -> RowPlan:
    problems = (*doctor.problems, *troubles)
    return RowPlan(doctor, Status.REJECTED, past.seal_name if past else None, past, problems=problems)


def _known(doctor: Doctor, past: PersonHistory, rules: PlanRules) -> RowPlan:
    """Place a person who has a seal, or whose last create has no verdict: nothing is sent either way."""
    if past.seal is None:
        assert past.unresolved_attempt is not None
        status = Status.EXISTS if past.unresolved_attempt.verdict == "exists" else Status.UNKNOWN
        return RowPlan(doctor, status, past.seal_name, past, problems=doctor.problems)
    try:
        differs = _differences(doctor, past, rules)
    except NotReadNow as trouble:
        unread = _not_read(doctor, trouble)
        return RowPlan(
            doctor, Status.UNCHANGED, past.seal.seal_name, past, problems=(*doctor.problems, unread)
        )
    if not differs and past.key in rules.shrunk:
        return _maybe_shrunk(doctor, past.seal.seal_name, past, rules.shrunk[past.key])
    if not differs:
        return RowPlan(doctor, Status.UNCHANGED, past.seal.seal_name, past, problems=doctor.problems)
    changed = problem(
        "CONTENT_CHANGED", differs[0], doctor.row.address(differs[0]), differs=" ".join(differs)
    )
    return RowPlan(doctor, Status.CHANGED, past.seal.seal_name, past, problems=(*doctor.problems, changed))


def _not_read(doctor: Doctor, trouble: NotReadNow) -> Problem:
    """Return the warning of a sealed person whose picture could not be compared with the seal's this time."""
    assert doctor.picture is not None
    place = Field.PICTURE, doctor.row.address(Field.PICTURE)
    return forgiven(
        problem("IMAGE_NOT_READ", *place, file=doctor.picture.path.name, severity=None, **trouble.words)
    )


def _maybe_shrunk(doctor: Doctor, seal_name: str, past: PersonHistory, size: SentSize) -> RowPlan:
    """Place a person whose seal may have been made from a thumbnail of the picture."""
    assert size.shrunk
    assert size.whole
    place = Field.PICTURE, doctor.row.address(Field.PICTURE)
    sent, whole = ("×".join(map(str, each)) for each in (size.shrunk, size.whole))
    changed = problem("CONTENT_CHANGED", *place, differs=Field.PICTURE, sent=sent, whole=whole)
    return RowPlan(doctor, Status.CHANGED, seal_name, past, problems=(*doctor.problems, changed))


def _differences(doctor: Doctor, past: PersonHistory, rules: PlanRules) -> list[Field]:
    """Return the fields in which a row differs from its seal; what the row does not give is not compared."""
    assert past.seal is not None
    made = past.seal.content
    if made is None:  # adopted: nobody knows what it was made from
        return []
    content = list_content(doctor, rules.digest)
    differs = {
        field: content[name] != getattr(made, name)
        for field, definition in FIELDS.items()
        if (name := definition.content) and (content[name] is not None or definition.blank_is_content)
    }
    if doctor.number is not None:
        differs[Field.NUMBER] = made.number not in _number_digests(doctor, rules)
    if doctor.picture is not None:
        differs[Field.PICTURE] = not rules.same_picture(doctor.picture, made)
    if doctor.seal_name is not None:
        differs[Field.SEAL_NAME] = doctor.seal_name not in {past.seal.seal_name, made.seal_name}
    return [field for field, is_different in differs.items() if is_different]


def _number_digests(doctor: Doctor, rules: PlanRules) -> list[str]:
    """Return the digest of a row's number, then those by which a ledger of an earlier version may hold it."""
    assert doctor.number
    return [rules.digest(each) for each in list_spellings(doctor.number, doctor.id_type)]


def _content(doctor: Doctor, rules: PlanRules) -> SealContent:
    assert doctor.name
    assert doctor.number
    assert doctor.picture
    return SealContent(**list_content(doctor, rules.digest), pixels=None)


def _as_planned(content: SealContent) -> SealContent:
    """Return an attempt's content without what only the picture's preparation finds."""
    return replace(content, pixels=None, sent_size=None)


def _retry_exhausted(past: PersonHistory, content: SealContent, rules: PlanRules) -> bool:
    """Tell whether a refused row waits for changed content or an explicit retry."""
    same = [each for each in past.refusals if _as_planned(each.content) == content]
    if not same or means_name_exists(same[-1].code or "", same[-1].message or ""):
        return False  # a ledger of an older version: asked again, the row is held
    if not rules.has_reason(same[-1].code or "", same[-1].message or ""):
        return True
    return (rules.today - rules.day_of(same[0].signed_at)).days >= NIGHTS


def _with_names(
    planned: Sequence[RowPlan], snapshot: LedgerSnapshot, rules: PlanRules, beside: Collection[str]
) -> list[RowPlan]:
    """Give every READY row its seal name and its request, or what forbids the name."""
    ready = [each for each in planned if each.status is Status.READY]
    named = iter(
        assign_seal_names(ready, planned, snapshot, rules.template, rules.name_problem, beside=beside)
    )
    return [
        row_failures.isolate_row_failure(
            partial(_named, each, *next(named), rules),
            partial(_not_ready, each),
            stage="plan",
            row_id=each.doctor.row_id,
        )
        if each.status is Status.READY
        else each
        for each in planned
    ]


def _named(planned: RowPlan, name: str, troubles: Sequence[Problem], rules: PlanRules) -> RowPlan:
    problems = (*planned.problems, *troubles)
    if any(each.severity == "error" for each in troubles):
        return replace(planned, status=Status.REJECTED, problems=problems)
    return replace(planned, seal_name=name, problems=problems, request=_request(planned.doctor, name, rules))


def _reviewed(planned: RowPlan, rules: PlanRules) -> RowPlan:
    """Let what a human judged of a row's pairing decide: wrong is never sent; where it is required, nor is not right."""
    doctor, past = planned.doctor, planned.history
    concerned = planned.status in {Status.READY, Status.FAILED} or (
        rules.judgements and planned.status is not Status.REJECTED
    )
    if rules.judgement_id is None or not concerned or not (doctor.key and doctor.name and planned.seal_name):
        return planned
    if doctor.picture is None:
        return planned
    identity = rules.judgement_id(doctor.key, doctor.name, planned.seal_name, doctor.picture.sha256)
    known = rules.judgements.get(identity)
    judged = known.judged if known else None
    planned = replace(planned, review=Review(identity, judged))
    barred = judged == "wrong" or (rules.require_review and judged != "right")
    if planned.status is Status.READY and barred:
        if (
            past is not None and past.unresolved_attempt is not None
        ):  # a probe: the create without a verdict is held again
            return replace(_known(doctor, past, rules), review=planned.review)
        return _barred(planned, judged)
    if judged == "wrong" and past is not None and past.seal is not None:
        return replace(planned, problems=(*planned.problems, _judged_wrong(doctor, severity="warning")))
    return planned


def _barred(planned: RowPlan, judged: Judged | None) -> RowPlan:
    wrong = judged == "wrong"
    trouble = _judged_wrong(planned.doctor) if wrong else problem("REVIEW_MISSING")
    status = Status.REJECTED if wrong else Status.NOT_SENT
    return replace(planned, status=status, request=None, problems=(*planned.problems, trouble))


def _judged_wrong(doctor: Doctor, severity: Severity = "error") -> Problem:
    return problem("REVIEW_WRONG", Field.PICTURE, doctor.row.address(Field.PICTURE), severity=severity)


def _request(doctor: Doctor, seal_name: str, rules: PlanRules) -> SealRequest:
    staff_no = doctor.comparable_staff_no
    return SealRequest(
        key=doctor.key or "",
        row_id=doctor.row_id or "",
        seal_name=seal_name,
        values=list_sent_values(doctor),
        content=_content(doctor, rules),
        staff_no=rules.digest(staff_no) if staff_no else "",
    )
