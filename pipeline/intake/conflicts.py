"""Rows against each other, after pairing: one person on several rows, one thing claimed by several people.

Every decision looks at the whole roster at once; the order of the rows only says which of equal ones is the first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from pipeline.domain.roster import Doctor, Field, Problem, list_spellings
from pipeline.errors import NotReadNow
from pipeline.intake.fields.normalize import is_dash, shown
from pipeline.intake.fields.person_ids import person_ids_of
from pipeline.intake.fields.person_name import first_differs
from pipeline.intake.images.image_files import mask_file_name
from pipeline.messages.problems import problem

_NAMED_AT_MOST = 3  # other rows, in one message

Places = Sequence[int]  # indices into the doctors
Found = tuple[int, Problem]
Tell = Callable[[Doctor, Sequence[Doctor]], Problem]  # of a doctor and the others who claim the same


def flag_conflicts(
    doctors: Sequence[Doctor],
    twins: Mapping[str, str] = MappingProxyType({}),
    other_persons: Collection[tuple[str, str]] = (),
) -> list[Doctor]:
    """Return the doctors in the same order, with the problems that only the others beside them show.

    Two people: the same picture (``IMAGE_SHARED``) or own seal name (``SEAL_NAME_DUPLICATE``) stops them all, the
    same mobile (``MOBILE_DUPLICATE``) is said. The same name and the same staff number or mobile under two numbers
    stops them all (``PERSON_POSSIBLY_SAME``): one number is wrong, or one person has two cards. One person on several
    rows: two names stop them all (``ID_NAME_CONFLICT``), and so does other content that is given on two rows and
    differs (``ROW_DUPLICATE`` with ``differs`` in its detail); otherwise the first row without an error stays, and
    the others get ``ROW_DUPLICATE`` that names it; where all have the same errors, the first alone keeps them. A row whose number cannot be used keeps nobody's row from being
    sent but where it may be another person who claims the same (``persons``). Pictures are the same by their bytes,
    or by ``twins``: sha256 -> that of the first picture with the same drawing. ``other_persons`` are pairs of keys that a
    human called two people.
    """
    people = person_ids_of(doctors)
    drawing = partial(_drawing, twins=twins)
    found: defaultdict[int, list[Problem]] = defaultdict(list)
    for place, trouble in (
        *_possibly_same(doctors, people, other_persons),
        *_between_people(doctors, people, drawing),
    ):
        found[place].append(trouble)
    stopped = {
        place
        for place, doctor in enumerate(doctors)
        if any(trouble.severity == "error" for trouble in (*doctor.problems, *found.get(place, ())))
    }
    for places in _shared(
        token if doctor.number else None for doctor, token in zip(doctors, people, strict=True)
    ):
        for place, trouble in _one_person(doctors, places, stopped, drawing):
            found[place].append(trouble)
            stopped.discard(place)  # it has been told how it stands to the others
    compared = [
        replace(doctor, problems=(*doctor.problems, *found[place])) if place in found else doctor
        for place, doctor in enumerate(doctors)
    ]
    for places in _shared(token if place in stopped else None for place, token in enumerate(people)):
        _name_faults_once(compared, places)
    return compared


def _name_faults_once(doctors: list[Doctor], places: Places) -> None:
    """Leave the errors to the first of several rows of one person that have the same, in place; the others name it."""
    first: dict[Hashable, Doctor] = {}
    for place in places:
        doctor = doctors[place]
        kept = first.setdefault((doctor.number, frozenset(map(_said_of, doctor.errors))), doctor)
        if kept is not doctor:
            address = doctor.row.address(Field.NUMBER)
            copy = problem("ROW_DUPLICATE", Field.NUMBER, address, other=_name_rows([kept]), faults="yes")
            warnings = (each for each in doctor.problems if each.severity == "warning")
            doctors[place] = replace(doctor, problems=(*warnings, copy))


def _said_of(found: Problem) -> Hashable:
    """Return what a problem says, wherever it stands."""
    return found.code, found.field, tuple(sorted(found.detail.items()))


def mark_unread(doctors: Sequence[Doctor], unread: Mapping[str, NotReadNow]) -> list[Doctor]:
    """Return the doctors, with the problem of those whose pictures (by sha256) could not be compared this time."""
    return [
        replace(doctor, problems=(*doctor.problems, _unread(doctor, unread[doctor.picture.sha256])))
        if doctor.picture is not None and doctor.picture.sha256 in unread
        else doctor
        for doctor in doctors
    ]


def _unread(doctor: Doctor, trouble: NotReadNow) -> Problem:
    assert doctor.picture is not None
    file, cell = mask_file_name(doctor.picture.path.name), doctor.row.address(Field.PICTURE)
    return problem("IMAGE_NOT_READ", Field.PICTURE, cell, file=file, severity=None, **trouble.words)


def _shared(claims: Iterable[Hashable | None]) -> Iterator[Places]:
    """Yield the places of every claim that is made more than once."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place, claim in enumerate(claims):
        if claim is not None:
            groups[claim].append(place)
    return (places for places in groups.values() if len(places) > 1)


