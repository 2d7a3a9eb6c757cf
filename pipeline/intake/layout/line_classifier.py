"""Which lines under a header are doctors, and what the others are.

When in doubt a line is a doctor: a refused row is seen by a human, a skipped line hardly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pipeline.domain.roster import CellKind, Field
from pipeline.intake.layout import line_words as words
from pipeline.intake.layout.column_aliases import Header
from pipeline.intake.layout.example_rows import is_example
from pipeline.intake.readers.model import Line, RawCell, filled

Why = Literal["title", "header", "blank", "total", "note", "example"]

_DIGITS = re.compile(r"\d")
_ENOUGH = 7  # digits: no count of people has as many
_STAFF_NO = 4  # digits: beside a label, fewer are a count
_PHONE_OR_DATE = re.compile(r"\+?[\d./年月日-]{7,14}(?:\d\d:.*)?")
# what a formula leaves that was drawn down in advance: ="" & "处方章"
_LEFT_OVER = re.compile(
    r"(?:的?(?:电子)?(?:处方|个人|医师|医生)?(?:印章|签章|签名|章)?|none|null)(?:[.](?:png|jpe?g|bmp))?"
)
# one of these in a line makes somebody of it; department, card type and the like are filled down in advance
_SOMEBODY = (Field.MOBILE, Field.STAFF_NO, Field.PICTURE, Field.SEAL_NAME)


def classify_line(line: Line, header: Header, *, across: bool = False) -> Why | None:
    """Return why a line under the header is no doctor; None if it is one, or could be.

    ``across`` where its only cell is merged over the name and number columns: that is nobody's name.
    """
    if not line.cells:
        return "blank"
    if is_example(line, header):
        return "example"
    number = line.cells.get(header.places[Field.NUMBER])
    name = line.cells.get(header.places[Field.NAME])
    if number is not None and _is_number(number, name):
        return None
    full = {column: cell for column, cell in line.cells.items() if _counts(cell)}
    if not full:
        return "blank"
    if all(cell.kind is CellKind.PICTURE for cell in full.values()):
        return "note"
    return _judge(full, header, across=across)


def _is_number(number: RawCell, name: RawCell | None) -> bool:
    """Tell whether the number cell alone makes a doctor of the line: too many digits for a count or a telephone."""
    text = words.compact(number.display_text)
    if len(_DIGITS.findall(text)) < _ENOUGH or words.is_note(text):
        return False
    if not _PHONE_OR_DATE.fullmatch(text):
        return True
    return name is None or _label(words.compact(name.display_text)) is None


def _counts(cell: RawCell) -> bool:
    """Tell whether a cell holds anything: neither dashes nor the 0 of a formula that points to an empty cell."""
    if not filled(cell) or (cell.kind is CellKind.NUMBER and not cell.value):
        return False
    return cell.kind is not CellKind.TEXT or not words.is_nothing(cell.display_text[:400])


def _judge(full: Mapping[int, RawCell], header: Header, *, across: bool) -> Why | None:
    """Judge a line whose number cell is empty, a word, or a count."""
    texts = {column: words.compact(cell.display_text) for column, cell in full.items()}
    name, number = (texts.get(header.places[field]) for field in (Field.NAME, Field.NUMBER))
    first = next(iter(texts.values()))
    if name is not None and number is not None and words.are_ordinals(list(texts.values())):
        return "header"  # each column's number, as forms have it under the titles
    named = name is not None and _names(full[header.places[Field.NAME]], name)
    if label := _said(texts, header, named=named):
        return label
    if number is not None and not _idle(full[header.places[Field.NUMBER]], number):
        hinted = words.is_hint(number) and (not name or words.is_hint(name))
        return "note" if hinted else None
    if len(full) == 1:
        return _alone(full, first, header, named=named, across=across)
    return _together(full, texts, header, named=named)


def _said(texts: Mapping[int, str], header: Header, *, named: bool) -> Why | None:
    """Return what a label says of the line, if no person beside it speaks against it."""
    first, name = next(iter(texts)), header.places[Field.NAME]
    somebody = any(_speaks(field, texts.get(header.places.get(field, -1), "")) for field in _SOMEBODY)
    if first != name and (words.opens(texts[first]) or words.is_label(texts[first])):
        return "note"  # the cell beside it is who signed
    if named:
        return "note" if not somebody and ":" in texts[first] and words.is_note(texts[first]) else None
    for column in (first, name, header.places[Field.NUMBER]):
        label = _label(texts.get(column, ""))
        if label and not (column == name and words.is_label(texts[name]) and somebody):
            return label
    return "total" if not somebody and any(map(words.is_total, texts.values())) else None


def _label(text: str) -> Why | None:
    if words.is_total(text):
        return "total"
    return "note" if words.is_note(text) or words.is_label(text) else None


def _names(cell: RawCell, text: str) -> bool:
    """Tell whether the name cell may hold somebody's name, or a formula that should."""
    if cell.kind in (CellKind.ERROR, CellKind.NO_VALUE):
        return True
    if cell.kind is not CellKind.TEXT or words.is_count(text) or words.is_hint(text):
        return False
    return not (_label(text) or words.is_unit(text) or words.is_sentence(text))


