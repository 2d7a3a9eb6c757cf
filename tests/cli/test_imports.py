"""Heavy libraries are imported only by the commands that need them; what is asserted is the list, not the time."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROGRAM = """
import sys
from pipeline.cli.app import main

code = main({arguments!r})
print(code, *sorted({unwanted!r} & set(sys.modules)))
"""
NETWORK = {"aiohttp", "pipeline.esign.client", "pipeline.sending.submit"}
TABLES = {"pandas", "numpy", "openpyxl"}
NEVER_FOR_HELP = {
    *NETWORK,
    *TABLES,
    "PIL",
    "asyncio",
    "jinja2",
    "pydantic",
    "ruamel.yaml",
    "sqlite3",
    "tqdm",
    "xlsxwriter",
}


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], NEVER_FOR_HELP),
        (["run", "--help"], NEVER_FOR_HELP),
        (["check", "{sample}/roster.xlsx", "--seals", "{sample}/seals"], {*NETWORK, *TABLES, "tqdm"}),
    ],
)
def test_a_command_imports_no_library_that_it_does_not_need(arguments, unwanted, tmp_path):
    sample = REPOSITORY / "sample_data"
    words = [word.format(sample=sample) for word in arguments]
    program = PROGRAM.format(arguments=words, unwanted=unwanted)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    code, *imported = done.stdout.split("\n")[-2].split()
    assert code in {"0", "3"}, done.stderr
    assert imported == []
