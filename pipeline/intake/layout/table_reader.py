"""Walks down one sheet: each line becomes a row of the table it stands in, or an entry of what was skipped."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.domain.roster import CellKind, Column, EmbeddedImage, Field, Origin, Row, UnassignedImage
from pipeline.intake.layout.column_aliases import ColumnAliases, Header, describe_columns
from pipeline.intake.layout.column_titles import LONGEST
from pipeline.intake.layout.example_rows import MOST, is_example, is_example_title
from pipeline.intake.layout.header_search import DEEPEST, find_header, hints_at_a_header
from pipeline.intake.layout.line_classifier import Why, classify_line
from pipeline.intake.layout.merged_cells import Merged, MergedCellCursor, Settled
from pipeline.intake.layout.peekable_lines import PeekableLines
from pipeline.intake.layout.row_builder import WIDEST, RowBuilder
from pipeline.intake.layout.sheet_images import SheetImages
from pipeline.intake.layout.skipped_lines import SkippedLineLog
from pipeline.intake.readers.model import Line, Sheet, letters
from pipeline.messages.texts import join_texts, make_text

_DATA = re.compile(r"\d{6}")  # no title has as many digits
_HEADERS = 20  # different headers of one sheet whose columns are described
_NOTED = 20  # notes of one kind in a sheet
_LOOKS = 500_000  # cells of lines below the header that are compared with the table of titles


@dataclass(slots=True)
class _Section:
    """The rows under one header, from a place on; ``shows`` where a title above it calls it an example."""

    first: int
    shows: bool


class SheetReader:
    """Takes the lines of a sheet in their order. ``open`` comes before the first ``read``, ``close`` after the last."""

    def __init__(
        self, sheet: Sheet, path: Path, vocabulary: ColumnAliases, merged: Merged, *, ticketed: bool
    ) -> None:
        self.rows: list[Row] = []
        self.skips = SkippedLineLog(sheet.name)
        self._sheet, self._path, self._vocabulary, self._ticketed = sheet, path, vocabulary, ticketed
        self._merged = merged
        self._gallery = SheetImages(sheet, merged)
        self._sections: list[_Section] = []
        self._titles: deque[Line] = deque(maxlen=2)  # the lines just above, as long as none is a doctor
        self._shown_to = 0  # the last line of a merged cell that calls its lines examples
        self._ends: dict[int, int] = {}  # of text records that span several physical lines
        self._wider: list[int] = []  # lines of a text file with more fields than titles
        self._looks_left = _LOOKS
        self._columns: dict[tuple[str, str], Column] = {}
        self._described: set[tuple[tuple[int, str], ...]] = set()
        self._hidden: dict[int, Field | None] = {}  # hidden columns that have a title, and what they mean
        self._widest = 0
        self._twice: dict[str, None] = {}  # notes on fields with several columns
        self._form: RowBuilder
        self._spread: MergedCellCursor

    def skip(self, line: Line, why: Why) -> None:
        """Account for a line that is no doctor."""
        self._gallery.over(line)
        self._titles.append(line)
        self.skips.add(line.number, line.last, why)

    def open(self, header: Header, lines: Sequence[Line]) -> None:
        """Begin a table; a later one of the sheet may order its columns anew. ``lines`` are those of the header."""
        shows = any(map(is_example_title, self._titles))
        self._sections.append(_Section(len(self.rows), shows))
        for line in lines:
            self.skip(line, "header")
        self._titles.clear()
        self._form = RowBuilder(header, ticketed=self._ticketed)
        self._spread = MergedCellCursor(self._merged, header)
        fields = {column: name for name, column in header.places.items()}
        self._hidden |= {
            column: fields.get(column)
            for column in self._sheet.hidden_columns & header.titles.keys()
            if not self._form.is_ticket(column)
        }
        self._widest = max(self._widest, self._form.last)
        for name, unused in header.unused.items():
            used, *others = (
                f"{letters(column)} {header.titles[column].strip()}"
                for column in (header.places[name], *unused)
            )
            field = make_text(f"field.{name}")
            note = make_text("note.same_field", field=field, used=used, unused=", ".join(others))
            self._twice[note] = None
        titles = tuple(sorted(header.titles.items()))
        if titles not in self._described and len(self._described) < _HEADERS:
            self._described.add(titles)
            for column in describe_columns(header.titles, header.places, self._vocabulary):
                self._columns.setdefault((column.column, column.title), column)

    def repeated(self, line: Line, following: PeekableLines) -> Header | None:
        """Return the header that begins on a line below the first one; data in the number column tells of none."""
        if self._data(line):
            return None
        window = [line, *following.peek(DEEPEST)]
        texts = [
            cell.display_text
            for each in window
            for cell in each.cells.values()
            if len(cell.display_text) <= LONGEST
        ]
        if not hints_at_a_header(texts, self._vocabulary):
            return None
        if len(texts) > self._looks_left:
            return None
        self._looks_left -= len(texts)
        if sum(map(self._vocabulary.knows, texts)) < 2:
            return None
        found = find_header(window, self._vocabulary, self._merged)
        return found[2] if found and found[0] == 0 else None

    def read(self, line: Line) -> None:
        """Take a line below a header."""
        settled = self._spread.settle(line)
        pictures = self._gallery.over(line)
        why = self._why(line, settled)
        if why is not None:
            self._titles.append(line)
            self.skips.add(line.number, line.last, why)
            if pictures and self.rows and self.rows[-1].origin.row == settled.continues:
                self._illustrate(pictures)
            return
        self._titles.clear()
        self.skips.add(line.number, line.last, None)
        if line.end > line.number:
            self._ends[line.number] = line.end
        if self._sheet.name is None and max(line.cells) > self._form.last:
            self._wider.append(line.number)
        origin = Origin(self._path, self._sheet.name, line.number)
        given = self._gallery.give(pictures, line.number)
        self.rows.append(self._form.row(settled.line, origin, inherited=settled.inherited, pictures=given))

    def close(self) -> None:
        """Set the people aside that stand under the title of an example, if there is another table."""
        if all(section.shows for section in self._sections):
            return
        ends = [*(section.first for section in self._sections[1:]), len(self.rows)]
        for section, end in reversed(list(zip(self._sections, ends, strict=True))):
            if section.shows and end - section.first <= MOST:
                shown = [row.origin.row for row in self.rows[section.first : end]]
                self.skips.set_aside((row, self._ends.get(row, row)) for row in shown)
                del self.rows[section.first : end]

    def notes(self) -> list[str]:
        """Return what files.jsonl says of the sheet beside its lines."""
        notes: list[str] = [make_text("note.wide_line", line=line) for line in self._wider[:_NOTED]]
        if len(self._wider) > _NOTED:
            notes.append(make_text("note.more_wide_lines", n=len(self._wider) - _NOTED))
        of_sheet: list[str] = list(self._twice)[:_NOTED]
        if self._hidden:
            of_sheet.append(make_text("note.hidden_columns", columns=join_texts(self._hidden_columns())))
        if self._widest >= WIDEST:
            of_sheet.append(make_text("note.columns_left_out", column=letters(WIDEST)))
        of_sheet += self._gallery.notes()
        if self._sheet.name is not None:
            of_sheet = [make_text("note.in_sheet", sheet=self._sheet.name, note=note) for note in of_sheet]
        return [*notes, *of_sheet]

    def _hidden_columns(self) -> Iterator[str]:
        """Yield the hidden columns' letters, with the field that a column holds."""
        for column, field in sorted(self._hidden.items()):
            letter = letters(column)
            yield (
                make_text("note.column", column=letter, field=make_text(f"field.{field}"))
                if field
                else letter
            )

    def columns(self) -> tuple[Column, ...]:
        """Return what the columns of all the sheet's headers are read as."""
        return tuple(self._columns.values())

    def strays(self) -> list[UnassignedImage]:
        """Return the pictures of the sheet that no row got."""
        return self._gallery.strays()

    def _data(self, line: Line) -> bool:
        number = line.cells.get(self._form.header.places[Field.NUMBER])
        return number is not None and bool(_DATA.search(number.display_text))

    def _why(self, line: Line, settled: Settled) -> Why | None:
        header = self._form.header
        if self._form.ticketed(line):
            return None
        if line.number <= self._shown_to:
            return "example"
        if not self._data(line) and self._repeats_a_title(settled.line):
            return "header"
        seen = _without_pictures(settled.line) if settled.continues else settled.line
        why = classify_line(seen, header, across=self._across(settled.line))
        if settled.continues and why in ("title", "blank"):
            return "note"  # more of the doctor above
        if why == "example":
            self._shown_to = max(self._shown_to, self._example_to(line))
        return why

    def _repeats_a_title(self, line: Line) -> bool:
        name = line.cells.get(self._form.header.places[Field.NAME])
        if name is None or name.kind is not CellKind.TEXT:
            return False
        meant = self._vocabulary.meaning(name.display_text)
        return meant is not None and meant.field is Field.NAME

    def _across(self, line: Line) -> bool:
        """Tell whether the line is one cell that is merged over the name and number columns."""
        if len(line.cells) != 1:
            return False
        (column,) = line.cells
        merge = self._merged.at(line.number, column)
        places = self._form.header.places
        return merge is not None and all(
            merge.left <= places[name] <= merge.right for name in (Field.NAME, Field.NUMBER)
        )

    def _example_to(self, line: Line) -> int:
        """Return the last line that a merged cell of an example line reaches."""
        reached = line.number
        for column, cell in line.cells.items():
            merge = self._merged.at(line.number, column)
            if merge and reached < merge.bottom < line.number + MOST:
                alone = Line(line.number, {column: cell})
                reached = merge.bottom if is_example(alone, self._form.header) else reached
        return reached

    def _illustrate(self, pictures: Sequence[EmbeddedImage]) -> None:
        """Give the pictures of a line that goes on with the doctor above to that doctor."""
        row = self.rows[-1]
        given = self._gallery.give(pictures, row.origin.row)
        self.rows[-1] = replace(row, pictures=(*row.pictures, *given))


def _without_pictures(line: Line) -> Line:
    """Return the second line of one doctor as it is judged: a picture there is the doctor's and makes nobody else."""
    cells = {column: cell for column, cell in line.cells.items() if cell.kind is not CellKind.PICTURE}
    return line._replace(cells=cells)
