"""What the wire can do to a create, and what a row may then be called: never a success that was not one."""

from collections import Counter

import openpyxl
import pytest
from people import name
from wire_support import CREATE, UPLOAD, fault, set_limits

from pipeline.clock import SystemClock
from pipeline.sandbox.actions import Rules


def allow_unknown(hospital):
    """Let any number of rows end unknown, one row after another."""
    set_limits(hospital, 1000, 1)
    path = hospital.folder / "config.yaml"
    path.write_text(path.read_text("utf-8") + "guards: {unknown: null}\n", "utf-8")


def strike_every_second(strikes):
    """Return faults of which a call without one follows each: unusable answers in a row would open the circuit breaker."""
    return [fault(do, action=CREATE, nth=[2 * number]) for number, do in enumerate(strikes, 1)]


def test_each_fault_of_a_create_ends_its_own_row(hospital_with, capsys):
    """What does not depend on the way of the picture is in the fault matrix."""
    strikes = [
        "reset_before",
        "reset_after",
        "close",
        {"code": "InternalError"},
        "no_seal_id",
        {"code": "InvalidParameter.CardNumber"},
        {"code": {"code": "Unheard.Of", "message": "?"}},
        {"code": "ResourceNotFound.File"},  # the FileId is gone: uploaded again
    ]
    hospital = hospital_with(faults=strike_every_second(strikes))
    allow_unknown(hospital)
    hospital.doctors(16)
    assert hospital.go("run") == 3

    ended = [(row["status"], (row["service"] or {}).get("code")) for row in hospital.outcomes()]
    assert Counter(ended) == {
        ("sealed", None): 9,
        ("unknown", "no_answer"): 3,
        ("unknown", "InternalError"): 1,
        ("unknown", "no_seal_id"): 1,
        ("unknown", "Unheard.Of"): 1,
        ("failed", "InvalidParameter.CardNumber"): 1,
    }
    assert len(hospital.service.seals) == 9 + 3, "what was lost after it was executed"
    assert hospital.creates() == 17
    assert hospital.service.list_duplicates() == {}
    for outcome in hospital.outcomes():
        assert bool(outcome["seal_id"]) == (outcome["status"] == "sealed")
        assert outcome["trace_id"] or outcome["status"] != "unknown"
    assert "Refused" not in capsys.readouterr().err, "no unknown row was refused"

    # unknown rows are held: the next run sends nothing for them and reports them again
    assert hospital.run_to_end("run") == (3, {"sealed": 1, "unchanged": 9, "unknown": 6})
    assert hospital.creates() == 18


def test_an_upload_that_gets_no_answer_leaves_the_row_not_sent(hospital_with):
    hospital = hospital_with(faults=[fault("http_502", action=UPLOAD, nth=(2, 3, 4, 5))])
    hospital.doctors(1)
    hospital.doctors(2)
    assert hospital.go("run", "--limit", "1") == 0
    assert hospital.run_to_end("run") == (5, {"unchanged": 1, "not_sent": 1})
    assert hospital.go("run") == 0


def test_an_upload_that_is_refused_fails_its_row(hospital_with):
    hospital = hospital_with(faults=[fault({"code": "InvalidParameter.FileType"}, action=UPLOAD)])
    hospital.doctors(3)
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "failed": 1})
    assert hospital.creates() == 2


def test_a_wrong_secret_key_costs_one_call(hospital):
    hospital.doctors(3)
    (hospital.folder / "secrets" / "tencent__secret_key").write_text("not-the-key")
    assert hospital.go("run") == 4
    assert len(hospital.service.received) == 1
    assert hospital.statuses() == {"not_sent": 3}


def test_a_code_that_concerns_everyone_stops_the_run(hospital_with):
    code = "FailedOperation.LicenseNoQuota"
    hospital = hospital_with(faults=[fault({"code": {"code": code, "message": "不行"}}, nth=(1,))])
    hospital.doctors(3)
    assert hospital.go("run") == 4
    assert hospital.creates() == 1
    assert hospital.statuses() == {"not_sent": 3}
    assert hospital.record()["halted"]["code"] == code


def test_the_inline_contract_that_is_switched_off_stops_at_the_canary(hospital_with):
    hospital = hospital_with(rules=Rules(limiter="none", inline="ignored"), api={"contract": "inline"})
    hospital.doctors(3)
    assert hospital.go("run") == 4
    assert hospital.creates() == 1
    assert hospital.statuses() == {"not_sent": 3}


def test_a_seal_name_that_exists_holds_its_row_and_is_never_renamed(hospital_with):
    hospital = hospital_with(faults=[fault({"code": "FailedOperation.ExistSameSealName"})])
    hospital.doctors(3)
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "exists": 1})
    assert hospital.creates() == 3


