"""Reads YAML as it is written, and renders the faults of a configuration with the place of each.

Every scalar stays text, every key keeps its file and line, a key must not be given twice, aliases are refused.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pipeline.domain.message import Message
from pipeline.errors import ConfigError, reason_of
from pipeline.messages.areas import is_known
from pipeline.messages.catalogue import join_messages, make_finished_message, make_message
from pipeline.support.rights import acting_user
from pipeline.support.terminal_text import join

MAX_BYTES = 1 << 20  # of a file
UTF16 = frozenset({b"\xff\xfe", b"\xfe\xff"})  # what Notepad writes as "Unicode"
OURS = "ours"  # the kind of an error that is not one of pydantic's
SECRET = re.compile(
    r"password|proxy|(?<!scene_)key$|secret|token|^urls$|^ping$"
)  # keys whose values are not shown
_KEY_NAMES = re.compile(r"(?:tencent|tencentcloud|api|access)?(?:secretid|secretkey|token|accesskey|keyid)")
MAX_SHOWN = 60  # characters of a value
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_WIDE_COLON = re.compile(
    r"""[^#:"']*\N{FULLWIDTH COLON}"""
)  # the parser finds its fault only on a later line


class Position(NamedTuple):
    """Where a key is: its file, and the line from 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML mapping with texts for scalars, and the position of each key's path."""

    values: Mapping[str, Any]
    positions: Mapping[tuple[str, ...], Position]

    def get_position(self, names: tuple[str, ...]) -> Position | None:
        """Return the position of a key, or of the nearest key above it."""
        while names and names not in self.positions:
            names = names[:-1]
        return self.positions.get(names)

    def lay_over(self, below: Document) -> Document:
        """Return this document laid over another one, a section key by key."""
        values = merge_values(below.values, self.values)
        return Document(values, {**below.positions, **self.positions})


