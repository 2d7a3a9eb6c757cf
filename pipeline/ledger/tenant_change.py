"""A ledger of another tenant: refused with its probable cause, or passed on while it holds nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import unquote

from pipeline.errors import UsageError
from pipeline.messages.catalogue import phrase

# What belongs to one tenant: the keys of persons are made with its name. Runs and the rows they read may stay.
OWNED_TABLES = ("person", "attempt", "seal", "seal_name", "decision")


def tenant_of(connection: sqlite3.Connection) -> str:
    """Return the tenant to which a ledger belongs."""
    tenant: str = connection.execute("SELECT tenant FROM meta").fetchone()[0]
    return tenant


def is_empty(connection: sqlite3.Connection) -> bool:
    """Return whether a ledger holds no person, attempt, seal or decision."""
    return not any(
        connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0]  # noqa: S608 - our own words
        for table in OWNED_TABLES
    )


def require_tenant(path: Path, connection: sqlite3.Connection, tenant: str) -> None:
    """Raise UsageError for a ledger that belongs to another tenant and is not empty."""
    owner = tenant_of(connection)
    if owner != tenant and not is_empty(connection):
        raise _other_tenant(path, owner, tenant)


def change_tenant(connection: sqlite3.Connection, tenant: str) -> None:
    """Pass an empty ledger on to a tenant; one that is not empty stays as it is."""
    if tenant_of(connection) != tenant and is_empty(connection):
        connection.execute("UPDATE meta SET tenant = ?", (tenant,))


def _other_tenant(path: Path, owner: str, tenant: str) -> UsageError:
    """Return the error for another tenant's ledger: another environment, one id that differs, or another organisation."""
    theirs, ours = owner.split("/"), tenant.split("/")
    if theirs[0] != ours[0]:
        return UsageError(
            "ledger.other_environment",
            path=path,
            owner=phrase(f"environment.{theirs[0]}"),
            environment=phrase(f"environment.{ours[0]}"),
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
