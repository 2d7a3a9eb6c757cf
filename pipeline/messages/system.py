"""Why the operating system or the database refuses, notices of a run, and the marks between other texts."""

from __future__ import annotations

import errno
from collections.abc import Mapping

# by the operating system's error number
SYSTEM: Mapping[int, tuple[str, str]] = {
    errno.ENOENT: ("找不到文件或文件夹", "no such file or folder"),
    errno.EACCES: ("没有权限", "permission denied"),
    errno.EPERM: ("没有权限", "not permitted"),
    errno.EEXIST: ("已经存在", "it already exists"),
    errno.ENOTDIR: ("路径中有一段不是文件夹", "part of the path is not a folder"),
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
    errno.ELOOP: ("链接循环", "circular links"),
    errno.ENOMEM: ("内存不足", "out of memory"),
    errno.ESTALE: ("网络文件夹已断开", "the network folder is disconnected"),
    errno.EINVAL: ("名称或值不被接受", "the name or value is not accepted"),
    errno.EPIPE: ("读取方已关闭", "the reader has closed"),
    errno.ENOLCK: ("此磁盘不支持文件锁", "this disk does not support file locks"),
    errno.ENOTSUP: ("此磁盘不支持", "not supported on this disk"),
    errno.ENODEV: ("设备不存在", "the device is missing"),
    errno.ENXIO: ("设备不存在", "the device is missing"),
    errno.EADDRINUSE: ("地址已被占用", "the address is in use"),
    errno.ECONNREFUSED: ("连接被拒绝", "the connection was refused"),
    errno.ECONNRESET: ("连接被中断", "the connection was interrupted"),
    errno.ETIMEDOUT: ("等待超时", "timed out"),
    errno.ENETUNREACH: ("网络不通", "the network is unreachable"),
    errno.EHOSTUNREACH: ("主机不可达", "the host is unreachable"),
}
# what is said of a file or folder of ours that cannot be used
DISK_TEXTS: Mapping[str, tuple[str, str]] = {
    "disk.rights": (
        "用户 {user} 对 {path} 没有所需的权限（它属于 {owner}）。请给该用户权限（如 chown 或 chmod）后再运行。",
        "User {user} has no permission for {path}, which belongs to {owner}. Give that user permission (chown or chmod), then run again.",
    ),
    "disk.read_only": (
        "{path} 所在的磁盘是只读的，用户 {user} 不能写入。请重新挂载为可写，或把文件夹改到别的磁盘。",
        "The disk of {path} is read-only, so user {user} cannot write there. Mount it read-write, or use a folder on another disk.",
    ),
    "disk.full": (
        "{path} 所在的磁盘已满（或用户 {user} 的配额已用完）。请腾出空间后再运行。",
        "The disk of {path} is full, or the quota of user {user} is used up. Free space, then run again.",
    ),
    "disk.stdout": (
        "标准输出写不进去（{why}）；结果文件和台账已经写好。",
        "Standard output cannot be written ({why}); results and ledger were written.",
    ),
    "disk.other": (
        "无法读写 {path}（{why}，用户 {user}）。请信息科检查磁盘。",
        "{path} cannot be read or written ({why}, user {user}). IT: check the disk.",
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
# what does not stop a run but has to be corrected; `pipeline.messages.results` holds them too
NOTICE_TEXTS: Mapping[str, tuple[str, str]] = {
    "notice.CLOCK_WRONG": (
        "本机时钟比腾讯的时间{direction} {minutes} 分钟；本次已按腾讯的时间签名。请信息科打开本机的自动对时（NTP）。",
        "This machine's clock is {minutes} min {direction} compared with the service; this run used the service's time. IT: turn on automatic time synchronisation (NTP)."),
    "notice.slow": ("慢", "slow"),
    "notice.fast": ("快", "fast"),
    "notice.FILE_EXPOSED": (
        "{files} 的权限允许本机的其他用户读取，里面有密钥或密码。请信息科改为只有运行本程序的用户可读（chmod 600）。",
        "Other users of this machine can read {files}, which contains keys or passwords. IT: let only the user who runs this program read it (chmod 600)."),
    "notice.ROSTER_OPEN": (
        "{files} 正在 Excel 或 WPS 里打开（旁边有 {lock}）：还没有保存的修改没有读到。请保存并关闭后再运行；没有人打开它，就删除 {lock}。",
        "{files} is open in Excel or WPS ({lock} exists next to it), so unsaved changes were not read. Save and close it, then run again; if it is not open anywhere, delete {lock}."),
    "notice.IMAGE_HARD_LINK": (
        "{n} 张用到的印章图片是硬链接（如 {file}）：同一个文件在别处还有名字，在那里改动，这里也会变。请核对它是不是医生本人的图片，并换成单独的副本。",
        "Seal pictures in use that are hard links: {n} (such as {file}). The same file has another name elsewhere, and a change there changes it here. Check that it is the doctor's own picture and replace it with a separate copy."),
    "notice.SERVICE_DEPRECATED": (
        "腾讯提示接口 {action} 将停用：“{message}”。请信息科升级本程序；已是最新版本就把这句话交给开发者。",
        "The service announced that {action} is deprecated: “{message}”. IT: update this program; if it is the newest version, send this message to the developers."),
}  # fmt: skip

MARKS: Mapping[str, tuple[str, str]] = {
    "mark.comma": ("、", ", "),
    "mark.semicolon": ("；", "; "),
    "mark.colon": ("：", ": "),
    "mark.dash": ("——", " — "),
    "mark.brackets": ("（{text}）", " ({text})"),
    "mark.row": ("{place} 第 {row} 行{more}", "{place} row {row}{more}"),
    "mark.or": (" 或 ", " or "),
}
