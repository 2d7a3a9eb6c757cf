"""The sections of config.yaml: one class each, every key with its default, what it means and its checks.

`pipeline.config.settings` puts them together.
"""

from __future__ import annotations

import math
from datetime import time
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from pipeline.config.values import (
    Age,
    Duration,
    Endpoint,
    Listen,
    Network,
    Origin,
    Proxy,
    TimeOfDay,
    get_endpoint_fault,
    host_of,
    make_fault,
)
from pipeline.domain.server_address import is_loopback
from pipeline.esign.contracts import CONTRACTS, OPTIONAL_PARAMETERS
from pipeline.esign.products import ESS, ESSBASIC, PRODUCTS

PLACEHOLDER = "…"


_FILE_ENDPOINTS = {
    host_of(endpoints.general): endpoints.files
    for product in PRODUCTS.values()
    for endpoints in product.endpoints.values()
}


def Key(default: Any, zh: str, en: str, **limits: Any) -> Any:  # noqa: N802 - as pydantic's Field
    """Return the default of a key, with what it means in both languages, and limits as `pydantic.Field` has them."""
    return Field(default=default, description=f"{zh}\n{en}", **limits)


class Section(BaseModel):
    """A group of keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Api(Section):
    """The service and who acts."""

    product: Literal[tuple(PRODUCTS)] = Key(  # type: ignore[valid-type]
        ESSBASIC.name,
        "`essbasic`：平台代医院调用；`ess`：医院自己就是电子签客户",
        "`essbasic`: a platform acts for the hospital; `ess`: the hospital is itself a customer",
    )
    contract: Literal["file_id", "inline"] = Key(
        "file_id",
        "`file_id`：先上传图片再创建（现行接口）；`inline`：旧接口，图片写在请求里，腾讯已标为不再起作用",
        "`file_id`: upload, then create (the current interface); `inline`: the older one, picture in the request, which Tencent marks as without effect",
    )
    endpoint: Endpoint = Key(
        ESSBASIC.endpoints["production"].general,
        "服务的地址；null：该产品的正式环境。联调环境：https://essbasic.test.ess.tencent.cn",
        "Address of the service; null: production of the product. Test: https://essbasic.test.ess.tencent.cn",
        json_schema_extra={"type": ["string", "null"]},
    )
    file_endpoint: Endpoint = Key(
        ESSBASIC.endpoints["production"].files,
        "上传图片的地址；null：与 endpoint 配套的",
        "Address for uploads; null: the one that belongs to endpoint",
        json_schema_extra={"type": ["string", "null"]},
    )
    region: str | None = Key(None, "X-TC-Region，一般不用填", "X-TC-Region; not needed")
    app_id: str = Key(
        PLACEHOLDER,
        "只用于 essbasic：Agent.AppId，在平台的电子签控制台",
        "essbasic only: Agent.AppId, from the platform's e-Sign console",
    )
    organization_open_id: str = Key(
        PLACEHOLDER,
        "只用于 essbasic：Agent.ProxyOrganizationOpenId，平台为医院定的编号",
        "essbasic only: Agent.ProxyOrganizationOpenId, the platform's id of the hospital",
    )
    operator_open_id: str = Key(
        PLACEHOLDER,
        "只用于 essbasic：Operator.OpenId，平台为经办人定的编号；也用作 Agent.ProxyOperator.OpenId",
        "essbasic only: Operator.OpenId, the platform's id of the employee who acts; also Agent.ProxyOperator.OpenId",
    )
    proxy_operator_open_id: str | None = Key(
        None, "Agent.ProxyOperator.OpenId，与上一项不同时才填", "Agent.ProxyOperator.OpenId, if it differs"
    )
    proxy_app_id: str | None = Key(None, "只用于 inline 的老账号", "Old accounts with inline only")
    organization: str = Key(
        PLACEHOLDER,
        "只用于 ess：医院在电子签控制台里的企业 ID；台账以它为名，不发送，定了就不要改",
        "ess only: the hospital's id in the e-Sign console; it names the ledger, is not sent, and must never change",
    )
    operator_user_id: str = Key(
        PLACEHOLDER,
        "只用于 ess：Operator.UserId，经办人；上传时是 Caller.OperatorId",
        "ess only: Operator.UserId, the employee who acts; of an upload Caller.OperatorId",
    )
    scene_key: Literal["E_PRESCRIPTION_AUTO_SIGN", "OTHER"] | None = Key(
        "E_PRESCRIPTION_AUTO_SIGN",
        "`E_PRESCRIPTION_AUTO_SIGN` 或 `OTHER`；以后再改，已有的印章都会变为 `changed`",
        "`E_PRESCRIPTION_AUTO_SIGN` or `OTHER`; a later change makes every seal that exists `changed`",
    )
    seal_image_compress: bool | None = Key(
        None,
        "只用于 inline，腾讯已标为不再起作用：服务端可以压缩图片",
        "inline only, without effect now: the service may compress the picture",
    )
    enable_auto_sign: bool | None = Key(
        None,
        "只用于 inline，腾讯已标为不再起作用；true 时必须填 license_type",
        "inline only, without effect now; true requires license_type",
    )
    license_type: Literal[0, 1] | None = Key(
        None,
        "只用于 inline；仍起作用的账号：0 为每位医生绑定一个付费许可，1 不绑定",
        "inline only; where it still works: 0 binds a paid licence for each doctor, 1 binds none",
    )
    process_seal: bool | None = Key(
        None,
        "只用于 ess；true：服务端把底色变透明、加深颜色。以后再改，不影响已有的印章",
        "ess only; true: the service makes the paper transparent and the colour stronger. A later change does not concern seals that exist",
    )
    seal_color: Literal["BLACK", "RED", "BLUE"] | None = Key(
        None,
        "只用于 ess，须 process_seal: true：处理后的颜色，`BLACK`（服务端的默认）、`RED` 或 `BLUE`",
        "ess only, requires process_seal: true: colour of a processed picture, `BLACK` (the service's default), `RED` or `BLUE`",
    )
    allow_other_card_type: bool = Key(
        False,
        "证件类型“其他”（`OTHER_CARD_TYPE`），如护照；须腾讯为贵院开通",
        "Card type `OTHER_CARD_TYPE` (其他), such as passports, if Tencent has enabled it",
    )
    timeout_seconds: float = Key(
        45,
        "从发完请求起等待应答的秒数，应大于 30",
        "Seconds to wait for an answer, from the last byte sent; keep above 30",
        gt=0,
    )
    proxy: Proxy | None = Key(
        None,
        "HTTP 代理：http://主机:端口。环境变量 HTTPS_PROXY 不起作用",
        "HTTP proxy: http://host:port. HTTPS_PROXY in the environment is not used",
    )
    ca_file: Path | None = Key(
        None,
        "私有证书文件；TLS 证书始终校验",
        "File of a private certificate authority; TLS is always verified",
    )

    @field_validator("license_type", mode="before")
    @classmethod
    def _as_number(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value in {"0", "1"} else value

    @model_validator(mode="before")
    @classmethod
    def _hosts_follow(cls, values: Any) -> Any:
        """Take the endpoint that belongs to the product, and the file host that belongs to it, where none is given."""
        if not isinstance(values, dict):
            return values
        product = PRODUCTS.get(str(values.get("product") or ESSBASIC.name))
        if not values.get("endpoint") and product is not None:
            values = {**values, "endpoint": product.endpoints["production"].general}
        if values.get("file_endpoint"):
            return values
        rest = {name: value for name, value in values.items() if name != "file_endpoint"}
        endpoint = str(values.get("endpoint") or "")
        host = host_of(endpoint) if get_endpoint_fault(endpoint) is None else ""
        follows = endpoint if is_loopback(host) else _FILE_ENDPOINTS.get(host)
        return {**rest, "file_endpoint": follows} if follows else rest

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        general, files = host_of(self.endpoint), host_of(self.file_endpoint)
        if is_loopback(general) != is_loopback(files) or (".test." in general) != (".test." in files):
            raise make_fault("config.two_environments", general=general, files=files)
        self._require_product()
        given = [name for name in OPTIONAL_PARAMETERS if getattr(self, name) is not None]
        accepted = CONTRACTS[self.product, self.contract].optional_parameters
        if refused := [name for name in given if name not in accepted]:
            raise make_fault("config.inline_only", names=", ".join(refused))
        if self.seal_color and not self.process_seal:
            raise make_fault("config.needs_processing")
        if self.enable_auto_sign and self.license_type is None:
            raise make_fault("config.needs_license")
        return self

    def _require_product(self) -> None:
        """Refuse keys, a contract and a host of another product."""
        for other in PRODUCTS.values():
            if other.name == self.product:
                continue
            refused = [name for name in (*other.ids, *other.other_keys) if self._is_given(name)]
            if refused:
                raise make_fault(
                    f"config.keys_of_{other.name}", names=", ".join(refused), product=self.product
                )
            if host_of(self.endpoint).partition(".")[0] == other.name:
                raise make_fault(
                    "config.other_product", value=self.endpoint, product=self.product, other=other.name
                )
        if (self.product, self.contract) not in CONTRACTS:
            raise make_fault("config.no_contract", product=self.product, contract=self.contract)

    def _is_given(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    @property
    def hospital(self) -> str:
        """What identifies the hospital: the platform's id of it, or what it is called by itself."""
        return self.organization if self.product == ESS.name else self.organization_open_id

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The ids that still have to be filled in."""
        return tuple(
            f"api.{name}"
            for name in PRODUCTS[self.product].ids
            if PLACEHOLDER in getattr(self, name) or not getattr(self, name)
        )


class Limits(Section):
    """The account's quota, and how many creates may be in flight."""

    requests_per_second: float = Key(
        20,
        "每个接口每秒的调用次数，即腾讯的配额；腾讯按接口、地域和子账号计数",
        "Calls per second of each action: Tencent's quota, which counts by action, region and sub-account",
        gt=0,
        allow_inf_nan=False,
    )
    concurrency: int = Key(
        20,
        "同时进行的创建请求数，至少是每秒次数 × 应答秒数；配额是每秒 50 次时，两项都写 50",
        "Creates in flight, at least calls per second times seconds of an answer; with a quota of 50 per second, set both to 50",
        gt=0,
    )

    @field_validator("concurrency", mode="before")
    @classmethod
    def _round(cls, value: object) -> object:
        """Take a fraction for the whole number below it; 1 for one below 1."""
        try:
            number = float(str(value))
            return math.floor(number) if number > 1 else math.ceil(number)
        except (ValueError, OverflowError):  # no number, or none that is finite
            return value


