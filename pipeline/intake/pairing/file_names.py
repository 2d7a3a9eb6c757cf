"""How the names of picture files are compared: folded and undressed, never guessed at.

A *stem* is a file name without its picture extension. *Folding* takes width, Unicode form and case off; *tightening*
also blanks, and writes every dot of a name as ``·``. *Undressing* takes a known suffix off (张伟印章, 张伟_签名, 张伟
(2), 张伟 - 副本). What is left must equal an expected stem exactly. Nothing here measures similarity or looks inside a
name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pipeline.intake.fields.normalize import drop_invisible, narrow
from pipeline.intake.fields.surnames import COMPOUND

# with those that Windows, browsers and phones give to a PNG, a JPEG or a HEIC
EXTENSIONS = frozenset(
    {
        ".png",
        ".apng",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".mpo",
        ".bmp",
        ".dib",
        ".gif",
        ".webp",
        ".tif",
        ".tiff",
        ".heic",
        ".heif",
        ".hif",
    }
)

_SEPARATORS = " _-"
# a Chinese keyboard's full stop stands for the dot; Windows does not show blanks and dots at the end
_EXTENSION = re.compile(r"[.．。｡]([A-Za-z0-9Ａ-Ｚａ-ｚ０-９]{1,5})[ .．。｡]*\Z")
_KINDS = "电子|手写|亲笔|个人|本人|处方|专用|医师|医生|姓名|私人"
_SEALS = "印章|签章|签名章|签字章|签名|签字|印鉴|印模|手签|名章|私章"
_FORMS = "图片|图样|图|照片|照|扫描件"
_MOST_KINDS = 4  # words in one suffix: without a bound the search takes the square of the name's length
_SUFFIX = re.compile(
    rf"的?(?:{_KINDS}){{0,{_MOST_KINDS}}}(?:{_SEALS})(?:{_FORMS})?\Z"
    rf"|的?(?:{_KINDS}){{1,{_MOST_KINDS}}}章(?:{_FORMS})?\Z"
    r"|(?:的|(?<=[ _-]))[章印]\Z"
    r"|(?P<bare>[章印])\Z"
    r"|的?(?:副本|拷贝|(?<=[ _-])copy)(?: ?[1-9][0-9]?)?\Z"
    # one digit alone: a copy's count; a longer number in brackets may be a staff number
    r"|\([1-9]\)\Z",
    re.IGNORECASE,
)
_MOST_SUFFIXES, _MOST_EXTENSIONS = 8, 8  # one behind the other
_LAST = frozenset("章印名字鉴模签片样图照件本贝yY)0123456789")  # what a suffix can end with
_GLUED = 3  # characters of a name from which on a 章 that is glued to it cannot be its last: 李文章 is a name
_BLANKS = re.compile(r"[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_DOTS = dict.fromkeys(map(ord, ".\u2022\u2024\u2027\u2219\u22c5\u30fb\ufe52\uff65"), "·")
_PLAIN = re.compile("[\u4e00-\u9fff0-9a-z]+")  # nothing to fold: nearly every stem
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# between the parts of a stem; a dot is written · by then
JOINTS = ("", "_", "-", "·", "—", "——", "–", "+", "、", ",")
_UNJOINED = {ord(sign): None for sign in "_-·—–+、,()"}


def split(name: str) -> tuple[str, str]:
    """Return (stem, extension): ``张伟.PNG`` -> (``张伟``, ``.png``); a dot inside a name is none (阿依古丽.买买提).

    Picture extensions that stand one after the other are one: (``张伟``, ``.jpg.png``).
    """
    stem, extension = _split(name)
    for _ in range(_MOST_EXTENSIONS if extension else 0):
        rest, inner = _split(stem)
        if not rest or inner not in EXTENSIONS:
            break
        stem, extension = rest, inner + extension
    return stem, extension


def _split(name: str) -> tuple[str, str]:
    found = _EXTENSION.search(name)
    return (name[: found.start()], f".{narrow(found[1]).lower()}") if found else (name, "")


def is_picture(extension: str) -> bool:
    """Tell whether an extension is a picture's; none may be one as well."""
    return not extension or f".{extension.rpartition('.')[2]}" in EXTENSIONS


