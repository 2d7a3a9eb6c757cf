"""A ledger whose disk fails, handed to the run by its public parameter."""

import asyncio
from functools import partial

from wire_support import fault

from pipeline.clock import SystemClock
from pipeline.config.settings import Config
from pipeline.domain.run import RunRequest, Status
from pipeline.errors import LedgerError
from pipeline.esign.rate_limiter import ProcessRateLimiter
from pipeline.esign.signing import Credentials
from pipeline.sandbox.gateway import SANDBOX
from pipeline.sending.run_state import StopSignal
from pipeline.workflow import import_run, run_plan
from pipeline.workflow.tenant_ledger import lock_ledger


class FailingLedger:
    """The real ledger, but for the nth call of one method, which finds the disk full."""

    def __init__(self, ledger, method, nth, error=None):
        self._ledger, self._method, self._calls_left = ledger, method, nth
        self._error = error or LedgerError("ledger.not_written", path="ledger.sqlite3", why="full")

    def __getattr__(self, name):
        real = getattr(self._ledger, name)
        if name != self._method:
            return real
        return (
            partial(self._sooner_or_later, real)
            if name in {"open_attempt", "record_verdict"}
            else partial(self._now, real)
        )

    async def _sooner_or_later(self, real, *arguments, **more):
        self._calls_left -= 1
        if self._calls_left == 0:
            raise self._error
        return await real(*arguments, **more)

    def _now(self, real, *arguments, **more):
        self._calls_left -= 1
        if self._calls_left == 0:
            raise self._error
        return real(*arguments, **more)


def run(hospital, method, nth, error=None):
    """Run the import over the hospital with a ledger that fails."""
    config = Config.load(hospital.folder / "config.yaml", environment={})
    clock = SystemClock()
    out = hospital.folder / "out" / "r"
    request = RunRequest("run", "r", (hospital.folder / "inbox",), hospital.folder / "seals", out)

    async def through(ledger, key):
        resources = run_plan.RunResources(
            ledger=FailingLedger(ledger, method, nth, error),
            site_key=key,
            limiter=ProcessRateLimiter(1000, clock),
            credentials=Credentials(SANDBOX.secret_id, SANDBOX.secret_key),
            clock=clock,
            stop=StopSignal(),
        )
        ended = await import_run.run_import(request, config, resources)
        return ended.report

    with lock_ledger(config, "r", clock) as (ledger, key):
        return asyncio.run(through(ledger, key))


def rows(done, status):
    return [outcome for outcome in done.outcomes if outcome.status is status]


def test_nothing_is_sent_after_a_failed_write_ahead(hospital):
    hospital.doctors(20)
    done = run(hospital, "open_attempt", 3)
    assert done.exit == 74
    assert len(rows(done, Status.SEALED)) == len(hospital.service.seals) <= 2 + 8
    assert not rows(done, Status.UNKNOWN)


def test_a_verdict_that_cannot_be_written_is_unknown_with_its_evidence(hospital):
    hospital.doctors(20)
    done = run(hospital, "record_verdict", 2)
    assert done.exit == 74
    (lost,) = rows(done, Status.UNKNOWN)
    assert lost.unproven_seal_id in {seal.seal_id for seal in hospital.service.seals}
    assert lost.seal_id is None


def test_a_bug_while_a_verdict_is_recorded_stops_the_run_and_leaves_the_row_unknown(hospital):
    hospital.doctors(20)
    done = run(hospital, "record_verdict", 2, RuntimeError("bug"))
    assert (done.exit, done.halt.code) == (1, "BUG")
    assert len(rows(done, Status.UNKNOWN)) == 1


def test_an_end_that_cannot_be_written_is_74(hospital):
    hospital.doctors(2)
    assert run(hospital, "finish_run", 1).exit == 74


def test_an_end_that_cannot_be_written_hides_nothing_graver(hospital_with):
    stop = fault({"code": {"code": "UnauthorizedOperation", "message": "不行"}}, nth=(1,))
    hospital = hospital_with(faults=[stop])
    hospital.doctors(2)
    done = run(hospital, "finish_run", 1)
    assert (done.exit, done.halt.code) == (4, "UnauthorizedOperation")


def test_throttled_and_then_a_broken_ledger_is_not_unknown(hospital_with):
    hospital = hospital_with(faults=[fault("throttle", nth=(2,))])
    hospital.doctors(2)
    done = run(hospital, "open_attempt", 3)
    assert done.exit == 74
    assert sorted(outcome.status for outcome in done.outcomes) == ["not_sent", "sealed"]