class Intake(Section):
    """How rosters are read."""

    read_former: bool = Key(
        False,
        "true：名称表明人员已离开（离职、退休、停用等）的工作表，以及名单文件夹里这样的文件，也读取",
        "true: sheets, and files of a roster folder, whose names tell that their people left (离职, 退休, 停用 …) are read as well",
    )


class Guards(Section):
    """Limits at which a run stops; null is never."""

    new_rows: int | None = Key(
        200,
        "新增的医生超过这么多，且超过台账中印章的 20% 时停下（`TOO_MANY_NEW`）；台账还没有印章时不检查",
        "Most new doctors, or 20 % of the seals in the ledger if that is more (`TOO_MANY_NEW`); not checked while the ledger has no seal",
        ge=0,
    )
    shrunk: float | None = Key(
        0.3,
        "比上次运行少了这个比例以上的医生时停下（`ROSTER_SHRUNK`）；按人计，不按行",
        "Share of the doctors that may be missing since the last run (`ROSTER_SHRUNK`); people are counted, not rows",
        ge=0,
        le=1,
    )
    unknown: int | None = Key(
        20,
        "一次运行中结果未知的行超过这么多时停下（`TOO_MANY_UNKNOWN`）",
        "Most rows that may become unknown in one run (`TOO_MANY_UNKNOWN`)",
        ge=0,
    )
    deadline: TimeOfDay | None = Key(
        None,
        '如 "06:00"：到点停下，余下的由下次运行提交；null：不限',
        'Such as "06:00": stop at that time, the next run sends the rest; null: no limit',
    )


