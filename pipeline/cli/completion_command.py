"""`completion`: words that a shell completes, by click."""

from __future__ import annotations

import os
import sys

import click
from click.shell_completion import get_completion_class, shell_complete

from pipeline.cli.context import Session
from pipeline.version import PROGRAM

VARIABLE = f"_{PROGRAM.upper().replace('-', '_')}_COMPLETE"  # the script of a shell sets it
# shell -> the line of its start file that switches completion on
START_LINES = {
    "bash": f'eval "$({PROGRAM} completion bash)"',
    "zsh": f'eval "$({PROGRAM} completion zsh)"',
    "fish": f"{PROGRAM} completion fish | source",
}
START_FILES = {"bash": "~/.bashrc", "zsh": "~/.zshrc", "fish": "~/.config/fish/config.fish"}


@click.command()
@click.argument("shell", type=click.Choice([*START_LINES]))
@click.pass_obj
def completion(session: Session, shell: str) -> int:
    """Print the script with which a shell completes commands, options and files."""
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
