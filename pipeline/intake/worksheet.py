"""Sheets and shared strings of an .xlsx, streamed straight from their XML: one pass, each cell with its own type.

Why not a library (all measured, rosters.md §5, performance.md §4): calamine gives errors, formulas without a value
and empty cells alike, tells no hidden row or number format, and holds the whole rectangle of a sheet: one stray
cell at XFD1048576 aborts the process. openpyxl needs ten times the time. Both are this module's oracles in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from pipeline.errors import FileRefused
from pipeline.intake.cells import Line, RawCell, date_cell, index, text_cell
from pipeline.intake.package import CHUNK, Package, parser
from pipeline.intake.styles import GENERAL, Format, styled_number
from pipeline.roster import CellKind

# ST_Xstring, ECMA-376 part 1 §22.9.2.19; half a surrogate pair is no character and stays as written
_ESCAPED = re.compile(r"_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")
_WHOLE = re.compile(r"[+-]?\d{1,40}")
_DIGITS = "0123456789"
_MAX_ROW = 1_048_576


def shared_strings(package: Package, part: str) -> list[RawCell]:
    """Return the workbook's shared strings as the cells they make; runs of rich text are joined, phonetic hints left out."""
    collector = _Strings(part)
    with package.open(part) as stream:
        while chunk := stream.read(CHUNK):
            collector.parser.Parse(chunk, False)
        collector.parser.Parse(b"", True)
    return collector.strings


def lines(
    package: Package, part: str, *, strings: Sequence[RawCell], formats: Sequence[Format], epoch: datetime
) -> Iterator[Line]:
    """Yield the lines of a sheet that hold something, in their order, while the part is unpacked."""
    reader = _Lines(part, strings, formats, epoch)
    with package.open(part) as stream:
        while chunk := stream.read(CHUNK):
            reader.parser.Parse(chunk, False)
            yield from reader.take()
        reader.parser.Parse(b"", True)
    yield from reader.take()


class _Strings:
    """Handlers for ``sst``: every ``t`` within an ``si`` that is not within an ``rPh``."""

    def __init__(self, part: str) -> None:
        self.strings: list[RawCell] = []
        self._runs: list[str] = []
        self._text: list[str] = []
        self._phonetic = False
        self.parser = parser(part)
        self.parser.StartElementHandler = self._root

    def _root(self, tag: str, _attributes: object) -> None:
        prefix = _prefix(tag)
        self._si, self._t, self._rph = f"{prefix}si", f"{prefix}t", f"{prefix}rPh"
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text.append

    def _start(self, tag: str, _attributes: object) -> None:
        if tag == self._t:
            self._text.clear()
        elif tag == self._si:
            self._runs.clear()
        elif tag == self._rph:
            self._phonetic = True

    def _end(self, tag: str) -> None:
        if tag == self._t:
            if not self._phonetic:
                self._runs.extend(self._text)
        elif tag == self._si:
            self.strings.append(text_cell(_unescaped("".join(self._runs))))
        elif tag == self._rph:
            self._phonetic = False


