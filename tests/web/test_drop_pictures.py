"""The list of the pictures in their folder: whose each is by the newest check, found by name, removed after a yes."""

import hashlib
import html
import io
import os
import re

import pytest
from page_support import PageThread
from people import make_row, name
from PIL import Image
from run_support import draw_seal

from pipeline.operations.replaced_files import list_replaced_files
from pipeline.web.access import PageUser, Role
from pipeline.web.drop import stored_pictures
from pipeline.web.users import UserFile


@pytest.fixture
def ward(hospital):
    """Doctor 1 has a picture, doctor 2 two of which one is to be chosen; one picture bears the name of nobody."""
    hospital.roster([make_row(1), make_row(2)])
    seals = hospital.folder / "seals"
    draw_seal(seals / "00001.png", 1)
    for serial, file in enumerate((f"{name(2)}.png", f"{name(2)} (2).png", "内科 <b>.png"), start=2):
        draw_seal(seals / file, serial)
    hospital.go("check")
    return hospital


def list_owners(text):
    """Return whose each picture is by the words of the page, by its name."""
    return {
        html.unescape(re.search(r'class="file">([^<]*)<', part)[1]): html.unescape(
            re.search(r"<p[^>]*>([^<]*)</p>", part)[1]
        )
        for part in text.split('<img src="/drop/stored/')[1:]
    }


def read_forms(text):
    """Return id and stamp of each picture by its name."""
    return {
        html.unescape(re.search(r'class="file">([^<]*)<', part)[1]): {
            field: re.search(rf'name="{field}" value="([^"]*)"', part)[1] for field in ("file", "stamp")
        }
        for part in text.split('<img src="/drop/stored/')[1:]
    }


def test_each_picture_is_listed_with_whose_it_is(ward, page):
    text = page.enter(Accept_Language="en").get("/drop").text
    assert list_owners(text) == {
        "00001.png": f"{name(1)} · 00001 · 内科 · 0016",
        "内科 <b>.png": "no doctor matches it",
        f"{name(2)} (2).png": f"not decided; perhaps {name(2)} · 00002 · 内科 · 0029",
        f"{name(2)}.png": f"not decided; perhaps {name(2)} · 00002 · 内科 · 0029",
    }
    assert "<b>.png" not in text


def test_a_picture_that_came_after_the_check_is_not_called_unmatched(ward, page):
    draw_seal(ward.folder / "seals" / "00002.png", 9)
    inside = page.enter()
    text = inside.get("/drop").text
    assert list_owners(text)["00002.png"] == "还没有检查"
    seen = re.search(r"/drop/now\?seen=(\w+)", text)[1]
    assert inside.get(f"/drop/now?seen={seen}", HX_Request="true").status == 204
    assert ward.go("check") in {0, 3}
    renewed = inside.get(f"/drop/now?seen={seen}", HX_Request="true")
    assert renewed.headers["HX-Trigger"] == "pictures-changed", "the list is shown anew with the numbers"


def test_pictures_are_found_by_name_and_shown_in_parts(ward, page, monkeypatch):
    monkeypatch.setattr(stored_pictures, "ON_PAGE", 3)
    inside = page.enter(Accept_Language="en")
    text = inside.get("/drop").text
    assert len(list_owners(text)) == 3
    assert "1–3 of 4" in text
    (following,) = re.findall(r'"first":"(\d+)"', html.unescape(text))
    rest = inside.post("/drop/pictures", {"first": following}, HX_Request="true").text
    assert "4–4 of 4" in rest
    assert list_owners(text).keys() | list_owners(rest).keys() == {
        path.name for path in (ward.folder / "seals").iterdir()
    }
    matching = inside.post("/drop/pictures", {"query": name(2), "first": "3"}, HX_Request="true").text
    assert sorted(list_owners(matching)) == [f"{name(2)} (2).png", f"{name(2)}.png"]
    seen = re.search(r'name="seen" value="(\w+)"', matching)[1]
    again = {"query": name(2), "seen": seen}
    assert inside.post("/drop/pictures", again, HX_Request="true").status == 204
    whole = inside.post("/drop/pictures", {"query": "none of these"}).text
    assert "No picture has this name" in whole
    assert 'value="none of these"' in whole


def test_the_small_copy_is_of_the_file(ward, page):
    inside = page.enter()
    address = re.search(r"/drop/stored/\w+", inside.get("/drop").text)[0]
    answer = inside.get(address)
    with Image.open(io.BytesIO(answer.body)) as copy:
        assert (answer.headers["Content-Type"], copy.size) == ("image/jpeg", (120, 60))
    assert inside.get("/drop/stored/0123456789abcdef").status == 404


def test_a_picture_is_removed_after_a_yes_and_kept(ward, page):
    inside = page.enter()
    file = ward.folder / "seals" / f"{name(2)}.png"
    content = file.read_bytes()
    form = read_forms(inside.get("/drop").text)[file.name]
    before = file.stat()
    file.write_bytes(content[::-1])  # of the same size and time
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert inside.post("/drop/remove", form).status == 409, "it is another one by now"
    file.write_bytes(content)
    form = read_forms(inside.get("/drop").text)[file.name]
    assert inside.post("/drop/remove", form).status == 303
    assert not file.exists()
    (kept,) = list_replaced_files(page.site.config)
    assert hashlib.sha256(kept.read_bytes()).digest() == hashlib.sha256(content).digest()


def test_who_only_looks_sees_the_list_and_removes_nothing(ward):
    UserFile(ward.folder / "state").save(PageUser("lee", Role.LOOK))
    with (ward.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("web: {url: 'https://esign.hospital.example', trusted_proxy: 127.0.0.1}\n")
    with PageThread(ward.folder / "config.yaml") as page:
        text = page.visit(Host="esign.hospital.example", X_Forwarded_User="lee").get("/drop").text
        assert len(list_owners(text)) == 4
        assert "/drop/remove" not in text
