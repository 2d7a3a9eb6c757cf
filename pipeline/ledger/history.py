"""Enters and reads runs, and what each recorded of the rows of its rosters.

A line is stored once for successive runs of the same command over the same rosters (a series) that recorded the same: it
holds from its first run until the one that recorded something else, or no longer had the row. A run without changes enters
no row.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from pipeline.domain.name_key import make_name_key
from pipeline.domain.row_record import RowLine
from pipeline.domain.run import PLAN_GUARDS, Status
from pipeline.ledger.events import Event
from pipeline.ledger.records import LedgerConflict, RowHistoryEntry, RowRecord, RunRecord
from pipeline.ledger.tables import Connection, compute_next, insert_row, make_placeholders, select_rows

ROWS_IN_AN_EVENT = 2_000
_DIGEST_BYTES = 16
_END_COLUMNS = ("finished", "exit", "record")
_ROW_COLUMNS = "row_id, person AS key, file, sheet, row_no AS row, status, codes, line"
_IN_RUN = "series = ? AND first_run <= ? AND (until_run IS NULL OR until_run > ?)"


# --- runs


def build_run_args(record: RunRecord) -> dict[str, Any]:
    """Return the arguments of the event of a run that begins, or that is known from elsewhere with its end."""
    return {**asdict(record), "record": _replace_undecodable(record.record) if record.record else None}


def build_run_end_args(run: str, *, exit_code: int, finished: float, record: str) -> dict[str, Any]:
    """Return the arguments of the event of a run's end; ``record`` is its run.json."""
    return {"run": run, "exit": exit_code, "finished": finished, "record": _replace_undecodable(record)}


def apply_run(connection: Connection, event: Event) -> None:
    """Enter a run that begins."""
    args = dict(event.args)
    if connection.execute("SELECT 1 FROM run WHERE run = ?", (args["run"],)).fetchone() is not None:
        raise LedgerConflict("run")
    end = {name: args.pop(name) for name in _END_COLUMNS}
    series = json.dumps(
        [args["command"], sorted(set(args["rosters"]))]
    )  # escapes: a name may hold bytes that are no UTF-8
    insert_row(
        connection,
        "run",
        {
            "number": compute_next(connection, "run", "number"),
            "run": args["run"],
            "series": series,
            "saw_rows": 0,
            "finished": end["finished"],
            "exit_code": end["exit"],
            "record": end["record"],
            "halted": _get_halt_code(end["record"]),
            "facts": json.dumps(args),
        },
    )


def apply_run_end(connection: Connection, event: Event) -> None:
    """Enter how a run ended."""
    args = event.args
    updated = connection.execute(
        "UPDATE run SET exit_code = ?, finished = ?, record = ?, halted = ? WHERE run = ?",
        (args["exit"], args["finished"], args["record"], _get_halt_code(args["record"]), args["run"]),
    )
    if updated.rowcount != 1:
        raise LedgerConflict("run")


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
    statement = f"SELECT facts, finished, exit_code, record FROM run {which}"  # noqa: S608 - our own text
    for facts, finished, exit_code, record in connection.execute(statement, (value,)):
        known = json.loads(facts)
        known["rosters"] = tuple(known["rosters"])
        yield RunRecord(**known, finished=finished, exit=exit_code, record=record)


def _get_halt_code(record: str | None) -> str | None:
    halted = json.loads(record).get("halted") if record else None
    return halted["code"] if halted else None


# --- rows


def build_rows_args(connection: Connection, run: str, rows: Iterable[RowRecord]) -> list[dict[str, Any]]:
    """Return the arguments of the events of what a run records of rows, as far as its series holds something else.

    The first time in a run ``rows`` are all that it has; later they replace what it recorded of them.
    """
    numbered = _read_numbered_run(connection, run)
    current = dict(
        connection.execute(
            "SELECT row_id, digest FROM row_line WHERE series = ? AND until_run IS NULL", (numbered.series,)
        )
    )
    changed: list[list[object]] = []
    present: set[str] = set()
    for row in rows:
        present.add(row.row_id)
        if current.get(row.row_id) != (digest := _digest_row(row)):
            file, line = map(_replace_undecodable, (row.file, row.line))
            changed.append(
                [row.row_id, row.key, file, row.sheet, row.row, row.status, row.codes, line, digest]
            )
    gone = [] if numbered.saw_rows else sorted(current.keys() - present)
    if not (changed or gone):
        return [] if numbered.saw_rows else [{"run": run, "rows": [], "gone": []}]
    parts = range(0, max(len(changed), 1), ROWS_IN_AN_EVENT)
    return [
        {"run": run, "rows": changed[first : first + ROWS_IN_AN_EVENT], "gone": gone if first == 0 else []}
        for first in parts
    ]


