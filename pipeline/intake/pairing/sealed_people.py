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

_NUMBER = re.compile(r"[0-9]{17}[0-9x]|[a-z][0-9a-z()]{6,19}")  # tight: identity cards, permits, other cards
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
class Sealed:
    """Everybody who has a seal. All of them are listed only when somebody asks: most runs need those of ``adopted``."""

    keys: Collection[str | None] = _field(default=frozenset(), repr=False)
    adopted: Sequence[SealedPerson] = _field(default=(), repr=False)  # whose picture is not known
    list_people: Callable[[], Sequence[SealedPerson]] = _field(default=tuple, repr=False)
    staff_numbers: Callable[[], Mapping[str, Collection[str]]] = _field(
        default=lambda: MappingProxyType({}), repr=False
    )  # by key, as rosters gave them
    person_of: Callable[[str], str] | None = _field(default=None, repr=False)  # lifetime number -> key

    def has(self, key: str | None) -> bool:
        """Return whether a person has a seal."""
        return key in self.keys

    def named(self, name: str, *, new: bool) -> Sequence[SealedPerson]:
        """Return the people of a name, as a roster writes it; not ``new``: only those whose picture is not known."""
        if not name or not (new or self.adopted):
            return ()
        return (self._by_name if new else self._adopted_by_name).get(_spelling(name), ())

    def with_staff_no(self, staff_no: str, *, new: bool) -> Sequence[SealedPerson]:
        """Return the people of a staff number; not ``new``: only those whose picture is not known."""
        if not staff_no or not (new or self.adopted):
            return ()
        found = self._by_staff_no.get(file_names.comparison_key(staff_no), ())
        return found if new else [each for each in found if not each.picture_known]

    def bearers(self, stem: str) -> list[SealedPerson]:
        """Return the people whose name, staff number or identity number a stem is exactly."""
        spelled = file_names.comparison_key(stem)
        if not spelled:
            return []
        keys = [key for key in self._keys_of(spelled) if key in self._by_key]
        found = [*self._by_name.get(_spelling(stem), ()), *self._by_staff_no.get(spelled, ())]
        return [*found, *(self._by_key[key] for key in keys)]

    def _keys_of(self, spelled: str) -> list[str]:
        if self.person_of is None or not _NUMBER.fullmatch(spelled):
            return []
        number = spelled.upper()
        return [
            self.person_of(number),
            *([self.person_of(number[:_LIFETIME])] if _PERMIT.match(spelled) else []),
        ]

    @cached_property
    def _by_key(self) -> Mapping[str, SealedPerson]:
        return {person.key: person for person in self.list_people()}

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[SealedPerson]]:
        return _index_by_name(self._by_key.values())

    @cached_property
    def _adopted_by_name(self) -> Mapping[str, Sequence[SealedPerson]]:
        return _index_by_name(self.adopted)

    @cached_property
    def _by_staff_no(self) -> Mapping[str, Sequence[SealedPerson]]:
        found: defaultdict[str, list[SealedPerson]] = defaultdict(list)
        for key, numbers in self.staff_numbers().items():
            if (person := self._by_key.get(key)) is not None:
                for number in numbers:
                    found[file_names.comparison_key(number)].append(person)
        return found


NO_SEALED = Sealed()


def _index_by_name(people: Iterable[SealedPerson]) -> Mapping[str, Sequence[SealedPerson]]:
    found: defaultdict[str, list[SealedPerson]] = defaultdict(list)
    for person in people:
        if person.name:
            found[_spelling(person.name)].append(person)
    return found


def _spelling(name: str) -> str:
    """Return a name as two programs may write it alike: dots and joints do not count."""
    return file_names.key(file_names.comparison_key(name))
