"""report.html: what happened in a run, with the numbers of run.json; one file that needs no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from pipeline.domain.roster import Field, FileReport
from pipeline.domain.run import (
    SHOWN_STATUSES,
    RowOutcome,
    RunReport,
    ShownStatus,
    count_shown_statuses,
    get_shown_status,
)
from pipeline.reports.explanations import (
    describe_code,
    describe_file,
    describe_notices,
    describe_status,
    list_reasons,
    name_code,
)
from pipeline.reports.html_pages import write_page
from pipeline.reports.next_steps import REVIEW_PAGE, list_run_steps
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import (
    display_field,
    display_last_attempt,
    display_seal_name,
    get_confirmed_seal_id,
    list_blocking_codes,
    show_doctor_id,
)
from pipeline.reports.styles import STATUSES_OF_FILES, clean_text
from pipeline.reports.totals import (
    describe_auto_sign,
    describe_early_end,
    describe_run,
    list_reason_totals,
    needs_action,
    summarize_run,
    verify_totals,
)
from pipeline.reports.unused_pictures import PreviewLoader, UnusedPictures
from pipeline.version import __version__

MAX_ROWS = 5_000  # in the page; a phone still opens it
MAX_FILES = 60
MAX_TEXT = 400  # characters of a text in the table
UPLOAD = "UploadFiles"
CREATE_ENDS_WITH = "CreatePreparedPersonalEsign"  # the create's name, in every product of the service
# of the values that a row shows when it is opened: the key of its name
_LABELS = {
    "number": "col.number",
    "mobile": "report.mobile",
    "sealName": "col.seal_name",
    "sealId": "col.seal_id",
    "time": "col.time",
    "attempts": "col.attempts",
    "took": "report.took.row",
    "request": "col.request_id",
    "trace": "col.trace_id",
    "picture": "col.picture",
    "where": "report.where",
}
Table: TypeAlias = Mapping[str, object]  # of the rows, as the page's script takes it


def write_report(
    report: RunReport,
    path: Path,
    *,
    presenter: Presenter,
    previews: PreviewLoader | None,
    workbook: str | None = None,
) -> Path:
    """Write the page. Raises ``SumsError`` before anything is written.

    ``workbook`` is the name of the workbook in the page's folder, if it is not the report's.
    """
    unused = UnusedPictures(report, presenter, previews)
    workbook = workbook or report.workbook
    values = _collect_values(report, presenter) | {"rows": _build_table(report, presenter, unused)}
    values |= {"unused": unused.collect_page_values(workbook)}
    pages = [(REVIEW_PAGE, presenter.render_review("title")), (workbook, workbook)]
    values |= {"t": presenter.render, "workbook": workbook, "pages": pages}
    return write_page(path, "report.html", presenter.language, values)


def _collect_values(report: RunReport, presenter: Presenter) -> dict[str, object]:
    verify_totals(report)
    total = len(report.outcomes)
    text, colour = summarize_run(report, presenter)
    return {
        "title": presenter.render("report.title"),
        "meta": describe_run(report, presenter),
        "run": report.run,
        "tenant": report.tenant,
        "contract": report.contract,
        "exit": report.exit,
        "traffic": report.traffic,
        "halted": describe_early_end(report, presenter),
        "notices": [clean_text(text) for text in describe_notices(report, presenter)],
        "verdict": text,
        "verdict_colour": colour.value,
        "language": presenter.language,
        "steps": list_run_steps(report, presenter.masker),
        "total": total,
        "statuses": [
            _describe_total(status, rows, report, presenter)
            for status, rows in count_shown_statuses(report.outcomes).items()
        ],
        "auto_sign": describe_auto_sign(report.auto_sign, presenter) if report.auto_sign else None,
        "reasons": list(list_reason_totals(report, presenter)),
        "describe": presenter.describe_duration,
        "wire": _describe_traffic(report, presenter),
        "files": [_describe_file(file_report, presenter) for file_report in report.files[:MAX_FILES]],
        "more_files": len(report.files) - MAX_FILES,
        "version": __version__,
    }


def _describe_total(
    status: ShownStatus, rows: int, report: RunReport, presenter: Presenter
) -> dict[str, object]:
    return {
        "status": status.value,
        "word": presenter.name_status(status),
        "meaning": describe_status(status, report.outcomes, presenter),
        "rows": rows,
        "share": f"{rows / len(report.outcomes):.1%}",
    }


def _describe_file(file_report: FileReport, presenter: Presenter) -> dict[str, object]:
    return {
        "path": clean_text(presenter.mask_path(file_report.path)),
        "colour": STATUSES_OF_FILES[file_report.reading].value,
        "word": presenter.render(f"file.{file_report.reading}"),
        "rows": file_report.rows,
        "notes": [clean_text(note) for note in describe_file(file_report, presenter)],
    }


# -- what went over the wire


def _describe_traffic(report: RunReport, presenter: Presenter) -> dict[str, object]:
    """Return how the page names calls and codes, and the figures as people read them."""
    timing, describe = report.traffic.timing, presenter.describe_duration
    answers = timing.answers if timing else {}
    return {
        "name": lambda action: _name_action(action, presenter),
        "explain": lambda code: describe_code(code, presenter),
        "limit": f"{report.traffic.limit:g}",
        "share": f"{report.traffic.used_share:.1%}",
        "timing": timing,
        "answers": {
            action: [describe(seconds) for seconds in (times.median, times.p95, times.longest)]
            for action, times in answers.items()
        },
    }


def _name_action(action: str, presenter: Presenter) -> str:
    """Return the reader's name of an action; an action without one keeps its own."""
    if action.endswith(CREATE_ENDS_WITH):
        return presenter.render("report.create")
    return presenter.render("report.upload") if action == UPLOAD else action


