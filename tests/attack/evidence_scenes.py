"""Scenes in which a file that an earlier run tied to one doctor is, by this run's roster alone, another doctor's.

Each scene plays what happened before and lays out rosters and pictures; the run in question is the test's. It returns
the serials of the rows that must be held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import openpyxl
from attack.clerk import (
    FATES,
    Clerk,
    see_existing,
    see_not_sent,
    see_sealed,
    see_short_number,
    see_unknown,
)
from attack.stage import LONG, Person, person
from people import number

A, B, OTHER = 1, 2, 700  # the earlier bearer, the newcomer, the serial of A's corrected number
ZHANG = "张伟"
AMBIGUOUS, SAME, SHARED = "IMAGE_AMBIGUOUS", "PERSON_POSSIBLY_SAME", "IMAGE_SHARED"
Play = Callable[[Clerk], tuple[int, ...]]


@dataclass(frozen=True)
class Scene:
    """What is played, the codes of which a held row bears one, and whether it needs marked copies (.xlsx)."""

    play: Play
    codes: frozenset[str] = frozenset({AMBIGUOUS})
    is_copy: bool = False


SCENES: dict[str, Scene] = {}


def scene(*names: str, codes: tuple[str, ...] = (AMBIGUOUS,), is_copy: bool = False, **options: object):
    """Enter a scene under one or several names."""

    def enter(play):
        for name in names:
            bound = partial(play, **options) if options else play
            SCENES[name] = Scene(bound, frozenset(codes), is_copy)
        return play

    return enter


# -- pictures: as they are, saved again, scanned anew


def keep(clerk: Clerk, path: str) -> None:
    """Leave the file as it is."""


def save_as_jpeg(clerk: Clerk, path: str) -> None:
    (clerk.seals / path).unlink()
    clerk.stage.draw(A, path.replace(".png", ".jpg"), quality=88)


def scan_anew(clerk: Clerk, path: str) -> None:
    clerk.stage.draw(A, path, drawing=6)


PICTURES = {"same": keep, "jpeg": save_as_jpeg, "scan": scan_anew}


# -- C1: the earlier bearer is in the roster, with another number, name or department

NEWCOMER = person(B)
BY_STAFF_NO = (
    "00001.png",
    person(A),
    replace(person(A), staff_no="90001"),
    replace(NEWCOMER, staff_no="00001"),
)
BY_NAME = (
    f"{ZHANG}.png",
    replace(person(A), name=ZHANG),
    replace(person(A), name="张玮"),
    replace(NEWCOMER, name=ZHANG),
)
BY_FOLDER = (
    f"内科/{ZHANG}.png",
    replace(person(A), name=ZHANG),
    replace(person(A), name=ZHANG, department="外科"),
    replace(NEWCOMER, name=ZHANG),
)
Turn = tuple[str, Person, Person, Person]  # path, bearer before, bearer now, newcomer


def adopt(clerk: Clerk, member: Person) -> None:
    clerk.adopt(member)
    clerk.list(member)
    clerk.run(code=0)


def turn_over(
    clerk: Clerk, *, turn: Turn, see, picture: str = "same", leaves: bool = False
) -> tuple[int, ...]:
    """Let the bearer of a file change its mark or leave, and a newcomer take it over."""
    path, before, after, newcomer = turn
    clerk.stage.draw(A, path)
    see(clerk, before)
    PICTURES[picture](clerk, path)
    clerk.list(*([] if leaves else [after]), newcomer)
    return (B,)


for names, turn, see, picture, leaves in (
    (("b11",), BY_STAFF_NO, adopt, "same", False),
    (("b",), BY_STAFF_NO, Clerk.adopt, "same", False),
    (("a",), BY_NAME, adopt, "same", False),
    (("a without a run",), BY_NAME, Clerk.adopt, "same", False),
    (("g2",), BY_FOLDER, adopt, "same", False),
    (("a2",), BY_NAME, see_sealed, "jpeg", False),
    (("a4",), BY_NAME, see_sealed, "scan", False),
    (("b2",), BY_STAFF_NO, see_sealed, "scan", False),
    (("b2 as JPEG",), BY_STAFF_NO, see_sealed, "jpeg", False),
    (("g3",), BY_FOLDER, see_sealed, "scan", False),
    (("g3 as JPEG",), BY_FOLDER, see_sealed, "jpeg", False),
    (("b3",), BY_STAFF_NO, see_sealed, "scan", True),
):
    scene(*names, turn=turn, see=see, picture=picture, leaves=leaves)(turn_over)
scene("a3", codes=(AMBIGUOUS, SHARED, SAME), turn=BY_NAME, see=see_sealed)(turn_over)


@scene("reissue")
def reissue_staff_numbers(clerk: Clerk) -> tuple[int, ...]:
    """All doctors were adopted; the hospital gives its staff numbers anew, newcomers get the first of them."""
    count, step = (40, 10) if LONG else (6, 2)
    clerk.has_colleagues = False
    doctors = [person(serial) for serial in range(1, count + 1)]
    for member in doctors:
        clerk.stage.draw(member.serial)
    clerk.adopt(*doctors)
    clerk.list(*doctors)
    clerk.run(code=0)
    renumbered = [replace(member, staff_no=f"{member.serial + step:05d}") for member in doctors]
    newcomers = [replace(person(count + index), staff_no=f"{index:05d}") for index in range(1, step + 1)]
    clerk.list(*renumbered, *newcomers)
    return tuple(member.serial for member in newcomers)


@scene("b12")
def replace_the_seal(clerk: Clerk) -> tuple[int, ...]:
    """The old seal was given up; its picture lies there as before, scanned anew."""
    path, before, after, newcomer = BY_STAFF_NO
    clerk.stage.draw(A, path)
    see_sealed(clerk, before)
    clerk.stage.replaced.update(
        seal.seal_id for seal in clerk.stage.service.seals if seal.number == before.number
    )
    scan_anew(clerk, path)
    clerk.run(code=3)
    ended = clerk.stage.go("resolve", before.name, "--replace", "--seal-name", "新处方章")
    assert ended.code == 0, ended.output
    clerk.list(after, newcomer)
    return (B,)


# -- the neighbours: every mark of a file, every end of the earlier row; the bearer remains or leaves


def turn_over_zip(clerk: Clerk, *, see, picture: str, leaves: bool) -> tuple[int, ...]:
    _, before, after, newcomer = BY_STAFF_NO
    clerk.zip(A, "00001.png")
    see(clerk, before)
    clerk.zip(A, "00001.png", drawing=6 if picture == "scan" else 0)
    clerk.list(*([] if leaves else [after]), newcomer)
    return (B,)


def turn_over_entry(clerk: Clerk, *, see, picture: str, leaves: bool) -> tuple[int, ...]:
    """The picture column of the newcomer's row holds what was in the bearer's."""
    clerk.stage.draw(A, "scan01.png")
    clerk.entries[A] = "scan01.png"
    see(clerk, person(A))
    clerk.entries[B] = clerk.entries.pop(A)
    PICTURES["same" if picture == "jpeg" else picture](clerk, "scan01.png")
    clerk.list(*([] if leaves else [person(A)]), person(B))
    return (B,)


def turn_over_cell(clerk: Clerk, *, see, picture: str, leaves: bool) -> tuple[int, ...]:
    """The newcomer is typed over the bearer's row; the picture in its cell remains."""
    clerk.put_in_cell(A, A)
    see(clerk, person(A))
    clerk.put_in_cell(B, A)
    del clerk.drawn[A]
    clerk.list(person(B), *([] if leaves else [person(A)]))
    return (B,)


