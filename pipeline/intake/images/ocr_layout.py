"""A seal laid out for a reader of printed lines: characters that stand in squares and columns are set side by side.

How personal seals are arranged: two rows of two are read from the right column to the left; a surname may
stand large beside the given name; a column is read from the top.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from PIL import Image, ImageChops, ImageOps

from pipeline.intake.images import ink
from pipeline.intake.images.encode import convert_mode, encode_image

WHOLE = "whole"  # the picture as it is; all other views are single lines

_SIDE = 640  # pixels of the longer side: more is slower and not read better
_LINE = 64  # pixels of a line's height
_GAP = 8  # pixels between characters
_BORDER = 8  # the part of a side in which a frame may run: an eighth
_SQUARE = (0.7, 1.4)  # width to height
_LONGEST = 8  # characters in a line or column

Box = tuple[int, int, int, int]


def cut_seal(image: Image.Image) -> Image.Image | None:
    """Return the part of a picture that has ink, on white (RGB); None where it has none."""
    small = ink.scan_image(image).small
    components = ink.find_components(ink.measure_darkness(ink.smooth(small, image.size)))
    if ink.is_blank(components):
        return None
    side = ink.get_cell_side(small.size) * ink.get_step(image.size)
    box = ink.enclose_components(one for one in components if not one.is_speck).grow(1)
    x0, y0 = max(0, box.x0 * side), max(0, box.y0 * side)
    part = image.crop((x0, y0, min(image.width, box.x1 * side), min(image.height, box.y1 * side)))
    part = convert_mode(part, "RGBA")
    part.thumbnail((_SIDE, _SIDE))
    return ink.put_on_white(part)


def draw_views(seal: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Yield (kind, PNG) of the ways in which a seal may be read, the quick ones first."""
    letters = _cut_letters(seal)
    for kind, boxes in _list_arrangements(letters):
        yield kind, encode_image(_join_in_line([letters.crop(box) for box in boxes]), "PNG")
    yield WHOLE, encode_image(_pad_long_seal(seal), "PNG")


def _pad_long_seal(seal: Image.Image) -> Image.Image:
    """Return a very long or high seal with paper beside it: a reader scales the shorter side up to a least."""
    least = max(seal.size) // _LONGEST
    size = (max(seal.width, least), max(seal.height, least))
    return seal if size == seal.size else ImageOps.pad(seal, size, color="white")


def _cut_letters(seal: Image.Image) -> Image.Image:
    """Return the characters alone, black on white (L): no frame, no ground of ink."""
    red, green, blue = seal.split()
    letters = ImageOps.autocontrast(ImageChops.darker(ImageChops.darker(red, green), blue), cutoff=1)
    letters = _crop_to_ink(letters)
    if _mask_ink(letters).resize((1, 1), Image.Resampling.BOX).tobytes()[0] > 127:  # more ink than paper
        letters = ImageChops.invert(letters)
    return _crop_to_ink(_remove_frame(letters))


def _crop_to_ink(letters: Image.Image) -> Image.Image:
    return letters.crop(_mask_ink(letters).getbbox())


def _mask_ink(letters: Image.Image) -> Image.Image:
    """Return a mask of the points with ink (L, 255)."""
    return letters.point([255 * (level < 128) for level in range(256)])


def _remove_frame(letters: Image.Image) -> Image.Image:
    """Return what is inside a frame; the picture itself where not all four sides have a line."""
    columns, rows = _measure_profiles(letters)
    sides = [_find_line_end(profile) for profile in (columns, rows, columns[::-1], rows[::-1])]
    if not all(sides):
        return letters
    x0, y0, x1, y1 = sides
    return letters.crop((x0, y0, letters.width - x1, letters.height - y1))


def _measure_profiles(letters: Image.Image) -> tuple[bytes, bytes]:
    """Return how much ink each column and each row has, of 255."""
    inked = _mask_ink(letters)
    columns = inked.resize((letters.width, 1), Image.Resampling.BOX).tobytes()
    return columns, inked.resize((1, letters.height), Image.Resampling.BOX).tobytes()


def _find_line_end(profile: bytes) -> int:
    """Return where a line along the edge ends, 0 where there is none."""
    dark = (index + 1 for index in range(len(profile) // _BORDER) if profile[index] > 127)
    return max(dark, default=0)


def _list_arrangements(letters: Image.Image) -> Iterator[tuple[str, Sequence[Box]]]:
    """Yield (kind, boxes in reading order) of every arrangement that a seal of this shape may have."""
    width, height = letters.size
    columns, rows = _measure_profiles(letters)
    yield "line", [(0, 0, width, height)]
    if _SQUARE[0] <= width / height <= _SQUARE[1]:
        middle = _find_gap(columns, 1 / 2)
        right_half, left_half = _halve_column(letters, middle, width), _halve_column(letters, 0, middle)
        yield "square", [*right_half, *left_half]
        yield "surname right", [(middle, 0, width, height), *left_half]
        yield "surname left", [(0, 0, middle, height), *right_half]
    for count in sorted({height // width, height // width + 1} - {0, 1}):
        if height >= _SQUARE[1] * width and count <= _LONGEST:
            cuts = [0, *(_find_gap(rows, part / count, 1 / count) for part in range(1, count)), height]
            yield f"column {count}", [(0, y0, width, y1) for y0, y1 in pairwise(cuts)]


def _halve_column(letters: Image.Image, x0: int, x1: int) -> list[Box]:
    """Return the upper and the lower half of a column of the picture."""
    rows = _measure_profiles(letters.crop((x0, 0, x1, letters.height)))[1]
    middle = _find_gap(rows, 1 / 2)
    return [(x0, 0, x1, middle), (x0, middle, x1, letters.height)]


def _find_gap(profile: bytes, near: float, reach: float = 1 / 2) -> int:
    """Return where there is the least ink near a share of the length, within a quarter of ``reach`` either way."""
    length = len(profile)
    wanted, most = round(length * near), max(1, round(length * reach / 4))
    candidates = range(max(1, wanted - most), min(length, wanted + most))
    return min(candidates, key=lambda index: (profile[index], abs(index - wanted)), default=wanted)


def _join_in_line(tiles: Sequence[Image.Image]) -> Image.Image:
    """Return the characters in one line, each as high as the line."""
    scaled = [
        tile.resize((max(1, _get_width(tile)), _LINE), Image.Resampling.LANCZOS)
        for tile in tiles
        if min(tile.size) > 0
    ]
    line = Image.new("L", (sum(tile.width + _GAP for tile in scaled) + _GAP, _LINE + 2 * _GAP), 255)
    x0 = _GAP
    for tile in scaled:
        line.paste(tile, (x0, _GAP))
        x0 += tile.width + _GAP
    return line


def _get_width(tile: Image.Image) -> int:
    return min(tile.width * _LINE // tile.height, 2 * _LINE * _LONGEST)
