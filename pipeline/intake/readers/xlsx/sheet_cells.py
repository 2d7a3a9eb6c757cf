"""Sheets of an .xlsx and their shared strings, streamed straight from their XML: one pass, each cell with its own type.

Why not a library (all measured): calamine gives errors, formulas without a value
and empty cells alike, gives no hidden row or number format, and holds the whole rectangle of a sheet: one stray
cell at XFD1048576 aborts the process. openpyxl needs ten times the time. Both are this module's oracles in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from math import isfinite

from pipeline.domain.roster import CellKind
from pipeline.errors import FileRefused
from pipeline.intake.readers.child.program import NO_NUMBER
from pipeline.intake.readers.model import (
    MAX_ROW,
    MAX_TEXT,
    Line,
    RawCell,
    ReadBudget,
    date_cell,
    format_column,
    make_damage_refusal,
    make_danger_refusal,
    make_text_refusal,
    parse_column,
    text_cell,
)
from pipeline.intake.readers.xlsx.package import Package, make_parser
from pipeline.intake.readers.xlsx.pictures import CellPictures
from pipeline.intake.readers.xlsx.styles import GENERAL, Format, styled_number

_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[Ee][+-]?[0-9]{1,4})?")
_DIGITS = "0123456789"
_TEXT, _new = CellKind.TEXT, tuple.__new__  # looked up once, not a million times
_MAX_STRINGS = 5_000_000
MAX_WRITTEN = 8 * MAX_TEXT  # characters of a text in the file: one that is escaped takes seven
# ST_Xstring, ECMA-376 part 1 §22.9.2.19; half a surrogate pair is no character and stays as written
_ESCAPED = re.compile(r"_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")


class SheetReader:
    """Handlers for ``sheetData``: text counts within ``v``, ``t`` and ``f`` alone, so that indented XML reads alike.

    Without ``pictures`` a cell that holds one is what it is to a program that knows none: a formula, an error.
    """

    def __init__(
        self,
        part: str,
        *,
        strings: Sequence[str],
        formats: Sequence[Format],
        epoch: datetime,
        pictures: CellPictures | None,
    ) -> None:
        self._part = part
        self._strings, self._formats, self._epoch, self._pictures = strings, formats, epoch, pictures
        self._text: list[str] = []
        self._ready: list[Line] = []
        self._row, self._hidden, self._column = 0, False, -1
        self._cells: dict[int, RawCell] = {}
        self._cell: dict[str, str] = {}
        self._value: str | None = None
        self._formula: str | None = None
        self._shared: str | None = None  # what the formula is shared under
        self._masters: dict[str, str] = {}
        self._phonetic = self._is_inline = self._is_continued = False
        self._parser = make_parser(part)
        self._parser.StartElementHandler = self._start_root

    def read_lines(self, package: Package, budget: ReadBudget) -> Iterator[Line]:
        """Yield the lines of a sheet that hold something, in their order, while the part is unpacked."""
        for chunk in package.parse_part(self._part, self._parse):
            budget.count_tags(chunk.count(b"<"))
            require_bounded(self._text, self._part)
            ready, self._ready = self._ready, []
            budget.count_cells(sum(len(line.cells) for line in ready))
            yield from ready

    def _parse(self, chunk: bytes) -> None:
        """Parse the next bytes of the part; none end it."""
        self._parser.Parse(chunk, not chunk)

    def _start_root(self, tag: str, _attributes: object) -> None:
        names = ("c", "v", "is", "f", "t", "rPh", "row", "sheetData")
        self._c, self._v, self._is, self._f, self._t, self._rph, self._r, self._data = (
            get_prefix(tag) + name for name in names
        )
        self._parser.StartElementHandler = self._start_element
        self._parser.EndElementHandler = self._end_element
        self._parser.CharacterDataHandler = self._text.append

    def _start_element(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == self._v:
            self._text.clear()
        elif tag == self._c:
            self._cell = attributes
            self._value = self._formula = None
            self._is_inline = False
        elif tag == self._r:
            self._begin_row(attributes)
        elif tag == self._t:
            self._text.clear()
        elif tag == self._f:
            self._text.clear()
            self._formula = ""
            self._shared = attributes.get("si") if attributes.get("t") == "shared" else None
        elif tag == self._rph:
            self._phonetic = True
        elif tag == self._is and self._cell.get("t") == "inlineStr":
            self._value = ""
            self._is_inline = True

    def _end_element(self, tag: str) -> None:
        if tag == self._v:
            if not self._is_inline:  # a value beside an inline string does not count
                self._value = "".join(self._text)
        elif tag == self._c:
            self._end_cell()
        elif tag == self._t:
            self._end_run()
        elif tag == self._f:
            self._end_formula("".join(self._text))
        elif tag == self._rph:
            self._phonetic = False
        elif tag == self._data:
            self._end_row()
            # formats, validations and extensions follow: nothing of ours
            self._parser.StartElementHandler = self._parser.EndElementHandler = (
                self._parser.CharacterDataHandler
            ) = None

    def _begin_row(self, attributes: dict[str, str]) -> None:
        number = attributes.get("r", "")
        row = int(number) if number.isdecimal() else self._row + 1
        is_hidden = attributes.get("hidden") in ("1", "true")
        self._is_continued = 0 < row == self._row
        if self._is_continued:  # some writers put each cell into an element of its own
            self._hidden |= is_hidden
            return
        if not self._row < row <= MAX_ROW:
            raise make_damage_refusal("file.row_order", row=row, before=self._row)
        self._end_row()
        self._row = row
        self._hidden = is_hidden
        self._cells = {}
        self._column = -1

    def _end_row(self) -> None:
        if self._cells:
            self._ready.append(Line(self._row, self._cells, self._hidden))

    def _end_run(self) -> None:
        """Take a run of rich text; phonetic hints are none."""
        if not self._phonetic:
            self._value = (self._value or "") + "".join(self._text)
            if len(self._value) > MAX_WRITTEN:
                raise make_text_refusal(self._column + 1, self._row, len(self._value))

    def _end_formula(self, text: str) -> None:
        """Keep the formula for the sake of pictures; one that is shared is written with the first of its cells."""
        if self._pictures is None:
            return
        if self._shared is not None and CellPictures.calls_picture(text):
            self._masters.setdefault(self._shared, text)
        self._formula = text or self._masters.get(self._shared or "", "")

    def _end_cell(self) -> None:
        cell = self._cell
        reference = cell.get("r")
        try:
            column = parse_column(reference.rstrip(_DIGITS)) if reference else self._column + 1
            # twice, but for one that was empty first; out of order; or of an unknown row
            if column < self._column or column in self._cells or (self._is_continued and not reference):
                raise ValueError
            self._column = column
            value = self._value
            if value and not self._formula and cell.get("t") == "s":  # nearly every cell of a roster
                text = self._get_string(int(value))
                if text:
                    self._cells[column] = _new(RawCell, (_TEXT, text, text))
            elif value is not None or self._formula is not None:
                read = self._read_cell(cell.get("t", "n"), value)
                if read is not None:
                    self._cells[column] = read
        except (ValueError, IndexError, OverflowError):
            raise make_damage_refusal("file.cell", cell=reference or self._row) from None

    def _get_string(self, position: int) -> str:
        if position < 0:
            raise IndexError
        return self._strings[position]

    def _read_cell(self, kind: str, text: str | None) -> RawCell | None:
        """Return the cell by its type attribute (ST_CellType, ECMA-376 part 1 §18.18.11), None if it is empty."""
        shared = self._get_string(int(text)) if kind == "s" and text else None
        if self._pictures is not None and (self._formula or kind in ("e", "str")):
            picture = self._read_picture(self._pictures, kind, text if shared is None else shared)
            if picture is not None:
                return picture
        if shared is not None:
            return text_cell(shared) if shared else None
        if not text and not (text == "" and kind in ("str", "inlineStr")):
            # no value: only a formula makes the cell something; one that gave an empty text was computed
            return None if self._formula is None else RawCell(CellKind.NO_VALUE, None, "")
        return self._read_typed(kind, text) if text else None

    def _read_picture(self, pictures: CellPictures, kind: str, text: str | None) -> RawCell | None:
        """Return the picture that the cell holds by its formula or its rich value."""
        position = (format_column(self._column), self._row)
        finding = pictures.by_formula(self._formula or "", text or "", *position)
        value = self._cell.get("vm")
        if finding is None and kind == "e" and value is not None:
            return pictures.by_value(value, *position)
        return finding

    def _read_typed(self, kind: str, text: str) -> RawCell:
        match kind:
            case "str" | "inlineStr":
                text = unescape_text(text)
                if len(text) > MAX_TEXT:
                    raise make_text_refusal(self._column, self._row, len(text))
                return text_cell(text)
            case "b":
                true = text.strip() in ("1", "true")
                return RawCell(CellKind.BOOL, true, "TRUE" if true else "FALSE")
            case "e":
                return RawCell(CellKind.ERROR, text, text)
            case "d":
                return _iso_date(text.strip())
            case _:
                return self._read_number(text.strip())

    def _read_number(self, text: str) -> RawCell:
        """Return the number as exactly as it is written: 18 digits stay 18 digits. NaN and infinity are an error."""
        if _WHOLE.fullmatch(text):
            value: float = int(text)
        else:
            value = float(text)  # ValueError for words, but for those of NaN and infinity
            if not isfinite(value):
                return RawCell(CellKind.ERROR, NO_NUMBER, NO_NUMBER)
            if not _DECIMAL.fullmatch(text):
                raise ValueError
        style = int(self._cell.get("s") or 0)
        if style < 0:
            raise IndexError
        is_there = style < len(self._formats)  # a style that is not there changes nothing
        return styled_number(value, self._formats[style] if is_there else GENERAL, self._epoch)


def _iso_date(text: str) -> RawCell:
    """Return the date of a cell of type ``d``; what is none, a duration say, is a text."""
    try:
        return date_cell(datetime.fromisoformat(text).replace(tzinfo=None))
    except ValueError:
        return text_cell(text)


def read_shared_strings(package: Package, part: str) -> list[str]:
    """Return the texts that cells of type ``s`` refer to, by their place."""
    collector = _Strings(part)
    for _ in package.parse_part(part, collector.parse):
        require_bounded(collector.text, part)
    return collector.strings


def unescape_text(text: str) -> str:
    return _ESCAPED.sub(lambda finding: chr(int(finding[1], 16)), text) if "_x" in text else text


def require_bounded(text: list[str], position: str) -> None:
    """Refuse a text that has grown too long while it is still being read; white space between elements is dropped."""
    if sum(map(len, text)) > MAX_WRITTEN:
        text[:] = [piece for piece in text if not piece.isspace()]
        _require_length(sum(map(len, text)), MAX_WRITTEN, position)


def _require_length(length: int, limit: int, position: str) -> None:
    if length > limit:
        raise make_danger_refusal("file.cell_too_long", cell=position, length=length)


def get_prefix(tag: str) -> str:
    """Return the namespace prefix of the root with its colon; a part of a workbook uses one throughout."""
    head, colon, _ = tag.rpartition(":")
    return head + colon


class _Strings:
    """Handlers for ``sst``: every ``t`` within an ``si`` that is not within an ``rPh``."""

    def __init__(self, part: str) -> None:
        self.strings: list[str] = []
        self.text: list[str] = []
        self._part = part
        self._string = ""
        self._phonetic = False
        self.parser = make_parser(part)
        self.parser.StartElementHandler = self._start_root

    def parse(self, chunk: bytes) -> None:
        """Parse the next bytes of the part; none end it."""
        self.parser.Parse(chunk, not chunk)

    def _start_root(self, tag: str, _attributes: object) -> None:
        self._si, self._t, self._rph = (get_prefix(tag) + name for name in ("si", "t", "rPh"))
        self.parser.StartElementHandler = self._start_element
        self.parser.EndElementHandler = self._end_element
        self.parser.CharacterDataHandler = self.text.append

    def _start_element(self, tag: str, _attributes: object) -> None:
        if tag == self._t:
            self.text.clear()
        elif tag == self._si:
            self._string = ""
        elif tag == self._rph:
            self._phonetic = True

    def _end_element(self, tag: str) -> None:
        if tag == self._t:
            if not self._phonetic:
                self._string += "".join(self.text)
                _require_length(len(self._string), MAX_WRITTEN, self._part)
        elif tag == self._si:
            self._add_string(self._string)
        elif tag == self._rph:
            self._phonetic = False

    def _add_string(self, written: str) -> None:
        string = written if "_x" not in written else unescape_text(written)
        if len(written) > MAX_TEXT:
            _require_length(len(written), MAX_WRITTEN, self._part)
            _require_length(len(string), MAX_TEXT, self._part)
        self.strings.append(string)
        if len(self.strings) > _MAX_STRINGS:
            finding, limit = f"{self._part}: > {_MAX_STRINGS}", str(_MAX_STRINGS)
            raise FileRefused("FILE_TOO_LARGE", {"found": finding, "limit": limit})
