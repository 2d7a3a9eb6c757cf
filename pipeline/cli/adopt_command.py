"""`adopt`: enter seals that were made elsewhere, so that nobody gets a second one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from pipeline.cli.context import Session
from pipeline.cli.run_commands import ask_of, ready_config
from pipeline.config.named_paths import no_such_path
from pipeline.errors import UsageError
from pipeline.workflow.run_environment import hold_for_adoption


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--why", metavar="TEXT", help="Kept with every seal.")
@click.pass_obj
def adopt(session: Session, *, file: Path, why: str | None) -> int:
    """Enter seals made elsewhere: a sheet with number and SealId, or an old results.xlsx.

    They are unchanged from then on. Also the way to begin a new ledger after the old one was lost.
    """
    from pipeline.intake.fields.validate import validate  # noqa: PLC0415
    from pipeline.intake.read_rosters import read_rosters  # noqa: PLC0415
    from pipeline.ledger.lock import user  # noqa: PLC0415
    from pipeline.planning.same_person import unite_persons  # noqa: PLC0415
    from pipeline.resolution import adopt as desk  # noqa: PLC0415
    from pipeline.workflow import stage_settings  # noqa: PLC0415

    config = ready_config(session)
    clock = session.clock
    if not file.is_file():
        raise UsageError("not_a_file", path=file) if file.exists() else no_such_path(file)
    ask = ask_of("adopt", session, config)
    with hold_for_adoption(config, clock, warn=session.warn) as (ledger, site_key):
        judge = partial(
            validate, defaults=stage_settings.defaults(config), today=clock.today(), identify=site_key
        )
        read = partial(read_rosters, columns=config.columns, manner=stage_settings.read_options(ask, config))
        snapshot, ended = ledger.snapshot(), ledger.ended_seals()
        unite = partial(unite_persons, snapshot=snapshot, person_key=site_key.person)
        if desk.is_results(file):
            doctors = unite(judge(read(ask.rosters)[0]))
            found = desk.of_results(
                file, doctors, snapshot, tenant=site_key.tenant, ended=ended, digest=site_key.digest
            )
        else:
            rows, files = read([file])
            doctors = unite(judge(rows))
            found = desk.of_sheet(rows, doctors, files, snapshot, ended=ended, digest=site_key.digest)
        if found.seals:
            ledger.adopt(found.seals, at=clock.now(), who=user(), why=why or f"adopt {file.name}")
    for place, reason in found.untold():
        session.alarm("adopt_left", place=place, why=reason)
    session.say("adopted", n=len(found.seals), known=found.known, left=len(found.left))
    if found.left:
        session.repeat("next_after")
    else:
        session.proceed("next_check", "check")
    return 3 if found.left else 0
