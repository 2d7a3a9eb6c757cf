"""`autosign status`: asks the service which doctors with a seal can sign, and keeps each answer in the ledger.

An answer is in the ledger soon after it came. First is asked who was never asked, then who was asked longest ago: the
command goes on where it was interrupted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.autosign.calls import (
    CallObserver,
    CallResources,
    PersonCall,
    send_person_call,
    send_to_all,
)
from pipeline.autosign.doctors import SealedDoctor
from pipeline.clock import stamp
from pipeline.domain.auto_sign import (
    CARD_NOT_QUERIED,
    AutoSignAnswer,
    AutoSignCounts,
    AutoSignRecord,
    AutoSignState,
)
from pipeline.domain.run import Halt, Traffic
from pipeline.errors import LedgerError
from pipeline.esign.auto_sign_calls import StatusReading, build_status_query, read_status
from pipeline.esign.responses import Reading, Reply
from pipeline.sending.exchange import Exchange
from pipeline.support.failpoints import hit_failpoint

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DoctorStatus:
    """A doctor, and what is known of the doctor's auto-sign; None: never asked."""

    doctor: SealedDoctor
    record: AutoSignRecord | None
    state: AutoSignState | None

    def to_dict(self) -> dict[str, Any]:
        """Return the doctor as `autosign status --json` shows one; the number with its last four digits alone."""
        doctor, record = self.doctor, self.record
        return {
            "key": doctor.key,
            "name": doctor.name,
            "staff_no": doctor.doctor.staff_no,
            "department": doctor.department,
            "id_masked": doctor.id_masked,
            "seal_id": doctor.seal.seal_id,
            "state": self.state.value if self.state else None,
            "open": record.is_open if record else None,
            "chosen_seal_id": record.seal_id if record else None,
            "license_to": _stamp(record.license_to) if record else None,
            "answered": _stamp(record.answered_at) if record else None,
            "asked": _stamp(record.asked_at) if record else None,
            "code": record.code if record else None,
            "request_id": record.request_id if record else None,
        }


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What is known of the doctors of the rosters after the service was asked, and how the asking went."""

    doctors: Sequence[DoctorStatus]
    action: str  # the call
    asked: int  # who got an answer, or a refusal
    halt: Halt | None = None
    signal: int | None = None  # that stopped it
    traffic: Traffic = field(default_factory=Traffic)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as `autosign status --json` shows it."""
        return {
            **self.counts.to_dict(),
            "asked": self.asked,
            "halted": {"code": self.halt.code, "exit": self.halt.exit} if self.halt else None,
            "doctors": [doctor.to_dict() for doctor in self.doctors],
        }

    @property
    def is_complete(self) -> bool:
        """Whether everybody was asked."""
        return self.asked >= len(self.doctors)

    @property
    def counts(self) -> AutoSignCounts:
        """How many doctors are in which state."""
        states = dict.fromkeys(AutoSignState, 0)
        for doctor in self.doctors:
            if doctor.state is not None:
                states[doctor.state] += 1
        return AutoSignCounts(len(self.doctors), {state: n for state, n in states.items() if n})

    @property
    def unanswered(self) -> Sequence[DoctorStatus]:
        """The doctors whose newest asking was refused or got no answer; those with a card that is not asked for left out."""
        return [
            doctor
            for doctor in self.doctors
            if doctor.record is not None and doctor.record.code not in {None, CARD_NOT_QUERIED}
        ]


@dataclass(slots=True)
class StatusInquiry:
    """Asks for doctors, as many at once as the pace needs."""

    resources: CallResources
    observer: CallObserver
    _asked: int = 0

    def run(self, doctors: Sequence[SealedDoctor]) -> StatusReport:
        """Ask for each doctor; return what is known of all of them."""
        ledger, action = self.resources.ledger, self.resources.product.auto_sign_status
        halt, traffic = None, Traffic()
        if doctors:
            records = ledger.list_auto_sign_records()
            queue = sorted(doctors, key=lambda doctor: _get_asking(records, doctor))
            halt, traffic = asyncio.run(
                send_to_all(self.resources, (action,), queue, self._query_doctor, self.observer)
            )
        return StatusReport(
            list_statuses(doctors, ledger.list_auto_sign_records(), self.resources.clock.now()),
            action=action,
            asked=self._asked,
            halt=halt,
            signal=self.resources.stop.signal,
            traffic=traffic,
        )

    async def _query_doctor(self, exchange: Exchange, doctor: SealedDoctor) -> None:
        """Ask for one doctor and enter the answer; what the ledger refuses stops the calls."""
        try:
            answer = await self._get_answer(exchange, doctor)
            if answer is None:
                return
            await self.resources.ledger.record_auto_sign_answer(answer)
        except LedgerError as error:
            exchange.run_state.halt_for_ledger(error)
            return
        hit_failpoint("autosign: entered")
        LOG.info("asked", extra={"key": doctor.key, "code": answer.code, "request_id": answer.request_id})
        self._asked += 1
        self.observer.advance()

    async def _get_answer(self, exchange: Exchange, doctor: SealedDoctor) -> AutoSignAnswer | None:
        """Return what came of asking; None where no question reached the service."""
        signer, now = doctor.signer, self.resources.clock.now
        if not signer.has_known_card:
            return AutoSignAnswer(doctor.key, now(), None, code=CARD_NOT_QUERIED)
        sent = signer.list_sent_texts(exchange.agent)

        def read(reply: Reply) -> Reading:
            return read_status(reply, sent=sent, masker=exchange.masker)

        body = build_status_query(exchange.agent, signer)
        call = PersonCall(exchange.product.auto_sign_status, body, read)
        reading = await send_person_call(exchange, call)
        if reading is None or reading.meaning in {"throttle", "clock"} or not reading.was_sent:
            return None
        return build_answer(doctor.key, now(), reading)


def build_answer(key: str, asked_at: float, reading: Reading) -> AutoSignAnswer:
    """Return what the ledger keeps of a reading."""
    if not isinstance(reading, StatusReading) or not reading.is_done:
        return AutoSignAnswer(key, asked_at, None, code=reading.code, request_id=reading.request_id)
    return AutoSignAnswer(
        key,
        asked_at,
        reading.is_open,
        seal_id=reading.seal_id,
        license_to=reading.license_to,
        request_id=reading.request_id,
    )


def list_statuses(
    doctors: Sequence[SealedDoctor], records: Mapping[str, AutoSignRecord], now: float
) -> list[DoctorStatus]:
    """Return what is known of these doctors."""
    statuses = []
    for doctor in doctors:
        record = records.get(doctor.key)
        statuses.append(DoctorStatus(doctor, record, record.get_state(now) if record else None))
    return statuses


def _get_asking(records: Mapping[str, AutoSignRecord], doctor: SealedDoctor) -> float:
    record = records.get(doctor.key)
    return record.asked_at if record is not None else 0.0


def _stamp(moment: float | None) -> str | None:
    return None if moment is None else stamp(moment)
