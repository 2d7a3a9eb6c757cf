"""What is wrong in a fault file of the sandbox, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "faults.unreadable": ("{path}：无法读取：{why}", "{path}: cannot be read: {why}"),
    "faults.not_utf8": ("不是 UTF-8 编码", "not UTF-8"),
    "faults.not_yaml": ("{path}：不是 YAML 或 JSON", "{path}: not YAML or JSON: {error}"),
    "faults.in_file": ("{path}：{why}", "{path}: {why}"),
    "faults.wrong": ("{place}：{why}", "{place}: {why}"),
    "faults.file": ("故障文件", "fault file"),
    "faults.list": ("应为一个对象，其中只有列表 faults", "must be an object with one list, faults"),
    "faults.do": ("应有 do，可有 match", "needs do, and may have match"),
    "faults.one_name": ("应为一个名称，或一个名称及其值", "must be a name, or one name with its value"),
    "faults.no_kind": ("{name!r} 不在 {known} 之中", "{name!r} is none of {known}"),
    "faults.seconds": ("需要秒数", "needs seconds"),
    "faults.takes": ("应为 {wanted}，而不是 {value!r}", "takes {wanted}, not {value!r}"),
    "faults.either_side": ("before 或 after", "before or after"),
    "faults.url": ("一个 URL", "a url"),
    "faults.no_value": ("没有值", "no value"),
    "faults.code": ("应为错误码，或 {{code, message}}", "takes a code, or {{code, message}}"),
    "faults.message": ("{code} 需要 message", "{code} needs a message"),
    "faults.object": ("应为对象", "must be an object"),
    "faults.none_of": ("不在 {known} 之中", "is none of {known}"),
    "faults.text": ("应为文字", "must be text"),
    "faults.share": ("应在 0 和 1 之间", "must lie between 0 and 1"),
    "faults.whole_number": ("应为不小于 {least} 的整数", "must be a whole number from {least}"),
}
