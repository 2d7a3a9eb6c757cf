"""What a personal number may show outside the To fix sheet: its last four characters.

Masking keeps the length and the separators of what it hides, so that a normalisation can still be followed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from dataclasses import field as _field
from pathlib import Path

from pipeline.domain.roster import Change, Doctor, Field, Problem

_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
_NOT_ALNUM = re.compile(r"[^0-9A-Za-z]+")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
# A number as people write it: digits first, or up to three letters and a digit; single blanks or hyphens inside.
_CANDIDATE = re.compile(r"(?:[A-Za-z]{1,3}(?=[ \u00a0-]?[0-9])|[0-9])(?:[ \u00a0-]?[0-9A-Za-z]){6,}")
_LONG_RUN = re.compile(r"[0-9]{15,}[Xx]?")
_DIGIT = re.compile("[0-9０-９]")  # without one a text holds no number
# The form of a mainland number: where it is written in groups, length alone would take a run's id for one.
_IDENTITY = re.compile(
    r"[1-9][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9X]"
)
# A mobile, or a permit or passport, of somebody unknown: a word of its own, which no part of a uuid is.
_STRANGERS = re.compile(
    r"(?<![0-9A-Za-z-])(?:\+?86[ -]?)?(?P<number>1[3-9][0-9](?:[ -]?[0-9]){8}|[A-Za-z]{1,2}[0-9]{7,10})(?![0-9A-Za-z-])"
)
# shorter texts in a number column (无, 1001) say nothing about anyone and would blot out file names
_SHORTEST = 7
_FIRST = _SHORTEST - 2  # digits that make a number of it
_REMEMBERED = 4096  # texts
_OUR_WORDS = frozenset({"seal", "trace", "day"})  # of a problem's detail: they quote no cell


@dataclass(frozen=True, slots=True)
class Numbers:
    """Every identity and mobile number of a roster, folded to plain upper-case letters and digits."""

    members: frozenset[str] = _field(default=frozenset(), repr=False)
    lengths: tuple[int, ...] = ()  # of the members, longest first
    # the first texts that were masked, and how: a row's file, folder and sheet come again with the next one
    masked: dict[str, str] = _field(default_factory=dict, repr=False, compare=False)

    def at(self, text: str, start: int) -> int:
        """Return the length of the longest number that begins at ``start`` of a folded text, else 0."""
        room = len(text) - start
        return next((n for n in self.lengths if n <= room and text[start : start + n] in self.members), 0)


NO_NUMBERS = Numbers()


def numbers_of(doctors: Iterable[Doctor]) -> Numbers:
    """Collect the numbers of these rows, both as used and as written, however wrong they are."""
    members = frozenset(number for doctor in doctors for number in _numbers_of(doctor))
    return Numbers(members, tuple(sorted({len(number) for number in members}, reverse=True)))


def _numbers_of(doctor: Doctor) -> Iterator[str]:
    cells = doctor.row.fields
    for field, used in ((Field.NUMBER, doctor.number), (Field.MOBILE, doctor.mobile)):
        cell = cells.get(field)
        shown = cell.display_text if cell else ""
        for text in (shown,) if used == shown else (used or "", shown):
            folded = _fold(text)
            if len(folded) >= _SHORTEST and (
                folded[:_FIRST].isdigit() or sum(map(folded.count, "0123456789")) >= _FIRST
            ):
                yield folded
            if field is Field.MOBILE and len(folded) > 11:  # two mobiles in one cell are two numbers
                yield from _MOBILE.findall(folded)


def mask_id(text: str) -> str:
    """Hide an identity number but for its last four characters: ``**************0732``."""
    if len(text) >= 8 and text.isalnum():  # the usual case, 100,000 times a night
        return "*" * (len(text) - 4) + text[-4:]
    return _star(text, keep=_tail(text))


def mask_mobile(text: str) -> str:
    """Hide a mobile but for its first three and last four digits: ``138****5678``."""
    if len(text) == 11 and text.isascii() and text.isdigit():  # the usual case
        return f"{text[:3]}****{text[7:]}"
    places = _alnum_places(text)
    return _star(text, keep=_tail(text) | set(places[-11:-8] if len(places) >= 11 else ()))


def mask_text(text: str, numbers: Numbers = NO_NUMBERS) -> str:
    """Hide, inside any text, the numbers of the roster and every run of 15 or more digits."""
    if len(text) < _SHORTEST or not _DIGIT.search(text):
        return text
    masked = numbers.masked.get(text)
    if masked is None:
        masked = _mask_inside(text, numbers, everything=False)
        if numbers.members and len(numbers.masked) < _REMEMBERED:
            numbers.masked[text] = masked
    return masked


def mask_answer(text: str, numbers: Numbers = NO_NUMBERS) -> str:
    """Hide the numbers in what the service said: also those of people who stand in no roster, by their form."""
    masked = mask_text(text, numbers)
    narrow = masked if masked.isascii() else masked.translate(_NARROW)
    hidden: set[int] = set()
    for found in _STRANGERS.finditer(narrow):
        places = [place for place in range(*found.span("number")) if narrow[place].isalnum()]
        hidden.update(places[3 if narrow[places[0]].isdigit() else 0 : -4])
    return _star_places(masked, hidden)


def mask_path(path: Path, numbers: Numbers = NO_NUMBERS) -> str:
    """Return a path as a person may read it; ``sha256`` tells which file it is.

    No number reaches over a separator, and the folder is that of many.
    """
    folder, separator, name = str(path).rpartition(os.sep)
    return mask_text(folder, numbers) + separator + mask_text(name, numbers)


def mask_change(change: Change, numbers: Numbers = NO_NUMBERS) -> tuple[str, str]:
    """Return what stood in a field and what is used, both as far as they may be seen."""
    if change.field is Field.NUMBER:
        return mask_id(change.before), mask_id(change.after)
    if change.field is Field.MOBILE:
        return mask_mobile(change.before), mask_mobile(change.after)
    return mask_text(change.before, numbers), mask_text(change.after, numbers)


def mask_problem(problem: Problem, numbers: Numbers = NO_NUMBERS) -> Problem:
    """Return a problem whose words show no number, also where they quote the cell at fault."""
    everything = problem.field in {Field.NUMBER, Field.MOBILE}
    detail = {
        word: _mask_inside(value, numbers, everything=everything and word not in _OUR_WORDS)
        for word, value in problem.detail.items()
    }
    return replace(problem, detail=detail)


def hide_names(text: str, names: Iterable[str]) -> str:
    """Take people's names out of a text that goes where names must not stand (run.json, logs)."""
    for name in sorted({name for name in names if name and name in text}, key=len, reverse=True):
        text = text.replace(name, "*" * len(name))
    return text


