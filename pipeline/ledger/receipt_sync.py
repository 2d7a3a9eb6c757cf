"""Makes receipts of the ledger's rows, compares a ledger with its receipts before a run, and synchronizes the two.

`require_complete_ledger` reads only: a ledger that lacks what its receipts hold is refused before anything is written.
`synchronize_receipts` is called after it and completes what a dead process left.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from pipeline.domain.seals import Verdict
from pipeline.errors import LedgerError
from pipeline.ledger import attempts, receipts
from pipeline.ledger.protocol import Connection
from pipeline.ledger.receipts import Fact, Receipt, ReceiptPosition, Receipts
from pipeline.ledger.schema import insert_row, set_row, transaction, without_triggers
from pipeline.support import atomic_files

# table -> its primary key; each table refers only to earlier ones
GUARDED = {
    "meta": "id",
    "run": "run",
    "person": "key",
    "seal_name": "seal_name",
    "decision": "id",
    "attempt": "uuid",
    "seal": "id",
    "bearer": "id",
}
_TABLES = list(GUARDED)
_OMITTED_COLUMNS = {
    "meta": ("receipts_n", "receipts_sha256", "receipts_size"),
    "run": ("record", "rosters", "seals"),
}
# Where rosters lie is no fact that a rebuilt ledger needs: only the ledger stores it, where `retry` reads it.
_REPLACED_COLUMNS = {"run": {"rosters": "[]"}}

_DECIDED_SOURCES = {"adopted", "resolved"}  # of a seal that a person entered

VERIFIED_BYTES = 32 << 20  # of the chain at each opening: so much before its end, and one window of the rest


@dataclass(slots=True)
class MissingFacts:
    """Counts of what receipts hold and the ledger lacks."""

    # attempts without a verdict: one commit that did not come about, or one that was lost
    unanswered: int = 0
    answered: int = 0  # those with a verdict: they were committed, and sent
    seals: int = 0
    decided_seals: int = 0  # further ones, entered by a person: adopted, or found for an attempt


def receipts_path(ledger: Path) -> Path:
    """Return the path of a ledger's receipts."""
    return ledger.with_name(receipts.FILE_NAME)


def require_complete_ledger(path: Path, connection: Connection, *, may_be_behind: bool) -> None:
    """Refuse a ledger that lacks what its receipts hold. Nothing is written.

    ``may_be_behind``: the registry saw more of this ledger than it holds, or does not know it.

    The last commit of a killed process may stand in the receipts alone. Its attempts never left: the registry, which
    counts after each commit, does not count them. Without that evidence they count as sent. With it,
    `synchronize_receipts` enters the seals that a person was entering.

    Raises LedgerError where the receipts hold attempts or seals that the ledger lacks, and where their chain is broken.
    """
    receipts_file = receipts_path(path)
    if not receipts_file.exists():
        return
    position = read_position(connection)
    reached = receipts.holds_line_at(receipts_file, position)
    if reached:
        (runs,) = connection.execute("SELECT coalesce(max(number), 0) FROM run").fetchone()
        _verify_chain(receipts_file, position, window=runs)
    after = position if reached else ReceiptPosition()
    lacking = count_missing_facts(connection, receipts.read_unchained(receipts_file, after=after))
    is_uncommitted = reached and not may_be_behind
    if (
        lacking.answered
        or lacking.seals
        or (lacking.unanswered and may_be_behind)
        or (lacking.decided_seals and not is_uncommitted)
    ):
        raise LedgerError(
            "ledger.behind_receipts",
            path=path,
            place=receipts_file,
            attempts=lacking.answered + lacking.unanswered,
            seals=lacking.seals + lacking.decided_seals,
            then=("ledger", "rebuild"),
        )
    broken_line = receipts.get_break(receipts_file, after=after)
    if broken_line is not None and not is_uncommitted:
        raise _explain_broken_chain(receipts_file, broken_line)


def count_missing_facts(connection: Connection, held: Iterable[Receipt]) -> MissingFacts:
    """Return how many attempts and seals of some receipts a ledger does not hold.

    A verdict of an attempt that the ledger holds without one is not lost: `synchronize_receipts` enters it.
    """
    verdicts: dict[str, str | None] = {}  # of attempts, by uuid
    seals: dict[str | int, Mapping[str, Any]] = {}  # by id
    for receipt in held:
        columns = receipt.columns
        if receipt.table == "attempt":
            uuid = str(receipt.id)
            verdicts[uuid] = columns.get("verdict") or verdicts.get(uuid)
        elif receipt.table == "seal":
            seals[receipt.id] = columns
    lacking = MissingFacts()
    waiting = set()
    for uuid, verdict in verdicts.items():
        known = connection.execute("SELECT verdict FROM attempt WHERE uuid = ?", (uuid,)).fetchone()
        if known is None:
            lacking.answered += verdict is not None
            lacking.unanswered += verdict is None
        elif known[0] is None:
            waiting.add(uuid)
    for columns in _list_missing_seals(connection, filter(None, seals.values())):
        if columns.get("source") in _DECIDED_SOURCES:
            lacking.decided_seals += 1
        elif columns.get("attempt") not in waiting:
            lacking.seals += 1
    return lacking


