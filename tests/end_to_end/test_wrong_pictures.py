"""Ways in which a picture could reach another doctor's seal: pasted, sorted and shifted columns, swapped entries, namesakes.

The sandbox's own truth judges: the picture of every seal must be the one drawn for the doctor of its identity number.
``ATTACK=1`` plays every kind by both commands, else each by one of them.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import openpyxl
import pytest
from openpyxl.drawing.image import Image as Drawing
from page_support import make_site
from people import name, number
from PIL import Image
from run_support import QuickClock, draw_seal

from pipeline.cli.app import main
from pipeline.domain.roster import ImageFile
from pipeline.intake.read_rosters import read_rosters
from pipeline.resolution.given_pictures import open_picture_decisions

HEADERS = ("姓名", "证件号码", "手机号", "工号", "科室")
WITH_PICTURE = (*HEADERS, "印章图片")
ALL_WAYS = os.environ.get("ATTACK") == "1"
SERIALS = range(1, 40)


def staff(serial: int) -> str:
    return f"{serial:05d}"


def mobile(serial: int) -> str:
    return f"154{serial:08d}"


def drawn(folder: Path, serial: int) -> bytes:
    path = folder / f"truth{serial}.png"
    if not path.exists():
        draw_seal(path, serial)
    return path.read_bytes()


def add_drawing(hospital, sheet, cell: str, serial: int) -> None:
    """Let the picture drawn for a doctor float over a cell."""
    drawn(hospital.folder, serial)
    drawing = Drawing(str(hospital.folder / f"truth{serial}.png"))
    drawing.width, drawing.height = 60, 16
    sheet.add_image(drawing, cell)


def wrong_pictures(hospital) -> list[str]:
    """Return the seals whose picture was not drawn for the doctor of their identity number."""
    owners = {number(serial): serial for serial in SERIALS}
    return [
        f"{seal.name} {seal.number}"
        for seal in hospital.service.seals
        if hospital.service.pictures[seal.picture] != drawn(hospital.folder, owners[seal.number])
    ]


def second_seals(hospital) -> int:
    numbers = [seal.number for seal in hospital.service.seals]
    return len(numbers) - len(set(numbers))


def row(serial: int, picture: str = "", department: str = "内科", who: str | None = None) -> tuple:
    return (who or name(serial), number(serial), mobile(serial), staff(serial), department, picture)


def wrong_rows(*serials: int, only: str = "", pictures: bool = False) -> list[tuple]:
    """Return roster rows whose name and number are mistyped, or ``only`` one of name, number and mobile."""
    return [
        (
            name(serial) if only in {"number", "mobile"} else f"{name(serial)}1",
            number(serial) if only in {"name", "mobile"} else number(serial)[:17],
            "154" if only == "mobile" else mobile(serial),
            staff(serial),
            "内科",
            *([f"IMG_{serial}.png"] if pictures else []),
        )
        for serial in serials
    ]


def set_up(hospital, rows, *, headers=HEADERS, files=(), cells=False) -> Path:
    """Write roster and pictures, run, and return the roster. ``files`` are (name, serial)."""
    for file, serial in files:
        path = hospital.folder / "seals" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_seal(path, serial)
    hospital.roster(rows, headers=headers)
    if cells:
        path = hospital.folder / "inbox" / "roster.xlsx"
        book = openpyxl.load_workbook(path)
        for index, cells_of_row in enumerate(rows, 2):
            add_drawing(hospital, book.active, f"F{index}", int(cells_of_row[3]))
        book.save(path)
    hospital.go("run")
    return hospital.folder / "inbox" / "roster.xlsx"


class Sheet:
    """The roster as a clerk corrects it, by the staff number of its lines."""

    def __init__(self, path: Path) -> None:
        self.book = openpyxl.load_workbook(path)
        self.sheet = self.book.active
        self.heads = [cell.value for cell in self.sheet[1]]
        self.lines = {self.cell(row, "工号").value: row for row in range(2, self.sheet.max_row + 1)}

    def cell(self, row: int, head: str):
        return self.sheet.cell(row, self.heads.index(head) + 1)

    def set(self, serial: int, **values: str | None) -> None:
        for head, value in values.items():
            self.cell(self.line(serial), head).value = value

    def line(self, serial: int) -> int:
        return self.lines[staff(serial)]

    def read_column(self, head: str) -> list:
        return [self.cell(row, head).value for row in self.lines.values()]

    def paste_column(self, head: str, values) -> None:
        """Write values into a column, downwards from its first line."""
        for row, value in enumerate(values, 2):
            self.cell(row, head).value = value


def hand_in(hospital, sheet: Sheet, way: str) -> int:
    """Save the corrected roster in place of the old one, and send its rows: by ``run`` or by ``retry``."""
    sheet.book.save(hospital.folder / "inbox" / "roster.xlsx")
    return hospital.go(way)


def by_staff_no(*serials: int) -> list[tuple[str, int]]:
    return [(f"{staff(serial)}.png", serial) for serial in serials]


def by_name(*serials: int) -> list[tuple[str, int]]:
    return [(f"{name(serial)}.png", serial) for serial in serials]


def by_image_no(*serials: int) -> list[tuple[str, int]]:
    return [(f"IMG_{serial}.png", serial) for serial in serials]


def people(*serials: int) -> dict[str, list[str]]:
    """Return what a clerk pastes over the lines, downwards from the first: the right names and numbers of these doctors."""
    return {"姓名": [name(serial) for serial in serials], "证件号码": [number(serial) for serial in serials]}


def mobiles(*serials: int) -> dict[str, list[str]]:
    return {"手机号": [mobile(serial) for serial in serials]}


def rotate(head: str, steps: int):
    """Move a column's cells up by so many lines, the first ones to the end."""
    return {head: lambda texts: [*texts[steps:], *texts[:steps]]}


