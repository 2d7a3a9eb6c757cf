"""Evidence over time: whose picture a file may be according to all earlier runs.

A name or staff number that another person has ever had is no evidence by itself. A picture that an earlier run gave to a
person, or that may then have belonged to two people, is evidence for another person only by the identity number of that
other person, even if the first person is not in the rosters of this run. One of these is evidence for a row:

* the name of the file holds the row's own identity number;
* a reviewer judged this picture right for this doctor;
* a person gave this picture to this doctor, and no earlier run gave it to another one. That an earlier run saw it contested counts
  no more: the person decided it. What was decided on another doctor, or on this one under another number or name, is as good as
  given by an earlier run (`decided_pictures`);
* an earlier run gave these bytes or pixels to this doctor, not by a decision that was withdrawn, and no run saw them with
  another doctor. Other bytes at the same path are another picture;
* otherwise, no other doctor is known by the name or staff number that matches the file.

A file whose name or folder holds a whole identity number is that person's and no other doctor's, also where no run has
seen the person. The row's own numbers, those that a person decided to be the doctor's, a picture that was judged right or
given to the doctor are no doubt.

For a doctor with a seal, or with a create without a verdict, nothing is sent: the matched picture is compared, and the
file is not tied to the doctor.

Only this module holds the rule. `match.py` asks it for every picture that the evidence of this run matches.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from pipeline.domain.masking import mask_text
from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import CellKind, Doctor, EmbeddedImage, Field, ImageFile, Row, fold_staff_no
from pipeline.domain.seals import Bearer, PictureDecision
from pipeline.domain.site_key import PLAIN_KEY, SiteKey
from pipeline.intake.fields.id_number import list_whole_numbers
from pipeline.intake.fields.normalize import drop_spaces, fold_width, get_field_text, is_placeholder
from pipeline.intake.images.image_files import mask_file_name
from pipeline.intake.images.prepare import ImageExaminer
from pipeline.intake.pairing.claims import CELL, COLUMN, GIVEN, NAME, NUMBER, STAFF_NO, Claim
from pipeline.intake.pairing.decided_pictures import DecidedPictures
from pipeline.intake.pairing.image_index import list_variants
from pipeline.intake.pairing.mentions import Mentions
from pipeline.intake.pairing.picture_column import list_contested_images
from pipeline.intake.pairing.row_values import bears_name, list_names
from pipeline.intake.person_ids import KEPT_DIGITS, get_kept_digits

_TRACE_CHARS = 10  # hexadecimal: enough to compare the few numbers of one name
_ANOTHERS_NUMBER = "ID_NAME_CONFLICT"  # the row's number is perhaps another person's
# as comparison keys: identity cards, permits, other cards
_NUMBER = re.compile(r"[0-9]{17}[0-9x]|[a-z][0-9a-z()]{6,19}")
_PERMIT = re.compile(r"[hm][0-9]{8,10}")
_LIFETIME = 9  # characters of a permit that no renewal changes
_WHOLE = 18  # characters of an identity number
_SHORTEST = 8  # characters from which on one that is wrong leaves a number recognizable


NO_DECISIONS = DecidedPictures()


@dataclass(frozen=True, slots=True)
class EvidenceRecords:
    """What the ledger and its site key give to the rule."""

    bearers: Sequence[Bearer] = field(default=(), repr=False)
    site_key: SiteKey = PLAIN_KEY
    # keys of people with a live seal or a create without a verdict: nothing is sent for them
    settled_keys: Collection[str] = field(default=(), repr=False)
    # keys of people of whom there is more than a row: a seal, a create or a decision
    acted_keys: Collection[str] = field(default=(), repr=False)
    same_persons: Mapping[str, str] = field(
        default_factory=dict, repr=False
    )  # key of a corrected number -> key
    other_persons: frozenset[tuple[str, str]] = field(
        default=frozenset(), repr=False
    )  # keys that a person distinguished
    decided: DecidedPictures = field(default=NO_DECISIONS, repr=False)
    images: ImageExaminer | None = field(default=None, repr=False)  # None: pixels are not compared


NO_RECORDS = EvidenceRecords()


class EarlierEvidence:
    """Finds the earlier doctor whose picture a file may be; an empty ledger knows none."""

    def __init__(self, records: EvidenceRecords = NO_RECORDS) -> None:
        """Index the bearers."""
        self._records = records
        self._by_key: defaultdict[str, list[Bearer]] = defaultdict(list)
        self._by_name: defaultdict[str, list[Bearer]] = defaultdict(list)
        self._by_staff_no: defaultdict[str, list[Bearer]] = defaultdict(list)
        self._by_path: defaultdict[str, list[Bearer]] = defaultdict(list)
        self._by_picture: defaultdict[str, list[Bearer]] = defaultdict(list)
        self._by_pixels: defaultdict[str, list[Bearer]] = defaultdict(list)
        self._without_key: list[Bearer] = []
        for stored in records.bearers:
            key = records.same_persons.get(stored.key, stored.key)
            bearer = stored if key == stored.key else replace(stored, key=key)
            for index, value in (
                (self._by_key, bearer.key),
                (self._by_name, bearer.name),
                (self._by_staff_no, bearer.staff_no),
                (self._by_path, bearer.path),
                (self._by_picture, bearer.picture),
                (self._by_pixels, bearer.pixels),
            ):
                if value:
                    index[value].append(bearer)
            if not bearer.key:
                self._without_key.append(bearer)

    # -- the rule

    @property
    def decided(self) -> DecidedPictures:
        """What people decided on pictures."""
        return self._records.decided

    def get_other_person(
        self, doctor: Doctor, claim: Claim, image: ImageFile | None, mentions: Mentions
    ) -> Bearer | PictureDecision | str | None:
        """Return an earlier doctor, a decision, else the identity number, of the person whose picture a file may be.

        None where the file is evidence for the row. ``image`` is what the file holds, None where that cannot be read;
        ``mentions`` knows what in the names of the files of entries may be another person's.
        """
        bearer = self._get_other_bearer(doctor, claim, image, mentions)
        return bearer or self._get_other_number(doctor, claim, image)

    def _get_other_bearer(
        self, doctor: Doctor, claim: Claim, image: ImageFile | None, mentions: Mentions
    ) -> Bearer | PictureDecision | None:
        """Return an earlier doctor whose picture a file may be, None where it is evidence for the row."""
        if claim.kind == NUMBER or not (self._records.bearers or self.decided):
            return None
        person = _Person(doctor, self._records.site_key)
        ties = []
        if image is not None:
            if self.decided.is_right(doctor, image):
                return None
            if other := self._get_other_owner(doctor, image, person, path=True):
                return other
            if self.decided.is_given(doctor, image):
                return None
            ties = self._list_ties(image, path=True)
        other = self._choose_other(self._list_namesakes(doctor, claim, person, mentions), person)
        own_ties = [tie for tie in ties if not tie.is_contested]
        return None if other is None or self._had_picture(own_ties, image) else other

    def _get_other_owner(
        self, doctor: Doctor, image: ImageFile, person: _Person, *, path: bool
    ) -> Bearer | PictureDecision | None:
        """Return an earlier doctor who had a picture, else a decision on it that is not the doctor's.

        That an earlier run saw it contested does not count against the one to whom a person gave it.
        """
        ties = self._list_ties(image, path=path)
        if self.decided.is_given(doctor, image):
            ties = [tie for tie in ties if not tie.is_contested]
        decision = self.decided.get_other(doctor, image, may_open=not self.is_settled(doctor))
        return decision or self._choose_other(ties, person)

    def _had_picture(self, ties: Sequence[Bearer], image: ImageFile | None) -> bool:
        """Return whether one of these bearers had the very picture: other bytes at its path are another one."""
        if image is None or not ties:
            return False
        if any(tie.picture == image.sha256 for tie in ties):
            return True
        images = self._records.images
        pixels = images.examine(image).pixels if images is not None else None
        return pixels is not None and any(tie.pixels == pixels for tie in ties)

    def _get_other_number(self, doctor: Doctor, claim: Claim, image: ImageFile | None) -> str | None:
        """Return a whole identity number in the path of a file that is not the doctor's, None where there is none."""
        if claim.kind == NUMBER or doctor.number is None:
            return None
        numbers = list_whole_numbers(claim.candidate.relative_path)
        if not numbers:
            return None
        if image is not None and self.decided.is_decided(doctor, image):
            return None
        own = _list_numbers_of_row(doctor)
        others = (
            number for number in numbers if number not in own and not self._is_earlier_number(doctor, number)
        )
        return next(others, None)

    def _is_earlier_number(self, doctor: Doctor, number: str) -> bool:
        """Return whether a person decided that a number is the doctor's under an earlier or a corrected number."""
        same, key = self._records.same_persons, self._records.site_key.person(number)
        return doctor.key is not None and same.get(key, key) == same.get(doctor.key, doctor.key)

    def get_other_owner(self, doctor: Doctor, image: ImageFile) -> Bearer | None:
        """Return an earlier doctor whose picture a file is, by its bytes, pixels or path, independent of its name.

        One who only might have had it is none.
        """
        ties = [tie for tie in self._list_ties(image, path=True) if not tie.is_contested]
        return self._choose_other(ties, _Person(doctor, self._records.site_key))

    def get_other_owner_of_cell(self, doctor: Doctor, cell: EmbeddedImage) -> Bearer | PictureDecision | None:
        """Return an earlier doctor whose picture the one in the row's own cell was, or a decision; None where there is none."""
        if not (self._records.bearers or self.decided) or self.decided.is_right(doctor, cell.picture):
            return None
        person = _Person(doctor, self._records.site_key)
        return self._get_other_owner(doctor, cell.picture, person, path=False)

    def is_settled(self, doctor: Doctor) -> bool:
        """Return whether nothing is sent for a doctor: the picture is only compared with that of the seal."""
        return doctor.key in self._records.settled_keys

    def _list_ties(self, image: ImageFile, *, path: bool) -> list[Bearer]:
        """Return the earlier doctors who had these bytes, or a file at this path, else those who had these pixels."""
        ties = list(self._by_picture.get(image.sha256, ()))
        if path:
            ties += self._by_path.get(self._records.site_key.digest(image.location), ())
        images = self._records.images
        if ties or not self._by_pixels or images is None:
            return ties
        return list(self._by_pixels.get(images.examine(image).pixels or "", ()))

    def _list_namesakes(
        self, doctor: Doctor, claim: Claim, person: _Person, mentions: Mentions
    ) -> list[Bearer]:
        """Return the earlier doctors who bore the name or staff number by which a file is found, or that an entry names."""
        if claim.kind == NAME:
            return [bearer for name in person.names for bearer in self._by_name.get(name, ())]
        if claim.kind == STAFF_NO:
            bearers = self._by_staff_no.get(person.staff_no, ())
            if bears_name(claim, doctor):
                return [bearer for bearer in bearers if bearer.name in person.names]
            return list(bearers)
        if claim.kind != COLUMN:
            return []
        names = mentions.list_other_names(claim, doctor)
        numbers = mentions.list_other_numbers(claim, doctor)
        return [*self._list_bearers_of_texts(names, numbers), *self._list_bearers_of_stem(claim, person)]

    def _list_bearers_of_texts(self, names: Iterable[str], numbers: Iterable[str]) -> Iterator[Bearer]:
        """Yield the earlier doctors whose name or staff number is one of these."""
        digest = self._records.site_key.digest
        for name in names if self._by_name else ():
            yield from self._by_name.get(digest(name), ())
        for number in numbers if self._by_staff_no else ():
            yield from self._by_staff_no.get(digest(fold_staff_no(number)), ())

    def _list_bearers_of_stem(self, claim: Claim, person: _Person) -> Iterator[Bearer]:
        """Yield the earlier doctors whose name, staff number or identity number the stem of an entry's file is."""
        site_key = self._records.site_key
        for variant in list_variants(claim.candidate):
            name = site_key.digest(make_name_key(variant.base))
            staff_no = site_key.digest(fold_staff_no(variant.base))
            if name in person.names or staff_no == person.staff_no:
                return
            yield from self._by_name.get(name, ())
            yield from self._by_staff_no.get(staff_no, ())
            for number in list_lifetime_numbers(variant.comparison_key):
                yield from self._by_key.get(site_key.person(number), ())

    def _choose_other(self, bearers: Iterable[Bearer], person: _Person) -> Bearer | None:
        """Return the first bearer who is another person, one who had the picture before one who contested it."""
        others = [bearer for bearer in bearers if not self._is_same_person(bearer, person)]
        return min(others, key=lambda bearer: (bearer.is_contested, not bearer.shown_name), default=None)

    # -- who is the same person

    def _is_same_person(self, bearer: Bearer, person: _Person) -> bool:
        """Return whether an earlier row is the doctor's.

        Two usable numbers are compared as numbers. Where one of them is damaged, the name and what is left of the number
        decide. A number that was replaced by another one is a correction if the name and the mobile stayed, or the staff number
        of a person without seal, create and decision, and no row of another name ever had the new number.
        """
        if bearer.key and bearer.key == person.key:
            return True
        if {(bearer.key, person.key), (person.key, bearer.key)} & self._records.other_persons:
            return False
        digits = frozenset(bearer.digits.split())
        if digits & person.traces:
            return not bearer.name or bearer.name in person.names
        if bearer.name not in person.names:
            return False
        if (bearer.key and person.key) or (digits and person.traces):
            is_same = bool(bearer.mobile) and bearer.mobile == person.mobile
            if bearer.key not in self._records.acted_keys:
                is_same = is_same or (bool(bearer.staff_no) and bearer.staff_no == person.staff_no)
            return is_same and not self._is_claimed(person)
        return _share_traits(bearer, person)

    def _is_claimed(self, person: _Person) -> bool:
        """Return whether an earlier row of another name had the doctor's number."""
        for bearer in (*self._by_key.get(person.key, ()), *self._without_key):
            if bearer.name and bearer.name not in person.names:
                has_key = bool(bearer.key) and bearer.key == person.key
                if has_key or not person.traces.isdisjoint(bearer.digits.split()):
                    return True
        return False

    # -- what this run adds

    def list_new_bearers(self, doctors: Iterable[Doctor], run: str) -> list[Bearer]:
        """Return what the rows of a run show that the ledger does not hold yet."""
        new: dict[Bearer, None] = {}
        known = set(self._records.bearers)
        for doctor in doctors:
            for bearer in _list_bearers(doctor, self._records.site_key, run):
                if bearer not in known:
                    new.setdefault(bearer)
        return list(new)

    def list_new_persons(self, doctors: Iterable[Doctor], run: str) -> list[Bearer]:
        """Return who stands in the rows of a check with which name and staff number, as far as the ledger does not hold it yet.

        No picture is tied to a person: a check only shows it.
        """
        known = set(map(_drop_picture, self._records.bearers))
        new: dict[Bearer, None] = {}
        for doctor in doctors:
            for bearer in _list_bearers(doctor, self._records.site_key, run):
                person = _drop_picture(bearer)
                if person not in known:
                    new.setdefault(person)
        return list(new)


