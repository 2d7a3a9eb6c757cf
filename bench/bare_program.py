"""The same import by the bare libraries: what a program of this design costs that does nothing beyond the work itself.

Run as a process: ``python -m bench.bare_program URL CONTRACT HOSPITAL ROWS``. It reads the roster, checks each
picture, makes the calls signed and twenty rows at a time, with a durable entry in a ledger and in chained receipts before each create and after it, and writes a results workbook and
the roster's copy. Nothing of the program is used, and it has no pace, pairing, plan, retries, log, pages or messages.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import queue
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import aiohttp
from python_calamine import CalamineWorkbook

from bench.hospital import Hospital
from bench.parts import (
    ATTEMPT,
    TOGETHER,
    VERDICT,
    Spent,
    check_picture,
    create_ledger,
    write_marked_copy,
    write_workbook,
)

THREADS = 2  # that check pictures and build bodies
STOP = None  # ends the ledger's queue
CREATE, UPLOAD = "ChannelCreatePreparedPersonalEsign", "UploadFiles"


class Picture(NamedTuple):
    """What is known of a picture before the first call."""

    path: Path
    sha256: str
    thumbnail: bytes


class Entry(NamedTuple):
    """What waits for the next commit."""

    statement: str
    values: Sequence[str]
    done: Future[None]


class Ledger:
    """A thread that commits whatever is queued, each entry in the receipts as well."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._last = "0" * 64  # digest of the last receipt
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    async def enter(self, statement: str, values: Sequence[str]) -> None:
        """Return once an entry is on the disk."""
        entry = Entry(statement, values, Future())
        self._queue.put(entry)
        await asyncio.wrap_future(entry.done)

    def close(self) -> None:
        self._queue.put(STOP)
        self._thread.join()

    def _run(self) -> None:
        connection = create_ledger(self._path)
        with self._path.with_suffix(".receipts").open("wb", buffering=0) as receipts:
            while (entry := self._queue.get()) is not STOP:
                entries = [entry]
                while not self._queue.empty():
                    if (entry := self._queue.get()) is STOP:
                        self._queue.put(STOP)
                        break
                    entries.append(entry)
                connection.execute("BEGIN IMMEDIATE")
                for entry in entries:
                    connection.execute(entry.statement, entry.values)
                receipts.write(b"".join(map(self._make_receipt, entries)))
                os.fsync(receipts.fileno())
                connection.execute("COMMIT")
                for entry in entries:
                    entry.done.set_result(None)
        connection.close()

    def _make_receipt(self, entry: Entry) -> bytes:
        line = json.dumps({"prev": self._last, "set": entry.values}, ensure_ascii=False).encode() + b"\n"
        self._last = hashlib.sha256(line).hexdigest()
        return line


class Body(NamedTuple):
    """A body and its digest."""

    data: bytes
    sha256: str


def read_picture(path: Path, folder: Path) -> Picture:
    """Check a picture."""
    sha256, thumbnail = check_picture(path, folder, Spent())
    return Picture(path, sha256, thumbnail)


def build_image_body(picture: Picture) -> Body:
    """Read a picture once more and build the body that carries it."""
    image = picture.path.read_bytes()
    if hashlib.sha256(image).hexdigest() != picture.sha256:
        raise ValueError(picture.path)
    return build_body(b'{"FileBody":"%b"}' % base64.b64encode(image))


def build_body(data: bytes) -> Body:
    return Body(data, hashlib.sha256(data).hexdigest())


async def call(session: aiohttp.ClientSession, action: str, body: Body) -> dict:
    """Make a signed call and return what the answer holds."""
    now, scope = int(time.time()), f"{time.strftime('%Y-%m-%d', time.gmtime())}/essbasic/tc3_request"
    request = f"POST\n/\n\ncontent-type:application/json\nhost:sandbox\n\ncontent-type;host\n{body.sha256}"
    text = f"TC3-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(b"key of the day", text.encode(), "sha256").hex()
    headers = {
        "Content-Type": "application/json",
        "X-TC-Action": action,
        "X-TC-TraceId": str(uuid.uuid4()),
        "X-TC-Timestamp": str(now),
        "Authorization": f"TC3-HMAC-SHA256 Credential=id/{scope}, SignedHeaders=content-type;host, Signature={signature}",
    }
    async with session.post("/", data=body.data, headers=headers) as response:
        return json.loads(await response.read())["Response"]


async def create_seals(
    url: str, contract: str, people: Sequence[Sequence[str]], pictures: Sequence[Picture], ledger: Ledger
) -> list[tuple[str, ...]]:
    """Create a seal for each person; return the lines of the results."""
    loop, threads = asyncio.get_running_loop(), ThreadPoolExecutor(THREADS)
    lines: list[tuple[str, ...]] = [()] * len(people)
    waiting = iter(range(len(people)))
    closing_each = aiohttp.TCPConnector(force_close=True)  # a create never uses a used connection
    async with (
        aiohttp.ClientSession(url) as keeping,
        aiohttp.ClientSession(url, connector=closing_each) as once,
    ):

        async def send_rows() -> None:
            for index in waiting:
                name, number, mobile = people[index][1:4]
                body = await loop.run_in_executor(threads, build_image_body, pictures[index])
                if contract == "file_id":
                    uploaded = await call(keeping, UPLOAD, body)
                    named = {"FileId": uploaded["FileIds"][0], "UserName": name, "IdCardNumber": number}
                    body = build_body(json.dumps(named).encode())
                entered = (number, name, mobile, pictures[index].path.name)
                await ledger.enter(ATTEMPT, entered)
                made = await call(once, CREATE, body)
                verdict = (made["SealId"], made["RequestId"])
                await ledger.enter(VERDICT, (*verdict, number))
                lines[index] = (*verdict, *entered)

        await asyncio.gather(*(send_rows() for _ in range(2 * TOGETHER)))
    return lines


def main(url: str, contract: str, folder: str, rows: str) -> int:
    hospital, work = Hospital(Path(folder)), Path(folder) / "bare"
    work.mkdir(exist_ok=True)
    people = CalamineWorkbook.from_path(str(hospital.roster)).get_sheet_by_index(0).to_python()[1:]
    paths = sorted(hospital.seals.iterdir())[: int(rows)]
    with ThreadPoolExecutor(THREADS) as pool:
        pictures = list(pool.map(lambda path: read_picture(path, work), paths))
    ledger = Ledger(work / "ledger.sqlite3")
    lines = asyncio.run(create_seals(url, contract, people[: int(rows)], pictures, ledger))
    ledger.close()
    write_workbook(lines, [picture.thumbnail for picture in pictures], work / "results.xlsx")
    write_marked_copy(lines, hospital)
    CalamineWorkbook.from_path(str(hospital.folder / "marked.xlsx")).get_sheet_by_index(0).to_python()
    return 0 if all(lines) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
