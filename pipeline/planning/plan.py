"""Compares rows with the ledger's snapshot: each row gets the status that it already has, or the request to send.

Pure: the same rows and the same snapshot give the same plan, in any order of the rows. Rows that can be sent then get their
prepared pictures, or the problems that forbid it. ``check`` ends here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from pipeline.clock import local_date
from pipeline.domain.fields import FIELDS, list_sent_values
from pipeline.domain.roster import Doctor, Field, ImageFile, Problem, Severity
from pipeline.domain.run import (
    RowPlan,
    Status,
    get_attempt_status,
    is_copy_problem,
    is_held_problem,
)
from pipeline.domain.seals import Judged, LedgerSnapshot, Person, SealContent, SealRequest
from pipeline.domain.service_codes import has_reason
from pipeline.domain.site_key import SiteKey
from pipeline.errors import NotReadNow, isolate_row_failure
from pipeline.intake.images.prepare import ImageExaminer
from pipeline.intake.pairing.decided_pictures import DecidedPictures
from pipeline.messages.problems import build_problem, turn_into_warning, waits_for_machine_only
from pipeline.planning.known_people import (
    POSSIBLY_SAME,
    KnownPersons,
    as_planned,
    build_seal_content,
    describe_differences,
    describe_possibly_same,
    describe_unread_image,
    get_present_person,
    list_adopted_differences,
    list_differences,
    name_sealed_image,
)
from pipeline.planning.review import make_review, offer_held_image
from pipeline.planning.seal_names import SealNamer

RETRY_DAYS = 3  # a refused row is sent again until its first refusal is so many days old


@dataclass(frozen=True, slots=True)
class PlanRules:
    """What a plan depends on beside roster and ledger."""

    seal_name_template: str  # {name} {staff_no} {department}
    resend_refused: bool  # an explicit retry: refused rows are sent again however old
    site_key: SiteKey
    images: ImageExaminer
    now: float  # unix seconds
    seal_name_ascii: bool = False  # whether seal names may hold ASCII characters
    decided: DecidedPictures | None = None  # None: no row can be reviewed
    require_review: bool = False  # only rows judged right are sent


def plan_rows(
    doctors: Sequence[Doctor],
    snapshot: LedgerSnapshot,
    rules: PlanRules,
) -> list[RowPlan]:
    """Return one row plan a doctor, in the same order; READY ones carry the request that would be sent."""
    planner = _Planner(doctors, snapshot, rules)
    row_plans = [planner.plan_row(doctor, index) for index, doctor in enumerate(doctors)]
    row_plans = planner.name_seals(row_plans)
    row_plans = [planner.apply_review(row_plan) for row_plan in row_plans]
    return [
        row_plan if row_plan.index == index else replace(row_plan, index=index)
        for index, row_plan in enumerate(row_plans)
    ]


class ImageOwners:
    """Who has the seal, or the create without a verdict, that was made from each picture.

    A picture is named by its sha256 and by the digest of its pixels. A picture of a seal that was given up, or of before a
    `resolve --keep`, is held for another doctor until a person decides whose it is.
    """

    def __init__(self, snapshot: LedgerSnapshot, decided: DecidedPictures | None) -> None:
        self._decided = decided
        self._people = snapshot.people
        self._former = snapshot.former_image_owners
        self._owners: dict[str, Person] = {}
        for person in snapshot.people.values():
            made = person.seal or person.unresolved_attempt
            content = made.content if made else None
            digests = (content.picture, content.pixels) if content else ()
            self._owners |= {digest: person for digest in digests if digest is not None}

    def get_conflict(self, doctor: Doctor, image: ImageFile, digest: str) -> Problem | None:
        """Return why a picture that made another person's seal must not make this doctor's; ``digest`` is of bytes or pixels."""
        owner = self._owners.get(digest)
        if owner is None or owner.key == doctor.key:
            return None
        sealed = (owner.seal.seal_name if owner.seal else owner.seal_name) or ""
        cell = doctor.row.address(Field.PICTURE)
        return build_problem(
            "IMAGE_SHARED", Field.PICTURE, cell, other=sealed, sealed=sealed, file=image.name
        )

    def get_doubt(self, doctor: Doctor, image: ImageFile, images: ImageExaminer) -> Problem | None:
        """Return that a picture made another person's former seal, unless a person decided that it is this doctor's."""
        if not self._former or (self._decided is not None and self._decided.is_decided(doctor, image)):
            return None
        former = self._former.get(image.sha256) or self._former.get(images.examine(image).pixels or "")
        if former is None or former == doctor.key:
            return None
        cell, owner = doctor.row.address(Field.PICTURE), self._people.get(former)
        name = (owner.name if owner else None) or "—"
        detail = {"found": image.name, "name": doctor.name or "—", "former": name, "person": former}
        return build_problem("IMAGE_AMBIGUOUS", Field.PICTURE, cell, severity=None, **detail)


class _Planner:
    """Plans the rows of one run; a failure over one row is that row's problem."""

    def __init__(
        self,
        doctors: Sequence[Doctor],
        snapshot: LedgerSnapshot,
        rules: PlanRules,
    ) -> None:
        self._snapshot, self._rules = snapshot, rules
        self._image_owners = ImageOwners(snapshot, rules.decided)
        self._known_persons = KnownPersons(snapshot, doctors, rules.site_key, rules.images)

    # -- the status of each row

    def plan_row(self, doctor: Doctor, index: int) -> RowPlan:
        """Return a row's status; a READY row has no seal name and no request yet.

        The plan of a person who is known has its ``index`` already: in most runs these are nearly all rows.
        """
        person = self._snapshot.people.get(doctor.key) if doctor.key else None
        return isolate_row_failure(
            lambda: self._plan_row(doctor, person, index),
            lambda failure: _plan_failed_row(doctor, person, failure),
            stage="plan",
            row_id=doctor.row_id,
        )

    def _plan_row(self, doctor: Doctor, person: Person | None, index: int) -> RowPlan:
        if person is not None and _outweighs_errors(person, doctor):
            if doctor.problems:
                doctor = replace(doctor, problems=tuple(map(turn_into_warning, doctor.problems)))
            return self._plan_known_person(doctor, person, index)
        if possibly_same := self._get_possibly_same(doctor, person):
            owner, agreeing_fields = possibly_same
            doctor = _drop_held_image(doctor)  # whose picture it is follows from who the doctor is
            doctor, reason = describe_possibly_same(doctor, owner, agreeing_fields)
            return replace(_make_plan(doctor, person, Status.REJECTED, reason), possibly_same=owner)
        return self._plan_unsealed_person(doctor, person)

    def _get_possibly_same(self, doctor: Doctor, person: Person | None) -> tuple[Person, list[Field]] | None:
        """Return the person whose corrected number a row may give, and the fields that agree.

        A person with a seal or an attempt of their own is compared with no one; a redundant copy is decided with its original.
        """
        if person and (person.seal or person.unresolved_attempt):
            return None
        if doctor.key is None or any(map(is_copy_problem, doctor.errors)):
            return None
        return get_present_person(doctor, self._snapshot) or self._known_persons.get_possibly_same(doctor)

    def _plan_unsealed_person(self, doctor: Doctor, person: Person | None) -> RowPlan:
        """Return the plan of a row whose person has no seal and no unresolved attempt."""
        if doctor.held_image is not None:
            image = doctor.held_image
            if conflict := self._image_owners.get_conflict(doctor, image, image.sha256):
                return _make_plan(_drop_held_image(doctor), person, Status.REJECTED, conflict)
            doctor = _put_other_errors_first(doctor)
        if doctor.errors:
            waits = waits_for_machine_only(doctor.errors)
            return _make_plan(doctor, person, Status.NOT_SENT if waits else Status.REJECTED)
        if (own := doctor.picture) is not None:
            if conflict := self._image_owners.get_conflict(doctor, own, own.sha256):
                return _make_plan(doctor, person, Status.REJECTED, conflict)
            if doubt := self._image_owners.get_doubt(doctor, own, self._rules.images):
                return _make_plan(_hold_image(doctor), person, Status.REJECTED, doubt)
        content = build_seal_content(doctor, self._rules.site_key)
        waits = person is not None and not self._rules.resend_refused and self._is_exhausted(person, content)
        return _make_plan(doctor, person, Status.FAILED if waits else Status.READY)

    def _is_exhausted(self, person: Person, content: SealContent) -> bool:
        """Return whether a refused row waits for changed content or an explicit retry."""
        refusals = [
            refusal
            for refusal in person.refusals
            if refusal.content is not None and as_planned(refusal.content) == content
        ]
        if not refusals:
            return False
        code, message = refusals[-1].code or "", refusals[-1].message or ""
        if not has_reason(code, message):
            return True
        return (local_date(self._rules.now) - local_date(refusals[0].signed_at)).days >= RETRY_DAYS

    def _plan_known_person(self, doctor: Doctor, person: Person, index: int) -> RowPlan:
        """Return the plan of a row whose person has a seal or an unresolved attempt: nothing is sent."""
        seal = person.seal
        if seal is None:
            assert person.unresolved_attempt is not None
            return _make_plan(doctor, person, get_attempt_status(person.unresolved_attempt))
        status = Status.UNCHANGED
        reasons: tuple[Problem, ...] = ()
        try:
            differences = list_differences(doctor, seal, self._rules.site_key, self._rules.images)
            if seal.content is None:
                differences = list_adopted_differences(doctor, person, self._rules.site_key)
        except NotReadNow as trouble:
            reasons = (turn_into_warning(describe_unread_image(doctor, trouble)),)
        else:
            if differences:
                status = Status.CHANGED
                reasons = (describe_differences(doctor, differences, person, self._rules.site_key),)
        problems = name_sealed_image(doctor.problems, doctor, seal.content, self._rules.images)
        problems = (*problems, *reasons)
        return RowPlan(doctor, status, seal.seal_name, person, problems=problems, index=index)

    # -- seal names and requests

    def name_seals(self, row_plans: Sequence[RowPlan]) -> list[RowPlan]:
        """Give every READY row its seal name and its request, or the problem that forbids the name."""
        ready = [row_plan for row_plan in row_plans if row_plan.status is Status.READY]
        namer = SealNamer(
            row_plans,
            ready,
            self._snapshot,
            self._rules.seal_name_template,
            ascii_allowed=self._rules.seal_name_ascii,
        )
        return [
            self._name_seal(row_plan, *namer.name_seal(row_plan))
            if row_plan.status is Status.READY
            else row_plan
            for row_plan in row_plans
        ]

    def _name_seal(self, row_plan: RowPlan, seal_name: str, name_problems: Sequence[Problem]) -> RowPlan:
        problems = (*row_plan.problems, *name_problems)
        if any(problem.severity == "error" for problem in name_problems):
            return replace(row_plan, status=Status.REJECTED, problems=problems)
        return _isolate_failure(
            row_plan,
            lambda: replace(
                row_plan,
                seal_name=seal_name,
                problems=problems,
                request=_build_request(row_plan.doctor, seal_name, self._rules.site_key),
            ),
        )

    # -- the review

    def apply_review(self, row_plan: RowPlan) -> RowPlan:
        """Let the judgement of a row's pairing decide: wrong is never sent; where it is required, only right is."""
        is_held = row_plan.status is Status.REJECTED and row_plan.doctor.held_image is not None
        if not is_held:
            return _isolate_failure(row_plan, lambda: self._apply_review(row_plan))
        people, decided = self._snapshot.people, self._rules.decided
        return _isolate_failure(row_plan, lambda: offer_held_image(row_plan, people, decided))

    def _apply_review(self, row_plan: RowPlan) -> RowPlan:
        doctor, person, rules = row_plan.doctor, row_plan.history, self._rules
        if rules.decided is None or doctor.picture is None or row_plan.status is Status.REJECTED:
            return row_plan
        judged, review = rules.decided.get_judged(doctor, doctor.picture), None
        if row_plan.status in {Status.READY, Status.FAILED}:
            review = make_review(doctor, doctor.picture, rules.decided)
            row_plan = replace(row_plan, review=review)
        if row_plan.status is Status.READY and (
            judged == "wrong" or (rules.require_review and judged != "right")
        ):
            return _bar_unreviewed(row_plan, judged)
        if judged == "wrong" and person is not None and person.seal is not None:
            warning = _describe_wrong_pairing(doctor, severity="warning")
            return replace(row_plan, problems=(*row_plan.problems, warning))
        return row_plan


