"""What one rare format alone has: code pages of old workbooks, lay-out of pages, white space of OpenDocument."""

from __future__ import annotations

import io
import zipfile
from struct import pack, pack_into, unpack, unpack_from

import pytest
import xlsb_support as xlsb
from biff_support import (
    BIFF5,
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
from format_support import XML2003_HEAD, list_cells, pack_ods, pack_xml2003, read_here
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from pipeline.domain.roster import Field
from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers.child.program import Refused
from pipeline.intake.readers.model import Merge
from pipeline.messages.catalogue import render_text

NUMBER = "11010119900307123X"
OTHER = "110101199003070011"
RECALC_ID = record(0x01C1, bytes(8))  # what Excel writes and xlwt does not


def shown(kind: str, data: bytes) -> list[str]:
    return [text for _, _, text in list_cells(kind, data).values()]


def read_file(tmp_path, data: bytes):
    (tmp_path / "a.xls").write_bytes(data)
    rows, (report,) = read_rosters([tmp_path / "a.xls"])
    return rows, report


# .xls


def test_values_of_formulas_are_read_from_all_three_records():
    """Apple Numbers and JExcelApi write 0x0406, others 0x0206."""
    plain = (
        formula(1, 0, special(0))
        + record(0x0207, pack("<H", 2) + text8("王五"))
        + formula(1, 1, pack("<d", 2.5))
    )
    for kind in (b"\x06\0", b"\x06\2", b"\x06\4"):
        cells = list_cells("xls", compound(stream(sheet(plain.replace(b"\x06\0", kind)), extra=RECALC_ID)))
        assert list(cells.values()) == [("text", "王五", "王五"), ("number", 2.5, "2.5")]


def test_an_empty_formula_has_no_value_where_no_program_computed_the_file():
    cells = sheet(
        label(0, 0, "姓名"),
        formula(1, 0, special(3)),
        formula(1, 1, bytes(8)),
    )
    assert list(list_cells("xls", compound(stream(cells))).values())[1:] == [
        ("no_value", None, ""),
        ("number", 0, "0"),
    ]
    assert list(list_cells("xls", compound(stream(cells, extra=RECALC_ID)))) == [(1, 0), (2, 1)]


@pytest.mark.parametrize("page", [936, None, 10008])
def test_excel_95_in_chinese(page):
    extra = record(0x0042, pack("<H", page)) if page else b""
    content = sheet(
        label5(0, 0, "姓名".encode("gbk")),
        label5(1, 0, "张三䶮".encode("gb18030")),
        number(1, 2, 3),
        version=BIFF5,
    )
    assert shown("xls", compound(stream(content, extra=extra, version=BIFF5), "Book")) == [
        "姓名",
        "张三䶮",
        "3",
    ]


def test_a_code_page_of_the_macintosh_is_known():
    extra = record(0x0042, pack("<H", 10029))
    content = sheet(label5(0, 0, "č".encode("mac_latin2")), version=BIFF5)
    assert shown("xls", compound(stream(content, extra=extra, version=BIFF5), "Book")) == ["č"]


@pytest.mark.parametrize("version", [0, BIFF5])
def test_bare_records_of_one_sheet_are_read(version, tmp_path):
    """What Delphi programs of hospitals have written for decades; Excel opens it."""
    texts = (("姓名", "身份证号"), ("张三", NUMBER))
    labels = [
        label5(row, column, text.encode("gbk"))
        for row, line in enumerate(texts)
        for column, text in enumerate(line)
    ]
    rows, report = read_file(tmp_path, sheet(*labels, version=version))
    assert (report.status, [cell.display_text for cell in rows[0].cells]) == ("read", ["张三", NUMBER])


def test_a_number_format_longer_than_its_record_costs_nothing():
    formats = record(0x041E, pack("<2H", 164, 60) + text8("0000")) + record(
        0x00E0, pack("<2H", 0, 164) + bytes(16)
    )
    assert list_cells("xls", compound(stream(sheet(number(0, 0, 7)), extra=formats)))[1, 0][:2] == (
        "number",
        7,
    )


def test_a_picture_in_a_wps_cell_is_one_that_cannot_be_had():
    content = sheet(label(0, 0, '=DISPIMG("ID_0",1)'), label(1, 0, "=x"))
    assert [kind for kind, _, _ in list_cells("xls", compound(stream(content))).values()] == [
        "picture",
        "text",
    ]


def test_pictures_of_a_workbook_are_noticed():
    def drawings(kind):
        container = (
            pack("<2HI", 0x000F, 0xF000, 24) + pack("<2HI", 0, 0xF006, 0) + pack("<2HI", 0x1F, kind, 0)
        )
        return compound(stream(sheet(label(0, 0, "a")), extra=record(0x00EB, container)))

    assert read_here("xls", drawings(0xF001))[0]["pictures"]
    assert not read_here("xls", drawings(0xF00B))[0]["pictures"]


def make_roster(*cells: bytes, extra: bytes = b"", after: bytes = b"") -> bytes:
    """Return a workbook with one doctor; ``extra`` stands in its globals, the cells behind the doctor's."""
    titles = label(0, 0, "姓名") + label(0, 1, "身份证号") + label(0, 2, "备注")
    return stream(sheet(titles, label(1, 0, "张三"), label(1, 1, NUMBER), *cells), extra=extra) + after


def link_sectors(content: bytes, links: dict[int, int]) -> bytes:
    """Return a compound file in which sectors are followed by others than before; 76 is where the chains' sector is named."""
    changed = bytearray(content)
    (chains,) = unpack_from("<I", content, 76)
    for sector, following in links.items():
        pack_into("<I", changed, 512 * (chains + 1) + 4 * sector, following)
    return bytes(changed)


def test_the_lay_out_of_phpexcel_is_read(tmp_path):
    """It chains the sectors of the small streams through those of the workbook, and each of them to the next."""
    content = bytearray(compound(make_roster(*[label(row, 2, "备" * 200) for row in range(2, 40)])))
    (directory,) = unpack_from("<I", content, 48)
    root = 512 * (directory + 1)
    pack_into(
        "<2I", content, root + 116, 0, 1_000_000
    )  # the root's stream begins where that of the workbook does
    rows, report = read_file(tmp_path, bytes(content))
    assert (report.status, rows[0].cells[0].display_text) == ("read", "张三")


@pytest.mark.parametrize(
    "links",
    [
        {4: 2},  # a circle
        {4: 0xFFFFFFFE},  # cut off
        {4: 0xFFFFFFFF},
        {4: 10_000},  # behind the last sector
    ],
)
def test_a_workbook_whose_sectors_are_not_all_there_is_refused(tmp_path, links):
    content = compound(make_roster(*[label(row, 2, "备" * 200) for row in range(2, 40)]))
    assert read_file(tmp_path, content)[1].status == "read"
    _, report = read_file(tmp_path, link_sectors(content, links))
    assert (report.codes, render_text(report.problems[0].detail["found"], "zh")) == (
        ("FILE_CORRUPT",),
        "Workbook 数据流不完整",
    )


@pytest.mark.parametrize(
    ("offset", "mark"),
    [(28, b"\xff\xfe"), (8, b"x" * 16)],
)
def test_marks_of_a_container_that_mean_nothing_cost_nothing(tmp_path, offset, mark):
    """Byte order and class of the container: some libraries write them wrongly, and Excel does not look."""
    content = compound(make_roster())
    content = content[:offset] + mark + content[offset + len(mark) :]
    assert read_file(tmp_path, content)[1].status == "read"


@pytest.mark.parametrize("kind", [0x0017, 0x0018, 0x0023, 0x005C, 0x008C, 0x0092, 0x01AE, 0x0293])
def test_damage_in_names_links_and_styles_costs_nothing(tmp_path, kind):
    rows, report = read_file(tmp_path, compound(make_roster(extra=record(kind, b"\1"))))
    assert (report.status, len(rows)) == ("read", 1)


def test_a_name_that_cannot_be_evaluated_costs_nothing(tmp_path):
    name = pack("<H2B2H2H4B", 0, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0) + b"\0a\x2d\1\2\3\4"
    assert read_file(tmp_path, compound(make_roster(extra=record(0x0018, name))))[1].status == "read"


@pytest.mark.parametrize(
    "kind",
    [
        0x001A, 0x001B, 0x001C, 0x0041, 0x0055, 0x005D, 0x0099, 0x00A0, 0x00AB, 0x015F, 0x01B0, 0x01B1, 0x01B6, 0x01B8,
        0x023E, 0x0800,
    ],
)  # fmt: skip
def test_damage_in_notes_views_and_rules_costs_nothing(tmp_path, kind):
    rows, report = read_file(tmp_path, compound(make_roster(record(kind, b"\1"))))
    assert (report.status, len(rows)) == ("read", 1)


def test_a_text_with_damaged_runs_of_excel_95_is_read():
    text = "张三".encode("gbk")
    content = sheet(label5(0, 0, text + b"\x09\1", kind=0x00D6), version=BIFF5)
    broken = content.replace(pack("<H", len(text) + 2) + text, pack("<H", len(text)) + text)
    assert shown("xls", compound(stream(broken, version=BIFF5), "Book")) == ["张三"]


def shared(row: int, column: int, position: int) -> bytes:
    return record(0x00FD, pack("<3HI", row, column, 0, position))


def make_texts(*texts: str, count: int, cut: int | None = None, between: bytes = b"") -> bytes:
    """Return a table of texts, which goes on in another record behind so many bytes."""
    body = b"".join(pack("<H", len(text)) + text8(text) for text in texts)
    head = pack("<2I", count, count)
    if cut is None:
        return record(0x00FC, head + body)
    return record(0x00FC, head + body[:cut]) + between + record(0x003C, body[cut:])


TEXTS = ("姓名", "身份证号", "张三", NUMBER)
CELLS = (shared(0, 0, 0), shared(0, 1, 1), shared(1, 0, 2), shared(1, 1, 3))


@pytest.mark.parametrize("count", [0, 3, 5, 4, 100_000, 2**32 - 1])
def test_a_wrong_number_of_texts_is_noted(tmp_path, count):
    data = compound(stream(sheet(*CELLS), extra=make_texts(*TEXTS, count=count)))
    rows, report = read_file(tmp_path, data)
    assert [cell.display_text for cell in rows[0].cells] == ["张三", NUMBER]
    note = "the workbook states a wrong number of texts; the texts were read as they are"
    assert list(report.notes) == ([] if count == 4 else [note])


def test_a_text_that_is_not_there_refuses_the_file(tmp_path):
    for position in (4, -1, 2**31 - 1):
        cells = (*CELLS, record(0x00FD, pack("<3Hi", 1, 2, 0, position)))
        data = compound(stream(sheet(*cells), extra=make_texts(*TEXTS, count=5)))
        assert read_file(tmp_path, data)[1].codes == ("FILE_CORRUPT",), position


def test_a_text_goes_on_in_the_next_record_in_the_width_that_it_has_there(tmp_path):
    body = pack("<2I", 4, 4) + b"".join(pack("<H", len(text)) + text8(text) for text in TEXTS[:3])
    number_begun = pack("<H", 18) + text8(NUMBER[:5], wide=False)
    runs = (
        pack("<HBHI", 2, 0x0D, 1, 3) + "李四".encode("utf-16-le") + bytes(2)
    )  # ends behind the first two bytes of a run
    extra = (
        record(0x00FC, body + number_begun)
        + record(0x003C)
        + record(0x003C, text8(NUMBER[5:]) + runs)
        + record(0x003C, bytes(2 + 3) + pack("<H", 2) + text8("王五"))
    )
    cells = (*CELLS, shared(2, 0, 4), shared(2, 1, 3), shared(3, 0, 5), shared(3, 1, 3))
    rows, _ = read_file(tmp_path, compound(stream(sheet(*cells), extra=extra)))
    assert [row.cells[0].display_text for row in rows] == ["张三", "李四", "王五"]
    assert {row.cells[1].display_text for row in rows} == {NUMBER}


def test_an_empty_formula_has_a_value_where_another_one_has():
    """Excel 97 and 2000 write no RECALCID; xlwt gives no formula a value."""
    computed = sheet(formula(0, 0, special(3)), formula(1, 0, pack("<d", 2.5)))
    assert list(list_cells("xls", compound(stream(computed))).values()) == [("number", 2.5, "2.5")]
    errors = sheet(formula(0, 0, special(3)), formula(1, 0, special(2, 0x17)), formula(1, 1, special(1, 1)))
    assert list(list_cells("xls", compound(stream(errors))).values()) == [
        ("error", "#REF!", "#REF!"),
        ("bool", True, "TRUE"),
    ]
    other_sheet = stream(
        sheet(formula(0, 0, special(3)), label(1, 0, "a")), sheet(formula(0, 0, special(1, 1)))
    )
    assert list(list_cells("xls", compound(other_sheet)).values()) == [("text", "a", "a")]


@pytest.mark.parametrize(
    ("records", "code"),
    [
        (stream(sheet(label(0, 0, "a")))[:-4], "FILE_CORRUPT"),
        (stream(sheet(label(0, 0, "a")))[:-30], "FILE_CORRUPT"),
        (stream(sheet(), extra=record(0x2F, b"\1\0" + bytes(4))), "FILE_ENCRYPTED"),
        (stream(sheet(record(0x0205, pack("<3H2B", 0, 0, 0, 0x55, 1)))), "FILE_CORRUPT"),
        (stream(sheet(number(0, 16_384, 1))), "FILE_CORRUPT"),
    ],
)
def test_damaged_and_locked_old_workbooks_are_refused(tmp_path, records, code):
    assert read_file(tmp_path, compound(records))[1].codes == (code,)


# .xlsb


def write_xlsb(*records: bytes, **options) -> bytes:
    file = io.BytesIO()
    xlsb.write(file, [("内科", xlsb.sheet(*records))], ["姓名", "张三"], **options)
    return file.getvalue()


def test_errors_of_binary_workbooks_stand_in_their_cells():
    data = write_xlsb(
        xlsb.row(1), xlsb.shared(1, 0), xlsb.cell(3, 4, b"\x17"), xlsb.cell(11, 5, b"\x2a" + bytes(10)),
        xlsb.row(4), xlsb.cell(3, 2, b"\x2a"),
    )  # fmt: skip
    assert list_cells("xlsb", data) == {
        (2, 1): ("text", "姓名", "姓名"),
        (2, 4): ("error", "#REF!", "#REF!"),
        (2, 5): ("error", "#N/A", "#N/A"),
        (5, 2): ("error", "#N/A", "#N/A"),
    }


def test_formats_of_whole_numbers_count():
    style = xlsb.styles("yyyy-mm-dd", "0000")
    data = write_xlsb(
        xlsb.row(0), xlsb.whole(0, 32939, 1), xlsb.whole(1, 7, 2), xlsb.real(2, 32939.5, 1), style=style
    )
    assert shown("xlsb", data) == ["1990-03-07", "0007", "1990-03-07 12:00:00"]


def test_cells_that_excel_does_not_write_are_read():
    """Texts with runs, and cells without a column, which stand behind the one before."""
    data = write_xlsb(
        xlsb.row(0), xlsb.shared(1, 0), xlsb.record(17, bytes(4) + xlsb.wide("短")), xlsb.record(12, bytes(4)),
        xlsb.record(14, bytes(4) + b"\x2a"), xlsb.record(13, bytes(4) + pack("<I", 7 << 2 | 2)),
        xlsb.row(1), xlsb.record(16, bytes(4) + pack("<d", 2.5)), xlsb.record(15, bytes(4) + b"\1"),
        xlsb.record(18, bytes(4) + pack("<I", 1)), xlsb.cell(62, 5, b"\1" + xlsb.wide("王五") + bytes(8)),
    )  # fmt: skip
    assert list_cells("xlsb", data) == {
        (1, 1): ("text", "姓名", "姓名"),
        (1, 2): ("text", "短", "短"),
        (1, 4): ("error", "#N/A", "#N/A"),
        (1, 5): ("number", 7, "7"),
        (2, 0): ("number", 2.5, "2.5"),
        (2, 1): ("bool", True, "TRUE"),
        (2, 2): ("text", "张三", "张三"),
        (2, 5): ("text", "王五", "王五"),
    }


@pytest.mark.parametrize(
    ("bits", "shown_text"),
    [
        (110101 << 2 | 2, "110101"),
        (-7 << 2 | 2, "-7"),
        (12345 << 2 | 3, "123.45"),
        (unpack("<2i", pack("<d", 2.5))[1], "2.5"),
        (unpack("<2i", pack("<d", -250.0))[1] | 1, "-2.5"),
        (-(2**29) << 2 | 2, "-536870912"),
    ],
)
def test_a_number_of_thirty_bits(bits, shown_text):
    assert shown("xlsb", write_xlsb(xlsb.row(0), xlsb.cell(2, 0, pack("<i", bits)))) == [shown_text]


def test_a_binary_number_below_zero_is_no_time_of_day():
    data = write_xlsb(xlsb.row(0), xlsb.real(0, -12345.6789, 1), style=xlsb.styles("yyyy-mm-dd"))
    assert [kind for kind, _, _ in list_cells("xlsb", data).values()] == ["number"]


def test_formulas_of_binary_workbooks_have_values_of_each_type():
    rest = pack("<HI", 0, 0)
    data = write_xlsb(
        xlsb.row(0), xlsb.cell(8, 0, xlsb.wide("王五") + rest), xlsb.cell(8, 1, xlsb.wide("") + rest),
        xlsb.cell(9, 2, pack("<d", 7) + rest), xlsb.cell(10, 3, b"\0" + rest), xlsb.cell(11, 4, b"\x07" + rest),
        xlsb.cell(1, 5, b""),
    )  # fmt: skip
    assert [(kind, text) for kind, _, text in list_cells("xlsb", data).values()] == [
        ("text", "王五"),
        ("number", "7"),
        ("bool", "FALSE"),
        ("error", "#DIV/0!"),
    ]


@pytest.mark.parametrize(
    "cell",
    [
        xlsb.shared(0, 2),
        xlsb.shared(0, 2**32 - 1),
        xlsb.cell(3, 0, b"\x99"),
        xlsb.cell(5, 0, bytes(7)),
        xlsb.cell(6, 0, pack("<I", 9) + b"a\0"),
    ],
)
def test_cells_of_binary_workbooks_that_make_no_sense_refuse_the_file(tmp_path, cell):
    assert read_file(tmp_path, write_xlsb(xlsb.row(0), cell))[1].codes == ("FILE_CORRUPT",)


def test_binary_rows_and_cells_out_of_order_refuse_the_file(tmp_path):
    for cells in (
        (xlsb.row(1), xlsb.text(0, "a"), xlsb.row(0), xlsb.text(0, "b")),
        (xlsb.row(0), xlsb.text(1, "a"), xlsb.text(0, "b")),
        (xlsb.row(0), xlsb.text(0, "a"), xlsb.row(0), xlsb.text(1, "b")),
        (xlsb.row(1_048_576), xlsb.text(0, "a")),
    ):
        assert read_file(tmp_path, write_xlsb(*cells))[1].codes == ("FILE_CORRUPT",), cells
    assert read_file(tmp_path, write_xlsb(xlsb.row(0), xlsb.text(16_384, "a")))[1].codes == (
        "FILE_SUSPICIOUS",
    )


def test_the_parts_of_a_binary_workbook_are_found_by_relationship(tmp_path):
    """Their names are compared without case; the workbook may have another name, and no texts and no styles."""
    source = zipfile.ZipFile(io.BytesIO(write_xlsb(xlsb.row(0), xlsb.text(0, "姓名"), xlsb.text(1, "身份证号"),
                                                   xlsb.row(1), xlsb.text(0, "张三"), xlsb.text(1, NUMBER))))  # fmt: skip
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as package:
        for name in source.namelist():
            if "sharedStrings" not in name and "styles" not in name:
                part = source.read(name).replace(b"xl/workbook.bin", b"xl/book.bin")
                package.writestr(name.replace("workbook.bin", "book.bin").replace("/sheet", "/Sheet"), part)
    rows, report = read_file(tmp_path, file.getvalue())
    assert (report.status, len(rows)) == ("read", 1)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(
            st.one_of(
                st.text(st.characters(codec="utf-16-le"), min_size=1),
                st.booleans(),
                st.integers(-(2**29), 2**29 - 1),
            ),
            min_size=1,
            max_size=5,
        ),
        min_size=1,
        max_size=5,
    )
)
def test_calamine_reads_the_same_of_a_binary_workbook(lines):
    records = []
    for number_of_row, line in enumerate(lines):
        records.append(xlsb.row(number_of_row))
        for column, value in enumerate(line):
            if isinstance(value, bool):
                records.append(xlsb.cell(4, column, bytes((value,))))
            else:
                records.append(
                    xlsb.text(column, value) if isinstance(value, str) else xlsb.whole(column, value)
                )
    data = write_xlsb(*records)
    expected = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()
    assert {position: value for position, (_, value, _) in list_cells("xlsb", data).items()} == {
        (row, column): value
        for row, line in enumerate(expected, 1)
        for column, value in enumerate(line[: len(lines[row - 1])])
    }


