"""Limits how many bytes of pictures a run holds while its rows wait for their slots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ByteBudget:
    """Bytes that may be held at a time, by any number of tasks of one event loop."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._waiting: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Wait until ``size`` bytes more are within the limit; what is larger than the limit waits until nothing is held."""
        while self._held and self._held + size > self._limit:
            released = asyncio.get_running_loop().create_future()
            self._waiting.append(released)
            await released
        self._held += size
        try:
            yield
        finally:
            self._held -= size
            waiting, self._waiting = self._waiting, []
            for released in waiting:
                if not released.done():  # its task may have been cancelled
                    released.set_result(None)
