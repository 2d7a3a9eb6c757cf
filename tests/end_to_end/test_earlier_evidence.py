"""What earlier runs saw, from the roster to the wire: reissued staff numbers, ways out, and what makes the ledger forget."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from page_support import judge_pictures
from people import make_row, name, number
from PIL import Image
from resolution_support import run_later
from run_support import draw_seal

ONE, NEWCOMER, FILE = 1, 7, "00001.png"
SCAN, OTHER_SCAN = 901, 902  # pictures by serial


@dataclass
class Clerk:
    """A hospital in which doctor 1 got another staff number, and a newcomer the old one: its file is doctor 1's."""

    hospital: object

    def list_newcomer(self) -> None:
        reissued = make_row(NEWCOMER, staff_no="00001")
        self.hospital.roster([make_row(ONE, staff_no="00101"), make_row(2), reissued])
        draw_seal(self.hospital.folder / "seals" / FILE, SCAN)

    def run(self, *arguments: str) -> dict:
        """Run, and return the newcomer's row."""
        self.hospital.go("run", "--yes", *arguments)
        return self.read_row()

    def read_row(self, file: str = "outcomes.jsonl") -> dict:
        (row,) = [row for row in self.hospital.outcomes(file) if row["name"] == name(NEWCOMER)]
        return row

    @property
    def numbers_sealed(self) -> set[str]:
        return {seal.number for seal in self.hospital.service.seals}


@pytest.fixture
def clerk(scene):
    """The newcomer's row is held."""

    def play(hospital):
        hospital.seal_doctors(2)
        clerk = Clerk(hospital)
        clerk.list_newcomer()
        row = clerk.run()
        assert (row["status"], row["codes"], row["picture"]) == ("rejected", ["IMAGE_AMBIGUOUS"], None)
        assert number(NEWCOMER) not in clerk.numbers_sealed

    return Clerk(scene(play))


def test_the_reason_names_both_doctors_the_row_the_run_and_the_ways_out(clerk):
    (problem,) = clerk.read_row()["problems"]
    first_run = clerk.hospital.runs[0].name
    for word in (FILE, name(NEWCOMER), name(ONE), "roster.xlsx", first_run, "identity number", "page Review"):
        assert word in problem["message"], word
    assert "record “The picture is this doctor's”" in problem["message"]
    # and a check holds what a run holds
    clerk.hospital.go("check")
    row = clerk.read_row("plan.jsonl")
    assert (row["status"], row["codes"]) == ("rejected", ["IMAGE_AMBIGUOUS"])


def test_a_decision_about_a_picture_holds_for_its_bytes_alone(clerk, capsys):
    assert clerk.hospital.go("resolve", name(NEWCOMER)) == 3
    assert FILE in capsys.readouterr().out
    assert run_later(clerk.hospital, "resolve", name(NEWCOMER), "--keep") == 0
    draw_seal(clerk.hospital.folder / "seals" / FILE, OTHER_SCAN)
    assert clerk.run()["status"] == "rejected"
    draw_seal(clerk.hospital.folder / "seals" / FILE, SCAN)
    assert clerk.run()["status"] == "sealed"
    assert (clerk.run()["status"], clerk.read_row()["codes"]) == ("unchanged", [])


@pytest.mark.parametrize("changes", [{"number": number(8)}, {"name": name(8)}])
def test_a_decision_about_a_picture_is_void_where_number_or_name_changes(clerk, changes):
    assert run_later(clerk.hospital, "resolve", name(NEWCOMER), "--keep") == 0
    rows = [make_row(ONE, staff_no="00101"), make_row(2)]
    clerk.hospital.roster([*rows, make_row(NEWCOMER, **{"staff_no": "00001", **changes})])
    clerk.hospital.go("run", "--yes")
    row = clerk.hospital.outcomes()[2]
    assert (row["status"], row["codes"]) == ("rejected", ["IMAGE_AMBIGUOUS"])
    for word in (name(NEWCOMER), row["name"], "roster.xlsx Sheet 4", "no longer counts"):
        assert word in row["problems"][0]["message"], word
    assert run_later(clerk.hospital, "resolve", row["name"], "--keep") == 0
    clerk.hospital.go("run", "--yes")
    assert clerk.hospital.outcomes()[2]["status"] == "sealed"
    assert changes.get("number", number(NEWCOMER)) in clerk.numbers_sealed


def test_the_page_lets_a_person_judge_the_picture(clerk):
    for judged, status in (("wrong", "rejected"), ("right", "sealed")):
        clerk.hospital.go("check")
        judge_pictures(clerk.hospital.folder / "config.yaml", {name(NEWCOMER): judged})
        assert clerk.run()["status"] == status


def test_a_file_called_by_the_identity_number_is_evidence(clerk):
    seals = clerk.hospital.folder / "seals"
    (seals / FILE).rename(seals / f"{number(NEWCOMER)}.png")
    assert clerk.run()["status"] == "sealed"


def test_a_ledger_made_of_its_journals_knows_it_still(clerk):
    clerk.hospital.lose_ledger()
    assert clerk.run()["codes"] == ["IMAGE_AMBIGUOUS"]


def test_a_purged_doctor_leaves_the_file_to_no_one_else(clerk):
    assert clerk.hospital.go("purge", "--person", name(ONE), "--yes") == 0
    assert clerk.run()["codes"] == ["IMAGE_AMBIGUOUS"]
    ledger = (clerk.hospital.folder / "state" / "ledger.sqlite3").read_bytes()
    assert name(NEWCOMER).encode() in ledger


