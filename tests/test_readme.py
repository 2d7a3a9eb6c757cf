"""The README is compared with the program: help, commands, codes, keys, statuses, exit codes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import cli
from pipeline.config import keys
from pipeline.exits import SEVERITY
from pipeline.model import Status
from pipeline.problems import CATALOGUE

HOUSE = Path(__file__).parents[1]
READMES = ["README.md", "README.zh-CN.md"]


@pytest.fixture(params=READMES)
def readme(request):
    return (HOUSE / request.param).read_text("utf-8")


@pytest.mark.parametrize(("name", "language"), list(zip(READMES, ("en", "zh"), strict=True)))
def test_the_help_block_is_the_programs_own(name, language):
    environment = {**os.environ, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    own = subprocess.run(
        [sys.executable, "-m", "pipeline", "--lang", language, "--help"],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        check=True,
    )
    text = (HOUSE / name).read_text("utf-8")
    (block,) = re.findall(r"```text\n((?:Usage|用法).*?)\n```", text, re.DOTALL)
    assert block == own.stdout.rstrip()


def test_every_command_stands_there(readme):
    assert [name for name in cli.commands if f"{name} " not in readme] == []


def test_every_code_stands_in_the_table_and_no_other(readme):
    listed = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", readme, re.MULTILINE))
    assert listed == set(CATALOGUE)


def test_every_key_stands_there(readme):
    assert [".".join(key) for key in keys() if f"`{'.'.join(key)}`" not in readme] == []


def test_every_status_stands_there(readme):
    assert [status for status in Status if f"| `{status}` |" not in readme] == []


def test_every_exit_code_stands_there(readme):
    table = re.findall(r"^\| ([0-9]+)(?:[,、] ?([0-9]+))? \|", readme, re.MULTILINE)
    listed = {int(code) for pair in table for code in pair if code}
    assert listed == {*SEVERITY, 2, 6, 130, 143}


def test_the_sample_configuration_holds_every_key_and_is_accepted():
    from pipeline.config import load
    from pipeline.yaml_text import read_document

    lines = read_document(HOUSE / "config.yaml").lines
    assert [key for key in keys() if key not in lines] == []
    assert load(HOUSE / "config.yaml", {}).api.placeholders == (
        "api.app_id",
        "api.organization_open_id",
        "api.operator_open_id",
    )


def test_linked_files_exist(readme):
    links = re.findall(r"\]\(([^)#]+)\)", readme)
    assert [link for link in links if not link.startswith("http") and not (HOUSE / link).exists()] == []
