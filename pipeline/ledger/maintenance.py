"""Check, backup, restore, and rebuild of a ledger from its receipts. The last two need the run lock."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pipeline.domain.message import Message
from pipeline.domain.site_key import SiteKey
from pipeline.errors import LedgerError, LedgerUnreachable, UsageError, reason_of
from pipeline.ledger import receipt_sync, receipts, schema
from pipeline.ledger.disk import key_path, list_side_files, require_not_loaded, require_rights
from pipeline.ledger.open import read_key, require_own_ledger
from pipeline.ledger.protocol import Connection
from pipeline.ledger.receipt_sync import (
    MissingFacts,
    count_missing_facts,
    receipts_path,
    set_receipts_aside,
)
from pipeline.ledger.receipts import Receipt, ReceiptPosition
from pipeline.ledger.sqlite_ledger import connect, explain_read_error
from pipeline.messages.catalogue import make_message
from pipeline.support import atomic_files

_KEY, _RECEIPTS = "key", "receipts"
_KEPT_TABLE = "kept_file"  # the table of a backup with the files next to the ledger


class LedgerCounts(NamedTuple):
    """How much a ledger holds."""

    people: int
    seals: int  # live ones
    unresolved: int  # attempts


@dataclass(frozen=True, slots=True)
class LedgerDefect:
    """One finding of `check_ledger`: where, and what identifies it."""

    kind: Literal["ledger", "behind", "end", "line", "differs"]
    what: str


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """What `check_ledger` read and found."""

    defects: tuple[LedgerDefect, ...]
    receipts: int  # lines that the ledger reaches to
    counts: LedgerCounts


def check_ledger(path: Path, tenant: str) -> LedgerCheck:
    """Return the defects of ledger, key and receipts, and how much was read.

    Raises LedgerError or UsageError for a ledger that cannot even be opened.
    """
    require_rights(path, writing=False)
    site_key = SiteKey(read_key(path), tenant)
    try:
        require_own_ledger(path, site_key)
        with closing(connect(path, readonly=True)) as connection:
            defects = [
                *_list_internal_defects(connection),
                *compare_with_receipts(connection, receipts_path(path)),
            ]
            lines = receipt_sync.read_position(connection).n
            return LedgerCheck(tuple(defects), lines, count_ledger(connection))
    except sqlite3.Error as error:
        raise explain_read_error(path, error) from error


def _list_internal_defects(connection: sqlite3.Connection) -> Iterator[LedgerDefect]:
    """Yield the defects that the database itself finds."""
    for (finding,) in connection.execute("PRAGMA integrity_check"):
        if finding != "ok":
            yield LedgerDefect("ledger", finding)
    for row in connection.execute("PRAGMA foreign_key_check"):
        yield LedgerDefect("ledger", str(row[0]))


def compare_with_receipts(connection: Connection, receipts_file: Path) -> Iterator[LedgerDefect]:
    """Yield where the receipts are broken, or differ from the ledger."""
    position = receipt_sync.read_position(connection)
    if position == ReceiptPosition():
        return  # a ledger in which nothing was ever written under the lock
    reached = receipts.holds_line_at(receipts_file, position)
    if receipts_file.exists():
        after = position if reached else ReceiptPosition()
        lacking = count_missing_facts(connection, receipts.read_unchained(receipts_file, after=after))
        missing = lacking.answered + lacking.unanswered or lacking.seals + lacking.decided_seals
        if missing:
            yield LedgerDefect("behind", str(missing))
            return
    if not reached:
        yield LedgerDefect("end", str(position.n))
        return
    try:
        receipted = _collect_filled_columns(connection, receipts.read_chained(receipts_file))
    except receipts.ReceiptsDamaged as damaged:
        yield LedgerDefect("line", str(damaged.line))
        return
    held = _collect_filled_columns(connection, receipt_sync.make_all_receipts(connection))
    keys = sorted(receipted.keys() | held.keys(), key=str)
    for table, identity in (key for key in keys if receipted.get(key) != held.get(key)):
        yield LedgerDefect("differs", f"{table} {identity if table == 'attempt' else '…'}")


def _collect_filled_columns(
    connection: Connection, held: Iterable[Receipt]
) -> dict[tuple[str, str | int], dict[str, Any]]:
    """Return the values of rows that receipts hold, without what a run saw and without columns of other versions."""
    known = {table: receipt_sync.list_columns(connection, table) for table in receipt_sync.GUARDED}
    filled = {}
    for row, columns in receipt_sync.collect_rows(held).items():
        table = row[0]
        if table != "run":
            filled[row] = {
                name: value for name, value in columns.items() if value is not None and name in known[table]
            }
    return filled


def count_ledger(connection: Connection) -> LedgerCounts:
    """Return how many persons, live seals and unresolved attempts a ledger holds."""
    statement = (
        "SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM seal WHERE ended_by IS NULL), "  # noqa: S608 - our own words
        f"(SELECT count(*) FROM attempt WHERE {schema.OPEN_ATTEMPT})"
    )
    return LedgerCounts(*connection.execute(statement).fetchone())


def _count_file(path: Path) -> LedgerCounts:
    with closing(connect(path, readonly=True)) as connection:
        return count_ledger(connection)


@dataclass(frozen=True, slots=True)
class RestoredLedger:
    """Counts of a restored or rebuilt ledger, and the new names of replaced files."""

    counts: LedgerCounts
    set_aside: Path | None = None  # new name of the former ledger: damaged, or behind its receipts
    newer_receipts: bool = False  # the receipts reached further than the backup, and were used
    damaged_receipts: Path | None = None  # new name of damaged receipts that were written again


def back_up_ledger(path: Path, target: Path) -> None:
    """Copy ledger, key and receipts into one file (0600), as they are at one moment; SQLite's own backup API.

    Raises UsageError where the target exists, LedgerError where ledger or disk fail.
    """
    if target.exists():
        raise UsageError("ledger.backup_exists", target=target, then=("ledger", "backup", str(target.parent)))
    secret = read_key(path)
    try:
        with (
            atomic_files.create_atomically(target) as draft,
            closing(connect(path, readonly=True)) as source,
            closing(sqlite3.connect(draft)) as copy,
        ):
            source.backup(copy)
            position = receipt_sync.read_position(copy)
            receipts_file = receipts_path(path)
            receipt_lines = (
                receipts_file.read_bytes()[: position.size]
                if receipts.holds_line_at(receipts_file, position)
                else b""
            )
            copy.execute(f"CREATE TABLE {_KEPT_TABLE} (name TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT")
            copy.executemany(
                f"INSERT INTO {_KEPT_TABLE} VALUES (?, ?)",  # noqa: S608 - our own words
                [(_KEY, secret), (_RECEIPTS, receipt_lines)],
            )
            copy.commit()
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise explain_read_error(path, error) from error
    except OSError as error:
        raise LedgerError("ledger.backup_failed", target=target, why=reason_of(error)) from error


def restore_ledger(path: Path, source: Path, tenant: str) -> RestoredLedger:
    """Replace a missing or damaged ledger by a backup; receipts that continue the backup are entered as well.

    Raises UsageError for a ledger that can be read, a file that is no backup, and another tenant's backup; LedgerError
    where the disk fails or the receipts do not continue the backup.
    """
    require_not_loaded(path)
    secret, receipt_lines = _read_kept_files(source)
    site_key = SiteKey(secret, tenant)
    if path.exists() and _is_readable(path, site_key):
        raise UsageError("ledger.in_order", path=path, then=("ledger", "check"))
    require_own_ledger(source, site_key)
    atomic_files.make_folder(path.parent)
    receipts_file = receipts_path(path)
    with closing(connect(source, readonly=True)) as backed_up:
        position = receipt_sync.read_position(backed_up)
    newer = receipts.holds_line_at(receipts_file, position)
    if receipts_file.exists() and not newer:
        raise UsageError("ledger.other_past", place=receipts_file, then=("ledger", "rebuild"))
    _put_key(path, secret)
    if newer:
        return replace(_rebuild_from_receipts(path, site_key), newer_receipts=True)
    if receipt_lines:
        with atomic_files.create_atomically(receipts_file) as draft:
            draft.write_bytes(receipt_lines)

    def fill(draft: Path) -> None:
        with closing(connect(source, readonly=True)) as old, closing(sqlite3.connect(draft)) as new:
            old.backup(new)
            new.execute(f"DROP TABLE {_KEPT_TABLE}")
            new.commit()

    former = _replace_ledger(path, fill)
    return RestoredLedger(_count_file(path), set_aside=former)


def rebuild_ledger(path: Path, tenant: str) -> RestoredLedger:
    """Rebuild the ledger from its receipts and its key.

    A damaged ledger, and one that lacks what the receipts hold, is renamed; it stays where the receipts cannot replace
    it. If the ledger lacks nothing and its receipts are damaged, the receipts are written again from it. An attempt
    without a verdict becomes unknown, as after any crash. Raises UsageError where ledger and receipts are in order,
    LedgerError where key or receipts are missing, damaged, older than the ledger or another ledger's.
    """
    require_not_loaded(path)
    site_key = SiteKey(read_key(path), tenant)
    receipts_file = receipts_path(path)
    if path.exists():
        if _is_readable(path, site_key) and not _is_behind(path, receipts_file):
            return _rewrite_receipts(path, receipts_file)
        _require_newer_receipts(path, receipts_file)
    return _rebuild_from_receipts(path, site_key)


def _rebuild_from_receipts(path: Path, site_key: SiteKey) -> RestoredLedger:
    receipts_file = receipts_path(path)
    try:
        held = list(receipts.read_chained(receipts_file))
        position = receipts.read_end_position(receipts_file)
    except FileNotFoundError:
        raise LedgerError("ledger.no_receipts", place=receipts_file) from None
    except (OSError, receipts.ReceiptsDamaged) as error:
        raise _explain_damaged_receipts(receipts_file, error) from error

    def fill(draft: Path) -> None:
        with closing(connect(draft, readonly=False)) as connection:
            schema.create_tables(connection)
            receipt_sync.restore_rows(connection, held)
            receipt_sync.write_position(connection, position)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            require_own_ledger(draft, site_key)

    try:
        former = _replace_ledger(path, fill)
    except sqlite3.Error as error:
        raise _explain_damaged_receipts(receipts_file, error) from error
    return RestoredLedger(_count_file(path), set_aside=former)


def _require_newer_receipts(path: Path, receipts_file: Path) -> None:
    """Raise LedgerError where a damaged ledger can still be seen to have got further than the receipts."""
    try:
        with closing(connect(path, readonly=True)) as connection:
            position = receipt_sync.read_position(connection)
    except sqlite3.Error:
        return
    if not receipts_file.exists() or receipts.holds_line_at(receipts_file, position):
        return
    try:
        last = receipts.read_end_position(receipts_file).n
    except receipts.ReceiptsDamaged as damaged:
        last = damaged.line - 1
    if last < position.n:
        raise LedgerError("ledger.receipts_older", path=path, place=receipts_file)


def _is_behind(path: Path, receipts_file: Path) -> bool:
    """Return whether the receipts hold attempts or seals that a readable ledger lacks.

    Raises LedgerError where the ledger holds some that the receipts lack as well: neither replaces the other.
    """
    if not receipts_file.exists():
        return False
    with closing(connect(path, readonly=True)) as connection:
        lacking = count_missing_facts(connection, receipts.read_unchained(receipts_file))
        if lacking == MissingFacts():
            return False
        written = {
            receipt.id for receipt in receipts.read_unchained(receipts_file) if receipt.table == "attempt"
        }
        own = {uuid for (uuid,) in connection.execute("SELECT uuid FROM attempt")}
        sealed = {str(receipt.columns.get("seal_id")) for receipt in receipts.read_unchained(receipts_file)}
        seals = {str(seal_id) for (seal_id,) in connection.execute("SELECT seal_id FROM seal")}
    if not own <= written or not seals <= sealed or receipts.get_break(receipts_file) is not None:
        raise LedgerError("ledger.two_histories", path=path, place=receipts_file)
    return True


def _rewrite_receipts(path: Path, receipts_file: Path) -> RestoredLedger:
    """Write damaged receipts again from a ledger that lacks nothing; UsageError where they are in order."""
    with closing(connect(path, readonly=False)) as connection:
        position = receipt_sync.read_position(connection)
        if not receipts_file.exists() or (
            (position == ReceiptPosition() or receipts.holds_line_at(receipts_file, position))
            and receipts.get_break(receipts_file) is None
        ):
            raise UsageError("ledger.in_order", path=path, then=("ledger", "check"))
        damaged = set_receipts_aside(receipts_file)
        receipt_sync.write_position(
            connection,
            receipts.rewrite_receipts(
                receipts_file, receipt_sync.make_all_receipts(connection), after=position.n
            ),
        )
    return RestoredLedger(_count_file(path), damaged_receipts=damaged)


def _read_kept_files(source: Path) -> tuple[bytes, bytes]:
    """Return key and receipts of a backup."""
    try:
        with closing(connect(source, readonly=True)) as connection:
            files = dict(connection.execute(f"SELECT name, data FROM {_KEPT_TABLE}"))  # noqa: S608 - our own words
        return files[_KEY], files[_RECEIPTS]
    except (sqlite3.Error, KeyError) as error:
        raise _explain_no_backup(source) from error


def _explain_no_backup(source: Path) -> UsageError:
    """Return the error for a file that is no backup; the newest backup next to it is suggested."""
    files = [path for path in source.absolute().parent.iterdir() if path.suffix in {".backup", ".bak"}]
    newest_first = sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)
    near = next((source.with_name(path.name) for path in newest_first if _is_backup(path)), None)
    if near is None:
        return UsageError("ledger.no_backup", source=source, then=("status",))
    return UsageError("ledger.near_backup", source=source, near=near)


def _is_backup(path: Path) -> bool:
    """Return whether a file was written by `back_up_ledger`."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    try:
        with closing(connect(path, readonly=True)) as connection:
            return connection.execute(query, (_KEPT_TABLE,)).fetchone() is not None
    except (sqlite3.Error, OSError):
        return False


