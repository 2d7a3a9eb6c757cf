"""Rebuilds the results of a run from the ledger and from those of its rosters that still exist.

A killed run wrote no results, but the ledger holds its attempts and seals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.fields import set_value
from pipeline.domain.masking import Masker
from pipeline.domain.roster import CardType, Doctor, Field, FileReport, ImageFile, Origin, Row
from pipeline.domain.row_record import RecordedAnswer, RowLine
from pipeline.domain.run import (
    UNRESOLVED_STATUSES,
    Durations,
    Halt,
    HaltExit,
    Notice,
    RowOutcome,
    RowPlan,
    RunReport,
    RunRequest,
    Status,
    Timing,
    Traffic,
    get_attempt_status,
)
from pipeline.domain.seals import PersonHistory
from pipeline.domain.site_key import SiteKey
from pipeline.ledger.protocol import Ledger, RowRecord, RunRecord
from pipeline.messages.catalogue import load_text, load_texts, make_message
from pipeline.messages.problems import load_problem
from pipeline.workflow.import_run import prepare_run


def rebuild_report(
    record: RunRecord,
    config: Config,
    *,
    ledger: Ledger,
    site_key: SiteKey,
    clock: Clock,
    out: Path,
    passwords: tuple[str, ...] = (),
) -> RunReport:
    """Return the report of a run from the ledger; ``passwords`` open its encrypted rosters.

    A row that has left the roster since has no cells.
    """
    request = RunRequest(
        command="check",
        run=record.run,
        rosters=tuple(path for path in map(Path, record.rosters) if path.exists()),
        seals=Path(record.seals) if record.seals else None,
        out=out,
        passwords=passwords,
    )
    plan = prepare_run(request, config, ledger=ledger, site_key=site_key, clock=clock)
    present = {row_plan.doctor.row_id: row_plan for row_plan in plan.row_plans}
    people = ledger.snapshot().people
    masker = Masker.of_doctors(row_plan.doctor for row_plan in plan.row_plans)
    outcomes = tuple(
        _rebuild_outcome(row, present.get(row.row_id), people.get(row.key or ""), record.run, masker)
        for row in ledger.list_rows(record.run)
    )
    run_json = record.content  # empty of a run that was cut short
    return replace(
        plan.report,
        command=record.command,
        started=record.started,
        finished=record.finished or clock.now(),
        exit=record.exit if record.exit is not None else 5,
        outcomes=outcomes,
        files=tuple(_list_files(plan.report.files, outcomes)),
        unreadable_images=(),
        traffic=_read_traffic(run_json),
        receipts=run_json.get("receipts", 0),
        halt=_read_halt(record, run_json),
        notices=tuple(Notice(notice["code"], notice["detail"]) for notice in run_json.get("notices", ())),
        absent_unresolved=0,
        site_digest=site_key.reviews(),
    )


def _rebuild_outcome(
    row: RowRecord, present: RowPlan | None, person: PersonHistory | None, run: str, masker: Masker
) -> RowOutcome:
    line = row.read_line()
    doctor = _move_to_run(present.doctor, line, masker) if present else _rebuild_doctor(line)
    problems = tuple(map(load_problem, line.problems))
    row_plan = RowPlan(
        doctor,
        line.status,
        line.get(Field.SEAL_NAME),
        person,
        sizes=line.picture.sizes if line.picture else None,
        problems=problems,
        review=present.review if present else None,
    )
    if row_plan.status is Status.READY:
        return _finish_ready_row(row_plan, run)
    if (status := _compute_status_since(row_plan, present, run)) is not row_plan.status:
        return _build_decided_outcome(row_plan, status)
    answer = line.service or RecordedAnswer(None, None)
    return RowOutcome(
        row_plan,
        row_plan.status,
        seal_id=line.seal_id,
        request_id=line.request_id,
        trace_id=line.trace_id,
        attempts=line.attempts,
        last_attempt_at=_get_attempt_time(person, line.trace_id),
        code=answer.code,
        message=answer.message if answer.words is None else load_text(answer.words),
        unproven_seal_id=person.unresolved_attempt.unproven_seal_id
        if person and person.unresolved_attempt
        else None,
        problems=problems,
    )


def rebuild_planned_outcome(line: RowLine) -> RowOutcome:
    """Return a row of a check as its record has it: without cells, its numbers masked."""
    problems = tuple(map(load_problem, line.problems))
    answer = line.service or RecordedAnswer(None, None)
    row_plan = RowPlan(_rebuild_doctor(line), line.status, line.get(Field.SEAL_NAME), None, problems=problems)
    return RowOutcome(
        row_plan,
        line.status,
        seal_id=line.seal_id,
        trace_id=line.trace_id,
        attempts=line.attempts,
        code=answer.code,
        message=answer.message if answer.words is None else load_text(answer.words),
        problems=problems,
    )


def _finish_ready_row(row_plan: RowPlan, run: str) -> RowOutcome:
    """Return the outcome of a row that was about to be sent when the run was cut short."""
    person = row_plan.history
    if person is None:
        return RowOutcome.not_sent(row_plan)
    if person.seal is not None and person.seal.run == run:
        status = Status.SEALED
    elif person.unresolved_attempt is not None and person.unresolved_attempt.run == run:
        status = get_attempt_status(person.unresolved_attempt)
    elif person.refusals and person.refusals[-1].run == run:
        status = Status.FAILED
    else:
        return RowOutcome.not_sent(row_plan)
    return RowOutcome.of_plan(replace(row_plan, status=status))


def _compute_status_since(row_plan: RowPlan, present: RowPlan | None, run: str) -> Status:
    """Return the status of a row as the ledger has it now, if the run left it to the decision of a person."""
    status, person = row_plan.status, row_plan.history
    if status not in UNRESOLVED_STATUSES | {Status.CHANGED} or person is None:
        return status
    if person.unresolved_attempt is not None:
        return get_attempt_status(person.unresolved_attempt)
    if person.seal is None:
        return Status.NOT_SENT
    if status is Status.CHANGED or (present is not None and present.status is Status.CHANGED):
        is_kept = present is not None and present.status is Status.UNCHANGED
        return Status.UNCHANGED if is_kept else Status.CHANGED
    return Status.SEALED if person.seal.run == run else Status.UNCHANGED


def _build_decided_outcome(row_plan: RowPlan, status: Status) -> RowOutcome:
    """Return the outcome of a row on which a person has decided since the run."""
    problems = tuple(problem for problem in row_plan.problems if problem.code != "CONTENT_CHANGED")
    row_plan = replace(row_plan, status=status, problems=problems)
    return (RowOutcome.not_sent if status is Status.NOT_SENT else RowOutcome.of_plan)(row_plan)


def _get_attempt_time(person: PersonHistory | None, trace_id: str | None) -> float | None:
    """Return when an attempt was signed, as far as the person's history holds it."""
    if person is None or trace_id is None:
        return None
    if person.seal is not None and person.seal.trace_id == trace_id:
        return person.seal.created_at
    attempts = (*person.refusals, *([person.unresolved_attempt] if person.unresolved_attempt else []))
    return next((attempt.signed_at for attempt in attempts if attempt.uuid == trace_id), None)


