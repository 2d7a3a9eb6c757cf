"""Text rosters: strict encodings, physical line numbers, fields exactly as written, nothing swallowed or guessed."""

from __future__ import annotations

import csv
import io
import itertools
import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from same_roster import content, people, table

from pipeline.domain.roster import CellKind, Field
from pipeline.errors import FileRefused
from pipeline.intake.layout.column_titles import ColumnAliases
from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers import delimited_text
from pipeline.intake.readers.delimited_text import split_records
from pipeline.intake.readers.detect import detect_charset
from pipeline.intake.readers.model import ReadOptions

NUMBER = "11010119900307123X"
OTHER = "110101199003070011"
TABLE = f"工号,姓名,身份证号码\r\n0012,欧阳䶮,{NUMBER}\r\n"
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16-le bom", "utf-16-be bom", "gb18030"]


def encoded(text: str, encoding: str) -> bytes:
    codec, _, bom = encoding.partition(" ")
    return ("\ufeff" * bool(bom) + text).encode(codec)


def reading(path, data: bytes, **options):
    path.write_bytes(data)
    rows, (report,) = read_rosters([path], **options)
    return rows, report


def read(path, text: str | bytes):
    """Read a file that must be readable."""
    rows, report = reading(path, text if isinstance(text, bytes) else text.encode())
    assert report.status == "read", report.problems
    return rows


def refused(path, data: bytes, **options):
    rows, report = reading(path, data, **options)
    assert (rows, report.status) == ([], "refused")
    return report.problems[0]


def fields(text: str, separator: str = ",") -> list[list[str]]:
    return [record.fields for record in split_records(io.StringIO(text, newline=""), separator)]


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_same_roster_in_every_encoding_and_with_every_delimiter(tmp_path, encoding, separator):
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=separator).writerows(table())
    rows, report = reading(tmp_path / "a.csv", encoded(written.getvalue(), encoding))
    assert content(rows) == people()
    assert report.sheets[0].sheet is None
    assert (rows[0].origin.row, rows[0].address(Field.NUMBER)) == (3, "C3")
    assert [skip.why for skip in report.skipped] == ["title", "header", "blank", "total"]


@pytest.mark.parametrize("encoding", [*ENCODINGS, "utf-16", "gb18030 bom"])
def test_every_encoding_reads_alike(tmp_path, encoding):
    (row,) = read(tmp_path / "a.csv", encoded(TABLE, encoding))
    assert (row.origin.sheet, row.origin.row, row.address(Field.NUMBER)) == (None, 2, "C2")
    assert row.fields[Field.NAME].value == "欧阳䶮"
    assert row.fields[Field.STAFF_NO].display_text == "0012"
    assert all(cell.kind is CellKind.TEXT for cell in row.cells)


@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
    encoding=st.sampled_from(ENCODINGS),
)
def test_what_was_written_is_what_is_decoded(text, encoding):
    roster = TABLE + text
    data = encoded(roster, encoding)
    # the private area of GB18030 holds eight characters that have a place of their own since Unicode 4.1
    if encoding == "gb18030":
        roster = roster.translate(
            str.maketrans("\ue81e\ue826\ue82b\ue82c\ue832\ue843\ue854\ue864", "龴龵龶龷龸龹龺龻")
        )
    assert "".join(detect_charset(data).chunks(data)) == roster
    assert "".join(detect_charset(data).lines(data, 1000)) == roster


def test_gb18030_of_2022_has_eight_components_and_not_those_it_withdrew(tmp_path):
    codes = "FE59 FE61 FE66 FE67 FE6D FE7E FE90 FEA0"
    head = "姓名,身份证\n".encode("gb18030")
    (row,) = read(tmp_path / "a.csv", head + bytes.fromhex(codes) + b"," + NUMBER.encode())
    assert row.fields[Field.NAME].value == "".join(map(chr, range(0x9FB4, 0x9FBC)))
    (row,) = read(tmp_path / "a.csv", head + bytes.fromhex("FE51") + b"," + NUMBER.encode())
    assert row.fields[Field.NAME].value == "\ue816"
    (row,) = read(tmp_path / "a.csv", f"姓名,身份证\n\ue81e,{NUMBER}")  # in UTF-8 it may be anybody's
    assert row.fields[Field.NAME].value == "\ue81e"


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_the_header_line_decides_the_delimiter(tmp_path, separator):
    text = "某某医院,医生,名单;2026\t\n" + TABLE.replace(",", separator)
    (row,) = read(tmp_path / "a.txt", text)
    assert row.fields[Field.NUMBER].value == NUMBER


def test_blank_lines_do_not_hide_the_header_from_the_delimiter(tmp_path):
    (row,) = read(tmp_path / "a.txt", "\n" * 60 + TABLE.replace(",", "\t"))
    assert row.origin.row == 62