def test_a_binary_sheet_that_breaks_off_is_refused():
    whole = xlsb.sheet(xlsb.row(0), xlsb.text(0, "姓名"), xlsb.row(1), xlsb.text(0, "张三"))
    for cut in range(1, len(whole)):
        file = io.BytesIO()
        xlsb.write(file, [("内科", whole[:-cut])])
        with pytest.raises((Refused, IndexError, ValueError)):
            read_here("xlsb", file.getvalue())


# .ods


def ods_cell(inside: str, attributes: str = 'office:value-type="string"') -> bytes:
    cell = f"<table:table-cell {attributes}>{inside}</table:table-cell>"
    return pack_ods(f"<table:table><table:table-row>{cell}</table:table-row></table:table>")


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("张  三", "张 三"),
        ("\n  张三\n ", "张三 "),
        ('张<text:s text:c="2"/>三', "张  三"),
        ("张<text:tab/>三<text:line-break/>四", "张\t三\n四"),
        ("<text:span>张</text:span> <text:span> 三</text:span>", "张 三"),
        (
            "张<text:ruby><text:ruby-base>三</text:ruby-base><text:ruby-text>sān</text:ruby-text></text:ruby>",
            "张三",
        ),
        ("张<office:annotation><text:p>批注</text:p></office:annotation>三", "张三"),
        ("张<draw:frame><draw:text-box><text:p>图</text:p></draw:text-box></draw:frame>三", "张三"),
        ("张<!-- 注 -->三<![CDATA[<]]>&amp;&#x4E00;", "张三<&一"),
    ],
)
def test_the_text_of_a_paragraph(inside, expected):
    assert shown("ods", ods_cell(f"<text:p>{inside}</text:p>")) == [expected]


