"""Short findings that problems, halts and errors carry in English, by their Chinese words; what is not listed needs none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache

from pipeline.words import Either
from pipeline.words.system import REASONS

PHRASES: Mapping[str, str] = {
    "0 bytes": "0 字节",
    "16 bit → 8 bit": "16 位 → 8 位",
    "a folder that cannot be listed": "无法打开的文件夹",
    "a kind of protection that cannot be opened here": "这种加密方式无法打开",
    "a tag that does not end": "有标签没有结束",
    "a web page whose sheets are in other files": "框架网页（各工作表在另外的文件里）",
    "a web page without a table": "没有表格的网页",
    "absolute path": "绝对路径",
    "bool": "逻辑值",
    "cannot be decoded": "无法解码",
    "cannot be read": "无法读取",
    "cells too far apart": "单元格相距过远",
    "cells": "单元格",
    "changed during the run": "运行过程中被改动",
    "changed while reading": "读取过程中被改动",
    "colon": "含冒号",
    "control character": "含控制字符",
    "cut off": "文件不完整",
    "damaged zip": "压缩包已损坏",
    "date": "日期",
    "device name": "系统保留名称",
    "drive letter": "含盘符",
    "enable_auto_sign": "自动签",
    "encrypted": "有密码",
    "frames → 1": "多帧 → 一帧",
    "HONGKONG_AND_MACAO": "港澳居民来往内地通行证",
    "HONGKONG_MACAO_AND_TAIWAN": "港澳台居民居住证",
    "ID_CARD": "居民身份证",
    "id_card_number": "证件号码",
    "id_card_type": "证件类型",
    "license_type": "许可",
    "link": "链接",
    "mobile": "手机号",
    "network path": "网络路径",
    "no header": "没有文件头",
    "no known format": "无法识别的格式",
    "no opening password is configured": "没有配置打开密码",
    "no picture folder": "没有图片文件夹",
    "No such file or directory": "文件不存在",
    "none of the configured passwords opens it": "配置的密码都打不开",
    "not a file": "不是文件",
    "not a regular file": "不是普通文件",
    "not a zip": "不是 zip 压缩包",
    "number": "数字",
    "OTHER_CARD_TYPE": "其他证件",
    "Permission denied": "没有读取权限",
    "picture": "印章图片",
    "records": "数据记录",
    "scene_key": "使用场景",
    "seal_image_compress": "图片压缩",
    "seal_name": "印章名称",
    "staff_no": "工号",
    "the server closed the connection before anything was sent": "服务器在发送之前就断开了连接",
    "the extra is missing: pip install 'esign-import[encrypted]'": "缺少扩展组件：pip install 'esign-import[encrypted]'",
    "too long": "过长",
    "Too many levels of symbolic links": "符号链接成环",
    "trailing bytes": "多余的尾部数据",
    "two numbers": "两个号码",
    "unknown": "未知格式",
    "URL": "网址",
    "zip in a zip": "压缩包里的压缩包",
    "zip: overlapping members": "压缩包内容可疑",
    "zip: too many members": "压缩包里文件过多",
    "zip: two members of one name": "压缩包里有两个同名文件",
    **REASONS,
}

# findings with a place or a number in them
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
    "the answer is larger than {} bytes": "应答超过 {} 字节",
    "missing part: {}": "缺少 {}",
    "no usable answer for {} min": "{} 分钟没有可用的应答",
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
    "{} calls of {} without a usable answer": "{} 次 {} 都没有可用的应答",
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


def both(english: str) -> Either:
    """Return a finding in both languages."""
    return Either(finding(english), english)
