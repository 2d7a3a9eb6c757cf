"""Enters create attempts and their verdicts; the constraints of the tables refuse what is not allowed.

An operation returns the facts that it has set, for the receipts.
"""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter

from pipeline.domain.seals import SealContent, Verdict
from pipeline.ledger.protocol import UPLOAD_REFUSED, Attempt, Connection, LedgerConflict, UnansweredAttempt
from pipeline.ledger.receipts import Fact
from pipeline.ledger.schema import CONTENT_COLUMNS, DISOWNED, SURELY_REFUSED, insert_row, select_columns
from pipeline.messages.catalogue import dump_line, make_message

# Compared by number, not by time: clocks are set back.
_SINCE_LAST_SEAL = "number > coalesce((SELECT max(after_attempt) FROM seal WHERE seal.key = attempt.key), 0)"
REFUSED_SINCE_LAST_SEAL = f"verdict = 'refused' AND {_SINCE_LAST_SEAL}"

# What locks a person's seal name since the last seal: an attempt that may have created another seal; and the decision to
# replace the seal, until the service refused that create or the seal of the chosen name is found to be another person's.
MAY_HAVE_CREATED = (
    f"verdict IS NOT 'sealed' AND NOT {SURELY_REFUSED} AND NOT {DISOWNED} AND {_SINCE_LAST_SEAL}"
)
REPLACEMENT_PENDING = (
    "SELECT key FROM seal WHERE NOT EXISTS (SELECT 1 FROM attempt "  # noqa: S608 - our own words
    f"WHERE attempt.key = seal.key AND (verdict = 'refused' OR {DISOWNED}) AND contract <> 'upload' "
    f"AND {_SINCE_LAST_SEAL})"
)

ORPHANED = make_message("wire.process_ended")
WITHDRAWN = make_message("wire.cancelled")


_GET_CONTENT = attrgetter(*(field.name for field in fields(SealContent)))  # `astuple` copies each value
_SENT_COLUMNS = ("uuid", "key", "run", "row_id", "contract", "host", "signed_at", "seal_name")
_SET_ANSWER = "http_status = ?, request_id = ?, code = ?, message = ?, seal_id = ?"
_VERDICT_COLUMNS = ("verdict", "settled_at", "http_status", "request_id", "code", "message", "seal_id")


def enter_attempt(connection: Connection, attempt: Attempt) -> list[Fact]:
    """Enter a create before it is sent.

    The first attempt of a person locks the seal name. It is unlocked only while every create since the last seal was
    surely refused: a person may then rename the seal, for instance because the name was taken. The name chosen for a
    replacement stays until the service refuses it.
    """
    connection.execute(
        "INSERT INTO person (key, name, id_masked, staff_no, mobile) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (key) DO UPDATE SET name = excluded.name, id_masked = excluded.id_masked, "
        "staff_no = excluded.staff_no, mobile = excluded.mobile",
        (attempt.key, attempt.name, attempt.id_masked, attempt.staff_no, attempt.content.mobile or ""),
    )
    former_owner = claim_seal_name(connection, attempt.key, attempt.seal_name)
    connection.execute(
        "UPDATE person SET seal_name = ?1 WHERE key = ?2 AND NOT EXISTS "  # noqa: S608 - our own words
        f"(SELECT 1 FROM attempt WHERE key = ?2 AND {MAY_HAVE_CREATED}) AND NOT EXISTS ({REPLACEMENT_PENDING} AND key = ?2)",
        (attempt.seal_name, attempt.key),
    )
    columns = {name: getattr(attempt, name) for name in _SENT_COLUMNS}
    content = zip(CONTENT_COLUMNS.split(", "), _GET_CONTENT(attempt.content), strict=True)
    insert_row(connection, "attempt", {**columns, **dict(content), "dead_at": attempt.dead_at})
    persons = [former_owner, attempt.key] if former_owner else [attempt.key]
    return [
        *(Fact("person", "key", key) for key in persons),
        Fact("seal_name", "seal_name", attempt.seal_name),
        Fact("attempt", "uuid", attempt.uuid),
    ]


