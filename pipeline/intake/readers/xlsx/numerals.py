"""Numbers in the attributes of a workbook's parts: bounded before they are converted, None for what is none."""

from __future__ import annotations

import re

EMU_POINT = 12_700

_EMU = {"in": 914_400, "cm": 360_000, "mm": 36_000, "pt": EMU_POINT, "pc": 152_400, "pi": 152_400}
_COORDINATE = re.compile(r"(-?[0-9]{1,12})|(-?[0-9]{1,6}(?:\.[0-9]{1,20})?)(mm|cm|in|pt|pc|pi)")
_PERCENT = re.compile(r"(-?[0-9]{1,9})|(-?[0-9]{1,6}(?:\.[0-9]{1,20})?)%")
_DECIMAL = re.compile(r"[0-9]{1,9}(?:\.[0-9]{0,30})?")


def whole(text: str, limit: int) -> int | None:
    """Return a number from 0 to the limit."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        return None
    number = int(text)
    return number if number <= limit else None


def decimal(text: str, limit: float) -> float | None:
    """Return a number from 0 to the limit, with or without a point."""
    number = float(text) if _DECIMAL.fullmatch(text) else None
    return number if number is not None and number <= limit else None


def emu(text: str) -> int | None:
    """Return a coordinate in EMU (ST_Coordinate, ECMA-376 part 1 §22.9.2.1 and §20.1.10.16): plain, or with a unit."""
    found = _COORDINATE.fullmatch(text)
    if found is None:
        return None
    return int(found[1]) if found[1] else round(float(found[2]) * _EMU[found[3]])


def percent(text: str) -> float | None:
    """Return a percentage (ST_Percentage, ECMA-376 part 1 §22.9.2.9): thousandths of one, or with its sign."""
    found = _PERCENT.fullmatch(text)
    if found is None:
        return None
    return int(found[1]) / 1000 if found[1] else float(found[2])


def is_true(text: str | None) -> bool:
    """Return what an attribute of type boolean says."""
    return text in ("1", "true", "on")
