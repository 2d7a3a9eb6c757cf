"""Finds what keeps the group of `results_group` from reading the results."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.domain.run import RunReport
from pipeline.errors import UsageError, reason_of
from pipeline.support.rights import acting_user, get_sharing_refusal


def warn_of_unshared_results(report: RunReport, config: Config) -> None:
    """Raise UsageError, which is a warning of the run, where its results cannot be read as configured."""
    if (error := get_sharing_fault(config, report.out)) is not None:
        raise error


def get_sharing_fault(config: Config, folder: Path) -> UsageError | None:
    """Return why a folder of results that was written is not shared as configured, None where it is."""
    refusal = get_sharing_refusal(folder)
    if isinstance(refusal, LookupError):
        return UsageError("sharing.no_group", group=config.results_group)
    if refusal is not None:
        group = config.results_group or "-"
        return UsageError(
            "sharing.refused", folder=folder, group=group, user=acting_user(), why=reason_of(refusal)
        )
    closed = _get_closed_folder(folder, config.results_group) if config.results_group else None
    if closed is not None:
        return UsageError("sharing.closed", folder=closed, group=config.results_group)
    return None


def _get_closed_folder(folder: Path, group: str) -> Path | None:
    """Return the uppermost folder above another one that a group may not enter, None where it may enter all."""
    if os.name == "nt":
        return None
    import grp  # noqa: PLC0415 - Windows has none

    number = grp.getgrnam(group).gr_gid
    for parent in reversed(folder.absolute().parents):
        status = parent.stat()
        if not status.st_mode & (0o010 if status.st_gid == number else 0o001):
            return parent
    return None
