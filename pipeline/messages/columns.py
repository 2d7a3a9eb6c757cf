"""How the columns of a roster were read, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "columns.unused": ("没有用到：{unused}", "not used: {unused}"),
    "columns.guess": (
        "{column} {title}（是不是“{nearest}”？）",
        "{column} {title} (did you mean {nearest}?)",
    ),
    "columns.more": ("另有 {n} 列", "{n} more"),
    "columns.file": ("{place} 的列：{text}", "Columns of {place}: {text}"),
    "columns.files": ("{place} 等 {n} 个表的列：{text}", "Columns of {place} and {n} sheets in all: {text}"),
    "columns.misspelt": (
        "{place} 没有用到这些列：{text}；写错了就改列名，或写进 config.yaml 的 columns。",
        "{place} has columns that are not used: {text}; if they are misspelt, correct the title or map it under columns: in config.yaml.",
    ),
    "columns.saved": (
        "已把 {n} 个列名写入 {path} 的 columns。",
        "Titles written under columns: in {path}: {n}.",
    ),
    "columns.nothing_to_save": (
        "{path} 的 columns 不需要增加。",
        "Nothing has to be added under columns: in {path}.",
    ),
    "columns.hint": ("最接近：{nearest}", "nearest: {nearest}"),
    "columns.hints": (
        "拿不准的列名只写成了注释（{titles}）；确实是就去掉行首的 #。",
        "Titles that may be misspelt stand there as comments ({titles}); remove the leading # where the field is right.",
    ),
}
