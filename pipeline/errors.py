"""Exceptions, grouped by what the caller may do; a row's troubles are values, never exceptions.

EsignImportError        one sentence for the user, and the exit code it leads to
├─ UsageError           2   words or configuration are wrong; nothing was sent
│  └─ ConfigError       2   all faults of the configuration at once
├─ CredentialsMissing   4   lists the places that were looked at
├─ Locked               6   another run holds the ledger
├─ NotReadNow           5   a file cannot be read now because of the machine, not of the file (74: the disk)
├─ LedgerError          74  ledger, key or disk; how to restore is in the sentence
│  ├─ HoldLost       6    another process has taken over the ledger on the server
│  │  └─ LockLost     6    the lock file was deleted or replaced: another process may have taken over the ledger
│  └─ LedgerUnreachable 74  rights, space or a read-only disk: which file, for which user, and the cure
├─ DiskTrouble          74  a file or folder that cannot be written: which one, for which user, and the cure
├─ HookFailed           –   a step before or after a run met a bug; the run goes on
├─ FileRefused          –   one roster file is refused as a whole; the run goes on without it
└─ NotCopied            –   a roster gets no marked copy
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from traceback import extract_tb
from typing import Any, Self, TypeVar

from pipeline.domain.message import Message
from pipeline.domain.roster import Problem
from pipeline.messages.areas import is_known
from pipeline.messages.catalogue import join_messages, make_message, render
from pipeline.messages.problems import build_problem
from pipeline.support.progress_file import record_progress
from pipeline.support.rights import acting_user, describe_lacking_mode, is_there, owner_of
from pipeline.support.terminal_text import quote

LOG = logging.getLogger(__name__)
T = TypeVar("T")


class EsignImportError(Exception):
    """Base: a sentence of the catalogue, by its key, and what fills its blanks; ``str(error)`` is the English one."""

    exit_code = 1
    then: tuple[str, ...] = ()  # words of the command that helps, where there is one
    ids: tuple[
        str, ...
    ] = ()  # in its sentence; they are of no person and shown in full, unlike other numbers

    def __init__(self, key: str, /, *, then: Sequence[str] = (), **detail: object) -> None:
        super().__init__(key)
        self.key = key
        self.detail: Mapping[str, object] = detail  # what speaks both languages is said in the one asked for
        if then:
            self.then = tuple(then)

    def render(self, language: str) -> str:
        """Return the sentence in ``zh`` or ``en``."""
        return render(self.key, language, **self.detail)

    def as_message(self) -> Message:
        """Return the sentence as a message, which may stand in another one."""
        return make_message(self.key, **self.detail)

    def __str__(self) -> str:
        return self.render("en")


class UsageError(EsignImportError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class ConfigError(UsageError):
    """The configuration is wrong: every fault found, each with its line."""

    then = ("doctor", "--offline")

    def __init__(self, faults: Sequence[Message]) -> None:
        self.faults = tuple(faults)
        super().__init__("config.faults", faults=join_messages(self.faults, "\n"))


class CredentialsMissing(EsignImportError):
    """No complete pair of SecretId and SecretKey was found."""

    exit_code = 4
    then = ("doctor",)


class Locked(EsignImportError):
    """Another process holds the run lock."""

    exit_code = 6
    then = ("status",)


class NotReadNow(EsignImportError):
    """A file could not be read for a reason of the machine: nothing is wrong with the file, another run may read it.

    Not an OSError: what handles a file that cannot be read for good must not take it for one.
    """

    exit_code = 5

    def __init__(self, error: OSError) -> None:
        reason, of_disk = reason_of(error), error.errno == errno.EIO
        user = acting_user() if error.errno in _OF_RIGHTS else ""
        why = make_message("not_read.rights", why=reason, user=user) if user else reason
        super().__init__("not_read_now", why=why)
        # the words of IMAGE_NOT_READ
        self.words = {"why": reason, "disk": "yes" if of_disk else "", "user": user}
        if of_disk:
            self.exit_code = 74


class LedgerError(EsignImportError):
    """The ledger, its key or the disk under it cannot be used."""

    exit_code = 74
    then: tuple[str, ...] = ("doctor", "--offline")

    @property
    def reason(self) -> str:
        """What the disk or the database said, in English and with its file; the whole sentence where it said nothing."""
        if self.__cause__ is None:
            return self.as_message()
        reason, path = reason_of(self.__cause__), self.detail.get("path", "")
        return make_message("stop.file", file=path, why=reason) if path else reason


class HoldLost(LedgerError):
    """Another process has taken over the ledger on the server: this one may write no more."""

    exit_code = 6
    then = ("status",)


class LockLost(HoldLost):
    """The lock file of this run is gone: another process may hold the ledger, or have held it."""


class LedgerUnreachable(LedgerError):
    """A file of the ledger that the file system refuses: the ledger is not damaged, and nothing has to be restored."""

    @classmethod
    def of(cls, error: OSError, *, key: str | None = None) -> Self:
        """Return the error for what the system refused; ``key`` names another sentence than its usual one."""
        cure, detail = _cure(error)
        return cls(key or cure, **detail)

    @staticmethod
    def fits(error: OSError) -> bool:
        """Return whether an error is about rights or disk space."""
        return error.errno in _CURES


class DiskTrouble(EsignImportError):
    """A file or folder of ours that cannot be read or written: which one, for which user, and the cure."""

    exit_code = 74

    @classmethod
    def of(cls, error: OSError) -> Self:
        """Return the error for what the system refused."""
        key, detail = _cure(error)
        return cls(key, **detail)


class NotCopied(Exception):
    """A roster gets no marked copy, or is not corrected: why, as a message."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class FormatsLost(Exception):
    """openpyxl would lose something of a workbook: its marked copy is made anew."""


