"""Withdraws decisions: what a decision had set is set back, as long as nothing was built on it.

The decisions on a person are withdrawn from the last to the first. A decision on two numbers is one on both persons.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from dataclasses import field as _field
from itertools import islice

from pipeline.ledger.decisions import (
    ADOPT,
    KEEP,
    OTHER_PERSON,
    SAME_PERSON,
    WITHDRAW,
    insert_decision,
    read_decisions,
    set_seal_content,
)
from pipeline.ledger.protocol import Connection, Decision, LedgerConflict
from pipeline.ledger.receipts import Fact
from pipeline.ledger.schema import SURELY_REFUSED

_OF_TWO_NUMBERS = frozenset({SAME_PERSON, OTHER_PERSON})
WITHDRAWABLE = frozenset({"created", "not_created", "not_theirs", KEEP, "replace", ADOPT, *_OF_TWO_NUMBERS})

# A create after a decision that may have made a seal: of these persons, or of another one who was given the seal name.
_CREATE_AFTER = (
    "SELECT min(signed_at) FROM attempt WHERE number > (SELECT after_attempt FROM decision WHERE id = ?1) "  # noqa: S608 - our own words
    f"AND ((key IN (SELECT value FROM json_each(?2)) AND NOT {SURELY_REFUSED}) OR (key <> ?3 AND seal_name = "
    "(SELECT json_extract(replaced, '$.seal_name') FROM decision WHERE id = ?1)))"
)
_UNUSED_NAMES = (
    "SELECT seal_name FROM seal_name WHERE key = ?1 AND seal_name NOT IN "
    "(SELECT seal_name FROM attempt WHERE key = ?1 UNION SELECT seal_name FROM seal WHERE key = ?1 AND seal_name IS NOT NULL "
    "UNION SELECT seal_name FROM person WHERE key = ?1 AND seal_name IS NOT NULL)"
)
# the bearer that an adopted seal was entered with, see `enter_adopted_seals`
_ADOPTED_BEARERS = (
    "SELECT bearer.id FROM bearer JOIN seal ON seal.key = bearer.key AND position = coalesce(seal_name, seal_id) "
    "WHERE seal.decision = ? AND picture = '' AND bearer.run = ''"
)


@dataclass(frozen=True, slots=True)
class LastDecision:
    """The last decision on a person that counts, with the person."""

    decision: Decision
    name: str | None = _field(repr=False)
    id_masked: str | None
    seal_name: str | None
    seal_id: str | None  # of the live seal
    create_at: float | None  # unix seconds: a create was sent on it, so that it cannot be withdrawn

    @property
    def unique_word(self) -> str:
        """The word that means this person and no other: the live seal's id, the trace id of the create, or else the key."""
        return self.seal_id or self.decision.attempt or self.decision.key or ""

    @property
    def can_be_withdrawn(self) -> bool:
        """Whether nothing was built on it."""
        return self.create_at is None


def list_last_decisions(connection: Connection, keys: Collection[str | None]) -> list[LastDecision]:
    """Return the last decision on each of these persons, where it is of a kind that is withdrawn, the newest first."""
    return [
        _describe(connection, decision)
        for decision in _read_last_decisions(connection)
        if not _list_keys(decision).isdisjoint(keys)
    ]


def list_withdrawable(connection: Connection, limit: int) -> list[LastDecision]:
    """Return the newest decisions that can be withdrawn now, without adopted seals: a sheet of them is one word of a person."""
    described = (
        _describe(connection, decision)
        for decision in _read_last_decisions(connection)
        if decision.kind != ADOPT
    )
    return list(islice((last for last in described if last.can_be_withdrawn), limit))


def _read_last_decisions(connection: Connection) -> Iterator[Decision]:
    later: set[str] = set()  # persons on whom there is a later decision
    for decision in reversed(read_decisions(connection)):
        keys = _list_keys(decision)
        if decision.counts and decision.kind in WITHDRAWABLE and later.isdisjoint(keys):
            yield decision
        if decision.counts:
            later |= keys


def _describe(connection: Connection, decision: Decision) -> LastDecision:
    person = connection.execute(
        "SELECT name, id_masked, person.seal_name, seal_id FROM person LEFT JOIN seal "
        "ON seal.key = person.key AND ended_by IS NULL WHERE person.key = ?",
        (decision.key,),
    ).fetchone()
    name, id_masked, seal_name, seal_id = person
    keys = json.dumps(sorted(_list_keys(decision)))
    (create_at,) = connection.execute(_CREATE_AFTER, (decision.number, keys, decision.key)).fetchone()
    return LastDecision(decision, name, id_masked, seal_name, seal_id, create_at)


def enter_withdrawal(connection: Connection, number: int, *, now: float, who: str, why: str) -> list[Fact]:
    """Withdraw a decision. Raises LedgerConflict where it is not the last one on its person, or a create was sent on it."""
    lasts = (decision for decision in _read_last_decisions(connection) if decision.number == number)
    decision = next(lasts, None)
    if decision is None or not _describe(connection, decision).can_be_withdrawn:
        raise LedgerConflict("built_on")
    key = decision.key
    assert key is not None
    detail = decision.detail if decision.kind in _OF_TWO_NUMBERS else None
    withdrawal = insert_decision(
        connection, Decision(WITHDRAW, key, now, who, why, detail=detail, withdraws=number)
    )
    removed = _remove(connection, "bearer", "id", _ADOPTED_BEARERS, number) if decision.kind == ADOPT else []
    removed += _remove(connection, "seal", "id", "SELECT id FROM seal WHERE decision = ?", number)
    connection.execute("UPDATE seal SET ended_by = NULL WHERE ended_by = ?", (number,))
    connection.execute("UPDATE attempt SET decision = NULL WHERE decision = ?", (number,))
    (text,) = connection.execute("SELECT replaced FROM decision WHERE id = ?", (number,)).fetchone()
    replaced = json.loads(text)
    if decision.kind == KEEP:
        set_seal_content(connection, key, list(replaced.values()))
    else:
        connection.execute(
            "UPDATE person SET seal_name = ?, id_masked = ? WHERE key = ?", (*replaced.values(), key)
        )
    removed += _remove(connection, "seal_name", "seal_name", _UNUSED_NAMES, key)
    return [
        *removed,
        Fact("person", "key", key),
        Fact("decision", "id", withdrawal),
        *([Fact("attempt", "uuid", decision.attempt)] if decision.attempt is not None else []),
        Fact("seal", "key", key),
    ]


def _list_keys(decision: Decision) -> set[str]:
    """Return the keys of the persons on whom a decision is."""
    keys = (decision.key, decision.detail if decision.kind in _OF_TWO_NUMBERS else None)
    return {key for key in keys if key is not None}


def _remove(connection: Connection, table: str, identity: str, which: str, value: str | int) -> list[Fact]:
    """Remove the rows that a statement selects by ``value``; return the facts."""
    rows = [row for (row,) in connection.execute(which, (value,)).fetchall()]
    for row in rows:
        connection.execute(f"DELETE FROM {table} WHERE {identity} = ?", (row,))  # noqa: S608 - names of our own schema
    return [Fact(table, identity, row, ()) for row in rows]
