"""`--profile` and `--all`: a command for one hospital of config.yaml, or for several, one after the other.

A run uses up the quota: side by side, hospitals would not end earlier.
A fault of one hospital keeps no other from its turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import reduce, wraps
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.context import DEFAULT_CONFIG, Session, SeveralHospitals
from pipeline.domain.message import Message
from pipeline.domain.run import SIGNALLED, more_severe_exit
from pipeline.errors import ConfigError, UsageError
from pipeline.messages.catalogue import join_messages, make_message

if TYPE_CHECKING:
    pass

Command = Callable[..., int]
ReportError = Callable[[Session, BaseException], int]
# the hospitals of these are arguments; they may have no run of their own yet
CHANGING_JOBS = frozenset({"hosts cancel", "hosts pause", "hosts resume"})
FOR_NAMED = CHANGING_JOBS | {"enqueue"}
WITHOUT_HOSPITAL = FOR_NAMED | frozenset(
    {
        "demo",
        "hosts rotate-secret",
        "hosts status",
        "init",
        "sandbox",
        "worker",
    }
)
FOR_SEVERAL = frozenset(
    {
        "run",
        "check",
        "status",
        "doctor",
        "export",
        "ledger check",
        "purge",
    }
)
AT_ONCE = frozenset({"schedule print", "schedule install", "serve"})  # one call for all that are chosen
# options and arguments that mean something of one hospital
OF_ONE_HOSPITAL = frozenset({"rosters", "seals", "out", "accept_guards", "run_id", "person"})
MAX_LISTED = 10  # hospitals; of more only those that did not end with 0


def add_profiles(command: click.Command, report_error: ReportError) -> None:
    """Let a command work for the hospitals that are chosen."""
    callback: Command | None = command.callback
    if callback is None or isinstance(command, click.Group):
        return

    @wraps(callback)
    def run_for_hospitals(*arguments: Any, **options: Any) -> int:
        context = click.get_current_context()
        session: Session = context.obj
        name = " ".join(context.command_path.split()[1:])
        if name in WITHOUT_HOSPITAL:
            return callback(*arguments, **options)
        profiles = choose_hospitals(session, name)
        session.hospitals = profiles
        if len(profiles) == 1 or name in AT_ONCE:
            session.profile = profiles[0] if len(profiles) == 1 else None
            _use_language(session)
            return callback(*arguments, **options)
        _require_several(command, name, options)
        several = SeveralHospitals(_get_lowest_limit(session, profiles))
        codes: dict[str, int] = {}
        with several.resources:
            for profile in profiles:
                context.obj = hospital = session.begin_hospital(profile, several)
                try:
                    _use_language(hospital)
                    codes[hospital.hospital] = callback(*arguments, **options)
                except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the others still have their turn
                    codes[hospital.hospital] = report_error(hospital, error)
                if codes[hospital.hospital] > SIGNALLED:
                    break
        return _report_all(session, codes, len(profiles))

    command.callback = run_for_hospitals


def choose_hospitals(session: Session, command: str, names: Sequence[str] = ()) -> Sequence[str | None]:
    """Return the chosen profiles, ``names`` among them; None is the top level.

    Raises UsageError where the choice is missing or cannot be met.
    """
    chosen = tuple(dict.fromkeys([*names, *session.profiles]))
    if chosen and session.all_profiles:
        raise UsageError("profiles.both_named" if command in FOR_NAMED else "profiles.both")
    if not session.config_path and not DEFAULT_CONFIG.exists():
        if chosen or session.all_profiles:
            session.require_config()
        return [None]
    try:
        file = session.open_config_file(session.config_name)
    except ConfigError:
        return [None]  # the command reports it
    for name in chosen:
        file.require_profile(name)
    hospitals = file.list_hospitals()
    if session.all_profiles and not file.names and command not in FOR_NAMED:
        raise UsageError("profiles.none", path=session.config_name)
    if chosen:
        return chosen
    if session.all_profiles:
        return hospitals
    if None not in hospitals:
        key = "profiles.name" if command in CHANGING_JOBS else "profiles.choose"
        raise UsageError(key, path=session.config_name, known=file.describe_names())
    return [None]


def _use_language(session: Session) -> None:
    """Take the language of the profile, unless one is given on the command line."""
    if session.profile is not None and not session.lang_given:
        with suppress(ConfigError):  # the command reports it
            config = session.read_config_if_any()
            session.lang = (config.language if config else None) or session.lang


def _get_lowest_limit(session: Session, profiles: Sequence[str | None]) -> float:
    """Return the smallest limit of calls that is configured for one of the hospitals; it counts from the first run on."""
    file, limits = session.open_config_file(session.config_name), []
    for profile in profiles:
        with suppress(ConfigError):  # its turn reports it
            limits.append(file.load(profile).limits.requests_per_second)
    return min(limits, default=math.inf)


def _require_several(command: click.Command, name: str, options: Mapping[str, Any]) -> None:
    """Raise UsageError for a command, or an option of it, that is for one hospital."""
    if name not in FOR_SEVERAL:
        raise UsageError("profiles.one_command", command=name)
    for parameter in command.params:
        value = options.get(parameter.name or "")
        is_csv = value == "csv" and "--csv" in parameter.opts
        if (parameter.name in OF_ONE_HOSPITAL and value) or is_csv:
            shown = parameter.opts[-1] if isinstance(parameter, click.Option) else "ROSTER"
            raise UsageError("profiles.one_option", option=shown)


def _report_all(session: Session, codes: Mapping[str, int], count: int) -> int:
    """Print how each hospital ended, and return the most severe exit code."""
    listed = codes if len(codes) <= MAX_LISTED else {name: code for name, code in codes.items() if code}
    parts: list[Message] = [
        make_message("profiles.exit", name=name, exit=code) for name, code in listed.items()
    ]
    if others := len(codes) - len(listed):
        parts.append(make_message("profiles.others", n=others))
    worst = reduce(more_severe_exit, codes.values())
    session.inform("profiles.sum", codes=join_messages(parts), exit=worst)
    if skipped := count - len(codes):
        session.alert("profiles.skipped", n=skipped)
    return worst