@pytest.mark.parametrize(
    ("attributes", "paragraph", "expected"),
    [
        (
            'office:value-type="float" office:value="640104197706244288"',
            "6.4E+017",
            ("number", "6.40104E+17"),
        ),
        ('office:value-type="float" office:value="7"', "A007号", ("number", "A007号")),
        ('office:value-type="percentage" office:value="0.07"', "7%", ("number", "0.07")),
        (
            'office:value-type="date" office:date-value="2026-02-03T04:05:06.789"',
            "x",
            ("date", "2026-02-03 04:05:06"),
        ),
        ('office:value-type="date" office:date-value="-0044-03-15"', "前44年", ("text", "前44年")),
        ('office:value-type="time" office:time-value="PT23H59M59S"', "x", ("date", "23:59:59")),
        ('office:value-type="time" office:time-value="PT50H00M00S"', "50:00:00", ("text", "50:00:00")),
        ('office:value-type="string" office:string-value="张三"', "张三医生", ("text", "张三")),
        ('office:value-type="string" calcext:value-type="error"', "Err:502", ("error", "Err:502")),
        ('table:formula="of:=NA()" office:value-type="string"', "#N/A", ("error", "#N/A")),
        ('office:value-type="string"', "#N/A", ("text", "#N/A")),  # typed by a person
    ],
)
def test_types_of_opendocument(attributes, paragraph, expected):
    ((kind, _, text),) = list_cells("ods", ods_cell(f"<text:p>{paragraph}</text:p>", attributes)).values()
    assert (kind, text) == expected


