"""Calls hooks when a run begins and when it ended, also where it had no results. Imports little: a refused run is quick.

A hook of the end is a function, and a line of `list_run_end_hooks` below the key of the configuration that asks for it.
One that every `run` calls at its end is here: `remove_drafts_of_killed_processes`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from pipeline.config.named_paths import list_secret_folders
from pipeline.config.settings import Config
from pipeline.domain.results_format import COPIES
from pipeline.domain.run import RunReport
from pipeline.errors import EsignImportError, HookFailed
from pipeline.operations.replaced_files import FOLDER, get_page_folder, remove_replaced_after_run
from pipeline.support.atomic_files import remove_old_drafts
from pipeline.workflow.recorded_runs import LATEST, RUN_FOLDER

LOG = logging.getLogger(__name__)
RunEndHook = Callable[[RunReport, Config], None]
Warn = Callable[[EsignImportError], None]
SECRET_FILES = ("notify__urls", "notify__ping")
RECENT_RUNS = 30  # whose folders are looked through: hundreds on a network drive would take seconds


# ruff: noqa: PLC0415 - what is not configured is not imported
def list_run_end_hooks(config: Config) -> Iterator[tuple[str, RunEndHook]]:
    """Yield what is called with a run that ended, in this order."""
    if config.results_group:
        from pipeline.operations.shared_results import share_results_after_run

        yield "results_group", share_results_after_run
    if has_watchers(config) or config.metrics_file is not None:
        from pipeline.operations.metrics import write_metrics
        from pipeline.operations.notify import notify_run_end, ping_run_end

        yield "notify", notify_run_end  # it stores the state that the metrics read
        yield "notify.ping", ping_run_end
        yield "metrics_file", write_metrics
    if config.backup.folder is not None:
        from pipeline.operations.backup import back_up_after_run

        yield "backup", back_up_after_run
    if config.retention.runs:
        from pipeline.operations.retention import apply_retention

        yield "retention", apply_retention
    if (get_page_folder(config) / FOLDER).is_dir():
        yield "replaced", remove_replaced_after_run
    yield "drafts", remove_drafts_of_killed_processes


def has_watchers(config: Config) -> bool:
    """Return whether a channel or a monitor is configured, also by a secret file."""
    folders = list_secret_folders(config, os.environ)
    files = [folder / name for folder in folders for name in SECRET_FILES]
    return bool(config.notify.urls or config.notify.ping or any(map(os.path.isfile, files)))


def call_run_start_hook(command: str, config: Config, warn: Warn | None = None) -> None:
    """Call the monitor before a run reads anything; where that fails it is a warning."""
    if has_watchers(config):
        from pipeline.operations.notify import ping_run_start

        _call_hook("notify.ping", partial(ping_run_start, command, config), warn)


def call_run_end_hooks(report: RunReport, config: Config, warn: Warn | None = None) -> None:
    """Call every hook with a run that ended; one that fails is a warning and changes neither results nor exit code.

    Of a run whose ledger another run has taken over none is called: that run calls them at its own end.
    """
    if report.is_superseded:
        return
    for name, hook in list_run_end_hooks(config):
        _call_hook(name, partial(hook, report, config), warn)


def _call_hook(name: str, hook: Callable[[], None], warn: Warn | None) -> None:
    try:
        hook()
    except EsignImportError as error:
        LOG.warning("the hook %s failed: %s", name, error.key)
        if warn is not None:
            warn(error)
    except Exception as error:
        LOG.exception("the hook %s failed", name)
        if warn is not None:
            warn(HookFailed(name, error))


def remove_drafts_of_killed_processes(report: RunReport, config: Config) -> None:
    """Remove the drafts of processes that were killed while they wrote a file of state, work or results."""
    if report.command != "run" or report.was_refused:
        return
    from pipeline.workflow.hosts_factory import make_location  # a refused run needs no ledger

    now, work, out = report.finished, config.work_folder, config.resolve_path(config.out)
    runs = sorted(folder for folder in _list_folders(out) if RUN_FOLDER.fullmatch(folder.name))
    results = [report.out, out / LATEST, *runs[-RECENT_RUNS:]]
    places = make_location(config).places
    state = [places.state, config.resolve_ledger_file().parent, work, *_list_folders(work)]
    state += [file.parent for file in places.list_files()]
    for folder in {*state, *results, *(folder / COPIES for folder in results)}:
        remove_old_drafts(folder, now=now)
    # folders that other programs fill as well
    if config.backup.folder is not None:
        remove_old_drafts(config.resolve_path(config.backup.folder), now=now, target="ledger-")
    if config.metrics_file is not None:
        metrics = config.resolve_path(config.metrics_file)
        remove_old_drafts(metrics.parent, now=now, target=metrics.name)


def _list_folders(folder: Path) -> list[Path]:
    with suppress(OSError), os.scandir(folder) as entries:
        return [Path(entry) for entry in entries if entry.is_dir()]
    return []
