"""Binary workbooks (.xlsb): each cell with its own type at its own row, what is hidden, what is refused."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import zipfile
from contextlib import suppress
from struct import pack

import pytest
import python_calamine
import xlsb_support as xlsb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import FileRefused
from pipeline.intake.readers import budget, calamine_bridge
from pipeline.intake.readers import xlsb as reader
from pipeline.intake.readers.model import Merge
from pipeline.intake.readers.options import DEFAULT_OPTIONS, ReadOptions

NUMBER = "11010119900307123X"
STRINGS = ["姓名", "身份证号", "张三", NUMBER]


def opened(path, **manner):
    """Return name -> (sheet, its lines) of a workbook."""
    book = reader.read(path.read_bytes(), manner=ReadOptions(**manner))
    return {each.name: (each, list(each.lines)) for each in book.sheets}


def cells(path, name="内科", **manner):
    """Return address -> (kind, value, shown) of a sheet, rows as Excel shows them, columns from 0."""
    _, lines = opened(path, **manner)[name]
    assert all(list(line.cells) == sorted(line.cells) for line in lines)
    assert [line.number for line in lines] == sorted({line.number for line in lines})
    return {
        (line.number, column): (cell.kind.value, cell.value, cell.display_text)
        for line in lines
        for column, cell in line.cells.items()
    }


def refused(path, **manner):
    with pytest.raises(FileRefused) as caught:
        opened(path, **manner)
    return caught.value


@pytest.fixture
def one(tmp_path):
    """Write one sheet of these records."""

    def write(*records, before=b"", after=b"", **options):
        content = xlsb.sheet(*records, before=before, after=after)
        return xlsb.write(tmp_path / "a.xlsb", [("内科", content)], STRINGS, **options)

    return write


def test_each_cell_has_its_own_type(one):
    path = one(
        xlsb.row(0), xlsb.shared(0, 0), xlsb.shared(1, 1), xlsb.text(2, "工号"),
        xlsb.row(3), xlsb.shared(0, 2), xlsb.shared(1, 3), xlsb.whole(2, 7, 1), xlsb.real(3, 32939, 2), xlsb.whole(4, 32939, 2),
        xlsb.row(4), xlsb.real(1, 110101199003071233), xlsb.cell(4, 2, b"\1"), xlsb.cell(2, 3, pack("<I", 12345 << 2 | 3)),
        style=xlsb.styles("000000", "yyyy-mm-dd"),
    )  # fmt: skip
    day = ("date", dt.datetime.fromisoformat("1990-03-07"), "1990-03-07")
    assert cells(path) == {
        (1, 0): ("text", "姓名", "姓名"),
        (1, 1): ("text", "身份证号", "身份证号"),
        (1, 2): ("text", "工号", "工号"),
        (4, 0): ("text", "张三", "张三"),
        (4, 1): ("text", NUMBER, NUMBER),
        (4, 2): ("number", 7, "000007"),
        (4, 3): day,
        (4, 4): day,
        (5, 1): ("number", 110101199003071232.0, "1.10101E+17"),
        (5, 2): ("bool", True, "TRUE"),
        (5, 3): ("number", 123.45, "123.45"),
    }


def test_libreoffice_sees_the_same(one, tmp_path):
    """The writer of these tests is no program of its own: another reader vouches for it."""
    soffice = shutil.which("soffice")
    if soffice is None:
        pytest.skip("LibreOffice is not installed")
    path = one(
        xlsb.row(1), xlsb.shared(0, 2), xlsb.shared(1, 3), xlsb.whole(2, 7), xlsb.row(2), xlsb.text(1, "李四"), xlsb.real(2, 2.5)
    )  # fmt: skip
    command = [
        soffice,
        f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}",
        "--headless",
        "--convert-to",
    ]
    command += ["csv:Text - txt - csv (StarCalc):44,34,76", "--outdir", str(tmp_path), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert (tmp_path / "a.csv").read_text("utf-8").splitlines() == [",,", f"张三,{NUMBER},7", ",李四,2.5"]
    assert list(cells(path)) == [(2, 0), (2, 1), (2, 2), (3, 1), (3, 2)]


def test_formulas_errors_and_rare_cells(one):
    rich = b"\1" + xlsb.wide("王五") + bytes(8)
    path = one(
        xlsb.row(0),
        xlsb.cell(8, 0, xlsb.wide("赵六") + bytes(10)),
        xlsb.cell(9, 1, pack("<d", 2.5) + bytes(10)),
        xlsb.cell(10, 2, b"\1" + bytes(10)),
        xlsb.cell(11, 3, b"\x2a" + bytes(10)),
        xlsb.cell(3, 4, b"\x17"),
        xlsb.cell(62, 5, rich),
        xlsb.cell(8, 6, xlsb.wide("") + bytes(10)),
        xlsb.cell(1, 7, b""),
        xlsb.record(17, bytes(4) + xlsb.wide("短")),
        xlsb.record(12, bytes(4)),
        xlsb.record(13, bytes(4) + pack("<I", 5 << 2 | 2)),
        xlsb.record(18, bytes(4) + pack("<I", 2)),
        xlsb.text(20, '=DISPIMG("ID_0",1)'),
    )
    assert {column: cell for (_, column), cell in cells(path).items()} == {
        0: ("text", "赵六", "赵六"),
        1: ("number", 2.5, "2.5"),
        2: ("bool", True, "TRUE"),
        3: ("error", "#N/A", "#N/A"),
        4: ("error", "#REF!", "#REF!"),
        5: ("text", "王五", "王五"),
        8: ("text", "短", "短"),
        10: ("number", 5, "5"),
        11: ("text", "张三", "张三"),
        20: ("picture", None, ""),
    }


@pytest.mark.parametrize("area", [1, 9, 500_000])
@pytest.mark.parametrize("far", [4, 16_383])
def test_batches_join_without_a_seam(monkeypatch, one, area, far):
    monkeypatch.setattr(calamine_bridge, "_AREA", area)
    columns = [0, 1, 2, 3, far]
    lines = {
        row: [(row * 7 + column) % 4 for column in columns] for row in (*range(1, 30), 50, 1_000, 70_000)
    }
    path = one(
        *[
            xlsb.row(row) + b"".join(map(xlsb.shared, columns, places))
            if row % 3
            else xlsb.row(row)
            + b"".join(map(xlsb.whole, columns, places, [1] * 5))
            + xlsb.text(16_000 if far > 9 else 5, "x")
            for row, places in lines.items()
        ],
        style=xlsb.styles("0000"),
    )
    last = 16_000 if far > 9 else 5
    expected = {}
    for row, places in lines.items():
        for column, place in sorted(zip(columns, places, strict=True)):
            text = STRINGS[place]
            expected[row + 1, column] = ("text", text, text) if row % 3 else ("number", place, f"{place:04}")
        if row % 3 == 0:
            expected[row + 1, last] = ("text", "x", "x")
    found = cells(path)
    assert found == expected
    if far == 4:
        read = (
            python_calamine.CalamineWorkbook.from_path(path)
            .get_sheet_by_index(0)
            .to_python(skip_empty_area=False)
        )
        assert {address: value for address, (_, value, _) in found.items()} == {
            (row, column): value
            for row, line in enumerate(read, 1)
            for column, value in enumerate(line)
            if value != ""
        }


def test_what_is_hidden_or_merged_is_told(tmp_path):
    visible = xlsb.sheet(
        xlsb.row(0), xlsb.shared(0, 0), xlsb.row(2, hidden=True), xlsb.shared(0, 2),
        before=xlsb.column_info(0, 0, hidden=False) + xlsb.column_info(3, 5, hidden=True) + xlsb.column_info(9, 16_383, hidden=True),
        after=xlsb.merged((0, 0, 0, 2), (2, 4, 0, 0), (7, 7, 1, 1)),
    )  # fmt: skip
    other = xlsb.sheet(xlsb.row(0), xlsb.shared(0, 0))
    path = xlsb.write(
        tmp_path / "a.xlsb",
        [("内科", visible), ("旧", other), ("更旧", other), ("图", b""), ("宏", b""), ("外科", other)],
        STRINGS,
        states=(0, 1, 2),
        kinds=("worksheet", "worksheet", "worksheet", "chartsheet", "macrosheet", "worksheet"),
    )
    found = opened(path)
    assert [(name, sheet.hidden, len(lines)) for name, (sheet, lines) in found.items()] == [
        ("内科", False, 2),
        ("旧", True, 0),
        ("更旧", True, 0),
        ("外科", False, 1),
    ]
    sheet, lines = found["内科"]
    assert sheet.merges == [Merge(1, 1, 0, 2), Merge(3, 5, 0, 0)]
    assert sheet.hidden_columns == {3, 4, 5, *range(9, 16_384)}
    assert [line.hidden for line in lines] == [False, True]


def test_cells_that_name_no_column_stand_right_of_the_one_before(one):
    """They count from whatever stood there: many cells at once, many blank ones, a cell far to the right."""
    path = one(
        xlsb.row(0), xlsb.shared(0, 0), xlsb.shared(1, 1), xlsb.record(18, bytes(4) + pack("<I", 2)),
        xlsb.row(1), xlsb.cell(1, 7, b""), xlsb.cell(1, 8, b""), xlsb.record(18, bytes(4) + pack("<I", 2)),
        xlsb.row(2), xlsb.shared(16_000, 3), xlsb.record(18, bytes(4) + pack("<I", 2)), xlsb.record(14, bytes(4) + b"\x2a"),
    )  # fmt: skip
    assert {address: shown for address, (_, _, shown) in cells(path).items()} == {
        (1, 0): "姓名", (1, 1): "身份证号", (1, 2): "张三", (2, 9): "张三", (3, 16_000): NUMBER, (3, 16_001): "张三",
        (3, 16_002): "#N/A",
    }  # fmt: skip


def test_a_format_counts_whatever_flags_stand_beside_it(one):
    styled = [xlsb.whole(column, 7, 0x0100_0001) for column in (0, 1)]
    path = one(xlsb.row(0), *styled, xlsb.real(2, 7, 0x0100_0001), style=xlsb.styles("000"))
    assert [shown for _, _, shown in cells(path).values()] == ["007"] * 3


def test_dates_since_1904(one):
    path = one(xlsb.row(0), xlsb.real(0, 1, 1), style=xlsb.styles("yyyy-mm-dd"), since_1904=True)
    assert cells(path)[1, 0][2] == "1904-01-02"


def test_formatted_empty_rows_cost_nothing_and_count_for_nothing(one):
    empty = b"".join(xlsb.row(row) + xlsb.cell(1, 0, b"", 1) * 10 for row in range(2, 20_000))
    path = one(xlsb.row(0), xlsb.shared(0, 0), xlsb.row(1), xlsb.cell(1, 0, b""), empty)
    assert list(cells(path, max_rows=1)) == [(1, 0)]


def test_more_rows_than_allowed_are_refused_before_they_are_read(one):
    path = one(*[xlsb.row(row) + xlsb.shared(0, 0) for row in range(12)])
    assert len(cells(path, max_rows=12)) == 12
    with pytest.raises(FileRefused) as caught:
        reader.read(path.read_bytes(), manner=ReadOptions(max_rows=11))
    assert (caught.value.code, caught.value.detail["limit"]) == ("FILE_TOO_LARGE", "11 rows")


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([xlsb.row(0), xlsb.shared(0, 4)], "FILE_CORRUPT"),
        ([xlsb.row(0), xlsb.shared(0, 4), xlsb.shared(1, 4)], "FILE_CORRUPT"),
        ([xlsb.row(0), xlsb.cell(3, 0, b"\x55")], "FILE_CORRUPT"),
        ([xlsb.row(0), xlsb.cell(5, 0, bytes(7))], "FILE_CORRUPT"),
        ([xlsb.row(0), xlsb.cell(6, 0, pack("<I", 9) + b"x")], "FILE_CORRUPT"),
        ([xlsb.row(0), xlsb.cell(6, 0, pack("<I", 40_000) + bytes(80_000))], "FILE_SUSPICIOUS"),
        ([xlsb.row(0), xlsb.cell(6, 0, pack("<I", 5_000_000) + bytes(10_000_000))], "FILE_SUSPICIOUS"),
        ([xlsb.row(0), xlsb.real(0, float("nan"))], "FILE_CORRUPT"),
        ([xlsb.row(0), xlsb.real(16_384, 1)], "FILE_CORRUPT"),
        ([xlsb.row(0), xlsb.shared(16_384, 1), xlsb.shared(16_385, 1)], "FILE_CORRUPT"),
        ([xlsb.shared(0, 0)], "FILE_CORRUPT"),
        ([xlsb.row(1), xlsb.shared(0, 0), xlsb.row(1), xlsb.shared(1, 0)], "FILE_CORRUPT"),
        ([xlsb.row(1_048_576), xlsb.shared(0, 0)], "FILE_CORRUPT"),
        ([xlsb.record(0, bytes(8))], "FILE_CORRUPT"),
        ([b"\x07\x0c\0"], "FILE_CORRUPT"),
    ],
)
def test_damaged_and_hostile_cells_refuse_the_file(one, records, code, capfd):
    assert refused(one(*records)).code == code
    assert "panicked" not in capfd.readouterr().err


def test_a_record_that_is_a_book_is_refused_unread(one):
    error = refused(one(xlsb.row(0), xlsb.cell(6, 0, pack("<I", 5_000_000) + bytes(10_000_000))))
    assert "record" in error.detail["found"]


def test_a_sheet_that_breaks_off_is_refused(tmp_path):
    whole = xlsb.sheet(xlsb.row(0), xlsb.shared(0, 0), xlsb.row(1), xlsb.shared(0, 0))
    for cut in range(1, len(whole)):
        path = xlsb.write(tmp_path / "a.xlsb", [("内科", whole[:-cut])], STRINGS)
        if cut > 3:  # the last record, behind the cells, says nothing
            assert refused(path).code == "FILE_CORRUPT"


@pytest.mark.parametrize("part", ["xl/workbook.bin", "xl/sharedStrings.bin", "xl/styles.bin"])
def test_a_part_that_breaks_off_is_refused(one, tmp_path, part):
    whole = one(xlsb.row(0), xlsb.shared(0, 0))
    with zipfile.ZipFile(whole) as packed, zipfile.ZipFile(tmp_path / "cut.xlsb", "w") as archive:
        for name in packed.namelist():
            archive.writestr(name, packed.read(name)[: -1 if name == part else None])
    assert refused(tmp_path / "cut.xlsb").code == "FILE_CORRUPT"


def test_a_sheet_that_refers_to_no_part_is_none(one, tmp_path):
    whole = one(xlsb.row(0), xlsb.shared(0, 0))
    none = xlsb.record(156, pack("<2I", 0, 9) + pack("<I", 0xFFFF_FFFF) + xlsb.wide("无"))
    cut = xlsb.record(156, pack("<2I", 0, 9) + xlsb.wide("r0") + pack("<I", 9) + bytes(4))
    for extra, code in ((none, None), (cut, "FILE_CORRUPT")):
        with zipfile.ZipFile(whole) as packed, zipfile.ZipFile(tmp_path / "b.xlsb", "w") as archive:
            for name in packed.namelist():
                content = packed.read(name)
                archive.writestr(name, content.replace(xlsb.record(144), extra + xlsb.record(144)))
        if code:
            assert refused(tmp_path / "b.xlsb").code == code
        else:
            assert list(opened(tmp_path / "b.xlsb")) == ["内科"]


def test_missing_parts_and_too_many_sheets_are_refused(tmp_path):
    path = xlsb.write(tmp_path / "a.xlsb", [(f"{serial}", xlsb.sheet()) for serial in range(1001)])
    assert refused(path).code == "FILE_SUSPICIOUS"
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(tmp_path / "b.xlsb", "w") as part:
        for name in whole.namelist():
            if "sheets/" not in name or name.endswith("sheet1.bin"):
                part.writestr(name, whole.read(name).replace(xlsb.wide("r1000"), xlsb.wide("r0")))
    assert refused(tmp_path / "b.xlsb").code in ("FILE_CORRUPT", "FILE_SUSPICIOUS")


def test_a_shared_text_longer_than_a_cell_is_refused(tmp_path):
    path = xlsb.write(
        tmp_path / "a.xlsb", [("内科", xlsb.sheet(xlsb.row(0), xlsb.shared(0, 0)))], ["x" * 32_768]
    )
    error = refused(path)
    assert (error.code, error.detail["found"]) == ("FILE_SUSPICIOUS", "A1: 32768 characters")


def test_too_much_work_is_refused(one, monkeypatch):
    path = one(*[xlsb.row(row) + xlsb.shared(0, 0) + xlsb.shared(1, 0) for row in range(40)])
    for name, value in (("_MAX_RECORDS", 150), ("_MAX_AREA", 79), ("_MAX_WORK", 401_000)):
        with monkeypatch.context() as patched:
            patched.setattr(calamine_bridge, name, value)
            assert refused(path).code == "FILE_SUSPICIOUS"
    with monkeypatch.context() as patched:
        patched.setattr(budget, "MAX_CELLS", 79)
        assert refused(path).code == "FILE_TOO_LARGE"
    monkeypatch.setattr(reader, "_MAX_STRINGS", 10)
    assert refused(path).code == "FILE_TOO_LARGE"


def test_what_calamine_panics_over_is_a_refusal():
    """A place beyond the shared texts is an index out of bounds in Rust; our scanner never lets one through."""
    from pipeline.intake.readers.xlsb_cells import workbook

    batch = calamine_bridge.Batch(10)
    batch.takes(0)
    batch.body += xlsb.row(0) + xlsb.shared(0, 9)
    with pytest.raises(FileRefused) as caught:
        calamine_bridge.values(workbook(b"", 0, batch))
    assert caught.value.code == "FILE_CORRUPT"
    with pytest.raises(FileRefused):
        calamine_bridge.values(b"PK")


def test_a_stray_cell_in_the_far_corner_costs_nothing(one):
    path = one(xlsb.row(0), xlsb.shared(0, 0), xlsb.shared(1, 1), xlsb.row(1_048_575), xlsb.text(16_383, " "))
    assert list(cells(path)) == [(1, 0), (1, 1), (1_048_576, 16_383)]


def test_a_stray_column_far_away_costs_nothing(one, monkeypatch):
    rows = [xlsb.row(row) + xlsb.shared(0, 0) + xlsb.shared(1, 1) for row in range(40)]
    path = one(*rows, xlsb.row(40), xlsb.shared(16_383, 2))
    monkeypatch.setattr(calamine_bridge, "_MAX_AREA", 200)
    assert len(cells(path)) == 81


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    part=st.sampled_from(
        [
            "xl/workbook.bin",
            "xl/worksheets/sheet0.bin",
            "xl/sharedStrings.bin",
            "xl/styles.bin",
            "_rels/.rels",
            None,
        ]
    ),
    data=st.data(),
)
def test_no_damaged_byte_makes_the_reader_raise(tmp_path, part, data):
    """Wherever a byte turns over, in a part or in the zip itself: cells or a refusal, never another exception."""
    whole = xlsb.write(
        tmp_path / "whole.xlsb",
        [("内科", xlsb.sheet(
            xlsb.row(0), xlsb.shared(0, 0), xlsb.shared(1, 1), xlsb.row(1), xlsb.shared(0, 2), xlsb.text(1, NUMBER),
            xlsb.whole(2, 7, 1), xlsb.cell(3, 3, b"\x2a"), xlsb.cell(8, 4, xlsb.wide("x") + bytes(6)),
            before=xlsb.column_info(1, 2, hidden=True), after=xlsb.merged((0, 0, 0, 2)),
        ))],
        STRINGS,
        style=xlsb.styles("0000"),
    )  # fmt: skip
    broken = tmp_path / "broken.xlsb"
    turned = data.draw(st.integers(1, 255))
    if part is None:
        content = bytearray(whole.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= turned
        broken.write_bytes(content)
    else:
        with zipfile.ZipFile(whole) as packed, zipfile.ZipFile(broken, "w") as archive:
            for name in packed.namelist():
                content = bytearray(packed.read(name))
                if name == part:
                    content[data.draw(st.integers(0, len(content) - 1))] ^= turned
                archive.writestr(name, bytes(content))
    with suppress(FileRefused):
        opened(broken)


def test_a_workbook_without_notes_has_none(one):
    assert reader.read(one(xlsb.row(0), xlsb.shared(0, 0)).read_bytes(), manner=DEFAULT_OPTIONS).notes == ()
