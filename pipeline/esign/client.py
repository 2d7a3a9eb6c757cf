"""The HTTP client: one call, one answer, and what of it was put on the wire.

The official SDK's clients are not used: they look for errors in some Content-Types only, and their retryer
sends again after a success. Here a redirect is not followed, nothing is decompressed, the answer's size and
time are bounded, TLS is always verified, and a call is never repeated by the transport.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import logging
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from statistics import median
from typing import Any, Self

import aiohttp
from yarl import URL

from pipeline.clock import Clock
from pipeline.domain.keyed_text import KeyedText
from pipeline.errors import reason_of
from pipeline.esign.contracts.base import UPLOAD, VERSION
from pipeline.esign.responses import Reply
from pipeline.esign.signing import Credentials, authorization
from pipeline.esign.tls import make_context
from pipeline.messages.texts import make_text
from pipeline.support.failpoints import hit_failpoint
from pipeline.version import __version__

LOG = logging.getLogger(__name__)
CONNECT_SECONDS = 10.0
CLOCK_STEP = 30.0  # seconds of skew worth correcting
SKEWS = 5  # last answers whose Date counts
ANSWER_BYTES = 1 << 20
CLOSED_BEFORE = "wire.closed_before"
# OpenSSL's X509_V_ERR_… -> the key of a text
CERTIFICATES: Mapping[int, str] = {
    9: "wire.certificate_early",
    10: "wire.certificate_expired",
    18: "wire.certificate_issuer",
    19: "wire.certificate_issuer",
    20: "wire.certificate_issuer",
    62: "wire.certificate_host",
    64: "wire.certificate_host",
}
# the first that fits
_NOT_SENT: Sequence[tuple[type[Exception], str]] = (
    (aiohttp.ClientConnectorCertificateError, "wire.certificate_refused"),
    (aiohttp.ClientSSLError, "wire.tls_failed"),
    (aiohttp.ClientProxyConnectionError, "wire.no_proxy"),
    (aiohttp.ClientHttpProxyError, "wire.proxy_refused"),
    (aiohttp.ClientConnectorDNSError, "wire.no_host"),
    (aiohttp.ClientConnectorError, "wire.no_connection"),
    (TimeoutError, "wire.no_connection"),
)
NO_TLS = "wire.port_not_https"
_PLAIN_PORT = frozenset(
    {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}
)  # as OpenSSL 1.1, 3 say it
_WITH_REASON = frozenset({"wire.no_proxy", "wire.no_connection"})
_TOO_LONG = OSError(errno.ETIMEDOUT, "")
_NO_ANSWER: Sequence[tuple[type[Exception], str]] = (
    (TimeoutError, "wire.no_answer"),
    (aiohttp.ClientPayloadError, "wire.cut_in_answer"),
    (aiohttp.ClientResponseError, "wire.not_http"),
)
_PROXY_ERRORS = (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)
_TLS_ERRORS = (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError)

BeforeSend = Callable[[Callable[[], bool]], Awaitable[None]]
"""Runs with the connection open, before the first byte: the slot, then whatever must be durable.

