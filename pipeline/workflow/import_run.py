"""Runs one import: read rosters, validate rows, match images, flag conflicts, plan, send, record the outcomes.

``check`` is ``run`` cut before the network: both call `prepare_run`, so both find the same problems. Ledger, limiter,
credentials and clock come from outside; `pipeline.workflow.finish` writes the results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.bearer import Bearer
from pipeline.domain.masking import Masker
from pipeline.domain.roster import Doctor, FileStat, Row
from pipeline.domain.run import (
    Halt,
    Judgement,
    RowOutcome,
    RowPlan,
    RunPreview,
    RunReport,
    RunRequest,
    find_exit_code,
)
from pipeline.esign.signing import CredentialsSource
from pipeline.intake.conflicts import flag_conflicts, mark_unread
from pipeline.intake.fields.validate import validate_rows
from pipeline.intake.images.identical import find_identical_images
from pipeline.intake.images.name_ocr import check_names_in_images
from pipeline.intake.pairing.image_index import index_images
from pipeline.intake.pairing.match import MatchResult, match_images
from pipeline.intake.pairing.picture_column import list_contested_files
from pipeline.ledger.protocol import Ledger, RunRecord
from pipeline.ledger.tenant import SiteKey
from pipeline.planning.guards import (
    NO_SEALS,
    Guards,
    SealCounts,
    check_plan,
    find_emptied_folders,
    find_missing_rosters,
    find_untrusted_answer,
    require_certificate,
)
from pipeline.planning.known_people import (
    find_new_marks,
    note_sealed_corrections,
    unite_persons,
)
from pipeline.planning.plan import find_owners_by_image, plan_rows
from pipeline.planning.review import SavedReview, load_review
from pipeline.planning.unsent_rows import (
    ImagePreparer,
    build_initial_outcome,
    check_images,
    merge_outcomes,
    remove_key,
)
from pipeline.reports.presenter import Presenter
from pipeline.workflow import stage_settings
from pipeline.workflow.ledger_view import LedgerView
from pipeline.workflow.run_inputs import read_inputs
from pipeline.workflow.run_report import (
    find_exposed_files,
    record_rows,
    record_run_end,
    record_run_start,
    start_report_of_rows,
)

if TYPE_CHECKING:  # they import asyncio: `check` does not need it
    from pipeline.esign.rate_limiter import Limiter
    from pipeline.sending.circuit_breaker import OutageMonitor
    from pipeline.sending.run_state import StopSignal


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResources:
    """The things that a run works with, apart from its request and its configuration."""

    ledger: Ledger
    site_key: SiteKey
    limiter: Limiter
    find_credentials: Callable[[], CredentialsSource]  # called only when something has to be sent
    clock: Clock
    stop: StopSignal
    confirm: Callable[[RunPreview], bool] = lambda _: True
    on_row_end: Callable[[RowOutcome], None] = lambda _: None  # called with each row that is sent, as it ends
    outages: OutageMonitor | None = None  # shows meanwhile whether the service answers
    was_silent: bool = False  # the service did not answer another hospital a moment ago
    prepare_in_thread: bool = False  # for an event loop that has other work as well


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Everything that is known before the first call."""

    row_plans: tuple[RowPlan, ...]
    report: RunReport  # as far as it is known yet
    file_stats: Mapping[str, FileStat]  # fingerprints to remember
    image_preparer: ImagePreparer
    new_bearers: Sequence[Bearer] = ()  # what the rows show that the ledger does not hold yet
    seal_counts: SealCounts = NO_SEALS  # not counted where there is nothing to send
    untrusted_answer: Halt | None = None  # nothing is sent before it is resolved


