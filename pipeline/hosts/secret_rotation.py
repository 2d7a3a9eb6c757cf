"""Replaces the operator's secret of a database: the check value first, then the site key of one ledger after another.

From the first transaction on, the former secret is refused on every host, and a run that begins with the new one waits for
the key of its ledger to be encrypted anew. A command that was killed is typed again: it passes over what is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

import psycopg
from psycopg import sql

from pipeline.domain.server_address import ServerAddress
from pipeline.errors import LedgerError, Locked, UsageError
from pipeline.hosts.connection import connect_server, require_durable_commits
from pipeline.hosts.lease import Lease
from pipeline.hosts.operator_secret import (
    SecretCheck,
    decrypt_key,
    encrypt_key,
    list_ledger_schemas,
    lock_secret_salt,
    prepare_database,
    read_encrypted_keys,
    read_secret_check,
)
from pipeline.hosts.schema import lock_shared_schema
from pipeline.support.failpoints import hit_failpoint

PURPOSE = "rotation"
ROTATION = "hosts rotate-secret"  # in place of a run's id, where the holder of the ledger is named


class KeyState(Enum):
    """What became of the site key of a ledger."""

    ENCRYPTED_ANEW = "encrypted_anew"
    DONE_BEFORE = "done_before"  # it was encrypted with the new secret already
    IN_USE = "in_use"  # a run holds the ledger
    OTHER_SECRET = "other_secret"  # noqa: S105 - encrypted with neither of the two


class RotatedKey(NamedTuple):
    """The site key of a ledger after the attempt to encrypt it with the new secret."""

    schema: str
    tenant: str
    state: KeyState
    holder: Locked | None = None  # of a ledger in use


@dataclass(frozen=True, slots=True)
class SecretRotation:
    """The change of a database from a former operator's secret to a new one."""

    address: ServerAddress
    former: str = field(repr=False)
    new: str = field(repr=False)

    def rotate(self, *, now: float) -> Iterator[RotatedKey]:
        """Make the new secret that of the database, then yield what became of each ledger's site key.

        Raises UsageError where both secrets are the same; LedgerError where the database has a third one, and for a server
        that cannot be used.
        """
        if self.former == self.new:
            raise UsageError("rotation.same_secret")
        with connect_server(self.address, purpose=PURPOSE) as connection:
            require_durable_commits(connection, self.address)
            self._replace_check(connection)
            ledgers = [(name, _read_tenant(connection, name)) for name in list_ledger_schemas(connection)]
        for name, tenant in ledgers:
            yield self._rotate_ledger(name, tenant, now)

    def _replace_check(self, connection: psycopg.Connection) -> None:
        """Put the check value of the new secret in place of the former one's, unless an earlier call has."""
        check = read_secret_check(connection)
        if check is None:  # of an earlier version: the former secret must open a ledger
            prepare_database(connection, self.address, self.former)
        made = SecretCheck.make(self.new)
        hit_failpoint("rotation: before the check value")
        with connection.transaction():
            lock_shared_schema(connection)
            check = read_secret_check(connection)
            assert check is not None
            if check.is_of(self.new):
                return
            if not check.is_of(self.former):
                raise LedgerError("rotation.third_secret", server=self.address.shown)
            connection.execute("UPDATE esign_import.operator_secret SET salt = %s, check_value = %s", made)
            hit_failpoint("rotation: before the check value is committed")
        hit_failpoint("rotation: after the check value")

    def _rotate_ledger(self, name: str, tenant: str, now: float) -> RotatedKey:
        """Encrypt the site key of a ledger with the new secret, in one transaction, while no run holds the ledger."""
        try:
            with (
                Lease(self.address, tenant, self.new).acquire(run=ROTATION, now=now) as lease,
                connect_server(self.address, purpose=PURPOSE) as connection,
                connection.transaction(),
            ):
                state = self._encrypt_anew(connection, name)
                lease.require(connection)
                hit_failpoint("rotation: before a key is committed")
        except Locked as error:
            return RotatedKey(name, tenant, KeyState.IN_USE, error)
        hit_failpoint("rotation: after a key")
        return RotatedKey(name, tenant, state)

    def _encrypt_anew(self, connection: psycopg.Connection, name: str) -> KeyState:
        salt = lock_secret_salt(connection, self.address, self.new)
        (stored,) = read_encrypted_keys(connection, name, lock=True)
        try:
            decrypt_key(stored, self.new)
        except LedgerError:
            pass
        else:
            return KeyState.DONE_BEFORE
        try:
            site_key = decrypt_key(stored, self.former)
        except LedgerError:
            return KeyState.OTHER_SECRET
        hit_failpoint("rotation: before a key")
        connection.execute(
            sql.SQL("UPDATE {}.site_key SET salt = %s, encrypted = %s").format(sql.Identifier(name)),
            encrypt_key(site_key, self.new, salt),
        )
        return KeyState.ENCRYPTED_ANEW


def _read_tenant(connection: psycopg.Connection, name: str) -> str:
    """Return the tenant of the ledger in a schema."""
    row = connection.execute(sql.SQL("SELECT tenant FROM {}.meta").format(sql.Identifier(name))).fetchone()
    assert row is not None
    return str(row[0])
