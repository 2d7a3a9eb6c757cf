"""Our own headings on a To fix sheet, told from the roster's where that has a column of the same title.

Ours then carry the program's name: ``row_id`` of the roster stays ``row_id``, ours is ``row_id (esign-import)``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

ROW_ID, CHECK = "row_id", "check"  # of the two hidden columns, in every language
_MOST = 10  # marks that are tried; a roster made of an old To fix sheet brings one along


def unique_heading(words: Sequence[str], word: str, taken: Collection[str]) -> str:
    """Return our heading beside columns titled ``taken``: ``word``, which is one of ``words``, the same in all languages."""
    titles = {title.strip() for title in taken}
    free = (mark for mark in range(_MOST) if titles.isdisjoint(_marked(each, mark) for each in words))
    return _marked(word, next(free, _MOST))


def find_heading(words: Sequence[str], titles: Collection[str]) -> str | None:
    """Return which of these titles is our heading, None where it is not among them."""
    for mark in range(_MOST, -1, -1):
        names = {_marked(each, mark) for each in words}
        if (title := next((each for each in titles if each.strip() in names), None)) is not None:
            return title
    return None


def _marked(word: str, mark: int) -> str:
    return word if not mark else f"{word} (esign-import{f' {mark}' if mark > 1 else ''})"


def seal_line(*shown: str) -> str:
    """Return what the check of a line of the sheet All is made of: name, masked number, seal name and SealId as shown."""
    return "\n".join(each.strip() for each in shown)
