"""Short findings that are kept in English, and how a reader is told them."""

from __future__ import annotations

import re

from pipeline.words import Either
from pipeline.words.marks import WORDS as MARKS
from pipeline.words.problems import PHRASES

_COLON = ": "
_STAMP = re.compile(r"\b(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d)?[+-]\d\d:\d\d")
_MINUTES = re.compile(r"\b(\S+) min\b")


def in_words(text: str, language: str) -> str:
    """Return a phrase, or several with a colon between them, as the reader says it; what nobody catalogued stays."""
    text = _STAMP.sub(r"\1 \2", text)
    if language != "zh":
        return text
    text = _MINUTES.sub(r"\1 分钟", text)
    return MARKS["mark.colon"][0].join(PHRASES.get(part, part) for part in text.split(_COLON))


def told_of(text: str) -> Either:
    """Return a phrase that is told in both languages."""
    return Either(in_words(text, "zh"), in_words(text, "en"))


def is_phrase(text: str) -> bool:
    """Tell whether every part of a text is a phrase of the catalogue."""
    return all(part in PHRASES for part in text.split(_COLON))