def edit(rows, columns, **layout):
    """Set up a hospital with these roster rows and paste columns into the roster; the values may be a function of the old ones."""

    def play(hospital) -> Sheet:
        sheet = Sheet(set_up(hospital, rows, **layout))
        for head, values in columns.items():
            sheet.paste_column(head, values(sheet.read_column(head)) if callable(values) else values)
        return sheet

    return play


# what goes wrong where rows are corrected; no seal may show another doctor's picture
SWAPPED = edit(wrong_rows(1, 2), people(2, 1), files=by_staff_no(1, 2))
ROTATED = edit(wrong_rows(1, 2, 3, 4), people(2, 3, 4, 1), files=by_staff_no(1, 2, 3, 4))
SWAPPED_KNOWN_NAMES = edit(wrong_rows(1, 2, only="number"), people(2, 1), files=by_staff_no(1, 2))
REUSED = edit(wrong_rows(1, 2), people(9), files=by_staff_no(1, 2))
ATTACKS = {
    "swap_two": SWAPPED,
    "rotate_four": ROTATED,
    "swap_beside_pictures_in_cells": edit(wrong_rows(1, 2), people(2, 1), cells=True),
    "swap_with_mobiles": edit(wrong_rows(1, 2), people(2, 1) | mobiles(2, 1), files=by_staff_no(1, 2)),
    "swap_known_names": SWAPPED_KNOWN_NAMES,
    "reuse_a_line": REUSED,
    "reuse_a_line_beside_a_picture_in_its_cell": edit(wrong_rows(1), people(9) | mobiles(9), cells=True),
    "reuse_every_cell_in_sight": edit(
        wrong_rows(1), people(9) | mobiles(9) | {"科室": ["外科"], "工号": [staff(9)]}, files=by_staff_no(1)
    ),
    "paste_numbers_one_line_too_low": edit(
        wrong_rows(1, 2, 3, only="number"),
        {"证件号码": [number(1)[:17], number(1), number(2)]},
        files=by_name(1, 2, 3),
    ),
    "sort_typed_pictures": edit(
        wrong_rows(1, 2, 3, only="mobile", pictures=True),
        rotate("印章图片", 1) | mobiles(1, 2, 3),
        headers=WITH_PICTURE,
        files=by_image_no(1, 2, 3),
    ),
    "move_people_and_pictures_by_different_steps": edit(
        wrong_rows(1, 2, 3, pictures=True),
        people(2, 3, 1) | rotate("印章图片", 2),
        headers=WITH_PICTURE,
        files=by_image_no(1, 2, 3),
    ),
    "reuse_a_line_with_a_typed_picture": edit(
        wrong_rows(1, pictures=True), people(9), headers=WITH_PICTURE, files=by_image_no(1)
    ),
}


