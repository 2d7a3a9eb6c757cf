"""One sheet's lines become rows: the header is found, what is no doctor is told apart, nothing is lost between."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from pipeline.errors import FileRefused
from pipeline.intake.cells import Fields, Line, RawCell, Sheet, filled, letters
from pipeline.intake.headers import SEARCHED, Header, Vocabulary, header_of
from pipeline.intake.lines import Why, why_not
from pipeline.intake.ticket import check_of
from pipeline.roster import Cell, CellKind, Field, Origin, Row, SheetReport, SkippedLine

ROW_ID, CHECK = "row_id", "check"  # headings of the two hidden columns of a To fix sheet
_DIGIT = re.compile(r"\d")
_REMEMBERED = 4096  # texts of a column that are kept as one cell: a department is not held 100,000 times


@dataclass(slots=True)
class Table:
    """What one sheet gave."""

    report: SheetReport
    rows: list[Row] = field(default_factory=list)
    skipped: list[SkippedLine] = field(default_factory=list)
    top: list[Line] = field(default_factory=list)  # its first lines, where no header was found
    notes: list[str] = field(default_factory=list)


def table(sheet: Sheet, path: Path, vocabulary: Vocabulary, *, ticketed: bool = False) -> Table:
    """Read one sheet; ``ticketed`` for a To fix sheet, whose two hidden columns become each row's ticket."""
    if sheet.hidden:
        return Table(SheetReport(sheet.name, "hidden"))
    lines = (line for line in sheet.lines if any(map(filled, line.cells.values())))
    top = list(islice(lines, SEARCHED))
    if not top:
        return Table(SheetReport(sheet.name, "empty"))
    found = next(
        ((place, header) for place, line in enumerate(top) if (header := header_of(line, vocabulary))), None
    )
    if found is None:
        return Table(SheetReport(sheet.name, "no_header"), top=top)
    place, header = found
    skips = _Skips(sheet.name)
    for line in top[:place]:
        skips.add(line, "title")
    skips.add(top[place], "header")
    made = Table(SheetReport(sheet.name, "read"))
    form = _Form(header, ticketed=ticketed)
    for line in chain(top[place + 1 :], lines):
        again = _repeated(line, form.header, vocabulary)
        if again:  # a later page may order its columns anew
            form = _Form(again, ticketed=ticketed)
        why: Why | None = "header" if again else why_not(line, form.header)
        skips.add(line, why)
        if why is None:
            made.rows.append(form.row(line, Origin(path, sheet.name, line.number)))
            if sheet.name is None and max(line.cells) > form.last:
                made.notes.append(f"line {line.number}: more fields than titles")
    made.skipped = skips.found
    made.report = SheetReport(sheet.name, "read", len(made.rows))
    return made


def _repeated(line: Line, header: Header, vocabulary: Vocabulary) -> Header | None:
    """Return the header that a later line repeats; a digit in the number column tells that it is none."""
    number = line.cells.get(header.places[Field.NUMBER])
    if number is not None and _DIGIT.search(number.shown):
        return None
    return header_of(line, vocabulary)


class _Skips:
    """Lines that are no doctor: neighbours of one kind are one entry, gaps between lines are blank stretches."""

    def __init__(self, sheet: str | None) -> None:
        self.found: list[SkippedLine] = []
        self._sheet = sheet
        self._last = 0

    def add(self, line: Line, why: Why | None) -> None:
        if line.number > self._last + 1:
            self._enter(self._last + 1, line.number - 1, "blank")
        if why is not None:
            self._enter(line.number, line.last, why)
        self._last = line.last

    def _enter(self, first: int, last: int, why: Why) -> None:
        before = self.found[-1] if self.found else None
        if before and before.why == why and before.last == first - 1:
            self.found[-1] = SkippedLine(self._sheet, before.first, last, why)
        else:
            self.found.append(SkippedLine(self._sheet, first, last, why))


class _Form:
    """Makes rows under one header: every titled cell, empty ones too, and filled cells beyond the titles."""

    def __init__(self, header: Header, *, ticketed: bool) -> None:
        self.header = header
        self.last = max(header.titles)
        self._ticket = _ticket_columns(header) if ticketed else None
        self._empty = {
            column: Cell(letters(column), title, None, CellKind.EMPTY, "")
            for column, title in header.titles.items()
            if column not in (self._ticket or ())
        }
        self._columns = tuple(self._empty)
        self._places: dict[tuple[int, ...], dict[Field, int]] = {}
        self._known: defaultdict[int, dict[str, Cell]] = defaultdict(dict)

    def row(self, line: Line, origin: Origin) -> Row:
        """Return the line as a row."""
        beyond = line.cells.keys() - self.header.titles.keys()
        columns = tuple(sorted(beyond | self._empty.keys())) if beyond else self._columns
        places = self._places.get(columns)
        if places is None:
            places = {name: columns.index(column) for name, column in self.header.places.items()}
            self._places[columns] = places
        cells = tuple([self._cell(column, line) for column in columns])
        ticket = self._checked(line) if self._ticket else None
        return Row(origin, cells, Fields(cells, places), ticket, line.hidden)

    def _cell(self, column: int, line: Line) -> Cell:
        raw = line.cells.get(column)
        if raw is None:
            return self._empty[column]
        if raw.kind is not CellKind.TEXT:
            return self._made(column, raw)
        known = self._known[column]
        cell = known.get(raw.shown)
        if cell is None:
            cell = self._made(column, raw)
            if len(known) < _REMEMBERED:
                known[raw.shown] = cell
        return cell

    def _made(self, column: int, raw: RawCell) -> Cell:
        return Cell(letters(column), self.header.titles.get(column, ""), raw.value, raw.kind, raw.shown)

    def _checked(self, line: Line) -> str:
        assert self._ticket is not None
        row_id, check = (line.cells[column].shown if column in line.cells else "" for column in self._ticket)
        if not row_id or check != check_of(row_id):
            raise FileRefused("FILE_SUSPICIOUS", {"found": "row_id", "ticket": str(line.number)})
        return row_id


def _ticket_columns(header: Header) -> tuple[int, int]:
    places = {title: column for column, title in header.titles.items()}
    if ROW_ID not in places or CHECK not in places:
        raise FileRefused("FILE_SUSPICIOUS", {"found": "row_id", "ticket": str(header.row)})
    return places[ROW_ID], places[CHECK]
