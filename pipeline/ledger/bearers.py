"""Enters and reads who bore which name, staff number and picture in earlier runs (`pipeline.domain.seals`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from pipeline.domain.seals import Bearer
from pipeline.ledger.protocol import Connection
from pipeline.ledger.receipts import Fact
from pipeline.ledger.schema import insert_row, select_columns

_COLUMNS = [field.name for field in fields(Bearer)]


def enter_bearers(connection: Connection, bearers: Sequence[Bearer]) -> list[Fact]:
    """Enter bearers; what a run knows already it does not enter again."""
    (before,) = connection.execute("SELECT coalesce(max(id), 0) FROM bearer").fetchone()
    for number, bearer in enumerate(bearers, start=before + 1):
        columns = {name: getattr(bearer, name) for name in _COLUMNS}
        insert_row(connection, "bearer", {"id": number, **columns, "is_contested": int(bearer.is_contested)})
    return [Fact("bearer", "id", number) for number in range(before + 1, before + 1 + len(bearers))]


def enter_pixels(connection: Connection, pixels: Mapping[str, str]) -> list[Fact]:
    """Enter the digests of the pixels of bearers' pictures, by the sha256 of these."""
    connection.executemany(
        "UPDATE bearer SET pixels = ? WHERE picture = ?",
        [(digest, sha256) for sha256, digest in pixels.items()],
    )
    return [Fact("bearer", "picture", sha256, ("pixels",)) for sha256 in pixels]


def read_bearers(connection: Connection, tenant: str) -> list[Bearer]:
    """Return every bearer of a tenant, in the order in which they were entered; none of another one's ledger."""
    statement = (
        f"SELECT {', '.join(_COLUMNS)} FROM bearer "  # noqa: S608 - names of our own schema
        "WHERE EXISTS (SELECT 1 FROM meta WHERE tenant = ?) ORDER BY id"
    )
    return [_make_bearer(columns) for columns in select_columns(connection, statement, (tenant,))]


def _make_bearer(columns: dict[str, Any]) -> Bearer:
    return Bearer(**{**columns, "is_contested": bool(columns["is_contested"])})
