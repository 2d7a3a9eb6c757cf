"""The outline of a sheet, which is known before its first line, and the limits of a workbook."""

from __future__ import annotations

import random
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest
from openpyxl.packaging.custom import StringProperty
from xlsx_support import MAIN, TITLES, inline, raw, relations

from pipeline.errors import FileRefused
from pipeline.intake import guarded_zip
from pipeline.intake.images.image_files import ImageStore
from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers.model import Merge, ReadOptions, format_column
from pipeline.intake.readers.xlsx import package as guards
from pipeline.intake.readers.xlsx import workbook as xlsx


def first(path: Path, **options):
    return next(xlsx.read(path.read_bytes(), **options).sheets)


def refusal(path: Path, **options) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        [list(sheet.lines) for sheet in xlsx.read(path.read_bytes(), **options).sheets]
    return refused.value


def test_merged_cells_and_hidden_columns_are_known_beforehand(path):
    book = openpyxl.Workbook()
    sheet = book.active
    for area in ("A1:F1", "B3:B7", "C3:D4"):
        sheet.merge_cells(area)
    sheet.column_dimensions["D"].hidden = True
    sheet.column_dimensions.group("F", "H", hidden=True)
    sheet.column_dimensions["J"].width = 40
    sheet["A20"] = "x"
    book.save(path)
    read = first(path)
    assert sorted(read.merges) == [Merge(1, 1, 0, 5), Merge(3, 4, 2, 3), Merge(3, 7, 1, 1)]
    assert read.hidden_columns == {3, 5, 6, 7}


@pytest.mark.parametrize(
    "area", ["A1", "A1:A1", "A1:XFE2", "A0:A5", "1:5", "A1:B2 ", "", "A1:A99999999", "a1:b2", "A1:B2:C3"]
)
def test_an_area_that_is_none_is_passed_over(path, area):
    merges = f'<mergeCells><mergeCell ref="{area}"/><mergeCell ref="$B$5:A2"/></mergeCells>'
    for empty in ("<sheetData/>", "<sheetData />", "<sheetData></sheetData>"):
        assert first(raw(path, empty + merges)).merges == [Merge(2, 5, 0, 1)]


def test_columns_that_make_no_sense_are_passed_over(path):
    columns = (
        '<col min="2" max="2" hidden="true"/><col min="1" max="9" hidden="1"/><col min="0" max="4" hidden="1"/>'
        '<col min="4" max="4" hidden="0"/><col min="x" max="5" hidden="1"/><col min="6" max="1e3" hidden="1"/>'
        f'<col min="6" max="{10**30}" hidden="1"/><col min="16384" max="16384" hidden="1"/>'
    )
    assert first(raw(path, f"<cols>{columns}</cols><sheetData/>")).hidden_columns == {1, 16_383}


def test_what_is_written_as_rows_elsewhere_is_not_taken_for_them(path):
    """Comments before and behind the rows, prefixes, white space, single quotes."""
    text = (
        "<!-- <x:sheetData><x:row> --><x:cols ><x:col max='3'\n min = '3' hidden='1' /></x:cols>"
        "<x:sheetData\n><x:row r='1'><x:c r='A1' t='str' ><x:v >a</x:v></x:c></x:row></x:sheetData >"
        "<!-- <x:mergeCell ref='A1:A9'/> --><x:mergeCells><x:mergeCell  ref = 'A2:A3'></x:mergeCell></x:mergeCells>"
    )
    read = first(raw(path, text, root="x:worksheet"))
    assert (read.hidden_columns, read.merges) == ({2}, [Merge(2, 3, 0, 0)])
    assert [line.cells[0].value for line in read.lines] == ["a"]


def test_a_sheet_in_utf_16_is_read_alike(path):
    text = (
        f'<?xml version="1.0" encoding="UTF-16"?><worksheet xmlns="{MAIN}"><sheetData>{TITLES}</sheetData>'
        '<mergeCells><mergeCell ref="A1:B1"/></mergeCells></worksheet>'
    )
    read = first(raw(path, "", extra={"xl/worksheets/sheet1.xml": text.encode("utf-16")}))
    assert read.merges == [Merge(1, 1, 0, 1)]
    assert [cell.value for line in read.lines for cell in line.cells.values()] == ["姓名", "身份证号", "工号"]


