"""Configuration keys in environment variables: ``ESIGN_IMPORT_API__APP_ID=…`` sets ``api.app_id``.

The program was once configured by ``PIPELINE_…``. Those names are still read where they name a key. Any other name that
begins so belongs to another program (a build server sets ``PIPELINE_WORKSPACE``) and is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

PREFIX = "ESIGN_IMPORT_"
FORMER_PREFIX = "PIPELINE_"
AS_JSON = frozenset({"roster", "columns"})  # keys that hold more than one text


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that sets a key."""

    name: str
    key: tuple[str, ...]
    text: str

    @property
    def value(self) -> object:
        """The value it gives to its key: a text, None, or what its JSON holds."""
        if self.text in {"", "null"}:
            return None
        if self.key[-1] in AS_JSON and self.text[:1] in "[{":
            try:
                value: object = json.loads(self.text)
            except (ValueError, RecursionError):
                return self.text
            return value
        return self.text


@dataclass(frozen=True, slots=True)
class FormerName:
    """A variable under the former prefix, and the name that replaces it."""

    name: str
    current: str
    is_read: bool  # False: the current name is set as well, and counts


def name_of(key: tuple[str, ...]) -> str:
    """Return the environment variable that sets a key."""
    return PREFIX + "__".join(key).upper()


def find_variables(environment: Mapping[str, str], keys: Iterable[tuple[str, ...]]) -> Iterator[Variable]:
    """Yield the variables that set a key; the current prefix counts before the former one."""
    for key in keys:
        name = name_of(key)
        read = next((each for each in (name, former_name(name)) if each in environment), None)
        if read is not None:
            yield Variable(read, key, environment[read])


def find_unknown_names(environment: Mapping[str, str], keys: Iterable[tuple[str, ...]]) -> list[str]:
    """Return the names with the current prefix that set no key."""
    known = set(map(name_of, keys))
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def find_former_names(
    environment: Mapping[str, str], keys: Iterable[tuple[str, ...]]
) -> Iterator[FormerName]:
    """Yield the variables that set a key by the former prefix."""
    for name in map(name_of, keys):
        if (former := former_name(name)) in environment:
            yield FormerName(former, name, name not in environment)


def former_name(name: str) -> str:
    """Return what a variable was called under the former prefix."""
    return FORMER_PREFIX + name.removeprefix(PREFIX)
