"""The texts of `resolve`, `certify`, `adopt` and `explain`, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

RESOLUTION_TEXTS: Mapping[str, tuple[str, str]] = {
    # resolve
    "resolve.no_seal_id": (
        "“{seal_id}”不是印章ID（8 到 64 位，只有字母、数字和 _ - = . + /，一般为 32 位；不是姓名、号码、TraceId 或 RequestId）；请从控制台复制。",
        "“{seal_id}” is not a SealId (8 to 64 letters, digits and _ - = . + /, usually 32; no name, number, TraceId or RequestId); copy it from the console.",
    ),
    "resolve.too_early": (
        "{name}：在 {moment} 之前该请求仍可能被执行；请在此之后再判断。",
        "{name}: the request may still be carried out until {moment}; decide after that.",
    ),
    "resolve.not_found_proves_nothing": (
        "{name}：没找到不等于没有创建：还没有登记过控制台或审计日志能看到导入的印章。请先在您查找的地方查一枚确实存在的印章，再用 certify 姓名 --console shown（或 --audit-log shown）登记；另有把握（例如腾讯客户经理答复没有）就加 --sure，在“未知”表里选“未创建（确定）”。",
        "{name}: if you did not find the seal, it may still exist, because it was never recorded that the console or the audit log shows imported seals. Look in the place that you searched for a seal that surely exists, and record it with certify NAME --console shown (or --audit-log shown). If you know from another source that there is none (for example, your Tencent account manager confirmed it), add --sure, or choose “not created (sure)” in the sheet Unknown.",
    ),
    "resolve.no_service_time": (
        "没有登记：问不到腾讯的时间（{why}），不能确定迟到的请求是否已失效；本机时钟可能被改过。请检查网络后再试。",
        "Not recorded: the service's time is not available ({why}), so a late copy of the request may still be accepted; this machine's clock may have been changed. Check the network and try again.",
    ),
    "resolve.name_does_not_exist": (
        "{name}：腾讯没有说同名印章已存在；--not-theirs（是他人的）只用于“名称已存在”的行。",
        "{name}: the service did not report that a seal with this name exists; --not-theirs is only for rows with status “Name exists”.",
    ),
    "resolve.no_open_create": (
        "{name}：没有待查清的提交；内容有变的行请用 --keep 或 --replace。",
        "{name}: there is no submission to resolve; for a changed row use --keep or --replace.",
    ),
    "resolve.not_changed": (
        "{name}：此行与印章没有差异；请先用 --seal-id 或 --not-created 查清提交结果。",
        "{name}: the row does not differ from its seal; resolve the submission first (--seal-id or --not-created).",
    ),
    "resolve.made_with_number": (
        "{name}：这枚印章就是用此行的证件号码创建的，不能再登记为另一人，否则会为同一号码创建第二枚印章。名单有变化的，请用 --keep 或 --replace。",
        "{name}: the seal was created with the number of this row, so it cannot be recorded as another person's; a second seal for the same number would be created. If the roster has changed, use --keep or --replace.",
    ),
    "resolve.not_possibly_same": (
        "{name}：此行不是可能与他人相同的行；--same-person 和 --other-person 只用于这种行。",
        "{name}: this row is not on hold as possibly the same person; --same-person and --other-person are only for such rows.",
    ),
    "resolve.forbidden.same_person": (
        "这个证件号码已有自己的印章或待查清的提交，或者原来那个人已没有印章",
        "the number now has its own seal or a submission to resolve, or the other person no longer has a seal",
    ),
    "resolve.another_person": (
        "印章“{seal_name}”是{sealed}的，名单里这个号码现在是{name}的，工号也不同；没有登记。号码可能填成了{sealed}的：请先对照证件，填错了就改正名单。确是同一人（改了名），就加 --sure。",
        "The seal “{seal_name}” is {sealed}'s; in the roster the number now belongs to {name}, with another staff number. Nothing was recorded. The number may have been entered for the wrong doctor: compare it with the card and correct the roster. If both are one person (with a new name), add --sure.",
    ),
    "resolve.needs_picture": (
        "{name}：这枚印章是在别处制作的，台账里没有它的内容；要保留它，请先让此人有一张印章图片。",
        "{name}: this seal was made elsewhere, so its content is not known; to keep it, the doctor needs a seal picture first.",
    ),
    "resolve.needs_seal_name": (
        "{name}：原印章仍占用名称“{seal_name}”；请用 --seal-name 给新印章起名。",
        "{name}: the old seal keeps the name “{seal_name}”; name the new seal with --seal-name.",
    ),
    "resolve.not_entered": ("没有登记：{why}。", "Not recorded: {why}."),
    "resolve.forbidden.seal_id": ("该印章ID已属于另一人", "this SealId already belongs to another person"),
    "resolve.forbidden.settled": ("在此期间已经查清", "it was resolved in the meantime"),
    "resolve.forbidden.seal_name": (
        "印章名称已被使用过；请用 --seal-name 换一个",
        "the seal name is or was in use; choose another with --seal-name",
    ),
    "resolve.forbidden.live_seal": ("此人已有印章", "this person already has a seal"),
    "resolve.forbidden.no_live_seal": ("此人没有印章", "this person has no seal"),
    "resolve.not_in_rosters": (
        "{name} 不在名单里：查询需要姓名和证件号码。",
        "{name} is not in the rosters; the query needs name and identity number.",
    ),
    "resolve.no_seal_set": (
        "已开通授权签（原自动签），但没有设置印章",
        "auto-sign is enabled, but no seal is set",
    ),
    "resolve.older_seal": ("{seal_id}，是以前的印章", "{seal_id}, an earlier seal"),
    "resolve.not_made_here": (
        "只能用本程序创建的印章来登记；手工创建的印章能看到，不说明导入的也能看到。",
        "Use a seal that this program created: a seal created by hand may be shown where imported ones are not.",
    ),
    # certify
    "resolve.not_unchanged": (
        "{name}：只能用名单内容与印章完全一致的医生来验证。",
        "{name}: only a doctor whose row matches the seal exactly can be used.",
    ),
    "resolve.no_picture": ("{name}：图片不能用。", "{name}: the picture cannot be used."),
    "resolve.nothing_sent": (
        "没有得到结论（{why}）；第二次创建没有执行。处理好之后再试。",
        "No result ({why}); the second submission was not carried out. Fix this, then try again.",
    ),
    "resolve.no_verdict": (
        "没有结论（{why}，TraceId {trace_id}）；请让腾讯客户经理查该医生是否有了两枚印章，再重试。",
        "No result ({why}, TraceId {trace_id}): ask your Tencent account manager whether this doctor has two seals now, then try again.",
    ),
    # adopt
    "resolve.results_torn": (
        "{path}：{place} 的姓名、证件号码、印章名称和印章ID不再是写出时的组合，可能只对一部分列做过排序或粘贴；没有登记任何印章，请用没有改过的副本。",
        "{path}: name, number, seal name and SealId in {place} are no longer the combination that was written; some columns may have been sorted or pasted separately. No seal was imported; use an unchanged copy.",
    ),
    "resolve.not_a_sheet": ("无法读取 {path}：{codes}", "{path} cannot be read: {codes}"),
    "resolve.results_unreadable": ("无法读取 {path}（{code}）。", "{path} cannot be read ({code})."),
    "resolve.no_seal_ids": (
        "表里没有“印章ID”列：请加上这一列，填入每枚印章的印章ID（控制台的印章→印章中心→印章详情，或问平台），或改用以前的 results.xlsx。",
        "The sheet has no SealId column: add a column “SealId” and enter each seal's SealId (console: 印章 → 印章中心 → 印章详情, or ask the platform), or use an old results.xlsx.",
    ),
    "resolve.no_column": (
        "“全部结果”表里没有“{title}”列。",
        "The sheet All has no column “{title}”.",
    ),
    "resolve.other_tenant": (
        "{path} 是 {tenant} 的结果，当前配置是 {ours}；其中的印章不能登记。",
        "{path} contains results of {tenant}, but the configuration is for {ours}; its seals cannot be imported.",
    ),
    "resolve.seal_ended": (
        "台账中该印章已放弃；请填现在这一枚的印章ID（在控制台的印章→印章中心→印章详情，或问平台）。",
        "this seal is marked as abandoned in the ledger; enter the SealId of the current seal (console: 印章 → 印章中心 → 印章详情, or ask the platform).",
    ),
    "resolve.seal_abandoned": (
        "此行的印章已放弃，不登记；停用之前它仍然有效。",
        "the seal of this line was abandoned and is not imported; it stays valid until it is disabled.",
    ),
    "resolve.place": ("{sheet} 第 {row} 行", "{sheet} row {row}"),
    "resolve.place_cell": ("{sheet} 第 {row} 行（{cell}）", "{sheet} row {row} ({cell})"),
    "resolve.nobody": (
        "现有名单里没有叫 {name}、证件末四位相符的人；请先把此人写进名单，或改用写有完整证件号码的表。",
        "the current rosters contain no {name} with these last four digits; add the doctor to a roster, or use a sheet with complete identity numbers.",
    ),
    "resolve.several": (
        "叫 {name} 且末四位相同的不止一人；请改用写有完整证件号码的表。",
        "several people have the name {name} and these last four digits; use a sheet with complete identity numbers.",
    ),
    "resolve.number_unusable": (
        "证件号码格式不对；请对照证件改正。",
        "the identity number is invalid; correct it from the card.",
    ),
    "resolve.seal_id_missing": (
        "没有印章ID；请从创建它的系统或控制台复制；不登记的话，下次运行会为此人新建一枚。",
        "no SealId; copy it from the system that created the seal, or from the console. If it is not imported, the next run creates a new seal.",
    ),
    "resolve.has_seal": (
        "台账中 {name} 已有另一枚印章 {seal_id}，没有改动；请核对两枚，多余的一枚请腾讯客户经理停用。",
        "the ledger already has seal {seal_id} for {name}, which was not changed; compare both and ask your Tencent account manager to disable the extra one.",
    ),
    "resolve.unsettled": (
        "{name} 上次提交的结果未知；确认这是那一枚，就运行 resolve {name} --seal-id {seal_id}。",
        "the last submission of {name} has an unknown result; if this is that seal, run resolve {name} --seal-id {seal_id}.",
    ),
    "resolve.others_seal": (
        "台账中印章 {seal_id} 属于另一位医生；请到控制台核对是谁的，看不到就问腾讯客户经理。",
        "in the ledger, seal {seal_id} belongs to another doctor; check in the console whose it is, or ask your Tencent account manager.",
    ),
    "resolve.person_twice": (
        "此人也在第 {rows} 行；都没有登记，请只留正确的一行。",
        "the same person is in row {rows}; neither was imported, keep only the correct row.",
    ),
    "resolve.seal_id_twice": (
        "这个印章ID也在第 {rows} 行；都没有登记，请核对是谁的。",
        "the same SealId is in row {rows}; neither was imported, check whose it is.",
    ),
    # ---- `certify`
    "certify_who": (
        "有 {n} 位已有印章的医生与“{query}”相符；请用工号或印章ID指明一位。",
        "Several doctors with a seal match “{query}” ({n}); specify one by staff number or SealId.",
    ),
    "certify_nobody": (
        "名单里没有已有印章的医生与“{query}”相符；请写姓名、工号、印章名称或印章ID（要写完整）。",
        "No doctor with a seal in the rosters matches “{query}”; enter the complete name, staff number, seal name or SealId.",
    ),
    "certify_sure": (
        "将再次为 {name} 提交相同的创建请求；若腾讯不拒绝，此人会有第二枚印章。继续吗？",
        "The same request will be sent again for {name}; if the service does not refuse it, this person will have a second seal. Continue?",
    ),
    "certified": (
        "腾讯拒绝了相同的创建（{code}，RequestId {request_id}）：90 天内可以用 unknown: probe。",
        "The service refused the identical request ({code}, RequestId {request_id}): unknown: probe is allowed for 90 days.",
    ),
    "not_certified": (
        "腾讯没有拒绝：{name} 现在有第二枚印章 {seal_id}，请让腾讯客户经理停用它。不能用 unknown: probe。",
        "The service did not refuse it: {name} now has a second seal {seal_id}; ask your Tencent account manager to disable it. unknown: probe is not allowed.",
    ),
    "certify_open": (
        "验证没有结论：{at} 为 {name} 再次提交了“{seal_name}”（{why}）；请腾讯客户经理查是否有第二枚，有则停用，再重新 certify。",
        "No result: “{seal_name}” of {name} was sent again at {at} ({why}). Ask your Tencent account manager to look for a second seal and disable it, then run certify again.",
    ),
    "certify_one_place": (
        "每次只能登记一处：--console、--audit-log 或 --auto-sign。",
        "Only one place at a time: --console, --audit-log or --auto-sign.",
    ),
    "certify_not_open": (
        "{name}：没有开通授权签（原自动签），或没有得到答复（{words}）；没有登记。没有开通的，请换一位已开通的医生。",
        "{name}: auto-sign is not enabled, or no answer came ({words}); nothing was recorded. If it is not enabled, use a doctor who has it.",
    ),
    "certified_shown": (
        "已登记：{place}能看到导入的印章。90 天内，在那里没找到就可以用 --not-created；在别处没找到不算。",
        "Recorded: {place} shows imported seals. For 90 days, not finding a seal there is enough for --not-created; not finding it elsewhere is not.",
    ),
    "certified_confirms": (
        "已登记：{place}能看到导入的印章。它只能证明已创建（resolve --look-up）；查不到不能说明没有创建，不能因此用 --not-created。",
        "Recorded: {place} shows imported seals. It can only confirm a seal (resolve --look-up); a seal that it does not show may still exist, so it is no reason for --not-created.",
    ),
    "certified_not_shown": (
        "已登记：{place}看不到导入的印章。在那里没找到不能说明没有创建。",
        "Recorded: {place} does not show imported seals. A seal that is not found there may still exist.",
    ),
}

# one doctor's history
TIMELINE_TEXTS: Mapping[str, tuple[str, str]] = {
    "who.staff_no": ("工号 {text}", "staff no. {text}"),
    "who.last_four": ("证件末四位 {text}", "last four digits {text}"),
    "who.id": ("证件 {text}", "identity number {text}"),
    "who.mobile": ("手机 {text}", "mobile {text}"),
    "who.names": ("曾用写法：{text}", "also written as: {text}"),
    "who.nameless": ("（没有姓名）", "(no name)"),
    "head.status": ("现在", "Now"),
    "head.seal_name": ("印章名称", "Seal name"),
    "head.seal": ("印章ID", "SealId"),
    "head.creates": ("提交次数", "Submissions"),
    "head.seen": ("名单", "Roster"),
    "head.step": ("下一步", "Next"),
    "head.history": ("经过", "History"),
    "has_seal": ("已有印章，没有要提交的", "Has a seal; nothing is left to send"),
    "frozen": ("{name}（首次提交时已固定）", "{name} (fixed at first submission)"),
    "planned": ("{name}（还没有提交过）", "{name} (not submitted yet)"),
    "seen": ("{path} {place}，{at}", "{path} {place}, {at}"),
    "gone": ("已不在名单里；上次在 {path} {place}，{at}", "no longer in the rosters; last seen in {path} {place}, {at}"),
    "never.seen": ("没有在任何一次运行的名单里出现过", "not in any roster that a run has read"),
    "place.sheet": ("“{sheet}”第 {row} 行", "“{sheet}” row {row}"),
    "place.row": ("第 {row} 行", "row {row}"),
    "source.sent": ("{at} 取得", "created {at}"),
    "source.resolved": ("{at} 由人工登记", "recorded by a person {at}"),
    "source.adopted": ("{at} 登记（在别处制作）", "imported {at}, created elsewhere"),
    "source.receipt": ("{at} 由回执恢复", "restored from a receipt {at}"),
    "night.run": ("运行 {run}", "run {run}"),
    "night.retry": ("重试 {run}", "retry {run}"),
    "night.resolve": ("查清 {run}", "resolve {run}"),
    "night.exit": ("退出码 {exit}", "exit code {exit}"),
    "night.cut": ("中途停止", "interrupted"),
    "night.under_way": ("正在进行", "in progress"),
    "night.halted": ("已停止：{message}（{code}）", "stopped: {message} ({code})"),
    "tag.roster": ("名单", "roster"),
    "tag.picture": ("图片", "picture"),
    "tag.change": ("规范", "read as"),
    "tag.error": ("问题", "error"),
    "tag.warning": ("提醒", "warning"),
    "tag.create": ("提交", "submission"),
    "tag.upload": ("上传", "upload"),
    "tag.answer": ("应答", "answer"),
    "tag.trace": ("追踪", "trace"),
    "tag.status": ("结果", "result"),
    "tag.meaning": ("含义", "meaning"),
    "tag.halted": ("停止", "stopped"),
    "tag.decision": ("决定", "decision"),
    "change": ("{field}“{before}” → “{after}”（{why}）", "{field} “{before}” → “{after}” ({why})"),
    "as": ("以“{seal_name}”提交（{at}，{host}）", "sent as “{seal_name}” ({at}, {host})"),
    "uploaded": ("上传图片（{at}，{host}）", "picture uploaded ({at}, {host})"),
    "verdict.sealed": ("成功，印章ID {seal_id}", "sealed, SealId {seal_id}"),
    "verdict.refused": ("被拒绝", "refused"),
    "verdict.not_executed": ("没有执行", "not executed"),
    "verdict.unknown": ("结果未知", "result unknown"),
    "verdict.exists": ("同名印章已存在", "name exists"),
    "verdict.open": ("还没有结果", "no answer yet"),
    "wait": ("{seconds} 秒后", "after {seconds} s"),
    "evidence": ("应答里出现过印章ID {seal_id}（未经证实）", "an answer contained the SealId {seal_id} (not confirmed)"),
    "repeats": ("与另一行重复，无需处理", "duplicate of another row, no action needed"),
    "nights": ("{status}，连续 {n} 次运行相同，至 {until}", "{status}; same in {n} runs, until {until}"),
    "decision.created": ("已创建，印章ID {seal_id}", "created, SealId {seal_id}"),
    "decision.not_created": ("没有创建，可以重新提交（依据：{detail}）", "not created, can be sent again (source: {detail})"),
    "decision.not_theirs": ("同名印章是他人的，改用别的名称", "the seal with this name is another person's; another name is used"),
    "decision.place_shown": ("验证：{detail}能看到印章 {seal_id}", "certify: {detail} shows seal {seal_id}"),
    "decision.place_not_shown": ("验证：{detail}看不到印章 {seal_id}", "certify: {detail} does not show seal {seal_id}"),
    "place.console": ("控制台", "the console"),
    "place.audit_log": ("审计日志", "the audit log"),
    "place.auto_sign": ("授权签（原自动签）查询", "the auto-sign query"),
    "place.sure": ("另有把握", "another source"),
    "decision.probe": ("重发相同的请求来查清", "resolved by sending the identical request again"),
    "decision.keep": ("名单的新内容是对的，印章不变", "the new roster content is right, the seal stays"),
    "decision.replace": ("放弃原印章（停用之前仍然有效），另做一枚“{detail}”", "the old seal is abandoned (valid until it is disabled), a new one is created as “{detail}”"),
    "decision.same_person": ("证件号码是改正后的，是同一人", "corrected number of the same person"),
    "decision.other_person": ("证件号码属于另一人", "the number belongs to another person"),
    "decision.purge": ("个人数据已删除", "personal data removed"),
    "decision.adopt": ("登记了在别处创建的印章 {seal_id}", "imported seal {seal_id}, created elsewhere"),
    "decision.certify_sent": ("验证：再次提交相同的创建", "certify: the identical request was sent again"),
    "decision.certify_void": ("验证：请求没有执行", "certify: the request was not carried out"),
    "decision.certify": ("验证：相同的创建被拒绝", "certify: the identical request was refused"),
    "decision.certify_failed": ("验证：没有被拒绝，有了第二枚印章 {seal_id}", "certify: not refused, there is a second seal {seal_id}"),
    "by": ("{who}，理由：{why}", "by {who}, reason: {why}"),
    "why.invisible": ("去掉看不见的字符", "invisible characters removed"),
    "why.width": ("全角改半角", "full-width characters converted"),
    "why.formula_text": ('取出 ="…" 里的文字', 'taken from ="…"'),
    "why.quotes": ("去掉引号", "quotes removed"),
    "why.spaces": ("去掉空格", "spaces removed"),
    "why.hyphens": ("去掉连字符", "hyphens removed"),
    "why.case": ("x 改为大写", "x changed to upper case"),
    "why.x_lookalike": ("末位按 X 读取", "last character read as X"),
    "why.label": ("去掉前缀文字", "label removed"),
    "why.punctuation": ("去掉标点", "punctuation removed"),
    "why.float": ("去掉 .0", ".0 removed"),
    "why.thousands": ("去掉千分位逗号", "thousands separators removed"),
    "why.country": ("去掉国家代码", "country code removed"),
    "why.grouping": ("连接分段的数字", "groups of digits joined"),
    "why.twice": ("同一号码写了两遍", "the same number was entered twice"),
    "why.radicals": ("部首字符改为汉字", "radical characters replaced"),
    "why.compatibility": ("兼容字符改为标准字符", "compatibility characters replaced"),
    "why.dots": ("间隔点统一为“·”", "separator changed to “·”"),
    "why.from_number": ("按号码判断", "determined by the number"),
    "acts": ("{who}：{text}", "{who}: {text}"),
    "step.nothing": ("不需要做任何事。", "Nothing to do."),
    "step.roster_wrong": (
        "印章已创建，不需要再提交。请把名单里的这一行也改过来，否则每次运行都会再提示。",
        "The seal exists; nothing has to be sent. Correct this row of the roster as well, or every run lists it again."),
    "step.doubtful": (
        "已有印章，没有重新提交。请按上次运行的提醒处理图片。",
        "The seal exists; nothing was sent. Put the pictures right as the last run's warning explains."),
    "step.gone": ("印章仍在；此人已不在名单里，不需要做任何事。", "The seal stays valid; the doctor is no longer in the rosters. Nothing to do."),
    "step.under_way": ("有一个运行还在进行，等它结束再看：", "A run is in progress; check again when it has ended:"),
    "step.unknown": (
        "按名称“{seal}”查找印章（控制台的印章→印章中心→印章详情，或审计日志），再登记查到的结论（{fence} 之后才能登记“未创建”；没找到不等于没有创建：没有用 certify 登记过那里能看到导入的印章，就要加 --sure）：",
        "Look for the seal “{seal}” (console: 印章 → 印章中心 → 印章详情, or audit log), then record the outcome. “Not created” can only be recorded after {fence}. If you do not find the seal, it may still exist: unless certify has recorded that imported seals are shown there, add --sure:"),
    "step.exists": (
        "腾讯已有名为“{seal}”的印章，可能是此人的，也可能是他人的。查清它是谁的，再登记印章ID，或登记是他人的：",
        "The service already has a seal “{seal}”, of this doctor or of another person. Find out whose it is, then record its SealId, or that it is another person's:"),
    "step.changed": (
        "名单与已有印章不同，请人工决定：保留印章（名单是对的），或换一枚新印章：",
        "The roster differs from the existing seal; decide whether to keep the seal (the roster is right) or to create a new one:"),
    "step.another_person": (
        "姓名和工号都与这枚印章的医生不同，号码可能填成了别人的：请先对照证件，填错了就改正名单。查看详情：",
        "Name and staff number differ from those of the doctor of this seal, so the number may be another person's: compare it with the card and correct the roster. To see the row, run:"),
    "step.held_picture": (
        "请看清图片是谁的：是此人的就登记；不是，请换上此人自己的图片：",
        "Look whose picture it is. If it is this doctor's, record it; if not, put the doctor's own picture in its place:"),
    "step.possibly_same": (
        "请核对证件：号码写错了就在名单里改正；号码是后来改对的，就登记“同一人”；确是另一人，就登记“另一人”：",
        "Check the card. Correct a wrong number in the roster; if the number was corrected later, record “same person”; if it is another person, record “other person”:"),
    "step.fix": (
        "打开 {path} 的“{sheet}”表，改正此行的黄色格并保存，然后运行：",
        "Open the sheet “{sheet}” of {path}, correct the yellow cells of this row, save, then run:"),
    "step.fix_roster": ("改正名单里的这一行并保存，然后运行：", "Correct this row of the roster, save, then run:"),
    "step.again": ("不用修改，再运行一次即可：", "No correction needed; run again:"),
    "step.failed": ("{todo}然后：", "{todo} Then:"),
    "step.unseen": ("把此人写进名单，然后运行：", "Add this doctor to a roster, then run:"),
    "step.waits": (
        "被拒绝而没有改的行，三天之内每次运行会再提交，之后不再自动提交（腾讯没有说明原因的，一次也不会）；retry 会立即再提交一次。",
        "Runs send an unchanged refused row again until its first refusal is three days old, one that was refused without a reason not at all; retry sends it at once."),
    "many": ("有 {n} 位医生与“{query}”相符：", "Doctors that match “{query}”: {n}"),
    "many.more": ("…… 还有 {n} 位", "… and {n} more"),
    "many.narrow": ("再加一个词来指明，例如：", "Add a word to specify one, for example:"),
}  # fmt: skip
