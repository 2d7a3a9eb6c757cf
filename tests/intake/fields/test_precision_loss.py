"""Rounded numbers that only their neighbours give away."""

import random
from datetime import date
from pathlib import Path

import pytest

from pipeline.domain.roster import Cell, CellKind, Field, Origin, Row
from pipeline.intake.fields.id_number import check_character, read_identity
from pipeline.intake.fields.validate import refuse_rounded_numbers

TODAY = date(2026, 11, 25)


def whole(seventeen):
    return seventeen + check_character(seventeen)


def numbers(seed, count):
    """Made-up numbers of all the country that end in a digit."""
    dice = random.Random(seed)
    findings = []
    while len(findings) < count:
        born = date(dice.randint(1960, 1999), dice.randint(1, 12), dice.randint(1, 28))
        number = whole(
            f"{dice.choice([110199, 320199, 440199, 510199])}{born:%Y%m%d}{dice.randrange(1000):03}"
        )
        if number[-1] != "X" and number[-2:] != "00":
            findings.append(number)
    return findings


def double(number):
    return str(int(float(number)))


def sixteen_digits(number):
    return str(round(int(number), -2))


def javascript(number):
    """What JSON and JavaScript print: the shortest digits that give the double back, then zeros."""
    return f"{int(float(number)):d}" if "e" not in (short := repr(float(number))) else _plain(short)


def _plain(short):
    mantissa, _, exponent = short.partition("e")
    digits = mantissa.replace(".", "")
    return digits + "0" * (int(exponent) + 1 - len(digits))


def judged(written, *, sheet="内科", kind=CellKind.TEXT):
    rows = []
    for index, number in enumerate(written):
        cell = Cell("B", "证件号码", number, kind, number)
        rows.append(Row(Origin(Path("a.csv"), sheet, index + 2), (cell,), {Field.NUMBER: cell}))
    return rows, [read_identity(row, allow_other=False, today=TODAY) for row in rows]


def verdicts(*sheets):
    rows, identities = [], []
    for name, written in enumerate(sheets):
        more, judged_more = judged(written, sheet=str(name))
        rows += more
        identities += judged_more
    return refuse_rounded_numbers(rows, identities)


@pytest.mark.parametrize("damage", [double, sixteen_digits, javascript])
def test_not_one_number_of_a_rounded_column_is_used_although_some_pass(damage):
    written = [f" {damage(number)}\t" for number in numbers(1, 200)]
    rows, alone = judged(written)
    assert 5 < sum(identity.number is not None for identity in alone) < 40  # by the check digit alone
    refused = refuse_rounded_numbers(rows, alone)
    assert [identity.number for identity in refused] == [None] * 200
    for row, identity in zip(rows, refused, strict=True):
        assert [problem.code for problem in identity.problems if problem.severity == "error"] == [
            "ID_PRECISION_LOST"
        ]
        assert identity.problems[-1].cell == f"B{row.origin.row}"
        assert identity.changes == ()


def test_what_cannot_have_been_rounded_is_used_next_to_what_was():
    rounded = [double(number) for number in numbers(2, 20)]
    with_x = next(number for n in range(1000) if (number := whole(f"11019919900307{n:03}")).endswith("X"))
    fits = next(number for number in rounded if whole(number[:17]) == number)
    grouped = f"{fits[:6]} {fits[6:14]} {fits[14:]}"
    typed = next(number for number in numbers(3, 50) if double(number) != number)
    verdicts_found = verdicts([*rounded, with_x, grouped, typed])
    assert [identity.number for identity in verdicts_found[20:]] == [with_x, fits, typed]


def test_other_sheets_are_not_doubted():
    rounded = [double(number) for number in numbers(4, 20)]
    honest = [number for number in numbers(5, 300) if double(number) == number]
    assert honest
    assert [identity.number for identity in verdicts(rounded, honest)[20:]] == honest


def typed_wrong(number):
    return number[:16] + str((int(number[16]) + 1) % 10) + number[17]


def test_typing_errors_make_no_number_doubtful():
    """Sixty rosters with twenty errors each: not one honest number is refused."""
    for seed in range(60):
        people = numbers(100 + seed, 60)
        written = [*map(typed_wrong, people[:20]), *people[20:]]
        assert [identity.number for identity in verdicts(written)[20:]] == people[20:]


@pytest.mark.parametrize(
    ("rounded", "errors", "used"), [(2, 0, True), (3, 0, False), (3, 1, False), (3, 2, True)]
)
def test_three_numbers_of_one_rounding_are_evidence_if_nearly_all_failing_ones_are_rounded(
    rounded, errors, used
):
    people = numbers(6, 400)
    passes = next(number for number in people if double(number) == number)
    failing = [made for number in people if whole((made := double(number))[:17]) != made][:rounded]
    wrong = [
        made for number in people if double(made := typed_wrong(number)) != made and javascript(made) != made
    ]
    verdicts_found = verdicts([*failing, *wrong[:errors], passes])
    assert (verdicts_found[-1].number == passes) == used


def test_a_few_rounded_ones_among_many_honest_cost_no_honest_number():
    people = numbers(8, 300)
    rounded = [made for number in numbers(9, 60) if whole((made := double(number))[:17]) != made][:5]
    assert [identity.number for identity in verdicts([*rounded, *people])[5:]] == people


def test_an_unusable_type_is_not_reported_twice():
    rows, identities = judged([double(number) for number in numbers(7, 10)])
    once = refuse_rounded_numbers(rows, identities)
    assert [identity.problems for identity in refuse_rounded_numbers(rows, once)] == [
        identity.problems for identity in once
    ]
