"""Findings about a file or picture with a place or a number in them, by their Chinese words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache

from pipeline.words.problems import PHRASES

FINDINGS: Mapping[str, str] = {
    "> {} cells": "超过 {} 个单元格",
    "> {} merged": "超过 {} 处合并单元格",
    "> {} records": "超过 {} 条数据记录",
    "> {} rows": "超过 {} 行",
    "> {} sheets": "超过 {} 个工作表",
    "> {} tags": "超过 {} 个标签",
    "cell {}": "{} 单元格",
    "cut off: {}": "文件不完整：{}",
    "delimiter {}": "分隔符 {}",
    "HTML: > {} <table> in <table>": "表格嵌套超过 {} 层",
    "line {}": "第 {} 行",
    "line {}: > {} characters": "第 {} 行：超过 {} 个字",
    "missing part: {}": "缺少 {}",
    "quotes in row {}": "第 {} 行引号",
    "quotes of the record on line {}": "第 {} 行引号",
    "row {}": "第 {} 行",
    "row {} after row {}": "第 {} 行排在第 {} 行之后",
    "row {}: > {} columns": "第 {} 行：超过 {} 列",
    "row {}: > {} MB": "第 {} 行：超过 {} MB",
    "row {}: > {} rowspan": "第 {} 行：超过 {} 处跨行单元格",
    "zip: 1:{}+": "压缩比超过 {}",
    "zip: method {}": "不认识的压缩方法 {}",
    "zip: parts read > {} ×": "压缩包里的内容要读 {} 遍以上",
    "zip: {} 1:{}+": "压缩包里 {} 的压缩比超过 {}",
    "zip: {} MB": "压缩包解开有 {} MB",
    "zip: {} members": "压缩包里有 {} 个文件",
    "zip: {}: method {}": "压缩包里 {} 的压缩方法 {} 不认识",
    "{} bit": "{} 位",
    "{} cells": "{} 个单元格",
    "{} rows": "{} 行",
    "{} tags": "{} 个标签",
    "{}: > {} pictures": "{}：超过 {} 张图片",
    "{}: record > {} MB": "{}：一条记录超过 {} MB",
    "{}: two sheets": "{}：两个工作表共用",
    "{}: {} characters": "{}：{} 个字",
}


@lru_cache(maxsize=1000)
def finding(english: str) -> str:
    """Return a finding in Chinese; what nobody lists as it is."""
    if english in PHRASES:
        return PHRASES[english]
    for pattern, zh in _patterns():
        if found := pattern.fullmatch(english):
            return zh.format(*found.groups())
    return english


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the findings with blanks, those that say most first: “row 5: > 3 columns” is more than “row …”."""
    return tuple(
        (re.compile(re.escape(en).replace(r"\{\}", "(.+?)")), FINDINGS[en])
        for en in sorted(FINDINGS, key=len, reverse=True)
    )
