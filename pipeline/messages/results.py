"""The texts of the results: workbook, pages and the end of a run, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.domain.roster import CardType, Field

CARD_NAMES: Mapping[CardType, str] = {
    CardType.ID_CARD: "居民身份证",
    CardType.HONGKONG_AND_MACAO: "港澳居民来往内地通行证",
    CardType.HONGKONG_MACAO_AND_TAIWAN: "港澳台居民居住证",
}

# titles of the columns that a marked copy of a roster has at its right end: keys of RESULT_TEXTS
APPENDED_COLUMNS = ("fix.status", "fix.reason", "col.seal_id")

# words of a refusal's message -> the field it is about
FIELDS_BY_WORD: Mapping[str, Field] = {
    "图片": Field.PICTURE,
    "手机": Field.MOBILE,
    "姓名": Field.NAME,
    "证件": Field.NUMBER,
    "身份证": Field.NUMBER,
}

RESULT_TEXTS: Mapping[str, tuple[str, str]] = {
    "status.sealed": ("成功", "Sealed"),
    "status.unchanged": ("未变", "Unchanged"),
    "status.changed": ("有变化", "Changed"),
    "status.rejected": ("待改", "To correct"),
    "status.failed": ("失败", "Failed"),
    "status.unknown": ("未知", "Unknown"),
    "status.exists": ("名称已存在", "Name exists"),
    "status.not_sent": ("未提交", "Not sent"),
    "status.ready": ("可提交", "Ready"),
    "meaning.sealed": ("本次已取得印章ID", "Seal created in this run"),
    "meaning.unchanged": ("以前已有印章，内容相同，没有再提交", "Has a seal and is unchanged; not sent again"),
    "meaning.doubtful": (
        "以前已有印章，没有再提交；现在分不清哪张图片是本人的",
        "Has a seal; not sent again. It is not certain which picture is the doctor's now",
    ),
    "meaning.changed": (
        "已有印章，但名单内容变了，请人工决定",
        "Roster differs from the existing seal; needs a decision",
    ),
    "meaning.rejected": ("名单或图片有问题，没有提交", "Problem in roster or picture; not sent"),
    "meaning.failed": (
        "已提交，被腾讯拒绝；没有改的，三天之内每次运行会再提交（没有说明原因的除外）",
        "Sent, but refused by the service; unchanged, runs send it again for three days, unless no reason was given",
    ),
    "meaning.unknown": (
        "已提交，没有收到结果；查清前不会重复提交",
        "Sent, result unknown; not sent again until resolved",
    ),
    "meaning.exists": (
        "同名印章已存在，是谁的待查清；查清前不会提交",
        "A seal with this name exists; not sent until resolved",
    ),
    "meaning.not_sent": (
        "还没有轮到，或没有送达；下次会提交",
        "Not sent yet or not delivered; sent in a later run",
    ),
    "meaning.ready": ("检查通过，可以提交", "Checked; a run will send it"),
    "sheet.summary": ("汇总", "Summary"),
    "sheet.all": ("全部结果", "All"),
    "sheet.retried": ("本次重试", "Retried"),
    "sheet.fix": ("失败待改", "To fix"),
    "sheet.unknown": ("未知", "Unknown"),
    "sheet.unpaired": ("未配对印章", "Unpaired pictures"),
    "title.run": ("电子印章导入结果", "Seal import: results"),
    "title.check": ("电子印章导入前检查", "Seal import: check before sending"),
    "verdict.done": ("全部 {rows} 行都已有印章，不需要处理。", "All rows have their seal ({rows}). Nothing to do."),
    "verdict.ready": ("检查通过：{rows} 行可以提交，没有需要修改的行。", "Check complete. Rows ready to send: {rows}. None to correct."),
    "verdict.nothing": ("名单里没有要处理的行。", "The roster contains no rows."),
    "verdict.people": (
        "共 {rows} 行：{good} 行无需处理，{todo} 行需要处理。", "Rows: {rows}. {good} need no action, {todo} need action."),
    "verdict.refused_only": ("名单文件没有读取或没有读全，见下方“名单文件”。", "A roster file was not read, or only in part; see Roster files below."),
    "link.sheet": ("→ {sheet}（{n}）", "→ {sheet} ({n})"),
    "link.review.html": ("→ 印章核对 review.html", "→ Seal review"),
    "link.report.html": ("→ 运行报告 report.html", "→ Run report"),
    "link.copies": ("→ 标记副本 rosters", "→ Marked copies of the rosters"),
    "halted": ("运行提前停止：{message}（{code}）", "The run stopped early: {message} ({code})"),
    "head.next": ("接下来做什么", "What to do next"),
    "head.notices": ("请注意", "Please note"),
    "head.statuses": ("结果", "Results"),
    "head.reasons": ("需要处理的原因", "Reasons"),
    "head.departments": ("各科室", "By department"),
    "head.files": ("名单文件", "Roster files"),
    "head.facts": ("本次运行", "This run"),
    "col.status": ("状态", "Status"),
    "col.rows": ("行数", "Rows"),
    "col.share": ("占比", "Share"),
    "col.meaning": ("含义", "Meaning"),
    "col.reason": ("原因", "Reason"),
    "col.who": ("谁处理", "Who acts"),
    "col.department": ("科室", "Department"),
    "col.total": ("合计", "Total"),
    "col.file": ("文件", "File"),
    "col.sheet": ("工作表", "Sheet"),
    "col.row": ("行号", "Row"),
    "col.note": ("说明", "Notes"),
    "col.name": ("姓名", "Name"),
    "col.number": ("证件号码", "Identity no."),
    "col.staff_no": ("工号", "Staff no."),
    "col.last_four": ("证件末四位", "Last four digits"),
    "col.seal": ("印章", "Seal"),
    "col.seal_name": ("印章名称", "Seal name"),
    "col.seal_id": ("印章ID", "SealId"),
    "col.attempts": ("提交次数", "Attempts"),
    "col.time": ("提交时间", "Sent at"),
    "col.mobile": ("手机号", "Mobile"),
    "col.picture": ("图片", "Picture"),
    "col.request_id": ("RequestId", "RequestId"),
    "col.trace_id": ("TraceId", "TraceId"),
    "col.host": ("提交地址", "Host"),
    "col.answer": ("腾讯的应答", "The service's answer"),
    "col.settle": ("怎样查清", "How to resolve it"),
    "col.resolve": ("用这条命令登记", "Command to record it"),
    "col.where": ("位置（点击打开文件夹）", "Where (click for the folder)"),
    "col.why": ("为什么没有用上", "Why unused"),
    "col.what": ("怎么办", "What to do"),
    "fix.status": ("导入状态", "Import status"),
    "fix.reason": ("原因", "Reason"),
    "fix.advice": ("处理办法", "What to do"),
    "fix.origin": ("来源", "From"),
    "fix.row": ("第 {row} 行", "row {row}"),
    "fix.none": ("没有需要修改的行。", "There is nothing to correct."),
    "fix.retype": ("原单元格显示 {shown}，已不可靠，所以留空。", "The cell showed {shown}, which cannot be trusted; left empty."),
    "fix.in_cell": ("▣ {cell} 单元格里的图片", "▣ {cell} the picture in the cell"),
    "fix.check.id_card_number": ("证件号码的位数", "Identity number"),
    "fix.check.id_card_number.text": ("居民身份证和居住证是 18 位，港澳通行证是 11 位。确实如此请继续。", "An identity card or residence permit has 18 characters, a HKMO permit 11. Go on if it is right."),
    "fix.check.mobile": ("手机号的位数", "Mobile"),
    "fix.check.mobile.text": ("手机号是 11 位；不填可以清空。", "A mobile has 11 digits; it may be left empty."),
    "fix.check.seal_name": ("印章名称的长度", "Seal name"),
    "fix.check.seal_name.text": ("印章名称是 1–50 个字。", "A seal name has 1 to 50 characters."),
    "fix.check.id_card_type": ("证件类型", "Card type"),
    "fix.check.id_card_type.text": ("请从列表中选择，或按名单原来的写法填写。", "Choose from the list, or write it as the roster does."),
    "who.clerk": ("名单负责人", "Roster owner"),
    "who.it": ("信息科", "IT"),
    "who.tencent": ("腾讯客户经理", "Tencent account manager"),
    "who.nobody": ("无需处理", "No action"),
    "other.departments": ("其余 {n} 个科室", "{n} more departments"),
    "other.reasons": ("其余 {n} 种", "{n} more"),
    "other.files": ("其余 {n} 个文件均已读取", "{n} more files, all read"),
    "no.department": ("（未填科室）", "(not filled in)"),
    "file.read": ("已读取", "Read"),
    "file.partly": ("部分读取", "Partly read"),
    "file.refused": ("拒绝", "Refused"),
    "file.deferred": ("暂不读取", "Deferred"),
    "reason.service": ("腾讯拒绝", "Refused by the service"),
    "reason.doubtful": ("应答无法判断是否成功", "The answer does not show the result"),
    "reason.refused": ("腾讯拒绝：{message} ({code})", "Refused by the service: {message} ({code})"),
    "reason.answered": ("应答：{message} ({code})", "Answer: {message} ({code})"),
    "reason.explained": ("{what}（腾讯的原话：“{message}”）", "{what} (message of the service: “{message}”)"),
    "doubtful.meaning": (
        "以前已有印章，没有再提交；其中 {n} 行分不清哪张图片是本人的，其余内容相同",
        "Has a seal; not sent again. Rows whose pictures are not certain: {n}; the others are unchanged"),
    "spare.meaning": (
        "{meaning}；其中 {n} 行重复，无需处理",
        "{meaning}; duplicates that need no action: {n}"),
    "reason.wire": ("{message} ({code})", "{message} ({code})"),
    "reason.unknown": ("{time} 已提交，没有收到明确的结果。", "Sent at {time}; the result is unknown."),
    "reason.exists": ("{time} 已提交，腾讯答复同名印章已存在；还没有查清是谁的。", "Sent at {time}; a seal with this name exists, and it is not known whose it is."),
    "reason.not_sent": ("还没有轮到或没有送达，不是名单的问题。", "Not sent yet or not delivered; the roster needs no correction."),
    "advice.roster": ("已有印章，不用再提交；请改正名单里的这一行", "Already has its seal; only correct this row of the roster"),
    "advice.cells": ("改正黄色格，保存后重新提交", "Correct the yellow cells, save, retry"),
    "advice.picture": ("换好图片，或在黄色格写图片文件名，保存后重新提交", "Replace the picture or enter its file name in the yellow cell, save, retry"),
    "advice.failed": ("按原因核对姓名、证件和图片，保存后重新提交", "Check name, number and picture for the reason given, save, retry"),
    "advice.not_sent": ("不用修改，重新提交即可", "No correction needed; just retry"),
    "advice.review": ("不用修改；请先在 review.html 中核对", "No correction needed; review it in review.html first"),
    "advice.it": ("请信息科按原因处理", "For IT: see the reason"),
    "settle.unknown": (
        "按名称“{seal}”查找印章（控制台的印章→印章中心→印章详情，或审计日志）。找到：用 --seal-id 印章ID 登记。没找到不等于没有创建：用 certify 登记过您查找的地方能看到导入的印章，才用 --not-created；另有把握（例如腾讯客户经理答复没有）用 --not-created --sure。",
        "Look for the seal “{seal}” (console: 印章 → 印章中心 → 印章详情, or audit log). If you find it, record it with --seal-id ID. If you do not find it, it may still exist: use --not-created only if certify has recorded that the place where you looked shows imported seals, or --not-created --sure if you know it from another source, such as your Tencent account manager."),
    "settle.exists": (
        "腾讯已有名为“{seal}”的印章：可能是此人的（在别处、由以前的台账或未收到结果的提交创建），也可能是他人的。请查它是谁的：是此人的，用 --seal-id 印章ID 登记；是他人的，用 --not-theirs，下次运行会改用带工号的名称。",
        "The service already has a seal “{seal}”. It may be this doctor's (created elsewhere, with an earlier ledger, or by a submission without an answer) or another person's. Find out whose it is: if it is this doctor's, record it with --seal-id ID; if it is another person's, use --not-theirs, and the next run adds the staff number to the name."),
    "settle.evidence": ("一次应答里出现过印章ID {seal_id}，未经证实。", "An answer contained the SealId {seal_id}; it is not confirmed."),
    "unpaired.what": (
        "把文件名改成医生的证件号码、工号或姓名，或在名单的“图片”列（没有就加一列）写上这个文件名",
        "Name the file by the doctor's identity number, staff number or name, or enter its name in the picture column (add one if there is none)"),
    "unpaired.unclaimed": ("没有匹配的医生", "No matching row"),
    "unpaired.sheet": ("工作表“{sheet}”", "Sheet “{sheet}”"),
    "unpaired.cells": ("单元格 {cells}", "cells {cells}"),
    "unpaired.none": ("每张图片都已用上。", "All pictures were used."),
    "unknown.none": ("没有结果未知的行。", "No rows with an unknown result."),
    "next.halted": ("先处理让它停止的原因（在此之前重跑没有用），然后运行：", "Fix the cause of the stop first, then run:"),
    "next.untrusted": (
        "查清返回了另一人印章ID的那一行，登记结论；在此之前每次运行都不提交，登记之后照常运行。要看这一行，请输入：",
        "Find out about the row whose answer held another person's SealId, and record the outcome. Until then no run sends anything; afterwards run as usual. To list the row, run:"),
    "next.guarded": (
        "先核对名单是否完整、是否放对了（不改的话每次运行都会停下）。改好名单后照常运行；名单没有问题，就确认本次继续：",
        "Check whether the roster is complete and the right one; until then, every run stops here. After correcting it, run as usual. If it is right, allow this run:"),
    "next.marks": (
        "{file} 没有读取：按“名单文件”的说明改好并保存（或从原来的结果表重新开始），然后再运行：",
        "{file} was not read. Correct it as described under Roster files and save it (or start again from the original workbook), then run again:"),
    "next.deferred": (
        "{n} 个文件是结果表，没有当作名单读取；要提交其中改好的行，请运行：",
        "Results workbooks in the roster folder, not read: {n}. To send their corrected rows, run:"),
    "next.absent": (
        "另有 {n} 人上次提交的结果未知，不在这次的名单里：",
        "People whose last submission has an unknown result and who are not in these rosters: {n}."),
    "halt.OUTAGE": ("连接不上服务或没有可用的应答（{message}）", "the service was unavailable ({message})"),
    "halt.TOO_MANY_NEW": (
        "新出现的医生太多（{message}），一个也没有提交。请核对名单是不是放错了；确认无误，就用 run --accept-guards 让本次继续，或调大 guards.new_rows",
        "too many doctors are new ({message}); nothing was sent. Check that it is the right roster. If it is, allow this run with run --accept-guards, or raise guards.new_rows"),
    "halt.ROSTER_SHRUNK": (
        "名单上的医生比上次少了很多（{message} 人），一个也没有提交。请核对名单是否完整；确认无误，就用 run --accept-guards 让本次继续",
        "the roster has far fewer doctors than last time ({message}); nothing was sent. Check that the roster is complete. If it is, allow this run with run --accept-guards"),
    "halt.ROSTER_MISSING": (
        "名单文件夹 {message} 是空的或不存在，而以前的运行在那里读过名单；没有提交任何内容。请检查共享文件夹是否已连接、名单是否已放入；确实没有名单，就用 run --accept-guards 让本次继续",
        "the roster folder {message} is empty or missing, but earlier runs read a roster there; nothing was sent. Check that the shared folder is connected and the roster is there. If there is no roster, allow this run with run --accept-guards"),
    "halt.TOO_MANY_UNKNOWN": (
        "本次运行已有 {message} 行结果未知，先停下。请检查网络和服务状态，并查清“未知”表里的行",
        "{message} rows of this run have an unknown result. Check the network and the service, and resolve the rows of the sheet Unknown"),
    "halt.SAME_REFUSAL": (
        "几乎所有行都因同一原因被拒绝（{message}），多半是设置或权限的问题，请先排除；确实是名单的问题，就用 run --accept-guards",
        "almost all rows were refused for the same reason ({message}), probably because of settings or permissions. If the rows are the cause, use run --accept-guards"),
    "halt.SEALS_EXIST": (
        "本程序创建的印章还很少，腾讯却已答复 {message} 个印章名称已存在：这些医生可能早有印章。请先用 adopt 登记已有的印章；确实都是他人的，就用 run --accept-guards 让本次继续",
        "this program has made few seals yet, but {message} seal names exist: these doctors may have seals already. Import the existing seals with adopt first. If they belong to other people, allow this run with run --accept-guards"),
    "halted.same_names": (
        "几乎所有行的印章名称都已存在（{message}）：这些医生可能早有印章。请先用 adopt 登记已有的印章；确实都是他人的，就用 run --accept-guards",
        "the seal names of almost all rows exist ({message}): these doctors may have seals already. Import the existing seals with adopt first. If they belong to other people, use run --accept-guards"),
    "next.adopt": (
        "先登记以前创建的印章（含证件号码和印章ID的表，或旧的 results.xlsx）。用法：",
        "Import existing seals first (a sheet with identity numbers and SealIds, or an old results.xlsx). For usage:"),
    "halt.DEADLINE": ("到了设定的截止时间 {message}，余下的下次运行先做", "the deadline {message} was reached; the remaining rows are sent first in the next run"),
    "halt.ATTEMPT_BUDGET": ("重发次数太多，先停下，稍后再运行", "too many calls had to be repeated; run again later"),
    "halt.CUT_SHORT": ("运行被中断", "the run was interrupted"),
    "halt.SEAL_ID_REUSED": (
        "服务返回了属于另一人的印章ID；用 resolve 登记那一行的结论之前，每次运行都不再提交",
        "the service returned the SealId of another person; until that row is resolved, no run sends anything"),
    "halt.TLS": ("没有建立可信的加密连接：{message}", "no trusted encrypted connection: {message}"),
    "halt.DISK": ("磁盘或文件出错：{message}", "a disk or file error occurred: {message}"),
    "halt.LEDGER": ("台账无法写入（{message}）；请腾出磁盘空间或检查权限", "the ledger could not be written ({message}); free disk space or check permissions"),
    "halt.LEASE_LOST": ("{message}", "{message}"),
    "halt.USAGE": ("{message}", "{message}"),
    "halt.CREDENTIALS_MISSING": ("{message}", "{message}"),
    "halt.ROLE_FAILED": ("{message}", "{message}"),
    "halt.LOCKED": ("{message}", "{message}"),
    "halt.LEDGER_REFUSED": ("{message}", "{message}"),
    "halt.NOT_READ_NOW": ("{message}", "{message}"),
    "halt.BUG": ("程序内部错误：{message}", "an error in the program: {message}"),
    "halt.LEDGER_CONFLICT": ("台账拒绝了一次提交：{message}", "the ledger refused a submission: {message}"),
    "halt.CONTRACT_INLINE_IGNORED": (
        "旧接口（inline）不再接受请求里的图片，请改用 contract: file_id：{message}",
        "the inline contract no longer accepts pictures in the request; set contract: file_id: {message}"),
    "outage.ended": (
        "{host}：{cause}；从 {since} 起等待了 {time}", "{host}: {cause}; waited {time} since {since}"),
    "halted.service": ("{what}{keys}{task}{words}", "{what}{keys} {task}{words}"),
    "halted.keys": ("密钥取自 {source}。", " The keys come from {source}."),
    "halted.words": ("腾讯的原话：“{message}”", " Message of the service: “{message}”"),
    "halted.task": ("{what}。{task}", "{what}. {task}"),
    "next.again_after": (
        "先处理让它停下的原因，再重新运行，没有提交的 {n} 行会接着提交：",
        "Rows not sent: {n}. Find out what stopped the run first; run again to continue:"),
    "next.again": ("稍后重新运行，没有提交的 {n} 行会接着提交：", "Rows not sent: {n}. Run again to continue:"),
    "next.clerk_copy": (
        "{n} 行要修改。名单负责人：打开 {copies} 里的标记副本，改黄色格（鼠标停在格上有说明），存到 {folder} 覆盖原名单，下次运行会自动提交。",
        "Rows to correct: {n}. Roster owner: open the marked copy in {copies}, correct the yellow cells (hover over a cell for the reason) and save it over the roster in {folder}; the next run sends them."),
    "next.clerk_fix": (
        "{n} 行要修改。名单负责人：打开 {workbook} 的工作表“{sheet}”，改黄色格（鼠标停在格上有说明），把它存到 {folder}，下次运行会自动提交。",
        "Rows to correct: {n}. Roster owner: open the sheet “{sheet}” of {workbook}, correct the yellow cells (hover over a cell for the reason) and save the workbook into {folder}; the next run sends them."),
    "next.clerk_roster": (
        "{n} 行要修改。名单负责人：原因在工作表“{sheet}”里；在 {folder} 的名单里改好并保存，下次运行会自动提交。",
        "Rows to correct: {n}. Roster owner: the reasons are in the sheet “{sheet}”; correct the roster in {folder} and save it; the next run sends them."),
    "next.pictures": (
        "{n} 行只是图片有问题，名单不用改。名单负责人：按工作表“{sheet}”里的原因，把图片放进 {folder} 或更换（文件名用工号、证件号码或姓名），下次运行会自动提交。",
        "Rows with a problem of the picture alone: {n}; the roster needs no correction. Roster owner: put the pictures into {folder} or replace them, as the sheet “{sheet}” explains (named by staff number, identity number or name); the next run sends them."),
    "next.pictures_now": (
        "信息科：要马上提交这 {n} 行，放好图片后运行：",
        "IT: to send them at once ({n}), put the pictures in place, then run:"),
    "next.check_pictures": ("放好图片后再检查一次：", "When the pictures are in place, check again:"),
    "next.fix": (
        "信息科：要马上提交这 {n} 行，在工作表“{sheet}”里改好黄色格并保存，然后运行：",
        "IT: to send them at once ({n}), correct the yellow cells of the sheet “{sheet}”, save, then run:"),
    "next.failed": (
        "信息科：{n} 行被腾讯拒绝，原因在工作表“{sheet}”里；要马上重新提交，改好并保存，然后运行：",
        "IT: rows refused by the service: {n}. Their reasons are in the sheet “{sheet}”; to send them again at once, correct them, save, then run:"),
    "next.failed_too": (
        "{n} 行被腾讯拒绝：原因也在“{sheet}”里；一并改好，retry 会一起重新提交。",
        "Rows refused by the service: {n}. Their reasons are in “{sheet}” as well; retry sends them too."),
    "next.fix_roster": (
        "{n} 行要修改：结果表的路径里有号码，这里不显示。请在名单里改好，然后运行：",
        "Rows to correct: {n}. The path of the workbook contains a number and is not shown here; correct the rows in the roster, then run:"),
    "next.unknown": (
        "{n} 行待查清（结果未知，或同名印章已存在），查清前不会重复提交。工作表“{sheet}”写明怎样查清、用什么命令登记；要列出这些行，运行：",
        "Rows to resolve (unknown result, or the seal name exists): {n}. They are not sent again until then. The sheet “{sheet}” explains how to resolve each and the command that records it. To list them, run:"),
    "next.unshown": (
        "（名单和文件夹照上次的写法；路径里有号码，这里不显示）",
        "(with the rosters and folders as entered last time: a path contains a number and is not shown here)"),
    "next.doubtful": (
        "{n} 位医生已有印章，但现在有分不清是不是本人的图片（没有重新提交）。名单负责人：在“{sheet}”里筛选“{status}”，按“{reason}”列的说明留下正确的图片，再运行：",
        "Doctors with a seal for whom there are pictures that may or may not be theirs: {n}. Nothing was sent. Roster owner: filter “{sheet}” by “{status}”, keep the right picture as the column “{reason}” explains, then run:"),
    "next.changed": (
        "{n} 行与已有印章不同：在“{sheet}”里筛选“{status}”，由人工决定（程序不会改动已有印章）；怎样登记，运行：",
        "Rows that differ from their seal: {n}. Filter “{sheet}” by “{status}” and decide; existing seals are not changed. To record the decision, run:"),
    "next.held_pictures": (
        "{n} 行的图片可能是以前另一位医生的，没有提交：请看清图片是谁的，再登记；是哪些行、怎样登记，运行：",
        "Rows whose picture may be an earlier doctor's, not sent: {n}. Look whose picture it is and record it. To list them, run:"),
    "next.possibly_same": (
        "{n} 行可能是已有印章（或提交结果未知）的人，证件号码不同：核对后登记是同一人还是另一人；怎样登记，运行：",
        "Rows that may be known doctors with another identity number: {n}. Check them and record whether it is the same person. To record it, run:"),
    "next.no_seals": (
        "没有图片文件夹 {folder}，{n} 行因此找不到图片。信息科：建好文件夹并放入图片（共享文件夹请检查是否已连接），或在配置的 seals 写明它在哪里，然后运行：",
        "Rows without a picture: {n}. The picture folder {folder} does not exist. IT: create it and put the pictures there (check that a shared folder is connected), or set seals in the configuration, then run:"),
    "next.unread": (
        "有 {n} 行的图片没有权限读取（如 {file}）。信息科：让用户 {user} 能读取（如 chmod），然后运行：",
        "Rows whose picture may not be read: {n} (such as {file}). IT: let user {user} read it (chmod), then run:"),
    "next.files": ("{n} 个名单文件没有读取或没有读全：按“名单文件”的说明处理后重新运行：", "Roster files not read: {n} (or only in part). See Roster files for the reason, then run again:"),
    "next.run": ("检查没有发现问题的 {n} 行，可以提交：", "Rows that passed the check: {n}. To send them:"),
    "next.configure": (
        "检查没有发现问题的 {n} 行，可以提交；提交（run）需要填好的配置。",
        "Rows that passed the check: {n}. To send them, a run needs a configuration that is filled in."),
    "next.look": (
        "想先逐个看图核对：打开 {page}，核对并保存，然后运行（保存的文件在浏览器的下载文件夹）：",
        "To review every seal first: open {page}, review and save, then run (the saved file is in the browser's downloads folder):"),
    "next.review": (
        "{n} 行等待核对：打开 {page}，逐个核对并保存，然后运行（保存的文件在浏览器的下载文件夹）：",
        "Rows waiting for a review: {n}. Open {page}, review and save, then run (the saved file is in the browser's downloads folder):"),
    "next.check_copy": (
        "改好名单后再检查一次：打开 {copies} 里的标记副本，改黄色格，存到 {folder} 覆盖原名单，然后：",
        "Correct the roster and check again: open the marked copy in {copies}, correct the yellow cells, save it over the roster in {folder}, then:"),
    "next.check": ("改好名单（或按“{sheet}”里的说明）后再检查一次：", "After correcting the roster (see “{sheet}”), check again:"),
    "next.nothing": ("现在不需要做任何事。名单更新后再运行：", "Nothing to do now. When the roster has changed, run again:"),
    "fact.tenant": ("环境、机构、接口", "Environment, organisation, contract"),
    "fact.requests": ("请求次数", "Requests"),
    "fact.rate": ("速度", "Rate"),
    "fact.rate.text": (
        "上限每秒 {limit} 次，用到 {share}；任一秒内最多 {most} 次；被限流 {throttled} 次",
        "limit {limit} per second, {share} used; at most {most} in one second; throttled {throttled} times"),
    "fact.exit": ("退出码", "Exit code"),
    # what does not stop a run but has to be corrected
    "notice.CLOCK_WRONG": (
        "本机时钟比腾讯的时间{direction} {minutes} 分钟；本次已按腾讯的时间签名。请信息科打开本机的自动对时（NTP）。",
        "This machine's clock is {minutes} min {direction} compared with the service; this run used the service's time. IT: turn on automatic time synchronisation (NTP)."),
    "notice.slow": ("慢", "slow"),
    "notice.fast": ("快", "fast"),
    "notice.FILE_EXPOSED": (
        "{files} 的权限允许本机的其他用户读取，里面有密钥或密码。请信息科改为只有运行本程序的用户可读（chmod 600）。",
        "Other users of this machine can read {files}, which contains keys or passwords. IT: let only the user who runs this program read it (chmod 600)."),
    "notice.KEYS_NOT_RENEWED": (
        "credentials.role 的密钥没有换到新的（{why}）；本次用旧的做完了。请信息科处理，否则下次运行可能中途停下。",
        "The keys of credentials.role were not renewed ({why}); this run ended with the old ones. IT: repair this, or the next run may stop half-way."),
    "notice.ROSTER_OPEN": (
        "{files} 正在 Excel 或 WPS 里打开（旁边有 {lock}）：还没有保存的修改没有读到。请保存并关闭后再运行；没有人打开它，就删除 {lock}。",
        "{files} is open in Excel or WPS ({lock} exists next to it), so unsaved changes were not read. Save and close it, then run again; if it is not open anywhere, delete {lock}."),
    "notice.COPY_FAILED": (
        "{file} 的标记副本没有写成（{kind}）；结果不受影响，要修改的行在“失败待改”里。",
        "No marked copy of {file} could be written ({kind}). The results are complete; rows to correct are in the sheet To fix."),
    "notice.IMAGE_HARD_LINK": (
        "{n} 张用到的印章图片是硬链接（如 {file}）：同一个文件在别处还有名字，在那里改动，这里也会变。请核对它是不是医生本人的图片，并换成单独的副本。",
        "Seal pictures in use that are hard links: {n} (such as {file}). The same file has another name elsewhere, and a change there changes it here. Check that it is the doctor's own picture and replace it with a separate copy."),
    "notice.SERVICE_DEPRECATED": (
        "腾讯提示接口 {action} 将停用：“{message}”。请信息科升级本程序；已是最新版本就把这句话交给开发者。",
        "The service announced that {action} is deprecated: “{message}”. IT: update this program; if it is the newest version, send this message to the developers."),
    "print.page": ("第 &P 页，共 &N 页", "Page &P of &N"),
}  # fmt: skip


_MOVE = (
    "是某位医生的印章：把它移到这位医生那一行的格子里（不要压到别的行）；是院徽、二维码等：不用管",
    "If it is a doctor's seal, move it into a cell of the doctor's row, without touching other rows; a logo or QR code can stay",
)
_AS_FILE = (
    "是某位医生的印章：另存为图片，放进图片文件夹，用证件号码、工号或姓名命名",
    "If it is a doctor's seal, save it as a file in the picture folder, named by identity number, staff number or name",
)

# key of the text why no row got a picture inside a roster -> that and what to do (zh, en)
UNASSIGNED_IMAGE_TEXTS: Mapping[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "stray.no_doctor": (
        ("它所在的行不是医生（标题、空行、合计或说明）", "Its row is not a doctor: a title, an empty row, a total or a note"), _MOVE),
    "stray.no_roster": (
        ("这张工作表里没有名单", "There is no roster on this sheet"), _MOVE),
    "stray.no_row": (
        ("它横跨几行，没有一行占到一半以上", "It covers several rows, and none of them more than half"), _MOVE),
    "stray.hidden": (("图片在表格里是隐藏的", "It is hidden in the sheet"), _AS_FILE),
    "stray.linked": (
        ("表格里只有链接，没有图片本身", "The sheet contains only a link to it"), _AS_FILE),
    "stray.cropped": (
        ("图片在表格里裁剪过，与原图不同", "It is cropped in the sheet and differs from its file"), _AS_FILE),
    "stray.turned": (
        ("图片在表格里旋转或翻转过，与原图不同", "It is turned or mirrored in the sheet and differs from its file"), _AS_FILE),
    "stray.unreadable": (("图片读不出来，可能已损坏", "It cannot be read; it may be damaged"), _AS_FILE),
}  # fmt: skip
