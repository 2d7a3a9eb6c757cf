"""A decision that was wrong: it is asked once more, and withdrawn before anything was sent on it."""

import json

import openpyxl
import pytest
from people import name, number
from pty_support import run_on_terminal
from resolution_support import list_made_seals, run_later
from run_support import draw_seal
from wire_support import fault

from pipeline.ledger.lock import read_user_name
from pipeline.sandbox.actions import Rules

LOST, TAKEN = name(1), name(2)  # unknown, and exists


def lose_one_and_take_one(hospital):
    """Doctor 1's answer was lost after the seal was made; doctor 2's seal was made with another ledger."""
    hospital.doctors(1, start=2)
    assert hospital.go("run") == 0
    hospital.forget_ledger()
    hospital.doctors(1)
    assert hospital.go("run") == 3
    hospital.doctors(2)
    assert hospital.run_to_end("run") == (3, {"unknown": 1, "exists": 1})


@pytest.fixture
def waiting(scene):
    rules = Rules(limiter="none", unique_names="code")
    return scene(lose_one_and_take_one, rules=rules, faults=[fault("reset_after", nth=(2,))])


def read_list(hospital, capsys):
    """Return the data of `resolve --json`."""
    capsys.readouterr()
    run_later(hospital, "--json", "resolve")
    return json.loads(capsys.readouterr().out)


def read_story(hospital, capsys, who, *options):
    capsys.readouterr()
    assert run_later(hospital, *options, "explain", who) == 0
    return capsys.readouterr().out


def count_waiting(hospital, capsys):
    capsys.readouterr()
    assert hospital.go("--json", "status") == 0
    return json.loads(capsys.readouterr().out)["waiting"]


def test_a_seal_id_of_the_wrong_doctor_ends_with_the_right_ones_and_no_second_seal(waiting, capsys):
    made, sent = list_made_seals(waiting), waiting.creates()
    assert run_later(waiting, "resolve", LOST, "--seal-id", made[TAKEN], "--sure", "--why", "pasted") == 0
    assert waiting.run_to_end("run") == (3, {"unchanged": 1, "exists": 1})
    (listed,) = read_list(waiting, capsys)["withdrawable"]
    assert (listed["name"], listed["decision"], listed["seal_id"]) == (LOST, "created", made[TAKEN])
    for spelling in (made[TAKEN], made[TAKEN].swapcase()):
        assert run_later(waiting, "resolve", TAKEN, "--seal-id", spelling, "--sure") == 2
        refused = capsys.readouterr().err
        assert f"is the seal of {LOST} (number ending in {number(1)[-4:]})" in refused
        assert f"{read_user_name()} recorded it at " in refused
        assert f"resolve {made[TAKEN]} --withdraw" in refused
    assert "can be withdrawn: " in read_story(waiting, capsys, LOST)
    assert run_later(waiting, "resolve", made[TAKEN], "--withdraw", "--why", "of another doctor") == 0
    story = read_story(waiting, capsys, LOST)
    assert "Unknown — " in story
    assert f"created, SealId {made[TAKEN]} (withdrawn)\n" in story
    assert (
        f": created, SealId {made[TAKEN]}\n              by {read_user_name()}, reason: of another doctor"
        in story
    )
    assert "can be withdrawn: " not in story
    listed = read_list(waiting, capsys)
    assert ([case["name"] for case in listed["waiting"]], listed["withdrawable"]) == ([LOST, TAKEN], [])
    assert run_later(waiting, "status") == 0
    assert "unknown: 1 · name exists: 1" in capsys.readouterr().out
    assert run_later(waiting, "--json", "export") == 0
    assert json.loads(capsys.readouterr().out)["seals"] == []
    assert waiting.run_to_end("run") == (3, {"unknown": 1, "exists": 1})
    for who in (LOST, TAKEN):
        assert run_later(waiting, "resolve", who, "--seal-id", made[who], "--sure") == 0
    assert waiting.run_to_end("run") == (0, {"unchanged": 2})
    assert {row["name"]: row["seal_id"] for row in waiting.outcomes()} == made
    assert waiting.service.list_duplicates() == {}
    assert waiting.creates() == sent
    assert waiting.go("ledger", "check") == 0


def test_what_can_make_a_second_seal_is_not_recorded_without_being_sure(waiting, capsys):
    made = list_made_seals(waiting)
    for who, serial, options in (
        (LOST, 1, ("--seal-id", made[LOST])),
        (TAKEN, 2, ("--seal-id", made[TAKEN])),
        (TAKEN, 2, ("--not-theirs",)),
    ):
        capsys.readouterr()
        assert run_later(waiting, "resolve", who, *options) == 2, options
        refused = capsys.readouterr().err
        for part in (who, number(serial)[-4:], f"“{who}处方章”", "--sure", *options[1:]):
            assert part in refused, (options, part)
        assert number(serial) not in refused
    assert read_list(waiting, capsys)["withdrawable"] == []
    assert waiting.run_to_end("run") == (3, {"unknown": 1, "exists": 1})


@pytest.mark.parametrize(("who", "serial", "option"), [(LOST, 1, "--seal-id"), (TAKEN, 2, "--not-theirs")])
def test_a_terminal_asks_once_more(waiting, capsys, who, serial, option):
    value = [list_made_seals(waiting)[who]] if option == "--seal-id" else []
    words = waiting.command("resolve", who, option, *value)
    for typed, is_recorded in ((b"n\n", False), (b"y\n", True)):
        code, seen = run_on_terminal(words, columns=400, typed=typed)
        assert code == 0, seen
        assert f"{who} (number ending in {number(serial)[-4:]})" in seen
        assert f"“{who}处方章”" in seen
        assert ("Nothing was recorded." in seen) != is_recorded
        assert [case["name"] for case in read_list(waiting, capsys)["withdrawable"]] == [who] * is_recorded


