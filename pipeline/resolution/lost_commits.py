"""`ledger recover`: enters what is known of the commits that a ledger lost when its database or file was put back.

Three things show that commits are lost: the registries (of this host, of the results, of the database), which count
them; the results of runs that the ledger does not hold; and the logs of killed runs. The rule: every create that a result
or a log names is held as unresolved, bound to its attempt. Where the registries counted more creates than are named, every
person in the present rosters who has neither seal nor unresolved create in the ledger is held as well.

A ledger that is lost as a whole begins anew, by the same rule: one on a server here, one in a file by `adopt`. Its site key is lost with it, so the keys and row
ids in its results mean nothing: people are known by name and masked number.

A SealId proves nothing here: it is kept as evidence. `pipeline.workflow.kept_answers` then enters the answers whose proof was
made with the site key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from secrets import token_bytes
from uuid import uuid4

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.fields import list_content
from pipeline.domain.masking import mask_id
from pipeline.domain.run import RowPlan
from pipeline.domain.seals import LedgerSnapshot, SealContent, Verdict, is_seal_id, list_doctor_texts
from pipeline.domain.site_key import KEY_BYTES, SiteKey
from pipeline.errors import LedgerError, UsageError
from pipeline.esign.signing import REPLAY_WINDOW_SECONDS
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.decisions import HeldAttempt, Recovery
from pipeline.ledger.file_store import FileStore
from pipeline.ledger.lock import read_user_name
from pipeline.ledger.ownership import WarningOutput
from pipeline.ledger.progress import LedgerIdentity, LedgerProgress
from pipeline.ledger.protocol import Attempt, RunRecord
from pipeline.ledger.registry import RegisteredLedger, TenantRegistry
from pipeline.messages.catalogue import make_message
from pipeline.planning.seal_names import write_chinese_digits
from pipeline.reports.earlier_results import CREATED_STATUSES, RecordedCreate, list_recorded_creates
from pipeline.workflow.hosts_factory import LedgerStore, make_store
from pipeline.workflow.import_run import prepare_run
from pipeline.workflow.kept_answers import KeptAnswers
from pipeline.workflow.recorded_runs import list_recorded_runs
from pipeline.workflow.run_plan import LedgerView
from pipeline.workflow.run_request import build_request
from pipeline.workflow.tenant_ledger import (
    RECOVER,
    TenantResults,
    list_lost_ledgers,
    list_registries,
    lock_ledger_for_recovery,
    make_results,
    open_store,
    require_ledger,
)


@dataclass(frozen=True, slots=True)
class LostCommits:
    """What a ledger lacks, as the registries and the results show it."""

    seen: Sequence[LedgerProgress]  # how far the ledger was seen to have got
    receipts: int  # missing of what the registries counted
    counted_creates: int | None  # the same of creates; None where only receipts were counted
    runs: Mapping[str, Path]  # whose results show what the ledger lacks, with the file that shows it
    creates: Sequence[RecordedCreate]  # that these results name and the ledger does not hold
    former: Sequence[RegisteredLedger]  # ledgers that were in the place of this one, and are lost

    @property
    def is_nothing(self) -> bool:
        """Whether the ledger holds all that was seen."""
        return not self.receipts and not self.runs

    def count_named_creates(self) -> int:
        """Return how many lost creates results and logs name."""
        return sum(create.trace_id is not None for create in self.creates)

    def get_named_progress(self, progress: LedgerProgress) -> LedgerProgress:
        """Return how far the ledger had got with the creates that are named."""
        return progress._replace(attempts=progress.attempts + self.count_named_creates())

    def count_unnamed_creates(self) -> int:
        """Return how many lost creates no result and no log names, as far as they were counted."""
        named = self.count_named_creates()
        if self.counted_creates is None:  # the registry of an earlier version
            return 0 if named else self.receipts
        return max(self.counted_creates - named, 0)


@dataclass(frozen=True, slots=True)
class RecoveryPlan:
    """What `ledger recover` enters."""

    lost: LostCommits
    is_new: bool = False  # the ledger is lost as a whole, and another one begins
    named: Sequence[HeldAttempt] = ()  # people whom results or logs name
    suspected: Sequence[HeldAttempt] = ()  # people whom a lost create may be of
    unbound: int = 0  # named creates of people who are in no roster


@dataclass(frozen=True, slots=True)
class RecoveryEnd:
    """What was entered, and how many doctors have their seals by answers with a proof."""

    plan: RecoveryPlan
    sealed: int


@dataclass
class LedgerRecovery:
    """The recovery of one hospital's ledger."""

    config: Config
    clock: Clock
    warnings: WarningOutput
    _registries: Sequence[TenantRegistry] = field(init=False)

    def __post_init__(self) -> None:
        self._registries = list_registries(self.config)

    def examine(self) -> RecoveryPlan:
        """Return what would be entered; nothing is written. UsageError where a ledger in a file is lost."""
        store = make_store(self.config)
        if not self._has_ledger(store):
            return self._plan_new_ledger(store)
        with open_store(store, self.clock, readonly=True) as (ledger, site_key):
            return self._plan(store, ledger, site_key)

    def enter(self) -> RecoveryEnd:
        """Enter what is known of the lost commits, in one commit; nothing where the ledger lacks nothing. Raises Locked.

        A ledger on a server that is lost begins anew. UsageError where a ledger in a file is lost.
        """
        store = make_store(self.config)
        is_new = not self._has_ledger(store)
        if is_new and (plan := self._plan_new_ledger(store)).lost.is_nothing:
            return RecoveryEnd(plan, 0)
        opened = lock_ledger_for_recovery(self.config, store, self.clock, warnings=self.warnings)
        with opened as (ledger, site_key):
            plan = self._plan(store, ledger, site_key, is_new=is_new)
            if plan.lost.is_nothing:
                return RecoveryEnd(plan, 0)
            held = [*plan.named, *plan.suspected]
            runs = self._make_runs(ledger, held, plan.lost.runs)
            accounts_for = [*plan.lost.seen, plan.lost.get_named_progress(ledger.identify().progress)]
            former = {lost.ledger_id: lost.progress.attempts for lost in plan.lost.former}
            recovery = Recovery(runs, held, [*plan.lost.runs], accounts_for, former)
            ledger.record_recovery(recovery, now=self.clock.now(), who=read_user_name())
            waiting = _count_unresolved(ledger)
            out = self.config.resolve_path(self.config.out)
            KeptAnswers(ledger, site_key, out).enter_all(now=self.clock.now(), warnings=self.warnings)
            sealed = waiting - _count_unresolved(ledger)
            self._register(store, ledger.identify())
        return RecoveryEnd(plan, sealed)

    def _has_ledger(self, store: LedgerStore) -> bool:
        """Return whether there is a ledger. UsageError for one in a file that is lost: its receipts hold more than results."""
        if isinstance(store, FileStore):
            require_ledger(self.config)
        return store.exists()

    def _plan_new_ledger(self, store: LedgerStore) -> RecoveryPlan:
        return self._plan(store, None, SiteKey(token_bytes(KEY_BYTES), self.config.tenant), is_new=True)

    def _plan(
        self, store: LedgerStore, ledger: DatabaseLedger | None, site_key: SiteKey, *, is_new: bool = False
    ) -> RecoveryPlan:
        """Plan with the present ledger, or with a site key of the moment where there is none."""
        lost = self._collect_lost_commits(store, ledger)
        if lost.is_nothing:
            return RecoveryPlan(lost, is_new)
        request = build_request(RECOVER, self.config, self.clock)
        plan = prepare_run(request, self.config, ledger=ledger, site_key=site_key, clock=self.clock)
        unread = [report.path for report in plan.report.files if report.status != "read"]
        if unread or not plan.row_plans:
            raise UsageError("recover.no_rosters", files=", ".join(map(str, unread)) or "—")
        snapshot = LedgerView(ledger, site_key).snapshot
        builder = _HeldAttempts(self.config, snapshot, site_key, plan.row_plans, self.clock.now())
        last = ledger.get_last_run() if ledger else None
        run = max(lost.runs, default=last.run if last else request.run)
        named, unbound = builder.hold_named(lost.creates, run, is_of_former=is_new or bool(lost.former))
        suspected: Sequence[HeldAttempt] = ()
        if unbound or lost.count_unnamed_creates():
            suspected = builder.hold_others(run)
        return RecoveryPlan(lost, is_new, named, suspected, unbound)

    def _collect_lost_commits(self, store: LedgerStore, ledger: DatabaseLedger | None) -> LostCommits:
        results = make_results(self.config)
        if ledger is None:
            former = self._list_former(store, None)
            return _add_creates(
                LostCommits((), 0, 0, results.list_runs_with_seals(), (), former), results, (), ()
            )
        identity = ledger.identify()
        seen = [*self._list_seen(store, identity.ledger_id)]
        receipts = max(map(identity.count_missing_receipts, seen), default=0)
        behind = [progress for progress in seen if identity.count_missing_receipts(progress)]
        has_counts = all(progress.attempts for progress in behind)
        counted = max(map(identity.count_missing_attempts, behind), default=0)
        lost = LostCommits(
            seen,
            receipts,
            counted if has_counts else None,
            results.list_lacking_runs(ledger),
            (),
            self._list_former(store, identity),
        )
        return _add_creates(lost, results, ledger.list_seal_ids(), ledger.attempt_ids())

    def _list_former(self, store: LedgerStore, identity: LedgerIdentity | None) -> Sequence[RegisteredLedger]:
        """Return the ledgers that were in the place of the present one, and are lost as a whole."""
        return list_lost_ledgers(self._registries, _get_location(store), identity)

    def _list_seen(self, store: LedgerStore, ledger_id: str) -> Iterator[LedgerProgress]:
        """Yield how far the registries and the database itself have seen the ledger get."""
        for registry in self._registries:
            progress = registry.get_progress(ledger_id)
            if progress is not None:
                yield progress
        if not isinstance(store, FileStore):
            yield from (
                noted.progress for noted in store.list_noted_ledgers() if noted.ledger_id == ledger_id
            )

    def _make_runs(
        self, ledger: DatabaseLedger, held: Iterable[HeldAttempt], lacking: Mapping[str, Path]
    ) -> list[RunRecord]:
        """Return the records of the runs that the ledger does not hold and that its held creates belong to."""
        needed = {item.attempt.run for item in held} | {*lacking}
        missing = sorted(needed - ledger.run_ids())
        out = self.config.resolve_path(self.config.out)
        recorded = {record.run: record for record in list_recorded_runs(out, self.config.tenant)}
        now = self.clock.now()
        return [
            recorded.get(run) or RunRecord(run, "run", started=now, out=str(out / run)) for run in missing
        ]

    def _register(self, store: LedgerStore, identity: LedgerIdentity) -> None:
        """Let the registries of this host and of the results count on from the recovery."""
        for registry in self._registries:
            try:
                registry.enter(_get_location(store), identity).close()
            except LedgerError as error:
                self.warnings.print_warning(error)


