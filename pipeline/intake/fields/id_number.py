"""Reads the number cell and the card type cell together, and checks them against each other.

A digit is never changed, added or removed. What may be normalised (width, case, a look-alike of X in last place,
spaces, hyphens, invisible characters, quotes) is recorded; everything else is refused with what is wrong with it.

GB 11643 (18 characters: province, birth date, sequence, MOD 11-2 check character) holds for identity cards and for
the residence permits of Hong Kong, Macao and Taiwan people; the permit of Hong Kong and Macao people is H or M and
ten digits. No message holds more of a number than the part that is wrong.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from operator import mul

from pipeline.domain.roster import (
    CardType,
    Cell,
    CellKind,
    Change,
    Field,
    Problem,
    Row,
    Severity,
    fold_card_number,
)
from pipeline.intake.fields.normalize import (
    CLEANING,
    SPACES,
    UNUSABLE_FORMULAS,
    FieldResult,
    Step,
    apply_steps,
    drop_spaces,
    get_text,
    is_placeholder,
    keep_groups,
    list_characters,
    quote_text,
    read_whole_number,
)
from pipeline.intake.fields.text_fields import read_card_type
from pipeline.messages.catalogue import make_message
from pipeline.messages.problems import build_problem

# what is left of a number that some program took for one: 1.10101E+17, 110101199003071e3, 1.1*10^17
_EXPONENT = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*)?(?:[ED][+-]?|[*×X]10\^?)[0-9]{1,3}\.?")
# the same where no card of another kind is written so: 5E12 may be a passport
_POINTED = re.compile(r"[0-9]+[.,][0-9]*E[+-]?[0-9]{1,3}|[0-9]+E[+-][0-9]{1,3}")
_FLOAT = re.compile(
    r"[0-9]{15,}\.[0-9]+"  # 110101199003071000.0
    r"|[0-9]{1,3}(?:,[0-9]{3}){4,}(?:\.[0-9]*)?"  # 110,101,199,003,071,000
)
_MASKED = re.compile(r"[*×✕✖●○•■□█▇#]{2,}|X{3,}", re.IGNORECASE)
_EIGHTEEN = re.compile(r"[0-9]{17}[0-9X]")  # whole, with nothing to normalise: nearly every number

_TAIL = re.compile(r"(?<=\A[0-9]{15})000\Z|(?<=\A[0-9]{16})00\Z")
_GROUPED = re.compile(r"[0-9]{6}[\s-]+[0-9]{8}[\s-]+[0-9]{4}")
_HYPHENS = re.compile(r"[-‐‑‒–—―−﹘﹣]")
_X_LOOKALIKE = re.compile(r"([0-9]{17})[×✕✖✗✘☓❌╳⨉⨯⤫⤬*∗ΧχХхⅩⅹꓫ乂㐅𝐗𝑿𝖷𝗫𝚇𝐱𝑥𝗑𝘅𝚡]")
_CASE = re.compile(r"\A[hm]|x\Z")

# how a number begins; a date (2026…) does not
PROVINCES = r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"
_LOOKALIKE = "x_lookalike"
_STEPS: tuple[Step, ...] = (
    *CLEANING,
    SPACES,
    ("hyphens", lambda text: _HYPHENS.sub("", text)),
    ("case", lambda text: _CASE.sub(lambda letter: letter[0].upper(), text)),
    keep_groups(_LOOKALIKE, _X_LOOKALIKE, "X"),
)
_STEPS_OTHER: tuple[Step, ...] = (*CLEANING, ("spaces", str.strip))


@dataclass(frozen=True, slots=True)
class Identity:
    """``number`` (upper-case X) and ``id_type``: both None where ``problems`` holds an error."""

    number: str | None
    id_type: CardType | None
    problems: tuple[Problem, ...] = ()
    changes: tuple[Change, ...] = ()


IsKnown = Callable[[str, CardType], bool]  # whether the ledger has a seal or an unresolved attempt of it


def get_lifetime_number(number: str, id_type: CardType) -> str:
    """Return the part of a whole, normalised number that stays with its person for life.

    The last two digits of a Hong Kong and Macao permit count its renewals. Another card's number counts without case.
    """
    return number[:9] if id_type is CardType.HONGKONG_AND_MACAO else fold_card_number(number, id_type)


def normalise_number(text: str, *, other: bool = False) -> tuple[str, tuple[Change, ...]]:
    """Return the number as it is judged and sent, and every step that altered it; idempotent.

    A number of ``other`` cards has no known form: only its ends, width and invisible characters are touched.
    """
    if _EIGHTEEN.fullmatch(text):
        return text, ()
    return apply_steps(Field.NUMBER, text, _STEPS_OTHER if other else _STEPS)


def read_identity(
    row: Row, *, allow_other: bool, today: date, is_known: IsKnown = lambda *_: False
) -> Identity:
    """Read number and card type of a row and judge them against each other.

    ``allow_other`` opens OTHER_CARD_TYPE. A number with a card type that cannot be read is not judged: what it
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

    card, faults = _check_number(number.value, declared.value, row.address(Field.NUMBER), today)
    form = tuple(faults)
    agreed = _compare_card_types(
        row, declared.value, card, usable=not any(defect.severity == "error" for defect in form)
    )
    lost = _get_lost_tail(number, form)
    if lost is not None and not is_known(number.value, card):
        fits = "" if any(defect.severity == "error" for defect in form) else "yes"
        doubted = refuse_number("ID_PRECISION_LOST", row.address(Field.NUMBER), tail=lost, fits=fits)
        form = (*(defect for defect in form if defect.code != "ID_CHECKSUM"), doubted)
    problems = (*number.problems, *form, *agreed.problems)
    if any(defect.severity == "error" for defect in problems):
        return Identity(None, None, problems)
    return Identity(number.value, card, problems, (*number.changes, *agreed.changes))


