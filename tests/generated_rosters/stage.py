"""A corpus on disk, and three commands over it through the front door: check, run, run again."""

import contextlib
import json
import os
import re
import shutil
import signal
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openpyxl
from encrypted_support import agile
from end_to_end.conftest import CREATE
from generated_rosters import write_old, write_openpyxl, write_text, write_xlsxwriter
from generated_rosters.hostile import with_part
from generated_rosters.truth import Corpus, FilePlan, Record
from generated_rosters.values import Placed
from run_support import QuickClock, newest_results

from pipeline.cli.app import main
from pipeline.sandbox.actions import Rules
from pipeline.sandbox.gateway import SANDBOX
from pipeline.sandbox.server import Sandbox, SandboxThread
from pipeline.sandbox.service import FakeService

WRITERS = {
    "openpyxl": write_openpyxl.write,
    "encrypted": write_openpyxl.write,
    "rich": write_xlsxwriter.write,
    "wps": write_xlsxwriter.write,
    "xls": write_old.write_xls,
    "csv": write_text.write_csv,
    "html": write_text.write_html,
}
FORMATTED = 5_000  # empty rows that somebody gave a height


def written(file: FilePlan) -> bytes:
    """Return a roster file's bytes."""
    if file.raw is not None:
        return file.raw
    data = WRITERS[file.form](file)
    if file.options.get("formatted"):
        rows = b"".join(b'<row r="%d" ht="40" customHeight="1"/>' % row for row in range(2000, FORMATTED))
        data = with_part(data, "xl/worksheets/sheet1.xml", _small_dimension)
        data = with_part(
            data,
            "xl/worksheets/sheet1.xml",
            lambda part: part.replace(b"</sheetData>", rows + b"</sheetData>"),
        )
    if password := file.options.get("password"):
        data = agile(data, password)
    return data


def _small_dimension(part: bytes) -> bytes:
    """Return a sheet that says it is one cell large, as some programs write it."""
    return re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1"', part)


def lay_out(corpus: Corpus, folder: Path) -> Path:
    """Write rosters, pictures and secrets; return where the pictures are."""
    inbox = folder / "inbox"
    inbox.mkdir()
    for file in corpus.files:
        (inbox / file.name).write_bytes(written(file))
    (inbox / "~$01医师名单.xlsx").write_bytes(b"\x05lock")
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "tencent__secret_id").write_text(SANDBOX.secret_id)
    (secrets / "tencent__secret_key").write_text(SANDBOX.secret_key)
    (secrets / "roster__password").write_text(f"别的密码\n{corpus.password}\n", "utf-8")
    if corpus.way == "folder":
        return _folder(corpus.pictures, folder / "seals")
    seals = folder / "seals.zip"
    seals.write_bytes(zipped(corpus.pictures, corpus.way, "印章图片/" if corpus.seed % 2 else ""))
    return seals


def _folder(placed: list[Placed], seals: Path) -> Path:
    seals.mkdir()
    for placed_picture in placed:
        path = seals / (
            os.fsdecode(placed_picture.path)
            if isinstance(placed_picture.path, bytes)
            else placed_picture.path
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        assert not os.path.lexists(path), placed_picture.path
        if placed_picture.pipe:
            os.mkfifo(path)
        elif placed_picture.link is not None:
            path.symlink_to(placed_picture.link)
        else:
            path.write_bytes(placed_picture.data)
    (seals / "circle").symlink_to(seals)
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "两\n行.png", os.fsdecode(b"\xff\xfe\x81.png")):
        (seals / name).write_bytes(b"debris")
    return seals


def zipped(placed: list[Placed], way: str, top: str = "") -> bytes:
    """Return the pictures in a zip that names them as this system does: no UTF-8 flag, GBK bytes or UTF-8 ones.

    Written by hand (APPNOTE.TXT 4.3), members stored: Python's own writer flags every name that is not ASCII.
    """
    body, directory, count = bytearray(), bytearray(), 0
    for entry in _members(placed, way):
        assert isinstance(entry.path, str)
        name = (top + entry.path).encode("gbk" if way == "windows" else "utf-8")
        common = struct.pack(
            "<HHHHHIIIHH",
            20,
            0,
            0,
            0x6000,
            0x5B74,
            zlib.crc32(entry.data),
            *[len(entry.data)] * 2,
            len(name),
            0,
        )
        directory += (
            b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name
        )
        body += b"PK\3\4" + common + name + entry.data
        count += 1
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body + directory + b"PK\5\6" + end)


