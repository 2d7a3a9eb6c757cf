"""`--profile` and `--all`: a command for several hospitals, one after the other.

A run uses up the quota: side by side, hospitals would not end earlier.
A fault of one hospital keeps no other from its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import reduce, wraps
from typing import Any

import click

from pipeline.cli.context import Session
from pipeline.cli.faults import report_error
from pipeline.domain.message import Message
from pipeline.domain.run import SIGNALLED, more_severe_exit
from pipeline.errors import UsageError
from pipeline.messages.catalogue import join_messages, make_message

Command = Callable[..., int]
MAX_LISTED = 10  # hospitals; of more only those that did not end with 0


def for_each_hospital(*of_one: str) -> Callable[[Command], Command]:
    """Let a command work for each hospital that is chosen; ``of_one`` are its options that mean something of one alone."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run_for_hospitals(session: Session, /, **options: Any) -> int:
            hospitals = session.begin_hospitals()
            if hospitals[0] is session:
                return command(session, **options)
            _require_none(of_one, options)
            require_separate(hospitals)
            codes: dict[str, int] = {}
            for hospital in hospitals:
                codes[hospital.profile or ""] = code = _run_command(command, hospital, options)
                if code > SIGNALLED:
                    break
            return _report_all(session, codes, len(hospitals))

        return run_for_hospitals

    return decorate


def _run_command(command: Command, hospital: Session, options: Mapping[str, Any]) -> int:
    try:
        return command(hospital, **options)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the others still have their turn
        return report_error(hospital, error)


def _require_none(of_one: Sequence[str], options: Mapping[str, Any]) -> None:
    """Raise UsageError for an option that is given and for one hospital alone."""
    for parameter in click.get_current_context().command.params:
        if parameter.name in of_one and options.get(parameter.name):
            shown = parameter.opts[-1] if isinstance(parameter, click.Option) else "ROSTER"
            raise UsageError("hospitals.one_option", option=shown)


def require_separate(hospitals: Sequence[Session]) -> None:
    """Raise UsageError where hospitals share what must be their own; one whose configuration has faults reports them itself."""
    from pipeline.config.separate_hospitals import require_separate_hospitals

    configs = {}
    for hospital in hospitals:
        with suppress(UsageError):
            configs[hospital.profile or ""] = hospital.require_config()
    require_separate_hospitals(configs)


def _report_all(session: Session, codes: Mapping[str, int], count: int) -> int:
    """Print how each hospital ended, and return the most severe exit code."""
    listed = codes if len(codes) <= MAX_LISTED else {name: code for name, code in codes.items() if code}
    parts: list[Message | str] = [f"{name} {code}" for name, code in listed.items()]
    if others := len(codes) - len(listed):
        parts.append(make_message("hospitals.others", n=others))
    worst = reduce(more_severe_exit, codes.values())
    session.inform("hospitals.sum", codes=join_messages(parts), exit=worst)
    if skipped := count - len(codes):
        session.alert("hospitals.skipped", n=skipped)
    return worst
