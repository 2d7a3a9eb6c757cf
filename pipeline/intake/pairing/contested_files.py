"""Files that a row's picture entry names and that are another doctor's by their name: no one gets them.

A file is another doctor's if that doctor's row matches it by name (``evidence``), if it holds the doctor's name among other
words (2026_内科张伟_签名), or if its folder is called by the doctor's name. The folder counts only where the entries of one
person alone name files in it: in a folder of several people's pictures it is the name of who collected them.

A file that fits the row of the entry by its name as well (namesakes) belongs to the entry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Doctor
from pipeline.intake.pairing.evidence import ImageMatches
from pipeline.intake.pairing.expected_names import (
    ImageMatch,
    bears_name,
    bears_number,
    list_names,
    list_other_names,
)
from pipeline.intake.pairing.image_index import Candidate


class ContestedFiles:
    """Finds the files that entries name and that are another doctor's by name."""

    def __init__(
        self, doctors: Sequence[Doctor], entry_matches: Sequence[Sequence[ImageMatch]], matches: ImageMatches
    ) -> None:
        """Index the files that entries name, and the rows by the names of their doctors."""
        self._doctors, self._person_ids = doctors, matches.person_ids
        self._naming: defaultdict[Candidate, list[tuple[int, ImageMatch]]] = defaultdict(list)
        self._people_by_folder: defaultdict[str, set[Hashable]] = defaultdict(set)
        for row, entry in enumerate(entry_matches):
            own = {match.candidate for match in matches.by_row[row]} if entry else ()
            for match in entry:
                self._people_by_folder[_get_folder(match.candidate)].add(self._person_ids[row])
                if match.candidate not in own:
                    self._naming[match.candidate].append((row, match))
        self._rows_by_name: defaultdict[str, list[int]] = defaultdict(list)
        self._bearing: defaultdict[Candidate, list[int]] = defaultdict(list)
        if self._naming:
            for row, doctor in enumerate(doctors):
                for name in {make_name_key(name) for name in list_names(doctor)}:
                    self._rows_by_name[name].append(row)
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
            for row, match in entries:
                if others := self._list_rows_in_name(row, match):
                    involved.update({row, *others})
            if involved:
                contested[candidate] = frozenset(involved)
        return contested

    def _list_rows_in_name(self, row: int, match: ImageMatch) -> set[int]:
        """Return the rows of other people whose name the file of a row's entry, or its folder, holds."""
        doctor, folder = self._doctors[row], _get_folder(match.candidate)
        names = list_other_names(match.candidate, doctor)
        is_of_one_person = len(self._people_by_folder[folder]) == 1
        if is_of_one_person and not (bears_name(match, doctor) or bears_number(match.candidate, doctor)):
            names.add(make_name_key(folder.rpartition("/")[2]))
        rows = {other for name in names for other in self._rows_by_name.get(name, ())}
        return {other for other in rows if self._person_ids[other] != self._person_ids[row]}


def _get_folder(candidate: Candidate) -> str:
    """Return the path of a file's folder below the picture folder, "" for that itself."""
    return candidate.relative_path.rpartition("/")[0]
