"""click's own words in Chinese.

``pipeline/cli/locale`` holds this table as `gettext` reads it, made by ``python tools/compile_messages.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

CHINESE: Mapping[str, str] = {
    "Usage:": "用法：",
    "Options": "选项",
    "Commands": "命令",
    "Positional arguments": "参数",
    "[OPTIONS]": "[选项]",
    "COMMAND [ARGS]...": "命令 [参数]...",
    "Show the version and exit.": "显示版本后退出。",
    "Show this message and exit.": "显示本说明后退出。",
    "default: {default}": "默认：{default}",
    "env var: {var}": "环境变量：{var}",
    "required": "必填",
    "(dynamic)": "（按情况而定）",
    "deprecated": "已停用",
    "Error: {message}": "错误：{message}",
    "Try '{command} {option}' for help.": "用法说明：{command} {option}",
    "Did you mean {possibility}?": "是不是 {possibility}？",
    "(Did you mean one of: {possibilities}?)": "（是不是其中之一：{possibilities}？）",
    "Missing command.": "没有写命令。",
    "No such command {name!r}.": "没有 {name!r} 这个命令。",
    "No such option {name!r}.": "没有 {name!r} 这个选项。",
    "Missing argument": "缺少参数",
    "Missing option": "缺少选项",
    "Missing parameter": "缺少参数",
    "Missing {param_type}": "缺少 {param_type}",
    "Missing parameter: {param_name}": "缺少参数：{param_name}",
    "Got unexpected extra argument ({args})": "多出了参数（{args}）",
    "Got unexpected extra arguments ({args})": "多出了参数（{args}）",
    "Option {name!r} does not take a value.": "选项 {name!r} 后面不能写值。",
    "Option {name!r} requires an argument.": "选项 {name!r} 后面要写值。",
    "Option {name!r} requires {nargs} arguments.": "选项 {name!r} 后面要写 {nargs} 个值。",
    "Argument {name!r} takes {nargs} values.": "参数 {name!r} 要写 {nargs} 个值。",
    "Takes {nargs} values but 1 was given.": "要写 {nargs} 个值，只写了 1 个。",
    "Takes {nargs} values but {len} were given.": "要写 {nargs} 个值，写了 {len} 个。",
    "{len_type} values are required, but {len_value} was given.": "要写 {len_type} 个值，写了 {len_value} 个。",
    "{len_type} values are required, but {len_value} were given.": "要写 {len_type} 个值，写了 {len_value} 个。",
    "Value must be an iterable.": "应为一列值。",
    "Invalid value: {message}": "值不对：{message}",
    "Invalid value for {param_hint}: {message}": "{param_hint} 的值不对：{message}",
    "Choose from:\n\t{choices}": "可选：\n\t{choices}",
    "{value!r} is not {choice}.": "{value!r} 不是 {choice}。",
    "{value!r} is not one of {choices}.": "{value!r} 不在可选的 {choices} 之中。",
    "{value!r} is not a valid {number_type}.": "{value!r} 不是{number_type}。",
    "{value} is not in the range {range}.": "{value} 超出范围（{range}）。",
    "{value!r} is not a valid boolean. Recognized values: {states}": "{value!r} 不是“是”或“否”；可以写 {states}",
    "{value!r} is not a valid UUID.": "{value!r} 不是 UUID。",
    "{value!r} does not match the format {format}.": "{value!r} 不合格式 {format}。",
    "{value!r} does not match the formats {formats}.": "{value!r} 不合格式 {formats}。",
    "{name} {filename!r} does not exist.": "找不到 {filename!r}。",
    "{name} {filename!r} is a file.": "{filename!r} 是文件，应为文件夹。",
    "{name} {filename!r} is a directory.": "{filename!r} 是文件夹，应为文件。",
    "{name} {filename!r} is not readable.": "{filename!r} 不能读取。",
    "{name} {filename!r} is not writable.": "{filename!r} 不能写入。",
    "{name} {filename!r} is not executable.": "{filename!r} 不能执行。",
    "Could not open file {filename!r}: {message}": "无法打开 {filename!r}：{message}",
    "unknown error": "原因不明",
    "file": "文件",
    "directory": "文件夹",
    "path": "路径",
    "Aborted!": "已中止。",
    "Do you want to continue?": "继续吗？",
    "Confirm the action without prompting.": "不再询问，直接执行。",
    "Error: invalid input": "错误：请回答 y 或 n",
    "Repeat for confirmation": "请再输入一次",
    "Error: The two entered values do not match.": "错误：两次输入的不一样。",
    "Press any key to continue...": "按任意键继续……",
    "Couldn't detect Bash version, shell completion is not supported.": "认不出 Bash 的版本，不能自动补全。",
    "Shell completion is not supported for Bash versions older than 4.4.": "Bash 4.4 以前的版本不能自动补全。",
    "Windows error: {error}": "Windows 错误：{error}",
}

# the same in the plural, where click asks for one of two
PLURALS: Mapping[str, str] = {
    "Got unexpected extra argument ({args})": "Got unexpected extra arguments ({args})",
    "Takes {nargs} values but 1 was given.": "Takes {nargs} values but {len} were given.",
    "{len_type} values are required, but {len_value} was given.": (
        "{len_type} values are required, but {len_value} were given."
    ),
    "{value!r} is not {choice}.": "{value!r} is not one of {choices}.",
    "{value!r} does not match the format {format}.": "{value!r} does not match the formats {formats}.",
    "Did you mean {possibility}?": "(Did you mean one of: {possibilities}?)",
    "Option {name!r} requires an argument.": "Option {name!r} requires {nargs} arguments.",
}

# the names that click gives to kinds of numbers, which it does not translate
KINDS: Mapping[str, tuple[str, str]] = {
    "a valid integer range": ("整数", "a whole number"),
    "a valid float range": ("数字", "a number"),
    "integer range": ("整数", "a whole number"),
    "float range": ("数字", "a number"),
}
# how a range is told in either language: pattern -> what stands for it
RANGES: Sequence[tuple[str, str]] = (
    (r"\b(\S+)<=x<=(\S+)", r"\1-\2"),
    (r"\bx>=(\S+)", r">= \1"),
    (r"\bx>(?=\S)", "> "),
)
# in Chinese: no blank after a wide stop, quotes and commas of its own, a stop of its own at the end
STOPS: Sequence[tuple[str, str]] = (
    (r"(?<!\w)'([^']*)'", r"“\1”"),
    (r"”, (?=“)", "”、"),
    (r"(?<=[^\x00-\x7f]) (?=“)", ""),
    (r"(?<=[，。、；：？！）”]) +(?=[^\x00-\x7f])", ""),
    (r"(?<=[^\x00-\x7f])\.(?=\s|$)", "。"),
    (r"。（(.*？)）$", r"。\1"),
    (r"(?<=[^。？！：])$", "。"),
)