def entrances(edits):
    return [
        pytest.param(play, way, id=f"{title}-{way}")
        for index, (title, play) in enumerate(edits.items())
        for way in (("retry", "run") if ALL_WAYS else (("retry", "run")[index % 2],))
    ]


@pytest.mark.parametrize(("play", "way"), entrances(ATTACKS))
def test_no_accident_in_a_correction_gives_a_doctor_another_ones_picture(hospital, play, way):
    code = hand_in(hospital, play(hospital), way)
    assert wrong_pictures(hospital) == []
    assert second_seals(hospital) == 0
    assert code in {3, 7}, "it is said"
    if play is REUSED:  # the row for another doctor names the one whose picture it was
        row = {line["name"]: line for line in hospital.outcomes()}[name(9)]
        assert "IMAGE_AMBIGUOUS" in row["codes"]
        assert any(name(1) in problem["message"] for problem in row["problems"])
    if play in (SWAPPED, REUSED, ROTATED):  # and it is refused again when it comes back unchanged
        made = len(hospital.service.seals)
        for again in ("run", "retry"):
            assert hospital.go(again) == 3
        assert len(hospital.service.seals) == made
        assert wrong_pictures(hospital) == []


# ---- what a clerk does rightly: it is sealed, with the doctor's own picture


def a_second_correction(hospital):
    row = (f"{name(1)}1", number(1)[:17], "154", staff(1), "内科")
    columns = people(1) | {"印章图片": ["IMG_1.png"]}
    sheet = edit([row], columns, headers=WITH_PICTURE, files=by_image_no(1))(hospital)
    hand_in(hospital, sheet, "run")
    sheet.set(1, 手机号=mobile(1))
    return sheet


TYPO = name(1)[0] + "凡" + name(1)[2:]
CORRECTIONS = {
    "only_the_number": (
        edit(wrong_rows(1, only="number"), {"证件号码": [number(1)]}, files=by_staff_no(1)),
        {1},
    ),
    "only_the_name": (
        edit(
            wrong_rows(1, only="name", pictures=True),
            {"姓名": [name(1)]},
            headers=WITH_PICTURE,
            files=by_image_no(1),
        ),
        {1},
    ),
    "a_name_after_which_the_file_is_called": (
        edit(
            [(TYPO, number(1), "154", staff(1), "内科")],
            {"姓名": [name(1)]} | mobiles(1),
            files=[(f"{TYPO}.png", 1)],
        ),
        set(),  # the file is called after nobody now
    ),
    "only_the_mobile": (
        edit(wrong_rows(1, 2, only="mobile"), mobiles(1, 2), files=[*by_name(1), (f"{number(2)}.png", 2)]),
        {1, 2},
    ),
    "only_the_picture": (
        edit(
            [row(1), row(2)],
            {"印章图片": ["IMG_1.png", "IMG_2.png"]},
            headers=WITH_PICTURE,
            files=by_image_no(1, 2),
        ),
        {1, 2},
    ),
    "swapped_entries_put_right": (
        edit(
            [row(1, f"{name(2)}.png"), row(2, f"{name(1)}.png")],
            {"印章图片": [f"{name(1)}.png", f"{name(2)}.png"]},
            headers=WITH_PICTURE,
            files=by_name(1, 2),
        ),
        set(),  # held: each file was claimed by the other row
    ),
    "another_doctor_with_a_file_called_by_number": (
        edit(
            wrong_rows(1),
            people(9) | {"工号": [staff(9)]},
            files=[*by_staff_no(1), (f"{number(9)}.png", 9)],
        ),
        {9},
    ),
    "another_doctor_with_a_new_entry": (
        edit(
            wrong_rows(1),
            people(9) | {"印章图片": ["IMG_9.png"]},
            headers=WITH_PICTURE,
            files=[*by_staff_no(1), ("IMG_9.png", 9)],
        ),
        {9},
    ),
    "both_corrected_and_the_file_called_by_name": (edit(wrong_rows(1), people(1), files=by_name(1)), {1}),
    "a_second_correction": (a_second_correction, {1}),
    "people_swapped_together_with_their_staff_numbers": (
        edit(wrong_rows(1, 2), people(2, 1) | {"工号": [staff(2), staff(1)]}, files=by_staff_no(1, 2)),
        set(),  # held: no row shows that doctor 1 was the one with the staff number of doctor 1
    ),
}


