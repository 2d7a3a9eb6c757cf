"""What is pasted, sorted and shifted in the sheet To fix never gives a doctor another one's picture."""

from __future__ import annotations

import openpyxl
import pytest
from attack.marks import draw_mark
from attack.sheets import Edit, Lines, swapped, turned
from attack.stage import LONG, Stage, person
from openpyxl.drawing.image import Image as Drawing

GROUP = "To fix"
DOCTORS = 8
NEW, NEXT = 30, 31  # doctors who stand in no roster
# doctor 1 is well; the others are lines 0 to 6 of the sheet, by staff number
UNREADABLE = (2, 3, 4, 5)  # a digit of the number is missing
OTHERS = (6, 7, 8)  # the mobile is wrong


def line_of(lines: Lines, serial: int) -> int:
    return lines.line_of("staff_no", person(serial).staff_no)


def correct(lines: Lines, *serials: int) -> None:
    """Type what is right into the lines of these doctors, or of all."""
    for serial in serials or (*UNREADABLE, *OTHERS):
        right = person(serial)
        lines.put(line_of(lines, serial), number=right.number, mobile=right.mobile)


def paste_people(lines: Lines, order: dict[int, int], *fields: str) -> None:
    """Type into the line of each doctor what is right for another: serial -> whose."""
    places = {serial: line_of(lines, serial) for serial in order}
    for serial, whose in order.items():
        right = person(whose)
        values = {field: getattr(right, field) for field in fields}
        lines.put(places[serial], **values)


def swap_people(lines, *fields, one=2, other=3):
    correct(lines)
    paste_people(lines, {one: other, other: one}, *fields)


def swap_names_and_numbers(lines):
    swap_people(lines, "name", "number")


def turn_names_and_numbers(lines):
    correct(lines)
    paste_people(lines, {2: 3, 3: 4, 4: 5, 5: 2}, "name", "number")


def swap_names_and_numbers_of_readable_rows(lines):
    swap_people(lines, "name", "number", one=6, other=7)


def reuse_a_row_for_a_new_doctor(lines):
    correct(lines)
    paste_people(lines, {2: NEW}, "name", "number")


def reuse_a_whole_row_for_a_new_doctor(lines):
    correct(lines)
    paste_people(lines, {2: NEW, 6: NEXT}, "name", "number", "mobile", "staff_no", "department")


def reuse_a_row_for_a_doctor_of_the_roster(lines):
    correct(lines, 3, 4, 5, 7, 8)
    paste_people(lines, {2: 6}, "name", "number")


def reuse_a_row_for_a_sealed_doctor(lines):
    correct(lines, 3, 4, 5, 6, 7, 8)
    paste_people(lines, {2: 1}, "name", "number")


def swap_numbers_of_readable_rows(lines):
    swap_people(lines, "number", one=6, other=7)


def swap_names(lines):
    swap_people(lines, "name")


def swap_everything_but_the_picture(lines):
    swap_people(lines, "name", "number", "mobile", "staff_no", "department")


def turn_everything_but_the_picture(lines):
    correct(lines)
    paste_people(lines, {6: 7, 7: 8, 8: 6}, "name", "number", "mobile", "staff_no", "department")


def swap_staff_numbers_and_mobiles(lines):
    swap_people(lines, "staff_no", "mobile")


def sort_without_the_hidden_columns(lines):
    correct(lines)
    lines.move_visible(turned(len(lines)))


def swap_the_hidden_columns(lines):
    correct(lines)
    lines.move(("row_id", "check"), swapped(len(lines), line_of(lines, 2), line_of(lines, 3)))


def turn_the_pictures(lines):
    correct(lines)
    lines.move(("picture",), turned(len(lines)))


def fill_a_picture_down(lines):
    correct(lines)
    first = lines.get(0, "picture")
    for line in range(len(lines)):
        lines.put(line, picture=first)


def delete_a_picture_cell_and_shift_up(lines):
    correct(lines)
    lines.move(("picture",), [*range(1, len(lines)), 0])
    lines.put(len(lines) - 1, picture=None)


def insert_cells_before_names_and_numbers(lines):
    correct(lines)
    lines.move(("name", "number"), turned(len(lines)))
    lines.put(0, name=None, number=None)


def copy_a_line_and_change_its_person(lines):
    correct(lines)
    lines.append_copy(line_of(lines, 2))
    lines.put(len(lines) - 1, name=person(NEW).name, number=person(NEW).number)


def swap_without_hidden_columns(lines):
    swap_people(lines, "name", "number")
    lines.delete_columns("row_id", "check")


def exchange_two_titles(lines):
    correct(lines)
    one, other = lines.column("staff_no"), lines.column("mobile")
    lines.sheet.cell(1, one).value, lines.sheet.cell(1, other).value = "手机号", "工号"


