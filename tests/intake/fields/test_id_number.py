"""Identity numbers: no wrong digit passes, none is ever changed, and each refusal says what is wrong."""

import unicodedata
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pipeline.domain.roster import CardType, Cell, CellKind, Change, Field, Origin, Row
from pipeline.intake.fields.id_number import (
    Identity,
    check_character,
    get_lifetime_number,
    normalise_number,
    read_identity,
)
from pipeline.intake.fields.text_fields import CARD_TYPES

TODAY = date(2026, 11, 25)
LAST_PROVINCE = {1: 15, 2: 23, 3: 37, 4: 46, 5: 54, 6: 65}  # by region of the country
PROVINCES = [
    "50",
    "71",
    *(str(code) for tens, last in LAST_PROVINCE.items() for code in range(tens * 10 + 1, last + 1)),
]


def whole(seventeen):
    return seventeen + check_character(seventeen)


def born(birth, region="110199"):
    return whole(f"{region}{birth:%Y%m%d}123")


GOOD = born(date(1990, 3, 7))


def row(number, card=None, *, kind=CellKind.TEXT, value=None):
    """A row of a number cell B12 and, unless None, a card type cell C12."""
    cells = {Field.NUMBER: Cell("B", "证件号码", number if value is None else value, kind, number)}
    if card is not None:
        cells[Field.ID_TYPE] = Cell("C", "证件类型", card, CellKind.TEXT if card else CellKind.EMPTY, card)
    return Row(Origin(Path("a.xlsx"), "Sheet1", 12), tuple(cells.values()), cells)


def read(number, card=None, *, allow_other=False, **cell) -> Identity:
    return read_identity(row(number, card, **cell), allow_other=allow_other, today=TODAY)


def codes(identity):
    """The problems as code, with (w) behind a warning."""
    return [problem.code + ("(w)" if problem.severity == "warning" else "") for problem in identity.problems]


@st.composite
def valid_numbers(draw):
    """Numbers of people from 18 to 100 in every province, whatever their county, with every check character."""
    province = draw(st.sampled_from(PROVINCES))
    county = "0000" if province == "71" else draw(st.from_regex(r"(?!00)[0-9]{4}", fullmatch=True))
    region = province + county
    birth = draw(st.dates(TODAY - timedelta(days=36_500), TODAY - timedelta(days=6_580)))
    number = whole(f"{region}{birth:%Y%m%d}{draw(st.integers(0, 999)):03}")
    assume(not number.endswith("000"))  # such a number is doubted: see test_validate
    return number


def test_the_check_character_is_that_of_independent_worked_examples():
    # the sum done by hand, term by term: 1·7+1·9+0+1·5+0+1·4+1·2+9·1+9·6+0+0+3·9+0+7·5+0+7·4+3·2 = 186 = 16·11+10
    assert check_character("11010119900307073") == "2"
    assert check_character("62000019880202000") == "6"  # the API page's sample, whose last digit is wrong


@given(valid_numbers())
def test_every_valid_number_is_taken_as_it_stands(number):
    identity = read(number)
    assert (identity.number, identity.id_type) == (number, CardType.ID_CARD)
    assert identity.problems == identity.changes == ()


@given(valid_numbers(), st.integers(0, 17), st.sampled_from("0123456789X"))
def test_any_single_wrong_character_is_refused(number, index, character):
    wrong = number[:index] + character + number[index + 1 :]
    identity = read(wrong)
    assert wrong == number or (identity.number is None and identity.problems)


@given(valid_numbers(), st.integers(0, 16))
def test_any_swap_of_neighbours_is_refused(number, index):
    swapped = number[:index] + number[index + 1] + number[index] + number[index + 2 :]
    assert swapped == number or read(swapped).number is None


@given(st.text(), st.booleans())
@example(" '1' ", False)  # quotes come to the ends only once the spaces are off
def test_normalising_is_idempotent_and_adds_or_changes_no_digit(text, other):
    once, changes = normalise_number(text, other=other)
    assert normalise_number(once, other=other) == (once, ())
    assert (once == text) == (changes == ())

    def digits(written):
        return [
            char
            for char in written.translate(dict(zip(range(0xFF10, 0xFF1A), "0123456789", strict=True)))
            if char in "0123456789"
        ]

    assert digits(once) == digits(text)


