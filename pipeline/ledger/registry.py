"""The registry of ledgers: which ledger a tenant has on this host, and how far it has got.

It lies in the user's state folder, outside every project, so that a second, copied or older ledger of a tenant is
noticed. Two files:

* ``<tenant>.json``: ledger id and path of the ledger that the tenant's last run used, replaced as a whole.
* ``<ledger id>.receipts``: how far that ledger has got, overwritten in place after each commit and before the create that
  the commit allows. A ledger that has got less far has lost commits.

Of a ledger on a server every host also notes how far the ledgers of the other hospitals have got (`TenantRegistry.note`), and
the shared folder of the results holds a second registry for all hosts.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path

from pipeline.domain.server_address import is_address
from pipeline.errors import LedgerError, UsageError, reason_of
from pipeline.ledger.lock import RunLock
from pipeline.ledger.progress import LedgerIdentity, LedgerProgress, identify_ledger
from pipeline.support import atomic_files
from pipeline.support.rights import FILE_MODE, make_private
from pipeline.version import PROGRAM

LOG = logging.getLogger(__name__)
NAME_CHARS = 16  # hexadecimal digits of a tenant's digest in a file name
NUMBER_BYTES = 72  # three decimal numbers, padded: always written at once and in place


# The ways out of a conflict that are others where the ledger is on a server.
_OF_SERVER = {
    "ledger.registered_lost": "ledger.server_registered_lost",
    "ledger.registered_newer": "ledger.server_registered_newer",
}
# These are ended by `ledger recover`.
_RECOVERABLE = frozenset(
    {
        "ledger.registered_former",
        "ledger.registered_newer",
        "ledger.server_registered_lost",
        "ledger.server_registered_newer",
    }
)


@dataclass(frozen=True, slots=True)
class RegisteredLedger:
    """What the registry holds of a tenant: the ledger of its last run."""

    ledger_id: str
    location: str  # the path of the file, or the address of the server
    progress: LedgerProgress  # that was seen of the ledger


def default_folder() -> Path:
    """Return the folder of the registry for the user who runs this process."""
    return user_state_path(PROGRAM, appauthor=False) / "ledgers"


def read_identity(path: Path) -> LedgerIdentity:
    """Return which ledger a file is, opened for reading. Raises sqlite3.Error where it cannot be read."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return identify_ledger(connection)


def read_identity_if_any(path: Path) -> LedgerIdentity | None:
    """Return which ledger a file is; None for a link, and for a file that is no ledger or cannot be read."""
    with suppress(sqlite3.Error, OSError, TypeError):
        return None if path.is_symlink() else read_identity(path)
    return None


def holds_ledger(path: Path, ledger_id: str) -> bool:
    """Return whether a file holds this ledger."""
    identity = read_identity_if_any(path)
    return identity is not None and identity.ledger_id == ledger_id


