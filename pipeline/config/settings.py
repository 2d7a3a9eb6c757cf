"""Makes a frozen Config of config.yaml, environment and defaults; every fault is reported at once, with its line.

Scalars are read as they are written: ``0123`` and ``no`` stay text where a text is wanted. ``ESIGN_IMPORT_API__APP_ID=…``
sets ``api.app_id``. Unknown keys and unknown ``ESIGN_IMPORT_…`` names are refused with the nearest known one. The program
was once configured by ``PIPELINE_…``. Those names are still read where they name a key; any other belongs to another
program (a build server sets ``PIPELINE_WORKSPACE``).
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, field_validator
from pydantic.json_schema import SkipJsonSchema

from pipeline.config.environment import PREFIX, former_name, variable_name
from pipeline.config.literal_secrets import LITERAL_KEYS, find_literal_faults
from pipeline.config.sections import (
    Api,
    Backup,
    Guards,
    Intake,
    Key,
    Limits,
    Notify,
    Pictures,
    Retention,
    RoleSettings,
    Section,
    make_fault,
)
from pipeline.config.yaml_loader import Document, FaultRenderer, read_document, suggest_name
from pipeline.domain.roster import IGNORED
from pipeline.domain.roster import Field as Column
from pipeline.errors import ConfigError
from pipeline.messages.catalogue import JoinedTexts, Phrase, make_phrase
from pipeline.support.folder_access import share_folder

LOG = logging.getLogger(__name__)
AS_JSON = frozenset({"roster", "columns"})  # keys that hold more than one text
COLUMN_WORDS = (*Column, IGNORED)
BLANKS = frozenset({"name", "staff_no", "department"})  # of seal_name


def _require_column_word(value: str) -> str:
    if value not in COLUMN_WORDS:
        raise make_fault(
            "config.column", value=value, known=JoinedTexts(COLUMN_WORDS, make_phrase("mark.comma"))
        )
    return value


def _require_mode(value: str) -> str:
    """Take the mode of a file that its owner can read and write, and that is no program."""
    if re.fullmatch("0?6[0246]{2}", value) is None:
        raise make_fault("config.no_mode", value=value)
    return value


class Config(Section):
    """The configuration of esign-import; paths count from the folder of the file."""

    api: Api = Api()
    limits: Limits = Limits()
    intake: Intake = Intake()
    pictures: Pictures = Pictures()
    guards: Guards = Guards()
    notify: Notify = Notify()
    retention: Retention = Retention()
    backup: Backup = Backup()
    credentials: RoleSettings = RoleSettings()
    roster: tuple[Path, ...] = Key(
        (Path("inbox"),), "Files or folders of rosters", json_schema_extra={"type": ["array", "string"]}
    )
    columns: Mapping[str, Annotated[str, AfterValidator(_require_column_word)]] = Key(
        {}, "Title: field, for titles that are not recognised"
    )
    seals: Path = Key(Path("seals"), "Folder of seal pictures")
    seal_name: str = Key("{name}处方章", "Template with {name}, {staff_no} and {department}")
    seal_name_ascii: bool = Key(False, "Allow letters and digits in seal names")
    unknown: Literal["hold", "probe"] = Key("hold", "probe: an unknown row is sent again, after certify")
    require_review: bool = Key(False, "Send only rows that a person marked right in review.html")
    ledger: Path = Key(Path("state/ledger.sqlite3"), "The ledger, on a local disk")
    ledger_registry: Literal["strict", "warn"] | None = Key(
        None, "Of a second or older ledger; null: strict, warn for a sandbox"
    )
    work: Path = Key(Path("state/work"), "Prepared pictures")
    out: Path = Key(Path("out"), "Results")
    results_mode: Annotated[str, AfterValidator(_require_mode)] | None = Key(
        None, 'Mode of results: "0640"; null: only the user who runs it, with results_group also the group'
    )
    results_group: str | None = Key(None, "Group that may read the results; not on Windows")
    metrics_file: Path | None = Key(None, "Figures of the last run for Prometheus; needs the extra metrics")
    secrets_dir: Path | None = Key(None, "Folder with tencent__secret_id and tencent__secret_key")
    language: Literal["zh", "en"] | None = Key(None, "null: the locale's, else that of the roster titles")
    # not keys: the folder of config.yaml; config.yaml itself, where a password stands in it
    base: SkipJsonSchema[Path] = Field(default=Path(), exclude=True)
    secret_file: SkipJsonSchema[Path | None] = Field(default=None, exclude=True)

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

    def share_results(self, folder: Path | None = None) -> None:
        """Let files that are written from now on below a folder, usually ``out``, have the mode and group of results."""
        mode = self.results_mode or ("0640" if self.results_group else "0600")
        share_folder(folder or self.resolve_path(self.out), mode=int(mode, 8), group=self.results_group)

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
    keys = {key: variable_name(key) for key in list_keys()}
    faults = [
        make_phrase("config.unknown_variable", name=name, near=suggest_name(name, [*keys.values()]))
        for name in sorted(set(environment) - set(keys.values()))
        if name.startswith(PREFIX)
    ]
    variables: dict[tuple[str, ...], str] = {}  # the name of the one that sets a key
    for key, name in keys.items():
        if (former := former_name(name)) in environment:
            warning = "config.former_variable_unused" if name in environment else "config.former_variable"
            (warn or _log_warning)(make_phrase(warning, name=former, current=name))
            variables[key] = former
        if name in environment:
            variables[key] = name
    faults += [
        make_phrase("config.secret_variable", name=name)
        for key, name in variables.items()
        if key in LITERAL_KEYS
    ]
    given = {key: _parse_variable(key, environment[name]) for key, name in variables.items()}
    merged = _merge_variables(document.values, given)
    try:
        config = Config.model_validate({
            **_merge_values(merged, values),
            "base": path.parent if path is not None else Path(),
            "secret_file": path if _holds_secret(document.values) else None,
        })  # fmt: skip
    except ValidationError as error:
        renderer = FaultRenderer(document, path, [*keys], variables)
        faults += [renderer.render_fault(fault) for fault in sorted(error.errors(), key=renderer.find_line)]
    else:
        if path is not None and config.credentials.secret_id is not None and "credentials" not in values:
            faults += find_literal_faults(path)
            if not faults:
                (warn or _log_warning)(make_phrase("config.literal_secret", path=path))
        if not faults:
            return config
    raise ConfigError(faults)


def _log_warning(warning: Phrase) -> None:
    LOG.warning("%s", warning.render("en"))


def _parse_variable(key: tuple[str, ...], text: str) -> object:
    """Return what a variable gives to its key: a text, None, or what its JSON holds."""
    if text in {"", "null"}:
        return None
    if key[-1] in AS_JSON and text[:1] in "[{":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _merge_variables(
    values: Mapping[str, Any], variables: Mapping[tuple[str, ...], object]
) -> dict[str, Any]:
    """Lay the environment's values over the file's."""
    merged = {name: dict(value) if isinstance(value, dict) else value for name, value in values.items()}
    for (*sections, last), value in variables.items():
        target = merged
        for section in sections:
            target[section] = {} if target.get(section) is None else target[section]
            target = target[section]
        if isinstance(target, dict):  # else the file's section is no section, which is reported
            target[last] = value
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
