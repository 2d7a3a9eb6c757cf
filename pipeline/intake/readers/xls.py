"""Workbooks of Excel 5 to 2003 and of WPS (.xls, .et): which sheets they have, what is hidden or merged there.

[MS-XLS] §2.1 and §2.4. Programs of hospitals also write bare records, without a compound file around them, and even
one sheet without globals; Excel opens both, so both are read.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from struct import unpack_from

from pipeline.errors import FileRefused
from pipeline.intake.readers import ole
from pipeline.intake.readers.calamine_bridge import Budget, Reader, Survey, height_of
from pipeline.intake.readers.model import Book, Sheet
from pipeline.intake.readers.options import ReadOptions
from pipeline.intake.readers.own_workbook import OWN_SHEETS, run_of_compound
from pipeline.intake.readers.text_limits import too_many_bytes
from pipeline.intake.readers.xls_cells import (
    BOF,
    BOUNDSHEET,
    CELLS,
    EOF,
    FORMULA,
    LABELSST,
    MULRK,
    RK,
    RUN,
    RUN_CELL,
    RUN_OF_CELLS,
    Record,
    Script,
    batches,
    says_nothing,
    within,
    workbook,
)
from pipeline.intake.readers.xlsx.styles import EPOCH_1900, EPOCH_1904, formats_of
from pipeline.messages.texts import make_text

BARE = (b"\x09\x08\x08\x00", b"\x09\x08\x10\x00")  # how records begin that no compound file surrounds
PICTURES = make_text("note.pictures_not_read", format=".xls")

_FILEPASS, _CODEPAGE, _DATEMODE, _FORMAT, _XF = 0x2F, 0x42, 0x22, 0x041E, 0xE0
_SST, _CONTINUE, _DRAWINGS = 0xFC, 0x3C, 0xEB
_COLINFO, _ROW, _MERGES = 0x7D, 0x0208, 0xE5
_FORMS = {_COLINFO: 10, _ROW: 14, _MERGES: 2}  # how long they are at least
_VERSIONS = {0: False, 0x0500: False, 0x0600: True}  # whether it is BIFF8; bare records may leave it out
_GLOBALS, _WORKSHEET = 0x0005, 0x0010
_BLIPS = 0xF001  # OfficeArtBStoreContainer: the pictures of a workbook ([MS-ODRAW] §2.2.20)
_MAX_STRINGS = 30_000_000  # bytes of shared strings: calamine needs up to 14 times as much
_MAX_SHEETS = 1_000
_IN_RUNS = (LABELSST, RK)
_HEAD = struct.Struct("<2H")
_PAGES = {
    936: "gb18030",
    10008: "gb18030",
    54936: "gb18030",
    0x8000: "mac_roman",
    10000: "mac_roman",
    0x8001: "cp1252",
}


@dataclass(slots=True)
class _Globals:
    """What concerns all sheets."""

    script: Script
    epoch: datetime = EPOCH_1900
    codes: dict[str, str] = field(default_factory=dict)  # number format -> its code
    styles: list[str] = field(default_factory=list)  # format of a cell -> number format
    sheets: list[tuple[str, int, bool]] = field(default_factory=list)  # name, where it begins, whether hidden
    strings: bytes = b""  # the records of the shared strings
    pictures: bool = False


def read(data: bytes, *, manner: ReadOptions) -> Book:
    """Open a workbook: its sheets are surveyed now, and read as they are walked.

    Raises FileRefused for one that is locked, damaged, oversized or hostile; the lines raise it for damaged cells.
    """
    run = None if data.startswith(BARE) else run_of_compound(data)
    budget = Budget(manner.max_rows * (1 if run is None else OWN_SHEETS))
    with _whole():
        stream = stream_of(data)
        found = _globals(stream, budget)
        surveys = [None if hidden else _survey(stream, place, budget) for _, place, hidden in found.sheets]
    notes = (PICTURES,) if found.pictures and run is None else ()
    return Book(_sheets(stream, found, surveys, budget), run, notes)


def stream_of(data: bytes) -> bytes:
    """Return the records of a workbook, with a compound file around them or bare."""
    if data.startswith(BARE):
        return data
    compound = ole.Compound(data)
    return compound.read("workbook" if "workbook" in compound.streams else "book")


def is_locked(stream: bytes) -> bool:
    """Tell whether an opening password is needed: FilePass stands before all that it hides (§2.4.117)."""
    return any(kind == _FILEPASS for kind, _, _ in _substream(stream, 0, Budget(0)))


def _sheets(
    stream: bytes, found: _Globals, surveys: Sequence[Survey | None], budget: Budget
) -> Iterator[Sheet]:
    formats = formats_of(found.styles, found.codes)
    pack = partial(workbook, found.strings)
    for (name, place, _), survey in zip(found.sheets, surveys, strict=True):
        if survey is None:
            yield Sheet(name, iter(()), hidden=True)
            continue
        height = height_of(max(survey.columns, default=0) + 1)
        pick = partial(batches, stream, script=found.script, formats=formats, height=height)
        if survey.sorted:
            cells = pick(_substream(stream, place, budget))
        else:
            bands = (
                range(first * height, (first + 1) * height)
                for first in sorted({row // height for row in survey.rows})
            )
            cells = (
                batch
                for band in bands
                for batch in pick(within(stream, _substream(stream, place, budget), band))
            )
        yield Sheet(
            name,
            Reader(pack, survey, found.epoch, budget).lines(cells),
            merges=survey.merges,
            hidden_columns=frozenset(survey.hidden_columns),
        )


def _globals(stream: bytes, budget: Budget) -> _Globals:
    kind, version, substream = unpack_from("<H2x2H", stream)
    if kind != BOF:
        raise ValueError
    if version not in _VERSIONS or substream not in (_GLOBALS, _WORKSHEET):
        raise FileRefused("FILE_FORMAT", {"found": "Excel 4"})
    found = _Globals(Script(unicode=_VERSIONS[version], codec="gb18030"))  # what Excel takes in China
    strings: tuple[int, int] | None = None
    before = 0
    for kind, at, size in _substream(stream, 0, budget):
        if kind == _FILEPASS:
            raise FileRefused("FILE_ENCRYPTED")
        if kind == _SST:
            strings = (at - 4, at + size)
        elif kind == _CONTINUE and before == _SST and strings:
            strings = (strings[0], at + size)
            continue
        else:
            _take(found, kind, stream, at, size)
        before = kind
    if strings:
        if strings[1] - strings[0] > _MAX_STRINGS:
            raise too_many_bytes(strings[1] - strings[0], _MAX_STRINGS)
        found.strings = stream[slice(*strings)]
    if substream == _WORKSHEET:
        found.sheets = [("Sheet1", 0, False)]
    return found


def _take(found: _Globals, kind: int, stream: bytes, at: int, size: int) -> None:
    """Take one record of the globals."""
    script = found.script
    if kind == _CODEPAGE:
        (page,) = unpack_from("<H", stream, at)
        found.script = Script(unicode=script.unicode, codec=_codec(page))
    elif kind == _DATEMODE:
        found.epoch = EPOCH_1904 if stream[at] & 1 else EPOCH_1900
    elif kind == _FORMAT:
        (number,) = unpack_from("<H", stream, at)
        found.codes[str(number)] = script.read(stream, at + 2, at + size, width=2 if script.unicode else 1)
    elif kind == _XF:
        found.styles.append(str(*unpack_from("<H", stream, at + 2)))
    elif kind == BOUNDSHEET:
        place, state, type_ = unpack_from("<I2B", stream, at)
        if type_ == 0:  # charts and macros hold no roster
            name = script.read(stream, at + 6, at + size, width=1).replace("\0", "")
            found.sheets.append((name, place, state & 3 != 0))
        if len(found.sheets) > _MAX_SHEETS:
            raise FileRefused(
                "FILE_SUSPICIOUS", {"found": make_text("file.too_many_sheets", limit=_MAX_SHEETS)}
            )
    elif kind == _DRAWINGS and size > 16:
        (length,) = unpack_from("<I", stream, at + 12)  # of the first thing in it, which is no picture
        found.pictures |= stream[at + 18 + length : at + 20 + length] == _BLIPS.to_bytes(2, "little")


def _codec(page: int) -> str:
    """Return how Python calls a code page; one that it does not know is taken for ASCII and breaks at the first Han."""
    name = _PAGES.get(page, f"cp{page}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "ascii"


def _survey(stream: bytes, place: int, budget: Budget) -> Survey:
    survey = Survey()
    for kind, at, size in _substream(stream, place, budget):
        if kind == RUN:
            cells = list(RUN_CELL.iter_unpack(stream[at : at + size]))
            survey.fill([row for _, _, row, _, _ in cells], [column for _, _, _, column, _ in cells])
        elif kind in CELLS:
            row, column = unpack_from("<2H", stream, at)
            if kind != FORMULA or not says_nothing(stream, at):
                survey.fill([row], range(column, column + ((size - 6) // 6 if kind == MULRK else 1)))
        else:
            _form(survey, kind, stream, at, size)
    budget.rows(len(survey.rows))
    budget.cells(survey.cells)
    return survey


def _form(survey: Survey, kind: int, stream: bytes, at: int, size: int) -> None:
    """Take what a record says of hidden or merged cells."""
    if size < _FORMS.get(kind, 0):
        raise ValueError
    if kind == _ROW:
        row, flags = unpack_from("<H10xH", stream, at)
        if flags & 0x20:
            survey.hidden_rows.add(row)
    elif kind == _COLINFO:
        first, last, flags = unpack_from("<2H4xH", stream, at)
        if flags & 1:
            survey.hide_columns(first, last)
    elif kind == _MERGES:
        for place in range(at + 2, at + size - 7, 8):
            survey.merge(*unpack_from("<4H", stream, place))


def _substream(stream: bytes, at: int, budget: Budget) -> Iterator[Record]:
    """Yield the records between a BOF and its EOF, without those of charts and the like within."""
    unpack, run_of_cells, length, left = _HEAD.unpack_from, RUN_OF_CELLS.match, len(stream), budget.left
    depth = count = 0
    while at + 4 <= length and count <= left:
        kind, size = unpack(stream, at)
        if kind in _IN_RUNS and depth == 1 and (run := run_of_cells(stream, at)):
            yield RUN, at, run.end() - at
            count += (run.end() - at) // RUN_CELL.size
            at = run.end()
            continue
        count += 1
        at += 4
        if at + size > length or (depth == 0 and kind != BOF):
            break
        if kind == BOF:
            depth += 1
        elif kind == EOF:
            depth -= 1
            if depth == 0:
                budget.records(count)
                return
        elif depth == 1:
            yield kind, at, size
        at += size
    budget.records(count)
    raise FileRefused("FILE_CORRUPT", {"found": make_text("file.cut_off")})


@contextmanager
def _whole() -> Iterator[None]:
    """Turn what a record too short or a text without sense leads to into the file's refusal."""
    try:
        yield
    except (struct.error, IndexError, ValueError) as error:
        raise FileRefused("FILE_CORRUPT", {"found": make_text("file.records")}) from error
