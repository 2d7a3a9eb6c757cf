"""Compares rows with the people and the seals that the ledger knows.

Compared is content. The same person under a corrected number is found by `pipeline.planning.possibly_same`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.domain.fields import FIELDS, list_content
from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Doctor, Field, Problem
from pipeline.domain.run import RowPlan, Status
from pipeline.domain.seals import (
    LedgerSnapshot,
    LiveSeal,
    PersonHistory,
    PersonMarks,
    SealContent,
)
from pipeline.errors import NotReadNow
from pipeline.intake.images.prepare import ImageExaminer
from pipeline.messages.problems import build_problem
from pipeline.planning.possibly_same import Digest, list_name_keys

# of each field that is content: its attribute of `SealContent`, whether a blank value differs from another one
_CONTENT = tuple(
    (field, definition.content, definition.blank_is_content)
    for field, definition in FIELDS.items()
    if definition.content
)
_KNOWN_STATUSES = frozenset({Status.UNCHANGED, Status.CHANGED, Status.UNKNOWN, Status.EXISTS})


def unite_persons(doctors: Sequence[Doctor], snapshot: LedgerSnapshot) -> list[Doctor]:
    """Return the doctors with the key of their person in the ledger, for every number of that person."""
    united = []
    for doctor in doctors:
        key = snapshot.same_persons.get(doctor.key, doctor.key) if doctor.key is not None else None
        united.append(doctor if key == doctor.key else replace(doctor, key=key))
    return united


def compute_new_marks(row_plans: Iterable[RowPlan], digest: Digest) -> dict[str, PersonMarks]:
    """Return, by key, staff number and mobile of known people where their rows differ from the ledger.

    Of several rows of a person the first one counts: with all of them the ledger would change in every run.
    """
    new_marks: dict[str, PersonMarks] = {}
    seen: set[str] = set()
    for row_plan in row_plans:
        doctor, person = row_plan.doctor, row_plan.history
        if person is None or row_plan.status not in _KNOWN_STATUSES or person.key in seen:
            continue
        made = person.seal or person.unresolved_attempt
        if made is None:
            continue
        # name and mobile of an unchanged row are the seal's
        if row_plan.status is Status.UNCHANGED and made.content is not None:
            mobile = made.content.mobile if doctor.mobile else None
        elif make_name_key(doctor.name or "") in list_name_keys(person, made):
            mobile = digest(doctor.mobile) if doctor.mobile else None
        else:
            continue
        seen.add(person.key)
        marks = PersonMarks(
            digest(doctor.comparable_staff_no) if doctor.comparable_staff_no else "", mobile or ""
        )
        is_new = marks.staff_no not in {"", person.staff_no_digest}
        if is_new or marks.mobile not in {"", person.mobile_digest}:
            new_marks[person.key] = marks
    return new_marks


# -- seals


def build_seal_content(doctor: Doctor, digest: Digest) -> SealContent:
    """Return the content of the seal that a row asks for."""
    assert doctor.name
    assert doctor.number
    assert doctor.picture
    return SealContent(**list_content(doctor, digest), pixels=None)


def as_planned(content: SealContent) -> SealContent:
    """Return an attempt's content without the digest that only the preparation of its picture finds."""
    return replace(content, pixels=None)


def list_differences(doctor: Doctor, seal: LiveSeal, digest: Digest, images: ImageExaminer) -> list[Field]:
    """Return the fields in which a row differs from its seal; a field that the row does not give is not compared."""
    content = seal.content
    if content is None:  # adopted: its content is not known
        return []
    row_content = list_content(doctor, digest)
    differences = {
        field: row_content[name] != getattr(content, name)
        for field, name, blank_is_content in _CONTENT
        if row_content[name] is not None or blank_is_content
    }
    if doctor.picture is not None:
        differences[Field.PICTURE] = not images.is_same_image(doctor.picture, content)
    if doctor.seal_name is not None:
        differences[Field.SEAL_NAME] = doctor.seal_name not in {seal.seal_name, content.seal_name}
    return [field for field, differs in differences.items() if differs]


def has_other_staff_no(doctor: Doctor, person: PersonHistory, digest: Digest) -> bool:
    """Return whether a row has another staff number than the one by which the ledger knows the person."""
    staff_no = doctor.comparable_staff_no
    return bool(staff_no and person.staff_no_digest and digest(staff_no) != person.staff_no_digest)


def list_adopted_differences(doctor: Doctor, person: PersonHistory, digest: Digest) -> list[Field]:
    """Return the name where a row has another name and another staff number than the doctor of an adopted seal."""
    is_other_person = _has_other_name(doctor, person) and has_other_staff_no(doctor, person, digest)
    return [Field.NAME] if is_other_person else []


def _has_other_name(doctor: Doctor, person: PersonHistory) -> bool:
    """Return whether a row has another name than the doctor of a seal, and not only another spelling."""
    content = person.seal.content if person.seal else None
    known = content.name if content else person.name
    return bool(doctor.name and known) and make_name_key(doctor.name or "") != make_name_key(known or "")


def describe_differences(
    doctor: Doctor, differences: Sequence[Field], person: PersonHistory, digest: Digest
) -> Problem:
    """Return the problem of a person whose row differs from the seal.

    With another name and another staff number the row may be another person's, and its number wrong.
    """
    if (
        Field.NAME in differences
        and _has_other_name(doctor, person)
        and has_other_staff_no(doctor, person, digest)
    ):
        return build_problem(
            "CONTENT_CHANGED",
            Field.NUMBER,
            doctor.row.address(Field.NUMBER),
            differs=" ".join((*differences, Field.STAFF_NO)),
            sealed=person.seal_name or "—",
        )
    cell = doctor.row.address(differences[0])
    return build_problem("CONTENT_CHANGED", differences[0], cell, differs=" ".join(differences))


def name_sealed_image(
    problems: Sequence[Problem], doctor: Doctor, content: SealContent | None, images: ImageExaminer
) -> tuple[Problem, ...]:
    """Return a sealed doctor's problems; the one of several pictures also names that from which the seal was made."""
    if not doctor.rival_images or content is None:
        return tuple(problems)
    try:
        used = [path for path, image in doctor.rival_images if images.is_same_image(image, content)]
    except NotReadNow:
        return tuple(problems)
    others = ", ".join(path for path, _ in doctor.rival_images if path not in used)
    words = {"used": ", ".join(used), "others": others} if used else {"unused": others}
    return tuple(
        replace(problem, detail={**problem.detail, **words}) if problem.code == "IMAGE_AMBIGUOUS" else problem
        for problem in problems
    )


def describe_unread_image(doctor: Doctor, trouble: NotReadNow) -> Problem:
    """Return the problem of a row whose picture cannot be read now."""
    file = doctor.picture.name if doctor.picture else ""
    cell = doctor.row.address(Field.PICTURE)
    return build_problem("IMAGE_NOT_READ", Field.PICTURE, cell, file=file, severity=None, **trouble.words)
