"""Marked copies that are made anew: of each format that openpyxl cannot copy, and of workbooks that are too large for it."""

import os
from collections import defaultdict
from datetime import date
from functools import partial
from pathlib import Path
from struct import pack

import openpyxl
import pytest
from biff_support import compound, label, record, sheet, stream
from encrypted_support import agile, biff
from end_to_end.conftest import HEADERS
from end_to_end.test_marked_copies import (
    PLAIN,
    add_part,
    correct,
    list_notes,
    list_yellow,
    read_lines,
    titles,
)
from format_support import WRITERS, Error, Number, Page, Uncomputed
from generated_rosters.corpus import corpus
from generated_rosters.stage import written
from office_support import edit
from people import make_row, number
from run_support import draw_seal

pytestmark = pytest.mark.usefixtures("marked_copies_on")

LONG = bool(os.environ.get("TRAP_SEEDS"))  # make trap
SHORT = {("csv", ".csv"), ("xls", ".xls"), ("html", ".xls")}  # form and suffix of generated rosters
SUFFIXES = {"html": ".xls", "xml2003": ".xml"}
ROUNDED = 110101199003071000  # what Excel leaves of a number


def write_text(*pages: Page, separator: str = ",") -> bytes:
    """Write the first page as text, a number as Excel saves it."""
    cells = pages[0].cells
    width = 1 + max(max(line) for line in cells.values())
    lines = []
    for row in range(1, pages[0].last_row + 1):
        line = cells.get(row, {})
        lines.append(separator.join(quote(line.get(column, "")) for column in range(width)))
    return "\r\n".join(lines).encode("utf-8-sig")


def quote(value: object) -> str:
    if isinstance(value, Number):
        value = f"{value.value:.5E}" if value.value >= 1e15 else str(value.value)
    if isinstance(value, Error | Uncomputed):
        value = "#N/A"
    text = str(value)
    return f'"{text}"' if "\n" in text else text


FORMS = {
    **{form: write for form, write in WRITERS.items() if form != "xlsx"},
    "csv": write_text,
    "txt": lambda *pages: write_text(*pages, separator="\t"),
}


def save(hospital, form: str, *pages: Page) -> None:
    (hospital.folder / "inbox").mkdir(exist_ok=True)
    path = hospital.folder / "inbox" / f"名单{SUFFIXES.get(form, f'.{form}')}"
    path.write_bytes(FORMS[form](*pages))


def draw_seals(hospital, serials) -> None:
    for serial in serials:
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)


def get_copy(hospital, file: str = "名单.xlsx"):
    return hospital.newest / "rosters" / file


def list_problems(hospital):
    """Return row -> code and cell of each problem."""
    return {
        (line["sheet"], line["row"]): sorted(
            (problem["code"], problem["cell"], problem["severity"]) for problem in line["problems"]
        )
        for line in hospital.outcomes()
    }


def make_page(form: str) -> Page:
    """Return a roster with the cells that a copy could spoil."""
    doctors = {row: dict(enumerate(make_row(row))) for row in range(3, 12)}
    doctors[4][1] = Number(ROUNDED)
    doctors[5][1] = number(5)[:17]
    doctors[6][1] = Number(11010119900307)
    doctors[7][2] = Error()
    doctors[8][2] = "=1+1"
    doctors[9][3] = Number(9, "00000")
    doctors[10][2] = Number(15400000010)
    doctors[11][4] = "内科\n二区"
    if form not in ("html", "csv", "txt"):
        doctors[12] = {**dict(enumerate(make_row(12))), 1: date(1990, 3, 7)}
        doctors[13] = {**dict(enumerate(make_row(13))), 2: True}
        doctors[14] = {**dict(enumerate(make_row(14))), 2: Uncomputed()}
    merges = () if form in ("csv", "txt") else ((1, 1, 0, 4), (3, 4, 4, 4))
    return Page("内科", {1: {0: "某某医院医师名单"}, 2: dict(enumerate(HEADERS)), **doctors}, merges=merges)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_problem_of_a_roster_is_found_in_its_untouched_copy(hospital, form):
    save(hospital, form, make_page(form))
    draw_seals(hospital, range(3, 15))
    hospital.go("run")
    sealed = hospital.creates()
    assert sealed >= 3
    rows = {line["row"]: line["row_id"] for line in hospital.outcomes()}
    problems = {row: problems_of_row for (_, row), problems_of_row in list_problems(hospital).items()}
    assert ("ID_PRECISION_LOST", "B4", "error") in problems[4]
    (note,) = [note for note in next(iter(list_notes(hospital).values())) if "marked copy" in note]
    assert note == PLAIN
    copy = get_copy(hospital)
    yellow = set(list_yellow(copy))
    assert {"B4", "B5", "B6"} <= yellow
    seals = {line["row"]: line["seal_id"] for line in hospital.outcomes()}
    shown = {row: line[7] for row, line in enumerate(read_lines(copy), start=1)}
    assert {row: shown[row] for row in seals} == seals

    (hospital.folder / "inbox" / copy.name).write_bytes(copy.read_bytes())
    hospital.go("run")

    assert hospital.creates() == sealed
    assert {line["file"] for line in hospital.outcomes()} == {"名单.xlsx"}
    again = {row: problems_of_row for (_, row), problems_of_row in list_problems(hospital).items()}
    differing = {row: (problems[row], again.get(row)) for row in problems if problems[row] != again.get(row)}
    assert differing == {}
    later = {line["row"]: line["row_id"] for line in hospital.outcomes()}
    same = {row for row, row_id in rows.items() if later[row] == row_id}
    assert set(rows) - same <= {4}  # of which the copy holds what a spreadsheet shows
    # a copy of the copy has its columns once
    assert read_lines(get_copy(hospital))[1] == [*HEADERS, *titles()]


