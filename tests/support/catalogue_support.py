"""Every text of the catalogue files: its key, Chinese and English."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.cli.app import cli
from pipeline.cli.help import list_texts
from pipeline.messages.areas import AREAS, FOLDER, load_field_words


def load_area(area: str) -> dict[str, Mapping[str, str]]:
    """Return the entries of an area by key, the whole file parsed as TOML."""
    return dict(_list_entries(tomllib.loads((FOLDER / f"{area}.toml").read_text("utf-8")), ""))


def _list_entries(table: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield every entry with its whole key: TOML nests ``[a.b]`` in ``[a]``."""
    strings = {name: value for name, value in table.items() if isinstance(value, str)}
    if strings:
        yield key, strings
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _list_entries(value, f"{key}.{name}" if key else name)


ENTRIES = {key: words for area in AREAS if area != "help" for key, words in load_area(area).items()}
ENTRIES |= load_field_words()


def pairs() -> Iterator[tuple[str, str, str]]:
    """Yield every text of the catalogue: its key, Chinese, English."""
    for key, words in ENTRIES.items():
        yield key, words["zh"], words["en"]
        if "en_one" in words:
            yield key, words["zh"], words["en_one"]
    for _, _, zh, en in list_texts(cli):
        yield en, zh, en


PAIRS = [*pairs()]
PROBLEM_CODES = [key for key, words in load_area("problems").items() if "severity" in words]
