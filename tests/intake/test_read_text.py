"""Text rosters: strict encodings, physical line numbers, fields exactly as written."""

from __future__ import annotations

import pytest

from pipeline.intake.read import read_rosters
from pipeline.roster import CellKind, Field

NUMBER = "11010119900307123X"
TABLE = f"工号,姓名,身份证号码\r\n0012,欧阳䶮,{NUMBER}\r\n"


def reading(path, data: bytes, **options):
    path.write_bytes(data)
    rows, (report,) = read_rosters([path], **options)
    return rows, report


def refused(path, data: bytes):
    rows, report = reading(path, data)
    assert (rows, report.status) == ([], "refused")
    return report.problems[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_every_encoding_reads_alike(tmp_path, encoding):
    (row,), report = reading(tmp_path / "a.csv", TABLE.encode(encoding))
    assert (row.origin.sheet, row.origin.row, row.address(Field.NUMBER)) == (None, 2, "C2")
    assert row.fields[Field.NAME].value == "欧阳䶮"
    assert row.fields[Field.STAFF_NO].shown == "0012"
    assert all(cell.kind is CellKind.TEXT for cell in row.cells)
    assert report.sheets[0].sheet is None


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_the_header_line_decides_the_delimiter(tmp_path, separator):
    text = "某某医院,医生,名单;2026\t\n" + TABLE.replace(",", separator)
    (row,), _ = reading(tmp_path / "a.txt", text.encode())
    assert row.fields[Field.NUMBER].value == NUMBER


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_record_stands_on_the_physical_line_where_it_starts(tmp_path, end):
    lines = ["姓名,身份证,备注", f'张三,{NUMBER},"一', "二", '三"', "", f"李四,{NUMBER},\u2028"]
    rows, report = reading(tmp_path / "a.csv", end.join(lines).encode())
    assert [row.origin.row for row in rows] == [2, 6]
    assert rows[0].cells[2].value == end.join(["一", "二", "三"])
    assert [(skip.first, skip.last, skip.why) for skip in report.skipped] == [
        (1, 1, "header"),
        (5, 5, "blank"),
    ]


def test_tricks_against_excel_are_left_as_written(tmp_path):
    written = [f'="{NUMBER}"', f"\t{NUMBER}", f"'{NUMBER}", "NA"]
    text = "姓名,身份证\n" + "".join(f"张三,{field}\n" for field in written)
    rows, _ = reading(tmp_path / "a.csv", text.encode())
    assert [row.fields[Field.NUMBER].value for row in rows] == written


def test_a_ragged_record_keeps_all_it_has_and_is_noted(tmp_path):
    text = f"姓名,身份证,工号\n张三\n李四,{NUMBER},1,多,余\n"
    rows, report = reading(tmp_path / "a.csv", text.encode())
    assert [cell.kind.value for cell in rows[0].cells] == ["text", "empty", "empty"]
    assert [(cell.column, cell.header, cell.value) for cell in rows[1].cells][3:] == [
        ("D", "", "多"),
        ("E", "", "余"),
    ]
    assert report.notes == ("line 3: more fields than titles",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f'姓名,身份证\n张三,{NUMBER}\n"李四,{NUMBER}\n王五,{NUMBER}\n', 3),  # never closed
        (f'姓名,身份证\n"张三,{NUMBER}\n"李四",{NUMBER}\n', 2),  # closed by the next record's quote
        (f"姓名,身份证\n张三,{NUMBER}\n李\0四,{NUMBER}\n", 3),
    ],
)
def test_broken_quotes_and_nul_refuse_the_file_and_name_the_line(tmp_path, text, line):
    problem = refused(tmp_path / "a.csv", text.encode())
    assert problem.code == "FILE_CORRUPT"
    assert f"line {line}" in problem.detail["found"]


@pytest.mark.parametrize(
    "data",
    [
        f"姓名,身份证\r\n张三,{NUMBER}\r\n".encode() + b"\xe5\xbc\xa0\xff\xff," + NUMBER.encode(),
        f"姓名,身份证\r\n张三,{NUMBER}\r\n".encode("gb18030") + b"\xff\xff,1",
        f"姓名,身份证\r\n张三,{NUMBER}\r\n李".encode("utf-16") + b"\x00",
        b"\xef\xbb\xbf" + f"姓名,身份证\r\n张三,{NUMBER}\r\n".encode() + "李四".encode("gb18030"),
    ],
)
def test_mixed_bytes_name_the_line_on_which_the_encoding_breaks(tmp_path, data):
    problem = refused(tmp_path / "a.csv", data)
    assert (problem.code, problem.detail["line"]) == ("FILE_ENCODING", "3")


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b" \r\n,,\r\n"])
def test_nothing_is_empty(tmp_path, data):
    assert refused(tmp_path / "a.csv", data).code == "FILE_EMPTY"
