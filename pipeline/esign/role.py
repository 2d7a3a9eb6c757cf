"""Temporary keys of a role, renewed before they expire: of the machine (CVM), by STS with keys or with an OIDC token.

The official SDK's classes for this are not used: they take a proxy from the environment, have no time-out for the
metadata, hide its errors, write keys to their log, and know neither ``api.proxy`` nor ``api.ca_file``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal

import aiohttp
from yarl import URL

from pipeline.clock import Clock
from pipeline.domain.masking import mask_answer
from pipeline.domain.message import Message
from pipeline.domain.service_codes import get_create_meaning
from pipeline.errors import RoleFailed, reason_of
from pipeline.esign.client import NoAnswer, describe_no_answer, describe_not_sent, make_tls_context, read_body
from pipeline.esign.responses import HTTP_OK, Answer, parse_answer
from pipeline.esign.signing import Credentials, authorization
from pipeline.messages.catalogue import make_message

LOG = logging.getLogger(__name__)
METADATA = "http://metadata.tencentyun.com"  # answers on machines of Tencent Cloud alone
METADATA_PATH = "/latest/meta-data/cam/security-credentials/"
STS = "https://sts.tencentcloudapi.com"
STS_VERSION = "2018-08-13"
DEFAULT_REGION = "ap-guangzhou"
SESSION_NAME = "esign-import"
TKE_VARIABLES = ("TKE_PROVIDER_ID", "TKE_WEB_IDENTITY_TOKEN_FILE", "TKE_ROLE_ARN")
RENEW_SECONDS = 600.0  # before the keys expire
RETRY_SECONDS = 60.0  # after a renewal that failed, and between two renewals
ANSWER_SECONDS = 10.0
NOT_FOUND = 404

RoleKind = Literal["cvm", "sts", "oidc"]


class _Refused(Exception):
    """No keys were given; its text is a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What is asked for keys, and how."""

    kind: RoleKind
    name: str | None = None  # of a machine's role; None: the one that is bound to it
    arn: str | None = None  # None with oidc: that of the environment
    seconds: int = 7200  # for which the keys are valid
    endpoint: str | None = None  # in place of Tencent's host
    proxy: str | None = field(default=None, repr=False)  # to STS alone
    ca_file: str | None = None

    @property
    def label(self) -> str:
        """What messages call it."""
        return " ".join(filter(None, (f"credentials.role: {self.kind}", self.arn or self.name)))


class RoleCredentials:
    """The keys of a role; a renewal that fails does no harm until the keys expire."""

    def __init__(
        self, role: Role, clock: Clock, environment: Mapping[str, str], own_keys: Credentials | None = None
    ) -> None:
        self._role = role
        self._clock = clock
        self._environment = environment
        self._own_keys = own_keys  # with which the role is assumed
        self._keys: Credentials | None = None
        self._renew_at = self._expires_at = self._given_at = 0.0  # unix seconds
        self._skew = 0.0  # seconds by which the clock of STS is ahead
        self._lock = asyncio.Lock()
        self.renewal_failure: Message | None = None

    @property
    def source(self) -> str:
        """The role, and where the keys were found with which it is assumed."""
        return f"{self._role.label} ({self._own_keys.source})" if self._own_keys else self._role.label

    @property
    def files(self) -> tuple[Path, ...]:
        """The files with the keys with which the role is assumed."""
        return self._own_keys.files if self._own_keys else ()

    async def get_current(self) -> Credentials:
        """Return keys that are valid now; new ones are asked for ten minutes before they expire. Raises RoleFailed."""
        is_valid = self._keys is not None and self._clock.now() < self._expires_at
        if not (is_valid and self._lock.locked()):  # meanwhile others sign with the keys that are still valid
            async with self._lock:
                if self._keys is None or self._clock.now() >= self._renew_at:
                    await self._renew()
        assert self._keys is not None
        return self._keys

    def discard_current(self) -> bool:
        """Let the next keys be new ones, unless these are a minute old at most: an answer to older ones came late."""
        if self._clock.now() >= self._given_at + RETRY_SECONDS:
            self._keys = None
        return True

    async def _renew(self) -> None:
        try:
            self._keys, seconds = await self._ask_for_keys()
        except _Refused as refusal:
            self.renewal_failure = why = refusal.args[0]
            now = self._clock.now()
            if self._keys is None or now >= self._expires_at:
                raise RoleFailed(self.source, why) from refusal
            self._renew_at = now + RETRY_SECONDS
            seconds = round(self._expires_at - now)
            LOG.warning("the keys of the role were not renewed", extra={"why": str(why), "seconds": seconds})
        else:
            self.renewal_failure = None
            self._given_at = now = self._clock.now()
            self._expires_at = now + seconds
            self._renew_at = max(self._expires_at - RENEW_SECONDS, now + min(RETRY_SECONDS, seconds / 2))

    async def _ask_for_keys(self) -> tuple[Credentials, float]:
        """Return new keys and for how many seconds they are valid."""
        try:
            context = make_tls_context(self._role.ca_file)
        except OSError as error:
            raise _Refused(
                make_message("stop.file", file=self._role.ca_file, why=reason_of(error))
            ) from error
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, force_close=True),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        ) as session:
            if self._role.kind == "cvm":
                return await self._ask_metadata(session)
            if self._role.kind == "sts":
                assert self._own_keys is not None
                body = {"RoleArn": self._role.arn}
                return await self._ask_sts(session, "AssumeRole", body, DEFAULT_REGION, self._own_keys)
            region = self._environment.get("TKE_REGION") or DEFAULT_REGION
            identity = self._build_identity()
            return await self._ask_sts(session, "AssumeRoleWithWebIdentity", identity, region, None)

    async def _ask_metadata(self, session: aiohttp.ClientSession) -> tuple[Credentials, float]:
        url = URL(self._role.endpoint or METADATA).with_path(METADATA_PATH)
        name = self._role.name
        if name is None:
            listed, _ = await self._send(session, "GET", url)
            name = listed.decode("utf-8", "replace").strip()
        content, skew = await self._send(session, "GET", url / name)
        try:
            document = json.loads(content)
            if document["Code"] != "Success":
                raise _Refused(make_message("role.code", code=mask_answer(str(document["Code"]))))
            return self._read_keys(document, document["ExpiredTime"], skew)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise _Refused(make_message("role.unreadable", host=url.host or "")) from error

    def _build_identity(self) -> dict[str, object]:
        """Return who asks, from what TKE puts into the environment. Raises _Refused where something is missing."""
        values = {name: self._environment.get(name, "") for name in TKE_VARIABLES}
        values["TKE_ROLE_ARN"] = self._role.arn or values["TKE_ROLE_ARN"]
        if missing := [name for name, value in values.items() if not value]:
            raise _Refused(make_message("role.variables", names=", ".join(missing)))
        file = Path(values["TKE_WEB_IDENTITY_TOKEN_FILE"])
        try:
            token = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = reason_of(error) if isinstance(error, OSError) else "UTF-8"
            raise _Refused(make_message("stop.file", file=file, why=why)) from error
        return {
            "ProviderId": values["TKE_PROVIDER_ID"],
            "WebIdentityToken": token,
            "RoleArn": values["TKE_ROLE_ARN"],
        }

    async def _ask_sts(
        self,
        session: aiohttp.ClientSession,
        action: str,
        identity: Mapping[str, object],
        region: str,
        own_keys: Credentials | None,
    ) -> tuple[Credentials, float]:
        """Ask STS, signed where there are keys; once more by its own clock where the timestamp was refused."""
        url = URL(self._role.endpoint or STS).with_path("/")
        values = {**identity, "RoleSessionName": SESSION_NAME, "DurationSeconds": self._role.seconds}
        body = json.dumps(values).encode()

        async def post() -> tuple[Answer | None, float | None]:
            headers = self._build_headers(url, action, region, body, own_keys)
            content, skew = await self._send(session, "POST", url, headers=headers, body=body)
            return parse_answer(content), skew

        answer, skew = await post()
        if answer and answer.code and skew is not None and get_create_meaning(answer.code, "") == "clock":
            self._skew = skew
            answer, skew = await post()
        if answer is None:
            raise _Refused(make_message("role.unreadable", host=url.host or ""))
        if answer.code is not None:
            words = f"{answer.code} {mask_answer(answer.message or '')}".strip()
            raise _Refused(make_message("role.code", code=words))
        try:
            return self._read_keys(answer.fields["Credentials"], answer.fields["ExpiredTime"], skew)
        except (ValueError, TypeError, KeyError) as error:
            raise _Refused(make_message("role.unreadable", host=url.host or "")) from error

    def _build_headers(
        self, url: URL, action: str, region: str, body: bytes, own_keys: Credentials | None
    ) -> dict[str, str]:
        timestamp = int(self._clock.now() + self._skew)
        headers = {
            "Host": url.host_port_subcomponent or "",
            "Content-Type": "application/json",
            "X-TC-Action": action,
            "X-TC-Version": STS_VERSION,
            "X-TC-Region": region,
            "X-TC-Timestamp": str(timestamp),
        }
        if own_keys is None:
            return {**headers, "Authorization": "SKIP"}  # the OIDC token is the proof
        if own_keys.token:
            headers["X-TC-Token"] = own_keys.token
        signed = {"content-type": headers["Content-Type"], "host": headers["Host"]}
        digest = hashlib.sha256(body).hexdigest()
        return {
            **headers,
            "Authorization": authorization(own_keys, signed, digest, timestamp=timestamp, service="sts"),
        }

    async def _send(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> tuple[bytes, float | None]:
        """Send one call; return the body of its answer, and how far the server's clock is ahead."""
        host = url.host_port_subcomponent or ""
        proxy = self._role.proxy if url.scheme == "https" else None  # never the metadata of this machine
        try:
            async with session.request(
                method, url, data=body, headers=headers, proxy=proxy, allow_redirects=False
            ) as response:
                content = await read_body(response)
                if response.status != HTTP_OK:
                    key = (
                        "role.not_bound"
                        if method == "GET" and response.status == NOT_FOUND
                        else "role.status"
                    )
                    raise _Refused(make_message(key, host=host, status=response.status))
                return content, self._read_skew(response.headers.get("Date"))
        except NoAnswer as error:
            raise _Refused(make_message("role.host", host=host, why=error.args[0])) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            describe = (
                describe_not_sent if isinstance(error, aiohttp.ClientConnectorError) else describe_no_answer
            )
            raise _Refused(make_message("role.host", host=host, why=describe(error))) from error

    def _read_skew(self, date: str | None) -> float | None:
        try:
            return parsedate_to_datetime(date or "").timestamp() - self._clock.now()
        except ValueError:
            return None

    def _read_keys(self, values: Any, expires: Any, skew: float | None) -> tuple[Credentials, float]:
        """Return keys and for how long they are valid; the server's clock counts. Raises ValueError, TypeError, KeyError."""
        names = ("TmpSecretId", "TmpSecretKey", "Token")
        secret_id, secret_key, token = (values[name] for name in names)
        if not all(isinstance(value, str) and value for value in (secret_id, secret_key, token)):
            raise TypeError
        seconds = float(expires) - self._clock.now() - (skew or 0.0)
        if seconds <= 0:
            raise ValueError
        return Credentials(secret_id, secret_key, token, self.source, self.files), seconds