def _get_location(store: LedgerStore) -> str:
    """Return the place of a ledger as the registries name it."""
    return str(store.path.resolve()) if isinstance(store, FileStore) else store.address.shown


def _add_creates(
    lost: LostCommits, results: TenantResults, seals: Collection[str], attempts: Collection[str]
) -> LostCommits:
    """Add the creates that results name and the ledger does not hold, and what was counted of ledgers that are lost."""
    runs = {**results.list_runs_with_seals(), **lost.runs} if lost.former else lost.runs
    creates: dict[str | None, RecordedCreate] = {}  # by trace id or SealId; later runs name a seal again
    adopted: set[str | None] = set()  # trace ids of creates of lost ledgers whose seals this one has
    for run in sorted(runs):
        for create in list_recorded_creates(runs[run].parent, run):
            if create.trace_id in attempts:
                continue
            if create.seal_id in seals:
                adopted.add(create.trace_id)
            elif run in lost.runs:
                creates.setdefault(create.trace_id or create.seal_id, create)
    progress = [registered.progress for registered in lost.former]
    counted = lost.counted_creates
    if progress and counted is not None:
        counted += max(max(seen.attempts for seen in progress) - len(adopted - {None}), 0)
    receipts = lost.receipts + max((seen.receipts for seen in progress), default=0)
    return replace(lost, receipts=receipts, counted_creates=counted, creates=list(creates.values()))


