"""The ledger of a tenant in a PostgreSQL database: opened, or created where no earlier one can have been lost.

The database holds the site key, encrypted with the operator's secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from hmac import compare_digest
from pathlib import Path
from secrets import token_bytes
from typing import Concatenate, NamedTuple

import psycopg

from pipeline.clock import SystemClock, pause
from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.domain.site_key import KEY_BYTES, KEY_FORMAT, SiteKey
from pipeline.errors import LedgerError, UsageError
from pipeline.hosts import schema
from pipeline.hosts.connection import (
    PostgresConnection,
    connect_server,
    explain_server_error,
    has_table,
    is_server_away,
    open_connection,
    require_durable_commits,
)
from pipeline.hosts.lease import Lease
from pipeline.hosts.operator_secret import (
    decrypt_key,
    encrypt_key,
    lock_secret_salt,
    read_encrypted_keys,
    require_same_secret,
)
from pipeline.hosts.writer import AWAY_SECONDS, RETRY_SECONDS, PostgresWriter, write_all_receipts
from pipeline.ledger import attempts
from pipeline.ledger import schema as tables
from pipeline.ledger.database_ledger import Arguments, DatabaseLedger, Result
from pipeline.ledger.disk import loaded_path
from pipeline.ledger.ownership import Ownership
from pipeline.ledger.progress import LedgerIdentity, LedgerProgress, NotedLedger, identify_ledger
from pipeline.ledger.protocol import Connection
from pipeline.ledger.registry import holds_ledger

_PROGRESS = "esign_import.progress"  # the table; an earlier version of this program made none
BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresLedger(DatabaseLedger):
    """A ledger on a server; `open_server_ledger` opens it. Connections for reading are used again."""

    def __init__(
        self,
        address: ServerAddress,
        schema: str,
        *,
        site_key: SiteKey,
        writer: PostgresWriter | None = None,
    ) -> None:
        super().__init__(site_key=site_key, writer=writer)
        self._address = address
        self._schema = schema
        self._free_readers: list[psycopg.Connection] = []

    def close(self) -> None:
        """Finish the queued writes and close the connections."""
        super().close()
        while self._free_readers:
            self._free_readers.pop().close()

    def _read(
        self,
        read: Callable[Concatenate[Connection, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Return what ``read`` finds; a run waits for a server that is away as its writer does, and reads again."""
        monotonic, writer = SystemClock().monotonic, self._writer
        gives_up_at = monotonic() + (AWAY_SECONDS if writer is not None and writer.failure is None else 0.0)
        while True:
            try:
                return super()._read(read, *args, **kwargs)
            except LedgerError as error:
                if not is_server_away(error, None) or monotonic() >= gives_up_at:
                    raise
            pause(RETRY_SECONDS)

    @contextmanager
    def _open_reader(self) -> Iterator[PostgresConnection]:
        try:
            reader = self._take_reader()
            try:
                yield PostgresConnection(reader)
            finally:
                self._give_back(reader)
        except psycopg.Error as error:
            raise explain_server_error(self._address, error) from error

    def _take_reader(self) -> psycopg.Connection:
        """Return a connection inside a transaction that sees one moment; one that has ended meanwhile is replaced."""
        while self._free_readers:
            reader = self._free_readers.pop()
            with suppress(psycopg.Error):
                reader.execute(BEGIN_READING)
                return reader
            reader.close()
        reader = open_connection(self._address, purpose="reader", schema=self._schema)
        try:
            reader.execute(BEGIN_READING)
        except psycopg.Error:
            reader.close()
            raise
        return reader

    def _give_back(self, reader: psycopg.Connection) -> None:
        try:
            reader.execute("ROLLBACK")
        except psycopg.Error:
            reader.close()
        else:
            self._free_readers.append(reader)


