"""Identity numbers that are damaged: no digit of them may ever reach the wire."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from generated_rosters.cast import Cast, Register
from generated_rosters.people import PREFIXES, lost_tails, today
from generated_rosters.truth import refused
from generated_rosters.values import Day, Err, Flag, Formula, Num, Value
from people import compute_check_digit, is_valid

TRAPS = Register()
LOST = "ID_PRECISION_LOST"


@dataclass(frozen=True)
class Damage:
    """One kind of damage: what stands in the cell, and which codes an expert would give it."""

    write: Callable[[Cast, str], Value]  # from a valid number of 18 digits that does not end in X
    codes: str
    needs: str = ""


def _mistyped(cast: Cast, number: str) -> str:
    position = cast.dice.randrange(6, 18)
    other = cast.dice.choice([digit for digit in "0123456789" if digit != number[position]])
    damaged = number[:position] + other + number[position + 1 :]
    return damaged if _plausible(damaged) else _mistyped(cast, number)


def _transposed(cast: Cast, number: str) -> str:
    places = [offset for offset in range(14, 17) if number[offset] != number[offset + 1]]
    if not places:
        return _mistyped(cast, number)
    position = cast.dice.choice(places)
    return number[:position] + number[position + 1] + number[position] + number[position + 2 :]


def _plausible(number: str) -> bool:
    """Tell whether the birth date is one of a living adult, so that the check digit alone is wrong."""
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return 1940 <= born.year <= 2005 and not is_valid(number) and not number.endswith("000")


def _with(cast: Cast, *, region: str | None = None, birth: str | None = None) -> str:
    """Return a number with a right check digit and something impossible before it."""
    day = (
        birth or f"{cast.dice.randint(1960, 1995)}{cast.dice.randint(1, 12):02}{cast.dice.randint(1, 28):02}"
    )
    first = f"{region or cast.dice.choice(PREFIXES)}{day}{cast.dice.randrange(1, 1000):03}"
    number = first + compute_check_digit(first)
    return (
        number if number[-1] != "X" and not number.endswith("00") else _with(cast, region=region, birth=birth)
    )


def _tail_wiped(cast: Cast, number: str) -> str:
    wiped = f"{number[:15]}000"
    return wiped if not is_valid(wiped) else _tail_wiped(cast, cast.crowd.number(ends="3"))


def _lucky_tail(cast: Cast, _number: str) -> str:
    return next(lost_tails(cast.dice))


def _minor(cast: Cast, _number: str) -> str:
    return _with(cast, birth=f"{today() - timedelta(days=365 * cast.dice.randint(5, 16)):%Y%m%d}")


def _future(cast: Cast, _number: str) -> str:
    return _with(cast, birth=f"{today() + timedelta(days=cast.dice.randint(30, 3000)):%Y%m%d}")


DAMAGES: dict[str, Damage] = {
    # numbers that are numbers
    "numeric, Excel's fifteen digits": Damage(lambda _, n: Num(int(n[:15]) * 1000), LOST, "numeric"),
    "numeric, format 0": Damage(lambda _, n: Num(int(n[:15]) * 1000, "0"), LOST, "numeric"),
    "numeric, a whole double": Damage(lambda _, n: Num(float(int(n))), LOST, "numeric"),
    "numeric, tail lost, check digit right": Damage(lambda c, n: Num(int(_lucky_tail(c, n))), LOST, "numeric"),
    "numeric, all digits in the XML": Damage(lambda _, n: Num(int(n)), LOST, "exact"),
    "numeric, seventeen digits": Damage(lambda _, n: Num(int(n[:17])), f"{LOST} ID_LENGTH", "numeric"),
    "numeric, fifteen digits": Damage(lambda _, n: Num(int(n[:6] + n[8:17])), f"ID_15_DIGIT {LOST}", "numeric"),
    "formula with a numeric value": Damage(lambda _, n: Formula(f"{n[:15]}*1000", float(int(n[:15]) * 1000)), LOST, "formula"),
    # what Excel shows of them, as text
    "exponent, six digits": Damage(lambda _, n: f"{float(n):.5E}", LOST),
    "exponent, fifteen digits": Damage(lambda _, n: f"{float(n):.14E}", LOST),
    "exponent, small e": Damage(lambda _, n: f"{float(n):.5e}", LOST),
    "exponent, two digits": Damage(lambda _, n: f"{float(n):.1E}", LOST),
    "text, three zeros at the end": Damage(_tail_wiped, LOST),
    "text, three zeros at the end, check digit right": Damage(_lucky_tail, LOST),
    "text, a float's .0": Damage(lambda _, n: f"{n[:15]}000.0", LOST),
    "text, thousands separators": Damage(lambda _, n: f"{int(n[:15]) * 1000:,}", f"{LOST} ID_CHAR ID_FORMAT"),
    # digits that are wrong
    "one digit mistyped": Damage(_mistyped, "ID_CHECKSUM"),
    "two digits changed places": Damage(_transposed, "ID_CHECKSUM"),
    "letter O for a zero": Damage(lambda _, n: f"{n[:9]}O{n[10:]}", "ID_CHAR"),
    "letter l for a one": Damage(lambda _, n: f"{n[:16]}l{n[17:]}", "ID_CHAR"),
    "X in the middle": Damage(lambda _, n: f"{n[:15]}X{n[16:]}", "ID_CHAR"),
    "Han digits": Damage(lambda _, n: n[:14] + "一二三四", "ID_CHAR ID_FORMAT"),
    "question mark": Damage(lambda _, n: f"{n[:12]}?{n[13:]}", "ID_CHAR"),
    "seventeen digits": Damage(lambda _, n: n[:17], "ID_LENGTH"),
    "sixteen digits": Damage(lambda _, n: n[:16], "ID_LENGTH"),
    "nineteen digits": Damage(lambda _, n: f"{n[:10]}0{n[10:]}", "ID_LENGTH"),
    "fifteen digits": Damage(lambda _, n: n[:6] + n[8:17], "ID_15_DIGIT"),
    "two numbers in a cell": Damage(lambda c, n: f"{n}/{_with(c)}", "ID_LENGTH ID_CHAR ID_FORMAT"),
    "a note behind": Damage(lambda _, n: f"{n}（新）", "ID_LENGTH ID_CHAR ID_FORMAT"),
    "a label before": Damage(lambda _, n: f"身份证号:{n}", "ID_LENGTH ID_CHAR ID_FORMAT"),
    "dots between groups": Damage(lambda _, n: f"{n[:6]}.{n[6:14]}.{n[14:]}", "ID_CHAR ID_FORMAT ID_LENGTH"),
    "in brackets": Damage(lambda _, n: f"（{n}）", "ID_CHAR ID_FORMAT ID_LENGTH"),
    "a full stop behind": Damage(lambda _, n: f"{n}。", "ID_CHAR ID_FORMAT ID_LENGTH"),
    "two doctors' digits run together": Damage(lambda c, n: n + _with(c), "ID_LENGTH ID_FORMAT"),
    # nothing there
    "masked with stars": Damage(lambda _, n: f"{n[:6]}********{n[14:]}", "ID_MISSING ID_CHAR ID_FORMAT"),
    "masked with X": Damage(lambda _, n: f"{n[:6]}XXXXXXXX{n[14:]}", "ID_MISSING ID_CHAR ID_FORMAT"),
    "last four masked": Damage(lambda _, n: f"{n[:14]}****", "ID_MISSING ID_CHAR ID_FORMAT"),
    "blank": Damage(lambda _, _n: None, "ID_MISSING"),
    "spaces": Damage(lambda _, _n: "   ", "ID_MISSING"),
    "无": Damage(lambda c, _n: c.dice.choice(("无", "暂无", "待补", "未提供")), "ID_MISSING"),
    "a dash": Damage(lambda c, _n: c.dice.choice(("-", "—", "/", "——")), "ID_MISSING"),
    "NA, None, null": Damage(lambda c, _n: c.dice.choice(("NA", "None", "null", "N/A", "nan")), "ID_MISSING"),
    "words": Damage(lambda _, _n: "见附件", "ID_MISSING ID_CHAR ID_FORMAT"),
    # right check digit, impossible person
    "the thirtieth of February": Damage(lambda c, _n: _with(c, birth=f"{c.dice.randint(1960, 1990)}0230"), "ID_BIRTH"),
    "month thirteen": Damage(lambda c, _n: _with(c, birth=f"{c.dice.randint(1960, 1990)}1315"), "ID_BIRTH"),
    "born in the future": Damage(_future, "ID_BIRTH"),
    "a minor": Damage(_minor, "ID_AGE"),
    "born in 1850": Damage(lambda c, _n: _with(c, birth="18500612"), "ID_AGE ID_BIRTH"),
    "no such province": Damage(lambda c, _n: _with(c, region=c.dice.choice(("000101", "160101", "990101", "470101"))), "ID_REGION"),
    # cells that hold something else
    "#N/A": Damage(lambda c, _n: Err(c.dice.choice(("#N/A", "#REF!", "#VALUE!"))), "FORMULA_ERROR", "error"),
    "formula without a value": Damage(lambda _, n: Formula(f'"{n[:6]}"&"{n[6:]}"', None), "FORMULA_NO_VALUE", "novalue"),
    "formula whose value is the empty text": Damage(lambda _, n: Formula(f'""&"{n[:0]}"', ""), "ID_MISSING FORMULA_NO_VALUE", "formula"),
    "a date": Damage(lambda c, _n: Day(date(c.dice.randint(1960, 1990), 3, 7)), "ID_FORMAT ID_MISSING ID_CHAR", "date"),
    "TRUE": Damage(lambda _, _n: Flag(True), "ID_FORMAT ID_MISSING ID_CHAR", "flag"),
}  # fmt: skip


def _enter(name: str, damage: Damage) -> None:
    @TRAPS(f"number: {name}", damage.needs)
    def build(cast: Cast, tables) -> None:
        number = cast.crowd.number(ends=cast.dice.choice("123456789"))
        person = cast.person(number=number)
        cast.give(person, tables[0], "staff_no name")
        written = damage.write(cast, number)
        cast.add(tables[0], person, refused(damage.codes, "number"), number=written)


for _name, _damage in DAMAGES.items():
    _enter(_name, _damage)
