"""Makes a frozen Config of config.yaml, environment and defaults; every fault is reported at once, with its line.

Scalars are read as they are written: ``0123`` and ``no`` stay text where a text is wanted. Unknown keys and
unknown ``ESIGN_IMPORT_…`` names are refused with the nearest known one. It holds no secret.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    field_validator,
)

from pipeline.config import environment as variables
from pipeline.config.sections import Api, Guards, Intake, Limits, Pictures, Section, make_fault
from pipeline.config.yaml_loader import Document, FaultRenderer, read_document, suggest_name
from pipeline.domain.roster import IGNORED
from pipeline.domain.roster import Field as Column
from pipeline.errors import ConfigError
from pipeline.messages.catalogue import make_phrase
from pipeline.messages.localized import JoinedTexts, Phrase

LOG = logging.getLogger(__name__)

COLUMN_WORDS = (*Column, IGNORED)
BLANKS = frozenset({"name", "staff_no", "department"})  # of seal_name


def _field_word(value: str) -> str:
    if value not in COLUMN_WORDS:
        raise make_fault(
            "config.column", value=value, known=JoinedTexts(COLUMN_WORDS, make_phrase("mark.comma"))
        )
    return value


class Config(Section):
    """The whole configuration; paths are still as written, `resolve_path` resolves them."""

    api: Api = Api()
    limits: Limits = Limits()
    intake: Intake = Intake()
    pictures: Pictures = Pictures()
    guards: Guards = Guards()
    roster: tuple[Path, ...] = (Path("inbox"),)
    columns: Mapping[str, Annotated[str, AfterValidator(_field_word)]] = {}
    seals: Path = Path("seals")
    seal_name: str = "{name}处方章"
    seal_name_ascii: bool = False
    unknown: Literal["hold", "probe"] = "hold"
    require_review: bool = False  # only what a human judged right in review.html is sent
    ledger: Path = Path("state/ledger.sqlite3")
    ledger_registry: Literal["strict", "warn"] | None = None  # None: strict, warn for a sandbox
    work: Path = Path("state/work")
    out: Path = Path("out")
    secrets_dir: Path | None = None
    language: Literal["zh", "en"] | None = None
    base: Path = Field(default=Path(), exclude=True)  # the folder of config.yaml
    secret_file: Path | None = Field(default=None, exclude=True)  # config.yaml, where a password stands in it

    @field_validator("roster", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("seal_name")
    @classmethod
    def _template(cls, value: str) -> str:
        """Take plain blanks alone: a width such as ``{staff_no:>999999999}`` would fill the memory."""
        try:
            blanks = [parts[1:] for parts in Formatter().parse(value) if parts[1] is not None]
        except ValueError:
            blanks = []
        plain = all(name in BLANKS and not width and not turn for name, width, turn in blanks)
        if not plain or "name" not in {name for name, *_ in blanks}:
            raise make_fault("config.template", value=value)
        return value

    @classmethod
    def load(
        cls, path: Path | str | None = None, *, environment: Mapping[str, str] | None = None, **values: Any
    ) -> Config:
        """Return the configuration of a file, of keyword values, or of both: ``Config.load("config.yaml", seals="图片")``.

        ``values`` are keys of config.yaml, sections as mappings (``limits={"concurrency": 5}``); they outrank the
        ``environment`` (this process's, unless one is given), which outranks the file. Relative paths count from the
        file's folder, without a file from the current one. Raises ConfigError, which names every fault.
        """
        file = Path(path) if path is not None else None
        return load(file, os.environ if environment is None else environment, values)

    def resolve_path(self, value: Path) -> Path:
        """Resolve a path of this configuration against the folder of its file."""
        return self.base / value

    def digest_text(self) -> str:
        """Return the effective settings as canonical JSON, for a run's record."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)


def load(
    path: Path | None,
    environment: Mapping[str, str],
    values: Mapping[str, Any] = MappingProxyType({}),
    *,
    warn: Callable[[Phrase], None] | None = None,
) -> Config:
    """Read a configuration; ``path`` None means defaults and environment alone; ``values`` outrank both.

    ``warn`` is called with each variable under the former prefix; it is logged where none is given. Raises ConfigError with
    every fault: unknown keys, wrong types, values that do not fit together.
    """
    document = read_document(path) if path is not None else Document({}, {})
    known = list(list_keys())
    faults = [
        make_phrase(
            "config.unknown_variable", name=name, near=suggest_name(name, [*map(variables.name_of, known)])
        )
        for name in variables.find_unknown_names(environment, known)
    ]
    for former in variables.find_former_names(environment, known):
        key = "config.former_variable" if former.is_read else "config.former_variable_unused"
        (warn or _log_warning)(make_phrase(key, name=former.name, current=former.current))
    chosen = list(variables.find_variables(environment, known))
    merged = _merge_values(_merge_variables(document.values, chosen), values)
    try:
        config = Config.model_validate({
            **merged,
            "base": path.parent if path is not None else Path(),
            "secret_file": path if _holds_secret(document.values) else None,
        })  # fmt: skip
    except ValidationError as error:
        renderer = FaultRenderer(document, path, known, {variable.key: variable.name for variable in chosen})
        faults += [renderer.render_fault(fault) for fault in sorted(error.errors(), key=renderer.find_line)]
    else:
        if not faults:
            return config
    raise ConfigError(faults)


def _log_warning(warning: Phrase) -> None:
    LOG.warning("%s", warning.render("en"))


def _merge_variables(values: Mapping[str, Any], chosen: Sequence[variables.Variable]) -> dict[str, Any]:
    """Lay the environment's values over the file's."""
    merged = {name: dict(value) if isinstance(value, dict) else value for name, value in values.items()}
    for variable in chosen:
        *sections, last = variable.key
        target = merged
        for section in sections:
            target[section] = {} if target.get(section) is None else target[section]
            target = target[section]
        if isinstance(target, dict):  # else the file's section is no section, which is reported
            target[last] = variable.value
    return merged


def _holds_secret(values: Mapping[str, Any]) -> bool:
    """Return whether a password stands in a configuration's file: that of rosters, or a proxy's."""
    intake, api = values.get("intake"), values.get("api")
    password = intake.get("password") if isinstance(intake, Mapping) else None
    proxy = api.get("proxy") if isinstance(api, Mapping) else None
    return bool(password) or "@" in str(proxy or "")


def _merge_values(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay values over others, a section key by key."""
    return below | {
        name: {**below[name], **value}
        if isinstance(value, Mapping) and isinstance(below.get(name), dict)
        else value
        for name, value in above.items()
    }


def list_keys() -> Iterator[tuple[str, ...]]:
    """Yield every key of the configuration as its path: ("api", "app_id")."""
    for name, info in Config.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            yield from ((name, inner) for inner in info.annotation.model_fields)
        elif not info.exclude:
            yield (name,)


def list_missing_ids(config: Config, path: Path | str) -> JoinedTexts:
    """Return the ids that are still to be filled in, each with its line in the file at ``path``."""
    try:
        document = read_document(Path(path))
    except ConfigError:
        document = Document({}, {})
    keys = [
        make_phrase("config.key_line", key=key, line=line)
        if (line := document.lines.get(tuple(key.split("."))))
        else key
        for key in config.api.placeholders
    ]
    return JoinedTexts(keys, make_phrase("mark.comma"))
