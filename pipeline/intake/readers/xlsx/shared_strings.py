"""Reads the shared strings of a workbook; and what the streams of a sheet and of these strings have in common: texts."""

from __future__ import annotations

import re

from pipeline.errors import FileRefused
from pipeline.intake.readers.model import MAX_TEXT, make_danger_refusal
from pipeline.intake.readers.xlsx.package import Package, make_parser

_MAX_STRINGS = 5_000_000
MAX_WRITTEN = 8 * MAX_TEXT  # characters of a text in the file: one that is escaped takes seven
# ST_Xstring, ECMA-376 part 1 §22.9.2.19; half a surrogate pair is no character and stays as written
_ESCAPED = re.compile(r"_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")


def read_shared_strings(package: Package, part: str) -> list[str]:
    """Return the texts that cells of type ``s`` refer to, by their place."""
    collector = _Strings(part)
    for _ in package.parse_part(part, collector.parse):
        require_bounded(collector.text, part)
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
        self._phonetic = False
        self.parser = make_parser(part)
        self.parser.StartElementHandler = self._start_root

    def parse(self, chunk: bytes) -> None:
        """Parse the next bytes of the part; none end it."""
        self.parser.Parse(chunk, not chunk)

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
