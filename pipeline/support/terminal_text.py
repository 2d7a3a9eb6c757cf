"""Texts for a terminal: columns, in which a Han character takes two, and words quoted for the shell."""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

# What neither cmd.exe nor PowerShell reads as more than a letter; a file name cannot hold a double quote.
_PLAIN_ON_WINDOWS = re.compile(r"[\w./\\:~+=@-]+")

_PLAIN_ELSEWHERE = re.compile(r"[\w@%+=:,./-]+")  # no shell takes a Han character for more than a letter


def quote(word: str, *, windows: bool = os.name == "nt") -> str:
    if not windows:
        return word if _PLAIN_ELSEWHERE.fullmatch(word) else shlex.quote(word)
    if _PLAIN_ON_WINDOWS.fullmatch(word):
        return word
    tail = re.search(r"\\*$", word)  # a program takes \" for a quote that goes on
    return f'"{word}{tail[0] if tail else ""}"'


def join(words: Iterable[str], *, windows: bool = os.name == "nt") -> str:
    """Return a command line."""
    return " ".join(quote(word, windows=windows) for word in words)


def measure_width(text: str) -> int:
    """Return how many columns a text takes: wide characters two, accents over another character none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def pad_to_width(text: str, width: int) -> str:
    """Return a text with blanks up to so many columns."""
    return text + " " * max(0, width - measure_width(text))


def align_columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield each row as one line; the cells of a column begin below each other."""
    widths = [max(map(measure_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(map(pad_to_width, row, widths)).rstrip()
