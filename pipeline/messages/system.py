"""Why the operating system or the database refuses, in Chinese and English."""

from __future__ import annotations

import errno
from collections.abc import Mapping

# what the operating system says by number, and the database by its words: English on most machines
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
DATABASE: Mapping[str, tuple[str, str]] = {
    "database is locked": ("正被其他程序占用", "another program holds it"),
    "database disk image is malformed": ("已损坏", "it is damaged"),
    "file is not a database": ("不是数据库文件", "it is no database"),
    "disk I/O error": ("磁盘读写出错", "the disk cannot be read or written"),
    "database or disk is full": ("磁盘已满", "the disk is full"),
    "attempt to write a readonly database": ("只读，不能写入", "it is read-only"),
    "this file is not a ledger of esign-import": (
        "不是本程序的台账",
        "this file is not a ledger of esign-import",
    ),
    "unable to open database file": ("文件打不开", "the file cannot be opened"),
}
# what neither table holds, in Chinese: the English words are its own
UNLISTED_SYSTEM = "系统错误 {code}"
UNLISTED_DATABASE = "错误 {code}"

# both tables as phrases: English -> Chinese
REASONS: Mapping[str, str] = {en: zh for zh, en in (*SYSTEM.values(), *DATABASE.values())}
