"""The ledger in an SQLite file, with write-ahead log and every commit flushed: opened, made, read and written."""

from __future__ import annotations

import errno
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_bytes

from pipeline.clock import shown, stamp
from pipeline.domain.site_key import KEY_BYTES, SiteKey
from pipeline.errors import LedgerError, UsageError, reason_of
from pipeline.ledger.disk import (
    explain_error,
    explain_refusal,
    fill_reserve,
    key_path,
    list_side_files,
    release_reserve,
    require_local_disk,
    require_not_loaded,
    require_rights,
    restore_side_file_rights,
)
from pipeline.ledger.journal import JournalDamaged, JournalFile, JournalOfOtherKey
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.lock import FileHold, Hold, read_user_name
from pipeline.ledger.opening import Journals, Repair, enter_file_journals, explain_journals, is_behind_files
from pipeline.ledger.operations import MOVED
from pipeline.ledger.places import Places
from pipeline.ledger.records import LedgerConflict, LedgerSummary
from pipeline.ledger.tables import VERSION, create_tables, enter_meta
from pipeline.ledger.tenant import is_empty, read_tenant, require_tenant
from pipeline.ledger.writing import LedgerWriter
from pipeline.messages.catalogue import make_message
from pipeline.support import atomic_files
from pipeline.support.rights import FILE_MODE