@pytest.mark.parametrize(("correction", "way"), entrances(CORRECTIONS))
def test_what_a_clerk_corrects_keeps_the_doctors_own_picture(hospital, correction, way):
    play, serials = correction
    hand_in(hospital, play(hospital), way)
    assert wrong_pictures(hospital) == []
    assert {seal.number for seal in hospital.service.seals} == set(map(number, serials))


# ---- accidents in the roster


STEMS = {"name": name, "number": number, "staff number": staff}


@pytest.mark.parametrize(
    ("stem", "order"),
    [
        (stem, order)
        for index, stem in enumerate(STEMS)
        for order in ([(2, 1), (2, 3, 4, 5, 1)] if ALL_WAYS else [((2, 1), (2, 3, 4, 5, 1))[index % 2]])
    ],
)
def test_a_picture_column_that_contradicts_the_names_of_its_files_seals_no_doctor(hospital, stem, order):
    serials = sorted(order)
    rows = [row(serial, f"{STEMS[stem](other)}.png") for serial, other in zip(serials, order, strict=True)]
    set_up(
        hospital,
        rows,
        headers=WITH_PICTURE,
        files=[(f"{STEMS[stem](serial)}.png", serial) for serial in order],
    )
    assert hospital.creates() == 0
    for line in hospital.outcomes():
        (ambiguity,) = [problem for problem in line["problems"] if problem["code"] == "IMAGE_AMBIGUOUS"]
        assert "roster.xlsx Sheet row" in ambiguity["message"]


def test_a_contested_file_is_reported_on_both_rows(hospital):
    rows = [row(1, f"{name(2)}.png"), row(2), row(3)]
    files = [(f"{name(2)}.png", 2), (f"{name(3)}.png", 3)]
    set_up(hospital, rows, headers=WITH_PICTURE, files=files)
    assert hospital.statuses() == {"sealed": 1, "rejected": 2}
    first, second, _ = hospital.outcomes()
    assert "roster.xlsx Sheet row 3" in first["problems"][0]["message"]
    assert "roster.xlsx Sheet row 2" in second["problems"][0]["message"]


@pytest.mark.parametrize("stem", STEMS)
def test_a_file_called_after_a_sealed_doctor_who_left_the_roster_is_not_used(hospital, stem):
    set_up(hospital, [row(1)], headers=WITH_PICTURE, files=by_staff_no(1))
    assert hospital.statuses() == {"sealed": 1}
    (hospital.folder / "seals" / f"{staff(1)}.png").unlink()
    drawn(hospital.folder, 7)
    set_up(
        hospital,
        [row(2, f"{STEMS[stem](1)}.png")],
        headers=WITH_PICTURE,
        files=[(f"{STEMS[stem](1)}.png", 7)],
    )
    assert hospital.statuses() == {"rejected": 1}
    (line,) = hospital.outcomes()
    assert line["codes"] == ["IMAGE_AMBIGUOUS"]


def test_an_entry_distinguishes_namesakes_although_the_file_bears_the_name_of_both(hospital):
    rows = [row(1, "张伟.png", who="张伟"), row(2, "", who="张伟"), row(3, "IMG_3.png")]
    set_up(
        hospital,
        rows,
        headers=WITH_PICTURE,
        files=[("张伟.png", 1), (f"{staff(2)}.png", 2), ("IMG_3.png", 3)],
    )
    assert wrong_pictures(hospital) == []
    assert number(1) in {seal.number for seal in hospital.service.seals}
    assert number(3) in {seal.number for seal in hospital.service.seals}


# ---- names, department folders, namesakes


