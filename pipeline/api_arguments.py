"""The arguments of the Python API: their types and meanings, which help() shows, and what is refused at entry."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, TypedDict, TypeVar, get_args, get_type_hints

from pipeline.clock import Clock
from pipeline.domain.run import RowOutcome
from pipeline.errors import UsageError
from pipeline.esign.rate_limiter import Limiter, require_limiter
from pipeline.esign.signing import Credentials, CredentialsSource
from pipeline.ledger.protocol import Ledger

StrPath: TypeAlias = Path | str
Rosters: TypeAlias = StrPath | Sequence[StrPath]
Language: TypeAlias = Literal["zh", "en"]
MODULE_PREFIX = r"\b(?:\w+\.)+(?=\w)"  # in the name of a type
# of the keyword arguments whose default is not None
ARGUMENT_DEFAULTS: Mapping[str, object] = {
    "rosters": (),
    "accept_guards": False,
    "new_ledger": False,
    "write": True,
}
Function = TypeVar("Function", bound=Callable[..., object])


class RunOptions(TypedDict, total=False):
    """The keyword arguments of `run` and `run_async`: type, meaning, and the default where it is not None."""

    rosters: Annotated[Rosters, "roster files or folders; default: the configuration's"]
    seals: Annotated[StrPath | None, "folder or zip of seal pictures; default: the configuration's"]
    out: Annotated[
        StrPath | None, "folder for the results; default: a folder of its own below the configuration's"
    ]
    limit: Annotated[int | None, "create at most so many seals; None: no limit"]
    review: Annotated[
        StrPath | None, "file of judgements that review.html saved; seals marked wrong are skipped"
    ]
    accept_guards: Annotated[bool, "send although a guard would stop the run; default False"]
    new_ledger: Annotated[bool, "make a new ledger although an earlier run sent something; default False"]
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


def describe_arguments(function: Function) -> Function:
    """Add the type and meaning of each argument to a function's docstring, and its name to the signature that help() shows.

    ``options: Unpack[RunOptions]`` is shown as the arguments that it stands for.
    """
    signature = inspect.signature(function, eval_str=True)
    hints = get_type_hints(RunOptions, include_extras=True)
    config, *others = signature.parameters.values()
    names = [parameter.name for parameter in others if parameter.name in hints] or [*hints]
    parameters = [config.replace(annotation=inspect.Parameter.empty)]
    lines = [
        *(
            inspect.cleandoc(function.__doc__ or ""),
            "",
            "Arguments; relative paths count from the current folder:",
            "",
        ),
        *("config: Config | Path | str", "    a configuration, or the path of a config.yaml"),
    ]
    for name in names:
        kind, meaning = get_args(hints[name])
        lines += [f"{name}: {re.sub(MODULE_PREFIX, '', inspect.formatannotation(kind))}", f"    {meaning}"]
        default = ARGUMENT_DEFAULTS.get(name)
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default))
    function.__doc__ = "\n".join(lines)
    function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return function


def require_usable(options: RunOptions) -> None:
    """Raise UsageError for an argument that cannot be used, before anything is read."""
    limit: object = options.get("limit")
    limiter = options.get("limiter")
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise UsageError("usage.limit", limit=limit)
    if limiter is not None:
        require_limiter(limiter)
    language, credentials = options.get("language"), options.get("credentials")
    for name, value, is_usable, expected in (
        ("language", language, language in get_args(Language), '"zh", "en"'),
        (
            "credentials",
            credentials,
            callable(credentials) or isinstance(credentials, Credentials),
            "pipeline.Credentials",
        ),
        ("on_outcome", options.get("on_outcome"), callable(options.get("on_outcome")), "Callable"),
    ):
        if value is not None and not is_usable:
            raise UsageError("usage.argument", name=name, kind=type(value).__name__, expected=expected)
