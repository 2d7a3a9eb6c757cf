"""Builds the report of a run and records it: each row and the end in the ledger, an early end in a run.json.

Of a run that ends before it has results, `status` finds the reason in run.json (`pipeline.workflow.recorded_runs`).
Also found here: faults of files that stop no run and have to be repaired.
"""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.environment import get_misread_name
from pipeline.config.named_paths import LEDGER_SECRET_FILE, ROSTER_PASSWORD_FILE, SERVER_PASSWORD_FILE
from pipeline.config.settings import Config
from pipeline.domain.auto_sign import AutoSignCounts
from pipeline.domain.roster import FileReport, ImageFile, UnassignedFile
from pipeline.domain.run import (
    INTERRUPTED,
    Halt,
    HaltExit,
    Notice,
    RowOutcome,
    RunReport,
    RunRequest,
    Status,
    Traffic,
    more_severe_exit,
)
from pipeline.domain.seals import Bearer
from pipeline.errors import (
    CredentialsMissing,
    DiskTrouble,
    EsignImportError,
    HoldLost,
    LedgerError,
    Locked,
    NotReadNow,
    PreparationFailed,
    UsageError,
)
from pipeline.intake.pairing.image_index import Candidate
from pipeline.intake.readers.discover import get_lock_file
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import RowRecord, RunRecord
from pipeline.reports.presenter import Presenter
from pipeline.reports.records import record_outcome, run_record, start_record
from pipeline.support.atomic_files import write_json
from pipeline.support.rights import is_exposed
from pipeline.workflow.recorded_runs import RUN

# it imports Pillow, which a run that finds the lock taken does not need
if TYPE_CHECKING:
    from pipeline.intake.images.prepare import ImageExaminer
    from pipeline.intake.pairing.image_index import ImageListing

LOG = logging.getLogger(__name__)
_MOST_DIGESTED = 500  # pictures of rejected rows, at the end of one run
CODES: tuple[tuple[type[EsignImportError], str], ...] = (
    (CredentialsMissing, "CREDENTIALS_MISSING"),
    (Locked, "LOCKED"),
    (NotReadNow, "NOT_READ_NOW"),
    (PreparationFailed, "BEFORE_RUN"),
    (DiskTrouble, "DISK"),
    (HoldLost, "HOLD_LOST"),
    (LedgerError, "LEDGER_REFUSED"),
    (UsageError, "USAGE"),
)


def start_report(config: Config, *, run: str, command: str, started: float, out: Path | None) -> RunReport:
    """Return the report of a run without rows; its results go into a folder of its own unless ``out`` is given."""
    return RunReport(
        run=run,
        command=command,
        started=started,
        finished=started,
        tenant=None if config.api.placeholders else config.tenant,
        contract=config.api.contract,
        traffic=Traffic(limit=config.limits.requests_per_second),
        out=out or config.resolve_path(config.out) / run,
    )


def start_report_of_rows(
    request: RunRequest,
    config: Config,
    started: float,
    *,
    files: Sequence[FileReport],
    images: ImageListing,
    pictures: Iterable[ImageFile],
    unassigned_images: Sequence[UnassignedFile],
    absent_unresolved: int,
) -> RunReport:
    """Return the part of a report that is known from the plan."""
    return replace(
        start_report(config, run=request.run, command=request.command, started=started, out=request.out),
        files=tuple(files),
        unassigned_images=unassigned_images,
        unreadable_images=tuple(images.unreadable),
        seals=request.seals,
        missing_seals=request.missing_seals,
        roster_folders=request.roster_folders,
        are_seals_empty=request.seals is not None and not (images.candidates or images.unreadable),
        are_seals_misread=request.seals is not None and get_misread_name(request.seals) is not None,
        notices=(*list_open_rosters(files), *list_hard_links(pictures, images.candidates)),
        absent_unresolved=absent_unresolved,
        invocation=request.invocation,
        arguments=request.arguments,
        accepted_guards=request.accept_guards,
        restrictions=tuple(_list_restrictions(request)),
    )


