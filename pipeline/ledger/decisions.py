"""What a human decides about a person, entered beside the facts: the attempt or seal it concerns points to it.

Every decision says who took it, when and why. The constraints decide whether it can stand.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple

from pipeline.domain.run import Judged, Judgement
from pipeline.domain.seals import PersonMarks
from pipeline.ledger import persons
from pipeline.ledger.protocol import Adopted, Decision, LedgerConflict
from pipeline.ledger.receipt_facts import Fact
from pipeline.ledger.snapshot import CONTENT

REVIEW = "review"  # kind of a decision that concerns pictures, not one person
ACCEPT_RUNS = "accept_runs"  # kind of a decision that concerns runs
_TOGETHER = 500  # judgements of one decision


def enter(connection: sqlite3.Connection, decision: Decision) -> int:
    """Enter a decision and what follows from it; returns its number. Raises LedgerConflict where it cannot stand."""
    number = _note(connection, decision)
    match decision.kind:
        case "created":
            _settle(connection, decision, number)
            _enter_found_seal(connection, decision, number)
        case "not_created" | "probe":
            _settle(connection, decision, number)
        case "not_theirs":
            _settle(connection, decision, number, verdicts=("exists",))
            connection.execute("UPDATE person SET seal_name = NULL WHERE key = ?", (decision.key,))
        case "keep":
            _keep(connection, decision, number)
        case "replace":
            _replace(connection, decision, number)
        case persons.SAME:
            persons.unite(connection, decision)
        case persons.OTHER:
            pass  # a word to later plans; nothing else follows from it
        case (
            "certify_sent" | "certify" | "certify_failed" | "certify_void" | "place_shown" | "place_not_shown"
        ):
            pass  # evidence; nothing follows from it
        case _:
            raise LedgerConflict(decision.kind)
    return number


def facts_of(decision: Decision, number: int) -> Sequence[Fact]:
    """Return what a decision sets."""
    facts = [
        Fact("person", "key", decision.key),
        Fact("seal_name", "key", decision.key),
        Fact("decision", "id", number),
    ]
    if decision.attempt is not None:
        facts.append(Fact("attempt", "uuid", decision.attempt))
    return (*facts, Fact("seal", "key", decision.key))


def adopt(connection: sqlite3.Connection, seals: Sequence[Adopted], at: float, who: str, why: str) -> None:
    """Enter seals that were made elsewhere, all or none."""
    (before,) = connection.execute("SELECT coalesce(max(number), 0) FROM attempt").fetchone()
    for seal in seals:
        connection.execute(
            "INSERT INTO person (key, name, id_masked) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING",
            (seal.key, seal.name, seal.id_masked),
        )
        persons.remember_marks(connection, {seal.key: PersonMarks(seal.staff_no, seal.mobile)})
        _own_name(connection, seal.key, seal.seal_name)
        if seal.seal_name:
            connection.execute(
                "UPDATE person SET seal_name = ? WHERE key = ? AND seal_name IS NULL",
                (seal.seal_name, seal.key),
            )
        number = _note(connection, Decision("adopt", seal.key, at, who, why, seal_id=seal.seal_id))
        connection.execute(
            "INSERT INTO seal (seal_id, key, seal_name, source, at, after_attempt, decision) "
            "VALUES (?, ?, ?, 'adopted', ?, ?, ?)",
            (seal.seal_id, seal.key, seal.seal_name, at, before, number),
        )


def judge(
    connection: sqlite3.Connection, judgements: Mapping[str, Judged], at: float, who: str, why: str
) -> list[int]:
    """Enter a review's judgements, some hundred a decision; returns the decisions' numbers.

    A receipt is one line, and the search for the last one looks back no further than 64 KB.
    """
    numbers = []
    every = list(judgements.items())
    for first in range(0, len(every), _TOGETHER):
        detail = json.dumps(dict(every[first : first + _TOGETHER]), separators=(",", ":"))
        made = connection.execute(
            "INSERT INTO decision (at, who, why, kind, detail) VALUES (?, ?, ?, ?, ?)",
            (at, who, why, REVIEW, detail),
        )
        assert made.lastrowid is not None
        numbers.append(made.lastrowid)
    return numbers


def accept_runs(connection: sqlite3.Connection, runs: Sequence[str], at: float, who: str) -> int:
    """Enter that a ledger is used although it lacks what these runs made; returns the decision's number."""
    made = connection.execute(
        "INSERT INTO decision (at, who, why, kind, detail) VALUES (?, ?, ?, ?, ?)",
        (at, who, "run --new-ledger", ACCEPT_RUNS, json.dumps(list(runs))),
    )
    assert made.lastrowid is not None
    return made.lastrowid


def accepted_runs(connection: sqlite3.Connection) -> set[str]:
    """Return every run that `accept_runs` named."""
    entered = connection.execute("SELECT detail FROM decision WHERE kind = ?", (ACCEPT_RUNS,))
    return {run for (detail,) in entered for run in json.loads(detail)}


def judgements(connection: sqlite3.Connection) -> dict[str, Judgement]:
    """Return every judgement that was entered; of two on the same content the one entered later counts."""
    told: dict[str, Judgement] = {}
    entered = connection.execute("SELECT at, detail FROM decision WHERE kind = ? ORDER BY id", (REVIEW,))
    for at, detail in entered:
        told.update({identity: Judgement(judged, at) for identity, judged in json.loads(detail).items()})
    return told


