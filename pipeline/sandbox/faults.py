"""The two files of a sandbox: what goes wrong on purpose, and its rules.

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

A rules file, YAML or JSON, holds what differs from `SandboxRules`, such as ``{limiter: none, latency: 0.5}``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import UsageError, reason_of
from pipeline.messages.catalogue import make_message
from pipeline.sandbox.actions import Rules
from pipeline.sandbox.checks import SHAPES
from pipeline.sandbox.gateway import Call

Kind = Literal[
    "throttle",
    "code",
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
# kinds with a value in a fault file, and the attribute of `Fault` that it is
_VALUES: Mapping[str, str] = {
    "delay_before": "seconds",
    "delay_after": "seconds",
    "clock_skew": "seconds",
    "code": "code",
    "internal_error_after": "code",
    "close": "when",
    "http_502": "when",
    "html_200": "when",
    "redirect": "url",
    "link": "url",
    "seal_id": "seal_id",
    "replay": "earlier",
    "deprecated": "message",
}
_NEEDS_VALUE = _VALUES.keys() - EITHER_SIDE - {"internal_error_after", "redirect", "replay"}
_ONLY_KNOWN_NAMES = ConfigDict(extra="forbid")


def _require_action(name: str) -> str:
    actions = {*SHAPES, *(action.removeprefix("Channel") for action in SHAPES)}  # of both products
    if name not in actions:
        raise ValueError(name)
    return name


def _wrap_number(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


Value = TypeVar("Value")
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class Match:
    """Which calls a fault strikes: those that fit action and names, then by their number among those that fit.

    Numbers start at 1. ``share`` picks from the rest, the same calls in every run with the same ``seed``.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _ONLY_KNOWN_NAMES

    action: Annotated[str, AfterValidator(_require_action)] | None = None
    user_name: str | None = field(default=None, repr=False)
    nth: Annotated[tuple[Count, ...], BeforeValidator(_wrap_number)] = ()
    every: Count = 1
    first: Annotated[Count, Field(alias="from")] = 1
    last: Annotated[Count | None, Field(alias="to")] = None  # included
    share: float = 1.0
    seed: int = 0

    def matches(self, call: Call) -> bool:
        """Return whether the call is one of those that are numbered."""
        return self.action in (None, call.action, call.operation) and self.user_name in (
            None,
            call.get_text("UserName"),
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

    __pydantic_config__: ClassVar[ConfigDict] = _ONLY_KNOWN_NAMES

    kind: Kind
    match: Match = Match()
    seconds: float = 0.0
    when: When = "after"
    code: str = ""
    message: str = ""
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


@dataclass(frozen=True, slots=True)
class SandboxRules(Rules):
    """A rules file: the switches of the service, and how long its answers take."""

    __pydantic_config__: ClassVar[ConfigDict] = _ONLY_KNOWN_NAMES

    latency: float = 0.08  # seconds
    jitter: float = 0.0  # seconds, of what the limiter sees


def load_rules(path: Path) -> SandboxRules:
    """Return the rules of a YAML or JSON file; UsageError names the place in it."""
    return _validate(TypeAdapter(SandboxRules), _load_file(path), path)


def load_faults(path: Path) -> tuple[Fault, ...]:
    """Return the faults of a YAML or JSON file in its order; UsageError names the place in it."""
    return parse_faults(_load_file(path), path)


def parse_faults(data: object, path: Path | None = None) -> tuple[Fault, ...]:
    """Return the faults of a loaded file: an object with the list ``faults``."""
    return tuple(_validate(_FAULTS_FILE, data, path).get("faults", ()))


def _name_attributes(entry: Any) -> Any:
    """Return an entry of the list by the names of `Fault`: ``do`` is a kind, or a kind and its value."""
    if not isinstance(entry, dict) or "do" not in entry:
        return entry
    do = entry["do"]
    kind, value = next(iter(do.items())) if isinstance(do, dict) and len(do) == 1 else (do, None)
    named = {name: given for name, given in entry.items() if name != "do"} | {"kind": kind}
    if not isinstance(kind, str) or (value is None and kind not in _NEEDS_VALUE):
        return named
    attribute = _VALUES.get(kind, kind)
    return named | (value if attribute == "code" and isinstance(value, dict) else {attribute: value})


_FAULTS_FILE = TypeAdapter(
    dict[Literal["faults"], list[Annotated[Fault, BeforeValidator(_name_attributes)]]],
)


def _load_file(path: Path) -> object:
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = reason_of(error) if isinstance(error, OSError) else make_message("faults.not_utf8")
        raise UsageError("faults.unreadable", path=path, why=why) from error
    except YAMLError as error:
        position = getattr(error, "problem_mark", None)
        raise UsageError("faults.not_yaml", path=path, line=position.line + 1 if position else 1) from error


def _validate(adapter: TypeAdapter[Value], data: object, path: Path | None) -> Value:
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise UsageError("faults.misfit", path=path or "", name=name, found=str(first["input"])) from None
