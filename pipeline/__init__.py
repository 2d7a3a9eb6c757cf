"""esign-import: a hospital's electronic doctor seals from a roster and a folder of pictures, never twice.

The Python API (README, "From Python") is fetched when it is first used: ``import pipeline`` alone loads nothing heavy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pipeline.version import __version__

if TYPE_CHECKING:
    from pipeline.api.queries import explain, export, history, resolve, status
    from pipeline.api.runs import Result, check, retry, retry_async, run, run_async
    from pipeline.config.settings import Config
    from pipeline.domain.run import Status
    from pipeline.errors import (
        ConfigError,
        CredentialsMissing,
        DiskTrouble,
        EsignImportError,
        LedgerError,
        Locked,
        NotReadNow,
        PreparationFailed,
        UsageError,
    )
    from pipeline.esign.signing import Credentials
    from pipeline.reports.totals import SumsError

__all__ = [
    "Config",
    "ConfigError",
    "Credentials",
    "CredentialsMissing",
    "DiskTrouble",
    "EsignImportError",
    "LedgerError",
    "Locked",
    "NotReadNow",
    "PreparationFailed",
    "Result",
    "Status",
    "SumsError",
    "UsageError",
    "__version__",
    "check",
    "explain",
    "export",
    "history",
    "resolve",
    "retry",
    "retry_async",
    "run",
    "run_async",
    "status",
]

_HOMES = {
    "Config": "pipeline.config.settings",
    "ConfigError": "pipeline.errors",
    "Credentials": "pipeline.esign.signing",
    "CredentialsMissing": "pipeline.errors",
    "DiskTrouble": "pipeline.errors",
    "EsignImportError": "pipeline.errors",
    "LedgerError": "pipeline.errors",
    "Locked": "pipeline.errors",
    "NotReadNow": "pipeline.errors",
    "PreparationFailed": "pipeline.errors",
    "Result": "pipeline.api.runs",
    "Status": "pipeline.domain.run",
    "SumsError": "pipeline.reports.totals",
    "UsageError": "pipeline.errors",
    "check": "pipeline.api.runs",
    "explain": "pipeline.api.queries",
    "export": "pipeline.api.queries",
    "history": "pipeline.api.queries",
    "resolve": "pipeline.api.queries",
    "retry": "pipeline.api.runs",
    "retry_async": "pipeline.api.runs",
    "run": "pipeline.api.runs",
    "run_async": "pipeline.api.runs",
    "status": "pipeline.api.queries",
}

if not TYPE_CHECKING:  # else every misspelt name would pass for one of ours

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
