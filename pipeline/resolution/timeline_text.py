"""A doctor's story as text for a terminal: aligned columns, two of them for a Han character, one language."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.domain.run import Status
from pipeline.messages.catalogue import say as mark
from pipeline.messages.problem_labels import field_word
from pipeline.messages.results import say as result_word
from pipeline.messages.results import status_meaning, status_word
from pipeline.messages.service_advice import advice_for, known
from pipeline.messages.timeline import WORDS, say
from pipeline.reports.presenter import Presenter
from pipeline.reports.reasons import happened
from pipeline.reports.service_text import describe_halt

Facts = Mapping[str, Any]
_INDENT = "  "
_TAGS = tuple(key for key in WORDS if key.startswith("tag."))
_HEADS = tuple(key for key in WORDS if key.startswith("head.") and key != "head.history")
_QUIET = frozenset({"sealed", "not_executed"})  # verdicts that ask nothing of anybody


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes: wide characters two, marks over another none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def padded(text: str, width: int) -> str:
    """Return a text filled up to so many columns."""
    return text + " " * max(0, width - columns(text))


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows with their columns aligned; the first row is the header."""
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield (_INDENT + "  ".join(map(padded, row, widths))).rstrip()


def candidates(people: Sequence[Facts], language: str) -> Iterator[str]:
    """Yield a short table of the doctors whom a query fits."""
    names = ("name", "staff_no", "last_four", "status", "seal_name")
    header = [say(f"col.{name}", language) for name in names]
    rows = [
        [
            each["name"] or say("who.nameless", language),
            each["staff_no"] or "—",
            (each["id_masked"] or "—")[-4:],
            status_word(Status(each["status"]), language),
            each["seal_name"] or "—",
        ]
        for each in people
    ]
    yield from table([header, *rows])


def story_lines(told: Facts, language: str, base: Path) -> Iterator[str]:
    """Yield a doctor's whole story; paths below ``base`` are told from there."""
    told = _from(told, f"{base}{os.sep}")
    yield from _who(told, language)
    width = max(columns(say(key, language)) for key in _HEADS) + 2
    for key, lines in _heads(told, language):
        for place, line in enumerate(lines):
            yield _INDENT + padded(say(key, language) if not place else "", width) + line
    yield ""
    yield say("head.history", language)
    for chapter in told["history"]:
        yield from _chapter(chapter, language)


def _from(told: Any, base: str) -> Any:
    """Return facts whose paths are told from a folder; commands stay as they are typed."""
    if isinstance(told, list):
        return [_from(each, base) for each in told]
    if not isinstance(told, dict):
        return told
    return {
        name: value.removeprefix(base) if name == "path" else _from(value, base)
        for name, value in told.items()
    }


def _who(told: Facts, language: str) -> Iterator[str]:
    facts = [
        say(f"who.{key}", language, text=text)
        for key, text in (
            ("staff_no", told["staff_no"]),
            ("id", told["id_masked"]),
            ("mobile", told["mobile_masked"]),
        )
        if text
    ]
    yield "  ".join((told["name"] or say("who.nameless", language), *facts))
    if told["other_names"]:
        yield _INDENT + say(
            "who.names", language, text=mark("mark.comma", language).join(told["other_names"])
        )


def _heads(told: Facts, language: str) -> Iterator[tuple[str, list[str]]]:
    status = Status(told["status"])
    # of a run “sealed” says “in this run”, of a person it does not
    meaning = status_meaning(Status.UNCHANGED if status is Status.SEALED else status, language)
    yield "head.status", [f"{status_word(status, language)}{mark('mark.dash', language)}{meaning}"]
    if told["seal_name"]:
        key = "frozen" if told["seal_name_frozen"] else "planned"
        yield "head.seal_name", [say(key, language, name=told["seal_name"])]
    seal = told["seal"]
    if seal:
        yield (
            "head.seal",
            [f"{seal['seal_id']}  {say('source.' + seal['source'], language, at=_short(seal['at']))}"],
        )
    yield "head.creates", [str(told["creates"])]
    seen = told["seen"]
    if seen is None:
        yield "head.seen", [say("never.seen", language)]
    else:
        key = "gone" if told["gone"] else "seen"
        place = _place(seen, language)
        yield "head.seen", [say(key, language, path=seen["path"], place=place, at=_short(seen["at"]))]
    step = told["next"]
    text = (
        say("acts", language, who=_actor(step["who"], language), text=step["text"])
        if step["who"]
        else step["text"]
    )
    yield "head.next", [text, *(_INDENT + command for command in step["commands"]), *step["notes"]]


