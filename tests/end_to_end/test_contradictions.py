"""Two creates of one doctor contradict each other: the doctor is held, both SealIds are named, and one is chosen."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict

import pytest
from openpyxl import load_workbook
from people import make_row, name, number
from resolution_support import LaterClock, run_later
from result_sheet import ResultSheet

from pipeline.clock import SystemClock
from pipeline.config.settings import Config
from pipeline.ledger.events import Event
from pipeline.ledger.records import Decision, LedgerConflict
from pipeline.workflow.hosts_factory import make_location
from pipeline.workflow.tenant_ledger import lock_ledger, open_configured_ledger

OTHER_SEAL = "yDother0seal0of0another0history01"


def unite_with_another_history(hospital, *, seal_id, serial=1, verdict="sealed", **differing):
    """Leave the events of a create that another history of the ledger has sent for a doctor; ``differing`` are its own values."""
    config = Config.load(hospital.folder / "config.yaml", environment={})
    with open_configured_ledger(config, SystemClock()) as (ledger, site_key):
        person = ledger.snapshot().people[site_key.person(number(serial))]
    created = person.attempts[-1]
    sent = {
        **{
            key: asdict(created)[key] for key in ("run", "row_id", "contract", "host", "signed_at", "dead_at")
        },
        "uuid": "00000000-0000-4000-8000-000000000001",
        "person": person.key,
        "name": person.name,
        "id_masked": person.id_masked,
        "staff_no": person.staff_no,
        "mobile": person.mobile,
        "seal_name": person.seal_name,
        "content": list(asdict(created.content).values()),
        **differing,
    }
    answer = {"uuid": sent["uuid"], "person": person.key, "kind": verdict, "at": created.signed_at + 1.0}
    answer |= {"seal_id": seal_id, "http_status": 200, "request_id": "r-other", "code": None, "message": None}
    events = [Event.make(5000, "attempt", sent), Event.make(5001, "verdict", answer)]
    make_location(config).places.leave_events(site_key, events)


def list_seals(hospital):
    with closing(sqlite3.connect(hospital.folder / "state" / "ledger.sqlite3")) as connection:
        statement = (
            "SELECT state, seal_id, is_contested FROM attempt WHERE seal_id IS NOT NULL ORDER BY event_number"
        )
        return connection.execute(statement).fetchall()


@pytest.fixture
def united(hospital):
    hospital.seal_doctors(2)
    unite_with_another_history(hospital, seal_id=OTHER_SEAL)
    return hospital


def get_first(hospital):
    return next(row for row in hospital.outcomes() if row["name"] == name(1))


def get_made(hospital, serial=1):
    return next(seal.seal_id for seal in hospital.service.seals if seal.number == number(serial))


def test_the_doctor_is_held_and_both_seals_are_named(united, capsys):
    made = get_made(united)
    assert united.go("run", "--yes") == 3
    assert get_first(united)["status"] == "unknown"
    capsys.readouterr()
    assert united.go("resolve") == 3
    printed = capsys.readouterr().out
    assert f"{made} {OTHER_SEAL}" in printed
    assert "not confirmed" not in printed
    assert len(united.service.seals) == 2


def test_a_seal_that_was_made_is_not_recorded_as_not_created(united, capsys):
    """Else the next run would make a third one; the refusal names the seals and how one of them is chosen."""
    seal_ids = (get_made(united), OTHER_SEAL)
    assert united.go("run", "--yes") == 3
    before = list_seals(united)
    capsys.readouterr()
    assert run_later(united, "resolve", name(1), "--not-created", "--sure") == 2
    refusal = capsys.readouterr().err
    assert all(seal_id in refusal for seal_id in seal_ids)
    assert "--seal-id" in refusal
    assert (
        run_later(united, "resolve", name(1), "--seal-id", "yDthird0seal0that0nobody0knows000", "--sure") == 2
    )
    refusal = capsys.readouterr().err
    assert all(seal_id in refusal for seal_id in seal_ids)
    config = Config.load(united.folder / "config.yaml", environment={})
    with lock_ledger(config, "resolve", LaterClock()) as (ledger, site_key):
        person = ledger.snapshot().people[site_key.person(number(1))]
        decision = Decision(
            "not_created", person.key, 1.0, "somebody", "", attempt=person.unresolved_attempt.uuid
        )
        with pytest.raises(LedgerConflict):
            ledger.record_decision(decision)
    assert list_seals(united) == before
    assert united.go("run", "--yes") == 3
    assert len(united.service.seals) == 2


def test_what_a_run_writes_of_the_doctor_names_both_seals_and_the_choice(united):
    seal_ids = (get_made(united), OTHER_SEAL)
    assert united.go("run", "--yes") == 3
    unknown = ResultSheet(united.newest / "results.xlsx", "sheet.unknown")
    settle = unknown.read(unknown.get_row_number("Name", name(1)), "How to resolve it")
    every = ResultSheet(united.newest / "results.xlsx", "sheet.all")
    reason = every.read(every.get_row_number("Name", name(1)), "Reason")
    page = (united.newest / "report.html").read_text("utf-8")
    for text in (settle, reason, page):
        assert all(seal_id in text for seal_id in seal_ids)
        assert "contradict each other" in text
        assert "not confirmed" not in text
        assert "the result is unknown" not in text
    assert "--seal-id" in settle
    assert "--not-created" not in settle


def test_a_seal_whose_name_is_another_doctors_can_be_chosen(hospital):
    """The names of two histories meet: with the choice the doctor has the seal, the name stays the other doctor's."""
    hospital.seal_doctors(2)
    with closing(sqlite3.connect(hospital.folder / "state" / "ledger.sqlite3")) as connection:
        taken = connection.execute("SELECT seal_name FROM person WHERE name = ?", (name(2),)).fetchone()[0]
    unite_with_another_history(hospital, seal_id=OTHER_SEAL, seal_name=taken)
    assert hospital.go("run", "--yes") == 3
    assert run_later(hospital, "resolve", name(1), "--seal-id", OTHER_SEAL, "--sure") == 0
    assert hospital.go("run", "--yes") == 0
    assert (get_first(hospital)["status"], get_first(hospital)["seal_id"]) == ("unchanged", OTHER_SEAL)
    assert len(hospital.service.seals) == 2


