"""Mobiles: every dress that rosters give them comes off, and nothing is made up."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.roster import Cell, CellKind
from pipeline.intake.fields.text_fields import normalise_mobile, read_mobile

PLAIN = "13800138000"


def read(shown, *, kind=CellKind.TEXT, value=None, auto_sign=False):
    cell = Cell("D", "手机", shown if value is None else value, kind, shown)
    return read_mobile(cell, "D3", auto_sign=auto_sign)


def codes(reading):
    return [(problem.code, problem.severity) for problem in reading.problems]


def test_a_plain_mobile_is_taken_as_it_is():
    assert (read(PLAIN).value, read(PLAIN).problems, read(PLAIN).changes) == (PLAIN, (), ())


def test_every_written_form_is_normalised_and_recorded():
    for dressed in (
        "13800138000.0", "+86 13800138000", "+86-138-0013-8000", "8613800138000", "8613800138000.0",
        "86-13800138000", "008613800138000", "(+86)13800138000", "（+86）138 0013 8000", "138-0013-8000",
        "138.0013.8000", "138-00138000", "\u202d13800138000\u202c", "１３８００１３８０００", "'13800138000",
        '="13800138000"', "\t13800138000", "13,800,138,000", "13800138000;", "13800138000，",
        "13800138000.", "手机：13800138000", "Tel: +86 13800138000", "☎13800138000", "(138)0013-8000",
        "+86(138)00138000", "[+86]13800138000", "138/0013/8000", "138_0013_8000",
        "1 3 8 0 0 1 3 8 0 0 0", "13800138000/13800138000", "13800138000\n13800138000",
    ):  # fmt: skip
        reading = read(dressed)
        assert (reading.value, reading.problems) == (PLAIN, ())
        assert (reading.changes[0].before, reading.changes[-1].after) == (dressed, PLAIN)


@pytest.mark.parametrize("value", [13800138000, 13800138000.0, 8613800138000])
def test_a_whole_number_is_exact_in_every_number_format(value):
    assert read("1.38E+10", kind=CellKind.NUMBER, value=value).value == PLAIN


def test_every_other_mobile_refuses_the_row():
    for wrong in (
        "12800138000",
        "1380013800",
        "138001380001",
        "1380013800.0",  # ten digits and a decimal, not eleven
        "013800138000",
        "010-12345678",
        "+852 51234567",
        "1.38E+10",
        "138****8000",
        "13800138OOO",
        "张三",
        "13800138000-801",
        "13800138000转801",
        "13800138000(妻子)",
        "13800138000*",
        "1380013800O",
        "l3800138000",
        "138xxxx8000",
        "١٣٨٠٠١٣٨٠٠٠",
        "1.3800138E+10",
        "+1 650 555 1234",
        "85251234567",
        "075588888888",
        "11111111111",
        "同上",
        "13800138000/661234",
    ):
        assert codes(read(wrong)) == [("MOBILE_INVALID", "error")]
        assert read(wrong).value is None


def test_the_number_zero_is_refused():
    for value in (0, 0.0):  # a formula that was never computed may arrive so
        assert codes(read("0", kind=CellKind.NUMBER, value=value)) == [("MOBILE_INVALID", "error")]


def test_a_fraction_is_no_mobile():
    assert codes(read("13800138000.5", kind=CellKind.NUMBER, value=13800138000.5)) == [
        ("MOBILE_INVALID", "error")
    ]


def test_two_numbers_in_a_cell_are_ambiguous():
    for two in (
        "13800138000/13900139000", "1380013800013900139000", "13800138000(13900139000)", "13800138000 13900139000", "13800138000、010-12345678", "13800138000\n13900139000", "8613800138000 8613900139000", "13800138000 或 010-88888888", "13800138000~13900139000",
    ):  # fmt: skip
        assert codes(read(two)) == [("MOBILE_AMBIGUOUS", "error")]


def test_a_blank_is_a_warning_and_an_error_only_for_auto_sign():
    for blank in ("", " ", "无", "-", "暂无", "无手机", "没有电话号码", "0", "00000000000", "0.0"):
        assert codes(read(blank)) == [("MOBILE_MISSING", "warning")]
        assert codes(read(blank, auto_sign=True)) == [("MOBILE_MISSING", "error")]


def test_the_message_shows_no_more_of_a_number_than_the_results_do():
    (refused,) = read("1380013800012").problems
    assert refused.detail["found"] == "138******0012"


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("0123456789+-. ()（）86'\""))))
def test_normalising_is_idempotent(text):
    once, _ = normalise_mobile(text)
    assert normalise_mobile(once) == (once, ())


@given(st.text(alphabet=st.sampled_from("0123456789+-. ()/（）86'\"１３８;"), max_size=30))
def test_every_digit_of_a_taken_mobile_is_in_the_cell_in_order(text):
    mobile = read(text).value
    if mobile is not None:
        source = iter(unicodedata.normalize("NFKC", text))
        assert all(digit in source for digit in mobile)


@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True))
def test_every_mobile_from_13_to_19_is_taken(mobile):
    assert read(mobile).value == mobile
