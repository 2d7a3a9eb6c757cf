"""A sheet before it is read: how many rows hold something, what is merged, which columns are hidden, its drawing.

Rows are counted in the bytes, so that a file with too many is refused before anything is parsed; what stands before
and behind them is parsed by expat. Bytes can lie, as a comment that looks like rows: that costs a refusal or merged cells
that are not seen, no more, and ``read`` counts the rows again as they come.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.intake.readers.model import MAX_COLUMN, Merge, ReadBudget, make_danger_refusal, parse_column
from pipeline.intake.readers.xlsx.package import CHUNK, Package, is_true, make_parser, parse_whole
from pipeline.intake.readers.xlsx.sheet_cells import get_prefix

_MAX_MERGES = 500_000
_HELD_BACK = 1 << 16  # bytes of a tag or text that a chunk may have cut
_BODY = re.compile(rb"<((?:[^\s<>/:]+:)?)sheetData(?:\s[^<>]*)?>")
_CORNERS = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6}):([A-Z]{1,3})([1-9][0-9]{0,6})")


@dataclass(slots=True)
class SheetOutline:
    """What is known of a sheet before its first line is walked."""

    merges: list[Merge] = field(default_factory=list)
    hidden_columns: set[int] = field(default_factory=set)
    drawing: str | None = None  # the identifier of the relationship


def survey_sheet(package: Package, part: str, budget: ReadBudget | None) -> SheetOutline:
    """Look a sheet over; what is in it goes into the budget, if there is one, and refuses the file if it is too much."""
    outside = _OutsideReader(part)
    body = _Body(outside.parser.Parse, budget)
    with package.open(part) as stream:
        while chunk := stream.read(CHUNK):
            if budget is not None:
                budget.count_tags(chunk.count(b"<"))
            body.feed(chunk)
        body.end()
    return outside.outline


class _Body:
    """Takes the bytes of a sheet: counts the rows within ``sheetData``, hands on what is outside."""

    def __init__(self, outside: Callable[[bytes, bool], object], budget: ReadBudget | None) -> None:
        self._outside, self._budget = outside, budget
        self._step = self._feed_head
        self._rest = b""
        self._row = self._end = b""
        self._value = re.compile(b"")
        self._blank = False  # the row that goes on has shown no value yet

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; from the last tag on they are held back until it is whole."""
        data = self._rest + chunk
        cut = data.rfind(b"<")
        if cut < 0 or len(data) - cut > _HELD_BACK:
            cut = len(data)
        self._rest = data[cut:]
        self._step(data[:cut])

    def end(self) -> None:
        """Take what was held back."""
        self._step(self._rest)
        self._outside(b"", True)

    def _feed_head(self, data: bytes) -> None:
        outline = _BODY.search(data)
        commented = b"<!" in data
        if commented:  # it may say anything: nothing is skipped, and the rows are counted when they are read
            self._step = self._feed_tail
        if outline is None or outline[0].endswith(b"/>") or commented:
            self._outside(data, False)
            return
        name = outline[1]
        self._row, self._end = b"<" + name + b"row", b"</" + name + b"sheetData"
        self._value = re.compile(b"<" + re.escape(name) + rb"[vt](?:\s[^<>]*)?>[^<]")
        self._outside(data[: outline.end()], False)
        self._step = self._feed_rows
        self._feed_rows(data[outline.end() :])

    def _feed_rows(self, data: bytes) -> None:
        end = data.find(self._end)
        self._count_rows(data if end < 0 else data[:end])
        if end >= 0:
            self._step = self._feed_tail
            self._feed_tail(data[end:])

    def _feed_tail(self, data: bytes) -> None:
        self._outside(data, False)

    def _count_rows(self, data: bytes) -> None:
        if self._budget is None:
            return
        search = self._value.search
        going_on, *rows = data.split(self._row)
        number = 0
        if self._blank and search(going_on):
            self._blank = False
            number = 1
        if rows:
            filled = [search(row) is not None for row in rows]
            number += sum(filled)
            self._blank = not filled[-1]
        self._budget.count_rows(number)


class _OutsideReader:
    """Handlers for what stands around ``sheetData``."""

    def __init__(self, part: str) -> None:
        self.outline = SheetOutline()
        self._part = part
        self._column = 0  # the last one described
        self.parser = make_parser(part)
        self.parser.StartElementHandler = self._start_root

    def _start_root(self, tag: str, _attributes: object) -> None:
        self._col, self._merge, self._drawing = (
            get_prefix(tag) + name for name in ("col", "mergeCell", "drawing")
        )
        self.parser.StartElementHandler = self._start_element

    def _start_element(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == self._merge:
            self._add_merge(attributes.get("ref", ""))
        elif tag == self._col:
            self._hide_columns(attributes)
        elif tag == self._drawing and self.outline.drawing is None:
            self.outline.drawing = next(
                (value for key, value in attributes.items() if key.rpartition(":")[2] == "id"), None
            )

    def _add_merge(self, reference: str) -> None:
        corners = _CORNERS.fullmatch(reference.replace("$", ""))
        try:
            first, last = sorted((parse_column(corners[1]), parse_column(corners[3]))) if corners else (0, 0)
        except ValueError:  # behind the last column
            return
        top, bottom = sorted((int(corners[2]), int(corners[4]))) if corners else (0, 0)
        if (top, first) != (bottom, last):
            self.outline.merges.append(Merge(top, bottom, first, last))
        if len(self.outline.merges) > _MAX_MERGES:
            raise make_danger_refusal("file.too_many_merged", limit=_MAX_MERGES)

    def _hide_columns(self, attributes: dict[str, str]) -> None:
        """Note columns of no width; they are described in their order (ECMA-376 part 1 §18.3.1.13)."""
        first, last = (parse_whole(attributes.get(name, ""), MAX_COLUMN) for name in ("min", "max"))
        if first is None or last is None or first <= self._column:
            return
        self._column = last
        if is_true(attributes.get("hidden")):
            self.outline.hidden_columns.update(range(first - 1, last))
