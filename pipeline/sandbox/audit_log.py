"""The audit log of the cloud account (CloudAudit): which calls of the seal service arrived, and what they were answered.

An event is searched for some time after its call (`Rules.audit_delay`); without a delay there is no log at all, as in the
service's test environment perhaps. What an event holds of the call is not documented, so it is a rule, too
(`Rules.audit_shows`). The log is that of the account: it holds the calls of all its hospitals.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from pipeline.sandbox.gateway import Call, Refusal

MAX_PAGE = 50
MAX_SPAN, KEPT = 30 * 86_400, 90 * 86_400  # seconds
BEIJING = timezone(timedelta(hours=8))

AuditedId = Literal["request_id", "trace_id", "seal_id", "person"]
AUDITED_IDS: tuple[AuditedId, ...] = ("request_id", "trace_id", "seal_id")
# names of search conditions -> the name of what they compare in an event
_ATTRIBUTES = {"RequestId": "requestID", "EventName": "eventName", "ApiErrorCode": "apiErrorCode"}


@dataclass(frozen=True, slots=True)
class AuditedCall:
    """One call as the log keeps it."""

    called_at: float  # unix seconds
    service: str
    event: Mapping[str, Any] = field(repr=False)

    def build_record(self, number: int) -> dict[str, Any]:
        """Return the event as the answer holds it: the details are JSON in a text."""
        return {
            "EventId": f"sandbox-{number}",
            "EventName": self.event["eventName"],
            "EventTime": str(int(self.called_at)),
            "EventRegion": "ap-guangzhou",
            "EventSource": f"{self.service}.tencentcloudapi.com",
            "RequestID": self.event["requestID"],
            "ErrorCode": 0,
            "SecretId": "AKIDsandbox",
            "Username": "sandbox",
            "AccountID": 100000000001,
            "SourceIPAddress": "127.0.0.1",
            "CloudAuditEvent": json.dumps(self.event, ensure_ascii=False),
        }


@dataclass
class AuditLog:
    """Keeps the calls that change something, and answers DescribeEvents."""

    delay: float | None = None  # seconds until an event can be found; None: there is no log
    shows: Sequence[AuditedId] = AUDITED_IDS
    calls: list[AuditedCall] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)  # TraceIds of calls whose events never come

    def keep_call(self, call: Call, code: str, response: Mapping[str, Any], *, now: float) -> None:
        """Enter a call with its answer; ``code`` is ok or that of the refusal."""
        if self.delay is None or call.trace_id in self.lost:
            return
        self.calls.append(AuditedCall(now, call.service, self._build_event(call, code, response, now)))

    def _build_event(self, call: Call, code: str, response: Mapping[str, Any], now: float) -> dict[str, Any]:
        parameters = {name: value for name, value in (call.parameters or {}).items() if name != "SealImage"}
        if "person" not in self.shows:
            parameters |= {
                name: "***" for name in ("IdCardNumber", "UserName", "Mobile") if name in parameters
            }
        answered = {
            name: value
            for name, value in response.items()
            if name != "RequestId" and (name != "SealId" or "seal_id" in self.shows)
        }
        return {
            "eventVersion": "3.0",
            "eventName": call.action,
            "eventTime": datetime.fromtimestamp(now, BEIJING).strftime("%Y-%m-%d %H:%M:%S"),
            "actionType": "Write",
            "requestID": response.get("RequestId", "") if "request_id" in self.shows else "",
            "apiErrorCode": "" if code == "ok" else code,
            "apiErrorMessage": "" if code == "ok" else response["Error"]["Message"],
            "errorCode": 0,
            "httpMethod": "POST",
            "userAgent": call.headers.get("user-agent", ""),
            **({"traceID": call.trace_id} if "trace_id" in self.shows else {}),
            # the official example holds JSON in a text here as well
            "requestParameters": json.dumps(parameters, ensure_ascii=False),
            "responseElements": json.dumps(answered, ensure_ascii=False),
        }

    def answer(self, call: Call, *, now: float) -> dict[str, Any]:
        """Return the page that a call asks for, or raise Refusal."""
        if not call.headers.get("x-tc-region"):
            raise Refusal("MissingParameter", "The request is missing a required parameter `Region`.")
        sent = call.parameters or {}
        start, end = sent["StartTime"], sent["EndTime"]
        if not (start <= end and end - start < MAX_SPAN and start >= now - KEPT):
            raise Refusal("InvalidParameterValue")
        size, token = sent.get("MaxResults", MAX_PAGE), sent.get("NextToken", 0)
        if not (0 < size <= MAX_PAGE and token >= 0):
            raise Refusal("InvalidParameterValue")
        conditions = _read_conditions(sent.get("LookupAttributes") or ())
        events = [
            kept.build_record(number)
            for number, kept in enumerate(self.calls)
            if start <= kept.called_at <= end
            and self.delay is not None
            and kept.called_at + self.delay <= now
            and all(str(kept.event[name]) in values for name, values in conditions.items())
        ]
        page = events[token : token + size]
        is_over = token + len(page) >= len(events)
        return {"Events": page, "ListOver": is_over, "NextToken": 0 if is_over else token + len(page)}


def _read_conditions(attributes: Sequence[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Return the wanted values of each part of an event; several values of one name are alternatives."""
    conditions: dict[str, set[str]] = {}
    for attribute in attributes:
        name = _ATTRIBUTES.get(str(attribute.get("AttributeKey")))
        if name is None:
            raise Refusal("InvalidParameterValue")
        conditions.setdefault(name, set()).add(str(attribute.get("AttributeValue")))
    return conditions
