"""How findings about a file or picture, which problems carry in English, are said in Chinese."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from pipeline.words.problems import FINDINGS, PHRASES


@lru_cache(maxsize=1000)
def finding(english: str) -> str:
    """Return a finding in Chinese; what nobody lists as it is."""
    if english in PHRASES:
        return PHRASES[english]
    for pattern, zh in _patterns():
        if found := pattern.fullmatch(english):
            return zh.format(*found.groups())
    return english


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the findings with blanks, those that say most first: “row 5: > 3 columns” is more than “row …”."""
    return tuple(
        (re.compile(re.escape(en).replace(r"\{\}", "(.+?)")), FINDINGS[en])
        for en in sorted(FINDINGS, key=len, reverse=True)
    )
