"""Failpoints for crash tests: named points at which a test kills the process or fails a write.

Each is a point just before or after a durable write: commits, the bytes of a call, the renaming of a file. The crash
test triggers each in turn. Nothing happens at them in a normal run.
"""

from __future__ import annotations

from collections.abc import Callable

_armed: Callable[[str], None] | None = None


def enable_failpoint(act: Callable[[str], None] | None) -> None:
    """Call ``act`` with the name of every failpoint that is reached from now on; None switches that off."""
    global _armed  # noqa: PLW0603 - one process, one test
    _armed = act


def hit_failpoint(name: str) -> None:
    """Run the enabled action at a failpoint."""
    if _armed is not None:
        _armed(name)
