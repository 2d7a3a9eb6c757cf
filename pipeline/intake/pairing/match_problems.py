"""The problems of rows that get no picture: what was looked for, what was found, whose it may be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from pipeline.domain.masking import mask_id
from pipeline.domain.message import Message
from pipeline.domain.roster import Doctor, EmbeddedImage, Field, Problem
from pipeline.domain.seals import Bearer, PictureDecision
from pipeline.intake.images.image_files import mask_file_name
from pipeline.intake.pairing import file_names, picture_column
from pipeline.intake.pairing.claimants import Claimants
from pipeline.intake.pairing.claims import COLUMN, Claim
from pipeline.intake.pairing.image_index import Candidate, ImageIndex
from pipeline.intake.pairing.picture_column import PictureEntry
from pipeline.intake.pairing.row_values import list_names
from pipeline.intake.pairing.similar_names import SimilarNames
from pipeline.messages.catalogue import join_messages, join_texts, make_message
from pipeline.messages.problems import build_problem

# codes whose usual texts speak of the picture column
_NAME_A_COLUMN = frozenset({"IMAGE_MISSING", "IMAGE_AMBIGUOUS"})
_LISTED = 5  # file names in one sentence
_LONGEST_ENTRY = 80  # characters of a refused entry that are repeated


def make_problem(code: str, doctor: Doctor, **detail: str) -> Problem:
    """Return a problem of a row's picture."""
    cell = doctor.row.address(Field.PICTURE)
    if cell is None and code in _NAME_A_COLUMN:
        detail["no_column"] = "yes"
    return build_problem(code, Field.PICTURE, cell, severity=None, **detail)


def add_problem(doctor: Doctor, added: Problem) -> Doctor:
    return replace(doctor, problems=(*doctor.problems, added))


def explain_refused_entry(doctor: Doctor, entry: PictureEntry) -> Problem:
    return make_problem("IMAGE_PATH_REJECTED", doctor, found=_show_entry(entry.text))


def explain_contested_files(
    row: int,
    claims: Collection[Claim],
    doctors: Sequence[Doctor],
    contested: Mapping[Candidate, Collection[int]],
) -> Problem:
    """Return the problem of files that one doctor's entry names and that are another's by name, and who that is."""
    rows = {other for claim in claims for other in contested[claim.candidate]} - {row}
    other = list_texts(describe_row(doctors[other]) for other in sorted(rows))
    files = list_texts(show_path(claim.candidate.relative_path, doctors[row]) for claim in claims)
    return make_problem("IMAGE_AMBIGUOUS", doctors[row], found=files, other=other, claimed="name")


def explain_shared_files(row: int, claims: Sequence[Claim], claimants: Claimants) -> Problem:
    """Return the problem of files that fit another person of the roster as well, or another department."""
    doctor = claimants.doctors[row]
    files = list_texts(show_path(claim.candidate.relative_path, doctor) for claim in claims)
    others = set()
    for claim in claims:
        for rival in claimants.shared.get(claim.candidate, ()):
            if claimants.person_ids[rival] != claimants.person_ids[row]:
                others.add(rival)
    if others:
        other = list_texts(describe_row(claimants.doctors[other]) for other in sorted(others))
        return make_problem("IMAGE_AMBIGUOUS", doctor, found=files, other=other)
    if any(claim.folder == "other_sheet" for claim in claims):
        sheet = mask_file_name(doctor.row.origin.sheet or doctor.row.origin.file)
        return make_problem("IMAGE_AMBIGUOUS", doctor, found=files, ward=sheet)
    if any(claim.kind == COLUMN for claim in claims):
        return make_problem("IMAGE_AMBIGUOUS", doctor, found=files, folder="other")
    department = mask_file_name(doctor.department or "—")
    return make_problem("IMAGE_AMBIGUOUS", doctor, found=files, department=department)


def explain_other_owners(
    doctor: Doctor, files: Sequence[str], owners: Sequence[Bearer | PictureDecision | str], *, is_void: bool
) -> Problem:
    """Return the problem of pictures that may be other people's: earlier doctors, or people known by their number alone.

    ``is_void``: the first one is the row's own doctor under another number or name, as a person decided it.
    """
    detail = {"found": list_texts(files), "name": mask_file_name(doctor.display_name or "—")}
    known = next((owner for owner in owners if not isinstance(owner, str)), None)
    if known is None:
        detail["other_number"] = mask_id(str(owners[0]))
    else:
        detail |= _describe_owner(known)
    if is_void:
        detail["void"] = describe_row(doctor)
    return make_problem("IMAGE_AMBIGUOUS", doctor, **detail)


def _describe_owner(owner: Bearer | PictureDecision) -> dict[str, str]:
    detail = {"earlier": owner.shown_name or "—", "place": owner.position or "—"}
    if isinstance(owner, PictureDecision):
        return detail  # whose number it was then is no hint who the doctor is
    return {**detail, "run": owner.run, "person": owner.key}


