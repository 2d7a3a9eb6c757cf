"""Finds faults beside the rows that stop no run and have to be repaired.

The clock of the machine, files that other users can read, rosters that are open in Excel, hard-linked pictures, and
the service's warnings about the end of an interface.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.config.named_paths import PASSWORD_FILE
from pipeline.config.settings import Config
from pipeline.domain.roster import Doctor, FileReport
from pipeline.domain.run import Notice
from pipeline.intake.readers.discover import find_lock_file

CLOCK_TOLERANCE = 60.0  # seconds by which the clock may differ from the service's before it is said
OTHERS = stat.S_IRWXO
GROUP_TOO = stat.S_IRWXO | stat.S_IRWXG


def find_open_rosters(files: Iterable[FileReport]) -> Iterator[Notice]:
    """Yield a notice for each roster beside which an office program has put its lock file."""
    for report in files:
        lock = find_lock_file(report.path)
        if lock is not None:
            yield Notice("ROSTER_OPEN", {"files": report.path.name, "lock": lock.name})


def find_hard_links(doctors: Iterable[Doctor]) -> Iterator[Notice]:
    """Yield one notice where pictures that doctors have are hard links."""
    paths = dict.fromkeys(
        doctor.picture.path for doctor in doctors if doctor.picture and not doctor.picture.stored_path
    )
    linked = [path for path in paths if _is_hard_link(path)]
    if linked:
        yield Notice("IMAGE_HARD_LINK", {"n": str(len(linked)), "file": linked[0].name})


def _is_hard_link(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_nlink > 1


def find_exposed_files(config: Config, secret_files: Sequence[Path]) -> Iterator[Notice]:
    """Yield one notice where rights let other users read a secret file, or a configuration that holds a password."""
    files = [*secret_files, *([config.secret_file] if config.secret_file else [])]
    files += [config.resolve_path(config.secrets_dir) / PASSWORD_FILE] if config.secrets_dir else []
    exposed = [str(path) for path in dict.fromkeys(files) if _is_exposed(path)]
    if exposed:
        yield Notice("FILE_EXPOSED", {"files": ", ".join(exposed)})


def _is_exposed(path: Path) -> bool:
    """Return whether a file's rights let others read it.

    A group counts only where the file is our own: else it may be by the group that we read it.
    """
    if os.name == "nt":  # its rights are no mode
        return False
    try:
        status = path.stat()
    except OSError:
        return False
    whose = GROUP_TOO if status.st_uid == os.geteuid() else OTHERS
    return bool(status.st_mode & whose & (stat.S_IRGRP | stat.S_IROTH))


def find_wrong_clock(offset: float) -> Iterator[Notice]:
    """Yield a notice where the service's clock is more than a minute away; ``offset`` is how far it is ahead."""
    if abs(offset) > CLOCK_TOLERANCE:
        direction = "slow" if offset > 0 else "fast"
        yield Notice("CLOCK_WRONG", {"minutes": f"{abs(offset) / 60:.0f}", "direction": direction})


def find_deprecations(warnings: Mapping[str, str]) -> Iterator[Notice]:
    """Yield a notice for each action (-> the service's words) that the service calls deprecated."""
    for action, message in warnings.items():
        yield Notice("SERVICE_DEPRECATED", {"action": action, "message": message})
