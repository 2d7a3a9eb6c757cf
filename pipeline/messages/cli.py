"""The texts of the command line, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

SANDBOX_IDS = """  SecretId {secret_id}
  SecretKey {secret_key}
  app_id {app_id}
  organization_open_id {organization}
  operator_open_id {operator}"""

CLI_TEXTS: Mapping[str, tuple[str, str]] = {
    "bug": (
        "程序内部错误（{kind}）；已发送的行都记在台账里，请带上 -v 的输出联系开发者。",
        "Program error ({kind}). Everything sent is in the ledger. Report the error with the output of -v.",
    ),
    "resolve_nothing": ("没有待查清的行。", "Nothing to resolve."),
    "resolve_unknown": (
        "未知  {name}（{place}）：{at} 提交，印章名称“{seal_name}”，TraceId {trace}，{host}",
        "unknown  {name} ({place}): sent {at} as “{seal_name}”, TraceId {trace}, {host}",
    ),
    "resolve_exists": (
        "名称已存在  {name}（{place}）：{at} 提交时，腾讯答复已有名为“{seal_name}”的印章，TraceId {trace}，{host}",
        "name exists  {name} ({place}): when sent {at}, the service already had a seal “{seal_name}”, TraceId {trace}, {host}",
    ),
    "resolve_changed": (
        "有变化  {name}（{place}）：与印章“{seal_name}” {seal_id} 不同的是{differs}",
        "changed  {name} ({place}): differs from its seal “{seal_name}” {seal_id} in {differs}",
    ),
    "resolve_another": (
        "有变化  {name}（{place}）：号码是“{seal_name}” {seal_id} 的医生的，不同的却有{differs}；号码可能填成了别人的，请先对照证件改正名单",
        "changed  {name} ({place}): has the number of the doctor of “{seal_name}” {seal_id}, but differs in {differs}; the number may be another person's, compare it with the card and correct the roster first",
    ),
    "resolve_rejected": (
        "可能同一人  {name}（{place}）：{agreed}与“{seal_name}”的医生相同（证件尾号 {tail}，{at}，{word}）",
        "possibly the same person  {name} ({place}): same {agreed} as the doctor of “{seal_name}” (last four digits {tail}, {at}, {word})",
    ),
    "resolve_held": ("图片待定  {name}（{place}）：{reason}", "on hold  {name} ({place}): {reason}"),
    "resolve_evidence": (
        "      一次应答里出现过印章ID {seal_id}，未经证实",
        "      an answer contained the SealId {seal_id}; it is not confirmed",
    ),
    "resolve_ways": (
        """按印章名称查找（去哪里查见下），再登记结论：
  {program} resolve TraceId --seal-id 印章ID   找到了，是此人的
  {program} resolve TraceId --not-theirs       名称已存在，但印章是他人的：下次运行改用带工号的名称
  {program} resolve TraceId --not-created      没有创建：下次运行会再提交
  {program} resolve 印章ID --keep | --replace  内容有变的行
  {program} resolve 姓名 --keep                图片待定的行：图片是此人的，下次运行会提交
  {program} resolve 印章ID或TraceId --same-person | --other-person  可能同一人：号码是改正后的同一人，还是另一人
去哪里查：电子签控制台的印章→印章中心→印章详情，先看医院自己的（子客控制台，由平台给链接），再看平台的；或密钥所属腾讯云账号（一般是平台的）的操作审计。
没有文档保证个人印章在那里能看到，所以没找到不等于没有创建：要先用 certify 登记过某处能看到导入的印章，又在那里没找到，--not-created 才算数；另有把握时加 --sure。""",
        """Look for the seal by its name (for where, see below), then record the outcome:
  {program} resolve TRACEID --seal-id SEALID    found, and it is this person's
  {program} resolve TRACEID --not-theirs        the name exists, but the seal is another person's: the next run adds the staff number
  {program} resolve TRACEID --not-created       it was not created: the next run sends it again
  {program} resolve SEALID --keep | --replace   for a changed row
  {program} resolve NAME --keep                 for a picture on hold: it is this doctor's, and the next run sends it
  {program} resolve SEALID|TRACEID --same-person | --other-person   the number is a corrected one of the same person, or another person's
