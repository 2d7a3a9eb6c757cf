"""Reads a file of judgements, saved by the review page and given back with ``run --review``, and checks that it is ours.

It holds no name and no number: a judgement belongs to digests that only the site key can make (`PictureDecision.id`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from pipeline.domain.roster import Doctor, ImageFile
from pipeline.domain.run import REVIEW_REASON, Review, RowPlan, Status
from pipeline.domain.seals import Judged, PersonHistory, PictureDecision
from pipeline.errors import UsageError, reason_of
from pipeline.intake.pairing.decided_pictures import DecidedPictures
from pipeline.ledger.protocol import Ledger
from pipeline.messages.catalogue import make_message

SCHEMA = 1
TOOL, KIND = "esign-import", "review"
MAX_BYTES = 100_000_000  # 200,000 judgements have half as many
_ID = re.compile(r"[0-9a-f]{32}_[0-9a-f]{32}_[0-9a-f]{64}(?:_[0-9]+x[0-9]+_[0-9a-f]{64})?")
# statuses of rows of which a judgement may decide whether they are sent
_REVIEWED_STATUSES = frozenset({Status.READY, Status.NOT_SENT, Status.REJECTED})


@dataclass(frozen=True, slots=True)
class SavedReview:
    """The content of a saved review."""

    run: str  # whose page it was
    saved_at: float  # unix seconds, by the browser's clock
    judged: Mapping[str, Judged]
    new: Mapping[str, Judged]  # those that the ledger does not hold yet

    def list_new(self) -> list[PictureDecision]:
        """Return the new judgements."""
        return [PictureDecision.from_id(identity, judged) for identity, judged in self.new.items()]

    def count(self, row_plans: Iterable[RowPlan]) -> tuple[int, int, int]:
        """Return how many judgements are right, are wrong, and belong to none of these rows."""
        known = set()
        for row_plan in row_plans:
            if row_plan.review is not None and row_plan.status in _REVIEWED_STATUSES:
                known.add(row_plan.review.id)
        values = list(self.judged.values())
        foreign = sum(identity not in known for identity in self.judged)
        return values.count("right"), values.count("wrong"), foreign

    def record_new(self, ledger: Ledger, started: float, user: str) -> None:
        """Enter the new judgements in the ledger."""
        if self.new:
            judged_at = min(self.saved_at, started)  # a browser's clock may be ahead
            ledger.record_judgements(
                self.list_new(), now=judged_at, who=user, why=f"{REVIEW_REASON}{self.run}"
            )


def load_review(path: Path, site_digest: str, ledger: Ledger) -> SavedReview:
    """Return the judgements of a file that a page of this tenant saved; ``site_digest`` is `SiteKey.reviews`.

    Raises UsageError where it is no such file, damaged, changed by hand, or of another hospital or environment.
    """
    content = _parse(path)
    if (fault := _get_fault(content, site_digest)) is not None:
        raise _refuse(path, fault)
    judged, saved_at = content["judgements"], datetime.fromisoformat(content["saved"]).timestamp()
    return SavedReview(
        content["run"], saved_at, judged, _select_new(judged, saved_at, ledger.list_picture_decisions())
    )


def make_review(doctor: Doctor, image: ImageFile, decided: DecidedPictures) -> Review | None:
    """Return the pairing of a doctor with a picture, None where the doctor's name or number cannot be used."""
    if not (doctor.key and doctor.name):
        return None
    return Review(decided.decide("right", doctor, image).id, decided.get_judged(doctor, image))


def offer_held_image(
    row_plan: RowPlan, people: Mapping[str, PersonHistory], decided: DecidedPictures | None
) -> RowPlan:
    """Let a person decide on a picture that may be an earlier doctor's, where nothing else is wrong with the row.

    An earlier doctor with a seal, or a create without a verdict, may be the row's own person under another number.
    """
    doctor, image = row_plan.doctor, row_plan.doctor.held_image
    if image is None or decided is None or (review := make_review(doctor, image, decided)) is None:
        return row_plan
    errors = [problem for problem in row_plan.problems if problem.severity == "error"]
    if len(errors) > 1:
        return row_plan
    row_plan = replace(row_plan, review=review)
    earlier = people.get(errors[0].detail.get("person", ""))
    if earlier is None or not (earlier.seal or earlier.unresolved_attempt):
        return row_plan
    known = replace(errors[0], detail={**errors[0].detail, "known": "yes"})
    problems = tuple(known if problem is errors[0] else problem for problem in row_plan.problems)
    return replace(row_plan, problems=problems, possibly_same=earlier)


def _refuse(path: Path, key: str, **detail: object) -> UsageError:
    """Return the error for a file that is no saved review; ``key`` is that of the reason."""
    return UsageError("review.refused", path=path, page="review.html", why=make_message(key, **detail))


def _select_new(
    judged: Mapping[str, Judged], saved_at: float, decisions: Sequence[PictureDecision]
) -> dict[str, Judged]:
    """Return the judgements that differ from the known ones.

    An old file never undoes a later “wrong”: to take one back, the page is saved once more.
    """
    new = {}
    known = {one.id: one for one in decisions if one.decided != "given"}
    for identity, value in judged.items():
        before = known.get(identity)
        if before is not None:
            is_older = value == "right" and saved_at <= before.decided_at
            if value == before.decided or is_older:
                continue
        new[identity] = value
    return new


def _parse(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _refuse(path, "review.too_large")
        content = json.loads(path.read_text("utf-8-sig"), object_pairs_hook=_require_unique_names)
    except OSError as error:
        raise _refuse(path, "review.unreadable", why=reason_of(error)) from None
    except (ValueError, RecursionError):
        raise _refuse(path, "review.no_json") from None
    if not isinstance(content, dict) or content.get("tool") != TOOL or content.get("kind") != KIND:
        raise _refuse(path, "review.not_ours")
    return content


def _require_unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a name occurs twice")
    return content


def _get_fault(content: Mapping[str, Any], site_digest: str) -> str | None:
    """Return the key of the reason why a file's content cannot be used."""
    if content.get("schema") != SCHEMA:
        return "review.other_version"
    if content.get("site") != site_digest:
        return "review.other_hospital"
    judged = content.get("judgements")
    if not isinstance(judged, dict) or not isinstance(content.get("run"), str):
        return "review.changed"
    values = list(judged.values())
    counts_agree = all(content.get(value) == values.count(value) for value in get_args(Judged))
    if not counts_agree or not all(value in get_args(Judged) for value in values):
        return "review.changed"
    try:
        has_zone = datetime.fromisoformat(content["saved"]).tzinfo is not None
    except (KeyError, TypeError, ValueError):
        has_zone = False
    return None if has_zone and all(map(_ID.fullmatch, judged)) else "review.changed"
