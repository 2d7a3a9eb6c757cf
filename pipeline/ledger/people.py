"""Reads people with their creates and seals, and what the plan of a run needs of them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from sys import intern

from pipeline.domain.seals import Attempt, LedgerSnapshot, Person, SealContent
from pipeline.ledger.tables import Connection, make_placeholders, select_rows
from pipeline.messages.catalogue import load_line, make_message

SAME_PERSON, OTHER_PERSON = "same_person", "other_person"  # kinds of decisions on two numbers
ENDED = make_message("wire.process_ended")  # in place of an answer that never came
_MOST_VALUES = 500  # of one statement
_ATTEMPTS = (
    "SELECT person AS key, uuid, event_number, state, is_contested, run, row_id, contract, host, signed_at, dead_at, seal_name, "
    "content, verdict, settled_at, http_status, request_id, code, message, seal_id, decision, ended_by, ended_at, "
    "is_contested = 1 AND EXISTS (SELECT 1 FROM attempt AS other WHERE lower(other.seal_id) = lower(attempt.seal_id) "
    "AND other.uuid <> attempt.uuid AND other.state IN ('sealed', 'ended')) AS repeats_seal_id FROM attempt"
)
_PEOPLE = "SELECT person, seal_name, name, id_masked, staff_no, mobile FROM person"
# of a decision: it holds
STANDING = "withdraws IS NULL AND withdrawn_by IS NULL AND has_effect = 1"


def read_people(connection: Connection, keys: Collection[str] | None = None) -> dict[str, Person]:
    """Return these people by key, or everybody; ``connection`` is in a transaction, so that all is of one moment."""
    if keys is not None and len(keys) > _MOST_VALUES:
        everybody = read_people(connection)
        return {key: everybody[key] for key in keys if key in everybody}
    chosen = ""
    values: tuple[str, ...] = ()
    if keys is not None:
        chosen, values = f" WHERE person IN ({make_placeholders(list(keys)) or 'NULL'})", tuple(keys)
    attempts: defaultdict[str, list[Attempt]] = defaultdict(list)
    contents: dict[str, SealContent] = {}
    for row in select_rows(connection, f"{_ATTEMPTS}{chosen} ORDER BY event_number, uuid", values):
        content = row["content"]
        if content is not None and content not in contents:
            contents[content] = SealContent(*json.loads(content))
        row["content"] = contents[content] if content is not None else None
        row["is_contested"] = bool(row["is_contested"])
        row["repeats_seal_id"] = bool(row["repeats_seal_id"])
        row["message"] = ENDED if row["state"] == "open" else load_line(row["message"])
        for column in ("run", "host", "contract", "state"):  # they repeat in every row
            row[column] = intern(row[column])
        attempts[row["key"]].append(Attempt(**row))
    people = {}
    for key, seal_name, name, id_masked, staff_no, mobile in connection.execute(f"{_PEOPLE}{chosen}", values):
        people[key] = Person(
            key, seal_name, name, id_masked, staff_no or "", mobile or "", tuple(attempts.get(key, ()))
        )
    return people


def read_snapshot(connection: Connection) -> LedgerSnapshot:
    """Return all people and the owners of seal names; ``connection`` is in a transaction."""
    people = read_people(connection)
    owners = dict(connection.execute("SELECT seal_name, person FROM seal_name").fetchall())
    same_persons, other_persons = read_same_persons(connection)
    return LedgerSnapshot(
        people=people,
        seal_name_owners=owners,
        reusable_seal_names=frozenset(
            name for name, key in owners.items() if key in people and people[key].has_freed(name)
        ),
        same_persons=same_persons,
        other_persons=other_persons,
        former_image_owners=_list_former_images(connection, people),
    )


def read_same_persons(connection: Connection) -> tuple[dict[str, str], frozenset[tuple[str, str]]]:
    """Return the keys of corrected numbers with their persons' keys, and the pairs that are two persons."""
    same: dict[str, str] = {}
    other: set[tuple[str, str]] = set()
    for kind, key, number in connection.execute(
        f"SELECT kind, person, detail FROM decision WHERE kind IN (?, ?) AND {STANDING} ORDER BY event_number, id",  # noqa: S608 - our own words
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


def _list_former_images(connection: Connection, people: dict[str, Person]) -> dict[str, str]:
    """Return the persons of pictures of former seals, by sha256 and by digest of the pixels."""
    owners: dict[str, str] = {}
    for person in people.values():
        for attempt in person.attempts:
            if attempt.state == "ended" and attempt.content is not None:
                owners |= _name_owner(person.key, attempt.content.picture, attempt.content.pixels)
    kept = connection.execute(
        f"SELECT person, replaced FROM decision WHERE kind = 'keep' AND replaced IS NOT NULL AND {STANDING}"  # noqa: S608 - our own words
    )
    for key, replaced in kept:
        content = SealContent(*json.loads(replaced))
        owners |= _name_owner(key, content.picture, content.pixels)
    return owners


def _name_owner(key: str, *digests: str | None) -> dict[str, str]:
    return {digest: key for digest in digests if digest}
