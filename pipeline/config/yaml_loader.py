"""YAML as it is written: every scalar stays text, every key knows its line, no key stands twice, no alias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pipeline.errors import ConfigError, reason_of
from pipeline.messages.catalogue import phrase
from pipeline.messages.config import PARSER_TEXTS
from pipeline.messages.localized import Bilingual, Phrase

MAX_BYTES = 1 << 20  # of a file
UTF16 = frozenset({b"\xff\xfe", b"\xfe\xff"})  # what Notepad writes as "Unicode"
MAX_LEVELS = 8  # of mappings and lists in each other
_NULL = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML mapping with texts for scalars, and the line (from 1) of each key's path."""

    values: Mapping[str, Any]
    lines: Mapping[tuple[str, ...], int]

    def line_of(self, names: tuple[str, ...]) -> int | None:
        """Return the line of a key, or of the nearest key above it."""
        while names and names not in self.lines:
            names = names[:-1]
        return self.lines.get(names)


def read_document(path: Path) -> Document:
    """Read a YAML file; ConfigError names the line of what cannot be read, of a doubled key or an alias."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ConfigError([phrase("config.too_large", path=path, limit=MAX_BYTES >> 10)])
        if b"\0" in data and data[:2] not in UTF16:
            raise ConfigError([phrase("config.not_text", path=path)])
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([phrase("config.unreadable", path=path, why=reason_of(error))]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([phrase("config.not_utf8", path=path)]) from error
    try:
        root = YAML(typ="rt", pure=True).compose(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise ConfigError([_syntax(path, line, getattr(error, "problem", None) or "not YAML")]) from error
    except RecursionError as error:
        raise ConfigError([phrase("config.too_deep", path=path, limit=MAX_LEVELS)]) from error
    reader = _Reader(path)
    values = reader.value(root, ()) if root is not None else {}
    if not isinstance(values, dict):
        reader.faults.append(phrase("config.no_mapping", path=path))
    if reader.faults:
        raise ConfigError(reader.faults)
    return Document(values, reader.lines)


def _syntax(path: Path, line: int, why: str) -> Phrase:
    """Say what the parser's words mean; words that the catalogue does not know are said in English alone."""
    told = next((meant for words, meant in PARSER_TEXTS.items() if words in why), None)
    if told is None:
        return phrase("config.strange_syntax", path=path, line=line, why=why)
    return phrase("config.syntax", path=path, line=line, why=Bilingual(*told))


class _Reader:
    """Walks the node tree once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[int] = set()
        self.lines: dict[tuple[str, ...], int] = {}
        self.faults: list[Phrase] = []

    def value(self, node: Node, names: tuple[str, ...]) -> Any:
        line = node.start_mark.line + 1
        if id(node) in self._seen:
            self._fault(line, "config.alias")
            return None
        self._seen.add(id(node))
        if len(names) > MAX_LEVELS:
            raise ConfigError([phrase("config.too_deep", path=self._path, limit=MAX_LEVELS)])
        if isinstance(node, MappingNode):
            return self._mapping(node, names)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*names, str(index))) for index, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        plain = node.style is None
        return None if plain and node.value in _NULL else node.value

    def _mapping(self, node: MappingNode, names: tuple[str, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self._fault(line, "config.strange_key")
                continue
            path = (*names, key.value)
            if key.value in values:
                self._fault(line, "config.twice", name=key.value, first=self.lines[path])
                continue
            self.lines[path] = line
            values[key.value] = self.value(value, path)
        return values

    def _fault(self, line: int, key: str, /, **detail: object) -> None:
        self.faults.append(phrase("config.on_line", path=self._path, line=line, fault=phrase(key, **detail)))
