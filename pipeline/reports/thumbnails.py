"""Small pictures of seals in the cells of a sheet."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO

from pipeline.domain.roster import ImageFile
from pipeline.reports.styles import Worksheet

Thumbnail = Callable[[ImageFile], bytes | None]  # a small PNG, None where the picture cannot be read

TALL = 50  # points of a row that holds one
_SIDE = 56  # pixels it may take


def place(sheet: Worksheet, row: int, column: int, png: bytes, tall: float) -> None:
    """Put a PNG into the middle of its cell, which is ``tall`` points high, so that it hides and sorts with the row."""
    wide, high = struct.unpack(">II", png[16:24])
    scale = min(1.0, _SIDE / max(wide, high, 1))
    room = tall * 4 / 3  # points to pixels
    options = {
        "image_data": BytesIO(png),
        "x_scale": scale,
        "y_scale": scale,
        "x_offset": max(2, (71 - wide * scale) / 2),
        "y_offset": max(2, (room - high * scale) / 2),
        "object_position": 1,
        "decorative": True,
    }
    sheet.insert_image(row, column, "seal.png", options)
