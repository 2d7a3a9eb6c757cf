"""The people who have a seal, as far as pictures may be theirs: by name, staff number and identity number."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as _field
from functools import cached_property
from types import MappingProxyType

from pipeline.intake.pairing import file_names

# as comparison keys: identity cards, permits, other cards
_NUMBER = re.compile(r"[0-9]{17}[0-9x]|[a-z][0-9a-z()]{6,19}")
_PERMIT = re.compile(r"[hm][0-9]{8,10}")
_LIFETIME = 9  # characters of a permit that no renewal changes


@dataclass(frozen=True, slots=True)
class SealedPerson:
    """A person who has a seal."""

    key: str
    name: str | None = _field(repr=False)
    seal_name: str
    picture_known: bool  # False for a seal that was made elsewhere


@dataclass(frozen=True)
class SealedPeople:
    """All people who have a seal. They are listed only where they are asked for: most runs need those of ``adopted``."""

    keys: Collection[str | None] = _field(default=frozenset(), repr=False)
    adopted: Sequence[SealedPerson] = _field(default=(), repr=False)  # whose picture is not known
    list_people: Callable[[], Sequence[SealedPerson]] = _field(default=tuple, repr=False)
    list_staff_numbers: Callable[[], Mapping[str, Collection[str]]] = _field(
        default=lambda: MappingProxyType({}), repr=False
    )  # by key, as rosters gave them
    make_key: Callable[[str], str] | None = _field(default=None, repr=False)  # lifetime number -> key

    def has_seal(self, key: str | None) -> bool:
        """Return whether a person has a seal."""
        return key in self.keys

    def find_by_name(self, name: str, *, all_people: bool) -> Sequence[SealedPerson]:
        """Return the people of a name, as a roster writes it; without ``all_people`` those whose picture is not known."""
        if not name or not (all_people or self.adopted):
            return ()
        people = self._people_by_name if all_people else self._adopted_by_name
        return people.get(_make_name_key(name), ())

    def find_by_staff_no(self, staff_no: str, *, all_people: bool) -> Sequence[SealedPerson]:
        """Return the people of a staff number; without ``all_people`` those whose picture is not known."""
        if not staff_no or not (all_people or self.adopted):
            return ()
        people = self._people_by_staff_no.get(file_names.comparison_key(staff_no), ())
        return people if all_people else [person for person in people if not person.picture_known]

    def find_by_stem(self, stem: str) -> list[SealedPerson]:
        """Return the people whose name, staff number or identity number a stem is exactly."""
        comparison_key = file_names.comparison_key(stem)
        if not comparison_key:
            return []
        keys = [key for key in self._make_keys(comparison_key) if key in self._people_by_key]
        return [
            *self._people_by_name.get(_make_name_key(stem), ()),
            *self._people_by_staff_no.get(comparison_key, ()),
            *(self._people_by_key[key] for key in keys),
        ]

    def _make_keys(self, comparison_key: str) -> list[str]:
        """Return the keys that a text may lead to if it is an identity number."""
        if self.make_key is None or not _NUMBER.fullmatch(comparison_key):
            return []
        number = comparison_key.upper()
        keys = [self.make_key(number)]
        if _PERMIT.match(comparison_key):
            keys.append(self.make_key(number[:_LIFETIME]))
        return keys

    @cached_property
    def _people_by_key(self) -> Mapping[str, SealedPerson]:
        return {person.key: person for person in self.list_people()}

    @cached_property
    def _people_by_name(self) -> Mapping[str, Sequence[SealedPerson]]:
        return _index_by_name(self._people_by_key.values())

    @cached_property
    def _adopted_by_name(self) -> Mapping[str, Sequence[SealedPerson]]:
        return _index_by_name(self.adopted)

    @cached_property
    def _people_by_staff_no(self) -> Mapping[str, Sequence[SealedPerson]]:
        people: defaultdict[str, list[SealedPerson]] = defaultdict(list)
        for key, numbers in self.list_staff_numbers().items():
            if (person := self._people_by_key.get(key)) is not None:
                for number in numbers:
                    people[file_names.comparison_key(number)].append(person)
        return people


NO_SEALED_PEOPLE = SealedPeople()


def _index_by_name(people: Iterable[SealedPerson]) -> Mapping[str, Sequence[SealedPerson]]:
    index: defaultdict[str, list[SealedPerson]] = defaultdict(list)
    for person in people:
        if person.name:
            index[_make_name_key(person.name)].append(person)
    return index


def _make_name_key(name: str) -> str:
    """Return a name as two programs may write it alike: dots and joints do not count."""
    return file_names.lookup_key(file_names.comparison_key(name))
