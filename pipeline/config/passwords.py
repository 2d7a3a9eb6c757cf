"""Opening passwords of encrypted rosters: the secret files ``roster__password``, then the config."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.errors import UsageError

NAME = "roster__password"


def passwords(config: Config, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return every password to try, one a line of a secret file, each once; UsageError for an unreadable file."""
    folders = [Path(folder)] if (folder := environment.get("CREDENTIALS_DIRECTORY")) else []
    if config.secrets_dir is not None:
        folders.append(config.path(config.secrets_dir))
    found: list[str] = []
    for file in (folder / NAME for folder in folders):
        if not _is_there(file):
            continue
        try:
            found += file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError("usage.unreadable_password", path=file) from error
    if config.intake.password is not None:
        found.append(config.intake.password.get_secret_value())
    return tuple(dict.fromkeys(word for word in found if word))


def _is_there(file: Path) -> bool:
    """Tell whether there is such a file; of a folder that may not be read the search for keys says so, where it is needed."""
    try:
        return file.is_file()
    except OSError:
        return False