def _move_to_run(doctor: Doctor, line: RowLine, masker: Masker) -> Doctor:
    """Return a doctor with today's cells at the place that the row had in the run, and with the picture that it had.

    The ledger holds the place and the picture's path masked: today's are taken where they are the same.
    """
    origin, picture = doctor.row.origin, doctor.picture
    if picture is None or line.picture is None or picture.sha256 != line.picture.sha256:
        picture = _rebuild_picture(line)
    path = origin.path if masker.mask_text(origin.file) == line.file else Path(line.path)
    sheet = origin.sheet if origin.sheet and masker.mask_text(origin.sheet) == line.sheet else line.sheet
    return replace(doctor, row=replace(doctor.row, origin=Origin(path, sheet, line.row)), picture=picture)


def _rebuild_picture(line: RowLine) -> ImageFile | None:
    """Return the picture of a row as the ledger holds it."""
    if line.picture is None:
        return None
    return ImageFile.from_path(Path(line.picture.path), line.picture.sha256, line.picture.bytes or 0)


def _rebuild_doctor(line: RowLine) -> Doctor:
    """Return the doctor of a row that is in no roster any more, with the values that results show of it."""
    row = Row(Origin(Path(line.path), line.sheet, line.row), (), {})
    doctor = Doctor(
        row=row, row_id=line.row_id, key=line.key, picture=_rebuild_picture(line), changes=line.changes
    )
    for field, value in line.values.items():
        if value is not None and field is not Field.SEAL_NAME:  # which may be the plan's
            doctor = set_value(doctor, field, CardType(value) if field is Field.ID_TYPE else value)
    return doctor


def _list_files(files: Sequence[FileReport], outcomes: Sequence[RowOutcome]) -> Iterator[FileReport]:
    """Return the files of the run's rows; of one that changed since only the rows are known."""
    counted = Counter(outcome.doctor.row.origin.path for outcome in outcomes)
    reports = {report.path: report for report in files}
    for path, rows in counted.items():
        report = reports.pop(path, None)
        if report is not None and report.rows == rows:
            yield report
        else:
            yield FileReport(path, None, "read", rows=rows, notes=(make_message("file.changed_since"),))
    yield from (report for report in reports.values() if report.status != "read")


def _read_halt(record: RunRecord, run_json: Mapping[str, Any]) -> Halt | None:
    """Return why the run stopped before its end, as its record has it."""
    if record.finished is None:
        return Halt("CUT_SHORT", "", 5)
    halted = run_json.get("halted")
    if halted is None:
        return None
    exits: Sequence[HaltExit] = (1, 4, 5, 74)
    exit_code: HaltExit = next((code for code in exits if code == record.exit), 5)
    texts = load_texts(halted)
    return Halt(texts["code"], texts["message"], exit_code, texts)


def _read_traffic(run_json: Mapping[str, Any]) -> Traffic:
    rate = run_json.get("rate", {})
    return Traffic(
        requests=run_json.get("requests", {}),
        limit=rate.get("limit", 0.0),
        used_share=rate.get("used_share", 0.0),
        throttled=rate.get("throttled", 0),
        max_in_second=rate.get("max_in_second", 0),
        timing=_read_timing(rate.get("timing")),
    )


def _read_timing(content: Mapping[str, Any] | None) -> Timing | None:
    """Return the times of the calls; None for a run that was cut short."""
    if content is None:
        return None
    durations = {
        kind: {name: Durations(**figures) for name, figures in content[kind].items()}
        for kind in ("answers", "waits")
    }
    return Timing(**{**content, **durations})
