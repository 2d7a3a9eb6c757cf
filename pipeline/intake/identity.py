"""Who a row is: the number cell and the card type cell, read and judged together.

A digit is never changed, added or removed. What may be normalised (width, case, a look-alike of X in last place,
spaces, hyphens, invisible characters, quotes) is recorded; everything else is refused with what is wrong with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from pipeline.intake.card_numbers import has_lost_tail, judge
from pipeline.intake.choices import read_card_type
from pipeline.intake.folding import (
    BROKEN,
    FORMULA_TEXT,
    INVISIBLE,
    QUOTES,
    SPACES,
    WIDTH,
    Reading,
    Step,
    drop_spaces,
    is_placeholder,
    quote,
    shown,
    walk,
)
from pipeline.problems import problem
from pipeline.roster import CardType, Cell, CellKind, Change, Field, Problem, Row

_NUMERIC_LOOK = re.compile(
    r"[+-]?[0-9](?:\.[0-9]*)?E\+?[0-9]{1,3}"  # 1.10101E+17
    r"|[0-9]{15,}\.[0-9]*"  # 110101199003071000.0
    r"|[0-9]{1,3}(?:,[0-9]{3}){4,}(?:\.[0-9]*)?"  # 110,101,199,003,071,000
)
_MASKED = re.compile(r"[*×✕✖●○•■□█#]{2,}")
_NO_NUMBER = re.compile(r"X{3,}|\A[^0-9]*\Z")  # masked with letters, or words
_PLAIN = re.compile(r"[0-9]{17}[0-9X]")  # nothing to normalise: nearly every number

_GROUPED = re.compile(r"[0-9]{6}[\s-]+[0-9]{8}[\s-]+[0-9]{4}")
_HYPHENS = re.compile(r"[-‐‑‒–—−]")
_X_LOOKALIKE = re.compile(r"([0-9]{17})[×✕✖✗✘╳⨯*ΧχХхⅩⅹ]")
_UPPER = {ord(small): small.upper() for small in "abcdefghijklmnopqrstuvwxyz"}

_LOOKALIKE = "x_lookalike"
_STEPS: tuple[Step, ...] = (
    INVISIBLE,
    WIDTH,
    FORMULA_TEXT,
    QUOTES,
    SPACES,
    ("hyphens", lambda text: _HYPHENS.sub("", text)),
    ("case", lambda text: text.translate(_UPPER)),
    (_LOOKALIKE, lambda text: f"{match[1]}X" if (match := _X_LOOKALIKE.fullmatch(text)) else text),
)
_STEPS_OTHER: tuple[Step, ...] = (INVISIBLE, WIDTH, FORMULA_TEXT, QUOTES, ("spaces", str.strip))


@dataclass(frozen=True, slots=True)
class Identity:
    """``number`` (upper-case X) and ``id_type``: both None where an error stands in ``problems``."""

    number: str | None
    id_type: CardType | None
    problems: tuple[Problem, ...] = ()
    changes: tuple[Change, ...] = ()


def lifetime(number: str, id_type: CardType) -> str:
    """Return the part of a whole, normalised number that stays with its person for life (DESIGN §4).

    The last two digits of a Hong Kong and Macao permit count its renewals.
    """
    return number[:9] if id_type is CardType.HONGKONG_AND_MACAO else number


def normalise(text: str, *, other: bool = False) -> tuple[str, tuple[Change, ...]]:
    """Return the number as it is judged and sent, and every step that altered it; idempotent.

    A number of ``other`` cards has no known form: only its ends, width and invisible characters are touched.
    """
    if _PLAIN.fullmatch(text):
        return text, ()
    return walk(Field.NUMBER, text, _STEPS_OTHER if other else _STEPS)


def read_identity(row: Row, *, allow_other: bool, today: date) -> Identity:
    """Read number and card type of a row and judge them against each other.

    ``allow_other`` opens OTHER_CARD_TYPE. A number beside a card type that cannot be read is not judged: what it
    should look like is not known. Cells of broken formulas are passed over without a word.
    """
    type_cell = row.fields.get(Field.ID_TYPE)
    unread = type_cell is not None and type_cell.kind in BROKEN
    declared = read_card_type(
        None if unread else type_cell, row.address(Field.ID_TYPE), allow_other=allow_other
    )
    number = _read(row, declared.value)
    if number.value is None or declared.problems or unread:
        return Identity(None, None, (*number.problems, *declared.problems))

    card, form = judge(number.value, declared.value, row.address(Field.NUMBER), today)
    agreed = _agree(row, declared.value, card, usable=not any(found.severity == "error" for found in form))
    tail = () if form else _lost_tail(number, row.address(Field.NUMBER))
    problems = (*number.problems, *form, *tail, *agreed.problems)
    if any(found.severity == "error" for found in problems):
        return Identity(None, None, problems)
    return Identity(number.value, card, problems, (*number.changes, *agreed.changes))


def _lost_tail(number: Reading[str], address: str | None) -> tuple[Problem, ...]:
    """Doubt a number that ends in 000 although its check digit fits, unless a person wrote it in groups.

    One honest number in about 1,100 ends so, and one in eleven that lost its tail fits by chance (rosters.md §0).
    No spreadsheet groups digits by 6, 8 and 4: a number written 110101 19900307 1000 was typed from the card.
    """
    grouped = any(_GROUPED.search(change.before) for change in number.changes)
    if number.value is None or grouped or not has_lost_tail(number.value):
        return ()
    return (problem("ID_PRECISION_LOST", Field.NUMBER, address, tail=number.value[-3:]),)


def _read(row: Row, declared: CardType | None) -> Reading[str]:
    """Return the normalised number; no value where the cell holds none that could be judged."""
    cell, address = row.fields.get(Field.NUMBER), row.address(Field.NUMBER)
    if cell is not None and cell.kind in BROKEN:
        return Reading(None)
    if cell is not None and cell.kind is CellKind.NUMBER:
        return Reading(None, (_typed_as_number(cell, address, declared),))
    if cell is not None and cell.kind in (CellKind.DATE, CellKind.BOOL):
        return Reading(None, (problem("ID_FORMAT", Field.NUMBER, address, why=cell.kind.value),))
    text = shown(cell)
    other = declared is CardType.OTHER_CARD_TYPE
    number, changes = normalise(text, other=other)
    if is_placeholder(text) or _MASKED.search(number) or (not other and _NO_NUMBER.search(number)):
        hidden = re.sub(r"\d", "*", quote(text))
        return Reading(None, (problem("ID_MISSING", Field.NUMBER, address, found=hidden),))
    if _NUMERIC_LOOK.fullmatch(drop_spaces(number).translate(_UPPER)):
        return Reading(None, (problem("ID_PRECISION_LOST", Field.NUMBER, address),))
    return Reading(number, _lookalike(changes, address), changes)


def _typed_as_number(cell: Cell, address: str | None, declared: CardType | None) -> Problem:
    """Refuse a cell of numeric type by its type, never by its digits: by now they are those of a double."""
    value = Decimal(str(cell.value))
    if not value.is_finite() or value != value.to_integral_value() or value < 0:
        return problem("ID_FORMAT", Field.NUMBER, address, why=cell.kind.value)
    length = len(str(int(value)))
    if length > 15 or declared is CardType.OTHER_CARD_TYPE:  # another card's leading zeros are gone as well
        return problem("ID_PRECISION_LOST", Field.NUMBER, address)
    if length == 15:
        return problem("ID_15_DIGIT", Field.NUMBER, address)
    expected = 11 if declared is CardType.HONGKONG_AND_MACAO else 18
    return problem("ID_LENGTH", Field.NUMBER, address, length=length, expected=expected)


def _lookalike(changes: tuple[Change, ...], address: str | None) -> tuple[Problem, ...]:
    stood = [change.before[-1] for change in changes if change.why == _LOOKALIKE]
    return tuple(problem("ID_CHAR", Field.NUMBER, address, severity="warning", found=char) for char in stood)


def _agree(row: Row, declared: CardType | None, card: CardType, *, usable: bool) -> Reading[CardType]:
    """Compare the declared card with the one the number belongs to.

    A blank type follows a usable number; that is worth no word where the roster has no such column and the number
    is that of an ordinary identity card, the API's own default. 身份证 beside a residence permit's number is set
    right, for that is what rosters call that card; every other difference is for a human.
    """
    address = row.address(Field.ID_TYPE)
    if declared is card:
        return Reading(card)
    if declared is None:
        silent = not usable or (card is CardType.ID_CARD and Field.ID_TYPE not in row.fields)
        inferred = problem("ID_TYPE_INFERRED", Field.ID_TYPE, address, used=card.value)
        return Reading(card, () if silent else (inferred,))
    written = quote(shown(row.fields.get(Field.ID_TYPE)))
    set_right = declared is CardType.ID_CARD and card is CardType.HONGKONG_MACAO_AND_TAIWAN
    mismatch = problem(
        "ID_TYPE_MISMATCH",
        Field.ID_TYPE,
        address,
        severity="warning" if set_right else "error",
        found=written,
        used=card.value,
    )
    changes = (Change(Field.ID_TYPE, written, card.value, "from_number"),) if set_right else ()
    return Reading(card, (mismatch,), changes)
