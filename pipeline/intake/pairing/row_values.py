"""The values of every row after which files are named, and how a stem is cut into the values of one row.

All values are comparison keys (``file_names``). The identity number, the staff number and the name show whose a file is.
Departments and the other cells only complete a stem: 张伟-内科-1001, 20.张伟 with its serial number, 张伟_主治医师_东院区.

The index leads from a value to its rows, so a file looks up the parts of its own stem.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Doctor, Field
from pipeline.intake.fields.normalize import get_field_text, is_placeholder
from pipeline.intake.pairing.claims import KINDS, NAME, NUMBER, STAFF_NO, Claim
from pipeline.intake.pairing.departments import Departments, make_department_key
from pipeline.intake.pairing.file_names import JOINTS, comparison_key

_TOKEN = re.compile(r"[a-z0-9]+|.", re.DOTALL)  # a stem is never cut inside a run of Latin letters and digits
_PIECE = re.compile(rf"[a-z0-9]+|[^a-z0-9{re.escape(''.join(sorted(set(''.join(JOINTS)))))}()]+")
_MOST_PARTS = 8  # of one stem
_SIGNS = sorted(filter(None, JOINTS), key=len, reverse=True)


class Cut(NamedTuple):
    """A stem as a sequence of one row's values."""

    kind: str  # of the strongest value that shows whose the file is
    parts: tuple[str, ...]
    others: tuple[str, ...] = ()  # those that are neither number, staff number, name nor department
    ends_with_name: bool = False
    ends_with_digit: bool = False  # a single one, which may count pictures
    names_department: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is known what each value is, and each stands once."""
        return not self.others and len(set(self.parts)) == len(self.parts)


@dataclass(frozen=True, slots=True)
class _Values:
    """What one row holds."""

    owning: Mapping[str, str]  # identity number, staff number and names, and which of them each is
    departments: Collection[str]
    others: Collection[str] = field(repr=False)  # of its further cells

    def is_known(self, part: str) -> bool:
        """Return whether it is known what a value is."""
        return part in self.owning or part in self.departments

    def make_cut(self, parts: tuple[str, ...]) -> Cut | None:
        """Return what parts show, None where none shows whose the file is."""
        kinds = [self.owning[part] for part in parts if part in self.owning]
        if not kinds:
            return None
        last = parts[-1]
        return Cut(
            min(kinds, key=lambda kind: KINDS[kind].strength),
            parts,
            others=tuple(part for part in parts if not self.is_known(part)),
            ends_with_name=self.owning.get(last) == NAME,
            ends_with_digit=len(last) == 1 and last.isdecimal() and last not in self.owning,
            names_department=any(part in self.departments for part in parts),
        )


class RowValues:
    """The values of all rows, and which rows have each."""

    def __init__(
        self, doctors: Sequence[Doctor], person_ids: Sequence[Hashable], departments: Departments
    ) -> None:
        """Index the rows by what shows whose a file is."""
        self.doctors, self.person_ids, self._departments = doctors, person_ids, departments
        self._rows_by_value: defaultdict[str, list[int]] = defaultdict(list)
        self._rows_by_staff_no: defaultdict[str, list[int]] = defaultdict(list)  # without leading zeros
        self._rows_by_number: defaultdict[str, list[int]] = defaultdict(list)  # staff numbers and mobiles
        self._rows_by_name: defaultdict[str, list[int]] = defaultdict(list)  # by name key
        self._owning: list[dict[str, str]] = []
        for row, doctor in enumerate(doctors):
            self._owning.append(_list_owning_values(doctor))
            for value in self._owning[row]:
                self._rows_by_value[value].append(row)
            for number in (doctor.staff_no, doctor.mobile):
                if number and not is_placeholder(number):
                    self._rows_by_number[comparison_key(number)].append(row)
            if doctor.comparable_staff_no and not is_placeholder(doctor.comparable_staff_no):
                self._rows_by_staff_no[doctor.comparable_staff_no].append(row)
            for name in {make_name_key(name) for name in list_names(doctor)}:
                self._rows_by_name[name].append(row)
        self._lengths = sorted(set(map(len, self._rows_by_value)))

    def list_rows(self, stem: str) -> list[int]:
        """Return the rows of which a stem holds the number, the staff number or the name as a part."""
        rows: set[int] = set()
        starts = [token.start() for token in _TOKEN.finditer(stem)]
        ends = {*starts, len(stem)}
        for start in starts:
            for length in self._lengths:
                if start + length in ends:
                    rows.update(self._rows_by_value.get(stem[start : start + length], ()))
        return sorted(rows)

    def list_rows_with(self, value: str) -> Iterator[tuple[int, str]]:
        """Yield the rows that have a value, each with what it is there."""
        for row in self._rows_by_value.get(value, ()):
            yield row, self._owning[row][value]

    def list_namesakes(self, row: int) -> list[int]:
        """Return the rows of other people of the same name, in whatever spelling (吕布, 呂布)."""
        rows = {
            other
            for name in list_names(self.doctors[row])
            for other in self._rows_by_name[make_name_key(name)]
        }
        return self._leave_out_person(rows, row)

    def list_rows_of_name(self, name_key: str) -> Sequence[int]:
        """Return the rows with a name."""
        return self._rows_by_name.get(name_key, ())

    def list_rows_of_number(self, number: str) -> Sequence[int]:
        """Return the rows with a staff number or a mobile."""
        return self._rows_by_number.get(number, ())

    def list_spellings(self, row: int, value: str) -> list[str]:
        """Return how a row writes its number, its staff number or its name; none for another value."""
        return [text for text, _ in _list_owning_texts(self.doctors[row]) if comparison_key(text) == value]

    def list_rows_of_staff_no(self, row: int) -> list[int]:
        """Return the rows of other people with a row's staff number, one perhaps with leading zeros."""
        return self._leave_out_person(
            self._rows_by_staff_no.get(self.doctors[row].comparable_staff_no or "", ()), row
        )

    def _leave_out_person(self, rows: Iterable[int], row: int) -> list[int]:
        return sorted(other for other in rows if self.person_ids[other] != self.person_ids[row])

    def list_cuts(self, row: int, stem: str) -> list[Cut]:
        """Return the ways in which a stem consists of a row's values."""
        owning = self._owning[row]
        if stem in owning:
            return [Cut(owning[stem], (stem,))]
        doctor = self.doctors[row]
        picture = doctor.row.fields.get(Field.PICTURE)
        texts = [cell.display_text for cell in doctor.row.cells if cell is not picture]
        values = _Values(
            owning,
            frozenset(map(make_department_key, self._departments.of_row(row))),
            frozenset(comparison_key(text) for text in texts if not is_placeholder(text)),
        )
        return list(_cut_stem(stem, values))


