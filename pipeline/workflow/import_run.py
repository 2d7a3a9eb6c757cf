"""The night, top to bottom: read, judge, pair, compare, plan, send, tell.

``check`` is ``run`` cut before the network: one code path, so both find the same problems. Ledger, limiter,
credentials and clock come from outside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.masking import Masker
from pipeline.domain.metrics import Traffic
from pipeline.domain.outcomes import find_exit_code
from pipeline.domain.roster import FileReport, FileStat, Origin
from pipeline.domain.run import (
    RETRYABLE_STATUSES,
    Halt,
    Judgement,
    Notice,
    RowOutcome,
    RowPlan,
    RunPreview,
    RunReport,
    RunRequest,
    Status,
)
from pipeline.domain.seals import LedgerSnapshot, PersonHistory
from pipeline.esign.contracts.base import CREATE, UPLOAD
from pipeline.esign.rate_limiter import Limiter
from pipeline.esign.signing import Credentials
from pipeline.intake.conflicts import flag_conflicts, mark_unread
from pipeline.intake.corrections import load_rows
from pipeline.intake.fields.validate import validate_rows
from pipeline.intake.images.identical import find_identical_images
from pipeline.intake.images.name_ocr import check_names_in_images
from pipeline.intake.pairing.image_index import index_images
from pipeline.intake.pairing.match import match_images
from pipeline.intake.read_rosters import read_rosters
from pipeline.ledger.protocol import Ledger, RunRecord
from pipeline.ledger.site_key import KEY_BYTES, SiteKey
from pipeline.planning import review, run_history
from pipeline.planning.guards import Guards, RunGuards, check_plan, find_missing_rosters
from pipeline.planning.plan import find_owners_by_image, outcome_if_not_sent, plan_rows
from pipeline.planning.same_person import find_new_marks, unite_persons
from pipeline.planning.sealed_corrections import note_sealed_corrections
from pipeline.planning.sent_sizes import examine_sent_sizes
from pipeline.reports.display_values import display_name
from pipeline.reports.presenter import Presenter
from pipeline.sending.call_context import CallContext, share_connection_slots
from pipeline.sending.create import CreateSender
from pipeline.sending.outage import OutageMonitor
from pipeline.sending.run_state import RunState
from pipeline.sending.submit import Submission, Submitted, build_not_sent_outcome
from pipeline.sending.upload import Uploader
from pipeline.workflow import stage_settings
from pipeline.workflow.notices import (
    find_deprecations,
    find_exposed_files,
    find_hard_links,
    find_open_rosters,
    find_wrong_clock,
)
from pipeline.workflow.run_records import record_rows, record_run_end
from pipeline.workflow.unsent_rows import check_images, finish_unsent_rows

PLAIN_KEY = SiteKey(bytes(KEY_BYTES), "")  # of a check without a ledger: the same people are one all the same


@dataclass(slots=True)
class StopSignal:
    """Set from outside to drain; ``signal`` is the number of what asked for it."""

    event: asyncio.Event = field(default_factory=asyncio.Event)
    signal: int | None = None


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Everything that is known before the first call."""

    planned: tuple[RowPlan, ...]
    files: tuple[FileReport, ...]
    unclaimed: tuple[Path, ...]
    unread: Sequence[tuple[str, str]]  # places of pictures that could not be read, and why
    stats: Mapping[str, FileStat]  # fingerprints to remember
    drawn: Mapping[str, PersonHistory]  # digest of pixels -> whose seal shows them
    absent: int  # people whose last create has no verdict and who are not in the rosters
    seals: int  # live ones in the ledger
    notices: Sequence[Notice]
    checked: Collection[str]  # SealIds of older seals whose pictures were surely sent whole


