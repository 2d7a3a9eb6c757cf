"""Texts of `init`, of `doctor` and of shared results, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

SETUP_TEXTS: Mapping[str, tuple[str, str]] = {
    # ---- shared results and `init`
    "sharing.no_group": (
        "这台机器上没有用户组 {group}（配置里的 results_group），所以只有运行的用户能读结果；请先建这个组。",
        "There is no group {group} on this machine (results_group in the configuration), so only the user who ran this can read the results; create the group.",
    ),
    "sharing.refused": (
        "{folder} 不接受设定的权限（results_mode、results_group）：{why}。在本机磁盘上，用户 {user} 必须属于组 {group}；在共享盘上由共享盘的设置决定谁能读。",
        "{folder} does not take the configured rights (results_mode, results_group): {why}. On a local disk, user {user} must belong to the group {group}; on a network share its own settings decide who can read.",
    ),
    "sharing.closed": (
        "组 {group} 进不了 {folder}，所以读不到结果；请让它能进入：chmod o+x",
        "The group {group} may not enter {folder} and so cannot read the results; let it pass: chmod o+x",
    ),
    "init.exists": (
        "{path} 已经存在，没有改动；要新建就换一个文件夹：init 文件夹",
        "{path} exists already and was not changed; for a new one use another folder: init DIR",
    ),
    "init.is_a_file": ("{path} 是文件，不是文件夹。", "{path} is a file, not a folder."),
    "init.ask_environment": (
        "给哪个环境用？1 正式环境　2 腾讯联调环境　3 本机沙盒（试用，不需要账号）",
        "Which environment? 1 production, 2 Tencent's test environment, 3 sandbox on this machine (to try, no account)",
    ),
    "init.ask_app_id": (
        "app_id（Agent.AppId，在平台的电子签控制台；暂时没有就直接回车）",
        "app_id (Agent.AppId, from the platform's e-Sign console; press Enter if you do not have it yet)",
    ),
    "init.ask_organization_open_id": (
        "organization_open_id（平台为医院定的编号）",
        "organization_open_id (the platform's id of the hospital)",
    ),
    "init.ask_operator_open_id": (
        "operator_open_id（平台为经办人定的编号）",
        "operator_open_id (the platform's id of the employee who acts)",
    ),
    "init.ask_language": (
        "结果用哪种语言？zh 中文　en 英文",
        "Language of the results: zh Chinese, en English",
    ),
    "init.bad_answer": ("请写其中之一：{choices}", "Please enter one of: {choices}"),
    "init.done": (
        "已在 {folder} 写好 config.yaml 和文件夹。",
        "Wrote config.yaml and its folders in {folder}.",
    ),
    "init.secrets": (
        "1. 把 SecretId 和 SecretKey 分别写进这两个文件（各一行）：\n   {id_file}\n   {key_file}",
        "1. Write SecretId and SecretKey into these files, one line each:\n   {id_file}\n   {key_file}",
    ),
    "init.ids": ("2. 在 {path} 里补上：{keys}", "2. Fill in {path}: {keys}"),
    "init.no_ids": ("2. 三个 id 已写入 {path}。", "2. The three ids are in {path}."),
    "init.fill": (
        "3. 名单放进 {inbox}（空白模板：{template}），印章图片放进 {seals}，文件名写姓名、工号或证件号码。",
        "3. Put the roster into {inbox} (empty template: {template}) and the seal pictures into {seals}, named by the doctor's name, staff number or identity number.",
    ),
    "init.sandbox": (
        "示例名单和印章图片已放好。在另一个窗口启动沙盒：\n   {command}",
        "A sample roster and its seal pictures are in place. Start the sandbox in another window:\n   {command}",
    ),
    "init.next_check": ("然后检查名单，不发送任何内容：", "Then check the roster; nothing is sent:"),
    "init.next_run": ("然后创建示例印章：", "Then create the sample seals:"),
    # the roster template
    "init.template": ("名单模板.xlsx", "roster-template.xlsx"),
    "init.sheet": ("医生名单", "Doctors"),
    "init.card_types": (
        "居民身份证,港澳居民来往内地通行证,港澳台居民居住证",
        "ID_CARD,HONGKONG_AND_MACAO,HONGKONG_MACAO_AND_TAIWAN",
    ),
    "init.note.name": ("必填。与身份证上的姓名一致。", "Required. As on the identity card."),
    "init.note.id_card_number": (
        "必填。居民身份证 18 位，港澳居民来往内地通行证 9 位。这一列是文本格式，请保持。",
        "Required. 18 characters of an identity card, 9 of a mainland travel permit. Keep this column as text.",
    ),
    "init.note.id_card_type": (
        "可空：按号码判断。请从列表中选择。",
        "Optional: follows from the number if it is blank. Choose from the list.",
    ),
    "init.note.mobile": ("可空。11 位手机号。", "Optional. A mobile number of 11 digits."),
    "init.note.staff_no": (
        "可空。同名医生靠工号区分，图片也可以用工号命名。",
        "Optional. Distinguishes doctors of the same name; pictures can be named by it.",
    ),
    "init.note.department": ("可空。", "Optional."),
    "init.note.seal_name": (
        "可空：按配置里的 seal_name 命名。最多 50 个字。",
        "Optional: named by seal_name of the configuration if it is blank. At most 50 characters.",
    ),
    "init.note.picture": (
        "可空。图片文件名；不写就按姓名、工号或证件号码找同名的图片。也可以把图片插入这个单元格。",
        "Optional. File name of the picture; without one, a picture named by name, staff number or identity number is used. A picture inserted into this cell counts as well.",
    ),
    # ---- `doctor`
    "doctor.line.ok": ("[正常] {topic}：{text}", "[ok]      {topic}: {text}"),
    "doctor.line.note": ("[说明] {topic}：{text}", "[note]    {topic}: {text}"),
    "doctor.line.warning": ("[注意] {topic}：{text}", "[warning] {topic}: {text}"),
    "doctor.line.fault": ("[故障] {topic}：{text}", "[fault]   {topic}: {text}"),
    "doctor.line.remedy": ("       处理：{text}", "          To do: {text}"),
    "doctor.sum": ("故障 {faults} 项，需要注意 {warnings} 项。", "Faults: {faults}. Warnings: {warnings}."),
    "doctor.topic.config": ("配置", "configuration"),
    "doctor.topic.paths": ("文件夹", "folders"),
    "doctor.topic.space": ("磁盘空间", "disk space"),
    "doctor.topic.console": ("编码和语言", "encoding and language"),
    "doctor.topic.network": ("网络", "network"),
    "doctor.topic.clock": ("时钟", "clock"),
    "doctor.topic.credentials": ("密钥", "credentials"),
    "doctor.topic.ledger": ("台账", "ledger"),
    "doctor.topic.backup": ("备份", "backup"),
    "doctor.topic.last_run": ("最近一次运行", "last run"),
    "doctor.topic.timer": ("定时任务", "timer"),
    "doctor.topic.notify": ("通知", "notifications"),
    "doctor.topic.versions": ("版本", "versions"),
    "doctor.config": ("{path}，{tenant}", "{path}, {tenant}"),
    "doctor.exposed": ("其他用户可以读取 {files}", "other users can read {files}"),
    "doctor.exposed.remedy": ("运行 chmod 600 {files}", "run chmod 600 {files}"),
    "doctor.literal": ("{path} 里写有密钥或密码", "{path} contains keys or a password"),
    "doctor.literal.remedy": (
        "把密钥移到 secrets_dir 的文件 tencent__secret_id 和 tencent__secret_key 里，再从配置中删掉。",
        "Move the keys into the files tencent__secret_id and tencent__secret_key in secrets_dir and delete them here.",
    ),
    "doctor.literal.password.remedy": (
        "把 ledger: 里的密码移到 secrets_dir 的文件 ledger__password 里，再从配置中删掉。",
        "Move the password in ledger: into the file ledger__password in secrets_dir and delete it here.",
    ),
    "doctor.temporary": (
        "{source} 的密钥是临时的，到期后不会更换",
        "the keys of {source} are temporary and are not renewed when they expire",
    ),
    "doctor.temporary.remedy": (
        "定时任务请用长期密钥，或在配置里写 credentials.role，程序会在到期前更换。",
        "Use lasting keys for a timer, or set credentials.role, whose keys are renewed in time.",
    ),
    "doctor.role_unused": (
        "credentials.role: {role} 没有用到：{source} 排在它前面",
        "credentials.role: {role} is not used: {source} comes first",
    ),
    "doctor.role_unused.remedy": (
        "删掉 {source} 里的密钥，或去掉 credentials.role。",
        "Remove the keys in {source}, or remove credentials.role.",
    ),
    "doctor.unreadable": (
        "用户 {user} 没有读取 {path} 的权限",
        "user {user} may not read {path}",
    ),
    "doctor.unreadable.remedy": (
        "给用户 {user} 读取 {path} 及其中文件的权限。",
        "Give user {user} the right to read {path} and the files in it.",
    ),
    "doctor.paths": (
        "用户 {user} 可以读写，结果写到 {out}",
        "user {user} may read and write; results go to {out}",
    ),
    "doctor.space": ("{folder} 还有 {mb} MB", "{folder} has {mb} MB left"),
    "doctor.space.remedy": (
        "清理磁盘，或把 out: 和 ledger: 放到别的磁盘；空间不够时不会提交任何内容。",
        "Free some space, or move out: and ledger: to another disk. Without room nothing is sent.",
    ),
    "doctor.locale": (
        "系统编码是 {encoding}，图片文件名却是 UTF-8（如 {name}），会找不到图片",
        "the encoding of this system is {encoding}, but names of pictures are UTF-8 (such as {name}); they will not be found",
    ),
    "doctor.locale.remedy": (
        "在定时任务里设置 PYTHONUTF8=1 或 LC_ALL=C.UTF-8。",
        "Set PYTHONUTF8=1 or LC_ALL=C.UTF-8 for the timer.",
    ),
    "doctor.encoding": ("文件名 {encoding}，屏幕 {console}", "file names {encoding}, console {console}"),
    "doctor.language": (
        "配置里没有 language，系统也没有设置语言：定时运行的结果和通知会是英文",
        "neither the configuration nor the system sets a language: results and notifications of scheduled runs are in English",
    ),
    "doctor.language.remedy": ("在配置里写 language: zh。", "Set language: zh or en in the configuration."),
    "doctor.credentials": ("密钥来自 {source}", "found in {source}"),
    "doctor.network.ok": ("{host} 有应答", "{host} answers"),
    "doctor.network.by_proxy": ("{host} 经代理有应答", "{host} answers through the proxy"),
    "doctor.network": ("{host}：{why}", "{host}: {why}"),
    "doctor.network.remedy": (
        "请网络管理员开通本机到 {host} 的 443 端口（DNS、防火墙、证书）。",
        "Ask the network team to allow this machine to reach {host} on port 443 (DNS, firewall, certificates).",
    ),
    "doctor.network.proxy": (
        "检查配置里的 api.proxy：{host}。",
        "Check api.proxy in the configuration: {host}.",
    ),
    "doctor.network.sandbox": (
        "先启动沙盒：esign-import sandbox（或把 api.endpoint 改成腾讯的地址）。",
        "Start the sandbox first: esign-import sandbox (or set api.endpoint to Tencent's address).",
    ),
    "doctor.network.no_call": (
        "先处理上面的问题。",
        "Repair what is reported above first.",
    ),
    "doctor.clock.ok": ("与腾讯相差 {seconds} 秒", "{seconds} s from the service's"),
    "doctor.clock.behind": ("本机慢 {seconds} 秒", "this machine is {seconds} s behind"),
    "doctor.clock.ahead": ("本机快 {seconds} 秒", "this machine is {seconds} s ahead"),
    "doctor.clock.remedy": (
        "打开时间同步（NTP）。运行时会按腾讯的时间签名，但日期和定时任务以本机为准。",
        "Switch on time synchronisation (NTP). Runs sign with the service's time, but dates and timers follow this machine.",
    ),
    "doctor.no_answer": (
        "应答不是接口的格式（HTTP {status}）",
        "the answer is not the API's (HTTP {status})",
    ),
    "doctor.accepted": ("腾讯接受了一次只读的调用", "the service accepted a call that changes nothing"),
    "doctor.refused": (
        "腾讯拒绝了只读的调用。{why}",
        "the service refused a call that changes nothing. {why}",
    ),
    "doctor.backup": (
        "最近的备份与台账一致：{path}",
        "the newest backup holds what the ledger holds: {path}",
    ),
    "doctor.backup.old": (
        "{folder} 里没有与现在的台账一致的备份",
        "there is no backup in {folder} that holds what the ledger holds now",
    ),
    "doctor.backup.old.remedy": (
        "下次运行会备份；想现在备份，请输入 esign-import ledger backup 文件夹 --keep 14",
        "The next run makes one; to make it now: esign-import ledger backup DIR --keep 14",
    ),
    "doctor.no_ledger": (
        "{path} 还没有，第一次运行时创建",
        "{path} does not exist yet; the first run creates it",
    ),
    "doctor.locked": ("{path}：有运行正在进行", "{path}: a run is in progress"),
    "doctor.ledger": (
        "{path}：有印章 {seals} 人，未知 {unknown} 人，与回执一致",
        "{path}: {seals} seals, {unknown} unknown, agrees with its receipts",
    ),
    "doctor.defects": ("{path} 有 {n} 处错误", "{path} has defects: {n}"),
    "doctor.defects.remedy": (
        "运行 esign-import ledger check 查看详情和办法。",
        "Run esign-import ledger check for details and what to do.",
    ),
    "doctor.no_run": ("还没有运行过", "no run yet"),
    "doctor.run": (
        "{run}，{hours} 小时前，退出码 {exit}",
        "{run}, {hours} h ago, exit code {exit}",
    ),
    "doctor.run_cut": ("{run} 没有正常结束", "{run} was cut short"),
    "doctor.run_failed": (
        "{run}（{finished}）退出码 {exit}",
        "{run} ({finished}) ended with exit code {exit}",
    ),
    "doctor.run_old": (
        "{run} 已是 {hours} 小时前（{finished}）",
        "{run} was {hours} h ago ({finished})",
    ),
    "doctor.run.remedy": (
        "运行 esign-import status 查看原因和下一步。",
        "Run esign-import status for the reason and the next step.",
    ),
    "doctor.run_old.remedy": ("检查定时任务是否还在运行。", "Check whether the timer still runs."),
    "doctor.no_timer": ("没有找到运行本配置的定时任务", "no timer found that runs this configuration"),
    "doctor.no_timer.remedy": (
        "要每天自动运行：esign-import -c {config} schedule install systemd（或 cron、windows）",
        "For a run every day: esign-import -c {config} schedule install systemd (or cron, windows)",
    ),
    "doctor.timer_off": (
        "{timer} 已安装，但没有启用，到时间不会运行",
        "{timer} is installed but not enabled, so it starts no run",
    ),
    "doctor.timer_off.remedy": ("请输入：{commands}", "Type: {commands}"),
    "doctor.timer": ("{timer}", "{timer}"),
    "doctor.notify": ("{channels}", "{channels}"),
    "doctor.monitor": ("监控", "a monitor"),
    "doctor.undelivered": ("{n} 条没有送达", "not delivered: {n}"),
    "doctor.undelivered.remedy": (
        "运行 esign-import notify test，看是哪个渠道。",
        "Run esign-import notify test to see which channel.",
    ),
    "doctor.no_notify": (
        "没有设置：运行失败时没有人会知道",
        "none configured: a run that fails goes unnoticed",
    ),
    "doctor.no_notify.remedy": (
        "把通知地址写进密钥文件 notify__urls（见 docs/zh/unattended.md）。",
        "Write an address into the secret file notify__urls (see docs/en/unattended.md).",
    ),
    "doctor.witness": (
        "{path} 在另一台机器上：本机退回快照之后，台账比它旧就会被发现",
        "{path} lies on another machine: if this machine is put back to a snapshot, its older ledger is noticed",
    ),
    "doctor.no_witness": (
        "结果（{out}）和登记簿（{registry}）与台账在同一台机器上：整机退回快照或被克隆之后，它们一起变旧，程序无从发现，会再次创建",
        "results ({out}) and registry ({registry}) lie on the machine of the ledger: after a snapshot or in a clone of the machine all are equally old, the program cannot notice it, and seals are made again",
    ),
    "doctor.no_witness.remedy": (
        "把 out: 放到另一台机器的共享文件夹，或把台账放进 PostgreSQL（ledger move）。机器退回过：先用别处的备份 ledger restore，或用别处的结果 adopt，再运行。",
        "Put out: on a share of another machine, or the ledger into PostgreSQL (ledger move). If a machine was put back: ledger restore a backup, or adopt results, that lie elsewhere, before the next run.",
    ),
    "doctor.versions": (
        "esign-import {program}，Python {python}，{system}，{packages}",
        "esign-import {program}, Python {python}, {system}, {packages}",
    ),
}