def _plan_failed_row(doctor: Doctor, person: Person | None, failure: Problem) -> RowPlan:
    """Return the plan of a row over which planning failed: what the ledger knows of its person; nothing is sent."""
    status = Status.REJECTED
    if person is not None and person.unresolved_attempt is not None:
        status = get_attempt_status(person.unresolved_attempt)
    elif person is not None and person.seal is not None:
        status, failure = Status.UNCHANGED, turn_into_warning(failure)
    return _make_plan(doctor, person, status, failure)


def _isolate_failure(row_plan: RowPlan, step: Callable[[], RowPlan]) -> RowPlan:
    """Return the result of a step; where it fails, a row that was ready is rejected."""

    def reject(failure: Problem) -> RowPlan:
        if row_plan.status is not Status.READY:
            return row_plan
        problems = (*row_plan.problems, failure)
        return replace(row_plan, status=Status.REJECTED, request=None, problems=problems)

    return isolate_row_failure(step, reject, stage="plan", row_id=row_plan.doctor.row_id)


def _outweighs_errors(person: Person, doctor: Doctor) -> bool:
    """Return whether the ledger's knowledge of a person outweighs the row's own errors.

    An unresolved attempt always does, except on a redundant copy of the row; a seal outweighs what it does not need, and
    that another row may be the same person: that row is held.
    """
    if person.unresolved_attempt is not None:
        return not any(map(is_copy_problem, doctor.errors))
    return person.seal is not None and all(
        error.code == POSSIBLY_SAME or (error.field is not None and FIELDS[error.field].is_forgivable)
        for error in doctor.errors
    )


