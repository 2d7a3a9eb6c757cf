"""Enters the decisions of a person: resolutions, adopted seals, review judgements, accepted runs, one person or two.

A decision records who took it, when and why. The attempt or seal it concerns points to it. The constraints of the tables
refuse a decision that contradicts the facts. An operation returns the facts that it has set, for the receipts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import astuple, dataclass, field, fields, replace

from pipeline.domain.roster import fold_staff_no
from pipeline.domain.seals import Bearer, PersonDigests, PictureDecision, SealContent, Verdict
from pipeline.domain.site_key import SiteKey
from pipeline.ledger.attempts import enter_attempt, enter_late_verdict, enter_verdict
from pipeline.ledger.progress import RECOVER, LedgerProgress
from pipeline.ledger.protocol import (
    AdoptedSeal,
    Attempt,
    Connection,
    Decision,
    LedgerConflict,
    RunRecord,
    UnansweredAttempt,
)
from pipeline.ledger.receipts import Fact
from pipeline.ledger.run_history import enter_bearers, enter_run
from pipeline.ledger.schema import CONTENT_COLUMNS, OPEN_ATTEMPT, STANDING, insert_row, select_columns
from pipeline.version import PROGRAM

REVIEW = "review"  # kind of a decision on pictures
JUDGED: Mapping[str, str] = {"right": "judged_right", "wrong": "judged_wrong"}  # kinds of one judgement of it
GIVE_PICTURE, WITHDRAW_PICTURE = "give_picture", "withdraw_picture"  # kinds of decisions on one picture
_PICTURE_KINDS = (REVIEW, GIVE_PICTURE, WITHDRAW_PICTURE)
ACCEPT_RUNS = "accept_runs"  # kind of a decision on runs
SAME_PERSON, OTHER_PERSON = "same_person", "other_person"  # kinds of decisions on two numbers
ADOPT, KEEP, WITHDRAW = "adopt", "keep", "withdraw"  # further kinds of decisions


def enter_decision(connection: Connection, decision: Decision) -> list[Fact]:
    """Enter a decision and its consequences. Raises LedgerConflict where it contradicts the facts."""
    assert decision.key is not None
    number = insert_decision(connection, decision)
    match decision.kind:
        case "created":
            _resolve_attempt(connection, decision, number)
            _enter_found_seal(connection, decision, number)
        case "not_created":
            _resolve_attempt(connection, decision, number)
        case "not_theirs":
            _resolve_attempt(connection, decision, number, verdicts=("exists",))
            connection.execute("UPDATE person SET seal_name = NULL WHERE key = ?", (decision.key,))
        case "keep":
            assert decision.content is not None
            set_seal_content(connection, decision.key, astuple(decision.content))
        case "replace":
            _replace_seal(connection, decision, number)
        case "same_person":
            _unite_numbers(connection, decision)
        case _:
            if decision.kind != OTHER_PERSON:  # which later plans read
                raise LedgerConflict(decision.kind)
    return [
        Fact("person", "key", decision.key),
        Fact("seal_name", "key", decision.key),
        Fact("decision", "id", number),
        *([Fact("attempt", "uuid", decision.attempt)] if decision.attempt is not None else []),
        Fact("seal", "key", decision.key),
    ]


def enter_kept_answer(
    connection: Connection, attempt: UnansweredAttempt, verdict: Verdict, *, now: float, why: str
) -> list[Fact]:
    """Enter the answer to an unresolved attempt that an earlier run kept in its results; one with ``sealed`` resolves it.

    Raises LedgerConflict where the SealId is another person's, or the attempt was resolved meanwhile.
    """
    facts = enter_late_verdict(connection, attempt.uuid, verdict, now)
    if verdict.kind == "sealed":
        decision = Decision(
            "created", attempt.key, now, PROGRAM, why, attempt=attempt.uuid, seal_id=verdict.seal_id
        )
        facts += enter_decision(connection, decision)
    return facts


def enter_adopted_seals(
    connection: Connection, seals: Sequence[AdoptedSeal], *, now: float, who: str, why: str
) -> list[Fact]:
    """Enter seals created elsewhere, all or none."""
    (before,) = connection.execute("SELECT coalesce(max(number), 0) FROM attempt").fetchone()
    for seal in seals:
        connection.execute(
            "INSERT INTO person (key, name, id_masked) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING",
            (seal.key, seal.name, seal.id_masked),
        )
        update_person_digests(connection, {seal.key: PersonDigests(seal.staff_no, seal.mobile)})
        number = insert_decision(connection, Decision(ADOPT, seal.key, now, who, why, seal_id=seal.seal_id))
        _register_seal_name(connection, seal.key, seal.seal_name)
        if seal.seal_name:
            connection.execute(
                "UPDATE person SET seal_name = ? WHERE key = ? AND seal_name IS NULL",
                (seal.seal_name, seal.key),
            )
        _insert_adopted_seal(connection, seal.seal_id, seal.key, seal.seal_name, now, before, number)
    # a seal's receipt stands behind those of what belongs to it (receipt_sync.py)
    facts = enter_bearers(connection, [_make_bearer(seal) for seal in seals])
    for seal in seals:
        for table in ("person", "seal_name", "decision", "seal"):
            facts.append(Fact(table, "key", seal.key))
    return facts


def _make_bearer(seal: AdoptedSeal) -> Bearer:
    """Return who bore the name and the staff number of an adopted seal: a later run may read others."""
    return Bearer(
        key=seal.key,
        name=seal.name_key,
        staff_no=seal.staff_no,
        mobile=seal.mobile,
        shown_name=seal.name or "",
        position=seal.seal_name or seal.seal_id,
    )


def enter_judgement(
    connection: Connection, judgement: PictureDecision, *, now: float, who: str, why: str
) -> list[Fact]:
    """Enter the judgement of a picture."""
    number = _insert_picture_decision(connection, REVIEW, judgement, now=now, who=who, why=why)
    return [Fact("decision", "id", number)]


def enter_given_picture(
    connection: Connection, given: PictureDecision, *, now: float, who: str, why: str
) -> list[Fact]:
    """Enter that a picture is a doctor's. Raises LedgerConflict where it is given to another doctor, number and name."""
    for other in read_picture_decisions(connection):
        is_same = other.picture == given.picture or (other.pixels and other.pixels == given.pixels)
        is_other = (other.key, other.name) != (given.key, given.name)
        if other.decided == "given" and is_same and is_other:
            raise LedgerConflict("picture_given")
    number = _insert_picture_decision(connection, GIVE_PICTURE, given, now=now, who=who, why=why)
    return [Fact("decision", "id", number)]


