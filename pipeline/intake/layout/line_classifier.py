"""Decides which lines under a header are doctors, and what the others are; logs the lines that are no doctor.

If unsure, a line is a doctor: a rejected row is shown to a person, a skipped line is easily missed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import CellKind, Field, SkippedLine
from pipeline.intake.layout import line_words as words
from pipeline.intake.layout.column_titles import Header
from pipeline.intake.readers.model import Line, RawCell, is_filled

LineClass = Literal["title", "header", "blank", "total", "note", "example"]

_DIGITS = re.compile(r"\d")
_IDENTITY_NUMBER = re.compile(r"[0-9]{17}[0-9Xx]")
_MIN_NUMBER_DIGITS = 7  # no count of people has as many
_MIN_STAFF_NO = 4  # digits: beside a label, fewer are a count
_PHONE_OR_DATE = re.compile(r"\+?[\d./年月日-]{7,14}(?:\d\d:.*)?")
# what a formula that was filled down in advance leaves: ="" & "处方章"
_FORMULA_REST = re.compile(
    r"(?:的?(?:电子)?(?:处方|个人|医师|医生)?(?:印章|签章|签名|章)?|none|null)(?:[.](?:png|jpe?g|bmp))?"
)
_PERSONAL_FIELDS = tuple(name for name, definition in FIELDS.items() if definition.shows_person)
_CODE_FIELDS = (Field.MOBILE, Field.STAFF_NO)  # their cells hold digits and letters
_FILE_FIELDS = (Field.PICTURE, Field.SEAL_NAME)


def classify_line(line: Line, header: Header, *, spans_person: bool = False) -> LineClass | None:
    """Return what a line under the header is; None if it is a doctor, or could be.

    ``spans_person``: its only cell is merged over the name and number columns, so it is no name.
    """
    if not line.cells:
        return "blank"
    if words.is_example(line, header):
        return "example"
    number = line.cells.get(header.columns[Field.NUMBER])
    name = line.cells.get(header.columns[Field.NAME])
    if number is not None and _is_number(number, name):
        return None
    cells = {column: cell for column, cell in line.cells.items() if _has_content(cell)}
    if not cells:
        return "blank"
    if all(cell.kind is CellKind.PICTURE for cell in cells.values()):
        return "note"
    return _classify_without_number(cells, header, spans_person=spans_person)


def _is_number(number: RawCell, name: RawCell | None) -> bool:
    """Return whether the number cell alone shows a doctor: too many digits for a count or a telephone."""
    text = words.compact_text(number.display_text)
    if len(_DIGITS.findall(text)) < _MIN_NUMBER_DIGITS or words.is_note(text):
        return False
    if not _PHONE_OR_DATE.fullmatch(text):
        return True
    return name is None or _classify_label(words.compact_text(name.display_text)) is None


def _has_content(cell: RawCell) -> bool:
    """Return whether a cell holds anything but dashes, or the 0 of a formula that points to an empty cell."""
    if not is_filled(cell) or (cell.kind is CellKind.NUMBER and not cell.value):
        return False
    return cell.kind is not CellKind.TEXT or not words.is_nothing(cell.display_text[:400])


def _classify_without_number(
    cells: Mapping[int, RawCell], header: Header, *, spans_person: bool
) -> LineClass | None:
    """Classify a line whose number cell is empty, a word, or a count."""
    texts = {column: words.compact_text(cell.display_text) for column, cell in cells.items()}
    name, number = (texts.get(header.columns[field]) for field in (Field.NAME, Field.NUMBER))
    if name is not None and number is not None and words.are_ordinals(list(texts.values())):
        return "header"  # each column's number, as forms have it under the titles
    if any(map(_IDENTITY_NUMBER.fullmatch, texts.values())):
        return None  # under a header that names another column: rejected and shown, not skipped
    has_name = name is not None and _may_be_name(cells[header.columns[Field.NAME]], name)
    if label := _classify_by_labels(texts, header, has_name=has_name):
        return label
    if number is not None and not _is_meaningless(cells[header.columns[Field.NUMBER]], number):
        hinted = words.is_hint(number) and (not name or words.is_hint(name))
        return "note" if hinted else None
    if len(cells) == 1:
        return _classify_single_cell(cells, texts, header, has_name=has_name, spans_person=spans_person)
    return _classify_cells(cells, texts, header, has_name=has_name)


def _classify_by_labels(texts: Mapping[int, str], header: Header, *, has_name: bool) -> LineClass | None:
    """Return what a label makes of the line, unless a person's data beside it outweighs the label."""
    first, name = next(iter(texts)), header.columns[Field.NAME]
    has_person = any(
        _outweighs_label(field, texts.get(header.columns.get(field, -1), "")) for field in _PERSONAL_FIELDS
    )
    if first != name and (words.is_open_label(texts[first]) or words.is_label(texts[first])):
        return "note"  # the cell beside it is a signature
    if has_name:
        return "note" if not has_person and ":" in texts[first] and words.is_note(texts[first]) else None
    for column in (first, name, header.columns[Field.NUMBER]):
        label = _classify_label(texts.get(column, ""))
        if label and not (column == name and words.is_label(texts[name]) and has_person):
            return label
    return "total" if not has_person and any(map(words.is_total, texts.values())) else None


