"""Why the operating system or the database refuses, in Chinese and English."""

from __future__ import annotations

import errno
from collections.abc import Mapping

# by the operating system's error number
SYSTEM: Mapping[int, tuple[str, str]] = {
    errno.ENOENT: ("找不到文件或文件夹", "there is no such file or folder"),
    errno.EACCES: ("没有权限", "permission denied"),
    errno.EPERM: ("没有权限", "not permitted"),
    errno.EEXIST: ("已经存在", "it exists already"),
    errno.ENOTDIR: ("路径中有一段不是文件夹", "a part of the path is no folder"),
    errno.EISDIR: ("它是文件夹", "it is a folder"),
    errno.ENOTEMPTY: ("文件夹不是空的", "the folder is not empty"),
    errno.ENOSPC: ("磁盘已满", "the disk is full"),
    errno.EDQUOT: ("磁盘配额已用完", "the disk quota is used up"),
    errno.EFBIG: ("文件过大", "the file is too large"),
    errno.EROFS: ("磁盘是只读的", "the disk is read-only"),
    errno.EIO: ("磁盘读写出错", "the disk cannot be read or written"),
    errno.EBUSY: ("正被占用", "it is in use"),
    errno.ETXTBSY: ("正被占用", "it is in use"),
    errno.EAGAIN: ("系统资源暂时不足", "the system is short of resources"),
    errno.EMFILE: ("打开的文件过多", "too many open files"),
    errno.ENFILE: ("打开的文件过多", "too many open files"),
    errno.ENAMETOOLONG: ("路径过长", "the path is too long"),
    errno.ELOOP: ("链接循环", "the links go round in a circle"),
    errno.ENOMEM: ("内存不足", "no memory is left"),
    errno.ESTALE: ("网络文件夹已断开", "the network folder is gone"),
    errno.EINVAL: ("名称或值不被接受", "the name or value is not accepted"),
    errno.EPIPE: ("读取方已关闭", "the reader has gone"),
    errno.ENOLCK: ("此磁盘不支持文件锁", "no locks on this disk"),
    errno.ENOTSUP: ("此磁盘不支持", "not supported on this disk"),
    errno.ENODEV: ("设备不存在", "the device is gone"),
    errno.ENXIO: ("设备不存在", "the device is gone"),
    errno.EADDRINUSE: ("地址已被占用", "the address is in use"),
    errno.ECONNREFUSED: ("连接被拒绝", "the connection was refused"),
    errno.ECONNRESET: ("连接被中断", "the connection was cut"),
    errno.ETIMEDOUT: ("等待超时", "it took too long"),
    errno.ENETUNREACH: ("网络不通", "the network cannot be reached"),
    errno.EHOSTUNREACH: ("主机不可达", "the host cannot be reached"),
}
# what is said of a file or folder of ours that cannot be used
WORDS: Mapping[str, tuple[str, str]] = {
    "disk.rights": (
        "用户 {user} 对 {path} 没有所需的权限（它属于 {owner}）。请给该用户权限（如 chown 或 chmod）后再运行。",
        "User {user} lacks the rights to {path}, which belongs to {owner}. Give that user the rights (chown or chmod), then run again.",
    ),
    "disk.read_only": (
        "{path} 所在的磁盘是只读的，用户 {user} 不能写入。请重新挂载为可写，或把文件夹改到别的磁盘。",
        "The disk of {path} is read-only, and user {user} cannot write there. Mount it for writing, or choose a folder on another disk.",
    ),
    "disk.full": (
        "{path} 所在的磁盘已满（或用户 {user} 的配额已用完）。请腾出空间后再运行。",
        "The disk of {path} is full, or the quota of user {user} is used up. Make room there, then run again.",
    ),
    "disk.stdout": (
        "标准输出写不进去（{why}）；结果文件和台账已经写好。",
        "stdout cannot be written ({why}); the files of the results and the ledger are written.",
    ),
    "disk.other": (
        "无法读写 {path}（{why}，用户 {user}）。请信息科检查磁盘。",
        "{path} cannot be read or written ({why}, user {user}). Ask IT to look at the disk.",
    ),
}
# by SQLite's error name, or the beginning of it
DATABASE: Mapping[str, tuple[str, str]] = {
    "SQLITE_BUSY": ("正被其他程序占用", "another program is using it"),
    "SQLITE_LOCKED": ("正被其他程序占用", "another program is using it"),
    "SQLITE_CORRUPT": ("已损坏", "it is damaged"),
    "SQLITE_NOTADB": ("不是数据库文件", "it is not a database"),
    "SQLITE_IOERR": ("磁盘读写出错", "the disk cannot be read or written"),
    "SQLITE_FULL": ("磁盘已满", "the disk is full"),
    "SQLITE_READONLY": ("只读，不能写入", "it is read-only"),
    "SQLITE_CANTOPEN": ("文件打不开", "the file cannot be opened"),
}
# both tables as texts (`pipeline.messages.texts`), and what neither holds
SYSTEM_TEXTS: Mapping[str, tuple[str, str]] = {
    **{f"system.{errno.errorcode[number]}": words for number, words in SYSTEM.items()},
    **{f"database.{name}": words for name, words in DATABASE.items()},
    "database.not_a_ledger": ("不是本程序的台账", "this file is not a ledger of esign-import"),
    "system.unlisted": ("系统错误 {code}", "{words} ({code})"),
    "database.unlisted": ("数据库错误 {code}", "{words} ({code})"),
}
