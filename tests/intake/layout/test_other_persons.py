"""Whose columns they are: titles behind the title of a relative, a contact or a teacher are that person's."""

from __future__ import annotations

import pytest

from pipeline.errors import FileRefused
from pipeline.intake.layout.column_titles import ColumnAliases, explain_missing_header
from pipeline.intake.layout.header_search import choose_header
from pipeline.intake.readers.model import Line, Merge, MergedCells, parse_column, text_cell
from pipeline.messages.problems import build_problem, render_problem


def make_lines(*rows: str) -> list[Line]:
    return [
        Line(
            number,
            {column: text_cell(text.strip()) for column, text in enumerate(row.split("|")) if text.strip()},
        )
        for number, row in enumerate(rows, start=1)
    ]


def make_merges(areas: str) -> MergedCells:
    corners = [
        [(parse_column(corner[0]), int(corner[1:])) for corner in area.split(":")] for area in areas.split()
    ]
    return MergedCells([Merge(top, bottom, first, last) for (first, top), (last, bottom) in corners])


def read(*rows: str, merges: str = "", columns: dict[str, str] | None = None) -> str:
    """Return ``A name, B id_card_number``; what refuses the file; or nothing where no header is complete."""
    aliases = ColumnAliases.from_config(columns or {})
    try:
        located = choose_header(make_lines(*rows), aliases, make_merges(merges))
    except FileRefused as refusal:
        return refusal.code
    if located is None:
        return explain_missing_header([(None, make_lines(*rows))], aliases).code
    fields = sorted((column, str(name)) for name, column in located[2].columns.items())
    return " ".join(f"{'ABCDEFGHIJKL'[column]}:{name}" for column, name in fields)


OWN = "A:name B:id_card_number"
THEIRS = {
    "姓名|身份证号|家属姓名|联系电话": OWN,
    "姓名|身份证号|紧急联系人|电话": OWN,
    "姓名|身份证号|紧急联系人|与本人关系|联系方式": OWN,
    "姓名|身份证号|与本人关系|联系方式": OWN,
    "姓名|身份证号|与员工关系|姓名|联系方式": OWN,
    "姓名|身份证号|称谓|姓名|电话|身份证号": OWN,
    "姓名|身份证号|联系人|手机号": OWN,
    "姓名|身份证号|联系人1|电话|联系人2|电话": OWN,
    "姓名|身份证号|父亲|电话|母亲|电话": OWN,
    "姓名|身份证号|监护人姓名|关系|身份证号|电话": OWN,
    "姓名|身份证号|导师|手机": OWN,
    "姓名|身份证号|带教老师|联系电话": OWN,
    "姓名|身份证号|介绍人|联系电话": OWN,
    "姓名|身份证号|担保人|证件类型|证件号码|联系电话": OWN,
    "姓名|身份证号|科室负责人|电话": OWN,
    "姓名|身份证号|姓名（家属）|电话": OWN,
    "姓名|身份证号|家屬姓名|聯絡電話": OWN,
    "姓名|身份证号|*家属姓名（必填）|联系电话（必填）": OWN,
    "Name|ID number|Emergency contact|Phone": OWN,
    "Name|ID number|Emergency Contact Name|Relationship|Mobile": OWN,
    "Name|ID number|Next of kin|Phone": OWN,
    "Name|ID number|Contact person|Phone": OWN,
    "Name|ID number|Spouse|ID number|Phone": OWN,
    "Name|ID number|Guardian|Phone": OWN,
    # the doctor has a mobile too
    "姓名|身份证号|联系电话|家属姓名|联系电话": f"{OWN} C:mobile",
    "姓名|身份证号|电话|父亲|电话|母亲|电话": f"{OWN} C:mobile",
    "姓名|身份证号|手机号|配偶姓名|身份证号|手机号": f"{OWN} C:mobile",
    # the doctor's columns go on behind
    "科室|联系人|联系电话|姓名|证件号码": "A:department D:name E:id_card_number",
    "科室|联系人|联系电话|姓名|证件号码|手机号": "A:department D:name E:id_card_number F:mobile",
    "姓名|身份证号|家属姓名|联系电话|工号|手机号": f"{OWN} E:staff_no F:mobile",
    "姓名|家属姓名|电话|科室|身份证号": "A:name D:department E:id_card_number",
    "姓名|身份证号|家属姓名|联系电话|印章|手机号": f"{OWN} E:picture F:mobile",
    "姓名|身份证号|紧急联系人|电话|职称|手机号": f"{OWN} F:mobile",
    "姓名|身份证号|紧急联系人|电话|执业证号|手机号": f"{OWN} F:mobile",
    "姓名|身份证号|紧急联系人|电话|本人手机号": f"{OWN} E:mobile",
    "姓名|联系人|电话|医生身份证号": "A:name D:id_card_number",
    "患者姓名|手机号|姓名|身份证号": "C:name D:id_card_number",
    # a title that says whose it is begins nothing
    "姓名|家属电话|身份证号|手机号": "A:name C:id_card_number D:mobile",
    "姓名|紧急联系电话|身份证号|手机号": "A:name C:id_card_number D:mobile",
    "姓名|紧急联系人电话|身份证号": "A:name C:id_card_number",
    "姓名|手机号（紧急联系人）|身份证号": "A:name C:id_card_number",
    "姓名|家庭住址|手机号|身份证号": "A:name C:mobile D:id_card_number",
    "姓名|子女数|身份证号|电话": "A:name C:id_card_number D:mobile",
    "姓名|劳动关系|身份证号|电话": "A:name C:id_card_number D:mobile",
    "姓名|曾用名|身份证号|电话": "A:name C:id_card_number D:mobile",
    "姓名|审核状态|身份证号|电话": "A:name C:id_card_number D:mobile",
    # what the doctor needs is found among that person's columns alone: no silent choice
    "姓名|工号|科室|配偶姓名|身份证号码": "COLUMN_MISSING",
    "姓名|配偶姓名|配偶电话|身份证号码": "COLUMN_MISSING",
    "姓名|紧急联系人|证件号码|手机号": "COLUMN_MISSING",
    "Name|Spouse|ID number": "COLUMN_MISSING",
    "姓名|身份证号|联系人|联系电话|姓名": "HEADER_AMBIGUOUS",
    # two blocks side by side
    "姓名|身份证号|家属姓名|电话|姓名|身份证号|家属姓名|电话": "HEADER_AMBIGUOUS",
    "姓名|身份证号|联系人|关系|电话|姓名|身份证号|联系人|关系|电话": "HEADER_AMBIGUOUS",
}  # fmt: skip


