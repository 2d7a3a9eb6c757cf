"""Finds identity numbers in cells that are not in a column for them: in sheets without a header, in skipped lines."""

from __future__ import annotations

import re
import unicodedata

from pipeline.domain.roster import CellKind

# how a number begins; a date (2026…) does not
PROVINCES = r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"
_READ = 400  # characters of a cell that are looked at
# 18 characters, or 17 of which one was lost, with the year of birth; 15 digits with month and day. What a whole number
# lacks is the row's problem, not a reason to overlook it.
_IDENTITY_NUMBER = re.compile(
    rf"(?<![0-9A-Za-z]){PROVINCES}\d{{4}}(?:[ -]?(?:19|20)\d{{6}}[ -]?\d{{2}}[\dXx]{{1,2}}|\d{{2}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{{3}})"
    r"(?![0-9A-Za-z])"
)
_ROUNDED = re.compile(r"[1-8]\.\d{2,14}[Ee]\+1[47]")
_SAMPLE = re.compile(r"示例|样例|范例|示范|例如|格式|[例如][:：]|example|sample", re.IGNORECASE)


def holds_identity_number(kind: CellKind, value: object, text: str) -> bool:
    """Return whether a cell holds an identity number, alone or among other words, that is no sample."""
    if kind is CellKind.NUMBER and isinstance(value, int | float):
        return 1e14 <= value < 1e18 and _IDENTITY_NUMBER.search(str(int(value))) is not None
    if kind is not CellKind.TEXT or len(text) < 8:
        return False
    text = unicodedata.normalize("NFKC", text[:_READ])
    number = _IDENTITY_NUMBER.search(text) or _ROUNDED.fullmatch(text.strip())
    return number is not None and _SAMPLE.search(text) is None
