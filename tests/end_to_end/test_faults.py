"""What the wire can do to a create, and what a row may then be called: never a success that was not one."""

import openpyxl
import pytest
from people import name
from wire_support import CREATE, UPLOAD, fault, set_limits

from pipeline.clock import SystemClock
from pipeline.sandbox.actions import Rules


@pytest.mark.parametrize(
    ("do", "status", "made", "creates", "exit_code"),
    [
        pytest.param("reset_before", "unknown", 2, 3, 3, id="reset before executing"),
        pytest.param("reset_after", "unknown", 3, 3, 3, id="reset after executing"),
        pytest.param("close", "unknown", 3, 3, 3, id="closed without an answer"),
        pytest.param("internal_error_before", "unknown", 2, 3, 3, id="InternalError that executed nothing"),
        pytest.param("no_seal_id", "unknown", 3, 3, 3, id="SealId"),
        pytest.param({"code": "InvalidParameter.CardNumber"}, "failed", 2, 3, 3, id="refused for its data"),
        pytest.param(
            {"code": {"code": "Unheard.Of", "message": "?"}}, "unknown", 2, 3, 3, id="a code nobody has seen"
        ),
        pytest.param(
            {"code": "ResourceNotFound.File"}, "sealed", 3, 4, 0, id="the FileId is gone: uploaded again"
        ),
    ],
)
def test_a_fault_of_one_create(hospital_with, capsys, do, status, made, creates, exit_code):
    """What does not depend on the way of the picture is in the fault matrix."""
    hospital = hospital_with(faults=[fault(do)])
    hospital.doctors(3)
    assert hospital.go("run") == exit_code

    statuses = hospital.statuses()
    assert statuses.pop("sealed") == (3 if status == "sealed" else 2)
    assert statuses == ({} if status == "sealed" else {status: 1})
    assert len(hospital.service.seals) == made
    assert hospital.creates() == creates
    assert hospital.service.list_duplicates() == {}
    for outcome in hospital.outcomes():
        assert bool(outcome["seal_id"]) == (outcome["status"] == "sealed")

    if status == "unknown":  # held: the next run sends nothing for it and reports it again
        assert "Refused" not in capsys.readouterr().err, "nothing was refused"
        assert hospital.run_to_end("run") == (3, {"unchanged": 2, "unknown": 1})
        assert hospital.creates() == creates
        unknown = next(outcome for outcome in hospital.outcomes() if outcome["status"] == "unknown")
        assert unknown["trace_id"]


@pytest.mark.parametrize(
    "do", ["reset_before", "http_502", "truncated_json", "html_200", "internal_error_before"]
)
def test_an_upload_in_doubt_is_simply_repeated(hospital_with, do):
    hospital = hospital_with(faults=[fault(do, action=UPLOAD)])
    hospital.doctors(3)
    assert hospital.run_to_end("run") == (0, {"sealed": 3})
    assert hospital.creates() == 3


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
    hospital.doctors(40)
    (hospital.folder / "secrets" / "tencent__secret_key").write_text("not-the-key")
    assert hospital.go("run") == 4
    assert len(hospital.service.received) == 1
    assert hospital.statuses() == {"not_sent": 40}


@pytest.mark.parametrize(
    "code",
    ["UnauthorizedOperation.NoPermissionFeature", "FailedOperation.LicenseNoQuota", "UnknownParameter"],
)
def test_a_code_that_concerns_everyone_stops_the_run(hospital_with, code):
    hospital = hospital_with(faults=[fault({"code": {"code": code, "message": "不行"}}, nth=(1,))])
    hospital.doctors(10)
    assert hospital.go("run") == 4
    assert hospital.creates() == 1
    assert hospital.statuses() == {"not_sent": 10}
    assert hospital.record()["halted"]["code"] == code


def test_the_inline_contract_that_is_switched_off_stops_at_the_canary(hospital_with):
    hospital = hospital_with(rules=Rules(limiter="none", inline="ignored"), api={"contract": "inline"})
    hospital.doctors(10)
    assert hospital.go("run") == 4
    assert hospital.creates() == 1
    assert hospital.statuses() == {"not_sent": 10}


def test_a_seal_name_that_exists_holds_its_row_and_is_never_renamed(hospital_with):
    hospital = hospital_with(faults=[fault({"code": "FailedOperation.ExistSameSealName"})])
    hospital.doctors(3)
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "exists": 1})
    assert hospital.creates() == 3


