"""The two unique indexes refuse what the code would get wrong: a second live create, a SealId with two owners."""

from __future__ import annotations

import sqlite3

import pytest
from ledger_support import EXISTS, UNKNOWN, send

from pipeline.domain.seals import Verdict
from pipeline.ledger import creates
from pipeline.ledger.records import LedgerConflict

STATES = {
    "open": None,
    "unknown": UNKNOWN,
    "exists": EXISTS,
    "sealed": Verdict("sealed", seal_id="S1", http_status=200),
    "refused": Verdict("refused"),
}
INSERT = (
    "INSERT INTO attempt (uuid, event_number, person, state, is_contested, run, row_id, contract, host, signed_at, dead_at, "
    "seal_name, seal_id) VALUES ('x', 9, ?, ?, ?, '', '', 'file_id', 'h', 1.0, 1.0, 'n', ?)"
)


@pytest.fixture
def people(ledger, attempt):
    """One person for each state, who is called like it."""
    for state, verdict in STATES.items():
        send(ledger, attempt(state), verdict)


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("new", ["open", "unknown", "exists", "sealed"])
@pytest.mark.parametrize("known", ["open", "unknown", "exists", "sealed"])
def test_a_person_has_one_live_create(raw, known, new):
    with pytest.raises(sqlite3.IntegrityError, match=r"attempt\.person"):
        raw(INSERT, known, new, 0, "S9")
    raw(INSERT, known, new, 1, "S9")  # outside the index: what contradicts it is contested


@pytest.mark.usefixtures("people")
def test_a_create_that_is_closed_leaves_room_and_cannot_become_live_again(raw):
    raw(INSERT, "refused", "open", 0, None)
    with pytest.raises(sqlite3.IntegrityError, match=r"attempt\.person"):
        raw("UPDATE attempt SET state = 'unknown' WHERE person = 'refused' AND state = 'refused'")


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("state", ["sealed", "ended"])
def test_a_seal_id_has_one_owner(raw, state):
    with pytest.raises(sqlite3.IntegrityError, match="one_owner"):
        raw(INSERT, "nobody", state, 0, "S1")
    raw(INSERT, "nobody", "unknown", 0, "S1")  # as evidence it may equal that of another person's create


def test_what_the_code_would_let_through_is_a_conflict_and_nothing_is_written(ledger, attempt, monkeypatch):
    """The name of the constraint is that of the check which failed to refuse it."""
    send(ledger, attempt("p1"), STATES["sealed"])
    send(ledger, attempt("p2"), None)
    before = ledger.snapshot()
    monkeypatch.setattr(creates, "require_free", lambda _person: None)
    monkeypatch.setattr(creates, "require_new_seal_id", lambda _connection, _seal_id: None)
    with pytest.raises(LedgerConflict, match=r"^open_attempt$"):
        send(ledger, attempt("p1"), None)
    with pytest.raises(LedgerConflict, match=r"^seal_id$"):
        send(ledger, attempt("p3"), STATES["sealed"])
    people = ledger.snapshot().people
    assert {key: people[key] for key in ("p1", "p2")} == before.people
    assert people["p3"].unresolved_attempt is not None