def test_a_code_that_an_earlier_identical_request_may_have_caused_holds_its_row(hospital_with):
    codes = ["InvalidParameter.DupTask", "InvalidParameter.Status", "OperationDenied.AlreadyHas"]
    strikes = [{"code": {"code": code, "message": "重复提交任务"}} for code in codes]
    hospital = hospital_with(faults=strike_every_second(strikes))
    allow_unknown(hospital)
    hospital.doctors(7)
    assert hospital.run_to_end("run") == (3, {"sealed": 4, "unknown": 3})
    assert {row["service"]["code"] for row in hospital.outcomes() if row["service"]} == {*codes}
    assert hospital.go("retry") == 0
    assert hospital.creates() == 7


def test_what_cannot_be_a_seal_id_is_evidence_and_no_success(hospital_with):
    odd = ["   ", "ab\x00cd", "ab\ncd", "两 半", "x" * 129, "\x1b[31mred"]
    hospital = hospital_with()
    allow_unknown(hospital)
    hospital.doctors(2 * len(odd) + 1)
    actions = hospital.service._actions
    make, made = actions._make_identifier, []

    def make_odd(taken):
        if taken is actions.uploads:
            return make(taken)
        made.append(make(taken) if len(made) % 2 == 0 else odd[len(made) // 2])
        return made[-1]

    actions._make_identifier = make_odd
    assert hospital.run_to_end("run") == (3, {"sealed": 7, "unknown": 6})
    rows = [row for row in hospital.outcomes() if row["status"] == "unknown"]
    assert {(row["seal_id"], row["service"]["code"]) for row in rows} == {(None, "no_seal_id")}
    assert {row["seal_id"] for row in hospital.outcomes()} == {None, *made[::2]}
    assert hospital.go("resolve") == 3
    assert hospital.go("ledger", "check") == 0


def test_a_name_that_exists_after_a_bare_refusal_is_held_as_exists(hospital_with):
    """The first run: executed, answered as a bare FailedOperation. The explicit retry learns that the name is taken."""
    hidden = {"internal_error_after": {"code": "FailedOperation", "message": "操作失败"}}
    hospital = hospital_with(faults=[fault(hidden)])
    hospital.doctors(3)
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "failed": 1})
    assert hospital.run_to_end("retry") == (3, {"unchanged": 2, "exists": 1})
    assert len(hospital.service.seals) == 3
    assert hospital.service.list_duplicates() == {}


def test_another_persons_seal_id_is_no_success(hospital_with):
    hospital = hospital_with(faults=[fault("same_seal_id", nth=(2,))])
    hospital.doctors(2)
    assert hospital.run_to_end("run") == (4, {"sealed": 1, "unknown": 1})
    assert hospital.record()["halted"]["code"] == "SEAL_ID_REUSED"


@pytest.mark.parametrize("message", ["", "证件号码不正确"], ids=["no reason", "reason"])
def test_what_the_summary_states_of_refused_rows_is_what_the_next_run_does(hospital_with, message, capsys):
    code = "InvalidParameter.CardNumber" if message else "FailedOperation"
    refused = {"code": {"code": code, "message": message}}
    hospital = hospital_with(faults=[fault(refused, nth=(1, 2))])
    hospital.doctors(1)
    for creates in (1, 2 if message else 1):
        assert hospital.run_to_end("run") == (3, {"failed": 1})
        assert hospital.creates() == creates
    cells = openpyxl.load_workbook(hospital.newest / "results.xlsx")["Summary"].iter_rows(values_only=True)
    assert any("each run retries it for three days" in str(cell) for row in cells for cell in row)
    capsys.readouterr()
    hospital.go("explain", name(1))
    printed = "".join(capsys.readouterr())
    assert "one that was refused without a reason not at all" in printed


def test_nothing_is_sent_while_another_persons_seal_id_is_unresolved(hospital_with, capsys):
    """A timer runs the next day whatever has happened; the service may answer the same for all."""
    hospital = hospital_with(faults=[fault("same_seal_id", nth=(2,))])
    hospital.doctors(2)
    assert hospital.go("run") == 4
    stderr_text = capsys.readouterr().err
    assert "Until then no run sends anything" in stderr_text
    assert "Fix the cause" not in stderr_text
    hospital.doctors(4)
    calls = len(hospital.service.received)
    for command in ("retry", "run"):
        assert hospital.go(command) == 4
        assert "until that row is resolved, no run sends anything" in capsys.readouterr().err
        assert hospital.record()["halted"]["code"] == "SEAL_ID_REUSED"
    assert len(hospital.service.received) == calls
    assert hospital.statuses() == {"unchanged": 1, "unknown": 1, "not_sent": 2}
    hospital.go("status")
    steps = [line for line in capsys.readouterr().err.splitlines() if line.startswith("     ")]
    assert steps[-1].endswith(" resolve"), "the most urgent stands last"
    (row,) = (row for row in hospital.outcomes() if row["status"] == "unknown")
    made = {seal.name: seal.seal_id for seal in hospital.service.seals}
    assert hospital.go("resolve", row["trace_id"], "--sure", "--seal-id", made[row["name"]]) == 0
    assert hospital.run_to_end("run") == (0, {"sealed": 2, "unchanged": 2})


