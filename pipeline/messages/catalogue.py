"""Makes messages of the catalogue, renders them in Chinese or English, stores them and reads them back.

Stages pass a `Message` on in a problem's detail, a note, an error or an answer; it is rendered when it is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.domain.message import LIST, Message, fill_text
from pipeline.messages.areas import get_texts, get_words, is_known


def make_message(key: str, /, **arguments: object) -> Message:
    """Return the message of a key; KeyError for a key or a blank that the catalogue or the arguments lack."""
    return Message(key, arguments, get_texts(key))


def make_finished_message(key: str, zh: str, en: str) -> Message:
    """Return a text that is complete in both languages, under the key it was made from."""
    zh, en = (text.replace("{", "{{").replace("}", "}}") for text in (zh, en))
    return Message(key, {}, (zh, en))


def join_messages(parts: Iterable[object], between: str = "separator.comma") -> Message:
    """Return several texts as one; ``between`` is the key of a separator, or what stands between them in every language."""
    words = get_texts(between) if is_known(between) else (between, between)
    return Message(LIST, {str(number): part for number, part in enumerate(parts)}, words)


def join_texts(texts: Iterable[str]) -> str:
    """Return several texts with commas between them: a message if one of them is one."""
    parts = list(texts)
    is_plain = not any(isinstance(part, Message) for part in parts)
    return ", ".join(parts) if is_plain else join_messages(parts)


def render(key: str, language: str, /, **arguments: object) -> str:
    """Return a text of the catalogue in ``zh`` or ``en``."""
    return fill_text(key, arguments, get_texts(key), language)


def render_text(text: str, language: str) -> str:
    """Return a message in ``zh`` or ``en``; a plain text, such as a file's name or the service's words, as it is."""
    return text.render(language) if isinstance(text, Message) else text


def name_field(field: str, language: str) -> str:
    """Return the name of a field of the roster; a word that is no field is returned as it is."""
    key = f"field.{field}"
    return get_words(key)[language] if is_known(key) else field


# -- messages in files and in the ledger


def dump_text(text: object) -> object:
    """Return a text as JSON holds it: a message as its key and arguments."""
    if not isinstance(text, Message):
        return str(text)
    arguments = {name: dump_text(value) for name, value in text.arguments.items()}
    return {"key": text.key, "arguments": arguments} if arguments else {"key": text.key}


def load_text(stored: object) -> str:
    """Return a text that was stored; one that is no message is returned as it is."""
    match stored:
        case {"key": str(key), "arguments": dict(arguments)}:
            given = {name: load_text(value) for name, value in arguments.items()}
        case {"key": str(key)}:
            given = {}
        case _:
            return str(stored)
    if key == LIST:
        return join_messages(given.values())
    words = get_texts(key) if is_known(key) else (key, key)  # of a newer version
    return Message(key, given, words)


def dump_texts(fields: Mapping[str, str]) -> dict[str, object]:
    """Return fields of a JSON object: texts in English, and under ``texts`` the messages by key and arguments."""
    messages = {name: dump_text(text) for name, text in fields.items() if isinstance(text, Message)}
    return {**fields, **({"texts": messages} if messages else {})}


def load_texts(stored: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields that `dump_texts` stored, with their messages."""
    messages = stored.get("texts") or {}
    return {name: load_text(messages.get(name, text)) for name, text in stored.items() if name != "texts"}


def dump_line(text: str | None) -> str | None:
    """Return a text as a column of the ledger holds it."""
    return json.dumps(dump_text(text), ensure_ascii=False) if isinstance(text, Message) else text


def load_line(stored: str | None) -> str | None:
    """Return a text that a column of the ledger holds."""
    if stored is None or not stored.startswith('{"key": '):
        return stored
    try:
        return load_text(json.loads(stored))
    except (ValueError, LookupError):  # an answer's own words that only look so
        return stored
