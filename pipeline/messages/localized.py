"""Values that can be rendered in Chinese or English.

A table of messages maps a key to ``(zh, en)`` with blanks such as ``{path}``. The value of a blank may be localizable
itself. A message is put together only when it is shown, in the language that is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pipeline.domain.keyed_text import KeyedText
from pipeline.messages.texts import render_text

Pair = tuple[str, str]  # zh, en


@runtime_checkable
class Localizable(Protocol):
    """A value that exists in both languages."""

    def render(self, language: str) -> str:
        """Return them in ``zh`` or ``en``."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """An entry of a table, and the values of its blanks."""

    words: Pair
    detail: Mapping[str, object]

    def render(self, language: str) -> str:
        """Return the words in ``zh`` or ``en``, what fills them in the same language."""
        zh, en = self.words
        values = {name: render_value(value, language) for name, value in self.detail.items()}
        return (zh if language == "zh" else en).format_map(values)


@dataclass(frozen=True, slots=True)
class Bilingual:
    """A finished text in both languages."""

    zh: str
    en: str

    def render(self, language: str) -> str:
        """Return them in ``zh`` or ``en``."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class JoinedTexts:
    """Several texts, one after the other."""

    parts: Sequence[object]
    between: object = "\n"

    def render(self, language: str) -> str:
        """Return them in ``zh`` or ``en``."""
        return str(render_value(self.between, language)).join(
            str(render_value(part, language)) for part in self.parts
        )


def render_value(value: object, language: str) -> object:
    """Render a localizable value in ``zh`` or ``en``; return any other value unchanged."""
    if isinstance(value, KeyedText):
        return render_text(value, language)
    return value.render(language) if isinstance(value, Localizable) else value
