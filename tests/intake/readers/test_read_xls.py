"""Old binary workbooks (.xls, .et): each cell with its own type at its own row, what is hidden, what is refused."""

from __future__ import annotations

import datetime as dt
import io
from contextlib import suppress
from struct import pack

import openpyxl
import pytest
import python_calamine
import xlwt
from biff_support import (
    BIFF5,
    bof,
    compound,
    formula,
    label,
    label5,
    number,
    record,
    sheet,
    special,
    stream,
    text8,
)
from desktop import convert
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import FileRefused
from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers import budget, calamine_bridge, xls
from pipeline.intake.readers.model import Merge
from pipeline.intake.readers.options import DEFAULT_OPTIONS, ReadOptions

NUMBER = "11010119900307123X"


def opened(data, **manner):
    """Return name -> (sheet, its lines) of a workbook."""
    book = xls.read(data, manner=ReadOptions(**manner))
    return {each.name: (each, list(each.lines)) for each in book.sheets}


def cells(data, name="A", **manner):
    """Return address -> (kind, value, shown) of a sheet, rows as Excel shows them, columns from 0."""
    _, lines = opened(data, **manner)[name]
    assert all(list(line.cells) == sorted(line.cells) for line in lines)
    assert [line.number for line in lines] == sorted({line.number for line in lines})
    return {
        (line.number, column): (cell.kind.value, cell.value, cell.display_text)
        for line in lines
        for column, cell in line.cells.items()
    }


def refused(data, **manner):
    with pytest.raises(FileRefused) as caught:
        opened(data, **manner)
    return caught.value


def saved(book):
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def written(*lines, name="内科"):
    """Write lines with xlwt; a pair is a value and its number format."""
    book = xlwt.Workbook(encoding="utf-8")
    page = book.add_sheet(name)
    for row, line in enumerate(lines):
        for column, value in enumerate(line):
            if isinstance(value, tuple):
                page.write(row, column, value[0], xlwt.easyxf(num_format_str=value[1]))
            elif value is not None:
                page.write(row, column, value)
    return saved(book)


def test_each_cell_has_its_own_type():
    day = dt.date(1990, 3, 7)
    found = cells(
        written(
            ("姓名", "身份证号", "工号", "生日"),
            ("张 三", NUMBER, (7, "000000"), (day, "yyyy-mm-dd")),
            ("李四𠮷", 110101199003071233, (7, '"YS"0000'), True),
            (None, None, 12.0, 1.5),
        ),
        "内科",
    )
    assert found == {
        (1, 0): ("text", "姓名", "姓名"),
        (1, 1): ("text", "身份证号", "身份证号"),
        (1, 2): ("text", "工号", "工号"),
        (1, 3): ("text", "生日", "生日"),
        (2, 0): ("text", "张 三", "张 三"),
        (2, 1): ("text", NUMBER, NUMBER),
        (2, 2): ("number", 7, "000007"),
        (2, 3): ("date", dt.datetime.fromisoformat("1990-03-07"), "1990-03-07"),
        (3, 0): ("text", "李四𠮷", "李四𠮷"),
        (3, 1): ("number", 110101199003071232.0, "1.10101E+17"),
        (3, 2): ("number", 7, "YS0007"),
        (3, 3): ("bool", True, "TRUE"),
        (4, 2): ("number", 12, "12"),
        (4, 3): ("number", 1.5, "1.5"),
    }


def test_an_xlsx_that_libreoffice_saves_as_xls_gives_equal_rows(tmp_path):
    """The same file under the name that WPS gives it (.et) is the same file."""
    book = openpyxl.Workbook()
    page = book.active
    page.title = "内科"
    page.append(["2026年医生名单"])
    page.merge_cells("A1:E1")
    page.append(["姓名", "身份证号", "工号", "入职日期", "备注"])
    for serial in range(120):
        page.append(
            [
                f"张{chr(0x4E00 + serial)}",
                f"1101011990030{serial:05}",
                serial,
                dt.date(2020, 1, 1 + serial % 28),
                None,
            ]
        )
        page.cell(serial + 3, 3).number_format = "000000"
    for row, value in enumerate(['=B5&"x"', "=1/0", "=1+1", True, 110101199003071233, 1.5, "𠮷"], 4):
        page.cell(row, 5).value = value
    page.row_dimensions[7].hidden = True
    page.column_dimensions["D"].hidden = True
    book.create_sheet("旧").sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    for target in ("xlsx:Calc MS Excel 2007 XML", "xls:MS Excel 97"):
        convert(tmp_path / "a.xlsx", target, tmp_path / "saved", tmp_path)
    (tmp_path / "saved" / "a.et").write_bytes((tmp_path / "saved" / "a.xls").read_bytes())
    seen = []
    for suffix in ("xlsx", "xls", "et"):
        rows, (report,) = read_rosters([tmp_path / "saved" / f"a.{suffix}"])
        assert report.status == "read"
        seen.append(
            (
                [(row.origin.sheet, row.origin.row, row.hidden) for row in rows],
                [
                    [(cell.column, cell.header, cell.kind, cell.display_text) for cell in row.cells]
                    for row in rows
                ],
                report.sheets,
                report.skipped,
                report.notes,
            )
        )
    assert len(seen[0][0]) == 120
    assert seen[0] == seen[1] == seen[2]