@pytest.mark.parametrize("seed", [1, 2] if LONG else [1])
def test_a_generated_roster_has_the_problems_of_its_copy(hospital, seed):
    inbox = hospital.folder / "inbox"
    inbox.mkdir()
    forms = set()
    for plan in corpus(seed, times=1, plain=20).files:
        form = (plan.form, Path(plan.name).suffix)
        if plan.statuses == {"read"} and (LONG or (form in SHORT and form not in forms)):
            (inbox / plan.name).write_bytes(written(plan))
            forms.add(form)
    hospital.go("check")
    copies = {
        file["path"].rpartition("/")[2]: hospital.newest / file["copy"]
        for file in hospital.record()["files"]
        if "copy" in file
    }
    every = {".csv", ".et", ".txt", ".xls", ".xlsm", ".xlsx"}
    assert {Path(name).suffix for name in copies} == (every if LONG else {suffix for _, suffix in SHORT})
    before = list_plan(hospital)
    for file, copy in copies.items():
        (inbox / file).unlink()
        (inbox / f"{file}.xlsx").write_bytes(copy.read_bytes())

    hospital.go("check")

    after = list_plan(hospital)
    for (file, row), problems_of_row in before.items():
        copied = f"{file}.xlsx" if file in copies else file
        assert after[copied, row] == problems_of_row, (file, row)
    assert len(after) == len(before)


def list_plan(hospital):
    """Return the problems of each row of a check: by file and row, for the sheets of the file one after the other."""
    rows = defaultdict(list)
    for line in hospital.outcomes("plan.jsonl"):
        problems = sorted((problem["code"], problem["cell"] or "") for problem in line["problems"])
        rows[line["file"], line["row"]].append((line["status"], problems))
    return rows


def make_ward(hospital, form: str = "csv") -> None:
    """Save a roster whose second doctor, on line 5, lacks a digit of the number; the first one takes two lines of a text."""
    first = (*make_row(1)[:4], "内科\n二区")
    wrong = (make_row(2)[0], number(2)[:17], *make_row(2)[2:])
    lines = (HEADERS, first, wrong, make_row(3))
    rows = (1, 2, 4, 5) if form in ("csv", "txt") else (1, 2, 3, 4)
    cells = {row: dict(enumerate(line)) for row, line in zip(rows, lines, strict=True)}
    if form in ("csv", "txt"):
        (hospital.folder / "inbox").mkdir(exist_ok=True)
        separator = "," if form == "csv" else "\t"
        text = "\n".join(separator.join(map(quote, line)) for line in lines)
        (hospital.folder / "inbox" / f"名单.{form}").write_text(text, "utf-8")
    else:
        save(hospital, form, Page("内科", cells))
    draw_seals(hospital, (1, 2, 3))


def assert_own_pictures(hospital, count: int) -> None:
    """Fail unless the service got of each doctor the own picture, byte for byte."""
    received = {seal.number: hospital.service.pictures[seal.picture] for seal in hospital.service.seals}
    files = {number(serial): f"{serial:05d}.png" for serial in range(1, count + 1)}
    assert received == {key: (hospital.folder / "seals" / file).read_bytes() for key, file in files.items()}


