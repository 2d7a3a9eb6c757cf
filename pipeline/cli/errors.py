"""A command that could not do its work: one sentence why, the exit code, and the next command to type."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence

import click

from pipeline.cli.click_locale import tidy
from pipeline.cli.context import Session
from pipeline.cli.streams import let_go
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
from pipeline.workflow.exit_codes import INTERRUPTED

AFTER: Mapping[type[EsignImportError], tuple[str, ...]] = {
    ConfigError: ("config", "validate"),
    LedgerUnreachable: (),  # rights or room: the ledger is not damaged
    LedgerError: ("ledger", "check"),
    Locked: ("status",),
}
# what is said before the next command where nothing has to be put right first
NEXT: Mapping[str, str] = {
    "no_config": "next_example",
    "never_run": "next_check",
    "no_last_run": "next_run",
    "no_run_yet": "next_run",
    "no_run": "next_status",
    "ledger.locked": "next_status",
    "ledger.locked_by_somebody": "next_status",
}
# what is put right elsewhere, after which the same words are typed again
SAME_AGAIN = frozenset(
    {
        "no_such_path",
        "usage.configured_missing",
        "ledger.other_environment",
        "ledger.other_tenant",
        "ledger.too_new",
    }
)
USAGE = 2
HELPS = frozenset({"-h", "--help", "--version"})


def report_error(session: Session, trouble: BaseException) -> int:
    """Say what happened, also with ``-q``, and what to type next; return the exit code.

    Numbers are masked: the name of a picture or a roster may hold one.
    """
    if isinstance(trouble, click.ClickException):
        return _misused(session, trouble)
    if isinstance(trouble, BrokenPipeError) and HELPS & set(session.arguments):
        let_go(sys.stdout)  # click wrote its help to somebody who has seen enough
        return 0
    if isinstance(trouble, UnicodeError) and (encoding := sys.getfilesystemencoding()) != "utf-8":
        session.alarm("locale", encoding=encoding)
        session.repeat("next_after")
        return USAGE
    if isinstance(trouble, OSError):
        trouble = DiskTrouble.of(trouble)
    if isinstance(trouble, EsignImportError):
        session.fail(trouble)
        if not _tell_made(session):
            _point_on(session, trouble)
        return trouble.exit_code
    if isinstance(trouble, KeyboardInterrupt | click.Abort):
        session.alarm("interrupted")
        session.repeat("next_again")
        return INTERRUPTED
    session.alarm("bug", kind=type(trouble).__name__)
    if session.verbose:
        for line in traceback.format_exception(trouble):
            sys.stderr.write(mask_text(line))
    loud = () if session.verbose else ("-v",)
    session.arguments = (*loud, *session.arguments)
    session.repeat("next_bug")
    _tell_made(session)
    return 1


def _tell_made(session: Session) -> bool:
    """Say how many seals a run made before it broke, and how its results are had; tell whether it made any."""
    run, seals = session.made
    if seals:
        session.alarm("made", n=seals, run=run)
        session.proceed("next_report", "report", "--run", run)
    return bool(seals)


def _misused(session: Session, wrong: click.ClickException) -> int:
    """Tell wrong words with click's sentence: how the command is used, what is wrong, where to read more."""
    context = wrong.ctx if isinstance(wrong, click.UsageError) else None
    path = tuple(_commands(session.arguments))
    if isinstance(wrong, click.exceptions.NoArgsIsHelpError):
        session.write(wrong.format_message())  # the whole help; it begins with how the command is used
    else:
        if context is not None:
            session.write(f"{context.get_usage()}\n")
        session.alarm("misused", message=mask_text(tidy(wrong.format_message(), session.spoken)))
    session.then(session.word("next_help"), join_to(session.caller, *path, "--help"))
    return wrong.exit_code


def _point_on(session: Session, trouble: EsignImportError) -> None:
    """Say the command that helps on: the exception's own, its kind's, how to use this one, or the same again."""
    usual = next((words for kind, words in AFTER.items() if isinstance(trouble, kind)), ())
    words = trouble.then or (() if trouble.key in SAME_AGAIN else usual)
    if any(mask_text(word) != word for word in words):
        words = (words[0], "--help")  # a path that is not shown cannot be typed
    if words:
        session.proceed(NEXT.get(trouble.key, "next_list" if words[0] == "resolve" else "next_after"), *words)
    elif isinstance(trouble, UsageError) and trouble.meant and _say_meant(session, *trouble.meant):
        return
    elif isinstance(trouble, UsageError) and trouble.key not in SAME_AGAIN:
        help_on = join_to(session.caller, *_commands(session.arguments), "--help")
        session.then(session.word("next_after"), help_on)
    else:
        session.repeat("next_after")


def _say_meant(session: Session, typed: str, meant: str) -> bool:
    """Say the command again with the word that was probably meant; False where it may not be shown."""
    words = [meant if word == typed else word for word in session.arguments]
    command = join_to(session.program, *words)
    if typed not in session.arguments or mask_text(command) != command:
        return False
    session.then(session.word("next_meant"), command)
    return True


def _commands(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the command, and the command in its group, that these arguments name."""
    from pipeline.cli.app import cli  # noqa: PLC0415 - the program imports this module

    group: click.Command | None = cli
    for word in arguments:
        if isinstance(group, click.Group) and word in group.commands:
            yield word
            group = group.commands[word]


def join_to(program: str, *words: str) -> str:
    """Return a command line; the program may be several words already."""
    return f"{program} {join(words)}"
