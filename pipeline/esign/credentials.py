"""Where SecretId and SecretKey come from: the first complete pair wins, never mixed."""

from __future__ import annotations

import configparser
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.errors import CredentialsMissing, reason_of
from pipeline.esign.signing import Credentials
from pipeline.messages.catalogue import phrase
from pipeline.messages.localized import Joined, Phrase
from pipeline.support.rights import acting_user

Found = Mapping[str, str]  # secret_id, secret_key, token
SECRETS = ("secret_id", "secret_key", "token")
TOKEN_NAMES = ("TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SESSION_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN")


def find(environment: Mapping[str, str], *, home: Path, secrets_dir: Path | None = None) -> Credentials:
    """Return the first complete pair, looked for in secret files, environment, ~/.tencentcloud, ~/.tccli.

    CredentialsMissing lists every place and what was there.
    """
    places: list[tuple[str, Callable[[], Found], Sequence[Path]]] = []
    if folder := environment.get("CREDENTIALS_DIRECTORY"):
        given = Path(folder)
        places.append((f"$CREDENTIALS_DIRECTORY ({folder})", lambda: _secret_files(given), _names(given)))
    if secrets_dir is not None:
        places.append(
            (f"secrets_dir ({secrets_dir})", lambda: _secret_files(secrets_dir), _names(secrets_dir))
        )
    ini, tccli = home / ".tencentcloud" / "credentials", home / ".tccli" / "default.credential"
    places += [
        ("TENCENTCLOUD_SECRET_ID / TENCENTCLOUD_SECRET_KEY", lambda: _environment(environment), ()),
        (str(ini), lambda: _ini(ini), (ini,)),
        (str(tccli), lambda: _tccli(tccli), (tccli,)),
    ]
    seen = []
    for place, read, files in places:
        try:
            found = read()
        except PermissionError:
            forbidden = phrase("credentials.forbidden", user=acting_user())
            seen.append(phrase("credentials.place", place=place, why=forbidden))
            continue
        except OSError as error:
            seen.append(phrase("credentials.place", place=place, why=reason_of(error)))
            continue
        except (ValueError, configparser.Error):
            seen.append(phrase("credentials.place", place=place, why=phrase("credentials.unreadable")))
            continue
        secret_id, secret_key = found.get("secret_id", ""), found.get("secret_key", "")
        if secret_id and secret_key:
            kept = tuple(path for path in files if path.is_file())
            return Credentials(secret_id, secret_key, found.get("token") or None, place, kept)
        seen.append(phrase("credentials.place", place=place, why=_lacking(secret_id, secret_key)))
    raise CredentialsMissing("credentials.missing", places=Joined(seen))


def _lacking(secret_id: str, secret_key: str) -> Phrase:
    if secret_id:
        return phrase("credentials.id_only")
    return phrase("credentials.key_only" if secret_key else "credentials.nothing")


def _clean(value: object) -> str:
    """Strip what editors leave round a key: white space, a BOM, quotes."""
    return str(value or "").strip().strip("\ufeff").strip().strip("\"'")


def _names(folder: Path) -> list[Path]:
    """Return where the secret files of a folder lie."""
    return [folder / f"tencent__{name}" for name in SECRETS]


def _secret_files(folder: Path) -> Found:
    files = zip(SECRETS, _names(folder), strict=True)
    return {name: _clean(path.read_text(encoding="utf-8-sig")) for name, path in files if path.is_file()}


def _environment(environment: Mapping[str, str]) -> Found:
    token = next((environment[name] for name in TOKEN_NAMES if environment.get(name)), "")
    return {
        "secret_id": _clean(environment.get("TENCENTCLOUD_SECRET_ID")),
        "secret_key": _clean(environment.get("TENCENTCLOUD_SECRET_KEY")),
        "token": _clean(token),
    }


def _ini(path: Path) -> Found:
    if not path.is_file():
        return {}
    parser = configparser.RawConfigParser()
    parser.read_string(path.read_text(encoding="utf-8-sig"))
    if not parser.has_section("default"):
        return {}
    return {name: _clean(value) for name, value in parser.items("default")}


def _tccli(path: Path) -> Found:
    if not path.is_file():
        return {}
    document = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(document, dict):
        return {}
    names = {"secretId": "secret_id", "secretKey": "secret_key", "token": "token"}
    return {ours: _clean(document.get(theirs)) for theirs, ours in names.items()}
