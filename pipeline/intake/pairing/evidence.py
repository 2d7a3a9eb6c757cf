"""Which files a row may mean, by the stems it leads to expect, and which files two people may mean.

Expected are the identity number; the staff number; the name; these written together in any order (张伟_1001, 1001张伟),
which counts as the stronger of the numbers in it; and each with the department before it or behind it. A stem is one of
these exactly, or exactly after width, Unicode form, case, blanks, dots, a known suffix and a known encoding are taken
off (``stems``, ``encodings``). Nothing looks inside a name.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product
from typing import Literal, NamedTuple

from pipeline.domain.roster import Doctor, Field
from pipeline.intake.fields.normalize import is_placeholder, shown, trim
from pipeline.intake.fields.person_ids import person_ids_of
from pipeline.intake.pairing import file_names
from pipeline.intake.pairing.candidates import Candidate, FileNameVariant, Library
from pipeline.intake.pairing.departments import bare_name, is_department
from pipeline.intake.pairing.sealed_people import NO_SEALED, Sealed

COLUMN, CELL, NUMBER, STAFF_NO, NAME = "column", "cell", "id_card_number", "staff_no", "name"
STRENGTH = {COLUMN: 0, CELL: 1, NUMBER: 2, STAFF_NO: 3, NAME: 4}
_SHAREABLE = frozenset({STAFF_NO, NAME})  # two people may have the same; an identity number belongs to one
# the orders in which parts are written, the strongest evidence first: i identity number, s staff number, n name,
# d department
_ORDERS: Mapping[str, str] = {
    NUMBER: "i ni in di dni din nid ind sni nsi ins nis sin isn",
    STAFF_NO: "s ns sn ds dns dsn nsd snd",
    NAME: "n dn nd",
}
_LETTERS = "isnd"
_PLAIN_JOINTS = ("", "_", "-", " ")  # so joined, a stem is what was expected to the letter
MOST = 256  # files looked at for one stem: who has more has to tidy up, and nothing is decided
_READY = frozenset({".png", ".jpg", ".jpeg"})  # taken before one that must be converted

# Where a file stands that is named by a name alone: in the doctor's department, in another one, in some department while
# the row names none, or in none. "namesake": a seal was made elsewhere for another doctor of the name, who is not in the
# roster, and nobody knows from which picture.
Standing = Literal["own", "other", "some", "namesake", ""]
_NOWHERE: tuple[Standing, str] = ("", "")
BARRED = frozenset({"other", "namesake"})  # no evidence, and beside it neither is a name alone


class _Part(NamedTuple):
    """One piece of an expected stem."""

    spellings: tuple[str, ...]  # each of them is it to the letter
    tight: str
    key: str


@dataclass(frozen=True, slots=True)
class ImageMatch:
    """One file that one row may mean: by what evidence, and what lies between its name and the expected one."""

    candidate: Candidate
    evidence: str
    expected: str = field(repr=False)
    why: str = ""  # what was taken off, in symbols; "" for a name to the letter
    department: Standing = ""
    joined: bool = False  # of several parts: 内科张伟, 张伟_1001

    @property
    def order(self) -> tuple[int, bool, bool, str]:
        """What goes first among several claims of one row."""
        unready = self.candidate.extension not in _READY
        return STRENGTH[self.evidence], bool(self.why), unready, self.candidate.relative


@dataclass(frozen=True, slots=True)
class Claims:
    """What every row may mean, in the order of the rows, and the files that more than one person may mean."""

    people: Sequence[Hashable] = field(repr=False)
    of: Sequence[Sequence[ImageMatch]] = field(repr=False)
    fitting: Sequence[Sequence[Candidate]] = field(
        repr=False
    )  # all files that fit a row, also those it gave way to
    rivals: Mapping[Candidate, Sequence[int]] = field(repr=False)  # with the places of all their rows

    def usable(self, claims: Sequence[ImageMatch]) -> list[ImageMatch]:
        """Return the claims that are evidence for their row.

        A file that lies in another department is none, and beside it neither is a name alone: there is a namesake.
        """
        usable = [
            claim
            for claim in claims
            if claim.evidence == COLUMN
            or (claim.candidate not in self.rivals and claim.department not in BARRED)
        ]
        foreign = any(claim.department in BARRED for claim in claims)
        weak = all(claim.evidence == NAME and not claim.department for claim in usable)
        return [] if foreign and weak else usable


def find_matches(doctors: Sequence[Doctor], library: Library, sealed: Sealed = NO_SEALED) -> Claims:
    """Return who may mean which file; it does not depend on the order of rows or files.

    Among namesakes a file belongs to the one whose department its folder or its stem names, if that is one alone.
    ``sealed`` are the people who have a seal, whether or not they stand in the roster.
    """
    people = person_ids_of(doctors)
    departments = _departments(people, doctors)
    known = frozenset(_tight(name) for names in departments.values() for name in names)
    shelf = _Shelf(library)
    claims = [
        list(_claims(doctor, departments.get(person, ()), known, shelf))
        for person, doctor in zip(people, doctors, strict=True)
    ]
    keys = frozenset(doctor.key for doctor in doctors if doctor.key)
    made = [tuple(claim.candidate for claim in own) for own in claims]
    claims = [
        _beside_namesakes(doctor, own, sealed, keys) for doctor, own in zip(doctors, claims, strict=True)
    ]
    return Claims(people, claims, made, _settle(people, claims))


def _beside_namesakes(
    doctor: Doctor, claims: list[ImageMatch], sealed: Sealed, keys: frozenset[str]
) -> list[ImageMatch]:
    """Return a row's claims, those marked that a sealed person outside of the roster may mean as well.

    ``keys`` are the people of the roster. The picture of a new doctor may be that person's, scanned again: a name alone,
    or a staff number alone that was that person's, does not tell them apart, in whichever folder the file lies. Neither
    does it for a doctor who has a seal, where the picture of the other one's seal is not known.
    """
    shared = {claim.evidence for claim in claims} & _SHAREABLE
    if not shared:
        return claims
    name, staff_no = doctor.name or "", doctor.staff_no or ""
    new = not sealed.has(doctor.key)
    namesakes = (
        [each for each in sealed.named(name, new=new) if each.key not in keys] if NAME in shared else []
    )
    before = [
        each
        for each in (sealed.with_staff_no(staff_no, new=new) if STAFF_NO in shared else ())
        if each.key not in keys
        and file_names.comparison_key(each.name or "") != file_names.comparison_key(name)
    ]  # one of the same name is held as possibly the same person

    def is_theirs(claim: ImageMatch) -> bool:
        if claim.evidence == STAFF_NO:
            return bool(before) and file_names.comparison_key(name) not in file_names.comparison_key(
                claim.candidate.stem
            )
        return claim.evidence == NAME and bool(namesakes)

    return [replace(claim, department="namesake") if is_theirs(claim) else claim for claim in claims]


def _departments(people: Sequence[Hashable], doctors: Sequence[Doctor]) -> dict[Hashable, tuple[str, ...]]:
    """Return the departments of every person who has any: who works in two stands on two rows."""
    found: dict[Hashable, set[str]] = {}
    for person, doctor in zip(people, doctors, strict=True):
        if doctor.department and not is_placeholder(doctor.department):
            found.setdefault(person, set()).add(doctor.department)
    return {person: tuple(sorted(departments)) for person, departments in found.items()}


def _settle(people: Sequence[Hashable], claims: list[list[ImageMatch]]) -> dict[Candidate, list[int]]:
    """Return the files that several people may mean.

    One that is exactly somebody's name is taken from whose department and name are that together (南宫明: not 宫明 of
    南); one that a department gives to one person is taken from the rest.
    """
    made: dict[Candidate, list[tuple[int, ImageMatch]]] = {}
    for place, own in enumerate(claims):
        for claim in own:
            if claim.evidence in _SHAREABLE:
                made.setdefault(claim.candidate, []).append((place, claim))
    rivals: dict[Candidate, list[int]] = {}
    lost: dict[int, set[Candidate]] = {}
    for candidate, rows in made.items():
        claimants = {people[place] for place, _ in rows}
        if len(claimants) == 1:
            continue
        by_name = all(claim.evidence == NAME for _, claim in rows)
        owners = (_owners(people, rows) if by_name else set()) or claimants
        for place, _ in rows:
            if people[place] not in owners:
                lost.setdefault(place, set()).add(candidate)
        if len(owners) > 1:
            rivals[candidate] = [place for place, _ in rows if people[place] in owners]
    for place, gone in lost.items():
        claims[place] = [claim for claim in claims[place] if claim.candidate not in gone]
    return rivals


def _owners(people: Sequence[Hashable], rows: Sequence[tuple[int, ImageMatch]]) -> set[Hashable]:
    """Return the people whose file it can be, of those who claim it by name; empty where all of them can."""
    whole = [(place, claim) for place, claim in rows if not claim.joined]
    owners = {people[place] for place, claim in whole or rows if claim.department == "own"}
    if owners or len(whole) in (0, len(rows)):
        return owners
    return {people[place] for place, claim in whole if claim.department not in BARRED}


def names(doctor: Doctor) -> list[str]:
    """Return the name as it is used and as the roster writes it (阿依古丽.买买提): files follow either."""
    written = trim(shown(doctor.row.fields.get(Field.NAME)))
    return [name for name in dict.fromkeys((doctor.name, written)) if name]


class _Shelf:
    """The index of a library, asked only for stems that are as long as one of its own."""

    def __init__(self, library: Library) -> None:
        self._forms = library.forms
        self._lengths = frozenset(map(len, library.forms))
        self._orders: dict[tuple[int, ...], list[tuple[str, str, tuple[int, ...]]]] = {}

    def find(
        self, pieces: Sequence[_Part | None]
    ) -> Iterator[tuple[str, str, list[_Part], Sequence[FileNameVariant]]]:
        """Yield (evidence, order, parts, forms) for each order of the pieces that some stem may have."""
        shape = tuple([len(piece.key) if piece else 0 for piece in pieces])
        orders = self._orders.get(shape)
        if orders is None:
            orders = self._orders[shape] = list(self._possible(dict(zip(_LETTERS, shape, strict=True))))
        for evidence, order, places in orders:
            parts = [piece for place in places if (piece := pieces[place])]
            forms = self._forms.get("".join([part.key for part in parts]))
            if forms:
                yield evidence, order, parts, forms[:MOST]

    def _possible(self, lengths: Mapping[str, int]) -> Iterator[tuple[str, str, tuple[int, ...]]]:
        """Yield (evidence, order, places of its letters among the pieces) for each order that may be as long as a stem."""
        for evidence, orders in _ORDERS.items():
            for order in orders.split():
                if all(map(lengths.get, order)) and sum(map(lengths.__getitem__, order)) in self._lengths:
                    yield evidence, order, tuple(map(_LETTERS.index, order))


def _claims(
    doctor: Doctor, departments: tuple[str, ...], known: frozenset[str], shelf: _Shelf
) -> Iterator[ImageMatch]:
    """Yield the files whose stem is one that this doctor's row leads to expect, each once, by its best evidence."""
    seen: set[Candidate] = set()
    found = (hit for pieces in product(*_pieces(doctor, departments)) for hit in shelf.find(pieces))
    for evidence, order, parts, forms in found:
        for form in forms:
            if form.candidate in seen:
                continue
            joint = file_names.joint(form.tight, [part.tight for part in parts])
            if joint is not None:
                if order == "dn" and _is_cut_short(form, parts[-1].tight):
                    continue
                seen.add(form.candidate)
                stands = (
                    _stands(form, departments, known, in_stem="d" in order) if evidence == NAME else _NOWHERE
                )
                yield _claim(form, evidence, parts, joint, stands)


