"""What runs recorded of their rows is entered once for as many runs as it holds."""

from __future__ import annotations

import json

import pytest

ENTRIES = "SELECT first_run, until_run, status FROM row_line ORDER BY id"


@pytest.fixture
def run(ledger, run_record):
    """Record rows of a run that begins, unless it has begun."""

    def record(name, *steps, **changes):
        if ledger.get_run(name) is None:
            ledger.begin_run(run_record(name, **changes))
        for rows in steps:
            ledger.record_rows(name, rows)

    return record


def test_equal_runs_are_one_entry(run, seen, ledger, raw):
    for name in ("r1", "r2", "r3"):
        run(name, [seen("a", "unchanged")], [seen("a", "unchanged")])
    assert raw(ENTRIES) == [(1, None, "unchanged")]
    assert [ledger.list_rows(name) for name in ("r1", "r2", "r3")] == [[seen("a", "unchanged")]] * 3


def test_a_run_without_changes_enters_no_row_and_few_bytes(run, seen, raw, ledger, make_store):
    """However many rows it has read."""
    rows = [seen(str(number), "unchanged", line=json.dumps({"name": "王小明" * 20})) for number in range(500)]
    run("r1", rows)
    journals = make_store().places.list_files()
    before = [(file.stat().st_size, raw("SELECT count(*) FROM event")) for file in journals]
    run("r2", rows, [])
    ledger.finish_run("r2", exit=0, finished=2.0, record="{}")
    events = raw("SELECT op, length(args) FROM event ORDER BY entered DESC LIMIT 3")
    assert [op for op, _ in reversed(events)] == ["run", "rows", "run_end"]
    after = [(file.stat().st_size, raw("SELECT count(*) FROM event")) for file in journals]
    assert [new[1][0][0] - old[1][0][0] for old, new in zip(before, after, strict=True)] == [3, 3]
    assert all(new[0] - old[0] < 1_200 for old, new in zip(before, after, strict=True))


def test_a_change_of_anything_is_a_new_entry(run, seen, raw, ledger):
    changes = {
        "status": "failed",
        "codes": ("X",),
        "key": "other",
        "file": "乙",
        "sheet": None,
        "row": 4,
        "line": "{}",
    }
    run("r1", [seen(name, "unchanged") for name in changes])
    changed = [
        seen(name, "unchanged", **{name: value}) for name, value in changes.items() if name != "status"
    ]
    changed.append(seen("status", "failed", line=seen("", "unchanged").line))
    run("r2", changed)
    assert raw("SELECT first_run, until_run, count(*) FROM row_line GROUP BY 1, 2") == [
        (1, 2, len(changes)),
        (2, None, len(changes)),
    ]
    assert {row.row_id: row for row in ledger.list_rows("r2")} == {row.row_id: row for row in changed}


def test_a_row_changed_at_the_end_of_a_run_stays_with_the_run_before(run, seen, raw):
    run("r1", [seen("a", "failed")])
    run("r2", [seen("a", "failed")], [seen("a", "sealed")])
    assert raw(ENTRIES) == [(1, 2, "failed"), (2, None, "sealed")]


def test_neither_a_retry_nor_a_run_killed_before_its_plan_tears_the_runs_apart(run, seen, raw, ledger):
    run("r1", [seen("a", "unchanged"), seen("b", "failed")])
    run("r2", [seen("b", "failed")], command="retry")
    run("r3", [seen("c", "sealed")], rosters=("/in/other.xlsx",))
    run("r4")  # killed
    run("r5", [seen("a", "unchanged"), seen("b", "failed")])
    reported = {
        name: [row.row_id for row in ledger.list_rows(name)] for name in ("r1", "r2", "r3", "r4", "r5")
    }
    assert reported == {"r1": ["a", "b"], "r2": ["b"], "r3": ["c"], "r4": [], "r5": ["a", "b"]}
    assert raw("SELECT count(*) FROM row_line") == [(4,)]
