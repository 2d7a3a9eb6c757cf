"""What all commands share: the options that may stand before or after a command, and near spellings of its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.cli.context import Session

NEVER_MEANT = frozenset({"certify"})  # it may make a second seal
LONG = 6  # letters from which on two slips are one misspelling


class CommandGroup(click.Group):
    """A group that suggests a command only for a word that is nearly its name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first word names; NoSuchCommand with what was nearly written."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as wrong:
            near = [name for name in self.commands if _is_near(wrong.command_name, name)]
            raise click.exceptions.NoSuchCommand(wrong.command_name, possibilities=near, ctx=ctx) from None


def share_options(program: click.Group) -> None:
    """Let every command take the shared options: before it, after it, or inside a group."""
    for command in find_commands(program):
        command.params.extend(_OPTIONS)


def find_commands(command: click.Command) -> Iterator[click.Command]:
    """Yield a command and all that are below it."""
    yield command
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from find_commands(each)


def _is_near(word: str, name: str) -> bool:
    if name in NEVER_MEANT:
        return False
    slips = 2 if len(word) >= LONG else 1
    return (len(word) > 1 and name.startswith(word)) or _count_slips(word, name) <= slips


def _count_slips(word: str, name: str) -> int:
    """Return how many letters were left out, added, mistaken or exchanged with their neighbour."""
    before: Sequence[int] = ()
    row: Sequence[int] = range(len(name) + 1)
    for i, letter in enumerate(word, start=1):
        next_row = [i]
        for j, wanted in enumerate(name, start=1):
            slips = min(row[j] + 1, next_row[j - 1] + 1, row[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == name[j - 2] and word[i - 2] == wanted:
                slips = min(slips, before[j - 2] + 1)
            next_row.append(slips)
        before, row = row, next_row
    return row[-1]


def _keep(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Note an option that was given; one that was given after the command counts before one in front of it."""
    session: Session = context.obj
    if value is None or value is False:
        return value
    match option.name:
        case "config_path":
            session.config_path = value
        case "lang":
            session.lang, session.lang_given = value, True
        case "verbose":
            session.verbose = True
        case "quiet":
            session.quiet = True
        case "as_json":
            session.as_json = True
        case _:
            raise AssertionError(option.name)
    return value


def _option(*names: str, **settings: Any) -> click.Option:
    return click.Option(names, callback=_keep, expose_value=False, **settings)


_OPTIONS: Sequence[click.Option] = (
    _option(
        "-c",
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Configuration (default: config.yaml in the current folder).",
    ),
    _option("--lang", type=click.Choice(["zh", "en"]), help="Language of messages and results."),
    _option("-v", "--verbose", is_flag=True, help="Say more; show the traceback of a bug."),
    _option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
    _option("--json", "as_json", is_flag=True, help="Print data to stdout as JSON; of a run, its run.json."),
)
