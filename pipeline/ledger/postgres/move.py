"""Moves a ledger from a file to a server and back: copied, compared value by value, and only then the other is retired.

One step decides which ledger is in use: the mark in the file (moved.py) on the way to the server, the name of the file
on the way back. Before it the former ledger is in use, after it the new one; a move that died is done again, or
completed, by the same call. The caller holds the run lock of the file and the lease.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from pipeline.errors import LedgerError, UsageError
from pipeline.ledger import receipts, schema
from pipeline.ledger.disk import key_path, list_side_files, require_local_disk
from pipeline.ledger.maintenance import LedgerCheck, LedgerCounts, check_ledger, count_ledger
from pipeline.ledger.moved import (
    MoveNote,
    draft_path,
    explain_moved,
    is_moved_away,
    read_note,
    remove_note,
    retire_file,
    write_note,
)
from pipeline.ledger.open import open_ledger, require_own_ledger
from pipeline.ledger.postgres import copy_tables
from pipeline.ledger.postgres import schema as server_schema
from pipeline.ledger.postgres.address import ServerAddress, name_schema
from pipeline.ledger.postgres.connection import (
    PostgresConnection,
    connect_server,
    require_durable_commits,
)
from pipeline.ledger.postgres.lease import Lease
from pipeline.ledger.postgres.ledger import encrypt_key, has_schema, open_server_ledger
from pipeline.ledger.postgres.move_state import (
    end_move,
    find_ledger_in_use,
    read_move,
    rename_schema,
    require_in_use,
    write_move,
)
from pipeline.ledger.postgres.server_store import ServerStore
from pipeline.ledger.receipt_sync import read_mark, receipts_path
from pipeline.ledger.registry import LedgerIdentity, Ownership, identify_ledger
from pipeline.ledger.sqlite_ledger import connect, explain_write_error
from pipeline.ledger.tenant import SiteKey
from pipeline.support import atomic_files
from pipeline.support.failpoints import hit_failpoint

PATIENCE_SECONDS = 3600.0  # that one statement may take: all rows are checked at once


@dataclass(frozen=True, slots=True)
class MovedLedger:
    """A ledger that was moved."""

    former: str  # new name of the former ledger: a file, or a schema
    counts: LedgerCounts
    rows: int | None = None  # compared one by one; None: an earlier call had done so


@dataclass(frozen=True, slots=True)
class Ends:
    """The two places between which a ledger moves, and the lease of the server's; the file's lock is held as well."""

    path: Path
    address: ServerAddress
    tenant: str
    secret: str
    lease: Lease

    @property
    def schema(self) -> str:
        """The schema of the tenant on the server."""
        return name_schema(self.tenant)


def move_to_server(ends: Ends, ownership: Ownership, *, now: float) -> MovedLedger:
    """Move the ledger of a file to a server, or complete such a move.

    Raises UsageError where a ledger is in use there, and for a ledger that a run would refuse; LedgerError for one with
    defects, a difference between the copies, and a disk or server that fails.
    """
    with _connect(ends) as server:
        note = read_note(ends.path)
        if note is not None and (not ends.path.exists() or is_moved_away(ends.path, note.ledger_id)):
            return _complete_arrival(ends, server, note, ownership, now)
        if note is None and not ends.path.exists():
            raise UsageError("never_run", path=ends.path, then=("check",))
        opened, site_key = open_ledger(ends.path, ends.tenant, now=now, ownership=ownership)
        opened.close()
        require_undisturbed = ownership.require(ends.path)
        _require_no_defects(check_ledger(ends.path, ends.tenant), ends.path)
        with closing(connect(ends.path, readonly=True)) as file:
            identity = identify_ledger(file)
            former = atomic_files.free_name(ends.path, "{name}.moved-{n}").name
            with server.transaction():
                _make_room(ends, server, identity)
                rows = _fill_schema(ends, server, file, site_key)
                write_move(server, ends.schema, "arriving", identity.ledger_id, ends.path, former=former)
                ends.lease.require(server)
                hit_failpoint("move: before the commit")
            hit_failpoint("move: after the commit")
            counts = count_ledger(file)
        require_undisturbed()
        note = MoveNote(ends.address.shown, identity.ledger_id, former)
        _retire_file(ends, server, note, ownership, identity)
    return MovedLedger(str(ends.path.with_name(former)), counts, rows)


def move_to_file(ends: Ends, ownership: Ownership, *, now: float) -> MovedLedger:
    """Move the ledger of a server to a file, or complete such a move.

    Raises UsageError where a file or other receipts have its name, and for a ledger that a run would refuse; LedgerError
    for a difference between the copies, and a disk or server that fails.
    """
    with _connect(ends) as server:
        move = read_move(server, ends.schema)
        if move is not None and Path(move.path) == ends.path.absolute():
            user = find_ledger_in_use(move)
            if user == "file":
                return _complete_departure(ends, server, move.ledger_id)
            if user == "server":
                _end_move(ends, server)
        if not has_schema(server, ends.schema):
            require_in_use(server, ends.address, ends.schema)
            raise UsageError("never_run", path=ends.address, then=("check",))
        opened, site_key = open_server_ledger(
            ends.address, ends.tenant, now=now, secret=ends.secret, lease=ends.lease, ownership=ownership
        )
        opened.close()
        _require_no_defects(ServerStore(ends.address, ends.tenant, ends.secret).check(), ends.address)
        identity = identify_ledger(PostgresConnection(server))
        _require_free_place(ends)
        require_undisturbed = ownership.require(ends.path)
        draft = draft_path(ends.path)
        with _note_source(ends, identity):
            rows = _fill_draft(ends, server, draft, site_key)
        with server.transaction():
            write_move(server, ends.schema, "leaving", identity.ledger_id, ends.path)
            ends.lease.require(server)
            hit_failpoint("move: before the server's ledger is left")
        hit_failpoint("move: after the server's ledger is left")
        _register(ownership, str(ends.path.resolve()), identity)
        hit_failpoint("move: before the file takes its name")
        require_undisturbed()
        draft.rename(ends.path)
        atomic_files.sync_folder(ends.path.parent)
        hit_failpoint("move: after the file took its name")
        moved = _complete_departure(ends, server, identity.ledger_id)
    return MovedLedger(moved.former, moved.counts, rows)


@contextmanager
def _connect(ends: Ends) -> Iterator[psycopg.Connection]:
    """Connect to the server for a move, which may take long; errors of disk and server become LedgerError."""
    try:
        with connect_server(
            ends.address, purpose="move", schema=ends.schema, patience=PATIENCE_SECONDS
        ) as server:
            require_durable_commits(server, ends.address)
            yield server
    except (sqlite3.Error, OSError) as error:
        raise explain_write_error(ends.path, error) from error


def _require_no_defects(check: LedgerCheck, ledger: object) -> None:
    if check.defects:
        raise LedgerError("moved.defects", path=ledger, found=len(check.defects), then=("ledger", "check"))


def _make_room(ends: Ends, server: psycopg.Connection, identity: LedgerIdentity) -> None:
    """Remove a copy of this ledger that an earlier try left on the server; UsageError where a ledger is in use there."""
    move = read_move(server, ends.schema)
    if move is not None and move.ledger_id != identity.ledger_id:
        raise UsageError("moved.to_file", server=ends.address.shown, host=move.host, path=move.path)
    if not has_schema(server, ends.schema):
        return
    if move is None:
        raise UsageError("moved.target_in_use", server=ends.address.shown, path=ends.path)
    if Path(move.path) != ends.path.absolute():
        raise UsageError("moved.to_file", server=ends.address.shown, host=move.host, path=move.path)
    if move.direction == "arriving":
        server.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(ends.schema)))
    else:
        rename_schema(server, ends.schema)


def _fill_schema(ends: Ends, server: psycopg.Connection, file: sqlite3.Connection, site_key: SiteKey) -> int:
    """Create the schema of a tenant with the ledger of a file; return how many rows were compared."""
    server_schema.create_ledger_tables(server, ends.schema)
    copy_tables.copy_to_server(file, server)
    server.execute(
        "INSERT INTO site_key (salt, encrypted) VALUES (%s, %s)", encrypt_key(site_key.secret, ends.secret)
    )
    receipts_file, mark = receipts_path(ends.path), read_mark(file)
    copy_tables.copy_receipts_to_server(copy_tables.read_receipt_lines(receipts_file, mark), server)
    hit_failpoint("move: after the rows are copied")
    rows = copy_tables.require_equal_tables(file, server)
    copy_tables.require_equal_receipts(
        copy_tables.read_receipt_lines(receipts_file, mark), copy_tables.read_receipts(server)
    )
    return rows + mark.n


def _retire_file(
    ends: Ends,
    server: psycopg.Connection,
    note: MoveNote,
    ownership: Ownership,
    identity: LedgerIdentity,
) -> None:
    retire_file(ends.path, note)
    _end_move(ends, server)
    _register(ownership, ends.address.shown, identity)


def _end_move(ends: Ends, server: psycopg.Connection) -> None:
    with server.transaction():
        end_move(server, ends.schema)
        ends.lease.require(server)
        hit_failpoint("move: before the end")


def _complete_arrival(
    ends: Ends, server: psycopg.Connection, note: MoveNote, ownership: Ownership, now: float
) -> MovedLedger:
    """Complete a move to the server whose ledger is in use already; UsageError where the note names another server."""
    if not note.former or not has_schema(server, ends.schema):
        raise explain_moved(ends.path, note)
    connection = PostgresConnection(server)
    identity = identify_ledger(connection)
    if identity.ledger_id != note.ledger_id:
        raise explain_moved(ends.path, note)
    move = read_move(server, ends.schema)
    if move is None or Path(move.path) != ends.path.absolute():
        require_in_use(server, ends.address, ends.schema, lease=ends.lease, now=now)
    _retire_file(ends, server, note, ownership, identity)
    return MovedLedger(str(ends.path.with_name(note.former)), count_ledger(connection))


def _require_free_place(ends: Ends) -> None:
    """Raise UsageError where a file has the name of the ledger; make its folder."""
    if ends.path.exists():
        raise UsageError("moved.target_exists", path=ends.path)
    require_local_disk(ends.path)
    atomic_files.make_folder(ends.path.parent)


@contextmanager
def _note_source(ends: Ends, identity: LedgerIdentity) -> Iterator[None]:
    """Leave a note at the new place while the ledger is copied and before it has its name; a failure removes both."""
    is_new = read_note(ends.path) is None
    if is_new:
        write_note(ends.path, MoveNote(ends.address.shown, identity.ledger_id))
    try:
        yield
    except BaseException:
        draft_path(ends.path).unlink(missing_ok=True)
        if is_new:
            remove_note(ends.path)
        raise


def _fill_draft(ends: Ends, server: psycopg.Connection, draft: Path, site_key: SiteKey) -> int:
    """Write the ledger of a server as a file of another name, with key and receipts; return how many rows were compared."""
    for former_try in [draft, *list_side_files(draft)]:
        former_try.unlink(missing_ok=True)
    atomic_files.create_private_file(draft)
    with server.transaction(), closing(connect(draft, readonly=False)) as file:
        server.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        file.execute("PRAGMA synchronous = OFF")  # the finished draft is flushed as a whole
        schema.create_tables(file)
        copy_tables.copy_to_file(server, file)
        hit_failpoint("move: after the rows are copied")
        rows = copy_tables.require_equal_tables(file, server)
        mark = read_mark(file)
        _write_receipts(ends, server, receipts_path(ends.path), mark)
    _put_key(ends.path, site_key.secret)
    require_own_ledger(draft, site_key)
    for side_file in list_side_files(draft):
        side_file.unlink(missing_ok=True)
    atomic_files.sync_file(draft)
    for side_file in list_side_files(ends.path):  # of a lost ledger: SQLite would take them for this one's
        if side_file.exists():
            side_file.rename(atomic_files.free_name(side_file))
    return rows + mark.n


def _write_receipts(ends: Ends, server: psycopg.Connection, target: Path, mark: receipts.Mark) -> None:
    """Write the receipts of a server's ledger as a file; UsageError where the folder holds another ledger's."""
    with atomic_files.make_draft(target) as draft:
        with draft.open("wb") as file:
            file.writelines(copy_tables.follow_receipts(copy_tables.read_receipts(server), mark))
        copy_tables.require_equal_receipts(
            copy_tables.read_receipt_lines(draft, mark), copy_tables.read_receipts(server)
        )
        atomic_files.sync_file(draft)
        if target.exists() and not _begins_with(draft, target):
            raise UsageError("moved.other_receipts", place=target, path=ends.path)
        draft.replace(target)
    atomic_files.sync_folder(target.parent)


def _begins_with(path: Path, other: Path) -> bool:
    """Return whether a file begins with the whole of another one."""
    with path.open("rb") as ours, other.open("rb") as theirs:
        while part := theirs.read(1 << 20):
            if ours.read(len(part)) != part:
                return False
    return True


def _put_key(path: Path, secret: bytes) -> None:
    key_file = key_path(path)
    if key_file.exists():
        if key_file.read_bytes() == secret:
            return
        raise UsageError("moved.other_key", place=key_file, path=path)
    with atomic_files.create_atomically(key_file) as draft:
        draft.write_bytes(secret)


def _complete_departure(ends: Ends, server: psycopg.Connection, ledger_id: str) -> MovedLedger:
    """Retire the schema of a ledger whose file is in use."""
    move = read_move(server, ends.schema)
    former = move.former if move is not None and move.direction == "gone" else ""
    with server.transaction():
        if has_schema(server, ends.schema):
            former = rename_schema(server, ends.schema)
        write_move(server, ends.schema, "gone", ledger_id, ends.path, former=former)
        ends.lease.require(server)
    hit_failpoint("move: before the end")
    remove_note(ends.path)
    with closing(connect(ends.path, readonly=True)) as file:
        return MovedLedger(former, count_ledger(file))


def _register(ownership: Ownership, location: str, identity: LedgerIdentity) -> None:
    """Make the new place the tenant's in the registry of this host."""
    counter = ownership.register(location, identity)
    if counter is not None:
        counter.close()
