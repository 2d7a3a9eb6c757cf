"""The HTTP client: one call, one reply, and whether its headers were put on the wire.

The official SDK's clients are not used: they look for errors in some Content-Types only, and their retryer
sends again after a success. Here a redirect is not followed, nothing is decompressed, the reply's size and
time are bounded, TLS is always verified, and a call is never repeated by the transport.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import ssl
import sys
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from functools import lru_cache
from statistics import median
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from pipeline.clock import Clock
from pipeline.domain.message import Message
from pipeline.errors import reason_of
from pipeline.esign.products import Product
from pipeline.esign.reply_faults import PROXY_LOGIN
from pipeline.esign.responses import Reply, SeenAnswers
from pipeline.esign.signing import MAX_AGE_SECONDS, CredentialsSource, authorization
from pipeline.messages.catalogue import make_message
from pipeline.support.failpoints import hit_failpoint
from pipeline.version import __version__

LOG = logging.getLogger(__name__)
CONNECT_SECONDS = 10.0
MIN_CORRECTION = 30.0  # seconds of skew worth correcting
RECENT_SKEWS = 5  # replies whose Date counts
MAX_REPLY_BYTES = 1 << 20
CLOSED_BEFORE = "wire.closed_before"
PROXY_STATUS = "wire.proxy_status"
# the first class that fits counts
_NOT_SENT: Sequence[tuple[type[Exception], str]] = (
    (aiohttp.ClientConnectorCertificateError, "wire.certificate"),
    (aiohttp.ClientSSLError, "wire.tls_failed"),
    (aiohttp.ClientProxyConnectionError, "wire.no_proxy"),
    (aiohttp.ClientHttpProxyError, PROXY_STATUS),
    (aiohttp.ClientConnectorDNSError, "wire.no_host"),
    (aiohttp.ClientConnectorError, "wire.no_connection"),
    (TimeoutError, "wire.no_connection"),
)
PLAIN_PORT = "wire.port_not_https"
# OpenSSL 1.1 and 3
_PLAIN_PORT_REASONS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})
_WITH_REASON = frozenset({"wire.no_proxy", "wire.no_connection"})
_TOO_LONG = OSError(errno.ETIMEDOUT, "")
_NO_ANSWER: Sequence[tuple[type[Exception], str]] = (
    (TimeoutError, "wire.no_answer"),
    (aiohttp.ClientPayloadError, "wire.cut_in_answer"),
    (aiohttp.ClientResponseError, "wire.not_http"),
)
_PROXY_ERRORS = (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)
_TLS_ERRORS = (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError)
PIECE_BYTES = 1 << 18
FIRST_PIECE_BYTES = 1 << 14  # of a body of several: aiohttp copies it behind the headers


@dataclass(frozen=True, slots=True)
class SignedCall:
    """A signed call on its open connection, before its first byte."""

    signed_at: float  # unix seconds, by the service's clock
    wall: float  # the same moment on both clocks of this machine
    monotonic: float
    clock: Clock
    is_open: Callable[[], bool]  # a server may close a connection that waits

    def may_leave(self) -> bool:
        """Return whether the connection is open and the signature young: the clock on which more time has passed decides."""
        age = max(self.clock.now() - self.wall, self.clock.monotonic() - self.monotonic)
        return self.is_open() and age <= MAX_AGE_SECONDS


BeforeSend = Callable[[SignedCall], Awaitable[None]]
"""Runs on the open connection, before the first byte: makes durable what must be, then waits for the slot."""


class NotSent(Exception):
    """The headers never left: the call was not executed.

    Its text, and that of NoAnswer, is a message. The library's own exception is the cause, and
    log.jsonl holds its class.
    """

    @property
    def is_of_tls(self) -> bool:
        """Whether no trusted TLS connection was made."""
        return isinstance(self.__cause__, _TLS_ERRORS)

    @property
    def is_of_proxy(self) -> bool:
        """Whether the proxy is at fault, not the service's host."""
        return isinstance(self.__cause__, _PROXY_ERRORS)


class NoAnswer(Exception):
    """The headers left and no whole answer came: the call may have been executed."""


class _WaitingConnector(aiohttp.TCPConnector):
    """Awaits ``before_send`` of a request's body on its open connection: a slot is never spent on a handshake."""

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109 - aiohttp's signature
        connection = await super().connect(req, traces, timeout)
        body: RequestBody = req.body

        def is_open() -> bool:
            transport = connection.transport
            return transport is not None and not transport.is_closing()

        try:
            await body.before_send(is_open)
            if not is_open():
                raise NotSent(make_message(CLOSED_BEFORE))
        except BaseException:
            connection.close()
            raise
        return connection


