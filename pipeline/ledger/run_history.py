"""Runs, and the row records of each, stored once for successive runs that recorded the same.

An entry holds from its first run to its last. A run that records the same moves the last run forward, which writes some
sixty bytes a row instead of the whole line. Only an entry that ended with the previous run is moved: the newest earlier
run of the same command over the same rosters. A retry between two runs does not interrupt an entry.

Also entered and read here: who bore which name, staff number and picture in earlier runs (`pipeline.domain.seals`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from pipeline.domain.run import PLAN_GUARDS
from pipeline.domain.seals import Bearer
from pipeline.ledger.protocol import Connection, LedgerConflict, RowRecord, RunRecord
from pipeline.ledger.receipts import Fact
from pipeline.ledger.schema import insert_row, select_columns

DIGEST_BYTES = 16
_RUN_COLUMNS = [field.name for field in fields(RunRecord)]
_ROW_COLUMNS = [field.name for field in fields(RowRecord)]
_BEARER_COLUMNS = [field.name for field in fields(Bearer)]
_ROWS_OF_RUN = (
    "FROM run AS asked JOIN row_seen AS s ON asked.number BETWEEN s.first_run AND s.last_run "
    "JOIN row_line AS l ON l.id = s.line "
    "WHERE asked.run = ? AND asked.saw_rows = 1 AND s.first_run IN "
    "(SELECT number FROM run AS began WHERE began.command = asked.command AND began.rosters = asked.rosters)"
)
_SELECT_ROWS = f"SELECT s.row_id, l.key, l.file, l.sheet, l.row, l.status, l.codes, l.line {_ROWS_OF_RUN}"


def enter_rows(connection: Connection, run: str, rows: Iterable[RowRecord]) -> list[Fact]:
    """Enter these rows of a run, replacing what it entered of them before; they set no fact that receipts hold."""
    number, before = _number_run_and_predecessor(connection, run)
    connection.execute("UPDATE run SET saw_rows = 1 WHERE number = ?", (number,))
    entries = {
        row_id: entry  # of two entries of a row the later one is this run's own
        for row_id, *entry in connection.execute(
            "SELECT row_id, first_run, last_run, digest, line FROM row_seen WHERE last_run IN (?, ?) "
            "ORDER BY row_id, first_run",
            (number, before),
        )
    }
    moved: list[tuple[int, str, int]] = []
    replaced: list[tuple[RowRecord, bytes, int]] = []
    entered: list[tuple[RowRecord, bytes]] = []
    for row in rows:
        digest = _digest_row(row)
        if (entry := entries.get(row.row_id)) is None:
            entered.append((row, digest))
            continue
        first, last, known_digest, line = entry
        if known_digest == digest:
            if last != number:
                moved.append((number, row.row_id, first))
        elif first == number:
            replaced.append((row, digest, line))
        else:
            if last == number:  # moved by this run's first entry, which is replaced now
                moved.append((before, row.row_id, first))
            entered.append((row, digest))
    connection.executemany("UPDATE row_seen SET last_run = ? WHERE row_id = ? AND first_run = ?", moved)
    _update_lines(connection, number, replaced)
    _insert_lines(connection, number, entered)
    return []


def list_seen_rows(connection: Connection, row_ids: Collection[str]) -> set[str]:
    """Return which rows an earlier run has read; a run that a guard stopped before its first call does not count."""
    rows = connection.execute(
        "SELECT DISTINCT row_id FROM row_seen JOIN json_each(?1) ON row_id = value WHERE EXISTS (SELECT 1 FROM run "
        "WHERE number BETWEEN first_run AND last_run "
        "AND coalesce(json_extract(record, '$.halted.code'), '') NOT IN (SELECT value FROM json_each(?2)))",
        (json.dumps(list(row_ids)), json.dumps(sorted(PLAN_GUARDS))),
    )
    return {row_id for (row_id,) in rows}


def read_rows(connection: Connection, run: str) -> list[RowRecord]:
    """Return the row records of a run, sorted by file, sheet and row."""
    rows = select_columns(
        connection,
        f"{_SELECT_ROWS} ORDER BY l.file, l.sheet IS NOT NULL, l.sheet, l.row, s.row_id",
        (run,),
    )
    return list(map(make_row_record, rows))


def read_open_rows(connection: Connection, run: str, closed: Collection[str]) -> list[RowRecord] | None:
    """Return the row records of a run that have a code, or a status that is not in ``closed``; None where it has no rows."""
    if connection.execute(f"SELECT 1 {_ROWS_OF_RUN} LIMIT 1", (run,)).fetchone() is None:
        return None
    rows = select_columns(
        connection,
        f"{_SELECT_ROWS} AND (l.codes <> '[]' OR l.status NOT IN (SELECT value FROM json_each(?)))",  # noqa: S608 - names of our own schema
        (run, json.dumps(sorted(closed))),
    )
    return list(map(make_row_record, rows))


def list_keys_of_rows(connection: Connection, run: str, status: str) -> list[str | None]:
    """Return the persons of a run's rows with a status, one entry a row."""
    rows = connection.execute(f"SELECT l.key {_ROWS_OF_RUN} AND l.status = ?", (run, status))
    return [key for (key,) in rows]


def make_row_record(columns: dict[str, Any]) -> RowRecord:
    """Make a row record of its columns, and take these out."""
    values = {name: columns.pop(name) for name in _ROW_COLUMNS}
    return RowRecord(**{**values, "codes": tuple(json.loads(values["codes"]))})


