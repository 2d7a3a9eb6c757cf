"""The page Review: cards of the newest check, judgements in the ledger at once, and what a run makes of them."""

import json
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from page_support import PageThread, judge, read_cards, read_id
from people import make_row, name, number
from playwright.sync_api import expect
from run_support import draw_seal, wait_until

from pipeline.clock import SystemClock
from pipeline.config.settings import Config
from pipeline.ledger.lock import read_user_name
from pipeline.web import check_child
from pipeline.web.access import PageUser, Role
from pipeline.web.review import CARDS
from pipeline.web.users import UserFile
from pipeline.workflow.tenant_ledger import lock_ledger

CARD = re.compile(r'<article class="card seal-card".*?</article>', re.DOTALL)
FILE_CARD = re.compile(r'<article class="card".*?</article>', re.DOTALL)
HOSTILE = '<img src=x onerror="document.title=1">'


@pytest.fixture
def hospital(hospital):
    """One whose ledger holds nothing yet: without a ledger a check is for looking only."""
    make_ledger(hospital)
    return hospital


def make_ledger(hospital):
    config, clock = Config.load(hospital.folder / "config.yaml", environment={}), SystemClock()
    with lock_ledger(config, "r0", clock):
        pass


@pytest.fixture
def page(hospital):
    with PageThread(hospital.folder / "config.yaml") as opened:
        yield opened
        assert opened.failures == []


def read_judgements(hospital):
    with closing(sqlite3.connect(hospital.folder / "state" / "ledger.sqlite3")) as connection:
        return connection.execute("SELECT who, why, detail FROM decision WHERE kind = 'review'").fetchall()


def status(hospital):
    return {line["name"]: line["status"] for line in hospital.outcomes()}


def require_review(hospital):
    with (hospital.folder / "config.yaml").open("a") as config:
        config.write("require_review: true\n")


def test_judged_on_the_page_and_run(hospital):
    require_review(hospital)
    hospital.doctors(3)
    assert hospital.go("check") == 3
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter(Accept_Language="en")
        text = inside.get("/review").text
        assert 'To review <b id="count-todo">3</b>' in text
        assert 'With warnings <b id="count-warn">0</b>' in text, "that it was not reviewed is no warning"
        assert judge(inside, name(1), "right").status == 200
        answer = judge(inside, name(2), "wrong")
        assert 'data-judged="wrong"' in answer.text
        assert '<b id="count-todo" hx-swap-oob="true">1</b>' in answer.text
        assert 'href="/send"' not in answer.text
        last = judge(inside, name(3), "right").text
        assert re.search(
            r'id="review-end" hx-swap-oob="true">\s*<p[^>]*>All pictures are reviewed. <a class="button" href="/send">',
            last,
        )
        assert "All pictures are reviewed" in inside.get("/review").text
        assert page.failures == []
    (who, why, detail), *_ = read_judgements(hospital)
    assert (who, why) == (read_user_name(), f"review of {hospital.runs[-1].name}")
    assert json.loads(detail)["decided"] == "right"
    assert '"action":"judge"' in (hospital.folder / "state" / "page-log.jsonl").read_text("utf-8")
    assert hospital.go("run", "--yes") == 3
    assert status(hospital) == {name(1): "sealed", name(2): "rejected", name(3): "sealed"}


def test_a_card_shows_what_the_contact_sheet_shows(hospital, page):
    hospital.roster(
        [
            make_row(1),
            make_row(2, name=name(1)),
            make_row(3, department=HOSTILE),
            make_row(4, staff_no=number(4)),
        ]
    )
    for serial, file in ((1, "00001"), (2, "00002"), (3, "00003"), (4, number(4))):
        draw_seal(hospital.folder / "seals" / f"{file}.png", serial)
    hospital.go("check")
    of_file = FILE_CARD.findall((hospital.newest / "review.html").read_text("utf-8"))
    text = page.enter(Accept_Language="en").get("/review").text
    cards = CARD.findall(text)
    assert len(cards) == 4
    for card, card_of_file in zip(cards, of_file, strict=True):
        warnings = re.findall(r'<p class="warning">(.*?)</p>', card_of_file)
        assert re.findall(r'<p class="warning">(.*?)</p>', card) == warnings
        assert re.findall(r"<dd[^>]*>([^<]*)", card) == re.findall(r"<dd[^>]*>([^<]*)", card_of_file)
    assert "<img src=x" not in text
    assert not any(number(serial) in text for serial in range(1, 5))