def test_leading_empty_rows_and_columns_keep_the_numbers():
    found = cells(compound(stream(sheet(label(4, 2, "姓名"), label(7, 3, "张三")))))
    assert list(found) == [(5, 2), (8, 3)]


def test_rows_in_any_order_stand_where_they_belong():
    """xlwt writes the rows in the order in which they were made: a title that was merged last comes last."""
    book = xlwt.Workbook(encoding="utf-8")
    page = book.add_sheet("A")
    for row in range(3, 0, -1):
        page.write(row, 0, f"张{row}")
    page.write(65_535, 30, "x")
    page.write_merge(0, 0, 0, 5, "2026年医生名单")
    found = cells(saved(book))
    assert {address: value for address, (_, value, _) in found.items()} == {
        (1, 0): "2026年医生名单",
        (2, 0): "张1",
        (3, 0): "张2",
        (4, 0): "张3",
        (65_536, 30): "x",
    }
    assert [place[0] for place in found] == sorted(place[0] for place in found)


@pytest.mark.parametrize("area", [1, 7, 40, 500_000])
def test_batches_join_without_a_seam(monkeypatch, area):
    monkeypatch.setattr(calamine_bridge, "_AREA", area)
    lines = [
        tuple(f"{row}.{column}" if (row + column) % 3 else row * column for column in range(5))
        for row in range(60)
    ]
    data = written(*[(*line, (row, "0000")) for row, line in enumerate(lines)])
    expected = (
        python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()
    )
    found = cells(data, "内科")
    assert {(row, column): value for (row, column), (_, value, _) in found.items()} == {
        (row, column): value for row, line in enumerate(expected, 1) for column, value in enumerate(line)
    }
    assert [found[row, 5][2] for row in range(1, 61)] == [f"{row:04}" for row in range(60)]


def test_batches_of_rows_in_no_order_join_too(monkeypatch):
    monkeypatch.setattr(calamine_bridge, "_AREA", 6)
    order = [7, 3, 9, 0, 4, 8, 1]
    rk = [record(0x027E, pack("<3HI", row, 1, 0, row << 2 | 2)) for row in order]
    texts = [
        formula(row, 0, special(0)) + record(0x0207, pack("<H", 2) + text8(f"{row:02}")) for row in order
    ]
    for body in (rk, rk + texts, [each for pair in zip(texts, rk, strict=True) for each in pair]):
        found = cells(compound(stream(sheet(*body))))
        assert found == {
            (row + 1, column): value
            for row in sorted(order)
            for column, value in enumerate([("text", f"{row:02}", f"{row:02}"), ("number", row, str(row))])
            if column or body != rk
        }


