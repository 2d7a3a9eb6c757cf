"""`purge`: what is too old, and one doctor's data, go; what prevents a second seal stays."""

import json
import os
import re
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import openpyxl
import pytest
from crash_support import Zygote
from people import make_row, name, number
from pty_support import run_on_terminal
from run_support import draw_seal
from wire_support import fault


def search_bytes(folder, *words):
    """Return the files below a folder that hold one of these texts, as UTF-8, UTF-16 or JSON escapes."""
    forms = [
        form
        for word in words
        for form in (word.encode(), word.encode("utf-16-le"), ascii(word)[1:-1].encode())
    ]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)) for path in files if any(form in path.read_bytes() for form in forms)
    }


def make_staff_no(serial):
    """Return a staff number with a letter that no digest or id in hexadecimal digits holds."""
    return f"G{serial:04d}"


def write_doctors(hospital, *serials, file="roster.xlsx"):
    """Write a roster of these doctors, and a picture for each."""
    hospital.roster([make_row(serial, staff_no=make_staff_no(serial)) for serial in serials], file=file)
    for serial in serials:
        draw_seal(hospital.folder / "seals" / f"{make_staff_no(serial)}.png", serial)


def seal_three(hospital):
    """Seal three doctors; check and run again."""
    hospital.marked_copies = True
    hospital.configure()
    write_doctors(hospital, 1, 2, 3)
    assert hospital.go("run", "--yes") == 0
    assert hospital.go("check") == 0
    assert hospital.go("run", "--yes") == 0


@pytest.fixture
def sealed(scene):
    return scene(seal_three)


def find_traces(hospital, serial):
    """Return the files of ledger, journals and results in which a doctor's name or staff number stands."""
    traces = (name(serial), make_staff_no(serial))
    folders = (
        hospital.folder / "state",
        hospital.folder / "out" / ".ledger",
        Path(os.environ["XDG_STATE_HOME"]),
    )
    ledgers = {
        f"{folder.name}: {Path(file).name}" for folder in folders for file in search_bytes(folder, *traces)
    }
    outcomes = {
        path.name
        for path in (hospital.folder / "out").rglob("*.json*")
        if name(serial) in path.read_text("utf-8")
    }
    return ledgers | outcomes


def list_purged_contents(hospital):
    """Return what is left of the contents of the creates of purged persons."""
    with closing(sqlite3.connect(hospital.folder / "state" / "ledger.sqlite3")) as connection:
        statement = "SELECT content FROM attempt JOIN person USING (person) WHERE person.name IS NULL OR person.name = ''"
        return connection.execute(statement).fetchall()


def test_a_declined_purge_removes_nothing(sealed):
    traces = find_traces(sealed, 2)
    words = sealed.command("purge", "--person", name(2))
    code, seen = run_on_terminal(words, columns=200, typed=b"n\n")
    assert code == 0
    assert seen.rstrip().endswith("Nothing was removed.")
    assert find_traces(sealed, 2) == traces


def test_nothing_of_the_doctor_is_left_and_the_seal_is_known(sealed, capsys):
    traces = find_traces(sealed, 2)
    assert traces >= {"state: ledger.sqlite3", "outcomes.jsonl", "plan.jsonl"}
    assert sum(trace.endswith(".jsonl") and ": " in trace for trace in traces) == 2, "both journals"
    seals = {seal.name: seal.seal_id for seal in sealed.service.seals}
    capsys.readouterr()
    assert sealed.go("purge", "--person", name(2), "--yes") == 0
    stderr_text = capsys.readouterr().err
    for part in (seals[name(2)], "would be created again", "roster.xlsx", "G0002.png"):
        assert part in stderr_text
    assert find_traces(sealed, 2) == set()
    assert list_purged_contents(sealed) == [(None,)]
    assert len(find_traces(sealed, 1)) >= 5, "the others are there"
    kept = {"outcomes.jsonl", "plan.jsonl", "files.jsonl", "log.jsonl", "run.json"}
    for folder in (*sealed.runs, sealed.folder / "out" / "latest"):
        assert {path.name for path in folder.iterdir()} <= kept
    first, _, last = (folder for folder in sealed.runs)
    for folder, status in ((first, "sealed"), (last, "unchanged")):
        (line,) = (
            line
            for line in map(json.loads, (folder / "outcomes.jsonl").read_text("utf-8").splitlines())
            if line["seal_id"] == seals[name(2)]
        )
        assert (line["status"], line["codes"]) == (status, [])
        personal = ("name", "staff_no", "id_masked", "mobile_masked", "seal_name", "picture")
        assert [line[field] for field in personal] == [None] * len(personal)
        assert (line["changes"], line["problems"]) == ([], [])
    assert search_bytes(sealed.folder / "out", name(2)) == set()
    assert not [*(sealed.folder / "out").rglob("*.xlsx"), *(sealed.folder / "out").rglob("*.html")]
    assert not list((sealed.folder / "state" / "work" / "previews").iterdir())
    assert sealed.go("ledger", "check") == 0
    assert sealed.go("status") == 0
    assert sealed.go("explain", seals[name(2)]) == 0
    assert "personal data removed" in capsys.readouterr().out
    sent = sealed.creates()
    write_doctors(sealed, 1, 3)
    assert sealed.go("run", "--yes") == 0
    assert sealed.statuses() == {"unchanged": 2}
    write_doctors(sealed, 1, 2, 3)
    draw_seal(sealed.folder / "seals" / "G0002.png", 77)
    assert sealed.go("run", "--yes") == 0
    assert sealed.statuses() == {"unchanged": 3}, "whatever the row gives: its content is not known any more"
    assert sealed.creates() == sent
    assert sealed.go("export", "--csv") == 0
    assert sealed.service.list_duplicates() == {}


