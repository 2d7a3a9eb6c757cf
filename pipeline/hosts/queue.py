"""The queue's database: connections, its schema and the version of it.

procrastinate's tables lie in the schema ``esign_jobs``, the table of days in ``esign_import``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString, TypeVar

from procrastinate import PsycopgConnector
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.schema import SchemaManager
from procrastinate.sync_psycopg_connector import wrap_exceptions

from pipeline.clock import Clock
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import LedgerError, UsageError
from pipeline.hosts.connection import (
    connect_server,
    explain_server_error,
    require_durable_commits,
)
from pipeline.hosts.operator_secret import prepare_database
from pipeline.ledger.tables import VERSION as LEDGER_VERSION
from pipeline.version import PROGRAM

if TYPE_CHECKING:
    from psycopg import AsyncConnection

T = TypeVar("T")
PAUSE = 0.5  # seconds before a query is repeated
SCHEMA_LOCK = 0x65736A6F62  # of the advisory lock under which the schema is made
RAISED = "P0001"  # SQLSTATE of an exception in procrastinate's functions: the job has another state by now
PURPOSE = "worker"
SEARCH_PATH = "SET search_path TO esign_jobs"
# a connection whose other end is gone is noticed within half a minute
CONNECTION = {
    "application_name": f"{PROGRAM} {PURPOSE}",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
TABLES = b"""
CREATE TABLE version (procrastinate text NOT NULL);
CREATE TABLE esign_import.daily_job (
    hospital text NOT NULL,
    day date NOT NULL,
    roster_sha256 text,
    job bigint,
    enqueued_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    exit integer,
    attempts integer NOT NULL DEFAULT 0,
    PRIMARY KEY (hospital, day)
);
CREATE INDEX daily_job_of_queue ON esign_import.daily_job (job);
"""
# What later versions have added to TABLES, in their order; the table `version` holds how many are applied.
ADDITIONS = (
    b"ALTER TABLE esign_import.daily_job ADD roster_bytes bigint, ADD expected_seconds double precision",
    b"""
    ALTER TABLE esign_import.daily_job ADD cancelled_at timestamptz, ADD cancelled_by text;
    CREATE TABLE esign_import.paused_hospital (
        hospital text PRIMARY KEY,
        since timestamptz NOT NULL DEFAULT now(),
        paused_by text NOT NULL
    )
    """,
    # what is worth knowing of a worker; procrastinate deletes the row that it refers to once the worker is gone
    b"""
    CREATE TABLE hospital_worker (
        id bigint PRIMARY KEY REFERENCES procrastinate_workers ON DELETE CASCADE,
        host text NOT NULL,
        pid bigint NOT NULL,
        version text NOT NULL,
        processes integer NOT NULL,
        stalled_seconds double precision NOT NULL,
        started_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    # what the alarm over all hospitals has sent
    b"CREATE TABLE alarm (id integer PRIMARY KEY CHECK (id = 1), state text NOT NULL)",
    # the newest version of ledgers that a worker makes
    b"ALTER TABLE version ADD ledger integer NOT NULL DEFAULT 0",
)


class JobConnector(PsycopgConnector):
    """Connections to the queue's database.

    A query that fails because the server is away is repeated for ``patience`` seconds; then ``on_failure`` is called and
    the error raised. Each query of the queue may be repeated: a job that was fetched or ended before the answer was
    lost is found by the worker (`_list_lost_jobs`), or has another state already.
    """

    def __init__(
        self, address: ServerAddress, secret: str, clock: Clock, *, patience: float, connections: int
    ) -> None:
        super().__init__(
            conninfo=address.url,
            kwargs=CONNECTION | ({"password": address.password} if address.password else {}),
            min_size=1,
            max_size=connections,
            timeout=patience,
            reconnect_timeout=patience,
            configure=_set_search_path,
        )
        self.address, self.patience = address, patience
        self._secret = secret
        self._clock = clock
        self.answered_at = clock.monotonic()  # the last query
        self.on_failure: Callable[[ConnectorException], None] = lambda _: None

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        """Execute a query that gives no rows."""
        await self._repeat(lambda: PsycopgConnector.execute_query_async(self, query, **arguments))

    async def execute_query_one_async(self, query: LiteralString, **arguments: Any) -> dict[str, Any]:
        """Execute a query and return its only row."""
        return await self._repeat(lambda: PsycopgConnector.execute_query_one_async(self, query, **arguments))

    async def execute_query_all_async(self, query: LiteralString, **arguments: Any) -> list[dict[str, Any]]:
        """Execute a query and return its rows."""
        return await self._repeat(lambda: PsycopgConnector.execute_query_all_async(self, query, **arguments))

    async def _repeat(self, execute: Callable[[], Awaitable[T]]) -> T:
        deadline = self._clock.monotonic() + self.patience
        while True:
            try:
                answer = await execute()
            except UniqueViolation:
                raise
            except ConnectorException as error:
                if getattr(error.__cause__, "sqlstate", None) == RAISED:
                    raise
                if self._clock.monotonic() >= deadline:
                    self.on_failure(error)
                    raise
            else:
                self.answered_at = self._clock.monotonic()
                return answer
            await self._clock.sleep(PAUSE)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection[Any]]:
        """Give a connection for one transaction, which is committed at the end of the block; it is not repeated."""
        with wrap_exceptions():
            async with self.pool.connection() as connection:
                yield connection

    def prepare_server(self) -> None:
        """Make the schema that ledgers and queue share.

        Raises LedgerError for a server that cannot be used, and for another operator's secret than the database's.
        """
        with connect_server(self.address, purpose=PURPOSE) as connection:
            require_durable_commits(connection, self.address)
            prepare_database(connection, self.address, self._secret)

    def explain(self, error: ConnectorException) -> LedgerError:
        """Return the error of the command for what the server or the way to it refused."""
        return explain_server_error(self.address, error.__cause__)  # type: ignore[arg-type]  # it is one of psycopg's


