"""Calls hooks at the end of every run, also of one that ended before it had results. Imports little: a refused run is quick.

A notification is a function in a module of its own and one entry in `RUN_END_HOOKS`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pipeline.config.settings import Config
from pipeline.domain.run import RunReport

LOG = logging.getLogger(__name__)
RunEndHook = Callable[[RunReport, Config], None]
RUN_END_HOOKS: Sequence[RunEndHook] = ()


def call_run_end_hooks(report: RunReport, config: Config) -> None:
    """Call every hook with a run that ended; a hook that fails is logged and changes neither results nor exit code."""
    for hook in RUN_END_HOOKS:
        try:
            hook(report, config)
        except Exception:
            LOG.exception("a run end hook failed")
