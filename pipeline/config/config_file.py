"""Reads config.yaml and the environment: the hospital of the top level, and those of ``profiles``.

Every fault is reported at once, with its line. ``ESIGN_IMPORT_API__APP_ID=…`` sets ``api.app_id``. Unknown keys and unknown
``ESIGN_IMPORT_…`` names are refused with the nearest known one.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from pipeline.config.environment import LEDGER_SECRET_VARIABLE, PREFIX, variable_name
from pipeline.config.named_paths import require_certificates
from pipeline.config.profiles import KEY as PROFILES
from pipeline.config.profiles import (
    OWN_PATHS,
    derive_path,
    find_conflicts,
    require_sound_profile,
    split_profiles,
)
from pipeline.config.sections import IDS, PLACEHOLDER
from pipeline.config.settings import AS_JSON, Config, list_keys
from pipeline.config.yaml_loader import (
    Document,
    FaultRenderer,
    find_near_name,
    read_document,
    suggest_name,
)
from pipeline.errors import ConfigError, UsageError
from pipeline.ledger.postgres.address import ServerAddress
from pipeline.messages.catalogue import JoinedTexts, Phrase, make_phrase
from pipeline.support.rights import is_exposed

LOG = logging.getLogger(__name__)
LITERAL_KEYS = (("credentials", "secret_id"), ("credentials", "secret_key"))
GIT_SECONDS = 10.0
NO_KEYS = [name for name, info in Config.model_fields.items() if info.exclude]


def load(
    path: Path | None,
    environment: Mapping[str, str],
    values: Mapping[str, Any] = MappingProxyType({}),
    *,
    profile: str | None = None,
    warn: Callable[[Phrase], None] | None = None,
) -> Config:
    """Read a configuration; ``path`` None means defaults and environment alone. See `Config.load` and `ConfigFile`."""
    return ConfigFile(path, environment, values, warn=warn).load(profile)


class ConfigFile:
    """A configuration that is read once: the hospital of its top level, and those of its profiles.

    The top level is a hospital of its own where its ids are filled in.
    """

    def __init__(
        self,
        path: Path | None,
        environment: Mapping[str, str],
        values: Mapping[str, Any] = MappingProxyType({}),
        *,
        warn: Callable[[Phrase], None] | None = None,
    ) -> None:
        """Read the file; ``values`` outrank everything in it.

        ``warn`` is called where the file may hold a secret; the warning is logged where none is given. Raises ConfigError
        for a file that is no YAML.
        """
        document = read_document(path) if path is not None else Document({}, {})
        self._path, self._values, self._warn = path, values, warn or _log_warning
        self._top, self._profiles = split_profiles(document, path)
        self._keys = {key: variable_name(key) for key in list_keys()}
        self._faults = [
            make_phrase("config.unknown_variable", name=name, near=suggest_name(name, [*self._keys.values()]))
            for name in sorted(set(environment) - {*self._keys.values(), LEDGER_SECRET_VARIABLE})
            if name.startswith(PREFIX)
        ]
        self._variables = {key: name for key, name in self._keys.items() if name in environment}
        self._faults += [
            make_phrase("config.secret_variable", name=name)
            for key, name in self._variables.items()
            if key in LITERAL_KEYS
        ]
        given = {key: _parse_variable(key, environment[name]) for key, name in self._variables.items()}
        self._top_values = _merge_variables(self._top.values, given)
        parts = (document.values, *(profile.values for profile in self._profiles.values()))
        self._secret_file = path if any(map(_holds_secret, parts)) else None
        self._configs: dict[str | None, Config | ConfigError] = {}

    @property
    def names(self) -> Sequence[str]:
        """The names of the profiles."""
        return [*self._profiles]

    def list_hospitals(self) -> list[str | None]:
        """Return every hospital: the top level, as None, where its ids are filled in, then the profiles."""
        api = self._top_values.get("api")
        ids = [str(api.get(key) or "") for key in IDS] if isinstance(api, dict) else [""]
        is_filled_in = all(text and PLACEHOLDER not in text for text in ids)
        return [*([None] if is_filled_in or not self._profiles else []), *self._profiles]

    def require_profile(self, name: str) -> None:
        """Raise UsageError for a profile that is not there; one that is nearly it is suggested."""
        if name in self._profiles:
            return
        known = JoinedTexts(self.names, make_phrase("mark.comma"))
        if not self._profiles:
            raise UsageError("profiles.none", path=self._path)
        near = suggest_name(name, self.names)
        error = UsageError("profiles.unknown", name=name, near=near, path=self._path, known=known)
        if meant := find_near_name(name, self.names):
            error.meant = (name, meant)
        raise error

    def load(self, profile: str | None = None) -> Config:
        """Return the configuration of a hospital.

        Raises ConfigError with every fault: unknown keys, wrong types, values that do not fit together or belong to
        another hospital of the file. A fault in another profile is none.
        """
        if profile is not None:
            self.require_profile(profile)
        config = self._find_config(profile)
        if isinstance(config, ConfigError):
            raise config
        if faults := self._conflicts.get(profile):
            raise ConfigError(faults)
        return config

    @cached_property
    def _conflicts(self) -> Mapping[str | None, Sequence[Phrase]]:
        if not self._profiles:
            return {}
        configs = {profile: self._find_config(profile) for profile in self.list_hospitals()}
        sound = {name: config for name, config in configs.items() if isinstance(config, Config)}
        return find_conflicts(sound, self._describe_conflict)

    def _describe_conflict(self, profile: str | None, key: str, rival: str | None) -> Phrase:
        own = self._top if profile is None else self._profiles[profile]
        return make_phrase(
            "config.value",
            place=f"{self._path}:{own.line_of(tuple(key.split('.'))) or 1}: ",
            where=key if profile is None else f"{PROFILES}.{profile}.{key}",
            fault=make_phrase("profiles.shared", rival=rival or make_phrase("profiles.top")),
            found="",
        )

    def find_document(self, profile: str | None) -> Document:
        """Return the keys of a hospital as they stand in the file: those of the top level, and over them its own."""
        if profile is None:
            return self._top
        own = self._profiles[profile]
        lines = {names: line for names, line in self._top.lines.items() if names not in own.lines}
        return Document(_merge_values(dict(self._top.values), own.values or {}), {**lines, **own.lines})

    def _find_config(self, profile: str | None) -> Config | ConfigError:
        if profile not in self._configs:
            try:
                self._configs[profile] = self._build_config(profile)
            except ConfigError as error:
                self._configs[profile] = error
        return self._configs[profile]

    def _build_config(self, profile: str | None) -> Config:
        values, variables = self._top_values, self._variables
        if profile is not None:
            require_sound_profile(profile, self._profiles, self._path)
            own = self._profiles[profile]
            values = _merge_values(_derive_own_values(values, profile), own.values or {})
            variables = {key: name for key, name in variables.items() if key not in own.lines}
        errors: list[Any] = [
            {"type": "extra_forbidden", "loc": (name,)} for name in NO_KEYS if name in values
        ]
        config = None
        try:
            config = Config.model_validate({
                **_merge_values(values, self._values),
                "base": self._path.parent if self._path is not None else Path(),
                "secret_file": self._secret_file,
                "profile": profile,
            })  # fmt: skip
        except ValidationError as error:
            errors += error.errors()
        renderer = FaultRenderer(
            self.find_document(profile), self._path, [*self._keys, (PROFILES,)], variables
        )
        faults = [renderer.render_fault(error) for error in sorted(errors, key=renderer.find_line)]
        if config is not None and self._is_secret_literal(config, variables):
            faults += self._literal_faults
        if config is None or faults or self._faults:
            raise ConfigError([*self._faults, *faults])
        return config

    def _is_secret_literal(self, config: Config, variables: Mapping[tuple[str, ...], str]) -> bool:
        """Return whether keys, or the password of the ledger's server, come from the file itself."""
        has_keys = config.credentials.secret_id is not None and "credentials" not in self._values
        is_ledger_of_file = "ledger" not in self._values and ("ledger",) not in variables
        return has_keys or (is_ledger_of_file and _holds_password(config.ledger))

    @cached_property
    def _literal_faults(self) -> Sequence[Phrase]:
        """The faults of a file that holds a key; where it may hold one, there is a warning."""
        faults = [*find_literal_faults(self._path)] if self._path is not None else []
        if not faults and not self._faults:
            self._warn(make_phrase("config.literal_secret", path=self._path))
        return faults


