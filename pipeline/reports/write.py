"""Writes all files of a run from its report: the same report gives the same files, at once or rebuilt later."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import xlsxwriter
from xlsxwriter.exceptions import FileCreateError

from pipeline.domain.results_format import (
    OUTCOMES,
    PLAN,
    PROPERTY,
    PROPERTY_VALUE,
    RUN_PROPERTY,
    SCHEMA_PROPERTY,
    WORKBOOK,
)
from pipeline.domain.row_record import SCHEMA
from pipeline.domain.run import RunReport
from pipeline.reports.folder_links import FolderLinks
from pipeline.reports.html_pages import LAYOUT, load_template
from pipeline.reports.next_steps import REPORT_PAGE, REVIEW_PAGE
from pipeline.reports.presenter import Presenter
from pipeline.reports.records import (
    PICTURES,
    PREVIEW,
    file_record,
    record_outcome,
    record_pictures,
    record_preview,
    run_record,
)
from pipeline.reports.report_page import write_report
from pipeline.reports.review_page import record_review, write_review
from pipeline.reports.row_values import list_retried_rows
from pipeline.reports.sheet_summary import write_summary
from pipeline.reports.sheet_to_fix import write_fix_sheet
from pipeline.reports.styles import FONT, FONT_SIZE, Styles
from pipeline.reports.table_sheets import (
    MAX_THUMBNAIL_ROWS,
    write_all_sheet,
    write_unknown_sheet,
    write_unpaired_sheet,
    write_unread_sheet,
)
from pipeline.reports.tables import WorkbookContext
from pipeline.reports.totals import verify_totals
from pipeline.reports.unused_pictures import PreviewLoader, UnusedPictures
from pipeline.reports.written_workbooks import WrittenWorkbooks
from pipeline.support.atomic_files import (
    Replace,
    copy_into,
    make_draft_prefix,
    make_folder,
    write_atomically,
    write_json,
    write_jsonl,
)

FILES, RUN = "files.jsonl", "run.json"
# further names: a workbook that was kept, a copy of a workbook under another name
EDITED, COPY = "edited", "copy"


class ResultsWriter:
    """Writes all files of a run but the marked copies into ``report.out``, and copies of them into ``latest``.

    The workbook comes first, the pages after it. Raises OSError if the disk refuses.
    """

    def __init__(
        self,
        *,
        presenter: Presenter,
        previews: PreviewLoader | None,
        latest: Path | None,
        replace_file: Replace = os.replace,
    ) -> None:
        self._presenter, self._previews = presenter, previews
        self._latest, self._replace_file = latest, replace_file
        self._files: dict[str, Path] = {}  # usual name -> path written
        self._edited: list[Path] = []  # workbooks that were kept

    def write_workbook(self, report: RunReport) -> None:
        """Write the outcomes and the workbook.

        results.xlsx may be a numbered sibling. A workbook that was edited is renamed, never overwritten. Raises ``SumsError``
        before anything is written.
        """
        verify_totals(report)
        written = WrittenWorkbooks(report.out)
        self._edited += written.preserve_edited()
        rows, _ = _name_rows_file(report)
        records = (
            record_outcome(outcome, run=report.run, presenter=self._presenter) for outcome in report.outcomes
        )
        if rows == PLAN:
            reviews = (record_review(outcome, report, self._presenter) for outcome in report.outcomes)
            lines = (
                replace(record, review=review).to_whole_dict()
                for record, review in zip(records, reviews, strict=True)
            )
        else:
            lines = (record.to_dict() for record in records)
        # before the workbook: a full disk is found by a plain file, not inside the library
        self._files[rows] = write_jsonl(report.out / rows, lines)
        latest = self._latest
        workbook = write_workbook(
            report,
            report.out / WORKBOOK,
            presenter=self._presenter,
            previews=self._previews,
            absolute_links=latest is not None and not _are_siblings(report.out, latest),
            replace_file=self._replace_file,
        )
        written.remember(workbook)
        self._files[WORKBOOK] = workbook

    def write_pages(self, report: RunReport) -> dict[str, Path]:
        """Write the records and pages of a run whose workbook is written; return usual name -> path written.

        A workbook that was kept is returned as "edited".
        """
        files, presenter = self._files, self._presenter
        _, other = _name_rows_file(report)
        report = replace(report, workbook=files[WORKBOOK].name)  # which the page names
        files[REVIEW_PAGE] = write_review(
            report, report.out / REVIEW_PAGE, presenter=presenter, previews=self._previews
        )
        files[FILES] = write_jsonl(
            report.out / FILES, (file_record(file_report, presenter) for file_report in report.files)
        )
        if report.command == "check":
            write_json(report.out / PICTURES, record_pictures(report, presenter))
        else:
            (report.out / PICTURES).unlink(missing_ok=True)
        if report.preview is not None:
            write_json(report.out / PREVIEW, record_preview(report.run, report.preview))
        else:
            (report.out / PREVIEW).unlink(missing_ok=True)
        files[RUN] = write_json(report.out / RUN, run_record(report, presenter.masker))
        files[REPORT_PAGE] = write_report(
            report, report.out / REPORT_PAGE, presenter=presenter, previews=self._previews
        )
        (report.out / other).unlink(missing_ok=True)  # a folder holds the outcomes or the plan of one run
        return self._list_files()

    def copy_into_latest(self, report: RunReport) -> dict[str, Path]:
        """Copy the files that are written into ``latest``; return what `write_pages` does.

        The copy of a workbook under another name is returned as "copy".
        """
        files, latest = self._files, self._latest
        if latest is None or latest == report.out:
            return self._list_files()
        _, other = _name_rows_file(report)
        self._edited += WrittenWorkbooks(latest).preserve_edited()
        copy = _copy_files(
            replace(report, workbook=files[WORKBOOK].name),
            files,
            latest,
            presenter=self._presenter,
            previews=self._previews,
            replace_file=self._replace_file,
        )
        (latest / other).unlink(missing_ok=True)
        return self._list_files() | ({} if copy.name == WORKBOOK else {COPY: copy})

    def _list_files(self) -> dict[str, Path]:
        """Return usual name -> path written, with a workbook that was kept."""
        return self._files | ({EDITED: self._edited[0]} if self._edited else {})


def _copy_files(
    report: RunReport,
    files: Mapping[str, Path],
    latest: Path,
    *,
    presenter: Presenter,
    previews: PreviewLoader | None,
    replace_file: Replace,
) -> Path:
    """Copy the files of a run into ``latest``, and return the copy of its workbook, which the page there names."""
    copies = {name: copy_into(latest, path, name, replace=replace_file) for name, path in files.items()}
    workbook = copies[WORKBOOK]
    WrittenWorkbooks(latest).remember(workbook, copied_from=files[WORKBOOK])
    if workbook.name != report.workbook:
        write_report(
            report,
            latest / REPORT_PAGE,
            presenter=presenter,
            previews=previews,
            workbook=workbook.name,
        )
    return workbook


def _name_rows_file(report: RunReport) -> tuple[str, str]:
    """Return the name of the file of rows, and the name that it would have after another command."""
    return (PLAN, OUTCOMES) if report.command == "check" else (OUTCOMES, PLAN)


def _are_siblings(out: Path, latest: Path) -> bool:
    """Return whether both folders lie in the same folder, so that relative links hold in both."""
    return out.absolute().parent == latest.absolute().parent


def warm_up() -> None:
    """Import what only the results need, and compile the templates of the pages.

    What fails here is tried again when the results are written, and reported then.
    """
    with suppress(OSError, ImportError):
        import_module("pipeline.reports.copies.marked_copy")
        for page in (LAYOUT, REPORT_PAGE, REVIEW_PAGE):
            load_template(page)


# -- results.xlsx: six sheets, seven after a retry; streamed, known by a document property, without formulas


def write_workbook(
    report: RunReport,
    path: Path,
    *,
    presenter: Presenter,
    previews: PreviewLoader | None,
    absolute_links: bool = False,
    replace_file: Replace = os.replace,
) -> Path:
    """Write the workbook and return its path: a numbered sibling of ``path`` where Excel holds that open.

    ``absolute_links`` lead to the pictures from wherever a copy lies. Raises ``SumsError`` before anything is written.
    """
    verify_totals(report)
    make_folder(path.parent)

    def fill(target: Path, folder: Path) -> None:
        options = {
            "constant_memory": True,
            "tmpdir": str(folder),
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "default_format_properties": {"font_name": FONT, "font_size": FONT_SIZE},
        }
        with xlsxwriter.Workbook(str(target), options) as book:
            _set_properties(book, report, presenter)
            links = FolderLinks(report, presenter, absolute=absolute_links)
            unused = UnusedPictures(report, presenter, previews)
            context = WorkbookContext(book, report, presenter, Styles(book), links, previews, unused)
            write_summary(context)
            write_all_sheet(context, report.outcomes)
            if report.command == "retry":
                write_all_sheet(context, list_retried_rows(report), "sheet.retried")
            write_fix_sheet(context)
            write_unknown_sheet(context)
            write_unpaired_sheet(context)
            write_unread_sheet(context)
            # With thumbnails the package has a part for each picture, and so many files take longer than all the
            # rest. Sheets stay streamed: only where the parts lie until they are packed is changed.
            book.in_memory = len(report.outcomes) <= MAX_THUMBNAIL_ROWS

    def fill_or_explain(target: Path) -> None:
        # the streamed sheets lie in a private folder next to the file until it is closed
        with tempfile.TemporaryDirectory(prefix=make_draft_prefix(), dir=path.parent) as folder:
            try:
                fill(target, Path(folder))
            except FileCreateError as error:  # XlsxWriter's name for an OSError
                raise error.args[0] from None

    return write_atomically(path, fill_or_explain, numbered=True, replace=replace_file)


def _set_properties(book: xlsxwriter.Workbook, report: RunReport, presenter: Presenter) -> None:
    title = presenter.render("title.check" if report.command == "check" else "title.run")
    made = datetime.fromtimestamp(report.finished, UTC)
    book.set_properties({"title": title, "author": "esign-import", "subject": report.run, "created": made})
    book.set_custom_property(PROPERTY, PROPERTY_VALUE)
    book.set_custom_property(RUN_PROPERTY, report.run)
    book.set_custom_property(SCHEMA_PROPERTY, SCHEMA)
