"""How a roster's columns were read is shown, and a misspelt title is noticed."""

import json

import openpyxl
import pytest
from people import name, number
from run_support import draw_seal

import pipeline
from pipeline.cli.app import main

HEADERS = ("姓名", "身份证号", "手机号吗", "医师工牌号", "备注")


def row(serial):
    return name(serial), number(serial), f"154{serial:08d}", f"{serial:05d}", "新"


@pytest.fixture
def misspelt(hospital):
    hospital.roster([row(1)], headers=HEADERS)
    draw_seal(hospital.folder / "seals" / f"{name(1)}.png", 1)
    return hospital


def columns(hospital):
    (line,) = (
        json.loads(entry) for entry in (hospital.runs[-1] / "files.jsonl").read_text("utf-8").splitlines()
    )
    return [
        (column["column"], column["title"], column["field"], column["nearest"])
        for column in line["sheets"][0]["columns"]
    ]


def test_the_columns_are_shown_and_a_misspelt_one_is_not_used(misspelt, capsys):
    assert misspelt.go("check") == 0
    stderr_text = capsys.readouterr().err
    assert "name (姓名), identity number (身份证号)" in stderr_text
    assert (
        "not used: C 手机号吗 (did you mean 手机号码?), D 医师工牌号 (did you mean 医师工号?), E 备注"
        in stderr_text
    )
    assert columns(misspelt) == [
        ("A", "姓名", "name", None),
        ("B", "身份证号", "id_card_number", None),
        ("C", "手机号吗", None, "手机号码"),
        ("D", "医师工牌号", None, "医师工号"),
        ("E", "备注", None, None),
    ]
    summary = openpyxl.load_workbook(misspelt.runs[-1] / "results.xlsx").worksheets[0]
    shown = [str(cell.value) for line in summary.iter_rows() for cell in line if cell.value]
    assert any("手机号吗 (did you mean 手机号码?)" in text for text in shown)
    assert misspelt.go("run") == 0
    printed = capsys.readouterr().err
    assert (
        "columns that are not used: C 手机号吗 (did you mean 手机号码?), D 医师工牌号 (did you mean 医师工号?);"
        in printed
    )
    assert [seal.mobile for seal in misspelt.service.seals] == [None]
    assert printed.rstrip().endswith(" check"), "the titles are to be corrected before another run"


def test_a_title_that_the_configuration_names_is_used(misspelt):
    with (misspelt.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("columns: {手机号吗: mobile}\n")
    assert misspelt.go("run") == 0
    assert [seal.mobile for seal in misspelt.service.seals] == ["15400000001"]


def test_a_roster_without_a_usable_header_is_reported_what_is_there(hospital, capsys):
    hospital.roster([row(1)], headers=("姓名", "身份证好", "手机号", "工号", "科室"), file="a.xlsx")
    hospital.roster([row(2)], headers=row(1), file="b.xlsx")
    hospital.roster([], headers=("姓名", "身份证号"), file="c.xlsx")
    assert hospital.go("check") == 7
    stderr_text = capsys.readouterr().err
    assert "did you mean B1 身份证好 → 身份证号?" in stderr_text
    assert f"row 1 already contains data ({name(1)[0]}** | 1*** |" in stderr_text
    assert number(1)[:6] not in stderr_text
    assert "No doctors in c.xlsx." in stderr_text


def test_files_of_a_star_that_are_no_rosters_are_named_together(hospital, capsys):
    hospital.doctors(1)
    (hospital.folder / "notes.yaml").write_text("a: 1\n")
    named = ["notes.yaml", "config.yaml", "inbox/roster.xlsx"]
    assert hospital.go("check", *(str(hospital.folder / file) for file in named)) == 7
    assert "Not rosters: notes.yaml, config.yaml." in capsys.readouterr().err
    assert hospital.go("check", str(hospital.folder / "config.yaml")) == 7
    assert "Not rosters: config.yaml." in capsys.readouterr().err


def test_titles_of_a_roster_decide_on_no_language(hospital, monkeypatch, capsys):
    for variable in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    hospital.roster([row(1)[:2]], headers=("姓名", "身份证号"))
    draw_seal(hospital.folder / "seals" / f"{name(1)}.png", 1)
    assert main(["--config", str(hospital.folder / "config.yaml"), "run"]) == 0
    assert "Results: " in capsys.readouterr().err
    workbook = hospital.folder / "out" / "latest" / "results.xlsx"
    assert openpyxl.load_workbook(workbook).sheetnames[0] == "Summary"
    files = pipeline.check(hospital.folder / "config.yaml").files
    assert openpyxl.load_workbook(files["results.xlsx"]).sheetnames[0] == "Summary"


def test_of_two_department_columns_the_first_is_used_and_the_results_name_both(hospital):
    headers = ("中文名", "身份证号", "所属部门", "联系电话", "部门名称")
    hospital.roster([(name(1), number(1), "内科", "13800138001", "外科")], headers=headers)
    for serial, department in ((1, "内科"), (2, "外科")):
        folder = hospital.folder / "seals" / department
        folder.mkdir(parents=True)
        draw_seal(folder / f"{name(1)}.png", serial)
    assert hospital.go("run") == 0
    assert [seal.name for seal in hospital.service.seals] == [name(1)]
    (outcome,) = hospital.outcomes()
    assert outcome["picture"]["path"].endswith(f"seals/内科/{name(1)}.png")
    (line,) = (hospital.runs[-1] / "files.jsonl").read_text("utf-8").splitlines()
    note = "several columns mean the same (department): C 所属部门 is used, E 部门名称 is not"
    assert f"sheet Sheet: {note}" in json.loads(line)["notes"]
    summary = openpyxl.load_workbook(hospital.runs[-1] / "results.xlsx").worksheets[0]
    assert any(note in str(cell.value) for row in summary.iter_rows() for cell in row)
    assert hospital.go("check", "--lang", "zh") == 0
    (line,) = (hospital.runs[-1] / "files.jsonl").read_text("utf-8").splitlines()
    assert "有几列都是“科室”：使用 C 所属部门，没有使用 E 部门名称" in line
