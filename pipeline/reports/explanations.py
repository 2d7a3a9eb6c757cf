"""Explains to a reader: problems, reasons of a row, answers and codes of the service, halts, notices, columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from pipeline import row_failures
from pipeline.clock import shown
from pipeline.domain.keyed_text import KeyedText
from pipeline.domain.outcomes import UNRESOLVED_STATUSES, is_redundant_copy, waits_for_review
from pipeline.domain.roster import Column, Field, FileReport, Problem
from pipeline.domain.run import Notice, RowOutcome, RunReport, Status
from pipeline.domain.service_codes import CODES
from pipeline.messages.localized import Bilingual, Localizable
from pipeline.messages.problems import CATALOGUE, message
from pipeline.messages.results import WORDS, halt_word, status_meaning
from pipeline.messages.service_error_advice import (
    advice_for,
    advice_on_halt,
    advice_on_refusal,
    is_known_code,
)
from pipeline.messages.service_errors import ANSWERS, Advice
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import display_last_attempt

# reasons of ours whose own words name no cure
_WITH_ADVICE = frozenset({"SEAL_ID_REUSED", "LEDGER_CONFLICT", "OUTAGE", "TLS"})
NO_DETAIL: Mapping[str, str] = MappingProxyType({})
_NAMED = 20  # unused columns in one sentence
_LAYOUTS = 10  # that are told of one by one

Layout = tuple[Column, ...]


# -- problems and rows


def name_code(code: str, presenter: Presenter, *, unsettled: bool = False) -> str:
    """Return a code's short name, or what it means; unlisted codes of the service share one, by whether they settled their row."""
    if code.startswith("http_"):
        code = "http_502"  # they all prove as little
    if code in ANSWERS:
        return ANSWERS[code].summarize(presenter.language)
    if code in CATALOGUE:
        return CATALOGUE[code].label[presenter.language != "zh"]
    if is_service_code(code):
        return advice_for(code).summarize(presenter.language)
    return presenter.render("reason.doubtful" if unsettled else "reason.service")


def describe_problem(problem: Problem, presenter: Presenter, *, masked: bool = True) -> str:
    """Return a problem as a sentence with fields in the reader's words."""
    if not masked:
        return message(problem, presenter.language)
    return presenter.mask_text(message(presenter.mask_problem(problem), presenter.language))


def describe_status(status: Status, outcomes: Iterable[RowOutcome], presenter: Presenter) -> str:
    """Return what a status says of its rows, and how many of those to correct only repeat another row."""
    said = status_meaning(status, presenter.language)
    spare = sum(map(is_redundant_copy, outcomes)) if status is Status.REJECTED else 0
    return presenter.render("spare.meaning", meaning=said, n=spare) if spare else said


def list_reasons(
    outcome: RowOutcome, presenter: Presenter, *, describe: Callable[[Problem], str] | None = None
) -> Iterator[str]:
    """Yield every sentence about a row: the service's word, its errors, its warnings.

    All is masked, unless ``describe`` makes a problem's sentence: the To fix sheet may quote the roster.
    """
    yield from row_failures.isolate_row_failure(
        lambda: list(_list_reasons(outcome, presenter, describe)),
        lambda found: [describe_problem(found, presenter)],
        stage="results",
        row_id=outcome.doctor.row_id,
    )


def _list_reasons(
    outcome: RowOutcome, presenter: Presenter, describe: Callable[[Problem], str] | None
) -> Iterator[str]:
    service = outcome.code or outcome.message
    if outcome.status is Status.FAILED or (
        service and outcome.status in UNRESOLVED_STATUSES | {Status.NOT_SENT}
    ):
        own = describe_lost_answer(outcome.code, outcome.message, presenter)
        text = own or explain_answer(outcome, presenter.mask_answer(outcome.message or ""), presenter) or "—"
        key = "reason.refused" if outcome.status is Status.FAILED else "reason.answered"
        yield presenter.render("reason.wire" if own else key, code=outcome.code or "—", message=text)
        if outcome.status is Status.FAILED and describe is None:  # the To fix sheet has a column for it
            yield _advise_on_code(outcome.code, presenter)
    if outcome.status in UNRESOLVED_STATUSES:
        yield presenter.render(f"reason.{outcome.status.value}", time=display_last_attempt(outcome) or "—")
    if outcome.status is Status.NOT_SENT and not outcome.errors and not service:
        yield presenter.render("reason.not_sent")
    for problem in sorted(outcome.problems, key=lambda problem: problem.severity):
        yield describe(problem) if describe else describe_problem(problem, presenter)


def explain_answer(outcome: RowOutcome, message: str, presenter: Presenter) -> str:
    """Return what the service's code means, with the answer's own words, ``message``.

    The words stand alone where the catalogue does not list the code, and for a name that exists, which is explained
    beside them.
    """
    code = outcome.code or ""
    if outcome.status is Status.EXISTS or not is_service_code(code):
        return message
    what = advice_for(code).summarize(presenter.language)
    return presenter.render("reason.explained", what=what, message=message) if message else what


