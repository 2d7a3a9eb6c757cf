"""`check`, `run` and `retry`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.context import Session, warn_of_pictures
from pipeline.cli.hospitals import for_each_hospital
from pipeline.domain.masking import mask_text
from pipeline.domain.message import Message
from pipeline.messages.catalogue import make_message
from pipeline.support.progress_file import enable_progress_file

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.domain.run import RunRequest

PATH = click.Path(path_type=Path)
seals_option = click.option("--seals", type=PATH, metavar="DIR|ZIP", help="Seal pictures: a folder or a zip.")
out_option = click.option("--out", type=PATH, metavar="DIR", help="Folder for the results.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask before sending.")


@click.command()
@click.argument("rosters", type=PATH, nargs=-1, metavar="[ROSTER]...")
@seals_option
@out_option
@click.pass_obj
@for_each_hospital("rosters", "seals", "out")
def check(session: Session, *, rosters: tuple[Path, ...], seals: Path | None, out: Path | None) -> int:
    """Read, pair, validate and plan; send nothing."""
    enable_progress_file(os.environ, steps=True)
    from pipeline.cli.run_display import print_results
    from pipeline.domain.run import Status
    from pipeline.operations.run_hooks import call_run_end_hooks
    from pipeline.reports.presenter import Presenter
    from pipeline.workflow import finish, import_run, run_request

    clock = session.clock
    config, reason_without_tenant = _read_config_for_check(session)
    has_tenant = reason_without_tenant is None
    run_request.refuse_results(rosters)
    request = run_request.build_request(
        "check", config, clock, rosters=rosters, seals=seals, out=out, invocation=session.invocation
    )
    if run_request.has_nothing_to_read(request, config, clock, has_tenant=has_tenant):
        _print_empty_record(session, config, request)
        _report_no_rosters(session, config, rosters)
        return 0
    if not has_tenant:
        session.inform("check_without_config", why=reason_without_tenant)
    warn_of_pictures(session, request)
    ended = import_run.run_check(request, config, clock, has_tenant=has_tenant, warnings=session)
    report = ended.report
    if report.preview is not None:
        session.print_changes(report.preview.changes)
        if report.preview.asks_for_earlier_seals:
            session.inform("earlier_seals")
    report, files = finish.finish_run(ended, config, Presenter.for_report(report, session.language))
    call_run_end_hooks(report, config, session.warn_of_hook)
    print_results(session, report, files)
    is_ready = any(outcome.status is Status.READY for outcome in report.outcomes)
    if is_ready and not has_tenant and not session.quiet:
        if session.read_config_if_any() is None:
            session.suggest_command("next_init", "init")
        else:
            session.suggest_command("next_config", "doctor", "--offline")
    return report.exit


def _print_empty_record(session: Session, config: Config, request: RunRequest) -> None:
    """Print, with ``--json``, the run.json of a check that has nothing to read; none is written."""
    from pipeline.reports.records import run_record
    from pipeline.workflow.run_report import end_report, start_report

    if session.as_json:
        now = session.clock.now()
        begun = start_report(config, run=request.run, command="check", started=now, out=request.out)
        session.print_record(run_record(end_report(begun, now)))


def _read_config_for_check(session: Session) -> tuple[Config, Message | None]:
    """Return the configuration, and why it names no tenant if it does not."""
    from pipeline.config.named_paths import list_missing_ids

    config = session.read_config_if_any()
    if config is None:
        return session.read_config(None), make_message("no_config_short")
    if config.api.placeholders:
        missing = list_missing_ids(config, session.config_name)
        return config, make_message("usage.placeholders", place=session.config_name, keys=missing)
    return config, None


def _report_no_rosters(session: Session, config: Config, rosters: Sequence[Path]) -> None:
    """Print where no roster was found, and what is there instead; the last results stay as they are."""
    from pipeline.cli.run_display import join_names
    from pipeline.intake.readers.discover import list_lock_files, list_other_files

    paths = [path.absolute() for path in rosters or map(config.resolve_path, config.roster)]
    if not rosters and not any(path.exists() for path in paths) and session.read_config_if_any() is None:
        session.inform("nothing_here", folder=Path.cwd())
        session.suggest_command("next_init", "init")
        return
    key = "empty_inbox" if any(path.exists() for path in paths) else "missing_inbox"
    session.inform(key, paths=" ".join(map(str, paths)))
    if others := list_other_files(paths):
        names = join_names(session, [mask_text(file.name) for file in others])
        session.inform("no_rosters_there", seals=config.resolve_path(config.seals), **names)
    if locks := list_lock_files(paths):
        session.inform("only_lock_files", **join_names(session, [mask_text(file.name) for file in locks]))
    session.suggest_command("next_rosters", "check")


@click.command()
@click.argument("rosters", type=PATH, nargs=-1, metavar="[ROSTER]...")
@seals_option
@out_option
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Create at most N seals.")
@click.option(
    "--only",
    metavar="PERSON",
    multiple=True,
    help="Create the seal of this name or staff number; repeatable. With --checked also plan.jsonl:LINE.",
)
@click.option(
    "--checked",
    metavar="RUN",
    help="Send only what this check showed; where the plan differs now, send nothing.",
)
@yes_option
@click.option("--accept-guards", is_flag=True, help="Run even if a safety check would stop it.")
@click.pass_obj
@for_each_hospital("rosters", "seals", "out", "checked", "accept_guards")
def run(session: Session, /, *, out: Path | None, yes: bool, **options: Any) -> int:
    """Create the seals that are missing; safe to repeat."""
    enable_progress_file(os.environ)
    from pipeline.cli.run_session import run_command
    from pipeline.workflow import run_request
    from pipeline.workflow.session import RequestedRun

    config, rosters = session.require_config(), options["rosters"]

    def make_request(run: str) -> RunRequest:
        return run_request.build_request(
            "run", config, session.clock, out=out, invocation=session.invocation, run=run, **options
        )

    ended = run_command(session, config, RequestedRun("run", make_request, rosters, out), yes=yes)
    if ended.had_nothing_to_read:
        _report_no_rosters(session, config, rosters)
    return ended.report.exit


@click.command()
@click.argument("rosters", type=PATH, nargs=-1, metavar="[ROSTER]...")
@seals_option
@out_option
@yes_option
@click.pass_obj
def retry(
    session: Session, *, rosters: tuple[Path, ...], seals: Path | None, out: Path | None, yes: bool
) -> int:
    """Send failed, rejected and unsent rows again.

    Those of the last run over these rosters, read anew: corrected rows as well. Rosters and pictures that were named for the
    run are named again.
    """
    from pipeline.cli.run_session import run_command
    from pipeline.workflow import run_request
    from pipeline.workflow.session import RequestedRun

    config = session.require_config()

    def make_request(run: str) -> RunRequest:
        return run_request.build_retry(
            config,
            session.clock,
            rosters=rosters,
            seals=seals,
            out=out,
            invocation=session.invocation,
            run=run,
        )

    return run_command(
        session, config, RequestedRun("retry", make_request, rosters, out), yes=yes
    ).report.exit
