"""What an expert reader, a newcomer and an attacker found, each held by a test."""

import json
import logging
import os
import shutil

import openpyxl
import pytest
from people import make_row, name, number
from PIL import Image
from result_sheet import ResultSheet
from run_support import draw_seal
from wire_support import fault

from pipeline.cli.app import main


def test_a_work_folder_that_is_a_file_is_74_and_nothing_is_sent(hospital):
    hospital.doctors(20)
    path = hospital.folder / "seals" / "00010.png"
    Image.open(path).save(path.with_suffix(".bmp"))
    path.unlink()
    (hospital.folder / "state").mkdir()
    (hospital.folder / "state" / "work").write_text("in the way")
    assert hospital.go("run") == 74
    (record,) = (hospital.folder / "out").glob("2*/run.json")
    assert json.loads(record.read_text("utf-8"))["halted"]["code"] == "DISK"
    assert hospital.service.received == []


def test_a_retry_has_a_sheet_of_the_rows_it_took_up(hospital):
    """Beside All, which holds every row of the rosters; a run has none."""
    hospital.doctors(3)
    picture = hospital.folder / "seals" / "00002.png"
    picture.rename(hospital.folder / "kept.png")
    assert hospital.go("run") == 3
    assert "Retried" not in openpyxl.load_workbook(hospital.newest / "results.xlsx").sheetnames
    (hospital.folder / "kept.png").rename(picture)
    assert hospital.go("retry") == 0
    book = openpyxl.load_workbook(hospital.newest / "results.xlsx")
    rows = [row[:2] for row in book["Retried"].iter_rows(min_row=2, values_only=True)]
    assert rows == [(name(2), "Sealed")]
    assert book["All"].max_row == 4
    assert any("Retried" in str(cell.value) for row in book["Summary"].iter_rows() for cell in row)


def test_a_bare_retry_sends_no_new_doctor(hospital):
    hospital.doctors(1)
    hospital.go("run")
    hospital.doctors(2)
    assert hospital.run_to_end("retry") == (0, {"unchanged": 1, "not_sent": 1})
    assert hospital.run_to_end("run") == (0, {"sealed": 1, "unchanged": 1})


def test_a_bare_retry_sends_the_row_that_was_corrected_in_its_place(hospital):
    hospital.doctors(2)
    hospital.roster([(name(1), number(1), None, "00001", ""), (name(2), number(2)[:17], None, "00002", "")])
    assert hospital.go("run") == 3
    hospital.roster([(name(1), number(1), None, "00001", ""), (name(2), number(2), None, "00002", "")])
    assert hospital.run_to_end("retry") == (0, {"sealed": 1, "unchanged": 1})


