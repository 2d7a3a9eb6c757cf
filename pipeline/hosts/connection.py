"""Connections to the PostgreSQL server, and the adapter by which the ledger's statements run on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from secrets import token_hex
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict

from pipeline.clock import SystemClock
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import LedgerError, UsageError
from pipeline.messages.catalogue import make_message
from pipeline.version import PROGRAM

OLDEST_SERVER = 140000  # idle_session_timeout
SHARED_SCHEMA = "esign_import"  # of what all hospitals of a database have in common
CONNECT_SECONDS = 10
PATIENCE_SECONDS = 300.0  # that one statement may take
_MARGIN_SECONDS = 10.0  # that an answer may come later than the server's own limit
LOCK_SECONDS = 30.0  # that a statement waits for a lock at most; always less than it may take
# A connection whose other end is gone is given up within a minute, on both sides.
_OPTIONS: Any = {
    "keepalives_idle": 15,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 45_000,
    "client_encoding": "utf8",  # whatever PGCLIENTENCODING is
}
# What a role, a database or the address may have set otherwise does not count.
_SESSION = (
    "SET statement_timeout = {patience}; SET lock_timeout = {lock}; "
    "SET idle_in_transaction_session_timeout = {idle_in_transaction}; SET idle_session_timeout = {idle}; "
    "SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3; "
    "SET tcp_user_timeout = 45000; SET client_min_messages = warning; SET extra_float_digits = 1; "
    "SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off; "
    "SET search_path = {schemas}; SELECT pg_backend_pid()"
)
# With any other a commit may be lost when a standby takes over, or when the power fails.
_DURABLE_COMMITS = ("on", "remote_apply")

# Beginnings of SQLSTATE that say nothing against the statement: connection, a session that idled in its transaction, a
# server that has become a standby, deadlock, too little memory or disk, a lock that is held, intervention of the operator.
_AWAY = ("08", "25P03", "25006", "40", "53", "55P03", "57")
Answer = TypeVar("Answer")


class _ServerSilent(psycopg.OperationalError):
    """The server sent nothing for longer than a statement may take."""


class _Connection(psycopg.Connection[Any]):
    """A connection that is closed once the server has been silent for too long.

    A proxy or a stopped server may hold a connection open for ever without answering; libpq would wait as long.
    """

    silent_seconds = PATIENCE_SECONDS + _MARGIN_SECONDS

    def wait(self, gen: PQGen[Answer], *args: Any, **kwargs: Any) -> Answer:
        try:
            return super().wait(_limit_silence(gen, self.silent_seconds), *args, **kwargs)
        except _ServerSilent:
            self.close()
            raise


def _limit_silence(gen: PQGen[Answer], seconds: float) -> PQGen[Answer]:
    """Yield what psycopg waits for; raise once nothing has happened for so long."""
    monotonic = SystemClock().monotonic
    since = monotonic()
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                since = monotonic()
            elif monotonic() - since > seconds:
                gen.close()
                raise _ServerSilent(f"no answer for {seconds:.0f} s")
            wanted = gen.send(ready)
    except StopIteration as end:
        answer: Answer = end.value
        return answer


class PostgresConnection:
    """A psycopg connection in autocommit mode as the ledger's statements use one (pipeline/ledger/tables.py)."""

    def __init__(self, raw: psycopg.Connection) -> None:
        self.raw = raw

    def execute(self, statement: str, values: Any = (), /) -> psycopg.Cursor:
        """Run a statement of the ledger; its values stand in the order of their placeholders."""
        return self.raw.execute(_replace_placeholders(statement), [replace_nul(value) for value in values])

    def executemany(self, statement: str, rows: Iterable[Any], /) -> None:
        """Run a statement of the ledger once for each row of values, without waiting for each."""
        with self.raw.cursor() as cursor:
            values = ([replace_nul(value) for value in row] for row in rows)
            cursor.executemany(_replace_placeholders(statement), values)


@cache
def _replace_placeholders(statement: str) -> bytes:
    return statement.replace("?", "%s").encode()


def replace_nul(value: Any) -> Any:
    """Return a value as PostgreSQL can hold it: its text has no NUL, which an answer of the service may contain."""
    return value.replace("\0", "\N{SYMBOL FOR NULL}") if isinstance(value, str) and "\0" in value else value


def require_known_options(address: ServerAddress) -> None:
    """Raise UsageError for an address that libpq does not understand, such as one with a misspelt option."""
    try:
        conninfo_to_dict(address.url)
    except psycopg.Error as error:
        # its words may quote the whole address
        why = "" if address.holds_password else f" ({str(error).strip()})"
        raise UsageError("server.bad_address", server=address.shown, why=why) from error