def test_a_file_with_too_many_rows_is_refused_over_all_its_sheets(path):
    book = openpyxl.Workbook()
    for sheet in (book.active, book.create_sheet("b"), book.create_sheet("c")):
        sheet.append(["姓名", "证件号码"])
        for number in range(49):
            sheet.append([f"{number}", f"{number}"])
    book["c"].sheet_state = "hidden"
    book.save(path)
    rows, (report,) = read_rosters([path], options=ReadOptions(max_rows=100))
    assert (len(rows), report.codes) == (98, ())
    rows, (report,) = read_rosters([path], options=ReadOptions(max_rows=99))
    assert (rows, report.codes) == ([], ("FILE_TOO_LARGE",))
    assert report.problems[0].detail == {"found": "> 99 rows", "limit": "99 rows"}


def test_a_results_workbook_is_refused_unread(path):
    """It holds all rows of a run."""
    book = openpyxl.Workbook()
    book.active.append([1])
    for name, value in (("esign-import", "results"), ("esign-import-run", "r1")):
        book.custom_doc_props.append(StringProperty(name=name, value=value))
    book.save(path)
    refused = refusal(path)
    assert (refused.code, refused.detail["found"]) == ("FILE_FORMAT", "results.xlsx")


def measure_reading(path: Path, max_rows: int) -> tuple[str, int]:
    """Read a roster in a process of its own; return what came of it, and its peak in MB."""
    script = (
        "import sys; from pathlib import Path\n"
        "from pipeline.intake.read_rosters import read_rosters\n"
        "from pipeline.intake.readers.model import ReadOptions\n"
        "options = ReadOptions(max_rows=int(sys.argv[2]))\n"
        "rows, (report,) = read_rosters([Path(sys.argv[1])], options=options)\n"
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(*report.codes, len(rows), int(peak.split()[1]) // 1024)\n"
    )
    command = [sys.executable, "-c", script, str(path), str(max_rows)]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    *shown, megabytes = out.split()
    return " ".join(shown), int(megabytes)


def with_size(path: Path, part: str, size: int) -> None:
    """Let the zip's directory say another size of a part."""
    data = bytearray(path.read_bytes())
    entry = data.rindex(part.encode()) - 46
    data[entry + 24 : entry + 28] = size.to_bytes(4, "little")
    path.write_bytes(data)


def long(path: Path, rows: int, row: str, **options) -> Path:
    """Write a sheet of equal rows, one block of them at a time; ``row`` holds ``{0}`` for its number."""
    raw(path, "", extra={"xl/worksheets/sheet1.xml": ""}, **options)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if "sheet1" not in name}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, payload in parts.items():
            archive.writestr(name, payload)
        with archive.open("xl/worksheets/sheet1.xml", "w") as part:
            part.write(f'<worksheet xmlns="{MAIN}"><sheetData>{TITLES}'.encode())
            for start in range(2, rows + 1, 10_000):
                block = "".join(row.format(number) for number in range(start, min(start + 10_000, rows + 1)))
                part.write(block.encode())
            part.write(b"</sheetData></worksheet>")
    return path


def test_too_many_rows_are_refused_before_they_are_all_held(path):
    """The rows up to the limit are held, no more; the process itself is counted, with its imports."""
    cells = "".join(f'<c r="{column}{{0}}"><v>{{0}}</v></c>' for column in "ABC")
    long(path, 60_000, f'<row r="{{0}}">{cells}</row>')
    shown, megabytes = measure_reading(path, 5_000)
    assert shown == "FILE_TOO_LARGE 0"
    assert megabytes < 80


def test_a_row_of_every_column_is_read(path):
    cells = "".join(f'<c r="{format_column(column)}2"><v>1</v></c>' for column in range(16_384))
    read = first(raw(path, f'<sheetData>{TITLES}<row r="2">{cells}</row></sheetData>'))
    assert len(list(read.lines)[1].cells) == 16_384


def test_too_many_cells_refuse_the_file(path, monkeypatch):
    raw(path, f'<sheetData>{TITLES}<row r="2">{inline("A2", "张三")}<c r="B2"/></row></sheetData>')
    for limit, codes in ((4, ()), (3, ("FILE_TOO_LARGE",))):
        monkeypatch.setattr("pipeline.intake.readers.model.MAX_CELLS", limit)
        _, (report,) = read_rosters([path])
        assert report.codes == codes
    assert report.problems[0].detail == {"found": "> 3 cells", "limit": "3 cells"}


