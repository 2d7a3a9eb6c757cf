"""Keeps watchers of the runs informed: people by the channels of apprise, a monitor by a ping.

People hear of a run that ended in another state than the one before, and once a week while a state that needs a person
lasts. A message holds counts and reasons, never a name or a number. Until every channel has taken it, each later run sends
its own. A monitor (healthchecks.io, Uptime Kuma, Cronitor) gets a ping at the start and the end of every run.
"""

from __future__ import annotations

import json
import os
import socket
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pipeline.clock import local_date
from pipeline.config.environment import choose_language
from pipeline.config.named_paths import read_secret_lines
from pipeline.config.settings import Config
from pipeline.domain.masking import hide_names
from pipeline.domain.message import Message
from pipeline.domain.run import COMPLETE_EXITS, RunReport, Status, count_shown_statuses
from pipeline.errors import UsageError, reason_of
from pipeline.ledger.tenant import get_service_environment
from pipeline.messages.catalogue import make_message, render
from pipeline.reports.explanations import describe_halt_of, name_code
from pipeline.reports.presenter import Presenter
from pipeline.reports.totals import count_reasons, describe_auto_sign
from pipeline.support.atomic_files import make_folder, write_json

URLS_FILE, PING_FILE = "notify__urls", "notify__ping"
MAX_REASONS = 5
REMINDER_DAYS = 7  # between two messages about a state that lasts
PING_SECONDS = 5  # that a ping may take
State = Literal["ok", "attention", "failed"]
KINDS_OF_MESSAGES = {"ok": "info", "attention": "warning", "failed": "failure"}  # as apprise names them
DECISIONS = frozenset(
    {Status.UNKNOWN.value, Status.EXISTS.value, "refused"}
)  # needs that a failure does not explain


def read_channels(config: Config, environment: Mapping[str, str]) -> list[str]:
    """Return the addresses of apprise (``wecombot://key``) that are configured, then those of ``notify__urls``, each once."""
    urls = [url.get_secret_value() for url in config.notify.urls]
    return merge_channels(urls, read_secret_lines(config, environment, URLS_FILE))


def merge_channels(urls: Iterable[str], lines: Iterable[str]) -> list[str]:
    """Return the addresses of a configuration, then those of a secret file, each once."""
    return [url for url in dict.fromkeys([*urls, *lines]) if not url.startswith("#")]


def notify_run_end(report: RunReport, config: Config) -> None:
    """Send a message where this run needs one. Raises UsageError where a channel did not take it.

    Then the state before the run stays, so that the next run is compared with it and sends its own message.
    """
    if report.command != "run":
        return
    channels = read_channels(config, os.environ)
    path = state_path(config)
    before = load_state(path)
    now = watch_run(before, report)
    if channels and is_worth_a_message(before, now, report.finished):
        save_state(path, replace(before, last_success=now.last_success))
        title, body = build_message(report, config, before, since=now.since)
        if undelivered := send_to_all(channels, title, body, now):
            raise UsageError("notify.undelivered", n=undelivered)
        now = replace(now, notified=report.finished)
    save_state(path, now)


def send_to_all(channels: Sequence[str], title: str, body: str, state: WatchedState) -> int:
    """Send a message about a state to every channel; return how many did not take it."""
    kind = KINDS_OF_MESSAGES[state.state or "ok"]
    return sum(explain_undelivered(channel, title, body, kind) is not None for channel in channels)


def count_needs(report: RunReport) -> tuple[tuple[str, int], ...]:
    """Count what needs a person: rows by their reasons, rows to resolve by their status, refused rosters."""
    statuses = Counter(outcome.status for outcome in report.outcomes)
    refused = sum(file.needs_correction for file in report.files)
    return (
        *count_reasons(report.outcomes),
        *((status.value, statuses[status]) for status in (Status.UNKNOWN, Status.EXISTS) if statuses[status]),
        *((("refused", refused),) if refused else ()),
    )


