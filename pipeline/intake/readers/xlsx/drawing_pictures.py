"""What a picture element says: which file it shows, and whether it shows that file as it is.

ECMA-376 part 1 §20.5.2.25 (pic), §20.1.8.13 (blip), §20.1.8.55 (srcRect), §20.1.7.6 (xfrm).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from pipeline.intake.readers.xlsx.numerals import is_true, percent

_ANGLE = re.compile(r"-?[0-9]{1,12}")
_DEGREE = 60_000
_TILT = 5  # degrees that nobody notices
_TRIMMED = 10  # percent of width or height: a margin, not a piece cut out of a sheet of signatures


@dataclass(frozen=True, slots=True)
class Turn:
    """How a picture or a group of pictures is turned: degrees clockwise, and whether it is mirrored."""

    degrees: float = 0
    mirrored: bool = False

    def then(self, other: Turn) -> Turn:
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


def blip(pic: Element) -> PictureRef:
    """Return what a ``pic`` shows. Where a file is both embedded and linked, the embedded one counts."""
    shown = pic.find("{*}blipFill/{*}blip")
    properties = pic.find("{*}nvPicPr/{*}cNvPr")
    return PictureRef(
        embed=relation(shown, "embed") if shown is not None else None,
        turn=turn(pic.find("{*}spPr/{*}xfrm")),
        hidden=properties is not None and is_true(properties.get("hidden")),
        cropped=_is_cropped(pic.find("{*}blipFill/{*}srcRect")),
    )


def relation(element: Element, name: str) -> str | None:
    """Return an attribute that names a relationship, whatever the prefix of its namespace."""
    return next((value for key, value in element.items() if value and key.endswith("}" + name)), None)


def turn(transform: Element | None) -> Turn:
    """Return the turn of an ``xfrm``; one that cannot be read counts as slanted."""
    if transform is None:
        return Turn()
    angle = transform.get("rot", "0")
    degrees = int(angle) / _DEGREE % 360 if _ANGLE.fullmatch(angle) else 45
    across, down = (is_true(transform.get(name)) for name in ("flipH", "flipV"))
    return Turn((degrees + 180 * (across and down)) % 360, across != down)


def _is_cropped(rectangle: Element | None) -> bool:
    """Tell whether more than a margin is cut off; a negative edge adds one."""
    if rectangle is None:
        return False
    edges = [percent(rectangle.get(name, "0")) for name in ("l", "r", "t", "b")]
    if None in edges:
        return True
    left, right, top, bottom = (max(edge or 0, 0) for edge in edges)
    return left + right > _TRIMMED or top + bottom > _TRIMMED
