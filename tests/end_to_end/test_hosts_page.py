"""The numbered path of the page on several hosts, typed as it stands there: ten hospitals, a real server, two workers.

`make test` has three of them.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from postgres_server import get_free_port
from ruamel.yaml import YAML
from run_support import wait_until
from server_ledger import SECRET

from pipeline.cli.app import main
from pipeline.sandbox.gateway import SANDBOX

DOCS = Path(__file__).parents[2] / "docs"
COUNT = 10 if os.environ.get("HOSTS") else 3  # `make hosts` has as many hospitals as the page
HOSPITALS = [f"hospital{number:02d}" for number in range(1, COUNT + 1)]
TENANTS = tuple(
    replace(
        SANDBOX,
        app_id="yDxxxxxxxx",
        organization_open_id=f"org-{name[-2:]}",
        operator_open_id=f"clerk-{name[-2:]}",
    )
    for name in HOSPITALS
)
AS_USER = ["runuser", "-u", "esign", "--"]


def read_path(language):
    """Return the section of the page, from its heading to the end."""
    page = (DOCS / language / "several-hosts.md").read_text("utf-8")
    (section,) = re.findall(
        r"^## [^\n]*(?:ten hospitals|十家医院)[^\n]*\n(.*)", page, re.DOTALL | re.MULTILINE
    )
    return section


def list_commands(section):
    """Return the words of the program's commands in the console blocks, in their order."""
    lines = [
        shlex.split(line.removeprefix("$ "))
        for block in re.findall(r"```console\n(.*?)```", section, re.DOTALL)
        for line in block.splitlines()
    ]
    commands = [words[len(AS_USER) :] if words[: len(AS_USER)] == AS_USER else words for words in lines]
    own = [words[1:] for words in commands if words[0] == "esign-import"]
    assert {tuple(words[:2]) for words in own} == {("-c", "/srv/esign")}
    return [words[2:] for words in own]


@pytest.fixture
def shared_folder(hospital_with, postgres_server, monkeypatch):
    """A shared folder with rosters of two of the hospitals; the machine's folders and the addresses are the test's."""
    hospital = hospital_with(tenants=TENANTS)
    hospital.doctors(3)
    for name in HOSPITALS[:2]:
        (hospital.folder / name).mkdir()
        for folder in ("inbox", "seals"):
            subprocess.run(["cp", "-r", hospital.folder / folder, hospital.folder / name], check=True)
    secret = hospital.folder / "secrets" / "ledger__secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    hospital.ledger = postgres_server.make_database()
    (hospital.folder / "config.yaml").unlink()
    monkeypatch.chdir(hospital.folder)
    monkeypatch.setenv("ESIGN_IMPORT_API__ENDPOINT", hospital.sandbox.url)
    return hospital


def write_configuration(section, hospital):
    """Write the configurations of the page, of which it shows the first hospital's."""
    common, own = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    common = re.sub(r"postgresql://\S+", hospital.ledger, common)
    assert "/etc/esign/secrets" in common
    (hospital.folder / "common.yaml").write_text(common.replace("/etc/esign/secrets", "../secrets"))
    for name in HOSPITALS:
        (hospital.folder / name).mkdir(exist_ok=True)
        (hospital.folder / name / "config.yaml").write_text(own.replace("01", name[-2:]))


def is_healthy(port):
    """Ask as Docker does (`compose.hosts.yaml`), at a port of this test."""
    text = (DOCS.parent / "ops" / "docker" / "compose.hosts.yaml").read_text("utf-8")
    _, _, option, words = YAML(typ="safe").load(text)["services"]["worker-1"]["healthcheck"]["test"]
    assert "127.0.0.1:9187/health" in words
    asked = [sys.executable, option, words.replace("9187", str(port))]
    return subprocess.run(asked, stderr=subprocess.DEVNULL, check=False).returncode == 0


def has_ended(url):
    with psycopg.connect(url) as connection:
        ended = "SELECT hospital FROM esign_import.daily_job WHERE finished_at IS NOT NULL AND exit = 0"
        return len(connection.execute(ended).fetchall()) == len(HOSPITALS)


def test_the_path_leads_from_nothing_to_the_last_seal(shared_folder, capsys):
    """The commands are those of one language, the configuration that of the other."""
    write_configuration(read_path("zh"), shared_folder)
    commands = list_commands(read_path("en"))
    assert [words[0] for words in commands] == [
        "doctor", "check", "schedule", "enqueue", "hosts", "status",
    ]  # fmt: skip
    group = ["-c", str(shared_folder.folder)]
    workers, ports = [], [get_free_port(), get_free_port()]
    try:
        for words in commands:
            if words[0] == "schedule":
                words[1] = "print"  # no test installs a unit
            assert main([*group, *words]) == 0, words
            if words[0] == "schedule":
                program = [sys.executable, "-m", "pipeline", *group, "worker"]
                environment = {**os.environ, "PYTHONPATH": str(DOCS.parent)}
                for port in ports:
                    environment["ESIGN_IMPORT_WORKERS__LISTEN"] = str(port)
                    workers.append(subprocess.Popen(program, env=environment, stderr=subprocess.DEVNULL))
            elif words[0] == "enqueue":
                wait_until(lambda: has_ended(shared_folder.ledger))
        assert all(map(is_healthy, ports))
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        exits = [worker.wait(60) for worker in workers]
    assert exits == [0, 0]
    assert not any(map(is_healthy, ports))
    assert len(shared_folder.service.seals) == 2 * 3
    assert shared_folder.service.list_duplicates() == {}
    capsys.readouterr()
    assert main([*group, "--json", "status", "--all"]) == 0
    hospitals = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [hospital["profile"] for hospital in hospitals] == HOSPITALS
