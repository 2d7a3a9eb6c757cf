"""Texts of what surrounds the runs, in Chinese and English: schedules, notifications and metrics, retention."""

from __future__ import annotations

from collections.abc import Mapping

UNATTENDED_TEXTS: Mapping[str, tuple[str, str]] = {
    # ---- `schedule`
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
    # ---- notifications, pings, hooks and metrics
    "notify.title.ok": ("【{name}】电子印章导入：全部完成", "{name}: seal import complete"),
    "notify.title.recovered": ("【{name}】电子印章导入：已恢复正常", "{name}: seal import works again"),
    "notify.title.attention": (
        "【{name}】电子印章导入：有行需要处理",
        "{name}: seal import, rows need attention",
    ),
    "notify.title.failed": (
        "【{name}】电子印章导入：失败（退出码 {exit}）",
        "{name}: seal import failed (exit code {exit})",
    ),
    "notify.title.test": ("【{name}】电子印章导入：通知测试", "{name}: seal import, test message"),
    "notify.body.test": ("收到这条消息，说明通知设置正确。", "The notification settings are correct."),
    "notify.run": ("运行 {run}，主机 {host}", "Run {run} on {host}"),
    "notify.count": ("{status}：{rows} 行", "{status}: {rows}"),
    "notify.reason": ("· {reason}：{rows} 行（{code}）", "- {reason}: {rows} ({code})"),
    "notify.more": ("· 另有 {n} 种原因", "- other reasons: {n}"),
    "notify.results": ("结果：{path}", "Results: {path}"),
    "notify.undelivered": (
        "有 {n} 条通知没有送达，下次运行再送。请用 esign-import notify test 检查。",
        "Notifications not delivered: {n}; the next run tries again. Check with esign-import notify test.",
    ),
    "notify.no_apprise": (
        '设置了通知，但没有安装扩展 notify：请运行 pip install "esign-import[notify]"。',
        'Notifications are configured, but the extra "notify" is not installed: run pip install "esign-import[notify]".',
    ),
    "notify.no_ping": ("监控没有收到通知（{why}）。", "The monitor could not be reached ({why})."),
    "notify.none": (
        "没有设置通知：在配置的 notify: 里写 urls 或 ping，或写进密钥文件 {file}。",
        "No notifications are configured: set urls or ping under notify:, or write them into the secret file {file}.",
    ),
    "notify.sent": ("[正常] {channel}", "[ok]    {channel}"),
    "notify.failed": ("[失败] {channel}：没有送达", "[failed] {channel}: not delivered"),
    "notify.monitor": ("监控 {host}", "monitor {host}"),
    "hooks.failed": (
        "{hook} 这一步因程序错误没有完成（{kind}，{line}）；本次结果和退出码不受影响。",
        "The step {hook} was not completed because of a program error ({kind}, {line}). Results and exit code stay as they are.",
    ),
    "hooks.details": (
        "   详细信息在 {path}，请交给开发者。",
        "   For details, see {path}; send it to the developers.",
    ),
    "hooks.verbose": (
        "   要看详细信息，请加 -v 再运行一次。",
        "   For details, run the command again with -v.",
    ),
    "metrics.not_installed": (
        '设置了 metrics_file，但没有安装扩展 metrics：请运行 pip install "esign-import[metrics]"。',
        'metrics_file is set, but the extra "metrics" is not installed: run pip install "esign-import[metrics]".',
    ),
    # ---- retention, `purge` and backups
    "purge.one_way": (
        "--older-than 和 --person 只能选一个",
        "give either --older-than or --person",
    ),
    "purge.no_age": (
        "配置里没有保留期限：请加 --older-than 90d，或在 retention 下写好",
        "there are no ages under retention: add --older-than 90d, or set them",
    ),
    "purge.ask": (
        "这里没有终端，无法询问：看清要删除的内容之后加 --yes",
        "there is no terminal to ask on: once you have seen what is removed, add --yes",
    ),
    "purge.uncertain": (
        "{name}：有一次创建还不能确定有没有印章，需要这些数据才能查清。请先登记结论（resolve），再删除。",
        "{name}: it is not certain whether a create made a seal, and these data are needed to find out. Resolve it first, then purge.",
    ),
    "purge.ledger_in_use": (
        "数据已从台账 {path} 删除，但另一个程序正在读它，旧内容还留在文件里。请关闭那个程序，用完整证件号码再运行一次 purge --person",
        "The data are removed from the ledger {path}, but another program reads it, so its file still holds old pages. End that program and run purge --person again, with the whole identity number",
    ),
    "purge.confirm": ("删除？", "Remove this?"),
    "purge.whole": ("删除 {folder}", "Remove {folder}"),
    "purge.part": ("删除 {folder} 中的：{entries}", "Remove of {folder}: {entries}"),
    "purge.more": ("……还有 {n} 次运行", "... and of {n} more runs"),
    "purge.aged": ("已删除 {n} 次运行的文件。", "Removed files of {n} runs."),
    "purge.nothing": ("没有超过期限的文件。", "Nothing is that old."),
    "purge.person": (
        "医生：{name}，证件后四位 {last_four}，工号 {staff_no}",
        "Doctor: {name}, last four {last_four}, staff number {staff_no}",
    ),
    "purge.removed": (
        "将删除：台账和回执里的姓名、证件后四位、工号、手机号、图片摘要、印章名称（{rows} 条名单记录，{creates} 次提交）；处理过的图片；{folders} 个结果文件夹里这位医生的各行，连同这些文件夹的结果表、页面和标记副本（report --run 可重新生成）",
        "Removed: name, last four, staff number, mobile, digests of pictures and seal name in ledger and receipts ({rows} roster lines, {creates} creates); prepared pictures; the doctor's lines in {folders} folders of results, with the workbooks, pages and marked rosters of these (report --run makes them again)",
    ),
    "purge.stays": (
        "保留：标识 {person}、印章ID {seals} 和日期。没有它们，这位医生再次出现时会被重新创建。\n之后只能靠同一证件号码认出这位医生：以改正后的另一个号码再次出现时，会创建第二枚印章。腾讯那里的印章不受影响。",
        "Stays: the key {person}, SealId {seals}, and dates. Without them the doctor would be created again.\nFrom then on only the same identity number identifies the doctor: under another, corrected number a second seal would be created. The seal at Tencent stays.",
    ),
    "purge.hospital": (
        "医院自己的文件不会改动，请自行删除其中的这位医生（否则下次运行会再次读到）：",
        "The hospital's own files are not changed. Remove the doctor there, or the next run reads the row again:",
    ),
    "purge.other": (
        "这些文件可能还有这位医生，不会改动，请自行处理（备份会随新备份淘汰；从它恢复之后要再删除一次）：",
        "These files may hold the doctor and are not changed (backups go as newer ones come; after restoring one, purge again):",
    ),
    "purge.path": ("  {path}", "  {path}"),
    "purge.done": ("这位医生的数据已删除。", "The doctor's data are removed."),
    "backup.no_folder": (
        "没有备份用的文件夹 {path}：请建好它（或挂上那块磁盘）",
        "There is no folder {path} for backups: create it, or mount its disk",
    ),
}
