"""Enters creates, their verdicts, and what people decide on them: seals, seal names and their owners.

A function without ``contest`` in its name raises LedgerConflict where an event contradicts what is known. One with it enters
such an event of another process or an earlier ledger: as contested, which holds the person.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from typing import Any

from pipeline.domain.masking import mask_id
from pipeline.domain.run import REPEATED, SEAL_ID_REUSED
from pipeline.domain.seals import Attempt, Person, SealContent, SealRequest, Verdict
from pipeline.ledger.events import Event
from pipeline.ledger.people import read_people
from pipeline.ledger.records import LedgerConflict
from pipeline.ledger.tables import Connection, insert_row, select_rows, update_row
from pipeline.messages.catalogue import dump_line

Args = Mapping[str, Any]


def build_attempt_args(attempt: Attempt, request: SealRequest) -> dict[str, Any]:
    """Return the arguments of the event of a create that is about to be sent."""
    assert attempt.content is not None
    return {
        "uuid": attempt.uuid,
        "person": attempt.key,
        "run": attempt.run,
        "row_id": attempt.row_id,
        "name": request.name,
        "id_masked": mask_id(request.number),
        "staff_no": request.staff_no,
        "mobile": attempt.content.mobile or "",
        "seal_name": attempt.seal_name,
        "contract": attempt.contract,
        "host": attempt.host,
        "signed_at": attempt.signed_at,
        "dead_at": attempt.dead_at,
        "content": astuple(attempt.content),
    }


def build_verdict_args(uuid: str, key: str, verdict: Verdict, now: float) -> dict[str, Any]:
    """Return the arguments of the event of an answer; it names the person, whose create may be missing in a ledger."""
    return {
        "uuid": uuid,
        "person": key,
        "kind": verdict.kind,
        "at": now,
        "http_status": verdict.http_status,
        "request_id": verdict.request_id,
        "code": verdict.code,
        "message": dump_line(verdict.message),
        "seal_id": verdict.seal_id,
    }


# --- creates and verdicts


def apply_attempt(connection: Connection, event: Event) -> None:
    """Enter a create before it is sent; its seal name becomes the person's unless an earlier create locks another one."""
    args = event.args
    key, seal_name = args["person"], args["seal_name"]
    person = read_people(connection, [key]).get(key)
    if person is not None:
        require_free(person)
        if person.is_seal_name_locked and person.seal_name != seal_name:
            raise LedgerConflict("frozen_name")
    if _get_attempt(connection, args["uuid"]) is not None:
        raise LedgerConflict("attempt")
    set_person(connection, args)
    claim_seal_name(connection, key, seal_name)
    update_row(connection, "person", "person", key, seal_name=seal_name)
    insert_attempt(connection, event, args)


def contest_attempt(connection: Connection, event: Event) -> None:
    """Enter a create that should not have been sent."""
    if _get_attempt(connection, event.args["uuid"]) is None:
        set_person(connection, event.args)
        insert_attempt(connection, event, event.args, is_contested=True)


def apply_verdict(connection: Connection, event: Event) -> None:
    """Enter the answer to a create; with ``sealed`` the person has the seal."""
    args = event.args
    row = _get_attempt(connection, args["uuid"])
    if row is None or row["state"] != "open":
        raise LedgerConflict("settled")
    if args["kind"] == "sealed":
        if not args["seal_id"]:
            raise LedgerConflict("seal_id")
        require_new_seal_id(connection, args["seal_id"])
    if _is_anothers_answer(connection, args):
        raise LedgerConflict("request_id")
    _set_verdict(connection, args, is_contested=bool(row["is_contested"]))


def contest_verdict(connection: Connection, event: Event) -> None:
    """Enter an answer whose create is not known, was resolved meanwhile, or whose SealId is another person's."""
    args = event.args
    if _is_anothers_answer(connection, args):
        args = {**args, "kind": "unknown", "code": REPEATED}
    row = _get_attempt(connection, args["uuid"])
    if row is None:
        set_person(connection, {"person": args["person"]})
        insert_attempt(connection, event, _make_bare_attempt(args), is_contested=True)
        _set_verdict(connection, args, is_contested=True)
    elif row["state"] == "open":
        _set_verdict(connection, args, is_contested=True)
    elif args["kind"] == "sealed" and args["seal_id"] != row["seal_id"]:
        # another process, or a person, found something else about this create: both are kept, and hold the person
        second = {**args, "uuid": f"{args['uuid']}/{event.id}", "seal_name": row["seal_name"]}
        insert_attempt(connection, event, _make_bare_attempt(second), is_contested=True)
        _set_verdict(connection, second, is_contested=True)


