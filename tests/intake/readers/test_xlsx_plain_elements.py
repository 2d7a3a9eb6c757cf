"""Plain rows and strings are taken without the parser's calls, and read as the parser reads them."""

from __future__ import annotations

import gc
import io
import zipfile
from datetime import datetime
from xml.parsers.expat import ExpatError

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.errors import FileRefused
from pipeline.intake.readers.model import ReadBudget
from pipeline.intake.readers.xlsx import package, shared_strings
from pipeline.intake.readers.xlsx.package import Package
from pipeline.intake.readers.xlsx.shared_strings import read_shared_strings
from pipeline.intake.readers.xlsx.sheet_cells import SheetReader
from pipeline.intake.readers.xlsx.styles import GENERAL

EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  as Excel counts, in no zone
STRINGS = ["张伟", "", "_x0041_", "a"]
CELLS = [
    '<c r="{0}{1}" t="s"><v>0</v></c>',
    '<c r="{0}{1}" s="1" t="s"><v>3</v></c>',
    '<c r="{0}{1}" t="s"><v>1</v></c>',
    '<c r="{0}{1}"><v>1.50</v></c>',
    '<c r="{0}{1}" s="0" t="n"><v>110101199003071234</v></c>',
    '<c r="{0}{1}" s="9"/>',
    '<c r="{0}{1}"><f>A1</f><v>5</v></c>',
    '<c r="{0}{1}" t="inlineStr"><is><t>x</t></is></c>',
    '<c r="{0}{1}" t="str"><v>a&amp;b</v></c>',
    '<c t="s"><v>0</v></c>',
]
ODD_CELLS = [
    '<c r="{0}{1}" t="s"><v>9</v></c>',
    '<c r="{0}{1}"><v>1e999</v></c>',
    '<c r="{0}{1}"><v>--</v></c>',
    '<c r="XFE{1}"><v>1</v></c>',
    '<c r="A{1}" t="s"><v>0</v></c>',
    '<c r="{0}{1}" t="s"><v>0</v></d>',
    '<!-- <row r="{1}"><c r="A{1}"><v>1</v></c></row> -->',
    "<v>7",
]
ATTRIBUTES = ["", ' spans="1:9"', ' ht="20" customHeight="1"', ' hidden="1"', ' x14ac:dyDescent="0.2"']
ODD_ATTRIBUTES = [' a="1" a="2"', ' a="1"b="2"', ' r="8"', ' hidden="true"', " a='1'", ' 1="1"', ' a="&lt;"']
BETWEEN = ["", "", "", "\n  ", "<x/>", "text"]
ODD_BETWEEN = [
    "<!-- </row> -->",
    "<![CDATA[</row>]]>",
    "<?x </row>?>",
    "\f",
    "</sheetData>",
    "<row/>",
    "<rPh>",
    "]]>",
]


def build_rows(cells, attributes, between):
    row = st.tuples(
        st.sampled_from(between),
        st.sampled_from(attributes),
        st.lists(st.sampled_from(cells), max_size=4),
        st.sampled_from([0, 1, 1, 1, 2]),
    )
    return st.lists(row, max_size=12)


ROWS = build_rows(CELLS, ATTRIBUTES, BETWEEN) | build_rows(
    [*CELLS, *ODD_CELLS], [*ATTRIBUTES, *ODD_ATTRIBUTES], [*BETWEEN, *ODD_BETWEEN]
)
HEADS = [
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<{0}>',
    "<{0}>",
    '<?xml version="1.0" encoding="iso-8859-1"?><{0}>',
    "<?xml version='1.0'?><!-- <si><t>a</t></si> --><{0}>",
    "<!DOCTYPE a><{0}>",
]
TEXTS = st.lists(
    st.sampled_from(
        ["<si><t>张伟</t></si>"] * 3
        + ['<si><t xml:space="preserve"> a </t></si>', "<si><t/></si>", "<si><t>a&lt;b</t></si>", "\n"]
        + ["<si><r><t>a</t></r><rPh><t>b</t></rPh></si>", "<si><t>_x0041_</t></si>", "<si><t>a\tb</t></si>"]
    ),
    max_size=12,
) | st.lists(
    st.sampled_from(
        ["<si><t>a]]></t></si>", "<si><t>\x01</t></si>", "<si><t>\ufffe</t></si>", "<si><t>\udcff</t></si>"]
        + ["<si><t>a</t></si>"] * 4
        + [
            "<!-- <si><t>b</t></si> -->",
            "<rPh>",
            "</sst>",
            "<si>",
            "<si><t>c</si>",
            "<si><t><t>d</t></t></si>",
        ]
    ),
    max_size=12,
)


def build_package(part):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("part.xml", part.encode("utf-8", "surrogateescape"))
    return Package(data.getvalue())


