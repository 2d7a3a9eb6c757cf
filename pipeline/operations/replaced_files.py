"""The rosters and pictures that the page replaced or removed: kept next to the ledger for thirty days."""

from __future__ import annotations

from pathlib import Path

from pipeline.clock import run_id
from pipeline.config.settings import Config
from pipeline.domain.masking import mask_text
from pipeline.domain.run import RunReport
from pipeline.errors import DiskTrouble
from pipeline.support.atomic_files import copy_into, free_name

FOLDER = "replaced"
KEPT_SECONDS = 30 * 24 * 3600.0


def get_page_folder(config: Config) -> Path:
    """Return the folder of what the page keeps for a hospital: the ledger's."""
    return config.resolve_ledger_file().parent


def keep_replaced_file(config: Config, path: Path, now: float) -> Path:
    """Copy a file that is about to be replaced or removed, durably, and return the copy. Raises OSError.

    The name of the copy is the moment and the file's name, numbers masked.
    """
    folder = get_page_folder(config) / FOLDER
    copy = folder / f"{run_id(now)}-{mask_text(path.name)}"
    if copy.exists():
        copy = free_name(copy, "{n}-{name}")
    return copy_into(folder, path, copy.name)


def list_replaced_files(config: Config) -> list[Path]:
    """Return the copies, the oldest first."""
    folder = get_page_folder(config) / FOLDER
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())


def remove_replaced_after_run(report: RunReport, config: Config) -> None:
    """Remove the copies that are too old at the end of a `run`. Raises DiskTrouble."""
    if report.command != "run" or report.was_refused:
        return
    try:
        for copy in list_replaced_files(config):
            if copy.stat().st_mtime < report.finished - KEPT_SECONDS:
                copy.unlink(missing_ok=True)
    except OSError as error:
        raise DiskTrouble.of(error) from error