def test_errors_and_formulas_stand_at_their_cells():
    everything = [
        record(0x0205, pack("<3H2B", 1, 0, 0, 0x2A, 1)),
        record(0x0205, pack("<3H2B", 1, 1, 0, 1, 0)),
        formula(1, 2, special(2, 0x17)),
        formula(1, 3, special(1, 1)),
        formula(1, 4, special(3)),
        formula(1, 5, pack("<d", 2.5)),
        formula(1, 6, special(0)),
        record(0x04BC, bytes(10)),  # what several cells share of a formula
        record(0x0207, pack("<H", 2) + text8("王五")),
        formula(1, 7, special(0)),
        record(0x0207, pack("<H", 0) + b"\0"),
        formula(1, 8, special(0)),
        formula(1, 9, pack("<d", 0), options=3),
        formula(1, 10, pack("<d", 0)),
        formula(1, 11, pack("<d", 2.5), options=3),
        formula(1, 12, special(0)),
        record(0x027E, pack("<3HI", 1, 13, 0, 6)) * 2,
        record(0x0207, pack("<H", 1) + text8("x")),
    ]
    found = cells(compound(stream(sheet(*everything))))
    assert {column: cell for (_, column), cell in found.items()} == {
        0: ("error", "#N/A", "#N/A"),
        1: ("bool", True, "TRUE"),
        2: ("error", "#REF!", "#REF!"),
        3: ("bool", True, "TRUE"),
        5: ("number", 2.5, "2.5"),
        6: ("text", "王五", "王五"),
        8: ("no_value", None, ""),
        9: ("no_value", None, ""),
        10: ("number", 0, "0"),
        11: ("number", 2.5, "2.5"),
        12: ("no_value", None, ""),
        13: ("number", 1, "1"),
    }


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        (0, "#NULL!"),
        (7, "#DIV/0!"),
        (15, "#VALUE!"),
        (23, "#REF!"),
        (29, "#NAME?"),
        (36, "#NUM!"),
        (42, "#N/A"),
    ],
)
def test_every_error_is_named(code, shown):
    only = compound(stream(sheet(record(0x0205, pack("<3H2B", 9, 3, 0, code, 1)))))
    assert cells(only) == {(10, 3): ("error", shown, shown)}


def test_short_numbers_are_unpacked():
    rk = [(7 << 2 | 2, 7), (12345 << 2 | 3, 123.45), (-5 << 2 & 0xFFFF_FFFF | 2, -5), (0x3FF8_0000, 1.5)]
    many = pack("<2H", 2, 1) + b"".join(pack("<HI", 0, raw) for raw, _ in rk) + pack("<H", 4)
    singles = [record(0x027E, pack("<3HI", 0, column, 0, raw)) for column, (raw, _) in enumerate(rk)]
    found = cells(compound(stream(sheet(*singles, record(0x00BD, many)))))
    assert [value for _, value, _ in found.values()] == 2 * [value for _, value in rk]
    assert [address for address in found if address[0] == 3] == [(3, 1), (3, 2), (3, 3), (3, 4)]


@pytest.mark.parametrize("kind", ["NUMBER", "RK", "run", "MULRK", "FORMULA"])
def test_a_format_counts_for_every_kind_of_number(kind):
    formats = record(0x041E, pack("<2H", 164, 6) + text8("000000")) + b"".join(
        record(0x00E0, pack("<2H", 0, number_format) + bytes(16)) for number_format in (0, 164)
    )
    plain, padded = (pack("<3HI", 0, column, column, 7 << 2 | 2) for column in (0, 1))
    content = {
        "NUMBER": number(0, 0, 7) + number(0, 1, 7, 1),
        "RK": record(0x027E, plain) + record(0x0201, bytes(6)) + record(0x027E, padded),
        "run": record(0x027E, plain) + record(0x027E, padded),
        "MULRK": record(0x00BD, pack("<2H", 0, 0) + plain[4:] + padded[4:] + pack("<H", 1)),
        "FORMULA": formula(0, 0, pack("<d", 7)) + formula(0, 1, pack("<d", 7), style=1),
    }[kind]
    found = cells(compound(stream(sheet(content), extra=formats)))
    assert [shown for _, _, shown in found.values()] == ["7", "000007"]


def test_dates_since_1904():
    extra = record(0x0022, b"\x01\0") + record(0x00E0, pack("<2H", 0, 14) + bytes(16))
    found = cells(compound(stream(sheet(number(0, 0, 1)), extra=extra)))
    assert found[1, 0] == ("date", dt.datetime.fromisoformat("1904-01-02"), "1904-01-02")


def test_shared_texts_run_over_many_records():
    lines = [(f"张{row:05}" * 7, f"{row:05}" * 7) for row in range(2_000)]
    found = cells(written(*lines), "内科")
    assert [found[row, 0][1] for row in range(1, 2_001)] == [name for name, _ in lines]
    assert [found[row, 1][1] for row in range(1, 2_001)] == [serial for _, serial in lines]


