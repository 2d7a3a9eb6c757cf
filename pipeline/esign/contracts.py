"""The bodies of both contracts and the shape of every answer.

Keys without a value are left out; the page's internal fields (Channel, ClientIp, ProxyOrganizationId, …) are
never sent. JSON is compact UTF-8.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.domain.seals import ContractName, SealRequest

CREATE = "ChannelCreatePreparedPersonalEsign"
UPLOAD = "UploadFiles"
PROBE = "ChannelDescribeOrganizationSeals"  # reads, changes nothing
VERSION = "2021-05-26"
LIMIT_BYTES: Mapping[ContractName, int] = {"inline": 5_000_000, "file_id": 7_999_999}  # of the picture
ADVISED_INLINE_BYTES = 2_000_000  # above it the older page advises SealImageCompress
FILE_ID_SECONDS = 600  # how long a FileId lives when its answer names no Deadline
_HOLE = "@"  # stands where base64 is spliced in: it never occurs in base64 nor in a FileName of ours


@dataclass(frozen=True, slots=True)
class Agent:
    """Who acts, the same for a whole night: Agent and Operator by config."""

    app_id: str
    organization_open_id: str
    operator_open_id: str
    proxy_operator_open_id: str | None = None  # Agent.ProxyOperator.OpenId, else the operator's
    proxy_app_id: str | None = None  # inline only, old accounts

    def body(self) -> dict[str, object]:
        """Return the Agent of the API page."""
        return _filled(
            AppId=self.app_id,
            ProxyAppId=self.proxy_app_id,
            ProxyOrganizationOpenId=self.organization_open_id,
            ProxyOperator={"OpenId": self.proxy_operator_open_id or self.operator_open_id},
        )


def _filled(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _dump(body: dict[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _spliced(body: dict[str, object], name: str, picture: bytes) -> bytes:
    """Dump a body with ``picture`` in base64 under ``name``, without escaping megabytes as JSON text."""
    before, after = _dump(body).split(f'"{name}":"{_HOLE}"'.encode())
    return b"".join((before, f'"{name}":"'.encode(), base64.b64encode(picture), b'"', after))


def create_body(
    agent: Agent, request: SealRequest, *, file_id: str | None = None, picture: bytes | None = None
) -> bytes:
    """Return the body of a create: with ``file_id`` the current contract, with ``picture`` the older inline one."""
    inline = picture is not None
    body = _filled(
        Agent=agent.body(),
        Operator={"OpenId": agent.operator_open_id},
        UserName=request.name,
        IdCardType=str(request.id_type),
        IdCardNumber=request.number,
        SealName=request.seal_name,
        Mobile=request.mobile,
        SceneKey=request.scene_key,
        FileId=file_id,
        EnableAutoSign=request.enable_auto_sign if inline else None,
        LicenseType=request.license_type if inline else None,
        SealImageCompress=request.seal_image_compress if inline else None,
        SealImage=_HOLE if inline else None,
    )
    if picture is None:
        return _dump(body)
    return _spliced(body, "SealImage", picture)


def upload_body(agent: Agent, file_name: str, picture: bytes) -> bytes:
    """Return the body of an UploadFiles call with one file: the order of FileIds is documented nowhere."""
    body = _filled(
        Agent=agent.body(),
        BusinessType="SEAL",
        FileInfos=[{"FileName": file_name, "FileBody": _HOLE}],
    )
    return _spliced(body, "FileBody", picture)


def probe_body(agent: Agent) -> bytes:
    """Return the smallest question that the service can answer without changing anything."""
    return _dump({"Agent": agent.body(), "Limit": 1, "Offset": 0})


@dataclass(frozen=True, slots=True)
class Answer:
    """The ``Response`` object of an answer: an error's code and message, or the fields of a success."""

    request_id: str | None
    code: str | None  # None without an Error
    message: str | None
    fields: Mapping[str, object]

    @property
    def deprecated(self) -> str | None:
        """What the service says of the end of this interface, if it does; at most 500 characters."""
        told = self.fields.get("DeprecatedWarning")
        return _whole(str(told))[:500] if told else None

    def text(self, name: str) -> str | None:
        """Return a field when it is a non-empty text."""
        value = self.fields.get(name)
        return _whole(value) if isinstance(value, str) and value else None


def parse(body: bytes) -> Answer | None:
    """Read an answer by its body alone (Content-Type decides nothing); None when it is not ``{"Response":{…}}``."""
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or nested to death
        return None
    response = document.get("Response") if isinstance(document, dict) else None
    if not isinstance(response, dict):
        return None
    request_id = response.get("RequestId")
    error = response.get("Error")
    code = message = None
    if error is not None:
        if not isinstance(error, dict) or not isinstance(error.get("Code"), str) or not error["Code"]:
            return None
        code, message = _whole(error["Code"]), _whole(str(error.get("Message") or ""))
    return Answer(_whole(request_id) if isinstance(request_id, str) else None, code, message, response)


def _whole(text: str) -> str:
    """Replace halves of characters: JSON may hold them, no file and no database can."""
    return text.encode("utf-8", "replace").decode()


def file_id_of(answer: Answer, *, now: float) -> tuple[str, float] | None:
    """Return the one FileId of an upload and the unix second at which it dies; None when the answer lacks it."""
    ids = answer.fields.get("FileIds")
    if not isinstance(ids, list) or len(ids) != 1 or not isinstance(ids[0], str) or not ids[0]:
        return None
    deadline = answer.fields.get("Deadline")
    if isinstance(deadline, int) and not isinstance(deadline, bool) and deadline > 0:
        return ids[0], float(deadline)
    return ids[0], now + FILE_ID_SECONDS
