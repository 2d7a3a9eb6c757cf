"""Tags and texts of an HTML text that comes in pieces, in time that grows with its length and no faster.

The standard library's parser needs minutes for ten megabytes of ``<a `` (measured, 3.11). Here every pattern is
possessive, and what is incomplete is looked at again only when the text has doubled. HTML Living Standard §13.2.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from html import unescape
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

from pipeline.errors import FileRefused
from pipeline.messages.texts import make_text

MAX_TOKEN = 10_000_000  # characters of a tag, comment or text; a picture may be written into its tag

_VALUE = r"\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+|(?=>)"
# white space; a name, with a value or without; a stray quote or equals sign: a quote that opens a value has to close
_TAG = re.compile(
    rf"<(/?)([a-zA-Z][^\s/>]*+)((?:[\s/]++|[^\s/>=\"'][^\s/>=]*+\s*+(?:=\s*+(?:{_VALUE}))?|[\"']|=(?!\s*+[\"']))*+)>"
)
_ATTRIBUTE = re.compile(rf"([^\s/>=\"'][^\s/>=]*+)(?:\s*+=\s*+({_VALUE}))?")
_LITERAL = re.compile(r"(?:<(?![a-zA-Z/!?])[^<]*+)++")  # no tag begins so
_PASSED = re.compile(
    r"<!--(?:>|->|(?s:.*?)-->)|<(?:!(?!--)|\?|/(?![a-zA-Z]))[^>]*+>"
)  # comment, DOCTYPE, instruction
_RAW = {
    name: re.compile(rf"</{name}[\s/>]", re.IGNORECASE) for name in ("script", "style")
}  # text, whatever it holds

_REPEATED = 300  # characters of attributes that are read once for all tags that have the same

Attributes = Mapping[str, str]
_NONE: Attributes = MappingProxyType({})


class Tag(NamedTuple):
    """A start tag, or an end tag; names are in lower case."""

    name: str
    attributes: str = ""  # as written
    ends: bool = False

    def read(self) -> Attributes:
        """Return the attributes; of two with one name the first counts."""
        if not self.attributes:
            return _NONE
        return _read(self.attributes) if len(self.attributes) > _REPEATED else _remembered(self.attributes)


def _read(written: str) -> Attributes:
    found: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(written):
        found.setdefault(name.lower(), unescape(value[1:-1] if value[:1] in ("'", '"') else value))
    return found


_remembered = lru_cache(maxsize=1024)(_read)  # the tags of a column are alike


def tokens(pieces: Iterable[str]) -> Iterator[Tag | str]:
    """Yield tags, and the texts between them with their entities resolved; comments and instructions are left out.

    The text of a style sheet follows its tag, that of a script does not. Raises FileRefused where a tag or comment
    does not end: it would swallow whole rows.
    """
    text, needed = "", 0
    raw: str | None = None  # the element whose text is no markup
    for piece in chain(pieces, (None,)):
        last = piece is None
        text += piece or ""
        if len(text) < min(needed, MAX_TOKEN) and not last:
            continue
        place = 0
        while place < len(text):
            found = _raw(text, place, raw, last=last) if raw else _next(text, place, last=last)
            if found is None:
                break
            place, token = found
            raw = token.name if isinstance(token, Tag) and token.name in _RAW and not token.ends else None
            if token is not None:
                yield token
        text = text[place:]
        needed = 2 * len(text)
        if len(text) > MAX_TOKEN:
            long = make_text("file.tag_too_long", tag=f"{text[:4].strip()}…", limit=MAX_TOKEN)
            raise FileRefused("FILE_SUSPICIOUS", {"found": long})


def _raw(text: str, place: int, name: str, *, last: bool) -> tuple[int, str | None] | None:
    """Return where the text of a style sheet or script ends, and that of a style sheet; None if it is not whole."""
    end = _RAW[name].search(text, place)
    if end is None and not last:
        return None
    after = end.start() if end else len(text)
    return after, text[place:after] if name == "style" else None


def _next(text: str, place: int, *, last: bool) -> tuple[int, Tag | str | None] | None:
    """Return where the token at a place ends, and the token; None if it is not whole yet."""
    if text[place] != "<":
        end = text.find("<", place)
        if end < 0 and not last:
            return None
        end = len(text) if end < 0 else end
        return end, unescape(text[place:end])
    if (tag := _TAG.match(text, place)) is not None:
        return tag.end(), Tag(tag[2].lower(), tag[3], ends=bool(tag[1]))
    if (literal := _LITERAL.match(text, place)) is not None and (last or literal.end() < len(text)):
        return literal.end(), unescape(literal[0])
    if (passed := _PASSED.match(text, place)) is not None:
        return passed.end(), None
    if last:
        raise FileRefused("FILE_CORRUPT", {"found": make_text("file.unended_tag")})
    return None