@pytest.mark.parametrize(
    "code", ["InvalidParameter.DupTask", "InvalidParameter.Status", "OperationDenied.AlreadyHas"]
)
def test_a_code_that_an_earlier_identical_request_may_have_caused_holds_its_row(hospital_with, code):
    hospital = hospital_with(faults=[fault({"code": {"code": code, "message": "重复提交任务"}})])
    hospital.doctors(3)
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "unknown": 1})
    assert hospital.go("retry") == 0
    assert hospital.creates() == 3


@pytest.mark.parametrize("answered_id", ["   ", "ab\x00cd", "ab\ncd", "两 半", "x" * 129, "\x1b[31mred"])
def test_what_cannot_be_a_seal_id_is_evidence_and_no_success(hospital_with, answered_id):
    hospital = hospital_with()
    hospital.doctors(2)
    hospital.service._actions._make_identifier = lambda *_: answered_id
    assert hospital.run_to_end("run", "--limit", "1") == (3, {"unknown": 1, "not_sent": 1})
    (row,) = [row for row in hospital.outcomes() if row["status"] == "unknown"]
    assert (row["seal_id"], row["service"]["code"]) == (None, "no_seal_id")
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
    hospital.doctors(6)
    calls = len(hospital.service.received)
    for command in ("run", "retry", "run"):
        assert hospital.go(command) == 4
        assert "until that row is resolved, no run sends anything" in capsys.readouterr().err
        assert hospital.record()["halted"]["code"] == "SEAL_ID_REUSED"
    assert len(hospital.service.received) == calls
    assert hospital.statuses() == {"unchanged": 1, "unknown": 1, "not_sent": 4}
    hospital.go("status")
    steps = [line for line in capsys.readouterr().err.splitlines() if line.startswith("     ")]
    assert steps[-1].endswith(" resolve"), "the most urgent stands last"
    (row,) = (row for row in hospital.outcomes() if row["status"] == "unknown")
    made = {seal.name: seal.seal_id for seal in hospital.service.seals}
    assert hospital.go("resolve", row["trace_id"], "--seal-id", made[row["name"]]) == 0
    assert hospital.run_to_end("run") == (0, {"sealed": 4, "unchanged": 2})


@pytest.mark.parametrize("seconds", [-600, 600])
def test_a_wrong_clock_heals_with_one_wasted_call(hospital_with, seconds):
    skew = {"match": {"every": True}, "do": {"clock_skew": seconds}}
    hospital = hospital_with(faults=[skew])
    hospital.doctors(5)
    assert hospital.run_to_end("run") == (0, {"sealed": 5})
    assert len(hospital.service.received) == 11  # five uploads, five creates, one refused timestamp


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


def test_throttled_for_ever_is_not_sent_and_a_rerun_helps(hospital_with):
    hospital = hospital_with(faults=[fault("throttle", nth=(2, 3, 4, 5))])
    hospital.doctors(2)
    assert hospital.run_to_end("run") == (5, {"sealed": 1, "not_sent": 1})
    assert hospital.run_to_end("run") == (0, {"sealed": 1, "unchanged": 1})


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
    for _ in range(6):
        before = len(hospital.service.list_arrivals(action))
        assert hospital.run_to_end("run", clock=clock) == (3, {"failed": 1})
        calls.append(len(hospital.service.list_arrivals(action)) - before)
        clock.days += 1
    assert calls == [1, 1, 1, 0, 0, 0]
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


@pytest.mark.parametrize("calls", [3, 4, 11, 18])
def test_a_clock_that_jumps_in_the_middle_wastes_at_most_one_call(hospital_with, calls):
    hospital = hospital_with()
    hospital.doctors(12)
    set_limits(hospital, 1000, 1)
    clock = Jumping(hospital.service, calls)
    assert hospital.run_to_end("run", clock=clock) == (0, {"sealed": 12})
    refused = [call for call in hospital.service.received if call.code == "AuthFailure.SignatureExpire"]
    # the read-only call, and what was under way; none where an answer shows the jump first
    assert len(refused) <= 2
    assert sum(call.action == CREATE for call in refused) <= 1


@pytest.mark.parametrize("seconds", [-200, 200])
def test_a_clock_that_is_wrong_by_less_than_the_tolerance_is_learned_from_the_first_answer(
    hospital_with, seconds
):
    hospital = hospital_with(faults=[{"match": {"every": True}, "do": {"clock_skew": seconds}}])
    hospital.seal_doctors(3)
    assert len(hospital.service.received) == 6
