"""Backup, restore, and rebuild of a ledger from its receipts.

All but the backup need the run lock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from pipeline.errors import LedgerError, LedgerUnreachable, UsageError, reason_of
from pipeline.ledger import receipt_facts, receipts, schema
from pipeline.ledger.check import count_ledger, find_internal_defects
from pipeline.ledger.disk import SIDE_SUFFIXES, require_rights
from pipeline.ledger.open import key_path, read_key, require_own_ledger
from pipeline.ledger.receipt_sync import find_missing_facts, receipts_path, set_aside_path
from pipeline.ledger.site_key import SiteKey
from pipeline.ledger.sqlite_ledger import connect, explain_read_error
from pipeline.messages.catalogue import make_phrase
from pipeline.messages.localized import Localizable
from pipeline.support import atomic_files

_KEY, _RECEIPTS = "key", "receipts"
_KEPT_TABLE = "kept_file"  # the table of a backup with the files next to the ledger


@dataclass(frozen=True, slots=True)
class RestoredLedger:
    """Counts of a restored or rebuilt ledger, and the new names of replaced files."""

    people: int
    seals: int
    unresolved: int
    set_aside: Path | None = None  # new name of the former ledger: damaged, or behind its receipts
    newer_receipts: bool = False  # the receipts reached further than the backup, and were used
    damaged_receipts: Path | None = None  # new name of damaged receipts that were written again


def back_up_ledger(path: Path, target: Path) -> None:
    """Copy ledger, key and receipts into one file (0600), as they are at one moment; SQLite's own backup API.

    Raises UsageError where the target exists, LedgerError where ledger or disk fail.
    """
    if target.exists():
        raise UsageError("ledger.backup_exists", target=target)
    secret = read_key(path)
    try:
        with (
            atomic_files.create_atomically(target) as draft,
            closing(connect(path, readonly=True)) as source,
            closing(sqlite3.connect(draft)) as copy,
        ):
            source.backup(copy)
            mark = receipt_facts.read_mark(copy)
            receipts_file = receipts_path(path)
            receipt_lines = (
                receipts_file.read_bytes()[: mark.size]
                if mark.n and receipts.has_marked_line(receipts_file, mark)
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
    secret, receipt_lines = _read_kept_files(source)
    site_key = SiteKey(secret, tenant)
    if path.exists() and _is_readable(path, site_key):
        raise UsageError("ledger.in_order", path=path, then=("ledger", "check"))
    require_own_ledger(source, site_key)
    atomic_files.make_folder(path.parent)
    receipts_file = receipts_path(path)
    with closing(connect(source, readonly=True)) as backed_up:
        mark = receipt_facts.read_mark(backed_up)
    newer = receipts_file.exists() and mark.n > 0 and receipts.has_marked_line(receipts_file, mark)
    if receipts_file.exists() and not newer:
        raise UsageError("ledger.other_past", place=receipts_file)
    _put_key(path, secret)
    if newer:
        return replace(_rebuild_from_receipts(path, site_key), newer_receipts=True)
    if receipt_lines:
        with atomic_files.create_atomically(receipts_file) as draft:
            draft.write_bytes(receipt_lines)
    with (
        _replace_ledger(path) as (draft, former),
        closing(connect(source, readonly=True)) as old,
        closing(sqlite3.connect(draft)) as new,
    ):
        old.backup(new)
        new.execute(f"DROP TABLE {_KEPT_TABLE}")
        new.commit()
    return replace(RestoredLedger(*count_ledger(path)), set_aside=former())


def rebuild_ledger(path: Path, tenant: str) -> RestoredLedger:
    """Rebuild the ledger from its receipts and its key.

    A damaged ledger, and one that lacks what the receipts hold, is renamed; it stays where the receipts cannot replace
    it. If the ledger lacks nothing and its receipts are damaged, the receipts are written again from it. An attempt
    without a verdict becomes unknown, as after any crash. Raises UsageError where ledger and receipts are in order,
    LedgerError where key or receipts are missing, damaged, older than the ledger or another ledger's.
    """
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
        mark = receipts.read_end_mark(receipts_file)
    except FileNotFoundError:
        raise LedgerError("ledger.no_receipts", place=receipts_file) from None
    except (OSError, receipts.ReceiptsDamaged) as error:
        raise _explain_damaged_receipts(receipts_file, error) from error
    try:
        with (
            _replace_ledger(path) as (draft, former),
            closing(connect(draft, readonly=False)) as connection,
        ):
            connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            schema.migrate(connection)
            receipt_facts.restore_rows(connection, held)
            receipt_facts.write_mark(connection, mark)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            require_own_ledger(draft, site_key)
    except sqlite3.Error as error:
        raise _explain_damaged_receipts(receipts_file, error) from error
    return replace(RestoredLedger(*count_ledger(path)), set_aside=former())


def _require_newer_receipts(path: Path, receipts_file: Path) -> None:
    """Raise LedgerError where a damaged ledger can still be seen to have got further than the receipts."""
    try:
        with closing(connect(path, readonly=True)) as connection:
            mark = receipt_facts.read_mark(connection)
    except sqlite3.Error:
        return
    if (
        receipts_file.exists()
        and not receipts.has_marked_line(receipts_file, mark)
        and _last_number(receipts_file) < mark.n
    ):
        raise LedgerError("ledger.receipts_older", path=path, place=receipts_file)


def _last_number(receipts_file: Path) -> int:
    """Return the number of the last line of a chain, as far as it is whole."""
    try:
        return receipts.read_end_mark(receipts_file).n
    except receipts.ReceiptsDamaged as damaged:
        return damaged.line - 1


def _is_behind(path: Path, receipts_file: Path) -> bool:
    """Return whether the receipts hold attempts or seals that a readable ledger lacks.

    Raises LedgerError where the ledger holds some that the receipts lack as well: neither replaces the other.
    """
    if not receipts_file.exists():
        return False
    with closing(connect(path, readonly=True)) as connection:
        lacking = find_missing_facts(connection, receipts.read_unchained(receipts_file))
        if not (lacking.answered or lacking.unanswered or lacking.seals):
            return False
        written = {(receipt.table, receipt.id) for receipt in receipts.read_unchained(receipts_file)}
        own = {
            (receipt.table, receipt.id)
            for receipt in receipt_facts.make_all_receipts(connection)
            if receipt.table == "attempt"
        }
        sealed = {str(receipt.columns.get("seal_id")) for receipt in receipts.read_unchained(receipts_file)}
        seals = {str(seal_id) for (seal_id,) in connection.execute("SELECT seal_id FROM seal")}
    if not own <= written or not seals <= sealed or receipts.find_break(receipts_file) is not None:
        raise LedgerError("ledger.two_histories", path=path, place=receipts_file)
    return True


def _rewrite_receipts(path: Path, receipts_file: Path) -> RestoredLedger:
    """Write damaged receipts again from a ledger that lacks nothing; UsageError where they are in order."""
    with closing(connect(path, readonly=False)) as connection:
        mark = receipt_facts.read_mark(connection)
        whole = (
            receipts_file.exists()
            and receipts.has_marked_line(receipts_file, mark)
            and receipts.find_break(receipts_file) is None
        )
        if whole or not receipts_file.exists():
            raise UsageError("ledger.in_order", path=path, then=("ledger", "check"))
        damaged = set_aside_path(receipts_file)
        receipts_file.rename(damaged)
        receipt_facts.write_mark(
            connection, receipts.rewrite_receipts(receipts_file, receipt_facts.make_all_receipts(connection))
        )
    return replace(RestoredLedger(*count_ledger(path)), damaged_receipts=damaged)


def _read_kept_files(source: Path) -> tuple[bytes, bytes]:
    """Return key and receipts of a backup."""
    try:
        with closing(connect(source, readonly=True)) as connection:
            files = dict(connection.execute(f"SELECT name, data FROM {_KEPT_TABLE}"))  # noqa: S608 - our own words
        return files[_KEY], files[_RECEIPTS]
    except (sqlite3.Error, KeyError) as error:
        raise UsageError("ledger.no_backup", source=source) from error


def _is_readable(path: Path, site_key: SiteKey) -> bool:
    """Return whether a ledger can be read and is whole in itself."""
    require_rights(path, writing=True)
    try:
        require_own_ledger(path, site_key)
        with closing(connect(path, readonly=True)) as connection:
            return not any(find_internal_defects(connection))
    except LedgerUnreachable:  # it may be sound: nothing takes its receipts_file
        raise
    except (LedgerError, sqlite3.Error):
        return False


@contextmanager
def _replace_ledger(path: Path) -> Iterator[tuple[Path, Callable[[], Path | None]]]:
    """Yield a draft that takes the name of a ledger once the block has filled it, and the former one's new name.

    The former ledger and its SQLite files are renamed only then: a draft that fails changes nothing.
    """
    renamed: list[Path] = []
    draft = atomic_files.draft_of(path)
    atomic_files.create_private_file(draft)
    try:
        yield draft, lambda: renamed[0] if renamed else None
        atomic_files.sync_file(draft)
        free = atomic_files.free_name(path)
        for suffix in ("", *SIDE_SUFFIXES):
            former = path.with_name(path.name + suffix)
            if former.exists():
                former.rename(free.with_name(free.name + suffix))
                renamed[:] = [free]
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
        for suffix in SIDE_SUFFIXES:
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)
    atomic_files.sync_folder(path.parent)


def _put_key(path: Path, secret: bytes) -> None:
    key_file = key_path(path)
    if key_file.exists():
        if key_file.read_bytes() == secret:
            return
        key_file.rename(
            next(name for n in count(1) if not (name := key_file.with_name(f"{key_file.name}.{n}")).exists())
        )
    with atomic_files.create_atomically(key_file) as draft:
        draft.write_bytes(secret)


def _explain_damaged_receipts(receipts_file: Path, error: Exception) -> LedgerError:
    why: Localizable | str = reason_of(error)
    if isinstance(error, receipts.ReceiptsDamaged):
        why = make_phrase("ledger.receipts_line", line=error.line)
    return LedgerError("ledger.receipts_damaged", place=receipts_file, why=why)
