"""What the ledger holds, as `status` shows it: people, creates without an answer, the last run. It makes no call and takes no lock.

Moments are local ISO 8601; paths are masked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from dataclasses import field as _field
from pathlib import Path
from typing import Any, Literal

from pipeline.clock import Clock, stamp
from pipeline.config.settings import Config
from pipeline.domain.auto_sign import AutoSignCounts
from pipeline.domain.masking import mask_path
from pipeline.domain.run import COMPLETE_EXITS, SIGNALLED, Status
from pipeline.domain.seals import Attempt, Person
from pipeline.ledger.records import RunRecord
from pipeline.reports.next_steps import EXIT_LATER, CommandLine
from pipeline.resolution.timeline import RecordedRow, list_open_rows
from pipeline.workflow.hosts_factory import ServerReaders, make_location
from pipeline.workflow.recorded_runs import read_last_recorded_run, select_later_run
from pipeline.workflow.tenant_ledger import WARNING_LOG, WarningOutput, open_configured_ledger, repair_ledger


@dataclass(frozen=True, slots=True)
class PeopleCounts:
    """How many people the ledger holds, by what became of them."""

    sealed: int = 0
    unknown: int = 0  # a create of an earlier run has no answer
    refused: int = 0  # by the service, and not sealed since
    in_flight: int = 0  # a create of the run that is under way has no answer yet


@dataclass(frozen=True, slots=True)
class UnknownCreate:
    """A create of an earlier run without an answer."""

    name: str = _field(repr=False)
    seal_name: str | None
    sent: str
    trace_id: str
    status: str = Status.UNKNOWN.value  # or "exists": the service refused the name


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run. ``finished`` and ``exit`` are None while it is under way, and where it was killed."""

    run: str
    command: str
    started: str
    finished: str | None
    age_seconds: int  # since it ended, or since it began where it has no end
    exit: int | None
    under_way: bool
    halted: Mapping[str, Any] | None  # why it stopped early: code, message and what fills it
    out: str
    record: RunRecord = _field(repr=False)

    def to_dict(self) -> dict[str, object]:
        """Return the run as `status --json` shows it."""
        names = (
            "run",
            "command",
            "started",
            "finished",
            "age_seconds",
            "exit",
            "under_way",
            "halted",
            "out",
        )
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class RunFault:
    """Why the last run of a hospital calls for a person, and the exit code of `status --max-age`."""

    kind: Literal["no_run", "too_old", "cut_short", "failed"]
    exit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerStatus:
    """What the ledger holds, and how the last run ended."""

    ledger: str | None  # its address; None: there is none
    state_folder: Path  # of its journals, and
    share: Path  # the other place
    tenant: str
    people: PeopleCounts = PeopleCounts()
    unknown: tuple[UnknownCreate, ...] = ()
    waiting: int = 0  # rows that wait for a decision
    last_run: LastRun | None = None
    row_run: RunRecord | None = None  # the last run that read rosters: its rows wait
    auto_sign: AutoSignCounts | None = None  # None: the service was never asked who can sign

    def to_dict(self) -> dict[str, object]:
        """Return the status as `status --json` shows it."""
        last_run = self.last_run.to_dict() if self.last_run else None
        if self.ledger is None:
            return {"ledger": None, "last_run": last_run}
        return {
            "ledger": self.ledger,
            "journals": [str(self.state_folder), str(self.share)],
            "tenant": self.tenant,
            "people": asdict(self.people),
            "unknown": [asdict(create) for create in self.unknown],
            "waiting": self.waiting,
            **({"auto_sign": self.auto_sign.to_dict()} if self.auto_sign else {}),
            "last_run": last_run,
        }


