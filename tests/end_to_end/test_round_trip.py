"""The round trip: what the clerk corrects in a results workbook is what is sent, by `retry` or from the roster folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import openpyxl
import pytest
from desktop import convert
from office_support import FILTERS, edit
from openpyxl.drawing.image import Image as Drawing
from people import name, number
from result_sheet import ResultSheet, save_corrected
from run_support import draw_seal

from pipeline.cli.app import main

MOBILE = "15400000001"
FORMS = {suffix: f"{suffix}:{program}" for suffix, program in FILTERS.items()}


@pytest.fixture(scope="module")
def office_profile(tmp_path_factory):
    """A LibreOffice whose first start, the slow one, is over for all tests of a worker."""
    return tmp_path_factory.mktemp("office")


@pytest.fixture
def ward(hospital):
    """Four doctors: the first is well, two lack a digit of their number or mobile, the fourth was mistyped as a name."""
    hospital.doctors(4)
    hospital.roster(
        [
            (name(1), number(1), MOBILE, "00001", "内科"),
            (name(2), number(2), "154000", "00002", "内科"),
            (name(3), number(3)[:17], None, "00003", "外科"),
            (f"{name(4)}1", number(4), None, "00004", "外科"),
        ]
    )
    assert hospital.run_to_end("run") == (3, {"sealed": 1, "rejected": 3})
    return hospital


RIGHT = {"00002": {"手机号": MOBILE[:-1] + "2"}, "00003": {"证件号码": number(3)}, "00004": {"姓名": name(4)}}


def latest(hospital) -> Path:
    return hospital.newest / "results.xlsx"


def columns_ordered(sheet, order) -> None:
    """Put the columns of a sheet into another order, and leave out those that are not named."""
    heads = [cell.value for cell in sheet[1]]
    texts = [[row[heads.index(head)].value for head in order] for row in sheet.iter_rows(values_only=False)]
    for row in sheet.iter_rows():
        for cell in row:
            cell.value = None
            cell.comment = None
    for number_, line in enumerate(texts, 1):
        for column, text in enumerate(line, 1):
            sheet.cell(number_, column).value = text


def by_staff_no(hospital, file="outcomes.jsonl") -> dict[str, dict]:
    return {line["staff_no"]: line for line in hospital.outcomes(file)}


def files(hospital) -> dict[str, dict]:
    text = (hospital.newest / "files.jsonl").read_text("utf-8")
    return {line["file"]: line for line in map(json.loads, text.splitlines())}


def drop_in(hospital, workbook: Path, called="改好.xlsx") -> None:
    shutil.copyfile(workbook, hospital.folder / "inbox" / called)


@pytest.mark.office
def test_retry_sends_exactly_the_corrected_rows_of_what_libreoffice_saved(ward, tmp_path, office_profile):
    """Saved as .xls; the test after this one does it for every form, inside LibreOffice."""
    right = {who: RIGHT[who] for who in ("00002", "00003")}
    workbook = save_corrected(latest(ward), tmp_path / "edited" / "results.xlsx", right, drop=["00004"])
    saved = convert(workbook, FORMS["xls"], tmp_path / "saved", office_profile)
    assert ward.run_to_end("retry", str(saved)) == (0, {"sealed": 2})
    assert {seal.name for seal in ward.service.seals} == {name(1), name(2), name(3)}
    assert ward.creates() == 3


@pytest.mark.office
def test_what_a_clerk_does_in_libreoffice_itself_comes_back_from_every_form(ward, tmp_path, office_profile):
    """One cell is typed, two columns are deleted, one is moved to the front, the rows are turned round."""
    statements = f"""
s = d.Sheets.getByName("To fix")
For r = 1 To 3
  If s.getCellByPosition(3, r).String = "00002" Then s.getCellByPosition(2, r).String = "{RIGHT["00002"]["手机号"]}"
  If s.getCellByPosition(3, r).String = "00003" Then s.getCellByPosition(1, r).String = "{number(3)}"
  If s.getCellByPosition(3, r).String = "00004" Then s.getCellByPosition(0, r).String = "{name(4)}"
