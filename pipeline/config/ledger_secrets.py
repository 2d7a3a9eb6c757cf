"""The secrets of a ledger in a PostgreSQL database: the operator's secret and the password of the server.

The operator's secret protects the site key, which lies in the database: with a copy of the database alone no doctor is recognised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pipeline.config.environment import LEDGER_SECRET_VARIABLE
from pipeline.config.named_paths import list_secret_folders, read_secret_lines
from pipeline.config.settings import Config
from pipeline.errors import UsageError
from pipeline.ledger.postgres.address import ServerAddress
from pipeline.messages.catalogue import JoinedTexts, make_phrase

SECRET_FILE = "ledger__secret"  # noqa: S105 - a file name
PASSWORD_FILE = "ledger__password"  # noqa: S105 - a file name
MIN_CHARS = 20  # of a secret: a short one could be guessed with a copy of the database at hand


def find_server_address(config: Config, environment: Mapping[str, str]) -> ServerAddress | None:
    """Return the address of the ledger's server with the password of its secret file; None for a ledger in a file.

    Without that file libpq looks for one itself: in the URL, PGPASSWORD, PGPASSFILE and ~/.pgpass.
    """
    if not isinstance(config.ledger, ServerAddress):
        return None
    password = next(iter(read_secret_lines(config, environment, PASSWORD_FILE)), None)
    return replace(config.ledger, password=password)


def find_ledger_secret(config: Config, environment: Mapping[str, str]) -> str:
    """Return the operator's secret: of ``$CREDENTIALS_DIRECTORY``, ``secrets_dir``, then the environment.

    Raises UsageError where there is none, with the way to make one, or where it is too short.
    """
    of_file = next(iter(read_secret_lines(config, environment, SECRET_FILE)), "").strip()
    secret = of_file or environment.get(LEDGER_SECRET_VARIABLE, "").strip()
    if not secret:
        files = [folder / SECRET_FILE for folder in list_secret_folders(config, environment)]
        places = JoinedTexts([*map(str, files), f"${LEDGER_SECRET_VARIABLE}"], make_phrase("mark.comma"))
        raise UsageError("server.no_secret", places=places, file=files[-1] if files else SECRET_FILE)
    if len(secret) < MIN_CHARS:
        source = SECRET_FILE if of_file else LEDGER_SECRET_VARIABLE
        raise UsageError("server.weak_secret", place=source, found=len(secret), needed=MIN_CHARS)
    return secret