@pytest.mark.parametrize("value", ["x", "1_000", "١٢"])
def test_a_number_of_opendocument_that_is_none_refuses_the_file(value):
    with pytest.raises(ValueError, match=value):
        list_cells("ods", ods_cell("", f'office:value-type="float" office:value="{value}"'))


def test_rows_and_cells_that_repeat_stand_where_they_are_seen():
    repeat = 'table:number-{}-repeated="{}"'.format
    text = "<text:p>同</text:p>"
    data = pack_ods(
        f"<table:table><table:table-row {repeat('rows', 4)}><table:table-cell {repeat('columns', 16384)}/></table:table-row>"
        f"<table:table-row {repeat('rows', 2)}><table:table-cell {repeat('columns', 2)}/>"
        f"<table:table-cell {repeat('columns', 2)}>{text}</table:table-cell></table:table-row>"
        f"<table:table-row {repeat('rows', 1048000)}><table:table-cell/></table:table-row></table:table>"
    )
    assert list(list_cells("ods", data)) == [(5, 2), (5, 3), (6, 2), (6, 3)]


def test_folded_groups_are_hidden_and_tables_within_cells_are_not_read():
    row = (
        "<table:table-row><table:table-cell><text:p>{}</text:p>{}</table:table-cell></table:table-row>".format
    )
    inner = f"<table:table><table:table-row-group>{row('里', '')}</table:table-row-group></table:table>"
    data = pack_ods(
        f'<table:table>{row("一", inner)}<table:table-row-group table:display="false">{row("二", "")}</table:table-row-group>'
        f"<office:forms>{row('表单', '')}</office:forms><table:shapes>{row('图', '')}</table:shapes>{row('三', '')}</table:table>"
        f"<table:dde-links><table:table>{row('旧', '')}</table:table></table:dde-links>"
    )
    _, ((_, lines),) = read_here("ods", data)
    assert [(line.cells[0].display_text, line.hidden) for line in lines] == [
        ("一", False),
        ("二", True),
        ("三", False),
    ]


