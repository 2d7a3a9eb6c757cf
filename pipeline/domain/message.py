"""One kind of text that people read: a key of the catalogue and what fills its blanks, rendered in either language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Self

LIST = "list"  # the key of several texts in a row; their texts are the separator between them
COUNT = "n"  # the argument that chooses between the English texts for several and for one


class Message(str):
    """A text by its key and arguments; an argument may be a message itself.

    It is a plain string, the English text, to all code that only passes it on, compares it or logs it. ``str(text)`` returns
    the message itself; every other string operation returns a plain string. It is stored as its key and arguments.
    `pipeline.messages.catalogue` makes messages.
    """

    __slots__ = ("arguments", "key", "words")
    key: str
    arguments: Mapping[str, object]
    words: Sequence[
        str
    ]  # the texts of the key, with their blanks: Chinese, English and, of a count, English for one

    def __new__(cls, key: str, arguments: Mapping[str, object], words: Sequence[str]) -> Self:
        """Make a message; ``words`` are what the catalogue has under the key."""
        text = super().__new__(cls, fill_text(key, arguments, words, "en"))
        text.key, text.arguments, text.words = key, dict(arguments), words
        return text

    def __str__(self) -> str:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.key, self.arguments, self.words)

    def render(self, language: str) -> str:
        """Return the text in ``zh`` or ``en``, what fills its blanks in the same language."""
        return fill_text(self.key, self.arguments, self.words, language)

    def change(self, change: Callable[[str], str]) -> Message:
        """Return the message with ``change`` applied to its arguments, for example to mask numbers."""
        changed = {
            name: change(str(value)) if isinstance(value, PurePath) else change_text(value, change)
            for name, value in self.arguments.items()
        }
        return Message(self.key, changed, self.words)


def fill_text(key: str, arguments: Mapping[str, object], words: Sequence[str], language: str) -> str:
    """Return a text in ``zh`` or ``en`` with its blanks filled; ``words`` are what the catalogue has under the key."""
    zh, en, *en_one = words
    if language == "zh":
        text = zh
    elif en_one and str(arguments.get(COUNT)) == "1":
        (text,) = en_one
    else:
        text = en
    values = {name: render_value(value, language) for name, value in arguments.items()}
    if key == LIST:
        return text.join(map(str, values.values()))
    return text.format_map(values)


def render_value(value: object, language: str) -> object:
    """Return a message in ``zh`` or ``en``, any other value as it is."""
    return value.render(language) if isinstance(value, Message) else value


def change_text(value: object, change: Callable[[str], str]) -> Any:
    """Return ``change`` of a text; a message keeps its key, and what is no text stays as it is."""
    if isinstance(value, Message):
        return value.change(change)
    return change(value) if isinstance(value, str) else value
