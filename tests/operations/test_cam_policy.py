"""The policy of the configuration page names the calls that the program makes, and no others."""

import json
import re
from pathlib import Path

import pytest

from pipeline.esign.products import ESSBASIC

ROOT = Path(__file__).parents[2]
# every action of the product in the code that calls it
USE = re.compile(r"\bproduct\.(\w+)")
NO_ACTIONS = {
    "name",
    "service",
    "version",
    "agent",
    "endpoints",
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_policy_is_for_exactly_the_calls_that_are_made(language):
    page = (ROOT / "docs" / language / "configuration.md").read_text("utf-8")
    (block,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    policy = json.loads(block)
    assert policy["version"] == "2.0"
    (statement,) = policy["statement"]
    assert (statement["effect"], statement["resource"]) == ("allow", ["*"])
    packages = ("esign", "resolution", "sending", "autosign")
    files = [path for package in packages for path in (ROOT / "pipeline" / package).glob("*.py")]
    used = {name for file in files for name in USE.findall(file.read_text("utf-8"))}
    named = {value for name in used - NO_ACTIONS if isinstance(value := getattr(ESSBASIC, name), str)}
    assert len(named) == 6
    assert {action.removeprefix("essbasic:") for action in statement["action"]} == named