It is given a function that tells whether the connection is still open: a server may tire of waiting.
"""


class NotSent(Exception):
    """The headers never left: the call was not executed. ``tls`` when no trusted TLS connection was made.

    Its text, and that of NoAnswer, is one of `pipeline.messages.texts`. The library's own exception is the cause, and
    log.jsonl holds its class.
    """

    def __init__(self, reason: str, *, tls: bool = False, of_proxy: bool = False) -> None:
        super().__init__(reason)
        self.tls = tls
        self.of_proxy = of_proxy  # the proxy is at fault, not the service's host


class NoAnswer(Exception):
    """The headers left and no whole answer came: the call may have been executed."""


_gate: ContextVar[BeforeSend | None] = ContextVar("gate", default=None)


class _GatedConnector(aiohttp.TCPConnector):
    """Holds an open connection at the gate of its call, so that a slot is never spent on a handshake."""

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109 - aiohttp's signature
        connection = await super().connect(req, traces, timeout)
        gate = _gate.get()

        def alive() -> bool:
            transport = connection.transport
            return transport is not None and not transport.is_closing()

        try:
            if gate is not None:
                await gate(alive)
            if not alive():
                raise NotSent(CLOSED_BEFORE)
        except BaseException:
            connection.close()
            raise
        return connection


class Client:
    """Signs and sends calls to the general host and to the file host; use as an async context manager."""

    def __init__(
        self,
        *,
        endpoint: str,
        file_endpoint: str,
        credentials: Credentials,
        clock: Clock,
        timeout: float,
        region: str | None = None,
        proxy: str | None = None,
        ca_file: str | None = None,
    ) -> None:
        self._urls = {"general": URL(endpoint).with_path("/"), "file": URL(file_endpoint).with_path("/")}
        self._credentials = credentials
        self._clock = clock
        self._timeout = timeout  # seconds for the answer, from the last byte sent
        self._region = region
        self._proxy = proxy
        self._ca_file = ca_file
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self.offset = 0.0  # seconds to add to our clock: what the service's Date taught us
        self._skews: deque[float] = deque(maxlen=SKEWS)

    async def __aenter__(self) -> Self:
        """Open nothing yet; connections are made by the calls."""
        context = make_context(self._ca_file)
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_headers_ready)
        trace.on_request_chunk_sent.append(_chunk_sent)
        connectors = {
            # A create never uses a used connection: a silent death of it would leave the outcome open.
            "general": _GatedConnector(ssl=context, limit=0, force_close=True),
            "file": _GatedConnector(ssl=context, limit=0, keepalive_timeout=10.0),
        }
        for role, connector in connectors.items():
            self._sessions[role] = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=CONNECT_SECONDS, sock_connect=CONNECT_SECONDS
                ),
                trace_configs=[trace],
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                raise_for_status=False,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close what is open."""
        for session in self._sessions.values():
            await session.close()

    def host(self, action: str) -> str:
        """Return the host (with a port where it is not the usual one) that an action goes to."""
        url = self._urls["file" if action == UPLOAD else "general"]
        return url.host_port_subcomponent or url.host or ""

    def host_at_fault(self, action: str, error: NotSent | NoAnswer) -> str:
        """Return the host that kept a call from its answer: the proxy's where that is at fault."""
        if isinstance(error, NotSent) and error.of_proxy and self._proxy is not None:
            return URL(self._proxy).host_port_subcomponent or self.host(action)
        return self.host(action)

    def now(self) -> float:
        """Return unix seconds as the service sees them."""
        return self._clock.now() + self.offset

    def learn(self, reply: Reply) -> None:
        """Take the Date of an answer that is surely the service's; the clock is set by the middle one of the last."""
        if reply.skew is None:
            return
        self._skews.append(reply.skew)
        usual = median(self._skews)
        if abs(usual - self.offset) >= CLOCK_STEP:
            self.offset = usual

    def set_clock(self, skew: float | None) -> None:
        """Begin anew with the clock: by the Date of a refused timestamp, or (None) after the machine's own has jumped."""
        self._skews.clear()
        if skew is not None:
            self._skews.append(skew)
            if abs(skew - self.offset) >= CLOCK_STEP:
                self.offset = skew

    async def call(self, action: str, body: bytes, *, trace_id: str, gate: BeforeSend) -> Reply:
        """Send one signed call and return its whole answer.

        ``gate`` is awaited on the open connection; the signature is made after it, so a late slot never
        carries an old timestamp. Raises NotSent or NoAnswer; whatever ``gate`` raises passes through.
        """
        role = "file" if action == UPLOAD else "general"
        headers = self._headers(action, trace_id)
        digest = hashlib.sha256(body).hexdigest()
        sending = _Sending(self._timeout)

        async def at_the_gate(alive: Callable[[], bool]) -> None:
            await gate(alive)
            hit_failpoint(f"{action}: before the headers")
            timestamp = int(self.now())
            signed = {"content-type": headers["Content-Type"], "host": headers["Host"]}
            sending.late_headers = {
                "X-TC-Timestamp": str(timestamp),
                "Authorization": authorization(self._credentials, signed, digest, timestamp=timestamp),
            }

        token = _gate.set(at_the_gate)
        try:
            async with (
                asyncio.timeout(None) as sending.timer,
                self._sessions[role].post(
                    self._urls[role],
                    data=io.BytesIO(body),
                    headers=headers,
                    allow_redirects=False,
                    proxy=self._proxy,
                    trace_request_ctx=sending,
                ) as response,
            ):
                hit_failpoint(f"{action}: before the body of the answer")
                content = await _bounded(response)
                hit_failpoint(f"{action}: answered")
                return Reply(response.status, content, self._skew(response.headers.get("Date")))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            LOG.info("no answer", extra={"trace_id": trace_id, "error": type(error).__name__})
            if sending.begun:
                raise NoAnswer(_after_the_headers(error)) from error
            raise NotSent(
                _before_the_headers(error),
                tls=isinstance(error, _TLS_ERRORS),
                of_proxy=isinstance(error, _PROXY_ERRORS),
            ) from error
        finally:
            _gate.reset(token)

    def _headers(self, action: str, trace_id: str) -> dict[str, str]:
        headers = {
            "Host": self.host(action),
            "Content-Type": "application/json",
            "User-Agent": f"esign-import/{__version__}",
            "Accept-Encoding": "identity",
            "X-TC-Action": action,
            "X-TC-Version": VERSION,
            "X-TC-Language": "zh-CN",
            "X-TC-TraceId": trace_id,
        }
        if self._region:
            headers["X-TC-Region"] = self._region
        if self._credentials.token:
            headers["X-TC-Token"] = self._credentials.token
        return headers

    def _skew(self, date: str | None) -> float | None:
        """Return how far the server's Date header is ahead of our own clock, in seconds."""
        if date is None:
            return None
        try:
            return parsedate_to_datetime(date).timestamp() - self._clock.now()
        except ValueError:
            return None


