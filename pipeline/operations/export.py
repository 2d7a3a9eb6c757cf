"""Collects the seals of a ledger for `export`, and the runs for `status --runs`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from pipeline.clock import Clock, shown, stamp
from pipeline.config.settings import Config
from pipeline.domain.path_digests import PathDigests, is_same_path
from pipeline.domain.roster import Field
from pipeline.domain.row_record import RowLine
from pipeline.domain.run import PLAN_GUARDS, Repeat, ShownStatus, Status
from pipeline.domain.seals import Attempt, Person
from pipeline.domain.site_key import SiteKey
from pipeline.errors import EsignImportError, UsageError
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import RunRecord
from pipeline.messages.catalogue import make_message
from pipeline.planning.guards import list_unread_files, reads_same_rosters, select_last_runs
from pipeline.reports.next_steps import name_files
from pipeline.reports.presenter import Presenter
from pipeline.reports.seal_list import ListedSeal
from pipeline.workflow.hosts_factory import make_location
from pipeline.workflow.recorded_runs import list_recorded_runs, select_later_run
from pipeline.workflow.tenant_ledger import WARNING_LOG, WarningOutput, open_configured_ledger

RUNS_SEARCHED = 1000


class LeaversUnknown(EsignImportError):
    """After the last run that read every roster, a run or check did not: who has left since is not known."""

    exit_code = 3


def collect_seals(
    config: Config,
    clock: Clock,
    *,
    run: str | None = None,
    leavers: bool = False,
    warnings: WarningOutput = WARNING_LOG,
) -> list[ListedSeal]:
    """Return the seals in the order of their creation: the live ones, and those that were abandoned and may still be valid.

    ``run``: only those it made. ``leavers``: only those of doctors whom the last complete run did not read. Raises UsageError
    for a run that is not known, and for leavers without a complete run, LeaversUnknown where a later run or check was not complete.
    """
    with open_configured_ledger(config, clock, warnings=warnings) as (ledger, _):
        if run is not None and ledger.get_run(run) is None:
            raise UsageError("export.no_run", run=run, then=("status", "--runs", "30"))
        runs = _list_runs_of_rosters(config, ledger)
        if leavers:
            _require_known_leavers(config, runs, _digest_rosters(config, ledger.site_key))
        return _list_seals(ledger, _list_present_rows(ledger, runs), run=run, leavers=leavers)


def count_abandoned(seals: Sequence[ListedSeal]) -> int:
    """Return how many of the seals were given up by `resolve --replace`: they stay valid until they are disabled."""
    return sum(seal.abandoned is not None for seal in seals)


def list_seal_notes(
    seals: Sequence[ListedSeal], presenter: Presenter, *, run: str | None, leavers: bool
) -> list[str]:
    """Return what to do with the seals of a list, one step a line."""
    notes = []
    if run is not None:
        notes = [presenter.render(f"seals.revoke.{step}", run=run) for step in (1, 2, 3)]
    elif leavers:
        notes = [presenter.render(f"seals.leavers.{step}") for step in (1, 2)]
    abandoned = count_abandoned(seals)
    if abandoned:
        notes.append(presenter.render("seals.abandoned_too", n=abandoned))
    return notes


def name_seal_workbook(clock: Clock, *, run: str | None, leavers: bool) -> str:
    """Return the usual name of a list's workbook."""
    kind = f"seals-of-{run}" if run else "leavers" if leavers else "seals"
    return f"{kind}-{clock.today():%Y%m%d}.xlsx"


def _list_seals(
    ledger: Ledger, rows: Mapping[str, RowLine] | None, *, run: str | None, leavers: bool
) -> list[ListedSeal]:
    staff_numbers = ledger.list_staff_numbers()
    listed: list[tuple[float, ListedSeal]] = []
    people = ledger.snapshot().people
    seals = [(person, seal) for person in people.values() for seal in person.attempts if seal.has_seal]
    for person, seal in seals:
        if run is not None and not (seal.is_own and seal.run == run):
            continue
        line = rows.get(person.key) if rows is not None else None
        if leavers and line is not None:
            continue
        numbers = sorted(staff_numbers.get(person.key, ()))
        staff_no = (line and line.get(Field.STAFF_NO)) or ", ".join(numbers) or None
        in_roster = None if rows is None else line is not None
        listed.append((seal.made_at, _list_seal(person, seal, staff_no, in_roster)))
    return [seal for _, seal in sorted(listed, key=lambda entry: (entry[0], entry[1].seal_id))]


def _list_seal(person: Person, seal: Attempt, staff_no: str | None, in_roster: bool | None) -> ListedSeal:
    return ListedSeal(
        name=person.name,
        id_masked=person.id_masked,
        staff_no=staff_no,
        seal_name=seal.seal_name,
        seal_id=seal.seal_id or "",
        created=shown(stamp(seal.made_at)),
        run=seal.run if seal.is_own else None,
        in_roster=in_roster,
        contradicting=person.is_contested and seal.is_live,
        abandoned=shown(stamp(seal.ended_at)) if seal.ended_at is not None else None,
    )


def _list_runs_of_rosters(config: Config, ledger: Ledger) -> list[RunRecord]:
    """Return the newest runs over the configured rosters; those over other rosters only where there is none that counts."""
    runs = ledger.list_runs(RUNS_SEARCHED)
    configured = _digest_rosters(config, ledger.site_key)
    of_rosters = [run for run in runs if reads_same_rosters(run, configured)]
    return of_rosters if any(select_last_runs(of_rosters)) else runs


