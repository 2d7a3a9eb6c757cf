"""Binary workbooks of the .xlsx family (.xlsb): which sheets they have, what is hidden or merged there.

The package is that of an .xlsx, but its parts hold records ([MS-XLSB] §2.1 and §2.4) in the place of XML.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from struct import unpack_from

from pipeline.errors import FileRefused
from pipeline.intake.readers.calamine_bridge import Budget, Reader, Survey, height_of
from pipeline.intake.readers.model import Book, Sheet
from pipeline.intake.readers.options import ReadOptions
from pipeline.intake.readers.own_workbook import OWN_SHEETS, run_of_package
from pipeline.intake.readers.text_limits import too_many_bytes
from pipeline.intake.readers.xlsb_cells import (
    BLANK,
    BLANKS,
    CELLS,
    END,
    ROW,
    RUN,
    RUN_CELL,
    RUN_OF_BLANKS,
    RUN_OF_CELLS,
    STRING,
    Picker,
    Record,
    is_short,
    record,
    text,
    workbook,
)
from pipeline.intake.readers.xlsx.package import CHUNK, Package
from pipeline.intake.readers.xlsx.styles import EPOCH_1900, EPOCH_1904, Format, formats_of
from pipeline.messages.texts import make_text

PICTURES = make_text("note.pictures_not_read", format=".xlsb")

_FORMAT, _XF, _XFS, _XFS_END = 44, 47, 617, 618
_PROPERTIES, _SHEET = 153, 156
_COLUMNS, _MERGE = 60, 176
_RUNS = {2: RUN_OF_CELLS, 7: RUN_OF_CELLS, BLANK: RUN_OF_BLANKS}
_NARROW = 64  # columns that may lie apart in any sheet
_MAX_RECORD = 4_000_000  # bytes; a text of 32,767 characters has 65,534
_MAX_STRINGS = 64_000_000  # bytes of shared strings: calamine needs up to 6 times as much
_MAX_SHEETS = 1_000


@dataclass(slots=True)
class _Workbook:
    """What concerns all sheets."""

    package: Package
    budget: Budget
    epoch: datetime = EPOCH_1900
    sheets: list[tuple[str, str, bool]] = field(default_factory=list)  # name, part, whether hidden
    formats: list[Format] = field(default_factory=list)
    strings: bytes = b""  # the records of the shared strings
    count: int = 0  # of the shared strings


def read(data: bytes, *, manner: ReadOptions) -> Book:
    """Open a workbook: its sheets are surveyed now, and read as they are walked.

    Raises FileRefused for one that is damaged, oversized or hostile; the lines raise it for damaged cells.
    """
    package = Package(data)
    run = run_of_package(package)
    found = _Workbook(package, Budget(manner.max_rows * (1 if run is None else OWN_SHEETS)))
    part = found.package.related("", "officeDocument") or ""
    with _whole():
        _open(found, part)
        surveys = [None if hidden else _survey(found, target) for _, target, hidden in found.sheets]
    pictures = any(_has_pictures(found.package, target) for _, target, hidden in found.sheets if not hidden)
    return Book(_sheets(found, surveys), run, notes=(PICTURES,) if pictures and run is None else ())


def _sheets(found: _Workbook, surveys: list[Survey | None]) -> Iterator[Sheet]:
    pack = partial(workbook, found.strings, found.count)
    for (name, part, _), survey in zip(found.sheets, surveys, strict=True):
        if survey is None:
            yield Sheet(name, iter(()), hidden=True)
            continue
        columns = _columns(survey)
        places = {column: place for place, column in enumerate(columns)} if columns else None
        height = height_of(len(columns) if columns else max(survey.columns, default=0) + 1)
        picker = Picker(found.formats, found.count, places, height)
        yield Sheet(
            name,
            Reader(pack, survey, found.epoch, found.budget, columns).lines(
                picker.batches(_records(found, part), until=max(survey.rows, default=-1))
            ),
            merges=survey.merges,
            hidden_columns=frozenset(survey.hidden_columns),
        )


def _has_pictures(package: Package, sheet: str) -> bool:
    drawings = (target for kind, target in package.relations(sheet).values() if kind == "drawing")
    return any(package.related(drawing, "image") for drawing in drawings)


def _columns(survey: Survey) -> list[int] | None:
    """Return the columns that hold something if they lie far apart; calamine would hold all between them."""
    columns = sorted(survey.columns)
    return columns if columns and columns[-1] > 2 * len(columns) + _NARROW else None


def _open(found: _Workbook, part: str) -> None:
    """Read the parts that concern all sheets."""
    relations = found.package.relations(part)
    for kind, body in _records(found, part):
        if kind == _PROPERTIES:
            found.epoch = EPOCH_1904 if body[0] & 1 else EPOCH_1900
        elif kind == _SHEET:
            identifier, at = text(body, 8)
            type_, target = relations.get(identifier, ("", ""))
            if type_ == "worksheet":  # charts, dialogs and macros hold no roster
                found.sheets.append((text(body, at)[0], target, body[0] & 3 != 0))
    if len(found.sheets) > _MAX_SHEETS:
        raise FileRefused("FILE_SUSPICIOUS", {"found": make_text("file.too_many_sheets", limit=_MAX_SHEETS)})
    if styles := found.package.related(part, "styles"):
        found.formats = _formats(_records(found, styles))
    if strings := found.package.related(part, "sharedStrings"):
        _strings(found, strings)


def _strings(found: _Workbook, part: str) -> None:
    kept = bytearray()
    for kind, body in _records(found, part):
        if kind == STRING:
            kept += record(STRING, body)
            found.count += 1
        if len(kept) > _MAX_STRINGS:
            raise too_many_bytes(len(kept), _MAX_STRINGS)
    found.strings = bytes(kept)


def _formats(records: Iterator[Record]) -> list[Format]:
    """Return the format of each cell style; the styles that cells inherit from stand apart and are left out."""
    codes: dict[str, str] = {}
    numbers: list[str] = []
    of_cells = False
    for kind, body in records:
        if kind == _FORMAT:
            codes[str(*unpack_from("<H", body))] = text(body, 2)[0]
        elif kind in (_XFS, _XFS_END):
            of_cells = kind == _XFS
        elif kind == _XF and of_cells:
            numbers.append(str(*unpack_from("<H", body, 2)))
    return formats_of(numbers, codes)


def _survey(found: _Workbook, part: str) -> Survey:
    survey = Survey()
    row = column = -1
    ended = False
    for kind, body in _records(found, part):
        if kind == RUN:
            columns = [column for _, _, column, _, _ in RUN_CELL.iter_unpack(body)]
            survey.fill([row], columns)
            column = columns[-1]
        elif kind in CELLS:
            column = column + 1 if is_short(kind) else int.from_bytes(body[:4], "little")
            if kind not in BLANKS:
                survey.fill([row], [column])
        else:
            if kind == ROW:
                row, column = int.from_bytes(body[:4], "little"), -1
            ended |= kind == END
            _form(survey, kind, body)
    if not ended:
        raise FileRefused("FILE_CORRUPT", {"found": make_text("file.cut_off_in", part=part)})
    found.budget.rows(len(survey.rows))
    found.budget.cells(survey.cells)
    return survey


def _form(survey: Survey, kind: int, body: bytes) -> None:
    """Take what a record says of hidden or merged cells."""
    if kind == ROW and body[11] & 0x10:
        survey.hidden_rows.add(*unpack_from("<I", body))
    elif kind == _COLUMNS:
        first, last, hidden = unpack_from("<2I8xH", body)
        if hidden & 1:
            survey.hide_columns(first, last)
    elif kind == _MERGE:
        survey.merge(*unpack_from("<4I", body))


def _records(found: _Workbook, part: str) -> Iterator[Record]:
    """Yield the records of a part while it is unpacked: the number in one or two bytes, the size in up to four."""
    left, count = found.budget.left, 0
    rest, chunk = b"", b"-"
    with found.package.open(part) as stream:
        while chunk and count <= left:
            chunk = stream.read(CHUNK)
            data = rest + (
                chunk or bytes(6)
            )  # so that the head of the last record can be looked at like any other
            limit, at = len(data) - 6, 0
            while at < limit:
                place = at
                kind = data[place]
                if kind in _RUNS and (run := _RUNS[kind].match(data, at, len(data) if chunk else limit)):
                    count += len(run[0]) // 10
                    at = run.end()
                    yield (RUN, run[0]) if kind != BLANK else (BLANK, run[0][-8:])
                    continue
                if kind & 0x80:
                    place += 1
                    kind = kind & 0x7F | (data[place] & 0x7F) << 7
                place += 1
                size = data[place]
                if size & 0x80:
                    size, place = _size(data, place)
                place += 1
                if place + size > (len(data) if chunk else limit):
                    break
                yield kind, data[place : place + size]
                count += 1
                at = place + size
            rest = data[at:] if chunk else data[at:limit]
            if len(rest) > _MAX_RECORD:
                raise FileRefused(
                    "FILE_SUSPICIOUS",
                    {"found": make_text("file.record_too_large", part=part, limit=_MAX_RECORD // 1_000_000)},
                )
    found.budget.records(count)
    if rest:
        raise FileRefused("FILE_CORRUPT", {"found": make_text("file.cut_off_in", part=part)})


def _size(data: bytes, place: int) -> tuple[int, int]:
    """Return a size of several bytes, and where the last of them stands."""
    size = 0
    for shift in range(0, 28, 7):
        size |= (data[place] & 0x7F) << shift
        if not data[place] & 0x80 or shift == 21:
            break
        place += 1
    return size, place


@contextmanager
def _whole() -> Iterator[None]:
    """Turn what a record too short or a text without sense leads to into the file's refusal."""
    try:
        yield
    except (struct.error, IndexError, ValueError) as error:
        raise FileRefused("FILE_CORRUPT", {"found": make_text("file.records")}) from error
