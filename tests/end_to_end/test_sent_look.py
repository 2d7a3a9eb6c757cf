"""What reaches the service looks as the file does on white paper, and the small copies show what reached it."""

from __future__ import annotations

import base64
import random
import re

import pytest
from drawn_files import KINDS, DrawnFile, choose_files, compute_deviation, make_file
from image_support import on_white, opened
from people import name, number
from PIL import Image, ImageChops

SUFFIXES = {
    "PNG": "png",
    "GIF": "gif",
    "TIFF": "tif",
    "WEBP": "webp",
    "BMP": "bmp",
    "JPEG": "jpg",
    "HEIC": "heic",
}
COPY = re.compile(r'src="data:image/jpeg;base64,([^"]+)"')
KEYED = [kind for kind in KINDS if kind[1] != "none" and kind[2] in (1, 6)]


def lay_out(hospital, files: list[DrawnFile]) -> None:
    hospital.roster(
        [(name(serial), number(serial), None, f"{serial:05d}", "内科") for serial in range(len(files))]
    )
    for serial, file in enumerate(files):
        suffix = SUFFIXES[file.name.split(",")[0].split()[0]]
        (hospital.folder / "seals" / f"{serial:05d}.{suffix}").write_bytes(file.data)


def get_received(hospital) -> dict[int, bytes]:
    serials = {number(serial): serial for serial in range(200)}
    return {serials[seal.number]: hospital.service.pictures[seal.picture] for seal in hospital.service.seals}


def shows(copy: bytes, look: Image.Image) -> bool:
    """Return whether a small copy looks as a picture does on white, by the means of cells."""
    shown, seen = on_white(opened(copy)), look.convert("RGB")
    cells = tuple(max(1, side // 8) for side in shown.size)
    far = ImageChops.difference(*(one.resize(cells, Image.Resampling.BOX) for one in (shown, seen)))
    return max(level % 256 for level, count in enumerate(far.histogram()) if count) <= 40


@pytest.mark.parametrize("files", ["of every kind", "with a clear entry"])
def test_what_arrives_looks_as_the_file_and_the_copies_show_what_arrived(hospital, files):
    if files == "of every kind":
        chosen = [file for file in choose_files(7, 40) if min(file.look.size) > 19]
    else:
        chosen = [make_file(random.Random(seed), *kind, (120, 61)) for seed, kind in enumerate(KEYED)]
    lay_out(hospital, chosen)
    assert hospital.go("run") == 0
    arrived = get_received(hospital)
    assert (
        list(filter(None, (compute_deviation(arrived[serial], file) for serial, file in enumerate(chosen))))
        == []
    )
    page = (hospital.folder / "out" / "latest" / "review.html").read_text("utf-8")
    copies = [base64.b64decode(text) for text in COPY.findall(page)]
    assert [str(file) for copy, file in zip(copies, chosen, strict=True) if not shows(copy, file.look)] == []


def test_black_ink_under_an_unused_clear_entry_stays_black(hospital):
    file = make_file(random.Random(1), "GIF P", "unused ink", 1, (200, 97))
    lay_out(hospital, [file])
    assert hospital.go("run") == 0
    arrived = on_white(opened(get_received(hospital)[0])).convert("L")
    assert sum(arrived.histogram()[:128]) == sum(file.look.convert("L").histogram()[:128]) > 200
