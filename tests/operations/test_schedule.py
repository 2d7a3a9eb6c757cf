"""`schedule`: what systemd, cron and the Task Scheduler get, and that `doctor` finds it."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

import pytest
from defusedxml import ElementTree
from desktop import find_program

from pipeline.cli.app import main
from pipeline.clock import stamp
from pipeline.operations import installed_schedules, schedule

IDS = ("--app-id", "app", "--organization-open-id", "org", "--operator-open-id", "op")
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
# what `crontab` does, for a machine that has none
CRONTAB = """#!/bin/sh
case "$1" in
-l) [ -f "$CRON_TABLE" ] && cat "$CRON_TABLE" || { echo "no crontab for you" >&2; exit 1; } ;;
-) cat > "$CRON_TABLE" ;;
esac
"""
# what `systemctl` and `loginctl` do, for a machine on which systemd does not run
SYSTEMCTL = """#!/bin/sh
units="$SYSTEM_UNITS"
[ "$1" = --user ] && { shift; units="$XDG_CONFIG_HOME/systemd/user"; }
echo "$@" >> "$CALLS"
links="$units/timers.target.wants"
case "$1" in
enable) mkdir -p "$links"; ln -sf "$units/$3" "$links/$3" ;;
disable) rm "$links/$3" ;;
show) [ -f "$SHOWN.$2" ] && cat "$SHOWN.$2" ;;
enable-linger) mkdir -p "$LINGERING"; touch "$LINGERING/$(id -un)" ;;
esac
exit 0
"""
SCHTASKS = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$1" in
/Create) printf '"HOST","%s%s","2026/12/1 2:00:00"\\n' '\\' "$4" >> "$TASKS" ;;
/Query) [ -f "$SHOWN" ] && [ "$2" = /TN ] && cat "$SHOWN" || cat "$TASKS" ;;
/Delete) rm "$TASKS" ;;
esac
"""


@pytest.fixture
def tmp_path():
    """Return a folder on disk: systemd refuses units that work below /dev, where `make test` puts its files."""
    with tempfile.TemporaryDirectory(dir="/var/tmp" if os.name == "posix" else None) as folder:
        yield Path(folder)


