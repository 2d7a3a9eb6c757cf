"""The command line: its commands, the options they share, and the exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
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
from pipeline.cli.meant_command import (
    add_near_commands,
    keep_near_options,
    suggest_meant_command,
    suggest_quotes,
    suggest_spelling,
    suggest_without_hospital,
)
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
from pipeline.clock import Clock, SystemClock
from pipeline.config import environment
from pipeline.domain.masking import mask_text
from pipeline.errors import (
    ConfigError,
    DiskTrouble,
    EsignImportError,
    LeaseLost,
    LedgerError,
    LedgerUnreachable,
    Locked,
    UsageError,
)
from pipeline.support.interrupts import let_interrupts_through
from pipeline.support.terminal_text import join
from pipeline.version import PROGRAM, __version__

REMEDIES: Mapping[type[EsignImportError], tuple[str, ...]] = {
    ConfigError: ("doctor", "--offline"),
    LeaseLost: ("status",),  # another process goes on
    LedgerUnreachable: (),  # rights or room: the ledger is not damaged
    LedgerError: ("ledger", "check"),
    Locked: ("status",),
}
# the message before the next command where nothing has to be put right first
INTRODUCTIONS: Mapping[str, str] = {
    "no_config": "next_init",
    "port_taken": "next_free_port",
    "port_failed": "next_free_port",
    "jobs.no_server": "next_help",
    "ledger.backup_exists": "next_new_file",
    "ledger.no_backup": "next_status",
    "ledger.behind_receipts": "next_rebuild",
    "ledger.lost": "next_rebuild",
    "ledger.lost_with_receipts": "next_recover",
    "ledger.not_read": "next_recover",
    "ledger.not_rebuilt": "next_recover",
    "ledger.older": "next_recover",
    "ledger.registered_newer": "next_recover",
    "ledger.server_registered_newer": "next_recover",
    "ledger.other_past": "next_rebuild",
    "ledger.receipts_broken": "next_run",
    "resolve.no_row_with_seal_id": "next_list",
    "resolve_not_submitted": "next_story",
    "no_ledger": "next_recover",
    "load.server_in_use": "next_status",
    "never_run": "next_check",
    "only.no_row": "next_check",
    "no_last_run": "next_run",
    "export.no_run": "next_run",
    "init.exists": "next_run",
    "ledger.in_order": "next_run",
    "retry_takes_no_roster": "next_run",
    "sandbox_elsewhere": "next_run",
    "usage.results_as_roster": "next_check",
    "resolve.needs_seal_name": "next_run",
    "resolve_sealed": "next_story",
    "profiles.choose": "next_run",
    "profiles.name": "hosts.next_status",
    "web.no_address": "next_run",
    "web.not_loopback": "next_run",
    "web.port_failed": "next_free_port",
    "web.port_taken": "next_free_port",
    "web.no_users": "next_run",
    "user.unknown": "next_list",
    "ledger.locked": "next_status",
    "ledger.locked_by_somebody": "next_status",
    "server.no_backup": "next_status",
}
# what is put right elsewhere, after which the same words are typed again
REPEATED_AFTER_REPAIR = frozenset(
    {
        "usage.configured_missing",
        "ledger.other_environment",
        "ledger.other_product",
        "ledger.other_tenant",
        "ledger.newer_version",
        "ledger.other_version",
        "load.differs",
        "rotation.third_secret",
    }
)
# the words of the command line themselves are wrong: typed again, they fail again
SHOWN_WITH_HELP = frozenset(
    {
        "config_is_a_folder",
        "config_is_another_file",
        "export.ending",
        "faults.unreadable",
        "json.refused",
        "init.is_a_file",
        "jobs.every_hospital",
        "load.other_ledger",
        "ledger_keep_needs_folder",
        "not_a_file",
        "no_such_path",
        "only.several",
        "profiles.both",
        "profiles.both_named",
        "profiles.none",
        "profiles.one_command",
        "profiles.one_option",
        "profiles.unknown",
        "purge.ask",
        "resolve.no_picture",
        "resolve.not_made_here",
        "resolve.not_unchanged",
        "resolve.other_tenant",
        "resolve.results_torn",
        "resolve_one_way",
        "rotation.blank",
        "rotation.every_hospital",
        "schedule.name",
        "schedule.needs_name",
        "schedule.path",
        "schedule.taken",
        "schedule.worker",
        "usage.no_pictures",
        "usage.not_unicode",
        "usage.out_is_a_file",
        "usage.results_as_roster",
    }
)
# of a folder that cannot be written
CONFIGURED_FAULTS = frozenset({"disk.full", "disk.mode", "disk.read_only", "disk.rights"})
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
    """Print what happened, also with ``-q``, and what to type next; return the exit code.

    Numbers are masked: the name of a picture or a roster may hold one.
    """
    if isinstance(error, click.ClickException):
        return _report_usage(session, error)
    if isinstance(error, BrokenPipeError) and HELP_OPTIONS & set(session.arguments):
        discard_output(sys.stdout)  # the reader of click's help has seen enough
        return 0
    if isinstance(error, UnicodeError) and (encoding := sys.getfilesystemencoding()) != "utf-8":
        session.print_failure(USAGE, session.render_sentence("locale", encoding=encoding))
        session.alert("locale", encoding=encoding)
        session.suggest_same_command("next_after")
        return USAGE
    if isinstance(error, OSError):
        error = DiskTrouble.of(error)
    if isinstance(error, EsignImportError):
        return _report_fault(session, error)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        session.print_failure(INTERRUPTED, session.render_sentence("interrupted"))
        session.alert("interrupted")
        session.suggest_same_command("next_again")
        return INTERRUPTED
    session.print_failure(1, type(error).__name__)
    session.alert("bug", kind=type(error).__name__)
    if session.verbose:
        print_traceback(error)
    else:
        session.arguments = ("-v", *session.arguments)
    _report_broken_run(session)
    session.suggest_same_command("next_bug")
    return 1


def _report_fault(session: Session, error: EsignImportError) -> int:
    """Print a fault and its remedy; one that an earlier hospital of the command had as well is not printed again."""
    text = error.render(session.spoken)
    session.print_failure(error.exit_code, text)
    same = session.several.get_same_fault(text, session.hospital) if session.several else None
    if same is not None and not session.broken_run[1]:
        session.alert("profiles.same_fault", hospital=same)
        return error.exit_code
    session.print_error(error)
    if isinstance(error, DiskTrouble):
        _name_configured_folder(session, error)
    _report_broken_run(session)
    _suggest_remedy(session, error)
    return error.exit_code


def _name_configured_folder(session: Session, error: DiskTrouble) -> None:
    """Print which key of the configuration names the folder that cannot be written, where one does."""
    path = error.detail.get("path")
    if error.key not in CONFIGURED_FAULTS or not isinstance(path, Path):
        return
    with suppress(EsignImportError, OSError):
        config = session.require_config()
        folders = {"out": config.resolve_path(config.out), "ledger": config.work_folder}
        for name, folder in folders.items():
            if folder.absolute() in {path, *path.parents}:
                session.alert("disk.configured", name=name, path=session.config_name)
                return


def _report_broken_run(session: Session) -> None:
    """Print how many seals a run made before it broke."""
    run, seals = session.broken_run
    if seals:
        session.alert("made", n=seals, run=run)


def _report_usage(session: Session, error: click.ClickException) -> int:
    """Print click's sentence about a wrong command line: how the command is used, what is wrong, where to read more."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        session.print_line(error.format_message())  # the whole help; it begins with how the command is used
    else:
        if context is not None:
            session.print_line(f"{context.get_usage()}\n")
        if isinstance(error, click.exceptions.NoSuchCommand):
            error = add_near_commands(error)
        elif isinstance(error, click.exceptions.NoSuchOption):
            error = keep_near_options(error)
        message = error.format_message()
        session.as_json |= "--json" in session.arguments  # a word before it may have stopped the reading
        session.print_failure(error.exit_code, message)
        session.alert("misused", message=mask_text(message))
    if not suggest_meant_command(session, error):
        _suggest_help(session, "next_help")
    return error.exit_code


