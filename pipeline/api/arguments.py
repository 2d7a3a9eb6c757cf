"""The arguments of the Python API: their types, and what is refused at entry."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Literal, ParamSpec, TypeAlias, TypeVar, cast

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, validate_call

from pipeline.config.named_paths import require_ready
from pipeline.config.settings import Config
from pipeline.errors import UsageError
from pipeline.esign.signing import Credentials
from pipeline.support.terminal_text import quote
from pipeline.version import PROGRAM

P = ParamSpec("P")
T = TypeVar("T")


def _require_pair(credentials: Credentials) -> Credentials:
    values: tuple[object, object] = (credentials.secret_id, credentials.secret_key)
    if not all(isinstance(value, str) and value.strip() for value in values):
        raise ValueError("needs a SecretId and a SecretKey")
    return credentials


StrPath: TypeAlias = Path | Annotated[str, Field(min_length=1, pattern=r"^[^\x00]+$")]
Rosters: TypeAlias = StrPath | Sequence[StrPath]
Text: TypeAlias = Annotated[str, Field(pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]  # not blank
Language: TypeAlias = Literal["zh", "en"]
Count: TypeAlias = Annotated[int, Field(ge=1)]
KeyPair: TypeAlias = Annotated[Credentials, AfterValidator(_require_pair)]

_STRICT = ConfigDict(arbitrary_types_allowed=True, strict=True)


def check_arguments(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function raise UsageError for a wrong argument before it reads anything."""
    validated = validate_call(config=_STRICT)(function)

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> T:
        try:
            return validated(*args, **options)
        except ValidationError as error:
            raise _name_faults(function.__name__, error) from None

    @wraps(function)
    async def call_async(*args: P.args, **options: P.kwargs) -> object:
        try:
            return await cast("Awaitable[object]", validated(*args, **options))
        except ValidationError as error:
            raise _name_faults(function.__name__, error) from None

    return cast("Callable[P, T]", call_async) if inspect.iscoroutinefunction(function) else call


def _name_faults(function: str, error: ValidationError) -> UsageError:
    """Return the error that names each wrong argument once. A value may be a secret, and is not named."""
    faults: dict[str, str] = {}
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        faults.setdefault(str(fault["loc"][0]), fault["msg"])
    described = "; ".join(f"{name}: {why}" for name, why in faults.items())
    return UsageError("usage.call", function=function.removesuffix("_async"), why=described)


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


def make_path(path: StrPath | None) -> Path | None:
    return None if path is None else Path(path)


def list_paths(rosters: Rosters) -> tuple[Path, ...]:
    return (Path(rosters),) if isinstance(rosters, (Path, str)) else tuple(map(Path, rosters))
