"""Doctors who left: a sheet that names them, matched with the ledger by the digest of the number, and their auto-sign closed.

A person names them. Nothing follows from absence in a roster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.autosign.doctors import OpenDoctors
from pipeline.autosign.journalled_calls import ClosingCall, PersonCall
from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.auto_sign import AutoSignCall, AutoSignRecord
from pipeline.domain.masking import Masker, mask_id, mask_text
from pipeline.domain.message import Message
from pipeline.domain.name_key import make_name_key
from pipeline.domain.results_format import COPIES
from pipeline.domain.roster import Doctor, FileReport, Row
from pipeline.domain.seals import LedgerSnapshot, LiveSeal
from pipeline.domain.site_key import SiteKey
from pipeline.errors import EsignImportError, UsageError
from pipeline.esign.auto_sign_calls import Signer
from pipeline.esign.products import Product
from pipeline.intake.fields.validate import validate_rows
from pipeline.intake.read_rosters import read_rosters
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.ownership import WarningOutput
from pipeline.messages.catalogue import make_message
from pipeline.planning.known_people import unite_persons
from pipeline.version import PROGRAM
from pipeline.workflow import stage_settings
from pipeline.workflow.recorded_runs import AUTOSIGN, RUN_FOLDER
from pipeline.workflow.run_request import build_request
from pipeline.workflow.tenant_ledger import WARNING_LOG, lock_ledger, require_ledger


@dataclass(frozen=True, slots=True)
class Leaver:
    """A doctor whom the sheet names and the ledger knows."""

    key: str
    signer: Signer
    seal: LiveSeal
    department: str | None

    @property
    def name(self) -> str:
        """The doctor's name."""
        return self.signer.name

    @property
    def id_masked(self) -> str:
        """The number, the last four digits alone."""
        return mask_id(self.signer.number)


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line of the sheet that names no doctor whose auto-sign can be closed, and why."""

    sheet: str
    row: int
    name: str | None = field(repr=False)
    reason: Message


@dataclass(frozen=True, slots=True)
class LeaverSheet:
    """What a sheet names, with the ledger that this process holds."""

    opened: OpenDoctors
    leavers: Sequence[Leaver]
    refused: Sequence[RefusedLine]


@contextmanager
def open_leaver_sheet(
    config: Config,
    clock: Clock,
    file: Path,
    *,
    run: str,
    invocation: str = PROGRAM,
    warnings: WarningOutput = WARNING_LOG,
) -> Iterator[LeaverSheet]:
    """Hold the lock and the ledger, and read the sheet. Raises UsageError where it cannot be read, Locked during a run."""
    require_ledger(config)
    request = replace(build_request(AUTOSIGN, config, clock, run=run, invocation=invocation), command="check")
    with lock_ledger(config, request, clock, warnings=warnings) as (ledger, site_key):
        rows, doctors, files = _read_doctors([file], config, clock, ledger, site_key)
        for report in files:
            if report.status != "read":
                name = mask_text(report.path.name)
                raise UsageError("autosign.disable.unreadable", file=name, then=("check", str(file)))
        leavers, refused = match_leavers(
            rows,
            doctors,
            ledger.snapshot(),
            ledger.list_auto_sign_records(),
            ledger.list_auto_sign_calls(),
        )
        opened = OpenDoctors(ledger, (), files, Masker.of_doctors(doctors))
        yield LeaverSheet(opened, leavers, refused)


def match_leavers(
    rows: Sequence[Row],
    doctors: Sequence[Doctor],
    snapshot: LedgerSnapshot,
    records: Mapping[str, AutoSignRecord],
    calls: Sequence[AutoSignCall],
) -> tuple[list[Leaver], list[RefusedLine]]:
    """Return the doctors whom the rows name, each once, and the lines that name none."""
    leavers: dict[str, Leaver] = {}
    refused = []
    unclear = _list_unclear(records, calls)
    for row, doctor in zip(rows, doctors, strict=True):
        signer, key = Signer.of_doctor(doctor), doctor.key
        person = snapshot.people.get(key or "")
        reason = None
        if signer is None or key is None:
            reason = make_message("autosign.disable.no_number")
        elif person is None or person.seal is None:
            reason = make_message("autosign.disable.stranger")
        elif person.name and make_name_key(person.name) != make_name_key(signer.name):
            reason = make_message("autosign.disable.other_name")
        elif not signer.has_known_card:
            reason = make_message("autosign.disable.card")
        elif key in unclear:
            reason = make_message("autosign.disable.unclear_before")
        else:
            leavers.setdefault(key, Leaver(key, signer, person.seal, doctor.display_department))
        if reason is not None:
            sheet = mask_text(row.origin.sheet or row.origin.file)
            refused.append(RefusedLine(sheet, row.origin.row, doctor.name, reason))
    return list(leavers.values()), refused


def _list_unclear(records: Mapping[str, AutoSignRecord], calls: Sequence[AutoSignCall]) -> Collection[str]:
    """Return the keys of those whose last call to close had no verdict, and who were not asked for since."""
    last = {call.key: call for call in calls if call.kind == "disable"}
    unclear = set()
    for key, call in last.items():
        record = records.get(key)
        was_asked = record is not None and (record.answered_at or 0.0) > call.begun_at
        if call.verdict in {None, "unknown"} and not was_asked:
            unclear.add(key)
    return unclear


def build_disable_call(leaver: Leaver, product: Product, masker: Masker) -> PersonCall:
    """Return the call that closes a doctor's auto-sign."""
    action = product.auto_sign_disable
    return ClosingCall(kind="disable", action=action, key=leaver.key, signer=leaver.signer, masker=masker)


# -- the numbers that rosters of earlier runs still hold


def collect_kept_numbers(
    config: Config, clock: Clock, ledger: DatabaseLedger, site_key: SiteKey, keys: Collection[str]
) -> dict[str, Signer]:
    """Return whom these keys are, as far as the marked copies of retained runs still hold the numbers; the newest first.

    A copy that cannot be read is passed over.
    """
    kept: dict[str, Signer] = {}
    out = config.resolve_path(config.out)
    folders = [folder for folder in out.glob(f"*/{COPIES}") if RUN_FOLDER.fullmatch(folder.parent.name)]
    for folder in sorted(folders, reverse=True):
        if kept.keys() >= set(keys):
            break
        try:
            _, doctors, _ = _read_doctors([folder], config, clock, ledger, site_key)
        except (EsignImportError, OSError):
            continue
        for doctor in doctors:
            signer = Signer.of_doctor(doctor)
            if signer is not None and doctor.key in keys:
                kept.setdefault(str(doctor.key), signer)
    return kept


def _read_doctors(
    paths: Sequence[Path], config: Config, clock: Clock, ledger: DatabaseLedger, site_key: SiteKey
) -> tuple[list[Row], list[Doctor], list[FileReport]]:
    """Read rosters as `adopt` does: rows and whom they name, by the key of the person in the ledger."""
    request = build_request(AUTOSIGN, config, clock)
    options = stage_settings.build_read_options(request, config)
    rows, files = read_rosters(paths, columns=config.columns, options=options)
    snapshot = ledger.snapshot()
    known = {key for key, person in snapshot.people.items() if person.seal is not None}
    doctors = validate_rows(
        rows,
        settings=stage_settings.build_field_settings(config),
        today=clock.today(),
        site_key=site_key,
        known_keys=known,
    )
    return rows, unite_persons(doctors, snapshot=snapshot), files