TURNS: dict[str, Callable[..., tuple[int, ...]]] = {
    "staff number": partial(turn_over, turn=BY_STAFF_NO),
    "name": partial(turn_over, turn=BY_NAME),
    "folder": partial(turn_over, turn=BY_FOLDER),
    "zip": turn_over_zip,
    "entry": turn_over_entry,
    "cell": turn_over_cell,
}
NEIGHBOURS: dict[str, Scene] = {}
for index, ((mark, play), (fate, see_fate), is_gone) in enumerate(
    product(TURNS.items(), FATES.items(), (False, True))
):
    picture = "same" if mark == "cell" else list(PICTURES)[index % len(PICTURES)]
    NEIGHBOURS[f"{mark}, {fate}, {'left' if is_gone else 'remains'}, {picture}"] = Scene(
        partial(play, see=see_fate, picture=picture, leaves=is_gone), frozenset({AMBIGUOUS, SAME, SHARED})
    )


# -- C2: the earlier bearer has no seal


def list_namesakes(clerk: Clerk) -> tuple[Person, Person]:
    return replace(person(A), name=ZHANG), replace(person(B), name=ZHANG)


@scene("k1")
def contest_a_name(clerk: Clerk) -> tuple[int, ...]:
    bearer, other = list_namesakes(clerk)
    clerk.stage.draw(A, f"{ZHANG}.png")
    clerk.list(bearer, other)
    clerk.run(code=3)
    clerk.list(other)
    return (B,)


@scene("k1, a run later")
def contest_a_name_and_wait(clerk: Clerk) -> tuple[int, ...]:
    held = contest_a_name(clerk)
    clerk.run()
    clerk.run()
    return held


