"""Send: the preview, the question, the run as a child process, live, stop."""

import json
import os
import re
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from html import unescape
from threading import Thread

import psutil
import pytest
from page_support import PageProcess, PageThread
from people import make_row, name, number
from run_support import wait_until
from wire_support import CREATE

from pipeline.ledger.lock import Holder
from pipeline.web.access import PageUser, Role
from pipeline.web.send.run_child import FOLDER, RunChild, RunStart, RunView
from pipeline.web.users import UserFile


def read_check(text):
    """Return the id of the check whose preview is shown."""
    return re.search(r'name="check" value="([^"]+)"', text)[1]


def read_log(hospital, action):
    lines = (hospital.folder / "state" / "page-log.jsonl").read_text("utf-8").splitlines()
    return [line for line in map(json.loads, lines) if line["action"] == action]


def wait_for(inside, words, is_there=True):
    """Return the page once it holds these words, or no longer."""
    pages = []

    def has_come():
        pages.append(inside.get("/send").text)
        return (words in pages[-1]) is is_there

    wait_until(has_come)
    return pages[-1]


def wait_for_end(inside):
    """Return the page once no run is under way; a check follows."""
    return wait_for(inside, 'id="run"', is_there=False)


@contextmanager
def open_page(hospital):
    with PageThread(hospital.folder / "config.yaml") as page:
        yield page, page.enter()
        assert page.failures == []


@pytest.fixture
def checked(scene):
    """A hospital with two seals and three doctors more, checked."""
    return scene(check_newcomers)


def check_newcomers(hospital):
    hospital.seal_doctors(2)
    hospital.doctors(5)
    assert hospital.go("check") == 0


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