def _is_cut_short(form: FileNameVariant, name: str) -> bool:
    """Tell whether the name that ends a stem may be the beginning of a longer one: 内科李文章 is not 李文 of 内科."""
    return file_names.seal_may_end_name(name) and file_names.ends_before_seal(form.stem, form.left)


def _claim(
    form: FileNameVariant,
    evidence: str,
    parts: Sequence[_Part],
    joint: str,
    stands: tuple[Standing, str],
) -> ImageMatch:
    department, folder = stands
    expected = _joined([part.spellings[0] for part in parts], "." if joint == "·" else joint)
    steps = [form.encoding, folder]
    if not _to_the_letter(form.stem, parts):
        steps.insert(1, file_names.describe_differences(form.stem, (form.left, form.suffix), expected))
    why = " + ".join(dict.fromkeys(step for step in steps if step))
    return ImageMatch(form.candidate, evidence, expected, why, department, joined=len(parts) > 1)


def _stands(
    form: FileNameVariant, departments: Sequence[str], known: frozenset[str], *, in_stem: bool
) -> tuple[Standing, str]:
    """Return in whose department a file stands, and the encoding by which its folder says so."""
    called = form.candidate.place.called
    if in_stem or not called:
        return "own" if in_stem else "", ""
    own = [_tight(name) for name in departments]
    encodings = [part[name] for part in called for name in own if name in part]
    if encodings:
        return "own", min(encodings)
    bare = {bare_name(name) for name in own}
    foreign = any(
        name in known or (is_department(name) and bare_name(name) not in bare)
        for part in called
        for name in part
    )
    if not foreign:
        return "", ""
    return "other" if departments else "some", ""


