"""Marked copies of rosters: what they hold, what comes of a corrected one in the roster folder, which rosters get none."""

import io
import json
import os
import re
import shutil
import stat
import zipfile

import openpyxl
import pytest
from end_to_end.conftest import HEADERS
from generated_rosters.corpus import corpus
from generated_rosters.stage import written
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.chart import BarChart
from openpyxl.comments import Comment
from openpyxl.drawing.image import Image as Drawing
from openpyxl.styles import PatternFill
from openpyxl.worksheet.datavalidation import DataValidation
from people import name, number

from pipeline.cli.app import main
from pipeline.domain.results_format import APPENDED_COLUMNS
from pipeline.intake.read_rosters import read_rosters
from pipeline.messages.areas import get_words
from pipeline.reports.styles import FAULT
from pipeline.workflow import marked_copies

MOBILE = "15400000001"
PLAIN = (
    "the marked copy is made anew as an .xlsx: it has the content of each cell, not the formats and formulas"
)
YELLOW = f"FF{FAULT[1:]}"


def titles(language="en"):
    return tuple(get_words(key)[language] for key in APPENDED_COLUMNS)


def get_copy(hospital, file="roster.xlsx"):
    return hospital.newest / "rosters" / file


def read_lines(path):
    sheet = openpyxl.load_workbook(path).active
    return [[cell.value for cell in line] for line in sheet.iter_rows()]


def list_yellow(path):
    """Return the yellow cells of the first sheet with their notes."""
    sheet = openpyxl.load_workbook(path).active
    cells = [cell for line in sheet.iter_rows() for cell in line]
    return {
        cell.coordinate: cell.comment and cell.comment.text
        for cell in cells
        if cell.fill.fgColor.rgb == YELLOW
    }


def list_notes(hospital):
    lines = (hospital.newest / "files.jsonl").read_text("utf-8").splitlines()
    return {line["file"]: line["notes"] for line in map(json.loads, lines)}


def correct(copy, target, **cells):
    """Save a copy with these cells corrected, as the clerk does."""
    book = openpyxl.load_workbook(copy)
    for address, text in cells.items():
        book.active[address].value = text
    book.save(target)


def write_ward(hospital):
    """Write three doctors: the second lacks a digit of the number."""
    hospital.doctors(3)
    roster = hospital.folder / "inbox" / "roster.xlsx"
    correct(roster, roster, B3=number(2)[:17])


@pytest.fixture
def ward(hospital, marked_copies_on):
    write_ward(hospital)
    return hospital


@pytest.fixture
def ward_after_run(scene):
    """The same after a run."""

    def play(hospital):
        hospital.marked_copies = True
        hospital.configure()
        write_ward(hospital)
        assert hospital.go("run") == 3

    return scene(play)


def test_a_copy_shows_what_became_of_each_row_and_which_cell_to_correct(ward, capfd):
    assert main(ward.command("run", language="zh")) == 3
    copy = get_copy(ward)

    (seal, wrong, other) = ward.outcomes()
    status, reason, seal_id = range(5, 8)
    lines = read_lines(copy)
    assert tuple(lines[0]) == (*HEADERS, *titles("zh"))
    assert [lines[1][seal_id], lines[3][seal_id]] == [seal["seal_id"], other["seal_id"]]
    assert lines[2][:5] == [name(2), number(2)[:17], "15400000002", "00002", "内科"]
    assert lines[2][status] == "待改"
    assert "B3" in lines[2][reason]
    assert lines[2][seal_id] is None
    sheet = openpyxl.load_workbook(copy).active
    assert sheet.cell(3, reason + 1).alignment.wrap_text, "it would run over the empty cell beside it"
    assert not sheet.cell(2, seal_id + 1).alignment.wrap_text, "a SealId stays on one line"
    assert (sheet.row_dimensions[2].height or 0) < 30 < sheet.row_dimensions[3].height
    (note,) = list_yellow(copy).values()
    assert list_yellow(copy) == {"B3": note}
    assert note == f"esign-import: {lines[2][reason]}"
    assert wrong["problems"][0]["code"] == "ID_LENGTH"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    assert ward.record()["files"][0]["copy"] == "rosters/roster.xlsx"
    latest = ward.folder / "out" / "latest" / "rosters" / "roster.xlsx"
    assert latest.read_bytes() == copy.read_bytes()
    # the roster's owner is told first, and which folder it is
    printed = capfd.readouterr().err
    assert printed.index(str(copy.parent)) < printed.index(" run\n")
    summary = openpyxl.load_workbook(ward.newest / "results.xlsx").worksheets[0]
    texts = [str(cell.value) for line in summary.iter_rows() for cell in line if cell.value]
    clerk = next(index for index, text in enumerate(texts) if str(copy.parent) in text)
    assert str(ward.folder / "inbox") in texts[clerk]
    assert clerk < next(index for index, text in enumerate(texts) if text.endswith(" run"))


