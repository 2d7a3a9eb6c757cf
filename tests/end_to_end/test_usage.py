"""Wrong arguments and wrong paths: exit 2, one clear sentence in the reader's language, nothing sent."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import openpyxl
import pytest
from people import make_row
from pty_support import run_on_terminal

from pipeline.cli.app import main
from pipeline.clock import SystemClock
from pipeline.ledger.places import SHARE
from pipeline.sandbox.gateway import SANDBOX

HERE = Path(__file__).parents[2]
HAN = re.compile(r"[\u4e00-\u9fff]")


def say(capfd, *arguments, language="zh", config=None):
    """Run the command line; return its exit code and what it said."""
    capfd.readouterr()
    named = ["--config", str(config)] if config else []
    code = main([*named, "--lang", language, *arguments], clock=SystemClock())
    captured = capfd.readouterr()
    return code, captured.out + captured.err


@pytest.mark.parametrize("command", ["check", "run", "retry", "demo"])
def test_results_cannot_lie_in_a_file(hospital, capfd, command):
    hospital.doctors(1)
    if command == "retry":
        assert hospital.go("run") == 0
    before = len(hospital.service.received)
    taken = hospital.folder / "taken"
    taken.write_text("mine")
    for language, text_part, out in (
        ("zh", "是文件", taken),
        ("en", "is a file", taken),
        ("zh", "是文件", taken / "deeper" / "still"),
        ("en", "is a file", taken / "deeper" / "still"),
    ):
        config = hospital.folder / "config.yaml"
        code, printed = say(capfd, command, "--out", str(out), language=language, config=config)
        assert (code, taken.read_text()) == (2, "mine")
        assert text_part in printed
        assert str(taken) in printed
    assert len(hospital.service.received) == before


NUMBERED_ZERO = re.compile(r"(?<!\d)0 (seals|creates|rows|s\b|枚|秒|行)")


def get_preview(hospital, capfd, *arguments, language):
    """Return the line about what the run will do."""
    _, printed = say(capfd, *arguments, language=language, config=hospital.folder / "config.yaml")
    return next(
        line
        for line in printed.splitlines()
        if re.match(r"\d+ rows?[,.] |名单共|名单里|The rosters contain|名单都无法|No roster could", line)
    )


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_preview_gives_the_reason_why_nothing_is_to_be_sent(hospital, capfd, language):
    hospital.doctors(3)
    line = get_preview(hospital, capfd, "run", language=language)
    assert (
        line
        == {
            "zh": "名单共 3 行；将创建最多 3 枚印章，不到 1 秒。",
            "en": "3 rows, at most 3 to send, less than a second.",
        }[language]
    )
    line = get_preview(hospital, capfd, "run", language=language)
    assert ("未变 3" if language == "zh" else "Unchanged 3") in line
    assert not NUMBERED_ZERO.search(line)
    hospital.roster([("王五", "1101", None, "9", None)], file="two.xlsx")
    line = get_preview(hospital, capfd, "run", language=language)
    assert ("未变 3、待改 1" if language == "zh" else "Unchanged 3, To correct 1") in line
    hospital.roster([], file="roster.xlsx")
    hospital.roster([], file="two.xlsx")
    line = get_preview(hospital, capfd, "run", "--accept-guards", language=language)
    assert ("没有医生" if language == "zh" else "contain no doctors") in line
    for file in ("roster.xlsx", "two.xlsx"):
        (hospital.folder / "inbox" / file).write_bytes(b"")
    line = get_preview(hospital, capfd, "run", language=language)
    assert (
        line
        == {
            "zh": "名单都无法读取，没有要提交的。",
            "en": "No roster could be read; nothing to send.",
        }[language]
    )


def test_a_guard_is_named_in_the_preview_and_nothing_is_asked(hospital, capfd):
    hospital.seal_doctors(2)
    path = hospital.folder / "config.yaml"
    path.write_text(path.read_text() + "guards: {new_rows: 0}\n")
    hospital.doctors(9)
    for language, text_part in (("zh", "触发保护"), ("en", "Stopped by a safety check")):
        assert text_part in get_preview(hospital, capfd, "run", language=language)


def folders(hospital) -> set[str]:
    return {path.name for path in (hospital.folder / "out").glob("*") if path.name != SHARE}


@pytest.mark.parametrize("own", [False, True])
def test_a_declined_run_leaves_no_folder(hospital, own):
    """A folder that existed before stays."""
    hospital.doctors(2)
    named = hospital.folder / "mine"
    options = ["--out", str(named)] if own else []
    if own:
        named.mkdir()
    code, seen = run_on_terminal(hospital.command("run", *options), columns=200, typed=b"n\n")
    assert (code, folders(hospital), hospital.service.received) == (0, set(), []), seen
    assert "[y/N]" in seen
    assert named.exists() == own


@pytest.mark.skipif(os.name == "nt", reason="names are not bytes there")
def test_a_roster_named_in_gbk_is_read_and_a_folder_named_so_is_refused(hospital, tmp_path, capsys):
    """An archive unpacked from Windows; the ledger keeps paths as text."""
    hospital.doctors(2)
    inbox = hospital.folder / "inbox"
    (inbox / "roster.xlsx").rename(inbox / os.fsdecode("名单.xlsx".encode("gbk")))
    assert hospital.run_to_end("run") == (0, {"sealed": 2})
    assert hospital.go("retry") == 0
    folder = tmp_path / os.fsdecode("结果".encode("gbk"))
    folder.mkdir()
    for option in ("--out", "--seals"):
        assert hospital.go("run", option, str(folder)) == 2
        assert "not UTF-8" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder in which nobody can make a file")
def test_a_ledger_that_cannot_be_made_is_not_called_locked(hospital, capfd, monkeypatch):
    monkeypatch.setenv("ESIGN_IMPORT_LEDGER", "/proc/ledger.sqlite3")
    hospital.doctors(1)
    for language, text_part in (
        ("zh", "无法在 /proc 中建立"),
        ("en", "The ledger files cannot be created in /proc"),
        ("zh", "（或环境变量 ESIGN_IMPORT_LEDGER）改为"),
        ("en", "(or the variable ESIGN_IMPORT_LEDGER) to a file"),
    ):
        code, printed = say(capfd, "run", language=language, config=hospital.folder / "config.yaml")
        assert (code, text_part in printed) == (74, True), printed


def test_a_missing_configuration_is_reported_with_the_folder_that_was_searched(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for language in ("zh", "en"):
        code, printed = say(capfd, "status", language=language)
        assert (code, str(tmp_path) in printed) == (2, True)
        code, printed = say(capfd, "check", language=language)
        assert (code, str(tmp_path) in printed) == (0, True)


def test_a_workbook_in_place_of_the_configuration_is_not_to_be_saved_in_notepad(hospital, capfd):
    hospital.doctors(1)
    roster = hospital.folder / "inbox" / "roster.xlsx"
    for language, text_part in (("zh", "不是配置文件"), ("en", "not a configuration file")):
        code, printed = say(capfd, "run", language=language, config=roster)
        assert (code, text_part in printed, "UTF-8" in printed) == (2, True, False), printed


def test_a_backup_into_a_folder_is_a_new_file_in_it(hospital, capfd):
    hospital.seal_doctors(1)
    backups = hospital.folder / "backups"
    config = hospital.folder / "config.yaml"
    code, printed = say(capfd, "ledger", "backup", str(backups), language="en", config=config)
    assert code == 0
    assert backups.is_file(), "there was no folder: this is the file that was named"
    backups.unlink()
    backups.mkdir()
    for _ in range(2):
        assert hospital.go("ledger", "backup", str(backups)) == 0
    assert [path.stat().st_mode & 0o777 for path in backups.glob("ledger-*.backup")] == [0o600, 0o600]
    code, printed = say(capfd, "ledger", "backup", str(backups / "no" / "x"), language="zh", config=config)
    assert (code, str(backups / "no") in printed) == (2, True)


def ports_are_guarded() -> bool:
    start = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    return start.exists() and int(start.read_text()) > 80 and (os.geteuid() != 0 or shutil.which("setpriv"))


@pytest.mark.skipif(not ports_are_guarded(), reason="every port is free to everybody")
def test_a_port_that_only_an_administrator_may_use_is_not_taken():
    without = [] if os.geteuid() else ["setpriv", "--bounding-set=-net_bind_service"]
    command = [*without, sys.executable, "-m", "pipeline", "sandbox", "--port", "80", "--lang", "en"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE)
    assert done.returncode == 2
    assert "Port 80 of 127.0.0.1" in done.stderr
    assert "sandbox --port 0" in done.stderr


def test_a_typo_in_an_id_is_shown_in_full(hospital, capfd):
    hospital.seal_doctors(1)
    config = hospital.folder / "config.yaml"
    typo = SANDBOX.app_id.replace("0app", "app")
    config.write_text(config.read_text("utf-8").replace(SANDBOX.app_id, typo), "utf-8")
    for language in ("zh", "en"):
        code, printed = say(capfd, "run", language=language, config=config)
        assert code == 2
        assert SANDBOX.app_id in printed
        assert f" {typo}" in printed.replace("是 ", " ").replace("写的", " ").replace("是", " ")


@pytest.mark.parametrize("lost", ["ledger", "state"])
@pytest.mark.parametrize("command", ["run", "status", "resolve", "export"])
def test_each_command_repairs_a_lost_ledger_and_says_so(hospital, capfd, command, lost):
    hospital.seal_doctors(2)
    config = hospital.folder / "config.yaml"
    for language, sentence in (("zh", "条记录已由日志补上"), ("en", "were entered from its journals")):
        if lost == "state":
            shutil.rmtree(hospital.folder / "state")
        else:
            hospital.lose_ledger()
        code, printed = say(capfd, command, language=language, config=config)
        assert (code, printed.count(sentence)) == (0, 1), printed
    assert hospital.run_to_end("run") == (0, {"unchanged": 2})
    assert hospital.creates() == 2


@pytest.mark.parametrize("version", [0, 99])
def test_a_ledger_of_another_version_asks_for_the_program_that_wrote_it(hospital, capfd, version):
    hospital.seal_doctors(1)
    with closing(sqlite3.connect(hospital.folder / "state" / "ledger.sqlite3")) as ledger:
        ledger.execute(f"PRAGMA user_version = {version}")
    for language, sentence in (
        ("zh", "请改用写下它的 esign-import 版本"),
        ("en", "use the version of esign-import that wrote it"),
    ):
        for command in ("run", "status"):
            code, printed = say(capfd, command, language=language, config=hospital.folder / "config.yaml")
            assert (code, printed.count(sentence)) == (74, 1), printed
            assert "ledger check" not in printed
            assert printed.rstrip().endswith(" doctor --offline")


def test_a_console_without_chinese_is_named_once_where_chinese_was_asked_for():
    environment = {
        **os.environ,
        "PYTHONIOENCODING": "ascii",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }
    for words, count in ((("--lang", "zh", "nosuch"), 1), (("--lang", "en", "nosuch"), 0)):
        command = [sys.executable, "-m", "pipeline", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE, env=environment)
        assert (done.returncode, done.stderr.count("set LC_ALL=C.UTF-8")) == (2, count), done.stderr


def test_while_there_are_no_pictures_the_roster_is_not_to_be_corrected(hospital, capfd):
    hospital.doctors(2)
    shutil.rmtree(hospital.folder / "seals")
    assert hospital.go("run") == 3
    printed = " ".join(capfd.readouterr().err.split())
    assert "2 rows have no picture" in printed
    assert "rows to correct" not in printed
    assert hospital.go("status") == 0
    printed = " ".join(capfd.readouterr().err.split())
    assert "2 rows have no picture" in printed


def test_status_names_the_page_on_which_rows_wait_for_their_review(hospital, capfd):
    hospital.doctors(2)
    config = hospital.folder / "config.yaml"
    config.write_text(config.read_text("utf-8") + "require_review: true\n", "utf-8")
    assert hospital.go("run") == 3
    capfd.readouterr()
    assert hospital.go("status") == 0
    printed = " ".join(capfd.readouterr().err.split())
    assert "2 rows wait for a review: mark them right or wrong on the page Review" in printed
    assert printed.endswith("serve --open")


def test_a_name_to_be_corrected_is_the_only_problem_of_its_row(hospital):
    hospital.doctors(2)
    (hospital.folder / "seals" / "00001.png").unlink()
    hospital.roster([("冯雪（进修）", *make_row(1)[1:]), make_row(2)])
    assert hospital.go("run") == 3
    (row,) = [row for row in hospital.outcomes() if row["status"] == "rejected"]
    assert row["codes"] == ["NAME_INVALID"]


def test_a_sheet_that_was_deleted_is_missed_by_name(hospital, capfd):
    hospital.doctors(1)
    book = openpyxl.Workbook()
    book.active.title = "说明"
    book.save(hospital.folder / "inbox" / "roster.xlsx")
    assert hospital.go("check") == 7
    assert "the file has: 说明" in " ".join(capfd.readouterr().err.split())
