"""Exceptions, grouped by what the caller may do; a row's troubles are values, never exceptions.

EsignImportError        one sentence for the user, and the exit code it leads to
├─ UsageError           2   words or configuration are wrong; nothing was sent
│  └─ ConfigError       2   all faults of the configuration at once
├─ CredentialsMissing   4   lists the places that were looked at
├─ Locked               6   another run holds the ledger
├─ LedgerError          74  ledger, key or disk; how to restore is in the sentence
└─ FileRefused          –   one roster file is refused as a whole; the run goes on without it
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence

from pipeline.words.system import DATABASE, SYSTEM


class EsignImportError(Exception):
    """Base: ``str(error)`` is ready for a person, in the language ``say`` is asked for."""

    exit_code = 1

    def __init__(self, en: str, zh: str | None = None, *, then: Sequence[str] = ()) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh or en
        self.then = tuple(then)  # words of the command to type next, where it is a certain one

    def say(self, language: str) -> str:
        """Return the sentence in ``zh`` or ``en``."""
        return self.zh if language == "zh" else self.en


class UsageError(EsignImportError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class ConfigError(UsageError):
    """The configuration is wrong: every fault found, each with its line."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        self.faults = tuple(faults)  # (en, zh)
        super().__init__("\n".join(en for en, _ in faults), "\n".join(zh for _, zh in faults))


class CredentialsMissing(EsignImportError):
    """No complete pair of SecretId and SecretKey was found."""

    exit_code = 4


class Locked(EsignImportError):
    """Another process holds the run lock."""

    exit_code = 6


class LedgerError(EsignImportError):
    """The ledger, its key or the disk under it cannot be used."""

    exit_code = 74

    @property
    def reason(self) -> str:
        """What the disk or the database said, in English; the whole sentence where it said nothing."""
        return reason_of(self.__cause__)[0] if self.__cause__ is not None else self.en


class FileRefused(Exception):
    """A roster file is refused as a whole: a file code of DESIGN §8 and the words for its sentence."""

    def __init__(self, code: str, detail: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = dict(detail or {})


def reason_of(error: BaseException) -> tuple[str, str]:
    """Return why the system or the database refused, in English and in Chinese, without any path."""
    if isinstance(error, OSError):
        number = error.errno or 0
        kind = type(error).__name__
        unlisted = f"系统错误 {errno.errorcode.get(number, number or kind)}", error.strerror or kind
        zh, en = SYSTEM.get(number, unlisted)
        return en, zh
    words = str(error)
    code = getattr(error, "sqlite_errorname", None) or type(error).__name__
    zh, en = DATABASE.get(words, (f"错误 {code}", words or code))
    return en, zh
