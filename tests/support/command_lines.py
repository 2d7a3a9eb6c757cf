"""Command lines that the program suggests: what may stand in them, and whether the program takes them."""

import re
import shlex
from contextlib import suppress
from functools import cache

import click

from pipeline.cli.app import cli
from pipeline.cli.context import Session
from pipeline.clock import SystemClock

OVERRIDES = {"--accept-guards"}
PLACEHOLDER = re.compile(r"<[^>]*>|\b[A-Z]{2,}\b")
UNKNOWN_VALUES = {"SEALID", "NAME"}  # what only a person can find out or choose
SEVERAL = re.compile(r"[;|&]|\besign-import\b.*\besign-import\b")  # commands on one line


@cache
def require_typable(line: str) -> None:
    """Hold a suggested command against the rules: one command, no override, real values, and the program takes it."""
    program, *words = shlex.split(line)
    if words[:2] == ["-m", "pipeline"]:
        words = words[2:]
    else:
        assert program.endswith("esign-import"), line
    assert not OVERRIDES & set(words), line
    assert not SEVERAL.search(line), line
    assert "*" not in line, line
    assert set(PLACEHOLDER.findall(line)) <= UNKNOWN_VALUES, line
    parse_command(words)


def parse_command(words: list[str]) -> None:
    """Let the program's parser read a command line; click.UsageError where it does not take it."""
    with suppress(click.exceptions.Exit):  # --help
        context = cli.make_context("esign-import", list(words), obj=Session(clock=SystemClock()))
        group, rest = context.command, [*context._protected_args, *context.args]
        while isinstance(group, click.Group):
            name, group, rest = group.resolve_command(context, rest)
            context = group.make_context(name, rest, parent=context)
            rest = [*context._protected_args, *context.args]
