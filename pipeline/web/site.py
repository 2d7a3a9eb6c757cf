"""What the pages read from: one hospital's configuration, as the command line read it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from pipeline.clock import Clock
from pipeline.config.settings import Config

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The hospital that the page shows, and how the program was called for it."""

    config: Config
    clock: Clock
    config_path: Path
    profile: str | None
    invocation: str

    async def read(self, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Return what a function reads from disk or ledger, while other requests are answered."""
        return await asyncio.to_thread(function, *arguments, **options)