def _rivals(places: Places, people: Sequence[Hashable]) -> Iterator[tuple[int, list[int]]]:
    """Yield every place that shares a claim with other people, and the first places of these.

    No more of them than a message names are looked up, so that a thousand rows with one mobile cost a thousand steps.
    """
    first: list[int] = []
    counts: Counter[Hashable] = Counter()
    for place in places:
        if counts[people[place]] <= _NAMED_AT_MOST:
            first.append(place)
            counts[people[place]] += 1
        if len(first) - max(counts.values()) > _NAMED_AT_MOST:
            break
    if len(counts) == 1:
        return
    for place in places:
        if others := [other for other in first if people[other] != people[place]]:
            yield place, others


def _between_people(
    doctors: Sequence[Doctor], people: Sequence[Hashable], drawing: Callable[[Doctor], str | None]
) -> Iterator[Found]:
    """Yield a problem for every row that claims what a row of another person claims as well."""
    claims: tuple[tuple[Callable[[Doctor], str | None], Tell], ...] = (
        (drawing, _image_shared),
        (lambda doctor: doctor.seal_name, _seal_name_taken),
        (lambda doctor: doctor.mobile, _mobile_shared),
    )
    for claim, tell in claims:
        for places in _shared(map(claim, doctors)):
            for place, others in _rivals(places, people):
                yield place, tell(doctors[place], [doctors[other] for other in others])


def _possibly_same(
    doctors: Sequence[Doctor], people: Sequence[Hashable], other_persons: Collection[tuple[str, str]]
) -> Iterator[Found]:
    """Yield a problem for every usable row whose name and staff number, or mobile, stand with another number as well."""
    for namesakes in _shared(doctor.name if doctor.number else None for doctor in doctors):
        alike: defaultdict[int, dict[int, list[Field]]] = defaultdict(dict)
        for field, mark in _MARKS.items():
            for places in _shared(mark(doctors[place]) for place in namesakes):
                for place, others in _rivals([namesakes[index] for index in places], people):
                    for other in others:
                        keys = doctors[place].key or "", doctors[other].key or ""
                        if keys not in other_persons and keys[::-1] not in other_persons:
                            alike[place].setdefault(other, []).append(field)
        for place, shared in alike.items():
            address = doctors[place].row.address(Field.NUMBER)
            same = ", ".join(dict.fromkeys(field for fields in shared.values() for field in fields))
            named = _name_rows(doctors[other] for other in sorted(shared))
            yield place, problem("PERSON_POSSIBLY_SAME", Field.NUMBER, address, other=named, same=same)


# what two people of one name do not share by chance
_MARKS: Mapping[Field, Callable[[Doctor], str | None]] = {
    Field.STAFF_NO: lambda doctor: doctor.comparable_staff_no,
    Field.MOBILE: lambda doctor: doctor.mobile,
}


def _drawing(doctor: Doctor, twins: Mapping[str, str]) -> str | None:
    return twins.get(doctor.picture.sha256, doctor.picture.sha256) if doctor.picture else None


def _image_shared(doctor: Doctor, others: Sequence[Doctor]) -> Problem:
    assert doctor.picture is not None
    theirs = [other.picture for other in others if other.picture]
    twins = {each.path: None for each in theirs if each.sha256 != doctor.picture.sha256}
    file, *named = _told_apart([doctor.picture.path, *islice(twins, _NAMED_AT_MOST)])
    address = doctor.row.address(Field.PICTURE)
    detail = {"file": file, "other": _name_rows(others), **({"twin": ", ".join(named)} if named else {})}
    return problem("IMAGE_SHARED", Field.PICTURE, address, severity=None, **detail)


def _told_apart(paths: Sequence[Path]) -> list[str]:
    """Return the names of files, with their folders where two of them have one name."""
    names = [path.name for path in paths]
    alike = len(set(names)) < len(names)
    return [
        mask_file_name(f"{path.parent.name}/{name}" if alike else name)
        for path, name in zip(paths, names, strict=True)
    ]


