"""Texts of retention, `purge` and backups, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

RETENTION_TEXTS: Mapping[str, tuple[str, str]] = {
    "purge.one_way": (
        "--older-than 和 --person 只能选一个",
        "give either --older-than or --person",
    ),
    "purge.no_age": (
        "配置里没有保留期限：请加 --older-than 90d，或在 retention 下写好",
        "there are no ages under retention: add --older-than 90d, or set them",
    ),
    "purge.ask": (
        "这里没有终端，无法询问：看清要删除的内容之后加 --yes",
        "there is no terminal to ask on: once you have seen what is removed, add --yes",
    ),
    "purge.uncertain": (
        "{name}：有一次创建还不能确定有没有印章，需要这些数据才能查清。请先登记结论（resolve），再删除。",
        "{name}: it is not certain whether a create made a seal, and these data are needed to find out. Resolve it first, then purge.",
    ),
    "purge.ledger_in_use": (
        "数据已从台账 {path} 删除，但另一个程序正在读它，旧内容还留在文件里。请关闭那个程序，用完整证件号码再运行一次 purge --person",
        "The data are removed from the ledger {path}, but another program reads it, so its file still holds old pages. End that program and run purge --person again, with the whole identity number",
    ),
    "purge.confirm": ("删除？", "Remove this?"),
    "purge.whole": ("删除 {folder}", "Remove {folder}"),
    "purge.part": ("删除 {folder} 中的：{entries}", "Remove of {folder}: {entries}"),
    "purge.more": ("……还有 {n} 次运行", "... and of {n} more runs"),
    "purge.aged": ("已删除 {n} 次运行的文件。", "Removed files of {n} runs."),
    "purge.nothing": ("没有超过期限的文件。", "Nothing is that old."),
    "purge.person": (
        "医生：{name}，证件后四位 {last_four}，工号 {staff_no}",
        "Doctor: {name}, last four {last_four}, staff number {staff_no}",
    ),
    "purge.removed": (
        "将删除：台账和回执里的姓名、证件后四位、工号、手机号、图片摘要、印章名称（{rows} 条名单记录，{creates} 次提交）；处理过的图片；{folders} 个结果文件夹里这位医生的各行，连同这些文件夹的结果表、页面和标记副本（report --run 可重新生成）",
        "Removed: name, last four, staff number, mobile, digests of pictures and seal name in ledger and receipts ({rows} roster lines, {creates} creates); prepared pictures; the doctor's lines in {folders} folders of results, with the workbooks, pages and marked rosters of these (report --run makes them again)",
    ),
    "purge.stays": (
        "保留：标识 {person}、印章ID {seals} 和日期。没有它们，这位医生再次出现时会被重新创建。\n之后只能靠同一证件号码认出这位医生：以改正后的另一个号码再次出现时，会创建第二枚印章。腾讯那里的印章不受影响。",
        "Stays: the key {person}, SealId {seals}, and dates. Without them the doctor would be created again.\nFrom then on only the same identity number identifies the doctor: under another, corrected number a second seal would be created. The seal at Tencent stays.",
    ),
    "purge.hospital": (
        "医院自己的文件不会改动，请自行删除其中的这位医生（否则下次运行会再次读到）：",
        "The hospital's own files are not changed. Remove the doctor there, or the next run reads the row again:",
    ),
    "purge.other": (
        "这些文件可能还有这位医生，不会改动，请自行处理（备份会随新备份淘汰；从它恢复之后要再删除一次）：",
        "These files may hold the doctor and are not changed (backups go as newer ones come; after restoring one, purge again):",
    ),
    "purge.path": ("  {path}", "  {path}"),
    "purge.pictures_stay": (
        "{work} 里处理过的图片暂时保留：有些印章的图片尺寸还没有记录。请先 run 一次，再 purge 一次",
        "The prepared pictures in {work} stay for now: for some seals the size of the picture is not recorded yet. Run once, then purge again",
    ),
    "purge.done": ("这位医生的数据已删除。", "The doctor's data are removed."),
    "backup.no_folder": (
        "没有备份用的文件夹 {path}：请建好它（或挂上那块磁盘）",
        "There is no folder {path} for backups: create it, or mount its disk",
    ),
}
