"""Which ledger is in use while one moves between a file and a server, and after it has left the server.

A row of the shared table ``move`` names the file and the host that has it. While the move lasts, the names and the mark of
the file decide (moved.py): a process that dies at any point leaves one ledger in use, the file or the one on the server.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Literal, NamedTuple

import psycopg
from psycopg import sql

from pipeline.errors import UsageError
from pipeline.ledger.lock import RunLock
from pipeline.ledger.moved import draft_path, is_moved_away
from pipeline.ledger.postgres.address import ServerAddress
from pipeline.ledger.postgres.lease import Lease
from pipeline.ledger.registry import is_in_use
from pipeline.support.failpoints import hit_failpoint

Direction = Literal["arriving", "leaving", "gone"]


class Move(NamedTuple):
    """A move of a ledger: to the server, away from it, or away from it and done."""

    direction: Direction
    ledger_id: str
    host: str
    path: str  # of the file
    former: str  # its name once it is moved away; empty unless it arrives


def read_move(server: psycopg.Connection, name: str) -> Move | None:
    """Return the move of the ledger in a schema, None where it is in use without doubt, or there is none."""
    (table,) = server.execute("SELECT to_regclass('esign_import.move')").fetchone() or (None,)
    if table is None:
        return None
    row = server.execute(
        "SELECT direction, ledger_id, host, path, former FROM esign_import.move WHERE ledger = %s", [name]
    ).fetchone()
    return Move(*row) if row else None


def write_move(
    server: psycopg.Connection,
    name: str,
    direction: Direction,
    ledger_id: str,
    path: Path,
    *,
    former: str = "",
) -> None:
    """Enter that the ledger in a schema moves to or from a file of this host, in the caller's transaction."""
    move = Move(direction, ledger_id, socket.gethostname(), str(path.absolute()), former)
    end_move(server, name)
    server.execute(
        "INSERT INTO esign_import.move (ledger, direction, ledger_id, host, path, former) VALUES (%s, %s, %s, %s, %s, %s)",
        [name, *move],
    )


def end_move(server: psycopg.Connection, name: str) -> None:
    """Make the ledger in a schema the one in use."""
    server.execute("DELETE FROM esign_import.move WHERE ledger = %s", [name])


def find_ledger_in_use(move: Move) -> Literal["file", "server"] | None:
    """Return which ledger is in use during a move, None where its files are not on this host."""
    path = Path(move.path)
    if is_in_use(path, move.ledger_id):
        return "file"
    if move.direction == "leaving":
        return "server" if is_in_use(draft_path(path), move.ledger_id) else None
    if move.direction == "gone":
        return None
    moved = is_moved_away(path, move.ledger_id) or is_moved_away(path.with_name(move.former), move.ledger_id)
    return "server" if moved else None


def require_in_use(
    server: psycopg.Connection,
    address: ServerAddress,
    name: str,
    *,
    lease: Lease | None = None,
    now: float = 0.0,
) -> None:
    """Raise UsageError, naming the file, where the ledger of a schema is not the one in use.

    With a lease, a move that was broken off while the server's ledger is in use ends here.
    """
    move = read_move(server, name)
    if move is None:
        return
    user = find_ledger_in_use(move)
    if user == "server":
        if lease is not None:
            _break_off(server, address, name, move, lease, now=now)
        return
    known = user == "file" or move.direction == "gone"
    key = "moved.to_file" if known else "moved.unfinished"
    raise UsageError(key, server=address.shown, host=move.host, path=move.path)


def _break_off(
    server: psycopg.Connection, address: ServerAddress, name: str, move: Move, lease: Lease, *, now: float
) -> None:
    """End a move whose process died; the lock of the file shows that it is dead."""
    path = Path(move.path)
    with RunLock(path).acquire(run="ledger move", now=now):
        if find_ledger_in_use(move) != "server":
            require_in_use(server, address, name)
        with server.transaction():
            end_move(server, name)
            lease.require(server)
        if move.direction == "leaving":
            draft_path(path).unlink(missing_ok=True)


def rename_schema(server: psycopg.Connection, name: str) -> str:
    """Rename the schema of a ledger that is no longer in use; return its new name."""
    number = 1
    while server.execute("SELECT to_regnamespace(%s)", [f"{name}_moved_{number}"]).fetchone() != (None,):
        number += 1
    former = f"{name}_moved_{number}"
    server.execute(
        sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(former))
    )
    hit_failpoint("move: before the schema is renamed")
    return former
