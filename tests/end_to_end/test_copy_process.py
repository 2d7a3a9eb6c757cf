"""The process that writes marked copies writes the same as the run itself would, or nothing."""

import zipfile
from dataclasses import replace

import openpyxl
import pytest
from run_support import make_row, number

from pipeline.cli.app import main
from pipeline.workflow import copy_process
from pipeline.workflow.copy_process import CopyProcess
from pipeline.workflow.marked_copies import write_marked_copies

pytestmark = pytest.mark.usefixtures("marked_copies_on")


def read_parts(path):
    """Return the parts of a workbook but the one that holds the time of writing."""
    with zipfile.ZipFile(path) as package:
        return {name: package.read(name) for name in package.namelist() if name != "docProps/core.xml"}


def read_copies(out):
    return {copy.name: read_parts(copy) for copy in (out / "rosters").glob("*.xlsx")}


@pytest.fixture
def ward(hospital, monkeypatch):
    """Two rosters, a doctor to correct in one."""
    monkeypatch.setattr(copy_process, "MIN_SECONDS", 0.0)
    hospital.doctors(3)
    bad = make_row(6)
    hospital.roster([make_row(5), (bad[0], number(6)[:17], *bad[2:])], file="second.xlsx")
    return hospital


def run(ward):
    """Do a first run; return the parts of its copies by the roster's name."""
    assert main(ward.command("run")) == 3
    assert all(file["copy"] for file in ward.record()["files"])
    summary = openpyxl.load_workbook(ward.newest / "results.xlsx").worksheets[0]
    texts = [str(cell.value) for line in summary.iter_rows() for cell in line]
    assert any("rosters" in text for text in texts)  # the link to the copies
    return read_copies(ward.newest)


def test_the_process_writes_the_copies_that_the_run_itself_would_write(ward, monkeypatch, tmp_path):
    asked, answered = [], []
    begin, take = CopyProcess.begin, CopyProcess.take_copies

    def keep_and_begin(process, *arguments):
        asked.append(arguments)
        return begin(process, *arguments)

    def take_and_keep(process):
        answered.append(take(process))
        return answered[-1]

    monkeypatch.setattr(CopyProcess, "begin", keep_and_begin)
    monkeypatch.setattr(CopyProcess, "take_copies", take_and_keep)
    copies = run(ward)
    ((job, _),) = asked
    write_marked_copies(replace(job, folders=[tmp_path / "plain" / "rosters"]))
    assert [len(written.copies) for written in answered] == [2]
    assert copies == read_copies(tmp_path / "plain")
    assert sorted(copies) == ["roster.xlsx", "second.xlsx"]


def test_the_process_starts_once_the_last_row_has_ended(ward, monkeypatch):
    creates = []
    start = CopyProcess.start

    def note_and_start(process, run_seconds):
        creates.append(ward.creates())
        start(process, run_seconds)

    monkeypatch.setattr(CopyProcess, "start", note_and_start)
    run(ward)
    assert creates == [3, 3], "after the last answer, and again for its job: it is running already"


@pytest.mark.parametrize("death", ["at its start", "while it writes", "of a failure"])
def test_a_process_that_dies_costs_no_copy(ward, monkeypatch, death):
    if death == "at its start":
        monkeypatch.setattr(copy_process, "_START", "raise SystemExit(1)")
    elif death == "of a failure":
        start = copy_process._START.replace("main()", "import pipeline.workflow.marked_copies as copies;")
        monkeypatch.setattr(copy_process, "_START", f"{start} copies._write_copy = None; main()")
    else:
        begin = CopyProcess.begin

        def begin_and_die(process, *arguments):
            began = begin(process, *arguments)
            process._process.kill()
            return began

        monkeypatch.setattr(CopyProcess, "begin", begin_and_die)
    assert len(run(ward)) == 2
