"""The results of earlier runs: seals and creates that a ledger does not hold, workbooks that were edited.

A note beside each workbook holds its digest at the time of writing; another digest means that it was edited.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.support.atomic_files import write_bytes

CREATE = "ChannelCreatePreparedPersonalEsign"
_CONTENTS = ".made-of"  # ends the name of the note of what a marked copy was made of
OUTCOMES, PLAN, LOG = "outcomes.jsonl", "plan.jsonl", "log.jsonl"

# statuses of a row for which a create was sent
CREATED_STATUSES = ("sealed", "unchanged", "changed", "unknown", "exists")


def find_unknown_seals(
    out: Path,
    tenant: str,
    *,
    known_runs: Collection[str],
    accepted_runs: Collection[str],
    known_seals: Callable[[], Collection[str]],
    known_attempts: Callable[[], Collection[str]],
    last_run: str | None,
    receipts: int,
) -> Mapping[str, Path]:
    """Return the runs of a tenant whose results show creates or seals that a ledger lacks, each with its file.

    ``known_*`` is what the ledger holds. Of the runs that it holds only the last one is compared, by
    the number of the receipt with which it ended. Of a
    run that it does not hold it must know every SealId and create; a `check` enters no run, so one that is older than
    the ledger's last run is skipped. The log of a killed run must show no other create. ``accepted_runs`` were missing
    before, and a person decided to go on without them.
    """
    lacking: dict[str, Path] = {}
    for log in _find_unfinished_logs(out, tenant):
        run = log.parent.name
        if run not in accepted_runs and not _list_trace_ids(log) <= set(known_attempts()):
            lacking[run] = log
    for path, record in _read_records(out, tenant, skipped={*accepted_runs, *known_runs} - {last_run}):
        run = str(record["run"])
        if run in accepted_runs:
            continue
        if run in known_runs:
            lacks = run == last_run and receipts < record.get("receipts", 0)
        elif record.get("command") == "check" and last_run is not None and run < last_run:
            continue
        else:
            lacks = shows_seals(record) and not _holds_all(known_seals, known_attempts, path.parent)
        if lacks:
            lacking.setdefault(run, path)
    return lacking


def shows_seals(record: Mapping[str, Any]) -> bool:
    """Return whether a run.json shows a seal or counts a create."""
    return count_creates(record) > 0 or any(map(record["statuses"].get, CREATED_STATUSES))


def _holds_all(
    known_seals: Callable[[], Collection[str]], known_attempts: Callable[[], Collection[str]], folder: Path
) -> bool:
    """Return whether the ledger knows every seal of a run, and every create that it left unresolved."""
    try:
        lines = next(path for name in (OUTCOMES, PLAN) if (path := folder / name).exists())
        with lines.open(encoding="utf-8") as text:
            rows = [json.loads(line) for line in text]
        return all(
            row["seal_id"] in known_seals()
            if row["seal_id"]
            else row["status"] not in CREATED_STATUSES or row["trace_id"] in known_attempts()
            for row in rows
        )
    except (OSError, StopIteration, ValueError, KeyError):
        return False


def _list_trace_ids(log: Path) -> set[str]:
    """Return the trace ids of the creates that a log shows as sent."""
    trace_ids = set()
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the last line of a killed process
            if entry.get("status") in CREATED_STATUSES and entry.get("trace_id"):
                trace_ids.add(str(entry["trace_id"]))
    return trace_ids


def find_earlier_run(out: Path, tenant: str) -> Path | None:
    """Return the newest run.json below ``out`` of this tenant that shows a seal or a create, else a log, or None.

    If there is one and no ledger, the ledger was lost: a new one would take every doctor for new. A run without changes
    shows seals as well; with ``--out`` its run.json may be the only one that remains here.
    """
    with_seals = (path for path, record in _read_records(out, tenant) if shows_seals(record))
    return next(itertools.chain(with_seals, _find_unfinished_logs(out, tenant)), None)


def _find_unfinished_logs(out: Path, tenant: str) -> Iterator[Path]:
    """Yield the log of each run of this tenant that sent creates and did not end, the newest first.

    Such a run wrote no outcomes; if its ledger was lost as well, only the log shows its seals.
    """
    for log in sorted(out.glob(f"*/{LOG}"), reverse=True):
        is_complete = all((log.parent / name).exists() for name in ("run.json", OUTCOMES))
        if not is_complete and shows_creates(log, tenant):
            yield log


def shows_creates(log: Path, tenant: str) -> bool:
    """Return whether a log is of a tenant's run that sent creates."""
    try:
        with log.open(encoding="utf-8") as lines:
            first = json.loads(next(lines, "null"))
            ours = isinstance(first, dict) and first.get("tenant") == tenant
            return ours and any(
                f'"status": "{status}"' in line for line in lines for status in CREATED_STATUSES
            )
    except (OSError, ValueError):
        return False


