"""Makes problems from codes, and renders them.

A problem is stored as its code and the details of its place. Its sentence, an entry of ``problems.toml``, is rendered
only when it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, cast

from pipeline.domain.message import Message
from pipeline.domain.roster import Field, Problem, Severity
from pipeline.domain.row_record import RecordedProblem
from pipeline.domain.service_codes import ResponsibleRole
from pipeline.messages.areas import get_pair, get_words, is_known, list_keys
from pipeline.messages.catalogue import dump_text, load_text, name_field, render_text

_CASE, _PART = (
    ".case_",
    ".if_",
)  # in keys: a sentence for a word of the detail, and what fills the word's blank
_OTHER_SEVERITY = ".other_severity"  # in keys: the sentence of a code with the other severity
_NOTHING = frozenset({"", "—"})
_HAN = re.compile(r"[\u3400-\u9fff]")
_OTHER = "other"  # word of the detail that names rows, or whom a name or number belongs to
_ROW_OF_A_FILE = re.compile(r"(.+\.\w{2,5}(?: .+)?) (\d+)( …)?")
_FORGIVEN = "forgiven"  # word of the detail of an error that only warns, and keeps its own sentence
_ROWS = frozenset({_OTHER, "place"})  # words of the detail that are places of rows, where they look like one
_FIELD_LISTS = frozenset({"agreed", "differs", "same"})  # words of the detail that list fields


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """The values of a code in the catalogue, without its texts."""

    severity: Severity  # the usual one
    who: ResponsibleRole
    cases: tuple[
        str, ...
    ]  # words of the detail that ask for a sentence of their own; the first one found counts


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
    words = {name: str(value) for name, value in detail.items()}
    return Problem(code, severity or get_problem_kind(code).severity, field, cell, words)


@cache
def get_problem_kind_if_known(code: str) -> ProblemKind | None:
    """Return what the catalogue holds on a code; None for an unlisted one."""
    words = get_words(code) if code in list_keys("problems") else {}
    if "severity" not in words:
        return None
    start = f"{code}{_CASE}"
    cases = [key.removeprefix(start) for key in list_keys("problems") if key.startswith(start)]
    chosen = tuple(case for case in cases if _PART not in case)
    return ProblemKind(cast("Severity", words["severity"]), cast("ResponsibleRole", words["who"]), chosen)


def get_problem_kind(code: str) -> ProblemKind:
    """Return what the catalogue holds on a code; KeyError for an unlisted one."""
    kind = get_problem_kind_if_known(code)
    if kind is None:
        raise KeyError(code)
    return kind


@cache
def _list_optional_words(key: str) -> Sequence[str]:
    """Return the words of the detail that fill their blank with a text of its own, or leave it empty."""
    start = f"{key}{_PART}"
    return [other.removeprefix(start) for other in list_keys("problems") if other.startswith(start)]


def record_problem(problem: Problem, message: str, masked: Problem) -> RecordedProblem:
    """Return a problem as a row's record holds it: its sentence, and the details of the ``masked`` problem."""
    detail = {name: dump_text(text) for name, text in masked.detail.items()}
    return RecordedProblem(problem.code, problem.severity, problem.field, problem.cell, message, detail)


def dump_problem(masked: Problem) -> dict[str, object]:
    """Return a ``masked`` problem of a roster file as its record holds it."""
    detail = {name: dump_text(text) for name, text in masked.detail.items()}
    return {"code": masked.code, "severity": masked.severity, "cell": masked.cell, "detail": detail}


def load_dumped_problem(stored: Mapping[str, Any]) -> Problem:
    """Return the problem that `dump_problem` stored."""
    detail = {name: load_text(text) for name, text in stored["detail"].items()}
    return Problem(stored["code"], stored["severity"], None, stored["cell"], detail)


