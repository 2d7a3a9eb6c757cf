"""`export` and `history`: what the ledger holds, for other programs and for a look back."""

from __future__ import annotations

import io
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import click

from pipeline.cli.context import Session
from pipeline.clock import shown
from pipeline.domain.run import Status
from pipeline.errors import UsageError

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
    "--run", "run_id", metavar="ID", help="Only seals that this run made, and how they are revoked."
)
@click.option("--leavers", is_flag=True, help="Only seals of doctors who are no longer in the rosters.")
@click.pass_obj
def export(
    session: Session, *, form: Format | None, out: Path | None, run_id: str | None, leavers: bool
) -> int:
    """List every live seal: doctor, staff number, seal name, SealId, date."""
    from pipeline.operations.export import collect_seals
    from pipeline.reports.presenter import Presenter
    from pipeline.reports.seal_list import write_seal_csv, write_seal_workbook
    from pipeline.support.atomic_files import write_json
    from pipeline.workflow.tenant_ledger import open_configured_ledger

    config = session.require_ready_config()
    chosen = _choose_format(session, form, out)
    with open_configured_ledger(config, session.clock, readonly=True) as (ledger, _):
        rosters = [config.resolve_path(path) for path in config.roster]
        seals = collect_seals(ledger, rosters, run=run_id, leavers=leavers)
    presenter = Presenter(session.language)
    path: Path | None
    notes = []
    if run_id is not None:
        notes = [presenter.render(f"seals.revoke.{step}", run=run_id) for step in (1, 2, 3)]
    elif leavers:
        notes = [presenter.render(f"seals.leavers.{step}") for step in (1, 2)]
    if chosen == "xlsx":
        kind = f"seals-of-{run_id}" if run_id else "leavers" if leavers else "seals"
        name = f"{kind}-{session.clock.today():%Y%m%d}.xlsx"
        path = write_seal_workbook(out or config.resolve_path(config.out) / name, seals, presenter, notes)
    elif chosen == "csv":
        text = io.StringIO()
        write_seal_csv(out or text, seals, presenter)
        session.print_data(text.getvalue(), nl=False)
        path = out
    elif out is None:
        session.print_json(seals=[asdict(seal) for seal in seals])
        path = None
    else:
        path = write_json(out, {"schema": 1, "seals": [asdict(seal) for seal in seals]})
    session.inform("export.done", n=len(seals))
    if path is not None:
        session.inform("export.file", path=path)
    return 0


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
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=30,
    metavar="N",
    help="At most N runs, the newest (default: 30).",
)
@click.pass_obj
def history(session: Session, *, limit: int) -> int:
    """List the runs, the newest first: time, rows by status, exit code, user."""
    from pipeline.operations.export import collect_runs
    from pipeline.reports.presenter import Presenter

    config = session.require_ready_config()
    runs = collect_runs(config, session.clock, limit)
    session.print_json(runs=runs)
    for run in runs:
        counts = [
            f"{Presenter(session.spoken).name_status(Status(status))} {rows}"
            for status, rows in run["statuses"].items()
        ]
        session.print_text(
            "history.line",
            run=run["run"],
            command=run["command"],
            started=shown(run["started"]),
            exit="—" if run["exit"] is None else run["exit"],
            files=run["files"],
            counts=session.render_sentence("mark.comma").join(counts) or "—",
            user=run["user"] or "—",
            accepted=session.render_sentence("history.accepted") if run["accepted_guards"] else "",
            halt=f" {run['halt']}" if run["halt"] else "",
        )
    if not runs:
        session.print_text("history.none")
    return 0
