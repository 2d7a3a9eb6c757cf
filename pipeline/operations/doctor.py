"""Examines an installation: configuration, rights, disk, console, network, credentials, ledger, last run, timer.

Each examination yields findings and raises nothing: a fault of one leaves the others to be examined.
"""

from __future__ import annotations

import asyncio
import platform
import shutil
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pipeline.clock import Clock, shown, stamp
from pipeline.config.environment import find_language_of_locale, find_misread_name
from pipeline.config.named_paths import find_missing_paths, find_near_path, require_certificates
from pipeline.config.settings import Config, list_missing_ids
from pipeline.domain.masking import mask_text
from pipeline.errors import CredentialsMissing, DiskTrouble, EsignImportError, UsageError, reason_of
from pipeline.esign.client import Client, NoAnswer, NotSent
from pipeline.esign.contracts import LIVENESS_CHECK, UPLOAD, build_liveness_check
from pipeline.esign.responses import Reply, parse_answer
from pipeline.esign.signing import Credentials
from pipeline.ledger.disk import require_local_disk, require_rights
from pipeline.ledger.lock import is_locked
from pipeline.ledger.maintenance import check_ledger
from pipeline.ledger.protocol import RunRecord
from pipeline.ledger.tenant import is_loopback
from pipeline.messages.catalogue import Localizable, make_phrase
from pipeline.operations.timers import find_installed_timer
from pipeline.reports.explanations import describe_failure
from pipeline.support.atomic_files import require_writable
from pipeline.support.rights import acting_user, find_unreadable
from pipeline.version import __version__
from pipeline.workflow.run_report import find_exposed_files, find_recorded_run, select_later_run
from pipeline.workflow.run_request import make_credentials_finder
from pipeline.workflow.stage_settings import build_agent, build_client
from pipeline.workflow.tenant_ledger import name_tenant, open_ledger_for_check

Level = Literal["ok", "warning", "fault"]
LOW_SPACE, NO_SPACE = 1 << 30, 100 << 20  # bytes that are free: warn, fault
SKEWED, VERY_SKEWED = 30.0, 300.0  # seconds between this clock and the service's: warn, fault
OLD_RUN = 2 * 86_400  # seconds since the last run
SUCCESSES = frozenset({0, 3})  # exit codes of runs that came to their end
PACKAGES = ("aiohttp", "pillow", "pydantic", "xlsxwriter", "openpyxl", "pandas")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    topic: str
    level: Level
    text: Localizable
    remedy: Localizable | None = None
    exit: int = 0  # of a fault


