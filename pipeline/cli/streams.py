"""stdin, stdout and stderr as a program finds them: closed, full, or with nobody reading any more."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from contextlib import suppress
from typing import TextIO

NEAREST = "esign-import.nearest"  # the error handler of both streams
PLAIN = {"·": "-", "“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "...", "×": "x"}
GONE = frozenset({errno.EPIPE, errno.EINVAL})  # EINVAL: as Windows says it


def write_nearest(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write what a console cannot show by its nearest sign, or as an escape where it has none."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    try:
        written: str | bytes = PLAIN[character].encode(error.encoding)
    except (KeyError, UnicodeEncodeError):
        one = UnicodeEncodeError(error.encoding, error.object, error.start, error.start + 1, error.reason)
        written, _ = codecs.backslashreplace_errors(one)
    return written, error.start + 1


codecs.register_error(NEAREST, write_nearest)


def open_missing() -> None:
    """Open what is closed (``2>&-``, pythonw): a file would get its number, and what is said would be written into it."""
    # in this order each gets its own number: it is the lowest that is free
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - for as long as the process


def let_go(stream: TextIO) -> None:
    """Send what is still written to a stream nowhere, also what Python writes when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, AttributeError, io.UnsupportedOperation):  # a stream that is no file
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def flush() -> None:
    """Write what Python would write when it ends, which would make exit code 120 of a reader that has gone."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            let_go(stream)
