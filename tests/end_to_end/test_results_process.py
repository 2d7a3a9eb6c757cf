"""The process that writes a part of the results writes the same as the run itself would, or nothing."""

import zipfile
from dataclasses import replace

import openpyxl
import pytest
from run_support import make_row, number

from pipeline.cli.app import main
from pipeline.reports.write import write_review_page
from pipeline.workflow import results_process
from pipeline.workflow.marked_copies import load_rosters, write_marked_copies
from pipeline.workflow.results_process import ResultsProcess
from pipeline.workflow.stage_settings import build_preview_loader

pytestmark = pytest.mark.usefixtures("marked_copies_on")


def read_parts(path):
    """Return the parts of a workbook but the one that holds the time of writing."""
    with zipfile.ZipFile(path) as package:
        return {name: package.read(name) for name in package.namelist() if name != "docProps/core.xml"}


@pytest.fixture
def ward(hospital, monkeypatch):
    """Two rosters, a doctor to correct in each."""
    monkeypatch.setattr(results_process, "MIN_SECONDS", 0.0)
    monkeypatch.setattr(results_process, "AHEAD_SECONDS", 30.0)
    hospital.doctors(3)
    bad = make_row(6)
    hospital.roster([make_row(5), (bad[0], number(6)[:17], *bad[2:])], file="second.xlsx")
    return hospital


def run(ward):
    """Do a first run; return the parts of its copies by the roster's name."""
    assert main(ward.command("run")) == 3
    assert all(file["copy"] for file in ward.record()["files"])
    assert len(ward.outcomes()) == 5
    summary = openpyxl.load_workbook(ward.newest / "results.xlsx").worksheets[0]
    texts = [str(cell.value) for line in summary.iter_rows() for cell in line]
    assert any("rosters" in text for text in texts)  # the link to the copies
    return read_copies(ward.newest)


def read_copies(out):
    return {copy.name: read_parts(copy) for copy in (out / "rosters").glob("*.xlsx")}


def test_the_process_writes_the_copies_that_the_run_itself_would_write(ward, monkeypatch, tmp_path):
    asked, answered = [], []
    begin, finish = ResultsProcess.begin, ResultsProcess.take_copies

    def keep_and_begin(process, *arguments):
        asked.append(arguments)
        process._starter.join()
        return begin(process, *arguments)

    def finish_and_keep(process):
        answered.append(finish(process))
        return answered[-1]

    monkeypatch.setattr(ResultsProcess, "begin", keep_and_begin)
    monkeypatch.setattr(ResultsProcess, "take_copies", finish_and_keep)
    copies = run(ward)
    ((report, config, presenter, _),) = asked
    plain = replace(report, out=tmp_path / "plain")
    write_marked_copies(plain, config, presenter, None)
    look = build_preview_loader(config)
    page = write_review_page(plain, presenter=presenter, look=look)
    assert page.read_bytes() == (ward.newest / "review.html").read_bytes()
    assert [len(copied.copies) for copied in answered] == [2]
    assert copies == read_copies(tmp_path / "plain")
    assert sorted(copies) == ["roster.xlsx", "second.xlsx"]


@pytest.mark.parametrize("death", ["while it loads", "while it writes", "before it starts"])
def test_a_process_that_dies_costs_no_copy(ward, monkeypatch, death):
    begin = ResultsProcess.begin
    if death == "before it starts":
        monkeypatch.setattr(results_process, "_START", "raise SystemExit(1)")
    else:

        def begin_and_die(process, *arguments):
            process._starter.join()
            if death == "while it loads":
                process._process.kill()
                process._process.wait()
            began = begin(process, *arguments)
            process._process and process._process.kill()
            return began

        monkeypatch.setattr(ResultsProcess, "begin", begin_and_die)
    run(ward)


def test_a_roster_that_was_changed_while_rows_were_sent_gets_no_copy(ward, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        ResultsProcess, "begin", lambda _, *arguments: asked.append(arguments)
    )  # returns None: they are written here
    run(ward)
    ((report, config, presenter, _),) = asked
    loaded = load_rosters(report.files, config, max_rows=5)
    assert len(loaded) == 2
    ward.doctors(2, start=11, file="second.xlsx")
    copied = write_marked_copies(replace(report, out=tmp_path / "later"), config, presenter, None, loaded)
    assert [path.name for path in copied.copies] == ["roster.xlsx"]
