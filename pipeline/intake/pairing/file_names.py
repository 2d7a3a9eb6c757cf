"""How the names of picture files are compared, also where they were written in other bytes than the system expects.

A *stem* is a file name without its picture extension. The *comparison key* of a text takes off width, Unicode form,
case and blanks, and writes every dot of a name as ``·``. A known suffix is stripped (张伟印章, 张伟_签名, 张伟 (2),
张伟 - 副本). The rest must equal an expected stem exactly, or be made of a row's values. Nothing here measures similarity.

A zip or an old share carries names in GBK that are taken for UTF-8 or cp437 when it is unpacked. Every reading here can
be undone to the very name, so that it equals an expected stem exactly when that stem, written in those bytes, is the
name. A name that lost bytes on its way (锟斤拷, ????) has no reading.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from pipeline.intake.fields.normalize import drop_invisible, fold_width
from pipeline.intake.fields.person_name import COMPOUND_SURNAMES

# with those that Windows, browsers and phones give to a PNG, a JPEG or a HEIC
EXTENSIONS = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".bmp"}
    | {".dib", ".gif", ".webp", ".tif", ".tiff", ".heic", ".heif", ".hif"}
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
# names which of a folder's pictures it is, not whose: 01, 签名, sign2
_COUNT = re.compile(
    rf"(?:(?:{_KINDS})*(?:{_SEALS}|{_FORMS})+|seal|sign|signature|stamp|image|img|scan|picture)?[ _-]?[0-9]{{0,3}}",
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

_GBK, _UTF_8 = "gb18030", "utf-8"
# what bytes in GBK were taken for: UTF-8 with what Python puts for bytes that are none, or the code page of old zips
_TAKEN_FOR = ((_UTF_8, "surrogateescape"), ("cp437", "strict"))
_HAN = re.compile(r"[\u3400-\u9fff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def split_extension(name: str) -> tuple[str, str]:
    """Return (stem, extension): ``张伟.PNG`` -> (``张伟``, ``.png``); a dot inside a name is none (阿依古丽.买买提).

    Picture extensions that stand one after the other are one: (``张伟``, ``.jpg.png``).
    """
    stem, extension = _split_last_extension(name)
    for _ in range(_MOST_EXTENSIONS if extension else 0):
        rest, inner = _split_last_extension(stem)
        if not rest or inner not in EXTENSIONS:
            break
        stem, extension = rest, inner + extension
    return stem, extension


def _split_last_extension(name: str) -> tuple[str, str]:
    hit = _EXTENSION.search(name)
    return (name[: hit.start()], f".{fold_width(hit[1]).lower()}") if hit else (name, "")


def is_image_extension(extension: str) -> bool:
    """Return whether an extension is a picture's; a file without one may be a picture as well."""
    return not extension or f".{extension.rpartition('.')[2]}" in EXTENSIONS


def comparison_key(text: str) -> str:
    """Return the text in half width, NFC and one case, without blanks and invisible characters, its dots as ``·``."""
    if _PLAIN.fullmatch(text):
        return text
    bare = _BLANKS.sub("", _compose(text).casefold())
    return _unify_dots(bare if bare.isascii() else drop_invisible(bare))


def lookup_key(comparison: str) -> str:
    """Return a comparison key without what joins its parts: stems that may be equal have equal lookup keys."""
    return comparison if comparison.isalnum() else comparison.translate(_UNJOINED)


def strip_known_suffixes(stem: str) -> tuple[tuple[str, str], ...]:
    """Return (base, suffix) pairs: the stem in half width and NFC without a suffix, then after each known suffix.

    A stem with a control character gives nothing: no person named it so.
    """
    if _CONTROL.search(stem):
        return ()
    whole = rest = _compose(stem).strip()
    forms = [(whole, "")]
    while len(forms) <= _MOST_SUFFIXES and rest[-1:] in _LAST and (suffix := _SUFFIX.search(rest)):
        base = rest[: suffix.start()].rstrip(_SEPARATORS)
        if not base or (suffix["bare"] and seal_may_end_name(base)):
            break
        rest = base
        forms.append((rest, whole[len(rest) :].strip(_SEPARATORS)))
    return tuple(forms)


def is_count(stem: str) -> bool:
    """Return whether a stem names which of a folder's pictures a file is, and not whose: 01, 签名."""
    return _COUNT.fullmatch(_compose(stem).strip()) is not None


def seal_may_end_name(name: str) -> bool:
    """Return whether a 章 or 印 glued to a name may be the last character of a longer one: 李文章, 欧阳文章."""
    shortest = _GLUED + (name[:2] in COMPOUND_SURNAMES)
    return len(name) < shortest and not name[-1].isascii()


def ends_before_seal(stem: str, base: str) -> bool:
    """Return whether a single 章 or 印, glued to the base of a stem, was the last suffix that was stripped."""
    return any(longer[:-1] == base for longer, _ in strip_known_suffixes(stem))


def _unify_dots(text: str) -> str:
    return text.translate(_DOTS).rstrip("·")


def _compose(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", fold_width(text))


@lru_cache(maxsize=4096)  # the parts of a path come again with every file below them
def list_readings(name: str) -> tuple[str, ...]:
    """Return every other text that a name may have been, 姚平 for ``Ҧƽ``.

    Only texts with a Han character are of use, and only such are returned. A byte that is no UTF-8 stands in ``name``
    as Python's surrogate for it.
    """
    readings: dict[str, None] = {}
    for encoding, errors in _TAKEN_FOR:
        try:
            text = None if name.isascii() else _read_gbk(name.encode(encoding, errors))
        except UnicodeEncodeError:  # no bytes give this name
            continue
        if text is not None and text != name:
            readings[text] = None
    return tuple(readings)


def make_readable(name: str) -> str:
    """Return a name as it can be printed and written into a file: bytes that are no UTF-8 are read as GBK if they can be."""
    if _SURROGATE.search(name) is None:
        return name
    try:
        raw = name.encode(_UTF_8, "surrogateescape")
    except UnicodeEncodeError:
        raw = name.encode(_UTF_8, "replace")
    return _read_gbk(raw) or raw.decode(_UTF_8, "replace")


def _read_gbk(raw: bytes) -> str | None:
    """Return the text that these bytes are in GBK and no other bytes are, if a Han character is in it."""
    try:
        text = raw.decode(_GBK)
    except UnicodeDecodeError:
        return None
    return text if _HAN.search(text) and text.encode(_GBK) == raw else None