def enter_withdrawn_picture(
    connection: Connection, given: PictureDecision, *, now: float, who: str, why: str
) -> list[Fact]:
    """Enter that a picture is no longer given to a doctor. Raises LedgerConflict where it was not."""
    if given not in read_picture_decisions(connection):
        raise LedgerConflict("picture_given")
    number = _insert_picture_decision(connection, WITHDRAW_PICTURE, given, now=now, who=who, why=why)
    return [Fact("decision", "id", number)]


def _insert_picture_decision(
    connection: Connection, kind: str, entered: PictureDecision, *, now: float, who: str, why: str
) -> int:
    # the doctor may not be in the ledger yet, so that the decision refers to no person
    detail = _dump(entered.to_dict())
    return insert_decision(connection, Decision(kind, None, now, who, why, detail=detail))


def read_picture_decisions(connection: Connection) -> list[PictureDecision]:
    """Return the decisions on pictures that were not withdrawn, the oldest first; of equal ones the newest."""
    decisions: dict[PictureDecision, None] = {}
    for kind, one, _ in _read_picture_decisions(connection):
        decisions.pop(one, None)
        if kind != WITHDRAW_PICTURE:
            decisions[one] = None
    return list(decisions)


def read_picture_decisions_of(connection: Connection, keys: AbstractSet[str]) -> Iterator[Decision]:
    """Yield the decisions on pictures of a person, oldest first; a judgement is ``judged_right`` or ``judged_wrong``."""
    for kind, one, decision in _read_picture_decisions(connection):
        if one.key in keys:
            shown = " ".join(filter(None, (one.shown_name, one.position)))
            yield replace(decision, kind=JUDGED.get(one.decided, kind), detail=shown or None)


