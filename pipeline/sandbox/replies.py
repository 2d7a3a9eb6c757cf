"""What goes back over the socket: answers as they are, answers that faults spoil, and broken connections."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pipeline.sandbox.faults import EITHER_SIDE, Fault
from pipeline.sandbox.gateway import CREATE, UPLOAD, Call, Refusal, build_throttle_refusal
from pipeline.sandbox.service import CallAnswer

JSON_TYPE = "application/json"  # exactly so, without a charset
HTML_502 = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
HTML_PORTAL = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>network login</form></body></html>"
)


@dataclass(frozen=True, slots=True)
class SocketReply:
    """What goes back over the socket: an answer, or the end of the connection by RST or FIN."""

    status: int = 200
    content_type: str = JSON_TYPE
    body: bytes = field(default=b"", repr=False)
    location: str | None = None
    end: Literal["answer", "reset", "close"] = "answer"


class GivenAnswers:
    """The answers of the service so far, for faults that repeat one."""

    def __init__(self) -> None:
        self._answers: list[tuple[str, str | None, CallAnswer]] = []  # action, UserName, answer

    def keep(self, call: Call, answer: CallAnswer) -> None:
        """Enter the answer to a call."""
        self._answers.append((call.action, call.get_text("UserName"), answer))

    def get_replayed_answer(self, call: Call, faults: Sequence[Fault]) -> CallAnswer | None:
        """Return the answer that a call gets in place of its own, None for its own."""
        earlier = next((fault.earlier for fault in faults if fault.kind == "replay"), None)
        if earlier is None:
            return None
        action = earlier.action or call.action
        fitting = [
            answer
            for given, user_name, answer in self._answers
            if given == action and earlier.user_name in (None, user_name)
        ]
        number = earlier.nth[0] if earlier.nth else len(fitting)
        return fitting[number - 1] if 0 < number <= len(fitting) else None

    def get_first_value(self, action: str, name: str) -> object:
        """Return a value of the first answer to an action that holds it, None where there is none."""
        answers = (answer.response for given, _, answer in self._answers if given == action)
        return next((response[name] for response in answers if name in response), None)


def make_refusal(faults: Sequence[Fault], *, rate: float) -> Refusal | None:
    """Return what is answered in place of executing the call, or None."""
    for fault in faults:
        if fault.kind == "throttle":
            return build_throttle_refusal(rate + 1, rate)
        if fault.kind == "internal_error_before":
            return Refusal(fault.code or "InternalError", fault.message)
        if fault.kind == "code" and fault.code is not None:
            return Refusal(fault.code, fault.message)
    return None


def build_broken_reply(fault: Fault) -> SocketReply:
    """Build the reply of a fault that breaks the connection, before or after the call was executed."""
    match fault.kind:
        case "reset_before" | "reset_after":
            return SocketReply(end="reset")
        case "close":
            return SocketReply(end="close")
        case "http_502":
            return SocketReply(502, "text/html", HTML_502)
        case "html_200":
            return SocketReply(200, "text/html", HTML_PORTAL)
        case "redirect":
            return SocketReply(307, "text/html", location=fault.url)
        case _:
            raise ValueError(fault.kind)


def build_spoiled_reply(
    call: Call, answer: CallAnswer, faults: Sequence[Fault], given: GivenAnswers
) -> SocketReply:
    """Return the answer as these faults let it out; ``given`` are the answers that they may repeat."""
    if (replayed := given.get_replayed_answer(call, faults)) is not None:
        answer = replayed
    response = dict(answer.response)
    for fault in faults:
        response = _spoil(response, fault, given, executed=answer.executed)
    reply = SocketReply(body=_encode_response(response))
    for fault in faults:
        if fault.kind == "truncated_json":
            reply = replace(reply, body=reply.body[: len(reply.body) // 2])
        elif fault.kind == "charset":
            reply = replace(reply, content_type=f"{JSON_TYPE}; charset=utf-8")
        elif fault.kind == "reset_after" or fault.kind in EITHER_SIDE:
            return build_broken_reply(fault)
    return reply


def _spoil(response: dict[str, Any], fault: Fault, given: GivenAnswers, *, executed: bool) -> dict[str, Any]:
    """Return the inside of an answer as one fault changes it."""
    changes: dict[str, Any] = {}
    match fault.kind:
        case "deprecated":
            changes = {"DeprecatedWarning": fault.message}
        case "internal_error_after" if executed:
            refusal = Refusal(fault.code or "InternalError", fault.message)
            changes = {"Error": {"Code": refusal.code, "Message": refusal.message}}
            response = {name: response[name] for name in response.keys() & {"RequestId", "DeprecatedWarning"}}
        case "same_file_id" if "FileIds" in response:
            changes = {"FileIds": given.get_first_value(UPLOAD, "FileIds") or response["FileIds"]}
        case "no_seal_id":
            response = {name: value for name, value in response.items() if name != "SealId"}
        case "empty_seal_id" if "SealId" in response:
            changes = {"SealId": ""}
        case "seal_id" if "SealId" in response:
            changes = {"SealId": fault.seal_id}
        case "same_seal_id" if "SealId" in response:
            changes = {"SealId": given.get_first_value(CREATE, "SealId") or response["SealId"]}
        case _:
            pass
    return response | changes


def _encode_response(response: Mapping[str, Any]) -> bytes:
    return json.dumps({"Response": response}, ensure_ascii=False, separators=(",", ":")).encode()
