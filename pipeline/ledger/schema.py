"""The ledger's tables, the constraints that guard the promise, and how an older ledger becomes a newer one.

A person has at most one live seal or one open attempt, never both, whatever the code above believes. Facts are
kept as they were said: a verdict is never rewritten, a human's decision is a row that the attempt or the seal it
settles points to.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from pipeline.errors import LedgerError

APPLICATION_ID = 0x6573696D  # "esim", in the file's header: tells a ledger from any other SQLite file
OLDEST_SQLITE = (3, 37, 0)  # STRICT tables

OPEN_ATTEMPT = "decision IS NULL AND (verdict IS NULL OR verdict IN ('unknown', 'exists'))"

# Refused for another reason than the seal name: a bare FailedOperation may hide a seal, and where the name exists
# already the seal may be the person's own.
_SAME_NAME = (
    "(instr(coalesce(message, ''), '同名') OR instr(coalesce(message, ''), '重名') "
    "OR instr(coalesce(message, ''), '已存在'))"
)
SURELY_REFUSED = (
    "(contract = 'upload' OR coalesce(verdict, '') = 'not_executed' OR (coalesce(verdict, '') = 'refused' "
    "AND coalesce(code, '') NOT IN ('', 'FailedOperation', 'FailedOperation.ExistSameSealName') "
    f"AND NOT {_SAME_NAME}))"
)
# of a row of attempt: a human decided, on this attempt or a later one, that the seal of this name is another person's
DISOWNED = (
    "EXISTS (SELECT 1 FROM attempt AS held JOIN decision ON decision.id = held.decision "
    "WHERE decision.kind = 'not_theirs' AND held.key = attempt.key AND held.seal_name = attempt.seal_name "
    "AND held.number >= attempt.number)"
)

_ATTEMPT = """
CREATE TABLE {table} (
    number INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL REFERENCES person (key),
    run TEXT NOT NULL REFERENCES run (run),
    row_id TEXT NOT NULL,
    contract TEXT NOT NULL,
    host TEXT NOT NULL,
    signed_at REAL NOT NULL,
    seal_name TEXT NOT NULL,
    content_name TEXT NOT NULL,
    content_number TEXT NOT NULL,
    content_id_type TEXT NOT NULL,
    content_scene_key TEXT,
    content_mobile TEXT,
    content_seal_name TEXT,
    content_picture TEXT NOT NULL,
    content_pixels TEXT,
    verdict TEXT CHECK (verdict IN ('sealed', 'refused', 'not_executed', 'unknown', 'exists')),
    settled_at REAL,
    http_status INTEGER,
    request_id TEXT,
    code TEXT,
    message TEXT,
    seal_id TEXT,
    decision INTEGER REFERENCES decision (id),
    {rest}
    CHECK ((verdict IS NULL) = (settled_at IS NULL)),
    CHECK (decision IS NULL OR coalesce(verdict, '') IN ('unknown', 'exists')),
    CHECK (verdict IS NOT 'sealed' OR coalesce(seal_id, '') <> '')
) STRICT
"""
_OWNER = "FOREIGN KEY (seal_name, key) REFERENCES seal_name (seal_name, key),"

# what falls with the table when it is made anew; the first two are indexes
_ON_ATTEMPT = (
    "CREATE INDEX attempt_of_person ON attempt (key, number)",
    f"CREATE UNIQUE INDEX one_open_attempt ON attempt (key) WHERE {OPEN_ATTEMPT}",
    """
    CREATE TRIGGER no_attempt_beside_a_live_seal BEFORE INSERT ON attempt
    WHEN EXISTS (SELECT 1 FROM seal WHERE key = NEW.key AND ended_by IS NULL)
    BEGIN SELECT RAISE (ABORT, 'live_seal'); END
    """,
    f"""
    CREATE TRIGGER no_live_seal_beside_an_open_attempt BEFORE INSERT ON seal
    WHEN NEW.ended_by IS NULL AND EXISTS (SELECT 1 FROM attempt WHERE key = NEW.key AND {OPEN_ATTEMPT})
    BEGIN SELECT RAISE (ABORT, 'open_attempt'); END
    """,  # noqa: S608 - our own words
    """
    CREATE TRIGGER an_attempt_carries_the_frozen_name BEFORE INSERT ON attempt
    WHEN NEW.seal_name IS NOT (SELECT seal_name FROM person WHERE key = NEW.key)
    BEGIN SELECT RAISE (ABORT, 'frozen_name'); END
    """,
    """
    CREATE TRIGGER a_verdict_is_final BEFORE UPDATE OF verdict ON attempt
    WHEN OLD.verdict IS NOT NULL
    BEGIN SELECT RAISE (ABORT, 'settled'); END
    """,
)

# Digests stand for numbers and mobiles (sitekey.py). content_seal_name is the roster's own name, seal_name what was
# sent. An adopted seal was made by no run, and what it was made from may not be known.
VERSION_1 = (
    """
    CREATE TABLE meta (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        tenant TEXT NOT NULL,
        key_check TEXT NOT NULL,
        key_format INTEGER NOT NULL,
        created REAL NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE run (
        number INTEGER PRIMARY KEY,
        run TEXT NOT NULL UNIQUE,
        command TEXT NOT NULL,
        started REAL NOT NULL,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        user TEXT NOT NULL,
        rosters TEXT NOT NULL,
        context TEXT NOT NULL,
        seals TEXT,
        out TEXT NOT NULL,
        contract TEXT,
        config_digest TEXT NOT NULL,
        version TEXT NOT NULL,
        saw_rows INTEGER NOT NULL DEFAULT 0 CHECK (saw_rows IN (0, 1)),
        finished REAL,
        exit INTEGER,
        record TEXT
    ) STRICT
    """,
    """
    CREATE TABLE person (
        key TEXT PRIMARY KEY,
        name TEXT,
        id_masked TEXT,
        seal_name TEXT,
        FOREIGN KEY (seal_name, key) REFERENCES seal_name (seal_name, key)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE seal_name (
        seal_name TEXT PRIMARY KEY,
        key TEXT NOT NULL REFERENCES person (key),
        UNIQUE (seal_name, key)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE decision (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        who TEXT NOT NULL,
        why TEXT NOT NULL,
        kind TEXT NOT NULL,
        key TEXT REFERENCES person (key),
        attempt TEXT REFERENCES attempt (uuid),
        seal_id TEXT,
        detail TEXT
    ) STRICT
    """,
    _ATTEMPT.format(table="attempt", rest=_OWNER),
    *_ON_ATTEMPT[:2],
    """
    CREATE TABLE seal (
        id INTEGER PRIMARY KEY,
        seal_id TEXT NOT NULL UNIQUE CHECK (seal_id <> ''),
        key TEXT NOT NULL REFERENCES person (key),
        seal_name TEXT,
        source TEXT NOT NULL CHECK (source IN ('sent', 'resolved', 'adopted', 'receipt')),
        run TEXT,
        attempt TEXT REFERENCES attempt (uuid),
        request_id TEXT,
        at REAL NOT NULL,
        after_attempt INTEGER NOT NULL,
        content_name TEXT,
        content_number TEXT,
        content_id_type TEXT,
        content_scene_key TEXT,
        content_mobile TEXT,
        content_seal_name TEXT,
        content_picture TEXT,
        content_pixels TEXT,
        decision INTEGER REFERENCES decision (id),
        ended_by INTEGER REFERENCES decision (id),
        FOREIGN KEY (seal_name, key) REFERENCES seal_name (seal_name, key),
        CHECK (source <> 'sent' OR attempt IS NOT NULL),
        CHECK (source = 'adopted' OR (run IS NOT NULL AND seal_name IS NOT NULL AND content_name IS NOT NULL
               AND content_number IS NOT NULL AND content_id_type IS NOT NULL AND content_picture IS NOT NULL)),
        CHECK (source <> 'adopted' OR run IS NULL)
    ) STRICT
    """,
    "CREATE INDEX seal_of_person ON seal (key, after_attempt)",
    "CREATE UNIQUE INDEX one_live_seal ON seal (key) WHERE ended_by IS NULL",
    *_ON_ATTEMPT[2:],
    # row_seen moves every night and is narrow; the wide words of row_line are written when they change, and no more.
    """
    CREATE TABLE row_line (
        id INTEGER PRIMARY KEY,
        key TEXT,
        file TEXT NOT NULL,
        sheet TEXT,
        row INTEGER NOT NULL,
        status TEXT NOT NULL,
        codes TEXT NOT NULL,
        line TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX row_line_of_person ON row_line (key)",
    """
    CREATE TABLE row_seen (
        row_id TEXT NOT NULL,
        first_run INTEGER NOT NULL REFERENCES run (number),
        last_run INTEGER NOT NULL REFERENCES run (number),
        digest BLOB NOT NULL,
        line INTEGER NOT NULL REFERENCES row_line (id),
        PRIMARY KEY (row_id, first_run),
        CHECK (first_run <= last_run)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE file_stat (
        path TEXT PRIMARY KEY,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        sha256 TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)

# how far receipts.jsonl reaches (receipts.Mark), moved by the very transaction that its lines belong to
VERSION_2 = (
    "ALTER TABLE meta ADD COLUMN receipts_n INTEGER NOT NULL DEFAULT 0",
    f"ALTER TABLE meta ADD COLUMN receipts_sha256 TEXT NOT NULL DEFAULT '{'0' * 64}'",
    "ALTER TABLE meta ADD COLUMN receipts_size INTEGER NOT NULL DEFAULT 0",
)

# A verdict's receipt holds the seal it made: without an index each one would read every seal.
VERSION_3 = ("CREATE INDEX seal_of_attempt ON seal (attempt) WHERE attempt IS NOT NULL",)

# A seal name passes on to another person where its owner cannot bear it: before the owner's first seal the owner's every
# create under it was surely refused, or the seal of that name was found to be another's. Else a corrected number would
# cost a doctor the name; and the person whose seal it is must meet the name that exists, not be sealed under another.
_UNDER_IT = "FROM attempt WHERE key = seal_name.key AND attempt.seal_name = seal_name.seal_name"
FREE_NAME = (  # of a row of seal_name
    f"(EXISTS (SELECT 1 {_UNDER_IT}) "  # noqa: S608 - our own words
    f"AND NOT EXISTS (SELECT 1 {_UNDER_IT} AND NOT ({SURELY_REFUSED} OR {DISOWNED})) "
    "AND NOT EXISTS (SELECT 1 FROM seal WHERE seal.key = seal_name.key AND (seal.seal_name = seal_name.seal_name "
    f"OR after_attempt < (SELECT min(number) {_UNDER_IT}))))"
)
VERSION_4 = (
    "DROP TRIGGER no_live_seal_beside_an_open_attempt",
    _ATTEMPT.format(
        table="attempt_4", rest="dead_at REAL,"
    ),  # keeps the name it was sent under, whosever that is by now
    "INSERT INTO attempt_4 SELECT *, NULL FROM attempt",
    "DROP TABLE attempt",
    "ALTER TABLE attempt_4 RENAME TO attempt",
    *_ON_ATTEMPT,
)

# which names pass on was said otherwise before a name could be found to be another person's
VERSION_5 = (
    "DROP TRIGGER IF EXISTS a_name_leaves_nobody_who_may_bear_it",
    f"""
    CREATE TRIGGER a_name_leaves_nobody_who_may_bear_it BEFORE UPDATE OF key ON seal_name
    WHEN NOT EXISTS (SELECT 1 FROM seal_name WHERE seal_name = OLD.seal_name AND {FREE_NAME})
    BEGIN SELECT RAISE (ABORT, 'seal_name'); END
    """,  # noqa: S608 - our own words
)

# the size at which the picture was sent (model.Content.sent_size)
VERSION_6 = (
    "ALTER TABLE attempt ADD COLUMN content_sent_size TEXT",
    "ALTER TABLE seal ADD COLUMN content_sent_size TEXT",
)

# digests of the staff number and the mobile last seen with a person: by them a corrected number is known
VERSION_7 = (
    "ALTER TABLE person ADD COLUMN staff_no TEXT",
    "ALTER TABLE person ADD COLUMN mobile TEXT",
)

# step n leads from version n to n + 1
STEPS: Sequence[Sequence[str]] = (VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5, VERSION_6, VERSION_7)

# The database names the columns of a broken constraint; triggers speak for themselves.
CONSTRAINTS = {
    "UNIQUE constraint failed: attempt.key": "open_attempt",
    "UNIQUE constraint failed: attempt.uuid": "attempt",
    "UNIQUE constraint failed: run.run": "run",
    "UNIQUE constraint failed: seal.key": "live_seal",
    "UNIQUE constraint failed: seal.seal_id": "seal_id",
    "UNIQUE constraint failed: seal_name.seal_name": "seal_name",
}


def version_of(connection: sqlite3.Connection) -> int:
    """Return the schema version a ledger file carries."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def require_known(version: int, *, steps: Sequence[Sequence[str]] = STEPS) -> None:
    """Raise LedgerError for a ledger that a newer program has written."""
    if version > len(steps):
        raise LedgerError("ledger.too_new", version=version, known=len(steps))


def read_as_newest(connection: sqlite3.Connection) -> None:
    """Let a ledger that nobody has brought forward yet be read as if somebody had; nothing in its file changes."""
    version = version_of(connection)
    if version < 6:  # the version that brought content_sent_size; version 4 brought dead_at
        missing = "NULL AS content_sent_size" + (", NULL AS dead_at" if version < 4 else "")
        connection.execute(f"CREATE TEMP VIEW attempt AS SELECT *, {missing} FROM main.attempt")  # noqa: S608 - our own words
        connection.execute("CREATE TEMP VIEW seal AS SELECT *, NULL AS content_sent_size FROM main.seal")
    if version < 7:
        connection.execute(
            "CREATE TEMP VIEW person AS SELECT *, NULL AS staff_no, NULL AS mobile FROM main.person"
        )


def migrate(connection: sqlite3.Connection, *, steps: Sequence[Sequence[str]] = STEPS) -> None:
    """Bring a ledger to the newest version, each step whole or not at all.

    ``connection`` is in autocommit mode. Raises LedgerError for a ledger newer than this program.
    """
    version = version_of(connection)
    require_known(version, steps=steps)
    if version == len(steps):
        return
    (guarded,) = connection.execute("PRAGMA foreign_keys").fetchone()
    connection.execute("PRAGMA foreign_keys = OFF")  # a table that is made anew is missing for a moment
    try:
        _climb(connection, version, steps)
    finally:
        connection.execute(f"PRAGMA foreign_keys = {guarded}")


def _climb(connection: sqlite3.Connection, version: int, steps: Sequence[Sequence[str]]) -> None:
    for number, statements in enumerate(steps[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                connection.execute(statement)
            if (broken := connection.execute("PRAGMA foreign_key_check").fetchone()) is not None:
                raise sqlite3.IntegrityError(f"a row of {broken[0]} refers to nothing")
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
