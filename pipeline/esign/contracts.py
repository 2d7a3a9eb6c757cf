"""The API contracts: each is one form of the API page of a product, how a create brings its picture and which parameters it takes.

A new contract is one more in CONTRACTS. Keys without a value are left out. The page's internal fields (Channel, ClientIp, ProxyOrganizationId, …) are never
sent. JSON is compact UTF-8.
"""

from __future__ import annotations

import base64
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass, field

from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import Field
from pipeline.domain.seals import SealRequest
from pipeline.esign.products import ESS, ESSBASIC, Agent, Product

PLACEHOLDER = "@"  # stands where base64 is put in: it never occurs in base64 nor in a FileName of ours
# Parameters that only some contracts take, named as in config.yaml.
OPTIONAL_PARAMETERS = (
    "seal_image_compress",
    "enable_auto_sign",
    "license_type",
    "proxy_app_id",
    "seal_color",
    "process_seal",
)


@dataclass(frozen=True, slots=True)
class CreateImage:
    """The picture of a create: its bytes, and its FileId where it was uploaded."""

    data: bytes = field(default=b"", repr=False)
    file_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract(ABC):
    """One form of the API page."""

    product: Product
    name: str  # as in config.yaml
    needs_upload: bool  # the picture is uploaded before the create, which then names its FileId
    max_image_bytes: int
    advised_image_bytes: int | None = None  # above it the page advises SealImageCompress
    optional_parameters: frozenset[str] = frozenset()  # those of OPTIONAL_PARAMETERS that it takes
    switched_off: re.Pattern[str] | None = None  # the refusal of an account for which it is switched off

    @abstractmethod
    def build_create(self, agent: Agent, request: SealRequest, image: CreateImage) -> bytes:
        """Return the body of a create."""

    def is_heavy(self, image_bytes: int) -> bool:
        """Return whether a picture is larger than the page advises."""
        return self.advised_image_bytes is not None and image_bytes > self.advised_image_bytes

    def is_switched_off(self, message: str) -> bool:
        """Return whether a refusal means that this contract is switched off for the account."""
        return self.switched_off is not None and self.switched_off.search(message) is not None


def dump_json(body: dict[str, object]) -> bytes:
    """Return a body as compact UTF-8 JSON."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def dump_with_image(body: dict[str, object], name: str, image: bytes) -> bytes:
    """Return a body with ``image`` in base64 in place of PLACEHOLDER, the value of ``name``.

    Megabytes of base64 are not escaped as JSON text.
    """
    before, after = dump_json(body).split(f'"{name}":"{PLACEHOLDER}"'.encode())
    return b"".join((before, f'"{name}":"'.encode(), base64.b64encode(image), b'"', after))


def list_create_parameters(
    agent: Agent, request: SealRequest, accepted: Collection[str] = ()
) -> dict[str, object]:
    """Return the parameters of a create but for its picture; ``accepted`` are the optional ones that are taken."""
    values = {**request.values, Field.SEAL_NAME: request.seal_name}
    parameters = {
        definition.parameter: values[field]
        for field, definition in FIELDS.items()
        if definition.parameter
        and field in values
        and (field in accepted or not definition.is_optional_parameter)
    }
    return {**agent.build_caller(), **parameters, **agent.build_image_options()}


def list_sent_texts(agent: Agent, *sent: object, request: SealRequest | None = None) -> Collection[str]:
    """Return the texts that a call brings, ``sent`` among them: no answer to it gives one of them as an id."""
    values = (*request.values.values(), request.seal_name) if request else ()
    return frozenset(value for value in (*astuple(agent), *values, *sent) if isinstance(value, str))


def build_upload(agent: Agent, file_name: str, image: bytes) -> bytes:
    """Return the body of an UploadFiles call with one file: the order of FileIds is not documented."""
    body = {
        **agent.build_upload_caller(),
        "BusinessType": "SEAL",
        "FileInfos": [{"FileName": file_name, "FileBody": PLACEHOLDER}],
    }
    return dump_with_image(body, "FileBody", image)


def build_liveness_check(agent: Agent) -> bytes:
    """Return the body of the smallest call that changes nothing."""
    return dump_json({**agent.build_query_caller(), "Limit": 1, "Offset": 0})


class FileIdContract(Contract):
    """The current contract: the picture is uploaded first."""

    def build_create(self, agent: Agent, request: SealRequest, image: CreateImage) -> bytes:
        """Return a body that names the picture's FileId."""
        parameters = list_create_parameters(agent, request, self.optional_parameters)
        return dump_json(parameters | {"FileId": image.file_id})


class InlineContract(Contract):
    """The older contract: nothing is uploaded, and a create may open auto-sign."""

    def build_create(self, agent: Agent, request: SealRequest, image: CreateImage) -> bytes:
        """Return a body that holds the picture itself."""
        parameters = list_create_parameters(agent, request, self.optional_parameters)
        return dump_with_image(parameters | {"SealImage": PLACEHOLDER}, "SealImage", image.data)


FILE_ID = FileIdContract(product=ESSBASIC, name="file_id", needs_upload=True, max_image_bytes=7_999_999)
INLINE = InlineContract(
    product=ESSBASIC,
    name="inline",
    needs_upload=False,
    max_image_bytes=5_000_000,
    advised_image_bytes=2_000_000,
    optional_parameters=frozenset(
        {"seal_image_compress", "enable_auto_sign", "license_type", "proxy_app_id"}
    ),
    switched_off=re.compile(
        "(缺少|为空|不能为空|缺失).{0,6}印章图片|印章图片.{0,8}(缺少|为空|不能为空|缺失)"
    ),
)
ESS_FILE_ID = FileIdContract(
    product=ESS,
    name="file_id",
    needs_upload=True,
    max_image_bytes=4_999_999,
    optional_parameters=frozenset({"seal_color", "process_seal"}),
)
# by product and name, as in config.yaml
CONTRACTS: Mapping[tuple[str, str], Contract] = {
    (contract.product.name, contract.name): contract for contract in (FILE_ID, INLINE, ESS_FILE_ID)
}