# -- the rows


def _build_table(report: RunReport, presenter: Presenter, unused: UnusedPictures) -> Table:
    """Return the table for the page's script, and what its filters choose from."""
    outcomes = _choose_rows(report.outcomes)
    rows = [_describe_row(outcome, presenter, unused) for outcome in outcomes]
    # the page's script fills these
    blanks = {name: f"{{{name}}}" for name in ("shown", "total", "n", "file", "sheet", "row")}
    codes = Counter(chain.from_iterable(list_blocking_codes(outcome) for outcome in outcomes))
    departments = Counter(row["department"] for row in rows if row["department"])
    return {
        "data": {
            "rows": rows,
            "oneFile": len({outcome.doctor.row.origin.path for outcome in outcomes}) == 1,
            "statuses": {status.value: presenter.name_status(status) for status in SHOWN_STATUSES},
            "words": {
                name: presenter.render(f"report.{name}", **blanks)
                for name in ("shown", "more", "none", "place")
            },
            "labels": {name: presenter.render(key) for name, key in _LABELS.items()},
        },
        "kept": len(outcomes),
        "todo": sum(map(needs_action, report.outcomes)),
        # code -> its option in the list of reasons
        "codes": {
            clean_text(code): f"{name_code(code, presenter)} ({code})" for code, _ in codes.most_common()
        },
        "departments": [department for department, _ in departments.most_common()],
    }


def _describe_row(outcome: RowOutcome, presenter: Presenter, unused: UnusedPictures) -> dict[str, object]:
    doctor, origin = outcome.doctor, outcome.doctor.row.origin

    def mask_and_cut(text: str | None) -> str:
        return _cut_text(presenter.mask_optional(text))

    return {
        "status": get_shown_status(outcome).value,
        "name": mask_and_cut(doctor.display_name),
        "reasons": [_cut_text(reason) for reason in list_reasons(outcome, presenter)],
        "codes": [clean_text(code) for code in list_blocking_codes(outcome)],
        "number": show_doctor_id(doctor, presenter),
        "staff": mask_and_cut(doctor.staff_no),
        "department": mask_and_cut(doctor.display_department),
        "sealName": mask_and_cut(display_seal_name(outcome)),
        "sealId": get_confirmed_seal_id(outcome) or "",
        "time": display_last_attempt(outcome),
        "attempts": outcome.attempts,
        "request": outcome.request_id or "",
        "trace": outcome.trace_id or "",
        "file": mask_and_cut(origin.file),
        "sheet": mask_and_cut(origin.sheet),
        "row": origin.row,
        "picture": mask_and_cut(doctor.picture.name) if doctor.picture else "",
        "mobile": display_field(outcome, Field.MOBILE, presenter.mask_text) or "",
        "took": "" if outcome.call_seconds is None else presenter.describe_duration(outcome.call_seconds),
        "todo": needs_action(outcome),
        "unused": unused.list_indices(outcome),
    }


def _choose_rows(outcomes: Sequence[RowOutcome]) -> Sequence[RowOutcome]:
    """Return the rows of the page in the roster's order: all, or those that need action before others."""
    if len(outcomes) <= MAX_ROWS:
        return outcomes
    by_need = sorted(range(len(outcomes)), key=lambda index: not needs_action(outcomes[index]))
    return [outcomes[index] for index in sorted(by_need[:MAX_ROWS])]


def _cut_text(text: str) -> str:
    text = clean_text(text)
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} …"
