"""Rows for which nothing is sent: how they stand, and the pictures of those that could be sent decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from pipeline.domain.roster import ImageFile, PreparedImage, Problem
from pipeline.domain.run import RowOutcome, RowPlan, Status
from pipeline.messages.problems import waits_for_machine
from pipeline.planning.plan import outcome_if_not_sent
from pipeline.sending.submit import (
    IMAGE_WORKERS,
    Prepare,
    build_not_sent_outcome,
    build_unfit_outcome,
    prepare_image,
)


def check_images(planned: Iterable[RowPlan], prepare: Prepare) -> tuple[RowOutcome, ...]:
    """Return how rows stand for which nothing is sent, the pictures of those that could be sent decoded.

    So are those that several people share, for which nothing else would show that they are blank or damaged besides.
    """
    faults = _SharedFaults(prepare)
    with ThreadPoolExecutor(IMAGE_WORKERS) as threads:
        return tuple(threads.map(partial(_examined, prepare, faults), planned))


class _SharedFaults:
    """What is wrong with pictures that several people share; each picture is decoded once."""

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self._found: dict[ImageFile, tuple[Problem, ...]] = {}

    def of(self, planned: RowPlan) -> tuple[Problem, ...]:
        """Return what is wrong with a row's picture beside what the row has been told."""
        picture = planned.doctor.picture
        told = {each.code for each in planned.problems}
        if picture is None or "IMAGE_SHARED" not in told or planned.status is not Status.REJECTED:
            return ()
        if picture not in self._found:
            prepared = prepare_image(self._prepare, planned)
            self._found[picture] = () if isinstance(prepared, PreparedImage) else prepared
        return tuple(each for each in self._found[picture] if each.code not in told | {"IMAGE_NOT_READ"})


def _examined(prepare: Prepare, faults: _SharedFaults, planned: RowPlan) -> RowOutcome:
    """Decode the picture of a row that would be sent: what a run would find just before its upload."""
    if shared := faults.of(planned):
        return replace(outcome_if_not_sent(planned), problems=(*planned.problems, *shared))
    if planned.status not in {Status.READY, Status.NOT_SENT} or planned.doctor.picture is None:
        return outcome_if_not_sent(planned)
    if waits_for_machine(planned.doctor.errors):
        return outcome_if_not_sent(planned)
    prepared = prepare_image(prepare, planned)
    if not isinstance(prepared, PreparedImage):
        own = [
            each for each in planned.problems if each.code != "REVIEW_MISSING"
        ]  # there is nothing to review
        return build_unfit_outcome(replace(planned, problems=tuple(own)), prepared)
    return replace(
        outcome_if_not_sent(planned), problems=(*planned.problems, *prepared.problems), prepared=prepared
    )


def finish_unsent_rows(rest: Sequence[RowOutcome], prepare: Prepare) -> Iterator[RowOutcome]:
    """Yield how the rows end that stood so and for which nothing was sent.

    What waits for a review is examined, and what was refused for a picture that several people share.
    """
    waiting = [each.row_plan for each in rest if _is_examined(each)]
    examined = iter(check_images(waiting, prepare))
    for each in rest:
        if _is_examined(each):
            yield next(examined)
        else:
            yield build_not_sent_outcome(each.row_plan) if each.status is Status.READY else each


def _is_examined(outcome: RowOutcome) -> bool:
    shared = any(each.code == "IMAGE_SHARED" for each in outcome.row_plan.problems)
    return outcome.status is Status.NOT_SENT or (outcome.status is Status.REJECTED and shared)
