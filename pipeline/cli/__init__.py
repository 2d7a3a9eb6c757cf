"""Words in, words out, exit codes: the only place that knows click and tqdm."""

from __future__ import annotations

import io
import logging
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from pipeline import __version__
from pipeline.cli.adopting import adopt
from pipeline.cli.configure import config_group
from pipeline.cli.demonstrate import demo, sandbox
from pipeline.cli.explain import explain
from pipeline.cli.keep import ledger_group
from pipeline.cli.look import report, status
from pipeline.cli.nightly import check, retry, run
from pipeline.cli.session import Session
from pipeline.cli.settle import certify, resolve
from pipeline.clock import Clock, SystemClock
from pipeline.errors import EsignImportError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Configuration (default: config.yaml in the current folder).",
)
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language of messages and results.")
@click.option("-v", "--verbose", is_flag=True, help="Say more; show the traceback of a bug.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print run.json to stdout at the end.")
@click.version_option(__version__, prog_name="esign-import")
@click.pass_context
def cli(
    context: click.Context,
    *,
    config_path: Path | None,
    lang: str | None,
    verbose: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Create doctors' electronic seals from a roster and a folder of pictures, never twice.

    \b
    Exit codes: 0 done · 1 bug · 2 usage or configuration · 3 some rows need a human
    4 halted, a rerun cannot help · 5 stopped early, a rerun will help · 6 another run
    holds the lock · 7 a roster was refused · 74 ledger or disk · 130/143 interrupted
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    context.obj = Session(config_path, lang, verbose=verbose, quiet=quiet, as_json=as_json, clock=context.obj)


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


def main(  # noqa: PLR0911 - one return for each kind of end
    arguments: Sequence[str], *, clock: Clock | None = None
) -> int:
    """Run one command and return its exit code; every expected trouble is one sentence on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a console that cannot carry a character must not end a night
            stream.reconfigure(errors="replace")
    context = None
    try:
        with cli.make_context("esign-import", list(arguments), obj=clock or SystemClock()) as context:
            result = cli.invoke(context)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as wrong:
        wrong.show()
        return wrong.exit_code
    except EsignImportError as trouble:
        _session(context).fail(trouble)
        return trouble.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except OSError as disk:
        _session(context).alarm("disk", why=disk)
        return 74
    except Exception as bug:  # noqa: BLE001 - the outermost net: one line for the user, the traceback in log.jsonl
        session = _session(context)
        session.alarm("bug", kind=type(bug).__name__)
        if session.verbose:
            traceback.print_exc()
        return 1


def _session(context: click.Context | None) -> Session:
    """Return the command's session, or a plain one where its options were not read yet."""
    return context.obj if context is not None and isinstance(context.obj, Session) else Session()
