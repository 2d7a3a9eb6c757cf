"""TLS in front of a plain sandbox, with certificates made for these tests alone."""

from __future__ import annotations

import asyncio
import ssl
import threading
from pathlib import Path

from manual_clock import settle

DATA = Path(__file__).parents[1] / "data"
CERTIFICATE = DATA / "loopback-tls.pem"  # key and certificate
WRONG_HOST, EXPIRED = DATA / "wrong-host-tls.pem", DATA / "expired-tls.pem"


def copy_key(folder: Path, mode: int = 0o600) -> str:
    """Return the path of a copy of the key in a folder, which others cannot read unless ``mode`` lets them."""
    key = folder / "key.pem"
    key.write_bytes(CERTIFICATE.read_bytes())
    key.chmod(mode)
    return str(key)


class TlsRelay:
    """Speaks TLS in front of a plain sandbox, in a thread; counts what came through the handshake."""

    def __init__(self, target: str, certificate: Path = CERTIFICATE) -> None:
        self._certificate = certificate
        self._target = ("127.0.0.1", int(target.rsplit(":", 1)[1]))
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0
        self.received = 0

    def __enter__(self):
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        server = self._loop.run_until_complete(asyncio.start_server(self._relay, "127.0.0.1", 0, ssl=context))
        self._loop.set_exception_handler(lambda *_: None)  # refused handshakes are what is tested
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.run_until_complete(settle())  # transports that were closed close
        self._loop.close()

    async def _relay(self, reader, writer) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
        try:
            await asyncio.gather(
                self._pipe(reader, upstream_writer, count=True), self._pipe(upstream_reader, writer)
            )
        finally:
            writer.close()
            upstream_writer.close()

    async def _pipe(self, reader, writer, *, count: bool = False) -> None:
        while data := await reader.read(65536):
            self.received += len(data) if count else 0
            writer.write(data)
            await writer.drain()
        writer.close()