@pytest.mark.parametrize(
    ("department", "others"), [("内科", ()), ("内科", ("外科",)), ("普外科", ()), ("", ("外科",))]
)
def test_a_name_alone_does_not_reach_into_another_department(hospital, department, others):
    rows = [row(1, who="张伟", department=department)]
    rows += [
        row(serial, who="张伟" if not department else None, department=other_department)
        for serial, other_department in enumerate(others, 2)
    ]
    set_up(hospital, rows, headers=WITH_PICTURE, files=[("外科/张伟.png", 2)])
    assert wrong_pictures(hospital) == []
    assert number(1) not in {seal.number for seal in hospital.service.seals}


def test_a_folder_that_is_no_department_decides_nothing(hospital):
    folders = ("2026新增", "第一批", "已处理", "印章", "2026年3月", "01内科印章")
    files = [(f"{folder}/{name(serial)}.png", serial) for serial, folder in enumerate(folders, 1)]
    set_up(hospital, [row(serial) for serial in range(1, 7)], headers=WITH_PICTURE, files=files)
    assert hospital.statuses() == {"sealed": 6}
    assert wrong_pictures(hospital) == []


def test_a_name_to_the_letter_beats_a_department_and_a_name(hospital):
    rows = [row(1, who="南宫明"), row(2, who="宫明", department="南")]
    set_up(hospital, rows, headers=WITH_PICTURE, files=[("南宫明.png", 1)])
    assert wrong_pictures(hospital) == []
    assert {seal.number for seal in hospital.service.seals} == {number(1)}


@pytest.mark.parametrize("file", ["欧阳文章.png", "内科欧阳文章.png", "内科李文章.png"])
def test_a_seal_glued_to_a_name_may_be_its_last_character(hospital, file):
    rows = [row(1, who="欧阳文"), row(2, who="李文")]
    set_up(hospital, rows, headers=WITH_PICTURE, files=[(file, 7)])
    assert hospital.creates() == 0


def adopt(hospital, serial: int, who: str) -> None:
    book = openpyxl.Workbook()
    book.active.append(("姓名", "身份证号", "印章ID"))
    book.active.append((who, number(serial), f"yD{serial:030d}"))
    book.save(hospital.folder / "old.xlsx")
    assert hospital.go("adopt", str(hospital.folder / "old.xlsx"), "--why", "the old system") == 0


@pytest.mark.parametrize(
    ("file", "listed"),
    [
        (file, listed)
        for index, file in enumerate(("张伟.png", "内科/张伟.png", "内科张伟.png"))
        for listed in ((False, True) if ALL_WAYS else (index == 1,))
    ],
)
def test_a_namesake_does_not_get_an_adopted_doctors_picture(hospital, file, listed):
    adopt(hospital, 1, "张伟")
    rows = [row(2, who="张伟"), *([row(1, who="张伟")] if listed else [])]
    set_up(hospital, rows, headers=WITH_PICTURE, files=[(file, 1)])
    assert hospital.creates() == 0


@pytest.mark.parametrize("file", [f"{staff(2)}.png", f"{number(2)}.png", f"张伟_{staff(2)}.png"])
def test_an_adopted_doctors_namesake_is_distinguished_by_a_number(hospital, file):
    adopt(hospital, 1, "张伟")
    set_up(hospital, [row(2, who="张伟")], headers=WITH_PICTURE, files=[(file, 2), ("旧/张三.png", 1)])
    assert hospital.statuses() == {"sealed": 1}
    assert wrong_pictures(hospital) == []


# ---- pictures in cells


def with_floats(hospital, *floats: tuple[str, int], headers=(*HEADERS, "印章图片", "备注")) -> None:
    book = openpyxl.Workbook()
    book.active.append(headers)
    book.active.append((name(1), number(1), mobile(1), staff(1), "内科"))
    for column, serial in floats:
        add_drawing(hospital, book.active, f"{column}2", serial)
    (hospital.folder / "inbox").mkdir(exist_ok=True)
    book.save(hospital.folder / "inbox" / "roster.xlsx")


