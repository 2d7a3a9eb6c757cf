"""OpenDocument spreadsheets (.ods, .ots): content.xml streamed, each cell with its own type and all its digits.

OpenDocument 1.3 part 3, §9 (tables) and §19 (attributes). Rows, columns and cells that repeat are written once there,
with their number beside them: only what holds something is ever made, and never more of it than a file may hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from pipeline.errors import FileRefused
from pipeline.intake.readers.budget import ReadBudget
from pipeline.intake.readers.model import Book, Line, Merge, RawCell, letters
from pipeline.intake.readers.ods_cells import BREAK, SPACE, TAB, Names, cell_of, paragraph
from pipeline.intake.readers.options import ReadOptions
from pipeline.intake.readers.own_workbook import OWN_SHEETS, run_of_package
from pipeline.intake.readers.text_limits import MAX_COLUMN, MAX_ROW, MAX_TEXT, columns_over, text_over
from pipeline.intake.readers.xlsx.numerals import whole
from pipeline.intake.readers.xlsx.package import CHUNK, MEGABYTE, Package, parser
from pipeline.intake.readers.xml_sheets import Outline, count_rows, sheets
from pipeline.messages.texts import make_text

CONTENT = "content.xml"
MANIFEST = "META-INF/manifest.xml"
PICTURES = make_text("note.pictures_not_read", format=".ods")

_MAX_MERGES = 500_000
_MOST = 10**9  # repetitions that are believed: more than any sheet has rows
_HOLDS = re.compile(rb"<text:p|office:")  # for a cell's text, for its value
_HIDDEN = ("collapse", "filter")  # table:visibility

Attributes = Mapping[str, str]


def read(data: bytes, *, manner: ReadOptions) -> Book:
    """Open a spreadsheet; its lines are streamed as they are walked.

    Raises FileRefused for a package that is encrypted, damaged, oversized or hostile, cells and all.
    """
    package = Package(data)
    if b"encryption-data" in (package.payload(MANIFEST, 10 * MEGABYTE) or b""):
        raise FileRefused("FILE_ENCRYPTED")
    run = run_of_package(package)
    most = manner.max_rows * (1 if run is None else OWN_SHEETS)
    count_rows(_chunks(package), b"<table:table-row", _HOLDS, ReadBudget(most))
    outline = _Reader(ReadBudget(most))
    for _ in outline.lines(package):
        pass
    if not outline.body:
        raise FileRefused("FILE_FORMAT", {"found": "OpenDocument (.odt)"})
    again = _Reader(ReadBudget(most)).lines(package)
    return Book(
        sheets(outline.outlines, again), run, notes=(PICTURES,) if outline.pictures and run is None else ()
    )


def _chunks(package: Package) -> Iterator[bytes]:
    with package.open(CONTENT) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


class _Reader:
    """Handlers for content.xml: one table open at a time, in it one row, in it one cell, in it one paragraph."""

    def __init__(self, tally: ReadBudget) -> None:
        self.outlines: list[Outline] = []
        self.pictures = self.body = False
        self._tally = tally
        self._ready: list[
            tuple[range, dict[int, RawCell], bool] | None
        ] = []  # rows, cells, hidden; None: sheet's end
        self._style = ""
        self._veiled: set[str] = set()  # styles of tables that are not displayed
        self._skipped = 0  # elements open, from one whose text is none of a cell's
        self._open = False  # a table
        self._folded: list[bool] = []  # for each group around: whether it is folded away
        self._row = self._rows = self._column = 0
        self._hidden = False
        self._cells: dict[int, RawCell] = {}
        self._spans: list[tuple[int, int, int]] = []  # first and last column, rows: of the row's merged cells
        self._cell: Attributes = {}
        self._paragraphs: list[str] | None = None  # of the cell that is open
        self._text: list[str] | None = None  # of the paragraph that is open
        self._parser = parser(CONTENT)
        self._parser.StartElementHandler = self._root

    def lines(self, package: Package) -> Iterator[Line | None]:
        """Yield the lines that hold something, and None behind the last of each sheet."""
        with package.open(CONTENT) as stream:
            while chunk := stream.read(CHUNK):
                self._parser.Parse(chunk, False)
                yield from self._take()
            self._parser.Parse(b"", True)
        yield from self._take()

    def _take(self) -> Iterator[Line | None]:
        ready, self._ready = self._ready, []
        for entry in ready:
            if entry is None:
                yield None
                continue
            rows, cells, hidden = entry
            for row in rows:
                yield Line(row, cells, hidden)

    def _root(self, _tag: str, attributes: Attributes) -> None:
        names = self._names = Names(attributes)
        self._starts: Mapping[str, Callable[[Attributes], None]] = {
            names.style: self._start_style,
            names.table_properties: self._start_properties,
            names.spreadsheet: self._start_body,
            names.table: self._start_table,
            names.column: self._start_column,
            names.groups[0]: self._start_group,
            names.groups[1]: self._start_group,
            names.row: self._start_row,
            names.cell: self._start_cell,
            names.covered: self._start_covered,
            names.paragraph: self._start_paragraph,
            names.space: self._start_space,
            names.tab: lambda _: self._put(TAB),
            names.line_break: lambda _: self._put(BREAK),
            **dict.fromkeys(names.apart, self._skip),
        }
        self._ends: Mapping[str, Callable[[], object]] = {
            names.table: self._end_table,
            names.groups[0]: self._folded.pop,
            names.groups[1]: self._folded.pop,
            names.row: self._end_row,
            names.cell: self._end_cell,
            names.paragraph: self._end_paragraph,
        }
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def _start(self, tag: str, attributes: Attributes) -> None:
        if self._skipped:
            self._skipped += 1
            self.pictures = self.pictures or tag in self._names.pictures
            return
        handler = self._starts.get(tag)
        if handler is not None:
            handler(attributes)
        elif tag.startswith(self._names.drawing):
            self.pictures = self.pictures or tag in self._names.pictures
            self._skip(attributes)

    def _end(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
            if not self._skipped and self._text is not None:
                self._parser.CharacterDataHandler = self._text.append
            return
        handler = self._ends.get(tag)
        if handler is not None:
            handler()

    def _skip(self, _attributes: Attributes) -> None:
        self._skipped = 1
        self._parser.CharacterDataHandler = None

    def _start_style(self, attributes: Attributes) -> None:
        self._style = attributes.get(self._names.style_name, "")

    def _start_properties(self, attributes: Attributes) -> None:
        if attributes.get(self._names.display) == "false":
            self._veiled.add(self._style)

    def _start_body(self, _attributes: Attributes) -> None:
        self.body = True

    def _start_table(self, attributes: Attributes) -> None:
        if not self.body or self._open:  # a table of a link, or within a cell
            self._skip(attributes)
            return
        names = self._names
        hidden = attributes.get(names.styled) in self._veiled
        self.outlines.append(Outline(attributes.get(names.name, ""), hidden))
        if hidden:
            self._ready.append(None)
            self._skip(attributes)
            return
        self._open = True
        self._row = self._column = 0

    def _end_table(self) -> None:
        self._open = False
        self._ready.append(None)

    def _start_group(self, attributes: Attributes) -> None:
        self._folded.append(attributes.get(self._names.display) == "false")

    def _start_column(self, attributes: Attributes) -> None:
        first = self._column
        self._column += self._times(attributes, self._names.columns)
        if self._open and (attributes.get(self._names.visibility) in _HIDDEN or any(self._folded)):
            self.outlines[-1].hidden_columns.update(range(first, min(self._column, MAX_COLUMN)))

    def _start_row(self, attributes: Attributes) -> None:
        if not self._open:
            self._skip(attributes)
            return
        self._rows = self._times(attributes, self._names.rows)
        self._hidden = attributes.get(self._names.visibility) in _HIDDEN or any(self._folded)
        self._cells, self._spans = {}, []
        self._column = 0

    def _end_row(self) -> None:
        first = self._row + 1
        self._row += self._rows
        if self._cells:
            self._tally.rows(self._rows)
            self._tally.cells(self._rows * len(self._cells))
            if self._row > MAX_ROW:
                raise FileRefused("FILE_CORRUPT", {"found": make_text("file.row", row=self._row)})
            self._ready.append((range(first, self._row + 1), self._cells, self._hidden))
        if self._spans and (self._cells or self._rows == 1):
            merges = self.outlines[-1].merges
            for row in range(first, self._row + 1):
                merges += [Merge(row, row + high - 1, left, right) for left, right, high in self._spans]
            if len(merges) > _MAX_MERGES:
                raise FileRefused(
                    "FILE_SUSPICIOUS", {"found": make_text("file.too_many_merged", limit=_MAX_MERGES)}
                )

    def _start_covered(self, attributes: Attributes) -> None:
        self._column += self._times(attributes, self._names.columns)
        self._skip(attributes)  # nobody sees what lies under a merged cell

    def _start_cell(self, attributes: Attributes) -> None:
        self._cell = attributes
        self._paragraphs = []

    def _end_cell(self) -> None:
        attributes, names = self._cell, self._names
        left = self._column
        self._column += self._times(attributes, names.columns)
        paragraphs, self._paragraphs = self._paragraphs or [], None
        if names.wide in attributes or names.high in attributes:
            wide, high = self._times(attributes, names.wide), self._times(attributes, names.high)
            if wide > 1 or high > 1:
                self._spans.append((left, min(left + wide, MAX_COLUMN) - 1, min(high, MAX_ROW)))
        if paragraphs or names.type in attributes or names.formula in attributes:
            self._fill(left, paragraphs)

    def _fill(self, left: int, paragraphs: Sequence[str]) -> None:
        """Put the cell into its columns."""
        row = self._row + 1
        try:
            cell = cell_of(self._cell, self._names, paragraphs)
        except ValueError:
            address = f"{letters(min(left, MAX_COLUMN))}{row}"
            raise FileRefused("FILE_CORRUPT", {"found": make_text("file.cell", cell=address)}) from None
        if cell is None:
            return
        if self._column > MAX_COLUMN:
            raise columns_over(row)
        if len(cell.display_text) > MAX_TEXT:
            raise text_over(left, row, len(cell.display_text))
        for column in range(left, self._column):
            self._cells[column] = cell

    def _start_paragraph(self, attributes: Attributes) -> None:
        if self._paragraphs is None:
            self._skip(attributes)
            return
        self._text = []
        self._parser.CharacterDataHandler = self._text.append

    def _end_paragraph(self) -> None:
        self._parser.CharacterDataHandler = None
        if self._paragraphs is not None and self._text is not None:
            self._paragraphs.append(paragraph(self._text))
        self._text = None

    def _start_space(self, attributes: Attributes) -> None:
        self._put(SPACE * min(self._times(attributes, self._names.count), MAX_TEXT + 1))

    def _put(self, sign: str) -> None:
        if self._text is not None:
            self._text.append(sign)

    def _times(self, attributes: Attributes, name: str) -> int:
        """Return how often a row, column or cell stands there."""
        text = attributes.get(name, "1")
        times = whole(text, _MOST)
        if not times:
            raise FileRefused("FILE_CORRUPT", {"found": f"{name}: {text[:20]}"})
        return times