@pytest.mark.parametrize("inside", ['<c r="A2" s="1"/>', "<!-- 注 -->", "<c><![CDATA[<<<]]></c>"])
def test_a_row_without_end_is_not_held(path, monkeypatch, inside):
    monkeypatch.setattr("pipeline.intake.readers.xml_elements._MAX_HELD", 100_000)
    refused = refusal(raw(path, f'<sheetData>{TITLES}<row r="2">{inside * 10_000}</row></sheetData>'))
    assert (refused.code, refused.detail["found"].partition(":")[0]) == (
        "FILE_SUSPICIOUS",
        "xl/worksheets/sheet1.xml",
    )


@pytest.mark.parametrize("text", ["字" * 32_767, "_x000D_" * 32_767, "x" * 32_767])
def test_a_cell_holds_what_excel_can_hold(path, text):
    cells = f'<c r="A2" t="s"><v>0</v></c>{inline("B2", text)}<c r="C2" t="str"><f>A1</f><v>{text}</v></c>'
    read = first(
        raw(path, f'<sheetData><row r="2">{cells}</row></sheetData>', strings=f"<si><t>{text}</t></si>")
    )
    (line,) = read.lines
    assert {len(cell.value) for cell in line.cells.values()} == {32_767}


@pytest.mark.parametrize("length", [32_768, 9_000_000])
@pytest.mark.parametrize("where", ["inline", "runs", "str", "shared", "shared runs"])
def test_a_cell_beyond_that_refuses_the_file(path, length, where):
    text = "x" * length
    runs = f"<r><t>{'x' * (length // 8)}</t></r>" * 9
    cell, strings = {
        "inline": (inline("B2", text), ""),
        "runs": (f'<c r="B2" t="inlineStr"><is>{runs}</is></c>', ""),
        "str": (f'<c r="B2" t="str"><v>{text}</v></c>', ""),
        "shared": ('<c r="B2" t="s"><v>0</v></c>', f"<si><t>{text}</t></si>"),
        "shared runs": ('<c r="B2" t="s"><v>0</v></c>', f"<si>{runs}</si>"),
    }[where]
    refused = refusal(raw(path, f'<sheetData><row r="2">{cell}</row></sheetData>', strings=strings))
    assert refused.code == "FILE_SUSPICIOUS"
    assert refused.detail["found"].endswith("characters")


def test_a_formula_without_end_refuses_the_file(path):
    formula = f'<c r="B2"><f>{"A1+" * 400_000}1</f><v>5</v></c>'
    assert refusal(raw(path, f'<sheetData><row r="2">{formula}</row></sheetData>')).code == "FILE_SUSPICIOUS"


def test_white_space_between_the_rows_is_no_text(path):
    """An indented sheet of empty rows behind a cell: what stood in the cell is not added up with the blanks."""
    empty = ("\n" + " " * 200).join(["<row/>"] * 6_000)
    read = first(
        raw(
            path,
            f"<sheetData><row>{inline('A1', '张三')}</row>{empty}<row>{inline('A6002', '李四')}</row></sheetData>",
        )
    )
    assert [line.cells[0].value for line in read.lines] == ["张三", "李四"]


def test_a_member_of_another_method_is_not_unpacked(path):
    """Python unpacks bzip2 and LZMA without a bound."""
    raw(path, "<sheetData/>")
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(path.with_name("b.xlsx"), "w") as archive:
            archive.writestr("xl/workbook.xml", b" " * 1_000_000, method)
        assert refusal(path.with_name("b.xlsx")).code == "FILE_SUSPICIOUS"


def test_many_tiny_members_are_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(guarded_zip.MAX_MEMBERS + 1):
            archive.writestr(str(number), b"")
    refused = refusal(path)
    assert (refused.code, refused.detail["found"]) == ("FILE_SUSPICIOUS", "zip: > 20000 members")


def test_a_bomb_among_the_pictures_is_none_that_a_sheet_can_be(path):
    bomb = f"<worksheet>{' ' * 11_000_000}</worksheet>"
    elsewhere = relations(r1=("worksheet", "media/bomb.xml"))
    extra = {"xl/media/bomb.xml": bomb, "xl/_rels/workbook.xml.rels": elsewhere}
    assert refusal(raw(path, "", extra=extra)).code == "FILE_SUSPICIOUS"


def test_sizes_that_add_up_to_too_much_refuse_the_file(path):
    raw(path, "<sheetData/>", extra={"xl/media/1.bin": b"x"})
    with_size(path, "xl/media/1.bin", guards.MAX_UNPACKED + 1)
    refused = refusal(path)
    assert refused.code == "FILE_TOO_LARGE"
    assert refused.detail["limit"] == "600 MB"


