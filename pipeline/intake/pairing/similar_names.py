"""Finds rows and files whose names resemble each other: shown to a person, evidence for nothing.

Compared are the files that no row matches with the rows that have no picture, and by whole parts of their names with all
other rows. The nearest file of a row and the rows of a file come from one comparison.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from pipeline.domain.roster import fold_staff_no
from pipeline.intake.pairing import file_names, picture_column
from pipeline.intake.pairing.composed_names import list_pieces
from pipeline.intake.pairing.image_index import Candidate

ZEROS, NEAR = "image.zeros", "image.near"  # how a file resembles a row: a message of `files.toml`
# a comparison letter by letter is made with every file: no more of them than a person reads
_MAX_NAMES = 2_000
_MAX_ROWS = 100
_MOST_ALIKE = 3  # names of files for one row, by letters
_MOST_FILES = 20  # of one row
_SHORTEST_NAME = 2  # characters of a name that a file name holds: 新的石磊章 is perhaps of 石磊
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
            self._add_file(candidate)
        self._files: dict[int, Mapping[Candidate, str]] = {}
        self._rows: defaultdict[Candidate, list[int]] = defaultdict(list)
        compared = _MAX_ROWS if len(self._by_name) <= _MAX_NAMES else 0
        for number, row in enumerate(missing):
            pairs = self._list_files(rows[row], by_letters=number < compared)
            self._add_row(row, pairs)
        others = set(range(len(rows))).difference(missing) if self._by_name else ()
        for row in sorted(others):
            self._add_row(row, ((file, NEAR) for file in self._list_files_of_name(rows[row])))

    def get_nearest_file(self, row: int) -> tuple[Candidate, str] | None:
        """Return the file that resembles a row most, and the key of the message on how it does."""
        return next(iter(self._files.get(row, {}).items()), None)

    def list_rows(self, candidate: Candidate) -> Sequence[int]:
        """Return the rows that a file resembles, those without a picture first."""
        return self._rows.get(candidate, ())

    def _add_file(self, candidate: Candidate) -> None:
        for base, _ in file_names.strip_known_suffixes(candidate.stem):
            name = file_names.comparison_key(base)
            self._by_name[name][candidate] = None
            self._by_number[fold_staff_no(name)][candidate] = None
            for part in list_pieces(name):
                self._by_part[part][candidate] = None

    def _add_row(self, row: int, pairs: Iterable[tuple[Candidate, str]]) -> None:
        files: dict[Candidate, str] = {}
        for candidate, kind in islice(pairs, _MOST_FILES):
            files.setdefault(candidate, kind)
        for candidate in files:
            if len(self._rows[candidate]) < _MOST_ROWS:
                self._rows[candidate].append(row)
        if files:
            self._files[row] = files

    def _list_files(self, words: RowWords, *, by_letters: bool) -> Iterator[tuple[Candidate, str]]:
        """Yield the files that resemble a row without a picture, the nearest first.

        A spreadsheet takes leading zeros off a staff number: 12 may be 0012. A part of the name may be the doctor's.
        """
        if words.staff_no:
            staff_no = fold_staff_no(words.staff_no)
            for candidate in self._by_number.get(file_names.comparison_key(staff_no), ()):
                yield candidate, ZEROS
        for candidate in self._list_near_files(words, by_letters=by_letters):
            yield candidate, NEAR

    def _list_near_files(self, words: RowWords, *, by_letters: bool) -> Iterator[Candidate]:
        yield from self._list_files_of_name(words)
        yield from self._by_part.get(file_names.comparison_key(words.staff_no or ""), ())
        if by_letters:
            for name in self._list_names_by_letters(words):
                yield from self._by_name[name]

    def _list_names_by_letters(self, words: RowWords) -> Iterator[str]:
        """Yield the names of files that begin with the doctor's name, hold it, or are most alike."""
        own_name = "".join(words.names[:1])
        own_key = file_names.comparison_key(own_name)
        if len(own_key) >= _SHORTEST_NAME:
            holding = [name for name in self._by_name if own_key in name]
            yield from sorted(holding, key=lambda name: not name.startswith(own_key))
        entry = words.entry
        wanted = picture_column.get_entry_stem(entry) if picture_column.names_file(entry) else own_name
        yield from difflib.get_close_matches(
            file_names.comparison_key(wanted), self._by_name, n=_MOST_ALIKE, cutoff=0.5
        )

    def _list_files_of_name(self, words: RowWords) -> Iterator[Candidate]:
        """Yield the files of which a whole part is the doctor's name."""
        for name in words.names:
            yield from self._by_part.get(file_names.comparison_key(name), ())
