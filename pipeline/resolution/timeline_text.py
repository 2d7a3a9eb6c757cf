"""A doctor's timeline as lines of text for a terminal, made from its dictionary (`timeline_as_dict`)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.domain.run import Status
from pipeline.messages.catalogue import render as mark
from pipeline.messages.resolution import TIMELINE_TEXTS, render_timeline_text
from pipeline.messages.results import explain_status, name_status
from pipeline.messages.results import render_result as result_word
from pipeline.messages.service_error_advice import find_advice, is_known_code
from pipeline.messages.texts import name_field
from pipeline.reports.explanations import describe_halt, describe_lost_answer
from pipeline.reports.presenter import Presenter
from pipeline.support.text_width import align_columns, measure_width, pad_to_width

Values = Mapping[str, Any]
_INDENT = "  "
_TAGS = tuple(key for key in TIMELINE_TEXTS if key.startswith("tag."))
_HEADINGS = tuple(key for key in TIMELINE_TEXTS if key.startswith("head.") and key != "head.history")
_NEEDS_NO_MEANING = frozenset({"sealed", "not_executed"})  # verdicts after which there is nothing to do


def render_people(people: Sequence[Values], language: str) -> Iterator[str]:
    """Yield a short table of doctors, from their summaries."""
    header = [
        render_timeline_text(f"col.{name}", language)
        for name in ("name", "staff_no", "last_four", "status", "seal_name")
    ]
    rows = [
        [
            person["name"] or render_timeline_text("who.nameless", language),
            person["staff_no"] or "—",
            (person["id_masked"] or "—")[-4:],
            name_status(Status(person["status"]), language),
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
    yield render_timeline_text("head.history", language)
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
    width = max(measure_width(render_timeline_text(tag, language)) for tag in tags) + 2
    tag_before = None
    for tag, text in tagged:
        yield (
            _INDENT
            + pad_to_width("" if tag == tag_before else render_timeline_text(tag, language), width)
            + text
        )
        tag_before = tag


def _render_person(values: Values, language: str) -> Iterator[str]:
    known = (
        ("staff_no", values["staff_no"]),
        ("id", values["id_masked"]),
        ("mobile", values["mobile_masked"]),
    )
    parts = [render_timeline_text(f"who.{key}", language, text=text) for key, text in known if text]
    yield "  ".join((values["name"] or render_timeline_text("who.nameless", language), *parts))
    if values["other_names"]:
        names = mark("mark.comma", language).join(values["other_names"])
        yield _INDENT + render_timeline_text("who.names", language, text=names)


def _render_headings(values: Values, language: str) -> Iterator[tuple[str, str]]:
    status = Status(values["status"])
    # of a row “sealed” means “in this run”, of a person it does not
    meaning = explain_status(Status.UNCHANGED if status is Status.SEALED else status, language)
    yield "head.status", f"{name_status(status, language)}{mark('mark.dash', language)}{meaning}"
    if values["seal_name"]:
        key = "frozen" if values["seal_name_frozen"] else "planned"
        yield "head.seal_name", render_timeline_text(key, language, name=values["seal_name"])
    if seal := values["seal"]:
        source = render_timeline_text(f"source.{seal['source']}", language, at=_format_moment(seal["at"]))
        yield "head.seal", f"{seal['seal_id']}  {source}"
    yield "head.creates", str(values["creates"])
    seen = values["seen"]
    if seen is None:
        yield "head.seen", render_timeline_text("never.seen", language)
    else:
        key = "gone" if values["gone"] else "seen"
        address, moment = _format_address(seen, language), _format_moment(seen["at"])
        yield "head.seen", render_timeline_text(key, language, path=seen["path"], place=address, at=moment)
    step = values["next"]
    text = step["text"]
    if step["who"]:
        text = render_timeline_text("acts", language, who=_name_role(step["who"], language), text=text)
    for line in (text, *(_INDENT + command for command in step["commands"]), *step["notes"]):
        yield "head.next", line


def _render_decision(decision: Values, language: str) -> Iterator[str]:
    place_key, key = f"place.{decision['detail']}", f"decision.{decision['kind']}"
    detail = (
        render_timeline_text(place_key, language)
        if place_key in TIMELINE_TEXTS
        else decision["detail"] or "—"
    )
    text = decision["kind"]
    if key in TIMELINE_TEXTS:
        text = render_timeline_text(key, language, seal_id=decision["seal_id"] or "—", detail=detail)
    heading = f"{render_timeline_text('tag.decision', language)}{mark('mark.colon', language)}"
    yield f"{_format_moment(decision['at'])}  {heading}{text}"
    width = max(measure_width(render_timeline_text(tag, language)) for tag in _TAGS) + 2
    yield (
        _INDENT + " " * width + render_timeline_text("by", language, who=decision["who"], why=decision["why"])
    )


def _render_run(run: Values, language: str) -> Iterator[str]:
    key = f"night.{run['command']}"
    name = render_timeline_text(key if key in TIMELINE_TEXTS else "night.run", language, run=run["run"])
    parts = [f"{_format_moment(run['at'])}  {name}"]
    if run["under_way"]:
        parts.append(render_timeline_text("night.under_way", language))
    elif run["cut_short"]:
        parts.append(render_timeline_text("night.cut", language))
    elif run["exit"] is not None:
        parts.append(render_timeline_text("night.exit", language, exit=run["exit"]))
    yield " · ".join(parts)
    yield from _align_tagged(_render_run_details(run, language), _TAGS, language)


def _render_run_details(run: Values, language: str) -> Iterator[tuple[str, str]]:
    for row in run["rows"]:
        yield from _render_row(row, language)
    for create in run["creates"]:
        yield from _render_create(create, language)
    for row in reversed(run["rows"]):  # the row that counts comes last
        text = (
            render_timeline_text("repeats", language)
            if row["spare_copy"]
            else name_status(Status(row["status"]), language)
        )
        if row["nights"] > 1:
            until = _format_moment(row["until"])
            text = render_timeline_text("nights", language, status=text, n=row["nights"], until=until)
        elif len(run["rows"]) > 1:
            text = f"{text} ({_format_address(row, language)})"
        yield "tag.status", text
    halted = run["halted"]
    if halted and any(row["status"] in {"not_sent", "ready"} for row in run["rows"]):
        message = describe_halt(halted["code"], halted["message"], Presenter(language), halted)
        yield (
            "tag.halted",
            render_timeline_text("night.halted", language, message=message, code=halted["code"]),
        )


def _render_row(row: Values, language: str) -> Iterator[tuple[str, str]]:
    yield "tag.roster", f"{row['path']} {_format_address(row, language)}"
    for change in row["changes"]:
        key = f"why.{change['why']}"
        reason = render_timeline_text(key, language) if key in TIMELINE_TEXTS else change["why"]
        field = name_field(change["field"], language)
        text = render_timeline_text(
            "change", language, field=field, before=change["from"], after=change["to"], why=reason
        )
        yield "tag.change", text
    if row["picture"]:
        yield "tag.picture", row["picture"]["path"]
    for problem in row["problems"]:
        role = ""
        if problem["who"] not in {None, "nobody"}:
            role = mark("mark.brackets", language, text=_name_role(problem["who"], language))
        yield f"tag.{problem['severity']}", f"{problem['code']}  {problem['message']}{role}"


def _render_create(create: Values, language: str) -> Iterator[tuple[str, str]]:
    moment, code, seal_id = _format_moment(create["at"]), create["code"], create["seal_id"]
    if create["what"] == "upload":
        yield "tag.upload", render_timeline_text("uploaded", language, at=moment, host=create["host"])
    else:
        sent_as = render_timeline_text(
            "as", language, seal_name=create["seal_name"], at=moment, host=create["host"]
        )
        yield "tag.create", sent_as
    yield "tag.trace", f"TraceId {create['trace_id']}"
    verdict, wait = create["verdict"] or "open", create["wait_seconds"]
    explanation = describe_lost_answer(code, create["message"], Presenter(language))
    parts = [
        render_timeline_text("wait", language, seconds=f"{wait:.2f}") if wait is not None else "",
        render_timeline_text(f"verdict.{verdict}", language, seal_id=seal_id),
        code or "",
        explanation or create["message"] or "",
    ]
    yield "tag.answer", " · ".join(filter(None, parts))
    if seal_id and verdict != "sealed":
        yield "tag.answer", render_timeline_text("evidence", language, seal_id=seal_id)
    if create["request_id"]:
        yield "tag.trace", f"RequestId {create['request_id']}"
    if code and verdict not in _NEEDS_NO_MEANING and not explanation and is_known_code(code):
        yield "tag.meaning", find_advice(code).explain(language)


def _name_role(role: str | None, language: str) -> str:
    return result_word(f"who.{role or 'nobody'}", language)


def _format_address(address: Values, language: str) -> str:
    key = "place.sheet" if address["sheet"] else "place.row"
    return render_timeline_text(key, language, sheet=address["sheet"], row=address["row"])


def _format_moment(moment: str) -> str:
    return moment[:19].replace("T", " ")
