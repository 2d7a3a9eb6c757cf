"""Reads the doctor's mobile: eleven digits that begin with 13 to 19, in any of the forms that rosters give it."""

from __future__ import annotations

import re
from decimal import Decimal

from pipeline.domain.roster import Cell, CellKind, Change, Field, Severity
from pipeline.intake.fields.normalize import (
    FORMULA_TEXT,
    INVISIBLE,
    QUOTES,
    SPACES,
    WIDTH,
    FieldResult,
    Step,
    apply_steps,
    clip_text,
    drop_invisible,
    fold_width,
    get_text,
    is_placeholder,
    spell_invisible,
    trim_ends,
)
from pipeline.messages.problems import build_problem

_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_SEVERAL = re.compile(r"(?:1[3-9][0-9]{9}){2,}")
_FLOAT = re.compile(r"([0-9]{11}|86[0-9]{11})\.0+")
_THOUSANDS = re.compile(r"([0-9]{2},[0-9]{3},[0-9]{3},[0-9]{3})(?:\.0+)?")  # how a number format shows it
_SIGN = "[-‐‑‒–—−.·_/]"
_COUNTRY = re.compile(
    rf"(?:[(\[]\+?86[)\]]|\+?86|0086){_SIGN}?(1(?:{_SIGN}?[0-9]){{10}}|\([0-9]{{3}}\){_SIGN}?[0-9]{{4}}{_SIGN}?[0-9]{{4}})"
)
# Signs only where people group digits: 1380013800.0 is a damaged number, not eleven digits with a dot in them.
_GROUPS = re.compile(
    rf"([0-9]{{3,4}}){_SIGN}([0-9]{{3,4}}){_SIGN}([0-9]{{3,5}})|([0-9]{{3}}){_SIGN}([0-9]{{8}})"
    rf"|\(([0-9]{{3}})\){_SIGN}?([0-9]{{4}}){_SIGN}?([0-9]{{4}})"
)
_LABEL = re.compile(
    r"\A(?:联系电话|移动电话|手机号?码?|电话号?码?|tel|mobile|phone|[☎☏📱✆])[:.]?(?=[+(0-9])", re.IGNORECASE
)
_END = re.compile(r"(?<=[0-9])[,;、。.]+\Z")  # of a list that has one entry
_BETWEEN = re.compile(r"[/\\、,;|&+和或\r\n]+")
_TWICE = re.compile(r"(1[3-9][0-9]{9})(?:[/、,;|]?\1)+")
_ZEROS = re.compile(r"0+(?:\.0+)?")  # a text: what a program writes for a blank


def _join_groups(text: str) -> str:
    match = _GROUPS.fullmatch(text)
    return "".join(filter(None, match.groups())) if match else text


_STEPS: tuple[Step, ...] = (
    INVISIBLE,
    WIDTH,
    FORMULA_TEXT,
    QUOTES,
    SPACES,
    ("label", lambda text: _LABEL.sub("", text)),
    ("punctuation", lambda text: _END.sub("", text)),
    ("float", lambda text: match[1] if (match := _FLOAT.fullmatch(text)) else text),
    ("thousands", lambda text: match[1].replace(",", "") if (match := _THOUSANDS.fullmatch(text)) else text),
    ("country", lambda text: match[1] if (match := _COUNTRY.fullmatch(text)) else text),
    ("grouping", _join_groups),
    ("twice", lambda text: match[1] if (match := _TWICE.fullmatch(text)) else text),
)


def normalise_mobile(text: str) -> tuple[str, tuple[Change, ...]]:
    """Return the mobile as it is judged and sent, and every step that altered it; idempotent."""
    return (text, ()) if _MOBILE.fullmatch(text) else apply_steps(Field.MOBILE, text, _STEPS)


def read_mobile(cell: Cell | None, address: str | None, *, auto_sign: bool) -> FieldResult[str]:
    """Read the mobile; a missing one is an error only where auto-sign is to be opened.

    The number 0 is no missing mobile: in several formats it is all that is left of a formula that was never computed.
    """
    text = _get_exact_text(cell)
    is_number = cell is not None and cell.kind is CellKind.NUMBER
    if is_placeholder(text) or (_ZEROS.fullmatch(text) and not is_number):
        severity: Severity = "error" if auto_sign else "warning"
        return FieldResult(None, (build_problem("MOBILE_MISSING", Field.MOBILE, address, severity=severity),))
    mobile, changes = normalise_mobile(text)
    if _MOBILE.fullmatch(mobile):
        return FieldResult(mobile, (), changes)
    if _SEVERAL.fullmatch(mobile) or _holds_several(text):
        return FieldResult(None, (build_problem("MOBILE_AMBIGUOUS", Field.MOBILE, address),))
    hidden = spell_invisible(_mask_digits(clip_text(trim_ends(text), 40)))
    return FieldResult(None, (build_problem("MOBILE_INVALID", Field.MOBILE, address, found=hidden),))


def _get_exact_text(cell: Cell | None) -> str:
    """Return the cell's text; a whole number is exact at this length, however its format shows it."""
    if cell is not None and cell.kind is CellKind.NUMBER:
        value = Decimal(str(cell.value))
        if value.is_finite() and value == value.to_integral_value():
            return str(int(value))
    return get_text(cell)


def _holds_several(text: str) -> bool:
    """Return whether the text holds two telephone numbers, separated by a sign or each a mobile of its own."""
    plain = fold_width(drop_invisible(text))
    parts = [part for part in _BETWEEN.split(plain) if len(re.sub(r"\D", "", part)) >= 7]
    return len(parts) > 1 or len(re.findall(r"(?<![0-9])(?:86)?1[3-9][0-9]{9}(?![0-9])", plain)) > 1


def _mask_digits(text: str) -> str:
    """Keep three digits and the last four, as everywhere outside the To fix sheet."""
    indices = [index for index, char in enumerate(text) if char.isdigit()]
    hidden = set(indices[3:-4])
    return "".join("*" if index in hidden else char for index, char in enumerate(text))
