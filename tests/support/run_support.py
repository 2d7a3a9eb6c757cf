"""A drawn seal for each serial, a quick clock, and waiting for what another process brings about."""

import json
import shutil
import time
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw

from pipeline.clock import SystemClock

OUTAGE_SECONDS = 1.2  # that a test's run waits for a service that does not answer, in place of 15 minutes


class QuickClock(SystemClock):
    """The machine's clock, on which back-off takes a fiftieth of its time."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 50)


def wait_until(condition: Callable[[], object], seconds: float = 120.0) -> None:
    """Poll for what another process brings about; the bound is for one that never does.

    A condition that costs much, such as a connection to a server, is looked at less often.
    """
    now = time.monotonic()
    deadline = now + seconds
    while not condition():
        looked = time.monotonic() - now
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(min(max(0.005, 9 * looked), 0.1))
        now = time.monotonic()


def keep_outcomes(hospital, folder: Path) -> Path:
    """Copy what `adopt` reads of the last run into a folder; return the copy of outcomes.jsonl."""
    folder.mkdir(exist_ok=True)
    for name in ("run.json", "outcomes.jsonl"):
        shutil.copy(hospital.folder / "out" / "latest" / name, folder)
    return folder / "outcomes.jsonl"


def newest_results(out: Path) -> Path:
    """Return the folder of the results that were written last, by a run, check or retry; ``latest`` is a run's copy.

    A run that ended before it had results left a record alone, and is passed over.
    """
    files = [path.parent / "run.json" for path in out.glob("*/files.jsonl")]
    records = {path.parent: json.loads(path.read_text("utf-8"))["run"] for path in files if path.exists()}
    return max(records, key=lambda folder: (records[folder], folder.name != "latest"))


def draw_seal(path: Path, serial: int) -> None:
    """Draw strokes that no other serial has; small, so that hundreds are quick."""
    path.write_bytes(_encode_seal(serial, path.suffix))


@cache
def _encode_seal(serial: int, suffix: str) -> bytes:
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
    file = BytesIO()
    picture.save(file, Image.registered_extensions()[suffix.lower()])
    return file.getvalue()
