"""`export` and `status --runs`: every live seal once, as text; leavers; the seals of one run; the runs."""

import csv
import io
import json
import re
import shutil
import sqlite3
import zipfile
from contextlib import closing

import openpyxl
import pytest
import xlsxwriter
from end_to_end.conftest import HEADERS
from people import make_row, name
from pty_support import run_on_terminal
from run_support import draw_seal

import pipeline
from pipeline import EsignImportError

FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # staff numbers are read so


@pytest.fixture
def two_runs(scene):
    """Make a hospital with two doctors of a first run and one of a second."""

    def play(hospital):
        hospital.seal_doctors(2)
        hospital.seal_doctors(3)

    return scene(play)


def read_json(hospital, capsys, *arguments):
    capsys.readouterr()
    assert hospital.go("--json", *arguments) == 0
    return json.loads(capsys.readouterr().out)


def test_every_live_seal_is_listed_once_in_every_format(two_runs, capsys):
    seals = read_json(two_runs, capsys, "export")["seals"]
    made = {seal.seal_id for seal in two_runs.service.seals}
    assert {seal["seal_id"] for seal in seals} == made
    assert [seal["name"] for seal in seals] == [name(1), name(2), name(3)]
    assert [seal["staff_no"] for seal in seals] == ["00001", "00002", "00003"]
    assert all(seal["in_roster"] and seal["id_masked"].startswith("*" * 14) for seal in seals)
    assert two_runs.go("export", "--csv") == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [line["SealId"] for line in lines] == [seal["seal_id"] for seal in seals]
    path = two_runs.folder / "list.xlsx"
    assert two_runs.go("export", "--out", str(path)) == 0
    sheet = openpyxl.load_workbook(path).active
    rows = list(sheet.iter_rows(values_only=True))
    assert [row[2] for row in rows[1:]] == ["00001", "00002", "00003"]  # text, zeros kept
    assert [row[4] for row in rows[1:]] == [seal["seal_id"] for seal in seals]


HYPERLINK = '=HYPERLINK("http://127.0.0.1/","x")'
MARKED = [HYPERLINK, "=cmd|' /C calc'!A0", "@SUM(1)", "+86-10", "-7", "＝1+1", "＋1", "－1", "＠a"]
PLAIN = ["00001", "A-1", "1=1", "7\n=1+1"]


def write_csv(path, lines):
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(lines)
    return path


def test_csv_holds_no_live_formula_and_is_adopted_again(hospital, capsys):
    """What a roster gives is data: a spreadsheet program that opens the list runs none of it."""
    texts = [*MARKED, *PLAIN]
    rows = [make_row(serial, staff_no=text) for serial, text in enumerate(texts, 1)]
    seal_ids = {row[1]: f"{'-' if n % 2 else 'y'}{n:031d}" for n, row in enumerate(rows)}
    old = write_csv(
        hospital.folder / "old.csv", [(*HEADERS, "SealId"), *((*row, seal_ids[row[1]]) for row in rows)]
    )
    (hospital.folder / "inbox").mkdir()
    write_csv(hospital.folder / "inbox" / "roster.csv", [HEADERS, *rows])
    for serial in range(1, len(rows) + 1):
        draw_seal(hospital.folder / "seals" / f"{name(serial)}.png", serial)
    assert hospital.go("adopt", str(old)) == 0
    assert hospital.run_to_end("run") == (0, {"unchanged": len(rows)})
    listed = {seal["name"]: seal for seal in read_json(hospital, capsys, "export")["seals"]}
    staff_numbers = [listed[row[0]]["staff_no"] for row in rows]
    assert [text.translate(FULL_WIDTH) for text in texts] == staff_numbers, "JSON is no spreadsheet"
    path = hospital.folder / "list.csv"
    assert hospital.go("export", "--out", str(path)) == 0
    lines = list(csv.reader(path.read_text("utf-8-sig").splitlines(keepends=True)))
    assert [text for line in lines for text in line if text.startswith(tuple("=+-@＝＋－＠\t\r\n"))] == []
    assert len(lines) == len(rows) + 1
    assert {len(line) for line in lines} == {len(lines[0])}
    numbers = {row[0]: row[1] for row in rows}
    head, *others = lines
    completed = [[line[0], numbers[line[0]], *line[2:]] for line in others]
    write_csv(path, [[head[0], "证件号码", *head[2:]], *completed])
    for folder in ("state", "out"):
        shutil.rmtree(hospital.folder / folder)
    assert hospital.go("adopt", str(path)) == 0
    assert hospital.run_to_end("run") == (0, {"unchanged": len(rows)})
    again = {seal["name"]: seal for seal in read_json(hospital, capsys, "export")["seals"]}
    same = ("seal_id", "staff_no", "id_masked")
    assert [[again[who][key] for key in same] for who in listed] == [
        [seal[key] for key in same] for seal in listed.values()
    ]
    assert hospital.creates() == 0


