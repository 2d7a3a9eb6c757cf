"""Lines for programs: outcomes.jsonl, plan.jsonl, files.jsonl and run.json, field by field."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial

from pipeline import __version__, row_failures
from pipeline.clock import stamp
from pipeline.domain.masking import (
    NO_NUMBERS,
    Numbers,
    hide_names,
    mask_answer,
    mask_change,
    mask_path,
    mask_text,
    numbers_of,
)
from pipeline.domain.roster import FileReport, Problem
from pipeline.domain.run import Halt, Notice, RowOutcome, RunReport
from pipeline.messages.file_notes import noted
from pipeline.messages.findings import is_phrase
from pipeline.messages.problems import forgiven
from pipeline.reports.display_values import id_masked, mobile_masked, name_of, seal_id_of, seal_name_of
from pipeline.reports.notice_text import describe_notice
from pipeline.reports.reasons import happened, sentence
from pipeline.reports.totals import verify_totals

SCHEMA = 1


def outcome_record(
    outcome: RowOutcome, *, run: str, language: str, numbers: Numbers | None = None
) -> dict[str, object]:
    """Return a row's line of outcomes.jsonl; ``numbers`` are the roster's, by default this row's alone."""
    return row_failures.isolate_row_failure(
        partial(_line, outcome, run=run, language=language, numbers=numbers),
        partial(_bare_line, outcome, run=run, language=language, numbers=numbers),
        stage="results",
        row_id=outcome.doctor.row_id,
    )


def _bare_line(
    outcome: RowOutcome, found: Problem, *, run: str, language: str, numbers: Numbers | None
) -> dict[str, object]:
    """Return the line of a row over which its own line broke: where it stands, how it ended, and that it broke."""
    doctor = replace(outcome.doctor, changes=(), problems=())
    planned = replace(outcome.row_plan, doctor=doctor)
    bare = replace(outcome, row_plan=planned, message=None, problems=(forgiven(found),))
    return _line(bare, run=run, language=language, numbers=numbers)


def _line(
    outcome: RowOutcome, *, run: str, language: str, numbers: Numbers | None = None
) -> dict[str, object]:
    doctor = outcome.doctor
    origin = doctor.row.origin
    known = numbers_of([doctor]) if numbers is None else numbers
    return {
        "schema": SCHEMA,
        "run": run,
        "file": mask_text(origin.file, known),
        "path": mask_path(origin.path, known),
        "sheet": _masked(origin.sheet, known),
        "row": origin.row,
        "row_id": doctor.row_id,
        "key": doctor.key,
        "status": outcome.status.value,
        "codes": list(dict.fromkeys([problem.code for problem in outcome.problems])),
        "problems": [
            {
                "code": problem.code,
                "field": problem.field.value if problem.field else None,
                "cell": problem.cell,
                "severity": problem.severity,
                "message": sentence(problem, language, known),
            }
            for problem in outcome.problems
        ],
        "changes": list(_changes(outcome, known)) if doctor.changes else [],
        "staff_no": _masked(doctor.staff_no, known),
        "name": _masked(name_of(doctor), known),
        "id_masked": id_masked(doctor),
        "id_card_type": doctor.id_type.value if doctor.id_type else None,
        "mobile_masked": mobile_masked(doctor),
        "seal_name": _masked(seal_name_of(outcome), known),
        "picture": {"path": mask_path(doctor.picture.path, known), "sha256": doctor.picture.sha256}
        if doctor.picture
        else None,
        "seal_id": seal_id_of(outcome),
        "request_id": outcome.request_id,
        "trace_id": outcome.trace_id,
        "attempts": outcome.attempts,
        "service": {"code": outcome.code, "message": _said(outcome, known)}
        if outcome.code or outcome.message or outcome.unproven_seal_id
        else None,
    }


