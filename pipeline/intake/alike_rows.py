"""Finds rows that claim the same, and rows of two people who may be one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from operator import contains

from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Doctor, Field
from pipeline.domain.seals import are_declared_two

MOST_LISTED = 3  # other rows, in one message
# what a person keeps under a corrected number; two people do not share two of them by chance
MARKS = (Field.NAME, Field.STAFF_NO, Field.MOBILE, Field.PICTURE)

Indices = Sequence[int]  # of doctors
ImageKey = Callable[[Doctor], str | None]  # equal for doctors whose pictures show the same


def get_name_key(doctor: Doctor) -> str | None:
    """Return the key of a row's name, None where it has no usable one."""
    return make_name_key(doctor.name) if doctor.name else None


def group_equal(claims: Iterable[Hashable | None]) -> Iterator[Indices]:
    """Yield the indices of every claim that is made more than once."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, claim in enumerate(claims):
        if claim is not None:
            groups[claim].append(index)
    return (indices for indices in groups.values() if len(indices) > 1)


def list_rivals(indices: Indices, person_ids: Sequence[Hashable]) -> Iterator[tuple[int, list[int]]]:
    """Yield every index that shares a claim with other people, and the first indices of these.

    No more of them than a message lists are looked up, so that a thousand rows with one mobile cost a thousand steps.
    """
    first: list[int] = []
    counts: Counter[Hashable] = Counter()
    for index in indices:
        if counts[person_ids[index]] <= MOST_LISTED:
            first.append(index)
            counts[person_ids[index]] += 1
        if len(first) - max(counts.values()) > MOST_LISTED:
            break
    if len(counts) == 1:
        return
    for index in indices:
        if others := [other for other in first if person_ids[other] != person_ids[index]]:
            yield index, others


def find_alike_rows(
    doctors: Sequence[Doctor],
    person_ids: Sequence[Hashable],
    image_key: ImageKey,
    other_persons: Collection[tuple[str, str]],
) -> Mapping[int, Mapping[int, set[Field]]]:
    """Return for usable rows the rows of other numbers that agree in two marks, each with the fields that agree."""
    alike: defaultdict[int, defaultdict[int, set[Field]]] = defaultdict(lambda: defaultdict(set))
    readers: tuple[ImageKey, ...] = (
        get_name_key,
        lambda doctor: doctor.comparable_staff_no,
        lambda doctor: doctor.mobile,
        image_key,
    )
    columns = [[read_mark(doctor) if doctor.number else None for doctor in doctors] for read_mark in readers]
    values = dict(zip(MARKS, columns, strict=True))
    # of most rows no mark, or one, is on another row: the pairs of marks of the others alone are compared
    repeated = [
        {value for value, count in Counter(column).items() if value and count > 1} for column in columns
    ]
    rows = enumerate(zip(*columns, strict=True))
    candidates = [index for index, marks in rows if sum(map(contains, repeated, marks)) > 1]
    for fields in combinations(values, 2):
        claims = ([values[field][index] for field in fields] for index in candidates)
        for nths in group_equal(None if None in claim else tuple(claim) for claim in claims):
            for index, others in list_rivals([candidates[nth] for nth in nths], person_ids):
                for other in others:
                    if not are_declared_two(other_persons, doctors[index].key, doctors[other].key):
                        alike[index][other].update(fields)
    return alike
