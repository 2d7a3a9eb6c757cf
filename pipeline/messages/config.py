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
    "config.former_variable": (
        "环境变量 {name} 是旧名称，仍然有效；请改名为 {current}。",
        "The environment variable {name} is a former name. It is still read; rename it to {current}.",
    ),
    "config.former_variable_unused": (
        "环境变量 {name} 是旧名称，没有采用，因为同时设了 {current}；请删掉旧的。",
        "The environment variable {name} is a former name. It is not used because {current} is set as well; remove it.",
    ),
    "config.near": ("；是不是 {name}？", "; did you mean {name}?"),
    # values that do not fit
    "config.only_host": (
        "{value}：这里只能写协议、主机和端口，如 https://essbasic.tencentcloudapi.com",
        "{value}: only scheme, host and port belong here, as in https://essbasic.tencentcloudapi.com",
    ),
    "config.no_scheme": (
        "{value}：必须以 https:// 开头，如 https://essbasic.tencentcloudapi.com",
        "{value}: must begin with https://, as in https://essbasic.tencentcloudapi.com",
    ),
    "config.no_port": (
        "没有这样的端口；端口是 1 到 65535 的数字",
        "there is no such port; a port is a number from 1 to 65535",
    ),
    "config.proxy": (
        "应写成 http://主机:端口 或 https://主机:端口，需要时写 http://用户:密码@主机:端口",
        "must be http://host:port or https://host:port, with a user where needed: http://user:password@host:port",
    ),
    "config.column": (
        "没有“{value}”这个字段；可以写：{known}（ignore 表示不读取这一列）",
        "there is no field “{value}”; write one of: {known} (ignore: the column is not read)",
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
    "config.no_time": (
        '{value}：不是时刻；请写成 "06:00" 的样子，从 "00:00" 到 "23:59"',
        '{value}: is not a time; write it like "06:00", from "00:00" to "23:59"',
    ),
    "config.template": (
        "{value}：必须含 {{name}}，还可以含 {{staff_no}} 和 {{department}}；花括号里不能写别的",
        "{value}: needs {{name}}; {{staff_no}} and {{department}} may stand beside it. Nothing else may stand in braces",
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
    "config.pydantic.model_type": ("下面必须缩进写各配置项", "must hold keys of its own, indented below it"),
    "config.pydantic.dict_type": ("必须是“键: 值”", "must hold pairs of key: value"),
    "config.pydantic.path_type": ("必须是路径", "must be a path"),
    "config.pydantic.tuple_type": ("必须是路径或路径列表", "must be a path or a list of paths"),
    "config.pydantic.literal_error": ("必须是 {expected} 之一", "must be one of {expected}"),
    "config.pydantic.enum": ("必须是 {expected} 之一", "must be one of {expected}"),
    "config.pydantic.string_type": ("必须是文字", "must be text"),
    # the file itself
    "config.unreadable": ("{path}：无法读取（{why}）", "{path}: cannot be read ({why})"),
    "config.not_text": (
        "{path}：不是配置文件（内容不是文本）；请用 --config 写明 config.yaml",
        "{path}: is no configuration (its content is not text); name your config.yaml with --config",
    ),
    "config.not_utf8": (
        "{path}：不是 UTF-8 编码；请在记事本里另存为，编码选 UTF-8",
        "{path}: is not UTF-8; in Notepad choose Save as, encoding UTF-8",
    ),
    "config.too_large": (
        "{path}：不是配置文件（超过 {limit} KB）",
        "{path}: is not a configuration (it is larger than {limit} KB)",
    ),
    "config.too_deep": (
        "{path}：括号或缩进的层数太多，配置最多 {limit} 层",
        "{path}: brackets or indentation go too deep; a configuration has at most {limit} levels",
    ),
    "config.no_mapping": ("{path}：内容必须是“键: 值”", "{path}: must hold keys and values"),
    "config.syntax": ("{path}:{line}：YAML 写法有误（{why}）", "{path}:{line}: {why}"),
    "config.strange_syntax": ("{path}:{line}：YAML 写法有误", "{path}:{line}: {why}"),
    "config.on_line": ("{path}:{line}：{fault}", "{path}:{line}: {fault}"),
    "config.alias": ("不接受 YAML 别名", "aliases are not accepted"),
    "config.strange_key": ("键必须是普通文字", "a key must be a plain word"),
    "config.twice": ("{name}：第 {first} 行已经写过", "{name}: already set on line {first}"),
}

# the YAML parser's words, or a part of them -> what they mean to whoever edits the file
PARSER: Mapping[str, tuple[str, str]] = {
    r"'\t' that cannot start": (
        "缩进要用空格，不能用制表符",
        "the indentation holds a tab; use spaces",
    ),
    "that cannot start any token": (
        "不能以这个字符开头；值里有特殊字符时请加引号",
        "a value cannot begin with this character; put it in quotes",
    ),
    "',' or '}'": ("花括号里缺少逗号或右括号", "a comma or the closing brace is missing"),
    "',' or ']'": ("方括号里缺少逗号或右括号", "a comma or the closing bracket is missing"),
    "mapping values are not allowed": (
        "这里不能再有“键: 值”；值里有冒号时请加引号，上一行也可能缺少冒号",
        "a value here contains “:”: put it in quotes. Or the line above lacks its colon",
    ),
    "could not find expected ':'": ("缺少冒号", "a colon is missing after the key"),
    "expected <block end>": ("缩进没有对齐", "the indentation does not line up with the lines above"),
    "expected the node content": ("这里缺少值", "a value is missing here"),
    "unexpected end of stream": ("引号没有配对", "a quote is not closed"),
    "unknown escape character": (
        "双引号里的反斜杠写法不对；路径请用单引号",
        "a backslash inside double quotes is wrong; put paths in single quotes",
    ),
    "undefined alias": ("不接受 YAML 别名", "aliases are not accepted"),
    "expected a single document": (
        "只能有一份文档，不能有 ---",
        "only one document is accepted, without ---",
    ),
    "tag": ("不接受 YAML 标签", "tags are not accepted"),
    "not YAML": ("不是 YAML 文件", "this is not YAML"),
}
