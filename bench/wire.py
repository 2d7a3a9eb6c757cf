"""The lightest service there can be: reads a call whole, answers at once, judges nothing.

Where speed without a limit is measured, the sandbox would be the slowest part: it checks signatures and pictures.
Run as a process: ``python -m bench.wire``; it prints its address.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from email.utils import formatdate

FACTS = b"/_facts"


class Service(asyncio.Protocol):
    """One connection; ``seen`` holds when each create came (monotonic seconds), for all of them."""

    seen: list[float] = []  # noqa: RUF012 - shared on purpose

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.head = b""
        self.action = b""
        self.unread_bytes = 0  # bytes of the body still to come

    def data_received(self, data: bytes) -> None:
        while data:
            if not self.unread_bytes:
                self.head += data
                end = self.head.find(b"\r\n\r\n")
                if end < 0:
                    return
                data, head = self.head[end + 4 :], self.head[: end + 4]
                self.head = b""
                if self._begin(head):
                    continue
            taken = min(self.unread_bytes, len(data))
            self.unread_bytes -= taken
            data = data[taken:]
            if not self.unread_bytes:
                self._answer()

    def _begin(self, head: bytes) -> bool:
        """Read a head; True when nothing more belongs to the call."""
        if FACTS in head.partition(b"\r\n")[0]:
            first, last = (self.seen[0], self.seen[-1]) if self.seen else (None, None)
            self._write({"first": first, "last": last, "creates": len(self.seen)})
            self.seen.clear()
            return True
        lower = head.lower()
        self.unread_bytes = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0])
        self.action = lower.partition(b"x-tc-action:")[2].partition(b"\r\n")[0].strip()
        if b"expect: 100" in lower:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return False

    def _answer(self) -> None:
        made = {"RequestId": str(uuid.uuid4())}
        if self.action == b"uploadfiles":
            made |= {"FileIds": [uuid.uuid4().hex], "TotalCount": 1}
        else:
            made |= {"SealId": uuid.uuid4().hex}
            self.seen.append(time.monotonic())
        self._write({"Response": made})

    def _write(self, record: object) -> None:
        body = json.dumps(record).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: {formatdate(usegmt=True)}\r\n"
        self.transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Service, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
