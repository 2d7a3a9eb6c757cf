"""Pictures that Excel 365 places in cells: which file a cell's rich value shows.

The chain ([MS-XLSX] "rich values"): the cell's ``vm`` -> metadata.xml -> rdrichvalue.xml, whose fields
are named by rdrichvaluestructure.xml -> richValueRel.xml -> its relationships -> the picture. ``vm`` and the type of a
record count from 1, everything else from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TypeVar
from xml.etree.ElementTree import Element

from pipeline.intake.readers.xlsx.drawing_pictures import PictureRef, Turn, relation
from pipeline.intake.readers.xlsx.numerals import whole
from pipeline.intake.readers.xlsx.package import Package

_T = TypeVar("_T")

_TYPE = "XLRICHVALUE"
_LOCAL = "_rvRel:LocalImageIdentifier"
_WEB = "_webimage"  # IMAGE("https://…"): only its address is certain to be in the file
_MOST = 10_000_000
_NOT_HAD = PictureRef(None, Turn())


class RichValues:
    """The rich values of a workbook, read when the first cell asks for one."""

    def __init__(self, package: Package, workbook: str) -> None:
        self._package, self._workbook = package, workbook

    @cached_property
    def owner(self) -> str:
        """The part whose relationships lead to the pictures."""
        return self._package.related(self._workbook, "richValueRel") or ""

    def shown(self, vm: str) -> PictureRef | None:
        """Return the picture that a cell with this ``vm`` shows; None where it shows another value."""
        place = whole(vm, _MOST)
        return self._blips[place - 1] if place and place <= len(self._blips) else None

    @cached_property
    def _blips(self) -> Sequence[PictureRef | None]:
        """The picture behind each record of ``valueMetadata``."""
        metadata = self._tree("sheetMetadata")
        if metadata is None:
            return ()
        types = [kind.get("name") for kind in metadata.iterfind("{*}metadataTypes/{*}metadataType")]
        values = [
            _index(bound.get("i")) if bound is not None else None
            for future in metadata.iterfind("{*}futureMetadata")
            if future.get("name") == _TYPE
            for bound in (block.find(".//{*}rvb") for block in future.iterfind("{*}bk"))
        ]
        found = []
        for block in metadata.iterfind("{*}valueMetadata/{*}bk"):
            records = [
                _index(record.get("v"))
                for record in block.iterfind("{*}rc")
                if _at(types, (whole(record.get("t", ""), _MOST) or 0) - 1) == _TYPE
            ]
            value = _at(values, records[0]) if records else None
            found.append(_at(self._values, value))
        return found

    @cached_property
    def _values(self) -> Sequence[PictureRef | None]:
        """The picture that each rich value is."""
        structures = [
            (structure.get("t", ""), [key.get("n") for key in structure.iterfind("{*}k")])
            for structure in self._children("rdRichValueStructure", "s")
        ]
        pictures = [relation(rel, "id") for rel in self._children("richValueRel", "rel")]
        found: list[PictureRef | None] = []
        for value in self._children("rdRichValue", "rv"):
            kind, keys = _at(structures, _index(value.get("s"))) or ("", [])
            if _LOCAL in keys:
                texts = [text.text or "" for text in value.iterfind("{*}v")]
                place = _index(_at(texts, keys.index(_LOCAL)))
                found.append(PictureRef(_at(pictures, place), Turn()))
            else:
                found.append(_NOT_HAD if kind.lower() == _WEB else None)
        return found

    def _tree(self, kind: str) -> Element | None:
        part = self._package.related(self._workbook, kind)
        return self._package.tree(part) if part is not None and part in self._package else None

    def _children(self, kind: str, name: str) -> list[Element]:
        root = self._tree(kind)
        return [] if root is None else root.findall("{*}" + name)


def _index(text: str | None) -> int | None:
    return whole((text or "").strip(), _MOST)


def _at(values: Sequence[_T], place: int | None) -> _T | None:
    """Return what stands at a place, if there is one."""
    return values[place] if place is not None and 0 <= place < len(values) else None
