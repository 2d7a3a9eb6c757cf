"""stdin, stdout and stderr: what a console cannot show, a reader that has gone, a stream that is closed."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from contextlib import suppress
from typing import TextIO

from pipeline.domain.masking import mask_text

READER_GONE = frozenset({errno.EPIPE, errno.EINVAL})  # EINVAL: as Windows reports it


def limit_to_console(chosen: str) -> str:
    """Return the chosen language, or ``en`` where the console cannot write Chinese."""
    return chosen if get_narrow_encoding() is None else "en"


def get_narrow_encoding() -> str | None:
    """Return the encoding of a console that cannot write Chinese, None for one that can."""
    for stream in (sys.stdout, sys.stderr):
        encoding = getattr(stream, "encoding", None) or "utf-8"
        try:
            "中文".encode(encoding)
        except (UnicodeEncodeError, LookupError):
            return encoding
    return None


def print_traceback(error: BaseException) -> None:
    """Print the traceback of a program error to stderr; a path in it may hold a number."""
    for line in traceback.format_exception(error):
        sys.stderr.write(mask_text(line))


def prepare_streams() -> None:
    """Open streams that are closed, and let no character end a run that the console cannot carry.

    Of a closed stream (``2>&-``, pythonw) the next file would get the number, and messages would be written into it.
    """
    # in this order each gets its own number: it is the lowest that is free
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - for as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def discard_output(stream: TextIO) -> None:
    """Send what is still written to a stream to the null device, also what Python writes when it ends."""
    null_device = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, AttributeError, io.UnsupportedOperation):  # a stream that is no file
        os.dup2(null_device, stream.fileno())
    os.close(null_device)


def flush_streams() -> None:
    """Write what Python would write when it ends, which would give exit code 120 for a reader that has gone."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            discard_output(stream)
