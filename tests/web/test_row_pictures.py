"""Pictures that no row matched: shown by their digest, given to a doctor, taken back, refused where another one has them."""

import hashlib
import html
import json
import re

import pytest
from page_support import PageThread
from people import make_row, name, number
from run_support import draw_seal, wait_until


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


def get_keys(text):
    return {
        html.unescape(shown).split(" · ")[0]: key
        for key, shown in re.findall(r'<option value="(\w+)">([^<]+)</option>', text)
    }


def list_statuses(ward):
    return {line["name"]: line["status"] for line in ward.outcomes("plan.jsonl")}


def test_a_picture_is_given_and_taken_back(ward, page):
    inside = page.enter()
    text = inside.get("/rows/pictures").text
    digest = get_digest(ward)
    assert f"/rows/pictures/{digest}" in text
    assert "scan <b>" not in text
    assert list(get_keys(text)) == [name(1)]
    answer = inside.post("/rows/pictures/give", {"picture": digest, "key": get_keys(text)[name(1)]}).text
    assert f"图片已给 {name(1)}" in html.unescape(answer)
    assert f'id="picture-{digest}"' not in answer
    wait_until(lambda: list_statuses(ward) == {name(1): "ready", name(2): "ready"})
    text = inside.get("/rows/pictures").text
    key = re.search(r'name="key" value="(\w+)"', text)[1]
    assert "已撤回" in inside.post("/rows/pictures/withdraw", {"key": key, "picture": digest}).text
    wait_until(lambda: list_statuses(ward)[name(1)] == "rejected")
    lines = [json.loads(line) for line in (ward.folder / "state" / "page-log.jsonl").read_text().splitlines()]
    actions = [line for line in lines if line["action"].endswith("_picture")]
    assert [line["action"] for line in actions] == ["give_picture", "withdraw_picture"]
    assert all(line["picture"] == digest and line["user"] for line in actions)


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
    answer = inside.post("/rows/pictures/give", {"picture": digest, "key": get_keys(text)[name(1)]}).text
    assert f"This picture was {name(2)}" in html.unescape(answer)
    assert inside.get("/rows/pictures").text.count("Withdraw the picture") == 0


def test_a_doctor_without_a_usable_number_is_not_offered(ward, page):
    ward.roster([make_row(1, number=number(1)[:17]), make_row(2)])
    ward.go("check")
    text = page.enter().get("/rows/pictures").text
    assert get_keys(text) == {}


def test_a_row_of_the_check_that_has_its_picture_is_refused(ward, page):
    inside = page.enter()
    rows = re.findall(r'id="row-([0-9a-f]{16})"', inside.get("/rows").text)
    statuses = {
        inside.post("/rows/pictures/give", {"picture": get_digest(ward), "key": key}).status
        for key in rows[1:]
    }
    assert statuses == {409}
    assert (
        inside.post("/rows/pictures/give", {"picture": get_digest(ward, "00002.png"), "key": rows[0]}).status
        == 409
    )
