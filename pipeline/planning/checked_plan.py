"""Names what a run would send for each row, and compares it with what a check showed: `run --checked` sends nothing else.

Where the ledger's key is there, a person is named by the person's key, and a digest made with the site key stands for all that
would be sent. A check before the first run has no key: there a person is named by the bytes of the roster file and the row in
it, and no digest holds a number.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain.masking import mask_text
from pipeline.domain.roster import FileReport
from pipeline.domain.run import PLAN_CHANGED, CheckedPlan, CheckedRequest, Halt, RowPlan, Status
from pipeline.domain.site_key import DIGEST_CHARS, SiteKey
from pipeline.errors import UsageError

_LINE = re.compile(r"plan\.jsonl:([1-9]\d{0,8})")
_MOST_NAMED = 5  # rows in one sentence


@dataclass(frozen=True, slots=True)
class RowNames:
    """Names the people of a plan, and what would be sent for them; without ``site_key`` by the files of their rows."""

    site_key: SiteKey | None
    files: Mapping[Path, str]  # roster -> sha256
    settings: str  # the configuration, as far as it decides what a row means

    @classmethod
    def of_files(cls, site_key: SiteKey | None, files: Iterable[FileReport], settings: str) -> RowNames:
        """Return the names of a plan that was made from these files."""
        return cls(site_key, {file.path: file.sha256 or "" for file in files}, settings)

    def name_person(self, row_plan: RowPlan) -> str:
        """Return what stands for the row's person."""
        if self.site_key is not None:
            return row_plan.doctor.key or ""
        origin = row_plan.doctor.row.origin
        return _digest(self.files.get(origin.path, ""), origin.sheet, origin.row)

    def list_rows(self, row_plans: Iterable[RowPlan]) -> list[CheckedRequest]:
        """Return the rows of a plan that would be sent."""
        return [
            CheckedRequest(
                line=row_plan.index + 1,
                person=self.name_person(row_plan),
                digest=self._digest_request(row_plan),
                position=mask_text(row_plan.doctor.row.origin.position),
            )
            for row_plan in row_plans
            if row_plan.status is Status.READY
        ]

    def _digest_request(self, row_plan: RowPlan) -> str:
        """Return what stands for everything that is sent for a row: the values, the seal name and the picture's bytes."""
        request, prepared = row_plan.request, row_plan.prepared
        assert request is not None
        parts: list[object] = [request.seal_name, request.content.picture, prepared and prepared.sha256]
        if self.site_key is None:
            return _digest(self.settings, *parts)
        values = {field.value: value for field, value in request.values.items()}
        return self.site_key.digest(json.dumps([values, *parts], sort_keys=True, default=str))


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:DIGEST_CHARS]


def list_chosen_lines(only: Iterable[str]) -> list[int]:
    """Return the lines of the check's plan among the people of ``--only``: ``plan.jsonl:17``."""
    return [int(match[1]) for person in only if (match := _LINE.fullmatch(person))]


def list_chosen_rows(
    checked: CheckedPlan, only: Iterable[str], names: RowNames, row_plans: Sequence[RowPlan]
) -> frozenset[int]:
    """Return the indexes of the rows whose people were chosen by lines of the check's plan.

    Raises UsageError for a line that was not to be sent.
    """
    people = _choose_people(checked, only)
    return frozenset(row_plan.index for row_plan in row_plans if names.name_person(row_plan) in people)


def _choose_people(checked: CheckedPlan, only: Iterable[str]) -> frozenset[str]:
    people = {row.line: row.person for row in checked.rows}
    lines = list_chosen_lines(only)
    unknown = [line for line in lines if line not in people]
    if unknown:
        raise UsageError("only.no_line", line=unknown[0], run=checked.run, then=("check",))
    return frozenset(people[line] for line in lines)


def get_changed_plan_halt(
    checked: CheckedPlan,
    only: Sequence[str],
    names: RowNames,
    row_plans: Sequence[RowPlan],
    *,
    ready: Sequence[RowPlan],
    covered: frozenset[int] | None,
) -> Halt | None:
    """Return why a run sends nothing: for some person it would send something other than the check showed.

    ``ready`` are the rows that the run would send, ``covered`` the indexes of those that ``only`` leaves, None for all. A person
    who was chosen by a line is compared also where no row is that person's any more.
    """
    shown = {row.person: row for row in checked.rows}
    if covered is not None:
        people = {names.name_person(row_plan) for row_plan in row_plans if row_plan.index in covered}
        people |= _choose_people(checked, only)
        shown = {person: row for person, row in shown.items() if person in people}
    present = {row.person: row for row in names.list_rows(ready)}
    differing = [
        row
        for person, row in {**present, **shown}.items()
        if person not in shown or person not in present or shown[person].digest != present[person].digest
    ]
    if not differing:
        return None
    positions = [row.position for row in differing[:_MOST_NAMED]]
    more = ["…"] if len(differing) > _MOST_NAMED else []
    text = f"{len(differing)}: {', '.join([*positions, *more])}"
    persons = " ".join(row.person for row in differing[:_MOST_NAMED])
    return Halt(PLAN_CHANGED, text, 5, {"check": checked.run, "people": persons})
