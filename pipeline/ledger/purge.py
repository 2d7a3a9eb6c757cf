"""Removes one person's data from ledger and receipts; what prevents a second seal stays: keys, SealIds, dates, verdicts.

Name, last four and digests are overwritten, and the lines of the person's rows are deleted. The receipts are written
again from the ledger, and SQLite rewrites its file, so that no byte remains in free pages or in the write-ahead log.
A seal whose content is no longer known counts as an adopted one: every row of the person is unchanged.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields
from pathlib import Path

from pipeline.domain.masking import hide_names
from pipeline.domain.row_record import RowLine
from pipeline.domain.seals import SealContent
from pipeline.errors import LedgerError
from pipeline.ledger.decisions import erase_names_in_picture_decisions, insert_decision
from pipeline.ledger.protocol import Connection, Decision
from pipeline.ledger.receipt_sync import make_all_receipts, read_position, receipts_path, write_position
from pipeline.ledger.receipts import rewrite_receipts
from pipeline.ledger.schema import transaction
from pipeline.ledger.sqlite_ledger import connect, explain_write_error
from pipeline.support.failpoints import hit_failpoint

PURGE = "purge"  # kind of the decision that records it
REMOVED = "purged"  # how the text in place of a seal name begins
_KEPT_CONTENT = frozenset({"id_type", "scene_key"})  # of SealContent: not about the person
_OVERWRITTEN_CONTENT = ", ".join(
    f"content_{attribute.name} = {'NULL' if 'None' in str(attribute.type) else repr('')}"
    for attribute in fields(SealContent)
    if attribute.name not in _KEPT_CONTENT
)


@dataclass(frozen=True, slots=True)
class PersonTraces:
    """What identifies the records of one person."""

    keys: frozenset[str]  # of all numbers that are the person's; empty: only rows without a usable number
    row_ids: frozenset[str]  # of rows without a usable number
    names: frozenset[str] = field(repr=False)

    def covers(self, line: RowLine) -> bool:
        """Return whether a row's line is the person's."""
        return line.key in self.keys if line.key else line.row_id in self.row_ids


def erase_person(path: Path, traces: PersonTraces, *, now: float, who: str) -> None:
    """Remove a person's data from the ledger at ``path`` and its receipts; the caller holds the run lock.

    The receipts are durable before the commit: a process that dies between the two leaves a ledger that holds the person
    still, and the next opening writes its receipts again. Raises LedgerError where the disk fails, or where another
    process reads the ledger and keeps old pages in use.
    """
    try:
        with closing(connect(path, readonly=False)) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            with transaction(connection):
                connection.execute("PRAGMA defer_foreign_keys = ON")
                erase_records(connection, traces, now=now, who=who)
                hit_failpoint("purge: before the receipts")
                number = read_position(connection).n
                written = rewrite_receipts(receipts_path(path), make_all_receipts(connection), after=number)
                write_position(connection, written)
                hit_failpoint("purge: before the commit")
            hit_failpoint("purge: after the commit")
            _rewrite_file(path, connection)
    except (sqlite3.Error, OSError) as error:
        raise explain_write_error(path, error) from error


def erase_records(connection: Connection, traces: PersonTraces, *, now: float, who: str) -> None:
    """Remove a person's data from the tables, in a transaction that checks references at its end; not from the receipts."""
    _delete_rows(connection, traces)
    _erase_bearers(connection, traces)
    erase_names_in_picture_decisions(connection, traces.keys)
    _hide_in_other_rows(connection, traces.names)
    for key in traces.keys:
        _rename_seals(connection, key)
        _overwrite_person(connection, key, traces.names)
        if connection.execute("SELECT 1 FROM person WHERE key = ?", (key,)).fetchone():
            insert_decision(connection, Decision(PURGE, key, now, who, "purge --person"))


