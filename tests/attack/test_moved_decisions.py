"""Decisions on pictures that were made while a row bore another's number or name: what is corrected later carries none away.

A clerk decides on the page by the names that she reads. How she decides, how the roster was wrong, what happens before the
correction, and how it is corrected are walked through.
"""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable
from random import Random

import openpyxl
import pytest
from attack.clerk import ENTRY
from attack.marks import draw_mark
from attack.page_forms import list_forms
from attack.page_hospital import FILES, Human, Line, write_down
from attack.page_life import PageLife
from openpyxl.drawing.image import Image as Drawing
from people import name
from PIL import Image

DOCTORS = 4  # of whom a decision is made; one more is sent between


# -- how the roster was wrong


def exchange(key: str) -> Callable[[PageLife, list[Line]], None]:
    """Return a slip that moves a cell of the rows to the next one: of two rows an exchange."""

    def slip(_: PageLife, lines: list[Line]) -> None:
        texts = [line.cells[key] for line in lines]
        for line, text in zip(lines, texts[-1:] + texts[:-1], strict=True):
            line.cells[key] = text

    return slip


def exchange_pairs(story: PageLife, lines: list[Line]) -> None:
    exchange("number")(story, lines[:2])
    exchange("number")(story, lines[2:])


def bear_numbers_of_others(story: PageLife, lines: list[Line]) -> None:
    """Let the rows bear the numbers of doctors who join when the rows are corrected."""
    listed = story.hospital.rosters[FILES[0]]
    before = [*listed]
    for line in lines:
        line.cells["number"] = story.hospital.join().number
    listed[:] = before


def rename_and_exchange(story: PageLife, lines: list[Line]) -> None:
    """Exchange numbers of doctors who have just got other names."""
    for line in lines:
        line.human.name = line.cells["name"] = name(line.human.serial + 500)
        line.human.names.add(line.human.name)
    exchange_pairs(story, lines)


SLIPS = {
    "numbers exchanged": exchange_pairs,
    "numbers shifted": exchange("number"),
    "names shifted": exchange("name"),
    "numbers of others": bear_numbers_of_others,
    "renamed, exchanged": rename_and_exchange,
}

# -- how a clerk decides


def name_as_scan(story: PageLife, human: Human) -> list[str]:
    return [story.hospital.name_picture(human)]


def name_twice(_: PageLife, human: Human) -> list[str]:
    return [f"{human.name}.png", f"{human.name} (2).png"]


def name_by_name(_: PageLife, human: Human) -> list[str]:
    return [f"{human.name}.png"]


WAYS = {"give": name_as_scan, "choose": name_twice, "judge": name_by_name}
PAGES = {"give": "pictures", "choose": "rows", "judge": "review"}


def decide(story: PageLife, way: str) -> int:
    """Decide on the page all that a clerk can; return how many decisions were accepted."""
    clerk, accepted = story.clerks[0], 0
    for _ in range(2 * DOCTORS):
        intents = [one for one in clerk.look(PAGES[way]) if one.kind == way and not one.is_slip]
        if not intents:
            break
        accepted += clerk.send(intents[0])
        story.settle()
    return accepted


# -- what happens before the correction


def send_another(story: PageLife) -> None:
    """Send a doctor who has nothing to do with it, on the page."""
    clerk = story.clerks[1]
    another = story.hospital.get_human(DOCTORS + 1)
    for form in list_forms(clerk.see("/send"), "/send"):
        boxes = [box for box in form.node.list_all("label") if another.staff_no in box.text]
        (row,) = [box.list_all("input")[0].attributes["value"] for box in boxes]
        clerk.client.post(form.action, {**form.values, "accept": "yes", "which": "chosen", "row": row})
    story.settle()
    assert any(seal.number == another.number for seal in story.stage.service.seals)


BETWEEN: dict[str, Callable[[PageLife], None]] = {
    "nothing": lambda _: None,
    "a check": lambda story: story.command("check"),
    "a run of another": send_another,
}