@given(
    st.text(
        alphabet=st.one_of(st.characters(), st.sampled_from("0123456789Xx*×HM- '=\"\u200b")), max_size=30
    ),
    st.booleans(),
)
@example(GOOD.replace("0", "٠"), True)
def test_whatever_is_accepted_is_whole_and_each_of_its_digits_stands_in_the_cell_in_order(text, other):
    identity = read(text, "护照" if other else None, allow_other=other)
    if identity.number is None:
        assert any(problem.severity == "error" for problem in identity.problems)
        return
    if identity.id_type in (CardType.ID_CARD, CardType.HONGKONG_MACAO_AND_TAIWAN):
        assert identity.number == whole(identity.number[:17])
    source = iter(unicodedata.normalize("NFKC", text).upper())
    assert all(digit in source for digit in identity.number if digit.isdigit())


dressings = st.sampled_from(
    ["", " ", "\t", "\u00a0", "\u200b", "\ufeff", "\u202d", "-", "－", "'", "“", "　"]
)


@given(valid_numbers(), st.lists(dressings, min_size=19, max_size=19), st.booleans())
def test_a_dressed_number_comes_out_bare_with_its_steps(number, between, wide):
    shown = number.lower()
    if wide:
        shown = "".join(chr(ord(char) + 0xFEE0) for char in shown)
    quotes = ("'", "“")  # these stand at the ends alone
    inner = ["" if mark in quotes else mark for mark in between]
    dressed = (
        between[0] + "".join(char + mark for char, mark in zip(shown, inner[1:], strict=True)) + between[-1]
    )
    identity = read(dressed)
    assert identity.number == number
    changes = identity.changes
    assert all(step.after == following.before for step, following in pairwise(changes))
    if dressed != number:
        assert (changes[0].before, changes[-1].after) == (dressed, number)


WRAPS = ["={}", "=“{}”", '=""{}""', '\'="{}"', '="\t{}"', "＝＂{}＂"]


@pytest.mark.parametrize("hyphen", "-‐‑‒–—―−﹘﹣－")
def test_every_hyphen_between_the_groups_comes_off(hyphen):
    assert read(hyphen.join((GOOD[:6], GOOD[6:14], GOOD[14:]))).number == GOOD


@pytest.mark.parametrize("wrap", WRAPS)
def test_formula_text_in_every_dress_is_unwrapped_but_a_bare_formula_is_not(wrap):
    assert (read(wrap.format(GOOD)).number == GOOD) == (wrap != "={}")


def test_the_formula_text_trick_is_unwrapped():
    assert read(f'="{GOOD}"').number == GOOD
    assert read(f'="{GOOD}"').changes == (Change(Field.NUMBER, f'="{GOOD}"', GOOD, "formula_text"),)


ENDS_IN_X = next(
    number for number in (whole(f"11019919900307{n:03}") for n in range(1000)) if number.endswith("X")
)


@pytest.mark.parametrize("lookalike", [*"×ΧХ✕*＊хχ✖✗✘☓╳ⅩⅹⅩ乂㐅𝐗", "✖\ufe0f", " ×"])
def test_a_lookalike_of_x_in_last_place_is_taken_and_reported(lookalike):
    identity = read(ENDS_IN_X[:17] + lookalike)
    assert identity.number == ENDS_IN_X
    assert codes(identity) == ["ID_CHAR(w)"]
    assert identity.changes[-1].why == "x_lookalike"


def test_a_lookalike_is_refused_where_the_sum_asks_for_a_digit_and_everywhere_but_last():
    assert codes(read(GOOD[:17] + "×")) == ["ID_CHAR(w)", "ID_CHECKSUM"]
    assert codes(read("×" + GOOD[1:])) == ["ID_CHAR"]


