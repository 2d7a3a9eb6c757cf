"""Examines the ledger for `doctor`: in a file of this machine, or on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.clock import Clock, shown, stamp
from pipeline.config.settings import Config
from pipeline.errors import EsignImportError
from pipeline.ledger.disk import require_local_disk, require_rights
from pipeline.operations.findings import Finding, make_fault_finding, make_ok_finding, report_error
from pipeline.workflow.ledger_stores import find_store
from pipeline.workflow.tenant_ledger import open_ledger_for_check


def examine_ledger(config: Config, clock: Clock) -> Iterator[Finding]:
    """Examine disk, rights, owner, content and receipts of the ledger, and whether a run holds it."""
    if config.api.placeholders:
        return  # its owner is not known yet
    path, warnings = config.name_ledger(), list[EsignImportError]()
    try:
        store = find_store(config)
        if (facts := store.examine_server(clock.now())) is not None:
            seconds = round(facts.clock_ahead)
            yield make_ok_finding(
                "ledger",
                "server",
                path=path,
                schema=facts.schema,
                version=facts.version,
                commits=facts.synchronous_commit,
                seconds=seconds,
            )
        if not config.is_ledger_on_server:
            require_local_disk(config.resolve_ledger_file())
            # before SQLite opens it, which may remove a stale side file
            require_rights(config.resolve_ledger_file(), writing=True)
        with open_ledger_for_check(config, clock, warn=warnings.append) as (ledger, _):
            is_new = ledger is None
        yield from (report_error("ledger", warning, "warning") for warning in warnings)
        if is_new:
            yield make_ok_finding("ledger", "no_ledger", path=path)
            return
        if store.is_held():
            holder = store.find_holder()
            if holder is None:
                yield make_ok_finding("ledger", "locked", path=path)
            else:
                since = shown(stamp(holder.since))
                yield make_ok_finding("ledger", "held", **{**holder._asdict(), "since": since, "path": path})
            return
        result = store.check()
    except EsignImportError as error:
        yield report_error("ledger", error)
    else:
        if result.defects:
            n = len(result.defects)
            yield make_fault_finding("ledger", "defects", "defects.remedy", exit_code=74, path=path, n=n)
        else:
            seals, unknown = result.counts.seals, result.counts.unresolved
            yield make_ok_finding("ledger", "ledger", path=path, seals=seals, unknown=unknown)
