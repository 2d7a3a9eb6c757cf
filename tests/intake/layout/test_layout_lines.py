"""Lines judged one by one under a wide header: who is a doctor, and what the others are called."""

from __future__ import annotations

from datetime import date
from itertools import cycle

import openpyxl
from people import name, number

from pipeline.intake.read_rosters import read_rosters

TITLES = (
    "序号", "姓名", "身份证号", "手机号", "工号", "科室", "证件类型", "印章名称", "印章图片", "性别", "备注",
)  # fmt: skip
NUMBER = number(1)
DAY = date(2026, 11, 25)
FIRST, SECOND = (1, name(1), number(1)), (2, name(2), number(2))

# texts that alone in the first column, or in the name column, are no doctor
FIRST_COLUMN = {
    "total": ("合计：58人", "内科小计：12人", "共58人"),
    "note": (
        "院长签字", "（盖章）", "2026年11月25日", "说明：1、身份证号必须为文本", "说明", "填表须知", "注意事项：请按证件填写",
        "备注：返聘医师不在此列。", "注：带*为必填", "第1页 共2页", "Page 1 of 2", "- 1 -", "（以下空白）",
    ),
    "title": ("内科", "一、内科", "ICU"),
}  # fmt: skip
NAME_COLUMN = {
    "total": ("以上共 58 人",),
    "note": ("审核人", "单位（盖章）", "第 1 页，共 2 页", "以下空白", "——以下无正文——"),
    "title": (
        "内科", "儿科", "一、内科", "（二）外科", "1.内科", "内科（12人）", "内科：12人", "【心血管内科】", "★急诊科★", "外科一病区",
        "门诊部", "一病区", "新增医师名单", "请在下面填写，不要改动表头", "清岚市第一人民医院医师登记表",
    ),
}  # fmt: skip
# (cells, why); a line is given by its leading cells
NO_PERSON = [
    ((7,), "blank"),
    (("7", None, None, None, None, "内科", "居民身份证", None, None, "男"), "note"),
    ((7, None, None, None, None, "内科", "居民身份证"), "blank"),
    ((8, "—", "—", "—"), "blank"),
    ((8, "/", "/", "/"), "blank"),
    ((8, 0, 0, 0), "blank"),
    ((8, "……"), "blank"),
    ((9, None, None, None, None, None, None, "处方章", ".png"), "blank"),
    ((9, None, None, None, None, None, None, "印章"), "blank"),
    (("合计", None, 58), "total"),
    (("合 计", "58人"), "total"),
    (("总计", None, 58, 58, 58), "total"),
    ((None, "小计", None, None, None, "内科"), "total"),
    (("内科小计", None, 12), "total"),
    ((None, "外一科 合计", 3), "total"),
    ((None, None, None, None, None, "小计", None, None, None, None, 12), "total"),
    ((12, None, None, None, None, None, None, None, None, None, "合计"), "total"),
    (("小计", "内科", None, 12), "total"),
    (("本页小计（人）", 25), "total"),
    (("全院合计", None, None, None, None, None, None, None, None, "男30"), "total"),
    (("Total", 58), "total"),
    ((None, "总人数", 58), "total"),
    ((3, 12), "total"),
    (("制表人：王五", None, "审核人：赵六", None, "日期：2026-11-25"), "note"),
    (("制表人：", "王五", None, "审核人：", "赵六"), "note"),
    (("制表人", "王五", "审核人", "赵六"), "note"),
    ((None, "制表人", "王五", "审核人", "赵六"), "note"),
    ((None, "制表人：王五", "审核人：赵六", "日期：2026年11月25日"), "note"),
    ((None, "制表人：王五", DAY), "note"),
    ((None, "填报人：王五", "13800138000"), "note"),
    ((None, "联系人：王五", None, "联系电话：0571-8888888"), "note"),
    ((None, None, "院长签字："), "note"),
    (("负责人（签字）：", None, None, None, "年   月   日"), "note"),
    (("填表日期", "2026年11月25日"), "note"),
    ((None, None, None, None, None, DAY), "note"),
    ((None, "必填", "必填，18位", "选填"), "note"),
    ((None, None, "文本格式"), "note"),
    (("三", "骨科", None, None, None, None, None, None, None, None, "3人"), "title"),
    ((None, "姓名", None, None, None, "科室"), "header"),
    (TITLES, "header"),
    ((None, "姓名", "身份证号（18位，GB11643-1999）"), "header"),
    (("例", "张三", NUMBER, "13800138000"), "example"),
    (("示例", "张三", NUMBER), "example"),
    (("示例1", "张三", NUMBER), "example"),
    (("样例：", "张三", NUMBER), "example"),
    (("1（示例）", "例：张三", NUMBER), "example"),
    ((1, "例：张三", NUMBER), "example"),
    ((1, "示例：张三", NUMBER), "example"),
    ((1, "如：张三", "如：110101199003070732"), "example"),
    ((1, "张三（示例）", NUMBER), "example"),
    ((1, "张三", f"例：{NUMBER}"), "example"),
    ((1, "张三", NUMBER, None, None, None, None, None, None, None, "示例，请删除"), "example"),
    ((1, "张三", NUMBER, None, None, None, None, None, None, None, "此行为示例，填写时请删除"), "example"),
    ((1, "张三", NUMBER, None, None, None, None, None, None, None, "样例数据"), "example"),
    ((1, "张三", NUMBER, None, None, None, None, None, None, None, "（填写示例）"), "example"),
    ((1, "张三", NUMBER, None, None, None, None, None, None, None, "仅为示例，导入前删除"), "example"),
    (("Example", "Zhang San", NUMBER), "example"),
    (("e.g.", "张三", NUMBER), "example"),
    *(((text,), why) for why, texts in FIRST_COLUMN.items() for text in texts),
    *(((None, text), why) for why, texts in NAME_COLUMN.items() for text in texts),
]  # fmt: skip
# texts that alone in the name column may be a doctor
NAMES = (
    "张三", "=VLOOKUP(1,A:A,1)", "#N/A", "何总", "合计宝", "沈说明", "王登科", "李科", "张医生", "欧阳登科", "康站",
    "阿依古丽·买买提", "张三、李四", "张三，李四", "王伟1",
)  # fmt: skip
A_PERSON = [
    (None, None, NUMBER),
    (None, None, "无"),
    (None, None, "待补"),
    (None, None, "12"),
    (1, None, 12),
    (None, None, 110101199003071233),
    (None, None, "1101011990030"),
    (3, "张三"),
    (None, None, "=VLOOKUP(1,A:A,1)"),
    (None, "张三", None, "13800138000"),
    (None, "张三", None, None, None, "内科"),
    (None, "张三", "同上"),
    (None, "张三", "—"),
    (None, "张三", 0),
    (3, None, None, None, "1001"),
    (3, None, None, None, "12"),
    (3, None, None, "13800138000"),
    (None, None, None, "13800138000"),
    (None, None, None, None, "1001"),
    (None, None, None, None, None, None, None, "张三处方章"),
    (None, None, None, None, None, None, None, None, "张三.png"),
    ("备注", "张三", NUMBER),
    ("合计", "张三", NUMBER),
    ("合计", "张三"),
    ("小计", "张三", None, "13800138000"),
    (None, "合计", NUMBER),
    (None, "说明", NUMBER),
    (None, "审核人", None, None, "1001"),
    (None, "NA", None, None, "1001"),
    (None, "何总", NUMBER),
    (7, "张三，请假"),
    (1, "张三", NUMBER, None, None, "示例科"),
    (1, "张三", NUMBER, None, None, "示例科室"),
    (1, "张三", NUMBER, None, None, None, None, None, None, None, "参照示例填写"),
    (1, "张三", NUMBER, None, None, None, None, None, None, None, "样例已核对"),
    (1, "例", NUMBER),
    (1, "如意", NUMBER),
    (1, "张示例", NUMBER),
    (1, "样三", NUMBER),
    ("内科", "张三"),
    ("2026-11-25", "张三", None),
    ("制表人：王五", "张三", None, "13800138000"),
    ("第1组", "张三", NUMBER),
    (None, "必填", NUMBER),
    (None, "张三", "必填"),
    *((None, name) for name in NAMES),
]