def test_a_locked_spreadsheet_and_a_text_document_are_named(tmp_path):
    locked = pack_ods("", manifest="<manifest:encryption-data/>")
    assert read_file(tmp_path, locked)[1].codes == ("FILE_ENCRYPTED",)
    with pytest.raises(Refused, match="FILE_FORMAT"):
        read_here("ods", zip_of("content.xml", "<office:document-content xmlns:office='urn:x'/>"))


def zip_of(name: str, text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, text)
    return file.getvalue()


def change_parts(data: bytes, **parts: str | None) -> bytes:
    """Return a package with other parts, or without those that are None; ``_`` stands for the dot of their names."""
    source = zipfile.ZipFile(io.BytesIO(data))
    contents: dict[str, str | bytes | None] = {name: source.read(name) for name in source.namelist()}
    contents |= {name.replace("_", "."): text for name, text in parts.items()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            if content is not None:
                archive.writestr(name, content)
    return file.getvalue()


def make_ods_roster(manifest: str = "") -> bytes:
    lines = (("姓名", "身份证号"), ("张三", NUMBER))
    rows = "".join(
        "<table:table-row>"
        + "".join(f"<table:table-cell><text:p>{text}</text:p></table:table-cell>" for text in line)
        + "</table:table-row>"
        for line in lines
    )
    return pack_ods(f"<table:table>{rows}</table:table>", manifest=manifest)


def test_damage_in_parts_of_opendocument_that_hold_no_cell_costs_nothing(tmp_path):
    parts = dict.fromkeys(
        ("meta_xml", "styles_xml", "settings_xml", "manifest_rdf"), "<office:document-meta><office"
    )
    rows, report = read_file(tmp_path, change_parts(make_ods_roster(), **parts))
    assert (report.status, len(rows)) == ("read", 1)


@pytest.mark.parametrize(
    ("kind", "codes"), [("spreadsheet", ()), ("spreadsheet-template", ()), ("text", ("FILE_FORMAT",))]
)
def test_a_package_of_opendocument_without_its_mark_is_known_by_its_manifest(tmp_path, kind, codes):
    entry = f'<manifest:file-entry manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.{kind}"/>'
    data = change_parts(make_ods_roster(entry), mimetype=None)
    assert read_file(tmp_path, data)[1].codes == codes


# Excel 2003 XML


def xml_cell(data: str, head: str = XML2003_HEAD) -> bytes:
    return pack_xml2003(
        f'<Worksheet ss:Name="内科"><Table><Row><Cell>{data}</Cell></Row></Table></Worksheet>', head=head
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            '<Data ss:Type="DateTime">1899-12-31T288:00:00.000</Data>',
            ("text", "1899-12-31T288:00:00.000"),
        ),  # LibreOffice
        ('<Data ss:Type="DateTime">1990-03-07T00:00:00.000</Data>', ("date", "1990-03-07")),
        (
            '<Comment><ss:Data><html:B>旧</html:B></ss:Data></Comment><ss:Data ss:Type="String"><html:B>张</html:B>三</ss:Data>',
            ("text", "张三"),
        ),
        ('<Data ss:Type="Number">110101199003071233</Data>', ("number", "1.10101E+17")),
        ("<Data>x</Data>", ("text", "x")),
    ],
)
def test_types_of_excel_2003(data, expected):
    ((kind, _, text),) = list_cells("xml2003", xml_cell(data)).values()
    assert (kind, text) == expected


