"""Words quoted for the shell they will be typed into."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable

# What neither cmd.exe nor PowerShell reads as more than a letter; a file name cannot hold a double quote.
_PLAIN_ON_WINDOWS = re.compile(r"[\w./\\:~+=@-]+")

_PLAIN_ELSEWHERE = re.compile(r"[\w@%+=:,./-]+")  # no shell takes a Han character for more than a letter


def quote(word: str, *, windows: bool = os.name == "nt") -> str:
    """Return one word as it has to be typed."""
    if not windows:
        return word if _PLAIN_ELSEWHERE.fullmatch(word) else shlex.quote(word)
    if _PLAIN_ON_WINDOWS.fullmatch(word):
        return word
    tail = re.search(r"\\*$", word)  # a program takes \" for a quote that goes on
    return f'"{word}{tail[0] if tail else ""}"'


def join(words: Iterable[str], *, windows: bool = os.name == "nt") -> str:
    """Return a command line."""
    return " ".join(quote(word, windows=windows) for word in words)
