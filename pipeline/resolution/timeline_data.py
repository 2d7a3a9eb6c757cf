"""A doctor's story as plain facts: what `--json` prints, and what the text is made of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.clock import stamp
from pipeline.domain.masking import mask_answer, mask_text
from pipeline.domain.roster import Field, Problem
from pipeline.ledger.person_queries import Create, RowHistoryEntry
from pipeline.ledger.protocol import UPLOAD, DecisionRecord
from pipeline.messages.problems import CATALOGUE
from pipeline.messages.texts import load_text, load_texts
from pipeline.reports.presenter import Presenter
from pipeline.reports.reasons import sentence
from pipeline.resolution import certified_places
from pipeline.resolution.next_step import Step
from pipeline.resolution.timeline import PersonTimeline, TimelineEntry, line_of

SCHEMA = 1
# decisions whose detail holds nothing personal
_TOLD_DETAIL = frozenset({"replace", "not_created", certified_places.SHOWN, certified_places.NOT_SHOWN})


def brief(story: PersonTimeline) -> dict[str, Any]:
    """Return who a doctor is, in one line's worth of facts."""
    return {
        "key": story.key,
        "name": story.name,
        "staff_no": story.staff_no,
        "id_masked": story.id_masked,
        "status": story.status.value,
        "seal_name": story.seal_name,
    }


def facts(story: PersonTimeline, step: Step, language: str) -> dict[str, Any]:
    """Return everything: who, where it stands, what to do next, and every chapter, oldest first.

    Moments are local ISO 8601; sentences are in ``language``; nothing in it is more than masked already.
    """
    seal = story.seal
    return {
        **brief(story),
        "other_names": list(story.other_names),
        "mobile_masked": story.mobile_masked,
        "seal_name_frozen": story.frozen,
        "seal": {
            "seal_id": seal.seal_id,
            "seal_name": seal.seal_name,
            "source": seal.source,
            "at": stamp(seal.at),
            "request_id": seal.request_id,
            "trace_id": seal.attempt,
        }
        if seal
        else None,
        "creates": story.creates,
        "seen": _place(story.newest) if story.newest else None,
        "gone": story.gone,
        "next": {
            "who": step.who,
            "text": step.text,
            "commands": list(step.commands),
            "notes": list(step.notes),
        },
        "history": [_chapter(chapter, language, story.under_way) for chapter in story.chapters],
    }


def _place(said: RowHistoryEntry) -> dict[str, Any]:
    line = line_of(said)
    return {
        "path": line["path"],
        "sheet": line["sheet"],
        "row": line["row"],
        "run": said.last,
        "at": stamp(said.until),
    }


def _chapter(chapter: TimelineEntry, language: str, under_way: str | None) -> dict[str, Any]:
    if chapter.decision is not None:
        return {"at": stamp(chapter.at), "what": "decision", **_decision(chapter.decision)}
    record = chapter.record
    told = json.loads(record.record) if record and record.record else {}
    return {
        "at": stamp(chapter.at),
        "what": "run",
        "run": chapter.run,
        "command": record.command if record else None,
        "exit": record.exit if record else None,
        "under_way": chapter.run == under_way,
        "cut_short": record is not None and record.finished is None and chapter.run != under_way,
        "halted": load_texts(told["halted"]) if told.get("halted") else None,
        "rows": [_row(said, language) for said in chapter.said],
        "creates": [_create(create) for create in chapter.creates],
    }


def _row(said: RowHistoryEntry, language: str) -> dict[str, Any]:
    line = line_of(said)
    return {
        "path": line["path"],
        "sheet": line["sheet"],
        "row": line["row"],
        "row_id": said.row.row_id,
        "status": said.row.status,
        "until": stamp(said.until),
        "nights": said.nights,
        "spare_copy": _is_spare(line),
        "problems": list(_problems(line, language)),
        "changes": line["changes"],
        "picture": line["picture"],
        "service": line["service"],
    }


def _is_spare(line: Mapping[str, Any]) -> bool:
    """Tell whether a row only repeats one that is sent: nobody has to act (`reasons.is_spare_copy`, of a line)."""
    words = line.get("words") or ()
    errors = [
        (problem["code"], detail)
        for problem, detail in zip(line["problems"], words, strict=False)
        if problem["severity"] == "error"
    ]
    return (
        line["status"] == "rejected"
        and bool(errors)
        and all(code == "ROW_DUPLICATE" and not (detail or {}).get("differs") for code, detail in errors)
    )


def _problems(line: Mapping[str, Any], language: str) -> Iterator[dict[str, Any]]:
    """Yield a row's problems, told again in the reader's language where the line holds their words."""
    words = line.get("words") or [None] * len(line["problems"])
    for problem, detail in zip(line["problems"], words, strict=True):
        entry = CATALOGUE.get(problem["code"])
        again = Problem(
            problem["code"],
            problem["severity"],
            Field(problem["field"]) if problem["field"] else None,
            problem["cell"],
            {name: load_text(text) for name, text in (detail or {}).items()},
        )
        message = (
            problem["message"]
            if detail is None
            else mask_text(sentence(again, Presenter(language), masked=False))
        )
        yield {**problem, "message": message, "who": entry.who if entry else None}


def _create(create: Create) -> dict[str, Any]:
    # an attempt that a dead process left was settled by the next run: nobody waited for its answer until then
    answered = bool(create.code or create.request_id or create.http_status)
    heard = create.settled_at is not None and create.contract != UPLOAD and answered
    return {
        "at": stamp(create.at),
        "what": "upload" if create.contract == UPLOAD else "create",
        "seal_name": create.seal_name,
        "host": create.host,
        "trace_id": create.uuid,
        "verdict": create.verdict,
        "code": create.code,
        "message": mask_answer(create.message) if create.message else None,
        "http_status": create.http_status,
        "request_id": create.request_id,
        "seal_id": create.seal_id,
        "wait_seconds": round(max(0.0, (create.settled_at or 0.0) - create.at), 3) if heard else None,
        "settled_by": create.decision,
    }


def _decision(told: DecisionRecord) -> dict[str, Any]:
    return {
        "number": told.number,
        "kind": told.kind,
        "who": told.who,
        "why": mask_text(told.why),
        "trace_id": told.attempt,
        "seal_id": told.seal_id,
        "detail": told.detail if told.kind in _TOLD_DETAIL else None,
    }
