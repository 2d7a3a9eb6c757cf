"""Exit codes and their severity."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.domain.roster import FileReport
from pipeline.domain.run import Halt, RowOutcome, RowPlan, Status, compute_exit_code
from pipeline.messages.problems import build_problem


def outcome(status: Status, *problems) -> RowOutcome:
    row_plan = RowPlan(SimpleNamespace(), status, None, None)
    return RowOutcome(row_plan, status, problems=tuple(problems))


REFUSED = FileReport(Path("a.xlsx"), None, "refused")
SEALED, FAILED, UNSENT = outcome(Status.SEALED), outcome(Status.FAILED), outcome(Status.NOT_SENT)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.SEALED, 0),
        (Status.UNCHANGED, 0),
        (Status.READY, 0),
        (Status.CHANGED, 3),
        (Status.REJECTED, 3),
        (Status.FAILED, 3),
        (Status.UNKNOWN, 3),
        (Status.EXISTS, 3),
        (Status.NOT_SENT, 5),
    ],
)
def test_exit_code_of_each_status_alone(status, expected):
    assert compute_exit_code([SEALED, outcome(status)], [], None) == expected


def test_a_run_with_nothing_to_do_ends_with_0():
    assert compute_exit_code([], [], None) == 0


def test_a_refused_roster_is_7():
    assert compute_exit_code([SEALED], [REFUSED], None) == 7


def test_the_most_severe_code_counts():
    """signal > 1 > 4 > 74 > 5 > 7 > 3 > 0."""
    order = [1, 4, 74, 5, 7, 3, 0]
    for severe, mild in itertools.combinations(order, 2):
        parts = {severe, mild}
        halts = [code for code in (1, 4, 74) if code in parts]
        outcomes = [SEALED, *([UNSENT] if 5 in parts else []), *([FAILED] if 3 in parts else [])]
        files = [REFUSED] if 7 in parts else []
        if len(halts) < 2:
            halt = Halt("x", "x", halts[0]) if halts else None
            assert compute_exit_code(outcomes, files, halt) == severe
    assert compute_exit_code([FAILED], [REFUSED], Halt("x", "x", 4), signal=15) == 143


def test_a_redundant_copy_does_not_raise_the_exit_code():
    copy = outcome(Status.REJECTED, build_problem("ROW_DUPLICATE", other="a.xlsx 3"))
    assert compute_exit_code([SEALED, copy], [], None) == 0
    conflict = outcome(Status.REJECTED, build_problem("ROW_DUPLICATE", other="a.xlsx 3", differs="picture"))
    assert compute_exit_code([SEALED, conflict], [], None) == 3


def test_a_row_left_out_on_purpose_does_not_raise_the_exit_code():
    assert compute_exit_code([UNSENT], [], None, left_out={UNSENT.row_plan.index}) == 0
    assert compute_exit_code([UNSENT], [], None, left_out={UNSENT.row_plan.index + 1}) == 5