def _delete_rows(connection: Connection, traces: PersonTraces) -> None:
    """Delete the lines of the person's rows."""
    lines = (
        "SELECT id FROM row_line WHERE key IN (SELECT value FROM json_each(?1)) "
        "OR (key IS NULL AND json_extract(line, '$.row_id') IN (SELECT value FROM json_each(?2)))"
    )
    values = (json.dumps(sorted(traces.keys)), json.dumps(sorted(traces.row_ids)))
    ids = json.dumps([number for (number,) in connection.execute(lines, values)])
    connection.execute(
        "DELETE FROM row_seen WHERE line IN (SELECT CAST(value AS bigint) FROM json_each(?))", (ids,)
    )
    connection.execute(
        "DELETE FROM row_line WHERE id IN (SELECT CAST(value AS bigint) FROM json_each(?))", (ids,)
    )


def _erase_bearers(connection: Connection, traces: PersonTraces) -> None:
    """Leave of a person's bearers what keeps other people from the person's file: key, HMACs of staff number and path."""
    connection.execute(
        "UPDATE bearer SET name = '', mobile = '', digits = '', picture = '', shown_name = '', position = '' "
        "WHERE key IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(traces.keys)),),
    )
    connection.execute(
        "DELETE FROM bearer WHERE key = '' AND shown_name IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(traces.names)),),
    )


def _hide_in_other_rows(connection: Connection, names: Collection[str]) -> None:
    for name in names:
        lines = connection.execute("SELECT id, line FROM row_line WHERE instr(line, ?)", (name,)).fetchall()
        for number, text in lines:
            hidden = RowLine.from_text(text).hide_names(names).to_ledger_text()
            connection.execute("UPDATE row_line SET line = ? WHERE id = ?", (hidden, number))


def _rename_seals(connection: Connection, key: str) -> None:
    """Replace a person's seal names, which hold the name: each by a text of its own, everywhere the same."""
    names = connection.execute(
        "SELECT seal_name FROM seal_name WHERE key = ?1 UNION SELECT seal_name FROM attempt WHERE key = ?1",
        (key,),
    ).fetchall()
    removed = f"{REMOVED}-{key[:12]}-"
    number = sum(name.startswith(removed) for (name,) in names)
    for (name,) in names:
        if name.startswith(removed):
            continue
        number += 1
        for table in ("seal_name", "person", "attempt", "seal"):
            connection.execute(
                f"UPDATE {table} SET seal_name = ? WHERE key = ? AND seal_name = ?",  # noqa: S608 - our own words
                (f"{removed}{number}", key, name),
            )


def _overwrite_person(connection: Connection, key: str, names: Collection[str]) -> None:
    """Overwrite the columns of a person, its attempts, seals and decisions that hold personal data."""
    pictures = connection.execute(
        "SELECT content_picture FROM attempt WHERE key = ?1 UNION SELECT content_picture FROM seal WHERE key = ?1",
        (key,),
    ).fetchall()
    connection.executemany("DELETE FROM file_stat WHERE sha256 = ?", pictures)
    connection.execute(
        "UPDATE person SET name = NULL, id_masked = NULL, staff_no = '', mobile = '', seal_name = CASE WHEN EXISTS "
        "(SELECT 1 FROM seal WHERE seal.key = person.key AND ended_by IS NULL) THEN seal_name END WHERE key = ?",
        (key,),
    )
    for table in ("attempt", "seal"):
        statement = f"UPDATE {table} SET {_OVERWRITTEN_CONTENT} WHERE key = ? AND content_name IS NOT NULL"  # noqa: S608 - our own words
        connection.execute(statement, (key,))
    messages = connection.execute("SELECT uuid, message FROM attempt WHERE key = ? AND message <> ''", (key,))
    for uuid, message in messages.fetchall():
        connection.execute(
            "UPDATE attempt SET message = ? WHERE uuid = ?", (hide_names(message, names), uuid)
        )
    connection.execute("DELETE FROM auto_sign WHERE key = ?", (key,))
    connection.execute(
        "UPDATE decision SET why = '', replaced = NULL, detail = CASE WHEN kind = 'replace' THEN NULL ELSE detail END "
        "WHERE key = ?",
        (key,),
    )


def _rewrite_file(path: Path, connection: sqlite3.Connection) -> None:
    """Write the database anew and empty its write-ahead log."""
    for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
        result: Sequence[int] | None = connection.execute(statement).fetchone()
        if result is not None and result[0]:
            raise LedgerError("purge.ledger_in_use", path=path, then=("purge", "--help"))
        hit_failpoint("purge: while the file is written anew")
