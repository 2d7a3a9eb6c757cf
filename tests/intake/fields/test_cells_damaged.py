"""A thousand damaged identity numbers of every kind: none is used, each is refused at its cell; honest ones pass."""

import random
from dataclasses import replace
from datetime import date
from pathlib import Path

from pipeline.domain.roster import Cell, CellKind, Field, Origin, Row
from pipeline.intake.fields.id_number import check_character
from pipeline.intake.fields.text_fields import FieldSettings
from pipeline.intake.fields.validate import validate_rows
from pipeline.messages.problems import render_problem

TODAY = date(2026, 11, 25)
SEED, COUNT = 20261125, 1000
TEXT, NUMBER = CellKind.TEXT, CellKind.NUMBER
FULL = str.maketrans("0123456789", "０１２３４５６７８９")


def whole(seventeen):
    return seventeen + check_character(seventeen)


def honest(dice, *, ends=None, born=None, region=None):
    while True:
        day = born or date(dice.randint(1950, 2000), dice.randint(1, 12), dice.randint(1, 28))
        number = whole(
            f"{region or dice.choice([110199, 319915, 440399, 519901, 619902])}{day:%Y%m%d}{dice.randrange(1000):03}"
        )
        if not number.endswith("000") and (ends is None or number[-1] == ends):
            return number


def until_wrong(dice, damage):
    """Damage numbers until the check digit, too, is wrong: a text that passes it cannot be told from a number."""
    while True:
        number = damage(honest(dice))
        if len(number) != 18 or whole(number[:17]) != number:
            return number


def with_tail(dice):
    """15 digits and 000, and the check digit fits."""
    while True:
        number = honest(dice)[:15] + "000"
        if whole(number[:17]) == number:
            return number


def swapped(dice, number):
    position = dice.randrange(16)
    return number[:position] + number[position + 1] + number[position] + number[position + 2 :]


def typo(dice, number):
    position = dice.randrange(17)
    return number[:position] + str((int(number[position]) + dice.randint(1, 9)) % 10) + number[position + 1 :]


def instead(dice, number, character):
    """The number with the character in place of a digit that is not the last."""
    position = dice.randrange(17)
    return number[:position] + character + number[position + 1 :]


def as_double(dice):
    number = honest(dice)
    while number[-1] == "X":
        number = honest(dice)
    return float(number)


def exponent(dice):
    value = as_double(dice)
    form = dice.choice(["{:.5E}", "{:.14E}", "{:.1E}", "{:.5e}", "{:.4G}", "{:.14e}"])
    text = form.format(value)
    return dice.choice(
        [text, text.replace("+", ""), text.translate(FULL), f" {text}", f"'{text}", f'="{text}"']
    )


