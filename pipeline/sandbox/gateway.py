"""The cloud's gateway: lets a call pass to the service or refuses it before anything is executed.

Order of its checks: method, size, headers, action and version, signature, rate.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.sandbox.answers import Refusal, throttled
from pipeline.sandbox.call import BODY_LIMIT, Call
from pipeline.sandbox.checks import SHAPES, UPLOAD
from pipeline.sandbox.limits import Limiter
from pipeline.sandbox.signature import Credential, verify
from pipeline.sandbox.tenant import Tenant

SERVICE = "essbasic"
VERSION = "2021-05-26"


class Gateway:
    """Knows the credentials and counts their calls."""

    def __init__(self, tenants: Sequence[Tenant], limiter: Limiter) -> None:
        self._tenants = tuple(tenants)
        self._limiter = limiter
        self._credentials = {
            tenant.secret_id: Credential(tenant.secret_key, tenant.token) for tenant in tenants
        }

    def admit(self, call: Call, *, now: float, steady: float, skew: float) -> list[Tenant]:
        """Return the tenants that the call's credential may act for, or raise Refusal.

        ``skew`` is how wrong the gateway's clock is when it looks at the timestamp; the limiter's is right.
        """
        _check_request(call)
        _check_action(call)
        secret_id = verify(
            method=call.method,
            query=call.query,
            headers=call.headers,
            body=call.body,
            credentials=self._credentials,
            service=SERVICE,
            now=now + skew,
        )
        count = self._limiter.excess((secret_id, call.action), now=now, steady=steady)
        if count is not None:
            raise throttled(count, self._limiter.rate, language=call.language)
        return [tenant for tenant in self._tenants if tenant.secret_id == secret_id]


def _check_request(call: Call) -> None:
    if call.method != "POST":
        raise Refusal("UnsupportedProtocol")
    takes_files = call.role != "general" and call.action == UPLOAD
    if len(call.body) > BODY_LIMIT and not takes_files:
        raise Refusal("RequestSizeLimitExceeded")
    if call.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal("InvalidRequest")
    for name in ("Action", "Version", "Timestamp"):
        if not call.headers.get(f"x-tc-{name.lower()}"):
            raise Refusal("MissingParameter", f"The request is missing a required parameter `{name}`.")
    timestamp = call.headers["x-tc-timestamp"]
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise Refusal("InvalidParameter", "Parameter `Timestamp` type error.")


def _check_action(call: Call) -> None:
    if call.action not in SHAPES:
        raise Refusal("InvalidAction")
    if call.role == "general" and call.action == UPLOAD:
        raise Refusal("InvalidAction", "action not exist")
    if call.role == "file" and call.action != UPLOAD:
        raise Refusal("UnsupportedOperation", "操作禁止")
    if call.headers["x-tc-version"] != VERSION:
        raise Refusal("NoSuchVersion")
