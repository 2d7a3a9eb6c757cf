"""A stretch of cells comes out as XlsxWriter writes its cells one by one."""

from __future__ import annotations

import zipfile
from pathlib import Path

import xlsxwriter

from pipeline.results.streamed_sheet import StreamedSheet
from pipeline.results.style import put

TEXTS = [
    *(
        "张伟",
        "",
        "a b",
        " before",
        "behind ",
        "\u3000",
        "a\tb",
        "one\ntwo",
        "a\r\nb",
        "x_x",
        "0012",
        "TRUE",
        "=1+1",
    ),
    *(
        "<r>x</r>",
        "<r><t>x</t></r>",
        "&<>\"'",
        "_x0041_",
        "a\x00b\x1fc",
        "\ud800",
        "\ufffe",
        "http://x.invalid",
    ),
    *("长" * 40_000, "🀄" * 20_000, "🀄" * 10, "12345678901234567890"),
]
ROWS = [*([text, number, text] for number, text in enumerate(TEXTS)), [""], [0], [999_999]]


def _parts(path: Path, fill) -> dict[str, bytes]:
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        fill(book)
    with zipfile.ZipFile(path) as package:
        return {name: package.read(name) for name in package.namelist() if "docProps" not in name}


def _formats(book):
    """Return formats in another order than that of their use; two of them are one to Excel."""
    last, first, same = (
        book.add_format(each) for each in ({"bold": True}, {"num_format": "@"}, {"bold": True})
    )
    return first, last, same


def test_a_stretch_is_written_as_its_cells_would_be(tmp_path):
    def one_by_one(book):
        sheet, forms = book.add_worksheet("x"), _formats(book)
        for row, cells in enumerate(ROWS, start=3):
            for column, value in enumerate(cells, start=1):
                form = forms[(row + column) % 3]
                if isinstance(value, int):
                    sheet.write_number(row, column, value, form)
                else:
                    put(sheet, row, column, value, form)
        sheet.autofilter(0, 0, 5, 3)

    def at_once(book):
        sheet, forms = book.add_worksheet("x", StreamedSheet), _formats(book)
        for row, cells in enumerate(ROWS, start=3):
            sheet.write_plain(
                row, 1, [(value, forms[(row + column) % 3]) for column, value in enumerate(cells, start=1)]
            )
        sheet.autofilter(0, 0, 5, 3)

    assert _parts(tmp_path / "a.xlsx", at_once) == _parts(tmp_path / "b.xlsx", one_by_one)


def test_a_stretch_stands_beside_cells_of_other_kinds(tmp_path):
    def fill(book, *, streamed):
        sheet, forms = book.add_worksheet("x", StreamedSheet if streamed else None), _formats(book)
        for row in range(3):
            sheet.set_row(row, 30 + row)
            sheet.write_url(row, 2, "external:seals", forms[1], "a.png", "seals")
            if streamed:
                sheet.write_plain(row, 0, [("a", forms[0]), ("b", forms[2])])
                sheet.write_plain(row, 3, [("c", forms[0]), (row, forms[1])])
            else:
                for column, text in ((0, "a"), (1, "b"), (3, "c")):
                    put(sheet, row, column, text, forms[2 if column == 1 else 0])
                sheet.write_number(row, 4, row, forms[1])

    streamed = _parts(tmp_path / "a.xlsx", lambda book: fill(book, streamed=True))
    assert streamed == _parts(tmp_path / "b.xlsx", lambda book: fill(book, streamed=False))
    assert b'r="E3"' in streamed["xl/worksheets/sheet1.xml"]
