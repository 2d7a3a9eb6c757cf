"""Completion as real shells do it: bash, and zsh, fish and PowerShell where they are installed, which CI does not ask for."""

import io
import os
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from desktop import find_program
from people import name
from small_hospital import open_small_hospital

from pipeline.cli.app import main

REPOSITORY = Path(__file__).parents[2]
SERIALS = (1, 2, 3, 4)
NAME = name(1)
# prints what bash offers after the words of a command line
BASH_SCRIPT = """
eval "$SCRIPT"
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
        "PYTHONPATH": str(REPOSITORY),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
    }


@pytest.fixture(scope="module")
def bash_script():
    """Return what the program prints for bash."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        printed = io.StringIO()
        monkeypatch.setattr(sys, "stdout", printed)
        assert main(["completion", "bash"]) == 0
    return printed.getvalue()


@pytest.fixture
def complete(tmp_path, environment, bash_script):
    """Return a function that gives what bash offers."""

    def complete_line(*words, folder=tmp_path):
        completed = subprocess.run(
            [find_program("bash"), "--norc", "-c", BASH_SCRIPT, "bash", "esign-import", *words],
            env={**environment, "SCRIPT": bash_script},
            capture_output=True,
            text=True,
            check=True,
            cwd=folder,
        )
        assert completed.stderr == ""
        return completed.stdout.split()

    return complete_line


def test_bash_completes_commands_and_values(complete):
    assert sorted(complete("re")) == ["report", "resolve", "retry"]
    assert complete("--lang", "") == ["zh", "en"]


def test_commands_options_and_values_are_completed(offer):
    assert offer("ledger", "ba") == ["backup"]
    assert offer("run", "--li") == ["--limit"]
    assert offer("completion", "z") == ["zsh"]


@pytest.fixture
def offer(tmp_path, monkeypatch, capfd):
    """Return a function that gives what the program offers a shell, by its answer to PowerShell, in this process."""
    monkeypatch.setenv("_ESIGN_IMPORT_COMPLETE", "powershell_complete")

    def list_offered(*words, folder=tmp_path, with_meaning=False):
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.chdir(folder)
        assert main([]) == 0
        printed, errors = capfd.readouterr()
        assert errors == ""
        lines = printed.splitlines()
        return lines if with_meaning else [line.partition("\t")[0] for line in lines if line]

    return list_offered


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    """Return the folder of a hospital that has run once, with its configuration."""
    folder = tmp_path_factory.mktemp("hospital")
    with open_small_hospital(folder, SERIALS), pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        assert main(["--lang", "en", "run", "--yes"]) == 0
    return folder


def test_bash_completes_people_of_the_ledger_and_of_the_last_results(complete, offer, hospital):
    assert complete("explain", NAME[:2], folder=hospital) == [NAME]
    assert offer("explain", NAME, "0000", folder=hospital)[:2] == ["00001", "00002"]
    for words in (["resolve"], ["certify"], ["purge", "--person"], ["run", "--only"]):
        assert offer(*words, NAME[:2], folder=hospital) == [NAME], words
    assert sorted(offer("explain", "", folder=hospital)) == sorted(map(name, SERIALS)), "and no numbers"


def test_people_come_from_the_last_check_where_there_is_no_ledger(offer, hospital, tmp_path, monkeypatch):
    (tmp_path / "config.yaml").write_text((hospital / "config.yaml").read_text("utf-8"), "utf-8")
    for folder in ("inbox", "seals", "secrets"):
        shutil.copytree(hospital / folder, tmp_path / folder)
    assert offer("explain", NAME[:2]) == []
    with monkeypatch.context() as typed:
        typed.delenv("_ESIGN_IMPORT_COMPLETE")
        assert main(["-q", "check"]) == 0
    assert offer("run", "--only", NAME[:2]) == [NAME]


def test_runs_are_completed(offer, hospital):
    (run,) = (path.name for path in (hospital / "out").iterdir() if path.name != "latest")
    assert offer("report", "--run", "", folder=hospital) == [run]
    assert offer("export", "--run", run[:10], folder=hospital) == [run]
    config = ["--config", str(hospital / "config.yaml")]
    assert offer(*config, "report", "--run", run[:4]) == [run]
    assert offer("report", "--run", "x", folder=hospital) == []


def test_hospitals_are_completed(offer, tmp_path):
    profiles = {"north": {"seals": "n"}, "south": {"seals": "s"}, "东院": {"seals": "e"}}
    text = "profiles:\n" + "".join(f"  {name}: {{seals: {name}}}\n" for name in profiles)
    (tmp_path / "config.yaml").write_text(text, "utf-8")
    assert offer("--profile", "") == [*profiles]
    assert offer("run", "--profile", "no") == ["north"]
    assert offer("enqueue", "东") == ["东院"]


@pytest.mark.parametrize("text", [None, "api: {", "profiles: 3\n", "ledger: /proc/no/ledger.sqlite3\n"])
def test_what_cannot_be_read_is_not_offered_and_no_error_is_printed(text, offer, tmp_path):
    """The fixture finds stderr empty."""
    if text is not None:
        (tmp_path / "config.yaml").write_text(text, "utf-8")
    for words in (["--profile"], ["explain"], ["report", "--run"], ["run", "--only"], ["enqueue"]):
        assert offer(*words, "") == []


def test_people_are_completed_without_what_a_run_needs(hospital):
    """A Tab costs at most 0.3 s of CPU because of this."""
    code = "import sys; from pipeline.cli.app import main; main([]);print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=hospital,
        env={
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "_ESIGN_IMPORT_COMPLETE": "powershell_complete",
            "COMP_WORDS": f"explain\n{NAME[:2]}",
        },
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.splitlines() == [f"{NAME}\t00001"]
    heavy = {"aiohttp", "asyncio", "jinja2", "openpyxl", "pandas", "PIL", "tqdm", "xlsxwriter"}
    assert heavy & set(done.stderr.split()) == set()


def test_the_program_answers_powershell_with_words_and_meanings(offer):
    lines = offer("--lang", "en", "ret", with_meaning=True)
    assert lines == ["retry\tSend failed, rejected and unsent rows again."]
    assert offer("ledger", "ba", with_meaning=True)[0].startswith("backup\t")
    assert offer("--lang", "", with_meaning=True) == ["zh\t", "en\t"]
    assert offer("ledger", "restore", "", with_meaning=True) == [""], "PowerShell lists files"


@pytest.mark.skipif(shutil.which("pwsh") is None, reason="no PowerShell")
def test_powershell_completes_commands(environment, tmp_path):
    script = (
        "esign-import completion powershell | Out-String | Invoke-Expression;"
        "$line = 'esign-import ledger ba';"
        "(TabExpansion2 $line $line.Length).CompletionMatches.CompletionText"
    )
    command = ["pwsh", "-NoProfile", "-Command", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["backup"]


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


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_the_script_alone_goes_to_stdout(shell, capsys):
    assert main(["completion", shell]) == 0
    script, others = capsys.readouterr()
    assert re.search(rf"_ESIGN_IMPORT_COMPLETE ?= ?'?{shell}_complete", script)
    assert others == "", "a shell that starts shows it to its user"