class Notify(Section):
    """Who hears of a run that failed, or ended in another state than the one before."""

    urls: tuple[SecretStr, ...] = Key(
        (),
        "通知渠道（apprise 的地址）；最好写在密钥文件 notify__urls 里",
        "Channels, as addresses of apprise; better kept in the secret file notify__urls",
    )
    ping: SecretStr | None = Key(
        None,
        "监控的地址，每次运行开始和结束时访问",
        "Address of a monitor, which is called at the start and the end of every run",
    )
    name: str | None = Key(None, "消息和监控数据里医院的名称", "Name of the hospital in messages and metrics")

    @field_validator("ping")
    @classmethod
    def _is_http(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("http://", "https://")):
            raise make_fault("config.no_ping")
        return value


class Retention(Section):
    """How long the files of earlier runs are kept: days, weeks or years; null keeps all."""

    runs: Age | None = Key(
        None,
        "结果表、页面，和含完整证件号码的标记副本；最近一次的不删。名单不再需要的处理过的图片也按它删除",
        "Workbooks, pages, and marked rosters, which hold whole identity numbers; not those of the last run. Also prepared pictures that no roster needs",
    )


class Backup(Section):
    """A copy of the ledger after each run that changed it."""

    folder: Path | None = Key(
        None,
        "已有的文件夹，在另一块磁盘上；保留最近 14 份。null：不备份",
        "A folder that exists, on another disk; the newest 14 copies are kept. null: none",
    )


