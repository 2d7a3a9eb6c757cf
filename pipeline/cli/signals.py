"""Ctrl-C, SIGTERM and SIGHUP (the terminal was closed): the first drains, a second Ctrl-C or SIGTERM leaves at once."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

from pipeline.workflow.import_run import StopSignal

HANG_UP = getattr(signal, "SIGHUP", None)  # Windows has none
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """What the signals do from `drain` on until the results are written; then it is as before.

    The handlers are the process's, not the event loop's: a loop that closes gives the signals back their deadly
    default, and the results of the night are written only after that.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._wires: tuple[socket.socket, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._wires:
            signal.set_wakeup_fd(-1)
        for wire in self._wires:
            wire.close()

    def usual(self) -> None:
        """Let a Ctrl-C end the command at once, until `drain`: an event loop hears it only when its task waits."""
        self._before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)

    def drain(self, stop: StopSignal, said: Callable[[], None], leaving: Callable[[int], None]) -> None:
        """Let a signal set ``stop`` in the running event loop; ``said`` tells the user at once.

        One that comes after the loop ends finds everything in the ledger: the results are still written. A second
        signal leaves without waiting, after ``leaving`` was told the exit code: what is under way is in the ledger and
        unknown at the next start. SIGHUP counts
        as SIGTERM, but shells and systemd repeat it: it never leaves. Under nohup it stays ignored.
        """
        loop = asyncio.get_running_loop()

        def stopping() -> None:
            stop.event.set()
            said()

        def on_signal(number: int, _: FrameType | None) -> None:
            if stop.signal is not None:
                if number == HANG_UP:
                    return
                try:
                    leaving(128 + number)
                finally:
                    os._exit(128 + number)
            stop.signal = signal.SIGTERM if number == HANG_UP else number
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(stopping)

        self._wake(loop)
        for number in SIGNALS:
            self._before.setdefault(number, signal.signal(number, on_signal))
        if HANG_UP is not None and signal.getsignal(HANG_UP) is not signal.SIG_IGN:
            self._before.setdefault(HANG_UP, signal.signal(HANG_UP, on_signal))

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have a signal wake the loop from its wait, also one that comes just before it falls asleep."""
        reading, writing = self._wires = socket.socketpair()
        for wire in self._wires:
            wire.setblocking(False)
        try:
            loop.add_reader(reading, reading.recv, 64)
        except NotImplementedError:  # Windows: its loop has a wire of its own
            return
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
