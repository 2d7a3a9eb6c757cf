"""Finds SecretId and SecretKey: the first complete pair counts, never mixed from two sources."""

from __future__ import annotations

import configparser
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clock import Clock
from pipeline.domain.message import Message
from pipeline.errors import CredentialsMissing
from pipeline.esign.key_pairs import (
    PairNames,
    PairSearch,
    Source,
    Values,
    list_folders,
    make_keyring_source,
    read_environment,
    strip_key,
)
from pipeline.esign.signing import Credentials, CredentialsSource
from pipeline.messages.catalogue import join_messages, make_message

if TYPE_CHECKING:
    from pipeline.esign.role import Role

VARIABLES = "TENCENTCLOUD_SECRET_ID / TENCENTCLOUD_SECRET_KEY"

CREDENTIALS = PairNames(
    labels=("SecretId", "SecretKey"),
    values=("secret_id", "secret_key", "token"),
    variables={
        "secret_id": ("TENCENTCLOUD_SECRET_ID",),
        "secret_key": ("TENCENTCLOUD_SECRET_KEY",),
        "token": ("TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SESSION_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"),
    },
)

# the audit log's own keys
AUDIT_CREDENTIALS = PairNames(
    labels=("SecretId", "SecretKey"),
    values=("audit_secret_id", "audit_secret_key", "audit_token"),
    variables={
        "audit_secret_id": ("TENCENTCLOUD_AUDIT_SECRET_ID",),
        "audit_secret_key": ("TENCENTCLOUD_AUDIT_SECRET_KEY",),
        "audit_token": ("TENCENTCLOUD_AUDIT_TOKEN",),
    },
)
AUDIT_VARIABLES = "TENCENTCLOUD_AUDIT_SECRET_ID / TENCENTCLOUD_AUDIT_SECRET_KEY"


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
        search = PairSearch(CREDENTIALS)
        pair_found = search.find(self._list_sources())
        if pair_found is not None:
            return self._apply_role(_make_credentials(CREDENTIALS, *pair_found))
        if self.role is not None and self.role.kind != "sts":
            return self._apply_role(None)
        raise CredentialsMissing(
            "credentials.missing",
            cure=search.cures[0] if search.cures else self._advise_on_files(),
            places=join_messages(search.tried, "\n"),
        )

    def get_audit_keys(self) -> CredentialsSource:
        """Return the audit log's own keys where any are given, else the usual ones.

        Raises CredentialsMissing, also for half a pair of its own.
        """
        search = PairSearch(AUDIT_CREDENTIALS)
        folders = list(list_folders(AUDIT_CREDENTIALS, self.environment, self.secrets_dir))
        variables = read_environment(AUDIT_CREDENTIALS, self.environment)
        pair_found = search.find([*folders, Source(AUDIT_VARIABLES, lambda: variables)])
        if pair_found is not None:
            return _make_credentials(AUDIT_CREDENTIALS, *pair_found)
        has_files = any(file.exists() for source in folders for file in source.files)
        if not has_files and not any(variables.values()):
            return self.find()
        cure = search.cures[0] if search.cures else make_message("credentials.cure.audit")
        raise CredentialsMissing("credentials.missing", cure=cure, places=join_messages(search.tried, "\n"))

    def _advise_on_files(self) -> Message:
        """Return where keys belong while none are found."""
        if self.secrets_dir is None:
            return make_message("credentials.cure.set")
        files = [str(path) for path in CREDENTIALS.list_secret_files(self.secrets_dir)[:2]]
        return make_message("credentials.cure.write", files=join_messages(files))

    def _apply_role(self, pair: Credentials | None) -> CredentialsSource:
        """Return the pair, or the role that is assumed with it or stands in for it."""
        if pair is not None and (self.role is None or self.role.kind != "sts"):
            return pair
        assert self.role is not None
        assert self.clock is not None
        from pipeline.esign.role import RoleCredentials  # noqa: PLC0415 - only a role needs aiohttp here

        return RoleCredentials(self.role, self.clock, self.environment, pair)

    def _list_sources(self) -> Sequence[Source]:
        ini, tccli = self.home / ".tencentcloud" / "credentials", self.home / ".tccli" / "default.credential"
        return (
            *list_folders(CREDENTIALS, self.environment, self.secrets_dir),
            Source(VARIABLES, lambda: read_environment(CREDENTIALS, self.environment)),
            Source(str(ini), lambda: _read_ini(ini), (ini,)),
            Source(str(tccli), lambda: _read_tccli(tccli), (tccli,)),
            make_keyring_source(CREDENTIALS, self.organization),
        )


def _make_credentials(names: PairNames, source: Source, values: Values) -> Credentials:
    """Return the pair that a source holds."""
    secret_id, secret_key = names.get_parts(values)
    files = tuple(file for file in source.files if file.is_file())
    return Credentials(secret_id, secret_key, values.get(names.values[2]) or None, source.name, files)


def _read_ini(path: Path) -> Values:
    if not path.is_file():
        return {}
    parser = configparser.RawConfigParser()
    parser.read_string(path.read_text(encoding="utf-8-sig"))
    if not parser.has_section("default"):
        return {}
    return {name: strip_key(value) for name, value in parser.items("default")}


def _read_tccli(path: Path) -> Values:
    if not path.is_file():
        return {}
    document = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(document, dict):
        return {}
    names = {"secretId": "secret_id", "secretKey": "secret_key", "token": "token"}
    return {ours: strip_key(document.get(theirs)) for theirs, ours in names.items()}