def test_a_text_that_is_no_number_is_refused_for_all_its_faults():
    for expected, *numbers in (
        ("ID_MISSING", "", "无", "待补", "——", "N/A", "########", "未办理", "身份证"),
        (
            "ID_MISSING",
            "110101********0732",
            "110101XXXXXXXX0732",
            "110101xxxxxxxx0732",
            "110101████████0732",
        ),
        ("ID_15_DIGIT", "110101900307123"),
        ("ID_LENGTH", GOOD[:-1], GOOD + "1", "1101011990030712X"),
        ("ID_CHAR", GOOD.replace("0", "O", 1), "X" + GOOD[1:], GOOD[:-1] + "٣", GOOD + ".", GOOD + "(新)"),
        ("ID_CHAR", GOOD + "张伟", "身份证：" + GOOD, "/".join((GOOD[:6], GOOD[6:14], GOOD[14:]))),
        ("ID_CHAR", GOOD[:9] + "*" + GOOD[10:]),
        ("ID_CHAR ID_LENGTH", GOOD[:-2] + "①"),
        ("ID_REGION", born(date(1990, 3, 7), "990101")),
        ("ID_BIRTH", whole("11010119900231123"), whole("11010100000000123"), born(TODAY + timedelta(days=1))),
        ("ID_AGE", born(date(1890, 1, 1))),
        ("ID_REGION ID_BIRTH ID_CHECKSUM", "99010119900231123" + "0"),
        ("ID_PRECISION_LOST", "1.10101E+17", "1.10101199003071e17", "１．１０１０１Ｅ＋１７", "1.1E17"),
        ("ID_PRECISION_LOST", "1,10101E+17", "'1.10101E+17", "\t1.10101E+17"),
        ("ID_PRECISION_LOST", "1.10101 E+17", "110101E+12", "11.0101E+16", "1.10101D+17", "1.10101E+017"),
        ("ID_PRECISION_LOST", "-1.1E+17", "1.1×10^17", "1.1*10^17", "110101199003071e3", '="1.10101E+17"'),
        ("ID_PRECISION_LOST", "110101199003071232.00", "110101199003071000.0", "110101199003071000"),
        ("ID_PRECISION_LOST", "110,101,199,003,071,000"),
        ("ID_PRECISION_LOST", "110101199003071200"),  # what is left of 16 digits
        ("ID_CHECKSUM", "110101 19900307 1000"),  # typed in groups: one digit is wrong, none is lost
        ("ID_FORMAT", GOOD + "、" + GOOD, f"{GOOD} {GOOD}"),
    ):
        for number in numbers:
            identity = read(number)
            assert codes(identity) == expected.split()
            assert (identity.number, identity.id_type) == (None, None)
            assert {problem.cell for problem in identity.problems} == {"B12"}


FOREIGN_DIGITS = {
    "Arabic-Indic": "٠١٢٣٤٥٦٧٨٩",
    "mathematical": "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗",
    "circled": "⓪①②③④⑤⑥⑦⑧⑨",
    "superscript": "⁰¹²³⁴⁵⁶⁷⁸⁹",
    "Han": "〇一二三四五六七八九",
}


@pytest.mark.parametrize("digits", FOREIGN_DIGITS.values(), ids=FOREIGN_DIGITS)
def test_digits_of_other_scripts_are_no_digits(digits):
    assert "ID_CHAR" in codes(read("".join(digits[int(digit)] for digit in GOOD)))


def test_a_strange_character_is_reported_as_written_with_its_place():
    for wrong, position in (("O", 3), ("o", 3), ("l", 1), ("I", 1), ("Ο", 3), ("零", 3)):
        (refused,) = read(GOOD[: position - 1] + wrong + GOOD[position:]).problems
        assert (refused.code, refused.detail) == ("ID_CHAR", {"found": wrong, "place": str(position)})


def test_many_strange_characters_are_reported_once_each_and_not_all_places():
    (refused, _) = read("1O1O1O1O1O1O1").problems
    assert refused.detail == {"found": "O", "place": "2, 4, 6, 8, 10…"}


def test_only_the_province_is_judged():
    for region in ("441900", "110199", "710000", "820000", "110001", "830101", "710101"):
        assert not {"ID_REGION", "ID_REGION(w)"} & set(codes(read(born(date(1985, 6, 1), region))))


def test_no_message_holds_more_than_the_wrong_part_of_a_number():
    for number in (GOOD[:-1], GOOD.replace("0", "O", 1), "1101**1990**0732", GOOD[:-1] + "*", GOOD + "五"):
        for problem in read(number).problems:
            assert sum(char.isdigit() for char in "".join(problem.detail.values())) <= 4


def test_age_is_counted_to_the_day_from_18_to_100():
    for birth, expected in (
        (date(2008, 11, 25), []),  # eighteen today
        (date(2008, 11, 26), ["ID_AGE"]),
        (date(1926, 11, 25), []),  # a hundred today
        (date(1925, 11, 26), []),
        (date(1925, 11, 25), ["ID_AGE"]),
        (TODAY, ["ID_AGE"]),
    ):
        assert codes(read(born(birth))) == expected


