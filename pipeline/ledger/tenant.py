"""The tenant of a ledger (environment, application, organisation), and the site key with which digests are made.

There are about 6 * 10^10 possible identity numbers: a bare hash of one is reversed in seconds, a keyed one is not.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from pipeline.errors import UsageError
from pipeline.ledger.protocol import Connection
from pipeline.messages.catalogue import make_message

TEST_HOSTS = ".test.ess.tencent.cn"
PRODUCTION_HOSTS = ".tencentcloudapi.com"


def make_tenant_id(endpoint: str, app_id: str, organization_open_id: str) -> str:
    """Return the tenant as ``production/AppId/ProxyOrganizationOpenId``.

    The environment is ``production``, ``test`` or, for any loopback address and port, ``sandbox``. Raises UsageError
    for any other host.
    """
    return "/".join(
        [get_service_environment(endpoint), quote(app_id, safe=""), quote(organization_open_id, safe="")]
    )


def get_service_environment(endpoint: str) -> str:
    """Return ``production``, ``test`` or ``sandbox`` for the service's address."""
    host = urlsplit(endpoint).hostname or ""
    if is_loopback(host):
        return "sandbox"
    if host.endswith(TEST_HOSTS):
        return "test"
    if host.endswith(PRODUCTION_HOSTS):
        return "production"
    raise UsageError("ledger.strange_endpoint", endpoint=endpoint)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# What belongs to one tenant: the keys of persons are made with its name. Runs and the rows they read may stay.
OWNED_TABLES = ("person", "attempt", "seal", "seal_name", "decision")


def read_tenant(connection: Connection) -> str:
    """Return the tenant to which a ledger belongs."""
    tenant: str = connection.execute("SELECT tenant FROM meta").fetchone()[0]
    return tenant


def is_empty(connection: Connection) -> bool:
    """Return whether a ledger holds no person, attempt, seal or decision."""
    return not any(
        connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0]  # noqa: S608 - our own words
        for table in OWNED_TABLES
    )


def require_tenant(path: Path, connection: Connection, tenant: str) -> None:
    """Raise UsageError for a ledger that belongs to another tenant and is not empty."""
    owner = read_tenant(connection)
    if owner != tenant and not is_empty(connection):
        raise _other_tenant(path, owner, tenant)


def change_tenant(connection: Connection, tenant: str) -> bool:
    """Pass an empty ledger on to a tenant, and return whether it did; one that is not empty stays as it is.

    Who bore which picture is forgotten: the keys of people are made with the tenant's name.
    """
    if read_tenant(connection) == tenant or not is_empty(connection):
        return False
    connection.execute("UPDATE meta SET tenant = ?", (tenant,))
    connection.execute("DELETE FROM bearer")
    return True


def _other_tenant(path: Path, owner: str, tenant: str) -> UsageError:
    """Return the error for another tenant's ledger: another environment, one id that differs, or another organisation."""
    theirs, ours = owner.split("/"), tenant.split("/")
    if theirs[0] != ours[0]:
        return UsageError(
            "ledger.other_environment",
            path=path,
            owner=make_message(f"environment.{theirs[0]}"),
            environment=make_message(f"environment.{ours[0]}"),
            suggested=f"state/{ours[0]}.sqlite3",
        )
    differing = [
        (key, unquote(owned), unquote(configured))
        for key, owned, configured in zip(
            ("api.app_id", "api.organization_open_id"), theirs[1:], ours[1:], strict=True
        )
        if owned != configured
    ]
    if len(differing) > 1:
        return UsageError("ledger.other_tenant", path=path, owner=owner, tenant=tenant)
    ((key, owned, configured),) = differing
    return UsageError(
        "ledger.other_id", path=path, key=key, owned=owned, configured=configured, then=("config", "validate")
    )


KEY_BYTES = 32
KEY_FORMAT = 1  # how the digests below are made; a ledger keeps the number it was begun with
DIGEST_CHARS = 32  # hexadecimal: 128 bits


@dataclass(frozen=True, slots=True)
class SiteKey:
    """Makes every digest that stands in the ledger in place of something personal. All are 32 hex digits."""

    secret: bytes = field(repr=False)
    tenant: str

    def person(self, lifetime_number: str) -> str:
        """Return the key of a person within the tenant."""
        return self._digest("person", self.tenant, lifetime_number)

    def row(self, parts: Sequence[str], nth: int) -> str:
        """Return the id of a row: its mapped cells as written, and its number among equal rows of a run."""
        return self._digest("row", str(nth), *parts)

    def digest(self, text: str) -> str:
        """Return what stands for a whole number, a mobile or a path."""
        return self._digest("text", text)

    def judgement(self, key: str, name: str, seal_name: str, picture: str) -> str:
        """Return what a review's judgement belongs to: person, name, seal name and the picture's sha256."""
        return self._digest("judgement", key, name, seal_name, picture)

    def reviews(self) -> str:
        """Return the mark by which a file of judgements is known as this tenant's."""
        return self._digest("reviews", self.tenant)

    def check(self) -> str:
        """Return what a ledger keeps to know its key again."""
        return self._digest("check")

    def _digest(self, purpose: str, *parts: str) -> str:
        """Digest the parts so that neither a purpose nor a boundary between parts can be mistaken for another."""
        framed = _FRAMED[purpose]
        for part in parts:
            raw = part.encode("utf-8", "surrogatepass")
            framed += _FRAMES[len(raw)] + raw if len(raw) < len(_FRAMES) else _frame(raw)
        return hmac.digest(self.secret, framed, "sha256").hex()[:DIGEST_CHARS]


def _frame(raw: bytes) -> bytes:
    return len(raw).to_bytes(8, "big") + raw


# made once: a run digests some texts of every row
_FRAMES = tuple(length.to_bytes(8, "big") for length in range(256))
_FRAMED = {
    purpose: _frame(purpose.encode())
    for purpose in ("person", "row", "text", "judgement", "reviews", "check")
}
