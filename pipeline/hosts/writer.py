"""Writes a ledger on a server: every transaction proves that the ledger is still this process's.

A commit whose answer was lost is repeated: its events have their ids from the first try on, and the next try finds the
first of them in the table or not. The lock of the hold ends with the former connection, and so has its transaction.
"""

from __future__ import annotations

from pathlib import Path

import psycopg

from pipeline.clock import SystemClock, pause
from pipeline.errors import LedgerError
from pipeline.hosts.connection import (
    PostgresConnection,
    explain_server_error,
    is_server_away,
)
from pipeline.hosts.hold import BEAT_SECONDS, ServerHold
from pipeline.ledger.disk import explain_error
from pipeline.ledger.opening import OUT, Journals
from pipeline.ledger.records import LedgerConflict
from pipeline.ledger.tables import Connection
from pipeline.ledger.writing import Batch, LedgerWriter

AWAY_SECONDS = 60.0  # for which a server that does not answer is waited for
RETRY_SECONDS = 0.5
_CONSTRAINTS = {"one_live_create": "open_attempt", "one_owner": "seal_id"}  # their names in LedgerConflict

_LAST_EVENT = "SELECT coalesce(max(entered), 0) FROM event"


class PostgresWriter(LedgerWriter):
    """Owns the connection that writes a ledger on a server.

    A server that is away is waited for; then the writes raise LedgerError, and only journals take answers.
    """

    beat_seconds = BEAT_SECONDS

    def __init__(self, hold: ServerHold, journals: Journals, *, entered: int) -> None:
        self._hold = hold
        self._clock = SystemClock()
        self._away_since: float | None = None  # the server has not answered since this moment
        self._given_up: Exception | None = None  # why the server is not asked any more
        self._entered = entered  # number of the last event in the table, after the last commit
        super().__init__(journals)

    def _try(self, batch: Batch) -> None:
        """Try a commit until it is made; LedgerError where the server stays away, psycopg.Error where it refuses a statement."""
        while True:
            try:
                super()._try(batch)
            except (psycopg.Error, LedgerError) as error:
                if not is_server_away(error, self._hold.connection):
                    raise
                self._hold.disconnect()
                if self._is_away_for_too_long():
                    self._given_up = error
                    raise
                pause(RETRY_SECONDS)
            else:
                self._away_since = None
                return

    def _begin(self) -> PostgresConnection:
        if self._given_up is not None:
            raise self._given_up
        connection = self._hold.connect()
        connection.execute("BEGIN")
        return PostgresConnection(connection)

    def _prove_hold(self, connection: Connection) -> None:
        self._hold.prove(connection)
        if connection.execute(_LAST_EVENT).fetchone()[0] < self._entered:
            raise LedgerError("ledger.server_behind", server=self._hold.address.shown)

    def _commit(self, connection: Connection) -> None:
        (entered,) = connection.execute(_LAST_EVENT).fetchone()
        connection.execute("COMMIT")
        self._entered = entered

    def _roll_back(self) -> None:
        if self._hold.connection is not None:
            try:
                self._hold.connection.execute("ROLLBACK")
            except psycopg.Error:
                self._hold.disconnect()  # nothing of it may be committed with the next one

    def _explain(self, error: Exception) -> Exception:
        if isinstance(error, psycopg.Error):
            return explain_server_error(self._hold.address, error)
        if isinstance(error, OSError):  # of a journal
            path = Path(str(error.filename or self.journals.places[OUT]))
            failure = explain_error("ledger.not_written", path, error)
            failure.__cause__ = error
            return failure
        return error

    def _get_conflict(self, error: Exception) -> LedgerConflict | None:
        if isinstance(error, psycopg.IntegrityError):
            name = error.diag.constraint_name or str(error)
            return LedgerConflict(_CONSTRAINTS.get(name, name))
        return None

    def _close_files(self) -> None:
        """Leave the connection to the hold, which ends with it."""

    def _is_away_for_too_long(self) -> bool:
        now = self._clock.monotonic()
        if self._away_since is None:
            self._away_since = now
        return now - self._away_since >= AWAY_SECONDS
