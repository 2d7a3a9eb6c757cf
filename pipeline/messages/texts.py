"""Short texts inside other messages, by key: what was found in a file or picture, what happened on the wire.

`make_text` returns a `KeyedText`: an English string that knows its key and arguments. Stages pass it on in a problem's
detail, a note or an answer's message; `render_text` shows it in either language, `dump_text` and `load_text` store it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.domain.keyed_text import KeyedText
from pipeline.messages.areas import get_words, is_known

LIST = "list"  # the key of several texts in a row


def make_text(key: str, /, **arguments: object) -> KeyedText:
    """Return the text of a key; KeyError where the catalogue has none."""
    given = {name: value if isinstance(value, str) else str(value) for name, value in arguments.items()}
    return KeyedText(get_words(key)["en"].format_map(given), key, given)


def join_texts(texts: Iterable[str]) -> str:
    """Return several texts with commas between them, each keeping its key."""
    parts = list(texts)
    if not any(isinstance(part, KeyedText) for part in parts):
        return ", ".join(parts)
    return KeyedText(", ".join(parts), LIST, {str(number): part for number, part in enumerate(parts)})


def render_text(text: str, language: str) -> str:
    """Return a text in ``zh`` or ``en``; one without a key, such as a file's name or the service's words, as it is."""
    if not isinstance(text, KeyedText):
        return text
    arguments = {name: render_text(value, language) for name, value in text.arguments.items()}
    if text.key == LIST:
        return get_words("mark.comma")[language].join(arguments.values())
    if not is_known(text.key):  # of a newer version
        return text[:]
    return get_words(text.key)[language].format_map(arguments)


def name_field(field: str, language: str) -> str:
    """Return the name of a field of the roster; a word that is no field is returned as it is."""
    return get_words(f"field.{field}")[language] if is_known(f"field.{field}") else field


def dump_text(text: str) -> str | dict[str, Any]:
    """Return a text as JSON holds it: a keyed one as its key and arguments."""
    if not isinstance(text, KeyedText):
        return text
    arguments = {name: dump_text(value) for name, value in text.arguments.items()}
    return {"key": text.key, "arguments": arguments} if arguments else {"key": text.key}


def load_text(stored: object) -> str:
    """Return a text that was stored; what an older version stored has no key and is returned as it is."""
    match stored:
        case {"key": str(key), "arguments": dict(arguments)}:
            given = {name: load_text(value) for name, value in arguments.items()}
        case {"key": str(key)}:
            given = {}
        case _:
            return str(stored)
    if key == LIST:
        return join_texts(given.values())
    english = get_words(key)["en"].format_map(given) if is_known(key) else key
    return KeyedText(english, key, given)


def dump_texts(fields: Mapping[str, str]) -> dict[str, object]:
    """Return fields of a JSON object: texts in English, and under ``texts`` the keyed ones by key and arguments."""
    keyed = {name: dump_text(text) for name, text in fields.items() if isinstance(text, KeyedText)}
    return {**fields, **({"texts": keyed} if keyed else {})}


def load_texts(stored: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields that `dump_texts` stored, with their keys."""
    keyed = stored.get("texts") or {}
    return {name: load_text(keyed.get(name, text)) for name, text in stored.items() if name != "texts"}


def dump_line(text: str | None) -> str | None:
    """Return a text as a column of the ledger holds it."""
    return json.dumps(dump_text(text), ensure_ascii=False) if isinstance(text, KeyedText) else text


def load_line(stored: str | None) -> str | None:
    """Return a text that a column of the ledger holds."""
    if stored is None or not stored.startswith('{"key": '):
        return stored
    try:
        return load_text(json.loads(stored))
    except (ValueError, LookupError):  # an answer's own words that only look so
        return stored
