"""The tables of a ledger, in words that SQLite and PostgreSQL share.

``event`` is the truth, ``journal`` notes how far each file was entered, ``meta`` names the ledger and up to which event
purges were carried out. ``file_stat`` and
``auto_sign`` hold what is read or asked again where it is missing. All else follows from the events and can be made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from pipeline.domain.seals import LIVE_STATES
from pipeline.domain.site_key import KEY_FORMAT, SiteKey

VERSION = 3  # of the tables; a ledger of any other one is refused
_LIVE = ", ".join(f"'{state}'" for state in LIVE_STATES)

KEPT_TABLES: Sequence[str] = (
    """
    CREATE TABLE meta (
        id BIGINT PRIMARY KEY,
        tenant TEXT NOT NULL,
        key_check TEXT NOT NULL,
        key_format BIGINT NOT NULL,
        created DOUBLE PRECISION NOT NULL,
        opened_by TEXT NOT NULL,
        blanked BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE event (
        entered BIGINT PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        n BIGINT NOT NULL,
        op TEXT NOT NULL,
        args TEXT NOT NULL,
        person TEXT,
        other TEXT
    )
    """,
    """
    CREATE TABLE journal (
        place TEXT NOT NULL,
        host TEXT NOT NULL,
        line_start BIGINT NOT NULL,
        line_end BIGINT NOT NULL,
        mac TEXT NOT NULL,
        entered BIGINT NOT NULL,
        PRIMARY KEY (place, host)
    )
    """,
    """
    CREATE TABLE file_stat (
        path TEXT PRIMARY KEY,
        size BIGINT NOT NULL,
        mtime_ns BIGINT NOT NULL,
        sha256 TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE auto_sign (
        person TEXT PRIMARY KEY,
        asked_at DOUBLE PRECISION NOT NULL,
        code TEXT,
        request_id TEXT,
        answered_at DOUBLE PRECISION,
        is_open INTEGER,
        seal_id TEXT,
        license_to DOUBLE PRECISION
    )
    """,
    "CREATE INDEX event_order ON event (n, id)",
    "CREATE INDEX event_of_person ON event (person)",
    "CREATE INDEX event_of_other ON event (other)",
)
# Digests stand for identity numbers, mobiles and staff numbers. ``content`` and ``replaced`` are JSON. An adopted seal is
# an attempt that was not sent. A row's line holds from its first run until another run of the same command over the same
# rosters (``series``) recorded something else, or no longer had the row.
MADE_TABLES: Sequence[str] = (
    """
    CREATE TABLE person (
        person TEXT PRIMARY KEY,
        name TEXT,
        id_masked TEXT,
        seal_name TEXT,
        staff_no TEXT,
        mobile TEXT
    )
    """,
    """
    CREATE TABLE seal_name (
        seal_name TEXT PRIMARY KEY,
        person TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE attempt (
        uuid TEXT PRIMARY KEY,
        event_number BIGINT NOT NULL,
        person TEXT NOT NULL,
        state TEXT NOT NULL,
        is_contested INTEGER NOT NULL,
        run TEXT NOT NULL,
        row_id TEXT NOT NULL,
        contract TEXT NOT NULL,
        host TEXT NOT NULL,
        signed_at DOUBLE PRECISION NOT NULL,
        dead_at DOUBLE PRECISION NOT NULL,
        seal_name TEXT NOT NULL,
        content TEXT,
        verdict TEXT,
        settled_at DOUBLE PRECISION,
        http_status BIGINT,
        request_id TEXT,
        code TEXT,
        message TEXT,
        seal_id TEXT,
        decision TEXT,
        ended_by TEXT,
        ended_at DOUBLE PRECISION
    )
    """,
    """
    CREATE TABLE decision (
        id TEXT PRIMARY KEY,
        event_number BIGINT NOT NULL,
        decided_at DOUBLE PRECISION NOT NULL,
        who TEXT NOT NULL,
        why TEXT NOT NULL,
        kind TEXT NOT NULL,
        person TEXT,
        attempt TEXT,
        seal_id TEXT,
        detail TEXT,
        replaced TEXT,
        withdraws TEXT,
        withdrawn_by TEXT,
        withdrawn_at DOUBLE PRECISION,
        has_effect INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE run (
        number BIGINT PRIMARY KEY,
        run TEXT NOT NULL UNIQUE,
        series TEXT NOT NULL,
        saw_rows INTEGER NOT NULL,
        finished DOUBLE PRECISION,
        halted TEXT,
        facts TEXT NOT NULL,
        exit_code BIGINT,
        record TEXT
    )
    """,
    """
    CREATE TABLE row_line (
        id BIGINT PRIMARY KEY,
        row_id TEXT NOT NULL,
        series TEXT NOT NULL,
        first_run BIGINT NOT NULL,
        until_run BIGINT,
        person TEXT,
        name TEXT,
        staff_no TEXT,
        file TEXT NOT NULL,
        sheet TEXT,
        row_no BIGINT NOT NULL,
        status TEXT NOT NULL,
        codes TEXT NOT NULL,
        line TEXT NOT NULL,
        digest TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE bearer (
        id BIGINT PRIMARY KEY,
        adoption TEXT,
        key TEXT NOT NULL,
        name TEXT NOT NULL,
        staff_no TEXT NOT NULL,
        mobile TEXT NOT NULL,
        digits TEXT NOT NULL,
        path TEXT NOT NULL,
        picture TEXT NOT NULL,
        is_contested INTEGER NOT NULL,
        pixels TEXT NOT NULL,
        shown_name TEXT NOT NULL,
        position TEXT NOT NULL,
        run TEXT NOT NULL
    )
    """,
    "CREATE INDEX attempt_of_person ON attempt (person, event_number)",
    "CREATE INDEX attempt_of_name ON attempt (seal_name)",
    "CREATE INDEX attempt_of_seal ON attempt (lower(seal_id))",  # case makes no other SealId
    "CREATE INDEX attempt_of_answer ON attempt (request_id)",
    "CREATE INDEX decision_of_person ON decision (person, event_number)",
    "CREATE INDEX row_of_series ON row_line (series, until_run)",
    "CREATE INDEX row_line_of_person ON row_line (person)",
    "CREATE INDEX row_line_of_row ON row_line (row_id)",
    "CREATE INDEX bearer_of_picture ON bearer (picture)",
    f"CREATE UNIQUE INDEX one_live_create ON attempt (person) WHERE state IN ({_LIVE}) AND is_contested = 0",
    "CREATE UNIQUE INDEX one_owner ON attempt (lower(seal_id)) WHERE state IN ('sealed', 'ended') AND is_contested = 0",
)
MADE_NAMES = ("attempt", "decision", "seal_name", "person", "bearer", "row_line", "run")


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """Return how many rows the statement changed."""

    @property
    def description(self) -> Any:
        """Return the columns of the result, the name first in each."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""


class Connection(Protocol):
    """A connection in autocommit mode, sqlite3's or PostgreSQL's behind an adapter (pipeline/hosts/connection.py).

    A transaction is begun and ended by statements.
    """

    def execute(self, statement: str, values: Any = ..., /) -> Cursor:
        """Run a statement with the values of its ``?`` placeholders."""

    def executemany(self, statement: str, rows: Iterable[Any], /) -> object:
        """Run a statement once for each row of values."""


def create_tables(connection: Connection) -> None:
    """Create all tables in an empty database."""
    for statement in (*KEPT_TABLES, *MADE_TABLES):
        connection.execute(statement)


def enter_meta(connection: Connection, site_key: SiteKey, now: float) -> None:
    """Name the ledger of an empty database."""
    meta = {
        "id": 1,
        "tenant": site_key.tenant,
        "key_check": site_key.check(),
        "key_format": KEY_FORMAT,
        "created": now,
        "opened_by": "",
        "blanked": 0,
    }
    insert_row(connection, "meta", meta)


def insert_row(connection: Connection, table: str, columns: Mapping[str, object]) -> None:
    placeholders = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({placeholders})"  # noqa: S608 - names of our own schema
    connection.execute(statement, list(columns.values()))


def update_row(connection: Connection, table: str, identity: str, value: object, **columns: object) -> None:
    """Set columns of the rows whose column ``identity`` has this value."""
    assignments = ", ".join(f"{name} = ?" for name in columns)
    statement = f"UPDATE {table} SET {assignments} WHERE {identity} = ?"  # noqa: S608 - names of our own schema
    connection.execute(statement, (*columns.values(), value))


def select_rows(
    connection: Connection, statement: str, values: Sequence[object] = ()
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a SELECT statement, each as its values by column."""
    rows = connection.execute(statement, values)
    names = [column[0] for column in rows.description]
    return (dict(zip(names, row, strict=True)) for row in rows)


def compute_next(connection: Connection, table: str, column: str) -> int:
    """Return one more than the greatest number of a column."""
    statement = f"SELECT coalesce(max({column}), 0) + 1 FROM {table}"  # noqa: S608 - names of our own schema
    number: int = connection.execute(statement).fetchone()[0]
    return number


def make_placeholders(values: Sequence[object]) -> str:
    """Return the placeholders of a list of values, which is not empty."""
    return ", ".join("?" * len(values))
