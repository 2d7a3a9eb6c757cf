"""The words of the review page in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("核对印章", "Review of seals"),
    "of.check": ("检查于 {time}，没有发送任何内容", "checked {time}, nothing was sent"),
    "of.run": ("运行于 {time}", "run of {time}"),
    "task": (
        "图上的姓名是不是下面这位医生？印章完整、清楚吗？",
        "Is the name in the picture this doctor's? Is the seal whole and clear?"),
    "look_only": (
        "没有台账或可用的配置，此页只能查看，不能保存核对结果。要在第一次提交前核对：在配置中设 require_review: true 后运行 run，不会提交任何内容，然后打开它的核对页。",
        "There was no ledger or no usable configuration: this page is for looking only, judgements cannot be saved. To review before the first seals are made, set require_review: true and use run: nothing is sent, and its review page takes judgements."),
    "nothing_to_judge": ("没有等待核对的印章。", "No seal waits for a review."),
    "empty": ("没有可显示的行。", "There is no row to show."),
    "no_match": ("没有符合条件的卡片。", "No card answers to this."),
    "hidden.unchanged": ("{n} 位医生的印章没有变化，不在此列。", "{n} doctors whose seals are unchanged are left out."),
    "hidden.more": (
        "另有 {n} 行没有显示：一页最多 {most} 张卡片，先提交这些，再核对其余的。",
        "{n} more rows are not shown: a page holds {most} cards. Send these first, then review the rest."),
    "progress": ("已核对", "Judged"),
    "search": ("搜索姓名、工号、后四位、文件名", "Search name, number, file"),
    "save": ("保存核对结果", "Save review"),
    "open": ("打开已保存的…", "Open saved…"),
    "filter": ("筛选", "Filter"),
    "filter.todo": ("待核对", "To judge"),
    "filter.right": ("判对", "Right"),
    "filter.wrong": ("判错", "Wrong"),
    "filter.warn": ("有提醒", "With warnings"),
    "filter.refused": ("不能提交", "Not sendable"),
    "filter.held": ("等人处理", "Waiting"),
    "filter.sealed": ("已创建", "Sealed"),
    "filter.unchanged": ("未变", "Unchanged"),
    "filter.all": ("全部", "All"),
    "right": ("对", "Right"),
    "wrong": ("错", "Wrong"),
    "skip": ("跳过", "Skip"),
    "undo": ("撤销", "Undo"),
    "next": ("下一个", "Next"),
    "hint.move": ("移动", "move"),
    "hint.search": ("搜索", "search"),
    "hint.save": ("保存", "save"),
    "saved.head": ("已保存 {file}", "Saved {file}"),
    "saved.what": (
        "文件在浏览器的下载文件夹里。请交给运行导入的同事，或移到导入所用的文件夹，在那个文件夹里运行：",
        "The file is in the browser's downloads folder. Give it to whoever runs the import, or move it to the folder the import is run in and type there:"),
    "close": ("关闭", "Close"),
    "seal_name": ("印章名称", "Seal name"),
    "number": ("证件号码", "Identity no."),
    "staff_no": ("工号", "Staff no."),
    "file": ("图片", "Picture"),
    "place": ("名单", "Roster"),
    "row": ("第 {row} 行", "row {row}"),
    "no_picture": ("没有图片", "no picture"),
    "unreadable": ("图片打不开", "the picture cannot be opened"),
    "not_opened": ("图片未变，没有重新打开", "unchanged, not opened again"),
    "alt": ("{name} 的印章图片", "Seal picture for {name}"),
    "evidence.column": ("名单的图片列写明", "named in the picture column"),
    "evidence.cell": ("放在名单的这一行里", "in the row's own cell"),
    "evidence.id_card_number": ("文件名就是证件号码", "file name = identity number"),
    "evidence.staff_no": ("文件名就是工号", "file name = staff number"),
    "evidence.name": ("文件名就是姓名", "file name = name"),
    "warn.same_name": ("名单里有 {n} 位同名医生，请对照工号和科室", "{n} doctors of this name: compare staff number and department"),
    "warn.same_picture": ("与另一位医生的图片看起来相同", "looks the same as another doctor's picture"),
    "warn.faint": ("印迹很淡，看看是否清楚", "faint: is it legible?"),
    "warn.photo": ("像是照片，背景不是白纸", "looks like a photo: the background is no white paper"),
    "sign": ("核对人", "Reviewed by"),
    "sign.date": ("日期", "Date"),
    # of the script
    "js.judged": ("{name}：{word}", "{name}: {word}"),
    "js.done": ("全部核对完毕，请保存核对结果。", "All judged. Save the review now."),
    "js.undone": ("已撤销：{name}", "Undone: {name}"),
    "js.opened": ("已读入 {n} 条核对结果。", "{n} judgements were read."),
    "js.stranger": ("这不是本院此环境的核对结果文件。", "This is no review file of this hospital and environment."),
    "js.unkept": (
        "浏览器不允许保存进度：关闭前请先保存核对结果。",
        "This browser keeps no progress: save the judgements before closing."),
}  # fmt: skip


def say(key: str, language: str, **detail: object) -> str:
    """Return a phrase in ``zh`` or ``en`` with its blanks filled; without any, they stay for the script."""
    zh, en = WORDS[key]
    text = zh if language == "zh" else en
    return text.format_map(detail) if detail else text
