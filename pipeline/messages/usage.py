"""Texts of wrong usage, and of the commands that only show: `status`, `explain`, `report`, `export`, `history`; Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

USAGE_TEXTS: Mapping[str, tuple[str, str]] = {
    "usage.placeholders": ("{place} 里还没有填写：{keys}", "{place}: not filled in: {keys}"),
    "usage.near": ("是不是 {name}？", " Did you mean {name}?"),
    "usage.not_unicode": (
        "文件夹名 {path} 不是 UTF-8 编码（可能是 GBK），无法记入台账；请改名后再试。",
        "The folder name {path} is not UTF-8 (it may be GBK) and cannot be stored in the ledger; rename the folder and try again.",
    ),
    "usage.no_pictures": (
        "{path}：不是图片文件夹，也不是 zip；请写文件夹或 .zip 文件。",
        "{path} is neither a picture folder nor a zip; specify a folder or a .zip file.",
    ),
    "usage.out_is_a_file": (
        "{file} 是文件，不能存放结果；请用 --out 写一个文件夹。",
        "{file} is a file and cannot hold results; specify a folder with --out.",
    ),
    "usage.no_certificate": (
        "{path}（配置里的 api.ca_file）里没有可用的证书；请写 PEM 格式的证书文件（-----BEGIN CERTIFICATE-----）。没有提交任何内容。",
        "{path} (api.ca_file in the configuration) contains no usable certificate; specify a PEM file (-----BEGIN CERTIFICATE-----). Nothing was sent.",
    ),
    "usage.configured_missing": (
        "找不到 {path}（配置里的 {key}）。是不是共享盘没有连上，或路径写错了？没有提交任何内容。",
        "{path} ({key} in the configuration) does not exist. Check that shared folders are connected and the path is spelled correctly. Nothing was sent.",
    ),
    "usage.results_as_roster": (
        "这是结果表，不是名单；要提交其中改好的行，请用 retry 命令。",
        "This is a results workbook, not a roster; to send its corrected rows, use retry.",
    ),
    "usage.roster_unknown": (
        "{place}：找不到这份结果表的名单，这一行也不在 {rosters} 中；请把结果表放进它的名单所在的文件夹，再运行 run（不是默认文件夹时，在 run 后面写上该文件夹）。",
        "{place}: the roster of this workbook was not found, and the row is in none of {rosters}; put the workbook into the folder of its roster and use run (add that folder after run if it is not the default folder).",
    ),
    "usage.unreadable_password": ("{path}：无法按文本读取", "{path}: cannot be read as text"),
    "usage.not_certified": (
        "unknown: probe 需要证据：{days} 天内、接口 {contract} 下，本租户会拒绝第二次相同的创建。请运行 `esign-import certify`，或改为 unknown: hold。",
        "unknown: probe needs proof that this tenant refuses a second identical submission, at most {days} days old and for contract {contract}: run `esign-import certify`, or set unknown: hold.",
    ),
    "usage.no_ocr": (
        'pictures.ocr 为 true，但没有安装扩展 ocr：请运行 pip install "esign-import[ocr]"，或改为 pictures.ocr: false。',
        'pictures.ocr is true, but the extra "ocr" is not installed: run pip install "esign-import[ocr]", or set pictures.ocr: false.',
    ),
    # from Python
    "usage.loop_runs": (
        "事件循环正在运行，不能调用 pipeline.run()：请用 `await pipeline.run_async(...)`。",
        "pipeline.run() cannot be called while an event loop is running: use `await pipeline.run_async(...)`.",
    ),
    "usage.limit": (
        "limit={limit!r}：应为不小于 1 的整数",
        "limit={limit!r}: must be a whole number of at least 1",
    ),
    "usage.limiter": (
        "limiter 是 {kind}，缺少 {missing}：请从 pipeline.Limiter 派生一个类，只需写 `async def acquire(self, action)`。",
        "limiter is of type {kind} and lacks {missing}: derive a class from pipeline.Limiter; only `async def acquire(self, action)` has to be written.",
    ),
    "usage.argument": (
        "{name} 不能是 {kind}，应为 {expected}",
        "{name} cannot be of type {kind}; it must be {expected}",
    ),
    "usage.ledger_and_key": (
        "ledger 和 site_key 必须一起给出，site_key 为 {bytes} 字节。",
        "ledger and site_key must be given together; site_key has {bytes} bytes.",
    ),
    # a bug
    "usage.sums": (
        "结果的合计对不上，没有写出；这是程序错误：{faults}",
        "The results do not add up and were not written; this is a program error: {faults}",
    ),
    "sums.no_seal_id": (
        "{place}的状态是 {status}，却没有印章ID",
        "{place} has status {status} without a SealId",
    ),
    "sums.ready": ("{place}在 {command} 之后仍是 ready", "{place} is still ready after {command}"),
    "sums.twice": ("{place}出现了两次", "{place} appears twice"),
    "sums.file": (
        "第 {number} 个文件：读取 {read} 行，结果里有 {found} 行",
        "file {number}: {read} rows read, {found} in the results",
    ),
    "sums.row": ("第 {row} 行", "row {row}"),
    "sums.row_of_sheet": ("工作表 {sheet!r} 第 {row} 行", "row {row} of sheet {sheet!r}"),
    # ---- `status`, `explain`, `report`
    "status_ledger": ("台账 {path}（{tenant}）", "Ledger {path} ({tenant})"),
    "status_none": ("还没有台账：尚未运行过。", "No ledger yet: no run so far."),
    "status_mended": (
        "先处理好上面说的原因，然后输入：",
        "Fix what is described above first, then run:",
    ),
    "status_lost": (
        "找不到台账，但 {path} 说明以前发送过；请先恢复台账文件和它的 .key。",
        "The ledger is missing, but {path} shows that seals were sent; restore the ledger and its .key first.",
    ),
    "status_people": (
        "有印章 {sealed} 人 · 未知 {unknown} 人 · 被拒绝 {refused} 人",
        "People with a seal: {sealed} · unknown: {unknown} · refused: {refused}",
    ),
    "status_in_flight": (
        "正在提交、还没有应答：{n} 人（不用登记，等这次运行结束）",
        "Sent, not answered yet: {n} (no action needed while the run is in progress)",
    ),
    "status_unknown": (
        "  未知：{name} {seal_name} {at} TraceId {trace}",
        "  unknown: {name} {seal_name} {at} TraceId {trace}",
    ),
    "status_run": (
        "最近一次 {run}：{command}，{finished} 结束，退出码 {exit}（{why}）",
        "Last run {run}: {command}, ended {finished}, exit code {exit} ({why})",
    ),
    "age.minutes": ("{n} 分钟", "{n} min"),
    "age.hours": ("{n} 小时", "{n} h"),
    "age.days": ("{n} 天", "{n} days"),
    "status_line.never": ("{name}：还没有运行过", "{name}: no run so far"),
    "status_line.unread": ("{name}：读不出来，退出码 {exit}", "{name}: cannot be read, exit code {exit}"),
    "status_line.ended": (
        "{name}：{finished} 结束（{age}前），退出码 {exit}（{why}），待人工登记 {waiting}",
        "{name}: ended {finished} ({age} ago), exit code {exit} ({why}), waiting for a decision: {waiting}",
    ),
    "status_line.running": (
        "{name}：{started} 开始（{age}前），正在进行，待人工登记 {waiting}",
        "{name}: started {started} ({age} ago), in progress, waiting for a decision: {waiting}",
    ),
    "status_line.cut": (
        "{name}：{started} 开始（{age}前），中途停止，待人工登记 {waiting}",
        "{name}: started {started} ({age} ago), interrupted, waiting for a decision: {waiting}",
    ),
    "status_running": (
        "运行 {run}：{command}，{started} 开始，正在进行",
        "Run {run}: {command}, started {started}, in progress",
    ),
    "status_cut": (
        "最近一次 {run}：{command}，{started} 开始，中途停止",
        "Last run {run}: {command}, started {started}, interrupted",
    ),
    "exit.0": ("完成", "done"),
    "exit.1": ("程序内部错误", "program error"),
    "exit.2": ("用法或配置有误，没有发送", "usage or configuration error, nothing sent"),
    "exit.3": ("完成，有行需要人工处理", "done, some rows need attention"),
    "exit.4": ("已停止，需先处理原因", "stopped: fix the cause first"),
    "exit.5": ("提前停止，请看原因", "stopped early: see the reason"),
    "exit.6": ("另一次运行正在进行", "another run was in progress"),
    "exit.7": ("有名单没有读取", "a roster was not read"),
    "exit.74": ("台账或磁盘出错", "ledger or disk error"),
    "exit.130": ("被 Ctrl-C 中断", "interrupted by Ctrl-C"),
    "exit.143": ("被系统终止", "terminated"),
    "status_settle": (
        "{n} 人的提交结果未知，查清前不会再提交。要查看并登记，请输入：",
        "Submissions with an unknown result: {n}. They are not sent again until resolved. To list and resolve them, run:",
    ),
    "status_killed": (
        "上次运行中途停止。已发出的都在台账里，不会重复；要接着做，请输入：",
        "The last run was interrupted. Everything sent is in the ledger and is not sent twice. To continue, run:",
    ),
    "status_under_way": ("有一个运行还在进行。过一会儿再看：", "A run is in progress. Check again later:"),
    "status_interrupted": (
        "上次运行被中断。要接着做，请输入：",
        "The last run was interrupted. To continue, run:",
    ),
    "status_halted": (
        "先处理让它停止的原因（在此之前重跑没有用），然后输入：",
        "Fix the cause of the stop first, then run:",
    ),
    "status_later": (
        "上次运行提前停了，余下的行还没有提交。要接着做，请输入：",
        "The last run stopped early. To send the remaining rows, run:",
    ),
    "status_refused": (
        "{n} 个名单文件没有读取或没有读全（原因在结果表的“汇总”里）。改好之后，请输入：",
        "Roster files not read: {n} (or only in part; see the sheet Summary for the reason). After correcting them, run:",
    ),
    "status_disk": (
        "上次运行时台账或磁盘出错。先核对台账：",
        "The ledger or the disk failed in the last run. Check the ledger first:",
    ),
    "status_done": (
        "上次运行没有留下要做的事。名单更新之后，请输入：",
        "Nothing left to do after the last run. When the roster has changed, run:",
    ),
    "status_decided": (
        "上次运行留下的行都已登记，没有要人工处理的。要按登记的结果更新印章和结果表，请输入：",
        "Every row that the last run left open has been decided. To bring seals and results up to date, run:",
    ),
    "status_correct": (
        "还有行要改正：打开 {path}，在“{sheet}”里改好黄色格并保存；把它放进名单文件夹，下次运行会自动提交；要马上提交，输入：",
        "There are rows to correct: open {path}, correct the yellow cells of “{sheet}” and save. Put it into the roster folder for the next run; to send them at once, run:",
    ),
    "status_correct_copy": (
        "还有行要改正。名单负责人：打开 {copies} 里的标记副本（没有副本的名单见下面的工作表），改黄色格（没有黄色格的行，按“原因”列放好图片），存到名单文件夹覆盖原名单，下次运行会自动提交。信息科：要马上提交，在 {path} 的“{sheet}”里改好并保存，然后输入：",
        "There are rows to correct. Roster owner: open the marked copies in {copies} (rosters without one: the sheet below), correct the yellow cells (for rows without one, put the picture in place, see the reason) and save them over the rosters; the next run sends them. IT: to send them at once, correct the sheet “{sheet}” of {path}, save, then run:",
    ),
    "status_correct_roster": (
        "还有行要改正：请在名单里改好（结果表不在原处，或其路径不能显示），然后输入：",
        "There are rows to correct: correct them in the roster (the workbook is missing, or its path is not shown), then run:",
    ),
    "status_look": (
        "还有行要人工处理，见 {path}。要看待查清和有变化的行，请输入：",
        "There are rows that need attention, see {path}. To list unknown and changed rows, run:",
    ),
    "explain_nobody": (
        """没有医生与“{query}”相符。
  查过：台账 {path}，以及 {out} 里各次运行的结果
  按：姓名、工号、证件末四位、印章名称、印章ID、RequestId、TraceId（都要写完整）
  还没有运行过的名单不在其中，请用 check 查看。""",
        """No doctor matches “{query}”.
  Searched in: the ledger {path}, and the results of runs in {out}
  Searched for: name, staff number, last four digits, seal name, SealId, RequestId or TraceId (each complete)
  Rosters that no run has read yet are not included; use check for them.""",
    ),
    "explain_similar": ("  相近的有：{names}", "  Similar: {names}"),
    "run_made_again": (
        "台账是由回执还原的，不再知道运行 {run} 的各行；{out} 里的结果保持原样。",
        "The ledger was rebuilt from its receipts and no longer has the rows of run {run}; its results in {out} stay as they are.",
    ),
    "no_run": (
        "台账里没有运行 {run}；最近的是：{known}。",
        "The ledger has no run {run}; the latest are: {known}.",
    ),
    "no_last_run": ("台账里还没有运行记录，没有可重试的。", "The ledger has no run yet: nothing to retry."),
    "no_run_yet": (
        "台账里还没有运行记录，没有可重新生成的结果。",
        "The ledger has no run yet: no results to rebuild.",
    ),
    # ---- `export` and `history`
    "seals.sheet": ("印章", "Seals"),
    "seals.name": ("姓名", "Name"),
    "seals.id_masked": ("证件号码", "Identity number"),
    "seals.staff_no": ("工号", "Staff number"),
    "seals.seal_name": ("印章名称", "Seal name"),
    "seals.seal_id": ("印章ID", "SealId"),
    "seals.created": ("创建时间", "Created"),
    "seals.run": ("运行", "Run"),
    "seals.in_roster": ("在名单中", "In the roster"),
    "seals.state": ("状态", "State"),
    "seals.abandoned": ("放弃时间", "Abandoned"),
    "seals.is_live": ("有效", "live"),
    "seals.is_abandoned": ("已放弃，停用之前仍然有效", "abandoned, valid until it is disabled"),
    "seals.abandoned_too": (
        "其中 {n} 枚已用 resolve --replace 放弃。腾讯停用之前它们仍然有效：请把印章ID交给腾讯客户经理停用；已停用的不用再处理。",
        "Of these, abandoned with resolve --replace: {n}. They stay valid until Tencent disables them: give the SealIds to your Tencent account manager. Ignore those that are disabled already.",
    ),
    "seals.yes": ("是", "yes"),
    "seals.no": ("否", "no"),
    "seals.notes": ("怎么处理", "What to do"),
    "seals.revoke.1": (
        "这些印章由运行 {run} 创建。本程序不能停用印章，也没有文档写明哪个接口能停用个人印章：请把印章ID交给腾讯客户经理停用。",
        "Run {run} created these seals. This program cannot disable a seal, and no call is documented to disable a personal one: give the SealIds to your Tencent account manager to disable them.",
    ),
    "seals.revoke.2": (
        "停用之后登记：esign-import resolve 印章ID --replace，改正名单或图片，下次运行会新建；不需要新印章的，从名单中删去该医生。",
        "After that record it: esign-import resolve SEAL_ID --replace, correct the roster or the picture, and the next run creates a new seal; remove doctors who need none from the roster.",
    ),
    "seals.revoke.3": (
        "只登记而不停用，旧印章仍然有效。",
        "Recording alone does not disable a seal.",
    ),
    "seals.leavers.1": (
        "这些医生不在最近一次完整运行的名单中，但印章仍然有效。先核对是不是离职，还是名单漏了。",
        "These doctors are not in the rosters of the last complete run, but their seals are still valid. Check first whether they have left, or the roster is incomplete.",
    ),
    "seals.leavers.2": (
        "确已离职的：请平台用 ChannelDisableUserAutoSign 关闭授权签（不需要医生同意），并请腾讯客户经理停用印章。",
        "Of those who have left: let the platform switch off auto-sign with ChannelDisableUserAutoSign (the doctor need not agree), and ask your Tencent account manager to disable the seal.",
    ),
    "export.done": ("共 {n} 枚印章。", "Seals: {n}."),
    "export.file": ("已写入 {path}", "Written to {path}"),
    "export.no_run": ("台账里没有运行 {run}。", "The ledger has no run {run}."),
    "export.no_complete_run": (
        "还没有完整读取名单的运行，无法判断谁已离开。",
        "No run has read the rosters completely yet, so it is not known who has left.",
    ),
    "export.ending": (
        "{path}：文件名须以 {known} 之一结尾，并与选项一致。",
        "{path}: the name must end with one of {known} and fit the option.",
    ),
    "history.line": (
        "{run}  {command}  {started}  退出码 {exit}{halt}  文件 {files}  {counts}  {user}{accepted}",
        "{run}  {command}  {started}  exit {exit}{halt}  files {files}  {counts}  {user}{accepted}",
    ),
    "history.accepted": ("（确认放过保护）", " (accepted the guards)"),
    "history.none": ("还没有运行过。", "No run yet."),
}
