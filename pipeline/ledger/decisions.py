"""Enters and reads the decisions of people: on a create, a seal, two numbers, a picture."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import astuple, replace
from itertools import islice
from typing import Any

from pipeline.domain.seals import Person, PictureDecision
from pipeline.ledger import creates
from pipeline.ledger.bearers import insert_bearers
from pipeline.ledger.events import Event
from pipeline.ledger.people import OTHER_PERSON, SAME_PERSON, read_people
from pipeline.ledger.records import AdoptedSeal, Decision, LastDecision, LedgerConflict
from pipeline.ledger.tables import Connection, insert_row, make_placeholders, select_rows

REVIEW = "review"  # kind of a decision on pictures
JUDGED: Mapping[str, str] = {"right": "judged_right", "wrong": "judged_wrong"}  # kinds of one judgement of it
GIVE_PICTURE, WITHDRAW_PICTURE = "give_picture", "withdraw_picture"  # kinds of decisions on one picture
_PICTURE_KINDS = (REVIEW, GIVE_PICTURE, WITHDRAW_PICTURE)
ADOPT, KEEP, WITHDRAW = "adopt", "keep", "withdraw"  # further kinds
OF_TWO_NUMBERS = frozenset({SAME_PERSON, OTHER_PERSON})
WITHDRAWABLE = frozenset({"created", "not_created", "not_theirs", KEEP, "replace", ADOPT, *OF_TWO_NUMBERS})


def build_decision_args(decision: Decision) -> dict[str, Any]:
    """Return the arguments of the event of a decision on a create, a seal or two numbers."""
    return {
        "kind": decision.kind,
        "person": decision.key,
        "at": decision.decided_at,
        "who": decision.who,
        "why": decision.why,
        "attempt": decision.attempt,
        "seal_id": decision.seal_id,
        "detail": decision.detail,
        "content": astuple(decision.content) if decision.content is not None else None,
        "id_masked": decision.id_masked,
    }


def build_adoption_args(seal: AdoptedSeal, *, now: float, who: str, why: str) -> dict[str, Any]:
    """Return the arguments of the event of a seal that was made elsewhere."""
    return {
        "person": seal.key,
        "seal_id": seal.seal_id,
        "name": seal.name,
        "id_masked": seal.id_masked,
        "seal_name": seal.seal_name or "",
        "staff_no": seal.staff_no,
        "mobile": seal.mobile,
        "name_key": seal.name_key,
        "at": now,
        "who": who,
        "why": why,
    }


def build_picture_args(
    kind: str, entered: PictureDecision, *, now: float, who: str, why: str
) -> dict[str, Any]:
    """Return the arguments of the event of a decision on a picture; its doctor may not be in the ledger yet."""
    return {"kind": kind, "picture": entered.to_dict(), "at": now, "who": who, "why": why}


# --- decisions on creates, seals and numbers


def apply_decision(connection: Connection, event: Event) -> None:
    """Enter a decision and its consequences."""
    args = event.args
    key, kind = args["person"], args["kind"]
    person = read_people(connection, [key]).get(key)
    if person is None:
        raise LedgerConflict("person")
    replaced = None
    match kind:
        case "created" | "not_created" | "not_theirs":
            creates.resolve_attempt(connection, event, person)
            replaced = person.seal_name
        case "keep":
            replaced = creates.dump_content(creates.require_seal(person).content)
            creates.keep_content(connection, person, args["content"])
        case "replace":
            creates.replace_seal(connection, event, person)
        case "same_person":
            creates.unite_numbers(connection, args, person)
        case "other_person":
            pass  # what later plans read
        case _:
            raise LedgerConflict(kind)
    insert_decision(connection, event, kind=kind, replaced=replaced)


def void_decision(connection: Connection, event: Event) -> None:
    """Enter a decision that does not fit: it has no effect."""
    insert_decision(connection, event, kind=event.args["kind"], has_effect=False)


def apply_adoption(connection: Connection, event: Event) -> None:
    """Enter a seal that was made elsewhere; a later run may read another name or staff number of its doctor."""
    creates.apply_adopted_seal(connection, event)
    args = event.args
    bearer = {
        "key": args["person"],
        "name": args["name_key"],
        "staff_no": args["staff_no"],
        "mobile": args["mobile"],
        "shown_name": args["name"] or "",
        "position": args["seal_name"] or args["seal_id"],
    }
    insert_bearers(connection, [bearer], adoption=event.id)
    insert_decision(connection, event, kind=ADOPT)


def contest_adoption(connection: Connection, event: Event) -> None:
    """Enter an adopted seal that contradicts what is known."""
    creates.contest_adopted_seal(connection, event)
    insert_decision(connection, event, kind=ADOPT, has_effect=False)


def insert_decision(
    connection: Connection,
    event: Event,
    *,
    kind: str,
    has_effect: bool = True,
    replaced: str | None = None,
    detail: str | None = None,
    withdraws: str | None = None,
) -> None:
    """Enter a decision; ``replaced`` is the seal content, or the person's seal name, that it put another one in place of."""
    args = event.args
    if not args["who"].strip():
        raise LedgerConflict("who")
    insert_row(
        connection,
        "decision",
        {
            "id": event.id,
            "event_number": event.n,
            "decided_at": args["at"],
            "who": args["who"],
            "why": args["why"],
            "kind": kind,
            "person": args.get("person"),
            "attempt": args.get("attempt"),
            "seal_id": args.get("seal_id"),
            "detail": detail if detail is not None else args.get("detail"),
            "replaced": replaced,
            "withdraws": withdraws,
            "has_effect": int(has_effect),
        },
    )