def _digest_rosters(config: Config, site_key: SiteKey) -> tuple[str, ...]:
    paths = PathDigests(site_key, (config.base, config.resolve_path(config.out)))
    return paths.digest_all(map(config.resolve_path, config.roster))


def _list_present_rows(ledger: Ledger, runs: Sequence[RunRecord]) -> Mapping[str, RowLine] | None:
    """Return the row of each person whom the last complete run or a later one read, by key; None where none was complete."""
    last_runs = list(select_last_runs(runs))  # no retry: it reads only some rows
    if not any(last.is_complete for last in last_runs):
        return None
    return {key: line for last in reversed(last_runs) for key, line in _iterate_rows(ledger, last.run)}


def _require_known_leavers(config: Config, runs: Sequence[RunRecord], rosters: Sequence[str]) -> None:
    """Raise UsageError where no run was complete, LeaversUnknown where a later run or check was not."""
    last_runs = (last.run for last in select_last_runs(runs) if last.is_complete)
    judge = next((run for last in last_runs for run in runs if run.run == last), None)
    if judge is None:
        raise UsageError("export.no_complete_run", then=("run",))
    checks = list_recorded_runs(config.resolve_path(config.out), config.tenant, are_checks=True)
    later = [
        *takewhile(lambda run: run is not judge, runs),
        *(
            check
            for check in takewhile(lambda check: check.run > judge.run, checks)
            if _is_over(check, rosters)
        ),
    ]
    for record in sorted(later, key=lambda record: record.run, reverse=True):
        files, halt = list_unread_files(record.content), record.content.get("halted") or {}
        if not files and halt.get("code") not in PLAN_GUARDS:
            continue
        moment = shown(stamp(record.started))
        why = make_message("export.unread_files", files=name_files(map(Path, files)), at=moment)
        if not files:
            why = make_message("export.stopped_by_guard", code=halt["code"], at=moment)
        since = shown(stamp(judge.started))
        raise LeaversUnknown("export.leavers_unknown", since=since, why=why, then=("run",))


def _is_over(check: RunRecord, rosters: Collection[str]) -> bool:
    """Return whether a check read no other rosters than those with these digests; one without a ledger may have read them."""
    for file in check.content.get("files", ()):
        known = [file["digests"]["path"], file["digests"]["folder"]] if "digests" in file else []
        if known and not any(is_same_path(roster, one) for roster in rosters for one in known):
            return False
    return True


def _iterate_rows(ledger: Ledger, run: str) -> Iterator[tuple[str, RowLine]]:
    same_persons = ledger.list_same_persons()
    for row in ledger.list_rows(run):
        if row.key is not None:
            yield same_persons.get(row.key, row.key), row.read_line()


# -- the runs, also those that ended before they had a ledger


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run as `status --runs` lists it."""

    run: str
    command: str
    started: str  # local ISO 8601
    finished: str | None  # None: killed, or under way
    exit: int | None
    files: int
    statuses: Mapping[str, int]  # rows by status, those that occur
    duplicates: int  # of the rejected rows, those that repeat another one and need no action
    halt: str | None  # code of what stopped it
    user: str | None
    accepted_guards: bool
    waited_seconds: float  # of all calls together

    def count_shown_statuses(self) -> dict[ShownStatus, int]:
        """Return the rows as people read them: duplicates apart from the rows to correct."""
        counts: dict[ShownStatus, int] = {Status(status): rows for status, rows in self.statuses.items()}
        if self.duplicates:
            counts[Status.REJECTED] -= self.duplicates
            counts[Repeat.DUPLICATE] = self.duplicates
        return {status: rows for status, rows in counts.items() if rows}

    def to_dict(self) -> dict[str, Any]:
        """Return the run as `status --runs` shows it with `--json`."""
        return asdict(self)


def collect_runs(config: Config, clock: Clock, limit: int) -> list[ListedRun]:
    """Return the newest runs, at most ``limit``, the newest first."""
    return [summarize_record(run) for run in _collect_records(config, clock, limit)]


def get_run_record(config: Config, clock: Clock, run: str) -> RunRecord | None:
    """Return what ledger and run.json hold of a run, None for one that is not known."""
    records = _collect_records(config, clock, RUNS_SEARCHED)
    return next((record for record in records if record.run == run), None)


def _collect_records(config: Config, clock: Clock, limit: int) -> list[RunRecord]:
    recorded = {run.run: run for run in list_recorded_runs(config.resolve_path(config.out), config.tenant)}
    if make_location(config).exists():
        with open_configured_ledger(config, clock) as (ledger, _):
            for run in ledger.list_runs(limit):
                recorded[run.run] = select_later_run(run, recorded.get(run.run)) or run
    # run.json holds whole seconds
    newest = sorted(recorded.values(), key=lambda run: (int(run.started), run.run), reverse=True)
    return newest[:limit]


def summarize_record(run: RunRecord) -> ListedRun:
    """Return a run as `status --runs` lists it."""
    record = run.content
    return ListedRun(
        run=run.run,
        command=run.command,
        started=stamp(run.started),
        finished=stamp(run.finished) if run.finished is not None else None,
        exit=run.exit,
        files=len(record.get("files", ())),
        statuses={status: rows for status, rows in record.get("statuses", {}).items() if rows},
        duplicates=record.get("duplicates", 0),
        halt=(record.get("halted") or {}).get("code"),
        user=run.user,
        accepted_guards=bool(record.get("accepted_guards")),
        waited_seconds=record.get("rate", {}).get("waited_seconds", 0.0),
    )
