"""The parameters of each action: which keys there are, their types, whose ids they must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.sandbox.answers import Refusal
from pipeline.sandbox.tenant import Tenant

CREATE = "ChannelCreatePreparedPersonalEsign"
UPLOAD = "UploadFiles"
AUTO_SIGN_STATUS = "ChannelDescribeUserAutoSignStatus"
ORGANIZATION_SEALS = "ChannelDescribeOrganizationSeals"


Kind = Literal["string", "integer", "boolean", "object", "list"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an object: its JSON type, and what lies inside an object or in each item of a list."""

    kind: Kind
    required: bool = False
    inside: Mapping[str, Key] | None = None


TEXT, NUMBER, FLAG = Key("string"), Key("integer"), Key("boolean")
NEEDED_TEXT = Key("string", required=True)

# the keys a client may send: those that Tencent calls internal are known to its SDK and do nothing here
_USER = {"OpenId": TEXT, "Channel": TEXT, "CustomUserId": TEXT, "ClientIp": TEXT, "ProxyIp": TEXT}
_AGENT = Key(
    "object",
    required=True,
    inside={
        "AppId": NEEDED_TEXT,
        "ProxyOrganizationOpenId": TEXT,
        "ProxyOperator": Key("object", inside=_USER),
        "ProxyAppId": TEXT,
        "ProxyOrganizationId": TEXT,
    },
)
_OPERATOR = Key("object", inside=_USER)

SHAPES: Mapping[str, Mapping[str, Key]] = {
    CREATE: {
        "Agent": _AGENT,
        "Operator": _OPERATOR,
        "UserName": NEEDED_TEXT,
        "IdCardNumber": NEEDED_TEXT,
        "SealName": NEEDED_TEXT,
        "IdCardType": TEXT,
        "Mobile": TEXT,
        "FileId": TEXT,
        "SceneKey": TEXT,
        "SealImage": TEXT,
        "SealImageCompress": FLAG,
        "EnableAutoSign": FLAG,
        "LicenseType": NUMBER,
    },
    UPLOAD: {
        "Agent": _AGENT,
        "Operator": _OPERATOR,
        "BusinessType": NEEDED_TEXT,
        "FileInfos": Key("list", inside={"FileBody": NEEDED_TEXT, "FileName": TEXT}),
        "Deadline": NUMBER,
    },
    AUTO_SIGN_STATUS: {
        "Agent": _AGENT,
        "Operator": _OPERATOR,
        "SceneKey": NEEDED_TEXT,
        "UserInfo": Key(
            "object",
            required=True,
            inside={"Name": NEEDED_TEXT, "IdCardNumber": NEEDED_TEXT, "IdCardType": TEXT},
        ),
    },
    ORGANIZATION_SEALS: {
        "Agent": _AGENT,
        "Limit": NUMBER,
        "Offset": NUMBER,
        "InfoType": NUMBER,
        "SealId": TEXT,
        "SealTypes": Key("list"),
        "SealStatuses": Key("list"),
    },
}


def check_shape(value: Mapping[str, Any], keys: Mapping[str, Key], where: str = "") -> None:
    """Raise Refusal on the first unknown, missing or wrongly typed key; null counts as absent."""
    for name in value:
        if name not in keys:
            raise Refusal("UnknownParameter", f"The parameter `{where}{name}` is not recognized.")
    for name, key in keys.items():
        item = value.get(name)
        path = f"{where}{name}"
        if item is None:
            if key.required:
                raise Refusal("MissingParameter", f"The request is missing a required parameter `{path}`.")
            continue
        if not _fits(item, key.kind):
            raise Refusal("InvalidParameter", f"Parameter `{path}` type error.")
        if key.kind == "object" and key.inside is not None:
            check_shape(item, key.inside, f"{path}.")
        elif key.kind == "list":
            _check_items(item, key, path)


def _check_items(items: Sequence[Any], key: Key, path: str) -> None:
    for index, item in enumerate(items):
        if not _fits(item, "object" if key.inside is not None else "string"):
            raise Refusal("InvalidParameter", f"Parameter `{path}.{index}` type error.")
        if key.inside is not None:
            check_shape(item, key.inside, f"{path}.{index}.")


def _fits(value: object, kind: Kind) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "object":
            return isinstance(value, dict)
        case "list":
            return isinstance(value, list)


def check_agent(parameters: Mapping[str, Any], tenants: Sequence[Tenant]) -> Tenant:
    """Return the tenant that the Agent's three ids name, among those of the credential, or raise Refusal."""
    agent = parameters["Agent"]
    of_app = [tenant for tenant in tenants if tenant.app_id == agent["AppId"]]
    if not of_app:
        raise Refusal("ResourceNotFound.Application")
    organization = agent.get("ProxyOrganizationOpenId")
    if not organization:
        raise Refusal("MissingParameter.OrgOpenId")
    tenant = next((one for one in of_app if one.organization_open_id == organization), None)
    if tenant is None:
        raise Refusal("ResourceNotFound.Organization")
    acting = (agent.get("ProxyOperator") or {}).get("OpenId")
    if not acting:
        raise Refusal("MissingParameter.ProxyOperatorOpenId")
    operator = parameters.get("Operator")
    if operator is not None and not operator.get("OpenId"):
        raise Refusal("MissingParameter.UserOpenId")
    if not {acting, operator["OpenId"] if operator else acting} <= set(tenant.operators):
        raise Refusal("OperationDenied.UserNotInOrganization")
    return tenant
