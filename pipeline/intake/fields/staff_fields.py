"""Where a doctor works: staff number and department. Neither is sent; they find pictures and tell namesakes apart.

A value that cannot be one is none, without a problem: no row is refused over them.
"""

from __future__ import annotations

import re

from pipeline.domain.roster import Cell, CellKind, Field
from pipeline.intake.fields.normalize import (
    ENDS,
    FORMULA_TEXT,
    INVISIBLE,
    QUOTES,
    WIDTH,
    FieldResult,
    Step,
    apply_steps,
    is_placeholder,
    shown,
)

_PLAIN = re.compile("[0-9A-Za-z\u4e00-\u9fff]+")  # nothing to take off: nearly every value
_FLOAT = re.compile(r"([1-9][0-9]{0,14})\.0+")  # 1001.0: a text file that a program wrote from numbers
_EXPONENT = re.compile(r"[0-9][.][0-9]+E[+][0-9]+", re.IGNORECASE)  # of the number only its size is left

_STAFF_NO: tuple[Step, ...] = (
    INVISIBLE,
    WIDTH,
    FORMULA_TEXT,
    QUOTES,
    ENDS,
    ("float", lambda text: match[1] if (match := _FLOAT.fullmatch(text)) else text),
)
_DEPARTMENT: tuple[Step, ...] = (INVISIBLE, FORMULA_TEXT, QUOTES, ENDS)


def read_staff_no(cell: Cell | None, _address: str | None) -> FieldResult[str]:
    """Read the staff number as its format shows it, leading zeros included; what Excel made a date of is none."""
    if cell is None or cell.kind in (CellKind.DATE, CellKind.BOOL):
        return FieldResult(None)
    reading = _read(Field.STAFF_NO, cell, _STAFF_NO)
    return FieldResult(None) if reading.value and _EXPONENT.fullmatch(reading.value) else reading


def read_department(cell: Cell | None, _address: str | None) -> FieldResult[str]:
    """Read the department as it is written."""
    return _read(Field.DEPARTMENT, cell, _DEPARTMENT)


def _read(field: Field, cell: Cell | None, steps: tuple[Step, ...]) -> FieldResult[str]:
    text = shown(cell)
    if is_placeholder(text):
        return FieldResult(None)
    if _PLAIN.fullmatch(text):
        return FieldResult(text)
    value, changes = apply_steps(field, text, steps)
    return FieldResult(value, (), changes) if value else FieldResult(None)