@pytest.mark.parametrize("before", ["", "\n \t", "\ufeff", "\ufeff\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb2312", "utf-16"])
def test_a_workbook_in_xml_is_read_in_its_encoding_and_after_white_space(tmp_path, before, encoding):
    row = "".join(f'<Cell><Data ss:Type="String">{text}</Data></Cell>' for text in ("{}", "{}"))
    table = f"<Row>{row}</Row><Row>{row}</Row>".format("姓名", "身份证号", "张三", NUMBER)
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    text = pack_xml2003(f'<Worksheet ss:Name="内科"><Table>{table}</Table></Worksheet>', head=head).decode()
    if encoding == "gb2312":
        before = before.replace("\ufeff", "")
    rows, report = read_file(tmp_path, (before + text).encode(encoding))
    assert (report.status, [cell.display_text for cell in rows[0].cells]) == ("read", ["张三", NUMBER])


@pytest.mark.parametrize(
    "row",
    [
        '<Row><Cell ss:Index="2"/><Cell ss:Index="2"/></Row>',
        '<Row ss:Index="2"/><Row ss:Index="2"/>',
        '<Row><Cell ss:Index="16385"/></Row>',
        '<Row><Cell ss:MergeDown="-1"/></Row>',
        '<Row><Cell><Data ss:Type="Number">x</Data></Cell></Row>',
    ],
)
def test_cells_of_excel_2003_that_make_no_sense_refuse_the_file(row):
    with pytest.raises((Refused, ValueError)):
        read_here("xml2003", pack_xml2003(f'<Worksheet ss:Name="a"><Table>{row}</Table></Worksheet>'))


