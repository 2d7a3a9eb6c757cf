"""Handles a Ctrl-C while the program is loaded, when no other code can, while it waits for an answer, and while it serves.

It imports nothing that takes long.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

INTERRUPTED = 130  # exit code
_held_back: list[int] = []
_last_line = b""


def hold_interrupts_back() -> None:
    """Remember a Ctrl-C from now on; where something else handles or ignores it, this changes nothing."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _remember)


def end_at_interrupt(last_line: str) -> None:
    """End the program with this line at a Ctrl-C, also one that was held back, until interrupts are let through."""
    global _last_line  # noqa: PLW0603 - a handler of signals takes no arguments of ours
    if signal.getsignal(signal.SIGINT) is not _remember:
        return
    if sys.stderr is not None:  # where it is closed, its number may be another file's
        _last_line = f"{last_line}{os.linesep}".encode(sys.stderr.encoding or "utf-8", "backslashreplace")
    signal.signal(signal.SIGINT, _end)
    if _held_back:
        _end(signal.SIGINT, None)


def let_interrupts_through() -> None:
    """Handle a Ctrl-C as usual from now on."""
    if signal.getsignal(signal.SIGINT) in {_remember, _end}:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def read_line() -> str:
    """Read a line of stdin, empty at its end; on a terminal a Ctrl-C ends the wait at any moment.

    A signal that comes just before the system call read does not interrupt it. The wait for a line therefore ends by
    either of two: the terminal, or the socket into which the interpreter writes every signal.
    """
    # a console of Windows has no select, and its read sees a Ctrl-C
    if os.name != "nt" and sys.stdin.isatty() and _has_number(sys.stdin):
        _wait_for_line()
    return sys.stdin.readline()


def _has_number(stream: TextIO) -> bool:
    """Return whether a stream is a file of the system, on which `select` can wait."""
    with suppress(OSError, ValueError):
        return stream.fileno() >= 0
    return False


def _wait_for_line() -> None:
    import select  # noqa: PLC0415 - only a question needs it
    import socket  # noqa: PLC0415

    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            ready: list[object] = []
            while sys.stdin not in ready:
                ready, _, _ = select.select([sys.stdin, reader], [], [])  # the handler runs behind it
                if reader in ready:
                    reader.recv(64)
        finally:
            signal.set_wakeup_fd(before)


@contextmanager
def call_at_signals(loop: AbstractEventLoop, stop: Callable[[], None]) -> Iterator[None]:
    """Let SIGINT and SIGTERM (Windows: also Ctrl+Break) call a function in an event loop while the block runs."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)

    numbers = [signal.SIGINT, signal.SIGTERM, *filter(None, [getattr(signal, "SIGBREAK", None)])]
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _remember(number: int, _: FrameType | None) -> None:
    _held_back.append(number)


def _end(_: int, __: FrameType | None) -> None:
    """End at once: an exception would pass through modules that are half loaded."""
    if _last_line:
        with suppress(OSError):
            os.write(2, _last_line)
    os._exit(INTERRUPTED)
