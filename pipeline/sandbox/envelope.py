"""The encrypted envelope as the service sees it: opens calls, closes answers, and closes them wrongly on purpose.

Written apart from `pipeline.esign.encryption` on purpose: two readings of the same pages check each other. The pages name
no codes for an envelope that is refused: those used here are made up.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from pipeline.sandbox.gateway import ENVELOPE, ESSBASIC, Call, EnvelopeKeys, Refusal, Tenant

IV_BYTES = 16
# how an answer is closed: wrongly, or (bare) with its fields outside ``Response``
Form = Literal[
    "signature", "iv", "padding", "not_base64", "other_key", "plain", "replayed", "reflected", "bare"
]
FORMS: tuple[Form, ...] = get_args(Form)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an opened envelope leaves behind: the keys for the answer, and its own parameters."""

    keys: EnvelopeKeys
    parameters: Mapping[str, Any] = field(repr=False)


def open_call(call: Call, tenants: Iterable[Tenant]) -> tuple[Call, Envelope]:
    """Return the call inside an envelope. Raises Refusal, of the envelope's own call."""
    sent = call.parameters
    if sent is None:
        raise Refusal("InvalidParameter", "The request body is not a JSON object.")
    application = ("ApplicationId",) if call.service == ESSBASIC else ()
    for name in ("RequestAction", *application, "IV", "EncryptedData", "EncryptionSignature"):
        if not isinstance(sent.get(name), str):
            raise Refusal("MissingParameter", f"The request is missing a required parameter `{name}`.")
    keys = _get_keys(sent.get("ApplicationId"), tenants)
    try:
        names = ("IV", "EncryptedData", "EncryptionSignature")
        iv, data, signature = (base64.b64decode(sent[name], validate=True) for name in names)
    except ValueError:
        raise Refusal("InvalidParameter", "A parameter of the envelope is no Base64.") from None
    if not hmac.compare_digest(_sign(keys, iv + data), signature):
        raise Refusal("InvalidParameter", "The EncryptionSignature does not fit.")
    inside = _read_object(_run_cipher(keys, iv, data, encrypts=False))
    if inside is None:
        raise Refusal("InvalidParameter", "The EncryptedData cannot be decrypted.")
    return replace(call, parameters=inside, inner_action=sent["RequestAction"]), Envelope(keys, sent)


def _get_keys(application_id: str | None, tenants: Iterable[Tenant]) -> EnvelopeKeys:
    """Return the keys of an application; in ess, where a call names none, those of the credential."""
    known = [tenant.envelope for tenant in tenants if application_id in {None, tenant.app_id}]
    if not known:
        raise Refusal("ResourceNotFound.Application")
    if known[0] is None:
        raise Refusal("OperationDenied.WhiteListForbid")
    return known[0]


def _read_object(padded: bytes) -> dict[str, Any] | None:
    """Return the JSON object in a plaintext with its padding, None where there is none."""
    fill = padded[-1] if padded else 0
    if not 1 <= fill <= IV_BYTES or padded[-fill:] != bytes([fill]) * fill:
        return None
    try:
        inside = json.loads(padded[:-fill])
    except ValueError:
        return None
    return inside if isinstance(inside, dict) else None


class AnswerCloser:
    """Closes answers; remembers the first one, to send it again where a fault asks for that."""

    def __init__(self) -> None:
        self._first: dict[str, str] | None = None

    def close(self, body: bytes, request_id: str, envelope: Envelope, form: Form | None) -> bytes:
        """Return the answer that goes out in place of ``body``."""
        if form == "plain":
            return body
        if form == "reflected":
            names = ("IV", "EncryptedData", "EncryptionSignature")
            return _dump({name: envelope.parameters[name] for name in names}, request_id)
        if form == "replayed" and self._first is not None:
            return _dump(self._first, request_id)
        keys = (
            replace(envelope.keys, hmac_key=b"another key of HMAC") if form == "other_key" else envelope.keys
        )
        content = json.dumps(json.loads(body)["Response"]).encode() if form == "bare" else body
        fill = IV_BYTES - len(content) % IV_BYTES
        padding = bytes(fill - 1) + b"\xff" if form == "padding" else bytes([fill]) * fill
        iv = secrets.token_bytes(IV_BYTES)
        data = _run_cipher(keys, iv, content + padding, encrypts=True)
        sent_iv = iv[:-1] if form == "iv" else iv
        signature = _sign(keys, sent_iv + data)
        if form == "signature":
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        closed = {
            "IV": _encode(sent_iv),
            "EncryptedData": _encode(data) + ("*" if form == "not_base64" else ""),
            "EncryptionSignature": _encode(signature),
        }
        self._first = self._first or closed
        return _dump(closed, request_id)


def _sign(keys: EnvelopeKeys, data: bytes) -> bytes:
    return hmac.new(keys.hmac_key, data, lambda: hashlib.new(keys.digest)).digest()


def _run_cipher(keys: EnvelopeKeys, iv: bytes, data: bytes, *, encrypts: bool) -> bytes:
    from cryptography.hazmat.primitives.ciphers import (  # noqa: PLC0415 - the extra "encryption"
        Cipher,
        algorithms,
        modes,
    )

    cipher = algorithms.SM4(keys.key) if keys.cipher == "sm4" else algorithms.AES(keys.key)
    try:
        at_work = Cipher(cipher, modes.CBC(iv))
        run = at_work.encryptor() if encrypts else at_work.decryptor()
        return run.update(data) + run.finalize()
    except ValueError:  # an IV or a length that the cipher does not take
        return b""


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _dump(fields: Mapping[str, str], request_id: str) -> bytes:
    return json.dumps({"Response": {**fields, "RequestId": request_id}}).encode()


def is_envelope(call: Call) -> bool:
    """Return whether a call carries another one."""
    return call.wire_action == ENVELOPE
