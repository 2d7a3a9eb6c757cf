"""The format of our own workbooks: how a results workbook and the marked copy of a roster are recognised.

The reports write them; the intake refuses the one as a roster and reads the other. Neither imports the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

WORKBOOK = "results.xlsx"
PLAN, LOG = "plan.jsonl", "log.jsonl"
OUTCOMES = "outcomes.jsonl"  # a line a row
LINKS = "links.xlsx"  # the sheet of `autosign links`
# custom document properties of the workbooks this program writes
PROPERTY = "esign-import"
PROPERTY_VALUE = "results"
RUN_PROPERTY = "esign-import-run"
SCHEMA_PROPERTY = "esign-import-schema"
# a marked copy of a roster: its folder, its properties with the digests and the names of the files it was made from
COPIES = "rosters"
ORIGINALS_PROPERTY, NAMES_PROPERTY = "esign-import-originals", "esign-import-rosters"
# titles of the columns that it has at its right end: keys of the catalogue
APPENDED_COLUMNS = ("fix.status", "fix.reason", "col.seal_id")
_DIGEST = 16  # digits
_MAX_PROPERTY = 255  # characters that Excel keeps
_MAX_SUFFIX = 10  # suffixes of a heading that are tried


def shorten_digest(sha256: str) -> str:
    """Return the digits by which the property of a marked copy names a file."""
    return sha256[:_DIGEST]


@dataclass(frozen=True, slots=True)
class Originals:
    """The files that a marked copy was made from, the newest first: the roster, and what that was a copy of."""

    digests: tuple[str, ...] = ()  # see `shorten_digest`
    names: tuple[str, ...] = ()  # masked

    @classmethod
    def read(cls, properties: Mapping[str, str]) -> Originals:
        """Return what the document properties of a workbook hold; nothing for one that is no marked copy."""
        digests = properties.get(ORIGINALS_PROPERTY, "").split()
        names = properties.get(NAMES_PROPERTY, "").split("/")
        return cls(tuple(digests), tuple(filter(None, names)))

    def make_properties(self, sha256: str, name: str) -> dict[str, str]:
        """Return the properties of a copy of the file that these are the originals of."""
        digests = _join_within_limit([shorten_digest(sha256), *self.digests], " ")
        return {
            ORIGINALS_PROPERTY: digests,
            NAMES_PROPERTY: _join_within_limit(dict.fromkeys([name, *self.names]), "/"),
        }


NO_ORIGINALS = Originals()


def _join_within_limit(words: Iterable[str], separator: str) -> str:
    """Join as many words as a property keeps, none of them cut."""
    joined = ""
    for word in words:
        longer = f"{joined}{separator}{word}" if joined else word
        if len(longer) > _MAX_PROPERTY:
            break
        joined = longer
    return joined


def get_appended_columns(
    titles: Mapping[int, str], headings: Sequence[Sequence[str]]
) -> tuple[int, ...] | None:
    """Return the columns of a line of titles that a marked copy appended, None if the line has none.

    They stand beside each other in the order of ``headings``, each of which is given in all languages. A roster's own
    column may have one of these titles.
    """
    names = []
    for translations in headings:
        numbers = range(_MAX_SUFFIX + 1)
        names.append({_add_suffix(heading, number) for heading in translations for number in numbers})
    for first in titles:
        columns = tuple(range(first, first + len(names)))
        if all(titles.get(column, "").strip() in names[index] for index, column in enumerate(columns)):
            return columns
    return None


def unique_heading(translations: Sequence[str], heading: str, taken: Collection[str]) -> str:
    """Return one of our headings, with the program's name behind it where the roster has a column of that title.

    ``heading`` is one of its ``translations``; the suffix is the same in all languages. 原因 of the roster stays
    原因, ours is then ``原因 (esign-import)``.
    """
    titles = {title.strip() for title in taken}
    number = 0
    while number < _MAX_SUFFIX and titles & {
        _add_suffix(translation, number) for translation in translations
    }:
        number += 1
    return _add_suffix(heading, number)


def _add_suffix(heading: str, number: int) -> str:
    return heading if not number else f"{heading} (esign-import{f' {number}' if number > 1 else ''})"


# -- what a copy takes over as it stands in its file, since openpyxl writes it otherwise


@dataclass(frozen=True, slots=True)
class NoteShape:
    """How a note is drawn: its size in pixels, and its place if it is always shown."""

    width: int
    height: int
    anchor: str | None


@dataclass(frozen=True, slots=True)
class ExactSheet:
    """What is taken over of a sheet, by address: the XML behind a cell's style, and the shapes of notes."""

    cells: Mapping[str, str] = field(repr=False)
    notes: Mapping[str, NoteShape]
