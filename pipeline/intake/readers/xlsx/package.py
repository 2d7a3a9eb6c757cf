"""Office Open XML packages, opened with suspicion: no DOCTYPE, parts found by relationship.

What is unpacked in all is counted, so that a part named by a thousand sheets is not read a thousand times.
"""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO
from xml.etree.ElementTree import Element, ParseError
from xml.parsers.expat import ExpatError
from zipfile import ZipInfo

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from pipeline.errors import FileRefused
from pipeline.intake.guarded_zip import DAMAGE, MEGABYTE, get_fault, is_encrypted, open_zip
from pipeline.intake.readers.model import make_damage_refusal, make_danger_refusal
from pipeline.intake.readers.xml_elements import take_elements

EMU_POINT = 12_700

_EMU = {"in": 914_400, "cm": 360_000, "mm": 36_000, "pt": EMU_POINT, "pc": 152_400, "pi": 152_400}
_COORDINATE = re.compile(r"(-?[0-9]{1,12})|(-?[0-9]{1,6}(?:\.[0-9]{1,20})?)(mm|cm|in|pt|pc|pi)")
_PERCENT = re.compile(r"(-?[0-9]{1,9})|(-?[0-9]{1,6}(?:\.[0-9]{1,20})?)%")
_DECIMAL = re.compile(r"[0-9]{1,9}(?:\.[0-9]{0,30})?")


def parse_whole(text: str, limit: int) -> int | None:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        return None
    number = int(text)
    return number if number <= limit else None


def parse_decimal(text: str, limit: float) -> float | None:
    """Return a number from 0 to the limit, with or without a point."""
    number = float(text) if _DECIMAL.fullmatch(text) else None
    return number if number is not None and number <= limit else None


def parse_emu(text: str) -> int | None:
    """Return a coordinate in EMU (ST_Coordinate, ECMA-376 part 1 §22.9.2.1 and §20.1.10.16): plain, or with a unit."""
    finding = _COORDINATE.fullmatch(text)
    if finding is None:
        return None
    return int(finding[1]) if finding[1] else round(float(finding[2]) * _EMU[finding[3]])


def parse_percent(text: str) -> float | None:
    """Return a percentage (ST_Percentage, ECMA-376 part 1 §22.9.2.9): thousandths of one, or with its sign."""
    finding = _PERCENT.fullmatch(text)
    if finding is None:
        return None
    return int(finding[1]) / 1000 if finding[1] else float(finding[2])


def is_true(text: str | None) -> bool:
    """Return the value of an attribute of type boolean."""
    return text in ("1", "true", "on")


MAX_UNPACKED = 600 * MEGABYTE  # a million formatted empty rows are 250 MB, a picture a row can be 400 MB
MAX_TREE = 32 * MEGABYTE  # of a part that is held whole; sheets and strings are streamed
_PASSES = 2  # a sheet is parsed for its outline and for its cells

Relations = Mapping[str, tuple[str, str]]


