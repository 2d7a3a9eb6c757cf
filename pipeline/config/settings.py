"""The configuration: the keys of config.yaml as a frozen Config with its checks and its JSON Schema, and how it is read.

It comes from the file (the hospital of the top level, and those of ``profiles``) and from the environment:
``ESIGN_IMPORT_API__APP_ID=…`` sets ``api.app_id``. Every fault is reported at once, with its line. Unknown keys and unknown
``ESIGN_IMPORT_…`` names are refused with the nearest known one. Scalars are read as they are written: ``0123`` and ``no``
stay text where a text is wanted. A Config holds no secret.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from pipeline.config.environment import PREFIX, SECRET_VARIABLES
from pipeline.config.profiles import KEY as PROFILES
from pipeline.config.profiles import (
    OWN_PATHS,
    derive_path,
    list_claim_conflicts,
    require_sound_profile,
    split_profiles,
)
from pipeline.config.sections import (
    PLACEHOLDER,
    Api,
    Backup,
    Guards,
    Intake,
    Key,
    Limits,
    Notify,
    Retention,
    RoleSettings,
    Section,
    Web,
    Workers,
)
from pipeline.config.values import LedgerPlace, make_fault
from pipeline.config.yaml_loader import (
    Document,
    FaultRenderer,
    read_document,
    suggest_name,
)
from pipeline.domain.fields import FIELDS
from pipeline.domain.message import Message
from pipeline.domain.roster import IGNORED
from pipeline.domain.roster import Field as Column
from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.errors import ConfigError, UsageError
from pipeline.esign.products import ESS, ESSBASIC, PRODUCTS
from pipeline.ledger.tenant import make_tenant_id
from pipeline.messages.catalogue import join_messages, make_message

LOG = logging.getLogger(__name__)
AS_JSON = frozenset({"roster", "columns"})  # keys that hold more than one text
COLUMN_WORDS = (*(name for name in Column if FIELDS[name].titles), IGNORED)
BLANKS = frozenset({"name", "staff_no", "department"})  # of seal_name
MAX_NAMES_SHOWN = 10  # of profiles, in a message


def _require_column_word(value: str) -> str:
    if value not in COLUMN_WORDS:
        near = suggest_name(value, COLUMN_WORDS)
        advice = near or make_message("config.column_words", known=join_messages(COLUMN_WORDS))
        raise make_fault("config.column", value=value, advice=advice)
    return value


class Config(Section):
    """The configuration of esign-import; paths count from the folder of the file."""

    api: Api = Key(Api(), "腾讯电子签的接口，和由谁调用", "The service, and who calls it")
    limits: Limits = Key(
        Limits(), "腾讯的配额，和同时进行的请求", "Tencent's quota, and how many requests are in flight"
    )
    intake: Intake = Key(Intake(), "怎样读名单", "How rosters are read")
    guards: Guards = Key(
        Guards(),
        "情况异常时停下（退出码 5）；确认无误后用 run --accept-guards 放行一次运行；null：不检查",
        "Stop a run that looks wrong (exit 5); run --accept-guards allows one run; null: no check",
    )
    notify: Notify = Key(
        Notify(),
        "运行失败，或结束时的状态与上次不同时，通知谁",
        "Who hears of a run that failed, or ended in another state than the one before",
    )
    retention: Retention = Key(
        Retention(),
        "以前各次运行的文件保留多久：90d 天、12w 周、1y 年；null：一直保留",
        "How long files of earlier runs are kept: 90d days, 12w weeks, 1y years; null: for ever",
    )
    backup: Backup = Key(
        Backup(), "每次运行改动台账之后的备份", "A copy of the ledger after each run that changed it"
    )
    credentials: RoleSettings = Key(
        RoleSettings(),
        "密钥放在密钥文件里；这里只在用角色时填写",
        "Keys go into secret files; fill this in only for a role",
    )
    workers: Workers = Key(
        Workers(),
        "esign-import worker：多台主机分担各医院的运行，台账要在 PostgreSQL 里",
        "esign-import worker: runs shared by several hosts; needs a ledger in PostgreSQL",
    )
    web: Web = Key(Web(), "esign-import serve：浏览器里的页面", "esign-import serve: the page in the browser")
    roster: tuple[Path, ...] = Key(
        (Path("inbox"),),
        "名单文件或文件夹",
        "Files or folders of rosters",
        json_schema_extra={"type": ["array", "string"]},
    )
    columns: Mapping[str, Annotated[str, AfterValidator(_require_column_word)]] = Key(
        {},
        "列名: 字段，用于程序不认识的列名。字段有 `name`、`id_card_number`、`id_card_type`、`mobile`、`staff_no`、`department`、`seal_name`、`picture`、`enable_auto_sign`、`license_type`；`ignore`：不读取这一列",
        "Title: field, for titles that are not recognised. Fields are `name`, `id_card_number`, `id_card_type`, `mobile`, `staff_no`, `department`, `seal_name`, `picture`, `enable_auto_sign`, `license_type`; `ignore`: the column is not read",
    )
    seals: Path = Key(Path("seals"), "印章图片文件夹", "Folder of seal pictures")
    seal_name: str = Key(
        "{name}处方章",
        "印章名称的模板，可用 {name}、{staff_no}、{department}",
        "Template of seal names, with {name}, {staff_no} and {department}",
    )
    seal_name_ascii: bool = Key(False, "印章名称是否允许字母和数字", "Allow letters and digits in seal names")
    marked_copies: bool = Key(
        True,
        "为每份名单写标记副本（含完整证件号码）；false：不写，名单负责人直接改名单",
        "Write a marked copy of every roster, with whole identity numbers; false: the clerk corrects the roster itself",
    )
    require_review: bool = Key(
        False,
        "true：只提交在页面“核对”里判为“对”的行，其余为 `not_sent`",
        "true: send only rows that a person marked right on the page Review; the others stay `not_sent`",
    )
    ledger: LedgerPlace = Key(
        Path("state/ledger.sqlite3"),
        "台账：本机磁盘上的文件，或 postgresql://用户@主机/数据库（扩展 postgres）",
        "The ledger: a file on a local disk, or postgresql://user@host/database (extra postgres)",
    )
    out: Path = Key(Path("out"), "结果", "Results")
    results_group: str | None = Key(
        None,
        "运行结束后能读结果的用户组（Windows 上不用）",
        "Group that may read the results of a run that has ended; not on Windows",
    )
    metrics_file: Path | None = Key(
        None,
        "为 Prometheus 写出最近一次运行数据的文件",
        "File with the figures of the last run for Prometheus",
    )
    secrets_dir: Path | None = Key(
        None,
        "存放密钥文件 tencent__secret_id、tencent__secret_key 和 tencent__token 的文件夹；台账在 PostgreSQL 里时还有 ledger__secret、ledger__password",
        "Folder with the secret files tencent__secret_id, tencent__secret_key and tencent__token; with a ledger in PostgreSQL also ledger__secret and ledger__password",
    )
    language: Literal["zh", "en"] | None = Key(
        None, "zh 或 en；null：按系统语言，没有就用英文", "zh or en; null: the locale's, else English"
    )
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
        file = _make_path(path) if path is not None else None
        return ConfigFile(file, os.environ if environment is None else environment, values).load(profile)

    @staticmethod
    def list_profiles(path: Path | str) -> tuple[str, ...]:
        """Return the names of a file's profiles."""
        return tuple(ConfigFile(_make_path(path), {}).names)

    def resolve_path(self, value: Path) -> Path:
        """Resolve a path of this configuration against the folder of its file."""
        return self.base / value

    @property
    def tenant(self) -> str:
        """The tenant: ``production/AppId/ProxyOrganizationOpenId``, of the product ess ``production/product=ess/organization``."""
        api = self.api
        if api.product == ESS.name:
            return make_tenant_id(api.endpoint, api.organization, product=api.product)
        return make_tenant_id(api.endpoint, api.app_id, api.organization_open_id)

    @property
    def work_folder(self) -> Path:
        """The folder of prepared pictures, beside the ledger's file or the side files of a ledger on a server."""
        ledger = self.resolve_ledger_file()
        return ledger.with_name(f"{ledger.name}.work" if self.is_ledger_on_server else "work")

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

    def list_claims(self) -> Iterator[tuple[str, str]]:
        """Yield the keys whose values belong to one hospital alone, with the values as they are compared."""
        if not self.api.placeholders:
            key = "api.organization" if self.api.product == ESS.name else "api.organization_open_id"
            yield key, self.tenant
        for key in OWN_PATHS:
            value = getattr(self, key)
            if isinstance(value, ServerAddress):
                continue
            for path in value if isinstance(value, tuple) else filter(None, [value]):
                resolved = self.resolve_path(path)
                folder = resolved.parent if key == "ledger" else resolved  # the key lies in it
                yield key, os.path.normcase(os.path.realpath(folder))

    def digest_text(self) -> str:
        """Return the effective settings as canonical JSON, for a run's record."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)


def list_keys() -> Iterator[tuple[str, ...]]:
    """Yield every key of the configuration as its path: ("api", "app_id")."""
    yield from _list_keys_of(Config)


def _list_keys_of(section: type[Section]) -> Iterator[tuple[str, ...]]:
    for name, info in section.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            yield from ((name, *inner) for inner in _list_keys_of(info.annotation))
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


# -- reading the file


NO_KEYS = [name for name, info in Config.model_fields.items() if info.exclude]


def _make_path(path: object) -> Path:
    """Return the path that an argument of `Config.load` is; UsageError where it is none."""
    if isinstance(path, Path | str) and str(path) and "\0" not in str(path):
        return Path(path)
    raise UsageError("usage.argument", name="path", kind=type(path).__name__, expected="Path, str")


class ConfigFile:
    """A configuration that is read once: the hospital of its top level, and those of its profiles.

    The top level is a hospital of its own where its ids are filled in.
    """

    def __init__(
        self,
        path: Path | None,
        environment: Mapping[str, str],
        values: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Read the file; ``values`` outrank everything in it. Raises ConfigError for a file that is no YAML."""
        document = read_document(path) if path is not None else Document({}, {})
        self._path, self._values = path, values
        self._top, self._profiles = split_profiles(document, path)
        self._variables = {
            tuple(name.removeprefix(PREFIX).lower().split("__")): name
            for name in sorted(set(environment) - set(SECRET_VARIABLES))
            if name.startswith(PREFIX)
        }
        self._top_values = self._top.values
        for key, name in self._variables.items():
            given: Any = _parse_variable(key, environment[name])
            for part in reversed(key):
                given = {part: given}
            self._top_values = _merge_values(self._top_values, given)
        parts = (document.values, *(profile.values for profile in self._profiles.values()))
        self._secret_file = path if any(map(_holds_secret, parts)) else None
        self._configs: dict[str | None, Config | ConfigError] = {}

    @property
    def names(self) -> Sequence[str]:
        """The names of the profiles."""
        return [*self._profiles]

    def list_hospitals(self) -> list[str | None]:
        """Return every hospital: the top level, as None, where its ids are filled in, then the profiles."""
        api = self._top_values.get("api")
        if not isinstance(api, dict):
            api = {}
        product = PRODUCTS.get(str(api.get("product")), ESSBASIC)
        ids = [str(api.get(key) or "") for key in product.ids]
        is_filled_in = all(text and PLACEHOLDER not in text for text in ids)
        return [*([None] if is_filled_in or not self._profiles else []), *self._profiles]

    def describe_names(self) -> Message:
        """Return the names of the profiles for a message, of many the first ones."""
        shown = join_messages(self.names[:MAX_NAMES_SHOWN])
        if len(self.names) <= MAX_NAMES_SHOWN:
            return shown
        return make_message("profiles.more", names=shown, n=len(self.names) - MAX_NAMES_SHOWN)

    def require_profile(self, name: str) -> None:
        """Raise UsageError for a profile that is not there; one that is nearly it is suggested."""
        if name in self._profiles:
            return
        if not self._profiles:
            raise UsageError("profiles.none", path=self._path)
        near = suggest_name(name, self.names)
        raise UsageError(
            "profiles.unknown", name=name, near=near, path=self._path, known=self.describe_names()
        )

    def load(self, profile: str | None = None) -> Config:
        """Return the configuration of a hospital.

        Raises ConfigError with every fault: unknown keys, wrong types, values that do not fit together or belong to
        another hospital of the file. A fault in another profile is none.
        """
        if profile is not None:
            self.require_profile(profile)
        config = self._get_config(profile)
        if isinstance(config, ConfigError):
            raise config
        if faults := self._conflicts.get(profile):
            raise ConfigError(faults)
        return config

    @cached_property
    def _conflicts(self) -> Mapping[str | None, Sequence[Message]]:
        if not self._profiles:
            return {}
        configs = {profile: self._get_config(profile) for profile in self.list_hospitals()}
        sound = {name: config for name, config in configs.items() if isinstance(config, Config)}
        return list_claim_conflicts(
            {name: config.list_claims() for name, config in sound.items()}, self._describe_conflict
        )

    def _describe_conflict(self, profile: str | None, key: str, rival: str | None) -> Message:
        own = self._top if profile is None else self._profiles[profile]
        return make_message(
            "config.value",
            place=f"{self._path}:{own.line_of(tuple(key.split('.'))) or 1}: ",
            where=key if profile is None else f"{PROFILES}.{profile}.{key}",
            fault=make_message("profiles.shared", rival=rival or make_message("profiles.top")),
            found="",
        )

    def get_document(self, profile: str | None) -> Document:
        """Return the keys of a hospital as they stand in the file: those of the top level, and over them its own."""
        if profile is None:
            return self._top
        own = self._profiles[profile]
        lines = {names: line for names, line in self._top.lines.items() if names not in own.lines}
        return Document(_merge_values(self._top.values, own.values or {}), {**lines, **own.lines})

    def _get_config(self, profile: str | None) -> Config | ConfigError:
        if profile not in self._configs:
            try:
                self._configs[profile] = self._build_config(profile)
            except ConfigError as error:
                self._configs[profile] = error
        return self._configs[profile]

    def _build_config(self, profile: str | None) -> Config:
        values, variables = self._top_values, self._variables
        if profile is not None:
            require_sound_profile(profile, self._profiles, self._path)
            own = self._profiles[profile]
            values = _merge_values(_derive_own_values(values, profile), own.values or {})
            variables = {key: name for key, name in variables.items() if key not in own.lines}
        errors: list[Any] = [
            {"type": "extra_forbidden", "loc": (name,)} for name in NO_KEYS if name in values
        ]
        config = None
        try:
            config = Config.model_validate({
                **_merge_values(values, self._values),
                "base": self._path.parent if self._path is not None else Path(),
                "secret_file": self._secret_file,
                "profile": profile,
            })  # fmt: skip
        except ValidationError as error:
            errors += error.errors()
        renderer = FaultRenderer(
            self.get_document(profile), self._path, [*list_keys(), (PROFILES,)], variables
        )
        faults = [renderer.render_fault(error) for error in sorted(errors, key=renderer.get_fault_line)]
        is_ledger_of_file = "ledger" not in self._values and ("ledger",) not in variables
        if config is not None and is_ledger_of_file and _holds_password(config.ledger):
            faults.append(make_message("config.ledger_password", path=self._path))
        if config is None or faults:
            raise ConfigError(faults)
        return config