@pytest.mark.parametrize("column", ["E", "G", "A"] if ALL_WAYS else ["E"])
def test_a_second_picture_that_floats_over_a_text_column_is_a_second_candidate(hospital, column):
    with_floats(hospital, ("F", 1), (column, 2))
    assert hospital.go("run") == 3
    (line,) = hospital.outcomes()
    assert (line["status"], line["codes"]) == ("rejected", ["IMAGE_AMBIGUOUS"])
    assert hospital.go("retry") == 3, "unchanged it is not decided either"
    assert hospital.creates() == 0
    with_floats(hospital, ("F", 1))
    assert hospital.go("retry") == 0
    assert wrong_pictures(hospital) == []


@pytest.mark.parametrize(
    ("column", "title", "serial"), [("G", "个人照片", 2), ("G", "二维码", 2), ("E", "备注", 1)]
)
def test_a_photo_or_the_same_picture_again_is_no_second_candidate(hospital, column, title, serial):
    with_floats(hospital, ("F", 1), (column, serial), headers=(*HEADERS, "印章图片", title))
    assert hospital.go("run") == 0
    assert wrong_pictures(hospital) == []


def test_a_new_picture_next_to_the_one_of_the_seal_is_seen_and_not_sent(hospital, capsys):
    """Console, Summary, report, sheet All and `explain` speak of it, also in a run that repeats the last one."""
    hospital.seal_doctors(3)
    new = hospital.folder / "seals" / f"{name(1)}.png"
    draw_seal(new, 77)
    used = {"zh": "现有印章用的是 00001.png", "en": "the seal was made from 00001.png"}
    others = {"zh": f"如果 {name(1)}.png 是新的印章图片", "en": f"If {name(1)}.png is the new picture"}
    step = {"zh": "1 位医生已有印章", "en": "1 doctor has a seal, and pictures that may or may not be"}
    for language in ("zh", "en", "en"):
        for picture in (hospital.folder / "seals").iterdir():
            os.utime(picture, (1_700_000_000, 1_700_000_000))
        capsys.readouterr()
        assert main(hospital.command("run", language=language)) == 0
        assert hospital.statuses() == {"unchanged": 3}
        assert step[language] in capsys.readouterr().err
        results = openpyxl.load_workbook(hospital.newest / "results.xlsx")
        summary = "\n".join(str(cell) for line in results.worksheets[0].values for cell in line if cell)
        assert step[language] in summary
        assert "不需要处理" not in summary
        assert "Nothing to do" not in summary
        (reason,) = [
            line[2] for line in results.worksheets[1].iter_rows(min_row=2, values_only=True) if line[2]
        ]
        assert used[language] in reason
        assert others[language] in reason
        assert step[language] in (hospital.newest / "report.html").read_text("utf-8")
        main(hospital.command("explain", name(1), language=language))
        explained = capsys.readouterr().out
        assert used[language] in explained
        assert "内容相同" not in explained
        assert "is unchanged" not in explained
    assert len(hospital.service.seals) == 3
    (hospital.folder / "seals" / "00001.png").unlink()
    assert hospital.run_to_end("run") == (3, {"unchanged": 2, "changed": 1})
    new.unlink()
    draw_seal(hospital.folder / "seals" / "00001.png", 1)
    assert hospital.run_to_end("run") == (0, {"unchanged": 3})


# -- files that bear the number of a person who is in no roster and in no ledger

STRANGER = 30


@pytest.fixture
def shifted(hospital):
    """The picture column of doctor 1 names the file of a person who has left; that of doctor 2 is right."""
    files = [(f"{number(STRANGER)}.png", STRANGER), (f"{number(1)}.png", 1), (f"{number(2)}.png", 2)]
    rows = [row(1, f"{number(STRANGER)}.png"), row(2, f"{number(2)}.png")]
    set_up(hospital, rows, headers=WITH_PICTURE, files=files)
    assert statuses_by_name(hospital) == {name(1): ["rejected", "IMAGE_AMBIGUOUS"], name(2): ["sealed"]}
    return hospital


def statuses_by_name(hospital) -> dict[str, list[str]]:
    return {line["name"]: [line["status"], *line["codes"]] for line in hospital.outcomes()}


def correct_entry(hospital):
    hospital.roster([row(1, f"{number(1)}.png"), row(2, f"{number(2)}.png")], headers=WITH_PICTURE)


