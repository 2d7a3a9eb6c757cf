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

# the parser's words, or a part of them -> what they mean to whoever edits the file
_PARSER: Mapping[str, str] = {
    r"'\t' that cannot start": "缩进要用空格，不能用制表符",
    "that cannot start any token": "不能以这个字符开头；值里有特殊字符时请加引号",
    "',' or '}'": "花括号里缺少逗号或右括号",
    "',' or ']'": "方括号里缺少逗号或右括号",
    "mapping values are not allowed": "这里不能再有“键: 值”；值里有冒号时请加引号",
    "could not find expected ':'": "缺少冒号",
    "expected <block end>": "缩进没有对齐",
    "expected the node content": "这里缺少值",
    "unexpected end of stream": "引号没有配对",
    "unknown escape character": "双引号里的反斜杠写法不对",
    "undefined alias": "不接受 YAML 别名",
    "expected a single document": "只能有一份文档，不能有 ---",
    "tag": "不接受 YAML 标签",
    "not YAML": "不是 YAML 文件",
}
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
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        en, zh = reason_of(error)
        raise ConfigError([(f"{path}: cannot be read ({en})", f"{path}：无法读取（{zh}）")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([(f"{path}: is not UTF-8", f"{path}：不是 UTF-8 编码")]) from error
    try:
        root = YAML(typ="rt", pure=True).compose(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        why = getattr(error, "problem", None) or "not YAML"
        zh = next((told for words, told in _PARSER.items() if words in why), "")
        told = f"YAML 写法有误（{zh}）" if zh else "YAML 写法有误"
        raise ConfigError([(f"{path}:{line}: {why}", f"{path}:{line}：{told}")]) from error
    reader = _Reader(path)
    values = reader.value(root, ()) if root is not None else {}
    if not isinstance(values, dict):
        reader.faults.append((f"{path}: must hold keys and values", f"{path}：内容必须是“键: 值”"))
    if reader.faults:
        raise ConfigError(reader.faults)
    return Document(values, reader.lines)


class _Reader:
    """Walks the node tree once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[int] = set()
        self.lines: dict[tuple[str, ...], int] = {}
        self.faults: list[tuple[str, str]] = []

    def value(self, node: Node, names: tuple[str, ...]) -> Any:
        line = node.start_mark.line + 1
        if id(node) in self._seen:
            self._fault(line, "aliases are not accepted", "不接受 YAML 别名")
            return None
        self._seen.add(id(node))
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
                self._fault(line, "a key must be a plain word", "键必须是普通文字")
                continue
            path = (*names, key.value)
            if key.value in values:
                first = self.lines[path]
                self._fault(
                    line,
                    f"{key.value}: stands already on line {first}",
                    f"{key.value}：第 {first} 行已经写过",
                )
                continue
            self.lines[path] = line
            values[key.value] = self.value(value, path)
        return values

    def _fault(self, line: int, en: str, zh: str) -> None:
        self.faults.append((f"{self._path}:{line}: {en}", f"{self._path}:{line}：{zh}"))
