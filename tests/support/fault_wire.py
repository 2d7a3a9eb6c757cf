"""A wire between the program and the sandbox that breaks as wires do: byte by byte, connection by connection.

Every create has a connection of its own, so under the inline contract the n-th connection is the n-th create.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Self

_LINGER = struct.pack("ii", 1, 0)  # close() sends RST


class Connection:
    """One connection of the program's; a strike decides what becomes of it."""

    def __init__(self, wire: Wire, client: socket.socket) -> None:
        self.wire, self.client = wire, client

    def request(self) -> bytes:
        """Read one whole request, and count it."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        (length,) = [
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        ]
        while len(body) < length:
            body += self._more()
        self.wire.requests += 1
        return head + b"\r\n\r\n" + body

    def answer(self) -> tuple[bytes, bytes]:
        """Let the service execute the request; return head and body of its answer."""
        request = self.request().replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        with socket.create_connection(("127.0.0.1", self.wire.port)) as service:
            service.sendall(request)
            data = b""
            while chunk := service.recv(65536):
                data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        return head, body

    def reply(self, status: str, body: bytes, *headers: str, length: int | None = None) -> None:
        """Answer in the service's place."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
        self.client.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def pass_on(self) -> None:
        """Do as a sound wire does."""
        head, body = self.answer()
        self.client.sendall(head + b"\r\n\r\n" + body)

    def reset(self) -> None:
        """End the connection by RST."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        self.client.close()

    def hang(self) -> None:
        """Say nothing until the program goes away."""
        with suppress(OSError):
            while self.client.recv(65536):
                pass

    def _more(self) -> bytes:
        data = self.client.recv(65536)
        if not data:
            raise ConnectionError("the program went away")
        return data


Strike = Callable[[Connection], None]


class Wire:
    """``with Wire(hospital, strike, nth={2}) as wire: … wire.url``; ``requests`` came whole, ``connections`` were made."""

    def __init__(self, hospital, strike: Strike, nth: Collection[int] = (2,)) -> None:
        self.port = int(hospital.sandbox.url.rsplit(":", 1)[1])
        self.strike, self.nth = strike, nth
        self.requests = self.connections = 0
        self.listening = False
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self.listen()
        return self

    def __exit__(self, *_) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def listen(self) -> None:
        """Begin to answer; until then connections are refused."""
        if not self.listening:
            self.listening = True
            self._socket.listen()
            threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client, self.connections), daemon=True).start()

    def _serve(self, client: socket.socket, number: int) -> None:
        connection = Connection(self, client)
        with suppress(OSError), client:
            (self.strike if number in self.nth else Connection.pass_on)(connection)


def slowly(connection: Connection, seconds: float = 0.1) -> None:
    """Answer a byte at a time."""
    head, body = connection.answer()
    for byte in head + b"\r\n\r\n" + body:
        connection.client.sendall(bytes([byte]))
        time.sleep(seconds)
