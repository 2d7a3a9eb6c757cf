"""A run in which nothing changed makes no call, opens no picture of a sealed doctor, and finds what the last run found."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from people import make_row, name, number
from result_sheet import ResultSheet
from run_support import draw_seal

HEADERS = ("姓名", "证件号码", "手机号", "工号", "科室", "备注", "印章名称")
DOCTORS = range(1, 9)
# a run in a process of its own, which writes the names of all files of a folder that were opened
WATCHED = """
import sys
from pathlib import Path
from pipeline.cli.app import main

folder, target, *arguments = sys.argv[1:]
opened = set()
def note(event, given):
    if event == "open" and str(given[0]).startswith(folder + "/"):
        opened.add(Path(given[0]).name)
sys.addaudithook(note)
code = main(arguments)
Path(target).write_text("\\n".join(sorted(opened)), "utf-8")
sys.exit(code)
"""


def seal_ward(hospital) -> None:
    """Seal eight doctors, some of whose cells have to be normalised; then add rows that never get a seal."""
    spaced = f"{number(2)[:6]} {number(2)[6:14]} {number(2)[14:]}"
    odd = {
        2: {"number": spaced},
        3: {"mobile": None},
        4: {"mobile": "138 0013 8000"},
        5: {"department": "内　科 "},
    }
    rows = [[*make_row(serial, **odd.get(serial, {})), "备", None] for serial in DOCTORS]
    seals = hospital.folder / "seals"
    for serial in DOCTORS:
        draw_seal(seals / f"{serial:05d}.png", serial)
    (seals / "00006.png").rename(seals / f"{number(6)}.png")
    (seals / "00007.png").rename(seals / f"{name(7)}印章.png")
    hospital.roster(rows, headers=HEADERS)
    assert hospital.go("-q", "run") == 0, "all get their seals"
    rows[7][2] = "15400000999"  # another mobile: a person decides
    rows += [
        [*make_row(20), "没有图片", None],
        [*make_row(21, number=f"{number(21)[:17]}{'0' if number(21)[17] != '0' else '1'}"), "", None],
        [*make_row(22), "", "ABC12"],
        [*make_row(1), "再一次", None],
    ]
    draw_seal(seals / "没有人.png", 30)
    draw_seal(seals / "00021.png", 21)
    hospital.roster(rows, headers=HEADERS)


def read_outcomes(hospital) -> list[dict]:
    return [{**outcome, "run": ""} for outcome in hospital.outcomes()]


def test_a_run_without_changes_makes_no_call_and_finds_the_same(hospital, postgres_server):
    """With the ledger on a server."""
    hospital.ledger = postgres_server.make_database()
    hospital.configure()
    seal_ward(hospital)
    assert hospital.go("-q", "run") == 3
    first, calls = read_outcomes(hospital), len(hospital.service.received)
    assert hospital.statuses() == {"unchanged": 7, "changed": 1, "rejected": 4}
    assert hospital.go("-q", "run") == 3
    assert read_outcomes(hospital) == first
    assert len(hospital.service.received) == calls


def test_a_run_without_changes_opens_no_picture_of_a_sealed_doctor_and_adds_a_run_alone_to_the_ledger(
    hospital,
):
    """The entries of its rows are extended: thousands of runs of one roster take the place of a few."""
    seal_ward(hospital)
    assert hospital.go("-q", "run") == 3
    first, calls = read_outcomes(hospital), len(hospital.service.received)
    assert hospital.statuses() == {"unchanged": 7, "changed": 1, "rejected": 4}

    def read(table: str) -> list[tuple]:
        with closing(sqlite3.connect(hospital.folder / "state" / "ledger.sqlite3")) as ledger:
            return list(ledger.execute(f"SELECT * FROM {table} ORDER BY 1, 2"))

    runs, attempts, lines, files = map(read, ("run", "attempt", "row_line", "file_stat"))
    target = hospital.folder / "opened"
    words = hospital.command("-q", "run")
    watched = [sys.executable, "-c", WATCHED, str(hospital.folder / "seals"), str(target), *words]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(watched, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 3, ended.stderr
    assert read_outcomes(hospital) == first
    assert len(hospital.service.received) == calls
    assert len(read("run")) == len(runs) + 1
    assert (read("attempt"), read("row_line"), read("file_stat")) == (attempts, lines, files)
    sealed = {
        Path(outcome["picture"]["path"]).name
        for outcome in hospital.outcomes()
        if outcome["status"] == "unchanged" and outcome["picture"]
    }
    assert len(sealed) == 7
    opened = set(target.read_text("utf-8").splitlines())
    assert not sealed & opened
    assert "没有人.png" not in opened, "a picture that no row matches is shown from its stored copy"
    unpaired = ResultSheet(hospital.newest / "results.xlsx", "sheet.unpaired")
    drawn = {image.anchor._from.row + 1 for image in unpaired.sheet._images}
    assert unpaired.get_row_number("File", "没有人.png") in drawn
