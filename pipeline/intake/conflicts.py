"""Flags conflicts of rows with each other, after pairing: one person on several rows, one thing of several people.

Every decision looks at the whole roster at once. The order of the rows only decides which of equal ones is the first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, islice
from operator import contains
from pathlib import Path
from types import MappingProxyType

from pipeline.domain.fields import FIELDS, value_of
from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Doctor, Field, Problem, fold_card_number
from pipeline.domain.seals import are_declared_two
from pipeline.errors import NotReadNow
from pipeline.intake.fields.normalize import (
    get_text,
    is_dash,
)
from pipeline.intake.fields.person_name import is_surely_other_name
from pipeline.intake.images.image_files import mask_file_name
from pipeline.intake.pairing.claims import GIVEN, KINDS
from pipeline.intake.pairing.picture_column import list_contested_images
from pipeline.intake.person_ids import compute_person_ids, get_name_key
from pipeline.messages.problems import build_problem

IndexedProblem = tuple[int, Problem]
_Indices = Sequence[int]  # of doctors
_MOST_LISTED = 3  # other rows, in one message
# what a person keeps under a corrected number; two people do not share two of them by chance
_TRAITS = (Field.NAME, Field.STAFF_NO, Field.MOBILE, Field.PICTURE)

# What a seal is made from and what its creation costs. The first ones are the graver differences. Staff number and
# department are no content: a doctor who works in two departments has two rows.
_GRAVEST = (Field.NUMBER, Field.ID_TYPE, Field.PICTURE)
_CONTENT = (
    *_GRAVEST,
    *(
        field
        for field in Field
        if (FIELDS[field].parameter or FIELDS[field].content) and field not in _GRAVEST
    ),
)


class IdenticalImages:
    """Pictures that are the same by their bytes, or by what they show: sha256 -> that of the first such picture.

    "" stands for a blank one, which is like no other.
    """

    def __init__(self, by_sha256: Mapping[str, str]) -> None:
        self._by_sha256 = by_sha256

    def get_key(self, doctor: Doctor) -> str | None:
        """Return what is equal for doctors whose pictures show the same."""
        image = doctor.picture or doctor.held_image  # a held one may be another row's
        return (self._by_sha256.get(image.sha256, image.sha256) or None) if image else None


def flag_conflicts(
    doctors: Sequence[Doctor],
    identical_images: Mapping[str, str] = MappingProxyType({}),
    other_persons: Collection[tuple[str, str]] = (),
    person_ids: Sequence[Hashable] | None = None,
) -> list[Doctor]:
    """Return the doctors in the same order, with the problems that only a comparison of rows shows.

    Two people: the same picture (``IMAGE_SHARED``) or own seal name (``SEAL_NAME_DUPLICATE``) stops them all; the same
    mobile (``MOBILE_DUPLICATE``) or staff number (``STAFF_NO_DUPLICATE``) is a warning. Two of name key, staff number, mobile and picture under two numbers stop
    them all (``PERSON_POSSIBLY_SAME``): one number is wrong, or one person has two cards.

    One person on several rows: two names stop them all (``ID_NAME_CONFLICT``). So does other content that is given on
    two rows and differs (``ROW_DUPLICATE`` with ``differs`` in its detail). Otherwise the first row without an error
    stays, and the others get a ``ROW_DUPLICATE`` that names it. If all have the same errors, the first alone keeps them.

    A row whose number cannot be used stops another row only if it may be another person who claims the same
    (`person_ids`). Pictures are the same by their bytes, or by ``identical_images``: sha256 -> that of the first
    picture with the same pixels, "" for a blank one, which is like no other. ``other_persons`` are pairs of keys that a person declared to be two people.
    ``person_ids`` are the doctors' (`compute_person_ids`) where they are known already.
    """
    images = IdenticalImages(identical_images)
    if person_ids is None:
        person_ids = compute_person_ids(doctors)
    conflicts: defaultdict[int, list[Problem]] = defaultdict(list)
    alike = _compute_alike_rows(doctors, person_ids, images, other_persons)
    for index, rivals in alike.items():
        conflicts[index].append(_explain_possibly_same(doctors, index, rivals))
    for index, conflict in _list_shared_claims(doctors, person_ids, images):
        conflicts[index].append(conflict)
    for index, conflict in _list_contested_images(doctors, person_ids, identical_images):
        if all(other.code != conflict.code for other in conflicts.get(index, ())):
            conflicts[index].append(conflict)
    stopped = _list_stopped(doctors, conflicts)
    usable_ids = [
        person_id if doctor.number else None for doctor, person_id in zip(doctors, person_ids, strict=True)
    ]
    for indices in _group_equal(usable_ids):
        for index, conflict in _compare_rows_of_person(doctors, indices, stopped, images):
            conflicts[index].append(conflict)
            stopped.discard(index)  # its relation to the other rows is named already
    flagged = list(doctors)
    for index, conflicting in conflicts.items():
        doctor = doctors[index]
        flagged[index] = replace(
            doctor,
            problems=(*_leave_out_missing_image(doctor, conflicting), *conflicting),
            possibly_same=tuple([doctors[other].key or "" for other in alike.get(index, ())]),
        )
    for indices in _group_equal(
        person_id if index in stopped else None for index, person_id in enumerate(person_ids)
    ):
        _keep_equal_errors_once(flagged, indices)
    return flagged


def _list_stopped(doctors: Sequence[Doctor], conflicts: Mapping[int, Sequence[Problem]]) -> set[int]:
    """Return the rows that have an error, of their own or against other rows."""
    stopped = set()
    for index, doctor in enumerate(doctors):
        problems = (*doctor.problems, *conflicts.get(index, ()))
        if any(problem.severity == "error" for problem in problems):
            stopped.add(index)
    return stopped


def _leave_out_missing_image(doctor: Doctor, conflicts: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return a row's own problems; where its number has two names, there may be no person to have a picture."""
    if all(conflict.code != "ID_NAME_CONFLICT" for conflict in conflicts):
        return doctor.problems
    return tuple(problem for problem in doctor.problems if problem.code != "IMAGE_MISSING")


