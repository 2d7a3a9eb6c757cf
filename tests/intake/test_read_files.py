"""Which files are read, what the others are told to be, and the way back of our own To fix sheets."""

from __future__ import annotations

import hashlib
import os
import zipfile

import pytest
import xlsxwriter

from pipeline.intake.read import read_rosters
from pipeline.intake.ticket import check_of
from pipeline.problems import message
from pipeline.roster import Field

NUMBER = "11010119900307123X"
TABLE = f"姓名,身份证号\n张三,{NUMBER}\n".encode()
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504


def results(
    path, *lines, titles=("姓名", "身份证号", "图片", "row_id", "check"), sheet="失败待改", ours=True, more=()
):
    """Write a results workbook as far as intake looks at it."""
    book = xlsxwriter.Workbook(path)
    if ours:
        book.set_custom_property("esign-import", "results")
    summary = book.add_worksheet("汇总")
    summary.write_row(0, 0, ["姓名", "身份证号"])
    summary.write_row(1, 0, ["张三", NUMBER])
    page = book.add_worksheet(sheet)
    page.write_row(0, 0, titles)
    for number, line in enumerate(lines, 1):
        page.write_row(number, 0, line)
    for number, cells in enumerate(more):
        (book.get_worksheet_by_name(f"{sheet}2") or book.add_worksheet(f"{sheet}2")).write_row(
            number, 0, cells
        )
    book.close()
    return path


def line(row_id, name="张三", check=None):
    return (name, NUMBER, "a.png", row_id, check_of(row_id) if check is None else check)


def test_a_folder_gives_its_rosters_by_name_and_passes_debris_over(tmp_path):
    for name in ("b.csv", "a.TXT", "~$b.xlsx", ".c.csv", "readme.md", "x.png", "old.xls"):
        (tmp_path / name).write_bytes(TABLE if name != "old.xls" else OLE + "Workbook".encode("utf-16-le"))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.csv").write_bytes(TABLE)
    rows, reports = read_rosters([tmp_path, tmp_path / "b.csv"])
    assert [(report.path.name, report.status) for report in reports] == [
        ("a.TXT", "read"),
        ("b.csv", "read"),
        ("old.xls", "refused"),
    ]
    assert [row.origin.path for row in rows] == [tmp_path / "a.TXT", tmp_path / "b.csv"]


