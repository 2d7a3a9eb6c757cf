"""Finds in the ledger what `certify` recorded: `status` asks for it with every call, so it imports little."""

from __future__ import annotations

from pipeline.ledger.protocol import Decision, Ledger
from pipeline.planning import guards

SHOWN, NOT_SHOWN = "place_shown", "place_not_shown"  # kinds of decisions
SEARCHABLE_PLACES = ("console", "audit_log")  # auto-sign lists only doctors who opened it: it never refutes


def find_certified_place(ledger: Ledger, now: float) -> str | None:
    """Return a place where not finding a seal counts: its last record is that it shows one, and is not too old."""
    decisions, oldest = ledger.list_decisions(), now - guards.CERTIFICATE_DAYS * 86_400
    records = {record.detail: record for record in decisions if record.kind in {SHOWN, NOT_SHOWN}}
    for place_name in SEARCHABLE_PLACES:
        record = records.get(place_name)
        if record is not None and record.kind == SHOWN and record.decided_at >= oldest:
            return place_name
    return None


def find_unanswered_create(ledger: Ledger) -> Decision | None:
    """Return the last second create of a certification, where it got no verdict."""
    records = [record for record in ledger.list_decisions() if record.kind in guards.CERTIFICATION]
    return records[-1] if records and records[-1].kind == guards.CERTIFY_SENT else None