def describe_lost_answer(code: str | None, message: str | None, presenter: Presenter) -> str | None:
    """Return what happened on the wire where the service itself gave no usable answer; None where it did.

    Without a code there was no answer at all. A text without a key beside a code of ours is a library's own, which older
    versions kept; it is left out.
    """
    if code is None:
        return presenter.render_text(message) if message else None
    if code not in ANSWERS and not code.startswith("http_"):
        return None
    what = advice_for(code).summarize(presenter.language)
    text = presenter.render_text(message) if isinstance(message, KeyedText) else ""
    return presenter.render_sentence("mark.colon").join(filter(None, (what, text)))


def advise_on_row(outcome: RowOutcome, presenter: Presenter) -> str:
    """Return what the reader of the To fix sheet should do with this row."""
    errors = outcome.errors
    if outcome.status is Status.NOT_SENT and not errors:
        code = outcome.code or ""
        waits = is_service_code(code) and advice_for(code).rerun == "after"
        return _advise_on_code(code, presenter) if waits else presenter.render("advice.not_sent")
    if outcome.status is Status.FAILED and not errors:
        return _advise_on_code(outcome.code, presenter)
    has_seal = any(each.code == "ROW_SUPERSEDED" and each.detail.get("seal") for each in outcome.problems)
    if has_seal or waits_for_review(outcome):
        return presenter.render("advice.roster" if has_seal else "advice.review")
    if any(CATALOGUE[error.code].who == "it" for error in errors if error.code in CATALOGUE):
        return presenter.render("advice.it")
    if errors and all(error.field is Field.PICTURE for error in errors):
        return presenter.render("advice.picture")
    return presenter.render("advice.cells")


def _advise_on_code(code: str | None, presenter: Presenter) -> str:
    """Return what a refusal asks for, and of whom."""
    if code is None or not is_known_code(code):
        return presenter.render("advice.failed")
    return describe_task(advice_for(code), presenter)


# -- codes of the service, halts, notices


def is_service_code(code: str) -> bool:
    """Tell whether a code is one of the service's that the catalogue explains."""
    return is_known_code(code) and code not in ANSWERS and not code.startswith("http_")


def describe_task(advice: Advice, presenter: Presenter) -> str:
    """Return who acts and what to do, as one text."""
    actor = presenter.render(f"who.{advice.who}")
    return f"{actor}{presenter.render_sentence('mark.colon')}{advice.instruct(presenter.language)}"


def describe_task_of(code: str, presenter: Presenter) -> str | None:
    """Return who acts and what to do about a code of the service; None where the catalogue does not know it."""
    return describe_task(advice_on_refusal(code), presenter) if is_service_code(code) else None


def describe_code(code: str, presenter: Presenter) -> str:
    """Return what a code of the service means, who acts and what to do; empty where the catalogue does not know it."""
    if not is_service_code(code):
        return ""
    advice = advice_for(code)
    space = "" if presenter.language == "zh" else " "
    return f"{advice.explain(presenter.language)}{space}{describe_task(advice, presenter)}"


def describe_failure(why: str, source: str) -> Localizable | str:
    """Return why a single call came to nothing: a phrase of ours, or a service code with who acts and what to do.

    ``source`` is where the keys came from, told where the code is about them.
    """
    if not is_service_code(why):
        return why

    detail = {"credentials": source} if CODES.get(why) == "credentials" else {}

    def explain_to(presenter: Presenter) -> str:
        return f"{why}{presenter.render_sentence('mark.colon')}{describe_halt(why, '', presenter, detail)}"

    return Bilingual(explain_to(Presenter("zh")), explain_to(Presenter("en")))


def describe_cause(cause: str, presenter: Presenter) -> str:
    """Return why a host gave no usable answer: a phrase of ours, or what the code of its answer means."""
    if cause.startswith("http_"):
        return cause.upper().replace("_", " ")
    if cause in ANSWERS:
        return ANSWERS[cause].summarize(presenter.language)
    if is_service_code(cause):
        return f"{cause}{presenter.render_sentence('mark.colon')}{advice_for(cause).summarize(presenter.language)}"
    return presenter.render_text(cause)


def describe_halt(
    code: str, message: str, presenter: Presenter, detail: Mapping[str, str] = NO_DETAIL
) -> str:
    """Return why a run stopped, who acts and what to do; ``message`` are the service's words or a phrase of ours."""
    if "since" in detail:
        cause = describe_cause(detail["cause"], presenter)
        since, time = shown(detail["since"]), presenter.describe_duration(float(detail["seconds"]))
        message = presenter.render("outage.ended", host=detail["host"], cause=cause, since=since, time=time)
    told, advice = (
        halt_word(code, _explain_last_code(message, presenter), presenter.language),
        advice_on_halt(code),
    )
    if f"halt.{code}" in WORDS:
        if advice is None or code not in _WITH_ADVICE:
            return told
        return presenter.render("halted.task", what=told, task=describe_task(advice, presenter))
    if advice is None:
        return told
    source = detail.get("credentials")
    keys = presenter.render("halted.keys", source=source) if source else ""
    words = presenter.render("halted.words", message=message) if message else ""
    what, task = advice.explain(presenter.language), describe_task(advice, presenter)
    return presenter.render("halted.service", what=what, keys=keys, task=task, words=words)


