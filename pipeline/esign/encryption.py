"""The encrypted envelope of a call: CreateRequestWithEncryption, whose parameters hold another call's body as ciphertext.

Documented (pages 1420/137080 and 1323/137078): AES-CBC or SM4-CBC with PKCS#7 padding, 16 random bytes as IV for each call,
and HMAC over IV and ciphertext by a second key. The answer comes in the same form; an error of the envelope's own call
comes in plain text, one of the call inside comes encrypted. TLS stays as it is.

All ciphers and digests are those of `cryptography` (the extra ``encryption``). An answer is verified before it is
decrypted. One that cannot be opened proves nothing: see `Reply.envelope_fault`.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from pipeline.domain.service_codes import name_envelope_code
from pipeline.errors import UsageError
from pipeline.esign.contracts import PLACEHOLDER, dump_json, dump_with_image
from pipeline.esign.encryption_keys import EncryptionKeys
from pipeline.esign.responses import (
    DAMAGED_ENVELOPE,
    FORGED_ENVELOPE,
    HTTP_OK,
    NO_ENVELOPE,
    Answer,
    Reply,
    SeenAnswers,
)

CipherName = Literal["aes", "sm4"]
DigestName = Literal["sha256", "sm3"]

BLOCK_BYTES = 16  # of both ciphers, and the length of an IV
_CIPHERS: Mapping[CipherName, type[algorithms.AES | algorithms.SM4]] = {
    "aes": algorithms.AES,
    "sm4": algorithms.SM4,
}
_DIGESTS: Mapping[DigestName, type[hashes.SHA256 | hashes.SM3]] = {
    "sha256": hashes.SHA256,
    "sm3": hashes.SM3,
}


class _Damaged(Exception):
    """What an answer holds is no envelope; its argument is the fault."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """IV and ciphertext of one body, with their HMAC."""

    iv: bytes
    ciphertext: bytes = field(repr=False)
    signature: bytes


@dataclass(frozen=True, slots=True)
class Encryption:
    """Puts calls into envelopes and takes answers out of them, by two keys that were agreed with Tencent."""

    cipher: CipherName
    digest: DigestName
    keys: EncryptionKeys
    application_id: str | None  # ApplicationId of the envelope; None for a product whose envelope has none

    def __post_init__(self) -> None:
        """Raise UsageError where this machine's OpenSSL lacks the cipher or the digest."""
        try:
            self.encrypt(b"", bytes(BLOCK_BYTES))
        except UnsupportedAlgorithm as error:
            raise UsageError("encryption.unsupported", cipher=self.cipher, digest=self.digest) from error

    def seal_call(self, action: str, body: bytes, answers: SeenAnswers) -> bytes:
        """Return the body of the envelope's call; its IV is of the system's random source.

        ``answers`` enter the IV: an answer that has the IV of a call is that call sent back.
        """
        sealed = self.encrypt(body, os.urandom(BLOCK_BYTES))
        answers.is_repeated(_name_iv(sealed.iv))
        application = {} if self.application_id is None else {"ApplicationId": self.application_id}
        parameters: dict[str, object] = {
            "RequestAction": action,
            **application,
            "IV": _encode(sealed.iv),
            "EncryptedData": PLACEHOLDER,
            "EncryptionSignature": _encode(sealed.signature),
        }
        return dump_with_image(parameters, "EncryptedData", sealed.ciphertext)

    def open_reply(self, reply: Reply) -> Reply:
        """Return the reply to the call inside: what it was answered, or why that cannot be known.

        An error in plain text is of the envelope's own call: its code shows that (`name_envelope_code`). What is no answer
        of the service stays as it is.
        """
        outer = reply.content
        if reply.status != HTTP_OK or outer is None:
            return reply
        if outer.code is not None:
            error = {"Code": name_envelope_code(outer.code), "Message": outer.message}
            return replace(reply, body=_dump_response(outer, {"Error": error}))
        try:
            sealed = _read_sealed(outer)
            response = _read_response(self.decrypt(sealed))
        except InvalidSignature:
            return replace(reply, envelope_fault=FORGED_ENVELOPE)
        except _Damaged as fault:
            return replace(reply, envelope_fault=str(fault))
        ids = [_name_iv(sealed.iv), *([outer.request_id] if outer.request_id else [])]
        return replace(reply, body=_dump_response(outer, response), envelope_ids=tuple(ids))

    def encrypt(self, plaintext: bytes, iv: bytes) -> Sealed:
        """Encrypt a body under an IV that was never used before, and sign both."""
        padder = PKCS7(BLOCK_BYTES * 8).padder()
        encryptor = self._build_cipher(iv).encryptor()
        whole_blocks = encryptor.update(padder.update(plaintext))
        ciphertext = b"".join((whole_blocks, encryptor.update(padder.finalize()), encryptor.finalize()))
        return Sealed(iv, ciphertext, self._build_hmac(iv, ciphertext).finalize())

    def decrypt(self, sealed: Sealed) -> bytes:
        """Verify and decrypt. Raises InvalidSignature before anything is decrypted, _Damaged for what cannot be."""
        self._build_hmac(sealed.iv, sealed.ciphertext).verify(sealed.signature)  # in constant time
        if len(sealed.iv) != BLOCK_BYTES or not sealed.ciphertext or len(sealed.ciphertext) % BLOCK_BYTES:
            raise _Damaged(DAMAGED_ENVELOPE)
        decryptor = self._build_cipher(sealed.iv).decryptor()
        unpadder = PKCS7(BLOCK_BYTES * 8).unpadder()
        plaintext = unpadder.update(decryptor.update(sealed.ciphertext) + decryptor.finalize())
        try:
            return plaintext + unpadder.finalize()
        except ValueError as error:
            raise _Damaged(DAMAGED_ENVELOPE) from error

    def _build_cipher(self, iv: bytes) -> Cipher[modes.CBC]:
        return Cipher(_CIPHERS[self.cipher](self.keys.encryption_key), modes.CBC(iv))

    def _build_hmac(self, iv: bytes, ciphertext: bytes) -> hmac.HMAC:
        signer = hmac.HMAC(self.keys.hmac_key, _DIGESTS[self.digest]())
        signer.update(iv)
        signer.update(ciphertext)
        return signer


