"""Home: the last run, what needs a person, what renews itself."""

import re

import pytest
from page_support import PageThread
from people import make_row, name
from run_support import draw_seal, wait_until
from wire_support import fault

from pipeline.config.settings import Config
from pipeline.ledger.lock import RunLock
from pipeline.workflow.hosts_factory import make_location


def read_digest(text):
    return re.search(r'hx-get="/now\?seen=([0-9a-f]+)"', text)[1]


def test_before_the_first_run_it_names_the_first_step(page):
    text = page.enter().get("/").text
    assert "还没有运行过" in text
    assert 'id="last-run"' not in text
    steps = text.split('id="order"')[1].split("</ol>")[0]
    assert re.findall(r'href="([^"]+)"', steps) == ["/drop", "/rows", "/review", "/send"]
    assert steps.count("<li") == 5


def test_it_shows_the_last_run_and_leads_to_what_needs_a_person(hospital_with):
    hospital = hospital_with(faults=[fault("reset_after", nth=(2,))])
    hospital.doctors(3)
    hospital.roster([*map(make_row, (1, 2, 3)), make_row(4, number="110199")])
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "unknown": 1, "rejected": 1})
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter(Accept_Language="en")
        text = inside.get("/").text
        assert "done, some rows need attention" in text
        assert '<a class="button" href="/cases">Waiting decisions</a>' in text
        assert '<a class="button" href="/rows?status=to_fix">' in text
        assert "1 row to correct" in text
        assert "1 row waits for a decision" in text
        assert text.index("waits for a decision") < text.index("row to correct")
        assert re.search(
            r'<li class="tile unknown">\s*<span class="word">Unknown</span>\s*<span class="number">1<', text
        )
        assert re.search(r"Doctors with a seal</dt><dd>2<", text)
        assert re.search(r'class="bad"><dt>To be resolved</dt><dd>1<', text)
        assert page.failures == []


def test_a_check_that_is_newer_than_the_run_decides(hospital, page):
    hospital.roster([*map(make_row, (1, 2)), make_row(3, number="110199"), make_row(4)])
    for serial in (1, 2, 3):
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    assert hospital.go("run") == 3
    hospital.doctors(5)
    (hospital.folder / "inbox" / "other.xlsx").write_text("no workbook")
    assert hospital.go("check") in {3, 7}
    text = page.enter(Accept_Language="en").get("/").text
    listed = re.findall(r"<li[^>]*>\s*<p>([^<]+)</p>\s*<a class=\"button\" href=\"([^\"]+)\"", text)
    assert listed == [
        ("1 roster was not read, or not completely", "/drop"),
        ("3 rows can be sent", "/send"),
    ]


def test_pictures_that_are_missing_and_that_cannot_be_used_are_entries_of_their_own(hospital, page):
    hospital.roster([*map(make_row, (1, 2, 3))])
    draw_seal(hospital.folder / "seals" / "00001.png", 1)
    (hospital.folder / "seals" / "00002.png").write_bytes(b"no picture")
    assert hospital.go("run") == 3
    text = page.enter(Accept_Language="en").get("/").text
    listed = re.findall(r"<li[^>]*>\s*<p>([^<]+)</p>\s*<a class=\"button\" href=\"([^\"]+)\"", text)
    assert listed == [
        ("1 doctor has no picture", "/rows?code=IMAGE_MISSING"),
        ("1 row has a picture that cannot be used", "/rows?status=to_fix"),
    ]


