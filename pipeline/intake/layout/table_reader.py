"""Reads one sheet: finds its header, separates doctors from other lines, and accounts for every line exactly once."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from pipeline.domain.roster import (
    CellKind,
    Column,
    EmbeddedImage,
    Field,
    Origin,
    Row,
    SheetReport,
    SkippedLine,
    UnassignedImage,
)
from pipeline.errors import FileRefused
from pipeline.intake.layout.column_titles import (
    LONGEST,
    SEARCHED,
    ColumnAliases,
    Header,
    describe_columns,
    describe_nearest_line,
    is_seal_title,
)
from pipeline.intake.layout.header_search import (
    DEEPEST,
    choose_header,
    drop_appended_columns,
    may_hold_header,
)
from pipeline.intake.layout.line_classifier import (
    MOST_EXAMPLES,
    LineClass,
    classify_line,
    is_example,
    is_example_sheet,
    is_example_title,
)
from pipeline.intake.layout.row_builder import WIDEST, MergedCellCursor, RowBuilder, VisibleLine
from pipeline.intake.layout.sheet_images import SheetImages
from pipeline.intake.layout.skipped_parts import SkippedLineLog, get_first_numbered_line, holds_number
from pipeline.intake.readers.model import (
    Line,
    MergedCells,
    PeekableLines,
    Sheet,
    format_column,
    is_filled,
    parse_column,
)
from pipeline.intake.readers.xlsx.drawings import NOWHERE
from pipeline.messages.catalogue import join_texts, make_message

_DATA = re.compile(r"\d{6}")  # no title has as many digits
_MOST_HEADERS = 20  # different headers of one sheet whose columns are described
_MOST_NOTES = 20  # of one kind in a sheet
_HEADER_CELLS = 100_000  # in which a header is searched
_COMPARED_CELLS = 500_000  # of lines below the header that are compared with the known titles
NO_ROSTER, _NO_DOCTOR = make_message("stray.no_roster"), make_message("stray.no_doctor")


@dataclass(slots=True)
class Table:
    """What was read from one sheet."""

    report: SheetReport
    rows: list[Row] = field(default_factory=list)
    skipped: list[SkippedLine] = field(default_factory=list)
    first_lines: list[Line] = field(default_factory=list)  # if no header was located
    first_number: Line | None = None  # of a sheet that was not read: its first line with an identity number
    notes: list[str] = field(default_factory=list)
    unassigned_images: list[UnassignedImage] = field(default_factory=list)


def read_table(sheet: Sheet, path: Path, aliases: ColumnAliases) -> Table:
    """Read one sheet.

    Every line from the first to the last that holds something is a row or in ``skipped``, exactly once. Raises
    FileRefused HEADER_AMBIGUOUS.
    """
    if sheet.hidden:
        return Table(SheetReport(sheet.name, "hidden"))
    lines = PeekableLines(
        line for line in drop_appended_columns(sheet.lines) if any(map(is_filled, line.cells.values()))
    )
    first_lines = _limit_cells(lines.peek(SEARCHED))
    if not first_lines:
        report = SheetReport(sheet.name, "empty")
        return Table(report, unassigned_images=_list_unassigned(sheet, sheet.pictures, NO_ROSTER))
    merged = MergedCells(sheet.merges)
    try:
        located = choose_header(first_lines, aliases, merged)
    except FileRefused as refusal:
        refusal.detail["sheet"] = sheet.name or ""
        raise
    if located is None:
        report = SheetReport(sheet.name, "no_header", columns=describe_nearest_line(first_lines, aliases))
        unassigned = _list_unassigned(sheet, sheet.pictures, NO_ROSTER)
        number = get_first_numbered_line(sheet.name, lines)
        return Table(report, first_lines=first_lines, first_number=number, unassigned_images=unassigned)
    first, last, header = located
    reader = _TableReader(sheet, path, aliases, merged)
    for line in islice(lines, first):
        reader.skip_title(line)
    reader.open_header(header, list(islice(lines, last - first + 1)))
    for line in lines:
        if (again := reader.get_repeated_header(line, lines)) is not None:
            reader.open_header(again, [line, *lines.take_until(again.last_line)])
        else:
            reader.read_line(line)
    return reader.finish()


def _list_unassigned(sheet: Sheet, images: Iterable[EmbeddedImage], why: str) -> list[UnassignedImage]:
    return [
        UnassignedImage(
            sheet.name,
            image.covered_cells or image.address,
            NOWHERE if image.is_between else why,
            image.picture,
        )
        for image in images
    ]


def _limit_cells(lines: list[Line]) -> list[Line]:
    """Return the first lines, fewer if they have very many cells: a line may have 16,384."""
    cells = 0
    for index, line in enumerate(lines):
        cells += len(line.cells)
        if index and cells > _HEADER_CELLS:
            return lines[:index]
    return lines


def skip_example_sheets(tables: Sequence[Table]) -> list[Table]:
    """Return a file's tables with the people of example sheets skipped, if another sheet is the roster.

    An example sheet is called 填写说明, 示例, Instructions or the like, and has no more people than an example. Alone
    in its file it is the roster: it was filled in.
    """
    is_roster = [
        table.report.status == "read" and not is_example_sheet(table.report.sheet) for table in tables
    ]
    if not any(is_roster):
        return list(tables)
    return [_skip_examples(table) if is_example_sheet(table.report.sheet) else table for table in tables]


def _skip_examples(table: Table) -> Table:
    if len(table.rows) > MOST_EXAMPLES:
        return table
    log = SkippedLineLog(table.report.sheet, table.skipped)
    log.add_examples(table.rows, {})
    return replace(table, report=replace(table.report, rows=0), rows=[], skipped=log.entries)


class _TableReader:
    """Takes the lines of a sheet in their order: ``open_header``, then ``read_line``, at the end ``finish``."""

    def __init__(self, sheet: Sheet, path: Path, aliases: ColumnAliases, merged: MergedCells) -> None:
        self._rows: list[Row] = []
        self._skipped = SkippedLineLog(sheet.name)
        self._sheet, self._path, self._aliases, self._merged = sheet, path, aliases, merged
        self._images = SheetImages(sheet, merged)
        self._sections: list[tuple[int, bool]] = []  # first row under each header; is it called an example
        self._lines_above: deque[Line] = deque(maxlen=2)  # the last ones, as long as none is a doctor
        self._example_until = 0  # the last line of a merged cell that calls its lines examples
        self._record_ends: dict[int, int] = {}  # of text records that span several physical lines
        self._wide_lines: list[int] = []  # lines of a text file with more fields than titles
        # the first line above the first header that has an identity number; 0 for none
        self._number_above = 0
        self._cells_left = _COMPARED_CELLS
        self._columns: dict[tuple[str, str], Column] = {}
        self._described: set[tuple[tuple[int, str], ...]] = set()
        self._hidden: dict[int, Field | None] = {}  # hidden columns with a title, and their fields
        self._ambiguity_notes: dict[str, None] = {}
        self._last_column = 0
        self._builder: RowBuilder
        self._cursor: MergedCellCursor

    def skip_line(self, line: Line, line_class: LineClass) -> None:
        """Account for a line that is no doctor."""
        self._images.take_images(line.number, line.images)
        self._lines_above.append(line)
        self._skipped.add(line, line_class)

    def skip_title(self, line: Line) -> None:
        """Account for a line above the first header; a number there is noted: a doctor may stand in it."""
        if not self._number_above and holds_number(line):
            self._number_above = line.number
        self.skip_line(line, "title")

    def open_header(self, header: Header, lines: Sequence[Line]) -> None:
        """Begin a table; a later one of the sheet may order its columns anew. ``lines`` are those of the header."""
        self._sections.append((len(self._rows), any(map(is_example_title, self._lines_above))))
        for line in lines:
            self.skip_line(line, "header")
        self._lines_above.clear()
        self._builder = RowBuilder(header)
        self._cursor = MergedCellCursor(self._merged, header)
        self._last_column = max(self._last_column, self._builder.last_column)
        fields = {column: name for name, column in header.columns.items()}
        self._hidden |= {
            column: fields.get(column) for column in self._sheet.hidden_columns & header.titles.keys()
        }
        for name, unused in header.unused_columns.items():
            used, *others = map(header.name_column, (header.columns[name], *unused))
            field_text = make_message(f"field.{name}")
            note = make_message("note.same_field", field=field_text, used=used, unused=", ".join(others))
            self._ambiguity_notes[note] = None
        for theirs, person in header.other_columns.items():
            names = {"theirs": header.name_column(theirs), "person": header.name_column(person)}
            self._ambiguity_notes[make_message("note.other_person", **names)] = None
        titles = tuple(sorted(header.titles.items()))
        if titles not in self._described and len(self._described) < _MOST_HEADERS:
            self._described.add(titles)
            for column in describe_columns(header.titles, header.columns, self._aliases):
                self._columns.setdefault((column.column, column.title), column)

    def get_repeated_header(self, line: Line, following: PeekableLines) -> Header | None:
        """Return the header that begins on a line below the first one; a line with a number begins none."""
        if self._has_number(line):
            return None
        window = [line, *following.peek(DEEPEST)]
        cells = (cell for ahead in window for cell in ahead.cells.values())
        texts = [cell.display_text for cell in cells if len(cell.display_text) <= LONGEST]
        if not may_hold_header(texts, self._aliases) or len(texts) > self._cells_left:
            return None
        self._cells_left -= len(texts)
        if sum(map(self._aliases.is_known, texts)) < 2:
            return None
        located = choose_header(window, self._aliases, self._merged)
        return located[2] if located and located[0] == 0 else None

    def read_line(self, line: Line) -> None:
        """Take a line below a header."""
        visible = self._cursor.apply(line)
        images = self._images.take_images(line.number, line.images)
        line_class = self._classify(line, visible)
        if line_class is not None:
            self._skipped.add(line, line_class)
            self._lines_above.append(line)
            if images and self._rows and self._rows[-1].origin.row == visible.continued_line:
                self._add_images_to_last_row(images)
            return
        self._skipped.pass_over(line.number, line.last)
        self._lines_above.clear()
        if line.end > line.number:
            self._record_ends[line.number] = line.end
        if self._sheet.name is None and max(line.cells) > self._builder.last_column:
            self._wide_lines.append(line.number)
        origin = Origin(self._path, self._sheet.name, line.number)
        own_images = self._images.assign(images, line.number)
        row = self._builder.build_row(visible.line, origin, inherited=visible.inherited, pictures=own_images)
        self._rows.append(row)
        self._images.note_doctor(line.number, self._get_last_line(line))

    def finish(self) -> Table:
        """Return the table; people under the title of an example are skipped, if there is another table."""
        floating = self._images.assign_floating()
        self._rows = [self._add_floating_images(row, floating.get(row.origin.row, ())) for row in self._rows]
        self._skip_example_sections()
        report = SheetReport(self._sheet.name, "read", len(self._rows), tuple(self._columns.values()))
        images = self._images.list_unassigned()
        return Table(
            report,
            self._rows,
            self._skipped.entries,
            notes=self._list_notes(images),
            unassigned_images=_list_unassigned(self._sheet, images, _NO_DOCTOR),
        )

    def _skip_example_sections(self) -> None:
        if all(called_example for _, called_example in self._sections):
            return
        ends = [*(first for first, _ in self._sections[1:]), len(self._rows)]
        for (first, called_example), end in reversed(list(zip(self._sections, ends, strict=True))):
            if called_example and end - first <= MOST_EXAMPLES:
                self._skipped.add_examples(self._rows[first:end], self._record_ends)
                del self._rows[first:end]

    def _list_notes(self, unassigned: Sequence[EmbeddedImage]) -> list[str]:
        """Return the notes of files.jsonl on the sheet."""
        notes = [make_message("note.wide_line", line=line) for line in self._wide_lines]
        of_sheet: list[str] = list(self._ambiguity_notes)[:_MOST_NOTES]
        if self._number_above:
            of_sheet.insert(0, make_message("note.number_above", line=self._number_above))
        if self._hidden:
            columns = join_texts(_name_column(*column) for column in sorted(self._hidden.items()))
            of_sheet.append(make_message("note.hidden_columns", columns=columns))
        if self._last_column >= WIDEST:
            of_sheet.append(make_message("note.columns_left_out", column=format_column(WIDEST)))
        drifted = self._images.drifted_columns
        if any(map(self._holds_seals, drifted)):
            columns = join_texts(sorted(filter(self._holds_seals, drifted), key=parse_column))
            of_sheet.insert(0, make_message("note.pictures_drifted", columns=columns))
        unmatched = [
            make_message("note.picture_unmatched", cell=image.address)
            for image in unassigned
            if image.column not in drifted
        ]
        of_sheet += _limit_notes(unmatched, "note.more_pictures_unmatched")
        if self._sheet.name is not None:
            of_sheet = [make_message("note.in_sheet", sheet=self._sheet.name, note=note) for note in of_sheet]
        return [*_limit_notes(notes, "note.more_wide_lines"), *of_sheet]

    def _holds_seals(self, column: str) -> bool:
        title = self._builder.header.titles.get(parse_column(column), "")
        return is_seal_title(title) or self._aliases.maps(title)

    def _has_number(self, line: Line) -> bool:
        number = line.cells.get(self._builder.header.columns[Field.NUMBER])
        return number is not None and bool(_DATA.search(number.display_text))

    def _classify(self, line: Line, visible: VisibleLine) -> LineClass | None:
        if line.number <= self._example_until:
            return "example"
        if not self._has_number(line) and self._repeats_title(visible.line):
            return "header"
        seen = visible.line
        if visible.continued_line:  # a picture in the second line of a doctor is that doctor's
            cells = {column: cell for column, cell in seen.cells.items() if cell.kind is not CellKind.PICTURE}
            seen = seen._replace(cells=cells)
        line_class = classify_line(seen, self._builder.header, spans_person=self._spans_person(visible.line))
        if visible.continued_line and line_class in ("title", "blank"):
            return "note"  # more of the doctor above
        if line_class in ("title", "note", "total", "blank") and holds_number(seen):
            return None  # a doctor whose data are in the wrong cells: rejected and shown, not skipped
        if line_class == "example":
            self._example_until = max(self._example_until, self._get_example_end(line))
        return line_class

    def _repeats_title(self, line: Line) -> bool:
        name = line.cells.get(self._builder.header.columns[Field.NAME])
        if name is None or name.kind is not CellKind.TEXT:
            return False
        meaning = self._aliases.get_title_meaning(name.display_text)
        return meaning is not None and meaning.field is Field.NAME

    def _spans_person(self, line: Line) -> bool:
        """Return whether the line is one cell that is merged over the name and number columns."""
        if len(line.cells) != 1:
            return False
        (column,) = line.cells
        merge = self._merged.beginning_at(line.number, column)
        columns = self._builder.header.columns
        return merge is not None and all(
            merge.first_column <= columns[name] <= merge.last_column for name in (Field.NAME, Field.NUMBER)
        )

    def _get_last_line(self, line: Line) -> int:
        """Return the last line of the doctor who begins on a line: name and number may be merged down."""
        merges = [
            self._merged.beginning_at(line.number, self._builder.header.columns[name])
            for name in (Field.NAME, Field.NUMBER)
        ]
        return min(merge.last_row if merge else line.number for merge in merges)

    def _get_example_end(self, line: Line) -> int:
        """Return the last line that a merged cell of an example line reaches."""
        end = line.number
        for column, cell in line.cells.items():
            merge = self._merged.beginning_at(line.number, column)
            if merge and end < merge.last_row < line.number + MOST_EXAMPLES:
                single = Line(line.number, {column: cell})
                end = merge.last_row if is_example(single, self._builder.header) else end
        return end

    def _add_floating_images(self, row: Row, floating: Sequence[EmbeddedImage]) -> Row:
        """Return a row with its floating pictures before those in its cells.

        Those in a picture column whose title names no seal (图片) are marked. A file named in such a column is in the folder
        of seal pictures. A picture in the column itself may be a portrait.
        """
        images, cell = (*floating, *row.pictures), row.fields.get(Field.PICTURE)
        if cell is not None and not is_seal_title(cell.header) and not self._aliases.maps(cell.header):
            images = tuple(replace(image, is_other_picture=image.column == cell.column) for image in images)
        return replace(row, pictures=images) if images else row

    def _add_images_to_last_row(self, images: Sequence[EmbeddedImage]) -> None:
        """Give the pictures of a line that continues the doctor above to that doctor."""
        row = self._rows[-1]
        own_images = self._images.assign(images, row.origin.row)
        self._rows[-1] = replace(row, pictures=(*row.pictures, *own_images))


def _limit_notes(notes: Sequence[str], more: str) -> list[str]:
    """Return the first notes of a kind; the text ``more`` counts the others."""
    others = len(notes) - _MOST_NOTES
    return [*notes[:_MOST_NOTES], make_message(more, n=others)] if others > 0 else list(notes)


def _name_column(column: int, name: Field | None) -> str:
    """Return a hidden column's letters, with the field that the column holds."""
    letter = format_column(column)
    return make_message("note.column", column=letter, field=make_message(f"field.{name}")) if name else letter