def examine_installation(
    config: Config, config_name: Path, clock: Clock, environment: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield the findings of every examination, in the order in which faults are best repaired."""
    examinations: Iterable[Callable[[], Iterator[Finding]]] = (
        lambda: examine_configuration(config, config_name),
        lambda: examine_paths(config),
        lambda: examine_space(config),
        lambda: examine_console(config, environment),
        lambda: examine_service(config, clock),
        lambda: examine_ledger(config, clock),
        lambda: examine_last_run(config, clock),
        lambda: examine_timer(config_name),
        examine_versions,
    )
    for examine in examinations:
        yield from examine()


def find_worst_exit(findings: Iterable[Finding]) -> int:
    """Return the exit code of the most severe fault, 0 where there is none."""
    codes = {finding.exit for finding in findings if finding.level == "fault"}
    return next((code for code in (4, 74, 5, 2) if code in codes), 0)


def _make_ok(topic: str, key: str, /, **detail: object) -> Finding:
    return Finding(topic, "ok", make_phrase(f"doctor.{key}", **detail))


def _make_fault(topic: str, key: str, remedy: str, /, *, exit_code: int = 0, **detail: object) -> Finding:
    """Return a fault, or a warning where there is no exit code, with what to do about it."""
    text, cure = (make_phrase(f"doctor.{name}", **detail) for name in (key, remedy))
    return Finding(topic, "fault" if exit_code else "warning", text, cure, exit_code)


def report_config_error(error: UsageError) -> Finding:
    """Return the finding of a configuration that cannot be read."""
    return _report_error("config", error)


def _report_error(topic: str, error: EsignImportError, level: Level = "fault") -> Finding:
    """Return a finding of an error whose sentence names what to do."""
    return Finding(topic, level, error, None, error.exit_code if level == "fault" else 0)


def examine_configuration(config: Config, config_name: Path) -> Iterator[Finding]:
    """Examine ids, certificates and files that other users can read."""
    if config.api.placeholders:
        keys = list_missing_ids(config, config_name)
        yield Finding(
            "config", "fault", make_phrase("usage.placeholders", place=config_name, keys=keys), None, 2
        )
    else:
        yield _make_ok("config", "config", path=config_name.absolute(), tenant=name_tenant(config))
    try:
        require_certificates(config)
    except EsignImportError as error:
        yield _report_error("config", error)
    except OSError as error:
        yield _report_error("config", DiskTrouble.of(error))
    secrets = [path for path in _list_secret_files(config) if path.is_file()]
    for notice in find_exposed_files(config, secrets):
        files = notice.detail["files"]
        yield _make_fault("config", "exposed", "exposed.remedy", files=files)


def _list_secret_files(config: Config) -> list[Path]:
    if config.secrets_dir is None:
        return []
    with suppress(OSError):
        return sorted(config.resolve_path(config.secrets_dir).iterdir())
    return []


def examine_paths(config: Config) -> Iterator[Finding]:
    """Examine what is read and written, as the user who runs this."""
    user = acting_user()
    missing = {path: is_needed for _, path, is_needed in find_missing_paths(config)}
    for key, path, is_needed in find_missing_paths(config):
        near = find_near_path(path)
        meant = make_phrase("usage.near", name=mask_text(str(near))) if near else ""
        text = make_phrase("config_path_missing", key=key, path=mask_text(str(path)), near=meant)
        yield Finding("paths", "fault" if is_needed else "warning", text, None, 2 if is_needed else 0)
    readable = [*map(config.resolve_path, config.roster), config.resolve_path(config.seals)]
    if config.secrets_dir is not None:
        readable.append(config.resolve_path(config.secrets_dir))
    for path in readable:
        if path in missing:
            continue
        if find_unreadable([path, *_list_entries(path)]) is not None:
            remedy = "unreadable.remedy"
            yield _make_fault("paths", "unreadable", remedy, exit_code=2, path=path, user=user)
    for path in (config.resolve_path(config.out), config.resolve_path(config.work)):
        try:
            require_writable(path)
        except OSError as error:
            error.filename = str(path)
            yield _report_error("paths", DiskTrouble.of(error))
            return
    yield _make_ok("paths", "paths", user=user, out=config.resolve_path(config.out))


def _list_entries(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []


def examine_space(config: Config) -> Iterator[Finding]:
    """Examine the room for results and ledger."""
    for key in ("out", "ledger"):
        path = config.resolve_path(getattr(config, key))
        folder = next(parent for parent in (path, *path.absolute().parents) if parent.is_dir())
        free = shutil.disk_usage(folder).free
        detail = {"folder": folder, "mb": free >> 20}
        if free >= LOW_SPACE:
            yield _make_ok("space", "space", **detail)
        else:
            exit_code = 0 if free >= NO_SPACE else 74
            yield _make_fault("space", "space", "space.remedy", exit_code=exit_code, **detail)


def examine_console(config: Config, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Examine locale, names of files, and whether the language follows from anything without a terminal."""
    encoding = sys.getfilesystemencoding()
    name = find_misread_name(config.resolve_path(config.seals))
    if name is not None:
        remedy = "locale.remedy"
        yield _make_fault("console", "locale", remedy, exit_code=2, encoding=encoding, name=mask_text(name))
    else:
        yield _make_ok("console", "encoding", encoding=encoding, console=sys.stderr.encoding)
    if config.language is None and find_language_of_locale(environment) is None:
        yield _make_fault("console", "language", "language.remedy")


def examine_service(config: Config, clock: Clock) -> Iterator[Finding]:
    """Examine both hosts, this clock and the credentials with one call each that changes nothing."""
    credentials: Credentials | None = None
    try:
        credentials = make_credentials_finder(config)()
        yield _make_ok("credentials", "credentials", source=credentials.source)
    except CredentialsMissing as error:
        yield _report_error("credentials", error)
    try:
        yield from asyncio.run(_ask_hosts(config, credentials, clock))
    except (OSError, UsageError) as error:  # of the file of certificates, which has its finding
        why = reason_of(error)
        yield _make_fault(
            "network", "network", "network.no_call", exit_code=2, host=config.api.endpoint, why=why
        )


async def _ask_hosts(config: Config, credentials: Credentials | None, clock: Clock) -> list[Finding]:
    findings: list[Finding] = []
    keys = credentials or Credentials(
        "AKIDnone", "none", source=""
    )  # a refusal of them shows that the host answers
    async with build_client(config, keys, clock) as client:
        body = build_liveness_check(build_agent(config))
        reply = await _ask_host(client, LIVENESS_CHECK, body, config, findings)
        if reply is not None:
            findings += _judge_clock(reply)
            if credentials is not None and not config.api.placeholders:
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
            _make_fault("network", "network", remedy, exit_code=5, host=at_fault, why=error.args[0])
        )
        return None
    key = "network.by_proxy" if config.api.proxy else "network.ok"
    findings.append(_make_ok("network", key, host=host))
    return reply


