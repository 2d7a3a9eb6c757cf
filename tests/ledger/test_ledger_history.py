"""What a run said of its rows comes back as it was said, however few words were written."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ledger.open import open_ledger
from pipeline.ledger.protocol import RunRecord, SeenRow

ENTRIES = (
    "SELECT first_run, last_run, status FROM row_seen JOIN row_line ON id = row_seen.line ORDER BY first_run"
)


def test_a_run_comes_back_as_it_was_begun_and_ended(ledger, run_record):
    assert ledger.run("r1") == run_record("r1")
    ledger.finish_run("r1", exit=3, finished=5.0, record='{"run":"r1"}')
    assert ledger.run("r1") == run_record("r1", exit=3, finished=5.0, record='{"run":"r1"}')
    assert ledger.run("r2") is None


def test_runs_are_told_newest_first_in_the_order_they_began(ledger, run_record):
    ledger.finish_run("r1", exit=0, finished=5.0, record="{}")
    ledger.begin_run(run_record("r0", started=1.0))  # the clock was set back
    assert [record.run for record in ledger.runs(10)] == ["r0", "r1"]
    assert [record.run for record in ledger.runs(1)] == ["r0"]
    assert ledger.last_run().run == "r0"
    assert ledger.last_run(complete=True).run == "r1"


def test_a_new_ledger_has_no_run(opened):
    ledger = opened()
    assert (ledger.last_run(), ledger.last_run(complete=True), ledger.runs(5), ledger.rows_of("r1")) == (
        None,
        None,
        [],
        [],
    )


def test_rows_come_back_by_file_sheet_and_row(ledger, seen):
    rows = [
        seen("a", "sealed", row=12, codes=("NAME_NORMALISED", "IMAGE_CONVERTED")),
        seen("b", "rejected", row=3, key=None, sheet=None),
        seen("c", "failed", row=4, file="乙.csv"),
        seen("d", "failed", row=2),
    ]
    ledger.see_rows("r1", rows)
    assert [row.row_id for row in ledger.rows_of("r1")] == ["c", "b", "d", "a"]
    assert sorted(ledger.rows_of("r1"), key=lambda row: row.row_id) == rows


def test_the_end_of_a_run_replaces_what_its_plan_said(ledger, seen, raw):
    ledger.see_rows("r1", [seen("a", "ready"), seen("b", "unchanged")])
    ledger.see_rows("r1", [seen("a", "sealed")])
    assert [(row.row_id, row.status) for row in ledger.rows_of("r1")] == [("a", "sealed"), ("b", "unchanged")]
    assert raw("SELECT count(*) FROM row_line") == [(2,)]


def test_equal_nights_are_one_entry(ledger, run_record, seen, raw):
    for night in ("r1", "r2", "r3"):
        ledger.begin_run(run_record(night)) if night != "r1" else None
        ledger.see_rows(night, [seen("a", "unchanged")])
        ledger.see_rows(night, [seen("a", "unchanged")])
    assert raw(ENTRIES) == [(1, 3, "unchanged")]
    assert [ledger.rows_of(night) for night in ("r1", "r2", "r3")] == [[seen("a", "unchanged")]] * 3


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
    ledger.see_rows("r1", [seen(name, "unchanged") for name in words])
    ledger.begin_run(run_record("r2"))
    changed = [seen(name, "unchanged", **{name: value}) for name, value in words.items() if name != "status"]
    changed.append(seen("status", "failed", line=seen("", "unchanged").line))
    ledger.see_rows("r2", changed)
    assert raw("SELECT count(*) FROM row_seen WHERE first_run = last_run") == [(2 * len(words),)]
    assert {row.row_id: row for row in ledger.rows_of("r2")} == {row.row_id: row for row in changed}


def test_what_the_plan_carried_on_and_the_end_took_back_stays_with_the_night_before(
    ledger, run_record, seen, raw
):
    ledger.see_rows("r1", [seen("a", "failed")])
    ledger.begin_run(run_record("r2"))
    ledger.see_rows("r2", [seen("a", "failed")])
    ledger.see_rows("r2", [seen("a", "sealed")])
    assert raw(ENTRIES) == [(1, 1, "failed"), (2, 2, "sealed")]


def test_a_night_that_did_not_see_a_row_is_not_said_to_have(ledger, run_record, seen):
    ledger.see_rows("r1", [seen("a", "unchanged")])
    ledger.begin_run(run_record("r2"))
    ledger.see_rows("r2", [])
    ledger.begin_run(run_record("r3"))
    ledger.see_rows("r3", [seen("a", "unchanged")])
    assert [len(ledger.rows_of(night)) for night in ("r1", "r2", "r3")] == [1, 0, 1]


def test_neither_a_retry_nor_a_night_killed_before_its_plan_tears_the_nights_apart(
    ledger, run_record, seen, raw
):
    ledger.see_rows("r1", [seen("a", "unchanged"), seen("b", "failed")])
    ledger.begin_run(run_record("r2", command="retry"))
    ledger.see_rows("r2", [seen("b", "failed")])
    ledger.begin_run(run_record("r3", rosters=("/in/other.xlsx",)))
    ledger.see_rows("r3", [seen("c", "sealed")])
    ledger.begin_run(run_record("r4"))  # killed
    ledger.begin_run(run_record("r5"))
    ledger.see_rows("r5", [seen("a", "unchanged"), seen("b", "failed")])
    told = {run: [row.row_id for row in ledger.rows_of(run)] for run in ("r1", "r2", "r3", "r4", "r5")}
    assert told == {"r1": ["a", "b"], "r2": ["b"], "r3": ["c"], "r4": [], "r5": ["a", "b"]}
    assert raw("SELECT count(*) FROM row_line") == [(4,)]


RUNS = st.lists(
    st.tuples(
        st.sampled_from(["run", "retry"]),
        st.lists(
            st.dictionaries(st.sampled_from("abc"), st.sampled_from(["failed", "sealed", "unchanged"])),
            max_size=3,
        ),
    ),
    max_size=8,
)


@settings(max_examples=20, deadline=None)
@given(RUNS)
def test_every_run_keeps_its_last_word_on_every_row(runs):
    with TemporaryDirectory() as folder:
        ledger, _ = open_ledger(Path(folder) / "l", "t", now=1.0)
        said: dict[str, dict[str, str]] = {}
        for number, (command, words) in enumerate(runs):
            run = f"r{number}"
            ledger.begin_run(RunRecord(run, command, 1.0, "h", 1, "u", ("/in",), None, "out", None, "d", "v"))
            said[run] = {}
            for statuses in words:
                said[run] |= statuses
                ledger.see_rows(
                    run,
                    [
                        SeenRow(row_id, None, "f", None, 1, status, (), "{}")
                        for row_id, status in statuses.items()
                    ],
                )
        ledger.close()
        assert {run: {row.row_id: row.status for row in ledger.rows_of(run)} for run in said} == said
