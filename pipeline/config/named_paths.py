"""Paths that a command line or a configuration names, with a suggestion where one does not exist; ids that are missing; secret files."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.config.environment import LANGUAGES, LEDGER_SECRET_VARIABLE
from pipeline.config.settings import Config, read_hospital
from pipeline.config.yaml_loader import Document
from pipeline.domain.masking import mask_text
from pipeline.domain.message import Message
from pipeline.domain.server_address import ServerAddress
from pipeline.errors import ConfigError, UsageError
from pipeline.messages.catalogue import join_messages, make_message, render

NEAR_NAME = 0.7  # likeness of two names that may be one misspelt
ROSTER_PASSWORD_FILE = "roster__password"  # noqa: S105 - a file name
LEDGER_SECRET_FILE = "ledger__secret"  # noqa: S105 - a file name
SERVER_PASSWORD_FILE = "ledger__password"  # noqa: S105 - a file name
APP_ID_LENGTH = 32
MIN_CHARS = 20  # of a ledger's secret: a short one could be guessed with a copy of the database at hand


def require_existing(path: Path) -> Path:
    """Return a path that was named. Raises UsageError where there is nothing."""
    if not path.exists():
        raise no_such_path(path)
    return path


def no_such_path(path: Path) -> UsageError:
    """Return the error for a path that was named and is not there; one in the same folder that is nearly it is suggested."""
    near_path = get_near_path(path)
    near = make_message("usage.near", name=near_path) if near_path else ""
    return UsageError("no_such_path", path=path, folder=path.absolute().parent, near=near)


def get_near_path(path: Path) -> Path | None:
    """Return the path in the same folder whose name is nearly that of a path that is not there; never the empty template."""
    templates = {render("init.template", language) for language in LANGUAGES}
    try:
        names = [sibling.name for sibling in path.absolute().parent.iterdir()]
    except OSError:
        return None
    names = [name for name in names if name not in templates]
    matches = difflib.get_close_matches(path.name, names, n=1, cutoff=NEAR_NAME)
    return path.with_name(matches[0]) if matches else None


def list_missing_paths(config: Config, config_name: Path | str) -> Iterator[tuple[Path, Message, bool]]:
    """Yield each path that a configuration names and is not there, the sentence about it, and whether a run needs it.

    The default folders of rosters and pictures may be absent, and secrets may come from elsewhere. ``config_name`` is the file
    whose line the sentence names.
    """
    document = _read_document_if_any(config_name)
    named = [
        *(("roster", path, not _is_default(config, "roster")) for path in config.roster),
        ("seals", config.seals, not _is_default(config, "seals")),
        ("secrets_dir", config.secrets_dir, False),
        ("api.ca_file", config.api.ca_file, True),
        ("backup.folder", config.backup.folder, True),
    ]
    for key, path, is_needed in named:
        if path is not None and not (resolved := config.resolve_path(path)).exists():
            near = get_near_path(resolved)
            suggestion = make_message("usage.near", name=mask_text(str(near))) if near else ""
            path_text = mask_text(str(resolved))
            origin = _make_location(document, key)
            yield (
                resolved,
                make_message(
                    "config_certificate_missing" if key == "api.ca_file" else "config_path_missing",
                    place=origin,
                    key=key,
                    path=path_text,
                    near=suggestion,
                ),
                is_needed,
            )


def _make_location(document: Document, key: str) -> Message | str:
    position = document.get_position(tuple(key.split(".")))
    return make_message("config.place", path=position.file, line=position.line) if position else ""


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

    path = config.resolve_path(config.api.ca_file)
    if not path.is_file():
        raise UsageError("usage.configured_missing", key="api.ca_file", path=path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (ssl.SSLError, ValueError) as error:
        raise UsageError("usage.no_certificate", path=path, then=("doctor", "--offline")) from error
    except OSError as error:
        error.filename = str(path)
        raise


def require_results_folder(folder: Path) -> None:
    """Raise UsageError where results cannot lie because the folder, or one it is in, is a file."""
    file = next((path for path in (folder, *folder.parents) if path.exists()), None)
    if file is not None and not file.is_dir():
        raise UsageError("usage.out_is_a_file", file=file)


def require_unicode(path: Path) -> None:
    """Raise UsageError for a folder whose name holds bytes that are no UTF-8: the ledger keeps its path as text."""
    try:
        str(path.absolute()).encode("utf-8")
    except UnicodeEncodeError:
        shown = str(path).encode("utf-8", "replace").decode("utf-8")
        raise UsageError("usage.not_unicode", path=shown) from None


def read_passwords(config: Config, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return every password of encrypted rosters to try, each once; UsageError for an unreadable file.

    They are the lines of the secret files ``roster__password``.
    """
    passwords = read_secret_lines(config, environment, ROSTER_PASSWORD_FILE)
    return tuple(dict.fromkeys(filter(None, passwords)))


