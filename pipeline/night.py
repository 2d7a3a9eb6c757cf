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

from pipeline import earlier, review, wiring
from pipeline.clock import Clock
from pipeline.closing import closed, see
from pipeline.config import Config
from pipeline.course import Course
from pipeline.doors import doors_of
from pipeline.esign.contract import CREATE, UPLOAD
from pipeline.esign.pace import Limiter
from pipeline.esign.signing import Credentials
from pipeline.examine import examine, unsent
from pipeline.exits import exit_code
from pipeline.guards import Guards, Watch, before, find_missing_rosters
from pipeline.intake.across import compare, mark_unread
from pipeline.intake.corrections import gather
from pipeline.intake.image import twins
from pipeline.intake.ocr import cross_check
from pipeline.intake.pair import pair
from pipeline.intake.pictures import index
from pipeline.intake.read import read_rosters
from pipeline.intake.validate import validate
from pipeline.ledger.protocol import Ledger, RunRecord
from pipeline.ledger.sitekey import KEY_BYTES, SiteKey
from pipeline.model import (
    UNDONE,
    Ask,
    Forecast,
    Halt,
    Judgement,
    Night,
    Notice,
    Outcome,
    Past,
    Planned,
    Snapshot,
    Status,
    Traffic,
)
from pipeline.notices import (
    find_deprecations,
    find_exposed_files,
    find_hard_links,
    find_open_rosters,
    find_wrong_clock,
)
from pipeline.outage import OutageMonitor
from pipeline.plan import drawn_by, meet, standing
from pipeline.results.facts import name_of
from pipeline.results.privacy import mask_answer, mask_text, numbers_of
from pipeline.roster import FileReport, FileStat, Origin
from pipeline.same_person import find_new_marks, unite_persons
from pipeline.sealed_corrections import note_sealed_corrections
from pipeline.sending import Sender
from pipeline.sent_sizes import examine_sent_sizes
from pipeline.submit import Submission, Submitted, not_sent

PLAIN_KEY = SiteKey(bytes(KEY_BYTES), "")  # of a check without a ledger: the same people are one all the same


