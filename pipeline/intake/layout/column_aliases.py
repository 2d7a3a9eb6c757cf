"""Which column is which: the titles of a line, and what is said where no line holds them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from pipeline.domain.roster import IGNORED, CellKind, Column, Field
from pipeline.errors import FileRefused
from pipeline.intake.layout.column_titles import ALIASES, Meaning, find_nearest, fold, meaning, squeeze
from pipeline.intake.readers.model import Line, letters

SEARCHED = 50  # lines that hold something, from the top of a sheet
_DESCRIBED = 100  # unused columns of a header: a sheet may have 16,384
_SHOWN, _STARS = 20, 3  # titles of a line and characters of each; stars of a masked cell
_PERSONAL = re.compile(r"\d{6}")


@dataclass(frozen=True, slots=True)
class ColumnAliases:
    """The titles that mean something: the user's ``columns`` first, then the built-in ones."""

    whole: Mapping[str, Field | None]  # the user's, with what stands in their brackets; None: not to be read
    bare: Mapping[str, Field | None]

    @classmethod
    def of(cls, columns: Mapping[str, str]) -> ColumnAliases:
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
            (column, self.meaning(cell.display_text))
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
    unused: Mapping[Field, Sequence[int]] = field(default_factory=dict)  # further columns of a field


def describe_columns(
    titles: Mapping[int, str], places: Mapping[Field, int], vocabulary: ColumnAliases
) -> tuple[Column, ...]:
    """Return what each column with a title is read as; for an unused one the nearest title of a field that has none."""
    fields = {column: name for name, column in places.items()}
    absent = [name for name in Field if name not in places]
    found: list[Column] = []
    unused = 0
    for column, title in sorted((column, title.strip()) for column, title in titles.items()):
        name = fields.get(column)
        unused += name is None
        if not title or (name is None and unused > _DESCRIBED):
            continue
        guess = None if name or vocabulary.knows(title) else find_nearest(title, absent)
        found.append(Column(letters(column), title, name, guess))
    return tuple(found)


def find_nearest_line(lines: Iterable[Line], vocabulary: ColumnAliases) -> Line | None:
    """Return the line that comes nearest to a header; one with personal data is no line of titles."""
    titled = (line for line in lines if not _holds_data(line))
    return max(titled, key=lambda line: (len(vocabulary.places(line)), len(line.cells) > 1), default=None)


def describe_nearest(lines: Iterable[Line], vocabulary: ColumnAliases) -> tuple[Column, ...]:
    """Return what the columns of the line would be read as that comes nearest to a header; none where nothing is."""
    nearest = find_nearest_line(lines, vocabulary)
    places = vocabulary.places(nearest) if nearest else {}
    if nearest is None or not places:
        return ()
    titles = {column: cell.display_text for column, cell in nearest.cells.items()}
    return describe_columns(titles, {name: columns[0] for name, columns in places.items()}, vocabulary)


def missing(seen: Iterable[Sequence[Line]], vocabulary: ColumnAliases) -> FileRefused:
    """Return why no sheet has a header: ``seen`` are the first lines of each sheet that was read.

    The line that comes nearest tells its titles. Where every line holds personal data, the first one is shown masked.
    """
    lines = [line for sheet in seen for line in sheet]
    nearest = find_nearest_line(lines, vocabulary)
    if nearest is None:
        first = lines[0]
        shown = _joined(mask_cell(cell.display_text) for cell in first.cells.values())
        return FileRefused("HEADER_NOT_FOUND", {"found": shown, "first": str(first.number)})
    places = vocabulary.places(nearest)
    titles = [cell.display_text.strip() for cell in nearest.cells.values()]
    lacking = [name for name in (Field.NAME, Field.NUMBER) if name not in places]
    near = {
        title: guess
        for title in titles
        if not vocabulary.knows(title) and (guess := find_nearest(title, lacking))
    }
    detail = {
        "found": _joined(titles),
        "near": ", ".join(f"{title} → {guess}" for title, guess in near.items()),
    }
    if len(places) > 1 and len(lacking) == 1:
        return FileRefused("COLUMN_MISSING", {"field": label(lacking[0]), **detail})
    return FileRefused("HEADER_NOT_FOUND", detail)


def _joined(texts: Iterable[str]) -> str:
    return " | ".join(text[:_SHOWN] for text in islice(filter(None, texts), _SHOWN)) or "—"


def mask_cell(text: str) -> str:
    """Return no more of a cell than lets its owner recognise it: the first character and some stars."""
    text = text.strip()
    return text[:1] + "*" * min(len(text) - 1, _STARS) if text else ""


def label(name: Field) -> str:
    """Return a field's name for a message: its first Chinese title and the word that ``columns`` takes."""
    return f"{ALIASES[name][0]} ({name})"


def _holds_data(line: Line) -> bool:
    return any(
        cell.kind is not CellKind.TEXT or _PERSONAL.search(cell.display_text) for cell in line.cells.values()
    )
