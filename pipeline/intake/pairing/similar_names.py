"""Finds rows and files whose names resemble each other: shown to a person, evidence for nothing.

Compared are the files that no row matches with all rows by whole parts of their names, and with the rows that have no
picture letter by letter. The nearest file of a row and the rows of a file come from one comparison.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pipeline.domain.roster import fold_staff_no
from pipeline.intake.pairing.file_names import comparison_key, strip_known_suffixes
from pipeline.intake.pairing.image_index import Candidate
from pipeline.intake.pairing.picture_column import get_entry_stem, names_file
from pipeline.intake.pairing.row_values import list_pieces

# a comparison letter by letter is made with every file: no more of them than a person reads
_MAX_NAMES = 2_000
_MAX_ROWS = 100
_MOST_FILES = 20  # of one row
_MOST_ROWS = 8  # of one file


@dataclass(frozen=True, slots=True)
class RowWords:
    """The words of a row after which a file may be named, its number left out."""

    names: Sequence[str] = field(repr=False)
    staff_no: str | None
    entry: str = field(repr=False)  # of the picture column


class SimilarNames:
    """The files that no row matches, the rows that each resembles, and the nearest file of each row."""

    def __init__(
        self, rows: Sequence[RowWords], missing: Sequence[int], unassigned: Iterable[Candidate]
    ) -> None:
        """Compare the files with the rows; those that are ``missing`` a picture come first."""
        # the files by comparison keys, as dictionaries without values: each once, in the order given
        self._by_name: defaultdict[str, dict[Candidate, None]] = defaultdict(dict)
        self._by_number: defaultdict[str, dict[Candidate, None]] = defaultdict(dict)
        self._by_part: defaultdict[str, dict[Candidate, None]] = defaultdict(dict)
        for candidate in unassigned:
            for base, _ in strip_known_suffixes(candidate.stem):
                name = comparison_key(base)
                self._by_name[name][candidate] = None
                self._by_number[fold_staff_no(name)][candidate] = None
                for part in list_pieces(name):
                    self._by_part[part][candidate] = None
        self._nearest: dict[int, Candidate] = {}
        self._rows: defaultdict[Candidate, list[int]] = defaultdict(list)
        compared = _MAX_ROWS if len(self._by_name) <= _MAX_NAMES else 0
        for number, row in enumerate(missing):
            self._add_row(row, self._list_files(rows[row], by_letters=number < compared))
        for row in sorted(set(range(len(rows))).difference(missing)) if self._by_name else ():
            self._add_row(row, self._list_files_of_name(rows[row]))

    def get_nearest_file(self, row: int) -> Candidate | None:
        """Return the file that resembles a row most."""
        return self._nearest.get(row)

    def list_rows(self, candidate: Candidate) -> Sequence[int]:
        """Return the rows that a file resembles, those without a picture first."""
        return self._rows.get(candidate, ())

    def _add_row(self, row: int, files: Iterable[Candidate]) -> None:
        for candidate in list(dict.fromkeys(files))[:_MOST_FILES]:
            self._nearest.setdefault(row, candidate)
            if len(self._rows[candidate]) < _MOST_ROWS:
                self._rows[candidate].append(row)

    def _list_files(self, words: RowWords, *, by_letters: bool) -> Iterator[Candidate]:
        """Yield the files that resemble a row without a picture, the nearest first.

        A spreadsheet takes leading zeros off a staff number: 12 may be 0012.
        """
        staff_no = comparison_key(words.staff_no or "")
        yield from self._by_number.get(fold_staff_no(staff_no), ())
        yield from self._list_files_of_name(words)
        yield from self._by_part.get(staff_no, ())
        if by_letters:
            wanted = get_entry_stem(words.entry) if names_file(words.entry) else "".join(words.names[:1])
            for name in difflib.get_close_matches(comparison_key(wanted), self._by_name, cutoff=0.5):
                yield from self._by_name[name]

    def _list_files_of_name(self, words: RowWords) -> Iterator[Candidate]:
        """Yield the files of which a whole part is the doctor's name."""
        for name in words.names:
            yield from self._by_part.get(comparison_key(name), ())
