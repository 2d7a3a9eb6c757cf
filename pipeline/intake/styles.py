"""Number formats of a workbook, as far as they change what a cell is (a date) or shows (007)."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from xml.etree.ElementTree import Element

from pipeline.intake.cells import RawCell, date_cell, number_cell
from pipeline.roster import CellKind

EPOCH_1900 = datetime(1899, 12, 30)  # noqa: DTZ001  a sheet's dates have no zone
EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001  a sheet's dates have no zone
# Built-in formats that are dates: ECMA-376 part 1 §18.8.30, with the East Asian ones that Chinese Excel writes
DATE_FORMATS = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])

_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_DATE_LETTER = re.compile(r"[ymdhs年月日]", re.IGNORECASE)
_PADDED = re.compile(r'(?:"([^"]*)")?(0+)(?:"([^"]*)")?(?:;.*)?')


class Format(NamedTuple):
    """What a number format does: makes a date of a number, or pads it with zeros between fixed words."""

    is_date: bool = False
    before: str = ""
    width: int = 0  # digits at least; 0 = not padded
    after: str = ""


GENERAL = Format()


def formats(styles: Element) -> list[Format]:
    """Return the format of each cell style (the ``s`` of a cell), from the tree of ``styles.xml``."""
    codes = {
        fmt.get("numFmtId"): fmt.get("formatCode", "") for fmt in styles.iterfind("{*}numFmts/{*}numFmt")
    }
    return [_format(style.get("numFmtId", "0"), codes) for style in styles.iterfind("{*}cellXfs/{*}xf")]


def _format(number: str, codes: dict[str | None, str]) -> Format:
    code = codes.get(number)
    if code is None:
        return Format(is_date=number.isdecimal() and int(number) in DATE_FORMATS)
    padded = _PADDED.fullmatch(code)
    if padded:
        before, zeros, after = padded.groups(default="")
        return Format(before=before, width=len(zeros), after=after)
    return Format(is_date=bool(_DATE_LETTER.search(_LITERAL.sub("", code.split(";")[0]))))


def styled_number(value: float, style: Format, epoch: datetime) -> RawCell:
    """Return a number under its format: a date, a padded number, or the plain number."""
    if style.is_date:
        moment = _moment(value, epoch)
        return number_cell(value) if moment is None else date_cell(moment)
    if style.width and 0 <= value < 1e15 and value == int(value):
        return RawCell(CellKind.NUMBER, value, f"{style.before}{int(value):0{style.width}d}{style.after}")
    return number_cell(value)


def _moment(serial: float, epoch: datetime) -> date | time | None:
    """Return what Excel shows for a serial day; before 1 March 1900 its calendar has a day too many."""
    if not 0 <= serial < 2_958_466:  # the day after 9999-12-31
        return None
    if serial < 1:
        return (epoch + timedelta(days=serial)).time()
    early = epoch == EPOCH_1900 and serial < 60
    return epoch + timedelta(seconds=round((serial + early) * 86_400))
