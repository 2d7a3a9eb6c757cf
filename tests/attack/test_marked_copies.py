"""What is pasted, sorted and shifted in a marked copy never gives a doctor another one's picture, nor a second seal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pytest
from attack.stage import HEADERS, LONG, Stage, person
from run_support import newest_results

GROUP = "marked copies"
DOCTORS = range(1, 9)  # doctor n stands on line n of the roster, below the titles
NEW, NEXT = 30, 31  # doctors who stand in no roster
# doctor 1 is well and gets a seal; of the others
UNREADABLE = (2, 3, 4, 5)  # a digit of the number is missing
OTHERS = (6, 7, 8)  # the mobile is wrong
TITLES = ("name", "number", "mobile", "staff_no", "department")
TURNED = [8, 1, 2, 3, 4, 5, 6, 7]  # the cells of these lines go to lines 1 to 8


class MarkedCopy:
    """An opened marked copy; line 0 has the titles, and line n doctor n."""

    def __init__(self, path: Path) -> None:
        self.book = openpyxl.load_workbook(path)
        self.columns = (*TITLES, "picture")

    def get_cell(self, line: int, key: str):
        return self.book.active.cell(line + 1, self.columns.index(key) + 1)

    def put(self, line: int, **values: str | None) -> None:
        for key, value in values.items():
            self.get_cell(line, key).value = value

    def correct(self, *serials: int) -> None:
        """Type what is right into the lines of these doctors, or of all."""
        for serial in serials or (*UNREADABLE, *OTHERS):
            right = person(serial)
            self.put(serial, number=right.number, mobile=right.mobile)

    def paste_people(self, order: dict[int, int], *fields: str) -> None:
        """Correct every line, then type into these lines what is right for another doctor: line -> whose."""
        self.correct()
        for line, serial in order.items():
            self.put(line, **{field: getattr(person(serial), field) for field in fields})

    def move(self, order: Sequence[int], *keys: str, first: int = 1) -> None:
        """Correct every line, then let the lines from ``first`` on have what other lines had in these columns."""
        self.correct()
        for key in keys:
            values = [self.get_cell(line, key).value for line in order]
            for line, value in enumerate(values, first):
                self.put(line, **{key: value})


Edit = Callable[[MarkedCopy], None]


def swap_names_and_numbers(copy):
    copy.paste_people({2: 3, 3: 2}, "name", "number")


def turn_names_and_numbers(copy):
    copy.paste_people({2: 3, 3: 4, 4: 5, 5: 2}, "name", "number")


def swap_names_and_numbers_of_readable_rows(copy):
    copy.paste_people({6: 7, 7: 6}, "name", "number")


def reuse_a_row_for_a_new_doctor(copy):
    copy.paste_people({2: NEW}, "name", "number")


def reuse_whole_rows_for_new_doctors(copy):
    copy.paste_people({2: NEW, 6: NEXT}, *TITLES)


def reuse_a_row_for_a_doctor_of_the_roster(copy):
    copy.paste_people({2: 6}, "name", "number")


def reuse_a_row_for_a_sealed_doctor(copy):
    copy.paste_people({2: 1}, "name", "number")


def swap_numbers(copy):
    copy.paste_people({2: 3, 3: 2}, "number")


def swap_numbers_of_readable_rows(copy):
    copy.paste_people({6: 7, 7: 6}, "number")


def swap_names(copy):
    copy.paste_people({2: 3, 3: 2}, "name")


def swap_everything_but_the_picture(copy):
    copy.paste_people({2: 3, 3: 2}, *TITLES)


def turn_everything_but_the_picture(copy):
    copy.paste_people({6: 7, 7: 8, 8: 6}, *TITLES)


def swap_staff_numbers_and_mobiles(copy):
    copy.paste_people({2: 3, 3: 2}, "staff_no", "mobile")


def sort_numbers_apart(copy):
    copy.move(TURNED, "number")


def sort_numbers_of_rows_to_correct_apart(copy):
    copy.move([8, *range(2, 8)], "number", first=2)


def sort_names_and_numbers_apart(copy):
    copy.move(TURNED, "name", "number")


def sort_staff_numbers_apart(copy):
    copy.move(TURNED, "staff_no")


def sort_staff_numbers_of_rows_to_correct_apart(copy):
    copy.move([8, *range(2, 8)], "staff_no", first=2)


def insert_a_cell_before_the_numbers(copy):
    copy.move(TURNED, "number")
    copy.put(1, number=None)


def insert_cells_before_names_and_numbers(copy):
    copy.move(TURNED, "name", "number")
    copy.put(1, name=None, number=None)


def delete_a_number_and_shift_up(copy):
    copy.move([*range(2, 9), 1], "number")
    copy.put(8, number=None)


def exchange_two_titles(copy):
    copy.correct()
    copy.put(0, staff_no="手机号", mobile="工号")


def copy_a_line_and_change_its_person(copy):
    copy.correct()
    copy.put(9, **{key: copy.get_cell(2, key).value for key in copy.columns})
    copy.put(9, name=person(NEW).name, number=person(NEW).number)


def sort_pictures_apart(copy):
    copy.move(TURNED, "picture")


def fill_a_picture_down(copy):
    copy.correct()
    for line in DOCTORS:
        copy.put(line, picture=copy.get_cell(1, "picture").value)


EDITS: tuple[Edit, ...] = (
    swap_names_and_numbers,
    turn_names_and_numbers,
    swap_names_and_numbers_of_readable_rows,
    reuse_a_row_for_a_new_doctor,
    reuse_whole_rows_for_new_doctors,
    reuse_a_row_for_a_doctor_of_the_roster,
    reuse_a_row_for_a_sealed_doctor,
    swap_numbers,
    swap_numbers_of_readable_rows,
    swap_names,
    swap_everything_but_the_picture,
    turn_everything_but_the_picture,
    swap_staff_numbers_and_mobiles,
    sort_numbers_apart,
    sort_numbers_of_rows_to_correct_apart,
    sort_names_and_numbers_apart,
    sort_staff_numbers_apart,
    sort_staff_numbers_of_rows_to_correct_apart,
    insert_a_cell_before_the_numbers,
    insert_cells_before_names_and_numbers,
    delete_a_number_and_shift_up,
    exchange_two_titles,
    copy_a_line_and_change_its_person,
)
PICTURE_EDITS: tuple[Edit, ...] = (sort_pictures_apart, fill_a_picture_down)
# how a picture is found: by staff number, by name, by its entry in a column
WAYS = (
    ("staff_no", "xlsx", "run"),
    ("staff_no", "xlsx", "retry"),
    ("staff_no", "csv", "run"),
    ("name", "xlsx", "run"),
    ("entry", "csv", "retry"),
)
CASES = [(edit, *way) for edit in EDITS for way in WAYS]
CASES += [
    (edit, "entry", form, way) for edit in PICTURE_EDITS for form, way in [("xlsx", "run"), ("csv", "retry")]
]
SHORT = [(swap_numbers, *WAYS[0]), (sort_names_and_numbers_apart, *WAYS[2])]


def name_picture(serial: int, evidence: str) -> str:
    """Return the name of a doctor's picture, by which it is found."""
    names = {
        "staff_no": f"{person(serial).staff_no}.png",
        "name": f"{person(serial).name}.png",
        "entry": f"扫描/IMG_{serial * 7:04d}.png",
    }
    return names[evidence]


