"""Examines an installation: configuration, rights, disk, console, network, credentials, ledger, last run, notifications.

Each examination yields findings and raises nothing: a fault of one leaves the others to be examined. A program error in one
is a finding as well.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.clock import Clock, shown, stamp
from pipeline.config.environment import get_language_of_locale, get_misread_name
from pipeline.config.named_paths import (
    is_usual_app_id,
    list_missing_ids,
    list_missing_paths,
    require_certificates,
)
from pipeline.config.settings import Config
from pipeline.domain.masking import mask_text
from pipeline.domain.message import Message
from pipeline.errors import DiskTrouble, EsignImportError, UsageError
from pipeline.esign.products import ESSBASIC
from pipeline.ledger.disk import require_local_disk, require_rights
from pipeline.ledger.maintenance import read_identity_if_any
from pipeline.ledger.records import RunRecord
from pipeline.ledger.sqlite_ledger import LedgerFile
from pipeline.ledger.tenant import get_service_environment
from pipeline.messages.catalogue import join_messages, make_message, render
from pipeline.operations.backup import KEPT_COPIES, list_copies
from pipeline.operations.findings import Finding, make_fault_finding, make_ok_finding, report_error
from pipeline.operations.hospitals_alarm import read_alarm_channels
from pipeline.operations.notify import (
    explain_undelivered,
    name_channel,
    read_channels,
    read_ping_url,
    send_ping,
)
from pipeline.operations.service_examination import examine_keys, examine_service
from pipeline.operations.shared_results import share
from pipeline.support.atomic_files import require_writable
from pipeline.support.rights import acting_user, get_unreadable
from pipeline.support.terminal_text import join, quote
from pipeline.version import __version__
from pipeline.workflow.hosts_factory import make_location
from pipeline.workflow.recorded_runs import list_recorded_runs, read_last_recorded_run, select_later_run
from pipeline.workflow.run_report import list_exposed_files
from pipeline.workflow.tenant_ledger import (
    check_ledger,
    explain_unshared_results,
    is_all_on_one_machine,
    open_ledger_for_check,
    read_other_user,
)

PROGRAM_ERROR = 1  # exit code
LOW_SPACE, NO_SPACE = 1 << 30, 100 << 20  # bytes that are free: warn, fault
OLD_RUN = 2 * 86_400  # seconds since the last run
SUCCESSES = frozenset({0, 3})  # exit codes of runs that came to their end
PACKAGES = ("aiohttp", "pillow", "pydantic", "xlsxwriter", "openpyxl", "pandas")


def examine_installation(
    config: Config, config_name: Path, clock: Clock, environment: Mapping[str, str], *, is_offline: bool
) -> Iterator[Finding]:
    """Yield the findings of every examination, in the order in which faults are best repaired."""
    examinations = {
        "config": lambda: examine_configuration(config, config_name),
        "paths": lambda: examine_paths(config, config_name),
        "space": lambda: examine_space(config),
        "console": lambda: examine_console(config, environment),
        "network": lambda: examine_keys(config) if is_offline else examine_service(config, clock),
        "ledger": lambda: chain(examine_ledger(config, clock), examine_places(config, clock)),
        "backup": lambda: examine_backup(config),
        "last_run": lambda: examine_last_run(config, clock),
        "notify": lambda: examine_notifications(config, environment),
        "versions": examine_versions,
    }
    for topic, examine in examinations.items():
        try:
            yield from examine()
        except Exception as error:  # noqa: BLE001 - the others go on
            kind = type(error).__name__
            broken = make_fault_finding(topic, "broken", "broken.remedy", exit_code=PROGRAM_ERROR, kind=kind)
            yield replace(broken, error=error)


def examine_configuration(config: Config, config_name: Path) -> Iterator[Finding]:
    """Examine ids, certificates and files that other users can read."""
    if config.api.placeholders:
        keys = list_missing_ids(config, config_name)
        yield Finding(
            "config", "fault", make_message("usage.placeholders", place=config_name, keys=keys), None, 2
        )
    else:
        yield make_ok_finding("config", "config", path=config_name.absolute(), tenant=config.tenant)
        is_platform = config.api.product == ESSBASIC.name
        environment = get_service_environment(config.api.endpoint)
        if is_platform and environment != "sandbox" and not is_usual_app_id(config.api.app_id):
            odd = make_message("config_odd_app_id", app_id=config.api.app_id)
            yield Finding("config", "warning", odd)
    try:
        require_certificates(config)
    except EsignImportError as error:
        yield report_error("config", error)
    except OSError as error:
        yield report_error("config", DiskTrouble.of(error))
    folder = config.secrets_dir and config.resolve_path(config.secrets_dir)
    secrets = [path for path in _list_entries(folder) if path.is_file()] if folder else []
    for notice in list_exposed_files(config, secrets):
        files = notice.detail["files"]
        command = join(["chmod", "600", *files.split(", ")])
        yield make_fault_finding("config", "exposed", "exposed.remedy", files=files, command=command)


def examine_paths(config: Config, config_name: Path) -> Iterator[Finding]:
    """Examine what is read and written, as the user who runs this."""
    user = acting_user()
    missing = set()
    backups = config.backup.folder and config.resolve_path(config.backup.folder)
    for path, text, is_needed in list_missing_paths(config, config_name):
        missing.add(path)
        if path == backups:
            continue  # `examine_backup` reports it
        yield Finding("paths", "fault" if is_needed else "warning", text, None, 2 if is_needed else 0)
    readable = [*map(config.resolve_path, config.roster), config.resolve_path(config.seals)]
    if config.secrets_dir is not None:
        readable.append(config.resolve_path(config.secrets_dir))
    for path in readable:
        if path in missing:
            continue
        if get_unreadable([path, *_list_entries(path)]) is not None:
            yield make_fault_finding(
                "paths", "unreadable", "unreadable.remedy", exit_code=2, path=path, user=user
            )
    if (error := _get_write_error(config)) is not None:
        yield report_error("paths", DiskTrouble.of(error))
        return
    yield make_ok_finding("paths", "paths", user=user, out=config.resolve_path(config.out))
    try:
        share([config.resolve_path(config.out)], config)
    except UsageError as fault:
        yield report_error("paths", fault, "warning")


def _get_write_error(config: Config) -> OSError | None:
    """Return the error of the first folder that a run writes and cannot; the ledger's where it lies in a file."""
    written = [config.resolve_path(config.out), config.work_folder]
    if not config.is_ledger_on_server:
        written.append(config.resolve_ledger_file().parent)
    for path in written:
        try:
            require_writable(path)
        except OSError as error:
            error.filename = str(path)
            return error
    return None