def prepare_run(
    request: RunRequest,
    config: Config,
    *,
    ledger: Ledger | None,
    site_key: SiteKey | None,
    clock: Clock,
    new_judgements: Mapping[str, Judgement] = MappingProxyType({}),
    least_prepared: float = inf,
) -> RunPlan:
    """Read, validate, match and plan. No network. `check` and `run` share this function.

    ``new_judgements`` are those of a review file, in addition to the ledger's. Without a ``site_key`` rows have no ids.
    Pictures of at least ``least_prepared`` pixels are prepared where they have to be decoded anyway.
    """
    started, view = clock.now(), LedgerView(ledger, site_key)
    inputs = read_inputs(request, config, site_key)
    rosters = inputs.rosters
    doctors = _validate_rows(rosters.rows, rosters.row_ids, config, view, clock)
    context = _validate_rows(rosters.others, rosters.other_ids, config, view, clock)  # only compared with
    matches = match_images(
        [*doctors, *context],
        index_images(inputs.images),
        known_files=view.known_files,
        now=started,
        store_image=stage_settings.build_image_store(config),
        earlier=(earlier := view.make_earlier_evidence(new_judgements)),
        find_earlier_rows=cache(view.find_earlier_rows),
    )
    image_owners = find_owners_by_image(view.snapshot, lambda content: content.pixels)
    image_preparer = stage_settings.build_image_preparer(config, image_owners)
    doctors = _flag_conflicts(matches, view, image_preparer, least_prepared)[: len(doctors)]
    if config.pictures.ocr:
        doctors = check_names_in_images(doctors, context=context, work=config.resolve_path(config.work))
    rules = stage_settings.build_plan_rules(
        request,
        config,
        site_key,
        clock,
        judgements={**view.judgements, **new_judgements},
    )
    context_keys = {doctor.key for doctor in context if doctor.key}
    row_plans = plan_rows(doctors, view.snapshot, rules, context_person_keys=context_keys)
    row_plans = note_sealed_corrections(row_plans, ledger, view.snapshot, rules.to_day)
    absent_unresolved = view.count_absent_unresolved({doctor.key for doctor in doctors})
    return RunPlan(
        row_plans=tuple(row_plans),
        report=start_report_of_rows(
            request,
            config,
            started,
            inputs,
            matches.doctors,
            unassigned_images=matches.unassigned_files,
            absent_unresolved=absent_unresolved,
        ),
        file_stats=matches.stats,
        image_preparer=image_preparer,
        seal_counts=view.count_seals(),
        new_bearers=earlier.list_new_bearers(doctors, request.run),
        untrusted_answer=find_untrusted_answer(view.snapshot.people.values()),
    )


def run_check(
    request: RunRequest, config: Config, *, ledger: Ledger | None, site_key: SiteKey | None, clock: Clock
) -> RunReport:
    """Find everything that a run would find, pictures decoded, without a call."""
    plan = prepare_run(request, config, ledger=ledger, site_key=site_key, clock=clock, least_prepared=0)
    outcomes = check_images(plan.row_plans, plan.image_preparer)
    if site_key is None:
        outcomes = tuple(map(remove_key, outcomes))
    halt = find_missing_rosters(find_emptied_folders(request, ledger))
    return replace(
        plan.report,
        finished=clock.now(),
        exit=find_exit_code(outcomes, plan.report.files, halt),
        tenant=config.tenant if site_key else plan.report.tenant,
        outcomes=outcomes,
        halt=halt,
        notices=(*plan.report.notices, *find_exposed_files(config, ())),
        review_mark=site_key.reviews() if site_key else None,
    )


async def run_import(request: RunRequest, config: Config, resources: RunResources) -> RunReport | None:
    """Send what has to be sent; None when the preview was not confirmed, and then nothing happened."""
    from pipeline.workflow import send_rows  # noqa: PLC0415 - `check` imports no aiohttp

    ledger, clock = resources.ledger, resources.clock
    mark = resources.site_key.reviews()
    saved_review = load_review(request.review, mark, ledger) if request.review else None
    plan = await _prepare(request, config, resources, saved_review)
    if config.unknown == "probe":
        require_certificate(ledger, config.api.contract, plan.report.started)
    ready = send_rows.select_rows_to_send(plan.row_plans, request, ledger)
    guards = stage_settings.build_guards(request, config)
    record = stage_settings.build_run_record(request, config, plan.report.started)
    halt = _check_guards(plan, ready, guards, record, request=request, ledger=ledger)
    # looked for before the question, so that it is not asked in vain
    credentials = resources.find_credentials() if ready and halt is None else None
    if credentials is not None:
        await credentials.get_current()
    preview = send_rows.preview_run(
        plan.row_plans, ready, plan.report.files, config, halt, limit=request.limit
    )
    if saved_review:
        preview = replace(preview, review_counts=saved_review.count(plan.row_plans))
    if not resources.confirm(preview):
        return None
    presenter = Presenter("en", Masker.of_doctors(row_plan.doctor for row_plan in plan.row_plans))
    initial_outcomes = _record_start(plan, record, resources, saved_review, presenter)
    sent = await send_rows.send_rows(
        plan,
        ready,
        request,
        config,
        resources,
        credentials=credentials,
        halt=halt,
        guards=guards,
        mask=presenter.mask_answer,
    )
    outcomes = merge_outcomes(initial_outcomes, sent.outcomes, plan.image_preparer)
    exposed = find_exposed_files(config, credentials.files if credentials else ())
    report = replace(
        plan.report,
        finished=clock.now(),
        exit=send_rows.find_run_exit_code(request, plan, outcomes, sent, resources.stop.signal),
        outcomes=outcomes,
        traffic=sent.traffic,
        halt=sent.halt,
        notices=(*plan.report.notices, *exposed, *sent.notices),
        review_mark=mark,
        masker=presenter.masker,
    )
    return record_run_end(report, ledger, initial_outcomes, presenter)


