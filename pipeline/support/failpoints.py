"""Named places at which a test may kill the process or fail a write; nothing happens there unless one has armed them.

The names stand where durability changes hands: around commits, around the bytes of a call, around a file's renaming.
A walk arms the first, the second, … until a run passes unharmed.
"""

from __future__ import annotations

from collections.abc import Callable

_armed: Callable[[str], None] | None = None


def enable_failpoint(act: Callable[[str], None] | None) -> None:
    """Have ``act`` called with the name of every point that is reached from now on; None disarms."""
    global _armed  # noqa: PLW0603 - one process, one walk
    _armed = act


def hit_failpoint(name: str) -> None:
    """Pass a point."""
    if _armed is not None:
        _armed(name)
