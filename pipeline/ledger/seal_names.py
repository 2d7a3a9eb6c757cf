"""Whose a seal name is: one person's at a time, and passed on only where nobody can bear it (schema.FREE_NAME)."""

from __future__ import annotations

import sqlite3

from pipeline.ledger.schema import FREE_NAME


def claim_seal_name(connection: sqlite3.Connection, key: str, seal_name: str) -> str | None:
    """Let a seal name belong to a person; returns who had it before, where that is somebody else.

    The constraints refuse a name that the other may bear (``seal_name``).
    """
    owner = connection.execute("SELECT key FROM seal_name WHERE seal_name = ?", (seal_name,)).fetchone()
    if owner is None:
        connection.execute("INSERT INTO seal_name (seal_name, key) VALUES (?, ?)", (seal_name, key))
    elif owner[0] != key:
        connection.execute("UPDATE person SET seal_name = NULL WHERE seal_name = ?", (seal_name,))
        connection.execute("UPDATE seal_name SET key = ? WHERE seal_name = ?", (key, seal_name))
        return str(owner[0])
    return None


def find_reusable_seal_names(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the names that may pass on to somebody else.

    The few attempts that came to nothing are looked for first (SQLite: CROSS), not each name for one of them.
    """
    found = connection.execute(
        "SELECT DISTINCT seal_name.seal_name FROM attempt CROSS JOIN seal_name USING (seal_name, key) "  # noqa: S608 - our own words
        f"WHERE verdict IN ('refused', 'not_executed', 'exists') AND {FREE_NAME}"
    )
    return frozenset(name for (name,) in found)
