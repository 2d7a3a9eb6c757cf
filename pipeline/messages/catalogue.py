"""The sentences that a key of any room may ask for: those of exceptions, and the small words between others."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.messages import (
    cli,
    columns,
    config,
    credentials,
    ledger,
    punctuation,
    resolution,
    review_file,
    sandbox,
    status,
    system,
    usage,
)
from pipeline.messages.localized import Phrase, Words

TABLES: tuple[Mapping[str, Words], ...] = (
    cli.WORDS,
    columns.WORDS,
    config.WORDS,
    credentials.WORDS,
    resolution.WORDS,
    review_file.WORDS,
    ledger.WORDS,
    punctuation.WORDS,
    sandbox.WORDS,
    status.WORDS,
    system.WORDS,
    usage.WORDS,
)
SENTENCES: Mapping[str, Words] = {key: words for table in TABLES for key, words in table.items()}


def phrase(key: str, /, **detail: object) -> Phrase:
    """Return a sentence of the catalogue, to be said in either language; KeyError for a key that it does not know."""
    return Phrase(SENTENCES[key], detail)


def say(key: str, language: str, /, **detail: object) -> str:
    """Return a sentence of the catalogue in ``zh`` or ``en``."""
    return phrase(key, **detail).say(language)
