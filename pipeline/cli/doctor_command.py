"""`doctor`: what is wrong with this installation, and what to do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Session
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.operations.findings import Finding


@click.command()
@click.pass_obj
def doctor(session: Session) -> int:
    """Examine configuration, rights, disk, network, credentials, ledger and timer; change nothing.

    Each line is ok, or has what to do. The exit code is that of the worst fault: 4 credentials, 74 ledger or disk,
    5 network, 2 configuration; 0 where there are only warnings.
    """
    from pipeline.operations.doctor import examine_installation
    from pipeline.operations.findings import find_worst_exit, report_config_error

    findings: list[Finding] = []
    try:
        config = session.require_config()
    except ConfigError as error:
        findings.append(report_config_error(error))
        _print_finding(session, findings[0])
    else:
        for finding in examine_installation(config, session.config_name, session.clock, os.environ):
            findings.append(finding)
            _print_finding(session, finding)
    exit_code = find_worst_exit(findings)
    session.print_json(exit=exit_code, findings=[_as_dict(finding, session.spoken) for finding in findings])
    counts = [sum(finding.level == level for finding in findings) for level in ("fault", "warning")]
    session.inform("doctor.sum", faults=counts[0], warnings=counts[1])
    return exit_code


def _print_finding(session: Session, finding: Finding) -> None:
    topic = session.render_sentence(f"doctor.topic.{finding.topic}")
    text = finding.text.render(session.spoken)
    if finding.level != "ok" or not session.quiet:
        session.print_text(f"doctor.line.{finding.level}", topic=topic, text=text)
        if finding.remedy is not None:
            session.print_text("doctor.line.remedy", text=finding.remedy.render(session.spoken))


def _as_dict(finding: Finding, language: str) -> dict[str, str | None]:
    return {
        "topic": finding.topic,
        "level": finding.level,
        "text": finding.text.render(language),
        "remedy": finding.remedy.render(language) if finding.remedy is not None else None,
    }
