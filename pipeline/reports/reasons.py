"""Why a row ended as it did, and what to do about it: sentences for people, short labels for counting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pipeline import row_failures
from pipeline.domain.keyed_text import KeyedText
from pipeline.domain.outcomes import UNRESOLVED_STATUSES, is_redundant_copy, waits_for_review
from pipeline.domain.roster import Field, Problem
from pipeline.domain.run import RowOutcome, Status
from pipeline.messages.problems import CATALOGUE, message
from pipeline.messages.results import status_meaning
from pipeline.messages.service_error_advice import advice_for, known
from pipeline.messages.service_errors import ANSWERS
from pipeline.reports.display_values import display_last_attempt
from pipeline.reports.presenter import Presenter
from pipeline.reports.service_text import describe_task, is_service_code


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
    outcome: RowOutcome, presenter: Presenter, *, tell: Callable[[Problem], str] | None = None
) -> Iterator[str]:
    """Yield every sentence about a row: the service's word, its errors, its warnings.

    All is masked with ``numbers``, unless ``tell`` makes a problem's sentence: the To fix sheet may quote the roster.
    """
    yield from row_failures.isolate_row_failure(
        lambda: list(_list_reasons(outcome, presenter, tell)),
        lambda found: [describe_problem(found, presenter)],
        stage="results",
        row_id=outcome.doctor.row_id,
    )


def _list_reasons(
    outcome: RowOutcome, presenter: Presenter, tell: Callable[[Problem], str] | None
) -> Iterator[str]:
    service = outcome.code or outcome.message
    if outcome.status is Status.FAILED or (
        service and outcome.status in UNRESOLVED_STATUSES | {Status.NOT_SENT}
    ):
        own = describe_lost_answer(outcome.code, outcome.message, presenter)
        text = own or explain_answer(outcome, presenter.mask_answer(outcome.message or ""), presenter) or "—"
        key = "reason.refused" if outcome.status is Status.FAILED else "reason.answered"
        yield presenter.render("reason.wire" if own else key, code=outcome.code or "—", message=text)
        if outcome.status is Status.FAILED and tell is None:  # the To fix sheet has a column for it
            yield _advise_on_code(outcome.code, presenter)
    if outcome.status in UNRESOLVED_STATUSES:
        yield presenter.render(f"reason.{outcome.status.value}", time=display_last_attempt(outcome) or "—")
    if outcome.status is Status.NOT_SENT and not outcome.errors and not service:
        yield presenter.render("reason.not_sent")
    for problem in sorted(outcome.problems, key=lambda problem: problem.severity):
        yield tell(problem) if tell else describe_problem(problem, presenter)


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


def list_blocking_codes(outcome: RowOutcome) -> list[str]:
    """Return the codes that keep this row from having its seal, each once; nothing for rows that are well."""
    if outcome.status is Status.FAILED:
        return [outcome.code or "—"]
    if outcome.status is Status.CHANGED:
        return ["CONTENT_CHANGED"]
    if outcome.status not in {Status.REJECTED, Status.NOT_SENT} or is_redundant_copy(outcome):
        return []
    return list(dict.fromkeys(problem.code for problem in outcome.errors))


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
    if code is None or not known(code):
        return presenter.render("advice.failed")
    return describe_task(advice_for(code), presenter)
