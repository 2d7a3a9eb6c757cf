"""What a command prints when it ends with an error, and its exit code."""

from __future__ import annotations

import sys

import click

from pipeline.cli.context import Session
from pipeline.cli.streams import discard_output, print_traceback
from pipeline.cli.terminal import Tone
from pipeline.domain.masking import mask_text
from pipeline.errors import DiskTrouble, EsignImportError

USAGE = 2
INTERRUPTED = 130
HELP_OPTIONS = frozenset({"-h", "--help", "--version"})


def report_error(session: Session, error: BaseException) -> int:
    """Print what happened, also with ``-q``, and the command that helps, where there is one; return the exit code.

    Numbers are masked: the name of a picture or a roster may hold one.
    """
    if isinstance(error, click.ClickException):
        return _report_usage(session, error)
    if isinstance(error, BrokenPipeError) and HELP_OPTIONS & set(session.arguments):
        discard_output(sys.stdout)  # the reader of click's help has seen enough
        return 0
    if isinstance(error, UnicodeError) and (encoding := sys.getfilesystemencoding()) != "utf-8":
        session.print_failure(USAGE, session.render_sentence("locale", encoding=encoding))
        session.alert("locale", Tone.FAULT, encoding=encoding)
        return USAGE
    if isinstance(error, OSError):
        error = DiskTrouble.of(error)
    if isinstance(error, EsignImportError):
        return _report_fault(session, error)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        session.print_failure(INTERRUPTED, session.render_sentence("interrupted"))
        session.alert("interrupted")
        return INTERRUPTED
    session.print_failure(1, type(error).__name__)
    session.alert("bug", Tone.FAULT, kind=type(error).__name__)
    if session.verbose:
        print_traceback(error)
    _report_broken_run(session)
    return 1


def _report_fault(session: Session, error: EsignImportError) -> int:
    """Print a fault and its command; one that an earlier hospital had as well is not printed again."""
    text = error.render(session.spoken)
    session.print_failure(error.exit_code, text)
    if session.is_one_of_several:
        first = session.printed_faults.setdefault(text, session.profile)
        if first != session.profile and not session.broken_run[1]:
            session.alert("hospitals.same_fault", hospital=first)
            return error.exit_code
    session.print_error(error)
    _report_broken_run(session)
    if error.then:
        session.suggest_command("next_run", *error.then)
    return error.exit_code


def _report_broken_run(session: Session) -> None:
    """Print how many seals a run made before it broke."""
    run, seals = session.broken_run
    if seals:
        session.alert("made", n=seals, run=run)


def _report_usage(session: Session, error: click.ClickException) -> int:
    """Print click's sentence about a wrong command line: how the command is used, where to read more, what is wrong."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        session.print_line(error.format_message())  # the whole help
        return error.exit_code
    if isinstance(error, click.UsageError) and error.ctx is not None:
        session.print_line(error.ctx.get_usage())
        session.alert("usage_help", None, command=f"{error.ctx.command_path} --help")
    message = error.format_message()
    session.as_json |= "--json" in session.arguments  # a word before it may have stopped the reading
    session.print_failure(error.exit_code, message)
    session.alert("misused", Tone.FAULT, message=mask_text(message))
    return error.exit_code
