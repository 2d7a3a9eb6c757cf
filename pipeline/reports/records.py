"""Records for programs: outcomes.jsonl, plan.jsonl, files.jsonl, preview.json, pictures.json and run.json, field by field."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pipeline.clock import stamp
from pipeline.domain.fields import list_result_fields
from pipeline.domain.masking import Masker, hide_names
from pipeline.domain.message import Message
from pipeline.domain.results_format import COPIES
from pipeline.domain.roster import Change, FileReport, ImageFile, Problem, list_candidate_images
from pipeline.domain.row_record import SCHEMA, RecordedAnswer, RecordedPicture, RecordedProblem, RowLine
from pipeline.domain.run import (
    SHOWN_STATUSES,
    CheckedRequest,
    Halt,
    Notice,
    RowOutcome,
    RunPreview,
    RunReport,
    is_redundant_copy,
)
from pipeline.errors import isolate_row_failure
from pipeline.messages.catalogue import dump_text, dump_texts, load_text
from pipeline.messages.problems import dump_problem, record_problem, turn_into_warning
from pipeline.reports.explanations import describe_lost_answer, describe_notice, describe_problem
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import display_field, get_confirmed_seal_id
from pipeline.reports.totals import verify_totals
from pipeline.version import __version__

PREVIEW = "preview.json"
PICTURES = "pictures.json"
MAX_CANDIDATES = 12  # pictures from which one is chosen for a row


def record_outcome(outcome: RowOutcome, *, run: str, presenter: Presenter) -> RowLine:
    """Return the record of a row; a row whose record cannot be made has its address, its status and the failure alone."""
    return isolate_row_failure(
        lambda: _record_outcome(outcome, run=run, presenter=presenter),
        lambda failure: _record_outcome(_strip_outcome(outcome, failure), run=run, presenter=presenter),
        stage="results",
        row_id=outcome.doctor.row_id,
    )


def _strip_outcome(outcome: RowOutcome, failure: Problem) -> RowOutcome:
    """Return a row whose line could not be built with its address, its status, and the failure alone."""
    doctor = replace(outcome.doctor, changes=(), problems=())
    row_plan = replace(outcome.row_plan, doctor=doctor)
    return replace(outcome, row_plan=row_plan, message=None, problems=(turn_into_warning(failure),))


def _record_outcome(outcome: RowOutcome, *, run: str, presenter: Presenter) -> RowLine:
    doctor = outcome.doctor
    origin = doctor.row.origin
    fields = list_result_fields(in_ledger=True)
    return RowLine(
        run=run,
        file=presenter.mask_text(origin.file),
        path=presenter.mask_path(origin.path),
        sheet=_mask_sheet(origin.sheet, presenter),
        row=origin.row,
        row_id=doctor.row_id,
        key=doctor.key,
        status=outcome.status,
        codes=tuple(dict.fromkeys(problem.code for problem in outcome.problems)),
        problems=tuple(_record_problem(problem, presenter) for problem in outcome.problems),
        changes=tuple(_mask_change(change, presenter) for change in doctor.changes),
        values={field: display_field(outcome, field, presenter.mask_text) for _, field in fields},
        picture=_record_picture(outcome, presenter),
        seal_id=get_confirmed_seal_id(outcome),
        request_id=outcome.request_id,
        trace_id=outcome.trace_id,
        attempts=outcome.attempts,
        service=_record_answer(outcome, presenter),
    )


def file_record(file_report: FileReport, presenter: Presenter) -> dict[str, object]:
    """Return a roster file's line of files.jsonl; ``notes`` begin with the sentences of its problems.

    ``problems`` are what these sentences are made of, for readers of another language.
    """
    return {
        "file": presenter.mask_text(file_report.path.name),
        "path": presenter.mask_path(file_report.path),
        "sha256": file_report.sha256,
        "status": file_report.status,
        "codes": list(file_report.codes),
        "rows": file_report.rows,
        "problems": [
            dump_problem(presenter.masker.mask_problem(problem)) for problem in file_report.problems
        ],
        "sheets": [
            {
                "sheet": _mask_sheet(sheet.sheet, presenter),
                "status": sheet.status,
                "rows": sheet.rows,
                "columns": [
                    {
                        "column": column.column,
                        "title": presenter.mask_text(column.title),
                        "field": column.field,
                        "nearest": column.nearest,
                    }
                    for column in sheet.columns
                ],
            }
            for sheet in file_report.sheets
        ],
        "skipped_lines": [
            {
                "sheet": _mask_sheet(line.sheet, presenter),
                "first": line.first,
                "last": line.last,
                "why": line.why,
            }
            for line in file_report.skipped
        ],
        "notes": [
            *(describe_problem(problem, presenter) for problem in file_report.problems),
            *(presenter.render_text(presenter.mask_text(note)) for note in file_report.notes),
        ],
    }


def run_record(report: RunReport, masker: Masker | None = None) -> dict[str, object]:
    """Return run.json, which holds no number and no person's name. Raises ``SumsError``.

    Without a masker the numbers of the report's rows are masked.
    """
    anonymize = _make_anonymizer(report, masker)
    duplicates = sum(map(is_redundant_copy, report.outcomes))
    return {
        "schema": SCHEMA,
        "run": report.run,
        "command": report.command,
        "started": stamp(report.started),
        "finished": stamp(report.finished),
        "exit": report.exit,
        "tenant": report.tenant,
        "contract": report.contract,
        "rows": len(report.outcomes),
        **({"accepted_guards": True} if report.accepted_guards else {}),
        **({"superseded": True} if report.is_superseded else {}),
        **({"restrictions": report.restrictions} if report.restrictions else {}),
        "statuses": {status.value: rows for status, rows in verify_totals(report).items()},
        **({"duplicates": duplicates} if duplicates else {}),
        "requests": {action: dict(codes) for action, codes in report.traffic.requests.items()},
        "rate": {
            "limit": report.traffic.limit,
            "used_share": report.traffic.used_share,
            "throttled": report.traffic.throttled,
            "max_in_second": report.traffic.max_in_second,
            "waited_seconds": report.traffic.waited_seconds,
            **({"timing": asdict(report.traffic.timing)} if report.traffic.timing else {}),
        },
        "halted": _halt_record(report.halt, anonymize) if report.halt else None,
        **(
            {"notices": [_notice_record(notice, anonymize) for notice in report.notices]}
            if report.notices
            else {}
        ),
        **({"auto_sign": report.auto_sign.to_dict()} if report.auto_sign else {}),
        **_record_inputs(report, anonymize),
        "versions": {"esign-import": __version__, "python": platform.python_version()},
    }


def start_record(report: RunReport, masker: Masker) -> dict[str, object]:
    """Return what is known of run.json when a run begins: what it was given, and the files that it has read."""
    return _record_inputs(report, _make_anonymizer(report, masker))


def _make_anonymizer(report: RunReport, masker: Masker | None) -> Callable[[str], str]:
    """Return the function that takes numbers and names of a report's rows out of a text."""
    mask_text = (masker or Presenter.for_report(report, "en").masker).mask_text
    names = {name for outcome in report.outcomes if (name := outcome.doctor.display_name)}
    return lambda text: hide_names(mask_text(text), names)


