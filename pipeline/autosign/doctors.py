"""The doctors with a seal who stand in the rosters: calls about auto-sign need the whole number, which the ledger does not hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.masking import Masker, mask_id
from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Doctor, FileReport
from pipeline.domain.run import RowPlan
from pipeline.domain.seals import Attempt, Person
from pipeline.esign.auto_sign_calls import Signer
from pipeline.ledger.ledger import Ledger
from pipeline.workflow.import_run import prepare_run
from pipeline.workflow.recorded_runs import AUTOSIGN
from pipeline.workflow.run_request import build_request
from pipeline.workflow.tenant_ledger import WarningOutput, lock_ledger, require_ledger


@dataclass(frozen=True, slots=True)
class SealedDoctor:
    """A doctor with a seal, as a roster of now has the doctor."""

    key: str  # of the person in the ledger
    seal: Attempt
    signer: Signer
    doctor: Doctor = field(repr=False)

    @property
    def name(self) -> str:
        return self.signer.name

    @property
    def department(self) -> str | None:
        """The department, or the ward of the sheet."""
        return self.doctor.display_department

    @property
    def id_masked(self) -> str:
        """The number, the last four digits alone."""
        return mask_id(self.signer.number)

    def is_meant_by(self, query: str) -> bool:
        """Return whether a query means this doctor: name, staff number, number, its last four, seal name, SealId, key."""
        number, doctor = self.signer.number, self.doctor
        words = {
            self.key,
            number,
            number[-4:],
            self.seal.seal_id or "",
            self.seal.seal_name,
            doctor.staff_no or "",
        }
        name_key = make_name_key(query)
        if name_key and name_key == make_name_key(self.name):
            return True
        return bool(query) and query.casefold() in {word.casefold() for word in words}


def _list_sealed_doctors(row_plans: Sequence[RowPlan], people: Mapping[str, Person]) -> list[SealedDoctor]:
    """Return each doctor of these rows who has a live seal, once, in the order of the rosters.

    Of several rows of a doctor the first without an error counts, else the first.
    """
    doctors: dict[str, SealedDoctor] = {}
    for row_plan in sorted(row_plans, key=lambda row_plan: bool(row_plan.doctor.errors)):
        doctor, history = row_plan.doctor, row_plan.history
        key = history.key if history is not None else doctor.key
        person = people.get(key or "")
        signer = Signer.of_doctor(doctor)
        if person is not None and person.seal is not None and signer is not None:
            doctors.setdefault(person.key, SealedDoctor(person.key, person.seal, signer, doctor))
    positions = {row_plan.doctor.row_id: number for number, row_plan in enumerate(row_plans)}
    return sorted(doctors.values(), key=lambda sealed: positions[sealed.doctor.row_id])


@dataclass(frozen=True, slots=True)
class OpenDoctors:
    """The sealed doctors of the rosters, with the ledger that this process holds."""

    ledger: Ledger
    doctors: Sequence[SealedDoctor]
    files: Sequence[FileReport]
    masker: Masker


@contextmanager
def open_sealed_doctors(
    config: Config,
    clock: Clock,
    *,
    run: str,
    invocation: str,
    warnings: WarningOutput,
) -> Iterator[OpenDoctors]:
    """Hold the lock and the ledger, and read the sealed doctors of the configured rosters.

    Raises UsageError where there is no ledger or a roster is missing, Locked where a run is under way.
    """
    require_ledger(config)
    request = build_request(AUTOSIGN, config, clock, run=run, invocation=invocation)
    request = replace(request, command="check")
    with lock_ledger(config, request.run, clock, warnings=warnings) as (ledger, site_key):
        plan = prepare_run(request, config, ledger=ledger, site_key=site_key, clock=clock)
        doctors = _list_sealed_doctors(plan.row_plans, ledger.snapshot().people)
        masker = Masker.of_doctors(row_plan.doctor for row_plan in plan.row_plans)
        yield OpenDoctors(ledger, doctors, plan.report.files, masker)
