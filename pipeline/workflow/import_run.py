"""Runs one import: read, validate, pair, plan, send, record.

``check`` is ``run`` cut before the network: both call `prepare_run`, so both find the same problems. Ledger, limiter,
credentials and clock come from outside; `pipeline.workflow.finish` writes the results.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.masking import Masker
from pipeline.domain.path_digests import PathDigests
from pipeline.domain.roster import Doctor
from pipeline.domain.run import (
    Halt,
    Notice,
    RowOutcome,
    RowPlan,
    RunPreview,
    RunRequest,
    Status,
    compute_exit_code,
)
from pipeline.domain.seals import Bearer
from pipeline.domain.site_key import SiteKey
from pipeline.intake.conflicts import add_unread_problems, flag_conflicts
from pipeline.intake.fields.validate import assign_row_ids, validate_rows
from pipeline.intake.images.prepare import ImageExaminer
from pipeline.intake.pairing.departments import name_sheet_departments
from pipeline.intake.pairing.image_index import index_images, list_images
from pipeline.intake.pairing.match import MatchResult, match_images
from pipeline.intake.pairing.picture_column import list_contested_images
from pipeline.intake.read_rosters import read_rosters
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import RunRecord
from pipeline.planning.checked_plan import RowNames, get_changed_plan_halt
from pipeline.planning.guards import (
    NO_SEALS,
    check_plan,
    get_untrusted_answer_halt,
    list_emptied_folders,
)
from pipeline.planning.known_people import compute_new_digests, unite_persons
from pipeline.planning.plan import PlanRules, plan_rows, prepare_images
from pipeline.reports.presenter import Presenter
from pipeline.workflow import stage_settings
from pipeline.workflow.roster_changes import describe_changes
from pipeline.workflow.run_plan import (
    EndedRun,
    LedgerView,
    RunInputs,
    RunPlan,
    RunResources,
    RunStart,
    exchange_plan,
)
from pipeline.workflow.run_preview import preview_run
from pipeline.workflow.run_report import (
    list_exposed_files,
    mask_bearers,
    record_rows,
    record_run_end,
    record_run_start,
    start_report_of_rows,
)
from pipeline.workflow.tenant_ledger import (
    WARNING_LOG,
    LedgerOfCheck,
    WarningOutput,
    enter_checked_persons,
    open_ledger_for_check,
)


def prepare_run(
    request: RunRequest,
    config: Config,
    *,
    ledger: Ledger | None,
    site_key: SiteKey | None,
    clock: Clock,
    images: ImageExaminer | None = None,
    to_send: bool = True,
) -> RunPlan:
    """Read, validate, pair and plan. No network. `check` and `run` share this function.

    Without a ``site_key`` rows have no ids. The pictures of doctors without a seal are examined, each once; ``images`` has examined some of them before. Not
    ``to_send``: no picture is prepared; rows that wait for a decision are the same.
    """
    started, view = clock.now(), LedgerView(ledger, site_key)
    examiner = images or stage_settings.build_image_examiner(config)
    inputs = _read(request, config, site_key)
    doctors = _validate(inputs, config, view, clock)
    rows = [(doctor.key, doctor.name) for doctor in doctors]
    decided = view.make_decided_pictures(examiner, rows)
    earlier = view.make_earlier_evidence(decided, examiner)
    matches = match_images(
        doctors,
        index_images(inputs.images),
        known_files=view.known_files,
        now=started,
        images=examiner,
        earlier=earlier,
    )
    doctors = _flag_conflicts(matches, view, examiner)
    rules = stage_settings.build_plan_rules(
        request, config, view.person_digests, started, images=examiner, decided=decided
    )
    row_plans = _plan(doctors, view, rules, to_send=to_send)
    if request.command == "check":
        ready = [row_plan.doctor for row_plan in row_plans if row_plan.status is Status.READY]
        new_bearers = earlier.list_new_persons(ready, request.run)
    else:
        new_bearers = earlier.list_new_bearers(doctors, request.run)
    absent_unresolved = view.count_absent_unresolved({doctor.key for doctor in doctors})
    return RunPlan(
        row_plans=row_plans,
        report=start_report_of_rows(
            request,
            config,
            started,
            files=inputs.files,
            images=inputs.images,
            pictures=[doctor.picture for doctor in matches.doctors if doctor.picture is not None],
            unassigned_images=matches.unassigned_files,
            absent_unresolved=absent_unresolved,
        ),
        file_stats=matches.stats,
        images=examiner,
        seal_counts=view.count_seals(),
        new_bearers=new_bearers,
        untrusted_answer=get_untrusted_answer_halt(view.snapshot.people.values()),
    )


def run_check(
    request: RunRequest,
    config: Config,
    clock: Clock,
    *,
    has_tenant: bool,
    warnings: WarningOutput = WARNING_LOG,
) -> EndedRun:
    """Find everything that a run would find, pictures decoded, without a call; enter the persons of the rows that are ready.

    Without ids of the account in the configuration there is no ledger.
    """
    opened = (
        open_ledger_for_check(config, clock, warnings=warnings)
        if has_tenant
        else nullcontext(LedgerOfCheck())
    )
    with opened as known:
        persons, ended = _check(request, config, known, clock)
    if known.ledger is not None:
        enter_checked_persons(config, clock, persons, warnings=warnings)
    return ended


def _check(
    request: RunRequest, config: Config, known: LedgerOfCheck, clock: Clock
) -> tuple[list[Bearer], EndedRun]:
    """Return who stands newly in the rows that are ready, and the check."""
    ledger, site_key, is_behind = known
    plan = prepare_run(request, config, ledger=ledger, site_key=site_key, clock=clock)
    hidden, masker = _hide_numbers(plan, request, site_key)
    outcomes = tuple(map(RowOutcome.of_plan, hidden.row_plans))
    ready = [row_plan for row_plan in plan.row_plans if row_plan.status is Status.READY]
    halt = None
    if ledger is not None:
        record = stage_settings.build_run_record(request, config, plan.report.started, ledger.site_key)
        halt = _check_guards(plan, ready, request, config, ledger=ledger, record=record)
    preview = preview_run(
        hidden.row_plans, ready, plan.report.files, config, None, is_first=plan.seal_counts == NO_SEALS
    )
    if ledger is not None:
        changes = describe_changes(ledger, request, plan.report, outcomes, Presenter("en", masker))
        preview = replace(preview, changes=changes)
    requests = _name_rows(plan, config, site_key).list_rows(plan.row_plans)
    row_plans = plan.row_plans
    if site_key is None:
        row_plans, outcomes = _remove_keys(row_plans, outcomes)
    report = replace(
        hidden.report,
        finished=clock.now(),
        exit=compute_exit_code(outcomes, plan.report.files, halt),
        tenant=config.tenant if site_key else plan.report.tenant,
        outcomes=outcomes,
        halt=halt,
        notices=(
            *([Notice("LEDGER_BEHIND")] if is_behind else ()),
            *plan.report.notices,
            *list_exposed_files(config, ()),
        ),
        site_digest=site_key.check() if site_key else None,
        preview=replace(
            preview, requests=requests, has_keys=site_key is not None, stopped_by_guard=halt is not None
        ),
        masker=masker,
    )
    return mask_bearers(plan.new_bearers, Presenter("en", masker)), EndedRun(report, row_plans)


async def run_import(request: RunRequest, config: Config, resources: RunResources) -> EndedRun | None:
    """Send what has to be sent; None when the preview was not confirmed, and then nothing happened."""
    from pipeline.workflow import send_rows  # noqa: PLC0415 - `check` imports no aiohttp

    plan = await _prepare(request, config, resources)
    start = await _decide_start(plan, request, config, resources)
    hidden, masker = _hide_numbers(plan, request, resources.site_key)
    presenter = Presenter("en", masker)
    preview = _preview(hidden, start, request, config)
    if resources.observer.shows_changes:
        planned = map(RowOutcome.of_plan, hidden.row_plans)
        changes = describe_changes(resources.ledger, request, plan.report, planned, presenter)
        preview = replace(preview, changes=changes)
    if not resources.observer.confirm(preview):
        return None
    ledger = resources.ledger
    initial_outcomes = _record_start(hidden, start, ledger, presenter)
    ledger.record_person_digests(compute_new_digests(plan.row_plans, resources.site_key))
    sent = await send_rows.send_rows(plan, start, request, config, resources, masker=masker)
    outcomes = _merge_outcomes(initial_outcomes, sent.outcomes)
    exposed = list_exposed_files(config, start.credentials.files if start.credentials else ())
    report = replace(
        hidden.report,
        finished=resources.clock.now(),
        exit=send_rows.compute_run_exit_code(
            request, hidden, outcomes, sent, covered=start.covered, signal=resources.stop.signal
        ),
        outcomes=outcomes,
        traffic=sent.traffic,
        halt=sent.halt,
        notices=(*plan.report.notices, *exposed, *sent.notices),
        site_digest=resources.site_key.check(),
        masker=masker,
    )
    report = record_run_end(report, ledger, initial_outcomes, presenter, plan.images)
    return EndedRun(report, plan.row_plans)


# -- the steps before the network


def _read(request: RunRequest, config: Config, site_key: SiteKey | None) -> RunInputs:
    """Read the rosters, and list the pictures."""
    options = stage_settings.build_read_options(request, config)
    rows, files = read_rosters(request.rosters, columns=config.columns, options=options)
    return RunInputs(rows, list(assign_row_ids(rows, site_key)), files, list_images(request.seals))


def _validate(inputs: RunInputs, config: Config, view: LedgerView, clock: Clock) -> list[Doctor]:
    """Validate rows, and give them the keys under which the ledger knows their people."""
    doctors = validate_rows(
        inputs.rows,
        settings=stage_settings.build_field_settings(config),
        today=clock.today(),
        site_key=view.person_digests,
        row_ids=inputs.row_ids,
        known_keys=view.known_keys,
    )
    return _assign_sheet_departments(unite_persons(doctors, view.snapshot))


def _assign_sheet_departments(doctors: Sequence[Doctor]) -> list[Doctor]:
    """Return the doctors, those without a department column with the department after which their sheet is named.

    It is shown to people. It finds no picture, goes into no seal name, and is no content of a row.
    """
    names = name_sheet_departments(
        {doctor.row.origin.roster_list for doctor in doctors if doctor.has_ward_alone}
    )
    assigned = []
    for doctor in doctors:
        department = names.get(doctor.row.origin.roster_list) if doctor.has_ward_alone else None
        assigned.append(replace(doctor, sheet_department=department) if department else doctor)
    return assigned


def _flag_conflicts(matches: MatchResult, view: LedgerView, examiner: ImageExaminer) -> list[Doctor]:
    """Return the matched doctors with the problems of several rows with each other."""
    # the pictures of doctors who have a seal are not opened again
    unsealed = [doctor for doctor in matches.doctors if doctor.key not in view.known_keys]
    contested = [image for doctor in unsealed for image in list_contested_images(doctor)]
    pictures = [doctor.picture for doctor in unsealed if doctor.picture is not None] + contested
    examiner.examine_all(pictures)
    identical = examiner.group_identical(pictures) | dict.fromkeys(examiner.list_blank(pictures), "")
    return flag_conflicts(
        add_unread_problems(matches.doctors, examiner.list_unread(pictures)),
        identical,
        view.snapshot.other_persons,
        person_ids=matches.person_ids,
    )


def _plan(
    doctors: Sequence[Doctor], view: LedgerView, rules: PlanRules, *, to_send: bool
) -> tuple[RowPlan, ...]:
    """Compare the rows with the ledger: each has its status, or the request to send."""
    row_plans = plan_rows(doctors, view.snapshot, rules)
    if not to_send:
        return tuple(row_plans)
    return tuple(prepare_images(row_plans, view.snapshot, rules))


def _check_guards(
    plan: RunPlan,
    ready: Sequence[RowPlan],
    request: RunRequest,
    config: Config,
    *,
    ledger: Ledger,
    record: RunRecord,
) -> Halt | None:
    """Return why nothing is sent: a guard that looks at the plan, or an answer that cannot be trusted."""
    doctors = [row_plan.doctor for row_plan in plan.row_plans]
    people = {doctor.key or doctor.display_name or doctor.row_id for doctor in doctors}
    unknown = [row_plan.doctor for row_plan in ready if row_plan.history is None]
    halt = check_plan(
        stage_settings.build_guards(request, config),
        ledger,
        record,
        newcomers={doctor.row_id: doctor.key for doctor in unknown if doctor.row_id is not None},
        people=len(people),
        seal_counts=plan.seal_counts,
        files=plan.report.files,
        paths=request.make_path_digests(ledger.site_key),
        emptied_folders=list_emptied_folders(request, ledger),
    )
    return halt or plan.untrusted_answer


def _name_rows(plan: RunPlan, config: Config, site_key: SiteKey | None) -> RowNames:
    return RowNames.of_files(site_key, plan.report.files, config.digest_text())


def _hide_numbers(plan: RunPlan, request: RunRequest, site_key: SiteKey | None) -> tuple[RunPlan, Masker]:
    """Return the plan as all may see it that do not send: its rows hold no whole number and no request; and their masker.

    Its files have the digests by which later runs know them, where there is a ledger.
    """
    masker = Masker.of_doctors(row_plan.doctor for row_plan in plan.row_plans)
    row_plans = []
    for row_plan in plan.row_plans:
        doctor = masker.hide_doctor(row_plan.doctor, row_plan.problems)
        problems = masker.hide_problems(row_plan.problems)
        row_plans.append(replace(row_plan, doctor=doctor, request=None, problems=problems))
    images = []
    for image in plan.report.unassigned_images:
        similar = tuple(masker.hide_doctor(doctor, ()) for doctor in image.similar)
        images.append(replace(image, similar=similar))
    files = list(plan.report.files)
    if site_key is not None:
        paths = request.make_path_digests(site_key)
        files = [replace(file, digests=_digest_file(file.path, paths, masker)) for file in files]
    report = replace(plan.report, unassigned_images=images, files=tuple(files))
    return replace(plan, row_plans=tuple(row_plans), report=report), masker


def _digest_file(path: Path, paths: PathDigests, masker: Masker) -> Mapping[str, str]:
    """Return the digests of a roster's file: its path, its folder, and the masked path that stands in the lines of its rows."""
    rows = paths.site_key.digest(masker.mask_path(path))
    return {"path": paths.digest(path), "folder": paths.digest(path.parent), "rows": rows}


