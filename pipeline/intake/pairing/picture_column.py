r"""The pictures that a row itself gives: the entry of its picture column, and pictures in its cells.

An entry is a base name or a path below the picture folder, with or without extension. It is looked up in the index
and never joined to a path, so no entry can reach outside the folder; entries that try to are refused by name, since
they were written for a reason. A whole path to a picture, as another computer has it (``C:\印章\张伟.png``), counts by
its last part, and that is reported.

A picture inside the roster counts if it lies in a column without a title, in one whose title names a seal or a
signature, or in one that ``columns`` names as the picture column. A photo of the person, a QR code or a logo in another
titled column does not, nor does one under 图片: that is a column of file names. One that
floats over a column of texts, or half in another row, is misplaced: it may be the seal, so it matches no row, and no other
picture is used beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as _field

from pipeline.domain.roster import CellKind, Doctor, EmbeddedImage, Field, ImageFile, Row
from pipeline.intake.fields.normalize import get_text, trim_ends
from pipeline.intake.images.image_files import mask_file_name
from pipeline.intake.layout.column_titles import is_seal_title
from pipeline.intake.pairing import file_names
from pipeline.intake.pairing.image_index import Candidate, ImageIndex
from pipeline.messages.catalogue import make_message

# never a name below the picture folder: an absolute path, a drive, an address, a way up, a control character
_OUTSIDE = re.compile(r"\A[/\\]|[:\x00-\x1f\x7f-\x9f]|(?:\A|[/\\])\s*\.\.\s*(?:[/\\]|\Z)")
_WHOLE_PATH = re.compile(r"(?:[A-Za-z]:)?[/\\]+")
# what a column is for
_OTHER_PICTURES = re.compile("照|像|码|标志|徽|证|件|图|photo|picture|image|portrait|logo|code|scan|file")
_HALF = 0.5 - 1e-6  # of a picture's height
_LONGEST_TITLE = 20  # characters of a title that are repeated
_WORDLESS = frozenset({CellKind.ERROR, CellKind.NO_VALUE, CellKind.PICTURE})


@dataclass(frozen=True, slots=True)
class PictureEntry:
    """The entry of a row's picture column."""

    text: str | None = _field(repr=False)
    is_refused: bool = False  # it cannot be a file of the picture folder
    files: Sequence[tuple[Candidate, bool]] = _field(default=(), repr=False)  # see `list_meant_files`


_NO_ENTRY = PictureEntry(None)


def read_picture_entry(doctor: Doctor, index: ImageIndex) -> PictureEntry:
    text = read_entry_text(doctor)
    if text is None:
        return _NO_ENTRY
    if is_outside_folder(text):
        return PictureEntry(text, is_refused=True)
    return PictureEntry(text, files=list_meant_files(text, index))


# --- the text of an entry


def read_entry_text(doctor: Doctor) -> str | None:
    """Return the text of the row's picture column, None where it is blank or holds none (a picture, an error)."""
    cell = doctor.row.fields.get(Field.PICTURE)
    if cell is None or cell.kind in _WORDLESS:
        return None
    text = trim_ends(get_text(cell))
    unquoted = text.strip('"')  # as Windows copies a path
    return (unquoted if get_file_of_path(unquoted) else text) or None


def get_file_of_path(text: str) -> str | None:
    """Return the file's name of a whole path to a picture; None for any other entry."""
    name = re.split(r"[/\\]", text)[-1]
    is_image = file_names.split_extension(name)[1] in file_names.EXTENSIONS
    return name if is_image and _WHOLE_PATH.match(text) else None


def get_entry_stem(text: str) -> str:
    """Return the name, without an extension, of the file that an entry names."""
    return file_names.split_extension(get_file_of_path(text) or text)[0]


def list_contested_images(doctor: Doctor) -> list[ImageFile]:
    """Return the files that may be a row's and are not used: they may be another row's, or they show different pictures.

    A picture in the roster (▣ H12) is none of them: its place there decides whose it is, and a person corrects the place.
    """
    rivals = [image for shown_path, image in doctor.rival_images if not shown_path.startswith("▣")]
    return [*doctor.contested_images, *rivals]


def names_file(text: str) -> bool:
    """Return whether an entry can only mean a file: it has an extension or a folder. 已交 and √ have neither."""
    return bool(file_names.split_extension(text)[1]) or "/" in text or "\\" in text


def is_outside_folder(text: str) -> bool:
    """Return whether an entry cannot be a file of the picture folder; of a whole path the part behind its start counts."""
    return _OUTSIDE.search(_WHOLE_PATH.sub("", text, count=1) if get_file_of_path(text) else text) is not None


