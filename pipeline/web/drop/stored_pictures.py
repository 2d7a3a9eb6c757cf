"""The list of the pictures in their folder: each with the doctor whose it is by the newest check."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from unicodedata import normalize

from pipeline.clock import run_id, shown, stamp
from pipeline.domain.roster import format_size
from pipeline.reports.presenter import Presenter
from pipeline.web.drop.listing import FolderListing, StoredFile, get_file
from pipeline.web.rows.checked_rows import CheckedRows, NewestRows
from pipeline.web.rows.row_cards import name_doctors

ON_PAGE = 50  # pictures


@dataclass(frozen=True, slots=True)
class WantedPictures:
    """Which part of the list is shown."""

    query: str = ""
    first: int = 0


class StoredPictures:
    """Describes the pictures of one hospital; reads those alone that are shown. Its methods block."""

    def __init__(self, listing: FolderListing, newest: NewestRows) -> None:
        self._listing, self._newest = listing, newest

    def collect(self, wanted: WantedPictures, presenter: Presenter) -> dict[str, object]:
        """Return the values of the list, with their digest."""
        selected = self._search(wanted.query)
        first = wanted.first if wanted.first < len(selected) else 0
        checked = self._newest.get()
        stored = [get_file(Path(path)) for path in islice(selected, first, first + ON_PAGE)]
        pictures = [self._describe(file, checked, presenter) for file in stored if file is not None]
        values: dict[str, object] = {
            "pictures": pictures,
            "total": len(selected),
            "first": first,
            "query": wanted.query,
            "following": first + ON_PAGE if first + ON_PAGE < len(selected) else None,
            "former": max(0, first - ON_PAGE) if first else None,
        }
        text = json.dumps([presenter.language, values], sort_keys=True)
        return {**values, "digest": hashlib.sha256(text.encode()).hexdigest()[:16]}

    def _search(self, query: str) -> Sequence[str]:
        """Return the pictures whose names, with their folders, hold all words of a search."""
        pictures = self._listing.list_pictures()
        words = _fold(query).split()
        if not words:
            return pictures
        start = len(str(self._listing.root)) + 1
        names = ((path, _fold(path[start:])) for path in pictures)
        return [path for path, name in names if all(word in name for word in words)]

    def _get_name(self, path: str) -> str:
        """Return the path below the folder of pictures."""
        return path[len(str(self._listing.root)) + 1 :].replace(os.sep, "/")

    def _describe(
        self, stored: StoredFile, checked: CheckedRows | None, presenter: Presenter
    ) -> dict[str, object]:
        return {
            "id": stored.id,
            "stamp": stored.stamp,
            "name": presenter.mask_text(self._get_name(str(stored.path))),
            "size": f"{format_size(stored.size)}, {shown(stamp(stored.modified))}",
            **_describe_owner(stored, checked, presenter),
        }


def _describe_owner(
    stored: StoredFile, checked: CheckedRows | None, presenter: Presenter
) -> dict[str, object]:
    """Return whose a picture is by the newest check, and whether a person has to look at it."""
    digest = ""
    with suppress(OSError):
        digest = stored.digest()
    if checked is not None:
        if rows := checked.by_picture.get(digest):
            return {"owner": name_doctors(rows, presenter), "is_matched": True}
        if rows := checked.by_candidate.get(digest):
            names = name_doctors(rows, presenter)
            return {"owner": presenter.render("web.drop.perhaps", names=names), "is_matched": False}
    is_new = checked is None or run_id(stored.modified) > checked.run
    key = "web.drop.not_checked" if is_new else "web.drop.unmatched"
    return {"owner": presenter.render(key), "is_matched": False}


def _fold(text: str) -> str:
    return normalize("NFKC", text).casefold()
