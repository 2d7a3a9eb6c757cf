"""The gateway's side of TC3-HMAC-SHA256: checks a signature, shares no code with what signs ours."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.clock import utc_date
from pipeline.sandbox.answers import Refusal

ALGORITHM = "TC3-HMAC-SHA256"
WINDOW = 300  # seconds a timestamp may be off
UNSIGNED = "UNSIGNED-PAYLOAD"

_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=(?P<id>[^/\s]+)/(?P<date>\d{{4}}-\d\d-\d\d)/(?P<service>[^/\s]+)/tc3_request, ?"
    r"SignedHeaders=(?P<names>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Credential:
    """What the gateway holds for a SecretId."""

    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def verify(
    *,
    method: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    credentials: Mapping[str, Credential],
    service: str,
    now: float,
) -> str:
    """Return the SecretId that signed the request, or raise Refusal with an ``AuthFailure`` code.

    ``headers`` are those received, names in lower case; ``now`` is the gateway's clock in unix seconds.
    More signed headers than the two mandatory ones are welcome.
    """
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if found is None:
        raise Refusal("AuthFailure.InvalidAuthorization")
    names = found["names"].split(";")
    if not {"content-type", "host"} <= set(names) or names != sorted(set(names)):
        raise Refusal("AuthFailure.InvalidAuthorization")
    credential = credentials.get(found["id"])
    if credential is None:
        raise Refusal("AuthFailure.SecretIdNotFound")
    timestamp = int(headers["x-tc-timestamp"])
    if abs(now - timestamp) > WINDOW:
        raise Refusal("AuthFailure.SignatureExpire")
    if found["date"] != utc_date(timestamp):
        raise Refusal("AuthFailure.SignatureFailure")
    if any(name not in headers for name in names):
        raise Refusal("AuthFailure.SignatureFailure")
    payload = UNSIGNED.encode() if headers.get("x-tc-content-sha256") == UNSIGNED else body
    canonical_headers = "".join(f"{name}:{headers[name].strip().lower()}\n" for name in names)
    canonical = "\n".join((method, "/", query, canonical_headers, found["names"], _digest(payload)))
    to_sign = "\n".join(
        (ALGORITHM, str(timestamp), f"{found['date']}/{service}/tc3_request", _digest(canonical.encode()))
    )
    key = f"TC3{credential.secret_key}".encode()
    for step in (found["date"], service, "tc3_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(key, to_sign.encode(), "sha256").hex(), found["signature"]):
        raise Refusal("AuthFailure.SignatureFailure")
    if headers.get("x-tc-token") != credential.token:
        raise Refusal("AuthFailure.TokenFailure")
    return found["id"]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
