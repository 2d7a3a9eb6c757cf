"""Which advice belongs to an error of the service, and to our own words for answers that told nothing."""

from __future__ import annotations

from pipeline.domain.service_codes import CODES
from pipeline.messages.advice import Advice
from pipeline.messages.service_error_advice import SERVICE_ERROR_ADVICE
from pipeline.messages.service_errors import ANSWERS, HALTS, MEANINGS


def known(code: str) -> bool:
    """Tell whether a code is one that there is advice on."""
    return code in CODES or code in SERVICE_ERROR_ADVICE or code in ANSWERS or code.startswith("http_")


def advice_on_refusal(code: str) -> Advice:
    """Return the advice on a code with which a row was refused; one that nobody lists is about the row."""
    return advice_for(code) if known(code) else MEANINGS["row"]


def advice_on_halt(code: str) -> Advice | None:
    """Return the advice on the code for which a run stopped; None for a code that nobody lists.

    An upload stops the run with codes that are unlisted, or that only refuse a row where a create gets them.
    """
    meaning = CODES.get(code) or CODES.get(code.partition(".")[0])
    if meaning == "row":
        return MEANINGS["permission"]
    return HALTS.get(code) or SERVICE_ERROR_ADVICE.get(code) or (MEANINGS[meaning] if meaning else None)


def advice_for(code: str) -> Advice:
    """Return the advice on what a create was answered with; a code that nobody lists proves nothing."""
    own = SERVICE_ERROR_ADVICE.get(code) or ANSWERS.get(code)
    if own is not None:
        return own
    return ANSWERS["http_502"] if code.startswith("http_") else MEANINGS[CODES.get(code, "unknown")]
