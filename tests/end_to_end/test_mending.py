"""What an expert reader, a newcomer and an attacker found, each held by a test."""

import json
import logging
import shutil
from pathlib import Path

import openpyxl
import pytest
from openpyxl.drawing.image import Image as XlsxImage
from people import make_row, name, number
from PIL import Image
from result_sheet import ResultSheet, save_corrected
from run_support import draw_seal
from wire_support import fault

from pipeline.cli.app import main


def edited(hospital, workbook: Path, changes, *, drop=()) -> Path:
    return save_corrected(workbook, hospital.folder / "edited.xlsx", changes, by="姓名", drop=drop)


def test_a_work_folder_that_is_a_file_is_74_and_nothing_is_sent(hospital):
    hospital.doctors(20)
    path = hospital.folder / "seals" / "00010.png"
    Image.open(path).save(path.with_suffix(".bmp"))
    path.unlink()
    (hospital.folder / "state").mkdir()
    (hospital.folder / "state" / "work").write_text("in the way")
    assert hospital.go("run") == 74
    assert hospital.statuses() == {"not_sent": 20}
    assert hospital.service.seals == []


def test_a_bare_retry_goes_back_to_the_roster_after_a_retry_of_a_workbook(hospital):
    hospital.doctors(2)
    rows = [(name(serial), number(serial), "154000", f"{serial:05d}", "内科") for serial in (1, 2)]
    hospital.roster(rows)
    assert hospital.go("run") == 3
    workbook = edited(
        hospital, hospital.folder / "out/latest/results.xlsx", {name(1): {"手机号": "15400000001"}}
    )
    assert hospital.go("retry", str(workbook)) == 3
    assert hospital.run_to_end("retry") == (3, {"unchanged": 1, "rejected": 1})


def test_a_retry_has_a_sheet_of_the_rows_it_took_up(hospital):
    """Beside All, which holds every row of the rosters; a run has none."""
    hospital.doctors(3)
    picture = hospital.folder / "seals" / "00002.png"
    picture.rename(hospital.folder / "kept.png")
    assert hospital.go("run") == 3
    assert "Retried" not in openpyxl.load_workbook(hospital.newest / "results.xlsx").sheetnames
    (hospital.folder / "kept.png").rename(picture)
    assert hospital.go("retry") == 0
    for _ in range(2):
        book = openpyxl.load_workbook(hospital.newest / "results.xlsx")
        rows = [row[:2] for row in book["Retried"].iter_rows(min_row=2, values_only=True)]
        assert rows == [(name(2), "Sealed")]
        assert book["All"].max_row == 4
        assert any("Retried" in str(cell.value) for row in book["Summary"].iter_rows() for cell in row)
        assert hospital.go("report") == 0, "made again with the same sheet"


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


@pytest.mark.parametrize("language", ["zh", "en"])
def test_report_tells_rows_that_have_left_the_roster(hospital, language, capsys):
    hospital.doctors(3)
    hospital.roster([(name(serial), number(serial), "154", f"{serial:05d}", "") for serial in (1, 2, 3)])
    hospital.go("run")
    hospital.roster([(name(serial), number(serial), "154", f"{serial:05d}", "") for serial in (2, 3)])
    assert main(hospital.command("report", language=language)) == 0
    (run,) = hospital.runs
    lines = [json.loads(line) for line in (run / "outcomes.jsonl").read_text("utf-8").splitlines()]
    assert [line["row"] for line in lines] == [2, 3, 4]
    chinese = {"的手机号" in problem["message"] for line in lines for problem in line["problems"]}
    assert chinese == {language == "zh"}


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


def test_an_unsettled_doctor_stays_unknown_whatever_the_row_says_now(hospital_with):
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
    assert "unknown result and who are not in these rosters: 1" in capsys.readouterr().err


