"""`export` and `purge`: the seals, listed for other programs and people; one doctor's data, removed."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from pipeline.cli.context import Session
from pipeline.cli.hospitals import for_each_hospital
from pipeline.config.environment import restore_argument
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.ledger.ledger import Ledger
    from pipeline.operations.purge import PurgePlan
    from pipeline.resolution.timeline import PersonTimeline

MAX_LISTED = 20
Format = Literal["xlsx", "csv", "json"]


@click.command()
@click.option("--xlsx", "form", flag_value="xlsx", help="Write a workbook (default).")
@click.option("--csv", "form", flag_value="csv", help="Write CSV, to stdout without --out.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File to write; its ending chooses the format.",
)
@click.option(
    "--run",
    "run_id",
    metavar="ID",
    help="Only seals that this run made, and how to have them disabled.",
)
@click.option("--leavers", is_flag=True, help="Only seals of doctors who are no longer in the rosters.")
@click.pass_obj
@for_each_hospital("out", "run_id")
def export(
    session: Session, *, form: Format | None, out: Path | None, run_id: str | None, leavers: bool
) -> int:
    """List every seal: doctor, staff number, seal name, SealId, date."""
    from pipeline.operations.export import (
        collect_seals,
        count_abandoned,
        list_seal_notes,
        name_seal_workbook,
    )
    from pipeline.reports.presenter import Presenter
    from pipeline.reports.seal_list import write_seal_csv, write_seal_workbook
    from pipeline.support.atomic_files import write_json

    config = session.require_ready_config()
    chosen = _choose_format(session, form, out)
    if chosen == "csv" and session.is_one_of_several:
        raise UsageError("hospitals.one_option", option="--csv")
    seals = collect_seals(config, session.clock, run=run_id, leavers=leavers, warnings=session)
    presenter = Presenter(session.language)
    path: Path | None
    abandoned = count_abandoned(seals)
    if chosen == "xlsx":
        name = name_seal_workbook(session.clock, run=run_id, leavers=leavers)
        notes = list_seal_notes(seals, presenter, run=run_id, leavers=leavers)
        path = write_seal_workbook(out or config.resolve_path(config.out) / name, seals, presenter, notes)
    elif chosen == "csv":
        text = io.StringIO()
        write_seal_csv(out or text, seals, presenter)
        session.print_data(text.getvalue(), nl=False)
        path = out
    elif out is None:
        session.print_json(seals=[seal.to_dict() for seal in seals])
        path = None
    else:
        path = write_json(out, {"schema": 1, "seals": [seal.to_dict() for seal in seals]})
        session.print_json(file=str(path), seals=len(seals))
    session.inform("export.done", n=len(seals))
    if abandoned:
        session.inform("seals.abandoned_too", n=abandoned)
    if path is not None:
        session.inform("export.file", path=path)
        _share_file(session, config, path)
    return 0


def _share_file(session: Session, config: Config, path: Path) -> None:
    """Let the group of results read a file that lies in the folder of results."""
    from pipeline.operations.shared_results import share

    if path.absolute().is_relative_to(config.resolve_path(config.out).absolute()):
        try:
            share([path], config)
        except UsageError as error:
            session.print_warning(error)


def _choose_format(session: Session, form: Format | None, out: Path | None) -> Format:
    """Return the format that was asked for, by an option or the ending of the file; UsageError where both differ."""
    wanted: Format | None = "json" if session.as_json else form
    if out is None:
        return wanted or "xlsx"
    ending = out.suffix.lower().removeprefix(".")
    if ending not in {"xlsx", "csv", "json"} or (wanted is not None and ending != wanted):
        raise UsageError("export.ending", path=out, known=".xlsx, .csv, .json")
    return ending  # type: ignore[return-value]


@click.command()
@click.option("--person", metavar="QUERY", required=True, help="The doctor; QUERY as in explain.")
@click.option("--yes", is_flag=True, help="Do not ask before removing.")
@click.pass_obj
def purge(session: Session, *, person: str, yes: bool) -> int:
    """Remove one doctor's data.

    Key, SealId and dates stay: they prevent a second seal.
    """
    from pipeline.workflow.tenant_ledger import lock_ledger, require_ledger

    config = session.require_ready_config()
    require_ledger(config)
    with lock_ledger(config, "purge", session.clock, warnings=session) as (ledger, _):
        return _purge_person(session, config, ledger, restore_argument(person), yes=yes)


def _confirm(session: Session, *, yes: bool) -> bool:
    """Ask whether to remove; UsageError without a terminal."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("purge.ask")
    if session.confirm("purge.confirm"):
        return True
    session.print_json(declined=True)
    session.inform("purge.declined")
    return False


