"""Names: folded with care, kept when rare, refused when they are not certainly a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.intake.names import normalise, read_name
from pipeline.roster import Cell, CellKind


def read(text, kind=CellKind.TEXT):
    return read_name(Cell("A", "姓名", text, kind, text), "A7")


@pytest.mark.parametrize(
    "name",
    ["张三", "欧阳娜娜", "阿依古丽·买买提", "㼆䶮", "張偉", "吉𠮷", "\U00031350\U000323af", "王\ufa0e", "爱新觉罗弘毅"],
)  # fmt: skip
def test_a_name_is_kept_as_written_rare_and_traditional_characters_too(name):
    reading = read(name)
    assert (reading.value, reading.problems, reading.changes) == (name, (), ())


@pytest.mark.parametrize(
    ("written", "used", "why"),
    [
        ("张 三", "张三", "spaces"),
        ("张　三", "张三", "spaces"),
        ("张\u00a0三\n", "张三", "spaces"),
        ("\ufeff张\u200b三\u200e", "张三", "invisible"),
        ("'张三", "张三", "quotes"),
        ('="张三"', "张三", "formula_text"),
        ("⾼三", "高三", "radicals"),
        ("⻢三", "马三", "radicals"),
        ("\uf90a三", "金三", "compatibility"),
        ("\U0002f800三", "\u4e3d三", "compatibility"),
        ("阿依古丽•买买提", "阿依古丽·买买提", "dots"),
        ("阿依古丽．买买提", "阿依古丽·买买提", "width"),
        ("阿依古丽 · 买买提", "阿依古丽·买买提", "spaces"),
        *((f"阿依古丽{dot}买买提", "阿依古丽·买买提", "dots") for dot in "・‧･∙⋅﹒."),
    ],
)
def test_what_is_not_the_name_is_folded_away_and_told(written, used, why):
    reading = read(written)
    assert reading.value == used
    assert why in [change.why for change in reading.changes]
    (told,) = reading.problems
    assert (told.code, told.severity, told.cell, told.detail["used"]) == (
        "NAME_NORMALISED",
        "warning",
        "A7",
        used,
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("张*三", "*"),
        ("张×三", "×"),
        ("张某某", "某"),
        ("张?三", "?"),
        ("张？三", "?"),
        ("张□三", "□"),
        ("张\ufffd三", "U+FFFD"),
        ("张\ue81e三", "U+E81E"),
        ("张三2", "2"),
        ("张②三", "②"),
        ("张san", "s a n"),
        ("ZHANG", "Z H A N G"),
        ("张三（返聘）", "(返聘)"),
        ("张三【主任】", "【主任】"),
        ("李医生", "医生"),
        ("张三主任医师", "主任医师"),
        ("张三、李四", "、"),
        ("张三/李四", "/"),
        ("李㊞", "㊞"),  # NFKC would make 李印 of it
        ("李⾭", "⾭"),  # 青 or 靑: nobody knows
        ("·张三", "·"),
        ("阿依古丽··买买提", "·"),
        ("张", "1 ∉ 2–50"),
        ("三" * 51, "51 ∉ 2–50"),
        ("张〇三", "〇"),
    ],
)
def test_what_may_not_be_a_name_is_refused_with_the_piece_that_is_wrong(name, why):
    reading = read(name)
    assert reading.value is None
    assert reading.changes == ()
    (refused,) = reading.problems
    assert (refused.code, refused.severity, refused.cell) == ("NAME_INVALID", "error", "A7")
    assert refused.detail["why"] == why


@pytest.mark.parametrize("name", ["", "   ", "\u200b", "无", "待补", "/"])
def test_a_blank_or_a_placeholder_is_missing(name):
    assert [problem.code for problem in read(name).problems] == ["NAME_MISSING"]


def test_a_roster_without_the_cell_misses_the_name_without_an_address():
    (missing,) = read_name(None, None).problems
    assert (missing.code, missing.cell) == ("NAME_MISSING", None)


def test_an_identity_number_in_the_wrong_column_is_not_repeated_in_the_message():
    (refused,) = read("110101199003070732").problems
    assert "0732" not in refused.detail["found"]


def test_fifty_characters_are_the_longest_name():
    assert read("三" * 50).value == "三" * 50


scraps = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("张三·.•⾼⻢\uf90a ='\"“”\u200b　（）")))


@given(scraps)
def test_normalising_is_idempotent(text):
    once, _ = normalise(text)
    assert normalise(once) == (once, ())


@given(scraps)
def test_what_is_used_is_read_the_same_again(text):
    value = read(text).value
    if value is not None:
        again = read(value)
        assert (again.value, again.problems) == (value, ())
