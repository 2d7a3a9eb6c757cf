"""Makes outcomes of the ledger's lines of an earlier run, for rows that are as they were in it.

A line holds no whole number and no cell: these are the row's own. A row of which nothing was altered is taken as its
cells show it, and compared with the line. Any other is validated again, alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

from pipeline.config.settings import Config
from pipeline.domain.masking import Masker, mask_id, mask_mobile
from pipeline.domain.roster import CardType, Doctor, Field, ImageFile, Problem
from pipeline.domain.run import RowOutcome, RowPlan, Status
from pipeline.domain.seals import LiveSeal, PersonHistory
from pipeline.intake.corrections import LoadedRows
from pipeline.intake.fields.text_fields import read_department
from pipeline.intake.fields.validate import validate_rows
from pipeline.intake.pairing.image_index import Candidate
from pipeline.ledger.tenant import SiteKey
from pipeline.messages.texts import load_text
from pipeline.reports.row_values import mask_doctor_id, mask_doctor_mobile
from pipeline.workflow.stage_settings import build_field_settings

# fields that are read by rules of their own
_OPTIONS = frozenset({Field.SCENE_KEY, Field.ENABLE_AUTO_SIGN, Field.LICENSE_TYPE, Field.SEAL_IMAGE_COMPRESS})
_COMPARED = (Field.NAME, Field.NUMBER, Field.MOBILE, Field.STAFF_NO, Field.SEAL_NAME)  # with the line
_CARDS: Mapping[str | None, CardType | None] = {None: None, **{card.value: card for card in CardType}}
_STATUSES = {status.value: status for status in Status}
Line = Mapping[str, Any]


def read_problems(line: Line) -> tuple[Problem, ...]:
    """Return the problems of a row, their details masked."""
    return tuple(map(_read_problem, line["problems"], line["words"])) if line["problems"] else ()


def _read_problem(content: Mapping[str, str | None], words: Mapping[str, object]) -> Problem:
    return Problem(
        str(content["code"]),
        "warning" if content["severity"] == "warning" else "error",
        Field(content["field"]) if content["field"] else None,
        content["cell"],
        {name: load_text(text) for name, text in words.items()},
    )


def restore_problems(recorded: Sequence[Problem], own: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return recorded problems; in place of a masked one that of the row itself which it was made of, if there is one."""
    masked = [(Masker().mask_problem(problem), problem) for problem in own]
    return tuple(next((problem for mask, problem in masked if mask == one), one) for one in recorded)