@pytest.mark.parametrize("seconds", [-600, 600])
def test_a_wrong_clock_heals_with_one_wasted_call(hospital_with, seconds):
    skew = {"match": {"every": True}, "do": {"clock_skew": seconds}}
    hospital = hospital_with(faults=[skew])
    hospital.doctors(2)
    assert hospital.run_to_end("run") == (0, {"sealed": 2})
    assert len(hospital.service.received) == 5  # two uploads, two creates, one refused timestamp


def test_the_service_does_not_answer(hospital, tmp_path):
    """The endpoint refuses connections: nothing was executed, a rerun will help."""
    hospital.doctors(4)
    hospital.configure(endpoint="http://127.0.0.1:9", timeout_seconds=1)
    assert hospital.run_to_end("run") == (5, {"not_sent": 4})
    assert hospital.record()["requests"].get(CREATE, {}) == {}


def test_an_outage_stops_the_run_instead_of_trying_every_row(hospital_with):
    hospital = hospital_with(faults=[{"match": {"action": CREATE, "from": 2}, "do": "http_502"}])
    hospital.doctors(40)
    assert hospital.go("run") == 5
    assert (
        hospital.statuses()["unknown"] <= 21 + 8
    )  # five in a row, one after each probe, and what was under way
    assert hospital.record()["halted"]["code"] in {"OUTAGE", "TOO_MANY_UNKNOWN"}


class Days(SystemClock):
    """The machine's clock some days away, for service and program alike; waits take a fiftieth of their time."""

    days = -6

    def now(self):
        return super().now() + 86_400 * self.days

    async def sleep(self, seconds):
        await super().sleep(seconds / 50)


@pytest.mark.parametrize(("action", "creates"), [(UPLOAD, 0), (CREATE, 3)])
def test_a_refused_row_is_sent_for_three_runs_and_then_waits(hospital_with, action, creates):
    """Refused at its upload or at its create: the age of the first refusal counts."""
    refused = {"code": {"code": "InvalidParameter.Image", "message": "图片不正确。"}}
    clock = Days()
    hospital = hospital_with(faults=[{"match": {"action": action}, "do": refused}], clock=clock)
    hospital.doctors(1)
    calls = []
    for _ in range(4):
        before = len(hospital.service.list_arrivals(action))
        assert hospital.run_to_end("run", clock=clock) == (3, {"failed": 1})
        calls.append(len(hospital.service.list_arrivals(action)) - before)
        clock.days += 1
    assert calls == [1, 1, 1, 0]
    (outcome,) = hospital.outcomes()
    assert outcome["attempts"] == creates
    assert outcome["service"]["code"] == "InvalidParameter.Image"
    assert hospital.go("retry", clock=clock) == 3
    assert len(hospital.service.list_arrivals(action)) == 4


class Jumping(SystemClock):
    """The machine's clock, which is ten minutes ahead once the service has received so many calls."""

    def __init__(self, service, calls):
        self.service, self.calls = service, calls

    def now(self):
        return super().now() + (600 if len(self.service.received) >= self.calls else 0)

    async def sleep(self, seconds):
        await super().sleep(seconds / 50)


def test_a_clock_that_jumps_in_the_middle_wastes_at_most_one_call(hospital_with):
    hospital = hospital_with()
    hospital.doctors(5)
    set_limits(hospital, 1000, 1)
    clock = Jumping(hospital.service, 4)
    assert hospital.run_to_end("run", clock=clock) == (0, {"sealed": 5})
    refused = [call for call in hospital.service.received if call.code == "AuthFailure.SignatureExpire"]
    # the read-only call, and what was under way; none where an answer shows the jump first
    assert len(refused) <= 2
    assert sum(call.action == CREATE for call in refused) <= 1


@pytest.mark.parametrize("seconds", [-200, 200])
def test_a_clock_that_is_wrong_by_less_than_the_tolerance_is_learned_from_the_first_answer(
    hospital_with, seconds
):
    hospital = hospital_with(faults=[{"match": {"every": True}, "do": {"clock_skew": seconds}}])
    hospital.seal_doctors(2)
    assert len(hospital.service.received) == 4
