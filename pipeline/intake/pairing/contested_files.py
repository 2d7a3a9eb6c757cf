"""Files that one doctor's picture column names and that are another doctor's by their own name: nobody gets them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.domain.roster import Doctor
from pipeline.intake.pairing.candidates import Candidate, forms_of
from pipeline.intake.pairing.evidence import Claims
from pipeline.intake.pairing.picture_entries import Entry
from pipeline.intake.pairing.sealed_people import Sealed


@dataclass(frozen=True, slots=True)
class Contest:
    """The rows that a file is taken from, by place, and the seals of people outside of the roster whose name it bears."""

    rows: frozenset[int]
    seals: tuple[str, ...] = ()


def find_contests(
    doctors: Sequence[Doctor], entries: Sequence[Entry], claims: Claims, sealed: Sealed
) -> Mapping[Candidate, Contest]:
    """Return the files that a row's entry names and that are not the row's own by name, but another person's.

    Another person is one of the roster, or one who has a seal. A file that fits both (namesakes) is left to the entry.
    """
    naming: defaultdict[Candidate, list[int]] = defaultdict(list)
    for place, entry in enumerate(entries):
        own = {claim.candidate for claim in claims.of[place]} if entry.claims else ()
        for claim in entry.claims:
            if claim.candidate not in own:
                naming[claim.candidate].append(place)
    if not naming:
        return {}
    bearing: defaultdict[Candidate, list[int]] = defaultdict(list)
    for place, fitting in enumerate(claims.fitting):
        for candidate in fitting:
            if candidate in naming:
                bearing[candidate].append(place)
    found: dict[Candidate, Contest] = {}
    for candidate, places in naming.items():
        people = {claims.people[place] for place in places}
        others = [place for place in bearing[candidate] if {claims.people[place]} != people]
        keys = {doctors[place].key for place in places}
        seals = () if others else _seals(candidate, keys, sealed)
        if others or seals:
            found[candidate] = Contest(frozenset((*places, *others)), seals)
    return found


def _seals(candidate: Candidate, keys: set[str | None], sealed: Sealed) -> tuple[str, ...]:
    """Return the seal names of people, other than these, whose name, staff number or number a file bears."""
    bearers = {
        person for form in forms_of(candidate) for person in sealed.bearers(form.left) if {person.key} != keys
    }
    return tuple(sorted(person.seal_name or person.name or "?" for person in bearers))
