"""A result that does not add up is a bug and is never written."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import openpyxl
import pytest
from reports.conftest import write_all

from pipeline.domain.run import Status, get_shown_status
from pipeline.errors import EsignImportError
from pipeline.reports.row_values import list_blocking_codes
from pipeline.reports.totals import SumsError, count_departments, count_reasons, verify_totals


def test_statuses_are_counted_with_zeros(hospital):
    counts = verify_totals(hospital.build_run_report())

    assert counts[Status.NOT_SENT] == 1
    assert sum(counts.values()) == 55
    assert Status.READY not in counts


def test_a_row_that_stands_twice_is_refused(hospital):
    twice = hospital.build_run_report(outcomes=(*hospital.outcomes[:-1], hospital.outcomes[0]))

    with pytest.raises(SumsError, match="row 3 of sheet '医师' appears twice") as caught:
        verify_totals(twice)

    assert isinstance(caught.value, EsignImportError)
    assert caught.value.exit_code == 1
    assert "对不上" in caught.value.render("zh")


def test_a_row_that_was_read_and_is_missing_is_refused(hospital):
    short = replace(hospital.build_run_report(), outcomes=tuple(hospital.outcomes[1:]))

    with pytest.raises(SumsError, match="55 rows read, 54 in the results"):
        verify_totals(short)
    assert sum(verify_totals(replace(short, command="retry")).values()) == 54


def test_a_row_of_no_file_is_refused_even_in_a_retry(hospital):
    run_report = replace(hospital.build_run_report(), files=(), command="retry")

    with pytest.raises(SumsError, match="0 rows read, 55 in the results"):
        verify_totals(run_report)


def test_success_without_a_seal_id_is_refused(make, scene):
    scene.outcomes = [make.outcome(make.doctor(1), Status.SEALED, seal_id="")]

    with pytest.raises(SumsError, match="row 4 of sheet '医师' has status sealed without a SealId"):
        verify_totals(scene.build_run_report())


def test_ready_is_a_status_of_check_alone(make, scene):
    scene.outcomes = [make.outcome(make.doctor(1), Status.READY)]

    with pytest.raises(SumsError, match="is still ready after run"):
        verify_totals(scene.build_run_report())
    assert verify_totals(scene.build_run_report(command="check"))[Status.READY] == 1


def test_nothing_is_written_when_the_sums_fail(make, scene):
    scene.outcomes = [make.outcome(make.doctor(1), Status.SEALED, seal_id=None)]
    run_report = scene.build_run_report()

    with pytest.raises(SumsError):
        write_all(run_report, presenter=make.presenter(run_report, "zh"), latest=None)

    assert not run_report.out.exists()


def test_each_row_is_counted_for_one_reason_the_commonest_first(hospital):
    expected: Counter[str] = Counter()
    for outcome in hospital.outcomes:
        if codes := list_blocking_codes(outcome):
            of_cells = [code for code in codes if not code.startswith("IMAGE_")]
            expected[(of_cells or codes)[0]] += 1

    counts = count_reasons(hospital.outcomes)

    assert dict(counts) == expected
    assert len(expected) > 3
    assert [rows for _, rows in counts] == sorted(expected.values(), reverse=True)


def test_departments_are_counted_by_status_the_largest_first(hospital, make):
    presenter = make.presenter(hospital.build_run_report())
    expected = Counter(
        (outcome.doctor.department, get_shown_status(outcome)) for outcome in hospital.outcomes
    )

    departments = count_departments(hospital.outcomes, presenter)

    assert {(name, status): n for name, counts in departments for status, n in counts.items()} == expected
    order = [(-counts.total(), name) for name, counts in departments]
    assert order == sorted(order)


def test_the_summary_shows_these_counts(write, hospital, make):
    sheet = openpyxl.load_workbook(write())["汇总"]
    shown = {str(cell.value): [cell.value for cell in row] for row in sheet.iter_rows() for cell in row}

    for department, counts in count_departments(
        hospital.outcomes, make.presenter(hospital.build_run_report())
    ):
        assert counts.total() in shown[department]
    for code, rows in count_reasons(hospital.outcomes)[:5]:
        assert rows in shown[code]
