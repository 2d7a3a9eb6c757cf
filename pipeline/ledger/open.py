"""Opens the ledger of a tenant, or creates one where no earlier ledger can have been lost."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from hmac import compare_digest
from pathlib import Path
from secrets import token_bytes

from pipeline.domain.message import Message
from pipeline.domain.results_format import OUTCOMES
from pipeline.domain.site_key import KEY_BYTES, KEY_FORMAT, SiteKey
from pipeline.errors import LedgerError, UsageError
from pipeline.ledger import disk, schema
from pipeline.ledger.disk import (
    explain_error,
    key_path,
    list_side_files,
    require_local_disk,
    require_not_loaded,
    require_rights,
    restore_side_file_rights,
)
from pipeline.ledger.ownership import Ownership
from pipeline.ledger.progress import identify_ledger
from pipeline.ledger.receipt_sync import receipts_path, require_complete_ledger, synchronize_receipts
from pipeline.ledger.sqlite_ledger import SqliteLedger, SqliteWriter, connect, explain_read_error
from pipeline.ledger.tenant import change_tenant, read_tenant, require_tenant
from pipeline.messages.catalogue import make_message
from pipeline.support import atomic_files
from pipeline.support.rights import FILE_MODE

REBUILD = ("ledger", "rebuild")  # words of the command line


def open_ledger(
    path: Path,
    tenant: str,
    *,
    now: float,
    readonly: bool = False,
    ownership: Ownership | None = None,
) -> tuple[SqliteLedger, SiteKey]:
    """Return the ledger of a tenant and its site key.

    The holder of the run lock opens it for writing: both are created where there is none and a new one is allowed, a
    ledger without person, attempt, seal or decision passes to this tenant, and what an earlier process left without a
    verdict becomes unknown at ``now`` (unix seconds). ``readonly`` makes and changes nothing. ``ownership`` holds what may
    refuse a ledger before anything is written; a reader that gives one is refused where a run would be.

    Raises LedgerError for a ledger or key that is lost, damaged, strange or of another version, or that lacks what its receipts
    hold; UsageError for another tenant's ledger, for a new one that is refused and for one that contradicts the registry.
    """
    _require_sqlite()
    inspected = not readonly or ownership is not None
    ownership = ownership or Ownership()
    try:
        if not path.exists():
            require_not_loaded(path)
            if readonly:
                raise UsageError("never_run", path=path, then=("check",))
            require_no_lost_ledger(path, ownership)
            _create_ledger(path, tenant, now)
        for warning in () if readonly else restore_side_file_rights(path):
            ownership.warnings.print_warning(warning)
        require_rights(path, writing=not readonly)
        site_key = SiteKey(read_key(path), tenant)
        require_own_ledger(path, site_key)
        if inspected:
            _inspect_ledger(path, site_key, ownership)
        writer = None
        if not readonly:
            writer = _open_writer(path, tenant, ownership, now)
    except sqlite3.Error as error:
        raise explain_read_error(path, error) from error
    except OSError as error:
        raise explain_error("ledger.not_opened", path, error) from error
    return SqliteLedger(path, site_key=site_key, writer=writer), site_key


def _create_ledger(path: Path, tenant: str, now: float) -> None:
    """Create the key, then the ledger, each atomically; one that another process has just created is used."""
    require_local_disk(path)
    atomic_files.make_folder(path.parent)
    if not key_path(path).exists():
        with atomic_files.create_atomically(key_path(path)) as draft:
            draft.write_bytes(token_bytes(KEY_BYTES))
    check = SiteKey(read_key(path), tenant).check()
    for side in list_side_files(path):  # of a lost ledger: SQLite would take them for the new one's
        if side.exists():
            side.rename(atomic_files.free_name(side))
    with (
        atomic_files.create_atomically(path) as draft,
        closing(connect(draft, readonly=False)) as connection,
    ):
        connection.execute("PRAGMA synchronous = OFF")  # the finished draft is flushed as a whole
        schema.create_tables(connection)
        meta = {"id": 1, "tenant": tenant, "key_check": check, "key_format": KEY_FORMAT, "created": now}
        schema.insert_row(connection, "meta", meta)


def read_key(path: Path) -> bytes:
    """Return a ledger's site key; LedgerError where it is missing or damaged."""
    file = key_path(path)
    try:
        secret = file.read_bytes()
    except FileNotFoundError:
        raise LedgerError("ledger.key_missing", place=file, path=path, receipts=receipts_path(path)) from None
    if len(secret) != KEY_BYTES:
        raise LedgerError("ledger.key_damaged", place=file, path=path, receipts=receipts_path(path))
    return secret


