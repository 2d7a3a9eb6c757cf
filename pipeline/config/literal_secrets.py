"""Keys and passwords that stand in config.yaml itself: refused where others may read them, or where git would keep them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.domain.message import Message
from pipeline.domain.server_address import ServerAddress
from pipeline.messages.catalogue import make_message
from pipeline.support.rights import is_exposed

GIT_SECONDS = 10.0


def holds_secret(values: object) -> bool:
    """Return whether a password stands in a configuration's file: that of rosters, a proxy's, or that of the ledger."""
    if not isinstance(values, Mapping):
        return False
    intake, api = values.get("intake"), values.get("api")
    password = intake.get("password") if isinstance(intake, Mapping) else None
    proxy = api.get("proxy") if isinstance(api, Mapping) else None
    return bool(password) or "@" in str(proxy or "") or holds_password(values.get("ledger"))


def holds_password(ledger: object) -> bool:
    """Return whether a ledger's address holds a password."""
    address = ServerAddress.parse(ledger) if isinstance(ledger, str) else ledger
    return isinstance(address, ServerAddress) and address.holds_password


def list_literal_faults(path: Path) -> Iterator[Message]:
    """Yield why a configuration must not hold keys where it lies."""
    if is_exposed(path):
        yield make_message("config.secret_exposed", path=path)
    file = path.resolve()
    repository = next((folder for folder in file.parents if (folder / ".git").exists()), None)
    if repository is not None and not _is_ignored(file):
        yield make_message("config.secret_in_git", path=path, folder=repository)


def _is_ignored(file: Path) -> bool:
    """Return whether git surely ignores a file; without git it counts as tracked."""
    git = shutil.which("git")
    if git is None:
        return False
    command = [git, "-C", str(file.parent), "check-ignore", "--quiet", "--", file.name]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603 - git itself, no shell
            command, env=environment, capture_output=True, check=False, timeout=GIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
