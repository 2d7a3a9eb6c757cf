"""Removes the drafts of processes that were killed while they wrote a file of state, work or results.

No lock covers these folders: `check` and `report` write without one, and workers of several hosts share them. So a draft
goes once it is old and the process that made it no longer runs on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.domain.results_format import COPIES
from pipeline.domain.run import RunReport
from pipeline.support.atomic_files import remove_stale_drafts
from pipeline.workflow.recorded_runs import RUN_FOLDER

LONGEST_WRITE = 12 * 3600  # seconds: no file takes longer, and the next day's run removes what one leaves
RECENT_RUNS = 30  # whose folders are looked through: hundreds on a network drive would take seconds


def remove_drafts_of_killed_processes(report: RunReport, config: Config) -> None:
    """Remove drafts that no process writes any more, at the end of a `run`."""
    if report.command != "run" or report.was_refused:
        return
    before = report.finished - LONGEST_WRITE
    for folder in {*_list_own_folders(config), report.out, report.out / COPIES}:
        remove_stale_drafts(folder, before=before)
    # folders that other programs fill as well
    if config.backup.folder is not None:
        remove_stale_drafts(config.resolve_path(config.backup.folder), before=before, target="ledger-")
    if config.metrics_file is not None:
        metrics = config.resolve_path(config.metrics_file)
        remove_stale_drafts(metrics.parent, before=before, target=metrics.name)


def _list_own_folders(config: Config) -> Iterator[Path]:
    """Yield the folders that the program fills."""
    from pipeline.ledger.registry import default_folder  # noqa: PLC0415 - a refused run needs no ledger

    yield default_folder()
    yield config.resolve_ledger_file().parent
    work, out = config.resolve_path(config.work), config.resolve_path(config.out)
    yield work
    yield from _list_folders(work)
    runs = sorted(folder for folder in _list_folders(out) if RUN_FOLDER.fullmatch(folder.name))
    for folder in (out / "latest", *runs[-RECENT_RUNS:]):
        yield folder
        yield folder / COPIES


def _list_folders(folder: Path) -> list[Path]:
    with suppress(OSError), os.scandir(folder) as entries:
        return [Path(entry) for entry in entries if entry.is_dir()]
    return []
