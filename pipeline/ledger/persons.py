"""Reads everything the ledger knows of one person, finds persons by a search text, and counts people for `status`."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from pipeline.domain.row_record import RowLine
from pipeline.domain.run import Status
from pipeline.ledger import decisions, history
from pipeline.ledger.auto_sign import read_records
from pipeline.ledger.people import STANDING, list_same_persons, read_people
from pipeline.ledger.records import LedgerSummary, PersonRecords, RunRecord
from pipeline.ledger.tables import Connection

_SPECIAL = re.compile("[%_|]")  # characters with a meaning in a LIKE pattern
_PEOPLE = (
    "SELECT person FROM person WHERE ? IN (person, name, seal_name) OR substr(id_masked, length(id_masked) - 3) = ?",
    "SELECT person FROM seal_name WHERE seal_name = ?",
    "SELECT person FROM attempt WHERE ? IN (uuid, request_id, seal_id)",
)
_COUNTS = (
    "SELECT (SELECT count(*) FROM attempt WHERE state = 'sealed' AND is_contested = 0 "
    "AND person NOT IN (SELECT person FROM attempt WHERE is_contested = 1)), "
    "(SELECT count(DISTINCT person) FROM attempt AS refused WHERE state = 'refused' AND NOT EXISTS "
    "(SELECT 1 FROM attempt AS seal WHERE seal.person = refused.person AND (seal.state = 'sealed' "
    "OR (seal.state = 'ended' AND seal.event_number > refused.event_number))))"
)


def search_people(connection: Connection, query: str) -> tuple[set[str], list[RowLine]]:
    """Return the keys of persons that a query may mean, and the row lines that hold a value ending with it.

    A line is searched without regard to case.
    """
    keys: set[str] = set()
    for statement in _PEOPLE:
        keys |= {key for (key,) in connection.execute(statement, (query,) * statement.count("?"))}
    text = _SPECIAL.sub(r"|\g<0>", json.dumps(query, ensure_ascii=False))
    sent = connection.execute(
        "SELECT person FROM attempt WHERE lower(content) LIKE lower(?) ESCAPE '|'", (f"[{text},%",)
    )
    keys |= {key for (key,) in sent}
    lines = connection.execute(
        "SELECT line FROM row_line WHERE lower(line) LIKE lower(?) ESCAPE '|'", (f"%{text[1:]}%",)
    )
    return keys, [RowLine.from_text(line) for (line,) in lines]


def read_person(connection: Connection, key: str | None, row_ids: Collection[str] = ()) -> PersonRecords:
    """Return all records of a person; ``row_ids`` are further rows of the person, without a number of the person's own.

    A row that was refused with the person's number and another name is another doctor's.
    """
    corrected = list_same_persons(connection)
    own_keys = (
        [key, *(number for number, owner in corrected.items() if owner == key)] if key is not None else []
    )
    people = read_people(connection, own_keys)
    person = people.get(key) if key is not None else None
    rows = history.list_row_ids(connection, own_keys) | set(row_ids)
    row_keys = own_keys or history.list_keys_of_row_ids(connection, rows)
    own_rows = []
    for entry in history.list_row_histories(connection, rows, row_keys):
        row = entry.row
        name = json.loads(row.line).get("name")
        known_name = person.name if person is not None else None
        if key is None or not history.is_anothers_row(row.status, row.codes, name, known_name):
            own_rows.append(entry)
    attempts = [attempt for one in people.values() for attempt in one.attempts]
    own_decisions = decisions.read_decisions(connection, own_keys)
    last_decisions = []
    if any(decision.counts for decision in own_decisions):
        last_decisions = decisions.list_last_decisions(connection, own_keys)
    return PersonRecords(
        key=key,
        person=person,
        attempts=tuple(sorted(attempts, key=lambda attempt: attempt.event_number)),
        decisions=tuple(own_decisions),
        last_decision=next(iter(last_decisions), None),
        picture_decisions=tuple(decisions.read_picture_decisions_of(connection, set(own_keys))),
        rows=tuple(own_rows),
        auto_sign=read_records(connection, key).get(key) if key is not None else None,
    )


def read_summary(connection: Connection) -> LedgerSummary:
    """Return what `status` shows of a ledger; only people who wait for a decision are read, of hundreds of ledgers."""
    last_run = history.get_last_run(connection)
    waiting = connection.execute(
        "SELECT DISTINCT person FROM attempt WHERE state IN ('open', 'unknown', 'exists') OR is_contested = 1"
    )
    people = read_people(connection, [key for (key,) in waiting])
    sealed, refused = connection.execute(_COUNTS).fetchone()
    open_creates = [
        (person.unresolved_attempt, person)
        for person in people.values()
        if person.unresolved_attempt is not None
    ]
    return LedgerSummary(
        last_run=last_run,
        open_creates=tuple(sorted(open_creates, key=lambda one: one[0].event_number)),
        sealed=sealed,
        refused=refused,
        changed_rows=_count_changed_rows(connection, last_run) if last_run else 0,
        auto_sign=tuple(read_records(connection).values()),
    )


def count_events(connection: Connection) -> int:
    """Return how many events the ledger holds: a number that every entry raises."""
    count: int = connection.execute("SELECT coalesce(max(entered), 0) FROM event").fetchone()[0]
    return count


def get_last_user(connection: Connection) -> str:
    """Return the user who opened the ledger for writing last, "" for none."""
    user: str = connection.execute("SELECT opened_by FROM meta").fetchone()[0]
    return user


def list_attempt_ids(connection: Connection) -> set[str]:
    return {uuid for (uuid,) in connection.execute("SELECT uuid FROM attempt WHERE contract <> ''")}


def list_request_ids(connection: Connection) -> set[str]:
    """Return the RequestIds of all answers to creates that were entered."""
    return {
        value
        for (value,) in connection.execute("SELECT request_id FROM attempt WHERE request_id IS NOT NULL")
    }


def list_seal_ids(connection: Connection, *, ended: bool = False) -> set[str]:
    """Return the SealIds of all seals, also of those that were given up; or of these alone."""
    states = "('ended')" if ended else "('sealed', 'ended')"
    statement = f"SELECT seal_id FROM attempt WHERE state IN {states}"  # noqa: S608 - our own words
    return {seal_id for (seal_id,) in connection.execute(statement)}


def _count_changed_rows(connection: Connection, run: RunRecord) -> int:
    """Return how many rows of a run differ from their seal, but for those of people on whom a decision was taken since.

    Where the ledger has none of its rows, those that its record counts.
    """
    recorded: int = run.content.get("statuses", {}).get(Status.CHANGED.value, 0)
    if run.finished is not None and not recorded:
        return 0
    keys = history.list_keys_of_rows(connection, run.run, Status.CHANGED.value)
    if not keys:
        return recorded
    statement = f"SELECT person FROM decision WHERE decided_at > ? AND {STANDING}"  # noqa: S608 - our own words
    decided = {key for (key,) in connection.execute(statement, (run.started,))}
    return sum(key is None or key not in decided for key in keys)
