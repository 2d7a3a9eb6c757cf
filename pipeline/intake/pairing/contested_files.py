"""Files that a row's picture entry names and that are another doctor's by their name: no one gets them.

A file is another doctor's if that doctor's row matches it by name (``evidence``). If its name or its folder only holds the
doctor's name, staff number or mobile (``file_texts``), it is another's where that doctor's entry names it as well; otherwise
it may be another's, and a person decides. A file that fits the row of the entry by its name as well (namesakes) belongs
to the entry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pipeline.domain.roster import Doctor
from pipeline.intake.fields.normalize import is_placeholder
from pipeline.intake.pairing.evidence import ImageMatches
from pipeline.intake.pairing.expected_names import ImageMatch, list_rows_by_name
from pipeline.intake.pairing.file_names import comparison_key
from pipeline.intake.pairing.file_texts import FileTexts
from pipeline.intake.pairing.image_index import Candidate


class ContestedFiles:
    """Finds the files that entries name and that are another doctor's by name."""

    def __init__(
        self,
        doctors: Sequence[Doctor],
        entry_matches: Sequence[Sequence[ImageMatch]],
        matches: ImageMatches,
        texts: FileTexts,
    ) -> None:
        """Index the files that entries name, and the rows by the names and numbers of their doctors."""
        self._doctors, self._person_ids, self._texts = doctors, matches.person_ids, texts
        self._naming: defaultdict[Candidate, list[tuple[int, ImageMatch]]] = defaultdict(list)
        self._users: defaultdict[Candidate, set[int]] = defaultdict(set)  # the rows whose entries name a file
        for row, entry in enumerate(entry_matches):
            own = {match.candidate for match in matches.by_row[row]} if entry else ()
            for match in entry:
                self._users[match.candidate].add(row)
                if match.candidate not in own:
                    self._naming[match.candidate].append((row, match))
        self._rows_by_name: Mapping[str, Sequence[int]] = {}
        self._rows_by_number: defaultdict[str, list[int]] = defaultdict(list)  # staff numbers and mobiles
        self._bearing: defaultdict[Candidate, list[int]] = defaultdict(list)
        if self._naming:
            self._index_rows(matches)
        # by file and row of an entry: the rows of the doctors of whom the file holds name or number
        self.doubts = dict(self._list_doubts())

    def _index_rows(self, matches: ImageMatches) -> None:
        self._rows_by_name = list_rows_by_name(self._doctors)
        for row, doctor in enumerate(self._doctors):
            for number in (doctor.staff_no, doctor.mobile):
                if number and not is_placeholder(number):
                    self._rows_by_number[comparison_key(number)].append(row)
        for row, fitting in enumerate(matches.fitting):
            for match in fitting:
                if match.candidate in self._naming:
                    self._bearing[match.candidate].append(row)

    def list_rows(self) -> Mapping[Candidate, frozenset[int]]:
        """Return the contested files, each with the rows that name it and those of the doctors whose it is by name."""
        contested: dict[Candidate, frozenset[int]] = {}
        for candidate, entries in self._naming.items():
            people = {self._person_ids[row] for row, _ in entries}
            bearing = {row for row in self._bearing[candidate] if {self._person_ids[row]} != people}
            involved = {*bearing, *(row for row, _ in entries)} if bearing else set()
            for row, _ in entries:
                if others := self._users[candidate].intersection(self.doubts.get((candidate, row), ())):
                    involved.update({row, *others})
            if involved:
                contested[candidate] = frozenset(involved)
        return contested

    def _list_doubts(self) -> Iterator[tuple[tuple[Candidate, int], Sequence[int]]]:
        for candidate, entries in self._naming.items():
            for row, match in entries:
                if others := self._list_rows_in_name(row, match):
                    yield (candidate, row), sorted(others)

    def _list_rows_in_name(self, row: int, match: ImageMatch) -> set[int]:
        """Return the rows of other people whose name or number the file of a row's entry, or its folder, holds."""
        names = self._texts.list_other_names(match, self._doctors[row])
        numbers = self._texts.list_other_tokens(match, self._doctors[row])
        rows = {other for name in names for other in self._rows_by_name.get(name, ())}
        rows |= {other for number in numbers for other in self._rows_by_number.get(number, ())}
        return {other for other in rows if self._person_ids[other] != self._person_ids[row]}