# -- the steps of a run that sends


async def _prepare(request: RunRequest, config: Config, resources: RunResources) -> RunPlan:
    """Prepare the run, in a thread where the event loop has other work."""
    import asyncio  # noqa: PLC0415 - it imports ssl: `check` needs neither

    def prepare() -> RunPlan:
        return prepare_run(
            request,
            config,
            ledger=resources.ledger,
            site_key=resources.site_key,
            clock=resources.clock,
        )

    return await asyncio.to_thread(prepare) if resources.prepare_in_thread else prepare()


async def _decide_start(
    plan: RunPlan, request: RunRequest, config: Config, resources: RunResources
) -> RunStart:
    """Return what is to be sent, or why nothing is; the guards look at the plan before the question."""
    from pipeline.workflow import send_rows  # noqa: PLC0415 - `check` imports no aiohttp

    ledger = resources.ledger
    has_keys = request.checked is None or request.checked.has_keys
    names = _name_rows(plan, config, resources.site_key if has_keys else None)
    covered = send_rows.list_covered_rows(plan, request, ledger, names)
    ready = send_rows.select_rows_to_send(plan.row_plans, covered, ledger)
    record = stage_settings.build_run_record(request, config, plan.report.started, ledger.site_key)
    halt = None
    if request.checked is not None:
        halt = get_changed_plan_halt(
            request.checked, request.only, names, plan.row_plans, ready=ready, covered=covered
        )
    halt = halt or _check_guards(plan, ready, request, config, ledger=ledger, record=record)
    # looked for before the question, so that it is not asked in vain
    credentials = resources.credentials.find() if ready and halt is None else None
    if credentials is not None:
        await credentials.get_current()
    guards = stage_settings.build_guards(request, config)
    return RunStart(ready, covered, guards, record, halt, credentials)


