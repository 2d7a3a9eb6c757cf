"""The only place that reads time or waits."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for signing and records, a steady one for pacing and time-outs."""

    def now(self) -> float:
        """Return unix seconds."""

    def monotonic(self) -> float:
        """Return steady seconds from an arbitrary start."""

    async def sleep(self, seconds: float) -> None:
        """Wait; zero or less gives way once."""

    def today(self) -> date:
        """Return the local calendar day."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        import asyncio  # noqa: PLC0415 - it imports ssl: only a run that sends needs it

        await asyncio.sleep(max(0.0, seconds))

    def today(self) -> date:
        return local_date(self.now())


def pause(seconds: float) -> None:
    """Wait a moment outside any event loop: for a file that another process is about to write."""
    time.sleep(seconds)


def stamp(seconds: float) -> str:
    """Return unix seconds as local ISO 8601 to the second, with its offset: 2026-11-25T02:00:00+08:00."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="seconds")


def shown(stamped: str, *, to: int = 16) -> str:
    """Return a `stamp` as a person reads it: 2026-11-25 02:00; up to 19 characters with the seconds."""
    return stamped[:to].replace("T", " ")


def local_date(seconds: float) -> date:
    """Return the local calendar day of a moment."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().date()


def utc_date(seconds: float) -> str:
    """Return the UTC calendar day of a moment as 2026-11-25."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def run_id(seconds: float) -> str:
    """Return the name of a run that starts at this moment: local time to the millisecond, safe in a path."""
    moment = datetime.fromtimestamp(seconds, UTC).astimezone()
    return f"{moment:%Y%m%d-%H%M%S}-{moment.microsecond // 1000:03d}"
