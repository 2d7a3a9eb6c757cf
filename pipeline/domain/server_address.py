"""Addresses: of this machine, and of ledgers on a PostgreSQL server with a tenant's schema. Reading them needs no driver."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass, field
from typing import Self

HASH_CHARS = 16  # hexadecimal, in a schema's name
# As libpq reads it. A password with a bare @, / or ? would end elsewhere than its writer thinks: it must be escaped.
_URL = re.compile(
    r"(?P<scheme>postgres(?:ql)?://)(?:(?P<user>[^\s@/?:]*)(?::(?P<password>[^\s@/?]*))?@)?"
    r"(?P<hosts>[^\s@/?]*)(?:/(?P<database>[^\s@/?]*))?(?:\?(?P<options>[a-z_]+=[^\s&]*(?:&[a-z_]+=[^\s&]*)*))?"
)
_HALF_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
_DATABASE_OPTIONS = re.compile(r"(?:^|&)(?:dbname|service)=[^&]")
_PASSWORD_OPTIONS = re.compile(r"((?:^|&)(?:ssl)?password=)[^&]+")
_HAS_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE | re.ASCII)
HIDDEN = "***"


def is_loopback(host: str) -> bool:
    """Return whether a host name or address can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_address(text: object) -> bool:
    """Return whether a text is the address of a server, sound or not, and no path."""
    return isinstance(text, str) and _HAS_SCHEME.match(text) is not None


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """The address of a PostgreSQL database; printed, it shows no password."""

    url: str = field(repr=False)
    password: str | None = field(default=None, repr=False)  # of a secret file; it outranks one in the URL

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the address of a URL, None where it is none of PostgreSQL's or names no database."""
        parts = None if _HALF_ESCAPE.search(text) else _URL.fullmatch(text)
        if parts is None or not (parts["database"] or _DATABASE_OPTIONS.search(parts["options"] or "")):
            return None
        return cls(text)

    @property
    def holds_password(self) -> bool:
        """Whether a password stands in the URL itself."""
        parts = _URL.fullmatch(self.url)
        return parts is None or bool(parts["password"] or _PASSWORD_OPTIONS.search(parts["options"] or ""))

    @property
    def url_without_password(self) -> str:
        """The URL as it may be typed: libpq asks for the password, or finds it elsewhere."""
        return self._replace_passwords("")

    @property
    def shown(self) -> str:
        """The URL with stars in place of passwords."""
        return self._replace_passwords(HIDDEN)

    def __str__(self) -> str:
        return self.shown

    def _replace_passwords(self, sign: str) -> str:
        parts = _URL.fullmatch(self.url)
        if parts is None:
            return HIDDEN
        password = f":{sign}" if parts["password"] and sign else ""
        user = f"{parts['user']}{password}@" if parts["user"] is not None else ""
        database = f"/{parts['database']}" if parts["database"] is not None else ""
        options = _PASSWORD_OPTIONS.sub(rf"\1{sign}", parts["options"] or "")
        return f"{parts['scheme']}{user}{parts['hosts']}{database}{options and '?' + options}"


def name_schema(tenant: str) -> str:
    """Return the schema that holds a tenant's ledger: ``esign_production_0123456789abcdef``."""
    environment = tenant.partition("/")[0]
    return f"esign_{environment}_{hashlib.sha256(tenant.encode()).hexdigest()[:HASH_CHARS]}"