def test_no_workbook_holds_a_formula_that_a_roster_holds_as_text(hospital):
    hospital.marked_copies = True
    hospital.configure()
    rows = [
        make_row(1, staff_no=HYPERLINK, mobile="12"),
        make_row(2, staff_no="@SUM(1)", department="=1+1"),
    ]
    inbox = hospital.folder / "inbox"
    inbox.mkdir()
    write_csv(inbox / "roster.csv", [HEADERS, *rows])
    with xlsxwriter.Workbook(str(inbox / "roster.xlsx"), {"strings_to_formulas": False}) as book:
        sheet = book.add_worksheet()
        for n, row in enumerate(
            [HEADERS, *(make_row(2 + n, staff_no=HYPERLINK, mobile="12") for n in (1, 2))]
        ):
            sheet.write_row(n, 0, row)
    assert hospital.go("run") == 3
    assert hospital.go("export") == 0
    books = list((hospital.folder / "out").rglob("*.xlsx"))
    assert len(books) == 7, "results and two marked copies, each twice, and the list"
    for path in books:
        with zipfile.ZipFile(path) as book:
            sheets = [book.read(part) for part in book.namelist() if part.startswith("xl/worksheets/sheet")]
        assert not any(b"<f>" in sheet or b"<f " in sheet for sheet in sheets), path


def test_a_file_ends_as_its_format(two_runs, capsys):
    assert two_runs.go("export", "--csv", "--out", str(two_runs.folder / "a.xlsx")) == 2
    assert two_runs.go("export", "--out", str(two_runs.folder / "a.txt")) == 2
    assert "the name must end with one of" in capsys.readouterr().err
    path = two_runs.folder / "a.csv"
    assert two_runs.go("export", "--out", str(path)) == 0
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    path = two_runs.folder / "a.json"
    assert two_runs.go("export", "--out", str(path)) == 0
    assert len(json.loads(path.read_text("utf-8"))["seals"]) == 3


def test_the_seals_of_one_run_come_with_how_they_are_revoked(two_runs, capsys):
    first, second = (path.name for path in two_runs.runs)
    assert len(read_json(two_runs, capsys, "export", "--run", first)["seals"]) == 2
    (seal,) = read_json(two_runs, capsys, "export", "--run", second)["seals"]
    assert seal["name"] == name(3)
    assert two_runs.go("export", "--run", second) == 0
    (path,) = (two_runs.folder / "out").glob("seals-of-*.xlsx")
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Seals", "What to do"]
    assert "account manager" in book["What to do"]["A2"].value
    assert two_runs.go("export", "--run", "none") == 2
    assert "has no run none" in capsys.readouterr().err


def test_a_retry_or_a_run_over_one_roster_makes_no_leavers(two_runs, capsys):
    two_runs.doctors(4)
    (two_runs.folder / "seals" / "00004.png").unlink()
    assert two_runs.go("run") == 3
    assert two_runs.go("retry") == 3
    two_runs.doctors(1, start=7, file="one.xlsx")
    shutil.move(two_runs.folder / "inbox" / "one.xlsx", two_runs.folder / "one.xlsx")
    assert two_runs.go("run", str(two_runs.folder / "one.xlsx")) == 0
    assert [seal["name"] for seal in read_json(two_runs, capsys, "export", "--leavers")["seals"]] == [name(7)]
    assert [seal["in_roster"] for seal in read_json(two_runs, capsys, "export")["seals"]] == [True] * 3 + [
        False
    ]


