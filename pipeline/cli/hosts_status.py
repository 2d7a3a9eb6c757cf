"""What `hosts status` prints: the workers, the queue, the ledgers in use and the quotas of one database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline.cli.context import Session
from pipeline.clock import shown, stamp

if TYPE_CHECKING:
    from pipeline.hosts.overview import LedgerInUse, OpenJob, Overview, PausedHospital, QuotaUse, WorkerState

MOMENTS = ("since", "next_try", "started")  # unix seconds; in JSON local ISO 8601


def print_overview(session: Session, overview: Overview, tenants: Mapping[str, str]) -> None:
    """Print what the hosts do, with ``--json`` as one object; ``tenants`` gives the hospitals of the configuration."""
    session.print_json(
        workers=_list_objects(overview.workers),
        jobs=_list_objects(overview.jobs),
        paused=_list_objects(overview.paused),
        ledgers=[
            {"hospital": tenants.get(ledger["tenant"]), **ledger}
            for ledger in _list_objects(overview.ledgers)
        ],
        quotas=[{**asdict(quota), "share": round(quota.share, 3)} for quota in overview.quotas],
    )
    for worker in overview.workers:
        _print_worker(session, worker)
    if not overview.has_worker:
        session.print_text("hosts_status.no_worker")
    for job in overview.jobs:
        _print_job(session, job)
    held = {job.hospital for job in overview.jobs if job.state == "paused"}
    for hospital in overview.paused:
        _print_paused(session, hospital, has_job=hospital.hospital in held)
    if not overview.jobs:
        session.print_text("hosts_status.no_job")
    for ledger in overview.ledgers:
        _print_ledger(session, ledger, tenants.get(ledger.tenant, ledger.tenant))
    for quota in overview.quotas:
        _print_quota(session, quota)


def _list_objects(values: Sequence[Any]) -> list[dict[str, Any]]:
    """Return values as JSON holds them."""
    objects = []
    for value in values:
        fields = asdict(value)
        for name in MOMENTS:
            if fields.get(name) is not None:
                fields[name] = stamp(fields[name])
        if "day" in fields:
            fields["day"] = str(fields["day"])
        objects.append(fields)
    return objects


def _show_moment(seconds: float | None) -> str:
    return shown(stamp(seconds)) if seconds is not None else "—"


def _print_worker(session: Session, worker: WorkerState) -> None:
    session.print_text(
        "hosts_status.worker" if worker.is_alive else "hosts_status.worker_silent",
        host=worker.host,
        pid=worker.pid,
        version=worker.version,
        running=worker.running,
        processes=worker.processes,
        started=_show_moment(worker.started),
        silent=round(worker.silent_seconds),
    )


def _print_job(session: Session, job: OpenJob) -> None:
    """Print a job; those of paused hospitals are printed with the hospital."""
    if job.state == "paused":
        return
    is_orphan = job.state in {"running", "ending"} and job.host is None
    session.print_text(
        "hosts_status.job_left" if is_orphan else f"hosts_status.job_{job.state}",
        hospital=job.hospital,
        host=job.host,
        since=_show_moment(job.since),
        next_try=_show_moment(job.next_try),
        exit="—" if job.exit is None else job.exit,
        attempts=job.attempts,
    )


def _print_paused(session: Session, paused: PausedHospital, *, has_job: bool) -> None:
    session.print_text(
        "hosts_status.paused_job" if has_job else "hosts_status.paused",
        hospital=paused.hospital,
        by=paused.by,
        since=_show_moment(paused.since),
    )


def _print_ledger(session: Session, ledger: LedgerInUse, hospital: str) -> None:
    session.print_text(
        "hosts_status.ledger",
        hospital=hospital,
        run=ledger.run,
        host=ledger.host,
        pid=ledger.pid,
        user=ledger.user,
        since=_show_moment(ledger.since),
        seconds=round(ledger.silent_seconds),
    )


def _print_quota(session: Session, quota: QuotaUse) -> None:
    session.print_text(
        "hosts_status.quota",
        action=quota.action,
        slots=round(quota.slots),
        rate=f"{quota.requests_per_second:g}",
        share=round(100 * quota.share),
        throttles=quota.throttles,
    )