def _read_sealed(outer: Answer) -> Sealed:
    """Return what an answer holds in place of the fields of its call. Raises _Damaged."""
    texts = [outer.get_text(name) for name in ("IV", "EncryptedData", "EncryptionSignature")]
    if not any(texts):
        raise _Damaged(NO_ENVELOPE)
    try:
        return Sealed(*(base64.b64decode(text or "", validate=True) for text in texts))
    except (binascii.Error, ValueError) as error:
        raise _Damaged(DAMAGED_ENVELOPE) from error


def _read_response(plaintext: bytes) -> Mapping[str, object]:
    """Return the fields of the answer inside. Raises _Damaged.

    The pages do not show whether they stand inside ``Response``, as in every other answer, or alone: both are taken.
    """
    try:
        document = json.loads(plaintext.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _Damaged(DAMAGED_ENVELOPE) from error
    response = document.get("Response", document) if isinstance(document, dict) else None
    if not isinstance(response, dict):
        raise _Damaged(DAMAGED_ENVELOPE)
    return response


def _dump_response(outer: Answer, response: Mapping[str, object]) -> bytes:
    """Return an answer as the call inside would have got it, with what only the envelope's answer gives."""
    of_envelope = {
        name: outer.fields[name] for name in ("RequestId", "DeprecatedWarning") if name in outer.fields
    }
    return dump_json({"Response": {**of_envelope, **response}})


def _name_iv(iv: bytes) -> str:
    """Return an IV as an entry next to RequestIds: no two envelopes have the same one."""
    return f"iv {_encode(iv)}"


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