def _keep_equal_errors_once(doctors: list[Doctor], indices: _Indices) -> None:
    """Leave equal errors of several rows of one person to the first row, in place; the others name it."""
    first: dict[Hashable, Doctor] = {}
    for index in indices:
        doctor = doctors[index]
        errors = frozenset(
            (error.code, error.field, tuple(sorted(error.detail.items()))) for error in doctor.errors
        )
        kept = first.setdefault((doctor.number, errors), doctor)
        if kept is not doctor:
            copy = _make_problem(
                "ROW_DUPLICATE", Field.NUMBER, doctor, other=_list_rows([kept]), faults="yes"
            )
            warnings = (other for other in doctor.problems if other.severity == "warning")
            doctors[index] = replace(doctor, problems=(*warnings, copy))


def add_unread_problems(doctors: Sequence[Doctor], unread: Mapping[str, NotReadNow]) -> list[Doctor]:
    """Return the doctors, with a problem for pictures (by sha256) that could not be compared this time."""
    marked = list(doctors)
    for index, doctor in enumerate(doctors):
        if doctor.picture is not None and (failure := unread.get(doctor.picture.sha256)) is not None:
            file = mask_file_name(doctor.picture.name)
            words = {"path": doctor.picture.location, **failure.words}
            problem = _make_problem("IMAGE_NOT_READ", Field.PICTURE, doctor, file=file, **words)
            marked[index] = replace(doctor, problems=(*doctor.problems, problem))
    return marked


def _list_shared_claims(
    doctors: Sequence[Doctor], person_ids: Sequence[Hashable], images: IdenticalImages
) -> Iterator[IndexedProblem]:
    """Yield a problem for every row that claims what a row of another person claims as well."""
    claims: tuple[
        tuple[Callable[[Doctor], str | None], Callable[[Doctor, Sequence[Doctor]], Problem | None]], ...
    ] = (
        (images.get_key, _explain_shared_image),
        (lambda doctor: doctor.seal_name, _explain_shared_seal_name),
        (lambda doctor: doctor.mobile, _explain_shared_mobile),
        (lambda doctor: doctor.comparable_staff_no, _explain_shared_staff_no),
    )
    for get_claim, explain in claims:
        for indices in _group_equal(map(get_claim, doctors)):
            for index, others in _list_rivals(indices, person_ids):
                if problem := explain(doctors[index], [doctors[other] for other in others]):
                    yield index, problem


def _list_contested_images(
    doctors: Sequence[Doctor], person_ids: Sequence[Hashable], identical_images: Mapping[str, str]
) -> Iterator[IndexedProblem]:
    """Yield a problem for every row whose picture is found by name or staff number, and is also a file that may be another person's.

    The row's own cell, its picture column and its identity number decide alone. So does a person who gave the picture, between
    doctors of one name: whose it is was the question then.
    """
    claimants: defaultdict[str, list[int]] = defaultdict(list)
    for index, doctor in enumerate(doctors):
        for file in list_contested_images(doctor):
            if key := identical_images.get(file.sha256, file.sha256):
                claimants[key].append(index)
    if not claimants:
        return
    for index, doctor in enumerate(doctors):
        image = doctor.picture or doctor.held_image
        if image is None or KINDS[doctor.evidence or GIVEN].decides_alone:
            continue
        rivals = claimants.get(identical_images.get(image.sha256, image.sha256), ())
        others = [doctors[other] for other in rivals if person_ids[other] != person_ids[index]]
        if doctor.evidence == GIVEN:
            others = [other for other in others if not _are_namesakes(doctor, other)]
        if others:
            yield index, _explain_shared_image(doctor, others)