# HTML


def page_cells(text: str) -> list[dict[int, str]]:
    _, ((_, lines),) = read_here("html", text.encode())
    return [{column: cell.display_text for column, cell in line.cells.items()} for line in lines]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("  张\n\t 三 ", "张 三"),
        ("张<br>三<BR/>四", "张\n三\n四"),
        ("<p>张三</p><p>李四</p>", "张三\n李四"),
        ("张&nbsp;三&#x4E00;&#20108;&lt;&amp;lt;", "张\xa0三一二<&lt;"),
        ("张<!-- 注<td> -->三<![if x]>四<![endif]>", "张三四"),
        ("张<script>if (a<b) '</td>'</script>三<style>.a{}</style>", "张三"),
        ('张<span style="display:none">藏<span>深</span></span>三', "张三"),
        ("张<i hidden>藏</i>三<comment>批注</comment>", "张三"),
        ("<table><tr><td>张三</td></tr></table>", "张三"),
        ("=&quot;0012&quot;", '="0012"'),
        ("1 < 2 && 3<4", "1 < 2 && 3<4"),
    ],
)
def test_the_text_of_a_cell_of_a_page(inside, expected):
    assert page_cells(f"<table><tr><td>{inside}</td><td>末</td></tr></table>") == [{0: expected, 1: "末"}]


def test_tags_that_are_left_out_are_supplied():
    assert page_cells("<table><tr><td>一<td>二<tr><td>三</table>") == [{0: "一", 1: "二"}, {0: "三"}]
    assert page_cells("<TABLE><THEAD><TR><TH>一</TH><TBODY><TD>二<TD>三</TBODY></TABLE>") == [
        {0: "一"},
        {0: "二", 1: "三"},
    ]
    assert page_cells("<tr><td>一<tr><td>二") == [{0: "一"}, {0: "二"}]
    assert page_cells("<table><tr/><tr><td/><td x/>一</table>") == [{1: "一"}]


def test_cells_are_laid_out_as_a_browser_does():
    text = (
        "<table><tr><td colspan=3>题</td></tr><tr><td rowspan=3>甲</td><td colspan='2'>乙</td><td>丙</td></tr>"
        "<tr><td>一</td><td rowspan=2 colspan=2>二</td></tr><tr><td>三</td><td>四</td></tr></table>"
    )
    assert page_cells(text) == [
        {0: "题"},
        {0: "甲", 1: "乙", 3: "丙"},
        {1: "一", 2: "二"},
        {1: "三", 4: "四"},
    ]
    _, ((sheet_read, _),) = read_here("html", text.encode())
    assert sorted(sheet_read.merges) == [
        Merge(1, 1, 0, 2),
        Merge(2, 2, 1, 2),
        Merge(2, 4, 0, 0),
        Merge(3, 4, 2, 3),
    ]
    section = (
        "<table><thead><tr><td rowspan=9>一<td>二</thead><tbody><tr><td rowspan=0>三<td>四<tr><td>五</table>"
    )
    assert page_cells(section) == [{0: "一", 1: "二"}, {0: "三", 1: "四"}, {1: "五"}]


def test_rows_are_numbered_over_the_whole_page():
    text = (
        "<table><tr><td>甲<tr><td><table><tr><td>一<td>二<tr><td>三</table><td>乙<tr></tr><tr><td>丙</table>"
        "<table><tr><td>丁<td>戊</table>"
    )
    _, sheets = read_here("html", text.encode())
    assert [[line.number for line in lines] for _, lines in sheets] == [[1, 2, 6], [3, 4], [7]]


