"""Copies the ledger into a folder after runs that changed it, and keeps the newest copies."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.clock import run_id
from pipeline.config.settings import Config
from pipeline.domain.run import RunReport
from pipeline.errors import DiskTrouble, UsageError
from pipeline.ledger.maintenance import back_up_ledger, read_identity, read_identity_if_any
from pipeline.ledger.sqlite_ledger import LedgerFile
from pipeline.workflow.hosts_factory import make_location

_COPY = re.compile(r"ledger-\d{8}-\d{6}-\d{3}\.backup")
_SENDING = frozenset({"run", "retry"})
KEPT_COPIES = 14


def back_up_after_run(report: RunReport, config: Config) -> None:
    """Copy the ledger into the configured folder, unless the newest copy holds the same creates and decisions."""
    location = make_location(config)
    if (
        config.backup.folder is None
        or report.command not in _SENDING
        or report.was_refused
        or not isinstance(location, LedgerFile)
        or not location.exists()
    ):
        return
    folder = config.resolve_path(config.backup.folder)
    copies = list_copies(folder, location.path)
    if not copies or read_identity(copies[-1]) != read_identity(location.path):
        back_up_into(folder, location, report.finished, KEPT_COPIES)


def back_up_into(folder: Path, location: LedgerFile, now: float, keep: int | None) -> Path:
    """Copy a ledger into a new file of a folder, and remove its older copies there but for the newest ``keep`` (None: all stay).

    Raises UsageError for a folder that is missing, LedgerError where ledger or disk fail, DiskTrouble for an old copy
    that cannot be removed.
    """
    if (
        not folder.is_dir()
    ):  # it is not made: below an empty mount point it would lie on the ledger's own disk
        raise UsageError("backup.no_folder", path=folder)
    copy = folder / f"ledger-{run_id(now)}.backup"
    back_up_ledger(location.path, location.places, copy)
    try:
        for old in list_copies(folder, location.path)[:-keep] if keep else ():
            if old != copy:
                old.unlink()
    except OSError as error:
        raise DiskTrouble.of(error) from error
    return copy


def require_own_folder(folder: Path, config: Config) -> None:
    """Raise UsageError for a folder of rosters, pictures or results: a run would read the copy, or remove it."""
    taken = [config.resolve_path(path) for path in (*config.roster, config.seals, config.out)]
    for path in taken:
        if folder.resolve().is_relative_to(path.resolve()):
            raise UsageError("backup.folder_in_use", path=folder, used=path)


def list_copies(folder: Path, ledger: Path) -> list[Path]:
    """Return the copies of this ledger in a folder, the oldest first; other files and other ledgers' are left out."""
    own = read_identity(ledger)
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    paths = [folder / name for name in names if _COPY.fullmatch(name)]
    return [
        path for path in paths if (identity := read_identity_if_any(path)) and own.is_same_ledger(identity)
    ]
