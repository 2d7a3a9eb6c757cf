"""Office Open XML packages, opened with suspicion: bounded sizes, no DOCTYPE, parts found by relationship.

Limits: rosters.md §5 (hostile set), DESIGN §8. Sizes are the directory's own; ``zipfile`` never unpacks more.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO
from xml.etree.ElementTree import Element, ParseError

# expat itself, not a tree builder: its handlers are set by hand below and refuse every DOCTYPE
from xml.parsers import expat

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from pipeline.errors import FileRefused

MEGABYTE = 1_000_000
MAX_UNPACKED = 200 * MEGABYTE
MAX_RATIO = 200  # for a member above RATIO_FROM; small parts of spaces are honest
RATIO_FROM = 10 * 1024 * 1024
MAX_MEMBERS = 20_000
CHUNK = 1 << 18


class Package:
    """A zip of parts that passed the guards."""

    def __init__(self, data: bytes) -> None:
        with _honest("zip"):
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        members = self._zip.infolist()
        _guard(members)
        self._names = {_plain(member.filename): member.filename for member in members}

    def __contains__(self, part: str) -> bool:
        return _plain(part) in self._names

    @contextmanager
    def open(self, part: str) -> Iterator[IO[bytes]]:
        """Open a part for streaming; what is missing or broken refuses the file."""
        name = self._names.get(_plain(part))
        if name is None:
            raise FileRefused("FILE_CORRUPT", {"found": f"missing part: {part}"})
        with _honest(part), self._zip.open(name) as stream:
            yield stream

    def tree(self, part: str) -> Element:
        """Return a small part as an element tree."""
        with self.open(part) as stream:
            root: Element = fromstring(stream.read(), forbid_dtd=True)
            return root

    def relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Return the relationships of a part (``""``: the package): id -> (last word of the type, target part)."""
        folder, name = posixpath.split(part)
        source = posixpath.join(folder, "_rels", f"{name}.rels")
        if source not in self:
            return {}
        found = {}
        for relation in self.tree(source):
            if relation.get("TargetMode") != "External":
                target = relation.get("Target", "").replace("\\", "/")
                kind = relation.get("Type", "").rsplit("/", 1)[-1]
                found[relation.get("Id", "")] = (
                    kind,
                    posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/"),
                )
        return found

    def related(self, part: str, kind: str) -> str | None:
        """Return the first part of a kind that a part refers to."""
        return next((target for type_, target in self.relations(part).values() if type_ == kind), None)


@contextmanager
def _honest(part: str) -> Iterator[None]:
    """Turn what the zip and XML libraries raise over a damaged or hostile file into its refusal."""
    try:
        yield
    except DefusedXmlException as error:
        raise FileRefused("FILE_SUSPICIOUS", {"found": f"DOCTYPE: {part}"}) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise FileRefused("FILE_CORRUPT", {"found": f"zip: {part}"}) from error
    except (expat.ExpatError, ParseError, ValueError, LookupError) as error:
        raise FileRefused("FILE_CORRUPT", {"found": f"XML: {part}"}) from error


def parser(part: str) -> expat.XMLParserType:
    """Return a streaming parser that refuses a DOCTYPE, and with it every entity, at its first character."""

    def refuse(*_: object) -> None:
        raise FileRefused("FILE_SUSPICIOUS", {"found": f"DOCTYPE: {part}"})

    made = expat.ParserCreate()
    made.buffer_text = True
    made.StartDoctypeDeclHandler = refuse
    return made


def _plain(part: str) -> str:
    """Part names are compared without case (ECMA-376 part 2 §6.2); some writers use backslashes."""
    return part.replace("\\", "/").lstrip("/").casefold()


def _guard(members: list[zipfile.ZipInfo]) -> None:
    total = sum(member.file_size for member in members)
    if total > MAX_UNPACKED:
        found = f"{total / MEGABYTE:.0f} MB"
        raise FileRefused("FILE_TOO_LARGE", {"found": found, "limit": f"{MAX_UNPACKED // MEGABYTE} MB"})
    if len(members) > MAX_MEMBERS:
        raise FileRefused("FILE_SUSPICIOUS", {"found": f"zip: {len(members)} members"})
    if len({_plain(member.filename) for member in members}) < len(members):
        raise FileRefused("FILE_SUSPICIOUS", {"found": "zip: two members of one name"})
    for member in members:
        if member.flag_bits & 1:
            raise FileRefused("FILE_ENCRYPTED")
        if member.file_size > RATIO_FROM and member.file_size > MAX_RATIO * max(member.compress_size, 1):
            raise FileRefused("FILE_SUSPICIOUS", {"found": f"zip: {member.filename} 1:{MAX_RATIO}+"})
