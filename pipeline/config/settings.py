"""The keys of config.yaml: a frozen Config, its checks and its JSON Schema. `pipeline.config.config_file` reads the file.

Scalars are read as they are written: ``0123`` and ``no`` stay text where a text is wanted. A Config holds no secret.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from pipeline.config.profiles import KEY as PROFILES
from pipeline.config.sections import (
    Api,
    Backup,
    Guards,
    Intake,
    Key,
    LedgerPlace,
    Limits,
    Notify,
    Pictures,
    Retention,
    RoleSettings,
    Section,
    Workers,
    make_fault,
)
from pipeline.domain.roster import IGNORED
from pipeline.domain.roster import Field as Column
from pipeline.ledger.postgres.address import ServerAddress, name_schema
from pipeline.ledger.tenant import make_tenant_id
from pipeline.messages.catalogue import JoinedTexts, make_phrase
from pipeline.support.rights import share_folder

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
    workers: Workers = Workers()
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
    marked_copies: bool = Key(True, "Write a marked copy of every .xlsx roster, with whole identity numbers")
    require_review: bool = Key(False, "Send only rows that a person marked right in review.html")
    ledger: LedgerPlace = Key(
        Path("state/ledger.sqlite3"), "The ledger: a file on a local disk, or postgresql://… of a server"
    )
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
    language: Literal["zh", "en"] | None = Key(None, "null: the locale's, else English")
    # not keys: the folder of config.yaml; config.yaml itself, where a password stands in it; the profile that was read
    base: SkipJsonSchema[Path] = Field(default=Path(), exclude=True)
    secret_file: SkipJsonSchema[Path | None] = Field(default=None, exclude=True)
    profile: SkipJsonSchema[str | None] = Field(default=None, exclude=True)

    @field_validator("roster", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("ledger")
    @classmethod
    def _is_backed_up(cls, value: Path | ServerAddress, info: ValidationInfo) -> Path | ServerAddress:
        """Refuse copies of a ledger on a server: they would silently never be made."""
        backup = info.data.get("backup")
        if isinstance(value, ServerAddress) and backup is not None and backup.folder is not None:
            raise make_fault("config.server_backup")
        return value

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
        cls,
        path: Path | str | None = None,
        *,
        profile: str | None = None,
        environment: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Config:
        """Return the configuration of a file, of keyword values, or of both: ``Config.load("config.yaml", seals="图片")``.

        ``profile`` is a hospital of the file's ``profiles``; without one the configuration is that of the top level.
        ``values`` are keys of config.yaml, sections as mappings (``limits={"concurrency": 5}``). They outrank the profile,
        which outranks the ``environment`` (this process's, unless one is given), which outranks the top level. Relative
        paths count from the file's folder, without a file from the current one. Raises ConfigError, which names every
        fault, and UsageError for a profile that is not there.
        """
        from pipeline.config.config_file import load  # noqa: PLC0415 - it imports this module

        file = Path(path) if path is not None else None
        return load(file, os.environ if environment is None else environment, values, profile=profile)

    @staticmethod
    def list_profiles(path: Path | str) -> tuple[str, ...]:
        """Return the names of a file's profiles."""
        from pipeline.config.config_file import ConfigFile  # noqa: PLC0415 - it imports this module

        return tuple(ConfigFile(Path(path), {}).names)

    def resolve_path(self, value: Path) -> Path:
        """Resolve a path of this configuration against the folder of its file."""
        return self.base / value

    @property
    def tenant(self) -> str:
        """The tenant: ``production/AppId/ProxyOrganizationOpenId``."""
        return make_tenant_id(self.api.endpoint, self.api.app_id, self.api.organization_open_id)

    @property
    def is_ledger_on_server(self) -> bool:
        """Whether the ledger is in a PostgreSQL database."""
        return isinstance(self.ledger, ServerAddress)

    def resolve_ledger_file(self) -> Path:
        """Return the ledger's file; for a ledger on a server, the stem of its local side files."""
        if not isinstance(self.ledger, ServerAddress):
            return self.resolve_path(self.ledger)
        return self.resolve_path(Path("state") / name_schema(self.tenant))

    def name_ledger(self) -> str:
        """Return what shows where the ledger is: its path, or the server's address without passwords."""
        return str(self.ledger if isinstance(self.ledger, ServerAddress) else self.resolve_path(self.ledger))

    def share_results(self, folder: Path | None = None) -> None:
        """Let files that are written from now on below a folder, usually ``out``, have the mode and group of results."""
        mode = self.results_mode or ("0640" if self.results_group else "0600")
        share_folder(folder or self.resolve_path(self.out), mode=int(mode, 8), group=self.results_group)

    def digest_text(self) -> str:
        """Return the effective settings as canonical JSON, for a run's record."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)


def list_keys() -> Iterator[tuple[str, ...]]:
    """Yield every key of the configuration as its path: ("api", "app_id")."""
    for name, info in Config.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            yield from ((name, inner) for inner in info.annotation.model_fields)
        elif not info.exclude:
            yield (name,)


def build_json_schema() -> dict[str, Any]:
    """Return the JSON Schema of config.yaml."""
    schema = Config.model_json_schema()
    keys = dict(schema["properties"])
    schema["properties"][PROFILES] = {
        "type": "object",
        "default": {},
        "description": "Several hospitals: the name of each, with the keys in which it differs from the top level",
        "additionalProperties": {"$ref": "#/$defs/Profile"},
    }
    profile = {"type": ["object", "null"], "properties": keys, "additionalProperties": False}
    schema["$defs"]["Profile"] = {**profile, "description": "A hospital"}
    return schema
