"""Steps that normalise a text: invisible characters, width, spaces, quotes; and the record of every step.

Names, numbers and mobiles are cleaned by small named steps. Each step that alters the text leaves a ``Change``
behind, so that nothing is used that cannot be explained, and a text that is clean already comes out as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from os.path import commonprefix
from typing import Generic, TypeVar

from pipeline.domain.roster import Cell, CellKind, Change, Field, Problem, Row

T = TypeVar("T")
Step = tuple[str, Callable[[str], str]]  # the word that names it, and what it does

# Formulas without a usable value: reported once, where all cells of a row are seen.
UNUSABLE_FORMULAS = (CellKind.ERROR, CellKind.NO_VALUE)

# 3400–4DBF, 4E00–9FFF, the twelve unified characters among the compatibility ones, extensions B–J
HAN = (
    "\u3400-\u4dbf\u4e00-\u9fff\ufa0e\ufa0f\ufa11\ufa13\ufa14\ufa1f\ufa21\ufa23\ufa24\ufa27-\ufa29"
    "\U00020000-\U0002ee5d\U00030000-\U00033479"
)

_HAN = re.compile(f"[{HAN}]")
_LONG_DIGITS = re.compile(r"\d{5,}")

# Format and control characters without a glyph, Hangul fillers and variation selectors. White space is not
# among them: whether it counts depends on the field.
_UNSEEN = (
    "\u0000-\u0008\u000e-\u001b\u007f-\u0084\u0086-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
_INVISIBLE = re.compile(f"[{_UNSEEN}]")
_ENDS = re.compile(rf"\A[\s{_UNSEEN}]+|[\s{_UNSEEN}]+\Z")
# ="…", the usual trick against Excel in text files
_FORMULA_TEXT = re.compile(r"""\s*['‘’]?\s*=\s*["“”]+([^"“”]*)["“”]+\s*""")
_QUOTES = "'\"`´‘’‚‛“”„‟′″"
_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # full-width forms of ASCII
_PLACEHOLDER = re.compile(
    "(?:无|没有|暂无|未提供|未填写?|缺)(?:手机|电话|联系方式|身份证|证件|工号)?(?:号码?)?"
    "|暂缺|空|空缺|空白|缺失|待|待(?:补充?|定|填写?|提供|录入|核实|确认|完善|办理?|报|查)|未知|未办理?|不详"
    r"|null|none|nil|nan|na|#?n/a|[-‐‑‒–—―－/／\\._、。…~～]*"
)


@dataclass(frozen=True, slots=True)
class FieldResult(Generic[T]):
    """What was read from one cell: its value, None if it is blank or refused, its problems and its changes.

    ``changes`` lead to the value that is used; a refused one has none.
    """

    value: T | None
    problems: tuple[Problem, ...] = ()
    changes: tuple[Change, ...] = ()


def apply_steps(field: Field, text: str, steps: Sequence[Step]) -> tuple[str, tuple[Change, ...]]:
    """Apply the steps until none of them alters the text; return it and one change for every alteration.

    Repeating the steps makes every normaliser built here idempotent, independent of the order of its steps.
    """
    changes: list[Change] = []
    settled = False
    while not settled:
        settled = True
        for why, step in steps:
            after = step(text)
            if after != text:
                changes.append(Change(field, text, after, why))
                text, settled = after, False
    return text, tuple(changes)


def get_text(cell: Cell | None) -> str:
    """Return what a person sees in the cell, the empty text where there is none."""
    return cell.display_text if cell is not None and cell.kind is not CellKind.EMPTY else ""


def get_field_text(row: Row, field: Field) -> str:
    """Return what a person sees in a field's cell, without white space around it."""
    return trim_ends(get_text(row.fields.get(field)))


def read_whole_number(cell: Cell | None) -> int | None:
    """Return the whole number of a numeric cell, however its format shows it; None for any other cell or number."""
    if cell is None or cell.kind is not CellKind.NUMBER:
        return None
    value = Decimal(str(cell.value))
    return int(value) if value.is_finite() and value == value.to_integral_value() else None


def trim_ends(text: str) -> str:
    """Take white space and invisible characters off both ends."""
    return _ENDS.sub("", text)


def drop_invisible(text: str) -> str:
    """Remove the invisible characters, wherever they are."""
    return _INVISIBLE.sub("", text)


def drop_spaces(text: str) -> str:
    """Remove white space of every kind, line breaks included."""
    return "".join(text.split())


def fold_width(text: str) -> str:
    """Turn full-width digits, letters and signs into ASCII."""
    return text if text.isascii() else text.translate(_WIDTH)


def strip_quotes(text: str) -> str:
    """Take quotes off both ends, a leading apostrophe among them."""
    return text.strip(_QUOTES)


def keep_groups(why: str, pattern: re.Pattern[str], after: str = "") -> Step:
    """Return the step that leaves the groups, then ``after``, of a text that a pattern matches as a whole."""

    def step(text: str) -> str:
        match = pattern.fullmatch(text)
        return "".join(filter(None, match.groups())) + after if match else text

    return why, step


INVISIBLE: Step = ("invisible", drop_invisible)
WIDTH: Step = ("width", fold_width)
FORMULA_TEXT: Step = keep_groups("formula_text", _FORMULA_TEXT)
QUOTES: Step = ("quotes", strip_quotes)
SPACES: Step = ("spaces", drop_spaces)
ENDS: Step = ("spaces", trim_ends)
SINGLE_BLANKS: Step = ("spaces", lambda text: " ".join(text.split()))
CLEANING: tuple[Step, ...] = (INVISIBLE, WIDTH, FORMULA_TEXT, QUOTES)  # what most fields begin with


def is_placeholder(text: str) -> bool:
    """Return whether the text only stands for nothing: blank, 无, 待补, N/A, a dash."""
    if not text or text.isdecimal():  # nearly every blank, and nearly every number and mobile
        return not text
    core = fold_width(text)
    if not core.isalnum():
        core = drop_spaces(drop_invisible(core)).strip(_QUOTES)
    return _PLACEHOLDER.fullmatch(core.casefold()) is not None


def is_dash(text: str) -> bool:
    """Return whether there is nothing but signs for nothing: blank, ``-``, ``/``, ``……``."""
    return is_placeholder(text) and not any(map(str.isalnum, text))


def spell_invisible(text: str) -> str:
    """Return the text with every character that has no glyph of its own written as ``U+E81E``."""
    return "".join(char if _has_glyph(char) else f"U+{ord(char):04X}" for char in text)


def list_characters(characters: Iterable[str]) -> str:
    """Return each of the characters once, as a message names what does not belong."""
    return clip_text(" ".join(spell_invisible(char) for char in dict.fromkeys(characters)), 40)


def quote_text(text: str) -> str:
    """Return the text as a message may repeat it.

    Long runs of digits are masked, because any column may hold an identity number. Invisible characters are written as
    codes. Text longer than a usual cell is cut.
    """
    return clip_text(
        spell_invisible(_LONG_DIGITS.sub(lambda run: "*" * len(run[0]), trim_ends(clip_text(text, 200)))), 80
    )


def count_common_start(first: str, second: str) -> int:
    """Return how many characters two texts begin with alike."""
    return len(commonprefix((first, second)))  # noqa: RUF071 - of texts, not of paths


def clip_text(text: str, length: int) -> str:
    """Return the text, cut to so many characters."""
    return text if len(text) <= length else f"{text[:length]}…"


def _has_glyph(char: str) -> bool:
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char != "\ufffd"
    return _HAN.fullmatch(char) is not None  # extensions younger than Python's tables
