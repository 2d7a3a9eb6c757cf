"""Binary workbooks of the .xlsx family (.xlsb): records of [MS-XLSB] §2.3, read in their order, each cell with its own type.

No library gives errors, texts with runs, cells without a column and number formats, and takes no memory for the empty
cells between two filled ones.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from struct import pack, unpack, unpack_from

from defusedxml.ElementTree import fromstring

from pipeline.intake.readers.child.program import (
    MAX_COLUMN,
    WPS_PICTURE,
    Output,
    Refused,
    ValueKind,
    make_number,
)

DAMAGED = "file.cells"

_ROW = 0
# cells by what they hold; 8 to 11 are those of formulas
_RK, _SHARED, _RICH_TEXT = 2, 7, 62
_TEXTS = (6, _SHARED, 8, _RICH_TEXT)
_NUMBERS = (_RK, 5, 9)
_BOOLS = (4, 10)
_ERRORS = (3, 11)
_CELLS = frozenset({*range(1, 12), _RICH_TEXT})
_SHORT = range(12, 19)  # the cells 1 to 7 without a column
_STRING = 19  # in the table of texts
_COLUMNS, _MERGE, _SHEET_END = 60, 176, 130
_FORMAT, _STYLE, _STYLES, _STYLES_END = 44, 47, 617, 618
_SHEET, _PROPERTIES = 156, 153
_HIDDEN = (1, 2)  # states of a sheet: hidden, very hidden
_ERROR_TEXTS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}  # fmt: skip  §2.5.97.2


Record = tuple[int, bytes]  # number, body
Relations = Mapping[str, tuple[str, str]]  # identifier -> last word of the type, target part


def read(data: bytes, output: Output) -> None:
    """Write the visible sheets of a workbook, and the names of the others."""
    package = _Package(data)
    workbook = package.get_related_part("", "officeDocument")
    relations = package.read_relations(workbook)
    records = list(_list_records(package.read(workbook)))
    numbers, codes = _read_formats(package.read(package.get_related_part(workbook, "styles")))
    since_1904 = any(kind == _PROPERTIES and body[0] & 1 for kind, body in records)
    output.write_facts(formats=numbers, codes=codes, since_1904=since_1904)
    strings = _read_strings(package.read(package.get_related_part(workbook, "sharedStrings")))
    for kind, body in records:
        if kind != _SHEET:
            continue
        identifier, end = _read_text(body, 8)
        name, _ = _read_text(body, end)
        relation, part = relations.get(identifier, ("", ""))
        if relation != "worksheet":  # charts, dialogs and macros hold no roster
            continue
        if unpack_from("<I", body)[0] in _HIDDEN:
            output.end_sheet(name, hidden=True)
            continue
        _write_sheet(name, package.read(part), strings, output)


class _Package:
    """The parts of the workbook; the parent has seen to it that they are neither too many nor too large."""

    def __init__(self, data: bytes) -> None:
        self._zip = zipfile.ZipFile(io.BytesIO(data))
        self._members = {_normalize_part(member.filename): member for member in self._zip.infolist()}

    def read(self, part: str) -> bytes:
        """Return a part; ``""`` is one that the workbook does without."""
        return self._zip.read(self._members[_normalize_part(part)]) if part else b""

    def read_relations(self, part: str) -> Relations:
        """Return the relationships of a part (``""``: the package)."""
        folder, name = posixpath.split(part)
        root = fromstring(self.read(posixpath.join(folder, "_rels", f"{name}.rels")), forbid_dtd=True)
        return {
            relation.get("Id", ""): (
                relation.get("Type", "").rsplit("/", 1)[-1],
                posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/"),
            )
            for relation in root
        }

    def get_related_part(self, part: str, kind: str) -> str:
        """Return the first part of a kind that a part refers to and that is there, ``""`` for none."""
        targets = (target for relation, target in self.read_relations(part).values() if relation == kind)
        return next((target for target in targets if _normalize_part(target) in self._members), "")


def _normalize_part(part: str) -> str:
    """Part names are compared without case (ECMA-376 part 2 §6.2); some writers use backslashes."""
    return part.replace("\\", "/").lstrip("/").casefold()


def _read_formats(part: bytes) -> tuple[list[str], dict[str, str]]:
    """Return the number format of each cell style, and the codes of the formats that are not built in."""
    numbers: list[str] = []
    codes: dict[str, str] = {}
    is_of_cells = False
    for kind, body in _list_records(part):
        if kind == _FORMAT:
            codes[str(*unpack_from("<H", body))] = _read_text(body, 2)[0]
        elif kind in (_STYLES, _STYLES_END):
            is_of_cells = kind == _STYLES
        elif kind == _STYLE and is_of_cells:
            numbers.append(str(*unpack_from("<H", body, 2)))
    return numbers, codes


def _read_strings(part: bytes) -> list[str]:
    """Return the texts that cells refer to, by their place."""
    return [_read_text(body, 1)[0] for kind, body in _list_records(part) if kind == _STRING]


def _list_records(part: bytes) -> Iterator[Record]:
    """Yield the records of a part: the number in one or two bytes, the size in up to four."""
    offset = 0
    while offset < len(part):
        kind = part[offset]
        if kind & 0x80:
            offset += 1
            kind = kind & 0x7F | (part[offset] & 0x7F) << 7
        size = shift = 0
        while True:
            offset += 1
            size |= (part[offset] & 0x7F) << shift
            shift += 7
            if not part[offset] & 0x80 or shift > 21:
                break
        offset += 1
        if offset + size > len(part):
            raise Refused("FILE_CORRUPT", "file.cut_off")
        yield kind, part[offset : offset + size]
        offset += size


def _read_text(body: bytes, offset: int) -> tuple[str, int]:
    """Return a text and where it ends; none at all is an empty one (§2.5.166)."""
    (length,) = unpack_from("<I", body, offset)
    if length == 0xFFFF_FFFF:
        return "", offset + 4
    end = offset + 4 + 2 * length
    if end > len(body):
        raise ValueError
    return body[offset + 4 : end].decode("utf-16-le"), end


def _write_sheet(name: str, part: bytes, strings: Sequence[str], output: Output) -> None:
    """Write a sheet row by row; raises Refused where it breaks off."""
    sheet = _Sheet(strings)
    kind = -1
    for kind, body in _list_records(part):
        if kind == _ROW:
            sheet.write_row(output)
            sheet.begin_row(body)
        elif kind in _CELLS or kind in _SHORT:
            sheet.take_cell(kind, body)
        elif kind == _COLUMNS:
            sheet.take_columns(body)
        elif kind == _MERGE:
            sheet.take_merge(body)
    if kind != _SHEET_END:
        raise Refused("FILE_CORRUPT", "file.cut_off")
    sheet.write_row(output)
    output.end_sheet(name, merges=sheet.merges, hidden_columns=sheet.hidden_columns)


class _Sheet:
    """A sheet while its records come; rows and columns from 0."""

    def __init__(self, strings: Sequence[str]) -> None:
        self.merges: list[tuple[int, int, int, int]] = []
        self.hidden_columns: set[int] = set()
        self._strings = strings
        self._row, self._column, self._is_hidden = 0, -1, False
        self._cells: list[list[object]] = []

    def begin_row(self, body: bytes) -> None:
        """Begin the row that a record describes."""
        self._row, flags = unpack_from("<I7xB", body)
        self._column, self._is_hidden, self._cells = -1, bool(flags & 0x10), []

    def write_row(self, output: Output) -> None:
        """Write the row that ends here, if it holds something."""
        if self._cells:
            output.write_row(self._row + 1, self._cells, hidden=self._is_hidden)

    def take_cell(self, kind: int, body: bytes) -> None:
        """Take a cell; one without a column stands behind the last one."""
        if kind in _SHORT:
            self._column += 1
            kind, offset = kind - _SHORT[0] + 1, 4
        else:
            (self._column,) = unpack_from("<I", body)
            offset = 8
        (style,) = unpack_from("<I", body, offset - 4)
        cell = _read_cell(kind, style & 0xFF_FFFF, body, offset, self._strings)
        if cell:
            self._cells.append([self._column, *cell])

    def take_columns(self, body: bytes) -> None:
        """Take the description of some columns."""
        first, last, flags = unpack_from("<2I8xH", body)
        self.hidden_columns.update(range(first, min(last + 1, MAX_COLUMN)) if flags & 1 else ())

    def take_merge(self, body: bytes) -> None:
        """Take cells that are merged."""
        top, bottom, first, last = unpack_from("<4I", body)
        if (top, first) != (bottom, last):
            self.merges.append((top + 1, bottom + 1, first, last))


def _read_cell(kind: int, style: int, body: bytes, offset: int, strings: Sequence[str]) -> list[object]:
    """Return kind and value of a cell; nothing for an empty one, and for a formula that gave an empty text."""
    if kind in _TEXTS:
        text = _read_cell_text(kind, body, offset, strings)
        is_picture = WPS_PICTURE.match(text) is not None
        kind_and_value: list[object] = [ValueKind.PICTURE, None] if is_picture else [ValueKind.TEXT, text]
        return kind_and_value if text else []
    if kind in _NUMBERS:
        return make_number(
            _read_rk(body, offset) if kind == _RK else unpack_from("<d", body, offset)[0], style
        )
    if kind in _BOOLS:
        return [ValueKind.TRUTH, bool(body[offset])]
    return [ValueKind.ERROR, _ERROR_TEXTS[body[offset]]] if kind in _ERRORS else []


def _read_cell_text(kind: int, body: bytes, offset: int, strings: Sequence[str]) -> str:
    if kind == _SHARED:
        position: int = unpack_from("<I", body, offset)[0]
        return strings[position]
    return _read_text(body, offset + 1 if kind == _RICH_TEXT else offset)[0]


def _read_rk(body: bytes, offset: int) -> float:
    """Return a number of 30 bits: a whole one or the upper half of a real one, or a hundredth of it (§2.5.122)."""
    (bits,) = unpack_from("<i", body, offset)
    value: float = bits >> 2 if bits & 2 else unpack("<d", pack("<2i", 0, bits & ~3))[0]
    return value / 100 if bits & 1 else value
