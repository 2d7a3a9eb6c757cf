"""The help of every command in the reader's language, laid out by the width of its characters."""

from __future__ import annotations

import gettext
import inspect
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import click

from pipeline.messages.catalogue import say
from pipeline.messages.click import CHINESE, KINDS, RANGES, STOPS
from pipeline.messages.help import HELP
from pipeline.support.text_width import measure_width

DOMAIN = "esign-import"
LOCALE = Path(__file__).with_name("locale")
_AS_IT_IS = "\b"  # click's mark for a paragraph whose lines are left alone
_NEVER_FIRST = "，。、；：？！）”》"  # of a line


def find_commands(command: click.Command) -> Iterator[click.Command]:
    """Yield a command and all that are below it."""
    yield command
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from find_commands(child)


def set_language(program: click.Group, language: str) -> None:
    """Let every command and option of ``program`` explain itself in ``zh`` or ``en``."""
    for thing, attribute, english in _texts(program):
        setattr(thing, attribute, _chinese(english) if language == "zh" else english)
    for command in find_commands(program):
        command.context_class = _ChineseContext if language == "zh" else click.Context
    gettext.bindtextdomain(DOMAIN, LOCALE)
    gettext.textdomain(DOMAIN)
    os.environ["LANGUAGE"] = language  # where gettext looks first


def untranslated(program: click.Group) -> list[str]:
    """Return the paragraphs that have no Chinese."""
    texts = (english for _, _, english in _texts(program))
    return sorted({key for text in texts for _, key in _paragraphs(text) if _found(key) is None})


def polish_message(message: str, language: str) -> str:
    """Return one of click's sentences as it is written in the reader's language.

    click quotes with Python's ``repr``, which doubles the backslashes of a Windows path, puts its own blanks and stops
    between translated parts, and names ranges and kinds of numbers as a programmer does.
    """
    message = message.replace("\\\\", "\\")
    for name, (zh, en) in KINDS.items():
        message = message.replace(name, zh if language == "zh" else en)
    for pattern, instead in (*RANGES, *(STOPS if language == "zh" else ())):
        message = re.sub(pattern, instead, message)
    return message


@cache
def _texts(program: click.Group) -> tuple[tuple[object, str, str], ...]:
    """Return all that is said of the commands: where it stands, and the English that was written there."""
    found: list[tuple[object, str, str]] = []
    for command in find_commands(program):
        context = click.Context(command, help_option_names=program.context_settings["help_option_names"])
        options = [*command.params, command.get_help_option(context)]
        found += [
            (each, "help", each.help) for each in options if isinstance(each, click.Option) and each.help
        ]
        found.append((command, "help", inspect.cleandoc(command.help or "")))
        found.append((command, "options_metavar", command.options_metavar or ""))
        if isinstance(command, click.Group):
            found.append((command, "subcommand_metavar", command.subcommand_metavar))
    return tuple(found)


def _paragraphs(text: str) -> Iterator[tuple[str, str]]:
    """Yield each paragraph's mark ("" or click's) and its words in one line."""
    for paragraph in filter(None, re.split(r"\n\s*\n", text)):
        mark = f"{_AS_IT_IS}\n" if paragraph.startswith(_AS_IT_IS) else ""
        yield mark, " ".join(paragraph.removeprefix(_AS_IT_IS).split())


def _found(key: str) -> str | None:
    return HELP.get(key) or CHINESE.get(key)


def _chinese(english: str) -> str:
    return "\n\n".join(mark + (_found(key) or key) for mark, key in _paragraphs(english))


class _WideFormatter(click.HelpFormatter):
    """click's help, for text whose characters are two columns wide and whose words are not set apart by blanks."""

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{heading}{say('mark.colon', 'zh')}\n")

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, CHINESE["Usage:"] if prefix is None else prefix)

    def write_text(self, text: str) -> None:
        self._write(wrapped(text, self.width - self.current_indent), self.current_indent)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        pairs = list(rows)
        column = min(max(measure_width(term) for term, _ in pairs), col_max) + col_spacing
        for term, meaning in pairs:
            head = f"{'':>{self.current_indent}}{term}"
            lines = wrapped(meaning, max(self.width - column - self.current_indent, 20))
            if measure_width(term) > column - col_spacing:
                self.write(f"{head}\n")
            elif lines:
                self.write(f"{head}{' ' * (column - measure_width(term))}{lines.pop(0)}\n")
            else:
                self.write(f"{head}\n")
            self._write(lines, column + self.current_indent)

    def _write(self, lines: Iterable[str], indent: int) -> None:
        for line in lines:
            self.write(f"{'':>{indent}}{line}".rstrip() + "\n")


class _ChineseContext(click.Context):
    formatter_class = _WideFormatter


def wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a text none of which is wider than ``width`` columns, blank ones between paragraphs."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        kept = paragraph.startswith(_AS_IT_IS)
        parts = paragraph.removeprefix(_AS_IT_IS).strip("\n").split("\n")
        lines += [
            "",
            *(line for part in (parts if kept else [" ".join(parts)]) for line in _filled(part, width)),
        ]
    return lines[1:]


def _filled(text: str, width: int) -> Iterator[str]:
    line = ""
    for piece in re.findall(rf"[!-~]+ ?|.[{_NEVER_FIRST}]* ?", text):
        if line and measure_width(line + piece.rstrip()) > width:
            yield line.rstrip()
            line = ""
        line += piece
    if line:
        yield line.rstrip()
