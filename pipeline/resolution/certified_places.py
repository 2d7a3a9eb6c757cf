"""Which places of this tenant show a seal that this program made, as `certify` recorded it.

Not finding a seal in a place proves nothing until that place was seen to show one that is known to exist.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.seals import LiveSeal, PersonHistory
from pipeline.errors import UsageError
from pipeline.ledger.protocol import Decision, Ledger
from pipeline.planning.run_history import CERTIFICATE_DAYS
from pipeline.resolution.decide import DecisionMaker

SHOWN, NOT_SHOWN = "place_shown", "place_not_shown"  # kinds of decisions
AUTO_SIGN = "auto_sign"
SEARCHED = ("console", "audit_log")  # the auto-sign query knows only doctors who opened it: it never refutes


@dataclass(frozen=True, slots=True)
class Certified:
    """A place that shows imported seals, who saw it and when."""

    place: str
    who: str
    at: float  # unix seconds


def record_place(ledger: Ledger, past: PersonHistory, place: str, who: DecisionMaker, *, shown: bool) -> None:
    """Enter whether a place shows the seal of a person; UsageError for a seal that this program did not make."""
    seal = past.seal
    if seal is None or not _made_here(seal):
        raise UsageError("desk.not_made_here")
    kind = SHOWN if shown else NOT_SHOWN
    ledger.decide(Decision(kind, past.key, who.at, who.name, who.why, seal_id=seal.seal_id, detail=place))


def find_certified_place(ledger: Ledger, now: float) -> Certified | None:
    """Return a place in which not finding a seal counts: its last record says that it shows one, and is not too old."""
    last = {told.detail: told for told in ledger.decisions() if told.kind in (SHOWN, NOT_SHOWN)}
    for place in SEARCHED:
        told = last.get(place)
        if told is not None and told.kind == SHOWN and told.at >= now - CERTIFICATE_DAYS * 86_400:
            return Certified(place, told.who, told.at)
    return None


def _made_here(seal: LiveSeal) -> bool:
    """Tell whether a create of this program made a seal; one made by hand may be shown where imported ones are not."""
    return seal.trace_id is not None
