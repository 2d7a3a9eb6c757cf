"""results.xlsx: five sheets, six after a retry; streamed, marked by a document property, without formulas."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import xlsxwriter

from pipeline.domain.results_format import PROPERTY, PROPERTY_VALUE, RUN_PROPERTY, SCHEMA_PROPERTY
from pipeline.domain.run import RunReport
from pipeline.reports.presenter import Presenter
from pipeline.reports.records import SCHEMA
from pipeline.reports.row_values import find_retried_rows
from pipeline.reports.sheet_all import MAX_THUMBNAIL_ROWS, write_all_sheet
from pipeline.reports.sheet_summary import write_summary
from pipeline.reports.sheet_to_fix import write_fix_sheets
from pipeline.reports.sheet_unknown import write_unknown_sheet
from pipeline.reports.sheet_unpaired import write_unpaired_sheet
from pipeline.reports.styles import FONT, FONT_SIZE, Styles
from pipeline.reports.tables import FolderLinks, LoadThumbnail, WorkbookContext
from pipeline.reports.to_fix_layout import group_by_layout
from pipeline.reports.totals import verify_totals
from pipeline.support.atomic_files import Replace, make_folder, write_atomically


def write_workbook(
    report: RunReport,
    path: Path,
    *,
    presenter: Presenter,
    thumbnail: LoadThumbnail | None,
    absolute_links: bool = False,
    replace_file: Replace = os.replace,
) -> Path:
    """Write the workbook and return its path: a numbered sibling of ``path`` where Excel holds that open.

    ``thumbnail`` returns a small PNG of a picture, None if the picture cannot be read. ``absolute_links`` lead to the
    pictures from wherever a copy lies. Raises ``SumsError`` before anything is written.
    """
    counts = verify_totals(report)
    layouts = group_by_layout(report.outcomes)
    make_folder(path.parent)

    def fill(target: Path, *, report: RunReport) -> None:
        # the streamed sheets hold full numbers until the file is closed: they stay in a private folder beside it
        with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
            options = {
                "constant_memory": True,
                "tmpdir": folder,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "default_format_properties": {"font_name": FONT, "font_size": FONT_SIZE},
            }
            with xlsxwriter.Workbook(str(target), options) as book:
                _set_properties(book, report, presenter)
                links = FolderLinks(report, presenter, absolute=absolute_links)
                context = WorkbookContext(book, report, presenter, Styles(book), links, thumbnail)
                write_summary(context, counts, layouts)
                write_all_sheet(context, report.outcomes)
                if report.command == "retry":
                    write_all_sheet(context, find_retried_rows(report), "sheet.retried")
                write_fix_sheets(context, layouts)
                write_unknown_sheet(context)
                write_unpaired_sheet(context)
                # With thumbnails the package has a part for each picture, and so many files take longer than all the
                # rest. Sheets stay streamed: only where the parts lie until they are packed is changed.
                book.in_memory = len(report.outcomes) <= MAX_THUMBNAIL_ROWS

    wanted = path
    while (
        True
    ):  # the Summary names its workbook, whose name depends on whether Excel holds the usual one open
        named = replace(report, workbook=wanted.name)
        written = write_atomically(wanted, partial(fill, report=named), numbered=True, replace=replace_file)
        if written == wanted:
            return written
        wanted = written


def _set_properties(book: xlsxwriter.Workbook, report: RunReport, presenter: Presenter) -> None:
    title = presenter.render("title.check" if report.command == "check" else "title.run")
    made = datetime.fromtimestamp(report.finished, UTC)
    book.set_properties({"title": title, "author": "esign-import", "subject": report.run, "created": made})
    book.set_custom_property(PROPERTY, PROPERTY_VALUE)
    book.set_custom_property(RUN_PROPERTY, report.run)
    book.set_custom_property(SCHEMA_PROPERTY, SCHEMA)
