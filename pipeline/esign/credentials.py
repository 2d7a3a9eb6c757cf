"""Finds SecretId and SecretKey: the first complete pair counts, never mixed from two sources."""

from __future__ import annotations

import configparser
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from pipeline.clock import Clock
from pipeline.domain.message import Message
from pipeline.errors import CredentialsMissing, reason_of
from pipeline.esign.signing import Credentials, CredentialsSource
from pipeline.messages.catalogue import join_messages, make_message
from pipeline.support.rights import acting_user
from pipeline.support.terminal_text import join

if TYPE_CHECKING:
    from pipeline.esign.role import Role

Values = Mapping[str, str]  # secret_id, secret_key, token
VARIABLES = "TENCENTCLOUD_SECRET_ID / TENCENTCLOUD_SECRET_KEY"
SECRETS = ("secret_id", "secret_key", "token")
TOKEN_NAMES = ("TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SESSION_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN")
KEYRING_SERVICE = "esign-import"
KEYRING_SECONDS = 10.0  # without a desktop a keyring may wait for a password for ever


class _Unavailable(Exception):
    """A source that cannot be read; its arguments are a phrase and, where it is known, what to do."""


@dataclass(frozen=True, slots=True)
class _Source:
    """One place where keys may be; ``read`` returns what it holds."""

    name: str
    read: Callable[[], Values]
    files: Sequence[Path] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsPlaces:
    """The places where keys may be: secret files, environment, ~/.tencentcloud, ~/.tccli, keyring.

    ``organization`` may have an entry of its own in the keyring. A ``role`` is asked for keys where no pair is found; a role
    of STS is assumed with the pair.
    """

    environment: Mapping[str, str] = field(repr=False)
    home: Path
    secrets_dir: Path | None = None
    organization: str = ""
    role: Role | None = None
    clock: Clock | None = None

    def find(self) -> CredentialsSource:
        """Return the first complete pair. Raises CredentialsMissing, which lists every source and what it held."""
        tried: list[Message] = []
        cures: list[Message] = []
        for source in self._list_sources():
            try:
                values = source.read()
            except _Unavailable as error:
                tried.append(make_message("credentials.place", place=source.name, why=error.args[0]))
                cures += error.args[1:]
                continue
            except (OSError, ValueError, configparser.Error) as error:
                tried.append(
                    make_message("credentials.place", place=source.name, why=_describe_unreadable(error))
                )
                if isinstance(error, PermissionError) and error.filename:
                    cures.append(_advise_on_rights(Path(error.filename), source.files))
                continue
            secret_id, secret_key = values.get("secret_id", ""), values.get("secret_key", "")
            if secret_id and secret_key:
                files = tuple(file for file in source.files if file.is_file())
                pair = Credentials(secret_id, secret_key, values.get("token") or None, source.name, files)
                return self._apply_role(pair)
            why = _describe_missing(secret_id, secret_key)
            tried.append(make_message("credentials.place", place=source.name, why=why))
            if (secret_id or secret_key) and source.files:
                lacking = source.files[1 if secret_id else 0]
                cures.append(_advise_on_missing_part(lacking))
        if self.role is not None and self.role.kind != "sts":
            return self._apply_role(None)
        raise CredentialsMissing(
            "credentials.missing",
            cure=cures[0] if cures else self._advise_on_files(),
            places=join_messages(tried, "\n"),
        )

    def _advise_on_files(self) -> Message:
        """Return where keys belong while none are found."""
        if self.secrets_dir is None:
            return make_message("credentials.cure.set")
        files = [str(path) for path in _list_secret_files(self.secrets_dir)[:2]]
        return make_message("credentials.cure.write", files=join_messages(files))

    def _apply_role(self, pair: Credentials | None) -> CredentialsSource:
        """Return the pair, or the role that is assumed with it or stands in for it."""
        if pair is not None and (self.role is None or self.role.kind != "sts"):
            return pair
        assert self.role is not None
        assert self.clock is not None
        from pipeline.esign.role import RoleCredentials  # noqa: PLC0415 - only a role needs aiohttp here

        return RoleCredentials(self.role, self.clock, self.environment, pair)

    def _list_sources(self) -> Sequence[_Source]:
        folders = {
            "$CREDENTIALS_DIRECTORY": self.environment.get("CREDENTIALS_DIRECTORY"),
            "secrets_dir": self.secrets_dir,
        }
        ini, tccli = self.home / ".tencentcloud" / "credentials", self.home / ".tccli" / "default.credential"
        own_service = (f"{KEYRING_SERVICE}/{self.organization}",) if self.organization else ()
        return (
            *(_list_folder(name, Path(folder)) for name, folder in folders.items() if folder),
            _Source(VARIABLES, lambda: _read_environment(self.environment)),
            _Source(str(ini), lambda: _read_ini(ini), (ini,)),
            _Source(str(tccli), lambda: _read_tccli(tccli), (tccli,)),
            _Source(f"keyring {KEYRING_SERVICE}", lambda: _read_keyring((*own_service, KEYRING_SERVICE))),
        )