def _flag_conflicts(
    matches: MatchResult, view: LedgerView, preparer: ImagePreparer, least_prepared: float
) -> list[Doctor]:
    """Return the matched doctors with the problems of several rows with each other."""
    # the pictures of doctors who have a seal are not opened again
    unsealed = [doctor for doctor in matches.doctors if doctor.key not in view.known_keys]
    contested = [image for doctor in unsealed for image in list_contested_files(doctor)]
    pictures = [doctor.picture for doctor in unsealed if doctor.picture is not None] + contested
    identical = find_identical_images(
        pictures, preparer.find_pixels, prepare_pixels=preparer.prepare_pixels, least_prepared=least_prepared
    )
    return flag_conflicts(
        mark_unread(matches.doctors, identical.unread),
        identical.first_of,
        view.snapshot.other_persons,
        person_ids=matches.person_ids,
    )


def _validate_rows(
    rows: Sequence[Row], row_ids: Sequence[str | None], config: Config, view: LedgerView, clock: Clock
) -> list[Doctor]:
    """Validate rows, and give them the keys under which the ledger knows their people."""
    doctors = validate_rows(
        rows,
        settings=stage_settings.build_field_settings(config),
        today=clock.today(),
        site_key=view.person_digests,
        row_ids=row_ids,
        known_keys=view.known_keys,
    )
    return unite_persons(doctors, view.snapshot)


async def _prepare(
    request: RunRequest, config: Config, resources: RunResources, saved_review: SavedReview | None
) -> RunPlan:
    """Prepare the run, in a thread where the event loop has other work."""
    import asyncio  # noqa: PLC0415 - it imports ssl: `check` needs neither

    def prepare() -> RunPlan:
        return prepare_run(
            request,
            config,
            ledger=resources.ledger,
            site_key=resources.site_key,
            clock=resources.clock,
            new_judgements=saved_review.date_new(resources.clock.now()) if saved_review else {},
            least_prepared=stage_settings.find_least_prepared(config, request.limit),
        )

    return await asyncio.to_thread(prepare) if resources.prepare_in_thread else prepare()


def _check_guards(
    plan: RunPlan,
    ready: Sequence[RowPlan],
    guards: Guards,
    record: RunRecord,
    *,
    request: RunRequest,
    ledger: Ledger,
) -> Halt | None:
    """Return why the run does not begin, if it does not."""
    halt = check_plan(
        guards,
        ledger,
        record,
        row_plans=plan.row_plans,
        ready=ready,
        live_seals=plan.seal_counts.live,
        files=plan.report.files,
        emptied_folders=find_emptied_folders(request, ledger),
    )
    return halt or plan.untrusted_answer


def _record_start(
    plan: RunPlan,
    record: RunRecord,
    resources: RunResources,
    saved_review: SavedReview | None,
    presenter: Presenter,
) -> tuple[RowOutcome, ...]:
    """Enter in the ledger how the run begins; return the outcome of each row before anything is sent."""
    ledger = resources.ledger
    initial_outcomes = tuple(map(build_initial_outcome, plan.row_plans))
    ledger.record_files(plan.file_stats)
    report = replace(plan.report, outcomes=initial_outcomes)
    record_run_start(ledger, record, report, presenter, plan.new_bearers)
    if saved_review is not None:
        saved_review.record_new(ledger, record.started, record.user)
    record_rows(ledger, record.run, initial_outcomes, presenter)
    ledger.record_marks(find_new_marks(plan.row_plans, resources.site_key.digest))
    return initial_outcomes
