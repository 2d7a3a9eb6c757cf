"""A service code in words: what it means, who acts, what to do, and where refused keys came from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pipeline.clock import shown
from pipeline.domain.run import RunReport
from pipeline.domain.service_codes import CODES
from pipeline.messages.localized import Bilingual, Localizable
from pipeline.messages.results import WORDS, halt_word
from pipeline.messages.service_error_advice import advice_for, advice_on_halt, advice_on_refusal, known
from pipeline.messages.service_errors import ANSWERS, Advice
from pipeline.reports.presenter import Presenter

# reasons of ours whose own words name no cure
_WITH_ADVICE = frozenset({"SEAL_ID_REUSED", "LEDGER_CONFLICT", "OUTAGE", "TLS"})
NO_DETAIL: Mapping[str, str] = MappingProxyType({})


def is_service_code(code: str) -> bool:
    """Tell whether a code is one of the service's that the catalogue explains."""
    return known(code) and code not in ANSWERS and not code.startswith("http_")


def describe_task(advice: Advice, presenter: Presenter) -> str:
    """Return who acts and what to do, as one text."""
    actor = presenter.render(f"who.{advice.who}")
    return f"{actor}{presenter.render_sentence('mark.colon')}{advice.todo(presenter.language)}"


def describe_task_of(code: str, presenter: Presenter) -> str | None:
    """Return who acts and what to do about a code of the service; None where the catalogue does not know it."""
    return describe_task(advice_on_refusal(code), presenter) if is_service_code(code) else None


def describe_code(code: str, presenter: Presenter) -> str:
    """Return what a code of the service means, who acts and what to do; empty where the catalogue does not know it."""
    if not is_service_code(code):
        return ""
    advice = advice_for(code)
    space = "" if presenter.language == "zh" else " "
    return f"{advice.what(presenter.language)}{space}{describe_task(advice, presenter)}"


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
    what, task = advice.what(presenter.language), describe_task(advice, presenter)
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
