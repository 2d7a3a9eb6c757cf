"""Writes a configuration as YAML, each key below its explanation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import time
from typing import Any

from pipeline.config.settings import Config

_PLAIN = re.compile(r"[A-Za-z][\w.-]*|…")  # a YAML scalar that needs no quotes
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def explain_key(names: Sequence[str], language: str) -> str:
    """Return what a key means: ``("api", "app_id")``, or a section: ``("api",)``."""
    section: Any = Config
    for name in names[:-1]:
        section = section.model_fields[name].annotation
    zh, en = section.model_fields[names[-1]].description.split("\n")
    return str(zh if language == "zh" else en)


def render_config(
    values: Mapping[str, Any], languages: Sequence[str], names: tuple[str, ...] = ()
) -> list[str]:
    """Return the lines of a configuration with these values, or of the section ``names`` in it."""
    lines: list[str] = []
    indent = "  " * len(names)
    for name, value in values.items():
        path = (*names, name)
        explained = [explain_key(path, language).replace("`", "") for language in languages]
        lines += [*([] if names else [""]), *(f"{indent}# {text}" for text in explained)]
        if isinstance(value, Mapping) and value:
            lines += [f"{indent}{name}:", *render_config(value, languages, path)]
        else:
            lines.append(f"{indent}{name}: {render_value(value)}")
    return lines


def render_value(value: object) -> str:
    """Return a value as YAML reads it back."""
    if value is None or isinstance(value, bool | int | float | Mapping):
        return json.dumps(value)
    if isinstance(value, time):
        return json.dumps(f"{value:%H:%M}")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(render_value, value))}]"
    text = str(value)
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if is_plain else json.dumps(text, ensure_ascii=False)