class _Person:
    """The doctor of a row, as bearers are compared with it; each value is computed when it is needed."""

    def __init__(self, doctor: Doctor, site_key: SiteKey) -> None:
        self._doctor, self._site_key = doctor, site_key
        self.key = doctor.key or ""

    @cached_property
    def names(self) -> frozenset[str]:
        """The HMACs of the name as it is used and as it is written."""
        return frozenset(self._site_key.digest(make_name_key(name)) for name in list_names(self._doctor))

    @cached_property
    def staff_no(self) -> str:
        """The HMAC of the staff number, "" for none."""
        staff_no = self._doctor.comparable_staff_no
        return self._site_key.digest(staff_no) if staff_no and not is_placeholder(staff_no) else ""

    @cached_property
    def mobile(self) -> str:
        """The HMAC of the mobile, "" for none."""
        return self._site_key.digest(self._doctor.mobile) if self._doctor.mobile else ""

    @cached_property
    def traces(self) -> frozenset[str]:
        """The HMACs of the traces of the number."""
        return frozenset(
            self._site_key.digest(trace)[:_TRACE_CHARS] for trace in list_number_traces(self._doctor.row)
        )


def _share_traits(bearer: Bearer, person: _Person) -> bool:
    """Return whether staff number or mobile agree; without any to compare the name alone decides."""
    pairs = ((bearer.staff_no, person.staff_no), (bearer.mobile, person.mobile))
    agree = [one == other for one, other in pairs if one and other]
    return any(agree) or not agree