ENTRY = re.compile(r"<li[^>]*>\s*<p>([^<]+)</p>\s*<a class=\"button\" href=\"([^\"]+)\"")


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_sealed_doctor_with_two_pictures_is_an_entry(hospital, page, command):
    hospital.seal_doctors(1)
    draw_seal(hospital.folder / "seals" / f"{name(1)}.png", 2)
    hospital.go(command)
    inside = page.enter(Accept_Language="en")
    address = "/rows?code=IMAGE_AMBIGUOUS"
    assert ENTRY.findall(inside.get("/").text) == [("1 doctor with a seal has several pictures now", address)]
    hospital.go("check")
    assert name(1) in inside.get(address).text


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    "serials", [(1, 2, 3, 4), (1, 4), (4,)], ids=["all stay", "two leave", "three leave"]
)
def test_the_decisions_that_wait_are_as_many_as_their_page_lists(hospital_with, command, serials):
    """An unknown create and a seal name that exists: of doctors who stay, and of doctors who have left."""
    faults = [fault("reset_after", nth=(2,)), fault({"code": "FailedOperation.ExistSameSealName"}, nth=(3,))]
    hospital = hospital_with(faults=faults)
    hospital.doctors(4)
    assert hospital.go("run") in {3, 5}
    hospital.roster(list(map(make_row, serials)))
    hospital.go(command)
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter(Accept_Language="en")
        cases = inside.get("/cases/list").text.count('<section class="card case">')
        waiting = re.search(r"(\d+) rows? waits? for a decision", inside.get("/").text)
        assert (int(waiting[1]) if waiting else 0) == cases
        assert page.failures == []


@pytest.mark.parametrize("is_checked", [False, True])
def test_why_a_run_stopped_comes_first_also_after_a_later_check(hospital_with, is_checked):
    hospital = hospital_with(faults=[fault({"code": "AuthFailure.SecretIdNotFound"}, nth=(1,))])
    hospital.doctors(2)
    hospital.roster([*map(make_row, (1, 2)), make_row(3, number="110199")])
    assert hospital.go("run") == 4
    if is_checked:
        assert hospital.go("check") == 3
    with PageThread(hospital.folder / "config.yaml") as page:
        steps = page.enter(Accept_Language="en").get("/").text.partition('<ol class="steps">')[2]
        texts = re.findall(r"<p>([^<]+)</p>", steps.partition("</ol>")[0])
        assert "cause" in texts[0]
        assert texts[1:] == ["1 row to correct", "2 rows can be sent"]
        assert page.failures == []


@pytest.fixture
def with_a_wrong_row(scene):
    """One doctor has a seal, another one a wrong number."""

    def play(hospital):
        hospital.doctors(2)
        hospital.roster([make_row(1), make_row(2, number="110199")])
        assert hospital.go("run") == 3

    return scene(play)


def test_a_command_that_was_refused_is_no_last_run_and_hides_nothing(with_a_wrong_row):
    hospital = with_a_wrong_row
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter()
        before = inside.get("/").text
        assert "1 行要改" in before
        for words in (
            ("run", "--only", "nobody"),
            ("retry", "--seals", "gone"),
            ("autosign", "links", "nobody"),
            ("autosign", "status", "nobody"),
        ):
            assert hospital.go("--lang", "en", *words) == 2, words
            assert inside.get("/").text.split('<div id="now"')[1] == before.split('<div id="now"')[1], words
        with RunLock(hospital.folder / "state" / "ledger.sqlite3").acquire(run="other", now=0):
            assert hospital.go("run") == 6
        assert inside.get("/").text.split('<div id="now"')[1] == before.split('<div id="now"')[1]


@pytest.mark.parametrize(
    ("reader", "words"), [("zh", "只缺 SecretKey"), ("en", "Only the SecretKey is missing")]
)
def test_why_a_run_stopped_is_read_in_the_readers_language_and_the_rows_before_it_wait(
    with_a_wrong_row, capsys, reader, words
):
    """The run speaks the other language; the page, `status` and the run's own page speak the reader's."""
    hospital = with_a_wrong_row
    (hospital.folder / "secrets" / "tencent__secret_key").unlink()
    hospital.doctors(3)
    assert hospital.go("--lang", "en" if reader == "zh" else "zh", "run") == 4
    capsys.readouterr()
    hospital.go("--lang", reader, "status")
    assert words in capsys.readouterr().out
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter(Accept_Language=reader)
        text = inside.get("/").text
        (banner,) = re.findall(r'<p class="banner halted">([^<]*)', text)
        assert words in banner
        assert bool(re.search("[\u4e00-\u9fff]", banner)) == (reader == "zh")
        assert '<a class="button" href="/rows?status=to_fix">' in text
        assert banner in inside.get(f"/runs/{hospital.runs[-1].name}").text