def _list_restrictions(request: RunRequest) -> Iterator[str]:
    """Yield why a run sends a part of the rows only, as it was typed; the people of ``--only`` are left out."""
    if request.retried_run:
        yield request.command
    if request.only:
        yield "--only"
    if request.checked is not None:
        yield f"--checked {request.checked.run}"
    if request.limit is not None:
        yield f"--limit {request.limit}"


def end_report(report: RunReport, finished: float, halt: Halt | None = None) -> RunReport:
    """Return the report of a run that ends without rows, for a reason or because there is nothing to do."""
    return replace(report, finished=finished, exit=halt.exit if halt else 0, halt=halt)


def build_halt(error: BaseException) -> Halt:
    """Return why an exception ends a run; its sentence is a message, which is rendered when it is read."""
    import asyncio  # noqa: PLC0415 - it imports ssl: `check` needs neither

    if isinstance(error, OSError):
        error = DiskTrouble.of(error)
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
        return Halt("CUT_SHORT", "", INTERRUPTED)
    if isinstance(error, EsignImportError):
        code = next((code for kind, code in CODES if isinstance(error, kind)), "")
        if code:
            exit_code: HaltExit = error.exit_code  # type: ignore[assignment]
            return Halt(code, error.as_message(), exit_code)
    return Halt("BUG", type(error).__name__, 1)


def write_run_json(report: RunReport, folders: Iterable[Path]) -> None:
    """Write a report's run.json into these folders, as far as they can be written."""
    for folder in dict.fromkeys(folders):
        with suppress(OSError):
            write_json(folder / RUN, run_record(report))


# -- the ledger


def record_run_start(
    ledger: Ledger, record: RunRecord, report: RunReport, presenter: Presenter, bearers: Sequence[Bearer]
) -> None:
    """Enter a run that begins, with the files that it has read: a run that is killed leaves no more of its run.json.

    ``bearers`` are what its rows show; the numbers of the roster are masked in their texts.
    """
    known = json.dumps(start_record(report, presenter.masker), ensure_ascii=False)
    ledger.begin_run(replace(record, out=presenter.mask_path(record.out), record=known))
    ledger.record_bearers(mask_bearers(bearers, presenter))


def mask_bearers(bearers: Iterable[Bearer], presenter: Presenter) -> list[Bearer]:
    """Return bearers with the numbers of the roster masked in their texts."""
    mask = presenter.mask_text
    return [replace(one, shown_name=mask(one.shown_name), position=mask(one.position)) for one in bearers]


def record_rows(ledger: Ledger, run: str, outcomes: Iterable[RowOutcome], presenter: Presenter) -> None:
    """Enter the outcomes of rows; ``presenter`` masks the numbers of all rows of the run.

    A line does not hold the run's id, so that equal runs are stored once. It holds the (masked) details of each problem,
    so that it can be shown in either language.
    """
    ledger.record_rows(run, _RowRecords(outcomes, presenter))


class _RowRecords:
    """The records of rows, in the order of the rows' ids, made when they are read: 100,000 of them are 150 MB."""

    def __init__(self, outcomes: Iterable[RowOutcome], presenter: Presenter) -> None:
        self._outcomes = sorted(outcomes, key=lambda outcome: outcome.doctor.row_id or "")
        self._presenter = presenter

    def __iter__(self) -> Iterator[RowRecord]:
        lines = (record_outcome(outcome, run="", presenter=self._presenter) for outcome in self._outcomes)
        return map(RowRecord.from_line, lines)


