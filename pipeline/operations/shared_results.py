"""Lets the group of `results_group` read the results of a run; until then they are private."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.domain.run import RunReport
from pipeline.errors import UsageError, reason_of
from pipeline.support.rights import acting_user
from pipeline.workflow.recorded_runs import LATEST

FILE_MODE, FOLDER_MODE = 0o640, 0o750


def share_results_after_run(report: RunReport, config: Config) -> None:
    """Share the folders of a run that ended, and the copy of the last one.

    Raises UsageError, which is a warning of the run, where they cannot be read as configured.
    """
    out = config.resolve_path(config.out)
    folders = [report.out, out / report.run, out / LATEST]
    share([*folders, out, *(path for folder in folders for path in folder.rglob("*"))], config)


def share(paths: Sequence[Path], config: Config) -> None:
    """Let the group read files and enter folders, those that are there.

    Raises UsageError where it cannot, or may not enter a folder above the first of them.
    """
    group = config.results_group
    if group is None or os.name == "nt":  # there the rights of the folder are inherited
        return
    import grp  # noqa: PLC0415 - Windows has none

    try:
        number = grp.getgrnam(group).gr_gid
    except KeyError:
        raise UsageError("sharing.no_group", group=group) from None
    for path in paths:
        if path.is_symlink():
            continue
        try:
            with suppress(FileNotFoundError):
                os.chown(path, -1, number)
                # after the group: changing it may take rights away
                path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)
        except OSError as error:
            raise UsageError(
                "sharing.refused", folder=path, group=group, user=acting_user(), why=reason_of(error)
            ) from error
    if (closed := _get_closed_folder(paths[0], number)) is not None:
        raise UsageError("sharing.closed", folder=closed, group=group)


def _get_closed_folder(path: Path, group: int) -> Path | None:
    """Return the uppermost folder above a path that a group may not enter, None where it may enter all that are there."""
    for parent in filter(Path.exists, reversed(path.absolute().parents)):
        status = parent.stat()
        if not status.st_mode & (0o010 if status.st_gid == group else 0o001):
            return parent
    return None