def file_line(report: FileReport, language: str, numbers: Numbers = NO_NUMBERS) -> dict[str, object]:
    """Return a roster file's line of files.jsonl; ``notes`` begin with the sentences of its problems."""
    return {
        "file": mask_text(report.path.name, numbers),
        "path": mask_path(report.path, numbers),
        "sha256": report.sha256,
        "status": report.status,
        "codes": list(report.codes),
        "rows": report.rows,
        "sheets": [
            {
                "sheet": _masked(sheet.sheet, numbers),
                "status": sheet.status,
                "rows": sheet.rows,
                "columns": [
                    {
                        "column": each.column,
                        "title": mask_text(each.title, numbers),
                        "field": each.field,
                        "nearest": each.nearest,
                    }
                    for each in sheet.columns
                ],
            }
            for sheet in report.sheets
        ],
        "skipped_lines": [
            {"sheet": _masked(line.sheet, numbers), "first": line.first, "last": line.last, "why": line.why}
            for line in report.skipped
        ],
        "notes": [
            *(sentence(problem, language, numbers) for problem in report.problems),
            *(noted(mask_text(note, numbers), language) for note in report.notes),
        ],
    }


def run_record(night: RunReport, *, numbers: Numbers | None = None) -> dict[str, object]:
    """Return run.json; no number and no person's name stands in it. Raises ``SumsError``.

    ``numbers`` saves collecting the roster's numbers once more.
    """
    known = numbers or numbers_of(outcome.doctor for outcome in night.outcomes)
    names = {name for outcome in night.outcomes if (name := name_of(outcome.doctor))}

    def anonymous(text: str) -> str:
        return hide_names(mask_text(text, known), names)

    return {
        "schema": SCHEMA,
        "run": night.run,
        "command": night.command,
        "started": stamp(night.started),
        "finished": stamp(night.finished),
        "exit": night.exit,
        "tenant": night.tenant,
        "contract": night.contract,
        "rows": len(night.outcomes),
        "statuses": {status.value: rows for status, rows in verify_totals(night).items()},
        "requests": {action: dict(codes) for action, codes in night.traffic.requests.items()},
        "rate": {
            "limit": night.traffic.limit,
            "used_share": night.traffic.used_share,
            "throttled": night.traffic.throttled,
            "max_in_second": night.traffic.max_in_second,
            **({"timing": asdict(night.traffic.timing)} if night.traffic.timing else {}),
        },
        "halted": _halted(night.halt, anonymous) if night.halt else None,
        **({"notices": [_notice(each, anonymous) for each in night.notices]} if night.notices else {}),
        "files": [
            {
                "path": anonymous(str(report.path)),
                "sha256": report.sha256,
                "status": report.status,
                "codes": list(report.codes),
                "rows": report.rows,
            }
            for report in night.files
        ],
        "versions": {"esign-import": __version__, "python": platform.python_version()},
    }


def _halted(halted: Halt, anonymous: Callable[[str], str]) -> dict[str, str]:
    record = {"code": halted.code, "message": anonymous(halted.message)}
    return record | {name: anonymous(text) for name, text in halted.detail.items()}


def _notice(notice: Notice, anonymous: Callable[[str], str]) -> dict[str, object]:
    hidden = replace(notice, detail={name: anonymous(text) for name, text in notice.detail.items()})
    return {"code": notice.code, "message": describe_notice(hidden, "en"), "detail": hidden.detail}


def _changes(outcome: RowOutcome, numbers: Numbers) -> Iterator[dict[str, str]]:
    for change in outcome.doctor.changes:
        before, after = mask_change(change, numbers)
        yield {"field": change.field.value, "from": before, "to": after, "why": change.why}


def _said(outcome: RowOutcome, numbers: Numbers) -> str | None:
    """Return the service's words, with a SealId that proves nothing but is evidence."""
    own = happened(outcome.code, None, "en") is not None
    told = None if own and not is_phrase(outcome.message or "") else outcome.message
    message = mask_answer(told, numbers) if told is not None else None
    return (
        f"SealId {outcome.unproven_seal_id} {message or ''}".strip() if outcome.unproven_seal_id else message
    )


def _masked(text: str | None, numbers: Numbers) -> str | None:
    return None if text is None else mask_text(text, numbers)
