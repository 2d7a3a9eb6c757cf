"""`config policy`: the policy names the calls that the program makes, and no others."""

import json
import re
from pathlib import Path

import pytest

from pipeline.cli.app import main

PIPELINE = Path(__file__).parents[2] / "pipeline"
# every name of an action of the service in the code that calls it; the sandbox answers the same ones
ACTION = re.compile(r'^[A-Z_]+ = "((?:Channel|Upload)\w+)"', re.MULTILINE)


@pytest.mark.parametrize("contract", ["file_id", "inline"])
def test_the_policy_is_for_exactly_the_calls_that_are_made(tmp_path, capsys, contract):
    config = tmp_path / "config.yaml"
    config.write_text(f"api: {{contract: {contract}}}\n")
    assert main(["--config", str(config), "config", "policy"]) == 0
    policy = json.loads(capsys.readouterr().out)
    assert policy["version"] == "2.0"
    (statement,) = policy["statement"]
    assert (statement["effect"], statement["resource"]) == ("allow", ["*"])
    files = [*PIPELINE.glob("esign/*.py"), *PIPELINE.glob("resolution/*.py"), *PIPELINE.glob("sending/*.py")]
    named = {name for file in files for name in ACTION.findall(file.read_text("utf-8"))}
    assert len(named) == 4
    assert {action.removeprefix("essbasic:") for action in statement["action"]} == (
        named if contract == "file_id" else named - {"UploadFiles"}
    )


def test_without_a_configuration_it_is_that_of_the_default_contract(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["--lang", "zh", "config", "policy"]) == 0
    assert "essbasic:UploadFiles" in capsys.readouterr().out