@dataclass(slots=True)
class Stop:
    """Set from outside to drain; ``signal`` is the number of what asked for it."""

    event: asyncio.Event = field(default_factory=asyncio.Event)
    signal: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything that is known before the first call."""

    planned: tuple[Planned, ...]
    files: tuple[FileReport, ...]
    unclaimed: tuple[Path, ...]
    unread: Sequence[tuple[str, str]]  # places of pictures that could not be read, and why
    stats: Mapping[str, FileStat]  # fingerprints to remember
    drawn: Mapping[str, Past]  # digest of pixels -> whose seal shows them
    absent: int  # people whose last create has no verdict and who are not in the rosters
    seals: int  # live ones in the ledger
    notices: Sequence[Notice]
    checked: Collection[str]  # SealIds of older seals whose pictures were surely sent whole


def draft(
    ask: Ask,
    config: Config,
    *,
    ledger: Ledger | None,
    site_key: SiteKey | None,
    clock: Clock,
    judged: Mapping[str, Judgement] = MappingProxyType({}),
) -> Draft:
    """Read, judge, pair, compare and plan: the offline half, the same for `check` and `run`.

    ``judged`` is what a review says beside what the ledger remembers of earlier ones. Without a ``site_key`` people are
    told apart by PLAIN_KEY: the digests it makes must not leave this process. Rows have no ids then.
    """
    identify = site_key or PLAIN_KEY
    snapshot = ledger.snapshot() if ledger else Snapshot({}, {})
    judge = partial(
        validate,
        defaults=wiring.defaults(config),
        today=clock.today(),
        identify=identify,
        known={past.key for past in snapshot.people.values() if past.seal or past.unsettled},
    )
    read = partial(read_rosters, columns=config.columns, manner=wiring.manner(ask, config))
    collect = partial(gather, to_fix_only=ask.to_fix_only, guessed=ask.guessed, identify=site_key)
    found = collect(read, ask.rosters, ask.context)
    snapshot = ledger.snapshot() if ledger else Snapshot({}, {})
    unite = partial(unite_persons, snapshot=snapshot, person_key=identify.person)
    doctors = unite(judge(found.rows, ids=found.row_ids))
    others = unite(judge(found.others, ids=found.other_ids))
    known = ledger.known_files() if ledger else {}
    library = index(ask.seals)
    pairing = pair(
        [*doctors, *others],
        library,
        known=known,
        keep=wiring.keeper(config),
        sealed=wiring.find_sealed(snapshot, ledger, site_key),
        paired_before=wiring.find_paired_before(ledger),
    )
    same = twins(wiring.undrawn(pairing.doctors, snapshot))
    compared = compare(mark_unread(pairing.doctors, same.unread), same.same, snapshot.other_persons)[
        : len(doctors)
    ]
    if config.pictures.ocr:
        compared = cross_check(compared, beside=others, work=config.path(config.work))
    judged = {**(ledger.judgements() if ledger else {}), **judged}
    beside = {doctor.key for doctor in others if doctor.key}
    examined = examine_sent_sizes(compared, snapshot, wiring.sent_size(config))
    rules = wiring.rules(ask, config, site_key, clock, judged, shrunk=examined.shrunk)
    planned = meet(compared, snapshot, rules, beside=beside)
    planned = note_sealed_corrections(planned, ledger, snapshot, rules.day_of)
    absent = _unsettled(snapshot) - {doctor.key for doctor in doctors}
    seals = sum(past.seal is not None for past in snapshot.people.values())
    return Draft(
        planned=tuple(planned),
        files=tuple(found.files),
        unclaimed=pairing.unclaimed,
        unread=library.unreadable,
        stats=pairing.stats,
        drawn=drawn_by(snapshot, lambda made: made.pixels),
        absent=len(absent),
        seals=seals,
        notices=(*find_open_rosters(found.files), *find_hard_links(pairing.doctors)),
        checked=examined.checked,
    )


def _without_key(outcome: Outcome) -> Outcome:
    """Return an outcome without the person's key: it was made with a key that is no secret."""
    doctor = replace(outcome.doctor, key=None)
    return replace(outcome, planned=replace(outcome.planned, doctor=doctor))


def _unsettled(snapshot: Snapshot) -> set[str | None]:
    return {past.key for past in snapshot.people.values() if past.unsettled is not None}


def check(
    ask: Ask, config: Config, *, ledger: Ledger | None, site_key: SiteKey | None, clock: Clock
) -> Night:
    """Find everything that a run would find, pictures decoded, without a call."""
    started = clock.now()
    plan = draft(ask, config, ledger=ledger, site_key=site_key, clock=clock)
    outcomes = examine(plan.planned, wiring.preparer(config, plan.drawn))
    if site_key is None:
        outcomes = tuple(map(_without_key, outcomes))
    halted = find_missing_rosters(earlier.find_emptied(ask, ledger))
    return Night(
        run=ask.run,
        command=ask.command,
        started=started,
        finished=clock.now(),
        exit=exit_code(outcomes, plan.files, halted),
        tenant=wiring.tenant_of(config) if site_key or not config.api.placeholders else None,
        contract=config.api.contract,
        outcomes=outcomes,
        files=plan.files,
        unclaimed=plan.unclaimed,
        unread=plan.unread,
        traffic=Traffic(limit=config.limits.requests_per_second),
        halted=halted,
        out=ask.out,
        seals=ask.seals,
        notices=(*plan.notices, *find_exposed_files(config, ())),
        absent=plan.absent,
        reviews=site_key.reviews() if site_key else None,
        invocation=ask.invocation,
        arguments=ask.arguments,
    )