def _list_bearers(doctor: Doctor, site_key: SiteKey, run: str) -> Iterator[Bearer]:
    """Yield what a row shows: the doctor with the picture that was given, with each contested one, or with none."""
    person = _Person(doctor, site_key)
    has_own_number = not any(problem.code == _ANOTHERS_NUMBER for problem in doctor.problems)
    key = person.key if has_own_number else ""
    names = list_names(doctor)
    digits = "" if key else " ".join(sorted(person.traces))
    if not (key or names or digits):
        return  # nothing is known of the person
    origin = doctor.row.origin
    make_bearer = partial(
        Bearer,
        key=key,
        name=site_key.digest(make_name_key(names[0])) if names else "",
        staff_no=person.staff_no,
        mobile=person.mobile,
        digits=digits,
        shown_name=mask_text(names[0]) if names else "",
        position=" ".join(
            filter(
                None, (mask_file_name(origin.file), origin.sheet and mask_text(origin.sheet), str(origin.row))
            )
        ),
        run=run,
    )
    contested = list_contested_images(doctor)
    is_tied = doctor.picture is not None and doctor.held_image is None
    if not (is_tied or contested):
        yield make_bearer()
    if doctor.picture is not None and is_tied:
        path = "" if doctor.evidence == CELL else site_key.digest(doctor.picture.location)
        # a picture that a person gave is evidence by that decision alone, until it is withdrawn
        is_given = doctor.evidence == GIVEN
        yield make_bearer(path=path, picture=doctor.picture.sha256, is_contested=is_given)
    for image in contested:
        yield make_bearer(path=site_key.digest(image.location), picture=image.sha256, is_contested=True)


