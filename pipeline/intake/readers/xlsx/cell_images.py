"""Pictures placed in cells: by the formula DISPIMG of WPS, or as a rich value of Excel 365.

WPS keeps them in an album, xl/cellimages.xml, and a cell names one by its ID: a copied cell may get an ID of its own
for the same file, so the order of either says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from pipeline.domain.roster import CellKind, EmbeddedImage
from pipeline.intake.readers.model import RawCell
from pipeline.intake.readers.xlsx.drawing_pictures import PictureRef, blip
from pipeline.intake.readers.xlsx.media import Media
from pipeline.intake.readers.xlsx.package import Package
from pipeline.intake.readers.xlsx.rich_values import RichValues

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
        part = self._package.related(self._workbook, "cellImage") or ""
        return part if part in self._package else ""

    def shown(self, name: str) -> PictureRef | None:
        """Return the picture of a name; None where there is none, or more than one."""
        return self._blips.get(name)

    @cached_property
    def _blips(self) -> dict[str, PictureRef | None]:
        found: dict[str, PictureRef | None] = {}
        if not self.part:
            return found
        for pic in self._package.tree(self.part).iterfind("{*}cellImage/{*}pic"):
            properties = pic.find("{*}nvPicPr/{*}cNvPr")
            name = properties.get("name", "") if properties is not None else ""
            shown = blip(pic)
            found[name] = shown if found.setdefault(name, shown) == shown else None
        return found


@dataclass(frozen=True, slots=True)
class CellPictures:
    """What the cells of one sheet show."""

    album: Album
    values: RichValues
    media: Media
    sheet: str

    @staticmethod
    def means(formula: str) -> bool:
        """Tell whether a formula, or the text a cell got from it, calls DISPIMG."""
        return _CALL.match(formula) is not None

    def by_formula(self, formula: str, cached: str, column: str, row: int) -> RawCell | None:
        """Return the cell of a DISPIMG formula, which may have its ``cached`` text alone; None for any other formula.

        Its value is None where the picture cannot be had, as when formula and text name different ones.
        """
        calls = [text for text in (formula, cached) if self.means(text)]
        if not calls:
            return None
        names = {named[1] if (named := _NAMED.fullmatch(text)) else None for text in calls}
        name = names.pop()
        shown = self.album.shown(name) if name is not None and not names else None
        return self._cell(self.album.part, shown, column, row)

    def by_value(self, vm: str, column: str, row: int) -> RawCell | None:
        """Return the cell of a rich value; None where that is no picture."""
        shown = self.values.shown(vm)
        return None if shown is None else self._cell(self.values.owner, shown, column, row)

    def _cell(self, owner: str, shown: PictureRef | None, column: str, row: int) -> RawCell:
        picture = self.media.picture(owner, shown, f"{self.sheet}!{column}{row}") if shown else None
        value = None if picture is None or isinstance(picture, str) else EmbeddedImage(column, row, picture)
        return RawCell(CellKind.PICTURE, value, "")