def _put_other_errors_first(doctor: Doctor) -> Doctor:
    """Return a doctor whose picture is held, without a decision on it while the row has other errors.

    A picture that two rows have tonight is no question of earlier runs: that problem alone is named.
    """
    others = [error for error in doctor.errors if not is_held_problem(error)]
    if any(error.field is Field.PICTURE for error in others):
        return _drop_held_image(doctor)
    return replace(doctor, held_image=None) if others else doctor


def _hold_image(doctor: Doctor) -> Doctor:
    """Return a doctor whose picture waits for a person's decision."""
    return replace(doctor, picture=None, held_image=doctor.picture)


def _drop_held_image(doctor: Doctor) -> Doctor:
    """Return a doctor whose picture is held without it and its problem: another reason counts first."""
    problems = tuple(problem for problem in doctor.problems if not is_held_problem(problem))
    return replace(doctor, held_image=None, problems=problems)


def _make_plan(doctor: Doctor, person: Person | None, status: Status, *reasons: Problem) -> RowPlan:
    """Return a row's plan with the seal name that its person has already, and with problems beside the doctor's."""
    seal_name = person.seal_name if person else None
    return RowPlan(doctor, status, seal_name, person, problems=(*doctor.problems, *reasons))


def _bar_unreviewed(row_plan: RowPlan, judged: Judged | None) -> RowPlan:
    is_wrong = judged == "wrong"
    reason = _describe_wrong_pairing(row_plan.doctor) if is_wrong else build_problem("REVIEW_MISSING")
    status = Status.REJECTED if is_wrong else Status.NOT_SENT
    return replace(row_plan, status=status, request=None, problems=(*row_plan.problems, reason))


