"""The sheet To fix: a line a problem, with its cell, what stands there, what is wrong and what to do; numbers masked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from pipeline.domain.roster import CellKind, Field
from pipeline.domain.run import Status
from pipeline.messages.problems import build_problem
from pipeline.reports.records import record_outcome

TITLES = [
    "姓名",
    "导入状态",
    "文件",
    "工作表",
    "行号",
    "单元格",
    "列名",
    "现在的内容",
    "哪里不对",
    "处理办法",
    "改这份标记副本",
]


@pytest.fixture
def sheet(write):
    return openpyxl.load_workbook(write())["待改"]


def _list_lines(sheet):
    header, *rows = ([cell.value for cell in row] for row in sheet.iter_rows())
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_its_columns_lead_a_person_to_the_cell(sheet):
    assert [cell.value for cell in sheet[1]] == TITLES
    assert not any(column.hidden for column in sheet.column_dimensions.values())
    assert not sheet.data_validations.dataValidation, "nothing is corrected here"


def test_the_sheet_holds_the_rows_to_correct_and_no_redundant_copy(sheet):
    lines = _list_lines(sheet)
    statuses = list(dict.fromkeys(line["导入状态"] for line in lines))
    assert statuses == ["待改", "失败", "未提交"], "those first that a person corrects"
    assert "鲁海燕" not in [line["姓名"] for line in lines], "the equal copy of a row that is sent"


def test_each_problem_of_a_row_has_a_line_of_its_own(write, make, scene):
    problems = (
        build_problem("ID_LENGTH", Field.NUMBER, "D4", found="17"),
        build_problem("MOBILE_INVALID", Field.MOBILE, "E4", found="154"),
    )
    doctor = make.doctor(1, texts={"D": make.number(1)[:17], "E": "154"}, problems=problems)
    scene.outcomes = [make.outcome(doctor, Status.REJECTED)]
    number, mobile = _list_lines(openpyxl.load_workbook(write(scene.build_run_report()))["待改"])
    assert (number["行号"], number["单元格"], number["列名"]) == (4, "D4", "身份证号码")
    assert number["现在的内容"] == "*" * 13 + make.number(1)[13:17]
    assert (mobile["单元格"], mobile["列名"], mobile["现在的内容"]) == ("E4", "手机号", "154")
    assert all(line["哪里不对"] and line["处理办法"] for line in (number, mobile))
    assert number["改这份标记副本"] == "没有副本，请直接改名单"


@pytest.mark.parametrize("written", ["{}", "{} ", "1{}", "{:.6}/{:.17}", "'{}"])
def test_no_complete_number_stands_in_the_workbook(write, make, scene, written):
    number = make.number(1)
    text = written.format(number, number)
    problem = build_problem("ID_CHAR", Field.NUMBER, "D4", found=text)
    scene.outcomes = [make.outcome(make.doctor(1, texts={"D": text}, problems=(problem,)), Status.REJECTED)]
    book = openpyxl.load_workbook(write(scene.build_run_report()))
    texts = [str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row if cell.value]
    assert not [text for text in texts if number[6:14] in text]


@pytest.mark.parametrize(
    ("shown", "kind"),
    [
        ("1.10101E+17", CellKind.NUMBER),
        ("110101199003070700", CellKind.NUMBER),
        ("1.10101199003079E+17", CellKind.TEXT),
        ("1.10101e+17 ", CellKind.TEXT),
    ],
)
def test_a_damaged_number_is_named_so_and_shows_no_last_four(write, make, scene, shown, kind):
    problem = build_problem("ID_PRECISION_LOST", Field.NUMBER, "D4", found=shown)
    doctor = make.doctor(1, texts={"D": shown}, kinds={"D": kind}, usable=False, problems=(problem,))
    scene.outcomes = [make.outcome(doctor, Status.REJECTED)]
    book = openpyxl.load_workbook(write(scene.build_run_report()))
    (line,) = _list_lines(book["待改"])
    assert line["现在的内容"] == "已损坏（末几位丢失）"
    assert _list_lines(book["全部结果"])[0]["证件号码"] == "已损坏（末几位丢失）"
    assert (
        record_outcome(scene.outcomes[0], run="r", presenter=make.presenter(scene.build_run_report())).values[
            Field.NUMBER
        ]
        is None
    )


def test_a_number_cell_that_kept_its_digits_shows_the_last_four(write, make, scene):
    problem = build_problem("ID_LENGTH", Field.NUMBER, "D4", found="14")
    doctor = make.doctor(1, texts={"D": "11010119900307"}, kinds={"D": CellKind.NUMBER}, problems=(problem,))
    scene.outcomes = [make.outcome(doctor, Status.REJECTED)]
    (line,) = _list_lines(openpyxl.load_workbook(write(scene.build_run_report()))["待改"])
    assert line["现在的内容"] == "**********0307"


def test_two_rows_of_a_person_that_differ_are_to_be_corrected(write, make, scene):
    twice = build_problem("ROW_DUPLICATE", Field.MOBILE, "E4", other="a.xlsx 医师 9", differs="mobile")
    scene.outcomes = [make.outcome(make.doctor(1, problems=(twice,)), Status.REJECTED)]
    book = openpyxl.load_workbook(write(scene.build_run_report()))
    (line,) = _list_lines(book["待改"])
    assert line["单元格"] == "E4"
    assert "手机号" in line["哪里不对"]
    assert "1 行需要处理" in book["汇总"]["B3"].value


def test_a_problem_of_a_column_that_the_roster_lacks_has_no_cell(write, make, scene):
    missing = build_problem("IMAGE_MISSING", Field.PICTURE, None, tried="1002", hint="", no_column="yes")
    scene.outcomes = [make.outcome(make.doctor(1, problems=(missing,), picture=None), Status.REJECTED)]
    (line,) = _list_lines(openpyxl.load_workbook(write(scene.build_run_report()))["待改"])
    assert (line["行号"], line["单元格"], line["列名"]) == (4, None, None)
    assert "图片" in line["哪里不对"]


def test_a_line_without_a_cell_names_no_copy_to_correct(write, make, scene):
    missing = build_problem("IMAGE_MISSING", Field.PICTURE, None, tried="1002", hint="", no_column="yes")
    doctor = make.doctor(1, problems=(missing,), picture=None)
    scene.outcomes = [
        make.outcome(doctor, Status.REJECTED),
        make.outcome(make.doctor(2), Status.NOT_SENT, code="RequestLimitExceeded"),
    ]
    report = scene.build_run_report()
    report = replace(report, copies={doctor.row.origin.path: report.out / "rosters" / "名单.xlsx"})
    lines = _list_lines(openpyxl.load_workbook(write(report))["待改"])
    assert [line["改这份标记副本"] for line in lines] == ["—", "—"]


@pytest.mark.parametrize(
    ("code", "message", "cells"),
    [
        ("InvalidParameter.CardNumber", "证件号码不正确", "D4"),
        ("FailedOperation.UserInfoNoMatch", "", "B4 D4"),
        ("InvalidParameter.Mobile", "", "E4"),
        ("FailedOperation", "请核对后重试", "B4 D4"),
    ],
)
def test_a_refused_row_names_the_cells_that_the_refusal_is_about(write, make, scene, code, message, cells):
    scene.outcomes = [make.outcome(make.doctor(1), Status.FAILED, code=code, message=message)]
    (line,) = _list_lines(openpyxl.load_workbook(write(scene.build_run_report()))["待改"])
    assert line["单元格"] == cells
    assert line["处理办法"]


def test_the_marked_copy_is_named_and_its_folder_linked(write, make, scene):
    problem = build_problem("MOBILE_INVALID", Field.MOBILE, "E4", found="154")
    doctor = make.doctor(1, texts={"E": "154"}, problems=(problem,))
    scene.outcomes = [make.outcome(doctor, Status.REJECTED)]
    report = scene.build_run_report()
    report = replace(report, copies={doctor.row.origin.path: report.out / "rosters" / "名单.xlsx"})
    sheet = openpyxl.load_workbook(write(report))["待改"]
    assert sheet["K2"].value == "名单.xlsx"
    assert sheet["K2"].hyperlink.target == "rosters"


def test_nothing_to_correct_is_said(write, make, scene):
    scene.outcomes = [make.outcome(make.doctor(1), Status.SEALED, seal_id="yD1")]
    sheet = openpyxl.load_workbook(write(scene.build_run_report()))["待改"]
    assert sheet["A2"].value == "没有需要修改的行。"


def test_hostile_texts_are_text(write, make, scene):
    problem = build_problem("NAME_INVALID", Field.NAME, "B4", found="=1+1")
    doctor = make.doctor(1, texts={"B": "=cmd|' /C calc'!A0"}, problems=(problem,), path=Path("=a.xlsx"))
    scene.outcomes = [make.outcome(doctor, Status.REJECTED)]
    sheet = openpyxl.load_workbook(write(scene.build_run_report()))["待改"]
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    assert sheet["H2"].value == "=cmd|' /C calc'!A0"