def _seal_name_taken(doctor: Doctor, others: Sequence[Doctor]) -> Problem:
    address = doctor.row.address(Field.SEAL_NAME)
    other = _name_rows(others)
    return problem("SEAL_NAME_DUPLICATE", Field.SEAL_NAME, address, found=doctor.seal_name, other=other)


def _mobile_shared(doctor: Doctor, others: Sequence[Doctor]) -> Problem:
    address = doctor.row.address(Field.MOBILE)
    return problem("MOBILE_DUPLICATE", Field.MOBILE, address, other=_name_rows(others))


def _one_person(
    doctors: Sequence[Doctor], places: Places, stopped: set[int], drawing: Callable[[Doctor], str | None]
) -> Iterator[Found]:
    """Yield the problems of several rows of one person; ``stopped`` are the rows that have an error already."""
    rows = [doctors[place] for place in places]
    if _two_names(rows):
        for place in places:
            others = _name_rows(doctors[other] for other in places if other != place)
            address = doctors[place].row.address(Field.NUMBER)
            yield place, problem("ID_NAME_CONFLICT", Field.NUMBER, address, other=others)
    elif differs := _differing(rows, {**_CONTENT, Field.PICTURE: drawing}):
        named = ", ".join(differs)
        for place in places:
            others = _name_rows(doctors[other] for other in places if other != place)
            address = doctors[place].row.address(differs[0])
            yield place, problem("ROW_DUPLICATE", differs[0], address, other=others, differs=named)
    elif kept := [place for place in places if place not in stopped][:1]:
        first = _name_rows(doctors[place] for place in kept)
        for place in places:
            if place not in kept:
                address = doctors[place].row.address(Field.NUMBER)
                yield place, problem("ROW_DUPLICATE", Field.NUMBER, address, other=first)


def _two_names(rows: Sequence[Doctor]) -> bool:
    """Tell whether the rows give two names; one that could not be read is another where it begins like none of them."""
    read = {doctor.name for doctor in rows if doctor.name is not None}
    written = (shown(doctor.row.fields.get(Field.NAME)) for doctor in rows if doctor.name is None)
    return len(read) > 1 or any(first_differs(text, name) for text in written for name in read)


# What a seal is made from and what its creation costs. Staff number and
# department are no content: a doctor who works in two departments stands on two rows.
_CONTENT: Mapping[Field, Callable[[Doctor], object]] = {
    Field.NUMBER: lambda doctor: doctor.number and list_spellings(doctor.number, doctor.id_type)[0],
    Field.ID_TYPE: lambda doctor: doctor.id_type,
    Field.PICTURE: lambda doctor: doctor.picture,  # its place in the order; by what, ``compare`` says
    Field.MOBILE: lambda doctor: doctor.mobile,
    Field.SEAL_NAME: lambda doctor: doctor.seal_name,
    Field.SCENE_KEY: lambda doctor: _said(doctor, Field.SCENE_KEY, doctor.scene_key),
    Field.ENABLE_AUTO_SIGN: lambda doctor: _said(doctor, Field.ENABLE_AUTO_SIGN, doctor.enable_auto_sign),
    Field.LICENSE_TYPE: lambda doctor: _said(doctor, Field.LICENSE_TYPE, doctor.license_type),
    Field.SEAL_IMAGE_COMPRESS: lambda doctor: _said(
        doctor, Field.SEAL_IMAGE_COMPRESS, doctor.seal_image_compress
    ),
}


def _differing(rows: Sequence[Doctor], content: Mapping[Field, Callable[[Doctor], object]]) -> list[Field]:
    """Return the fields that two of the rows give differently; blank on one and given on another is no difference."""
    return [field for field, value in content.items() if len({value(doctor) for doctor in rows} - {None}) > 1]


def _said(doctor: Doctor, field: Field, value: object) -> object:
    """Return the value if the row itself gives it: a default that fills a blank cell is no word of the roster."""
    return None if is_dash(shown(doctor.row.fields.get(field))) else value


def _name_rows(doctors: Iterable[Doctor]) -> str:
    """Return where rows stand, ``roster.xlsx 内科 12``, in no language; a few of them when they are many."""
    origins = [doctor.row.display_origin for doctor in islice(doctors, _NAMED_AT_MOST + 1)]
    named = [" ".join(filter(None, (origin.file, origin.sheet, str(origin.row)))) for origin in origins]
    return ", ".join(named[:_NAMED_AT_MOST]) + (" …" if len(named) > _NAMED_AT_MOST else "")
