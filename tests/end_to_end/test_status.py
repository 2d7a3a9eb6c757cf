"""`status`: what the ledger holds, with local times, and the next command after every end of a run."""

import json
import os
import re
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from people import make_row, name
from resolution_support import list_made_seals, read_unknown_rows, run_later
from run_support import wait_until
from wire_support import fault

from pipeline.clock import SystemClock
from pipeline.config.settings import Config
from pipeline.domain.run import Status
from pipeline.resolution.ledger_status import (
    LastRun,
    RunFault,
    get_run_fault,
    read_open_rows,
    read_status,
)
from pipeline.sandbox.gateway import SANDBOX
from pipeline.workflow.tenant_ledger import open_configured_ledger

ISO = re.compile(r"\d{4}-\d\d-\d\dT")
SHOWN = re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b")


@pytest.fixture
def say(capsys):
    """Run a command and return what was said, and its last line."""

    def run_command(hospital, *arguments, language="en"):
        capsys.readouterr()
        run_later(hospital, "--lang", language, *arguments)
        data, stderr_text = capsys.readouterr()
        return data + stderr_text, stderr_text.rstrip("\n").splitlines()[-1]

    return run_command


@pytest.mark.parametrize(
    ("option", "of_run"),
    [
        (("--limit", "1"), "rows were not sent. Run again to continue:"),
        (("--only", "00001"), "as asked. To send the 2 other rows too, run:"),
    ],
)
def test_a_run_that_left_rows_for_the_next_ends_with_run_also_where_a_row_is_wrong(
    hospital, say, option, of_run
):
    hospital.doctors(3)
    hospital.roster([("王五", "1101", None, "9", None)], file="two.xlsx")
    for command in (("run", "--yes", *option), ("status",)):
        printed, last = say(hospital, *command)
        assert last.endswith(" run"), printed
        assert of_run in printed
        assert "1 row to correct" in printed
        assert "retry" not in printed


def test_a_run_without_a_roster_sent_nothing_and_waits_for_one(hospital, say):
    assert hospital.go("run", "--yes") == 0
    for language, text in (("zh", "有印章 0 人"), ("en", "with a seal: 0")):
        printed, last = say(hospital, "status", language=language)
        assert text in printed
        assert last.endswith(" run")


def test_times_are_local_and_plain(hospital_with, say):
    hospital = hospital_with(faults=[fault("reset_after", nth=(2,))])
    hospital.doctors(2)
    assert hospital.go("run") == 3
    for language in ("zh", "en"):
        for command in ("status", "resolve"):
            printed, _ = say(hospital, command, language=language)
            assert SHOWN.search(printed)
            assert not ISO.search(printed)


def test_data_goes_to_stdout_as_text_or_json(hospital_with, capsys):
    hospital = hospital_with(faults=[fault("reset_after", nth=(2,))])
    hospital.doctors(2)

    def read_output(*arguments):
        capsys.readouterr()
        hospital.go(*arguments)
        return capsys.readouterr()

    assert json.loads(read_output("status", "--json").out) == {
        "schema": 1,
        "ledger": None,
        "last_run": None,
    }
    assert hospital.go("run") == 3
    (row,) = [row for row in hospital.outcomes() if row["status"] == "unknown"]
    status = json.loads(read_output("--json", "status").out)
    assert status["people"] == {"sealed": 1, "unknown": 1, "refused": 0, "in_flight": 0}
    assert [doctor["trace_id"] for doctor in status["unknown"]] == [row["trace_id"]]
    assert (status["last_run"]["command"], status["last_run"]["exit"]) == ("run", 3)
    assert (status["tenant"].split("/")[0], status["schema"]) == ("sandbox", 1)
    (case,) = json.loads(read_output("resolve", "--json").out)["waiting"]
    assert {name: case[name] for name in ("status", "name", "trace_id", "seal_name", "row", "last_four")} == {
        "status": "unknown",
        "name": row["name"],
        "trace_id": row["trace_id"],
        "seal_name": row["seal_name"],
        "row": row["row"],
        "last_four": row["id_masked"][-4:],
    }
    output = read_output("-q", "status")
    assert ("unknown: 1" in output.out, output.err) == (True, "")
    output = read_output("-q", "resolve")
    assert (row["trace_id"] in output.out, output.err) == (True, "")


