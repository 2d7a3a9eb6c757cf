"""Runs over another ledger and another limiter, with the unchanged program."""

import asyncio
import json
import threading
from collections import Counter

import pytest
from memory_ledger import MemoryLedger
from people import name, number
from run_support import QuickClock
from window_limiter import WindowLimiter

import pipeline
from pipeline.clock import SystemClock
from pipeline.domain.run import Status
from pipeline.domain.site_key import SiteKey
from pipeline.esign.rate_limiter import max_in_rolling_second
from pipeline.ledger.protocol import Decision
from pipeline.sandbox.actions import Rules
from pipeline.workflow.rebuild import rebuild_report

CREATE = "ChannelCreatePreparedPersonalEsign"
KEY = bytes(range(32))
# every kind of verdict: lost after it was executed, refused for its picture, answered with a 502, throttled, sent again
TROUBLES = [
    {"match": {"action": CREATE, "user_name": name(2)}, "do": "reset_after"},
    {
        "match": {"action": CREATE, "user_name": name(3)},
        "do": {"code": {"code": "InvalidParameter.Image", "message": "图片不合规"}},
    },
    {"match": {"action": CREATE, "user_name": name(4)}, "do": {"http_502": "before"}},
    {
        "match": {"action": CREATE, "user_name": name(5), "nth": [1]},
        "do": {"code": {"code": "RequestLimitExceeded", "message": "请求频率超限"}},
    },
    {"match": {"action": "UploadFiles", "nth": [6]}, "do": "reset_before"},
]


@pytest.fixture
def book():
    return MemoryLedger()


def ends(done) -> dict[str, str]:
    """Staff number -> status."""
    return {outcome.doctor.staff_no: outcome.status.value for outcome in done.outcomes}


def run_repeatedly(hospital, **own) -> list[dict[str, str]]:
    """Do three runs and the decisions between them; return how the rows ended."""
    config = pipeline.Config.load(hospital.folder / "config.yaml", limits={"concurrency": 1})
    ends_of_runs = []
    own |= {"clock": QuickClock(), "write": False}
    hospital.doctors(8)
    ends_of_runs.append(ends(pipeline.run(config, limit=7, **own)))
    hospital.doctors(10)
    (hospital.folder / "seals" / "00010.png").unlink()
    ends_of_runs.append(ends(pipeline.check(config, **own)))
    ends_of_runs.append(ends(pipeline.run(config, **own)))
    rows = [
        (name(serial), number(serial), f"154{serial:08d}", f"{serial:05d}", "外科") for serial in range(1, 8)
    ]
    hospital.roster([("王小明", *rows[0][1:]), *rows[1:]])
    ends_of_runs.append(ends(pipeline.run(config, **own)))
    return ends_of_runs


def test_three_stormy_runs_end_the_same_over_either_ledger(hospital_with, tmp_path_factory, book):
    """Row by row: what SQLite's constraints guard, another ledger guards as well."""
    first = hospital_with(faults=TROUBLES)
    over_sqlite = run_repeatedly(first)
    calls = Counter(call.action for call in first.service.received)

    second = hospital_with(faults=TROUBLES)
    second.folder = tmp_path_factory.mktemp("second")
    (second.folder / "seals").mkdir()
    (first.folder / "secrets").rename(second.folder / "secrets")
    second.configure()
    over_memory = run_repeatedly(second, ledger=book, site_key=KEY)

    assert over_memory == over_sqlite
    assert Counter(call.action for call in second.service.received) == calls
    assert set(over_sqlite[0].values()) == {"sealed", "unknown", "failed", "not_sent"}
    assert {"unchanged", "unknown", "changed", "rejected"} <= {
        *over_sqlite[2].values(),
        *over_sqlite[3].values(),
    }
    assert second.service.list_duplicates() == first.service.list_duplicates() == {}


def test_the_own_ledger_is_neither_opened_nor_locked_nor_closed(hospital, book):
    hospital.doctors(3)
    config = pipeline.Config.load(hospital.folder / "config.yaml")
    done = pipeline.run(config, ledger=book, site_key=KEY)
    assert done.counts == {Status.SEALED: 3}
    assert not list((hospital.folder / "state").glob("ledger*"))
    assert not book.closed
    key = SiteKey(KEY, config.tenant).person(number(1))
    assert book.snapshot().people[key].seal.seal_id == done.outcomes[0].seal_id
    record = book.get_last_run(complete=True)
    assert (record.exit, json.loads(record.record)["statuses"]["sealed"]) == (0, 3)
    assert threading.main_thread().name in book.read_in, "this test's own"
    assert len(book.read_in) > 1, "the run plans in a thread of its own: the event loop stays awake"


