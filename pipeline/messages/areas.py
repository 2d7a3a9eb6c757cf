"""Reads the catalogue files: every text a person reads, by key, in Chinese and English.

A file holds the texts of one area. It is parsed when one of its keys is first asked for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
# in the order in which they are searched for a key
AREAS = (
    "cli",
    "results",
    "usage",
    "files",
    "wire",
    "config",
    "ledger",
    "explain",
    "resolution",
    "pages",
    "review",
    "setup",
    "server",
    "unattended",
    "problems",
    "service_errors",
    "help",
)


@cache
def load_area(area: str) -> Mapping[str, Mapping[str, str]]:
    """Return the texts of an area: key -> ``zh``, ``en`` and the other strings of the entry."""
    return dict(_list_entries(tomllib.loads(_read_file(area)), ""))


@cache
def get_words(key: str) -> Mapping[str, str]:
    """Return an entry: ``zh``, ``en`` and its other strings; KeyError for a key that no file has."""
    area = _get_area(key)
    if area is None:
        raise KeyError(key)
    return load_area(area)[key]


def get_pair(key: str) -> tuple[str, str]:
    """Return a text in Chinese and in English; KeyError for a key that no file has."""
    words = get_words(key)
    return words["zh"], words["en"]


def is_known(key: str) -> bool:
    """Return whether a file has this key."""
    return _get_area(key) is not None


@cache
def _get_area(key: str) -> str | None:
    heading = f"\n[{key}]\n"
    return next((area for area in AREAS if heading in _read_file(area)), None)


@cache
def _read_file(area: str) -> str:
    return (FOLDER / f"{area}.toml").read_text("utf-8")


def _list_entries(table: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield every entry with its whole key: TOML nests ``[a.b]`` in ``[a]``."""
    strings = {name: value for name, value in table.items() if isinstance(value, str)}
    if strings:
        yield key, strings
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _list_entries(value, f"{key}.{name}" if key else name)
