"""What can go wrong on purpose: faults, which calls they strike, and what they do to an answer. Pure.

A fault strikes before the service sees the call (nothing is executed) or after (it was executed, and the client may
never learn of it). Several faults may strike one call.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from pipeline.sandbox.calls import Call, Refusal, build_throttle_refusal
from pipeline.sandbox.service import Answer

Kind = Literal[
    "throttle",
    "code",
    "internal_error_before",
    "internal_error_after",
    "delay_before",
    "delay_after",
    "reset_before",
    "reset_after",
    "close",
    "http_502",
    "html_200",
    "redirect",
    "truncated_json",
    "no_seal_id",
    "empty_seal_id",
    "same_seal_id",
    "seal_id",
    "charset",
    "clock_skew",
    "deprecated",
]
When = Literal["before", "after"]

KINDS: tuple[Kind, ...] = get_args(Kind)
EITHER_SIDE = frozenset({"close", "http_502", "html_200"})  # kinds that may strike on either side
TIMED = frozenset({"delay_before", "delay_after", "clock_skew"})

JSON_TYPE = "application/json"  # exactly so, without a charset
HTML_502 = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
HTML_PORTAL = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>network login</form></body></html>"
)


@dataclass(frozen=True, slots=True)
class Match:
    """Which calls a fault strikes: those that fit action and names, then by their number among those that fit.

    Numbers start at 1. ``share`` picks from the rest, the same calls in every run with the same ``seed``.
    """

    action: str | None = None
    user_name: str | None = field(default=None, repr=False)
    seal_name: str | None = None
    nth: tuple[int, ...] = ()
    every: int = 1
    first: int = 1  # ``from`` in a fault file
    last: int | None = None  # ``to``, included
    share: float = 1.0
    seed: int = 0

    def matches(self, call: Call) -> bool:
        """Return whether the call is one of those that are numbered."""
        return (
            self.action in (None, call.action)
            and self.user_name in (None, call.get_text("UserName"))
            and self.seal_name in (None, call.get_text("SealName"))
        )

    def selects(self, number: int) -> bool:
        """Return whether the fault strikes the call of this number."""
        if self.nth and number not in self.nth:
            return False
        if number < self.first or (self.last is not None and number > self.last) or number % self.every:
            return False
        lot = hashlib.sha256(f"{self.seed}/{number}".encode()).digest()
        return int.from_bytes(lot[:8]) < self.share * 2**64


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. ``seconds`` is for the delays and the skew, ``url`` for redirect.

    ``code`` and ``message`` are for ``code`` and the internal errors; ``when`` for what may strike on either side;
    ``seal_id`` is what the fault of that name answers in place of the SealId that was made; ``message`` is also the
    warning of ``deprecated``.
    """

    kind: Kind
    match: Match = Match()
    seconds: float = 0.0
    when: When = "after"
    code: str | None = None
    message: str | None = None
    url: str = "https://elsewhere.invalid/"
    seal_id: str = ""

    @property
    def breaks_before(self) -> bool:
        """Whether the call ends here without the service having seen it."""
        return self.kind in {"reset_before", "redirect"} or (
            self.kind in EITHER_SIDE and self.when == "before"
        )

    @property
    def name(self) -> str:
        """The kind, with its side where there are two."""
        return f"{self.kind}_{self.when}" if self.kind in EITHER_SIDE else self.kind


class Faults:
    """Faults at work: numbers the calls that fit each one."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = tuple(faults)
        self._seen = [0] * len(self._faults)

    def find_faults(self, call: Call) -> tuple[Fault, ...]:
        """Count the call and return the faults that strike it, in the order of the file."""
        struck = []
        for index, fault in enumerate(self._faults):
            if fault.match.matches(call):
                self._seen[index] += 1
                if fault.match.selects(self._seen[index]):
                    struck.append(fault)
        return tuple(struck)


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back over the socket: an answer, or the end of the connection by RST or FIN."""

    status: int = 200
    content_type: str = JSON_TYPE
    body: bytes = field(default=b"", repr=False)
    location: str | None = None
    end: Literal["answer", "reset", "close"] = "answer"


def find_refusal(faults: Sequence[Fault], *, rate: float, language: str) -> Refusal | None:
    """Return what is answered in place of executing the call, or None."""
    for fault in faults:
        if fault.kind == "throttle":
            return build_throttle_refusal(rate + 1, rate, language=language)
        if fault.kind == "internal_error_before":
            return Refusal(fault.code or "InternalError", fault.message)
        if fault.kind == "code" and fault.code is not None:
            return Refusal(fault.code, fault.message)
    return None


def build_broken_reply(fault: Fault) -> Reply:
    """Return what a fault that breaks the way sends, whichever side it strikes on."""
    match fault.kind:
        case "reset_before" | "reset_after":
            return Reply(end="reset")
        case "close":
            return Reply(end="close")
        case "http_502":
            return Reply(502, "text/html", HTML_502)
        case "html_200":
            return Reply(200, "text/html", HTML_PORTAL)
        case "redirect":
            return Reply(307, "text/html", location=fault.url)
        case _:
            raise ValueError(fault.kind)


def build_spoiled_reply(answer: Answer, faults: Sequence[Fault], *, first_seal_id: str | None) -> Reply:
    """Return the answer as these faults let it out; ``first_seal_id`` is what ``same_seal_id`` repeats."""
    response = dict(answer.response)
    for fault in faults:
        if fault.kind == "deprecated":
            response["DeprecatedWarning"] = fault.message
        elif fault.kind == "internal_error_after" and answer.executed:
            refusal = Refusal(fault.code or "InternalError", fault.message)
            error = {"Code": refusal.code, "Message": refusal.message}
            kept: dict[str, Any] = {
                name: response[name] for name in ("RequestId", "DeprecatedWarning") if name in response
            }
            response = {"Error": error, **kept}
        elif "SealId" in response:
            response |= _other_seal_id(fault, first_seal_id)
            if fault.kind == "no_seal_id":
                del response["SealId"]
    reply = Reply(body=_encode_response(response))
    for fault in faults:
        if fault.kind == "truncated_json":
            reply = replace(reply, body=reply.body[: len(reply.body) // 2])
        elif fault.kind == "charset":
            reply = replace(reply, content_type=f"{JSON_TYPE}; charset=utf-8")
        elif fault.kind == "reset_after" or fault.kind in EITHER_SIDE:
            return build_broken_reply(fault)
    return reply


def _other_seal_id(fault: Fault, first_seal_id: str | None) -> Mapping[str, Any]:
    if fault.kind == "empty_seal_id":
        return {"SealId": ""}
    if fault.kind == "seal_id":
        return {"SealId": fault.seal_id}
    if fault.kind == "same_seal_id" and first_seal_id is not None:
        return {"SealId": first_seal_id}
    return {}


def _encode_response(response: Mapping[str, Any]) -> bytes:
    return json.dumps({"Response": response}, ensure_ascii=False, separators=(",", ":")).encode()