def test_what_is_hidden_or_merged_is_told():
    book = xlwt.Workbook(encoding="utf-8")
    page = book.add_sheet("内科")
    page.write_merge(0, 0, 0, 2, "名单")
    page.write_merge(1, 3, 0, 0, "心内科")
    page.write(2, 1, "张三")
    page.row(2).hidden = True
    page.col(1).hidden = True
    page.col(4).hidden = True
    page.col(5).width = 9_000
    for visibility in (1, 2):
        hidden = book.add_sheet(f"旧{visibility}")
        hidden.visibility = visibility
        hidden.write(0, 0, "x")
    found = opened(saved(book))
    page, lines = found["内科"]
    assert sorted(page.merges) == [Merge(1, 1, 0, 2), Merge(2, 4, 0, 0)]
    assert page.hidden_columns == {1, 4}
    assert [(line.number, line.hidden) for line in lines] == [(1, False), (2, False), (3, True)]
    assert [(name, each.hidden, lines) for name, (each, lines) in found.items()][1:] == [
        ("旧1", True, []),
        ("旧2", True, []),
    ]


def test_charts_and_macros_are_no_sheets_and_charts_within_leak_nothing():
    chart = bof(0x0020) + number(0, 0, 99) + record(0x027E, pack("<3HI", 5, 0, 0, 6)) * 2 + record(0x000A)
    data = compound(
        stream(sheet(label(0, 0, "a"), chart, label(1, 0, "b")), sheet(), sheet(), types=b"\0\1\2")
    )
    assert [value for _, value, _ in cells(data).values()] == ["a", "b"]
    assert list(opened(data)) == ["A"]


@pytest.mark.parametrize("page", [936, 1252, 10008, 65001, 0xCAFE])
def test_the_code_page_of_a_new_file_does_not_count(page):
    """BIFF8 is UTF-16; writers copy a code page into it, which calamine believes."""
    data = compound(stream(sheet(label(0, 0, "姓名")), extra=record(0x0042, pack("<H", page))))
    assert cells(data)[1, 0][1] == "姓名"


@pytest.mark.parametrize("page", [936, None, 10008])
@pytest.mark.parametrize("kind", [0x0204, 0x00D6])
def test_excel_95_in_chinese(page, kind):
    extra = record(0x0042, pack("<H", page)) if page else b""
    text = "张三䶮".encode("gb18030")
    content = sheet(
        label5(0, 0, "姓名".encode("gbk"), kind),
        label5(1, 0, text, kind),
        formula(1, 1, special(0)),
        record(0x0207, pack("<H", 4) + "内科".encode("gbk")),
        number(1, 2, 3),
        version=BIFF5,
    )
    found = cells(compound(stream(content, extra=extra, version=BIFF5), "Book"))
    assert [value for _, value, _ in found.values()] == ["姓名", "张三䶮", "内科", 3]


def test_excel_95_with_formats_and_another_code_page():
    extra = record(0x0042, pack("<H", 950)) + record(0x041E, pack("<HB", 164, 4) + b"0000")
    extra += record(0x00E0, pack("<2H", 0, 164) + bytes(12))
    content = sheet(label5(0, 0, "張三".encode("big5")), number(1, 0, 7), version=BIFF5)
    found = cells(compound(stream(content, extra=extra, version=BIFF5), "Book"))
    assert [shown for _, _, shown in found.values()] == ["張三", "0007"]


def test_a_text_that_the_code_page_does_not_know_names_its_row():
    content = sheet(label5(4, 0, b"\xff\xff"), version=BIFF5)
    error = refused(compound(stream(content, version=BIFF5), "Book"))
    assert (error.code, error.detail) == ("FILE_ENCODING", {"line": "5"})
    unknown = stream(
        sheet(label5(4, 0, "张".encode("gbk")), version=BIFF5), extra=record(0x42, b"\xfe\xca"), version=BIFF5
    )
    assert refused(compound(unknown, "Book")).code == "FILE_ENCODING"


@pytest.mark.parametrize("version", [0, BIFF5])
def test_bare_records_of_one_sheet(version):
    """What Delphi programs of hospitals have written for decades; Excel opens it."""
    data = sheet(
        label5(0, 0, "姓名".encode("gbk")),
        label5(1, 0, "张三".encode("gbk")),
        number(1, 1, 7),
        version=version,
    )
    assert data.startswith(xls.BARE)
    found = cells(data, "Sheet1")
    assert [value for _, value, _ in found.values()] == ["姓名", "张三", 7]


def test_bare_records_of_a_workbook():
    data = stream(sheet(label(0, 0, "姓名")), sheet(label(0, 0, "x")))
    assert [value for _, value, _ in cells(data).values()] == ["姓名"]
    assert list(opened(data)) == ["A", "B"]


