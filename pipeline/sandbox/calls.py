"""A request as the service receives it, parsed once, and the refusals with which it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

CREATE = "ChannelCreatePreparedPersonalEsign"
UPLOAD = "UploadFiles"
AUTO_SIGN_STATUS = "ChannelDescribeUserAutoSignStatus"
ORGANIZATION_SEALS = "ChannelDescribeOrganizationSeals"

ACTIONS = (CREATE, UPLOAD, AUTO_SIGN_STATUS, ORGANIZATION_SEALS)

Role = Literal["general", "file", "both"]

BODY_LIMIT = 10 * 1024 * 1024  # bytes, TC3 over POST; the file host takes more


@dataclass(frozen=True, slots=True)
class Call:
    """A request whole; header names are in lower case, ``role`` is the host that it reached."""

    method: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    role: Role
    connection: str
    parameters: Mapping[str, Any] | None = field(repr=False)  # None when the body is no JSON object

    @property
    def action(self) -> str:
        """X-TC-Action, empty without one."""
        return self.headers.get("x-tc-action", "")

    @property
    def trace_id(self) -> str | None:
        """X-TC-TraceId, which the client makes up."""
        return self.headers.get("x-tc-traceid")

    def get_text(self, name: str) -> str | None:
        """Return a text parameter of the top level, whatever else is wrong with the body."""
        value = (self.parameters or {}).get(name)
        return value if isinstance(value, str) else None


def read_call(
    body: bytes,
    *,
    headers: Mapping[str, str],
    role: Role = "both",
    method: str = "POST",
    query: str = "",
    connection: str = "",
) -> Call:
    """Return the call that a request makes; header names may come in any case."""
    lower = {name.lower(): value for name, value in headers.items()}
    return Call(method, query, lower, body, role, connection, _parse_body(body))


def _parse_body(body: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


MESSAGES: Mapping[str, str] = {
    "AuthFailure.InvalidAuthorization": "请求头部的 Authorization 不符合腾讯云标准。",
    "AuthFailure.SecretIdNotFound": "The SecretId is not found, please ensure that your SecretId is correct.",
    "AuthFailure.SignatureExpire": "The signature is expired, please request again.",
    "AuthFailure.SignatureFailure": "The provided credentials could not be validated. "
    "Please check your signature is correct.",
    "AuthFailure.TokenFailure": "token 错误。",
    "FailedOperation": "操作失败。",
    "FailedOperation.ExistSameSealName": "存在同名印章。",
    "InternalError": "内部服务错误，请稍后重试",
    "InvalidAction": "The request `Action` is invalid or not found.",
    "InvalidParameter": "参数错误。",
    "InvalidParameter.CardNumber": "证件号码错误。",
    "InvalidParameter.CardType": "证件类型错误。",
    "InvalidParameter.FileType": "文件类型不合法。",
    "InvalidParameter.Image": "图片不正确。",
    "InvalidParameter.LimitSealName": "印章名称长度超出。",
    "InvalidParameter.Mobile": "手机号码不正确。",
    "InvalidParameter.Name": "姓名不符合要求。",
    "InvalidParameterValue": "参数取值错误。",
    "InvalidRequest": "请求 body 的格式错误。",
    "LimitExceeded.FileSize": "文件大小限制。",
    "MissingParameter": "缺少参数。",
    "MissingParameter.OrgOpenId": "企业OpenId不存在。",
    "MissingParameter.ProxyOperatorOpenId": "ProxyOperatorOpenId不存在。",
    "MissingParameter.SealImage": "印章图片为空。",
    "MissingParameter.SealName": "印章名称为空。",
    "MissingParameter.UserOpenId": "用户OpenId不存在。",
    "NoSuchVersion": "接口版本不存在。",
    "OperationDenied.InvalidApproverAge": "签署人未达到合法年龄。",
    "OperationDenied.UserNotInOrganization": "用户不归属于当前企业，无法操作，请检查后重试。",
    "OperationDenied.WhiteListForbid": "接口功能暂未开放，请联系客户经理申请白名单使用",
    "RequestLimitExceeded": "请求的次数超过了频率限制。",
    "RequestSizeLimitExceeded": "请求包超过限制大小。",
    "ResourceNotFound.Application": "应用号不存在。",
    "ResourceNotFound.File": "文件不存在。",
    "ResourceNotFound.Organization": "机构不存在。",
    "UnknownParameter": "未知参数错误，用户多传未定义的参数会导致错误。",
    "UnsupportedOperation": "操作不支持。",
    "UnsupportedProtocol": "HTTP(S)请求协议错误，只支持 GET 和 POST 请求。",
}


class Refusal(Exception):
    """The service refuses: ``Response.Error`` with this code and message."""

    def __init__(self, code: str, message: str | None = None) -> None:
        self.code = code
        self.message = message or MESSAGES.get(code) or MESSAGES[code.partition(".")[0]]
        super().__init__(code)


def build_throttle_refusal(count: float, rate: float) -> Refusal:
    """Return the refusal of one call too many, naming the calls of this second and the limit."""
    text = f"您当前每秒请求 `{count:g}` 次，超过了每秒频率上限 `{rate:g}` 次，请稍后重试。"
    return Refusal("RequestLimitExceeded", text)
