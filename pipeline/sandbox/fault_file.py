"""Reads a fault file, YAML or JSON, into faults; what is wrong in it is said with its place.

faults:
  - match: {action: ChannelCreatePreparedPersonalEsign, nth: [3, 7]}
    do: reset_after
  - match: {user_name: 张三}
    do: {delay_after: 60}
  - match: {action: UploadFiles, from: 10, to: 20, share: 0.5, seed: 7}
    do: {code: {code: ResourceNotFound.File, message: 文件不存在。}}
  - match: {every: true}
    do: {http_502: before}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import UsageError, reason_of
from pipeline.sandbox.answers import MESSAGES
from pipeline.sandbox.checks import SHAPES
from pipeline.sandbox.faults import EITHER_SIDE, KINDS, TIMED, Fault, Kind, Match

MATCH_KEYS = ("action", "user_name", "seal_name", "nth", "every", "from", "to", "share", "seed")
WITH_CODE = frozenset({"code", "internal_error_before", "internal_error_after"})


def load_faults(path: Path) -> tuple[Fault, ...]:
    """Return the faults of a file in its order; UsageError names the file and the place in it."""
    try:
        data = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        en, zh = reason_of(error) if isinstance(error, OSError) else ("not UTF-8", "不是 UTF-8 编码")
        raise UsageError(f"{path}: cannot be read: {en}", f"{path}：无法读取：{zh}") from error
    except YAMLError as error:
        raise UsageError(f"{path}: not YAML or JSON: {error}", f"{path}：不是 YAML 或 JSON") from error
    try:
        return parse_faults(data)
    except UsageError as error:
        raise UsageError(f"{path}: {error.en}", f"{path}：{error.zh}") from None


def parse_faults(data: object) -> tuple[Fault, ...]:
    """Return the faults of a loaded file: an object with the list ``faults``."""
    if not isinstance(data, Mapping) or set(data) != {"faults"} or not isinstance(data["faults"], list):
        raise _wrong("", "must be an object with one list, faults", "应为一个对象，其中只有列表 faults")
    return tuple(_fault(item, f"faults[{index}]") for index, item in enumerate(data["faults"]))


def _fault(item: object, place: str) -> Fault:
    if not isinstance(item, Mapping) or "do" not in item or not set(item) <= {"match", "do"}:
        raise _wrong(place, "needs do, and may have match", "应有 do，可有 match")
    match = _match(item.get("match", {}), f"{place}.match")
    do = item["do"]
    if isinstance(do, Mapping) and len(do) == 1:
        name, value = next(iter(do.items()))
    elif isinstance(do, str):
        name, value = do, None
    else:
        raise _wrong(
            f"{place}.do", "must be a name, or one name with its value", "应为一个名称，或一个名称及其值"
        )
    kind = next((known for known in KINDS if known == name), None)
    if kind is None:
        raise _wrong(
            f"{place}.do", f"{name!r} is none of {', '.join(KINDS)}", f"{name!r} 不在 {', '.join(KINDS)} 之中"
        )
    return _with_value(kind, value, match, f"{place}.do.{kind}")


def _with_value(kind: Kind, value: object, match: Match, place: str) -> Fault:
    if kind in TIMED:
        if not _is_number(value) or (kind != "clock_skew" and value < 0):
            raise _wrong(place, "needs seconds", "需要秒数")
        return Fault(kind, match, seconds=float(value))
    if kind in WITH_CODE:
        return _with_code(kind, value, match, place)
    if value is None:
        return Fault(kind, match)
    if kind in EITHER_SIDE and value in ("before", "after"):
        return Fault(kind, match, when="before" if value == "before" else "after")
    if kind == "redirect" and isinstance(value, str):
        return Fault(kind, match, url=value)
    wanted = "before or after" if kind in EITHER_SIDE else "a url" if kind == "redirect" else "no value"
    raise _wrong(place, f"takes {wanted}, not {value!r}", f"应为 {wanted}，而不是 {value!r}")


def _with_code(kind: Kind, value: object, match: Match, place: str) -> Fault:
    given: Mapping[str, Any] = value if isinstance(value, Mapping) else {"code": value}
    code, message = given.get("code"), given.get("message")
    if kind != "code":
        code = code or "InternalError"
    if (
        not set(given) <= {"code", "message"}
        or not isinstance(code, str)
        or not isinstance(message, str | None)
    ):
        raise _wrong(place, "takes a code, or {code, message}", "应为错误码，或 {code, message}")
    if message is None and code not in MESSAGES and code.partition(".")[0] not in MESSAGES:
        raise _wrong(place, f"{code} needs a message", f"{code} 需要 message")
    return Fault(kind, match, code=code, message=message)


def _match(item: object, place: str) -> Match:
    if not isinstance(item, Mapping):
        raise _wrong(place, "must be an object", "应为对象")
    for name in item:
        if name not in MATCH_KEYS:
            raise _wrong(
                f"{place}.{name}", f"is none of {', '.join(MATCH_KEYS)}", f"不在 {', '.join(MATCH_KEYS)} 之中"
            )
    for name in ("action", "user_name", "seal_name"):
        if not isinstance(item.get(name), str | None):
            raise _wrong(f"{place}.{name}", "must be text", "应为文字")
    if item.get("action") not in (None, *SHAPES):
        raise _wrong(f"{place}.action", f"is none of {', '.join(SHAPES)}", f"不在 {', '.join(SHAPES)} 之中")
    share = item.get("share", 1)
    if not _is_number(share) or not 0 <= share <= 1:
        raise _wrong(f"{place}.share", "must lie between 0 and 1", "应在 0 和 1 之间")
    nth = item.get("nth", [])
    return Match(
        action=item.get("action"),
        user_name=item.get("user_name"),
        seal_name=item.get("seal_name"),
        nth=tuple(_count(number, f"{place}.nth") for number in (nth if isinstance(nth, list) else [nth])),
        every=1 if item.get("every", True) is True else _count(item["every"], f"{place}.every"),
        first=_count(item.get("from", 1), f"{place}.from"),
        last=None if item.get("to") is None else _count(item["to"], f"{place}.to"),
        share=float(share),
        seed=_count(item.get("seed", 0), f"{place}.seed", least=0),
    )


def _count(value: object, place: str, *, least: int = 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise _wrong(place, f"must be a whole number from {least}", f"应为不小于 {least} 的整数")
    return value


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong(place: str, en: str, zh: str) -> UsageError:
    return UsageError(f"{place or 'fault file'}: {en}", f"{place or '故障文件'}：{zh}")
