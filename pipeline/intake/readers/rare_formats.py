"""Roster files of rare formats: prepared here, read in a child process, and made a book of typed cells here.

The child is not trusted: order of rows and columns, lengths and types are checked on what it writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, time
from typing import Any

from pipeline.domain.roster import CellKind
from pipeline.errors import FileRefused
from pipeline.intake.readers import charset
from pipeline.intake.readers.child.program import DATE, ERROR, NO_VALUE, NUMBER, PICTURE, TEXT, TRUTH
from pipeline.intake.readers.child_process import ChildBook, ChildSheet, read_in_child
from pipeline.intake.readers.detect import BARE_RECORDS, Kind
from pipeline.intake.readers.model import (
    MAX_COLUMN,
    MAX_ROW,
    MAX_TEXT,
    Book,
    Line,
    Merge,
    RawCell,
    ReadOptions,
    Sheet,
    date_cell,
    make_damage_refusal,
    make_danger_refusal,
    make_size_refusal,
    make_text_refusal,
    text_cell,
)
from pipeline.intake.readers.own_workbook import OWN_SHEETS, read_run_of_compound, read_run_of_package
from pipeline.intake.readers.xlsx.package import MEGABYTE, Package
from pipeline.intake.readers.xlsx.styles import (
    EPOCH_1900,
    EPOCH_1904,
    GENERAL,
    Format,
    make_formats,
    styled_number,
)
from pipeline.messages.texts import make_text

MAX_BYTES = 100_000_000  # of a file that is no package; what a package unpacks to is bounded there
MAX_SHEETS = 1_000
MAX_MERGES = 500_000
_NAMES = {"xls": ".xls", "xlsb": ".xlsb", "ods": ".ods", "html": "HTML"}  # in the note on pictures
_KINDS = {ERROR: CellKind.ERROR, NO_VALUE: CellKind.NO_VALUE, PICTURE: CellKind.PICTURE}
_MANIFEST = "META-INF/manifest.xml"
_HEAD = 1 << 14  # bytes in which a page declares its encoding; Excel writes its styles first
_DECLARED = re.compile(
    rb"<meta[^>]{1,500}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})|<\?xml[^>]{1,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})",
    re.IGNORECASE,
)
_XML_DECLARATION = re.compile(r"\A<\?xml\b[^>]*\?>")
_MIME = re.compile(rb"(?im)\A(?:[\w-]+:.*\r?\n(?:[ \t].*\r?\n)*)*?mime-version:")


def read(kind: Kind, data: bytes, options: ReadOptions) -> Book:
    """Open a file of a kind that has no reader in this process.

    Raises FileRefused for one that is locked, damaged, oversized or hostile; its lines raise it for damaged cells.
    """
    run: str | None = None
    has_pictures = False
    if kind in ("xlsb", "ods"):
        package = Package(data)
        if b"encryption-data" in (package.read_payload(_MANIFEST, 10 * MEGABYTE) or b""):
            raise FileRefused("FILE_ENCRYPTED")
        run = read_run_of_package(package)
        has_pictures = kind == "xlsb" and _has_pictures(package)
    elif len(data) > MAX_BYTES:
        raise make_size_refusal(len(data), MAX_BYTES)
    elif kind == "xls":
        run = None if data.startswith(BARE_RECORDS) else read_run_of_compound(data)
    else:
        data = _decode_markup(data)
    read_rows = options.max_rows * (1 if run is None else OWN_SHEETS)
    book = read_in_child(kind, data, max_rows=read_rows)
    notes = []
    tables = sum(1 for sheet in book.sheets if sheet.rows)
    if kind == "html" and tables > 1:
        notes.append(make_text("note.tables", n=tables))
    if run is None and (has_pictures or book.facts.get("pictures")):
        notes.append(make_text("note.pictures_not_read", format=_NAMES[kind]))
    return Book(make_sheets(book), run, tuple(notes))


def _decode_markup(data: bytes) -> bytes:
    """Return a page or an XML text in UTF-8, without what stands before its first tag: its declaration lies now."""
    head = data[:_HEAD]
    if _MIME.match(head):
        raise FileRefused("FILE_FORMAT", {"found": "MHTML"})
    declared = _DECLARED.search(head)
    label = (declared[1] or declared[2]).decode("ascii") if declared else ""
    text = "".join(charset.detect_charset(data, label).chunks(data))
    return _XML_DECLARATION.sub("", text.lstrip("\ufeff \t\r\n"), count=1).encode()


def _has_pictures(package: Package) -> bool:
    workbook = package.find_related("", "officeDocument") or ""
    sheets = [target for kind, target in package.read_relations(workbook).values() if kind == "worksheet"]
    drawings = [package.find_related(sheet, "drawing") for sheet in sheets]
    return any(drawing is not None and package.find_related(drawing, "image") for drawing in drawings)


def make_sheets(book: ChildBook) -> Iterator[Sheet]:
    """Yield the sheets of what the child found."""
    if len(book.sheets) > MAX_SHEETS:
        raise make_danger_refusal("file.too_many_sheets", limit=MAX_SHEETS)
    formats = make_formats(book.facts.get("formats", ()), book.facts.get("codes", {}))
    epoch = EPOCH_1904 if book.facts.get("since_1904") else EPOCH_1900
    for sheet in book.sheets:
        facts = sheet.facts
        if len(facts["merges"]) > MAX_MERGES:
            raise make_danger_refusal("file.too_many_merged", limit=MAX_MERGES)
        yield Sheet(
            facts["sheet"],
            iter(()) if facts["hidden"] else _read_lines(sheet, formats, epoch),
            hidden=facts["hidden"],
            merges=[Merge(*corners) for corners in facts["merges"]],
            hidden_columns=frozenset(facts["hidden_columns"]),
        )


def _read_lines(sheet: ChildSheet, formats: Sequence[Format], epoch: datetime) -> Iterator[Line]:
    last_row = 0
    for text in sheet.rows:
        row, hidden, entries = json.loads(text)
        if not last_row < row <= MAX_ROW:
            raise make_damage_refusal("file.row_order", row=row, before=last_row)
        last_row = row
        cells: dict[int, RawCell] = {}
        last_column = -1
        for column, kind, value, *more in entries:
            if column >= MAX_COLUMN:
                raise make_danger_refusal("file.row_too_wide", row=row, limit=MAX_COLUMN)
            if column <= last_column:
                raise make_damage_refusal("file.row", row=row)
            last_column = column
            cell = _make_cell(kind, value, more, formats, epoch)
            if len(cell.display_text) > MAX_TEXT:
                raise make_text_refusal(column, row, len(cell.display_text))
            cells[column] = cell
        yield Line(row, cells, bool(hidden))


def _make_cell(
    kind: str, value: Any, more: Sequence[Any], formats: Sequence[Format], epoch: datetime
) -> RawCell:
    """Return a cell of the child's output with its type; a style that is not there is none."""
    if kind == TEXT:
        return text_cell(value)
    if kind == NUMBER:
        if more and isinstance(more[0], str):
            return RawCell(CellKind.NUMBER, value, more[0])
        is_styled = more and more[0] < len(formats)
        return styled_number(value, formats[more[0]] if is_styled else GENERAL, epoch)
    if kind == DATE:
        return date_cell(datetime.fromisoformat(value) if "-" in value else time.fromisoformat(value))
    if kind == TRUTH:
        return RawCell(CellKind.BOOL, value, "TRUE" if value else "FALSE")
    shown = (value or "#") if kind == ERROR else ""
    return RawCell(_KINDS[kind], value, shown)
