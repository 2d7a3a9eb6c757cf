"""Reads the number cell and the card type cell together, and checks them against each other.

A digit is never changed, added or removed. What may be normalised (width, case, a look-alike of X in last place,
spaces, hyphens, invisible characters, quotes) is recorded; everything else is refused with what is wrong with it.

Some programs round numbers: Excel keeps 15 digits, some writers 16, a double 53 bits. The check digit of one rounded
number in eleven fits by chance, and then it is another person's. Such numbers are known by their neighbours.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from pipeline.domain.roster import CardType, Cell, CellKind, Change, Field, Problem, Row, list_spellings
from pipeline.intake.fields.id_rules import check_number, refuse_number
from pipeline.intake.fields.normalize import (
    FORMULA_TEXT,
    INVISIBLE,
    QUOTES,
    SPACES,
    UNUSABLE_FORMULAS,
    WIDTH,
    FieldResult,
    Step,
    apply_steps,
    drop_spaces,
    fold_width,
    get_field_text,
    get_text,
    is_placeholder,
    keep_groups,
    quote_text,
    read_whole_number,
)
from pipeline.intake.fields.text_fields import read_card_type
from pipeline.messages.problems import build_problem
from pipeline.messages.texts import make_text

# what is left of a number that some program took for one: 1.10101E+17, 110101199003071e3, 1.1*10^17
_EXPONENT = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*)?(?:[ED][+-]?|[*×X]10\^?)[0-9]{1,3}\.?")
# the same where no card of another kind is written so: 5E12 may be a passport
_POINTED = re.compile(r"[0-9]+[.,][0-9]*E[+-]?[0-9]{1,3}|[0-9]+E[+-][0-9]{1,3}")
_FLOAT = re.compile(
    r"[0-9]{15,}\.[0-9]+"  # 110101199003071000.0
    r"|[0-9]{1,3}(?:,[0-9]{3}){4,}(?:\.[0-9]*)?"  # 110,101,199,003,071,000
)
_MASKED = re.compile(r"[*×✕✖●○•■□█▇#]{2,}|X{3,}", re.IGNORECASE)
_PLAIN = re.compile(r"[0-9]{17}[0-9X]")  # nothing to normalise: nearly every number

_TAIL = re.compile(r"(?<=\A[0-9]{15})000\Z|(?<=\A[0-9]{16})00\Z")
_GROUPED = re.compile(r"[0-9]{6}[\s-]+[0-9]{8}[\s-]+[0-9]{4}")
KEPT_DIGITS, _WHOLE = 15, 18  # digits of a number that a spreadsheet keeps, and all of them
_CUT = re.compile(r"[0-9]+(?:\.[0-9]*)?E\+?[0-9]{1,3}|[0-9]{18}(?:\.0*)?", re.IGNORECASE)
_HYPHENS = re.compile(r"[-‐‑‒–—―−﹘﹣]")
_X_LOOKALIKE = re.compile(r"([0-9]{17})[×✕✖✗✘☓❌╳⨉⨯⤫⤬*∗ΧχХхⅩⅹꓫ乂㐅𝐗𝑿𝖷𝗫𝚇𝐱𝑥𝗑𝘅𝚡]")
_CASE = re.compile(r"\A[hm]|x\Z")

Rounding = Callable[[int], bool]  # could this number be what such a program made of another?

_EIGHTEEN_DIGITS = re.compile(r"[0-9]{18}")
# failing numbers of one rounding that give a sheet away, and their share of all that fail: by chance so in less than one
# honest sheet in a thousand
_FEWEST, _SHARE = 3, 0.75

_LOOKALIKE = "x_lookalike"
_STEPS: tuple[Step, ...] = (
    INVISIBLE,
    WIDTH,
    FORMULA_TEXT,
    QUOTES,
    SPACES,
    ("hyphens", lambda text: _HYPHENS.sub("", text)),
    ("case", lambda text: _CASE.sub(lambda letter: letter[0].upper(), text)),
    keep_groups(_LOOKALIKE, _X_LOOKALIKE, "X"),
)
_STEPS_OTHER: tuple[Step, ...] = (INVISIBLE, WIDTH, FORMULA_TEXT, QUOTES, ("spaces", str.strip))


@dataclass(frozen=True, slots=True)
class Identity:
    """``number`` (upper-case X) and ``id_type``: both None where an error stands in ``problems``."""

    number: str | None
    id_type: CardType | None
    problems: tuple[Problem, ...] = ()
    changes: tuple[Change, ...] = ()


IsKnown = Callable[[str, CardType], bool]  # whether the ledger has a seal or an unresolved attempt of it


def find_lifetime_number(number: str, id_type: CardType) -> str:
    """Return the part of a whole, normalised number that stays with its person for life.

    The last two digits of a Hong Kong and Macao permit count its renewals. Another card's number counts without case.
    """
    return number[:9] if id_type is CardType.HONGKONG_AND_MACAO else list_spellings(number, id_type)[0]


def find_kept_digits(cell: Cell | None) -> str | None:
    """Return the 15 digits that are left of a number of 18 in a numeric cell, an exponent or a lost tail."""
    if cell is None or cell.kind not in (CellKind.NUMBER, CellKind.TEXT):
        return None
    text = str(cell.value) if cell.kind is CellKind.NUMBER else drop_spaces(fold_width(cell.display_text))
    if not _CUT.fullmatch(text):
        return None
    digits = f"{Decimal(text):f}".partition(".")[0]
    return digits[:KEPT_DIGITS] if len(digits) == _WHOLE else None


def normalise_number(text: str, *, other: bool = False) -> tuple[str, tuple[Change, ...]]:
    """Return the number as it is judged and sent, and every step that altered it; idempotent.

    A number of ``other`` cards has no known form: only its ends, width and invisible characters are touched.
    """
    if _PLAIN.fullmatch(text):
        return text, ()
    return apply_steps(Field.NUMBER, text, _STEPS_OTHER if other else _STEPS)


def read_identity(
    row: Row, *, allow_other: bool, today: date, is_known: IsKnown = lambda *_: False
) -> Identity:
    """Read number and card type of a row and judge them against each other.

    ``allow_other`` opens OTHER_CARD_TYPE. A number beside a card type that cannot be read is not judged: what it
    should look like is not known. Cells of broken formulas are passed over without a word. A number for which
    ``is_known`` is true has lost no digit.
    """
    type_cell = row.fields.get(Field.ID_TYPE)
    unread = type_cell is not None and type_cell.kind in UNUSABLE_FORMULAS
    declared = read_card_type(
        None if unread else type_cell, row.address(Field.ID_TYPE), allow_other=allow_other
    )
    number = _read_number(row, declared.value)
    if number.value is None or declared.problems or unread:
        return Identity(None, None, (*number.problems, *declared.problems))

    card, faults = check_number(number.value, declared.value, row.address(Field.NUMBER), today)
    form = tuple(faults)
    agreed = _compare_card_types(
        row, declared.value, card, usable=not any(defect.severity == "error" for defect in form)
    )
    lost = _find_lost_tail(number, form)
    if lost is not None and not is_known(number.value, card):
        doubted = refuse_number("ID_PRECISION_LOST", row.address(Field.NUMBER), tail=lost)
        form = (*(defect for defect in form if defect.code != "ID_CHECKSUM"), doubted)
    problems = (*number.problems, *form, *agreed.problems)
    if any(defect.severity == "error" for defect in problems):
        return Identity(None, None, problems)
    return Identity(number.value, card, problems, (*number.changes, *agreed.changes))


def _find_lost_tail(number: FieldResult[str], form: tuple[Problem, ...]) -> str | None:
    """Return the tail of a number that may have lost its own: 000, and 00 where its check digit does not fit.

    One honest number in about 1,100 ends in 000, and one in eleven that was cut to 15 digits fits by chance; of those
    that end in 00 most are honest. No spreadsheet groups digits by 6, 8 and 4: a number written
    110101 19900307 1000 was typed from the card.
    """
    tail = _TAIL.search(number.value or "")
    if tail is None or any(_GROUPED.search(change.before) for change in number.changes):
        return None
    if tail[0] != "000" and all(defect.code != "ID_CHECKSUM" for defect in form):
        return None
    return tail[0]


def _read_number(row: Row, declared: CardType | None) -> FieldResult[str]:
    """Return the normalised number; no value where the cell holds none that could be judged."""
    cell, address = row.fields.get(Field.NUMBER), row.address(Field.NUMBER)
    if cell is not None and cell.kind in UNUSABLE_FORMULAS:
        return FieldResult(None)
    if cell is not None and cell.kind is CellKind.NUMBER:
        return FieldResult(None, (_refuse_number_cell(cell, address, declared),))
    if cell is not None and cell.kind in (CellKind.DATE, CellKind.BOOL):
        return FieldResult(None, (refuse_number("ID_FORMAT", address, why=make_text(f"cell.{cell.kind}")),))
    return _read_number_text(get_text(cell), address, other=declared is CardType.OTHER_CARD_TYPE)


def _read_number_text(text: str, address: str | None, *, other: bool) -> FieldResult[str]:
    number, changes = normalise_number(text, other=other)
    if _PLAIN.fullmatch(number):
        return FieldResult(number, _warn_of_lookalikes(changes, address), changes)
    if is_placeholder(text) or _holds_no_number(number):
        hidden = re.sub(r"\d", "*", quote_text(text))
        return FieldResult(None, (refuse_number("ID_MISSING", address, found=hidden),))
    if _was_a_number(number, other=other):
        return FieldResult(None, (refuse_number("ID_PRECISION_LOST", address),))
    return FieldResult(number, _warn_of_lookalikes(changes, address), changes)


def _holds_no_number(number: str) -> bool:
    """Return whether a text is a masked number, or words in place of a number."""
    return _MASKED.search(number) is not None or not any(map(str.isnumeric, number))


def _was_a_number(text: str, *, other: bool) -> bool:
    """Return whether a spreadsheet or a program calculated with the number and wrote it so."""
    compact = drop_spaces(text).upper()
    return any(form.fullmatch(compact) for form in (_POINTED if other else _EXPONENT, _FLOAT))


def _refuse_number_cell(cell: Cell, address: str | None, declared: CardType | None) -> Problem:
    """Refuse a cell of numeric type by its type, never by its digits: by now they are those of a double."""
    whole = read_whole_number(cell)
    if whole is None or whole < 0:
        return refuse_number("ID_FORMAT", address, why=make_text(f"cell.{cell.kind}"))
    length = len(str(whole))
    if length > 15 or declared is CardType.OTHER_CARD_TYPE:  # another card's leading zeros are gone as well
        return refuse_number("ID_PRECISION_LOST", address)
    if length == 15:
        return refuse_number("ID_15_DIGIT", address)
    expected = 11 if declared is CardType.HONGKONG_AND_MACAO else 18
    return refuse_number("ID_LENGTH", address, length=length, expected=expected)


def _warn_of_lookalikes(changes: tuple[Change, ...], address: str | None) -> tuple[Problem, ...]:
    lookalikes = [change.before[-1] for change in changes if change.why == _LOOKALIKE]
    return tuple(refuse_number("ID_CHAR", address, severity="warning", found=char) for char in lookalikes)


def _compare_card_types(
    row: Row, declared: CardType | None, card: CardType, *, usable: bool
) -> FieldResult[CardType]:
    """Compare the declared card with the one the number belongs to.

    A blank type follows a usable number; that is worth no word where the roster has no such column and the number
    is that of an ordinary identity card, the API's own default. 身份证 beside a residence permit's number is set
    right, for that is what rosters call that card; every other difference is for a human.
    """
    address = row.address(Field.ID_TYPE)
    if declared is card:
        return FieldResult(card)
    if declared is None:
        if not usable or (card is CardType.ID_CARD and Field.ID_TYPE not in row.fields):
            return FieldResult(card)
        return FieldResult(
            card, (build_problem("ID_TYPE_INFERRED", Field.ID_TYPE, address, used=make_text(f"card.{card}")),)
        )
    written = quote_text(get_text(row.fields.get(Field.ID_TYPE)))
    set_right = declared is CardType.ID_CARD and card is CardType.HONGKONG_MACAO_AND_TAIWAN
    mismatch = build_problem(
        "ID_TYPE_MISMATCH",
        Field.ID_TYPE,
        address,
        severity="warning" if set_right else "error",
        found=written,
        used=make_text(f"card.{card}"),
    )
    changes = (Change(Field.ID_TYPE, written, card.value, "from_number"),) if set_right else ()
    return FieldResult(card, (mismatch,), changes)


def _is_double(number: int) -> bool:
    return int(float(number)) == number


def _is_shortest_double(number: int) -> bool:
    """Return whether JavaScript and JSON print a double so, or a number cut to 16 digits leaves it."""
    return int(Decimal(repr(float(number)))) == number


_ROUNDINGS: tuple[Rounding, ...] = (_is_double, _is_shortest_double)


def refuse_rounded_numbers(
    rows: Sequence[Row], identities: Sequence[Identity], *, is_known: IsKnown = lambda *_: False
) -> list[Identity]:
    """Return the identities, refused where the number's sheet went through a program that rounds.

    A typing error fits a rounding seldom, a rounded number always, and one rounded number in eleven passes the check
    digit. So where three and more numbers of a sheet fail it, nearly all of them are of one rounding, and they are at
    least as many as those of that rounding that pass (one in ten of which is then another person's), every number of
    that rounding is refused. Numbers with an X, or written in groups, cannot have been rounded; one for which
    ``is_known`` is true was not.
    """
    failing: defaultdict[Hashable, list[int]] = defaultdict(list)
    passing: defaultdict[Hashable, list[int]] = defaultdict(list)
    digits = list(map(_read_digits, rows))
    for row, identity, number in zip(rows, identities, digits, strict=True):
        if number is not None and any(map(_has_wrong_check_digit, identity.problems)):
            failing[_identify_sheet(row)].append(number)
        elif number is not None and identity.number:
            passing[_identify_sheet(row)].append(number)
    roundings = {
        sheet: _find_roundings(numbers, passing[sheet])
        for sheet, numbers in failing.items()
        if len(numbers) >= _FEWEST
    }
    judged = list(identities)
    for index, (row, identity, number) in enumerate(zip(rows, identities, digits, strict=True)):
        if number is None or _is_known(identity, is_known):
            continue
        if any(kind(number) for kind in roundings.get(_identify_sheet(row), ())):
            judged[index] = _refuse_rounded(row, identity)
    return judged


def _has_wrong_check_digit(refusal: Problem) -> bool:
    """Return whether the check digit refused the number; 000 is left out: it shows no other rounding."""
    return refusal.code == "ID_CHECKSUM" or refusal.detail.get("tail") == "00"


def _find_roundings(failing: Sequence[int], passing: Sequence[int]) -> list[Rounding]:
    return [
        kind
        for kind in _ROUNDINGS
        if sum(map(kind, failing)) >= max(_FEWEST, _SHARE * len(failing), sum(map(kind, passing)))
    ]


def _is_known(identity: Identity, is_known: IsKnown) -> bool:
    number, card = identity.number, identity.id_type
    return number is not None and card is not None and is_known(number, card)


def _refuse_rounded(row: Row, identity: Identity) -> Identity:
    lost = refuse_number("ID_PRECISION_LOST", row.address(Field.NUMBER))
    others = tuple(other for other in identity.problems if other.code not in ("ID_CHECKSUM", lost.code))
    return replace(identity, number=None, id_type=None, problems=(*others, lost), changes=())


def _read_digits(row: Row) -> int | None:
    text = get_field_text(row, Field.NUMBER)
    return int(text) if _EIGHTEEN_DIGITS.fullmatch(text) else None


def _identify_sheet(row: Row) -> Hashable:
    return row.origin.path, row.origin.sheet