LOG = logging.getLogger(__name__)
BUSY_SECONDS = 5.0
APPLICATION_ID = (
    0x6573696D  # "esim", in the header of the file: a ledger is known by it among other SQLite files
)
_CONSTRAINTS = {  # message of a broken constraint -> its name in LedgerConflict
    "UNIQUE constraint failed: attempt.person": "open_attempt",
    "UNIQUE constraint failed: index 'one_owner'": "seal_id",
}


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """Open the file in autocommit mode with the settings of a ledger; read-only, nothing in it can change."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rw'}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    if not readonly:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: flush the drive's cache as well
        connection.execute("PRAGMA secure_delete = ON")
    return connection


class SqliteWriter(LedgerWriter):
    """Owns the connection that writes an SQLite ledger; ``require_hold`` is asked before each commit."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        journals: Journals,
        require_hold: Callable[[], None],
    ) -> None:
        self._path = path
        self._connection = connection
        self._require_hold = require_hold
        self._identity = atomic_files.identify_file(path)
        super().__init__(journals)

    def _begin(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def _prove_hold(self, _connection: object) -> None:
        self._require_hold()
        if atomic_files.identify_file(self._path) != self._identity:
            raise LedgerError("ledger.replaced", path=self._path)

    def _commit(self, _connection: object) -> None:
        self._connection.execute("COMMIT")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _explain(self, error: Exception) -> Exception:
        if isinstance(error, sqlite3.Error | OSError):
            return explain_write_error(self._path, error)
        return error

    def _get_conflict(self, error: Exception) -> LedgerConflict | None:
        if isinstance(error, sqlite3.IntegrityError):
            return LedgerConflict(_CONSTRAINTS.get(str(error), str(error)))
        return None

    def _react_to_failure(self) -> None:
        release_reserve(self._path)

    def _close_files(self) -> None:
        """Apply the write-ahead log to the ledger and close the connection."""
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            pass  # all is durable in the write-ahead log; the next opening applies it
        finally:
            self._connection.close()


class SqliteLedger(Ledger):
    """A ledger in a file. Every read has a connection of its own."""

    def __init__(
        self,
        path: Path,
        *,
        site_key: SiteKey,
        writer: SqliteWriter | None = None,
        repair: Repair | None = None,
    ) -> None:
        super().__init__(site_key=site_key, writer=writer, repair=repair)
        self._path = path

    @contextmanager
    def _open_reader(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = connect(self._path, readonly=True)
        except sqlite3.Error as error:
            raise explain_read_error(self._path, error) from error
        try:
            connection.execute("BEGIN")
            yield connection
        except sqlite3.Error as error:
            raise explain_read_error(self._path, error) from error
        finally:
            connection.close()


class LedgerFile:
    """One tenant's ledger in a file, which may not exist yet; ``hold`` keeps other processes from it, once it is acquired."""

    def __init__(self, path: Path, places: Places, hold: Hold | None = None) -> None:
        self.path = path
        self.places = places
        self.hold = hold or FileHold(path, places.lock_base)

    def exists(self) -> bool:
        """Return whether there is a ledger; LedgerError where it was loaded into a server."""
        require_not_loaded(self.path)
        return self.path.exists()

    def read_summary(self) -> LedgerSummary | None:
        """Return the summary of the ledger, None where there is none."""
        if not self.exists():
            return None
        with closing(self.open_for_reading()) as ledger:
            return ledger.read_summary()

    def open_for_reading(self) -> SqliteLedger:
        """Open the ledger; nothing is made or changed.

        Raises UsageError where there is none, or another tenant's; LedgerError for one that is damaged or lacks its key.
        """
        path, places = self.path, self.places
        if not path.exists():
            require_not_loaded(path)
            raise UsageError("never_run", path=path, then=("check",))
        require_rights(path, writing=False)
        try:
            check = require_ledger_file(path, places.tenant)
            with closing(connect(path, readonly=True)) as connection:
                _require_not_moved(path, connection)
            secret = places.read_key(key_path(path), check=check)
        except sqlite3.Error as error:
            raise explain_read_error(path, error) from error
        except OSError as error:
            raise explain_error("ledger.not_opened", path, error) from error
        if secret is None:
            raise LedgerError("ledger.key_missing", place=key_path(path), path=path)
        return SqliteLedger(path, site_key=SiteKey(secret, places.tenant))

    def open_for_writing(self, *, now: float, may_be_moved: bool = False) -> SqliteLedger:
        """Open the ledger, whose hold is acquired; it is made, or repaired from its journals, as far as they know more.

        A ledger without attempt, seal or decision that belongs to another tenant is begun anew. Raises UsageError for another
        tenant's ledger; LedgerError (74) for a key that is missing or another one, a place that cannot be written, a damaged
        ledger that the journals cannot make again, one that was loaded into a server (unless ``may_be_moved``), and an event of
        a newer program.
        """
        path, places, hold = self.path, self.places, self.hold
        require_not_loaded(path)
        try:
            damaged = _set_aside_unusable(path, places)
            is_new = not path.exists()
            check = None if is_new else require_ledger_file(path, places.tenant)
            secret, keys_set_aside = _provide_key(path, places, check=check)
            site_key = SiteKey(secret, places.tenant)
            if is_new:
                _create_ledger(path, site_key, now)
            for warning in restore_side_file_rights(path):
                LOG.warning("%s", warning)
            require_rights(path, writing=True)
            for file in (path, key_path(path)):
                file.chmod(FILE_MODE)
            fill_reserve(path)
            journals = places.make_journals(site_key)
            connection = connect(path, readonly=False)
            try:
                repair = _enter_journals(
                    connection, journals, path, now=now, may_send=hold.may_send, may_be_moved=may_be_moved
                )
            except BaseException:
                connection.close()
                if is_new:  # an empty one would pass for the tenant's ledger
                    _remove_ledger(path)
                raise
        except JournalOfOtherKey as error:
            raise LedgerError("ledger.journal_other_key", file=str(error), path=path) from error
        except sqlite3.Error as error:
            raise explain_read_error(path, error) from error
        except OSError as error:
            raise explain_error("ledger.not_opened", path, error) from error
        writer = SqliteWriter(path, connection, journals, hold.require)
        repair = replace(repair, damaged_ledger=damaged)
        ledger = SqliteLedger(path, site_key=site_key, writer=writer, repair=repair)
        ledger.keys_set_aside = keys_set_aside
        return ledger

    def is_behind(self, *, with_left: bool = True) -> bool:
        """Return whether the journals hold what the ledger lacks: it is gone, or an older one was put in its place.

        ``with_left``: or what checks have left is to be entered.
        """
        path, places = self.path, self.places
        files = places.list_files(with_left=with_left)
        if not path.exists():
            return bool(files)
        try:
            with closing(connect(path, readonly=True)) as connection:
                return read_tenant(connection) == places.tenant and is_behind_files(
                    connection, places.make_folders(), files
                )
        except sqlite3.Error:
            return _do_journals_agree(path, places)  # else opening it explains what is wrong with it
        except OSError:
            return False  # the same


def _set_aside_unusable(path: Path, places: Places) -> Path | None:
    """Remove an empty ledger of another tenant; rename a damaged one that can be made again, and return its new name."""
    if not path.exists():
        return None
    try:
        with closing(connect(path, readonly=True)) as connection:
            _require_sound(path, connection)
            if read_tenant(connection) == places.tenant or not is_empty(connection):
                return None
    except sqlite3.Error:
        if not _do_journals_agree(path, places):
            raise
        damaged = atomic_files.free_name(path, "{name}.damaged-{n}")
        path.rename(damaged)
        for file in list_side_files(path):
            if file.exists():
                file.rename(atomic_files.free_name(file, "{name}.damaged-{n}"))
        return damaged
    _remove_ledger(path)
    if places.key_copy.exists():  # this tenant's own key
        key_path(path).unlink(missing_ok=True)
    return None


def _remove_ledger(path: Path) -> None:
    for file in (path, *list_side_files(path)):
        file.unlink(missing_ok=True)


def _do_journals_agree(path: Path, places: Places) -> bool:
    """Return whether this host's journals prove themselves in both places and end alike: the ledger is made of them."""
    secret = places.read_key(key_path(path), check=None)
    if secret is None:
        return False
    journals = places.make_journals(SiteKey(secret, places.tenant))
    ends = []
    for place_name in journals.places:
        try:
            reading = journals.make_own_file(place_name).read(None)
        except (OSError, JournalDamaged, JournalOfOtherKey):
            return False
        ends.append(reading.events[-1].id if reading.events else None)
    return len(set(ends)) == 1


def require_ledger_file(path: Path, tenant: str) -> str:
    """Return the check of a ledger's key. Raises sqlite3.Error for a damaged file, UsageError for another tenant's."""
    with closing(connect(path, readonly=True)) as connection:
        _require_sound(path, connection)
        require_tenant(path, connection, tenant)
        check: str = connection.execute("SELECT key_check FROM meta").fetchone()[0]
    return check


def _require_sound(path: Path, connection: sqlite3.Connection) -> None:
    if (finding := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise sqlite3.DatabaseError(finding)
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise sqlite3.DatabaseError(make_message("database.not_a_ledger"))
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        raise LedgerError("ledger.other_version", path=path, version=version, known=VERSION)


def _provide_key(path: Path, places: Places, *, check: str | None) -> tuple[bytes, list[Path]]:
    """Return the ledger's site key, which is kept in both places, and where wrong ones are kept.

    A new key is made where there never was one.

    Raises LedgerError where it is missing or another one, JournalOfOtherKey where it is not that of the journals: nothing is
    kept of a wrong key.
    """
    secret = places.read_key(key_path(path), check=check)
    if secret is None:
        if check is not None or places.list_files():
            raise LedgerError("ledger.key_missing", place=key_path(path), path=path)
        secret = token_bytes(KEY_BYTES)
    for file in places.list_files():
        JournalFile(file, SiteKey(secret, places.tenant)).require_own_key()
    atomic_files.make_folder(path.parent)
    return secret, places.keep_key(key_path(path), secret)


def _create_ledger(path: Path, site_key: SiteKey, now: float) -> None:
    """Make an empty ledger, atomically."""
    require_local_disk(path)
    for side in list_side_files(path):  # of a lost ledger: SQLite would take them for the new one's
        if side.exists():
            side.rename(atomic_files.free_name(side))
    with (
        atomic_files.create_atomically(path) as draft,
        closing(connect(draft, readonly=False)) as connection,
    ):
        connection.execute("PRAGMA synchronous = OFF")  # the finished draft is flushed as a whole
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("BEGIN")
        create_tables(connection)
        enter_meta(connection, site_key, now)
        connection.execute("COMMIT")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _enter_journals(
    connection: sqlite3.Connection,
    journals: Journals,
    path: Path,
    *,
    now: float,
    may_send: bool,
    may_be_moved: bool,
) -> Repair:
    """Repair the ledger from its journals, and write what they lack."""
    with explain_journals(path):
        connection.execute("BEGIN IMMEDIATE")
        repair = enter_file_journals(connection, journals, now, may_send=may_send)
        connection.execute("UPDATE meta SET opened_by = ?", (read_user_name(),))
        if not may_be_moved:
            _require_not_moved(path, connection)
        connection.execute("COMMIT")
    return repair


def _require_not_moved(path: Path, connection: sqlite3.Connection) -> None:
    """Raise LedgerError where the ledger was loaded into a server: what other hosts sent since is not in this one."""
    row = connection.execute("SELECT args FROM event WHERE op = ?", (MOVED,)).fetchone()
    if row is not None:
        args = json.loads(row[0])
        raise LedgerError("ledger.moved", path=path, server=args["to"], since=shown(stamp(args["at"])))


def explain_write_error(path: Path, error: sqlite3.Error | OSError) -> LedgerError:
    """Return the error for a failed write, with what the file system refused."""
    failure = LedgerError("ledger.not_written", path=path, why=reason_of(error))
    if isinstance(error, sqlite3.Error):
        failure = explain_refusal(path, error, writing=True) or failure
    elif error.errno == errno.ENOSPC or error.filename:
        failure = explain_error("ledger.not_written", path, error)
    failure.__cause__ = error
    return failure


def explain_read_error(path: Path, error: sqlite3.Error) -> LedgerError:
    """Return the error for a failed read: the refusal of the file system, else a damaged ledger with the way to restore it."""
    return explain_refusal(path, error, writing=False) or LedgerError(
        "ledger.not_read", path=path, why=reason_of(error), then=("ledger", "restore", "--help")
    )
