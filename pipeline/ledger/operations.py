"""The operations of a ledger: what each event sets in the tables.

`enter` is asked when an event is made: it raises LedgerConflict where the event contradicts what is known. `replay` is asked
for events that another process or an earlier ledger made: it refuses nothing. A create, an answer or a seal that contradicts
what is known is entered as contested, which holds its person; a decision that no longer fits is entered without effect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from pipeline.ledger import bearers, creates, decisions, history, purge
from pipeline.ledger.events import Event
from pipeline.ledger.records import LedgerConflict
from pipeline.ledger.tables import MADE_NAMES, Connection, make_placeholders

_EVENT = "SELECT n, id, op, args FROM event"
_OF_TWO = (
    "'same_person', 'other_person', 'withdraw'"  # kinds of decisions in which a second person may be named
)
OPENED = "opened"  # a host has opened the ledger, which is on a server, or of which other hosts have copies
MOVED = "moved"  # the ledger was loaded into a server; a file that holds this event is not opened any more
UNDO = "undo"  # the database refused the commit of decisions that the journals held already: they never count
DECIDED = frozenset({"decision", "adopt", "withdraw", "picture"})  # operations of decisions
_TABLES_OF_PERSONS = ("attempt", "decision", "seal_name", "person")


class UnknownOperation(Exception):
    """An event of a newer program; its text is the name of the operation."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: how an event of it is entered, and what is done instead where it contradicts what is known."""

    apply: Callable[[Connection, Event], None]
    contest: Callable[[Connection, Event], None] | None = None


def list_persons(event: Event) -> tuple[str | None, str | None]:
    """Return the keys of the persons whose an event is; most have one, a decision on two numbers has two."""
    args = event.args
    is_of_two = event.op == "decision" and args["kind"] in decisions.OF_TWO_NUMBERS
    other = args["detail"] if is_of_two else args.get("other")
    return args.get("person"), other


def enter(connection: Connection, event: Event) -> None:
    """Set what a new event holds; raises LedgerConflict where it contradicts what is known."""
    _get_operation(event).apply(connection, event)
    _settle(connection, event)


def replay(connection: Connection, event: Event) -> bool:
    """Set what an event holds; return whether it fitted."""
    operation = _get_operation(event)
    connection.execute("SAVEPOINT replayed")
    try:
        operation.apply(connection, event)
    except LedgerConflict:
        connection.execute("ROLLBACK TO SAVEPOINT replayed")
        if operation.contest is not None:
            operation.contest(connection, event)
        fitted = False
    else:
        fitted = True
    connection.execute("RELEASE SAVEPOINT replayed")
    _settle(connection, event)
    return fitted


def read_events(connection: Connection, *, persons: Collection[str] | None = None) -> list[Event]:
    """Return all events in their order, or those of these persons."""
    chosen = ""
    values: tuple[str, ...] = ()
    if persons is not None:
        placeholders = make_placeholders(list(persons)) or "NULL"
        chosen, values = (
            f" WHERE person IN ({placeholders}) OR other IN ({placeholders})",
            (*persons, *persons),
        )
    rows = connection.execute(f"{_EVENT}{chosen} ORDER BY n, id", values)
    return [Event(number, identity, op, json.loads(args)) for number, identity, op, args in rows]


def _read_counting_events(connection: Connection, *, persons: Collection[str] | None = None) -> list[Event]:
    """Return what `read_events` does, without the decisions that were undone."""
    never_made: set[str] = set()
    for (args,) in connection.execute("SELECT args FROM event WHERE op = ?", (UNDO,)):
        never_made.update(json.loads(args)["events"])
    return [event for event in read_events(connection, persons=persons) if event.id not in never_made]


def make_tables_anew(connection: Connection) -> None:
    """Make all that follows from the events once more."""
    events = _read_counting_events(connection)
    for table in MADE_NAMES:
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own schema
    for event in events:
        replay(connection, event)


def dump_tables(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    """Return the content of all tables that follow from the events, to compare them."""
    return {
        table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)  # noqa: S608 - the same
        for table in MADE_NAMES
    }


