"""Whose name a picture shows: a different doctor's only where it is plain, else no opinion."""

from __future__ import annotations

from collections.abc import Collection, Iterable

CLEAR = 0.67  # share of a name's characters: so many must be seen of another's
ABSENT = 0.34  # and no more of one's own
SHORTEST = 2  # characters of a name that can be told by them


def find_mismatched_name(own: str, names: Collection[str], texts: Iterable[str]) -> str | None:
    """Return the name among ``names`` that the texts clearly show in place of ``own``, None in every case of doubt.

    The texts are readings of one picture; each name counts by its best. They are taken one by one, and no further once
    enough of the own name was seen.
    """
    if len(_characters(own)) < SHORTEST:
        return None
    others = {name: 0.0 for name in names if name != own and len(_characters(name)) >= SHORTEST}
    for text in texts:
        if share(own, text) > ABSENT:
            return None
        others = {name: max(best, share(name, text)) for name, best in others.items()}
    clearest = max(others, key=lambda name: (others[name], len(name), name), default=None)
    return clearest if clearest is not None and others[clearest] >= CLEAR else None


def share(name: str, text: str) -> float:
    """Return the share of a name's characters that stand in a text, in any order: seals are read in several."""
    characters = _characters(name)
    return sum(character in text for character in characters) / len(characters)


def _characters(name: str) -> str:
    return name.replace("·", "")