def _record_inputs(report: RunReport, anonymize: Callable[[str], str]) -> dict[str, object]:
    """Return the rosters and pictures as they were typed, the folder of pictures, and the files of the rosters."""
    return {
        **({"arguments": anonymize(report.arguments)} if report.arguments else {}),
        **({"seals": anonymize(str(report.seals.absolute()))} if report.seals else {}),
        "files": _list_files(report, anonymize),
    }


def _list_files(report: RunReport, anonymize: Callable[[str], str]) -> list[dict[str, object]]:
    return [
        {
            "path": anonymize(str(file_report.path)),
            "sha256": file_report.sha256,
            "status": file_report.status,
            "codes": list(file_report.codes),
            "rows": file_report.rows,
            **({"digests": dict(file_report.digests)} if file_report.digests else {}),
            **({"copy": anonymize(f"{COPIES}/{copy.name}")} if copy else {}),
        }
        for file_report in report.files
        for copy in [report.copies.get(file_report.path)]
    ]


def _halt_record(halt: Halt, anonymize: Callable[[str], str]) -> dict[str, object]:
    record = {"code": halt.code, "message": anonymize(halt.message)}
    return dump_texts(record | {name: anonymize(text) for name, text in halt.detail.items()})


def _notice_record(notice: Notice, anonymize: Callable[[str], str]) -> dict[str, object]:
    hidden = replace(notice, detail={name: anonymize(text) for name, text in notice.detail.items()})
    return {"code": notice.code, "message": describe_notice(hidden, Presenter("en")), "detail": hidden.detail}


def _record_picture(outcome: RowOutcome, presenter: Presenter) -> RecordedPicture | None:
    picture, sizes = outcome.doctor.picture, outcome.image_sizes
    if picture is None or sizes is None:
        return None
    return RecordedPicture.of_image(presenter.mask_path(picture.location), picture.sha256, sizes)


def _record_problem(problem: Problem, presenter: Presenter) -> RecordedProblem:
    message = describe_problem(problem, presenter)
    return record_problem(problem, message, presenter.masker.mask_problem(problem))


