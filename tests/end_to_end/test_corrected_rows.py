"""After a retry has sealed a corrected row, the roster's wrong row is known to be that doctor's."""

import json

import pytest
from result_sheet import ResultSheet
from run_support import draw_seal, make_row, name, number

from pipeline.cli.app import main
from pipeline.intake.fields.id_number import check_character


def correct(hospital, title, text):
    """Correct one column of the only line of To fix, and retry the workbook."""
    workbook = hospital.folder / "out" / "latest" / "results.xlsx"
    fix = ResultSheet(workbook)
    fix.write(2, title, text)
    fix.save(workbook)
    assert hospital.go("retry", str(workbook)) == 0


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
