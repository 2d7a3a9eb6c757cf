"""Whose ledger it is: a check makes it, an empty one may change hands, another tenant's is refused with its cause."""

import json
import os

import pytest
from people import name
from pty_support import run_on_terminal

from pipeline.cli.app import main
from pipeline.config.settings import Config
from pipeline.workflow.hosts_factory import make_location

TEST = "https://essbasic.test.ess.tencent.cn"


def files(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_check_makes_the_ledger_and_reads_it_while_a_run_holds_it(hospital):
    hospital.doctors(2)
    assert hospital.go("check") == 0
    store = make_location(Config.load(hospital.folder / "config.yaml"))
    assert store.exists()
    with store.hold.acquire(run="another", now=0.0):
        before = store.path.read_bytes()
        assert hospital.go("check") == 0
        assert store.path.read_bytes() == before
    rows = hospital.outcomes("plan.jsonl")
    assert [row["status"] for row in rows] == ["ready"] * 2
    assert all(row["key"] for row in rows)
    assert hospital.record()["tenant"].startswith("sandbox/")


@pytest.mark.parametrize("command", ["retry", "resolve"])
def test_no_other_command_makes_a_ledger(hospital, capsys, command):
    hospital.doctors(1)
    assert hospital.go(*command.split()) == 2
    assert "There is no ledger at" in capsys.readouterr().err
    assert not [file for file in files(hospital.folder / "state") if "sqlite3" in file]


def test_a_lost_ledger_is_repaired_by_a_check_too(hospital, capsys):
    hospital.seal_doctors(1)
    hospital.lose_ledger()
    assert hospital.run_to_end("check") == (0, {"unchanged": 1})
    assert "entered from its journals" in capsys.readouterr().err


def test_a_ledger_that_holds_nothing_passes_to_another_tenant(hospital):
    """Here: to another organisation, and back."""
    hospital.doctors(1)
    right = hospital.folder.joinpath("config.yaml").read_text()
    hospital.configure(organization_open_id="org-of-before")
    rows = hospital.folder / "inbox" / "roster.xlsx"
    kept = rows.read_bytes()
    hospital.roster([(name(1), "1101", None, "00001", "内科")])
    assert hospital.go("run") == 3, "nothing is sent, and a ledger is there"
    (hospital.folder / "config.yaml").write_text(right)
    rows.write_bytes(kept)
    assert hospital.go("check") == 0
    assert hospital.run_to_end("run") == (0, {"sealed": 1})

    hospital.configure(organization_open_id="org-of-before")
    before = len(hospital.service.received)
    assert hospital.go("run") == 2, "now it holds a person"
    assert len(hospital.service.received) == before


def test_another_tenants_ledger_is_refused_with_the_probable_cause_and_its_cure(hospital, capsys):
    hospital.seal_doctors(1)
    config = str(hospital.folder / "config.yaml")
    cures = {
        "typo": (
            "若是写错了，请改正配置，不要换台账",
            "If this is a typo, correct the configuration and keep the ledger",
        ),
        "environment": (
            "每个环境用自己的台账：请在配置中写 ledger: state/test.sqlite3",
            "set `ledger: state/test.sqlite3`",
        ),
        "organisation": ("应用和机构都不同", "application and organisation are both different"),
    }

    def run_refused(language, **api):
        hospital.configure(**api)
        capsys.readouterr()
        assert main(["--config", config, "--lang", language, "check"]) == 2
        lines = capsys.readouterr().err.rstrip().splitlines()
        return lines[0], lines[-1]

    for language in ("zh", "en"):
        sentence, command = run_refused(language, organization_open_id="org-mistyped")
        assert cures["typo"][language == "en"] in sentence
        assert ("org-mistyped" in sentence, command.endswith(" doctor")) == (True, True)
        sentence, _ = run_refused(language, endpoint=TEST)
        assert cures["environment"][language == "en"] in sentence
        sentence, _ = run_refused(language, organization_open_id="x", app_id="y")
        assert cures["organisation"][language == "en"] in sentence


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is needed")
def test_the_question_names_where_the_seals_are_made_and_from_what(hospital):
    hospital.doctors(1)
    _, seen = run_on_terminal(hospital.command("run"), columns=200, typed=b"n\n")
    printed = " ".join(seen.split())
    organisation = hospital.folder.joinpath("config.yaml").read_text().split("organization_open_id: ")[1]
    organisation = json.loads(organisation.splitlines()[0])
    target = f"Sending to the sandbox on this machine, organisation {organisation}"
    assert printed.count(target) == printed.count(organisation) == 1
    assert "Create these seals? [y/N]" in printed
    assert f"Rosters {hospital.folder}/inbox · pictures {hospital.folder}/seals" in printed
    assert "Nothing was sent." in printed
    assert "0/1" not in printed
    assert hospital.service.received == []
