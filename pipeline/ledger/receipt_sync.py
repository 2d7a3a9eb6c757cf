"""Compare a ledger with its receipts before a run, and bring the two together once the run may begin.

`inspect_receipts` reads only: a ledger that lacks what its receipts hold is refused before anything is written.
`synchronize` is called after it and settles what a dead process left.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from pipeline.errors import LedgerError
from pipeline.ledger import attempts as journal
from pipeline.ledger import receipt_facts, receipts
from pipeline.ledger.receipts import Mark, Receipt, Receipts
from pipeline.ledger.registry import Progress, read_progress

VERIFIED_BYTES = 32 << 20  # of the chain at each opening: so much before its end, and one window of the rest


@dataclass(slots=True)
class Lacking:
    """What receipts hold and the ledger does not."""

    unanswered: int = (
        0  # attempts without a verdict: one commit that did not come about, or one that was lost
    )
    answered: int = 0  # attempts with a verdict: they were committed, and sent
    seals: int = 0


def receipts_path(ledger: Path) -> Path:
    """Return where a ledger's receipts lie."""
    return ledger.with_name(receipts.NAME)


def inspect_receipts(path: Path, connection: sqlite3.Connection, *, registered: Progress | None) -> None:
    """Refuse a ledger that lacks what its receipts hold. Nothing is written.

    ``registered`` is how far the registry saw this ledger get, None where it does not know it. The last commit of a
    killed process may stand in the receipts alone. Its attempts never left: the registry, which counts after each
    commit, does not count them. Without that evidence they count as sent.

    Raises LedgerError where the receipts hold attempts or seals that the ledger lacks, and where their chain is broken.
    """
    place = receipts_path(path)
    if not place.exists():
        return
    mark = receipt_facts.mark_of(connection)
    reached = _is_reached(place, mark)
    if reached:
        (runs,) = connection.execute("SELECT coalesce(max(number), 0) FROM run").fetchone()
        _verify_chain(place, mark, window=runs)
    after = mark if reached else Mark()
    lacking = find_lacking(connection, receipts.read_unchained(place, after=after))
    never_sent = registered is not None and not read_progress(connection).is_behind(registered)
    if lacking.answered or lacking.seals or (lacking.unanswered and not never_sent):
        raise LedgerError(
            "ledger.behind_receipts",
            path=path,
            place=place,
            attempts=lacking.answered + lacking.unanswered,
            seals=lacking.seals,
            then=("ledger", "rebuild"),
        )
    broken_line = receipts.find_break(place, after=after)
    if broken_line is not None and not (reached and never_sent):
        raise _broken(place, broken_line)


def find_lacking(connection: sqlite3.Connection, held: Iterable[Receipt]) -> Lacking:
    """Return how many attempts and seals of some receipts a ledger does not hold.

    A verdict of an attempt that the ledger holds without one is not lost: `synchronize` enters it.
    """
    verdicts: dict[str, str | None] = {}
    makers: dict[str, str | None] = {}  # SealId -> attempt
    for receipt in held:
        columns = receipt.columns
        if receipt.table == "attempt":
            uuid = str(receipt.id)
            verdicts[uuid] = columns.get("verdict") or verdicts.get(uuid)
        elif receipt.table == "seal" and columns.get("seal_id"):
            makers[str(columns["seal_id"])] = columns.get("attempt")
    lacking = Lacking()
    waiting = set()
    for uuid, verdict in verdicts.items():
        known = connection.execute("SELECT verdict FROM attempt WHERE uuid = ?", (uuid,)).fetchone()
        if known is None:
            lacking.answered += verdict is not None
            lacking.unanswered += verdict is None
        elif known[0] is None:
            waiting.add(uuid)
    for seal_id, maker in makers.items():
        known = connection.execute("SELECT 1 FROM seal WHERE seal_id = ?", (seal_id,)).fetchone()
        lacking.seals += known is None and maker not in waiting
    return lacking


def synchronize(path: Path, connection: sqlite3.Connection, now: float) -> Receipts:
    """Settle what a dead process left, from its receipts where they hold more, and return the receipts to go on with."""
    place = receipts_path(path)
    mark = receipt_facts.mark_of(connection)
    reached = _is_reached(place, mark)
    if not reached and place.exists():
        place.rename(set_aside_path(place))
    behind = _readable(place, mark) if reached else []
    with _transaction(connection):  # before anything behind the mark is cut off
        receipt_facts.replay_receipts(connection, behind)
    with _transaction(connection):
        changed = receipt_facts.of_receipts(
            behind
        )  # the ledger may have committed what its mark does not reach
        for uuid in journal.recover(connection, now):
            changed += receipt_facts.of_verdict(uuid)
        if not reached:
            mark = receipts.write_all(place, receipt_facts.every(connection))
            changed = []
        kept = Receipts(place, mark)
        if changed:
            mark = kept.append(receipt_facts.told(connection, changed))
        receipt_facts.remember(connection, mark)
    kept.keep(mark)
    return kept


def set_aside_path(place: Path) -> Path:
    """Return a free name for receipts that do not belong to this ledger, or not any more."""
    numbers = count(1)
    return next(
        free for number in numbers if not (free := place.with_name(f"receipts.{number}.jsonl")).exists()
    )


def _verify_chain(place: Path, mark: Mark, *, window: int) -> None:
    """Raise LedgerError where a line before the mark was changed, lost or put in.

    At most twice VERIFIED_BYTES are read: those before the mark, and the window of that number (counted round) of what
    lies before them, so that successive runs read all of it.
    """
    tail = max(0, mark.size - VERIFIED_BYTES)
    _verify_span(place, tail, mark.size)
    if tail:
        start = window % -(-tail // VERIFIED_BYTES) * VERIFIED_BYTES
        _verify_span(place, start, min(start + VERIFIED_BYTES, tail), one_more=True)


def _verify_span(place: Path, start: int, end: int, *, one_more: bool = False) -> None:
    """Check each line that begins between two offsets against the line before it.

    The first line of a span that does not begin the file is only compared with: the span before it checks it, as
    ``one_more``.
    """
    with place.open("rb") as file:
        previous, number, offset = receipts.START, 0, start
        if start:
            file.seek(start - 1)
            offset += len(file.readline()) - 1
            line = file.readline()
            offset += len(line)
            previous, number = hashlib.sha256(line).hexdigest(), receipts.number_of(line)
        for line in file:
            outside = offset >= end
            if outside and not one_more:
                return
            number += 1
            if not receipts.follows(line, number, previous):
                raise _broken(place, number)
            if outside:
                return
            previous = hashlib.sha256(line).hexdigest()
            offset += len(line)


def _is_reached(place: Path, mark: Mark) -> bool:
    """Return whether the file has the line that the ledger's mark names."""
    return mark.n > 0 and receipts.reaches(place, mark)


def _readable(place: Path, mark: Mark) -> list[Receipt]:
    """Return what lies behind the mark, up to where it cannot be read: it was being written when the process died."""
    behind: list[Receipt] = []
    with suppress(receipts.ReceiptsDamaged):
        behind.extend(receipts.read(place, after=mark))
    return behind


def _broken(place: Path, line: int) -> LedgerError:
    return LedgerError("ledger.receipts_broken", place=place, line=line, then=("ledger", "rebuild"))


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Let what is done within take effect whole or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