def erase_names_in_picture_decisions(connection: Connection, keys: AbstractSet[str]) -> None:
    """Remove names and rows from the decisions on pictures of a person; for whom they hold stays."""
    entered = connection.execute("SELECT id, detail FROM decision WHERE kind IN (?, ?, ?)", _PICTURE_KINDS)
    for number, detail in entered.fetchall():
        stored = json.loads(detail)
        if stored["key"] in keys and "shown_name" in stored:
            del stored["shown_name"]
            stored.pop("position", None)
            connection.execute("UPDATE decision SET detail = ? WHERE id = ?", (_dump(stored), number))


def _dump(stored: object) -> str:
    return json.dumps(stored, ensure_ascii=False, separators=(",", ":"))


def _read_picture_decisions(connection: Connection) -> Iterator[tuple[str, PictureDecision, Decision]]:
    """Yield each with its kind, and the decision with which it was entered."""
    for row in select_columns(
        connection,
        "SELECT at AS decided_at, who, why, kind, key, id AS number, detail FROM decision "
        "WHERE kind IN (?, ?, ?) ORDER BY id",
        _PICTURE_KINDS,
    ):
        decision = Decision(**row)
        assert decision.detail is not None
        stored = json.loads(decision.detail)
        yield decision.kind, PictureDecision.from_dict(stored, decision.decided_at), decision


def enter_accepted_runs(
    connection: Connection, runs: Sequence[str], *, now: float, who: str, why: str = "run --new-ledger"
) -> list[Fact]:
    """Enter that the ledger is used without the seals of these runs: their results no longer refuse it."""
    decision = Decision(ACCEPT_RUNS, None, now, who, why, detail=json.dumps(list(runs)))
    return [Fact("decision", "id", insert_decision(connection, decision))]


@dataclass(frozen=True, slots=True)
class HeldAttempt:
    """A create that a lost commit entered, or may have entered; ``verdict`` is unknown, with the evidence that is left."""

    attempt: Attempt
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Recovery:
    """What is entered in a ledger that has lost commits."""

    runs: Sequence[RunRecord]  # that the ledger does not hold
    held: Sequence[HeldAttempt]
    accepted_runs: Sequence[str]  # whose results no longer refuse the ledger
    accounts_for: Sequence[LedgerProgress]  # all that was seen of the ledger
    former: Mapping[str, int] = field(
        default_factory=dict
    )  # ids of lost ledgers, with the creates that were seen of them


def enter_recovery(connection: Connection, recovery: Recovery, *, now: float, who: str) -> list[Fact]:
    """Enter a recovery. Raises LedgerConflict where a person has a seal or an open create meanwhile."""
    facts: list[Fact] = []
    for run in recovery.runs:
        facts += enter_run(connection, run)
    for held in recovery.held:
        facts += enter_attempt(connection, held.attempt)
        facts += enter_verdict(connection, held.attempt.uuid, held.verdict, now)
    facts += enter_accepted_runs(connection, recovery.accepted_runs, now=now, who=who, why="ledger recover")
    detail = json.dumps({"seen": recovery.accounts_for, "former": dict(recovery.former)})
    decision = Decision(RECOVER, None, now, who, "ledger recover", detail=detail)
    number = insert_decision(connection, decision)
    return [*facts, Fact("decision", "id", number)]


def read_accepted_runs(connection: Connection) -> set[str]:
    """Return every run that `enter_accepted_runs` entered."""
    entered = connection.execute("SELECT detail FROM decision WHERE kind = ?", (ACCEPT_RUNS,))
    return {run for (detail,) in entered for run in json.loads(detail)}


def read_decisions(connection: Connection, keys: str | None = None) -> list[Decision]:
    """Return the decisions, oldest first; ``keys`` is a JSON list of keys: those of one person alone."""
    rows = select_columns(
        connection,
        "SELECT at AS decided_at, who, why, kind, key, attempt, seal_id, id AS number, detail, withdraws, "
        "(SELECT later.at FROM decision AS later WHERE later.withdraws = decision.id) AS withdrawn_at FROM decision "
        "WHERE coalesce(?1, '') = '' OR key IN (SELECT value FROM json_each(?1)) "
        "OR (kind IN ('same_person', 'other_person', 'withdraw') AND detail IN (SELECT value FROM json_each(?1))) ORDER BY id",
        (keys,),
    )
    return [Decision(**row) for row in rows]