def end_run(hospital, how):
    """Let a run end in one of the ways a run can end."""
    hospital.doctors(2)
    match how:
        case "rows to correct":
            hospital.roster([("王五", "1101", None, "9", None)], file="two.xlsx")
            assert hospital.go("run") == 3
        case "without a verdict":
            assert hospital.go("run") == 3
        case "halted":
            (hospital.folder / "secrets" / "tencent__secret_key").write_text("wrong")
            assert hospital.go("run") == 4
        case "guard":
            path = hospital.folder / "config.yaml"
            hospital.go("run")
            path.write_text(path.read_text() + "guards: {new_rows: 0}\n")
            hospital.doctors(5)
            assert hospital.go("run") == 5
        case "refused":
            (hospital.folder / "inbox" / "bad.xlsx").write_bytes(b"no workbook")
            assert hospital.go("run") == 7
        case "well":
            assert hospital.go("run") == 0


@pytest.mark.parametrize(
    ("how", "command", "zh", "en"),
    [
        ("rows to correct", r" run$", "待改", "To fix"),
        (
            "without a verdict",
            r" resolve$",
            "结果未知",
            "1 row to resolve (unknown result, contradicting records, or the seal name exists)",
        ),
        ("halted", r" run$", "已停止：", "Stopped: "),
        ("guard", r" run$", "新出现的医生太多", "too many doctors are new"),
        ("refused", r" run$", "1 个名单文件没有读取", "1 roster was not read completely"),
        ("well", r" run$", "现在不需要做任何事", "Nothing to do now"),
    ],
)
def test_after_every_end_the_next_step_is_named(hospital_with, say, how, command, zh, en):
    faults = [fault("reset_after", nth=(2,))] if how == "without a verdict" else []
    hospital = hospital_with(faults=faults)
    end_run(hospital, how)
    for language, text_part in (("zh", zh), ("en", en)):
        printed, last = say(hospital, "status", language=language)
        assert re.search(command, last), last
        assert text_part in printed


@pytest.mark.parametrize(
    ("number", "text_part"),
    [
        (signal.SIGTERM, "The last run was interrupted. To continue"),
        (signal.SIGKILL, "The last run was interrupted. Everything sent"),
    ],
)
def test_a_run_that_did_not_come_to_its_end(hospital_with, zygote, say, number, text_part):
    hospital = hospital_with(latency=0.5)
    hospital.doctors(40)
    process = zygote.start(hospital, "run", "--yes")
    wait_until(lambda: hospital.creates() >= 2)
    printed, last = say(hospital, "status")
    assert "A run is in progress" in printed
    assert last.endswith(" status")
    process.send_signal(number)
    process.wait()
    printed, last = say(hospital, "status")
    assert text_part in printed
    assert last.endswith(" run")


def test_rosters_that_were_named_are_named_again(hospital, say):
    hospital.doctors(1)
    named = hospital.folder / "my roster.xlsx"
    (hospital.folder / "inbox" / "roster.xlsx").rename(named)
    (hospital.folder / "secrets" / "tencent__secret_key").write_text("wrong")
    assert hospital.go("run", str(named)) == 4
    _, last = say(hospital, "status")
    assert last.endswith(f" run '{named}'")


def test_what_was_decided_since_the_run_is_open_nowhere(hospital_with, say):
    hospital = hospital_with(faults=[fault("reset_after", nth=(2,)), fault("reset_before", nth=(4,))])
    hospital.doctors(4)
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "unknown": 2})
    made = list_made_seals(hospital)
    (created,), (lost,) = (
        [who for who in read_unknown_rows(hospital) if (who in made) is is_made] for is_made in (True, False)
    )
    assert (
        run_later(hospital, "resolve", created, "--sure", "--seal-id", made[created], "--why", "console") == 0
    )
    assert run_later(hospital, "resolve", lost, "--not-created", "--sure", "--why", "console") == 0
    for language, text_part in (("en", "has been decided"), ("zh", "都已登记")):
        printed, last = say(hospital, "status", language=language)
        assert last.endswith(" run"), last
        assert "resolve" not in printed
        assert text_part in printed
        assert say(hospital, "explain", created, language=language)[0].count(
            {"en": "Sealed — Has a seal; nothing is left to send", "zh": "成功——已有印章，没有要提交的"}[
                language
            ]
        )
    assert run_later(hospital, "run") == 0
    assert hospital.statuses() == {"unchanged": 3, "sealed": 1}
    rows = {row["name"]: row["seal_id"] for row in hospital.outcomes()}
    assert rows[created] == made[created]
    assert "Nothing to do now" in say(hospital, "status")[0]