class TenantRegistry:
    """The registry of one tenant.

    ``strict`` refuses what contradicts it; else the contradiction is a warning. A file that is missing or damaged
    contradicts nothing.
    """

    def __init__(self, folder: Path, tenant: str, *, strict: bool) -> None:
        digest = hashlib.sha256(tenant.encode()).hexdigest()[:NAME_CHARS]
        self.tenant = tenant
        self.strict = strict
        self._folder = folder
        self._base = folder / f"{tenant.partition('/')[0]}-{digest}"  # of the names of the tenant's files
        self._entry_file = folder / f"{self._base.name}.json"

    def for_tenant(self, tenant: str) -> TenantRegistry:
        """Return the registry of another tenant in the same folder."""
        return TenantRegistry(self._folder, tenant, strict=self.strict)

    def make_tenant_lock(self) -> RunLock | None:
        """Return the lock that one process of this host holds for the tenant; None where the registry is not strict."""
        return RunLock(self._base) if self.strict else None

    def read(self) -> RegisteredLedger | None:
        """Return the tenant's registered ledger, or None."""
        try:
            entry = json.loads(self._entry_file.read_text(encoding="utf-8"))
            ledger_id, location = str(entry["ledger"]), str(entry["path"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return RegisteredLedger(ledger_id, location, self.get_progress(ledger_id) or LedgerProgress())

    def get_progress(self, ledger_id: str) -> LedgerProgress | None:
        """Return how far a ledger was seen to have got, or None. Earlier versions counted receipts alone."""
        try:
            receipts, attempts, recoveries, *_ = [
                *map(int, self._receipts_path(ledger_id).read_text("ascii").split()), 0, 0,
            ]  # fmt: skip
        except (OSError, ValueError):
            return None
        return LedgerProgress(recoveries, receipts, attempts)

    def get_conflict(self, ledger: Path | str, identity: LedgerIdentity | None) -> UsageError | None:
        """Return why the ledger of a file or server, or its absence, is not the one to go on with; None where it is.

        A file that was renamed is no conflict.
        """
        registered = self.read()
        if registered is None:
            return None
        path = ledger if isinstance(ledger, Path) else None
        location, key = str(path.resolve() if path else ledger), None
        if identity is None or identity.ledger_id != registered.ledger_id:
            key = _get_other_ledger_key(registered, location, identity)
        elif identity.count_missing_receipts(registered.progress):
            key = "ledger.registered_newer"
        elif registered.location != location:
            key = _get_second_ledger_key(registered, path)
        if key is None:
            return None
        if path is None and key in _OF_SERVER:
            key = _OF_SERVER[key]
        lacks = identity.count_missing_receipts(registered.progress) if identity else 0
        then: tuple[str, ...] = ()
        if key == "ledger.registered_lost":
            then = ("ledger", "rebuild")
        elif key in _RECOVERABLE:
            then = ("ledger", "recover")
        return UsageError(
            key,
            then=then,
            path=ledger,
            registered=registered.location,
            entry=self._entry_file,
            n=lacks,
        )

    def enter(self, location: str, identity: LedgerIdentity, *, reset: bool = False) -> ReceiptCounter:
        """Make a ledger, a resolved path or a server, the tenant's; LedgerError where that cannot be written.

        ``reset`` forgets that the ledger once had got further.
        """
        try:
            if not self._folder.is_absolute():  # a user without a home
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._folder))
            atomic_files.make_folder(self._folder)
            known = self.get_progress(identity.ledger_id)
            progress = identity.progress if known is None or reset else max(identity.progress, known)
            counter = ReceiptCounter(self._receipts_path(identity.ledger_id), progress)
            if self.read() != RegisteredLedger(identity.ledger_id, location, progress):
                entry = {"tenant": self.tenant, "ledger": identity.ledger_id, "path": location}
                with atomic_files.make_draft(self._entry_file) as draft:
                    draft.write_text(json.dumps(entry, ensure_ascii=False), encoding="utf-8")
                    draft.replace(self._entry_file)
        except OSError as error:
            why = reason_of(error)
            raise LedgerError("ledger.registry_failed", folder=self._folder, why=why) from error
        return counter

    def note(self, location: str, ledger_id: str, progress: LedgerProgress) -> None:
        """Note how far the tenant's ledger on a server has got, where another ledger is not registered.

        What was seen before is never lowered. LedgerError where it cannot be written.
        """
        registered = self.read()
        if registered is not None and (registered.ledger_id != ledger_id or registered.progress >= progress):
            return
        self.enter(location, LedgerIdentity(ledger_id, progress)).close()

    def forget(self, tenant: str, path: Path) -> None:
        """Forget that the ledger at ``path``, which passes to this tenant, was ``tenant``'s, where that can be written."""
        self.for_tenant(tenant).remove_entry(read_identity(path).ledger_id)

    def remove_entry(self, ledger_id: str) -> None:
        """Forget which ledger is the tenant's if it is this one, where that can be written."""
        registered = self.read()
        if registered is not None and registered.ledger_id == ledger_id:
            with suppress(OSError):
                self._entry_file.unlink()

    def _receipts_path(self, ledger_id: str) -> Path:
        return self._folder / f"{ledger_id}.receipts"


def _get_other_ledger_key(
    registered: RegisteredLedger, location: str, identity: LedgerIdentity | None
) -> str | None:
    """Return the message where the registered ledger is not there: it is missing, or there is another one."""
    if not registered.progress.receipts:
        return None  # it never held anything
    if identity is not None and identity.accounts_for(registered.ledger_id, registered.progress):
        return None
    if registered.location != location:
        return "ledger.registered_other"
    return "ledger.registered_lost" if identity is None else "ledger.registered_former"


def _get_second_ledger_key(registered: RegisteredLedger, path: Path | None) -> str | None:
    """Return the message where the registered place holds the ledger as well; ``path`` is None for one on a server."""
    if path is None:
        in_file = not is_address(registered.location) and holds_ledger(
            Path(registered.location), registered.ledger_id
        )
        return "load.registered_in_file" if in_file else None
    if is_address(registered.location):
        return "load.registered_on_server"
    return "ledger.registered_copy" if _is_copy(registered, path) else None


def _is_copy(registered: RegisteredLedger, path: Path) -> bool:
    """Return whether the registered path still holds the same ledger as the file at ``path``."""
    other = Path(registered.location)
    try:
        if other.samefile(path) and path.stat().st_nlink == 1:
            return False  # one file, reached by two names of its folder
        return read_identity(other).ledger_id == registered.ledger_id
    except (OSError, ValueError, TypeError):
        return False
    except sqlite3.Error:
        return other.exists()  # what cannot be read may be the ledger


class ReceiptCounter:
    """The file with the progress of one ledger, open for overwriting.

    A counter that cannot be written is removed: an old number would vouch for creates that it never counted.
    """

    def __init__(self, path: Path, progress: LedgerProgress) -> None:
        self.progress = progress
        self._path = path
        flags = os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        self._file: int | None = os.open(path, flags, FILE_MODE)
        make_private(path)
        self._write()
        os.fsync(self._file)

    def advance(self, progress: LedgerProgress) -> None:
        """Count what has been committed."""
        if self._file is None or progress <= self.progress:
            return
        self.progress = progress
        try:
            self._write()
        except OSError:
            LOG.exception("the registry of ledgers could not be written")
            self.close()
            with suppress(OSError):
                self._path.unlink()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self) -> None:
        assert self._file is not None
        recoveries, receipts, attempts = self.progress
        text = f"{receipts} {attempts} {recoveries}".ljust(NUMBER_BYTES - 1) + "\n"
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, text.encode("ascii"))
