"""What two spellings of one identity number share where one of them is damaged: a slip of the keyboard, lost digits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.domain.roster import CellKind, Field, Row
from pipeline.intake.conflicts import KEPT_DIGITS, get_kept_digits
from pipeline.intake.fields.normalize import drop_spaces, fold_width, get_field_text

# as comparison keys: identity cards, permits, other cards
_NUMBER = re.compile(r"[0-9]{17}[0-9x]|[a-z][0-9a-z()]{6,19}")
_PERMIT = re.compile(r"[hm][0-9]{8,10}")
_LIFETIME = 9  # characters of a permit that no renewal changes
_WHOLE = 18  # characters of an identity number
_SHORTEST = 8  # characters from which on one that is wrong leaves a number recognizable


def list_number_traces(row: Row) -> list[str]:
    """Return the traces of the number that a row gives, whether or not it can be used; none for a blank cell.

    Two numbers share a trace if they are equal but for one character, two neighbouring ones, or one that is missing;
    if a spreadsheet kept the first 15 digits of one of them; or if one is the other's form of 15 digits.
    """
    cell = row.fields.get(Field.NUMBER)
    text = "".join(filter(str.isalnum, drop_spaces(fold_width(get_field_text(row, Field.NUMBER))))).upper()
    if cell is None or not any(map(str.isdigit, text)):
        return []
    if (cell.kind is CellKind.NUMBER or "E" in text) and (kept := get_kept_digits(cell)):
        return [f"{kept}+"]
    traces = {text}
    if len(text) >= _SHORTEST:
        for start in range(len(text)):
            traces.add(f"{text[:start]}?{text[start + 1 :]}")
            traces.add(f"{text[:start]}??{text[start + 2 :]}")
            traces.add(text[:start] + text[start + 1 :])
    if len(text) == _WHOLE:
        traces.add(f"{text[:KEPT_DIGITS]}+")
        traces.add(text[:6] + text[8:17])  # the form of 15 digits lacks the century and the check character
    return sorted(traces)


def list_lifetime_numbers(comparison_key: str) -> Iterator[str]:
    """Yield the lifetime numbers that a text may be, none for one that has not the form of an identity number."""
    if _NUMBER.fullmatch(comparison_key):
        yield comparison_key.upper()
        if _PERMIT.match(comparison_key):
            yield comparison_key[:_LIFETIME].upper()
