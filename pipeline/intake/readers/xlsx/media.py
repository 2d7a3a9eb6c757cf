"""The pictures of a workbook's package: each put away once, and only if a visible sheet shows it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline.domain.roster import ImageFile
from pipeline.intake.images import image_files
from pipeline.intake.readers.options import StoreImage
from pipeline.intake.readers.xlsx.drawing_pictures import PictureRef
from pipeline.intake.readers.xlsx.package import Package
from pipeline.messages.texts import make_text

_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")
# EXIF 2.32, 4.6.4: a camera held sideways. Office turns such a picture in the sheet and leaves its bytes as they are
_EXIF = re.compile(
    rb"Exif\0\0(?:II.{0,4096}?\x12\x01\x03\x00\x01\x00\x00\x00([\x03\x06\x08])"
    rb"|MM.{0,4096}?\x01\x12\x00\x03\x00\x00\x00\x01\x00([\x03\x06\x08]))",
    re.DOTALL,
)
_HEAD = 1 << 16  # bytes of a JPEG in which it says how it was held
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

    def picture(self, owner: str, shown: PictureRef, place: str) -> ImageFile | str:
        """Return what a part shows at a place (``内科!H12``), or why that cannot be used.

        The bytes are those of the file: what the sheet cuts out of it, or turns, would not be in them.
        """
        if shown.hidden:
            return make_text("stray.hidden")
        part = self._part(owner, shown.embed)
        if part is None:
            return make_text("stray.linked")
        if shown.cropped:
            return make_text("stray.cropped")
        kept = self._kept_of(part)
        if kept is None:
            return make_text("stray.unreadable")
        if shown.turn.quarter not in (0, kept.quarter):
            return make_text("stray.turned")
        name = place.replace("/", "_").replace("\\", "_")
        return ImageFile(self._roster / name, kept.sha256, kept.size, kept.stored)

    def _part(self, owner: str, identifier: str | None) -> str | None:
        kind, target = self._package.relations(owner).get(identifier or "", ("", ""))
        return target if kind == "image" else None

    def _kept_of(self, part: str) -> _Kept | None:
        if part not in self._kept:
            payload = self._package.payload(part, image_files.MAX_BYTES)
            self._kept[part] = self._put_away(part, payload) if payload else None
        return self._kept[part]

    def _put_away(self, part: str, payload: bytes) -> _Kept:
        suffix = PurePosixPath(part).suffix.lower()
        stored, sha256 = self._keep(payload, suffix if _SUFFIX.fullmatch(suffix) else "")
        held = _EXIF.search(payload, 0, _HEAD)
        return _Kept(stored, sha256, len(payload), _QUARTERS[held[1] or held[2]] if held else 0)
