"""Explains to a reader: problems, reasons of a row, answers and codes of the service, halts, notices, columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pipeline.clock import shown
from pipeline.domain.message import Message
from pipeline.domain.roster import Column, Field, FileReport, Problem
from pipeline.domain.row_tasks import RowTask, choose_task
from pipeline.domain.run import (
    PLAN_CHANGED,
    UNRESOLVED_STATUSES,
    Notice,
    RowOutcome,
    RunReport,
    ShownStatus,
    Status,
    has_doubtful_picture,
    waits_for_review,
)
from pipeline.domain.service_codes import (
    NAME_EXISTS,
    OPERATOR_REFUSED,
    SIGNATURE_REFUSED,
    TOKEN_REFUSED,
    is_of_settings,
)
from pipeline.errors import isolate_row_failure
from pipeline.messages.areas import is_known
from pipeline.messages.catalogue import join_messages, load_texts, make_finished_message, make_message
from pipeline.messages.problems import (
    get_problem_kind_if_known,
    has_words_of_warning,
    render_positions,
    render_problem,
    split_remedy,
)
from pipeline.messages.service_errors import (
    Advice,
    get_action_advice,
    get_advice,
    get_halt_advice,
    get_refusal_advice,
    is_known_code,
    list_answers,
    make_network_cure,
)
from pipeline.reports.presenter import Presenter

# reasons of ours whose own words name no cure
_WITH_ADVICE = frozenset({"SEAL_ID_REUSED", "LEDGER_CONFLICT", "OUTAGE", "TLS"})
# a time as the ledger holds it
_STAMP = re.compile(r"\b(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d)?[+-]\d\d:\d\d")
NO_DETAIL: Mapping[str, str] = MappingProxyType({})
_MAX_UNUSED = 20  # unused columns in one sentence
_MAX_LAYOUTS = 10  # described one by one
_MAX_NOTES = 3  # of one file
_UNCOUNTED_LINES = frozenset({"blank", "header"})  # classes of lines that every roster has

ColumnLayout = tuple[Column, ...]


# -- problems and rows


def name_code(code: str, presenter: Presenter, *, unresolved: bool = False) -> str:
    """Return a code's short name, or what it means.

    Unlisted codes of the service share a name; it depends on whether the row is ``unresolved``.
    """
    if code.startswith("http_"):
        code = "http_502"  # they all prove as little
    if code in list_answers():
        return list_answers()[code].summarize(presenter.language)
    if get_problem_kind_if_known(code) is not None:
        return presenter.render(f"{code}.label")
    if is_service_code(code):
        return get_advice(code).summarize(presenter.language)
    return presenter.render("reason.doubtful" if unresolved else "reason.service")


def name_warning(problem: Problem, presenter: Presenter) -> str:
    """Return a warning's short name; a code that is usually an error has another one where it only warns."""
    if has_words_of_warning(problem):
        return presenter.render(f"{problem.code}.other_severity.label")
    return name_code(problem.code, presenter)


def describe_problem(problem: Problem, presenter: Presenter, *, masked: bool = True) -> str:
    """Return a problem as a sentence with fields in the reader's words."""
    if not masked:
        return render_problem(problem, presenter.language)
    return presenter.mask_text(render_problem(presenter.masker.mask_problem(problem), presenter.language))


def describe_status(status: ShownStatus, outcomes: Iterable[RowOutcome], presenter: Presenter) -> str:
    """Return what a status means; how many rows have pictures that are not certain, or wait for a review."""
    meaning = presenter.render(f"meaning.{status}")
    if status is Status.UNCHANGED and (n := sum(map(has_doubtful_picture, outcomes))):
        return presenter.render("doubtful.meaning", n=n)
    if status is Status.NOT_SENT and (n := sum(map(waits_for_review, outcomes))):
        return presenter.render("review.meaning", n=n)
    return meaning


def list_reasons(
    outcome: RowOutcome, presenter: Presenter, *, describe: Callable[[Problem], str] | None = None
) -> Iterator[str]:
    """Yield every sentence about a row: the service's answer, its errors, its warnings.

    All is masked, unless ``describe`` makes a problem's sentence: a marked copy may quote the roster.
    """
    yield from isolate_row_failure(
        lambda: list(_list_reasons(outcome, presenter, describe)),
        lambda problem: [describe_problem(problem, presenter)],
        stage="results",
        row_id=outcome.doctor.row_id,
    )