def _number_run_and_predecessor(connection: Connection, run: str) -> tuple[int, int]:
    """Return the number of a run, and of the previous run of the same command over the same rosters (0: none)."""
    numbers = connection.execute(
        "SELECT number, coalesce((SELECT max(number) FROM run AS earlier WHERE earlier.command = this.command "
        "AND earlier.rosters = this.rosters AND earlier.number < this.number AND earlier.saw_rows = 1), 0) "
        "FROM run AS this WHERE run = ?",
        (run,),
    ).fetchone()
    if numbers is None:
        raise LedgerConflict("run")
    number, before = numbers
    return number, before


def _digest_row(row: RowRecord) -> bytes:
    text = "\0".join(
        (row.key or "", row.file, row.sheet or "", str(row.row), row.status, ",".join(row.codes), row.line)
    )
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def _make_columns(row: RowRecord) -> tuple[object, ...]:
    file, line = map(replace_undecodable, (row.file, row.line))
    return row.key, file, row.sheet, row.row, row.status, json.dumps(row.codes), line


def replace_undecodable(text: str) -> str:
    """Replace the bytes of a file name that are no UTF-8: the database takes no such text."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _update_lines(connection: Connection, number: int, rows: Sequence[tuple[RowRecord, bytes, int]]) -> None:
    connection.executemany(
        "UPDATE row_line SET key = ?, file = ?, sheet = ?, row = ?, status = ?, codes = ?, line = ? WHERE id = ?",
        ((*_make_columns(row), line) for row, _, line in rows),
    )
    connection.executemany(
        "UPDATE row_seen SET digest = ? WHERE row_id = ? AND first_run = ?",
        ((digest, row.row_id, number) for row, digest, _ in rows),
    )


def _insert_lines(connection: Connection, number: int, rows: Sequence[tuple[RowRecord, bytes]]) -> None:
    newest: int = connection.execute("SELECT coalesce(max(id), 0) FROM row_line").fetchone()[0]
    numbered = [(line, row, digest) for line, (row, digest) in enumerate(rows, start=newest + 1)]
    connection.executemany(
        "INSERT INTO row_line (key, file, sheet, row, status, codes, line, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ((*_make_columns(row), line) for line, row, _ in numbered),
    )
    connection.executemany(
        "INSERT INTO row_seen (row_id, first_run, last_run, digest, line) VALUES (?, ?, ?, ?, ?)",
        ((row.row_id, number, number, digest, line) for line, row, digest in numbered),
    )


def enter_run(connection: Connection, record: RunRecord) -> list[Fact]:
    """Enter a run that begins."""
    columns = {column: getattr(record, column) for column in _RUN_COLUMNS}
    columns["rosters"] = json.dumps(columns["rosters"])  # escapes: a name may hold bytes that are no UTF-8
    columns["record"] = replace_undecodable(record.record) if record.record else None
    insert_row(connection, "run", columns)
    return [Fact("run", "run", record.run)]


def enter_run_end(
    connection: Connection,
    run: str,
    *,
    exit: int,  # noqa: A002 - the name in run.json
    finished: float,
    record: str,
) -> list[Fact]:
    """Enter exit code, end (unix seconds) and run.json of a run; raise LedgerConflict for an unknown one."""
    updated = connection.execute(
        "UPDATE run SET exit = ?, finished = ?, record = ? WHERE run = ?",
        (exit, finished, replace_undecodable(record), run),
    )
    if updated.rowcount != 1:
        raise LedgerConflict("run")
    return [Fact("run", "run", run)]


def get_run(connection: Connection, run: str) -> RunRecord | None:
    """Return one run, or None."""
    return next(_read_runs(connection, "WHERE run = ?", run), None)


def list_runs(connection: Connection, limit: int) -> list[RunRecord]:
    """Return the newest runs, newest first."""
    return list(_read_runs(connection, "ORDER BY number DESC LIMIT ?", limit))


def get_last_run(connection: Connection, *, complete: bool = False) -> RunRecord | None:
    """Return the newest run, or the newest that came to its end."""
    ended = "WHERE finished IS NOT NULL" if complete else ""
    return next(_read_runs(connection, f"{ended} ORDER BY number DESC LIMIT ?", 1), None)


def _read_runs(connection: Connection, which: str, value: str | int) -> Iterator[RunRecord]:
    """Yield the runs that a WHERE or ORDER clause with one value selects."""
    statement = f"SELECT {', '.join(_RUN_COLUMNS)} FROM run {which}"  # noqa: S608 - our own text
    for columns in select_columns(connection, statement, (value,)):
        columns["rosters"] = tuple(json.loads(columns["rosters"]))
        yield RunRecord(**columns)


def enter_bearers(connection: Connection, bearers: Sequence[Bearer]) -> list[Fact]:
    """Enter bearers; what a run knows already it does not enter again."""
    (before,) = connection.execute("SELECT coalesce(max(id), 0) FROM bearer").fetchone()
    for number, bearer in enumerate(bearers, start=before + 1):
        columns = {name: getattr(bearer, name) for name in _BEARER_COLUMNS}
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
        f"SELECT {', '.join(_BEARER_COLUMNS)} FROM bearer "  # noqa: S608 - names of our own schema
        "WHERE EXISTS (SELECT 1 FROM meta WHERE tenant = ?) ORDER BY id"
    )
    return [_make_bearer(columns) for columns in select_columns(connection, statement, (tenant,))]


def _make_bearer(columns: dict[str, Any]) -> Bearer:
    return Bearer(**{**columns, "is_contested": bool(columns["is_contested"])})