def watch_run(before: WatchedState, report: RunReport) -> WatchedState:
    """Return how a run ended, and since when the runs end so."""
    state = classify_exit(report.exit)
    halt = report.halt.code if report.halt is not None else None
    lasts = before.state == state and (state != "failed" or (before.exit, before.halt) == (report.exit, halt))
    return WatchedState(
        state=state,
        exit=report.exit,
        halt=halt,
        reasons=count_needs(report),
        last_success=before.last_success if state == "failed" else report.finished,
        since=before.since if lasts and before.since is not None else report.finished,
        notified=before.notified,
    )


def is_worth_a_message(before: WatchedState, now: WatchedState, finished: float) -> bool:
    """Return whether people should hear of a run: another state, another failure, more that needs a person, or a reminder.

    A reminder comes once a week while rows need attention or runs fail. The first run that succeeds is no news. The days
    are those of the runs' own records.
    """
    if now.state != before.state:
        return before.state is not None or now.state != "ok"
    if now.state == "failed" and (now.exit, now.halt) != (before.exit, before.halt):
        return True
    earlier = Counter(dict(before.reasons))
    counted = now.reasons if now.state != "failed" else [need for need in now.reasons if need[0] in DECISIONS]
    if any(rows > earlier[code] for code, rows in counted):
        return True
    if now.state == "ok":
        return False
    if before.notified is None:
        return True
    return (local_date(finished) - local_date(before.notified)).days >= REMINDER_DAYS


def build_message(
    report: RunReport, config: Config, before: WatchedState, *, since: float | None = None
) -> tuple[str, str]:
    """Return title and body of a message about a run, in the language of its results; ``since`` when the runs end so."""
    language = choose_language(config.language)
    presenter = Presenter.for_report(report, language)
    state = classify_exit(report.exit)
    key = "recovered" if state == "ok" and before.state is not None else state
    name = config.notify.name or render(
        f"environment.{get_service_environment(config.api.endpoint)}", language
    )
    title = presenter.render(f"notify.title.{key}", name=name, exit=report.exit)
    lines = [presenter.render("notify.run", run=report.run, host=socket.gethostname())]
    if since is not None and state != "ok" and local_date(since) != local_date(report.finished):
        lines.append(presenter.render("notify.since", day=local_date(since)))
    if report.halt is not None:
        lines.append(describe_halt_of(report, presenter))
    lines += [
        presenter.render("notify.count", status=presenter.name_status(status), rows=rows)
        for status, rows in count_shown_statuses(report.outcomes).items()
    ]
    if report.auto_sign is not None:
        lines.append(describe_auto_sign(report.auto_sign, presenter))
    reasons = count_reasons(report.outcomes)
    lines += [
        presenter.render("notify.reason", reason=name_code(code, presenter), rows=rows, code=code)
        for code, rows in reasons[:MAX_REASONS]
    ]
    if len(reasons) > MAX_REASONS:
        lines.append(presenter.render("notify.more", n=len(reasons) - MAX_REASONS))
    lines.append(
        presenter.render("notify.results", path=presenter.mask_path((report.latest or report.out).absolute()))
    )
    people = {person for outcome in report.outcomes if (person := outcome.doctor.display_name)}
    return title, hide_names("\n".join(lines), people)


def explain_undelivered(channel: str, title: str, body: str, kind: str = "info") -> Message | None:
    """Send one message to one channel; return why the channel did not take it, None where it did.

    UsageError where apprise is not installed.
    """
    apprise = _import_apprise()
    service = apprise.Apprise.instantiate(channel, suppress_exceptions=True)
    if service is None:
        scheme = channel.partition(":")[0]
        is_known = any(
            scheme in known["protocols"] + known["secure_protocols"] for known in _list_services(apprise)
        )
        return make_message("notify.bad_address" if is_known else "notify.unknown_service", scheme=scheme)
    sender = apprise.Apprise()
    sender.add(service)
    return None if sender.notify(title=title, body=body, notify_type=kind) else make_message("notify.refused")


def _list_services(apprise: Any) -> list[Mapping[str, list[str]]]:
    """Return the kinds of addresses that apprise knows."""
    return [
        {name: list(service[name] or ()) for name in ("protocols", "secure_protocols")}
        for service in apprise.Apprise().details()["schemas"]
    ]


