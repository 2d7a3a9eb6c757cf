"""The tables of the ledger, and the constraints that guard it.

A person has at most one live seal or one open attempt, never both. The database enforces this even if the code is wrong.
A verdict is never rewritten. A decision is a separate row, and the attempt or seal that it concerns refers to it. Withdrawing
a decision (withdrawal.py) adds a row, too; what the decision had set is set back, by what its column ``replaced`` holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from pipeline.domain.run import REPEATED, SEAL_ID_REUSED
from pipeline.domain.seals import SealContent
from pipeline.errors import LedgerError
from pipeline.ledger.protocol import Connection
from pipeline.version import __version__

APPLICATION_ID = (
    0x6573696D  # "esim", in the header of the file: a ledger is known by it among other SQLite files
)
OLDEST_SQLITE = (3, 37, 0)  # STRICT tables
VERSION = 2  # of the schema; a ledger of any other one is refused

# What a seal was made from, in the order of the attributes of SealContent.
CONTENT_COLUMNS = ", ".join(f"content_{attribute.name}" for attribute in fields(SealContent))
OPEN_ATTEMPT = "decision IS NULL AND (verdict IS NULL OR verdict IN ('unknown', 'exists'))"

# Of a row of attempt: refused for another reason than the seal name. A bare FailedOperation may hide a seal, and a seal
# of the same name may be the person's own.
_SAME_NAME = (
    "(instr(coalesce(message, ''), '同名') OR instr(coalesce(message, ''), '重名') "
    "OR instr(coalesce(message, ''), '已存在'))"
)
SURELY_REFUSED = (
    "(contract = 'upload' OR coalesce(verdict, '') = 'not_executed' OR (coalesce(verdict, '') = 'refused' "
    "AND coalesce(code, '') NOT IN ('', 'FailedOperation', 'FailedOperation.ExistSameSealName') "
    f"AND NOT {_SAME_NAME}))"
)
# Of a row of decision: it is no withdrawal, and none withdraws it.
STANDING = "withdraws IS NULL AND id NOT IN (SELECT withdraws FROM decision WHERE withdraws IS NOT NULL)"
# Of a row of attempt: a person decided, on this attempt or a later one, that the seal of this name is another doctor's.
DISOWNED = (
    "EXISTS (SELECT 1 FROM attempt AS held JOIN decision ON decision.id = held.decision "
    "WHERE decision.kind = 'not_theirs' AND held.key = attempt.key AND held.seal_name = attempt.seal_name "
    "AND held.number >= attempt.number)"
)
# Of a row of seal_name: its owner cannot have a seal of this name, so it may pass to another person. Before the owner's
# first seal every create under the name was surely refused, or the seal of that name was found to be another's.
_CREATES_OF_NAME = "FROM attempt WHERE key = seal_name.key AND attempt.seal_name = seal_name.seal_name"
FREE_NAME = (
    f"(EXISTS (SELECT 1 {_CREATES_OF_NAME}) "  # noqa: S608 - our own text
    f"AND NOT EXISTS (SELECT 1 {_CREATES_OF_NAME} AND NOT ({SURELY_REFUSED} OR {DISOWNED})) "
    "AND NOT EXISTS (SELECT 1 FROM seal WHERE seal.key = seal_name.key AND (seal.seal_name = seal_name.seal_name "
    f"OR after_attempt < (SELECT min(number) {_CREATES_OF_NAME}))))"
)

# Of meta: how far a ledger has got, see `count_receipts`.
RECEIPT_COUNT = (
    "CASE WHEN EXISTS (SELECT 1 FROM person) OR EXISTS (SELECT 1 FROM decision) THEN receipts_n ELSE 0 END"
)

# Digests stand for identity numbers, mobiles and staff numbers (tenant.py). content_seal_name is the roster's own
# name, seal_name what was sent. An adopted seal was made by no run, and what it was made from may not be known.
# meta.receipts_*: how far receipts.jsonl reaches, set in the transaction that its lines belong to.
# row_seen changes with every run and is narrow; the wide text of row_line is written when it changes.
STATEMENTS: Sequence[str] = (
    f"""
    CREATE TABLE meta (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        tenant TEXT NOT NULL,
        key_check TEXT NOT NULL,
        key_format INTEGER NOT NULL,
        created REAL NOT NULL,
        receipts_n INTEGER NOT NULL DEFAULT 0,
        receipts_sha256 TEXT NOT NULL DEFAULT '{"0" * 64}',
        receipts_size INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    """
    CREATE TABLE run (
        number INTEGER PRIMARY KEY,
        run TEXT NOT NULL UNIQUE,
        command TEXT NOT NULL,
        started REAL NOT NULL,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        user TEXT NOT NULL,
        rosters TEXT NOT NULL,
        seals TEXT,
        out TEXT NOT NULL,
        contract TEXT,
        config_digest TEXT NOT NULL,
        version TEXT NOT NULL,
        saw_rows INTEGER NOT NULL DEFAULT 0 CHECK (saw_rows IN (0, 1)),
        finished REAL,
        exit INTEGER,
        record TEXT
    ) STRICT
    """,
    """
    CREATE TABLE person (
        key TEXT PRIMARY KEY,
        name TEXT,
        id_masked TEXT,
        seal_name TEXT,
        staff_no TEXT,
        mobile TEXT,
        FOREIGN KEY (seal_name, key) REFERENCES seal_name (seal_name, key)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE seal_name (
        seal_name TEXT PRIMARY KEY,
        key TEXT NOT NULL REFERENCES person (key),
        UNIQUE (seal_name, key)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE decision (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        who TEXT NOT NULL CHECK (trim(who) <> ''),
        why TEXT NOT NULL,
        kind TEXT NOT NULL,
        key TEXT REFERENCES person (key),
        attempt TEXT REFERENCES attempt (uuid),
        seal_id TEXT,
        detail TEXT,
        after_attempt INTEGER NOT NULL,
        replaced TEXT,
        withdraws INTEGER UNIQUE REFERENCES decision (id),
        CHECK ((kind = 'withdraw') = (withdraws IS NOT NULL))
    ) STRICT
    """,
    """
    CREATE TABLE attempt (
        number INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        key TEXT NOT NULL REFERENCES person (key),
        run TEXT NOT NULL REFERENCES run (run),
        row_id TEXT NOT NULL,
        contract TEXT NOT NULL,
        host TEXT NOT NULL,
        signed_at REAL NOT NULL,
        seal_name TEXT NOT NULL,
        content_name TEXT NOT NULL,
        content_number TEXT NOT NULL,
        content_id_type TEXT NOT NULL,
        content_scene_key TEXT,
        content_mobile TEXT,
        content_seal_name TEXT,
        content_picture TEXT NOT NULL,
        content_pixels TEXT,
        verdict TEXT CHECK (verdict IN ('sealed', 'refused', 'not_executed', 'unknown', 'exists')),
        settled_at REAL,
        http_status INTEGER,
        request_id TEXT,
        code TEXT,
        message TEXT,
        seal_id TEXT,
        decision INTEGER REFERENCES decision (id),
        dead_at REAL NOT NULL,
        CHECK ((verdict IS NULL) = (settled_at IS NULL)),
        CHECK (decision IS NULL OR coalesce(verdict, '') IN ('unknown', 'exists')),
        CHECK (verdict IS NOT 'sealed' OR coalesce(seal_id, '') <> '')
    ) STRICT
    """,
    """
    CREATE TABLE seal (
        id INTEGER PRIMARY KEY,
        seal_id TEXT NOT NULL UNIQUE CHECK (seal_id <> ''),
        key TEXT NOT NULL REFERENCES person (key),
        seal_name TEXT,
        source TEXT NOT NULL CHECK (source IN ('sent', 'resolved', 'adopted', 'receipt')),
        run TEXT,
        attempt TEXT REFERENCES attempt (uuid),
        request_id TEXT,
        at REAL NOT NULL,
        after_attempt INTEGER NOT NULL,
        content_name TEXT,
        content_number TEXT,
        content_id_type TEXT,
        content_scene_key TEXT,
        content_mobile TEXT,
        content_seal_name TEXT,
        content_picture TEXT,
        content_pixels TEXT,
        decision INTEGER REFERENCES decision (id),
        ended_by INTEGER REFERENCES decision (id),
        FOREIGN KEY (seal_name, key) REFERENCES seal_name (seal_name, key),
        CHECK (source <> 'sent' OR attempt IS NOT NULL),
        CHECK (source = 'adopted' OR (run IS NOT NULL AND seal_name IS NOT NULL AND content_name IS NOT NULL
               AND content_number IS NOT NULL AND content_id_type IS NOT NULL AND content_picture IS NOT NULL)),
        CHECK (source <> 'adopted' OR run IS NULL)
    ) STRICT
    """,
    """
    CREATE TABLE row_line (
        id INTEGER PRIMARY KEY,
        key TEXT,
        file TEXT NOT NULL,
        sheet TEXT,
        row INTEGER NOT NULL,
        status TEXT NOT NULL,
        codes TEXT NOT NULL,
        line TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE row_seen (
        row_id TEXT NOT NULL,
        first_run INTEGER NOT NULL REFERENCES run (number),
        last_run INTEGER NOT NULL REFERENCES run (number),
        digest BLOB NOT NULL,
        line INTEGER NOT NULL REFERENCES row_line (id),
        PRIMARY KEY (row_id, first_run),
        CHECK (first_run <= last_run)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE file_stat (
        path TEXT PRIMARY KEY,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        sha256 TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    # who bore which name, staff number and picture (run_history.py)
    """
    CREATE TABLE bearer (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        name TEXT NOT NULL,
        staff_no TEXT NOT NULL,
        mobile TEXT NOT NULL,
        digits TEXT NOT NULL,
        path TEXT NOT NULL,
        picture TEXT NOT NULL,
        is_contested INTEGER NOT NULL CHECK (is_contested IN (0, 1)),
        pixels TEXT NOT NULL,
        shown_name TEXT NOT NULL,
        position TEXT NOT NULL,
        run TEXT NOT NULL
    ) STRICT
    """,
    # the newest answer about a person's auto-sign (auto_sign.py); answered_at and what follows it are of the last answer
    """
    CREATE TABLE auto_sign (
        key TEXT PRIMARY KEY REFERENCES person (key),
        asked_at REAL NOT NULL,
        code TEXT,
        request_id TEXT,
        answered_at REAL,
        is_open INTEGER CHECK (is_open IN (0, 1)),
        seal_id TEXT,
        license_to REAL,
        CHECK ((answered_at IS NULL) = (is_open IS NULL)),
        CHECK (code IS NOT NULL OR answered_at IS NOT NULL)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX seal_of_person ON seal (key, after_attempt)",
    "CREATE INDEX seal_of_attempt ON seal (attempt) WHERE attempt IS NOT NULL",
    "CREATE UNIQUE INDEX one_live_seal ON seal (key) WHERE ended_by IS NULL",
    "CREATE INDEX row_line_of_person ON row_line (key)",
    "CREATE INDEX attempt_of_person ON attempt (key, number)",
    f"CREATE UNIQUE INDEX one_open_attempt ON attempt (key) WHERE {OPEN_ATTEMPT}",
    # of what these codes say it is known already that the answer is another call's
    f"""
    CREATE UNIQUE INDEX one_attempt_of_an_answer ON attempt (request_id)
    WHERE coalesce(code, '') NOT IN ('{REPEATED}', '{SEAL_ID_REUSED}')
    """,
    "CREATE UNIQUE INDEX one_seal_of_an_id ON seal (lower(seal_id))",  # case makes no other SealId
    """
    CREATE TRIGGER no_attempt_beside_a_live_seal BEFORE INSERT ON attempt
    WHEN EXISTS (SELECT 1 FROM seal WHERE key = NEW.key AND ended_by IS NULL)
    BEGIN SELECT RAISE (ABORT, 'live_seal'); END
    """,
    f"""
    CREATE TRIGGER no_live_seal_beside_an_open_attempt BEFORE INSERT ON seal
    WHEN NEW.ended_by IS NULL AND EXISTS (SELECT 1 FROM attempt WHERE key = NEW.key AND {OPEN_ATTEMPT})
    BEGIN SELECT RAISE (ABORT, 'open_attempt'); END
    """,  # noqa: S608 - our own text
    """
    CREATE TRIGGER an_attempt_carries_the_frozen_name BEFORE INSERT ON attempt
    WHEN NEW.seal_name IS NOT (SELECT seal_name FROM person WHERE key = NEW.key)
    BEGIN SELECT RAISE (ABORT, 'frozen_name'); END
    """,
    """
    CREATE TRIGGER a_verdict_is_final BEFORE UPDATE OF verdict ON attempt
    WHEN OLD.verdict IS NOT NULL
    BEGIN SELECT RAISE (ABORT, 'settled'); END
    """,
    f"""
    CREATE TRIGGER a_seal_name_stays_with_its_owner BEFORE UPDATE OF key ON seal_name
    WHEN NOT EXISTS (SELECT 1 FROM seal_name WHERE seal_name = OLD.seal_name AND {FREE_NAME})
    BEGIN SELECT RAISE (ABORT, 'seal_name'); END
    """,  # noqa: S608 - our own text
)

# Message of a broken constraint -> its name in LedgerConflict. Triggers raise the name itself.
CONSTRAINTS = {
    "UNIQUE constraint failed: attempt.key": "open_attempt",
    "UNIQUE constraint failed: attempt.request_id": "request_id",
    "UNIQUE constraint failed: attempt.uuid": "attempt",
    "UNIQUE constraint failed: run.run": "run",
    "UNIQUE constraint failed: seal.key": "live_seal",
    "UNIQUE constraint failed: seal.seal_id": "seal_id",
    "UNIQUE constraint failed: index 'one_seal_of_an_id'": "seal_id",
    "UNIQUE constraint failed: seal_name.seal_name": "seal_name",
}


def select_columns(
    connection: Connection, statement: str, values: Sequence[object] = ()
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a SELECT statement, each as its values by column."""
    rows = connection.execute(statement, values)
    names = [column[0] for column in rows.description]
    return (dict(zip(names, row, strict=True)) for row in rows)


def insert_row(connection: Connection, table: str, columns: Mapping[str, object]) -> None:
    """Enter a row of a table."""
    placeholders = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({placeholders})"  # noqa: S608 - names of our own schema
    connection.execute(statement, list(columns.values()))


def set_row(connection: Connection, table: str, identity: str, columns: Mapping[str, object]) -> None:
    """Give a row these values, found by its column ``identity``; a row that the table lacks is entered."""
    same_row = f"SELECT {', '.join(columns)} FROM {table} WHERE {identity} = ?"  # noqa: S608 - names of our own schema
    row = connection.execute(same_row, (columns[identity],)).fetchone()
    if row is None:
        insert_row(connection, table, columns)
        return
    for (name, value), before in zip(columns.items(), row, strict=True):
        if value != before:  # a constraint may refuse that a column is set again
            statement = f"UPDATE {table} SET {name} = ? WHERE {identity} = ?"  # noqa: S608 - the same
            connection.execute(statement, (value, columns[identity]))


def count_receipts(connection: Connection) -> int:
    """Return how far a ledger has got: the number of its last receipt, 0 while it holds no person and no decision.

    The number only grows, also where the receipts are written again.
    """
    count: int = connection.execute(f"SELECT {RECEIPT_COUNT} FROM meta").fetchone()[0]  # noqa: S608 - our own words
    return count


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block in one transaction of a connection in autocommit mode; it is undone where the block fails."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def without_triggers(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block in one transaction without triggers, which judge a change; references are checked at its end."""
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    with transaction(connection):
        connection.execute("PRAGMA defer_foreign_keys = ON")
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield
        for _, statement in triggers:
            connection.execute(statement)


def require_version(connection: sqlite3.Connection) -> None:
    """Raise LedgerError for a ledger file of another schema version than this program's."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        raise explain_other_version(path, version)


def explain_other_version(ledger: str, version: int) -> LedgerError:
    """Return the error for a ledger, a file or on a server, of another schema version."""
    if version > VERSION:
        return LedgerError(
            "ledger.newer_version", path=ledger, version=version, known=VERSION, program=__version__
        )
    return LedgerError("ledger.other_version", path=ledger, version=version, known=VERSION)


def create_tables(connection: sqlite3.Connection) -> None:
    """Create the tables in an empty database, all or none; ``connection`` is in autocommit mode."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    with transaction(connection):
        for statement in STATEMENTS:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
