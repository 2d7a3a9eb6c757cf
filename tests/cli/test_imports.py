"""Heavy modules are imported only by the commands that need them; what is asserted is the list, not the time."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from small_hospital import open_small_hospital

from pipeline.cli.app import cli
from pipeline.cli.help import list_all_commands

NETWORK = {"aiohttp", "pipeline.esign.client", "pipeline.sending.submit", "tencentcloud", "tqdm"}
SENDING = {"asyncio", "pipeline.cli.run_session", "pipeline.esign.rate_limiter", "ssl"}
TABLES = {"pandas", "numpy", "openpyxl"}
OTHERS = {
    "asyncio",
    "jinja2",
    "PIL",
    "pipeline.config.settings",
    "pydantic",
    "ruamel",
    "sqlite3",
    "xlsxwriter",
}
OUR_LIGHT_PACKAGES = {"cli", "clock", "config", "domain", "errors", "messages", "support", "version"}
PROGRAM = """
import json, sys
from pipeline.cli.app import main
codes = {main(arguments) for arguments in json.loads(sys.argv[1])}
print(json.dumps([sorted(codes), sorted(sys.modules)]), file=sys.stderr)
"""


def run_commands(command_lines, folder) -> tuple[list[int], set[str], str]:
    """Run command lines in one new process; return their exit codes, all imported modules and stdout."""
    program = [sys.executable, "-c", PROGRAM, json.dumps(command_lines)]
    finished = subprocess.run(program, check=True, capture_output=True, text=True, cwd=folder)
    codes, modules = json.loads(finished.stderr.splitlines()[-1])
    return codes, set(modules), finished.stdout


def list_command_words() -> list[list[str]]:
    """Return the words of every command, none for the program itself."""
    return [name.split() for name, _ in list_all_commands(cli)]


def test_help_imports_nothing_that_only_a_command_needs(tmp_path):
    """`esign-import --help` costs at most 0.2 s of CPU because of this."""
    commands = list_command_words()
    codes, modules, printed = run_commands([[*words, "--help"] for words in commands], tmp_path)
    assert codes == [0]
    assert printed.count("Usage: esign-import") == len(commands) > 15
    assert (NETWORK | TABLES | OTHERS) & modules == set()
    packages = {name.split(".")[1] for name in modules if name.startswith("pipeline.")}
    assert packages <= OUR_LIGHT_PACKAGES


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the folder of a run, and all modules that it imported."""
    folder = tmp_path_factory.mktemp("hospital")
    with open_small_hospital(folder, (1, 2, 3), wrong=1):
        codes, modules, _ = run_commands([["run", "--yes"]], folder)
    assert codes == [3]
    return SimpleNamespace(folder=folder, modules=modules)


def test_check_imports_no_network_and_no_pandas(run):
    """`check` is `run` cut before the network, in its imports as well; openpyxl, which marks copies, finds no numpy."""
    codes, modules, _ = run_commands([["check"]], run.folder)
    assert codes == [3]
    assert (NETWORK | SENDING | {"pandas", "numpy"}) & modules == set()
    assert {"pydantic", "xlsxwriter", "openpyxl"} <= modules


def test_status_reads_the_ledger_and_imports_nothing_that_reads_rosters(run):
    """`status` costs at most 0.3 s of CPU because of this."""
    codes, modules, printed = run_commands([["--lang", "en", "status"]], run.folder)
    assert (codes, "People with a seal: 3" in printed) == ([0], True)
    of_rosters = {
        f"pipeline.intake.{name}" for name in ("fields", "images", "layout", "pairing", "readers.model")
    }
    of_others = {
        "PIL",
        "filelock",
        "jinja2",
        "pipeline.resolution.decide",
        "pipeline.workflow.run_report",
        "pipeline.workflow.run_request",
        "xlsxwriter",
    }
    assert (NETWORK | SENDING | TABLES | of_rosters | of_others) & modules == set()


def test_a_run_with_a_ledger_in_a_file_imports_nothing_of_a_server(run):
    modules = run.modules
    assert {"aiohttp", "pipeline.sending.submit"} <= modules
    assert {name.split(".")[0] for name in modules} & {"psycopg", "procrastinate", "cryptography"} == set()
    assert "pipeline.ledger.maintenance" not in modules
    assert not {name for name in modules if name.startswith("pipeline.hosts")}
