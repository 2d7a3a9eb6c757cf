"""The configuration: the keys of config.yaml as a frozen Config with its checks and its JSON Schema, and how it is read.

It comes from the hospital's config.yaml, from the common.yaml that lies under it, and from the environment:
``ESIGN_IMPORT_API__APP_ID=…`` sets ``api.app_id``. Every fault is reported at once, with its line. Unknown keys and unknown
``ESIGN_IMPORT_…`` names are refused with the nearest known one. Scalars are read as they are written: ``0123`` and ``no``
stay text where a text is wanted. A Config holds no secret.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from pipeline.config.environment import PREFIX, SECRET_VARIABLES
from pipeline.config.hospitals import get_common_file, get_config_file, get_folder
from pipeline.config.sections import (
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
from pipeline.config.values import LedgerLocation, make_fault
from pipeline.config.yaml_loader import (
    Document,
    FaultRenderer,
    merge_values,
    read_document,
    suggest_name,
)
from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import IGNORED
from pipeline.domain.roster import Field as Column
from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.errors import ConfigError, UsageError
from pipeline.esign.products import ESS
from pipeline.ledger.tenant import make_tenant_id
from pipeline.messages.catalogue import join_messages, make_message

LOG = logging.getLogger(__name__)
AS_JSON = frozenset({"roster", "columns"})  # keys that hold more than one text
COLUMN_WORDS = (*(name for name in Column if FIELDS[name].titles), IGNORED)
BLANKS = frozenset({"name", "staff_no", "department"})  # of seal_name


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
    before_run: str | None = Key(
        None,
        "没有指定名单的运行开始时先执行的命令，用来取得或准备名单；失败则这次运行结束",
        "Command that fetches or prepares the rosters, called first by a run that names none; where it fails the run ends",
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
    ledger: LedgerLocation = Key(
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
    # not keys: the folder of config.yaml; the file of the configuration in which a password stands
    base: SkipJsonSchema[Path] = Field(default=Path(), exclude=True)
    secret_file: SkipJsonSchema[Path | None] = Field(default=None, exclude=True)

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
        environment: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Config:
        """Return the configuration of a hospital, of keyword values, or of both: ``Config.load("east", seals="图片")``.

        ``path`` is the hospital's folder or its config.yaml; `common.yaml` of the folder above lies under it. ``values``
        are keys of config.yaml, sections as mappings (``limits={"concurrency": 5}``). They outrank the ``environment``
        (this process's, unless one is given), which outranks the files. Relative paths count from the hospital's folder,
        without a file from the current one. Raises ConfigError, which names every fault.
        """
        file = get_config_file(_make_path(path)) if path is not None else None
        return _build_config(file, os.environ if environment is None else environment, values)

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


# -- reading the file


NO_KEYS = [name for name, info in Config.model_fields.items() if info.exclude]


def _make_path(path: object) -> Path:
    """Return the path that an argument of `Config.load` is; UsageError where it is none."""
    if isinstance(path, Path | str) and str(path) and "\0" not in str(path):
        return Path(path)
    raise UsageError("usage.argument", name="path", kind=type(path).__name__, expected="Path, str")


def read_hospital(file: Path) -> Document:
    """Return the keys of a hospital's file, laid over those of `common.yaml` above its folder, where that is there.

    A hospital that has keys in common with others, and no `notify.name`, is called as its folder. Raises ConfigError.
    """
    own, common_file = read_document(file), get_common_file(file)
    if not os.path.lexists(common_file):
        return own
    document = own.lay_over(read_document(common_file))
    notify = document.values.get("notify") or {}
    if isinstance(notify, Mapping) and not notify.get("name"):
        document = Document({"notify": {"name": get_folder(file).name}}, {}).lay_over(document)
    return document


def _build_config(file: Path | None, environment: Mapping[str, str], given: Mapping[str, Any]) -> Config:
    """Return the configuration of a file, over it the environment, and over that the given values.

    Raises ConfigError with every fault: unknown keys, wrong types, values that do not fit together.
    """
    document = read_hospital(file) if file is not None else Document({}, {})
    variables = {
        tuple(name.removeprefix(PREFIX).lower().split("__")): name
        for name in sorted(set(environment) - set(SECRET_VARIABLES))
        if name.startswith(PREFIX)
    }
    values = document.values
    for key, name in variables.items():
        value: Any = _parse_variable(key, environment[name])
        for part in reversed(key):
            value = {part: value}
        values = merge_values(values, value)
    errors: list[Any] = [{"type": "extra_forbidden", "loc": (name,)} for name in NO_KEYS if name in values]
    config = None
    try:
        config = Config.model_validate({
            **merge_values(values, given),
            "base": file.parent if file is not None else Path(),
            "secret_file": _get_secret_file(document),
        })  # fmt: skip
    except ValidationError as error:
        errors += error.errors()
    renderer = FaultRenderer(document, file, [*list_keys()], variables)
    faults = [renderer.render_fault(error) for error in sorted(errors, key=renderer.get_fault_position)]
    is_ledger_of_file = "ledger" not in given and ("ledger",) not in variables
    if config is not None and is_ledger_of_file and _holds_password(config.ledger):
        position = document.get_position(("ledger",))
        faults.append(make_message("config.ledger_password", path=position.file if position else file))
    if config is None or faults:
        raise ConfigError(faults)
    return config


def _get_secret_file(document: Document) -> Path | None:
    """Return the file in which the password of a proxy stands, None without one."""
    api = document.values.get("api")
    proxy = api.get("proxy") if isinstance(api, Mapping) else None
    position = document.get_position(("api", "proxy"))
    return position.file if position is not None and "@" in str(proxy or "") else None


def _holds_password(ledger: Path | ServerAddress) -> bool:
    """Return whether a ledger's address holds a password."""
    return isinstance(ledger, ServerAddress) and ledger.holds_password


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
