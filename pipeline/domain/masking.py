"""Masks personal values outside the marked copies: the last four characters stay.

Which fields are personal follows from the table of fields. Masking keeps the length and the separators of what it hides,
so that a normalisation can still be followed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as _field
from pathlib import Path
from typing import Any

from pipeline.domain.fields import FIELDS, value_of
from pipeline.domain.message import Message, change_text
from pipeline.domain.roster import Cell, CellKind, Change, Doctor, Field, Problem, Row

_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
_NOT_ALNUM = re.compile(r"[^0-9A-Za-z]+")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
# A number as people write it: digits first, or up to three letters and a digit; single blanks or hyphens inside.
_CANDIDATE = re.compile(r"(?:[A-Za-z]{1,3}(?=[ \u00a0-]?[0-9])|[0-9])(?:[ \u00a0-]?[0-9A-Za-z]){6,}")
_NUMBERS_IN_NAME = re.compile(r"[0-9]{7,}[Xx]?")
_LONG_RUN = re.compile(r"[0-9]{15,}[Xx]?")
_JOURNAL = re.compile(
    r"(?<![0-9A-Za-z])[0-9a-f]{16}(?=\.(?:jsonl|damaged-[0-9]+)(?![0-9A-Za-z]))"
)  # drawn at random
_STAND_IN = "-" * 16
_DIGIT = re.compile("[0-9０-９]")  # without one a text holds no number
# The form of a mainland number: where it is written in groups, length alone would take a run's id for one.
_IDENTITY = re.compile(
    r"[1-9][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9X]"
)
# A mobile, or a permit or passport, of a stranger: a word of its own, which no part of a uuid is.
_STRANGERS = re.compile(
    r"(?<![0-9A-Za-z-])(?:\+?86[ -]?)?(?P<number>1[3-9][0-9](?:[ -]?[0-9]){8}|[A-Za-z]{1,2}[0-9]{7,10})(?![0-9A-Za-z-])"
)
# shorter texts in a number column (无, 1001) identify no person and would mask parts of file names
_SHORTEST = 7
_FIRST = _SHORTEST - 2  # digits that make a number of it
_REMEMBERED = 4096  # texts
_LEAST_HIDDEN = 4  # characters of a number that was masked
SHORTEST_NUMBER = 8  # characters of a cell; the last four of a shorter one would be half of it
HOLDING_NUMBERS = (CellKind.TEXT, CellKind.NUMBER)
_EXACT_DIGITS = 15  # that a cell with a number keeps
_EXPONENT = re.compile(r"[0-9]+(?:[.,][0-9]+)?E\+?[0-9]+", re.IGNORECASE)  # 1.10101E+17
_LOST_DIGITS = "0E+17"  # in place of a number that lost digits
_OUR_DETAILS = frozenset({"seal", "trace", "day"})  # of a problem's detail: they quote no cell
_QUOTED_CELL = "found"  # of a problem's detail


@dataclass(frozen=True, slots=True)
class _Values:
    """Personal values that are searched in texts, by their hashes: a masker holds no value."""

    hashes: frozenset[int] = frozenset()  # of this process alone
    lengths: tuple[int, ...] = ()  # of the values, longest first

    @classmethod
    def of(cls, values: Collection[str]) -> _Values:
        lengths = sorted({len(value) for value in values}, reverse=True)
        return cls(frozenset(map(hash, values)), tuple(lengths))

    def measure(self, text: str, start: int) -> int:
        """Return the length of the longest value that begins at ``start`` of a text, else 0."""
        rest = len(text) - start
        for length in self.lengths:
            if length <= rest and hash(text[start : start + length]) in self.hashes:
                return length
        return 0


@dataclass(frozen=True, slots=True)
class Masker:
    """Masks texts: the numbers of one roster wherever they stand, and by their form those of other people."""

    _numbers: _Values = _Values()  # every number of the roster, folded to plain upper-case letters and digits
    _texts: _Values = _Values()  # in lower case: personal values of any form
    # texts that need no mask: a row's file, folder and sheet come again with the next row
    _clean: set[str] = _field(default_factory=set, repr=False, compare=False)

    @classmethod
    def of_doctors(cls, doctors: Iterable[Doctor]) -> Masker:
        """Return a masker for the personal values of these rows, both as used and as written, however wrong they are."""
        fields = _list_personal_fields()
        numbers: set[str] = set()
        texts: set[str] = set()
        for doctor in doctors:
            cells = list(_list_cells(doctor, fields))
            numbers.update(_list_numbers(doctor, cells))
            texts.update(
                text.lower() for field, text in cells if field not in _NUMBER_MASKS and len(text) >= _SHORTEST
            )
        return cls(_Values.of(numbers), _Values.of(texts))

    def mask_text(self, text: str) -> str:
        """Hide, inside any text, the personal values of the roster and every run of 15 or more digits."""
        if len(text) < _SHORTEST or not (self._texts.hashes or _DIGIT.search(text)):
            return text
        if isinstance(text, Message):
            return text.change(self.mask_text)
        if text in self._clean:
            return text
        masked = self._mask_inside(text, everything=False)
        if masked == text and (self._numbers.hashes or self._texts.hashes):
            if len(self._clean) >= _REMEMBERED:
                self._clean.clear()  # names of pictures, mostly; what comes again is soon back
            self._clean.add(text)
        return masked

    def mask_every_number(self, text: str) -> str:
        """Mask every part of a text that looks like a number."""
        return self._mask_inside(text, everything=True)

    def mask_answer(self, text: str) -> str:
        """Hide the numbers in a message of the service: also those of people who stand in no roster, by their form."""
        if isinstance(text, Message):
            return text.change(self.mask_answer)
        masked = self.mask_text(text)
        narrow = masked if masked.isascii() else masked.translate(_NARROW)
        hidden: set[int] = set()
        for match in _STRANGERS.finditer(narrow):
            positions = _alnum_positions(narrow, *match.span("number"))
            hidden.update(positions[3 if narrow[positions[0]].isdigit() else 0 : -4])
        return _star_positions(masked, hidden)

    def mask_path(self, path: Path | str) -> str:
        """Return a path as a person may read it; ``sha256`` identifies the file.

        No number reaches over a separator, and the folder is that of many files.
        """
        folder, separator, name = str(path).rpartition(os.sep)
        return self.mask_text(folder) + separator + self.mask_text(name)

    def mask_change(self, change: Change) -> tuple[str, str]:
        """Return the text of a field and the value used, both as far as they may be seen."""
        if FIELDS[change.field].is_personal:
            return mask_value(change.field, change.before), mask_value(change.field, change.after)
        return self.mask_text(change.before), self.mask_text(change.after)

    def mask_problem(self, problem: Problem) -> Problem:
        """Return a problem whose texts show no personal value, also where they quote the cell at fault."""
        field = problem.field
        is_personal = field is not None and FIELDS[field].is_personal
        detail = {}
        for key, text in problem.detail.items():
            if is_personal and field not in _NUMBER_MASKS and key == _QUOTED_CELL:
                detail[key] = change_text(text, mask_id)
            else:
                detail[key] = self._mask_detail(text, everything=is_personal and key not in _OUR_DETAILS)
        return replace(problem, detail=detail)

    def hide_doctor(self, doctor: Doctor, problems: Iterable[Problem]) -> Doctor:
        """Return a row as results show it, without a whole number; ``problems`` are all of the row.

        Of its cells those of fields and of problems are left. Names of files stay: they lead to the files.
        """
        values: dict[str, Any] = {}
        for field, definition in FIELDS.items():
            value = value_of(doctor, field)
            if value is not None and definition.is_personal:
                values[definition.attribute or field.value] = mask_value(field, str(value))
            elif isinstance(value, str):  # a number may stand in any cell
                values[definition.attribute or field.value] = self.mask_text(value)
        return replace(
            doctor,
            row=self._hide_row(doctor.row, {problem.cell for problem in problems}),
            problems=self.hide_problems(doctor.problems),
            changes=tuple(self._hide_change(change) for change in doctor.changes),
            **values,
        )

    def _hide_row(self, row: Row, shown: Collection[str | None]) -> Row:
        """Return a row with the cells of its fields, and those whose addresses are ``shown``."""
        whole, hidden, fields = {}, {}, {}
        for field, cell in row.fields.items():
            whole[cell.column], fields[cell.column] = cell, field
            hidden[field] = self._hide_cell(cell, field)
        cells = []
        for cell in row.cells:
            if cell == whole.get(cell.column):
                cells.append(hidden[fields[cell.column]])
            elif cell.column in whole or row.address_of(cell) in shown:
                cells.append(self._hide_cell(cell, fields.get(cell.column)))
        problems = self.hide_problems(row.problems)
        return Row(row.origin, tuple(cells), hidden, row.hidden, row.pictures, problems)

    def hide_problems(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """Return problems that show no value of a personal field."""
        hidden = []
        for problem in problems:
            is_personal = problem.field is not None and FIELDS[problem.field].is_personal
            hidden.append(self.mask_problem(problem) if is_personal else problem)
        return tuple(hidden)

    def _hide_change(self, change: Change) -> Change:
        before, after = self.mask_change(change)
        return replace(change, before=before, after=after)

    def _hide_cell(self, cell: Cell, field: Field | None) -> Cell:
        if field is Field.NUMBER:
            text = mask_number_cell(cell)
        elif field is Field.MOBILE:
            is_plain = _MOBILE.fullmatch(cell.display_text) is not None  # the usual case
            text = (mask_mobile if is_plain else self.mask_every_number)(cell.display_text)
        else:
            text = self.mask_text(cell.display_text)
        return cell._replace(value=None, display_text=text)

    def _mask_detail(self, text: str, *, everything: bool) -> str:
        masked: str = change_text(text, lambda part: self._mask_inside(part, everything=everything))
        return masked

    def _mask_inside(self, text: str, *, everything: bool) -> str:
        """Mask the personal values in a text; with ``everything`` also texts that only look like a number."""
        if self._texts.hashes:
            text = self._mask_values(text)
        if len(text) < _SHORTEST or not _DIGIT.search(text):
            return text
        narrow = text if text.isascii() else text.translate(_NARROW)
        hidden: set[int] = set()
        for match in _CANDIDATE.finditer(narrow):
            positions = _alnum_positions(narrow, *match.span())
            compact = "".join(narrow[index] for index in positions).upper()
            spans = [(0, len(compact))] if everything else self._list_spans(compact)
            for first, last in spans:
                is_mobile = last - first == 11 and _MOBILE.fullmatch(compact, first, last) is not None
                hidden.update(positions[first + 3 if is_mobile else first : last - 4])
        for run in _LONG_RUN.finditer(_JOURNAL.sub(_STAND_IN, narrow)):
            hidden.update(range(run.start(), run.end() - 4))
        return _star_positions(text, hidden)

    def _mask_values(self, text: str) -> str:
        """Mask the personal values that stand in a text as their cells have them, whatever the case of their letters."""
        lower = text.lower()
        if len(lower) != len(text):  # a letter that is two in lower case would move the positions
            lower = text
        hidden: set[int] = set()
        start = 0
        while start < len(lower):
            length = self._texts.measure(lower, start)
            hidden.update(range(start, start + length - 4))
            start += length or 1
        return _star_positions(text, hidden)

    def _list_spans(self, compact: str) -> Iterator[tuple[int, int]]:
        for number in _IDENTITY.finditer(compact):
            yield number.span()
        start = 0
        while start < len(compact):
            length = self._numbers.measure(compact, start)
            if length:
                yield start, start + length
            start += length or 1


def _list_personal_fields() -> list[Field]:
    return [field for field, definition in FIELDS.items() if definition.is_personal]


def _list_cells(doctor: Doctor, fields: Iterable[Field]) -> Iterator[tuple[Field, str]]:
    """Yield the texts of fields, as used and as written."""
    for field in fields:
        used, shown = value_of(doctor, field), doctor.display_field(field)
        yield field, shown
        if used is not None and used != shown:
            yield field, str(used)


def _list_numbers(doctor: Doctor, cells: Iterable[tuple[Field, str]]) -> Iterator[str]:
    for field, text in cells:
        folded = _fold(text)
        if len(folded) >= _SHORTEST and (
            folded[:_FIRST].isdigit() or sum(map(folded.count, "0123456789")) >= _FIRST
        ):
            yield folded
        if field is Field.MOBILE and len(folded) > 11:  # two mobiles in one cell are two numbers
            yield from _MOBILE.findall(folded)
    if doctor.name is None:  # a whole doctor may stand in the name's cell
        yield from map(_fold, _NUMBERS_IN_NAME.findall(doctor.display_field(Field.NAME).translate(_NARROW)))


def mask_every_number(text: str) -> str:
    """Mask every text that looks like a number of a person, for texts stored before the numbers of a roster are known."""
    return _WITHOUT_ROSTER.mask_every_number(text)


def compile_masked_name(name: str) -> re.Pattern[str]:
    """Return the pattern of the names that a masked one may stand for; ``?`` in it is a byte that is no UTF-8."""
    return re.compile(re.sub(r"\\[*?]", ".", re.escape(name)), re.DOTALL)


def mask_id(text: str) -> str:
    """Hide an identity number but for its last four characters: ``**************0732``; one that is hidden stays so."""
    if len(text) >= 8 and text.isalnum():  # the usual case, 100,000 times a run
        return "*" * (len(text) - 4) + text[-4:]
    return text if _is_masked(text, shown=4) else _star(text, keep=_tail(text))


def has_lost_digits(cell: Cell) -> bool:
    """Return whether the number of a cell lost its last digits: the end of the cell is none of them."""
    if cell.kind is CellKind.NUMBER and sum(map(str.isdigit, cell.display_text)) > _EXACT_DIGITS:
        return True
    return cell.kind in HOLDING_NUMBERS and _EXPONENT.fullmatch(cell.display_text.strip()) is not None


def mask_number_cell(cell: Cell) -> str:
    """Return what a cell for an identity number shows: of a number the last four characters; short texts as they are."""
    if has_lost_digits(cell):
        return _LOST_DIGITS
    is_long = sum(map(str.isalnum, cell.display_text)) >= SHORTEST_NUMBER
    return mask_id(cell.display_text) if is_long else cell.display_text


def mask_value(field: Field, text: str) -> str:
    """Hide the value of a personal field but for its last four characters, of a mobile also the first three."""
    return _NUMBER_MASKS.get(field, mask_id)(text)


def is_personal_number(text: str) -> bool:
    """Return whether a text has the form of a mainland identity number or of a mobile."""
    return any(form.fullmatch(text.upper()) for form in (_IDENTITY, _MOBILE))


def mask_mobile(text: str) -> str:
    """Hide a mobile but for its first three and last four digits: ``138****5678``; one that is hidden stays so."""
    if len(text) == 11 and text.isascii() and text.isdigit():  # the usual case
        return f"{text[:3]}****{text[7:]}"
    if _is_masked(text, shown=7):
        return text
    positions = _alnum_positions(text)
    return _star(text, keep=_tail(text) | set(positions[-11:-8] if len(positions) >= 11 else ()))


def _is_masked(text: str, *, shown: int) -> bool:
    """Return whether a text is a number that was hidden but for so many characters."""
    return text.count("*") >= _LEAST_HIDDEN and sum(map(str.isalnum, text)) <= shown


def hide_names(text: str, names: Iterable[str]) -> str:
    """Take people's names out of a text that goes where names must not stand (run.json, logs)."""
    if isinstance(text, Message):
        return text.change(lambda part: hide_names(part, names))
    for name in sorted({name for name in names if name and name in text}, key=len, reverse=True):
        text = text.replace(name, "*" * len(name))
    return text