def _is_anothers_answer(connection: Connection, args: Args) -> bool:
    """Return whether an answer that claims to prove something has the RequestId of another create's."""
    if not args.get("request_id") or args.get("code") in {REPEATED, SEAL_ID_REUSED}:
        return False
    statement = "SELECT 1 FROM attempt WHERE request_id = ? AND uuid <> ?"
    return connection.execute(statement, (args["request_id"], args["uuid"])).fetchone() is not None


def _make_bare_attempt(args: Args) -> dict[str, Any]:
    """Return the arguments of a create of which only the answer is known."""
    return {**args, "contract": "?", "host": "", "signed_at": args["at"], "dead_at": args["at"]}


def _set_verdict(connection: Connection, args: Args, *, is_contested: bool) -> None:
    update_row(
        connection,
        "attempt",
        "uuid",
        args["uuid"],
        state=args["kind"],
        verdict=args["kind"],
        is_contested=int(is_contested),
        settled_at=args["at"],
        http_status=args.get("http_status"),
        request_id=args.get("request_id"),
        code=args.get("code"),
        message=args.get("message"),
        seal_id=args.get("seal_id"),
    )


# --- decisions on them


def resolve_attempt(connection: Connection, event: Event, person: Person) -> None:
    """Enter what a person decided on a create without a verdict, or on one that another create contradicts."""
    args = event.args
    attempt = next((one for one in person.attempts if one.uuid == args["attempt"]), None)
    if attempt is not None and args["kind"] == "created":
        own = person.get_own_seal(args["seal_id"])
        if own is not None:
            _choose_seal(connection, event, person, own)
            return
    is_denied = args["kind"] == "not_created" and attempt is not None and attempt.repeats_seal_id
    is_fitting = attempt is not None and (attempt.is_waiting or (is_denied and attempt.is_live))
    if args["kind"] == "not_theirs":
        is_fitting = attempt is not None and attempt.state == "exists"
    if attempt is None or not is_fitting:
        raise LedgerConflict("settled")
    changes: dict[str, object] = {"decision": event.id, "settled_at": args["at"]}
    match args["kind"]:
        case "created":
            require_new_seal_id(connection, args["seal_id"])
            changes |= {"state": "sealed", "seal_id": args["seal_id"]}
            if attempt.state == "exists":
                content = _get_creating_content(person, attempt)
                changes["content"] = dump_content(content)
        case "not_created":
            changes["state"] = "not_created"
        case _:
            changes["state"] = "not_theirs"
            update_row(connection, "person", "person", person.key, seal_name=None)
    update_row(connection, "attempt", "uuid", attempt.uuid, **changes)


def _choose_seal(connection: Connection, event: Event, person: Person, chosen: Attempt) -> None:
    """Enter which of several seals of a person counts: the others are given up, creates without a verdict are closed."""
    for other in person.live:
        if other.uuid == chosen.uuid:
            continue
        if other.has_own_seal:
            changes: dict[str, object] = {
                "state": "ended",
                "ended_by": event.id,
                "ended_at": event.args["at"],
            }
        else:
            changes = {"state": "not_created", "decision": event.id, "settled_at": event.args["at"]}
        update_row(connection, "attempt", "uuid", other.uuid, **changes)
    _settle_attempt(connection, chosen, is_chosen=True)


def _get_creating_content(person: Person, last: Attempt) -> SealContent | None:
    """Return the content of the creates that may have made a seal of this name; None where they differ."""
    may_have_made = {"open", "unknown", "not_created"}
    contents = {
        one.content
        for one in person.attempts
        if one.seal_name == last.seal_name
        and one.event_number <= last.event_number
        and (one.state in may_have_made or (one.state == "refused" and one.code == "FailedOperation"))
    }
    return contents.pop() if len(contents) == 1 else None


