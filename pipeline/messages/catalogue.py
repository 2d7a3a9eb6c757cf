"""Sentences: looks a message up by its key and renders it in Chinese or English.

A text has blanks such as ``{path}``. The value of a blank may be localizable itself. A message is put together only when
it is shown, in the language that is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pipeline.domain.keyed_text import KeyedText
from pipeline.domain.service_codes import NAME_EXISTS
from pipeline.messages.areas import get_pair, get_words, is_known
from pipeline.messages.texts import render_text

Pair = tuple[str, str]  # zh, en
# a time as the ledger holds it
_STAMP = re.compile(r"\b(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d)?[+-]\d\d:\d\d")
# a picture in a roster that its owner moves within the sheet; others are saved as files
_MOVED = frozenset({"stray.no_doctor", "stray.no_roster", "stray.no_row"})


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
        values = {name: render_value(value, language) for name, value in self.detail.items()}
        return self.words[language != "zh"].format_map(values)


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


def make_phrase(key: str, /, **detail: object) -> Phrase:
    """Return a sentence of the catalogue, to be said in either language; KeyError for a key that it does not know."""
    return Phrase(get_pair(key), detail)


def render(key: str, language: str, /, **detail: object) -> str:
    """Return a sentence of the catalogue in ``zh`` or ``en``."""
    return make_phrase(key, **detail).render(language)


def describe_halt_reason(code: str, message: str, language: str) -> str:
    """Return why a run halted; the service's own codes speak by their message."""
    key = f"halt.{code}"
    if code == "SAME_REFUSAL" and NAME_EXISTS in message:
        key = "halted.same_names"
    text = _STAMP.sub(r"\1 \2", render_text(message, language))
    return render(key, language, message=text) if is_known(key) else message


def explain_unassigned_image(why: str, language: str) -> tuple[str, str]:
    """Return why a picture in a roster was not used, and what to do."""
    key = why.key if isinstance(why, KeyedText) else why
    advice = "stray.move" if key in _MOVED else "stray.save"
    return get_words(f"{key}.reason")[language], get_words(advice)[language]


def render_review_text(key: str, language: str, **detail: object) -> str:
    """Return a text of the review page in ``zh`` or ``en``; without values its blanks stay, for the page's script."""
    text = get_words(f"review_page.{key}")[language]
    return text.format_map(detail) if detail else text
