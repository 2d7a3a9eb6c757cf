"""What the run folders still tell of nights whose rows the ledger does not hold: it was rebuilt, or begun anew."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from pipeline.ledger.person_queries import RowHistoryEntry
from pipeline.ledger.protocol import RowRecord

LINES = "outcomes.jsonl"
MOST = 200  # folders, newest first


def told(
    out: Path, folders: Iterable[Path], *, tenant: str, held: Collection[str], words: Collection[str]
) -> Iterator[RowHistoryEntry]:
    """Yield what earlier runs of this tenant said of rows whose line holds one of the words, by run.

    ``out`` is where runs write by default, ``folders`` are others that the ledger knows of; runs in ``held`` are left
    out. A folder that cannot be read is passed over: the ledger counts, this is what is left beside it.
    """
    usual = [path for path in out.iterdir() if path.name not in {*held, "latest"}] if out.is_dir() else []
    # the ledger knows a folder by its whole path, the config perhaps from here; a check leaves a plan alone
    known = {path.resolve() for path in (*usual, *folders)}
    that_ran = [path for path in known if (path / LINES).is_file()]
    for folder in sorted(that_ran, reverse=True)[:MOST]:
        try:
            record = json.loads((folder / "run.json").read_text("utf-8"))
            if record["tenant"] != tenant or record["run"] in held:
                continue
            started = datetime.fromisoformat(record["started"]).timestamp()
            with (folder / LINES).open(encoding="utf-8") as lines:
                for line in lines:
                    if any(word in line for word in words):
                        yield _said(record["run"], started, line)
        except (OSError, ValueError, KeyError):
            continue


def _said(run: str, started: float, text: str) -> RowHistoryEntry:
    line = json.loads(text)
    row = RowRecord(
        row_id=line["row_id"],
        key=line["key"],
        file=line["file"],
        sheet=line["sheet"],
        row=line["row"],
        status=line["status"],
        codes=tuple(line["codes"]),
        line=text,
    )
    return RowHistoryEntry(row, run, started, run, started, 1, still=False)