def test_a_judgement_is_changed_by_the_next_one(hospital, page):
    hospital.doctors(1)
    hospital.go("check")
    inside = page.enter(Accept_Language="en")
    for word in ("wrong", "right"):
        assert f'data-judged="{word}"' in judge(inside, name(1), word).text
        assert f'data-judged="{word}"' in inside.get("/review").text
    assert hospital.run_to_end("run", "--yes") == (0, {"sealed": 1})


def test_a_held_picture_that_is_judged_right_is_sent(hospital, page):
    """The newcomer has the staff number that doctor 1 had, and so doctor 1's file."""
    hospital.seal_doctors(2)
    hospital.roster([make_row(1, staff_no="00101"), make_row(2), make_row(7, staff_no="00001")])
    draw_seal(hospital.folder / "seals" / "00001.png", 901)
    assert hospital.go("check") == 3
    inside = page.enter(Accept_Language="en")
    assert list(read_cards(inside.get("/review").text)) == [name(7)]
    assert judge(inside, name(7), "right").status == 200
    hospital.go("run", "--yes")
    assert status(hospital)[name(7)] == "sealed"


def test_cards_come_in_parts_and_by_filter_and_search(hospital, page):
    hospital.doctors(CARDS + 3)
    assert hospital.go("check") == 0
    inside = page.enter(Accept_Language="en")
    first = inside.get("/review").text
    assert len(read_cards(first)) == CARDS
    assert 'hx-trigger="revealed, submit"' in first
    rest = inside.post("/review/cards", {"chosen": "todo", "first": str(CARDS)}, HX_Request="true").text
    assert len(CARD.findall(rest)) == 3
    assert "<html" not in rest
    judge(inside, name(2), "wrong")
    for chosen, query, expected in (
        ("wrong", "", [name(2)]),
        ("right", "", []),
        ("all", "00003", [name(3)]),
        ("all", name(5), [name(5)]),
        ("todo", "00002", []),
        ("../x", "00004.png", [name(4)]),
    ):
        text = inside.post("/review/cards", {"chosen": chosen, "query": query}, HX_Request="true").text
        assert list(read_cards(text)) == expected, (chosen, query)
    whole = inside.post("/review/cards", {"chosen": "all", "query": number(1)}).text
    assert "<html" in whole
    assert number(1) not in whole


def test_a_picture_is_found_by_its_digest_alone(hospital, page):
    hospital.doctors(2)
    hospital.go("check")
    inside = page.enter()
    digests = [line["picture"]["sha256"] for line in hospital.outcomes("plan.jsonl")]
    answer = inside.get(f"/review/picture/{digests[0]}")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.body.startswith(b"\xff\xd8")
    draw_seal(hospital.folder / "seals" / "00002.png", 99)
    hospital.go("check")
    for wrong in (digests[1], "0" * 64, "..%2F..%2Fconfig.yaml", "%2e%2e", digests[0].upper()):
        assert inside.get(f"/review/picture/{wrong}").status == 404, wrong
    assert page.visit().get(f"/review/picture/{digests[0]}").status == 401


def test_a_copy_of_other_bytes_than_are_sent_is_not_shown(hospital, page):
    hospital.doctors(1)
    hospital.go("check")
    (line,) = hospital.outcomes("plan.jsonl")
    preview = hospital.folder / "state" / "work" / "previews" / line["picture"]["sha256"]
    preview.write_bytes(b"0" * 64 + preview.read_bytes()[64:])
    assert page.enter().get(f"/review/picture/{line['picture']['sha256']}").status == 404