def open_server_ledger(
    address: ServerAddress,
    tenant: str,
    *,
    now: float,
    secret: str,
    lease: Lease | None = None,
    ownership: Ownership | None = None,
) -> tuple[PostgresLedger, SiteKey]:
    """Return the ledger of a tenant and its site key; both are created where there is none and a new one is allowed.

    With a ``lease`` the ledger is opened for writing; what an earlier process left without a verdict becomes unknown at
    ``now`` (unix seconds). Without one nothing is created or changed. ``secret`` is the operator's secret that protects
    the site key. For ``ownership`` see `pipeline.ledger.open.open_ledger`.

    Raises LedgerError for a server that cannot be used or may lose commits, a wrong secret, and a ledger that is damaged
    or of another version; UsageError for a new ledger that is refused and for one that contradicts the registry.
    """
    name = name_schema(tenant)
    inspected, ownership = lease is not None or ownership is not None, ownership or Ownership()
    with connect_server(address, purpose="opening", schema=name) as connection:
        require_same_secret(connection, address, secret)
        if lease is not None:
            require_durable_commits(connection, address)
        if not has_schema(connection, name):
            if lease is None:
                raise UsageError("never_run", path=address.shown, then=("check",))
            require_no_lost_server_ledger(address, ownership)
            _create_ledger(connection, address, tenant, secret, now)
        schema.require_version(connection, address.shown)
        require_finished_load(connection, address, lease)
        site_key = _read_site_key(connection, address, tenant, secret)
        identity = identify_ledger(PostgresConnection(connection))
        if inspected:
            if ownership.registry is not None and not ownership.allows_new:
                _require_noted_progress(connection, address, name, identity)
            with closing(PostgresLedger(address, name, site_key=site_key)) as ledger:
                ownership.inspect(address.shown, identity, ledger)
        writer = None
        if lease is not None:
            _note_progress(connection, name, tenant, identity, reset=ownership.accept_ledger)
            writer = PostgresWriter(address, name, lease, ownership.register(address.shown, identity))
    if writer is not None:
        try:
            writer.submit(lambda connection: attempts.recover_attempts(connection, now)).result()
        except BaseException:
            writer.close()
            raise
    return PostgresLedger(address, name, site_key=site_key, writer=writer), site_key


def read_server_identity(address: ServerAddress, tenant: str, secret: str) -> LedgerIdentity | None:
    """Return which ledger a tenant has on a server, None where it has none.

    Raises LedgerError for another operator's secret than the database's.
    """
    name = name_schema(tenant)
    with connect_server(address, purpose="opening", schema=name) as connection:
        require_same_secret(connection, address, secret)
        if not has_schema(connection, name):
            return None
        require_finished_load(connection, address)
        return identify_ledger(PostgresConnection(connection))


def list_noted_ledgers(address: ServerAddress) -> list[NotedLedger]:
    """Return how far every ledger of a database has got; none where no run of this version was there yet."""
    with connect_server(address, purpose="progress") as connection:
        if not has_table(connection, _PROGRESS):
            return []
        rows = connection.execute(
            "SELECT tenant, ledger_id, recoveries, receipts, attempts FROM esign_import.progress"
        )
        return [
            NotedLedger(tenant, ledger_id, LedgerProgress(*progress)) for tenant, ledger_id, *progress in rows
        ]


def _require_noted_progress(
    connection: psycopg.Connection, address: ServerAddress, name: str, identity: LedgerIdentity
) -> None:
    """Raise UsageError where the database itself notes more of a ledger than it holds: its schema alone was restored."""
    if not has_table(connection, _PROGRESS):
        return
    row = connection.execute(
        "SELECT recoveries, receipts, attempts FROM esign_import.progress WHERE ledger = %s AND ledger_id = %s",
        [name, identity.ledger_id],
    ).fetchone()
    if row is not None and (missing := identity.count_missing_receipts(LedgerProgress(*row))):
        raise UsageError(
            "ledger.server_registered_newer",
            path=address.shown,
            entry=_PROGRESS,
            n=missing,
            then=("ledger", "recover"),
        )


