"""Names: folded with care, kept when rare, refused when they are not certainly a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.roster import Cell, CellKind
from pipeline.intake.fields.person_name import is_surely_other_name, normalise_name, read_name


def read(text, kind=CellKind.TEXT, **options):
    return read_name(Cell("A", "姓名", text, kind, text), "A7", **options)


def test_rare_and_traditional_characters_are_kept_as_written():
    for name in (
        "张三", "欧阳娜娜", "阿依古丽·买买提", "㼆䶮", "張偉", "吉𠮷", "\U00031350\U000323af", "王\ufa0e", "爱新觉罗弘毅", "张\U000323b0", "山田太郎", "王登科", "李若男", "林进修", "王新增",
        "扎西扎西", "王博士", "李药师",
    ):  # fmt: skip
        reading = read(name)
        assert (reading.value, reading.problems, reading.changes) == (name, (), ())


def test_marks_and_forms_that_are_not_the_name_are_folded_with_a_warning():
    for written, used, why in (
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
        ("⺩三", "王三", "radicals"),
        ("⻆三", "角三", "radicals"),
        ("葛\U000e0100三", "葛三", "invisible"),
        ("欧阳 娜娜", "欧阳娜娜", "spaces"),
        ("扎西 多吉", "扎西多吉", "spaces"),
        ("张 小 明", "张小明", "spaces"),
        ("张 若 男", "张若男", "spaces"),
        ("李 王明", "李王明", "spaces"),
        ("阿 卜杜热合曼", "阿卜杜热合曼", "spaces"),
        ("诸葛 孔明亮", "诸葛孔明亮", "spaces"),
        ("张胜 男男", "张胜男男", "spaces"),
        *((f"阿依古丽{dot}买买提", "阿依古丽·买买提", "dots") for dot in "・‧･∙⋅﹒.˙∘⸱ㆍᐧ•"),
    ):
        reading = read(written)
        assert reading.value == used
        assert why in [change.why for change in reading.changes]
        (problem,) = reading.problems
        assert (problem.code, problem.severity, problem.cell, problem.detail["used"]) == (
            "NAME_NORMALISED",
            "warning",
            "A7",
            used,
        )


def test_no_name_is_refused_with_the_piece_that_is_wrong():
    for name, why in (
        ("张*三", "*"),
        ("张×三", "×"),
        ("张某某", "某某"),
        ("张?三", "?"),
        ("张？三", "?"),
        ("张□三", "□"),
        ("张\ufffd三", "U+FFFD"),
        ("张\ue81e三", "U+E81E"),
        ("张三2", "2"),
        ("张②三", "②"),
        ("张san", "san"),
        ("ZHANG", "ZHANG"),
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
        ("张", "1"),
        ("三" * 51, "51"),
        ("张〇三", "〇"),
        ("张囗三", "囗"),
        ("⿰王韦三", "⿰"),
        ("⺼三", "⺼"),  # 肉 or 月: nobody knows
        ("张\u0301三", "\u0301"),
        ("张●三", "●"),  # a mask, not a dot
        ("张13800138000", "***********"),
        ("张&nbsp;三", "&nbsp;"),
        ("约翰·F·史密斯", "F"),
        ("John Smith", "JohnSmith"),
        ("阿依古丽-买买提", "-"),
        ("阿依古丽·", "·"),
    ):
        reading = read(name)
        assert reading.value is None
        assert reading.changes == ()
        (refused,) = reading.problems
        assert (refused.code, refused.severity, refused.cell) == ("NAME_INVALID", "error", "A7")
        assert str(next(iter(refused.detail["why"].arguments.values()))) == why


def test_titles_and_remarks_next_to_a_name_are_refused():
    for name, why in (
        *((f"张伟{title}", title) for title in ("主任", "副主任医师", "大夫", "护士长", "老师", "先生", "返聘", "离职", "实习生")),
        *((f"张伟{title}", title) for title in ("博士", "药师", "在职", "内科", "心血管科", "门诊")),
        *((f"张伟 {word}", word) for word in ("男", "新", "新增", "进修", "博士", "在岗", "内科")),
        ("张伟\t外科", "外科"),
        ("王主任", "主任"),
        *((word, word) for word in ("医生", "主任", "内科", "口腔科", "护理部", "姓名", "医生姓名", "合计", "测试", "待招", "家属", "同上", "无名")),
        ("张三 李四", "张三 + 李四"),
        ("张三\n李四", "张三 + 李四"),
        ("欧阳娜娜 张三", "欧阳娜娜 + 张三"),
        ("张三 李四 王五", "张三 + 李四 + 王五"),
        ("张伟张伟", "张伟 × 2"),
        ("欧阳娜欧阳娜", "欧阳娜 × 2"),
        ("阿依古丽 买买提", "阿依古丽 · 买买提 ?"),
    ):  # fmt: skip
        reading = read(name)
        assert reading.value is None
        assert [(problem.code, problem.detail["why"].arguments["piece"]) for problem in reading.problems] == [
            ("NAME_INVALID", why)
        ]


def test_a_name_in_latin_letters_is_taken_next_to_a_foreign_card():
    for written, used in (
        ("John Smith", "John Smith"),
        (" JOHN   SMITH\n", "JOHN SMITH"),
        ("O'Brien", "O'Brien"),
        ("Jean-Luc Picard", "Jean-Luc Picard"),
        ("J. R. Smith Jr.", "J. R. Smith Jr."),
        ("SMITH, JOHN", "SMITH, JOHN"),
        ("Jose\u0301", "José"),
        ("Ｊｏｈｎ", "John"),
        ("张三", "张三"),
        ("张 三", "张三"),
    ):
        assert read(written, latin=True).value == used
        assert normalise_name(used, latin=True) == (used, ())


def test_other_texts_next_to_a_foreign_card_are_refused():
    for wrong in ("John2", "张San", "J?hn", "J", "Иван", "John (new)", "无", "", "A" * 51):
        assert read(wrong, latin=True).value is None


@pytest.mark.parametrize("kind", [CellKind.BOOL, CellKind.NUMBER, CellKind.DATE])
def test_a_cell_that_is_no_text_is_no_name(kind):
    assert read("TRUE", kind, latin=True).value is None


def test_an_unreadable_name_is_another_only_if_it_begins_differently():
    for text, differs in (
        ("李四（返聘）", True), ("张三（返聘）", False), ("医生张 三", False), ("张*", False), ("*三", False), ("zhangsan", False), ("", False),
    ):  # fmt: skip
        assert is_surely_other_name(text, "张三") == differs


def test_a_blank_or_a_placeholder_is_a_missing_name():
    for name in ("", "   ", "\u200b", "无", "待补", "/", "待定", "空缺", "N/A"):
        assert [problem.code for problem in read(name).problems] == ["NAME_MISSING"]


def test_a_roster_without_the_cell_misses_the_name_without_an_address():
    (missing,) = read_name(None, None).problems
    assert (missing.code, missing.cell) == ("NAME_MISSING", None)


def test_an_identity_number_in_the_wrong_column_is_not_repeated_in_the_message():
    for number in ("110101199003070732", "١١٠١٠١١٩٩٠٠٣٠٧٠٧٣٢"):
        (refused,) = read(number).problems
        assert number[-4:] not in "".join(refused.detail.values())


def test_fifty_characters_are_the_longest_name():
    assert read("三" * 50).value == "三" * 50


scraps = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("张三·.•⾼⻢\uf90a ='\"“”\u200b　（）")))


@given(scraps)
def test_normalising_is_idempotent(text):
    once, _ = normalise_name(text)
    assert normalise_name(once) == (once, ())


@given(scraps)
def test_what_is_used_is_read_the_same_again(text):
    value = read(text).value
    if value is not None:
        again = read(value)
        assert (again.value, again.problems) == (value, ())