def test_the_workbook_is_written_after_the_copies_to_which_it_leads_and_before_all_others(ward):
    ward.doctors(2, start=4, file="another.xlsx")

    assert ward.go("run") == 3

    written = [get_copy(ward), ward.newest / "results.xlsx", get_copy(ward, "another.xlsx")]
    times = [path.stat().st_mtime_ns for path in written]
    assert times == sorted(times)
    copies = [file["copy"] for file in ward.record()["files"]]
    assert copies == ["rosters/another.xlsx", "rosters/roster.xlsx"]


def test_a_corrected_copy_is_the_roster_of_the_next_run(ward):
    assert main(ward.command("run", language="zh")) == 3
    earlier = {line["row"]: line["row_id"] for line in ward.outcomes()}
    correct(get_copy(ward), ward.folder / "inbox" / "roster.xlsx", B3=number(2))

    assert main(ward.command("run", language="en")) == 0

    assert ward.statuses() == {"sealed": 1, "unchanged": 2}
    later = {line["row"]: line["row_id"] for line in ward.outcomes()}
    assert (later[2], later[4]) == (earlier[2], earlier[4])
    (file,) = map(json.loads, (ward.newest / "files.jsonl").read_text("utf-8").splitlines())
    assert file["notes"] == []
    assert [column["title"] for column in file["sheets"][0]["columns"]] == list(HEADERS)
    # marked again: the columns are used again, and the mark is off
    assert read_lines(get_copy(ward))[0] == [*HEADERS, *titles("en")]
    assert list_yellow(get_copy(ward)) == {}
    assert openpyxl.load_workbook(get_copy(ward)).active["B3"].comment is None
    shutil.copy(get_copy(ward), ward.folder / "inbox" / "roster.xlsx")
    assert main(ward.command("run", language="zh")) == 0
    assert read_lines(get_copy(ward))[0] == [*HEADERS, *titles("zh")]
    assert ward.creates() == 3


def test_a_corrected_copy_replaces_its_roster(ward_after_run, capsys):
    ward = ward_after_run
    inbox = ward.folder / "inbox"
    correct(get_copy(ward), inbox / "改好.xlsx", B3=number(2)[:16])  # still wrong

    assert ward.go("check") == 3

    assert [line["file"] for line in ward.outcomes("plan.jsonl")] == ["改好.xlsx"] * 3
    replaced = "replaced by its newer marked copy 改好.xlsx and not used; move this file out of the folder"
    assert list_notes(ward)["roster.xlsx"] == [replaced]
    assert f"Roster roster.xlsx: {replaced}" in capsys.readouterr().err
    # the copy of the copy, under another name again, takes the place of both
    correct(get_copy(ward, "改好.xlsx"), inbox / "改好 2.xlsx", B3=number(2))
    assert ward.go("run") == 0
    assert ward.statuses() == {"sealed": 1, "unchanged": 2}
    (inbox / "改好.xlsx").unlink()
    assert ward.go("run") == 0
    assert ward.creates() == 3
    # a roster that has changed since is another roster: both are read, and both files are named
    correct(inbox / "roster.xlsx", inbox / "roster.xlsx", C3="15400000009")
    os.utime(inbox / "改好 2.xlsx", (1_600_000_000, 1_600_000_000))
    capsys.readouterr()
    ward.go("check")
    printed = " ".join(capsys.readouterr().err.split())
    assert (
        "two versions: roster.xlsx and its marked copy 改好 2.xlsx; the newer one is roster.xlsx." in printed
    )
    assert "Compared with run" not in printed, "nobody is new"
    assert printed.endswith(" check")
    assert len(ward.outcomes("plan.jsonl")) == 6
    notes = list_notes(ward)
    assert any(
        note.startswith("has changed since its marked copy 改好 2.xlsx") for note in notes["roster.xlsx"]
    )
    assert any(
        note.startswith("a marked copy of roster.xlsx as it was earlier") for note in notes["改好 2.xlsx"]
    )


