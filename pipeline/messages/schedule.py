"""Texts of `schedule`, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

SCHEDULE_TEXTS: Mapping[str, tuple[str, str]] = {
    "schedule.name": (
        "--name {name}：只能用字母、数字、点、横线和下划线，最多 64 个，以字母或数字开头。",
        "--name {name}: only letters, digits, dot, hyphen and underscore, at most 64, starting with a letter or digit.",
    ),
    "schedule.needs_name": (
        "医院 {name} 的名称不能用作定时任务的名称；请用 --name 另取一个（字母、数字、点、横线、下划线）。",
        "The hospital's name {name} cannot be the name of a schedule; choose one with --name (letters, digits, dot, hyphen, underscore).",
    ),
    "schedule.path": (
        "路径 {path} 里有换行等控制字符，不能写进定时任务；请改名。",
        "The path {path} contains a line break or another control character and cannot be scheduled; rename it.",
    ),
    "schedule.taken": (
        "{path} 已经存在，属于另一份配置，没有改动；请用 --name 另取一个名称。",
        "{path} exists and belongs to another configuration; it was not changed. Choose another name with --name.",
    ),
    "schedule.worker": (
        "--worker 只用于 systemd；其他系统怎样启动 worker，见 docs/zh/workers.md。",
        "--worker is for systemd alone; docs/en/workers.md shows how a worker is started elsewhere.",
    ),
    "schedule.needs_root": (
        "用户 {user} 不能写 {path}；请用 sudo 运行，或加 --user 装在自己名下。",
        "User {user} may not write {path}; use sudo, or --user for a unit of your own.",
    ),
    "schedule.no_rights": (
        "用户 {user} 不能写 {path}；请让管理员给予写权限。",
        "User {user} may not write {path}; ask for the right to write there.",
    ),
    "schedule.no_crontab": (
        "这台机器上没有 crontab；请安装 cron，或改用 schedule install systemd。",
        "This machine has no crontab; install cron, or use schedule install systemd.",
    ),
    "schedule.failed": ("{command} 失败：{why}", "{command} failed: {why}"),
    "schedule.unseen": (
        "定时任务没有这些环境变量：{names}；请写进 config.yaml，密钥写进 secrets_dir。",
        "A timer does not have these environment variables: {names}. Put them into config.yaml, keys into secrets_dir.",
    ),
    "schedule.closed": (
        "任务以用户 {user} 运行，但他可能进不了 {folder}，程序就启动不了；请把程序装在 /opt 等所有用户可进入的地方，再安装一次。",
        "It runs as user {user}, who probably may not enter {folder}, so the program would not start; put the program where all users may enter, such as /opt, and install again.",
    ),
    "schedule.installed": ("已安装 {path}", "Installed: {path}"),
    "schedule.other_system": (
        "这台机器不能安装 {kind} 任务，所以只打印出来。",
        "This machine cannot have a schedule of {kind}, so it was only printed.",
    ),
    "schedule.next_install": ("要安装，请输入：", "To install it, run:"),
    "schedule.next_enable": ("要启用，请输入：", "To enable it, run:"),
    "schedule.next_doctor": ("检查整套安装，请输入：", "To examine the whole installation, run:"),
}
