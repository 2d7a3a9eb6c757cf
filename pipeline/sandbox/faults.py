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
with the FileIds of the first one. ``link`` answers with this Url in place of the link that was made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
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
    "link",
    "replay",
    "charset",
    "clock_skew",
    "deprecated",
]
When = Literal["before", "after"]

KINDS: tuple[Kind, ...] = get_args(Kind)
EITHER_SIDE = frozenset({"close", "http_502", "html_200"})  # kinds that may strike on either side

REPLAY_KEYS = ("action", "user_name", "nth")
MATCH_KEYS = ("action", "user_name", "seal_name", "nth", "every", "from", "to", "share", "seed")


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
            self.action in (None, call.action, call.operation)
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
    """One thing that goes wrong. ``seconds`` is for the delays and the skew, ``url`` for redirect and link.

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

    def add(self, faults: Sequence[Fault]) -> None:
        """Let further faults strike from now on."""
        self._faults += tuple(faults)
        self._seen += [0] * len(faults)

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
    faults = []
    location = str(path or "faults")
    try:
        items: Any = _take_names(data, ("faults",)).get("faults")
        if not isinstance(items, list):
            raise _Misfit(items, ("- do: throttle",))
        for index, item in enumerate(items):
            location = f"{path}:{_get_line(items, item) or index + 1}" if path else f"faults[{index}]"
            faults.append(_parse_fault(item))
    except _Misfit as misfit:
        if path is not None and (line := _get_line(data, misfit.item)) is not None:
            location = f"{path}:{line}"
        near = get_close_matches(misfit.text, misfit.known, n=1)
        known = ", ".join(misfit.known)
        advice = (
            make_message("config.near", name=near[0]) if near else make_message("faults.known", known=known)
        )
        raise UsageError("faults.misfit", place=location, found=misfit.text, advice=advice) from None
    return tuple(faults)


def _get_line(node: object, wanted: object) -> int | None:
    """Return the line, from 1, on which a name or a value of a loaded file stands; None where it does not."""
    if isinstance(node, CommentedMap):
        entries = [(value, node.lc.value(name)) for name, value in node.items()]
        entries += [(name, node.lc.key(name)) for name in node]
    elif isinstance(node, CommentedSeq):
        entries = [(value, node.lc.item(index)) for index, value in enumerate(node)]
    else:
        return None
    for entry, position in entries:
        line: int = position[0]
        if wanted is not None and entry is wanted:
            return line + 1
        if (below := _get_line(entry, wanted)) is not None:
            return below
    return None


class _Misfit(Exception):
    """Something in a fault file that does not fit, and what would."""

    def __init__(self, item: object, known: Iterable[str]) -> None:
        super().__init__()
        self.item, self.known = item, tuple(known)
        self.text = "null" if item is None else str(item)


def _parse_fault(item: object) -> Fault:
    names = _take_names(item, ("match", "do"))
    do = names.get("do")
    kinds = _take_names({do: None} if isinstance(do, str) else do, KINDS)
    if len(kinds) != 1:
        raise _Misfit(do, KINDS)
    ((kind, value),) = kinds.items()
    match = _parse_match(names.get("match", {}), MATCH_KEYS)
    return Fault(kind, match, **_read_value(kind, value))


def _read_value(kind: Kind, value: Any) -> Mapping[str, Any]:  # noqa: PLR0911 - one for each form
    """Return the attributes of a fault that its value gives."""
    match kind:
        case "delay_before" | "delay_after" | "clock_skew":
            return {"seconds": float(_take(value, (int, float), "5"))}
        case "code":
            return _read_error(value, None)
        case "internal_error_before" | "internal_error_after":
            return _read_error(value, "InternalError")
        case "seal_id" | "deprecated":
            return {"seal_id" if kind == "seal_id" else "message": _take(value, str, "text")}
        case "link":
            return {"url": _take(value, str, "text")}
        case "replay":
            return {"earlier": _parse_match(value or {}, REPLAY_KEYS)}
        case _ if value is None:
            return {}
        case "redirect":
            return {"url": _take(value, str, "http://127.0.0.1:9/")}
        case _ if kind in EITHER_SIDE and value in get_args(When):
            return {"when": value}
        case _:
            raise _Misfit(value, get_args(When) if kind in EITHER_SIDE else (f"do: {kind}",))


def _read_error(value: Any, default: str | None) -> Mapping[str, Any]:
    """Return the code and the message that the service answers; a code without a message of ours needs one."""
    given = _take_names(value if isinstance(value, Mapping) else {"code": value}, ("code", "message"))
    code = _take(given.get("code") or default, str, "InvalidParameter.Name")
    message = given.get("message")
    if message is None and not {code, code.partition(".")[0]} & MESSAGES.keys():
        raise _Misfit(code, (f"{{code: {code}, message: text}}",))
    return {"code": code, "message": message}


def _parse_match(item: object, known: Sequence[str]) -> Match:
    names = _take_names(item, known)
    actions = {*SHAPES, *(name.removeprefix("Channel") for name in SHAPES)}  # of both products
    if names.get("action") not in {None, *actions}:
        raise _Misfit(names["action"], SHAPES)
    for name in ("user_name", "seal_name"):
        _take(names.get(name, ""), str, "text")
    nth = names.get("nth", [])
    return Match(
        action=names.get("action"),
        user_name=names.get("user_name"),
        seal_name=names.get("seal_name"),
        nth=tuple(map(_take_count, nth if isinstance(nth, list) else [nth])),
        every=1 if names.get("every", True) is True else _take_count(names["every"]),
        first=_take_count(names.get("from", 1)),
        last=_take_count(names["to"]) if "to" in names else None,
        share=float(_take(names.get("share", 1), (int, float), "0.5")),
        seed=_take(names.get("seed", 0), int, "7"),
    )


def _take_names(item: object, known: Sequence[str]) -> Mapping[Any, Any]:
    """Return an object whose names are all known."""
    if not isinstance(item, Mapping):
        raise _Misfit(item, known)
    for name in item:
        if name not in known:
            raise _Misfit(name, known)
    return item


def _take_count(value: object) -> int:
    count: int = _take(value, int, "1")
    if count < 1:
        raise _Misfit(value, ("1",))
    return count


def _take(value: object, types: type | tuple[type, ...], example: str) -> Any:
    """Return a value of one of these types."""
    if not isinstance(value, types) or isinstance(value, bool):
        raise _Misfit(value, (example,))
    return value