def _note_progress(
    connection: psycopg.Connection, name: str, tenant: str, identity: LedgerIdentity, *, reset: bool
) -> None:
    """Enter how far a ledger has got that this process is about to write; each commit moves it on (writer.py).

    What was noted before is lowered only with ``reset``, or for another ledger.
    """
    connection.execute(
        "INSERT INTO esign_import.progress AS noted (ledger, tenant, ledger_id, recoveries, receipts, attempts) "
        "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (ledger) DO UPDATE SET ledger_id = excluded.ledger_id, "
        "recoveries = excluded.recoveries, receipts = excluded.receipts, attempts = excluded.attempts "
        "WHERE %s OR noted.ledger_id <> excluded.ledger_id "
        "OR (noted.recoveries, noted.receipts) < (excluded.recoveries, excluded.receipts)",
        [name, tenant, identity.ledger_id, *identity.progress, reset],
    )


class UnfinishedLoad(NamedTuple):
    """Where the file lies of which a ledger is a copy, as long as its rename is not known to be done (load.py)."""

    host: str
    path: str


def read_unfinished_load(connection: psycopg.Connection) -> UnfinishedLoad | None:
    """Return the file that was being loaded into a ledger; None for a ledger that is in use."""
    row = connection.execute("SELECT host, path FROM unfinished_load").fetchone()
    return UnfinishedLoad(*row) if row else None


def require_finished_load(
    connection: psycopg.Connection, address: ServerAddress, lease: Lease | None = None
) -> None:
    """Raise UsageError, naming the file, where a ledger is the copy of a file that is in use.

    With a lease, a load whose file has its new name ends here.
    """
    load = read_unfinished_load(connection)
    if load is None:
        return
    path, ledger_id = Path(load.path), identify_ledger(PostgresConnection(connection)).ledger_id
    if holds_ledger(path, ledger_id):
        raise UsageError("load.file_in_use", server=address.shown, host=load.host, path=path)
    if not holds_ledger(loaded_path(path), ledger_id):
        raise UsageError("load.unfinished", server=address.shown, host=load.host, path=path)
    if lease is not None:
        with connection.transaction():
            connection.execute("DELETE FROM unfinished_load")
            lease.require(connection)


def require_no_lost_server_ledger(address: ServerAddress, ownership: Ownership) -> None:
    """Raise UsageError where a ledger is missing and files show that there was one."""
    if (trace := ownership.get_trace()) is not None:
        raise UsageError("ledger.server_lost", path=address.shown, found=trace, then=("ledger", "recover"))
    ownership.check_registry(address.shown, None)


def has_schema(connection: psycopg.Connection, name: str) -> bool:
    """Return whether a schema holds a ledger."""
    return has_table(connection, f"{name}.meta")


def _create_ledger(
    connection: psycopg.Connection, address: ServerAddress, tenant: str, secret: str, now: float
) -> None:
    """Create the tables of a tenant with a new site key, all or nothing."""
    key, name = token_bytes(KEY_BYTES), name_schema(tenant)
    with connection.transaction():
        schema.create_ledger_tables(connection, name)
        stored = encrypt_key(key, secret, lock_secret_salt(connection, address, secret))
        connection.execute("INSERT INTO site_key (salt, encrypted) VALUES (%s, %s)", stored)
        check = SiteKey(key, tenant).check()
        meta = {"id": 1, "tenant": tenant, "key_check": check, "key_format": KEY_FORMAT, "created": now}
        tables.insert_row(PostgresConnection(connection), "meta", meta)
        write_all_receipts(PostgresConnection(connection))


def _read_site_key(
    connection: psycopg.Connection, address: ServerAddress, tenant: str, secret: str
) -> SiteKey:
    """Return the site key; LedgerError where the secret is another one, or the key is not this ledger's."""
    row = connection.execute("SELECT key_check, tenant FROM meta").fetchone()
    keys = read_encrypted_keys(connection, name_schema(tenant))
    if row is None or not keys:
        raise LedgerError("ledger.server_damaged", server=address.shown)
    site_key = SiteKey(decrypt_key(keys[0], secret), tenant)
    if not compare_digest(row[0], site_key.check()) or row[1] != tenant:
        raise LedgerError("ledger.server_damaged", server=address.shown)
    return site_key
