"""The sections of config.yaml: one class each, every key with its default, its description and its checks.

`pipeline.config.settings` puts them together.
"""

from __future__ import annotations

import ipaddress
import math
import re
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipeline.config.yaml_loader import OURS
from pipeline.domain.server_address import ServerAddress, is_address, is_loopback
from pipeline.esign.contracts import CONTRACTS, OPTIONAL_PARAMETERS
from pipeline.esign.products import ESS, ESSBASIC, PRODUCTS
from pipeline.ledger.tenant import PRODUCTION_HOSTS, TEST_HOSTS

HTTPS_PORT = 443
MAX_PORT = 65_535
SERVICE_HOSTS = (PRODUCTION_HOSTS, ".ess.tencent.cn")
assert TEST_HOSTS.endswith(SERVICE_HOSTS[1])

# Stricter than urlsplit, and ASCII alone: what one parser takes for a part of the host, another takes for its end.
_HOST = r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*)"
_PORT = r"(?::(?P<port>[0-9]{1,5}))?"
_ADDRESS = re.compile(rf"(?P<scheme>https?)://{_HOST}{_PORT}/?", re.IGNORECASE | re.ASCII)
_PROXY = re.compile(rf"(?P<scheme>https?)://(?:[^\s/@\\]+@)?{_HOST}{_PORT}/?", re.IGNORECASE | re.ASCII)
_HAS_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE | re.ASCII)

PLACEHOLDER = "…"


def host_of(text: str) -> str:
    """Return the host of ``http(s)://host[:port]``, the empty text where an address is none."""
    match = _ADDRESS.fullmatch(text)
    return match["host"].lower().strip("[]") if match else ""


_FILE_ENDPOINTS = {
    host_of(endpoints.general): endpoints.files
    for product in PRODUCTS.values()
    for endpoints in product.endpoints.values()
}


def get_endpoint_fault(text: str) -> str | None:
    """Return the key of the sentence why nothing may be sent to an address, None for one that is allowed.

    Only the service's own hosts are allowed, over https; this machine also over http.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        if _HAS_SCHEME.match(text):
            return "config.only_host"
        return "config.no_scheme_here" if is_loopback(host_of(f"http://{text}")) else "config.no_scheme"
    if not _has_possible_port(match):
        return "config.no_port"
    if is_loopback(host_of(text)):
        return None
    if match["scheme"].lower() != "https":
        return "config.needs_https"
    is_service = host_of(text).endswith(SERVICE_HOSTS) and int(match["port"] or HTTPS_PORT) == HTTPS_PORT
    return None if is_service else "config.not_tencent"


def _has_possible_port(match: re.Match[str]) -> bool:
    return match["port"] is None or 1 <= int(match["port"]) <= MAX_PORT


def _require_endpoint(value: str) -> str:
    if (fault := get_endpoint_fault(value)) is not None:
        raise make_fault(fault, value=value)
    return value


def _require_proxy(value: str) -> str:
    match = _PROXY.fullmatch(value)
    if match is None or not _has_possible_port(match):
        raise make_fault("config.proxy" if match is None else "config.no_port")
    return value


def _read_ledger(value: object) -> Path | ServerAddress:
    if isinstance(value, Path | ServerAddress):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("path_type", "not a path")
    if not is_address(value):
        return Path(value)
    address = ServerAddress.parse(value)
    if address is None:  # its text is not shown: it may hold a password
        raise make_fault("config.no_ledger")
    return address


def make_fault(key: str, /, **detail: object) -> PydanticCustomError:
    """Return a fault of a value, whose text is a message of ours."""
    return PydanticCustomError(OURS, "{key}", {"key": key, "detail": detail})


def Key(default: Any, description: str, **limits: Any) -> Any:  # noqa: N802 - as pydantic's Field
    """Return the default of a key, with its description in the JSON Schema and limits as `pydantic.Field` has them."""
    return Field(default=default, description=description, **limits)


Endpoint = Annotated[str, AfterValidator(_require_endpoint)]
LedgerPlace = Annotated[
    Path | ServerAddress,
    PlainValidator(_read_ledger),
    PlainSerializer(str),
    WithJsonSchema({"format": "path", "type": "string"}),
]


class Section(BaseModel):
    """A group of keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Api(Section):
    """The service and who acts."""

    product: Literal[tuple(PRODUCTS)] = Key(  # type: ignore[valid-type]
        ESSBASIC.name,
        "essbasic: a platform acts for the hospital; ess: the hospital is itself a customer of the service",
    )
    contract: Literal["file_id", "inline"] = Key(
        "file_id",
        "file_id: upload, then create; inline: the older interface, with the picture in the request, which Tencent marks as without effect",
    )
    endpoint: Endpoint = Key(
        ESSBASIC.endpoints["production"].general,
        "Host of the service; null: production of the product",
        json_schema_extra={"type": ["string", "null"]},
    )
    file_endpoint: Endpoint = Key(
        ESSBASIC.endpoints["production"].files,
        "Host for uploads; null: the one that belongs to endpoint",
        json_schema_extra={"type": ["string", "null"]},
    )
    region: str | None = Key(None, "X-TC-Region; not needed")
    app_id: str = Key(PLACEHOLDER, "Agent.AppId, from the platform's e-Sign console")
    organization_open_id: str = Key(PLACEHOLDER, "Agent.ProxyOrganizationOpenId: the hospital")
    operator_open_id: str = Key(PLACEHOLDER, "Operator.OpenId: the employee who acts")
    proxy_operator_open_id: str | None = Key(None, "Agent.ProxyOperator.OpenId, if it differs")
    proxy_app_id: str | None = Key(None, "Old accounts with inline only")
    organization: str = Key(
        PLACEHOLDER, "ess only: the hospital's id in the e-Sign console; names the ledger, is not sent"
    )
    operator_user_id: str = Key(PLACEHOLDER, "ess only: Operator.UserId, the employee who acts")
    scene_key: Literal["E_PRESCRIPTION_AUTO_SIGN", "OTHER"] | None = Key(
        "E_PRESCRIPTION_AUTO_SIGN", "SceneKey of every create"
    )
    seal_image_compress: bool | None = Key(
        None, "inline only, without effect now: the service may compress the picture"
    )
    enable_auto_sign: bool | None = Key(None, "inline only, without effect now: true requires license_type")
    license_type: Literal[0, 1] | None = Key(
        None, "inline only, without effect now: 0 binds a paid licence, 1 binds none"
    )
    process_seal: bool | None = Key(
        None, "ess only: true: the service makes the paper transparent and the colour stronger"
    )
    seal_color: Literal["BLACK", "RED", "BLUE"] | None = Key(
        None, "ess only: colour of a processed picture; requires process_seal: true"
    )
    allow_other_card_type: bool = Key(False, "Allow OTHER_CARD_TYPE, if Tencent has enabled it")
    timeout_seconds: float = Key(45, "Seconds to wait for an answer, from the last byte sent", gt=0)
    proxy: Annotated[str, AfterValidator(_require_proxy)] | None = Key(None, "HTTP proxy: http://host:port")
    ca_file: Path | None = Key(None, "File of a private certificate authority")

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

    requests_per_second: float = Key(20, "Calls of each action: Tencent's quota", gt=0, allow_inf_nan=False)
    concurrency: int = Key(
        20, "Creates in flight; at least calls per second times seconds of an answer", gt=0
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
        "Read sheets, and files of a roster folder, that hold former staff by their names",
    )


