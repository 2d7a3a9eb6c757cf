"""Examines both hosts of the service, this clock and the credentials: with a call each that changes nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.masking import mask_answer
from pipeline.domain.message import Message
from pipeline.domain.server_address import is_loopback
from pipeline.domain.service_codes import get_listed_meaning, get_upload_meaning
from pipeline.errors import CredentialsMissing, UsageError, reason_of
from pipeline.esign.client import Client, NoAnswer, NotSent
from pipeline.esign.contracts import build_liveness_check
from pipeline.esign.reply_faults import describe_reply_fault
from pipeline.esign.responses import Reply
from pipeline.esign.signing import Credentials, CredentialsSource
from pipeline.messages.catalogue import make_message
from pipeline.messages.service_errors import make_network_cure
from pipeline.operations.findings import Finding, make_fault_finding, make_ok_finding, report_error
from pipeline.reports.explanations import describe_refused_call
from pipeline.workflow.stage_settings import (
    build_agent,
    build_client,
    describe_keys,
    get_contract,
    get_credentials_places,
)

SKEWED, VERY_SKEWED = 30.0, 300.0  # seconds between this clock and the service's: warn, fault
NETWORK_EXIT, CREDENTIALS_EXIT = 5, 4
# what a host answers to an upload where it is not the file host
_OF_ANOTHER_HOST = frozenset({"InvalidAction", "UnsupportedOperation", "NoSuchVersion"})
_PASSING = ("throttle", "unknown")  # meanings of a refusal that may be another one soon
PROXY_SECONDS = 5.0  # to wait for a proxy that only the environment names
_OF_KEYS = frozenset({"credentials", "permission"})  # meanings


def examine_service(config: Config, clock: Clock) -> Iterator[Finding]:
    """Examine both hosts, this clock and the credentials with one call each that changes nothing."""
    credentials: CredentialsSource | None = None
    try:
        credentials = get_credentials_places(config).find()
        yield from _judge_source(config, credentials)
    except CredentialsMissing as error:
        yield _report_missing_keys(error)
    try:
        yield from asyncio.run(_ask_hosts(config, credentials, clock))
    except (OSError, UsageError):  # of the file of certificates, which has its finding
        why = make_message("doctor.not_asked")
        yield make_fault_finding(
            "network", "network", "network.no_call", exit_code=2, host=config.api.endpoint, why=why
        )


def examine_keys(config: Config) -> Iterator[Finding]:
    """Look for the credentials, without a call."""
    try:
        yield from _judge_source(config, get_credentials_places(config).find())
    except CredentialsMissing as error:
        yield _report_missing_keys(error)


def _report_missing_keys(error: CredentialsMissing) -> Finding:
    """Return the finding of keys that were not found, with what to do apart; those of a role have their own sentence."""
    cure = error.detail.get("cure")
    if not isinstance(cure, Message):
        return report_error("credentials", error)
    text = make_message("doctor.no_keys", places=error.detail["places"])
    return Finding("credentials", "fault", text, cure, error.exit_code)


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
        findings.append(_report_missing_keys(error))
        credentials = None
    keys = credentials or Credentials(
        "AKIDnone", "none", source=""
    )  # a refusal of them shows that the host answers
    contract = get_contract(config)
    product = contract.product
    async with build_client(config, keys, clock) as client:
        body = build_liveness_check(build_agent(config))
        reply = first = await _ask_host(client, product.organization_seals, body, config, findings)
        if first is not None and first.skew is not None and abs(first.skew) >= SKEWED:
            client.clock_offset = first.skew  # as a run does
            reply = await _ask_host(client, product.organization_seals, body, config, findings)
        if first is not None and not _is_of_cache(client, first):
            findings += _judge_clock(first)
        judged = None if config.api.placeholders else credentials
        if reply is not None and judged is not None:
            host = urlsplit(config.api.endpoint).hostname or ""
            findings += _judge_answer(reply, product.organization_seals, describe_keys(config, judged), host)
        is_same_host = client.host_of(product.upload) == client.host_of(product.organization_seals)
        if contract.needs_upload and (reply is not None or not is_same_host):
            upload = await _ask_host(
                client, product.upload, b"{}", config, findings
            )  # no file: nothing is stored
            if upload is not None and judged is not None:
                keys_used = describe_keys(config, judged)
                findings += _judge_upload(upload, reply, client, keys_used)
    return findings


def _is_of_cache(client: Client, reply: Reply) -> bool:
    """Return whether another call got the same answer: its Date is then that of an earlier moment."""
    return reply.content is not None and client.answers.is_of_two_calls(reply.content.request_id)


async def _ask_host(
    client: Client, action: str, body: bytes, config: Config, findings: list[Finding]
) -> Reply | None:
    """Send one call and return the service's answer, None where none came; add the finding."""
    host = client.host_of(action)
    reply: Reply | None = None
    try:
        received = await client.call(action, body)
    except (NotSent, NoAnswer) as error:
        finding = _report_silence(error.args[0], client.host_at_fault(action, error), config)
    else:
        if received.answer is not None and received.is_from_service:
            reply = received
            key = "network.by_proxy" if config.api.proxy else "network.ok"
            finding = make_ok_finding("network", key, host=host)
            if received.content is not None and received.content.deprecation:
                message = mask_answer(received.content.deprecation)
                findings.append(
                    make_fault_finding(
                        "network", "deprecated_now", "deprecated.remedy", action=action, message=message
                    )
                )
        else:
            finding = _report_silence(describe_reply_fault(received), host, config)
    if finding not in findings:  # both hosts may be one, or reached by one proxy
        findings.append(finding)
    return reply


