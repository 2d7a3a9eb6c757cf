"""A success cut at every byte: no answer until the last one arrived."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.clock import SystemClock
from pipeline.esign.client import Client, NoAnswer
from pipeline.esign.responses import read_create
from pipeline.esign.signing import Credentials

BODY = b'{"Response":{"SealId":"yDCZZUUckpkvqxq5UxVd26KhJAwGN1vX","RequestId":"r"}}'
HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
ANSWER = HEAD + BODY


async def passing(_alive) -> None:
    """Let every call through."""


async def test_every_cut_is_no_answer_and_the_whole_is_a_success():
    cuts = iter(range(len(ANSWER) + 1))

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(2)
        writer.write(ANSWER[: next(cuts)])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = Client(
        endpoint=url,
        file_endpoint=url,
        credentials=Credentials("id", "key"),
        clock=SystemClock(),
        timeout=5,
    )
    async with server, client:
        for _ in range(len(ANSWER)):
            with pytest.raises(NoAnswer):
                await client.call("Create", b"{}", trace_id="t", before_send=passing)
        reply = await client.call("Create", b"{}", trace_id="t", before_send=passing)
    assert read_create(reply).verdict.kind == "sealed"
    assert next(cuts, None) is None
