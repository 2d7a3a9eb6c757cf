"""Reads everything the ledger knows of one person, and finds persons by a search text. Used by resolve and explain."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import field as _field

from pipeline.domain.auto_sign import AutoSignRecord
from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Field
from pipeline.domain.row_record import RowLine
from pipeline.domain.run import Status
from pipeline.ledger import decisions
from pipeline.ledger.auto_sign import read_records
from pipeline.ledger.protocol import UPLOAD_REFUSED, Connection, Decision, RowRecord
from pipeline.ledger.run_history import make_row_record
from pipeline.ledger.schema import select_columns
from pipeline.ledger.withdrawal import LastDecision, list_last_decisions
from pipeline.messages.catalogue import load_line

_SPECIAL = re.compile(
    "[%_|]"
)  # characters with a meaning in a LIKE pattern, the fastest text search of SQLite

_PEOPLE = """
    SELECT key FROM person WHERE ?1 IN (key, name, seal_name) OR substr(id_masked, length(id_masked) - 3) = ?1
    UNION SELECT key FROM seal_name WHERE seal_name = ?1
    UNION SELECT key FROM seal WHERE ?1 IN (seal_id, request_id)
    UNION SELECT key FROM attempt WHERE ?1 IN (uuid, request_id, seal_id, content_name)
"""

_ATTEMPTS = """
    SELECT uuid, run, contract, host, signed_at, seal_name, content_name AS name, verdict, settled_at, http_status, code,
           message, request_id, seal_id, decision, dead_at AS replayable_until, row_id
    FROM attempt WHERE key IN (SELECT value FROM json_each(?)) ORDER BY number
"""
_SEALS = """
    SELECT seal_id, seal_name, source, run, attempt, request_id, at AS entered_at, decision, ended_by
    FROM seal WHERE key IN (SELECT value FROM json_each(?)) ORDER BY id
"""

# An entry holds from its first run to its last, among the runs of the same command over the same rosters (run_history.py).
_ROW_HISTORY = """
    SELECT s.row_id, l.key, l.file, l.sheet, l.row, l.status, l.codes, l.line, f.run AS first_run,
           f.started AS first_started, t.run AS last_run, t.started AS last_started,
           (SELECT count(*) FROM run AS n WHERE n.number BETWEEN s.first_run AND s.last_run AND n.saw_rows = 1
            AND n.command = f.command AND n.rosters = f.rosters) AS runs,
           s.last_run = (SELECT max(number) FROM run AS n WHERE n.saw_rows = 1
            AND n.command = f.command AND n.rosters = f.rosters) AS is_current
    FROM row_seen AS s JOIN row_line AS l ON l.id = s.line
    JOIN run AS f ON f.number = s.first_run JOIN run AS t ON t.number = s.last_run
    WHERE s.row_id IN (SELECT value FROM json_each(?1)) AND (l.key IS NULL OR l.key IN (SELECT value FROM json_each(?2)))
    ORDER BY s.first_run, l.file, l.sheet IS NOT NULL, l.sheet, l.row