def make_row(serial: int, evidence: str) -> list[str]:
    """Return a doctor's row: doctor 1 is as he is, the others have one fault each."""
    right = person(serial)
    number = right.number[:-1] if serial in UNREADABLE else right.number
    mobile = right.mobile[:6] if serial in OTHERS else right.mobile
    entry = [name_picture(serial, evidence)] if evidence == "entry" else []
    return [right.name, number, mobile, right.staff_no, right.department, *entry]


def open_ward(stage: Stage, evidence: str, form: str) -> MarkedCopy:
    """Write the roster and its pictures, and run once: one doctor is sealed, seven are to be corrected."""
    for serial in (*DOCTORS, NEW, NEXT):
        stage.know(serial)
    for serial in DOCTORS:
        stage.draw(serial, name_picture(serial, evidence))
    rows = [make_row(serial, evidence) for serial in DOCTORS]
    headers = (*HEADERS, "印章图片") if evidence == "entry" else HEADERS
    if form == "xlsx":
        stage.roster(rows, headers=headers)
    else:
        lines = [",".join(line) for line in (headers, *rows)]
        (stage.folder / "inbox" / "roster.csv").write_text("\n".join(lines), "utf-8")
    assert stage.go("run").code == 3
    assert [row["status"] for row in stage.outcomes()] == ["sealed", *["rejected"] * 7]
    return MarkedCopy(newest_results(stage.folder / "out") / "rosters" / "roster.xlsx")


@pytest.mark.parametrize(
    ("edit", "evidence", "form", "command"),
    CASES if LONG else SHORT,
    ids=lambda case: case if isinstance(case, str) else case.__name__,
)
def test_no_doctor_gets_another_doctors_picture(stage, edit, evidence, form, command):
    copy = open_ward(stage, evidence, form)
    edit(copy)
    copy.book.save(stage.folder / "inbox" / "改好.xlsx")
    stage.go(command)
    stage.assert_clean()
    if LONG:
        stage.go("run")
        stage.assert_clean()


@pytest.mark.parametrize(("evidence", "form", "command"), WAYS if LONG else WAYS[:1])
def test_what_was_corrected_rightly_is_sealed(stage, evidence, form, command):
    """An attack that is held is worth little where honest work is held as well."""
    copy = open_ward(stage, evidence, form)
    copy.correct()
    copy.book.save(stage.folder / "inbox" / "改好.xlsx")
    stage.go(command)
    stage.assert_clean()
    assert set(stage.seals_of()) == set(DOCTORS)