def test_the_run_is_started_recorded_and_shown(forked_runs, checked, capsys):
    """By a user who may send; who may only look is offered nothing."""
    with (checked.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write('web: {url: "https://esign.hospital.example", trusted_proxy: "127.0.0.1"}\n')
    users = UserFile(checked.folder / "state")
    users.save(PageUser("wang", Role.SEND))
    users.save(PageUser("li", Role.LOOK))
    with PageThread(checked.folder / "config.yaml") as page:
        looker = page.visit(X_Forwarded_User="li", Host="esign.hospital.example")
        assert 'id="order"' not in looker.get("/send").text
        assert "提交需要“提交”权限" in looker.get("/send").text
        inside = page.visit(X_Forwarded_User="wang", Host="esign.hospital.example")
        inside.read_token()
        check = read_check(inside.get("/send").text)
        assert inside.post("/send", {"check": check, "which": "all"}).status == 303
        text = wait_for_end(inside)
        assert "wang" in text
        assert checked.creates() == 5
        run = re.search(r'href="/runs/([^"]+)"', text)[1]
        record = json.loads((checked.folder / "out" / run / "run.json").read_text("utf-8"))
        assert (record["command"], record["exit"], record["restrictions"]) == (
            "run",
            0,
            [f"--checked {check}"],
        )
        wait_for(inside, "没有要提交的")
        (line,) = read_log(checked, "send")
        assert (line["user"], line["check"], line["rows"], line["guards"]) == ("wang", check, "all", False)
        report = (checked.folder / "out" / run / "report.html").read_text("utf-8")
        assert '<html lang="zh' in report, "the language of the user who sent"
        capsys.readouterr()
        assert checked.go("--json", "status", "--runs", "9") == 0
        assert json.loads(capsys.readouterr().out)["runs"][0]["user"] == "wang"
        assert page.failures == []


def test_the_rows_that_are_ticked_alone_are_sent(forked_runs, checked):
    with open_page(checked) as (_, inside):
        check = read_check(inside.get("/send").text)
        form = [("check", check), ("which", "chosen"), ("row", "3"), ("row", "5")]
        assert inside.post("/send", form).status == 303
        wait_for_end(inside)
        assert checked.creates() == 4
        assert {seal.name for seal in checked.service.seals} == {name(serial) for serial in (1, 2, 3, 5)}
        assert read_log(checked, "send")[0]["rows"] == 2


def test_what_is_filled_in_wrong_starts_nothing(checked):
    forms = (
        ([("which", "chosen")], "没有勾选医生"),
        ([("which", "chosen"), ("row", "1")], "一次最多勾选"),
        ([("which", "chosen"), ("row", "99")], "一次最多勾选"),
        ([("check", "20200101-000000-000"), ("which", "all")], "名单已重新检查"),
    )
    with open_page(checked) as (_, inside):
        check = read_check(inside.get("/send").text)
        for form, says in forms:
            answer = inside.post("/send", form if form[0][0] == "check" else [("check", check), *form])
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


def test_a_plan_that_has_changed_sends_nothing_and_is_checked_again(forked_runs, checked):
    with open_page(checked) as (_, inside):
        first = read_check(inside.get("/send").text)
        checked.doctors(6)
        assert inside.post("/send", {"check": first, "which": "all"}).status == 303
        text = wait_for(inside, "全部 4 位医生")
        assert checked.creates() == 2
        assert read_check(text) != first
        run = re.search(r'href="/runs/([^"]+)"', text)[1]
        assert "现在要提交的与检查时看到的不一样" in inside.get(f"/runs/{run}").text
        assert re.search(r"不同的行 1: roster\.xlsx \S+ 第 7 行", text)
        assert f"与检查时不同的医生：{name(6)} · 00006 · 内科 · {number(6)[-4:]}<" in text


def test_the_doctor_who_is_ticked_is_sent_or_no_one(forked_runs, checked):
    """Another stands in the row since the check."""
    with open_page(checked) as (_, inside):
        text = inside.get("/send").text
        line = re.search(rf'name="row" value="(\d)"[^\n]*{name(3)}', text)[1]
        checked.roster([make_row(serial) for serial in (5, 4, 3, 2, 1)])
        form = {"check": read_check(text), "which": "chosen", "row": line}
        assert inside.post("/send", form).status == 303
        wait_for_end(inside)
        assert {seal.name for seal in checked.service.seals} <= {name(serial) for serial in (1, 2, 3)}


def test_a_guard_is_shown_and_passed_only_by_its_own_box(forked_runs, checked):
    path = checked.folder / "config.yaml"
    path.write_text(path.read_text("utf-8") + "guards: {new_rows: 1}\n", "utf-8")
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


# -- a run that lasts


@pytest.fixture
def slow(hospital_with, request):
    """A hospital whose run of thirty doctors lasts half a minute, unless it is stopped; checked."""
    hospital = hospital_with(faults=getattr(request, "param", ()))
    hospital.requests_per_second = 1
    hospital.configure()
    hospital.doctors(30)
    assert hospital.go("check") == 0
    yield hospital
    for run in list_runs_of(hospital):
        run.kill()


def list_runs_of(hospital):
    """Return the processes of runs that the page has started and that have not ended."""
    folders = (hospital.folder / "state" / FOLDER).glob("*")
    words = [f"{folder / 'progress.json'}" for folder in folders]
    runs = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("ESIGN_RUN_PROGRESS") in words and process.status() != "zombie":
                runs.append(process)
    return runs


def start_run(inside, **form):
    """Start a run, and return the first page that shows a row that has ended."""
    check = read_check(inside.get("/send").text)
    assert inside.post("/send", {"check": check, "which": "all", **form}).status == 303
    return wait_for(inside, 'class="ended"')


def stop(inside, text, **form):
    run = re.search(r'name="run" value="([^"]+)"', text)[1]
    return inside.post("/send/stop", {"run": run, **form})


def send_the_rest(hospital, inside):
    """Lift the limit, check and send once more: every doctor has one seal then, but for those who are unknown."""
    hospital.requests_per_second = 1000
    hospital.configure()
    assert hospital.go("run") in {0, 3}
    assert hospital.service.list_duplicates() == {}
    ends = hospital.statuses()
    assert set(ends) <= {"sealed", "unchanged", "unknown"}
    assert ends.get("unknown", 0) <= 8, "at most what was under way"
    assert len(hospital.service.seals) >= 30 - ends.get("unknown", 0)
    assert "unchanged" in ends


def read_events(inside, text, wanted):
    """Return the events of the page's stream up to one that holds the wanted words."""
    address = re.search(r'data-events="([^"]+)"', text)[1]
    connection = inside.page.connect()
    connection.request("GET", unescape(address), headers={"Cookie": inside.cookie})
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "text/event-stream"
    lines = []
    while not lines or wanted not in lines[-1]:
        line = response.readline().decode("utf-8")
        assert line, "the stream has ended"
        lines.append(line)
    connection.close()
    return "".join(lines)


def test_the_numbers_come_live_and_stop_drains(slow, monkeypatch):
    """However many browsers look, the progress is read once a second; a stream ends where the page is another one.

    Of three starts at once and of later ones, here or elsewhere, the first alone is a run.
    """
    reads, read_progress = [], RunChild._read_progress

    def count_read(child, path):
        reads.append(path)
        return read_progress(child, path)

    monkeypatch.setattr(RunChild, "_read_progress", count_read)
    with open_page(slow) as (_, inside):
        check = read_check(inside.get("/send").text)
        threads = [
            Thread(target=inside.post, args=["/send", {"check": check, "which": "all"}]) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        text = wait_for(inside, 'class="ended"')
        assert len(list_runs_of(slow)) == 1
        assert len(read_log(slow, "send")) == 1
        answer = inside.post("/send", {"check": check, "which": "all"})
        assert answer.status == 409
        assert "正在使用台账" in answer.text
        assert slow.go("run") == 6

        assert re.search(r"<b>\d+</b> / 30</p>", text)
        assert re.search(r"每秒提交 / 上限</dt><dd>[\d.]+ / 1</dd>", text)
        assert name(1) in text
        state = re.search(r"state=([0-9a-f]+)", text)[1]
        part = inside.get(f"/send/now?state={state}").text
        assert "<progress" in part
        assert "<html" not in part
        assert inside.get("/send/now?state=other").headers["HX-Redirect"] == "/send"
        begun, before = time.monotonic(), len(reads)
        for _ in range(20):
            inside.get(f"/send/now?state={state}")
        assert len(reads) - before <= time.monotonic() - begun + 1
        assert "data: <progress" in read_events(inside, text, "<progress")
        assert "event: other" in read_events(inside, text.replace("state=", "state=0"), "event: other")
        assert stop(inside, text).status == 303
        assert "event: other" in read_events(inside, text, "event: other")
        text = wait_for_end(inside)
        assert "被人停止" in text
        assert 0 < slow.creates() == len(slow.service.seals) < 30
        assert slow.service.list_duplicates() == {}
        assert [line["again"] for line in read_log(slow, "stop")] == [False]


@pytest.mark.parametrize("slow", [[{"match": {"action": CREATE}, "do": {"delay_after": 60}}]], indirect=True)
def test_pressed_again_stop_says_what_a_second_one_does(slow):
    with open_page(slow) as (_, inside):
        check = read_check(inside.get("/send").text)
        assert inside.post("/send", {"check": check, "which": "all"}).status == 303
        text = wait_for(inside, "<progress")
        wait_until(lambda: slow.creates() > 0)
        stop(inside, text)
        text = wait_for(inside, "正在停止")
        assert "成为“未知”" in text
        stop(inside, text)
        assert len(read_log(slow, "stop")) == 1
        assert list_runs_of(slow) != []
        stop(inside, text, again="yes")
        wait_for_end(inside)
        assert [line["again"] for line in read_log(slow, "stop")] == [False, True]
        assert list_runs_of(slow) == []


def test_a_run_that_was_started_elsewhere_is_shown_and_stops_from_here(slow):
    check = slow.newest.name  # before the run, whose results are newer
    with open_page(slow) as (_, inside), slow.start("run", "--yes") as process:
        text = wait_for(inside, "不是从本页开始的")
        assert "主机" in text
        assert inside.post("/send", {"check": "", "which": "all"}).status == 409
        wait_until(lambda: slow.creates() > 0)  # it takes signals by then
        stop(inside, text)
        process.communicate()
        assert process.returncode == 130
        assert 'id="order"' not in wait_for(inside, "之后又有过运行")
        answer = inside.post("/send", {"check": check, "which": "all"})
        assert answer.status == 409
        assert "之后又有过运行" in answer.text
        assert not (slow.folder / "state" / FOLDER).exists()


def test_a_page_started_again_shows_the_run_and_stops_it(slow):
    """Also where the page was killed between the start of the process and the note of its number."""
    with open_page(slow) as (_, inside):
        start_run(inside)
    assert len(list_runs_of(slow)) == 1
    (start,) = (slow.folder / "state" / FOLDER).glob("*/start.json")
    start.write_text(json.dumps(json.loads(start.read_text("utf-8")) | {"pid": None}), "utf-8")
    with open_page(slow) as (_, inside):
        text = wait_for(inside, 'class="ended"')
        stop(inside, text)
        text = wait_for_end(inside)
        assert "被人停止" in text


def test_the_run_outlives_its_page(slow):
    """However the page ends; the next one shows the run, and sees that it was killed."""
    with PageProcess(slow.folder / "config.yaml") as page:
        start_run(page.enter())
        assert page.end(signal.SIGKILL) == -signal.SIGKILL
        (run,) = list_runs_of(slow)
        assert os.getsid(run.pid) == run.pid, "what is sent to the page's group does not reach it"
        before = slow.creates()
        wait_until(lambda: slow.creates() > before)
    with PageProcess(slow.folder / "config.yaml") as page:
        wait_for(page.enter(), 'class="ended"')
        assert page.end(signal.SIGTERM) == 0
        before = slow.creates()
        wait_until(lambda: slow.creates() > before)
    with open_page(slow) as (_, inside):
        wait_for(inside, 'class="ended"')
        run.kill()
        text = wait_for_end(inside)
        assert "没有正常结束" in text


def test_a_killed_run_is_shown_and_nothing_is_sent_twice(slow):
    with open_page(slow) as (_, inside):
        start_run(inside)
        (run,) = list_runs_of(slow)
        run.kill()
        text = wait_for_end(inside)
        assert "没有正常结束" in text
        wait_for(inside, 'id="order"')  # checked again, so that the rest can be sent
        send_the_rest(slow, inside)


def test_a_run_is_the_pages_own_by_its_process_or_its_name():
    holder = Holder("20260101-000000-000", "2026-01-01T00:00:00+08:00", 42, "wang", "host")
    start = RunStart("20260101-000000-000", "wang", holder.since, "check", None, accept_guards=False, pid=42)
    assert RunView(holder, start, is_alive=True).is_own, "while it reads rosters it has not named itself"
    assert not RunView(holder, replace(start, pid=43), is_alive=True).is_own
    assert RunView(holder, replace(start, pid=None), numbers={"run": holder.run}).is_own
    assert not RunView(holder, start, numbers={"run": "20260101-000000-001"}).is_own
    assert RunView(None, start, is_alive=True).is_own
    assert not RunView(holder).is_own


def test_nothing_is_started_where_it_cannot_be_recorded(slow):
    log = slow.folder / "state" / "page-log.jsonl"
    with open_page(slow) as (_, inside):
        check = read_check(inside.get("/send").text)
        log.unlink(missing_ok=True)
        log.mkdir()
        assert inside.post("/send", {"check": check, "which": "all"}).status == 503
        log.rmdir()
        assert not (slow.folder / "state" / FOLDER).exists()
        assert slow.creates() == 0


def test_a_start_that_the_page_did_not_finish_is_no_run(slow):
    folder = slow.folder / "state" / FOLDER / "20260101-000000-000"
    folder.mkdir(parents=True)
    with open_page(slow) as (_, inside):
        for content in ("", "{", "[]", '{"name": 1}'):
            (folder / "start.json").write_text(content, "utf-8")
            assert read_check(inside.get("/send").text)
