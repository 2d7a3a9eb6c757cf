"""The body of a request: written in pieces, so that a picture in base64 is not copied on its way to the socket.

It carries what has to happen before the first byte, because the connection that is opened for a request is given the
request alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import Payload
from aiohttp.abc import AbstractStreamWriter

PIECE_BYTES = 1 << 18
FIRST_PIECE_BYTES = 1 << 14  # of a body of several: aiohttp copies it behind the headers

BeforeSend = Callable[[Callable[[], bool]], Awaitable[None]]
"""Runs on the open connection, before the first byte: waits for the slot, then makes durable what must be.

Its argument is a function that returns whether the connection is still open: a server may close one that waits.
"""


class RequestBody(Payload):
    """A JSON body of bytes; with each piece that is written the answer's timer is set anew."""

    def __init__(self, body: bytes, before_send: BeforeSend) -> None:
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