async def run(
    ask: Ask,
    config: Config,
    *,
    ledger: Ledger,
    site_key: SiteKey,
    limiter: Limiter,
    credentials: Callable[[], Credentials],
    clock: Clock,
    stop: Stop,
    confirm: Callable[[Forecast], bool] = lambda _: True,
    watch: Callable[[Outcome], None] = lambda _: None,
    outages: OutageMonitor | None = None,
    aside: bool = False,
) -> Night | None:
    """Send what has to be sent; None when ``confirm`` said no, and then nothing happened.

    ``credentials`` are asked for only when something has to be sent. ``watch`` hears of each row that is sent, as it ends;
    ``outages`` tells meanwhile whether the service answers.
    ``aside`` does the offline half in a thread, for a loop that has other work as well.
    """
    started = clock.now()
    saved = review.read(ask.review, site_key.reviews()) if ask.review else None
    said = review.anew(saved, ledger.judgements()) if saved else {}
    judged = {identity: Judgement(each, started) for identity, each in said.items()}
    prepare = partial(draft, ask, config, ledger=ledger, site_key=site_key, clock=clock, judged=judged)
    plan = await asyncio.to_thread(prepare) if aside else prepare()
    if config.unknown == "probe":
        earlier.require_certificate(ledger, config.api.contract, started)
    limits = wiring.guards(ask, config)
    ready = _to_send(plan, ask, ledger)
    told = review.tally(saved, _open_to_review(plan.planned)) if saved else None
    record = wiring.record(ask, config, started)
    forbidden = _guarded(ready, plan, limits, record, ledger, emptied=earlier.find_emptied(ask, ledger))
    chosen = ready[: ask.limit]
    found = (
        credentials() if ready and forbidden is None else None
    )  # before the question: none is asked in vain
    titles = [cell.header for each in plan.planned[:1] for cell in each.doctor.row.fields.values()]
    unread = bool(plan.files) and all(report.status == "refused" for report in plan.files)
    foretell = partial(wiring.forecast, guarded=forbidden is not None, unread=unread, titles=titles)
    if not confirm(foretell(plan.planned, chosen, config, told)):
        return None
    ledger.remember_files(plan.stats)
    ledger.begin_run(record)
    ledger.note_checked_sizes(plan.checked)
    if saved and said:
        at = min(saved.saved, started)  # a browser's clock may be ahead
        ledger.judge(said, at=at, who=record.user, why=f"review of {saved.run}")
    stood = tuple(map(standing, plan.planned))
    numbers = numbers_of(each.doctor for each in plan.planned)
    see(ledger, ask.run, stood, numbers)
    ledger.remember_marks(find_new_marks(plan.planned, site_key.digest))

    ready_picture = wiring.preparer(config, plan.drawn)
    submitted = Submitted(tuple(map(not_sent, ready)), forbidden)
    notices = (*plan.notices, *find_exposed_files(config, found.files if found else ()))
    if found is not None:
        async with (
            wiring.client(config, found, clock) as client,
            doors_of(limiter, (CREATE, UPLOAD), wiring.doors(config)) as doors,
        ):
            sender = Sender(
                client=client,
                limiter=limiter,
                ledger=ledger,
                clock=clock,
                agent=wiring.agent(config),
                contract=config.api.contract,
                run=ask.run,
                mask=partial(mask_answer, numbers=numbers),
                course=Course(stop.event, clock, Watch(limits, plan.seals), found.source, outages),
                creates=asyncio.Semaphore(wiring.creates_in_flight(config)),
                doors=doors,
            )
            submission = Submission(
                sender,
                ready_picture,
                wiring.workers(config),
                watch,
                ask.limit,
                wiring.stops_at(limits, clock),
            )
            submitted = await submission.go(ready)
            notices += (*find_wrong_clock(client.offset), *find_deprecations(submitted.deprecated))

    sent = {id(each): outcome for each, outcome in zip(ready, submitted.outcomes, strict=True)}
    rest = [each for each in stood if id(each.planned) not in sent]
    sent |= {
        id(each.planned): outcome for each, outcome in zip(rest, unsent(rest, ready_picture), strict=True)
    }
    outcomes = tuple(sent[id(each)] for each in plan.planned)
    left = frozenset(id(each) for place, each in enumerate(ready) if place in submitted.kept_back)
    left |= {id(each.planned) for each in rest if each.status is Status.READY}
    counting = outcomes if ask.command == "run" else [each for each in outcomes if _covered(each)]
    if ask.only:
        counting = [each for each in outcomes if each.doctor.key in ask.only]
    night = Night(
        run=ask.run,
        command=ask.command,
        started=started,
        finished=clock.now(),
        exit=exit_code(counting, plan.files, submitted.halted, signal=stop.signal, left=left),
        tenant=wiring.tenant_of(config),
        contract=config.api.contract,
        outcomes=outcomes,
        files=plan.files,
        unclaimed=plan.unclaimed,
        unread=plan.unread,
        traffic=wiring.traffic(config, limiter, submitted),
        halted=submitted.halted,
        out=ask.out,
        seals=ask.seals,
        notices=notices,
        absent=plan.absent,
        reviews=site_key.reviews(),
        invocation=ask.invocation,
        arguments=ask.arguments,
    )
    return closed(night, ledger, stood, numbers)