def _get_lost_tail(number: FieldResult[str], form: tuple[Problem, ...]) -> str | None:
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
        return FieldResult(
            None, (refuse_number("ID_FORMAT", address, why=make_message(f"cell.{cell.kind}")),)
        )
    result = _read_number_text(get_text(cell), address, other=declared is CardType.OTHER_CARD_TYPE)
    if not get_text(cell).strip() and (elsewhere := _get_number_elsewhere(row)):
        return FieldResult(None, (refuse_number("ID_MISSING", address, elsewhere=elsewhere),))
    return result


def _get_number_elsewhere(row: Row) -> str | None:
    """Return the address of a cell that holds an identity number and is not in the number's column."""
    cells = (cell for cell in row.cells if holds_identity_number(cell.kind, cell.value, cell.display_text))
    return next(map(row.address_of, cells), None)


def _read_number_text(text: str, address: str | None, *, other: bool) -> FieldResult[str]:
    number, changes = normalise_number(text, other=other)
    if _EIGHTEEN.fullmatch(number):
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
        return refuse_number("ID_FORMAT", address, why=make_message(f"cell.{cell.kind}"))
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
    is that of an ordinary identity card, the API's own default. 身份证 with a residence permit's number is set
    right, for that is what rosters call that card; every other difference is for a human.
    """
    address = row.address(Field.ID_TYPE)
    if declared is card:
        return FieldResult(card)
    if declared is None:
        if not usable or (card is CardType.ID_CARD and Field.ID_TYPE not in row.fields):
            return FieldResult(card)
        return FieldResult(
            card,
            (build_problem("ID_TYPE_INFERRED", Field.ID_TYPE, address, used=make_message(f"card.{card}")),),
        )
    written = quote_text(get_text(row.fields.get(Field.ID_TYPE)))
    set_right = declared is CardType.ID_CARD and card is CardType.HONGKONG_MACAO_AND_TAIWAN
    mismatch = build_problem(
        "ID_TYPE_MISMATCH",
        Field.ID_TYPE,
        address,
        severity="warning" if set_right else "error",
        found=written,
        used=make_message(f"card.{card}"),
    )
    changes = (Change(Field.ID_TYPE, written, card.value, "from_number"),) if set_right else ()
    return FieldResult(card, (mismatch,), changes)


# --- what is wrong with a whole number

YOUNGEST, OLDEST = 18, 100  # years of age, both allowed
_MOST_LISTED = 5  # places of strange characters, in one message

# The weights are 2^(18-i) mod 11 for place i, and the sum picks the check character.
_WEIGHTS = tuple(pow(2, 17 - index, 11) for index in range(17))
_CHECK_CHARACTERS = "10X98765432"

_PROVINCE = re.compile(PROVINCES)
_RESIDENCE_PERMIT = ("81", "82", "83")  # Hong Kong, Macao, Taiwan

_DIGITS = frozenset("0123456789")
_FIFTEEN = re.compile(r"[0-9]{15}")
# meant as a citizen's number, whatever was lost, added or mistyped: no other card's is so long, but for that of
# foreigners who live here, which is 18 characters and starts with 9, or was three letters and 12 digits
_CITIZEN_LIKE = re.compile(r"[0-8].{14,}|[^9].{15,}|9.{18,}")
_TWO = re.compile(r"[0-9]{17}[0-9X][^0-9X]*[0-9]{17}[0-9X]")
_PERMIT = re.compile(r"[HM][0-9]{10}")
_PERMIT_LIKE = re.compile(r"[HM][A-Za-z]?[0-9]{6}")
_WITHOUT_RENEWALS = re.compile(r"[HM][0-9]{8}")  # cards print the count of renewals apart


def check_character(digits: str) -> str:
    """Return the MOD 11-2 check character (0–9 or X) of 17 digits (GB 11643)."""
    total = sum(map(mul, map(int, digits), _WEIGHTS))
    return _CHECK_CHARACTERS[total % 11]


def _check_number(
    number: str, declared: CardType | None, address: str | None, today: date
) -> tuple[CardType, Iterable[Problem]]:
    """Return the card that a normalised, non-empty number belongs to, and all that is wrong with it as such.

    The number's own form decides; ``declared`` matters only where it has none. What looks like a citizen's number is
    judged as one also with the name of another card: a damaged one must not pass as a passport.
    """
    if declared is CardType.OTHER_CARD_TYPE and not _CITIZEN_LIKE.fullmatch(number):
        if _PERMIT.fullmatch(number):
            return CardType.HONGKONG_AND_MACAO, ()
        return declared, _explain_no_other(number, address)
    if _EIGHTEEN.fullmatch(number):
        resident = number.startswith(_RESIDENCE_PERMIT)
        card = CardType.HONGKONG_MACAO_AND_TAIWAN if resident else CardType.ID_CARD
        return card, _check_eighteen(number, address, today)
    if _PERMIT.fullmatch(number):
        return CardType.HONGKONG_AND_MACAO, ()
    if declared is CardType.HONGKONG_AND_MACAO or _PERMIT_LIKE.match(number):
        return CardType.HONGKONG_AND_MACAO, _explain_no_permit(number, address)
    if declared is CardType.OTHER_CARD_TYPE:
        declared = CardType.ID_CARD
    return declared or CardType.ID_CARD, _explain_no_eighteen(number, address)


def _check_eighteen(number: str, address: str | None, today: date) -> Iterator[Problem]:
    if not _PROVINCE.match(number):
        yield refuse_number("ID_REGION", address, found=number[:2])
    birth = _read_birth(number)
    if birth is None or birth > today:
        yield refuse_number("ID_BIRTH", address, found=f"{number[6:10]}-{number[10:12]}-{number[12:14]}")
    elif not YOUNGEST <= (age := _count_years(birth, today)) <= OLDEST:
        yield refuse_number("ID_AGE", address, found=age)
    if number[17] != check_character(number[:17]):
        # the character that would fit is not given: typed in, it would make another person's number valid
        yield refuse_number("ID_CHECKSUM", address)


def _explain_no_eighteen(number: str, address: str | None) -> Iterator[Problem]:
    if _FIFTEEN.fullmatch(number):
        yield refuse_number("ID_15_DIGIT", address)
    elif _TWO.fullmatch(number):
        yield refuse_number("ID_FORMAT", address, why=make_message("cell.two_numbers"))
    else:
        at_end = len(number) - 1 if number.endswith("X") else len(number)
        strange = [index for index in range(at_end) if number[index] not in _DIGITS]
        yield from _list_strange(number, strange, address)
        yield from _check_length(number, 18, strange, address)


def _explain_no_permit(number: str, address: str | None) -> Iterator[Problem]:
    """Yield what is wrong with a number that is meant as a permit; nine characters, as cards print them, are never padded."""
    # HA, MA: the permit of residents who are no Chinese citizens
    if number[0] not in "HM" or number[1:2].isalpha():
        yield refuse_number("ID_FORMAT", address, why="H / M + 10 × 0–9")
    elif _WITHOUT_RENEWALS.fullmatch(number):
        yield refuse_number("ID_LENGTH", address, length=9, expected=11, renewals=2)
    else:
        strange = [index for index in range(1, len(number)) if number[index] not in _DIGITS]
        yield from _list_strange(number, strange, address)
        yield from _check_length(number, 11, strange, address)


def _explain_no_other(number: str, address: str | None) -> Iterator[Problem]:
    strange = [index for index, char in enumerate(number) if not "!" <= char <= "~"]
    yield from _list_strange(number, strange, address)


def _list_strange(number: str, indices: Sequence[int], address: str | None) -> Iterator[Problem]:
    """Yield a problem that names every character that does not belong, each once, and its position (the first is 1)."""
    if indices:
        counted = ", ".join(str(index + 1) for index in indices[:_MOST_LISTED])
        more = "…" if len(indices) > _MOST_LISTED else ""
        characters = list_characters(number[index] for index in indices)
        yield refuse_number("ID_CHAR", address, found=characters, place=counted + more)


def _check_length(
    number: str, expected: int, strange: Sequence[int], address: str | None
) -> Iterator[Problem]:
    """Yield a problem for a wrong length; a number that is whole without its strange characters is not too long."""
    if expected not in (len(number), len(number) - len(strange)):
        yield refuse_number("ID_LENGTH", address, length=len(number), expected=expected)


def refuse_number(
    code: str, address: str | None, *, severity: Severity | None = None, **detail: object
) -> Problem:
    return build_problem(code, Field.NUMBER, address, severity=severity, **detail)


def _read_birth(number: str) -> date | None:
    try:
        return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None


def _count_years(birth: date, today: date) -> int:
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))


# --- numbers in cells that are not in a column for them: in sheets without a header, in skipped lines

_READ = 400  # characters of a cell that are looked at
# 18 characters, or 17 of which one was lost, with the year of birth; 15 digits with month and day. What a whole number
# lacks is the row's problem, not a reason to overlook it.
_IDENTITY_NUMBER = re.compile(
    rf"(?<![0-9A-Za-z]){PROVINCES}\d{{4}}(?:[ -]?(?:19|20)\d{{6}}[ -]?\d{{2}}[\dXx]{{1,2}}|\d{{2}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{{3}})"
    r"(?![0-9A-Za-z])"
)
_ROUNDED = re.compile(r"[1-8]\.\d{2,14}[Ee]\+1[47]")
_WHOLE_NUMBER = re.compile(
    rf"(?<![0-9])({PROVINCES}[0-9]{{4}})[ -]?((?:19|20)[0-9]{{6}})[ -]?([0-9]{{3}}[0-9Xx])(?![0-9])"
)
_SAMPLE = re.compile(r"示例|样例|范例|示范|例如|格式|[例如][:：]|example|sample", re.IGNORECASE)


def holds_identity_number(kind: CellKind, value: object, text: str) -> bool:
    """Return whether a cell holds an identity number, alone or among other words, that is no sample."""
    if kind is CellKind.NUMBER and isinstance(value, int | float):
        return 1e14 <= value < 1e18 and _IDENTITY_NUMBER.search(str(int(value))) is not None
    if kind is not CellKind.TEXT or len(text) < 8:
        return False
    text = unicodedata.normalize("NFKC", text[:_READ])
    number = _IDENTITY_NUMBER.search(text) or _ROUNDED.fullmatch(text.strip())
    return number is not None and _SAMPLE.search(text) is None


def list_whole_numbers(text: str) -> list[str]:
    """Return the numbers of 18 characters in a text whose birth date and check character are right, their X in upper case.

    Blanks or hyphens may part the digits as on the card: 110101 19900307 0732.
    """
    hits = _WHOLE_NUMBER.findall(unicodedata.normalize("NFKC", text))
    numbers = ["".join(groups).upper() for groups in hits]
    return [
        number for number in numbers if _read_birth(number) and number[17] == check_character(number[:17])
    ]
