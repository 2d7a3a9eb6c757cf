"""How often Python looks for garbage in this process, and when freed memory goes back to the system.

A command makes modules, and a hundred values for each row, that it keeps to its end. Looking at them again whenever
they have grown by a quarter takes a tenth of a command that sends nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_USUAL = gc.get_threshold()
_RELAXED = (10_000, 50, 1_000)


def relax_collection() -> None:
    """Look at young objects alone, and less often."""
    gc.set_threshold(*_RELAXED)


def keep_all_objects() -> None:
    """Never look at the objects of this process again: it ends.

    Python looks for garbage once more at its end, which takes a fifth of a command that reads little.
    """
    gc.freeze()


def collect_new_objects() -> None:
    """Look as often as usual, but only at what is made from now on: for the hours of sending, or of a server."""
    gc.freeze()
    gc.set_threshold(*_USUAL)


@contextmanager
def relaxed_collection() -> Iterator[None]:
    """Collect nothing in a block until it begins to `collect_new_objects`; then it is as before.

    For one run: it keeps nearly all that it makes to its end, and to look at that once takes a tenth of a run without
    changes. No picture that is decoded waits for the collector.
    """
    before = gc.get_threshold()
    gc.set_threshold(0)
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


@cache
def keep_freed_memory() -> None:
    """Let the C library keep up to 64 MB of what a thread frees for the next use (glibc); elsewhere nothing.

    Usually blocks of megabytes go back to the system, and each of their pages is made anew for the next large picture:
    a fifth of the time that a photo takes. The library keeps blocks as large as the largest that was freed, and twice
    as much in all, see mallopt(3); this one is never touched, so it takes no memory.
    """
    bytearray(32_000_000)  # it takes no more than 32 MiB for a measure


def return_freed_memory() -> None:
    """Give freed memory back to the system where the C library keeps it (glibc); elsewhere nothing.

    Reading a roster leaves half as much free memory behind as its plan takes.
    """
    import ctypes  # noqa: PLC0415 - takes 15 ms

    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):  # Windows, macOS, musl
        return
    trim(0)
