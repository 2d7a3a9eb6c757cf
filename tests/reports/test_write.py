"""Files of a run: whole or absent, private, copied into latest, never lost to an open Excel."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import resource
import stat

import openpyxl
import pytest

from pipeline.domain.run import Status
from pipeline.reports.write import write_workbook
from pipeline.reports.written_workbooks import NOTES, WrittenWorkbooks
from pipeline.support.atomic_files import make_folder, write_atomically, write_jsonl


def _mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277])
def test_files_are_0600_and_folders_0700_whatever_the_umask(hospital, write_files, umask):
    run_report = hospital.build_run_report()
    before = os.umask(umask)
    try:
        written = write_files(run_report, latest=run_report.out.parent / "latest")
    finally:
        os.umask(before)

    folders = [run_report.out.parent, run_report.out, run_report.out.parent / "latest"]
    files = [path for folder in folders for path in folder.iterdir() if path.is_file()]
    assert {_mode(path) for path in files} == {0o600}
    assert {_mode(path) for path in folders} == {0o700}
    assert len(files) == 2 * (len(written) + 1) == 14, (
        "the file of what was written beside them, nothing temporary"
    )


def test_a_folder_that_exists_keeps_its_mode(tmp_path):
    tmp_path.chmod(0o755)

    make_folder(tmp_path / "out" / "run")

    assert _mode(tmp_path) == 0o755
    assert _mode(tmp_path / "out") == 0o700


def test_a_failed_write_leaves_the_old_file_and_no_temporary_file(tmp_path):
    target = tmp_path / "outcomes.jsonl"
    write_jsonl(target, [{"row": 1}])

    def broken():
        yield {"row": 2}
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_jsonl(target, broken())

    assert target.read_text() == '{"row":1}\n'
    assert list(tmp_path.iterdir()) == [target]


def test_a_workbook_open_in_excel_gets_a_numbered_sibling(tmp_path):
    target = tmp_path / "results.xlsx"
    target.write_bytes(b"old")
    (tmp_path / "results (2).xlsx").write_bytes(b"open too")

    def held_open(source, goal):
        if goal.name in {"results.xlsx", "results (2).xlsx"}:
            raise PermissionError(13, "in use")
        source.replace(goal)

    written = write_atomically(
        target, lambda path: path.write_bytes(b"new") and None, numbered=True, replace=held_open
    )

    assert written == tmp_path / "results (3).xlsx"
    assert written.read_bytes() == b"new"
    assert target.read_bytes() == b"old"


def _held_by_excel(*paths):
    """Move files as Windows does while Excel holds these open."""

    def move(source, goal):
        if goal in paths:
            raise PermissionError(13, "in use")
        source.replace(goal)

    return move


def _summary(workbook):
    cells = (cell.value for row in openpyxl.load_workbook(workbook)["汇总"].iter_rows() for cell in row)
    return [text for text in cells if isinstance(text, str)]


def test_every_text_names_the_workbook_that_was_written(hospital, write_files):
    run_report = hospital.build_run_report()
    latest = run_report.out.parent / "latest"
    held = _held_by_excel(run_report.out / "results.xlsx")

    written = write_files(run_report, latest=latest, replace_file=held)

    assert written["results.xlsx"] == run_report.out / "results (2).xlsx"
    commands = [text for text in _summary(written["results.xlsx"]) if text.startswith("esign-import retry")]
    assert commands == ["esign-import retry"]
    page = written["report.html"].read_text("utf-8")
    assert "results (2).xlsx" in page
    assert 'href="results%20%282%29.xlsx"' in page
    assert "results.xlsx" not in page
    assert (latest / "results.xlsx").read_bytes() == written["results.xlsx"].read_bytes()
    assert 'href="results.xlsx"' in (latest / "report.html").read_text("utf-8"), "beside it is the copy"


def test_a_copy_under_another_name_is_returned_and_linked(hospital, write_files):
    run_report = hospital.build_run_report()
    latest = run_report.out.parent / "latest"
    held = _held_by_excel(latest / "results.xlsx")

    written = write_files(run_report, latest=latest, replace_file=held)

    assert written["copy"] == latest / "results (2).xlsx"
    assert 'href="results%20%282%29.xlsx"' in (latest / "report.html").read_text("utf-8")


def test_a_workbook_saved_during_the_run_is_kept_by_the_next_one(hospital, write_files):
    run_report = hospital.build_run_report()
    target = run_report.out / "results.xlsx"
    write_files(run_report)

    def saved_meanwhile(source, goal):
        if goal == target:
            target.write_bytes(b"edited")
            raise PermissionError(13, "in use")
        source.replace(goal)

    write_files(run_report, replace_file=saved_meanwhile)
    reported = write_files(run_report)

    assert reported["edited"].read_bytes() == b"edited"
    assert sorted(path.name for path in run_report.out.glob("results*")) == [
        "results (edited).xlsx",
        "results.xlsx",
    ], "the sibling told of an earlier run"


def test_an_edited_sibling_is_kept(hospital, write_files):
    run_report = hospital.build_run_report()
    held = _held_by_excel(run_report.out / "results.xlsx")
    first = write_files(run_report, replace_file=held)
    first["results.xlsx"].write_bytes(b"edited")

    reported = write_files(run_report)

    assert reported["edited"].name == "results (2) (edited).xlsx"
    assert reported["edited"].read_bytes() == b"edited"


def test_a_file_for_programs_never_changes_its_name(tmp_path):
    def held_open(source, goal):
        if goal.name == "run.json":
            raise PermissionError(13, "in use")
        source.replace(goal)

    with pytest.raises(PermissionError):
        write_atomically(tmp_path / "run.json", lambda _: None, replace=held_open)

    assert list(tmp_path.iterdir()) == []


def test_a_run_writes_outcomes_and_a_check_writes_a_plan(hospital, make, write_files, scene):
    latest = scene.folder / "out" / "latest"
    scene.outcomes = [make.outcome(make.doctor(1), Status.READY)]
    checked = scene.build_run_report(command="check", out=scene.folder / "out" / "c")

    ran = write_files(hospital.build_run_report(), latest=latest)
    others = ["results.xlsx", "review.html", "files.jsonl", "run.json", "report.html"]
    assert list(ran) == ["outcomes.jsonl", *others]
    assert sorted(path.name for path in latest.glob("[!.]*")) == sorted(ran)

    plan = write_files(checked, language="en", latest=latest)
    assert list(plan) == ["plan.jsonl", *others]
    assert sorted(path.name for path in latest.glob("[!.]*")) == sorted(plan), "latest tells one run"
    assert json.loads(plan["plan.jsonl"].read_text())["status"] == "ready"


def test_lines_match_the_rows_and_are_rebuilt_the_same(hospital, write_files):
    run_report = hospital.build_run_report()
    first = write_files(run_report)
    before = {name: path.read_bytes() for name, path in first.items() if name != "results.xlsx"}

    again = write_files(run_report)

    assert {name: again[name].read_bytes() for name in before} == before
    rows = [json.loads(line) for line in before["outcomes.jsonl"].splitlines()]
    assert [row["row"] for row in rows] == [outcome.doctor.row.origin.row for outcome in hospital.outcomes]


def test_a_lone_surrogate_does_not_stop_the_writing(make, write_files, scene):
    scene.outcomes = [make.outcome(make.doctor(1, name="李\ud800明"), Status.SEALED)]

    written = write_files(scene.build_run_report())

    assert json.loads(written["outcomes.jsonl"].read_text("utf-8"))["name"] == "李?明"


def test_a_copy_that_another_run_has_taken_away_is_still_noted(tmp_path):
    """The copy in out/latest may be replaced at any moment: its digest is that of the run's own workbook."""
    own = tmp_path / "results.xlsx"
    own.write_bytes(b"workbook")
    (tmp_path / "latest").mkdir()
    written = WrittenWorkbooks(tmp_path / "latest")
    written.remember(tmp_path / "latest" / "results.xlsx", copied_from=own)
    (note,) = (tmp_path / "latest").iterdir()
    assert note.name == NOTES
    digest = hashlib.sha256(b"workbook").hexdigest()
    assert json.loads(note.read_text("utf-8")) == {"results.xlsx": digest}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # XlsxWriter leaves files open
def test_a_disk_that_takes_no_workbook_is_a_fault_of_the_disk(hospital, make):
    run_report = hospital.build_run_report()
    path, presenter = run_report.out / "results.xlsx", make.presenter(run_report)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_workbook(run_report, path, presenter=presenter, previews=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        gc.collect()
    assert not path.exists()