def test_a_changed_row_that_was_kept_waits_no_more(hospital_with, say):
    hospital = hospital_with()
    hospital.seal_doctors(1)
    hospital.roster([make_row(1, mobile="15400000099")])
    assert hospital.run_to_end("run") == (3, {"changed": 1})
    assert say(hospital, "status")[1].endswith(" resolve")
    assert run_later(hospital, "resolve", name(1), "--keep", "--why", "new mobile") == 0
    printed, last = say(hospital, "status")
    assert last.endswith(" run"), last
    assert "resolve" not in printed


def test_a_refused_ledger_is_reported_once_and_does_not_lead_to_status_again(hospital, say):
    hospital.seal_doctors(1)
    config = hospital.folder / "config.yaml"
    text = config.read_text("utf-8")
    config.write_text(text.replace(SANDBOX.app_id, SANDBOX.app_id.replace("0000", "00000", 1)), "utf-8")
    assert hospital.go("run") == 2
    for language, words in (("en", "everything else is the same"), ("zh", "其余都相同")):
        printed, last = say(hospital, "status", language=language)
        assert printed.count(words) == 1, printed
        assert "USAGE" not in printed
        assert last.endswith(" doctor")


def test_a_ledger_of_a_newer_version_leads_to_doctor(hospital, say):
    hospital.seal_doctors(1)
    ledger = sqlite3.connect(hospital.folder / "state" / "ledger.sqlite3")
    with closing(ledger), ledger:
        ledger.execute(f"PRAGMA user_version = {ledger.execute('PRAGMA user_version').fetchone()[0] + 1}")
    assert hospital.go("run") == 74
    printed, last = say(hospital, "status")
    assert printed.count("use the version of esign-import that wrote it") == 1
    assert last.endswith(" doctor --offline")


def test_a_run_that_was_refused_for_its_command_is_shown_without_a_code(hospital, say):
    hospital.doctors(1)
    assert hospital.go("run", "--only", "nobody") == 2
    printed, _ = say(hospital, "status")
    assert "Stopped: " in printed
    assert "USAGE" not in printed


def read_checked_status(hospital):
    """Return what `status` shows, after comparing it with the people of the ledger and with the rows of the last run."""
    config, clock = Config.load(hospital.folder / "config.yaml"), SystemClock()
    first, status = (read_status(config, clock) for _ in range(2))
    # the ages are of two moments
    assert first.to_dict() | {"last_run": None} == status.to_dict() | {"last_run": None}
    _, open_rows = read_open_rows(config, clock, status)
    changed = sum(row.status is Status.CHANGED for row in open_rows)
    assert status.waiting == len(status.unknown) + changed
    if status.ledger is None:
        return status
    with open_configured_ledger(config, clock) as (ledger, _):
        people = ledger.snapshot().people.values()
    unresolved = [person.unresolved_attempt.uuid for person in people if person.unresolved_attempt]
    assert status.people.sealed == sum(person.seal is not None for person in people)
    assert status.people.unknown + status.people.in_flight == len(unresolved)
    assert {create.trace_id for create in status.unknown} <= {*unresolved}
    return status


@pytest.mark.parametrize("store", ["file", "server"])
def test_the_status_counts_what_the_ledger_holds(hospital_with, request, store):
    """The database counts, and no person's history is read."""
    hospital = hospital_with(faults=[fault("reset_after", nth=(2, 5))])
    if store == "server":
        hospital.ledger = request.getfixturevalue("postgres_server").make_database()
        hospital.configure()
    assert read_checked_status(hospital).last_run is None
    hospital.doctors(4)
    assert hospital.run_to_end("run") == (3, {"sealed": 3, "unknown": 1})
    assert read_checked_status(hospital).waiting == 1
    hospital.roster([make_row(1, mobile="15400000099"), *(make_row(serial) for serial in (2, 3, 4))])
    assert hospital.run_to_end("run")[1] == {"unchanged": 2, "changed": 1, "unknown": 1}
    assert read_checked_status(hospital).waiting == 2
    assert run_later(hospital, "resolve", name(1), "--keep", "--why", "new mobile") == 0
    assert read_checked_status(hospital).waiting == 1
    (lost,) = read_unknown_rows(hospital)
    assert run_later(hospital, "resolve", lost, "--not-created", "--sure", "--why", "console") == 0
    assert read_checked_status(hospital).waiting == 0
    (hospital.folder / "secrets" / "tencent__secret_key").write_text("wrong")
    hospital.doctors(2, start=5, file="more.xlsx")
    assert run_later(hospital, "run") == 4
    status = read_checked_status(hospital)
    assert get_run_fault(status.last_run, 3600) == RunFault("failed", 4)


