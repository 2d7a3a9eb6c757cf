"""Reads every person of the ledger at one moment, for the plan.

Keys, names, seal names, runs and scenes repeat in every table: such strings are interned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from sys import intern
from typing import Any

from pipeline.domain.seals import CreateAttempt, LedgerSnapshot, LiveSeal, PersonHistory, SealContent
from pipeline.domain.site_key import SiteKey
from pipeline.ledger import decisions
from pipeline.ledger.attempts import MAY_HAVE_CREATED, REFUSED_SINCE_LAST_SEAL, REPLACEMENT_PENDING
from pipeline.ledger.protocol import Connection
from pipeline.ledger.schema import CONTENT_COLUMNS, FREE_NAME, OPEN_ATTEMPT, STANDING, select_columns
from pipeline.messages.catalogue import load_line

# Creates that were sent or may have been, and whether the seal name is locked. An attempt that is not executed and got no
# answer was never sent; a refused upload is no create.
_ATTEMPT_COUNTS = (
    "SELECT key, count(*) FILTER (WHERE (verdict IS NOT 'not_executed' OR http_status IS NOT NULL) "  # noqa: S608 - our own words
    f"AND contract <> 'upload'), count(*) FILTER (WHERE {MAY_HAVE_CREATED}) "
    "FROM attempt GROUP BY key"
)

_NO_NAMES: frozenset[str] = frozenset()  # Python makes another one each time
_NAMES_OF_OTHERS = (
    "SELECT attempt.key, seal_name FROM decision JOIN attempt ON attempt.decision = decision.id "
    "WHERE kind = 'not_theirs'"
)


def read_snapshot(connection: Connection, site_key: SiteKey) -> LedgerSnapshot:
    """Read all persons; ``connection`` is inside a transaction, so that all of it is of one moment."""
    seals = dict(_read_live_seals(connection))
    unresolved = dict(_read_attempts(connection, OPEN_ATTEMPT))
    refusals: defaultdict[str, list[CreateAttempt]] = defaultdict(list)
    for key, tried in _read_attempts(connection, REFUSED_SINCE_LAST_SEAL):
        refusals[key].append(tried)
    creates, frozen = {}, set()
    for key, sent, may_have_made_one in connection.execute(_ATTEMPT_COUNTS):
        creates[key] = sent
        if may_have_made_one:
            frozen.add(key)
    of_others: defaultdict[str, set[str]] = defaultdict(set)
    for key, seal_name in connection.execute(_NAMES_OF_OTHERS):
        of_others[key].add(seal_name)
    frozen |= {
        key for (key,) in connection.execute(f"{REPLACEMENT_PENDING} AND ended_by IS NOT NULL")
    } | seals.keys()
    earlier = decisions.read_earlier_staff_numbers(connection, site_key)
    people = {
        (same := intern(key)): PersonHistory(
            key=same,
            seal_name=seal_name and intern(seal_name),
            seal=seals.get(key),
            unresolved_attempt=unresolved.get(key),
            refusals=tuple(refusals.get(key, ())),
            create_count=creates.get(key, 0),
            seal_name_locked=key in frozen,
            name=name and intern(name),
            id_masked=id_masked and intern(id_masked),
            staff_no_digest=earlier.get(key) if staff_no is None else staff_no,
            mobile_digest=_share_mobile(mobile, seals.get(key)),
            seal_names_of_others=frozenset(of_others[key]) if key in of_others else _NO_NAMES,
        )
        for key, seal_name, name, id_masked, staff_no, mobile in connection.execute(
            "SELECT key, seal_name, name, id_masked, staff_no, mobile FROM person"
        )
    }
    owners = connection.execute("SELECT seal_name, key FROM seal_name")
    same_persons, other_persons = decisions.read_same_persons(connection)
    return LedgerSnapshot(
        people=people,
        seal_name_owners={intern(seal_name): intern(key) for seal_name, key in owners},
        reusable_seal_names=list_reusable_seal_names(connection),
        same_persons=same_persons,
        other_persons=other_persons,
        former_image_owners=_read_former_pictures(connection),
    )


def _read_former_pictures(connection: Connection) -> dict[str, str]:
    """Return the persons of pictures of former seals, by sha256 and by digest of the pixels."""
    rows = connection.execute(
        "SELECT key, content_picture, content_pixels FROM seal WHERE ended_by IS NOT NULL UNION "  # noqa: S608 - our own words
        "SELECT key, json_extract(replaced, '$.picture'), json_extract(replaced, '$.pixels') FROM decision "
        f"WHERE kind = 'keep' AND replaced IS NOT NULL AND {STANDING}"
    )
    return {digest: key for key, *digests in rows for digest in digests if digest}


@dataclass(frozen=True, slots=True)
class AbandonedSeal:
    """A seal that a person gave up; whether Tencent has disabled it is not known."""

    key: str
    seal_id: str
    seal_name: str
    run: str  # "" for an adopted one
    created_at: float
    abandoned_at: float


def read_abandoned_seals(connection: Connection) -> list[AbandonedSeal]:
    """Return the seals that decisions have ended."""
    rows = select_columns(
        connection,
        "SELECT seal.key AS key, seal.seal_id AS seal_id, coalesce(seal_name, '') AS seal_name, "
        "coalesce(run, '') AS run, seal.at AS created_at, decision.at AS abandoned_at "
        "FROM seal JOIN decision ON decision.id = ended_by ORDER BY seal.id",
    )
    return [AbandonedSeal(**row) for row in rows]


def read_staff_numbers(connection: Connection) -> dict[str, set[str]]:
    """Return the staff numbers that runs read for every person with a seal, by key."""
    numbers_of: defaultdict[str, set[str]] = defaultdict(set)
    for key, number in connection.execute(
        "SELECT DISTINCT key, json_extract(line, '$.staff_no') FROM row_line JOIN person USING (key) "  # noqa: S608 - our own words
        f"WHERE key IN (SELECT key FROM seal WHERE ended_by IS NULL) AND {decisions.OWN_ROW}"
    ):
        if number:
            numbers_of[key].add(str(number))
    return dict(numbers_of)


def _read_attempts(connection: Connection, which: str) -> Iterator[tuple[str, CreateAttempt]]:
    """Yield attempts with their person, oldest first; one without a verdict counts as unknown."""
    rows = select_columns(
        connection,
        "SELECT key, uuid, run, coalesce(verdict, 'unknown') AS verdict, signed_at, host, code, message, request_id, "  # noqa: S608 - our own words
        f"seal_id AS unproven_seal_id, dead_at AS replayable_until, {CONTENT_COLUMNS} "
        f"FROM attempt WHERE {which} ORDER BY number",
    )
    for row in rows:
        content = _make_content([row.pop(column) for column in CONTENT_COLUMNS.split(", ")])
        key, message = row.pop("key"), load_line(row.pop("message"))
        yield key, CreateAttempt(content=content, message=message, **row)


def _read_live_seals(connection: Connection) -> Iterator[tuple[str, LiveSeal]]:
    rows = connection.execute(
        f"SELECT key, seal_id, seal_name, run, at, request_id, attempt, {CONTENT_COLUMNS} "  # noqa: S608 - our own words
        "FROM seal NOT INDEXED WHERE ended_by IS NULL"  # nearly all are live: from front to back is twice as fast
    )
    for key, seal_id, seal_name, run, entered_at, request_id, attempt, *content in rows:
        yield (
            key,
            LiveSeal(
                seal_id=seal_id,
                seal_name=intern(seal_name or ""),
                run=intern(run or ""),
                created_at=entered_at,
                content=_make_content(content) if content[0] else None,  # adopted, or the data was purged
                request_id=request_id,
                trace_id=attempt,
            ),
        )


def _share_mobile(mobile: str | None, seal: LiveSeal | None) -> str | None:
    """Return a mobile's digest: the seal's own object where it is that mobile, as for nearly all people."""
    known = seal.content.mobile if seal is not None and seal.content is not None else None
    return known if known == mobile else mobile


def _make_content(columns: list[Any]) -> SealContent:
    """Make the content from the values of CONTENT_COLUMNS, which are in the order of its attributes."""
    name, number, id_type, scene_key, *rest = columns
    return SealContent(name and intern(name), number, intern(id_type), scene_key and intern(scene_key), *rest)


def list_reusable_seal_names(connection: Connection) -> frozenset[str]:
    """Return the seal names that may pass to another person.

    CROSS JOIN: SQLite reads the few attempts without a seal first, not every name.
    """
    rows = connection.execute(
        "SELECT DISTINCT seal_name.seal_name FROM attempt CROSS JOIN seal_name "  # noqa: S608 - our own words
        "WHERE seal_name.seal_name = attempt.seal_name AND seal_name.key = attempt.key "
        f"AND verdict IN ('refused', 'not_executed', 'exists') AND {FREE_NAME}"
    )
    return frozenset(name for (name,) in rows)