class Client:
    """Signs and sends calls to the general host and to the file host; use as an async context manager."""

    def __init__(
        self,
        *,
        product: Product,
        endpoint: str,
        file_endpoint: str,
        credentials: CredentialsSource,
        clock: Clock,
        timeout: float,
        answers: SeenAnswers,
        region: str | None = None,
        proxy: str | None = None,
        ca_file: str | None = None,
    ) -> None:
        self._urls = {"general": URL(endpoint).with_path("/"), "file": URL(file_endpoint).with_path("/")}
        self.product = product
        self.credentials = credentials
        self.answers = answers
        self._clock = clock
        self._timeout = timeout  # seconds for the answer, from the last byte sent
        self._region = region
        self._proxy = proxy
        self._ca_file = ca_file
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self.clock_offset = 0.0  # seconds to add to our clock, learnt from the service's Date
        self._skews: deque[float] = deque(maxlen=RECENT_SKEWS)

    async def __aenter__(self) -> Self:
        """Open nothing yet; connections are made by the calls."""
        proxies = [] if self._proxy is None else [URL(self._proxy)]
        is_plain = all(url.scheme == "http" for url in (*self._urls.values(), *proxies))
        # the system's certificates are read only where they are needed; True is the library's own verification
        context = True if is_plain and self._ca_file is None else make_tls_context(self._ca_file)
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_on_headers_sent)
        trace.on_request_chunk_sent.append(_on_chunk_sent)
        connectors = {
            # A create never uses a used connection: a silent death of it would leave the outcome open.
            "general": _WaitingConnector(ssl=context, limit=0, force_close=True),
            "file": _WaitingConnector(ssl=context, limit=0, keepalive_timeout=10.0),
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

    def host_of(self, action: str) -> str:
        """Return the host (with a port where it is not the usual one) that an action goes to."""
        url = self._urls["file" if action == self.product.upload else "general"]
        return url.host_port_subcomponent or url.host or ""

    def host_at_fault(self, action: str, error: NotSent | NoAnswer) -> str:
        """Return the host because of which a call got no answer: the proxy's where that is at fault."""
        if isinstance(error, NotSent) and error.is_of_proxy and self._proxy is not None:
            return URL(self._proxy).host_port_subcomponent or self.host_of(action)
        return self.host_of(action)

    def service_time(self) -> float:
        """Return unix seconds by the service's clock."""
        return self._clock.now() + self.clock_offset

    def update_clock_offset(self, reply: Reply) -> None:
        """Take the Date of a reply that is surely the service's; the median of the last ones sets the offset."""
        if reply.skew is None:
            return
        self._skews.append(reply.skew)
        skew = median(self._skews)
        if abs(skew - self.clock_offset) >= MIN_CORRECTION:
            self.clock_offset = skew

    def reset_clock_offset(self, reply: Reply | None) -> None:
        """Forget earlier replies: take the Date of a refused timestamp, or (None) keep the offset after a clock jump."""
        self._skews.clear()
        if reply is not None:
            self.update_clock_offset(reply)

    async def call(
        self,
        action: str,
        body: bytes,
        *,
        trace_id: str | None = None,
        before_send: BeforeSend | None = None,
        body_sha256: str | None = None,
    ) -> Reply:
        """Send one signed call and return its whole reply; ``body_sha256`` is that of the body where it is known.

        The call is signed once, then its connection is opened, then ``before_send`` is awaited. Raises NotSent or NoAnswer, and
        everything that ``before_send`` raises.
        """
        role = "file" if action == self.product.upload else "general"
        keys = await self.credentials.get_current()
        trace_id = trace_id or str(uuid.uuid4())
        headers = self._build_headers(action, trace_id)
        if keys.token:
            headers["X-TC-Token"] = keys.token
        digest = body_sha256 or hashlib.sha256(body).hexdigest()
        signed_at, wall, monotonic = self.service_time(), self._clock.now(), self._clock.monotonic()
        signed = {"content-type": headers["Content-Type"], "host": headers["Host"]}
        headers["X-TC-Timestamp"] = str(int(signed_at))
        headers["Authorization"] = authorization(
            keys, signed, digest, timestamp=int(signed_at), service=self.product.service
        )
        call = _CallState(self._timeout)

        async def wait(is_open: Callable[[], bool]) -> None:
            if before_send is not None:
                await before_send(SignedCall(signed_at, wall, monotonic, self._clock, is_open))
            hit_failpoint(f"{action}: before the headers")

        try:
            async with (
                asyncio.timeout(None) as call.timer,
                self._sessions[role].post(
                    self._urls[role],
                    data=RequestBody(body, wait),
                    headers=headers,
                    allow_redirects=False,
                    proxy=self._proxy,
                    trace_request_ctx=call,
                ) as response,
            ):
                hit_failpoint(f"{action}: before the body of the answer")
                content = await read_body(response)
                hit_failpoint(f"{action}: answered")
                skew = self._read_skew(response.headers.get("Date"))
                location = response.headers.get("Location")
                reply = Reply(response.status, content, skew, location=location)
                request_id = reply.content.request_id if reply.content else None
                if not self.answers.claim_answer(request_id, trace_id):
                    LOG.warning("an answer that was seen before", extra={"trace_id": trace_id})
                    return replace(reply, is_repeated=True)
                return reply
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            LOG.info("no answer", extra={"trace_id": trace_id, "error": type(error).__name__})
            if call.has_begun:
                raise NoAnswer(describe_no_answer(error)) from error
            raise NotSent(describe_not_sent(error)) from error

    def _build_headers(self, action: str, trace_id: str) -> dict[str, str]:
        headers = {
            "Host": self.host_of(action),
            "Content-Type": "application/json",
            "User-Agent": f"esign-import/{__version__}",
            "Accept-Encoding": "identity",
            "X-TC-Action": action,
            "X-TC-Version": self.product.version,
            "X-TC-Language": "zh-CN",
            "X-TC-TraceId": trace_id,
        }
        if self._region:
            headers["X-TC-Region"] = self._region
        return headers

    def _read_skew(self, date: str | None) -> float | None:
        """Return how far the server's Date header is ahead of our own clock, in seconds."""
        if date is None:
            return None
        try:
            return _parse_date(date) - self._clock.now()
        except ValueError:
            return None


@lru_cache(maxsize=4)
def _parse_date(date: str) -> float:
    """Return the unix seconds of a Date header: all replies of a second have the same. Raises ValueError."""
    return parsedate_to_datetime(date).timestamp()


@dataclass(slots=True)
class _CallState:
    """The state of one call."""

    timeout: float
    has_begun: bool = False  # bytes may have left
    timer: asyncio.Timeout | None = None  # of the answer


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """Return the body of an answer. Raises NoAnswer for one that is too large."""
    content = bytearray()
    while chunk := await response.content.readany():
        content += chunk
        if len(content) > MAX_REPLY_BYTES:
            raise NoAnswer(make_message("wire.answer_too_large"))
    return bytes(content)


def describe_not_sent(error: Exception) -> Message:
    """Return why a call was not sent at all."""
    key = next((key for kind, key in _NOT_SENT if isinstance(error, kind)), CLOSED_BEFORE)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return make_message(key, why=getattr(error.certificate_error, "verify_message", ""))
    if isinstance(error, aiohttp.ClientConnectorSSLError) and isinstance(error.os_error, ssl.SSLError):
        return make_message(PLAIN_PORT if error.os_error.reason in _PLAIN_PORT_REASONS else key)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        key = "wire.proxy_login" if error.status == PROXY_LOGIN else key
        return make_message(key, status=error.status, page="")
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionResetError):
        key = "wire.cut_in_handshake"  # a port that takes no connection refuses it
    if key not in _WITH_REASON:
        return make_message(key)
    refused = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else _TOO_LONG
    return make_message(key, why=reason_of(refused))


