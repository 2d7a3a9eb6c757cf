"""What `status`, `explain` and `report` say, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "status_ledger": ("台账 {path}（{tenant}）", "Ledger {path} ({tenant})"),
    "status_none": ("还没有台账：尚未运行过。", "No ledger yet: nothing has run."),
    "status_no_ledger": ("还没有台账：没有提交过任何印章。", "There is no ledger yet: nothing was sent."),
    "status_mended": (
        "先处理好上面说的原因，然后输入：",
        "First put right what is said above, then type:",
    ),
    "status_lost": (
        "找不到台账，但 {path} 说明以前发送过；请先恢复台账文件和它的 .key。",
        "The ledger is not there, but {path} tells that something was sent; restore the ledger and its .key first.",
    ),
    "status_people": (
        "有印章 {sealed} 人 · 未知 {unknown} 人 · 被拒绝 {refused} 人",
        "People with a seal: {sealed} · unknown: {unknown} · refused: {refused}",
    ),
    "status_in_flight": (
        "正在提交、还没有应答：{n} 人（不用登记，等这次运行结束）",
        "On their way, not answered yet: {n} (nothing to settle while the run goes on)",
    ),
    "status_unknown": (
        "  未知：{name} {seal_name} {at} TraceId {trace}",
        "  unknown: {name} {seal_name} {at} TraceId {trace}",
    ),
    "status_run": (
        "最近一次 {run}：{command}，{finished} 结束，退出码 {exit}（{why}）",
        "Last run {run}: {command}, ended {finished}, exit {exit} ({why})",
    ),
    "status_running": (
        "运行 {run}：{command}，{started} 开始，正在进行",
        "Run {run}: {command}, began {started}, under way",
    ),
    "status_cut": (
        "最近一次 {run}：{command}，{started} 开始，没有走完",
        "Last run {run}: {command}, began {started}, cut short",
    ),
    "exit.0": ("完成", "done"),
    "exit.1": ("程序内部错误", "a bug"),
    "exit.2": ("用法或配置有误，没有发送", "usage or configuration, nothing was sent"),
    "exit.3": ("完成，有行需要人工处理", "done, some rows need somebody"),
    "exit.4": ("已停止，重跑无用", "halted, a rerun cannot help"),
    "exit.5": ("提前停止，重跑有用", "stopped early, a rerun will help"),
    "exit.6": ("另一次运行正在进行", "another run was under way"),
    "exit.7": ("有名单没有读成", "a roster was refused"),
    "exit.74": ("台账或磁盘出错", "ledger or disk"),
    "exit.130": ("被 Ctrl-C 中断", "interrupted by Ctrl-C"),
    "exit.143": ("被系统终止", "terminated"),
    "status_settle": (
        "{n} 人的提交没有结论，查清前不会再提交。要查看并登记，请输入：",
        "Creates without a verdict: {n}; held until they are settled. To see and settle them, type:",
    ),
    "status_killed": (
        "上次运行没有走完就停了。已发出的都在台账里，不会重复；要接着做，请输入：",
        "The last run was cut short. What was sent is in the ledger and is never sent twice; to go on, type:",
    ),
    "status_under_way": ("有一个运行还在进行。过一会儿再看：", "A run is under way. Look again later:"),
    "status_interrupted": (
        "上次运行被人中断。要接着做，请输入：",
        "The last run was interrupted. To go on, type:",
    ),
    "status_halted": (
        "先排除停止的原因（在此之前重跑没有用），然后输入：",
        "First remove the cause of the halt (a rerun will not help before), then type:",
    ),
    "status_later": (
        "上次运行提前停了，余下的行还没有提交。要接着做，请输入：",
        "The last run stopped early. To send the rest, type:",
    ),
    "status_refused": (
        "{n} 个名单文件没有读成（原因在结果表的“汇总”里）。改好之后，请输入：",
        "Roster files refused: {n} (the sheet Summary says why). Once that is put right, type:",
    ),
    "status_disk": (
        "上次运行时台账或磁盘出错。先核对台账：",
        "Ledger or disk failed in the last run. Check the ledger first:",
    ),
    "status_done": (
        "上次运行没有留下要做的事。名单更新之后，请输入：",
        "The last run left nothing to do. When the roster has changed, type:",
    ),
    "status_correct": (
        "还有行要改正：打开 {path}，在“{sheet}”里改好黄色格并保存，然后输入：",
        "Rows wait to be corrected: open {path}, correct the yellow cells of “{sheet}”, save, then type:",
    ),
    "status_correct_roster": (
        "还有行要改正：请在名单里改好（结果表不在原处，或其路径不能显示），然后输入：",
        "Rows wait to be corrected: correct them in the roster (the workbook is gone, or its path is not shown), then type:",
    ),
    "status_look": (
        "还有行要人工处理，见 {path}。要看待查清和有变化的行，请输入：",
        "Rows wait for somebody, see {path}. To see those without a verdict and those that differ, type:",
    ),
    "explain_nobody": (
        """没有医生与“{query}”相符。
  查过：台账 {path}，以及 {out} 里各次运行的结果
  按：姓名、工号、证件末四位、印章名称、印章ID、RequestId、TraceId（都要写完整）
  还没有运行过的名单不在其中，请用 check 查看。""",
        """No doctor answers to “{query}”.
  Searched: the ledger {path}, and the runs in {out}
  For: a whole name, staff number, last four, seal name, SealId, RequestId or trace id
  A roster that no run has read yet is not among them; check looks at it.""",
    ),
    "explain_similar": ("  相近的有：{names}", "  Similar: {names}"),
    "run_made_again": (
        "台账是由回执还原的，不再知道运行 {run} 的各行；{out} 里的结果保持原样。",
        "The ledger was made again from its receipts and no longer knows the rows of run {run}; its results in {out} stay as they are.",
    ),
    "no_run": (
        "台账里没有运行 {run}；最近的是：{known}。",
        "The ledger knows no run {run}; the last ones are: {known}.",
    ),
    "no_last_run": ("台账里还没有运行记录，没有可重试的。", "The ledger knows no run yet: nothing to retry."),
    "no_run_yet": (
        "台账里还没有运行记录，没有可重新生成的结果。",
        "The ledger knows no run yet: there are no results to rebuild.",
    ),
}
