"""Large pictures at 20 a second: memory with pictures of 2 MB, and what a photo of 12 megapixels costs."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.hospital import Hospital, make_hospital_apart
from bench.measure import Child, Measured, alternate, print_progress, run_python
from bench.unlimited import read_facts, run_official, run_service

RATE = 20
ROWS, TURNS = (200, 40), (5, 1)  # in full, in the short form
PHOTOS, PREPARED = (100, 30), (20, 5)
PHOTO_SIDES = (4000, 3000)  # pixels


def measure(short: bool) -> Iterator[Measured]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name, run_service() as url:
        folder = Path(name)
        yield from measure_memory(folder, url, short=short)
        yield from measure_photos(folder, url, short=short)


def measure_memory(folder: Path, url: str, *, short: bool) -> Iterator[Measured]:
    """Measure the memory of whole runs with pictures of 2 MB, processes that a run starts included."""
    rows = ROWS[short]
    print_progress(f"large: making {rows} pictures of 2 MB")
    hospital = make_hospital_apart(folder / "large", rows, picture_bytes=2_000_000)
    hospital.configure(url, rate=RATE)

    def run() -> Child:
        hospital.forget()
        return hospital.run(watch=lambda *_: None)

    sdk, own = alternate(
        TURNS[short],
        f"large: {rows} pictures of 2 MB",
        lambda: run_official(hospital, url, "file_id", rows, watch=lambda *_: None),
        run,
    )
    peaks = {"sdk": [child.peak for child in sdk]}
    yield Measured("large.memory", [child.peak for child in own], peaks, rows, is_enough=not short)


def measure_photos(folder: Path, url: str, *, short: bool) -> Iterator[Measured]:
    """Measure the CPU that prepares a photo, and whether a run of photos still uses every slot."""
    rows, times = PHOTOS[short], TURNS[short]
    print_progress(f"large: drawing {rows} photos of 12 megapixels")
    small = make_hospital_apart(folder / "small", rows, picture_bytes=60_000)
    photos = make_hospital_apart(folder / "photos", rows)
    for hospital in (small, photos):
        hospital.configure(url, rate=RATE)
    log = folder / "photos.log"
    run_python("bench.large_pictures", "draw", str(photos.folder), str(rows), log=log)

    def prepare(way: str) -> float:
        target = folder / "prepared.json"
        arguments = ("prepare", str(photos.folder), str(PREPARED[short]), way, str(target))
        run_python("bench.large_pictures", *arguments, log=log)
        return json.loads(target.read_text())

    pillow, own = alternate(
        times, "large: preparing photos", lambda: prepare("pillow"), lambda: prepare("ours")
    )
    yield Measured("large.photo.cpu", own, {"pillow": pillow}, PREPARED[short])
    usual, rates = alternate(
        times,
        f"large: sending {rows} photos",
        lambda: measure_rate(small, url, rows),
        lambda: measure_rate(photos, url, rows),
    )
    yield Measured("large.photo.rate", rates, {"small": usual}, rows, is_enough=not short)


def measure_rate(hospital: Hospital, url: str, rows: int) -> float:
    """Do a first run and return how many creates a second the service saw."""
    hospital.forget()
    read_facts(url)
    hospital.run()
    facts = read_facts(url)
    assert facts["creates"] == rows, facts
    return (rows - 1) / (facts["last"] - facts["first"])


def draw_photos(folder: str, rows: int) -> None:
    """Replace the pictures of a hospital by photos of a seal on paper, each a little different."""
    from PIL import Image, ImageDraw

    width, height = PHOTO_SIDES
    paper = Image.effect_noise(PHOTO_SIDES, 12).point(lambda level: min(255, level + 90)).convert("RGB")
    draw = ImageDraw.Draw(paper)
    draw.ellipse((width // 4, height // 4, width * 3 // 4, height * 3 // 4), outline=(190, 30, 40), width=60)
    seals = Path(folder) / "seals"
    for serial in range(1, rows + 1):
        photo = paper.copy()
        draw = ImageDraw.Draw(photo)
        for bit in range(10):
            if serial >> bit & 1:
                top = height // 3 + bit * 100
                draw.rectangle((width // 3, top, width * 2 // 3, top + 50), fill=(190, 30, 40))
        (seals / f"{serial:06d}.png").unlink()
        photo.save(seals / f"{serial:06d}.jpg", quality=85)


def prepare_photos(folder: str, count: int, way: str, target: str) -> None:
    """Write the median of the milliseconds of CPU that each of ``count`` photos takes, as a run prepares it or decoded whole."""
    import hashlib
    import statistics
    import time

    from PIL import Image

    from pipeline.config.settings import load as load_config
    from pipeline.domain.roster import ImageFile
    from pipeline.workflow import stage_settings

    config = load_config(Path(folder) / "config.yaml", {})
    images = stage_settings.build_image_examiner(config)
    spent = []
    for path in sorted((Path(folder) / "seals").iterdir())[: count + 1]:
        data = path.read_bytes()
        image = ImageFile.from_path(path, sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        begun = time.process_time()
        if way == "ours":
            images.examine(image)
        else:
            with Image.open(path) as opened:
                opened.load()
        spent.append(1000 * (time.process_time() - begun))
    Path(target).write_text(json.dumps(statistics.median(spent[1:])))  # the first one imports


def main(command: str, folder: str, count: str, *more: str) -> None:
    if command == "draw":
        draw_photos(folder, int(count))
    else:
        prepare_photos(folder, int(count), *more)


if __name__ == "__main__":
    main(*sys.argv[1:])