def list_secret_folders(config: Config, environment: Mapping[str, str]) -> list[Path]:
    """Return the folders of secret files, the one that counts first in front."""
    folders = [Path(folder)] if (folder := environment.get("CREDENTIALS_DIRECTORY")) else []
    if config.secrets_dir is not None:
        folders.append(config.resolve_path(config.secrets_dir))
    return folders


def read_secret_lines(config: Config, environment: Mapping[str, str], name: str) -> list[str]:
    """Return the lines that are not empty of a secret file: of ``$CREDENTIALS_DIRECTORY``, then of ``secrets_dir``.

    Raises UsageError for a file that cannot be read.
    """
    lines: list[str] = []
    for file in (folder / name for folder in list_secret_folders(config, environment)):
        if _is_file(file):
            lines += read_secret_file(file)
    return lines


def read_secret_file(file: Path) -> list[str]:
    """Return the lines of a secret file that are not empty; UsageError for one that cannot be read."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("usage.unreadable_password", path=file) from error
    return list(filter(None, lines))


def _is_file(file: Path) -> bool:
    """Return whether a file is there; a folder that may not be read is reported by the search for keys, where needed."""
    try:
        return file.is_file()
    except OSError:
        return False


# -- the secrets of a ledger on a server


def read_server_address(config: Config, environment: Mapping[str, str]) -> ServerAddress | None:
    """Return the address of the ledger's server with the password of its secret file; None for a ledger in a file.

    Without that file libpq looks for one itself: in the URL, PGPASSWORD, PGPASSFILE and ~/.pgpass.
    """
    if not isinstance(config.ledger, ServerAddress):
        return None
    password = next(iter(read_secret_lines(config, environment, SERVER_PASSWORD_FILE)), None)
    return replace(config.ledger, password=password)


def read_ledger_secret(config: Config, environment: Mapping[str, str]) -> str:
    """Return the operator's secret, which makes the site keys of the database's ledgers.

    It is looked for in ``$CREDENTIALS_DIRECTORY``, ``secrets_dir``, then the environment. Raises UsageError where there is
    none, with the way to make one, or where it is too short.
    """
    of_file = next(iter(read_secret_lines(config, environment, LEDGER_SECRET_FILE)), "").strip()
    secret = of_file or environment.get(LEDGER_SECRET_VARIABLE, "").strip()
    if not secret:
        files = [folder / LEDGER_SECRET_FILE for folder in list_secret_folders(config, environment)]
        places = join_messages([*map(str, files), f"${LEDGER_SECRET_VARIABLE}"])
        raise UsageError("server.no_secret", places=places, file=files[-1] if files else LEDGER_SECRET_FILE)
    if len(secret) < MIN_CHARS:
        source = LEDGER_SECRET_FILE if of_file else LEDGER_SECRET_VARIABLE
        raise UsageError("server.weak_secret", place=source, found=len(secret), needed=MIN_CHARS)
    return secret


# -- ids that are still to be filled in


def require_ready(config: Config, config_name: Path | str) -> None:
    """Raise UsageError for a configuration without the ids of the account; ``config_name`` is the file where they belong."""
    if config.api.placeholders:
        raise UsageError(
            "usage.placeholders",
            place=config_name,
            keys=list_missing_ids(config, config_name),
            then=("doctor", "--offline"),
        )
    require_certificates(config)


def is_usual_app_id(app_id: str) -> bool:
    """Return whether an AppId has the usual form; the service alone knows which exist."""
    return len(app_id) == APP_ID_LENGTH and app_id.startswith("yD")


def list_missing_ids(config: Config, path: Path | str) -> Message:
    """Return the ids that are still to be filled in, each with its line in the file at ``path``, or in the one that lies under it."""
    document = _read_document_if_any(path)
    keys: list[Message | str] = []
    for key in config.api.placeholders:
        position = document.positions.get(tuple(key.split(".")))
        if position is None:
            keys.append(key)
        elif position.file == Path(path):
            keys.append(make_message("config.key_line", key=key, line=position.line))
        else:
            keys.append(make_message("config.key_position", key=key, position=position))
    return join_messages(keys)


def _read_document_if_any(path: Path | str) -> Document:
    """Return what the files of a configuration hold, for the lines in it; an empty one where it cannot be read."""
    try:
        return read_hospital(Path(path))
    except ConfigError:
        return Document({}, {})
