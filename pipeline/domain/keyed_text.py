"""Short texts that keep the key and the arguments they were made from, so that they can be shown in either language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self


class KeyedText(str):
    """An English text of `pipeline.messages.texts` with its key and arguments.

    It is a plain string to all code that only passes it on, compares it or logs it. ``str(text)`` returns the text
    itself, key included; every other string operation returns a plain string. It is stored as its key and arguments.
    """

    __slots__ = ("arguments", "key")
    key: str
    arguments: Mapping[str, str]

    def __new__(cls, english: str, key: str, arguments: Mapping[str, str]) -> Self:
        """Make a text; ``english`` is what the key and the arguments give in English."""
        text = super().__new__(cls, english)
        text.key, text.arguments = key, dict(arguments)
        return text

    def __str__(self) -> str:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self[:], self.key, self.arguments)

    def change(self, change: Callable[[str], str]) -> KeyedText:
        """Return the text with ``change`` applied to it and to its arguments, for example to mask numbers."""
        return KeyedText(
            change(self[:]),
            self.key,
            {name: change_text(value, change) for name, value in self.arguments.items()},
        )


def change_text(text: str, change: Callable[[str], str]) -> str:
    """Return ``change`` of a text; a keyed text keeps its key."""
    return text.change(change) if isinstance(text, KeyedText) else change(text)
