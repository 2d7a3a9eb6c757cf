"""The garbage collector during a night.

A night makes a hundred values for each row and keeps them to its end: looking through them all again whenever they have
grown by a quarter is a tenth of a quiet night.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_SELDOM = (10_000, 50, 1_000)
_usual = gc.get_threshold()


@contextmanager
def seldom() -> Iterator[None]:
    """Let the collector look at young objects alone, and less often."""
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*_usual)


def but_for_what_is_there() -> None:
    """From the first call on look as often as usual, at what the hours of sending leave behind alone."""
    gc.freeze()
    gc.set_threshold(*_usual)
