"""Pictures placed in cells: by the formula DISPIMG of WPS, or as a rich value of Excel 365.

WPS keeps them in an album, xl/cellimages.xml, and a cell names one by its ID: a copied cell may get an ID of its own
for the same file, so the order of either means nothing.

The chain of Excel 365 ([MS-XLSX] "rich values"): the cell's ``vm`` -> metadata.xml -> rdrichvalue.xml, whose fields
are named by rdrichvaluestructure.xml -> richValueRel.xml -> its relationships -> the picture. ``vm`` and the type of a
record count from 1, everything else from 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from xml.etree.ElementTree import Element

from pipeline.domain.roster import CellKind, EmbeddedImage
from pipeline.intake.readers.model import RawCell
from pipeline.intake.readers.xlsx.package import Package, parse_whole
from pipeline.intake.readers.xlsx.pictures import Media, PictureRef, Turn, get_relation, read_picture_ref

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
        return self._package.find_related(self._workbook, "richValueRel") or ""

    def find_picture(self, vm: str) -> PictureRef | None:
        """Return the picture that a cell with this ``vm`` shows; None where it shows another value."""
        index = parse_whole(vm, _MOST)
        return self._picture_refs[index - 1] if index and index <= len(self._picture_refs) else None

    @cached_property
    def _picture_refs(self) -> Sequence[PictureRef | None]:
        """The picture behind each record of ``valueMetadata``."""
        metadata = self._read_part("sheetMetadata")
        if metadata is None:
            return ()
        types = [kind.get("name") for kind in metadata.iterfind("{*}metadataTypes/{*}metadataType")]
        values = [
            _parse_index(bound.get("i")) if bound is not None else None
            for future in metadata.iterfind("{*}futureMetadata")
            if future.get("name") == _TYPE
            for bound in (block.find(".//{*}rvb") for block in future.iterfind("{*}bk"))
        ]
        refs = []
        for block in metadata.iterfind("{*}valueMetadata/{*}bk"):
            records = [
                _parse_index(record.get("v"))
                for record in block.iterfind("{*}rc")
                if _get_item(types, (parse_whole(record.get("t", ""), _MOST) or 0) - 1) == _TYPE
            ]
            value = _get_item(values, records[0]) if records else None
            refs.append(_get_item(self._value_pictures, value))
        return refs

    @cached_property
    def _value_pictures(self) -> Sequence[PictureRef | None]:
        """The picture that each rich value is."""
        structures = [
            (structure.get("t", ""), [key.get("n") for key in structure.iterfind("{*}k")])
            for structure in self._list_children("rdRichValueStructure", "s")
        ]
        pictures = [get_relation(rel, "id") for rel in self._list_children("richValueRel", "rel")]
        refs: list[PictureRef | None] = []
        for value in self._list_children("rdRichValue", "rv"):
            kind, keys = _get_item(structures, _parse_index(value.get("s"))) or ("", [])
            if _LOCAL in keys:
                texts = [text.text or "" for text in value.iterfind("{*}v")]
                index = _parse_index(_get_item(texts, keys.index(_LOCAL)))
                refs.append(PictureRef(_get_item(pictures, index), Turn()))
            else:
                refs.append(_NOT_HAD if kind.lower() == _WEB else None)
        return refs

    def _read_part(self, kind: str) -> Element | None:
        part = self._package.find_related(self._workbook, kind)
        return self._package.read_tree(part) if part is not None and part in self._package else None

    def _list_children(self, kind: str, name: str) -> list[Element]:
        root = self._read_part(kind)
        return [] if root is None else root.findall("{*}" + name)


def _parse_index(text: str | None) -> int | None:
    return parse_whole((text or "").strip(), _MOST)


def _get_item(values: Sequence[_T], index: int | None) -> _T | None:
    """Return what stands at a place, if there is one."""
    return values[index] if index is not None and 0 <= index < len(values) else None


_CALL = re.compile(r"\s*=?\s*(?:_xl[a-z]+\.)*DISPIMG\s*\(", re.IGNORECASE)
_NAMED = re.compile(
    r'\s*=?\s*(?:_xl[a-z]+\.)*DISPIMG\s*\(\s*"([^"]{1,255})"\s*(?:,\s*\d*\s*)?\)\s*', re.IGNORECASE
)


class Album:
    """The pictures of xl/cellimages.xml, read when the first cell asks for one."""

    def __init__(self, package: Package, workbook: str) -> None:
        self._package, self._workbook = package, workbook

    @cached_property
    def part(self) -> str:
        """The album's own part; empty where there is none."""
        part = self._package.find_related(self._workbook, "cellImage") or ""
        return part if part in self._package else ""

    def find_picture(self, name: str) -> PictureRef | None:
        """Return the picture of a name; None where there is none, or more than one."""
        return self._picture_refs.get(name)

    @cached_property
    def _picture_refs(self) -> dict[str, PictureRef | None]:
        refs: dict[str, PictureRef | None] = {}
        if not self.part:
            return refs
        for pic in self._package.read_tree(self.part).iterfind("{*}cellImage/{*}pic"):
            properties = pic.find("{*}nvPicPr/{*}cNvPr")
            name = properties.get("name", "") if properties is not None else ""
            shown = read_picture_ref(pic)
            refs[name] = shown if refs.setdefault(name, shown) == shown else None
        return refs


@dataclass(frozen=True, slots=True)
class CellPictures:
    """What the cells of one sheet show."""

    album: Album
    values: RichValues
    media: Media
    sheet: str

    @staticmethod
    def calls_picture(formula: str) -> bool:
        """Return whether a formula, or the text a cell got from it, calls DISPIMG."""
        return _CALL.match(formula) is not None

    def by_formula(self, formula: str, cached: str, column: str, row: int) -> RawCell | None:
        """Return the cell of a DISPIMG formula, which may have its ``cached`` text alone; None for any other formula.

        Its value is None where the picture cannot be had, as when formula and text name different ones.
        """
        calls = [text for text in (formula, cached) if self.calls_picture(text)]
        if not calls:
            return None
        names = {named[1] if (named := _NAMED.fullmatch(text)) else None for text in calls}
        name = names.pop()
        shown = self.album.find_picture(name) if name is not None and not names else None
        return self._make_cell(self.album.part, shown, column, row)

    def by_value(self, vm: str, column: str, row: int) -> RawCell | None:
        """Return the cell of a rich value; None where that is no picture."""
        shown = self.values.find_picture(vm)
        return None if shown is None else self._make_cell(self.values.owner, shown, column, row)

    def _make_cell(self, owner: str, shown: PictureRef | None, column: str, row: int) -> RawCell:
        picture = self.media.picture(owner, shown, f"{self.sheet}!{column}{row}") if shown else None
        value = None if picture is None or isinstance(picture, str) else EmbeddedImage(column, row, picture)
        return RawCell(CellKind.PICTURE, value, "")
