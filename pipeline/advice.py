"""Which advice belongs to an error of the service, and to our own words for answers that told nothing."""

from __future__ import annotations

from pipeline.service_codes import CODES
from pipeline.words.advice import Advice
from pipeline.words.frequent import OWN
from pipeline.words.service import ANSWERS, MEANINGS


def known(code: str) -> bool:
    """Tell whether a code is one that there is advice on."""
    return code in CODES or code in OWN or code in ANSWERS or code.startswith("http_")


def advice_on(code: str) -> Advice:
    """Return the advice on what a create was answered with; a code that nobody lists proves nothing."""
    own = OWN.get(code) or ANSWERS.get(code)
    if own is not None:
        return own
    return ANSWERS["http_502"] if code.startswith("http_") else MEANINGS[CODES.get(code, "unknown")]
