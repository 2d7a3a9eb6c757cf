"""Which column is which: the titles of a line, and what is said where no line holds them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import FileRefused
from pipeline.intake.cells import Line
from pipeline.intake.titles import ALIASES, Meaning, fold, meaning, squeeze
from pipeline.roster import IGNORED, CellKind, Field

SEARCHED = 50  # lines that hold something, from the top of a sheet
_PERSONAL = re.compile(r"\d{6}")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The titles that mean something: the user's ``columns`` first, then the built-in ones."""

    whole: Mapping[str, Field | None]  # the user's, with what stands in their brackets; None: not to be read
    bare: Mapping[str, Field | None]

    @classmethod
    def of(cls, columns: Mapping[str, str]) -> Vocabulary:
        """Make it from ``columns``: a title as written or folded -> the value of a Field, or "ignore"."""
        fields = {title: None if name == IGNORED else Field(name) for title, name in columns.items()}
        return cls(
            {squeeze(title): name for title, name in fields.items()},
            {fold(title): name for title, name in fields.items()},
        )

    def meaning(self, title: str) -> Meaning | None:
        """Return what a title means; the user's titles are of a tier before all others."""
        if not self.whole:
            return meaning(title)
        for titles, written in ((self.whole, squeeze(title)), (self.bare, fold(title))):
            if written in titles:
                name = titles[written]
                return Meaning(name, -1) if name else None
        return meaning(title)

    def knows(self, title: str) -> bool:
        """Tell whether a title names a field."""
        return self.meaning(title) is not None

    def places(self, line: Line) -> dict[Field, list[int]]:
        """Return the columns of a line that name each field; a title of an earlier tier rules out its rivals."""
        found = (
            (column, self.meaning(cell.shown))
            for column, cell in line.cells.items()
            if cell.kind is CellKind.TEXT
        )
        return claims((column, each) for column, each in found if each)


def claims(meanings: Iterable[tuple[int, Meaning]]) -> dict[Field, list[int]]:
    """Return which columns claim each field, of its best tier alone (titles.TIERS)."""
    best: dict[Field, tuple[int, list[int]]] = {}
    for column, (name, tier) in meanings:
        first, columns = best.get(name, (tier, []))
        if tier < first or not columns:
            best[name] = (tier, [column])
        elif tier == first:
            columns.append(column)
    return {name: columns for name, (_, columns) in best.items()}


@dataclass(frozen=True, slots=True)
class Header:
    """The titles of a table; of a header of several rows each column's own, with its group where that counts."""

    row: int  # the first of its lines
    last: int  # the last one
    titles: Mapping[int, str]  # column -> as written
    places: Mapping[Field, int]


def missing(seen: Iterable[Sequence[Line]], vocabulary: Vocabulary) -> FileRefused:
    """Return why no sheet has a header: ``seen`` are the first lines of each sheet that was read.

    The line that comes nearest tells its titles; a line with personal data is no line of titles and is not shown.
    """
    lines = [line for sheet in seen for line in sheet if not _holds_data(line)]
    nearest = max(lines, key=lambda line: (len(vocabulary.places(line)), len(line.cells) > 1), default=None)
    places = vocabulary.places(nearest) if nearest else {}
    titles = [cell.shown.strip() for cell in nearest.cells.values()] if nearest else []
    found = " | ".join(title[:20] for title in titles[:20] if title) or "—"
    lacking = [name for name in (Field.NAME, Field.NUMBER) if name not in places]
    if len(places) > 1 and len(lacking) == 1:
        return FileRefused("COLUMN_MISSING", {"field": label(lacking[0]), "found": found})
    return FileRefused("HEADER_NOT_FOUND", {"found": found})


def label(name: Field) -> str:
    """Return a field's name for a message: its first Chinese title and the word that ``columns`` takes."""
    return f"{ALIASES[name][0]} ({name})"


def _holds_data(line: Line) -> bool:
    return any(cell.kind is not CellKind.TEXT or _PERSONAL.search(cell.shown) for cell in line.cells.values())
