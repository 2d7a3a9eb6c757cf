"""What a run leaves behind, so that one that repeats the last is compared with one that judges everything anew."""

from __future__ import annotations

import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

from run_support import QuickClock

from pipeline.workflow import unchanged_run

DAY = 86_400
CHAINED = "meta"  # this table holds a digest of all receipts, and these hold the run's id


class StillClock(QuickClock):
    """A clock that stands: runs at the same moment have the same id."""

    def __init__(self, moment: float) -> None:
        self._moment = moment

    def now(self) -> float:
        return self._moment


def note_recalls(runs, monkeypatch) -> None:
    """Note in ``runs.recalled`` of each run whether it repeated the last."""
    recall = unchanged_run.RunMemory.recall

    def recall_and_note(memory, inputs):
        recalled = recall(memory, inputs)
        runs.recalled = recalled is not None
        return recalled

    monkeypatch.setattr(unchanged_run.RunMemory, "recall", recall_and_note)


def read_results(folder: Path, run: str) -> dict[tuple[str, str], bytes]:
    """Return the bytes of every file in a folder, and of every part of a workbook, without the run's id.

    A log holds times of the machine, and so does a workbook's archive.
    """
    texts = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name == "log.jsonl" or path.suffix == ".sha256":
            continue
        parts = {"": path.read_bytes()}
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                parts = {part: book.read(part) for part in book.namelist()}
        name = str(path.relative_to(folder)).replace(run, "RUN")
        texts |= {(name, part): text.replace(run.encode(), b"RUN") for part, text in parts.items()}
    return texts


def read_tables(ledger: Path, run: str) -> dict[str, str]:
    """Return the rows of a ledger's tables, without the run's id."""
    with closing(sqlite3.connect(ledger)) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        tables = [name for name in tables if name != CHAINED and not name.startswith("sqlite_")]
        rows = {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables}
        return {table: repr(list(cursor)).replace(run, "RUN") for table, cursor in rows.items()}