@given(valid_numbers(), st.booleans())
def test_a_cell_of_numeric_type_is_refused_although_all_its_digits_are_right(number, as_double):
    value = int(number.replace("X", "1"))
    identity = read("1.1E+17", kind=CellKind.NUMBER, value=float(value) if as_double else value)
    assert codes(identity) == ["ID_PRECISION_LOST"]


def test_other_numbers_by_type_are_refused_for_what_they_are():
    for value, expected in (
        (110101900307123, "ID_15_DIGIT"),
        (12345.0, "ID_LENGTH"),
        (1.5, "ID_FORMAT"),
        (float("inf"), "ID_FORMAT"),
        (-1.0, "ID_FORMAT"),
    ):
        assert codes(read("…", kind=CellKind.NUMBER, value=value)) == [expected]


def test_dates_and_booleans_are_no_numbers():
    assert codes(read("1990-03-07", kind=CellKind.DATE, value=date(1990, 3, 7))) == ["ID_FORMAT"]
    assert codes(read("TRUE", kind=CellKind.BOOL, value=True)) == ["ID_FORMAT"]


HK_PERMIT = "H1234567801"
RESIDENT = born(date(1985, 6, 1), "810000")


def test_card_type_and_number_are_judged_against_each_other():
    for number, card, id_type, expected in (
        (GOOD, None, CardType.ID_CARD, []),
        (GOOD, "", CardType.ID_CARD, ["ID_TYPE_INFERRED(w)"]),
        (GOOD, "居民身份证", CardType.ID_CARD, []),
        (GOOD, "身份证（二代）", CardType.ID_CARD, []),
        (GOOD, "id_card", CardType.ID_CARD, []),
        (HK_PERMIT, None, CardType.HONGKONG_AND_MACAO, ["ID_TYPE_INFERRED(w)"]),
        (HK_PERMIT, "港澳居民来往内地通行证（回乡证）", CardType.HONGKONG_AND_MACAO, []),
        ("m 12345678-01", "HONGKONG_AND_MACAO", CardType.HONGKONG_AND_MACAO, []),
        (RESIDENT, "", CardType.HONGKONG_MACAO_AND_TAIWAN, ["ID_TYPE_INFERRED(w)"]),
        (RESIDENT, "港澳台居民居住证", CardType.HONGKONG_MACAO_AND_TAIWAN, []),
        (RESIDENT, "身份证", CardType.HONGKONG_MACAO_AND_TAIWAN, ["ID_TYPE_MISMATCH(w)"]),
        (born(date(1985, 6, 1), "830101"), None, CardType.HONGKONG_MACAO_AND_TAIWAN, ["ID_TYPE_INFERRED(w)"]),
        (HK_PERMIT, "身份证", None, ["ID_TYPE_MISMATCH"]),
        (RESIDENT, "港澳居民来往内地通行证", None, ["ID_TYPE_MISMATCH"]),
        (GOOD, "港澳台居民居住证", None, ["ID_TYPE_MISMATCH"]),
        ("ｈ１２３４５６７８０１", None, CardType.HONGKONG_AND_MACAO, ["ID_TYPE_INFERRED(w)"]),
        ("HA1234567", "港澳居民来往内地通行证", None, ["ID_FORMAT"]),
        ("ma1234567", None, None, ["ID_FORMAT"]),
        ("H12345678(01)", None, None, ["ID_CHAR"]),
        ("H123456780", None, None, ["ID_LENGTH"]),
        ("H123456780123", None, None, ["ID_LENGTH"]),
        ("H12345678", "港澳居民来往内地通行证", None, ["ID_LENGTH"]),
        ("H12345678", "身份证", None, ["ID_LENGTH", "ID_TYPE_MISMATCH"]),
        ("H12345678O1", None, None, ["ID_CHAR"]),
        ("C1234567801", "港澳居民来往内地通行证", None, ["ID_FORMAT"]),
        ("1234567801", "港澳居民来往内地通行证", None, ["ID_FORMAT"]),
        ("E12345678", "护照", None, ["ID_TYPE_UNSUPPORTED"]),
        ("12345678", "台胞证", None, ["ID_TYPE_UNSUPPORTED"]),
        (GOOD, "军官证", None, ["ID_TYPE_UNSUPPORTED"]),
        (GOOD, "身份证明", None, ["ID_TYPE_UNSUPPORTED"]),
        (GOOD, "香港身份证", None, ["ID_TYPE_UNSUPPORTED"]),
        (GOOD, "身份证/护照", None, ["ID_TYPE_UNSUPPORTED"]),
        (GOOD, "01", None, ["ID_TYPE_UNSUPPORTED"]),
        *((GOOD, blank, CardType.ID_CARD, ["ID_TYPE_INFERRED(w)"]) for blank in ("无", "-", "/", "待补")),
        *(
        (GOOD, written, CardType.ID_CARD, [])
        for written in ("身份證", "居民身份証", "身份证号码", "身分证", "01居民身份证", "1-身份证", "“身份证”", "身份证：", "ID", "ＩＤ＿Card")
        ),
        (HK_PERMIT, "港澳居民來往內地通行證", CardType.HONGKONG_AND_MACAO, []),
        (HK_PERMIT, "香港居民来往内地通行证", CardType.HONGKONG_AND_MACAO, []),
        (RESIDENT, "港澳臺居民居住證", CardType.HONGKONG_MACAO_AND_TAIWAN, []),
        ("", "护照", None, ["ID_MISSING", "ID_TYPE_UNSUPPORTED"]),
    ):  # fmt: skip
        identity = read(number, card)
        assert codes(identity) == expected
        assert identity.id_type is id_type
        assert (identity.number is None) == (id_type is None)


