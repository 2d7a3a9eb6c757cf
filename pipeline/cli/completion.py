"""Completion: the script of each shell, and the runs, hospitals and people that may follow on a command line.

What is asked for at every Tab is quick, makes no call, takes no lock and prints no error: what cannot be read is not offered.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click
from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    shell_complete,
)

from pipeline.cli.context import Session
from pipeline.clock import shown, stamp
from pipeline.version import PROGRAM

if TYPE_CHECKING:
    from pipeline.config.settings import Config

Items = list[CompletionItem[str]]
Offer = Callable[[Session, str], Iterable[CompletionItem[str]]]
VARIABLE = f"_{PROGRAM.upper().replace('-', '_')}_COMPLETE"  # the script of a shell sets it
# shell -> the line of its start file that switches completion on
START_LINES = {
    "bash": f'eval "$({PROGRAM} completion bash)"',
    "zsh": f'eval "$({PROGRAM} completion zsh)"',
    "fish": f"{PROGRAM} completion fish | source",
    "powershell": f"{PROGRAM} completion powershell | Out-String | Invoke-Expression",
}
START_FILES = {
    "bash": "~/.bashrc",
    "zsh": "~/.zshrc",
    "fish": "~/.config/fish/config.fish",
    "powershell": "$PROFILE",
}
MAX_RUNS = 30
MAX_PEOPLE = 100
POWERSHELL_SCRIPT = """\
Register-ArgumentCompleter -Native -CommandName '%(prog_name)s', '%(prog_name)s.exe' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { if ($_.PSObject.Properties['Value']) { $_.Value } else { $_.Extent.Text } })
    $encoding = [Console]::OutputEncoding
    $env:COMP_WORDS = ($words + $wordToComplete.Trim('"', "'")) -join "`n"
    $env:%(complete_var)s = 'powershell_complete'
    try {
        [Console]::OutputEncoding = [System.Text.Encoding]::UTF8
        $lines = @(& '%(prog_name)s')
    } finally {
        [Console]::OutputEncoding = $encoding
        Remove-Item Env:COMP_WORDS, Env:%(complete_var)s
    }
    $lines | Where-Object { $_ } | ForEach-Object {
        $value, $meaning = $_ -split "`t", 2
        if (-not $meaning) { $meaning = $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $meaning)
    }
}
"""


class PowerShellComplete(ShellComplete):
    """Completion for PowerShell, to which click has none; a word that is a file is left to PowerShell."""

    name: ClassVar[str] = "powershell"
    source_template: ClassVar[str] = POWERSHELL_SCRIPT

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that is typed, and that one."""
        *words, begun = os.environ["COMP_WORDS"].split("\n")
        return words, begun

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Return the line of a word and its meaning; an empty one is skipped."""
        return f"{item.value}\t{item.help or ''}" if item.type == "plain" else ""


add_completion_class(PowerShellComplete)


@click.command()
@click.argument("shell", type=click.Choice([*START_LINES]))
@click.pass_obj
def completion(session: Session, shell: str) -> int:
    """Print the script that lets a shell complete what is typed.

    It completes commands, options, files, runs, hospitals and doctors.
    """
    session.refuse_json("completion")
    completer = get_completion_class(shell)
    assert completer is not None
    program = click.get_current_context().find_root().command
    script = completer(program, {}, PROGRAM, VARIABLE).source()
    if shell == "fish":  # click's script ends a description at its first comma
        script = script.replace('string split ","', 'string split --max 1 ","')
    session.print_data(script)
    if sys.stdout.isatty():  # else a shell that is starting reads it
        session.print_next_step(
            session.render_sentence("completion.next", file=START_FILES[shell]), START_LINES[shell]
        )
    return 0


def complete_words(program: click.Command, session: Session) -> int | None:
    """Print the words that may follow where a shell asks for them; return the exit code, None where none asks."""
    instruction = os.environ.get(VARIABLE)
    return shell_complete(program, {"obj": session}, PROGRAM, VARIABLE, instruction) if instruction else None


# -- what the words of a configuration and its runs may be


def _complete_by(offer: Offer) -> Callable[[click.Context, click.Parameter, str], Items]:
    """Return what click calls for the words that ``offer`` yields; a fault of any kind offers none."""

    @wraps(offer)
    def complete(context: click.Context, _: click.Parameter, begun: str) -> Items:
        with redirect_stderr(io.StringIO()):
            try:
                return [*offer(context.obj, begun)]
            except Exception:  # noqa: BLE001 - it would be printed into the line that is typed
                return []

    return complete


@_complete_by
def complete_hospitals(session: Session, begun: str) -> Iterator[CompletionItem[str]]:
    """Yield the profiles of the configuration."""
    for name in session.open_config_file(session.config_name).names:
        if name.startswith(begun):
            yield CompletionItem(name)


@_complete_by
def complete_runs(session: Session, begun: str) -> Iterator[CompletionItem[str]]:
    """Yield the last runs, the newest first, with the command, the time and the exit code of each."""
    from pipeline.workflow.tenant_ledger import open_configured_ledger

    config = _read_config(session)
    if config.is_ledger_on_server:  # a server may be slow
        runs = [CompletionItem(folder.name) for folder in _list_folders(config)]
    else:
        with open_configured_ledger(config, session.clock) as (ledger, _):
            runs = [
                CompletionItem(
                    run.run,
                    help=f"{run.command} {shown(stamp(run.started))} {'' if run.exit is None else run.exit}",
                )
                for run in ledger.list_runs(MAX_RUNS)
            ]
    for run in runs[:MAX_RUNS]:
        if run.value.startswith(begun):
            yield run


@_complete_by
def complete_people(session: Session, begun: str) -> Iterator[CompletionItem[str]]:
    """Yield names, each with the staff number, and staff numbers, each with the name.

    A word with a blank in it is not offered: bash would take it for two.
    """
    config = _read_config(session)
    people = {*_list_people_of_results(config), *_list_people_of_ledger(session, config)}
    offered: dict[str, str] = {}
    for name, number in sorted(people):
        offered |= {name: number or offered.get(name, "")} if name else {}
        offered |= {number: name} if number and begun else {}
    fitting = [word for word in offered if word.startswith(begun) and not any(map(str.isspace, word))]
    for word in sorted(fitting)[:MAX_PEOPLE]:
        yield CompletionItem(word, help=offered[word])


def _read_config(session: Session) -> Config:
    """Return the configuration of the hospital that is chosen on the line."""
    session.profile = session.profiles[0] if session.profiles else None
    return session.require_config()


def _list_people_of_ledger(session: Session, config: Config) -> set[tuple[str, str]]:
    """Return name and staff number of everyone whom a ledger in a file knows; of one on a server, which may be slow, none."""
    from pipeline.errors import EsignImportError
    from pipeline.workflow.tenant_ledger import open_configured_ledger

    if config.is_ledger_on_server:
        return set()
    with suppress(EsignImportError), open_configured_ledger(config, session.clock) as (ledger, _):
        return {(name or "", number or "") for name, number in ledger.list_people()}
    return set()


def _list_people_of_results(config: Config) -> set[tuple[str, str]]:
    """Return name and staff number of everyone in the newest results, also those of a `check`."""
    from pipeline.reports.earlier_results import OUTCOMES, PLAN

    for folder in _list_folders(config):
        for file in (folder / OUTCOMES, folder / PLAN):
            if file.is_file():
                rows = map(json.loads, file.read_text("utf-8").splitlines())
                return {(row["name"] or "", row["staff_no"] or "") for row in rows}
    return set()


def _list_folders(config: Config) -> list[Path]:
    """Return the folders of the runs and checks in ``out``, the newest first."""
    out = config.resolve_path(config.out)
    folders = [folder for folder in out.iterdir() if folder.name[:1].isdigit()] if out.is_dir() else []
    return sorted(folders, reverse=True)
