"""`autosign status`: which doctors with a seal can sign; asked on the sandbox, kept in the ledger."""

from __future__ import annotations

import json
import signal
from contextlib import closing

import pytest
from openpyxl import load_workbook
from people import make_row, name
from run_support import draw_seal
from wire_support import fault, refusing_port

from pipeline.ledger.sqlite_ledger import connect
from pipeline.sandbox.actions import Rules

STATUS = "ChannelDescribeUserAutoSignStatus"
DAY = 86_400.0


OTHER_SEAL = "yDsandboxAnotherSealOfThisDoctor"


def open_auto_sign(hospital, serial: int, seal_id: str | None = None, days: float | None = None) -> None:
    """Let a doctor, by the number of the row, open auto-sign with a seal, the own one if none is named."""
    seal = next(seal for seal in hospital.service.seals if seal.number == make_row(serial)[1])
    now = hospital.service_clock.now()
    licence_to = None if days is None else now + days * DAY
    hospital.service.auto_sign.open(
        seal.person, seal.seal_id if seal_id is None else seal_id, now, licence_to
    )


def count_queries(hospital) -> int:
    return sum(call.action == STATUS for call in hospital.service.received)


def query_status(hospital, capsys, *words: str) -> tuple[int, dict]:
    """Return the exit code and the JSON of `autosign status`."""
    capsys.readouterr()
    code = hospital.go("--json", "autosign", "status", *words)
    return code, json.loads(capsys.readouterr().out)


def test_each_doctor_is_asked_for_and_the_states_are_kept(hospital, capsys):
    hospital.seal_doctors(7)
    seals = {row["staff_no"]: row["seal_id"] for row in hospital.outcomes()}
    open_auto_sign(hospital, 1)
    open_auto_sign(hospital, 2, OTHER_SEAL)
    open_auto_sign(hospital, 3, "")
    open_auto_sign(hospital, 4, days=10)
    open_auto_sign(hospital, 5, days=90)
    code, report = query_status(hospital, capsys)
    assert code == 0, "a doctor who has not opened yet is no error"
    assert (report["sealed"], report["asked"], report["can_sign"]) == (7, 7, 3)
    states = {"open": 2, "license_ends": 1, "other_seal": 1, "no_seal": 1, "not_open": 2}
    assert report["states"] == states
    doctors = {doctor["staff_no"]: doctor for doctor in report["doctors"]}
    assert {number: doctor["seal_id"] for number, doctor in doctors.items()} == seals
    assert [doctor["state"] for doctor in report["doctors"]] == [
        "open", "other_seal", "no_seal", "license_ends", "open", "not_open", "not_open",
    ]  # fmt: skip
    assert all(doctor["answered"] and doctor["request_id"] for doctor in report["doctors"])
    text = json.dumps(report, ensure_ascii=False)
    assert not any(make_row(serial)[1] in text for serial in range(1, 8)), "no whole number"

    asked = count_queries(hospital)
    code, report = query_status(hospital, capsys, make_row(1)[3])
    assert (code, report["asked"], report["sealed"]) == (0, 1, 1), "a query asks for one doctor alone"
    assert count_queries(hospital) - asked == 1
    for words in (("nobody",), (make_row(1)[3], make_row(2)[3])):
        assert hospital.go("autosign", "status", *words) == 2, "all words must fit one doctor"


def test_the_text_names_the_doctors_who_cannot_sign_and_the_next_step(hospital, capsys):
    hospital.seal_doctors(3, write=False)
    open_auto_sign(hospital, 1)
    open_auto_sign(hospital, 2, OTHER_SEAL)
    capsys.readouterr()
    assert hospital.go("autosign", "status") == 0
    out = capsys.readouterr().out
    names = [make_row(serial)[0] for serial in (1, 2, 3)]
    assert "1 can sign" in out
    assert "1 has not opened auto-sign yet" in out
    assert names[0] not in out
    assert names[1] in out
    assert names[2] in out
    assert make_row(3)[1] not in out
    assert hospital.go("status") == 0
    assert "autosign" not in capsys.readouterr().err, "the run stays the last one"


def test_a_service_that_does_not_allow_the_query_costs_one_call_and_one_sentence(hospital_with, capsys):
    forbidden = fault({"code": "OperationDenied.WhiteListForbid"}, action=STATUS, nth=(1,))
    hospital = hospital_with(latency=0.2, faults=[forbidden])  # others would leave before the answer comes
    hospital.seal_doctors(5, write=False)
    capsys.readouterr()
    assert hospital.go("autosign", "status") == 4
    err = capsys.readouterr().err
    assert count_queries(hospital) == 1
    assert "The auto-sign query is not enabled for you yet" in err
    record = json.loads((hospital.runs[-1] / "run.json").read_text("utf-8"))
    assert (record["command"], record["exit"]) == ("autosign", 4)
    assert record["requests"][STATUS] == {"OperationDenied.WhiteListForbid": 1}
    assert query_status(hospital, capsys)[1]["asked"] == 5


@pytest.mark.parametrize(
    ("do", "code"),
    [
        ("reset_before", None),
        ({"replay": {"nth": 1}}, None),
        ({"code": {"code": "InvalidParameter.Name", "message": "姓名不合法"}}, "InvalidParameter.Name"),
    ],
)
def test_a_call_that_reads_is_repeated_on_any_doubt_and_a_refusal_is_kept(hospital_with, capsys, do, code):
    faults = [fault(do, action=STATUS, nth=(2, 3))]
    hospital = hospital_with(rules=Rules(limiter="none"), faults=faults)
    hospital.seal_doctors(4, write=False)
    exit_code, report = query_status(hospital, capsys)
    codes = [doctor["code"] for doctor in report["doctors"] if doctor["code"]]
    assert codes == ([code, code] if code else [])
    assert exit_code == (3 if code else 0)
    assert count_queries(hospital) == (4 if code else 6)
    assert report["states"].get("no_answer", 0) == len(codes)
    assert query_status(hospital, capsys)[1]["states"] == {"not_open": 4}, "who had no answer is asked again"


