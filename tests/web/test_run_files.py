"""The list of a run's files: which names it takes."""

import json

import pytest

from pipeline.ledger.records import RunRecord
from pipeline.web.run_files import list_run_files

RUN = "20261130-020000-000"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"run": RUN}))
    (tmp_path / "rosters").mkdir()
    return tmp_path


def list_names(folder, run=RUN):
    return [file.path.name for file in list_run_files(RunRecord(run, "run", 0.0, out=str(folder)))]


def test_the_known_names_alone(folder):
    for name in (
        *("report.html", "review.html", "results.xlsx", "results (2).xlsx", "results (200).xlsx"),
        *("log.jsonl", "outcomes.jsonl", "other.html", ".results.xlsx", "results.xlsx.html"),
        *("rosters/a.xlsx", "rosters/b.XLSX", "rosters/.draft", "rosters/c.html"),
    ):
        (folder / name).write_text("x")
    (folder / "rosters" / "d.xlsx").mkdir()
    assert list_names(folder) == [
        *("report.html", "review.html", "results (2).xlsx", "results.xlsx"),
        *("a.xlsx", "b.XLSX"),
    ]


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"run": "other"}', "\x00"])
def test_a_folder_of_another_run_holds_none(folder, record):
    (folder / "report.html").write_text("x")
    assert list_names(folder) == ["report.html"]
    (folder / "run.json").write_text(record)
    assert list_names(folder) == []


def test_a_run_without_a_folder_has_none(folder, tmp_path):
    assert list_names(tmp_path / "gone") == []
    assert list_run_files(RunRecord(RUN, "run", 0.0)) == []


def test_a_folder_of_copies_that_is_a_link_is_not_followed(folder, tmp_path):
    (folder / "rosters").rmdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.xlsx").write_text("x")
    (folder / "rosters").symlink_to(elsewhere)
    assert list_names(folder) == []