@pytest.mark.parametrize("store", ["file", "server"])
def test_the_line_of_a_run_in_progress_and_of_one_that_was_killed(hospital_with, zygote, request, store):
    hospital = hospital_with(latency=0.5)
    if store == "server":
        hospital.ledger = request.getfixturevalue("postgres_server").make_database()
        hospital.configure()
    hospital.doctors(12)
    process = zygote.start(hospital, "run", "--yes")
    wait_until(lambda: hospital.creates() >= 2)
    os.kill(process.pid, signal.SIGSTOP)  # nothing changes while it is read twice
    status = read_checked_status(hospital)
    assert (status.last_run.under_way, status.waiting) == (True, 0)
    assert get_run_fault(status.last_run, 3600) is None
    assert get_run_fault(replace(status.last_run, age_seconds=3601), 3600) == RunFault("too_old", 5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not read_checked_status(hospital).last_run.under_way)
    status = read_checked_status(hospital)
    assert status.waiting > 0
    assert get_run_fault(status.last_run, 3600) == RunFault("cut_short", 5)


@pytest.mark.parametrize(
    ("exit_code", "age", "fault"),
    [
        (0, 10, None),
        (3, 10, None),
        (7, 10, None),
        (0, 101, RunFault("too_old", 5)),
        (2, 101, RunFault("failed", 2)),
        (5, 10, RunFault("failed", 5)),
        (6, 10, RunFault("failed", 6)),
        (74, 10, RunFault("failed", 74)),
        (130, 10, RunFault("failed", 5)),
        (143, 10, RunFault("failed", 5)),
    ],
)
def test_what_is_a_fault_of_the_last_run(exit_code, age, fault):
    run = LastRun("r", "run", "", "", age, exit_code, under_way=False, halted=None, out="", record=None)
    assert get_run_fault(run, 100) == fault
    assert get_run_fault(None, 100) == RunFault("no_run", 5)


def test_one_hospital_is_checked_for_age_and_failure(hospital, say, capsys):
    assert hospital.go("status", "--max-age", "26h") == 5
    hospital.seal_doctors(1)
    assert hospital.go("status", "--max-age", "26h") == 0
    assert hospital.go("status", "--max-age", "1s", clock=LaterClock()) == 5
    capsys.readouterr()
    assert hospital.go("--json", "status", "--max-age", "2d") == 0
    assert json.loads(capsys.readouterr().out)["fault"] is None
    assert hospital.go("--json", "status", "--max-age", "2d", clock=LaterClock()) == 5
    assert json.loads(capsys.readouterr().out)["fault"] == "too_old"
    printed, _ = say(hospital, "status", "--max-age", "26")
    assert "must be an age such as" in printed


class LaterClock(SystemClock):
    def now(self):
        return super().now() + 3 * 86_400


def test_the_last_run_is_the_one_that_was_entered_last_whatever_its_clock(hospital, capsys):
    hospital.doctors(1)
    assert run_later(hospital, "run") == 0
    (first,) = hospital.runs
    hospital.doctors(1, start=2, file="more.xlsx")
    assert hospital.go("run") == 0
    (second,) = set(hospital.runs) - {first}
    assert second.name < first.name, "its clock was behind"
    capsys.readouterr()
    assert hospital.go("--json", "status") == 0
    assert json.loads(capsys.readouterr().out)["last_run"]["run"] == second.name


@pytest.mark.parametrize("command", ["status", "doctor"])
def test_a_ledger_that_another_user_opened_last_is_named(hospital, capsys, monkeypatch, command):
    hospital.doctors(1)
    monkeypatch.setenv("ESIGN_RUN_USER", "night")
    assert hospital.go("run") == 0
    monkeypatch.delenv("ESIGN_RUN_USER")
    capsys.readouterr()
    hospital.go(command)
    assert "ser night opened the ledger last" in "".join(capsys.readouterr())
    assert hospital.go("run") == 0
    capsys.readouterr()
    hospital.go(command)
    assert "opened the ledger last" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("is_real", [False, True])
def test_a_ledger_with_both_journals_on_one_machine_is_named(hospital, capsys, is_real):
    """Not for a sandbox, whose seals are made again without harm."""
    hospital.doctors(1)
    if is_real:
        hospital.configure(endpoint="https://essbasic.tencentcloudapi.com")
    assert hospital.go("check") == 0
    capsys.readouterr()
    assert hospital.go("status") == 0
    assert ("are on one machine" in "".join(capsys.readouterr())) is is_real
