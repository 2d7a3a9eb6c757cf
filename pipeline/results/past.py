"""What earlier runs left in the results folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CREATE = "ChannelCreatePreparedPersonalEsign"


KNOWN = (
    "sealed",
    "unchanged",
    "changed",
    "unknown",
    "exists",
)  # statuses of a row for which a create was sent


def run_that_sent(out: Path, tenant: str) -> Path | None:
    """Return the newest run.json below ``out`` of this tenant that counts a create call, or None."""
    return _newest(out, tenant, lambda record: creates_of(record) > 0)


def run_that_knew(out: Path, tenant: str) -> Path | None:
    """Return the newest run.json below ``out`` of this tenant that tells of a seal or of a create, or None.

    Where there is one, a ledger that is not there was lost: a new one would take every doctor for new. A quiet night
    tells of seals as well, and with ``--out`` its run.json may be the only one that is left here.
    """
    return _newest(
        out, tenant, lambda record: creates_of(record) > 0 or any(map(record["statuses"].get, KNOWN))
    )


def creates_of(record: Mapping[str, Any]) -> int:
    """Return how many create calls a run.json counts."""
    return sum(record.get("requests", {}).get(CREATE, {}).values())


def _newest(out: Path, tenant: str, fits: Callable[[Mapping[str, Any]], bool]) -> Path | None:
    for path in sorted(out.glob("*/run.json"), reverse=True):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record.get("tenant") == tenant and fits(record):
                return path
        except (OSError, ValueError, KeyError):
            continue
    return None
