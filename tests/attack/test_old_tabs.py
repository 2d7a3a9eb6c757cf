"""Forms that were shown before the rosters moved: whatever stands in the row by now, they decide about whom they showed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from attack.page_clerk import LOOKS
from attack.page_hospital import FILES, Line, PageHospital, write_down
from attack.page_life import PageLife
from attack.stage import CREATE

ZHANG = "张伟"
KINDS = {"give", "choose", "save", "judge", "decide", "send"}


def prepare(story: PageLife) -> None:
    """Make a hospital that waits for decisions of each kind, several beside each other."""
    hospital, stage = story.hospital, story.stage
    lost, changed = hospital.join(habit="number"), hospital.join(habit="staff_no")
    for human in (lost, changed):
        hospital.put_picture(hospital.name_picture(human), hospital.draw(human))
    stage.strike({"match": {"action": CREATE, "user_name": lost.name}, "do": "reset_after"})
    hospital.write(FILES[0])
    story.command("run", "--accept-guards")
    stage.strike()
    changed.drawing += 1
    hospital.put_picture(hospital.name_picture(changed), hospital.draw(changed))
    without = [hospital.join(habit="scan") for _ in range(4)]
    namesakes = [hospital.join(habit="name", name=ZHANG) for _ in range(3)]
    damaged = [hospital.join(habit="staff_no") for _ in range(2)]
    ready = [hospital.join(habit="staff_no") for _ in range(3)]
    for human in (*without, *damaged, *ready):
        hospital.put_picture(hospital.name_picture(human), hospital.draw(human))
    for ending, human in zip(("", " (2)", " (3)"), namesakes, strict=True):
        hospital.put_picture(f"{ZHANG}{ending}.png", hospital.draw(human))
    lines = [
        write_down(human) for human in (ready[0], *without, *namesakes, *damaged, *ready[1:], lost, changed)
    ]
    for line in lines:
        if line.human in damaged:
            line.cells["number"] = line.cells["number"][:-1]
    hospital.rosters[FILES[0]] = lines
    hospital.write(FILES[0])
    story.wait()
    story.command("check")


def exchange(*keys: str) -> Callable[[PageHospital, list[Line]], None]:
    """Return a move that exchanges these cells of each two rows."""

    def move(_: PageHospital, lines: list[Line]) -> None:
        for one, other in zip(lines[::2], lines[1::2], strict=False):
            for key in keys:
                one.cells[key], other.cells[key] = other.cells[key], one.cells[key]

    return move


def exchange_rows(_: PageHospital, lines: list[Line]) -> None:
    lines[:] = [line for pair in zip(lines[1::2], lines[::2], strict=True) for line in pair]


def exchange_persons(hospital: PageHospital, lines: list[Line]) -> None:
    """Exchange names and numbers of each two rows; staff numbers and the rest stay in their places."""
    exchange_rows(hospital, lines)
    exchange("mobile", "staff_no", "department")(hospital, lines)


def remove_above(_: PageHospital, lines: list[Line]) -> None:
    lines.pop(0)


def insert_above(hospital: PageHospital, lines: list[Line]) -> None:
    hospital.insert(lines)


def shuffle(hospital: PageHospital, lines: list[Line]) -> None:
    hospital.sort(lines)


def turn(_: PageHospital, lines: list[Line]) -> None:
    lines.insert(0, lines.pop())


def split(hospital: PageHospital, lines: list[Line]) -> None:
    """Put every second row into a roster of its own, in which it has the place of another one."""
    hospital.rosters[FILES[1]] = lines[1::2]
    lines[:] = lines[::2]


def employ_others(hospital: PageHospital, lines: list[Line]) -> None:
    """Let newcomers stand in the places of all."""
    places = len(lines)
    lines.clear()
    for _ in range(places):
        hospital.join()


def rename_roster(hospital: PageHospital, lines: list[Line]) -> None:
    """Save the roster under another name, and others under its own."""
    hospital.rosters[FILES[1]] = [*lines]
    lines.clear()
    for _ in range(len(hospital.rosters[FILES[1]])):
        hospital.insert(lines)


MOVES = {
    "rows exchanged": exchange_rows,
    "names exchanged": exchange("name"),
    "numbers exchanged": exchange("number"),
    "persons exchanged": exchange_persons,
    "a row removed": remove_above,
    "a row inserted": insert_above,
    "sorted anew": shuffle,
    "turned": turn,
    "split": split,
    "others in their places": employ_others,
    "another roster of the name": rename_roster,
}


@pytest.mark.parametrize("checks", [True, False], ids=["check", "no check"])
@pytest.mark.parametrize("move", MOVES)
def test_a_form_of_an_old_tab_decides_about_whom_it_showed(open_pages, move, checks):
    story = PageLife(open_pages, Random(1), size=0)
    prepare(story)
    hospital, clerk = story.hospital, story.clerks[0]
    clerk.opens_all = True
    kept = [intent for page in LOOKS for intent in clerk.look(page) if not intent.is_slip]
    assert {intent.kind for intent in kept} >= KINDS
    MOVES[move](hospital, hospital.rosters[FILES[0]])
    for file in hospital.rosters:
        hospital.write(file)
    hospital.log.append(f"  {move}: {hospital.describe()}")
    if checks:
        story.command("check")
    for intent in sorted(kept, key=lambda intent: intent.kind == "send"):
        clerk.send(intent)
    story.settle()
    story.assert_clean()
    story.end()
    story.assert_clean()
