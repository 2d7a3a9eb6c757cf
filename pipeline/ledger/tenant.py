"""The tenant of a ledger: environment, application or product, organisation."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from pipeline.domain.server_address import is_loopback
from pipeline.errors import UsageError
from pipeline.ledger.tables import Connection
from pipeline.messages.catalogue import make_message

TEST_HOSTS = ".test.ess.tencent.cn"
PRODUCTION_HOSTS = ".tencentcloudapi.com"
PRODUCT_PREFIX = "product="  # `quote` leaves no = in an id


def make_tenant_id(endpoint: str, *ids: str, product: str | None = None) -> str:
    """Return the tenant as ``production/AppId/ProxyOrganizationOpenId``, or as ``production/product=ess/organization``.

    A ``product`` is named where an id of its hospitals could be that of another product's. No AppId begins like that.
    The environment is ``production``, ``test`` or, for any loopback address and port, ``sandbox``. Raises UsageError
    for any other host.
    """
    of_product = [f"{PRODUCT_PREFIX}{product}"] if product else []
    return "/".join([get_service_environment(endpoint), *of_product, *(quote(part, safe="") for part in ids)])


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


_OWNED_TABLES = ("person", "attempt", "decision")


def read_tenant(connection: Connection) -> str:
    """Return the tenant to which a ledger belongs."""
    tenant: str = connection.execute("SELECT tenant FROM meta").fetchone()[0]
    return tenant


def is_empty(connection: Connection) -> bool:
    """Return whether a ledger holds no person, attempt or decision."""
    return not any(
        connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0]  # noqa: S608 - our own words
        for table in _OWNED_TABLES
    )


def require_tenant(path: Path, connection: Connection, tenant: str) -> None:
    """Raise UsageError for a ledger that belongs to another tenant and is not empty."""
    owner = read_tenant(connection)
    if owner != tenant and not is_empty(connection):
        raise _other_tenant(path, owner, tenant)


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
    is_of_product = ours[1].startswith(PRODUCT_PREFIX)
    if theirs[1].startswith(PRODUCT_PREFIX) != is_of_product:
        return UsageError("ledger.other_product", path=path, owner=owner, tenant=tenant)
    keys = (
        ("api.product", "api.organization") if is_of_product else ("api.app_id", "api.organization_open_id")
    )
    differing = [
        (key, unquote(owned), unquote(configured))
        for key, owned, configured in zip(keys, theirs[1:], ours[1:], strict=True)
        if owned != configured
    ]
    if len(differing) > 1:
        return UsageError("ledger.other_tenant", path=path, owner=owner, tenant=tenant)
    ((key, owned, configured),) = differing
    error = UsageError(
        "ledger.other_id", path=path, key=key, owned=owned, configured=configured, then=("doctor",)
    )
    error.ids = (owned, configured)
    return error
