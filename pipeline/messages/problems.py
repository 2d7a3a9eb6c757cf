"""Makes problems from codes, and renders them.

A problem is stored as its code and the details of its place. Its sentence, an entry of
`pipeline.messages.problem_entries`, is rendered only when it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

from pipeline.domain.keyed_text import KeyedText
from pipeline.domain.roster import Field, Problem, Severity
from pipeline.messages.problem_entries import CATALOGUE, FURTHER_CASES, OTHER_CASE
from pipeline.messages.texts import MARKS, name_field, render_text

_OPTIONAL = re.compile(r"\[([^\[\]]*\{(\w+)\}[^\[\]]*)\]")
_NOTHING = frozenset({"", "—"})
_HAN = re.compile(r"[\u3400-\u9fff]")
_OTHER = "other"  # word of the detail that names rows, or whom a name or number belongs to
_ROW_OF_A_FILE = re.compile(r"(.+\.\w{2,5}(?: .+)?) (\d+)( …)?")
_FORGIVEN = "forgiven"  # word of the detail of an error that only warns, and keeps its own sentence
_FIELD_LISTS = frozenset({"agreed", "differs", "same"})  # words of the detail that list fields


class _Blank(dict[str, str]):
    """Details of which missing ones are empty, so that a sentence can always be rendered."""

    def __missing__(self, key: str) -> str:
        return ""


def build_problem(
    code: str,
    field: Field | None = None,
    cell: str | None = None,
    /,
    *,
    severity: Severity | None = None,
    **detail: object,
) -> Problem:
    """Make a problem of a catalogued code; ``severity`` overrides the usual one."""
    entry = CATALOGUE[code]
    words = {name: str(value) for name, value in detail.items()}
    return Problem(code, severity or entry.severity, field, cell, words)


def waits_for_machine_only(errors: Collection[Problem]) -> bool:
    """Return whether trouble of the machine is all that keeps a row from being sent."""
    return bool(errors) and all(error.code == "IMAGE_NOT_READ" for error in errors)


def turn_into_warning(problem: Problem) -> Problem:
    """Return an error as a warning with the same text, for a row that it does not stop."""
    if problem.severity == "warning":
        return problem
    return replace(problem, severity="warning", detail={**problem.detail, _FORGIVEN: "yes"})


def render_problem(problem: Problem, language: str) -> str:
    """Return the problem as a sentence in ``zh`` or ``en`` that names its place, what was found, what to do."""
    entry = CATALOGUE.get(problem.code)
    if entry is None:
        return problem.code
    words = (entry.zh, entry.en)
    severity = "error" if problem.detail.get(_FORGIVEN) else problem.severity
    unusual = severity != entry.severity or problem.detail.get(OTHER_CASE.get(problem.code, ""))
    if unusual and entry.other is not None:
        words = entry.other
    cases = FURTHER_CASES.get(problem.code, {}) if severity == entry.severity else {}
    words = next((cases[mark] for mark in cases if problem.detail.get(mark)), words)
    sentence = _whole(words[language != "zh"], problem.detail)
    detail = _Blank({"cell": problem.cell or ""})
    for name, value in problem.detail.items():
        detail[name] = _render_detail(name, value, language)
        if isinstance(value, KeyedText) and _HAN.match(detail[name]):
            sentence = sentence.replace(f" {{{name}}}", f"{{{name}}}")  # no blank between Han characters
        if name == _OTHER and _HAN.fullmatch(detail[name][-1:]):
            sentence = sentence.replace(f"{{{name}}} ", f"{{{name}}}")
    colon = MARKS["mark.colon"][language != "zh"]
    return _placed(sentence, problem.cell, colon).format_map(detail).strip()


def _render_detail(name: str, value: str, language: str) -> str:
    """Return a word of the detail as people read it: rows and fields by their names, lists with the language's comma."""
    comma = MARKS["mark.comma"][language != "zh"]
    if name == _OTHER:
        return comma.join(_rows(value, int(language != "zh")))
    if name in _FIELD_LISTS:
        return comma.join(name_field(field, language) for field in value.replace(",", " ").split())
    if isinstance(value, KeyedText):
        return render_text(value, language)
    return value.replace(MARKS["mark.comma"][1], comma)


def _rows(places: str, language: int) -> list[str]:
    """Return the rows that a detail names (``a.xlsx 内科 12``) in words: 0 is zh, 1 en."""
    return [
        MARKS["mark.row"][language].format(place=row[1], row=row[2], more=row[3] or "")
        if (row := _ROW_OF_A_FILE.fullmatch(part))
        else part
        for part in places.split(MARKS["mark.comma"][1])
    ]


def split_remedy(sentence: str) -> tuple[str, str]:
    """Return a catalogue's sentence as what is wrong and what to do, which may be empty; its blanks are left."""
    zh, en = MARKS["mark.semicolon"]
    wrong, _, todo = sentence.partition(zh if zh in sentence else en)
    return wrong, todo


def _whole(sentence: str, detail: Mapping[str, str]) -> str:
    """Return a sentence without the parts in square brackets whose value is empty."""
    return _OPTIONAL.sub(lambda part: "" if detail.get(part[2], "") in _NOTHING else part[1], sentence)


def _placed(sentence: str, cell: str | None, colon: str) -> str:
    """Return a sentence that names its cell, at the beginning if it has no blank for it."""
    return sentence if cell is None or "{cell}" in sentence else f"{cell}{colon}{sentence}"
