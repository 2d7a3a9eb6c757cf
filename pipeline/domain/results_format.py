"""The format of our own workbooks: how a results workbook and the marked copy of a roster are recognised.

The reports write them; the intake refuses the one as a roster and reads the other. Neither imports the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

WORKBOOK = "results.xlsx"
# custom document properties of the workbooks this program writes
PROPERTY = "esign-import"
PROPERTY_VALUE = "results"
RUN_PROPERTY = "esign-import-run"
SCHEMA_PROPERTY = "esign-import-schema"
CHECK = "check"  # heading of the hidden column of the sheet All, in every language
# a marked copy of a roster: its folder, its property with the files it was made from, digits of each digest
COPIES = "rosters"
ORIGINALS_PROPERTY = "esign-import-originals"
# titles of the columns that it has at its right end: keys of the catalogue
APPENDED_COLUMNS = ("fix.status", "fix.reason", "col.seal_id")
_DIGEST, _MAX_ORIGINALS = 16, 14  # so that they fit into the 255 characters that Excel keeps of a property
_MAX_SUFFIX = 10  # suffixes of a heading that are tried


def compute_line_check(*texts: str) -> str:
    """Return the check of a line of the sheet All, of its name, masked number, seal name and SealId: `adopt` compares it."""
    content = "\n".join(text.strip() for text in texts)
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def shorten_digest(sha256: str) -> str:
    """Return the digits by which the property of a marked copy names a file."""
    return sha256[:_DIGEST]


def join_originals(sha256: str, earlier: Sequence[str]) -> str:
    """Return the property of a marked copy: the file that it is made from, and those that file was made from."""
    return " ".join([shorten_digest(sha256), *earlier][:_MAX_ORIGINALS])


def get_appended_columns(
    titles: Mapping[int, str], headings: Sequence[Sequence[str]]
) -> tuple[int, ...] | None:
    """Return the columns of a line of titles that a marked copy appended, None if the line has none.

    They stand beside each other in the order of ``headings``, each of which is given in all languages. A roster's own
    column may have one of these titles.
    """
    names = [
        {_add_suffix(heading, number) for heading in translations for number in range(_MAX_SUFFIX + 1)}
        for translations in headings
    ]
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
    free = (
        number
        for number in range(_MAX_SUFFIX)
        if titles.isdisjoint(_add_suffix(translation, number) for translation in translations)
    )
    return _add_suffix(heading, next(free, _MAX_SUFFIX))


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
