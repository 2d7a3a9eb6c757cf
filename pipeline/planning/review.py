"""A file of judgements, saved by the review page and given back with ``run --review``: read, and checked to be ours.

It holds no name and no number: a judgement belongs to a digest that only the site key can make (`SiteKey.judgement`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from pipeline.domain.run import Judged, Judgement
from pipeline.errors import UsageError, reason_of
from pipeline.messages.catalogue import phrase

SCHEMA = 1
TOOL, KIND = "esign-import", "review"
MOST_BYTES = 100_000_000  # a million judgements have half as many

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Judgements:
    """What a saved review says."""

    run: str  # whose page it was
    saved: float  # unix seconds, by the browser's clock
    judged: Mapping[str, Judged]


class _Wrong(Exception):
    """Not what a review page saves: why, by a key of the catalogue."""

    def __init__(self, key: str, /, **detail: object) -> None:
        super().__init__(key)
        self.why = phrase(key, **detail)


def read(path: Path, mark: str) -> Judgements:
    """Return the judgements of a file that a page of this tenant saved; ``mark`` is `SiteKey.reviews`.

    Raises UsageError where it is no such file, damaged, changed by hand, or of another hospital or environment.
    """
    try:
        return _checked(_parsed(path), mark)
    except _Wrong as wrong:
        raise UsageError("review.refused", path=path, why=wrong.why) from None


def find_new_judgements(review: Judgements, known: Mapping[str, Judgement]) -> dict[str, Judged]:
    """Return the judgements that say something new.

    An old file never undoes a later “wrong”: whoever takes one back saves the page once more.
    """
    return {
        identity: judged
        for identity, judged in review.judged.items()
        if (before := known.get(identity)) is None
        or (judged != before.judged and (judged == "wrong" or review.saved > before.at))
    }


def count_judgements(review: Judgements, ids: Iterable[str]) -> tuple[int, int, int]:
    """Return how many judgements say right, say wrong, and belong to none of ``ids``."""
    here = set(ids)
    said = list(review.judged.values())
    return said.count("right"), said.count("wrong"), sum(each not in here for each in review.judged)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise _Wrong("review.too_large")
        told = json.loads(path.read_text("utf-8-sig"), object_pairs_hook=_once)
    except OSError as error:
        raise _Wrong("review.unreadable", why=reason_of(error)) from None
    except (ValueError, RecursionError):
        raise _Wrong("review.no_json") from None
    if not isinstance(told, dict) or told.get("tool") != TOOL or told.get("kind") != KIND:
        raise _Wrong("review.not_ours")
    return told


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) != len(pairs):
        raise ValueError("a name stands twice")
    return told


def _checked(told: Mapping[str, Any], mark: str) -> Judgements:
    if told.get("schema") != SCHEMA:
        raise _Wrong("review.other_version")
    if told.get("site") != mark:
        raise _Wrong("review.other_hospital")
    judged, run = told.get("judgements"), told.get("run")
    if not isinstance(judged, dict) or not isinstance(run, str) or not _add_up(told, judged):
        raise _Wrong("review.changed")
    return Judgements(run, _moment(told.get("saved")), judged)


def _add_up(told: Mapping[str, Any], judged: Mapping[str, Any]) -> bool:
    said = list(judged.values())
    return (
        all(map(_ID.fullmatch, judged))
        and all(told.get(word) == said.count(word) for word in get_args(Judged))
        and all(word in get_args(Judged) for word in said)
    )


def _moment(text: object) -> float:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _Wrong("review.changed")
    return moment.timestamp()
