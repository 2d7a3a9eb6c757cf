"""The Unknown sheet of a results workbook: reads the two columns that a person filled in, checks its lines, enters them.

A sheet that was sorted in part, or into which something was pasted, has lines that name one person and bear the TraceId of
another: a SealId on such a line would be entered for the wrong doctor. So each line is compared with the ledger.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from pipeline.domain.masking import mask_text
from pipeline.domain.name_key import make_name_key
from pipeline.domain.results_format import CHECK, ROW_ID, row_id_checksum
from pipeline.domain.seal_ids import fold_seal_id
from pipeline.errors import FileRefused, UsageError
from pipeline.intake.read_rosters import open_results
from pipeline.intake.readers.model import Line, Sheet
from pipeline.ledger.person_history import PersonRecords
from pipeline.messages.catalogue import Bilingual, Localizable, make_phrase
from pipeline.messages.results import RESULT_TEXTS
from pipeline.reports.row_values import mask_doctor_id
from pipeline.resolution import decide
from pipeline.resolution.cases import Case
from pipeline.resolution.decide import DecisionMaker
from pipeline.resolution.timeline import parse_line

CONCLUSIONS = ("created", "not_created", "not_created_sure", "not_theirs")
_TITLES = ("col.trace_id", "col.seal_id", "col.conclusion", "col.name", "col.number", "col.seal_name")


@dataclass(frozen=True, slots=True)
class SheetAnswer:
    """One line of the Unknown sheet."""

    row: int
    trace_id: str
    seal_id: str
    conclusion: str
    name: str = field(repr=False)
    last_four: str
    seal_name: str
    row_id: str


def read_answers(path: Path) -> list[SheetAnswer]:
    """Return the lines of the Unknown sheets; UsageError for a workbook that is none of ours or has lost a column.

    A line whose hidden row_id does not fit its check, or that has lost its TraceId, was pasted or sorted in part: the file
    is refused.
    """
    try:
        book = open_results(path)
        return [answer for sheet in book.sheets for answer in _read_sheet(sheet, path)]
    except FileRefused as refused:
        if refused.code == "FILE_FORMAT":
            raise UsageError("resolve.not_results", path=path, then=("resolve",)) from refused
        raise _damaged_error(path, refused.code) from refused


def _read_sheet(sheet: Sheet, path: Path) -> Iterator[SheetAnswer]:
    lines = iter(sheet.lines)
    header = next(lines, None)
    if header is None or not _is_unknown_sheet(sheet, header):
        return
    columns = _find_columns(header, path)
    for line in lines:
        cells = [line.cells.get(column) for column in columns]
        trace_id, seal_id, conclusion, name, number, seal_name, row_id, check = (
            cell.display_text.strip() if cell is not None else "" for cell in cells
        )
        if not (trace_id or seal_id or conclusion or row_id):
            continue
        if not trace_id or row_id_checksum(row_id) != check:
            raise _damaged_error(path, f"{ROW_ID if trace_id else 'TraceId'} {line.number}")
        yield SheetAnswer(line.number, trace_id, seal_id, conclusion, name, number[-4:], seal_name, row_id)


def _is_unknown_sheet(sheet: Sheet, header: Line) -> bool:
    """Know the sheet by its name, or where that was changed by the columns that no other sheet has."""
    titles = {cell.display_text.strip() for cell in header.cells.values()}
    has_name = (sheet.name or "").startswith(RESULT_TEXTS["sheet.unknown"])
    own_columns = (RESULT_TEXTS["col.settle"], RESULT_TEXTS["col.conclusion"])
    return has_name or (ROW_ID in titles and not any(titles.isdisjoint(names) for names in own_columns))


def _find_columns(header: Line, path: Path) -> Sequence[int]:
    titles = {cell.display_text.strip(): column for column, cell in header.cells.items()}
    columns = []
    for key in (*_TITLES, ROW_ID, CHECK):
        names = RESULT_TEXTS.get(key, (key,))
        column = next((titles[name] for name in names if name in titles), None)
        if column is None:
            raise _damaged_error(path, names[0])
        columns.append(column)
    return columns


def _damaged_error(path: Path, what: str) -> UsageError:
    return UsageError("resolve.sheet_damaged", path=path, what=what, then=("resolve",))


def require_agreement(
    answers: Iterable[SheetAnswer],
    open_cases: Iterable[Case],
    read_person: Callable[[str], PersonRecords],
    path: Path,
) -> None:
    """Raise UsageError for the first line that disagrees with the ledger's create in row, person or seal name.

    A line whose create was resolved meanwhile is ignored.
    """
    cases_by_trace, read_person = _index_by_trace(open_cases), cache(read_person)
    for answer in answers:
        case = cases_by_trace.get(answer.trace_id)
        title = _find_disagreement(answer, case, read_person(case.key)) if case is not None else None
        if title is not None:
            what = Bilingual(*RESULT_TEXTS[title]) if title in RESULT_TEXTS else title
            raise UsageError(
                "resolve.line_disagrees", path=path, row=answer.row, what=what, then=("resolve",)
            )


def _index_by_trace(open_cases: Iterable[Case]) -> Mapping[str, Case]:
    return {case.attempt.uuid: case for case in open_cases if case.attempt is not None}


def _find_disagreement(answer: SheetAnswer, case: Case, person: PersonRecords) -> str | None:
    """Return the title of a column that names another person than the create's, None where all agree."""
    create = next(create for create in person.attempts if create.uuid == answer.trace_id)
    lines = [parse_line(entry) for entry in person.rows]
    row_ids = {create.row_id, *(line["row_id"] for line in lines)}
    names = {create.name, person.name, *(line["name"] for line in lines)}
    numbers = {person.id_masked, *(line["id_masked"] for line in lines)}
    if case.row_plan is not None:
        doctor = case.row_plan.doctor
        row_ids.add(doctor.row_id)
        names.add(doctor.display_name)
        numbers.add(mask_doctor_id(doctor))
    if answer.row_id not in row_ids:
        return "row_id"
    if answer.seal_name not in {create.seal_name, mask_text(create.seal_name)}:
        return "col.seal_name"
    if make_name_key(answer.name) not in {make_name_key(name or "") for name in names}:
        return "col.name"
    if answer.last_four and answer.last_four not in {(number or "")[-4:] for number in numbers}:
        return "col.number"
    return None