@scene("k1, scanned anew")
def contest_a_name_and_scan(clerk: Clerk) -> tuple[int, ...]:
    held = contest_a_name(clerk)
    scan_anew(clerk, f"{ZHANG}.png")
    return held


@scene("k2")
def contest_a_name_in_a_folder(clerk: Clerk) -> tuple[int, ...]:
    bearer, other = list_namesakes(clerk)
    clerk.stage.draw(A, f"内科/{ZHANG}.png")
    clerk.list(bearer, other)
    clerk.run(code=3)
    clerk.list(replace(bearer, department="外科"), other)
    return (B,)


@scene("k3")
def contest_a_staff_number(clerk: Clerk) -> tuple[int, ...]:
    """Two rows have one staff number by a slip, which is corrected on the wrong row."""
    clerk.stage.draw(A)
    clerk.list(person(A), replace(person(B), staff_no="00001"))
    clerk.run(code=3)
    clerk.list(replace(person(A), staff_no="00002"), replace(person(B), staff_no="00001"))
    return (B,)


@scene("b9", codes=(AMBIGUOUS, SAME))
def leave_without_a_verdict(clerk: Clerk) -> tuple[int, ...]:
    """A better scan lies there, and a namesake joins."""
    turn_over(clerk, turn=BY_NAME, see=see_unknown, picture="scan", leaves=True)
    return (B,)


scene("b8", turn=BY_STAFF_NO, see=see_unknown, picture="scan")(turn_over)
scene("b8 with the same bytes", codes=(AMBIGUOUS, SHARED, SAME), turn=BY_STAFF_NO, see=see_unknown)(turn_over)
scene("b10", turn=BY_STAFF_NO, see=see_existing, picture="scan", leaves=True)(turn_over)
scene(
    "b10 with the same bytes",
    codes=(AMBIGUOUS, SHARED, SAME),
    turn=BY_STAFF_NO,
    see=see_existing,
    leaves=True,
)(turn_over)
scene("b14", turn=BY_STAFF_NO, see=see_not_sent, leaves=True)(turn_over)
scene("b13", turn=BY_STAFF_NO, see=see_short_number, leaves=True)(turn_over)


@scene("b15")
def exchange_staff_numbers(clerk: Clerk) -> tuple[int, ...]:
    """Two doctors wait for a corrected mobile; then their staff numbers are exchanged."""
    one, other = person(A), person(B)
    for member in (one, other):
        clerk.stage.draw(member.serial)
    clerk.list(replace(one, mobile="154"), replace(other, mobile="154"))
    clerk.run(code=3)
    clerk.list(replace(one, staff_no=other.staff_no), replace(other, staff_no=one.staff_no))
    return (A, B)


# -- C3: what is edited in a marked copy


def edit_copy(clerk: Clerk, *edits: tuple[int, dict[str, str]]) -> None:
    """Edit the lines of doctors in the marked copy and save it in the roster's place: serial -> title -> text."""
    path = clerk.stage.folder / "out" / "latest" / "rosters" / clerk.file
    book = openpyxl.load_workbook(path)
    sheet = book.active
    titles = [cell.value for cell in sheet[1]]
    lines = {sheet.cell(row, titles.index("工号") + 1).value: row for row in range(2, sheet.max_row + 1)}
    for serial, cells in edits:
        for title, text in cells.items():
            sheet.cell(lines[f"{serial:05d}"], titles.index(title) + 1).value = text
    book.save(clerk.stage.folder / "inbox" / clerk.file)


def give_person(serial: int, *titles: str) -> dict[str, str]:
    """Return a doctor's cells by title, by default name and number."""
    member = person(serial)
    cells = dict(zip(("姓名", "证件号码", "手机号", "工号", "科室"), member.cells, strict=True))
    return {title: cells[title] for title in titles or ("姓名", "证件号码")}


NEW = 30  # a doctor who is in no roster before


def open_copy(clerk: Clerk, *, damage: str, entries: bool = False) -> None:
    """Run over two doctors with one damaged cell each, so that a marked copy with yellow rows lies there."""
    pair = [person(A), person(B)]
    damages = {
        "number": [{"number": member.number[:-1]} for member in pair],
        "mobile": [{"mobile": member.mobile[:6]} for member in pair],
        "name and number": [{"name": f"{member.name}1", "number": member.number[:-1]} for member in pair],
    }
    for member in pair:
        path = f"scan{member.serial:02d}.png" if entries else None
        clerk.stage.draw(member.serial, path)
        if path:
            clerk.entries[member.serial] = path
    clerk.list(*(replace(member, **cells) for member, cells in zip(pair, damages[damage], strict=True)))
    clerk.run(code=3)
    clerk.stage.know(NEW)