def list_meant_files(text: str, index: ImageIndex) -> list[tuple[Candidate, bool]]:
    """Return the files an entry means, each with whether it is named to the letter.

    If no name is exact, names that differ only in width, Unicode form, case, blanks, dots or encoding match. A base name is
    searched in every sub-folder and zip. A path matches files whose own path ends with it; the longest match counts, and the
    path may begin with the name of the picture folder. The folders of an absolute path belong to another computer and are
    ignored.
    """
    text = get_file_of_path(text) or text
    *folders, name = [part for part in re.split(r"[/\\]", text) if part not in ("", ".")] or [""]
    stem, extension = file_names.split_extension(name)
    if not file_names.is_image_extension(extension):
        stem, extension = name, ""
    wanted = file_names.comparison_key(stem)
    if not wanted:
        return []
    meant: dict[Candidate, bool] = {}
    for variant in index.variants.get(wanted, ()):
        candidate = variant.candidate
        if variant.suffix or not _has_extension(candidate, extension):
            continue
        is_exact = _compare_folders(folders, candidate)
        if is_exact is not None:
            is_exact = is_exact and variant.stem == stem and not variant.is_recoded
            meant[candidate] = is_exact or meant.get(candidate, False)
    files = [pair for pair in meant.items() if pair[1]] or list(meant.items())
    outermost = [pair for pair in files if folders and len(pair[0].folder.parts) == len(folders)]
    return outermost or files


def _has_extension(candidate: Candidate, extension: str) -> bool:
    """Compare without case: it is not chosen. Windows hides the last of several extensions."""
    return extension in ("", candidate.extension) or candidate.extension.startswith(extension + ".")


def _compare_folders(folders: Sequence[str], candidate: Candidate) -> bool | None:
    """Return whether the folders of an entry are the candidate's to the letter, None where one is another folder."""
    root = candidate.folder.root.name
    parts = (root, *candidate.folder.parts)
    part_names = (frozenset({file_names.comparison_key(root)}), *candidate.folder.part_names)
    pairs = list(zip(reversed(folders), reversed(parts), reversed(part_names), strict=False))
    if len(pairs) < len(folders):
        return None
    if any(file_names.comparison_key(folder) not in names for folder, _, names in pairs):
        return None
    return all(folder == part for folder, part, _ in pairs)


# --- pictures in cells


def list_seal_images(row: Row) -> tuple[EmbeddedImage, ...]:
    """Return the pictures of a row that are meant as its doctor's seal."""
    return tuple(image for image in row.pictures if not image.is_between and _is_seal(image, row))


def list_misplaced_images(row: Row) -> tuple[EmbeddedImage, ...]:
    """Return the pictures that float over a text column of the row, or lie half in the row and half in another."""
    return tuple(
        image
        for image in row.pictures
        if (image.floating and _is_misplaced(image, row))
        or (_is_between(image, row) and sum(share for _, share in image.shares) >= _HALF)
    )


def list_images_between(row: Row) -> list[EmbeddedImage]:
    """Return the pictures between this row and another that may be the seal of either doctor."""
    return [image for image in row.pictures if _is_between(image, row)]


def describe_other_images(row: Row) -> str:
    """Return where pictures lie in a row that are not meant as the seal, under which title, and how they would be."""
    seal_images = list_seal_images(row)
    others = [
        f"▣ {image.address} {mask_file_name(_get_title(image, row))[:_LONGEST_TITLE]}"
        for image in row.pictures
        if image not in seal_images
    ]
    return make_message("image.no_seal_title", images=", ".join(others)) if others else ""


def get_unreadable_address(doctor: Doctor) -> str | None:
    """Return the address of the picture cell if its picture cannot be read: linked, or its id is not there."""
    cell = doctor.row.fields.get(Field.PICTURE)
    if cell is None or cell.kind is not CellKind.PICTURE or cell.value is not None:
        return None
    return doctor.row.address(Field.PICTURE)


def _is_seal(image: EmbeddedImage, row: Row) -> bool:
    if image.is_other_picture:
        return False
    named = row.fields.get(Field.PICTURE)
    if named is not None and named.column == image.column:
        return True
    return is_seal_title(_get_title(image, row))


def _is_between(image: EmbeddedImage, row: Row) -> bool:
    return image.is_between and _is_seal(image, row)


def _is_misplaced(image: EmbeddedImage, row: Row) -> bool:
    if image.is_other_picture or _is_seal(image, row):
        return False
    if any(cell.column == image.column for cell in row.fields.values()):
        return True
    return _OTHER_PICTURES.search(file_names.comparison_key(_get_title(image, row))) is None


def _get_title(image: EmbeddedImage, row: Row) -> str:
    return next((cell.header for cell in row.cells if cell.column == image.column), "").strip()
