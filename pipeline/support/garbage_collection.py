"""How often Python looks for garbage in this process.

A command makes modules, and a hundred values for each row, that it keeps to its end. Looking at them again whenever
they have grown by a quarter takes a tenth of a command that sends nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_USUAL = gc.get_threshold()
_RELAXED = (10_000, 50, 1_000)


def relax_collection() -> None:
    """Look at young objects alone, and less often."""
    gc.set_threshold(*_RELAXED)


def collect_new_objects() -> None:
    """Look as often as usual, but only at what is made from now on: for the hours of sending, or of a server."""
    gc.freeze()
    gc.set_threshold(*_USUAL)


@contextmanager
def relaxed_collection() -> Iterator[None]:
    """Relax the collection for a block, which may begin to `collect_new_objects`; then it is as before."""
    before = gc.get_threshold()
    relax_collection()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


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
