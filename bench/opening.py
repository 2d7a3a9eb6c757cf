"""Opens a ledger of 10,000 doctors for writing: with both journals as they should be, and after the ledger was deleted."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench.measure import Measured, alternate
from pipeline.domain.roster import Field
from pipeline.domain.seals import Attempt, Bearer, SealContent, SealRequest, Verdict
from pipeline.ledger.disk import list_side_files
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.places import Places
from pipeline.ledger.sqlite_ledger import LedgerFile

DOCTORS = (10_000, 1_000)  # in full, in the short form
TURNS = 5
AT_ONCE = 100  # creates, so that the ledger is made in few commits
NOW = 1_795_000_000.0
CONTENT = SealContent(
    "王小明", "n" * 32, "ID_CARD", "E_PRESCRIPTION_AUTO_SIGN", "m" * 32, None, "a" * 64, "b" * 64
)


def measure(short: bool) -> Iterator[Measured]:
    doctors = DOCTORS[short]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        store = LedgerFile(
            folder / "state" / "ledger.sqlite3",
            Places("sandbox/app/org", folder / "user", folder / "out" / ".ledger"),
        )
        with store.hold.acquire(run="bench", now=NOW), closing(store.open_for_writing(now=NOW)) as ledger:
            asyncio.run(seal_doctors(ledger, doctors))
        (journal, *_) = (folder / "user").rglob("*.jsonl")

        theirs, ours = alternate(
            TURNS, "intact", lambda: count_seals(store.path), lambda: open_ledger(store, doctors)
        )
        yield Measured("opening.intact", ours, {"sqlite": theirs}, doctors, is_enough=not short)
        theirs, ours = alternate(
            TURNS, "deleted", lambda: read_lines(journal), lambda: open_deleted(store, doctors)
        )
        yield Measured("opening.deleted", ours, {"json": theirs}, doctors, is_enough=not short)


async def seal_doctors(ledger: Ledger, doctors: int) -> None:
    """Enter what a first run over so many doctors enters of them."""
    for first in range(0, doctors, AT_ONCE):
        numbers = range(first, first + AT_ONCE)
        await asyncio.gather(*(seal_doctor(ledger, number) for number in numbers))
        ledger.record_bearers([Bearer(f"p{number}", "n" * 32, f"s{number}") for number in numbers])


async def seal_doctor(ledger: Ledger, number: int) -> None:
    uuid, key, seal_name = f"{number:032}", f"p{number}", f"王小明{number}处方章"
    attempt = Attempt(uuid, key, seal_name, CONTENT, NOW, "r1", f"row{number}", "file_id", "h", NOW + 600)
    values = {Field.NAME: "王小明", Field.NUMBER: f"{number:018}"}
    await ledger.open_attempt(
        attempt, SealRequest(key, f"row{number}", seal_name, values, CONTENT, f"s{number}")
    )
    await ledger.record_verdict(uuid, key, Verdict("sealed", seal_id=f"yD{number:030}"), now=NOW + 1)


def open_ledger(store: LedgerFile, doctors: int) -> float:
    """Return how long it takes to open the ledger for writing, in seconds."""
    begun = time.perf_counter()
    with store.hold.acquire(run="bench", now=NOW), closing(store.open_for_writing(now=NOW)) as ledger:
        seconds = time.perf_counter() - begun
        seals = ledger.read_summary().sealed
    if seals != doctors:
        raise AssertionError(f"{seals} of {doctors} seals are there")
    return seconds


def open_deleted(store: LedgerFile, doctors: int) -> float:
    for file in (store.path, *list_side_files(store.path)):
        file.unlink(missing_ok=True)
    return open_ledger(store, doctors)


def count_seals(path: Path) -> float:
    """Return how long one query of the database takes, in seconds."""
    begun = time.perf_counter()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT count(*) FROM attempt WHERE seal_id <> ''").fetchone()
    return time.perf_counter() - begun


def read_lines(journal: Path) -> float:
    """Return how long it takes to parse one journal and do nothing with it, in seconds."""
    begun = time.perf_counter()
    with journal.open("rb") as lines:
        for line in lines:
            json.loads(line[65:])
    return time.perf_counter() - begun
