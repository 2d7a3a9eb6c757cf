"""Ctrl-C and SIGTERM: the first drains, the second leaves at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

from pipeline.night import Stop

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def drain_on_signals(stop: Stop, said: Callable[[], None]) -> None:
    """Let the running event loop turn a signal into ``stop``; ``said`` tells the user at once.

    A second signal leaves without waiting: what is under way is in the ledger and unknown at the next start.
    """
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if stop.signal is not None:
            os._exit(128 + number)
        stop.signal = number
        stop.event.set()
        said()

    for number in SIGNALS:
        try:
            loop.add_signal_handler(number, on_signal, number)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda caught, _: loop.call_soon_threadsafe(on_signal, caught))