class _Sending:
    """One call under way: its late headers, whether bytes may have left, and the answer's clock."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.late_headers: dict[str, str] = {}
        self.begun = False
        self.timer: asyncio.Timeout | None = None


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    while chunk := await response.content.readany():
        content += chunk
        if len(content) > ANSWER_BYTES:
            raise NoAnswer(make_text("wire.answer_too_large"))
    return bytes(content)


def _before_the_headers(error: Exception) -> KeyedText:
    """Return what kept a call from being sent at all."""
    key = next((key for kind, key in _NOT_SENT if isinstance(error, kind)), CLOSED_BEFORE)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        refused = error.certificate_error
        code = refused.verify_code if isinstance(refused, ssl.SSLCertVerificationError) else 0
        return make_text(CERTIFICATES.get(code, key))
    if isinstance(error, aiohttp.ClientConnectorSSLError) and isinstance(error.os_error, ssl.SSLError):
        return make_text(NO_TLS if error.os_error.reason in _PLAIN_PORT else key)
    if key not in _WITH_REASON:
        return make_text(key)
    refused = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else _TOO_LONG
    return make_text(key, why=reason_of(refused))


def _after_the_headers(error: Exception) -> KeyedText:
    """Return how a call that may have been executed lost its answer."""
    return make_text(next((key for kind, key in _NO_ANSWER if isinstance(error, kind)), "wire.cut"))


async def _headers_ready(
    _: aiohttp.ClientSession, context: Any, params: aiohttp.TraceRequestHeadersSentParams
) -> None:
    """Add what could only be known after the gate; aiohttp calls this just before it writes the headers."""
    sending: _Sending = context.trace_request_ctx
    params.headers.update(sending.late_headers)
    sending.begun = True


async def _chunk_sent(
    _: aiohttp.ClientSession, context: Any, __: aiohttp.TraceRequestChunkSentParams
) -> None:
    """Start the answer's clock anew with each piece of the body: it runs from the last one."""
    sending: _Sending = context.trace_request_ctx
    hit_failpoint("a piece of the body is sent")
    assert sending.timer is not None
    sending.timer.reschedule(asyncio.get_running_loop().time() + sending.timeout)
