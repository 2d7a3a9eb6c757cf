"""`check`, `run` and `retry`: the night from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from pipeline.cli.context import Session
from pipeline.cli.run_record import recorded
from pipeline.cli.run_session import run_command, tell_no_seals
from pipeline.config.named_paths import no_such_path
from pipeline.config.settings import Config, missing_ids
from pipeline.domain.roster import FileReport
from pipeline.domain.run import RunRequest, Status
from pipeline.errors import UsageError
from pipeline.messages.catalogue import phrase
from pipeline.messages.localized import Joined
from pipeline.planning.run_history import read_rosters
from pipeline.workflow import run_environment
from pipeline.workflow.run_environment import latest_of, open_for_check, open_for_config

RUNS_SEARCHED = 100  # back to the last run over whole rosters
PATH = click.Path(path_type=Path)
seals_option = click.option("--seals", type=PATH, metavar="DIR|ZIP", help="Seal pictures: a folder or a zip.")
out_option = click.option("--out", type=PATH, metavar="DIR", help="Folder for the results.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask before sending.")


@click.command()
@click.argument("rosters", type=PATH, nargs=-1, metavar="[ROSTER]...")
@seals_option
@out_option
@click.option(
    "--save-columns",
    is_flag=True,
    help="Write how the columns were read under columns: in the configuration.",
)
@click.pass_obj
def check(
    session: Session, *, rosters: tuple[Path, ...], seals: Path | None, out: Path | None, save_columns: bool
) -> int:
    """Read, pair, validate and plan; send nothing."""
    from pipeline.cli.run_output import write_and_print_results  # noqa: PLC0415
    from pipeline.workflow import import_run  # noqa: PLC0415

    clock = session.clock
    if save_columns:
        session.config()  # there is a file to write to
    config, why_not = _config_for_check(session)
    ask = ask_of("check", session, config, rosters=rosters, seals=seals, out=out)
    if why_not is not None:
        session.say("check_without_config", why=why_not)
    if run_environment.has_nothing_to_read(ask, config, clock, known=why_not is None):
        return nothing_to_read(session, config, rosters)
    tell_no_seals(session, config, ask)
    if why_not is not None:
        done = import_run.check(ask, config, ledger=None, site_key=None, clock=clock)
    else:
        with open_for_check(config, clock, warn=session.warn) as (ledger, site_key):
            if ledger is None:
                session.say("check_without_ledger", path=config.path(config.ledger))
            done = import_run.check(ask, config, ledger=ledger, site_key=site_key, clock=clock)
    if save_columns:
        _save_columns(session, config, done.files)
    code = write_and_print_results(session, config, done, latest=None)
    ready = any(outcome.status is Status.READY for outcome in done.outcomes)
    if why_not is not None and ready and not session.quiet:  # the run just named cannot be typed yet
        session.proceed("next_config", "config", "validate")
    return code


def _save_columns(session: Session, config: Config, files: Sequence[FileReport]) -> None:
    """Write how the columns were read into the configuration, and say so."""
    from pipeline.config.saved_columns import save_columns  # noqa: PLC0415

    saved = save_columns(session.config_name, files, config.columns, language=session.language)
    if saved.added:
        session.say("columns.saved", n=len(saved.added), path=session.config_name)
    if saved.hints:
        session.say("columns.hints", titles=Joined(list(saved.hints), phrase("mark.comma")))
    if not saved.added and not saved.hints:
        session.say("columns.nothing_to_save", path=session.config_name)


@click.command()
@click.argument("rosters", type=PATH, nargs=-1, metavar="[ROSTER]...")
@seals_option
@out_option
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Create at most N seals.")
@click.option(
    "--review", type=PATH, metavar="FILE", help="Judgements saved by review.html: what is wrong stays."
)
@yes_option
@click.option("--accept-guards", is_flag=True, help="Pass this night although a guard would stop it.")
@click.option(
    "--new-ledger",
    is_flag=True,
    help="Use the ledger at this place although earlier results or the registry show another.",
)
@click.pass_obj
def run(
    session: Session,
    *,
    rosters: tuple[Path, ...],
    seals: Path | None,
    out: Path | None,
    limit: int | None,
    review: Path | None,
    yes: bool,
    accept_guards: bool,
    new_ledger: bool,
) -> int:
    """Create the seals that are missing; safe to repeat."""
    from pipeline.intake.readers.discover import expand  # noqa: PLC0415

    clock = session.clock
    config = session.config()
    with recorded(session, "run", config, out) as recorder:
        run_environment.require_ready(config, session.config_name)
        ask = ask_of(
            "run", session, config, rosters=rosters, seals=seals, out=out, limit=limit, run=recorder.run
        )
        if review is not None and not review.is_file():
            raise no_such_path(review)
        ask = replace(ask, accept_guards=accept_guards, review=review)
        if run_environment.has_nothing_to_read(ask, config, clock):
            return recorder.end_early(nothing_to_read(session, config, rosters))
        run_environment.refuse_results(rosters)
        # without a roster the last results stay as they are: they hold everybody's SealId
        latest = latest_of(config) if expand(ask.rosters) else None
        return run_command(
            session,
            config,
            ask,
            recorder=recorder,
            clock=clock,
            yes=yes,
            new_ledger=new_ledger,
            latest=latest,
        )


@click.command()
@click.argument("results", type=PATH, required=False, metavar="[RESULTS.xlsx]")
@seals_option
@out_option
@yes_option
@click.pass_obj
def retry(session: Session, *, results: Path | None, seals: Path | None, out: Path | None, yes: bool) -> int:
    """Send failed, rejected and unsent rows again.

    Those of the last run, its rosters read anew, or those of an edited results workbook.
    """
    config = session.config()
    with recorded(session, "retry", config, out) as recorder:
        run_environment.require_ready(config, session.config_name)
        ask = _ask_again(session, config, recorder.run, results=results, seals=seals, out=out)
        return run_command(session, config, ask, recorder=recorder, clock=session.clock, yes=yes, latest=None)


def _ask_again(
    session: Session, config: Config, run: str, *, results: Path | None, seals: Path | None, out: Path | None
) -> RunRequest:
    """Return what a retry is asked to do: over the rosters of the last run, or over a workbook beside its rosters."""
    from pipeline.intake.read_rosters import run_of  # noqa: PLC0415
    from pipeline.intake.readers.discover import expand  # noqa: PLC0415

    if results is not None and not results.exists():
        raise no_such_path(results)
    writer = run_of(results) if results is not None else None
    if results is not None and writer is None:
        raise UsageError("not_results", path=results)
    with open_for_config(config, session.clock, readonly=True) as (ledger, _):
        earlier = ledger.runs(RUNS_SEARCHED)
        wrote = ledger.run(writer) if writer else None
        known = frozenset(seen.file for seen in ledger.rows_of(writer)) if writer else frozenset()
    if wrote is not None and not wrote.rosters:  # made again from receipts, which hold no paths
        wrote = None
    runs = (each for each in earlier if each.command == "run" and each.rosters)
    whole = next(filter(read_rosters, runs), None)
    if whole is None and results is None:
        raise UsageError("no_last_run", then=("run",))
    made = wrote or whole
    rosters = tuple(map(Path, made.context or made.rosters) if made else map(config.path, config.roster))
    pictures = seals or (Path(made.seals) if made and made.seals else None)
    ask = ask_of(
        "retry",
        session,
        config,
        rosters=(results,) if results else rosters,
        seals=pictures,
        out=out,
        run=run,
    )
    if results is None:
        ask = replace(ask, retried_run=whole.run if whole else None)
    else:
        standing = tuple(path for path in rosters if path.exists())
        here = {path.name for path in expand(standing)}
        same = bool(here) if wrote and wrote.context else known <= here
        gone = len(standing) < len(rosters) or not same
        ask = replace(ask, to_fix_only=True, context=standing, roster_unverified=wrote is None or gone)
    return ask


def nothing_to_read(session: Session, config: Config, rosters: Sequence[Path]) -> int:
    """Say that there is no roster, and where one was looked for; the last results stay as they are."""
    session.say(
        "empty_inbox",
        paths=" ".join(str(path.absolute()) for path in rosters or map(config.path, config.roster)),
    )
    session.repeat("next_rosters")
    return 0


def _config_for_check(session: Session) -> tuple[Config, str | None]:
    """Return the configuration, and why it cannot speak for a tenant if it cannot."""
    config = session.config_if_any()
    if config is None:
        return session.load(None), session.word("no_config_short")
    if config.api.placeholders:
        missing = missing_ids(config, session.config_name)
        return config, session.word("placeholders", file=session.config_name, keys=missing)
    return config, None


def ready_config(session: Session) -> Config:
    """Return a configuration that says who acts; UsageError else."""
    config = session.config()
    run_environment.require_ready(config, session.config_name)
    return config


def ask_of(
    command: str,
    session: Session,
    config: Config,
    *,
    rosters: Sequence[Path] = (),
    seals: Path | None = None,
    out: Path | None = None,
    limit: int | None = None,
    run: str | None = None,
) -> RunRequest:
    """Resolve what is asked: named paths must exist, the defaults may be absent."""
    return run_environment.ask_of(
        command,
        config,
        session.clock,
        rosters=rosters,
        seals=seals,
        out=out,
        limit=limit,
        invocation=session.invocation,
        run=run,
    )
