"""Pictures inside a roster: which of those that lie in a doctor's row are meant as the seal.

One in the picture column is, and so is one in a column that has no title or whose title speaks of a seal or a
signature. A photo of the person, a QR code or a logo in another titled column is not. One that floats over a column of
texts is misplaced: it may be the seal, so it matches no row, and no other picture is used beside it.
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


def find_seal_images(row: Row) -> tuple[EmbeddedImage, ...]:
    """Return the pictures of a row that are meant as its doctor's seal.

    A corrected row has those of the row it corrects, which were judged under its own titles: all of them count.
    """
    if not row.pictures:
        return ()
    if row.is_corrected:
        return tuple(image for image in row.pictures if not image.is_misplaced)
    return tuple(image for image in row.pictures if _is_seal(image, row))


def find_misplaced_images(row: Row) -> tuple[EmbeddedImage, ...]:
    """Return the pictures that float over a text column of the row."""
    if not row.pictures:
        return ()
    if row.is_corrected:
        return tuple(image for image in row.pictures if image.is_misplaced)
    return tuple(image for image in row.pictures if image.floating and _is_misplaced(image, row))


def describe_other_images(row: Row) -> str:
    """Return where pictures lie in a row that are not meant as the seal, and under which title: ``▣ F12 照片``."""
    seal_images = find_seal_images(row)
    others = (image for image in row.pictures if image not in seal_images)
    return ", ".join(
        f"▣ {image.address} {mask_file_name(_get_title(image, row))[:_LONGEST]}" for image in others
    )


def find_unreadable_image(doctor: Doctor) -> str | None:
    """Return the address of the picture cell if its picture cannot be read: linked, or its id is not there."""
    cell = doctor.row.fields.get(Field.PICTURE)
    if cell is None or cell.kind is not CellKind.PICTURE or cell.value is not None:
        return None
    return doctor.row.address(Field.PICTURE)


def _is_seal(image: EmbeddedImage, row: Row) -> bool:
    named = row.fields.get(Field.PICTURE)
    if named is not None and named.column == image.column:
        return True
    title = comparison_key(_get_title(image, row))
    return not title or _SEAL.search(title) is not None


def _is_misplaced(image: EmbeddedImage, row: Row) -> bool:
    if _is_seal(image, row):
        return False
    if any(cell.column == image.column for cell in row.fields.values()):
        return True
    return _OTHER_PICTURES.search(comparison_key(_get_title(image, row))) is None


def _get_title(image: EmbeddedImage, row: Row) -> str:
    return next((cell.header for cell in row.cells if cell.column == image.column), "").strip()
