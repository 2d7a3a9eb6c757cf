"""Which numbers are one person's: what tells a person beside the number, and what a human decided about two numbers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping

from pipeline.domain.roster import fold_staff_no
from pipeline.domain.seals import PersonMarks
from pipeline.ledger.protocol import Decision, LedgerConflict
from pipeline.ledger.schema import OPEN_ATTEMPT

SAME, OTHER = "same_person", "other_person"  # kinds of decisions

_HOLDS = (  # of a key, whether nothing may be sent for it
    "SELECT EXISTS (SELECT 1 FROM seal WHERE key = ?1 AND ended_by IS NULL) "  # noqa: S608 - our own words
    f"OR EXISTS (SELECT 1 FROM attempt WHERE key = ?1 AND {OPEN_ATTEMPT})"
)


def earlier_staff_numbers(connection: sqlite3.Connection, digest: Callable[[str], str]) -> dict[str, str]:
    """Return the staff numbers of people whom no run has seen since version 5, from what runs said of their rows."""
    rows = connection.execute(
        "SELECT key, (SELECT json_extract(line, '$.staff_no') FROM row_line WHERE row_line.key = person.key "
        "ORDER BY id DESC LIMIT 1) FROM person WHERE staff_no IS NULL"
    )
    return {key: digest(fold_staff_no(staff_no)) if staff_no else "" for key, staff_no in rows}


def remember_marks(connection: sqlite3.Connection, marks: Mapping[str, PersonMarks]) -> None:
    """Remember what tells people beside their numbers; what is empty takes nothing back."""
    connection.executemany(
        "UPDATE person SET staff_no = coalesce(nullif(?, ''), staff_no, ''), "
        "mobile = coalesce(nullif(?, ''), mobile, '') WHERE key = ?",
        ((told.staff_no, told.mobile, key) for key, told in marks.items()),
    )


def decided(connection: sqlite3.Connection) -> tuple[dict[str, str], frozenset[tuple[str, str]]]:
    """Return the corrected numbers' keys with their persons, and the pairs that are two persons."""
    same: dict[str, str] = {}
    other: set[tuple[str, str]] = set()
    for kind, key, number in connection.execute(
        "SELECT kind, key, detail FROM decision WHERE kind IN (?, ?) ORDER BY id", (SAME, OTHER)
    ):
        if kind == SAME:
            same |= {each: key for each, owner in same.items() if owner == number}
            same[number] = key
            other.discard((key, number))
        else:
            other.add((key, number))
            if same.get(number) == key:
                del same[number]
    return same, frozenset(other)


def keys_of(connection: sqlite3.Connection, key: str | None) -> Iterator[str | None]:
    """Yield a person's key and those of the person's other numbers."""
    yield key
    yield from (number for number, owner in decided(connection)[0].items() if owner == key)


def unite(connection: sqlite3.Connection, decision: Decision) -> None:
    """Let a number be a person's; LedgerConflict where it has a seal of its own or the person has none."""
    (own,) = connection.execute(_HOLDS, (decision.detail,)).fetchone()
    (holds,) = connection.execute(_HOLDS, (decision.key,)).fetchone()
    if own or not holds or decision.detail == decision.key:
        raise LedgerConflict("same_person")
    if decision.id_masked:
        connection.execute(
            "UPDATE person SET id_masked = ? WHERE key = ?", (decision.id_masked, decision.key)
        )
