"""Reads a fault file, YAML or JSON, into faults; a fault of the file is reported with its position.

faults:
  - match: {action: ChannelCreatePreparedPersonalEsign, nth: [3, 7]}
    do: reset_after
  - match: {user_name: 张三}
    do: {delay_after: 60}
  - match: {action: UploadFiles, from: 10, to: 20, share: 0.5, seed: 7}
    do: {code: {code: ResourceNotFound.File, message: 文件不存在。}}
  - match: {action: UploadFiles}
    do: {deprecated: This interface ends on 2027-01-01.}
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
from pipeline.messages.catalogue import make_phrase
from pipeline.sandbox.calls import MESSAGES
from pipeline.sandbox.checks import SHAPES
from pipeline.sandbox.faults import EITHER_SIDE, KINDS, TIMED, Fault, Kind, Match

MATCH_KEYS = ("action", "user_name", "seal_name", "nth", "every", "from", "to", "share", "seed")
WITH_CODE = frozenset({"code", "internal_error_before", "internal_error_after"})


def load_faults(path: Path) -> tuple[Fault, ...]:
    """Return the faults of a file in its order; UsageError names the file and the position in it."""
    try:
        data = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = reason_of(error) if isinstance(error, OSError) else make_phrase("faults.not_utf8")
        raise UsageError("faults.unreadable", path=path, why=why) from error
    except YAMLError as error:
        raise UsageError("faults.not_yaml", path=path, error=error) from error
    try:
        return parse_faults(data)
    except UsageError as error:
        raise UsageError("faults.in_file", path=path, why=error) from None


def parse_faults(data: object) -> tuple[Fault, ...]:
    """Return the faults of a loaded file: an object with the list ``faults``."""
    if not isinstance(data, Mapping) or set(data) != {"faults"} or not isinstance(data["faults"], list):
        raise _file_error("", "faults.list")
    return tuple(_parse_fault(item, f"faults[{index}]") for index, item in enumerate(data["faults"]))


def _parse_fault(item: object, where: str) -> Fault:
    if not isinstance(item, Mapping) or "do" not in item or not set(item) <= {"match", "do"}:
        raise _file_error(where, "faults.do")
    match = _parse_match(item.get("match", {}), f"{where}.match")
    do = item["do"]
    if isinstance(do, Mapping) and len(do) == 1:
        name, value = next(iter(do.items()))
    elif isinstance(do, str):
        name, value = do, None
    else:
        raise _file_error(f"{where}.do", "faults.one_name")
    kind = next((known for known in KINDS if known == name), None)
    if kind is None:
        raise _file_error(f"{where}.do", "faults.no_kind", name=name, known=", ".join(KINDS))
    return _with_value(kind, value, match, f"{where}.do.{kind}")


def _with_value(kind: Kind, value: object, match: Match, where: str) -> Fault:
    if kind in TIMED:
        if not _is_number(value) or (kind != "clock_skew" and value < 0):
            raise _file_error(where, "faults.seconds")
        return Fault(kind, match, seconds=float(value))
    if kind in WITH_CODE:
        return _with_code(kind, value, match, where)
    if kind in {"seal_id", "deprecated"}:
        if not isinstance(value, str):
            raise _file_error(where, "faults.text")
        return Fault(kind, match, seal_id=value) if kind == "seal_id" else Fault(kind, match, message=value)
    if value is None:
        return Fault(kind, match)
    if kind in EITHER_SIDE and value in ("before", "after"):
        return Fault(kind, match, when="before" if value == "before" else "after")
    if kind == "redirect" and isinstance(value, str):
        return Fault(kind, match, url=value)
    wanted = "either_side" if kind in EITHER_SIDE else "url" if kind == "redirect" else "no_value"
    raise _file_error(where, "faults.takes", wanted=make_phrase(f"faults.{wanted}"), value=value)


def _with_code(kind: Kind, value: object, match: Match, where: str) -> Fault:
    given: Mapping[str, Any] = value if isinstance(value, Mapping) else {"code": value}
    code, message = given.get("code"), given.get("message")
    if kind != "code":
        code = code or "InternalError"
    if (
        not set(given) <= {"code", "message"}
        or not isinstance(code, str)
        or not isinstance(message, str | None)
    ):
        raise _file_error(where, "faults.code")
    if message is None and code not in MESSAGES and code.partition(".")[0] not in MESSAGES:
        raise _file_error(where, "faults.message", code=code)
    return Fault(kind, match, code=code, message=message)


def _parse_match(item: object, where: str) -> Match:
    if not isinstance(item, Mapping):
        raise _file_error(where, "faults.object")
    for name in item:
        if name not in MATCH_KEYS:
            raise _file_error(f"{where}.{name}", "faults.none_of", known=", ".join(MATCH_KEYS))
    for name in ("action", "user_name", "seal_name"):
        if not isinstance(item.get(name), str | None):
            raise _file_error(f"{where}.{name}", "faults.text")
    if item.get("action") not in (None, *SHAPES):
        raise _file_error(f"{where}.action", "faults.none_of", known=", ".join(SHAPES))
    share = item.get("share", 1)
    if not _is_number(share) or not 0 <= share <= 1:
        raise _file_error(f"{where}.share", "faults.share")
    nth = item.get("nth", [])
    return Match(
        action=item.get("action"),
        user_name=item.get("user_name"),
        seal_name=item.get("seal_name"),
        nth=tuple(
            _parse_count(number, f"{where}.nth") for number in (nth if isinstance(nth, list) else [nth])
        ),
        every=1 if item.get("every", True) is True else _parse_count(item["every"], f"{where}.every"),
        first=_parse_count(item.get("from", 1), f"{where}.from"),
        last=None if item.get("to") is None else _parse_count(item["to"], f"{where}.to"),
        share=float(share),
        seed=_parse_count(item.get("seed", 0), f"{where}.seed", least=0),
    )


def _parse_count(value: object, where: str, *, least: int = 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise _file_error(where, "faults.whole_number", least=least)
    return value


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _file_error(where: str, key: str, /, **detail: object) -> UsageError:
    return UsageError(
        "faults.wrong", place=where or make_phrase("faults.file"), why=make_phrase(key, **detail)
    )
