"""Poolers between the program and a PostgreSQL server: PgBouncer itself, and one that passes on the server's own numbers."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path

from desktop import skip_or_fail
from postgres_server import SUPERUSER, PostgresServer, get_free_port

PROGRAM = Path("/usr/sbin/pgbouncer")
START_SECONDS = 20
_READY = b"Z\0\0\0\x05"  # the server waits for the next statement; the byte behind it is the state of the transaction
_NO_TRANSACTION = b"I"


@contextmanager
def run_pgbouncer(server: PostgresServer, mode: str) -> Iterator[int]:
    """Run PgBouncer before a server in a mode, ``session`` or ``transaction``, and give its port."""
    if not PROGRAM.exists():
        skip_or_fail("PgBouncer (Debian: pgbouncer)")
    port = get_free_port()
    base = os.environ.get("PYTEST_DEBUG_TEMPROOT") or tempfile.gettempdir()
    with tempfile.TemporaryDirectory(dir=base, prefix="pgbouncer-") as folder:
        settings = Path(folder) / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port} user={SUPERUSER}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = {mode}\ndefault_pool_size = 4\n"
        )
        Path(folder).chmod(0o755)
        settings.chmod(0o644)
        user = ("-u", "nobody") if os.geteuid() == 0 else ()
        process = subprocess.Popen([PROGRAM, "--quiet", *user, settings], cwd="/")
        try:
            _wait_for(port, process)
            yield port
        finally:
            process.kill()
            process.wait(START_SECONDS)


def _wait_for(port: int, process: subprocess.Popen) -> None:
    for _ in range(START_SECONDS * 20):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            break
    raise RuntimeError("PgBouncer did not start")


@contextmanager
def run_plain_pooler(server: PostgresServer) -> Iterator[int]:
    """Give the port of a pooler that hands the transactions of a client to two connections in turn.

    A client gets the process number of the first one, as from the server itself.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, server.port), daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, port: int) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_pool, args=(client, port), daemon=True).start()


def _pool(client: socket.socket, port: int) -> None:
    with (
        client,
        socket.create_connection(("127.0.0.1", port)) as first,
        socket.create_connection(("127.0.0.1", port)) as second,
        suppress(OSError),
    ):
        start = client.recv(65536)
        while start[4:8] in (b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"):  # asks for TLS or GSS
            client.sendall(b"N")
            start = client.recv(65536)
        for server in (second, first):
            server.sendall(start)
            greeting = _read_answer(server)
        client.sendall(greeting)
        for server in cycle((first, second)):
            while piece := client.recv(65536):
                server.sendall(piece)
                client.sendall(answer := _read_answer(server))
                if answer.endswith(_READY + _NO_TRANSACTION):
                    break
            else:
                return


def _read_answer(server: socket.socket) -> bytes:
    """Return what a server sends until it waits for the next statement."""
    answer = b""
    while answer[-6:-1] != _READY:
        piece = server.recv(65536)
        if not piece:
            raise OSError("the server has closed")
        answer += piece
    return answer