def _mask_change(change: Change, presenter: Presenter) -> Change:
    before, after = presenter.masker.mask_change(change)
    return replace(change, before=before, after=after)


def _record_answer(outcome: RowOutcome, presenter: Presenter) -> RecordedAnswer | None:
    message = outcome.message
    if not (outcome.code or message or outcome.unproven_seal_id):
        return None
    words = dump_text(presenter.mask_answer(message)) if isinstance(message, Message) else None
    return RecordedAnswer(outcome.code, _describe_answer(outcome, presenter), words)


def _describe_answer(outcome: RowOutcome, presenter: Presenter) -> str | None:
    """Return the service's message, with a SealId that is evidence and proves nothing."""
    is_lost = describe_lost_answer(outcome.code, None, Presenter("en")) is not None
    message = None if is_lost and not isinstance(outcome.message, Message) else outcome.message
    masked = None if message is None else presenter.mask_answer(message)
    if outcome.unproven_seal_id:
        return f"SealId {outcome.unproven_seal_id} {masked or ''}".strip()
    return masked


def _mask_sheet(sheet: str | None, presenter: Presenter) -> str | None:
    return None if sheet is None else presenter.mask_text(sheet)


# -- pictures.json: the pictures of a check that no row matched, and those from which one is chosen for a row


def record_pictures(report: RunReport, presenter: Presenter) -> dict[str, object]:
    """Return pictures.json of a check; those that could not be read, or are not shown, are left out.

    By the number of a row's line in the plan, ``candidates`` are the pictures that hold it (a row with more of them than a person
    compares has none), and ``matched`` is the picture that it has, where the plan does not name it.
    """
    matched = {
        str(number): _record_image(image, presenter)
        for number, outcome in enumerate(report.outcomes)
        if (image := outcome.doctor.picture or outcome.doctor.held_image) is not None
        and _record_picture(outcome, presenter) is None
    }
    candidates = {
        str(number): [_record_image(image, presenter) for image in images]
        for number, outcome in enumerate(report.outcomes)
        if 0 < len(images := list_candidate_images(outcome.doctor)) <= MAX_CANDIDATES
    }
    return {
        "schema": SCHEMA,
        "run": report.run,
        "pictures": [
            {
                **_record_image(file.image, presenter),
                "similar": [presenter.mask_text(doctor.row.origin.position) for doctor in file.similar],
            }
            for file in report.unassigned_images
            if file.image is not None
        ],
        "candidates": candidates,
        "matched": matched,
    }


def _record_image(image: ImageFile, presenter: Presenter) -> dict[str, object]:
    return {"path": presenter.mask_path(image.path), "sha256": image.sha256, "size": image.size}


# -- preview.json: what a run would do. It holds names, where rows differ from those of the last run, and no number


def record_preview(run: str, preview: RunPreview) -> dict[str, object]:
    """Return preview.json of a check."""
    return {
        "schema": SCHEMA,
        "run": run,
        "rows": preview.rows,
        "creates": preview.creates,
        "licences": preview.licences,
        "large_images": preview.large_images,
        "seconds": round(preview.seconds, 1),
        "unsent_rows": {status.value: rows for status, rows in preview.unsent_rows.items()},
        "stopped_by_guard": preview.stopped_by_guard,
        "all_rosters_refused": preview.all_rosters_refused,
        "asks_for_earlier_seals": preview.asks_for_earlier_seals,
        "changes": [dump_text(change) for change in preview.changes],
        "has_keys": preview.has_keys,
        "requests": [asdict(row) for row in preview.requests],
    }


def read_preview(folder: Path, run: str) -> RunPreview:
    """Return the preview that a check left in its folder. Raises OSError, ValueError, KeyError, TypeError where there is none."""
    stored: dict[str, Any] = json.loads((folder / PREVIEW).read_text("utf-8"))
    if stored["run"] != run:
        raise ValueError(stored["run"])
    statuses = {status.value: status for status in SHOWN_STATUSES}
    return RunPreview(
        rows=stored["rows"],
        creates=stored["creates"],
        licences=stored["licences"],
        large_images=stored["large_images"],
        seconds=stored["seconds"],
        unsent_rows={statuses[name]: rows for name, rows in stored["unsent_rows"].items()},
        stopped_by_guard=stored["stopped_by_guard"],
        all_rosters_refused=stored["all_rosters_refused"],
        asks_for_earlier_seals=stored["asks_for_earlier_seals"],
        changes=[text for change in stored["changes"] if isinstance(text := load_text(change), Message)],
        has_keys=stored["has_keys"],
        requests=tuple(CheckedRequest(**row) for row in stored["requests"]),
    )
