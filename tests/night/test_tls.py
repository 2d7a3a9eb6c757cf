"""TLS is always verified: a strange certificate stops the run before a byte of a request is sent."""

import asyncio
import ssl
import threading
from pathlib import Path

import pytest

CERTIFICATE = (
    Path(__file__).parents[1] / "data" / "loopback-tls.pem"
)  # key and certificate, made for this test alone


class TlsRelay:
    """Speaks TLS in front of a plain sandbox, in a thread; counts what came through the handshake."""

    def __init__(self, target: str) -> None:
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
        context.load_cert_chain(CERTIFICATE)
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
        self._loop.close()

    async def _relay(self, reader, writer) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
        await asyncio.gather(
            self._pipe(reader, upstream_writer, count=True), self._pipe(upstream_reader, writer)
        )

    async def _pipe(self, reader, writer, *, count: bool = False) -> None:
        while data := await reader.read(65536):
            self.received += len(data) if count else 0
            writer.write(data)
            await writer.drain()
        writer.close()


@pytest.mark.parametrize("contract", ["file_id", "inline"])
def test_an_unknown_certificate_stops_the_run_with_nothing_sent(hospital, contract):
    hospital.doctors(5)
    with TlsRelay(hospital.sandbox.url) as relay:
        hospital.configure(endpoint=f"https://127.0.0.1:{relay.port}", contract=contract)
        assert hospital.go("run") == 4
        assert relay.received == 0
    assert hospital.statuses() == {"not_sent": 5}
    assert hospital.record()["halted"]["code"] == "TLS"


def test_a_private_authority_is_believed_when_the_config_names_it(hospital):
    hospital.doctors(2)
    (hospital.folder / "ca.pem").write_text(CERTIFICATE.read_text())
    with TlsRelay(hospital.sandbox.url) as relay:
        hospital.configure(endpoint=f"https://127.0.0.1:{relay.port}", ca_file="ca.pem")
        assert hospital.go("run") == 0
        assert relay.received > 0
    assert hospital.statuses() == {"sealed": 2}
