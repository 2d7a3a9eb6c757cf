"""Finds the doctors that a query means, with their timelines: in the ledger, and in the folders of runs it does not hold."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Field
from pipeline.domain.row_record import RowLine
from pipeline.domain.site_key import SiteKey
from pipeline.ledger.history import is_anothers_row
from pipeline.ledger.ledger import Ledger
from pipeline.resolution.timeline import PersonTimeline, build_timeline

MAX_SUGGESTIONS = 5
_LAST_FOUR = 4
# a number with zeros before it is a staff number
_ADDRESS = re.compile(r"(?:(?P<file>.+)[:\uff1a])?(?P<row>[1-9][0-9]{0,6})")
_IDENTITY = re.compile(r"[0-9]{17}[0-9X]")
_PERMIT = re.compile(r"[HM][0-9]{8}(?:[0-9]{2})?")
_LIFETIME_LENGTH = 9  # characters of a permit: the last two count its renewals

# a word -> the keys and the lines of rows that it means
LookUp = Callable[[str], tuple[set[str], list[RowLine]]]


@dataclass(frozen=True, slots=True)
class PersonQueryMatch:
    """A person by key, or rows without a usable number that seem to be one person's."""

    key: str | None
    row_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PersonFinder:
    """Finds people by words, and builds their timelines."""

    ledger: Ledger
    site_key: SiteKey
    run_under_way: str | None = None
    same_persons: Mapping[str, str] = field(default_factory=dict)  # key of a corrected number -> its person's

    def list_timelines(self, words: Collection[str]) -> list[PersonTimeline]:
        """Return the timeline of each doctor to whom all of these words belong, in the order of names.

        A word is a name, staff number, last four, seal name, SealId, RequestId, trace id, key, row_id or a whole
        identity number.
        """
        look_up = cache(self._look_up_word)
        matches = [self._match_word(self._hide_number(word), look_up) for word in words]
        people = set.intersection(*matches) if matches else set()
        timelines = [self._build_timeline(match, look_up) for match in people]
        return sorted(timelines, key=_sort_key)

    def list_timelines_of_row(self, address: str) -> list[PersonTimeline]:
        """Return the timelines of the doctors in a row of the last run: ``12``, or ``roster.xlsx:12`` with its file."""
        match = _ADDRESS.fullmatch(address.strip())
        last = self.ledger.get_last_run(complete=True) if match else None
        if match is None or last is None:
            return []
        file, number = Path(match["file"] or "").name.casefold(), int(match["row"])
        lines = [
            self._take_foreign_key(row.read_line())
            for row in self.ledger.list_rows(last.run)
            if row.row == number and file in {"", row.file.casefold()}
        ]
        look_up = cache(self._look_up_word)
        people = self._match_lines(set(), lines, look_up)
        return sorted((self._build_timeline(person, look_up) for person in people), key=_sort_key)

    def suggest_words(self, words: Collection[str]) -> list[str]:
        """Return a few names and staff numbers that are similar to these words."""
        wanted = [word.strip().casefold() for word in words]
        similar = set()
        for person in self.ledger.list_people():
            for known in filter(None, person):
                if any(_is_similar(known.casefold(), word) for word in wanted):
                    similar.add(known)
        length = len("".join(wanted))
        return sorted(similar, key=lambda known: (abs(len(known) - length), known))[:MAX_SUGGESTIONS]

    def _hide_number(self, word: str) -> str:
        """Return a word as it is searched: a whole identity number as its key alone."""
        plain = word.strip()
        number = re.sub(r"[\s-]", "", plain).upper()
        if _IDENTITY.fullmatch(number):
            return self._resolve_key(self.site_key.person(number))
        if _PERMIT.fullmatch(number):
            return self._resolve_key(self.site_key.person(number[:_LIFETIME_LENGTH]))
        return plain

    def _resolve_key(self, key: str) -> str:
        """Return the key of the person to whom a number's key belongs."""
        return self.same_persons.get(key, key)

    def _look_up_word(self, word: str) -> tuple[set[str], list[RowLine]]:
        """Return keys and lines that a word means, whole and without regard to case."""
        if not word:
            return set(), []
        keys: set[str] = set()
        lines: list[RowLine] = []
        spellings = {word, *self._list_spellings([word])}
        for spelling in spellings:
            keys_of_spelling, lines_of_spelling = self.ledger.search_people(spelling)
            keys |= keys_of_spelling
            lines += lines_of_spelling
        return keys, [self._take_foreign_key(line) for line in lines if _is_meant(line, word)]

    def _list_spellings(self, names: Iterable[str | None]) -> set[str]:
        """Return every spelling in the ledger of these names."""
        name_keys = {make_name_key(name) for name in names if name} - {""}
        known = (name for name, _ in self.ledger.list_people() if name)
        return {name for name in known if make_name_key(name) in name_keys}

    def _take_foreign_key(self, line: RowLine) -> RowLine:
        """Return a line, without its key where the number is another person's."""
        if line.key is None or not _is_anothers_line(line, None):
            return line
        name = self.ledger.read_person(self._resolve_key(line.key)).name
        return replace(line, key=None) if _is_anothers_line(line, name) else line

    def _match_word(self, word: str, look_up: LookUp) -> set[PersonQueryMatch]:
        keys, lines = look_up(word)
        return self._match_lines(keys, lines, look_up)

    def _match_lines(
        self, keys: set[str], lines: Iterable[RowLine], look_up: LookUp
    ) -> set[PersonQueryMatch]:
        """Return the people of these keys and lines."""
        all_keys = keys | {line.key for line in lines if line.key}
        people = {PersonQueryMatch(self._resolve_key(key)) for key in all_keys}
        rows_without_owner: defaultdict[object, set[str]] = defaultdict(set)
        for line in lines:
            if line.key:
                continue
            owner = _choose_owner(line, look_up)
            if owner is not None:
                people.add(PersonQueryMatch(self._resolve_key(owner)))
            else:
                name, staff_no = line.get(Field.NAME), line.get(Field.STAFF_NO)
                rows_without_owner[(name, staff_no) if name else line.row_id].add(line.row_id or "")
        return people | {PersonQueryMatch(None, frozenset(ids)) for ids in rows_without_owner.values()}

    def _build_timeline(self, match: PersonQueryMatch, look_up: LookUp) -> PersonTimeline:
        person = self.ledger.read_person(match.key, match.row_ids)
        if match.key is not None:
            names = {person.name, *(row.row.read_line().get(Field.NAME) for row in person.rows)}
            names |= {create.sent_name for create in person.attempts}
            unnumbered = self.ledger.list_rows_without_number(sorted(self._list_spellings(names)))
            row_ids = {line.row_id or "" for line in unnumbered if _choose_owner(line, look_up) == match.key}
            if row_ids:
                person = self.ledger.read_person(match.key, row_ids)
        return build_timeline(person, get_run=cache(self.ledger.get_run), run_under_way=self.run_under_way)