def _personal(text: str) -> bool:
    """Tell whether a cell of a person's own holds something of theirs."""
    return bool(text) and not (_label(text) or words.is_hint(text) or _LEFT_OVER.fullmatch(text))


def _speaks(field: Field, text: str) -> bool:
    """Tell whether a cell of a person's own weighs more than a label in its line."""
    if field in (Field.MOBILE, Field.STAFF_NO) and not (text.isascii() and len(text) >= _STAFF_NO):
        return False
    return _personal(text)


def _idle(cell: RawCell, text: str) -> bool:
    """Tell a number cell that says nothing of a person; 无, #N/A and a count that nothing labels do."""
    return cell.kind not in (CellKind.ERROR, CellKind.NO_VALUE) and _label(text) is not None


def _alone(
    full: Mapping[int, RawCell], text: str, header: Header, *, named: bool, across: bool
) -> Why | None:
    """Judge the only cell of a line: a name without anything is still somebody, a department's title is not."""
    ((column, cell),) = full.items()
    if across:
        return "title" if _says(cell, text) else "blank"
    coded = text.isascii() and len(_DIGITS.findall(text)) >= _STAFF_NO
    filed = not (words.is_unit(text) or words.is_sentence(text)) and _personal(text)
    places = header.places
    if (
        named
        or (coded and column in (places.get(Field.MOBILE), places.get(Field.STAFF_NO)))
        or (filed and column in (places.get(Field.PICTURE), places.get(Field.SEAL_NAME)))
    ):
        return None
    return "title" if _says(cell, text) else "blank"


def _together(
    full: Mapping[int, RawCell], texts: Mapping[int, str], header: Header, *, named: bool
) -> Why | None:
    """Judge several cells without a number: one that belongs to a person makes somebody of the line."""
    places = header.places
    own = [places[field] for field in _SOMEBODY if places.get(field, -1) in full]
    if named or any(full[column].kind is not CellKind.TEXT or _personal(texts[column]) for column in own):
        return None
    name = texts.get(places[Field.NAME])
    if name is not None:
        return _no_name(name)
    mapped = set(places.values())
    said = (_says(cell, texts[column]) for column, cell in full.items() if column not in mapped)
    return "note" if any(said) else "blank"


def _no_name(text: str) -> Why | None:
    """Judge what stands in the name column and is no name."""
    if words.is_hint(text):
        return "note"
    if words.is_count(text):
        return "total"
    return "title" if words.is_unit(text) else None


def _says(cell: RawCell, text: str) -> bool:
    """Tell words from prepared numbers, ticks and formulas."""
    return cell.kind is CellKind.TEXT and not text.isdecimal()