def test_leavers_have_a_seal_and_stand_in_no_roster(two_runs, capsys):
    assert read_json(two_runs, capsys, "export", "--leavers")["seals"] == []
    two_runs.doctors(2)
    assert two_runs.go("run", "--accept-guards") == 0
    runs = read_json(two_runs, capsys, "status", "--runs", "9")["runs"]
    assert [run["accepted_guards"] for run in runs] == [True, False, False]
    (leaver,) = read_json(two_runs, capsys, "export", "--leavers")["seals"]
    assert (leaver["name"], leaver["staff_no"], leaver["in_roster"]) == (name(3), "00003", False)
    assert len(read_json(two_runs, capsys, "export")["seals"]) == 3


def test_who_left_is_not_known_while_a_later_reading_lacks_a_roster(two_runs, capsys):
    """Nobody is told that all stand in the rosters: the answer names since when and because of what it is not known."""
    shown = f"{two_runs.runs[-1].name[9:11]}:{two_runs.runs[-1].name[11:13]}"
    two_runs.doctors(2)
    locked = two_runs.folder / "inbox" / "locked.xlsx"

    def list_leavers(*words):
        capsys.readouterr()
        code = two_runs.go("export", "--leavers", *words)
        printed = capsys.readouterr()
        assert not re.search(r"\b0 seals|stands? in the rosters|stood in the rosters", "".join(printed))
        return code, printed.err if not words else "".join(printed)

    for command in ("check", "run", "retry"):
        locked.write_bytes(b"PK\x03\x04broken")
        assert two_runs.go(command) == 7
        for words in ((), ("--json",), ("--csv",)):
            code, text = list_leavers(*words)
            assert (code, "locked.xlsx was not read" in text) == (3, True), (command, words)
            assert re.search(rf"since \S+ {shown} is not known", text), (command, words)
        with pytest.raises(EsignImportError, match="is not known"):
            pipeline.export(two_runs.folder / "config.yaml", leavers=True)
        locked.unlink()
        assert two_runs.go("check") == 0
        assert list_leavers()[0] == 3, "what a check read is not entered"
    assert two_runs.go("run") == 0
    assert [seal["name"] for seal in read_json(two_runs, capsys, "export", "--leavers")["seals"]] == [name(3)]
    elsewhere = two_runs.folder / "elsewhere.xlsx"
    elsewhere.write_bytes(b"PK")
    assert two_runs.go("check", str(elsewhere)) == 7
    assert list_leavers()[0] == 0, "another roster than the configured ones"
    hidden = (two_runs.folder / "inbox" / "roster.xlsx").rename(two_runs.folder / "hidden.xlsx")
    for command in ("check", "run"):
        assert two_runs.go(command) == 5
        code, text = list_leavers()
        assert (code, "ROSTER_MISSING" in text) == (3, True)
    hidden.rename(two_runs.folder / "inbox" / "roster.xlsx")
    assert two_runs.go("run") == 0
    assert list_leavers()[0] == 0


def test_a_leaver_still_has_a_seal_and_perhaps_an_open_auto_sign(two_runs, capsys):
    """Also of a doctor whose roster was not read it is not said that there is nothing to do, or that the doctor left."""
    roster = two_runs.folder / "inbox" / "roster.xlsx"
    for trouble in ("left", "not read"):
        if trouble == "left":
            two_runs.doctors(2)
        else:
            roster.write_bytes(b"PK")
        assert two_runs.go("run") == (0 if trouble == "left" else 7)
        for language, words in (
            ("en", ("stays open", "read last")),
            ("zh", ("仍开着", "最近读到的名单里没有")),
        ):
            capsys.readouterr()
            assert two_runs.go("explain", "00003", "--lang", language) == 0
            story = capsys.readouterr().out
            assert all(word in story for word in words), (trouble, language)
            assert not re.search("[Nn]othing to do|no longer|不需要做|已不在", story), (trouble, language)