def test_a_header_of_quoted_titles_with_breaks_decides_as_well(tmp_path):
    (row,) = read(tmp_path / "a.csv", f'"姓\n名";"身份证\n号码";"备注,一,二"\n张三;{NUMBER};\n')
    assert (row.fields[Field.NAME].value, row.origin.row) == ("张三", 4)


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_a_first_line_that_declares_its_delimiter_is_a_title(tmp_path, sign):
    rows, report = reading(tmp_path / "a.csv", f"sep={sign}\r\n{TABLE.replace(',', sign)}".encode())
    assert [row.fields[Field.NUMBER].value for row in rows] == [NUMBER]
    assert [(skip.first, skip.why) for skip in report.skipped] == [(1, "title"), (2, "header")]


@pytest.mark.parametrize("sign", ["|", "，", "｜", " ", "；"])
def test_another_delimiter_is_named_and_not_guessed(tmp_path, sign):
    problem = refused(tmp_path / "a.csv", TABLE.replace(",", sign).encode())
    assert (problem.code, repr(sign) in problem.detail["found"]) == ("FILE_FORMAT", True)


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


def test_mixed_line_ends_count_one_each(tmp_path):
    rows = read(
        tmp_path / "a.csv", f"姓名,身份证\r\n\r\n张三,{NUMBER}\r李四,{OTHER}\n\n\r王五,{NUMBER}\r\n\x1a"
    )
    assert [row.origin.row for row in rows] == [3, 4, 7]


def test_tricks_against_excel_are_left_as_written(tmp_path):
    written = [f'="{NUMBER}"', f"\t{NUMBER}", f"'{NUMBER}", "NA"]
    rows = read(tmp_path / "a.csv", "姓名,身份证\n" + "".join(f"张三,{field}\n" for field in written))
    assert [row.fields[Field.NUMBER].value for row in rows] == written


def test_a_ragged_record_keeps_all_it_has_and_is_noted(tmp_path):
    text = f"姓名,身份证,工号\n张三\n李四,{NUMBER},1,多,余\n王五,{OTHER},2,,,,\n"
    rows, report = reading(tmp_path / "a.csv", text.encode())
    assert [cell.kind.value for cell in rows[0].cells] == ["text", "empty", "empty"]
    assert [(cell.column, cell.header, cell.value) for cell in rows[1].cells][3:] == [
        ("D", "", "多"),
        ("E", "", "余"),
    ]
    assert report.notes == ("line 3: more fields than titles",)


CELLS = st.lists(st.text(st.sampled_from("张a0 ,;\t\"\r\n'="), max_size=6), min_size=2, max_size=4)


@given(
    lines=st.lists(CELLS, min_size=1, max_size=4),
    separator=st.sampled_from(",;\t"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_the_csv_module_wrote_comes_back(lines, separator, quoting, end):
    lines = [["张三", *cells] for cells in lines]
    # many delimiters on a line within quotes are the mark of a swallowed record
    lines = [
        [cell.replace(separator, "") if "\n" in cell or "\r" in cell else cell for cell in line]
        for line in lines
    ]
    if any(
        set(cell) & {"\r", "\n"} for line in lines for cell in line
    ):  # which the module forgets to quote by itself
        quoting = csv.QUOTE_ALL
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=separator, quoting=quoting, lineterminator=end).writerows(lines)
    assert fields(written.getvalue(), separator) == lines


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("张三,5'10\",1", ["张三", "5'10\"", "1"]),
        ('"张三"医生,1', ['"张三"医生', "1"]),
        ('"张""三",1', ['张"三', "1"]),
        ('张三,"他说"好"",1', ["张三", '"他说"好""', "1"]),
        ('"张三" ,1', ['"张三" ', "1"]),
        ('"","x",""', ["", "x", ""]),
        ('张三,"",1', ["张三", "", "1"]),
        ('a,"一,二",b', ["a", "一,二", "b"]),
    ],
)
def test_quotes_that_leave_no_doubt_are_read(line, expected):
    assert fields(line + "\n") == [expected]
    assert fields(line) == [expected]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f'姓名,身份证\n张三,{NUMBER}\n"李四,{NUMBER}\n王五,{NUMBER}\n', 3),  # never closed
        (f'姓名,身份证\n"张三,{NUMBER}\n"李四",{NUMBER}\n', 2),  # closed by the next record's quote
        (
            f'姓名,身份证,备注\n张三,{NUMBER},"一\n李四,{OTHER},二"\n',
            2,
        ),  # closed in the next record's last field
        (f'姓名,身份证,备注\n张三,{NUMBER},"一\n李四,{OTHER},"二",\n', 2),
        ('姓名,身份证,科室,备注\n张三,1,2,"一\n李四,坏,2,二\n王五,3,4,"', 2),  # damaged numbers in between
        (f'姓名,身份证,备注\n张三,{NUMBER},"一\n二"三\n', 2),
        (f'姓名,身份证\n"李四,{NUMBER}"王五",{NUMBER}\n', 2),  # which comma is a delimiter?
        (f"姓名,身份证\n张三,{NUMBER}\n李\0四,{NUMBER}\n", 3),
    ],
)
def test_quotes_that_may_swallow_a_doctor_and_nul_refuse_the_file_and_name_the_line(tmp_path, text, line):
    problem = refused(tmp_path / "a.csv", text.encode())
    assert problem.code == "FILE_CORRUPT"
    assert f"line {line}" in problem.detail["found"]


