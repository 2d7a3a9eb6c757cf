"""`schedule`: what systemd, cron and the Task Scheduler get."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from defusedxml import ElementTree
from desktop import find_program

from pipeline.cli.app import main
from pipeline.operations import schedule

IDS = ("--id", "app_id=app", "--id", "organization_open_id=org", "--id", "operator_open_id=op")
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
# what `systemctl` and `loginctl` do, for a machine on which systemd does not run
PROGRAM = """#!/bin/sh
echo "$(basename "$0") $@" >> "$CALLS"
"""


@pytest.fixture
def tmp_path():
    """Return a folder on disk: systemd refuses units that work below /dev, where `make test` puts its files."""
    with tempfile.TemporaryDirectory(dir="/var/tmp" if os.name == "posix" else None) as folder:
        yield Path(folder)


@pytest.fixture
def folder(tmp_path, monkeypatch, new_hospital):
    """Return the folder of a new hospital, whose name is hard to quote; the places of units are empty."""
    monkeypatch.setattr(schedule, "SYSTEM_UNITS", tmp_path / "units")
    monkeypatch.setattr(schedule, "SYSTEMD_RUNS", tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    for name in ("crontab", "systemctl", "loginctl", "schtasks"):
        (tmp_path / name).write_text(PROGRAM)
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
    config = folder / "config.yaml"
    return main(["--config", str(config if config.exists() else folder), "--lang", "zh", "schedule", *words])


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
    removal = re.search(r"^# 删除：(.*)$", text, re.MULTILINE)[1]
    assert subprocess.run(removal, shell=True, check=False).returncode == 0
    assert not any(unit.exists() for unit in units)
    (units[0]).write_text(text, "utf-8")
    if not options:
        audit = [analyze, "security", "--offline=true", "--threshold=25", str(units[0])]
        assert subprocess.run(audit, capture_output=True, check=False).returncode == 0, "2.5 or better"


@pytest.mark.parametrize("options", [(), ("--user",)])
def test_systemd_takes_the_unit_of_a_worker(folder, options, tmp_path, capsys):
    make_hospitals(folder)
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
    assert re.search(r'^ExecStart=.*" --lang zh worker$', text, re.MULTILINE)


@pytest.mark.parametrize("options", [(), ("--user",)])
def test_systemd_takes_the_unit_of_the_page(folder, options, tmp_path, capsys):
    make_hospitals(folder)
    analyze = find_program("systemd-analyze")
    assert call(folder, "install", "systemd", "--profile", "east", "--page", *options) == 0
    (unit,) = [Path(line) for line in re.findall(r"已安装 (.*)", capsys.readouterr().err)]
    assert unit.name == "esign-import-east-page.service"
    assert "enable --now esign-import-east-page.service" in (tmp_path / "calls").read_text()
    verify = [analyze, "--user" if options else "--system", "verify", str(unit)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    text = unit.read_text("utf-8")
    assert re.search(r'^ExecStart=.*" --profile east --lang zh serve$', text, re.MULTILINE)
    assert "KillMode=process" in text, "the run that it started goes on"


def test_windows_starts_the_page_with_the_machine(folder, capsys):
    assert call(folder, "print", "windows", "--page") == 0
    shown = capsys.readouterr().out
    assert "<BootTrigger>" in shown
    assert "<CalendarTrigger>" not in shown
    assert '"serve"' in shown
    assert call(folder, "print", "cron", "--page") == 2
    assert "--page" in capsys.readouterr().err


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


def test_a_line_of_cron_is_printed_and_the_crontab_left_alone(folder, tmp_path, capsys):
    assert call(folder, "print", "cron", "--at", "23:30") == 0
    printed = capsys.readouterr().out
    assert call(folder, "install", "cron", "--at", "23:30") == 0
    shown = capsys.readouterr()
    assert shown.out == printed
    assert "crontab -e" in shown.err
    assert not (tmp_path / "calls").exists()
    line = printed.removesuffix("\n")
    assert line.startswith("30 23 * * * XDG_STATE_HOME=")
    command = line.replace("\\%", "%").split(maxsplit=5)[5].replace(" run #", " status #")
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stderr) == (0, ""), "the shell reads the quoted paths"


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
    assert script[1].endswith("exit /b %ERRORLEVEL%\n")
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


def test_a_task_for_another_system_is_printed(folder, tmp_path, capsys):
    assert call(folder, "install", "windows", "--at", "03:05") == 0
    printed = capsys.readouterr()
    assert "<StartBoundary>" in printed.out
    assert "里面的路径是这台机器的" in printed.err
    assert not (tmp_path / "calls").exists()


def test_the_program_that_is_scheduled_is_this_one(folder, capsys):
    assert call(folder, "print", "cron") == 0
    program = Path(sys.executable).with_name("esign-import")
    assert f"PYTHONUTF8=1 {program} --config " in capsys.readouterr().out


def make_hospitals(folder):
    """Make the folder of one hospital that of three; its keys are those that they have in common."""
    common = (folder / "config.yaml").read_text("utf-8").replace("secrets_dir: ", "secrets_dir: ../")
    (folder / "common.yaml").write_text(common, "utf-8")
    (folder / "config.yaml").unlink()
    for name, own in (("east", ""), ("north", ""), ("西院", "secrets_dir: other\n")):
        (folder / name).mkdir()
        (folder / name / "config.yaml").write_text(f"api: {{organization_open_id: {name}}}\n{own}", "utf-8")


@pytest.mark.parametrize(
    ("chosen", "unit", "words"),
    [
        (("--profile", "east"), "esign-import-east", "--profile east"),
        (("--all",), "esign-import", "--all"),
        (("--profile", "east", "--profile", "north"), "esign-import", "--profile east --profile north"),
        (("--profile", "西院", "--name", "west"), "esign-import-west", "--profile 西院"),
    ],
)
def test_a_schedule_is_for_the_chosen_hospitals(folder, capsys, chosen, unit, words):
    make_hospitals(folder)
    assert call(folder, "print", "systemd", *chosen) == 0
    text = capsys.readouterr().out
    assert f"units/{unit}.service\n" in text
    assert re.search(rf'^ExecStart=.*" {words} --lang zh run$', text, re.MULTILINE)
    assert ("LoadCredential=" in text) == ("east" in chosen), "the west has other secrets, or none"
    assert "/../" not in text, "systemd ignores such a path"
    assert call(folder, "print", "cron", *chosen) == 0
    quoted = shlex.join(words.split())
    assert f" {quoted} --lang zh --quiet run # {unit}: " in capsys.readouterr().out


def test_a_hospital_whose_name_is_no_unit_needs_a_name(folder, capsys):
    make_hospitals(folder)
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


def test_systemd_that_does_not_run_is_named(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(schedule, "SYSTEMD_RUNS", tmp_path / "missing")
    assert call(folder, "install", "systemd") == 2
    error = capsys.readouterr().err
    assert "没有运行 systemd" in error
    assert "已安装" not in error
    assert not schedule.SYSTEM_UNITS.exists()


def test_a_schedule_has_the_state_folder_of_this_user(folder, monkeypatch, capsys):
    """With another one the runs of the timer would have other journals."""
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
