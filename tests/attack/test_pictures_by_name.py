"""Folders and names: a picture reaches a doctor on exact evidence of his own, and on nobody else's."""

from __future__ import annotations

from dataclasses import replace

import openpyxl
import pytest
from attack.marks import draw_mark
from attack.stage import HEADERS, LONG, Person, Stage, person
from openpyxl.drawing.image import Image as Drawing

GROUP = "folders and names"
ELSE = 50  # the serial of a namesake who stands in no roster of tonight


def named(serial: int, called: str, department: str = "内科") -> Person:
    return replace(person(serial), name=called, department=department)


def play(stage: Stage, people: list[Person], pictures: dict[str, int]) -> set[int]:
    """Run over these people and these files (path -> whose mark); return who has a seal."""
    stage.know(ELSE)
    for member in people:
        stage.know(member.serial)
    for path, serial in pictures.items():
        stage.draw(serial, path)
    stage.roster([member.cells for member in people])
    stage.go("run")
    return set(stage.seals_of())


NAMESAKES = {
    "a department that is not in the roster": ([named(1, "张伟")], {"外科/张伟.png": ELSE}, set()),
    "a department spelt otherwise": ([named(1, "张伟", "普外科")], {"外科/张伟.png": ELSE}, set()),
    "a department of another row": (
        [named(1, "张伟"), named(2, "李娜", "外科")],
        {"外科/张伟.png": ELSE, "外科/李娜.png": 2},
        {2},
    ),
    "a department below a year": ([named(1, "张伟")], {"2026年/外科/张伟.png": ELSE}, set()),
    "a department above a folder of pictures": ([named(1, "张伟")], {"外科/印章/张伟.png": ELSE}, set()),
    "two departments, one of them missing": (
        [named(1, "张伟", "骨科")],
        {"外科/张伟.png": ELSE, "内科/张伟.png": ELSE + 1},
        set(),
    ),
    "a name and another person's number": (
        [named(1, "张伟"), named(2, "李娜")],
        {f"张伟{person(2).number}.png": 2},
        set(),
    ),
    "one file, two namesakes": ([named(1, "张伟"), named(2, "张伟")], {"张伟.png": 1}, set()),
    "南宫明 and 宫明 of 南": (
        [named(1, "南宫明"), named(2, "宫明", "南")],
        {"南宫明.png": 1},
        {1},
    ),
    "南宫明 and 宫明 of 南, each with a file": (
        [named(1, "南宫明"), named(2, "宫明", "南")],
        {"南宫明.png": 1, "宫明.png": 2},
        {1, 2},
    ),
    "欧阳文 and 阳文 of 欧": ([named(1, "阳文", "欧"), named(2, "欧阳文", "内科")], {"欧阳文.png": 2}, {2}),
    "his own department": ([named(1, "张伟")], {"内科/张伟.png": 1}, {1}),
    "namesakes in folders of their own": (
        [named(1, "张伟"), named(2, "张伟", "外科")],
        {"内科/张伟.png": 1, "外科/张伟.png": 2},
        {1, 2},
    ),
    "no department at all": ([named(1, "张伟")], {"张伟.png": 1}, {1}),
}
SHORT = ["a department that is not in the roster", "南宫明 and 宫明 of 南"]


@pytest.mark.parametrize("case", NAMESAKES if LONG else SHORT)
def test_a_file_named_by_the_name_alone(stage, case):
    stage.know(ELSE + 1)
    people, pictures, right = NAMESAKES[case]
    sealed = play(stage, people, pictures)
    stage.assert_clean()
    assert sealed == right


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("file", ["张伟.png", "内科/张伟.png"] if LONG else ())
def test_a_namesake_never_gets_the_picture_of_a_doctor_who_was_sealed(stage, file):
    assert play(stage, [named(1, "张伟")], {file: 1}) == {1}
    stage.draw(1, file, drawing=6)  # scanned anew, so that no picture of a live seal is known in it
    play(stage, [named(2, "张伟")], {})
    stage.assert_clean()


def lay(sheet, folder, serial: int, cell: str, *, height: int = 16) -> None:
    path = folder / f"drawn{serial}{cell}.png"
    draw_mark(serial).save(path)
    drawing = Drawing(str(path))
    drawing.width, drawing.height = 36, height
    sheet.add_image(drawing, cell)


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("other", [ELSE, 2] if LONG else ())
def test_two_pictures_over_one_row_are_no_evidence(stage, other):
    """One lies in the row's picture column, another floats over the same row."""
    for serial in (1, 2, ELSE):
        stage.know(serial)
    path = stage.roster(
        [(*person(serial).cells, None, None) for serial in (1, 2)], headers=(*HEADERS, "印章图片", "备注")
    )
    book = openpyxl.load_workbook(path)
    lay(book.active, stage.folder, 1, "F2")
    lay(book.active, stage.folder, other, "H2")
    book.save(path)
    stage.go("run")
    stage.assert_clean()
    assert 1 not in stage.seals_of()


@pytest.mark.skipif(not LONG, reason="make attack")
def test_a_picture_in_the_cell_and_another_file_are_no_evidence(stage):
    for serial in (1, 2):
        stage.know(serial)
    stage.draw(2, "00001.png")
    path = stage.roster([(*person(1).cells, None)], headers=(*HEADERS, "印章图片"))
    book = openpyxl.load_workbook(path)
    lay(book.active, stage.folder, 1, "F2")
    book.save(path)
    stage.go("run")
    stage.assert_clean()
    assert stage.seals_of() == {}