def test_a_remark_of_several_lines_may_hold_a_number_and_commas(tmp_path):
    remark = f"原证号：\n{OTHER}\n已注销,见附件,\n二"
    (row,) = read(tmp_path / "a.csv", f'姓名,身份证,备注\n张三,{NUMBER},"{remark}"\n')
    assert row.cells[2].value == remark


@pytest.mark.parametrize(
    "data",
    [
        f"姓名,身份证\r\n张三,{NUMBER}\r\n".encode() + b"\xe5\xbc\xa0\xff\xff," + NUMBER.encode(),
        f"姓名,身份证\r\n张三,{NUMBER}\r\n".encode("gb18030") + b"\xff\xff,1",
        f"姓名,身份证\r\n张三,{NUMBER}\r\n李".encode("utf-16") + b"\x00",
        b"\xef\xbb\xbf" + f"姓名,身份证\r\n张三,{NUMBER}\r\n".encode() + "李四".encode("gb18030"),
        # each half is right by itself, and the whole is valid GB18030: 李四 would become 鏉庡洓
        f"姓名,身份证\r\n张三,{NUMBER}\r\n".encode("gb18030") + f"李四,{NUMBER}\r\n".encode(),
        f"姓名,证件\r\n张三,{NUMBER}\r\n".encode() + f"李四,{NUMBER}\r\n".encode("gb18030"),
        f"姓名,证件\r\n张三,{NUMBER}\r\n李四".encode()[:-1],  # cut within a character
        f"姓名,证件\r\n张三,{NUMBER}\r\n李四".encode("gb18030")[:-1],
    ],
)
def test_mixed_bytes_name_the_line_on_which_the_encoding_breaks(tmp_path, data):
    problem = refused(tmp_path / "a.csv", data)
    assert (problem.code, problem.detail["line"]) == ("FILE_ENCODING", "3")


def test_an_encoding_breaks_on_the_physical_line():
    """CRLF is one end of a line."""
    with pytest.raises(FileRefused) as caught:
        detect_charset("姓名,证件\r\n张三,1\n李四,2\r王五,3\r\n".encode() + b"\xff")
    assert caught.value.detail == {"line": "5"}


@pytest.mark.parametrize(
    "data",
    [
        TABLE.encode("utf-32"),
        TABLE.encode("utf-16-le"),
        ("\ufeff" + TABLE).encode("utf-32-be"),
        "姓名,身份證\n張三,1\n".encode("big5"),
        f"name,id number\n張國榮,{NUMBER}\n陳大文,{OTHER}\n".encode("big5"),
        "甲,乙\r\n丙,丁\r\n1,2,3,4,5,6\r\n".encode("utf-16-le"),
        b"\xff\xfea",
    ],
)
def test_an_encoding_that_is_not_read_is_refused(tmp_path, data):
    problem = refused(tmp_path / "a.csv", data)
    assert problem.code in ("FILE_ENCODING", "FILE_CORRUPT")


@pytest.mark.parametrize("who", ["张三", "镕基", "姚平", "谢志强", "朱镕堃喆"])
def test_names_in_gbk_under_an_english_header_are_never_others(tmp_path, who):
    """The bytes of 姚平 and 谢志强 are valid UTF-8 as well: then the name is refused later, not altered."""
    rows, report = reading(tmp_path / "a.csv", f"name,id number\n{who},{NUMBER}\n".encode("gb18030"))
    if report.status == "read":
        name = rows[0].fields[Field.NAME].value
        assert name == who or not any("\u3400" <= char <= "\u9fff" for char in name)
    else:
        assert report.codes == ("FILE_ENCODING",)


@pytest.mark.parametrize(
    "data", [b"", b"\xef\xbb\xbf", b" \r\n,,\r\n", b"\r\n;;\r\n\x1a", "\r\n".encode("utf-16")]
)
def test_a_file_without_text_is_empty(tmp_path, data):
    assert refused(tmp_path / "a.csv", data).code == "FILE_EMPTY"


