"""Checks, backs up and restores a ledger in a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.domain.site_key import SiteKey
from pipeline.errors import LedgerError, UsageError, reason_of
from pipeline.ledger.disk import key_path, list_side_files
from pipeline.ledger.journal import JournalDamaged, JournalOfOtherKey
from pipeline.ledger.opening import Journals
from pipeline.ledger.operations import dump_tables, make_tables_anew, read_events
from pipeline.ledger.persons import read_summary
from pipeline.ledger.places import Places
from pipeline.ledger.sqlite_ledger import connect, explain_read_error, require_ledger_file
from pipeline.ledger.tables import Connection, create_tables
from pipeline.support import atomic_files

_KEPT_TABLE, _KEY = "esign_import_backup", "key"  # in a backup


class LedgerCounts(NamedTuple):
    """What a ledger holds."""

    people: int
    seals: int
    unresolved: int
    decisions: int


class LedgerIdentity(NamedTuple):
    """Which ledger a file is, and how many creates, answers and decisions it holds."""

    tenant: str
    key_check: str
    created: float
    events: int

    def is_same_ledger(self, other: LedgerIdentity) -> bool:
        """Return whether both are one ledger, at any two moments."""
        mine, others = ((one.tenant, one.key_check, one.created) for one in (self, other))
        return mine == others


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """What is wrong with a ledger and its journals; kinds: tables, event, line, lacks, other_key."""

    defects: tuple[tuple[str, str], ...]  # kind, and what it is about
    events: int
    counts: LedgerCounts


def check_events(connection: Connection, journals: Journals) -> LedgerCheck:
    """Make the tables once more from the events and compare them; prove the journals of this host, and that they hold all.

    ``connection`` is in a transaction. Raises OSError where a place cannot be read.
    """
    known = {event.id for event in read_events(connection)}
    defects = [*_compare_tables(connection), *_prove_journals(journals, known)]
    return LedgerCheck(tuple(defects), len(known), count_ledger(connection))


def count_ledger(connection: Connection) -> LedgerCounts:
    """Return what a ledger holds; seals and unresolved creates are those that `status` counts."""
    summary = read_summary(connection)
    statement = "SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM decision)"
    people, decisions = connection.execute(statement).fetchone()
    return LedgerCounts(people, summary.sealed, len(summary.open_creates), decisions)


def read_identity(path: Path) -> LedgerIdentity:
    """Return which ledger a file is. Raises sqlite3.Error where it cannot be read."""
    with closing(connect(path, readonly=True)) as connection:
        row = connection.execute(
            "SELECT tenant, key_check, created, (SELECT count(*) FROM event WHERE op NOT IN ('run', 'run_end', 'rows', 'opened')) FROM meta"
        ).fetchone()
    return LedgerIdentity(*row)


def read_identity_if_any(path: Path) -> LedgerIdentity | None:
    """Return which ledger a file is; None for a link, and for a file that is no ledger or cannot be read."""
    with suppress(sqlite3.Error, OSError, TypeError):
        return None if path.is_symlink() else read_identity(path)
    return None


def back_up_ledger(path: Path, places: Places, target: Path) -> None:
    """Copy ledger and key into one file (0600), as they are at one moment; SQLite's own backup API.

    Raises UsageError where the target exists, LedgerError where ledger or disk fail.
    """
    if target.exists():
        raise UsageError("ledger.backup_exists", target=target, then=("ledger", "backup", str(target.parent)))
    try:
        secret = places.read_key(key_path(path), check=require_ledger_file(path, places.tenant))
        if secret is None:
            raise LedgerError("ledger.key_missing", place=key_path(path), path=path)
        with (
            atomic_files.create_atomically(target) as draft,
            closing(connect(path, readonly=True)) as source,
            closing(sqlite3.connect(draft)) as copy,
        ):
            source.backup(copy)
            copy.execute(f"CREATE TABLE {_KEPT_TABLE} (name TEXT PRIMARY KEY, data BLOB NOT NULL)")
            copy.execute(f"INSERT INTO {_KEPT_TABLE} VALUES (?, ?)", (_KEY, secret))  # noqa: S608 - our own words
            copy.commit()
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise explain_read_error(path, error) from error
    except OSError as error:
        raise LedgerError("ledger.backup_failed", target=target, why=reason_of(error)) from error


def restore_ledger(path: Path, places: Places, source: Path) -> Path | None:
    """Put the ledger and the key of a backup in the place of those that are there; return where the former ledger is kept.

    The next opening enters what the journals know more. Raises UsageError for a file that is no backup and for another
    tenant's, LedgerError where the disk fails.
    """
    try:
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as backup:
            (secret,) = backup.execute(f"SELECT data FROM {_KEPT_TABLE} WHERE name = ?", (_KEY,)).fetchone()  # noqa: S608 - the same
    except (sqlite3.Error, TypeError) as error:
        raise UsageError("ledger.no_backup", path=source, then=("status",)) from error
    check = require_ledger_file(source, places.tenant)
    if SiteKey(secret, places.tenant).check() != check:
        raise UsageError("ledger.no_backup", path=source, then=("status",))
    try:
        atomic_files.make_folder(path.parent)
        former = atomic_files.free_name(path) if path.exists() else None
        for file in (path, *list_side_files(path)):
            if file.exists():
                file.rename(atomic_files.free_name(file))
        key_path(path).unlink(missing_ok=True)
        places.keep_key(key_path(path), secret)
        with (
            atomic_files.create_atomically(path) as draft,
            closing(connect(source, readonly=True)) as old,
            closing(sqlite3.connect(draft)) as new,
        ):
            old.backup(new)
            new.execute(f"DROP TABLE {_KEPT_TABLE}")
            new.commit()
    except OSError as error:
        raise LedgerError("ledger.not_written", path=path, why=reason_of(error)) from error
    return former


def _compare_tables(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield the tables that differ from those that the events make."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
        create_tables(memory)
        statement = "SELECT entered, id, n, op, args, person, other FROM event"
        memory.execute("BEGIN")
        memory.executemany(
            "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)", connection.execute(statement).fetchall()
        )
        make_tables_anew(memory)
        made, known = dump_tables(memory), dump_tables(connection)
    yield from (("tables", table) for table in made if made[table] != known[table])


def _prove_journals(journals: Journals, known: set[str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the files of this host."""
    for place_name in journals.places:
        own = journals.make_own_file(place_name)
        try:
            reading = own.read(None)
        except FileNotFoundError:
            yield "lacks", str(own.path)
            continue
        except JournalDamaged as damage:
            yield "line", f"{own.path}: {damage.line}"
            continue
        except JournalOfOtherKey:
            yield "other_key", str(own.path)
            continue
        held = {event.id for event in reading.events}
        if known - held:
            yield "lacks", str(own.path)
        if held - known:
            yield "event", str(own.path)
