"""`autosign disable` and the sheet that `export --leavers --numbers` writes for it."""

import json

import openpyxl
import pytest
from end_to_end.test_roster_changes import Terminal
from people import make_row
from roster_support import write_roster
from wire_support import fault

from pipeline.sandbox.actions import Rules

DISABLE = "ChannelDisableUserAutoSign"
CANCEL = "ChannelCancelUserAutoSignEnableUrl"


@pytest.fixture
def hospital_of_leavers(scene):
    """Five sealed doctors with open auto-sign, two of whom no longer stand in the roster."""

    def play(hospital):
        hospital.marked_copies = True
        hospital.configure()
        hospital.seal_doctors(5)
        now = hospital.service_clock.now()
        for seal in hospital.service.seals:
            hospital.service.open_auto_sign(seal)
            hospital.service.auto_sign.control(
                {"do": "end_licence", "number": seal.number, "at": now + 9e7}, now
            )
        hospital.roster([make_row(serial) for serial in (1, 2, 3)])
        assert hospital.go("run", "--accept-guards") == 0

    def make(faults=()):
        return scene(play, faults=faults)

    return make


def read_out(capsys):
    return json.loads(capsys.readouterr().out)


def export_sheet(hospital, capsys):
    capsys.readouterr()
    assert hospital.go("--json", "export", "--leavers", "--numbers") == 0
    return read_out(capsys)


def list_disabled(hospital):
    report = hospital.service.auto_sign.build_report(hospital.service_clock.now())
    return [entry["number"] for entry in report["disabled"]]


def count_calls(hospital, action=DISABLE):
    return sum(request.action == action for request in hospital.service.received)


def test_the_sheet_of_leavers_is_filled_from_kept_rosters_and_closes_auto_sign(
    hospital_of_leavers, capsys, monkeypatch
):
    hospital = hospital_of_leavers()
    exported = export_sheet(hospital, capsys)
    assert (exported["known"], exported["unknown"]) == (2, [])
    sheet = hospital.folder / "out" / exported["file"].rpartition("/")[2]
    assert sheet.stat().st_mode & 0o777 == 0o600
    rows = list(openpyxl.load_workbook(sheet).active.iter_rows(values_only=True))[1:]
    leaving = [row[2] for row in rows]
    assert sorted(leaving) == sorted(make_row(serial)[1] for serial in (4, 5))

    # without a terminal it refuses, and another count as well
    assert hospital.go("autosign", "disable", str(sheet)) == 2
    assert "--count 2" in capsys.readouterr().err
    assert hospital.go("autosign", "disable", str(sheet), "--count", "3") == 2
    assert count_calls(hospital) == 0

    for typed in ("3\n", "two\n", "\n"):
        monkeypatch.setattr("sys.stdin", Terminal(typed))
        assert hospital.go("autosign", "disable", str(sheet)) == 2
    assert count_calls(hospital) == 0

    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", Terminal("2\n"))
    assert hospital.go("autosign", "disable", str(sheet)) == 0
    printed = capsys.readouterr()
    shown = " ".join((printed.out + printed.err).split())
    assert "The auto-sign of 2 doctors is closed" in shown
    assert "the seal itself stays" in shown
    assert all(row[0] in shown for row in rows)
    assert not any(number in shown for number in leaving)
    assert sorted(list_disabled(hospital)) == sorted(leaving)
    # the next status asks for them, although they could sign a moment ago
    assert hospital.go("--json", "autosign", "status", str(sheet)) == 0
    assert read_out(capsys)["states"] == {"not_open": 2}


def test_a_lost_answer_is_reported_and_never_sent_again_by_itself(hospital_of_leavers, capsys):
    hospital = hospital_of_leavers([fault("reset_after", action=DISABLE, nth=(2,))])
    sheet = str(hospital.folder / "out" / export_sheet(hospital, capsys)["file"].rpartition("/")[2])
    assert hospital.go("--json", "autosign", "disable", sheet, "--count", "2") == 3
    answer = read_out(capsys)
    assert sorted(doctor["verdict"] for doctor in answer["doctors"]) == ["done", "unknown"]
    assert len(list_disabled(hospital)) == 2
    # the first is refused as not open, the second left out until the service was asked
    assert hospital.go("--json", "autosign", "disable", sheet, "--count", "1") == 3
    answer = read_out(capsys)
    assert ([doctor["verdict"] for doctor in answer["doctors"]], len(answer["refused_lines"])) == (
        ["refused"],
        1,
    )
    assert count_calls(hospital) == 3
    assert hospital.go("autosign", "status", sheet) == 0
    capsys.readouterr()
    assert hospital.go("--json", "autosign", "disable", sheet, "--count", "2") == 3
    assert [doctor["verdict"] for doctor in read_out(capsys)["doctors"]] == ["refused", "refused"]


def test_a_line_without_a_seal_in_the_ledger_or_with_another_name_is_left_out(hospital_of_leavers, capsys):
    hospital = hospital_of_leavers()
    rows = [list(make_row(serial)) for serial in (4, 5, 90)]
    rows[1][0] = "钱另名"
    sheet = hospital.folder / "离职.xlsx"
    write_roster(
        sheet, [("姓名", "证件号码"), *(row[:2] for row in rows), ("王无号", ""), tuple(rows[0][:2])]
    )
    assert hospital.go("--json", "autosign", "disable", str(sheet), "--count", "1") == 3
    answer = read_out(capsys)
    assert (answer["disabled"], [line["row"] for line in answer["refused_lines"]]) == (1, [3, 4, 5])
    assert list_disabled(hospital) == [rows[0][1]]
    assert not any(str(row[1]) in json.dumps(answer) for row in rows)


@pytest.mark.parametrize("product", ["essbasic", "ess"])
def test_a_link_of_a_leaver_is_made_void(hospital_with, product):
    hospital = hospital_with(rules=Rules(limiter="none"), api={"product": product})
    hospital.doctors(2)
    assert hospital.go("run") == 0
    assert hospital.go("autosign", "status") == 0
    assert hospital.go("autosign", "links") == 0
    report = hospital.service.auto_sign.build_report(hospital.service_clock.now())
    link = next(link for link in report["links"] if link["number"] == make_row(1)[1])
    hospital.service.auto_sign.control({"do": "open", "number": link["number"]}, hospital.service_clock.now())
    sheet = hospital.folder / "离职.xlsx"
    write_roster(sheet, [("姓名", "证件号码"), make_row(1)[:2]])
    assert hospital.go("autosign", "disable", str(sheet), "--count", "1") == 0
    assert list_disabled(hospital) == [make_row(1)[1]]
    report = hospital.service.auto_sign.build_report(hospital.service_clock.now())
    states = {link["number"]: link["state"] for link in report["links"]}
    assert states == {make_row(1)[1]: "cancelled", make_row(2)[1]: "live"}


def test_numbers_that_no_kept_roster_holds_are_named(hospital_of_leavers, capsys):
    hospital = hospital_of_leavers()
    for folder in hospital.folder.glob("out/*/rosters"):
        for path in folder.iterdir():
            path.unlink()
    exported = export_sheet(hospital, capsys)
    assert (exported["known"], sorted(exported["unknown"])) == (
        0,
        sorted(make_row(serial)[0] for serial in (4, 5)),
    )
    assert hospital.go("autosign", "disable", exported["file"], "--count", "2") == 3
    assert count_calls(hospital) == 0
    assert hospital.go("export", "--numbers") == 2