def test_pictures_are_told_of():
    container = pack("<2HI", 0x000F, 0xF000, 24) + pack("<2HI", 0, 0xF006, 0)
    none = compound(
        stream(sheet(label(0, 0, "a")), extra=record(0x00EB, container + pack("<2HI", 0x33, 0xF00B, 0)))
    )
    some = compound(
        stream(sheet(label(0, 0, "a")), extra=record(0x00EB, container + pack("<2HI", 0x1F, 0xF001, 0)))
    )
    assert xls.read(none, manner=DEFAULT_OPTIONS).notes == ()
    assert xls.read(some, manner=DEFAULT_OPTIONS).notes == (
        "pictures within .xls cannot be read: save it as .xlsx",
    )


def test_a_picture_in_a_wps_cell_is_one_that_cannot_be_had():
    content = sheet(label(0, 0, '=DISPIMG("ID_0",1)'), label(1, 0, "=_xlfn.DISPIMG(1)"), label(2, 0, "=x"))
    assert [kind for kind, _, _ in cells(compound(stream(content))).values()] == [
        "picture",
        "picture",
        "text",
    ]


def test_more_rows_than_allowed_are_refused_before_they_are_read():
    data = compound(stream(*[sheet(*[label(row, 0, "x") for row in range(6)])] * 2))
    assert len(cells(data, max_rows=12)) == 6
    with pytest.raises(FileRefused) as caught:
        xls.read(data, manner=ReadOptions(max_rows=11))
    assert (caught.value.code, caught.value.detail["limit"]) == ("FILE_TOO_LARGE", "11 rows")


@pytest.mark.parametrize("value", [special(0), special(1, 1), special(2, 42), pack("<d", 1)])
def test_rows_with_formulas_count(value):
    data = compound(stream(sheet(*[formula(row, 0, value) for row in range(3)])))
    assert len(cells(data, max_rows=3)) == 3
    assert refused(data, max_rows=2).code == "FILE_TOO_LARGE"


def test_rows_that_show_nothing_do_not_count():
    blanks = [record(0x0201, pack("<3H", row, 0, 0)) + formula(row, 1, special(3)) for row in range(50)]
    assert len(cells(compound(stream(sheet(label(0, 0, "x"), *blanks))), max_rows=1)) == 1


@pytest.mark.parametrize(
    "damage",
    [
        record(0x0203, bytes(13)),
        record(0x027E, bytes(9)),
        record(0x00FD, bytes(9)),
        record(0x0006, bytes(19)),
        record(0x0205, pack("<3H2B", 0, 0, 0, 0x55, 1)),
        formula(0, 0, special(7)),
        formula(0, 0, special(2, 0x55)),
        number(0, 0, float("nan")),
        number(0, 0, float("inf")),
        number(0, 16_384, 1),
        record(0x0204, pack("<4H", 0, 0, 0, 9) + text8("short")),
        2 * record(0x00FD, pack("<3HI", 0, 16_384, 0, 0)),
        record(0x00E5, b"\1"),
        record(0x0208, bytes(13)),
        record(0x7D, b"\1"),
        b"\x03\x02\xff\xff",
    ],
)
def test_damaged_cells_refuse_the_file(damage):
    assert refused(compound(stream(sheet(label(0, 0, "a"), damage)))).code == "FILE_CORRUPT"


@pytest.mark.parametrize(
    ("records", "code"),
    [
        (stream(sheet(label(0, 0, "a")))[:-4], "FILE_CORRUPT"),
        (stream(sheet(label(0, 0, "a")))[:-30], "FILE_CORRUPT"),
        (stream(label(0, 0, "a") + record(0x000A)), "FILE_CORRUPT"),
        (stream(label(0, 0, "a") + sheet()), "FILE_CORRUPT"),
        (bof(0x0100) + record(0x000A), "FILE_FORMAT"),
        (bof(5, 0x0400) + record(0x000A), "FILE_FORMAT"),
        (bof(5)[:-4], "FILE_CORRUPT"),
        (b"", "FILE_CORRUPT"),
        (stream(sheet(), extra=record(0x2F, b"\1\0")), "FILE_ENCRYPTED"),
        (stream(*[sheet()] * 1001), "FILE_SUSPICIOUS"),
        (
            stream(sheet(*[record(0x00E5, pack("<H", 1000) + pack("<4H", 0, 1, 0, 0) * 1000)] * 101)),
            "FILE_SUSPICIOUS",
        ),
        (stream(sheet(), extra=record(0xFC, bytes(8)) + record(0x3C, bytes(8000)) * 3800), "FILE_TOO_LARGE"),
    ],
)
def test_damaged_locked_and_hostile_workbooks_are_refused(records, code):
    assert refused(compound(records)).code == code