Where to look: e-Sign console, 印章 → 印章中心 → 印章详情, first the hospital's own (the platform makes the link), then the platform's; or the audit log (CloudAudit) of the Tencent Cloud account that owns the keys, usually the platform's.
No document assures that personal seals are shown there, so a seal that you do not find may still exist: --not-created counts only if you looked in a place that certify has recorded to show imported seals. If you know it from another source, add --sure.""",
    ),
    "resolve_one_way": (
        "每次只能用一种方式；--seal-name 只和 --replace 一起用，--sure 只和 --not-created、--keep 或 --replace 一起用。",
        "Only one way at a time; --seal-name only with --replace, --sure only with --not-created, --keep or --replace.",
    ),
    "resolve_nobody": (
        "没有待查清的行与“{query}”相符。",
        "No row to resolve matches “{query}”.",
    ),
    "resolve_many": (
        "有 {n} 行与“{query}”相符；请用 TraceId 或工号指明是哪一行。",
        "Several rows match “{query}” ({n}); specify one by its TraceId or staff number.",
    ),
    "looked_up": (
        "{name}：腾讯确认已创建，印章ID {seal_id}，已登记。控制台能看到它的话，请核对图案。",
        "{name}: the service confirms that the seal was created, SealId {seal_id}; recorded. If a console shows the seal, compare the picture.",
    ),
    "looked_up_nothing": (
        "{name}：没有查到（{words}）。这不能说明没有创建。",
        "{name}: not found ({words}). The seal may still exist.",
    ),
    "probe_not_allowed": (
        "配置里是 unknown: hold；先用 certify 验证，再设 unknown: probe。",
        "The configuration has unknown: hold. Run certify first, then set unknown: probe.",
    ),
    "probe_nothing": (
        "{name}：没有可以重发的提交（不在名单里，或没有结果未知的提交）。",
        "{name}: there is no submission to repeat (not in the rosters, or none with an unknown result).",
    ),
    "resolved": ("已登记：{name}，{way}。", "Recorded: {name}, {way}."),
    "way_seal_id": ("已创建", "created"),
    "way_not_created": (
        "未创建（在登记过能看到印章的地方没找到，或另有把握），下次运行会提交",
        "not created (missing in a place recorded to show seals, or known from another source); the next run sends it",
    ),
    "way_not_theirs": (
        "同名印章是他人的，下次运行改用别的名称",
        "the seal with this name is another person's; the next run uses another name",
    ),
    "way_same_person": ("同一人，号码是改正后的", "the same person with a corrected number"),
    "way_other_person": (
        "另一人，下次运行会提交；图片如果可能是原来那位的，会先列为待定",
        "another person; the next run sends it, or holds its picture if that may be the other person's",
    ),
    "way_keep_picture": (
        "图片是此人的，下次运行会提交",
        "the picture is this doctor's, the next run sends it",
    ),
    "way_keep": ("保留印章，以现在的名单为准", "the seal stays, the roster is right"),
    "way_replace": (
        "放弃旧印章，下次运行新建一枚",
        "the old seal is abandoned; the next run creates a new one",
    ),
    "replaced": (
        "旧印章 {seal_id} 仍然有效，直到腾讯停用它：请把这个印章ID交给腾讯客户经理停用（本程序不能停用，也没有文档写明哪个接口能停用个人印章）。export 会列出它，状态为“已放弃”。",
        "The old seal {seal_id} stays valid until Tencent disables it: give this SealId to your Tencent account manager (this program cannot disable it, and no call is documented to disable a personal seal). export lists it as abandoned.",
    ),
    "adopted": (
        "登记了 {n} 枚印章（{known} 枚台账已有），{left} 行没有登记。",
        "Seals imported: {n} (already known: {known}). Rows not imported: {left}.",
    ),
    "adopt_left": ("  {place}：{why}", "  {place}: {why}"),
    "never_run": (
        "{path} 处还没有台账：这份配置还没有运行过。",
        "There is no ledger at {path} yet: no run has used this configuration.",
    ),
    "no_ledger": (
        "{path} 处没有台账；请用 ledger restore 或 ledger rebuild 恢复。",
        "There is no ledger at {path}; restore it with ledger restore or ledger rebuild.",
    ),
    "warning": ("警告：{text}", "Warning: {text}"),
    "pictures_unread": (
        "图片文件夹 {place} 无法读取（{why}）；其中的图片没有使用。",
        "The picture folder {place} cannot be read ({why}); its pictures were not used.",
    ),
    "made": (
        "运行 {run} 停止前已创建 {n} 枚印章，都记在台账里，不会重复创建。",
        "Before it stopped, run {run} created seals: {n}. They are in the ledger and are not created again.",
    ),
    "no_config": (
        "{folder} 里没有 config.yaml。已有配置就用 --config 写明它在哪里（定时任务里请写完整路径）；还没有就用 init 新建。",
        "There is no config.yaml in {folder}. Use --config to specify the file (with its full path in a scheduled task). If you have none yet, create it with init.",
    ),
    "config_is_a_folder": (
        "{path} 是文件夹；请在 --config 后面写配置文件，如 {path}/config.yaml。",
        "{path} is a folder; after --config, specify the file, such as {path}/config.yaml.",
    ),
    "no_config_short": ("当前文件夹里没有 config.yaml", "there is no config.yaml in this folder"),
    "next_init": ("新建一份配置：", "To create a configuration, run:"),
    "next_config": ("填好配置后，请输入：", "After filling in the configuration, run:"),
    "check_without_config": (
        "没有可用的配置（{why}），只检查名单和图片，不与台账比较。",
        "No usable configuration ({why}): rosters and pictures are checked, but not compared with the ledger.",
    ),
    "check_without_ledger": (
        "{path} 处还没有台账（第一次 run 时建立）：只检查名单和图片；这次的核对页和“失败待改”表只供查看。",
        "There is no ledger at {path} yet (the first run creates it): rosters and pictures are checked; the review page and the sheet To fix of this check are read-only.",
    ),
    "not_a_file": ("{path} 是文件夹；请写一个文件。", "{path} is a folder; specify a file."),
    "not_read_now": (
        "有文件这次没能读取（{why}），文件和名单都没有问题；没有提交任何内容，请再运行一次，仍然如此请找信息科。",
        "A file could not be read this time ({why}); file and roster need no correction, and nothing was sent. Run again, and ask IT if it happens again.",
    ),
    "no_such_path": (
        "找不到 {path}（在 {folder} 里找过）。{near}请核对写法；路径里有空格时整个加引号。",
        "{path} does not exist (looked in {folder}).{near} Check the spelling; quote paths that contain spaces.",
    ),
    "port_taken": (
        "127.0.0.1 的 {port} 端口已被占用；请用 --port 换一个。",
        "Port {port} of 127.0.0.1 is in use; choose another with --port.",
    ),
    "port_rights": (
        "没有权限使用 127.0.0.1 的 {port} 端口（1024 以下的端口要管理员权限）；请用 --port 选 1024 以上的端口。",
        "Port {port} of 127.0.0.1 needs administrator rights, as do all ports below 1024; choose a higher one with --port.",
    ),
    "port_failed": (
        "127.0.0.1 的 {port} 端口不能用（{why}）；请用 --port 换一个。",
        "Port {port} of 127.0.0.1 cannot be used ({why}); choose another with --port.",
    ),
    "kept_edits": (
        "{path} 在写出之后被改过，已保留为 {kept}。",
        "{path} was edited after it was written; it is kept as {kept}.",
    ),
    "copy_held": (
        "另一个程序开着 {path}：最新的结果表是 {copy}。",
        "{path} is open in another program: the latest results are in {copy}.",
    ),
    "not_results": (
        "{path} 不是本程序写出的结果表；请写某次运行的 results.xlsx。",
        "{path} is not a results workbook of this program; specify the results.xlsx of a run.",
    ),
    "no_seals": (
        "没有图片文件夹 {path}：请建好并放入图片，或用 --seals 指定；这次只用名单单元格里的图片。",
        "There is no picture folder {path}: create it, or specify another with --seals. This time only pictures in roster cells are used.",
    ),
    "no_doctors": (
        "这些名单里没有医生：{files}{more}。列名下面每位医生要占一行；请核对导出是否完整。",
        "No doctors in {files}{more}. Each doctor needs a row below the titles; check whether the export is complete.",
    ),
    "no_rosters": (
        "不是名单：{files}{more}；请只写名单文件，或写名单所在的文件夹。",
        "Not rosters: {files}{more}. Specify only roster files, or their folder.",
    ),
    "empty_inbox": (
        "没有名单可处理（在 {paths} 里找过）。请把名单放到那里，或在命令后面写上名单文件。",
        "There is no roster to process (looked in {paths}). Put it there, or write its file name after the command.",
    ),
    "sending_to": (
        "提交到{environment}，机构 {organization}",
        "Sending to {environment}, organisation {organization}",
    ),
    "pictures_in_cells": ("名单单元格里的图片", "those in roster cells"),
    "reading": ("名单 {rosters} · 图片 {seals}", "Rosters {rosters} · pictures {seals}"),
    "forecast": (
        "名单共 {rows} 行；将创建最多 {creates} 枚印章，{time}。",
        "Rows: {rows}. Seals to create: at most {creates}, {time}.",
    ),
    "forecast_nothing": (
        "名单共 {rows} 行，没有要提交的：{why}。",
        "Rows: {rows}. Nothing to send: {why}.",
    ),
    "forecast_others": ("可提交但不属于这次重试 {n}", "ready, but not part of this retry {n}"),
    "forecast_nobody": (
        "名单里没有医生，没有要提交的。",
        "The rosters contain no doctors; nothing to send.",
    ),
    "forecast_unread": (
        "名单都无法读取，没有要提交的。",
        "No roster could be read; nothing to send.",
    ),
    "forecast_guarded": (
        "名单共 {rows} 行。触发保护，本次没有提交；原因见下。",
        "Rows: {rows}. Stopped by a safety check; nothing was sent. The reason is below.",
    ),
    "time.moment": ("不到 1 秒", "less than a second"),
    "time.seconds": ("约需 {n} 秒", "about {n} s"),
    "time.minutes": ("约需 {n} 分钟", "about {n} min"),
    "time.hours": ("约需 {n} 小时", "about {n} h"),
    "judged": (
        "核对结果：判对 {right}，判错 {wrong}。",
        "Review: {right} right, {wrong} wrong.",
    ),
    "judged_elsewhere": (
        "其中 {rows} 条与现在可提交的行不符（已有印章，或姓名、印章名称、图片后来改过），不起作用。",
        "Review entries that match no row that can be sent now (already sealed, or name, seal name or picture changed) and have no effect: {rows}.",
    ),
    "licences": (
        "注意：本次将绑定 {licences} 个个人许可（每个都要付费，且不能释放）。",
        "Note: personal licences this run will bind: {licences} (each is paid and cannot be released).",
    ),
    "heavy": (
        "{heavy} 张图片超过 2 MB，旧接口建议使用更小的图片。",
        "Pictures over 2 MB: {heavy}; smaller ones are recommended for the older contract.",
    ),
    "confirm": (
        "在{environment}为机构 {organization} 创建这些印章，是否继续？",
        "Create these seals in {environment} for organisation {organization}?",
    ),
    "answer_yes_or_no": ("请回答 y 或 n。", "Please answer y or n."),
    "unanswered": (
        "没有回答，所以没有发送任何内容。要不经询问直接提交，请加 --yes。",
        "No answer was given, so nothing was sent. To send without a question, use --yes.",
    ),
    "declined": ("没有发送任何内容。", "Nothing was sent."),
    "stopping": (
        "正在停止：不再提交新的行，等待已发出的请求（再按一次立即退出）。",
        "Stopping after the requests in progress (press Ctrl-C again to quit now).",
    ),
    "progress": ("已完成 {done}/{total}（{share}）{details}", "done {done}/{total} ({share}) {details}"),
    "rate": ("{rate} 次/秒（上限的 {share}）", "{rate}/s ({share} of the limit)"),
    "left": ("还需 {time}", "{time} left"),
    "outage_now": ("{since} 起没有应答 · {host}：{cause}", "no answer since {since} · {host}: {cause}"),
    "outage_until": (
        "{since} 起没有应答，{until} 放弃 · {host}：{cause}",
        "no answer since {since}, giving up at {until} · {host}: {cause}",
    ),
    "outage_began": (
        "{host} 从 {since} 起没有可用的应答（{cause}）；仍在尝试。",
        "No usable answer from {host} since {since} ({cause}); still trying.",
    ),
    "outage_paused": (
        "{host} 从 {since} 起没有可用的应答（{cause}）。暂停提交，恢复后自动继续；到 {until} 仍没有应答就停止本次运行。请检查网络、DNS、代理和防火墙。",
        "No usable answer from {host} since {since} ({cause}). Sending is paused and resumes by itself; the run stops at {until} if there is still no answer. Check network, DNS, proxy and firewall.",
    ),
    "outage_over": (
        "{host} 恢复应答（中断了 {time}），继续提交。",
        "{host} answers again (after {time}); sending continues.",
    ),
    "bar": ("提交", "sending"),
    "run_halted": ("已停止：{message}（{code}）", "Stopped: {message} ({code})"),
    "file_refused": ("名单 {file} 未读取：{why}", "Roster {file} was not read: {why}"),
    "file_partly": ("名单 {file} 没有读全：{why}", "Roster {file} was read only in part: {why}"),
    "unread": ("名单 {file}：{note}", "Roster {file}: {note}"),
    "count_with_spare": (
        "  {status} {rows}（其中 {n} 行重复，无需处理）",
        "  {status} {rows} (duplicates, no action needed: {n})",
    ),
    "count": ("  {status} {rows}", "  {status} {rows}"),
    "reason": (
        "      {rows} 行 {label}（{code}，如 {place} 第 {row} 行）",
        "      {rows} × {label} ({code}, e.g. {place} row {row})",
    ),
    "reason_task": ("          {task}", "          {task}"),
    "reasons_more": (
        "      另有 {n} 种原因，见结果表",
        "      more reasons in the workbook: {n}",
    ),
    "results": ("结果：{path}", "Results: {path}"),
    "report": ("运行报告：{path}", "Report: {path}"),
    "locale": (
        "系统语言环境的编码 {encoding} 无法表示要用的文字。请先设置 LC_ALL=C.UTF-8（或 zh_CN.UTF-8），再运行。",
        "The locale encoding {encoding} cannot represent a text that is needed. Set LC_ALL=C.UTF-8 (or zh_CN.UTF-8), then run again.",
    ),
    "locale_names": (
        "语言环境的编码是 {encoding}，{folder} 里的文件名却是 UTF-8（如 {name}）：按姓名可能找不到图片。请设置 LC_ALL=C.UTF-8（或 zh_CN.UTF-8）后再运行。",
        "The locale encoding is {encoding}, but file names in {folder} are UTF-8 (such as {name}), so pictures may not be found by name. Set LC_ALL=C.UTF-8 (or zh_CN.UTF-8), then run again.",
    ),
    "left_at_once": (
        "已立即退出，没有等待应答。正在提交的行会记为“未知”，不会重复提交。",
        "Quit without waiting for answers. Rows that were being sent become unknown and are not sent again.",
    ),
    "misused": ("错误：{message}", "Error: {message}"),
    "interrupted": ("已中断。", "Interrupted."),
    "interrupted_early": (
        "已中断；要继续，请再输入一遍命令。",
        "Interrupted; to continue, enter the command again.",
    ),
    "next_after": ("处理好之后，请输入：", "After fixing this, run:"),
    "next_free_port": ("要自动选一个空闲的端口，请输入：", "To use any free port, run:"),
    "next_new_file": ("要写入以时间命名的新文件，请输入：", "To write a new file named by the time, run:"),
    "next_meant": ("如果是它，请输入：", "If that is the one, run:"),
    "next_again": ("要继续，请输入：", "To continue, run:"),
    "next_unshown": (
        "请照原样再输入一遍（路径里有号码，这里不显示）。要看现状，请输入：",
        "Enter the same command again (a path contains a number and is not shown here). To see the current status, run:",
    ),
    "next_report": (
        "处理好之后，要由台账重新写出这次运行的结果，请输入：",
        "After fixing this, write the results of this run again from the ledger:",
    ),
    "next_bug": ("要看详细原因，请输入：", "To see details, run:"),
    "next_rosters": ("放入名单后，请输入：", "After adding a roster, run:"),
    "next_status": ("要看当前状态，请输入：", "To see the current status, run:"),
    "next_policy": (
        "把策略授予子账号、放好它的密钥之后，请输入：",
        "When a sub-account has this policy and its keys are in place, run:",
    ),
    "next_run": ("接下来，请输入：", "Next, run:"),
    "completion.next": (
        "启用补全：把这一行加到 {file} 末尾，再打开新的终端：",
        "To switch completion on, add this line to the end of {file} and open a new terminal:",
    ),
    "next_check": ("先检查一遍，请输入：", "To check first, run:"),
    "next_list": ("要看待查清的行，请输入：", "To list the rows to resolve, run:"),
    "next_story": (
        "要看经过和可选的每条命令，请输入：",
        "To see the history and the possible commands, run:",
    ),
    "next_rebuild": ("要由回执重建，请输入：", "To rebuild it from the receipts, run:"),
    "next_help": ("用法说明，请输入：", "For usage:"),
    "next": ("-> {text}", "-> {text}"),
    "command": ("     {command}", "     {command}"),
    "demo_exit": (
        "示例名单里故意放了有问题的行，所以退出码是 {code}（3 = 有行需要人工处理）。",
        "The sample contains rows with problems on purpose, so the exit code is {code} (3 = some rows need attention).",
    ),
    "demo_open": ("请打开：{path}", "Open: {path}"),
    "demo_more": (
        "想接着改表重试：先在另一个终端运行\n     {sandbox}",
        """To correct and retry as a clerk would, first start in a second terminal:
     {sandbox}""",
    ),
    "demo_retry": ("改好结果表并保存，再输入：", "Then correct the workbook, save it, and run:"),
    "demo_config": (
        "示例配置：本机沙盒，不需要账号。",
        "Demo configuration: the sandbox on this machine, no account needed.",
    ),
    "sandbox_at": (
        "沙盒已启动：{url}（Ctrl-C 停止）\n" + SANDBOX_IDS,
        "Sandbox at {url} (Ctrl-C stops it)\n" + SANDBOX_IDS,
    ),
    "sandbox_stopped": ("沙盒已停止。", "The sandbox has stopped."),
    "config_path_missing": (
        "{key}：找不到 {path}。{near}请新建它，或改正 config.yaml 里的路径。",
        "{key}: {path} does not exist.{near} Create it, or correct the path in config.yaml.",
    ),
    "config_fine": ("{path} 没有问题。", "{path} is valid."),
}
