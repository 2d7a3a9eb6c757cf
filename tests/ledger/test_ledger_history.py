"""What a run said of its rows comes back as it was said, however few words were written."""

from __future__ import annotations

ENTRIES = (
    "SELECT first_run, last_run, status FROM row_seen JOIN row_line ON id = row_seen.line ORDER BY first_run"
)


def test_the_end_of_a_run_replaces_the_rows_of_its_plan(ledger, seen, raw):
    ledger.record_rows("r1", [seen("a", "ready"), seen("b", "unchanged")])
    ledger.record_rows("r1", [seen("a", "sealed")])
    assert [(row.row_id, row.status) for row in ledger.list_rows("r1")] == [
        ("a", "sealed"),
        ("b", "unchanged"),
    ]
    assert raw("SELECT count(*) FROM row_line") == [(2,)]


def test_equal_runs_are_one_entry(ledger, run_record, seen, raw):
    for run_report in ("r1", "r2", "r3"):
        ledger.begin_run(run_record(run_report)) if run_report != "r1" else None
        ledger.record_rows(run_report, [seen("a", "unchanged")])
        ledger.record_rows(run_report, [seen("a", "unchanged")])
    assert raw(ENTRIES) == [(1, 3, "unchanged")]
    assert [ledger.list_rows(finished_run) for finished_run in ("r1", "r2", "r3")] == [
        [seen("a", "unchanged")]
    ] * 3


def test_a_change_of_anything_is_a_new_entry(ledger, run_record, seen, raw):
    words = {
        "status": "failed",
        "codes": ("X",),
        "key": "other",
        "file": "乙",
        "sheet": None,
        "row": 4,
        "line": "{}",
    }
    ledger.record_rows("r1", [seen(name, "unchanged") for name in words])
    ledger.begin_run(run_record("r2"))
    changed = [seen(name, "unchanged", **{name: value}) for name, value in words.items() if name != "status"]
    changed.append(seen("status", "failed", line=seen("", "unchanged").line))
    ledger.record_rows("r2", changed)
    assert raw("SELECT count(*) FROM row_seen WHERE first_run = last_run") == [(2 * len(words),)]
    assert {row.row_id: row for row in ledger.list_rows("r2")} == {row.row_id: row for row in changed}


def test_a_row_changed_at_the_end_of_a_run_stays_with_the_run_before(ledger, run_record, seen, raw):
    ledger.record_rows("r1", [seen("a", "failed")])
    ledger.begin_run(run_record("r2"))
    ledger.record_rows("r2", [seen("a", "failed")])
    ledger.record_rows("r2", [seen("a", "sealed")])
    assert raw(ENTRIES) == [(1, 1, "failed"), (2, 2, "sealed")]


def test_neither_a_retry_nor_a_run_killed_before_its_plan_tears_the_runs_apart(ledger, run_record, seen, raw):
    ledger.record_rows("r1", [seen("a", "unchanged"), seen("b", "failed")])
    ledger.begin_run(run_record("r2", command="retry"))
    ledger.record_rows("r2", [seen("b", "failed")])
    ledger.begin_run(run_record("r3", rosters=("/in/other.xlsx",)))
    ledger.record_rows("r3", [seen("c", "sealed")])
    ledger.begin_run(run_record("r4"))  # killed
    ledger.begin_run(run_record("r5"))
    ledger.record_rows("r5", [seen("a", "unchanged"), seen("b", "failed")])
    reported = {run: [row.row_id for row in ledger.list_rows(run)] for run in ("r1", "r2", "r3", "r4", "r5")}
    assert reported == {"r1": ["a", "b"], "r2": ["b"], "r3": ["c"], "r4": [], "r5": ["a", "b"]}
    assert raw("SELECT count(*) FROM row_line") == [(4,)]