def _holds_secret(values: object) -> bool:
    """Return whether the password of a proxy stands in a configuration's file."""
    api = values.get("api") if isinstance(values, Mapping) else None
    proxy = api.get("proxy") if isinstance(api, Mapping) else None
    return "@" in str(proxy or "")


def _holds_password(ledger: Path | ServerAddress) -> bool:
    """Return whether a ledger's address holds a password."""
    return isinstance(ledger, ServerAddress) and ledger.holds_password


def _derive_own_values(values: Mapping[str, Any], profile: str) -> dict[str, Any]:
    """Return the top level's values as a profile inherits them: paths and the name are its own."""
    paths = {key: values.get(key, Config.model_fields[key].default) for key in OWN_PATHS}
    own = {key: derive_path(key, value, profile) for key, value in paths.items()}
    notify = values.get("notify", {})
    if isinstance(notify, dict):
        own["notify"] = {**notify, "name": profile}
    return {**values, **own}


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


def _merge_values(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return values laid over others, a section key by key; what should be a section and is none stays, to be reported."""
    merged = dict(below)
    for name, value in above.items():
        section = merged.get(name)
        if not isinstance(value, Mapping):
            merged[name] = value
        elif section is None or isinstance(section, Mapping):
            merged[name] = _merge_values(section or {}, value)
    return merged
