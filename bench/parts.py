"""What a row costs at least: every part that it cannot do without, alone, in one thread, as the bare libraries do it.

CPU, user and system, of the hospital of bench/unlimited.py and of a photo of bench/large_pictures.py. Nothing of the program
is used. As there, a row is what a hospital takes more than one with a tenth of the rows. `bare_program` does the same parts
for twenty rows at a time.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path

import aiohttp
import openpyxl
import xlsxwriter
from PIL import Image, ImageChops

from bench.hospital import Hospital, make_hospital_apart
from bench.measure import Measured, print_progress, run_python
from bench.unlimited import PICTURE, ROWS, TURNS, Hospitals, run_service

PHOTOS = (5, 2)  # in full, in the short form
COPY, THUMBNAIL = 256, 96  # pixels of the longer side
STRIP = 250_000  # pixels digested at a time: faster than all at once, and no copy of them all
TOGETHER = 20  # rows in flight, whose entries a commit makes durable
COLUMNS = 17  # of the sheet All
TABLE = "CREATE TABLE attempt (number TEXT PRIMARY KEY, name TEXT, mobile TEXT, picture TEXT, seal_id TEXT UNIQUE, request_id TEXT)"
ATTEMPT = "INSERT INTO attempt (number, name, mobile, picture) VALUES (?, ?, ?, ?)"
VERDICT = "UPDATE attempt SET seal_id = ?, request_id = ? WHERE number = ?"


class Spent:
    """Milliseconds of CPU by part."""

    def __init__(self) -> None:
        self.parts: Counter[str] = Counter()

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        begun = time.process_time()
        yield
        self.parts[part] += 1000 * (time.process_time() - begun)


def measure(short: bool) -> Iterator[Measured]:
    rows, photos = ROWS[short], PHOTOS[short]
    with tempfile.TemporaryDirectory(prefix="bench-") as name, run_service() as url:
        folder = Path(name)
        print_progress(f"parts: making {rows} pictures of {PICTURE // 1000} KB, and {photos} photos")
        small, whole = (
            make_hospital_apart(folder / str(count), count, picture_bytes=PICTURE)
            for count in (rows // 10, rows)
        )
        taken = make_hospital_apart(folder / "photos", photos + 1)
        arguments = ("draw", str(taken.folder), str(photos + 1))
        run_python("bench.large_pictures", *arguments, log=folder / "photos.log")
        hospitals = Hospitals(small, whole)
        turns = []
        for turn in range(TURNS[short]):
            print_progress(f"parts: turn {turn + 1} of {TURNS[short]}")
            turns.append({**measure_parts(hospitals, url, rows), **measure_photos(taken)})
    for part in turns[0]:
        yield Measured(f"parts.{part}", [turn[part] for turn in turns], size=rows)


def measure_parts(hospitals: Hospitals, url: str, rows: int) -> dict[str, float]:
    """Return the milliseconds that each part of a row takes."""
    spent = []
    for hospital in (hospitals.small, hospitals.small, hospitals.whole):  # the first one imports
        spent.append(Spent())
        asyncio.run(do_run(hospital, url, spent[-1]))
    _, few, all_rows = (one.parts for one in spent)
    return {part: (value - few[part]) / (rows - rows // 10) for part, value in all_rows.items()}


def measure_photos(hospital: Hospital) -> dict[str, float]:
    """Return the milliseconds that checking a photo takes."""
    spent = Spent()
    first, *others = sorted(hospital.seals.iterdir())
    check_picture(first, hospital.folder, Spent())
    for path in others:
        check_picture(path, hospital.folder, spent)
    parts = {f"photo.{part}": spent.parts[part] / len(others) for part in ("decode", "pixels")}
    return {**parts, "photo": spent.parts.total() / len(others)}


async def do_run(hospital: Hospital, url: str, spent: Spent) -> None:
    """Do all parts for each picture of a hospital."""
    pictures, rows, thumbnails = sorted(hospital.seals.iterdir()), [], []
    ledger = hospital.folder / "ledger.sqlite3"
    closing_each = aiohttp.TCPConnector(force_close=True)  # a create never uses a used connection
    async with (
        aiohttp.ClientSession(url) as keeping,
        aiohttp.ClientSession(url, connector=closing_each) as once,
    ):
        with closing(create_ledger(ledger)) as connection:
            for begin in range(0, len(pictures), TOGETHER):
                some = pictures[begin : begin + TOGETHER]
                thumbnails += [check_picture(path, hospital.folder, spent)[1] for path in some]
                images = [path.read_bytes() for path in some]  # see REST
                with spent.measure("body"):
                    bodies = [b'{"FileBody":"%b"}' % base64.b64encode(image) for image in images]
                    for body in bodies:
                        hashlib.sha256(body).hexdigest()
                with spent.measure("upload"):
                    await asyncio.gather(*(call(keeping, "UploadFiles", body) for body in bodies))
                entered = [(path.stem, "张伟", "13800138000", path.name) for path in some]
                with spent.measure("ledger"):
                    commit(connection, ATTEMPT, entered)
                with spent.measure("create"):
                    made = await asyncio.gather(*(create(once, number, name) for number, name, *_ in entered))
                verdicts = [(*seal, row[0]) for seal, row in zip(made, entered, strict=True)]
                with spent.measure("ledger"):
                    commit(connection, VERDICT, verdicts)
                rows += [(*seal, *row) for seal, row in zip(made, entered, strict=True)]
    with spent.measure("line"):
        write_workbook(rows, thumbnails, hospital.folder / "results.xlsx")
    with spent.measure("marked"):
        write_marked_copy(rows, hospital)


def check_picture(path: Path, folder: Path, spent: Spent) -> tuple[str, bytes]:
    """Read a picture, decode and digest it whole, look for ink, keep a small copy; return digest and thumbnail."""
    with spent.measure("read"):
        data = path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
    with spent.measure("decode"):
        image = Image.open(BytesIO(data))
        image.load()
    with spent.measure("pixels"):
        digest, height = hashlib.sha256(), max(1, STRIP // image.width)
        for top in range(0, image.height, height):
            digest.update(image.crop((0, top, image.width, min(top + height, image.height))).tobytes())
        digest.hexdigest()
    with spent.measure("reduce"):
        small = image.reduce(-(-max(image.size) // COPY))
        ImageChops.subtract(ImageChops.offset(small, 3), small).getextrema()
    with spent.measure("copy"):
        copy, thumbnail = BytesIO(), BytesIO()
        small.save(copy, "JPEG", quality=85)
        small.thumbnail((THUMBNAIL, THUMBNAIL), reducing_gap=1.0)
        small.save(thumbnail, "PNG", compress_level=2)
        (folder / path.stem).write_bytes(thumbnail.getvalue() + copy.getvalue())
    return sha256, thumbnail.getvalue()


async def create(session: aiohttp.ClientSession, number: str, name: str) -> tuple[str, str]:
    """Make a create without a picture; return SealId and RequestId."""
    body = json.dumps({"FileId": number, "UserName": name, "IdCardNumber": number}).encode()
    made = await call(session, "ChannelCreatePreparedPersonalEsign", body)
    return made["SealId"], made["RequestId"]


async def call(session: aiohttp.ClientSession, action: str, body: bytes) -> dict[str, str]:
    """Make a call and return what the answer holds."""
    headers = {"Content-Type": "application/json", "X-TC-Action": action}
    async with session.post("/", data=body, headers=headers) as response:
        return json.loads(await response.read())["Response"]


def create_ledger(path: Path) -> sqlite3.Connection:
    """Create a ledger whose commits are durable, in place of an earlier one."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(TABLE)
    return connection


def commit(connection: sqlite3.Connection, statement: str, values: list[tuple[str, ...]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(statement, values)
    connection.execute("COMMIT")


def write_workbook(rows: list[tuple[str, ...]], thumbnails: list[bytes], path: Path) -> None:
    """Write a line a row, with its thumbnail."""
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for line, (cells, thumbnail) in enumerate(zip(rows, thumbnails, strict=True)):
            for column in range(COLUMNS):
                sheet.write_string(line, column, cells[column % len(cells)])
            sheet.insert_image(line, 2, cells[-1], {"image_data": BytesIO(thumbnail)})


def write_marked_copy(rows: list[tuple[str, ...]], hospital: Hospital) -> None:
    """Copy the roster with three cells more a row."""
    book = openpyxl.load_workbook(hospital.roster)
    first = book.active.max_column + 1
    for line, cells in enumerate(rows, start=2):
        for column in range(3):
            book.active.cell(line, first + column, cells[column])
    book.save(hospital.folder / "marked.xlsx")