def _classify_label(text: str) -> LineClass | None:
    if words.is_total(text):
        return "total"
    return "note" if words.is_note(text) or words.is_label(text) else None


def _may_be_name(cell: RawCell, text: str) -> bool:
    """Return whether the name cell may hold a person's name, or a formula that should."""
    if cell.kind in (CellKind.ERROR, CellKind.NO_VALUE):
        return True
    if cell.kind is not CellKind.TEXT or words.is_count(text) or words.is_hint(text):
        return False
    return not (_classify_label(text) or words.is_unit(text) or words.is_sentence(text))


def _is_personal(text: str) -> bool:
    """Return whether a cell of a personal field holds a person's data."""
    return bool(text) and not (_classify_label(text) or words.is_hint(text) or _FORMULA_REST.fullmatch(text))


def _outweighs_label(field: Field, text: str) -> bool:
    """Return whether a cell of a personal field outweighs a label in its line."""
    if field in _CODE_FIELDS and not (text.isascii() and len(text) >= _MIN_STAFF_NO):
        return False
    return _is_personal(text)


def _is_meaningless(cell: RawCell, text: str) -> bool:
    """Return whether a number cell holds a label: 无, #N/A and a count without a label mean a person."""
    return cell.kind not in (CellKind.ERROR, CellKind.NO_VALUE) and _classify_label(text) is not None


def _classify_single_cell(
    cells: Mapping[int, RawCell],
    texts: Mapping[int, str],
    header: Header,
    *,
    has_name: bool,
    spans_person: bool,
) -> LineClass | None:
    """Classify a line of one cell: a name without anything is still a person, a department's title is not."""
    ((column, cell),) = cells.items()
    text = texts[column]
    is_code = text.isascii() and len(_DIGITS.findall(text)) >= _MIN_STAFF_NO
    is_file = not (words.is_unit(text) or words.is_sentence(text)) and _is_personal(text)
    is_person = (
        has_name
        or (is_code and column in map(header.columns.get, _CODE_FIELDS))
        or (is_file and column in map(header.columns.get, _FILE_FIELDS))
    )
    if is_person and not spans_person:
        return None
    return "title" if _is_wording(cell, text) else "blank"


def _classify_cells(
    cells: Mapping[int, RawCell], texts: Mapping[int, str], header: Header, *, has_name: bool
) -> LineClass | None:
    """Classify several cells without a number: one cell that belongs to a person makes the line a doctor."""
    columns = header.columns
    personal = [columns[field] for field in _PERSONAL_FIELDS if columns.get(field, -1) in cells]
    if has_name or any(
        cells[column].kind is not CellKind.TEXT or _is_personal(texts[column]) for column in personal
    ):
        return None
    name = texts.get(columns[Field.NAME])
    if name is not None:
        return _classify_name_cell(name)
    field_columns = set(columns.values())
    has_wording = any(
        _is_wording(cell, texts[column]) for column, cell in cells.items() if column not in field_columns
    )
    return "note" if has_wording else "blank"


def _classify_name_cell(text: str) -> LineClass | None:
    """Classify a line by the text in its name column, which is no name."""
    if words.is_hint(text):
        return "note"
    if words.is_count(text):
        return "total"
    return "title" if words.is_unit(text) else None


def _is_wording(cell: RawCell, text: str) -> bool:
    """Return whether a cell holds words, and not a prepared number, tick or formula."""
    return cell.kind is CellKind.TEXT and not text.isdecimal()


class SkippedLineLog:
    """The lines of a sheet that are no doctor; together with the rows they are every line, exactly once.

    Neighbours of one class are one entry, gaps between lines are blank stretches.
    """

    def __init__(self, sheet: str | None, entries: Iterable[SkippedLine] = ()) -> None:
        self.entries = list(entries)
        self._sheet = sheet
        self._last = 0

    def add(self, line: Line, line_class: LineClass | None) -> None:
        """Account for a line and for the gap before it; None for a doctor's."""
        if line.number > self._last + 1:
            self._append(self._last + 1, line.number - 1, "blank")
        if line_class is not None:
            self._append(line.number, line.last, line_class)
        self._last = line.last

    def add_examples(self, lines: Iterable[tuple[int, int]]) -> None:
        """Add lines that were taken for doctors and are examples."""
        examples = (SkippedLine(self._sheet, first, last, "example") for first, last in lines)
        entries = sorted([*self.entries, *examples], key=lambda entry: entry.first)
        self.entries = []
        for entry in entries:
            self._append(entry.first, entry.last, entry.why)

    def _append(self, first: int, last: int, why: str) -> None:
        before = self.entries[-1] if self.entries else None
        if before and before.why == why and before.last == first - 1:
            self.entries[-1] = SkippedLine(self._sheet, before.first, last, why)
        else:
            self.entries.append(SkippedLine(self._sheet, first, last, why))
