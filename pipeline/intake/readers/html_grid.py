"""One HTML table while it is read: the columns that its cells take, what is merged, what is hidden.

HTML Living Standard §4.9.12 (forming a table). What Excel or LibreOffice write into a cell's attributes (x:num, x:err, sdval) counts as the
cell's type: a number that it shows with all its digits was a double before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.domain.roster import CellKind
from pipeline.errors import FileRefused
from pipeline.intake.readers.budget import ReadBudget
from pipeline.intake.readers.html_tokens import Attributes
from pipeline.intake.readers.model import Line, Merge, RawCell, text_cell
from pipeline.intake.readers.ods_cells import SHOWN_ERROR
from pipeline.intake.readers.text_limits import MAX_COLUMN, columns_over
from pipeline.messages.texts import make_text

_WIDEST, _HIGHEST = 1000, 65_534  # §4.9.11: what colspan and rowspan are cut to
_MOST_SPANS = 256  # cells merged down that a row may lie under
_MAX_MERGES = 500_000
_DIGITS = re.compile(r"\s*\+?(\d+)", re.ASCII)
_LONGEST = 9  # digits of a span that are looked at
_NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?0{0,3}\d{1,2})?", re.ASCII)
_NUMERIC = (
    "x:num",
    "sdval",
)  # what Excel and LibreOffice write: the value behind the text, in words of their own
_REMEMBERED = 4096  # texts that are kept as one cell


@dataclass(slots=True)
class _Span:
    """A cell merged down, while rows may still come under it."""

    left: int
    right: int
    top: int
    rows: int  # still to come
    bottom: int


class Grid:
    """A table; a row may be open in it, and a cell in that."""

    def __init__(self, *, hidden: bool, tagged: bool) -> None:
        self.lines: list[Line] = []
        self.merges: list[Merge] = []
        self.heading = True  # it holds nothing but titles so far: cells that are th or stand in a thead
        self.tagged = tagged  # a tag began it, and has to end it
        self.row: int | None = None  # the number of the open row
        self.cell: Attributes | None = None  # of the open cell
        self.left = 0  # its column
        self.text: list[str] = []
        self.length = 0  # of its text
        self._hidden, self._section_hidden, self._row_hidden = hidden, False, False
        self._in_head = self._is_heading = False
        self._cells: dict[int, RawCell] = {}
        self._column = 0  # the first that the next cell may take
        self._told = 0  # columns that col elements told of
        self._group_hidden = False
        self._hidden_columns: set[int] = set()  # by their col elements
        self._veiled: set[int] = set()  # columns with a cell that nobody sees
        self._seen: set[int] = set()  # columns with other cells
        self._spans: list[_Span] = []  # over the open row and those below
        self._known: dict[str, RawCell] = {}

    @property
    def hidden_columns(self) -> frozenset[int]:
        """The columns of which nothing is seen."""
        return frozenset(self._hidden_columns | self._veiled - self._seen)

    @property
    def width(self) -> int:
        """How many columns its lines take."""
        return max((column + 1 for line in self.lines for column in line.cells), default=0)

    def only_text(self) -> str | None:
        """Return what a table of one cell, or none, holds; None for any other."""
        cells = [cell for line in self.lines for cell in line.cells.values()]
        return None if len(cells) > 1 else "".join(cell.display_text for cell in cells)

    def start_section(self, *, head: bool, hidden: bool) -> None:
        """Begin a thead, tbody or tfoot."""
        self.end_section()
        self._in_head, self._section_hidden = head, hidden

    def end_section(self) -> None:
        """End a section: no cell reaches out of it."""
        for span in self._spans:
            self._merge(span)
        self._spans = []
        self._in_head = self._section_hidden = False

    def columns(self, attributes: Attributes, *, group: bool, hidden: bool) -> None:
        """Take what a col or colgroup element says of columns."""
        if group:
            self._group_hidden = hidden
        if not group or "span" in attributes:
            first = self._told
            self._told = min(first + max(_span(attributes, "span"), 1), MAX_COLUMN)
            if hidden or self._group_hidden:
                self._hidden_columns.update(range(first, self._told))

    def start_row(self, number: int, *, hidden: bool) -> None:
        """Begin a row."""
        self.row, self._row_hidden = number, hidden
        self._cells, self._column = {}, 0
        for span in self._spans:
            if span.rows:
                span.bottom = number
            else:
                self._merge(span)
            span.rows -= 1
        self._spans = sorted((span for span in self._spans if span.rows >= 0), key=lambda span: span.left)

    def end_row(self, tally: ReadBudget) -> None:
        """End the open row, if there is one."""
        if self.row is not None and self._cells:
            tally.rows(1)
            tally.cells(len(self._cells))
            hidden = self._row_hidden or self._section_hidden or self._hidden
            self.lines.append(Line(self.row, self._cells, hidden))
        self.row = None

    def start_cell(self, attributes: Attributes, *, heading: bool, hidden: bool) -> None:
        """Begin a cell in the next column that no merged cell takes."""
        assert self.row is not None
        for span in self._spans:
            if span.left <= self._column <= span.right:
                self._column = span.right + 1
        left = self._column
        wide = min(max(_span(attributes, "colspan"), 1), _WIDEST)
        high = _span(attributes, "rowspan", 1) or _HIGHEST  # 0: down to the section's end
        self._column = left + wide
        span = _Span(left, left + wide - 1, self.row, min(high, _HIGHEST) - 1, self.row)
        if span.rows:
            self._spans.append(span)
            if len(self._spans) > _MOST_SPANS:
                raise FileRefused(
                    "FILE_SUSPICIOUS",
                    {"found": make_text("file.row_too_many_spans", row=self.row, limit=_MOST_SPANS)},
                )
        else:
            self._merge(span)
        if wide == 1:
            (self._veiled if hidden else self._seen).add(left)
        self._is_heading = heading or self._in_head
        self.cell, self.left, self.text, self.length = attributes, left, [], 0

    def end_cell(self, text: str) -> None:
        """End the open cell, which holds this text."""
        assert self.cell is not None
        assert self.row is not None
        attributes, self.cell = self.cell, None
        if text and not text.isspace():
            if self.left >= MAX_COLUMN:
                raise columns_over(self.row)
            self._cells[self.left] = self._cell(text, attributes)
            self.heading = self.heading and self._is_heading

    def _cell(self, text: str, attributes: Attributes) -> RawCell:
        """Return the cell: text as it is seen, unless Excel wrote what it was before it was shown."""
        number = next((attributes[name].strip() or text for name in _NUMERIC if name in attributes), "")
        if "x:err" in attributes or (number and SHOWN_ERROR.fullmatch(text)):
            return RawCell(CellKind.ERROR, text, text)
        if _NUMBER.fullmatch(number):
            return RawCell(CellKind.NUMBER, int(number) if number.isdecimal() else float(number), text)
        cell = self._known.get(text)
        if cell is None:
            cell = text_cell(text)
            if len(self._known) < _REMEMBERED:
                self._known[text] = cell
        return cell

    def _merge(self, span: _Span) -> None:
        if span.bottom > span.top or span.right > span.left:
            self.merges.append(Merge(span.top, span.bottom, span.left, span.right))
            if len(self.merges) > _MAX_MERGES:
                raise FileRefused(
                    "FILE_SUSPICIOUS", {"found": make_text("file.too_many_merged", limit=_MAX_MERGES)}
                )


def _span(attributes: Attributes, name: str, absent: int = 0) -> int:
    """Return a number as browsers read it (§2.3.4.2): digits at the start; ``absent`` where there are none."""
    found = _DIGITS.match(attributes.get(name, ""))
    return int(found[1][:_LONGEST]) if found else absent
