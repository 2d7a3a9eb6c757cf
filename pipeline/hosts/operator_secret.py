"""The operator's secret, which encrypts the site keys of a database's ledgers and is the same on every host.

The schema that all hospitals share holds a check value of it. Another secret is refused before anything is written, also
for a hospital that has no ledger yet. Check value and cipher are the two halves of what scrypt makes of secret and salt: to
try a secret against the check value costs as much as to try it against an encrypted site key, and gives no part of the cipher.
"""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from functools import lru_cache
from hmac import compare_digest
from secrets import token_bytes
from typing import NamedTuple

import psycopg
from cryptography.fernet import Fernet, InvalidToken
from psycopg import sql

from pipeline.domain.server_address import ServerAddress
from pipeline.errors import LedgerError
from pipeline.hosts.connection import SHARED_SCHEMA, has_table
from pipeline.hosts.schema import lock_shared_schema, make_shared_schema

MIN_SECRET_CHARS = 20
_SALT_BYTES = 16
SCRYPT_COST = 2**14  # 16 MB of memory and 50 ms for each try
_KEY_BYTES = 32  # of the cipher, and of the check value
_READ_CHECK = "SELECT salt, check_value FROM esign_import.operator_secret"
_LEDGERS = """
    SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relname = 'site_key' AND relkind = 'r' AND starts_with(nspname, 'esign_') ORDER BY nspname
"""


class EncryptedKey(NamedTuple):
    """A site key as the database holds it."""

    salt: bytes
    encrypted: bytes


class SecretCheck(NamedTuple):
    """What a database keeps to know the operator's secret again."""

    salt: bytes
    value: bytes

    @classmethod
    def make(cls, secret: str) -> SecretCheck:
        """Return the check value of a secret, with a new salt; LedgerError for one that is too short to protect anything."""
        if len(secret) < MIN_SECRET_CHARS:
            raise LedgerError("ledger.server_secret_short", needed=MIN_SECRET_CHARS)
        salt = token_bytes(_SALT_BYTES)
        return cls(salt, _derive(secret, salt).check_value)

    def is_of(self, secret: str) -> bool:
        """Return whether this is the check value of a secret."""
        return compare_digest(self.value, _derive(secret, self.salt).check_value)


class _Derived(NamedTuple):
    cipher_key: bytes
    check_value: bytes


@lru_cache(maxsize=16)
def _derive(secret: str, salt: bytes) -> _Derived:
    """Return what a secret and a salt give. The ledgers of a database have one salt as a rule."""
    derived = hashlib.scrypt(secret.encode(), salt=salt, n=SCRYPT_COST, r=8, p=1, dklen=2 * _KEY_BYTES)
    return _Derived(derived[:_KEY_BYTES], derived[_KEY_BYTES:])


def encrypt_key(site_key: bytes, secret: str, salt: bytes) -> EncryptedKey:
    """Encrypt a site key with the operator's secret and the salt of the database's check value."""
    return EncryptedKey(salt, _make_cipher(secret, salt).encrypt(site_key))


def decrypt_key(stored: EncryptedKey, secret: str) -> bytes:
    """Return the site key; LedgerError where the secret is not the one it was encrypted with."""
    try:
        return _make_cipher(secret, stored.salt).decrypt(stored.encrypted)
    except InvalidToken as error:
        raise LedgerError("ledger.server_key_of_other_secret") from error


def _make_cipher(secret: str, salt: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_derive(secret, salt).cipher_key))


# -- the check value of a database


def read_secret_check(connection: psycopg.Connection, *, lock: bool = False) -> SecretCheck | None:
    """Return the check value of a database, None where no secret has been used yet; ``lock``: until the transaction's end."""
    if not has_table(connection, f"{SHARED_SCHEMA}.operator_secret"):
        return None
    row = connection.execute(f"{_READ_CHECK} FOR SHARE" if lock else _READ_CHECK).fetchone()
    return SecretCheck(*row) if row is not None else None


def require_same_secret(connection: psycopg.Connection, address: ServerAddress, secret: str) -> None:
    """Raise LedgerError for another secret than the database's. Reads only."""
    check = read_secret_check(connection)
    if check is not None and not check.is_of(secret):
        raise LedgerError("ledger.server_secret_other", server=address.shown)


def lock_secret_salt(connection: psycopg.Connection, address: ServerAddress, secret: str) -> bytes:
    """Return the salt of the database, and keep its secret from being replaced until the end of the transaction.

    Raises LedgerError where it has been replaced.
    """
    check = read_secret_check(connection, lock=True)
    if check is None or not check.is_of(secret):
        raise LedgerError("ledger.server_secret_other", server=address.shown)
    return check.salt


def prepare_database(connection: psycopg.Connection, address: ServerAddress, secret: str) -> None:
    """Make what all hospitals of a database share, and enter the check value of the first secret that is used.

    Raises LedgerError, before anything is written, for another secret than the database's. A database that has ledgers of an
    earlier version, and no check value, takes a secret that decrypts the site key of one of them.
    """
    check = read_secret_check(connection)
    if check is None:
        _require_secret_of_a_ledger(connection, address, secret)
    elif not check.is_of(secret):
        raise LedgerError("ledger.server_secret_other", server=address.shown)
    make_shared_schema(connection)
    if check is None:
        _enter_secret(connection, address, secret)


def _enter_secret(connection: psycopg.Connection, address: ServerAddress, secret: str) -> None:
    """Enter the check value of a secret; LedgerError where another process has just entered that of another one."""
    made = SecretCheck.make(secret)
    with connection.transaction():
        lock_shared_schema(connection)
        check = read_secret_check(connection)
        if check is None:
            connection.execute(
                "INSERT INTO esign_import.operator_secret (id, salt, check_value) VALUES (1, %s, %s)", made
            )
        elif not check.is_of(secret):
            raise LedgerError("ledger.server_secret_other", server=address.shown)


def _require_secret_of_a_ledger(connection: psycopg.Connection, address: ServerAddress, secret: str) -> None:
    """Raise LedgerError for a database whose ledgers cannot be opened with a secret, not one of them."""
    schemas = list_ledger_schemas(connection)
    for name in schemas:
        with suppress(LedgerError):
            for stored in read_encrypted_keys(connection, name):
                decrypt_key(stored, secret)
                return
    if schemas:
        raise LedgerError("ledger.server_secret_other", server=address.shown)


def list_ledger_schemas(connection: psycopg.Connection) -> list[str]:
    """Return the schemas of a database that hold a ledger."""
    return [name for (name,) in connection.execute(_LEDGERS)]


def read_encrypted_keys(
    connection: psycopg.Connection, schema: str, *, lock: bool = False
) -> list[EncryptedKey]:
    """Return the site key of a ledger, which is one row; ``lock``: until the end of the transaction."""
    statement = sql.SQL("SELECT salt, encrypted FROM {}.site_key {}").format(
        sql.Identifier(schema), sql.SQL("FOR UPDATE" if lock else "")
    )
    return [EncryptedKey(*row) for row in connection.execute(statement)]
