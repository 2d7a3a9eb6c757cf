"""The operator's secret, which makes the site keys of a database's ledgers and is the same on every host.

The site key of a new ledger follows from the secret and the tenant. A ledger that was loaded from a file keeps its key for
life: `meta` holds it, encrypted with the key that the secret makes for the tenant. The check of the key in `meta` shows
another secret before anything is written.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import lru_cache
from typing import NamedTuple

import psycopg
from cryptography.fernet import Fernet, InvalidToken
from psycopg import sql

from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.domain.site_key import KEY_BYTES, SiteKey
from pipeline.errors import LedgerError
from pipeline.hosts.connection import has_table
from pipeline.hosts.schema import make_shared_schema
from pipeline.ledger.tables import VERSION

SCRYPT_COST = 2**14  # 16 MB of memory and 50 ms for each try
_SALT = b"esign-import: site keys"  # one for all: the key of a tenant is the same on every host
_LEDGERS = """
    SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relname = 'meta' AND relkind = 'r' AND starts_with(nspname, 'esign_') ORDER BY nspname
"""


class _Meta(NamedTuple):
    tenant: str
    version: int
    key_check: str
    wrapped_key: bytes | None


@lru_cache(maxsize=16)
def _stretch(secret: str) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=_SALT, n=SCRYPT_COST, r=8, p=1, dklen=KEY_BYTES)


def derive_key(secret: str, tenant: str) -> SiteKey:
    """Return the site key that the operator's secret makes for a tenant."""
    return SiteKey(hmac.digest(_stretch(secret), tenant.encode(), "sha256"), tenant)


def wrap_key(site_key: SiteKey, secret: str) -> bytes | None:
    """Return a ledger's own site key as `meta` holds it; None where the secret makes it."""
    derived = derive_key(secret, site_key.tenant)
    return None if derived.secret == site_key.secret else _make_cipher(derived).encrypt(site_key.secret)


def _make_cipher(derived: SiteKey) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derived.secret))


def read_site_key(
    connection: psycopg.Connection, address: ServerAddress, tenant: str, secret: str
) -> SiteKey | None:
    """Return the site key of a tenant's ledger, None where there is none.

    Raises LedgerError for another operator's secret, and for a ledger that is damaged, another tenant's or of another version.
    """
    name = name_schema(tenant)
    if not has_table(connection, f"{name}.meta"):
        return None
    meta = _read_meta(connection, name)
    if meta is None or meta.tenant != tenant:
        raise LedgerError("ledger.server_damaged", server=address.shown)
    if meta.version != VERSION:
        raise LedgerError("ledger.other_version", path=address.shown, version=meta.version, known=VERSION)
    site_key = _open_key(meta, secret)
    if site_key is None:
        raise LedgerError("ledger.server_secret_other", server=address.shown)
    return site_key


def prepare_database(
    connection: psycopg.Connection, address: ServerAddress, secret: str, tenant: str | None = None
) -> None:
    """Make what all hospitals of a database share.

    Raises LedgerError, before it writes, where the secret is not that of the tenant's ledger. Where that is not made yet,
    or no tenant is named, it has to be the secret of a ledger of the database, if there is one.
    """
    if tenant is None or read_site_key(connection, address, tenant, secret) is None:
        names = [name for (name,) in connection.execute(_LEDGERS)]
        ledgers = (_read_meta(connection, name) for name in names)
        if names and not any(meta and _open_key(meta, secret) for meta in ledgers):
            raise LedgerError("ledger.server_secret_other", server=address.shown)
    make_shared_schema(connection)


def _read_meta(connection: psycopg.Connection, name: str) -> _Meta | None:
    question = sql.SQL("SELECT tenant, version, key_check, wrapped_key FROM {}.meta")
    row = connection.execute(question.format(sql.Identifier(name))).fetchone()
    return None if row is None else _Meta(*row)


def _open_key(meta: _Meta, secret: str) -> SiteKey | None:
    """Return the site key of a ledger, None where the secret is another one."""
    site_key = derive_key(secret, meta.tenant)
    if meta.wrapped_key is not None:
        try:
            site_key = SiteKey(_make_cipher(site_key).decrypt(meta.wrapped_key), meta.tenant)
        except InvalidToken:
            return None
    return site_key if hmac.compare_digest(meta.key_check, site_key.check()) else None
