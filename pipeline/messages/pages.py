"""The texts of report.html, of review.html and of a file saved from it, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

REPORT_TEXTS: Mapping[str, tuple[str, str]] = {
    "report.title": ("运行报告", "Run report"),
    "report.title.check": ("提交前检查", "Check before sending"),
    "report.took": ("用时 {time}", "took {time}"),
    "report.rows": ("行", "rows"),
    "report.code": ("代码", "Code"),
    "report.pace": ("每秒调用次数", "Calls per second"),
    "report.pace.steps": ("每 {time}取一个平均值。", "Each value is an average over {time}."),
    "report.limit": ("上限", "Limit"),
    "report.limit.line": ("上限每秒 {limit} 次", "limit: {limit} per second"),
    "report.limit.above": ("上限每秒 {limit} 次（在图外）", "limit: {limit} per second (above this chart)"),
    "report.share": ("上限使用率", "Limit used"),
    "report.most": ("任一秒内最多", "Most in one second"),
    "report.throttled": ("被限流", "Throttled"),
    "report.lost": ("没有应答", "No answer"),
    "report.silent": ("服务没有应答，暂停提交", "No response; sending paused"),
    "report.calls": ("调用", "Calls"),
    "report.per_second": ("{n} 次/秒", "{n} per second"),
    "report.times": ("{n} 次", "{n}"),
    "report.create": ("创建印章", "Create"),
    "report.upload": ("上传图片", "Upload"),
    "report.latency": ("应答时间", "Response time"),
    "report.latency.about": (
        "从发出第一个字节到收到完整应答；横轴为对数刻度。",
        "From the first byte sent to the complete answer; the axis is logarithmic."),
    "report.latency.time": ("平均应答时间的变化", "Average response time"),
    "report.median": ("中位数", "Median"),
    "report.p95": ("95% 分位", "95th percentile"),
    "report.longest": ("最长", "Longest"),
    "report.total": ("合计", "Total"),
    "report.count": ("次数", "Count"),
    "report.waits": ("等待与重发", "Waits and retries"),
    "report.wait.slot": ("为不超上限而排队", "Waiting for the rate limit"),
    "report.wait.back_off": ("重发前的等待", "Before a retry"),
    "report.wait.outage": ("服务没有应答时的等待", "While the service was unavailable"),
    "report.wait": ("等待的原因", "Reason"),
    "report.sends": ("发送次数", "Sends per row"),
    "report.send": ("第 {n} 次", "send {n}"),
    "report.no_resends": ("没有重发。", "No retries."),
    "report.resends": (
        "{n} 次是重发。创建只有在证明前一次没有执行时才会再发；上传不产生印章，可以重发。",
        "Retries: {n}. A submission is repeated only if the previous one was proven not executed; repeating an upload creates no seal."),
    "report.requests": ("请求与应答代码", "Requests by answer"),
    "report.action": ("接口", "Action"),
    "report.ok": ("成功", "ok"),
    "report.no_calls": ("本次运行没有调用腾讯的接口。", "The service was not called."),
    "report.no_timing": (
        "这次运行没有留下逐次调用的时间：运行被中断，或由旧版本完成。",
        "Call times of this run are not available: it was interrupted, or an older version ran it."),
    "report.all": ("全部", "All"),
    "report.table": ("逐行结果", "All rows"),
    "report.search": ("搜索姓名、工号、末四位、印章ID、文件…", "Search name, staff number, last four digits, SealId, file…"),
    "report.any_reason": ("全部原因", "Any reason"),
    "report.any_department": ("全部科室", "Any department"),
    "report.todo": ("需要处理", "Needs action"),
    "report.clear": ("清除筛选", "Clear"),
    "report.shown": ("{shown} / {total} 行", "{shown} of {total} rows"),
    "report.more": ("再显示 {n} 行", "Show {n} more"),
    "report.none": ("没有符合条件的行。", "No row matches."),
    "report.cut": (
        "本页只列 {kept} 行（需要处理的在先），共 {total} 行；全部在 {file} 的“{sheet}”里。",
        "This page shows {kept} of {total} rows, those that need action first; all are in {file}, sheet “{sheet}”."),
    "report.no_script": (
        "逐行结果要用浏览器脚本显示；同样的内容在 {file} 的“{sheet}”里。",
        "The rows are shown by a browser script; {file}, sheet “{sheet}”, contains the same rows."),
    "report.where": ("名单位置", "Place in the roster"),
    "report.place": ("{file} {sheet} 第 {row} 行", "{file} {sheet} row {row}"),
    "report.mobile": ("手机号", "Mobile"),
    "report.took.row": ("用时", "Took"),
    "report.workbook": ("要改的行在 {file} 里。", "Rows to correct are in {file}."),
    "report.private": (
        "本页有姓名，证件号码只留末四位；请勿外传。",
        "This page contains names and the last four digits of identity numbers; keep it inside the hospital."),
    "unit.ms": ("{n} 毫秒", "{n} ms"),
    "unit.s": ("{n} 秒", "{n} s"),
    "unit.min": ("{n} 分 {s} 秒", "{n} min {s} s"),
    "unit.h": ("{n} 小时 {m} 分", "{n} h {m} min"),
}  # fmt: skip

REVIEW_TEXTS: Mapping[str, tuple[str, str]] = {
    "title": ("核对印章", "Seal review"),
    "of.check": ("检查于 {time}，没有发送任何内容", "checked {time}; nothing was sent"),
    "of.run": ("运行于 {time}", "run of {time}"),
    "task": (
        "图上的姓名是不是下面这位医生？印章完整、清楚吗？",
        "Does the picture show this doctor's name? Is the seal complete and clear?"),
    "look_only": (
        "没有台账或可用的配置，此页只能查看，不能保存核对结果。要在第一次提交前核对：在配置中设 require_review: true 后运行 run，不会提交任何内容，然后打开它的核对页。",
        "There is no ledger or no usable configuration, so this page is read-only and the review cannot be saved. To review seals before the first submission, set require_review: true in the configuration and use run: nothing is sent, and the review page of that run can be saved."),
    "nothing_to_judge": ("没有等待核对的印章。", "Nothing to review."),
    "empty": ("没有可显示的行。", "No rows to show."),
    "no_match": ("没有符合条件的卡片。", "No matching cards."),
    "hidden.unchanged": ("{n} 位医生的印章没有变化，不在此列。", "Doctors with an unchanged seal, not shown: {n}."),
    "hidden.more": (
        "另有 {n} 行没有显示：一页最多 {most} 张卡片，先提交这些，再核对其余的。",
        "Further rows that are not shown: {n}. A page holds up to {most} cards. Send these first, then review the rest."),
    "progress": ("已核对", "Reviewed"),
    "search": ("搜索姓名、工号、后四位、文件名", "Search name, number, file"),
    "save": ("保存核对结果", "Save review"),
    "open": ("打开已保存的…", "Open saved…"),
    "filter": ("筛选", "Filter"),
    "filter.todo": ("待核对", "To review"),
    "filter.right": ("判对", "Right"),
    "filter.wrong": ("判错", "Wrong"),
    "filter.warn": ("有提醒", "With warnings"),
    "filter.refused": ("不能提交", "Cannot be sent"),
    "filter.held": ("等待处理", "On hold"),
    "filter.sealed": ("已创建", "Sealed"),
    "filter.unchanged": ("未变", "Unchanged"),
    "filter.all": ("全部", "All"),
    "right": ("对", "Right"),
    "wrong": ("错", "Wrong"),
    "skip": ("跳过", "Skip"),
    "undo": ("撤销", "Undo"),
    "hint.move": ("移动", "move"),
    "hint.search": ("搜索", "search"),
    "hint.save": ("保存", "save"),
    "saved.head": ("已保存 {file}", "Saved {file}"),
    "saved.what": (
        "文件在浏览器的下载文件夹里。请交给运行导入的同事，或移到导入所用的文件夹，在那个文件夹里运行：",
        "The file is in the browser's downloads folder. Give it to the person who runs the import, or move it to the folder of the import and run there:"),
    "close": ("关闭", "Close"),
    "seal_name": ("印章名称", "Seal name"),
    "number": ("证件号码", "Identity no."),
    "file": ("图片", "Picture"),
    "place": ("名单", "Roster"),
    "row": ("第 {row} 行", "row {row}"),
    "no_picture": ("没有图片", "no picture"),
    "unreadable": ("图片打不开", "the picture cannot be opened"),
    "not_opened": ("图片未变，没有重新打开", "unchanged, not opened again"),
    "alt": ("{name} 的印章图片", "Seal picture for {name}"),
    "evidence.column": ("名单的图片列写明", "entered in the picture column"),
    "evidence.cell": ("放在名单的这一行里", "placed in the row of the roster"),
    "evidence.id_card_number": ("文件名就是证件号码", "file name is the identity number"),
    "evidence.staff_no": ("文件名就是工号", "file name is the staff number"),
    "evidence.name": ("文件名就是姓名", "file name is the name"),
    "warn.same_name": ("名单里有 {n} 位同名医生，请对照工号和科室", "doctors with this name: {n}; compare staff number and department"),
    "warn.same_picture": ("与另一位医生的图片看起来相同", "looks the same as another doctor's picture"),
    "warn.faint": ("印迹很淡，请确认是否清楚", "faint: check that it is legible"),
    "warn.photo": ("像是照片，背景不是白纸", "looks like a photo: the background is not white paper"),
    "sign": ("核对人", "Reviewed by"),
    "sign.date": ("日期", "Date"),
    # of the script
    "js.judged": ("{name}：{word}", "{name}: {word}"),
    "js.done": ("全部核对完毕，请保存核对结果。", "All reviewed. Save the review now."),
    "js.undone": ("已撤销：{name}", "Undone: {name}"),
    "js.opened": ("已读入 {n} 条核对结果。", "Review entries loaded: {n}."),
    "js.stranger": ("这不是本院此环境的核对结果文件。", "This is not a review file of this hospital and environment."),
    "js.unkept": (
        "浏览器不允许保存进度：关闭前请先保存核对结果。",
        "This browser cannot store the progress: save the review before closing."),
}  # fmt: skip

# faults of a file saved from the review page (run --review)
REVIEW_FILE_TEXTS: Mapping[str, tuple[str, str]] = {
    "review.refused": (
        "{path}：{why}。请打开 review.html 重新保存核对结果，并写那个文件；没有发送任何内容。",
        "{path}: {why}. Open review.html, save the review again and use that file; nothing was sent.",
    ),
    "review.too_large": ("文件过大，不是核对结果", "too large for a review file"),
    "review.unreadable": ("无法读取（{why}）", "cannot be read ({why})"),
    "review.no_json": (
        "不是核对结果文件，或已损坏（不是完整的 JSON）",
        "not a review file, or damaged (incomplete JSON)",
    ),
    "review.not_ours": ("不是本程序保存的核对结果", "not a review file of this program"),
    "review.other_version": ("由另一版本的程序保存", "saved by another version of this program"),
    "review.other_hospital": (
        "是另一家医院、另一环境或另一台账密钥的核对结果",
        "a review of another hospital, environment or ledger key",
    ),
    "review.changed": ("已损坏或被手工改过", "damaged or edited by hand"),
}


def render_review_text(key: str, language: str, **detail: object) -> str:
    """Return a text of the review page in ``zh`` or ``en``; without values its blanks stay, for the page's script."""
    zh, en = REVIEW_TEXTS[key]
    text = zh if language == "zh" else en
    return text.format_map(detail) if detail else text