def merge_values(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return values laid over others, a section key by key; what should be a section and is none stays, to be reported."""
    merged = dict(below)
    for name, value in above.items():
        section = merged.get(name)
        if not isinstance(value, Mapping):
            merged[name] = value
        elif section is None or isinstance(section, Mapping):
            merged[name] = merge_values(section or {}, value)
    return merged


def read_document(path: Path) -> Document:
    """Read a YAML file; ConfigError names the line of what cannot be read, of a doubled key or an alias."""
    text = _read_text(path)
    lines: dict[tuple[str, ...], int] = {}
    try:
        root = YAML(typ="safe", pure=True).compose(text)
        values = _read_value(root, (), lines) if root is not None else {}
    except YAMLError as error:
        raise ConfigError([_describe_syntax_error(path, text, error)]) from error
    except _Misfit as error:
        fault = make_message(error.key, **error.detail)
        raise ConfigError(
            [make_message("config.on_line", path=path, line=error.line, fault=fault)]
        ) from error
    except RecursionError as error:
        raise ConfigError([make_message("config.too_deep", path=path)]) from error
    if not isinstance(values, dict):
        raise ConfigError([make_message("config.no_mapping", path=path)])
    return Document(values, {names: Position(path, line) for names, line in lines.items()})


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ConfigError([make_message("config.too_large", path=path, limit=MAX_BYTES >> 10)])
        if b"\0" in data and data[:2] not in UTF16:
            raise ConfigError([make_message("config.not_text", path=path)])
        return data.decode("utf-8-sig")
    except PermissionError as error:
        command = join(["chmod", "u+r", str(path)])
        forbidden = make_message("config.forbidden", path=path, user=acting_user(), command=command)
        raise ConfigError([forbidden]) from error
    except OSError as error:
        raise ConfigError([make_message("config.unreadable", path=path, why=reason_of(error))]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([make_message("config.not_utf8", path=path)]) from error


def _describe_syntax_error(path: Path, text: str, error: YAMLError) -> Message:
    """Return the fault that the parser found; of a text that does not end, the line on which it begins counts."""
    is_of_text = str(getattr(error, "context", "")).startswith("while scanning a")
    position = getattr(error, "context_mark" if is_of_text else "problem_mark", None)
    line = position.line + 1 if position else 1
    for number, words in enumerate(text.splitlines()[:line], start=1):
        if _WIDE_COLON.match(words):
            return make_message("config.wide_colon", path=path, line=number)
    return make_message("config.syntax", path=path, line=line, why=getattr(error, "problem", None) or "?")


class _Misfit(Exception):
    """A part of YAML that a configuration does not use."""

    def __init__(self, node: Node, key: str, **detail: object) -> None:
        self.line, self.key, self.detail = node.start_mark.line + 1, key, detail


def _read_value(node: Node, names: tuple[str, ...], lines: dict[tuple[str, ...], int]) -> Any:
    """Return the value of a node, and enter the line of each key in it; scalars stay text."""
    if node.anchor is not None:
        raise _Misfit(node, "config.alias")
    if isinstance(node, MappingNode):
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise _Misfit(key, "config.strange_key")
            path = (*names, key.value)
            if path in lines:
                raise _Misfit(key, "config.twice", name=key.value, first=lines[path])
            lines[path] = key.start_mark.line + 1
            values[key.value] = _read_value(value, path, lines)
        return values
    if isinstance(node, SequenceNode):
        return [_read_value(item, (*names, str(index)), lines) for index, item in enumerate(node.value)]
    assert isinstance(node, ScalarNode)
    return None if node.style is None and node.value in _NULL else node.value


def suggest_name(name: str, known: Sequence[str]) -> object:
    """Return the suggestion of the nearest known name, empty where none is near."""
    near = difflib.get_close_matches(name, known, n=1)
    return make_message("config.near", name=near[0]) if near else ""


@dataclass(frozen=True, slots=True)
class FaultRenderer:
    """Renders faults with the line or variable of each."""

    document: Document
    path: Path | None
    keys: Sequence[tuple[str, ...]]  # every known key
    variables: Mapping[tuple[str, ...], str]  # keys that the environment has set

    def get_fault_position(self, error: Any) -> Position:
        """Return the position of a fault; without one, the first of all."""
        return self.document.get_position(_path_of(error)) or Position(Path(), 0)

    def render_fault(self, error: Any) -> Message:
        """Return a fault as a sentence."""
        names = _path_of(error)
        origin = self._render_origin(names)
        where = ".".join(name for name in names if not name.isdigit())
        if error["type"] == "extra_forbidden":
            if _KEY_NAMES.fullmatch(names[-1].replace("_", "").lower()):
                return make_message("config.misplaced_secret", place=origin, where=where)
            siblings = [known[-1] for known in self.keys if known[:-1] == names[:-1]]
            siblings += [known[0] for known in self.keys if len(names) == 1]
            return make_message(
                "config.unknown_key", place=origin, where=where, near=suggest_name(names[-1], siblings)
            )
        return make_message(
            "config.value",
            place=origin,
            where=where,
            fault=_describe_fault(error),
            found=_describe_value(error),
        )

    def _render_origin(self, names: tuple[str, ...]) -> object:
        if names in self.variables:
            return make_message("config.variable", name=self.variables[names])
        position = self.document.get_position(names) or self.path
        return f"{position}: " if position is not None else ""


def _path_of(error: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in error["loc"])


def _describe_value(error: Any) -> object:
    """Return the value, where our own sentence does not name it and it is short and no secret."""
    value, secret = error.get("input"), SECRET.search(_path_of(error)[-1] if error["loc"] else "")
    if error["type"] in {OURS, "missing"} or secret or not isinstance(value, str | int | float):
        return ""
    text = str(value)
    return make_message("config.found", value=text) if 0 < len(text) <= MAX_SHOWN else ""


def _describe_fault(error: Any) -> Message:
    """Return the fault of a value: our own sentence, or ours for pydantic's kind of error."""
    context = error.get("ctx", {})
    if error["type"] == OURS:
        return make_message(context["key"], **context["detail"])
    if not is_known(key := f"config.pydantic.{error['type']}"):
        return make_finished_message(error["type"], error["msg"], error["msg"])
    expected = join_messages(str(context.get("expected", "")).split(" or "), "separator.or")
    plain = {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
    return make_message(key, **{**plain, "expected": expected})
