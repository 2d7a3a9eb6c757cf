"""`doctor` and `notify test`: what is wrong with this installation, and whether its messages arrive."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from pipeline.cli.context import Session
from pipeline.cli.help import CommandGroup
from pipeline.cli.streams import print_traceback
from pipeline.domain.message import Message
from pipeline.errors import ConfigError, UsageError
from pipeline.messages.catalogue import make_finished_message

if TYPE_CHECKING:
    from pipeline.operations.findings import Finding

UNDELIVERED = 5  # exit code
INDENTS = {"zh": " " * 7, "en": " " * 10}  # of the further lines of a finding


@click.command()
@click.pass_obj
def doctor(session: Session) -> int:
    """Examine configuration, network, credentials, ledger and last run.

    It examines rights and disk as well, and changes nothing.

    Each line is ok, or has what to do. The exit code is that of the worst fault: 4 credentials, 74 ledger or disk,
    5 network, 2 configuration, 1 a program error; 0 where there are only warnings.
    """
    from pipeline.operations.doctor import examine_installation
    from pipeline.operations.findings import compute_worst_exit, report_error

    findings: list[Finding] = []
    try:
        config = session.require_config()
    except ConfigError as error:
        findings.append(report_error("config", error))
        _print_finding(session, findings[0])
    else:
        for finding in examine_installation(config, session.config_name, session.clock, os.environ):
            findings.append(finding)
            _print_finding(session, finding)
    exit_code = compute_worst_exit(findings)
    session.print_json(exit=exit_code, findings=[_as_dict(finding, session.spoken) for finding in findings])
    faults = [finding for finding in findings if finding.level == "fault"]
    warnings = sum(finding.level == "warning" for finding in findings)
    session.inform("doctor.sum", faults=len(faults), warnings=warnings)
    if faults and all(finding.needs_sandbox for finding in faults):
        session.suggest_command("next.other_sandbox", "sandbox")
    elif faults:
        session.suggest_same_command("next_after")
    else:
        session.suggest_command("next_check", "check")
    return exit_code


def _print_finding(session: Session, finding: Finding) -> None:
    topic = session.render_sentence(f"doctor.topic.{finding.topic}")
    if finding.level in {"warning", "fault"} or not session.quiet:
        session.print_text(f"doctor.line.{finding.level}", topic=topic, text=_indent_lines(finding.text))
        if finding.remedy is not None:
            session.print_text("doctor.line.remedy", text=finding.remedy)
    if finding.error is not None and session.verbose:
        print_traceback(finding.error)


def _indent_lines(text: Message) -> Message:
    """Return the text of a finding with its further lines below the first."""
    zh, en = (text.render(language).replace("\n", f"\n{INDENTS[language]}") for language in ("zh", "en"))
    return make_finished_message(text.key, zh, en) if "\n" in zh else text


def _as_dict(finding: Finding, language: str) -> dict[str, str | None]:
    return {
        "topic": finding.topic,
        "level": finding.level,
        "text": finding.text.render(language),
        "remedy": finding.remedy.render(language) if finding.remedy is not None else None,
    }


@click.group("notify", cls=CommandGroup)
def notify_group() -> None:
    """Send notifications."""


@notify_group.command()
@click.pass_obj
def test(session: Session) -> int:
    """Send a test message to every channel and a ping to the monitor.

    Also to the channels of the alarm over all hospitals. Exit code 5 where one of them did not take it.
    """
    from pipeline.ledger.tenant import get_service_environment
    from pipeline.operations.hospitals_alarm import URLS_FILE as ALARM_URLS_FILE
    from pipeline.operations.hospitals_alarm import read_alarm_channels
    from pipeline.operations.notify import (
        PING_FILE,
        URLS_FILE,
        explain_undelivered,
        name_channel,
        read_channels,
        read_ping_url,
        send_ping,
    )

    config = session.require_config()
    channels = [("notify.urls", channel) for channel in read_channels(config, os.environ)]
    if session.profile == session.hospitals[0]:  # the alarm is of all hospitals: the first one tries it
        channels += [("workers.alarm_urls", channel) for channel in read_alarm_channels(config, os.environ)]
    ping_url = read_ping_url(config, os.environ)
    if not channels and ping_url is None:
        raise UsageError("notify.none", file=URLS_FILE, then=("notify", "test"))
    name = config.notify.name or session.render_sentence(
        f"environment.{get_service_environment(config.api.endpoint)}"
    )
    title = session.render_sentence("notify.title.test", name=name)
    body = session.render_sentence("notify.body.test")
    tried = [
        (key, name_channel(channel), explain_undelivered(channel, title, body)) for key, channel in channels
    ]
    if ping_url is not None:
        why = None
        try:
            send_ping(ping_url, body)
        except UsageError as error:
            why = error.as_message()
        monitor = session.render_sentence("notify.monitor", host=urlsplit(ping_url).netloc)
        tried.append(("notify.ping", monitor, why))
    for key, channel, why in tried:
        session.print_text("notify.failed" if why else "notify.sent", place=key, channel=channel, why=why)
    session.print_json(
        channels=[{"channel": channel, "key": key, "sent": not why} for key, channel, why in tried]
    )
    if not any(why for _, _, why in tried):
        return 0
    session.inform(
        "notify.places", config=session.config_name, urls=URLS_FILE, ping=PING_FILE, alarm=ALARM_URLS_FILE
    )
    session.suggest_same_command("next_after")
    return UNDELIVERED
