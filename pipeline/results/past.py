"""What earlier runs left in the results folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CREATE = "ChannelCreatePreparedPersonalEsign"


def run_that_sent(out: Path, tenant: str) -> Path | None:
    """Return the newest run.json below ``out`` of this tenant that counts a create call, or None.

    Where there is one, a ledger that is not there was lost: a new one would take every doctor for new.
    """
    for path in sorted(out.glob("*/run.json"), reverse=True):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if record.get("tenant") == tenant and creates_of(record):
            return path
    return None


def creates_of(record: Mapping[str, Any]) -> int:
    """Return how many create calls a run.json counts."""
    return sum(record.get("requests", {}).get(CREATE, {}).values())
