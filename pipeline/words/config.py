"""What is wrong in a configuration, in Chinese and English; `pydantic`'s kinds of error by their own names."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "config.faults": ("{faults}", "{faults}"),
    "config.value": ("{place}{where}：{fault}{found}", "{place}{where}: {fault}{found}"),
    "config.found": ("（写的是“{value}”）", " (it says “{value}”)"),
    "config.variable": ("环境变量 {name}：", "environment {name}: "),
    "config.key_line": ("{key}（第 {line} 行）", "{key} (line {line})"),
    "config.unknown_key": ("{place}{where}：不认识的配置项{near}", "{place}{where}: unknown key{near}"),
    "config.unknown_variable": ("环境变量 {name}：不认识{near}", "environment {name}: unknown{near}"),
    "config.near": ("；是不是 {name}？", "; did you mean {name}?"),
    # values that do not fit
    "config.only_host": (
        "{value}：这里只能写协议、主机和端口",
        "{value}: only scheme, host and port belong here",
    ),
    "config.needs_https": (
        "{value}：必须用 https（只有 127.0.0.1 可用 http）",
        "{value}: https is needed (http only for 127.0.0.1)",
    ),
    "config.not_tencent": ("{value}：不是腾讯电子签的地址", "{value}: not an address of Tencent e-Sign"),
    "config.two_environments": (
        "endpoint {general} 与 file_endpoint {files} 不是同一环境",
        "endpoint {general} and file_endpoint {files} belong to two environments",
    ),
    "config.inline_only": (
        "{names}：只有 contract: inline 时才能填写",
        "{names}: only with contract: inline",
    ),
    "config.needs_license": (
        "enable_auto_sign: true 时必须填写 license_type：不填会为每位医生绑定一个付费许可",
        "enable_auto_sign: true needs license_type: without it every doctor binds a paid licence",
    ),
    "config.no_time": ('{value}：应为时刻，如 "06:00"', '{value}: a time of day is meant, "06:00"'),
    "config.template": (
        "{value}：必须含 {{name}}，还可以含 {{staff_no}} 和 {{department}}",
        "{value}: needs {{name}}; {{staff_no}} and {{department}} may stand beside it",
    ),
    # pydantic's kinds of error; {…} are of its context
    "config.pydantic.missing": ("缺少", "is missing"),
    "config.pydantic.bool_type": ("必须是 true 或 false", "must be true or false"),
    "config.pydantic.bool_parsing": ("必须是 true 或 false", "must be true or false"),
    "config.pydantic.int_type": ("必须是整数", "must be a whole number"),
    "config.pydantic.int_from_float": ("必须是整数", "must be a whole number"),
    "config.pydantic.int_parsing_size": ("过大", "is too large"),
    "config.pydantic.float_type": ("必须是数字", "must be a number"),
    "config.pydantic.int_parsing": ("必须是整数", "must be a whole number"),
    "config.pydantic.float_parsing": ("必须是数字", "must be a number"),
    "config.pydantic.finite_number": ("必须是有限的数字", "must be a finite number"),
    "config.pydantic.greater_than_equal": ("不能小于 {ge}", "must be at least {ge}"),
    "config.pydantic.less_than_equal": ("不能大于 {le}", "must be at most {le}"),
    "config.pydantic.greater_than": ("必须大于 {gt}", "must be greater than {gt}"),
    "config.pydantic.string_pattern_mismatch": (
        "必须以 http:// 或 https:// 开头",
        "must begin with http:// or https://",
    ),
    "config.pydantic.model_type": ("下面必须缩进写各配置项", "must hold keys of its own, indented below it"),
    "config.pydantic.dict_type": ("必须是“键: 值”", "must hold pairs of key: value"),
    "config.pydantic.path_type": ("必须是路径", "must be a path"),
    "config.pydantic.tuple_type": ("必须是路径或路径列表", "must be a path or a list of paths"),
    "config.pydantic.literal_error": ("必须是 {expected} 之一", "must be one of {expected}"),
    "config.pydantic.enum": ("必须是 {expected} 之一", "must be one of {expected}"),
    "config.pydantic.string_type": ("必须是文字", "must be a text"),
    # the file itself
    "config.unreadable": ("{path}：无法读取（{why}）", "{path}: cannot be read ({why})"),
    "config.not_utf8": ("{path}：不是 UTF-8 编码", "{path}: is not UTF-8"),
    "config.no_mapping": ("{path}：内容必须是“键: 值”", "{path}: must hold keys and values"),
    "config.syntax": ("{path}:{line}：YAML 写法有误（{why}）", "{path}:{line}: {why}"),
    "config.strange_syntax": ("{path}:{line}：YAML 写法有误", "{path}:{line}: {why}"),
    "config.on_line": ("{path}:{line}：{fault}", "{path}:{line}: {fault}"),
    "config.alias": ("不接受 YAML 别名", "aliases are not accepted"),
    "config.strange_key": ("键必须是普通文字", "a key must be a plain word"),
    "config.twice": ("{name}：第 {first} 行已经写过", "{name}: stands already on line {first}"),
}

# the YAML parser's words, or a part of them -> what they mean to whoever edits the file
PARSER: Mapping[str, str] = {
    r"'\t' that cannot start": "缩进要用空格，不能用制表符",
    "that cannot start any token": "不能以这个字符开头；值里有特殊字符时请加引号",
    "',' or '}'": "花括号里缺少逗号或右括号",
    "',' or ']'": "方括号里缺少逗号或右括号",
    "mapping values are not allowed": "这里不能再有“键: 值”；值里有冒号时请加引号",
    "could not find expected ':'": "缺少冒号",
    "expected <block end>": "缩进没有对齐",
    "expected the node content": "这里缺少值",
    "unexpected end of stream": "引号没有配对",
    "unknown escape character": "双引号里的反斜杠写法不对",
    "undefined alias": "不接受 YAML 别名",
    "expected a single document": "只能有一份文档，不能有 ---",
    "tag": "不接受 YAML 标签",
    "not YAML": "不是 YAML 文件",
}
