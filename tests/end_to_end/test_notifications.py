"""Notifications, pings and metrics of runs, at a real server: when they are sent, what they hold, and how often."""

import json
import re
import shutil
from datetime import datetime

import pytest
from people import name, number
from run_support import QuickClock
from watch_support import Watcher

from pipeline.cli.app import main
from pipeline.operations.notify import name_channel
from pipeline.sandbox.gateway import SANDBOX

SEND_TEST = ("doctor", "--offline", "--send-test")


@pytest.fixture
def watcher():
    with Watcher() as server:
        yield server


@pytest.fixture
def watched(hospital, watcher):
    add_config(hospital, f"notify: {{urls: ['json://{watcher.host}/chat'], name: 滨江医院}}\nlanguage: zh\n")
    return hospital


def add_config(hospital, text):
    path = hospital.folder / "config.yaml"
    path.write_text(path.read_text("utf-8") + text, "utf-8")


def add_bad_row(hospital, count=1):
    rows = [(name(n), number(n)[:-1], None, f"{n:05d}", "内科") for n in range(50, 50 + count)]
    hospital.roster(rows, file="bad.xlsx")


def test_only_news_are_sent(watched, watcher):
    """The first good run, and every run like the one before, are no news within a week."""
    titles = []

    def run_with_exit(exit_code):
        assert watched.go("run", "--yes") == exit_code
        titles.append([title for _, title, _ in watcher.messages])
        watcher.messages.clear()

    watched.doctors(2)
    run_with_exit(0)
    run_with_exit(0)
    add_bad_row(watched)
    run_with_exit(3)
    run_with_exit(3)
    add_bad_row(watched, 2)
    run_with_exit(3)
    add_bad_row(watched)
    run_with_exit(3)  # one row was corrected
    secret = watched.folder / "secrets" / "tencent__secret_key"
    secret.write_text("")
    watched.doctors(3)
    run_with_exit(4)
    run_with_exit(4)
    secret.write_text(SANDBOX.secret_key)
    (watched.folder / "inbox" / "bad.xlsx").unlink()
    run_with_exit(0)
    run_with_exit(0)
    attention, failed = "【滨江医院】电子印章导入：有行需要处理", "【滨江医院】电子印章导入：失败（退出码 4）"
    recovered = "【滨江医院】电子印章导入：已恢复正常"
    assert titles == [[], [], [attention], [], [attention], [], [failed], [], [recovered], []]


class DayClock(QuickClock):
    """Noon of a day, by a fixed calendar."""

    def __init__(self, day):
        self._now = datetime(2026, 12, 1, 12).astimezone().timestamp() + day * 86_400

    def now(self):
        self._now += 0.01  # each run has its own name
        return self._now


def list_days_with_messages(hospital, watcher, days, exit_code):
    """Run once on each day; return the days on which a message came, and the last message."""
    with_message, body = [], ""
    for day in days:
        assert hospital.go("run", "--yes", clock=DayClock(day)) == exit_code
        if watcher.messages:
            with_message.append(day)
            ((_, _, body),) = watcher.messages
        watcher.messages.clear()
    return with_message, body


@pytest.mark.parametrize(("exit_code", "later"), [(3, [13, 14, 15, 30]), (4, [])])
def test_a_state_that_lasts_is_named_again_once_a_week(watched, watcher, exit_code, later):
    add_bad_row(watched)
    if exit_code == 4:
        watched.doctors(1)
        (watched.folder / "secrets" / "tencent__secret_key").write_text("")
    days, body = list_days_with_messages(watched, watcher, [0, 6, 7, *later], exit_code)
    assert days == [0, 7, *later[1::2]]
    assert "从 2026-12-01 起一直如此；没有变化时每周提醒一次" in body


def test_a_good_state_that_lasts_has_no_reminder(watched, watcher):
    watched.roster([])
    assert list_days_with_messages(watched, watcher, [0, 8, 40], 0) == ([], "")


def test_a_failure_for_another_reason_is_news(watched, watcher):
    watched.doctors(1)
    secret = watched.folder / "secrets" / "tencent__secret_key"
    secret.write_text("")
    assert list_days_with_messages(watched, watcher, [0, 1], 4)[0] == [0]
    secret.write_text("wrong")
    assert list_days_with_messages(watched, watcher, [2, 3], 4)[0] == [2], "the code of the stop is another"


def test_a_message_names_the_results_by_their_whole_path(watched, watcher, monkeypatch):
    watched.doctors(1)
    add_bad_row(watched)
    monkeypatch.chdir(watched.folder)
    assert main(["run", "--yes"]) == 3
    ((_, _, body),) = watcher.messages
    assert f"结果：{watched.folder / 'out' / 'latest'}" in body.splitlines()


