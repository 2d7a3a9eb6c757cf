"""Connections that the server closes: at every byte of a success, and before anything was sent."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager

import pytest
from manual_clock import settle
from wire_support import read_alone

from pipeline.clock import SystemClock
from pipeline.esign.client import FIRST_PIECE_BYTES, PIECE_BYTES, Client, NoAnswer, NotSent
from pipeline.esign.products import ESSBASIC
from pipeline.esign.responses import SeenAnswers
from pipeline.esign.signing import Credentials
from pipeline.messages.catalogue import render_text

BODY = b'{"Response":{"SealId":"yDCZZUUckpkvqxq5UxVd26KhJAwGN1vX","RequestId":"r"}}'
HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
ANSWER = HEAD + BODY


async def pass_at_once(_call) -> None:
    """Let every call through."""


async def wait_until_closed(call) -> None:
    while call.is_open():
        await settle(1)


@asynccontextmanager
async def open_client(serve, *, seconds=5):
    """Yield a client of a server that handles each connection with ``serve``."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = Client(
        product=ESSBASIC,
        endpoint=url,
        file_endpoint=url,
        credentials=Credentials("id", "key"),
        clock=SystemClock(),
        timeout=seconds,
        answers=SeenAnswers(),
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
    assert read_alone(reply).verdict.kind == "sealed"
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


LENGTHS = (
    1,
    PIECE_BYTES - 1,
    PIECE_BYTES,
    PIECE_BYTES + 1,
    PIECE_BYTES + FIRST_PIECE_BYTES,
    PIECE_BYTES + FIRST_PIECE_BYTES + 1,
    3 * PIECE_BYTES + 7,
)


@pytest.mark.parametrize("length", LENGTHS)
async def test_a_body_of_any_length_arrives_whole_however_slowly_it_is_read(length):
    body = random.Random(length).randbytes(length)
    received = bytearray()

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        assert f"content-length: {length}\r\n".encode() in head.lower()
        while len(received) < length:
            received.extend(await reader.read(50_000))
            await settle(1)
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    async with open_client(serve) as client:
        reply = await client.call("Create", body, trace_id="t", before_send=pass_at_once)
    assert read_alone(reply).verdict.kind == "sealed"
    assert bytes(received) == body


async def test_a_body_that_is_not_taken_is_given_up():
    given_up = asyncio.Event()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await given_up.wait()
        writer.close()

    async with open_client(serve, seconds=0.2) as client:
        with pytest.raises(NoAnswer):
            await client.call("Create", bytes(30_000_000), trace_id="t", before_send=pass_at_once)
        given_up.set()