EDITS: tuple[Edit, ...] = (
    swap_names_and_numbers,
    turn_names_and_numbers,
    swap_names_and_numbers_of_readable_rows,
    reuse_a_row_for_a_new_doctor,
    reuse_a_whole_row_for_a_new_doctor,
    reuse_a_row_for_a_doctor_of_the_roster,
    reuse_a_row_for_a_sealed_doctor,
    swap_numbers_of_readable_rows,
    swap_names,
    swap_everything_but_the_picture,
    turn_everything_but_the_picture,
    swap_staff_numbers_and_mobiles,
    sort_without_the_hidden_columns,
    swap_the_hidden_columns,
    turn_the_pictures,
    fill_a_picture_down,
    delete_a_picture_cell_and_shift_up,
    insert_cells_before_names_and_numbers,
    copy_a_line_and_change_its_person,
    swap_without_hidden_columns,
    exchange_two_titles,
)
PICTURES = ("file", "named", "cell")  # found by staff number · named in a column · lying in a cell
CASES = [(edit, pictures, way) for edit in EDITS for pictures in PICTURES for way in ("retry", "inbox")]
SHORT = [(swap_names_and_numbers, "file", "retry")]


def rows() -> list[tuple[str, ...]]:
    """Return the roster: doctor 1 as he is, the others with one fault each."""
    findings = [person(1).cells]
    for serial in (*UNREADABLE, *OTHERS):
        right = person(serial)
        unreadable = serial in UNREADABLE
        number = right.number[:-1] if unreadable else right.number
        mobile = right.mobile if unreadable else right.mobile[:6]
        findings.append((right.name, number, mobile, right.staff_no, right.department))
    return findings


def open_ward(stage: Stage, pictures: str) -> None:
    """Write the roster and its pictures, and run once: one doctor is sealed, seven are to be corrected."""
    stage.know(NEW)
    stage.know(NEXT)
    for serial in range(1, DOCTORS + 1):
        stage.know(serial)
        if pictures == "file":
            stage.draw(serial)
        elif pictures == "named":
            stage.draw(serial, f"扫描/IMG_{serial * 7:04d}.png")
    headers = ("姓名", "证件号码", "手机号", "工号", "科室")
    if pictures == "named":
        named = [(*row, f"扫描/IMG_{serial * 7:04d}.png") for serial, row in enumerate(rows(), 1)]
        stage.roster(named, headers=(*headers, "印章图片"))
    else:
        path = stage.roster(rows())
        if pictures == "cell":
            put_in_cells(stage, path)
    assert stage.go("run").code == 3
    assert [row["status"] for row in stage.outcomes()] == ["sealed", *["rejected"] * (DOCTORS - 1)]


def put_in_cells(stage: Stage, path) -> None:
    book = openpyxl.load_workbook(path)
    for serial in range(1, DOCTORS + 1):
        file = stage.folder / f"drawn{serial}.png"
        draw_mark(serial).save(file)
        drawing = Drawing(str(file))
        drawing.width, drawing.height = 36, 16
        book.active.add_image(drawing, f"G{serial + 1}")
    book.save(path)


def send_back(stage: Stage, path, way: str) -> None:
    """Give the edited workbook back by ``retry`` or through the roster folder."""
    if way == "retry":
        stage.go("retry", str(path))
    else:
        path.rename(stage.folder / "inbox" / path.name)
        stage.go("run")


@pytest.mark.parametrize(
    ("edit", "pictures", "way"),
    CASES if LONG else SHORT,
    ids=lambda case: case if isinstance(case, str) else case.__name__,
)
def test_no_doctor_gets_another_doctors_picture(stage, edit, pictures, way):
    open_ward(stage, pictures)
    lines = Lines(stage.results())
    edit(lines)
    send_back(stage, lines.save(stage.folder / "edited" / "改好.xlsx"), way)
    stage.assert_clean()


def correct_all(lines):
    correct(lines)


def move_whole_lines(lines):
    correct(lines)
    order = turned(len(lines))
    lines.move_visible(order)
    lines.move(("row_id", "check"), order)


RIGHT = [(correct_all, pictures, way) for pictures in PICTURES for way in ("retry", "inbox")]
RIGHT += [(move_whole_lines, "file", "retry"), (move_whole_lines, "cell", "inbox")]


@pytest.mark.parametrize(
    ("edit", "pictures", "way"),
    RIGHT if LONG else RIGHT[:1],
    ids=lambda case: case if isinstance(case, str) else case.__name__,
)
def test_what_was_corrected_rightly_is_sealed(stage, edit, pictures, way):
    """An attack that is held is worth little where honest work is held as well."""
    open_ward(stage, pictures)
    lines = Lines(stage.results())
    edit(lines)
    send_back(stage, lines.save(stage.folder / "edited" / "改好.xlsx"), way)
    stage.assert_clean()
    assert set(stage.seals_of()) == set(range(1, DOCTORS + 1))


@pytest.mark.skipif(not LONG, reason="make attack")
def test_numbers_swapped_where_both_were_missing_cannot_be_known(stage):
    """Name, staff number, mobile and picture agree; only the service could know whose number it is."""
    missing = [(row[0], None, *row[2:]) if index in {1, 2} else row for index, row in enumerate(rows())]
    for serial in range(1, DOCTORS + 1):
        stage.know(serial)
        stage.draw(serial)
    stage.roster(missing)
    stage.go("run")
    lines = Lines(stage.results())
    swap_people(lines, "number")
    send_back(stage, lines.save(stage.folder / "edited" / "改好.xlsx"), "retry")
    stage.is_beyond_knowledge = True
    stage.assert_clean()