"""


def search_people(connection: Connection, query: str) -> tuple[set[str], list[RowLine]]:
    """Return the keys of persons that a query may mean, and the row lines that hold a value ending with it.

    A line is searched without regard to case.
    """
    keys = {key for (key,) in connection.execute(_PEOPLE, (query,))}
    ending = _SPECIAL.sub(r"|\g<0>", json.dumps(query, ensure_ascii=False)[1:])
    lines = connection.execute("SELECT line FROM row_line WHERE line LIKE ? ESCAPE '|'", (f"%{ending}%",))
    return keys, [RowLine.from_text(line) for (line,) in lines]


def list_rows_without_number(connection: Connection, names: Collection[str]) -> list[RowLine]:
    """Return the lines of rows with one of these names and no usable number."""
    lines = connection.execute(
        "SELECT line FROM row_line WHERE key IS NULL "
        "AND json_extract(line, '$.name') IN (SELECT value FROM json_each(?))",
        (json.dumps(list(names)),),
    )
    return [RowLine.from_text(line) for (line,) in lines]


def list_people(connection: Connection) -> list[tuple[str | None, str | None]]:
    """Return name and staff number of every person that was read or has a seal, for suggestions."""
    return connection.execute(
        "SELECT DISTINCT json_extract(line, '$.name'), json_extract(line, '$.staff_no') FROM row_line "
        "UNION SELECT name, NULL FROM person"
    ).fetchall()


def is_anothers_row(line: RowLine, person_name: str | None) -> bool:
    """Return whether a row was refused because its number also has the name of the person ``person_name``, or another one."""
    is_refused = line.status is Status.REJECTED and "ID_NAME_CONFLICT" in line.codes
    return is_refused and make_name_key(line.get(Field.NAME) or "") != make_name_key(person_name or "")


def read_person(connection: Connection, key: str | None, row_ids: Collection[str] = ()) -> PersonRecords:
    """Return all records of a person; ``row_ids`` are further rows of the person, without a number of the person's own.

    A row that was refused with the person's number and another name is another doctor's.
    """
    person = connection.execute(
        "SELECT name, id_masked, seal_name FROM person WHERE key = ?", (key,)
    ).fetchone()
    corrected = decisions.list_same_persons(connection)
    own_keys = [key, *(number for number, owner in corrected.items() if owner == key)]
    keys = json.dumps(own_keys)
    own = connection.execute(
        "SELECT json_extract(line, '$.row_id') FROM row_line WHERE key IN (SELECT value FROM json_each(?))",
        (keys,),
    )
    rows = {row_id for (row_id,) in own if row_id} | set(row_ids)
    name, id_masked, seal_name = person or (None, None, None)
    row_keys = keys if key is not None else json.dumps(_list_keys(connection, rows))
    histories = [
        RowHistoryEntry(row=make_row_record(row), is_current=bool(row.pop("is_current")), **row)
        for row in select_columns(connection, _ROW_HISTORY, (json.dumps(sorted(rows)), row_keys))
    ]
    own_rows = tuple(
        entry for entry in histories if key is None or not is_anothers_row(entry.row.read_line(), name)
    )
    own_decisions = decisions.read_decisions(connection, keys=keys)
    is_decided = any(decision.counts for decision in own_decisions)
    last_decisions = list_last_decisions(connection, own_keys) if is_decided else []
    return PersonRecords(
        key=key,
        name=name,
        id_masked=id_masked,
        seal_name=seal_name,
        attempts=tuple(
            AttemptRecord(message=load_line(row.pop("message")), **row)
            for row in select_columns(connection, _ATTEMPTS, (keys,))
        ),
        seals=tuple(SealRecord(**row) for row in select_columns(connection, _SEALS, (keys,))),
        decisions=tuple(own_decisions),
        last_decision=next(iter(last_decisions), None),
        picture_decisions=tuple(decisions.read_picture_decisions_of(connection, set(json.loads(keys)))),
        rows=own_rows,
        auto_sign=read_records(connection, key).get(key) if key is not None else None,
    )


def _list_keys(connection: Connection, row_ids: Collection[str]) -> list[str]:
    """Return the keys that rows have had."""
    keys = connection.execute(
        "SELECT DISTINCT key FROM row_line WHERE key IS NOT NULL "
        "AND json_extract(line, '$.row_id') IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(row_ids)),),
    )
    return [key for (key,) in keys]


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt: what was sent, what came back, and the decision that resolved it."""

    uuid: str  # sent as X-TC-TraceId
    run: str
    contract: str  # UPLOAD_REFUSED: refused at its upload, no create was sent
    host: str
    signed_at: float  # unix seconds, by the service's clock
    seal_name: str
    name: str = _field(repr=False)
    verdict: str | None  # None: no answer yet
    settled_at: float | None
    http_status: int | None
    code: str | None
    message: str | None = _field(repr=False)
    request_id: str | None
    seal_id: str | None  # with ``sealed`` the seal's; else from an answer that proves nothing
    decision: int | None
    # unix seconds, by this machine's clock: later, the service accepts no copy of the request
    replayable_until: float
    row_id: str  # of the roster's row that was sent

    @property
    def was_sent(self) -> bool:
        """Whether a create was sent, or may have been sent."""
        return self.contract != UPLOAD_REFUSED and (
            self.verdict != "not_executed" or self.http_status is not None
        )

    @property
    def is_open(self) -> bool:
        """Whether it blocks further creates of the person until it is resolved."""
        return self.decision is None and self.verdict in {None, "unknown", "exists"}


@dataclass(frozen=True, slots=True)
class SealRecord:
    """One seal that a person has or had."""

    seal_id: str
    seal_name: str | None
    source: str  # sent | resolved | adopted | receipt
    run: str | None
    attempt: str | None
    request_id: str | None
    entered_at: float  # unix seconds
    decision: int | None
    ended_by: int | None  # the decision that ended it


@dataclass(frozen=True, slots=True)
class RowHistoryEntry:
    """The record of a roster row over one run or several successive ones."""

    row: RowRecord
    first_run: str
    first_started: float  # unix seconds
    last_run: str
    last_started: float  # unix seconds
    runs: int
    is_current: bool  # the newest run over these rosters recorded it, too


@dataclass(frozen=True, slots=True)
class PersonRecords:
    """All records of one person, oldest first."""

    key: str | None  # None: only rows without a usable number
    name: str | None = _field(repr=False)
    id_masked: str | None
    seal_name: str | None  # locked at the first attempt
    attempts: tuple[AttemptRecord, ...] = ()
    seals: tuple[SealRecord, ...] = ()
    decisions: tuple[Decision, ...] = ()
    last_decision: LastDecision | None = None  # that counts, of a kind that is withdrawn
    picture_decisions: tuple[Decision, ...] = ()
    rows: tuple[RowHistoryEntry, ...] = ()
    auto_sign: AutoSignRecord | None = None  # None: the service was never asked

    @property
    def live_seal(self) -> SealRecord | None:
        """The seal that no decision has ended."""
        return next((seal for seal in self.seals if seal.ended_by is None), None)

    @property
    def open_create(self) -> AttemptRecord | None:
        """The create that waits for a decision."""
        return next((create for create in self.attempts if create.is_open), None)
