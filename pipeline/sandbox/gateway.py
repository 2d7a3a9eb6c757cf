"""The cloud's gateway: reads a request, then lets it pass to the service or refuses it before anything is executed.

Order of its checks: method, size, headers, action and version, signature, rate. The check of the signature shares no
code with the client that signs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
import secrets
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.clock import utc_date

CREATE = "ChannelCreatePreparedPersonalEsign"
UPLOAD = "UploadFiles"
AUTO_SIGN_STATUS = "ChannelDescribeUserAutoSignStatus"
ORGANIZATION_SEALS = "ChannelDescribeOrganizationSeals"
ENABLE_URL = "ChannelCreateUserAutoSignEnableUrl"
SEAL_URL = "ChannelCreateUserAutoSignSealUrl"

ACTIONS = (CREATE, UPLOAD, AUTO_SIGN_STATUS, ORGANIZATION_SEALS, ENABLE_URL, SEAL_URL)

BODY_LIMIT = 10 * 1024 * 1024  # bytes, TC3 over POST; an upload may have more

ESSBASIC, ESS = "essbasic", "ess"
# by version
SERVICES: Mapping[str, str] = {"2021-05-26": ESSBASIC, "2020-11-11": ESS}
ALGORITHM = "TC3-HMAC-SHA256"
WINDOW = 300  # seconds a timestamp may be off
UNSIGNED = "UNSIGNED-PAYLOAD"
WRONG_SIGNATURE = "AuthFailure.SignatureFailure"

_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=(?P<id>[^/\s]+)/(?P<date>\d{{4}}-\d\d-\d\d)/(?P<service>[^/\s]+)/tc3_request, ?"
    r"SignedHeaders=(?P<names>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request whole; header names are in lower case."""

    method: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    connection: str
    parameters: Mapping[str, Any] | None = field(repr=False)  # None when the body is no JSON object

    @property
    def action(self) -> str:
        """X-TC-Action, empty without one."""
        return self.headers.get("x-tc-action", "")

    @property
    def service(self) -> str:
        """The product whose version is called."""
        return SERVICES.get(self.headers.get("x-tc-version", ""), ESSBASIC)

    @property
    def operation(self) -> str:
        """What is asked for: the name that the action has in essbasic; in ess most names lack ``Channel``."""
        is_short = self.service == ESS and self.action != UPLOAD
        return f"Channel{self.action}" if is_short else self.action

    @property
    def trace_id(self) -> str | None:
        """X-TC-TraceId, which the client makes up."""
        return self.headers.get("x-tc-traceid")

    def get_text(self, name: str) -> str | None:
        """Return a text parameter of the top level, also from a body with other faults."""
        value = (self.parameters or {}).get(name)
        return value if isinstance(value, str) else None


def read_call(
    body: bytes,
    *,
    headers: Mapping[str, str],
    method: str = "POST",
    query: str = "",
    connection: str = "",
) -> Call:
    """Return the call that a request makes; header names may come in any case."""
    lower = {name.lower(): value for name, value in headers.items()}
    return Call(method, query, lower, body, connection, _parse_body(body))


