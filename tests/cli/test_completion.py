"""Completion as a real bash does it, and the scripts of the other shells."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from desktop import find_program

from pipeline.cli.app import main

# prints what bash offers after the words of a command line
BASH_SCRIPT = """
eval "$(esign-import completion bash)"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_esign_import_completion esign-import
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def complete(tmp_path):
    """Return a function that gives what bash offers; the program is on its PATH as a user has it."""
    program = tmp_path / "bin" / "esign-import"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m pipeline "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }

    def complete_line(*words):
        completed = subprocess.run(
            [find_program("bash"), "--norc", "-c", BASH_SCRIPT, "bash", "esign-import", *words],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
        )
        assert completed.stderr == ""
        return completed.stdout.split()

    return complete_line


def test_bash_completes_commands_options_and_values(complete):
    assert sorted(complete("re")) == ["report", "resolve", "retry"]
    assert complete("ledger", "ba") == ["backup"]
    assert complete("run", "--li") == ["--limit"]
    assert complete("--lang", "") == ["zh", "en"]
    assert complete("completion", "z") == ["zsh"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_alone_goes_to_stdout(shell, capsys):
    assert main(["completion", shell]) == 0
    script, others = capsys.readouterr()
    assert f"_ESIGN_IMPORT_COMPLETE={shell}_complete" in script
    assert others == "", "a shell that starts shows it to its user"