def test_each_table_of_a_page_is_read_by_itself(tmp_path):
    """The relatives in a second table are never doctors of the first one's header."""
    head = "<tr><th>姓名<th>身份证号"
    relatives = f"<table><tr><td>家属姓名<td>家属身份证号<tr><td>王五<td>{OTHER}</table>"
    text = f"<table>{head}<tr><td>张三<td>{NUMBER}</table>{relatives}<table><tr><td>姓名<td>身份证<tr><td>李四<td>{OTHER}</table>"
    rows, report = read_file(tmp_path, text.encode())
    assert [(row.fields[Field.NAME].value, row.origin.row) for row in rows] == [("张三", 2), ("李四", 6)]
    assert report.notes == ("3 tables: each is read by itself",)


@pytest.mark.parametrize(
    "head", ["<thead><tr><td>姓名</td><td>身份证号</td></tr></thead>", "<tr><td>姓名<td>身份证号"]
)
def test_a_header_in_a_table_of_its_own_is_that_of_the_next(tmp_path, head):
    text = f"<table>{head}</table><table><tr><td>张三<td>{NUMBER}<tr><td>李四<td>{OTHER}</table>"
    rows, report = read_file(tmp_path, text.encode())
    assert ([row.origin.row for row in rows], len(report.sheets)) == ([2, 3], 1)


@pytest.mark.parametrize(
    ("attributes", "text", "expected"),
    [
        ('x:num="110101199003070000"', "1.10101E+17", ("number", 110101199003070000)),
        ("x:num", "110101199003070011", ("number", 110101199003070011)),  # a double once Excel had it
        ('x:num="12"', "0012", ("number", 12)),
        ("x:num", "张三", ("text", "张三")),
        (
            'sdval="6.40104197706244E+017" sdnum="2052;"',
            "640104197706244000",
            ("number", 6.40104197706244e17),
        ),
        ('sdval="0" sdnum="2052;"', "#N/A", ("error", "#N/A")),
        ('x:err="#REF!"', "#REF!", ("error", "#REF!")),
        ("x:str", NUMBER, ("text", NUMBER)),
        ("", "110101199003071000", ("text", "110101199003071000")),
        ("align=right", "#N/A", ("text", "#N/A")),
    ],
)
def test_a_cell_of_a_page_is_text_unless_a_program_wrote_what_it_was(attributes, text, expected):
    ((kind, value, seen),) = list_cells(
        "html", f"<table><tr><td {attributes}>{text}</table>".encode()
    ).values()
    assert (kind, value, seen) == (*expected, text)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"<table><tr><td>a</td></tr></table></body></html", None),  # nothing of a row is missing
        (b"<html><body><table><tr><td>a</body></html>", None),
        (b"<table><tr><td>", "FILE_CORRUPT"),
        (b"<table><tr><td>a</td></tr>", "FILE_CORRUPT"),
        (b"<table><tr><td>a</td></tr></table><table>", "FILE_CORRUPT"),
        (b"<table><tr><td>a</td><td", "FILE_CORRUPT"),
        (b"<table><tr><td>a</td></tr></table><!-- b <table><tr><td>c</td></tr></table>", "FILE_CORRUPT"),
        (b'<table><tr><td class="a>b</td><td class="c">d</td></tr></table>', "FILE_CORRUPT"),
        (b'<html><frameset rows="*,39"><frame src="a.files/sheet001.htm"></frameset></html>', "FILE_FORMAT"),
    ],
)
def test_a_page_cut_off_inside_a_table_is_refused_and_one_cut_off_behind_it_is_not(data, code):
    if code is None:
        assert shown("html", data) == ["a"]
        return
    with pytest.raises(Refused) as caught:
        read_here("html", data)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("label_of_page", "codec"),
    [
        ("gb2312", "gb18030"),
        ("utf-8", "gbk"),
        ("gb2312", "utf-8"),
        ("utf-16", "utf-16"),
        ("iso-8859-1", "gbk"),
    ],
)
def test_the_bytes_decide_the_encoding_of_a_page(tmp_path, label_of_page, codec):
    text = f'<html><meta charset="{label_of_page}"><table><tr><td>姓名<td>身份证号<tr><td>张三<td>{NUMBER}</table></html>'
    (row,), _ = read_file(tmp_path, text.encode(codec))
    assert row.fields[Field.NAME].value == "张三"


def test_a_page_that_declares_what_is_not_read_is_refused(tmp_path):
    for label_of_page in ("big5", "shift_jis"):
        data = f'<meta charset="{label_of_page}"><table><tr><td>姓名<td>身份证号</table>'.encode()
        assert read_file(tmp_path, data)[1].codes == ("FILE_ENCODING",)


def test_pictures_of_a_page_are_noticed_and_not_fetched():
    assert read_here("html", b'<table><tr><td>a<td><img src="http://127.0.0.1:9/a.png"></table>')[0][
        "pictures"
    ]
    assert not read_here("html", b'<img src="logo.png"><table><tr><td>a</table>')[0]["pictures"]


def test_a_text_longer_than_a_cell_refuses_the_file(tmp_path):
    rows, report = read_file(tmp_path, b"<table><tr><td>" + b"x" * 40_000 + b"</td></tr></table>")
    assert (rows, report.codes, report.problems[0].detail["found"]) == (
        [],
        ("FILE_SUSPICIOUS",),
        "A1: 40000 characters",
    )