def test_a_clerks_edits_are_never_overwritten(hospital, capsys):
    hospital.doctors(1)
    hospital.roster([(name(1), number(1), "154000", "00001", "内科")])
    hospital.go("run")
    workbook = hospital.folder / "out" / "latest" / "results.xlsx"
    fix = ResultSheet(workbook)
    fix.write(2, "手机号", "15400000001")
    fix.save(workbook)
    hospital.go("run")
    kept = workbook.with_name("results (edited).xlsx")
    assert ResultSheet(kept).read(2, "手机号") == "15400000001"
    assert "results (edited).xlsx" in capsys.readouterr().err
    assert hospital.go("retry", str(kept)) == 0


def test_a_workbook_is_retried_with_the_pictures_and_the_company_of_its_own_run(hospital):
    """Two sites number their staff alike; a night over the other one lies between."""
    for site, serial in (("a", 1), ("b", 2)):
        (hospital.folder / site).mkdir()
        draw_seal(hospital.folder / site / "00001.png", serial)
        hospital.roster([(name(serial), number(serial), "154000", "00001", "内科")], file=f"{site}.xlsx")
        roster = str(hospital.folder / "inbox" / f"{site}.xlsx")
        assert hospital.go("run", roster, "--seals", str(hospital.folder / site)) == 3
    first = hospital.runs[0] / "results.xlsx"
    workbook = edited(hospital, first, {name(1): {"手机号": "15400000001"}})
    assert hospital.go("retry", str(workbook)) == 0
    (seal,) = hospital.service.seals
    assert hospital.service.pictures[seal.picture] == (hospital.folder / "a" / "00001.png").read_bytes()


def test_a_workbook_is_retried_next_to_the_namesakes_of_its_own_run(hospital):
    draw_seal(hospital.folder / "seals" / "张伟.png", 77)
    hospital.roster(
        [("张伟", number(1), None, None, "内科"), ("张伟", number(2), None, None, "外科")], file="a.xlsx"
    )
    inbox = hospital.folder / "inbox"
    assert hospital.go("run", str(inbox / "a.xlsx")) == 3
    first = hospital.runs[0] / "results.xlsx"
    hospital.doctors(1, start=9, file="b.xlsx")
    assert hospital.go("run", str(inbox / "b.xlsx")) == 0
    book = openpyxl.load_workbook(first)
    book["To fix"].delete_rows(3)
    book.save(hospital.folder / "edited.xlsx")
    assert hospital.go("retry", str(hospital.folder / "edited.xlsx")) == 3
    again = hospital.newest / "results.xlsx"  # and once more, from the retry's own workbook
    assert hospital.go("retry", str(again)) == 3
    assert [seal.name for seal in hospital.service.seals if seal.name == "张伟"] == []


def test_a_checks_workbook_of_another_roster_gives_no_namesakes_picture(hospital, capsys):
    """`check` leaves no run in the ledger: which roster its workbook came from, only the rows can tell."""
    inbox, other = hospital.folder / "inbox", hospital.folder / "other"
    draw_seal(hospital.folder / "seals" / "张伟.png", 77)
    hospital.seal_doctors(1, start=9)
    hospital.roster(
        [("张伟", number(1), None, None, "内科"), ("张伟", number(2), None, None, "外科")], file="a.xlsx"
    )
    other.mkdir()
    (inbox / "a.xlsx").rename(other / "a.xlsx")
    assert hospital.go("check", str(other / "a.xlsx")) == 3
    workbook = hospital.folder / "edited.xlsx"
    book = openpyxl.load_workbook(hospital.newest / "results.xlsx")
    book["To fix"].delete_rows(3)
    book.save(workbook)
    assert hospital.go("retry", str(workbook)) == 2
    assert "edited.xlsx To fix row 2" in capsys.readouterr().err
    assert len(hospital.service.seals) == 1
    workbook.rename(other / "edited.xlsx")
    assert hospital.go("run", str(other)) == 3  # as the message says; and both namesakes stand there
    assert len(hospital.service.seals) == 1


