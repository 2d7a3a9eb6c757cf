"""Looks up messages by key: those of commands, exceptions and punctuation, from all tables."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.messages import cli, config, ledger, pages, resolution, setup, system, usage
from pipeline.messages.localized import Pair, Phrase

TABLES: tuple[Mapping[str, Pair], ...] = (
    cli.CLI_TEXTS,
    config.COLUMN_TEXTS,
    config.CONFIG_TEXTS,
    config.CREDENTIAL_TEXTS,
    config.FAULT_FILE_TEXTS,
    ledger.LEDGER_TEXTS,
    pages.REVIEW_FILE_TEXTS,
    resolution.CERTIFY_TEXTS,
    resolution.RESOLUTION_TEXTS,
    setup.SETUP_TEXTS,
    system.DISK_TEXTS,
    system.MARKS,
    usage.STATUS_TEXTS,
    usage.USAGE_TEXTS,
)
SENTENCES: Mapping[str, Pair] = {key: words for table in TABLES for key, words in table.items()}


def make_phrase(key: str, /, **detail: object) -> Phrase:
    """Return a sentence of the catalogue, to be said in either language; KeyError for a key that it does not know."""
    return Phrase(SENTENCES[key], detail)


def render(key: str, language: str, /, **detail: object) -> str:
    """Return a sentence of the catalogue in ``zh`` or ``en``."""
    return make_phrase(key, **detail).render(language)
