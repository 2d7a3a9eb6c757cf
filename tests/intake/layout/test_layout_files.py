"""A ministry's form as real files: groups over the titles, merged departments, hidden columns, totals, signatures."""

from __future__ import annotations

from io import BytesIO

import openpyxl
import pytest
from office_support import edit
from openpyxl.drawing.image import Image as Drawing
from people import name, number
from run_support import draw_seal

from pipeline.domain.roster import Field
from pipeline.intake.images.image_files import ImageStore
from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers.model import ReadOptions

LINES = [
    ("清岚市第一人民医院医师电子签章信息采集表（联系人：吴敏 6018）",),
    ("填报单位：清岚市第一人民医院", None, None, None, None, "填报日期：2026年11月20日"),
    ("序号", "科室", "基本信息", None, "联系方式", None, "紧急联系人", None, "电子签章"),
    (None, None, "姓名*", "身份证号码\n（18位，文本）", "手机", "邮箱", "姓名", "电话", "图片"),
    ("例", "内科", "张三", number(90), "13800138000", None, "李四", "13900139000"),
    (1, "内科", name(1), number(1), "13800138001", "a@example.cn", "王五", "13900139000"),
    (2, None, name(2), number(2), "13800138002"),
    ("小计", None, "2人"),
    (3, "外科", name(3), number(3), "13800138003"),
    (4, None, name(4), number(4), "13800138004"),
    (5,),
    (),
    ("合计", None, 4),
    ("制表人：吴敏", None, None, "审核人：周立", None, "（盖章）"),
    ("说明：1.身份证号码请设为文本格式。",),
]
MERGES = "A1:I1 A3:A4 B3:B4 C3:D3 E3:F3 G3:H3 B6:B7 B9:B11 A14:B14 A15:I15"
WHYS = {
    1: "title", 2: "title", 3: "header", 4: "header", 5: "example", 8: "total", 11: "blank", 12: "blank", 13: "total",
    14: "note", 15: "note",
}  # fmt: skip


@pytest.fixture
def form(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "名单"
    for line in LINES:
        sheet.append(line)
    for area in MERGES.split():
        sheet.merge_cells(area)
    sheet.row_dimensions[7].hidden = True
    sheet.column_dimensions["F"].hidden = True
    sheet.column_dimensions["E"].hidden = True
    draw_seal(tmp_path / "seal.png", 9)
    for address in ("I6", "I9", "K1"):
        sheet.add_image(Drawing(BytesIO((tmp_path / "seal.png").read_bytes())), address)
    for row in (1, *range(5, 12)):
        sheet.row_dimensions[row].height = 80
    guide = book.create_sheet("填写说明")
    guide.append(("姓名", "身份证号"))
    guide.append(("张三", number(90)))
    path = tmp_path / "form.xlsx"
    book.save(path)
    return path


def check(rows, report):
    assert report.status == "read", report.problems
    assert [row.origin.row for row in rows] == [6, 7, 9, 10]
    assert [row.fields[Field.NUMBER].display_text for row in rows] == [
        number(entry) for entry in (1, 2, 3, 4)
    ]
    assert [row.fields[Field.MOBILE].display_text for row in rows] == [
        f"1380013800{entry}" for entry in (1, 2, 3, 4)
    ]
    assert [row.fields[Field.DEPARTMENT].display_text for row in rows] == ["内科", "内科", "外科", "外科"]
    skipped = [skip for skip in report.skipped if skip.sheet in ("名单", None)]
    assert {position: skip.why for skip in skipped for position in range(skip.first, skip.last + 1)} == WHYS


def test_the_form_as_xlsx(form, tmp_path):
    rows, (report,) = read_rosters([form], options=ReadOptions(store=ImageStore(tmp_path)))
    check(rows, report)
    assert [row.hidden for row in rows] == [False, True, False, False]
    assert [[picture.address for picture in row.pictures] for row in rows] == [["I6"], [], ["I9"], []]
    assert "sheet 名单: hidden columns E (mobile), F" in report.notes
    assert "sheet 名单: a picture over K1 belongs to no doctor" in report.notes
    assert [(sheet.sheet, sheet.rows) for sheet in report.sheets] == [("名单", 4), ("填写说明", 0)]
    assert [cell.header for cell in rows[0].cells] == [
        "序号", "科室", "姓名*", "身份证号码\n（18位，文本）", "手机", "邮箱", "紧急联系人 姓名", "紧急联系人 电话", "电子签章 图片",
    ]  # fmt: skip


@pytest.mark.office
def test_the_form_in_another_format_with_merged_cells(form, tmp_path):
    file = tmp_path / "form.xls"
    edit(form, "", [file])
    rows, (report,) = read_rosters([file])
    check(rows, report)


def test_the_form_as_csv_has_no_merged_cells(tmp_path):
    path = tmp_path / "form.csv"
    text = "\n".join(
        ",".join(f'"{cell}"' if cell is not None else "" for cell in line) for line in LINES
    ).replace("18位，文本", "18位")
    path.write_text(text, "utf-8-sig")
    rows, (report,) = read_rosters([path])
    assert [row.fields[Field.NUMBER].display_text for row in rows] == [
        number(entry) for entry in (1, 2, 3, 4)
    ]
    assert [row.fields[Field.MOBILE].display_text for row in rows] == [
        f"1380013800{entry}" for entry in (1, 2, 3, 4)
    ]
    assert [row.fields[Field.DEPARTMENT].display_text for row in rows] == ["内科", "", "外科", ""]
    whys = {position: skip.why for skip in report.skipped for position in range(skip.first, skip.last + 1)}
    # the title of the number column spans two physical lines
    assert whys == {position + (position > 4): why for position, why in WHYS.items()} | {5: "header"}
