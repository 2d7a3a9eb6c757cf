"""All files of a run from one Night: the same value gives the same files, tonight or when they are rebuilt."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

from pipeline.domain.masking import Numbers, numbers_of
from pipeline.domain.roster import ImageFile
from pipeline.domain.run import RunReport
from pipeline.reports import html_pages
from pipeline.reports.edited_workbooks import preserve_edited_workbooks, remember_written
from pipeline.reports.next_steps import REPORT_PAGE, REVIEW_PAGE, WORKBOOK
from pipeline.reports.records import file_line, outcome_record, run_record
from pipeline.reports.report_page import write_report
from pipeline.reports.review_page import Look, write_review
from pipeline.reports.totals import verify_totals
from pipeline.reports.workbook import write_workbook
from pipeline.support.atomic_files import Replace, copy_into, write_json, write_jsonl

OUTCOMES, PLAN, FILES, RUN = "outcomes.jsonl", "plan.jsonl", "files.jsonl", "run.json"


def write_all(
    night: RunReport,
    *,
    language: str,
    ticket_check: Callable[[str], str],
    look: Look | None = None,
    latest: Path | None,
    numbers: Numbers | None = None,
    replace_file: Replace = os.replace,
) -> dict[str, Path]:
    """Write the files of a run into ``night.out`` and copies of them into ``latest``.

    ``numbers`` saves collecting the roster's once more.
    Returns usual name -> path written; results.xlsx may be a numbered sibling, and so may its copy, which then stands
    under "copy". A workbook that a clerk has edited since is set aside, never overwritten: it stands under "edited".
    Raises ``SumsError`` before anything is written, OSError where the disk refuses.
    """
    verify_totals(night)
    numbers = numbers or numbers_of(outcome.doctor for outcome in night.outcomes)
    rows, other = (PLAN, OUTCOMES) if night.command == "check" else (OUTCOMES, PLAN)
    lines = (
        outcome_record(outcome, run=night.run, language=language, numbers=numbers)
        for outcome in night.outcomes
    )
    folders = dict.fromkeys(folder for folder in (night.out, latest) if folder is not None)
    kept = [aside for folder in folders for aside in preserve_edited_workbooks(folder / WORKBOOK)]
    written = {
        rows: write_jsonl(night.out / rows, lines),
        FILES: write_jsonl(night.out / FILES, (file_line(each, language, numbers) for each in night.files)),
        RUN: write_json(night.out / RUN, run_record(night, numbers=numbers)),
        REVIEW_PAGE: write_review(
            night,
            night.out / REVIEW_PAGE,
            language=language,
            numbers=numbers,
            look=look or (lambda _picture, _opening: None),
        ),
        WORKBOOK: write_workbook(
            night,
            night.out / WORKBOOK,
            language=language,
            ticket_check=ticket_check,
            thumbnail=partial(_thumbnail, look) if look else None,
            numbers=numbers,
            absolute_links=latest is not None and not _siblings(night.out, latest),
            replace_file=replace_file,
        ),
    }
    remember_written(written[WORKBOOK])
    night = replace(night, workbook=written[WORKBOOK].name)  # which the page names
    report = partial(write_report, night, language=language, numbers=numbers)
    written[REPORT_PAGE] = report(night.out / REPORT_PAGE)
    (night.out / other).unlink(missing_ok=True)  # one run a folder: no plan beside another run's outcomes
    told = written | ({"edited": kept[0]} if kept else {})
    if latest is None or latest == night.out:
        return told
    copies = {name: copy_into(latest, path, name, replace=replace_file) for name, path in written.items()}
    remember_written(copies[WORKBOOK])
    (latest / other).unlink(missing_ok=True)
    if copies[WORKBOOK].name != night.workbook:
        report(latest / REPORT_PAGE, beside=copies[WORKBOOK].name)
    return told if copies[WORKBOOK].name == WORKBOOK else {**told, "copy": copies[WORKBOOK]}


def _siblings(out: Path, latest: Path) -> bool:
    """Tell whether what one folder sees of the world the other sees as well."""
    return out.absolute().parent == latest.absolute().parent


def warm_up() -> None:
    """Import what the pages and the Summary need and nothing else does, and translate the pages: a second.

    What fails here is tried once more when the results are written, and told then.
    """
    with suppress(OSError, ImportError):
        import_module("pandas")
        html_pages.warm_up()


def _thumbnail(look: Look, picture: ImageFile) -> bytes | None:
    preview = look(picture, True)
    return preview.thumbnail if preview else None