def test_it_is_sent_again_only_where_something_changed(hospital, page):
    inside = page.enter()
    digest = read_digest(inside.get("/").text)
    assert inside.get(f"/now?seen={digest}").status == 204
    hospital.seal_doctors(1)
    renewed = inside.get(f"/now?seen={digest}")
    assert renewed.status == 200
    assert "完成" in renewed.text
    assert "<html" not in renewed.text
    assert inside.get(f"/now?seen={read_digest(renewed.text)}").status == 204
    assert inside.get("/now", Accept_Language="en").text.count("Doctors with a seal") == 1


def test_a_run_in_progress_is_shown_and_asked_for_often(hospital_with):
    hospital = hospital_with(latency=1.0)
    hospital.doctors(3)
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter()
        texts = []

        def is_under_way():
            assert running.poll() is None
            texts.append(inside.get("/now").text)
            return "正在进行" in texts[-1]

        with hospital.start("run") as running:
            wait_until(is_under_way)
            running.communicate()
        assert 'hx-trigger="every 2s"' in texts[-1]
        text = inside.get("/now").text
        assert "正在进行" not in text
        assert 'hx-trigger="every 20s"' in text
        assert page.failures == []


def test_a_damaged_ledger_is_one_sentence_and_the_last_run_stays(hospital, page):
    hospital.seal_doctors(1)
    hospital.damage_keys()
    inside = page.enter()
    text = inside.get("/").text
    assert re.search(r'<p class="banner failed" role="alert">[^<]*ledger\.sqlite3\.key', text)
    assert 'id="last-run"' in text
    answer = inside.get(f"/doctors/{'0' * 32}")
    assert answer.status == 503
    assert "ledger.sqlite3.key" in answer.text


def test_a_deleted_ledger_is_repaired_before_it_is_shown(hospital, page):
    hospital.seal_doctors(2)
    inside = page.enter()
    before = re.search(r"seen=(\w+)", inside.get("/now").text)[1]
    hospital.lose_ledger()
    assert inside.get(f"/now?seen={before}").status == 204, "the page shows what it showed"
    assert (hospital.folder / "state" / "ledger.sqlite3").exists()
    assert hospital.go("ledger", "check") == 0


BEHIND = "what is shown may not be the latest"


@pytest.mark.parametrize("loss", ["put back", "removed"])
def test_every_page_says_so_as_long_as_the_ledger_is_behind_its_journals(hospital, page, loss):
    """A run holds the ledger, which was put back meanwhile; when it has ended, the next page repairs the ledger and says no more."""
    hospital.seal_doctors(1)
    config = Config.load(hospital.folder / "config.yaml", environment={})
    ledger = hospital.folder / "state" / "ledger.sqlite3"
    older = ledger.read_bytes()
    hospital.doctors(2)
    assert hospital.go("run") == 0
    inside = page.enter(Accept_Language="en", Accept="text/html")
    home = inside.get("/").text
    assert BEHIND not in home
    with make_location(config).hold.acquire(run="r-of-the-night", now=0.0):
        ledger.unlink()
        if loss == "put back":
            ledger.write_bytes(older)
        assert hospital.go("check") == 0
        assert "may be shown as ready" in (hospital.newest / "report.html").read_text("utf-8")
        for path in ("/", "/cases", "/doctors", "/runs"):
            text = inside.get(path).text
            main = text[text.index("<main") :]
            assert BEHIND in main[: main.index("<h1")]
        now = inside.get(f"/now?seen={read_digest(home)}", HX_Request="true").text
        assert BEHIND in now[now.index('<div id="behind" hx-swap-oob="true"') :]
        digest = read_digest(now)
        assert inside.get(f"/now?seen={digest}", HX_Request="true").status == 204
    now = inside.get(f"/now?seen={digest}", HX_Request="true")
    assert (now.status, BEHIND in now.text) == (200, False)
    assert '<div id="behind" hx-swap-oob="true"' in now.text
    assert BEHIND not in inside.get("/").text
    assert re.search(r"Doctors with a seal</dt><dd>2<", inside.get("/").text)
