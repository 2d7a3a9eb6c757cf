"""Rosters whose columns were sorted apart or shifted, and picture columns that name another doctor's file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from attack.stage import HEADERS, LONG, Stage, person
from people import number

GROUP = "rosters"
DOCTORS = 5
NAMED = (*HEADERS, "印章图片")
Files = Callable[[int], str]


def by_name(serial: int) -> str:
    return f"{person(serial).name}.png"


def by_number(serial: int) -> str:
    return f"{person(serial).number}.png"


def by_staff_number(serial: int) -> str:
    return f"{person(serial).staff_no}.png"


def by_name_and_staff_number(serial: int) -> str:
    return f"{person(serial).staff_no}{person(serial).name}.png"


def by_name_in_a_folder(serial: int) -> str:
    return f"内科/{person(serial).name}.png"


FILES = (by_name, by_number, by_staff_number, by_name_and_staff_number, by_name_in_a_folder)
ORDERS = {
    "swapped": [2, 1, 3, 4, 5],
    "shifted": [5, 1, 2, 3, 4],
    "reversed": [5, 4, 3, 2, 1],
}
COLUMN = [(files, order) for files in FILES for order in ORDERS]
COLUMN_SHORT = [(by_name, "swapped")]


def name_files(stage: Stage, files: Files, order: list[int]) -> list[tuple[str, ...]]:
    """Draw every doctor's file, and return rows that name those of the given order."""
    for serial in range(1, DOCTORS + 1):
        stage.know(serial)
        stage.draw(serial, files(serial))
    return [(*person(serial).cells, files(whose)) for serial, whose in enumerate(order, start=1)]


@pytest.mark.parametrize(
    ("files", "order"), COLUMN if LONG else COLUMN_SHORT, ids=lambda case: getattr(case, "__name__", case)
)
def test_a_picture_column_that_was_sorted_apart(stage, files, order):
    stage.roster(name_files(stage, files, ORDERS[order]), headers=NAMED)
    stage.go("run")
    stage.assert_clean()


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("files", FILES, ids=lambda case: case.__name__)
def test_a_picture_column_that_is_right(stage, files):
    stage.roster(name_files(stage, files, [1, 2, 3, 4, 5]), headers=NAMED)
    assert stage.go("run").code == 0
    stage.assert_clean()
    assert len(stage.service.seals) == DOCTORS


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("files", FILES[:3], ids=lambda case: case.__name__)
def test_a_picture_column_that_names_the_file_of_a_doctor_with_a_live_seal(stage, files):
    """The file's owner was sealed in an earlier run and is not in the roster of this run."""
    stage.know(1)
    stage.draw(1, files(1))
    stage.roster([person(1).cells])
    assert stage.go("run").code == 0
    stage.draw(1, files(1), drawing=5)  # a new scan: no picture of a seal that was made
    stage.know(2)
    stage.roster([(*person(2).cells, files(1))], headers=NAMED)
    stage.go("run")
    stage.assert_clean()


def shift_numbers(rows):
    """Insert a cell above the numbers: each row has the number of the row above, the first a new doctor's."""
    numbers = [number(DOCTORS + 1), *(row.number for row in rows)]
    return [replace(row, number=row_value) for row, row_value in zip(rows, numbers, strict=False)]


def swap_numbers(rows):
    one, other, *rest = rows
    return [replace(one, number=other.number), replace(other, number=one.number), *rest]


def swap_names(rows):
    one, other, *rest = rows
    return [replace(one, name=other.name), replace(other, name=one.name), *rest]


def reverse_names(rows):
    return [replace(row, name=other.name) for row, other in zip(rows, reversed(rows), strict=True)]


def swap_names_and_numbers(rows):
    one, other, *rest = rows
    return [
        replace(one, name=other.name, number=other.number),
        replace(other, name=one.name, number=one.number),
        *rest,
    ]


def swap_staff_numbers(rows):
    one, other, *rest = rows
    return [replace(one, staff_no=other.staff_no), replace(other, staff_no=one.staff_no), *rest]


SORTED = (shift_numbers, swap_numbers, swap_names, reverse_names, swap_names_and_numbers, swap_staff_numbers)


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("edit", SORTED, ids=lambda case: case.__name__)
def test_columns_sorted_apart_after_the_doctors_were_sealed(stage, edit):
    """Every doctor has a seal, so nothing may be made; the picture of a live seal is nobody else's."""
    stage.hire(*range(1, DOCTORS + 1))
    stage.know(DOCTORS + 1)
    assert stage.go("run").code == 0
    rows = edit([person(serial) for serial in range(1, DOCTORS + 1)])
    stage.roster([row.cells for row in rows])
    stage.go("run")
    stage.assert_clean()


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("edit", [swap_staff_numbers], ids=lambda case: case.__name__)
def test_staff_numbers_sorted_apart_next_to_pictures_by_name(stage, edit):
    for serial in range(1, DOCTORS + 1):
        stage.know(serial)
        stage.draw(serial, by_name(serial))
    stage.roster([row.cells for row in edit([person(serial) for serial in range(1, DOCTORS + 1)])])
    stage.go("run")
    stage.assert_clean()
