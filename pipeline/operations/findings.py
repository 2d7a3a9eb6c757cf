"""Findings of `doctor`: a line each, with what to do and the exit code of a fault."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pipeline.domain.message import Message
from pipeline.errors import EsignImportError
from pipeline.messages.catalogue import make_message

Level = Literal["ok", "note", "warning", "fault"]  # note: a limit of what the program can see


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    topic: str
    level: Level
    text: Message
    remedy: Message | None = None
    exit: int = 0  # of a fault
    error: Exception | None = None  # a program error, whose traceback `-v` shows


def compute_worst_exit(findings: Iterable[Finding]) -> int:
    """Return the exit code of the most severe fault, 0 where there is none."""
    codes = {finding.exit for finding in findings if finding.level == "fault"}
    return next((code for code in (4, 74, 5, 2, 1) if code in codes), 0)


def make_ok_finding(topic: str, key: str, /, **detail: object) -> Finding:
    """Return a line of the catalogue that is in order."""
    return Finding(topic, "ok", make_message(f"doctor.{key}", **detail))


def make_fault_finding(
    topic: str, key: str, remedy: str, /, *, exit_code: int = 0, **detail: object
) -> Finding:
    """Return a fault, or a warning where there is no exit code, with what to do about it."""
    text, cure = (make_message(f"doctor.{name}", **detail) for name in (key, remedy))
    return Finding(topic, "fault" if exit_code else "warning", text, cure, exit_code)


def report_error(topic: str, error: EsignImportError, level: Level = "fault") -> Finding:
    """Return a finding of an error whose sentence names what to do."""
    return Finding(topic, level, error.as_message(), None, error.exit_code if level == "fault" else 0)