def _are_namesakes(doctor: Doctor, other: Doctor) -> bool:
    return make_name_key(doctor.name or "") == make_name_key(other.name or "")


def _explain_possibly_same(
    doctors: Sequence[Doctor], index: int, rivals: Mapping[int, Collection[Field]]
) -> Problem:
    agreeing = set().union(*rivals.values())
    same = ", ".join(field for field in _TRAITS if field in agreeing)
    rows = _list_rows(doctors[other] for other in sorted(rivals))
    return _make_problem("PERSON_POSSIBLY_SAME", Field.NUMBER, doctors[index], other=rows, same=same)


def _explain_shared_image(doctor: Doctor, others: Sequence[Doctor]) -> Problem:
    own = doctor.picture or doctor.held_image
    assert own is not None
    images = filter(None, (other.picture or other.held_image for other in others))
    copies = dict.fromkeys(image.path for image in images if image.sha256 != own.sha256)
    file, *named = _distinguish_files([own.path, *islice(copies, _MOST_LISTED)])
    copies_named = {"twin": ", ".join(named)} if named else {}
    rows = _list_rows(others)
    return _make_problem("IMAGE_SHARED", Field.PICTURE, doctor, file=file, other=rows, **copies_named)


def _distinguish_files(paths: Sequence[Path]) -> list[str]:
    """Return the names of files, with their folders if two of them have one name."""
    names = [path.name for path in paths]
    with_folder = len(set(names)) < len(names)
    return [
        mask_file_name(f"{path.parent.name}/{name}" if with_folder else name)
        for path, name in zip(paths, names, strict=True)
    ]


def _explain_shared_seal_name(doctor: Doctor, others: Sequence[Doctor]) -> Problem:
    detail = {"found": doctor.seal_name, "other": _list_rows(others)}
    return _make_problem("SEAL_NAME_DUPLICATE", Field.SEAL_NAME, doctor, **detail)


def _explain_shared_mobile(doctor: Doctor, others: Sequence[Doctor]) -> Problem:
    return _make_problem("MOBILE_DUPLICATE", Field.MOBILE, doctor, other=_list_rows(others))


def _explain_shared_staff_no(doctor: Doctor, others: Sequence[Doctor]) -> Problem | None:
    """Return the problem of a staff number of two people; one of the same name is `_get_possibly_same`."""
    named_otherwise = [other for other in others if other.name != doctor.name]
    if not named_otherwise:
        return None
    return _make_problem(
        "STAFF_NO_DUPLICATE", Field.STAFF_NO, doctor, found=doctor.staff_no, other=_list_rows(named_otherwise)
    )


def _compare_rows_of_person(
    doctors: Sequence[Doctor], indices: _Indices, stopped: Collection[int], images: IdenticalImages
) -> Iterator[IndexedProblem]:
    """Yield the problems of several rows of one person; ``stopped`` are the rows that have an error already."""
    rows = [doctors[index] for index in indices]
    detail: dict[str, str] = {}
    if _have_two_names(rows):
        for index in indices:
            other_rows = [doctors[other] for other in indices if other != index]
            yield index, _explain_two_names(doctors[index], other_rows)
        return
    if differs := _list_differences(rows, images):
        code, field, detail = "ROW_DUPLICATE", differs[0], {"differs": ", ".join(differs)}
    else:
        kept = next((index for index in indices if index not in stopped), None)
        for index in indices:
            if kept is not None and index != kept:
                other = _list_rows([doctors[kept]])
                yield index, _make_problem("ROW_DUPLICATE", Field.NUMBER, doctors[index], other=other)
        return
    for index in indices:
        others = _list_rows(doctors[other] for other in indices if other != index)
        yield index, _make_problem(code, field, doctors[index], other=others, **detail)


def _explain_two_names(doctor: Doctor, others: Sequence[Doctor]) -> Problem:
    """Return the problem of a row whose number has another name on other rows; the names are as written."""
    name = _get_written_name(doctor)
    other_names = dict.fromkeys(map(_get_written_name, others))
    return _make_problem(
        "ID_NAME_CONFLICT",
        Field.NUMBER,
        doctor,
        found=name,
        other=_list_rows(others),
        names=" · ".join(other for other in other_names if other not in {name, ""}),
    )


def _get_written_name(doctor: Doctor) -> str:
    return doctor.name or get_text(doctor.row.fields.get(Field.NAME))


