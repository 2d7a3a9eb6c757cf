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

from pipeline.errors import UsageError
from pipeline.model import Judged, Judgement

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
    """Not what a review page saves: why, in English and Chinese."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.words = en, zh


def read(path: Path, mark: str) -> Judgements:
    """Return the judgements of a file that a page of this tenant saved; ``mark`` is `SiteKey.reviews`.

    Raises UsageError where it is no such file, damaged, changed by hand, or of another hospital or environment.
    """
    try:
        return _checked(_parsed(path), mark)
    except _Wrong as wrong:
        en, zh = wrong.words
        raise UsageError(
            f"{path}: {en}. Open review.html, save the judgements once more and name that file; nothing was sent.",
            f"{path}：{zh}。请打开 review.html 重新保存核对结果，并写那个文件；没有发送任何内容。",
        ) from None


def anew(review: Judgements, known: Mapping[str, Judgement]) -> dict[str, Judged]:
    """Return the judgements that say something new.

    An old file never undoes a later “wrong”: whoever takes one back saves the page once more.
    """
    return {
        identity: judged
        for identity, judged in review.judged.items()
        if (before := known.get(identity)) is None
        or (judged != before.judged and (judged == "wrong" or review.saved > before.at))
    }


def tally(review: Judgements, ids: Iterable[str]) -> tuple[int, int, int]:
    """Return how many judgements say right, say wrong, and belong to none of ``ids``."""
    here = set(ids)
    said = list(review.judged.values())
    return said.count("right"), said.count("wrong"), sum(each not in here for each in review.judged)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise _Wrong("too large for a review file", "文件过大，不是核对结果")
        told = json.loads(path.read_text("utf-8-sig"), object_pairs_hook=_once)
    except OSError as error:
        why = error.strerror or str(error)
        raise _Wrong(f"cannot be read ({why})", f"无法读取（{why}）") from None
    except (ValueError, RecursionError):
        raise _Wrong(
            "not a review file, or damaged (no whole JSON)", "不是核对结果文件，或已损坏（不是完整的 JSON）"
        ) from None
    if not isinstance(told, dict) or told.get("tool") != TOOL or told.get("kind") != KIND:
        raise _Wrong("not a review file of this program", "不是本程序保存的核对结果")
    return told


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) != len(pairs):
        raise ValueError("a name stands twice")
    return told


def _checked(told: Mapping[str, Any], mark: str) -> Judgements:
    if told.get("schema") != SCHEMA:
        raise _Wrong("saved by another version of this program", "由另一版本的程序保存")
    if told.get("site") != mark:
        raise _Wrong(
            "the review of another hospital, environment or ledger key",
            "是另一家医院、另一环境或另一台账密钥的核对结果",
        )
    judged, run = told.get("judgements"), told.get("run")
    if not isinstance(judged, dict) or not isinstance(run, str) or not _add_up(told, judged):
        raise _Wrong("damaged or changed by hand", "已损坏或被手工改过")
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
        raise _Wrong("damaged or changed by hand", "已损坏或被手工改过")
    return moment.timestamp()
