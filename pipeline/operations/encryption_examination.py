"""Examines the encrypted transport: whether the service opens our envelopes and answers in ones that we can open."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pipeline.clock import Clock
from pipeline.config.sections import Encryption as Settings
from pipeline.config.settings import Config
from pipeline.domain.masking import mask_answer
from pipeline.domain.message import Message
from pipeline.domain.server_address import is_loopback
from pipeline.domain.service_codes import is_envelope_refused
from pipeline.esign.client import NoAnswer, NotSent
from pipeline.esign.contracts import build_liveness_check
from pipeline.esign.reply_faults import describe_reply_fault
from pipeline.esign.responses import Reply
from pipeline.esign.signing import CredentialsSource
from pipeline.messages.catalogue import make_message
from pipeline.operations.findings import Finding, make_fault_finding, make_ok_finding
from pipeline.workflow.stage_settings import build_agent, build_client, get_product

if TYPE_CHECKING:
    from pipeline.esign.encryption import Encryption

EXIT = 4  # a rerun cannot help
_OTHER_DIGEST: dict[str, Literal["sha256", "sm3"]] = {"sm3": "sha256", "sha256": "sm3"}


def set_encryption(config: Config, settings: Settings) -> Config:
    """Return a configuration with other settings of the encrypted transport."""
    return config.model_copy(update={"api": config.api.model_copy(update={"encryption": settings})})


def is_envelope_at_fault(reply: Reply) -> bool:
    """Return whether an envelope was refused, or its answer could not be opened."""
    code = reply.answer.code if reply.answer is not None else None
    return reply.envelope_fault is not None or is_envelope_refused(code or "")


async def examine_encryption(
    reply: Reply, config: Config, credentials: CredentialsSource, encryption: Encryption, clock: Clock
) -> Finding:
    """Judge the answer to an encrypted call that changes nothing; where it failed, try the other digest of SM4 once."""
    detail = {
        "cipher": f"{encryption.cipher.upper()}-CBC",
        "digest": f"HMAC-{encryption.digest.upper()}",
        "source": encryption.keys.source,
    }
    if reply.envelope_ids:
        return make_ok_finding("encryption", "encryption", **detail)
    if not is_envelope_at_fault(reply):  # refused by the gateway, which `credentials` reports
        return Finding("encryption", "note", make_message("doctor.encryption_untried", **detail))
    is_sandbox = is_loopback(urlsplit(config.api.endpoint).hostname or "")
    remedy = "encryption.sandbox" if is_sandbox else "encryption.remedy"
    if encryption.cipher == "sm4" and await _is_other_digest_taken(config, credentials, encryption, clock):
        remedy = "encryption.other_digest"
    return make_fault_finding(
        "encryption",
        "encryption_refused",
        remedy,
        exit_code=EXIT,
        why=_describe_fault(reply),
        other=_OTHER_DIGEST[encryption.digest],
        **detail,
    )


def _describe_fault(reply: Reply) -> Message | str:
    if reply.answer is None:
        return describe_reply_fault(reply)
    return f"{reply.answer.code}: {mask_answer(reply.answer.message or '')}"


async def _is_other_digest_taken(
    config: Config, credentials: CredentialsSource, encryption: Encryption, clock: Clock
) -> bool:
    """Return whether the service answers a call that is signed with the other digest: Tencent's pages name both."""

    async def send_at_once(_: Callable[[], bool]) -> None:
        """Wait for nothing: this is the only call."""

    settings = Settings(algorithm="sm4", hmac=_OTHER_DIGEST[encryption.digest])
    async with build_client(set_encryption(config, settings), credentials, clock) as client:
        body = build_liveness_check(build_agent(config))
        try:
            reply = await client.call(
                get_product(config).organization_seals,
                body,
                trace_id=str(uuid.uuid4()),
                before_send=send_at_once,
            )
        except (NotSent, NoAnswer):
            return False
    return bool(reply.envelope_ids)