def test_an_abandoned_seal_is_shown_and_listed_until_it_is_disabled(two_runs, capsys):
    """It stays valid: of the run that made it, it is the one that has to be disabled."""
    first = two_runs.runs[0].name
    old = read_json(two_runs, capsys, "export", "--run", first)["seals"][0]
    draw_seal(two_runs.folder / "seals" / "00001.png", 9)
    assert two_runs.go("run") == 3
    capsys.readouterr()
    assert two_runs.go("resolve", "00001", "--replace") == 2
    assert f" resolve {old['seal_id']} --replace --seal-name NAME\n" in capsys.readouterr().err
    assert two_runs.go("resolve", "00001", "--replace", "--seal-name", "新处方章") == 0
    stderr_text = capsys.readouterr().err
    assert f"{old['seal_id']} stays valid until Tencent disables it" in stderr_text
    assert stderr_text.endswith(" run\n")
    assert two_runs.go("run") == 0
    seals = read_json(two_runs, capsys, "export")["seals"]
    assert [(seal["name"], bool(seal["abandoned"])) for seal in seals] == [
        (name(1), True),
        (name(2), False),
        (name(3), False),
        (name(1), False),
    ]
    assert seals[0] == {**old, "abandoned": seals[0]["abandoned"]}
    assert two_runs.go("export", "--run", first) == 0
    assert "1 of these was abandoned with resolve --replace." in capsys.readouterr().err
    (path,) = (two_runs.folder / "out").glob("seals-of-*.xlsx")
    book = openpyxl.load_workbook(path)
    columns = {column[0].value: [cell.value for cell in column[1:]] for column in book["Seals"].columns}
    assert columns["SealId"] == [seal["seal_id"] for seal in seals[:2]]
    assert columns["State"] == ["abandoned, valid until it is disabled", "live"]
    assert columns["Abandoned"][0] == seals[0]["abandoned"]
    assert "stays valid until Tencent disables it" in book["What to do"]["A5"].value
    two_runs.roster([make_row(serial) for serial in (2, 3)])
    assert two_runs.go("run", "--accept-guards") == 0
    leavers = read_json(two_runs, capsys, "export", "--leavers")["seals"]
    assert leavers == [{**seal, "in_roster": False} for seal in seals if seal["name"] == name(1)]


def test_the_list_of_runs_has_a_line_for_every_run(two_runs, capsys):
    shutil.rmtree(two_runs.folder / "secrets")
    two_runs.doctors(4)
    assert two_runs.go("run") == 4
    assert two_runs.go("check") == 0
    runs = read_json(two_runs, capsys, "status", "--runs", "9")["runs"]
    assert [(run["command"], run["exit"]) for run in runs] == [("run", 4), ("run", 0), ("run", 0)]
    assert runs[0]["halt"] == "CREDENTIALS_MISSING"
    assert runs[1]["statuses"] == {"sealed": 1, "unchanged": 2}
    assert [run["files"] for run in runs[1:]] == [1, 1]
    assert len(read_json(two_runs, capsys, "status", "--runs", "2")["runs"]) == 2
    with closing(sqlite3.connect(two_runs.folder / "state" / "ledger.sqlite3")) as ledger:
        ledger.execute(
            "UPDATE run SET finished = NULL, exit_code = NULL, record = NULL"
        )  # as if the last write failed
        ledger.commit()
    ended = read_json(two_runs, capsys, "status", "--runs", "9")["runs"][1]
    assert ended["statuses"] == {"sealed": 1, "unchanged": 2}
    assert (ended["exit"], ended["finished"] is None) == (0, False)
    assert two_runs.go("status", "--runs", "9") == 0
    lines = capsys.readouterr().out.splitlines()[:3]
    assert lines[0].endswith("(stopped: CREDENTIALS_MISSING)")
    assert lines[1].endswith("1 file: Sealed 1, Unchanged 2")
    assert len({line.index("  exit ") for line in lines}) == 1, "the columns begin below each other"


def test_no_column_of_the_runs_is_broken_inside_on_a_narrow_terminal(two_runs):
    words = two_runs.command("status", "--runs", "9")
    for columns in (50, 60, 70):
        code, seen = run_on_terminal(words, columns=columns, folder=two_runs.folder, NO_COLOR="1")
        assert code == 0
        assert len(re.findall(r"by [^ ]", seen)) == 2, (columns, seen)
        assert len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", seen)) == 3, (columns, seen)
