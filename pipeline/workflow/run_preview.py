"""Previews what a run would send: for the question of a run, and for a check, which leaves it in its folder."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pipeline.config.settings import Config
from pipeline.domain.roster import Field, FileReport
from pipeline.domain.run import (
    CheckedPlan,
    Halt,
    RowOutcome,
    RowPlan,
    RunPreview,
    count_shown_statuses,
)
from pipeline.domain.seals import SealRequest
from pipeline.errors import UsageError
from pipeline.reports.records import read_preview
from pipeline.workflow.recorded_runs import RUN, RUN_FOLDER
from pipeline.workflow.stage_settings import get_contract


def preview_run(
    row_plans: Sequence[RowPlan],
    ready: Sequence[RowPlan],
    files: Sequence[FileReport],
    config: Config,
    halt: Halt | None,
    *,
    limit: int | None = None,
) -> RunPreview:
    """Return what a run is about to do: calls, paid licences, large pictures; nothing, where a guard has stopped it."""
    chosen = ready[:limit] if halt is None else ()
    chosen_indexes = {row_plan.index for row_plan in chosen}
    contract = get_contract(config)
    requests = [row_plan.request for row_plan in chosen if row_plan.request]
    pictures = [row_plan.doctor.picture for row_plan in chosen if row_plan.doctor.picture]
    binds_licences = "license_type" in contract.optional_parameters
    return RunPreview(
        rows=len(row_plans),
        creates=len(requests),
        licences=sum(map(_binds_licence, requests)) if binds_licences else 0,
        large_images=sum(
            contract.is_heavy(picture.size) and not request.values.get(Field.SEAL_IMAGE_COMPRESS)
            for picture, request in zip(pictures, requests, strict=True)
        ),
        seconds=len(requests) / config.limits.requests_per_second,
        unsent_rows=count_shown_statuses(
            RowOutcome.of_plan(row_plan) for row_plan in row_plans if row_plan.index not in chosen_indexes
        ),
        stopped_by_guard=halt is not None,
        all_rosters_refused=bool(files) and all(report.status == "refused" for report in files),
    )


def _binds_licence(request: SealRequest) -> bool:
    """Return whether a create binds a paid licence: 0 asks for it, and so does auto-sign without a licence type."""
    license_type = request.values.get(Field.LICENSE_TYPE)
    return license_type == 0 or (license_type is None and bool(request.values.get(Field.ENABLE_AUTO_SIGN)))


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
