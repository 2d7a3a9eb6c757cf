"""Rows that are corrected in the roster or in its marked copy: what `run` and `retry` send of them, and what they refuse."""

import json
import shutil

import openpyxl
import pytest
from desktop import convert
from office_support import FILTERS
from people import make_row, name, number
from resolution_support import run_later
from result_sheet import ResultSheet
from run_support import draw_seal
from wire_support import fault

from pipeline.cli.app import main
from pipeline.intake.fields.id_number import check_character


@pytest.fixture
def explain(hospital, capsys):
    """Return a function that gives the only doctor whom a word means, as JSON and as text."""

    def run_explain(word):
        capsys.readouterr()
        assert hospital.go("--json", "explain", word) == 0
        doctor = json.loads(capsys.readouterr().out)["doctor"]
        assert hospital.go("explain", word) == 0
        return doctor, capsys.readouterr().out

    return run_explain


def draw(hospital, *serials):
    for serial in serials:
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)


def read_texts(sheet):
    return [str(cell.value) for row in sheet.iter_rows(min_row=2) for cell in row if cell.value is not None]


# -- what retry covers


@pytest.fixture
def ward(scene):
    """Three doctors: the first is sealed, the second lacks a digit of the number, the third has a short mobile."""

    def play(hospital):
        draw(hospital, 1, 2, 3)
        hospital.roster([make_row(1), make_row(2, number=number(2)[:17]), make_row(3, mobile="154")])
        assert hospital.run_to_end("run") == (3, {"sealed": 1, "rejected": 2})

    return scene(play)


@pytest.fixture
def marked_ward(ward):
    """The same; what is checked or run from now on has marked copies."""
    ward.marked_copies = True
    ward.configure()
    return ward


RIGHT = {
    "below a new line": [
        ("说明", None, None, None, None),
        make_row(1),
        make_row(2),
        make_row(3, mobile="154"),
    ],
    "at the end": [make_row(1), make_row(3, mobile="154"), make_row(2)],
}


@pytest.mark.parametrize("position", RIGHT)
def test_a_retry_sends_the_corrected_row_wherever_it_is_now(ward, position):
    ward.roster(RIGHT[position])
    assert ward.run_to_end("retry") == (3, {"sealed": 1, "unchanged": 1, "rejected": 1})
    assert {seal.number for seal in ward.service.seals} == {number(1), number(2)}


def test_a_new_doctor_whom_a_retry_leaves_is_left_to_the_next_run(ward, capsys):
    draw(ward, 9)
    ward.roster([make_row(1), make_row(2, number=number(2)[:17]), make_row(3, mobile="154"), make_row(9)])
    capsys.readouterr()
    assert ward.run_to_end("retry") == (3, {"unchanged": 1, "rejected": 2, "not_sent": 1})
    steps = capsys.readouterr().err.partition("-> ")[2].split("-> ")
    (unsent,) = [step.strip() for step in steps if "not sent. A retry" in step]
    assert unsent.startswith("1 row was not sent. A retry sends no new rows; the next run does.\n")
    assert unsent.endswith(" run")
    assert sum(step.strip().endswith(" retry") for step in steps) == 1


def test_a_retry_knows_a_corrected_row_in_another_file_by_its_number(ward):
    draw(ward, 9)
    ward.roster([make_row(1), make_row(2, number=number(2)[:17])])
    ward.roster([make_row(3), make_row(9)], file="补充.xlsx")
    assert ward.run_to_end("retry") == (3, {"sealed": 1, "unchanged": 1, "rejected": 1, "not_sent": 1})
    assert {seal.number for seal in ward.service.seals} == {number(1), number(3)}