def read_entered(hospital) -> int:
    """How many doctors the ledger holds an answer of."""
    path = hospital.folder / "state" / "ledger.sqlite3"
    with closing(connect(path, readonly=True)) as connection:
        (entered,) = connection.execute("SELECT count(*) FROM auto_sign").fetchone()
    return entered


def test_what_was_answered_survives_a_kill_and_a_signal_and_the_others_are_asked_first(
    hospital, zygote, capsys
):
    hospital.seal_doctors(12, write=False)
    hospital.requests_per_second = 20  # a second's calls would share one commit
    hospital.configure()
    order = {"name": "autosign: entered", "pass": 3}
    assert zygote.run(hospital, "autosign", "status", **order)["signal"] == signal.SIGKILL
    assert 3 <= (entered := read_entered(hospital)) < 12
    order = {"name": "autosign: entered", "pass": 2, "signals": [signal.SIGTERM]}
    ended = zygote.run(hospital, "autosign", "status", **order)
    assert ended["code"] == 143, "the calls under way were awaited and entered"
    assert read_entered(hospital) > entered, "who was never asked is asked first"
    code, report = query_status(hospital, capsys)
    assert (code, report["asked"], report["states"]) == (0, 12, {"not_open": 12})
    assert hospital.go("ledger", "check") == 0


def test_calls_are_made_at_the_pace_of_the_quota_however_slow_the_answers(hospital_with, capsys):
    """Twenty a second with half a second for each answer: one after the other it would be two."""
    hospital = hospital_with(rules=Rules(limiter="none"), latency=0.5)
    hospital.seal_doctors(40, write=False)
    hospital.requests_per_second = 20
    hospital.configure()
    assert query_status(hospital, capsys)[1]["asked"] == 40
    rate = json.loads((hospital.runs[-1] / "run.json").read_text("utf-8"))["rate"]
    assert rate["max_in_second"] <= 20
    assert rate["used_share"] > 0.6, "the first call alone takes half a second"


def read_summary(hospital) -> str:
    """The texts of the Summary sheet of the newest results."""
    with closing(load_workbook(hospital.newest / "results.xlsx")) as book:
        cells = [str(cell.value or "") for row in book.worksheets[0] for cell in row]
    return "\n".join(cells)


def test_everything_shows_who_can_sign_once_the_service_was_asked(hospital, capsys):
    hospital.seal_doctors(4)
    places = ("results.xlsx", "report.html", "run.json")
    for text in (
        read_summary(hospital),
        *((hospital.newest / file).read_text("utf-8") for file in places[1:]),
    ):
        assert "auto_sign" not in text
        assert "Auto-sign" not in text
    assert hospital.go("status") == 0
    assert "can sign" not in capsys.readouterr().out, "nothing was ever asked"
    open_auto_sign(hospital, 1)
    open_auto_sign(hospital, 2, OTHER_SEAL)
    assert hospital.go("autosign", "status") == 0
    capsys.readouterr()
    assert hospital.go("run") == 0
    line = "4 with a seal, of whom 1 can sign, 1 uses another seal, 2 have not opened it yet"
    assert line in capsys.readouterr().err
    assert count_queries(hospital) == 4, "a run does not ask"
    assert line in read_summary(hospital)
    assert line in (hospital.newest / "report.html").read_text("utf-8")
    states = {"open": 1, "other_seal": 1, "not_open": 2}
    expected = {"sealed": 4, "can_sign": 1, "states": states, "never_asked": 0}
    assert hospital.record()["auto_sign"] == expected
    capsys.readouterr()
    assert hospital.go("status") == 0
    assert line in capsys.readouterr().out
    assert hospital.go("--json", "status") == 0
    assert json.loads(capsys.readouterr().out)["auto_sign"] == expected
    shown = []
    for serial in (1, 2, 3):
        assert hospital.go("--json", "explain", name(serial)) == 0
        shown.append(json.loads(capsys.readouterr().out)["doctor"]["signing"]["state"])
    assert shown == ["open", "other_seal", "not_open"]
    assert hospital.go("explain", name(2)) == 0
    assert "open with another seal (asked " in capsys.readouterr().out


def test_an_outage_stops_the_calls_after_a_while_and_the_same_command_goes_on(hospital, capsys):
    hospital.seal_doctors(5, write=False)
    open_auto_sign(hospital, 1)
    with refusing_port() as port:
        hospital.configure(endpoint=f"http://127.0.0.1:{port}")
        capsys.readouterr()
        assert hospital.go("autosign", "status") == 5
        captured = capsys.readouterr()
        assert "0 were asked" in captured.out
        assert "the same command goes on" in captured.err
    hospital.configure()
    assert query_status(hospital, capsys)[1]["asked"] == 5


def test_a_card_that_the_call_does_not_know_is_not_asked_for(hospital_with, capsys):
    rules = Rules(limiter="none", other_card_type=True)
    hospital = hospital_with(rules=rules, api={"allow_other_card_type": True})
    headers = ("姓名", "证件号码", "手机号", "工号", "科室", "证件类型")
    rows = [(*make_row(1), "身份证"), ("马丁", "E12345678", *make_row(2)[2:], "护照")]
    hospital.roster(rows, headers=headers)
    for serial in (1, 2):
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    assert hospital.go("run") == 0
    for _ in range(2):
        code, report = query_status(hospital, capsys)
        assert (code, report["states"]) == (0, {"not_open": 1, "cannot_ask": 1})
    assert count_queries(hospital) == 2
