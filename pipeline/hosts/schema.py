"""The schemas of a database: one for each tenant's ledger, and one for what all hospitals share."""

from __future__ import annotations

import hashlib

import psycopg
from psycopg import sql

from pipeline.clock import SystemClock, pause
from pipeline.hosts.connection import SHARED_SCHEMA
from pipeline.ledger.tables import KEPT_TABLES, MADE_TABLES, VERSION

# What only a ledger on a server has: the version of its tables, a site key that the operator's secret does not make
# (operator_secret.py), and who holds it (hold.py).
_OF_SERVER = f"""
    ALTER TABLE meta ADD version bigint NOT NULL DEFAULT {VERSION}, ADD wrapped_key bytea, ADD epoch text, ADD run text,
        ADD since double precision, ADD pid bigint, ADD holder text, ADD host text
"""
# What the hospitals of a database share: which of their ledgers are held, and the slots of the rate limiter.
_SHARED = (
    """
    CREATE OR REPLACE FUNCTION {shared}.held_ledgers() RETURNS TABLE (
        tenant text, run text, host text, pid bigint, "user" text, since double precision, silent_seconds double precision
    ) LANGUAGE plpgsql AS $$
    #variable_conflict use_column
    DECLARE
        held record;
    BEGIN
        FOR held IN
            SELECT nspname, extract(epoch FROM clock_timestamp() - state_change)::double precision AS silent
            FROM pg_locks JOIN pg_stat_activity USING (pid)
            JOIN pg_namespace ON (classid::bigint << 32) | objid::bigint = hashtextextended(nspname::text, 0)
            WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND datname = current_database()
                AND to_regclass(quote_ident(nspname) || '.meta') IS NOT NULL
            ORDER BY nspname
        LOOP
            RETURN QUERY EXECUTE 'SELECT tenant, run, host, pid, holder, since, $1 FROM ' || quote_ident(held.nspname)
                || '.meta' USING held.silent;
        END LOOP;
    END $$
    """,
    # shared_rate_limiter.py; moments are unix seconds of the server's clock. A row is replaced twenty times a second:
    # with room left in its page no index is touched. ``slots`` are those that were taken in a minute, ``slots_before``
    # those of the minute before, ``throttles`` the moments at which the service refused a call in the last minute.
    """
    CREATE TABLE IF NOT EXISTS {shared}.rate (
        action text PRIMARY KEY,
        requests_per_second double precision NOT NULL,
        next_slot double precision NOT NULL,
        spacing double precision NOT NULL,
        held_until double precision NOT NULL DEFAULT 0,
        minute bigint NOT NULL DEFAULT 0,
        slots bigint NOT NULL DEFAULT 0,
        slots_before bigint NOT NULL DEFAULT 0,
        throttles double precision[] NOT NULL DEFAULT '{{}}'
    ) WITH (fillfactor = 10)
    """,
    """
    CREATE OR REPLACE FUNCTION {shared}.server_seconds() RETURNS double precision
    LANGUAGE sql VOLATILE AS 'SELECT extract(epoch FROM clock_timestamp())::double precision'
    """,
)
_SHARED_LOCK = 0x6573696D  # of the transaction that makes what all hospitals share
_SHARED_LOCK_SECONDS = 60.0  # that it is waited for: many runs may begin at once in an empty database
_SHARED_LOCK_PAUSE = 0.2  # seconds between two tries to take it


def make_shared_schema(connection: psycopg.Connection) -> None:
    """Create what all hospitals of a database share, unless it is there as this program makes it.

    The comment of the schema holds its version: a run changes nothing in the catalogue, and needs no right to.
    """
    shared = sql.Identifier(SHARED_SCHEMA)
    version = hashlib.sha256("".join(_SHARED).encode()).hexdigest()[:16]
    if _read_shared_version(connection) == version:
        return
    with connection.transaction():
        lock_shared_schema(connection)
        if _read_shared_version(connection) == version:  # another process was first
            return
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(shared))
        for statement in _SHARED:
            connection.execute(sql.SQL(statement).format(shared=shared))
        connection.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(shared, sql.Literal(version)))


def _read_shared_version(connection: psycopg.Connection) -> str | None:
    question = "SELECT obj_description(to_regnamespace(%s), 'pg_namespace')"
    ((version,),) = connection.execute(question, [SHARED_SCHEMA]).fetchall()
    return None if version is None else str(version)


def lock_shared_schema(connection: psycopg.Connection) -> None:
    """Keep other processes from making what all hospitals share, until the end of the transaction.

    It is waited for longer than a statement of some connections may take, and than they wait for a lock.
    """
    monotonic = SystemClock().monotonic
    gives_up_at = monotonic() + _SHARED_LOCK_SECONDS
    while connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SHARED_LOCK]).fetchone() != (True,):
        if monotonic() >= gives_up_at:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_SHARED_LOCK])  # the server's own error
            return
        pause(_SHARED_LOCK_PAUSE)


def create_ledger_tables(connection: psycopg.Connection, name: str) -> None:
    """Create the schema ``name``, that of the connection, with its empty tables; the caller's transaction holds it.

    Text is compared byte by byte, as in SQLite, whatever the collation of the database is.
    """
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    for statement in (*KEPT_TABLES, *MADE_TABLES):
        connection.execute(statement.replace(" TEXT", ' TEXT COLLATE "C"').encode())
    connection.execute(_OF_SERVER.encode())