def _describe_wrong_pairing(doctor: Doctor, severity: Severity = "error") -> Problem:
    return build_problem("REVIEW_WRONG", Field.PICTURE, doctor.row.address(Field.PICTURE), severity=severity)


def _build_request(doctor: Doctor, seal_name: str, site_key: SiteKey) -> SealRequest:
    staff_no = doctor.comparable_staff_no
    return SealRequest(
        key=doctor.key or "",
        row_id=doctor.row_id or "",
        seal_name=seal_name,
        values=list_sent_values(doctor),
        content=build_seal_content(doctor, site_key),
        staff_no=site_key.digest(staff_no) if staff_no else "",
    )


# -- the pictures of the rows that can be sent


def prepare_images(row_plans: Iterable[RowPlan], snapshot: LedgerSnapshot, rules: PlanRules) -> list[RowPlan]:
    """Return the plans with the pictures of READY rows, and of rows that wait for a review.

    A row whose picture cannot be used is rejected. So is one whose picture shows the same as that of another person's
    seal. Raises OSError where the disk refuses.
    """
    owners = ImageOwners(snapshot, rules.decided)
    return [_prepare_image(row_plan, rules.images, owners) for row_plan in row_plans]


def _prepare_image(row_plan: RowPlan, images: ImageExaminer, owners: ImageOwners) -> RowPlan:
    doctor = row_plan.doctor
    if doctor.picture is None:
        return row_plan
    if _is_refused_for_sharing(row_plan):
        return _add_further_errors(row_plan, images, doctor.picture)
    waits = waits_for_machine_only(doctor.errors)
    if row_plan.status not in {Status.READY, Status.NOT_SENT} or waits:
        return row_plan
    image = doctor.picture
    return isolate_row_failure(
        lambda: _add_image(row_plan, images, image, owners),
        lambda failure: _refuse_image(row_plan, (failure,)),
        stage="picture",
        row_id=doctor.row_id,
    )