def test_a_decision_is_withdrawn_until_a_create_is_sent_on_it(waiting, capsys):
    sent = waiting.creates()
    assert run_later(waiting, "resolve", TAKEN, "--not-theirs", "--sure") == 0
    assert run_later(waiting, "resolve", LOST, "--not-created", "--sure") == 0
    assert run_later(waiting, "resolve", TAKEN, "--withdraw") == 0
    assert run_later(waiting, "resolve", LOST, "--withdraw") == 0
    assert waiting.run_to_end("run") == (3, {"unknown": 1, "exists": 1})
    assert waiting.creates() == sent, "nothing may be sent again"
    assert run_later(waiting, "resolve", LOST, "--not-created", "--sure") == 0
    assert waiting.run_to_end("run") == (3, {"exists": 2})
    capsys.readouterr()
    assert run_later(waiting, "resolve", LOST, "--withdraw") == 2
    refused = capsys.readouterr().err
    assert f"a create was sent for {LOST} (number ending in {number(1)[-4:]}) at 20" in refused
    assert read_list(waiting, capsys)["withdrawable"] == []
    assert "can be withdrawn" not in read_story(waiting, capsys, LOST)
    assert waiting.service.list_duplicates() == {}


def test_a_check_that_showed_a_withdrawn_seal_makes_no_ledger_an_older_one(waiting):
    """The results of the check name a SealId that the ledger holds as a withdrawn decision alone."""
    made = list_made_seals(waiting)
    assert run_later(waiting, "resolve", LOST, "--seal-id", made[LOST], "--sure") == 0
    assert waiting.go("check") == 3
    assert run_later(waiting, "resolve", LOST, "--withdraw") == 0
    for command in ("check", "run"):
        assert waiting.run_to_end(command) == (3, {"unknown": 1, "exists": 1}), command


def test_a_withdrawal_needs_a_decision_on_a_doctor(waiting, capsys):
    for words, sentence in (
        ((LOST,), "There is no decision on"),
        (("没有此人",), "No row to resolve matches"),
        ((), "No doctor was named"),
    ):
        capsys.readouterr()
        assert run_later(waiting, "resolve", *words, "--withdraw") == 2
        assert sentence in capsys.readouterr().err
    assert run_later(waiting, "resolve", LOST, "--withdraw", "--not-created", "--sure") == 2


def write_seals(hospital, rows):
    book = openpyxl.Workbook()
    for row in (("姓名", "身份证号", "印章ID"), *rows):
        book.active.append(row)
    book.save(hospital.folder / "seals.xlsx")
    return str(hospital.folder / "seals.xlsx")


def test_a_sheet_with_a_seal_id_that_a_decision_gave_to_another_names_the_decision(waiting, capsys):
    made = list_made_seals(waiting)
    assert run_later(waiting, "resolve", LOST, "--seal-id", made[TAKEN], "--sure") == 0
    sheet = write_seals(
        waiting, [(name(3), number(3), made[TAKEN].swapcase()), (LOST, number(1), made[LOST])]
    )
    capsys.readouterr()
    assert run_later(waiting, "adopt", sheet) == 3
    refused = [line for line in capsys.readouterr().err.splitlines() if "recorded it at" in line]
    assert len(refused) == 2
    assert all(f"resolve {made[TAKEN]} --withdraw" in line for line in refused)
    assert f"belongs to {LOST} (number ending in {number(1)[-4:]})" in refused[0]


def test_an_adopted_seal_is_withdrawn_and_can_be_adopted_for_its_owner(hospital, capsys):
    hospital.doctors(3)
    ids = {serial: f"yD{serial:030d}" for serial in (1, 2)}
    assert hospital.go("adopt", write_seals(hospital, [(name(1), number(1), ids[2])])) == 0
    assert read_list(hospital, capsys)["withdrawable"] == [], "a sheet may hold thousands"
    assert hospital.go("resolve", ids[2], "--withdraw") == 2
    assert "the next run creates one" in capsys.readouterr().err
    assert hospital.go("resolve", ids[2], "--withdraw", "--sure") == 0
    rows = [(name(serial), number(serial), seal_id) for serial, seal_id in ids.items()]
    assert hospital.go("adopt", write_seals(hospital, rows)) == 0
    assert hospital.run_to_end("run") == (0, {"unchanged": 2, "sealed": 1})
    assert {row["name"]: row["seal_id"] for row in hospital.outcomes()} == {
        **{name(serial): seal_id for serial, seal_id in ids.items()},
        **list_made_seals(hospital),
    }
    assert hospital.go("ledger", "check") == 0


def test_kept_content_that_is_withdrawn_is_changed_again(hospital, capsys):
    hospital.seal_doctors(2)
    draw_seal(hospital.folder / "seals" / "00001.png", 77)
    assert hospital.go("run") == 3
    for withdraw_after_run in (False, True):
        assert hospital.go("resolve", name(1), "--keep") == 0
        assert count_waiting(hospital, capsys) == 0
        if withdraw_after_run:
            assert hospital.run_to_end("run") == (0, {"unchanged": 2})
        assert hospital.go("resolve", name(1), "--withdraw") == 0
        assert count_waiting(hospital, capsys) == (not withdraw_after_run), "of the last run"
        assert "Changed — " in read_story(hospital, capsys, name(1))
        assert [case["status"] for case in read_list(hospital, capsys)["waiting"]] == ["changed"]
    assert hospital.go("resolve", name(1), "--replace", "--seal-name", "新处方章") == 0
    assert hospital.go("resolve", name(1), "--withdraw") == 0
    assert hospital.run_to_end("run") == (3, {"changed": 1, "unchanged": 1})
    assert len(hospital.service.seals) == 2