def apply_rows(connection: Connection, event: Event) -> None:
    """Enter what a run recorded of rows."""
    args = event.args
    numbered = _read_numbered_run(connection, args["run"])
    connection.execute("UPDATE run SET saw_rows = 1 WHERE number = ?", (numbered.number,))
    end = "UPDATE row_line SET until_run = ? WHERE series = ? AND row_id = ? AND until_run IS NULL"
    own = "DELETE FROM row_line WHERE series = ? AND row_id = ? AND first_run = ?"
    ended = [row[0] for row in args["rows"]] + list(args["gone"])
    connection.executemany(own, [(numbered.series, row_id, numbered.number) for row_id in ended])
    connection.executemany(end, [(numbered.number, numbered.series, row_id) for row_id in ended])
    first_id = compute_next(connection, "row_line", "id")
    lines = []
    for number, (row_id, key, file, sheet, row, status, codes, line, digest) in enumerate(
        args["rows"], first_id
    ):
        content = json.loads(line)
        lines.append(
            (
                number,
                row_id,
                numbered.series,
                numbered.number,
                key,
                content.get("name"),
                content.get("staff_no"),
                file,
                sheet,
                row,
                status,
                json.dumps(codes),
                line,
                digest,
            )
        )
    connection.executemany(
        "INSERT INTO row_line (id, row_id, series, first_run, person, name, staff_no, file, sheet, row_no, status, codes, "
        "line, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        lines,
    )


def list_rows(connection: Connection, run: str) -> list[RowRecord]:
    """Return the row records of a run, sorted by file, sheet and row."""
    numbered = _get_numbered_run(connection, run)
    if numbered is None or not numbered.saw_rows:
        return []
    statement = f"SELECT {_ROW_COLUMNS} FROM row_line WHERE {_IN_RUN} ORDER BY file, coalesce(sheet, ''), row_no, row_id"  # noqa: S608 - our own words
    values = (numbered.series, numbered.number, numbered.number)
    return [_make_row_record(row) for row in select_rows(connection, statement, values)]


def list_open_rows(connection: Connection, run: str, closed: Collection[str]) -> list[RowRecord] | None:
    """Return the row records of a run that have a code, or a status that is not in ``closed``; None where it has no rows."""
    rows = list_rows(connection, run)
    return [row for row in rows if row.codes or row.status not in closed] if rows else None


def list_seen_rows(connection: Connection, row_ids: Collection[str]) -> set[str]:
    """Return which rows an earlier run has read; a run that a guard stopped before its first call does not count."""
    seen: set[str] = set()
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for number, series, halted in connection.execute(
        "SELECT number, series, halted FROM run WHERE saw_rows = 1 ORDER BY number"
    ):
        if halted not in PLAN_GUARDS:
            numbers[series].append(number)
    wanted = frozenset(row_ids)
    for row_id, series, first, until in connection.execute(
        "SELECT row_id, series, first_run, until_run FROM row_line"
    ):
        runs = numbers[series]
        index = bisect_left(runs, first)
        if row_id in wanted and index < len(runs) and (until is None or runs[index] < until):
            seen.add(row_id)
    return seen


def list_row_histories(
    connection: Connection, row_ids: Collection[str], keys: Collection[str]
) -> list[RowHistoryEntry]:
    """Return what runs recorded of these rows, as far as it is of these persons or of none; oldest first."""
    if not row_ids:
        return []
    runs: defaultdict[str, list[tuple[int, RunRecord]]] = defaultdict(list)
    for number, series, facts in connection.execute(
        "SELECT number, series, facts FROM run WHERE saw_rows = 1 ORDER BY number"
    ):
        known = json.loads(facts)
        runs[series].append((number, RunRecord(known["run"], known["command"], known["started"])))
    statement = (
        f"SELECT {_ROW_COLUMNS}, series, first_run, until_run FROM row_line WHERE row_id IN ({make_placeholders(list(row_ids))}) "  # noqa: S608 - our own words
        "ORDER BY first_run, file, coalesce(sheet, ''), row_no"
    )
    histories = []
    for row in select_rows(connection, statement, tuple(row_ids)):
        series, first, until = row.pop("series"), row.pop("first_run"), row.pop("until_run")
        record = _make_row_record(row)
        if record.key is not None and record.key not in keys:
            continue
        own = [run for number, run in runs[series] if number >= first and (until is None or number < until)]
        if own:
            histories.append(
                RowHistoryEntry(
                    row=record,
                    first_run=own[0].run,
                    first_started=own[0].started,
                    last_run=own[-1].run,
                    last_started=own[-1].started,
                    runs=len(own),
                    is_current=until is None,
                )
            )
    return histories


