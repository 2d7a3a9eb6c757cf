"""The service without its socket: takes whole calls and clock values, gives answers, and records the true state.

Pure and clocked: nothing here waits, opens anything or reads the time.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.sandbox.actions import Actions, Rules, Seal
from pipeline.sandbox.gateway import (
    CREATE,
    SANDBOX,
    Call,
    CallCounter,
    Gateway,
    Refusal,
    Tenant,
)


@dataclass(frozen=True, slots=True)
class Received:
    """One request in the order in which it was dealt with; times are steady seconds of the sandbox's clock."""

    arrived: float  # its headers were here
    counted: float  # the limiter saw it
    action: str
    code: str  # ok, the error code, or the fault that struck before the service saw it
    executed: bool
    trace_id: str | None
    request_id: str | None
    connection: str  # the client's address and port
    number: str | None = field(repr=False)  # IdCardNumber of a create
    seal_name: str | None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """The answer to one call, and whether the call was executed."""

    code: str  # ok or the error code
    executed: bool
    response: Mapping[str, Any] = field(repr=False)  # the inside of ``Response``
    seal: Seal | None = None  # made by this very call


class FakeService:
    """One region of the service with its tenants."""

    def __init__(self, rules: Rules | None = None, *, tenants: Sequence[Tenant] = (SANDBOX,)) -> None:
        self.rules = rules or Rules()
        self.tenants = tuple(tenants)
        self._random = random.Random()  # noqa: S311  identifiers of a stand-in guard nothing
        self.reset()

    def reset(self) -> None:
        """Start again: no call received, no seal made."""
        self.received: list[Received] = []
        self._gateway = Gateway(self.tenants, CallCounter(self.rules.limiter, self.rules.rate))
        self._actions = Actions(self.rules, self._random)
        self.seals = self._actions.seals
        self.uploads = self._actions.uploads
        self.pictures = self._actions.pictures
        self.auto_sign = self._actions.auto_sign

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
    ) -> CallAnswer:
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
            answer = CallAnswer(refusal.code, False, {"Error": error, "RequestId": request_id})
        else:
            seal = self.seals[-1] if len(self.seals) > made_before else None
            answer = CallAnswer("ok", True, {**response, "RequestId": request_id}, seal)
        self.record_call(call, answer.code, request_id, arrived=arrived, steady=steady, faults=faults)
        return answer

    def record_call(
        self,
        call: Call,
        code: str,
        request_id: str | None = None,
        *,
        steady: float,
        arrived: float | None = None,
        faults: tuple[str, ...] = (),
    ) -> None:
        """Record a call; ``code`` is the reason where it died before the service saw it."""
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

    def restore_seals(self, seals: Sequence[Seal]) -> None:
        """Take in seals that an earlier life of this world made."""
        for seal in seals:
            self._actions.keep_seal(seal)

    def list_arrivals(self, action: str = CREATE) -> list[float]:
        """Return when each call of an action came, in steady seconds, before any arrival jitter."""
        return sorted(request.arrived for request in list(self.received) if request.action == action)

    def list_duplicates(self) -> dict[str, list[str]]:
        """Return the SealIds of every person who has more than one, by lifetime number."""
        owned: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for seal in list(self.seals):
            owned[seal.person].append(seal.seal_id)
        return {number: ids for (_, number), ids in owned.items() if len(ids) > 1}

    def build_report(self) -> dict[str, Any]:
        """Return every request and seal as ``GET /_truth`` answers it."""
        received, seals = list(self.received), list(self.seals)
        arrivals: defaultdict[str, list[float]] = defaultdict(list)
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for request in received:
            arrivals[request.action].append(request.arrived)
            counts[request.action][request.code] += 1
        return {
            "counts": counts,
            "arrivals": arrivals,
            "requests": [asdict(request) for request in received],
            "seals": list(map(asdict, seals)),
            "duplicates": self.list_duplicates(),
        }
