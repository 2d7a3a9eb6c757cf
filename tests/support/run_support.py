"""Invented people: a name, a made-up, checksum-valid number, a roster row and a drawn seal for each serial; and waiting."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

from pipeline.clock import SystemClock

SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章"
GIVEN = "安邦承德恩凡国海静凯丽明宁平强仁思天文欣雅泽"


def number(serial: int) -> str:
    """Return a made-up, checksum-valid identity number; its county code was never given out."""
    first = f"110199{1970 + serial % 30}{1 + serial % 12:02d}{1 + serial % 28:02d}{serial % 1000:03d}"
    weights = [2 ** (17 - index) % 11 for index in range(17)]
    return (
        first
        + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(first, weights, strict=True)) % 11]
    )


def name(serial: int) -> str:
    pairs = len(GIVEN)
    return (
        SURNAMES[serial % len(SURNAMES)] + GIVEN[serial // len(SURNAMES) % pairs] + GIVEN[serial * 7 % pairs]
    )


def make_row(serial: int, **changes: str | None) -> tuple[str | None, ...]:
    """Return a clean row of the usual roster, but for the columns that are changed."""
    row = {
        "name": name(serial),
        "number": number(serial),
        "mobile": f"154{serial:08d}",
        "staff_no": f"{serial:05d}",
        "department": "内科",
    }
    return tuple({**row, **changes}.values())


class QuickClock(SystemClock):
    """The machine's clock, on which back-off takes a fiftieth of its time."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 50)


def wait_until(condition: Callable[[], object], seconds: float = 120.0) -> None:
    """Poll for what another process brings about; the bound is for one that never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)


def newest_results(out: Path) -> Path:
    """Return the folder of the results that were written last, by a run, check or retry; ``latest`` is a run's copy.

    A run that ended before it had results left a record alone, and is passed over.
    """
    files = [path.parent / "run.json" for path in out.glob("*/files.jsonl")]
    records = {path.parent: json.loads(path.read_text("utf-8"))["run"] for path in files if path.exists()}
    return max(records, key=lambda folder: (records[folder], folder.name != "latest"))


def draw_seal(path: Path, serial: int) -> None:
    """Draw strokes that no other serial has; small, so that hundreds are quick."""
    picture = Image.new("RGB", (120, 60), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((2, 2, 117, 57), outline="red", width=3)
    pen.line(
        (12, 30, 108, 30), fill="red", width=4
    )  # a frame around one stroke would pass for an empty frame
    pen.line((30, 20, 90, 42), fill="red", width=3)
    for bit in range(12):
        if serial >> bit & 1:
            pen.line((10 + 8 * bit, 12, 10 + 8 * bit, 48), fill="red", width=4)
    picture.save(path)
