"""The stand-in without its socket: takes whole calls and clock values, gives answers, keeps what is true.

Pure and clocked: nothing here waits, opens anything or reads the time.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.sandbox import recorded_state
from pipeline.sandbox.actions import Actions, Rules
from pipeline.sandbox.authentication import SANDBOX, Gateway, Limiter, Tenant
from pipeline.sandbox.calls import CREATE, Call, Refusal
from pipeline.sandbox.recorded_state import Received, Seal, Upload


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to one call, and whether it did what was asked."""

    code: str  # ok or the error code
    executed: bool
    response: Mapping[str, Any] = field(repr=False)  # the inside of ``Response``
    seal: Seal | None = None  # made by this very call


class FakeService:
    """One region of the service with its tenants; ``seed`` makes its identifiers repeatable."""

    def __init__(
        self, rules: Rules | None = None, *, tenants: Sequence[Tenant] = (SANDBOX,), seed: int | None = None
    ) -> None:
        self.rules = rules or Rules()
        self.tenants = tuple(tenants)
        self._random = random.Random(seed)  # noqa: S311  identifiers of a stand-in guard nothing
        self.reset()

    def reset(self) -> None:
        """Start again: no call received, no seal made."""
        self.received: list[Received] = []
        self._gateway = Gateway(self.tenants, Limiter(self.rules.limiter, self.rules.rate))
        self._actions = Actions(self.rules, self._random)

    @property
    def seals(self) -> Sequence[Seal]:
        """Every seal ever made, oldest first."""
        return self._actions.seals

    @property
    def uploads(self) -> Mapping[str, Upload]:
        """Every file that got a FileId, by it."""
        return self._actions.uploads

    @property
    def pictures(self) -> Mapping[str, bytes]:
        """The bytes of every picture that arrived whole, by sha256, where the rules keep them."""
        return self._actions.pictures

    def receive_call(
        self,
        call: Call,
        *,
        now: float,
        steady: float,
        arrived: float | None = None,
        skew: float = 0.0,
        instead: Refusal | None = None,
        faults: tuple[str, ...] = (),
    ) -> Answer:
        """Deal with a whole call.

        ``now`` is wall time in unix seconds; ``steady`` a monotonic time, the moment the limiter sees the call;
        ``arrived`` the one at which it came (the same unless given). ``skew`` sets the service's own clock wrong.
        ``instead`` is answered in place of executing what the gateway lets pass; ``faults`` are noted with the call.
        """
        request_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        made_before = len(self.seals)
        try:
            tenants = self._gateway.admit_call(call, now=now, steady=steady, skew=skew)
            if instead is not None:
                raise instead
            response = self._actions.execute_call(call, tenants, request_id=request_id, now=now + skew)
        except Refusal as refusal:
            error = {"Code": refusal.code, "Message": refusal.message}
            answer = Answer(refusal.code, False, {"Error": error, "RequestId": request_id})
        else:
            seal = self.seals[-1] if len(self.seals) > made_before else None
            answer = Answer("ok", True, {**response, "RequestId": request_id}, seal)
        self._record_call(call, answer.code, request_id, arrived=arrived, steady=steady, faults=faults)
        return answer

    def record_lost_call(
        self,
        call: Call,
        code: str,
        *,
        steady: float,
        arrived: float | None = None,
        faults: tuple[str, ...] = (),
    ) -> None:
        """Note a call that died before the service saw it; ``code`` is the reason."""
        self._record_call(call, code, None, arrived=arrived, steady=steady, faults=faults)

    def restore_seals(self, seals: Sequence[Seal]) -> None:
        """Take in seals that an earlier life of this world made."""
        for seal in seals:
            self._actions.keep_seal(seal)

    def open_auto_sign(self, seal: Seal) -> None:
        """Let the doctor open auto-sign with this seal, as doctors do on their phone."""
        self._actions.open_auto_sign(seal)

    def list_arrivals(self, action: str = CREATE) -> list[float]:
        """Return when each call of an action came, in steady seconds, before any arrival jitter."""
        return sorted(request.arrived for request in list(self.received) if request.action == action)

    def count_results(self) -> dict[str, dict[str, int]]:
        """Return how often each action ended with each code (``ok`` among them)."""
        return recorded_state.count_results(list(self.received))

    def find_duplicates(self) -> dict[str, list[str]]:
        """Return the SealIds of every person who has more than one, by lifetime number."""
        return recorded_state.find_duplicates(list(self.seals))

    def build_report(self) -> dict[str, Any]:
        """Return all of it as ``GET /_truth`` answers it."""
        return recorded_state.build_report(list(self.received), list(self.seals), list(self.uploads.values()))

    def _record_call(
        self,
        call: Call,
        code: str,
        request_id: str | None,
        *,
        arrived: float | None,
        steady: float,
        faults: tuple[str, ...],
    ) -> None:
        self.received.append(
            Received(
                arrived=steady if arrived is None else arrived,
                counted=steady,
                action=call.action,
                code=code,
                executed=code == "ok",
                trace_id=call.trace_id,
                request_id=request_id,
                connection=call.connection,
                number=call.get_text("IdCardNumber"),
                seal_name=call.get_text("SealName"),
                faults=faults,
            )
        )