def test_a_retry_sends_a_row_that_was_corrected_in_its_line_and_no_new_doctor(ward):
    draw(ward, 9)
    ward.roster([make_row(1), make_row(2), make_row(3, mobile="154"), make_row(9)])
    assert ward.run_to_end("retry") == (3, {"sealed": 1, "unchanged": 1, "rejected": 1, "not_sent": 1})
    assert number(9) not in {seal.number for seal in ward.service.seals}
    assert ward.run_to_end("run") == (3, {"sealed": 1, "unchanged": 2, "rejected": 1})


def test_the_exit_code_of_a_retry_counts_no_row_that_is_new(ward):
    ward.roster([make_row(1), make_row(2), make_row(3), make_row(9, mobile="154")])
    assert ward.run_to_end("retry") == (0, {"sealed": 2, "unchanged": 1, "rejected": 1})
    assert ward.go("run") == 3


@pytest.mark.parametrize("file", ["roster.xlsx", "改好了.xlsx"])
def test_a_retry_sends_the_rows_of_a_corrected_copy(marked_ward, file):
    """It replaces the roster: under the same name, or beside it."""
    assert marked_ward.go("check") == 3
    book = openpyxl.load_workbook(marked_ward.newest / "rosters" / "roster.xlsx")
    book.active["B3"].value, book.active["C4"].value = number(2), make_row(3)[2]
    book.active.insert_rows(2)
    book.save(marked_ward.folder / "inbox" / file)
    assert marked_ward.run_to_end("retry") == (0, {"sealed": 2, "unchanged": 1})


@pytest.mark.parametrize("move", [False, True])
def test_a_retry_never_sends_a_row_that_waits_for_a_decision_however_it_is_written_now(hospital_with, move):
    hospital = hospital_with(faults=[fault("reset_after", nth=(1,))])
    draw(hospital, 1, 2, 3)
    hospital.roster([make_row(1), make_row(2, number=number(2)[:17])])
    assert hospital.run_to_end("run") == (3, {"unknown": 1, "rejected": 1})
    rows = [make_row(3), make_row(2, number=number(2)[:17])]
    hospital.roster([("说明", None, None, None, None), *rows] if move else rows)
    sent = hospital.creates()
    assert hospital.run_to_end("retry") == (3, {"rejected": 1, "not_sent": 1})
    assert hospital.creates() == sent


def test_a_retry_leaves_rows_alone_that_may_be_the_one_that_waits_for_a_decision(hospital_with):
    """Both rows were rewritten and moved: nothing shows which of them had the unknown create."""
    hospital = hospital_with(faults=[fault("reset_after", nth=(1,))])
    draw(hospital, 1, 2, 3)
    hospital.roster([make_row(1), make_row(2, number=number(2)[:17])])
    assert hospital.run_to_end("run") == (3, {"unknown": 1, "rejected": 1})
    note = ("说明", None, None, None, None)
    hospital.roster([note, note, note, make_row(3), make_row(2)])
    sent = hospital.creates()
    assert hospital.run_to_end("retry") == (0, {"not_sent": 2})
    assert hospital.creates() == sent


def test_a_corrected_row_without_a_verdict_is_resolved_as_any_other(hospital_with):
    hospital = hospital_with(faults=[fault("reset_after", nth=(1,))])
    draw(hospital, 1)
    hospital.roster([make_row(1, number=number(1)[:17])])
    assert hospital.go("run") == 3
    hospital.roster([make_row(1)])
    assert hospital.run_to_end("retry") == (3, {"unknown": 1})
    assert hospital.run_to_end("retry") == (0, {"unknown": 1})
    (seal,) = hospital.service.seals
    assert (
        run_later(hospital, "resolve", name(1), "--sure", "--seal-id", seal.seal_id, "--why", "console") == 0
    )
    assert hospital.run_to_end("run") == (0, {"unchanged": 1})


def test_a_retry_names_configured_folders_as_a_run_does(hospital, capsys, monkeypatch):
    monkeypatch.chdir(hospital.folder)
    hospital.roster([make_row(1, number=number(1)[:17])])
    draw(hospital, 1)
    for command in ("run", "retry"):
        capsys.readouterr()
        assert main(["--config", "config.yaml", "--lang", "en", command, "--yes"]) == 3
        assert "correct the roster in inbox and save it; the next run" in capsys.readouterr().err