def _judge_clock(reply: Reply) -> Iterator[Finding]:
    """Compare this clock with the service's Date: a signature is valid for five minutes."""
    if reply.skew is None:
        return
    seconds = abs(reply.skew)
    if seconds < SKEWED:
        yield _make_ok("clock", "clock.ok", seconds=round(seconds))
        return
    key = "clock.behind" if reply.skew > 0 else "clock.ahead"
    exit_code = 0 if seconds < VERY_SKEWED else 4
    yield _make_fault("clock", key, "clock.remedy", exit_code=exit_code, seconds=round(seconds))


def _judge_answer(reply: Reply, credentials: Credentials) -> Iterator[Finding]:
    """Judge the answer to a signed call that changes nothing."""
    answer = parse_answer(reply.body) if reply.status == 200 else None
    if answer is None:
        yield _make_fault("credentials", "no_answer", "network.remedy", exit_code=5, status=reply.status)
    elif answer.code is None:
        yield _make_ok("credentials", "accepted")
    else:
        why = describe_failure(answer.code, credentials.source)
        yield Finding("credentials", "fault", make_phrase("doctor.refused", why=why), None, 4)


def examine_ledger(config: Config, clock: Clock) -> Iterator[Finding]:
    """Examine disk, rights, owner, content and receipts of the ledger, and whether a run holds it."""
    path = config.resolve_path(config.ledger)
    if config.api.placeholders:
        return  # its owner is not known yet
    warnings: list[EsignImportError] = []
    try:
        require_local_disk(path)
        require_rights(path, writing=True)  # before SQLite opens it, which may remove a stale side file
        with open_ledger_for_check(config, clock, warn=warnings.append) as (ledger, _):
            is_new = ledger is None
        yield from (_report_error("ledger", warning, "warning") for warning in warnings)
        if is_new:
            yield _make_ok("ledger", "no_ledger", path=path)
            return
        if is_locked(path):
            yield _make_ok("ledger", "locked", path=path)
            return
        result = check_ledger(path, name_tenant(config))
    except EsignImportError as error:
        yield _report_error("ledger", error)
    else:
        if result.defects:
            n = len(result.defects)
            yield _make_fault("ledger", "defects", "defects.remedy", exit_code=74, path=path, n=n)
        else:
            seals, unknown = result.counts.seals, result.counts.unresolved
            yield _make_ok("ledger", "ledger", path=path, seals=seals, unknown=unknown)


def examine_last_run(config: Config, clock: Clock) -> Iterator[Finding]:
    """Examine how the last run ended, and how long ago."""
    if config.api.placeholders:
        return
    run = _find_last_run(config, clock)
    if run is None:
        yield _make_ok("last_run", "no_run")
        return
    if run.finished is None or run.exit is None:
        yield _make_fault("last_run", "run_cut", "run.remedy", run=run.run)
        return
    hours = round((clock.now() - run.finished) / 3600)
    detail: dict[str, Any] = {
        "run": run.run,
        "exit": run.exit,
        "hours": hours,
        "finished": shown(stamp(run.finished)),
    }
    if run.exit not in SUCCESSES:
        yield _make_fault("last_run", "run_failed", "run.remedy", **detail)
    elif clock.now() - run.finished > OLD_RUN:
        yield _make_fault("last_run", "run_old", "run_old.remedy", **detail)
    else:
        yield _make_ok("last_run", "run", **detail)


def _find_last_run(config: Config, clock: Clock) -> RunRecord | None:
    last = None
    with suppress(EsignImportError), open_ledger_for_check(config, clock) as (ledger, _):
        last = ledger.find_last_run() if ledger is not None else None
    return select_later_run(last, find_recorded_run(config.resolve_path(config.out), name_tenant(config)))


def examine_timer(config_name: Path) -> Iterator[Finding]:
    """Look for a timer that runs this configuration."""
    timer = find_installed_timer(config_name.absolute())
    if timer is None:
        yield _make_fault("timer", "no_timer", "no_timer.remedy", config=config_name.absolute())
    else:
        yield _make_ok("timer", "timer", timer=timer)


def examine_versions() -> Iterator[Finding]:
    """Name the versions, for a report of a problem."""
    versions = {name: _find_version(name) for name in PACKAGES}
    yield _make_ok(
        "versions",
        "versions",
        program=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        packages=", ".join(f"{name} {number}" for name, number in versions.items()),
    )


def _find_version(package: str) -> str:
    with suppress(PackageNotFoundError):
        return version(package)
    return "-"  # a frozen program has no metadata