def _derive_own_values(values: Mapping[str, Any], profile: str) -> dict[str, Any]:
    """Return the top level's values as a profile inherits them: paths and the name are its own."""
    paths = {key: values.get(key, Config.model_fields[key].default) for key in OWN_PATHS}
    own = {key: derive_path(key, value, profile) for key, value in paths.items()}
    notify = values.get("notify", {})
    if isinstance(notify, dict):
        own["notify"] = {**notify, "name": profile}
    return {**values, **own}


def _log_warning(warning: Phrase) -> None:
    LOG.warning("%s", warning.render("en"))


def _parse_variable(key: tuple[str, ...], text: str) -> object:
    """Return what a variable gives to its key: a text, None, or what its JSON holds."""
    if text in {"", "null"}:
        return None
    if key[-1] in AS_JSON and text[:1] in "[{":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _merge_variables(
    values: Mapping[str, Any], variables: Mapping[tuple[str, ...], object]
) -> dict[str, Any]:
    """Lay the environment's values over the file's."""
    merged = {name: dict(value) if isinstance(value, dict) else value for name, value in values.items()}
    for (*sections, last), value in variables.items():
        target = merged
        for section in sections:
            target[section] = {} if target.get(section) is None else target[section]
            target = target[section]
        if isinstance(target, dict):  # else the file's section is no section, which is reported
            target[last] = value
    return merged


