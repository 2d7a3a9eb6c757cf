"""Texts for a terminal: columns, in which a Han character takes two, line breaks, and words quoted for the shell."""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence

# What neither cmd.exe nor PowerShell reads as more than a letter; a file name cannot hold a double quote.
_PLAIN_ON_WINDOWS = re.compile(r"[\w./\\:~+=@-]+")

_PLAIN_ELSEWHERE = re.compile(r"[\w@%+=:,./-]+")  # no shell takes a Han character for more than a letter

# characters that are two columns wide; a line may break between two of them
_WIDE = (
    r"\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f"
    r"\uff00-\uff60\uffe0-\uffe6\U0001f300-\U0001faff\U00020000-\U0003fffd"
)
_HAN = r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
# Han characters between stops, blanks and brackets that are most often a title or a word, not a sentence
_LONGEST_WORD = 6
_NEVER_FIRST = "，。、；：？！）”’》…"  # of a line
_NEVER_LAST = r"\uff08\u201c\u2018\u300a"  # opening brackets and quotes of Chinese
_STOPS = rf"(?:[{_NEVER_FIRST}]|[,.;:!?)\]]+(?=[ {_NEVER_FIRST}{_WIDE}]|$))*"  # behind a word
# a number, a column or a cell before the Han word it belongs to
_COUNT = rf"(?:\u7b2c )?(?<![\w.-])(?:[A-Z]{{1,3}}\d{{0,7}}|\d+) (?=[{_HAN}])"


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


def measure_width(text: str) -> int:
    """Return how many columns a text takes: wide characters two, accents over another character none."""
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


def wrap_line(line: str, width: int, hang: int = 0, whole: Collection[str] = ()) -> Iterator[str]:
    """Yield the lines into which a line breaks; all but the first begin with ``hang`` blanks.

    No word is broken, and none of the texts ``whole``: where one is wider than ``width``, its line is. A few Han
    characters between stops are a word; more of them break anywhere but before the last one.
    """
    begun = ""
    for piece in _split_pieces(line, whole, longest_word=min(_LONGEST_WORD, width // 4)):
        if begun.strip() and measure_width(begun + piece.rstrip()) > width:
            yield begun.rstrip()
            begun = " " * hang
        begun += piece
    yield begun.rstrip()


def _split_pieces(line: str, whole: Collection[str], longest_word: int) -> list[str]:
    """Return the parts of a line between which it may break, each with the blanks and stops behind it."""
    kept = "".join(f"{re.escape(text)}|" for text in sorted(whole, key=len, reverse=True))
    han_word = rf"(?<![{_HAN}])[{_HAN}]{{1,{longest_word}}}(?![{_HAN}])|[{_HAN}](?:[{_HAN}](?![{_HAN}]))?"
    letters = rf"[^ (\[{_WIDE}{_NEVER_LAST}]|[(\[](?![{_HAN}])"
    word = rf"(?:{kept}{letters})+|(?:{han_word})(?:\.[A-Za-z\d]+)?|."
    opening = rf"(?:[{_NEVER_LAST}]|[(\[](?=[{_HAN}]))*"
    return re.findall(rf" +|{opening}(?:{_COUNT})?(?:{word}){_STOPS} *", line)
