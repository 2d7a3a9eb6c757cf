"""The stand-in without its socket: takes whole calls and clock values, gives answers, keeps the truth.

Pure and clocked: nothing here waits, opens anything or asks what time it is.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.sandbox import truth
from pipeline.sandbox.answers import Refusal
from pipeline.sandbox.call import Call
from pipeline.sandbox.checks import CREATE
from pipeline.sandbox.gateway import Gateway
from pipeline.sandbox.limits import Limiter, max_in_window
from pipeline.sandbox.person import PersonRules
from pipeline.sandbox.rules import Rules
from pipeline.sandbox.service import Service
from pipeline.sandbox.tenant import SANDBOX, Tenant
from pipeline.sandbox.truth import Received, Seal, Upload

__all__ = ["CREATE", "SANDBOX", "Answer", "PersonRules", "Rules", "Tenant", "World", "max_in_window"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to one call, and whether it did what was asked."""

    code: str  # ok or the error code
    executed: bool
    response: Mapping[str, Any] = field(repr=False)  # the inside of ``Response``
    seal: Seal | None = None  # made by this very call


class World:
    """One region of the service with its tenants; ``seed`` makes its identifiers repeatable."""

    def __init__(
        self, rules: Rules | None = None, *, tenants: Sequence[Tenant] = (SANDBOX,), seed: int | None = None
    ) -> None:
        self.rules = rules or Rules()
        self.tenants = tuple(tenants)
        self._random = random.Random(seed)  # noqa: S311  identifiers of a stand-in guard nothing
        self.forget()

    def forget(self) -> None:
        """Begin anew: nothing was ever received, nobody has a seal."""
        self.received: list[Received] = []
        self._gateway = Gateway(self.tenants, Limiter(self.rules.limiter, self.rules.rate))
        self._service = Service(self.rules, self._random)

    @property
    def seals(self) -> Sequence[Seal]:
        """Every seal ever made, oldest first."""
        return self._service.seals

    @property
    def uploads(self) -> Mapping[str, Upload]:
        """Every file that got a FileId, by it."""
        return self._service.uploads

    @property
    def pictures(self) -> Mapping[str, bytes]:
        """The bytes of every picture that arrived whole, by sha256, where the rules keep them."""
        return self._service.pictures

    def receive(
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
            tenants = self._gateway.admit(call, now=now, steady=steady, skew=skew)
            if instead is not None:
                raise instead
            response = self._service.execute(call, tenants, request_id=request_id, now=now + skew)
        except Refusal as refusal:
            error = {"Code": refusal.code, "Message": refusal.message}
            answer = Answer(refusal.code, False, {"Error": error, "RequestId": request_id})
        else:
            seal = self.seals[-1] if len(self.seals) > made_before else None
            answer = Answer("ok", True, {**response, "RequestId": request_id}, seal)
        self._note(call, answer.code, request_id, arrived=arrived, steady=steady, faults=faults)
        return answer

    def lose(
        self,
        call: Call,
        code: str,
        *,
        steady: float,
        arrived: float | None = None,
        faults: tuple[str, ...] = (),
    ) -> None:
        """Note a call that died before the service saw it; ``code`` says of what."""
        self._note(call, code, None, arrived=arrived, steady=steady, faults=faults)

    def restore(self, seals: Sequence[Seal]) -> None:
        """Take in seals that an earlier life of this world made."""
        for seal in seals:
            self._service.keep(seal)

    def open_auto_sign(self, seal: Seal) -> None:
        """Let the doctor open auto-sign with this seal, as doctors do on their phone."""
        self._service.open_auto_sign(seal)

    def arrivals(self, action: str = CREATE) -> list[float]:
        """Return when each call of an action came, in steady seconds, before any arrival jitter."""
        return sorted(request.arrived for request in list(self.received) if request.action == action)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how often each action ended with each code (``ok`` among them)."""
        return truth.counts(list(self.received))

    def duplicates(self) -> dict[str, list[str]]:
        """Return the SealIds of every person who has more than one, by lifetime number."""
        return truth.duplicates(list(self.seals))

    def truth(self) -> dict[str, Any]:
        """Return all of it as ``GET /_truth`` answers it."""
        return truth.as_json(list(self.received), list(self.seals), list(self.uploads.values()))

    def _note(
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
                number=call.text("IdCardNumber"),
                seal_name=call.text("SealName"),
                faults=faults,
            )
        )
