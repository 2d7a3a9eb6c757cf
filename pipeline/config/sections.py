"""The sections of config.yaml: one class each, every key with its default and its checks.

`pipeline.config.settings` puts them together.
"""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pipeline.config.addresses import find_endpoint_fault, find_proxy_fault, host_of
from pipeline.config.yaml_loader import OURS
from pipeline.esign.contracts import CONTRACTS, OPTIONAL_PARAMETERS
from pipeline.intake.readers.options import MAX_DOCTORS
from pipeline.ledger.tenant import is_loopback

PLACEHOLDER = "…"
FILE_HOSTS = {
    "essbasic.tencentcloudapi.com": "https://file.ess.tencent.cn",
    "essbasic.test.ess.tencent.cn": "https://file.test.ess.tencent.cn",
}
IDS = ("app_id", "organization_open_id", "operator_open_id")


def make_fault(key: str, /, **detail: object) -> PydanticCustomError:
    """Return a fault of a value, whose text is a message of ours."""
    return PydanticCustomError(OURS, "{key}", {"key": key, "detail": detail})


class Section(BaseModel):
    """A mapping of config.yaml; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Api(Section):
    """The service and who acts."""

    contract: str = Field(default="file_id", json_schema_extra={"enum": [*CONTRACTS]})
    endpoint: str = "https://essbasic.tencentcloudapi.com"
    file_endpoint: str = "https://file.ess.tencent.cn"
    region: str | None = None
    app_id: str = PLACEHOLDER
    organization_open_id: str = PLACEHOLDER
    operator_open_id: str = PLACEHOLDER
    proxy_operator_open_id: str | None = None
    proxy_app_id: str | None = None
    scene_key: Literal["E_PRESCRIPTION_AUTO_SIGN", "OTHER"] | None = "E_PRESCRIPTION_AUTO_SIGN"
    seal_image_compress: bool | None = None
    enable_auto_sign: bool | None = None
    license_type: Literal[0, 1] | None = None
    allow_other_card_type: bool = False
    timeout_seconds: float = Field(default=45, gt=0)
    proxy: str | None = None
    ca_file: Path | None = None

    @field_validator("contract")
    @classmethod
    def _is_contract(cls, value: str) -> str:
        if value not in CONTRACTS:
            expected = " or ".join(map(repr, CONTRACTS))
            raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})
        return value

    @field_validator("license_type", mode="before")
    @classmethod
    def _as_number(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value in {"0", "1"} else value

    @field_validator("endpoint", "file_endpoint")
    @classmethod
    def _allowed(cls, value: str) -> str:
        """Refuse a host that is not the service's, and plain http except for this machine."""
        if (fault := find_endpoint_fault(value)) is not None:
            raise make_fault(fault, value=value)
        return value

    @field_validator("proxy")
    @classmethod
    def _is_proxy(cls, value: str | None) -> str | None:
        if value is not None and (fault := find_proxy_fault(value)) is not None:
            raise make_fault(fault)
        return value

    @model_validator(mode="before")
    @classmethod
    def _file_host_follows(cls, values: Any) -> Any:
        """Take the file host that belongs to the endpoint where none is given."""
        if not isinstance(values, dict) or values.get("file_endpoint"):
            return values
        rest = {name: value for name, value in values.items() if name != "file_endpoint"}
        endpoint = str(values.get("endpoint") or "")
        host = host_of(endpoint) if find_endpoint_fault(endpoint) is None else ""
        follows = endpoint if is_loopback(host) else FILE_HOSTS.get(host)
        return {**rest, "file_endpoint": follows} if follows else rest

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        general, files = host_of(self.endpoint), host_of(self.file_endpoint)
        if is_loopback(general) != is_loopback(files) or (".test." in general) != (".test." in files):
            raise make_fault("config.two_environments", general=general, files=files)
        given = [name for name in OPTIONAL_PARAMETERS if getattr(self, name) is not None]
        if refused := [name for name in given if name not in CONTRACTS[self.contract].optional_parameters]:
            raise make_fault("config.inline_only", names=", ".join(refused))
        if self.enable_auto_sign and self.license_type is None:
            raise make_fault("config.needs_license")
        return self

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The ids that still have to be filled in."""
        return tuple(
            f"api.{name}" for name in IDS if PLACEHOLDER in getattr(self, name) or not getattr(self, name)
        )


class Limits(Section):
    """The account's quota, of each action, and how many creates may be in flight."""

    requests_per_second: float = Field(default=20, gt=0, allow_inf_nan=False)
    concurrency: float = Field(default=20, gt=0, allow_inf_nan=False)


class Intake(Section):
    """How rosters are read."""

    max_rows: int = Field(default=MAX_DOCTORS, gt=0)  # doctors of one file, beside its header
    password: SecretStr | None = None  # of encrypted workbooks; better kept in a secret file


class Guards(Section):
    """Limits at which a run stops; null is never."""

    new_rows: int | None = Field(
        default=200, ge=0
    )  # never seen before, or new_share of the live seals if more
    new_share: float = Field(default=0.2, ge=0, le=1)
    shrunk: float | None = Field(
        default=0.3, ge=0, le=1
    )  # share of the people missing since the last complete run
    unknown: int | None = Field(default=20, ge=0)  # rows that became unknown in this run
    same_refusal: bool = True  # the first 20 answers, or 90 of the last 100
    seals_exist: bool = True  # three of the first 20 seal names exist, and the ledger holds no seal
    deadline: time | None = None  # local: "06:00"
    give_up_minutes: float = Field(default=15, gt=0)  # without a usable answer

    @field_validator("deadline", mode="before")
    @classmethod
    def _of_the_clock(cls, value: object) -> object:
        if value is None or isinstance(value, time):
            return value
        try:
            return datetime.strptime(str(value), "%H:%M").time()  # noqa: DTZ007 - a time of day, local by meaning
        except ValueError:
            raise make_fault("config.no_time", value=value) from None


class Pictures(Section):
    """What may be done to pictures beyond what the service needs; all off by default."""

    trim: bool = False  # to the ink
    transparent: bool = False  # white paper made clear
    ocr: bool = False  # compare the name in the picture; needs the extra "ocr"
