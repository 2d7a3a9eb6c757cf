"""Files made to cost memory or time: each is refused, or read for the little picture in it, within a small bound."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from itertools import chain

import pytest
from image_support import chunk, describe_changes, encoded, noise, put, ready, refused, seal, with_chunk
from PIL import Image

MOST_MEMORY = 200  # MB that a process may have used after all of them; 30 of it are Python and Pillow

CORRUPT, FORMAT, LARGE, READY = "IMAGE_CORRUPT", "IMAGE_FORMAT", "IMAGE_TOO_LARGE", "ready"
SOLID = seal(mode="RGB")


def png(width: int, height: int, bits: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">LLBBBBB", width, height, bits, colour, 0, 0, 0)
    body = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def packed(size: int) -> bytes:
    squeeze = zlib.compressobj(9)
    return b"".join(
        [*(squeeze.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)), squeeze.flush()]
    )


def pngs() -> Iterator[tuple[str, bytes, str]]:
    plain = encoded(SOLID, "PNG")
    bomb = packed(100_000_000)
    yield "60000²", png(60_000, 60_000), LARGE
    yield "13000²", png(13_000, 13_000), LARGE
    yield "16 bits of 40 MP, cut off", png(6300, 6300, 16, 6), CORRUPT
    yield "zTXt", with_chunk(plain, chunk(b"zTXt", b"a\0\0" + bomb)), CORRUPT
    yield "iCCP", with_chunk(plain, chunk(b"iCCP", b"a\0\0" + bomb)), CORRUPT
    yield "iTXt", with_chunk(plain, chunk(b"iTXt", b"a\0\1\0\0\0" + bomb)), CORRUPT
    yield "100 zTXt", with_chunk(plain, chunk(b"zTXt", b"a\0\0" + packed(1_000_000)) * 100), CORRUPT
    yield "30,000 chunks", with_chunk(plain, chunk(b"tEXt", b"") * 30_000), READY
    rows = zlib.compress(b"".join(b"\0" + noise(300, 1).tobytes() for _ in range(300)), 0)
    head, tail = png(300, 300).partition(chunk(b"IDAT", zlib.compress(bytes(100_000))))[::2]
    body = b"".join(chunk(b"IDAT", rows[start : start + 5]) for start in range(0, len(rows), 5))
    yield "IDAT by 5 bytes", head + body + tail, READY


def jpegs() -> Iterator[tuple[str, bytes, str]]:
    plain = encoded(SOLID, "JPEG", progressive=True)
    last = plain.rindex(b"\xff\xda")
    data = last + 2 + int.from_bytes(plain[last + 2 : last + 4], "big")
    yield "30,000 segments", plain[:2] + b"\xff\xe1\x00\x02" * 30_000 + plain[2:], READY
    yield "1,000 scans", plain[:last] + plain[last:-2] * 1000 + plain[-2:], READY
    large = encoded(Image.new("L", (6000, 6000), 255), "JPEG", progressive=True)
    final = large.rindex(b"\xff\xda")
    yield "100 scans of 36 MP", large[:final] + large[final:-2] * 100 + large[-2:], CORRUPT
    yield "filled gap", plain[:last] + b"\xff" * 5_000_000 + plain[last:], READY
    yield "filled data", plain[:data] + b"\xff" * 2_000_000 + b"\x00" + plain[data:], READY
    baseline = encoded(seal(400, mode="L"), "JPEG")
    start = baseline.index(b"\xff\xda") + 10
    yield "a million restarts", baseline[:start] + b"\xff\xd0" * 1_000_000 + baseline[start:], CORRUPT
    tall = bytearray(encoded(SOLID, "JPEG"))
    offset = tall.index(b"\xff\xc0") + 5
    tall[offset : offset + 4] = struct.pack(">HH", 65_500, 65_500)
    yield "65500²", bytes(tall), LARGE


def others() -> Iterator[tuple[str, bytes, str]]:
    gif = encoded(SOLID.convert("P"), "GIF")
    first = 13 + (3 << (gif[10] & 7) + 1)
    image = gif.index(b",", first)
    frame = b"!\xf9\x04\0\0\0\0\0" + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    yield "GIF, 60000²", gif[:6] + struct.pack("<HH", 60_000, 60_000) + gif[10:], LARGE
    yield (
        "GIF, frame of 60000²",
        gif[: image + 5] + struct.pack("<HH", 60_000, 60_000) + gif[image + 9 :],
        LARGE,
    )
    yield "GIF, 100,000 frames", gif[:-1] + frame * 100_000 + b";", READY
    yield "GIF, 20,000 comments", gif[:first] + b"!\xfe\x01x\0" * 20_000 + gif[first:], READY
    yield "GIF, 20,000 comments behind", gif[:-1] + b"!\xfe\x01x\0" * 20_000 + b";", READY
    yield (
        "GIF, 300,000 blocks",
        gif[:first] + b"!\xfe" + b"\x01x" * 300_000 + b"\0" + gif[first:],
        READY,
    )

    webp = encoded(SOLID, "WEBP")
    canvas = b"VP8X" + struct.pack("<L", 10) + b"\2\0\0\0" + b"\xff\x3f\0" * 2
    for name, body in (
        ("16384²", canvas + webp[12:]),
        ("120,000 chunks", webp[12:] + b"JUNK\0\0\0\0" * 120_000),
    ):
        code = LARGE if name == "16384²" else READY
        yield f"WEBP, {name}", b"RIFF" + struct.pack("<L", len(body) + 4) + b"WEBP" + body, code

    bmp = encoded(SOLID.convert("P"), "BMP")
    yield "BMP, 60000²", bmp[:18] + struct.pack("<ll", 60_000, -60_000) + bmp[26:], LARGE
    runs = bmp[:18] + struct.pack("<llHHL", 6000, 6000, 1, 8, 1) + bmp[34:1078]
    yield "BMP, 4,500,000 runs", runs + b"\1\7" * 4_500_000, FORMAT

    yield "TIFF, 9000²", encoded(Image.new("1", (9000, 9000)), "TIFF", compression="group4"), LARGE
    yield "TIFF, its own next", tiff(following=8), READY
    yield (
        "TIFF, tags of 5 MB",
        tiff({40_000 + tag: (7, 5_000_000, 400) for tag in range(2000)}, 6_000_000),
        READY,
    )
    yield (
        "TIFF, known tags of 5 MB",
        tiff(dict.fromkeys((347, 529, 532), (7, 5000000, 400)), 6_000_000),
        READY,
    )
    yield "TIFF, EXIF that leads back", tiff({34_665: (4, 1, 8)}), READY
    strips = {273: (4, 1_200_000, 400), 279: (4, 1_200_000, 400), 278: (4, 1, 1)}
    yield "TIFF, 1,200,000 strips", tiff(strips, 10_000_000), CORRUPT
    tile = {322: (4, 1, 45_000), 323: (4, 1, 45_000), 324: (4, 1, 400), 325: (4, 1, 100)}
    yield "TIFF, a tile of 45000²", tiff(tile), READY
    yield "TIFF, 6 x 16 bits", tiff({258: (3, 1, 16), 277: (3, 1, 6)}), FORMAT


def tiff(more: dict[int, tuple[int, int, int]] | None = None, size: int = 0, *, following: int = 0) -> bytes:
    """Write a grey TIFF of 40 x 40 points with further tags, filled up with zeros to a size."""
    entries = {
        256: (4, 1, 40),
        257: (4, 1, 40),
        258: (3, 1, 8),
        259: (3, 1, 1),
        262: (3, 1, 1),
        273: (4, 1, 0),
    }
    entries |= {277: (3, 1, 1), 278: (4, 1, 40), 279: (4, 1, 1600)} | (more or {})
    body = 8 + 2 + 12 * len(entries) + 4
    entries[273] = (more or {}).get(273, (4, 1, body))
    lines = b"".join(struct.pack("<HHLL", tag, *entry) for tag, entry in sorted(entries.items()))
    directory = struct.pack("<H", len(entries)) + lines + struct.pack("<L", following)
    return (b"II*\0" + struct.pack("<L", 8) + directory + noise(40, 40, 1).tobytes()).ljust(size, b"\0")


SCRIPT = """
import json, sys
from pathlib import Path
from image_support import prepare
from pipeline.domain.roster import PreparedImage

