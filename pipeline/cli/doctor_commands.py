"""`doctor`: what is wrong with this installation, and whether its messages arrive."""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Session
from pipeline.cli.hospitals import for_each_hospital
from pipeline.cli.streams import print_traceback
from pipeline.cli.terminal import Tone
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.operations.findings import Finding

LEVEL_TONES = {"ok": Tone.DONE, "warning": Tone.NEEDS_PERSON, "fault": Tone.FAULT}
INDENTS = {"zh": " " * 7, "en": " " * 10}  # of the further lines of a finding


@click.command()
@click.option("--offline", is_flag=True, help="Without the calls to the service.")
@click.option(
    "--send-test", is_flag=True, help="Also send a test message to every channel, and a ping to the monitor."
)
@click.pass_obj
@for_each_hospital()
def doctor(session: Session, *, offline: bool, send_test: bool) -> int:
    """Examine configuration, network, credentials, ledger and last run.

    It examines rights and disk as well, and changes nothing.

    Each line is ok, or has what to do. The exit code is that of the worst fault: 4 credentials, 74 ledger or disk,
    5 network, 2 configuration, 1 a program error; 0 where there are only warnings.
    """
    from pipeline.operations.doctor import examine_installation, send_test_messages
    from pipeline.operations.findings import compute_worst_exit, report_error

    findings: list[Finding] = []
    try:
        config = session.require_config()
    except ConfigError as error:
        findings.append(report_error("config", error))
        _print_finding(session, findings[0])
    else:
        examined = examine_installation(
            config, session.config_name, session.clock, os.environ, is_offline=offline
        )
        is_first = session.is_first  # the alarm is of all hospitals
        sent = (
            send_test_messages(config, os.environ, session.spoken, with_alarm=is_first) if send_test else ()
        )
        for finding in chain(examined, sent):
            findings.append(finding)
            _print_finding(session, finding)
    exit_code = compute_worst_exit(findings)
    session.print_json(exit=exit_code, findings=[_as_dict(finding, session.spoken) for finding in findings])
    faults = [finding for finding in findings if finding.level == "fault"]
    warnings = sum(finding.level == "warning" for finding in findings)
    session.inform("doctor.sum", faults=len(faults), warnings=warnings)
    if faults:
        given = {"--offline": offline, "--send-test": send_test}
        session.suggest_command("next_after", "doctor", *filter(given.get, given))
    else:
        session.suggest_command("next_check", "check")
    return exit_code


def _print_finding(session: Session, finding: Finding) -> None:
    topic = session.render_sentence(f"doctor.topic.{finding.topic}")
    if finding.level in {"warning", "fault"} or not session.quiet:
        text = finding.text.render(session.spoken).replace("\n", f"\n{INDENTS[session.spoken]}")
        session.print_text(
            f"doctor.line.{finding.level}", LEVEL_TONES.get(finding.level), topic=topic, text=text
        )
        if finding.remedy is not None:
            session.print_text("doctor.line.remedy", text=finding.remedy)
    if finding.error is not None and session.verbose:
        print_traceback(finding.error)


def _as_dict(finding: Finding, language: str) -> dict[str, str | None]:
    return {
        "topic": finding.topic,
        "level": finding.level,
        "text": finding.text.render(language),
        "remedy": finding.remedy.render(language) if finding.remedy is not None else None,
    }
