"""File names in other bytes than the system expects: what a name says if its bytes were meant otherwise.

A zip or an old share carries names in GBK, and whoever unpacks it takes the bytes for UTF-8, cp437 or latin-1. Nothing is repaired: every reading here can be undone to the very name, so that it equals an expected
stem exactly when that stem, written in those bytes, is the name. A name that lost bytes on its way (锟斤拷, ????) has no
reading.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote_to_bytes

_GBK, _UTF_8 = "gb18030", "utf-8"
_TITLES = {_GBK: "GBK", _UTF_8: "UTF-8"}
# what bytes were taken for -> what they may have been; UTF-8 with what Python puts for bytes that are none
_MISTAKES = {
    "UTF-8": (_GBK,),
    "GBK": (_UTF_8,),
    "cp437": (_GBK, _UTF_8),
    "latin-1": (_GBK, _UTF_8),
    "cp1252": (_GBK, _UTF_8),
}
_HAN = re.compile("[\u3400-\u9fff]")
_BEYOND_LATIN = re.compile("[\u2e80-\uffff\U00010000-\U0010ffff]")  # in none of the three Western code pages
_SURROGATE = re.compile("[\ud800-\udfff]")
# the 27 signs that Windows has where latin-1 has control characters; the other five bytes stay what they are
_WINDOWS_1252 = {
    ord(bytes([byte]).decode("cp1252")): byte
    for byte in range(0x80, 0xA0)
    if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
_PERCENT = re.compile("(?:%[0-9A-Fa-f]{2})+")
_INFO_ZIP = re.compile("#U([0-9a-f]{4})|#L([0-9a-f]{6})")  # how unzip writes what its locale cannot


@lru_cache(maxsize=4096)  # the parts of a path come again with every file below them
def readings(name: str) -> tuple[tuple[str, str], ...]:
    """Return every other (text, encoding) that a name may have been, ``(姚平, GBK → UTF-8)`` for ``Ҧƽ``.

    Only texts with a Han character are of use, and only such are returned. A byte that is no UTF-8 stands in ``name``
    as Python's surrogate for it.
    """
    if name.isascii():
        return tuple(_escaped(name)) if "%" in name or "#" in name else ()
    found: dict[str, str] = {}
    for written, before in ((name, ""), (unicodedata.normalize("NFC", name), "NFD→NFC + ")):
        if before and written == name:
            continue
        for taken_for, meant in _MISTAKES.items():
            raw = _bytes(written, taken_for)
            for encoding in meant if raw is not None else ():
                text = _decode(raw or b"", encoding)
                if text is not None and text != name:
                    found.setdefault(text, f"{before}{_TITLES[encoding]} → {taken_for}")
    return tuple(found.items())


def readable(name: str) -> str:
    """Return a name as it can be printed and written into a file: bytes that are no UTF-8 are read as GBK if they can be."""
    if _SURROGATE.search(name) is None:
        return name
    raw = name.encode(_UTF_8, "surrogateescape" if _bytes(name, "UTF-8") is not None else "replace")
    return _decode(raw, _GBK) or raw.decode(_UTF_8, "replace")


def _bytes(name: str, taken_for: str) -> bytes | None:
    """Return the bytes that give this name when taken for an encoding, None where there are none."""
    try:
        if taken_for == "UTF-8":
            return name.encode(_UTF_8, "surrogateescape")
        if taken_for == "GBK":
            return name.encode(_GBK)
        if _BEYOND_LATIN.search(name):
            return None
        return (
            name.translate(_WINDOWS_1252).encode("latin-1")
            if taken_for == "cp1252"
            else name.encode(taken_for)
        )
    except UnicodeEncodeError:
        return None


def _decode(raw: bytes, encoding: str) -> str | None:
    """Return the text that these bytes are in an encoding and no other bytes are, if a Han character is in it."""
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return None
    return text if _HAN.search(text) and text.encode(encoding) == raw else None


def _escaped(name: str) -> Iterator[tuple[str, str]]:
    """Yield what a name says whose bytes or characters were written out in ASCII."""
    if _PERCENT.search(name):
        raw = unquote_to_bytes(name)
        text = _decode(raw, _UTF_8) or _decode(raw, _GBK)
        if text is not None:
            yield text, "%XX"
    if _INFO_ZIP.search(name):
        text = _INFO_ZIP.sub(lambda code: _character(code[1] or code[2]), name)
        if _HAN.search(text):
            yield text, "#U"


def _character(code: str) -> str:
    number = int(code, 16)
    return chr(number) if number <= 0x10FFFF else "\ufffd"
