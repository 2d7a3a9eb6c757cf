"""The garbage collector during a night."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# A night makes a hundred values for each row and keeps them to its end: looking through them all again whenever they
# have grown by a quarter is a tenth of a quiet night. What is young is still looked through, and with it whatever the
# hours of sending leave behind.
_SELDOM = (10_000, 50, 1_000)


@contextmanager
def seldom() -> Iterator[None]:
    """Let the collector look at young objects alone, and less often."""
    before = gc.get_threshold()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