def test_a_message_holds_counts_and_reasons_and_no_person(watched, watcher):
    watched.doctors(2)
    add_bad_row(watched)
    assert watched.go("run", "--yes") == 3
    ((path, _, body),) = watcher.messages
    assert path == "/chat"
    assert "成功：2 行" in body
    assert "证件号码位数不对：1 行（ID_LENGTH）" in body
    for serial in (1, 2, 50):
        assert name(serial) not in body
        assert number(serial)[:-1] not in body
    assert not re.search(r"\d{15}", body.replace(watched.newest.name, ""))
    state = (watched.folder / "state" / "ledger.sqlite3.watch.json").read_text("utf-8")
    assert not any(name(serial) in state for serial in (1, 2, 50))


def test_a_lost_answer_and_a_refused_roster_are_news_although_rows_wait(hospital_with, watcher):
    lost = {"match": {"action": "ChannelCreatePreparedPersonalEsign", "nth": [2]}, "do": "reset_after"}
    hospital = hospital_with(faults=[lost])
    add_config(hospital, f"notify: {{urls: ['json://{watcher.host}/chat']}}\n")
    add_bad_row(hospital)
    hospital.doctors(1)
    assert hospital.go("run") == 3
    hospital.doctors(2)
    assert hospital.go("run") == 3  # the second create's answer is lost
    assert hospital.go("run") == 3
    (hospital.folder / "inbox" / "broken.xlsx").write_bytes(b"PK")
    assert hospital.go("run") == 7
    assert hospital.go("run") == 7
    assert len(watcher.messages) == 3


def test_a_check_and_a_retry_send_nothing(watched, watcher):
    add_bad_row(watched)
    assert watched.go("check") == 3
    assert watcher.messages == []
    assert watched.go("run", "--yes") == 3
    watcher.messages.clear()
    assert watched.go("retry", "--yes") in {0, 3}
    assert watcher.messages == []


def test_what_could_not_be_delivered_is_sent_once_by_a_later_run(watched, watcher, capsys):
    watched.doctors(1)
    add_bad_row(watched)
    watcher.refuses = True
    assert watched.go("run", "--yes") == 3  # the exit code is the run's
    assert "1 notification was not delivered" in capsys.readouterr().err
    assert watched.go("run", "--yes") == 3
    watcher.refuses = False
    assert watched.go("run", "--yes") == 3
    assert watched.go("run", "--yes") == 3
    assert [title for _, title, _ in watcher.messages] == ["【滨江医院】电子印章导入：有行需要处理"]


def test_a_message_that_one_channel_did_not_take_is_sent_to_all_by_the_next_run(watched, watcher):
    with Watcher() as other:
        other.refuses = True
        config = watched.folder / "config.yaml"
        config.write_text(
            config.read_text("utf-8").replace("/chat'", f"/chat', 'json://{other.host}/mail'"), "utf-8"
        )
        add_bad_row(watched)
        assert watched.go("run", "--yes") == 3
        other.refuses = False
        assert watched.go("run", "--yes") == 3
        assert watched.go("run", "--yes") == 3
        assert (len(watcher.messages), len(other.messages)) == (2, 1)


def test_the_monitor_is_called_at_start_and_end(hospital, watcher):
    add_config(hospital, f"notify: {{ping: 'http://{watcher.host}/ping/abc/'}}\nlanguage: zh\n")
    hospital.doctors(1)
    assert hospital.go("run", "--yes") == 0
    shutil.rmtree(hospital.folder / "secrets")
    hospital.doctors(2)
    assert hospital.go("run", "--yes") == 4
    paths = [path for path, _ in watcher.pings]
    assert paths == ["/ping/abc/start", "/ping/abc", "/ping/abc/start", "/ping/abc/fail"]
    assert "成功：1 行" in watcher.pings[1][1]


def test_addresses_come_from_secret_files_and_are_shown_nowhere(hospital, watcher, capsys):
    (hospital.folder / "secrets" / "notify__urls").write_text(
        f"# chat of the IT team\njson://user:tokenA1@{watcher.host}/chat\n"
    )
    (hospital.folder / "secrets" / "notify__ping").write_text(f"http://{watcher.host}/ping/tokenB2\n")
    assert hospital.go(*SEND_TEST) == 0
    shown = capsys.readouterr()
    assert [path for path, _, _ in watcher.messages] == ["/chat"]
    assert [path for path, _ in watcher.pings] == ["/ping/tokenB2"]
    assert "took the test message" in shown.out
    assert "token" not in shown.out + shown.err
    add_config(hospital, f"notify: {{urls: ['json://u:tokenC3@{watcher.host}']}}\n")
    assert hospital.go("config", "show") == 0
    assert "tokenC3" not in capsys.readouterr().out


