"""Texts in the names of files that the picture column names: another doctor's name or staff number among other words.

A text counts wherever it stands in a run of Chinese characters (2026_内科张伟主任签名), but not inside the row's own name
(欧阳文章: 文章), not in a name that holds the row's own identity number, and not where several files hold it (the name of the hospital). The
folder of a file counts where the entries of one person alone name files in it: in a folder of several people's pictures
it is called by who collected them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Doctor
from pipeline.intake.pairing.claims import Claim
from pipeline.intake.pairing.file_names import comparison_key
from pipeline.intake.pairing.image_index import Candidate, list_variants
from pipeline.intake.pairing.row_values import bears_name, list_names

_HAN_RUN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af·]{2,}")
_TOKEN = re.compile(r"[a-z0-9]+")
_NAME_LENGTHS = (2, 3, 4)  # characters of most Chinese names
_COMMON = 4  # files: what so many of them hold is no one's name
_SHORTEST_TOKEN = 5  # characters of a staff number in a stem: a shorter one counts pictures (IMG_1002)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a name is made of."""

    words: Collection[str] = ()  # runs of Chinese characters, as name keys
    tokens: frozenset[str] = frozenset()  # runs of Latin letters and digits

    @classmethod
    def of(cls, names: Iterable[str]) -> _Parts:
        keys = [comparison_key(unicodedata.normalize("NFKC", name)) for name in names]
        words = {make_name_key(run) for key in keys for run in _HAN_RUN.findall(key)}
        tokens = frozenset(token for key in keys for token in _TOKEN.findall(key))
        return cls([word for word in words if len(word) > 1], tokens)


_NO_PARTS = _Parts()


class Mentions:
    """Knows the files that all entries name, and what in their names may be another person's."""

    def __init__(
        self,
        doctors: Sequence[Doctor],
        entries: Sequence[Sequence[Claim]],
        person_ids: Sequence[Hashable],
    ) -> None:
        """Count in how many files each text is, and who names files in each folder."""
        self._lengths = {*_NAME_LENGTHS}
        self._people_by_folder: defaultdict[str, set[Hashable]] = defaultdict(set)
        self._parts: dict[Candidate, _Parts] = {}
        for doctor, entry, person in zip(doctors, entries, person_ids, strict=True):
            self._lengths.update(len(make_name_key(name)) for name in list_names(doctor))
            for claim in entry:
                if claim.candidate not in self._parts:
                    stems = {variant.stem for variant in list_variants(claim.candidate)}
                    self._parts[claim.candidate] = _Parts.of(stems)
                self._people_by_folder[_get_folder(claim.candidate)].add(person)
        self._lengths -= {0, 1}
        counts: Counter[str] = Counter()
        for parts in self._parts.values():
            counts.update({text for word in parts.words for text, _, _ in self._list_spans(word)})
            counts.update(parts.tokens)
        self._common = {text for text, count in counts.items() if count >= _COMMON}

    def list_other_names(self, claim: Claim, doctor: Doctor) -> set[str]:
        """Return the name keys of the texts that may be another person's name."""
        parts, folder = self._parts[claim.candidate], self._read_person_folder(claim, doctor)
        if comparison_key(doctor.number or "") in parts.tokens:
            return set()
        own = [key for name in list_names(doctor) if (key := make_name_key(name))]
        names: set[str] = set()
        for word in (*parts.words, *folder.words):
            own_spans = [span for name in own for span in _list_places(word, name)]
            for text, start, end in self._list_spans(word):
                if not any(first <= start and end <= last for first, last in own_spans):
                    names.add(text)
        return names - self._common

    def list_other_numbers(self, claim: Claim, doctor: Doctor) -> set[str]:
        """Return the numbers that may be another person's staff number or mobile."""
        parts, folder = self._parts[claim.candidate], self._read_person_folder(claim, doctor)
        own = {comparison_key(value) for value in (doctor.number, doctor.staff_no, doctor.mobile) if value}
        if own & (parts.tokens | folder.tokens):
            return set()
        tokens = {token for token in parts.tokens if len(token) >= _SHORTEST_TOKEN}
        return (tokens | folder.tokens) - self._common

    def _read_person_folder(self, claim: Claim, doctor: Doctor) -> _Parts:
        """Return what a file's folder is called where that may be the one person whose pictures it holds."""
        folder = _get_folder(claim.candidate)
        if not folder or len(self._people_by_folder[folder]) > 1 or bears_name(claim, doctor):
            return _NO_PARTS
        return _Parts.of([folder.rpartition("/")[2]])

    def _list_spans(self, word: str) -> Iterator[tuple[str, int, int]]:
        """Yield the texts in a word that are as long as names, and the word itself, each with its place."""
        for length in {*self._lengths, len(word)}:
            for start in range(len(word) - length + 1):
                yield word[start : start + length], start, start + length


def _list_places(word: str, name: str) -> Iterator[tuple[int, int]]:
    start = word.find(name)
    while start >= 0:
        yield start, start + len(name)
        start = word.find(name, start + 1)


def _get_folder(candidate: Candidate) -> str:
    """Return the path of a file's folder below the picture folder, "" for that itself."""
    return candidate.relative_path.rpartition("/")[0]
