"""The paths that a command line or a configuration names: what must be there, and what is said where it is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.errors import UsageError
from pipeline.messages.catalogue import phrase

NEARLY = 0.7  # likeness of two names that may be one misspelt


def existing(path: Path) -> Path:
    """Return a path that was named. Raises UsageError where there is nothing."""
    if not path.exists():
        raise no_such_path(path)
    return path


def no_such_path(path: Path) -> UsageError:
    """Return the error for a path that was named and is not there; one that is nearly it is suggested."""
    found = find_near_path(path)
    near = phrase("usage.near", name=found) if found else ""
    wrong = UsageError("no_such_path", path=path, folder=path.absolute().parent, near=near)
    wrong.meant = (str(path), str(found)) if found else None
    return wrong


def find_near_path(path: Path) -> Path | None:
    """Return the path in the same folder whose name is nearly that of a path that is not there."""
    try:
        names = [each.name for each in path.absolute().parent.iterdir()]
    except OSError:
        return None
    found = difflib.get_close_matches(path.name, names, n=1, cutoff=NEARLY)
    return path.with_name(found[0]) if found else None


def find_missing_paths(config: Config) -> Iterator[tuple[str, Path, bool]]:
    """Yield key and path of what a configuration names and is not there, and whether no run would begin without it.

    The default folders of rosters and pictures may be absent, and secrets may come from elsewhere.
    """
    named: list[tuple[str, Path, bool]] = [
        *(("roster", path, not _is_default(config, "roster")) for path in config.roster),
        ("seals", config.seals, not _is_default(config, "seals")),
    ]
    if config.secrets_dir is not None:
        named.append(("secrets_dir", config.secrets_dir, False))
    if config.api.ca_file is not None:
        named.append(("api.ca_file", config.api.ca_file, True))
    for key, path, is_needed in named:
        if not (place := config.path(path)).exists():
            yield key, place, is_needed


def require_configured(config: Config, key: str, paths: Sequence[Path]) -> None:
    """Raise UsageError for a path that the configuration names and that is not there: perhaps a share that is not mounted.

    The default folders may be absent.
    """
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None and not _is_default(config, key):
        raise UsageError("usage.configured_missing", key=key, path=missing)


def _is_default(config: Config, key: str) -> bool:
    return bool(getattr(config, key) == Config.model_fields[key].default)


def require_certificates(config: Config) -> None:
    """Raise UsageError for an ``api.ca_file`` that is not there or holds no certificate."""
    if config.api.ca_file is None:
        return
    import ssl  # noqa: PLC0415 - only where a file is named

    path = config.path(config.api.ca_file)
    if not path.is_file():
        raise no_such_path(path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (ssl.SSLError, ValueError) as error:
        raise UsageError("usage.no_certificate", path=path, then=("config", "validate")) from error
    except OSError as error:
        error.filename = str(path)
        raise


def room_for_results(folder: Path) -> None:
    """Raise UsageError where results cannot lie because the folder, or one it is in, is a file."""
    file = next((each for each in (folder, *folder.parents) if each.exists()), None)
    if file is not None and not file.is_dir():
        raise UsageError("usage.out_is_a_file", file=file)


def require_unicode(path: Path) -> None:
    """Raise UsageError for a folder whose name holds bytes that are no UTF-8: the ledger keeps its path as text."""
    try:
        str(path.absolute()).encode("utf-8")
    except UnicodeEncodeError:
        shown = str(path).encode("utf-8", "replace").decode("utf-8")
        raise UsageError("usage.not_unicode", path=shown) from None
