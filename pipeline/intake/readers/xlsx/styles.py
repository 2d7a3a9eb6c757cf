"""Number formats of a workbook, as far as they change what a cell is (a date) or shows (007)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import chain
from math import isfinite
from operator import eq, ge, gt, le, lt, ne
from typing import NamedTuple
from xml.etree.ElementTree import Element

from pipeline.domain.roster import CellKind
from pipeline.intake.readers.model import RawCell, date_cell, number_cell

EPOCH_1900 = datetime(1899, 12, 30)  # noqa: DTZ001  a sheet's dates have no zone
EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001  a sheet's dates have no zone
# Built-in formats that are dates: ECMA-376 part 1 §18.8.30, with the East Asian ones that Chinese Excel writes
_DATES = frozenset(map(str, [*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)]))
_LONGEST = 255  # characters of a format code in Excel

# What a format code is made of (ECMA-376 part 1 §18.8.31): words, escaped letters, blanks and fillings of a letter's
# width, brackets, single characters
_PART = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]|.', re.DOTALL)
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)(-?\d{1,15}(?:\.\d{1,15})?)\]")
_SYMBOL = re.compile(r"\[\$([^-\]]*)(?:-[^\]]*)?\]")  # a currency or any other word, and a language
_COLOUR = re.compile(r"\[[^$<>=\]]*\]")
_SPELLED = re.compile(r"\[DBNum\d\]", re.IGNORECASE)  # Chinese digits
_SHOWN = "$-+/():!^&'~{}= "  # need no quotes; nor does what is not ASCII
_TESTS = {"<": lt, "<=": le, "=": eq, "<>": ne, ">=": ge, ">": gt}
_DIGIT = "\0"


class Section(NamedTuple):
    """One part of a format, between semicolons: for which numbers it is, and how it pads whole ones."""

    compare: str = ""  # with ``limit``: <, <=, =, <>, >=, >; empty: not said
    limit: float = 0
    mask: str = ""  # a NUL for each digit that is always shown, between other characters; empty: no padding


class Format(NamedTuple):
    """What a number format does: makes a date of a number, or pads it with zeros between fixed words."""

    is_date: bool = False
    padded: tuple[Section, ...] = ()  # empty: shown as it is


GENERAL = Format()
NO_NUMBER = "#NUM!"  # what Excel shows for NaN and infinity


def read_formats(styles: Element) -> list[Format]:
    """Return the format of each cell style (the ``s`` of a cell), from the tree of ``styles.xml``."""
    codes = {
        fmt.get("numFmtId", ""): fmt.get("formatCode", "") for fmt in styles.iterfind("{*}numFmts/{*}numFmt")
    }
    return make_formats((style.get("numFmtId", "0") for style in styles.iterfind("{*}cellXfs/{*}xf")), codes)


def make_formats(numbers: Iterable[str], codes: Mapping[str, str]) -> list[Format]:
    """Return the format behind each number; those that ``codes`` does not hold are built in."""
    return [parse_format(codes[key]) if key in codes else Format(key in _DATES) for key in numbers]


@lru_cache(maxsize=10_000)
def parse_format(code: str) -> Format:
    """Return what a format code does."""
    sections: list[list[str]] = [[]]
    for part in _PART.findall(code) if len(code) <= _LONGEST else ():
        if part == ";":
            sections.append([])
        else:
            sections[-1].append(part)
    if any(part.lower() in "ymdhs" or _ELAPSED.fullmatch(part) for part in sections[0]):
        return Format(is_date=True)
    padded = tuple(_parse_section(parts) for parts in sections)
    return Format(padded=padded) if any(section.mask for section in padded) else GENERAL


def _parse_section(parts: list[str]) -> Section:
    compare, limit = "", 0.0
    mask: str | None = ""
    for part in parts:
        if condition := _CONDITION.fullmatch(part):
            compare, limit = condition[1], float(condition[2])
        elif mask is not None and (part != "#" or _DIGIT in mask):  # a # in front is a digit if there is one
            shown = _parse_literal(part)
            mask = None if shown is None else mask + shown
    mask = mask or ""
    return Section(compare, limit, mask if _DIGIT in mask and mask != _DIGIT else "")


def _parse_literal(part: str) -> str | None:
    """Return what a part shows of a whole number; None where it does more than pad."""
    if part == "0":
        return _DIGIT
    if part[0] == '"' and len(part) > 1:
        return part[1:-1]
    if part[0] == "\\" and len(part) > 1:
        return part[1]
    if symbol := _SYMBOL.fullmatch(part):
        return symbol[1]
    if (part[0] in "_*" and len(part) > 1) or (_COLOUR.fullmatch(part) and not _SPELLED.fullmatch(part)):
        return ""
    return part if part in _SHOWN or not part.isascii() else None


def styled_number(value: float, style: Format, epoch: datetime) -> RawCell:
    """Return a number under its format: a date, a padded number, or the plain number; NaN and infinity are an error."""
    if not isfinite(value):
        return RawCell(CellKind.ERROR, NO_NUMBER, NO_NUMBER)
    if style.is_date:
        moment = _convert_serial(value, epoch)
        return number_cell(value) if moment is None else date_cell(moment)
    if style.padded and 0 <= value < 1e15 and value == int(value):
        mask = _choose_mask(int(value), style.padded)
        if mask:
            return RawCell(CellKind.NUMBER, value, _fill_mask(mask, str(int(value))))
    return number_cell(value)


def _choose_mask(value: int, sections: Sequence[Section]) -> str:
    """Return the mask of the section a number from 0 on falls under; without conditions the third is for zero."""
    if any(section.compare for section in sections):
        fitting = (s for s in sections if not s.compare or _TESTS[s.compare](value, s.limit))
        return next(fitting, Section()).mask
    return sections[2 if value == 0 and len(sections) > 2 else 0].mask


def _fill_mask(mask: str, digits: str) -> str:
    """Write the digits into the mask from the right; the ones that have no place stand before the first that has."""
    places = mask.count(_DIGIT)
    digits = digits.rjust(places, "0")
    first, rest = digits[: len(digits) - places + 1], digits[len(digits) - places + 1 :]
    queue = chain((first,), rest)
    return "".join(next(queue) if char == _DIGIT else char for char in mask)


def _convert_serial(serial: float, epoch: datetime) -> date | time | None:
    """Return what Excel shows for a serial day; before 1 March 1900 its calendar has a day too many."""
    if not 0 <= serial < 2_958_466:  # the day after 9999-12-31
        return None
    if serial < 1:
        return (epoch + timedelta(days=serial)).time()
    early = epoch == EPOCH_1900 and serial < 60
    return epoch + timedelta(seconds=round((serial + early) * 86_400))
