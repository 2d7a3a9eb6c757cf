"""esign-import: a hospital's electronic doctor seals from a roster and a folder of pictures, never twice.

The Python API (README, "From Python") is fetched when it is first used: ``import pipeline`` alone loads nothing heavy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pipeline.version import __version__

if TYPE_CHECKING:
    from pipeline.api import Result, check, run, run_async
    from pipeline.config.settings import Config
    from pipeline.domain.run import Status
    from pipeline.esign.rate_limiter import AdaptiveRateLimiter, Limiter
    from pipeline.esign.signing import Credentials

__all__ = [
    "AdaptiveRateLimiter",
    "Config",
    "Credentials",
    "Limiter",
    "Result",
    "Status",
    "__version__",
    "check",
    "run",
    "run_async",
]

_HOMES = {
    "AdaptiveRateLimiter": "pipeline.esign.rate_limiter",
    "Config": "pipeline.config.settings",
    "Credentials": "pipeline.esign.signing",
    "Limiter": "pipeline.esign.rate_limiter",
    "Result": "pipeline.api",
    "Status": "pipeline.domain.run",
    "check": "pipeline.api",
    "run": "pipeline.api",
    "run_async": "pipeline.api",
}

if not TYPE_CHECKING:  # else every misspelt name would pass for one of ours

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