def _report_silence(why: Message, host: str, config: Config) -> Finding:
    """Return the finding of a host that gave no answer of the service, with the cure of its cause."""
    text = make_message("doctor.network", host=host, why=why)
    cure = make_network_cure(why, host)
    if why.key in {"wire.no_connection", "wire.no_host"}:
        if config.api.proxy is not None:
            proxy = urlsplit(config.api.proxy).netloc.rpartition("@")[2]
            cure = make_message("cure.proxy_status", host=proxy)
        elif (machine_proxy := _get_machine_proxy(config.api.endpoint)) is not None:
            failure = _try_proxy(machine_proxy)
            key = "cure.machine_proxy_silent" if failure else "cure.machine_proxy"
            cure = make_message(key, proxy=machine_proxy, why=failure)
    return Finding("network", "fault", text, cure, NETWORK_EXIT)


def _get_machine_proxy(endpoint: str) -> str | None:
    """Return the proxy that other programs of this machine use for the service, without its password; None without one."""
    address = urlsplit(endpoint)
    proxies: Mapping[str, str] = getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    host = address.hostname or ""
    if not proxy or is_loopback(host) or proxy_bypass(host):
        return None
    scheme, separator, rest = proxy.rpartition("://")
    return f"{scheme or 'http'}{separator or '://'}{rest.rpartition('@')[2]}"


def _try_proxy(proxy: str) -> Message | str:
    """Return why no connection to a proxy opens, empty where one does."""
    address = urlsplit(proxy)
    try:
        socket.create_connection((address.hostname or "", address.port or 80), PROXY_SECONDS).close()
    except (socket.gaierror, ValueError):  # no such host, or no such port
        return make_message("wire.no_host")
    except OSError as error:
        return reason_of(error)
    return ""


def _judge_clock(reply: Reply) -> Iterator[Finding]:
    """Compare this clock with the service's Date: a signature is valid for five minutes."""
    if reply.skew is None or not reply.is_from_service:
        return
    seconds = abs(reply.skew)
    if seconds < SKEWED:
        key = "clock.ok" if round(seconds) else "clock.same"
        yield make_ok_finding("clock", key, n=round(seconds))
        return
    key = "clock.behind" if reply.skew > 0 else "clock.ahead"
    exit_code = 0 if seconds < VERY_SKEWED else CREDENTIALS_EXIT
    yield make_fault_finding("clock", key, "clock.remedy", exit_code=exit_code, seconds=round(seconds))


def _judge_answer(reply: Reply, action: str, keys: Mapping[str, str], host: str) -> Iterator[Finding]:
    """Judge the answer to a signed call that changes nothing."""
    answer = reply.answer
    if answer is None:
        return  # reported as the host's
    if answer.code is None:
        yield make_ok_finding("credentials", "accepted_by_sandbox" if is_loopback(host) else "accepted")
    else:
        yield _report_refusal(reply, action, "doctor.refused", keys)


def _judge_upload(
    upload: Reply, reply: Reply | None, client: Client, keys: Mapping[str, str]
) -> Iterator[Finding]:
    """Judge the answer to an upload without a file: which host answers, and whether the keys may upload.

    ``reply`` is that of the other host; what it refused for the same reason is reported once.
    """
    action = client.product.upload
    code = (upload.answer and upload.answer.code) or ""
    if code in _OF_ANOTHER_HOST:
        yield make_fault_finding(
            "network",
            "file_host",
            "file_host.remedy",
            exit_code=NETWORK_EXIT,
            host=client.host_of(action),
            code=code,
        )
    elif get_upload_meaning(code, "") in _OF_KEYS and (
        reply is None or reply.answer is None or reply.answer.code != code
    ):
        yield _report_refusal(upload, action, "doctor.upload_refused", keys)


def _report_refusal(reply: Reply, action: str, key: str, keys: Mapping[str, str]) -> Finding:
    """Return the finding of a call that the service refused, with the service's own words."""
    answer = reply.answer
    assert answer is not None
    assert answer.code is not None
    message = mask_answer(answer.message or "")
    if get_listed_meaning(answer.code) in {None, *_PASSING}:
        text = make_message(key, why=f"{answer.code}: {message}")
        remedy = make_message("doctor.refused.remedy", request_id=answer.request_id)
        return Finding("credentials", "fault", text, remedy, NETWORK_EXIT)
    why = describe_refused_call(answer.code, keys, action, message)
    return Finding("credentials", "fault", make_message(key, why=why), None, CREDENTIALS_EXIT)
