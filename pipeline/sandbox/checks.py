"""What the service checks of a request: its parameters, whose ids they are, the person, the picture.

Written apart from our own intake on purpose: two readings of the same API page check each other.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.sandbox.gateway import (
    AUTO_SIGN_STATUS,
    CREATE,
    ENABLE_URL,
    ESS,
    ESSBASIC,
    ORGANIZATION_SEALS,
    SEAL_URL,
    UPLOAD,
    Refusal,
    Tenant,
)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an object: its JSON type, and what lies inside an object or in each object of a list."""

    kind: type
    required: bool = False
    inside: Mapping[str, Key] = field(default_factory=dict)


TEXT, NUMBER, FLAG = Key(str), Key(int), Key(bool)
NEEDED_TEXT = Key(str, required=True)

# the keys a client may send; those that Tencent calls internal are left out
_OPERATOR = Key(dict, inside={"OpenId": TEXT})
_AGENT = Key(
    dict,
    required=True,
    inside={
        "AppId": NEEDED_TEXT,
        "ProxyOrganizationOpenId": TEXT,
        "ProxyOperator": _OPERATOR,
        "ProxyAppId": TEXT,
    },
)
_SIGNER = Key(
    dict, required=True, inside={"Name": NEEDED_TEXT, "IdCardNumber": NEEDED_TEXT, "IdCardType": TEXT}
)
_OF_SIGNER = {"Agent": _AGENT, "Operator": _OPERATOR, "SceneKey": NEEDED_TEXT, "UserInfo": _SIGNER}

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
        "FileInfos": Key(list, inside={"FileBody": NEEDED_TEXT, "FileName": TEXT}),
    },
    AUTO_SIGN_STATUS: _OF_SIGNER,
    ENABLE_URL: {
        "Agent": _AGENT,
        "Operator": _OPERATOR,
        "SceneKey": NEEDED_TEXT,
        "AutoSignConfig": Key(dict, required=True, inside={"UserInfo": _SIGNER}),
        "ExpiredTime": NUMBER,
        "EndPoint": TEXT,
    },
    SEAL_URL: {**_OF_SIGNER, "ExpiredTime": NUMBER, "EndPoint": TEXT},
    ORGANIZATION_SEALS: {"Agent": _AGENT, "Limit": NUMBER, "Offset": NUMBER},
}


def get_shape(operation: str, service: str) -> dict[str, Key]:
    """Return the parameters that a call takes in a product: in ess a user of the hospital acts, and no platform."""
    shape = dict(SHAPES[operation])
    if service != ESS:
        return shape
    shape.pop("Agent")
    shape.pop("Operator", None)
    if operation == UPLOAD:
        return {**shape, "Caller": Key(dict, required=True, inside={"OperatorId": TEXT})}
    if operation == CREATE:
        shape |= {"SealColor": TEXT, "ProcessSeal": FLAG}
    return {**shape, "Operator": Key(dict, required=True, inside={"UserId": TEXT})}


def check_shape(value: Mapping[str, Any], keys: Mapping[str, Key], where: str = "") -> None:
    """Raise Refusal on the first unknown, missing or wrongly typed key; null counts as absent."""
    for name in value:
        if name not in keys:
            raise Refusal("UnknownParameter", f"The parameter `{where}{name}` is not recognized.")
    for name, key in keys.items():
        item, path = value.get(name), f"{where}{name}"
        if item is not None:
            _check_value(item, key, path)
        elif key.required:
            raise Refusal("MissingParameter", f"The request is missing a required parameter `{path}`.")


def _check_value(item: object, key: Key, path: str) -> None:
    if type(item) is not key.kind:  # True is an int, but no number
        raise Refusal("InvalidParameter", f"Parameter `{path}` type error.")
    if isinstance(item, dict):
        check_shape(item, key.inside, f"{path}.")
    elif isinstance(item, list):
        for index, inner in enumerate(item):
            _check_value(inner, Key(dict, inside=key.inside), f"{path}.{index}")


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
    if {acting, operator["OpenId"] if operator else acting} != {tenant.operator_open_id}:
        raise Refusal("OperationDenied.UserNotInOrganization")
    return tenant


def check_customer(parameters: Mapping[str, Any], tenants: Sequence[Tenant]) -> Tenant:
    """Return the tenant of the credential whose employee acts, or raise Refusal."""
    caller = parameters.get("Caller")
    user_id = caller.get("OperatorId") if caller is not None else parameters["Operator"].get("UserId")
    if not user_id:
        raise Refusal("MissingParameter.UserId")
    tenant = next((one for one in tenants if one.operator_user_id == user_id), None)
    if tenant is None:
        raise Refusal("OperationDenied.UserNotInOrganization")
    return tenant


_CHECK_DIGITS = "10X98765432"
_EIGHTEEN = re.compile(r"[0-9]{17}[0-9X]")
_PERMIT = re.compile(r"[HM][0-9]{10}")
_MOBILE = re.compile(r"1[0-9]{10}")


def get_lifetime_number(number: str) -> str:
    """Return the part of a number that stays with its person: a permit's last two digits count its renewals."""
    return number[:9] if _PERMIT.fullmatch(number) else number


