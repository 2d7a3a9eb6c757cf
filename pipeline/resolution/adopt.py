"""Enters seals made elsewhere, from a sheet with number and SealId, or from the outcomes.jsonl of an earlier installation.

The numbers of outcomes.jsonl are masked, so its rows are matched with the present rosters: by key where the site key is the
same, else by name and last four digits, and by these only where they mean one person on both sides.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.masking import mask_id, mask_text
from pipeline.domain.message import Message
from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Doctor, Field, FileReport, Problem, Row
from pipeline.domain.row_record import RowLine
from pipeline.domain.run import RunRequest
from pipeline.domain.seals import Person, fold_seal_id, is_seal_id, list_doctor_texts
from pipeline.domain.site_key import SiteKey
from pipeline.errors import UsageError
from pipeline.esign.contracts import list_sent_texts
from pipeline.esign.products import Agent
from pipeline.intake.fields.normalize import strip_quotes
from pipeline.intake.fields.validate import validate_rows
from pipeline.intake.layout.column_titles import fold_title
from pipeline.intake.read_rosters import is_results_workbook, read_rosters
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import AdoptedSeal
from pipeline.messages.areas import get_pair
from pipeline.messages.catalogue import join_messages, make_finished_message, make_message
from pipeline.planning.known_people import unite_persons
from pipeline.reports.explanations import describe_problem
from pipeline.reports.presenter import Presenter
from pipeline.resolution.decide import describe_recorded_seal
from pipeline.workflow import stage_settings
from pipeline.workflow.recorded_runs import RUN
from pipeline.workflow.run_request import build_request
from pipeline.workflow.tenant_ledger import WarningOutput, lock_ledger

SEAL_ID_TITLES = frozenset(
    fold_title(title)
    for title in ("印章ID", "印章编号", "印章编码", "电子印章ID", "签章ID", "SealId", "seal_id", "Seal ID")
)
_OUTCOMES_SUFFIX = ".jsonl"


@dataclass(frozen=True, slots=True)
class LineAddress:
    """A line of a sheet, and one of its cells."""

    sheet: str  # or the file, where it has no sheets
    row: int
    cell: str | None = None

    def as_message(self) -> Message:
        """Return the address in words."""
        key = "resolve.place_cell" if self.cell else "resolve.place"
        return make_message(key, sheet=self.sheet, row=self.row, cell=self.cell)


@dataclass(frozen=True, slots=True)
class AdoptableSeals:
    """The seals that a file gives, and the lines that give none, each with the reason."""

    seals: tuple[AdoptedSeal, ...]
    known: int  # lines whose seal the ledger holds already
    refused: Mapping[LineAddress, Message]  # why, and what to do

    def describe_others(self) -> str:
        """Return how many seals the ledger had already and how many rows are not entered, to go on a sentence."""
        counts = {"adopted.known": self.known, "adopted.refused": len(self.refused)}
        return join_messages([make_message(key, n=n) for key, n in counts.items() if n], between="")


@dataclass(frozen=True, slots=True)
class _Claim:
    """A line that gives a SealId to a doctor."""

    key: str
    doctor: Doctor
    seal_id: str
    seal_name: str | None
    address: LineAddress


def adopt_seals(
    config: Config,
    clock: Clock,
    file: Path,
    *,
    who: str,
    why: str,
    invocation: str,
    warnings: WarningOutput,
) -> AdoptableSeals:
    """Enter the seals that a file gives, all or none; a missing ledger is made."""
    with lock_ledger(config, "adopt", clock, warnings=warnings) as (ledger, site_key):
        request = build_request("adopt", config, clock, invocation=invocation)
        adoptable = _read_seals(file, request, config, ledger, site_key, today=clock.today())
        if adoptable.seals:
            ledger.record_adopted_seals(adoptable.seals, now=clock.now(), who=who, why=why)
    return adoptable


def _read_seals(
    file: Path, request: RunRequest, config: Config, ledger: Ledger, site_key: SiteKey, *, today: date
) -> AdoptableSeals:
    """Read the seals that a file gives; of the outcomes of a run together with the present rosters."""
    if is_results_workbook(file):
        raise UsageError("resolve.results_workbook", path=file, then=("adopt", "--help"))
    has_outcomes = file.suffix.lower() == _OUTCOMES_SUFFIX
    rows, files = read_rosters(
        request.rosters if has_outcomes else [file],
        columns=config.columns,
        options=stage_settings.build_read_options(request, config),
    )
    doctors = unite_persons(
        validate_rows(
            rows,
            settings=stage_settings.build_field_settings(config),
            today=today,
            site_key=site_key,
        ),
        snapshot=ledger.snapshot(),
    )
    refused: dict[LineAddress, Message] = {}
    if has_outcomes:
        claims = _claim_by_outcomes(file, doctors, site_key.tenant, refused)
    else:
        claims = _claim_by_sheet(rows, doctors, files, refused)
    return _check_claims(claims, refused, ledger, site_key, agent=stage_settings.build_agent(config))


def _claim_by_outcomes(
    path: Path, doctors: Sequence[Doctor], tenant: str, refused: dict[LineAddress, Message]
) -> list[_Claim]:
    """Return the claims of the outcomes of a run of this tenant; ``doctors`` are those of the present rosters."""
    doctors_by_key: dict[str, Doctor] = {}
    keys_by_person: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for doctor in doctors:
        if doctor.key and doctor.name and doctor.number:
            doctors_by_key[doctor.key] = doctor
            keys_by_person[make_name_key(doctor.name), doctor.number[-4:]].add(doctor.key)
    all_lines = _read_outcomes(path, tenant)
    lines = {row: line for row, line in enumerate(all_lines, 1) if line.seal_id}
    if all_lines and not lines:
        raise UsageError("resolve.no_row_with_seal_id", n=len(all_lines), then=("resolve",))
    has_site_key = any(line.key in doctors_by_key for line in lines.values())
    persons = Counter(map(_name_person, lines.values()))
    claims: list[_Claim] = []
    for row, line in lines.items():
        address = LineAddress(path.name, row)
        person = _name_person(line)
        keys = {line.key or ""} & doctors_by_key.keys() if has_site_key else keys_by_person[person]
        if len(keys) == 1 and (has_site_key or persons[person] == 1):
            (key,) = keys
            seal_name = line.get(Field.SEAL_NAME)
            claims.append(_Claim(key, doctors_by_key[key], line.seal_id or "", seal_name, address))
        else:
            name = line.get(Field.NAME)
            if name is None:
                refused[address] = make_message("resolve.no_name")
            else:
                refused[address] = make_message("resolve.several" if keys else "resolve.nobody", name=name)
    return claims


def _name_person(line: RowLine) -> tuple[str, str]:
    """Return the name key and the last four digits of a row's doctor."""
    return make_name_key(line.get(Field.NAME) or ""), (line.get(Field.NUMBER) or "")[-4:]


