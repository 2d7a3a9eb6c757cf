"""What a method that returned has promised, under kills, cancellations and a disk that refuses."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from contextlib import closing, contextmanager

import pytest
from ledger_support import open_attempt, record_verdict

from pipeline.domain.roster import FileStat
from pipeline.domain.seals import Verdict
from pipeline.errors import LedgerError
from pipeline.ledger.disk import RESERVE_BYTES, reserve_path
from pipeline.ledger.people import ENDED
from pipeline.ledger.records import LedgerConflict

OPEN_AND_WAIT = """
import asyncio, sys
sys.path[:0] = ["tests/ledger", "tests/support"]
import conftest
from ledger_support import open_attempt, record_verdict
from pipeline.domain.seals import Verdict
from pipeline.ledger.sqlite_ledger import LedgerFile
from pipeline.ledger.places import Places

folder = place.parent.parent
store = LedgerFile(place, Places(conftest.TENANT, folder / "user", folder / "out" / ".ledger"))
store.hold.acquire(run="r1", now=conftest.NOW)
ledger = store.open_for_writing(now=conftest.NOW)
ledger.begin_run(conftest.RUN)

async def night():
    make = conftest.replace
    for number in range(3):
        name = f"{number}处方章"
        await open_attempt(ledger, make(conftest.ATTEMPT, uuid=f"u{number}", key=f"p{number}", seal_name=name))
    await ledger.record_verdict("u0", "p0", Verdict("sealed", seal_id="s0"), now=2.0)
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
        waiting = people[key].unresolved_attempt
        assert (waiting.state, waiting.verdict, waiting.message) == ("open", None, ENDED)
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
    assert alive == dead
    assert dead["p1"].unresolved_attempt.message == ENDED
    assert raw("SELECT count(*) FROM attempt WHERE verdict IS NULL") == [(2,)]


async def test_a_call_that_returned_is_visible_to_other_connections(ledger, attempt, sealed, raw):
    first = attempt("p1")
    await open_attempt(ledger, first)
    assert raw("SELECT uuid, verdict FROM attempt") == [(first.uuid, None)]
    await record_verdict(ledger, first, sealed("s1"), now=2.0)
    assert raw("SELECT seal_id, uuid, settled_at FROM attempt") == [("s1", first.uuid, 2.0)]


def test_every_commit_is_flushed(ledger):
    connection = ledger._writer._connection
    settings = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}
    assert {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in settings} == settings


async def test_operations_that_wait_for_a_commit_share_the_next_one_in_order(ledger, attempt, held, raw):
    messages = []
    ledger._writer._connection.set_trace_callback(messages.append)
    attempts = [attempt(f"p{number}") for number in range(20)]
    with held(ledger):
        waiting = [asyncio.ensure_future(open_attempt(ledger, one)) for one in attempts]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert messages.count("COMMIT") == 2, "the one that held the writer, and one for all twenty"
    assert [uuid for (uuid,) in raw("SELECT uuid FROM attempt ORDER BY event_number")] == [
        one.uuid for one in attempts
    ]


