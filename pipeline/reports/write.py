"""Writes all files of a run from its report: the same report gives the same files, at once or rebuilt later."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipeline.domain.results_format import WORKBOOK
from pipeline.domain.roster import ImageFile
from pipeline.domain.run import RunReport
from pipeline.reports import html_pages
from pipeline.reports.edited_workbooks import preserve_edited_workbooks, remember_written
from pipeline.reports.next_steps import REPORT_PAGE, REVIEW_PAGE
from pipeline.reports.presenter import Presenter
from pipeline.reports.records import file_record, outcome_record, run_record
from pipeline.reports.report_page import write_report
from pipeline.reports.review_page import LoadPreview, write_review
from pipeline.reports.totals import verify_totals
from pipeline.reports.workbook import write_workbook
from pipeline.support.atomic_files import Replace, copy_into, write_json, write_jsonl

OUTCOMES, PLAN, FILES, RUN = "outcomes.jsonl", "plan.jsonl", "files.jsonl", "run.json"


def write_all(
    report: RunReport,
    *,
    presenter: Presenter,
    look: LoadPreview | None = None,
    latest: Path | None,
    replace_file: Replace = os.replace,
) -> dict[str, Path]:
    """Write the files of a run into ``report.out`` and copies of them into ``latest``.

    Returns usual name -> path written. results.xlsx may be a numbered sibling; so may its copy, which is then returned
    as "copy". A workbook that was edited is renamed, never overwritten, and returned as "edited".
    Raises ``SumsError`` before anything is written, OSError if the disk refuses.
    """
    verify_totals(report)
    rows, other = (PLAN, OUTCOMES) if report.command == "check" else (OUTCOMES, PLAN)
    lines = (outcome_record(outcome, run=report.run, presenter=presenter) for outcome in report.outcomes)
    folders = dict.fromkeys(folder for folder in (report.out, latest) if folder is not None)
    edited = [path for folder in folders for path in preserve_edited_workbooks(folder / WORKBOOK)]
    written = {
        rows: write_jsonl(report.out / rows, lines),
        FILES: write_jsonl(
            report.out / FILES, (file_record(file_report, presenter) for file_report in report.files)
        ),
        RUN: write_json(report.out / RUN, run_record(report, presenter.masker)),
        REVIEW_PAGE: write_review(
            report,
            report.out / REVIEW_PAGE,
            presenter=presenter,
            look=look or (lambda _picture, _opening: None),
        ),
        WORKBOOK: write_workbook(
            report,
            report.out / WORKBOOK,
            presenter=presenter,
            thumbnail=partial(_load_thumbnail, look) if look else None,
            absolute_links=latest is not None and not _are_siblings(report.out, latest),
            replace_file=replace_file,
        ),
    }
    remember_written(written[WORKBOOK])
    report = replace(report, workbook=written[WORKBOOK].name)  # which the page names
    written[REPORT_PAGE] = write_report(report, report.out / REPORT_PAGE, presenter=presenter)
    (report.out / other).unlink(missing_ok=True)  # one run a folder: no plan beside another run's outcomes
    paths = written | ({"edited": edited[0]} if edited else {})
    if latest is None or latest == report.out:
        return paths
    copies = {name: copy_into(latest, path, name, replace=replace_file) for name, path in written.items()}
    remember_written(copies[WORKBOOK])
    (latest / other).unlink(missing_ok=True)
    if copies[WORKBOOK].name != report.workbook:
        write_report(report, latest / REPORT_PAGE, presenter=presenter, workbook=copies[WORKBOOK].name)
    return paths if copies[WORKBOOK].name == WORKBOOK else {**paths, "copy": copies[WORKBOOK]}


def _are_siblings(out: Path, latest: Path) -> bool:
    """Return whether both folders lie in the same folder, so that relative links hold in both."""
    return out.absolute().parent == latest.absolute().parent


def warm_up() -> None:
    """Import what the pages need and nothing else does, and translate the pages.

    What fails here is tried again when the results are written, and reported then.
    """
    with suppress(OSError, ImportError):
        html_pages.warm_up()


def _load_thumbnail(look: LoadPreview, picture: ImageFile) -> bytes | None:
    preview = look(picture, True)
    return preview.thumbnail if preview else None
