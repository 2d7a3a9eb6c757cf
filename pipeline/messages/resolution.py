"""What `resolve`, `certify` and `adopt` refuse, and why, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    # resolve
    "desk.no_seal_id": (
        "“{seal_id}”不是印章ID（16 到 64 位字母和数字，一般为 32 位）；请从控制台复制。",
        "“{seal_id}” is no SealId (16 to 64 letters and digits, mostly 32): copy it from the console.",
    ),
    "desk.too_early": (
        "{name}：在 {moment} 之前该请求仍可能被执行；请在此之后再判断。",
        "{name}: the request may still be carried out until {moment}; decide after that.",
    ),
    "desk.not_found_proves_nothing": (
        "{name}：没找到不等于没有创建：还没有登记过控制台或审计日志能看到导入的印章。请先在那里查一枚确实存在的印章，再用 certify 姓名 --console shown 登记；另有把握（例如腾讯客户经理答复没有）就加 --sure，在“未知”表里选“未创建（确定）”。",
        "{name}: not finding a seal proves nothing: it was never recorded that the console or the audit log shows imported seals. Look there for a seal that surely exists and record it with certify NAME --console shown; if you know otherwise that there is none (your account manager says so), add --sure, or choose “not created (sure)” in the Unknown sheet.",
    ),
    "desk.no_service_time": (
        "没有登记：问不到腾讯的时间（{why}），不能确定迟到的请求是否已失效；本机时钟可能被改过。请检查网络后再试。",
        "Not entered: the service did not tell its time ({why}), so a late copy of the request may still be accepted; this machine's clock may have been set. Look at the network and try again.",
    ),
    "desk.name_does_not_exist": (
        "{name}：腾讯没有说同名印章已存在；--not-theirs（是他人的）只用于“名称已存在”的行。",
        "{name}: the service did not say that a seal of this name exists; --not-theirs is for rows whose name exists.",
    ),
    "desk.no_open_create": (
        "{name}：没有待查清的提交；内容有变的行请用 --keep 或 --replace。",
        "{name}: no create waits for a verdict; a changed row is settled by --keep or --replace.",
    ),
    "desk.not_changed": (
        "{name}：此行与印章没有差异；请先用 --seal-id 或 --not-created 查清提交结果。",
        "{name}: the row does not differ from its seal; first settle its create (--seal-id or --not-created).",
    ),
    "desk.made_with_number": (
        "{name}：这枚印章就是用此行的证件号码创建的，不能再登记为另一人，否则会为同一号码创建第二枚印章。名单有变化的，请用 --keep 或 --replace。",
        "{name}: the seal was made with this row's number, so the number cannot be entered as another person's: it would get a second seal. Where the roster has changed, use --keep or --replace.",
    ),
    "desk.not_possibly_same": (
        "{name}：此行不是可能与他人相同的行；--same-person 和 --other-person 只用于这种行。",
        "{name}: the row is not held as possibly another's; --same-person and --other-person are for such rows alone.",
    ),
    "desk.forbidden.same_person": (
        "这个证件号码已有自己的印章或待查清的提交，或者原来那个人已没有印章",
        "the number has a seal or an open create of its own by now, or the other person has none any more",
    ),
    "desk.needs_seal_name": (
        "{name}：原印章仍占用名称“{seal_name}”；请用 --seal-name 给新印章起名。",
        "{name}: the old seal keeps the name “{seal_name}”; name the new one with --seal-name.",
    ),
    "desk.not_entered": ("没有登记：{why}。", "Not entered: {why}."),
    "desk.forbidden.seal_id": ("该印章ID已属于另一人", "another person has this SealId already"),
    "desk.forbidden.settled": ("在此期间已经查清", "it was settled meanwhile"),
    "desk.forbidden.seal_name": (
        "印章名称已被使用过；请用 --seal-name 换一个",
        "the seal name is in use, or was used before: choose another with --seal-name",
    ),
    "desk.forbidden.live_seal": ("此人已有印章", "the person has a seal already"),
    "desk.forbidden.no_live_seal": ("此人没有印章", "the person has no seal"),
    "desk.not_in_rosters": (
        "{name} 不在名单里：查询需要姓名和证件号码。",
        "{name} is not in the rosters: the service wants name and number.",
    ),
    "desk.no_seal_set": ("已开通授权签（原自动签），但没有设置印章", "auto-sign is open, no seal is set"),
    "desk.older_seal": ("{seal_id}，是以前的印章", "{seal_id} (older)"),
    # the sheet Unknown
    "desk.not_results": (
        "{path} 不是本程序写出的结果表。",
        "{path} is not a results workbook of this program.",
    ),
    "desk.sheet_damaged": (
        "{path}：“未知”表已损坏（{what}）；请用 `esign-import report` 重新生成。",
        "{path}: the Unknown sheet is damaged ({what}); take a fresh one with `esign-import report`.",
    ),
    "desk.line_disagrees": (
        "{path}：“未知”表第 {row} 行的“{what}”与台账中该 TraceId 的提交不符，可能只对一部分列做过排序或粘贴。整张表都没有登记；请用 `esign-import report` 重新生成再填。",
        "{path}: row {row} of the Unknown sheet does not agree with the create of its TraceId in “{what}”: some of its columns were sorted or pasted alone. Nothing of the sheet was entered; take a fresh one with `esign-import report`.",
    ),
    "desk.not_made_here": (
        "只能用本程序创建的印章来登记；手工创建的印章能看到，不说明导入的也能看到。",
        "Only a seal that this program made tells what is shown: one made by hand may be shown where imported ones are not.",
    ),
    "desk.copied_seal_id": (
        "同一印章ID填给了不止一位医生",
        "the SealId stands beside more than one doctor",
    ),
    "desk.lines_disagree": ("同一位医生的几行填写不一致", "the lines of this doctor do not agree"),
    "desk.not_open": (
        "已经查清，或不是本台账的行",
        "settled already, or not a row of this ledger",
    ),
    "desk.created_without_id": (
        "{name}：选了“已创建”，但没有填印章ID；请填上印章ID",
        "{name}: the conclusion is “created”, but the SealId is missing; fill it in",
    ),
    "desk.needless_seal_id": (
        "{name}：填了印章ID，结论却不是“已创建”；请改结论，或删掉印章ID",
        "{name}: a SealId is filled in, but the conclusion is not “created”; change one of the two",
    ),
    "desk.do_not_fit": (
        "{name}：结论没有写成下拉列表里的词；请从列表中选择",
        "{name}: the conclusion is none of the words of the list; choose one of them",
    ),
    # certify
    "desk.not_unchanged": (
        "{name}：只能用名单内容与印章完全一致的医生来验证。",
        "{name}: only a doctor whose seal was made from just this row can be asked for twice.",
    ),
    "desk.no_picture": ("{name}：图片不能用。", "{name}: the picture cannot be used."),
    "desk.nothing_sent": (
        "没有得到结论（{why}）；第二次创建没有执行。处理好之后再试。",
        "Nothing was found out ({why}); the second create was not carried out. Once that is put right, try again.",
    ),
    "desk.no_verdict": (
        "没有结论（{why}，TraceId {trace_id}）；请让腾讯客户经理查该医生是否有了两枚印章，再重试。",
        "No verdict ({why}, trace id {trace_id}): have your Tencent account manager find out whether the doctor has two seals now, then try again.",
    ),
    # adopt
    "desk.results_torn": (
        "{path}：{place} 的姓名、证件号码、印章名称和印章ID不再是写出时的组合，可能只对一部分列做过排序或粘贴；没有登记任何印章，请用没有改过的副本。",
        "{path}: name, number, seal name and SealId in {place} are not as they were written together: some columns were sorted or pasted alone. No seal was entered; use a copy that nobody has changed.",
    ),
    "desk.not_a_sheet": ("无法读取 {path}：{codes}", "{path} cannot be read as a sheet: {codes}"),
    "desk.results_unreadable": ("无法读取 {path}（{code}）。", "{path} cannot be read ({code})."),
    "desk.no_seal_ids": ("表里没有“印章ID”列。", "The sheet has no column of SealIds (印章ID, SealId)."),
    "desk.no_column": (
        "“全部结果”表里没有“{title}”列。",
        "The sheet of all results has no column “{title}”.",
    ),
    "desk.other_tenant": (
        "{path} 是 {tenant} 的结果，当前配置是 {ours}；其中的印章不能登记。",
        "{path} holds the results of {tenant}, the configuration speaks for {ours}: its seals cannot be entered.",
    ),
    "desk.seal_ended": (
        "台账中该印章已停用；请从控制台的印章列表复制现在这一枚的印章ID。",
        "the ledger has this seal as one that was given up; copy the SealId of the present one from the console's seal list.",
    ),
    "desk.place": ("{sheet} 第 {row} 行", "{sheet} row {row}"),
    "desk.place_cell": ("{sheet} 第 {row} 行（{cell}）", "{sheet} row {row} ({cell})"),
    "desk.nobody": (
        "现有名单里没有叫 {name}、证件末四位相符的人；请先把此人写进名单，或改用写有完整证件号码的表。",
        "nobody in the present rosters is called {name} and has these last four; put the doctor into a roster, or adopt a sheet with whole identity numbers.",
    ),
    "desk.several": (
        "叫 {name} 且末四位相同的不止一人；请改用写有完整证件号码的表。",
        "more than one person is called {name} and has these last four; adopt a sheet with whole identity numbers.",
    ),
    "desk.number_unusable": (
        "证件号码不能用；请对照证件改正。",
        "the identity number cannot be used; correct it from the card.",
    ),
    "desk.seal_id_missing": (
        "没有印章ID；请从创建它的系统或控制台复制；不登记的话，下次运行会为此人新建一枚。",
        "no SealId; copy it from the system that made the seal, or from the console. Without it the next run makes a new one.",
    ),
    "desk.seal_id_strange": (
        "“{seal_id}”不是印章ID（应为 16–64 位字母和数字）；请从控制台的印章列表复制。",
        "“{seal_id}” is no SealId (16 to 64 letters and digits); copy it from the console's seal list.",
    ),
    "desk.has_seal": (
        "台账中 {name} 已有另一枚印章 {seal_id}，没有改动；请核对两枚，多余的一枚请腾讯客户经理停用。",
        "the ledger has seal {seal_id} for {name}, which stays; compare the two and have your Tencent account manager disable the one too many.",
    ),
    "desk.unsettled": (
        "{name} 上次的提交没有结论；确认这是那一枚，就运行 resolve {name} --seal-id {seal_id}。",
        "a create of {name} has no verdict; if this is that seal, use resolve {name} --seal-id {seal_id}.",
    ),
    "desk.others_seal": (
        "台账中印章 {seal_id} 属于另一位医生；请到控制台核对是谁的。",
        "in the ledger {seal_id} is another doctor's seal; find out in the console whose it is.",
    ),
    "desk.person_twice": (
        "此人也在第 {rows} 行；都没有登记，请只留正确的一行。",
        "the same person stands in row {rows}; none was entered, keep the right line alone.",
    ),
    "desk.seal_id_twice": (
        "这个印章ID也在第 {rows} 行；都没有登记，请核对是谁的。",
        "the same SealId stands in row {rows}; none was entered, find out whose it is.",
    ),
}
