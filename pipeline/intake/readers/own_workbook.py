"""Whose workbook a file is: the custom document properties that this program writes, in every form they are kept in.

Programs keep them when they save in another format: a part of a package (.xlsx, .xlsb; ECMA-376 part 1 §22.3), a
property set in a compound file (.xls, .et; [MS-OLEPS] §2), elements of meta.xml (.ods; OpenDocument 1.3 part 3 §4.3.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import error, unpack_from
from uuid import UUID

from pipeline.domain.results_format import ORIGINALS_PROPERTY, PROPERTY, PROPERTY_VALUE, RUN_PROPERTY
from pipeline.errors import FileRefused
from pipeline.intake.readers.compound_files import Compound
from pipeline.intake.readers.xlsx.package import Package

OWN_SHEETS = (
    4  # of these a row of the roster may stand on: readers that read all sheets at once count it on each
)

_STREAM = "\x05documentsummaryinformation"
_META = "meta.xml"
_USER_DEFINED = UUID("d5cdd505-2e9c-101b-9397-08002b2cf9ae").bytes_le  # FMTID of a user's own properties
_CODE_PAGE, _DICTIONARY = 1, 0  # identifiers of properties
_BYTES, _WIDE = 0x1E, 0x1F  # VT_LPSTR, VT_LPWSTR
_UTF16 = 1200
_MOST = 1_000  # properties of a file that are looked at


def read_run_of_package(package: Package) -> str | None:
    """Return the run that wrote a workbook, "" where it does not say which; None for a workbook of anybody else."""
    if package.find_related("", "custom-properties") is not None:
        return _find_run(_read_custom_properties(package))
    if _META not in package:
        return None
    entries = package.read_tree(_META).iterfind("{*}meta/{*}user-defined")
    return _find_run({_get_name(entry.attrib): "".join(entry.itertext()) for entry in entries})


def read_originals(package: Package) -> tuple[str, ...]:
    """Return the files that a marked copy of a roster was made from, by the first digits of their digests."""
    return tuple(_read_custom_properties(package).get(ORIGINALS_PROPERTY, "").split())


def _read_custom_properties(package: Package) -> Mapping[str, str]:
    part = package.find_related("", "custom-properties")
    entries = () if part is None else package.read_tree(part)
    return {entry.get("name", ""): "".join(entry.itertext()) for entry in entries}


def read_run_of_compound(data: bytes) -> str | None:
    """Return the same of a compound file."""
    compound = Compound(data)
    if _STREAM not in compound.streams:
        return None
    try:
        return read_run_of_properties(compound.read(_STREAM))
    except FileRefused:
        return None


def read_run_of_properties(stream: bytes) -> str | None:
    """Return the same of a property set stream; a damaged one is not ours, and no reason to refuse a roster."""
    try:
        return _find_run(dict(_list_user_properties(stream)))
    except (error, ValueError, LookupError):
        return None


def _find_run(properties: Mapping[str, str]) -> str | None:
    return (
        properties.get(RUN_PROPERTY, "").strip()
        if properties.get(PROPERTY, "").strip() == PROPERTY_VALUE
        else None
    )


def _get_name(attributes: Mapping[str, str]) -> str:
    return next((value for key, value in attributes.items() if key.endswith("}name")), "")


def _list_user_properties(stream: bytes) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of the properties that are text (§2.21: two sections, the second is the user's)."""
    (sections,) = unpack_from("<I", stream, 24)
    for position in range(28, 28 + 20 * min(sections, 2), 20):
        if stream[position : position + 16] == _USER_DEFINED:
            (start,) = unpack_from("<I", stream, position + 16)
            yield from _list_properties(stream[start:])


def _list_properties(section: bytes) -> Iterator[tuple[str, str]]:
    (count,) = unpack_from("<I", section, 4)
    places = dict(unpack_from("<2I", section, 8 + 8 * index) for index in range(min(count, _MOST)))
    page = unpack_from("<H", section, places[_CODE_PAGE] + 4)[0] if _CODE_PAGE in places else 0
    for identifier, name in _list_property_names(section, places[_DICTIONARY], page):
        offset = places.get(identifier)
        if offset is None:
            continue
        kind, size = unpack_from("<I I", section, offset)
        if kind == _WIDE:
            yield name, section[offset + 8 : offset + 8 + 2 * size].decode("utf-16-le").partition("\0")[0]
        elif kind == _BYTES:
            yield name, _decode_text(section[offset + 8 : offset + 8 + size], page)


def _list_property_names(section: bytes, offset: int, page: int) -> Iterator[tuple[int, str]]:
    """Yield what each property is called (§2.17); names of two bytes a character are padded to four."""
    (count,) = unpack_from("<I", section, offset)
    offset += 4
    for _ in range(min(count, _MOST)):
        identifier, length = unpack_from("<2I", section, offset)
        size = 2 * length if page == _UTF16 else length
        yield identifier, _decode_text(section[offset + 8 : offset + 8 + size], page)
        offset += 8 + size + (-size % 4 if page == _UTF16 else 0)


def _decode_text(raw: bytes, page: int) -> str:
    """Return a text; our names and values are ASCII, so every other code page is read as that."""
    return raw.decode("utf-16-le" if page == _UTF16 else "ascii", "replace").partition("\0")[0]