def _chapter(chapter: Facts, language: str) -> Iterator[str]:
    at = _short(chapter["at"])
    if chapter["what"] == "decision":
        place = f"place.{chapter['detail']}"
        told = say(place, language) if place in WORDS else chapter["detail"] or "—"
        detail = {"seal_id": chapter["seal_id"] or "—", "detail": told}
        key = f"decision.{chapter['kind']}"
        text = say(key, language, **detail) if key in WORDS else chapter["kind"]
        yield f"{at}  {say('tag.decision', language)}{mark('mark.colon', language)}{text}"
        yield from _tagged(
            [("tag.decision", say("by", language, who=chapter["who"], why=chapter["why"]))],
            language,
            first=False,
        )
        return
    key = f"night.{chapter['command']}"
    head = [f"{at}  {say(key if key in WORDS else 'night.run', language, run=chapter['run'])}"]
    if chapter["under_way"]:
        head.append(say("night.under_way", language))
    elif chapter["cut_short"]:
        head.append(say("night.cut", language))
    elif chapter["exit"] is not None:
        head.append(say("night.exit", language, exit=chapter["exit"]))
    yield " · ".join(head)
    yield from _tagged(_events(chapter, language), language)


def _tagged(
    events: Sequence[tuple[str, str]] | Iterator[tuple[str, str]], language: str, *, first: bool = True
) -> Iterator[str]:
    width = max(columns(say(key, language)) for key in _TAGS) + 2
    before = None
    for key, text in events:
        word = say(key, language) if first and key != before else ""
        before = key
        yield _INDENT + padded(word, width) + text


def _events(chapter: Facts, language: str) -> Iterator[tuple[str, str]]:
    halted = chapter["halted"]
    for row in chapter["rows"]:
        yield from _row(row, language)
    for create in chapter["creates"]:
        yield from _create(create, language)
    for row in reversed(chapter["rows"]):  # what counts stands last
        word = status_word(Status(row["status"]), language)
        if row["spare_copy"]:
            word = say("repeats", language)
        if row["nights"] > 1:
            word = say("nights", language, status=word, n=row["nights"], until=_short(row["until"]))
        elif len(chapter["rows"]) > 1:
            word = f"{word} ({_place(row, language)})"
        yield "tag.status", word
    if halted and any(row["status"] in {"not_sent", "ready"} for row in chapter["rows"]):
        message = describe_halt(halted["code"], halted["message"], Presenter(language), halted)
        yield "tag.halted", say("night.halted", language, message=message, code=halted["code"])


def _row(row: Facts, language: str) -> Iterator[tuple[str, str]]:
    yield "tag.roster", f"{row['path']} {_place(row, language)}"
    for change in row["changes"]:
        key = f"why.{change['why']}"
        why = say(key, language) if key in WORDS else change["why"]
        field = field_word(change["field"], language)
        yield (
            "tag.change",
            say("change", language, field=field, before=change["from"], after=change["to"], why=why),
        )
    if row["picture"]:
        yield "tag.picture", row["picture"]["path"]
    for problem in row["problems"]:
        who = mark("mark.brackets", language, text=_actor(problem["who"], language))
        acts = who if problem["who"] not in {None, "nobody"} else ""
        yield f"tag.{problem['severity']}", f"{problem['code']}  {problem['message']}{acts}"


def _create(create: Facts, language: str) -> Iterator[tuple[str, str]]:
    at = _short(create["at"])
    if create["what"] == "upload":
        yield "tag.upload", say("uploaded", language, at=at, host=create["host"])
    else:
        yield "tag.create", say("as", language, seal_name=create["seal_name"], at=at, host=create["host"])
    yield "tag.trace", f"TraceId {create['trace_id']}"
    verdict = create["verdict"] or "open"
    wait = create["wait_seconds"]
    own = happened(create["code"], create["message"], Presenter(language))
    told = [
        say("wait", language, seconds=f"{wait:.2f}") if wait is not None else "",
        say(f"verdict.{verdict}", language, seal_id=create["seal_id"]),
        create["code"] or "",
        own or create["message"] or "",
    ]
    yield "tag.answer", " · ".join(filter(None, told))
    if create["seal_id"] and verdict != "sealed":
        yield "tag.answer", say("evidence", language, seal_id=create["seal_id"])
    if create["request_id"]:
        yield "tag.trace", f"RequestId {create['request_id']}"
    if create["code"] and verdict not in _QUIET and not own and known(create["code"]):
        yield "tag.meaning", advice_for(create["code"]).what(language)


def _actor(who: str | None, language: str) -> str:
    return result_word(f"who.{who or 'nobody'}", language)


def _place(place: Facts, language: str) -> str:
    key = "place.sheet" if place["sheet"] else "place.row"
    return say(key, language, sheet=place["sheet"], row=place["row"])


def _short(moment: str) -> str:
    return moment[:19].replace("T", " ")
