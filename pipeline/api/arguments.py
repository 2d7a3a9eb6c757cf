"""The arguments of the Python API: their types and meanings, which help() shows, and what is refused at entry."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    TypeAlias,
    TypedDict,
    TypeVar,
    cast,
    get_args,
    get_type_hints,
)

from pipeline.clock import Clock
from pipeline.config.named_paths import require_ready
from pipeline.config.settings import Config
from pipeline.domain.run import RowOutcome
from pipeline.domain.site_key import KEY_BYTES
from pipeline.errors import EsignImportError, UsageError
from pipeline.esign.rate_limiter import Limiter, require_limiter
from pipeline.esign.signing import Credentials, CredentialsSource
from pipeline.ledger.protocol import Ledger
from pipeline.messages.catalogue import make_message
from pipeline.resolution.cases import DecisionKind
from pipeline.support.terminal_text import quote
from pipeline.version import PROGRAM

StrPath: TypeAlias = Path | str
Rosters: TypeAlias = StrPath | Sequence[StrPath]
Language: TypeAlias = Literal["zh", "en"]
MODULE_PREFIX = r"\b(?:\w+\.)+(?=\w)"  # in the name of a type
# of the keyword arguments whose default is not None
ARGUMENT_DEFAULTS: Mapping[str, object] = {
    "rosters": (),
    "only": (),
    "accept_guards": False,
    "new_ledger": False,
    "write": True,
}
Function = TypeVar("Function", bound=Callable[..., object])


class SendOptions(TypedDict, total=False):
    """The keyword arguments of every function that sends: type, meaning, and the default where it is not None."""

    seals: Annotated[StrPath | None, "folder or zip of seal pictures; default: the configuration's"]
    out: Annotated[
        StrPath | None, "folder for the results; default: a folder of its own below the configuration's"
    ]
    write: Annotated[bool, "False: write no result files; state and work folders are kept all the same"]
    language: Annotated[
        Language | None, "language of the files; default: the configuration's, else the locale's"
    ]
    ledger: Annotated[
        Ledger | None, "used in place of the configured SQLite file; the caller opens, locks and closes it"
    ]
    site_key: Annotated[
        bytes | None,
        "32 secret bytes that belong to `ledger` for ever: with others every doctor would be new",
    ]
    limiter: Annotated[
        Limiter | None, "one for several runs at once keeps them within one quota; see `pipeline.Limiter`"
    ]
    credentials: Annotated[
        Credentials | Callable[[], CredentialsSource] | None,
        "a pair, or a function that finds one, or a source of keys that change, when something has to be sent; default: the"
        " places in the configuration page",
    ]
    clock: Annotated[Clock | None, "source of the time; default: the machine's"]
    on_outcome: Annotated[
        Callable[[RowOutcome], None] | None,
        "called with every row exactly once, in the event loop's thread: a row that is sent as it ends, any other at the"
        " end of the run; an exception of it is logged and ends nothing",
    ]


class RunOptions(SendOptions, total=False):
    """The keyword arguments of `run` and `run_async`."""

    rosters: Annotated[Rosters, "roster files or folders; default: the configuration's"]
    limit: Annotated[int | None, "create at most so many seals; None: no limit"]
    only: Annotated[
        Sequence[str],
        "names and staff numbers, with `checked` also plan.jsonl:LINE: create the seals of these people alone; (): of all",
    ]
    checked: Annotated[
        str | None, "the id of a check: send only what it showed; where the plan differs now, send nothing"
    ]
    review: Annotated[
        StrPath | None, "file of judgements that review.html saved; seals marked wrong are skipped"
    ]
    accept_guards: Annotated[bool, "send although a guard would stop the run; default False"]
    new_ledger: Annotated[bool, "make a new ledger although an earlier run sent something; default False"]


class LedgerOptions(TypedDict, total=False):
    """The arguments of functions that ask or change the ledger."""

    query: Annotated[
        str | Sequence[str] | None,
        "what means a doctor, as after the command of this name; of several words all must fit",
    ]
    run: Annotated[str | None, "only seals that this run made; default: all"]
    leavers: Annotated[bool, "only seals of doctors who are no longer in the rosters; default False"]
    decision: Annotated[DecisionKind | None, "what is entered; None: nothing, the cases are returned"]
    seal_id: Annotated[str | None, "with created: the SealId"]
    seal_name: Annotated[str | None, "with replace: the name of the new seal; default: the roster's"]
    sure: Annotated[
        bool,
        "with not_created: known from another source than not finding a seal; with keep and replace: one person; default False",
    ]
    why: Annotated[str | None, "kept with the decision"]


def check_arguments(function: Function) -> Function:
    """Let a function raise UsageError for a wrong argument before it reads anything, and describe its arguments in help().

    ``options: Unpack[RunOptions]`` is shown as the arguments that it stands for.
    """
    describe_arguments(function)
    signature = inspect.signature(function)
    is_async = inspect.iscoroutinefunction(function)

    @wraps(function)
    def call(*args: Any, **options: Any) -> object:
        _require_usable(function.__name__, signature, args, options)
        try:
            return function(*args, **options)
        except EsignImportError as error:
            raise _prepare_for_python(error) from error.__cause__

    @wraps(function)
    async def call_async(*args: Any, **options: Any) -> object:
        _require_usable(function.__name__, signature, args, options)
        try:
            return await cast(Awaitable[object], function(*args, **options))
        except EsignImportError as error:
            raise _prepare_for_python(error) from error.__cause__

    return cast(Function, call_async if is_async else call)


def _prepare_for_python(error: EsignImportError) -> EsignImportError:
    """Let an error name arguments of Python in place of options of the command line.

    One whose sentence names the mistake in an argument or a configuration is raised without the calls that found it.
    """
    error.is_for_python = True
    if isinstance(error, UsageError):
        error.__cause__ = None
        return error.with_traceback(None)
    return error


def describe_arguments(function: Function) -> None:
    """Add the type and meaning of each argument to a function's docstring, and its name to the signature that help() shows."""
    signature = inspect.signature(function, eval_str=True)
    hints: dict[str, Any] = {}
    for options in (RunOptions, LedgerOptions):
        hints |= get_type_hints(options, include_extras=True)
    config, *others = signature.parameters.values()
    parameters = [config.replace(annotation=inspect.Parameter.empty)]
    for parameter in others:
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            parameters.append(parameter.replace(annotation=inspect.Parameter.empty))
            if hasattr(parameter.annotation, "__metadata__"):  # it has a meaning of its own in this function
                hints[parameter.name] = parameter.annotation
            continue
        (options_type,) = get_args(parameter.annotation)
        for name in get_type_hints(options_type):
            default = ARGUMENT_DEFAULTS.get(name)
            parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default))
    lines = [
        *(
            inspect.cleandoc(function.__doc__ or ""),
            "",
            "Arguments; relative paths count from the current folder:",
            "",
        ),
        *("config: Config | Path | str", "    a configuration, or the path of a config.yaml"),
    ]
    for parameter in parameters[1:]:
        kind, meaning = get_args(hints[parameter.name])
        type_name = re.sub(MODULE_PREFIX, "", inspect.formatannotation(kind))
        lines += [f"{parameter.name}: {type_name}", f"    {meaning}"]
    function.__doc__ = "\n".join(lines)
    function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]


