"""TC3-HMAC-SHA256: the signature of one request, from the very bytes that are sent."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from pipeline.clock import utc_date

ALGORITHM = "TC3-HMAC-SHA256"
_SHOWN = 4  # characters of a SecretId at each end

# A signature is accepted for 300 seconds by the service's clock, and a call that arrived in time is executed within 60. A
# process that was stopped just before its first byte may send it as late as that. After this time, which leaves room for
# clocks that differ, a create that has not taken effect never will.
REPLAY_WINDOW_SECONDS = 600.0
MAX_AGE_SECONDS = 60.0  # of a signature whose call has still to leave


class CredentialsSource(Protocol):
    """Gives the keys for each signature: a pair that was found, or a role whose keys are renewed."""

    @property
    def source(self) -> str:
        """Where the keys come from."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files they were read from."""

    async def get_current(self) -> Credentials:
        """Return the keys to sign with. Raises CredentialsMissing where there are none."""


class CredentialsFinder(Protocol):
    """Finds the keys of a run, once something has to be sent."""

    def find(self) -> CredentialsSource:
        """Return the keys. Raises CredentialsMissing where there are none."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """One complete pair, never mixed from two places; ``source`` is where it was found."""

    secret_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    source: str = ""
    files: tuple[Path, ...] = field(default=(), repr=False)  # the files it was read from

    def find(self) -> Credentials:
        """Return this pair: where it is given nothing is looked for."""
        return self

    def describe(self) -> dict[str, str]:
        """Return the source, the ends of the SecretId, and the files where each part has its own."""
        secret_id = f"{self.secret_id[:_SHOWN]}…{self.secret_id[-_SHOWN:]}"
        detail = {"credentials": self.source, "secret_id": secret_id}
        if len(self.files) > 1:
            id_file, key_file = self.files[:2]
            detail |= {"id_file": str(id_file), "key_file": str(key_file)}
        return detail

    async def get_current(self) -> Credentials:
        return self


def canonical_request(headers: Mapping[str, str], body_sha256: str) -> tuple[str, str]:
    """Return the canonical request of a ``POST /`` and the names it signs, joined with ``;``.

    ``headers`` are those to sign, as they are sent; ``body_sha256`` is the hex digest of the body's bytes.
    """
    signed = {name.lower(): value.strip().lower() for name, value in headers.items()}
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    return f"POST\n/\n\n{lines}\n{names}\n{body_sha256}", names


def authorization(
    credentials: Credentials,
    headers: Mapping[str, str],
    body_sha256: str,
    *,
    timestamp: int,
    service: str,
) -> str:
    """Return the Authorization header; the day in its scope is the UTC day of ``timestamp`` (unix seconds)."""
    request, names = canonical_request(headers, body_sha256)
    day = utc_date(timestamp)
    scope = f"{day}/{service}/tc3_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}"
    signature = hmac.digest(_derive_key(credentials.secret_key, day, service), text.encode(), "sha256").hex()
    return f"{ALGORITHM} Credential={credentials.secret_id}/{scope}, SignedHeaders={names}, Signature={signature}"


@lru_cache(maxsize=4)
def _derive_key(secret_key: str, day: str, service: str) -> bytes:
    key = f"TC3{secret_key}".encode()
    for part in (day, service, "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