def count_creates(record: Mapping[str, Any]) -> int:
    """Return how many create calls a run.json counts."""
    return sum(record.get("requests", {}).get(CREATE, {}).values())


def _read_records(
    out: Path, tenant: str, *, skipped: Collection[str | None] = ()
) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield each run.json that can be read: the copy of the last run, then the newest folders first.

    Folders of ``skipped`` runs are not opened.
    """
    for path in sorted(out.glob("*/run.json"), reverse=True):
        if path.parent.name in skipped:
            continue
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if (
            isinstance(record, dict)
            and record.get("tenant") == tenant
            and {"run", "statuses"} <= record.keys()
        ):
            yield path, record


# -- workbooks that were edited or are held open by a program


def preserve_edited_workbooks(path: Path) -> list[Path]:
    """Rename a workbook and its numbered siblings if they were edited, and return the new paths.

    Unedited siblings belong to an earlier run and are removed. A workbook that a program holds open stays.
    """
    kept = []
    for workbook in _list_noted(path):
        try:
            if _is_edited(workbook):
                kept.append(workbook.rename(_choose_free_path(workbook)))
            elif workbook != path:
                workbook.unlink(missing_ok=True)
            else:
                continue
        except PermissionError:
            continue
        _note_path(workbook).unlink(missing_ok=True)
    return kept


def clear_copies(folder: Path) -> None:
    """Remove the marked copies of an earlier run from a folder; one that was edited is renamed, and stays."""
    for note in folder.glob(".*.sha256"):
        workbook = note.with_name(note.name[1:].removesuffix(".sha256"))
        with suppress(PermissionError):  # a program holds it open
            if _is_edited(workbook):
                workbook.rename(_choose_free_path(workbook))
            else:
                workbook.unlink(missing_ok=True)
            note.unlink()
    for note in folder.glob(f".*{_CONTENTS}"):
        with suppress(PermissionError):
            note.unlink(missing_ok=True)


def remember_contents(path: Path, contents: str) -> None:
    """Note the digest of all that a marked copy was made of, so that the next run may carry the copy forward."""
    note = path.with_name(f".{path.name}{_CONTENTS}")
    write_bytes(note, f"{_hash_file(path)} {contents}".encode())


def read_copies(folder: Path) -> dict[str, bytes]:
    """Return the marked copies of a folder that are as they were written, by the digest of what they were made of."""
    copies: dict[str, bytes] = {}
    for note in folder.glob(f".*{_CONTENTS}"):
        with suppress(OSError, ValueError):
            digest, contents = note.read_text("ascii").split()
            data = note.with_name(note.name[1:].removesuffix(_CONTENTS)).read_bytes()
            if hashlib.sha256(data).hexdigest() == digest:
                copies[contents] = data
    return copies


def remember_written(path: Path, *, copied_from: Path | None = None) -> None:
    """Note the digest of a workbook that was just written; a copy may meanwhile be replaced by another run's."""
    write_bytes(_note_path(path), _hash_file(copied_from or path).encode())


def get_newest_workbook(path: Path) -> Path:
    """Return the workbook that was written last: the one at ``path``, or a numbered sibling."""
    return max(_list_noted(path), key=lambda workbook: _note_path(workbook).stat().st_mtime_ns, default=path)


def _list_noted(path: Path) -> list[Path]:
    """Return the workbook and its siblings "name (2).ext", "name (3).ext" …, those that have a note."""
    if not path.parent.is_dir():
        return []
    note = re.compile(rf"\.({re.escape(path.stem)}(?: \(\d+\))?{re.escape(path.suffix)})\.sha256")
    matches = (note.fullmatch(entry.name) for entry in path.parent.iterdir())
    names = [match[1] for match in matches if match]
    return [path.with_name(name) for name in sorted(names, key=lambda name: (len(name), name))]


def _is_edited(path: Path) -> bool:
    try:
        return _hash_file(path) != _note_path(path).read_text("ascii").strip()
    except FileNotFoundError:
        return False


def _choose_free_path(path: Path) -> Path:
    names = (
        path.with_name(f"{path.stem} (edited{'' if number == 1 else f' {number}'}){path.suffix}")
        for number in itertools.count(1)
    )
    return next(name for name in names if not name.exists())


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:  # megabytes of a large workbook are not held at once
        return hashlib.file_digest(file, "sha256").hexdigest()


def _note_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")
