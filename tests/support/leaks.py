"""Looks for things that must not stand in a file: as they are, and in the disguises in which they slip through."""

import base64
import io
import urllib.parse
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ENCODINGS = ("utf-8", "gb18030", "utf-16-le", "utf-16-be")
SEPARATORS = b" -_\t\xc2\xa0\x00"  # between the groups of a number, as people and formats write it


@dataclass(frozen=True)
class Canary:
    """Something that must not get out; ``kind`` says where it may stand."""

    kind: str  # secret | number | mobile | name | picture
    text: str | bytes

    @cached_property
    def needles(self) -> dict[bytes, str]:
        """The bytes to look for -> the first disguise that gives them; of plain ASCII many are the same."""
        return {needle: disguise for disguise, needle in reversed(self._list_disguises().items())}

    def _list_disguises(self) -> dict[str, bytes]:
        if isinstance(self.text, bytes):
            return {"raw": self.text, "hex": self.text.hex().encode(), **_base64("", self.text)}
        findings = {
            "escaped": self.text.encode("unicode_escape"),
            "quoted": urllib.parse.quote(self.text).encode(),
        }
        findings |= {"quoted gbk": urllib.parse.quote(self.text, encoding="gb18030").encode()}
        for encoding in ENCODINGS:
            raw = self.text.encode(encoding)
            findings |= {encoding: raw, f"hex {encoding}": raw.hex().encode(), **_base64(encoding, raw)}
        return findings


def _base64(encoding: str, raw: bytes) -> dict[str, bytes]:
    """Return what base64 makes of these bytes wherever they begin in a longer text: three alignments."""
    findings = {}
    for before in range(3):
        text = base64.b64encode(bytes(before) + raw + bytes(3))
        inner = text[(0, 2, 3)[before] : len(text) - 8]  # without what the neighbours decide
        findings[f"base64+{before} {encoding}"] = inner
        findings[f"base64url+{before} {encoding}"] = inner.replace(b"+", b"-").replace(b"/", b"_")
    return findings


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield a file and, where it is a zip, what is inside, to any depth."""
    yield from _members(str(path), path.read_bytes())


def _members(location: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            for name in package.namelist():
                yield from _members(f"{location}!{name}", package.read(name))
    else:
        yield location, data


def leaks(location: str, data: bytes, canaries: list[Canary]) -> Iterator[tuple[str, str, str, str]]:
    """Yield (place, kind, disguise, what) for each canary that stands in some bytes."""
    compact = data.translate(None, SEPARATORS)
    for canary in canaries:
        for needle, disguise in canary.needles.items():
            if needle in data:
                yield location, canary.kind, disguise, str(canary.text)
        if canary.kind in {"number", "mobile"} and canary.text.encode() in compact:
            yield location, canary.kind, "in groups", canary.text