def test_results_in_folders_of_their_own_are_named(sealed, capsys):
    """One whose name holds a number is named by what may be stored of it."""
    for folder in ("elsewhere", number(77)):
        assert sealed.go("run", "--out", str(sealed.folder / folder)) == 0
    capsys.readouterr()
    assert sealed.go("purge", "--person", name(2), "--yes") == 0
    stderr_text = capsys.readouterr().err
    assert str(sealed.folder / "elsewhere") in stderr_text
    assert str(sealed.folder / ("*" * 14 + number(77)[-4:])) in stderr_text


def test_after_a_purge_the_ledger_can_be_lost(sealed, tmp_path):
    assert sealed.go("purge", "--person", number(2), "--yes") == 0
    assert sealed.go("ledger", "backup", str(tmp_path / "b")) == 0
    sealed.lose_ledger()
    assert sealed.run_to_end("run", "--yes") == (0, {"unchanged": 3})
    shutil.rmtree(sealed.folder / "state")
    assert sealed.go("ledger", "restore", str(tmp_path / "b")) == 0
    assert sealed.run_to_end("run", "--yes") == (0, {"unchanged": 3})
    assert sealed.creates() == 3


def test_a_doctor_whose_create_is_unknown_is_resolved_first(hospital_with, capsys):
    hospital = hospital_with(faults=[fault("truncated_json", nth=(1,))])
    hospital.doctors(1)
    assert hospital.go("run", "--yes") == 3
    assert hospital.go("purge", "--person", name(1), "--yes") == 2
    assert "resolve" in capsys.readouterr().err
    assert find_traces(hospital, 1)


@pytest.mark.usefixtures("marked_copies_on")
def test_a_row_that_never_had_a_seal_goes_as_well(hospital):
    hospital.doctors(1)
    hospital.roster([("王小明", "1101011990", None, "77", "内科")], file="bad.xlsx")
    assert hospital.go("run", "--yes") == 3
    assert hospital.go("purge", "--person", "王小明", "--yes") == 0
    assert search_bytes(hospital.folder / "state", "王小明") == set()
    assert search_bytes(hospital.folder / "out", "王小明") == set()
    assert hospital.go("ledger", "check") == 0


@pytest.mark.usefixtures("marked_copies_on")
def test_other_rows_no_longer_name_the_doctor(hospital):
    """A row names the doctor's picture as its own."""
    rows = [
        (name(n), number(n), f"154{n:08d}", f"{n:05d}", picture)
        for n, picture in ((1, ""), (2, f"{name(1)}.png"))
    ]
    hospital.roster(rows, headers=("姓名", "证件号码", "手机号", "工号", "印章图片"))
    draw_seal(hospital.folder / "seals" / f"{name(1)}.png", 1)
    assert hospital.go("run", "--yes") == 3
    assert name(1) in json.dumps(hospital.outcomes()[1], ensure_ascii=False)
    assert hospital.go("purge", "--person", name(1), "--yes") == 0
    assert search_bytes(hospital.folder / "state", name(1)) == set()
    assert search_bytes(hospital.folder / "out", name(1)) == set()
    assert hospital.go("explain", name(2)) == 0
    assert hospital.go("ledger", "check") == 0


@pytest.mark.usefixtures("marked_copies_on")
def test_results_are_one_object_a_line_and_purged_whatever_ends_a_line_within_a_cell(hospital):
    """JSON allows these characters as they are, and other programs end a line at them."""
    odd_name = f"{name(2)}\u2028\u2029\x85"
    hospital.roster([make_row(1), make_row(2, name=odd_name)])
    for serial in (1, 2):
        draw_seal(hospital.folder / "seals" / f"{number(serial)}.png", serial)
    assert hospital.go("run", "--yes") in {0, 3}
    changes = [change for row in hospital.outcomes() for change in row["changes"]]
    assert [change["from"] for change in changes if change["field"] == "name"] == [odd_name]
    assert hospital.go("purge", "--person", number(1), "--yes") == 0
    assert [row["name"] for row in hospital.outcomes()] == [None, name(2)]


