"""Removes files of earlier runs that are older than the configured age, and prepared pictures that no roster needs.

The rows, the record and the log of a run stay at any age, and so do all files of the newest run and of the last `run` with
rows.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.config.settings import Config
from pipeline.config.values import parse_age
from pipeline.domain.results_format import LOG, OUTCOMES
from pipeline.domain.run import RunReport
from pipeline.errors import DiskTrouble
from pipeline.intake.images.image_files import PREVIEWS
from pipeline.workflow.recorded_runs import RUN, RUN_FOLDER

KEPT = frozenset({OUTCOMES, RUN, LOG})
_PREPARED = re.compile(r"[0-9a-f]{64}(?:\.[a-z]{3,4})?")  # a picture by the digest of its bytes


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A folder of results in ``out``, by its run.json."""

    path: Path
    record: Mapping[str, Any]
    ended: float  # unix seconds


def list_run_folders(out: Path, tenant: str) -> list[RunFolder]:
    """Return the folders of this tenant's runs, the oldest first; links and every other folder are left out."""
    names = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    folders = (_read_run_folder(out / name, tenant) for name in names if RUN_FOLDER.fullmatch(name))
    return [folder for folder in folders if folder is not None]


def _read_run_folder(path: Path, tenant: str) -> RunFolder | None:
    if path.is_symlink() or (path / RUN).is_symlink():
        return None
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads((path / RUN).read_text("utf-8"))
        if record["run"] == path.name and record["tenant"] == tenant and isinstance(record["statuses"], dict):
            return RunFolder(path, record, datetime.fromisoformat(record["finished"]).timestamp())
    return None


def list_old_files(folders: Sequence[RunFolder], *, before: float) -> list[Path]:
    """Return the files and folders in the folders of runs that ended ``before`` a moment, without those that stay."""
    last_results = [
        folder for folder in folders if folder.record["command"] == "run" and folder.record["rows"]
    ]
    current = {folder.path for folder in (*folders[-1:], *last_results[-1:])}
    old = [folder for folder in folders if folder.ended < before and folder.path not in current]
    return [entry for folder in old for entry in sorted(folder.path.iterdir()) if entry.name not in KEPT]


def remove_files(entries: Sequence[Path]) -> None:
    """Remove files, and folders with what is in them; what is refused is left for the next time.

    Raises DiskTrouble after all others were tried.
    """
    refused: OSError | None = None
    for entry in entries:
        try:
            _remove_entry(entry)
        except OSError as error:  # a workbook that Excel holds open, on Windows
            refused = refused or error
    if refused is not None:
        raise DiskTrouble.of(refused) from refused


def _remove_entry(entry: Path) -> None:
    if entry.parent.is_symlink():
        return
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)  # follows no link
    else:
        entry.unlink(missing_ok=True)


def apply_retention(report: RunReport, config: Config) -> None:
    """Remove what is too old at the end of a `run`."""
    age = parse_age(config.retention.runs or "")
    if age is None or report.command != "run" or report.tenant is None or report.was_refused:
        return
    before = report.finished - age
    try:
        folders = list_run_folders(config.resolve_path(config.out), report.tenant)
        old_files = list_old_files(folders, before=before)
    except OSError as error:  # a folder of another user
        raise DiskTrouble.of(error) from error
    remove_files(old_files)
    if report.outcomes and report.halt is None:
        used = set()
        for outcome in report.outcomes:
            picture = outcome.doctor.picture
            if picture is not None:
                used |= {picture.sha256, (picture.stored_path or picture).name}
        remove_prepared_pictures(config, used=used, before=before)


def remove_prepared_pictures(
    config: Config, *, used: Collection[str] = (), before: float | None = None
) -> None:
    """Remove prepared pictures and previews that are not ``used``, and were written ``before`` a moment (None: all).

    They are made again where they are needed.
    """
    work = config.work_folder
    try:
        for picture in [
            *_list_prepared(work),
            *_list_prepared(work / PREVIEWS),
        ]:
            is_old = before is None or picture.lstat().st_mtime < before
            if is_old and not {picture.name, picture.stem} & set(used):
                picture.unlink(missing_ok=True)
    except OSError as error:
        raise DiskTrouble.of(error) from error


def _list_prepared(folder: Path) -> list[Path]:
    entries = folder.iterdir() if folder.is_dir() and not folder.is_symlink() else ()
    return [
        entry
        for entry in entries
        if _PREPARED.fullmatch(entry.name) and (entry.is_symlink() or not entry.is_dir())
    ]
