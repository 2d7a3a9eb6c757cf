"""`ledger`: look after the ledger — a backup in one file, the ways back, a check-up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.command_group import CommandGroup
from pipeline.cli.context import Session
from pipeline.cli.run_commands import ready_config
from pipeline.clock import run_id
from pipeline.config.named_paths import no_such_path
from pipeline.workflow.run_environment import lock_tenant, registry_of, require_ledger

if TYPE_CHECKING:
    from pipeline.ledger.maintenance import Restored

SHOWN = 10  # troubles on the screen
FILE = click.Path(path_type=Path)


@click.group("ledger", cls=CommandGroup)
def ledger_group() -> None:
    """Look after the ledger: backup, restore, rebuild, check."""


@ledger_group.command()
@click.argument("file", type=FILE)
@click.pass_obj
def backup(session: Session, *, file: Path) -> int:
    """Copy ledger, key and receipts into one new FILE (0600); may be done during a run.

    Of a folder FILE is a new file in it, named by the time.
    """
    from pipeline.ledger import maintenance  # noqa: PLC0415

    if file.is_dir():
        file /= f"ledger-{run_id(session.clock.now())}.backup"
    elif not file.parent.is_dir():
        raise no_such_path(file.parent)

    require_ledger(ready_config(session))
    path, _ = _place(session)
    maintenance.backup(path, file)
    session.say("ledger_backed_up", path=file)
    session.proceed("next_run", "ledger", "check")
    return 0


@ledger_group.command()
@click.argument("file", type=FILE)
@click.pass_obj
def restore(session: Session, *, file: Path) -> int:
    """Put the backup FILE in the place of a ledger that is lost or damaged."""
    from pipeline.ledger import maintenance  # noqa: PLC0415

    if not file.exists():
        raise no_such_path(file)
    with _locked(session) as (path, tenant):
        _tell(session, maintenance.restore(path, file, tenant))
    return 0


@ledger_group.command()
@click.pass_obj
def rebuild(session: Session) -> int:
    """Make a lost, damaged or older ledger again from receipts.jsonl and the key."""
    from pipeline.ledger import maintenance  # noqa: PLC0415

    with _locked(session) as (path, tenant):
        _tell(session, maintenance.rebuild(path, tenant))
    return 0


@ledger_group.command()
@click.pass_obj
def check(session: Session) -> int:
    """Compare ledger, key and receipts; exit 74 where something is wrong."""
    from pipeline.ledger import maintenance  # noqa: PLC0415
    from pipeline.ledger.ownership import find_conflict  # noqa: PLC0415

    require_ledger(ready_config(session))
    path, tenant = _place(session)
    found = maintenance.check(path, tenant)
    kinds = {trouble.kind for trouble in found.troubles}
    receipts = path.with_name("receipts.jsonl")
    for trouble in found.troubles[:SHOWN]:
        session.alarm(f"ledger_trouble_{trouble.kind}", what=trouble.what, path=path, receipts=receipts)
    if len(found.troubles) > SHOWN:
        session.alarm("ledger_troubles_more", n=len(found.troubles) - SHOWN)
    if kinds & {"ledger", "behind", "line"}:
        session.alarm("ledger_ways_back")
        session.proceed("next_rebuild", "ledger", "rebuild")
    elif "differs" in kinds:
        session.alarm("ledger_two_stories")
        session.proceed("next_help", "ledger", "restore", "--help")
    elif kinds:
        session.alarm("ledger_receipts_again", receipts=receipts)
        session.proceed("next_after", "run")
    if kinds:
        return 74
    if (conflict := find_conflict(registry_of(session.config()), path)) is not None:
        raise conflict
    session.say(
        "ledger_sound",
        path=path,
        receipts=found.receipts,
        people=found.people,
        seals=found.seals,
        unsettled=found.unsettled,
    )
    session.proceed("next_run", "run")
    return 0


def _place(session: Session) -> tuple[Path, str]:
    from pipeline.workflow.stage_settings import tenant_of  # noqa: PLC0415

    config = ready_config(session)
    return config.path(config.ledger), tenant_of(config)


@contextmanager
def _locked(session: Session) -> Iterator[tuple[Path, str]]:
    """Hold the run lock; what was made under it is entered in the registry of ledgers."""
    from pipeline.ledger.ownership import find_conflict, register_ledger  # noqa: PLC0415

    path, tenant = _place(session)
    with lock_tenant(session.config(), run="ledger", clock=session.clock, warn=session.warn) as (_, registry):
        yield path, tenant
        counter = register_ledger(registry, path, warn=session.warn)
        if counter is not None:
            counter.close()
        if (conflict := find_conflict(registry, path)) is not None:  # it is behind what the registry saw
            session.warn(conflict)


def _tell(session: Session, restored: Restored) -> None:
    if restored.aside is not None:
        session.say("ledger_aside", path=restored.aside)
    if restored.damaged_receipts is not None:
        session.say("ledger_receipts_rewritten", path=restored.damaged_receipts)
    if restored.newer_receipts:
        session.say("ledger_newer")
    session.say("ledger_restored", people=restored.people, seals=restored.seals, unsettled=restored.unsettled)
    session.proceed("next_check", "check")
