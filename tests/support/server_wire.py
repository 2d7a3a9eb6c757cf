"""A wire between the program and a PostgreSQL server that breaks as wires do: cut, silent, or late.

Each connection is known by the name that the program gives it (``writer``, ``reader`` …). A piece is what
the program sends at once: one statement, as a rule.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Self

_NAME = re.compile(rb"application_name\0esign-import (\w+)\0")
Strike = Callable[["Link", bytes], bool]  # True: the piece goes on to the server


class Link:
    """One connection of the program's to the server."""

    def __init__(self, wire: ServerWire, client: socket.socket) -> None:
        self.client, self.name = client, ""
        self.answers = 0  # pieces that the server has sent
        self.answers_pass = True
        self.is_forgotten = False
        self._wire = wire
        self.server = socket.create_connection(("127.0.0.1", wire.port))

    def serve(self) -> None:
        """Pass on what the program sends, until an end closes."""
        threading.Thread(target=self._pass_answers, daemon=True).start()
        with suppress(OSError):
            while piece := self.client.recv(1 << 20):
                if match := _NAME.search(piece):
                    self.name = match[1].decode()
                self._wire.wait_until_open(self)
                if self._wire.strike is None or self._wire.strike(self, piece):
                    self.server.sendall(piece)
        self.cut()

    def _pass_answers(self) -> None:
        with suppress(OSError):
            while piece := self.server.recv(1 << 20):
                self.answers += 1
                self._wire.wait_until_open(self)
                if self.answers_pass:
                    self.client.sendall(piece)
        self.cut()

    def cut(self) -> None:
        """End the connection at both ends."""
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class ServerWire:
    """``with ServerWire(server.port) as wire: … server.make_url(port=wire.own_port)``."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.strike: Strike | None = None
        self.links: list[Link] = []
        self._silent: Collection[str] | None = None  # names of connections on which nothing passes
        self._open = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.own_port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in self.links:
            link.is_forgotten = False
        self.heal()
        for link in self.links:
            link.cut()

    def silence(self, *names: str) -> None:
        """Let nothing pass any more on connections of these names, new ones included, and leave them open; none: on all."""
        with self._open:
            self._silent = names

    def heal(self) -> None:
        """Let everything pass again, what waited meanwhile first."""
        with self._open:
            self._silent = None
            self._open.notify_all()

    def forget(self, link: Link) -> None:
        """Leave a silent connection silent for good, also after `heal`."""
        link.is_forgotten = True

    def wait_until_open(self, link: Link) -> None:
        """Hold a piece back while its connection is silent."""
        with self._open:
            self._open.wait_for(
                lambda: (
                    (self._silent is None or (bool(self._silent) and link.name not in self._silent))
                    and not link.is_forgotten
                )
            )

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                link = Link(self, client)
            except OSError:  # the server is away
                client.close()
                continue
            self.links.append(link)
            threading.Thread(target=link.serve, daemon=True).start()