class Package:
    """A zip of parts that passed the guards."""

    def __init__(self, data: bytes) -> None:
        self._zip = open_zip(io.BytesIO(data), len(data), MAX_UNPACKED)
        members = self._zip.infolist()
        self._members = {_normalize_part(member.filename): member for member in members}
        self._bytes_left = _PASSES * sum(member.file_size for member in members)
        self._relations: dict[str, Relations] = {}
        if len(self._members) < len(members):
            raise make_danger_refusal("zip.two_of_one_name")
        for part, member in self._members.items():
            if "/media/" not in part:  # a picture is judged when it is used
                _require_harmless(member)

    def __contains__(self, part: str) -> bool:
        return _normalize_part(part) in self._members

    def get_size(self, part: str) -> int:
        """Return how many bytes a part unpacks to."""
        return self._get_member(part).file_size

    @contextmanager
    def open(self, part: str) -> Iterator[IO[bytes]]:
        """Open a part for streaming; what is missing or broken refuses the file, also where it shows in the body."""
        member = self._get_member(part)
        _require_harmless(member)
        self._count_bytes(member.file_size)
        with _refuse_damage(part), self._zip.open(member) as stream:
            yield stream

    def take_elements(self, part: str, depth: int) -> Iterator[tuple[Element, list[Element]]]:
        """Yield (parent, elements) of a part down to a depth, and let go of them."""
        with self.open(part) as stream:
            yield from take_elements(stream, part, depth)

    def read_tree(self, part: str) -> Element:
        size = self.get_size(part)
        if size > MAX_TREE:
            finding, limit = f"{part}: {size / MEGABYTE:.0f} MB", f"{MAX_TREE // MEGABYTE} MB"
            raise FileRefused("FILE_TOO_LARGE", {"found": finding, "limit": limit})
        with self.open(part) as stream:
            root: Element = fromstring(stream.read(), forbid_dtd=True)
            return root

    def read_payload(self, part: str, limit: int) -> bytes | None:
        """Return the bytes of a part that is no XML; None where it is missing, damaged, hostile or above the limit."""
        member = self._members.get(_normalize_part(part))
        if member is None or member.file_size > limit or get_fault(member):
            return None
        self._count_bytes(member.file_size)
        try:
            return self._zip.read(member)
        except DAMAGE:
            return None

    def read_relations(self, part: str) -> Relations:
        """Return the relationships of a part (``""``: the package): id -> (last word of the type, target part).

        Targets outside the package are left out: nothing here is ever fetched.
        """
        finding = self._relations.get(part)
        if finding is None:
            finding = self._relations[part] = dict(self._list_relations(part))
        return finding

    def get_related_part(self, part: str, kind: str) -> str | None:
        """Return the first part of a kind that a part refers to."""
        return next((target for type_, target in self.read_relations(part).values() if type_ == kind), None)

    def _list_relations(self, part: str) -> Iterator[tuple[str, tuple[str, str]]]:
        folder, name = posixpath.split(part)
        source = posixpath.join(folder, "_rels", f"{name}.rels")
        seen = set()
        for relation in self.read_tree(source) if source in self else ():
            identifier = relation.get("Id", "")
            if identifier in seen:  # which one is meant decides whose picture it is
                raise FileRefused("FILE_CORRUPT", {"found": f"{source}: {identifier} = {identifier}"})
            seen.add(identifier)
            if relation.get("TargetMode") != "External":
                target = relation.get("Target", "").replace("\\", "/")
                target_part = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
                yield identifier, (relation.get("Type", "").rsplit("/", 1)[-1], target_part)

    def _get_member(self, part: str) -> ZipInfo:
        member = self._members.get(_normalize_part(part))
        if member is None:
            raise make_damage_refusal("file.missing_part", part=part)
        return member

    def _count_bytes(self, size: int) -> None:
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise make_danger_refusal("zip.read_again", times=_PASSES)


@contextmanager
def _refuse_damage(part: str) -> Iterator[None]:
    """Turn what the zip and XML libraries raise over a damaged or hostile part into its refusal."""
    try:
        yield
    except DefusedXmlException as error:
        raise FileRefused("FILE_SUSPICIOUS", {"found": f"DOCTYPE: {part}"}) from error
    except (ExpatError, ParseError, ValueError, LookupError) as error:
        raise FileRefused("FILE_CORRUPT", {"found": f"XML: {part}"}) from error
    except DAMAGE as error:
        raise FileRefused("FILE_CORRUPT", {"found": f"zip: {part}"}) from error


def _normalize_part(part: str) -> str:
    """Part names are compared without case (ECMA-376 part 2 §6.2); some writers use backslashes."""
    return part.replace("\\", "/").lstrip("/").casefold()


def _require_harmless(member: ZipInfo) -> None:
    if is_encrypted(member):
        raise FileRefused("FILE_ENCRYPTED")
    if fault := get_fault(member):
        raise FileRefused("FILE_SUSPICIOUS", {"found": fault})