class _Lines:
    """Handlers for ``sheetData``: text counts within ``v`` and ``t`` alone, so that indented XML reads alike."""

    def __init__(
        self, part: str, strings: Sequence[RawCell], formats: Sequence[Format], epoch: datetime
    ) -> None:
        self._strings, self._formats, self._epoch = strings, formats, epoch
        self._ready: list[Line] = []
        self._text: list[str] = []
        self._row, self._hidden, self._column = 0, False, -1
        self._cells: dict[int, RawCell] = {}
        self._cell: dict[str, str] = {}
        self._value: str | None = None
        self._formula = self._phonetic = False
        self.parser = parser(part)
        self.parser.StartElementHandler = self._root

    def take(self) -> list[Line]:
        """Hand over the lines that are complete."""
        ready, self._ready = self._ready, []
        return ready

    def _root(self, tag: str, _attributes: object) -> None:
        self._names(_prefix(tag))
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text.append

    def _names(self, prefix: str) -> None:
        self._c, self._v, self._f, self._t = (f"{prefix}{name}" for name in "cvft")
        self._texts = (self._v, self._t)
        self._rph, self._r, self._data = f"{prefix}rPh", f"{prefix}row", f"{prefix}sheetData"

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == self._c:
            self._cell = attributes
            self._value = None
            self._formula = False
        elif tag in self._texts:
            self._text.clear()
        elif tag == self._f:
            self._formula = True
        elif tag == self._r:
            self._begin_row(attributes)
        elif tag == self._rph:
            self._phonetic = True

    def _end(self, tag: str) -> None:
        if tag == self._v:
            self._value = "".join(self._text)
        elif tag == self._c:
            self._end_cell()
        elif tag == self._t:
            if not self._phonetic:
                self._value = (self._value or "") + "".join(self._text)
        elif tag == self._r:
            if self._cells:
                self._ready.append(Line(self._row, self._cells, self._hidden))
        elif tag == self._rph:
            self._phonetic = False
        elif tag == self._data:  # formats, validations and extensions follow: nothing of ours
            self.parser.StartElementHandler = self.parser.EndElementHandler = (
                self.parser.CharacterDataHandler
            ) = None

    def _begin_row(self, attributes: dict[str, str]) -> None:
        number = attributes.get("r", "")
        row = int(number) if number.isdecimal() else self._row + 1
        if not self._row < row <= _MAX_ROW:
            raise FileRefused("FILE_CORRUPT", {"found": f"row {row} after row {self._row}"})
        self._row = row
        self._hidden = attributes.get("hidden") in ("1", "true")
        self._cells = {}
        self._column = -1

    def _end_cell(self) -> None:
        reference = self._cell.get("r")
        try:
            column = index(reference.rstrip(_DIGITS)) if reference else self._column + 1
            if column <= self._column:
                raise ValueError  # twice, or out of order
            self._column = column
            if self._value is not None or self._formula:
                cell = self._read(self._cell.get("t", "n"), self._value)
                if cell is not None:
                    self._cells[column] = cell
        except (ValueError, IndexError, OverflowError):
            raise FileRefused("FILE_CORRUPT", {"found": f"cell {reference or self._row}"}) from None

    def _read(self, kind: str, text: str | None) -> RawCell | None:
        """Return the cell by its type attribute (ST_CellType, ECMA-376 part 1 §18.18.11), None if it is empty."""
        if kind == "s":
            place = int(text or "")
            if place < 0:
                raise IndexError
            cell = self._strings[place]
            return cell if cell.shown else None
        if text is None or (not text and kind != "str"):  # no value: only a formula makes the cell something
            return RawCell(CellKind.NO_VALUE, None, "") if self._formula else None
        return self._typed(kind, text) if text else None

    def _typed(self, kind: str, text: str) -> RawCell:
        match kind:
            case "str" | "inlineStr":
                return text_cell(_unescaped(text))
            case "b":
                return RawCell(CellKind.BOOL, text == "1", "TRUE" if text == "1" else "FALSE")
            case "e":
                return RawCell(CellKind.ERROR, text, text)
            case "d":
                return date_cell(datetime.fromisoformat(text))
            case _:
                return self._number(text.strip())

    def _number(self, text: str) -> RawCell:
        value = int(text) if _WHOLE.fullmatch(text) else float(text)
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  NaN is no number a sheet can hold
            raise ValueError
        style = self._cell.get("s")
        return styled_number(
            value, self._formats[int(style)] if style and self._formats else GENERAL, self._epoch
        )


def _prefix(tag: str) -> str:
    """Return the namespace prefix of the root with its colon; a part of a workbook uses one throughout."""
    head, colon, _ = tag.rpartition(":")
    return head + colon


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text
