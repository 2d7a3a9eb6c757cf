"""The doors before a limiter: so many open connections of each action may wait for its slots.

Nights in one event loop that share a limiter share its doors. A hundred hospitals with doors of their own would each
keep connections waiting until the server tires of them, and every slot would go to one that is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from pipeline.esign.rate_limiter import Limiter

Doors = Mapping[str, asyncio.Semaphore]  # by action
_Key = tuple[int, int]  # a limiter's id, which is its own while a night holds it; connections


@dataclass(slots=True)
class _Shared:
    doors: Doors
    nights: int = 0


_known: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Key, _Shared]] = WeakKeyDictionary()


@asynccontextmanager
async def connection_slots_of(limiter: Limiter, actions: Sequence[str], size: int) -> AsyncIterator[Doors]:
    """Yield a limiter's doors, ``size`` connections wide, for as long as a night lasts in the running event loop."""
    here = _known.setdefault(asyncio.get_running_loop(), {})
    key = (id(limiter), size)
    shared = here.setdefault(key, _Shared({action: asyncio.Semaphore(size) for action in actions}))
    shared.nights += 1
    try:
        yield shared.doors
    finally:
        shared.nights -= 1
        if not shared.nights:
            del here[key]