def _read_outcomes(path: Path, tenant: str) -> list[RowLine]:
    """Return the rows of a run; UsageError unless its run.json names this tenant: the seals of a rehearsal belong to no person."""
    record: Any = None
    with suppress(OSError, ValueError):
        record = json.loads(path.with_name(RUN).read_text("utf-8"))
    lines = []
    for row, text in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        try:
            lines.append(RowLine.from_text(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError("resolve.no_outcomes", path=path, row=row) from error
    if not isinstance(record, dict) or any(line.run != record.get("run") for line in lines):
        raise UsageError("resolve.no_run_record", path=path, record=path.with_name(RUN))
    if record.get("tenant") != tenant:
        raise UsageError("resolve.other_tenant", path=path, tenant=record.get("tenant"), ours=tenant)
    return lines


def _claim_by_sheet(
    rows: Sequence[Row],
    doctors: Sequence[Doctor],
    files: Sequence[FileReport],
    refused: dict[LineAddress, Message],
) -> list[_Claim]:
    """Return the claims of a roster-like sheet that has a SealId column beside name and number."""
    for report in files:
        if report.path.suffix.lower() in {".yaml", ".yml"}:
            raise UsageError("resolve.no_table", path=report.path, then=("adopt", "--help"))
        if report.status != "read":
            raise UsageError("resolve.not_a_sheet", path=report.path, codes=_join_sentences(report.problems))
    claims = []
    for row, doctor in zip(rows, doctors, strict=True):
        seal_id, cell = _get_seal_id(row)
        sheet = mask_text(row.origin.sheet or row.origin.file)
        address = LineAddress(sheet, row.origin.row, cell)
        if doctor.key is None or doctor.number is None:
            number_cell = row.address(Field.NUMBER)
            refused[LineAddress(sheet, row.origin.row, number_cell)] = _describe_number_problems(doctor)
        elif any(cell.display_text.strip() in get_pair("seals.is_abandoned") for cell in row.cells):
            refused[address] = make_message("resolve.seal_abandoned")
        elif not seal_id:
            refused[address] = make_message("resolve.seal_id_missing")
        else:
            claims.append(_Claim(doctor.key, doctor, seal_id, doctor.seal_name, address))
    has_seal_ids = any(fold_title(cell.header) in SEAL_ID_TITLES for row in rows for cell in row.cells)
    if rows and not has_seal_ids:
        raise UsageError("resolve.no_seal_ids")
    if rows and not any(_get_seal_id(row)[0] for row in rows):
        raise UsageError("resolve.no_row_with_seal_id", n=len(rows), then=("resolve",))
    return claims


def _check_claims(
    claims: Sequence[_Claim],
    refused: dict[LineAddress, Message],
    ledger: Ledger,
    site_key: SiteKey,
    *,
    agent: Agent,
) -> AdoptableSeals:
    """Compare all claims with the ledger and with each other."""
    seals: list[AdoptedSeal] = []
    known = 0
    snapshot, ended = ledger.snapshot(), set(map(fold_seal_id, ledger.list_seal_ids(ended=True)))
    other_ids = {*ledger.attempt_ids(), *ledger.list_request_ids(), *list_sent_texts(agent)}
    rows_of_person: defaultdict[str, list[int]] = defaultdict(list)
    rows_of_seal_id: defaultdict[str, list[int]] = defaultdict(list)
    for claim in claims:
        rows_of_person[claim.key].append(claim.address.row)
        rows_of_seal_id[fold_seal_id(claim.seal_id)].append(claim.address.row)
    names = Counter(claim.seal_name for claim in claims)  # elsewhere all seals may bear one name
    owners = {
        fold_seal_id(history.seal.seal_id or ""): key
        for key, history in snapshot.people.items()
        if history.seal
    }
    for claim in claims:
        key, doctor, seal_id, seal_name = claim.key, claim.doctor, claim.seal_id, claim.seal_name
        history, folded = snapshot.people.get(key), fold_seal_id(claim.seal_id)
        if owners.get(folded) == key:
            known += 1
        elif not is_seal_id(seal_id, (*list_doctor_texts(doctor), *other_ids)):
            refused[claim.address] = make_message("resolve.no_seal_id", seal_id=mask_text(seal_id))
        elif reason := (
            _get_conflict(claim, history, owners.get(folded, key), ended, ledger)
            or _get_second_claim("resolve.person_twice", claim, rows_of_person[key])
            or _get_second_claim("resolve.seal_id_twice", claim, rows_of_seal_id[folded])
        ):
            refused[claim.address] = reason
        else:
            has_name = snapshot.seal_name_owners.get(seal_name or "", key) == key and names[seal_name] == 1
            own_name = seal_name if has_name else None
            traits = (doctor.comparable_staff_no, doctor.mobile, doctor.name and make_name_key(doctor.name))
            digests = [site_key.digest(trait) if trait else "" for trait in traits]
            number = mask_id(doctor.number or "")
            seals.append(AdoptedSeal(key, seal_id, doctor.name, number, own_name, *digests))
    in_order = sorted(refused.items(), key=lambda refusal: refusal[0].row)
    return AdoptableSeals(tuple(seals), known, dict(in_order))


def _get_conflict(
    claim: _Claim, history: Person | None, owner: str, ended: Collection[str], ledger: Ledger
) -> Message | None:
    """Return why the ledger does not allow a SealId for a doctor."""
    doctor, seal_id = claim.doctor, claim.seal_id
    if history is not None and history.seal is not None:
        recorded = describe_recorded_seal(ledger, doctor.key or "", history.seal.seal_id or "")
        return make_message(
            "resolve.has_seal", seal_id=history.seal.seal_id, name=doctor.name, recorded=recorded
        )
    if history is not None and history.unresolved_attempt is not None:
        return make_message("resolve.unsettled", name=doctor.name, seal_id=seal_id)
    if fold_seal_id(seal_id) in ended:
        return make_message("resolve.seal_ended")
    if owner == doctor.key:
        return None
    person = ledger.read_person(owner)
    return make_message(
        "resolve.others_seal",
        seal_id=seal_id,
        owner=person.name or "—",
        tail=(person.id_masked or "—")[-4:],
        recorded=describe_recorded_seal(ledger, owner, seal_id),
    )


def _get_second_claim(key: str, claim: _Claim, rows: Sequence[int]) -> Message | None:
    """Return which other lines are about the same person, or give the same SealId."""
    if len(rows) == 1:
        return None
    others = [row for row in rows if row != claim.address.row]
    return make_message(key, rows=join_messages(others))


def _get_seal_id(row: Row) -> tuple[str, str | None]:
    """Return the SealId of a line and the address of its cell."""
    cell = next((cell for cell in row.cells if fold_title(cell.header) in SEAL_ID_TITLES), None)
    if cell is None:
        return "", None
    seal_id = strip_quotes(cell.display_text.strip())  # an apostrophe begins a text in CSV
    return seal_id, f"{cell.column}{row.origin.row}" if cell.column else None


def _describe_number_problems(doctor: Doctor) -> Message:
    """Return what is wrong with a line's identity number, in the words used for a roster's row."""
    errors = [
        problem
        for problem in doctor.problems
        if problem.severity == "error" and problem.field is Field.NUMBER
    ]
    return _join_sentences(errors) if errors else make_message("resolve.number_unusable")


def _join_sentences(problems: Sequence[Problem]) -> Message:
    zh, en = (
        " ".join(describe_problem(problem, Presenter(language)) for problem in problems)
        for language in ("zh", "en")
    )
    return make_finished_message("resolve.number_unusable", zh, en)
