"""What the streams of a sheet and of the shared strings have in common: plain elements and texts; and these strings.

A plain element has one form that nearly all of a part has, and is read without the parser's calls for each of its tags.
A part is parsed as always but for runs of such whole elements, which a pattern describes to the byte. They are taken out
where the parser has just met an end tag, and so never inside a comment or a text: what the parser sees is well formed
exactly if the part is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.parsers import expat

from pipeline.errors import FileRefused
from pipeline.intake.readers.model import MAX_TEXT, make_danger_refusal
from pipeline.intake.readers.xlsx.package import Package, make_parser

_UTF_8 = re.compile(rb"(?:\xef\xbb\xbf)?(?:<\?xml(?P<declared>[^<>]*)\?>)?\s*<[^?!]")
_ENCODING = re.compile(rb"""encoding\s*=\s*["'](?!utf-?8["'])""", re.IGNORECASE)
_MOST_MISSES = 50  # elements of another form in one chunk, one after the other

_MAX_STRINGS = 5_000_000
_PLAIN_STRINGS = re.compile(
    rb'(?:[ \t\r\n]*<si><t(?: xml:space="preserve")?>[^<&\x00-\x1f]*</t></si>){1,500}'
)
_PLAIN_TEXT = re.compile(r"<t[^>]*>([^<]*)")
MAX_WRITTEN = 8 * MAX_TEXT  # characters of a text in the file: one that is escaped takes seven
# ST_Xstring, ECMA-376 part 1 §22.9.2.19; half a surrogate pair is no character and stays as written
_ESCAPED = re.compile(r"_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")


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


# --- texts


def read_shared_strings(package: Package, part: str) -> list[str]:
    """Return the texts that cells of type ``s`` refer to, by their place."""
    collector = _Strings(part)
    plain = PlainElements(
        collector.parser, _PLAIN_STRINGS, b"</si>", collector.take_plain, collector.has_ended
    )
    try:
        for _ in package.parse_part(part, plain.parse):
            require_bounded(collector.text, part)
    finally:
        # its handlers refer to the collector, and a run switches off the search for such cycles
        del collector.parser
    return collector.strings


def unescape_text(text: str) -> str:
    """Return a text as it is meant."""
    return _ESCAPED.sub(lambda finding: chr(int(finding[1], 16)), text) if "_x" in text else text


def require_bounded(text: list[str], position: str) -> None:
    """Refuse a text that has grown too long while it is still being read; white space between elements is dropped."""
    if sum(map(len, text)) > MAX_WRITTEN:
        text[:] = [piece for piece in text if not piece.isspace()]
        _require_length(sum(map(len, text)), MAX_WRITTEN, position)


def _require_length(length: int, limit: int, position: str) -> None:
    if length > limit:
        raise make_danger_refusal("file.cell_too_long", cell=position, length=length)


def get_prefix(tag: str) -> str:
    """Return the namespace prefix of the root with its colon; a part of a workbook uses one throughout."""
    head, colon, _ = tag.rpartition(":")
    return head + colon


class _Strings:
    """Handlers for ``sst``: every ``t`` within an ``si`` that is not within an ``rPh``."""

    def __init__(self, part: str) -> None:
        self.strings: list[str] = []
        self.text: list[str] = []
        self._part = part
        self._string = ""
        self._phonetic = self._ended = False
        self._si = ""
        self.parser = make_parser(part)
        self.parser.StartElementHandler = self._start_root

    def has_ended(self) -> bool:
        """Return whether a string has ended since this was asked last, and plain ones may follow."""
        ended, self._ended = self._ended, False
        return ended and self._si == "si" and not self._phonetic

    def take_plain(self, run: re.Match[bytes]) -> bool:
        """Take a run of strings without formats; False for one that only the parser judges."""
        if b"]]>" in run[0] or b"\xef\xbf" in run[0]:  # no text may hold ]]> or U+FFFE
            return False
        try:
            texts = _PLAIN_TEXT.findall(run[0].decode())
        except UnicodeDecodeError:
            return False
        for text in texts:
            self._add_string(text)
        return True

    def _start_root(self, tag: str, _attributes: object) -> None:
        self._si, self._t, self._rph = (get_prefix(tag) + name for name in ("si", "t", "rPh"))
        self.parser.StartElementHandler = self._start_element
        self.parser.EndElementHandler = self._end_element
        self.parser.CharacterDataHandler = self.text.append

    def _start_element(self, tag: str, _attributes: object) -> None:
        if tag == self._t:
            self.text.clear()
        elif tag == self._si:
            self._string = ""
        elif tag == self._rph:
            self._phonetic = True

    def _end_element(self, tag: str) -> None:
        if tag == self._t:
            if not self._phonetic:
                self._string += "".join(self.text)
                _require_length(len(self._string), MAX_WRITTEN, self._part)
        elif tag == self._si:
            self._ended = True
            self._add_string(self._string)
        elif tag == self._rph:
            self._phonetic = False

    def _add_string(self, written: str) -> None:
        string = written if "_x" not in written else unescape_text(written)
        if len(written) > MAX_TEXT:
            _require_length(len(written), MAX_WRITTEN, self._part)
            _require_length(len(string), MAX_TEXT, self._part)
        self.strings.append(string)
        if len(self.strings) > _MAX_STRINGS:
            finding, limit = f"{self._part}: > {_MAX_STRINGS}", str(_MAX_STRINGS)
            raise FileRefused("FILE_TOO_LARGE", {"found": finding, "limit": limit})
