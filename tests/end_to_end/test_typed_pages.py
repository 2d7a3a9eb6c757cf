"""The commands of the pages for a new hospital, typed one after the other as they stand there."""

import re
import shlex
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from people import name, number

from pipeline.cli.app import main
from pipeline.cli.demo import build_tenant
from pipeline.config.settings import Config
from pipeline.sandbox.gateway import SANDBOX

DOCS = Path(__file__).parents[2] / "docs"
OF_THE_MACHINE = {"python3", "pip", "git", ".", "cd", "mkdir"}  # a test changes folders, and installs nothing


def list_lines(page, language="en"):
    """Yield the words of each line that a page has a reader type."""
    text = (DOCS / language / f"{page}.md").read_text("utf-8")
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            for command in re.sub(r"\s+#.*", "", line).removeprefix("$ ").split(" && "):
                yield shlex.split(command)


@pytest.fixture
def reader(hospital, monkeypatch):
    """Return a function that types a page's commands and yields (command, exit code) before each next one.

    The hospital's sandbox stands in for the service of every configuration that is written on the way.
    """
    monkeypatch.setenv("ESIGN_IMPORT_API__ENDPOINT", hospital.sandbox.url)
    monkeypatch.setenv("ESIGN_IMPORT_LIMITS__REQUESTS_PER_SECOND", "1000")
    monkeypatch.chdir(hospital.folder)

    def type_page(page, **replaced):
        for program, *words in list_lines(page):
            if program == "mkdir":
                Path(words[0]).mkdir()
            elif program == "cd":
                monkeypatch.chdir(words[0])
            if program != "esign-import":
                assert program in OF_THE_MACHINE
            elif "sandbox" in words:
                admit_tenant(hospital, hospital.folder / words[words.index("-c") + 1])
            else:
                typed = [
                    replaced.get(word.strip("/").replace("/", "_").replace(".", "_"), word) for word in words
                ]
                yield " ".join(words), lambda typed=typed: main(typed)

    return type_page


def admit_tenant(hospital, config_file):
    """Let the hospital's sandbox know the hospital of a configuration in place of that one's own sandbox."""
    hospital.service.tenants = (SANDBOX, build_tenant(Config.load(config_file, environment={})))
    hospital.service.reset()


def fill_in(folder, hospital, doctors):
    """Put ids, keys, a roster and pictures into what `init` has written."""
    config = folder / "config.yaml"
    ids = {key: getattr(SANDBOX, key) for key in ("app_id", "organization_open_id", "operator_open_id")}
    text = config.read_text("utf-8")
    for key, value in ids.items():
        text = re.sub(rf"  {key}: \S+", f"  {key}: {value}", text)
    config.write_text(text, "utf-8")
    shutil.copytree(hospital.folder / "secrets", folder / "secrets", dirs_exist_ok=True)
    moved = replace(hospital, folder=folder)
    moved.doctors(doctors)
    return moved


def test_the_page_of_the_first_hour_works_as_typed(hospital, reader):
    exits = []
    for line, run in reader("first-hour"):
        if line.startswith("check doctors.xlsx"):
            hospital.doctors(2)
            shutil.copy(hospital.folder / "inbox" / "roster.xlsx", "doctors.xlsx")
            shutil.copytree(hospital.folder / "seals", "pictures", dirs_exist_ok=True)
        exits.append((line, run()))
        if line.startswith("init hospital-test"):
            fill_in(hospital.folder / "hospital-test", hospital, 3)
    assert exits == [
        ("--version", 0),
        ("init trial --sandbox", 0),
        ("doctor", 0),
        ("check", 3),
        ("run --limit 1", 3),
        ("run", 3),
        ("run", 3),
        ("retry", 3),
        ("status", 0),
        ("export --csv", 0),
        ("check doctors.xlsx --seals pictures/", 0),
        ("init hospital-test --environment test", 0),
        ("doctor --offline", 0),
        ("doctor", 0),
        ("check", 0),
        ("run --limit 1", 0),
        ("run", 0),
        ("status --runs 5", 0),
    ]
    assert len(hospital.service.seals) == 47 + 3, "47 of the sample, as the page says"
    book = openpyxl.load_workbook(hospital.folder / "trial" / "out" / "latest" / "results.xlsx")
    assert book.sheetnames[0] in {"汇总", "Summary"}


def test_going_live_a_lost_ledger_and_an_upgrade(hospital, reader, tmp_path, monkeypatch):
    backup = {
        "backup_before-upgrade_bak": str(tmp_path / "before.bak"),
    }
    exits = []
    for line, run in reader("going-live", NAME=name(1)):
        if line.startswith("adopt"):
            adopt_sheet(hospital.folder / "hospital" / "old-seals.xlsx", serial=5)
        exits.append((line, run()))
        if line.startswith("init"):
            moved = fill_in(hospital.folder / "hospital", hospital, 5)
    assert exits == [
        ("init hospital --environment production", 0),
        ("doctor --offline", 0),
        ("doctor", 0),
        ("check", 0),
        ("adopt old-seals.xlsx", 0),
        ("run --only NAME", 0),
        ("status", 0),
        ("run --limit 100", 0),
        ("check", 0),
        ("run", 0),
        ("export --out seals.xlsx", 0),
    ]
    assert len(hospital.service.seals) == 4, "one doctor has a seal already"

    moved.lose_ledger()
    monkeypatch.chdir(hospital.folder)
    exits = [(line, run()) for line, run in reader("runbook", **backup) if line]
    assert exits == [("status", 0)], "it repairs the ledger"

    exits = []
    for line, run in reader("upgrading", **backup):
        if line == "ledger check":
            with closing(sqlite3.connect("state/ledger.sqlite3")) as ledger:
                ledger.execute("PRAGMA user_version = 99")  # of the newer program
        exits.append((line, run()))
    assert exits == [
        ("--version", 0),
        ("ledger backup /backup/before-upgrade.bak", 0),
        ("--version", 0),
        ("doctor --offline", 0),
        ("doctor", 0),
        ("check", 0),
        ("ledger check", 74),
        ("ledger restore /backup/before-upgrade.bak", 0),
    ]
    assert main(["run"]) == 0
    assert len(hospital.service.seals) == 4


def adopt_sheet(path, *, serial):
    """Write a sheet with a doctor's SealId, as another program listed it."""
    book = openpyxl.Workbook()
    book.active.append(("姓名", "证件号码", "印章ID"))
    book.active.append((name(serial), number(serial), "yDmadeElsewhere0000000000000005"))
    book.save(path)