def _get_operation(event: Event) -> Operation:
    try:
        return OPERATIONS[event.op]
    except KeyError:
        raise UnknownOperation(event.op) from None


def _settle(connection: Connection, event: Event) -> None:
    for key in filter(None, list_persons(event)):
        creates.settle_person(connection, key)


def _apply_nothing(_connection: Connection, _event: Event) -> None:
    """Set nothing: the event itself is what counts."""


def _apply_persons(connection: Connection, event: Event) -> None:
    """Enter staff numbers and mobiles that rows show of known people; a blank one keeps what was known."""
    connection.executemany(
        "UPDATE person SET staff_no = coalesce(nullif(?, ''), staff_no), mobile = coalesce(nullif(?, ''), mobile) "
        "WHERE person = ?",
        [(staff_no, mobile, key) for key, (staff_no, mobile) in event.args["persons"].items()],
    )


# --- withdrawals


def _apply_withdrawal(connection: Connection, event: Event) -> None:
    """Withdraw a decision: the tables of its persons are made anew without it.

    Raises LedgerConflict (``built_on``) where it is not the last one on its person, a create was sent on it, or something
    that was entered later does not fit without it.
    """
    args = event.args
    last = decisions.get_last_decision(connection, args["decision"])
    if not last.can_be_withdrawn:
        raise LedgerConflict("built_on")
    persons = _list_linked(connection, decisions.list_decided_keys(last.decision))
    statement = "SELECT event_number FROM decision WHERE id = ?"
    (event_number,) = connection.execute(statement, (args["decision"],)).fetchone()
    before = _count_contradictions(connection, persons, event_number)
    _withdraw(connection, persons, event)
    if _count_contradictions(connection, persons, event_number) > before:
        raise LedgerConflict("built_on")


def _contest_withdrawal(connection: Connection, event: Event) -> None:
    """Withdraw a decision on which something was built that the withdrawal did not know of; that is contested.

    It has no effect on a decision that does not count.
    """
    args = event.args
    decision = next((one for one in decisions.read_decisions(connection) if one.id == args["decision"]), None)
    if decision is None or not decision.counts:
        _insert_withdrawal(connection, event, has_effect=False)
    else:
        _withdraw(connection, _list_linked(connection, decisions.list_decided_keys(decision)), event)


def _withdraw(connection: Connection, persons: Collection[str], withdrawal: Event) -> None:
    _make_persons_anew(connection, persons, withdrawal)
    connection.execute("DELETE FROM bearer WHERE adoption = ?", (withdrawal.args["decision"],))


def _make_persons_anew(connection: Connection, persons: Collection[str], withdrawal: Event) -> None:
    """Make the tables of persons from their events up to a withdrawal, without the decisions that were withdrawn."""
    entered = [
        *_read_counting_events(connection, persons=persons),
        *_read_events_of_many(connection, persons),
    ]
    events = sorted(one for one in entered if one < withdrawal)
    events.append(withdrawal)  # it may be entered in the table of events already
    withdrawn = {
        one.args["decision"]: one for one in events if one.op == "withdraw" and _counts(connection, one)
    }
    withdrawn[withdrawal.args["decision"]] = withdrawal
    placeholders = make_placeholders(list(persons))
    for table in _TABLES_OF_PERSONS:
        connection.execute(f"DELETE FROM {table} WHERE person IN ({placeholders})", tuple(persons))  # noqa: S608 - our own names
    statement = f"DELETE FROM bearer WHERE adoption IS NOT NULL AND key IN ({placeholders})"  # noqa: S608 - the same
    connection.execute(statement, tuple(persons))
    for event in events:
        if event.op == "withdraw":
            is_counting = withdrawn.get(event.args["decision"]) is event
            _insert_withdrawal(connection, event, has_effect=is_counting)
        elif event.id in withdrawn:
            _insert_withdrawn(connection, event, withdrawn[event.id])
        else:
            replay(connection, event)


