"""After a retry has sealed a corrected row, the roster's wrong row is known to be that doctor's."""

import json

import pytest
from people import make_row, name, number
from resolution_support import run_later
from result_sheet import ResultSheet
from run_support import draw_seal
from wire_support import fault

from pipeline.cli.app import main
from pipeline.intake.fields.id_number import check_character


def correct(hospital, title, text, *, code=0):
    """Correct one column of the only line of To fix, and retry the workbook."""
    workbook = hospital.folder / "out" / "latest" / "results.xlsx"
    fix = ResultSheet(workbook)
    fix.write(2, title, text)
    fix.save(workbook)
    assert hospital.go("retry", str(workbook)) == code


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


def swap_digits(text):
    """Swap the last digit of the birth date and the one after it."""
    return text[:13] + text[14] + text[13] + text[15:]


@pytest.mark.parametrize(
    ("wrong", "title", "text"),
    [
        ({"number": number(1)[:17]}, "证件号码", number(1)),
        ({"name": f"{name(1)}（返聘）"}, "姓名", name(1)),
        ({"number": number(1)[:17] + ("0" if number(1)[17] != "0" else "1")}, "证件号码", number(1)),
    ],
    ids=["short number", "note in the name", "check digit"],
)
def test_the_rosters_wrong_row_is_reported_to_be_sealed_already(hospital, capsys, wrong, title, text):
    hospital.roster([make_row(1, **wrong), make_row(2)])
    for serial in (1, 2):
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    assert hospital.go("run") == 3
    correct(hospital, title, text)
    (seal,) = [seal for seal in hospital.service.seals if seal.number == number(1)]
    made = len(hospital.service.received)
    for command, file in (("check", "plan.jsonl"), ("run", "outcomes.jsonl")):
        assert hospital.go(command) == 3
        (line,) = [row for row in hospital.outcomes(file) if row["row"] == 2]
        assert line["status"] == "rejected"
        (note,) = [problem for problem in line["problems"] if problem["code"] == "ROW_SUPERSEDED"]
        assert note["severity"] == "warning"
        cells = ResultSheet(hospital.newest / "results.xlsx").sheet[2]
        assert "Already has its seal; only correct this row of the roster" in [cell.value for cell in cells]
        assert (
            f"results.xlsx To fix row 2) was sent and its seal was created ({seal.seal_id}" in note["message"]
        )
    assert len(hospital.service.received) == made
    capsys.readouterr()
    assert hospital.go("explain", name(1)) == 0
    stdout_text = capsys.readouterr().out
    assert "Correct this row of the roster" in stdout_text
    assert "was sent and its seal was created" in stdout_text
    hospital.roster([make_row(1), make_row(2)])
    assert hospital.go("run") == 0
    assert "ROW_SUPERSEDED" not in json.dumps(hospital.outcomes())
    assert hospital.go("explain", name(1)) == 0
    assert "Correct this row of the roster" not in capsys.readouterr().out


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
    fix = ResultSheet(hospital.newest / "results.xlsx")
    assert ("颠倒" if language == "zh" else "swapped") in message
    assert message in str([cell.value for cell in fix.sheet[2]])
    assert "X" not in message


@pytest.mark.parametrize("neighbour", ["in the roster", "gone"])
def test_a_neighbours_number_typed_into_to_fix_makes_no_seal_of_the_rows_own(hospital, explain, neighbour):
    wrong = make_row(1, number=number(1)[:17])
    for serial in (1, 2):
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    hospital.roster([make_row(2)])
    assert hospital.go("run") == 0
    (seal,) = hospital.service.seals
    hospital.roster([wrong, make_row(2)] if neighbour == "in the roster" else [wrong])
    assert hospital.go("run") == 3
    correct(hospital, "证件号码", number(2), code=3 if neighbour == "in the roster" else 0)
    (line,) = hospital.outcomes()
    assert line["status"] == ("rejected" if neighbour == "in the roster" else "changed")
    for command, file in (("check", "plan.jsonl"), ("run", "outcomes.jsonl")):
        assert hospital.go(command) == 3
        (line,) = [row for row in hospital.outcomes(file) if row["row"] == 2]
        assert (line["status"], "ROW_SUPERSEDED" in line["codes"]) == ("rejected", False)
        cells = str([cell.value for cell in ResultSheet(hospital.newest / "results.xlsx").sheet[2]])
        assert seal.seal_id not in cells
        assert "Already has its seal" not in cells
    if neighbour == "in the roster":
        doctor, printed = explain(name(1))
        assert (doctor["status"], doctor["seal"]) == ("rejected", None)
        assert "Nothing to do" not in printed
        assert seal.seal_id not in printed
        doctor, printed = explain(name(2))
        assert (doctor["status"], doctor["seal"]["seal_id"]) == ("unchanged", seal.seal_id)
        assert name(1) not in printed


def test_a_line_of_to_fix_that_was_used_for_another_doctor_makes_no_seal_of_the_rows_own(hospital):
    hospital.roster([make_row(1, number=number(1)[:17])])
    draw_seal(hospital.folder / "seals" / f"{number(3)}.png", 3)
    assert hospital.go("run") == 3
    workbook = hospital.folder / "out" / "latest" / "results.xlsx"
    fix = ResultSheet(workbook)
    fix.write(2, "姓名", name(3))
    fix.save(workbook)
    correct(hospital, "证件号码", number(3))
    assert [seal.number for seal in hospital.service.seals] == [number(3)]
    assert hospital.go("run") == 3
    assert "ROW_SUPERSEDED" not in json.dumps(hospital.outcomes())


