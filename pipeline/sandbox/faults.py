"""What can go wrong on purpose: faults, which calls they strike, and what they do to an answer.

A fault strikes before the service sees the call (nothing is executed) or after (it was executed, and the client may
never learn of it). Several faults may strike one call. A fault file, YAML or JSON, lists them:

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
  - match: {user_name: 李四}
    do: {replay: {user_name: 张三, nth: 1}}

``replay`` answers with what an earlier call was answered, to the letter: of the action, the name and the number that it
names, else the last one of the same action. Its own call is executed all the same. ``same_file_id`` answers an upload
with the FileIds of the first one.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeGuard, get_args

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.error import YAMLError

from pipeline.errors import UsageError, reason_of
from pipeline.messages.catalogue import make_message
from pipeline.sandbox.checks import SHAPES
from pipeline.sandbox.gateway import MESSAGES, Call

Kind = Literal[
    "throttle",
    "code",
    "internal_error_before",
    "internal_error_after",
    "delay_before",
    "delay_after",
    "reset_before",
    "reset_after",
    "close",
    "http_502",
    "html_200",
    "redirect",
    "truncated_json",
    "no_seal_id",
    "empty_seal_id",
    "same_seal_id",
    "seal_id",
    "same_file_id",
    "replay",
    "charset",
    "clock_skew",
    "deprecated",
]
When = Literal["before", "after"]

KINDS: tuple[Kind, ...] = get_args(Kind)
EITHER_SIDE = frozenset({"close", "http_502", "html_200"})  # kinds that may strike on either side
TIMED = frozenset({"delay_before", "delay_after", "clock_skew"})

REPLAY_KEYS = ("action", "user_name", "nth")
MATCH_KEYS = ("action", "user_name", "seal_name", "nth", "every", "from", "to", "share", "seed")
WITH_CODE = frozenset({"code", "internal_error_before", "internal_error_after"})


@dataclass(frozen=True, slots=True)
class Match:
    """Which calls a fault strikes: those that fit action and names, then by their number among those that fit.

    Numbers start at 1. ``share`` picks from the rest, the same calls in every run with the same ``seed``.
    """

    action: str | None = None
    user_name: str | None = field(default=None, repr=False)
    seal_name: str | None = None
    nth: tuple[int, ...] = ()
    every: int = 1
    first: int = 1  # ``from`` in a fault file
    last: int | None = None  # ``to``, included
    share: float = 1.0
    seed: int = 0

    def matches(self, call: Call) -> bool:
        """Return whether the call is one of those that are numbered."""
        return (
            self.action in (None, call.action)
            and self.user_name in (None, call.get_text("UserName"))
            and self.seal_name in (None, call.get_text("SealName"))
        )

    def selects(self, number: int) -> bool:
        """Return whether the fault strikes the call of this number."""
        if self.nth and number not in self.nth:
            return False
        if number < self.first or (self.last is not None and number > self.last) or number % self.every:
            return False
        lot = hashlib.sha256(f"{self.seed}/{number}".encode()).digest()
        return int.from_bytes(lot[:8]) < self.share * 2**64


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. ``seconds`` is for the delays and the skew, ``url`` for redirect.

    ``code`` and ``message`` are for ``code`` and the internal errors; ``when`` for what may strike on either side;
    ``seal_id`` is what the fault of that name answers in place of the SealId that was made; ``message`` is also the
    warning of ``deprecated``.
    """

    kind: Kind
    match: Match = Match()
    seconds: float = 0.0
    when: When = "after"
    code: str | None = None
    message: str | None = None
    url: str = "https://elsewhere.invalid/"
    seal_id: str = ""
    earlier: Match = Match()  # which answer ``replay`` repeats

    @property
    def breaks_before(self) -> bool:
        """Whether the call ends here without the service having seen it."""
        return self.kind in {"reset_before", "redirect"} or (
            self.kind in EITHER_SIDE and self.when == "before"
        )

    @property
    def name(self) -> str:
        """The kind, with its side where there are two."""
        return f"{self.kind}_{self.when}" if self.kind in EITHER_SIDE else self.kind