def prepare_run(
    ask: RunRequest,
    config: Config,
    *,
    ledger: Ledger | None,
    site_key: SiteKey | None,
    clock: Clock,
    judged: Mapping[str, Judgement] = MappingProxyType({}),
) -> RunPlan:
    """Read, judge, pair, compare and plan: the offline half, the same for `check` and `run`.

    ``judged`` is what a review says beside what the ledger remembers of earlier ones. Without a ``site_key`` people are
    told apart by PLAIN_KEY: the digests it makes must not leave this process. Rows have no ids then.
    """
    identify = site_key or PLAIN_KEY
    snapshot = ledger.snapshot() if ledger else LedgerSnapshot({}, {})
    judge = partial(
        validate_rows,
        settings=stage_settings.field_settings(config),
        today=clock.today(),
        site_key=identify,
        known_keys={past.key for past in snapshot.people.values() if past.seal or past.unresolved_attempt},
    )
    read = partial(read_rosters, columns=config.columns, manner=stage_settings.read_options(ask, config))
    collect = partial(
        load_rows, to_fix_only=ask.to_fix_only, guessed=ask.roster_unverified, identify=site_key
    )
    found = collect(read, ask.rosters, ask.context)
    unite = partial(unite_persons, snapshot=snapshot, person_key=identify.person)
    doctors = unite(judge(found.rows, row_ids=found.row_ids))
    others = unite(judge(found.others, row_ids=found.other_ids))
    known = ledger.list_known_files() if ledger else {}
    library = index_images(ask.seals)
    pairing = match_images(
        [*doctors, *others],
        library,
        known_files=known,
        store_image=stage_settings.image_store(config),
        sealed_people=stage_settings.find_sealed_people(snapshot, ledger, site_key),
        find_earlier_rows=stage_settings.make_row_finder(ledger),
    )
    same = find_identical_images(stage_settings.images_without_seal(pairing.doctors, snapshot))
    compared = flag_conflicts(
        mark_unread(pairing.doctors, same.unread),
        same.first_of,
        snapshot.other_persons,
        person_ids=pairing.person_ids,
    )[: len(doctors)]
    if config.pictures.ocr:
        compared = check_names_in_images(compared, beside=others, work=config.path(config.work))
    judged = {**(ledger.list_judgements() if ledger else {}), **judged}
    beside = {doctor.key for doctor in others if doctor.key}
    examined = examine_sent_sizes(compared, snapshot, stage_settings.sent_size(config))
    rules = stage_settings.rules(ask, config, site_key, clock, judged, shrunk=examined.shrunk)
    planned = plan_rows(compared, snapshot, rules, beside=beside)
    planned = note_sealed_corrections(planned, ledger, snapshot, rules.day_of)
    absent = _unsettled(snapshot) - {doctor.key for doctor in doctors}
    seals = sum(past.seal is not None for past in snapshot.people.values())
    return RunPlan(
        planned=tuple(planned),
        files=tuple(found.files),
        unclaimed=pairing.unassigned_files,
        unread=library.unreadable,
        stats=pairing.stats,
        drawn=find_owners_by_image(snapshot, lambda made: made.pixels),
        absent=len(absent),
        seals=seals,
        notices=(*find_open_rosters(found.files), *find_hard_links(pairing.doctors)),
        checked=examined.checked,
    )


def _without_key(outcome: RowOutcome) -> RowOutcome:
    """Return an outcome without the person's key: it was made with a key that is no secret."""
    doctor = replace(outcome.doctor, key=None)
    return replace(outcome, row_plan=replace(outcome.row_plan, doctor=doctor))


def _unsettled(snapshot: LedgerSnapshot) -> set[str | None]:
    return {past.key for past in snapshot.people.values() if past.unresolved_attempt is not None}


def check(
    ask: RunRequest, config: Config, *, ledger: Ledger | None, site_key: SiteKey | None, clock: Clock
) -> RunReport:
    """Find everything that a run would find, pictures decoded, without a call."""
    started = clock.now()
    plan = prepare_run(ask, config, ledger=ledger, site_key=site_key, clock=clock)
    outcomes = check_images(plan.planned, stage_settings.preparer(config, plan.drawn))
    if site_key is None:
        outcomes = tuple(map(_without_key, outcomes))
    halted = find_missing_rosters(run_history.find_emptied(ask, ledger))
    return RunReport(
        run=ask.run,
        command=ask.command,
        started=started,
        finished=clock.now(),
        exit=find_exit_code(outcomes, plan.files, halted),
        tenant=stage_settings.tenant_of(config) if site_key or not config.api.placeholders else None,
        contract=config.api.contract,
        outcomes=outcomes,
        files=plan.files,
        unassigned_images=plan.unclaimed,
        unreadable_images=plan.unread,
        traffic=Traffic(limit=config.limits.requests_per_second),
        halt=halted,
        out=ask.out,
        seals=ask.seals,
        notices=(*plan.notices, *find_exposed_files(config, ())),
        absent_unresolved=plan.absent,
        review_mark=site_key.reviews() if site_key else None,
        invocation=ask.invocation,
        arguments=ask.arguments,
    )


