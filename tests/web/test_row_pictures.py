"""Pictures that no row matched: shown by their digest, given to a doctor, taken back, refused where another one has them."""

import hashlib
import html
import io
import json
import re

import openpyxl
import pytest
from openpyxl.drawing.image import Image as Drawing
from page_support import PageThread, find_forms, judge, wait_for_checks
from people import make_row, name, number
from PIL import Image
from run_support import draw_seal, wait_until

from pipeline.domain.roster import Field
from pipeline.web.rows.checked_rows import CheckedRows


@pytest.fixture
def ward(hospital):
    """Doctor 1 has no picture of their own name; one of its bytes waits."""
    hospital.doctors(2)
    (hospital.folder / "seals" / "00001.png").rename(hospital.folder / "seals" / "scan <b>1.png")
    hospital.go("check")
    return hospital


@pytest.fixture
def page(ward):
    with PageThread(ward.folder / "config.yaml") as opened:
        yield opened
        assert opened.failures == []


def get_digest(ward, file="scan <b>1.png"):
    return hashlib.sha256((ward.folder / "seals" / file).read_bytes()).hexdigest()


def get_stamps(text):
    return {
        html.unescape(shown).split(" · ")[0]: stamp
        for stamp, shown in re.findall(r'<option value="(\w+)">([^<]+)</option>', text)
    }


def list_statuses(ward):
    return {line["name"]: line["status"] for line in ward.outcomes("plan.jsonl")}


def test_a_picture_is_given_and_taken_back(ward, page):
    inside = page.enter()
    text = inside.get("/rows/pictures").text
    digest = get_digest(ward)
    assert f"/rows/pictures/{digest}" in text
    assert "scan <b>" not in text
    assert list(get_stamps(text)) == [name(1)]
    answer = inside.post("/rows/pictures/give", {"picture": digest, "row": get_stamps(text)[name(1)]}).text
    assert f"图片已给 {name(1)}" in html.unescape(answer)
    assert f'id="picture-{digest}"' not in answer
    wait_until(lambda: list_statuses(ward) == {name(1): "ready", name(2): "ready"})
    text = inside.get("/rows/pictures").text
    given = re.search(r'name="given" value="(\w+)"', text)[1]
    assert "已撤回" in inside.post("/rows/pictures/withdraw", {"given": given}).text
    wait_until(lambda: list_statuses(ward)[name(1)] == "rejected")
    lines = [json.loads(line) for line in (ward.folder / "state" / "page-log.jsonl").read_text().splitlines()]
    actions = [line for line in lines if line["action"].endswith("_picture")]
    assert [line["action"] for line in actions] == ["give_picture", "withdraw_picture"]
    assert all(line["picture"] == digest and line["user"] for line in actions)


def test_a_given_picture_that_is_judged_wrong_is_shown_and_withdrawn_in_its_row(ward, page):
    assert ward.go("run", "--only", "00002", "--yes") == 0, "it makes the ledger"
    ward.go("check")
    inside, digest = page.enter(Accept_Language="en"), get_digest(ward)
    stamp = get_stamps(inside.get("/rows/pictures").text)[name(1)]
    inside.post("/rows/pictures/give", {"picture": digest, "row": stamp})
    wait_until(lambda: list_statuses(ward)[name(1)] == "ready")
    assert judge(inside, name(1), "wrong").status == 200
    wait_until(lambda: list_statuses(ward)[name(1)] == "rejected")
    text = inside.get("/rows").text
    assert f'<img src="/rows/pictures/{digest}"' in text
    assert inside.get(f"/rows/pictures/{digest}").status == 200
    assert "Add this doctor&#39;s picture" in text
    ((_, form),) = find_forms(text, "/rows/pictures/withdraw")
    assert "Withdrawn; a new check has started." in inside.post("/rows/pictures/withdraw", form).text
    wait_until(lambda: f'id="picture-{digest}"' in inside.get("/rows/pictures").text)


def test_the_bytes_that_would_be_sent_are_shown_and_no_other_file(ward, page):
    inside = page.enter()
    answer = inside.get(f"/rows/pictures/{get_digest(ward)}")
    assert hashlib.sha256(answer.body).hexdigest() == get_digest(ward), "a PNG that needs nothing"
    assert answer.headers["Content-Type"] == "image/png"
    for other in (get_digest(ward, "00002.png"), "0" * 64, "..%2F..%2Fconfig.yaml", "scan%20%3Cb%3E1.png"):
        assert inside.get(f"/rows/pictures/{other}").status == 404


def test_a_picture_that_an_earlier_run_gave_to_another_doctor_is_refused(ward, page):
    ward.go("run")
    (ward.folder / "seals" / "00002.png").rename(ward.folder / "seals" / "other.png")
    draw_seal(ward.folder / "seals" / "00002.png", 77)
    ward.go("check")
    inside = page.enter(Accept_Language="en")
    text = inside.get("/rows/pictures").text
    digest = get_digest(ward, "other.png")
    answer = inside.post("/rows/pictures/give", {"picture": digest, "row": get_stamps(text)[name(1)]}).text
    assert f"This picture was {name(2)}" in html.unescape(answer)
    assert inside.get("/rows/pictures").text.count("Withdraw the picture") == 0