def save_rich_roster(path):
    """Save a roster with everything that a copy has to keep."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "内科"
    sheet.append(["某某医院医师名单"])
    sheet.merge_cells("A1:H1")
    sheet.append(["姓名", "证件号码", "手机号", "工号", "科室", "原因", "入职", "年龄"])
    for serial in range(1, 7):
        row = [name(serial), number(serial), f"154{serial:08d}", f"{serial:05d}", None, "返聘", None, None]
        sheet.append(row)
        sheet[f"G{serial + 2}"].value = 36526.123456789 + serial
        sheet[f"G{serial + 2}"].number_format = "yyyy-mm-dd hh:mm"
        sheet[f"H{serial + 2}"].value = f"=2026-{1960 + serial}"
    sheet["E3"].value = "内科"
    sheet.merge_cells("E3:E8")
    sheet["B4"].value = number(2)[:17]
    sheet["B4"].comment = Comment("请核对\n第二行", "王")
    for cell in sheet[4]:
        cell.fill = PatternFill("solid", fgColor="FFDDEEFF")
    sheet["B5"].value = 110101199003070732
    sheet["C5"].value = 0.1 + 0.2
    sheet["F3"].value = CellRichText("返", TextBlock(InlineFont(b=True), "聘"), " ")
    sheet.auto_filter.ref = "A2:H8"
    rule = DataValidation(type="list", formula1='"内科,外科"')
    sheet.add_data_validation(rule)
    rule.add("E3:E100")
    sheet.column_dimensions["G"].hidden = True
    sheet.column_dimensions["H"].min, sheet.column_dimensions["H"].max = 8, 16384
    sheet.row_dimensions[6].hidden = True
    sheet.freeze_panes = "B3"
    other = book.create_sheet("外科")
    other.append(("姓名", "证件号码"))
    other.append((name(7), number(7)))
    book.create_sheet("字典").append(("科室",))
    book["字典"].sheet_state = "hidden"
    book.save(path)
    # as Excel leaves it: formulas have values, numbers have the digits that another program wrote
    parts = {entry.filename: zipfile.ZipFile(path).read(entry) for entry in zipfile.ZipFile(path).infolist()}
    sheet_xml = parts["xl/worksheets/sheet1.xml"].decode()
    assert "<v></v>" in sheet_xml or "<v />" in sheet_xml
    sheet_xml = sheet_xml.replace("<v></v>", "<v>60</v>").replace("<v />", "<v>60</v>")
    sheet_xml = sheet_xml.replace(f"{110101199003070732:.16g}", "110101199003070732")
    sheet_xml = sheet_xml.replace("<v>0.3</v>", "<v>0.30000000000000004</v>")
    parts["xl/worksheets/sheet1.xml"] = sheet_xml.encode()
    with zipfile.ZipFile(path, "w") as package:
        for part, data in parts.items():
            package.writestr(part, data)


def test_a_copy_keeps_the_workbook_as_it_is(hospital, marked_copies_on):
    (hospital.folder / "inbox").mkdir()
    roster = hospital.folder / "inbox" / "名单.xlsx"
    save_rich_roster(roster)

    hospital.go("check")

    copy = get_copy(hospital, "名单.xlsx")
    assert list_contents([copy]) == list_contents([roster])
    book = openpyxl.load_workbook(copy, rich_text=True)
    values = openpyxl.load_workbook(copy, data_only=True)["内科"]
    sheet = book["内科"]
    assert (sheet["H3"].value, values["H3"].value) == ("=2026-1961", 60)
    assert isinstance(sheet["F3"].value, CellRichText)
    assert sheet["B4"].comment.text.startswith("请核对\n第二行\nesign-import: ")
    assert sheet["B4"].fill.fgColor.rgb == YELLOW
    assert {str(merge) for merge in sheet.merged_cells.ranges} == {"A1:H1", "E3:E8"}
    assert sheet.data_validations.dataValidation[0].formula1 == '"内科,外科"'
    assert sheet.auto_filter.ref == "A2:K8"
    assert (sheet.freeze_panes, sheet.column_dimensions["G"].hidden) == ("B3", True)
    ranges = [(size.min, size.max) for size in sheet.column_dimensions.values()]
    assert sorted(ranges) == [(7, 7), (8, 8), (9, 9), (10, 10), (11, 11), (12, 16384)]
    # the roster has a column of that title
    assert [cell.value for cell in sheet[2]][5:] == [
        "原因", "入职", "年龄", "Import status", "Reason (esign-import)", "SealId",
    ]  # fmt: skip
    assert [cell.value for cell in book["外科"][1]] == ["姓名", "证件号码", *titles()]
    assert book["字典"].sheet_state == "hidden"

    # corrected: the note is the hospital's own again, and the cell has the colour of its row
    correct(copy, roster, B4=number(2))
    shutil.rmtree(hospital.folder / "out")
    hospital.go("check")
    again = openpyxl.load_workbook(get_copy(hospital, "名单.xlsx"))["内科"]
    assert again["B4"].comment.text == "请核对\n第二行"
    assert again["B4"].fill.fgColor.rgb == "FFDDEEFF"
    assert again.max_column == 11


NOTES = "xl/drawings/commentsDrawing1.vml"
# as Excel writes it: HTML that is no XML, sizes in points, the place of a note that is always shown
SHOWN_NOTE = (
    '<v:shape id="_x0000_s1025" type="#_x0000_t202" style=\'position:absolute;margin-left:80pt;margin-top:2pt;\r\n'
    '  width:150pt;height:90.75pt;z-index:1\' fillcolor="infoBackground [80]">'
    "<v:textbox><div>one<br>two</div></v:textbox>"
    '<x:ClientData ObjectType="Note"><x:Anchor>\r\n    5, 15, 0, 2, 7, 40, 5, 3</x:Anchor>'
    "<x:Row>3</x:Row><x:Column>3</x:Column><x:Visible/></x:ClientData></v:shape>"
)
HIDDEN_NOTE = (
    '<v:shape id="_x0000_s1026" type="#_x0000_t202" style="position:absolute;width:3.5in;height:300px;visibility:hidden">'
    '<x:ClientData ObjectType="Note"><x:Row>2</x:Row><x:Column>1</x:Column></x:ClientData></v:shape>'
)


def read_note_shapes(path):
    """Return style and place of each note of the first sheet, by row and column."""
    drawing = zipfile.ZipFile(path).read(NOTES).decode()
    shapes = {}
    for shape in re.findall(r"(?s)<\w+:shape .*?</\w+:shape>", drawing):
        row, column = (re.search(rf"<\w+:{name}>(\d+)<", shape)[1] for name in ("Row", "Column"))
        style = dict(
            part.strip().split(":") for part in re.search(r'style="([^"]*width[^"]*)"', shape)[1].split(";")
        )
        anchor = re.search(r"<\w+:Anchor>\s*([^<]*)<", shape)
        size = (int(style["width"][:-2]), int(style["height"][:-2]))
        shapes[int(row), int(column)] = (size, style["visibility"], anchor and anchor[1])
    return shapes


def test_notes_keep_their_sizes_and_ours_have_room_for_their_text(ward):
    roster = ward.folder / "inbox" / "roster.xlsx"
    book = openpyxl.load_workbook(roster)
    book.active["B3"].comment = Comment("请核对", "王")
    book.active["D4"].comment = Comment("two\nlines", "王")
    book.active["C4"].value = "1540000"
    book.save(roster)
    drawing = (
        '<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:x="urn:schemas-microsoft-com:office:excel">'
        f"{SHOWN_NOTE}{HIDDEN_NOTE}</xml>"
    )
    earlier = zipfile.ZipFile(roster).read(NOTES)
    add_part(roster, NOTES, earlier, drawing.encode())

    assert ward.go("check") == 3

    shapes = read_note_shapes(get_copy(ward))
    assert shapes[3, 3] == ((200, 121), "visible", "5, 15, 0, 2, 7, 40, 5, 3")
    assert shapes[2, 1] == ((336, 300), "hidden", None)  # our line stands in the room that is left
    (width, height), visibility, _ = shapes[3, 2]
    text = list_yellow(get_copy(ward))["C4"]
    assert visibility == "hidden"
    assert width * height > 120 * len(text)  # what LibreOffice and Excel need for a letter at 10 points
    # corrected, the note is the hospital's own again, in its size
    book = openpyxl.load_workbook(get_copy(ward))
    book.active["B3"].value, book.active["C4"].value = number(2), "15400000003"
    book.active["B3"].comment.width, book.active["B3"].comment.height = 336, 300
    book.save(roster)
    assert ward.go("check") == 0
    assert read_note_shapes(get_copy(ward))[2, 1] == ((336, 300), "hidden", None)
    assert openpyxl.load_workbook(get_copy(ward)).active["B3"].comment.text == "请核对"


def list_contents(paths):
    """Return all that is read of rosters but their names."""
    rows, reports = read_rosters(paths)
    return [
        *((row.origin.sheet, row.origin.row, row.hidden, tuple(row.cells), dict(row.fields)) for row in rows),
        *(report.skipped for report in reports),
    ]


@pytest.mark.skipif(not os.environ.get("TRAP_SEEDS"), reason="make trap")
@pytest.mark.parametrize("seed", [1, 2])
def test_a_copy_of_a_generated_roster_reads_like_it(hospital, marked_copies_on, seed):
    inbox = hospital.folder / "inbox"
    inbox.mkdir()
    names = [plan.name for plan in save_without_pictures(corpus(seed, times=1, plain=1), inbox)]

    hospital.go("check")

    notes = list_notes(hospital)
    assert {name_: [note for note in notes[name_] if "marked copy" in note] for name_ in names} == {
        name_: [] for name_ in names
    }
    for name_ in names:
        assert list_contents([hospital.newest / "rosters" / name_]) == list_contents([inbox / name_])


def save_without_pictures(hospital_plan, folder):
    """Save the generated .xlsx rosters that can be read, without their pictures; return their plans."""
    plans = [
        plan
        for plan in hospital_plan.files
        if plan.form == "openpyxl" and plan.statuses == {"read"} and plan.raw is None
    ]
    for plan in plans:
        for sheet in plan.sheets:
            sheet.logo = None
            for row in (line.row for line in sheet.lines if line.row):
                row.floats = ()
        (folder / plan.name).write_bytes(written(plan))
    return [
        plan for plan in plans if plan.name.endswith((".xlsx", ".xlsm")) and any(map(has_rows, plan.sheets))
    ]


def has_rows(sheet):
    return sheet.state == "visible" and any(line.row for line in sheet.lines)


def add_picture(book):
    buffer = io.BytesIO(draw_seal_bytes())
    book.active.add_image(Drawing(buffer), "H2")


def draw_seal_bytes():
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(buffer, "PNG")
    return buffer.getvalue()


def add_part(path, part, before, after):
    """Change a part of a package."""
    source = zipfile.ZipFile(path)
    parts = {entry.filename: source.read(entry) for entry in source.infolist()}
    assert before in parts[part]
    parts[part] = parts[part].replace(before, after)
    with zipfile.ZipFile(path, "w") as package:
        for file, data in parts.items():
            package.writestr(file, data)


EXTENSION = (
    b'<extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}"'
    b' xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main">'
    b"<x14:dataValidations/></ext></extLst></worksheet>"
)
SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize(
    ("what", "why"), [("picture", "it has pictures"), ("controls", "it has form controls")]
)
def test_a_roster_gets_no_copy_that_would_lack_what_it_has(ward, what, why):
    roster = ward.folder / "inbox" / "roster.xlsx"
    book = openpyxl.load_workbook(roster)
    if what == "picture":
        add_picture(book)
        book.save(roster)
    else:
        for sheet in (book.active, book.create_sheet()):
            sheet["A1"].comment = Comment("请核对", "王")
        book.save(roster)
        add_part(roster, NOTES, b'ObjectType="Note"', b'ObjectType="Button"')

    assert ward.go("check") == 3

    assert f"no marked copy: {why}" in list_notes(ward)["roster.xlsx"]
    assert not (ward.newest / "rosters").exists()
    assert "notices" not in ward.record()


@pytest.mark.parametrize("what", ["validation", "ranges", "chart", "rows"])
def test_a_workbook_that_openpyxl_does_not_copy_is_copied_anew(ward, what, monkeypatch):
    roster = ward.folder / "inbox" / "roster.xlsx"
    if what == "validation":
        add_part(roster, SHEET, b"</worksheet>", EXTENSION)
    elif what == "ranges":
        ranges = b"</sheetData><protectedRanges><protectedRange/></protectedRanges>"
        add_part(roster, SHEET, b"</sheetData>", ranges)
    elif what == "chart":
        book = openpyxl.load_workbook(roster)
        book.active.add_chart(BarChart(), "K2")
        book.save(roster)
    else:
        monkeypatch.setattr(marked_copies, "MAX_ROWS", 2)
    command = "run" if what == "rows" else "check"
    assert ward.go(command) == 3
    assert PLAIN in list_notes(ward)["roster.xlsx"]
    assert set(list_yellow(get_copy(ward))) == {"B3"}
    correct(get_copy(ward), roster, B3=number(2))

    assert ward.go(command) == 0

    assert ward.statuses() == ({"sealed": 1, "unchanged": 2} if what == "rows" else {"ready": 3})
    assert (PLAIN in list_notes(ward)["roster.xlsx"]) == (what == "rows")
    assert read_lines(get_copy(ward))[0] == [*HEADERS, *titles()]
    assert list_yellow(get_copy(ward)) == {}


def test_a_copy_that_cannot_be_written_is_a_notice(ward, capfd):
    out = ward.folder / "elsewhere"
    out.mkdir()
    (out / "rosters").write_text("a file where the folder should be")

    assert ward.go("run", "--out", str(out)) == 3

    assert "No marked copy of roster.xlsx could be written (NotADirectoryError)" in capfd.readouterr().err
    assert (out / "results.xlsx").exists()


def test_a_failure_costs_one_roster_its_copy(ward, capfd, monkeypatch):
    ward.doctors(1, start=21, file="other.xlsx")
    build_row_notes = marked_copies.build_row_notes

    def fail(outcome, presenter):
        if outcome.doctor.row.origin.file == "other.xlsx":
            raise ValueError
        return build_row_notes(outcome, presenter)

    monkeypatch.setattr(marked_copies, "build_row_notes", fail)
    assert ward.go("check") == 3
    assert "No marked copy of other.xlsx could be written (ValueError)" in capfd.readouterr().err
    assert get_copy(ward).exists()


def test_rosters_with_rows_to_correct_are_copied_as_they_are_before_there_are_too_many_rows(
    ward, monkeypatch
):
    ward.doctors(1, start=21, file="another.xlsx")
    monkeypatch.setattr(marked_copies, "MAX_ROWS", 3)
    assert ward.go("check") == 3
    copies = (ward.newest / "rosters").glob("*.xlsx")
    assert sorted(path.name for path in copies) == ["another.xlsx", "roster.xlsx"]
    assert {file: PLAIN in notes for file, notes in list_notes(ward).items()} == {
        "another.xlsx": True,
        "roster.xlsx": False,
    }


def test_a_retry_brings_the_copies_of_the_last_run_up_to_date(ward_after_run):
    ward = ward_after_run
    latest = ward.folder / "out" / "latest"
    results = (latest / "results.xlsx").read_bytes()
    correct(latest / "rosters" / "roster.xlsx", ward.folder / "inbox" / "roster.xlsx", B3=number(2))

    assert ward.go("retry") == 0

    sealed = {line["row"]: line["seal_id"] for line in ward.outcomes()}
    for copy in (get_copy(ward), latest / "rosters" / "roster.xlsx"):
        assert {row: line[7] for row, line in enumerate(read_lines(copy), start=1) if row > 1} == sealed
        assert list_yellow(copy) == {}
    assert (latest / "results.xlsx").read_bytes() == results, "a copy of the last run"


def test_the_folder_of_copies_holds_copies_alone(ward_after_run):
    ward = ward_after_run
    for folder in (ward.newest, ward.folder / "out" / "latest"):
        assert [path.name for path in (folder / "rosters").iterdir()] == ["roster.xlsx"]


def test_the_summary_has_the_note_of_a_copy_that_is_made_anew(ward, monkeypatch):
    """openpyxl loses something of it, which is known only when the copy is compared with its roster."""
    monkeypatch.setattr(marked_copies, "digest_rows", lambda rows, _: str(id(rows)))
    assert ward.go("check") == 3
    assert PLAIN in list_notes(ward)["roster.xlsx"]
    summary = openpyxl.load_workbook(ward.newest / "results.xlsx").worksheets[0]
    assert any(PLAIN in str(cell.value) for line in summary.iter_rows() for cell in line)


def test_a_copy_that_was_edited_where_it_lies_is_kept(ward_after_run):
    ward = ward_after_run
    latest = ward.folder / "out" / "latest" / "rosters" / "roster.xlsx"
    correct(latest, latest, B3="改了一半")
    (ward.folder / "inbox" / "roster.xlsx").rename(ward.folder / "inbox" / "新.xlsx")

    ward.go("run")

    assert sorted(path.name for path in latest.parent.glob("*.xlsx")) == ["roster (edited).xlsx", "新.xlsx"]
    assert read_lines(latest.with_name("roster (edited).xlsx"))[2][1] == "改了一半"


def watch_read(monkeypatch):
    """Return a list to which the name of each copy is added that is read once it is made."""
    read = []
    read_roster = marked_copies.read_roster

    def watch(path, *arguments, **options):
        read.append(path.name)
        return read_roster(path, *arguments, **options)

    monkeypatch.setattr(marked_copies, "read_roster", watch)
    return read


def test_only_the_copy_is_read_once_more(ward_after_run, monkeypatch):
    ward = ward_after_run
    read = watch_read(monkeypatch)
    roster = ward.folder / "inbox" / "roster.xlsx"
    correct(roster, roster, C3="154")
    assert ward.go("run") == 3
    assert get_copy(ward).exists()
    assert len(read) == 1
    assert "roster.xlsx" not in read


def test_a_number_in_a_name_is_masked_and_macros_stay(ward):
    inbox = ward.folder / "inbox"
    target = inbox / f"{number(9)}.xlsm"
    shutil.move(inbox / "roster.xlsx", target)
    types = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    add_part(target, "[Content_Types].xml", types, b"application/vnd.ms-excel.sheet.macroEnabled.main+xml")
    add_part(
        target,
        "xl/_rels/workbook.xml.rels",
        b"</Relationships>",
        b'<Relationship Id="rId99" Target="vbaProject.bin"'
        b' Type="http://schemas.microsoft.com/office/2006/relationships/vbaProject"/></Relationships>',
    )
    with zipfile.ZipFile(target, "a") as package:
        package.writestr("xl/vbaProject.bin", b"macros")

    assert ward.go("check") == 3

    (copy,) = (ward.newest / "rosters").glob("*.xlsm")
    assert copy.name == f"______________{number(9)[-4:]}.xlsm"
    with zipfile.ZipFile(copy) as package:
        assert package.read("xl/vbaProject.bin") == b"macros"
        assert b"macroEnabled" in package.read("[Content_Types].xml")


def test_without_the_key_there_is_no_copy_and_the_clerk_corrects_the_roster(ward, capsys):
    ward.marked_copies = False
    ward.configure()
    assert ward.go("run") == 3
    assert not (ward.newest / "rosters").exists()
    assert "correct the roster in" in capsys.readouterr().err