def _guarded(
    ready: Sequence[Planned],
    plan: Draft,
    limits: Guards,
    record: RunRecord,
    ledger: Ledger,
    *,
    emptied: Sequence[str],
) -> Halt | None:
    """Return why the night does not begin, if it does not; rows of a refused file are no rows that went away."""
    whole = all(report.status == "read" for report in plan.files)
    doctors = [each.doctor for each in plan.planned]
    people = {doctor.key or name_of(doctor) or doctor.row_id for doctor in doctors}
    last = partial(earlier.LastRun, ledger, record)
    return before(
        ready,
        len(people),
        limits,
        seals=plan.seals,
        seen=ledger.seen_before,
        before_new=last(stopped_by="TOO_MANY_NEW"),
        before_shrunk=last(stopped_by="ROSTER_SHRUNK") if whole else None,
        emptied=emptied,
    )


def _to_send(plan: Draft, ask: Ask, ledger: Ledger) -> list[Planned]:
    """Return the rows to send: all that are ready, or of a retry those that its run left undone.

    A corrected row has another id and perhaps another number: it is known by its place, too. First go those whose turn
    did not come the last time.
    """
    ready = [each for each in plan.planned if each.status is Status.READY]
    if ask.only:
        return [each for each in ready if each.doctor.key in ask.only]
    if ask.of_run is None:
        waiting = earlier.left_over(ledger)
        return sorted(ready, key=lambda each: each.doctor.row_id not in waiting)
    undone = [seen for seen in ledger.rows_of(ask.of_run) if seen.status in UNDONE]
    ids = {seen.row_id for seen in undone}
    keys = {seen.key for seen in undone if seen.key}
    places = {(seen.file, seen.sheet, seen.row) for seen in undone}
    mask = partial(mask_text, numbers=numbers_of(each.doctor for each in plan.planned))

    def place(origin: Origin) -> tuple[str, str | None, int]:
        """Return where a row stands as the ledger has it."""
        return mask(origin.file), mask(origin.sheet) if origin.sheet else None, origin.row

    return [
        each
        for each in ready
        if each.doctor.row_id in ids or each.doctor.key in keys or place(each.doctor.row.origin) in places
    ]


def _open_to_review(planned: Iterable[Planned]) -> Iterator[str]:
    """Yield the ids of the judgements on which it depends whether something is sent."""
    for each in planned:
        if each.review is not None and each.status in {Status.READY, Status.NOT_SENT, Status.REJECTED}:
            yield each.review.id


def _covered(outcome: Outcome) -> bool:
    """Tell whether a row is one that `retry` may touch: its exit code counts no others."""
    return outcome.planned.status in UNDONE
