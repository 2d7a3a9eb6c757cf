"""Exit codes and their severity."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.domain.roster import FileReport
from pipeline.domain.run import Halt, RowOutcome, RowPlan, Status
from pipeline.messages.problems import problem
from pipeline.workflow.exit_codes import exit_code


def outcome(status: Status, *problems) -> RowOutcome:
    planned = RowPlan(SimpleNamespace(), status, None, None)
    return RowOutcome(planned, status, problems=tuple(problems))


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
def test_each_status_alone(status, expected):
    assert exit_code([SEALED, outcome(status)], [], None) == expected


def test_nothing_to_do_is_well():
    assert exit_code([], [], None) == 0


def test_a_refused_roster():
    assert exit_code([SEALED], [REFUSED], None) == 7


def test_the_gravest_counts():
    """signal > 1 > 4 > 74 > 5 > 7 > 3 > 0."""
    order = [1, 4, 74, 5, 7, 3, 0]
    for graver, milder in itertools.combinations(order, 2):
        parts = {graver, milder}
        halts = [code for code in (1, 4, 74) if code in parts]
        outcomes = [SEALED, *([UNSENT] if 5 in parts else []), *([FAILED] if 3 in parts else [])]
        files = [REFUSED] if 7 in parts else []
        if len(halts) < 2:
            halt = Halt("x", "x", halts[0]) if halts else None
            assert exit_code(outcomes, files, halt) == graver
    assert exit_code([FAILED], [REFUSED], Halt("x", "x", 4), signal=15) == 143


def test_the_spare_copy_of_a_doctor_needs_nobody():
    spare = outcome(Status.REJECTED, problem("ROW_DUPLICATE", other="a.xlsx 3"))
    assert exit_code([SEALED, spare], [], None) == 0
    conflict = outcome(Status.REJECTED, problem("ROW_DUPLICATE", other="a.xlsx 3", differs="picture"))
    assert exit_code([SEALED, conflict], [], None) == 3


def test_what_limit_kept_back_is_no_trouble():
    kept = outcome(Status.NOT_SENT)
    assert exit_code([kept], [], None, left=frozenset({id(kept.row_plan)})) == 0
