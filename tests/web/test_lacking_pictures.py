"""Rows that have no picture of their own, whatever the reason: each is finished on the page, from the row and from the list of pictures."""

import hashlib
import html
import re

import pytest
from page_support import PageThread, find_forms, wait_for_checks
from people import make_row, name, number
from PIL import Image
from run_support import draw_seal

HEADERS = ("姓名", "证件号码", "手机号", "工号", "科室", "印章图片")
DIGESTS = {}


def make_person(serial, entry="", **changes):
    return (*make_row(serial, **changes), entry)


def put(hospital, serial, file):
    """Write the picture of a serial under a name."""
    path = hospital.folder / "seals" / file
    draw_seal(path, serial)
    DIGESTS[serial] = hashlib.sha256(path.read_bytes()).hexdigest()


EARLIER, LEFT, STRANGER = 5, 24, 40
PEOPLE = (
    # two namesakes, whose one picture fits both by name
    make_person(1),
    make_person(2, name=name(1)),
    # two of different departments
    make_person(3),
    make_person(4, name=name(3), department="外科"),
    # three, of whom one is sealed
    make_person(EARLIER),
    make_person(6, name=name(EARLIER)),
    make_person(7, name=name(EARLIER)),
    # one has two pictures, of which one is another doctor's
    make_person(8),
    make_person(9),
    # two doctors with the same picture
    make_person(10),
    make_person(11),
    # a damaged picture, and a blank one
    make_person(12),
    make_person(13),
    # a picture of the name of a doctor who left
    make_person(14, name=name(LEFT)),
    # entries: one that is refused, one of a file that is not there, one of another doctor's file
    make_person(15, "../15.png"),
    make_person(16, "16.png"),
    make_person(17, f"{name(18)}.png"),
    make_person(18),
    # a picture that is judged wrong
    make_person(19),
)
FILES = {
    f"{name(1)}.png": 1,
    f"{name(1)}2.png": 2,
    f"{name(3)}.png": 3,
    "scan4.png": 4,
    f"{name(EARLIER)}2.png": 6,
    f"{name(EARLIER)}3.png": 7,
    f"{name(8)}.png": 8,
    f"{name(8)} (2).png": 9,
    "00010.png": 10,
    "00011.png": 10,
    "scan11.png": 11,
    "scan12.png": 12,
    "scan13.png": 13,
    f"{name(LEFT)}.png": STRANGER,
    "scan14.png": 14,
    "scan15.png": 15,
    "scan16.png": 16,
    "scan17.png": 17,
    f"{name(18)}.png": 18,
    "00019.png": STRANGER + 1,
    "scan19.png": 19,
}
GIVEN = set(range(1, 20)) - {
    EARLIER,
    10,
}  # one is sealed, one has the shared picture once the other has another one


