"""Send: the preview, the question, the run as a child process, live, stop."""

import json
import re
from contextlib import contextmanager
from html import unescape

import pytest
from page_support import PageThread
from people import name
from run_support import wait_until

from pipeline.web.send_pages.run_child import FOLDER


def read_check(text):
    """Return the id of the check whose preview is shown."""
    return re.search(r'name="check" value="([^"]+)"', text)[1]


def read_log(hospital, action):
    lines = (hospital.folder / "state" / "page-log.jsonl").read_text("utf-8").splitlines()
    return [line for line in map(json.loads, lines) if line["action"] == action]


def wait_for_end(inside):
    """Wait until no run is under way and the check after it has ended; return the page."""
    pages = []

    def has_ended():
        pages.append(inside.get("/send").text)
        return 'id="run"' not in pages[-1] and "正在检查" not in pages[-1]

    wait_until(has_ended)
    return pages[-1]


@contextmanager
def open_page(hospital):
    with PageThread(hospital.folder / "config.yaml") as page:
        yield page, page.enter()
        assert page.failures == []


@pytest.fixture
def checked(hospital):
    """A hospital with two seals and three doctors more, checked."""
    hospital.seal_doctors(2)
    hospital.doctors(5)
    assert hospital.go("check") == 0
    return hospital


def test_before_a_check_there_is_nothing_to_send(page):
    text = page.enter().get("/send").text
    assert "还没有检查过名单" in text
    assert 'id="order"' not in text


def test_the_preview_shows_what_a_run_would_do(checked):
    with open_page(checked) as (_, inside):
        text = unescape(inside.get("/send", Accept_Language="en").text)
        assert "Sending to the sandbox on this machine, organisation org_sandbox_hospital" in text
        assert "5 rows, at most 3 to send" in text
        assert "All 3 doctors" in text
        assert re.search(
            r'tile unchanged">\s*<span class="word">Unchanged</span>\s*<span class="number">2<', text
        )
        assert "3 new" in text
        assert [name(serial) in text for serial in range(1, 6)] == [False, False, True, True, True]
        assert text.count('name="row"') == 3


def test_the_run_is_started_recorded_and_shown(checked):
    with open_page(checked) as (_, inside):
        check = read_check(inside.get("/send").text)
        assert inside.post("/send", {"check": check, "which": "all"}).status == 303
        text = wait_for_end(inside)
        assert checked.creates() == 5
        run = re.search(r'href="/runs/([^"]+)"', text)[1]
        record = json.loads((checked.folder / "out" / run / "run.json").read_text("utf-8"))
        assert (record["command"], record["exit"], record["restrictions"]) == (
            "run",
            0,
            [f"--checked {check}"],
        )
        assert read_check_id(text) is None, "nothing is left to send"
        (line,) = read_log(checked, "send")
        assert (line["check"], line["rows"], line["guards"]) == (check, "all", False)


def read_check_id(text):
    match = re.search(r'name="check" value="([^"]+)"', text)
    return match and match[1]


def test_the_rows_that_are_ticked_alone_are_sent(checked):
    with open_page(checked) as (_, inside):
        check = read_check(inside.get("/send").text)
        form = [("check", check), ("which", "chosen"), ("row", "3"), ("row", "5")]
        assert inside.post("/send", form).status == 303
        text = wait_for_end(inside)
        assert checked.creates() == 4
        assert "全部 1 位医生" in text
        assert read_log(checked, "send")[0]["rows"] == 2


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ([("which", "chosen")], "没有勾选医生"),
        ([("which", "chosen"), ("row", "1")], "一次最多勾选"),
        ([("which", "chosen"), ("row", "99")], "一次最多勾选"),
        ([("check", "20200101-000000-000"), ("which", "all")], "名单已重新检查"),
    ],
)
def test_what_is_filled_in_wrong_starts_nothing(checked, form, says):
    with open_page(checked) as (_, inside):
        check = read_check(inside.get("/send").text)
        answer = inside.post("/send", [("check", check), *form] if form[0][0] != "check" else form)
        assert answer.status == 409
        assert says in answer.text
        assert checked.creates() == 2
        assert not (checked.folder / "state" / FOLDER).exists()


def test_ticks_stay_while_one_searches(checked):
    with open_page(checked) as (_, inside):
        check = read_check(inside.get("/send").text)
        form = [("check", check), ("which", "chosen"), ("row", "3"), ("query", name(5))]
        text = inside.post("/send/rows", form).text
        assert re.findall(r'name="row" value="(\d)"( checked)?', text) == [("3", " checked"), ("5", "")]
        assert "没有符合的医生" in inside.post("/send/rows", [("check", check), ("query", "nobody")]).text
        assert inside.post("/send/rows", {"check": "20200101-000000-000"}).status == 409


def test_a_plan_that_has_changed_sends_nothing_and_is_checked_again(checked):
    with open_page(checked) as (_, inside):
        first = read_check(inside.get("/send").text)
        checked.doctors(6)
        assert inside.post("/send", {"check": first, "which": "all"}).status == 303
        text = wait_for_end(inside)
        assert checked.creates() == 2
        assert read_check(text) != first
        assert "全部 4 位医生" in text
        run = re.search(r'href="/runs/([^"]+)"', text)[1]
        assert "现在要提交的与检查时看到的不一样" in inside.get(f"/runs/{run}").text


def test_a_guard_is_shown_and_passed_only_by_its_own_box(checked):
    path = checked.folder / "config.yaml"
    text = path.read_text("utf-8").replace("guards: {give_up_minutes: 0.02}", "guards: {new_rows: 1}")
    path.write_text(text, "utf-8")
    assert checked.go("check") == 5
    with open_page(checked) as (_, inside):
        text = inside.get("/send").text
        assert "新出现的医生太多（3 &gt; 1）" in text
        check = read_check(text)
        answer = inside.post("/send", {"check": check, "which": "all"})
        assert answer.status == 409
        assert "请勾选确认" in answer.text
        assert inside.post("/send", {"check": check, "which": "all", "accept": "yes"}).status == 303
        wait_for_end(inside)
        assert checked.creates() == 5
        assert read_log(checked, "send")[0]["guards"] is True
        assert '"accepted_guards": true' in (checked.newest / "run.json").read_text("utf-8") or any(
            '"accepted_guards": true' in (run / "run.json").read_text("utf-8") for run in checked.runs
        )


def test_in_production_the_short_name_is_typed(hospital, monkeypatch):
    """The endpoint is never reached: nothing is sent before the name is right."""
    hospital.doctors(2)
    path = hospital.folder / "config.yaml"
    lines = path.read_text("utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("  endpoint:")]
    path.write_text("\n".join(kept) + "\n", "utf-8")
    assert hospital.go("check") == 0
    with open_page(hospital) as (_, inside):
        text = inside.get("/send").text
        assert "提交到正式环境" in text
        assert "请输入“org_sandbox_hospital”确认" in text
        check = read_check(text)
        for typed in ("", "org_sandbox"):
            answer = inside.post("/send", {"check": check, "which": "all", "organization": typed})
            assert answer.status == 409
            assert "输入的名称不是" in answer.text
        assert not (hospital.folder / "state" / FOLDER).exists()