def check_person(name: str, number: str, card_type: str, *, takes_other_cards: bool) -> None:
    """Raise Refusal when the service would not take this person; an empty ``card_type`` is an identity card."""
    if not name.strip():
        raise Refusal("InvalidParameterValue", "参数UserName不能为空")
    if not number.strip():
        raise Refusal("InvalidParameterValue", "参数IdCardNumber不能为空")
    match card_type or "ID_CARD":
        case "ID_CARD" | "HONGKONG_MACAO_AND_TAIWAN":
            _check_eighteen(number)
        case "HONGKONG_AND_MACAO":
            if not _PERMIT.fullmatch(number):
                raise Refusal("InvalidParameter.CardNumber")
        case "OTHER_CARD_TYPE":
            if not takes_other_cards:
                raise Refusal("OperationDenied.WhiteListForbid")
        case _:
            raise Refusal("InvalidParameter.CardType")


def check_mobile(mobile: str) -> None:
    """Raise Refusal unless the mobile has 11 digits that start with 1."""
    if not _MOBILE.fullmatch(mobile):
        raise Refusal("InvalidParameter.Mobile")


def _check_eighteen(number: str) -> None:
    if not _EIGHTEEN.fullmatch(number):
        raise Refusal("InvalidParameter.CardNumber")
    total = sum(int(digit) << (17 - index) for index, digit in enumerate(number[:17]))
    if _CHECK_DIGITS[total % 11] != number[17]:
        raise Refusal("InvalidParameter.CardNumber")


SIGNER_CARDS = ("", "ID_CARD", "HONGKONG_AND_MACAO", "HONGKONG_MACAO_AND_TAIWAN")
SCENES = ("E_PRESCRIPTION_AUTO_SIGN", "OTHER")
LINK_LIFE, MAX_LINK_LIFE = 7 * 86_400, 30 * 86_400  # seconds
END_POINTS = ("", "HTTP", "HTTP_SHORT_URL", "APP")


def check_signer(scene: str, user: Mapping[str, Any]) -> None:
    """Raise Refusal when a call about auto-sign would not take this scene or this person."""
    if scene not in SCENES:
        raise Refusal("InvalidParameterValue", "参数SceneKey取值错误")
    if not user["Name"].strip():
        raise Refusal("InvalidParameter.Name")
    card_type = user.get("IdCardType") or ""
    if card_type not in SIGNER_CARDS:
        raise Refusal("InvalidParameter.CardType")
    check_person(user["Name"], user["IdCardNumber"], card_type, takes_other_cards=False)


def get_link_end(sent: Mapping[str, Any], now: float) -> float:
    """Return when the link that a call asks for ends, or raise Refusal for its terms."""
    end: float = sent.get("ExpiredTime", now + LINK_LIFE)
    if not now < end <= now + MAX_LINK_LIFE:
        raise Refusal(
            "InvalidParameter.ParamError", "参数错误，ExpiredTime不能早于当前时间，且最大为当前时间往后30天"
        )
    if sent.get("EndPoint", "") not in END_POINTS:
        raise Refusal("InvalidParameter.EndPoint")
    return end


INLINE_LIMIT = 5_000_000  # bytes before base64; «5M» taken the strict way
UPLOAD_LIMITS = {ESSBASIC: 8_000_000, ESS: 5_000_000}  # bytes; a picture stays below it
MAX_FILES = 20
_MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff"}
_SUFFIXES = {"png": ("png",), "jpg": ("jpg", "jpeg")}


def _detect_kind(data: bytes) -> str | None:
    return next((kind for kind, magic in _MAGIC.items() if data.startswith(magic)), None)


def decode_inline_image(text: str) -> bytes:
    """Return the bytes of ``SealImage``; a ``data:`` prefix or a newline is no base64 here."""
    data = _decode_base64(text)
    if data is None or _detect_kind(data) is None:
        raise Refusal("InvalidParameter.Image")
    if len(data) > INLINE_LIMIT:
        raise Refusal("LimitExceeded.FileSize")
    return data


def decode_uploads(parameters: Mapping[str, Any], service: str) -> list[bytes]:
    """Return the pictures of an UploadFiles call in its order: one bad file refuses them all."""
    if parameters["BusinessType"] != "SEAL":
        raise Refusal("InvalidParameterValue", "参数BusinessType取值错误")
    infos: Sequence[Mapping[str, Any]] = parameters.get("FileInfos") or ()
    if not 1 <= len(infos) <= MAX_FILES:
        raise Refusal("InvalidParameter", f"参数FileInfos须有1至{MAX_FILES}个文件")
    return [_decode_upload(info, UPLOAD_LIMITS[service]) for info in infos]


def _decode_upload(info: Mapping[str, Any], limit: int) -> bytes:
    data = _decode_base64(info["FileBody"])
    if data is None:
        raise Refusal("InvalidParameter", "参数FileBody不是base64")
    kind = _detect_kind(data)
    suffix = (info.get("FileName") or "").rpartition(".")[2].lower()
    if kind is None or suffix not in ("", *_SUFFIXES[kind]):
        raise Refusal("InvalidParameter.FileType")
    if len(data) >= limit:
        raise Refusal("LimitExceeded.FileSize")
    return data


def _decode_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None
