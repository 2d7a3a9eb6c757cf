"""Short findings that are kept in English, and how a reader is told them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache

from pipeline.messages.localized import Bilingual
from pipeline.messages.problem_entries import FINDINGS, PHRASES
from pipeline.messages.punctuation import WORDS as MARKS

Patterns = tuple[tuple[re.Pattern[str], str], ...]

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


def told_of(text: str) -> Bilingual:
    """Return a phrase that is told in both languages."""
    return Bilingual(in_words(text, "zh"), in_words(text, "en"))


def is_phrase(text: str) -> bool:
    """Tell whether every part of a text is a phrase of the catalogue."""
    return all(part in PHRASES for part in text.split(_COLON))


@lru_cache(maxsize=1000)
def finding(english: str) -> str:
    """Return what was found in a file or picture in Chinese, with the place in it; what nobody lists as it is."""
    return PHRASES.get(english) or filled(english, _findings()) or english


def filled(english: str, known: Patterns) -> str | None:
    """Return a text in Chinese with what stands in its blanks; None where no entry fits."""
    for pattern, zh in known:
        if found := pattern.fullmatch(english):
            return zh.format(*found.groups())
    return None


@cache
def _findings() -> Patterns:
    return patterns(FINDINGS)


def patterns(table: Mapping[str, str]) -> Patterns:
    """Return the entries with blanks, those that say most first: “row 5: > 3 columns” is more than “row …”."""
    return tuple(
        (re.compile(re.escape(en).replace(r"\{\}", "(.+?)")), table[en])
        for en in sorted(table, key=len, reverse=True)
    )
