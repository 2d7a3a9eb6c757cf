"""The shared strings of an .xlsx: runs of rich text are joined, phonetic hints left out (ECMA-376 part 1 §18.4)."""

from __future__ import annotations

import re

from pipeline.errors import FileRefused
from pipeline.intake.readers.text_limits import MAX_TEXT
from pipeline.intake.readers.xlsx.package import CHUNK, Package, parser
from pipeline.messages.texts import make_text

_MAX_STRINGS = 5_000_000
MAX_WRITTEN = 8 * MAX_TEXT  # characters of a text in the file: one that is escaped takes seven
# ST_Xstring, ECMA-376 part 1 §22.9.2.19; half a surrogate pair is no character and stays as written
_ESCAPED = re.compile(r"_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")


def shared_strings(package: Package, part: str) -> list[str]:
    """Return the texts that cells of type ``s`` refer to, by their place."""
    collector = _Strings(part)
    with package.open(part) as stream:
        while chunk := stream.read(CHUNK):
            collector.parser.Parse(chunk, False)
            require_bounded(collector.text, part)
        collector.parser.Parse(b"", True)
    return collector.strings


def unescaped(text: str) -> str:
    """Return a text as it is meant."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def require_bounded(text: list[str], place: str) -> None:
    """Refuse a text that has grown too long while it is still being read; white space between elements is dropped."""
    if sum(map(len, text)) > MAX_WRITTEN:
        text[:] = [piece for piece in text if not piece.isspace()]
        length = sum(map(len, text))
        if length > MAX_WRITTEN:
            raise _too_long(place, length)


def _too_long(place: str, length: int) -> FileRefused:
    return FileRefused(
        "FILE_SUSPICIOUS", {"found": make_text("file.cell_too_long", cell=place, length=length)}
    )


def prefix(tag: str) -> str:
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
        self._phonetic = False
        self.parser = parser(part)
        self.parser.StartElementHandler = self._root

    def _root(self, tag: str, _attributes: object) -> None:
        self._si, self._t, self._rph = (prefix(tag) + name for name in ("si", "t", "rPh"))
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self.text.append

    def _start(self, tag: str, _attributes: object) -> None:
        if tag == self._t:
            self.text.clear()
        elif tag == self._si:
            self._string = ""
        elif tag == self._rph:
            self._phonetic = True

    def _end(self, tag: str) -> None:
        if tag == self._t:
            if not self._phonetic:
                self._string += "".join(self.text)
                if len(self._string) > MAX_WRITTEN:
                    raise _too_long(self._part, len(self._string))
        elif tag == self._si:
            string = self._string if "_x" not in self._string else unescaped(self._string)
            if len(string) > MAX_TEXT:
                raise _too_long(self._part, len(string))
            self.strings.append(string)
            if len(self.strings) > _MAX_STRINGS:
                found, limit = f"{self._part}: > {_MAX_STRINGS}", str(_MAX_STRINGS)
                raise FileRefused("FILE_TOO_LARGE", {"found": found, "limit": limit})
        elif tag == self._rph:
            self._phonetic = False
