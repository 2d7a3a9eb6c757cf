"""The help of every command in the reader's language; click's own sentences are English."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import click

from pipeline.messages.areas import get_words
from pipeline.version import PROGRAM

UNWRAPPED = (
    10_000  # columns: click would break a Chinese line where its characters, not its columns, are counted
)


def list_all_commands(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all that are below it, each with the words that call it."""
    yield name, command
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from list_all_commands(child, f"{name} {child.name}".strip())


def set_language(program: click.Group, language: str) -> None:
    """Set the language of every command and option of ``program``: ``zh`` or ``en``."""
    for owner, attribute, chinese, english in list_texts(program):
        setattr(owner, attribute, chinese if language == "zh" else english)
    program.context_settings["terminal_width"] = UNWRAPPED if language == "zh" else None


@cache
def list_texts(program: click.Group) -> tuple[tuple[object, str, str, str], ...]:
    """Return all texts of the commands: the object and the attribute that hold each, the Chinese and the English one.

    A text in Chinese has the name of its command, or of its option, behind that of its command where it is its own.
    """
    chinese = get_words("help")
    texts: list[tuple[object, str, str, str]] = []
    for name, command in list_all_commands(program):
        english = inspect.cleandoc(command.help or "")
        texts.append((command, "help", chinese.get(name or PROGRAM, english), english))
        for option in command.params:
            if isinstance(option, click.Option) and option.help:
                long = max(option.opts, key=len)
                text = chinese.get(f"{name} {long}") or chinese.get(long) or option.help
                texts.append((option, "help", text, option.help))
        if isinstance(command, CommandGroup):
            texts += [
                (section, "heading", chinese[section.heading], section.heading)
                for section in command.sections
            ]
    return tuple(texts)


@dataclass
class CommandSection:
    """Commands that stand in a help under one heading."""

    heading: str
    commands: Sequence[click.Command]


class CommandGroup(click.Group):
    """Commands whose help lists each with the whole first sentence of its own help, under the headings of its sections."""

    sections: Sequence[CommandSection] = ()

    def add_sections(self, *sections: CommandSection) -> None:
        """Add the commands of each section, in this order."""
        self.sections = sections
        for section in sections:
            for command in section.commands:
                self.add_command(command)

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands below the options."""
        column = max(map(len, self.commands))
        for section in self.sections or (CommandSection("Commands", [*self.commands.values()]),):
            with formatter.section(section.heading):
                formatter.write_dl(
                    [(f"{command.name:{column}}", get_summary(command)) for command in section.commands]
                )


def get_summary(command: click.Command) -> str:
    """Return the first sentence of a command's help."""
    return (command.help or "").partition("\n\n")[0]