Next r
Dim f(0) As New com.sun.star.table.TableSortField
f(0).Field = 3: f(0).IsAscending = False
Dim o(1) As New com.sun.star.beans.PropertyValue
o(0).Name = "SortFields": o(0).Value = f()
o(1).Name = "ContainsHeader": o(1).Value = True
s.getCellRangeByName("A1:M4").sort(o())
s.Columns.removeByIndex(4, 1)
s.Columns.insertByIndex(0, 1)
s.moveRange(s.getCellRangeByName("A1").CellAddress, s.getCellRangeByName("C1:C4").RangeAddress)
s.Name = "Sheet9"
"""
    targets = [tmp_path / f"edited.{suffix}" for suffix in FILTERS]
    edit(latest(ward), statements, targets, office_profile)
    for target in targets:
        assert ward.go("retry", str(target)) == 0, target
        expected = {"sealed": 3} if target == targets[0] else {"unchanged": 3}
        assert ward.statuses() == expected, target
    assert ward.creates() == 4


def test_columns_may_be_moved_and_deleted_and_what_is_gone_is_as_the_roster_has_it(ward, tmp_path):
    def alter(sheet):
        columns_ordered(sheet, ["check", "手机号", "row_id", "Reason", "证件号码", "姓名", "工号"])

    heads = ("姓名", "证件号码", "手机号", "工号", "科室", "印章名称")
    ward.roster([(name(9), number(9), "154000", "00009", "内科", "九号章")], headers=heads, file="b.xlsx")
    draw_seal(ward.folder / "seals" / "00009.png", 9)
    assert ward.go("run", str(ward.folder / "inbox" / "b.xlsx")) == 3
    workbook = save_corrected(
        latest(ward), tmp_path / "e" / "r.xlsx", {"00009": {"手机号": MOBILE}}, alter=alter
    )
    assert ward.go("retry", str(workbook)) == 0
    assert [seal.seal_name for seal in ward.service.seals if seal.name == name(9)] == ["九号章"]


def test_a_line_that_was_emptied_is_left_alone_like_a_deleted_one(ward, tmp_path):
    def alter(sheet):
        for cell in sheet[4][:8]:
            cell.value = None

    workbook = save_corrected(latest(ward), tmp_path / "e" / "results.xlsx", RIGHT, alter=alter)
    drop_in(ward, workbook)
    assert ward.run_to_end("retry", str(workbook)) == (0, {"sealed": 2})
    assert ward.go("run") == 3
    assert by_staff_no(ward)["00004"]["codes"][0] == "NAME_INVALID"


def test_rows_sorted_with_their_tickets_stay_theirs(ward, tmp_path):
    def turn(sheet):
        lines = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
        for row, line in zip(sheet.iter_rows(min_row=2), reversed(lines), strict=True):
            for cell, text in zip(row, line, strict=True):
                cell.value = text

    def more(sheet):
        turn(sheet)
        sheet.title = "改好了"
        sheet.parent.create_sheet("备注").append(["姓名", "证件号码", "说明"])

    workbook = save_corrected(latest(ward), tmp_path / "e" / "r.xlsx", RIGHT, alter=more)
    assert ward.run_to_end("retry", str(workbook)) == (0, {"sealed": 3})


def shifted(sheet) -> None:
    """Sort what is in sight and leave the hidden columns where they are."""
    lines = [[cell.value for cell in row[:-2]] for row in sheet.iter_rows(min_row=2)]
    for row, line in zip(sheet.iter_rows(min_row=2), [*lines[1:], lines[0]], strict=True):
        for cell, text in zip(row, line, strict=False):
            cell.value = text


@pytest.mark.parametrize("way", ["retry", "folder"])
def test_a_sheet_that_was_sorted_without_its_hidden_columns_is_refused(ward, tmp_path, way):
    workbook = save_corrected(latest(ward), tmp_path / "e" / "r.xlsx", RIGHT, alter=shifted)
    if way == "folder":
        drop_in(ward, workbook)
        assert ward.run_to_end("run") == (7, {"unchanged": 1, "rejected": 3})
        assert files(ward)["改好.xlsx"]["codes"] == ["FILE_SUSPICIOUS"]
    else:
        assert ward.run_to_end("retry", str(workbook)) == (7, {})
    assert ward.creates() == 1


def test_a_line_that_was_copied_is_named_and_the_same_retry_comes_next(ward, tmp_path, capsys):
    def alter(sheet):
        sheet.append([cell.value for cell in sheet[2]])

    workbook = save_corrected(latest(ward), tmp_path / "e" / "r.xlsx", {}, alter=alter)
    capsys.readouterr()
    assert ward.go("retry", str(workbook)) == 7
    stderr_text = capsys.readouterr().err
    assert f" retry {workbook}\n" in stderr_text
    assert "then run again" in stderr_text
    assert not any(line.endswith(" run") for line in stderr_text.splitlines())
    (note,) = files(ward)["r.xlsx"]["notes"]
    assert note.startswith("Rows 2 and 5 of “To fix” have the same hidden mark")


def test_after_a_retry_rows_are_still_named_by_their_place_in_the_roster(ward, tmp_path):
    """Two lines get one mobile, the third stays wrong: neither of them is told as a row of the workbook."""
    right = {"00002": {"手机号": "15400000009"}, "00003": {"证件号码": number(3), "手机号": "15400000009"}}
    workbook = save_corrected(latest(ward), tmp_path / "e" / "r.xlsx", right)
    assert ward.go("retry", str(workbook)) == 3
    assert ResultSheet(latest(ward)).read_column("From") == ["roster.xlsx · Sheet · row 5"]
    messages = [problem["message"] for line in ward.outcomes() for problem in line["problems"]]
    assert {message for message in messages if "roster.xlsx Sheet row 3" in message}
    assert {message for message in messages if "roster.xlsx Sheet row 4" in message}
    assert not any("r.xlsx To fix" in message for message in messages)


def test_namesakes_whose_lines_changed_places_are_noticed(hospital, tmp_path):
    """Each kept its name, so only the number tells, and a picture in a cell would go to the other."""
    hospital.roster(
        [("张伟", number(serial), "154", f"0000{serial}", "") for serial in (1, 2)]
        + [("王芳", "", None, "3", "")]
    )
    assert hospital.go("run") == 3
    workbook = save_corrected(latest(hospital), tmp_path / "e" / "r.xlsx", {}, alter=shifted)
    assert hospital.go("retry", str(workbook)) == 7


def test_a_row_that_becomes_the_copy_of_a_good_one_is_no_mischief(ward, tmp_path):
    """A doctor stands on two lines, one mistyped; corrected, they are equal."""
    rows = [(name(1), number(1), MOBILE, "00001", "内科"), (name(1), number(1)[:17], MOBILE, "00001", "外科")]
    ward.roster(rows)
    assert ward.go("run") == 3
    fix = ResultSheet(latest(ward))
    fix.write(2, "证件号码", number(1))
    workbook = fix.save(tmp_path / "e" / "r.xlsx")
    assert ward.run_to_end("retry", str(workbook)) == (0, {"unchanged": 1})


@pytest.mark.parametrize("form", ["xlsx", "xls"])
@pytest.mark.office
def test_a_workbook_in_the_roster_folder_replaces_the_rows_it_corrects_in_this_and_later_runs(
    ward, tmp_path, office_profile, form
):
    right = {who: RIGHT[who] for who in ("00002", "00003")}
    workbook = save_corrected(latest(ward), tmp_path / "e" / "results.xlsx", right, drop=["00004"])
    if form == "xls":
        workbook = convert(workbook, FORMS[form], tmp_path / "saved", office_profile)
    drop_in(ward, workbook, f"改好.{form}")
    assert ward.run_to_end("check") == (3, {"unchanged": 1, "ready": 2, "rejected": 1})
    assert ward.run_to_end("run") == (3, {"unchanged": 1, "sealed": 2, "rejected": 1})
    second, fourth = (by_staff_no(ward)[who] for who in ("00002", "00004"))
    assert (second["file"], second["row"], second["status"]) == ("roster.xlsx", 3, "sealed")
    assert second["codes"] == ["ROW_SUPERSEDED"]
    assert f"改好.{form} To fix row 2" in second["problems"][0]["message"]
    assert fourth["codes"][0] == "NAME_INVALID", "a deleted row is left alone"
    file_report = files(ward)[f"改好.{form}"]
    assert (file_report["status"], file_report["rows"]) == ("read", 0)
    assert "Roster rows replaced: 2." in file_report["notes"][0]
    before = len(ward.service.received)
    assert ward.run_to_end("run") == (3, {"unchanged": 3, "rejected": 1})
    assert len(ward.service.received) == before
    assert ward.run_to_end("retry") == (3, {"unchanged": 3, "rejected": 1})
    assert ward.go("report") == 0
    again = by_staff_no(ward)["00002"]
    assert (again["status"], again["file"], again["codes"]) == (
        "unchanged",
        "roster.xlsx",
        ["ROW_SUPERSEDED"],
    )
    assert files(ward)[f"改好.{form}"]["status"] == "read", "it is told in a rebuilt report, too"


def test_a_row_whose_roster_row_is_gone_or_corrected_is_left_alone(ward, tmp_path):
    wrong = {
        "00002": {"手机号": "15499999999"},
        "00003": {"证件号码": number(30)},
        "00004": {"姓名": name(4)},
    }
    drop_in(ward, save_corrected(latest(ward), tmp_path / "e" / "results.xlsx", wrong))
    ward.roster(
        [
            (name(1), number(1), MOBILE, "00001", "内科"),
            (name(2), number(2), MOBILE[:-1] + "2", "00002", "内科"),
            (f"{name(4)}1", number(4), None, "00004", "外科"),
        ]
    )
    assert ward.run_to_end("run") == (0, {"unchanged": 1, "sealed": 2})
    assert {who: line["codes"] for who, line in by_staff_no(ward).items()}["00002"] == []
    (note,) = files(ward)["改好.xlsx"]["notes"]
    assert "Roster rows replaced: 1." in note
    assert "has changed: To fix 2, To fix 3." in note


def test_rows_are_found_wherever_they_stand_in_the_roster_now(ward, tmp_path):
    drop_in(ward, save_corrected(latest(ward), tmp_path / "e" / "results.xlsx", RIGHT))
    path = ward.folder / "inbox" / "roster.xlsx"
    book = openpyxl.load_workbook(path)
    book.active.insert_rows(1, 3)
    book.active["A1"] = "2026年医师名单"
    book.active.move_range("A5:E5", rows=20)
    book.save(path)
    assert ward.run_to_end("run") == (0, {"unchanged": 1, "sealed": 3})


def test_a_damaged_workbook_in_the_roster_folder_is_refused_and_the_roster_goes_on(ward, tmp_path):
    def damage(sheet):
        sheet.cell(3, sheet.max_column).value = "00000000"

    drop_in(ward, save_corrected(latest(ward), tmp_path / "e" / "results.xlsx", RIGHT, alter=damage))
    ward.doctors(1, start=7, file="b.xlsx")
    assert ward.run_to_end("run") == (7, {"unchanged": 1, "sealed": 1, "rejected": 3})
    assert "hidden mark of row 3" in files(ward)["改好.xlsx"]["notes"][0]


def test_of_two_workbooks_the_newer_runs_counts(ward, tmp_path):
    wrong = {"00002": {"手机号": "15400000"}}
    drop_in(ward, save_corrected(latest(ward), tmp_path / "e" / "a.xlsx", wrong), "z.xlsx")
    assert ward.go("run") == 3
    drop_in(ward, save_corrected(latest(ward), tmp_path / "e" / "b.xlsx", RIGHT), "a.xlsx")
    assert ward.run_to_end("run") == (0, {"unchanged": 1, "sealed": 3})
    assert (
        "Not used, because a newer workbook has them: To fix 2, To fix 3, To fix 4."
        in files(ward)["z.xlsx"]["notes"][0]
    )


def test_of_two_copies_of_one_workbook_the_edited_one_counts_and_two_edits_stop_the_row(ward, tmp_path):
    drop_in(ward, latest(ward), "results.xlsx")
    drop_in(ward, save_corrected(latest(ward), tmp_path / "e" / "a.xlsx", RIGHT), "a.xlsx")
    other = {"00002": {"手机号": "15400000009"}}
    drop_in(ward, save_corrected(latest(ward), tmp_path / "e" / "b.xlsx", other), "b.xlsx")
    assert ward.run_to_end("run") == (3, {"unchanged": 1, "sealed": 2, "rejected": 1})
    (problem,) = [
        problem for problem in by_staff_no(ward)["00002"]["problems"] if problem["code"] == "ROW_DUPLICATE"
    ]
    assert "a.xlsx To fix row 2, b.xlsx To fix row 2" in problem["message"]
    assert "mobile" in problem["message"]


def test_without_a_config_a_workbook_in_the_folder_waits(ward, tmp_path, monkeypatch):
    drop_in(ward, save_corrected(latest(ward), tmp_path / "e" / "results.xlsx", RIGHT))
    monkeypatch.chdir(tmp_path / "e")
    out = tmp_path / "looked"
    main(["--lang", "en", "check", str(ward.folder / "inbox"), "--out", str(out)])
    lines = [json.loads(line) for line in (out / "files.jsonl").read_text("utf-8").splitlines()]
    assert {line["file"]: line["status"] for line in lines} == {
        "roster.xlsx": "read",
        "改好.xlsx": "deferred",
    }


def test_rows_that_another_run_has_sealed_meanwhile_are_unchanged(ward, tmp_path):
    workbook = save_corrected(latest(ward), tmp_path / "e" / "results.xlsx", RIGHT)
    ward.roster(
        [
            (name(2), number(2), RIGHT["00002"]["手机号"], "00002", "内科"),
            (name(3), number(3), None, "00003", "外科"),
            (name(4), number(4), None, "00004", "外科"),
        ]
    )
    assert ward.run_to_end("run") == (0, {"sealed": 3})
    assert ward.run_to_end("retry", str(workbook)) == (0, {"unchanged": 3})
    assert ward.creates() == 4


def pictured(
    hospital, rows, *, headers=("姓名", "证件号码", "手机号", "工号"), column="F", inserted=0
) -> None:
    """Write a roster whose seals float over a column beside the titles."""
    book = openpyxl.Workbook()
    sheet = book.active
    for _ in range(inserted):
        sheet.append([])
    sheet.append(headers)
    for row, line in enumerate(rows, 2 + inserted):
        sheet.append(line)
        path = hospital.folder / f"drawn{line[3]}.png"
        if not path.exists():
            draw_seal(path, int(line[3]))
        drawing = Drawing(str(path))
        drawing.width, drawing.height = 60, 16
        sheet.add_image(drawing, f"{column}{row}")
    (hospital.folder / "inbox").mkdir(exist_ok=True)
    book.save(hospital.folder / "inbox" / "roster.xlsx")


def seal_bytes(hospital, who: str) -> bytes:
    (seal,) = [seal for seal in hospital.service.seals if seal.name == who]
    return hospital.service.pictures[seal.picture]


CELLS = [(name(1), number(1), "154", "1"), (name(2), number(2), "154", "2")]


@pytest.mark.parametrize("way", ["retry", "folder"])
def test_a_picture_in_a_cell_is_named_and_found_again(hospital, tmp_path, way):
    pictured(hospital, CELLS)
    assert hospital.go("run") == 3
    assert ResultSheet(latest(hospital)).read(2, "Picture") == "▣ F2 the picture in the cell"
    right = {"1": {"手机号": MOBILE}, "2": {"手机号": MOBILE[:-1] + "2"}}
    workbook = save_corrected(latest(hospital), tmp_path / "e" / "results.xlsx", right)
    pictured(hospital, CELLS, inserted=4)
    if way == "folder":
        drop_in(hospital, workbook)
        assert hospital.go("run") == 0
    else:
        assert hospital.go("retry", str(workbook)) == 0
    for serial in (1, 2):
        drawn = (hospital.folder / f"drawn{serial}.png").read_bytes()
        assert seal_bytes(hospital, name(serial)) == drawn


@pytest.mark.parametrize("way", ["retry", "folder"])
def test_a_file_or_a_pasted_picture_takes_the_place_of_the_one_in_the_cell(hospital, tmp_path, way):
    pictured(hospital, CELLS)
    assert hospital.go("run") == 3
    draw_seal(hospital.folder / "seals" / "新章.png", 11)
    draw_seal(tmp_path / "pasted.png", 12)

    def paste(sheet):
        drawing = Drawing(str(tmp_path / "pasted.png"))
        drawing.width, drawing.height = 60, 12
        sheet.add_image(drawing, "E3")

    right = {
        "1": {"手机号": MOBILE, "Picture": "新章.png"},
        "2": {"手机号": MOBILE[:-1] + "2", "Picture": None},
    }
    workbook = save_corrected(latest(hospital), tmp_path / "e" / "results.xlsx", right, alter=paste)
    if way == "folder":
        drop_in(hospital, workbook)
        assert hospital.go("run") == 0
    else:
        assert hospital.go("retry", str(workbook)) == 0
    assert seal_bytes(hospital, name(1)) == (hospital.folder / "seals" / "新章.png").read_bytes()
    assert seal_bytes(hospital, name(2)) == (tmp_path / "pasted.png").read_bytes()


def test_a_pasted_picture_next_to_the_words_for_the_old_one_is_two_pictures(hospital, tmp_path):
    pictured(hospital, CELLS[:1])
    assert hospital.go("run") == 3
    draw_seal(tmp_path / "pasted.png", 12)

    def paste(sheet):
        drawing = Drawing(str(tmp_path / "pasted.png"))
        drawing.width, drawing.height = 60, 12
        sheet.add_image(drawing, "E2")

    workbook = save_corrected(
        latest(hospital), tmp_path / "e" / "results.xlsx", {"1": {"手机号": MOBILE}}, alter=paste
    )
    assert hospital.go("retry", str(workbook)) == 3
    (line,) = hospital.outcomes()
    assert "IMAGE_AMBIGUOUS" in line["codes"]
    assert hospital.creates() == 0


def test_a_picture_that_has_left_its_cell_is_missing_and_no_other_stands_in_for_it(hospital, tmp_path):
    pictured(hospital, CELLS[:1])
    assert hospital.go("run") == 3
    workbook = save_corrected(latest(hospital), tmp_path / "e" / "results.xlsx", {"1": {"手机号": MOBILE}})
    pictured(hospital, CELLS[:1], column="H")
    draw_seal(hospital.folder / "seals" / f"{name(1)}.png", 33)
    assert hospital.go("retry", str(workbook)) == 3
    (line,) = hospital.outcomes()
    assert "IMAGE_MISSING" in line["codes"]
    assert hospital.creates() == 0


def test_a_photo_next_to_the_seal_stays_a_photo_in_a_corrected_row(hospital, tmp_path):
    """The pictures that count are told by the roster's own titles."""
    pictured(hospital, CELLS[:1], headers=("姓名", "证件号码", "手机号", "工号", "免冠照"))
    path = hospital.folder / "inbox" / "roster.xlsx"
    book = openpyxl.load_workbook(path)
    draw_seal(tmp_path / "photo.png", 40)
    drawing = Drawing(str(tmp_path / "photo.png"))
    drawing.width, drawing.height = 50, 12
    book.active.add_image(drawing, "E2")
    book.save(path)
    assert hospital.go("run") == 3
    workbook = save_corrected(
        latest(hospital), tmp_path / "e" / "results.xlsx", {"1": {"手机号": MOBILE, "Picture": None}}
    )
    assert hospital.go("retry", str(workbook)) == 0
    assert seal_bytes(hospital, name(1)) == (hospital.folder / "drawn1.png").read_bytes()