def enter_answers(
    open_cases: Iterable[Case],
    answers: Iterable[SheetAnswer],
    maker: DecisionMaker,
    service_time: Callable[[], float],
) -> dict[int, Localizable | None]:
    """Enter many decisions; return for each row why it could not be entered, None where it was.

    A line that is not filled in is ignored. One whose create was resolved meanwhile, or never was open, is an error. A
    doctor with two rows has two lines: one answer, on either or on both; where they do not agree neither counts. One SealId
    beside two doctors was copied too far: it is entered for neither.
    """
    cases_by_trace = _index_by_trace(open_cases)
    lines_by_trace: defaultdict[str, list[SheetAnswer]] = defaultdict(list)
    for answer in answers:
        if answer.seal_id or answer.conclusion:
            lines_by_trace[answer.trace_id].append(answer)
    claims = Counter(
        seal_id
        for lines in lines_by_trace.values()
        for seal_id in {fold_seal_id(line.seal_id) for line in lines}
    )
    errors: dict[int, Localizable | None] = {}
    for trace_id, lines in lines_by_trace.items():
        if any(line.seal_id and claims[fold_seal_id(line.seal_id)] > 1 for line in lines):
            error: Localizable | None = make_phrase("resolve.copied_seal_id")
        elif len({(line.seal_id, _fold(line.conclusion)) for line in lines}) > 1:
            error = make_phrase("resolve.lines_disagree")
        else:
            error = _enter_answer(cases_by_trace.get(trace_id), lines[0], maker, service_time)
        errors |= {line.row: error for line in lines}
    return errors


def _enter_answer(
    case: Case | None, answer: SheetAnswer, maker: DecisionMaker, service_time: Callable[[], float]
) -> Localizable | None:
    if case is None:
        return make_phrase("resolve.not_open")
    maker = replace(maker, why=f"{maker.why} {answer.row}")
    try:
        match _find_conclusion(answer.conclusion), bool(answer.seal_id):
            case "" | "created", True:
                decide.enter_created(maker, case, answer.seal_id)
            case "not_created" | "not_created_sure" as conclusion, False:
                sure = conclusion == "not_created_sure"
                decide.enter_not_created(maker, case, service_time, sure=sure)
            case "not_theirs", False:
                decide.enter_not_theirs(maker, case)
            case "created", False:
                return make_phrase("resolve.created_without_id", name=case.name)
            case "not_created" | "not_created_sure" | "not_theirs", True:
                return make_phrase("resolve.needless_seal_id", name=case.name)
            case _:
                return make_phrase("resolve.do_not_fit", name=case.name)
    except UsageError as error:
        return error
    return None


def _find_conclusion(text: str) -> str | None:
    """Return the conclusion that a cell holds in either language, "" for an empty cell, None for other words."""
    folded = _fold(text)
    if not folded:
        return ""
    return next(
        (name for name in CONCLUSIONS if folded in map(_fold, RESULT_TEXTS[f"conclusion.{name}"])), None
    )


def _fold(text: str) -> str:
    """Return a text without its width, case and kind of apostrophe, which a workbook changes by itself."""
    folded = unicodedata.normalize("NFKC", text).strip().casefold()
    return folded.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
