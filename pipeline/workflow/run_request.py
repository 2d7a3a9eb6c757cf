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
from pipeline.domain.run import CheckedPlan, RunRequest
from pipeline.errors import UsageError
from pipeline.intake.readers.discover import expand_paths, list_usable_rosters
from pipeline.ledger.protocol import Ledger, RunRecord
from pipeline.planning.checked_plan import list_chosen_lines
from pipeline.planning.guards import has_read_rosters, list_emptied_folders, list_used_folders
from pipeline.support.terminal_text import join
from pipeline.version import PROGRAM
from pipeline.workflow.hosts_factory import make_store
from pipeline.workflow.recorded_runs import LATEST
from pipeline.workflow.tenant_ledger import get_trace_of_ledger, open_configured_ledger

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
        arguments=join(named) if command != "retry" else "",
        missing_folders=() if rosters else tuple(path for path in inboxes if not path.exists()),
        missing_seals=None if pictures.exists() else pictures,
        roster_folders=tuple(inboxes),
    )


def _get_checked_plan(config: Config, run: str) -> CheckedPlan:
    from pipeline.workflow.run_preview import get_checked_plan  # noqa: PLC0415 - so that a run that finds the lock taken ends at once

    return get_checked_plan(config, run)


def build_retry(
    config: Config,
    clock: Clock,
    *,
    seals: Path | None = None,
    out: Path | None = None,
    invocation: str = PROGRAM,
    run: str | None = None,
) -> RunRequest:
    """Return the request of a retry: the rosters and the pictures of the last run. UsageError where there was none.

    The arguments mean what they mean for `build_request`.
    """
    with open_configured_ledger(config, clock) as (ledger, _):
        last_run = get_last_roster_run(ledger)
    if last_run is None:
        raise UsageError("no_last_run", then=("run",))
    # records hold whole paths; messages name a configured folder as after `run`
    configured = [config.resolve_path(path) for path in (*config.roster, config.seals)]
    names = {str(path.absolute()): path for path in configured}
    request = build_request(
        "retry",
        config,
        clock,
        rosters=[names.get(path, Path(path)) for path in last_run.rosters],
        seals=seals or (names.get(last_run.seals, Path(last_run.seals)) if last_run.seals else None),
        out=out,
        invocation=invocation,
        run=run,
    )
    are_usual = all(path in configured for path in request.rosters)
    rosters = () if are_usual else map(str, request.rosters)
    pictures = () if request.seals in {None, *configured} else ("--seals", str(request.seals))
    return replace(request, retried_run=last_run.run, arguments=join([*rosters, *pictures]))


def get_last_roster_run(ledger: Ledger) -> RunRecord | None:
    """Return the last `run` that read rosters."""
    runs = (
        record for record in ledger.list_runs(RUNS_SEARCHED) if record.command == "run" and record.rosters
    )
    return next(filter(has_read_rosters, runs), None)


def _require_roster_folders(config: Config, clock: Clock, folders: Sequence[Path], out: Path | None) -> None:
    """Raise UsageError for a configured folder that is missing, but not where an earlier run has read a roster.

    There the guard on missing rosters stops the run: once the folder is back, a rerun helps.
    """
    try:
        require_configured(config, "roster", folders)
    except UsageError:
        missing = [folder for folder in folders if not folder.exists()]
        results = out or config.resolve_path(config.out) / "run"
        if config.api.placeholders or not make_store(config).exists():
            used = []
        else:
            with open_configured_ledger(config, clock) as (opened, _):
                used = list_used_folders(missing, opened, results)
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
    if not make_store(config).exists():
        return get_trace_of_ledger(config) is None
    with open_configured_ledger(config, clock) as (opened, _):
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