# --- what is refused


def _require_usable(
    function: str, signature: inspect.Signature, args: Sequence[object], options: Mapping[str, object]
) -> None:
    """Raise UsageError for an argument that is not known or cannot be used."""
    names = [*signature.parameters]
    for name in options:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = make_message("usage.near", name=near[0]) if near else ""
            raise UsageError("usage.unknown_argument", function=function, name=name, near=hint)
    try:
        given = signature.bind(*args, **options).arguments
    except TypeError as error:
        raise UsageError("usage.call", function=function, why=str(error)) from error
    for name, value in given.items():
        if value is not signature.parameters[name].default:  # an array compares with nothing
            _require_usable_value(function, name, value)


def _require_usable_value(function: str, name: str, value: object) -> None:
    """Raise UsageError for a value that an argument cannot have. The value itself may be a secret and is not named."""
    if name == "limit":
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UsageError("usage.limit", limit=value)
        return
    if name == "limiter":
        require_limiter(value)
        return
    is_usable, expected = VALUE_RULES.get(f"{function}.{name}") or VALUE_RULES[name]
    if not is_usable(value):
        raise UsageError("usage.argument", name=name, kind=type(value).__name__, expected=expected)


def _is_path(value: object) -> bool:
    return isinstance(value, Path | str) and str(value) != "" and "\0" not in str(value)