def list_names(doctor: Doctor) -> list[str]:
    """Return the name as it is used and as the roster writes it (阿依古丽.买买提): files follow either."""
    written = get_field_text(doctor.row, Field.NAME)
    return [name for name in dict.fromkeys((doctor.name, written)) if name]


def bears_name(claim: Claim, doctor: Doctor) -> bool:
    """Return whether a file that is found by a staff number bears the doctor's name as well: 1001张伟."""
    stem = make_name_key(claim.candidate.stem)
    return any(make_name_key(name) in stem for name in list_names(doctor))


def _list_owning_texts(doctor: Doctor) -> list[tuple[str, str]]:
    """Return the values that show whose a file is, as a row writes them, each with its kind."""
    number, staff_no = doctor.number or "", doctor.staff_no or ""
    return [
        *((name, NAME) for name in list_names(doctor)),
        ("" if is_placeholder(staff_no) else staff_no, STAFF_NO),
        (number, NUMBER),
        (number[:-1] + "x" if number.endswith("X") else "", NUMBER),  # a last x may be written in either case
    ]


def _list_owning_values(doctor: Doctor) -> dict[str, str]:
    keys = [(comparison_key(text), kind) for text, kind in _list_owning_texts(doctor)]
    return {key: kind for key, kind in keys if key}


def _cut_stem(stem: str, values: _Values) -> Iterator[Cut]:
    """Yield the ways in which a stem consists of a row's values with joints between them.

    The last value may stand in brackets. Values may follow each other without a joint where letters and
    digits meet other characters, and elsewhere in a plain cut (内科张伟).
    """
    all_values = dict.fromkeys((*values.owning, *values.departments, *values.others))
    fitting = [part for part in all_values if part and part in stem]
    waiting: list[tuple[int, tuple[str, ...], bool]] = [(0, (), False)]
    while waiting:
        start, before, is_glued = waiting.pop()
        for part in fitting:
            if not stem.startswith(part, start):
                continue
            parts, end = (*before, part), start + len(part)
            rest = stem[end:]
            if rest.startswith("(") and rest.endswith(")") and rest[1:-1] in fitting:
                is_glued = is_glued or not rest[1:-1].isalnum()
                parts, rest = (*parts, rest[1:-1]), ""
            if rest and len(parts) < _MOST_PARTS:
                for after, is_next_glued in _list_next_starts(stem, end):
                    waiting.append((after, parts, is_glued or is_next_glued))
            elif not rest and (cut := values.make_cut(parts)) is not None and (cut.is_plain or not is_glued):
                yield cut


def _list_next_starts(stem: str, end: int) -> Iterator[tuple[int, bool]]:
    """Yield where the next value may begin, and whether nothing shows that one ends there."""
    for sign in _SIGNS:
        if stem.startswith(sign, end):
            yield end + len(sign), False
    before, after = stem[end - 1], stem[end]
    are_words = _is_word(before), _is_word(after)
    if are_words != (True, True):
        yield end, are_words == (False, False)


def _is_word(character: str) -> bool:
    return character.isascii() and character.isalnum()


def list_pieces(stem: str) -> list[str]:
    """Return what stands between the joints of a stem's comparison key: 张伟, 内科 and 1001 of 张伟-内科-1001."""
    return _PIECE.findall(stem)
