"""`ledger` and `adopt`: back the ledger up, restore, check and load it; enter seals made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Session
from pipeline.cli.help import CommandGroup
from pipeline.cli.hospitals import for_each_hospital
from pipeline.cli.terminal import Tone
from pipeline.errors import UsageError
from pipeline.support.terminal_text import quote

if TYPE_CHECKING:
    from pipeline.ledger.sqlite_ledger import LedgerFile

MAX_TROUBLES_SHOWN = 10
FILE = click.Path(path_type=Path)


@click.group("ledger", cls=CommandGroup)
def ledger_group() -> None:
    """Back up, restore, check or load the ledger."""


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
    """Copy ledger and key into one new FILE (0600).

    It may be done during a run.

    Of a folder FILE is a new file in it, named by the time.
    """
    from pipeline.ledger.maintenance import back_up_ledger
    from pipeline.operations.backup import back_up_into, require_own_folder
    from pipeline.workflow.tenant_ledger import repair_if_behind, require_ledger

    config = session.require_ready_config()
    location = _require_file(session, "backup")
    is_folder = file.is_dir()
    if keep and file.is_file():
        raise UsageError("ledger_keep_needs_folder", path=file)
    folder = file if keep or is_folder else file.parent
    if not folder.is_dir():
        raise UsageError("ledger.no_folder", folder=folder)
    require_own_folder(folder, config)
    repair_if_behind(location, session.clock, session)
    require_ledger(config)
    if is_folder:
        file = back_up_into(file, location, session.clock.now(), keep)
    else:
        back_up_ledger(location.path, location.places, file)
    session.print_json(file=str(file))
    session.inform("ledger_backed_up", path=file)
    session.suggest_command("next_run", "ledger", "check")
    return 0


@ledger_group.command()
@click.argument("file", type=FILE)
@click.pass_obj
def restore(session: Session, *, file: Path) -> int:
    """Put a damaged ledger's backup FILE in its place.

    It repairs damage and undoes nothing: the next run enters what the journals hold.
    """
    from pipeline.config.named_paths import require_existing
    from pipeline.ledger.maintenance import restore_ledger

    location = _require_file(session, "restore")
    require_existing(file)
    with location.hold.acquire(run="restore", now=session.clock.now()):
        former = restore_ledger(location.path, location.places, file)
    session.print_json(ledger=str(location.path), set_aside=str(former) if former is not None else None)
    if former is not None:
        session.inform("ledger_aside", path=former)
    session.inform("ledger_restored", path=location.path)
    session.suggest_command("next_check", "check")
    return 0


@ledger_group.command()
@click.pass_obj
@for_each_hospital()
def check(session: Session) -> int:
    """Prove the ledger and its journals; exit 74 if they disagree."""
    from pipeline.workflow.tenant_ledger import check_ledger

    config = session.require_ready_config()
    health = check_ledger(config, session.clock, warnings=session)
    path = config.name_ledger()
    session.print_json(
        ledger=path,
        defects=[{"kind": kind, "what": what} for kind, what in health.defects],
        events=health.events,
        **health.counts._asdict(),
    )
    for kind, what in health.defects[:MAX_TROUBLES_SHOWN]:
        session.alert(f"ledger_trouble_{kind}", what=what, path=path)
    if len(health.defects) > MAX_TROUBLES_SHOWN:
        session.alert("ledger_troubles_more", n=len(health.defects) - MAX_TROUBLES_SHOWN)
    if health.defects:
        session.suggest_command("next_after", "run")
        return 74
    session.inform("ledger_sound", Tone.DONE, path=path, events=health.events, **health.counts._asdict())
    # one on a server may be a restored copy, and has its runs from the workers: `check` sends nothing
    session.suggest_command("next_run", "check" if config.is_ledger_on_server else "run")
    return 0


@ledger_group.command()
@click.argument("file", type=FILE)
@click.pass_obj
def load(session: Session, *, file: Path) -> int:
    """Load the ledger of a FILE into the configured PostgreSQL server.

    The server may hold no ledger of this organisation yet.

    Everything is copied and counted before the file is taken out of use. After an interruption, type it again.
    """
    from pipeline.config.named_paths import no_such_path
    from pipeline.ledger.disk import loaded_path
    from pipeline.operations.notify import follow_ledger
    from pipeline.workflow.hosts_factory import load_ledger

    config = session.require_ready_config()
    if not file.exists() and not loaded_path(file).exists():
        raise no_such_path(file)
    loaded = load_ledger(config, file.absolute(), session.clock)
    follow_ledger(file, config)
    counts = loaded.counts._asdict()
    session.inform("load.done", source=file, target=config.name_ledger(), **counts)
    if loaded.rows is not None:
        session.inform("load.compared", n=loaded.rows)
    session.inform("load.file", file=loaded.file)
    session.print_json(ledger=config.name_ledger(), file=str(loaded.file), rows=loaded.rows, **counts)
    session.suggest_command("next_run", "ledger", "check")
    return 0


def _require_file(session: Session, command: str) -> LedgerFile:
    """Return where the ledger's file is; UsageError where the ledger is on a server."""
    from pipeline.domain.server_address import ServerAddress, name_schema
    from pipeline.ledger.sqlite_ledger import LedgerFile
    from pipeline.workflow.hosts_factory import make_location

    config = session.require_ready_config()
    if isinstance(config.ledger, ServerAddress):
        url, schema = quote(config.ledger.url_without_password), name_schema(config.tenant)
        then = ("status",) if command == "backup" else ("ledger", "check")
        raise UsageError(f"server.no_{command}", url=url, schema=schema, then=then)
    location = make_location(config)
    assert isinstance(location, LedgerFile)
    return location


@click.command()
@click.argument("file", type=FILE)
@click.option("--why", metavar="TEXT", help="Kept with every seal.")
@click.pass_obj
def adopt(session: Session, *, file: Path, why: str | None) -> int:
    """Import existing seals, from a sheet or an outcomes.jsonl.

    The sheet has a number and a SealId in each row; outcomes.jsonl is that of an earlier run.

    They are unchanged from then on.
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