def keep_content(connection: Connection, person: Person, content: Iterable[object] | None) -> None:
    """Set what the live seal is compared with from now on; None: it was purged."""
    seal = require_seal(person)
    update_row(connection, "attempt", "uuid", seal.uuid, content=_dump_values(content))


def replace_seal(connection: Connection, event: Event, person: Person) -> None:
    """End the live seal; the next create of the person uses the new name."""
    seal, new_name = require_seal(person), event.args["detail"]
    if any(one.seal_name == new_name for one in person.attempts):
        raise LedgerConflict("seal_name")
    register_seal_name(connection, person.key, new_name)
    update_row(connection, "person", "person", person.key, seal_name=new_name)
    ended = {"state": "ended", "ended_by": event.id, "ended_at": event.args["at"]}
    update_row(connection, "attempt", "uuid", seal.uuid, **ended)


def unite_numbers(connection: Connection, args: Args, person: Person) -> None:
    """Make a corrected number a person's: it has nothing of its own, and the person has a seal or an open create."""
    corrected = read_people(connection, [args["detail"]]).get(args["detail"])
    if (corrected is not None and corrected.live) or not person.live or args["detail"] == person.key:
        raise LedgerConflict("same_person")
    if args.get("id_masked"):
        update_row(connection, "person", "person", person.key, id_masked=args["id_masked"])


# --- adopted seals


def apply_adopted_seal(connection: Connection, event: Event) -> None:
    """Enter a seal that was made elsewhere."""
    args = event.args
    key = args["person"]
    person = read_people(connection, [key]).get(key)
    if person is not None:
        require_free(person)
    require_new_seal_id(connection, args["seal_id"])
    known = {"person": key, "staff_no": args["staff_no"] or None, "mobile": args["mobile"] or None}
    if person is None:
        known |= {"name": args["name"], "id_masked": args["id_masked"]}
    set_person(connection, known)
    if args["seal_name"]:
        register_seal_name(connection, key, args["seal_name"])
        if person is None or person.seal_name is None:
            update_row(connection, "person", "person", key, seal_name=args["seal_name"])
    _insert_adopted_seal(connection, event, is_contested=False)


def contest_adopted_seal(connection: Connection, event: Event) -> None:
    """Enter an adopted seal that contradicts what is known; the seal that the person has already is no second one."""
    args = event.args
    statement = "SELECT person FROM attempt WHERE lower(seal_id) = lower(?) AND state = 'sealed'"
    known = connection.execute(statement, (args["seal_id"],)).fetchone()
    if known is None or known[0] != args["person"]:
        set_person(connection, {name: args[name] for name in ("person", "name", "id_masked")})
        _insert_adopted_seal(connection, event, is_contested=True)


def _insert_adopted_seal(connection: Connection, event: Event, *, is_contested: bool) -> None:
    args = event.args
    adopted = {
        "uuid": event.id,
        "person": args["person"],
        "contract": "",
        "host": "",
        "signed_at": args["at"],
        "dead_at": args["at"],
        "seal_name": args["seal_name"],
    }
    insert_attempt(connection, event, adopted, state="sealed", is_contested=is_contested)
    values = {"settled_at": args["at"], "seal_id": args["seal_id"], "decision": event.id}
    update_row(connection, "attempt", "uuid", event.id, **values)


# --- what they share


def require_free(person: Person) -> None:
    """Raise LedgerConflict where a create of a person would be a second one."""
    if person.seal is not None:
        raise LedgerConflict("live_seal")
    if person.live or person.is_contested:
        raise LedgerConflict("open_attempt")


def require_seal(person: Person) -> Attempt:
    """Return the live seal; LedgerConflict where there is none, or it is contested."""
    if person.seal is None or person.is_contested:
        raise LedgerConflict("no_live_seal")
    return person.seal


def require_new_seal_id(connection: Connection, seal_id: str) -> None:
    """Raise LedgerConflict where a SealId is a seal's already."""
    statement = "SELECT 1 FROM attempt WHERE lower(seal_id) = lower(?) AND state IN ('sealed', 'ended')"
    if connection.execute(statement, (seal_id,)).fetchone() is not None:
        raise LedgerConflict("seal_id")


