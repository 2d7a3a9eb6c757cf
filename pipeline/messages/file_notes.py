"""The notes on a roster file, which intake keeps in English, by their Chinese words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from pipeline.messages.catalogue import say as mark
from pipeline.messages.findings import Patterns, filled, patterns
from pipeline.messages.results import field_word

NOTES: Mapping[str, str] = {
    "a picture over {} belongs to no doctor": "{} 上的图片不属于任何医生",
    "changed since the run": "运行之后被改过",
    "columns from {} on are not carried over": "{} 列起的内容不写进结果表",
    "esign-import results": "本程序的结果表",
    "hidden columns {}": "隐藏的列 {}",
    "line {}: more fields than titles": "第 {} 行的内容比标题多",
    "pictures within {} cannot be read: save it as .xlsx": "{} 里的图片读不出来，请另存为 .xlsx",
    "several columns mean the same ({}): {} is used, {} is not": "有几列意思相同 ({})：使用 {}，没有用 {}",
    "sheet {}: {}": "工作表“{}”：{}",
    "{} more lines with more fields than titles": "另有 {} 行的内容比标题多",
    "{} more pictures belong to no doctor": "另有 {} 张图片不属于任何医生",
    "{} more pictures not used": "另有 {} 张图片没有用",
    "{} tables: each is read by itself": "有 {} 个表格，逐个读取",
    "{}: hidden picture, not used": "{}：图片是隐藏的，没有用",
    "{}: linked picture, not used": "{}：只有图片的链接，没有用",
    "{}: picture cannot be read": "{}：图片读不出来",
    "{}: picture cropped in the sheet, not used": "{}：图片在表格里裁剪过，没有用",
    "{}: picture turned or mirrored in the sheet, not used": "{}：图片在表格里旋转或翻转过，没有用",
    "{}: picture without a row of its own, not used": "{}：图片不在任何一行里，没有用",
}

_OF_SHEET = re.compile(r"sheet (.+?): (.+)")
_FIELD = re.compile(r" \((\w+)\)")


def noted(note: str, language: str) -> str:
    """Return a note in ``zh`` or ``en``, a field in it as people read it."""
    if language == "zh":
        if of_sheet := _OF_SHEET.fullmatch(note):
            return NOTES["sheet {}: {}"].format(of_sheet[1], noted(of_sheet[2], language))
        note = filled(note, _notes()) or note
    return _FIELD.sub(
        lambda field: mark("mark.brackets", language, text=field_word(field[1], language)), note
    )


@cache
def _notes() -> Patterns:
    return patterns(NOTES)