def test_a_relative_path_stays_relative(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_bytes(TABLE)
    monkeypatch.chdir(tmp_path)
    (row,), (report,) = read_rosters([type(tmp_path)("a.csv")])
    assert str(row.origin.path) == str(report.path) == "a.csv"


@pytest.mark.parametrize(
    ("name", "data", "code", "found"),
    [
        ("a.xlsx", b"", "FILE_EMPTY", None),
        ("a.xlsx", OLE + "EncryptedPackage".encode("utf-16-le"), "FILE_ENCRYPTED", None),
        ("a.xls", OLE + "Workbook".encode("utf-16-le"), "FILE_FORMAT", "Excel 97–2003 (.xls)"),
        ("a.et", OLE + "Book".encode("utf-16-le"), "FILE_FORMAT", "Excel 97–2003 (.xls)"),
        ("a.xls", b"\xef\xbb\xbf\r\n<HTML><table>", "FILE_FORMAT", "HTML"),
        ("a.csv", b"<?xml version='1.0'?><html xmlns='x'>", "FILE_FORMAT", "HTML"),
        ("a.xls", b"<?xml version='1.0'?><Workbook>", "FILE_FORMAT", "XML"),
        ("a.csv", b"%PDF-1.7", "FILE_FORMAT", "PDF"),
        ("a.xlsx", TABLE, "FILE_FORMAT", "CSV/TXT (.xlsx)"),
        ("a.xlsx", b"\x01\0\0\x02", "FILE_CORRUPT", "no known format"),
        ("a.xlsx", b"PK\x03\x04" + b"\0" * 100, "FILE_CORRUPT", "zip: zip"),
    ],
)
def test_a_file_is_told_by_its_first_bytes(tmp_path, name, data, code, found):
    (tmp_path / name).write_bytes(data)
    rows, (report,) = read_rosters([tmp_path / name])
    assert (rows, report.status, report.codes) == ([], "refused", (code,))
    assert report.problems[0].detail.get("found") == found
    assert report.sha256


def test_a_zip_that_is_no_workbook_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("a.txt", "x")
    _, (report,) = read_rosters([tmp_path / "a.xlsx"])
    assert (report.codes, report.problems[0].detail["found"]) == (("FILE_FORMAT",), "ZIP")


def test_a_workbook_named_csv_is_read(tmp_path):
    path = results(tmp_path / "a.xlsx", ours=False).rename(tmp_path / "a.csv")
    rows, _ = read_rosters([path])
    assert len(rows) == 1


def test_what_is_no_file_is_reported_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    _, reports = read_rosters([tmp_path / "a.csv", tmp_path / "absent.csv"])
    assert [report.codes for report in reports] == [("FILE_CORRUPT",), ("FILE_CORRUPT",)]


def test_a_bad_file_does_not_touch_a_good_one(tmp_path):
    (tmp_path / "a.csv").write_bytes(TABLE[:-1] + b'\n"x')
    (tmp_path / "b.csv").write_bytes(TABLE)
    rows, reports = read_rosters([tmp_path])
    assert [report.status for report in reports] == ["refused", "read"]
    assert [row.origin.file for row in rows] == ["b.csv"]


def test_the_check_of_a_ticket_is_fixed():
    assert check_of("r1") == hashlib.sha256(b"r1").hexdigest()[:8] == "82f3e9c6"


def test_our_own_workbook_is_deferred_in_a_night_and_read_on_demand(tmp_path):
    path = results(tmp_path / "r.xlsx", line("r1"), line("r2", "李四"))
    rows, (report,) = read_rosters([path])
    assert (rows, report.status) == ([], "deferred")
    rows, (report,) = read_rosters([path], to_fix_only=True)
    assert report.status == "read"
    assert [sheet.sheet for sheet in report.sheets] == ["失败待改"]
    assert [(row.ticket, row.origin.row) for row in rows] == [("r1", 2), ("r2", 3)]
    assert [cell.header for cell in rows[0].cells] == ["姓名", "身份证号", "图片"]
    assert rows[0].fields[Field.PICTURE].value == "a.png"


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ([line("r1"), line("r2", check="00000000")], "3"),
        ([line("r1"), line("r2", check=check_of("r1"))], "3"),
        ([line("r1"), line("")], "3"),
        ([line("r1"), line("r2"), line("r1")], "2 = 4"),
    ],
)
def test_a_damaged_swapped_or_doubled_ticket_refuses_the_file(tmp_path, lines, place):
    rows, (report,) = read_rosters([results(tmp_path / "r.xlsx", *lines)], to_fix_only=True)
    assert (rows, report.codes) == ([], ("FILE_SUSPICIOUS",))
    assert report.problems[0].detail["ticket"] == place


def test_a_to_fix_sheet_without_its_hidden_columns_or_header_is_refused(tmp_path):
    path = results(tmp_path / "r.xlsx", ("张三", NUMBER), titles=("姓名", "身份证号"))
    assert read_rosters([path], to_fix_only=True)[1][0].codes == ("FILE_SUSPICIOUS",)
    path = results(tmp_path / "t.xlsx", line("r1"), more=[("x", "y", "图片", "row_id", "check"), line("r2")])
    assert read_rosters([path], to_fix_only=True)[1][0].codes == ("HEADER_NOT_FOUND",)
    path = results(tmp_path / "s.xlsx", line("r1"), titles=("x", "y", "图片", "row_id", "check"))
    assert read_rosters([path], to_fix_only=True)[1][0].codes == ("HEADER_NOT_FOUND",)


def test_nothing_to_fix_is_no_fault(tmp_path):
    rows, (report,) = read_rosters([results(tmp_path / "r.xlsx", titles=())], to_fix_only=True)
    assert (rows, report.status, report.rows) == ([], "read", 0)


def test_a_workbook_whose_to_fix_sheet_was_renamed_is_refused(tmp_path):
    rows, (report,) = read_rosters([results(tmp_path / "s.xlsx", sheet="Sheet1")], to_fix_only=True)
    assert (rows, report.codes) == ([], ("HEADER_NOT_FOUND",))


def test_retry_takes_no_foreign_file(tmp_path):
    _, (report,) = read_rosters([results(tmp_path / "r.xlsx", line("r1"), ours=False)], to_fix_only=True)
    assert report.codes == ("FILE_FORMAT",)


def test_a_refusal_is_a_whole_sentence_without_personal_data(tmp_path):
    (tmp_path / "a.csv").write_bytes(f'姓名,身份证号\n"张三,{NUMBER}\n'.encode())
    _, (report,) = read_rosters([tmp_path / "a.csv"])
    for language in ("zh", "en"):
        said = message(report.problems[0], language)
        assert "2" in said
        assert NUMBER not in said + repr(report)
    assert NUMBER not in repr(read_rosters([tmp_path / "a.csv"]))
