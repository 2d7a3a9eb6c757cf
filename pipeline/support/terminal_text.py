"""Texts for a terminal: columns, in which a Han character takes two, line breaks, and words quoted for the shell."""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache

UTF_8 = "LC_ALL=C.UTF-8"  # before a command whose locale cannot read file names or show Chinese
# What neither cmd.exe nor PowerShell reads as more than a letter; a file name cannot hold a double quote.
_PLAIN_ON_WINDOWS = re.compile(r"[\w./\\:~+=@-]+")

_PLAIN_ELSEWHERE = re.compile(r"[\w@%+=:,./-]+")  # no shell takes a Han character for more than a letter

# Han characters between stops, blanks and brackets that are most often a title or a word, not a sentence
_LONGEST_WORD = 6
# Lines are broken by their shape, in which each of these stands for all characters of its kind: a pattern with the ranges of
# Unicode takes long to compile.
_HAN = "\u3042"
_WIDE = "\u3000"  # any other that is two columns wide
_KEPT = "x"  # of a text that is not broken
_NUMBERING = r"\u7b2c"  # the Han character before an ordinal number
_IS_HAN = f"[{_HAN}{_NUMBERING}]"
_HAN_BLOCKS = (range(0x3400, 0xA000), range(0xF900, 0xFB00), range(0x20000, 0x3FFFE))
_NEVER_FIRST = "，。、；：？！）”’》…"  # of a line
_WIDE_STOPS = "".join(stop for stop in _NEVER_FIRST if unicodedata.east_asian_width(stop) in "WF")
_NEVER_LAST = r"\uff08\u201c\u2018\u300a"  # opening brackets and quotes of Chinese
# behind a word
_STOPS = rf"(?:[{_NEVER_FIRST}]|[,.;:!?)\]]+(?=[ {_NEVER_FIRST}{_HAN}{_NUMBERING}{_WIDE}]|$))*"
# a number, a column or a cell before the Han word it belongs to
_COUNT = rf"(?:{_NUMBERING} )?(?<![\w.-])(?:[A-Z]{{1,3}}\d{{0,7}}|\d+) (?={_IS_HAN})"


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


def _split_pieces(line: str, whole: Collection[str], longest_word: int) -> Iterator[str]:
    """Yield the parts of a line between which it may break, each with the blanks and stops behind it."""
    shape = line
    for text in sorted(whole, key=len, reverse=True):
        shape = shape.replace(text, _KEPT * len(text))
    shape = "".join(map(_choose_shape, shape))
    han_word = (
        rf"(?<!{_IS_HAN}){_IS_HAN}{{1,{longest_word}}}(?!{_IS_HAN})|{_IS_HAN}(?:{_IS_HAN}(?!{_IS_HAN}))?"
    )
    letters = rf"[^ (\[{_HAN}{_NUMBERING}{_WIDE}{_WIDE_STOPS}{_NEVER_LAST}]|[(\[](?!{_IS_HAN})"
    word = rf"(?:{letters})+|(?:{han_word})(?:\.[A-Za-z\d]+)?|."
    opening = rf"(?:[{_NEVER_LAST}]|[(\[](?={_IS_HAN}))*"
    for piece in re.finditer(rf" +|{opening}(?:[-+~] (?=\d))?(?:{_COUNT})?(?:{word}){_STOPS} *", shape):
        yield line[piece.start() : piece.end()]


@cache
def _choose_shape(char: str) -> str:
    """Return what stands for a character in the shape of a line."""
    if re.match(f"[{_NEVER_FIRST}{_NEVER_LAST}{_NUMBERING}]", char):
        return char
    if any(ord(char) in block for block in _HAN_BLOCKS):
        return _HAN
    return _WIDE if unicodedata.east_asian_width(char) in "WF" else char
