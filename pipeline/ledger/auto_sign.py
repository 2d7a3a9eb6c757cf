"""Enters and reads what is known of the auto-sign of people. Answers are no events: the service is asked again."""

from __future__ import annotations

from pipeline.domain.auto_sign import AutoSignAnswer, AutoSignRecord
from pipeline.ledger.records import LedgerConflict
from pipeline.ledger.tables import Connection


def enter_answer(connection: Connection, answer: AutoSignAnswer) -> None:
    """Enter the newest answer about a person; without an answer the one before stays. Raises LedgerConflict for a stranger."""
    known = connection.execute("SELECT 1 FROM person WHERE person = ?", (answer.key,)).fetchone()
    if known is None:
        raise LedgerConflict("person")
    asking = (answer.key, answer.asked_at, answer.code, answer.request_id)
    if answer.is_open is None:
        connection.execute(
            "INSERT INTO auto_sign (person, asked_at, code, request_id) VALUES (?, ?, ?, ?) ON CONFLICT (person) DO UPDATE "
            "SET asked_at = excluded.asked_at, code = excluded.code, request_id = excluded.request_id",
            asking,
        )
        return
    connection.execute(
        "INSERT INTO auto_sign (person, asked_at, code, request_id, answered_at, is_open, seal_id, license_to) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (person) DO UPDATE SET asked_at = excluded.asked_at, "
        "code = excluded.code, request_id = excluded.request_id, answered_at = excluded.answered_at, "
        "is_open = excluded.is_open, seal_id = excluded.seal_id, license_to = excluded.license_to",
        (*asking, answer.asked_at, int(answer.is_open), answer.seal_id, answer.license_to),
    )


def read_records(connection: Connection, key: str | None = None) -> dict[str, AutoSignRecord]:
    """Return what is known by key, with the SealId of each person's live seal; with a key of that person alone."""
    rows = connection.execute(
        "SELECT auto_sign.person, asked_at, auto_sign.code, auto_sign.request_id, answered_at, is_open, auto_sign.seal_id, "
        "license_to, attempt.seal_id FROM auto_sign LEFT JOIN attempt ON attempt.person = auto_sign.person "
        "AND state = 'sealed' AND is_contested = 0 WHERE auto_sign.person = coalesce(?, auto_sign.person) "
        "ORDER BY auto_sign.person",
        (key,),
    )
    return {
        key: AutoSignRecord(
            key, asked_at, code, request_id, answered_at, None if is_open is None else bool(is_open), *rest
        )
        for key, asked_at, code, request_id, answered_at, is_open, *rest in rows
    }
