"""Gives rows that can be sent their prepared pictures, or the problems that forbid it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pipeline.domain.roster import ImageFile, Problem
from pipeline.domain.run import RowPlan, Status
from pipeline.domain.seals import LedgerSnapshot, PersonHistory
from pipeline.errors import isolate_row_failure
from pipeline.intake.images.prepare import ImageExaminer
from pipeline.messages.problems import waits_for_machine_only
from pipeline.planning.plan import get_image_conflict, get_owners_by_image


def prepare_images(
    row_plans: Iterable[RowPlan], images: ImageExaminer, snapshot: LedgerSnapshot
) -> list[RowPlan]:
    """Return the plans with the pictures of READY rows, and of rows that wait for a review.

    A row whose picture cannot be used is rejected. So is one whose picture shows the same as that of another person's
    seal. Raises OSError where the disk refuses.
    """
    pixel_owners = get_owners_by_image(snapshot, lambda content: content.pixels)
    return [_prepare_image(row_plan, images, pixel_owners) for row_plan in row_plans]


def _prepare_image(
    row_plan: RowPlan, images: ImageExaminer, pixel_owners: Mapping[str, PersonHistory]
) -> RowPlan:
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
        lambda: _add_image(row_plan, images, image, pixel_owners),
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
    further = [error for error in images.examine(image).errors if error.code not in known_codes]
    return replace(row_plan, problems=(*row_plan.problems, *further))


def _add_image(
    row_plan: RowPlan, images: ImageExaminer, image: ImageFile, pixel_owners: Mapping[str, PersonHistory]
) -> RowPlan:
    examined = images.examine(image)
    prepared = examined.prepared
    if prepared is None:
        return _refuse_image(row_plan, examined.errors)
    if conflict := get_image_conflict(row_plan.doctor, pixel_owners.get(prepared.pixels)):
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