def _read_time(value: object) -> object:
    if isinstance(value, time):
        return value
    try:
        return datetime.strptime(str(value), "%H:%M").time()  # noqa: DTZ007 - a time of day, local by meaning
    except ValueError:
        raise make_fault("config.no_time", value=value) from None


TimeOfDay = Annotated[time, BeforeValidator(_read_time), WithJsonSchema({"type": "string"})]


class Guards(Section):
    """Limits at which a run stops; null is never."""

    new_rows: int | None = Key(
        200, "Most new doctors, or a fifth of the seals in the ledger if that is more", ge=0
    )
    shrunk: float | None = Key(0.3, "Share of the people missing since the last run", ge=0, le=1)
    unknown: int | None = Key(20, "Rows that became unknown in one run", ge=0)
    deadline: TimeOfDay | None = Key(None, 'Local time of day: "06:00"')


class Notify(Section):
    """Who hears of a run that failed, or ended in another state than the one before."""

    urls: tuple[SecretStr, ...] = Key((), "Addresses of apprise; better kept in the secret file notify__urls")
    ping: SecretStr | None = Key(
        None, "Address of a monitor, which is called at the start and the end of every run"
    )
    name: str | None = Key(None, "Name of the hospital in messages and metrics")

    @field_validator("ping")
    @classmethod
    def _is_http(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("http://", "https://")):
            raise make_fault("config.no_ping")
        return value


_AGE = re.compile(r"([1-9][0-9]{0,4})([dwy])")
_DAYS = {"d": 1, "w": 7, "y": 365}


def parse_age(text: str) -> float | None:
    """Return an age such as 90d, 12w or 1y in seconds, None for another text."""
    match = _AGE.fullmatch(text.strip().lower())
    return int(match[1]) * _DAYS[match[2]] * 86_400.0 if match else None


def _require_age(value: str) -> str:
    if parse_age(value) is None:
        raise make_fault("config.no_age", value=value)
    return value


