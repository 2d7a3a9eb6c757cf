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
    """Changes what signals do from `drain_on_signal` until the results are written.

    The handlers are the process's, not the event loop's: a loop that closes restores the default, which kills, and the
    results of the run are written only after that.
    """

    def __init__(self) -> None:
        self._handlers_before: dict[signal.Signals, Any] = {}
        self._sockets: tuple[socket.socket, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        if self._sockets:
            signal.set_wakeup_fd(-1)
        for wakeup_socket in self._sockets:
            wakeup_socket.close()

    def end_on_interrupt(self) -> None:
        """Let a Ctrl-C end the command at once, until `drain_on_signal`: an event loop handles it only between tasks."""
        self._handlers_before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)

    def drain_on_signal(
        self, stop: StopSignal, inform: Callable[[], None], before_exit: Callable[[int], None]
    ) -> None:
        """Let a signal set ``stop`` in the running event loop; ``inform`` prints a message at once.

        After the loop ended a signal changes nothing: everything is in the ledger and the results are still written.
        A second signal exits without waiting, after ``before_exit`` was called with the exit code. What is under way
        is in the ledger, and unknown at the next start. SIGHUP counts as SIGTERM, but shells and systemd repeat it,
        so it is never the second signal. Under nohup it stays ignored.
        """
        loop = asyncio.get_running_loop()

        def stop_run() -> None:
            stop.event.set()
            inform()

        def handle_signal(number: int, _: FrameType | None) -> None:
            if stop.signal is not None:
                if number == HANG_UP:
                    return
                try:
                    before_exit(128 + number)
                finally:
                    os._exit(128 + number)
            stop.signal = signal.SIGTERM if number == HANG_UP else number
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(stop_run)

        self._wake_loop_on_signal(loop)
        for number in SIGNALS:
            self._handlers_before.setdefault(number, signal.signal(number, handle_signal))
        if HANG_UP is not None and signal.getsignal(HANG_UP) is not signal.SIG_IGN:
            self._handlers_before.setdefault(HANG_UP, signal.signal(HANG_UP, handle_signal))

    def _wake_loop_on_signal(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let a signal wake the loop, also one that comes just before the loop begins to wait."""
        reader, writer = self._sockets = socket.socketpair()
        for wakeup_socket in self._sockets:
            wakeup_socket.setblocking(False)
        try:
            loop.add_reader(reader, reader.recv, 64)
        except NotImplementedError:  # Windows: its loop has a wake-up of its own
            return
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
