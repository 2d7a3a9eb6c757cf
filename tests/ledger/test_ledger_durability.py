"""What a method that returned has promised, under kills, cancellations and a disk that refuses."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from contextlib import closing, contextmanager

import pytest

from pipeline.domain.roster import FileStat
from pipeline.domain.seals import Verdict
from pipeline.errors import LedgerError
from pipeline.ledger.attempts import ORPHANED
from pipeline.ledger.protocol import UPLOAD_REFUSED, LedgerConflict

OPEN_AND_WAIT = """
import asyncio, sys
sys.path.insert(0, "tests/ledger")
import conftest
from pipeline.ledger.open import open_ledger
from pipeline.domain.seals import Verdict

ledger, _ = open_ledger(place, conftest.TENANT, now=conftest.NOW)
ledger.begin_run(conftest.RUN)

async def night():
    make = conftest.replace
    for number in range(3):
        name = f"{number}处方章"
        await ledger.open_attempt(make(conftest.ATTEMPT, uuid=f"u{number}", key=f"p{number}", seal_name=name))
    await ledger.record_verdict("u0", Verdict("sealed", seal_id="s0"), now=2.0)
    print("in the air", flush=True)
    sys.stdin.read()

asyncio.run(night())
"""


def test_an_attempt_in_the_air_at_kill_9_is_unknown_and_what_was_settled_stays(ledger_path, process, opened):
    child = process(OPEN_AND_WAIT)
    assert child.stdout.readline() == "in the air\n"
    child.kill()
    child.wait()
    people = opened().snapshot().people
    assert people["p0"].seal.seal_id == "s0"
    assert people["p0"].unresolved_attempt is None
    for key in ("p1", "p2"):
        assert (people[key].unresolved_attempt.verdict, people[key].unresolved_attempt.message) == (
            "unknown",
            ORPHANED,
        )
        assert people[key].create_count == 1


def test_a_reader_changes_nothing_and_takes_an_open_attempt_for_unknown(ledger_path, process, opened, raw):
    child = process(OPEN_AND_WAIT)
    assert child.stdout.readline() == "in the air\n"
    alive = opened(readonly=True).snapshot().people
    child.kill()
    child.wait()
    log = ledger_path.with_name(f"{ledger_path.name}-wal")
    before = ledger_path.read_bytes(), log.read_bytes()
    dead = opened(readonly=True).snapshot().people
    assert (ledger_path.read_bytes(), log.read_bytes()) == before
    assert [people["p1"].unresolved_attempt.verdict for people in (alive, dead)] == ["unknown", "unknown"]
    assert raw("SELECT count(*) FROM attempt WHERE verdict IS NULL") == [(2,)]


def test_a_refused_upload_whose_refusal_was_not_entered_made_nothing(ledger, opened, attempt):
    """No create was sent: there is nothing that a human could look up."""
    asyncio.run(ledger.open_attempt(attempt("p1", contract=UPLOAD_REFUSED)))
    ledger.close()
    history = opened().snapshot().people["p1"]
    assert (history.unresolved_attempt, history.create_count, history.seal_name_locked) == (None, 0, False)


def test_opening_for_reading_leaves_open_attempts_alone(ledger, opened, attempt, raw):
    asyncio.run(ledger.open_attempt(attempt("p1")))
    ledger.close()
    opened(readonly=True).close()
    assert raw("SELECT verdict FROM attempt") == [(None,)]
    opened().close()
    assert raw("SELECT verdict FROM attempt") == [("unknown",)]


async def test_a_call_that_returned_is_visible_to_other_connections(ledger, attempt, sealed, raw):
    first = attempt("p1")
    await ledger.open_attempt(first)
    assert raw("SELECT uuid, verdict FROM attempt") == [(first.uuid, None)]
    await ledger.record_verdict(first.uuid, sealed("s1"), now=2.0)
    assert raw("SELECT seal_id, attempt, at FROM seal") == [("s1", first.uuid, 2.0)]


def test_every_commit_is_flushed(ledger):
    connection = ledger._writer._connection
    settings = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in settings} == settings


async def test_operations_that_wait_for_a_commit_share_the_next_one_in_order(ledger, attempt, held, raw):
    messages = []
    ledger._writer._connection.set_trace_callback(messages.append)
    attempts = [attempt(f"p{number}") for number in range(20)]
    with held(ledger):
        waiting = [asyncio.ensure_future(ledger.open_attempt(one)) for one in attempts]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert messages.count("COMMIT") == 2, "the one that held the writer, and one for all twenty"
    assert [uuid for (uuid,) in raw("SELECT uuid FROM attempt ORDER BY number")] == [
        one.uuid for one in attempts
    ]


async def test_a_failing_operation_does_not_undo_its_neighbours(ledger, attempt, held, sealed):
    first = attempt("p1")
    await ledger.open_attempt(first)
    with held(ledger):
        waiting = asyncio.gather(
            ledger.open_attempt(attempt("p2")),
            ledger.open_attempt(attempt("p1")),
            ledger.open_attempt(attempt("p3", name="\ud800")),  # text no database can hold
            ledger.record_verdict(first.uuid, sealed("s1"), now=2.0),
            return_exceptions=True,
        )
        await asyncio.sleep(0)
    opened, refused, broken, settled = await waiting
    assert (opened, settled) == (None, None)
    assert isinstance(refused, LedgerConflict)
    assert isinstance(broken, UnicodeEncodeError)
    people = ledger.snapshot().people
    assert people.keys() == {"p1", "p2"}
    assert people["p1"].seal.seal_id == "s1"


async def test_an_attempt_cancelled_in_the_queue_is_not_recorded(ledger, attempt, held):
    with held(ledger):
        waiting = asyncio.ensure_future(ledger.open_attempt(attempt("p1")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await ledger.open_attempt(attempt("p2"))
    assert ledger.snapshot().people.keys() == {"p2"}


async def test_an_attempt_cancelled_on_its_way_to_the_disk_is_withdrawn(ledger, attempt, held, raw):
    first = attempt("p1")
    with held(ledger):
        # both wait for the writer, which then takes both: the second is in the middle of it when it is cancelled
        inner = held(ledger)
        entering = asyncio.ensure_future(asyncio.to_thread(inner.__enter__))
        await asyncio.to_thread(until_queued, ledger)
        waiting = asyncio.ensure_future(ledger.open_attempt(first))
        await asyncio.sleep(0)
    await entering
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    inner.__exit__(None, None, None)
    await ledger.open_attempt(attempt("p1"))
    assert raw("SELECT verdict FROM attempt WHERE uuid = ?", first.uuid) == [("not_executed",)]


async def test_a_verdict_is_entered_though_its_caller_is_cancelled(ledger, attempt, held, sealed):
    first = attempt("p1")
    await ledger.open_attempt(first)
    with held(ledger):
        waiting = asyncio.ensure_future(ledger.record_verdict(first.uuid, sealed("s1"), now=2.0))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    ledger.close()
    assert ledger.snapshot().people["p1"].seal.seal_id == "s1"


async def test_closing_commits_what_is_queued(ledger, attempt, held):
    waiting = []
    with held(ledger):
        waiting = [asyncio.ensure_future(ledger.open_attempt(attempt(f"p{number}"))) for number in range(3)]
        await asyncio.sleep(0)
        closing_it = asyncio.ensure_future(asyncio.to_thread(ledger.close))
        await asyncio.sleep(0)
    await asyncio.gather(closing_it, *waiting)
    assert len(ledger.snapshot().people) == 3
    with pytest.raises(RuntimeError, match="closed"):
        await ledger.open_attempt(attempt("p9"))


def until_queued(ledger):
    """Return once another thread's operation stands in the writer's queue."""
    while ledger._writer._queue.empty():
        pass


@contextmanager
def no_file_may_grow(size: int):
    """Let the kernel refuse every write beyond ``size`` bytes of a file, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_after_a_write_the_disk_refused_nothing_is_sent_and_verdicts_are_still_taken(
    ledger, attempt, sealed, ledger_path
):
    first = attempt("p1")
    await ledger.open_attempt(first)
    size = ledger_path.with_name(f"{ledger_path.name}-wal").stat().st_size
    with no_file_may_grow(size):
        with pytest.raises(LedgerError, match="could not be written") as refused:
            await ledger.open_attempt(attempt("p2"))
        with pytest.raises(LedgerError):
            await ledger.record_verdict(first.uuid, sealed("s1"), now=2.0)
    assert refused.value.exit_code == 74
    assert ledger.snapshot().people.keys() == {"p1"}
    await ledger.record_verdict(first.uuid, sealed("s1"), now=3.0)
    with pytest.raises(LedgerError):
        await ledger.open_attempt(attempt("p2"))
    assert ledger.snapshot().people["p1"].seal.seal_id == "s1"