async def run(
    ask: RunRequest,
    config: Config,
    *,
    ledger: Ledger,
    site_key: SiteKey,
    limiter: Limiter,
    credentials: Callable[[], Credentials],
    clock: Clock,
    stop: StopSignal,
    confirm: Callable[[RunPreview], bool] = lambda _: True,
    watch: Callable[[RowOutcome], None] = lambda _: None,
    outages: OutageMonitor | None = None,
    aside: bool = False,
) -> RunReport | None:
    """Send what has to be sent; None when ``confirm`` said no, and then nothing happened.

    ``credentials`` are asked for only when something has to be sent. ``watch`` hears of each row that is sent, as it ends;
    ``outages`` tells meanwhile whether the service answers.
    ``aside`` does the offline half in a thread, for a loop that has other work as well.
    """
    started = clock.now()
    saved = review.read(ask.review, site_key.reviews()) if ask.review else None
    said = review.find_new_judgements(saved, ledger.list_judgements()) if saved else {}
    judged = {identity: Judgement(each, started) for identity, each in said.items()}
    prepare = partial(prepare_run, ask, config, ledger=ledger, site_key=site_key, clock=clock, judged=judged)
    plan = await asyncio.to_thread(prepare) if aside else prepare()
    if config.unknown == "probe":
        run_history.require_certificate(ledger, config.api.contract, started)
    limits = stage_settings.guards(ask, config)
    ready = _to_send(plan, ask, ledger)
    told = review.count_judgements(saved, _open_to_review(plan.planned)) if saved else None
    record = stage_settings.record(ask, config, started)
    forbidden = _guarded(ready, plan, limits, record, ledger, emptied=run_history.find_emptied(ask, ledger))
    chosen = ready[: ask.limit]
    found = (
        credentials() if ready and forbidden is None else None
    )  # before the question: none is asked in vain
    titles = [cell.header for each in plan.planned[:1] for cell in each.doctor.row.fields.values()]
    unread = bool(plan.files) and all(report.status == "refused" for report in plan.files)
    foretell = partial(stage_settings.forecast, guarded=forbidden is not None, unread=unread, titles=titles)
    if not confirm(foretell(plan.planned, chosen, config, told)):
        return None
    ledger.record_files(plan.stats)
    ledger.begin_run(record)
    ledger.record_checked_sizes(plan.checked)
    if saved and said:
        at = min(saved.saved, started)  # a browser's clock may be ahead
        ledger.record_judgements(said, at=at, who=record.user, why=f"review of {saved.run}")
    stood = tuple(map(outcome_if_not_sent, plan.planned))
    presenter = Presenter("en", Masker.of_doctors(each.doctor for each in plan.planned))
    record_rows(ledger, ask.run, stood, presenter)
    ledger.record_marks(find_new_marks(plan.planned, site_key.digest))

    ready_picture = stage_settings.preparer(config, plan.drawn)
    submitted = Submitted(tuple(map(build_not_sent_outcome, ready)), forbidden)
    notices = (*plan.notices, *find_exposed_files(config, found.files if found else ()))
    if found is not None:
        async with (
            stage_settings.client(config, found, clock) as client,
            share_connection_slots(
                limiter, (CREATE, UPLOAD), stage_settings.doors(config)
            ) as connection_slots,
        ):
            context = CallContext(
                client=client,
                limiter=limiter,
                ledger=ledger,
                clock=clock,
                agent=stage_settings.agent(config),
                contract=stage_settings.contract_of(config),
                run=ask.run,
                mask=presenter.mask_answer,
                run_state=RunState(stop.event, clock, RunGuards(limits, plan.seals), found.source, outages),
                connection_slots=connection_slots,
            )
            creates = asyncio.Semaphore(stage_settings.creates_in_flight(config))
            submission = Submission(
                CreateSender(context, Uploader(context), creates),
                ready_picture,
                stage_settings.workers(config),
                watch,
                ask.limit,
                stage_settings.deadline_timestamp(limits, clock),
            )
            submitted = await submission.run(ready)
            notices += (*find_wrong_clock(client.clock_offset), *find_deprecations(submitted.deprecated))

    sent = {outcome.row_plan.index: outcome for outcome in submitted.outcomes}
    rest = [outcome for outcome in stood if outcome.row_plan.index not in sent]
    sent |= {outcome.row_plan.index: outcome for outcome in finish_unsent_rows(rest, ready_picture)}
    outcomes = tuple(sent[row_plan.index] for row_plan in plan.planned)
    left = {ready[place].index for place in submitted.kept_back}
    left |= {outcome.row_plan.index for outcome in rest if outcome.status is Status.READY}
    counting = outcomes if ask.command == "run" else [each for each in outcomes if _covered(each)]
    if ask.only_keys:
        counting = [each for each in outcomes if each.doctor.key in ask.only_keys]
    night = RunReport(
        run=ask.run,
        command=ask.command,
        started=started,
        finished=clock.now(),
        exit=find_exit_code(counting, plan.files, submitted.halted, signal=stop.signal, left_out=left),
        tenant=stage_settings.tenant_of(config),
        contract=config.api.contract,
        outcomes=outcomes,
        files=plan.files,
        unassigned_images=plan.unclaimed,
        unreadable_images=plan.unread,
        traffic=stage_settings.traffic(config, limiter, submitted),
        halt=submitted.halted,
        out=ask.out,
        seals=ask.seals,
        notices=notices,
        absent_unresolved=plan.absent,
        review_mark=site_key.reviews(),
        invocation=ask.invocation,
        arguments=ask.arguments,
    )
    return record_run_end(night, ledger, stood, presenter)