def _list_reasons(
    outcome: RowOutcome, presenter: Presenter, describe: Callable[[Problem], str] | None
) -> Iterator[str]:
    has_answer = bool(outcome.code or outcome.message)
    if outcome.status is Status.FAILED or (
        has_answer and outcome.status in UNRESOLVED_STATUSES | {Status.NOT_SENT}
    ):
        lost = describe_lost_answer(outcome.code, outcome.message, presenter)
        text = lost or explain_answer(outcome, presenter.mask_answer(outcome.message or ""), presenter) or "—"
        key = "reason.refused" if outcome.status is Status.FAILED else "reason.answered"
        if _waits_for_cure(outcome):
            key = "reason.stopped"
        yield lost or presenter.render(key, code=outcome.code or "—", message=text)
        if outcome.status is Status.FAILED and describe is None:  # a marked copy has a note for it
            yield _advise_on_code(outcome.code, presenter)
    contradicting = get_contradicting_seal_ids(outcome)
    if contradicting is not None:
        yield presenter.render("reason.contradicting", seal_ids=contradicting)
    elif outcome.status in UNRESOLVED_STATUSES:
        yield presenter.render(f"reason.{outcome.status.value}")
    if outcome.status is Status.NOT_SENT and not outcome.errors and not has_answer:
        yield presenter.render("reason.not_sent")
    for problem in sorted(outcome.problems, key=lambda problem: problem.severity):
        yield describe(problem) if describe else describe_problem(problem, presenter)


def get_contradicting_seal_ids(outcome: RowOutcome) -> Message | None:
    """Return the SealIds of a doctor whose creates contradict each other, None for any other row."""
    history = outcome.row_plan.history
    if outcome.status not in UNRESOLVED_STATUSES or history is None or not history.is_contested:
        return None
    return join_messages(history.contradicting_seal_ids or ("—",))


def explain_answer(outcome: RowOutcome, message: str, presenter: Presenter) -> str:
    """Return what the service's code means, with its ``message``.

    The message stands alone if the catalogue does not list the code, and for a name that exists, which has an
    explanation of its own.
    """
    code = outcome.code or ""
    if outcome.status is Status.EXISTS or not is_service_code(code):
        return message
    meaning = get_advice(code).summarize(presenter.language)
    return presenter.render("reason.explained", what=meaning, message=message) if message else meaning


def describe_lost_answer(code: str | None, message: str | None, presenter: Presenter) -> str | None:
    """Return what happened on the wire if the service gave no usable answer; None if it did.

    Without a code there was no answer at all. A text without a key, with a code of ours, is a library's own, which older
    versions kept; it is left out.
    """
    if code is None:
        return presenter.render_text(message) if message else None
    if code not in list_answers() and not code.startswith("http_"):
        return None
    meaning = get_advice(code).summarize(presenter.language)
    text = presenter.render_text(message) if isinstance(message, Message) else ""
    return presenter.join("colon", meaning, text)


def explain_error(outcome: RowOutcome, error: Problem, presenter: Presenter) -> tuple[str, str]:
    """Return what is wrong with a row, and what to do, each as a sentence."""
    wrong, advice = split_remedy(describe_problem(error, presenter))
    return wrong, advice[:1].upper() + advice[1:] if advice else advise_on_row(outcome, presenter)


def advise_on_row(outcome: RowOutcome, presenter: Presenter) -> str:  # noqa: PLR0911 - one for each task
    """Return what the reader of the sheet To fix, or of a note in a marked copy, should do with this row."""
    errors = outcome.errors
    if not errors and outcome.status is Status.NOT_SENT:
        if _waits_for_cure(outcome):
            return _advise_on_code(outcome.code, presenter)
        return presenter.render("advice.not_sent")
    if not errors and outcome.status is Status.FAILED:
        return _advise_on_code(outcome.code, presenter)
    task = choose_task(outcome)
    if task is RowTask.REVIEW:
        return presenter.render("advice.review")
    if task in {RowTask.JUDGE_PERSON, RowTask.JUDGE_PICTURE}:
        return presenter.render("advice.decide")
    kinds = [get_problem_kind_if_known(error.code) for error in errors]
    if any(kind is not None and kind.who == "it" for kind in kinds):
        return presenter.render("advice.it")
    if errors and all(error.field is Field.PICTURE for error in errors):
        return presenter.render("advice.picture")
    return presenter.render("advice.cells")


