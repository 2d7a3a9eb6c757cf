"""Connections that the server closes: at every byte of a success, and before anything was sent."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from manual_clock import settle

from pipeline.clock import SystemClock
from pipeline.esign.client import Client, NoAnswer, NotSent
from pipeline.esign.responses import read_create
from pipeline.esign.signing import Credentials
from pipeline.messages.texts import render_text

BODY = b'{"Response":{"SealId":"yDCZZUUckpkvqxq5UxVd26KhJAwGN1vX","RequestId":"r"}}'
HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
ANSWER = HEAD + BODY


async def pass_at_once(_is_open) -> None:
    """Let every call through."""


async def wait_until_closed(is_open) -> None:
    while is_open():
        await settle(1)


@asynccontextmanager
async def open_client(serve):
    """Yield a client of a server that handles each connection with ``serve``."""
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
        yield client


async def test_every_cut_is_no_answer_and_the_whole_is_a_success():
    cuts = iter(range(len(ANSWER) + 1))

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(2)
        writer.write(ANSWER[: next(cuts)])
        await writer.drain()
        writer.close()

    async with open_client(serve) as client:
        for _ in range(len(ANSWER)):
            with pytest.raises(NoAnswer):
                await client.call("Create", b"{}", trace_id="t", before_send=pass_at_once)
        reply = await client.call("Create", b"{}", trace_id="t", before_send=pass_at_once)
    assert read_create(reply).verdict.kind == "sealed"
    assert next(cuts, None) is None


async def test_a_call_whose_connection_closes_while_it_waits_was_not_sent():
    async def serve(_reader, writer):
        writer.close()

    async with open_client(serve) as client:
        with pytest.raises(NotSent) as refused:
            await client.call("Create", b"{}", trace_id="t", before_send=wait_until_closed)
    assert render_text(refused.value.args[0], "zh") == "还没有发送，连接就断开了"
    assert not refused.value.is_of_tls
    assert not refused.value.is_of_proxy