def test_a_card_without_a_picture_is_not_judged(hospital, page):
    hospital.doctors(2)
    hospital.go("check")
    line = hospital.outcomes("plan.jsonl")[0]
    (hospital.folder / "state" / "work" / "previews" / line["picture"]["sha256"]).unlink()
    cards = read_cards(page.enter(Accept_Language="en").get("/review").text)
    assert "No small copy is kept" in cards[name(1)]
    assert 'name="judged"' not in cards[name(1)]
    assert 'name="judged"' in cards[name(2)]


def test_what_cannot_be_entered_is_explained_on_the_card(hospital, page):
    hospital.doctors(2)
    hospital.go("check")
    inside = page.enter(Accept_Language="en")
    cards = read_cards(inside.get("/review").text)
    form = {"id": read_id(cards[name(1)]), "judged": "right"}
    config = Config.load(hospital.folder / "config.yaml", environment={})
    with lock_ledger(config, "r-of-the-night", SystemClock()):
        answer = inside.post("/review/judge", form, HX_Request="true")
        assert answer.status == 409
        assert "Run r-of-the-night has been using the ledger since" in answer.text
        assert "data-judged" not in answer.text
    for change in ({"id": "0" * 32}, {"id": "../x"}, {"id": ""}):
        answer = inside.post("/review/judge", {**form, **change}, HX_Request="true")
        assert (answer.status, "no such card any more" in answer.text) == (409, True), change
    for word in ("", "maybe", HOSTILE):
        assert inside.post("/review/judge", {**form, "judged": word}).status == 400
    draw_seal(hospital.folder / "seals" / "00001.png", 99)
    hospital.go("check")
    assert inside.post("/review/judge", form, HX_Request="true").status == 409
    log = hospital.folder / "state" / "page-log.jsonl"
    log.unlink()
    log.mkdir()
    answer = judge(inside, name(2), "right")
    assert (answer.status, "page-log.jsonl" in answer.text) == (409, True)
    assert read_judgements(hospital) == []


def test_a_check_of_another_ledger_is_not_judged(hospital, page):
    hospital.doctors(1)
    hospital.go("check")
    inside = page.enter(Accept_Language="en")
    form = {"id": read_id(read_cards(inside.get("/review").text)[name(1)]), "judged": "wrong"}
    hospital.forget_ledger()
    make_ledger(hospital)
    answer = inside.post("/review/judge", form, HX_Request="true")
    assert (answer.status, "no such card any more" in answer.text) == (409, True)
    assert read_judgements(hospital) == []


