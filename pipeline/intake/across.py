"""Rows against each other, after pairing: one person on several rows, one thing claimed by several people.

Every decision looks at the whole roster at once; the order of the rows only says which of equal ones is the first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from pipeline.intake import stems
from pipeline.intake.folding import shown, trim
from pipeline.intake.identity import lifetime
from pipeline.problems import problem
from pipeline.roster import Doctor, Field, Problem

_NAMED_AT_MOST = 3  # other rows, in one message

Places = Sequence[int]  # indices into the doctors
Found = tuple[int, Problem]


def compare(doctors: Sequence[Doctor]) -> list[Doctor]:
    """Return the doctors in the same order, with the problems that only the others beside them show.

    Two people: the same picture (``IMAGE_SHARED``) or own seal name (``SEAL_NAME_DUPLICATE``) stops them all, the
    same mobile (``MOBILE_DUPLICATE``) is said. One person on several rows: two names stop them all
    (``ID_NAME_CONFLICT``), and so does other content that is given on two rows and differs (``ROW_DUPLICATE``
    with ``differs`` in its detail); otherwise the first row without an error stays, and the others get
    ``ROW_DUPLICATE`` that names it. A row whose number cannot be used counts as a person of its own, for nobody
    knows whose it is.
    """
    people: list[Hashable] = [_person(doctor, place) for place, doctor in enumerate(doctors)]
    found: defaultdict[int, list[Problem]] = defaultdict(list)
    for place, trouble in _between_people(doctors, people):
        found[place].append(trouble)
    stopped = {
        place
        for place, doctor in enumerate(doctors)
        if any(trouble.severity == "error" for trouble in (*doctor.problems, *found.get(place, ())))
    }
    for places in _shared(people):
        for place, trouble in _one_person(doctors, places, stopped):
            found[place].append(trouble)
    return [
        replace(doctor, problems=(*doctor.problems, *found[place])) if place in found else doctor
        for place, doctor in enumerate(doctors)
    ]


def _person(doctor: Doctor, place: int) -> Hashable:
    if doctor.number is None or doctor.id_type is None:
        return place
    return lifetime(doctor.number, doctor.id_type)


def _shared(claims: Iterable[Hashable | None]) -> Iterator[Places]:
    """Yield the places of every claim that is made more than once."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place, claim in enumerate(claims):
        if claim is not None:
            groups[claim].append(place)
    return (places for places in groups.values() if len(places) > 1)


def _between_people(doctors: Sequence[Doctor], people: Sequence[Hashable]) -> Iterator[Found]:
    """Yield a problem for every row that claims what a row of another person claims as well."""
    claims: tuple[tuple[Callable[[Doctor], str | None], Callable[[Doctor, str], Problem]], ...] = (
        (_picture, _image_shared),
        (lambda doctor: doctor.seal_name, _seal_name_taken),
        (lambda doctor: doctor.mobile, _mobile_shared),
    )
    for claim, tell in claims:
        for places in _shared(map(claim, doctors)):
            for place in places:
                others = [other for other in places if people[other] != people[place]]
                if others:
                    yield place, tell(doctors[place], _name_rows(doctors, others))


def _picture(doctor: Doctor) -> str | None:
    return doctor.picture.sha256 if doctor.picture else None


def _image_shared(doctor: Doctor, other: str) -> Problem:
    file = stems.shown(doctor.picture.path.name) if doctor.picture else ""
    return problem("IMAGE_SHARED", Field.PICTURE, doctor.row.address(Field.PICTURE), file=file, other=other)


def _seal_name_taken(doctor: Doctor, other: str) -> Problem:
    address = doctor.row.address(Field.SEAL_NAME)
    return problem("SEAL_NAME_DUPLICATE", Field.SEAL_NAME, address, found=doctor.seal_name, other=other)


def _mobile_shared(doctor: Doctor, other: str) -> Problem:
    return problem("MOBILE_DUPLICATE", Field.MOBILE, doctor.row.address(Field.MOBILE), other=other)


def _one_person(doctors: Sequence[Doctor], places: Places, stopped: set[int]) -> Iterator[Found]:
    """Yield the problems of several rows of one person; ``stopped`` are the rows that have an error already."""
    rows = [doctors[place] for place in places]
    if len({doctor.name for doctor in rows if doctor.name is not None}) > 1:
        for place in places:
            others = _name_rows(doctors, (other for other in places if other != place))
            address = doctors[place].row.address(Field.NUMBER)
            yield place, problem("ID_NAME_CONFLICT", Field.NUMBER, address, other=others)
    elif differs := _differing(rows):
        named = ", ".join(differs)
        for place in places:
            others = _name_rows(doctors, (other for other in places if other != place))
            address = doctors[place].row.address(differs[0])
            yield place, problem("ROW_DUPLICATE", differs[0], address, other=others, differs=named)
    elif kept := [place for place in places if place not in stopped][:1]:
        first = _name_rows(doctors, kept)
        for place in places:
            if place not in kept:
                address = doctors[place].row.address(Field.NUMBER)
                yield place, problem("ROW_DUPLICATE", Field.NUMBER, address, other=first)


# What a seal is made from and what its creation costs (DESIGN §5, "changed"; api.md §1.1). Staff number and
# department are no content: a doctor who works in two departments stands on two rows.
_CONTENT: Mapping[Field, Callable[[Doctor], object]] = {
    Field.NUMBER: lambda doctor: doctor.number,
    Field.ID_TYPE: lambda doctor: doctor.id_type,
    Field.PICTURE: _picture,
    Field.MOBILE: lambda doctor: doctor.mobile,
    Field.SEAL_NAME: lambda doctor: doctor.seal_name,
    Field.SCENE_KEY: lambda doctor: _said(doctor, Field.SCENE_KEY, doctor.scene_key),
    Field.ENABLE_AUTO_SIGN: lambda doctor: _said(doctor, Field.ENABLE_AUTO_SIGN, doctor.enable_auto_sign),
    Field.LICENSE_TYPE: lambda doctor: _said(doctor, Field.LICENSE_TYPE, doctor.license_type),
    Field.SEAL_IMAGE_COMPRESS: lambda doctor: _said(
        doctor, Field.SEAL_IMAGE_COMPRESS, doctor.seal_image_compress
    ),
}


def _differing(rows: Sequence[Doctor]) -> list[Field]:
    """Return the fields that two of the rows give differently; blank on one and given on another is no difference."""
    return [
        field for field, value in _CONTENT.items() if len({value(doctor) for doctor in rows} - {None}) > 1
    ]


def _said(doctor: Doctor, field: Field, value: object) -> object:
    """Return the value if the row itself gives it: a default that fills a blank cell is no word of the roster."""
    return value if trim(shown(doctor.row.fields.get(field))) else None


def _name_rows(doctors: Sequence[Doctor], places: Iterable[int]) -> str:
    """Return where the rows stand, ``roster.xlsx 内科 12``, in no language; a few of them when they are many."""
    origins = [doctors[place].row.origin for place in islice(places, _NAMED_AT_MOST + 1)]
    named = [" ".join(filter(None, (origin.file, origin.sheet, str(origin.row)))) for origin in origins]
    return ", ".join(named[:_NAMED_AT_MOST]) + (" …" if len(named) > _NAMED_AT_MOST else "")