def insert_decision(connection: Connection, decision: Decision) -> int:
    """Enter a decision; return its number."""
    columns = {
        name: getattr(decision, name)
        for name in ("who", "why", "kind", "key", "attempt", "seal_id", "detail", "withdraws")
    }
    (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM attempt").fetchone()
    replaced = _dump_replaced(connection, decision)
    insert_row(
        connection,
        "decision",
        {"at": decision.decided_at, **columns, "after_attempt": last, "replaced": replaced},
    )
    number: int = connection.execute("SELECT max(id) FROM decision").fetchone()[0]  # numbers only grow
    return number


def _dump_replaced(connection: Connection, decision: Decision) -> str | None:
    """Return as JSON what a decision may replace: of ``keep`` the live seal's content, else names of the person."""
    if decision.kind == KEEP:
        names = [field.name for field in fields(SealContent)]
        statement = f"SELECT {CONTENT_COLUMNS} FROM seal WHERE key = ? AND ended_by IS NULL"  # noqa: S608 - our own words
    else:
        names = ["seal_name", "id_masked"]
        statement = "SELECT seal_name, id_masked FROM person WHERE key = ?"
    row = connection.execute(statement, (decision.key,)).fetchone()
    return json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) if row else None


def _resolve_attempt(
    connection: Connection,
    decision: Decision,
    number: int,
    verdicts: Sequence[str] = ("unknown", "exists"),
) -> None:
    """Point the open attempt to its decision; raise LedgerConflict where there is none."""
    updated = connection.execute(
        "UPDATE attempt SET decision = ? WHERE uuid = ? AND key = ? AND decision IS NULL "
        "AND verdict IN (SELECT value FROM json_each(?))",
        (number, decision.attempt, decision.key, json.dumps(verdicts)),
    )
    if updated.rowcount != 1:
        raise LedgerConflict("settled")


def _enter_found_seal(connection: Connection, decision: Decision, number: int) -> None:
    """Enter the seal that a person found under the name of the resolved attempt, with its content where that is known.

    If the attempt was answered that the name exists, an earlier attempt created the seal, or it was created elsewhere.
    """
    key, seal_name, last, verdict = connection.execute(
        "SELECT key, seal_name, number, verdict FROM attempt WHERE uuid = ?", (decision.attempt,)
    ).fetchone()
    made_by = (
        decision.attempt if verdict == "unknown" else _get_creating_attempt(connection, key, seal_name, last)
    )
    entered = (decision.seal_id, key, seal_name, decision.decided_at, last, number)
    if made_by is None:
        _insert_adopted_seal(connection, *entered)
        return
    connection.execute(
        "INSERT INTO seal (seal_id, key, seal_name, source, at, after_attempt, decision, run, attempt, request_id, "  # noqa: S608 - our own words
        f"{CONTENT_COLUMNS}) SELECT ?, ?, ?, 'resolved', ?, ?, ?, run, uuid, request_id, {CONTENT_COLUMNS} "
        "FROM attempt WHERE uuid = ?",
        (*entered, made_by),
    )


def _insert_adopted_seal(connection: Connection, *values: object) -> None:
    connection.execute(
        "INSERT INTO seal (seal_id, key, seal_name, source, at, after_attempt, decision) "
        "VALUES (?, ?, ?, 'adopted', ?, ?, ?)",
        values,
    )


def _get_creating_attempt(connection: Connection, key: str, seal_name: str, last: int) -> str | None:
    """Return the last attempt that may have created a seal of this name; None where such attempts differ in content."""
    made_by = connection.execute(
        f"SELECT uuid, {CONTENT_COLUMNS} FROM attempt WHERE key = ? AND seal_name = ? AND number <= ? "  # noqa: S608 - our own words
        "AND (verdict = 'unknown' OR (verdict = 'refused' AND code = 'FailedOperation')) ORDER BY number",
        (key, seal_name, last),
    ).fetchall()
    contents = {tuple(content) for _, *content in made_by}
    return made_by[-1][0] if len(contents) == 1 else None


def set_seal_content(connection: Connection, key: str, content: Sequence[object]) -> None:
    """Set what the live seal is compared with, by the values of CONTENT_COLUMNS; LedgerConflict where there is none."""
    assignments = ", ".join(f"{column} = ?" for column in CONTENT_COLUMNS.split(", "))
    updated = connection.execute(
        f"UPDATE seal SET {assignments} WHERE key = ? AND ended_by IS NULL",  # noqa: S608 - our own words
        (*content, key),
    )
    if updated.rowcount != 1:
        raise LedgerConflict("no_live_seal")


