"""How the results look: the colours that workbook and pages share; the workbook's font, formats, printing, texts that fit their cells.

The workbook and paper are light; a page is light or dark as its browser is: see `pipeline.reports.html_pages`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pipeline.domain.run import Repeat, ShownStatus, Status
from pipeline.messages.catalogue import render

INK, MUTED, RULE, HEAD, PAPER = "#1F2933", "#5A6775", "#D9DEE4", "#24405E", "#F4F6F8"
LINK = "#1A5FB4"
FAULT = "#FFE98A"  # a cell to correct
CODE = "#EEF1F4"  # behind a command

# status -> (fill, ink); the ink alone colours bars and the chart
COLOURS: Mapping[ShownStatus, tuple[str, str]] = {
    Status.SEALED: ("#DDF3E2", "#1E7A3C"),
    Status.UNCHANGED: ("#EAF1EC", "#456B54"),
    Status.CHANGED: ("#FDE6D2", "#984508"),
    Status.REJECTED: ("#FFF0B8", "#8A5D00"),
    Status.FAILED: ("#FBDADA", "#B3261E"),
    Status.UNKNOWN: ("#E9DFF8", "#6A3FB0"),
    Status.EXISTS: ("#DFE3FB", "#3D4DB3"),
    Status.NOT_SENT: ("#E4E9EF", "#4F6177"),
    Status.READY: ("#D8F0F4", "#0B7285"),
    Repeat.DUPLICATE: ("#ECEFF2", "#5A6775"),
}
# status of a roster file -> the status whose colours it has
STATUSES_OF_FILES: Mapping[str, Status] = {
    "read": Status.SEALED,
    "partly": Status.FAILED,
    "refused": Status.FAILED,
    "deferred": Status.NOT_SENT,
}

FONT, FONT_SIZE = "Microsoft YaHei", 10
LINE = 16.5  # points a line of text takes

Workbook = Any  # XlsxWriter is untyped
Worksheet = Any
Format = Any
Look = Mapping[str, object]  # properties of a format

MAX_CELL_LENGTH = 32_000  # UTF-16 units; Excel's own limit is 32,767
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


class Styles:
    """The formats of one workbook, each made once."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._formats: dict[frozenset[tuple[str, object]], Format] = {}
        self.of_statuses = {
            status: self.make_cell_format(**colour_status(status), bold=True, align="center")
            for status in COLOURS
        }

    def make_format(self, **properties: object) -> Format:
        """Return a format: our font and ink, centred in the row's height, changed by ``properties``."""
        font = {"font_name": FONT, "font_size": FONT_SIZE, "font_color": INK}
        look = {**font, "valign": "vcenter", **properties}
        key = frozenset(look.items())
        if key not in self._formats:
            self._formats[key] = self._book.add_format(look)
        return self._formats[key]

    def make_cell_format(self, **properties: object) -> Format:
        """Return a table cell's format: text that stays text and keeps off the border, a hair line below."""
        indent = {} if "align" in properties else {"indent": 1}
        look = {"num_format": "@", "bottom": 1, "bottom_color": RULE, **indent, **properties}
        return self.make_format(**look)


def colour_status(status: ShownStatus) -> Look:
    fill, ink = COLOURS[status]
    return {"bg_color": fill, "font_color": ink}


def set_up_printing(sheet: Worksheet, language: str) -> None:
    """Make a sheet print on A4 landscape, one page wide, numbered."""
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    sheet.set_footer(f"&C&9{render('print.page', language)}&R&9&A")


def clean_text(text: str) -> str:
    """Return text that every spreadsheet program opens: what XML cannot carry becomes U+FFFD, the tail is cut."""
    if text.isprintable() and len(text) < MAX_CELL_LENGTH // 2 and not text.startswith("<r>"):
        return text
    text = _UNREADABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    units = text.encode("utf-16-le")
    if len(units) > 2 * MAX_CELL_LENGTH:
        text = units[: 2 * MAX_CELL_LENGTH].decode("utf-16-le", "ignore") + " …"
    # XlsxWriter's streaming mode takes a text between these two tags for ready-made XML
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text


def estimate_width(text: str) -> int:
    """Return how many letters wide a line is in the workbook's font, which draws Han, “ and … two letters wide."""
    return (len(text.encode("utf-8", "replace")) + len(text)) // 2 if not text.isascii() else len(text)


def count_lines(text: str, columns: float) -> int:
    """Return how many lines a text needs in a cell so many columns wide."""
    room = int(max(1.0, columns - 1))
    return sum(max(1, -(-estimate_width(line) // room)) for line in text.split("\n"))


def measure_height(lines: int) -> float:
    """Return the points a row of so many lines of text needs."""
    return LINE * max(1, lines) + 4
