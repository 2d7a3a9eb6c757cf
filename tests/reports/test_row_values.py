"""Outcomes as a table for pandas."""

from dataclasses import replace

import pytest

from pipeline.reports.row_values import COLUMNS, to_frame


@pytest.fixture
def outcomes(hospital):
    return hospital.build_run_report().outcomes


def test_the_table_has_a_row_for_every_outcome_in_their_order(outcomes):
    frame = to_frame(outcomes)
    assert tuple(frame.columns) == COLUMNS
    assert frame["row"].tolist() == [outcome.doctor.row.origin.row for outcome in outcomes]
    assert frame["status"].tolist() == [outcome.status for outcome in outcomes]
    assert frame["attempts"].sum() == sum(outcome.attempts for outcome in outcomes)
    assert list(to_frame(outcomes, ("row", "status")).columns) == ["row", "status"]


def test_the_table_holds_no_whole_number(outcomes):
    first = outcomes[0]
    noted = replace(first.doctor, department=f"内科 {first.doctor.number} {first.doctor.mobile}")
    reported_rows = to_frame(
        [replace(first, row_plan=replace(first.row_plan, doctor=noted)), *outcomes[1:]]
    ).to_csv()
    for outcome in outcomes:
        assert (outcome.doctor.number or "?" * 18) not in reported_rows
        assert (outcome.doctor.mobile or "?" * 11) not in reported_rows
    assert first.doctor.number[-4:] in reported_rows
