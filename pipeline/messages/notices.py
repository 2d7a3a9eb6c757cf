"""What stops no run and somebody has to put right, in Chinese and English; `pipeline.messages.results.say` knows it."""

from __future__ import annotations

from collections.abc import Mapping

NOTICE_WORDS: Mapping[str, tuple[str, str]] = {
    "notice.CLOCK_WRONG": (
        "本机时钟比腾讯的时间{direction} {minutes} 分钟；本次已按腾讯的时间签名。请信息科打开本机的自动对时（NTP）。",
        "This machine's clock is {minutes} min {direction} by the service's time; the calls were signed with that. IT: switch the machine's time synchronisation (NTP) on."),
    "notice.slow": ("慢", "slow"),
    "notice.fast": ("快", "fast"),
    "notice.FILE_EXPOSED": (
        "{files} 的权限允许本机的其他用户读取，里面有密钥或密码。请信息科改为只有运行本程序的用户可读（chmod 600）。",
        "The rights of {files} let other users of this machine read it, and it holds keys or passwords. IT: let only the user who runs this program read it (chmod 600)."),
    "notice.ROSTER_OPEN": (
        "{files} 正在 Excel 或 WPS 里打开（旁边有 {lock}）：还没有保存的修改没有读到。请保存并关闭后再运行；没有人打开它，就删除 {lock}。",
        "{files} is open in Excel or WPS ({lock} lies beside it): what was not saved there was not read. Save and close it, then run again; if nobody has it open, delete {lock}."),
    "notice.IMAGE_HARD_LINK": (
        "{n} 张用到的印章图片是硬链接（如 {file}）：同一个文件在别处还有名字，在那里改动，这里也会变。请核对它是不是医生本人的图片，并换成单独的副本。",
        "Seal pictures in use that are hard links: {n} (such as {file}). The same file has another name elsewhere, and a change there changes it here. Check that it is the doctor's own picture and put a copy in its place."),
    "notice.SERVICE_DEPRECATED": (
        "腾讯提示接口 {action} 将停用：“{message}”。请信息科升级本程序；已是最新版本就把这句话交给开发者。",
        "The service says that {action} is deprecated: “{message}”. IT: update this program; if it is the newest version, give these words to its developers."),
}  # fmt: skip