def read_lines(part):
    reader = SheetReader("part.xml", strings=STRINGS, formats=[GENERAL], epoch=EPOCH, pictures=None)
    return list(reader.read_lines(build_package(part), ReadBudget(1000)))


def read_strings(part):
    return read_shared_strings(build_package(part), "part.xml")


def judge(read, part):
    try:
        return read(part)
    except FileRefused as refusal:
        return refusal.code, "file.cell" in str(refusal.detail) and str(refusal.detail)
    except ExpatError as error:
        return type(error)


def compare_rows(rows, head, size, *, is_prefixed):
    written, number = [], 0
    for between, attributes, cells, step in rows:
        number += step
        filled = "".join(cell.format("ABCDEF"[index], number) for index, cell in enumerate(cells))
        written.append(f'{between}<row r="{number}"{attributes}>{filled}</row>')
    body = "".join(written)
    part = head.format("worksheet") + f"<sheetData>{body}</sheetData></worksheet>"
    if is_prefixed:
        part = part.replace("<worksheet>", "<x:worksheet>").replace("</worksheet>", "</x:worksheet>")
    compare(read_lines, part, size)


def compare(read, part, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package, "CHUNK", size)
        ours = judge(read, part)
        patch.setattr(shared_strings, "_is_utf_8", lambda _: False)
        assert ours == judge(read, part)


@settings(max_examples=80, deadline=None)
@given(ROWS, st.sampled_from([HEADS[0]] * 4 + HEADS), st.sampled_from([10**6, 200, 61]), st.booleans())
def test_rows_are_read_as_the_parser_reads_them(rows, head, size, is_prefixed):
    compare_rows(rows, head, size, is_prefixed=is_prefixed)


PLAIN = ("", "", CELLS[:2], 1)


@pytest.mark.parametrize("size", [10**6, 61])
@pytest.mark.parametrize(
    "odd",
    [PLAIN, ("", "", [], 1), ("", "", CELLS[:2], 0)]
    + [("", "", [CELLS[0], cell], 1) for cell in (*CELLS, *ODD_CELLS)]
    + [("", attributes, CELLS[:1], 1) for attributes in (*ATTRIBUTES, *ODD_ATTRIBUTES)]
    + [(between, "", CELLS[:1], 1) for between in (*BETWEEN, *ODD_BETWEEN)],
)
def test_an_odd_row_among_plain_ones_is_read_as_the_parser_reads_it(odd, size):
    compare_rows([PLAIN, PLAIN, odd, PLAIN, PLAIN], HEADS[0], size, is_prefixed=False)


@settings(max_examples=80, deadline=None)
@given(TEXTS, st.sampled_from([HEADS[0]] * 4 + HEADS), st.sampled_from([10**6, 200, 61]))
@example(["<si><t>a</t></si>", "<si><t>a]]></t></si>"], HEADS[0], 10**6)
@example(["<si><t>a</t></si>", "<si><t>\ufffe</t></si>"], HEADS[0], 10**6)
@example(["<rPh><si><t>a</t></si><si><t>b</t></si></rPh>"], HEADS[0], 10**6)
@example(["<si><t>a</t></si><!-- </si><si><t>b</t></si> -->"], HEADS[0], 10**6)
@example(["<si><t>张伟</t></si>"] * 3, HEADS[2], 10**6)
def test_strings_are_read_as_the_parser_reads_them(texts, head, size):
    compare(read_strings, head.format("sst") + "".join(texts) + "</sst>", size)


def test_nearly_all_rows_and_strings_are_taken(monkeypatch):
    met = []
    made = package.make_parser

    def watch(part):
        parser = made(part)
        met.append(parser)
        return parser

    monkeypatch.setattr("pipeline.intake.readers.xlsx.sheet_cells.make_parser", watch)
    rows = "".join(
        f'<row r="{number}" spans="1:2"><c r="A{number}" t="s"><v>0</v></c><c r="B{number}"><v>1</v></c></row>'
        for number in range(1, 5000)
    )
    part = HEADS[0].format("worksheet") + f"<sheetData>{rows}</sheetData></worksheet>"
    assert len(read_lines(part)) == 4999
    assert met[0].CurrentByteIndex < len(part) / 100


def list_readers():
    modules = {
        f"pipeline.intake.readers.xlsx.{name}" for name in ("sheet_cells", "shared_strings", "package")
    }
    return [one for one in gc.get_objects() if type(one).__module__ in modules]


def test_a_file_that_was_read_is_let_go_without_the_collector():
    gc.disable()
    try:
        before = len(list_readers())
        read_lines('<worksheet><sheetData><row r="1"><c r="A1"><v>1</v></c></row></sheetData></worksheet>')
        read_strings("<sst><si><t>a</t></si></sst>")
        assert len(list_readers()) == before
    finally:
        gc.enable()