def _suggest_help(session: Session, key: str) -> None:
    """Print what to do next: read the help of this command."""
    words = (*_list_command_words(session.arguments), "--help")
    session.print_next_step(session.render_sentence(key), f"{session.help_invocation} {join(words)}")


def _suggest_remedy(session: Session, error: EsignImportError) -> None:
    """Print the command that helps: the error's own, its kind's, the help of this command, or the same again."""
    arguments = _list_remedy_words(session, error)
    if isinstance(error, UsageError) and error.meant:
        key = INTRODUCTIONS.get(error.key, "next_meant")
        if suggest_spelling(session, *error.meant, key):
            return
    if (
        error.key == "no_config" and not sys.stdin.isatty()
    ):  # of a scheduled task, whose folder is another one
        path = session.render_sentence("config_placeholder")
        session.suggest_words("next_full_path", ["--config", path, *session.arguments])
    elif arguments:
        key = "next_list" if arguments == ("resolve",) else "next_after"
        if arguments[0] in {"explain", "resolve"} and len(arguments) > 1:  # one doctor
            key = "next_story"
        session.suggest_command(INTRODUCTIONS.get(error.key, key), *arguments)
    elif error.key in SHOWN_WITH_HELP:
        if not (
            (error.key == "no_such_path" and suggest_quotes(session))
            or (error.key == "profiles.none" and suggest_without_hospital(session))
        ):
            _suggest_help(session, "next_help")
    else:
        session.suggest_same_command("next_after")


def _list_remedy_words(session: Session, error: EsignImportError) -> tuple[str, ...]:
    """Return the command that an error or its kind asks for; none where the same command is typed again."""
    usual = next((arguments for kind, arguments in REMEDIES.items() if isinstance(error, kind)), ())
    if isinstance(error, LedgerError) and error.key.startswith("ledger.server_"):
        usual = ("doctor",)  # it asks the server, also one that did not answer
    arguments = error.then or (() if error.key in REPEATED_AFTER_REPAIR else usual)
    is_of_status = next(_list_command_words(session.arguments), "") == "status"
    if is_of_status and not error.then and error.key not in SHOWN_WITH_HELP:
        arguments = ("doctor",)  # `status` again would print the same
    if any(mask_text(word) != word for word in arguments):
        arguments = (arguments[0], "--help")  # a path that is not shown cannot be typed
    return arguments


def _list_command_words(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the command, and the command in its group, that these arguments name."""
    group: click.Command | None = cli
    for word in arguments:
        if isinstance(group, click.Group) and word in group.commands:
            yield word
            group = group.commands[word]


for _, command in list_all_commands(cli):
    add_profiles(command, report_error)
