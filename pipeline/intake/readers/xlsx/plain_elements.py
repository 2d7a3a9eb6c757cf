"""Reads the elements of one plain form, nearly all of a part, without the parser's calls for each of their tags.

A part is parsed as always but for runs of whole elements that a pattern describes to the byte. They are taken out where the
parser has just met an end tag, and so never inside a comment or a text: what the parser sees is well formed exactly if
the part is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.parsers import expat

_UTF_8 = re.compile(rb"(?:\xef\xbb\xbf)?(?:<\?xml(?P<declared>[^<>]*)\?>)?\s*<[^?!]")
_ENCODING = re.compile(rb"""encoding\s*=\s*["'](?!utf-?8["'])""", re.IGNORECASE)
_MOST_MISSES = 50  # elements of another form in one chunk, one after the other


class PlainElements:
    """Parses a part chunk by chunk, and hands over its plain elements itself.

    ``pattern`` matches plain elements and ends with ``end``, their end tag. ``take`` gets each match in its turn; False
    leaves it to the parser. ``has_ended`` returns whether the parser has met such an end tag since it was asked last, and
    plain elements may follow.
    """

    def __init__(
        self,
        parser: expat.XMLParserType,
        pattern: re.Pattern[bytes],
        end: bytes,
        take: Callable[[re.Match[bytes]], bool],
        has_ended: Callable[[], bool],
    ) -> None:
        self._parser, self._pattern, self._end = parser, pattern, end
        self._take, self._has_ended = take, has_ended
        self._is_between = False  # the parser has read everything, and an end tag last
        self._is_off: bool | None = None  # None: nothing was read yet

    def parse(self, chunk: bytes) -> None:
        """Parse the next bytes of a part; none end it."""
        if self._is_off is None:
            self._is_off = not _is_utf_8(chunk)
        position = self._take_run(chunk, 0) if self._is_between and not self._is_off else 0
        misses = 0
        while not self._is_off and misses < _MOST_MISSES:
            end = chunk.find(self._end, position) + len(self._end)
            if end < len(self._end):
                break
            self._has_ended()
            self._parser.Parse(chunk[position:end], False)
            position = end
            if not self._has_ended():
                break
            misses += 1
            if (position := self._take_run(chunk, position)) > end:
                misses = 0
        self._is_between = position == len(chunk) and position > 0 and not self._is_off
        self._parser.Parse(chunk[position:], not chunk)

    def _take_run(self, chunk: bytes, position: int) -> int:
        """Take the plain elements that follow each other from a position on; return where they end."""
        while (match := self._pattern.match(chunk, position)) and self._take(match):
            position = match.end()
        return position


def _is_utf_8(start: bytes) -> bool:
    """Return whether a part is UTF-8, from its first bytes."""
    head = _UTF_8.match(start)
    return head is not None and not _ENCODING.search(head["declared"] or b"")
