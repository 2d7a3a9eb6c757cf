"""The products of the service: their actions, hosts and quotas, and how who acts is written into a body.

A platform that serves hospitals uses essbasic, a hospital that is itself a customer uses ess. A new product is one more in
PRODUCTS, with a contract in `pipeline.esign.contracts`. An action's name stands here alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

# the parameters of who acts, by name
Caller = dict[str, object]


@dataclass(frozen=True, slots=True)
class Agent(ABC):
    """Who acts, and how every create wants its picture treated: the same in a whole run. Its fields are keys of `api` in config.yaml."""

    @abstractmethod
    def build_caller(self) -> Caller:
        """Return what names in a body who acts."""

    @abstractmethod
    def build_query_caller(self) -> Caller:
        """Return the same for a call that reads."""

    @abstractmethod
    def build_upload_caller(self) -> Caller:
        """Return the same for an upload."""

    @abstractmethod
    def build_image_options(self) -> Caller:
        """Return how a create wants its picture treated, without parameters that have no value."""


@dataclass(frozen=True, slots=True)
class PlatformAgent(Agent):
    """A platform acts for a hospital: Agent, and Operator where the call has it."""

    app_id: str
    organization_open_id: str
    operator_open_id: str
    proxy_operator_open_id: str | None = None  # Agent.ProxyOperator.OpenId, else the operator's
    proxy_app_id: str | None = None  # old accounts
    seal_image_compress: bool | None = None

    def build_caller(self) -> Caller:
        """Return Agent and Operator."""
        return {**self.build_query_caller(), "Operator": {"OpenId": self.operator_open_id}}

    def build_query_caller(self) -> Caller:
        """Return the Agent of the API page, without keys that have no value."""
        agent = {
            "AppId": self.app_id,
            "ProxyAppId": self.proxy_app_id,
            "ProxyOrganizationOpenId": self.organization_open_id,
            "ProxyOperator": {"OpenId": self.proxy_operator_open_id or self.operator_open_id},
        }
        return {"Agent": {name: value for name, value in agent.items() if value is not None}}

    def build_upload_caller(self) -> Caller:
        """Return the Agent: an upload's Operator is no longer used."""
        return self.build_query_caller()

    def build_image_options(self) -> Caller:
        """Return whether the service may compress it."""
        compress = self.seal_image_compress
        return {} if compress is None else {"SealImageCompress": compress}


@dataclass(frozen=True, slots=True)
class CustomerAgent(Agent):
    """An employee acts for the hospital itself: Operator, in an upload Caller. There is no Agent."""

    operator_user_id: str
    process_seal: bool | None = None
    seal_color: str | None = None

    def build_caller(self) -> Caller:
        return {"Operator": {"UserId": self.operator_user_id}}

    def build_query_caller(self) -> Caller:
        """Return the Operator, which every call but the upload has."""
        return self.build_caller()

    def build_upload_caller(self) -> Caller:
        """Return the Caller, whose OperatorId is the UserId."""
        return {"Caller": {"OperatorId": self.operator_user_id}}

    def build_image_options(self) -> Caller:
        """Return whether the service processes it, and the colour it then gets."""
        options = {"ProcessSeal": self.process_seal, "SealColor": self.seal_color}
        return {name: value for name, value in options.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The hosts of one environment."""

    general: str
    files: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One product. Each action has a quota of its own."""

    name: str  # as in config.yaml
    service: str  # in the signature, also of the file host and of the test environment
    version: str
    agent: type[Agent]
    ids: tuple[str, ...]  # keys of `api` that must be filled in
    other_keys: tuple[str, ...]  # the others that no other product has
    endpoints: Mapping[str, Endpoints]  # by environment: production, test
    create: str
    upload: str  # the action that goes to the file host
    organization_seals: str  # reads, changes nothing
    refuses_taken_names: bool  # by its texts: a seal name that the organisation has already
    auto_sign_status: str  # the same
    auto_sign_enable_url: str
    auto_sign_seal_url: str


ESSBASIC = Product(
    name="essbasic",
    service="essbasic",
    version="2021-05-26",
    agent=PlatformAgent,
    ids=("app_id", "organization_open_id", "operator_open_id"),
    other_keys=(
        "proxy_operator_open_id",
        "proxy_app_id",
        "seal_image_compress",
        "enable_auto_sign",
        "license_type",
        "allow_other_card_type",
    ),
    endpoints={
        "production": Endpoints("https://essbasic.tencentcloudapi.com", "https://file.ess.tencent.cn"),
        "test": Endpoints("https://essbasic.test.ess.tencent.cn", "https://file.test.ess.tencent.cn"),
    },
    create="ChannelCreatePreparedPersonalEsign",
    upload="UploadFiles",
    refuses_taken_names=True,
    organization_seals="ChannelDescribeOrganizationSeals",
    auto_sign_status="ChannelDescribeUserAutoSignStatus",
    auto_sign_enable_url="ChannelCreateUserAutoSignEnableUrl",
    auto_sign_seal_url="ChannelCreateUserAutoSignSealUrl",
)
ESS = Product(
    name="ess",
    service="ess",
    version="2020-11-11",
    agent=CustomerAgent,
    ids=("organization", "operator_user_id"),
    other_keys=("seal_color", "process_seal"),
    endpoints={
        "production": Endpoints("https://ess.tencentcloudapi.com", "https://file.ess.tencent.cn"),
        "test": Endpoints("https://ess.test.ess.tencent.cn", "https://file.test.ess.tencent.cn"),
    },
    create="CreatePreparedPersonalEsign",
    upload="UploadFiles",
    refuses_taken_names=False,
    organization_seals="DescribeOrganizationSeals",
    auto_sign_status="DescribeUserAutoSignStatus",
    auto_sign_enable_url="CreateUserAutoSignEnableUrl",
    auto_sign_seal_url="CreateUserAutoSignSealUrl",
)
PRODUCTS: Mapping[str, Product] = {product.name: product for product in (ESSBASIC, ESS)}