def load_problem(recorded: RecordedProblem) -> Problem:
    """Return a recorded problem, its details masked; without any where the record has none."""
    detail = {name: load_text(text) for name, text in (recorded.detail or {}).items()}
    return Problem(recorded.code, recorded.severity, recorded.field, recorded.cell, detail)


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
    kind = get_problem_kind_if_known(problem.code)
    if kind is None:
        return problem.code
    key = _choose_key(problem, kind)
    optional = _list_optional_words(key)
    detail = _Blank({"cell": problem.cell or ""})
    sentence = get_words(key)[language]
    for name, value in problem.detail.items():
        detail[name] = _render_detail(name, value, language)
        if name not in optional:
            sentence = _close_gaps(sentence, name, value, detail[name])
    for name in optional:
        value = problem.detail.get(name, "")
        part = get_words(f"{key}.if_{name}")[language]
        text = "" if value in _NOTHING else _close_gaps(part, name, value, detail[name]).format_map(detail)
        sentence = sentence.replace(f"{{{name}}}", text.replace("{", "{{").replace("}", "}}"))
    colon = get_words("separator.colon")[language]
    return _placed(sentence, problem.cell, colon).format_map(detail).strip()


def has_words_of_warning(problem: Problem) -> bool:
    """Return whether a code that is usually an error only warns here, in a sentence of its own."""
    return _choose_key(problem, get_problem_kind(problem.code)) == f"{problem.code}{_OTHER_SEVERITY}"


def _choose_key(problem: Problem, kind: ProblemKind) -> str:
    """Return the key of a problem's sentence: that of the other severity, of a case, or the usual one."""
    severity = "error" if problem.detail.get(_FORGIVEN) else problem.severity
    if severity != kind.severity:
        other = f"{problem.code}{_OTHER_SEVERITY}"
        return other if is_known(other) else problem.code
    for word in kind.cases:
        if problem.detail.get(word):
            return f"{problem.code}{_CASE}{word}"
    return problem.code


def _close_gaps(sentence: str, name: str, value: str, rendered: str) -> str:
    """Return a sentence without the blanks between a Han character and what fills ``{name}``."""
    if isinstance(value, Message) and _HAN.match(rendered):
        sentence = sentence.replace(f" {{{name}}}", f"{{{name}}}")
    if name == _OTHER and _HAN.fullmatch(rendered[-1:]):
        sentence = sentence.replace(f"{{{name}}} ", f"{{{name}}}")
    return sentence


def _render_detail(name: str, value: str, language: str) -> str:
    """Return a word of the detail as people read it: rows and fields by their names, lists with the language's comma."""
    comma = get_words("separator.comma")[language]
    if name in _ROWS:
        return render_positions(value, language)
    if name in _FIELD_LISTS:
        return comma.join(name_field(field, language) for field in value.replace(",", " ").split())
    if isinstance(value, Message):
        return render_text(value, language)
    return value.replace(get_words("separator.comma")["en"], comma)


def render_positions(positions: str, language: str) -> str:
    """Return the rows that a text names (``a.xlsx 内科 12``) in words; any other text as it is."""
    form, comma = get_words("separator.row")[language], get_words("separator.comma")
    return comma[language].join(
        form.format(place=row[1], row=row[2], more=row[3] or "")
        if (row := _ROW_OF_A_FILE.fullmatch(part))
        else part
        for part in positions.split(comma["en"])
    )


def split_remedy(sentence: str) -> tuple[str, str]:
    """Return a catalogue's sentence as what is wrong and what to do, which may be empty; its blanks are left."""
    zh, en = get_pair("separator.semicolon")
    wrong, _, todo = sentence.partition(zh if zh in sentence else en)
    return wrong, todo


def _placed(sentence: str, cell: str | None, colon: str) -> str:
    """Return a sentence that names its cell, at the beginning if it has no blank for it, nor for the row."""
    is_placed = "{cell}" in sentence or "{row}" in sentence
    return sentence if cell is None or is_placed else f"{cell}{colon}{sentence}"
