"""The seal name a roster gives of its own: length and characters (1–50 个中文字符)."""

from __future__ import annotations

import re

from pipeline.domain.roster import Cell, Field, Problem
from pipeline.intake.fields.normalize import (
    ENDS,
    FORMULA_TEXT,
    HAN,
    INVISIBLE,
    QUOTES,
    SPACES,
    FieldResult,
    Step,
    apply_steps,
    is_placeholder,
    quote,
    shown,
    spell_each,
)
from pipeline.intake.fields.person_name import COMPATIBILITY, DOTS, RADICALS
from pipeline.messages.problems import problem

LONGEST = 50  # code points

_STRANGE = re.compile(f"[^{HAN}·〇]")  # the Chinese digits are Han characters but for 〇
_STRANGE_BESIDE_ASCII = re.compile(f"[^{HAN}·〇 -~]")
_STEPS: tuple[Step, ...] = (INVISIBLE, FORMULA_TEXT, QUOTES, ENDS, RADICALS, COMPATIBILITY)
_SINGLE_BLANKS: Step = ("spaces", lambda text: " ".join(text.split()))


def read_seal_name(cell: Cell | None, address: str | None, *, ascii_allowed: bool) -> FieldResult[str]:
    """Read the roster's own seal name; a cell that says nothing gives no value.

    Invisible characters and blanks are taken off, as in a doctor's name (张　伟 医师章); beside ASCII characters, where those
    are allowed, single blanks stay. Width and brackets are left as the roster wants them, and refused where they are not
    allowed.
    """
    text = shown(cell)
    if is_placeholder(text):
        return FieldResult(None)
    steps = (*_STEPS, _SINGLE_BLANKS) if ascii_allowed else (*_STEPS, SPACES, DOTS)
    name, changes = apply_steps(Field.SEAL_NAME, text, steps)
    found = objections(name, address, ascii_allowed=ascii_allowed)
    return FieldResult(None, found) if found else FieldResult(name, (), changes)


def objections(name: str, address: str | None, *, ascii_allowed: bool) -> tuple[Problem, ...]:
    """Return what keeps a name from being sent as it stands, one that a template made as well."""
    found: list[Problem] = []
    if not 1 <= len(name) <= LONGEST:
        found.append(
            problem("SEAL_NAME_LENGTH", Field.SEAL_NAME, address, found=quote(name), length=len(name))
        )
    if strange := (_STRANGE_BESIDE_ASCII if ascii_allowed else _STRANGE).findall(name):
        bad = spell_each(strange)
        found.append(problem("SEAL_NAME_CHARS", Field.SEAL_NAME, address, found=quote(name), bad=bad))
    return tuple(found)
