"""Outcomes of rows for which nothing is sent; the pictures of those that could be sent are decoded all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from pipeline.domain.roster import Doctor, ImageFile, PreparedImage, Problem
from pipeline.domain.run import RowOutcome, RowPlan, Status
from pipeline.domain.seals import PersonHistory
from pipeline.errors import NotReadNow, isolate_row_failure, require_lasting
from pipeline.messages.problems import waits_for_machine_only
from pipeline.planning.known_people import describe_unread_image
from pipeline.planning.plan import find_image_conflict

IMAGE_WORKERS = 2  # threads that decode, always the same: each keeps the memory of a picture for its next one
# statuses of rows whose outcome repeats nothing of earlier runs
_WITHOUT_HISTORY = frozenset({Status.REJECTED, Status.READY, Status.NOT_SENT})


@dataclass(frozen=True, slots=True)
class ImagePreparer:
    """Decodes the pictures of rows and prepares the bytes to send."""

    prepare_image: Callable[[ImageFile], PreparedImage | tuple[Problem, ...]]
    # digest of pixels -> the person whose seal shows the same picture, perhaps in another format
    pixel_owners: Mapping[str, PersonHistory]
    find_pixels: Callable[[ImageFile], str | None] = lambda _: None  # of a picture that was prepared before
    is_ready: Callable[[ImageFile], bool] = lambda _: False  # whether to prepare it opens no file

    def prepare_pixels(self, picture: ImageFile) -> str | None:
        """Prepare a picture before its turn; return the digest of its pixels, None where its turn has to show why not."""
        try:
            prepared = self.prepare_image(picture)
        except OSError:
            return None
        return prepared.pixels if isinstance(prepared, PreparedImage) else None

    def prepare(self, doctor: Doctor) -> PreparedImage | tuple[Problem, ...]:
        """Prepare a row's picture; a failure is that row's problem. Raises OSError where the disk refuses."""
        try:
            return isolate_row_failure(
                lambda: self._prepare(doctor),
                lambda failure: (failure,),
                stage="picture",
                row_id=doctor.row_id,
            )
        except OSError as error:
            try:
                require_lasting(error)
            except NotReadNow as trouble:
                return (describe_unread_image(doctor, trouble),)
            raise

    def _prepare(self, doctor: Doctor) -> PreparedImage | tuple[Problem, ...]:
        assert doctor.picture is not None
        prepared = self.prepare_image(doctor.picture)
        if not isinstance(prepared, PreparedImage):
            return prepared
        conflict = find_image_conflict(doctor, self.pixel_owners.get(prepared.pixels))
        return (conflict,) if conflict else prepared


def build_initial_outcome(row_plan: RowPlan) -> RowOutcome:
    """Return the outcome of a row before anything is sent: what the ledger knows of its person."""
    person, status = row_plan.history, row_plan.status
    if person is None or status in _WITHOUT_HISTORY:
        return RowOutcome(row_plan, status, attempts=count_creates(row_plan), problems=row_plan.problems)
    if person.seal is not None:
        return RowOutcome(
            row_plan,
            status,
            seal_id=person.seal.seal_id,
            request_id=person.seal.request_id,
            trace_id=person.seal.trace_id,
            attempts=person.create_count,
            last_attempt_at=person.seal.created_at,
            problems=row_plan.problems,
        )
    last = person.unresolved_attempt or person.refusals[-1]
    return RowOutcome(
        row_plan,
        status,
        attempts=person.create_count,
        problems=row_plan.problems,
        request_id=last.request_id,
        trace_id=last.uuid,
        last_attempt_at=last.signed_at,
        host=last.host,
        code=last.code,
        message=last.message,
        unproven_seal_id=last.unproven_seal_id,
    )


def build_not_sent_outcome(row_plan: RowPlan) -> RowOutcome:
    """Return the outcome of a row whose turn did not come."""
    return RowOutcome(row_plan, Status.NOT_SENT, attempts=count_creates(row_plan), problems=row_plan.problems)


def build_unfit_outcome(row_plan: RowPlan, image_problems: tuple[Problem, ...]) -> RowOutcome:
    """Return the outcome of a row whose picture cannot be used, or could not be read this time."""
    problems = (*row_plan.problems, *image_problems)
    status = Status.NOT_SENT if waits_for_machine_only(image_problems) else Status.REJECTED
    return RowOutcome(row_plan, status, attempts=count_creates(row_plan), problems=problems)


def count_creates(row_plan: RowPlan) -> int:
    """Return how many creates were sent for the row's person before this run."""
    return row_plan.history.create_count if row_plan.history else 0