def test_a_permit_without_its_renewals_is_reported_what_is_missing():
    (refused,) = read("H12345678").problems
    assert refused.detail == {"length": "9", "expected": "11", "renewals": "2"}


def test_a_card_type_set_right_is_recorded():
    assert read(RESIDENT, "身份证").changes == (
        Change(Field.ID_TYPE, "身份证", "HONGKONG_MACAO_AND_TAIWAN", "from_number"),
    )


def test_other_cards_pass_only_where_they_are_open_and_then_as_visible_ascii():
    for number, expected in (
        (" Ｅ１２３４５６７８ ", []),
        ("e1234-567", []),  # case and hyphen may belong to it
        ("CHN123456789012", []),
        ("A1" * 8, ["ID_CHAR", "ID_LENGTH", "ID_TYPE_MISMATCH"]),  # longer than any other card's
        ("9111011990030712345", ["ID_LENGTH", "ID_TYPE_MISMATCH"]),
        ("PASSPORT", ["ID_MISSING"]),
        ("5E12", []),
        ("1.1E+11", ["ID_PRECISION_LOST"]),
        ("E123 456", ["ID_CHAR"]),
        ("军字12345", ["ID_CHAR"]),
        ("E12****78", ["ID_MISSING"]),
        ("无", ["ID_MISSING"]),
        (GOOD, ["ID_TYPE_MISMATCH"]),
        ("911101199003071234", []),  # a foreigner's residence card is no identity card
        # a citizen's number that is damaged must not pass as another card's
        (GOOD[:-1] + "0", ["ID_CHECKSUM", "ID_TYPE_MISMATCH"]),
        (GOOD[:-1], ["ID_LENGTH", "ID_TYPE_MISMATCH"]),
        (GOOD + "1", ["ID_LENGTH", "ID_TYPE_MISMATCH"]),
        ("110101900307123", ["ID_15_DIGIT", "ID_TYPE_MISMATCH"]),
        ("110101199003071000", ["ID_PRECISION_LOST", "ID_TYPE_MISMATCH"]),
        (HK_PERMIT, ["ID_TYPE_MISMATCH"]),
    ):
        assert codes(read(number, "护照", allow_other=True)) == expected
        assert "ID_TYPE_UNSUPPORTED" in codes(read(number, "护照"))


def test_another_card_typed_as_a_number_is_refused():
    identity = read("12345678", "护照", allow_other=True, kind=CellKind.NUMBER, value=12345678.0)
    assert codes(identity) == ["ID_PRECISION_LOST"]


def test_each_constant_of_the_api_is_a_word_for_itself():
    assert {CARD_TYPES[card.value.lower()] for card in CardType} == set(CardType)


def test_a_person_keeps_the_number_over_renewals_of_a_permit_alone():
    assert get_lifetime_number("H1234567801", CardType.HONGKONG_AND_MACAO) == "H12345678"
    assert get_lifetime_number(GOOD, CardType.ID_CARD) == GOOD
    assert get_lifetime_number("H1234567801", CardType.OTHER_CARD_TYPE) == "H1234567801"