def test_the_next_step_names_both_of_two_roster_folders(hospital, capsys):
    with (hospital.folder / "config.yaml").open("a") as config:
        config.write("roster: [inbox, hr]\n")
    hospital.roster([make_row(1), make_row(2, number=number(2)[:17])])
    (hospital.folder / "inbox").rename(hospital.folder / "hr")
    hospital.roster([make_row(3, number=number(3)[:17])], file="ward.xlsx")
    draw(hospital, 1, 2, 3)
    for command in ("run", "retry"):
        capsys.readouterr()
        assert hospital.go(command) == 3
        (step,) = [line for line in capsys.readouterr().err.splitlines() if "Roster owner" in line]
        assert step.count(str(hospital.folder)) == 2


# -- results workbooks are no rosters


def test_a_named_results_workbook_is_refused_with_what_to_do(ward, capsys):
    workbook = ward.newest / "results.xlsx"
    for command in ("run", "check"):
        capsys.readouterr()
        assert ward.go(command, str(workbook)) == 2
        printed = capsys.readouterr().err
        assert str(workbook) in printed
        assert "Open the marked copy" in printed


@pytest.mark.parametrize("form", ["xlsx", pytest.param("xls", marks=pytest.mark.office)])
def test_a_results_workbook_in_the_roster_folder_is_refused_and_the_rosters_go_on(
    ward, form, capsys, tmp_path
):
    workbook = ward.newest / "results.xlsx"
    if form != "xlsx":
        workbook = convert(workbook, f"{form}:{FILTERS[form]}", tmp_path / "saved")
    shutil.copy(workbook, ward.folder / "inbox" / f"改好.{form}")
    ward.roster([make_row(1), make_row(2), make_row(3)])
    capsys.readouterr()
    assert ward.run_to_end("run") == (7, {"sealed": 2, "unchanged": 1})
    lines = (ward.newest / "files.jsonl").read_text("utf-8").splitlines()
    report = {line["file"]: line for line in map(json.loads, lines)}[f"改好.{form}"]
    assert (report["status"], report["codes"], report["rows"]) == ("refused", ["FILE_FORMAT"], 0)
    assert "open the marked copy in the folder rosters" in report["notes"][0]
    printed = capsys.readouterr().err
    assert f"改好.{form}" in printed
    assert "Traceback" not in printed


def test_a_results_workbook_of_an_earlier_version_with_row_tokens_is_refused_too(ward):
    book = openpyxl.load_workbook(ward.newest / "results.xlsx")
    sheet = book["To fix"]
    for column, title in enumerate(("姓名", "证件号码", "row_id", "check"), 1):
        sheet.cell(1, column).value = title
    book.save(ward.folder / "inbox" / "old.xlsx")
    assert ward.run_to_end("run")[0] == 7
    assert ward.creates() == 1


# -- the sheet To fix


def test_to_fix_names_cell_title_and_what_is_wrong_and_holds_no_complete_number(ward):
    sheet = ResultSheet(ward.newest / "results.xlsx")
    assert sheet.read_column("Cell") == ["B3", "C4"]
    assert sheet.read_column("Column") == ["证件号码", "手机号"]
    assert sheet.read_column("Content now") == ["*" * 13 + number(2)[13:17], "154"]
    assert sheet.read_column("File") == ["roster.xlsx", "roster.xlsx"]
    assert sheet.read_column("Marked copy to correct") == ["no copy: correct the roster"] * 2
    book = openpyxl.load_workbook(ward.newest / "results.xlsx")
    texts = " ".join(text for sheet in book for text in read_texts(sheet))
    for serial in (1, 2, 3):
        assert number(serial)[:17] not in texts
        assert number(serial)[6:14] not in texts