class RosterChanged(Exception):
    """A roster is no longer as it was read when its correction began."""


class FileRefused(Exception):
    """A roster file is refused as a whole: a file code of the catalogue and the words for its sentence."""

    def __init__(self, code: str, detail: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = dict(detail or {})


_OF_RIGHTS = frozenset({errno.EACCES, errno.EPERM})
_OF_FOLDERS = _OF_RIGHTS | {errno.EROFS}
_CURES: Mapping[int, str] = {
    errno.EACCES: "disk.rights",
    errno.EPERM: "disk.rights",
    errno.EROFS: "disk.read_only",
    errno.ENOSPC: "disk.full",
    errno.EDQUOT: "disk.full",
}
_OF_THE_MACHINE = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.ENOTCONN,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
_HELD_ON_WINDOWS = frozenset(
    {5, 32, 33}
)  # access denied, also to a file that another program holds; in use; locked
_LOST_ON_WINDOWS = frozenset({3, 206})  # no such path, name too long
_LONGEST_ON_WINDOWS = 259  # characters of a path, unless long paths are switched on
_OF_WINDOWS = frozenset({32, 33, 53, 59, 64, 67, 121})  # the file is in use, the share is gone


def require_granted(error: OSError) -> None:
    """Raise NotReadNow also for a file that this user may not read: it may be sound."""
    require_lasting(error)
    if error.errno in _OF_RIGHTS:
        raise NotReadNow(error) from error


def _cure(error: OSError) -> tuple[str, dict[str, Any]]:
    """Return the sentence that names the cure of a system error, and what fills its blanks."""
    path = Path(os.fsdecode(error.filename or "."))
    with suppress(OSError):  # the current folder was deleted
        path = path.absolute()
    if error.errno in _OF_FOLDERS and not is_there(
        path
    ):  # the folder in which nothing can be made is at fault
        path = next(filter(is_there, path.parents), path)
    if error.errno == errno.EISDIR:
        return "disk.is_folder", {"path": path, "folder": path.parent}
    key = _get_cure_on_windows(error, path) or _CURES.get(error.errno or 0, "disk.other")
    detail = {"path": path, "user": acting_user(), "owner": owner_of(path), "why": reason_of(error)}
    if key == "disk.rights" and (lacking := describe_lacking_mode(path)) is not None:
        mode, cure = lacking
        return "disk.mode", {**detail, "mode": mode, "command": f"chmod {cure} {quote(str(path))}"}
    return key, detail


def _get_cure_on_windows(error: OSError, path: Path) -> str | None:
    number = getattr(error, "winerror", None)
    if number in _HELD_ON_WINDOWS and path.is_file():
        return "disk.in_use"
    # a draft and the files of a folder have longer names than the path that is shown
    if number in _LOST_ON_WINDOWS and len(str(path)) > _LONGEST_ON_WINDOWS - 40:
        return "disk.long_path"
    return None


def require_lasting(error: OSError) -> None:
    """Raise NotReadNow for an error that comes from the machine's state and not from the file."""
    if error.errno in _OF_THE_MACHINE or getattr(error, "winerror", None) in _OF_WINDOWS:
        raise NotReadNow(error) from error


def reason_of(error: BaseException) -> Message:
    """Return why the operating system or the database refused, without any path."""
    if error.args and isinstance(error.args[0], Message):
        return error.args[0]
    kind = type(error).__name__
    if isinstance(error, OSError):
        number = error.errno or 0
        code = errno.errorcode.get(number, str(number or kind))
        if is_known(f"system.{code}"):
            return make_message(f"system.{code}")
        return make_message("system.unlisted", code=code, words=error.strerror or kind)
    code = getattr(error, "sqlite_errorname", None) or kind
    key = "database." + "_".join(code.split("_")[:2])
    if is_known(key):
        return make_message(key)
    return make_message("database.unlisted", code=code, words=str(error) or code)


def isolate_row_failure(
    work: Callable[[], T], instead: Callable[[Problem], T], *, stage: str, row_id: str | None = None
) -> T:
    """Return the result of ``work`` on one row; if it breaks, the result of ``instead`` with the row's problem.

    The type of the exception is logged, and the run goes on. Errors of disk, memory, ledger or configuration concern
    the whole run and are raised.
    """
    record_progress()
    try:
        return work()
    except (EsignImportError, OSError, MemoryError):
        raise
    except Exception as error:
        kind = type(error).__name__
        LOG.exception("a row could not be handled", extra={"stage": stage, "row_id": row_id, "kind": kind})
        return instead(build_problem("ROW_NOT_PROCESSED", kind=kind))


class PreparationFailed(EsignImportError):
    """The command that prepares the rosters has failed; another run may prepare them."""

    exit_code = 5


class HookFailed(EsignImportError):
    """A hook of a run raised an error that is no message; its ``__cause__`` is that error."""

    def __init__(self, hook: str, cause: Exception) -> None:
        frame = extract_tb(cause.__traceback__)[-1]
        line = f"{Path(frame.filename).name}:{frame.lineno}"
        super().__init__("hooks.failed", hook=hook, kind=type(cause).__name__, line=line)
        self.__cause__ = cause
