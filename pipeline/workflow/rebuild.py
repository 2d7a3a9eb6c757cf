"""A run told again: its results rebuilt from the ledger and, where they still lie there, its rosters.

A run that was killed never wrote its results; what it did is in the ledger all the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.masking import Masker
from pipeline.domain.metrics import DurationHistogram, Timing, Traffic
from pipeline.domain.roster import CardType, Doctor, Field, FileReport, Origin, Problem, Row
from pipeline.domain.run import Halt, HaltExit, Notice, RowOutcome, RowPlan, RunReport, RunRequest, Status
from pipeline.domain.seals import PersonHistory
from pipeline.intake.read_rosters import find_run
from pipeline.ledger.protocol import Ledger, RowRecord, RunRecord
from pipeline.ledger.site_key import SiteKey
from pipeline.messages.texts import load_text, load_texts, make_text
from pipeline.planning.unsent_rows import build_initial_outcome, build_not_sent_outcome
from pipeline.workflow.import_run import RunPlan, prepare_run
from pipeline.workflow.stage_settings import name_tenant


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
    """Return the night of a run as the ledger knows it now; ``passwords`` open its encrypted rosters.

    A row whose line has left the roster since is told without its cells, so it cannot be corrected in To fix.
    """
    ask = RunRequest(
        command="check",
        run=record.run,
        rosters=tuple(path for path in map(Path, record.rosters) if path.exists()),
        seals=Path(record.seals) if record.seals else None,
        out=out,
        context=tuple(path for path in map(Path, record.context) if path.exists()),
        passwords=passwords,
    )
    of_workbook = record.command == "retry" and any(find_run(path) is not None for path in ask.rosters)
    ask = replace(ask, to_fix_only=of_workbook)
    plan = prepare_run(ask, config, ledger=ledger, site_key=site_key, clock=clock)
    here = {each.doctor.row_id: each for each in plan.row_plans}
    people = ledger.snapshot().people
    masker = Masker.of_doctors(each.doctor for each in plan.row_plans)
    outcomes = tuple(
        _outcome(seen, here.get(seen.row_id), people.get(seen.key or ""), record.run, masker)
        for seen in ledger.list_rows(record.run)
    )
    return RunReport(
        run=record.run,
        command=record.command,
        started=record.started,
        finished=record.finished or clock.now(),
        exit=record.exit if record.exit is not None else 5,
        tenant=name_tenant(config),
        contract=config.api.contract,
        outcomes=outcomes,
        files=tuple(_files(plan, outcomes)),
        unassigned_images=plan.unassigned_images,
        traffic=_traffic(record),
        halt=_halted(record),
        notices=tuple(Notice(each["code"], each["detail"]) for each in _told(record).get("notices", ())),
        out=out,
        seals=ask.seals,
        review_mark=site_key.reviews(),
    )


def _outcome(
    seen: RowRecord, here: RowPlan | None, past: PersonHistory | None, run: str, masker: Masker
) -> RowOutcome:
    line = json.loads(seen.line)
    doctor = _there(here.doctor, seen, line, masker) if here else _doctor(seen, line)
    problems = tuple(map(_problem, line["problems"], line["words"]))
    planned = RowPlan(
        doctor,
        Status(seen.status),
        line["seal_name"],
        past,
        problems=problems,
        review=here.review if here else None,
    )
    if planned.status is Status.READY:
        return _since_the_plan(planned, run)
    service = line["service"] or {}
    return RowOutcome(
        planned,
        planned.status,
        seal_id=line["seal_id"],
        request_id=line["request_id"],
        trace_id=line["trace_id"],
        attempts=line["attempts"],
        last_attempt_at=_moment(past, line["trace_id"]),
        code=service.get("code"),
        message=load_text(line["answer"]) if "answer" in line else service.get("message"),
        unproven_seal_id=past.unresolved_attempt.unproven_seal_id
        if past and past.unresolved_attempt
        else None,
        problems=problems,
    )


def _since_the_plan(planned: RowPlan, run: str) -> RowOutcome:
    """Return what became of a row that was about to be sent when the run was cut short."""
    past = planned.history
    status = Status.NOT_SENT
    if past is not None and past.seal is not None and past.seal.run == run:
        status = Status.SEALED
    elif past is not None and past.unresolved_attempt is not None and past.unresolved_attempt.run == run:
        status = Status.EXISTS if past.unresolved_attempt.verdict == "exists" else Status.UNKNOWN
    elif past is not None and past.refusals and past.refusals[-1].run == run:
        status = Status.FAILED
    if status is Status.NOT_SENT:
        return build_not_sent_outcome(planned)
    return replace(build_initial_outcome(replace(planned, status=status)), status=status)


def _moment(past: PersonHistory | None, trace_id: str | None) -> float | None:
    """Return when an attempt was signed, as far as the person's past still tells."""
    if past is None or trace_id is None:
        return None
    if past.seal is not None and past.seal.trace_id == trace_id:
        return past.seal.created_at
    tries = (*past.refusals, *([past.unresolved_attempt] if past.unresolved_attempt else []))
    return next((each.signed_at for each in tries if each.uuid == trace_id), None)


