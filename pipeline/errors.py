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


# what the operating system says by number, and the database by its words: English on most machines
_SYSTEM: Mapping[int, tuple[str, str]] = {
    errno.ENOENT: ("there is no such file or folder", "找不到文件或文件夹"),
    errno.EACCES: ("permission denied", "没有权限"),
    errno.EPERM: ("not permitted", "没有权限"),
    errno.EEXIST: ("it exists already", "已经存在"),
    errno.ENOTDIR: ("a part of the path is no folder", "路径中有一段不是文件夹"),
    errno.EISDIR: ("it is a folder", "它是文件夹"),
    errno.ENOTEMPTY: ("the folder is not empty", "文件夹不是空的"),
    errno.ENOSPC: ("the disk is full", "磁盘已满"),
    errno.EDQUOT: ("the disk quota is used up", "磁盘配额已用完"),
    errno.EFBIG: ("the file is too large", "文件过大"),
    errno.EROFS: ("the disk is read-only", "磁盘是只读的"),
    errno.EIO: ("the disk cannot be read or written", "磁盘读写出错"),
    errno.EBUSY: ("it is in use", "正被占用"),
    errno.ETXTBSY: ("it is in use", "正被占用"),
    errno.EMFILE: ("too many open files", "打开的文件过多"),
    errno.ENFILE: ("too many open files", "打开的文件过多"),
    errno.ENAMETOOLONG: ("the path is too long", "路径过长"),
    errno.ELOOP: ("the links go round in a circle", "链接循环"),
    errno.ENOMEM: ("no memory is left", "内存不足"),
    errno.ESTALE: ("the network folder is gone", "网络文件夹已断开"),
    errno.EINVAL: ("the name or value is not accepted", "名称或值不被接受"),
    errno.EPIPE: ("the reader has gone", "读取方已关闭"),
    errno.ENOLCK: ("no locks on this disk", "此磁盘不支持文件锁"),
    errno.ENOTSUP: ("not supported on this disk", "此磁盘不支持"),
    errno.ENODEV: ("the device is gone", "设备不存在"),
    errno.ENXIO: ("the device is gone", "设备不存在"),
    errno.EADDRINUSE: ("the address is in use", "地址已被占用"),
    errno.ECONNREFUSED: ("the connection was refused", "连接被拒绝"),
    errno.ECONNRESET: ("the connection was cut", "连接被中断"),
    errno.ETIMEDOUT: ("it took too long", "等待超时"),
    errno.ENETUNREACH: ("the network cannot be reached", "网络不通"),
    errno.EHOSTUNREACH: ("the host cannot be reached", "主机不可达"),
}
_DATABASE: Mapping[str, tuple[str, str]] = {
    "database is locked": ("another program holds it", "正被其他程序占用"),
    "database disk image is malformed": ("it is damaged", "已损坏"),
    "this file is not a ledger of esign-import": (
        "this file is not a ledger of esign-import",
        "这不是本程序的台账文件",
    ),
    "file is not a database": ("it is no database", "不是数据库文件"),
    "disk I/O error": ("the disk cannot be read or written", "磁盘读写出错"),
    "database or disk is full": ("the disk is full", "磁盘已满"),
    "attempt to write a readonly database": ("it is read-only", "只读，不能写入"),
    "unable to open database file": ("the file cannot be opened", "文件打不开"),
}


# both tables as phrases: English -> Chinese
REASONS: Mapping[str, str] = dict((*_SYSTEM.values(), *_DATABASE.values()))


def reason_of(error: BaseException) -> tuple[str, str]:
    """Return why the system or the database refused, in English and in Chinese, without any path."""
    if isinstance(error, OSError):
        number = error.errno or 0
        en = error.strerror or type(error).__name__
        return _SYSTEM.get(
            number, (en, f"系统错误 {errno.errorcode.get(number, number or type(error).__name__)}")
        )
    words = str(error)
    code = getattr(error, "sqlite_errorname", None) or type(error).__name__
    return _DATABASE.get(words, (words or code, f"错误 {code}"))