def test_blank_lines_and_delimiters_alone_are_no_lines(tmp_path):
    blank = ' \r\n"",""\r\n\u3000,\xa0\r\n' * 1000
    rows, report = reading(
        tmp_path / "a.csv", (blank + TABLE + blank + TABLE).encode(), options=ReadOptions(max_rows=4)
    )
    assert [row.origin.row for row in rows] == [3002, 6004]
    assert [skip.why for skip in report.skipped] == ["blank", "header", "blank", "header"]


def test_too_many_rows_are_refused_before_they_are_read(tmp_path):
    """Broken quotes behind the limit show that nobody got there; records of several lines count once."""
    lines = f'张三,"{NUMBER}\n"\n' * 5
    assert len(read(tmp_path / "a.csv", f"姓名,身份证\n{lines}")) == 5
    few = ReadOptions(max_rows=5)
    problem = refused(tmp_path / "a.csv", f'姓名,身份证\n{lines}"'.encode(), options=few)
    assert (problem.code, problem.detail["limit"]) == ("FILE_TOO_LARGE", "5 rows")
    rows, _ = reading(tmp_path / "a.csv", f"姓名,身份证\n{lines}".encode(), options=ReadOptions(max_rows=6))
    assert len(rows) == 5


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"姓名,身份证\n张三,{NUMBER},{'x' * 40_000}", "FILE_SUSPICIOUS"),
        (f'姓名,身份证\n张三,{NUMBER},"{"x" * 40_000}"', "FILE_SUSPICIOUS"),
        (f'姓名,身份证\n张三,{NUMBER},"{"x" * 10_000_000}"', "FILE_SUSPICIOUS"),
        (f'姓名,身份证\n张三,"{"x" * 10_000_000}', "FILE_SUSPICIOUS"),
        ('姓名,身份证\n张三,"' + "x\n" * 2_000_000, "FILE_CORRUPT"),
        (f"姓名,身份证\n张三,{',' * 20_000}x", "FILE_SUSPICIOUS"),
        ("姓名,身份证\n" + "\r" * 6_000_000, "FILE_TOO_LARGE"),
        ('"' * 999_999, "FILE_CORRUPT"),
    ],
)
def test_what_is_too_long_is_refused_without_being_read(tmp_path, text, code):
    assert refused(tmp_path / "a.csv", text.encode()).code == code


def test_a_quote_that_never_closes_is_given_up_soon():
    handed_out = []
    lines = (handed_out.append(line) or line for line in itertools.repeat("x,y\n", 1_000_000))
    with pytest.raises(FileRefused):
        list(split_records(itertools.chain(['"张三,\n'], lines), ";"))
    assert len(handed_out) < 10_000


def test_a_file_of_too_many_bytes_is_not_looked_into():
    with pytest.raises(FileRefused) as caught:
        delimited_text.read(bytes(100_000_001), ColumnAliases.from_config({}))
    assert caught.value.code == "FILE_TOO_LARGE"


def test_a_cell_as_long_as_excel_allows_and_as_many_columns_are_read():
    (line,) = fields(f"张三,{'x' * 32_767}{',' * 16_382}末\n")
    assert (len(line[1]), len(line), line[-1]) == (32_767, 16_384, "末")


def test_a_file_over_the_limit_costs_little_time_and_memory(tmp_path):
    """2 s and 150 MB for 200,000 rows (issue 3), all of Python included; here a quarter of them."""
    line = f"0001,张三,{NUMBER},内科,13800138000,{'备注' * 20}\r\n".encode("gb18030")
    (tmp_path / "a.csv").write_bytes(TABLE.encode("gb18030") + line * 51_000)
    code = (
        "import re, resource, sys; from pathlib import Path; from pipeline.intake.read_rosters import read_rosters\n"
        "from pipeline.intake.readers.model import ReadOptions\n"
        "_, (report,) = read_rosters([Path(sys.argv[1])], options=ReadOptions(max_rows=50_000))\n"
        "print(report.codes[0])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_utime)\n"
        "print(re.search(r'VmHWM:\\s*(\\d+) kB', Path('/proc/self/status').read_text())[1])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.csv")]
    reported, seconds, kilobytes = subprocess.check_output(command, text=True).split()
    assert reported == "FILE_TOO_LARGE"
    assert int(kilobytes) < 80_000
    assert float(seconds) < 2  # 0.4 s on a quiet machine


def test_random_bytes_end_in_a_refusal_or_rows_and_in_nothing_else(tmp_path):
    chance = random.Random(3)
    ends = set()
    for _ in range(300):
        data = bytearray(encoded(TABLE, chance.choice(ENCODINGS)))
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.choice(b'\0",\r\n\xff\x80\x81\xd8\xe5')
        try:
            list(split_records(detect_charset(bytes(data)).lines(bytes(data), 1000), ","))
            ends.add("read")
        except FileRefused as refusal:
            ends.add(refusal.code)
    assert ends == {"read", "FILE_ENCODING", "FILE_CORRUPT"}