def _waits_for_cure(outcome: RowOutcome) -> bool:
    """Return whether a row was not sent because of an answer that stopped the run: the cause is not the row's."""
    code = outcome.code or ""
    is_unsent = outcome.status is Status.NOT_SENT and not outcome.errors
    return is_unsent and is_service_code(code) and get_advice(code).rerun == "after"


def _advise_on_code(code: str | None, presenter: Presenter) -> str:
    """Return what a refusal asks for, and of whom."""
    if code is None or not is_known_code(code):
        return presenter.render("advice.failed")
    return describe_task(get_advice(code), presenter)


# -- codes of the service, halts, notices


def is_service_code(code: str) -> bool:
    """Return whether a code is one of the service's that the catalogue explains."""
    return is_known_code(code) and code not in list_answers() and not code.startswith("http_")


def describe_task(advice: Advice, presenter: Presenter) -> str:
    """Return who acts and what to do, as one text."""
    return presenter.join(
        "colon", presenter.render(f"who.{advice.who}"), advice.todo.render(presenter.language)
    )


def describe_task_of(code: str, presenter: Presenter) -> str | None:
    """Return who acts and what to do about a code of the service; None if the catalogue does not list it."""
    return describe_task(get_refusal_advice(code), presenter) if is_service_code(code) else None


def count_doubted_numbers(code: str, outcomes: Iterable[RowOutcome], presenter: Presenter) -> str:
    """Return how many numbers were refused with a code for their last digits alone, and may be right; empty for none."""
    problems = (problem for outcome in outcomes for problem in outcome.errors if problem.code == code)
    doubted = sum(bool(problem.detail.get("fits")) for problem in problems)
    return presenter.render("reason.may_be_right", n=doubted) if doubted else ""


def describe_code(code: str, presenter: Presenter, action: str = "") -> str:
    """Return what a code of the service means, who acts and what to do; empty if the catalogue does not list it.

    ``action`` is the call, where it is none of a run.
    """
    if not is_service_code(code):
        return ""
    advice = (get_action_advice(code, action) if action else None) or get_advice(code)
    space = "" if presenter.language == "zh" else " "
    return f"{advice.meaning.render(presenter.language)}{space}{describe_task(advice, presenter)}"


def describe_refused_call(code: str, keys: Mapping[str, str], action: str, message: str) -> Message:
    """Return why the service refused a single call, with who acts and what to do.

    ``keys`` is what a refusal of the keys is explained with. ``message`` is the service's, masked.
    """
    detail = {"action": action}
    if is_of_settings(code):
        detail |= keys
    zh, en = (
        presenter.join("colon", code, describe_halt(code, message, presenter, detail))
        for presenter in (Presenter("zh"), Presenter("en"))
    )
    return make_finished_message(code, zh, en)


def _advise_on_operator(detail: Mapping[str, str]) -> Message | None:
    """Return what to do about an operator who was refused, with the configured ids; None where they are not known."""
    if "operator_user" in detail:
        return make_message("halted.operator_user", operator_user=detail["operator_user"])
    if "operator" in detail:
        ids = {name: detail[name] for name in ("operator", "organization")}
        return make_message("halted.operator", **ids)
    return None


def describe_cause(cause: str, presenter: Presenter) -> str:
    """Return why a host gave no usable answer: a text of ours, or what the code of its answer means."""
    if cause.startswith("http_"):
        return cause.upper().replace("_", " ")
    if cause in list_answers():
        return list_answers()[cause].summarize(presenter.language)
    if is_service_code(cause):
        return presenter.join("colon", cause, get_advice(cause).summarize(presenter.language))
    return presenter.render_text(cause)