def correct_number(hospital):
    """The file was right; the number was another doctor's."""
    hospital.roster(
        [row(STRANGER, f"{number(STRANGER)}.png"), row(2, f"{number(2)}.png")], headers=WITH_PICTURE
    )


def decide(hospital):
    assert hospital.go("resolve", name(1), "--keep") == 0


@pytest.mark.parametrize(("correct", "sealed", "picture"), [
    (correct_entry, 1, 1),
    (correct_number, STRANGER, STRANGER),
    (decide, 1, STRANGER),  # a person says that the picture is the doctor's
])  # fmt: skip
def test_a_file_that_bears_a_strangers_number_is_held_until_a_correction_or_a_decision(
    shifted, correct, sealed, picture
):
    assert shifted.go("check") == 3
    (line,) = [line for line in shifted.outcomes("plan.jsonl") if line["name"] == name(1)]
    assert line["codes"] == ["IMAGE_AMBIGUOUS"]
    assert "record “The picture is this doctor's”" in line["problems"][0]["message"]
    assert number(STRANGER) not in line["problems"][0]["message"]
    correct(shifted)
    shifted.go("run", "--yes")
    made = {seal.number: shifted.service.pictures[seal.picture] for seal in shifted.service.seals}
    assert made == {number(2): drawn(shifted.folder, 2), number(sealed): drawn(shifted.folder, picture)}


def test_explain_and_the_console_name_the_decision_about_a_strangers_file(shifted, capsys):
    shifted.go("run", "--yes")
    assert "1 row was not sent: its picture may be another doctor's" in capsys.readouterr().err
    shifted.go("explain", name(1))
    explained = capsys.readouterr().out
    assert f"resolve {name(1)} --keep" in explained.split("What happened")[0]
    assert "another person's identity number" in explained
    assert number(STRANGER) not in explained


# -- files that hold a name among other words


def scan_of(serial: int) -> str:
    return f"2026-内科{name(serial)}_签名(扫描).png"


def test_entries_that_slipped_by_a_line_name_files_that_hold_another_name(hospital):
    serials = (1, 2, 3)
    slipped = [row(serial, scan_of(serial % 3 + 1)) for serial in serials]
    set_up(hospital, slipped, headers=WITH_PICTURE, files=[(scan_of(serial), serial) for serial in serials])
    assert statuses_by_name(hospital) == {name(serial): ["rejected", "IMAGE_AMBIGUOUS"] for serial in serials}
    assert name(2) in hospital.outcomes()[0]["problems"][0]["message"]
    set_up(hospital, [row(serial, scan_of(serial)) for serial in serials], headers=WITH_PICTURE)
    assert statuses_by_name(hospital) == {name(serial): ["sealed"] for serial in serials}
    assert wrong_pictures(hospital) == []


def test_an_entry_that_names_the_file_of_another_rows_entry_refuses_both(hospital):
    rows = [row(1, scan_of(2)), row(2, scan_of(2))]
    set_up(hospital, rows, headers=WITH_PICTURE, files=[(scan_of(2), 2), (scan_of(1), 1)])
    assert statuses_by_name(hospital) == {name(serial): ["rejected", "IMAGE_AMBIGUOUS"] for serial in (1, 2)}
    assert not hospital.service.seals


def test_a_file_that_holds_another_name_and_is_right_is_kept(hospital):
    """Doctor 2 collected the picture of doctor 1."""
    set_up(hospital, [row(1, scan_of(2)), row(2)], headers=WITH_PICTURE, files=[(scan_of(2), 1)])
    assert statuses_by_name(hospital)[name(1)] == ["rejected", "IMAGE_AMBIGUOUS"]
    assert hospital.go("resolve", name(1), "--keep") == 0
    hospital.go("run", "--yes")
    assert [seal.number for seal in hospital.service.seals] == [number(1)]
    assert wrong_pictures(hospital) == []


