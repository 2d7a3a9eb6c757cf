"""The help of commands and options, and click's own texts in Chinese."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

HELP: Mapping[str, str] = {
    # the program
    "Create doctors' electronic seals from a roster and a folder of pictures, never twice.": (
        "按医生名单和印章图片文件夹创建电子印章，绝不重复创建。"
    ),
    "Exit codes: 0 done · 1 program error · 2 usage or configuration · 3 some rows need attention "
    "4 stopped, fix the cause first · 5 stopped early, see the reason · 6 another run "
    "holds the lock · 7 a roster was not read · 74 ledger or disk · 130/143 interrupted": (
        "退出码：0 完成 · 1 程序错误 · 2 用法或配置有误 · 3 有行需要人工处理\n"
        "4 已停止，需先处理原因 · 5 提前停止，请看原因 · 6 另一个运行正占用台账\n"
        "7 名单没有读取 · 74 台账或磁盘出错 · 130/143 被中断"
    ),
    "Configuration (default: config.yaml in the current folder).": "配置文件（默认：当前文件夹的 config.yaml）。",
    "One hospital of profiles: in the configuration; may be repeated.": "配置 profiles 里的一家医院；可以写几次。",
    "Every hospital of the configuration.": "配置里的全部医院。",
    "Language of messages and results.": "提示和结果所用的语言。",
    "Show more; include the traceback of a program error.": "显示更多信息；程序出错时显示调用栈。",
    "Show only errors.": "只显示错误。",
    "Print data to stdout as JSON; of a run, its run.json.": "数据以 JSON 写到标准输出；运行结束时写 run.json。",
    "The options may stand before or after the command.": "选项写在命令前面或后面都可以。",
    # init
    "Write config.yaml, folders for rosters, pictures and secrets, and a roster template.": (
        "写好 config.yaml、名单、图片和密钥的文件夹，以及名单模板。"
    ),
    "On a terminal it asks for what is not given as an option. Files that exist are left alone.": (
        "在终端上会询问没有用选项给出的内容。已有的文件不改动。"
    ),
    "For the sandbox on this machine, with sample data.": "用于本机沙盒，附示例数据。",
    "Tencent's environment (default: production).": "腾讯的环境（默认：正式环境）。",
    "Agent.AppId, from the platform's e-Sign console.": "Agent.AppId，在平台的电子签控制台。",
    "The platform's id of the hospital.": "平台为医院定的编号。",
    "The platform's id of the employee who acts.": "平台为经办人定的编号。",
    "Ask nothing; what is not given stays to be filled in.": "不询问；没有给出的留待填写。",
    # doctor
    "Examine configuration, rights, disk, network, credentials, ledger and timer; change nothing.": (
        "检查配置、权限、磁盘、网络、密钥、台账和定时任务；不改动任何内容。"
    ),
    "Each line is ok, or has what to do. The exit code is that of the worst fault: 4 credentials, 74 ledger or disk, "
    "5 network, 2 configuration; 0 where there are only warnings.": (
        "每一行要么正常，要么写明怎么处理。退出码取最严重的故障：4 密钥，74 台账或磁盘，5 网络，2 配置；只有需要注意的为 0。"
    ),
    # notify
    "Send notifications.": "发送通知。",
    "Send a test message to every channel and a ping to the monitor.": "向每个通知渠道发一条测试消息，并通知监控。",
    "Exit code 5 where one of them did not take it.": "有一个没有送达时退出码为 5。",
    # schedule
    "Start a run every day: by systemd, cron or the Task Scheduler of Windows.": (
        "每天自动运行：用 systemd、cron 或 Windows 任务计划。"
    ),
    "Print the files or the line that start a run of this configuration every day.": (
        "打印每天运行本配置的文件或 cron 行。"
    ),
    "Install it for this configuration; done again, it replaces what was installed.": (
        "为本配置安装；再装一次会替换原来的。"
    ),
    "On a machine of another system it prints the files.": "在其他系统的机器上只打印文件。",
    "Local time.": "本机时间。",
    "Name of this schedule, where one host has several.": "定时任务的名称；一台机器上有几个时用来区分。",
    "systemd: as a unit of this user, without root.": "systemd：装在自己名下，不需要 root。",
    "systemd: a worker that runs all the time.": "systemd：一直运行的 worker。",
    # worker, enqueue
    "Run every hospital once a day, shared with the workers of other hosts.": (
        "每天运行每家医院一次，与其他主机上的 worker 分担。"
    ),
    "It runs until Ctrl-C or SIGTERM, on which the runs stop after the requests in progress. The hospitals' ledgers lie in one "
    "PostgreSQL database; each host has the same configuration and reaches the rosters.": (
        "一直运行到 Ctrl-C 或 SIGTERM，届时正在进行的运行等已发出的请求有了结果才结束。各医院的台账在同一个 PostgreSQL 数据库里；"
        "每台主机的配置相同，都能读到名单。"
    ),
    "Queue hospitals for the workers now, instead of at the usual time.": "现在就把医院排队交给 worker，不等到平常的时间。",
    "HOSPITAL is a profile; --all means every one. One that is queued or running already is left alone.": (
        "医院名是 profiles 里的名称；--all 表示全部。已在排队或正在运行的不变。"
    ),
    "Of several hospitals it prints one line each: last run, age, exit code, rows that wait for a decision.": (
        "选了几家医院时每家一行：最近一次运行、多久以前、退出码、待登记的行数。"
    ),
    # export, history
    "List every seal: doctor, staff number, seal name, SealId, date.": (
        "列出所有印章：医生、工号、印章名称、印章ID、日期。"
    ),
    "Write a workbook (default).": "写成工作簿（默认）。",
    "Write CSV, to stdout without --out.": "写成 CSV；不写 --out 时输出到标准输出。",
    "File to write; its ending chooses the format.": "写到这个文件；格式由扩展名决定。",
    "Only seals that this run made, and how to have them disabled.": "只列出这次运行创建的印章，以及怎样停用。",
    "Only seals of doctors who are no longer in the rosters.": "只列出已不在名单中的医生的印章。",
    "List the runs, the newest first: time, rows by status, exit code, user.": (
        "列出历次运行，最近的在前：时间、各状态的行数、退出码、用户。"
    ),
    "At most N runs, the newest (default: 30).": "最多列出最近的 N 次（默认 30）。",
    # purge
    "Remove files of earlier runs that are too old, or one doctor's data.": "删除过期的运行文件，或一位医生的数据。",
    "Without an option the ages under retention count. Key, SealId and dates of a doctor stay, and so does whatever shows "
    "that a ledger was lost.": (
        "不加选项时按配置 retention 的期限。医生的标识、印章ID和日期保留，能看出台账丢失的文件也保留。"
    ),
    "Files of runs older than this: 90d, 12w, 1y.": "比这更早的运行的文件：90d、12w、1y。",
    "This doctor's data; QUERY as in explain.": "这位医生的数据；QUERY 与 explain 相同。",
    "Do not ask before removing.": "删除前不再询问。",
    # ledger backup
    "FILE is a folder: keep the newest N copies in it.": "FILE 是文件夹：其中只保留最近的 N 份。",
    # check, run, retry
    "Read, pair, validate and plan; send nothing.": "读取、配对、检查并列出计划；不发送任何内容。",
    "Create the seals that are missing; safe to repeat.": "创建还没有的印章；可以放心重复运行。",
    "Send failed, rejected and unsent rows again.": "重新提交失败、待改和未提交的行。",
    "Those of the last run, its rosters read anew, or those of an edited results workbook.": (
        "不写文件：上次运行留下的行，名单重新读取；写结果表：其中改好的行。"
    ),
    "Seal pictures: a folder or a zip.": "印章图片：文件夹或 zip。",
    "Folder for the results.": "存放结果的文件夹。",
    "Write how the columns were read under columns: in the configuration.": "把列名的识别结果写入配置的 columns。",
    "Create at most N seals.": "最多创建 N 枚印章。",
    "Do not ask before sending.": "发送前不再询问。",
    "Run even if a safety check would stop it.": "即使触发保护，本次也继续。",
    "Use this ledger even though earlier results or the registry show another.": "即使以前的结果或本机登记指向另一个台账，也使用这里的台账。",
    "Review file saved from review.html; seals marked wrong are skipped.": "review.html 保存的核对结果：判错的不提交。",
    # status, report, explain
    "Show one doctor's history across runs.": "一位医生历次运行的完整经过。",
    "QUERY is a name, staff number, last four digits, whole number, seal name, SealId, RequestId or trace id; of several "
    "words all must fit the doctor.": (
        "QUERY 是姓名、工号、证件后四位或完整号码、印章名称、印章ID、RequestId 或 TraceId；写几个词时须同时符合。"
    ),
    "Show what the ledger holds: seals, unknown rows, last run.": "台账的现状：印章、结果未知的行、最近一次运行。",
    "Rebuild the results of a run from the ledger and its rosters.": "用台账和名单重新生成某次运行的结果。",
    "Run to rebuild (default: the last).": "要重新生成的运行（默认：最近一次）。",
    # resolve, certify
    "Resolve rows that are unknown, exist, have changed or are on hold.": (
        "登记结果未知、名称已存在、内容有变或被搁置的行的结论。"
    ),
    "Without a QUERY all of them are listed. QUERY is a name, staff number, last four digits, seal name or trace id.": (
        "不写 QUERY 就列出全部。QUERY 是姓名、工号、证件后四位、印章名称或 TraceId。"
    ),
    "It was created, with this SealId.": "已创建：这是它的印章ID。",
    "It was not created: the next run sends it again.": "没有创建：下次运行会再提交。",
    "Send the identical request again (only once `certify` allows it).": "再发一次相同的请求（须先由 certify 验证）。",
    "Ask the service; it can confirm a seal, but not rule one out.": "向腾讯查询；只能证实，不能否定。",
    "The current roster is right, the seal stays; of a held picture: it is this doctor's.": "名单现在的内容是对的，印章不变；图片待定的行：图片是此人的。",
    "Abandon this seal, which stays valid until it is disabled: the next run creates a new one.": "放弃这枚印章（停用之前它仍然有效）：下次运行会新建一枚。",
    "With --replace: the name of the new seal.": "与 --replace 同用：新印章的名称。",
    "Corrected number of the same person: the seal stays.": "号码是改正后的，是同一人：原印章不变。",
    "Another person's number: the next run sends it.": "号码属于另一人：下次运行会提交。",
    "Kept with the decision.": "与结论一起保存的理由。",
    "With --not-created: known from another source than not finding a seal. With --keep, --replace: one person.": (
        "与 --not-created 同用：不是因为没找到，而是另有把握；与 --keep、--replace 同用：确是同一人。"
    ),
    "The seal with this name is another person's: the next run uses another name.": (
        "同名印章是他人的：下次运行改用别的名称。"
    ),
    "Find out what this tenant refuses and shows.": "验证本租户会拒绝什么、在哪里能看到导入的印章。",
    "QUERY names one sealed doctor: name, staff number, seal name or SealId. With --console, --audit-log or --auto-sign it "
    "is recorded whether that place shows the seal; only then, for 90 days, not finding another one there counts.": (
        "QUERY 指定一位已有印章的医生（姓名、工号、印章名称或印章ID）。"
        "用 --console、--audit-log 或 --auto-sign 登记那里能否看到这枚印章；此后 90 天内，在那里没找到才算数。"
    ),
    "Without them the doctor's create is sent again. Where it is refused, `unknown: probe` and `resolve --probe` are allowed "
    "for 90 days; else the doctor has a second seal.": (
        "不写它们，就把该医生的创建请求再发一次。"
        "若被拒绝，90 天内可以用 unknown: probe 和 resolve --probe；否则该医生会有第二枚印章。"
    ),
    "Whether the console shows the doctor's seal.": "控制台能否看到该医生的印章。",
    "Whether the audit log shows the doctor's seal.": "审计日志能否看到该医生的印章。",
    "Ask the service for the doctor's seal and record the answer.": "向腾讯查询该医生的印章，并登记答复。",
    "Kept with the record.": "与登记一起保存的理由。",
    "The doctor consents to a second seal, should the service make one.": "该医生同意：万一创建出第二枚印章也可以。",
    # adopt, ledger
    "Import existing seals from a sheet with number and SealId, or an old results.xlsx.": (
        "登记在别处创建的印章：含证件号码和印章ID的表，或旧的 results.xlsx。"
    ),
    "They are unchanged from then on. Also the way to begin a new ledger after the old one was lost.": (
        "登记之后它们就是“未变”。台账丢失后，也可以用它开始新的台账。"
    ),
    "Kept with every seal.": "与每枚印章一起保存的理由。",
    "Manage the ledger: backup, restore, rebuild, check, move.": "台账的备份、恢复、重建、核对和迁移。",
    "Move the ledger from its file to a PostgreSQL server (postgresql://…), or from the server into a new FILE.": (
        "把台账从文件迁到 PostgreSQL 服务器（postgresql://…），或从服务器迁到新文件 FILE。"
    ),
    "Everything is copied and compared before the former ledger is retired. After an interruption, type it again.": (
        "全部复制并逐行比对之后，原来的台账才停用。中断后再运行一次即可。"
    ),
    "Copy ledger, key and receipts into one new FILE (0600); may be done during a run.": (
        "把台账、密钥和回执复制到一个新文件 FILE（0600）；运行期间也可以做。"
    ),
    "Of a folder FILE is a new file in it, named by the time.": "FILE 是文件夹时，在其中写一个按时间命名的新文件。",
    "Restore a lost or damaged ledger from the backup FILE.": "用备份 FILE 恢复丢失或损坏的台账。",
    "Rebuild a lost, damaged or older ledger from receipts.jsonl and the key.": "由 receipts.jsonl 和密钥重建丢失、损坏或较旧的台账。",
    "Compare ledger, key and receipts; exit 74 if they do not agree.": "核对台账、密钥和回执；不一致时退出码为 74。",
    # config
    "Show or validate the configuration.": "查看或验证配置。",
    "Find all errors in the configuration; exit 2 if there is one.": "找出配置的全部错误；有错误时退出码为 2。",
    "Print the effective configuration: file, environment and defaults together.": (
        "打印实际生效的配置：文件、环境变量和默认值合在一起。"
    ),
    "Print the script with which a shell completes commands, options and files.": (
        "打印命令行补全脚本：补全命令、选项和文件名。"
    ),
    "Print the CAM policy that allows the calls of this program and nothing else.": (
        "打印 CAM 策略：只允许本程序的调用，别的都不允许。"
    ),
    "Create it in Tencent Cloud's console (CAM, policies, by syntax) and give it to a sub-account for this program alone.": (
        "在腾讯云控制台（访问管理 → 策略 → 按策略语法创建）新建，授予只供本程序使用的子账号。"
    ),
    "Print the JSON Schema of config.yaml, with which an editor completes and checks its keys.": (
        "打印 config.yaml 的 JSON Schema；编辑器可用它补全和检查各项。"
    ),
    # demo, sandbox
    "Run the whole import on sample data; no account is needed.": "用示例数据把整个流程跑一遍；不需要账号。",
    "The service is the built-in sandbox on 127.0.0.1. State and results lie in demo/ and survive: a second "
    "demo sends nothing twice. Exit code 3 is right: the sample holds rows with troubles on purpose.": (
        "服务是本机 127.0.0.1 上的内置沙盒。台账和结果留在 demo/ 里：第二次运行不会重复提交。"
        "退出码 3 是对的：示例名单里故意放了有问题的行。"
    ),
    "Run a stand-in for the service on 127.0.0.1.": "在 127.0.0.1 上运行一个替身服务（沙盒）。",
    "It answers until Ctrl-C; GET /_truth lists what it made.": "按 Ctrl-C 停止；GET /_truth 可以看到它创建了什么。",
    "On 127.0.0.1; 0 = any.": "127.0.0.1 的端口；0 = 任意。",
    "Faults to inject.": "要注入的故障。",
    "How calls are counted.": "怎样限流。",
    "Calls a second.": "每秒次数。",
    "Seconds an answer takes.": "每次应答要几秒。",
    "Seconds of arrival jitter.": "到达时间的抖动，秒。",
    "How SealImage is taken.": "怎样对待 SealImage。",
    "Response to a duplicate seal name.": "印章名称重复时怎样答复。",
    "File that keeps created seals between restarts.": "在重启之间保存已创建印章的文件。",
}

# click's own texts: ``pipeline/cli/locale`` holds them as `gettext` reads them, made by ``tools/compile_messages.py``
CHINESE: Mapping[str, str] = {
    "Usage:": "用法：",
    "Options": "选项",
    "Commands": "命令",
    "Positional arguments": "参数",
    "[OPTIONS]": "[选项]",
    "COMMAND [ARGS]...": "命令 [参数]...",
    "Show the version and exit.": "显示版本后退出。",
    "Show this message and exit.": "显示本说明后退出。",
    "default: {default}": "默认：{default}",
    "env var: {var}": "环境变量：{var}",
    "required": "必填",
    "(dynamic)": "（按情况而定）",
    "deprecated": "已停用",
    "Error: {message}": "错误：{message}",
    "Try '{command} {option}' for help.": "用法说明：{command} {option}",
    "Did you mean {possibility}?": "是不是 {possibility}？",
    "(Did you mean one of: {possibilities}?)": "（是不是其中之一：{possibilities}？）",
    "Missing command.": "没有写命令。",
    "No such command {name!r}.": "没有 {name!r} 这个命令。",
    "No such option {name!r}.": "没有 {name!r} 这个选项。",
    "Missing argument": "缺少参数",
    "Missing option": "缺少选项",
    "Missing parameter": "缺少参数",
    "Missing {param_type}": "缺少 {param_type}",
    "Missing parameter: {param_name}": "缺少参数：{param_name}",
    "Got unexpected extra argument ({args})": "多出了参数（{args}）",
    "Got unexpected extra arguments ({args})": "多出了参数（{args}）",
    "Option {name!r} does not take a value.": "选项 {name!r} 后面不能写值。",
    "Option {name!r} requires an argument.": "选项 {name!r} 后面要写值。",
    "Option {name!r} requires {nargs} arguments.": "选项 {name!r} 后面要写 {nargs} 个值。",
    "Argument {name!r} takes {nargs} values.": "参数 {name!r} 要写 {nargs} 个值。",
    "Takes {nargs} values but 1 was given.": "要写 {nargs} 个值，只写了 1 个。",
    "Takes {nargs} values but {len} were given.": "要写 {nargs} 个值，写了 {len} 个。",
    "{len_type} values are required, but {len_value} was given.": "要写 {len_type} 个值，写了 {len_value} 个。",
    "{len_type} values are required, but {len_value} were given.": "要写 {len_type} 个值，写了 {len_value} 个。",
    "Value must be an iterable.": "应为一列值。",
    "Invalid value: {message}": "值不对：{message}",
    "Invalid value for {param_hint}: {message}": "{param_hint} 的值不对：{message}",
    "Choose from:\n\t{choices}": "可选：\n\t{choices}",
    "{value!r} is not {choice}.": "{value!r} 不是 {choice}。",
    "{value!r} is not one of {choices}.": "{value!r} 不在可选的 {choices} 之中。",
    "{value!r} is not a valid {number_type}.": "{value!r} 不是{number_type}。",
    "{value} is not in the range {range}.": "{value} 超出范围（{range}）。",
    "{value!r} is not a valid boolean. Recognized values: {states}": "{value!r} 不是“是”或“否”；可以写 {states}",
    "{value!r} is not a valid UUID.": "{value!r} 不是 UUID。",
    "{value!r} does not match the format {format}.": "{value!r} 不合格式 {format}。",
    "{value!r} does not match the formats {formats}.": "{value!r} 不合格式 {formats}。",
    "{name} {filename!r} does not exist.": "找不到 {filename!r}。",
    "{name} {filename!r} is a file.": "{filename!r} 是文件，应为文件夹。",
    "{name} {filename!r} is a directory.": "{filename!r} 是文件夹，应为文件。",
    "{name} {filename!r} is not readable.": "{filename!r} 不能读取。",
    "{name} {filename!r} is not writable.": "{filename!r} 不能写入。",
    "{name} {filename!r} is not executable.": "{filename!r} 不能执行。",
    "Could not open file {filename!r}: {message}": "无法打开 {filename!r}：{message}",
    "unknown error": "原因不明",
    "file": "文件",
    "directory": "文件夹",
    "path": "路径",
    "Aborted!": "已中止。",
    "Do you want to continue?": "继续吗？",
    "Confirm the action without prompting.": "不再询问，直接执行。",
    "Error: invalid input": "错误：请回答 y 或 n",
    "Repeat for confirmation": "请再输入一次",
    "Error: The two entered values do not match.": "错误：两次输入的不一样。",
    "Press any key to continue...": "按任意键继续……",
    "Couldn't detect Bash version, shell completion is not supported.": "认不出 Bash 的版本，不能自动补全。",
    "Shell completion is not supported for Bash versions older than 4.4.": "Bash 4.4 以前的版本不能自动补全。",
    "Windows error: {error}": "Windows 错误：{error}",
}

# the same in the plural, where click asks for one of two
PLURALS: Mapping[str, str] = {
    "Got unexpected extra argument ({args})": "Got unexpected extra arguments ({args})",
    "Takes {nargs} values but 1 was given.": "Takes {nargs} values but {len} were given.",
    "{len_type} values are required, but {len_value} was given.": (
        "{len_type} values are required, but {len_value} were given."
    ),
    "{value!r} is not {choice}.": "{value!r} is not one of {choices}.",
    "{value!r} does not match the format {format}.": "{value!r} does not match the formats {formats}.",
    "Did you mean {possibility}?": "(Did you mean one of: {possibilities}?)",
    "Option {name!r} requires an argument.": "Option {name!r} requires {nargs} arguments.",
}

# the names that click gives to kinds of numbers, which it does not translate
KINDS: Mapping[str, tuple[str, str]] = {
    "a valid integer range": ("整数", "a whole number"),
    "a valid float range": ("数字", "a number"),
    "integer range": ("整数", "a whole number"),
    "float range": ("数字", "a number"),
}
# how a range is written in either language: pattern -> replacement
RANGES: Sequence[tuple[str, str]] = (
    (r"\b(\S+)<=x<=(\S+)", r"\1-\2"),
    (r"\bx>=(\S+)", r">= \1"),
    (r"\bx>(?=\S)", "> "),
)
# in Chinese: no blank after a wide stop, quotes and commas of its own, a stop of its own at the end
STOPS: Sequence[tuple[str, str]] = (
    (r"(?<!\w)'([^']*)'", r"“\1”"),
    (r"”, (?=“)", "”、"),
    (r"(?<=[^\x00-\x7f]) (?=“)", ""),
    (r"(?<=[，。、；：？！）”]) +(?=[^\x00-\x7f])", ""),
    (r"(?<=[^\x00-\x7f])\.(?=\s|$)", "。"),
    (r"。（(.*？)）$", r"。\1"),
    (r"(?<=[^。？！：])$", "。"),
)
