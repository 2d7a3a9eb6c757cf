"""Short ways to put something into a ledger."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager

from pipeline.domain.roster import Field
from pipeline.domain.seals import UPLOAD_REFUSED, SealRequest, Verdict
from pipeline.ledger.disk import list_side_files
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.maintenance import check_events
from pipeline.ledger.operations import dump_tables
from pipeline.ledger.records import AdoptedSeal, Decision
from pipeline.ledger.sqlite_ledger import LedgerFile

NOW = 1_795_000_000.0

UNKNOWN = Verdict("unknown", code="no_answer")
EXISTS = Verdict("exists", code="FailedOperation.ExistSameSealName")
SEALS = [
    AdoptedSeal("p1", "S1", "王小明", "****0011", "王小明处方章"),
    AdoptedSeal("p2", "S2", None, "****0012", None),
]


def make_request(attempt, *, name: str = "王小明", staff_no: str = "") -> SealRequest:
    """Return what an attempt sends."""
    values = {Field.NAME: name, Field.NUMBER: "110101199001010011"}
    return SealRequest(attempt.key, attempt.row_id, attempt.seal_name, values, attempt.content, staff_no)


async def open_attempt(ledger, attempt, **request) -> None:
    """Enter an attempt."""
    await ledger.open_attempt(attempt, make_request(attempt, **request))


async def record_verdict(ledger, attempt, verdict, *, now: float) -> None:
    """Enter the verdict of an attempt."""
    await ledger.record_verdict(attempt.uuid, attempt.key, verdict, now=now)


async def settle_attempt(ledger, attempt, verdict, *, now: float) -> None:
    """Enter an attempt and then its verdict; None: it stays open."""
    if attempt.contract == UPLOAD_REFUSED:
        await ledger.record_refused_upload(attempt, make_request(attempt), verdict, now=now)
        return
    await open_attempt(ledger, attempt)
    if verdict is not None:
        await record_verdict(ledger, attempt, verdict, now=now)


def send(ledger, attempt, verdict):
    """Enter an attempt and its verdict."""
    asyncio.run(settle_attempt(ledger, attempt, verdict, now=9.0))


def decision(kind, key, **more):
    return Decision(kind, key, 20.0, "it", "looked it up", **more)


def list_run_ids(ledger) -> set[str]:
    return {run.run for run in ledger.list_runs(100)}


def require_same_summary(ledger) -> None:
    """Compare what the database counts with the people of the ledger."""
    summary, people = ledger.read_summary(), ledger.snapshot().people.values()
    assert summary.sealed == sum(person.seal is not None for person in people)
    assert summary.refused == sum(bool(person.refusals) and person.seal is None for person in people)
    assert {(create.uuid, person.key) for create, person in summary.open_creates} == {
        (person.unresolved_attempt.uuid, person.key)
        for person in people
        if person.unresolved_attempt is not None
    }


# -- openings


@contextmanager
def hold_open(store: LedgerFile, *, run: str = "r") -> Iterator[Ledger]:
    """Open a ledger for writing as a run does, or as other work does that has a name of its own."""
    with store.hold.acquire(run=run, now=NOW), closing(store.open_for_writing(now=NOW)) as ledger:
        yield ledger


def remove_ledger(store: LedgerFile) -> None:
    for file in (store.path, *list_side_files(store.path)):
        file.unlink(missing_ok=True)


def read_tables(store: LedgerFile) -> dict:
    with closing(store.open_for_reading()) as ledger:
        return ledger.read(dump_tables)


def require_whole(store: LedgerFile) -> None:
    """Check that the tables follow from the events, and that both journals hold them all."""
    assert not store.is_behind()
    with closing(store.open_for_reading()) as ledger:
        journals = store.places.make_journals(ledger.site_key)
        assert ledger.read(check_events, journals).defects == ()
