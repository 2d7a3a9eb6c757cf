"""What stays where a ledger file was moved to a server: a note next to it, and a mark in the file.

The note (``<ledger>.moved``) names the server, so that a run with the old configuration is refused and begins no new
ledger. The mark is the application id of the file: from its commit on the server's ledger is the one in use, and no
copy of the file is opened again. A move from the server leaves the note until the file has its name (postgres/move.py).
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import LedgerError, UsageError
from pipeline.ledger.disk import key_path, list_side_files, reserve_path
from pipeline.ledger.receipt_sync import receipts_path
from pipeline.ledger.registry import read_application_id
from pipeline.ledger.sqlite_ledger import connect
from pipeline.support import atomic_files
from pipeline.support.failpoints import hit_failpoint

MOVED_ID = 0x6573696E  # "esin": the application id of a file whose ledger is on a server now


@dataclass(frozen=True, slots=True)
class MoveNote:
    """Where the ledger of this place is: a server's address, the id of the ledger, and the new name of the former file."""

    server: str
    ledger_id: str
    former: str = ""  # empty: there was no ledger here


def note_path(ledger: Path) -> Path:
    """Return the path of the note next to a ledger."""
    return ledger.with_name(f"{ledger.name}.moved")


def draft_path(ledger: Path) -> Path:
    """Return the name that a ledger has while it is copied from a server."""
    return ledger.with_name(f"{ledger.name}.moving")


def read_note(ledger: Path) -> MoveNote | None:
    """Return the note next to a ledger, None where there is none."""
    try:
        return MoveNote(**json.loads(note_path(ledger).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_note(ledger: Path, note: MoveNote) -> None:
    """Write the note next to a ledger, durably."""
    target = note_path(ledger)
    with atomic_files.make_draft(target) as draft:
        draft.write_text(json.dumps(asdict(note), ensure_ascii=False), encoding="utf-8")
        atomic_files.sync_file(draft)
        draft.replace(target)
    atomic_files.sync_folder(target.parent)


def remove_note(ledger: Path) -> None:
    """Remove the note next to a ledger that is in use."""
    note_path(ledger).unlink(missing_ok=True)


def require_not_moved(ledger: Path) -> None:
    """Raise UsageError, naming the server, where there is no ledger because it is on a server."""
    if not ledger.exists() and (note := read_note(ledger)) is not None:
        raise explain_moved(ledger, note)


def explain_moved(ledger: Path, note: MoveNote | None) -> UsageError:
    """Return the error for a ledger that is on a server."""
    if note is None:
        return UsageError("moved.file", path=ledger)
    return UsageError("moved.to_server", path=ledger, server=note.server, note=note_path(ledger))


def is_moved_away(ledger: Path, ledger_id: str) -> bool:
    """Return whether a file is this ledger, and was moved away."""
    return read_application_id(ledger, ledger_id) == MOVED_ID


def retire_file(ledger: Path, note: MoveNote) -> None:
    """Make the ledger on the server the one in use: write the note, mark the file, and rename it; may be repeated.

    Raises LedgerError where another process keeps reading the file: it is marked then, and renamed by the next try.
    """
    former = ledger.with_name(note.former)
    write_note(ledger, note)
    hit_failpoint("move: before the file is marked")
    if ledger.exists():
        with closing(connect(ledger, readonly=False)) as connection:
            connection.execute(f"PRAGMA application_id = {MOVED_ID}")
            hit_failpoint("move: after the file is marked")
            if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise LedgerError("moved.file_in_use", path=ledger)
        hit_failpoint("move: before the file is renamed")
    for file, name in [
        (ledger, former),
        (key_path(ledger), key_path(former)),
        (receipts_path(ledger), former_receipts(former)),
    ]:
        if file.exists() and not name.exists():
            file.rename(name)
            hit_failpoint("move: while files are renamed")
    for side_file in list_side_files(ledger):  # empty: the checkpoint left nothing in them
        side_file.unlink(missing_ok=True)
    reserve_path(ledger).unlink(missing_ok=True)
    atomic_files.sync_folder(ledger.parent)


def former_receipts(former: Path) -> Path:
    """Return the new name of the receipts of a ledger file that was moved away."""
    return former.with_name(f"{former.name}.receipts.jsonl")
