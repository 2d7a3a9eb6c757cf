"""Tickets that no longer stand beside their own rows: somebody sorted or moved the columns in sight alone.

A correction changes a cell or two of a row, so the row still resembles the one that its ticket stands for. A row that
resembles another ticket's row more has changed places with it, and with it a picture would change its owner. Name and
number decide; staff number and mobile count where these say nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from pipeline.domain.roster import Field, Row
from pipeline.intake.fields.normalize import get_text, trim_ends

# what tells people apart, and its weight: staff number and mobile together never outvote the name
_MARKS = {Field.NUMBER: 3, Field.NAME: 3, Field.STAFF_NO: 1, Field.MOBILE: 1}
_MOST = 50  # roster rows that share a mark and are compared
_STRANGE = 2  # marks of another row that no correction gives to a row that keeps none of its own

Mark = tuple[Field, str]


def find_swapped_row(rows: Sequence[Row], at: Mapping[str, Row]) -> Row | None:
    """Return the first row of a workbook that stands at another row's ticket; ``at`` are roster rows by row_id."""
    here = [row for row in rows if row.row_token in at]
    wanted = {mark for row in here for mark in _marks(row)}
    holders: defaultdict[Mark, list[str]] = defaultdict(list)
    for row_id, standing in at.items():
        for mark in _marks(standing) & wanted:
            if len(holders[mark]) < _MOST:
                holders[mark].append(row_id)
    alike = {row.row_token: _likeness(row, holders) for row in here}
    by_ticket = {row.row_token: row for row in here}
    for row in here:
        own = _weight(_marks(row) & _marks(at[row.row_token or ""]))
        found = alike[row.row_token]
        nearest = max(found, key=lambda row_id: found[row_id], default=None)
        if nearest is None or nearest == row.row_token or found[nearest] <= own:
            continue
        if own == 0 and len(_marks(row) & _marks(at[nearest])) >= _STRANGE:
            return row
        if nearest in by_ticket and not _at_home(by_ticket[nearest], at[nearest], alike[nearest]):
            return row
    return None


def _at_home(row: Row, standing: Row, found: Counter[str]) -> bool:
    own = _weight(_marks(row) & _marks(standing))
    return own > 0 and own >= max(found.values(), default=0)


def _likeness(row: Row, holders: Mapping[Mark, Sequence[str]]) -> Counter[str]:
    """Return the weight of the row's marks that each roster row has."""
    found: Counter[str] = Counter()
    for mark in _marks(row):
        for row_id in holders.get(mark, ()):
            found[row_id] += _MARKS[mark[0]]
    return found


def _weight(marks: set[Mark]) -> int:
    return sum(_MARKS[field] for field, _ in marks)


def _marks(row: Row) -> set[Mark]:
    return {(field, text) for field in _MARKS if (text := trim_ends(get_text(row.fields.get(field))))}