def _drop_picture(bearer: Bearer) -> Bearer:
    return replace(bearer, path="", picture="", pixels="", is_contested=False)


def _list_numbers_of_row(doctor: Doctor) -> set[str]:
    """Return the identity numbers in a row but for those in its picture entry."""
    entry = doctor.row.fields.get(Field.PICTURE)
    texts = [cell.display_text for cell in doctor.row.cells if cell is not entry]
    return {doctor.number or "", *(number for text in texts for number in list_whole_numbers(text))}


def list_number_traces(row: Row) -> list[str]:
    """Return the traces of the number that a row gives, whether or not it can be used; none for a blank cell.

    Two numbers share a trace if they are equal but for one character, two neighbouring ones, or one that is missing;
    if a spreadsheet kept the first 15 digits of one of them; or if one is the other's form of 15 digits.
    """
    cell = row.fields.get(Field.NUMBER)
    text = "".join(filter(str.isalnum, drop_spaces(fold_width(get_field_text(row, Field.NUMBER))))).upper()
    if cell is None or not any(map(str.isdigit, text)):
        return []
    if (cell.kind is CellKind.NUMBER or "E" in text) and (kept := get_kept_digits(cell)):
        return [f"{kept}+"]
    traces = {text}
    if len(text) >= _SHORTEST:
        for start in range(len(text)):
            traces.add(f"{text[:start]}?{text[start + 1 :]}")
            traces.add(f"{text[:start]}??{text[start + 2 :]}")
            traces.add(text[:start] + text[start + 1 :])
    if len(text) == _WHOLE:
        traces.add(f"{text[:KEPT_DIGITS]}+")
        traces.add(text[:6] + text[8:17])  # the form of 15 digits lacks the century and the check character
    return sorted(traces)


def list_lifetime_numbers(comparison_key: str) -> Iterator[str]:
    """Yield the lifetime numbers that a text may be, none for one that has not the form of an identity number."""
    if _NUMBER.fullmatch(comparison_key):
        yield comparison_key.upper()
        if _PERMIT.match(comparison_key):
            yield comparison_key[:_LIFETIME].upper()