Age = Annotated[str, AfterValidator(_require_age)]


class Retention(Section):
    """How long the files of earlier runs are kept: days, weeks or years; null keeps all."""

    runs: Age | None = Key(
        None,
        "Workbooks, pages and marked rosters of a run: 90d, 12w, 1y; not those of the last run. Also prepared pictures that no roster needs",
    )


class Backup(Section):
    """A copy of the ledger after each run that changed it."""

    folder: Path | None = Key(None, "Folder for the copies, which must exist: on another disk")


_DURATION = re.compile(r"([1-9][0-9]{0,4})([smh])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_LISTEN = re.compile(r"(?:(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):)?(?P<port>[0-9]{1,5})")
LOOPBACK = "127.0.0.1"


def parse_duration(text: str) -> float:
    """Return a duration such as 30s, 10m or 6h in seconds. Raises ValueError for another text."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(text)
    return int(match[1]) * _SECONDS[match[2]]


def _require_duration(value: str) -> str:
    try:
        parse_duration(value)
    except ValueError:
        raise make_fault("config.no_duration", value=value) from None
    return value


Duration = Annotated[str, AfterValidator(_require_duration)]


def parse_listen(text: str, *, lowest_port: int = 1) -> tuple[str, int]:
    """Return host and port of an address to listen on; a port alone is of this machine. Raises ValueError for another text."""
    match = _LISTEN.fullmatch(text.strip())
    if match is None or not lowest_port <= int(match["port"]) <= MAX_PORT:
        raise ValueError(text)
    return (match["host"] or LOOPBACK).strip("[]"), int(match["port"])


def _require_listen(value: str) -> str:
    try:
        parse_listen(value)
    except ValueError:
        raise make_fault("config.no_listen", value=value) from None
    return value


Listen = Annotated[str, AfterValidator(_require_listen)]


def _require_origin(value: str) -> str:
    match = _ADDRESS.fullmatch(value)
    if match is None:
        raise make_fault("config.no_origin", value=value)
    if match["scheme"].lower() == "http" and not is_loopback(host_of(value)):
        raise make_fault("config.no_https", value=value)
    return value.lower().removesuffix("/")


def _require_network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise make_fault("config.no_network", value=value) from None


class Workers(Section):
    """Runs of every hospital, started by `esign-import worker` on any number of hosts; needs a ledger on a server."""

    start: TimeOfDay = Key(time(1), 'Local time of day at which each hospital is queued: "01:00"')
    processes: int = Key(2, "Runs at once of one worker, and one more of a few seconds", gt=0)
    retry_seconds: float = Key(
        60,
        "Wait after a run that stopped early; three times as long after each further one, at most an hour",
        ge=0,
    )
    retry_hours: float = Key(5, "Hours after it was queued in which a run is tried again", ge=0)
    stalled_seconds: float = Key(
        90, "A worker without a sign of life for so long is dead, and others take over its jobs", ge=1
    )
    run_limit: Duration = Key("6h", "A run that lasts longer is ended in order, and tried again: 30m, 6h")
    progress_limit: Duration = Key(
        "10m", "A run that gets on with nothing for so long is ended, killed if need be, and tried again: 10m"
    )
    alarm_urls: tuple[SecretStr, ...] = Key(
        (),
        "Addresses of apprise for the alarm over all hospitals; better kept in the secret file workers__alarm_urls",
    )
    alarm_age: Duration = Key("26h", "A hospital without a complete run for so long is in the alarm: 26h")
    listen: Listen | None = Key(
        None,
        "Where a worker answers /health and /metrics: a port of this machine, or 0.0.0.0:9187; null: nowhere",
    )


class Web(Section):
    """The page of `esign-import serve`: on this machine alone, unless users come in by TLS or behind a proxy."""

    listen: Listen = Key(
        "127.0.0.1:8766",
        "Where it answers: a port of this machine, or 0.0.0.0:8443 with TLS or behind a proxy",
    )
    url: Annotated[str, AfterValidator(_require_origin)] | None = Key(
        None, "How browsers write its address: https://esign.hospital.example; null: as listen"
    )
    certificate: Path | None = Key(None, "PEM file of the certificate, with those in between; turns on TLS")
    key: Path | None = Key(None, "PEM file of the certificate's key")
    trusted_proxy: Annotated[str, AfterValidator(_require_network)] | None = Key(
        None, "Address or network of the proxy that signs users in; only it may send requests"
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
        None, "cvm: that of this machine; sts: assumed with keys that are found; oidc: that of a TKE pod"
    )
    role_arn: str | None = Key(None, "sts only: qcs::cam::uin/…:roleName/…")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.role == "sts") != (self.role_arn is not None):
            raise make_fault("config.needs_role_arn")
        return self
