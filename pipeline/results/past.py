"""What earlier runs left in the results folder."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

CREATE = "ChannelCreatePreparedPersonalEsign"
LINES, LOG = "outcomes.jsonl", "log.jsonl"

KNOWN = (
    "sealed",
    "unchanged",
    "changed",
    "unknown",
    "exists",
)  # statuses of a row for which a create was sent


def runs_that_sent(out: Path, tenant: str, *, since: str = "") -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield the run.json below ``out`` of each run of this tenant that counts a create call, and what it says.

    The newest come first, each run once; those before the run ``since`` are passed over.
    """
    told: set[str] = set()
    for path, record in _records(out, tenant, since):
        if creates_of(record) and record["run"] not in told and record["run"] >= since:
            told.add(record["run"])
            yield path, record


def holds_all(known: Collection[str], folder: Path) -> bool:
    """Tell whether every seal that a run tells of is among these SealIds, and whether it left no create open."""
    try:
        with (folder / LINES).open(encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        return all(row["seal_id"] in known if row["seal_id"] else row["status"] not in KNOWN for row in rows)
    except (OSError, ValueError, KeyError):
        return False


def run_that_knew(out: Path, tenant: str) -> Path | None:
    """Return the newest run.json below ``out`` of this tenant that tells of a seal or of a create, else a log, or None.

    Where there is one, a ledger that is not there was lost: a new one would take every doctor for new. A quiet night
    tells of seals as well, and with ``--out`` its run.json may be the only one that is left here.
    """
    told = (
        path
        for path, record in _records(out, tenant)
        if creates_of(record) or any(map(record["statuses"].get, KNOWN))
    )
    return next(chain(told, cut_short(out, tenant)), None)


def cut_short(out: Path, tenant: str, *, since: str = "") -> Iterator[Path]:
    """Yield the log of each run of this tenant, not before ``since``, that sent creates and never came to its end.

    The newest come first. It has no run.json; where its ledger was lost as well, only the log tells of its seals.
    """
    for log in sorted(out.glob(f"*/{LOG}"), reverse=True):
        if log.parent.name < since:
            return
        if not (log.parent / "run.json").exists() and _left_creates(log, tenant):
            yield log


def _left_creates(log: Path, tenant: str) -> bool:
    try:
        with log.open(encoding="utf-8") as lines:
            first = json.loads(next(lines, "null"))
            ours = isinstance(first, dict) and first.get("tenant") == tenant
            return ours and any(f'"status": "{status}"' in line for line in lines for status in KNOWN)
    except (OSError, ValueError):
        return False


def creates_of(record: Mapping[str, Any]) -> int:
    """Return how many create calls a run.json counts."""
    return sum(record.get("requests", {}).get(CREATE, {}).values())


def _records(out: Path, tenant: str, since: str = "") -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield what can be read, the copy of the last run first, then by the names of the folders, the newest first."""
    for path in sorted(out.glob("*/run.json"), reverse=True):
        if path.parent.name < since:
            return
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
