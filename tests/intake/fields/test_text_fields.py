"""Staff number, department and seal name: what the format shows is kept, what says nothing is nothing."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.roster import Cell, CellKind
from pipeline.intake.fields.text_fields import check_seal_name, read_department, read_seal_name, read_staff_no


def cell(shown, kind=CellKind.TEXT, value=None):
    return Cell("E", "工号", shown if value is None else value, kind, shown)


def staff_no(shown, kind=CellKind.TEXT, value=None):
    return read_staff_no(cell(shown, kind, value))


def test_a_staff_number_is_what_its_format_shows():
    for shown, kind, value, used in (
        ("1001", CellKind.NUMBER, 1001.0, "1001"),
        ("00123", CellKind.NUMBER, 123, "00123"),  # zeros that only the number format shows
        ("YS007", CellKind.NUMBER, 7, "YS007"),
        ("00123", CellKind.TEXT, "00123", "00123"),
        ("A-12/3", CellKind.TEXT, None, "A-12/3"),
        ("1E5", CellKind.TEXT, None, "1E5"),  # letters and digits of its own,
    ):
        reading = staff_no(shown, kind, value)
        assert (reading.value, reading.problems, reading.changes) == (used, (), ())


def test_what_comes_off_a_staff_number_is_recorded():
    for written, used, why in (
        (" 1001\u200b", "1001", "invisible"),
        ("１００１", "1001", "width"),
        ('="0012"', "0012", "formula_text"),
        ("'0012", "0012", "quotes"),
        ("\t0012\n", "0012", "spaces"),
        ("1001.0", "1001", "float"),
    ):
        reading = staff_no(written)
        assert reading.value == used
        assert why in [change.why for change in reading.changes]
        assert (reading.changes[0].before, reading.changes[-1].after) == (written, used)


def test_a_placeholder_in_the_staff_number_column_is_blank():
    for blank in ("", " ", "无", "-", "/", "暂无工号", "待定"):
        assert staff_no(blank).value is None
        assert read_department(cell(blank)).value is None


@pytest.mark.parametrize(
    ("shown", "kind", "value"),
    [
        ("2010-01-02", CellKind.DATE, date(2010, 1, 2)),
        ("TRUE", CellKind.BOOL, True),
        ("1.10101E+17", CellKind.NUMBER, 1.10101199003071e17),
        ("1.10101E+17", CellKind.TEXT, None),
    ],
)
def test_what_a_spreadsheet_made_of_a_staff_number_is_none(shown, kind, value):
    assert staff_no(shown, kind, value).value is None


def test_a_department_keeps_its_own_spaces_and_loses_invisible_characters():
    reading = read_department(cell("\u200b 内 科（东区）\n"))
    assert reading.value == "内 科（东区）"
    assert [change.why for change in reading.changes] == ["invisible", "spaces"]


@pytest.mark.parametrize("reader", [read_staff_no, read_department])
def test_a_missing_column_has_no_value(reader):
    assert reader(None).value is None


@given(st.text())
def test_reading_again_changes_nothing(text):
    for reader in (read_staff_no, read_department):
        value = reader(cell(text)).value
        if value is not None:
            again = reader(cell(value))
            assert (again.value, again.changes) == (value, ())


# ---- the roster's own seal name -----------------------------------------------------------------------------------


def test_invisible_characters_come_off_a_seal_name_and_are_recorded():
    for written, used, why in (
        (" 张三处方章 ", "张三处方章", "spaces"),
        ("张\u200b三处方章", "张三处方章", "invisible"),
        ('="张三处方章"', "张三处方章", "formula_text"),
        ("⾼三处方章", "高三处方章", "radicals"),
        ("\uf90a三处方章", "金三处方章", "compatibility"),
        ("阿依古丽•买买提处方章", "阿依古丽·买买提处方章", "dots"),
        ("张　三 处方章", "张三处方章", "spaces"),
    ):
        reading = read_seal_name(cell(written), "F3", ascii_allowed=False)
        assert (reading.value, reading.problems) == (used, ())
        assert why in [change.why for change in reading.changes]


def test_a_placeholder_in_the_seal_name_column_leaves_the_template():
    for blank in ("", "无", "/", "—", "待定"):
        reading = read_seal_name(cell(blank), "F3", ascii_allowed=False)
        assert (reading.value, reading.problems) == (None, ())


def test_where_ascii_is_allowed_a_full_stop_is_one():
    assert read_seal_name(cell("A.三章"), "F3", ascii_allowed=True).value == "A.三章"
    assert read_seal_name(cell("Dr　Li  章"), "F3", ascii_allowed=True).value == "Dr Li 章"


@pytest.mark.parametrize("wrong", ["张三１章", "张三(处方)章", "张三*章", "张\ue81e章"])
def test_what_may_not_be_sent_is_refused_as_it_is(wrong):
    (refused,) = read_seal_name(cell(wrong), "F3", ascii_allowed=False).problems
    assert (refused.code, refused.cell) == ("SEAL_NAME_CHARS", "F3")


def test_a_name_that_a_template_made_is_judged_as_it_stands():
    assert [result.code for result in check_seal_name("张三.一章", None, ascii_allowed=False)] == [
        "SEAL_NAME_CHARS"
    ]
    assert [result.code for result in check_seal_name("", None, ascii_allowed=False)] == ["SEAL_NAME_LENGTH"]
    assert check_seal_name("张三一〇章", None, ascii_allowed=False) == ()