def _explain_last_code(message: str, presenter: Presenter) -> str:
    """Return a halt's message, and behind the code that it ends with (``20 × CODE``) what that means."""
    code = message.rpartition(" ")[2]
    if not is_service_code(code):
        return message
    return (
        f"{message}{presenter.render_sentence('mark.colon')}{advice_for(code).summarize(presenter.language)}"
    )


def describe_halt_of(report: RunReport, presenter: Presenter) -> str:
    """Return why a run stopped, masked."""
    halted = report.halt
    assert halted is not None
    message = presenter.mask_answer(halted.message)
    detail = {name: presenter.mask_text(text) for name, text in halted.detail.items()}
    return describe_halt(halted.code, message, presenter, detail)


def describe_notice(notice: Notice, presenter: Presenter) -> str:
    """Return what a run noticed, and what to do about it."""
    words = {
        name: presenter.render(f"notice.{text}") if name == "direction" else text
        for name, text in notice.detail.items()
    }
    return presenter.render(f"notice.{notice.code}", **words)


def describe_notices(report: RunReport, presenter: Presenter) -> list[str]:
    """Return all that a run noticed, masked."""
    return [presenter.mask_text(describe_notice(each, presenter)) for each in report.notices]


# -- columns of rosters


def find_titles(report: RunReport) -> list[str]:
    """Return the titles of the columns that were read."""
    columns = (each for file_report in report.files for sheet in file_report.sheets for each in sheet.columns)
    rows = (
        outcome.doctor.row for outcome in report.outcomes[:1]
    )  # of a results workbook, whose columns are not told
    return [
        *(each.title for each in columns if each.field),
        *(cell.header for row in rows for cell in row.fields.values()),
    ]


def find_layouts(files: Iterable[FileReport]) -> Mapping[Layout, Sequence[str]]:
    """Return the arrangements of columns that were read, each with its sheets: ``a.xlsx 内科``."""
    found: dict[Layout, list[str]] = {}
    for file_report in files:
        for sheet in file_report.sheets if file_report.status == "read" else ():
            if sheet.status == "read" and sheet.columns:
                place = " ".join(filter(None, (file_report.path.name, sheet.sheet)))
                found.setdefault(sheet.columns, []).append(place)
    return found


def describe_layouts(files: Iterable[FileReport], presenter: Presenter) -> Iterator[str]:
    """Yield a sentence for every arrangement of columns: how it is read, and what is not used."""
    for columns, places in list(find_layouts(files).items())[:_LAYOUTS]:
        text = presenter.mask_text(describe_columns(columns, presenter))
        key = "columns.file" if len(places) == 1 else "columns.files"
        yield presenter.render_sentence(key, place=presenter.mask_text(places[0]), n=len(places), text=text)


def describe_misspelt_titles(files: Iterable[FileReport], presenter: Presenter) -> Iterator[str]:
    """Yield a sentence for every arrangement with an unused column whose title is nearly a known one."""
    for columns, places in list(find_layouts(files).items())[:_LAYOUTS]:
        if any(each.nearest for each in columns):
            text = _describe_unused([each for each in columns if each.nearest], presenter)
            yield presenter.mask_text(
                presenter.render_sentence("columns.misspelt", place=places[0], text=text)
            )


def describe_columns(columns: Sequence[Column], presenter: Presenter) -> str:
    """Return how columns are read: each field with its title, then the titles that are not used."""
    comma, semicolon = (presenter.render_sentence(f"mark.{mark}") for mark in ("comma", "semicolon"))
    used = comma.join(_describe_used(each, presenter) for each in columns if each.field)
    unused = [each for each in columns if not each.field]
    rest = (
        [presenter.render_sentence("columns.unused", unused=_describe_unused(unused, presenter))]
        if unused
        else []
    )
    return semicolon.join([used, *rest])


def _describe_used(column: Column, presenter: Presenter) -> str:
    word = presenter.name_field(column.field or "")
    return (
        word if word == column.title else word + presenter.render_sentence("mark.brackets", text=column.title)
    )


def _describe_unused(columns: Sequence[Column], presenter: Presenter) -> str:
    """Return unused columns, those that may be misspelt first."""
    ordered = sorted(columns, key=lambda each: each.nearest is None)
    said = [
        presenter.render_sentence("columns.guess", column=each.column, title=each.title, nearest=each.nearest)
        if each.nearest
        else f"{each.column} {each.title}"
        for each in ordered[:_NAMED]
    ]
    if len(ordered) > _NAMED:
        said.append(presenter.render_sentence("columns.more", n=len(ordered) - _NAMED))
    return presenter.render_sentence("mark.comma").join(said)