# -- how it is corrected


def correct_in_excel(story: PageLife) -> None:
    story.hospital.mend([])
    story.hospital.write(FILES[0])


def correct_on_the_page(story: PageLife) -> None:
    """Correct each cell in its form, and then write what the page does not offer."""
    clerk = story.clerks[1]
    clerk.opens_all = True
    for _ in range(2 * DOCTORS):
        intents = [one for one in clerk.look("rows") if one.kind == "save"]
        if not intents:
            break
        clerk.send(intents[0])
        story.settle()
    correct_in_excel(story)


def drop_a_corrected_roster(story: PageLife) -> None:
    hospital, clerk = story.hospital, story.clerks[1]
    path = story.stage.folder / "inbox" / FILES[0]
    wrong = path.read_bytes()
    correct_in_excel(story)
    right = path.read_bytes()
    path.write_bytes(wrong)
    assert clerk.drop(FILES[0], right) == "waiting"
    hospital.dice.seed(1)
    for intent in clerk.look("drop"):
        clerk.client.post(intent.action, {**intent.fields, "answer": "replace"})
    assert path.read_bytes() == right
    story.settle()


CORRECTIONS = {
    "in Excel": correct_in_excel,
    "on the page": correct_on_the_page,
    "dropped": drop_a_corrected_roster,
}


COURSES = (  # what happens before the correction, and how it is corrected
    ("nothing", "in Excel"),
    ("nothing", "on the page"),
    ("a check", "dropped"),
    ("a run of another", "in Excel"),
    ("a run of another", "on the page"),
)


WALK = [  # what a file is named by holds most of the other two
    (slip, way, *course)
    for slip in SLIPS
    for way in WAYS
    for course in (COURSES if way == "give" else COURSES[1:4:2])
]


@pytest.mark.parametrize(("slip", "way", "between", "correction"), WALK, ids=map(" · ".join, WALK))
def test_a_decision_passes_to_no_other_doctor_once_the_roster_is_corrected(
    open_pages, slip, way, between, correction
):
    story = PageLife(open_pages, Random(1), size=0)
    hospital = story.hospital
    doctors = [hospital.join(habit="scan") for _ in range(DOCTORS)]
    another = hospital.join(habit="staff_no")
    lines = hospital.rosters[FILES[0]] = [write_down(another)]
    hospital.write(FILES[0])
    story.command("run", "--accept-guards")  # there is a ledger, and the doctor has no picture
    hospital.put_picture(hospital.name_picture(another), hospital.draw(another))
    slips = [write_down(human) for human in doctors]
    SLIPS[slip](story, slips)
    lines[:] = [*slips, *lines]
    hospital.write(FILES[0])
    for human in doctors:
        for path in WAYS[way](story, human):
            hospital.put_picture(path, hospital.draw(human))
            human.drawing += 1
    story.command("check")
    assert decide(story, way)
    BETWEEN[between](story)
    CORRECTIONS[correction](story)
    listed = [line.human for line in lines]
    lines += [write_down(human) for human in hospital.humans if human not in listed]
    hospital.write(FILES[0])
    story.command("run", "--accept-guards")
    story.assert_clean()
    story.end()
    story.assert_clean()


# -- a picture that was judged wrong, and is saved anew


def save_in(suffix: str, **options: object) -> Callable[[PageLife, Human, Image.Image], None]:
    """Return a way to save a picture of the same pixels under its name, but for the ending."""

    def save(story: PageLife, human: Human, picture: Image.Image) -> None:
        folder = story.stage.folder / "seals"
        (folder / f"{human.staff_no}.png").unlink()
        picture.save(folder / f"{human.staff_no}{suffix}", **options)

    return save


