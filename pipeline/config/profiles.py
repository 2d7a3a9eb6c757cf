"""Several hospitals in one config.yaml: each profile lays its keys over those of the top level.

Hospitals share no paths: a path that a profile does not give is in a folder with the profile's name.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pipeline.config.yaml_loader import Document
from pipeline.domain.message import Message
from pipeline.domain.server_address import is_address
from pipeline.errors import ConfigError
from pipeline.messages.catalogue import make_message

KEY = "profiles"
OWN_PATHS = ("roster", "seals", "ledger", "out", "metrics_file")
READ_DEEP = frozenset({"seals"})  # keys of folders whose sub-folders belong to them as well
_NAME = re.compile(r"[^\W_][\w.-]{0,39}")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE)  # by Windows
_PathValue = TypeVar("_PathValue", bound=object)


def split_profiles(document: Document, path: Path | None) -> tuple[Document, Mapping[str, Document]]:
    """Return the document without its profiles, and each profile as a document; ConfigError where they are no mapping.

    The line of the empty path is where a profile begins.
    """
    lines, profiles = document.lines, document.values.get(KEY)
    if profiles is not None and not isinstance(profiles, dict):
        raise _make_fault(path, lines[KEY,], KEY, "config.pydantic.model_type")
    own_lines: dict[str, dict[tuple[str, ...], int]] = defaultdict(dict)
    for names, line in lines.items():
        if names[0] == KEY and len(names) > 1:
            own_lines[names[1]][names[2:]] = line
    top = Document(
        {name: value for name, value in document.values.items() if name != KEY},
        {names: line for names, line in lines.items() if names[0] != KEY},
    )
    return top, {name: Document(values, own_lines[name]) for name, values in (profiles or {}).items()}


def require_sound_profile(name: str, profiles: Mapping[str, Document], path: Path | None) -> None:
    """Raise ConfigError for a profile that holds no keys, or whose name cannot name a folder of its own everywhere."""
    key = ""
    if not isinstance(profiles[name].values, dict | None):
        key = "config.pydantic.model_type"
    elif [*map(str.casefold, profiles)].count(name.casefold()) > 1:
        key = "profiles.same_name"
    elif not is_safe_name(name):
        key = "profiles.bad_name"
    if key:
        raise _make_fault(path, profiles[name].lines[()], f"{KEY}.{name}", key)


def is_safe_name(name: str) -> bool:
    """Return whether a name can be that of a folder on every system."""
    is_reserved = name.endswith(".") or _RESERVED.fullmatch(name) is not None
    return _NAME.fullmatch(name) is not None and not is_reserved and unicodedata.is_normalized("NFC", name)


def _make_fault(path: Path | None, line: int, where: str, key: str) -> ConfigError:
    return ConfigError(
        [
            make_message(
                "config.value", place=f"{path}:{line}: ", where=where, fault=make_message(key), found=""
            )
        ]
    )


def derive_path(key: str, value: _PathValue, profile: str | None) -> _PathValue:
    """Return what a path of the top level becomes in a profile that does not give it; another value stays.

    A relative path lies in a folder of the profile's name; of an absolute one the last folder gets such a folder.
    """
    if profile is None or value is None:
        return value
    if isinstance(value, list | tuple):
        return type(value)(derive_path(key, item, profile) for item in value)
    if not isinstance(value, str | Path) or (key == "ledger" and is_address(value)):
        return value  # the hospitals of one database have schemas of their own
    path = Path(value)
    if key == "metrics_file" and path.name:  # Prometheus reads one folder, and not those below it
        own = path.with_stem(f"{path.stem}-{profile}")
    elif not path.is_absolute():
        own = profile / path
    elif key == "ledger":
        own = path.parent / profile / path.name
    else:
        own = path / profile
    return type(value)(own)


def list_claim_conflicts(
    claims: Mapping[str | None, Iterable[tuple[str, str]]],
    describe: Callable[[str | None, str, str | None], Message],
) -> Mapping[str | None, Sequence[Message]]:
    """Return the faults of hospitals that share a value which must be their own, one for each key.

    ``claims`` are the keys whose values belong to one hospital alone, with the values as they are compared. ``describe``
    gives the fault of a hospital at a key which another hospital has as well.
    """
    owners: dict[tuple[str, str], list[str | None]] = defaultdict(list)
    for profile, own_claims in claims.items():
        for claim in dict.fromkeys(own_claims):
            owners[claim].append(profile)
    faults: dict[str | None, dict[str, Message]] = defaultdict(dict)
    for (key, value), holders in owners.items():
        folders = [value, *map(str, Path(value).parents)] if key in READ_DEEP else [value]
        rivals = [rival for folder in folders for rival in owners.get((key, folder), ())]
        for holder in holders:
            rival = next((rival for rival in rivals if rival != holder), holder)
            if rival != holder:
                faults[holder].setdefault(key, describe(holder, key, rival))
                faults[rival].setdefault(key, describe(rival, key, holder))
    return {profile: [*by_key.values()] for profile, by_key in faults.items()}