def test_a_row_still_at_fault_comes_back_with_what_was_corrected(ward, tmp_path):
    half = {"00002": {"手机号": "1540000000", "科室": "内一科"}}
    drop_in(ward, save_corrected(latest(ward), tmp_path / "e" / "a.xlsx", half), "a.xlsx")
    assert ward.go("run") == 3
    book = openpyxl.load_workbook(latest(ward))
    assert [title for title in book.sheetnames if title.startswith("To fix")] == ["To fix"], "one layout"
    heads = [cell.value for cell in book["To fix"][1]]
    rows = {row[3]: dict(zip(heads, row, strict=True)) for row in book["To fix"].iter_rows(values_only=True)}
    assert (rows["00002"]["手机号"], rows["00002"]["科室"]) == ("1540000000", "内一科")
    assert rows["00002"]["From"] == "roster.xlsx · Sheet · row 3"
    drop_in(ward, save_corrected(latest(ward), tmp_path / "e" / "b.xlsx", RIGHT), "b.xlsx")
    assert ward.go("run") == 0
    assert by_staff_no(ward)["00002"]["status"] == "sealed"


@pytest.mark.office
def test_text_that_could_do_harm_comes_back_as_it_was(ward, tmp_path, office_profile):
    ward.roster(
        [
            (name(2), number(2), "154000", "00002", "@SUM(1+1)*cmd|' /C calc'!A0"),
            (name(3), number(3), "154000", "00003", "=cmd|' /C calc'!A0"),
            (name(5), number(5), "154000", "00005", "内" * 32_000),
        ]
    )
    draw_seal(ward.folder / "seals" / "00005.png", 5)
    assert ward.go("run") == 3
    workbook = latest(ward)
    book = openpyxl.load_workbook(workbook)
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
    right = {who: {"手机号": f"1540000{who}"[:11].ljust(11, "0")} for who in ("00002", "00003", "00005")}
    book = save_corrected(workbook, tmp_path / "e" / "results.xlsx", right)
    saved = convert(book, FORMS["xls"], tmp_path / "saved", office_profile)
    assert ward.run_to_end("retry", str(saved)) == (0, {"sealed": 3})