def _have_two_names(rows: Sequence[Doctor]) -> bool:
    """Return whether the rows give two names; an unusable one is another if it begins like none of them."""
    names = {make_name_key(doctor.name) for doctor in rows if doctor.name is not None}
    texts = (get_text(doctor.row.fields.get(Field.NAME)) for doctor in rows if doctor.name is None)
    unusable = list(map(make_name_key, texts))
    return len(names) > 1 or any(is_surely_other_name(text, name) for text in unusable for name in names)


def _list_differences(rows: Sequence[Doctor], images: IdenticalImages) -> list[Field]:
    """Return the fields that two of the rows give differently; blank on one and given on another is no difference."""
    values = {field: {_compared_value(doctor, field, images) for doctor in rows} for field in _CONTENT}
    return [field for field in _CONTENT if len(values[field] - {None}) > 1]


def _compared_value(doctor: Doctor, field: Field, images: IdenticalImages) -> object:
    if field is Field.NUMBER:
        return doctor.number and fold_card_number(doctor.number, doctor.id_type)
    if field is Field.PICTURE:
        return images.get_key(doctor)
    if field is Field.ID_TYPE:  # a blank one follows the number
        return doctor.id_type
    # a default that fills a blank cell is not given by the roster
    return None if is_dash(get_text(doctor.row.fields.get(field))) else value_of(doctor, field)


def _list_rows(doctors: Iterable[Doctor]) -> str:
    """Return where rows are, ``roster.xlsx 内科 12``, in no language; the first of them if they are many."""
    named = [doctor.row.origin.position for doctor in islice(doctors, _MOST_LISTED + 1)]
    return ", ".join(named[:_MOST_LISTED]) + (" …" if len(named) > _MOST_LISTED else "")


def _make_problem(code: str, field: Field, doctor: Doctor, **detail: object) -> Problem:
    return build_problem(code, field, doctor.row.address(field), severity=None, **detail)


# -- rows that claim the same, and rows of two people who may be one


def _group_equal(claims: Iterable[Hashable | None]) -> Iterator[_Indices]:
    """Yield the indices of every claim that is made more than once."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, claim in enumerate(claims):
        if claim is not None:
            groups[claim].append(index)
    return (indices for indices in groups.values() if len(indices) > 1)


def _list_rivals(indices: _Indices, person_ids: Sequence[Hashable]) -> Iterator[tuple[int, list[int]]]:
    """Yield every index that shares a claim with other people, and the first indices of these.

    No more of them than a message lists are looked up, so that a thousand rows with one mobile cost a thousand steps.
    """
    first: list[int] = []
    counts: Counter[Hashable] = Counter()
    for index in indices:
        if counts[person_ids[index]] <= _MOST_LISTED:
            first.append(index)
            counts[person_ids[index]] += 1
        if len(first) - max(counts.values()) > _MOST_LISTED:
            break
    if len(counts) == 1:
        return
    for index in indices:
        if others := [other for other in first if person_ids[other] != person_ids[index]]:
            yield index, others


def _get_trait(doctor: Doctor, field: Field, images: IdenticalImages) -> str | None:
    """Return what a person keeps in a field under a corrected number."""
    match field:
        case Field.NAME:
            return get_name_key(doctor)
        case Field.STAFF_NO:
            return doctor.comparable_staff_no
        case Field.MOBILE:
            return doctor.mobile
        case _:
            return images.get_key(doctor)


def _compute_alike_rows(
    doctors: Sequence[Doctor],
    person_ids: Sequence[Hashable],
    images: IdenticalImages,
    other_persons: Collection[tuple[str, str]],
) -> Mapping[int, Mapping[int, set[Field]]]:
    """Return for usable rows the rows of other numbers that agree in two traits, each with the fields that agree."""
    alike: defaultdict[int, defaultdict[int, set[Field]]] = defaultdict(lambda: defaultdict(set))
    values = {
        field: [_get_trait(doctor, field, images) if doctor.number else None for doctor in doctors]
        for field in _TRAITS
    }
    columns = list(values.values())
    # of most rows no trait, or one, is on another row: the pairs of traits of the others alone are compared
    repeated = [
        {value for value, count in Counter(column).items() if value and count > 1} for column in columns
    ]
    rows = enumerate(zip(*columns, strict=True))
    candidates = [index for index, traits in rows if sum(map(contains, repeated, traits)) > 1]
    for fields in combinations(values, 2):
        claims = ([values[field][index] for field in fields] for index in candidates)
        for nths in _group_equal(None if None in claim else tuple(claim) for claim in claims):
            for index, others in _list_rivals([candidates[nth] for nth in nths], person_ids):
                for other in others:
                    if not are_declared_two(other_persons, doctors[index].key, doctors[other].key):
                        alike[index][other].update(fields)
    return alike
