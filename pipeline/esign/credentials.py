"""Finds SecretId and SecretKey: the first complete pair counts, never mixed from two sources."""

from __future__ import annotations

import configparser
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.errors import CredentialsMissing, reason_of
from pipeline.esign.signing import Credentials
from pipeline.messages.catalogue import JoinedTexts, Phrase, make_phrase
from pipeline.support.rights import acting_user

Values = Mapping[str, str]  # secret_id, secret_key, token
VARIABLES = "TENCENTCLOUD_SECRET_ID / TENCENTCLOUD_SECRET_KEY"
SECRETS = ("secret_id", "secret_key", "token")
TOKEN_NAMES = ("TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SESSION_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN")


def find_credentials(
    environment: Mapping[str, str], *, home: Path, secrets_dir: Path | None = None
) -> Credentials:
    """Return the first complete pair, looked for in secret files, environment, ~/.tencentcloud, ~/.tccli.

    Raises CredentialsMissing, which lists every source and what it held.
    """
    folders = {"$CREDENTIALS_DIRECTORY": environment.get("CREDENTIALS_DIRECTORY"), "secrets_dir": secrets_dir}
    ini, tccli = home / ".tencentcloud" / "credentials", home / ".tccli" / "default.credential"
    sources: Sequence[tuple[str, Callable[[Path], Values], Path]] = (
        *((f"{name} ({path})", _read_secret_files, Path(path)) for name, path in folders.items() if path),
        (VARIABLES, lambda _: _read_environment(environment), Path()),
        (str(ini), _read_ini, ini),
        (str(tccli), _read_tccli, tccli),
    )
    tried = []
    for source, read, path in sources:
        try:
            values = read(path)
        except (OSError, ValueError, configparser.Error) as error:
            tried.append(make_phrase("credentials.place", place=source, why=_describe_unreadable(error)))
            continue
        secret_id, secret_key = values.get("secret_id", ""), values.get("secret_key", "")
        if secret_id and secret_key:
            files = () if source == VARIABLES else (path, *_list_secret_files(path))
            existing = tuple(file for file in files if file.is_file())
            return Credentials(secret_id, secret_key, values.get("token") or None, source, existing)
        tried.append(
            make_phrase("credentials.place", place=source, why=_describe_missing(secret_id, secret_key))
        )
    raise CredentialsMissing("credentials.missing", places=JoinedTexts(tried))


def _describe_unreadable(error: Exception) -> Phrase | str:
    if isinstance(error, PermissionError):
        return make_phrase("credentials.forbidden", user=acting_user())
    return reason_of(error) if isinstance(error, OSError) else make_phrase("credentials.unreadable")


def _describe_missing(secret_id: str, secret_key: str) -> Phrase:
    if secret_id:
        return make_phrase("credentials.id_only")
    return make_phrase("credentials.key_only" if secret_key else "credentials.nothing")


def _strip_key(value: object) -> str:
    """Strip white space, a BOM and quotes, which editors leave around a key."""
    return str(value or "").strip().strip("\ufeff").strip().strip("\"'")


def _list_secret_files(folder: Path) -> list[Path]:
    return [folder / f"tencent__{name}" for name in SECRETS]


def _read_secret_files(folder: Path) -> Values:
    files = zip(SECRETS, _list_secret_files(folder), strict=True)
    return {name: _strip_key(path.read_text(encoding="utf-8-sig")) for name, path in files if path.is_file()}


def _read_environment(environment: Mapping[str, str]) -> Values:
    token = next((environment[name] for name in TOKEN_NAMES if environment.get(name)), "")
    return {
        "secret_id": _strip_key(environment.get("TENCENTCLOUD_SECRET_ID")),
        "secret_key": _strip_key(environment.get("TENCENTCLOUD_SECRET_KEY")),
        "token": _strip_key(token),
    }


def _read_ini(path: Path) -> Values:
    if not path.is_file():
        return {}
    parser = configparser.RawConfigParser()
    parser.read_string(path.read_text(encoding="utf-8-sig"))
    if not parser.has_section("default"):
        return {}
    return {name: _strip_key(value) for name, value in parser.items("default")}


def _read_tccli(path: Path) -> Values:
    if not path.is_file():
        return {}
    document = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(document, dict):
        return {}
    names = {"secretId": "secret_id", "secretKey": "secret_key", "token": "token"}
    return {ours: _strip_key(document.get(theirs)) for theirs, ours in names.items()}
