"""What earlier runs left in the results folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

CREATE = "ChannelCreatePreparedPersonalEsign"
LINES, PLAN, LOG = "outcomes.jsonl", "plan.jsonl", "log.jsonl"

KNOWN = (
    "sealed",
    "unchanged",
    "changed",
    "unknown",
    "exists",
)  # statuses of a row for which a create was sent


def find_unknown_seals(
    out: Path,
    tenant: str,
    *,
    known_runs: Collection[str],
    accepted_runs: Collection[str],
    known_seals: Callable[[], Collection[str]],
    known_attempts: Callable[[], Collection[str]],
    last_run: str | None,
    creates_of_last: int,
) -> Mapping[str, Path]:
    """Return the runs of a tenant whose results show creates or seals that a ledger lacks, each with its file.

    ``known_*`` is what the ledger holds. Of a run that it holds only the last one is compared, by its creates. Of a run
    that it does not hold every SealId and create must be known to it otherwise; a `check` enters no run, so one that is
    older than the ledger's last run is passed over. Of a run that was killed the log must show no other create.
    ``accepted_runs`` were missing before, and somebody decided to go on without them.
    """
    lacking: dict[str, Path] = {}
    for log in _find_unfinished_logs(out, tenant):
        run = log.parent.name
        if run not in accepted_runs and not _list_trace_ids(log) <= set(known_attempts()):
            lacking[run] = log
    for path, record in _read_records(out, tenant, passed_over={*accepted_runs, *known_runs} - {last_run}):
        run = str(record["run"])
        if run in accepted_runs:
            continue
        if run in known_runs:
            lacks = run == last_run and creates_of_last < count_creates(record)
        elif record.get("command") == "check" and last_run is not None and run < last_run:
            continue
        else:
            lacks = _shows_seals(record) and not _holds_all(known_seals, known_attempts, path.parent)
        if lacks:
            lacking.setdefault(run, path)
    return lacking


def _shows_seals(record: Mapping[str, Any]) -> bool:
    return count_creates(record) > 0 or any(map(record["statuses"].get, KNOWN))


def _holds_all(
    known_seals: Callable[[], Collection[str]], known_attempts: Callable[[], Collection[str]], folder: Path
) -> bool:
    """Return whether every seal that a run shows is among the known ones, and every create that it left open."""
    try:
        lines = next(path for name in (LINES, PLAN) if (path := folder / name).exists())
        with lines.open(encoding="utf-8") as text:
            rows = [json.loads(line) for line in text]
        return all(
            row["seal_id"] in known_seals()
            if row["seal_id"]
            else row["status"] not in KNOWN or row["trace_id"] in known_attempts()
            for row in rows
        )
    except (OSError, StopIteration, ValueError, KeyError):
        return False


def _list_trace_ids(log: Path) -> set[str]:
    """Return the trace ids of the creates that a log shows as sent."""
    traced = set()
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the last line of a killed process
            if entry.get("status") in KNOWN and entry.get("trace_id"):
                traced.add(str(entry["trace_id"]))
    return traced


def find_earlier_run(out: Path, tenant: str) -> Path | None:
    """Return the newest run.json below ``out`` of this tenant that tells of a seal or of a create, else a log, or None.

    Where there is one, a ledger that is not there was lost: a new one would take every doctor for new. A quiet report
    tells of seals as well, and with ``--out`` its run.json may be the only one that is left here.
    """
    shown = (path for path, record in _read_records(out, tenant) if _shows_seals(record))
    return next(chain(shown, _find_unfinished_logs(out, tenant)), None)


def _find_unfinished_logs(out: Path, tenant: str) -> Iterator[Path]:
    """Yield the log of each run of this tenant that sent creates and never came to its end, the newest first.

    It told of no row; where its ledger was lost as well, only the log shows its seals.
    """
    for log in sorted(out.glob(f"*/{LOG}"), reverse=True):
        whole = all((log.parent / name).exists() for name in ("run.json", LINES))
        if not whole and _left_creates(log, tenant):
            yield log


def _left_creates(log: Path, tenant: str) -> bool:
    try:
        with log.open(encoding="utf-8") as lines:
            first = json.loads(next(lines, "null"))
            ours = isinstance(first, dict) and first.get("tenant") == tenant
            return ours and any(f'"status": "{status}"' in line for line in lines for status in KNOWN)
    except (OSError, ValueError):
        return False


def count_creates(record: Mapping[str, Any]) -> int:
    """Return how many create calls a run.json counts."""
    return sum(record.get("requests", {}).get(CREATE, {}).values())


def _read_records(
    out: Path, tenant: str, *, passed_over: Collection[str | None] = ()
) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield what can be read, the copy of the last run first, then by the names of the folders, the newest first.

    Folders of the runs ``passed_over`` are not opened.
    """
    for path in sorted(out.glob("*/run.json"), reverse=True):
        if path.parent.name in passed_over:
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