def require_own_ledger(path: Path, site_key: SiteKey) -> None:
    """Raise for a file that is damaged, no ledger, of another version, another tenant's or another key's.

    Reads only.
    """
    with closing(connect(path, readonly=True)) as connection:
        if (finding := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise explain_read_error(path, sqlite3.DatabaseError(finding))
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if application != schema.APPLICATION_ID:
            raise explain_read_error(path, sqlite3.DatabaseError(make_message("database.not_a_ledger")))
        schema.require_version(connection)
        require_tenant(path, connection, site_key.tenant)
        (check,) = connection.execute("SELECT key_check FROM meta").fetchone()
    if not compare_digest(check, site_key.check()):
        raise LedgerError("ledger.other_key", place=key_path(path))


def _inspect_ledger(path: Path, site_key: SiteKey, ownership: Ownership) -> None:
    """Raise for a ledger that is behind its receipts, the registry or the results of earlier runs. Reads only."""
    with closing(connect(path, readonly=True)) as connection:
        identity, registry = identify_ledger(connection), ownership.registry
        seen = registry.get_progress(identity.ledger_id) if registry else None
        is_behind = seen is None or identity.count_missing_receipts(seen) > 0
        require_complete_ledger(path, connection, may_be_behind=is_behind)
    ownership.inspect(path, identity, SqliteLedger(path, site_key=site_key))


def _open_writer(path: Path, tenant: str, ownership: Ownership, now: float) -> SqliteWriter:
    """Prepare a ledger for writing (file modes, tenant, receipts and attempts) and return what writes it."""
    key_path(path).chmod(FILE_MODE)
    path.chmod(FILE_MODE)
    disk.fill_reserve(path)
    with ExitStack() as opened:
        connection = opened.enter_context(closing(connect(path, readonly=False)))
        is_passed_on = False
        if (former := read_tenant(connection)) != tenant:
            if ownership.registry is not None:
                ownership.registry.forget(former, path)
            is_passed_on = change_tenant(connection, tenant)
        receipts = synchronize_receipts(path, connection, now, anew=is_passed_on)
        counters = ownership.register(str(path.resolve()), identify_ledger(connection))
        ownership.watch_file(path)
        writer = SqliteWriter(path, connection, receipts=receipts, counters=counters, ownership=ownership)
        opened.pop_all()
    return writer


def require_no_lost_ledger(path: Path, ownership: Ownership) -> None:
    """Raise UsageError where a ledger is missing and files show that there was one: a new one would create every seal again."""
    require_not_loaded(path)
    log = path.with_name(f"{path.name}-wal")
    if receipts_path(path).exists():
        trace: str | None = str(receipts_path(path))
    elif log.exists() and log.stat().st_size:
        trace = str(log)
    else:
        trace = ownership.get_trace()
    if trace is not None and not ownership.allows_new:
        then = choose_recovery(path, ownership.get_trace())
        if then == REBUILD:
            raise UsageError("ledger.lost", path=path, found=trace, then=then)
        raise UsageError(
            "ledger.lost_with_receipts", path=path, lost=describe_lost_files(path), found=trace, then=then
        )
    ownership.check_registry(path, None)


def describe_lost_files(path: Path) -> Message:
    """Return which of ledger, key and receipts are gone; the ledger is, and one of the others."""
    has_key, has_receipts = key_path(path).exists(), receipts_path(path).exists()
    if not has_key and not has_receipts:
        return make_message("ledger.gone.all", path=path)
    return make_message("ledger.gone.receipts" if has_key else "ledger.gone.key", path=path)


def choose_recovery(path: Path, trace: str | None) -> tuple[str, ...]:
    """Return the command that brings a lost ledger back: from its receipts, or else from the results of earlier runs.

    ``trace`` is the run.json of such a run.
    """
    if receipts_path(path).exists() and key_path(path).exists():
        return REBUILD
    outcomes = Path(trace).with_name(OUTCOMES) if trace else None
    if outcomes is not None and outcomes.exists():
        return ("adopt", str(outcomes))
    return ("ledger", "restore", "--help")


def _require_sqlite() -> None:
    if sqlite3.sqlite_version_info < schema.OLDEST_SQLITE:
        needed = ".".join(map(str, schema.OLDEST_SQLITE))
        raise LedgerError("ledger.old_sqlite", found=sqlite3.sqlite_version, needed=needed)