def _replace_seal(connection: Connection, decision: Decision, number: int) -> None:
    """End the live seal; the next create of the person uses the new name."""
    assert decision.key is not None
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
    _register_seal_name(connection, decision.key, decision.detail)
    connection.execute("UPDATE person SET seal_name = ? WHERE key = ?", (decision.detail, decision.key))


def _register_seal_name(connection: Connection, key: str, seal_name: str | None) -> None:
    """Make a seal name a person's; the constraint refuses another person's."""
    if not seal_name:
        return
    connection.execute(
        "INSERT INTO seal_name (seal_name, key) SELECT ?1, ?2 "
        "WHERE NOT EXISTS (SELECT 1 FROM seal_name WHERE seal_name = ?1 AND key = ?2)",
        (seal_name, key),
    )


_HAS_SEAL_OR_ATTEMPT = (  # of a key, whether nothing may be sent for it
    "SELECT EXISTS (SELECT 1 FROM seal WHERE key = ?1 AND ended_by IS NULL) "  # noqa: S608 - our own words
    f"OR EXISTS (SELECT 1 FROM attempt WHERE key = ?1 AND {OPEN_ATTEMPT})"
)


# whether a line of `row_line` is its person's: not one that was refused because its number has another name (is_anothers_row)
OWN_ROW = (
    "NOT (status = 'rejected' AND codes LIKE '%ID_NAME_CONFLICT%' "
    "AND coalesce(json_extract(line, '$.name'), '') <> coalesce(person.name, ''))"
)


def read_earlier_staff_numbers(connection: Connection, site_key: SiteKey) -> dict[str, str]:
    """Return the staff numbers of persons entered without one, from the rows that runs read for them."""
    rows = connection.execute(
        "SELECT key, (SELECT json_extract(line, '$.staff_no') FROM row_line WHERE row_line.key = person.key "  # noqa: S608 - our own words
        f"AND {OWN_ROW} ORDER BY id DESC LIMIT 1) FROM person WHERE staff_no IS NULL"
    )
    return {key: site_key.digest(fold_staff_no(staff_no)) if staff_no else "" for key, staff_no in rows}


def update_person_digests(connection: Connection, digests: Mapping[str, PersonDigests]) -> list[Fact]:
    """Update staff number and mobile of persons; an empty value keeps what was known."""
    connection.executemany(
        "UPDATE person SET staff_no = coalesce(nullif(?, ''), staff_no, ''), "
        "mobile = coalesce(nullif(?, ''), mobile, '') WHERE key = ?",
        ((person.staff_no, person.mobile, key) for key, person in digests.items()),
    )
    return [Fact("person", "key", key, ("staff_no", "mobile")) for key in digests]


def read_same_persons(connection: Connection) -> tuple[dict[str, str], frozenset[tuple[str, str]]]:
    """Return the keys of corrected numbers with their persons' keys, and the pairs that are two persons."""
    same: dict[str, str] = {}
    other: set[tuple[str, str]] = set()
    for kind, key, number in connection.execute(
        f"SELECT kind, key, detail FROM decision WHERE kind IN (?, ?) AND {STANDING} ORDER BY id",  # noqa: S608 - our own words
        (SAME_PERSON, OTHER_PERSON),
    ):
        if kind == SAME_PERSON:
            same |= {corrected: key for corrected, owner in same.items() if owner == number}
            same[number] = key
            other.discard((key, number))
        else:
            other.add((key, number))
            if same.get(number) == key:
                del same[number]
    return same, frozenset(other)


def list_same_persons(connection: Connection) -> dict[str, str]:
    """Return the keys of corrected numbers with their persons' keys."""
    return read_same_persons(connection)[0]


def _unite_numbers(connection: Connection, decision: Decision) -> None:
    """Make a number a person's; raise LedgerConflict where it has a seal of its own or the person has none."""
    (own,) = connection.execute(_HAS_SEAL_OR_ATTEMPT, (decision.detail,)).fetchone()
    (holds,) = connection.execute(_HAS_SEAL_OR_ATTEMPT, (decision.key,)).fetchone()
    if own or not holds or decision.detail == decision.key:
        raise LedgerConflict("same_person")
    if decision.id_masked:
        connection.execute(
            "UPDATE person SET id_masked = ? WHERE key = ?", (decision.id_masked, decision.key)
        )