def describe_halt(
    code: str, message: str, presenter: Presenter, detail: Mapping[str, str] = NO_DETAIL
) -> str:
    """Return why a run stopped, who acts and what to do; ``message`` is the service's or a text of ours."""
    if "since" in detail:
        cause = describe_cause(detail["cause"], presenter)
        since, time = shown(detail["since"]), presenter.describe_duration(float(detail["seconds"]))
        message = presenter.render("outage.ended", host=detail["host"], cause=cause, since=since, time=time)
    if code == "ROSTER_MISSING":
        message = _describe_emptied_folders(message, presenter, detail)
    text = _describe_halt_reason(code, _explain_last_code(message, presenter), presenter)
    advice = get_halt_advice(code, detail.get("action", ""))
    if advice is None:
        return text
    cure = make_network_cure(detail.get("cause", message), detail.get("host", ""))
    if cure is not None:
        advice = replace(advice, todo=make_message("halted.cured", cure=cure))
    if code == SIGNATURE_REFUSED and "secret_id" in detail:
        todo = "halted.key_or_proxy" if detail.get("proxy") else "halted.key"
        advice = replace(advice, todo=make_message(todo))
    if code == OPERATOR_REFUSED and (todo_of_ids := _advise_on_operator(detail)) is not None:
        advice = replace(advice, todo=todo_of_ids)
    task = describe_task(advice, presenter)
    if is_known(f"halt.{code}"):
        return presenter.render("halted.task", what=text, task=task) if code in _WITH_ADVICE else text
    keys = _describe_keys(code, detail, presenter)
    words = presenter.render("halted.words", message=message) if message else ""
    meaning = advice.meaning.render(presenter.language)
    return presenter.render("halted.service", what=meaning, keys=keys, task=task, words=words)


def describe_recorded_halt(halted: Mapping[str, Any], presenter: Presenter) -> str:
    """Return why a run stopped, of what run.json or the ledger holds of it."""
    halt = load_texts(halted)
    return describe_halt(halt["code"], halt["message"], presenter, halt)


def _describe_keys(code: str, detail: Mapping[str, str], presenter: Presenter) -> str:
    """Return where the keys are that were refused; empty where that is not known."""
    if code == OPERATOR_REFUSED:
        return ""
    if "key_file" in detail and code != TOKEN_REFUSED:
        files = {name: detail[name] for name in ("secret_id", "id_file", "key_file")}
        return presenter.render("halted.key_files", **files)
    source = detail.get("credentials")
    return presenter.render("halted.keys", source=source) if source else ""


def _describe_halt_reason(code: str, message: str, presenter: Presenter) -> str:
    """Return why a run halted; the service's own codes speak by their message."""
    key = f"halt.{code}"
    if code == "SAME_REFUSAL" and NAME_EXISTS in message:
        key = "halted.same_names"
    text = _STAMP.sub(r"\1 \2", presenter.render_text(message))
    if code == PLAN_CHANGED:
        text = render_positions(text, presenter.language)
    return presenter.render(key, message=text) if is_known(key) else message


def _describe_emptied_folders(folders: str, presenter: Presenter, detail: Mapping[str, str]) -> str:
    """Return which roster folders hold no roster and which are not there; older records hold the folders alone."""
    states = [state for state in ("missing", "empty") if detail.get(state)]
    if not states:
        return presenter.render("emptied.either", folder=folders)
    texts = (presenter.render(f"emptied.{state}", folder=detail[state]) for state in states)
    return presenter.join("semicolon", *texts)


def _explain_last_code(message: str, presenter: Presenter) -> str:
    """Return a halt's message; if it ends with a code (``20 × CODE``), with the meaning of the code."""
    code = message.rpartition(" ")[2]
    if not is_service_code(code):
        return message
    return presenter.join("colon", message, get_advice(code).summarize(presenter.language))


def describe_halt_of(report: RunReport, presenter: Presenter) -> str:
    """Return why a run stopped, masked."""
    halt = report.halt
    assert halt is not None
    detail = {name: presenter.mask_text(text) for name, text in halt.detail.items()}
    return describe_halt(halt.code, presenter.mask_answer(halt.message), presenter, detail)


def describe_notice(notice: Notice, presenter: Presenter) -> str:
    """Return what a run noticed apart from its rows, and what to do about it."""
    detail = {
        name: presenter.render(f"notice.{text}") if name == "direction" else presenter.render_text(text)
        for name, text in notice.detail.items()
    }
    return presenter.render(f"notice.{notice.code}", **detail)


def describe_notices(report: RunReport, presenter: Presenter) -> list[str]:
    """Return everything that a run noticed apart from its rows, masked."""
    return [presenter.mask_text(describe_notice(notice, presenter)) for notice in report.notices]


# -- roster files and their columns


