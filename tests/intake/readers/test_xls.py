"""Workbooks of Excel 5 to 2003: containers, code pages, texts, formulas, and damage in what holds no cell."""

from __future__ import annotations

from struct import pack, pack_into, unpack_from

import pytest
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
from format_support import list_cells, read_file, read_here, shown

from pipeline.messages.catalogue import render_text

pytestmark = pytest.mark.usefixtures("no_child_process")
NUMBER = "11010119900307123X"
RECALC_ID = record(0x01C1, bytes(8))  # what Excel writes and xlwt does not


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

    assert read_here("xls", drawings(0xF001))[0] == ("pictures within .xls cannot be read: save it as .xlsx",)
    assert read_here("xls", drawings(0xF00B))[0] == ()


def make_roster(*cells: bytes, extra: bytes = b"", after: bytes = b"") -> bytes:
    """Return a workbook with one doctor; ``extra`` stands in its globals, the cells behind the doctor's."""
    titles = label(0, 0, "姓名") + label(0, 1, "身份证号") + label(0, 2, "备注")
    return stream(sheet(titles, label(1, 0, "张三"), label(1, 1, NUMBER), *cells), extra=extra) + after


ROSTER = ["姓名", "身份证号", "备注", "张三", NUMBER]


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
    assert shown("xls", content)[: len(ROSTER)] == ROSTER
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
def test_damage_in_names_links_and_styles_costs_nothing(kind):
    assert shown("xls", compound(make_roster(extra=record(kind, b"\1")))) == ROSTER


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
def test_damage_in_notes_views_and_rules_costs_nothing(kind):
    assert shown("xls", compound(make_roster(record(kind, b"\1")))) == ROSTER


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


def test_a_wrong_number_of_texts_is_noted(tmp_path):
    notes = {}
    for count in (0, 3, 5, 4, 100_000, 2**32 - 1):
        data = compound(stream(sheet(*CELLS), extra=make_texts(*TEXTS, count=count)))
        assert shown("xls", data) == [*TEXTS]
        notes[count] = read_here("xls", data)[0]
    assert notes.pop(4) == ()
    (key,) = set(notes.values())
    rows, report = read_file(tmp_path, compound(stream(sheet(*CELLS), extra=make_texts(*TEXTS, count=3))))
    assert [cell.display_text for cell in rows[0].cells] == ["张三", NUMBER]
    assert len(key) == 1
    assert list(report.notes) == [
        "the workbook states a wrong number of texts; the texts were read as they are"
    ]


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