def test_who_may_only_look_sees_no_buttons_and_judges_nothing(hospital):
    hospital.doctors(1)
    hospital.go("check")
    users = UserFile(hospital.folder / "state")
    users.save(PageUser("wang", Role.LOOK))
    users.save(PageUser("li", Role.CLERK))
    with (hospital.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("web: {url: 'https://esign.hospital.example', trusted_proxy: 127.0.0.1}\n")
    with PageThread(hospital.folder / "config.yaml") as page:
        looking, clerk = (page.visit(X_Forwarded_User=user, Accept_Language="en") for user in ("wang", "li"))
        looking.read_token()
        clerk.read_token()
        text = looking.get("/review").text
        assert len(CARD.findall(text)) == 1
        assert 'name="judged"' not in text
        form = {"id": read_id(clerk.get("/review").text), "judged": "wrong"}
        assert looking.post("/review/judge", form).status == 403
        assert read_judgements(hospital) == []
        assert clerk.post("/review/judge", form).status == 200
        assert [who for who, *_ in read_judgements(hospital)] == ["li"]
        assert page.failures == []


def test_without_a_check_or_a_ledger_the_page_names_what_is_missing(hospital_with):
    bare = hospital_with()
    with PageThread(bare.folder / "config.yaml") as page:
        inside = page.enter(Accept_Language="en")
        assert "There is no check yet" in inside.get("/review").text
        bare.doctors(1)
        (bare.folder / "state").mkdir(exist_ok=True)
        (bare.folder / "state" / "ledger.sqlite3.key").write_bytes(b"short")
        assert bare.go("check") == 0
        assert "The newest check had no ledger" in inside.get("/review").text
        assert page.failures == []


def test_a_check_follows_the_last_judgement(hospital, page, monkeypatch):
    monkeypatch.setattr(check_child, "QUIET_SECONDS", 0.0)
    hospital.doctors(2)
    hospital.go("check")
    before = hospital.newest
    inside = page.enter(Accept_Language="en")
    judge(inside, name(1), "wrong")
    wait_until(lambda: hospital.newest != before and (hospital.newest / "run.json").exists())
    assert {line["name"]: line["status"] for line in hospital.outcomes("plan.jsonl")} == {
        name(1): "rejected",
        name(2): "ready",
    }
    assert 'data-judged="wrong"' in read_cards(inside.post("/review/cards", {"chosen": "all"}).text)[name(1)]


def test_judgements_that_come_together_are_all_entered(hospital, page):
    hospital.doctors(6)
    hospital.go("check")
    inside = page.enter(Accept_Language="en")
    cards = read_cards(inside.get("/review").text)
    words = {who: ("right", "wrong")[serial % 2] for serial, who in enumerate(cards)}

    def send(who):
        return inside.post(
            "/review/judge", {"id": read_id(cards[who]), "judged": words[who]}, HX_Request="true"
        )

    with ThreadPoolExecutor(6) as threads:
        answers = dict(zip(cards, threads.map(send, cards), strict=True))
    assert {
        who: re.search(r'data-judged="(\w+)"', answer.text)[1] for who, answer in answers.items()
    } == words
    assert len(read_judgements(hospital)) == 6


@pytest.mark.browser
def test_a_card_is_judged_again_the_moment_it_is_back(hospital, page, shown):
    """Its form belongs to the script by then: else the browser would open the answer in place of the page."""
    hospital.doctors(1)
    assert hospital.go("check") == 0
    tab = shown(page, "/review", language="en-US")
    tab.evaluate(
        """document.addEventListener("htmx:afterSwap", () => Promise.resolve().then(
            () => document.querySelector('[name="judged"][value="right"]').click()), {once: true})"""
    )
    tab.keyboard.press("2")
    expect(tab.locator("#count-right")).to_have_text("1")
    assert tab.url == f"{page.origin}/review"
    assert len(read_judgements(hospital)) == 2


@pytest.mark.browser
def test_judged_by_keyboard(hospital, page, shown):
    hospital.doctors(4)
    assert hospital.go("check") == 0
    tab = shown(page, "/review", language="en-US")
    expect(tab.locator(".seal-card[aria-current] h2")).to_have_text(name(1))
    tab.keyboard.press("1")
    expect(tab.locator("#count-right")).to_have_text("1")
    expect(tab.locator(".seal-card[aria-current] h2")).to_have_text(name(2))
    tab.keyboard.press("3")
    expect(tab.locator(".seal-card[aria-current] h2")).to_have_text(name(3))
    tab.keyboard.press("2")
    expect(tab.locator("#count-wrong")).to_have_text("1")
    expect(tab.locator(".seal-card[aria-current] h2")).to_have_text(name(4))
    tab.keyboard.press("z")
    expect(tab.locator(".seal-card[aria-current] h2")).to_contain_text(name(3))
    tab.keyboard.press("1")
    expect(tab.locator("#count-right")).to_have_text("2")
    expect(tab.locator("#count-wrong")).to_have_text("0")
    tab.keyboard.press("/")
    tab.keyboard.type("00004")
    expect(tab.locator(".seal-card")).to_have_count(1)
    assert tab.evaluate("document.querySelector('.seal-card img').naturalWidth") > 50
    assert tab.troubles == []
    assert len(read_judgements(hospital)) == 3