class RecordedRows:
    """The rows of a run, and the lines that an earlier run recorded of them."""

    def __init__(
        self, rosters: LoadedRows, pictures: Sequence[Candidate | None], evidence: Sequence[str | None]
    ) -> None:
        """Take the rows with the file and the evidence by which each got its picture."""
        self._rows, self._row_ids = rosters.rows, rosters.row_ids
        self._pictures, self._evidence = pictures, evidence
        self._indexes = {row_id: index for index, row_id in enumerate(rosters.row_ids)}
        self._outcomes: list[RowOutcome | None] = [None] * len(rosters.rows)
        self._altered: dict[int, tuple[Line, float | None]] = {}  # by index: rows to be validated again
        self._surplus = 0
        self._read_department = cache(lambda cell: read_department(cell).value)

    def add_line(self, row_id: str, text: str, sealed_at: float | None) -> None:
        """Take a row's line, and when the live seal of its person was made, if there is one."""
        index = self._indexes.get(row_id)
        if index is None:
            self._surplus += 1
            return
        line = json.loads(text)
        doctor = self._read_plain_row(line, index)
        if doctor is None:
            self._altered[index] = line, sealed_at
        else:
            self._outcomes[index] = _build_outcome(doctor, line, sealed_at, index)

    def build_outcomes(self, config: Config, site_key: SiteKey, today: date) -> tuple[RowOutcome, ...] | None:
        """Return the outcome of every row; None where lines and rows do not belong together."""
        indexes = sorted(self._altered)
        lines = [line for line, _ in map(self._altered.__getitem__, indexes)]
        doctors = validate_rows(
            [self._rows[index] for index in indexes],
            settings=build_field_settings(config),
            today=today,
            site_key=site_key,
            row_ids=[self._row_ids[index] for index in indexes],
            known_keys={line["key"] for line in lines if line["seal_id"]},
        )
        for index, doctor, line in zip(indexes, doctors, lines, strict=True):
            if not _agrees(doctor, line):
                return None
            own = replace(
                doctor,
                key=line["key"],
                picture=self._find_picture(line, index),
                evidence=self._evidence[index],
                problems=restore_problems(read_problems(line), doctor.problems),
            )
            self._outcomes[index] = _build_outcome(own, line, self._altered[index][1], index)
        outcomes = tuple(filter(None, self._outcomes))
        return outcomes if len(outcomes) == len(self._rows) and not self._surplus else None

    def _read_plain_row(self, line: Line, index: int) -> Doctor | None:
        """Return the doctor of a row whose cells were used as they are; None for any other row."""
        row = self._rows[index]
        fields = row.fields
        if line["changes"] or line["status"] != Status.UNCHANGED or not _OPTIONS.isdisjoint(fields):
            return None
        name, number, mobile, staff_no, seal_name = (
            cell.display_text if (cell := fields.get(field)) is not None else "" for field in _COMPARED
        )
        if (
            name != line["name"]
            or mask_id(number) != line["id_masked"]
            or (mask_mobile(mobile) if mobile else None) != line["mobile_masked"]
            or (staff_no or None) != line["staff_no"]
            or seal_name not in {"", line["seal_name"]}
        ):
            return None
        return Doctor(
            row,
            self._row_ids[index],  # not the ledger's own copy of the text
            line["key"],
            name=name,
            number=number,
            id_type=_CARDS[line["id_card_type"]],
            mobile=mobile or None,
            staff_no=staff_no or None,
            department=self._read_department(fields.get(Field.DEPARTMENT)),
            seal_name=seal_name or None,
            picture=self._find_picture(line, index),
            evidence=self._evidence[index],
            problems=read_problems(line),
        )

    def _find_picture(self, line: Line, index: int) -> ImageFile | None:
        candidate = self._pictures[index]
        return None if candidate is None else candidate.make_image(line["picture"]["sha256"], candidate.size)


def _agrees(doctor: Doctor, line: Line) -> bool:
    """Return whether a row that was validated alone shows what it showed among all rows."""
    shown = (
        doctor.display_name,
        mask_doctor_id(doctor),
        mask_doctor_mobile(doctor),
        doctor.staff_no,
        doctor.id_type,
    )
    kept = ("name", "id_masked", "mobile_masked", "staff_no", "id_card_type")
    return shown == tuple(line[name] for name in kept)


def _build_outcome(doctor: Doctor, line: Line, sealed_at: float | None, index: int) -> RowOutcome:
    status = _STATUSES[line["status"]]
    if status is Status.REJECTED:
        # of a second row of a person: when the seal was made is shown
        history = None
        if sealed_at is not None:
            history = PersonHistory(line["key"], seal=LiveSeal("", "", "", sealed_at, None))
        row_plan = RowPlan(doctor, status, line["seal_name"], history, problems=doctor.problems, index=index)
        return RowOutcome(row_plan, status, attempts=line["attempts"], problems=doctor.problems)
    row_plan = RowPlan(doctor, status, line["seal_name"], None, problems=doctor.problems, index=index)
    return RowOutcome(
        row_plan,
        status,
        seal_id=line["seal_id"],
        request_id=line["request_id"],
        trace_id=line["trace_id"],
        attempts=line["attempts"],
        last_attempt_at=sealed_at,
        problems=doctor.problems,
    )
