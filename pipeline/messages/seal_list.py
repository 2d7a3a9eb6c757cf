"""Texts of `export` and `history`, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

SEAL_LIST_TEXTS: Mapping[str, tuple[str, str]] = {
    "seals.sheet": ("印章", "Seals"),
    "seals.name": ("姓名", "Name"),
    "seals.id_masked": ("证件号码", "Identity number"),
    "seals.staff_no": ("工号", "Staff number"),
    "seals.seal_name": ("印章名称", "Seal name"),
    "seals.seal_id": ("印章ID", "SealId"),
    "seals.created": ("创建时间", "Created"),
    "seals.run": ("运行", "Run"),
    "seals.in_roster": ("在名单中", "In the roster"),
    "seals.yes": ("是", "yes"),
    "seals.no": ("否", "no"),
    "seals.notes": ("怎么处理", "What to do"),
    "seals.revoke.1": (
        "这些印章由运行 {run} 创建。本程序和接口都不能撤销印章：请把印章ID交给腾讯客户经理停用。",
        "Run {run} created these seals. Neither this program nor the API can revoke a seal: give the SealIds to your Tencent account manager to disable them.",
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