@scene("m4", is_copy=True, damage="number", entries=True)
@scene("m4, the mobile was wrong", is_copy=True, damage="mobile", entries=True, mobile=True)
@scene("m15", is_copy=True, damage="number", entries=False, mobile=True)
@scene("m15, the mobile was wrong", is_copy=True, damage="mobile", entries=False, mobile=True)
def overwrite_a_row(clerk: Clerk, *, damage: str, entries: bool, mobile: bool = False) -> tuple[int, ...]:
    """A new doctor is typed over a yellow row; its picture entry or its staff number remains."""
    open_copy(clerk, damage=damage, entries=entries)
    titles = ("姓名", "证件号码", "手机号") if mobile else ("姓名", "证件号码")
    edit_copy(clerk, (A, give_person(NEW, *titles)))
    return (NEW,)


@scene("m5", is_copy=True, damage="number")
@scene("m5, names were wrong too", is_copy=True, damage="name and number")
@scene("m5, the mobile was wrong", is_copy=True, damage="mobile")
def paste_in_another_order(clerk: Clerk, *, damage: str) -> tuple[int, ...]:
    """Corrected names and numbers are pasted in the other order; files are named by staff number."""
    open_copy(clerk, damage=damage)
    titles = ("姓名", "证件号码", "手机号") if damage == "mobile" else ("姓名", "证件号码")
    edit_copy(clerk, (A, give_person(B, *titles)), (B, give_person(A, *titles)))
    return (A, B)


@scene("m16", is_copy=True, damage="number")
@scene("m16, the mobile was wrong", is_copy=True, damage="mobile")
def exchange_entries(clerk: Clerk, *, damage: str) -> tuple[int, ...]:
    """The picture column was sorted apart while the rows were corrected."""
    open_copy(clerk, damage=damage, entries=True)
    right = {serial: give_person(serial, "证件号码", "手机号") for serial in (A, B)}
    edit_copy(
        clerk,
        (A, {**right[A], "印章图片": clerk.entries[B]}),
        (B, {**right[B], "印章图片": clerk.entries[A]}),
    )
    return (A, B)


# -- M0: a staff number that is known from `adopt` alone


@scene("b5")
@scene("b5b", leaves=True)
def name_the_file_of_an_adopted_doctor(clerk: Clerk, *, leaves: bool = False) -> tuple[int, ...]:
    """The newcomer's picture entry names the file that bears the adopted doctor's staff number."""
    clerk.stage.draw(A)
    clerk.adopt(person(A))
    clerk.entries[B] = "00001.png"
    clerk.list(*([] if leaves else [replace(person(A), staff_no="90001")]), person(B))
    return (B,)


# -- H1: one doctor in two spellings

SPELLINGS = (
    ("阿依古丽·买买提", "阿依古丽买买提"),
    ("吕布", "呂布"),
    ("张靓颖", "张靚颖"),
    ("于飞", "於飞"),
    ("欧阳娜娜", "歐陽娜娜"),
)


def list_spellings(names: tuple[str, str]) -> tuple[Person, Person]:
    """Return doctor A as first listed, and under the corrected number in the other spelling."""
    return replace(person(A), name=names[0]), replace(person(A), name=names[1], number=number(OTHER))


def correct_and_respell(clerk: Clerk, *, names: tuple[str, str], see) -> tuple[int, ...]:
    first, corrected = list_spellings(names)
    clerk.stage.draw(A)
    see(clerk, first)
    (clerk.seals / "00001.png").unlink()
    clerk.stage.draw(A, f"{corrected.number}.png", drawing=6)
    clerk.list(corrected)
    clerk.stage.know(A, number(A), number(OTHER))
    return (OTHER,)


def list_in_two_rosters(clerk: Clerk, *, names: tuple[str, str]) -> tuple[int, ...]:
    """Both spellings come in one run, each with a picture of its own."""
    first, corrected = list_spellings(names)
    clerk.list(first)
    clerk.stage.roster([corrected.cells], file="second.xlsx")
    clerk.stage.draw(A, f"{first.number}.png")
    clerk.stage.draw(A, f"{corrected.number}.png", drawing=6)
    clerk.stage.know(A, number(A), number(OTHER))
    return (A, OTHER)


for index, pair in enumerate(SPELLINGS, 1):
    scene(f"e4, pair {index}", codes=(SAME,), names=pair, see=see_sealed)(correct_and_respell)
    scene(f"e2, pair {index}", codes=(SAME,), names=pair, see=see_unknown)(correct_and_respell)
    scene(f"e5, pair {index}", codes=(SAME,), names=pair)(list_in_two_rosters)
