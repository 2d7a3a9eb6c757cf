"""Compares rows with the people and the seals that the ledger knows.

Compared is content. Also found is the known person whose corrected number a row may give, by name key, staff number,
mobile and picture. Two of these four agree: the row is held until a person decides. Sent, it would make a second seal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from pipeline.clock import local_date
from pipeline.domain.fields import FIELDS, list_content
from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Doctor, Field, Problem
from pipeline.domain.run import RowPlan, Status
from pipeline.domain.seals import (
    Attempt,
    LedgerSnapshot,
    Person,
    PersonDigests,
    SealContent,
    are_declared_two,
)
from pipeline.domain.site_key import SiteKey
from pipeline.errors import NotReadNow
from pipeline.intake.images.prepare import ImageExaminer
from pipeline.messages.problems import build_problem

# of each field that is content: its attribute of `SealContent`, whether a blank value differs from another one
_CONTENT = tuple(
    (field, definition.content, definition.blank_is_content)
    for field, definition in FIELDS.items()
    if definition.content
)
_KNOWN_STATUSES = frozenset({Status.UNCHANGED, Status.CHANGED, Status.UNKNOWN, Status.EXISTS})
POSSIBLY_SAME = "PERSON_POSSIBLY_SAME"
_LAST_FOUR = 4
_ENOUGH = 2  # of the four traits
# people whose picture is compared with a row's: one mobile may be a ward's. A picture of one more stops the row when it
# is prepared (IMAGE_SHARED)
_MOST_COMPARED = 10

Trait = tuple[Field, str]  # a field and its value: the name key, or a digest
Known = tuple[Person, Attempt]


def unite_persons(doctors: Sequence[Doctor], snapshot: LedgerSnapshot) -> list[Doctor]:
    """Return the doctors with the key of their person in the ledger, for every number of that person."""
    united = []
    for doctor in doctors:
        key = snapshot.same_persons.get(doctor.key, doctor.key) if doctor.key is not None else None
        united.append(doctor if key == doctor.key else replace(doctor, key=key))
    return united


def compute_new_digests(row_plans: Iterable[RowPlan], site_key: SiteKey) -> dict[str, PersonDigests]:
    """Return, by key, staff number and mobile of known people where their rows differ from the ledger.

    Of several rows of a person the first one counts: with all of them the ledger would change in every run.
    """
    new_digests: dict[str, PersonDigests] = {}
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
            mobile = site_key.digest(doctor.mobile) if doctor.mobile else None
        else:
            continue
        seen.add(person.key)
        digests = PersonDigests(
            site_key.digest(doctor.comparable_staff_no) if doctor.comparable_staff_no else "", mobile or ""
        )
        is_new = digests.staff_no not in {"", person.staff_no}
        if is_new or digests.mobile not in {"", person.mobile}:
            new_digests[person.key] = digests
    return new_digests


# -- seals


def build_seal_content(doctor: Doctor, site_key: SiteKey) -> SealContent:
    """Return the content of the seal that a row asks for."""
    assert doctor.name
    assert doctor.number
    assert doctor.picture
    return SealContent(**list_content(doctor, site_key), pixels=None)


def as_planned(content: SealContent) -> SealContent:
    """Return an attempt's content without the digest that only the preparation of its picture finds."""
    return replace(content, pixels=None)


def list_differences(doctor: Doctor, seal: Attempt, site_key: SiteKey, images: ImageExaminer) -> list[Field]:
    """Return the fields in which a row differs from its seal; a field that the row does not give is not compared."""
    content = seal.content
    if content is None:  # adopted: its content is not known
        return []
    row_content = list_content(doctor, site_key)
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


def has_other_staff_no(doctor: Doctor, person: Person, site_key: SiteKey) -> bool:
    """Return whether a row has another staff number than the one by which the ledger knows the person."""
    staff_no = doctor.comparable_staff_no
    return bool(staff_no and person.staff_no and site_key.digest(staff_no) != person.staff_no)


def list_adopted_differences(doctor: Doctor, person: Person, site_key: SiteKey) -> list[Field]:
    """Return the name where a row has another name and another staff number than the doctor of an adopted seal."""
    is_other_person = _has_other_name(doctor, person) and has_other_staff_no(doctor, person, site_key)
    return [Field.NAME] if is_other_person else []


def _has_other_name(doctor: Doctor, person: Person) -> bool:
    """Return whether a row has another name than the doctor of a seal, and not only another spelling."""
    content = person.seal.content if person.seal else None
    known = content.name if content else person.name
    return bool(doctor.name and known) and make_name_key(doctor.name or "") != make_name_key(known or "")


