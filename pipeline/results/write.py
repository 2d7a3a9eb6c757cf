"""All files of a run from one Night: the same value gives the same files, tonight or when they are rebuilt."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

from pipeline.model import Night
from pipeline.results.files import copy_into, remember_written, set_edited_aside, write_json, write_jsonl
from pipeline.results.lines import file_line, outcome_line, run_record
from pipeline.results.next_steps import REPORT_PAGE, REVIEW_PAGE, WORKBOOK
from pipeline.results.privacy import numbers_of
from pipeline.results.report_page import write_report
from pipeline.results.review_page import Look, write_review
from pipeline.results.sums import count
from pipeline.results.workbook import write_workbook
from pipeline.roster import Picture

OUTCOMES, PLAN, FILES, RUN = "outcomes.jsonl", "plan.jsonl", "files.jsonl", "run.json"


def write_all(
    night: Night,
    *,
    language: str,
    ticket_check: Callable[[str], str],
    look: Look | None = None,
    latest: Path | None,
) -> dict[str, Path]:
    """Write the files of DESIGN §7 into ``night.out`` and copies of them into ``latest``.

    Returns usual name -> path written; results.xlsx may be a numbered sibling. A workbook that a clerk has edited
    since is set aside, never overwritten: it stands under "edited". Raises ``SumsError`` before anything
    is written, OSError where the disk refuses. The workbook comes last, for only its reader needs patience.
    """
    count(night)
    numbers = numbers_of(outcome.doctor for outcome in night.outcomes)
    rows, other = (PLAN, OUTCOMES) if night.command == "check" else (OUTCOMES, PLAN)
    lines = (
        outcome_line(outcome, run=night.run, language=language, numbers=numbers) for outcome in night.outcomes
    )
    folders = {night.out, latest or night.out}
    aside = [set_edited_aside(folder / WORKBOOK) for folder in folders]
    written = {
        rows: write_jsonl(night.out / rows, lines),
        FILES: write_jsonl(night.out / FILES, (file_line(each, language, numbers) for each in night.files)),
        RUN: write_json(night.out / RUN, run_record(night, numbers=numbers)),
        REPORT_PAGE: write_report(night, night.out / REPORT_PAGE, language=language, numbers=numbers),
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
        ),
    }
    (night.out / other).unlink(missing_ok=True)  # one run a folder: no plan beside another run's outcomes
    if latest is not None and latest != night.out:
        for name, path in written.items():
            copy_into(latest, path, name)
        (latest / other).unlink(missing_ok=True)
    for folder in folders:
        if (folder / WORKBOOK).exists():
            remember_written(folder / WORKBOOK)
    kept = next(filter(None, aside), None)
    return written if kept is None else {**written, "edited": kept}


def _siblings(out: Path, latest: Path) -> bool:
    """Tell whether what one folder sees of the world the other sees as well."""
    return out.absolute().parent == latest.absolute().parent


def warm_up() -> None:
    """Import what the pages and the Summary need and nothing else does: half a second."""
    for library in ("jinja2", "pandas"):
        import_module(library)


def _thumbnail(look: Look, picture: Picture) -> bytes | None:
    preview = look(picture, True)
    return preview.thumbnail if preview else None