def _mask_inside(text: str, numbers: Numbers, *, everything: bool) -> str:
    """Mask the numbers found in a text; ``everything`` takes whatever looks like one."""
    if len(text) < _SHORTEST or not _DIGIT.search(text):
        return text
    narrow = text if text.isascii() else text.translate(_NARROW)
    hidden: set[int] = set()
    for found in _CANDIDATE.finditer(narrow):
        places = [place for place in range(*found.span()) if narrow[place].isalnum()]
        compact = "".join(narrow[place] for place in places).upper()
        spans = [(0, len(compact))] if everything else _spans(compact, numbers)
        for first, last in spans:
            mobile = last - first == 11 and _MOBILE.fullmatch(compact, first, last) is not None
            hidden.update(places[first + 3 if mobile else first : last - 4])
    for run in _LONG_RUN.finditer(narrow):
        hidden.update(range(run.start(), run.end() - 4))
    return _star_places(text, hidden)


def _star_places(text: str, hidden: Collection[int]) -> str:
    if not hidden:
        return text
    return "".join("*" if place in hidden else character for place, character in enumerate(text))


def _spans(compact: str, numbers: Numbers) -> Iterator[tuple[int, int]]:
    for number in _IDENTITY.finditer(compact):
        yield number.span()
    start = 0
    while start < len(compact):
        length = numbers.at(compact, start)
        if length:
            yield start, start + length
        start += length or 1


def _fold(text: str) -> str:
    if text.isascii() and text.isalnum():
        return text if text.isupper() or text.isdigit() else text.upper()  # no second copy of every number
    return _NOT_ALNUM.sub("", text.translate(_NARROW)).upper()


def _alnum_places(text: str) -> list[int]:
    return [place for place, character in enumerate(text) if character.isalnum()]


def _tail(text: str) -> set[int]:
    """Return the places of the last four characters, none where that would be half of the text."""
    places = _alnum_places(text)
    return set(places[-4:]) if len(places) >= 8 else set()


def _star(text: str, *, keep: set[int]) -> str:
    return "".join(
        "*" if character.isalnum() and place not in keep else character
        for place, character in enumerate(text)
    )