def explain_images_between(doctor: Doctor, images: Iterable[EmbeddedImage]) -> Problem:
    """Return the problem of pictures in the roster that lie between two rows."""
    cells = list_texts(f"▣ {image.covered_cells or image.address}" for image in images)
    return make_problem("IMAGE_AMBIGUOUS", doctor, between=cells)


def explain_missing(
    doctors: Sequence[Doctor],
    missing: Sequence[int],
    index: ImageIndex,
    similar_names: SimilarNames,
    void: Mapping[int, tuple[PictureDecision, str]],
) -> list[Problem | None]:
    """Return the problems of the rows that no picture matches, each with its nearest file that no row matches.

    ``void`` are the pictures that a person gave to a row's doctor under another number or name, with the files as shown. None for a row whose name is to be corrected: its picture is looked for by the right name then.
    """
    problems: list[Problem | None] = []
    for row in missing:
        if _waits_for_name(doctors[row]):
            problems.append(None)
            continue
        if row in void:
            problems.append(_explain_void(doctors[row], *void[row]))
            continue
        nearest, suggestion = similar_names.get_nearest_file(row), ""
        if nearest is not None:
            suggestion = make_message("image.near", file=show_path(nearest.relative_path, doctors[row]))
        problems.append(_explain_missing(doctors[row], index, suggestion))
    return problems


def _explain_void(doctor: Doctor, given: PictureDecision, file: str) -> Problem:
    name = mask_file_name(doctor.display_name or "—")
    owner = _describe_owner(given)
    return make_problem("IMAGE_MISSING", doctor, void=describe_row(doctor), found=file, name=name, **owner)


def _waits_for_name(doctor: Doctor) -> bool:
    """Return whether a name that is no name is what a picture was looked for by; an entry that names a file is another."""
    is_invalid = any(error.code == "NAME_INVALID" for error in doctor.errors)
    return is_invalid and not picture_column.names_file(picture_column.read_entry_text(doctor) or "")


def _explain_missing(doctor: Doctor, index: ImageIndex, suggestion: str) -> Problem:
    """Say what was looked for, without the whole identity number, and what is there instead."""
    other_images = picture_column.describe_other_images(doctor.row)
    if address := picture_column.get_unreadable_address(doctor):
        texts = (f"▣ {address}", make_message("image.cannot_read"), other_images)
        other_images = join_texts(filter(None, texts))
    if index.folder is None:
        return make_problem("IMAGE_MISSING", doctor, no_folder="yes", hint=other_images)
    entry = picture_column.read_entry_text(doctor) or ""
    tried = [("entry", _show_entry(entry))]
    wanted = [picture_column.get_entry_stem(entry)]
    if picture_column.names_file(entry):
        own = (f"▣ {image.address}" for image in picture_column.list_seal_images(doctor.row))
        other_images = join_texts(filter(None, (*own, other_images)))
    else:
        names = list_names(doctor)
        tried.append(("number", mask_id(doctor.number) if doctor.number else ""))
        tried.append(("staff_no", mask_file_name(doctor.staff_no or "")))
        tried += (("name", mask_file_name(name)) for name in names[:1])
        wanted += (doctor.number or "", doctor.staff_no or "", *names)
    other_files = [index.other_files.get(file_names.comparison_key(text)) for text in wanted]
    skipped = [*dict.fromkeys(filter(None, other_files)), *index.unreadable[:_LISTED]]
    reasons = [text for file in skipped for text in (f"⚠ {show_path(file.path, doctor)}", file.reason)]
    hint = join_texts(filter(None, (suggestion, other_images, *reasons)))
    return make_problem("IMAGE_MISSING", doctor, tried=_join_tried(tried), hint=hint)


def _join_tried(tried: Iterable[tuple[str, str]]) -> Message:
    """Return the file names that were looked for, with what each of them is; a row without any has an ellipsis."""
    named = [(kind, text) for kind, text in tried if text] or [("entry", "…")]
    *first, last = [make_message(f"tried.{kind}", text=text) for kind, text in named]
    return make_message("tried.either", first=join_messages(first), last=last) if first else last


def _show_entry(text: str | None) -> str:
    return mask_file_name((text or "")[:_LONGEST_ENTRY])


def list_texts(texts: Iterable[str]) -> str:
    """Return a few texts in one line."""
    shown = list(texts)
    return ", ".join(shown[:_LISTED]) + (" …" if len(shown) > _LISTED else "")


def show_path(path: str, doctor: Doctor) -> str:
    """Return a file's path with identity numbers masked: the row's own, and what may be another's."""
    return mask_file_name(path.replace(doctor.number, mask_id(doctor.number)) if doctor.number else path)


def describe_row(doctor: Doctor) -> str:
    """Return the position of a row, ``a.xlsx 内科 12``, with identity numbers masked."""
    return mask_file_name(doctor.row.origin.position)