def enter_verdict(connection: Connection, uuid: str, verdict: Verdict, now: float) -> list[Fact]:
    """Enter the verdict of an attempt and, with ``sealed``, the seal with the content that was sent."""
    settled = connection.execute(
        f"UPDATE attempt SET verdict = ?, settled_at = ?, {_SET_ANSWER} WHERE uuid = ?",  # noqa: S608 - our own words
        (verdict.kind, now, *_list_answer(verdict), uuid),
    )
    if settled.rowcount != 1:
        raise LedgerConflict("settled")
    if verdict.kind == "sealed":
        connection.execute(
            "INSERT INTO seal (seal_id, key, seal_name, source, run, attempt, request_id, at, after_attempt, "  # noqa: S608 - our own words
            f"{CONTENT_COLUMNS}) SELECT seal_id, key, seal_name, 'sent', run, uuid, request_id, settled_at, number, {CONTENT_COLUMNS} "
            "FROM attempt WHERE uuid = ?",
            (uuid,),
        )
    return _list_verdict_facts(uuid)


def enter_late_verdict(connection: Connection, uuid: str, verdict: Verdict, now: float) -> list[Fact]:
    """Enter what an earlier holder of the ledger learned of its attempt: its verdict, if the attempt has none yet.

    Once the attempt is unknown, a SealId from the answer is kept as evidence for its resolution.
    """
    waiting = connection.execute(
        "SELECT 1 FROM attempt WHERE uuid = ? AND verdict IS NULL", (uuid,)
    ).fetchone()
    if waiting is not None:
        return enter_verdict(connection, uuid, verdict, now)
    connection.execute(
        f"UPDATE attempt SET {_SET_ANSWER} WHERE uuid = ? AND verdict = 'unknown' "  # noqa: S608 - our own words
        "AND decision IS NULL AND seal_id IS NULL",
        (*_list_answer(verdict), uuid),
    )
    return _list_verdict_facts(uuid)


def read_unanswered_attempts(connection: Connection) -> list[UnansweredAttempt]:
    """Return the unresolved attempts whose answer, if there was one, did not reach the ledger as their verdict."""
    rows = select_columns(
        connection,
        "SELECT uuid, key, run, seal_id FROM attempt WHERE verdict = 'unknown' AND decision IS NULL "
        "AND code IS NULL ORDER BY number",
    )
    return [UnansweredAttempt(**row) for row in rows]


def _list_answer(verdict: Verdict) -> tuple[object, ...]:
    """Return the values of the placeholders in _SET_ANSWER."""
    message = dump_line(verdict.message)
    return verdict.http_status, verdict.request_id, verdict.code, message, verdict.seal_id


def withdraw_attempt(connection: Connection, uuid: str, now: float) -> list[Fact]:
    """Close an attempt as not executed if it was entered: its caller was cancelled before it could send."""
    connection.execute(
        "UPDATE attempt SET verdict = 'not_executed', settled_at = ?, message = ? WHERE uuid = ? AND verdict IS NULL",
        (now, dump_line(WITHDRAWN), uuid),
    )
    return _list_verdict_facts(uuid)


def recover_attempts(connection: Connection, now: float) -> list[Fact]:
    """Set attempts that a dead process left without a verdict to unknown.

    A refused upload whose refusal was not entered created nothing: it becomes not executed.
    """
    orphans = [uuid for (uuid,) in connection.execute("SELECT uuid FROM attempt WHERE verdict IS NULL")]
    connection.execute(
        "UPDATE attempt SET verdict = CASE contract WHEN ? THEN 'not_executed' ELSE 'unknown' END, settled_at = ?, "
        "message = ? WHERE verdict IS NULL",
        (UPLOAD_REFUSED, now, dump_line(ORPHANED)),
    )
    return [fact for uuid in orphans for fact in _list_verdict_facts(uuid)]


def _list_verdict_facts(uuid: str) -> list[Fact]:
    return [Fact("attempt", "uuid", uuid, _VERDICT_COLUMNS), Fact("seal", "attempt", uuid)]


def claim_seal_name(connection: Connection, key: str, seal_name: str) -> str | None:
    """Make a seal name a person's; return the key of another person who owned it before, or None.

    The constraint ``seal_name`` refuses a name under which the other person may have a seal.
    """
    owner = connection.execute("SELECT key FROM seal_name WHERE seal_name = ?", (seal_name,)).fetchone()
    if owner is None:
        connection.execute("INSERT INTO seal_name (seal_name, key) VALUES (?, ?)", (seal_name, key))
    elif owner[0] != key:
        connection.execute("UPDATE person SET seal_name = NULL WHERE seal_name = ?", (seal_name,))
        connection.execute("UPDATE seal_name SET key = ? WHERE seal_name = ?", (key, seal_name))
        return str(owner[0])
    return None
