"""A hospital of any size on disk, its people and pictures invented, and a sandbox in a process of its own."""

from __future__ import annotations

import contextlib
import json
import re
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import xlsxwriter

from bench.measure import REPOSITORY, Child, measure_command, require_success, run_python
from pipeline.sandbox.gateway import SANDBOX
from tests.support.people import name, number_without_zeros

HEADERS = (
    *("序号", "姓名", "证件号码", "手机号", "工号", "科室"),
    *("职称", "院区", "入职日期", "学历", "电子邮箱", "备注"),
)
DEPARTMENTS = ("内科", "外科", "儿科", "妇产科", "急诊科", "放射科", "检验科", "药剂科")
SIDE = 100  # pixels of the smallest picture
PAPER = 6  # pixels for one that is grain


@dataclass(frozen=True)
class Hospital:
    """A folder with config, roster, pictures and keys."""

    folder: Path

    @property
    def roster(self) -> Path:
        return self.folder / "inbox" / "roster.xlsx"

    @property
    def seals(self) -> Path:
        return self.folder / "seals"

    def configure(
        self,
        url: str,
        *,
        rate: float = 20,
        concurrency: int = 20,
        ledger: str = "state/ledger.sqlite3",
    ) -> None:
        """Write config.yaml for a sandbox at ``url``."""
        (self.folder / "config.yaml").write_text(
            f"api: {{endpoint: '{url}', app_id: {SANDBOX.app_id}, "
            f"organization_open_id: {SANDBOX.organization_open_id}, operator_open_id: {SANDBOX.operator_open_id}}}\n"
            f"limits: {{requests_per_second: {rate}, concurrency: {concurrency}}}\nsecrets_dir: secrets\n"
            f"ledger: {ledger}\n",
            "utf-8",
        )

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of its commands: a state folder of its own, as all hospitals are one tenant."""
        return {"XDG_STATE_HOME": str(self.folder / "user")}

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that runs the program on this hospital."""
        config = str(self.folder / "config.yaml")
        return [sys.executable, "-m", "pipeline", "--config", config, "--lang", "en", *arguments]

    def run(self, *arguments: str, watch: Callable[[float, float], object] | None = None) -> Child:
        """Do one run in a process of its own, start to end; raise ChildFailed if it fails."""
        return self.measure("run", "--yes", "--accept-guards", *arguments, watch=watch)

    def measure(self, *arguments: str, watch: Callable[[float, float], object] | None = None) -> Child:
        """Type a command; raise ChildFailed if it fails."""
        log = self.folder / "output.log"
        command = self.command(*arguments)
        return require_success(measure_command(command, env=self.environment, log=log, watch=watch), log)

    def record(self) -> dict:
        """Return run.json of the last run."""
        return json.loads((self.folder / "out" / "latest" / "run.json").read_text("utf-8"))

    def forget(self) -> None:
        """Begin anew: no ledger, no journals, no results.

        They are put aside and go with the hospital: ext4 passes over the inodes of files deleted in the last minutes, one by
        one for each new file, and the run that is measured would pay for what was deleted before it.
        """
        earlier = self.folder / "forgotten" / str(time.monotonic_ns())
        for kept in ("state", "out", "user"):
            if (self.folder / kept).exists():
                earlier.mkdir(parents=True, exist_ok=True)
                (self.folder / kept).rename(earlier / kept)


def make_hospital(folder: Path, rows: int, *, picture_bytes: int = 0) -> Hospital:
    """Make a hospital of so many clean rows × 12 columns, a picture each of at least so many bytes."""
    hospital = Hospital(folder)
    for path in (hospital.roster.parent, hospital.seals, folder / "secrets"):
        path.mkdir(parents=True)
    (folder / "secrets" / "tencent__secret_id").write_text(SANDBOX.secret_id)
    (folder / "secrets" / "tencent__secret_key").write_text(SANDBOX.secret_key)
    write_roster(hospital, rows)
    for serial in range(1, rows + 1):
        (hospital.seals / f"{serial:06d}.png").write_bytes(draw_picture(serial, picture_bytes))
    return hospital


def write_roster(hospital: Hospital, rows: int) -> None:
    with xlsxwriter.Workbook(str(hospital.roster)) as book:
        sheet = book.add_worksheet("医生名册")
        for line, cells in enumerate([HEADERS, *map(make_row, range(1, rows + 1))]):
            for column, text in enumerate(cells):
                sheet.write_string(line, column, text)


def make_hospital_apart(folder: Path, rows: int, *, picture_bytes: int = 0) -> Hospital:
    """Make a hospital in a process of its own: a child that is measured begins with the memory of who starts it."""
    log = folder.with_suffix(".log")
    run_python("bench.hospital", str(folder), str(rows), str(picture_bytes), log=log)
    return Hospital(folder)


def make_row(serial: int) -> tuple[str, ...]:
    return (
        *(str(serial), name(serial), number_without_zeros(serial), f"154{serial:08d}", f"{serial:06d}"),
        *(DEPARTMENTS[serial % len(DEPARTMENTS)], "主治医师", "东院区", "2019-07-01", "硕士研究生"),
        *(f"doctor{serial}@hospital.invalid", f"第{serial}号"),
    )


def draw_picture(serial: int, size: int = 0) -> bytes:
    """Return a grey PNG of strokes on white paper, another for each serial, of ``size`` bytes or a few more.

    A sixth of it is grain, which no compression takes away, and so the bytes of a picture follow from its number of pixels:
    60 KB are 600 × 600, as in a seal that was scanned well.
    """
    chance = Random(serial)
    side = max(SIDE, int((size * PAPER) ** 0.5) + 1)
    rows = [bytearray(b"\xff") * side for _ in range(side)]
    for line in rows[side // 3 : side // 3 + int(size * 1.03) // side + 1] if size else ():
        line[:] = chance.randbytes(side)
    for line in rows[: side // 4 : 3]:
        draw_stroke(line, side // 4, side // 4 + serial % 40)
    for bit in range(20):
        if serial >> bit & 1:
            draw_stroke(rows[side * 2 // 3 + bit], side // 8, side // 2)
    return encode_png(side, rows)


def draw_stroke(line: bytearray, first: int, length: int) -> None:
    line[first : first + length] = bytes(length)


def encode_png(side: int, rows: list[bytearray]) -> bytes:
    body = zlib.compress(b"".join(b"\0" + row for row in rows), 1)
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        encode_chunk(*part) for part in ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    )


def encode_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@contextlib.contextmanager
def run_sandbox(**rules: object) -> Iterator[str]:
    """Run the sandbox with these rules in a process of its own; gives its address."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as rules_file:
        json.dump(rules, rules_file)
        rules_file.flush()
        options = ("sandbox", "--port", "0", "--rules", rules_file.name)
        command = [sys.executable, "-m", "pipeline", "--lang", "en", *options]
        process = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        try:
            output = ""
            while not (match := re.search(r"http://127\.0\.0\.1:\d+", output)):
                line = process.stderr.readline()
                assert line, "the sandbox did not start: " + output
                output += line
            yield match[0]
        finally:
            process.terminate()
            process.wait()


def read_truth(url: str) -> dict:
    """Return what the sandbox knows to be true."""
    with urllib.request.urlopen(url + "/_truth") as answer:
        return json.load(answer)


if __name__ == "__main__":
    make_hospital(Path(sys.argv[1]), int(sys.argv[2]), picture_bytes=int(sys.argv[3]))