def run_in_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in the event loop that psycopg needs, which on Windows is not the usual one."""
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(work)


async def _set_search_path(connection: AsyncConnection[Any]) -> None:
    await connection.execute(SEARCH_PATH)
    await connection.commit()


@asynccontextmanager
async def open_queue(connector: JobConnector) -> AsyncIterator[None]:
    """Connect, and make or migrate the schema.

    Raises LedgerError where the server cannot be reached, goes away while the block runs, or has another operator's secret;
    UsageError where a pooler answers in its place, or where the schema is that of a newer version.
    """
    await asyncio.to_thread(connector.prepare_server)
    try:
        with wrap_exceptions():
            await connector.open_async()
    except ConnectorException as error:
        raise connector.explain(error) from error
    try:
        await _prepare_schema(connector)
        yield
    except ConnectorException as error:
        raise connector.explain(error) from error
    finally:
        await connector.close_async()


def list_migrations() -> list[Path]:
    """Return the files by which the installed procrastinate came to its schema, in their order."""
    return sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))


async def _prepare_schema(connector: JobConnector) -> None:
    """Make the schema, or apply what the installed procrastinate has added to it, once: the process that comes first does it."""
    migrations = list_migrations()
    newest = migrations[-1].name
    async with connector.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [SCHEMA_LOCK])
        await connection.execute("CREATE SCHEMA IF NOT EXISTS esign_jobs")
        cursor = await connection.execute("SELECT to_regclass('esign_jobs.version') IS NOT NULL")
        if await cursor.fetchone() == (False,):
            await connection.execute(SchemaManager.get_schema())
            await connection.execute(TABLES)
            await connection.execute("INSERT INTO version VALUES (%s)", [newest])
        cursor = await connection.execute("SELECT procrastinate FROM version")
        ((applied,),) = await cursor.fetchall()
        _require_known(procrastinate=applied)
        for migration in migrations:
            if migration.name > applied:
                await connection.execute(migration.read_bytes())
        await connection.execute("UPDATE version SET procrastinate = %s", [newest])
        await _apply_additions(connection)


async def _apply_additions(connection: AsyncConnection[Any]) -> None:
    await connection.execute("ALTER TABLE version ADD IF NOT EXISTS additions integer NOT NULL DEFAULT 0")
    cursor = await connection.execute("SELECT additions FROM version")
    ((applied,),) = await cursor.fetchall()
    _require_known(additions=applied)
    for addition in ADDITIONS[applied:]:
        await connection.execute(addition)
    cursor = await connection.execute("SELECT ledger FROM version")
    ((ledger_version,),) = await cursor.fetchall()
    _require_known(ledger=ledger_version)
    await connection.execute(
        "UPDATE version SET additions = %s, ledger = %s", [len(ADDITIONS), LEDGER_VERSION]
    )


async def require_known_tables(connector: JobConnector) -> None:
    """Raise UsageError once a newer version has come to the database: its ledgers are not for runs of this one."""
    for row in await connector.execute_query_all_async(
        "SELECT procrastinate, additions, ledger FROM version"
    ):
        _require_known(**row)


def _require_known(**applied: Any) -> None:
    newest = {
        "procrastinate": list_migrations()[-1].name,
        "additions": len(ADDITIONS),
        "ledger": LEDGER_VERSION,
    }
    for name, version in applied.items():
        if version > newest[name]:
            raise UsageError("jobs.too_new", applied=f"{name} {version}", newest=f"{name} {newest[name]}")
