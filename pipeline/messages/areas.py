"""Reads the catalogue files: every text a person reads, by key, in Chinese and English.

A file holds the texts of one area. An entry is parsed when its key is first asked for: parsing all of a file for a
few of its texts takes longer than reading a small roster. The names of the roster's fields (``field.mobile``) stand in
the table of fields.

``zh`` and ``en`` are the text in Chinese and English; ``en_one`` is the English text where the count ``{n}`` is one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

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
    "web",
    "web_decide",
    "web_drop",
    "web_rows",
    "web_send",
    "web_review",
    "setup",
    "server",
    "autosign",
    "unattended",
    "problems",
    "service_errors",
    "help",
)
_HEADING = re.compile(r"^\[([^\]]+)\]\n", re.MULTILINE)
_FIELD = "field."  # before the name of a field, in the key of its words


def list_keys(area: str) -> Collection[str]:
    """Return the keys of an area in the order of its file."""
    return _split_file(area).keys()


@cache
def get_words(key: str) -> Mapping[str, str]:
    """Return an entry: ``zh``, ``en`` and its other strings; KeyError for a key that no file has."""
    if key.startswith(_FIELD):
        return load_field_words()[key]
    for area in AREAS:
        if key in _split_file(area):
            return tomllib.loads(_split_file(area)[key])
    raise KeyError(key)


def get_pair(key: str) -> tuple[str, str]:
    """Return a text in Chinese and in English; KeyError for a key that no file has."""
    words = get_words(key)
    return words["zh"], words["en"]


def get_texts(key: str) -> tuple[str, ...]:
    """Return a text in Chinese, in English and, where it has one, in English for a count of one."""
    words = get_words(key)
    return words["zh"], words["en"], *(words[name] for name in ("en_one",) if name in words)


def is_known(key: str) -> bool:
    if key.startswith(_FIELD):
        return key in load_field_words()
    return any(key in _split_file(area) for area in AREAS)


@cache
def load_field_words() -> Mapping[str, Mapping[str, str]]:
    """Return the words of every field by their key."""
    from pipeline.domain.fields import FIELDS  # noqa: PLC0415  no command's help needs it

    return {f"{_FIELD}{field}": {"zh": known.zh, "en": known.en} for field, known in FIELDS.items()}


@cache
def _split_file(area: str) -> Mapping[str, str]:
    """Return the lines of every entry by its key, which is the heading above them."""
    text = (FOLDER / f"{area}.toml").read_text("utf-8")
    _, *parts = _HEADING.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True))