def describe_no_answer(error: Exception) -> Message:
    """Return why a call that may have been executed got no answer."""
    return make_message(next((key for kind, key in _NO_ANSWER if isinstance(error, kind)), "wire.cut"))


async def _on_headers_sent(
    _: aiohttp.ClientSession, context: Any, __: aiohttp.TraceRequestHeadersSentParams
) -> None:
    """Note that bytes may leave; aiohttp calls this just before it writes the headers."""
    call: _CallState = context.trace_request_ctx
    call.has_begun = True


async def _on_chunk_sent(
    _: aiohttp.ClientSession, context: Any, __: aiohttp.TraceRequestChunkSentParams
) -> None:
    """Restart the answer's timer with each piece of the body: it runs from the last one."""
    call: _CallState = context.trace_request_ctx
    hit_failpoint("a piece of the body is sent")
    assert call.timer is not None
    call.timer.reschedule(asyncio.get_running_loop().time() + call.timeout)


def make_tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that verifies the server, by ``ca_file`` alone where one is given. Raises OSError for a bad one.

    It is that of `ssl.create_default_context` without SSLKEYLOGFILE: the secrets of a connection that carries identity
    numbers must not be written to a file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    else:
        context.load_default_certs()
    return context


class RequestBody(aiohttp.Payload):
    """A JSON body of bytes; with each piece that is written the answer's timer is set anew.

    It is written in pieces, so that a picture in base64 is not copied on its way to the socket. It carries what has to
    happen before the first byte, because the connection that is opened for a request is given the request alone.
    """

    def __init__(self, body: bytes, before_send: Callable[[Callable[[], bool]], Awaitable[None]]) -> None:
        super().__init__(body, content_type="application/json")
        self._body = body
        self.before_send = before_send

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self._body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return self._body.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body whole."""
        view = memoryview(self._body)
        first = len(view) if len(view) <= PIECE_BYTES else FIRST_PIECE_BYTES
        await writer.write(view[:first])
        for start in range(first, len(view), PIECE_BYTES):
            await writer.write(view[start : start + PIECE_BYTES])