def save_under(key: str) -> Callable[[PageLife, Human, Image.Image], None]:
    """Return a way to save it anew under another name that is the doctor's."""

    def save(story: PageLife, human: Human, picture: Image.Image) -> None:
        folder = story.stage.folder / "seals"
        (folder / f"{human.staff_no}.png").unlink()
        (folder / human.department).mkdir(exist_ok=True)
        picture.save(folder / f"{getattr(human, key)}.png".replace("#", human.department), compress_level=1)

    return save


def put_into_a_folder(story: PageLife, human: Human, picture: Image.Image) -> None:
    save_in(".png")(story, human, picture)
    folder = story.stage.folder / "seals"
    (folder / human.department).mkdir(exist_ok=True)
    (folder / f"{human.staff_no}.png").rename(folder / human.department / f"{human.name}.png")


def drop_a_zip(story: PageLife, human: Human, picture: Image.Image) -> None:
    """Drop it on the page, in a zip, under the doctor's name."""
    (story.stage.folder / "seals" / f"{human.staff_no}.png").unlink()
    stream, saved = io.BytesIO(), io.BytesIO()
    picture.save(saved, "PNG", compress_level=0)
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"{human.name}.png", saved.getvalue())
    assert story.clerks[0].drop("pictures.zip", stream.getvalue()) == "unpacked"
    story.settle()


def put_into_the_cell(story: PageLife, human: Human, picture: Image.Image) -> None:
    """Let it float over the row's own cell."""
    (story.stage.folder / "seals" / f"{human.staff_no}.png").unlink()
    saved = story.stage.folder / "cell.png"
    picture.save(saved, compress_level=0)
    path = story.stage.folder / "inbox" / FILES[0]
    book = openpyxl.load_workbook(path)
    row = next(index for index, line in enumerate(story.hospital.lines, start=2) if line.human is human)
    floating = Drawing(str(saved))
    floating.width, floating.height = 36, 16
    book.active["F1"] = ENTRY
    book.active.add_image(floating, f"F{row}")
    book.save(path)


SAVES = {
    "PNG": save_in(".png", compress_level=0),
    "BMP": save_in(".bmp"),
    "TIFF": save_in(".tif"),
    "GIF": save_in(".gif"),
    "by number": save_under("number"),
    "by name": save_under("name"),
    "folder": put_into_a_folder,
    "zip": drop_a_zip,
    "cell": put_into_the_cell,
}


def test_a_wrong_picture_stays_wrong_however_it_is_saved(open_pages):
    """Each doctor's file shows somebody else; a clerk says so, and the file is saved anew in another way for each."""
    story = PageLife(open_pages, Random(1), size=0)
    hospital, clerk = story.hospital, story.clerks[0]
    colleague = hospital.join(habit="staff_no")
    hospital.put_picture(hospital.name_picture(colleague), hospital.draw(colleague))
    hospital.write(FILES[0])
    story.command("run", "--accept-guards")
    doctors = [hospital.join(habit="staff_no") for _ in SAVES]
    for human in doctors:
        stranger = Human(500 + human.serial, "", "", "", "", "", "")
        hospital.put_picture(hospital.name_picture(human), hospital.draw(stranger))
    hospital.write(FILES[0])
    story.command("check")
    wrong = [intent for intent in clerk.look("review") if intent.fields["judged"] == "wrong"]
    assert len(wrong) == len(SAVES)
    assert all(map(clerk.send, wrong))
    story.settle()
    for human, save in zip(doctors, SAVES.values(), strict=True):
        save(story, human, draw_mark(500 + human.serial))
    for _ in range(2):
        story.command("run", "--accept-guards")
        assert [seal.number for seal in story.stage.service.seals] == [colleague.number], hospital.log
    codes = {row["name"]: row["codes"] for row in story.stage.outcomes()}
    held = {way: codes[human.name] for way, human in zip(SAVES, doctors, strict=True)}
    assert all("REVIEW_WRONG" in of_row for of_row in held.values()), held
    shutil.rmtree(story.stage.folder / "seals")
    story.end()
    story.assert_clean()
    assert len(story.stage.service.seals) == 1 + len(doctors), "each has the own picture now"