def test_a_ledger_that_may_not_grow_is_reported_as_full(ledger):
    """SQLite notices in the middle of the operation, not at its commit."""
    ledger._writer._connection.execute("PRAGMA max_page_count = 1").fetchone()
    many = {f"/seals/{number}.png": FileStat(1, 1, "a" * 64) for number in range(5000)}
    with pytest.raises(LedgerError, match="full"):
        ledger.record_files(many)
    assert len(ledger.list_known_files()) == 0


async def test_a_write_too_large_for_the_disk_does_not_take_a_small_neighbour_with_it(
    ledger, attempt, sealed, ledger_path, held
):
    first = attempt("p1")
    await ledger.open_attempt(first)
    large = {f"/seals/{number}.png": FileStat(1, 1, "a" * 64) for number in range(5000)}
    size = ledger_path.with_name(f"{ledger_path.name}-wal").stat().st_size
    with no_file_may_grow(size + 200_000):
        with held(ledger):
            remembering = asyncio.ensure_future(asyncio.to_thread(ledger.record_files, large))
            await asyncio.to_thread(until_queued, ledger)
            settling = asyncio.ensure_future(ledger.record_verdict(first.uuid, sealed("s1"), now=2.0))
            await asyncio.sleep(0)
        await settling
        with pytest.raises(LedgerError):
            await remembering
    assert ledger.snapshot().people["p1"].seal.seal_id == "s1"
    assert len(ledger.list_known_files()) == 0


async def test_a_ledger_opened_for_reading_writes_nothing(ledger, opened, attempt):
    reader = opened(readonly=True)
    with pytest.raises(RuntimeError, match="for reading"):
        await reader.open_attempt(attempt("p1"))
    with pytest.raises(RuntimeError, match="for reading"):
        await reader.record_verdict("u", Verdict("unknown"), now=1.0)
    with pytest.raises(RuntimeError, match="for reading"):
        reader.record_files({"/a.png": FileStat(1, 1, "a")})


def test_a_ledger_damaged_under_way_is_reported_as_such(ledger, ledger_path):
    ledger.close()
    with closing(sqlite3.connect(ledger_path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    ledger_path.write_bytes(ledger_path.read_bytes()[:4096] + b"\xff" * (ledger_path.stat().st_size - 4096))
    with pytest.raises(LedgerError, match="ledger restore"):
        ledger.snapshot()