def read_decisions(connection: Connection, keys: Sequence[str] | None = None) -> list[Decision]:
    """Return the decisions, oldest first; with ``keys`` those on these persons alone."""
    chosen = ""
    values: tuple[str, ...] = ()
    if keys is not None:
        placeholders = make_placeholders(keys) or "NULL"
        chosen = (
            f"WHERE person IN ({placeholders}) OR "
            f"(kind IN ('same_person', 'other_person', 'withdraw') AND detail IN ({placeholders})) "
        )
        values = (*keys, *keys)
    statement = (
        "SELECT decided_at, who, why, kind, person AS key, attempt, seal_id, id, detail, withdraws, withdrawn_at, "  # noqa: S608 - our own words
        f"has_effect FROM decision {chosen}ORDER BY event_number, id"
    )
    return [
        Decision(**{**row, "has_effect": bool(row["has_effect"])})
        for row in select_rows(connection, statement, values)
    ]


# --- which can be withdrawn


def list_last_decisions(connection: Connection, keys: Collection[str | None]) -> list[LastDecision]:
    """Return the last decision on each of these persons, where it is of a kind that is withdrawn, the newest first."""
    return [
        _describe(connection, decision)
        for decision in _read_last_decisions(connection)
        if not list_decided_keys(decision).isdisjoint(keys)
    ]


def list_withdrawable(connection: Connection, limit: int) -> list[LastDecision]:
    """Return the newest decisions that can be withdrawn now, without adopted seals: a sheet of them is one decision."""
    described = (
        _describe(connection, decision)
        for decision in _read_last_decisions(connection)
        if decision.kind != ADOPT
    )
    return list(islice((last for last in described if last.can_be_withdrawn), limit))


def get_last_decision(connection: Connection, identity: str) -> LastDecision:
    """Return a decision that is the last one on its person; LedgerConflict where it is not, or does not count."""
    for decision in _read_last_decisions(connection):
        if decision.id == identity:
            return _describe(connection, decision)
    raise LedgerConflict("built_on")


def list_decided_keys(decision: Decision) -> set[str]:
    """Return the keys of the persons on whom a decision is."""
    keys = (decision.key, decision.detail if decision.kind in OF_TWO_NUMBERS else None)
    return {key for key in keys if key is not None}


def _read_last_decisions(connection: Connection) -> Iterator[Decision]:
    later: set[str] = set()  # persons on whom there is a later decision
    for decision in reversed(read_decisions(connection)):
        keys = list_decided_keys(decision)
        if decision.counts and decision.kind in WITHDRAWABLE and later.isdisjoint(keys):
            yield decision
        if decision.counts:
            later |= keys


def _describe(connection: Connection, decision: Decision) -> LastDecision:
    assert decision.key is not None
    keys = list_decided_keys(decision)
    people = read_people(connection, keys)
    (event_number, replaced) = connection.execute(
        "SELECT event_number, replaced FROM decision WHERE id = ?", (decision.id,)
    ).fetchone()
    later = [
        one.signed_at
        for person in people.values()
        for one in person.attempts
        if one.event_number > event_number and not one.is_adopted and not one.made_no_seal
    ]
    if decision.kind == "not_theirs" and replaced:  # the name that it freed was given to another person
        later += [
            signed_at
            for (signed_at,) in connection.execute(
                "SELECT signed_at FROM attempt WHERE seal_name = ? AND person <> ? AND event_number > ?",
                (replaced, decision.key, event_number),
            )
        ]
    return LastDecision(decision, people.get(decision.key, Person(decision.key)), min(later, default=None))


# --- decisions on pictures


def apply_picture_decision(connection: Connection, event: Event) -> None:
    """Enter the judgement of a picture, that it is given to a doctor, or that it is not any more."""
    args = event.args
    entered = PictureDecision.from_dict(args["picture"], args["at"])
    known = read_picture_decisions(connection)
    if args["kind"] == GIVE_PICTURE and any(_is_given_to_another(one, entered) for one in known):
        raise LedgerConflict("picture_given")
    if args["kind"] == WITHDRAW_PICTURE and entered not in known:
        raise LedgerConflict("picture_given")
    detail = json.dumps(args["picture"], ensure_ascii=False, separators=(",", ":"))
    insert_decision(connection, event, kind=args["kind"], detail=detail)


def _is_given_to_another(known: PictureDecision, given: PictureDecision) -> bool:
    is_same = known.picture == given.picture or (known.pixels and known.pixels == given.pixels)
    is_other = (known.key, known.name) != (given.key, given.name)
    return known.decided == "given" and bool(is_same) and is_other


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


def _read_picture_decisions(connection: Connection) -> Iterator[tuple[str, PictureDecision, Decision]]:
    """Yield each with its kind, and the decision with which it was entered."""
    for row in select_rows(
        connection,
        "SELECT decided_at, who, why, kind, person AS key, id, detail FROM decision "
        "WHERE kind IN (?, ?, ?) AND has_effect = 1 ORDER BY event_number, id",
        _PICTURE_KINDS,
    ):
        decision = Decision(**row)
        assert decision.detail is not None
        stored = json.loads(decision.detail)
        yield decision.kind, PictureDecision.from_dict(stored, decision.decided_at), decision