def fold(text: str) -> str:
    """Return the text in half width, NFC and one case, without outer spaces."""
    return _composed(text).casefold().strip()


def comparison_key(text: str) -> str:
    """Return the text folded, without blanks and what nobody sees, every dot inside it as ``·``."""
    if _PLAIN.fullmatch(text):
        return text
    bare = _BLANKS.sub("", _composed(text).casefold())
    return _dotted(bare if bare.isascii() else drop_invisible(bare))


def key(tightened: str) -> str:
    """Return a tight text without what stands between its parts: stems that may be equal have equal keys."""
    return tightened if tightened.isalnum() else tightened.translate(_UNJOINED)


def strip_known_suffixes(stem: str) -> tuple[tuple[str, str], ...]:
    """Return (what is left, what was taken off): the stem in half width and NFC, then after each known suffix.

    A stem with a control character gives nothing: nobody named it so.
    """
    if _CONTROL.search(stem):
        return ()
    whole = rest = _composed(stem).strip()
    forms = [(whole, "")]
    while len(forms) <= _MOST_SUFFIXES and rest[-1:] in _LAST and (suffix := _SUFFIX.search(rest)):
        left = rest[: suffix.start()].rstrip(_SEPARATORS)
        if not left or (suffix["bare"] and seal_may_end_name(left)):
            break
        rest = left
        forms.append((rest, whole[len(rest) :].strip(_SEPARATORS)))
    return tuple(forms)


def seal_may_end_name(name: str) -> bool:
    """Tell whether a 章 or 印 glued to a name may be the last character of a longer one: 李文章, 欧阳文章."""
    shortest = _GLUED + (name[:2] in COMPOUND)
    return len(name) < shortest and not name[-1].isascii()


def ends_before_seal(stem: str, left: str) -> bool:
    """Tell whether a single 章 or 印, glued to what is left of a stem, was the last thing taken off it."""
    return any(longer[:-1] == left for longer, _ in strip_known_suffixes(stem))


def joint(text: str, parts: Sequence[str]) -> str | None:
    """Return what joins the parts in a text that is made of them in this order, None where it is not; all are tight.

    ``张伟_1001`` is made of 张伟 and 1001. The last part may stand in brackets: ``张伟(1001)``; that is the joint ``(``.
    """
    first, *others = parts
    if not others:
        return "" if text == first else None
    if not text.startswith(first):
        return None
    rest = text[len(first) :]
    if rest == f"({others[-1]})" and len(others) == 1:
        return "("
    for sign in JOINTS:
        if rest.startswith(sign) and (sign or not _runs_on(first, others[0])):
            found = joint(rest[len(sign) :], others)
            if found is not None:
                return sign or found
    return None


def _runs_on(first: str, second: str) -> bool:
    """Tell whether nobody could see where one piece ends: ward 1 and number 001 are not 1001."""
    return f"{first[-1]}{second[0]}".isascii() and first[-1].isalnum() and second[0].isalnum()


def describe_differences(stem: str, form: tuple[str, str], expected: str) -> str:
    """Say in symbols that no language needs what lies between a file's stem and the expected one: ``Ａ→A + “印章”``.

    ``form`` is the one of ``undressed(stem)`` that fits: tight, it and the expected stem are equal.
    """
    left, suffix = form
    narrowed, wanted = narrow(stem), _composed(expected)
    composed = unicodedata.normalize("NFC", narrowed)
    steps = {
        "Ａ→A": narrowed != stem or narrow(expected) != expected,
        "NFD→NFC": composed != narrowed,
        "“ ”": composed.strip() != composed or _dotted(left).casefold() != _dotted(wanted).casefold(),
        ".→·": _without_blanks(left).casefold() != _without_blanks(wanted).casefold(),
        "a→A": _dotted(_without_blanks(left)) != _dotted(_without_blanks(wanted)),
        f"“{suffix}”": bool(suffix),
    }
    return " + ".join(step for step, taken in steps.items() if taken)


def _dotted(text: str) -> str:
    return text.translate(_DOTS).rstrip("·")


def _without_blanks(text: str) -> str:
    return drop_invisible(_BLANKS.sub("", text))


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", narrow(text))