@pytest.fixture
def ward(hospital):
    hospital.roster([make_person(EARLIER), make_person(LEFT)], headers=HEADERS)
    put(hospital, EARLIER, f"{name(EARLIER)}.png")
    put(hospital, LEFT, f"{name(LEFT)}.png")
    assert hospital.go("run", "--yes") == 0
    hospital.roster(PEOPLE, headers=HEADERS)
    for file, serial in FILES.items():
        put(hospital, serial, file)
    (hospital.folder / "seals" / "00012.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    Image.new("RGB", (120, 60), "white").save(hospital.folder / "seals" / "00013.png")
    return hospital


def find_row(text, serial):
    (part,) = [part for part in text.split('<tbody class="row')[1:] if f">{serial:05d}<" in part]
    return part


def give_from_row(inside, serial):
    """Give a doctor the own picture in the row: what may be it is shown, the other pictures once they are asked for."""
    row = find_row(inside.get("/rows").text, serial)
    if DIGESTS[serial] not in row:
        (link,) = re.findall(r'hx-get="(/rows/row/\w+\?pictures)"', row)
        row = inside.get(link, HX_Request="true").text
    ((_, form),) = [form for form in find_forms(row, "/rows/choose") if form[1]["picture"] == DIGESTS[serial]]
    return inside.post("/rows/choose", form, HX_Request="true")


def give_from_pictures(inside, serial):
    forms = find_forms(inside.get("/rows/pictures").text, "/rows/pictures/give")
    ((text, form),) = [form for form in forms if form[1]["picture"] == DIGESTS[serial]]
    (stamp,) = set(re.findall(rf'<option value="(\w+)">[^<]*{serial:05d}', text))
    return inside.post("/rows/pictures/give", {**form, "row": stamp}, HX_Request="true")


@pytest.mark.parametrize("give", [give_from_row, give_from_pictures])
def test_every_row_without_a_picture_is_finished_on_the_page(ward, give):
    with PageThread(ward.folder / "config.yaml") as page:
        inside = page.enter()
        ward.go("check")
        cards = inside.post("/review/cards", {"chosen": "all"}, HX_Request="true").text
        (card,) = [card for card in cards.split("<article ")[1:] if ">00019 · " in card]
        ((_, form),) = find_forms(card, "/review/judge")
        assert inside.post("/review/judge", {**form, "judged": "wrong"}).status == 200
        assert ward.go("check") == 3
        assert not [line for line in ward.outcomes("plan.jsonl") if line["status"] == "ready"]
        for serial in GIVEN:
            answer = give(inside, serial)
            assert (answer.status, "图片已给" in answer.text) == (200, True), serial
        wait_for_checks(inside)
        assert "没有图片的" not in inside.get("/rows").text
        assert page.failures == []
    assert ward.go("run", "--yes") == 0
    service = ward.service
    sent = {seal.number: hashlib.sha256(service.pictures[seal.picture]).hexdigest() for seal in service.seals}
    people = (*range(1, 20), LEFT)
    assert sent == {number(serial): DIGESTS[serial] for serial in people}


def test_the_page_says_why_a_picture_was_not_taken(hospital):
    """And offers the second namesake nothing that the first one has."""
    hospital.roster([make_row(1), make_row(2, name=name(1), department="外科")])
    put(hospital, 1, f"{name(1)}.png")
    hospital.go("check")
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter()
        who = [
            " · ".join((name(1), f"0000{n}", ward, number(n)[-4:])) for n, ward in ((1, "内科"), (2, "外科"))
        ]
        text = html.unescape(inside.get("/rows").text)
        assert [f"也可能是 {who[1 - n]} 的" in find_row(text, n + 1) for n in (0, 1)] == [True, True]
        text = html.unescape(inside.get("/rows/pictures").text)
        assert f"可能是：{who[0]}、{who[1]}" in text
        assert text.count("没有采用") == 2, "why is beside each doctor"
        assert give_from_row(inside, 1).status == 200
        row = html.unescape(find_row(inside.get("/rows").text, 2))
        assert f"已是 {who[0]} 的" in row
        assert "都不能用于" in row
        assert 'href="/drop"' in row, "there is no other picture"
        put(hospital, 2, "scan.png")
        hospital.go("check")
        row = find_row(inside.get("/rows").text, 2)
        assert "从没有人用的图片里选（1）" in row
        assert give_from_row(inside, 2).status == 200
        wait_for_checks(inside)
        assert page.failures == []
    assert {line["status"] for line in hospital.outcomes("plan.jsonl")} == {"ready"}


def test_a_picture_that_a_namesake_has_by_the_picture_column_is_not_offered(hospital):
    rows = [make_person(1, f"{name(1)}.png"), make_person(2, name=name(1))]
    hospital.roster(rows, headers=HEADERS)
    put(hospital, 1, f"{name(1)}.png")
    hospital.go("check")
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter()
        row = html.unescape(find_row(inside.get("/rows").text, 2))
        assert f"已是 {name(1)} · 00001 · 内科 · {number(1)[-4:]} 的" in row
        assert find_forms(row, "/rows/choose") == []
        assert find_forms(inside.get("/rows/pictures").text, "/rows/pictures/give") == []


def choose(inside, serial, picture):
    """Give a doctor one of the pictures that the row shows."""
    forms = find_forms(find_row(inside.get("/rows").text, serial), "/rows/choose")
    ((_, form),) = [form for form in forms if form[1]["picture"] == DIGESTS[picture]]
    assert inside.post("/rows/choose", form, HX_Request="true").status == 200
    wait_for_checks(inside)


def resolve(hospital, inside, kind, value=""):
    """Enter a decision on the first case that offers it, answer the question, and check."""
    forms = [form for _, form in find_forms(inside.get("/cases/list").text, "/cases/decide")]
    form = next(form for form in forms if form["kind"] == kind)
    answer = inside.post("/cases/decide", {**form, "value": value, "why": ""})
    for _, asked in find_forms(answer.text, "/cases/decide"):
        answer = inside.post("/cases/decide", asked)
    assert answer.status == 200
    hospital.go("check")


def judge_new_seals(hospital, names):
    """Send; each doctor's new seal shows the own picture."""
    assert hospital.go("run", "--yes") == 0
    service = hospital.service
    new = [seal for seal in service.seals if seal.seal_name in names]
    sent = {seal.number: hashlib.sha256(service.pictures[seal.picture]).hexdigest() for seal in new}
    assert sent == {number(serial): DIGESTS[serial] for serial in (1, 2)}


NEW_NAMES = ("新一处方章", "新二处方章")


def test_pictures_of_namesakes_that_were_crossed_and_sent_are_set_right(hospital):
    hospital.roster([make_row(1), make_row(2, name=name(1))])
    put(hospital, 1, f"{name(1)}.png")
    put(hospital, 2, f"{name(1)} (2).png")
    hospital.go("check")
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter()
        choose(inside, 1, 2)
        choose(inside, 2, 1)
        assert hospital.go("run", "--yes") == 0
        for _, form in find_forms(inside.get("/rows/pictures").text, "/rows/pictures/withdraw"):
            assert inside.post("/rows/pictures/withdraw", form).status == 200
            wait_for_checks(inside)
        choose(inside, 1, 1)
        choose(inside, 2, 2)
        for new_name in NEW_NAMES:
            resolve(hospital, inside, "replace", new_name)
        assert page.failures == []
    judge_new_seals(hospital, NEW_NAMES)


@pytest.mark.parametrize("kept", ["bytes", "pixels"])
def test_files_that_were_crossed_and_sent_are_set_right(hospital, kept):
    """The picture of a seal that was given up is another doctor's only by a person's decision, who sees it."""
    hospital.roster([make_row(1), make_row(2)])
    put(hospital, 2, "00001.png")
    put(hospital, 1, "00002.png")
    assert hospital.go("run", "--yes") == 0
    for serial in (1, 2):
        put(hospital, serial, f"{serial:05d}.png")
        if kept == "pixels":
            path = hospital.folder / "seals" / f"{serial:05d}.png"
            with Image.open(path) as picture:
                picture.save(path, compress_level=1)
            DIGESTS[serial] = hashlib.sha256(path.read_bytes()).hexdigest()
    hospital.go("check")
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter()
        resolve(hospital, inside, "replace", NEW_NAMES[0])
        row = html.unescape(find_row(inside.get("/rows").text, 1))
        assert f"已经用于另一位医生的印章“{name(2)}处方章”" in row
        resolve(hospital, inside, "replace", NEW_NAMES[1])
        assert not [line for line in hospital.outcomes("plan.jsonl") if line["status"] == "ready"]
        text = inside.get("/cases/list").text
        for serial in (1, 2):
            assert inside.get(f"/rows/pictures/{DIGESTS[serial]}").status == 200
            assert f'src="/rows/pictures/{DIGESTS[serial]}"' in text
            resolve(hospital, inside, "keep")
        assert page.failures == []
    judge_new_seals(hospital, NEW_NAMES)
