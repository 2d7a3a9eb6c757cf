"""Completion as real shells do it: bash, and zsh and fish where they are installed, which CI does not ask for."""

import os
import select
import shutil
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
def environment(tmp_path):
    """Return an environment in which the program is on the PATH as a user has it."""
    program = tmp_path / "bin" / "esign-import"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m pipeline "$@"\n')
    program.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
    }


@pytest.fixture
def complete(tmp_path, environment):
    """Return a function that gives what bash offers."""

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


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish_completes_with_whole_descriptions(tmp_path, environment):
    lines = ["esign-import re", "esign-import ledger ba", "esign-import --lang "]
    asked = "".join(f"complete -C '{line}'; echo ==;" for line in lines)
    command = ["fish", "--no-config", "-c", f"esign-import completion fish | source; {asked}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr == ""
    commands, ledger_commands, languages = (part.strip() for part in done.stdout.split("==\n")[:3])
    assert "retry\tSend failed, rejected and unsent rows again." in commands.splitlines()
    assert ledger_commands.startswith("backup\t")
    assert sorted(languages.splitlines()) == ["en", "zh"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")
def test_zsh_completes_what_is_typed_on_a_terminal(tmp_path, environment):
    import pty

    ours, theirs = pty.openpty()
    shell = ["zsh", "-f", "-i"]
    process = subprocess.Popen(
        shell, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=tmp_path
    )
    os.close(theirs)

    def type_text(text, *awaited):
        seen = b""
        os.write(ours, text.encode())
        while not all(word.encode() in seen for word in awaited):
            assert select.select([ours], [], [], 30)[0], seen
            seen += os.read(ours, 65536)

    try:
        type_text("autoload -U compinit; compinit -u -D; print lo''aded\r", "loaded\r\n")
        type_text('eval "$(esign-import completion zsh)"; print re""ady\r', "ready\r\n")
        type_text("esign-import re\t", "report", "resolve", "Send failed, rejected and unsent rows again.")
        type_text("\x15esign-import ledger ba\t", "backup")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_alone_goes_to_stdout(shell, capsys):
    assert main(["completion", shell]) == 0
    script, others = capsys.readouterr()
    assert f"_ESIGN_IMPORT_COMPLETE={shell}_complete" in script
    assert others == "", "a shell that starts shows it to its user"