def _problem(told: Mapping[str, str | None], words: Mapping[str, object]) -> Problem:
    return Problem(
        str(told["code"]),
        "warning" if told["severity"] == "warning" else "error",
        Field(told["field"]) if told["field"] else None,
        told["cell"],
        {name: load_text(text) for name, text in words.items()},
    )


def _there(doctor: Doctor, seen: RowRecord, line: Mapping[str, Any], masker: Masker) -> Doctor:
    """Return a doctor as of the run: today's cells at the place where the row stood then, which is masked there."""
    origin = doctor.row.origin
    path = origin.path if masker.mask_text(origin.file) == seen.file else Path(line["path"])
    sheet = origin.sheet if origin.sheet and masker.mask_text(origin.sheet) == seen.sheet else seen.sheet
    return replace(doctor, row=replace(doctor.row, origin=Origin(path, sheet, seen.row)))


def _doctor(seen: RowRecord, line: Mapping[str, Any]) -> Doctor:
    """Return what is left of a row that no roster holds any more."""
    origin = Origin(Path(line["path"]), seen.sheet, seen.row)
    return Doctor(
        row=Row(origin, (), {}),
        row_id=seen.row_id,
        key=seen.key,
        name=line["name"],
        number=line["id_masked"],
        id_type=CardType(line["id_card_type"]) if line["id_card_type"] else None,
        mobile=line["mobile_masked"],
        staff_no=line["staff_no"],
    )


def _files(plan: RunPlan, outcomes: Sequence[RowOutcome]) -> Iterator[FileReport]:
    """Return the files of the run's rows; one that changed since is told by its rows alone."""
    counted = Counter(outcome.doctor.row.origin.path for outcome in outcomes)
    reports = {report.path: report for report in plan.files}
    for path, rows in counted.items():
        report = reports.pop(path, None)
        if report is not None and report.rows == rows:
            yield report
        else:
            yield FileReport(path, None, "read", rows=rows, notes=(make_text("file.changed_since"),))
    yield from (report for report in reports.values() if report.status != "read" or report.run is not None)


def _told(record: RunRecord) -> Mapping[str, Any]:
    """Return the run.json of a run, empty for one that was cut short."""
    return json.loads(record.record) if record.record else {}


def _halted(record: RunRecord) -> Halt | None:
    """Return why the run stopped before its end, as its record has it."""
    if record.finished is None:
        return Halt("CUT_SHORT", "", 5)
    halted = _told(record).get("halted")
    if halted is None:
        return None
    exits: Sequence[HaltExit] = (1, 4, 5, 74)
    exit_code: HaltExit = next((each for each in exits if each == record.exit), 5)
    texts = load_texts(halted)
    return Halt(texts["code"], texts["message"], exit_code, texts)


def _traffic(record: RunRecord) -> Traffic:
    told = _told(record)
    rate = told.get("rate", {})
    return Traffic(
        requests=told.get("requests", {}),
        limit=rate.get("limit", 0.0),
        used_share=rate.get("used_share", 0.0),
        throttled=rate.get("throttled", 0),
        max_in_second=rate.get("max_in_second", 0),
        timing=_timing(rate.get("timing")),
    )


def _timing(told: Mapping[str, Any] | None) -> Timing | None:
    """Return the calls over time; None for a run that was cut short or is older than the measuring."""
    if told is None:
        return None

    def spreads(each: Mapping[str, Any]) -> dict[str, DurationHistogram]:
        return {
            name: DurationHistogram(**{**spread, "bins": tuple(spread["bins"])})
            for name, spread in each.items()
        }

    def series(each: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
        return {name: tuple(values) for name, values in each.items()}

    return Timing(
        began=told["began"],
        step=told["step"],
        calls=series(told["calls"]),
        latency=series(told["latency"]),
        throttled=tuple(told["throttled"]),
        lost=tuple(told["lost"]),
        silent=tuple(told["silent"]),
        sends=series(told["sends"]),
        answers=spreads(told["answers"]),
        waits=spreads(told["waits"]),
    )