@pytest.fixture
def folder(tmp_path, monkeypatch, new_hospital):
    """Return the folder of a new hospital, whose name is hard to quote; the places of timers are empty."""
    monkeypatch.setattr(installed_schedules, "SYSTEM_UNITS", tmp_path / "units")
    monkeypatch.setattr(schedule, "SYSTEM_UNITS", tmp_path / "units")
    monkeypatch.setattr(installed_schedules, "SYSTEMD_RUNS", tmp_path)
    monkeypatch.setattr(installed_schedules, "LINGERING", tmp_path / "linger")
    monkeypatch.setattr(schedule, "_get_home", lambda _: tmp_path / "home")
    monkeypatch.setattr(installed_schedules, "CRON_FILES", ())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("CRON_TABLE", str(tmp_path / "table"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("SHOWN", str(tmp_path / "shown"))
    monkeypatch.setenv("TASKS", str(tmp_path / "tasks"))
    monkeypatch.setenv("LINGERING", str(tmp_path / "linger"))
    monkeypatch.setenv("SYSTEM_UNITS", str(tmp_path / "units"))
    programs = {"crontab": CRONTAB, "systemctl": SYSTEMCTL, "loginctl": SYSTEMCTL, "schtasks": SCHTASKS}
    for name, script in programs.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    hospital = tmp_path / "第一 医院 5%$x"
    shutil.copytree(new_hospital, hospital)
    return hospital


@pytest.fixture(scope="module")
def new_hospital(tmp_path_factory):
    """Return the folder that `init` makes."""
    folder = tmp_path_factory.mktemp("new") / "hospital"
    assert main(["init", str(folder), "--yes", "--environment", "test", *IDS]) == 0
    return folder


def call(folder, *words):
    return main(["--config", str(folder / "config.yaml"), "--lang", "zh", "schedule", *words])


@pytest.mark.parametrize("options", [(), ("--user",)])
def test_systemd_takes_the_units(folder, options, tmp_path, capsys):
    analyze = find_program("systemd-analyze")
    assert call(folder, "install", "systemd", "--at", "03:05", *options) == 0
    error = capsys.readouterr().err
    units = [Path(line) for line in re.findall(r"已安装 (.*)", error)]
    assert [unit.name for unit in units] == ["esign-import.service", "esign-import.timer"]
    assert "enable --now esign-import.timer" in (tmp_path / "calls").read_text()
    verify = [analyze, "--user" if options else "--system", "verify", *map(str, units)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    text = units[0].read_text("utf-8")
    escaped = str(folder).replace("%", "%%")
    assert f"LoadCredential=tencent__secret_id:{escaped}/secrets/tencent__secret_id\n" in text
    assert (f'"-{escaped}/state"' in text) == (not options)
    timer = installed_schedules.get_installed_timer(folder / "config.yaml")
    assert timer.location == str(units[1])
    assert list(timer.missing_commands) == []
    assert installed_schedules.get_installed_timer(Path(str(folder)[:-1]) / "config.yaml") is None, (
        "another hospital"
    )
    if not options:
        audit = [analyze, "security", "--offline=true", "--threshold=25", str(units[0])]
        assert subprocess.run(audit, capture_output=True, check=False).returncode == 0, "2.5 or better"


@pytest.mark.parametrize("options", [(), ("--user",)])
def test_systemd_takes_the_unit_of_a_worker(folder, options, tmp_path, capsys):
    with (folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(PROFILES)
    analyze = find_program("systemd-analyze")
    assert call(folder, "install", "systemd", "--all", "--worker", *options) == 0
    error = capsys.readouterr().err
    (unit,) = [Path(line) for line in re.findall(r"已安装 (.*)", error)]
    assert unit.name == "esign-import-worker.service"
    assert "enable --now esign-import-worker.service" in (tmp_path / "calls").read_text()
    verify = [analyze, "--user" if options else "--system", "verify", str(unit)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    text = unit.read_text("utf-8")
    assert re.search(r'^ExecStart=.*config.yaml" --lang zh worker$', text, re.MULTILINE)
    assert (f'"-{str(folder).replace("%", "%%")}"' in text) == (not options), (
        "also the folders of other hospitals"
    )
    assert installed_schedules.get_installed_timer(folder / "config.yaml").location == str(unit)


@pytest.mark.parametrize("options", [(), ("--user",)])
def test_systemd_takes_the_unit_of_the_page(folder, options, tmp_path, capsys):
    with (folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(PROFILES)
    analyze = find_program("systemd-analyze")
    assert call(folder, "install", "systemd", "--profile", "east", "--page", *options) == 0
    (unit,) = [Path(line) for line in re.findall(r"已安装 (.*)", capsys.readouterr().err)]
    assert unit.name == "esign-import-east-page.service"
    assert "enable --now esign-import-east-page.service" in (tmp_path / "calls").read_text()
    verify = [analyze, "--user" if options else "--system", "verify", str(unit)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    text = unit.read_text("utf-8")
    assert re.search(r'^ExecStart=.*config.yaml" --profile east --lang zh serve$', text, re.MULTILINE)
    assert "KillMode=process" in text, "the run that it started goes on"
    (listed,) = get_status(folder, capsys, "--profile", "east")
    assert listed["differences"] == {}
    assert listed["next"] is None
    assert listed["install_arguments"][:6] == [
        "--profile",
        "east",
        "schedule",
        "install",
        "systemd",
        "--name",
    ]
    assert listed["install_arguments"][-1] == "--page"
    assert call(folder, "remove", "--profile", "east") == 0
    assert not unit.exists()


def test_windows_starts_the_page_with_the_machine(folder, capsys):
    assert call(folder, "print", "windows", "--page") == 0
    shown = capsys.readouterr().out
    assert "<BootTrigger>" in shown
    assert "<CalendarTrigger>" not in shown
    assert '"serve"' in shown
    assert call(folder, "print", "cron", "--page") == 2
    assert "--page" in capsys.readouterr().err


@pytest.mark.parametrize("options", [("--all", "--worker"), ("--all",)])
def test_a_hospital_that_is_added_needs_no_new_unit(folder, tmp_path, capsys, options):
    shared, work = tmp_path / "shared", tmp_path / "work"
    paths = f"ledger: {shared}/ledgers/all.sqlite3\nwork: {work}\nout: {shared}/out\n"
    text = f"api: {{app_id: app, operator_open_id: op}}\n{paths}{PROFILES}"
    (folder / "config.yaml").write_text(text, "utf-8")
    assert call(folder, "install", "systemd", *options) == 0
    (unit,) = schedule.SYSTEM_UNITS.glob("*.service")
    written = re.search("^ReadWritePaths=(.*)$", unit.read_text("utf-8"), re.MULTILINE)[1]
    parents = {f"-{shared}/ledgers", f"-{shared}/out", f"-{work}"}
    assert {path for path in written.split() if not path.endswith("esign-import")} == parents
    with (folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("  north: {api: {organization_open_id: org-north}}\n")
    (listed,) = get_status(folder, capsys)
    assert listed["differences"] == {}


def read_units():
    return {path: path.read_text("utf-8") for path in schedule.SYSTEM_UNITS.iterdir() if path.is_file()}


def test_a_unit_of_another_configuration_stays(folder, capsys):
    assert call(folder, "install", "systemd") == 0
    second = folder.with_name("second")
    assert main(["init", str(second), "--yes", "--environment", "test", *IDS]) == 0
    before = read_units()
    assert call(second, "install", "systemd") == 2
    assert "--name" in capsys.readouterr().err
    assert read_units() == before
    assert call(second, "install", "systemd", "--name", "second") == 0
    assert call(folder, "install", "systemd", "--at", "04:00") == 0, "renewed"
    assert "04:00:00" in (schedule.SYSTEM_UNITS / "esign-import.timer").read_text()


def test_cron_gets_its_line_once(folder, tmp_path):
    table = tmp_path / "table"
    table.write_text("0 1 * * * backup\n")
    assert installed_schedules.get_installed_timer(folder / "config.yaml") is None
    assert [call(folder, "install", "cron", "--at", time) for time in ("02:00", "23:30")] == [0, 0]
    other, line = table.read_text("utf-8").splitlines()
    assert other == "0 1 * * * backup"
    assert line.startswith("30 23 * * * XDG_STATE_HOME=")
    command = line.replace("\\%", "%").split(maxsplit=5)[5].replace(" run #", " status #")
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stderr) == (0, ""), "the shell reads the quoted paths"
    assert installed_schedules.get_installed_timer(folder / "config.yaml").location == "crontab"


def test_a_crontab_that_cannot_be_read_is_not_replaced(folder, tmp_path, capsys):
    (tmp_path / "crontab").write_text("#!/bin/sh\necho no permission >&2; exit 1\n")
    assert call(folder, "install", "cron") == 2
    assert "no permission" in capsys.readouterr().err


def test_windows_gets_a_task_and_a_script(folder, capsys):
    assert (
        main(
            [
                "--config",
                str(folder / "config.yaml"),
                "--json",
                "schedule",
                "print",
                "windows",
                "--at",
                "03:05",
            ]
        )
        == 0
    )
    rendered = json.loads(capsys.readouterr().out)
    script, task = ((Path(name), text) for name, text in rendered["files"].items())
    assert schedule.encode_file(*script).startswith(b"@echo off\r\n")
    assert "set PYTHONUTF8=1\n" in script[1]
    assert re.search(r"exit /b %ERRORLEVEL%\nrem sha256 \w{16}\n$", script[1])
    assert f'"{str(folder).replace("%", "%%")}/config.yaml" "run"' in script[1]
    root = ElementTree.fromstring(schedule.encode_file(*task))
    values = {element.tag.removeprefix(TASK): element.text for element in root.iter()}
    assert values["StartBoundary"].endswith("T03:05:00")
    assert values["Command"] == str(script[0])
    expected = {
        "StartWhenAvailable": "true",
        "MultipleInstancesPolicy": "IgnoreNew",
        "ExecutionTimeLimit": "PT4H",
        "LogonType": "Password",
    }
    assert expected.items() <= values.items()
    assert rendered["commands"][0][:5] == ["schtasks", "/Create", "/F", "/TN", "esign-import"]


@pytest.mark.parametrize("verb", ["print", "install"])
def test_a_task_for_another_system_ends_with_what_can_be_installed_here(folder, verb, capsys):
    assert call(folder, verb, "windows", "--at", "03:05") == 0
    printed = capsys.readouterr()
    assert "schtasks" not in printed.out + printed.err
    assert "里面的路径是这台机器的" in printed.err
    assert re.search(r"schedule install (cron|systemd) --at 03:05$", printed.err.splitlines()[-1])


def test_the_program_that_is_scheduled_is_this_one(folder, capsys):
    assert call(folder, "print", "cron") == 0
    program = Path(sys.executable).with_name("esign-import")
    assert f"PYTHONUTF8=1 {program} --config " in capsys.readouterr().out


PROFILES = """
profiles:
  east: {api: {organization_open_id: org-east}}
  西院: {api: {organization_open_id: org-west}, secrets_dir: other}
"""


@pytest.mark.parametrize(
    ("chosen", "unit", "words"),
    [
        (("--profile", "east"), "esign-import-east", "--profile east"),
        (("--all",), "esign-import", "--all"),
        (("--profile", "西院", "--name", "west"), "esign-import-west", "--profile 西院"),
    ],
)
def test_a_schedule_is_for_the_chosen_hospitals(folder, capsys, chosen, unit, words):
    with (folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(PROFILES)
    assert call(folder, "print", "systemd", *chosen) == 0
    text = capsys.readouterr().out
    assert f"units/{unit}.service\n" in text
    assert re.search(rf'^ExecStart=.*config.yaml" {words} --lang zh run$', text, re.MULTILINE)
    assert ("LoadCredential=" in text) == ("east" in chosen), "the west has other secrets, or none"
    assert call(folder, "print", "cron", *chosen) == 0
    quoted = shlex.join(words.split())
    assert f" {quoted} --lang zh --quiet run # {unit}: " in capsys.readouterr().out


def test_a_hospital_whose_name_is_no_unit_needs_a_name(folder, capsys):
    with (folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(PROFILES)
    assert call(folder, "print", "systemd", "--profile", "西院") == 2
    assert "--name" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [("systemd", "--name", "a b"), ("systemd", "--at", "25:00"), ("cron", "--worker")]
)
def test_what_cannot_be_scheduled_is_refused(folder, words):
    assert call(folder, "print", *words) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="a schedule for another user needs root")
def test_a_program_that_its_user_cannot_reach_is_a_warning(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "private" / "bin").mkdir(parents=True)
    (tmp_path / "private").chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "private" / "bin" / "python"))
    for owner, is_warned in ((0, False), (5, True)):
        os.chown(folder / "config.yaml", owner, -1)
        assert call(folder, "install", "systemd") == 0
        assert ("进不了" in capsys.readouterr().err) == is_warned


def test_variables_of_the_shell_are_named(folder, monkeypatch, capsys):
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", "x")
    assert call(folder, "print", "cron") == 0
    assert "TENCENTCLOUD_SECRET_ID" in capsys.readouterr().err


# -- status and remove


def get_status(folder, capsys, *words):
    """Return the schedules that `schedule status` lists."""
    capsys.readouterr()
    assert call(folder, "status", "--json", *words) == 0
    return json.loads(capsys.readouterr().out)["schedules"]


def write_shown(tmp_path, unit, **values):
    """Let the stand-in for systemctl answer `show` for a unit."""
    lines = [f"{key}={value}\n" for key, value in values.items()]
    (tmp_path / f"shown.{unit}").write_text("".join(lines))


KINDS = [("systemd",), ("systemd", "--user"), ("cron",), ("windows",)]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_installed_is_listed_and_removed_and_nothing_else(
    folder, tmp_path, kind, monkeypatch, capsys
):
    if kind == ("windows",):
        monkeypatch.setattr(installed_schedules, "IS_WINDOWS", True)
    (tmp_path / "table").write_text("0 1 * * * backup\n")
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert get_status(folder, capsys) == []
    assert call(folder, "install", *kind, "--at", "03:05") == 0
    (listed,) = get_status(folder, capsys)
    assert (listed["kind"], listed["start"], listed["unit"]) == (kind[0], "03:05", "esign-import")
    assert listed["next"][11:16] == "03:05"
    assert (listed["missing_commands"], listed["changed"], listed["differences"]) == ([], [], {})
    assert listed["command"][-1] == "run"
    assert str(folder / "config.yaml") in listed["command"]
    assert call(folder, "remove") == 0
    assert get_status(folder, capsys) == []
    assert (tmp_path / "table").read_text() == "0 1 * * * backup\n"
    kept = {path for path in tmp_path.rglob("*") if path.is_file()} - set(before)
    assert {path.relative_to(tmp_path).parts[0] for path in kept} <= {"calls", "linger"}
    assert call(folder, "remove") == 0, "nothing is left to remove"
    assert "没有安装定时任务" in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_person_changed_is_named_and_stays(folder, tmp_path, kind, monkeypatch, capsys):
    if kind == ("windows",):
        monkeypatch.setattr(installed_schedules, "IS_WINDOWS", True)
    assert call(folder, "install", *kind) == 0
    units = tmp_path / "home" / "systemd" / "user" if "--user" in kind else schedule.SYSTEM_UNITS
    files = {
        "systemd": units / "esign-import.timer",
        "cron": tmp_path / "table",
        "windows": folder / "esign-import.cmd",
    }
    file = files[kind[0]]
    texts = {
        "systemd": ("OnCalendar=*-*-* 02:00:00", "OnCalendar=Mon *-*-* 02:00:00"),
        "cron": ("0 2 * * *", "0 2 * * 1"),
        "windows": ("@echo off", "@echo on"),
    }
    content = file.read_bytes()
    file.write_bytes(content.replace(*(text.encode() for text in texts[kind[0]])))
    assert file.read_bytes() != content
    (listed,) = get_status(folder, capsys)
    assert len(listed["changed"]) == 1
    assert any(texts[kind[0]][1] in line for lines in listed["differences"].values() for line in lines)
    changed = file.read_bytes()
    assert call(folder, "remove") == 2
    assert "--changed" in capsys.readouterr().err
    assert file.read_bytes() == changed
    assert call(folder, "remove", "--changed") == 0
    assert get_status(folder, capsys) == []


def test_an_installed_command_that_would_be_written_differently_is_shown(
    folder, tmp_path, monkeypatch, capsys
):
    assert call(folder, "install", "cron", "--at", "04:30") == 0
    (tmp_path / "moved").mkdir()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "moved" / "python"))
    (listed,) = get_status(folder, capsys)
    assert listed["changed"] == [], "the program moved, and nobody changed the line"
    (lines,) = listed["differences"].values()
    old, new = (next(line for line in lines if line.startswith(sign)) for sign in "-+")
    assert "moved" not in old
    assert f"{tmp_path}/moved/python -m pipeline" in new
    assert call(folder, "status") == 0
    shown = capsys.readouterr()
    assert new.removeprefix("+ ") in shown.out
    assert shown.err.splitlines()[-1].strip().endswith("schedule install cron --at 04:30")
    assert call(folder, "remove") == 0, "it is what install wrote"


def test_a_line_of_an_earlier_version_without_a_digest_is_known(folder, tmp_path, capsys):
    assert call(folder, "install", "cron") == 0
    table = tmp_path / "table"
    table.write_text(schedule.split_digest(table.read_text("utf-8"))[0] + "\n")
    (listed,) = get_status(folder, capsys)
    assert (listed["changed"], listed["differences"]) == ([], {})
    assert call(folder, "install", "cron", "--at", "05:00") == 0
    assert len(table.read_text().splitlines()) == 1, "renewed"


def test_the_host_tells_the_next_start_and_the_last_result(folder, tmp_path, monkeypatch, capsys):
    assert call(folder, "install", "systemd") == 0
    write_shown(tmp_path, "esign-import.timer", NextElapseUSecRealtime="@1796061900")
    write_shown(tmp_path, "esign-import.service", ExecMainStatus=5, ExecMainExitTimestamp="@1795975500")
    (listed,) = get_status(folder, capsys)
    assert listed["next"] == stamp(1796061900)
    assert listed["last"] == {"exit": 5, "finished": stamp(1795975500)}
    assert call(folder, "status") == 0
    assert "退出码 5" in capsys.readouterr().out
    assert call(folder, "remove") == 0
    monkeypatch.setattr(installed_schedules, "IS_WINDOWS", True)
    assert call(folder, "install", "windows") == 0
    columns = ["HOST", "\\esign-import", "2026/12/1 2:00:00", "就绪", "", "2026/11/30 2:03:11"]
    for result, last in (("5", {"exit": 5, "finished": "2026/11/30 2:03:11"}), ("267011", None)):
        (tmp_path / "shown").write_text(",".join(f'"{text}"' for text in [*columns, result]) + "\n", "utf-8")
        (listed,) = get_status(folder, capsys)
        assert listed["last"] == last


def test_a_unit_that_is_not_enabled_has_no_next_start(folder, tmp_path, capsys):
    assert call(folder, "install", "systemd") == 0
    (schedule.SYSTEM_UNITS / "timers.target.wants" / "esign-import.timer").unlink()
    (listed,) = get_status(folder, capsys)
    assert listed["next"] is None
    assert listed["missing_commands"] == [["systemctl", "enable", "--now", "esign-import.timer"]]


def test_settings_that_a_person_added_next_to_a_unit_stay(folder, capsys):
    assert call(folder, "install", "systemd") == 0
    added = schedule.SYSTEM_UNITS / "esign-import.service.d"
    added.mkdir()
    (added / "override.conf").write_text("[Service]\nNice=10\n")
    (listed,) = get_status(folder, capsys)
    assert listed["additions"] == [str(added)]
    assert call(folder, "remove") == 0
    assert str(added) in capsys.readouterr().err
    assert (added / "override.conf").is_file()
    assert not (schedule.SYSTEM_UNITS / "esign-import.service").exists()


def test_a_schedule_of_one_hospital_is_removed_by_its_profile(folder, tmp_path, capsys):
    with (folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(PROFILES)
    assert call(folder, "install", "systemd", "--profile", "east") == 0
    assert call(folder, "install", "systemd", "--all", "--worker") == 0
    assert call(folder, "install", "cron", "--profile", "西院", "--name", "west") == 0
    (folder / "cron.d").mkdir()
    listed = get_status(folder, capsys)
    assert [schedule["unit"] for schedule in listed] == [
        "esign-import-east",
        "esign-import-worker",
        "esign-import-west",
    ]
    assert all(schedule["differences"] == {} for schedule in listed)
    assert [schedule["unit"] for schedule in get_status(folder, capsys, "--profile", "西院")] == [
        "esign-import-west"
    ]
    assert call(folder, "remove") == 2, "which one?"
    assert "esign-import-east (systemd)" in capsys.readouterr().err
    assert call(folder, "remove", "--name", "missing") == 2
    assert call(folder, "remove", "--profile", "east") == 0
    assert call(folder, "remove", "systemd", "--name", "worker") == 0
    assert [schedule["unit"] for schedule in get_status(folder, capsys)] == ["esign-import-west"]
    text = (folder / "config.yaml").read_text("utf-8")
    (folder / "config.yaml").write_text(text.replace("西院", "south"), "utf-8")
    capsys.readouterr()
    assert call(folder, "status") == 0
    assert "已经没有了" in capsys.readouterr().out
    assert call(folder, "remove", "cron") == 0, "what install wrote goes, also without its hospital"


def test_the_next_run_of_a_hospital_is_that_of_its_own_schedule(folder):
    with (folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(PROFILES)
    moment = datetime.fromisoformat("2026-11-30T01:00:00").timestamp()

    def list_times():
        config = folder / "config.yaml"
        starts = [installed_schedules.get_next_run(config, name, moment) for name in ("east", "西院", None)]
        return [start and start[11:16] for start in starts]

    assert list_times() == [None, None, None]
    assert call(folder, "install", "cron", "--at", "03:00", "--profile", "east") == 0
    assert call(folder, "install", "cron", "--at", "04:00", "--profile", "西院", "--name", "west") == 0
    assert list_times() == ["03:00", "04:00", None]
    assert call(folder, "install", "cron", "--at", "02:30", "--all", "--name", "all") == 0
    assert list_times() == ["02:30", "02:30", "02:30"]


def test_a_timer_of_a_person_is_listed_and_stays(folder, tmp_path, capsys):
    line = f"0 2 * * * esign-import -c '{folder}/config.yaml' run\n".replace("%", "\\%")
    (tmp_path / "table").write_text(line)
    (listed,) = get_status(folder, capsys)
    assert (listed["unit"], listed["location"]) == (None, "crontab")
    assert call(folder, "remove", "--changed") == 0
    assert "crontab" in capsys.readouterr().err
    assert (tmp_path / "table").read_text() == line


def test_systemd_that_does_not_run_is_named(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(installed_schedules, "SYSTEMD_RUNS", tmp_path / "missing")
    assert call(folder, "install", "systemd") == 2
    error = capsys.readouterr().err
    assert "没有运行 systemd" in error
    assert "已安装" not in error
    assert not schedule.SYSTEM_UNITS.exists()
    assert call(folder, "print", "systemd") == 0
    capsys.readouterr()
    assert call(folder, "install", "systemd", "--worker") == 2
    error = capsys.readouterr().err
    assert "cron" not in error, "it starts no worker"
    assert error.splitlines()[-1].endswith("schedule print systemd --all --worker")


def test_a_schedule_has_the_state_folder_of_this_user(folder, monkeypatch, capsys):
    """With another one the runs of the timer would have another registry of ledgers."""
    monkeypatch.setenv("XDG_STATE_HOME", "/srv/a b")
    assert call(folder, "print", "cron") == 0
    assert " * * * XDG_STATE_HOME='/srv/a b' PYTHONUTF8=1 " in capsys.readouterr().out
    assert call(folder, "print", "systemd") == 0
    units = capsys.readouterr().out
    assert '\nEnvironment="XDG_STATE_HOME=/srv/a b"\n' in units
    assert "\nDescription=每天：医生电子印章导入（" in units
    monkeypatch.delenv("XDG_STATE_HOME")
    for kind in ("cron", "systemd"):
        assert call(folder, "print", kind) == 0
        assert "XDG_STATE_HOME" not in capsys.readouterr().out