def _purge_person(session: Session, config: Config, ledger: Ledger, query: str, *, yes: bool) -> int:
    from pipeline.ledger.lock import read_user_name
    from pipeline.operations.purge import strip_results
    from pipeline.operations.retention import remove_prepared_pictures

    matched = _choose_person(session, config, ledger, query)
    if matched is None:
        return 2
    timeline, plan = matched
    _print_plan(session, timeline, plan)
    if not _confirm(session, yes=yes):
        return 0
    now = session.clock.now()
    # the ledger comes last: until then the query still finds the person
    strip_results(plan.folders, plan.traces)
    remove_prepared_pictures(config)
    ledger.purge_person(plan.traces, now=now, who=read_user_name())
    session.print_json(
        key=timeline.key, seal_ids=plan.seal_ids, folders=[folder.name for folder in plan.folders]
    )
    session.inform("purge.done")
    session.suggest_command("next_run", "ledger", "check")
    return 0


def _choose_person(
    session: Session, config: Config, ledger: Ledger, query: str
) -> tuple[PersonTimeline, PurgePlan] | None:
    """Return the one doctor whom a query means, and what is removed; None, with a list, where it means none or several."""
    from pipeline.cli.status_commands import list_matches, report_no_match
    from pipeline.operations.purge import plan_purge
    from pipeline.resolution.person_query import PersonFinder

    finder = PersonFinder(ledger, ledger.site_key, None, ledger.list_same_persons())
    words = query.split()
    timelines = finder.list_timelines([query]) or finder.list_timelines(words)
    if not timelines:
        report_no_match(session, finder.suggest_words(words), words, config)
        return None
    if len(timelines) > 1:
        list_matches(session, timelines, words, command=("purge", "--person"))
        return None
    (timeline,) = timelines
    return timeline, plan_purge(
        config,
        ledger,
        key=timeline.key,
        row_ids=frozenset(row.row_id for row in timeline.rows if row.row_id),
        names=(timeline.name, *timeline.other_names),
        hospital_files=timeline.newest_row.list_files() if timeline.newest_row else (),
    )


def _print_plan(session: Session, timeline: PersonTimeline, plan: PurgePlan) -> None:
    """Print what is removed, what stays and why, and what the program does not touch."""
    from pipeline.domain.masking import mask_path

    name, last_four = timeline.name or "—", (timeline.id_masked or "—")[-4:]
    seals = session.render_sentence("separator.comma").join(plan.seal_ids) or "—"
    session.alert("purge.person", name=name, last_four=last_four, staff_no=timeline.staff_no or "—")
    session.alert("purge.removed", rows=plan.rows, creates=plan.creates, folders=len(plan.folders))
    for folder in plan.folders[:MAX_LISTED]:
        session.inform("purge.path", path=mask_path(folder))
    if len(plan.folders) > MAX_LISTED:
        session.inform("purge.more", n=len(plan.folders) - MAX_LISTED)
    session.alert("purge.stays", person=timeline.key or "—", seals=seals)
    for text, paths in (("purge.hospital", plan.hospital_files), ("purge.other", plan.other_files)):
        if paths:
            session.alert(text)
        for path in paths:
            session.alert("purge.path", path=mask_path(path))
