"""Outcomes as a table, and what the Summary counts from it."""

from collections import Counter
from dataclasses import replace

import openpyxl
import pytest

from pipeline.domain.run import Status
from pipeline.reports.dataframe import COLUMNS, COUNTED, by_department, by_reason, to_frame
from pipeline.reports.reasons import counted


@pytest.fixture
def outcomes(hospital):
    return hospital.night().outcomes


def test_the_table_has_a_row_for_every_outcome_in_their_order(outcomes):
    frame = to_frame(outcomes)
    assert tuple(frame.columns) == COLUMNS
    assert frame["row"].tolist() == [outcome.doctor.row.origin.row for outcome in outcomes]
    assert frame["status"].tolist() == [outcome.status for outcome in outcomes]
    assert frame["attempts"].sum() == sum(outcome.attempts for outcome in outcomes)
    assert list(to_frame(outcomes, ("row", "status")).columns) == ["row", "status"]


def test_no_whole_number_stands_in_it(outcomes):
    first = outcomes[0]
    noted = replace(first.doctor, department=f"内科 {first.doctor.number} {first.doctor.mobile}")
    told = to_frame([replace(first, row_plan=replace(first.row_plan, doctor=noted)), *outcomes[1:]]).to_csv()
    for outcome in outcomes:
        assert (outcome.doctor.number or "?" * 18) not in told
        assert (outcome.doctor.mobile or "?" * 11) not in told
    assert first.doctor.number[-4:] in told


def test_reasons_are_counted_as_they_are_row_by_row(outcomes):
    expected = Counter(code for outcome in outcomes for code in counted(outcome)).most_common()
    assert by_reason(to_frame(outcomes, COUNTED)) == expected
    assert len(expected) > 3


def test_departments_are_counted_by_status_the_largest_first(outcomes):
    pivot = by_department(to_frame(outcomes, COUNTED))
    expected = Counter((outcome.doctor.department, outcome.status) for outcome in outcomes)
    cells = {
        (department, status): rows
        for department, counts in zip(pivot.departments, pivot.counts, strict=True)
        for status, rows in zip(pivot.statuses, counts, strict=True)
        if rows
    }
    assert cells == expected
    sums = [sum(counts) for counts in pivot.counts]
    assert sums == sorted(sums, reverse=True)
    assert pivot.statuses == tuple(
        status for status in Status if status in {each.status for each in outcomes}
    )


def test_nothing_is_counted_where_nothing_is():
    frame = to_frame([], COUNTED)
    assert (by_reason(frame), by_department(frame).counts) == ([], ())


def test_the_summary_shows_what_the_table_says(write, outcomes):
    sheet = openpyxl.load_workbook(write())["汇总"]
    shown = {
        str(cell.value): [each.value for each in row]
        for row in sheet.iter_rows()
        for cell in row
        if cell.value
    }
    pivot = by_department(to_frame(outcomes))
    for department, counts in zip(pivot.departments, pivot.counts, strict=True):
        if department:
            assert sum(counts) in shown[department]
    for code, rows in by_reason(to_frame(outcomes))[:5]:
        assert rows in shown[code]
