"""How the names of picture files are compared: folded and undressed, never guessed at (DESIGN §8, IMAGE_NAME_FUZZY).

A *stem* is a file name without its picture extension. *Folding* takes width, Unicode form and case off;
*undressing* takes a known suffix off (张伟印章, 张伟_签名, 张伟 (2), 张伟 - 副本). What is left must equal an expected
stem exactly. Nothing here measures similarity or looks inside a name.
"""

from __future__ import annotations

import re
import unicodedata

from pipeline.intake.folding import narrow

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"})

_SEPARATORS = " _-"
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}\Z")
# one digit alone: a copy's count; a longer number in brackets may be a staff number
_SUFFIX = re.compile(r"(?:印章|签名|签章|章|副本|\([1-9]\))\Z")
# 15 digits and more with a last X, and the permits of Hong Kong and Macao: what may be an identity number
_NUMBER = re.compile(r"\d{15,}[XxＸｘ]?|(?<![A-Za-z])[HMhm]\d{8,10}(?!\d)")
# control and direction characters, and the surrogates that stand for bytes which are no UTF-8
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def split(name: str) -> tuple[str, str]:
    """Return (stem, extension): ``张伟.PNG`` -> (``张伟``, ``.png``); a dot inside a name is none (阿依古丽.买买提)."""
    found = _EXTENSION.search(name)
    if found is None:
        return name, ""
    return name[: found.start()], found.group().lower()


def fold(text: str) -> str:
    """Return the text in half width, NFC and one case, without outer spaces."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", narrow(text))
    return text.casefold().strip()


def undressed(stem: str) -> tuple[str, ...]:
    """Return the folded stem and what is left of it after each known suffix, the fullest first."""
    forms = [fold(stem)]
    while suffix := _SUFFIX.search(forms[-1]):
        rest = forms[-1][: suffix.start()].rstrip(_SEPARATORS)
        if not rest:
            break
        forms.append(rest)
    return tuple(forms)


def taken_off(stem: str, expected: str) -> str:
    """Say in symbols that no language needs what lies between a file's stem and the expected one: ``Ａ→A + “印章”``."""
    narrowed = narrow(stem)
    composed = unicodedata.normalize("NFC", narrowed)
    bare = composed.strip()
    wanted = fold(expected)
    steps = {
        "Ａ→A": narrowed != stem,
        "NFD→NFC": composed != narrowed,
        "“ ”": bare != composed,
        "a→A": not bare.startswith(expected.strip()),
        f"“{bare[len(wanted) :].strip(_SEPARATORS)}”": fold(bare) != wanted,
    }
    return " + ".join(step for step, taken in steps.items() if taken)


def shown(name: str) -> str:
    """Return a file's name as it may be printed: identity numbers down to four characters, no unprintable one."""
    return _UNPRINTABLE.sub("\ufffd", _NUMBER.sub(lambda found: mask(found.group()), name))


def mask(number: str) -> str:
    """Return a number with all but its last four characters starred; a short one is starred whole."""
    kept = number[-4:] if len(number) > 4 else ""
    return "*" * (len(number) - len(kept)) + kept
