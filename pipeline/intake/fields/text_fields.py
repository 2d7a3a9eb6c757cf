"""Reads the staff number, the department and the roster's own seal name.

Staff number and department are not sent: they find pictures and distinguish namesakes. A value that cannot be one is
none, without a problem: no row is rejected for them. A seal name has 1 to 50 Chinese characters (the API's 中文字符).
"""

from __future__ import annotations

import re

from pipeline.domain.roster import Cell, CellKind, Field, Problem
from pipeline.intake.fields.normalize import (
    ENDS,
    FORMULA_TEXT,
    HAN,
    INVISIBLE,
    QUOTES,
    SPACES,
    WIDTH,
    FieldResult,
    Step,
    apply_steps,
    get_text,
    is_placeholder,
    list_characters,
    quote_text,
)
from pipeline.intake.fields.person_name import COMPATIBILITY, DOTS, RADICALS
from pipeline.messages.problems import build_problem

LONGEST = 50  # code points of a seal name

_PLAIN = re.compile("[0-9A-Za-z\u4e00-\u9fff]+")  # nothing to take off: nearly every value
_FLOAT = re.compile(r"([1-9][0-9]{0,14})\.0+")  # 1001.0: a text file that a program wrote from numbers
_EXPONENT = re.compile(r"[0-9][.][0-9]+E[+][0-9]+", re.IGNORECASE)  # of the number only its size is left
_STRANGE = re.compile(f"[^{HAN}·〇]")  # the Chinese digits are Han characters but for 〇
_STRANGE_WITH_ASCII = re.compile(f"[^{HAN}·〇 -~]")

_STAFF_NO_STEPS: tuple[Step, ...] = (
    INVISIBLE,
    WIDTH,
    FORMULA_TEXT,
    QUOTES,
    ENDS,
    ("float", lambda text: match[1] if (match := _FLOAT.fullmatch(text)) else text),
)
_DEPARTMENT_STEPS: tuple[Step, ...] = (INVISIBLE, FORMULA_TEXT, QUOTES, ENDS)
_SEAL_NAME_STEPS: tuple[Step, ...] = (INVISIBLE, FORMULA_TEXT, QUOTES, ENDS, RADICALS, COMPATIBILITY)
_SINGLE_BLANKS: Step = ("spaces", lambda text: " ".join(text.split()))


def read_staff_no(cell: Cell | None) -> FieldResult[str]:
    """Read the staff number as its format shows it, leading zeros included; a date that Excel made of it is none."""
    if cell is None or cell.kind in (CellKind.DATE, CellKind.BOOL):
        return FieldResult(None)
    result = _read_text(Field.STAFF_NO, cell, _STAFF_NO_STEPS)
    return FieldResult(None) if result.value and _EXPONENT.fullmatch(result.value) else result


def read_department(cell: Cell | None) -> FieldResult[str]:
    """Read the department as it is written."""
    return _read_text(Field.DEPARTMENT, cell, _DEPARTMENT_STEPS)


def _read_text(field: Field, cell: Cell | None, steps: tuple[Step, ...]) -> FieldResult[str]:
    text = get_text(cell)
    if is_placeholder(text):
        return FieldResult(None)
    if _PLAIN.fullmatch(text):
        return FieldResult(text)
    value, changes = apply_steps(field, text, steps)
    return FieldResult(value, (), changes) if value else FieldResult(None)


def read_seal_name(cell: Cell | None, address: str | None, *, ascii_allowed: bool) -> FieldResult[str]:
    """Read the roster's own seal name; a blank cell gives no value.

    Invisible characters and blanks are taken off, as in a doctor's name (张　伟 医师章); beside ASCII characters, where
    those are allowed, single blanks stay. Width and brackets are left as the roster wants them, and refused where they
    are not allowed.
    """
    text = get_text(cell)
    if is_placeholder(text):
        return FieldResult(None)
    steps = (*_SEAL_NAME_STEPS, _SINGLE_BLANKS) if ascii_allowed else (*_SEAL_NAME_STEPS, SPACES, DOTS)
    name, changes = apply_steps(Field.SEAL_NAME, text, steps)
    problems = check_seal_name(name, address, ascii_allowed=ascii_allowed)
    return FieldResult(None, problems) if problems else FieldResult(name, (), changes)


def check_seal_name(name: str, address: str | None, *, ascii_allowed: bool) -> tuple[Problem, ...]:
    """Return the problems of a seal name that is to be sent, the roster's own or one made by a template."""
    problems: list[Problem] = []
    if not 1 <= len(name) <= LONGEST:
        problems.append(
            build_problem(
                "SEAL_NAME_LENGTH", Field.SEAL_NAME, address, found=quote_text(name), length=len(name)
            )
        )
    if strange := (_STRANGE_WITH_ASCII if ascii_allowed else _STRANGE).findall(name):
        bad = list_characters(strange)
        problems.append(
            build_problem("SEAL_NAME_CHARS", Field.SEAL_NAME, address, found=quote_text(name), bad=bad)
        )
    return tuple(problems)
