"""Enters and reads what is known of the auto-sign of people: answers, links and the calls that made them.

Calls are guarded rows with receipts: an SMS that was sent must be known after the ledger is lost. Answers are not: the
service is asked again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from pipeline.domain.auto_sign import SHARED_LINK, AutoSignAnswer, AutoSignCall, AutoSignRecord, CallEnd
from pipeline.ledger.protocol import Connection, LedgerConflict
from pipeline.ledger.receipts import Fact, Receipt
from pipeline.ledger.schema import insert_row, select_columns

_END_COLUMNS = ("verdict", "ended_at", "url", "until", "code", "request_id")
_SET_END = ", ".join(f"{column} = ?" for column in _END_COLUMNS)
_OPEN_CALL = "(verdict IS NULL OR verdict = 'unknown')"


def enter_answer(connection: Connection, answer: AutoSignAnswer) -> list[Fact]:
    """Enter the newest answer about a person; without an answer the one before stays. Raises LedgerConflict for a stranger."""
    known = connection.execute("SELECT 1 FROM person WHERE key = ?", (answer.key,)).fetchone()
    if known is None:
        raise LedgerConflict("person")
    asking = (answer.key, answer.asked_at, answer.code, answer.request_id)
    if answer.is_open is None:
        connection.execute(
            "INSERT INTO auto_sign (key, asked_at, code, request_id) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE "
            "SET asked_at = excluded.asked_at, code = excluded.code, request_id = excluded.request_id",
            asking,
        )
        return []
    connection.execute(
        "INSERT INTO auto_sign (key, asked_at, code, request_id, answered_at, is_open, seal_id, license_to) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET asked_at = excluded.asked_at, "
        "code = excluded.code, request_id = excluded.request_id, answered_at = excluded.answered_at, "
        "is_open = excluded.is_open, seal_id = excluded.seal_id, license_to = excluded.license_to",
        (*asking, answer.asked_at, int(answer.is_open), answer.seal_id, answer.license_to),
    )
    return []


def read_records(connection: Connection, key: str | None = None) -> dict[str, AutoSignRecord]:
    """Return what is known by key, with the SealId of each person's live seal; with a key of that person alone."""
    rows = connection.execute(
        "SELECT auto_sign.key, asked_at, code, auto_sign.request_id, answered_at, is_open, auto_sign.seal_id, "
        "license_to, seal.seal_id FROM auto_sign LEFT JOIN seal ON seal.key = auto_sign.key AND ended_by IS NULL "
        "WHERE auto_sign.key = coalesce(?, auto_sign.key) ORDER BY auto_sign.key",
        (key,),
    )
    return {
        key: AutoSignRecord(
            key, asked_at, code, request_id, answered_at, None if is_open is None else bool(is_open), *rest
        )
        for key, asked_at, code, request_id, answered_at, is_open, *rest in rows
    }


def enter_call(connection: Connection, call: AutoSignCall) -> list[Fact]:
    """Enter a call before it leaves. Raises LedgerConflict for a stranger, and ``sms`` where one may have been sent."""
    known = connection.execute("SELECT 1 FROM person WHERE key = ?", (call.key,)).fetchone()
    if known is None:
        raise LedgerConflict("person")
    columns = {name: getattr(call, name) for name in ("uuid", "key", "kind", "begun_at", "who")}
    insert_row(connection, "auto_sign_call", {**columns, "by_sms": int(call.by_sms)})
    return [_make_fact(call.uuid)]


def enter_call_end(connection: Connection, uuid: str, end: CallEnd, now: float) -> list[Fact]:
    """Enter what became of a call, also of one that another process has taken for lost. Raises LedgerConflict otherwise.

    A link belongs to one doctor. One that was ever given for another doctor proves nothing of either call.
    """
    given_before = [
        uuid
        for (uuid,) in connection.execute(
            "SELECT uuid FROM auto_sign_call WHERE url = ? AND key <> (SELECT key FROM auto_sign_call WHERE uuid = ?)",
            (end.url, uuid),
        )
    ]
    if given_before:
        end = replace(end, verdict="unknown", code=SHARED_LINK)
        for earlier in given_before:
            connection.execute(
                "UPDATE auto_sign_call SET verdict = ?, code = ? WHERE uuid = ?",
                (end.verdict, end.code, earlier),
            )
    values = (end.verdict, now, end.url, end.until, end.code, end.request_id)
    ended = connection.execute(
        f"UPDATE auto_sign_call SET {_SET_END} WHERE uuid = ? AND {_OPEN_CALL}",  # noqa: S608 - our own words
        (*values, uuid),
    )
    if ended.rowcount != 1:
        raise LedgerConflict("settled")
    return [_make_fact(one) for one in (uuid, *given_before)]


def enter_void_links(connection: Connection, uuids: Collection[str], *, now: float) -> list[Fact]:
    """Enter that links are of no use any more."""
    for uuid in uuids:
        connection.execute(
            "UPDATE auto_sign_call SET void_at = ? WHERE uuid = ? AND void_at IS NULL", (now, uuid)
        )
    return [_make_fact(uuid) for uuid in uuids]


def read_calls(connection: Connection) -> list[AutoSignCall]:
    """Return every call, oldest first."""
    rows = select_columns(
        connection,
        "SELECT uuid, key, kind, begun_at, who, by_sms, verdict, ended_at, url, until, code, request_id, void_at "
        "FROM auto_sign_call ORDER BY number",
    )
    return [AutoSignCall(**{**row, "by_sms": bool(row["by_sms"])}) for row in rows]


def recover_calls(connection: Connection, now: float) -> list[Fact]:
    """Set calls that a dead process left without a verdict to unknown."""
    orphans = [
        uuid for (uuid,) in connection.execute("SELECT uuid FROM auto_sign_call WHERE verdict IS NULL")
    ]
    connection.execute(
        "UPDATE auto_sign_call SET verdict = 'unknown', ended_at = ? WHERE verdict IS NULL", (now,)
    )
    return [_make_fact(uuid) for uuid in orphans]


def replay_call_ends(connection: Connection, behind: Iterable[Receipt]) -> None:
    """Enter the ends of calls that stand in the receipts alone: their commit failed. Their links would otherwise be lost."""
    for receipt in behind:
        columns = receipt.columns
        if receipt.table != "auto_sign_call" or columns.get("verdict") is None:
            continue
        connection.execute(
            f"UPDATE auto_sign_call SET {_SET_END} WHERE uuid = ? AND {_OPEN_CALL}",  # noqa: S608 - our own words
            (*(columns[name] for name in _END_COLUMNS), receipt.id),
        )


def _make_fact(uuid: str) -> Fact:
    return Fact("auto_sign_call", "uuid", uuid)
