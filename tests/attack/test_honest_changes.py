"""What a hospital changes honestly between two runs holds no doctor: every one ends with the own picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from attack.clerk import COLLEAGUES, FATES, Clerk, see_not_sent, see_sealed
from attack.evidence_scenes import A, B, edit_copy, give_person
from attack.stage import LONG, Person, person
from people import number

GROUP = "honest changes"
ZHANG = "张伟"
HELD = {"IMAGE_AMBIGUOUS", "IMAGE_SHARED", "PERSON_POSSIBLY_SAME"}
NO_NUMBER = {"short number", "wrong digit", "no number"}  # in the first run
EXPECTED = {
    "sealed": {"unchanged", "changed"},
    "adopted": {"unchanged", "changed"},
    "unknown": {"unknown"},
    "exists": {"exists"},
}


def assert_not_held(clerk: Clerk) -> None:
    """Fail if anything wrong was sent, or a row of the last results is held or has a warning of that."""
    clerk.stage.assert_clean()
    held = [row for row in clerk.describe() if HELD & {*row[3]}]
    assert not held, clerk.describe()


def assert_all_sealed(clerk: Clerk, *serials: int) -> None:
    assert_not_held(clerk)
    assert set(serials) <= set(clerk.stage.seals_of()), clerk.describe()


# -- one doctor changes: by the end that the earlier run had


def rename(clerk: Clerk, path: str, target: str) -> None:
    (clerk.seals / target).parent.mkdir(exist_ok=True)
    (clerk.seals / path).rename(clerk.seals / target)


def stay(clerk: Clerk, member: Person) -> Person:
    return member


def renumber(clerk: Clerk, member: Person) -> Person:
    rename(clerk, "00001.png", "00091.png")
    return replace(member, staff_no="00091")


def renumber_with_a_file_by_name(clerk: Clerk, member: Person) -> Person:
    return replace(member, staff_no="00091")


def marry(clerk: Clerk, member: Person) -> Person:
    return replace(member, name="张玮")


def marry_and_rename_the_file(clerk: Clerk, member: Person) -> Person:
    rename(clerk, f"{member.name}.png", "张玮.png")
    return replace(member, name="张玮")


def move(clerk: Clerk, member: Person) -> Person:
    return replace(member, department="外科")


def move_with_the_file(clerk: Clerk, member: Person) -> Person:
    rename(clerk, f"内科/{member.name}.png", f"外科/{member.name}.png")
    return replace(member, department="外科")


def scan_anew(clerk: Clerk, member: Person) -> Person:
    clerk.stage.draw(A, drawing=6)
    return member


def scan_anew_by_name(clerk: Clerk, member: Person) -> Person:
    clerk.stage.draw(A, f"{member.name}.png", drawing=6)
    return member


def put_in_another_folder(clerk: Clerk, member: Person) -> Person:
    rename(clerk, "00001.png", "2027/00001.png")
    return member


def put_in_a_zip(clerk: Clerk, member: Person) -> Person:
    (clerk.seals / "00001.png").unlink()
    clerk.zip(A, "00001.png")
    return member


def leave_and_return(clerk: Clerk, member: Person) -> Person:
    clerk.list()
    clerk.run()
    return member


Change = Callable[[Clerk, Person], Person]
CHANGES: dict[Change, str] = {  # -> how the file is named before
    stay: "00001.png",
    renumber: "00001.png",
    renumber_with_a_file_by_name: f"{ZHANG}.png",
    marry: "00001.png",
    marry_and_rename_the_file: f"{ZHANG}.png",
    move: "00001.png",
    move_with_the_file: f"内科/{ZHANG}.png",
    scan_anew: "00001.png",
    scan_anew_by_name: f"{ZHANG}.png",
    put_in_another_folder: "00001.png",
    put_in_a_zip: "00001.png",
    leave_and_return: "00001.png",
}
CASES = [
    (change, fate)
    for change in CHANGES
    for fate in FATES
    if not ("marry" in change.__name__ and fate in NO_NUMBER)  # no row shows that it is the same doctor
]
SHORT = [(stay, "wrong digit"), (move_with_the_file, "adopted")]


@pytest.mark.parametrize(
    ("change", "fate"),
    CASES if LONG else SHORT,
    ids=lambda case: case if isinstance(case, str) else case.__name__,
)
def test_a_doctor_who_changes_is_not_held(stage, change, fate):
    clerk = Clerk(stage)
    member = replace(person(A), name=ZHANG)
    stage.draw(A, CHANGES[change])
    FATES[fate](clerk, member)
    clerk.list(change(clerk, member))
    for _ in range(2):
        clerk.run()
        assert_not_held(clerk)
        statuses = EXPECTED.get(fate, {"sealed", "unchanged"})
        assert clerk.row_of(A)["status"] in statuses, clerk.describe()


# -- whole hospitals

PRECISE = 15  # digits that Excel keeps of a number


def lose_precision(clerk: Clerk) -> Sequence[int]:
    """Excel rounded the numbers; then they were typed as text."""
    for serial in (A, B):
        clerk.stage.draw(serial)
    rounded = [
        replace(person(serial), number=int(person(serial).number[:PRECISE]) * 1000) for serial in (A, B)
    ]
    clerk.list(*rounded)
    clerk.run(code=3)
    clerk.list(person(A), person(B))
    return A, B


def correct_row_by_row(clerk: Clerk) -> Sequence[int]:
    """The clerk corrects one row of the marked copy before each run."""
    serials = (1, 2, 3, 4)
    damages = (
        {"number": person(1).number[:-1]},
        {"mobile": "154"},
        {"number": ""},
        {"name": f"{person(4).name}1"},
    )
    for serial in serials:
        clerk.stage.draw(serial)
    clerk.list(*(replace(person(serial), **damage) for serial, damage in zip(serials, damages, strict=True)))
    for serial in serials:
        clerk.run(code=3)
        edit_copy(clerk, (serial, give_person(serial, "姓名", "证件号码", "手机号")))
    return serials


def sort_rows_and_columns(clerk: Clerk) -> Sequence[int]:
    """Half of the doctors wait for a corrected mobile while the rows are sorted."""
    serials = range(1, 9)
    for serial in serials:
        clerk.stage.draw(serial)
    waiting = [replace(person(serial), mobile="154") if serial % 2 else person(serial) for serial in serials]
    clerk.list(*waiting)
    clerk.run(code=3)
    clerk.list(*sorted(waiting, key=lambda member: member.number[-3:]))
    clerk.run(code=3)
    clerk.list(*(person(serial) for serial in reversed(serials)))
    return serials


def receive_pictures_late(clerk: Clerk) -> Sequence[int]:
    serials = (1, 2, 3)
    clerk.list(*map(person, serials))
    for serial in serials:
        clerk.run(code=3)
        clerk.stage.draw(serial)
    return serials


def hire_newcomers(clerk: Clerk) -> Sequence[int]:
    """One doctor joins before each run, and one leaves; no staff number is given twice."""
    for start in range(1, 5):
        clerk.list(*map(person, range(start, start + 4)))
        for serial in range(start, start + 4):
            clerk.stage.draw(serial)
        clerk.run(code=0)
    return range(1, 8)


def list_namesakes_by_staff_number(clerk: Clerk) -> Sequence[int]:
    """A namesake joins; every file is named by the staff number."""
    one, other = (replace(person(serial), name=ZHANG) for serial in (A, B))
    clerk.stage.draw(A)
    clerk.list(one)
    clerk.run(code=0)
    clerk.stage.draw(B)
    clerk.list(one, other)
    clerk.run(code=0)
    clerk.list(other, replace(one, department="外科"))
    return A, B


def list_namesakes_by_name_and_staff_number(clerk: Clerk) -> Sequence[int]:
    one, other = (replace(person(serial), name=ZHANG) for serial in (A, B))
    clerk.stage.draw(A, f"{ZHANG}00001.png")
    clerk.list(one)
    clerk.run(code=0)
    clerk.stage.draw(B, f"{ZHANG}00002.png")
    clerk.list(one, other)
    return A, B


def name_a_file_by_an_old_number_and_the_name(clerk: Clerk) -> Sequence[int]:
    """A staff number is given anew; the newcomer's file also bears the newcomer's name."""
    clerk.stage.draw(A)
    see_sealed(clerk, person(A))
    (clerk.seals / "00001.png").unlink()
    newcomer = replace(person(B), staff_no="00001")
    clerk.stage.draw(B, f"00001{newcomer.name}.png")
    clerk.list(newcomer)
    return A, B


def name_a_file_by_the_identity_number(clerk: Clerk) -> Sequence[int]:
    """A namesake joins with the staff number of one who left; the file is named by the identity number."""
    bearer = replace(person(A), name=ZHANG)
    clerk.stage.draw(A)
    see_not_sent(clerk, bearer)
    clerk.run(code=0)
    newcomer = replace(person(B), name=ZHANG, department="外科")
    clerk.stage.draw(B, f"{newcomer.number}.png")
    clerk.list(bearer, newcomer)
    return A, B


HOSPITALS = (
    lose_precision,
    correct_row_by_row,
    sort_rows_and_columns,
    receive_pictures_late,
    hire_newcomers,
    list_namesakes_by_staff_number,
    list_namesakes_by_name_and_staff_number,
    name_a_file_by_an_old_number_and_the_name,
    name_a_file_by_the_identity_number,
)


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("play", HOSPITALS if LONG else (), ids=lambda play: play.__name__)
def test_every_doctor_is_sealed(stage, play):
    clerk = Clerk(stage)
    serials = play(clerk)
    clerk.run(code=0)
    assert_all_sealed(clerk, *serials, *COLLEAGUES)
    clerk.run(code=0)
    assert_all_sealed(clerk, *serials, *COLLEAGUES)


def open_dozen(clerk: Clerk, mend: Callable[[Person], Person] = lambda member: member) -> list[Person]:
    """Lay out a dozen doctors with files of every habit, two of them namesakes in two departments."""
    doctors = [person(serial) for serial in range(1, 13)]
    doctors[4] = replace(doctors[4], name=ZHANG, department="内科")
    doctors[5] = replace(doctors[5], name=ZHANG, department="外科")
    doctors[6] = replace(doctors[6], department="外科")
    for member in doctors[:4]:
        clerk.stage.draw(member.serial)
    for member in doctors[4:7]:
        clerk.stage.draw(member.serial, f"{member.department}/{member.name}.png")
    for member in doctors[7:9]:
        clerk.stage.draw(member.serial, f"{member.name}.png")
    clerk.stage.draw(10, f"{doctors[9].number}.png")
    for member in doctors[10:]:
        clerk.stage.draw(member.serial, f"扫描/IMG_{member.serial}.png")
        clerk.entries[member.serial] = f"扫描/IMG_{member.serial}.png"
    return [mend(member) for member in doctors]


@pytest.mark.parametrize("form", ["xlsx", "csv"] if LONG else ["xlsx"])
def test_an_unchanged_hospital_has_nothing_held(stage, form):
    clerk = Clerk(stage, file=f"roster.{form}")
    clerk.list(*open_dozen(clerk))
    for _ in range(10 if LONG else 2):
        clerk.run(code=0)
        assert_all_sealed(clerk, *range(1, 13))


@pytest.mark.skipif(not LONG, reason="make attack")
def test_a_hospital_that_waits_for_corrections_has_nothing_held(stage):
    """No doctor has a seal for five runs: their mobiles are corrected one by one."""
    clerk = Clerk(stage)
    doctors = open_dozen(clerk, lambda member: replace(member, mobile="154"))
    clerk.list(*doctors)
    for index, member in enumerate(doctors):
        clerk.run(code=3)
        assert_not_held(clerk)
        doctors[index] = replace(member, mobile=person(member.serial).mobile)
        clerk.list(*doctors)
    clerk.run(code=0)
    assert_all_sealed(clerk, *range(1, 13))


@pytest.mark.skipif(not LONG, reason="make attack")
def test_two_thousand_doctors_for_twelve_runs_have_nothing_held(stage):
    """One doctor joins before each run, so that every run judges all of them; most seals were made elsewhere."""
    count, runs = 2000, 12
    clerk = Clerk(stage)
    readable = [serial for serial in range(100, 2200) if not number(serial).endswith("000")]
    serials, newcomers = readable[:count], readable[count : count + runs]
    clerk.adopt(*map(person, serials))
    for serial in serials:
        stage.draw(serial)
    for run, newcomer in enumerate(newcomers, 1):
        stage.draw(newcomer)
        clerk.list(*map(person, [*serials, *newcomers[:run]]))
        clerk.run(code=0)
        assert_all_sealed(clerk, *newcomers[:run])
