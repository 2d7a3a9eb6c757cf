"""Previews what a run would send: for the question of a run, and for a check, which leaves it in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from pipeline.config.settings import Config
from pipeline.domain.message import Message
from pipeline.domain.roster import Doctor, FileReport
from pipeline.domain.run import (
    CheckedPlan,
    Halt,
    RowOutcome,
    RowPlan,
    RunPreview,
    Status,
    count_shown_statuses,
)
from pipeline.errors import UsageError
from pipeline.ledger.tenant import get_service_environment
from pipeline.messages.catalogue import join_messages, make_message, render
from pipeline.reports.records import read_preview
from pipeline.workflow.recorded_runs import RUN, RUN_FOLDER
from pipeline.workflow.stage_settings import get_contract, get_product


def preview_run(
    row_plans: Sequence[RowPlan],
    ready: Sequence[RowPlan],
    files: Sequence[FileReport],
    config: Config,
    halt: Halt | None,
    *,
    is_first: bool = False,
    limit: int | None = None,
) -> RunPreview:
    """Return what a run is about to do: calls, paid licences, large pictures; nothing, where a guard has stopped it.

    ``is_first``: the ledger holds no seal, and nothing was sent.
    """
    chosen = ready[:limit] if halt is None else ()
    chosen_indexes = {row_plan.index for row_plan in chosen}
    contract = get_contract(config)
    doctors = [row_plan.doctor for row_plan in chosen]
    binds_licences = "license_type" in contract.optional_parameters
    return RunPreview(
        rows=len(row_plans),
        creates=len(doctors),
        licences=sum(map(_binds_licence, doctors)) if binds_licences else 0,
        large_images=0
        if config.api.seal_image_compress
        else sum(contract.is_heavy(doctor.picture.size) for doctor in doctors if doctor.picture is not None),
        seconds=len(doctors) / config.limits.requests_per_second,
        unsent_rows=count_shown_statuses(
            RowOutcome.of_plan(row_plan) for row_plan in row_plans if row_plan.index not in chosen_indexes
        ),
        stopped_by_guard=halt is not None,
        asks_for_earlier_seals=is_first and bool(doctors) and not get_product(config).refuses_taken_names,
        all_rosters_refused=bool(files) and all(report.status == "refused" for report in files),
    )


def _binds_licence(doctor: Doctor) -> bool:
    """Return whether a create binds a paid licence: 0 asks for it, and so does auto-sign without a licence type."""
    return doctor.license_type == 0 or (doctor.license_type is None and bool(doctor.enable_auto_sign))


def describe_target(config: Config) -> Message:
    """Return where seals are to be made: the environment and the organisation."""
    name = get_service_environment(config.api.endpoint)
    return make_message(
        "sending_to", environment=make_message(f"environment.{name}"), organization=config.api.hospital
    )


def describe_preview(preview: RunPreview, language: str) -> Iterator[Message]:
    """Yield what is about to happen: how many seals will be made, or why none, and what to know before."""
    if preview.creates:
        time = _describe_duration(preview.seconds)
        yield make_message("forecast", n=preview.rows, creates=preview.creates, time=time)
    elif preview.stopped_by_guard:
        yield make_message("forecast_guarded", n=preview.rows)
    elif not preview.rows:
        yield make_message("forecast_unread" if preview.all_rosters_refused else "forecast_nobody")
    else:
        counts: list[Message | str] = []
        for status, n in sorted(preview.unsent_rows.items(), key=lambda count: -count[1]):
            is_ready = status is Status.READY
            word = render(f"status.{status}", language)
            counts.append(make_message("forecast_others", n=n) if is_ready else f"{word} {n}")
        yield make_message("forecast_nothing", n=preview.rows, why=join_messages(counts))
    if preview.asks_for_earlier_seals:
        yield make_message("earlier_seals")
    if preview.licences:
        yield make_message("licences", n=preview.licences)
    if preview.large_images:
        yield make_message("heavy", n=preview.large_images)


def _describe_duration(seconds: float) -> Message:
    """Return about how long something takes."""
    if seconds < 1:
        return make_message("time.moment")
    if seconds < 100:
        return make_message("time.seconds", n=round(seconds))
    minutes = round(seconds / 60)
    if minutes < 100:
        return make_message("time.minutes", n=minutes)
    return make_message("time.hours", n=f"{seconds / 3600:.1f}")


def get_checked_plan(config: Config, run: str) -> CheckedPlan:
    """Return what a check showed, by its id. Raises UsageError where the results hold no such check of this tenant."""
    folder = config.resolve_path(config.out) / run
    try:
        if not RUN_FOLDER.fullmatch(run):
            raise ValueError(run)
        record = json.loads((folder / RUN).read_text("utf-8"))
        preview = read_preview(folder, run)
        is_ours = record["command"] == "check" and record["tenant"] == config.tenant
    except (OSError, ValueError, KeyError, TypeError):
        is_ours, preview = False, None
    if preview is None or not is_ours:
        raise UsageError("checked.no_check", run=run, folder=config.resolve_path(config.out), then=("check",))
    return CheckedPlan(run, preview.requests, preview.has_keys)
