"""The pictures of a workbook's package: what an element shows, and its file, put away once if a visible sheet shows it.

ECMA-376 part 1 §20.5.2.25 (pic), §20.1.8.55 (srcRect), §20.1.7.6 (xfrm).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

from pipeline.domain.roster import ImageFile
from pipeline.intake.images import image_files
from pipeline.intake.readers.model import StoreImage
from pipeline.intake.readers.xlsx.package import Package, is_true, parse_percent
from pipeline.messages.texts import make_text

_ANGLE = re.compile(r"-?[0-9]{1,12}")
_DEGREE = 60_000
_TILT = 5  # degrees that are not noticed
_TRIMMED = 10  # percent of width or height: a margin, not a piece cut out of a sheet of signatures


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
    """Return an attribute that names a relationship, whatever the prefix of its namespace."""
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


_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")
# EXIF 2.32, 4.6.4: a camera held sideways. Office turns such a picture in the sheet and leaves its bytes as they are
_EXIF = re.compile(
    rb"Exif\0\0(?:II.{0,4096}?\x12\x01\x03\x00\x01\x00\x00\x00([\x03\x06\x08])"
    rb"|MM.{0,4096}?\x01\x12\x00\x03\x00\x00\x00\x01\x00([\x03\x06\x08]))",
    re.DOTALL,
)
_HEAD = 1 << 16  # bytes of a JPEG that hold its orientation
_QUARTERS = {b"\x06": 1, b"\x03": 2, b"\x08": 3}  # clockwise, to stand upright


@dataclass(frozen=True, slots=True)
class _Kept:
    stored: Path = field(repr=False)
    sha256: str
    size: int
    quarter: int  # its own EXIF turn


class Media:
    """Picks pictures out of a package."""

    def __init__(self, package: Package, keep: StoreImage, roster: Path) -> None:
        self._package, self._keep, self._roster = package, keep, roster
        self._kept: dict[str, _Kept | None] = {}

    def picture(self, owner: str, shown: PictureRef, address: str) -> ImageFile | str:
        """Return what a part shows at a place (``内科!H12``), or why that cannot be used.

        The bytes are those of the file: what the sheet cuts out of it, or turns, would not be in them.
        """
        if shown.hidden:
            return make_text("stray.hidden")
        part = self._find_part(owner, shown.embed)
        if part is None:
            return make_text("stray.linked")
        if shown.cropped:
            return make_text("stray.cropped")
        kept = self._kept_of(part)
        if kept is None:
            return make_text("stray.unreadable")
        if shown.turn.quarter not in (0, kept.quarter):
            return make_text("stray.turned")
        name = address.replace("/", "_").replace("\\", "_")
        return ImageFile(self._roster / name, kept.sha256, kept.size, kept.stored)

    def _find_part(self, owner: str, identifier: str | None) -> str | None:
        kind, target = self._package.read_relations(owner).get(identifier or "", ("", ""))
        return target if kind == "image" else None

    def _kept_of(self, part: str) -> _Kept | None:
        if part not in self._kept:
            payload = self._package.read_payload(part, image_files.MAX_BYTES)
            self._kept[part] = self._put_away(part, payload) if payload else None
        return self._kept[part]

    def _put_away(self, part: str, payload: bytes) -> _Kept:
        suffix = PurePosixPath(part).suffix.lower()
        stored, sha256 = self._keep(payload, suffix if _SUFFIX.fullmatch(suffix) else "")
        held = _EXIF.search(payload, 0, _HEAD)
        return _Kept(stored, sha256, len(payload), _QUARTERS[held[1] or held[2]] if held else 0)