def _star_positions(text: str, hidden: Collection[int]) -> str:
    if not hidden:
        return text
    return "".join("*" if index in hidden else character for index, character in enumerate(text))


def _fold(text: str) -> str:
    if text.isascii() and text.isalnum():
        return text if text.isupper() or text.isdigit() else text.upper()  # no second copy of every number
    return _NOT_ALNUM.sub("", text.translate(_NARROW)).upper()


def _alnum_positions(text: str, first: int = 0, end: int | None = None) -> list[int]:
    return [index for index, character in enumerate(text[first:end], start=first) if character.isalnum()]


def _tail(text: str) -> set[int]:
    """Return the positions of the last four characters, none where that would be half of the text."""
    positions = _alnum_positions(text)
    return set(positions[-4:]) if len(positions) >= 8 else set()


def _star(text: str, *, keep: set[int]) -> str:
    return _star_positions(text, set(_alnum_positions(text)) - keep)


# of the personal fields whose values are numbers: how a whole value is masked
_NUMBER_MASKS: Mapping[Field, Callable[[str], str]] = {Field.NUMBER: mask_id, Field.MOBILE: mask_mobile}

# for texts without a roster: by the form of a number alone
_WITHOUT_ROSTER = Masker()
mask_text, mask_answer = _WITHOUT_ROSTER.mask_text, _WITHOUT_ROSTER.mask_answer
mask_path, mask_problem = _WITHOUT_ROSTER.mask_path, _WITHOUT_ROSTER.mask_problem