def _parse_body(body: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


class Refusal(Exception):
    """The service refuses: ``Response.Error`` with this code and message; one that is not given holds no reason."""

    def __init__(self, code: str, message: str = "") -> None:
        self.code = code
        self.message = message or "操作失败。"
        super().__init__(code)


def build_throttle_refusal(count: float, rate: float) -> Refusal:
    """Return the refusal of one call too many, naming the calls of this second and the limit."""
    text = f"您当前每秒请求 `{count:g}` 次，超过了每秒频率上限 `{rate:g}` 次，请稍后重试。"
    return Refusal("RequestLimitExceeded", text)


@dataclass(frozen=True, slots=True)
class Tenant:
    """One hospital as the service knows it; tenants may share a credential, and with it the quota."""

    secret_id: str
    secret_key: str = field(repr=False)
    app_id: str
    organization_open_id: str
    operator_open_id: str
    operator_user_id: str = ""  # of the product ess, in which the hospital is the organisation of its keys
    token: str | None = field(default=None, repr=False)  # of a temporary credential

    @property
    def organization(self) -> str:
        """What a configuration of the product ess calls the hospital."""
        return self.organization_open_id


@dataclass(frozen=True, slots=True)
class Order:
    """One call that may be executed: parameters of the right shape without nulls, and who asks."""

    sent: Mapping[str, Any] = field(repr=False)
    tenant: Tenant
    trace_id: str | None
    request_id: str
    now: float  # unix seconds
    service: str = ESSBASIC


def verify_signature(call: Call, tenants: Sequence[Tenant], *, service: str, now: float) -> str:
    """Return the SecretId that signed a call, or raise Refusal with an ``AuthFailure`` code.

    ``now`` is the gateway's clock in unix seconds. More signed headers than the two mandatory ones are welcome.
    """
    headers = call.headers
    match = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if match is None:
        raise Refusal("AuthFailure.InvalidAuthorization")
    names = match["names"].split(";")
    if not {"content-type", "host"} <= set(names) or names != sorted(set(names)):
        raise Refusal("AuthFailure.InvalidAuthorization")
    tenant = next((tenant for tenant in tenants if tenant.secret_id == match["id"]), None)
    if tenant is None:
        raise Refusal("AuthFailure.SecretIdNotFound")
    timestamp = int(headers["x-tc-timestamp"])
    if abs(now - timestamp) > WINDOW:
        raise Refusal("AuthFailure.SignatureExpire")
    if match["date"] != utc_date(timestamp):
        raise Refusal(WRONG_SIGNATURE)
    if any(name not in headers for name in names):
        raise Refusal(WRONG_SIGNATURE)
    payload = UNSIGNED.encode() if headers.get("x-tc-content-sha256") == UNSIGNED else call.body
    canonical_headers = "".join(f"{name}:{headers[name].strip().lower()}\n" for name in names)
    canonical = "\n".join((call.method, "/", call.query, canonical_headers, match["names"], _sha256(payload)))
    to_sign = "\n".join(
        (ALGORITHM, str(timestamp), f"{match['date']}/{service}/tc3_request", _sha256(canonical.encode()))
    )
    key = f"TC3{tenant.secret_key}".encode()
    for step in (match["date"], service, "tc3_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(key, to_sign.encode(), "sha256").hex(), match["signature"]):
        raise Refusal(WRONG_SIGNATURE)
    if headers.get("x-tc-token") != tenant.token:
        raise Refusal("AuthFailure.TokenFailure")
    return match["id"]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


SANDBOX = Tenant(
    secret_id="AKIDsandbox0000000000000000000000001",  # noqa: S106  published on purpose, as is the next:
    secret_key="not-a-secret-only-the-sandbox-knows-it",  # noqa: S106  they open nothing but this room
    app_id="yDsandbox00000000000000000000app",
    organization_open_id="org_sandbox_hospital",
    operator_open_id="sandbox_operator",
    operator_user_id="yDsandbox_user",
)


def make_tenant() -> Tenant:
    """Return a hospital with keys and ids that no other one has."""
    return Tenant(
        secret_id=f"AKIDsandbox{secrets.token_hex(13)}",
        secret_key=secrets.token_urlsafe(24),
        app_id=f"yD{secrets.token_hex(15)}",
        organization_open_id=f"org_sandbox_{secrets.token_hex(8)}",
        operator_open_id=SANDBOX.operator_open_id,
        operator_user_id=SANDBOX.operator_user_id,
    )


LimiterKind = Literal["rolling", "calendar", "none"]


class CallCounter:
    """Counts arrivals: in the second before each one (rolling), or in its second of the wall clock (calendar)."""

    def __init__(self, kind: LimiterKind, rate: float) -> None:
        self.kind = kind
        self.rate = rate
        self._arrivals: dict[
            tuple[str, str], deque[float]
        ] = {}  # of calls that count: their moment, or their second

    def count_call(self, key: tuple[str, str], *, now: float, steady: float) -> int | None:
        """Count one call; return how many this second has seen when that is too many, else None.

        ``now`` is the wall clock in unix seconds, ``steady`` a monotonic one: neither may run backwards for a key.
        """
        if self.kind == "none":
            return None
        moment = math.floor(now) if self.kind == "calendar" else steady
        arrivals = self._arrivals.setdefault(key, deque())
        while arrivals and arrivals[0] <= moment - 1:
            arrivals.popleft()
        arrivals.append(moment)
        return len(arrivals) if len(arrivals) > self.rate else None


class Gateway:
    """Knows the credentials and counts their calls."""

    def __init__(self, tenants: Sequence[Tenant], counter: CallCounter) -> None:
        self._tenants = tuple(tenants)
        self._counter = counter

    def admit_call(self, call: Call, *, now: float, steady: float, skew: float) -> list[Tenant]:
        """Return the tenants that the call's credential may act for, or raise Refusal.

        ``skew`` is how wrong the gateway's clock is when it looks at the timestamp; the limiter's is right.
        """
        _check_request(call)
        secret_id = verify_signature(call, self._tenants, service=call.service, now=now + skew)
        key = (secret_id, f"{call.service}:{call.action}")
        count = self._counter.count_call(key, now=now, steady=steady)
        if count is not None:
            raise build_throttle_refusal(count, self._counter.rate)
        return [tenant for tenant in self._tenants if tenant.secret_id == secret_id]


def _check_request(call: Call) -> None:
    if call.method != "POST":
        raise Refusal("UnsupportedProtocol")
    if len(call.body) > BODY_LIMIT and call.action != UPLOAD:
        raise Refusal("RequestSizeLimitExceeded")
    if call.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal("InvalidRequest")
    for name in ("Action", "Version", "Timestamp"):
        if not call.headers.get(f"x-tc-{name.lower()}"):
            raise Refusal("MissingParameter", f"The request is missing a required parameter `{name}`.")
    timestamp = call.headers["x-tc-timestamp"]
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise Refusal("InvalidParameter", "Parameter `Timestamp` type error.")
    if call.operation not in ACTIONS:
        raise Refusal("InvalidAction")
    if call.headers["x-tc-version"] not in SERVICES:
        raise Refusal("NoSuchVersion")
