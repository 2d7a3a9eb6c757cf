"""Servers on 127.0.0.1 that are not the service: each takes a request and answers in its own way, or not at all."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

_LINGER = struct.pack("ii", 1, 0)  # close() sends RST
Strike = Callable[[socket.socket], None]


def read_request(client: socket.socket) -> bytes:
    """Read one whole request of HTTP."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := client.recv(65536)):
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    missing = int(lengths[0].split(b":")[1]) - len(body) if lengths else 0
    while missing > 0 and (piece := client.recv(65536)):
        missing -= len(piece)
    return data


def answer(status: str, body: bytes = b"", *headers: str) -> Strike:
    """Answer every request alike."""

    def strike(client: socket.socket) -> None:
        read_request(client)
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
        client.sendall("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body)

    return strike


def send_raw(data: bytes, *, times: int = 1) -> Strike:
    """Answer with these bytes, so many times."""

    def strike(client: socket.socket) -> None:
        read_request(client)
        for _ in range(times):
            client.sendall(data)

    return strike


def stay_silent(client: socket.socket) -> None:
    """Take everything and answer nothing until the program goes away."""
    while client.recv(65536):
        pass


def close_after_request(client: socket.socket) -> None:
    """End the connection in place of an answer."""
    read_request(client)


def close_in_handshake(client: socket.socket) -> None:
    """Take the greeting of a TLS connection and close."""
    client.recv(65536)


def reset_in_handshake(client: socket.socket) -> None:
    """Take the greeting of a TLS connection and end by RST."""
    client.recv(1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)


def cut_the_handshake(client: socket.socket) -> None:
    """Answer the greeting of a TLS connection with the start of a server's greeting, and close."""
    client.recv(65536)
    client.sendall(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(40))


def refuse_the_handshake(client: socket.socket) -> None:
    """Answer the greeting of a TLS connection with the alert that no common version exists."""
    client.recv(65536)
    client.sendall(b"\x15\x03\x03\x00\x02\x02\x46")


class StrangeServer:
    """``with StrangeServer(answer("403 Forbidden")) as server: … server.url``; ``connections`` were made."""

    def __init__(self, strike: Strike, *, host: str = "127.0.0.1") -> None:
        self._strike = strike
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.connections = 0
        self.port: int = self._listener.getsockname()[1]
        self.host = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.url = f"http://{self.host}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            self._strike(client)
