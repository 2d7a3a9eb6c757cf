"""What stands between the program and the sandbox in some tests, and the settings they change."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pipeline.domain.masking import Masker
from pipeline.esign.responses import Reading, Reply, read_create

CREATE = "ChannelCreatePreparedPersonalEsign"
UPLOAD = "UploadFiles"


def fault(do, *, action=CREATE, nth=(2,)):
    """Strike the second create by default: the first is the canary."""
    return {"match": {"action": action, "nth": list(nth)}, "do": do}


def read_alone(reply: Reply) -> Reading:
    """Read the reply to a create of which nothing else is known."""
    return read_create(reply, sent=(), masker=Masker())


def set_limits(hospital, requests_per_second, concurrency):
    path = hospital.folder / "config.yaml"
    usual = "limits: {requests_per_second: 1000, concurrency: 8}"
    wanted = f"limits: {{requests_per_second: {requests_per_second}, concurrency: {concurrency}}}"
    path.write_text(path.read_text("utf-8").replace(usual, wanted), "utf-8")


@contextmanager
def refusing_port() -> Iterator[int]:
    """Hold a port that refuses connections; one that was given back might be another process's by then."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


class Relay:
    """A byte pipe before the sandbox that replaces bytes in answers, or closes connections that stay silent."""

    def __init__(self, hospital, old=b"", new=b"", idle=None):
        self.port = int(hospital.sandbox.url.rsplit(":", 1)[1])
        self.old, self.new, self.idle = old, new, idle

    def __enter__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return f"http://127.0.0.1:{self.server.getsockname()[1]}"

    def __exit__(self, *_):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        if self.idle is not None:
            client.settimeout(self.idle)
        try:
            first = client.recv(65536)
        except TimeoutError:
            client.close()
            return
        client.settimeout(None)
        service = socket.create_connection(("127.0.0.1", self.port))
        service.sendall(first)
        other = threading.Thread(target=self._pipe, args=(client, service, False), daemon=True)
        other.start()
        self._pipe(service, client, True)
        other.join()
        client.close(), service.close()

    def _pipe(self, source, target, rewrite):
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data.replace(self.old, self.new) if rewrite and self.old else data)
        for entry in (source, target):
            with suppress(OSError):
                entry.shutdown(socket.SHUT_RDWR)