def record_run_end(
    report: RunReport,
    ledger: Ledger,
    initial_outcomes: Sequence[RowOutcome],
    presenter: Presenter,
    images: ImageExaminer,
) -> RunReport:
    """Enter the end of the run; a disk that fails now may change the exit code, never the outcomes.

    ``initial_outcomes`` were entered before anything was sent: rows that are still the same are not entered again.
    """
    changed = [
        outcome
        for outcome, initial in zip(report.outcomes, initial_outcomes, strict=True)
        if outcome is not initial and outcome != initial
    ]
    try:
        if changed:
            record_rows(ledger, report.run, changed, presenter)
        ledger.record_pixels(_digest_unsent_images(report.outcomes, ledger.pictures_without_pixels(), images))
        report = replace(report, auto_sign=_count_auto_sign(ledger, report.finished))
        record = json.dumps(run_record(report, presenter.masker), ensure_ascii=False)
        ledger.finish_run(report.run, exit=report.exit, finished=report.finished, record=record)
    except LedgerError as error:
        LOG.exception("the run's end could not be recorded")
        halt = (
            Halt("HOLD_LOST", error.reason, 6)
            if isinstance(error, HoldLost)
            else Halt("LEDGER", error.reason, 74)
        )
        return replace(report, exit=more_severe_exit(report.exit, halt.exit), halt=report.halt or halt)
    return report


def _count_auto_sign(ledger: Ledger, now: float) -> AutoSignCounts | None:
    """Return how many people with a seal can sign; None where the service was never asked."""
    records = ledger.list_auto_sign_records().values()
    if not records:
        return None
    people = ledger.snapshot().people.values()
    return AutoSignCounts.count(records, sealed=sum(person.seal is not None for person in people), now=now)


def _digest_unsent_images(
    outcomes: Iterable[RowOutcome], wanted: Collection[str], images: ImageExaminer
) -> dict[str, str]:
    """Return the digests of the pixels of rejected rows' pictures by their sha256, as far as they are ``wanted``.

    A row that is sent later may have the same picture in another format. What a seal or a create was made from is known.
    """
    digests: dict[str, str] = {}
    for outcome in outcomes:
        doctor = outcome.doctor
        shown = [*doctor.contested_images, *(image for _, image in doctor.rival_images)]
        if doctor.picture is not None:
            shown.append(doctor.picture)
        for image in shown if outcome.status is Status.REJECTED else ():
            is_wanted = (
                image.sha256 in wanted and image.sha256 not in digests and len(digests) < _MOST_DIGESTED
            )
            if not is_wanted:
                continue
            with suppress(OSError):  # the work folder cannot be written: the rows have ended all the same
                if pixels := images.examine(image).pixels:
                    digests[image.sha256] = pixels
    return digests


# -- faults of files


def list_open_rosters(files: Iterable[FileReport]) -> Iterator[Notice]:
    """Yield a notice for each roster beside which an office program has put its lock file."""
    for report in files:
        lock = get_lock_file(report.path)
        if lock is not None:
            yield Notice("ROSTER_OPEN", {"files": report.path.name, "lock": lock.name})


def list_hard_links(pictures: Iterable[ImageFile], candidates: Iterable[Candidate]) -> Iterator[Notice]:
    """Yield one notice where pictures of doctors are hard links; ``candidates`` are the files of the picture folder."""
    suspects = {str(candidate.path) for candidate in candidates if candidate.may_be_linked}
    if not suspects:
        return
    locations = dict.fromkeys(picture.location for picture in pictures if not picture.stored_path)
    linked = [path for path in map(Path, filter(suspects.__contains__, locations)) if _is_hard_link(path)]
    if linked:
        yield Notice("IMAGE_HARD_LINK", {"n": str(len(linked)), "file": linked[0].name})


def _is_hard_link(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_nlink > 1


def list_exposed_files(config: Config, secret_files: Sequence[Path]) -> Iterator[Notice]:
    """Yield one notice where rights let other users read a secret file, or a configuration that holds a password."""
    files = [*secret_files, *([config.secret_file] if config.secret_file else [])]
    names = [ROSTER_PASSWORD_FILE, LEDGER_SECRET_FILE, SERVER_PASSWORD_FILE]
    files += [config.resolve_path(config.secrets_dir) / name for name in names] if config.secrets_dir else []
    exposed = [str(path) for path in dict.fromkeys(files) if is_exposed(path)]
    if exposed:
        yield Notice("FILE_EXPOSED", {"files": ", ".join(exposed)})
