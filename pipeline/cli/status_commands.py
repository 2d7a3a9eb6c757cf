"""`status` and `report`: what the ledger knows, without a call and without the lock."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Session
from pipeline.cli.explain_command import program_of
from pipeline.cli.remaining_work import print_next_steps, tell_halt
from pipeline.cli.resolve_commands import tell_unanswered
from pipeline.cli.run_commands import RUNS_SEARCHED, ready_config
from pipeline.clock import shown, stamp
from pipeline.domain.masking import mask_path
from pipeline.errors import EsignImportError, UsageError
from pipeline.messages.catalogue import phrase
from pipeline.messages.localized import Joined
from pipeline.planning.run_history import read_rosters
from pipeline.workflow.run_environment import open_for_config

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.domain.seals import PersonHistory
    from pipeline.ledger.protocol import RunRecord
    from pipeline.ledger.sqlite_ledger import SqliteLedger

RUNS_NAMED = 5
EXITS: Mapping[int, str] = {  # that a run can end with, and what each means
    0: "exit.0",
    1: "exit.1",
    2: "exit.2",
    3: "exit.3",
    4: "exit.4",
    5: "exit.5",
    6: "exit.6",
    7: "exit.7",
    74: "exit.74",
    130: "exit.130",
    143: "exit.143",
}


@click.command()
@click.pass_obj
def status(session: Session) -> int:
    """Tell what the ledger knows: seals, unknown rows, last run."""
    from pipeline.ledger.lock import held  # noqa: PLC0415
    from pipeline.workflow.early_end import find_last_record, later_of  # noqa: PLC0415
    from pipeline.workflow.stage_settings import tenant_of  # noqa: PLC0415

    config = ready_config(session)
    path, out = config.path(config.ledger), config.path(config.out)
    recorded = find_last_record(out, tenant_of(config))
    if not path.exists():
        return _tell_without_ledger(session, config, recorded)
    try:
        with open_for_config(config, session.clock, readonly=True) as (ledger, site_key):
            people = ledger.snapshot().people.values()
            last = ledger.last_run()
            tell_unanswered(session, ledger)
    except EsignImportError:
        if recorded is not None:
            _tell_last(session, recorded, under_way=False)
            tell_halt(session, recorded)
        raise
    session.tell("status_ledger", path=path, tenant=site_key.tenant)
    under_way = last is not None and last.finished is None and held(path)
    last = last if under_way else later_of(last, recorded)
    unsettled = [past for past in people if past.unresolved_attempt]
    flying: list[PersonHistory] = []
    if under_way and last is not None:
        flying = [
            past for past in unsettled if past.unresolved_attempt and past.unresolved_attempt.run == last.run
        ]
        unsettled = [past for past in unsettled if past not in flying]
        if flying:
            session.tell("status_in_flight", n=len(flying))
    counts = {
        "sealed": sum(past.seal is not None for past in people),
        "unknown": len(unsettled),
        "refused": sum(bool(past.refusals) and past.seal is None for past in people),
    }
    session.tell("status_people", **counts)
    for past in unsettled:
        assert past.unresolved_attempt is not None
        attempt = past.unresolved_attempt
        session.tell(
            "status_unknown",
            name=attempt.content.name,
            seal_name=past.seal_name,
            at=shown(stamp(attempt.signed_at)),
            trace=attempt.uuid,
        )
    if last is not None:
        _tell_last(session, last, under_way=under_way)
    session.put_json(
        ledger=str(path),
        tenant=site_key.tenant,
        people={**counts, "in_flight": len(flying)},
        unknown=list(map(_open_create, unsettled)),
        last_run=_describe_run(last, under_way=under_way) if last is not None else None,
    )
    left = len(unsettled)
    print_next_steps(session, config, program_of(session, config), last, left, under_way=under_way)
    return 0


def _open_create(past: PersonHistory) -> dict[str, object]:
    """Return what `status --json` gives of a create without a verdict."""
    assert past.unresolved_attempt is not None
    return {
        "name": past.unresolved_attempt.content.name,
        "seal_name": past.seal_name,
        "sent": stamp(past.unresolved_attempt.signed_at),
        "trace_id": past.unresolved_attempt.uuid,
    }


def _describe_run(last: RunRecord, *, under_way: bool) -> dict[str, object]:
    """Return what `status --json` gives of a run; ``exit`` is null while it is under way, and where it was killed."""
    return {
        "run": last.run,
        "command": last.command,
        "started": stamp(last.started),
        "finished": stamp(last.finished) if last.finished is not None else None,
        "exit": last.exit,
        "under_way": under_way,
        "halted": json.loads(last.record).get("halted") if last.record else None,
        "out": mask_path(Path(last.out)),
    }


def _tell_without_ledger(session: Session, config: Config, recorded: RunRecord | None) -> int:
    """Say that there is no ledger, and of a run that ended before it had one; return the exit code."""
    from pipeline.reports.earlier_results import find_earlier_run  # noqa: PLC0415
    from pipeline.workflow.stage_settings import tenant_of  # noqa: PLC0415

    sent = find_earlier_run(config.path(config.out), tenant_of(config))
    last = _describe_run(recorded, under_way=False) if recorded is not None else None
    session.put_json(ledger=None, lost=bool(sent), last_run=last)
    if not sent and recorded is None:
        session.tell("status_none")
        session.proceed("next_check", "check")
        return 0
    if recorded is not None:
        _tell_last(session, recorded, under_way=False)
    if sent:
        session.alarm("status_lost", path=sent)
        session.proceed("next_rebuild", "ledger", "rebuild")
        return 74
    session.tell("status_no_ledger")
    print_next_steps(session, config, program_of(session, config), recorded, 0, under_way=False)
    return 0


def _tell_last(session: Session, last: RunRecord, *, under_way: bool) -> None:
    """Say which run was the last, and how it ended if it has."""
    if last.finished is None or last.exit is None:
        key = "status_running" if under_way else "status_cut"
        session.tell(key, run=last.run, command=last.command, started=shown(stamp(last.started)))
        return
    why = session.word(EXITS[last.exit]) if last.exit in EXITS else "—"
    finished = shown(stamp(last.finished))
    session.tell("status_run", run=last.run, command=last.command, exit=last.exit, why=why, finished=finished)


def _last_with_rows(ledger: SqliteLedger) -> RunRecord | None:
    """Return the last run that read rosters: one that ended before has no results to rebuild."""
    return next(filter(read_rosters, ledger.runs(RUNS_SEARCHED)), None)


def _runs(ledger: SqliteLedger) -> Joined:
    """Return the ids of the last runs."""
    return Joined([each.run for each in ledger.runs(RUNS_NAMED)], phrase("mark.comma"))


@click.command()
@click.option("--run", "run_id", metavar="ID", help="The run to tell again (default: the last).")
@click.pass_obj
def report(session: Session, *, run_id: str | None) -> int:
    """Rebuild a run's results from the ledger and its rosters."""
    from pipeline.cli.run_output import write_and_print_results  # noqa: PLC0415
    from pipeline.config.passwords import passwords  # noqa: PLC0415
    from pipeline.workflow.rebuild import rebuild_report  # noqa: PLC0415

    config = ready_config(session)
    clock = session.clock
    with open_for_config(config, clock, readonly=True) as (ledger, site_key):
        record = ledger.run(run_id) if run_id else _last_with_rows(ledger)
        if record is None:
            raise (
                UsageError("no_run", run=run_id, known=_runs(ledger), then=("status",))
                if run_id
                else UsageError("no_run_yet", then=("run",))
            )
        if not record.rosters:  # made again from receipts, which hold neither paths nor rows
            raise UsageError("run_made_again", run=record.run, out=record.out, then=("status",))
        night = rebuild_report(
            record,
            config,
            ledger=ledger,
            site_key=site_key,
            clock=clock,
            out=Path(record.out),
            passwords=passwords(config, os.environ),
        )
    write_and_print_results(session, config, replace(night, invocation=session.invocation), latest=None)
    return 0