def test_a_corrected_copy_without_a_verdict_holds_the_seal_once_it_is_resolved(hospital_with):
    hospital = hospital_with(faults=[fault("reset_after", nth=(1,))])
    hospital.roster([make_row(1, number=number(1)[:17])])
    draw_seal(hospital.folder / "seals" / "00001.png", 1)
    assert hospital.go("run") == 3
    correct(hospital, "证件号码", number(1), code=3)
    (line,) = hospital.outcomes()
    assert line["status"] == "unknown"
    assert hospital.go("run") == 3
    assert "ROW_SUPERSEDED" not in json.dumps(hospital.outcomes())
    (seal,) = hospital.service.seals
    assert run_later(hospital, "resolve", name(1), "--seal-id", seal.seal_id, "--why", "console") == 0
    assert hospital.go("run") == 3
    (line,) = hospital.outcomes()
    (note,) = [problem for problem in line["problems"] if problem["code"] == "ROW_SUPERSEDED"]
    assert seal.seal_id in note["message"]


@pytest.mark.parametrize("has_namesake", [False, True])
def test_the_seal_of_the_rows_own_copy_makes_its_picture_no_other_doctors(hospital, has_namesake):
    namesake = make_row(3, name=name(1))
    if has_namesake:
        hospital.roster([namesake])
        draw_seal(hospital.folder / "seals" / f"{number(3)}.png", 3)
        assert hospital.go("run") == 0
    hospital.roster([make_row(1, number=number(1)[:17])])
    by_name = hospital.folder / "seals" / f"{name(1)}.png"
    draw_seal(by_name, 1)
    assert hospital.go("run") == 3
    if has_namesake:
        by_name.rename(by_name.with_stem(number(1)))
    correct(hospital, "证件号码", number(1))
    if has_namesake:
        by_name.with_stem(number(1)).rename(by_name)
    sent = len(hospital.service.received)
    assert hospital.go("run") == 3
    (line,) = hospital.outcomes()
    assert (line["status"], line["codes"]) == ("rejected", ["ID_LENGTH", "ROW_SUPERSEDED"])
    assert len(hospital.service.received) == sent


def test_a_corrected_workbook_goes_into_one_of_two_roster_folders_and_is_no_empty_roster(hospital, capsys):
    """What the messages say after a run, after a retry, and in every run while the workbook lies there."""
    with (hospital.folder / "config.yaml").open("a") as config:
        config.write("roster: [inbox, hr]\n")
    hospital.roster([make_row(1), make_row(2, number=number(2)[:17])])
    (hospital.folder / "inbox").rename(hospital.folder / "hr")
    hospital.roster([make_row(3, number=number(3)[:17])], file="ward.xlsx")
    for serial in (1, 2, 3):
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    capsys.readouterr()
    for command in ("run", "retry"):
        assert hospital.go(command) == 3
        (step,) = [line for line in capsys.readouterr().err.splitlines() if "Roster owner" in line]
        assert step.count(str(hospital.folder)) == 1
    fix = ResultSheet(hospital.folder / "out" / "latest" / "results.xlsx")
    wrong = {number(serial)[:17]: number(serial) for serial in (2, 3)}
    for row in fix.rows:
        fix.write(row, "证件号码", wrong[fix.read(row, "证件号码")])
    fix.save(hospital.folder / "inbox" / "fixed.xlsx")
    for _ in range(3):
        assert hospital.go("run") == 0
        assert "No doctors in" not in capsys.readouterr().err
    assert sorted(seal.number for seal in hospital.service.seals) == sorted(map(number, (1, 2, 3)))


def test_a_retry_names_configured_folders_as_a_run_does(hospital, capsys, monkeypatch):
    monkeypatch.chdir(hospital.folder)
    hospital.roster([make_row(1, number=number(1)[:17])])
    draw_seal(hospital.folder / "seals" / "00001.png", 1)
    for command in ("run", "retry"):
        capsys.readouterr()
        assert main(["--config", "config.yaml", "--lang", "en", command, "--yes"]) == 3
        assert "save the workbook into inbox; the next run" in capsys.readouterr().err


def test_a_sealed_doctors_number_typed_for_another_doctor_is_decided_only_by_who_is_sure(
    hospital, explain, capsys
):
    hospital.seal_doctors(1)
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
    doctor, _ = explain(name(2))
    assert [command.split()[-2:] for command in doctor["next"]["commands"]] == [["resolve", seal.seal_id]]
    sent = hospital.creates()
    for way in (("--keep",), ("--replace", "--seal-name", f"{name(2)}处方章")):
        capsys.readouterr()
        assert run_later(hospital, "resolve", seal.seal_id, *way) == 2
        assert f"is {name(1)}'s; in the roster the number now belongs to {name(2)}" in capsys.readouterr().err
    assert hospital.go("run") == 3
    assert hospital.creates() == sent
    assert run_later(hospital, "resolve", seal.seal_id, *way, "--sure") == 0
