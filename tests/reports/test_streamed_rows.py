"""Rows that XlsxWriter does not write stand in the sheet as it would have written them, byte for byte."""

from __future__ import annotations

import io
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.domain.run import RunReport, Status
from pipeline.reports.presenter import Presenter
from pipeline.reports.styles import Styles
from pipeline.reports.tables import (
    NUMBER,
    STRONG,
    WRAPPED,
    FolderLinks,
    SheetColumn,
    TableSheet,
    WorkbookContext,
)
from pipeline.reports.write import ALL_SHEET_PART, write_workbook
from pipeline.support.streamed_rows import RowsNotMerged, StreamedRows

PART = "xl/worksheets/sheet1.xml"
REPORT = RunReport("run", "run", 0.0, 0.0, None, None, Path("out/run"), seals=Path("seals"))
COLUMNS = (
    SheetColumn("col.name", 8, lambda row, _: row[0], STRONG),
    SheetColumn("col.status", 8, lambda row, _: row[1], status=lambda row: row[2]),
    SheetColumn("col.reason", 8, lambda row, _: row[3], WRAPPED),
    SheetColumn("col.row", 8, lambda row, _: row[4], NUMBER),
    SheetColumn(
        "col.picture",
        8,
        lambda row, _: row[5],
        linked_path=lambda row: Path(f"seals/{row[5]}") if row[6] else None,
    ),
    SheetColumn("check", 8, lambda row, _: row[7], title="check", is_hidden=True),
)
ODD = [
    "",
    " ",
    "a ",
    " a",
    "_x0041_",
    "<r>a</r>",
    "a\nb",
    "R&D > 1%s %",
    "\x1f",
    "\ud800",
    "\x07",
    "张伟",
    "0",
    "=1",
    "x" * 90,
]
TEXTS = st.sampled_from(ODD) | st.text(max_size=4)
ROWS = st.lists(
    st.tuples(
        TEXTS,
        TEXTS,
        st.sampled_from([Status.UNCHANGED, Status.REJECTED]),
        TEXTS,
        st.sampled_from([0, 1, -7, 10**15, 10**17 + 1]),
        TEXTS,
        st.booleans(),
        TEXTS,
    ),
    max_size=12,
)


def write_table(rows, folder, *, streamed=None, max_links=3):
    book_file = io.BytesIO() if streamed is None else folder / "draft.xlsx"
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "tmpdir": str(folder),
    }
    with xlsxwriter.Workbook(book_file, options) as book:
        book.set_properties({"created": datetime(2026, 1, 1, tzinfo=UTC)})
        presenter = Presenter("en")
        context = WorkbookContext(book, REPORT, presenter, Styles(book), FolderLinks(REPORT, presenter), None)
        table = TableSheet(context, "All", COLUMNS, max_links=max_links, streamed=streamed)
        for row in rows:
            table.write_row(row)
        table.close()
    return book_file


def read_parts(file):
    with zipfile.ZipFile(file) as book:
        assert book.testzip() is None
        return {name: book.read(name) for name in book.namelist()}


@given(ROWS)
@settings(max_examples=25, deadline=None)
@example([])
@example([("张伟", "ok", Status.UNCHANGED, "", 1, "", False, "")] * 3)
@example([("", "", Status.UNCHANGED, "", 0, "", False, "")] * 3)
@example([(text, "ok", Status.UNCHANGED, text, 1, text, False, text) for text in ODD for _ in range(3)])
def test_streamed_rows_stand_as_xlsxwriter_writes_them(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("book")
    with closing(StreamedRows(folder / "rows", len(rows))) as streamed:
        draft = write_table(rows, folder, streamed=streamed)
        streamed.merge(draft, folder / "merged.xlsx", PART)
    assert read_parts(folder / "merged.xlsx") == read_parts(write_table(rows, folder))


def test_most_rows_of_a_large_sheet_are_not_written_by_xlsxwriter(tmp_path):
    rows = [(f"张{number}", "ok", Status.UNCHANGED, "", number, "1.png", False, "c") for number in range(500)]
    with closing(StreamedRows(tmp_path / "rows", len(rows))) as streamed:
        draft = write_table(rows, tmp_path, streamed=streamed)
        assert read_parts(draft)[PART].count(b"<row ") == 3  # the heading, the first row, the last
        streamed.merge(draft, tmp_path / "merged.xlsx", PART)
    sheet = openpyxl.load_workbook(tmp_path / "merged.xlsx")["All"]
    assert [row[0] for row in sheet.iter_rows(min_row=2, values_only=True)] == [row[0] for row in rows]


def test_another_form_of_the_sheet_is_not_merged(tmp_path):
    rows = [("张伟", "ok", Status.UNCHANGED, "", 1, "", False, "")] * 3
    with closing(StreamedRows(tmp_path / "rows", len(rows))) as streamed:
        draft = write_table(rows, tmp_path, streamed=streamed)
        other = tmp_path / "other.xlsx"
        with zipfile.ZipFile(other, "w") as book:
            for name, data in read_parts(draft).items():
                book.writestr(name, data.replace(b' t="inlineStr"', b' t="inlineStr" new="1"'))
        with pytest.raises(RowsNotMerged):
            streamed.merge(other, tmp_path / "merged.xlsx", PART)


@pytest.mark.parametrize("part", [ALL_SHEET_PART, "xl/worksheets/sheet3.xml", "xl/styles.xml"])
def test_a_large_run_has_the_workbook_that_xlsxwriter_writes(tmp_path, monkeypatch, hospital, make, part):
    more = [make.outcome(make.doctor(position), Status.UNCHANGED) for position in range(60, 90)]
    hospital.outcomes = [*hospital.outcomes, *more]
    report = hospital.build_run_report()
    monkeypatch.setattr("pipeline.reports.table_sheets.MAX_THUMBNAIL_ROWS", 10)
    monkeypatch.setattr("pipeline.reports.table_sheets.MAX_LINKS", 20)
    monkeypatch.setattr("pipeline.reports.write.ALL_SHEET_PART", part)

    def write():
        path = report.out / "results.xlsx"
        return read_parts(write_workbook(report, path, presenter=make.presenter(report), thumbnail=None))

    plain = write()
    monkeypatch.setattr("pipeline.reports.write.MAX_THUMBNAIL_ROWS", 10)
    assert write() == plain