async def test_a_failing_operation_does_not_undo_its_neighbours(ledger, attempt, held, sealed):
    first = attempt("p1")
    await open_attempt(ledger, first)
    with held(ledger):
        waiting = asyncio.gather(
            open_attempt(ledger, attempt("p2")),
            open_attempt(ledger, attempt("p1")),
            open_attempt(ledger, attempt("p3"), name="\ud800"),  # text no database can hold
            record_verdict(ledger, first, sealed("s1"), now=2.0),
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
        waiting = asyncio.ensure_future(open_attempt(ledger, attempt("p1")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await open_attempt(ledger, attempt("p2"))
    assert ledger.snapshot().people.keys() == {"p2"}


async def test_an_attempt_cancelled_on_its_way_to_the_disk_is_withdrawn(ledger, attempt, held, raw):
    first = attempt("p1")
    with held(ledger):
        # both wait for the writer, which then takes both: the second is in the middle of it when it is cancelled
        inner = held(ledger)
        entering = asyncio.ensure_future(asyncio.to_thread(inner.__enter__))
        await asyncio.to_thread(until_queued, ledger)
        waiting = asyncio.ensure_future(open_attempt(ledger, first))
        await asyncio.sleep(0)
    await entering
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    inner.__exit__(None, None, None)
    await open_attempt(ledger, attempt("p1"))
    assert raw("SELECT verdict FROM attempt WHERE uuid = ?", first.uuid) == [("not_executed",)]


async def test_a_verdict_is_entered_though_its_caller_is_cancelled(ledger, attempt, held, sealed):
    first = attempt("p1")
    await open_attempt(ledger, first)
    with held(ledger):
        waiting = asyncio.ensure_future(record_verdict(ledger, first, sealed("s1"), now=2.0))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    ledger.close()
    assert ledger.snapshot().people["p1"].seal.seal_id == "s1"


async def test_closing_commits_what_is_queued(ledger, attempt, held):
    waiting = []
    with held(ledger):
        waiting = [asyncio.ensure_future(open_attempt(ledger, attempt(f"p{number}"))) for number in range(3)]
        await asyncio.sleep(0)
        closing_it = asyncio.ensure_future(asyncio.to_thread(ledger.close))
        await asyncio.sleep(0)
    await asyncio.gather(closing_it, *waiting)
    assert len(ledger.snapshot().people) == 3
    with pytest.raises(RuntimeError, match="closed"):
        await open_attempt(ledger, attempt("p9"))


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


async def test_after_a_write_the_disk_refused_nothing_is_sent_and_answers_are_still_taken(
    ledger, attempt, sealed, ledger_path
):
    """The reserve file makes room for them."""
    first = attempt("p1")
    await open_attempt(ledger, first)
    assert reserve_path(ledger_path).stat().st_size == RESERVE_BYTES
    size = ledger_path.with_name(f"{ledger_path.name}-wal").stat().st_size
    with no_file_may_grow(size):
        with pytest.raises(LedgerError) as refused:
            await open_attempt(ledger, attempt("p2"))
        assert reserve_path(ledger_path).stat().st_size == 0
        await record_verdict(
            ledger, first, sealed("s1"), now=2.0
        )  # the journals are smaller than the log: they take it
    assert refused.value.exit_code == 74
    with pytest.raises(LedgerError):
        await open_attempt(ledger, attempt("p2"))
    await record_verdict(ledger, first, sealed("s1"), now=3.0)
    assert ledger.snapshot().people.keys() == {"p1"}
    assert ledger.snapshot().people["p1"].seal.seal_id == "s1"


def test_the_reserve_file_is_full_again_once_there_is_room(ledger, make_store, ledger_path):
    ledger.close()
    reserve_path(ledger_path).write_bytes(b"")
    make_store().open_for_writing(now=1.0).close()
    assert reserve_path(ledger_path).stat().st_size == RESERVE_BYTES


def test_a_ledger_that_may_not_grow_is_reported_as_full(ledger):
    """SQLite notices in the middle of the write, not at its commit."""
    ledger._writer._connection.execute("PRAGMA max_page_count = 1").fetchone()
    many = {f"/seals/{number}.png": FileStat(1, 1, "a" * 64) for number in range(5000)}
    with pytest.raises(LedgerError, match="full"):
        ledger.record_files(many)
    assert len(ledger.list_known_files()) == 0


async def test_a_write_too_large_for_the_disk_does_not_take_an_answer_with_it(
    ledger, attempt, sealed, ledger_path, held
):
    first = attempt("p1")
    await open_attempt(ledger, first)
    large = {f"/seals/{number}.png": FileStat(1, 1, "a" * 64) for number in range(5000)}
    size = ledger_path.with_name(f"{ledger_path.name}-wal").stat().st_size
    with no_file_may_grow(size + 200_000):
        with held(ledger):
            remembering = asyncio.ensure_future(asyncio.to_thread(ledger.record_files, large))
            await asyncio.to_thread(until_queued, ledger)
            settling = asyncio.ensure_future(record_verdict(ledger, first, sealed("s1"), now=2.0))
            await asyncio.sleep(0)
        await settling
        with pytest.raises(LedgerError):
            await remembering
    assert ledger.snapshot().people["p1"].seal.seal_id == "s1"
    assert len(ledger.list_known_files()) == 0


async def test_a_ledger_opened_for_reading_writes_nothing(ledger, opened, attempt):
    reader = opened(readonly=True)
    with pytest.raises(RuntimeError, match="for reading"):
        await open_attempt(reader, attempt("p1"))
    with pytest.raises(RuntimeError, match="for reading"):
        await reader.record_verdict("u", "p1", Verdict("unknown"), now=1.0)
    with pytest.raises(RuntimeError, match="for reading"):
        reader.record_files({"/a.png": FileStat(1, 1, "a")})


def test_a_ledger_damaged_under_way_is_reported_as_such(ledger, ledger_path):
    ledger.close()
    with closing(sqlite3.connect(ledger_path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    ledger_path.write_bytes(ledger_path.read_bytes()[:4096] + b"\xff" * (ledger_path.stat().st_size - 4096))
    with pytest.raises(LedgerError, match="ledger restore"):
        ledger.snapshot()