def list_keys_of_rows(connection: Connection, run: str, status: str) -> list[str | None]:
    """Return the persons of a run's rows with a status, one entry a row."""
    return [row.key for row in list_rows(connection, run) if row.status == status]


def list_staff_numbers(connection: Connection) -> dict[str, set[str]]:
    """Return the staff numbers that runs read for every person with a seal, by key."""
    numbers_of: defaultdict[str, set[str]] = defaultdict(set)
    for key, known_name, number, name, status, codes in connection.execute(
        "SELECT DISTINCT row_line.person, person.name, row_line.staff_no, row_line.name, status, codes FROM row_line "
        "JOIN person ON person.person = row_line.person JOIN attempt ON attempt.person = person.person "
        "WHERE state = 'sealed' AND row_line.staff_no IS NOT NULL"
    ):
        if number and not is_anothers_row(status, json.loads(codes), name, known_name):
            numbers_of[key].add(str(number))
    return dict(numbers_of)


def list_row_ids(connection: Connection, keys: Collection[str]) -> set[str]:
    """Return the ids of the rows that runs read for persons."""
    if not keys:
        return set()
    statement = f"SELECT DISTINCT row_id FROM row_line WHERE person IN ({make_placeholders(list(keys))})"  # noqa: S608 - our own words
    return {row_id for (row_id,) in connection.execute(statement, tuple(keys))}


def list_keys_of_row_ids(connection: Connection, row_ids: Collection[str]) -> list[str]:
    if not row_ids:
        return []
    statement = f"SELECT DISTINCT person FROM row_line WHERE person IS NOT NULL AND row_id IN ({make_placeholders(list(row_ids))})"  # noqa: S608 - our own words
    return [key for (key,) in connection.execute(statement, tuple(row_ids))]


def list_rows_without_number(connection: Connection, names: Collection[str]) -> list[RowLine]:
    """Return the lines of rows with one of these names and no usable number."""
    if not names:
        return []
    statement = (
        f"SELECT line FROM row_line WHERE person IS NULL AND name IN ({make_placeholders(list(names))})"  # noqa: S608 - our own words
    )
    return [RowLine.from_text(line) for (line,) in connection.execute(statement, tuple(names))]


def list_people(connection: Connection) -> list[tuple[str | None, str | None]]:
    """Return name and staff number of every person that was read or has a seal, for suggestions."""
    return connection.execute(
        "SELECT DISTINCT name, staff_no FROM row_line UNION SELECT name, NULL FROM person"
    ).fetchall()


def is_anothers_row(status: str, codes: Sequence[str], name: str | None, person_name: str | None) -> bool:
    """Return whether a row was refused because its number also has the name of the person ``person_name``, or another one."""
    is_refused = status == Status.REJECTED.value and "ID_NAME_CONFLICT" in codes
    return is_refused and make_name_key(name or "") != make_name_key(person_name or "")


class _NumberedRun(NamedTuple):
    number: int
    series: str
    saw_rows: bool


def _get_numbered_run(connection: Connection, run: str) -> _NumberedRun | None:
    row = connection.execute("SELECT number, series, saw_rows FROM run WHERE run = ?", (run,)).fetchone()
    return None if row is None else _NumberedRun(row[0], row[1], bool(row[2]))


def _read_numbered_run(connection: Connection, run: str) -> _NumberedRun:
    numbered = _get_numbered_run(connection, run)
    if numbered is None:
        raise LedgerConflict("run")
    return numbered


def _make_row_record(columns: dict[str, Any]) -> RowRecord:
    return RowRecord(**{**columns, "codes": tuple(json.loads(columns["codes"]))})


def _digest_row(row: RowRecord) -> str:
    text = "\0".join(
        (row.key or "", row.file, row.sheet or "", str(row.row), row.status, ",".join(row.codes), row.line)
    )
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()


def _replace_undecodable(text: str) -> str:
    """Replace the bytes of a file name that are no UTF-8: the database takes no such text."""
    return text.encode("utf-8", "replace").decode("utf-8")
