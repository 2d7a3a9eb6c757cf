"""The To fix sheet: what the clerk gets, what a spreadsheet program can do to it, what intake reads back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from desktop import convert

from pipeline.domain.roster import CellKind, EmbeddedImage, Field, ImageFile
from pipeline.domain.run import Status
from pipeline.intake.read_rosters import read_rosters
from pipeline.messages.problems import build_problem

CONVERTED = {"xlsx": "Calc MS Excel 2007 XML", "xls": "MS Excel 97"}
YELLOW = "FFFFE98A"
CSV_COLUMNS = (
    ("A", "姓名", Field.NAME),
    ("B", "身份证号码", Field.NUMBER),
    ("C", "印章图片", Field.PICTURE),
)


@pytest.fixture(scope="module")
def office_profile(tmp_path_factory):
    return tmp_path_factory.mktemp("office")


@pytest.fixture
def sheet(write):
    return openpyxl.load_workbook(write())["失败待改"]


def _table(sheet):
    header, *rows = ([cell.value for cell in row] for row in sheet.iter_rows())
    return header, [dict(zip(header, row, strict=True)) for row in rows]


def test_the_rosters_columns_come_first(sheet):
    header, _ = _table(sheet)

    assert header[:8] == ["序号", "姓名", "证件类型", "身份证号码", "手机号", "工号", "科室", "职称"]
    assert header[8:] == ["图片", "导入状态", "原因", "处理办法", "来源", "row_id", "check"]


def test_it_holds_the_rows_to_correct_and_no_redundant_copy(sheet):
    _, rows = _table(sheet)

    assert [row["导入状态"] for row in rows] == ["待改"] * 6 + ["失败"] * 2 + ["未提交"]
    assert "鲁海燕" not in [row["姓名"] for row in rows], "the equal copy of a row that is sent"


def test_two_rows_of_a_person_that_differ_are_to_be_corrected(write, make, scene):
    twice = build_problem("ROW_DUPLICATE", Field.MOBILE, "E4", other="a.xlsx 医师 9", differs="mobile")
    scene.outcomes = [make.outcome(make.doctor(1, problems=(twice,)), Status.REJECTED)]

    book = openpyxl.load_workbook(write(scene.build_run_report()))

    assert book["失败待改"]["E2"].fill.fgColor.rgb == YELLOW
    assert "手机号" in book["失败待改"]["K2"].value
    assert "1 行需要处理" in book["汇总"]["B3"].value


def test_every_cell_is_text_and_every_column_stays_text(sheet):
    cells = [cell for row in sheet.iter_rows() for cell in row]

    assert {cell.data_type for cell in cells if cell.value is not None} == {"s"}
    assert {cell.number_format for cell in cells} == {"@"}
    assert {sheet.column_dimensions[cell.column_letter].number_format for cell in sheet[1]} == {"@"}


def test_only_the_cells_at_fault_are_yellow_and_each_has_a_note(sheet):
    yellow = {
        cell.coordinate
        for row in sheet.iter_rows(min_row=2)
        for cell in row
        if cell.fill.fgColor.rgb == YELLOW
    }
    noted = {cell.coordinate for row in sheet.iter_rows() for cell in row if cell.comment}

    assert yellow == {"D2", "D3", "E3", "I4", "B5", "C6", "I7", "B8", "D8", "I9"}
    assert noted == yellow
    assert sheet["D3"].comment.text.startswith("D3 的证件号码校验不符"), "it names the cell of this sheet"
    assert "1381000123" in sheet["E3"].comment.text


def test_a_damaged_number_is_left_empty_for_as_text_it_could_pass(write, make, scene):
    """440301198001010000 as text may have a right check digit, and nobody would see that it is wrong."""
    damaged = build_problem("ID_PRECISION_LOST", Field.NUMBER, "D4")
    doctor = make.doctor(
        1, texts={"D": make.number(1)}, kinds={"D": CellKind.NUMBER}, problems=(damaged,), usable=False
    )
    scene.outcomes = [make.outcome(doctor, Status.REJECTED)]

    sheet = openpyxl.load_workbook(write(scene.build_run_report()))["失败待改"]

    assert sheet["D2"].value is None
    assert sheet["D2"].number_format == "@"
    assert make.number(1) in sheet["D2"].comment.text


def test_the_last_two_columns_are_hidden_and_hold_the_row_token(sheet, hospital, make):
    header, rows = _table(sheet)
    hidden = [
        header[index - 1]
        for column in sheet.column_dimensions.values()
        if column.hidden
        for index in range(column.min, column.max + 1)
    ]

    assert header[-2:] == ["row_id", "check"]
    assert hidden == ["row_id", "check"]
    by_name = {outcome.doctor.name: outcome.doctor.row_id for outcome in hospital.outcomes}
    assert all(row["row_id"] == by_name[row["姓名"]] for row in rows)
    assert all(row["check"] == make.check(row["row_id"]) for row in rows)


def test_the_card_type_is_chosen_from_a_list(sheet):
    choice = next(
        validation for validation in sheet.data_validations.dataValidation if validation.type == "list"
    )

    assert str(choice.sqref) == "C2:C10"
    assert choice.formula1 == '"居民身份证,港澳居民来往内地通行证,港澳台居民居住证"'
    assert choice.errorStyle == "warning", "other words that intake knows stay allowed"


def test_lengths_are_checked_with_a_warning(sheet):
    checks = {str(validation.sqref): validation for validation in sheet.data_validations.dataValidation}

    number, mobile = checks["D2:D10"], checks["E2:E10"]
    assert number.formula1 == 'OR(LEN(SUBSTITUTE(D2," ",""))=18,LEN(SUBSTITUTE(D2," ",""))=11)'
    assert mobile.formula1 == 'LEN(SUBSTITUTE(E2," ",""))=11'
    assert {number.errorStyle, mobile.errorStyle} == {"warning"}
    assert number.allowBlank, "an empty cell is told of by its note"


def test_each_form_of_roster_has_a_sheet_of_its_own(write, make, scene):
    def csv_row(row, picture):
        return make.doctor(
            row, columns=CSV_COLUMNS, texts={"A": "王明", "B": make.number(row), "C": picture},
            path=Path("inbox/b.csv"), sheet=None, row=row,
        )  # fmt: skip

    scene.outcomes = [
        make.outcome(make.doctor(1), Status.NOT_SENT),
        make.outcome(csv_row(2, "王明.png"), Status.FAILED, code="FailedOperation", message="x"),
        make.outcome(make.doctor(3, path=Path("inbox/c.xlsx")), Status.NOT_SENT),
    ]

    book = openpyxl.load_workbook(write(scene.build_run_report()))

    assert book.sheetnames[2:4] == ["失败待改", "失败待改 2"]
    first, second = book["失败待改"], book["失败待改 2"]
    assert [cell.value for cell in first[1]][:3] == ["姓名", "身份证号码", "印章图片"]
    assert [cell.value for cell in first[1]][3] == "导入状态", "it has a picture column already"
    assert first["C2"].value == "王明.png"
    assert second.max_row == 3, "two files of one form share a sheet"


def test_sheets_of_one_name_or_of_none_that_excel_allows_stay_apart(write, make, scene):
    """An .ods knows sheets that Excel does not: too long, with brackets, apart by their case alone."""
    names = ("Ward A", "ward a", "内科[一]/二:三?", "科" * 40, "科" * 40 + "二")
    scene.outcomes = [
        make.outcome(
            make.doctor(index, sheet=sheet, columns=(*CSV_COLUMNS, ("D", f"备注{index}", None)),
                        texts={"A": f"甲{'一二三四五'[index]}", "B": make.number(index), "D": sheet}),
            Status.NOT_SENT,
        )
        for index, sheet in enumerate(names)
    ]  # fmt: skip
    path = write(scene.build_run_report())

    book = openpyxl.load_workbook(path)
    assert book.sheetnames[2:7] == ["失败待改", *(f"失败待改 {n}" for n in range(2, 6))]
    for number, sheet in enumerate(names, start=2):
        title = "失败待改" if number == 2 else f"失败待改 {number - 1}"
        assert (book[title]["D2"].value, book[title]["H2"].value.split(" · ")[1]) == (sheet, sheet)
    rows, (report,) = read_rosters([path], to_fix_only=True)
    assert report.status == "read"
    assert [row.row_token for row in rows] == [outcome.doctor.row_id for outcome in scene.outcomes]


def test_rows_beyond_the_titles_do_not_make_a_new_sheet(write, make, scene):
    wide = (*CSV_COLUMNS, ("D", "", None))
    scene.outcomes = [
        make.outcome(make.doctor(1, columns=CSV_COLUMNS, texts={"A": "甲", "B": "1"}), Status.NOT_SENT),
        make.outcome(
            make.doctor(2, columns=wide, texts={"A": "乙", "B": "2", "C": "", "D": "备注"}), Status.NOT_SENT
        ),
    ]

    book = openpyxl.load_workbook(write(scene.build_run_report()))

    assert "失败待改 2" not in book.sheetnames
    assert [cell.value for cell in book["失败待改"][3]][:4] == ["乙", "2", None, "备注"]


def test_a_row_refused_again_keeps_its_token_and_gains_no_columns(write, make, scene):
    ours = [
        ("I", "图片", Field.PICTURE),
        ("J", "导入状态", None),
        ("K", "原因", None),
        ("L", "处理办法", None),
    ]
    columns = (
        *(("ABCDEFGH"[n], *rest) for n, (_, *rest) in enumerate(_columns_of(make))),
        *ours,
        ("M", "来源", None),
    )
    doctor = make.doctor(5, columns=columns, row_token="the-first-row-id")
    scene.outcomes = [make.outcome(doctor, Status.NOT_SENT)]

    header, (row,) = _table(
        openpyxl.load_workbook(write(scene.build_run_report(command="retry")))["失败待改"]
    )

    assert header == [
        "序号", "姓名", "证件类型", "身份证号码", "手机号", "工号", "科室", "职称", "图片",
        "导入状态", "原因", "处理办法", "来源", "row_id", "check",
    ]  # fmt: skip
    assert row["row_id"] == "the-first-row-id"


def _columns_of(make):
    return [(cell.column, cell.header, _field_of(make, cell)) for cell in make.doctor(1).row.cells]


def _field_of(make, cell):
    return next((name for name, own in make.doctor(1).row.fields.items() if own.column == cell.column), None)


def test_without_row_ids_the_sheet_is_for_looking_only(write, make, scene):
    scene.outcomes = [make.outcome(replace(make.doctor(1), row_id=None), Status.NOT_SENT)]

    _, (row,) = _table(openpyxl.load_workbook(write(scene.build_run_report(command="check")))["失败待改"])

    assert (row["row_id"], row["check"]) == (None, None)


def _read_back(path):
    rows, (report,) = read_rosters([path], to_fix_only=True)
    assert (report.status, report.codes) == ("read", ())
    return {row.fields[Field.NAME].display_text: row for row in rows}


def _is_whole(rows, hospital):
    sent = {outcome.doctor.name: outcome.doctor for outcome in hospital.outcomes}
    assert list(rows) == [
        "奚梦瑶",
        "范志刚",
        "彭丽丽",
        "张*三",
        "韦春生",
        "昌盛",
        "马丽娜",
        "苗青青",
        "俞敏之",
    ]
    for name, row in rows.items():
        doctor = sent[name]
        assert row.row_token == doctor.row_id
        if name != "奚梦瑶":
            assert row.fields[Field.NUMBER].display_text == doctor.row.fields[Field.NUMBER].display_text
            assert row.fields[Field.NUMBER].kind is CellKind.TEXT
        assert row.fields[Field.MOBILE].display_text == doctor.row.fields[Field.MOBILE].display_text
        assert row.fields[Field.PICTURE].display_text == (doctor.picture.path.name if doctor.picture else "")
    assert rows["奚梦瑶"].fields[Field.NUMBER].kind is CellKind.EMPTY


@pytest.mark.parametrize("language", ["zh", "en"])
def test_intake_reads_the_sheet_back_whole(write, hospital, language):
    _is_whole(_read_back(write(language=language)), hospital)


def test_intake_reads_a_workbook_with_nothing_to_correct(write, make, scene):
    scene.outcomes = [make.outcome(make.doctor(1), Status.SEALED)]

    assert _read_back(write(scene.build_run_report())) == {}


@pytest.mark.office
def test_libreoffice_saves_the_sheet_without_damage(write, hospital, tmp_path, office_profile):
    saved = convert(write(), "xlsx:Calc MS Excel 2007 XML", tmp_path / "saved", office_profile)

    _is_whole(_read_back(saved), hospital)


HOSTILE = (
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "+1",
    "-1",
    "a\x00b\x07",
    "x\ud800y",
    "长" * 40_000,
    "<r>1</r>",
    "_x0041_",
)


@pytest.mark.parametrize("form", ["", *CONVERTED])
@pytest.mark.office
def test_hostile_texts_are_text_when_they_come_back(write, make, scene, tmp_path, office_profile, form):
    scene.outcomes = [
        make.outcome(make.doctor(index, texts={"G": text, "H": text}), Status.NOT_SENT)
        for index, text in enumerate(HOSTILE)
    ]
    path = write(scene.build_run_report())
    if form:
        path = convert(path, f"{form}:{CONVERTED[form]}", tmp_path / "saved", office_profile)

    rows, (report,) = read_rosters([path], to_fix_only=True)

    assert report.status == "read"
    assert [row.row_token for row in rows] == [outcome.doctor.row_id for outcome in scene.outcomes]
    for row, text in zip(rows, HOSTILE, strict=True):
        cell = row.fields[Field.DEPARTMENT]
        assert cell.kind is CellKind.TEXT
        readable = text.replace("\x00", "\ufffd").replace("\x07", "\ufffd").replace("\ud800", "\ufffd")
        assert cell.display_text[:30_000].rstrip() == readable[:30_000]


def test_a_picture_in_a_cell_is_named_by_its_address(write, make, scene):
    picture = ImageFile.from_path(Path("inbox/a.xlsx/医师!J3"), "9" * 64, 60_000, Path("work/9"))
    doctor = make.doctor(1)
    row = replace(doctor.row, pictures=(EmbeddedImage("J", 3, picture, floating=True),))
    scene.outcomes = [
        make.outcome(replace(doctor, row=row, picture=picture, evidence="cell"), Status.NOT_SENT)
    ]

    _, (line,) = _table(openpyxl.load_workbook(write(scene.build_run_report()))["失败待改"])

    assert line["图片"] == "▣ J3 单元格里的图片"


def test_a_picture_in_the_rosters_own_picture_column_is_named_there(write, make, scene):
    picture = ImageFile.from_path(Path("inbox/a.xlsx/医师!C3"), "9" * 64, 60_000, Path("work/9"))
    doctor = make.doctor(1, columns=CSV_COLUMNS, texts={"A": "甲", "B": "1", "C": ""})
    row = replace(doctor.row, pictures=(EmbeddedImage("C", 3, picture),))
    scene.outcomes = [
        make.outcome(replace(doctor, row=row, picture=picture, evidence="cell"), Status.NOT_SENT)
    ]

    header, (line,) = _table(openpyxl.load_workbook(write(scene.build_run_report()))["失败待改"])

    assert "图片" not in header
    assert line["印章图片"] == "▣ C3 单元格里的图片"


@pytest.mark.parametrize(
    ("code", "message", "yellow"),
    [
        ("InvalidParameter.CardNumber", "证件号码不正确", {"D2"}),
        ("FailedOperation.UserInfoNoMatch", "", {"B2", "D2"}),
        ("InvalidParameter.Mobile", "", {"E2"}),
        ("InvalidParameter.LimitSealName", "", {"J2"}),
        ("FailedOperation", "印章图片不清晰", {"I2"}),
        ("FailedOperation", "请核对后重试", {"B2", "D2"}),
    ],
)
def test_a_refused_rows_yellow_cells_are_those_the_refusal_is_about(
    write, make, scene, code, message, yellow
):
    scene.outcomes = [make.outcome(make.doctor(1), Status.FAILED, code=code, message=message)]

    sheet = openpyxl.load_workbook(write(scene.build_run_report()))["失败待改"]

    marked = [cell for cell in sheet[2] if cell.fill.fgColor.rgb == YELLOW]
    assert {cell.coordinate for cell in marked} == yellow
    shown = {cell.value: sheet.cell(2, cell.column).value for cell in sheet[1]}
    assert all(
        shown["原因"] in cell.comment.text and shown["处理办法"] in cell.comment.text for cell in marked
    )


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_mobile_that_is_asked_for_gets_a_column_to_be_written_into(write, make, scene, language):
    missing = build_problem("MOBILE_MISSING", Field.MOBILE, severity="error")
    doctor = make.doctor(1, columns=CSV_COLUMNS, texts={"A": "甲", "B": "1"}, problems=(missing,))
    scene.outcomes = [make.outcome(doctor, Status.REJECTED)]
    path = write(scene.build_run_report(), language=language)

    book = openpyxl.load_workbook(path)
    assert book[book.sheetnames[2]]["D2"].fill.fgColor.rgb == YELLOW
    ((row,), _) = read_rosters([path], to_fix_only=True)
    assert row.fields[Field.MOBILE].column == "D"