def check_images(row_plans: Iterable[RowPlan], preparer: ImagePreparer) -> tuple[RowOutcome, ...]:
    """Return the outcomes of rows for which nothing is sent, the pictures of those that could be sent decoded.

    So are pictures that several people share: nothing else would show that such a picture is also blank or damaged.
    """
    shared_problems: dict[ImageFile, tuple[Problem, ...]] = {}  # a picture of several people is decoded once
    with ThreadPoolExecutor(IMAGE_WORKERS) as threads:
        return tuple(threads.map(lambda plan: _check_image(plan, preparer, shared_problems), row_plans))


def _check_image(
    row_plan: RowPlan, preparer: ImagePreparer, shared_problems: dict[ImageFile, tuple[Problem, ...]]
) -> RowOutcome:
    doctor, outcome = row_plan.doctor, build_initial_outcome(row_plan)
    if _is_refused_for_sharing(outcome) and doctor.picture is not None:
        if doctor.picture not in shared_problems:
            prepared = preparer.prepare(doctor)
            shared_problems[doctor.picture] = () if isinstance(prepared, PreparedImage) else prepared
        known_codes = {"IMAGE_NOT_READ", *(problem.code for problem in row_plan.problems)}
        further = (other for other in shared_problems[doctor.picture] if other.code not in known_codes)
        return replace(outcome, problems=(*row_plan.problems, *further))
    if row_plan.status not in {Status.READY, Status.NOT_SENT} or doctor.picture is None:
        return outcome
    if waits_for_machine_only(doctor.errors):
        return outcome
    prepared = preparer.prepare(doctor)
    if not isinstance(prepared, PreparedImage):
        # there is nothing to review
        problems = tuple(problem for problem in row_plan.problems if problem.code != "REVIEW_MISSING")
        return build_unfit_outcome(replace(row_plan, problems=problems), prepared)
    return replace(outcome, problems=(*row_plan.problems, *prepared.problems), prepared=prepared)


def remove_key(outcome: RowOutcome) -> RowOutcome:
    """Return an outcome without the person's key: it was made with a key that is no secret."""
    doctor = replace(outcome.doctor, key=None)
    return replace(outcome, row_plan=replace(outcome.row_plan, doctor=doctor))


def merge_outcomes(
    initial_outcomes: Sequence[RowOutcome], sent: Iterable[RowOutcome], preparer: ImagePreparer
) -> tuple[RowOutcome, ...]:
    """Return one outcome a row, in the order of the plan: of those that were to be sent, and of all others.

    Of a row that waits for a review, or was refused for a picture that several people share, the picture is decoded.
    """
    by_index = {outcome.row_plan.index: outcome for outcome in sent}
    unsent = [outcome for outcome in initial_outcomes if outcome.row_plan.index not in by_index]
    by_index |= {
        outcome.row_plan.index: build_not_sent_outcome(outcome.row_plan)
        if outcome.status is Status.READY
        else outcome
        for outcome in unsent
    }
    to_check = [
        outcome.row_plan
        for outcome in unsent
        if outcome.status is Status.NOT_SENT or _is_refused_for_sharing(outcome)
    ]
    by_index |= {outcome.row_plan.index: outcome for outcome in check_images(to_check, preparer)}
    return tuple(by_index[outcome.row_plan.index] for outcome in initial_outcomes)


def _is_refused_for_sharing(outcome: RowOutcome) -> bool:
    is_shared = any(problem.code == "IMAGE_SHARED" for problem in outcome.row_plan.problems)
    return outcome.status is Status.REJECTED and is_shared
