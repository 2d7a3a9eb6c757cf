"""The help of every command in the reader's language, laid out by the width of its characters.

click asks the standard library's `gettext` for its own texts, and `gettext` reads compiled catalogues:
``locale/zh/LC_MESSAGES/esign-import.mo`` is the table ``click`` of ``help.toml``, made by ``python tools/compile_messages.py``.
"""

from __future__ import annotations

import gettext
import inspect
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click

from pipeline.messages.areas import get_words
from pipeline.messages.catalogue import render
from pipeline.messages.help import KINDS, RANGES, STOPS
from pipeline.support.terminal_text import measure_width, wrap_line

DOMAIN = "esign-import"
LOCALE = Path(__file__).with_name("locale")
_VERBATIM = "\b"  # click's sign for a paragraph whose lines are kept


def list_all_commands(command: click.Command) -> Iterator[click.Command]:
    """Yield a command and all that are below it."""
    yield command
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from list_all_commands(child)


def set_language(program: click.Group, language: str) -> None:
    """Set the language of click's texts and of every command and option of ``program``: ``zh`` or ``en``."""
    for owner, attribute, english in collect_texts(program):  # before gettext: click's own must be English
        setattr(owner, attribute, _translate(english) if language == "zh" else english)
    for command in list_all_commands(program):
        command.context_class = _ChineseContext if language == "zh" else _EnglishContext
    gettext.bindtextdomain(DOMAIN, LOCALE)
    gettext.textdomain(DOMAIN)
    os.environ["LANGUAGE"] = language  # where gettext looks first


def polish_message(message: str, language: str) -> str:
    """Return one of click's sentences as it is written in the reader's language.

    click quotes with Python's ``repr``, which doubles the backslashes of a Windows path, puts its own blanks and stops
    between translated parts, and names ranges and kinds of numbers as a programmer does.
    """
    message = message.replace("\\\\", "\\")
    for name, (zh, en) in KINDS.items():
        message = message.replace(name, zh if language == "zh" else en)
    for pattern, replacement in (*RANGES, *(STOPS if language == "zh" else ())):
        message = re.sub(pattern, replacement, message)
    return message


@cache
def collect_texts(program: click.Group) -> tuple[tuple[object, str, str], ...]:
    """Return all texts of the commands: the object and the attribute that hold each, and the English one."""
    texts: list[tuple[object, str, str]] = []
    for command in list_all_commands(program):
        context = click.Context(command, help_option_names=program.context_settings["help_option_names"])
        options = (*command.params, command.get_help_option(context))
        texts += [
            (option, "help", option.help)
            for option in options
            if isinstance(option, click.Option) and option.help
        ]
        texts.append((command, "help", inspect.cleandoc(command.help or "")))
        texts.append((command, "options_metavar", command.options_metavar or ""))
        if isinstance(command, click.Group):
            texts.append((command, "subcommand_metavar", command.subcommand_metavar))
        if isinstance(command, CommandGroup):
            texts += [(section, "heading", section.heading) for section in command.sections]
    return tuple(texts)


def split_paragraphs(text: str) -> Iterator[tuple[str, str]]:
    """Yield each paragraph's prefix ("" or click's sign) and its words in one line."""
    for paragraph in filter(None, re.split(r"\n\s*\n", text)):
        prefix = f"{_VERBATIM}\n" if paragraph.startswith(_VERBATIM) else ""
        yield prefix, " ".join(paragraph.removeprefix(_VERBATIM).split())


def _translate(english: str) -> str:
    chinese = {**get_words("help"), **get_words("click")}
    return "\n\n".join(prefix + chinese.get(text, text) for prefix, text in split_paragraphs(english))


class _Formatter(click.HelpFormatter):
    """Formats help by the width of its characters; no word is broken."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        start = f"{gettext.gettext('Usage:') + ' ' if prefix is None else prefix}{prog} "
        column = measure_width(start)
        hang = column if column <= self.width - 20 else 4
        self._write_lines(wrap_line(start + args, self.width, hang), 0)

    def write_text(self, text: str) -> None:
        self._write_lines(wrap_text(text, self.width - self.current_indent), self.current_indent)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        pairs = list(rows)
        column = min(max(measure_width(term) for term, _ in pairs), col_max) + col_spacing
        for term, meaning in pairs:
            first_line = f"{'':>{self.current_indent}}{term}"
            lines = wrap_text(meaning, max(self.width - column - self.current_indent, 20))
            if lines and measure_width(term) <= column - col_spacing:
                first_line += " " * (column - measure_width(term)) + lines.pop(0)
            self.write(f"{first_line.rstrip()}\n")
            self._write_lines(lines, column + self.current_indent)

    def _write_lines(self, lines: Iterable[str], indent: int) -> None:
        for line in lines:
            self.write(f"{'':>{indent}}{line}".rstrip() + "\n")


class _ChineseFormatter(_Formatter):
    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{heading}{render('separator.colon', 'zh')}\n")

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, gettext.gettext("Usage:") if prefix is None else prefix)


class _EnglishContext(click.Context):
    formatter_class = _Formatter


class _ChineseContext(click.Context):
    formatter_class = _ChineseFormatter


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
        sections = self.sections or (CommandSection(gettext.gettext("Commands"), [*self.commands.values()]),)
        column = max(map(len, self.commands))
        for section in sections:
            with formatter.section(section.heading):
                formatter.write_dl(
                    [(f"{command.name:{column}}", get_summary(command)) for command in section.commands]
                )


def get_summary(command: click.Command) -> str:
    """Return the first sentence of a command's help."""
    return (command.help or "").partition("\n\n")[0]


def wrap_text(text: str, width: int) -> list[str]:
    """Return the lines of a help's text, blank ones between paragraphs."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        is_verbatim = paragraph.startswith(_VERBATIM)
        parts = paragraph.removeprefix(_VERBATIM).strip("\n").split("\n")
        lines.append("")
        for part in parts if is_verbatim else [" ".join(parts)]:
            lines += wrap_line(part, width)
    return lines[1:]
