"""HTML tables that systems save as .xls, laid out as a browser does (HTML Living Standard §4.9).

Each table of the page is a sheet without a name. A row's number is its place among all ``<tr>`` of the file, those of
nested tables and those that a browser supplies included: no two rows share one. Nothing is ever fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser

from pipeline.domain.roster import CellKind
from pipeline.errors import FileRefused
from pipeline.intake.readers.model import Book, Line, Merge, RawCell, Sheet, make_damage_refusal, text_cell
from pipeline.messages.catalogue import make_message

DAMAGED = make_message("file.unended_tag")

_WIDEST, _HIGHEST = 1000, 65_534  # §4.9.11: what colspan and rowspan are cut to
_SPACE = re.compile(r"[ \t\r\n\f]+")
_BREAK = re.compile(r" *\n[ \n]*")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)", re.IGNORECASE)
_SWALLOWED = re.compile(r"</?t(?:d|h|r|able)\b", re.IGNORECASE)  # in an attribute: its quote was never closed
_VOID = frozenset(
    "br img input hr col meta link wbr area base embed param source".split()  # noqa: SIM905  one line
)
_BLOCKS = frozenset("p div li ul ol dl dt dd pre center h1 h2 h3 h4 h5 h6".split())  # noqa: SIM905
_SECTIONS = frozenset({"thead", "tbody", "tfoot"})
# what a formula shows in place of a value, in LibreOffice and Excel, where a file has no other sign of an error
_SHOWN_ERROR = re.compile(
    r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!|SPILL!|CALC!)|(?:Err|错误)[:：]\d{3}"
)
_DIGITS = re.compile(r"\s*\+?(\d{1,9})", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?0{0,3}\d{1,2})?", re.ASCII)

Attributes = Mapping[str, str]


def read(data: bytes) -> Book:
    """Return the tables of a page that hold something, each as a sheet without a name."""
    text = data.decode()
    if text.rfind("<!--") > text.rfind("-->"):
        raise make_damage_refusal("file.unended_tag")
    page = _Page()
    page.feed(text)
    page.end_page()
    tables = [table for table in page.tables if table.lines]
    sheets = []
    while tables:
        parts = [tables.pop(0)]
        if tables and _is_header(parts[0], tables[0]):
            parts.append(tables.pop(0))
        lines = [line for table in parts for line in table.lines]
        merges = [merge for table in parts for merge in table.list_merges()]
        sheets.append(Sheet(None, iter(lines), merges=merges))
    notes = [make_message("note.tables", n=len(sheets))] if len(sheets) > 1 else []
    if page.has_pictures:
        notes.append(make_message("note.pictures_not_read", format="HTML"))
    return Book(iter(sheets), tuple(notes))


def _is_header(table: _Table, below: _Table) -> bool:
    """Return whether a table holds nothing but the titles of the next: they are header cells, or fit it column by column.

    Pages draw a header that does not scroll as a table of its own.
    """
    fits = len(table.lines) == 1 and table.width == below.width > 1
    return (
        (table.is_heading or fits) and not below.is_heading and table.lines[-1].number < below.lines[0].number
    )


@dataclass(slots=True)
class _Span:
    """A cell with the rows that may still come under it."""

    first: int
    last: int
    top: int
    bottom: int
    rows: int  # still to come


class _Table:
    """A table; a row may be open in it, and a cell in that."""

    def __init__(self, *, has_tag: bool) -> None:
        self.lines: list[Line] = []
        self.is_heading = True  # it holds nothing but header cells so far
        self.has_tag = has_tag  # a tag began it, and has to end it
        self.row: int | None = None  # the number of the open row
        self.cell: Attributes | None = None  # of the open cell
        self.text: list[str] = []  # of the open cell
        self._is_row_hidden = self._is_title = False
        self._cells: dict[int, RawCell] = {}
        self._first = self._next = 0  # the column of the open cell, the first that the next one may take
        self._spans: list[_Span] = []  # over the open row
        self._merged: list[_Span] = []

    @property
    def width(self) -> int:
        """How many columns its rows take."""
        return max(max(line.cells) + 1 for line in self.lines)

    def list_merges(self) -> Sequence[Merge]:
        """Return the merged cells; none is higher than the rows that came."""
        merges = [Merge(span.top, span.bottom, span.first, span.last) for span in self._merged]
        return [merge for merge in merges if merge[0] < merge[1] or merge[2] < merge[3]]

    def start_row(self, number: int, *, is_hidden: bool) -> None:
        self.row, self._is_row_hidden = number, is_hidden
        self._cells, self._next = {}, 0
        self._spans = sorted((span for span in self._spans if span.rows), key=lambda span: span.first)
        for span in self._spans:
            span.bottom, span.rows = number, span.rows - 1

    def end_row(self) -> None:
        """End the open row, if there is one."""
        if self.row is not None and self._cells:
            self.lines.append(Line(self.row, self._cells, self._is_row_hidden))
        self.row = None

    def start_cell(self, attributes: Attributes, *, is_title: bool) -> None:
        """Begin a cell in the next column that no merged cell takes."""
        assert self.row is not None
        for span in self._spans:
            if span.first <= self._next <= span.last:
                self._next = span.last + 1
        first = self._next
        self._next += _read_span(attributes, "colspan", _WIDEST)
        high = _read_span(attributes, "rowspan", _HIGHEST)
        span = _Span(first, self._next - 1, self.row, self.row, high - 1)
        if span.rows:
            self._spans.append(span)
        if span.rows or span.last > first:
            self._merged.append(span)
        self._is_title = is_title
        self.cell, self._first, self.text = attributes, first, []

    def end_cell(self) -> None:
        """End the open cell, if there is one."""
        attributes, self.cell = self.cell, None
        text = _BREAK.sub("\n", re.sub(" {2,}", " ", "".join(self.text))).strip(" \n")
        if attributes is not None and text and not text.isspace():
            self._cells[self._first] = _read_cell(text, attributes)
            self.is_heading = self.is_heading and self._is_title


class _Page(HTMLParser):
    """Collects the tables of a page; tags that are left out are supplied."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[_Table] = []  # in the order in which they begin
        self.has_pictures = False
        self._rows = 0
        self._open: list[_Table] = []
        self._is_complete = False  # the end tag of the page was read
        self._muted, self._depth = "", 0  # the hidden element, and how many of its name are open

    def end_page(self) -> None:
        """End what is open; a page that breaks off within a table is refused: its last row is half a row."""
        self.close()
        if any(table.has_tag for table in self._open) and not self._is_complete:
            raise make_damage_refusal("file.cut_off")
        while self._open:
            self._end_row()
            self._open.pop()
        if not self.tables:
            raise FileRefused("FILE_FORMAT", {"found": make_message("file.page_without_table")})

    def handle_data(self, data: str) -> None:
        """Take a text between tags."""
        if self.cdata_elem is None and self._open and not self._muted:
            self._add_text(_SPACE.sub(" ", data))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take ``<td/>``, which is the same as ``<td>``."""
        self.handle_starttag(tag, attrs)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open what the tag opens, after closing what it closes without a tag of its own."""
        attributes: dict[str, str] = {}
        for name, value in attrs:
            attributes.setdefault(name, value or "")
        if tag in ("tr", "td", "th") and any(map(_SWALLOWED.search, attributes.values())):
            raise make_damage_refusal("file.quotes_in_row", row=self._rows)
        if tag == "table":
            self._start_table(has_tag=True)
        elif tag == "tr":
            self._start_row(attributes)
        elif tag in ("td", "th"):
            if not self._open or self._open[-1].row is None:
                self._start_row({})
            self._end_cell()
            self._open[-1].start_cell(attributes, is_title=tag == "th")
        elif tag == "frameset":
            raise FileRefused("FILE_FORMAT", {"found": make_message("file.page_in_parts")})
        elif tag in _SECTIONS and self._open:
            self._end_row()
        elif self._open and self._open[-1].cell is not None:
            self._start_in_cell(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        """Close what the tag closes; one that closes nothing is passed over."""
        if tag in ("html", "body"):
            self._is_complete = True
        elif not self._open:
            return
        elif tag == "table":
            self._end_row()
            self._open.pop()
        elif tag == "tr" or tag in _SECTIONS:
            self._end_row()
        elif tag in ("td", "th"):
            self._end_cell()
        elif tag == self._muted:
            self._depth -= 1
            if not self._depth:
                self._muted = ""
        elif tag in _BLOCKS:
            self._add_text("\n")

    def _start_table(self, *, has_tag: bool) -> None:
        self._muted = ""
        table = _Table(has_tag=has_tag)
        self._open.append(table)
        self.tables.append(table)

    def _start_row(self, attributes: Attributes) -> None:
        if not self._open:
            self._start_table(has_tag=False)
        self._end_row()
        self._rows += 1
        self._open[-1].start_row(self._rows, is_hidden=_is_hidden(attributes))

    def _end_row(self) -> None:
        self._end_cell()
        self._open[-1].end_row()

    def _end_cell(self) -> None:
        self._muted = ""
        self._open[-1].end_cell()

    def _start_in_cell(self, tag: str, attributes: Attributes) -> None:
        if tag == self._muted:
            self._depth += 1
        elif not self._muted:
            self.has_pictures |= tag == "img"
            if tag == "br" or tag in _BLOCKS:
                self._add_text("\n")
            if tag == "comment" or (tag not in _VOID and _is_hidden(attributes)):
                self._muted, self._depth = tag, 1

    def _add_text(self, text: str) -> None:
        if self._open[-1].cell is not None:
            self._open[-1].text.append(text)


def _is_hidden(attributes: Attributes) -> bool:
    return "hidden" in attributes or _HIDDEN.search(attributes.get("style", "")) is not None


def _read_cell(text: str, attributes: Attributes) -> RawCell:
    """Return a cell: text as it is seen, unless Excel or LibreOffice wrote the value behind it.

    A number that a page shows with all its digits was a double before.
    """
    number = next((attributes[name].strip() or text for name in ("x:num", "sdval") if name in attributes), "")
    if "x:err" in attributes or (number and _SHOWN_ERROR.fullmatch(text)):
        return RawCell(CellKind.ERROR, text, text)
    if _NUMBER.fullmatch(number):
        return RawCell(CellKind.NUMBER, int(number) if number.isdecimal() else float(number), text)
    return text_cell(text)


def _read_span(attributes: Attributes, name: str, limit: int) -> int:
    """Return over how many columns or rows a cell goes, as browsers read it (§2.3.4.2): digits at the start."""
    digits = _DIGITS.match(attributes.get(name, ""))
    return min(max(int(digits[1]) if digits else 1, 1), limit)