def _guarded(
    ready: Sequence[RowPlan],
    plan: RunPlan,
    limits: Guards,
    record: RunRecord,
    ledger: Ledger,
    *,
    emptied: Sequence[str],
) -> Halt | None:
    """Return why the night does not begin, if it does not; rows of a refused file are no rows that went away."""
    whole = all(report.status == "read" for report in plan.files)
    doctors = [each.doctor for each in plan.planned]
    people = {doctor.key or display_name(doctor) or doctor.row_id for doctor in doctors}
    last = partial(run_history.LastRun, ledger, record)
    return check_plan(
        ready,
        len(people),
        limits,
        seals=plan.seals,
        seen=ledger.find_seen_rows,
        before_new=last(stopped_by="TOO_MANY_NEW"),
        before_shrunk=last(stopped_by="ROSTER_SHRUNK") if whole else None,
        emptied=emptied,
    )


def _to_send(plan: RunPlan, ask: RunRequest, ledger: Ledger) -> list[RowPlan]:
    """Return the rows to send: all that are ready, or of a retry those that its run left undone.

    A corrected row has another id and perhaps another number: it is known by its place, too. First go those whose turn
    did not come the last time.
    """
    ready = [each for each in plan.planned if each.status is Status.READY]
    if ask.only_keys:
        return [each for each in ready if each.doctor.key in ask.only_keys]
    if ask.retried_run is None:
        waiting = run_history.find_previously_unsent(ledger)
        return sorted(ready, key=lambda each: each.doctor.row_id not in waiting)
    undone = [seen for seen in ledger.list_rows(ask.retried_run) if seen.status in RETRYABLE_STATUSES]
    ids = {seen.row_id for seen in undone}
    keys = {seen.key for seen in undone if seen.key}
    places = {(seen.file, seen.sheet, seen.row) for seen in undone}
    mask = Masker.of_doctors(each.doctor for each in plan.planned).mask_text

    def place(origin: Origin) -> tuple[str, str | None, int]:
        """Return where a row stands as the ledger has it."""
        return mask(origin.file), mask(origin.sheet) if origin.sheet else None, origin.row

    return [
        each
        for each in ready
        if each.doctor.row_id in ids or each.doctor.key in keys or place(each.doctor.row.origin) in places
    ]


def _open_to_review(planned: Iterable[RowPlan]) -> Iterator[str]:
    """Yield the ids of the judgements on which it depends whether something is sent."""
    for each in planned:
        if each.review is not None and each.status in {Status.READY, Status.NOT_SENT, Status.REJECTED}:
            yield each.review.id


def _covered(outcome: RowOutcome) -> bool:
    """Tell whether a row is one that `retry` may touch: its exit code counts no others."""
    return outcome.row_plan.status in RETRYABLE_STATUSES
