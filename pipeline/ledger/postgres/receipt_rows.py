"""The receipts of a ledger on a server: rows of its own table, chained as the lines of receipts.jsonl."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.ledger.database import Connection
from pipeline.ledger.receipt_sync import make_all_receipts, write_mark
from pipeline.ledger.receipts import Mark, Receipt, format_lines


def append_receipts(connection: Connection, mark: Mark, receipts: Sequence[Receipt]) -> None:
    """Enter receipts behind a mark, and the new mark, in the transaction that they belong to."""
    lines, new_mark = format_lines(mark, receipts)
    connection.executemany(
        "INSERT INTO receipt (n, line) VALUES (?, ?)",
        [(number, line.decode()) for number, line in enumerate(lines, mark.n + 1)],
    )
    write_mark(connection, new_mark)


def write_all_receipts(connection: Connection) -> None:
    """Put receipts of all that the ledger holds in place of those that are there, in the caller's transaction."""
    connection.execute("DELETE FROM receipt")
    append_receipts(connection, Mark(), make_all_receipts(connection))