def facts_of_adopted(seals: Sequence[Adopted]) -> Sequence[Fact]:
    """Return what adopting sets."""
    return [
        Fact(table, "key", seal.key)
        for seal in seals
        for table in ("person", "seal_name", "decision", "seal")
    ]


def _note(connection: sqlite3.Connection, decision: Decision) -> int:
    made = connection.execute(
        "INSERT INTO decision (at, who, why, kind, key, attempt, seal_id, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            decision.at,
            decision.who,
            decision.why,
            decision.kind,
            decision.key,
            decision.attempt,
            decision.seal_id,
            decision.detail,
        ),
    )
    assert made.lastrowid is not None
    return made.lastrowid


def _settle(
    connection: sqlite3.Connection,
    decision: Decision,
    number: int,
    verdicts: Sequence[str] = ("unknown", "exists"),
) -> None:
    """Let the open attempt point to its decision."""
    settled = connection.execute(
        "UPDATE attempt SET decision = ? WHERE uuid = ? AND key = ? AND decision IS NULL "
        "AND verdict IN (SELECT value FROM json_each(?))",
        (number, decision.attempt, decision.key, json.dumps(verdicts)),
    )
    if settled.rowcount != 1:
        raise LedgerConflict("settled")


def _enter_found_seal(connection: sqlite3.Connection, decision: Decision, number: int) -> None:
    """Enter the seal that a human found under the name of the settled attempt, with what it was made from if that is known.

    Where the attempt was answered that the name exists, an earlier one made the seal, or it was made elsewhere.
    """
    key, seal_name, last, verdict = connection.execute(
        "SELECT key, seal_name, number, verdict FROM attempt WHERE uuid = ?", (decision.attempt,)
    ).fetchone()
    made_by = decision.attempt if verdict == "unknown" else _maker(connection, key, seal_name, last)
    entered = (decision.seal_id, key, seal_name, decision.at, last, number)
    if made_by is None:
        connection.execute(
            "INSERT INTO seal (seal_id, key, seal_name, source, at, after_attempt, decision) "
            "VALUES (?, ?, ?, 'adopted', ?, ?, ?)",
            entered,
        )
        return
    connection.execute(
        "INSERT INTO seal (seal_id, key, seal_name, source, at, after_attempt, decision, run, attempt, request_id, "  # noqa: S608 - our own words
        f"{CONTENT}) SELECT ?, ?, ?, 'resolved', ?, ?, ?, run, uuid, request_id, {CONTENT} "
        "FROM attempt WHERE uuid = ?",
        (*entered, made_by),
    )


def _maker(connection: sqlite3.Connection, key: str, seal_name: str, last: int) -> str | None:
    """Return the last create that may have made a seal of this name; None where such creates differ in content."""
    made_by = connection.execute(
        f"SELECT uuid, {CONTENT} FROM attempt WHERE key = ? AND seal_name = ? AND number <= ? "  # noqa: S608 - our own words
        "AND (verdict = 'unknown' OR (verdict = 'refused' AND code = 'FailedOperation')) ORDER BY number",
        (key, seal_name, last),
    ).fetchall()
    contents = {tuple(content) for _, *content in made_by}
    return made_by[-1][0] if len(contents) == 1 else None


def _keep(connection: sqlite3.Connection, decision: Decision, number: int) -> None:
    """Let the roster's content be what the live seal is compared with from now on."""
    assert decision.content is not None
    old = connection.execute(
        f"SELECT {CONTENT} FROM seal WHERE key = ? AND ended_by IS NULL",  # noqa: S608 - our own words
        (decision.key,),
    ).fetchone()
    if old is None:
        raise LedgerConflict("no_live_seal")
    before = dict(zip(asdict(decision.content), old, strict=True))
    connection.execute(
        "UPDATE decision SET detail = ? WHERE id = ?", (json.dumps(before, ensure_ascii=False), number)
    )
    assignments = ", ".join(f"{column} = ?" for column in CONTENT.split(", "))
    connection.execute(
        f"UPDATE seal SET {assignments} WHERE key = ? AND ended_by IS NULL",  # noqa: S608 - our own words
        (*astuple(decision.content), decision.key),
    )


def _replace(connection: sqlite3.Connection, decision: Decision, number: int) -> None:
    """End the live seal; the next create of the person goes under the new name."""
    ended = connection.execute(
        "UPDATE seal SET ended_by = ? WHERE key = ? AND ended_by IS NULL", (number, decision.key)
    )
    if ended.rowcount != 1:
        raise LedgerConflict("no_live_seal")
    taken = connection.execute(
        "SELECT 1 FROM attempt WHERE key = ?1 AND seal_name = ?2 UNION SELECT 1 FROM seal WHERE key = ?1 AND seal_name = ?2",
        (decision.key, decision.detail),
    ).fetchone()
    if taken is not None:
        raise LedgerConflict("seal_name")
    _own_name(connection, decision.key, decision.detail)
    connection.execute("UPDATE person SET seal_name = ? WHERE key = ?", (decision.detail, decision.key))


def _own_name(connection: sqlite3.Connection, key: str, seal_name: str | None) -> None:
    """Let a seal name belong to a person; LedgerConflict where it is another's."""
    if not seal_name:
        return
    connection.execute(
        "INSERT INTO seal_name (seal_name, key) SELECT ?1, ?2 "
        "WHERE NOT EXISTS (SELECT 1 FROM seal_name WHERE seal_name = ?1 AND key = ?2)",
        (seal_name, key),
    )
