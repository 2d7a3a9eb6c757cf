"""The check that each line of an Unknown sheet speaks of the person whose create its TraceId names.

A sheet that was sorted in part, or into which something was pasted, has lines that do not: a SealId on one of them would
be entered for another doctor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pipeline.domain.masking import mask_text
from pipeline.errors import UsageError
from pipeline.ledger.person_queries import Life
from pipeline.messages.localized import Bilingual
from pipeline.messages.results import WORDS
from pipeline.reports.display_values import id_masked, name_of
from pipeline.resolution.cases import Case
from pipeline.resolution.decide import Answer
from pipeline.resolution.timeline import line_of


def require_agreement(
    answers: Iterable[Answer], open_cases: Iterable[Case], life_of: Callable[[str], Life], path: Path
) -> None:
    """Raise UsageError for the first line that disagrees with the ledger's create in row, person or seal name.

    A line whose create was settled meanwhile gives nothing, and is left out.
    """
    by_trace: Mapping[str, Case] = {case.attempt.uuid: case for case in open_cases if case.attempt}
    lives: dict[str, Life] = {}
    for answer in answers:
        case = by_trace.get(answer.trace_id)
        if case is None:
            continue
        if case.key not in lives:
            lives[case.key] = life_of(case.key)
        if (title := _disagreement(answer, case, lives[case.key])) is not None:
            what = Bilingual(*WORDS[title]) if title in WORDS else title
            raise UsageError("desk.line_disagrees", path=path, row=answer.row, what=what, then=("resolve",))


def _disagreement(answer: Answer, case: Case, life: Life) -> str | None:
    """Return the column of a line that speaks of somebody else, None where all agree."""
    create = next(each for each in life.creates if each.uuid == answer.trace_id)
    lines = [line_of(said) for said in life.said]
    row_ids = {create.row_id, *(line["row_id"] for line in lines)}
    names = {create.name, life.name, *(line["name"] for line in lines)}
    numbers = {life.id_masked, *(line["id_masked"] for line in lines)}
    if case.planned is not None:
        doctor = case.planned.doctor
        row_ids.add(doctor.row_id)
        names.add(name_of(doctor))
        numbers.add(id_masked(doctor))
    if answer.row_id not in row_ids:
        return "row_id"
    if answer.seal_name not in {create.seal_name, mask_text(create.seal_name)}:
        return "col.seal_name"
    if answer.name not in names:
        return "col.name"
    if answer.last_four and answer.last_four not in {(number or "")[-4:] for number in numbers}:
        return "col.number"
    return None