def test_purge_requires_one_person_and_a_confirmation(sealed, capsys):
    assert sealed.go("purge", "--person", "没有这人", "--yes") == 2
    sealed.roster([(name(1), number(9), f"154{9:08d}", "G0009", "内科")], file="more.xlsx")
    draw_seal(sealed.folder / "seals" / "G0009.png", 9)
    assert sealed.go("run", "--yes") == 0
    capsys.readouterr()
    assert sealed.go("purge", "--person", name(1), "--yes") == 2, "two of the name"
    assert re.search(rf"purge --person '{name(1)} G\d+'", capsys.readouterr().err)
    assert sealed.go("purge", "--person", f"{name(1)} G0009") == 2, "no terminal"
    assert sealed.go("purge", "--person", f"{name(1)} G0009", "--yes") == 0
    assert sealed.go("purge", "--yes") == 2, "no person"
    assert find_traces(sealed, 1), "the namesake stays"
    capsys.readouterr()


def test_a_kill_at_every_point_of_a_purge(sealed, tmp_path, capsys):
    folder = sealed.folder
    parts = {"state": folder / "state", "out": folder / "out", "user": Path(os.environ["XDG_STATE_HOME"])}
    for part, part_folder in parts.items():
        shutil.copytree(part_folder, tmp_path / "before" / part)
    words = ("purge", "--person", number(2), "--yes")
    with Zygote() as zygote:

        def begin_again():
            for part, part_folder in parts.items():
                shutil.rmtree(part_folder)
                shutil.copytree(tmp_path / "before" / part, part_folder)

        ended = zygote.run(sealed, *words)
        assert ended["code"] == 0
        points = ended["points"]
        assert len(points) >= 5
        passed = Counter()
        for point in points:
            passed[point] += 1
            begin_again()
            assert zygote.run(sealed, *words, name=point, **{"pass": passed[point]})["signal"] == 9, point
            with closing(sqlite3.connect(folder / "state" / "ledger.sqlite3")) as ledger:
                assert ledger.execute("SELECT count(*) FROM attempt").fetchone() == (3,), point
            assert zygote.run(sealed, *words)["code"] == 0, point
            assert find_traces(sealed, 2) == set(), point
            assert zygote.run(sealed, "ledger", "check")["code"] == 0, point


def test_a_run_after_a_killed_purge_is_in_order(sealed, capsys):
    with Zygote() as zygote:
        words = ("purge", "--person", name(2), "--yes")
        assert zygote.run(sealed, *words, name="ledger: after the commit", **{"pass": 1})["signal"] == 9
        assert zygote.run(sealed, "run", "--yes")["code"] == 0
        assert zygote.run(sealed, "ledger", "check")["code"] == 0
    assert sealed.statuses() == {"unchanged": 3}
    book = openpyxl.load_workbook(sealed.newest / "results.xlsx")
    assert book.sheetnames


def test_a_corrected_number_and_a_replaced_seal_stay_known(sealed, capsys):
    rows = {n: [*make_row(n, staff_no=make_staff_no(n))] for n in (1, 2, 3)}
    rows[1][1] = number(21)  # a corrected number
    draw_seal(sealed.folder / "seals" / "G0002.png", 55)  # another picture
    sealed.roster(rows.values())
    assert sealed.go("run", "--yes") == 3
    seals = {seal.name: seal.seal_id for seal in sealed.service.seals}
    for way in ("--same-person", "--keep"):
        assert sealed.go("resolve", seals[name(1)], way) == 0
    assert sealed.go("resolve", seals[name(2)], "--replace", "--seal-name", f"{name(2)}新章") == 0
    assert sealed.go("run", "--yes") == 0
    sent = sealed.creates()
    assert sent == 4
    for serial in (1, 2):
        assert sealed.go("purge", "--person", name(serial), "--yes") == 0
        assert find_traces(sealed, serial) == set()
    assert sealed.go("ledger", "check") == 0
    assert sealed.go("run", "--yes") == 0
    assert sealed.statuses() == {"unchanged": 3}
    rows[1][1] = number(1)
    sealed.roster(rows.values())
    sealed.lose_ledger()
    assert sealed.go("run", "--yes") == 0
    assert sealed.statuses() == {"unchanged": 3}
    assert sealed.creates() == sent
    capsys.readouterr()