folder = Path(sys.argv[1])
codes = {}
for file in sorted(folder.glob("*.bin"), key=lambda file: int(file.stem)):
    answer = prepare(folder, file.read_bytes())
    codes[file.stem] = "ready" if isinstance(answer, PreparedImage) else answer[0].code
line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps([codes, int(line.split()[1]) // 1024]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
def test_hostile_files_cost_little_memory(tmp_path):
    expected = {}
    for number, (name, data, code) in enumerate(chain(pngs(), jpegs(), others())):
        (tmp_path / f"{number}.bin").write_bytes(data)
        expected[str(number)] = (name, code)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True, text=True, check=True, timeout=60, env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    record, memory = json.loads(run.stdout)
    assert {name: record[number] for number, (name, _) in expected.items()} == dict(expected.values())
    assert memory < MOST_MEMORY


def test_the_reason_of_a_refused_bomb_is_named(tmp_path):
    text = with_chunk(encoded(SOLID, "PNG"), chunk(b"zTXt", b"a\0\0" + packed(20_000_000)))
    assert refused(tmp_path, text)[1]["found"] == "unpacks to too much"
    strips = {273: (4, 200_001, 400), 279: (4, 200_001, 400), 278: (4, 1, 1)}
    assert refused(tmp_path, tiff(strips, 2_000_000))[1]["found"] == "too many parts"


def test_a_long_text_is_no_bomb(tmp_path):
    """Image editors write their whole history into a picture: some megabytes, more than many readers bear."""
    history = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + packed(9_000_000))
    prepared = ready(tmp_path, with_chunk(encoded(SOLID, "PNG"), history))
    assert describe_changes(prepared) == "long texts left out"
    assert prepared.size < 10_000


def test_only_the_first_frame_of_an_animation_is_read(tmp_path):
    drawn = SOLID.convert("P")
    data = encoded(drawn, "GIF", save_all=True, append_images=[drawn.rotate(90)])
    put(tmp_path, data)
    second = data.rindex(b"!\xf9\x04") + 8
    assert data[second : second + 1] == b","
    for length in (len(data) - 40, second + 5, second + 1):  # the second frame, or its header, is not whole
        assert describe_changes(ready(tmp_path, data[:length])) == "GIF → PNG, frames → 1"
