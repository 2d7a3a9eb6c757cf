"""Words in, words out, exit codes: the only place that knows click and tqdm."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Sequence

import click

from pipeline.cli.adopt_command import adopt
from pipeline.cli.click_locale import set_click_language
from pipeline.cli.command_group import CommandGroup, share_options
from pipeline.cli.config_commands import config_group
from pipeline.cli.context import DEFAULT, Session, speakable
from pipeline.cli.demo import demo, sandbox
from pipeline.cli.errors import report_error
from pipeline.cli.explain_command import explain
from pipeline.cli.help import set_language
from pipeline.cli.ledger_commands import ledger_group
from pipeline.cli.resolve_commands import certify, resolve
from pipeline.cli.run_commands import check, retry, run
from pipeline.cli.status_commands import report, status
from pipeline.cli.streams import NEAREST, flush, open_missing
from pipeline.clock import Clock, SystemClock
from pipeline.config import language
from pipeline.version import __version__


@click.group(
    cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, message="esign-import %(version)s")
def cli() -> None:
    """Create doctors' electronic seals from a roster and a folder of pictures, never twice.

    The options may stand before or after the command.

    \b
    Exit codes: 0 done · 1 bug · 2 usage or configuration · 3 some rows need a human
    4 halted, a rerun cannot help · 5 stopped early, a rerun will help · 6 another run
    holds the lock · 7 a roster was refused · 74 ledger or disk · 130/143 interrupted
    """  # noqa: D301 - \b is click's mark for lines to leave alone


logging.getLogger("pipeline").addHandler(logging.NullHandler())  # nothing reaches the screen but what is said

for command in (
    demo,
    check,
    run,
    retry,
    status,
    explain,
    report,
    resolve,
    certify,
    adopt,
    ledger_group,
    config_group,
    sandbox,
):
    cli.add_command(command)
share_options(cli)


def main(arguments: Sequence[str], *, clock: Clock | None = None) -> int:
    """Run one command and return its exit code; every expected trouble is one sentence on stderr."""
    open_missing()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a console that cannot carry a character must not end a night
            stream.reconfigure(errors=NEAREST)
    os.environ.pop("SSLKEYLOGFILE", None)  # aiohttp opens it as soon as it is imported
    chosen = language.find(arguments, os.environ, default=DEFAULT)
    set_language(
        cli, speakable(chosen or "en")
    )  # notes click's own help options in English, so before click speaks
    set_click_language(speakable(chosen or "en"))
    session = Session(lang=chosen, clock=clock or SystemClock(), arguments=tuple(arguments))
    try:
        with cli.make_context("esign-import", list(arguments), obj=session) as context:
            result = cli.invoke(context)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except (Exception, KeyboardInterrupt) as trouble:  # noqa: BLE001 - the outermost net
        return report_error(session, trouble)
    finally:
        flush()
