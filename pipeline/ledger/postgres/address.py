"""Where a ledger on a server is: the address of the database, and the tenant's schema in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

SCHEMES = ("postgresql", "postgres")
NAME_CHARS = 16  # hexadecimal digits of a tenant's digest in the name of its schema


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """The address of a PostgreSQL database; the password comes from a secret file, or from libpq's own places."""

    url: str
    password: str | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """The address without a password."""
        return hide_password(self.url)


def is_server_url(text: str) -> bool:
    """Return whether the key `ledger` names a server."""
    return urlsplit(text).scheme in SCHEMES


def hide_password(url: str) -> str:
    """Return an address with its password replaced by stars."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@", 1)))


def name_schema(tenant: str) -> str:
    """Return the schema that holds a tenant's ledger."""
    environment = tenant.partition("/")[0]
    return f"esign_{environment}_{hashlib.sha256(tenant.encode()).hexdigest()[:NAME_CHARS]}"
