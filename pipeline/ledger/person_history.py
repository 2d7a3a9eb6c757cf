"""One person's whole life in the ledger, and who a word means: reads for a human at the desk.

Nothing here reads everybody's past: a word is looked for in whole columns, a life by its key.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from pipeline.ledger import decisions
from pipeline.ledger.person_queries import AttemptRecord, PersonRecords, RowHistoryEntry, SealRecord
from pipeline.ledger.protocol import DecisionRecord, RowRecord
from pipeline.ledger.snapshot import REPLAYABLE_UNTIL
from pipeline.messages.texts import load_line

_SPECIAL = re.compile("[%_|]")  # in a LIKE pattern: of all ways to search a text, SQLite's quickest

_PEOPLE = """
    SELECT key FROM person WHERE ?1 IN (key, name, seal_name) OR substr(id_masked, -4) = ?1
    UNION SELECT key FROM seal_name WHERE seal_name = ?1
    UNION SELECT key FROM seal WHERE ?1 IN (seal_id, request_id)
    UNION SELECT key FROM attempt WHERE ?1 IN (uuid, request_id, seal_id, content_name)
"""

_ATTEMPTS = f"""
    SELECT uuid, run, contract, host, signed_at, seal_name, content_name, verdict, settled_at, http_status, code,
           message, request_id, seal_id, decision, {REPLAYABLE_UNTIL}, row_id
    FROM attempt WHERE key IN (SELECT value FROM json_each(?)) ORDER BY number
"""  # noqa: S608 - our own words
_SEALS = """
    SELECT seal_id, seal_name, source, run, attempt, request_id, at, decision, ended_by
    FROM seal WHERE key IN (SELECT value FROM json_each(?)) ORDER BY id
"""
_DECISIONS = """
    SELECT at, who, why, kind, key, attempt, seal_id, id, detail FROM decision
    WHERE key IN (SELECT value FROM json_each(?1)) OR (kind = 'other_person' AND detail IN (SELECT value FROM json_each(?1)))
    ORDER BY id
"""

# An entry holds from its first run to its last, in the nights of the same command over the same rosters (history.py).
_ROW_HISTORY = """
    SELECT s.row_id, l.key, l.file, l.sheet, l.row, l.status, l.codes, l.line, f.run, f.started, t.run, t.started,
           (SELECT count(*) FROM run AS n WHERE n.number BETWEEN s.first_run AND s.last_run AND n.saw_rows
            AND n.command = f.command AND n.rosters = f.rosters),
           s.last_run = (SELECT max(number) FROM run AS n WHERE n.saw_rows
            AND n.command = f.command AND n.rosters = f.rosters)
    FROM row_seen AS s JOIN row_line AS l ON l.id = s.line
    JOIN run AS f ON f.number = s.first_run JOIN run AS t ON t.number = s.last_run
    WHERE s.row_id IN (SELECT value FROM json_each(?1)) AND (l.key IS NULL OR l.key IN (SELECT value FROM json_each(?2)))
    ORDER BY s.first_run, l.file, l.sheet, l.row
"""


def find_people(connection: sqlite3.Connection, word: str) -> tuple[set[str], list[dict[str, Any]]]:
    """Return the keys of people whom a word may mean, and the lines of rows that hold a value ending with it.

    A line is what a run said of a row (`protocol.SeenRow.line`), read; case does not count in it.
    """
    keys = {key for (key,) in connection.execute(_PEOPLE, (word,))}
    ending = _SPECIAL.sub(r"|\g<0>", json.dumps(word, ensure_ascii=False)[1:])
    lines = connection.execute("SELECT line FROM row_line WHERE line LIKE ? ESCAPE '|'", (f"%{ending}%",))
    return keys, [json.loads(line) for (line,) in lines]


def find_rows_without_number(connection: sqlite3.Connection, names: Collection[str]) -> list[dict[str, Any]]:
    """Return the lines of rows that bear one of these names and no usable number."""
    lines = connection.execute(
        "SELECT line FROM row_line WHERE key IS NULL "
        "AND json_extract(line, '$.name') IN (SELECT value FROM json_each(?))",
        (json.dumps(list(names)),),
    )
    return [json.loads(line) for (line,) in lines]


def list_people(connection: sqlite3.Connection) -> Iterator[tuple[str | None, str | None]]:
    """Yield (name, staff number) of everybody who was ever seen or has a seal, for suggestions."""
    yield from connection.execute(
        "SELECT DISTINCT json_extract(line, '$.name'), json_extract(line, '$.staff_no') FROM row_line "
        "UNION SELECT name, NULL FROM person"
    )


def read_person(connection: sqlite3.Connection, key: str | None, row_ids: Collection[str]) -> PersonRecords:
    """Return all that is known of a person; ``row_ids`` are rows without a usable number that are hers as well."""
    person = connection.execute(
        "SELECT name, id_masked, seal_name FROM person WHERE key = ?", (key,)
    ).fetchone()
    keys = json.dumps(list(decisions.list_person_keys(connection, key)))
    own = connection.execute(
        "SELECT json_extract(line, '$.row_id') FROM row_line WHERE key IN (SELECT value FROM json_each(?))",
        (keys,),
    )
    rows = {row_id for (row_id,) in own if row_id} | set(row_ids)
    name, id_masked, seal_name = person or (None, None, None)
    return PersonRecords(
        key=key,
        name=name,
        id_masked=id_masked,
        seal_name=seal_name,
        creates=tuple(map(_make_attempt_record, connection.execute(_ATTEMPTS, (keys,)))),
        seals=tuple(SealRecord(*row) for row in connection.execute(_SEALS, (keys,))),
        decisions=tuple(DecisionRecord(*row) for row in connection.execute(_DECISIONS, (keys,))),
        said=tuple(
            map(_make_history_entry, connection.execute(_ROW_HISTORY, (json.dumps(sorted(rows)), keys)))
        ),
    )


def list_runs_with_rows(connection: sqlite3.Connection) -> set[str]:
    """Return the runs whose words of their rows are here; a ledger rebuilt from receipts has none of the old ones."""
    rows = connection.execute(
        "SELECT run FROM run WHERE saw_rows AND number >= (SELECT min(first_run) FROM row_seen)"
    )
    return {run for (run,) in rows}


def _make_history_entry(row: tuple[Any, ...]) -> RowHistoryEntry:
    row_id, key, file, sheet, at, status, codes, line, *when, nights, still = row
    seen = RowRecord(row_id, key, file, sheet, at, status, tuple(json.loads(codes)), line)
    first, began, last, until = when
    return RowHistoryEntry(seen, first, began, last, until, nights, bool(still))


def _make_attempt_record(row: tuple[Any, ...]) -> AttemptRecord:
    record = AttemptRecord(*row)
    return replace(record, message=load_line(record.message))