def test_a_part_that_a_thousand_sheets_name_is_not_read_a_thousand_times(path):
    sheets = "".join(f'<sheet name="{n}" sheetId="{n}" r:id="r{n}"/>' for n in range(1, 9))
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    workbook = f'<workbook xmlns="{MAIN}" xmlns:r="{office}"><sheets>{sheets}</sheets></workbook>'
    same = {f"r{n}": ("worksheet", f"worksheets/{'./' * n}SHEET1.xml") for n in range(1, 9)}
    extra = {"xl/workbook.xml": workbook, "xl/_rels/workbook.xml.rels": relations(**same)}
    refused = refusal(raw(path, f"<sheetData>{TITLES * 1}</sheetData>", extra=extra))
    assert (refused.code, "two sheets" in refused.detail["found"]) == ("FILE_SUSPICIOUS", True)


def test_what_is_unpacked_in_all_is_bounded(path):
    package = guards.Package(raw(path, f"<sheetData>{' ' * 5_000}</sheetData>").read_bytes())
    for _ in range(2):
        with package.open("xl/worksheets/sheet1.xml") as part:
            assert len(part.read()) > 5_000
    with pytest.raises(FileRefused) as refused, package.open("xl/worksheets/sheet1.xml") as part:
        part.read()
    assert refused.value.code == "FILE_SUSPICIOUS"


def test_a_part_held_whole_is_bounded(path):
    filling = random.Random(0).randbytes(200_000).hex()  # no bomb
    styles = f'<styleSheet xmlns="{MAIN}"><!--{filling}--></styleSheet>'
    raw(path, "<sheetData/>", extra={"xl/styles.xml": styles}, r3=("styles", "styles.xml"))
    with_size(path, "xl/styles.xml", guards.MAX_TREE + 1)
    refused = refusal(path)
    assert (refused.code, refused.detail["limit"]) == ("FILE_TOO_LARGE", "32 MB")


def test_a_member_whose_header_lies_outside_the_file_is_damage(path):
    raw(path, "<sheetData/>")
    whole = path.read_bytes()
    entry = whole.rindex(b"xl/worksheets/sheet1.xml") - 46
    for offset in (len(whole) - 4, len(whole) + 9, 0xFFFFFFF0):
        data = bytearray(whole)
        data[entry + 42 : entry + 46] = offset.to_bytes(4, "little")
        path.write_bytes(data)
        assert refusal(path).code == "FILE_CORRUPT"


def test_numbers_that_make_no_sense_refuse_the_file(path):
    for row in (f'<row r="{10**30}"/>', f'<row r="{"9" * 5_000}"/>', '<row r="0"/>', '<row r="1048577"/>'):
        assert refusal(raw(path, f"<sheetData>{row}</sheetData>")).code == "FILE_CORRUPT"
    for cell in ('<c r="XFE2"><v>1</v></c>', '<c r="AAAAAAAA2"><v>1</v></c>', '<c r="2"><v>1</v></c>'):
        assert refusal(raw(path, f'<sheetData><row r="2">{cell}</row></sheetData>')).code == "FILE_CORRUPT"
    for number in ("NaN2", "1_0", "0x10", "abc", "1 2", "--1"):
        cell = f'<c r="A2"><v>{number}</v></c>'
        assert refusal(raw(path, f'<sheetData><row r="2">{cell}</row></sheetData>')).code == "FILE_CORRUPT"


def test_an_attribute_given_twice_is_no_xml(path):
    assert refusal(raw(path, '<sheetData><row r="1" r="2"/></sheetData>')).code == "FILE_CORRUPT"


@pytest.mark.parametrize(
    "part",
    [
        "_rels/.rels",
        "xl/worksheets/sheet1.xml",
        "xl/styles.xml",
        "xl/sharedStrings.xml",
        "xl/worksheets/_rels/sheet1.xml.rels",
    ],
)
def test_a_doctype_in_any_part_refuses_the_file(path, part):
    bomb = '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    name = "sharedStrings.xml" if "shared" in part else "styles.xml"
    raw(path, "<sheetData/>", extra={part: bomb}, r3=("styles", name), r4=("sharedStrings", name))
    options = ReadOptions(store=ImageStore(path.parent / "work"))
    assert refusal(path, options=options).code == "FILE_SUSPICIOUS"