def describe_file(file_report: FileReport, presenter: Presenter, *, max_layouts: int = 0) -> list[str]:
    """Return a sentence for each problem of a file, for so many arrangements of columns, and its first notes."""
    layouts = list(group_sheets_by_layout([file_report]))[:max_layouts]
    return [
        *(describe_problem(problem, presenter) for problem in file_report.problems),
        *(presenter.mask_text(describe_columns(columns, presenter)) for columns in layouts),
        *(presenter.render_text(presenter.mask_text(note)) for note in file_report.notes[:_MAX_NOTES]),
    ]


def describe_skipped_lines(report: RunReport, presenter: Presenter) -> str:
    """Return how many lines were taken for no doctor, by kind; empty where there are only headings and empty lines."""
    counts: Counter[str] = Counter()
    for file_report in report.files:
        for line in file_report.skipped:
            counts[line.why] += line.last - line.first + 1
    shown = [(why, count) for why, count in counts.most_common() if why not in _UNCOUNTED_LINES]
    if not shown:
        return ""
    kinds = (
        presenter.render("skipped.kind", what=presenter.render(f"skipped.{why}"), n=n) for why, n in shown
    )
    total = sum(count for _, count in shown)
    sheet = presenter.render("sheet.not_read")
    return presenter.render("skipped.count", n=total, kinds=presenter.join("comma", *kinds), sheet=sheet)


def group_sheets_by_layout(files: Iterable[FileReport]) -> Mapping[ColumnLayout, Sequence[str]]:
    """Return the arrangements of columns that were read, each with its sheets: ``a.xlsx 内科``."""
    layouts: dict[ColumnLayout, list[str]] = {}
    for file_report in files:
        for sheet in file_report.sheets if file_report.status == "read" else ():
            if sheet.status == "read" and sheet.columns:
                name = " ".join(filter(None, (file_report.path.name, sheet.sheet)))
                layouts.setdefault(sheet.columns, []).append(name)
    return layouts


def describe_layouts(files: Iterable[FileReport], presenter: Presenter) -> Iterator[str]:
    """Yield a sentence for every arrangement of columns: how it is read, and which columns are not used."""
    for columns, sheets in list(group_sheets_by_layout(files).items())[:_MAX_LAYOUTS]:
        text = presenter.mask_text(describe_columns(columns, presenter))
        key = "columns.file" if len(sheets) == 1 else "columns.files"
        yield presenter.render(key, place=presenter.mask_text(sheets[0]), n=len(sheets), text=text)


def describe_misspelt_titles(files: Iterable[FileReport], presenter: Presenter) -> Iterator[str]:
    """Yield a sentence for every arrangement with an unused column whose title is nearly a known one."""
    for columns, sheets in list(group_sheets_by_layout(files).items())[:_MAX_LAYOUTS]:
        if misspelt := [column for column in columns if column.nearest]:
            text = _describe_unused(misspelt, presenter)
            sentence = presenter.render("columns.misspelt", place=sheets[0], text=text)
            yield presenter.mask_text(sentence)


def describe_columns(columns: Sequence[Column], presenter: Presenter) -> str:
    """Return how columns are read: each field with its title, then the titles that are not used."""
    used = presenter.join("comma", *(_describe_used(column, presenter) for column in columns if column.field))
    unused = [column for column in columns if not column.field]
    if not unused:
        return used
    titles = _describe_unused(unused, presenter)
    return used + presenter.render("separator.semicolon") + presenter.render("columns.unused", unused=titles)


def _describe_used(column: Column, presenter: Presenter) -> str:
    name = presenter.name_field(column.field or "")
    if name == column.title:
        return name
    return name + presenter.render("separator.brackets", text=column.title)


def _describe_unused(columns: Sequence[Column], presenter: Presenter) -> str:
    """Return unused columns, those that may be misspelt first."""
    misspelt_first = sorted(columns, key=lambda column: column.nearest is None)
    texts = [
        presenter.render("columns.guess", column=column.column, title=column.title, nearest=column.nearest)
        if column.nearest
        else f"{column.column} {column.title}"
        for column in misspelt_first[:_MAX_UNUSED]
    ]
    if len(columns) > _MAX_UNUSED:
        texts.append(presenter.render("columns.more", n=len(columns) - _MAX_UNUSED))
    return presenter.join("comma", *texts)