def test_an_unknown_attempt_is_resolved_through_the_ledger_protocol_alone(hospital_with, book):
    hospital = hospital_with(faults=[{"match": {"action": CREATE, "nth": [1, 2]}, "do": "reset_after"}])
    hospital.doctors(3)
    config = pipeline.Config.load(hospital.folder / "config.yaml", limits={"concurrency": 1})
    own = {"ledger": book, "site_key": KEY, "write": False}
    assert pipeline.run(config, **own).counts == {Status.SEALED: 1, Status.UNKNOWN: 2}
    made = {seal.number: seal for seal in hospital.service.seals}
    first, second = [history for history in book.snapshot().people.values() if history.unresolved_attempt]
    seal = next(seal for seal in made.values() if seal.trace_id == first.unresolved_attempt.uuid)
    settled = Decision(
        "created", first.key, 1.0, "it", "console", first.unresolved_attempt.uuid, seal.seal_id
    )
    book.record_decision(settled)
    done = pipeline.run(config, **own)
    assert done.counts == {Status.UNCHANGED: 2, Status.UNKNOWN: 1}
    assert {row.seal_id for row in done.outcomes} >= {seal.seal_id}
    assert hospital.creates() == 3, "nobody was sent twice"
    assert book.snapshot().people[second.key].unresolved_attempt is not None


def test_a_run_is_reported_again_from_the_own_ledger(hospital, book):
    hospital.doctors(3)
    (hospital.folder / "seals" / "00002.png").unlink()
    config = pipeline.Config.load(hospital.folder / "config.yaml")
    done = pipeline.run(config, ledger=book, site_key=KEY, write=False)
    again = rebuild_report(
        book.get_last_run(),
        config,
        ledger=book,
        site_key=SiteKey(KEY, config.tenant),
        clock=SystemClock(),
        out=hospital.folder / "again",
    )
    reported = [(outcome.doctor.row_id, outcome.status, outcome.seal_id) for outcome in again.outcomes]
    assert reported == [(outcome.doctor.row_id, outcome.status, outcome.seal_id) for outcome in done.outcomes]


def test_the_own_limiter_decides_when_a_call_leaves(hospital_with):
    hospital = hospital_with(rules=Rules(limiter="rolling", rate=20.0))
    hospital.doctors(14)
    limiter = WindowLimiter(12, SystemClock())
    config = pipeline.Config.load(hospital.folder / "config.yaml")
    done = pipeline.run(config, limiter=limiter)
    assert done.counts == {Status.SEALED: 14}
    departures = limiter.list_departures(CREATE)
    assert len(departures) == 14
    assert max_in_rolling_second(departures) <= 12
    assert dict(limiter.waiting) == {CREATE: 14, "UploadFiles": 14}, "each call took one slot"
    assert limiter.throttles == []
    assert done.report.traffic.max_in_second == max_in_rolling_second(departures)


def test_the_own_limiter_hears_of_throttles(hospital_with):
    code = {"code": "RequestLimitExceeded", "message": "您当前每秒请求 20 次，超过频率上限 5 次"}
    hospital = hospital_with(faults=[{"match": {"action": CREATE, "nth": [1]}, "do": {"code": code}}])
    hospital.doctors(1)
    limiter = WindowLimiter(1000, SystemClock())
    done = pipeline.run(pipeline.Config.load(hospital.folder / "config.yaml"), limiter=limiter)
    assert done.counts == {Status.SEALED: 1}
    assert [action for action, *_ in limiter.throttles] == [CREATE]
    assert done.report.traffic.throttled == 1


async def test_a_drain_leaves_no_attempt_open_in_the_own_ledger(hospital_with, book):
    hospital = hospital_with(latency=0.1)
    hospital.doctors(6)
    config = pipeline.Config.load(hospital.folder / "config.yaml", limits={"concurrency": 2})
    running_import = asyncio.create_task(pipeline.run_async(config, ledger=book, site_key=KEY, write=False))
    while hospital.creates() < 2:  # noqa: ASYNC110 - it lives in another thread
        await asyncio.sleep(0.01)
    running_import.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running_import
    people = book.snapshot().people.values()
    assert [history for history in people if history.unresolved_attempt] == []
    assert sum(history.seal is not None for history in people) == len(hospital.service.seals)
    assert book.get_last_run(complete=True).exit == 130