@pytest.mark.parametrize("form", sorted(FORMS) if LONG else ["csv", "xls", "xml"])
def test_a_corrected_copy_in_the_folder_of_its_roster_is_sealed_once(hospital, form):
    make_ward(hospital, form)
    assert hospital.go("run") == 3
    before = {line["name"]: (line["row"], line["row_id"]) for line in hospital.outcomes()}
    (address,) = list_yellow(get_copy(hospital))
    wrong = make_row(2)[0]
    assert address == f"B{before[wrong][0]}", "as in the roster, also behind a record of two lines"
    correct(get_copy(hospital), hospital.folder / "inbox" / "名单.xlsx", **{address: number(2)})

    assert hospital.go("run") == 0

    assert hospital.statuses() == {"sealed": 1, "unchanged": 2}
    after = {line["name"]: (line["row"], line["row_id"]) for line in hospital.outcomes()}
    assert {name: origin for name, origin in after.items() if name != wrong} == {
        name: origin for name, origin in before.items() if name != wrong
    }
    (original,) = [notes for file, notes in list_notes(hospital).items() if file != "名单.xlsx"]
    assert original == [
        "replaced by its newer marked copy 名单.xlsx and not used; move this file out of the folder"
    ]
    assert hospital.go("run") == 0
    assert hospital.creates() == 3
    assert_own_pictures(hospital, 3)


@pytest.mark.office
@pytest.mark.skipif(not LONG, reason="make trap")
@pytest.mark.parametrize("form", ["csv", "xls", "html"])
def test_a_copy_that_libreoffice_saves_is_sealed_once(hospital, form):
    make_ward(hospital, form)
    assert hospital.go("run") == 3
    (address,) = list_yellow(get_copy(hospital))
    target = hospital.folder / "inbox" / "名单.xlsx"
    statement = f'd.Sheets(0).getCellRangeByName("{address}").String = "{number(2)}"'
    edit(get_copy(hospital), statement, [target])

    assert hospital.go("run") == 0

    assert hospital.statuses() == {"sealed": 1, "unchanged": 2}
    assert hospital.go("run") == 0
    assert hospital.creates() == 3
    assert_own_pictures(hospital, 3)


@pytest.mark.office
def test_of_a_copy_that_libreoffice_saves_the_corrected_row_is_sealed_and_the_damaged_ones_stay_refused(
    hospital,
):
    save(hospital, "xls", make_page("xls"))
    draw_seals(hospital, range(3, 15))
    hospital.go("run")
    sealed = hospital.creates()
    refused = {line["row"] for line in hospital.outcomes() if line["status"] == "rejected"}
    statement = f'd.Sheets(0).getCellRangeByName("B5").String = "{number(5)}"'
    edit(get_copy(hospital), statement, [hospital.folder / "inbox" / "名单.xlsx"])
    for _ in range(2):
        hospital.go("run")
        assert {line["row"] for line in hospital.outcomes() if line["status"] == "rejected"} == refused - {5}
        assert hospital.creates() == sealed + 1
    assert ("ID_PRECISION_LOST", "B4", "error") in list_problems(hospital)["内科", 4]


def test_sheets_rows_and_columns_are_where_they_are_in_the_roster(hospital):
    doctors = [dict(enumerate(make_row(serial))) for serial in range(1, 4)]
    doctors[1][1] = number(2)[:17]
    pages = (
        Page("旧", {1: {0: "x"}}, is_hidden=True),
        Page("内科", {1: dict(enumerate(HEADERS)), 2: doctors[0]}, hidden_columns=frozenset({4})),
        Page("说明", {3: {2: "只给人看"}}),
        Page("外科", {4: dict(enumerate(HEADERS)), 7: doctors[1], 8: doctors[2]}, hidden_rows=frozenset({8})),
    )
    save(hospital, "xls", *pages)
    hospital.go("check")
    book = openpyxl.load_workbook(get_copy(hospital))
    assert [(sheet.title, sheet.sheet_state) for sheet in book] == [
        ("旧", "hidden"), ("内科", "visible"), ("说明", "visible"), ("外科", "visible"),
    ]  # fmt: skip
    assert book.active.title == "内科"
    assert book["内科"].column_dimensions["E"].hidden
    assert book["说明"]["C3"].value == "只给人看"
    assert book["外科"]["B7"].value == number(2)[:17]
    assert book["外科"]["B7"].comment.text.startswith("esign-import: ")
    assert [cell.value for cell in book["外科"][4]] == [*HEADERS, *titles()]
    assert (book["外科"].row_dimensions[8].hidden, book["外科"].row_dimensions[7].hidden) == (True, False)


