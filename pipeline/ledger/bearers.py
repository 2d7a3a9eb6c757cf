"""Enters and reads who bore which name, staff number and picture in earlier runs (`pipeline.domain.seals.Bearer`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from pipeline.domain.seals import Bearer
from pipeline.ledger.events import Event
from pipeline.ledger.tables import Connection, compute_next, select_rows

_COLUMNS = [field.name for field in fields(Bearer)]
_BLANK = asdict(Bearer())
_IN_ONE_EVENT = 2_000


def build_bearers_args(bearers: Sequence[Bearer]) -> Iterator[dict[str, Any]]:
    """Yield the arguments of the events of bearers: of each what is not blank."""
    for first in range(0, len(bearers), _IN_ONE_EVENT):
        some = bearers[first : first + _IN_ONE_EVENT]
        yield {"bearers": [{name: value for name, value in asdict(one).items() if value} for one in some]}


def apply_bearers(connection: Connection, event: Event) -> None:
    insert_bearers(connection, event.args["bearers"])


def apply_pixels(connection: Connection, event: Event) -> None:
    """Enter the digests of the pixels of bearers' pictures, by the sha256 of these."""
    rows = [(digest, sha256) for sha256, digest in event.args["pixels"].items()]
    connection.executemany("UPDATE bearer SET pixels = ? WHERE picture = ?", rows)


def insert_bearers(
    connection: Connection, bearers: Sequence[Mapping[str, Any]], *, adoption: str | None = None
) -> None:
    """Enter bearers by their values that are not blank; ``adoption`` is the id of the one that shows them."""
    first = compute_next(connection, "bearer", "id")
    columns = ", ".join(("id", "adoption", *_COLUMNS))
    placeholders = ", ".join("?" * (len(_COLUMNS) + 2))
    rows = []
    for number, bearer in enumerate(bearers, start=first):
        values = {**_BLANK, **bearer}
        rows.append((number, adoption, *(_to_column(values[name]) for name in _COLUMNS)))
    connection.executemany(f"INSERT INTO bearer ({columns}) VALUES ({placeholders})", rows)  # noqa: S608 - names of our own schema


def read_bearers(connection: Connection) -> list[Bearer]:
    """Return every bearer, in the order in which they were entered."""
    statement = f"SELECT {', '.join(_COLUMNS)} FROM bearer ORDER BY id"  # noqa: S608 - names of our own schema
    return [
        Bearer(**{**row, "is_contested": bool(row["is_contested"])})
        for row in select_rows(connection, statement)
    ]


def list_pictures_without_pixels(connection: Connection) -> set[str]:
    """Return the sha256 of bearers' pictures whose pixels are not known."""
    rows = connection.execute("SELECT picture FROM bearer WHERE picture <> '' AND pixels = ''")
    return {picture for (picture,) in rows}


def _to_column(value: object) -> object:
    return int(value) if isinstance(value, bool) else value