@pytest.mark.parametrize("chosen", ["made", "other"])
def test_the_chosen_seal_counts_and_the_other_one_is_given_up(united, chosen):
    made = get_made(united)
    keep, give_up = (made, OTHER_SEAL) if chosen == "made" else (OTHER_SEAL, made)
    assert run_later(united, "resolve", name(1), "--seal-id", keep, "--sure") == 0
    ends = {seal_id: (state, contested) for state, seal_id, contested in list_seals(united)}
    assert (ends[keep], ends[give_up]) == (("sealed", 0), ("ended", 0))
    assert united.go("run", "--yes") == 0
    assert (get_first(united)["status"], get_first(united)["seal_id"]) == ("unchanged", keep)
    assert len(united.service.seals) == 2


def test_a_choice_can_be_withdrawn(united):
    assert run_later(united, "resolve", name(1), "--seal-id", OTHER_SEAL, "--sure") == 0
    assert run_later(united, "resolve", name(1), "--withdraw", "--sure") == 0
    assert united.go("run", "--yes") == 3
    assert get_first(united)["status"] == "unknown"


@pytest.mark.parametrize("way", ["chosen", "denied"])
def test_a_seal_of_another_doctor_is_not_chosen_and_is_denied(hospital, way, capsys):
    hospital.seal_doctors(1)
    hospital.roster([make_row(1), make_row(2)])
    others = get_made(hospital)
    hospital.doctors(2)
    assert hospital.go("run") == 0
    second = get_made(hospital, 2)
    unite_with_another_history(hospital, seal_id=others, serial=2)
    assert hospital.go("run", "--yes") == 3
    capsys.readouterr()
    assert run_later(hospital, "resolve", name(2), "--seal-id", others, "--sure") == 2
    assert f"is the seal of {name(1)}" in capsys.readouterr().err
    options = ("--seal-id", second) if way == "chosen" else ("--not-created",)
    assert run_later(hospital, "resolve", name(2), *options, "--sure") == 0
    assert hospital.go("run", "--yes") == 0
    assert {row["seal_id"] for row in hospital.outcomes()} == {others, second}
    assert len(hospital.service.seals) == 2


def test_an_answer_without_proof_leaves_the_seal_to_be_confirmed(hospital):
    hospital.seal_doctors(1)
    unite_with_another_history(hospital, seal_id=None, verdict="unknown")
    made = get_made(hospital)
    assert hospital.go("run", "--yes") == 3
    assert run_later(hospital, "resolve", name(1), "--seal-id", made, "--sure") == 0
    assert hospital.go("run", "--yes") == 0
    assert json.loads((hospital.newest / "run.json").read_text("utf-8"))["statuses"]["unchanged"] == 1
    assert len(hospital.service.seals) == 1


def test_every_command_counts_the_doctor_alike_and_the_list_of_seals_marks_both(united, capsys):
    assert united.go("run", "--yes") == 3
    capsys.readouterr()
    assert united.go("--json", "status") == 0
    people = json.loads(capsys.readouterr().out)["people"]
    assert (people["sealed"], people["unknown"]) == (1, 1)
    assert united.go("--json", "ledger", "check") == 0
    health = json.loads(capsys.readouterr().out)
    assert (health["seals"], health["unresolved"]) == (1, 1)
    united.go("doctor", "--offline")
    assert "1 seals, 1 unknown" in "".join(capsys.readouterr())
    assert united.go("--json", "export") == 0
    listed = {seal["seal_id"]: seal for seal in json.loads(capsys.readouterr().out)["seals"]}
    both = {get_made(united), OTHER_SEAL}
    assert {seal_id for seal_id, seal in listed.items() if seal["contradicting"]} == both
    assert len(listed) == 3
    for language, states in (
        ("en", {"contradicting, waits to be resolved", "live"}),
        ("zh", {"互相矛盾，待核实", "有效"}),
    ):
        path = united.folder / f"seals-{language}.xlsx"
        assert united.go("--lang", language, "export", "--out", str(path)) == 0
        head, *rows = load_workbook(path).worksheets[0].iter_rows(values_only=True)
        column = head.index("State" if language == "en" else "状态")
        assert {row[column] for row in rows} == states
        capsys.readouterr()
        assert united.go("--lang", language, "export", "--csv") == 0
        text = capsys.readouterr().out
        assert text.count(max(states, key=len)) == 2
    assert run_later(united, "resolve", name(1), "--seal-id", OTHER_SEAL, "--sure") == 0
    capsys.readouterr()
    assert united.go("--json", "export") == 0
    seals = json.loads(capsys.readouterr().out)["seals"]
    assert not any(seal["contradicting"] for seal in seals)
    assert united.go("--json", "ledger", "check") == 0
    health = json.loads(capsys.readouterr().out)
    assert (health["seals"], health["unresolved"]) == (2, 0)