def _is_anothers_line(line: RowLine, person_name: str | None) -> bool:
    return is_anothers_row(line.status.value, line.codes, line.get(Field.NAME), person_name)


def _sort_key(timeline: PersonTimeline) -> tuple[str, str, str]:
    return timeline.name or "", timeline.staff_no or "", timeline.id_masked or ""


def _is_meant(line: RowLine, word: str) -> bool:
    wanted = word.casefold()
    own_words = [line.key, line.row_id, line.seal_id, line.request_id, line.trace_id]
    own_words += [line.get(Field.STAFF_NO), line.get(Field.SEAL_NAME)]
    if any(own_word.casefold() == wanted for own_word in own_words if own_word):
        return True
    name = line.get(Field.NAME)
    if name and make_name_key(name) == make_name_key(word):
        return True
    number = line.get(Field.NUMBER) or ""
    return len(word) == _LAST_FOUR and number[-_LAST_FOUR:].casefold() == wanted


def choose_unique_word(timeline: PersonTimeline, others: Collection[PersonTimeline]) -> str:
    """Return a word that means this doctor and none of the others, if possible one that the doctor's badge shows."""
    taken = {word.casefold() for other in others for word in _list_words(other)}
    words = _list_words(timeline)
    return next((word for word in words if word.casefold() not in taken), words[-1])


def _list_words(timeline: PersonTimeline) -> list[str]:
    last_four = (timeline.id_masked or "")[-_LAST_FOUR:]
    row_id = timeline.newest_row.row_id if timeline.newest_row else None
    words = (timeline.staff_no, last_four, timeline.seal_name, timeline.key or row_id)
    return [word for word in words if word]


def _choose_owner(line: RowLine, look_up: LookUp) -> str | None:
    """Return whose row it is although its number is unusable: the same name with the same staff number or address.

    For display alone; nothing is ever sent on such evidence. None where two people fit.
    """
    name, staff_no = line.get(Field.NAME), line.get(Field.STAFF_NO)
    if not name:
        return None
    _, lines = look_up(name)
    name_key = make_name_key(name)
    namesakes = [
        other for other in lines if other.key and make_name_key(other.get(Field.NAME) or "") == name_key
    ]
    same_staff_no = {other.key for other in namesakes if staff_no and other.get(Field.STAFF_NO) == staff_no}
    same_address = {
        other.key
        for other in namesakes
        if (other.path, other.sheet, other.row) == (line.path, line.sheet, line.row)
        and not (staff_no and other.get(Field.STAFF_NO))
    }
    owners = same_staff_no or same_address
    return owners.pop() if len(owners) == 1 else None


def _is_similar(known: str, word: str) -> bool:
    """Return whether a word may mean a known one: a part of it, the same staff number, or one character different."""
    if not word:
        return False
    if known.isdecimal() or word.isdecimal():
        return known.lstrip("0") == word.lstrip("0")
    if len(word) > 1 and (word in known or known in word):
        return True
    differences = sum(mine != yours for mine, yours in zip(known, word, strict=False))
    return len(known) == len(word) > 2 and differences == 1
