"""The command line: its commands, the options they share, and the exit code."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import shell_complete

from pipeline.cli.autosign_commands import autosign_group
from pipeline.cli.config_commands import config_group, init
from pipeline.cli.context import Session
from pipeline.cli.data_commands import export, purge
from pipeline.cli.demo import demo, sandbox
from pipeline.cli.doctor_commands import doctor
from pipeline.cli.faults import report_error
from pipeline.cli.help import (
    CommandGroup,
    CommandSection,
    list_all_commands,
    set_language,
)
from pipeline.cli.hosts_commands import enqueue, hosts_group, worker
from pipeline.cli.ledger_commands import adopt, ledger_group
from pipeline.cli.resolve_commands import resolve
from pipeline.cli.run_commands import check, retry, run
from pipeline.cli.schedule_commands import schedule_group
from pipeline.cli.serve_commands import serve, user_group
from pipeline.cli.status_commands import explain, status
from pipeline.cli.streams import flush_streams, get_narrow_encoding, limit_to_console, prepare_streams
from pipeline.clock import Clock, SystemClock
from pipeline.config import environment
from pipeline.support.interrupts import let_interrupts_through
from pipeline.version import PROGRAM, __version__

COMPLETION = "_ESIGN_IMPORT_COMPLETE"  # the variable by which a shell asks click for words
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
        metavar="FILE|FOLDER",
        help="A hospital's configuration or folder, or a folder of several (default: config.yaml in the current folder).",
    ),
    _shared_option(
        "--profile",
        "profiles",
        multiple=True,
        metavar="NAME",
        help="One of several hospitals, by its folder's name; may be repeated.",
    ),
    _shared_option("--all", "all_profiles", is_flag=True, help="Every hospital of the folder."),
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
    path = environment.get_named_configuration(arguments)
    chosen = environment.choose_message_language(arguments, os.environ, path)
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