def test_to_fix_names_the_marked_copy_and_links_to_its_folder(marked_ward):
    assert marked_ward.go("check") == 3
    sheet = ResultSheet(marked_ward.newest / "results.xlsx")
    assert sheet.read_column("Marked copy to correct") == ["roster.xlsx", "roster.xlsx"]
    assert sheet.cell(2, "Marked copy to correct").hyperlink.target == "rosters"


def swap_digits(text):
    """Swap the last digit of the birth date and the one after it."""
    return text[:13] + text[14] + text[13] + text[15:]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_message_gives_the_digit_that_makes_a_wrong_number_pass(hospital, language):
    # two digits are swapped, and X would fit the wrong number
    swapped = next(
        text
        for serial in range(1, 300)
        if check_character((text := swap_digits(number(serial)))[:17]) == "X" != text[17]
    )
    hospital.roster([make_row(1, number=swapped)])
    assert main(hospital.command("check", language=language)) == 3
    (line,) = hospital.outcomes("plan.jsonl")
    (message,) = [problem["message"] for problem in line["problems"] if problem["code"] == "ID_CHECKSUM"]
    sheet = ResultSheet(hospital.newest / "results.xlsx")
    assert ("颠倒" if language == "zh" else "swapped") in message
    wrong = sheet.read(2, "哪里不对" if language == "zh" else "What is wrong")
    assert wrong in message
    assert "X" not in message


# -- another doctor's number


@pytest.mark.parametrize("neighbour", ["in the roster", "gone"])
def test_a_neighbours_number_typed_into_a_row_makes_no_second_seal(hospital, explain, neighbour):
    draw(hospital, 1, 2)
    hospital.roster([make_row(2)])
    assert hospital.go("run") == 0
    (seal,) = hospital.service.seals
    others = [make_row(2)] if neighbour == "in the roster" else []
    hospital.roster([make_row(1, number=number(1)[:17]), *others])
    assert hospital.go("run") == 3
    hospital.roster([make_row(1, number=number(2)), *others])
    for command in ("retry", "run"):
        hospital.go(command)
        (line, *_) = hospital.outcomes()
        assert line["status"] == ("rejected" if neighbour == "in the roster" else "changed")
    assert len(hospital.service.seals) == 1
    if neighbour == "in the roster":
        _, printed = explain(name(1))
        assert "Nothing to do" not in printed
        assert seal.seal_id not in printed


def test_a_sealed_doctors_number_typed_for_another_doctor_is_decided_only_by_who_is_sure(
    hospital, explain, capsys
):
    hospital.seal_doctors(1, write=False)
    (seal,) = hospital.service.seals
    hospital.roster([make_row(2, number=number(1))])
    draw_seal(hospital.folder / "seals" / "00002.png", 2)
    assert hospital.go("run") == 3
    (line,) = hospital.outcomes()
    (problem,) = line["problems"]
    assert (line["status"], problem["code"], problem["cell"]) == ("changed", "CONTENT_CHANGED", "B2")
    assert "differs in name, mobile, picture, staff number" in problem["message"]
    assert (
        "may be another person's: compare it with the card first and correct the roster" in problem["message"]
    )
    doctor, printed = explain(name(2))
    assert [command.split()[-1] for command in doctor["next"]["commands"]] == ["run"]
    assert f" resolve {seal.seal_id} --keep" in printed
    sent = hospital.creates()
    for way in (("--keep",), ("--replace", "--seal-name", f"{name(2)}处方章")):
        capsys.readouterr()
        assert run_later(hospital, "resolve", seal.seal_id, *way) == 2
        assert f"is {name(1)}'s; in the roster the number now belongs to {name(2)}" in capsys.readouterr().err
    assert hospital.go("check") == 3
    assert hospital.creates() == sent
    assert run_later(hospital, "resolve", seal.seal_id, *way, "--sure") == 0
