"""The doctor's name: Han characters, in parts set apart by ``·``; what is not certainly a name is refused.

Width and compatibility forms are folded by block and never by NFKC over everything, which would turn ㊞ into 印 and
① into 1. Rare and traditional characters stay as they are written.
"""

from __future__ import annotations

import re
import unicodedata

from pipeline.intake.folding import (
    FORMULA_TEXT,
    HAN,
    INVISIBLE,
    QUOTES,
    SPACES,
    WIDTH,
    Reading,
    Step,
    is_placeholder,
    quote,
    shown,
    spell_each,
    walk,
)
from pipeline.problems import problem
from pipeline.roster import Cell, Change, Field

SHORTEST, LONGEST = 2, 50  # code points; 50 is what registers must hold (民委发〔2016〕33号)

# Radicals that PDF text holds in place of characters. NFKC folds the Kangxi block; of the supplement it folds two,
# so those that stand for one character of today are listed (Unicode's EquivalentUnifiedIdeograph).
_SUPPLEMENT = dict(
    zip(
        "⺟⺠⻁⻄⻅⻉⻋⻑⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻬⻮⻰⻳",
        "母民虎西见贝车長长门青韦页风飞食马骨鬼鱼鸟卤麦黄齐齿龙龟",
        strict=True,
    )
)
# NFKC makes 戶 and 靑 of these two, where mainland fonts draw them for 户 and 青: which is meant is not certain.
_TWO_FACED = "⼾⾭"
_RADICALS = str.maketrans(
    {
        chr(code): unicodedata.normalize("NFKC", chr(code))
        for code in range(0x2F00, 0x2FD6)
        if chr(code) not in _TWO_FACED
    }
    | _SUPPLEMENT
)
_COMPATIBILITY = re.compile("[\uf900-\ufaff\U0002f800-\U0002fa1f]")

# The dot in a name is U+00B7; these are what keyboards and conversions put in its place.
_DOTS = re.compile("[.\u0387\u16eb\u2022\u2024\u2027\u2219\u22c5\u2e31\u2e33\u30fb\ufe52\uff0e\uff65]")

_STEPS: tuple[Step, ...] = (
    INVISIBLE,
    WIDTH,
    FORMULA_TEXT,
    QUOTES,
    SPACES,
    ("radicals", lambda text: text.translate(_RADICALS)),
    (
        "compatibility",
        lambda text: _COMPATIBILITY.sub(lambda char: unicodedata.normalize("NFKC", char[0]), text),
    ),
    ("dots", lambda text: _DOTS.sub("·", text)),
)

_PLAIN = re.compile("[\u4e00-\u9fff]+")  # nothing to fold: nearly every name
_NAME = re.compile(f"[{HAN}]+(?:·[{HAN}]+)*")
_NOTE = re.compile(r"[(\[{<〔【〈《「『].*|[)\]}>〕】〉》」』]")
_TITLE = re.compile(
    r"(?<=.)(?:副?主任(?:医师|护师|药师)?|主治医师|医师|医生|副?教授|副?院长|护士长|返聘|退休|外聘|规培)\Z"
)
_STRANGE = re.compile(f"[^{HAN}·]")


def normalise(text: str) -> tuple[str, tuple[Change, ...]]:
    """Return the name as it is judged and sent, and every step that altered it; idempotent."""
    return (text, ()) if _PLAIN.fullmatch(text) else walk(Field.NAME, text, _STEPS)


def read_name(cell: Cell | None, address: str | None) -> Reading[str]:
    """Read the name; ``why`` of a refusal is the very piece that does not belong there, in no language."""
    text = shown(cell)
    name, changes = normalise(text)
    if is_placeholder(name):
        return Reading(None, (problem("NAME_MISSING", Field.NAME, address),))
    why = _objection(name)
    found = quote(text)
    if why is not None:
        return Reading(None, (problem("NAME_INVALID", Field.NAME, address, found=found, why=why),))
    told = (problem("NAME_NORMALISED", Field.NAME, address, found=found, used=name),) if changes else ()
    return Reading(name, told, changes)


def _objection(name: str) -> str | None:
    """Return the piece of a normalised name that keeps it from being one, None when it is a name."""
    note = _NOTE.search(name) or _TITLE.search(name)
    if note:
        return quote(note[0])
    if "某" in name:
        return "某"
    if strange := _STRANGE.findall(name):
        return spell_each(strange)
    if not _NAME.fullmatch(name):
        return "·"
    if not SHORTEST <= len(name) <= LONGEST:
        return f"{len(name)} ∉ {SHORTEST}–{LONGEST}"
    return None