@pytest.mark.parametrize("ending", [".bmp", ".png"])
def test_the_picture_of_a_rejected_doctor_saved_anew_under_another_name_is_held(hospital, ending):
    hospital.roster([make_row(ONE, mobile="1"), make_row(2)])
    draw_seal(hospital.folder / "seals" / FILE, ONE)
    draw_seal(hospital.folder / "seals" / "00002.png", 2)
    assert hospital.go("run", "--yes") == 3
    hospital.roster([make_row(2), make_row(NEWCOMER)])
    with Image.open(hospital.folder / "seals" / FILE) as picture:
        picture.save(hospital.folder / "seals" / f"{NEWCOMER:05d}{ending}")
    (hospital.folder / "seals" / FILE).unlink()
    assert Clerk(hospital).run()["codes"] == ["IMAGE_AMBIGUOUS"]
    assert len(hospital.service.seals) == 1


def test_the_rows_of_a_run_that_a_guard_stopped_are_evidence(hospital):
    """A list lay in the folder for one run: who bears its staff numbers later is another doctor."""
    hospital.seal_doctors(2)
    config = hospital.folder / "config.yaml"
    config.write_text(config.read_text("utf-8") + "guards: {new_rows: 3}\n", "utf-8")
    hospital.roster([make_row(100 + serial, staff_no=f"{serial:05d}") for serial in range(11, 15)])
    for serial in range(11, 15):
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    assert hospital.go("run", "--yes") == 5
    hospital.roster([make_row(serial) for serial in (1, 2, 11)])
    assert hospital.go("run", "--yes") == 3
    (row,) = [row for row in hospital.outcomes() if row["name"] == name(11)]
    assert row["codes"] == ["IMAGE_AMBIGUOUS"]
    assert run_later(hospital, "resolve", name(11), "--keep") == 0
    assert hospital.go("run", "--yes") == 0
    assert len(hospital.service.seals) == 3


def test_the_next_step_is_a_decision_and_no_retry(clerk, capsys):
    clerk.run()
    assert "1 row was not sent: its picture may be another doctor's" in (steps := capsys.readouterr().err)
    assert steps.rstrip().endswith(" resolve")
    assert " retry" not in steps
    clerk.hospital.go("explain", name(NEWCOMER))
    assert f"resolve {name(NEWCOMER)} --keep" in capsys.readouterr().out.split("What happened")[0]


@pytest.mark.parametrize(("copy", "unclear"), [("bytes", "two files"), ("pixels", "namesakes")])
def test_a_picture_that_is_also_an_unclear_file_of_another_row_seals_neither_tonight_nor_later(
    hospital, copy, unclear
):
    """Otherwise the run after it would know the picture's owner, and send what nobody has changed."""
    hospital.doctors(3)
    seals = hospital.folder / "seals"
    if unclear == "namesakes":
        hospital.roster([make_row(1), make_row(2), make_row(3, name=name(2))])
        (seals / "00003.png").unlink()
        (seals / "00002.png").unlink()
    draw_seal(seals / f"{name(2)}.png", 1)
    if copy == "pixels":
        Image.open(seals / "00001.png").save(seals / "00001.bmp")
        (seals / "00001.png").unlink()
    first = hospital.run_to_end("run", "--yes")
    rows = {row["staff_no"]: row for row in hospital.outcomes("outcomes.jsonl")}
    assert (rows["00001"]["status"], "IMAGE_SHARED" in rows["00001"]["codes"]) == ("rejected", True)
    assert rows["00002"]["status"] == "rejected"
    creates = hospital.creates
    second = hospital.run_to_end("run", "--yes")
    assert hospital.creates == creates
    assert (second[0], second[1].get("rejected")) == (first[0], first[1].get("rejected"))


def test_a_picture_of_two_rows_is_that_problem_alone_in_every_run(hospital, capsys):
    hospital.doctors(3)
    draw_seal(hospital.folder / "seals" / "00002.png", 1)
    for _ in range(2):
        assert hospital.go("run", "--yes") == 3
        assert [row["codes"] for row in hospital.outcomes()[:2]] == [["IMAGE_SHARED"]] * 2
        assert "resolve" not in capsys.readouterr().err


def test_a_held_row_with_another_error_is_corrected_first_and_decided_then(clerk, capsys):
    hospital = clerk.hospital
    faulty = make_row(NEWCOMER, staff_no="00001", mobile="12")
    hospital.roster([make_row(ONE, staff_no="00101"), make_row(2), faulty])
    capsys.readouterr()
    row = clerk.run()
    assert (row["status"], sorted(row["codes"])) == ("rejected", ["IMAGE_AMBIGUOUS", "MOBILE_INVALID"])
    assert hospital.command("resolve")[-1] not in capsys.readouterr().err.splitlines()[-1].split()
    hospital.roster([make_row(ONE, staff_no="00101"), make_row(2), make_row(NEWCOMER, staff_no="00001")])
    assert clerk.run()["codes"] == ["IMAGE_AMBIGUOUS"]
    assert run_later(hospital, "resolve", name(NEWCOMER), "--keep") == 0
    assert clerk.run()["status"] == "sealed"