# kind -> what is written in the cell
TEXTS = {
    "exponent": exponent,
    "tail 000 that passes": with_tail,
    "tail 000": lambda dice: honest(dice)[:15] + "000",
    "tail 00": lambda dice: until_wrong(dice, lambda number: number[:16] + "00"),
    "decimal point": lambda dice: f"{int(as_double(dice))}.{dice.choice(['0', '00'])}",
    "thousands": lambda dice: f"{int(as_double(dice)):,}",
    "a double as text": lambda dice: until_wrong(dice, lambda number: str(int(float(number[:17] + "0")))),
    "typing error": lambda dice: typo(dice, honest(dice)),
    "digits swapped": lambda dice: until_wrong(dice, lambda number: swapped(dice, number)),
    "a digit missing": lambda dice: (
        (number := honest(dice))[: (cut := dice.randrange(18))] + number[cut + 1 :]
    ),
    "a digit too many": lambda dice: honest(dice)[:9] + str(dice.randrange(10)) + honest(dice)[9:],
    "two missing": lambda dice: honest(dice)[:16],
    "15 digits": lambda dice: (number := honest(dice))[:6] + number[8:17],
    "letter for a digit": lambda dice: instead(dice, honest(dice), dice.choice("OolIZSB〇零Ο")),
    "X inside": lambda dice: instead(dice, honest(dice), dice.choice("XxＸ×*")),
    "other digits": lambda dice: instead(dice, honest(dice), dice.choice("٣۵५①³五Ⅴ𝟓")),
    "X where a digit belongs": lambda dice: honest(dice, ends="4")[:17] + dice.choice("Xx×*Х"),
    "masked": lambda dice: (number := honest(dice))[:6] + dice.choice("*X×●#x") * 8 + number[14:],
    "last four masked": lambda dice: honest(dice)[:14] + "****",
    "a note": lambda dice: honest(dice) + dice.choice(["张伟", "(新)", "（旧）", "?", "。", "/", "*"]),
    "a label": lambda dice: dice.choice(["身份证：", "ID", "号码", "#", "="]) + honest(dice),
    "two numbers": lambda dice: honest(dice) + dice.choice(["/", " ", "\n", "、", ""]) + honest(dice),
    "no such day": lambda dice: whole(
        f"1101991990{dice.choice(['0230', '0431', '1301', '0000'])}{dice.randrange(1000):03}"
    ),
    "not yet born": lambda dice: honest(dice, born=date(2027, 1, dice.randint(1, 28))),
    "a child": lambda dice: honest(dice, born=date(2010, 5, dice.randint(1, 28))),
    "no such province": lambda dice: honest(dice, region=dice.choice([160101, 200101, 990101, 470101])),
    "short permit": lambda dice: f"{dice.choice('HMhm')}{dice.randrange(10**7, 10**8)}",
    "new permit": lambda dice: f"{dice.choice(['HA', 'MA'])}{dice.randrange(10**6, 10**7)}",
    "permit with a letter": lambda dice: f"H{dice.randrange(10**6, 10**7)}O01",
    "passport": lambda dice: f"E{dice.randrange(10**7, 10**8)}",
    "nothing": lambda dice: dice.choice(["", " ", "无", "待补", "/", "暂无", "身份证", "N/A", "\u200b"]),
}
# kind -> the cell's type, value and text
DAMAGE = {
    "numeric, 15 digits kept": lambda dice: (NUMBER, float(f"{as_double(dice):.15g}"), "1.10199E+17"),
    "numeric, a double": lambda dice: (NUMBER, as_double(dice), "1.10199E+17"),
    "numeric, exact": lambda dice: (NUMBER, int(honest(dice, ends="3")), "1.10199E+17"),
    "numeric, shown whole": lambda dice: (NUMBER, value := int(honest(dice, ends="7")), str(value)),
    "numeric, 17 digits": lambda dice: (NUMBER, int(honest(dice)[:17]), "1.10199E+16"),
    "numeric, 15 digits": lambda dice: (NUMBER, int(honest(dice)[:15]), honest(dice)[:15]),
    "a date": lambda _: (CellKind.DATE, date(1990, 3, 7), "1990-03-07"),
    "true": lambda _: (CellKind.BOOL, True, "TRUE"),
    "error": lambda dice: (CellKind.ERROR, "#N/A", dice.choice(["#N/A", "#REF!", "#VALUE!"])),
    "formula without value": lambda _: (CellKind.NO_VALUE, None, ""),
    "a picture": lambda _: (CellKind.PICTURE, None, ""),
    **{kind: lambda dice, write=write: (TEXT, None, write(dice)) for kind, write in TEXTS.items()},
}
SETTINGS = FieldSettings(
    scene_key=None,
    defaults={},
    allow_other_card_type=False,
    accepted_parameters=(),
)


def row(position, kind, value, shown):
    cells = {
        Field.NAME: Cell("A", "姓名", "张三", TEXT, "张三"),
        Field.NUMBER: Cell("B", "身份证号", shown if value is None else value, kind, shown),
    }
    return Row(Origin(Path("a.xlsx"), "内科", position), tuple(cells.values()), cells)


def test_of_a_thousand_damaged_numbers_none_is_used_and_each_is_refused_at_its_cell():
    dice = random.Random(SEED)
    kinds = [list(DAMAGE)[index % len(DAMAGE)] for index in range(COUNT)]
    rows = [row(index + 2, *DAMAGE[kind](dice)) for index, kind in enumerate(kinds)]
    honest_rows = [row(index, TEXT, None, honest(dice)) for index in range(COUNT + 2, COUNT + 502)]
    doctors = validate_rows([*rows, *honest_rows], settings=SETTINGS, today=TODAY, site_key=None)
    assert len(DAMAGE) > 40
    for kind, doctor in zip(kinds, doctors[:COUNT], strict=True):
        text = doctor.row.fields[Field.NUMBER].display_text
        assert (doctor.number, doctor.id_type, doctor.key) == (None, None, None), (kind, text)
        refusals = [error for error in doctor.errors if error.field is Field.NUMBER]
        assert refusals, (kind, text)
        for refusal in refusals:
            assert refusal.cell == f"B{doctor.row.origin.row}"
            for language in ("zh", "en"):
                assert refusal.cell in render_problem(refusal, language) or refusal.code == "ID_LENGTH"
    assert [doctor.number for doctor in doctors[COUNT:]] == [
        entry.fields[Field.NUMBER].display_text for entry in honest_rows
    ]


def test_next_to_an_open_foreign_card_no_damaged_citizens_number_passes_either():
    dice = random.Random(SEED + 1)
    open_to_all = replace(SETTINGS, allow_other_card_type=True)
    of_another_card = ("short permit", "new permit", "permit with a letter", "passport", "no such province")
    for kind in (kind for kind in DAMAGE if kind not in of_another_card):
        for _ in range(10):
            damaged = row(2, *DAMAGE[kind](dice))
            card = Cell("C", "证件类型", "护照", TEXT, "护照")
            both = replace(damaged, fields={**damaged.fields, Field.ID_TYPE: card})
            (doctor,) = validate_rows([both], settings=open_to_all, today=TODAY, site_key=None)
            assert doctor.number is None, (kind, damaged.fields[Field.NUMBER].display_text)