@pytest.mark.parametrize("is_renamed", [False, True])
def test_a_picture_that_was_given_under_a_wrong_number_is_given_anew(ward, page, is_renamed):
    """Its file may bear the doctor's name meanwhile: then it is chosen in the row."""
    inside, digest = page.enter(Accept_Language="en"), get_digest(ward)
    ward.roster([make_row(1, number=number(3)), make_row(2)])
    ward.go("check")
    text = inside.get("/rows/pictures").text
    inside.post("/rows/pictures/give", {"picture": digest, "row": get_stamps(text)[name(1)]})
    wait_until(lambda: list_statuses(ward)[name(1)] == "ready")
    if is_renamed:
        (ward.folder / "seals" / "scan <b>1.png").rename(ward.folder / "seals" / "00001.png")
    ward.roster([make_row(1), make_row(2), make_row(3)])
    assert ward.go("check") == 3
    lines = {line["name"]: line for line in ward.outcomes("plan.jsonl")}
    for serial in (1, 3):
        assert f"given to {name(1)} (roster.xlsx" in lines[name(serial)]["problems"][0]["message"]
    text = inside.get("/rows/pictures").text
    shown = html.unescape(re.sub("<[^>]+>", " ", text[text.index("Pictures that were given") :]))
    assert re.search(rf"{name(1)}\s+roster.xlsx \S+ row 2", shown), "at that time"
    if is_renamed:
        assert choose(ward, inside, "00001", digest).status == 200
    else:
        inside.post("/rows/pictures/give", {"picture": digest, "row": get_stamps(text)[name(1)]})
    wait_until(lambda: list_statuses(ward)[name(1)] == "ready")
    assert inside.get("/rows/pictures").text.count("Withdraw the picture") == 1
    ward.go("run", "--yes")
    sent = {
        seal.number: hashlib.sha256(ward.service.pictures[seal.picture]).hexdigest()
        for seal in ward.service.seals
    }
    assert sent == {number(1): digest, number(2): get_digest(ward, "00002.png")}


def test_a_doctor_without_a_usable_number_is_not_offered(ward, page):
    ward.roster([make_row(1, number=number(1)[:17]), make_row(2)])
    ward.go("check")
    text = page.enter().get("/rows/pictures").text
    assert get_stamps(text) == {}


def read_stamps(ward):
    """Return the stamp of each row of the newest check by staff number, also of those for which no form is shown."""
    return {row.line.get(Field.STAFF_NO): row.stamp for row in CheckedRows.read(ward.newest).rows}


def test_a_row_of_the_check_that_has_its_picture_is_refused(ward, page):
    inside, stamps = page.enter(), read_stamps(ward)
    for file, staff_no in (("scan <b>1.png", "00002"), ("00002.png", "00001")):
        form = {"picture": get_digest(ward, file), "row": stamps[staff_no]}
        answer = inside.post("/rows/pictures/give", form)
        assert (answer.status, "没有登记" in answer.text) == (409, True)


# -- of several pictures one is chosen, on the page of the rows


def list_candidates(text):
    """Return the pictures of each row by its doctor's staff number: sha256 -> whether it can be chosen."""
    rows = {}
    for part in text.split('<tbody class="row')[1:]:
        staff_no = re.search(r'<div class="quiet">(\d+)</div>', part)[1]
        cards = part.split('<li class="card">')[1:]
        rows[staff_no] = {
            re.search(r"/rows/pictures/(\w{64})", card)[1]: "/rows/choose" in card for card in cards
        }
    return rows


def choose(ward, client, staff_no, picture):
    """Choose a picture for a doctor; return the answer."""
    form = {"row": read_stamps(ward)[staff_no], "picture": picture}
    return client.post("/rows/choose", form, HX_Request="true")


@pytest.fixture
def namesakes(hospital):
    """Two doctors of one name and two pictures of it; a third has two pictures of the own name."""
    rows = [
        make_row(1),
        make_row(2, name=name(1), department="外科"),
        make_row(3),
        make_row(4, number=number(4)[:17]),
    ]
    hospital.roster(rows)
    files = [f"{name(1)}.png", f"{name(1)} (2).png", f"{name(3)}.png", f"{name(3)} (2).png"]
    files += [f"{name(4)}.png", f"{name(4)} (2).png"]
    for serial, file in enumerate(files, start=31):
        draw_seal(hospital.folder / "seals" / file, serial)
    hospital.go("check")
    return hospital


