"""Binary workbooks of the .xlsx family: cells of each type, parts, order, and damage."""

from __future__ import annotations

import io
import zipfile
from struct import pack, unpack

import pytest
import xlsb_support as xlsb
from format_support import list_cells, read_file, read_here, shown
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from pipeline.intake.readers.child.program import Refused

pytestmark = pytest.mark.usefixtures("no_child_process")
NUMBER = "11010119900307123X"


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