def _list_missing_seals(
    connection: Connection, seals: Iterable[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return those of some seals, given by their columns, that a ledger does not hold."""
    missing = []
    for seal in seals:
        known = connection.execute("SELECT 1 FROM seal WHERE seal_id = ?", (seal["seal_id"],)).fetchone()
        if known is None:
            missing.append(seal)
    return missing


def synchronize_receipts(
    path: Path, connection: sqlite3.Connection, now: float, *, anew: bool = False
) -> Receipts:
    """Complete what a dead process left, from its receipts where they hold more; return the receipts, open for appending.

    ``anew``: they are renamed, and written again from the ledger.
    """
    receipts_file = receipts_path(path)
    position = read_position(connection)
    reached = not anew and receipts.holds_line_at(receipts_file, position)
    if not reached and receipts_file.exists():
        set_receipts_aside(receipts_file)
    behind: list[Receipt] = []
    if reached:
        with suppress(receipts.ReceiptsDamaged):  # it was being written when the process died
            behind.extend(receipts.read_chained(receipts_file, after=position))
    with transaction(connection):  # before anything behind the position is cut off
        _replay_verdicts(connection, behind)
        _replay_decided_seals(connection, behind)
    with transaction(connection):
        changed = list_receipt_facts(behind)  # the ledger may have committed what its position does not reach
        changed += attempts.recover_attempts(connection, now)
        if not reached:
            position = receipts.rewrite_receipts(
                receipts_file, make_all_receipts(connection), after=position.n
            )
            changed = []
        kept = Receipts(receipts_file, position)
        if changed:
            position = kept.append(make_receipts(connection, changed))
        write_position(connection, position)
    kept.keep(position)
    return kept


def set_receipts_aside(receipts_file: Path) -> Path:
    """Rename receipts that do not belong to this ledger or are damaged; return their new name."""
    return receipts_file.rename(atomic_files.free_name(receipts_file, "receipts.{n}.jsonl"))


def _verify_chain(receipts_file: Path, position: ReceiptPosition, *, window: int) -> None:
    """Raise LedgerError where a line before the position was changed, lost or put in.

    At most twice VERIFIED_BYTES are read: those before the position, and the window of that number (counted round) of what
    lies before them, so that successive runs read all of it.
    """
    tail = max(0, position.size - VERIFIED_BYTES)
    _verify_span(receipts_file, tail, position.size)
    if tail:
        start = window % -(-tail // VERIFIED_BYTES) * VERIFIED_BYTES
        _verify_span(receipts_file, start, min(start + VERIFIED_BYTES, tail), one_more=True)


def _verify_span(receipts_file: Path, start: int, end: int, *, one_more: bool = False) -> None:
    """Check each line that begins between two offsets against the line before it.

    The first line of a span that does not begin the file is only compared with: the span before it checks it, as
    ``one_more``.
    """
    with receipts_file.open("rb") as file:
        position = ReceiptPosition()
        if start:
            file.seek(start - 1)
            file.readline()
            line = file.readline()
            position = ReceiptPosition(
                receipts.read_line_number(line), hashlib.sha256(line).hexdigest(), file.tell()
            )
        chain = receipts.follow_chain(file, position)
        try:
            with suppress(StopIteration):  # the file ends
                while position.size < end:
                    _, position = next(chain)
                if one_more:
                    next(chain)
        except receipts.ReceiptsDamaged as damaged:
            raise _explain_broken_chain(receipts_file, damaged.line) from damaged


def _explain_broken_chain(receipts_file: Path, line: int) -> LedgerError:
    return LedgerError("ledger.receipts_broken", place=receipts_file, line=line, then=("ledger", "rebuild"))


def _replay_verdicts(connection: Connection, behind: Iterable[Receipt]) -> None:
    """Enter verdicts that stand in the receipts alone: their commit failed. An attempt without one was never sent.

    A SealId that the service returned would otherwise be lost.
    """
    for receipt in behind:
        columns = receipt.columns
        if receipt.table != "attempt" or columns.get("verdict") is None:
            continue
        waiting = connection.execute(
            "SELECT 1 FROM attempt WHERE uuid = ? AND verdict IS NULL", (receipt.id,)
        )
        if waiting.fetchone() is None:
            continue
        names = ("seal_id", "request_id", "code", "message", "http_status")
        verdict = Verdict(columns["verdict"], **{name: columns[name] for name in names})
        attempts.enter_verdict(connection, str(receipt.id), verdict, columns["settled_at"])


def _replay_decided_seals(connection: Connection, behind: Sequence[Receipt]) -> None:
    """Enter the seals that a person entered and that stand in the receipts alone, each with the rows it refers to.

    A seal's line stands behind the lines of these rows, so a commit whose last lines are lost is entered up to them.
    """
    rows = collect_rows(behind)
    decided_seals = [
        columns
        for (table, _), columns in rows.items()
        if table == "seal" and columns.get("source") in _DECIDED_SOURCES
    ]
    missing = _list_missing_seals(connection, decided_seals)
    decisions = {seal["decision"] for seal in missing}
    persons = {seal["key"] for seal in missing}
    connection.execute("PRAGMA defer_foreign_keys = ON")  # a person and its seal name refer to each other
    for (table, identity), columns in rows.items():
        match table:
            case "person":
                is_needed = identity in persons
            case "seal_name" | "bearer":
                is_needed = columns.get("key") in persons
            case "decision":
                is_needed = identity in decisions
            case "attempt" | "seal":
                is_needed = columns.get("decision") in decisions
            case _:
                is_needed = False
        if is_needed:
            set_row(connection, table, GUARDED[table], {**columns, GUARDED[table]: identity})


def make_receipts(connection: Connection, facts: Iterable[Fact]) -> list[Receipt]:
    """Return the receipts of facts, from the rows as they are now."""
    list_known = cache(partial(list_columns, connection))  # a commit has many facts of few tables
    receipts: list[Receipt] = []
    for fact in facts:
        if fact.set == ():
            receipts.append(Receipt(fact.table, fact.value, {}))
            continue
        columns = fact.set or list_known(fact.table)
        receipts += _make_row_receipts(connection, fact.table, columns, fact.column, fact.value)
    return receipts


def make_all_receipts(connection: Connection) -> list[Receipt]:
    """Return the receipts of all that the ledger holds."""
    receipts: list[Receipt] = []
    for table in GUARDED:
        receipts += _make_row_receipts(connection, table, list_columns(connection, table))
    return receipts


def read_position(connection: Connection) -> ReceiptPosition:
    """Return the position of the last receipt that the ledger knows."""
    return ReceiptPosition(
        *connection.execute("SELECT receipts_n, receipts_sha256, receipts_size FROM meta").fetchone()
    )


def write_position(connection: Connection, position: ReceiptPosition) -> None:
    """Store the position of the last receipt, in the transaction that it belongs to."""
    connection.execute("UPDATE meta SET receipts_n = ?, receipts_sha256 = ?, receipts_size = ?", position)


def list_receipt_facts(behind: Iterable[Receipt]) -> list[Fact]:
    """Return the facts of the rows that receipts name, to write receipts of their present state."""
    rows = dict.fromkeys((receipt.table, receipt.id) for receipt in behind)
    made = [
        Fact("seal", "attempt", key) for table, key in rows if table == "attempt"
    ]  # perhaps under another id
    return [*(Fact(table, GUARDED[table], key) for table, key in rows), *made]


def collect_rows(receipts: Iterable[Receipt]) -> dict[tuple[str, str | int], dict[str, Any]]:
    """Return the values of rows by table and primary key: the last one of each column counts."""
    rows: defaultdict[tuple[str, str | int], dict[str, Any]] = defaultdict(dict)
    for receipt in receipts:
        if receipt.columns:
            rows[receipt.table, receipt.id].update(receipt.columns)
        else:
            rows.pop((receipt.table, receipt.id), None)
    return dict(rows)


def restore_rows(connection: sqlite3.Connection, receipts: Iterable[Receipt]) -> None:
    """Fill an empty ledger from receipts; the constraints are checked on the result.

    Raises sqlite3.IntegrityError where they are violated; then nothing was entered.
    """
    rows = collect_rows(receipts)
    connection.execute("PRAGMA foreign_keys = ON")
    with without_triggers(connection):
        connection.execute("DELETE FROM meta")
        for (table, _), columns in sorted(rows.items(), key=lambda row: _TABLES.index(row[0][0])):
            known = {name: columns[name] for name in list_columns(connection, table) if name in columns}
            insert_row(connection, table, {**known, **_REPLACED_COLUMNS.get(table, {})})


def list_columns(connection: Connection, table: str) -> Sequence[str]:
    """Return the columns of a table that receipts hold."""
    description = connection.execute(f"SELECT * FROM {table} LIMIT 0").description  # noqa: S608 - our own words
    return [name for name, *_ in description if name not in _OMITTED_COLUMNS.get(table, ())]


def _make_row_receipts(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    column: str | None = None,
    value: str | int | None = None,
) -> Iterator[Receipt]:
    identity = GUARDED[table]
    where = f" WHERE {column} = ?" if column else ""
    rows = connection.execute(
        f"SELECT {identity}, {', '.join(columns)} FROM {table}{where}",  # noqa: S608 - names of our own schema
        () if column is None else (value,),
    )
    for key, *values in rows:
        yield Receipt(table, key, dict(zip(columns, values, strict=True)))
