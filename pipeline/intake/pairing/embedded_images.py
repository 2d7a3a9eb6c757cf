"""Pictures inside a roster: which of those that lie in a doctor's row are meant as the seal.

One in the picture column is, and so is one in a column that has no title or whose title speaks of a seal or a
signature. A photo of the person, a QR code or a logo in another titled column is not. One that floats over a column of
texts has drifted: it may be the seal, so it finds none, and no other picture is used beside it.
"""

from __future__ import annotations

import re

from pipeline.domain.roster import CellKind, Doctor, EmbeddedImage, Field, Row
from pipeline.intake.images.image_files import mask_file_name
from pipeline.intake.pairing.file_names import comparison_key

_SEAL = re.compile("章|签名|签字|印模|印鉴|手签|seal|signature")
_OTHER_PICTURES = re.compile(
    "照|像|码|标志|徽|证|件|图|photo|picture|portrait|logo|code|scan|file"
)  # what a column is for
_LONGEST = 20  # characters of a title that are repeated


def counting(row: Row) -> tuple[EmbeddedImage, ...]:
    """Return the pictures of a row that are meant as its doctor's seal.

    A corrected row has those of the row it corrects, which were judged under its own titles: all of them count.
    """
    if not row.pictures:
        return ()
    if row.is_corrected:
        return tuple(each for each in row.pictures if not each.is_misplaced)
    return tuple(each for each in row.pictures if _counts(each, row))


def drifted(row: Row) -> tuple[EmbeddedImage, ...]:
    """Return the pictures that float over a text column of the row."""
    if not row.pictures:
        return ()
    if row.is_corrected:
        return tuple(each for each in row.pictures if each.is_misplaced)
    return tuple(each for each in row.pictures if each.floating and _is_drifted(each, row))


def elsewhere(row: Row) -> str:
    """Say where pictures lie in a row that do not count, and under which title: ``▣ F12 照片``."""
    counted = counting(row)
    others = (each for each in row.pictures if each not in counted)
    return ", ".join(f"▣ {each.address} {mask_file_name(_title(each, row))[:_LONGEST]}" for each in others)


def lost(doctor: Doctor) -> str | None:
    """Return the address of the picture cell if it holds a picture that cannot be had: linked, or its id is not there."""
    cell = doctor.row.fields.get(Field.PICTURE)
    if cell is None or cell.kind is not CellKind.PICTURE or cell.value is not None:
        return None
    return doctor.row.address(Field.PICTURE)


def _counts(each: EmbeddedImage, row: Row) -> bool:
    named = row.fields.get(Field.PICTURE)
    if named is not None and named.column == each.column:
        return True
    title = comparison_key(_title(each, row))
    return not title or _SEAL.search(title) is not None


def _is_drifted(each: EmbeddedImage, row: Row) -> bool:
    if _counts(each, row):
        return False
    if any(cell.column == each.column for cell in row.fields.values()):
        return True
    return _OTHER_PICTURES.search(comparison_key(_title(each, row))) is None


def _title(each: EmbeddedImage, row: Row) -> str:
    return next((cell.header for cell in row.cells if cell.column == each.column), "").strip()
