"""The command line: its commands, the options they share, and the exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import shell_complete

from pipeline.cli.autosign_commands import autosign_group
from pipeline.cli.config_commands import config_group, init
from pipeline.cli.context import DEFAULT_CONFIG, Session
from pipeline.cli.data_commands import export, purge
from pipeline.cli.demo import demo, sandbox
from pipeline.cli.doctor_commands import doctor
from pipeline.cli.help import (
    CommandGroup,
    CommandSection,
    list_all_commands,
    set_language,
)
from pipeline.cli.hosts_commands import enqueue, hosts_group, worker
from pipeline.cli.ledger_commands import adopt, ledger_group
from pipeline.cli.profiles import add_profiles
from pipeline.cli.resolve_commands import resolve
from pipeline.cli.run_commands import check, retry, run
from pipeline.cli.schedule_commands import schedule_group
from pipeline.cli.serve_commands import serve, user_group
from pipeline.cli.status_commands import explain, status
from pipeline.cli.streams import (
    discard_output,
    flush_streams,
    get_narrow_encoding,
    limit_to_console,
    prepare_streams,
    print_traceback,
)
from pipeline.cli.terminal import Tone
from pipeline.clock import Clock, SystemClock
from pipeline.config import environment
from pipeline.domain.masking import mask_text
from pipeline.errors import (
    DiskTrouble,
    EsignImportError,
)
from pipeline.support.interrupts import let_interrupts_through
from pipeline.version import PROGRAM, __version__

USAGE = 2
INTERRUPTED = 130
COMPLETION = "_ESIGN_IMPORT_COMPLETE"  # the variable by which a shell asks click for words
HELP_OPTIONS = frozenset({"-h", "--help", "--version"})
SECTIONS = (
    CommandSection("Every day", (init, check, run, retry, status)),
    CommandSection("Look up", (serve, explain, export)),
    CommandSection("Now and then", (resolve, autosign_group, adopt, ledger_group, purge)),
    CommandSection("Set up and examine", (config_group, doctor, user_group, schedule_group)),
    CommandSection("Try out", (demo, sandbox)),
    CommandSection("Several hosts", (worker, enqueue, hosts_group)),
)


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="esign-import %(version)s")
def cli() -> None:
    """Create doctors' electronic seals from a roster and a folder of pictures, never twice.

    The options may stand before or after the command.

    \b
    Exit codes: 0 done · 1 program error · 2 usage or configuration
    3 some rows need attention · 4 stopped, fix the cause first
    5 stopped early, see the reason · 6 another run holds the lock
    7 a roster was not read · 74 ledger or disk · 130/143 interrupted
    """  # noqa: D301 - \b is click's sign for lines to leave alone


def _store_option(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Store an option that was given in the session; one behind the command counts before one in front of it."""
    session: Session = context.obj
    if value not in (None, False, ()):
        assert option.name is not None
        setattr(session, option.name, value)
        session.lang_given |= option.name == "lang"
    return value


def _shared_option(*names: str, **settings: Any) -> click.Option:
    return click.Option(names, callback=_store_option, expose_value=False, **settings)


# each is an attribute of Session
SHARED_OPTIONS: Sequence[click.Option] = (
    _shared_option(
        "-c",
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Configuration (default: config.yaml in the current folder).",
    ),
    _shared_option(
        "--profile",
        "profiles",
        multiple=True,
        metavar="NAME",
        help="One hospital of profiles: in the configuration; may be repeated.",
    ),
    _shared_option("--all", "all_profiles", is_flag=True, help="Every hospital of the configuration."),
    _shared_option("--lang", type=click.Choice(["zh", "en"]), help="Language of messages and results."),
    _shared_option(
        "-v", "--verbose", is_flag=True, help="Show more; include the traceback of a program error."
    ),
    _shared_option("-q", "--quiet", is_flag=True, help="Show only errors."),
    _shared_option(
        "--json", "as_json", is_flag=True, help="Print data to stdout as JSON; of a run, its run.json."
    ),
)

cli.add_sections(*SECTIONS)
for _, command in list_all_commands(cli):
    command.params.extend(SHARED_OPTIONS)
logging.getLogger("pipeline").addHandler(logging.NullHandler())  # they go to log.jsonl, not to the screen


def main(arguments: Sequence[str], *, clock: Clock | None = None) -> int:
    """Run one command and return its exit code; each expected error is one sentence on stderr."""
    prepare_streams()
    os.environ.pop("SSLKEYLOGFILE", None)  # aiohttp opens it as soon as it is imported
    chosen = environment.choose_message_language(arguments, os.environ, default=DEFAULT_CONFIG)
    set_language(cli, limit_to_console(chosen or "en"))
    session = Session(lang=chosen, clock=clock or SystemClock(), arguments=tuple(arguments))
    try:
        let_interrupts_through()
        if instruction := os.environ.get(COMPLETION):
            return shell_complete(cli, {"obj": session}, PROGRAM, COMPLETION, instruction)
        if chosen == "zh" and "zh" in arguments and (encoding := get_narrow_encoding()) is not None:
            session.alert("console_narrow", encoding=encoding)
        with cli.make_context("esign-import", list(arguments), obj=session) as context:
            result = cli.invoke(context)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the outermost net
        return report_error(session, error)
    finally:
        flush_streams()


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
    """Print a fault and its command; one that an earlier hospital of the command had as well is not printed again."""
    text = error.render(session.spoken)
    session.print_failure(error.exit_code, text)
    same = session.several.get_same_fault(text, session.hospital) if session.several else None
    if same is not None and not session.broken_run[1]:
        session.alert("profiles.same_fault", hospital=same)
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


for _, command in list_all_commands(cli):
    add_profiles(command, report_error)
