"""Finds what is wrong in a row that has to be corrected: the fields that a refusal is about, and the cells of a marked copy."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from pipeline.domain.results_format import APPENDED_COLUMNS, unique_heading
from pipeline.domain.roster import Field, Problem
from pipeline.domain.run import (
    RowOutcome,
    ShownStatus,
    Status,
    get_shown_status,
    has_doubtful_picture,
    needs_fixing,
)
from pipeline.domain.service_codes import REFUSED_FIELDS
from pipeline.messages.areas import get_pair
from pipeline.messages.catalogue import render
from pipeline.messages.service_errors import get_advice, is_known_code
from pipeline.reports.explanations import advise_on_row, describe_problem, list_reasons
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import get_confirmed_seal_id
from pipeline.reports.styles import count_lines
from pipeline.reports.totals import NEEDS_NOTHING

AUTHOR = "esign-import"  # of the notes of a marked copy
NOTE_START = "esign-import: "  # begins each line of such a note
NOTE_WIDTH = 260  # pixels
_NOTE_LINE, _NOTE_LETTER = 20, 7.0  # pixels
HEADINGS = [get_pair(key) for key in APPENDED_COLUMNS]  # of the appended columns, in both languages
APPENDED_WIDTHS = (15, 46, 36)
MAX_COLUMN = 16_384  # of a sheet
MAX_NOTES = 5_000  # in a sheet: each is a drawing, and with more of them Excel takes minutes to open the file
_PERSON_FIELDS = (Field.NAME, Field.NUMBER)  # of a refusal that names no field
# words of a refusal's message -> the field it is about
_FIELDS_BY_WORD: Mapping[str, Field] = {
    "图片": Field.PICTURE,
    "手机": Field.MOBILE,
    "姓名": Field.NAME,
    "证件": Field.NUMBER,
    "身份证": Field.NUMBER,
}


def list_refused_fields(outcome: RowOutcome) -> tuple[Field, ...]:
    """Return the fields a refusal is about; none if the row was not refused, or the roster's owner can do nothing."""
    if outcome.status is not Status.FAILED:
        return ()
    code = outcome.code or ""
    if code in REFUSED_FIELDS:
        return REFUSED_FIELDS[code]
    if is_known_code(code) and get_advice(code).who != "clerk":
        return ()
    fields = dict.fromkeys(
        field for word, field in _FIELDS_BY_WORD.items() if word in (outcome.message or "")
    )
    return tuple(fields) or _PERSON_FIELDS


def choose_refused_fields(outcome: RowOutcome, available: Container[Field]) -> list[Field]:
    """Return the fields of a refusal among those that a table has a column for, by default those of the person."""
    fields = list_refused_fields(outcome)
    refused = [field for field in fields if field in available]
    return refused or [field for field in _PERSON_FIELDS if fields and field in available]


# --- notes in a marked copy


def make_headings(titles: Mapping[int, str], columns: range, language: str) -> list[str]:
    """Return the titles of the appended columns, each other than those of the roster's own columns."""
    taken = [title for column, title in titles.items() if column not in columns]
    return [
        unique_heading(translations, render(key, language), taken)
        for key, translations in zip(APPENDED_COLUMNS, HEADINGS, strict=True)
    ]


def make_note_lines(texts: Iterable[str]) -> list[str]:
    """Return the lines of a note on what is wrong with a cell."""
    return [NOTE_START + " ".join(text.split()) for text in texts]


def measure_note(text: str, width: float = NOTE_WIDTH) -> int:
    """Return the height of a note that its text fits into, in pixels."""
    return _NOTE_LINE * (1 + count_lines(text, width / _NOTE_LETTER))


@dataclass(frozen=True, slots=True)
class RowNotes:
    """What the marked copy of a roster shows of one row."""

    sheet: str | None
    row: int  # as Excel shows it
    last_column: str  # letters, of the row's last cell; "" where its own file has none
    status: ShownStatus
    texts: tuple[str, str, str] = field(repr=False)  # of the appended columns: status, reasons, SealId
    faults: Mapping[str, Sequence[str]] = field(repr=False)  # address of a cell -> what is wrong with it


def build_row_notes(outcome: RowOutcome, presenter: Presenter) -> RowNotes:
    row = outcome.doctor.row
    return RowNotes(
        row.origin.sheet,
        row.origin.row,
        row.cells[-1].column if row.cells else "",
        get_shown_status(outcome),
        _list_appended_texts(outcome, presenter),
        _list_faults(outcome, presenter),
    )


def _list_appended_texts(outcome: RowOutcome, presenter: Presenter) -> tuple[str, str, str]:
    """Return the texts of a row's appended columns: status, reasons, SealId."""
    is_well = outcome.status in NEEDS_NOTHING and not has_doubtful_picture(outcome)
    reasons = () if is_well else _list_whole_reasons(outcome, presenter)
    reason = " ".join(" ".join(reasons).split())
    return presenter.name_status(get_shown_status(outcome)), reason, get_confirmed_seal_id(outcome) or ""


def _list_whole_reasons(outcome: RowOutcome, presenter: Presenter) -> Iterator[str]:
    """Yield every sentence about a row, numbers whole: the copy holds them as the roster does."""
    return list_reasons(
        outcome, presenter, describe=partial(describe_problem, presenter=presenter, masked=False)
    )


def _list_faults(outcome: RowOutcome, presenter: Presenter) -> dict[str, list[str]]:
    """Return the sentences on each faulty cell of a row in a marked copy, by address; none where nothing is to fix."""
    if not needs_fixing(outcome):
        return {}
    row = outcome.doctor.row
    faults: dict[str, list[str]] = {}
    for problem in outcome.errors:
        if address := get_address(outcome, problem):
            faults.setdefault(address, []).append(describe_problem(problem, presenter, masked=False))
    if not faults:
        texts = [*_list_whole_reasons(outcome, presenter), advise_on_row(outcome, presenter)]
        fields = [field for field in row.fields if row.address(field)]
        faults = {row.address(name) or "": texts for name in choose_refused_fields(outcome, fields)}
    return faults


def get_address(outcome: RowOutcome, problem: Problem) -> str | None:
    """Return the cell of the roster that a problem is about."""
    row = outcome.doctor.row
    if problem.cell and re.fullmatch(rf"[A-Z]{{1,3}}{row.origin.row}", problem.cell):
        return problem.cell
    return row.address(problem.field) if problem.field else None
