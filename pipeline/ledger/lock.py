"""The run lock: one process at a time writes a ledger; another one is refused with the name of the holder.

The kernel releases the lock when the process dies. The lock file is never deleted: two processes could then hold two
files of one name.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pipeline.clock import pause, shown, stamp
from pipeline.errors import LedgerError, LedgerUnreachable, Locked, reason_of
from pipeline.ledger.disk import explain_error, require_local_disk
from pipeline.support import atomic_files
from pipeline.support.rights import FILE_MODE

if TYPE_CHECKING:  # a command that only reads takes no lock
    from filelock import FileLock

HOLDER_FIELDS = ("host", "pid", "user", "run", "since")
HOLDER_READS = 5  # of the holder's file, which is written just after the lock is taken
BETWEEN = 0.02  # seconds between two looks at the file or at the lock
LOCK_SECONDS = 2 * BETWEEN  # the lock is tried so long: `is_locked` takes it for a moment


class RunLock(AbstractContextManager["RunLock"]):
    """``<ledger>.lock``, taken without waiting; ``<ledger>.holder`` next to it names the holder.

    The holder file serves the message alone and proves nothing: the one of a killed process is overwritten.
    """

    def __init__(self, ledger: Path) -> None:
        self.path = ledger.with_name(f"{ledger.name}.lock")
        self._identity: tuple[int, int] | None = None  # of the lock file when it was taken
        self._holder = ledger.with_name(f"{ledger.name}.holder")
        self._lock = _make_lock(self.path)

    def acquire(self, *, run: str, now: float) -> Self:
        """Take the lock for a run; raises Locked naming the holder, LedgerError where the disk knows no locks."""
        from filelock import Timeout  # noqa: PLC0415

        require_local_disk(self.path)
        try:
            atomic_files.make_folder(self.path.parent)
            self._lock.acquire(timeout=LOCK_SECONDS, poll_interval=BETWEEN)
        except Timeout:
            self._require_lockable()
            raise self._explain_holder() from None
        except (OSError, NotImplementedError) as error:
            raise explain_error("ledger.lock_failed", self.path, error) from error
        self._identity = atomic_files.identify_file(self.path)
        holder = (socket.gethostname(), os.getpid(), read_user_name(), run, stamp(now))
        self._write_holder(dict(zip(HOLDER_FIELDS, holder, strict=True)))
        return self

    def _require_lockable(self) -> None:
        """Raise LedgerError where the lock file cannot be made: the lock library takes that for a lock that is held."""
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, FILE_MODE))
        except OSError as error:
            if LedgerUnreachable.fits(error):
                raise explain_error("ledger.lock_failed", self.path, error) from error
            raise LedgerError(
                "ledger.lock_not_made",
                folder=self.path.parent,
                why=reason_of(error),
                then=("config", "validate"),
            ) from error

    def is_intact(self) -> bool:
        """Return whether the lock file is still the one that was taken: a deleted one locks nothing."""
        return self._identity is not None and atomic_files.identify_file(self.path) == self._identity

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._lock.is_locked:
            with suppress(OSError):
                self._holder.unlink()
            self._lock.release()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _write_holder(self, holder: dict[str, str | int]) -> None:
        try:
            with atomic_files.make_draft(self._holder) as draft:
                draft.write_text(json.dumps(holder), encoding="utf-8")
                draft.replace(self._holder)
        except OSError as error:
            self._lock.release()
            raise explain_error("ledger.holder_failed", self._holder, error) from error

    def _explain_holder(self) -> Locked:
        for look in range(HOLDER_READS):
            pause(BETWEEN if look else 0)
            try:
                holder = json.loads(self._holder.read_text(encoding="utf-8"))
                host, pid, name, run, since = (holder[field] for field in HOLDER_FIELDS)
                break
            except (OSError, ValueError, KeyError, TypeError):
                continue  # the holder has not written its file yet
        else:
            return Locked("ledger.locked_by_somebody", path=self.path)
        since = shown(str(since))
        return Locked("ledger.locked", run=run, since=since, pid=pid, name=name, host=host)


def _make_lock(path: Path) -> FileLock:
    from filelock import FileLock  # noqa: PLC0415

    return FileLock(
        path,
        mode=FILE_MODE,
        thread_local=False,
        fallback_to_soft=False,
        preserve_lock_file=True,
    )


def is_locked(ledger: Path) -> bool:
    """Return whether a process holds a ledger's run lock; a free lock is taken for a moment."""
    from filelock import Timeout  # noqa: PLC0415

    try:
        with _make_lock(ledger.with_name(f"{ledger.name}.lock")).acquire(blocking=False):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return False


def read_user_name() -> str:
    """Return the user of this process; in a container without names, the user number."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid()) if hasattr(os, "getuid") else "?"
