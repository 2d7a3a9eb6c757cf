"""The seal name a roster gives of its own: length and characters (api.md §1.1: 1–50 个中文字符)."""

from __future__ import annotations

import re

from pipeline.intake.folding import HAN, Reading, quote, shown, spell_each, trim
from pipeline.problems import problem
from pipeline.roster import Cell, Field, Problem

LONGEST = 50  # code points

_STRANGE = re.compile(f"[^{HAN}·〇]")  # the Chinese digits are Han characters but for 〇
_STRANGE_BESIDE_ASCII = re.compile(f"[^{HAN}·〇 -~]")


def read_seal_name(cell: Cell | None, address: str | None, *, ascii_allowed: bool) -> Reading[str]:
    """Read the roster's own seal name, trimmed and otherwise as written; blank gives no value."""
    name = trim(shown(cell))
    if not name:
        return Reading(None)
    found: list[Problem] = []
    if len(name) > LONGEST:
        found.append(
            problem("SEAL_NAME_LENGTH", Field.SEAL_NAME, address, found=quote(name), length=len(name))
        )
    if strange := (_STRANGE_BESIDE_ASCII if ascii_allowed else _STRANGE).findall(name):
        bad = spell_each(strange)
        found.append(problem("SEAL_NAME_CHARS", Field.SEAL_NAME, address, found=quote(name), bad=bad))
    return Reading(None if found else name, tuple(found))