def _members(placed: list[Placed], way: str) -> Iterator[Placed]:
    for placed_picture in placed:
        yield placed_picture
        if way == "macos" and isinstance(placed_picture.path, str):
            folder, _, name = placed_picture.path.rpartition("/")
            yield Placed(
                f"__MACOSX/{folder}{'/' if folder else ''}._{name}", b"\x00\x05\x16\x07resource fork"
            )


@dataclass
class Stage:
    """A hospital's folder between the command line and the service."""

    folder: Path
    service: FakeService
    seals: Path

    def go(self, command: str, *arguments: str) -> int:
        """Run a command through the front door."""
        config = ["--config", str(self.folder / "config.yaml"), "--lang", "en"]
        return main([*config, command, "--seals", str(self.seals), *arguments], clock=QuickClock())

    def lines(self, name: str) -> tuple[dict, ...]:
        """Return the lines of a file of the last run."""
        text = (newest_results(self.folder / "out") / name).read_text("utf-8")
        return tuple(json.loads(line) for line in text.splitlines())

    def creates(self) -> int:
        """Return how many creates reached the service."""
        return sum(call.action == CREATE for call in self.service.received)


@contextlib.contextmanager
def stage(corpus: Corpus, folder: Path, *, marked_copies: bool = False) -> Iterator[Stage]:
    """Lay a corpus out and open a sandbox on a socket for it."""
    seals = lay_out(corpus, folder)
    service = FakeService(Rules(limiter="none"))
    with SandboxThread(Sandbox(service)) as sandbox, _undisturbed(folder / "user"):
        _configure(folder, sandbox.url, marked_copies=marked_copies)
        yield Stage(folder, service, seals)


def play(corpus: Corpus, folder: Path, *, marked_copies: bool = False, only_run: bool = False) -> Record:
    """Check, run and run again; with ``only_run`` run once, which fills neither the plan nor what the second run did."""
    with stage(corpus, folder, marked_copies=marked_copies) as scene:
        plan, plan_files, again = (), (), ()
        if not only_run:
            scene.go("check")
            plan, plan_files = scene.lines("plan.jsonl"), scene.lines("files.jsonl")
            if corpus.seed % 2:  # as in a run without a check: no small copy of a picture is kept yet
                shutil.rmtree(folder / "state" / "work")
        scene.go("run", "--yes")
        outcomes, files = scene.lines("outcomes.jsonl"), scene.lines("files.jsonl")
        made, unclaimed, creates = tuple(scene.service.seals), _unclaimed(folder), scene.creates()
        if not only_run:
            scene.go("run", "--yes")
            again = scene.lines("outcomes.jsonl")
        return Record(
            folder=folder,
            seals=made,
            pictures=dict(scene.service.pictures),
            outcomes=outcomes,
            files=files,
            plan=plan,
            plan_files=plan_files,
            again=again,
            creates_again=scene.creates() - creates,
            unclaimed=unclaimed,
        )


def _configure(folder: Path, url: str, *, marked_copies: bool) -> None:
    api = {
        "endpoint": url,
        "app_id": SANDBOX.app_id,
        "organization_open_id": SANDBOX.organization_open_id,
        "operator_open_id": SANDBOX.operator_open_id,
        "timeout_seconds": 10,
    }
    text = "api:\n" + "".join(f"  {key}: {json.dumps(value)}\n" for key, value in api.items())
    text += "limits: {requests_per_second: 1000, concurrency: 8}\nsecrets_dir: secrets\n"
    text += f"marked_copies: {json.dumps(marked_copies)}\n"
    (folder / "config.yaml").write_text(text, "utf-8")


@contextlib.contextmanager
def _undisturbed(state_home: Path) -> Iterator[None]:
    """Keep account and state folder of the user out of it, and give the signals back: each corpus is of one tenant."""
    variables = ("TENCENTCLOUD_", "ESIGN_IMPORT_", "XDG_STATE_HOME")
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(variables)}
    os.environ["XDG_STATE_HOME"] = str(state_home)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        del os.environ["XDG_STATE_HOME"]
        os.environ.update(kept)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _unclaimed(folder: Path) -> frozenset[str]:
    """Return the base names on the sheet of unpaired pictures."""
    book = openpyxl.load_workbook(newest_results(folder / "out") / "results.xlsx", read_only=True)
    try:
        rows = book["Unpaired pictures"].iter_rows(min_row=2, max_col=1, values_only=True)
        return frozenset(str(value) for (value,) in rows if value)
    finally:
        book.close()
