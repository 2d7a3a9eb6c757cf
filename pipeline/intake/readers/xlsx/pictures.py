"""The pictures of a workbook's package: what an element shows, its file put away once, and pictures placed in cells.

A picture: ECMA-376 part 1 §20.5.2.25 (pic), §20.1.8.55 (srcRect), §20.1.7.6 (xfrm).

WPS places pictures in cells by the formula DISPIMG. It keeps them in an album, xl/cellimages.xml, and a cell names one
by its ID: a copied cell may get an ID of its own for the same file, so the order of either means nothing.

Excel 365 places them as rich values ([MS-XLSX]): the cell's ``vm`` -> metadata.xml -> rdrichvalue.xml, whose fields
are named by rdrichvaluestructure.xml -> richValueRel.xml -> its relationships -> the picture. ``vm`` and the type of a
record count from 1, everything else from 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TypeVar
from xml.etree.ElementTree import Element

from pipeline.domain.roster import CellKind, EmbeddedImage, ImageFile
from pipeline.intake.images import image_files
from pipeline.intake.readers.model import RawCell
from pipeline.intake.readers.xlsx.package import Package, is_true, parse_percent, parse_whole
from pipeline.messages.catalogue import make_message

_T = TypeVar("_T")

_ANGLE = re.compile(r"-?[0-9]{1,12}")
_DEGREE = 60_000
_TILT = 5  # degrees that are not noticed
_TRIMMED = 10  # percent of width or height: a margin, not a piece cut out of a sheet of signatures
_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")
# EXIF 2.32, 4.6.4: a camera held sideways. Office turns such a picture in the sheet and leaves its bytes as they are
_EXIF = re.compile(
    rb"Exif\0\0(?:II.{0,4096}?\x12\x01\x03\x00\x01\x00\x00\x00([\x03\x06\x08])"
    rb"|MM.{0,4096}?\x01\x12\x00\x03\x00\x00\x00\x01\x00([\x03\x06\x08]))",
    re.DOTALL,
)
_HEAD = 1 << 16  # bytes of a JPEG that hold its orientation
_QUARTERS = {b"\x06": 1, b"\x03": 2, b"\x08": 3}  # clockwise, to stand upright

_CALL = re.compile(r"\s*=?\s*(?:_xl[a-z]+\.)*DISPIMG\s*\(", re.IGNORECASE)
_NAMED = re.compile(_CALL.pattern + r'\s*"([^"]{1,255})"\s*(?:,\s*\d*\s*)?\)\s*', re.IGNORECASE)
_TYPE = "XLRICHVALUE"
_LOCAL = "_rvRel:LocalImageIdentifier"
_WEB = "_webimage"  # IMAGE("https://…"): only its address is certain to be in the file
_MOST = 10_000_000


@dataclass(frozen=True, slots=True)
class Turn:
    """How a picture or a group of pictures is turned: degrees clockwise, and whether it is mirrored."""

    degrees: float = 0
    mirrored: bool = False

    def combine(self, other: Turn) -> Turn:
        """Return both together; exact as long as nothing is mirrored, and what is mirrored is not used anyway."""
        return Turn((self.degrees + other.degrees) % 360, self.mirrored or other.mirrored)

    @property
    def quarter(self) -> int | None:
        """The whole quarters, 0 to 3; None in between or mirrored."""
        quarters = round(self.degrees / 90)
        slanted = abs(self.degrees - 90 * quarters) > _TILT
        return None if slanted or self.mirrored else quarters % 4


@dataclass(frozen=True, slots=True)
class PictureRef:
    """The file of a picture, by its relationship, and how it is shown."""

    embed: str | None  # None: not within the workbook
    turn: Turn
    hidden: bool = False
    cropped: bool = False


def read_picture_ref(pic: Element) -> PictureRef:
    """Return what a ``pic`` shows. Where a file is both embedded and linked, the embedded one counts."""
    shown = pic.find("{*}blipFill/{*}blip")
    properties = pic.find("{*}nvPicPr/{*}cNvPr")
    return PictureRef(
        embed=get_relation(shown, "embed") if shown is not None else None,
        turn=read_turn(pic.find("{*}spPr/{*}xfrm")),
        hidden=properties is not None and is_true(properties.get("hidden")),
        cropped=_is_cropped(pic.find("{*}blipFill/{*}srcRect")),
    )


def get_relation(element: Element, name: str) -> str | None:
    """Return an attribute that names a relationship, with any prefix of its namespace."""
    return next((value for key, value in element.items() if value and key.endswith("}" + name)), None)


def read_turn(transform: Element | None) -> Turn:
    """Return the turn of an ``xfrm``; one that cannot be read counts as slanted."""
    if transform is None:
        return Turn()
    angle = transform.get("rot", "0")
    degrees = int(angle) / _DEGREE % 360 if _ANGLE.fullmatch(angle) else 45
    across, down = (is_true(transform.get(name)) for name in ("flipH", "flipV"))
    return Turn((degrees + 180 * (across and down)) % 360, across != down)


def _is_cropped(rectangle: Element | None) -> bool:
    """Return whether more than a margin is cut off; a negative edge adds one."""
    if rectangle is None:
        return False
    edges = [parse_percent(rectangle.get(name, "0")) for name in ("l", "r", "t", "b")]
    if None in edges:
        return True
    left_edge, right, top, bottom = (max(edge or 0, 0) for edge in edges)
    return left_edge + right > _TRIMMED or top + bottom > _TRIMMED


class Media:
    """Picks pictures out of a package."""

    def __init__(self, package: Package, store: image_files.ImageStore, roster: Path) -> None:
        self._package, self._store, self._roster = package, store, roster
        self._kept: dict[str, tuple[ImageFile, int] | None] = {}

    def get_picture(self, owner: str, shown: PictureRef, address: str) -> ImageFile | str:
        """Return what a part shows at a place (``内科!H12``), or why that cannot be used.

        The bytes are those of the file: what the sheet cuts out of it, or turns, would not be in them.
        """
        if shown.hidden:
            return make_message("stray.hidden")
        kind, part = self._package.read_relations(owner).get(shown.embed or "", ("", ""))
        if kind != "image":
            return make_message("stray.linked")
        if shown.cropped:
            return make_message("stray.cropped")
        if part not in self._kept:
            self._kept[part] = self._keep_part(part)
        if (kept := self._kept[part]) is None:
            return make_message("stray.unreadable")
        image, own_quarter = kept
        if shown.turn.quarter not in (0, own_quarter):
            return make_message("stray.turned")
        name = address.replace("/", "_").replace("\\", "_")
        return ImageFile.from_path(self._roster / name, image.sha256, image.size, image.stored_path)

    def _keep_part(self, part: str) -> tuple[ImageFile, int] | None:
        """Put the file of a part away; return it, and the quarters by which its own EXIF turns it."""
        payload = self._package.read_payload(part, image_files.MAX_BYTES)
        if not payload:
            return None
        suffix = PurePosixPath(part).suffix.lower()
        stored, sha256 = self._store.put(payload, suffix if _SUFFIX.fullmatch(suffix) else "")
        exif = _EXIF.search(payload, 0, _HEAD)
        quarter = _QUARTERS[exif[1] or exif[2]] if exif else 0
        return ImageFile.from_path(self._roster, sha256, len(payload), stored), quarter


class PlacedPictures:
    """The pictures placed in the cells of a workbook, read when the first cell asks for one."""

    def __init__(self, package: Package, workbook: str) -> None:
        self._package, self._workbook = package, workbook

    @cached_property
    def album_part(self) -> str:
        """The part of the album of WPS; empty where there is none."""
        part = self._package.get_related_part(self._workbook, "cellImage") or ""
        return part if part in self._package else ""

    @cached_property
    def album(self) -> dict[str, PictureRef | None]:
        """The pictures of the album by name; None where two pictures have one name."""
        refs: dict[str, PictureRef | None] = {}
        if not self.album_part:
            return refs
        for pic in self._package.read_tree(self.album_part).iterfind("{*}cellImage/{*}pic"):
            properties = pic.find("{*}nvPicPr/{*}cNvPr")
            name = properties.get("name", "") if properties is not None else ""
            shown = read_picture_ref(pic)
            refs[name] = shown if refs.setdefault(name, shown) == shown else None
        return refs

    @cached_property
    def values_part(self) -> str:
        """The part whose relationships lead to the pictures of rich values."""
        return self._package.get_related_part(self._workbook, "richValueRel") or ""

    @cached_property
    def values(self) -> Sequence[PictureRef | None]:
        """The picture behind each record of ``valueMetadata``; None for another value."""
        metadata = self._read_part("sheetMetadata")
        if metadata is None:
            return ()
        types = [kind.get("name") for kind in metadata.iterfind("{*}metadataTypes/{*}metadataType")]
        values = []
        for future in metadata.iterfind("{*}futureMetadata"):
            if future.get("name") != _TYPE:
                continue
            for block in future.iterfind("{*}bk"):
                bound = block.find(".//{*}rvb")
                values.append(_parse_index(bound.get("i")) if bound is not None else None)
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
                refs.append(PictureRef(None, Turn()) if kind.lower() == _WEB else None)
        return refs

    def _read_part(self, kind: str) -> Element | None:
        part = self._package.get_related_part(self._workbook, kind)
        return self._package.read_tree(part) if part is not None and part in self._package else None

    def _list_children(self, kind: str, name: str) -> list[Element]:
        root = self._read_part(kind)
        return [] if root is None else root.findall("{*}" + name)


def _parse_index(text: str | None) -> int | None:
    return parse_whole((text or "").strip(), _MOST)


def _get_item(values: Sequence[_T], index: int | None) -> _T | None:
    """Return what stands at a place, if there is one."""
    return values[index] if index is not None and 0 <= index < len(values) else None


@dataclass(frozen=True, slots=True)
class CellPictures:
    """What the cells of one sheet show."""

    placed: PlacedPictures
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
        shown = self.placed.album.get(name) if name is not None and not names else None
        return self._make_cell(self.placed.album_part, shown, column, row)

    def by_value(self, vm: str, column: str, row: int) -> RawCell | None:
        """Return the cell of a rich value; None where that is no picture."""
        index = parse_whole(vm, _MOST)
        shown = _get_item(self.placed.values, index - 1) if index else None
        return None if shown is None else self._make_cell(self.placed.values_part, shown, column, row)

    def _make_cell(self, owner: str, shown: PictureRef | None, column: str, row: int) -> RawCell:
        picture = self.media.get_picture(owner, shown, f"{self.sheet}!{column}{row}") if shown else None
        value = None if picture is None or isinstance(picture, str) else EmbeddedImage(column, row, picture)
        return RawCell(CellKind.PICTURE, value, "")