@pytest.mark.parametrize("how", ["the named roster", "one of two", "out of the inbox", "all of the inbox"])
def test_a_workbook_whose_roster_is_gone_gives_no_namesakes_picture(hospital, capsys, how):
    """The namesake has a seal and is not in the workbook: only the roster tells that the picture fits two people."""
    inbox = hospital.folder / "inbox"
    hospital.doctors(1)
    namesakes = [("张伟", number(8), None, "00008", "内科"), ("张伟", number(9), None, "00009", "外科")]
    hospital.roster(namesakes, file="a.xlsx")
    draw_seal(hospital.folder / "seals" / "00008.png", 8)
    draw_seal(hospital.folder / "seals" / "张伟.png", 77)
    if how in {"the named roster", "all of the inbox"}:
        (inbox / "roster.xlsx").unlink()
    named = [str(path) for path in inbox.iterdir()] if how in {"the named roster", "one of two"} else []
    assert hospital.go("run", *named) == 3
    assert [seal.name for seal in hospital.service.seals].count("张伟") == 1
    workbook = shutil.copy(hospital.newest / "results.xlsx", hospital.folder / "w.xlsx")
    (inbox / "a.xlsx").rename(hospital.folder / "archived.xlsx")
    assert hospital.go("retry", str(workbook)) == 2
    assert "w.xlsx To fix row 2" in capsys.readouterr().err
    assert [seal.name for seal in hospital.service.seals].count("张伟") == 1
    (hospital.folder / "archived.xlsx").rename(inbox / "b.xlsx")
    assert hospital.go("run") == 3, "under another name it is found by its rows"
    assert [seal.name for seal in hospital.service.seals].count("张伟") == 1


def test_of_equal_rows_with_pictures_in_their_cells_none_gets_the_others(hospital):
    """Nothing but their order tells them apart, and the roster was sorted since."""

    def write(*marks):
        book = openpyxl.Workbook()
        book.active.append(("姓名", "证件号码", "备注", "印章图片"))
        for row, mark in enumerate(marks, start=2):
            book.active.append(("张伟", None, f"备注{mark}"))
            draw_seal(hospital.folder / f"{mark}.png", mark)
            book.active.add_image(XlsxImage(str(hospital.folder / f"{mark}.png")), f"D{row}")
            book.active.row_dimensions[row].height = 60
        book.save(hospital.folder / "inbox" / "roster.xlsx")

    (hospital.folder / "inbox").mkdir()
    write(12, 11)
    assert hospital.go("run") == 3
    book = openpyxl.load_workbook(hospital.newest / "results.xlsx")
    book["To fix"]["B2"] = number(1)  # whose picture is the twelfth
    book["To fix"].delete_rows(3)
    book.save(hospital.folder / "edited.xlsx")
    write(11, 12)
    assert hospital.go("retry", str(hospital.folder / "edited.xlsx")) == 3
    assert [row["codes"][-1] for row in hospital.outcomes()] == ["IMAGE_MISSING"]
    assert hospital.service.seals == []


def test_a_workbook_is_retried_after_its_ledger_was_made_again(hospital):
    """Receipts hold no runs: the workbook's rows are looked for in the configured rosters."""
    hospital.doctors(3)
    (hospital.folder / "seals" / "00002.png").unlink()
    assert hospital.go("run") == 3
    draw_seal(hospital.folder / "seals" / "00002.png", 2)
    hospital.lose_ledger()
    assert hospital.go("ledger", "rebuild") == 0
    assert hospital.run_to_end("retry", str(hospital.newest / "results.xlsx")) == (0, {"sealed": 1})
    assert len(hospital.service.seals) == 3


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


def test_a_ledger_lost_after_a_run_with_out_is_noticed(hospital):
    hospital.doctors(1)
    assert hospital.go("run", "--out", str(hospital.folder / "elsewhere")) == 0
    (hospital.folder / "state" / "ledger.sqlite3").unlink()
    assert hospital.go("run") == 2
    assert hospital.go("status") == 74


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["retry", "inbox/roster.xlsx"], 2),
        (["run", "out/latest/results.xlsx"], 2),
        (["retry", "nowhere.xlsx"], 2),
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


def test_the_log_tells_what_happened_to_each_row_that_was_sent(hospital):
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
    assert f"--config {hospital.folder}/config.yaml --lang en run {roster} --seals {seals}" in stderr_text