def name_channel(channel: str) -> str:
    """Return a channel's address without its secrets."""
    service = _import_apprise().Apprise.instantiate(channel, suppress_exceptions=True)
    return str(service.url(privacy=True)).partition("?")[0] if service else f"{channel.partition(':')[0]}://…"


def _import_apprise() -> Any:
    try:
        import apprise  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise UsageError("notify.no_apprise") from error
    return apprise


# -- the state, which lies next to the ledger


@dataclass(frozen=True, slots=True)
class WatchedState:
    """How the last run ended."""

    state: State | None = None  # None: no run yet
    exit: int = 0
    halt: str | None = None  # code of what stopped it
    reasons: tuple[tuple[str, int], ...] = ()  # codes and rows
    since: float | None = None  # unix seconds of the first run of those that ended so
    notified: float | None = None  # unix seconds of the last run that a message was about
    last_success: float | None = None  # unix seconds of the last run that was no failure


def state_path(config: Config) -> Path:
    return _name_state(config.resolve_ledger_file())


def _name_state(ledger: Path) -> Path:
    return ledger.with_name(f"{ledger.name}.watch.json")


def follow_ledger(ledger: Path, config: Config) -> None:
    """Rename the file of the state after a ledger's file was loaded into the configured server."""
    of_file, new = _name_state(ledger), state_path(config)
    if of_file.exists() and not new.exists():
        make_folder(new.parent)
        of_file.rename(new)


def classify_exit(exit_code: int) -> State:
    """Return what an exit code means for those who watch the runs."""
    if exit_code == 0:
        return "ok"
    return "attention" if exit_code in COMPLETE_EXITS else "failed"


def load_state(path: Path) -> WatchedState:
    """Read the state; one that is missing or cannot be read is that of no run yet."""
    try:
        return parse_state(path.read_text("utf-8"))
    except (OSError, ValueError):
        return WatchedState()


def parse_state(text: str) -> WatchedState:
    """Return a stored state; a text that holds none is that of no run yet."""
    try:
        stored: dict[str, Any] = json.loads(text)
        return WatchedState(
            state=stored["state"],
            exit=stored["exit"],
            halt=stored["halt"],
            since=stored["since"],
            notified=stored["notified"],
            reasons=tuple((code, rows) for code, rows in stored["reasons"]),
            last_success=stored["last_success"],
        )
    except (ValueError, KeyError, TypeError):
        return WatchedState()


def save_state(path: Path, state: WatchedState) -> None:
    """Write the state, whole or not at all."""
    write_json(path, {"schema": 1, **asdict(state)})


# -- the monitor


def read_ping_url(config: Config, environment: Mapping[str, str]) -> str | None:
    """Return the monitor's address: the configured one, else that of the secret file ``notify__ping``."""
    if config.notify.ping is not None:
        return config.notify.ping.get_secret_value().rstrip("/")
    return next((line.rstrip("/") for line in read_secret_lines(config, environment, PING_FILE)), None)


def ping_run_start(command: str, config: Config) -> None:
    """Report that a run begins; a monitor measures from here how long it takes. Raises UsageError."""
    if command == "run" and (url := read_ping_url(config, os.environ)):
        send_ping(f"{url}/start")


def ping_run_end(report: RunReport, config: Config) -> None:
    """Report how a run ended; rows that need a person are no failure of the run. Raises UsageError."""
    if report.command == "run" and (url := read_ping_url(config, os.environ)):
        title, body = build_message(report, config, WatchedState())
        suffix = "/fail" if classify_exit(report.exit) == "failed" else ""
        send_ping(f"{url}{suffix}", f"{title}\n{body}")


def send_ping(url: str, body: str = "") -> None:
    """Send a ping; raises UsageError where the monitor does not take it."""
    request = urllib.request.Request(url, data=body.encode(), method="POST")  # noqa: S310 - http and https alone are configurable
    try:
        with urllib.request.urlopen(request, timeout=PING_SECONDS):  # noqa: S310
            return
    except (OSError, ValueError) as error:  # of HTTP as well
        why = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else reason_of(error)
        raise UsageError("notify.no_ping", why=why) from error
