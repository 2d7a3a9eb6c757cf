"""The one catalogue: everything a person reads, in Chinese and English; one table a surface or a room.

A table maps a key to ``(zh, en)``, with blanks such as ``{path}``. What fills a blank may itself speak both languages
(`Localizable`): a sentence is put together only when somebody reads it, in the language that is asked for.
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
    """Something that has its words in both languages."""

    def render(self, language: str) -> str:
        """Return them in ``zh`` or ``en``."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """An entry of the catalogue, and what fills its blanks."""

    words: Pair
    detail: Mapping[str, object]

    def render(self, language: str) -> str:
        """Return the words in ``zh`` or ``en``, what fills them in the same language."""
        zh, en = self.words
        said = {name: render_value(value, language) for name, value in self.detail.items()}
        return (zh if language == "zh" else en).format_map(said)


@dataclass(frozen=True, slots=True)
class Bilingual:
    """Words as they stand, for what comes from outside and was found in the catalogue, or was not."""

    zh: str
    en: str

    def render(self, language: str) -> str:
        """Return them in ``zh`` or ``en``."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class JoinedTexts:
    """Several things said one after the other."""

    parts: Sequence[object]
    between: object = "\n"

    def render(self, language: str) -> str:
        """Return them in ``zh`` or ``en``."""
        return str(render_value(self.between, language)).join(
            str(render_value(part, language)) for part in self.parts
        )


def render_value(value: object, language: str) -> object:
    """Return what a value says in ``zh`` or ``en``; one that does not speak is returned as it is."""
    if isinstance(value, KeyedText):
        return render_text(value, language)
    return value.render(language) if isinstance(value, Localizable) else value