def set_person(connection: Connection, args: Args) -> None:
    """Enter a person, or what is newly known of one; a value of None keeps what was known."""
    connection.execute(
        "INSERT INTO person (person, name, id_masked, staff_no, mobile) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (person) DO UPDATE SET name = coalesce(excluded.name, person.name), "
        "id_masked = coalesce(excluded.id_masked, person.id_masked), "
        "staff_no = coalesce(excluded.staff_no, person.staff_no), mobile = coalesce(excluded.mobile, person.mobile)",
        (args["person"], args.get("name"), args.get("id_masked"), args.get("staff_no"), args.get("mobile")),
    )


def insert_attempt(
    connection: Connection, event: Event, args: Args, *, state: str = "open", is_contested: bool = False
) -> None:
    """Enter a create, or an adopted seal."""
    insert_row(
        connection,
        "attempt",
        {
            "uuid": args["uuid"],
            "event_number": event.n,
            "person": args["person"],
            "state": state,
            "is_contested": int(is_contested),
            "run": args.get("run") or "",
            "row_id": args.get("row_id") or "",
            "contract": args["contract"],
            "host": args["host"],
            "signed_at": args["signed_at"],
            "dead_at": args["dead_at"],
            "seal_name": args.get("seal_name") or "",
            "content": _dump_values(args.get("content")),
        },
    )


def dump_content(content: SealContent | None) -> str | None:
    """Return the content of a seal as the table holds it."""
    return _dump_values(None if content is None else astuple(content))


def _dump_values(content: Iterable[object] | None) -> str | None:
    return None if content is None else json.dumps(list(content), ensure_ascii=False)


def register_seal_name(connection: Connection, key: str, seal_name: str) -> None:
    """Make a seal name a person's; raises LedgerConflict where it is another person's."""
    owner = _get_owner(connection, seal_name)
    if owner is None:
        insert_row(connection, "seal_name", {"seal_name": seal_name, "person": key})
    elif owner != key:
        raise LedgerConflict("seal_name")


def claim_seal_name(connection: Connection, key: str, seal_name: str) -> None:
    """Make a seal name a person's, also where its owner has freed it; else raises LedgerConflict."""
    owner = _get_owner(connection, seal_name)
    if owner is None or owner == key:
        register_seal_name(connection, key, seal_name)
        return
    if not read_people(connection, [owner])[owner].has_freed(seal_name):
        raise LedgerConflict("seal_name")
    connection.execute("UPDATE person SET seal_name = NULL WHERE seal_name = ?", (seal_name,))
    update_row(connection, "seal_name", "seal_name", seal_name, person=key)


def _get_owner(connection: Connection, seal_name: str) -> str | None:
    row = connection.execute("SELECT person FROM seal_name WHERE seal_name = ?", (seal_name,)).fetchone()
    return None if row is None else str(row[0])


def _get_attempt(connection: Connection, uuid: str) -> dict[str, Any] | None:
    statement = "SELECT state, seal_name, seal_id, is_contested FROM attempt WHERE uuid = ?"
    return next(select_rows(connection, statement, (uuid,)), None)


# --- contradictions that end


def settle_person(connection: Connection, key: str) -> None:
    """End a contradiction of a person of whom one live create is left, with a SealId and a seal name of its own."""
    statement = "SELECT 1 FROM attempt WHERE person = ? AND is_contested = 1"
    if connection.execute(statement, (key,)).fetchone() is None:
        return
    person = read_people(connection, [key])[key]
    if len(person.live) > 1:
        return
    for attempt in person.attempts:
        if attempt.is_contested:
            _settle_attempt(connection, attempt)


def _settle_attempt(connection: Connection, attempt: Attempt, *, is_chosen: bool = False) -> None:
    """End the contradiction of a create; a seal that a person has chosen counts also where its name is another person's."""
    has_name = attempt.is_live and bool(attempt.seal_name)
    if has_name:
        try:
            claim_seal_name(connection, attempt.key, attempt.seal_name)
        except LedgerConflict:
            if not is_chosen:
                return
            has_name = False
    if attempt.has_seal and attempt.repeats_seal_id:
        return
    update_row(connection, "attempt", "uuid", attempt.uuid, is_contested=0)
    if has_name:
        update_row(connection, "person", "person", attempt.key, seal_name=attempt.seal_name)