def open_connection(
    address: ServerAddress,
    *,
    purpose: str,
    schema: str | None = None,
    patience: float = PATIENCE_SECONDS,
    idle_seconds: float | None = None,
) -> psycopg.Connection:
    """Connect to the server in autocommit mode; ``purpose`` is shown in ``pg_stat_activity``.

    The names of tables and functions mean those of ``schema``, that of a ledger, and of what all hospitals share. A
    statement that takes longer than ``patience`` seconds is given up, by the server or, where that is silent, here. The
    server ends the connection once it is idle for ``idle_seconds``.
    Raises LedgerError where the server cannot be reached, refuses the user or is too old; UsageError where a pooler
    gives the transactions of a connection to several ones of the server, before it has passed on one that writes.
    """
    try:
        connection = _Connection.connect(
            address.url,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            application_name=f"{PROGRAM} {purpose}",
            password=address.password,
            **_OPTIONS,
        )
    except psycopg.Error as error:
        raise explain_server_error(address, error) from error
    connection.silent_seconds = patience + _MARGIN_SECONDS
    session = _SESSION.format(
        patience=int(patience * 1000),
        lock=int(min(LOCK_SECONDS, 0.8 * patience) * 1000),
        idle_in_transaction=int((idle_seconds or patience / 5) * 1000),
        idle=int((idle_seconds or 0) * 1000),
        schemas=", ".join(filter(None, (schema, SHARED_SCHEMA))),
    )
    try:
        if connection.info.server_version < OLDEST_SERVER:
            needed = OLDEST_SERVER // 10_000
            raise LedgerError("ledger.server_old", server=address.shown, needed=needed)
        _require_own_session(connection, address)
        cursor = connection.execute(session.encode())
        while cursor.nextset():
            pass
    except psycopg.Error as error:
        connection.close()
        raise explain_server_error(address, error) from error
    except (LedgerError, UsageError):
        connection.close()
        raise
    return connection


def _require_own_session(connection: psycopg.Connection, address: ServerAddress) -> None:
    """Raise UsageError where a pooler gives the transactions of a connection to several sessions of the server.

    Advisory locks, settings and the end of a connection then belong to sessions that serve other clients too. A pooler
    shows its clients a process number of its own, or that of the first session that they got. One that gives each
    client a session is used: what is set in the session is seen there alone.
    """
    number = connection.info.backend_pid
    numbers = {connection.execute("SELECT pg_backend_pid()").fetchall()[0][0] for _ in range(2)}
    if numbers == {number}:
        return
    sign = token_hex(16)
    connection.execute("SELECT set_config('esign_import.session', %s, false)", [sign])
    with (
        _Connection.connect(
            address.url,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            application_name=f"{PROGRAM} pooler",
            password=address.password,
            **_OPTIONS,
        ) as other,
        other.transaction(),  # it keeps the session that a pooler of transactions has given it
    ):
        seen = [
            one.execute("SELECT current_setting('esign_import.session', true)").fetchone()
            for one in (other, connection)
        ]
    if len(numbers) > 1 or seen[0] == (sign,) or seen[1] != (sign,):
        raise UsageError("server.pooler", server=address.shown)


@contextmanager
def connect_server(
    address: ServerAddress, *, purpose: str, schema: str | None = None, patience: float = PATIENCE_SECONDS
) -> Iterator[psycopg.Connection]:
    """Connect while the block runs; what the server refuses in it raises LedgerError. See `open_connection`."""
    try:
        with closing(
            open_connection(address, purpose=purpose, schema=schema, patience=patience)
        ) as connection:
            yield connection
    except psycopg.Error as error:
        raise explain_server_error(address, error) from error


def has_table(connection: psycopg.Connection, name: str) -> bool:
    """Return whether a table is there; ``name`` includes its schema."""
    return connection.execute("SELECT to_regclass(%s) IS NOT NULL", [name]).fetchone() == (True,)


def require_durable_commits(connection: psycopg.Connection, address: ServerAddress) -> None:
    """Raise LedgerError for a server on which a commit may be lost, or that is a read-only standby."""
    row = connection.execute(
        "SELECT current_setting('synchronous_commit'), current_setting('fsync'), "
        "current_setting('full_page_writes'), pg_is_in_recovery(), current_setting('server_encoding')"
    ).fetchone()
    assert row is not None
    if row[0] not in _DURABLE_COMMITS:
        raise LedgerError("ledger.server_commits", server=address.shown, value=row[0])
    for setting, value in zip(("fsync", "full_page_writes"), row[1:], strict=False):
        if value == "off":
            raise LedgerError("ledger.server_unsafe", server=address.shown, setting=setting)
    if row[3]:
        raise LedgerError("ledger.server_standby", server=address.shown)
    if row[4] != "UTF8":
        raise LedgerError("ledger.server_encoding", server=address.shown, encoding=row[4])


def is_server_away(error: BaseException, connection: psycopg.Connection | None) -> bool:
    """Return whether an error means that the connection or the server is gone, not that something is wrong with it."""
    if connection is not None and (connection.closed or connection.broken):
        return True
    if isinstance(error, LedgerError):
        return error.__cause__ is not None and is_server_away(error.__cause__, None)
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:  # no answer from any server
        return True
    return isinstance(error, psycopg.Error) and (error.sqlstate or "").startswith(_AWAY)


def explain_server_error(address: ServerAddress, error: psycopg.Error) -> LedgerError:
    """Return the error for what the server or the way to it refused; it names the server without its password."""
    words = str(error).strip().partition("\n")[0]
    why = make_message("database.server", code=error.sqlstate or type(error).__name__, words=words)
    explained = LedgerError("ledger.server_failed", server=address.shown, why=why)
    explained.__cause__ = error
    return explained
