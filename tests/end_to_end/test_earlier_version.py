"""Ledger, receipts, results workbook and review file that an earlier program wrote are read by this one.

tests/data/earlier_version.zip is a hospital folder written at commit e89b3c0 (schema version 7): a run of eight doctors
(sealed, unknown, exists, rejected, one lost create resolved as made), then a changed roster, a check and a review file.
"""

import json
import re
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from result_sheet import ResultSheet
from run_support import name, number

from pipeline.ledger.open import open_ledger

ARCHIVE = Path(__file__).parents[1] / "data" / "earlier_version.zip"
RUN, CHECK = "20261127-035417-669", "20261127-035418-628"
WRITTEN_IN = "/tmp/pytest-of-root/pytest-284/test_make0"
TENANT = "sandbox/yDsandbox00000000000000000000app/org_sandbox_hospital"
STATUSES = {
    name(1): "unchanged",
    name(2): "unknown",
    name(3): "exists",
    name(4): "unknown",
    name(5): "rejected",
    name(6): "changed",
    name(7): "unchanged",
    name(8): "rejected",
    name(9): "sealed",
}


@pytest.fixture
def earlier(hospital):
    """Unpack the earlier program's folder as this hospital's, whose sandbox made none of its seals."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(hospital.folder)
    hospital.configure()
    columns = ("rosters", "context", "seals", "out")
    moved = ", ".join(f"{column} = replace({column}, :from, :to)" for column in columns)
    with closing(sqlite3.connect(hospital.folder / "state" / "ledger.sqlite3")) as ledger, ledger:
        ledger.execute(f"UPDATE run SET {moved}", {"from": WRITTEN_IN, "to": str(hospital.folder)})
    return hospital


def read_statuses(hospital) -> dict[str, str]:
    return {line["name"]: line["status"] for line in hospital.outcomes()}


def test_its_ledger_says_what_is_sealed_and_what_is_held(earlier):
    assert earlier.go("status") == 0
    assert earlier.go("run", "--yes") == 3
    assert read_statuses(earlier) == STATUSES
    assert earlier.creates() == 1


def test_its_receipts_make_the_ledger_again(earlier):
    ledger = earlier.folder / "state" / "ledger.sqlite3"
    before = read_people(ledger)
    ledger.unlink()
    assert earlier.go("ledger", "rebuild") == 0
    assert read_people(ledger) == before
    assert earlier.go("run", "--yes") == 3
    assert read_statuses(earlier) == STATUSES


def read_people(ledger):
    opened, _ = open_ledger(ledger, TENANT, now=1.0, readonly=True)
    with closing(opened):
        return opened.snapshot().people


def test_its_workbook_is_retried_and_resolved(earlier):
    path = earlier.folder / "out" / RUN / "results.xlsx"
    fix = ResultSheet(path)
    fix.write(fix.find_row("姓名", name(5)), "证件号码", number(5))
    fix.save(path)
    unknown = ResultSheet(path, "sheet.unknown")
    row = unknown.find_row("Name", name(2))
    unknown.write(row, "Conclusion", "created")
    unknown.write(row, "SealId", "yDMadeElsewhere000000000000000001")
    unknown.save(path)
    assert earlier.go("retry", str(path), "--yes") == 3
    assert read_statuses(earlier)[name(5)] == "sealed"
    assert earlier.go("resolve", str(path)) == 0
    assert earlier.go("run", "--yes") == 3
    assert read_statuses(earlier)[name(2)] == "unchanged"


def test_its_review_file_is_obeyed(earlier):
    assert earlier.go("run", "--yes", "--review", str(earlier.folder / "review.json")) == 3
    assert read_statuses(earlier) == {**STATUSES, name(9): "rejected"}
    assert earlier.creates() == 0


def test_its_results_are_written_again(earlier):
    outcomes = earlier.folder / "out" / RUN / "outcomes.jsonl"
    outcomes.unlink()
    assert earlier.go("report", "--run", RUN) == 0
    text = outcomes.read_text("utf-8")
    statuses = {line["name"]: line["status"] for line in map(json.loads, text.splitlines())}
    assert (statuses[name(1)], statuses[name(2)]) == ("sealed", "unknown")


def test_a_new_ledger_has_its_tables(earlier, tmp_path):
    new = tmp_path / "new" / "ledger.sqlite3"
    open_ledger(new, TENANT, now=1.0)[0].close()
    assert read_schema(new) == read_schema(earlier.folder / "state" / "ledger.sqlite3")


def read_schema(path):
    """Return columns, indexes, triggers and constraints, white space aside."""
    with closing(sqlite3.connect(path)) as connection:
        entries = connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
        columns = {
            name: connection.execute(f"PRAGMA table_info({name})").fetchall()
            for kind, name, _ in entries
            if kind == "table"
        }
    others = {(kind, name, re.sub(r"\s+", " ", sql or "")) for kind, name, sql in entries if kind != "table"}
    return columns, {entry for entry in others if not entry[1].startswith("sqlite_")}