class Faults:
    """Faults at work: numbers the calls that fit each one."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = tuple(faults)
        self._seen = [0] * len(self._faults)

    def choose_faults(self, call: Call) -> tuple[Fault, ...]:
        """Count the call and return the faults that strike it, in the order of the file."""
        struck = []
        for index, fault in enumerate(self._faults):
            if fault.match.matches(call):
                self._seen[index] += 1
                if fault.match.selects(self._seen[index]):
                    struck.append(fault)
        return tuple(struck)


def load_faults(path: Path) -> tuple[Fault, ...]:
    """Return the faults of a file in its order; UsageError names the file and the line in it."""
    try:
        data = YAML(typ="rt", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = reason_of(error) if isinstance(error, OSError) else make_message("faults.not_utf8")
        raise UsageError("faults.unreadable", path=path, why=why) from error
    except YAMLError as error:
        position = getattr(error, "problem_mark", None)
        raise UsageError("faults.not_yaml", path=path, line=position.line + 1 if position else 1) from error
    return parse_faults(data, path)


def parse_faults(data: object, path: Path | None = None) -> tuple[Fault, ...]:
    """Return the faults of a loaded file: an object with the list ``faults``. UsageError names the line in ``path``."""
    faults, line = [], 1
    items: Any = data.get("faults") if isinstance(data, Mapping) and len(data) == 1 else None
    try:
        if not isinstance(items, list):
            raise _file_error("", "faults.list")
        for index, item in enumerate(items):
            if isinstance(items, CommentedSeq):
                line = items.lc.item(index)[0] + 1
            faults.append(_parse_fault(item, f"faults[{index}]"))
    except UsageError as error:
        if path is None:
            raise
        raise UsageError("faults.in_file", path=path, line=line, why=error.as_message()) from None
    return tuple(faults)


def _parse_fault(item: object, where: str) -> Fault:
    if not isinstance(item, Mapping) or "do" not in item or not set(item) <= {"match", "do"}:
        text = ", ".join(map(str, item)) if isinstance(item, Mapping) else str(item)
        raise _file_error(where, "faults.do", found=text)
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
        raise _file_error(f"{where}.do", "faults.no_kind", name=name, **_name_known(name, KINDS))
    if kind == "replay":
        return Fault(kind, match, earlier=_parse_earlier(value or {}, f"{where}.do.replay"))
    return _with_value(kind, value, match, f"{where}.do.{kind}")


def _with_value(kind: Kind, value: object, match: Match, where: str) -> Fault:
    if kind in TIMED:
        if not _is_number(value) or (kind != "clock_skew" and value < 0):
            raise _file_error(where, "faults.seconds", kind=kind)
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
    raise _file_error(where, "faults.takes", wanted=make_message(f"faults.{wanted}"), value=value)


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


def _parse_earlier(item: object, where: str) -> Match:
    """Return which earlier answer is repeated; only some of the keys of a match mean one."""
    for name in item if isinstance(item, Mapping) else ():
        if name not in REPLAY_KEYS:
            raise _file_error(f"{where}.{name}", "faults.none_of", **_name_known(name, REPLAY_KEYS))
    return _parse_match(item, where)


def _parse_match(item: object, where: str) -> Match:
    if not isinstance(item, Mapping):
        raise _file_error(where, "faults.object")
    for name in item:
        if name not in MATCH_KEYS:
            raise _file_error(f"{where}.{name}", "faults.none_of", **_name_known(name, MATCH_KEYS))
    for name in ("action", "user_name", "seal_name"):
        if not isinstance(item.get(name), str | None):
            raise _file_error(f"{where}.{name}", "faults.text")
    if item.get("action") not in (None, *SHAPES):
        raise _file_error(f"{where}.action", "faults.none_of", **_name_known(item["action"], SHAPES))
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


def _name_known(name: object, known: Iterable[str]) -> Mapping[str, object]:
    """Return the names that are known, and the one that may be meant."""
    meant = difflib.get_close_matches(str(name), known, n=1)
    near = make_message("usage.near", name=meant[0]) if meant else ""
    return {"known": ", ".join(known), "near": near}


def _file_error(where: str, key: str, /, **detail: object) -> UsageError:
    return UsageError(
        "faults.wrong", place=where or make_message("faults.file"), why=make_message(key, **detail)
    )
