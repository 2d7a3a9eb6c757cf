"""Pictures and uploads as the service looks at them: base64, first bytes, sizes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.sandbox.answers import Refusal

INLINE_LIMIT = 5_000_000  # bytes before base64; «5M» taken the strict way
UPLOAD_LIMIT = 8_000_000  # bytes; a picture stays below it
DOCUMENT_LIMIT = 60_000_000
MAX_FILES = 20
MAX_FILE_NAME = 200
BUSINESS_TYPES = frozenset({"TEMPLATE", "DOCUMENT", "SEAL", "ARCHIVE", "BUSINESSLICENSE"})
PICTURES = frozenset({"png", "jpg"})

_MAGIC = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"%PDF-", "pdf"), (b"PK\x03\x04", "zip"))
_SUFFIXES = {"png": ("png",), "jpg": ("jpg", "jpeg"), "pdf": ("pdf",), "zip": ("zip", "docx", "xlsx")}


def sniff(data: bytes) -> str | None:
    """Return png, jpg, pdf or zip by the first bytes, or None."""
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)


def inline_picture(text: str) -> bytes:
    """Return the bytes of ``SealImage``; a ``data:`` prefix or a newline is no base64 here."""
    data = _decode(text)
    if data is None or sniff(data) not in PICTURES:
        raise Refusal("InvalidParameter.Image")
    if len(data) > INLINE_LIMIT:
        raise Refusal("LimitExceeded.FileSize")
    return data


def uploaded_files(parameters: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """Return (kind, bytes) of every file of an UploadFiles call in its order: one bad file refuses them all."""
    business = parameters["BusinessType"]
    if business not in BUSINESS_TYPES:
        raise Refusal("InvalidParameterValue", f"参数BusinessType取值错误[{business}]")
    infos: Sequence[Mapping[str, Any]] = parameters.get("FileInfos") or ()
    if not infos:
        raise Refusal("InvalidParameter", "参数FileInfos不能为空")
    if len(infos) > MAX_FILES:
        raise Refusal("InvalidParameter", f"参数FileInfos一次最多{MAX_FILES}个文件")
    files = [_file(info, business) for info in infos]
    if len({kind for kind, _ in files}) > 1:
        raise Refusal("InvalidParameter.FileType", "所有文件必须为相同类型")
    return files


def _file(info: Mapping[str, Any], business: str) -> tuple[str, bytes]:
    name = info.get("FileName") or ""
    if len(name) > MAX_FILE_NAME:
        raise Refusal("InvalidParameter", "参数FileName长度超出")
    data = _decode(info["FileBody"])
    if data is None:
        raise Refusal("InvalidParameter", "参数FileBody不是base64")
    kind = sniff(data)
    if kind is None or (business == "SEAL" and kind not in PICTURES):
        raise Refusal("InvalidParameter.FileType")
    suffix = name.rpartition(".")[2].lower() if "." in name else None
    if suffix is not None and suffix not in _SUFFIXES[kind]:
        raise Refusal("InvalidParameter.FileType")
    if len(data) >= (UPLOAD_LIMIT if kind in PICTURES else DOCUMENT_LIMIT):
        raise Refusal("LimitExceeded.FileSize")
    return kind, data


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None