def _is_readable(path: Path, site_key: SiteKey) -> bool:
    """Return whether a ledger can be read and is whole in itself."""
    require_rights(path, writing=True)
    try:
        require_own_ledger(path, site_key)
        with closing(connect(path, readonly=True)) as connection:
            return not any(_list_internal_defects(connection))
    except LedgerUnreachable:  # it may be sound: nothing takes its place
        raise
    except (LedgerError, sqlite3.Error):
        return False


def _replace_ledger(path: Path, fill: Callable[[Path], None]) -> Path | None:
    """Let ``fill`` write a draft that then takes the name of a ledger; return the former one's new name.

    The former ledger and its SQLite files are renamed only then: a draft that fails changes nothing.
    """
    former = None
    with atomic_files.make_draft(path) as draft:
        try:
            fill(draft)
            atomic_files.sync_file(draft)
            free = atomic_files.free_name(path)
            for file, name in zip(
                [path, *list_side_files(path)], [free, *list_side_files(free)], strict=True
            ):
                if file.exists():
                    file.rename(name)
                    former = free
            draft.rename(path)
        finally:
            for side in list_side_files(draft):
                side.unlink(missing_ok=True)
    atomic_files.sync_folder(path.parent)
    return former


def _put_key(path: Path, secret: bytes) -> None:
    key_file = key_path(path)
    if key_file.exists():
        if key_file.read_bytes() == secret:
            return
        key_file.rename(atomic_files.free_name(key_file, "{name}.{n}"))
    with atomic_files.create_atomically(key_file) as draft:
        draft.write_bytes(secret)


def _explain_damaged_receipts(receipts_file: Path, error: Exception) -> LedgerError:
    why: Message | str = reason_of(error)
    if isinstance(error, receipts.ReceiptsDamaged):
        why = make_message("ledger.receipts_line", line=error.line)
    return LedgerError("ledger.receipts_damaged", place=receipts_file, why=why)
