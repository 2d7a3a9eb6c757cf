"""The help of every command is printed without the modules that only a run needs."""

import json
import subprocess
import sys

from pipeline.cli.app import cli
from pipeline.cli.help import find_commands

# what a command imports itself, when it runs
HEAVY_LIBRARIES = {
    *(
        "aiohttp",
        "asyncio",
        "jinja2",
        "openpyxl",
        "pandas",
        "PIL",
        "pydantic",
        "python_calamine",
        "pythonjsonlogger",
    ),
    *("ruamel", "sqlite3", "ssl", "tencentcloud", "tqdm", "xlsxwriter"),
}
OUR_LIGHT_MODULES = "cli clock config domain errors messages support version"
PROGRAM = """
import json, sys
from pipeline.cli.app import main
for words in json.loads(sys.argv[1]):
    assert main([*words, "--help"]) == 0, words
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def list_commands() -> list[list[str]]:
    """The words of every command, the program itself among them."""
    words = [[]]
    for name, command in cli.commands.items():
        words.append([name])
        words += [[name, child.name] for child in find_commands(command) if child is not command]
    return words


def test_help_imports_nothing_that_only_a_run_needs():
    """A test of time would depend on the machine; `esign-import --help` costs at most 0.2 s of CPU because of this."""
    program = [sys.executable, "-c", PROGRAM, json.dumps(list_commands())]
    finished = subprocess.run(program, check=True, capture_output=True, text=True)
    modules = json.loads(finished.stderr)
    assert HEAVY_LIBRARIES & {name.split(".")[0] for name in modules} == set()
    ours = {name.split(".")[1] for name in modules if name.startswith("pipeline.")}
    assert ours <= set(OUR_LIGHT_MODULES.split())
    assert "pipeline.config.settings" not in modules
    assert finished.stdout.count("Usage: esign-import") == len(list_commands()) > 15