def test_each_of_two_namesakes_and_who_has_two_pictures_get_the_chosen_one_on_the_wire(namesakes):
    with PageThread(namesakes.folder / "config.yaml") as page:
        inside = page.enter()
        first, second = (get_digest(namesakes, f"{name(1)}{end}.png") for end in ("", " (2)"))
        third, other = (get_digest(namesakes, f"{name(3)}{end}.png") for end in (" (2)", ""))
        text = inside.get("/rows?code=IMAGE_AMBIGUOUS").text
        shown = list_candidates(text)
        assert shown["00001"] == shown["00002"] == {first: True, second: True}
        assert shown["00003"] == {third: True, other: True}
        assert not any(shown["00004"].values()), "its number is corrected first"
        assert choose(namesakes, inside, "00004", next(iter(shown["00004"]))).status == 409
        answer = choose(namesakes, inside, "00002", first)
        shown = f"{name(1)} · 00002 · 外科 · {number(2)[-4:]}"
        assert f"图片已给 {shown}，正在重新检查" in answer.text
        assert answer.headers["HX-Trigger"] == f"chosen-{first}"
        text = inside.get("/rows").text
        assert list_candidates(text)["00001"] == {first: False, second: True}
        assert "图片还没有选定。" in text
        assert "也可能是 roster.xlsx" not in text + inside.get("/rows/pictures").text
        assert "正在重新检查" in choose(namesakes, inside, "00001", second).text
        assert choose(namesakes, inside, "00003", third).status == 200
        wait_until(
            lambda: (
                list_by_staff_no(namesakes)
                == {"00004": "rejected"} | dict.fromkeys(("00001", "00002", "00003"), "ready")
            )
        )
        wait_for_checks(inside)
        others = f"{name(1)} · 00001 · 内科 · {number(1)[-4:]}、{shown}"
        assert f"首先是：{others}" in inside.get("/send").text
        given = inside.get("/rows/pictures").text
        assert f"撤回给 {name(1)}（{shown.partition(' · ')[2]}）的图片" in given
        text = inside.get("/rows").text
        assert "与他人同名，印章名称加以区分 (2)" in text
        assert list(list_candidates(text)) == ["00004", "00001", "00002", "00003"]
        assert [bool(pictures) for pictures in list_candidates(text).values()] == [True, False, False, False]
        log = (namesakes.folder / "state" / "page-log.jsonl").read_text().splitlines()
        choices = [line for line in map(json.loads, log) if line["action"] == "give_picture"]
        assert [line["others"] for line in choices] == [[second], [first], [other]]
        assert page.failures == []
    namesakes.go("run", "--yes")
    service = namesakes.service
    sent = {seal.number: hashlib.sha256(service.pictures[seal.picture]).hexdigest() for seal in service.seals}
    assert sent == {number(1): second, number(2): first, number(3): third}


def list_by_staff_no(ward):
    return {line["staff_no"]: line["status"] for line in ward.outcomes("plan.jsonl")}


def test_a_picture_that_a_namesake_has_is_refused(namesakes):
    with PageThread(namesakes.folder / "config.yaml") as page:
        inside = page.enter(Accept_Language="en")
        first = get_digest(namesakes, f"{name(1)}.png")
        assert choose(namesakes, inside, "00001", first).status == 200
        answer = choose(namesakes, inside, "00002", first)
        assert (answer.status, "Nothing was entered" in answer.text) == (409, True)
        assert f"It is the picture of {name(1)} · 00001" in html.unescape(answer.text)
        assert list_candidates(inside.get("/rows").text)["00002"][first] is False
        looking = inside.get("/rows/pictures/" + first)
        assert hashlib.sha256(looking.body).hexdigest() == first


def test_a_picture_in_the_rows_own_cell_can_be_chosen(hospital):
    hospital.doctors(1)
    draw_seal(hospital.folder / "cell.png", 55)
    roster = hospital.folder / "inbox" / "roster.xlsx"
    book = openpyxl.load_workbook(roster)
    book.active["F1"] = "印章"
    book.active.row_dimensions[2].height = 80
    book.active.add_image(Drawing(io.BytesIO((hospital.folder / "cell.png").read_bytes())), "F2")
    book.save(roster)
    hospital.go("check")
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter()
        text = inside.get("/rows").text
        file = get_digest(hospital, "00001.png")
        (in_cell,) = list_candidates(text)["00001"].keys() - {file}
        assert inside.get(f"/rows/pictures/{in_cell}").status == 200
        assert "正在重新检查" in choose(hospital, inside, "00001", in_cell).text
        wait_until(lambda: list_by_staff_no(hospital) == {"00001": "ready"})
    hospital.go("run", "--yes")
    (sent,) = hospital.service.pictures.values()
    pixels = []
    for data in (sent, (hospital.folder / "cell.png").read_bytes()):
        with Image.open(io.BytesIO(data)) as picture:
            pixels.append(picture.convert("RGB").tobytes())
    assert pixels[0] == pixels[1]