def test_a_test_message_names_what_did_not_take_it(hospital, watcher, capsys):
    assert hospital.go(*SEND_TEST) == 0
    assert "none configured" in capsys.readouterr().out
    watcher.refuses = True
    add_config(
        hospital, f"notify: {{urls: ['json://{watcher.host}/chat'], ping: 'http://{watcher.host}/ping'}}\n"
    )
    assert hospital.go(*SEND_TEST) == 5
    shown = capsys.readouterr()
    assert shown.out.count("did not take the test message") == 2
    assert "refused the message" in shown.out
    assert "HTTP 5" in shown.out
    assert shown.err.rstrip().endswith(" doctor --offline --send-test")


def test_a_test_message_tries_the_addresses_of_the_alarm_once_and_names_the_key_of_each(
    hospital, watcher, capsys
):
    add_config(
        hospital,
        f"notify: {{urls: ['json://{watcher.host}/runs'], ping: 'http://{watcher.host}/ping'}}\n",
    )
    text = (hospital.folder / "config.yaml").read_text("utf-8")
    (hospital.folder / "config.yaml").unlink()
    (hospital.folder / "common.yaml").write_text(text.replace("secrets_dir: s", "secrets_dir: ../s"), "utf-8")
    for folder in (hospital.folder / "east", hospital.folder / "west"):
        folder.mkdir()
        (folder / "config.yaml").write_text(f"api: {{organization_open_id: {folder.name}}}\n")
    hospital.config = ""
    (hospital.folder / "secrets" / "workers__alarm_urls").write_text(f"json://{watcher.host}/alarm\n")
    assert hospital.go("--all", *SEND_TEST) == 0
    assert sorted(path for path, _, _ in watcher.messages) == ["/alarm", "/runs", "/runs"]
    watcher.refuses = True
    capsys.readouterr()
    assert hospital.go("--profile", "west", *SEND_TEST) == 5
    shown = capsys.readouterr()
    for key in ("notify.urls", "workers.alarm_urls", "notify.ping"):
        assert f"({key})" in shown.out
    assert hospital.go("--json", "--profile", "west", *SEND_TEST) == 5
    findings = json.loads(capsys.readouterr().out)["findings"]
    faults = [finding["text"] for finding in findings if finding["level"] == "fault"]
    keys = ("notify.urls", "workers.alarm_urls", "notify.ping")
    assert [f"({key})" in text for key, text in zip(keys, faults, strict=True)] == [True] * 3


@pytest.mark.parametrize(
    ("url", "zh", "en"),
    [
        ("jsn://127.0.0.1/chat", "没有“jsn”这种通知服务", "no notification service “jsn”"),
        ("json://127.0.0.1:1/chat", "连不上", "could not be reached"),
    ],
)
def test_a_test_message_names_why_a_channel_took_nothing(hospital, capsys, url, zh, en):
    add_config(hospital, f"notify: {{urls: ['{url}']}}\n")
    for language, why in (("zh", zh), ("en", en)):
        assert hospital.go("--lang", language, *SEND_TEST) == 5
        shown = capsys.readouterr()
        assert why in shown.out
        assert shown.err.rstrip().endswith(" doctor --offline --send-test")


@pytest.mark.parametrize(
    "url",
    [
        "wecombot://a1b2c3d4-secret",
        "dingtalk://SECabc@tokentokentokentoken",
        "feishu://tokentokentoken",
        "mailto://user:secret@example.com",
    ],
)
def test_the_channels_of_chinese_hospitals_are_known(url):
    shown = name_channel(url)
    assert not shown.endswith("://…")
    assert "secret" not in shown
    assert "tokentoken" not in shown


def test_metrics_are_those_of_the_last_run(hospital):
    add_config(hospital, "metrics_file: metrics/esign.prom\nnotify: {name: 'River\"side\\'}\n")
    hospital.doctors(2)
    assert hospital.go("run", "--yes") == 0
    path = hospital.folder / "metrics" / "esign.prom"
    first = path.read_text("utf-8")
    assert 'esign_import_rows{hospital="River\\"side\\\\",status="sealed"} 2.0' in first
    assert 'esign_import_last_run_exit_code{hospital="River\\"side\\\\"} 0.0' in first
    assert 'action="ChannelCreatePreparedPersonalEsign",code="ok"' in first
    assert path.stat().st_mode & 0o777 == 0o644
    shutil.rmtree(hospital.folder / "secrets")
    hospital.doctors(3)
    assert hospital.go("run", "--yes") == 4
    second = path.read_text("utf-8")
    assert 'exit_code{hospital="River\\"side\\\\"} 4.0' in second
    succeeded = re.compile(r"last_success_timestamp_seconds\{.*\} (.*)")
    assert succeeded.search(first)[1] == succeeded.search(second)[1]
    assert hospital.go("check") == 0
    assert path.read_text("utf-8") == second
