"""Text as a workbook can hold and show it: nothing unreadable, nothing over-long, measured in columns."""

from __future__ import annotations

import re

LONGEST = 32_000  # UTF-16 units; Excel's own limit is 32,767
CUT = " …"
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean_text(text: str) -> str:
    """Return text that every spreadsheet program opens: what XML cannot carry becomes U+FFFD, the tail is cut."""
    if text.isprintable() and len(text) < LONGEST // 2 and not text.startswith("<r>"):
        return text
    text = _UNREADABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    units = text.encode("utf-16-le")
    if len(units) > 2 * LONGEST:
        text = units[: 2 * LONGEST].decode("utf-16-le", "ignore") + CUT
    # XlsxWriter's streaming mode takes a text between these two marks for ready-made XML
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text


def measure_width(text: str) -> int:
    """Return the columns a line of text takes on screen: two for Han and full-width characters."""
    return (len(text.encode("utf-8", "replace")) + len(text)) // 2 if not text.isascii() else len(text)


def count_lines(text: str, columns: float) -> int:
    """Return how many lines a text needs in a cell so many columns wide."""
    room = max(1.0, columns - 1)
    return sum(max(1, -(-measure_width(line) // int(room))) for line in text.split("\n"))
