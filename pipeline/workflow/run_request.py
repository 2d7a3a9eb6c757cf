"""Builds what a run is asked to do, the same for the command line and the Python API. It prints and asks nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from zipfile import is_zipfile

from pipeline.clock import Clock, run_id
from pipeline.config.named_paths import (
    read_passwords,
    require_configured,
    require_existing,
    require_results_folder,
    require_unicode,
)
from pipeline.config.settings import Config
from pipeline.domain.path_digests import PathDigests
from pipeline.domain.run import CheckedPlan, RunRequest
from pipeline.errors import UsageError
from pipeline.intake.readers.discover import expand_paths, list_usable_rosters
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import RunRecord
from pipeline.planning.checked_plan import list_chosen_lines
from pipeline.planning.guards import has_read_any, has_read_rosters, list_emptied_folders, list_used_folders
from pipeline.reports.next_steps import name_files
from pipeline.support.terminal_text import join
from pipeline.version import PROGRAM
from pipeline.workflow.recorded_runs import LATEST
from pipeline.workflow.tenant_ledger import open_configured_ledger, open_ledger_for_check

RUNS_SEARCHED = 100  # back to the last run over whole rosters
READING_COMMANDS = frozenset({"check", "run", "retry"})  # they go over rosters and pictures
_reserved_run_ids: set[str] = set()  # in this process


def build_request(
    command: str,
    config: Config,
    clock: Clock,
    *,
    rosters: Sequence[Path] = (),
    seals: Path | None = None,
    out: Path | None = None,
    limit: int | None = None,
    only: Sequence[str] = (),
    checked: str | None = None,
    accept_guards: bool = False,
    invocation: str = PROGRAM,
    run: str | None = None,
) -> RunRequest:
    """Return the request with its paths resolved.

    Named paths must exist (UsageError), the default folders may be absent, and roster folders that earlier runs used.
    ``run`` is the run's id where it has one already, ``checked`` the id of the check whose plan alone is sent.
    """
    inboxes = [config.resolve_path(path) for path in config.roster]
    for path in (*rosters, *([] if seals is None else [seals])):
        require_existing(path)
    if checked is None and list_chosen_lines(only):
        raise UsageError("only.without_check", line=", ".join(only), then=("check",))
    for folder in filter(None, (seals, out)):
        require_unicode(folder)
    if seals is not None and not (seals.is_dir() or is_zipfile(seals)):
        raise UsageError("usage.no_pictures", path=seals)
    pictures = seals or config.resolve_path(config.seals)
    if command in READING_COMMANDS:
        if not rosters:
            _require_roster_folders(config, clock, inboxes, out)
        if seals is None:
            require_configured(config, "seals", [pictures])
    run = run or reserve_run_id(config, clock)
    results = out or config.resolve_path(config.out) / run
    require_results_folder(results)
    usable = list_usable_rosters(rosters)
    named = [*map(str, usable or rosters), *(["--seals", str(seals)] if seals else [])]
    return RunRequest(
        command=command,
        run=run,
        rosters=tuple(rosters) or tuple(path for path in inboxes if path.exists()),
        seals=pictures if pictures.exists() else None,
        out=results,
        limit=limit,
        only=tuple(only),
        checked=_get_checked_plan(config, checked) if checked is not None else None,
        accept_guards=accept_guards,
        passwords=read_passwords(config, os.environ),
        invocation=invocation,
        arguments=join(named),
        missing_folders=() if rosters else tuple(path for path in inboxes if not path.exists()),
        missing_seals=None if pictures.exists() else pictures,
        roster_folders=tuple(inboxes),
        config_folder=config.base,
    )


def _get_checked_plan(config: Config, run: str) -> CheckedPlan:
    from pipeline.workflow.run_preview import get_checked_plan  # noqa: PLC0415 - so that a run that finds the lock taken ends at once

    return get_checked_plan(config, run)


def build_retry(
    config: Config,
    clock: Clock,
    *,
    rosters: Sequence[Path] = (),
    seals: Path | None = None,
    out: Path | None = None,
    invocation: str = PROGRAM,
    run: str | None = None,
) -> RunRequest:
    """Return the request of a retry: of the last run over these rosters, or else over others where they are named.

    UsageError where there is none. The arguments mean what they mean for `build_request`.
    """
    request = build_request(
        "retry", config, clock, rosters=rosters, seals=seals, out=out, invocation=invocation, run=run
    )
    with open_configured_ledger(config, clock) as (ledger, _):
        runs = list_roster_runs(ledger)
        paths = request.make_path_digests(ledger.site_key)
    if not runs:
        raise UsageError("no_last_run", then=("run",))
    folders = [*request.rosters, *request.missing_folders]
    given = paths.digest_all([*folders, *expand_paths(request.rosters)])
    retried = next((record for record in runs if has_read_any(record, given)), runs[0] if rosters else None)
    if retried is None:
        files = name_files(Path(file["path"]) for file in runs[0].content.get("files", ()))
        raise UsageError("retry_other_rosters", files=files, then=("retry", "--help"))
    return replace(request, retried_run=retried.run)


def list_roster_runs(ledger: Ledger) -> list[RunRecord]:
    """Return the last `run`s that read rosters, the newest first."""
    runs = (
        record for record in ledger.list_runs(RUNS_SEARCHED) if record.command == "run" and record.rosters
    )
    return list(filter(has_read_rosters, runs))


def _require_roster_folders(config: Config, clock: Clock, folders: Sequence[Path], out: Path | None) -> None:
    """Raise UsageError for a configured folder that is missing, but not where an earlier run has read a roster.

    There the guard on missing rosters stops the run: once the folder is back, a rerun helps.
    """
    try:
        require_configured(config, "roster", folders)
    except UsageError:
        missing = [folder for folder in folders if not folder.exists()]
        results = out or config.resolve_path(config.out) / "run"
        used: list[str] = []
        if not config.api.placeholders:
            with open_ledger_for_check(config, clock) as (opened, *_):
                if opened is not None:
                    paths = PathDigests(opened.site_key, (config.base, results.parent))
                    used = list_used_folders(missing, opened, paths)
        if len(used) < len(missing):
            raise


def has_nothing_to_read(
    request: RunRequest,
    config: Config,
    clock: Clock,
    *,
    has_tenant: bool = True,
) -> bool:
    """Return whether there is no roster, and no sign that an earlier run read one there.

    ``has_tenant`` False: the configuration holds no ids of an account, and no ledger is read.
    """
    if expand_paths(request.rosters):
        return False
    if not has_tenant:
        return True
    with open_ledger_for_check(config, clock) as (opened, *_):
        return not list_emptied_folders(request, opened)


def reserve_run_id(config: Config, clock: Clock) -> str:
    """Return the id of a new run: two runs that begin in the same millisecond get different ones."""
    out = config.resolve_path(config.out)
    candidates = map(run_id, count(clock.now(), 0.001))
    run = next(name for name in candidates if name not in _reserved_run_ids and not (out / name).exists())
    _reserved_run_ids.add(run)
    return run


def refuse_results(rosters: Sequence[Path]) -> None:
    """Raise UsageError where a named roster is a results workbook of ours."""
    if not rosters:
        return
    from pipeline.intake.read_rosters import is_results_workbook  # noqa: PLC0415 - so that a run that finds the lock taken ends at once

    for path in rosters:
        if path.is_file() and is_results_workbook(path):
            raise UsageError("usage.results_as_roster", path=path, then=("check",))


def get_latest_folder(config: Config, request: RunRequest) -> Path | None:
    """Return the folder with a copy of the last `run`'s results; `retry` replaces only the marked copies there.

    None without a roster: the last results stay as they are, since they hold the SealId of every doctor.
    """
    return config.resolve_path(config.out) / LATEST if expand_paths(request.rosters) else None