class Workers(Section):
    """Runs of every hospital, started by `esign-import worker` on any number of hosts; needs a ledger on a server."""

    start: TimeOfDay = Key(
        time(1), "每家医院排队的本地时间", "Local time of day at which each hospital is queued"
    )
    processes: int = Key(2, "一个 worker 同时几个运行", "Runs at once of one worker", gt=0)
    retry_seconds: float = Key(
        60,
        "提前停止后多久再试，之后每次三倍，最长一小时",
        "Wait after a run that stopped early, then three times as long each time, at most an hour",
        ge=0,
    )
    retry_hours: float = Key(
        5, "排队后几小时内重试", "Hours after it was queued in which a run is tried again", ge=0
    )
    stalled_seconds: float = Key(
        90,
        "多久没有动静视为已死，任务由别的 worker 接手",
        "A worker without a sign of life for so long is dead, and others take over its jobs",
        ge=1,
    )
    run_limit: Duration = Key(
        "6h",
        "超过这么久的运行会被结束并重试：30m、6h",
        "A run that lasts longer is ended and tried again: 30m, 6h",
    )
    progress_limit: Duration = Key(
        "10m", "这么久没有进展的运行也会被结束并重试", "So is a run that makes no progress for so long"
    )
    alarm_urls: tuple[SecretStr, ...] = Key(
        (),
        "各医院共同的告警渠道（apprise 的地址）；最好写在密钥文件 workers__alarm_urls 里",
        "Channels of the alarm over all hospitals, as addresses of apprise; better kept in the secret file workers__alarm_urls",
    )
    alarm_age: Duration = Key(
        "26h",
        "这么久没有完整运行的医院就告警",
        "A hospital without a complete run for so long is in the alarm",
    )
    listen: Listen | None = Key(
        None,
        "提供 /health 和 /metrics 的地址：本机的端口，或 0.0.0.0:9187；null：不提供",
        "Where a worker answers /health and /metrics: a port of this machine, or 0.0.0.0:9187; null: nowhere",
    )


class Web(Section):
    """The page of `esign-import serve`: on this machine alone, unless users come in by TLS or behind a proxy."""

    listen: Listen = Key(
        "127.0.0.1:8766",
        "在哪里提供：本机的端口，或在有 TLS 或代理时 0.0.0.0:8443",
        "Where it answers: a port of this machine, or 0.0.0.0:8443 with TLS or behind a proxy",
    )
    url: Origin | None = Key(
        None,
        "浏览器里的网址：https://esign.hospital.example；null：同 listen",
        "How browsers write its address: https://esign.hospital.example; null: as listen",
    )
    certificate: Path | None = Key(
        None,
        "证书文件（PEM，含中间证书），供其他电脑使用；写了就启用 TLS",
        "PEM file of the certificate with those in between, for other computers; turns on TLS",
    )
    key: Path | None = Key(None, "证书的私钥文件（PEM）", "PEM file of the certificate's key")
    trusted_proxy: Network | None = Key(
        None,
        "负责登录的代理的地址或网段；只有它能发来请求",
        "Address or network of the proxy that signs users in; only it may send requests",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise make_fault("config.web_certificate")
        if self.trusted_proxy and self.url is None:
            raise make_fault("config.web_proxy_url")
        return self


class RoleSettings(Section):
    """Where keys come from that are in no file; the secret files and the others come first."""

    role: Literal["cvm", "sts", "oidc"] | None = Key(
        None,
        "用角色的临时密钥：`cvm` 云服务器的角色，`sts` 扮演的角色，`oidc` TKE 容器的角色",
        "Temporary keys of a role: `cvm` of this machine, `sts` assumed, `oidc` of a TKE pod",
    )
    role_arn: str | None = Key(
        None, "只用于 sts：qcs::cam::uin/…:roleName/…", "sts only: qcs::cam::uin/…:roleName/…"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.role == "sts") != (self.role_arn is not None):
            raise make_fault("config.needs_role_arn")
        return self