def read_status(
    config: Config,
    clock: Clock,
    passed_over: Collection[str] = (),
    *,
    readers: ServerReaders | None = None,
    warnings: WarningOutput = WARNING_LOG,
) -> LedgerStatus:
    """Return what the configured ledger holds, also of a run that is under way; its people are counted by the database.

    A run that stopped by a code of ``passed_over`` is not the last one. ``warnings`` takes what was repaired.
    """
    out = config.resolve_path(config.out)
    recorded_run = read_last_recorded_run(out, config.tenant, passed_over)
    location = make_location(config, readers)
    if location.is_behind():
        repair_ledger(location, clock, warnings)
    summary = location.read_summary()
    if summary is None:
        return LedgerStatus(
            ledger=None,
            state_folder=location.places.state,
            share=location.places.share,
            tenant=config.tenant,
            waiting=_count_changed_rows(recorded_run) if recorded_run else 0,
            last_run=_make_last_run(recorded_run, clock) if recorded_run else None,
            row_run=recorded_run,
        )
    ledger_run, changed = summary.last_run, summary.changed_rows
    is_under_way = ledger_run is not None and ledger_run.finished is None and location.hold.is_taken()
    last_run = ledger_run if is_under_way else select_later_run(ledger_run, recorded_run)
    if ledger_run is not None and last_run is not None and last_run.run != ledger_run.run:
        with open_configured_ledger(config, clock, warnings=warnings) as (ledger, _):
            if ledger.get_run(last_run.run) is not None:  # it began before, by a clock that was ahead
                last_run = ledger_run
    if last_run is not None and recorded_run is not None and last_run.run == recorded_run.run:
        # the ledger stores the folder with its numbers masked
        last_run = replace(last_run, out=str(Path(recorded_run.out).absolute()))
    row_run = last_run if last_run is None or last_run.content.get("files") else ledger_run or last_run
    if row_run is not None and (ledger_run is None or row_run.run != ledger_run.run):
        changed = _count_changed_rows(row_run)
    present_run = last_run.run if is_under_way and last_run is not None else None
    unknown = tuple(
        _make_unknown(create, person) for create, person in summary.open_creates if create.run != present_run
    )
    return LedgerStatus(
        ledger=config.name_ledger(),
        state_folder=location.places.state,
        share=location.places.share,
        tenant=config.tenant,
        people=PeopleCounts(
            summary.sealed, len(unknown), summary.refused, len(summary.open_creates) - len(unknown)
        ),
        unknown=unknown,
        waiting=len(unknown) + changed,
        last_run=_make_last_run(last_run, clock, is_under_way=is_under_way) if last_run else None,
        row_run=row_run,
        auto_sign=AutoSignCounts.count(summary.auto_sign, sealed=summary.sealed, now=clock.now()),
    )


def read_open_rows(
    config: Config, clock: Clock, status: LedgerStatus
) -> tuple[RunRecord | None, Sequence[RecordedRow]]:
    """Return the record of the last run, and the rows that the last run with rows left open."""
    last_run, row_run = status.last_run.record if status.last_run else None, status.row_run
    if last_run is None or row_run is None or status.ledger is None:
        return last_run, list_open_rows(row_run, None) if row_run else ()
    with open_configured_ledger(config, clock) as (ledger, _):
        return last_run, list_open_rows(row_run, ledger)


def read_last_run(config: Config, clock: Clock, passed_over: Collection[str] = ()) -> LastRun | None:
    """Return the last run that left a run.json, for a ledger that cannot be read."""
    record = read_last_recorded_run(config.resolve_path(config.out), config.tenant, passed_over)
    return _make_last_run(record, clock) if record is not None else None


def get_run_fault(run: LastRun | None, max_age: float) -> RunFault | None:
    """Return why a hospital's last run calls for a person, None where it does not; ``max_age`` in seconds.

    A run in progress is no fault until it has lasted so long. One that failed has its exit code; the others that of a run
    that stopped early, since another run helps.
    """
    if run is None:
        return RunFault("no_run", EXIT_LATER)
    if run.exit is None and not run.under_way:
        return RunFault("cut_short", EXIT_LATER)
    if run.exit is not None and run.exit not in COMPLETE_EXITS:
        return RunFault("failed", EXIT_LATER if run.exit > SIGNALLED else run.exit)
    return RunFault("too_old", EXIT_LATER) if run.age_seconds > max_age else None


def _make_unknown(create: Attempt, person: Person) -> UnknownCreate:
    status = Status.EXISTS if create.state == "exists" else Status.UNKNOWN
    name = create.sent_name or person.name or ""
    return UnknownCreate(name, create.seal_name, stamp(create.signed_at), create.uuid, status.value)


def _count_changed_rows(run: RunRecord) -> int:
    """Return how many rows of a run differ from their seal, and wait for a decision, by its record alone."""
    return int(run.content.get("statuses", {}).get(Status.CHANGED.value, 0))


def _make_last_run(record: RunRecord, clock: Clock, *, is_under_way: bool = False) -> LastRun:
    since = record.started if record.finished is None else record.finished
    return LastRun(
        run=record.run,
        command=record.command,
        started=stamp(record.started),
        finished=stamp(record.finished) if record.finished is not None else None,
        age_seconds=round(max(0.0, clock.now() - since)),
        exit=record.exit,
        under_way=is_under_way,
        halted=record.content.get("halted"),
        out=mask_path(record.out),
        record=record,
    )


def describe_command_line(config: Config, invocation: str) -> CommandLine:
    """Return how the program is called, and what it reads when no roster is named."""
    rosters = tuple(str(config.resolve_path(roster).absolute()) for roster in config.roster)
    return CommandLine(invocation, rosters, str(config.resolve_path(config.seals).absolute()))