def _pieces(doctor: Doctor, departments: tuple[str, ...]) -> tuple[Sequence[_Part | None], ...]:
    """Return what may stand for each letter of an order; a letter that nothing stands for has None."""
    number, staff_no = doctor.number, doctor.staff_no
    # the case of a last x is nobody's choice
    numbers = (number, number[:-1] + number[-1].lower()) if number and number.endswith("X") else (number,)
    staff_nos = () if staff_no is None or is_placeholder(staff_no) else (staff_no,)
    return (
        _parts(numbers if number else ()),
        _parts(staff_nos),
        _parts(tuple(names(doctor))),
        _parts(departments),
    )


@lru_cache(maxsize=4096)  # departments come again
def _parts(spellings: tuple[str, ...]) -> Sequence[_Part | None]:
    """Return the pieces that these are, those that differ in nothing but spelling as one; None if there are none."""
    by_tight: dict[str, tuple[str, ...]] = {}
    for spelling in spellings:
        tight = file_names.comparison_key(spelling)
        by_tight[tight] = (*by_tight.get(tight, ()), spelling)
    parts = [
        _Part(same, tight, file_names.key(tight)) for tight, same in by_tight.items() if file_names.key(tight)
    ]
    return parts or (None,)


def _to_the_letter(stem: str, parts: Sequence[_Part]) -> bool:
    if len(parts) == 1:
        return stem in parts[0].spellings
    return any(
        stem == _joined(written, joint)
        for written in product(*(part.spellings for part in parts))
        for joint in (*_PLAIN_JOINTS, "(")
    )


def _joined(written: Sequence[str], joint: str) -> str:
    return f"{written[0]}({written[1]})" if joint == "(" and len(written) == 2 else joint.join(written)


@lru_cache(maxsize=4096)  # departments come again
def _tight(text: str) -> str:
    return file_names.comparison_key(text)