def _preview(plan: RunPlan, start: RunStart, request: RunRequest, config: Config) -> RunPreview:
    """Return what the run is about to do."""
    ready = [plan.row_plans[row_plan.index] for row_plan in start.ready]
    return preview_run(
        plan.row_plans,
        ready,
        plan.report.files,
        config,
        start.halt,
        is_first=plan.seal_counts == NO_SEALS,
        limit=request.limit,
    )


def _record_start(
    plan: RunPlan,
    start: RunStart,
    ledger: Ledger,
    presenter: Presenter,
) -> tuple[RowOutcome, ...]:
    """Enter in the ledger how the run begins; return the outcome of each row before anything is sent."""
    record = start.record
    initial_outcomes = tuple(map(RowOutcome.of_plan, plan.row_plans))
    ledger.record_files(plan.file_stats)
    report = replace(plan.report, outcomes=initial_outcomes)
    record_run_start(ledger, record, report, presenter, plan.new_bearers)
    record_rows(ledger, record.run, initial_outcomes, presenter)
    return initial_outcomes


# -- the outcomes of the rows


def _remove_keys(
    row_plans: Sequence[RowPlan], outcomes: Sequence[RowOutcome]
) -> tuple[tuple[RowPlan, ...], tuple[RowOutcome, ...]]:
    """Return plans and outcomes without keys of people: they were made with a key that is no secret. People are numbered."""
    people: dict[str, int] = {}
    whole, hidden = [], []
    for row_plan, outcome in zip(row_plans, outcomes, strict=True):
        key = row_plan.doctor.key
        person = people.setdefault(key, len(people)) if key else None
        whole.append(_remove_key(row_plan, person))
        hidden.append(replace(outcome, row_plan=_remove_key(outcome.row_plan, person)))
    return tuple(whole), tuple(hidden)


def _remove_key(row_plan: RowPlan, person: int | None) -> RowPlan:
    return replace(row_plan, doctor=replace(row_plan.doctor, key=None), person=person)


def _merge_outcomes(
    initial_outcomes: Sequence[RowOutcome], sent: Iterable[RowOutcome]
) -> tuple[RowOutcome, ...]:
    """Return one outcome a row, in the order of the plan: of those that were to be sent, and of all others.

    The numbers of those that were sent are hidden, as those of the others are.
    """
    by_index = {outcome.row_plan.index: outcome for outcome in sent}
    outcomes = []
    for outcome in initial_outcomes:
        if outcome.row_plan.index in by_index:
            outcomes.append(exchange_plan(by_index[outcome.row_plan.index], outcome.row_plan))
        elif outcome.status is Status.READY:
            outcomes.append(RowOutcome.not_sent(outcome.row_plan))
        else:
            outcomes.append(outcome)
    return tuple(outcomes)