def _is_refused_for_sharing(row_plan: RowPlan) -> bool:
    is_shared = any(problem.code == "IMAGE_SHARED" for problem in row_plan.problems)
    return row_plan.status is Status.REJECTED and is_shared


def _add_further_errors(row_plan: RowPlan, images: ImageExaminer, image: ImageFile) -> RowPlan:
    """Return the plan with the errors of a picture that several people share: it may also be blank or damaged."""
    known_codes = {"IMAGE_NOT_READ", *(problem.code for problem in row_plan.problems)}
    examined = images.examine(image)
    further = [error for error in examined.errors if error.code not in known_codes]
    return replace(row_plan, sizes=examined.sizes, problems=(*row_plan.problems, *further))


def _add_image(row_plan: RowPlan, images: ImageExaminer, image: ImageFile, owners: ImageOwners) -> RowPlan:
    examined = images.examine(image)
    row_plan = replace(row_plan, sizes=examined.sizes)
    prepared = examined.prepared
    if prepared is None:
        return _refuse_image(row_plan, examined.errors)
    if conflict := owners.get_conflict(row_plan.doctor, image, prepared.pixels):
        return _refuse_image(row_plan, (conflict,))
    request = row_plan.request
    if request is not None:
        request = replace(request, content=replace(request.content, pixels=prepared.pixels))
    problems = (*row_plan.problems, *prepared.problems)
    return replace(row_plan, prepared=prepared, request=request, problems=problems)


def _refuse_image(row_plan: RowPlan, errors: Sequence[Problem]) -> RowPlan:
    """Return the plan of a row whose picture cannot be used, or could not be read this time: nothing to review."""
    status = Status.NOT_SENT if waits_for_machine_only(errors) else Status.REJECTED
    others = [problem for problem in row_plan.problems if problem.code != "REVIEW_MISSING"]
    return replace(row_plan, status=status, request=None, review=None, problems=(*others, *errors))
