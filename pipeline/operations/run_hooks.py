"""Calls hooks when a run begins and when it ended, also where it had no results. Imports little: a refused run is quick.

A hook is a function, and a line of `list_run_start_hooks` or `list_run_end_hooks` below the key of the configuration that
asks for it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from functools import partial

from pipeline.config.named_paths import list_secret_folders
from pipeline.config.settings import Config
from pipeline.domain.run import RunReport
from pipeline.errors import EsignImportError, HookFailed

LOG = logging.getLogger(__name__)
RunStartHook = Callable[[str, Config], None]  # called with the command
RunEndHook = Callable[[RunReport, Config], None]
Warn = Callable[[EsignImportError], None]
SECRET_FILES = ("notify__urls", "notify__ping")


# ruff: noqa: PLC0415 - what is not configured is not imported
def list_run_start_hooks(config: Config) -> Iterator[tuple[str, RunStartHook]]:
    """Yield what is called before a run reads anything."""
    if has_watchers(config):
        from pipeline.operations.notify import ping_run_start

        yield "notify.ping", ping_run_start


def list_run_end_hooks(config: Config) -> Iterator[tuple[str, RunEndHook]]:
    """Yield what is called with a run that ended, in this order."""
    if config.results_mode or config.results_group:
        from pipeline.operations.shared_results import warn_of_unshared_results

        yield "results_mode", warn_of_unshared_results
    if has_watchers(config) or config.metrics_file is not None:
        from pipeline.operations.metrics_file import write_metrics
        from pipeline.operations.notify import notify_run_end, ping_run_end

        yield "notify", notify_run_end  # it stores the state that the metrics read
        yield "notify.ping", ping_run_end
        yield "metrics_file", write_metrics
    if config.backup.folder is not None:
        from pipeline.operations.backup import back_up_after_run

        yield "backup", back_up_after_run
    if any(config.retention.model_dump().values()):
        from pipeline.operations.retention import apply_retention

        yield "retention", apply_retention
    from pipeline.operations.stale_drafts import remove_drafts_of_killed_processes

    yield "drafts", remove_drafts_of_killed_processes


def has_watchers(config: Config) -> bool:
    """Return whether a channel or a monitor is configured, also by a secret file."""
    folders = list_secret_folders(config, os.environ)
    files = [folder / name for folder in folders for name in SECRET_FILES]
    return bool(config.notify.urls or config.notify.ping or any(map(os.path.isfile, files)))


def call_run_start_hooks(command: str, config: Config, warn: Warn | None = None) -> None:
    """Call every hook with a run that begins; one that fails is a warning."""
    for name, hook in list_run_start_hooks(config):
        _call_hook(name, partial(hook, command, config), warn)


def call_run_end_hooks(report: RunReport, config: Config, warn: Warn | None = None) -> None:
    """Call every hook with a run that ended; one that fails is a warning and changes neither results nor exit code."""
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
