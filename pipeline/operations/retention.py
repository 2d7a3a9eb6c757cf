"""Removes files of earlier runs that are older than the configured ages; files that prove a lost ledger stay.

A lost or older ledger is detected by the files of earlier runs in ``out`` (reports/earlier_results.py). Without them,
doctors who have a seal would count as new. These files stay at any age: the newest run, the last results of `run`, the
newest results that show a seal, every run that shows seals and is not in the ledger, run.json of a run that counts a
create, and the log of a run that sent creates and did not end.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.config.sections import parse_age
from pipeline.config.settings import Config
from pipeline.domain.results_format import COPIES
from pipeline.domain.run import RunReport
from pipeline.errors import DiskTrouble
from pipeline.intake.images.image_files import PREVIEWS
from pipeline.reports.earlier_results import LOG, count_creates, shows_creates, shows_seals
from pipeline.workflow.hosts_factory import make_store
from pipeline.workflow.recorded_runs import RUN, RUN_FOLDER

_PREPARED = re.compile(r"[0-9a-f]{64}(?:\.[a-z]{3,4})?")  # a picture by the digest of its bytes


@dataclass(frozen=True, slots=True)
class RetentionAges:
    """Ages in seconds at which files of a run are removed; None: never."""

    runs: float | None = None
    to_fix: float | None = None
    logs: float | None = None

    @classmethod
    def of_config(cls, config: Config) -> RetentionAges:
        """Return the configured ages."""
        ages = config.retention
        return cls(*(parse_age(age) if age else None for age in (ages.runs, ages.to_fix, ages.logs)))


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A folder of results in ``out``, by its run.json."""

    path: Path
    record: Mapping[str, Any]
    ended: float  # unix seconds

    @property
    def run(self) -> str:
        """The run's id, which is the folder's name."""
        return self.path.name


@dataclass(frozen=True, slots=True)
class Removal:
    """The files and folders of one run that are removed, or its whole folder."""

    folder: Path
    entries: tuple[Path, ...]
    is_whole: bool


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


def plan_removals(
    folders: Sequence[RunFolder], ages: RetentionAges, *, now: float, known_runs: Collection[str]
) -> Iterator[Removal]:
    """Yield what is too old; ``known_runs`` are those in the ledger, or accepted as missing from it."""
    last_results = [
        folder for folder in folders if folder.record["command"] == "run" and folder.record["rows"]
    ]
    with_seals = [folder for folder in folders if shows_seals(folder.record)]
    current = {folder.run for folder in (*folders[-1:], *last_results[-1:])}
    evidence = current | {folder.run for folder in with_seals[-1:]}
    for folder in folders:
        age = now - folder.ended
        proves_other_ledger = shows_seals(folder.record) and not (
            folder.run in known_runs or folder.record["command"] == "check"
        )
        rules = {
            "to_fix": _is_older(age, ages.to_fix) and folder.run not in current,
            "runs": _is_older(age, ages.runs) and folder.run not in evidence and not proves_other_ledger,
        }
        rules["logs"] = rules["runs"] and _is_older(age, ages.logs)
        entries = sorted(folder.path.iterdir()) if any(rules.values()) else []
        doomed = tuple(
            entry for entry in entries if rules[_choose_rule(entry)] and not _proves_creates(entry, folder)
        )
        if doomed:
            yield Removal(folder.path, doomed, is_whole=len(doomed) == len(entries))


def _is_older(age: float, limit: float | None) -> bool:
    return limit is not None and age > limit


def _choose_rule(entry: Path) -> str:
    """Return the age that counts for an entry of a run's folder."""
    if entry.name in {LOG, RUN}:
        return "logs"
    # drafts and hidden folders remain of a process that was killed while it wrote a workbook
    holds_numbers = entry.suffix.lower() == ".xlsx" or entry.name == COPIES
    return "to_fix" if holds_numbers or entry.name.startswith(".") else "runs"


def _proves_creates(entry: Path, folder: RunFolder) -> bool:
    """Return whether an entry alone shows that a run created seals."""
    counted = count_creates(folder.record) > 0
    in_log_alone = not counted and shows_creates(folder.path / LOG, folder.record["tenant"])
    return (entry.name == RUN and (counted or in_log_alone)) or (entry.name == LOG and in_log_alone)


def remove_files(removals: Sequence[Removal]) -> int:
    """Remove planned files, and return how many runs lost some; what is refused is left for the next time.

    Raises DiskTrouble after all others were tried.
    """
    refused: OSError | None = None
    done = 0
    for removal in removals:
        try:
            for entry in removal.entries:
                _remove_entry(entry)
            if removal.is_whole:
                removal.folder.rmdir()
            done += 1
        except OSError as error:  # a workbook that Excel holds open, on Windows
            refused = refused or error
    if refused is not None:
        raise DiskTrouble.of(refused) from refused
    return done


def _remove_entry(entry: Path) -> None:
    if entry.parent.is_symlink():
        return
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)  # follows no link
    else:
        entry.unlink(missing_ok=True)


def list_known_runs(config: Config, now: float) -> set[str]:
    """Return the runs that the ledger holds, and those that are accepted as missing; none without a ledger."""
    store = make_store(config)
    if not store.exists():
        return set()
    ledger, _ = store.open(now=now, readonly=True)
    with closing(ledger):
        return ledger.run_ids() | ledger.list_accepted_runs()


def apply_retention(report: RunReport, config: Config) -> None:
    """Remove what is too old at the end of a `run`."""
    if report.command != "run" or report.tenant is None or report.was_refused:
        return
    now, ages = report.finished, RetentionAges.of_config(config)
    folders = list_run_folders(config.resolve_path(config.out), report.tenant)
    remove_files(list(plan_removals(folders, ages, now=now, known_runs=list_known_runs(config, now))))
    if ages.runs is not None and report.outcomes and report.halt is None:
        used = set()
        for outcome in report.outcomes:
            picture = outcome.doctor.picture
            if picture is not None:
                used |= {picture.sha256, (picture.stored_path or picture).name}
        remove_prepared_pictures(config, used=used, before=now - ages.runs)


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