def reading(path, *lines):
    book = openpyxl.Workbook()
    book.active.append(TITLES)
    for line in lines:
        book.active.append(line)
    book.save(path)
    rows, (report,) = read_rosters([path])
    assert report.status == "read", report.problems
    return rows, report


def whys(report):
    return {position: skip.why for skip in report.skipped for position in range(skip.first, skip.last + 1)}


def test_enough_lines_are_judged():
    assert len(NO_PERSON) + len(A_PERSON) >= 80


def among_doctors(lines):
    """Return lines each of which stands behind a doctor and before another one, and the number of each."""
    listed = [line for pair in zip(cycle((FIRST, SECOND)), lines) for line in pair]
    return [*listed, FIRST], range(3, 3 + 2 * len(lines), 2)


def test_lines_that_are_no_doctor(tmp_path):
    lines, numbers = among_doctors([line for line, _ in NO_PERSON])
    rows, report = reading(tmp_path / "a.xlsx", *lines)
    assert [row.origin.row for row in rows] == [number - 1 for number in (*numbers, numbers[-1] + 2)]
    skipped = whys(report)
    shown = [(line, skipped.get(number)) for number, (line, _) in zip(numbers, NO_PERSON, strict=True)]
    assert shown == NO_PERSON
    assert len(skipped) == len(NO_PERSON) + 1


def test_a_line_that_may_be_a_doctor_is_never_dropped(tmp_path):
    lines, numbers = among_doctors(A_PERSON)
    rows, report = reading(tmp_path / "a.xlsx", *lines)
    skipped = whys(report)
    assert [line for number, line in zip(numbers, A_PERSON, strict=True) if number in skipped] == []
    assert skipped == {1: "header"}
    assert [row.origin.row for row in rows] == [*range(2, 2 * len(A_PERSON) + 3)]


def test_a_line_of_a_long_text_is_judged_by_its_beginning_in_no_time(tmp_path):
    long = "科" * 30_000
    rows, report = reading(
        tmp_path / "a.xlsx", FIRST, (long,), (None, long), (None, "制表人" * 9_000), SECOND
    )
    assert [row.origin.row for row in rows] == [2, 6]
    assert whys(report) == {1: "header", 3: "title", 4: "title", 5: "title"}