def test_one_merged_cell_is_none():
    (page, _) = opened(compound(stream(sheet(record(0x00E5, pack("<5H", 1, 2, 2, 1, 1))))))["A"]
    assert page.merges == []


def test_more_records_than_any_roster_has_are_refused(monkeypatch):
    monkeypatch.setattr(calamine_bridge, "_MAX_RECORDS", 30)
    cell = record(0x027E, pack("<3HI", 0, 0, 0, 2))
    assert cells(compound(stream(sheet(cell * 9))))
    for body in (cell * 12, record(0x0201, bytes(6)) * 12, cell * 40, record(0x0201, bytes(6)) * 40):
        assert refused(compound(stream(sheet(body)))).code in ("FILE_SUSPICIOUS", "FILE_CORRUPT")


def test_a_single_row_may_not_hold_a_book(monkeypatch):
    row = sheet(*[label(0, column, "x" * 100) for column in range(20)])
    monkeypatch.setattr(calamine_bridge, "_MAX_BODY", 2_000)
    assert refused(compound(stream(row))).code == "FILE_SUSPICIOUS"


def test_long_rows_are_parted(monkeypatch):
    monkeypatch.setattr(calamine_bridge, "_BODY", 300)
    lines = [label(row, column, f"{row}.{column}" * 20) for row in range(9) for column in range(3)]
    assert [value for _, value, _ in cells(compound(stream(sheet(*lines)))).values()] == [
        f"{row}.{column}" * 20 for row in range(9) for column in range(3)
    ]


def test_more_cells_than_any_roster_has_are_refused(monkeypatch):
    monkeypatch.setattr(budget, "MAX_CELLS", 5)
    assert len(cells(compound(stream(sheet(*[number(0, column, 1) for column in range(5)]))))) == 5
    many = record(0x00BD, pack("<2H", 0, 0) + pack("<HI", 0, 6) * 6 + pack("<H", 5))
    for content in ([number(0, column, 1) for column in range(6)], [many]):
        assert refused(compound(stream(sheet(*content)))).code == "FILE_TOO_LARGE"


def test_a_sheet_named_with_zeros():
    data = stream(sheet(label(0, 0, "a")))
    assert list(opened(compound(data.replace(b"\x01\0A", b"\x01\0\0")))) == [""]


def test_a_text_of_excel_95_that_is_a_book_is_refused():
    content = sheet(label5(2, 1, b"x" * 32_800), version=BIFF5)
    error = refused(compound(stream(content, version=BIFF5), "Book"))
    assert (error.code, error.detail["found"]) == ("FILE_SUSPICIOUS", "B3: 32800 characters")


def test_a_heap_of_records_too_short_for_any_is_refused():
    assert refused(xls.BARE[0]).code == "FILE_CORRUPT"


def placed(*rows, over=()):
    """Return a batch of these rows, and what is to be laid over its first column."""
    batch = calamine_bridge.Batch(10)
    for row in rows:
        batch.takes(row)
    batch.over |= {row: {0: calamine_bridge.NO_VALUE} for row in over}
    return batch


@pytest.mark.parametrize(
    "batches",
    [
        [placed(0, over=[3])],
        [placed(0, over=[1])],
        [placed(5, 6), placed(6, 7)],
        [placed(5, 6), placed(8, 4)],
        [placed(1)],
        [placed(0)],
    ],
)
def test_a_row_or_cell_out_of_place_is_noticed(batches):
    """It would give one person what belongs to another."""
    content = compound(stream(sheet(label(0, 0, "a"), label(1, 1, "b"))))
    reader = calamine_bridge.Reader(
        lambda _: content, calamine_bridge.Survey(), None, calamine_bridge.Budget(9)
    )
    with pytest.raises(FileRefused) as caught:
        list(reader.lines(iter(batches)))
    assert caught.value.code == "FILE_CORRUPT"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_damaged_byte_makes_the_reader_raise(data):
    """Wherever a byte turns over, in the compound file or in a record: cells or a refusal, never another exception."""
    content = bytearray(_WHOLE if data.draw(st.booleans()) else _RECORDS)
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    if len(content) == len(_RECORDS):
        content = compound(bytes(content))
    with suppress(FileRefused):
        opened(bytes(content))


_WHOLE = written(
    ("姓名", "身份证号", "工号"),
    ("张三", NUMBER, (7, "000000")),
    (xlwt.Formula("1"), 1.5, True),
    ("李四", 7, 8),
)
_RECORDS = xls.stream_of(_WHOLE)