@pytest.mark.parametrize("titles", THEIRS)
def test_titles_behind_the_title_of_another_person_are_that_persons(titles):
    assert read(titles) == THEIRS[titles]


def test_the_users_own_columns_win():
    titles = "姓名|工号|配偶姓名|身份证号码|联系电话"
    assert read(titles, columns={"身份证号码": "id_card_number"}) == (
        "A:name B:staff_no D:id_card_number E:mobile"
    )
    assert read("姓名|身份证号|家属姓名|联系电话", columns={"联系电话": "mobile"}) == f"{OWN} D:mobile"
    assert read("联系人|身份证号|联系电话", columns={"联系人": "name"}) == "A:name B:id_card_number C:mobile"


@pytest.mark.parametrize(
    ("rows", "merges", "expected"),
    [
        (("姓名|身份证号|紧急联系人|", "||姓名|电话"), "A1:A2 B1:B2 C1:D1", OWN),
        (("姓名|身份证号|家属姓名|电话", "Name|ID number|Family|Phone"), "", OWN),
        (("基本信息||家庭||", "姓名|身份证号|家属姓名|电话|手机号"), "A1:B1 C1:D1", f"{OWN} E:mobile"),
        (("人员信息||||", "姓名|身份证号|家属姓名|电话|"), "A1:D1", OWN),
        (("配偶||本人|", "姓名|身份证号|姓名|身份证号"), "A1:B1 C1:D1", "C:name D:id_card_number"),
    ],
)
def test_headers_of_two_rows(rows, merges, expected):
    assert read(*rows, merges=merges) == expected


def test_the_missing_column_is_explained_in_both_languages():
    aliases = ColumnAliases.from_config({})
    refusal = explain_missing_header([("内科", make_lines("姓名|工号|配偶姓名|身份证号码"))], aliases)
    problem = build_problem(refusal.code, **refusal.detail)
    english, chinese = (render_problem(problem, language) for language in ("en", "zh"))
    assert "D1 身份证号码 comes after C1 配偶姓名, so it was taken as that person's" in english
    assert "D1 身份证号码 在 C1 配偶姓名 之后" in chinese
    assert "columns" in chinese
