"""The doctor's name: Han characters, in parts set apart by ``·``; what is not certainly a name is refused.

A foreigner's name in Latin letters is one only beside a passport or its like: beside the cards of Chinese citizens it
is pinyin that stands for a name. Width and compatibility forms are folded by block and never by NFKC over everything, which would turn ㊞ into 印 and
① into 1. Rare and traditional characters stay as they are written.
"""

from __future__ import annotations

import re
import unicodedata

from pipeline.domain.roster import Cell, CellKind, Change, Field
from pipeline.intake.fields.name_remarks import find_remark, find_second_part
from pipeline.intake.fields.normalize import (
    FORMULA_TEXT,
    HAN,
    INVISIBLE,
    QUOTES,
    SPACES,
    WIDTH,
    FieldResult,
    Step,
    apply_steps,
    clip_text,
    drop_spaces,
    get_text,
    is_placeholder,
    quote_text,
)
from pipeline.messages.problems import problem
from pipeline.messages.texts import make_text

SHORTEST, LONGEST = 2, 50  # code points; 50 is what registers must hold (民委发〔2016〕33号)

# Radicals that PDF text holds in place of characters. NFKC folds the Kangxi block; of the supplement it folds two, so
# those that are drawn like the one character they stand for are listed (Unicode's EquivalentUnifiedIdeograph);
# ⺼, for one, may be 肉 or 月.
_SUPPLEMENT = dict(
    zip(
        "⺎⺓⺝⺟⺠⺩⺬⺻⻁⻄⻅⻆⻉⻋⻑⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲⻳",
        "兀幺月母民王示聿虎西见角贝车長长门青韦页风飞食马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀龟",
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
_DOTS = re.compile(
    "[.\u02d9\u0387\u16eb\u1427\u2022\u2024\u2027\u2218\u2219\u22c5\u2e31\u2e33\u30fb\u318d\ufe52\uff0e\uff65]"
)

RADICALS: Step = ("radicals", lambda text: text.translate(_RADICALS))
COMPATIBILITY: Step = (
    "compatibility",
    lambda text: _COMPATIBILITY.sub(lambda char: unicodedata.normalize("NFKC", char[0]), text),
)
DOTS: Step = ("dots", lambda text: _DOTS.sub("·", text))

_STEPS: tuple[Step, ...] = (INVISIBLE, WIDTH, FORMULA_TEXT, QUOTES, SPACES, RADICALS, COMPATIBILITY, DOTS)
_STEPS_LATIN: tuple[Step, ...] = (
    INVISIBLE,
    WIDTH,
    FORMULA_TEXT,
    QUOTES,
    ("spaces", lambda text: " ".join(text.split())),
    ("compatibility", lambda text: unicodedata.normalize("NFC", text)),
)

_PLAIN = re.compile("[\u4e00-\u9fff]+")  # nothing to fold: nearly every name
_NAME = re.compile(f"[{HAN}]+(?:·[{HAN}]+)*")
_LETTERS = "A-Za-zÀ-ÖØ-öø-ſ"
_LATIN = re.compile(f"[{_LETTERS}]+(?:(?:[-'’]|[.]? |, )[{_LETTERS}]+)*[.]?")
_FIRST = re.compile(f"[{HAN}]")
_STRANGE = re.compile(f"[^{HAN}·]+")


def normalise_name(text: str, *, latin: bool = False) -> tuple[str, tuple[Change, ...]]:
    """Return the name as it is judged and sent, and every step that altered it; idempotent."""
    return (
        (text, ())
        if _PLAIN.fullmatch(text)
        else apply_steps(Field.NAME, text, _STEPS_LATIN if latin else _STEPS)
    )


def read_name(cell: Cell | None, address: str | None, *, latin: bool = False) -> FieldResult[str]:
    """Read the name; ``why`` of a refusal is the very piece that does not belong there, in no language.

    ``latin``: the row's card is one that foreigners hold.
    """
    text = get_text(cell)
    name, changes = normalise_name(text, latin=latin)
    if not (latin and _LATIN.fullmatch(name) and cell is not None and cell.kind is CellKind.TEXT):
        latin = False
        name, changes = normalise_name(text)
    if is_placeholder(name):
        return FieldResult(None, (problem("NAME_MISSING", Field.NAME, address),))
    why = _objection(name, changes, latin=latin)
    if why is None and not changes:
        return FieldResult(name)
    found = quote_text(text)
    if why is not None:
        return FieldResult(None, (problem("NAME_INVALID", Field.NAME, address, found=found, why=why),))
    return FieldResult(
        name, (problem("NAME_NORMALISED", Field.NAME, address, found=found, used=name),), changes
    )


def is_surely_other_name(text: str, name: str) -> bool:
    """Tell whether a text that is no name is certainly not this one with something added, masked or lost.

    李四（返聘） is not 张三; 张三（返聘）, 张*, *三 and zhangsan may be.
    """
    first = _FIRST.search(text)
    return first is not None and first[0] not in name and name not in drop_spaces(text)


def _objection(name: str, changes: tuple[Change, ...], *, latin: bool) -> str | None:
    """Return the piece of a normalised name that keeps it from being one, None when it is a name."""
    if not latin:
        if piece := find_remark(name):
            return _contains(quote_text(piece))
        if strange := _STRANGE.findall(name):
            return _contains(clip_text(" ".join(quote_text(piece) for piece in dict.fromkeys(strange)), 40))
        if not _NAME.fullmatch(name):
            return _contains("·")
        spread = next((change.before for change in changes if change.why == SPACES[0]), "")
        if piece := find_second_part(name, spread.split()):
            return _contains(piece)
    if not SHORTEST <= len(name) <= LONGEST:
        return make_text("name.length", length=len(name), least=SHORTEST, most=LONGEST)
    return None


def _contains(piece: str) -> str:
    return make_text("name.contains", piece=piece)
