"""Tables of an HTML text, as a browser lays them out: rows in their order, cells in their columns.

HTML Living Standard §4.9 (tables, spans and their bounds). Tags that are left out are supplied, what nobody sees is
left out or said to be hidden, and nothing that the text refers to is ever opened.
"""

from __future__ import annotations

import re

from pipeline.errors import FileRefused
from pipeline.intake.readers.budget import ReadBudget
from pipeline.intake.readers.html_grid import Grid
from pipeline.intake.readers.html_tokens import Attributes, Tag
from pipeline.intake.readers.text_limits import MAX_TEXT, text_over
from pipeline.messages.texts import make_text

_MAX_DEPTH = 64  # tables within tables

_SPACE = re.compile(r"[ \t\r\n\f]+")
_RUN = re.compile(" {2,}")
_TIDY = re.compile(r" *\n[ \n]*")
_UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)", re.IGNORECASE)
_UNSEEN_CLASS = re.compile(r"\.([\w-]+)\s*\{[^{}]*display\s*:\s*none", re.IGNORECASE)
_SWALLOWED = re.compile(r"</?t(?:d|h|r|able)\b", re.IGNORECASE)  # in an attribute: its quote was never closed
_VOID = frozenset(
    {"br", "img", "input", "hr", "col", "meta", "link", "wbr", "area", "base", "embed", "param", "source"}
)
_BLOCKS = frozenset(
    {"p", "div", "li", "ul", "ol", "dl", "dt", "dd", "pre", "center", "h1", "h2", "h3", "h4", "h5", "h6"}
)
_SECTIONS = frozenset({"thead", "tbody", "tfoot"})


class Tables:
    """Collects the tables of a text; rows are numbered over the whole text, those of nested tables too."""

    def __init__(self, tally: ReadBudget) -> None:
        self.found: list[Grid] = []  # in the order in which they begin
        self.pictures = False
        self._tally = tally
        self._rows = 0
        self._open: list[Grid] = []
        self._ended = False  # the text says that it is whole
        self._style = False  # the next text is a style sheet
        self._unseen_classes: set[str] = set()
        self._muted, self._deep = "", 0  # the element that nobody sees, and how many of its name are open

    def take(self, token: Tag | str) -> None:
        """Take the next tag or text; raises FileRefused for what is too deep, too long or broken."""
        if isinstance(token, str):
            self._text(token)
        elif token.ends:
            self._end(token.name)
        else:
            self._start(token)
        self._style = isinstance(token, Tag) and token.name == "style"

    def end(self) -> None:
        """End what is open; a text that breaks off within a table is refused: its last doctor is half a doctor."""
        if any(grid.tagged for grid in self._open) and not self._ended:
            raise FileRefused("FILE_CORRUPT", {"found": make_text("file.cut_off")})
        while self._open:
            self._end_table()

    def _text(self, text: str) -> None:
        if self._style:
            self._unseen_classes.update(_UNSEEN_CLASS.findall(text))
        elif self._open and not self._muted:
            self._put(_SPACE.sub(" ", text))

    def _start(self, tag: Tag) -> None:
        """Open what the tag opens, after closing what it closes without saying so."""
        name = tag.name
        if name == "table":
            self._start_table(tag.read())
        elif name == "tr":
            self._whole(tag)
            self._start_row(tag.read())
        elif name in ("td", "th"):
            self._whole(tag)
            self._start_cell(name, tag.read())
        elif name == "frameset":
            raise FileRefused("FILE_FORMAT", {"found": make_text("file.page_in_parts")})
        elif self._open:
            self._start_other(name, tag.read())

    def _end(self, name: str) -> None:
        """Close what the tag closes; one that closes nothing is passed over."""
        if name in ("html", "body"):
            self._ended = True
        elif not self._open:
            return
        elif name == "table":
            self._end_table()
        elif name == "tr":
            self._end_row()
        elif name in ("td", "th"):
            self._end_cell()
        elif name in _SECTIONS:
            self._end_row()
            self._open[-1].end_section()
        elif name == self._muted:
            self._deep -= 1
            if not self._deep:
                self._muted = ""
        elif name in _BLOCKS:
            self._put("\n")

    def _start_table(self, attributes: Attributes, *, tagged: bool = True) -> None:
        if len(self._open) >= _MAX_DEPTH:
            raise FileRefused(
                "FILE_SUSPICIOUS", {"found": make_text("file.tables_too_deep", limit=_MAX_DEPTH)}
            )
        self._muted = ""
        grid = Grid(hidden=self._unseen(attributes), tagged=tagged)
        self._open.append(grid)
        self.found.append(grid)

    def _end_table(self) -> None:
        self._end_row()
        grid = self._open.pop()
        grid.end_section()
        text = grid.only_text()
        if self._open and text is not None:  # a frame around a text: no table of its own
            self._put(f" {text}")
            grid.lines.clear()

    def _start_row(self, attributes: Attributes) -> None:
        if not self._open:
            self._start_table({}, tagged=False)
        self._end_row()
        self._rows += 1
        self._open[-1].start_row(self._rows, hidden=self._unseen(attributes))

    def _end_row(self) -> None:
        self._end_cell()
        self._open[-1].end_row(self._tally)

    def _start_cell(self, tag: str, attributes: Attributes) -> None:
        if not self._open or self._open[-1].row is None:
            self._start_row({})
        self._end_cell()
        self._open[-1].start_cell(attributes, heading=tag == "th", hidden=self._unseen(attributes))

    def _end_cell(self) -> None:
        self._muted = ""
        grid = self._open[-1]
        if grid.cell is not None:
            grid.end_cell(_TIDY.sub("\n", _RUN.sub(" ", "".join(grid.text))).strip(" \n"))

    def _start_other(self, tag: str, attributes: Attributes) -> None:
        grid = self._open[-1]
        if tag == self._muted:
            self._deep += 1
        elif tag in _SECTIONS:
            self._end_row()
            grid.start_section(head=tag == "thead", hidden=self._unseen(attributes))
        elif tag in ("col", "colgroup"):
            grid.columns(attributes, group=tag == "colgroup", hidden=self._unseen(attributes))
        elif grid.cell is not None and not self._muted:
            if tag == "img":
                self.pictures = True
            elif tag == "br" or tag in _BLOCKS:
                self._put("\n")
            if tag == "comment" or (tag not in _VOID and self._unseen(attributes)):
                self._muted, self._deep = tag, 1

    def _put(self, text: str) -> None:
        grid = self._open[-1]
        if grid.cell is not None:
            grid.text.append(text)
            grid.length += len(text)
            if grid.length > MAX_TEXT:
                raise text_over(grid.left, grid.row or 0, grid.length)

    def _unseen(self, attributes: Attributes) -> bool:
        return (
            "hidden" in attributes
            or _UNSEEN.search(attributes.get("style", "")) is not None
            or (
                bool(self._unseen_classes)
                and not self._unseen_classes.isdisjoint(attributes.get("class", "").split())
            )
        )

    def _whole(self, tag: Tag) -> None:
        """Refuse a tag whose attribute ran over the next tags: cells are missing, and others took their columns."""
        if "<" in tag.attributes and _SWALLOWED.search(tag.attributes):
            raise FileRefused("FILE_CORRUPT", {"found": make_text("file.quotes_in_row", row=self._rows)})
