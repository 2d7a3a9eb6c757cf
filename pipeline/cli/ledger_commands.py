"""`ledger` and `adopt`: back the ledger up, restore, rebuild, check, recover and load it; enter seals made elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Session
from pipeline.cli.help import CommandGroup
from pipeline.cli.terminal import Tone
from pipeline.errors import LedgerError, UsageError
from pipeline.support.terminal_text import quote

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.ledger.maintenance import RestoredLedger

MAX_TROUBLES_SHOWN = 10
FILE = click.Path(path_type=Path)


@click.group("ledger", cls=CommandGroup)
def ledger_group() -> None:
    """Back up, restore, rebuild, check, recover or load the ledger."""


@ledger_group.command()
@click.argument("file", type=FILE)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="FILE is a folder: keep the newest N copies in it.",
)
@click.pass_obj
def backup(session: Session, *, file: Path, keep: int | None) -> int:
    """Copy ledger, key and receipts into one new FILE (0600).

    It may be done during a run.

    Of a folder FILE is a new file in it, named by the time.
    """
    from pipeline.ledger.maintenance import back_up_ledger
    from pipeline.operations.backup import back_up_into
    from pipeline.workflow.tenant_ledger import require_ledger

    config, path = _locate_file(session, "backup")
    is_folder = file.is_dir()
    if keep and file.is_file():
        raise UsageError("ledger_keep_needs_folder", path=file)
    folder = file if keep else file.parent
    if not folder.is_dir():
        raise UsageError("ledger.no_folder", folder=folder)
    require_ledger(config)
    if is_folder:
        file = back_up_into(file, path, session.clock.now(), keep)
    else:
        back_up_ledger(path, file)
    session.print_json(file=str(file))
    session.inform("ledger_backed_up", path=file)
    session.suggest_command("next_run", "ledger", "check")
    return 0


@ledger_group.command()
@click.argument("file", type=FILE)
@click.pass_obj
def restore(session: Session, *, file: Path) -> int:
    """Restore a lost or damaged ledger from the backup FILE."""
    from pipeline.config.named_paths import require_existing
    from pipeline.ledger import maintenance

    config, path = _locate_file(session, "restore")
    require_existing(file)
    with _lock_ledger(session, config, path):
        _report_restored(session, maintenance.restore_ledger(path, file, config.tenant))
    return 0


@ledger_group.command()
@click.pass_obj
def rebuild(session: Session) -> int:
    """Rebuild a lost, damaged or older ledger from its receipts.

    It needs receipts.jsonl and the key.
    """
    from pipeline.ledger import maintenance
    from pipeline.workflow.tenant_ledger import require_rebuildable

    config, path = _locate_file(session, "rebuild")
    require_rebuildable(config)
    with _lock_ledger(session, config, path):
        _report_restored(session, maintenance.rebuild_ledger(path, config.tenant))
    return 0


@ledger_group.command()
@click.pass_obj
def check(session: Session) -> int:
    """Compare ledger, key and receipts; exit 74 if they do not agree."""
    from pipeline.workflow.hosts_factory import make_store
    from pipeline.workflow.tenant_ledger import make_registry, require_ledger

    config = session.require_ready_config()
    require_ledger(config)
    store = make_store(config)
    health = store.check()
    kinds = {defect.kind for defect in health.defects}
    conflict = store.get_conflict(make_registry(config)) if not kinds else None
    path = receipts = config.name_ledger()
    if not config.is_ledger_on_server:
        receipts = str(config.resolve_ledger_file().with_name("receipts.jsonl"))
    session.print_json(
        ledger=path,
        defects=[{"kind": defect.kind, "what": str(defect.what)} for defect in health.defects],
        conflict=conflict.render(session.spoken) if conflict is not None else None,
        receipts=health.receipts,
        **health.counts._asdict(),
    )
    for defect in health.defects[:MAX_TROUBLES_SHOWN]:
        session.alert(f"ledger_trouble_{defect.kind}", what=defect.what, path=path, receipts=receipts)
    if len(health.defects) > MAX_TROUBLES_SHOWN:
        session.alert("ledger_troubles_more", n=len(health.defects) - MAX_TROUBLES_SHOWN)
    if kinds and config.is_ledger_on_server:
        session.alert("server.ways_back")
        session.suggest_command("next_after", "ledger", "check")
    elif kinds & {"ledger", "behind", "line"}:
        session.alert("ledger_ways_back")
        session.suggest_command("next_rebuild", "ledger", "rebuild")
    elif "differs" in kinds:
        session.alert("ledger_two_stories")
        session.suggest_command("next_help", "ledger", "restore", "--help")
    elif kinds:
        session.alert("ledger_receipts_again", receipts=receipts)
        session.suggest_command("next_after", "run")
    if kinds:
        return 74
    if conflict is not None:
        raise conflict
    session.inform("ledger_sound", Tone.DONE, path=path, receipts=health.receipts, **health.counts._asdict())
    # one on a server may be a restored copy, and has its runs from the workers: `check` sends nothing
    session.suggest_command("next_run", "check" if config.is_ledger_on_server else "run")
    return 0


@ledger_group.command()
@click.argument("file", type=FILE)
@click.pass_obj
def load(session: Session, *, file: Path) -> int:
    """Load the ledger of a FILE into the configured PostgreSQL server.

    The server may hold no ledger of this organisation yet.

    Everything is copied and compared before the file is taken out of use. After an interruption, type it again.
    """
    from pipeline.config.named_paths import no_such_path
    from pipeline.ledger.disk import loaded_path
    from pipeline.operations.notify import follow_ledger
    from pipeline.workflow.tenant_ledger import load_ledger

    config = session.require_ready_config()
    if not file.exists() and not loaded_path(file).exists():
        raise no_such_path(file)
    loaded = load_ledger(config, file.absolute(), session.clock, warnings=session)
    follow_ledger(file, config)
    counts = loaded.counts._asdict()
    session.inform("load.done", source=file, target=config.name_ledger(), **counts)
    if loaded.rows is not None:
        session.inform("load.compared", n=loaded.rows)
    session.inform("load.file", file=loaded.file)
    session.print_json(ledger=config.name_ledger(), file=str(loaded.file), rows=loaded.rows, **counts)
    session.suggest_command("next_run", "ledger", "check")
    return 0


@ledger_group.command()
@click.option("--yes", is_flag=True, help="Enter it; without this option it is only shown.")
@click.pass_obj
def recover(session: Session, *, yes: bool) -> int:
    """Enter what a restored or failed-over ledger has lost.

    It compares the ledger with the registries, the results and the logs. The creates that these name are held as unknown, once
    for all hosts, and answers that a log keeps with a proof are entered. Without --yes nothing is changed.
    """
    from pipeline.resolution.lost_commits import LedgerRecovery

    config = session.require_ready_config()
    recovery = LedgerRecovery(config, session.clock, session)
    sealed = 0
    if yes:
        end = recovery.enter()
        plan, sealed = end.plan, end.sealed
    else:
        plan = recovery.examine()
    lost, held = plan.lost, len(plan.named) + len(plan.suspected)
    session.print_json(
        ledger=config.name_ledger(),
        missing_receipts=lost.receipts,
        missing_creates=lost.counted_creates,
        new_ledger=plan.is_new,
        runs=list(lost.runs),
        named=len(plan.named),
        suspected=len(plan.suspected),
        unbound=plan.unbound,
        entered=yes and not lost.is_nothing,
        sealed=sealed,
    )
    if lost.is_nothing:
        session.inform("recover.never" if plan.is_new else "recover.complete", path=config.name_ledger())
        return 0
    if plan.is_new:
        session.alert("recover.new", path=config.name_ledger())
    else:
        session.inform("recover.lost", path=config.name_ledger(), n=lost.receipts)
    for run, file in lost.runs.items():
        creates = sum(create.run == run for create in lost.creates)
        session.inform("recover.run", run=run, file=file, n=creates)
    session.inform("recover.named", n=len(plan.named))
    if plan.suspected:
        session.alert("recover.suspected", n=len(plan.suspected))
    if plan.unbound:
        session.alert("recover.unbound", n=plan.unbound)
    if not yes:
        session.suggest_command("recover.next_enter", "ledger", "recover", "--yes")
        return 3
    session.inform("recover.entered", n=held, sealed=sealed)
    if held > sealed:
        session.suggest_command("recover.next_resolve", "resolve")
        return 3
    session.suggest_command("next_run", "run")
    return 0


def _locate_file(session: Session, command: str) -> tuple[Config, Path]:
    """Return the configuration and the file of its ledger; UsageError where the ledger is on a server."""
    from pipeline.domain.server_address import ServerAddress, name_schema

    config = session.require_ready_config()
    if isinstance(config.ledger, ServerAddress):
        url, schema = quote(config.ledger.url_without_password), name_schema(config.tenant)
        then = ("status",) if command == "backup" else ("ledger", "check")
        raise UsageError(f"server.no_{command}", url=url, schema=schema, then=then)
    return config, config.resolve_ledger_file()


@contextmanager
def _lock_ledger(session: Session, config: Config, path: Path) -> Iterator[None]:
    """Hold the run lock; the ledger that was made under it is entered in the registry of ledgers."""
    from pipeline.ledger.registry import read_identity
    from pipeline.workflow.tenant_ledger import lock_tenant, make_registry

    with lock_tenant(config, run="ledger", clock=session.clock, warnings=session):
        yield
        registry, identity = make_registry(config), read_identity(path)
        try:
            registry.enter(str(path.resolve()), identity).close()
        except LedgerError as error:
            session.print_warning(error)
        # it may be behind what the registry saw
        if (conflict := registry.get_conflict(path, identity)) is not None:
            session.print_warning(conflict)


def _report_restored(session: Session, restored: RestoredLedger) -> None:
    session.print_json(
        set_aside=str(restored.set_aside) if restored.set_aside is not None else None,
        damaged_receipts=str(restored.damaged_receipts) if restored.damaged_receipts is not None else None,
        **restored.counts._asdict(),
    )
    if restored.set_aside is not None:
        session.inform("ledger_aside", path=restored.set_aside)
    if restored.damaged_receipts is not None:
        session.inform("ledger_receipts_rewritten", path=restored.damaged_receipts)
    if restored.newer_receipts:
        session.inform("ledger_newer")
    session.inform("ledger_restored", **restored.counts._asdict())
    session.suggest_command("next_check", "check")


@click.command()
@click.argument("file", type=FILE)
@click.option("--why", metavar="TEXT", help="Kept with every seal.")
@click.pass_obj
def adopt(session: Session, *, file: Path, why: str | None) -> int:
    """Import existing seals, from a sheet or an outcomes.jsonl.

    The sheet has a number and a SealId in each row; outcomes.jsonl is that of an earlier run.

    They are unchanged from then on. Also the way to begin a new ledger after the old one was lost.
    """
    from pipeline.config.named_paths import require_existing
    from pipeline.ledger.lock import read_user_name
    from pipeline.resolution.adopt import adopt_seals

    config = session.require_ready_config()
    if not require_existing(file).is_file():
        raise UsageError("not_a_file", path=file)
    adoptable = adopt_seals(
        config,
        session.clock,
        file,
        who=read_user_name(),
        why=why or f"adopt {file.name}",
        invocation=session.invocation,
        warnings=session,
    )
    refused = [
        {
            "place": address.as_message().render(session.spoken),
            "why": reason.render(session.spoken),
        }
        for address, reason in adoptable.refused.items()
    ]
    session.print_json(adopted=len(adoptable.seals), known=adoptable.known, refused=refused)
    for address, reason in adoptable.refused.items():
        session.alert("adopt_left", place=address.as_message(), why=reason)
    session.inform("adopted", n=len(adoptable.seals), others=adoptable.describe_others())
    if adoptable.refused:
        session.suggest_command("next_after", "adopt", str(file))
        return 3
    session.suggest_command("next_check", "check")
    return 0