def _list_entries(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []


def examine_space(config: Config) -> Iterator[Finding]:
    """Examine the free space for results and ledger."""
    for path in (config.resolve_path(config.out), config.resolve_ledger_file()):
        folder = next(parent for parent in (path, *path.absolute().parents) if parent.is_dir())
        free = shutil.disk_usage(folder).free
        detail = {"folder": folder, "mb": free >> 20}
        if free >= LOW_SPACE:
            yield make_ok_finding("space", "space", **detail)
        else:
            exit_code = 0 if free >= NO_SPACE else 74
            yield make_fault_finding("space", "space", "space.remedy", exit_code=exit_code, **detail)


def examine_console(config: Config, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Examine locale, names of files, and whether the language follows from anything without a terminal."""
    encoding = sys.getfilesystemencoding()
    name = get_misread_name(config.resolve_path(config.seals))
    if name is not None:
        shown_name = mask_text(name)
        yield make_fault_finding(
            "console", "locale", "locale.remedy", exit_code=2, encoding=encoding, name=shown_name
        )
    else:
        yield make_ok_finding("console", "encoding", encoding=encoding, console=sys.stderr.encoding)
    if config.language is None and get_language_of_locale(environment) is None:
        yield make_fault_finding("console", "language", "language.remedy")


class _CollectedWarnings:
    """Keeps warnings for the list of findings."""

    def __init__(self) -> None:
        self.errors: list[EsignImportError] = []

    def print_warning(self, error: EsignImportError) -> None:
        self.errors.append(error)


def examine_ledger(config: Config, clock: Clock) -> Iterator[Finding]:
    """Examine disk, rights, owner, content and journals of the ledger, and whether a run holds it."""
    if config.api.placeholders:
        return  # its owner is not known yet
    path, warnings = config.name_ledger(), _CollectedWarnings()
    try:
        location = make_location(config)
        if not isinstance(location, LedgerFile):
            facts = location.examine_server(clock.now())
            seconds = round(facts.clock_ahead)
            yield make_ok_finding(
                "ledger",
                "server",
                path=path,
                schema=facts.schema,
                version=facts.version,
                commits=facts.synchronous_commit,
                seconds=seconds,
            )
        if not config.is_ledger_on_server:
            require_local_disk(config.resolve_ledger_file())
            # before SQLite opens it, which may remove a stale side file
            require_rights(config.resolve_ledger_file(), writing=True)
        with open_ledger_for_check(config, clock, warnings=warnings) as (ledger, *_):
            is_missing = ledger is None
        if is_missing:  # the first warning is why it cannot be made
            yield report_error("ledger", warnings.errors[0])
            return
        yield from (report_error("ledger", warning, "warning") for warning in warnings.errors)
        if location.hold.is_taken():
            holder = location.hold.get_holder()
            if holder is None:
                yield make_ok_finding("ledger", "locked", path=path)
            else:
                yield make_ok_finding("ledger", "held", path=path, **holder.list_details())
            return
        result = check_ledger(config, clock)
    except EsignImportError as error:
        cause = error.__cause__  # of a lost ledger why it cannot be made again
        yield report_error("ledger", cause if isinstance(cause, EsignImportError) else error)
    else:
        if result.defects:
            n = len(result.defects)
            yield make_fault_finding("ledger", "defects", "defects.remedy", exit_code=74, path=path, n=n)
        else:
            seals, unknown = result.counts.seals, result.counts.unresolved
            yield make_ok_finding("ledger", "ledger", path=path, seals=seals, unknown=unknown)


def examine_places(config: Config, clock: Clock) -> Iterator[Finding]:
    """Examine where the journals of the ledger lie."""
    if config.api.placeholders:
        return
    places = make_location(config).places
    with suppress(EsignImportError), open_ledger_for_check(config, clock) as (ledger, _, is_behind):
        if ledger is not None and not is_behind:
            yield make_ok_finding("ledger", "places", state=places.state, share=places.share)
    with suppress(EsignImportError):
        if (other := read_other_user(config, clock)) is not None:
            yield make_fault_finding(
                "ledger", "other_user", "other_user.remedy", user=other, state=places.state
            )
    with suppress(EsignImportError):
        if (unshared := explain_unshared_results(config)) is not None:
            yield report_error("ledger", unshared, "warning")
    if is_all_on_one_machine(config):
        text, remedy = (make_message(f"doctor.{key}") for key in ("one_machine", "one_machine.remedy"))
        yield Finding("ledger", "note", text, remedy)


def examine_backup(config: Config) -> Iterator[Finding]:
    """Examine whether the newest backup holds what the ledger holds; nothing where no folder is configured."""
    ledger = config.resolve_ledger_file()
    if config.backup.folder is None:
        return
    folder = config.resolve_path(config.backup.folder)
    if not folder.is_dir():
        yield report_error("backup", UsageError("backup.no_folder", path=folder), "warning")
    elif (own := read_identity_if_any(ledger)) is not None:
        newest = next(reversed(list_copies(folder, ledger)), None)
        if newest is None or read_identity_if_any(newest) != own:
            yield make_fault_finding(
                "backup",
                "backup.old",
                "backup.old.remedy",
                folder=folder,
                typed=quote(str(folder)),
                keep=KEPT_COPIES,
            )
        else:
            yield make_ok_finding("backup", "backup", path=newest)


def examine_last_run(config: Config, clock: Clock) -> Iterator[Finding]:
    """Examine how the last run ended, and how long ago; which calls the service announced to end in the last that made any."""
    if config.api.placeholders:
        return
    yield from _list_ending_actions(config)
    run = _get_last_run(config, clock)
    if run is None:
        yield make_ok_finding("last_run", "no_run")
        return
    if run.finished is None or run.exit is None:
        yield make_fault_finding("last_run", "run_cut", "run.remedy", run=run.run)
        return
    hours = round((clock.now() - run.finished) / 3600)
    detail: dict[str, Any] = {
        "run": run.run,
        "exit": run.exit,
        "hours": hours,
        "finished": shown(stamp(run.finished)),
    }
    if run.exit not in SUCCESSES:
        yield make_fault_finding("last_run", "run_failed", "run.remedy", **detail)
    elif clock.now() - run.finished > OLD_RUN:
        yield make_fault_finding("last_run", "run_old", "run_old.remedy", **detail)
    else:
        yield make_ok_finding("last_run", "run", **detail)


def _list_ending_actions(config: Config) -> Iterator[Finding]:
    """Yield what the service announced in the last run that made calls: a later one may have had nothing to send."""
    for run in list_recorded_runs(config.resolve_path(config.out), config.tenant):
        record = json.loads(run.record or "{}")
        if not record.get("requests"):
            continue
        for notice in record.get("notices", ()):
            if notice["code"] == "SERVICE_DEPRECATED":
                yield make_fault_finding(
                    "last_run", "deprecated", "deprecated.remedy", run=run.run, **notice["detail"]
                )
        return


def _get_last_run(config: Config, clock: Clock) -> RunRecord | None:
    last = None
    with suppress(EsignImportError), open_ledger_for_check(config, clock) as (ledger, *_):
        last = ledger.get_last_run() if ledger is not None else None
    return select_later_run(last, read_last_recorded_run(config.resolve_path(config.out), config.tenant))


def examine_notifications(config: Config, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Look for a channel or a monitor, and for apprise."""
    try:
        channels, has_monitor = (
            read_channels(config, environment),
            read_ping_url(config, environment) is not None,
        )
        names = [name_channel(channel) for channel in channels]
    except EsignImportError as error:
        yield report_error("notify", error, "warning")
        return
    if channels or has_monitor:
        monitor = [make_message("doctor.monitor")] if has_monitor else []
        yield make_ok_finding("notify", "notify", channels=join_messages([*names, *monitor]))
    else:
        yield make_fault_finding("notify", "no_notify", "no_notify.remedy")


def send_test_messages(
    config: Config, environment: Mapping[str, str], language: str, *, with_alarm: bool
) -> Iterator[Finding]:
    """Send a test message to every channel and a ping to the monitor; yield what became of each.

    ``with_alarm``: also to the channels of the alarm over all hospitals.
    """
    name = config.notify.name or render(
        f"environment.{get_service_environment(config.api.endpoint)}", language
    )
    title, body = render("notify.title.test", language, name=name), render("notify.body.test", language)
    tried: list[tuple[str, str, Message | None]] = []
    try:
        channels = [("notify.urls", channel) for channel in read_channels(config, environment)]
        if with_alarm:
            channels += [
                ("workers.alarm_urls", channel) for channel in read_alarm_channels(config, environment)
            ]
        for key, channel in channels:
            tried.append((key, name_channel(channel), explain_undelivered(channel, title, body)))
    except EsignImportError as error:
        yield report_error("notify", error)
    if (url := read_ping_url(config, environment)) is not None:
        tried.append(("notify.ping", urlsplit(url).netloc, _explain_lost_ping(url, body)))
    for key, channel, why in tried:
        detail = {"place": key, "channel": channel}
        if why is None:
            yield make_ok_finding("notify", "delivered", **detail)
        else:
            yield make_fault_finding(
                "notify", "not_delivered", "not_delivered.remedy", exit_code=5, why=why, **detail
            )


def _explain_lost_ping(url: str, body: str) -> Message | None:
    """Send a ping to a monitor; return why it did not take it, None where it did."""
    try:
        send_ping(url, body)
    except UsageError as error:
        return error.as_message()
    return None


def examine_versions() -> Iterator[Finding]:
    """Name the versions, for a report of a problem."""
    versions = {name: _get_version(name) for name in PACKAGES}
    yield make_ok_finding(
        "versions",
        "versions",
        program=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        packages=", ".join(f"{name} {number}" for name, number in versions.items()),
    )


def _get_version(package: str) -> str:
    with suppress(PackageNotFoundError):
        return version(package)
    return "-"  # a frozen program has no metadata