def test_the_tables_of_a_page_are_sheets(hospital):
    page = "<meta charset=utf-8>" + "".join(
        "<table>"
        + "".join(
            "<tr>" + "".join(f"<td>{text}</td>" for text in line) + "</tr>" for line in (HEADERS, *lines)
        )
        + "</table>"
        for lines in ([make_row(1), make_row(2)], [(*make_row(3)[:2], "154", *make_row(3)[3:])])
    )
    (hospital.folder / "inbox").mkdir()
    (hospital.folder / "inbox" / "名单.xls").write_text(page, "utf-8")
    hospital.go("check")
    first, second = openpyxl.load_workbook(get_copy(hospital))
    assert [cell.value for cell in first[1]] == [cell.value for cell in second[4]] == [*HEADERS, *titles()]
    assert (first["C3"].comment, second["C5"].comment is None) == (None, False)


def test_a_formula_in_a_text_is_a_text(hospital):
    make_ward(hospital)
    roster = hospital.folder / "inbox" / "名单.csv"
    roster.write_text(roster.read_text("utf-8").replace("内科\n", '"=HYPERLINK(""http://x"")"\n'), "utf-8")
    hospital.go("check")
    cell = openpyxl.load_workbook(get_copy(hospital)).active["E4"]
    assert (cell.data_type, cell.value) == ("s", '=HYPERLINK("http://x")')


def test_a_copy_has_the_name_of_no_other_roster(hospital):
    hospital.doctors(1, file="名单.xlsx")
    make_ward(hospital)
    (hospital.folder / "inbox" / "名单.txt").write_text("姓名\t证件号码\n张三\t1\n", "utf-8")
    hospital.go("check")
    copies = {file["path"].rpartition("/")[2]: file["copy"] for file in hospital.record()["files"]}
    assert copies["名单.xlsx"] == "rosters/名单.xlsx"
    assert len(set(copies.values())) == 3


@pytest.mark.parametrize(
    ("part", "before", "after"),
    [
        ("xl/workbook.xml", b'state="visible"', b'state="show"'),
        ("xl/worksheets/sheet1.xml", b"</row></sheetData>", b'<c r="F2"><v>NaN</v></c></row></sheetData>'),
    ],
)
def test_a_workbook_that_openpyxl_cannot_open_is_made_anew(hospital, part, before, after):
    hospital.roster([(make_row(2)[0], number(2)[:17], *make_row(2)[2:])])
    add_part(hospital.folder / "inbox" / "roster.xlsx", part, before, after)
    hospital.go("check")
    (notes,) = list_notes(hospital).values()
    assert PLAIN in notes
    assert list(list_yellow(get_copy(hospital, "roster.xlsx"))) == ["B2"]


def make_records(lines, extra=b""):
    """Return the records of an .xls with these lines."""
    cells = [label(row, column, text) for row, line in enumerate(lines) for column, text in enumerate(line)]
    return stream(sheet(*cells, record(0x0201, b"\x63" + bytes(2999))), extra=extra)


@pytest.mark.parametrize("what", ["pictures", "password", "old password"])
def test_a_roster_that_a_copy_would_not_be_gets_none(hospital, what):
    (hospital.folder / "inbox").mkdir()
    row = (make_row(2)[0], number(2)[:17], *make_row(2)[2:])
    if "password" in what:
        hospital.roster([row])
        roster = hospital.folder / "inbox" / "roster.xlsx"
        if what == "password":
            roster.write_bytes(agile(roster.read_bytes(), "开门"))
        else:
            roster.unlink()
            (hospital.folder / "inbox" / "名单.xls").write_bytes(
                biff(partial(make_records, [HEADERS, row]), "开门", crypto_api=True)
            )
        secret = hospital.folder / "secrets" / "roster__password"
        secret.write_text("开门\n", "utf-8")
    else:
        drawing = (
            pack("<2HI", 0x000F, 0xF000, 24) + pack("<2HI", 0, 0xF006, 0) + pack("<2HI", 0x1F, 0xF001, 0)
        )
        (hospital.folder / "inbox" / "名单.xls").write_bytes(
            compound(make_records([HEADERS, row], record(0xEB, drawing)))
        )
    hospital.go("run")
    (notes,) = list_notes(hospital).values()
    why = "it has pictures" if what == "pictures" else "it has a password"
    assert f"no marked copy: {why}" in notes
    assert not (hospital.newest / "rosters").exists()
    texts = [
        str(cell.value)
        for sheet in openpyxl.load_workbook(hospital.newest / "results.xlsx")
        for line in sheet.iter_rows()
        for cell in line
        if cell.value
    ]
    assert any("B2" in text for text in texts), "the cell to correct in the roster itself"
    links = [
        cell.hyperlink.target or ""
        for sheet in openpyxl.load_workbook(hospital.newest / "results.xlsx")
        for line in sheet.iter_rows()
        for cell in line
        if cell.hyperlink
    ]
    assert not any("rosters" in link for link in links), "no link to a copy that is not there"
