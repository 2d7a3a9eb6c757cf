"""The site key of a ledger on a server: encrypted in the database with the operator's secret."""

from __future__ import annotations

import base64
import hashlib
from secrets import token_bytes
from typing import NamedTuple

from cryptography.fernet import Fernet, InvalidToken

from pipeline.errors import LedgerError

MIN_SECRET_CHARS = 20
_SALT_BYTES = 16


class EncryptedKey(NamedTuple):
    """A site key as it stands in the database."""

    salt: bytes
    encrypted: bytes


def encrypt_key(site_key: bytes, secret: str) -> EncryptedKey:
    """Encrypt a site key with the operator's secret; LedgerError for a secret that is too short to protect it."""
    if len(secret) < MIN_SECRET_CHARS:
        raise LedgerError("ledger.server_secret_short", needed=MIN_SECRET_CHARS)
    salt = token_bytes(_SALT_BYTES)
    return EncryptedKey(salt, _make_cipher(secret, salt).encrypt(site_key))


def decrypt_key(stored: EncryptedKey, secret: str) -> bytes:
    """Return the site key; LedgerError where the secret is not the one it was encrypted with."""
    try:
        return _make_cipher(secret, stored.salt).decrypt(stored.encrypted)
    except InvalidToken as error:
        raise LedgerError("ledger.server_secret_wrong") from error


def _make_cipher(secret: str, salt: bytes) -> Fernet:
    derived = hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)
    return Fernet(base64.urlsafe_b64encode(derived))
