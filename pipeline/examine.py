"""Rows for which nothing is sent: how they stand, and the pictures of those that could be sent decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from pipeline.model import Outcome, Planned, Status
from pipeline.plan import standing
from pipeline.problems import waits_for_machine
from pipeline.roster import Prepared
from pipeline.submit import PREPARERS, Prepare, not_sent, prepare_apart, unfit


def examine(planned: Iterable[Planned], prepare: Prepare) -> tuple[Outcome, ...]:
    """Return how rows stand for which nothing is sent, the pictures of those that could be sent decoded."""
    with ThreadPoolExecutor(PREPARERS) as threads:
        return tuple(threads.map(partial(_examined, prepare), planned))


def _examined(prepare: Prepare, planned: Planned) -> Outcome:
    """Decode the picture of a row that would be sent: what a run would find just before its upload."""
    if planned.status not in {Status.READY, Status.NOT_SENT} or planned.doctor.picture is None:
        return standing(planned)
    if waits_for_machine(planned.doctor.errors):
        return standing(planned)
    prepared = prepare_apart(prepare, planned)
    if not isinstance(prepared, Prepared):
        own = [
            each for each in planned.problems if each.code != "REVIEW_MISSING"
        ]  # there is nothing to review
        return unfit(replace(planned, problems=tuple(own)), prepared)
    return replace(standing(planned), problems=(*planned.problems, *prepared.problems), prepared=prepared)


def unsent(rest: Sequence[Outcome], prepare: Prepare) -> Iterator[Outcome]:
    """Yield how the rows end that stood so and for which nothing was sent; what waits for a review is examined."""
    waiting = [each.planned for each in rest if each.status is Status.NOT_SENT]
    examined = iter(examine(waiting, prepare))
    for each in rest:
        if each.status is Status.NOT_SENT:
            yield next(examined)
        else:
            yield not_sent(each.planned) if each.status is Status.READY else each
