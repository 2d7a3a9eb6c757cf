"""The hold of a ledger: one process at a time writes it; another one is refused with the name of the holder.

It has two forms: `FileHold` here for a ledger in a file, `ServerHold` (pipeline/hosts/hold.py) for one on a server.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from pipeline.clock import pause, shown, stamp
from pipeline.errors import HoldLost, LedgerError, LedgerUnreachable, Locked, LockLost, reason_of
from pipeline.ledger.disk import explain_error, require_local_disk
from pipeline.support import atomic_files
from pipeline.support.rights import FILE_MODE, acting_user

if TYPE_CHECKING:  # a command that only reads takes no lock
    from filelock import FileLock

USER_VARIABLE = "ESIGN_RUN_USER"  # who started this process by the page
LOCK_SECONDS = 0.04  # the lock is tried so long: `is_taken` takes it for a moment
# what holds a ledger for a moment, in place of a run's id: it is waited for
BRIEF_WORK = frozenset({"check", "picture", "purge", "repair", "resolve", "restore", "review"})
WAIT_SECONDS = 30.0  # for the end of brief work
BETWEEN_TRIES = 0.1  # seconds


class Holder(NamedTuple):
    """The process that holds a ledger."""

    run: str  # its id, or what else the process does
    since: str  # ISO 8601
    pid: int
    user: str
    host: str

    @classmethod
    def of_this_process(cls, run: str, now: float) -> Self:
        """Return this process as the holder, from ``now`` (unix seconds) on."""
        return cls(run, stamp(now), os.getpid(), read_user_name(), socket.gethostname())

    def list_details(self) -> dict[str, Any]:
        """Return what the messages show of the holder."""
        return {**self._asdict(), "since": shown(self.since)}

    def explain(self) -> Locked:
        """Return the error for a process that wants the ledger meanwhile."""
        return Locked("ledger.locked", **self.list_details())


class RunLock(AbstractContextManager["RunLock"]):
    """One lock of a ledger in a file: ``<ledger>.lock``; ``<ledger>.holder`` next to it names the holder.

    The kernel releases the lock when the process dies. The lock file is never deleted: two processes could then hold two
    files of one name. The holder file serves the message alone and proves nothing: the one of a killed process is
    overwritten.
    """

    def __init__(self, ledger: Path) -> None:
        self._path = ledger.with_name(f"{ledger.name}.lock")
        self._holder_file = ledger.with_name(f"{ledger.name}.holder")
        self._identity: tuple[int, int] | None = None  # of the lock file when it was taken
        self._lock: FileLock | None = None

    def acquire(self, *, run: str, now: float) -> Self:
        """Take the lock for a run; raises Locked naming the holder, LedgerError where the disk knows no locks."""
        from filelock import Timeout  # noqa: PLC0415

        require_local_disk(self._path)
        lock = self._make_lock()
        self._require_folder()
        try:
            lock.acquire(timeout=LOCK_SECONDS, poll_interval=LOCK_SECONDS / 2)
        except Timeout:
            self._require_lockable()
            raise self._explain_refusal() from None
        except (OSError, NotImplementedError) as error:
            raise explain_error("ledger.lock_failed", self._path, error) from error
        self._lock, self._identity = lock, atomic_files.identify_file(self._path)
        try:
            self._write_holder(Holder.of_this_process(run, now))
        except OSError as error:
            lock.release()
            raise explain_error("ledger.holder_failed", self._holder_file, error) from error
        return self

    def _make_lock(self) -> FileLock:
        from filelock import FileLock  # noqa: PLC0415

        return FileLock(
            self._path,
            mode=FILE_MODE,
            thread_local=False,
            fallback_to_soft=False,
            preserve_lock_file=True,
        )

    def _require_folder(self) -> None:
        """Make the folder of the ledger. Raises LedgerError where it cannot be made."""
        file = next((path for path in self._path.parents if path.is_file()), None)
        if file is not None:
            raise LedgerError("ledger.folder_is_file", path=file)
        try:
            atomic_files.make_folder(self._path.parent)
        except OSError as error:
            raise self._explain_unmade(error) from error

    def _require_lockable(self) -> None:
        """Raise LedgerError where the lock file cannot be made: the lock library takes that for a lock that is held."""
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, FILE_MODE))
        except OSError as error:
            raise self._explain_unmade(error) from error

    def _explain_unmade(self, error: OSError) -> LedgerError:
        """Return the error for a ledger's files, or their folder, that cannot be made."""
        if LedgerUnreachable.fits(error):
            return explain_error("ledger.lock_failed", self._path, error)
        return LedgerError("ledger.lock_not_made", folder=self._path.parent, why=reason_of(error))

    def is_intact(self) -> bool:
        """Return whether the lock file is still the one that was taken: a deleted one locks nothing."""
        return self._identity is not None and atomic_files.identify_file(self._path) == self._identity

    def explain_loss(self) -> LockLost:
        """Return the error for a lock file that is no longer the one that was taken."""
        return LockLost("ledger.lock_lost", path=self._path)

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._lock is not None and self._lock.is_locked:
            with suppress(OSError):
                self._holder_file.unlink()
            self._lock.release()

    def __exit__(self, *_: object) -> None:
        self.release()

    def is_taken(self) -> bool:
        """Return whether a process holds the lock; a free lock is taken for a moment."""
        from filelock import Timeout  # noqa: PLC0415

        try:
            with self._make_lock().acquire(blocking=False):
                return False
        except Timeout:
            return True
        except (OSError, NotImplementedError):  # no lock can be held here; `acquire` names the reason
            return False

    def get_holder(self) -> Holder | None:
        """Return the process that holds the lock; None where it is free, or its holder file cannot be read."""
        return self._read_holder() if self.is_taken() else None

    def _write_holder(self, holder: Holder) -> None:
        with atomic_files.make_draft(self._holder_file) as draft:
            draft.write_text(json.dumps(holder._asdict()), encoding="utf-8")
            draft.replace(self._holder_file)

    def _read_holder(self) -> Holder | None:
        try:
            holder = json.loads(self._holder_file.read_text(encoding="utf-8"))
            run, since, pid, user, host = (holder[name] for name in Holder._fields)
            return Holder(str(run), str(since), int(pid), str(user), str(host))
        except (OSError, ValueError, KeyError, TypeError):
            return None  # the holder has not written its file yet

    def _explain_refusal(self) -> Locked:
        holder = self._read_holder()
        return holder.explain() if holder else Locked("ledger.locked_by_somebody", path=self._path)


