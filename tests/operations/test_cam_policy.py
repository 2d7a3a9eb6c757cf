"""`config policy`: the policy names the calls that the program makes, and no others."""

import json
import re
from pathlib import Path

import pytest

from pipeline.cli.app import main
from pipeline.esign.products import ESSBASIC

PIPELINE = Path(__file__).parents[2] / "pipeline"
# every action of the product in the code that calls it
USE = re.compile(r"\bproduct\.(\w+)")
NO_ACTIONS = {
    "name",
    "service",
    "version",
    "agent",
    "endpoints",
}


@pytest.mark.parametrize("contract", ["file_id", "inline"])
def test_the_policy_is_for_exactly_the_calls_that_are_made(tmp_path, capsys, contract):
    config = tmp_path / "config.yaml"
    config.write_text(f"api: {{contract: {contract}}}\n")
    assert main(["--config", str(config), "config", "policy"]) == 0
    policy = json.loads(capsys.readouterr().out)
    assert policy["version"] == "2.0"
    (statement,) = policy["statement"]
    assert (statement["effect"], statement["resource"]) == ("allow", ["*"])
    packages = ("esign", "resolution", "sending")
    files = [path for package in packages for path in (PIPELINE / package).glob("*.py")]
    files.append(PIPELINE / "autosign" / "status.py")
    used = {name for file in files for name in USE.findall(file.read_text("utf-8"))}
    named = {value for name in used - NO_ACTIONS if isinstance(value := getattr(ESSBASIC, name), str)}
    assert len(named) == 4
    assert {action.removeprefix("essbasic:") for action in statement["action"]} == (
        named if contract == "file_id" else named - {"UploadFiles"}
    )


def test_without_a_configuration_it_is_that_of_the_default_contract(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["--lang", "zh", "config", "policy"]) == 0
    assert "essbasic:UploadFiles" in capsys.readouterr().out


def test_links_are_allowed_only_where_they_are_asked_for(tmp_path, capsys):
    config = tmp_path / "config.yaml"
    config.write_text("{}\n")
    allowed = []
    for options in ((), ("--autosign",)):
        assert main(["--config", str(config), "config", "policy", *options]) == 0
        (statement,) = json.loads(capsys.readouterr().out)["statement"]
        allowed.append({action.removeprefix("essbasic:") for action in statement["action"]})
    files = PIPELINE.glob("autosign/*.py")
    used = {name for file in files for name in USE.findall(file.read_text("utf-8"))}
    assert {getattr(ESSBASIC, name) for name in used - NO_ACTIONS} <= allowed[1]
    assert allowed[1] - allowed[0] == {
        "ChannelCreateUserAutoSignEnableUrl",
        "ChannelCreateUserAutoSignSealUrl",
    }