def _is_sequence_of(value: object, is_usable: Callable[[object], bool]) -> bool:
    """Return whether each element can be used; a mapping, an iterator and a text are no sequence."""
    is_sequence = isinstance(value, Iterable) and not isinstance(value, str | bytes | Iterator | Mapping)
    return is_sequence and all(map(is_usable, cast(Iterable[object], value)))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.strip() != "" and "\0" not in value


def _is_pair(value: object) -> bool:
    return isinstance(value, Credentials) and _is_text(value.secret_id) and _is_text(value.secret_key)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _has_methods_of(protocol: type) -> Callable[[object], bool]:
    names = [name for name in vars(protocol) if not name.startswith("_")]
    return lambda value: (
        not isinstance(value, type) and all(callable(getattr(value, name, None)) for name in names)
    )


# argument -> whether a value can be used, and what is expected
VALUE_RULES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "config": (lambda value: isinstance(value, Config) or _is_path(value), "Config, str or Path"),
    "rosters": (lambda value: _is_path(value) or _is_sequence_of(value, _is_path), "str, Path or Sequence"),
    **dict.fromkeys(("seals", "out", "review"), (_is_path, "str or Path")),
    "only": (lambda value: _is_sequence_of(value, _is_text), "Sequence[str]"),
    "query": (
        lambda value: _is_text(value) or _is_sequence_of(value, _is_text),
        "str, Sequence[str]",
    ),
    "resolve.query": (_is_text, "str"),
    **dict.fromkeys(("accept_guards", "new_ledger", "write", "leavers", "sure"), (_is_bool, "True, False")),
    **dict.fromkeys(("run", "checked", "seal_id", "seal_name", "why"), (_is_text, "str")),
    "language": (lambda value: isinstance(value, str) and value in get_args(Language), '"zh", "en"'),
    "decision": (
        lambda value: isinstance(value, str) and value in get_args(DecisionKind),
        ", ".join(get_args(DecisionKind)),
    ),
    "ledger": (_has_methods_of(Ledger), "pipeline.ledger.protocol.Ledger"),
    "site_key": (
        lambda value: isinstance(value, bytes) and len(value) == KEY_BYTES,
        f"bytes of length {KEY_BYTES}",
    ),
    "credentials": (
        lambda value: _is_pair(value) or callable(value),
        "pipeline.Credentials, Callable",
    ),
    "clock": (_has_methods_of(Clock), "pipeline.clock.Clock"),
    "on_outcome": (callable, "Callable"),
}


# --- what is made of them


def load_config(config: Config | StrPath | None) -> Config:
    """Return the configuration that an argument means."""
    return config if isinstance(config, Config) else Config.load(config)


def load_ready_config(config: Config | StrPath) -> Config:
    """Return a configuration that names application, organisation and operator; UsageError else."""
    loaded = load_config(config)
    require_ready(loaded, "config" if isinstance(config, Config) else str(config))
    return loaded


def name_invocation(config: Config | StrPath | None) -> str:
    """Return how the command line would be called, for the commands that are suggested."""
    is_named = config is not None and not isinstance(config, Config)
    return f"{PROGRAM} --config {quote(str(config))}" if is_named else PROGRAM