class Hold:
    """The hold of a ledger by locks, of which the last one is taken last and given back first."""

    def __init__(self, *locks: RunLock) -> None:
        self._locks = locks
        self.may_send = False  # it was taken for a run

    def acquire(self, *, run: str, now: float) -> Self:
        """Take the hold for a run, or for one of `BRIEF_WORK`, of which the end is waited for.

        A holder that has not written its name yet is waited for as well. Raises Locked naming the holder, LedgerError where
        disk or server cannot be used.
        """
        for _ in range(round(WAIT_SECONDS / BETWEEN_TRIES)):
            try:
                return self._acquire(run, now)
            except Locked:
                holder = self.get_holder()
                if holder is not None and holder.run not in BRIEF_WORK:
                    raise
            pause(BETWEEN_TRIES)
        return self._acquire(run, now)

    def _acquire(self, run: str, now: float) -> Self:
        with ExitStack() as taken:
            for lock in self._locks:
                lock.acquire(run=run, now=now)
                taken.callback(lock.release)
            taken.pop_all()
        self.may_send = run not in BRIEF_WORK
        return self

    def release(self) -> None:
        """Give the locks back."""
        for lock in reversed(self._locks):
            lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def is_intact(self) -> bool:
        """Return whether no other process can have taken one of the locks."""
        return all(lock.is_intact() for lock in self._locks)

    def explain_loss(self) -> HoldLost:
        """Return the error for a hold that is no longer intact."""
        lost = next((lock for lock in self._locks if not lock.is_intact()), self._locks[-1])
        return lost.explain_loss()

    def require(self) -> None:
        """Raise HoldLost once another process may have the hold."""
        if not self.is_intact():
            raise self.explain_loss()

    def is_taken(self) -> bool:
        """Return whether a process has the hold."""
        return any(lock.is_taken() for lock in self._locks)

    def get_holder(self) -> Holder | None:
        """Return the process that has the hold; None where it is free, or the process is not known."""
        return next(filter(None, (lock.get_holder() for lock in self._locks)), None)


class FileHold(Hold):
    """The hold of a ledger in a file, so that neither another user nor a copied folder writes meanwhile.

    One lock lies next to the ledger, the other in the state folder of the user, where the journals of all copies lie.
    """

    def __init__(self, ledger: Path, lock_base: Path) -> None:
        super().__init__(RunLock(ledger), RunLock(lock_base))


def read_user_name() -> str:
    """Return the user of this process, in a run of the page the one who started it; never a blank text.

    In a container without names it is the user number.
    """
    if user := os.environ.get(USER_VARIABLE, "").strip():
        return user
    with suppress(OSError, KeyError, ImportError):  # no such user; no user database on Windows
        if user := getpass.getuser().strip():
            return user
    return acting_user()
