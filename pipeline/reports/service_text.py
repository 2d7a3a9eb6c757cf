"""A service code in words: what it means, who acts, what to do, and where refused keys came from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pipeline.clock import shown
from pipeline.domain.masking import Numbers, mask_answer, mask_text
from pipeline.domain.run import RunReport
from pipeline.domain.service_codes import CODES
from pipeline.messages.advice import Advice
from pipeline.messages.catalogue import say as mark
from pipeline.messages.findings import in_words, told_of
from pipeline.messages.localized import Bilingual
from pipeline.messages.results import WORDS, halt_word, say
from pipeline.messages.service_advice import advice_for, advice_on_halt, advice_on_refusal, known
from pipeline.messages.service_errors import ANSWERS
from pipeline.reports.durations import describe_duration

# reasons of ours whose own words name no cure
_WITH_ADVICE = frozenset({"SEAL_ID_REUSED", "LEDGER_CONFLICT", "OUTAGE", "TLS"})
NO_DETAIL: Mapping[str, str] = MappingProxyType({})


def is_service_code(code: str) -> bool:
    """Tell whether a code is one of the service's that the catalogue explains."""
    return known(code) and code not in ANSWERS and not code.startswith("http_")


def describe_task(advice: Advice, language: str) -> str:
    """Return who acts and what to do, as one text."""
    actor = say(f"who.{advice.who}", language)
    return f"{actor}{mark('mark.colon', language)}{advice.todo(language)}"


def describe_task_of(code: str, language: str) -> str | None:
    """Return who acts and what to do about a code of the service; None where the catalogue does not know it."""
    return describe_task(advice_on_refusal(code), language) if is_service_code(code) else None


def describe_code(code: str, language: str) -> str:
    """Return what a code of the service means, who acts and what to do; empty where the catalogue does not know it."""
    if not is_service_code(code):
        return ""
    advice = advice_for(code)
    space = "" if language == "zh" else " "
    return f"{advice.what(language)}{space}{describe_task(advice, language)}"


def describe_failure(why: str, source: str) -> Bilingual:
    """Return why a single call came to nothing: a phrase of ours, or a service code with who acts and what to do.

    ``source`` is where the keys came from, told where the code is about them.
    """
    if not is_service_code(why):
        return told_of(why)

    def say_in(language: str) -> str:
        told = describe_halt(
            why, "", language, {"credentials": source} if CODES.get(why) == "credentials" else {}
        )
        return f"{why}{mark('mark.colon', language)}{told}"

    return Bilingual(say_in("zh"), say_in("en"))


def describe_cause(cause: str, language: str) -> str:
    """Return why a host gave no usable answer: a phrase of ours, or what the code of its answer means."""
    if cause.startswith("http_"):
        return cause.upper().replace("_", " ")
    if cause in ANSWERS:
        return ANSWERS[cause].summarize(language)
    if is_service_code(cause):
        return f"{cause}{mark('mark.colon', language)}{advice_for(cause).summarize(language)}"
    return in_words(cause, language)


def describe_halt(code: str, message: str, language: str, detail: Mapping[str, str] = NO_DETAIL) -> str:
    """Return why a run stopped, who acts and what to do; ``message`` are the service's words or a phrase of ours."""
    if "since" in detail:
        cause = describe_cause(detail["cause"], language)
        since, time = shown(detail["since"]), describe_duration(float(detail["seconds"]), language)
        message = say("outage.ended", language, host=detail["host"], cause=cause, since=since, time=time)
    told, advice = halt_word(code, _explain(message, language), language), advice_on_halt(code)
    if f"halt.{code}" in WORDS:
        if advice is None or code not in _WITH_ADVICE:
            return told
        return say("halted.task", language, what=told, task=describe_task(advice, language))
    if advice is None:
        return told
    source = detail.get("credentials")
    keys = say("halted.keys", language, source=source) if source else ""
    words = say("halted.words", language, message=message) if message else ""
    what, task = advice.what(language), describe_task(advice, language)
    return say("halted.service", language, what=what, keys=keys, task=task, words=words)


def _explain(message: str, language: str) -> str:
    """Return a halt's message, and behind the code that it ends with (``20 × CODE``) what that means."""
    code = message.rpartition(" ")[2]
    if not is_service_code(code):
        return message
    return f"{message}{mark('mark.colon', language)}{advice_for(code).summarize(language)}"


def describe_halt_of(night: RunReport, numbers: Numbers, language: str) -> str:
    """Return why a run stopped, masked."""
    halted = night.halt
    assert halted is not None
    message = mask_answer(halted.message, numbers)
    detail = {name: mask_text(text, numbers) for name, text in halted.detail.items()}
    return describe_halt(halted.code, message, language, detail)
