"""The hospital of the pages: its configuration, as the command line read it, its state, and the log of what is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from pipeline.clock import Clock, stamp
from pipeline.config.settings import Config
from pipeline.domain.masking import mask_text
from pipeline.errors import EsignImportError, Locked
from pipeline.operations.replaced_files import get_page_folder
from pipeline.support.atomic_files import append_json_line, make_folder
from pipeline.workflow.hosts_factory import make_location
from pipeline.workflow.tenant_ledger import WARNING_LOG, repair_if_behind

PAGE_LOG = "page-log.jsonl"
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The hospital that the page shows, and how the program was called for it."""

    config: Config
    clock: Clock
    config_path: Path
    invocation: str

    @property
    def state(self) -> Path:
        """The folder of what the page keeps for this hospital."""
        return get_page_folder(self.config)

    def record_change(self, user: str, action: str, **facts: object) -> None:
        """Append to the page's log what a user changed, or which number they saw whole; ``facts`` are masked.

        Raises OSError where it cannot be written: what is not in the log is not done.
        """
        line: dict[str, object] = {"time": stamp(self.clock.now()), "user": user, "action": action}
        for name, fact in facts.items():
            line[name] = mask_text(fact) if isinstance(fact, str) else fact
        append_json_line(make_folder(self.state) / PAGE_LOG, line)

    def is_ledger_behind(self) -> bool:
        """Return whether the ledger lacks what its journals hold, and could not be repaired; a fault is named by the pages."""
        try:
            return not repair_if_behind(make_location(self.config), self.clock, WARNING_LOG)
        except Locked:  # a process that holds it makes it again
            return True
        except EsignImportError:
            return False

    async def read(self, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Return what a function reads from disk or ledger, while other requests are answered."""
        return await asyncio.to_thread(function, *arguments, **options)
