"""A doctor's timeline as `explain` prints it: a dictionary for ``--json``, and lines of text made from it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.clock import stamp
from pipeline.domain.masking import mask_answer, mask_text
from pipeline.domain.roster import Field, Problem
from pipeline.domain.run import Status
from pipeline.ledger.person_history import AttemptRecord, RowHistoryEntry
from pipeline.ledger.protocol import UPLOAD_REFUSED, Decision
from pipeline.messages.catalogue import render
from pipeline.messages.problem_entries import CATALOGUE
from pipeline.messages.resolution import TIMELINE_TEXTS
from pipeline.messages.service_errors import find_advice, is_known_code
from pipeline.messages.texts import load_text, load_texts, name_field
from pipeline.reports.explanations import describe_halt, describe_lost_answer, describe_problem
from pipeline.reports.next_steps import NextStep
from pipeline.reports.presenter import Presenter
from pipeline.resolution.timeline import PersonTimeline, TimelineEntry, parse_line
from pipeline.support.terminal_text import align_columns, measure_width, pad_to_width

# kinds of decisions whose detail holds nothing personal
_WITH_DETAIL = frozenset({"replace", "not_created", "place_shown", "place_not_shown"})
Values = Mapping[str, Any]
_INDENT = "  "
_TAGS = tuple(key for key in TIMELINE_TEXTS if key.startswith("tag."))
_HEADINGS = tuple(key for key in TIMELINE_TEXTS if key.startswith("head.") and key != "head.history")
_NEEDS_NO_MEANING = frozenset({"sealed", "not_executed"})  # verdicts after which there is nothing to do


def summarize(timeline: PersonTimeline) -> dict[str, Any]:
    """Return who a doctor is."""
    return {
        "key": timeline.key,
        "name": timeline.name,
        "staff_no": timeline.staff_no,
        "id_masked": timeline.id_masked,
        "status": timeline.status.value,
        "seal_name": timeline.seal_name,
    }


def timeline_as_dict(timeline: PersonTimeline, step: NextStep, language: str) -> dict[str, Any]:
    """Return everything: who, the present status, what to do next, and every entry, oldest first.

    Moments are local ISO 8601; sentences are in ``language``; personal data is masked already.
    """
    seal, newest_row = timeline.seal, timeline.newest_row
    return {
        **summarize(timeline),
        "other_names": list(timeline.other_names),
        "mobile_masked": timeline.mobile_masked,
        "seal_name_frozen": timeline.seal_name_locked,
        "seal": seal
        and {
            "seal_id": seal.seal_id,
            "seal_name": seal.seal_name,
            "source": seal.source,
            "at": stamp(seal.entered_at),
            "request_id": seal.request_id,
            "trace_id": seal.attempt,
        },
        "creates": timeline.creates_sent,
        "seen": newest_row
        and {
            **_address_as_dict(timeline.newest_line),
            "run": newest_row.last_run,
            "at": stamp(newest_row.last_started),
        },
        "gone": timeline.is_gone,
        "doubtful_picture": timeline.has_doubtful_picture,
        "next": {
            "who": step.who,
            "text": step.text.render(language),
            "commands": list(step.commands),
            "notes": [note.render(language) for note in step.notes],
        },
        "history": [_entry_as_dict(entry, language, timeline.run_under_way) for entry in timeline.entries],
    }


def _address_as_dict(line: Values) -> dict[str, Any]:
    return {"path": line["path"], "sheet": line["sheet"], "row": line["row"]}


def _entry_as_dict(entry: TimelineEntry, language: str, run_under_way: str | None) -> dict[str, Any]:
    if entry.decision is not None:
        return {"at": stamp(entry.moment), "what": "decision", **_decision_as_dict(entry.decision)}
    record = entry.record
    run_record = json.loads(record.record) if record and record.record else {}
    is_under_way = entry.run == run_under_way
    return {
        "at": stamp(entry.moment),
        "what": "run",
        "run": entry.run,
        "command": record.command if record else None,
        "exit": record.exit if record else None,
        "under_way": is_under_way,
        "cut_short": record is not None and record.finished is None and not is_under_way,
        "halted": load_texts(run_record["halted"]) if run_record.get("halted") else None,
        "rows": [_row_as_dict(row, language) for row in entry.rows],
        "creates": [_create_as_dict(create) for create in entry.creates],
    }


def _row_as_dict(row: RowHistoryEntry, language: str) -> dict[str, Any]:
    line = parse_line(row)
    return {
        **_address_as_dict(line),
        "row_id": row.row.row_id,
        "status": row.row.status,
        "until": stamp(row.last_started),
        "nights": row.runs,
        "spare_copy": _is_spare_copy(line),
        "problems": list(_problems_as_dicts(line, language)),
        "changes": line["changes"],
        "picture": line["picture"],
        "service": line["service"],
    }


def _is_spare_copy(line: Values) -> bool:
    """Return whether a row only repeats one that is sent (as `outcomes.is_redundant_copy`, of a line)."""
    is_copy = [
        problem["code"] == "ROW_DUPLICATE" and not (detail or {}).get("differs")
        for problem, detail in zip(line["problems"], line.get("words") or (), strict=False)
        if problem["severity"] == "error"
    ]
    return line["status"] == "rejected" and bool(is_copy) and all(is_copy)


def _problems_as_dicts(line: Values, language: str) -> Iterator[dict[str, Any]]:
    """Yield a row's problems, in the reader's language where the line holds what their messages are made of."""
    details = line.get("words") or [None] * len(line["problems"])
    for entry, detail in zip(line["problems"], details, strict=True):
        message = entry["message"]
        if detail is not None:
            texts = {name: load_text(text) for name, text in detail.items()}
            field = Field(entry["field"]) if entry["field"] else None
            problem = Problem(entry["code"], entry["severity"], field, entry["cell"], texts)
            message = mask_text(describe_problem(problem, Presenter(language), masked=False))
        known_problem = CATALOGUE.get(entry["code"])
        yield {**entry, "message": message, "who": known_problem.who if known_problem else None}


def _create_as_dict(create: AttemptRecord) -> dict[str, Any]:
    # an attempt that a dead process left was settled by the next run, without an answer
    is_answered = bool(create.code or create.request_id or create.http_status)
    wait_seconds = None
    if create.settled_at is not None and create.contract != UPLOAD_REFUSED and is_answered:
        wait_seconds = round(max(0.0, create.settled_at - create.signed_at), 3)
    return {
        "at": stamp(create.signed_at),
        "what": "upload" if create.contract == UPLOAD_REFUSED else "create",
        "seal_name": create.seal_name,
        "host": create.host,
        "trace_id": create.uuid,
        "verdict": create.verdict,
        "code": create.code,
        "message": mask_answer(create.message) if create.message else None,
        "http_status": create.http_status,
        "request_id": create.request_id,
        "seal_id": create.seal_id,
        "wait_seconds": wait_seconds,
        "settled_by": create.decision,
    }


def _decision_as_dict(decision: Decision) -> dict[str, Any]:
    return {
        "number": decision.number,
        "kind": decision.kind,
        "who": decision.who,
        "why": mask_text(decision.why),
        "trace_id": decision.attempt,
        "seal_id": decision.seal_id,
        "detail": decision.detail if decision.kind in _WITH_DETAIL else None,
    }


# -- as lines of text


def render_people(people: Sequence[Values], language: str) -> Iterator[str]:
    """Yield a short table of doctors, from their summaries."""
    columns = ("name", "staff_no", "last_four", "status", "seal_name")
    header = [render(f"col.{name}", language) for name in columns]
    rows = [
        [
            person["name"] or render("who.nameless", language),
            person["staff_no"] or "—",
            (person["id_masked"] or "—")[-4:],
            render(f"status.{person['status']}", language),
            person["seal_name"] or "—",
        ]
        for person in people
    ]
    for line in align_columns([header, *rows]):
        yield _INDENT + line


def render_timeline(values: Values, language: str, base: Path) -> Iterator[str]:
    """Yield the lines of a timeline from its dictionary; paths below ``base`` are shortened."""
    values = _shorten_paths(values, f"{base}{os.sep}")
    yield from _render_person(values, language)
    yield from _align_tagged(_render_headings(values, language), _HEADINGS, language)
    yield ""
    yield render("head.history", language)
    for entry in values["history"]:
        yield from (_render_decision if entry["what"] == "decision" else _render_run)(entry, language)


def _shorten_paths(values: Any, base: str) -> Any:
    """Return a dictionary with paths relative to a folder; commands stay as they are typed."""
    if isinstance(values, list):
        return [_shorten_paths(value, base) for value in values]
    if not isinstance(values, dict):
        return values
    return {
        name: value.removeprefix(base) if name == "path" else _shorten_paths(value, base)
        for name, value in values.items()
    }


def _align_tagged(tagged: Iterable[tuple[str, str]], tags: Iterable[str], language: str) -> Iterator[str]:
    """Yield texts behind their tags; a tag that is that of the line before is not repeated."""
    width = _measure_tags(tags, language)
    tag_before = None
    for tag, text in tagged:
        label = "" if tag == tag_before else render(tag, language)
        yield _INDENT + pad_to_width(label, width) + text
        tag_before = tag


def _measure_tags(tags: Iterable[str], language: str) -> int:
    return max(measure_width(render(tag, language)) for tag in tags) + 2


def _render_person(values: Values, language: str) -> Iterator[str]:
    known = {"staff_no": values["staff_no"], "id": values["id_masked"], "mobile": values["mobile_masked"]}
    parts = [render(f"who.{key}", language, text=text) for key, text in known.items() if text]
    yield "  ".join((values["name"] or render("who.nameless", language), *parts))
    if values["other_names"]:
        names = render("mark.comma", language).join(values["other_names"])
        yield _INDENT + render("who.names", language, text=names)


def _render_headings(values: Values, language: str) -> Iterator[tuple[str, str]]:
    status = Status(values["status"])
    # of a row “sealed” means “in this run”, of a person it does not
    known = "has_seal" if status is Status.SEALED else f"meaning.{status}"
    meaning = render("meaning.doubtful" if values["doubtful_picture"] else known, language)
    yield "head.status", f"{render(f'status.{status}', language)}{render('mark.dash', language)}{meaning}"
    if values["seal_name"]:
        key = "frozen" if values["seal_name_frozen"] else "planned"
        yield "head.seal_name", render(key, language, name=values["seal_name"])
    if seal := values["seal"]:
        source = render(f"source.{seal['source']}", language, at=_format_moment(seal["at"]))
        yield "head.seal", f"{seal['seal_id']}  {source}"
    yield "head.creates", str(values["creates"])
    seen = values["seen"]
    if seen is None:
        yield "head.seen", render("never.seen", language)
    else:
        key = "gone" if values["gone"] else "seen"
        address, moment = _format_address(seen, language), _format_moment(seen["at"])
        yield "head.seen", render(key, language, path=seen["path"], place=address, at=moment)
    step = values["next"]
    text = step["text"]
    if step["who"]:
        text = render("acts", language, who=_name_role(step["who"], language), text=text)
    for line in (text, *(_INDENT + command for command in step["commands"]), *step["notes"]):
        yield "head.step", line


def _render_decision(decision: Values, language: str) -> Iterator[str]:
    place_key, text, detail = f"place.{decision['detail']}", decision["kind"], decision["detail"] or "—"
    if place_key in TIMELINE_TEXTS:
        detail = render(place_key, language)
    if (key := f"decision.{text}") in TIMELINE_TEXTS:
        text = render(key, language, seal_id=decision["seal_id"] or "—", detail=detail)
    heading = f"{render('tag.decision', language)}{render('mark.colon', language)}"
    yield f"{_format_moment(decision['at'])}  {heading}{text}"
    reason = render("by", language, who=decision["who"], why=decision["why"])
    yield _INDENT + " " * _measure_tags(_TAGS, language) + reason


def _render_run(run: Values, language: str) -> Iterator[str]:
    key = f"night.{run['command']}"
    name = render(key if key in TIMELINE_TEXTS else "night.run", language, run=run["run"])
    parts = [f"{_format_moment(run['at'])}  {name}"]
    if run["under_way"]:
        parts.append(render("night.under_way", language))
    elif run["cut_short"]:
        parts.append(render("night.cut", language))
    elif run["exit"] is not None:
        parts.append(render("night.exit", language, exit=run["exit"]))
    yield " · ".join(parts)
    yield from _align_tagged(_render_run_details(run, language), _TAGS, language)


def _render_run_details(run: Values, language: str) -> Iterator[tuple[str, str]]:
    for row in run["rows"]:
        yield from _render_row(row, language)
    for create in run["creates"]:
        yield from _render_create(create, language)
    for row in reversed(run["rows"]):  # the row that counts comes last
        text = render(f"status.{row['status']}", language)
        if row["spare_copy"]:
            text = render("repeats", language)
        if row["nights"] > 1:
            until = _format_moment(row["until"])
            text = render("nights", language, status=text, n=row["nights"], until=until)
        elif len(run["rows"]) > 1:
            text = f"{text} ({_format_address(row, language)})"
        yield "tag.status", text
    halted = run["halted"]
    if halted and any(row["status"] in {"not_sent", "ready"} for row in run["rows"]):
        message = describe_halt(halted["code"], halted["message"], Presenter(language), halted)
        text = render("night.halted", language, message=message, code=halted["code"])
        yield "tag.halted", text


def _render_row(row: Values, language: str) -> Iterator[tuple[str, str]]:
    yield "tag.roster", f"{row['path']} {_format_address(row, language)}"
    for change in row["changes"]:
        key = f"why.{change['why']}"
        reason = render(key, language) if key in TIMELINE_TEXTS else change["why"]
        field = name_field(change["field"], language)
        text = render("change", language, field=field, before=change["from"], after=change["to"], why=reason)
        yield "tag.change", text
    if row["picture"]:
        yield "tag.picture", row["picture"]["path"]
    for problem in row["problems"]:
        role = ""
        if problem["who"] not in {None, "nobody"}:
            role = render("mark.brackets", language, text=_name_role(problem["who"], language))
        yield f"tag.{problem['severity']}", f"{problem['code']}  {problem['message']}{role}"


def _render_create(create: Values, language: str) -> Iterator[tuple[str, str]]:
    moment, code, seal_id = _format_moment(create["at"]), create["code"], create["seal_id"]
    if create["what"] == "upload":
        yield "tag.upload", render("uploaded", language, at=moment, host=create["host"])
    else:
        seal_name, host = create["seal_name"], create["host"]
        yield "tag.create", render("as", language, seal_name=seal_name, at=moment, host=host)
    yield "tag.trace", f"TraceId {create['trace_id']}"
    verdict, wait = create["verdict"] or "open", create["wait_seconds"]
    explanation = describe_lost_answer(code, create["message"], Presenter(language))
    parts = [
        render("wait", language, seconds=f"{wait:.2f}") if wait is not None else "",
        render(f"verdict.{verdict}", language, seal_id=seal_id),
        code or "",
        explanation or create["message"] or "",
    ]
    yield "tag.answer", " · ".join(filter(None, parts))
    if seal_id and verdict != "sealed":
        yield "tag.answer", render("evidence", language, seal_id=seal_id)
    if create["request_id"]:
        yield "tag.trace", f"RequestId {create['request_id']}"
    if code and verdict not in _NEEDS_NO_MEANING and not explanation and is_known_code(code):
        yield "tag.meaning", find_advice(code).explain(language)


def _name_role(role: str | None, language: str) -> str:
    return render(f"who.{role or 'nobody'}", language)


def _format_address(address: Values, language: str) -> str:
    key = "place.sheet" if address["sheet"] else "place.row"
    return render(key, language, sheet=address["sheet"], row=address["row"])


def _format_moment(moment: str) -> str:
    return moment[:19].replace("T", " ")