def _list_folder(name: str, folder: Path) -> _Source:
    return _Source(f"{name} ({folder})", lambda: _read_secret_files(folder), _list_secret_files(folder))


def _describe_unreadable(error: Exception) -> Message | str:
    if isinstance(error, PermissionError):
        return make_message("credentials.forbidden", user=acting_user())
    return reason_of(error) if isinstance(error, OSError) else make_message("credentials.unreadable")


def _advise_on_rights(path: Path, files: Iterable[Path]) -> Message:
    """Return how the user who runs this gets the right to read a file and others of its pair, or the folder that hides them."""
    folder = path.parent
    if not os.access(folder, os.R_OK | os.X_OK):
        hidden, command = str(folder), join(["chmod", "u+rwx", str(folder)])
    else:
        unreadable = [str(file) for file in files if file.exists() and not os.access(file, os.R_OK)]
        hidden = join_messages(unreadable or [str(path)])
        command = join(["chmod", "u+r", *(unreadable or [str(path)])])
    return make_message("credentials.cure.allow", path=hidden, user=acting_user(), command=command)


def _advise_on_missing_part(file: Path) -> Message:
    """Return where the SecretId or the SecretKey belongs that alone is missing."""
    part = "SecretId" if file.name.endswith("secret_id") else "SecretKey"
    return make_message("credentials.cure.write_part", part=part, file=file)


def _describe_missing(secret_id: str, secret_key: str) -> Message:
    if secret_id:
        return make_message("credentials.id_only")
    return make_message("credentials.key_only" if secret_key else "credentials.nothing")


def _strip_key(value: object) -> str:
    """Strip white space, a BOM and quotes, which editors leave around a key."""
    return str(value or "").strip().strip("\ufeff").strip().strip("\"'")


def _list_secret_files(folder: Path) -> list[Path]:
    return [folder / f"tencent__{name}" for name in SECRETS]


def _read_secret_files(folder: Path) -> Values:
    """Return what the files of a folder hold. Raises _Unavailable for a pair of which a file is empty."""
    paths = dict(zip(SECRETS, _list_secret_files(folder), strict=True))
    values = {
        name: _strip_key(path.read_text(encoding="utf-8-sig"))
        for name, path in paths.items()
        if path.is_file()
    }
    empty = [paths[name].name for name in ("secret_id", "secret_key") if values.get(name) == ""]
    if empty:
        if len(empty) == 1:
            key, cure = "credentials.empty_file", _advise_on_missing_part(folder / empty[0])
        else:
            files = join_messages([str(folder / name) for name in empty])
            key, cure = "credentials.empty_files", make_message("credentials.cure.write", files=files)
        raise _Unavailable(make_message(key, files=join_messages(empty)), cure)
    return values


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


def _read_keyring(services: Sequence[str]) -> Values:
    """Return the entry of the first service that has a complete pair, else what the first one has.

    Raises _Unavailable where there is no keyring, or none that answers.
    """
    try:
        import keyring  # noqa: PLC0415 - an extra, asked where nothing else holds keys
        from keyring.errors import NoKeyringError  # noqa: PLC0415 - the same
    except ImportError as error:
        raise _Unavailable(make_message("credentials.no_keyring_extra")) from error
    entries: list[Values] = []
    failures: list[Exception] = []

    def read() -> None:
        try:
            for service in services:
                values = {name: _strip_key(keyring.get_password(service, name)) for name in SECRETS}
                entries.append(values)
        except Exception as error:  # noqa: BLE001 - a backend raises what it likes
            failures.append(error)

    thread = Thread(target=read, daemon=True)  # one that hangs must not keep the program from its end
    thread.start()
    thread.join(KEYRING_SECONDS)
    if thread.is_alive():
        raise _Unavailable(make_message("credentials.keyring_silent", seconds=round(KEYRING_SECONDS)))
    if failures:
        if isinstance(failures[0], NoKeyringError):
            raise _Unavailable(make_message("credentials.no_keyring")) from failures[0]
        kind = type(failures[0]).__name__
        raise _Unavailable(make_message("credentials.keyring_failed", kind=kind)) from failures[0]
    complete = [values for values in entries if values["secret_id"] and values["secret_key"]]
    halves = [values for values in entries if any(values.values())]
    return next(iter([*complete, *halves]), {})
