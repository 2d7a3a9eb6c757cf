"""Opens the ledger of a tenant on a server, or creates one where no earlier ledger can have been lost."""

from __future__ import annotations

from contextlib import closing
from hmac import compare_digest
from secrets import token_bytes

import psycopg

from pipeline.errors import LedgerError, UsageError
from pipeline.ledger import attempts
from pipeline.ledger import schema as tables
from pipeline.ledger.postgres import schema
from pipeline.ledger.postgres.address import ServerAddress, name_schema
from pipeline.ledger.postgres.connection import (
    SHARED_SCHEMA,
    PostgresConnection,
    explain_server_error,
    open_connection,
    require_durable_commits,
    use_schemas,
)
from pipeline.ledger.postgres.lease import Lease
from pipeline.ledger.postgres.ledger import PostgresLedger
from pipeline.ledger.postgres.move_state import require_in_use
from pipeline.ledger.postgres.receipt_rows import write_all_receipts
from pipeline.ledger.postgres.site_key import EncryptedKey, decrypt_key, encrypt_key
from pipeline.ledger.postgres.writer import PostgresWriter
from pipeline.ledger.registry import LedgerIdentity, Ownership, identify_ledger
from pipeline.ledger.tenant import KEY_BYTES, KEY_FORMAT, SiteKey


def open_server_ledger(
    address: ServerAddress,
    tenant: str,
    *,
    now: float,
    secret: str,
    evidence: str | None = None,
    force_new: bool = False,
    lease: Lease | None = None,
    ownership: Ownership | None = None,
) -> tuple[PostgresLedger, SiteKey]:
    """Return the ledger of a tenant and its site key; both are created where there is none and a new one is allowed.

    With a ``lease`` the ledger is opened for writing; what an earlier process left without a verdict becomes unknown at
    ``now`` (unix seconds). Without one nothing is created or changed. ``secret`` is the operator's secret that protects
    the site key. For ``evidence``, ``force_new`` and ``ownership`` see `pipeline.ledger.open.open_ledger`.

    Raises LedgerError for a server that cannot be used or may lose commits, a wrong secret, and a ledger that is too new
    or damaged; UsageError for a new ledger that is refused and for one that contradicts the registry.
    """
    name = name_schema(tenant)
    inspected, ownership = lease is not None or ownership is not None, ownership or Ownership()
    try:
        with closing(open_connection(address, purpose="opening")) as connection:
            if lease is not None:
                require_durable_commits(connection, address)
            require_in_use(connection, address, name, lease=lease, now=now)
            if not has_schema(connection, name):
                if lease is None:
                    raise UsageError("never_run", path=address.shown, then=("check",))
                require_no_lost_server_ledger(address, evidence, ownership, force_new=force_new)
                _create_ledger(connection, name, tenant, secret, now)
            use_schemas(connection, name, SHARED_SCHEMA)
            schema.read_version(connection)
            site_key = _read_site_key(connection, address, tenant, secret)
            if inspected:
                ownership.check_server(address.shown, identify_ledger(PostgresConnection(connection)))
                if ownership.approve is not None:
                    with closing(PostgresLedger(address, name, digest=site_key.digest)) as ledger:
                        ownership.approve(ledger)
            writer = None
            if lease is not None:
                schema.migrate(connection)
                identity = identify_ledger(PostgresConnection(connection))
                writer = PostgresWriter(address, name, lease, ownership.register(address.shown, identity))
    except psycopg.Error as error:
        raise explain_server_error(address, error) from error
    if writer is not None:
        try:
            writer.submit(lambda connection: attempts.recover_attempts(connection, now)).result()
        except BaseException:
            writer.close()
            raise
    return PostgresLedger(address, name, digest=site_key.digest, writer=writer), site_key


def find_server_identity(address: ServerAddress, tenant: str) -> LedgerIdentity | None:
    """Return which ledger a tenant has on a server, None where it has none."""
    name = name_schema(tenant)
    try:
        with closing(open_connection(address, purpose="opening")) as connection:
            require_in_use(connection, address, name)
            if not has_schema(connection, name):
                return None
            use_schemas(connection, name, SHARED_SCHEMA)
            return identify_ledger(PostgresConnection(connection))
    except psycopg.Error as error:
        raise explain_server_error(address, error) from error


def require_no_lost_server_ledger(
    address: ServerAddress, evidence: str | None, ownership: Ownership, *, force_new: bool = False
) -> None:
    """Raise UsageError where a ledger is missing and files show that there was one."""
    if evidence is not None and not force_new:
        raise UsageError("ledger.server_lost", path=address.shown, found=evidence)
    ownership.check_server(address.shown, None)


def has_schema(connection: psycopg.Connection, name: str) -> bool:
    """Return whether a schema holds a ledger."""
    row = connection.execute("SELECT to_regclass(%s)", [f"{name}.meta"]).fetchone()
    return row is not None and row[0] is not None


def _create_ledger(connection: psycopg.Connection, name: str, tenant: str, secret: str, now: float) -> None:
    """Create the tables of a tenant with a new site key, all or nothing."""
    key = token_bytes(KEY_BYTES)
    stored = encrypt_key(key, secret)
    schema.make_shared_schema(connection)
    with connection.transaction():
        schema.create_ledger_tables(connection, name)
        connection.execute("INSERT INTO site_key (salt, encrypted) VALUES (%s, %s)", stored)
        check = SiteKey(key, tenant).check()
        meta = {"id": 1, "tenant": tenant, "key_check": check, "key_format": KEY_FORMAT, "created": now}
        tables.insert_row(PostgresConnection(connection), "meta", meta)
        write_all_receipts(PostgresConnection(connection))


def _read_site_key(
    connection: psycopg.Connection, address: ServerAddress, tenant: str, secret: str
) -> SiteKey:
    """Return the site key; LedgerError where the secret is another one, or the key is not this ledger's."""
    row = connection.execute("SELECT salt, encrypted, key_check, tenant FROM site_key, meta").fetchone()
    if row is None:
        raise LedgerError("ledger.server_damaged", server=address.shown)
    site_key = SiteKey(decrypt_key(EncryptedKey(row[0], row[1]), secret), tenant)
    if not compare_digest(row[2], site_key.check()) or row[3] != tenant:
        raise LedgerError("ledger.server_damaged", server=address.shown)
    return site_key