@dataclass
class _HeldAttempts:
    """Builds the unresolved creates that are entered, at most one for a person without a seal or unresolved create."""

    config: Config
    snapshot: LedgerSnapshot
    site_key: SiteKey
    row_plans: Sequence[RowPlan]
    now: float
    _held_keys: set[str] = field(default_factory=set)
    _names: set[str] = field(default_factory=set)  # of the seals that are held

    @cached_property
    def _plans_by_key(self) -> dict[str, RowPlan]:
        """The row of each person: the one that would be sent, else the first."""
        by_key: dict[str, RowPlan] = {}
        for row_plan in self.row_plans:
            key = row_plan.doctor.key
            if key is not None and (key not in by_key or row_plan.request is not None):
                by_key[key] = row_plan
        return by_key

    def hold_named(
        self, creates: Iterable[RecordedCreate], run: str, *, is_of_former: bool
    ) -> tuple[list[HeldAttempt], int]:
        """Return the attempts of named creates, and how many named creates are of people who are not known.

        ``is_of_former``: the results may be of a ledger whose site key is lost.
        """
        keys = {row_plan.doctor.row_id: row_plan.doctor.key for row_plan in self.row_plans}
        unbound = 0
        last_of_person: dict[str, RecordedCreate] = {}
        for create in creates:
            if create.status not in CREATED_STATUSES:
                continue
            key = create.key or keys.get(create.row_id)
            is_known = key in self._plans_by_key or key in self.snapshot.people
            if not is_known and (is_of_former or create.key is not None):
                by_name = self._keys_by_name.get((create.name, create.id_masked))
                if is_of_former or by_name is not None:
                    key = by_name
            if key is None:
                unbound += 1
            elif create.seal_id or key not in last_of_person:
                last_of_person[key] = create
        held = [
            self._hold(key, create, self._plans_by_key.get(key), create.run or run)
            for key, create in last_of_person.items()
            if self._may_be_held(key)
        ]
        return held, unbound

    @cached_property
    def _keys_by_name(self) -> dict[tuple[str | None, str | None], str]:
        """The person of each name and masked number that one person in the rosters has."""
        keys: defaultdict[tuple[str | None, str | None], set[str]] = defaultdict(set)
        for key, row_plan in self._plans_by_key.items():
            doctor = row_plan.doctor
            if doctor.name and doctor.number:
                keys[doctor.name, mask_id(doctor.number)].add(key)
        return {shown: of_name.pop() for shown, of_name in keys.items() if len(of_name) == 1}

    def hold_others(self, run: str) -> list[HeldAttempt]:
        """Return an attempt of every person in the rosters whom the ledger and the results do not know."""
        return [
            self._hold(key, None, row_plan, run)
            for key, row_plan in self._plans_by_key.items()
            if self._may_be_held(key)
        ]

    def _may_be_held(self, key: str) -> bool:
        person = self.snapshot.people.get(key)
        is_settled = person is not None and (person.seal or person.unresolved_attempt)
        return not is_settled and key not in self._held_keys

    def _hold(
        self, key: str, create: RecordedCreate | None, row_plan: RowPlan | None, run: str
    ) -> HeldAttempt:
        self._held_keys.add(key)
        doctor = row_plan.doctor if row_plan else None
        number = doctor.number if doctor and doctor.number else ""
        attempt = Attempt(
            uuid=(create.trace_id if create else None) or str(uuid4()),
            key=key,
            run=run,
            row_id=(create.row_id if create else None) or (doctor.row_id if doctor else None) or "",
            name=(doctor.name if doctor else None) or (create.name if create else None) or "",
            id_masked=mask_id(number) if number else (create.id_masked if create else None) or "",
            seal_name=self._name_seal(key, create, row_plan),
            contract=self.config.api.contract,
            host="",
            signed_at=self.now,
            content=self._make_content(create, row_plan),
            dead_at=self.now + REPLAY_WINDOW_SECONDS,
            staff_no=self.site_key.digest(doctor.comparable_staff_no)
            if doctor and doctor.comparable_staff_no
            else "",
        )
        return HeldAttempt(attempt, self._make_verdict(create, row_plan))

    def _make_content(self, create: RecordedCreate | None, row_plan: RowPlan | None) -> SealContent:
        if row_plan is not None and row_plan.request is not None:
            return row_plan.request.content
        if row_plan is not None:
            values = list_content(row_plan.doctor, self.site_key)
            required = {name: values[name] or "" for name in ("name", "number", "id_type", "picture")}
            return SealContent(**{**values, **required}, pixels=None)
        assert create is not None
        return SealContent(
            name=create.name or "",
            number="",
            id_type="",
            scene_key=None,
            mobile=None,
            seal_name=None,
            picture=create.picture or "",
            pixels=None,
        )

    def _make_verdict(self, create: RecordedCreate | None, row_plan: RowPlan | None) -> Verdict:
        if create is None:
            return Verdict("unknown", message=make_message("wire.perhaps_lost"))
        others = list_doctor_texts(row_plan.doctor) if row_plan else ()
        is_evidence = create.seal_id is not None and is_seal_id(create.seal_id, others)
        message = make_message("wire.commit_lost", run=create.run)
        return Verdict("unknown", create.seal_id if is_evidence else None, create.request_id, message=message)

    def _name_seal(self, key: str, create: RecordedCreate | None, row_plan: RowPlan | None) -> str:
        """Return the name of the seal that a person may have: the frozen, recorded or planned one, if it is free."""
        person = self.snapshot.people.get(key)
        if person is not None and person.seal_name and person.seal_name_locked:
            return person.seal_name
        doctor = row_plan.doctor if row_plan else None
        name = doctor.name if doctor and doctor.name else (create.name if create else None) or ""
        template = self.config.seal_name.format(
            name=name,
            staff_no=(doctor.staff_no if doctor else None) or "",
            department=(doctor.department if doctor else None) or "",
        )
        candidates = [
            create.seal_name if create else None,
            row_plan.seal_name if row_plan else None,
            doctor.seal_name if doctor else None,
            template,
        ]
        free = (candidate for candidate in candidates if candidate and self._is_free(candidate, key))
        chosen = next(free, None)
        if chosen is None:
            last_digits = (doctor.number if doctor else None) or (create.id_masked if create else None) or ""
            digits = "".join(filter(str.isdigit, last_digits[-4:]))
            chosen = template + write_chinese_digits(digits)
            while not self._is_free(chosen, key):
                chosen += write_chinese_digits("2")
        self._names.add(chosen)
        return chosen

    def _is_free(self, name: str, key: str) -> bool:
        return name not in self._names and self.snapshot.seal_name_owners.get(name) in {None, key}


def _count_unresolved(ledger: DatabaseLedger) -> int:
    return sum(person.unresolved_attempt is not None for person in ledger.snapshot().people.values())