def test_limit_is_about_seals_not_about_bad_pictures(hospital):
    hospital.doctors(3)
    (hospital.folder / "seals" / "00001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert hospital.run_to_end("run", "--limit", "1") == (3, {"sealed": 1, "rejected": 1, "not_sent": 1})


def test_a_changed_picture_is_seen_next_to_any_warning(hospital):
    hospital.doctors(1)
    hospital.go("run")
    for copy in ("00001.png", "00001 (2).png"):
        draw_seal(hospital.folder / "seals" / copy, 99)
    assert hospital.run_to_end("run") == (3, {"changed": 1})


def test_an_unsettled_doctor_stays_unknown_when_the_row_changes(hospital_with):
    hospital = hospital_with(faults=[fault("reset_after")])
    hospital.doctors(2)
    assert hospital.go("run") == 3
    hospital.roster(
        [(f"{name(serial)}（返聘）", number(serial), None, f"{serial:05d}", "") for serial in (1, 2)]
    )
    assert hospital.run_to_end("run") == (3, {"unknown": 1, "rejected": 1})


def test_an_unsettled_doctor_who_left_the_roster_is_not_forgotten(hospital_with, capsys):
    hospital = hospital_with(faults=[fault("reset_after")])
    hospital.doctors(2)
    hospital.go("run")
    unknown = next(outcome for outcome in hospital.outcomes() if outcome["status"] == "unknown")
    (serial,) = {1, 2} - {int(unknown["staff_no"])}
    hospital.roster([make_row(serial)])
    capsys.readouterr()
    assert hospital.go("run") == 0
    assert "1 person who is not in these rosters has a submission to resolve" in capsys.readouterr().err


def test_a_persons_notes_in_a_workbook_are_never_overwritten(hospital, capsys):
    hospital.doctors(1)
    hospital.roster([(name(1), number(1), "154000", "00001", "内科")])
    hospital.go("run")
    workbook = hospital.folder / "out" / "latest" / "results.xlsx"
    fix = ResultSheet(workbook)
    fix.write(2, "What to do", "asked on the ward")
    fix.save(workbook)
    hospital.go("run")
    kept = workbook.with_name("results (edited).xlsx")
    assert ResultSheet(kept).read(2, "What to do") == "asked on the ward"
    assert "results (edited).xlsx" in capsys.readouterr().err


def test_the_picture_of_an_unsettled_create_is_no_other_persons(hospital_with):
    hospital = hospital_with(faults=[fault("reset_after")])
    hospital.doctors(2)
    hospital.go("run")
    unknown = next(outcome for outcome in hospital.outcomes() if outcome["status"] == "unknown")
    picture = hospital.folder / "seals" / f"{unknown['staff_no']}.png"
    picture.rename(picture.with_name("00003.png"))
    hospital.roster([(name(3), number(3), None, "00003", "内科")])
    assert hospital.run_to_end("run") == (3, {"rejected": 1})


def test_a_name_that_exists_by_text_alone_is_held_whatever_name_the_roster_gives_next(hospital_with):
    exists = {"code": {"code": "FailedOperation", "message": "印章名称重名，请修改"}}
    hospital = hospital_with(faults=[fault(exists, nth=(2,))])
    hospital.doctors(2)
    assert hospital.run_to_end("run") == (3, {"sealed": 1, "exists": 1})
    heads = ("姓名", "证件号码", "手机号", "工号", "科室", "印章名称")
    rows = [(*make_row(serial), f"{name(serial)}二章") for serial in (1, 2)]
    hospital.roster(rows, headers=heads)
    assert hospital.run_to_end("run") == (3, {"changed": 1, "exists": 1})
    assert hospital.creates() == 2


def test_the_service_is_not_needed_for_a_run_with_nothing_to_send(hospital):
    hospital.doctors(1)
    hospital.go("run")
    for secret in (hospital.folder / "secrets").iterdir():
        secret.unlink()
    assert hospital.run_to_end("run") == (0, {"unchanged": 1})
    hospital.doctors(2)
    assert hospital.go("run") == 4


def test_quiet_still_prints_what_a_person_must_know(hospital, capsys):
    hospital.doctors(1)
    (hospital.folder / "secrets" / "tencent__secret_key").write_text("wrong")
    command = ["--config", str(hospital.folder / "config.yaml"), "-q", "run"]
    assert main(command) == 4
    stderr_text = capsys.readouterr().err
    assert "SignatureFailure" in stderr_text
    assert len(stderr_text.splitlines()) == 1


def test_a_ledger_lost_after_a_run_with_out_is_made_again(hospital):
    hospital.doctors(1)
    assert hospital.go("run", "--out", str(hospital.folder / "elsewhere")) == 0
    hospital.lose_ledger()
    shutil.rmtree(os.environ["XDG_STATE_HOME"])
    assert hospital.run_to_end("run") == (0, {"unchanged": 1})


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "out/latest/results.xlsx"], 2),
        (["run", "nowhere.xlsx"], 2),
        (["run", "inbox", "--seals", "nowhere"], 2),
    ],
)
def test_the_wrong_file_is_a_matter_of_usage(hospital, monkeypatch, arguments, code):
    hospital.doctors(1)
    hospital.go("run")
    before = len(hospital.service.received)
    monkeypatch.chdir(hospital.folder)
    assert hospital.go(*arguments) == code
    assert len(hospital.service.received) == before


def test_the_log_holds_the_status_of_each_row_that_was_sent(hospital):
    hospital.doctors(3)
    hospital.go("run")
    (run,) = hospital.runs
    records = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    assert sorted(record["status"] for record in records if record["message"] == "row") == ["sealed"] * 3
    assert logging.getLogger().handlers == [] or all(
        "log.jsonl" not in str(handler) for handler in logging.getLogger().handlers
    )


def test_suggested_commands_repeat_what_was_given(hospital, capsys):
    hospital.doctors(2)
    roster = str(hospital.folder / "inbox" / "roster.xlsx")
    seals = str(hospital.folder / "seals")
    hospital.go("check", roster, "--seals", seals)
    stderr_text = capsys.readouterr().err
    assert f"--config {hospital.folder}/config.yaml run {roster} --seals {seals}" in stderr_text