def _list_linked(connection: Connection, persons: Collection[str]) -> list[str]:
    """Return these persons, and those whose tables depend on theirs.

    Two persons used one seal name, or there is a decision on both numbers; also by way of a third person.
    """
    linked: set[str] = set()
    added = set(persons)
    while added:
        linked |= added
        placeholders = make_placeholders(list(added))
        statement = (
            "SELECT other.person FROM attempt JOIN attempt AS other ON other.seal_name = attempt.seal_name "  # noqa: S608 - our own words
            f"WHERE attempt.seal_name <> '' AND attempt.person IN ({placeholders}) "
            f"UNION SELECT person FROM decision WHERE kind IN ({_OF_TWO}) AND detail IN ({placeholders}) "
            f"UNION SELECT detail FROM decision WHERE kind IN ({_OF_TWO}) AND detail IS NOT NULL AND person IN ({placeholders})"
        )
        added = {key for (key,) in connection.execute(statement, tuple(added) * 3)} - linked
    return sorted(linked)


def _read_events_of_many(connection: Connection, persons: Collection[str]) -> list[Event]:
    """Return the events that name many persons, as far as they are of these ones."""
    events = []
    for number, identity, op, text in connection.execute(f"{_EVENT} WHERE op IN ('persons', 'purge')"):
        args = json.loads(text)
        if op == "purge":
            args["keys"] = [key for key in args["keys"] if key in persons]
        else:
            args["persons"] = {key: digests for key, digests in args["persons"].items() if key in persons}
        events.append(Event(number, identity, op, args))
    return events


def _counts(connection: Connection, withdrawal: Event) -> bool:
    """Return whether a withdrawal that was entered before had an effect."""
    statement = "SELECT 1 FROM decision WHERE id = ? AND has_effect = 1"
    return connection.execute(statement, (withdrawal.id,)).fetchone() is not None


def _insert_withdrawal(connection: Connection, event: Event, *, has_effect: bool) -> None:
    args = event.args
    decisions.insert_decision(
        connection,
        event,
        kind=decisions.WITHDRAW,
        has_effect=has_effect,
        detail=args.get("other"),
        withdraws=args["decision"],
    )


def _insert_withdrawn(connection: Connection, event: Event, withdrawal: Event) -> None:
    kind = decisions.ADOPT if event.op == "adopt" else event.args["kind"]
    decisions.insert_decision(connection, event, kind=kind)
    connection.execute(
        "UPDATE decision SET withdrawn_by = ?, withdrawn_at = ? WHERE id = ?",
        (withdrawal.id, withdrawal.args["at"], event.id),
    )


def _count_contradictions(connection: Connection, persons: Collection[str], event_number: int) -> int:
    """Return how many creates and decisions behind a position contradict others; those before it are what was decided on."""
    placeholders = make_placeholders(list(persons))
    count = 0
    for statement in (
        f"SELECT count(*) FROM attempt WHERE event_number > ? AND is_contested = 1 AND person IN ({placeholders})",  # noqa: S608 - our own words
        f"SELECT count(*) FROM decision WHERE event_number > ? AND has_effect = 0 AND person IN ({placeholders})",  # noqa: S608 - our own words
    ):
        count += connection.execute(statement, (event_number, *persons)).fetchone()[0]
    return count


OPERATIONS: Mapping[str, Operation] = {
    OPENED: Operation(_apply_nothing),
    MOVED: Operation(_apply_nothing),
    UNDO: Operation(_apply_nothing),
    "attempt": Operation(creates.apply_attempt, creates.contest_attempt),
    "verdict": Operation(creates.apply_verdict, creates.contest_verdict),
    "adopt": Operation(decisions.apply_adoption, decisions.contest_adoption),
    "decision": Operation(decisions.apply_decision, decisions.void_decision),
    "withdraw": Operation(_apply_withdrawal, _contest_withdrawal),
    "picture": Operation(decisions.apply_picture_decision, decisions.void_decision),
    "persons": Operation(_apply_persons),
    "run": Operation(history.apply_run),
    "run_end": Operation(history.apply_run_end),
    "rows": Operation(history.apply_rows),
    "bearers": Operation(bearers.apply_bearers),
    "pixels": Operation(bearers.apply_pixels),
    "purge": Operation(purge.apply_purge),
}
