"""Reports why a command could not do its work: one sentence, the exit code, and the next command to type."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence

import click

from pipeline.cli.context import Session, discard_output
from pipeline.cli.help import polish_message
from pipeline.domain.masking import mask_text
from pipeline.errors import (
    ConfigError,
    DiskTrouble,
    EsignImportError,
    LedgerError,
    LedgerUnreachable,
    Locked,
    UsageError,
)
from pipeline.support.shell_quoting import join

REMEDIES: Mapping[type[EsignImportError], tuple[str, ...]] = {
    ConfigError: ("config", "validate"),
    LedgerUnreachable: (),  # rights or room: the ledger is not damaged
    LedgerError: ("ledger", "check"),
    Locked: ("status",),
}
# the message before the next command where nothing has to be put right first
INTRODUCTIONS: Mapping[str, str] = {
    "no_config": "next_init",
    "never_run": "next_check",
    "no_last_run": "next_run",
    "no_run_yet": "next_run",
    "no_run": "next_status",
    "ledger.locked": "next_status",
    "ledger.locked_by_somebody": "next_status",
}
# what is put right elsewhere, after which the same words are typed again
REPEATED_AFTER_REPAIR = frozenset(
    {
        "no_such_path",
        "usage.configured_missing",
        "ledger.other_environment",
        "ledger.other_tenant",
        "ledger.too_new",
    }
)
USAGE = 2
INTERRUPTED = 130
HELP_OPTIONS = frozenset({"-h", "--help", "--version"})
NEVER_SUGGESTED = frozenset({"certify"})  # it may make a second seal
LONG_WORD = 6  # letters from which on two slips are one misspelling


def report_error(session: Session, error: BaseException) -> int:
    """Print what happened, also with ``-q``, and what to type next; return the exit code.

    Numbers are masked: the name of a picture or a roster may hold one.
    """
    if isinstance(error, click.ClickException):
        return _report_usage(session, error)
    if isinstance(error, BrokenPipeError) and HELP_OPTIONS & set(session.arguments):
        discard_output(sys.stdout)  # the reader of click's help has seen enough
        return 0
    if isinstance(error, UnicodeError) and (encoding := sys.getfilesystemencoding()) != "utf-8":
        session.alert("locale", encoding=encoding)
        session.suggest_same_command("next_after")
        return USAGE
    if isinstance(error, OSError):
        error = DiskTrouble.of(error)
    if isinstance(error, EsignImportError):
        session.print_error(error)
        if not _report_broken_run(session):
            _suggest_remedy(session, error)
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        session.alert("interrupted")
        session.suggest_same_command("next_again")
        return INTERRUPTED
    session.alert("bug", kind=type(error).__name__)
    if session.verbose:
        for line in traceback.format_exception(error):
            sys.stderr.write(mask_text(line))
    else:
        session.arguments = ("-v", *session.arguments)
    session.suggest_same_command("next_bug")
    _report_broken_run(session)
    return 1


def _report_broken_run(session: Session) -> bool:
    """Print how many seals a run made before it broke, and the command for its results; return whether it made any."""
    run, seals = session.broken_run
    if seals:
        session.alert("made", n=seals, run=run)
        session.suggest_command("next_report", "report", "--run", run)
    return bool(seals)


def _report_usage(session: Session, error: click.ClickException) -> int:
    """Print click's sentence about a wrong command line: how the command is used, what is wrong, where to read more."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = tuple(find_command_words(session.arguments))
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        session.print_line(error.format_message())  # the whole help; it begins with how the command is used
    else:
        if context is not None:
            session.print_line(f"{context.get_usage()}\n")
        if isinstance(error, click.exceptions.NoSuchCommand):
            error = _suggest_commands(error)
        session.alert("misused", message=mask_text(polish_message(error.format_message(), session.spoken)))
    session.print_next_step(
        session.render_sentence("next_help"), join_to(session.help_invocation, *command, "--help")
    )
    return error.exit_code


def _suggest_commands(error: click.exceptions.NoSuchCommand) -> click.exceptions.NoSuchCommand:
    """Return the error with the commands whose names are nearly the one that was typed."""
    group = error.ctx.command if error.ctx else None
    names = group.commands if isinstance(group, click.Group) else ()
    near = [name for name in names if is_near_name(error.command_name, name)]
    return click.exceptions.NoSuchCommand(error.command_name, possibilities=near, ctx=error.ctx)


def is_near_name(word: str, name: str) -> bool:
    """Return whether a word begins a command's name, or is a misspelling of it."""
    if name in NEVER_SUGGESTED:
        return False
    slips = 2 if len(word) >= LONG_WORD else 1
    return (len(word) > 1 and name.startswith(word)) or _count_slips(word, name) <= slips


def _count_slips(word: str, name: str) -> int:
    """Return how many letters were omitted, added, mistaken or exchanged with their neighbour."""
    row_before: Sequence[int] = ()
    row: Sequence[int] = range(len(name) + 1)
    for i, letter in enumerate(word, start=1):
        next_row = [i]
        for j, wanted in enumerate(name, start=1):
            slips = min(row[j] + 1, next_row[j - 1] + 1, row[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == name[j - 2] and word[i - 2] == wanted:
                slips = min(slips, row_before[j - 2] + 1)
            next_row.append(slips)
        row_before, row = row, next_row
    return row[-1]


def _suggest_remedy(session: Session, error: EsignImportError) -> None:
    """Print the command that helps: the error's own, its kind's, the help of this command, or the same again."""
    usual = next((arguments for kind, arguments in REMEDIES.items() if isinstance(error, kind)), ())
    arguments = error.then or (() if error.key in REPEATED_AFTER_REPAIR else usual)
    if any(mask_text(word) != word for word in arguments):
        arguments = (arguments[0], "--help")  # a path that is not shown cannot be typed
    if arguments:
        key = "next_list" if arguments[0] == "resolve" else "next_after"
        session.suggest_command(INTRODUCTIONS.get(error.key, key), *arguments)
    elif isinstance(error, UsageError) and error.meant and _suggest_spelling(session, *error.meant):
        return
    elif isinstance(error, UsageError) and error.key not in REPEATED_AFTER_REPAIR:
        command = join_to(session.help_invocation, *find_command_words(session.arguments), "--help")
        session.print_next_step(session.render_sentence("next_after"), command)
    else:
        session.suggest_same_command("next_after")


def _suggest_spelling(session: Session, typed: str, meant: str) -> bool:
    """Print the command again with the word that was probably meant; False where it may not be shown."""
    arguments = [meant if word == typed else word for word in session.arguments]
    command = join_to(session.program, *arguments)
    if typed not in session.arguments or mask_text(command) != command:
        return False
    session.print_next_step(session.render_sentence("next_meant"), command)
    return True


def find_command_words(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the command, and the command in its group, that these arguments name."""
    from pipeline.cli.app import cli  # the program imports this module

    group: click.Command | None = cli
    for word in arguments:
        if isinstance(group, click.Group) and word in group.commands:
            yield word
            group = group.commands[word]


def join_to(program: str, *arguments: str) -> str:
    """Return a command line; the program may be several words already."""
    return f"{program} {join(arguments)}"