def describe_differences(
    doctor: Doctor, differences: Sequence[Field], person: Person, site_key: SiteKey
) -> Problem:
    """Return the problem of a person whose row differs from the seal.

    With another name and another staff number the row may be another person's, and its number wrong.
    """
    if (
        Field.NAME in differences
        and _has_other_name(doctor, person)
        and has_other_staff_no(doctor, person, site_key)
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


# --- the same person under a corrected number


class KnownPersons:
    """People with a live seal or an unresolved attempt, by traits of which the ledger alone shows at least one.

    The rows of this run are compared with each other before (`get_present_person`).
    """

    def __init__(
        self,
        snapshot: LedgerSnapshot,
        doctors: Sequence[Doctor],
        site_key: SiteKey,
        images: ImageExaminer,
    ) -> None:
        """Keep what they are found in."""
        self._snapshot, self._doctors = snapshot, doctors
        self._site_key = site_key
        self._images = images

    @cached_property
    def _by_trait(self) -> Mapping[Trait, Sequence[Known]]:
        rows: defaultdict[str | None, list[Doctor]] = defaultdict(list)
        for doctor in self._doctors:
            rows[doctor.key].append(doctor)
        by_trait: defaultdict[Trait, list[Known]] = defaultdict(list)
        for key, person in self._snapshot.people.items():
            made = person.seal or person.unresolved_attempt
            if made is not None:
                for trait in self._list_known_traits(person, made, rows.get(key, ())):
                    by_trait[trait].append((person, made))
        return by_trait

    def _list_known_traits(self, person: Person, made: Attempt, rows: Sequence[Doctor]) -> set[Trait]:
        """Return a person's traits: those of the rows, and the ledger's where all rows are blank; none if none is blank."""
        known: set[Trait] = set()
        if not any(row.staff_no for row in rows) and person.staff_no:
            known.add((Field.STAFF_NO, person.staff_no))
        if not any(row.mobile for row in rows):
            mobiles = {person.mobile, made.content.mobile if made.content else None}
            known |= {(Field.MOBILE, mobile) for mobile in mobiles if mobile}
        if rows and not known:
            return known
        known |= {(Field.NAME, name_key) for name_key in list_name_keys(person, made)}
        return known.union(*(_list_traits(row, self._site_key) for row in rows))

    def get_possibly_same(self, doctor: Doctor) -> tuple[Person, list[Field]] | None:
        """Return the person whom a row may be, and the fields that agree; None for a new person."""
        if not self._by_trait:
            return None
        candidates: dict[str, tuple[Known, list[Field]]] = {}
        for trait in _list_traits(doctor, self._site_key):
            for known in self._by_trait.get(trait, ()):
                candidates.setdefault(known[0].key, (known, []))[1].append(trait[0])
        compared = 0
        for (person, made), agreeing in sorted(candidates.values(), key=lambda one: _sort_key(*one[0])):
            if are_declared_two(self._snapshot.other_persons, person.key, doctor.key):
                continue
            compared += 1
            if compared <= _MOST_COMPARED and self._has_its_picture(doctor, made.content):
                agreeing.append(Field.PICTURE)
            if len(agreeing) >= _ENOUGH:
                return person, agreeing
        return None

    def _has_its_picture(self, doctor: Doctor, content: SealContent | None) -> bool:
        image = doctor.picture or doctor.held_image
        if image is None or content is None:
            return False
        try:
            return self._images.is_same_image(image, content)
        except NotReadNow:
            return False


def get_present_person(doctor: Doctor, snapshot: LedgerSnapshot) -> tuple[Person, list[Field]] | None:
    """Return the person of another row of this run whose corrected number a row may give, and the fields that agree.

    Such a person has a live seal or an unresolved attempt; the conflict of the rows is known already.
    """
    people = (snapshot.people.get(key) for key in doctor.possibly_same)
    known = [person for person in people if person and (person.seal or person.unresolved_attempt)]
    conflict = get_possibly_same_problem(doctor)
    if not known or conflict is None:
        return None
    return known[0], [Field(field) for field in conflict.detail["same"].split(", ")]


def get_possibly_same_problem(doctor: Doctor) -> Problem | None:
    """Return the problem of a row that may be the person of another row of this run."""
    return next((problem for problem in doctor.problems if problem.code == POSSIBLY_SAME), None)


def describe_possibly_same(
    doctor: Doctor, person: Person, agreeing_fields: Sequence[Field]
) -> tuple[Doctor, Problem]:
    """Return the row and the problem that it may be a person with a seal, or with a create that has no verdict.

    Where that person's row is in this run, the problem takes the place of the conflict of the rows.
    """
    detail = {
        "sealed": person.seal_name or "—",
        "tail": (person.id_masked or "—")[-_LAST_FOUR:],
        "agreed": " ".join(agreeing_fields),
    }
    if person.seal:
        detail |= {"seal": person.seal.seal_id or "", "day": local_date(person.seal.made_at).isoformat()}
    elif person.unresolved_attempt:
        detail |= {
            "trace": person.unresolved_attempt.uuid,
            "day": local_date(person.unresolved_attempt.signed_at).isoformat(),
        }
    conflict = get_possibly_same_problem(doctor)
    if conflict is not None and person.key in doctor.possibly_same:
        detail["other"] = conflict.detail["other"]
        doctor = replace(doctor, problems=tuple(one for one in doctor.problems if one is not conflict))
    return doctor, Problem(POSSIBLY_SAME, "error", Field.NUMBER, doctor.row.address(Field.NUMBER), detail)


def list_name_keys(person: Person, made: Attempt) -> set[str]:
    """Return the keys of a known person's names: the newest one, and the one that was sent."""
    names = {person.name, made.content.name if made.content else None}
    return {make_name_key(name) for name in names if name}


def _list_traits(doctor: Doctor, site_key: SiteKey) -> Iterator[Trait]:
    if doctor.name:
        yield Field.NAME, make_name_key(doctor.name)
    if doctor.comparable_staff_no:
        yield Field.STAFF_NO, site_key.digest(doctor.comparable_staff_no)
    if doctor.mobile:
        yield Field.MOBILE, site_key.digest(doctor.mobile)


def _sort_key(person: Person, made: Attempt) -> tuple[float, str]:
    return made.made_at if made.has_seal else made.signed_at, person.key