def test_an_entry_names_the_file_of_a_doctor_whom_an_earlier_run_saw_without_a_picture(hospital):
    set_up(hospital, [row(2), row(3)], headers=WITH_PICTURE)
    set_up(hospital, [row(1, scan_of(2))], headers=WITH_PICTURE, files=[(scan_of(2), 2), (scan_of(1), 1)])
    assert statuses_by_name(hospital) == {name(1): ["rejected", "IMAGE_AMBIGUOUS"]}
    assert "Waiting decisions" in hospital.outcomes()[0]["problems"][0]["message"]
    set_up(hospital, [row(1, scan_of(1))], headers=WITH_PICTURE)
    assert statuses_by_name(hospital) == {name(1): ["sealed"]}
    assert wrong_pictures(hospital) == []


# -- entries that repeat the name or the staff number, and pictures that come later


@pytest.mark.parametrize("file", ["张伟.png", "00001.png"])
@pytest.mark.parametrize("with_entry", [True, False])
def test_the_entry_of_a_newcomer_repeats_what_a_leaver_was_called(hospital, file, with_entry):
    """The leaver's picture was scanned again and lies in another folder."""
    entry = file if with_entry else ""
    set_up(hospital, [row(1, entry, who="张伟")], headers=WITH_PICTURE, files=[(file, 1)])
    (hospital.folder / "seals" / file).unlink()
    drawn(hospital.folder, 1)
    with Image.open(hospital.folder / "truth1.png") as picture:
        (hospital.folder / "seals" / "2025").mkdir()
        picture.resize((240, 120)).save(hospital.folder / "seals" / "2025" / file)
    is_name = file == "张伟.png"
    newcomer = (*row(2, who="张伟" if is_name else None)[:3], staff(2 if is_name else 1), "外科", entry)
    set_up(hospital, [newcomer], headers=WITH_PICTURE)
    assert [seal.number for seal in hospital.service.seals] == [number(1)]
    assert hospital.outcomes()[0]["codes"] == ["IMAGE_AMBIGUOUS"]


@pytest.mark.parametrize("way", ["kept", "given and withdrawn"])
def test_a_decision_before_a_run_that_does_not_send_is_none_for_what_comes_later(hospital, way):
    """Another 张伟 has a seal made elsewhere; a picture of that doctor lies there, or comes."""
    book = openpyxl.Workbook()
    book.active.append(("姓名", "身份证号", "印章ID"))
    book.active.append(("张伟", number(1), "yD" + "1" * 30))
    book.save(hospital.folder / "old.xlsx")
    assert hospital.go("adopt", str(hospital.folder / "old.xlsx"), "--why", "old system") == 0
    first = 2 if way == "kept" else 1
    set_up(hospital, [row(2, who="张伟")], headers=WITH_PICTURE, files=[("张伟.png", first)])
    assert hospital.outcomes()[0]["codes"] == ["IMAGE_AMBIGUOUS"]
    file = hospital.folder / "seals" / "张伟.png"
    if way == "kept":
        assert hospital.go("resolve", "张伟", "--keep") == 0
    else:
        given = decide_pictures(
            hospital, lambda decisions, doctor, image: decisions.give(doctor, image, "wang", rows=())
        )
    set_up(hospital, [(*row(2, who="张伟")[:2], "1", *row(2)[3:])], headers=WITH_PICTURE)
    assert hospital.outcomes()[0]["codes"] == ["MOBILE_INVALID"]
    if way == "kept":
        file.write_bytes(drawn(hospital.folder, 1))
    else:
        decide_pictures(hospital, lambda decisions, *_: decisions.withdraw(given.key, given.picture, "wang"))
    set_up(hospital, [row(2, who="张伟")], headers=WITH_PICTURE)
    assert hospital.outcomes()[0]["codes"] == ["IMAGE_AMBIGUOUS"]
    assert not hospital.service.seals


def decide_pictures(hospital, act):
    """Act as the page does, with the only doctor of the roster and the picture 张伟.png."""
    path = hospital.folder / "seals" / "张伟.png"
    data = path.read_bytes()
    image = ImageFile.from_path(path, hashlib.sha256(data).hexdigest(), len(data))
    ((roster_row,), _) = read_rosters([hospital.folder / "inbox"])
    site = make_site(hospital.folder / "config.yaml", QuickClock())
    with open_picture_decisions(site.config, site.clock) as decisions:
        return act(decisions, decisions.identify(roster_row), image)
