"""Examines both hosts of the service, this clock and the credentials: with a call each that changes nothing."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.errors import CredentialsMissing, UsageError, reason_of
from pipeline.esign.client import Client, NoAnswer, NotSent
from pipeline.esign.contracts import LIVENESS_CHECK, UPLOAD, build_liveness_check
from pipeline.esign.responses import Reply
from pipeline.esign.signing import Credentials, CredentialsSource
from pipeline.ledger.tenant import is_loopback
from pipeline.messages.catalogue import make_message
from pipeline.operations.findings import Finding, make_fault_finding, make_ok_finding, report_error
from pipeline.reports.explanations import describe_failure
from pipeline.workflow.run_request import make_credentials_getter
from pipeline.workflow.stage_settings import build_agent, build_client

SKEWED, VERY_SKEWED = 30.0, 300.0  # seconds between this clock and the service's: warn, fault


def examine_service(config: Config, clock: Clock) -> Iterator[Finding]:
    """Examine both hosts, this clock and the credentials with one call each that changes nothing."""
    credentials: CredentialsSource | None = None
    try:
        credentials = make_credentials_getter(config, clock)()
        yield from _judge_source(config, credentials)
    except CredentialsMissing as error:
        yield report_error("credentials", error)
    try:
        yield from asyncio.run(_ask_hosts(config, credentials, clock))
    except (OSError, UsageError) as error:  # of the file of certificates, which has its finding
        why = reason_of(error)
        yield make_fault_finding(
            "network", "network", "network.no_call", exit_code=2, host=config.api.endpoint, why=why
        )


def _judge_source(config: Config, credentials: CredentialsSource) -> Iterator[Finding]:
    """Name the source of keys; warn of those that expire without a renewal, and of a role that they come before."""
    if not isinstance(credentials, Credentials):
        return  # a role is named once it has given keys
    source = credentials.source
    yield make_ok_finding("credentials", "credentials", source=source)
    if credentials.token:
        yield make_fault_finding("credentials", "temporary", "temporary.remedy", source=source)
    if (role := config.credentials.role) is not None:
        yield make_fault_finding("credentials", "role_unused", "role_unused.remedy", role=role, source=source)


async def _ask_hosts(config: Config, credentials: CredentialsSource | None, clock: Clock) -> list[Finding]:
    findings: list[Finding] = []
    try:
        if credentials is not None and not isinstance(credentials, Credentials):
            await credentials.get_current()
            findings.append(make_ok_finding("credentials", "credentials", source=credentials.source))
    except CredentialsMissing as error:  # a role's
        findings.append(report_error("credentials", error))
        credentials = None
    keys = credentials or Credentials(
        "AKIDnone", "none", source=""
    )  # a refusal of them shows that the host answers
    async with build_client(config, keys, clock) as client:
        body = build_liveness_check(build_agent(config))
        reply = await _ask_host(client, LIVENESS_CHECK, body, config, findings)
        if reply is not None:
            findings += _judge_clock(reply)
            if reply.skew is not None and abs(reply.skew) >= SKEWED:
                client.clock_offset = reply.skew  # as a run does
                reply = await _ask_host(client, LIVENESS_CHECK, body, config, findings)
        if reply is not None and credentials is not None and not config.api.placeholders:
            findings += _judge_answer(reply, credentials)
        if config.api.contract == "file_id":
            await _ask_host(client, UPLOAD, b"{}", config, findings)  # it holds no file, so nothing is stored
    return findings


async def _ask_host(
    client: Client, action: str, body: bytes, config: Config, findings: list[Finding]
) -> Reply | None:
    """Send one call; add whether the host answered."""

    async def send_at_once(_: Callable[[], bool]) -> None:
        """Wait for nothing: this is the only call."""

    host = client.host_of(action)
    try:
        reply = await client.call(action, body, trace_id=str(uuid.uuid4()), before_send=send_at_once)
    except (NotSent, NoAnswer) as error:
        remedy = "network.remedy"
        if isinstance(error, NotSent) and error.is_of_proxy:
            remedy = "network.proxy"
        elif is_loopback(host.partition(":")[0]):
            remedy = "network.sandbox"
        at_fault = client.host_at_fault(action, error)
        findings.append(
            make_fault_finding("network", "network", remedy, exit_code=5, host=at_fault, why=error.args[0])
        )
        return None
    key = "network.by_proxy" if config.api.proxy else "network.ok"
    finding = make_ok_finding("network", key, host=host)
    if finding not in findings:  # both hosts may be one
        findings.append(finding)
    return reply


def _judge_clock(reply: Reply) -> Iterator[Finding]:
    """Compare this clock with the service's Date: a signature is valid for five minutes."""
    if reply.skew is None:
        return
    seconds = abs(reply.skew)
    if seconds < SKEWED:
        yield make_ok_finding("clock", "clock.ok", seconds=round(seconds))
        return
    key = "clock.behind" if reply.skew > 0 else "clock.ahead"
    exit_code = 0 if seconds < VERY_SKEWED else 4
    yield make_fault_finding("clock", key, "clock.remedy", exit_code=exit_code, seconds=round(seconds))


def _judge_answer(reply: Reply, credentials: CredentialsSource) -> Iterator[Finding]:
    """Judge the answer to a signed call that changes nothing."""
    answer = reply.answer
    if answer is None:
        yield make_fault_finding(
            "credentials", "no_answer", "network.remedy", exit_code=5, status=reply.status
        )
    elif answer.code is None:
        yield make_ok_finding("credentials", "accepted")
    else:
        why = describe_failure(answer.code, credentials.source, LIVENESS_CHECK)
        yield Finding("credentials", "fault", make_message("doctor.refused", why=why), None, 4)