def _holds_secret(values: object) -> bool:
    """Return whether a password stands in a configuration's file: that of rosters, a proxy's, or that of the ledger."""
    if not isinstance(values, Mapping):
        return False
    intake, api = values.get("intake"), values.get("api")
    password = intake.get("password") if isinstance(intake, Mapping) else None
    proxy = api.get("proxy") if isinstance(api, Mapping) else None
    return bool(password) or "@" in str(proxy or "") or _holds_password(values.get("ledger"))


def _holds_password(ledger: object) -> bool:
    address = ServerAddress.parse(ledger) if isinstance(ledger, str) else ledger
    return isinstance(address, ServerAddress) and address.holds_password


def _merge_values(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay values over others, a section key by key."""
    return below | {
        name: {**below[name], **value}
        if isinstance(value, Mapping) and isinstance(below.get(name), dict)
        else value
        for name, value in above.items()
    }


def require_ready(config: Config, config_name: Path | str) -> None:
    """Raise UsageError for a configuration without the ids of the account; ``config_name`` is the file where they belong."""
    if config.api.placeholders:
        raise UsageError(
            "usage.placeholders",
            place=config_name,
            keys=list_missing_ids(config, config_name),
            then=("config", "validate"),
        )
    require_certificates(config)


def list_missing_ids(config: Config, path: Path | str) -> JoinedTexts:
    """Return the ids that are still to be filled in, each with its line in the file at ``path``."""
    try:
        document = ConfigFile(Path(path), {}).find_document(config.profile)
    except ConfigError:
        document = Document({}, {})
    keys = [
        make_phrase("config.key_line", key=key, line=line)
        if (line := document.lines.get(tuple(key.split("."))))
        else key
        for key in config.api.placeholders
    ]
    return JoinedTexts(keys, make_phrase("mark.comma"))


# -- keys that stand in config.yaml itself: refused where others may read them, or where git would keep them


def find_literal_faults(path: Path) -> Iterator[Phrase]:
    """Yield why a configuration must not hold keys where it lies."""
    if is_exposed(path):
        yield make_phrase("config.secret_exposed", path=path)
    file = path.resolve()
    repository = next((folder for folder in file.parents if (folder / ".git").exists()), None)
    if repository is not None and not _is_ignored(file):
        yield make_phrase("config.secret_in_git", path=path, folder=repository)


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
